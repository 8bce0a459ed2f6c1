//! Charts of a benchmark over time.

use super::{
    Axis, Chart, Color, Dots, Kind, Look, Mark, Marker, Point, Series, Unit, Weight, heights,
};
use crate::domain::run::{Flight, RatePoint};
use crate::domain::units;

/// A level on a chart over time.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// Counts the session's levels from 0.
    pub index: usize,
    /// The level's label.
    pub label: String,
    /// Its model.
    pub model: String,
    /// The model's look.
    pub look: Look,
    /// When it began, in seconds since the session began; `None` while it has not.
    pub began_s: Option<f64>,
}

/// The time of a session of `elapsed_s` seconds so far. Short levels among long ones are wider than they are.
pub(super) fn time_axis(elapsed_s: f64, levels: &[Stretch]) -> Axis {
    let to = elapsed_s.max(10.0);
    let begins: Vec<f64> = levels.iter().filter_map(|level| level.began_s).collect();
    // What happened at once is not on the edge, and "0:00" does not touch the other axis' zero.
    Axis::of_stretches(TIME, [to * -0.02, to * 1.01], &begins)
}

/// What an axis of time says, in a clock's minutes and seconds.
const TIME: &str = "time since the session began, min:s";

/// Added to the note of a chart over time.
pub(super) fn stretched(x: &Axis) -> &'static str {
    if x.is_stretched() {
        "; short levels are drawn wider"
    } else {
        ""
    }
}

pub(super) fn begins(levels: &[Stretch]) -> Vec<Mark> {
    let mark = |level: &Stretch| {
        Some(Mark {
            x: level.began_s?,
            label: level.label.clone(),
            bare: false,
        })
    };
    levels.iter().filter_map(mark).collect()
}

/// Each request's TTFT by when it was sent, a colour a model; failures are crosses at zero.
pub fn ttft_over_time<'a>(dots: &'a Dots, levels: &'a [Stretch], elapsed_s: f64) -> Chart<'a> {
    let series = ttft_series(dots, levels);
    let (mut slowest, mut last) = (0.0f32, elapsed_s);
    for dot in dots.kept() {
        slowest = slowest.max(dot.ttft_ms.unwrap_or(0.0));
        last = last.max(dot.at_s);
    }
    let added = usize::try_from(dots.added()).unwrap_or(usize::MAX);
    let note = if added > dots.kept().len() {
        format!(
            "{} requests; the fastest, the slowest and some between are drawn",
            units::count(dots.added())
        )
    } else {
        "a dot a request, by when it was sent".to_owned()
    };
    let y = Axis::from_zero("TTFT, ms", [f64::from(slowest)].into_iter());
    let hover = |_: &Series, point: &Point| {
        let Some(dot) = dots.kept().get(point.of) else {
            return String::new();
        };
        let told = dot
            .ttft_ms
            .map_or("failed".to_owned(), |ttft| format!("TTFT {ttft:.1} ms"));
        let level = levels
            .iter()
            .find(|level| level.index == dot.level as usize);
        let level = level
            .map(|level| format!("{} {}\n", level.model, level.label))
            .unwrap_or_default();
        format!("{level}{told}\nsent at {}", units::clock(dot.at_s))
    };
    let requests = units::counted(added, "request");
    let x = time_axis(last, levels);
    Chart {
        note: format!("{note}{}", stretched(&x)),
        summary: format!("{requests}, slowest {slowest:.0} ms"),
        marks: begins(levels),
        legend: series
            .iter()
            .filter(|_| series.len() > 1)
            .map(Series::entry)
            .collect(),
        ..Chart::new("TTFT per request, ms", x, y, series, Box::new(hover))
    }
}

/// A series a model, then one of requests whose level is not known, and one of those that failed.
fn ttft_series(dots: &Dots, levels: &[Stretch]) -> Vec<Series> {
    let mut series: Vec<Series> = Vec::new();
    // The series of each level, looked up once and not for each of some thousand dots.
    let most = levels
        .iter()
        .map(|level| level.index + 1)
        .max()
        .unwrap_or(0);
    let mut series_of: Vec<Option<usize>> = vec![None; most];
    let new = |name: &str, look| Series::new(name, look, Kind::Dots, Vec::new());
    for level in levels {
        let known = series.iter().position(|series| series.name == level.model);
        series_of[level.index] = Some(known.unwrap_or_else(|| {
            series.push(new(&level.model, level.look));
            series.len() - 1
        }));
    }
    let others = series.len();
    let failed = others + 1;
    series.push(new("", Look::of(0)));
    let cross = Look {
        marker: Marker::Cross,
        ..Look::plain(Color::Error, Weight::Normal)
    };
    series.push(new("failed", cross));
    for (of, dot) in dots.kept().iter().enumerate() {
        let known = series_of.get(dot.level as usize).copied().flatten();
        let (at, ttft_ms) = match dot.ttft_ms {
            Some(ttft_ms) => (known.unwrap_or(others), ttft_ms),
            None => (failed, 0.0),
        };
        let point = Point::new(dot.at_s, ttft_ms.into(), of);
        series[at].points.push(point);
    }
    series.retain(|series| !series.points.is_empty());
    series
}

