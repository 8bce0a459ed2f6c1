//! Charts of what the server's own metrics said over time.

use super::bench::{Stretch, begins, stretched, time_axis};
use super::{Axis, Chart, Kind, Look, Point, Series, heights};
use crate::domain::run::ServerPoint;
use crate::domain::units;

/// Readings of the server's metrics for a chart. However many are added, at most [`ServerLine::MOST`] are kept: of more,
/// every second is left out.
#[derive(Debug, Clone, Default)]
pub struct ServerLine {
    kept: Vec<ServerPoint>,
}

/// A line of a chart: its name, its look's number, and its values.
type Line = (&'static str, usize, fn(&ServerPoint) -> Option<f64>);

const REQUESTS: [Line; 2] = [
    ("running", 0, |point| point.running),
    ("waiting", 1, |point| point.queue),
];
const PERCENT: [Line; 2] = [
    ("workers busy", 0, |point| Some(point.workers_busy? * 100.0)),
    ("KV cache used", 1, |point| Some(point.cache_use? * 100.0)),
];

impl ServerLine {
    /// More are never kept.
    pub const MOST: usize = 2_000;

    /// Adds readings.
    pub fn add(&mut self, points: &[ServerPoint]) {
        for point in points {
            if self.kept.len() >= Self::MOST {
                let mut n = 0;
                self.kept.retain(|_| {
                    n += 1;
                    n % 2 == 1
                });
            }
            self.kept.push(*point);
        }
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many requests the server worked on and how many waited; `None` where it says neither.
    pub fn requests(&self, levels: &[Stretch], elapsed_s: f64) -> Option<Chart<'_>> {
        let series = self.series(&REQUESTS)?;
        let y = Axis::from_zero("requests", heights(&series));
        Some(self.chart(
            "Server: requests running and waiting",
            series,
            y,
            (levels, elapsed_s),
        ))
    }

    /// How busy its workers were and how full its cache; `None` where it says neither.
    pub fn use_of(&self, levels: &[Stretch], elapsed_s: f64) -> Option<Chart<'_>> {
        let series = self.series(&PERCENT)?;
        let y = Axis::from_zero("in use, %", std::iter::once(100.0));
        Some(self.chart(
            "Server: workers and cache in use, %",
            series,
            y,
            (levels, elapsed_s),
        ))
    }

    /// A series for each line that has a value.
    fn series(&self, lines: &[Line]) -> Option<Vec<Series>> {
        let series = lines.iter().map(|(name, look, of)| {
            let points = self.kept.iter().enumerate();
            let points =
                points.filter_map(|(at, point)| Some(Point::new(point.at_s, of(point)?, at)));
            Series::new(*name, Look::of(*look), Kind::Curve, points.collect())
        });
        let series: Vec<Series> = series.filter(|series| !series.points.is_empty()).collect();
        (!series.is_empty()).then_some(series)
    }

    fn chart(
        &self,
        title: &'static str,
        series: Vec<Series>,
        y: Axis,
        (levels, elapsed_s): (&[Stretch], f64),
    ) -> Chart<'_> {
        let hover =
            |_: &Series, point: &Point| self.kept.get(point.of).map_or_else(String::new, told);
        let last = self.kept.last();
        let x = time_axis(last.map_or(0.0, |point| point.at_s).max(elapsed_s), levels);
        Chart {
            note: format!("the server's own metrics, once a second{}", stretched(&x)),
            summary: last.map_or_else(String::new, |point| told(point).replace('\n', ", ")),
            marks: begins(levels),
            legend: series.iter().map(Series::entry).collect(),
            ..Chart::new(title, x, y, series, Box::new(hover))
        }
    }
}

fn told(point: &ServerPoint) -> String {
    let requests = |name: &str, value: Option<f64>| {
        value.map(|value| {
            format!(
                "{} {name}",
                units::counted(value.round() as usize, "request")
            )
        })
    };
    let share = |name: &str, value: Option<f64>| {
        value.map(|value| format!("{name} {}", units::whole_percent(value)))
    };
    let lines = [
        requests("running", point.running),
        requests("waiting", point.queue),
        share("workers busy", point.workers_busy),
        share("KV cache used", point.cache_use),
        Some(format!("at {}", units::clock(point.at_s))),
    ];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_server_says_is_drawn() {
        let mut line = ServerLine::default();
        assert!(line.requests(&[], 1.0).is_none() && line.is_empty());
        let point = |at_s, queue| ServerPoint {
            at_s,
            queue,
            running: Some(3.0),
            ..ServerPoint::default()
        };
        line.add(&[point(1.0, None), point(2.0, Some(1.0))]);
        assert!(line.use_of(&[], 2.0).is_none());
        let chart = line.requests(&[], 2.0).expect("drawn");
        let drawn: Vec<(&str, usize)> = chart
            .series
            .iter()
            .map(|series| (series.name.as_str(), series.points.len()))
            .collect();
        assert_eq!(drawn, [("running", 2), ("waiting", 1)]);
        assert_eq!(
            (chart.hover)(&chart.series[1], &chart.series[1].points[0]),
            "3 requests running\n1 request waiting\nat 0:02"
        );
        drop(chart);
        line.add(&vec![point(3.0, None); 9 * ServerLine::MOST]);
        assert!(line.kept.len() <= ServerLine::MOST);
    }
}