/// Output tokens per second of all answers under way.
pub fn tokens_over_time<'a>(
    rates: &'a [RatePoint],
    levels: &[Stretch],
    elapsed_s: f64,
) -> Chart<'a> {
    let point = |(of, rate): (usize, &RatePoint)| Point::new(rate.at_s, rate.tokens_per_s, of);
    let points: Vec<Point> = rates.iter().enumerate().map(point).collect();
    let series = vec![Series::new("all", Look::of(0), Kind::Area, points)];
    let (last, most) = (rates.last(), heights(&series).fold(0.0, f64::max));
    let now = units::rate(last.map_or(0.0, |rate| rate.tokens_per_s));
    let elapsed_s = last.map_or(0.0, |rate| rate.at_s).max(elapsed_s);
    let x = time_axis(elapsed_s, levels);
    let y = Axis::from_zero("output, tok/s", heights(&series));
    let hover = |_: &Series, point: &Point| {
        let Some(rate) = rates.get(point.of) else {
            return String::new();
        };
        let flight = units::counted(rate.in_flight as usize, "request");
        let at = units::clock(rate.at_s);
        format!(
            "{}\n{flight} in flight\nat {at}",
            units::rate(rate.tokens_per_s)
        )
    };
    Chart {
        note: format!("all answers together{}", stretched(&x)),
        summary: format!("now {now}, at most {}", units::rate(most)),
        marks: begins(levels),
        ..Chart::new("Output tokens per second", x, y, series, Box::new(hover))
    }
}

/// The last requests in flight, a row each: how long it was queued, waited for its first token, and streamed.
pub fn in_flight(flights: &[Flight], now_s: f64) -> Chart<'_> {
    let from = flights
        .iter()
        .map(|flight| flight.due_s)
        .fold(now_s, f64::min);
    let series = phases(flights, now_s);
    let streaming = flights
        .iter()
        .filter(|f| f.first_s.is_some() && f.ended_s.is_none())
        .count();
    let x = Axis::between(
        "time since the session began, s",
        from,
        now_s.max(from + 0.001),
        Unit::Seconds,
    );
    let hover =
        |_: &Series, point: &Point| flights.get(point.of).map_or_else(String::new, flight_told);
    Chart {
        note: "a row a request".to_owned(),
        summary: format!(
            "{}, {streaming} streaming",
            units::counted(flights.len(), "request")
        ),
        legend: series.iter().map(Series::entry).collect(),
        ..Chart::new(
            "Last requests in flight",
            x,
            Axis::of_rows(flights.len()),
            series.into(),
            Box::new(hover),
        )
    }
}

/// The spans of each phase, and the requests that failed.
fn phases(flights: &[Flight], now_s: f64) -> [Series; 4] {
    let phases = [
        ("queued", Look::plain(Color::Dim, Weight::Thin)),
        (
            "waiting for the first token",
            Look {
                weight: Weight::Hollow,
                ..Look::of(1)
            },
        ),
        ("streaming", Look::of(0)),
        (
            "failed",
            Look {
                marker: Marker::Cross,
                ..Look::plain(Color::Error, Weight::Normal)
            },
        ),
    ];
    let mut series = phases.map(|(name, look)| Series::new(name, look, Kind::Spans, Vec::new()));
    series[3].kind = Kind::Dots;
    for (of, flight) in flights.iter().enumerate() {
        // The oldest is the uppermost.
        let y = (flights.len() - 1 - of) as f64;
        let mut part = |phase: usize, from: f64, to: f64| {
            series[phase].points.push(Point {
                x: from,
                y,
                interval: Some([from, to]),
                of,
            });
        };
        let end = flight.ended_s.unwrap_or(now_s);
        let sent = flight.sent_s.unwrap_or(end);
        let first = flight.first_s.unwrap_or(end);
        if sent > flight.due_s {
            part(0, flight.due_s, sent);
        }
        if flight.sent_s.is_some() {
            part(1, sent, first);
        }
        if flight.first_s.is_some() {
            part(2, first, end);
        }
        if flight.failed {
            series[3].points.push(Point::new(end, y, of));
        }
    }
    series
}

fn flight_told(flight: &Flight) -> String {
    let Flight {
        index,
        due_s,
        sent_s,
        first_s,
        ended_s,
        failed,
    } = flight;
    let mut lines = vec![format!("request {index}, due at {due_s:.2} s")];
    let mut line = |name: &str, to: &Option<f64>, from: f64| {
        lines.extend(to.map(|to| format!("{name} {:.0} ms", (to - from) * 1e3)));
    };
    line("sent after", sent_s, *due_s);
    line("first token after", first_s, *due_s);
    line(
        if *failed {
            "failed after"
        } else {
            "ended after"
        },
        ended_s,
        *due_s,
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::run;

    #[test]
    fn a_failed_request_is_drawn_and_is_no_time() {
        let mut dots = Dots::default();
        let point = |at_s, ttft_ms| run::Point {
            level: 0,
            at_s,
            ttft_ms,
        };
        dots.add(&[point(1.0, Some(80.0)), point(2.0, None)]);
        let level = Stretch {
            index: 0,
            label: "c=1".to_owned(),
            model: "m".to_owned(),
            look: Look::of(3),
            began_s: Some(0.0),
        };
        let levels = [level];
        let chart = ttft_over_time(&dots, &levels, 3.0);
        let words: Vec<String> = chart
            .series
            .iter()
            .map(|series| {
                format!(
                    "{}: {}",
                    series.name,
                    (chart.hover)(series, &series.points[0])
                )
            })
            .collect();
        assert_eq!(
            words,
            [
                "m: m c=1\nTTFT 80.0 ms\nsent at 0:01",
                "failed: m c=1\nfailed\nsent at 0:02"
            ]
        );
        assert_eq!(chart.series[1].look.color, Color::Error);
    }
}
