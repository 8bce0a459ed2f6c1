//! How the times of one level are distributed: bars over the whole range, the slowest included.

use super::levels::Timing;
use super::{Axis, Chart, Kind, Look, Mark, Point, Series, Unit};
use crate::domain::run::{INTERVALS, LevelReport, Stats};
use crate::domain::stats::{P99, Percentile};
use crate::domain::units;
use crate::metrics::arrivals::{Groups, apart};

/// Bars of the distribution, however fine its buckets are.
const BARS: usize = 40;
/// Where the largest value is this many times as far from the least as p99 is, a single straggler would press all
/// other bars together: the axis is logarithmic then.
const FAR: f64 = 1.4;

/// What the bars are made of.
#[derive(Default)]
struct Values {
    /// `[from, to, count]`, ascending.
    buckets: Vec<[f64; 3]>,
    percentiles: Vec<(Percentile, f64)>,
    max: Option<f64>,
    /// What the values are, without a unit.
    name: String,
    /// What one of them is.
    noun: &'static str,
    /// What is left out, or how the values are to be read.
    remark: String,
}

impl Values {
    fn of(level: &LevelReport, timing: Timing) -> Self {
        let stats = timing.stats(level);
        let noun = if timing == Timing::Itl {
            "gap"
        } else {
            "request"
        };
        let groups = Groups::of(level).filter(|_| timing == Timing::Itl);
        let known = |at: &dyn Fn(Percentile) -> Option<f64>| {
            let all = Percentile::all_with_interval();
            all.filter_map(|it| Some((it, at(it)?))).collect()
        };
        if let Some(groups) = groups {
            return Self {
                percentiles: known(&|percentile| groups.at(percentile)),
                max: stats.max,
                name: "gap between groups of tokens".to_owned(),
                noun,
                remark: format!("{}; {}", groups.told(), left_out(groups.together as f64)),
                buckets: groups.buckets,
            };
        }
        Self {
            buckets: stats.buckets.clone(),
            percentiles: known(&|percentile| stats.at(percentile)),
            max: stats.max,
            name: timing.name().to_owned(),
            noun,
            remark: String::new(),
        }
    }

    /// The ends of the bars, and whether they lie on a logarithmic scale.
    fn range(&mut self) -> Option<([f64; 2], bool)> {
        let (first, last) = (self.buckets.first()?, self.buckets.last()?);
        let (low, high) = (first[0], last[1].max(first[0] + 1e-6));
        let p99 = self.percentiles.iter().find(|(it, _)| *it == P99);
        let far = p99.is_some_and(|(_, p99)| high - low > (p99 - low) * FAR);
        if !far {
            return Some(([low, high], false));
        }
        if low > 0.0 {
            return Some(([low, high], true));
        }
        // Gaps that are 0 have no place on it.
        let stats = Stats {
            buckets: self.buckets.clone(),
            ..Stats::default()
        };
        let (zero, others) = apart(&stats);
        let Some(low) = others
            .first()
            .map(|bucket| bucket[0])
            .filter(|low| *low > 0.0)
        else {
            return Some(([low, high], false));
        };
        self.buckets = others;
        self.remark = left_out(zero);
        Some(([low, high], true))
    }
}

fn left_out(zero: f64) -> String {
    if zero > 0.0 {
        format!("{} of 0 ms left out", units::counted(zero as usize, "gap"))
    } else {
        String::new()
    }
}

/// How many requests took how long at a level, or how many gaps. Below what a bar says stand the level's figures.
pub fn distribution<'a>(level: Option<&'a LevelReport>, timing: Timing, look: Look) -> Chart<'a> {
    let mut values = level.map_or_else(Values::default, |level| Values::of(level, timing));
    let (ends, log) = values.range().unwrap_or(([0.0, 1.0], false));
    let points = bars(&values.buckets, ends, log);
    let name = level.map_or_else(
        || "No level yet".to_owned(),
        |level| format!("{} {}", level.credited(), level.label),
    );
    let count: f64 = points.iter().map(|bar| bar.y).sum();
    let slowest = values.max.filter(|_| count > 0.0);
    let slowest = slowest.map_or_else(String::new, |max| {
        format!(" (max {})", units::milliseconds(max))
    });
    let x_title = format!("{}, ms{slowest}", values.name);
    let x = if log {
        Axis::log(&x_title, ends[0], ends[1])
    } else {
        Axis::between(&x_title, ends[0], ends[1], Unit::Number)
    };
    // The interval of a bar is its width, not an error in y.
    let y = Axis::of_counts(&format!("{}s", values.noun), points.iter().map(|bar| bar.y));
    let mut note = vec![name.clone()];
    note.extend(log.then(|| "logarithmic".to_owned()));
    note.extend(Some(values.remark.clone()).filter(|remark| !remark.is_empty()));
    let of = units::counted(count as usize, values.noun);
    Chart {
        summary: format!("{name}, {of}{slowest}"),
        note: note.join("; "),
        marks: marks(&values, &x),
        ..Chart::new(
            "Distribution of the level",
            x,
            y,
            vec![Series::new(&name, look, Kind::Bars, points)],
            Box::new(hover(
                level.map(|level| timing.stats(level)),
                timing,
                values.noun,
            )),
        )
    }
}

fn hover<'a>(
    stats: Option<&'a Stats>,
    timing: Timing,
    noun: &'static str,
) -> impl Fn(&Series, &Point) -> String + 'a {
    move |_, bar| {
        let [from, to] = bar
            .interval
            .unwrap_or([bar.x; 2])
            .map(|end| units::short(Some(end)));
        let figures = stats
            .filter(|stats| stats.count > 0)
            .map(|stats| format!("{}\n{INTERVALS}", timing.figure().intervals(stats)))
            .unwrap_or_default();
        let count = units::counted(bar.y as usize, noun);
        format!("{from} to {to} ms\n{count}\n{figures}")
    }
}

/// The percentiles and the largest value. Of few requests two are the same one.
fn marks(values: &Values, x: &Axis) -> Vec<Mark> {
    let [from, to] = x.ends();
    let place = |value| x.place(value).unwrap_or(from);
    let named = values
        .percentiles
        .iter()
        .map(|(percentile, value)| (*value, percentile.to_string()))
        .chain(values.max.map(|max| (max, "max".to_owned())));
    let mut marks: Vec<Mark> = Vec::new();
    for (value, label) in named {
        match marks
            .last_mut()
            .filter(|mark| place(value) - place(mark.x) < (to - from) * 0.005)
        {
            Some(mark) => mark.label = format!("{} {label}", mark.label),
            None => marks.push(Mark {
                x: value,
                label,
                bare: false,
            }),
        }
    }
    marks
}

/// Bars that are equally wide on their axis. Counts are whole: a bucket that lies across an edge is not cut into
/// fractions.
fn bars(buckets: &[[f64; 3]], [low, high]: [f64; 2], log: bool) -> Vec<Point> {
    if buckets.is_empty() {
        return Vec::new();
    }
    let edge = |n: usize| match (n, log) {
        (BARS, _) => high,
        (n, true) => low * (high / low).powf(n as f64 / BARS as f64),
        (n, false) => low + (high - low) * n as f64 / BARS as f64,
    };
    // How many lie below an edge, to the nearest whole one: bars of differences of these lose and invent none.
    let below = |edge: f64| {
        let part = |[from, to, count]: &[f64; 3]| {
            count * ((edge - from) / (to - from).max(1e-9)).clamp(0.0, 1.0)
        };
        buckets.iter().map(part).sum::<f64>().round()
    };
    let edges: Vec<f64> = (0..=BARS).map(edge).collect();
    let counts: Vec<f64> = edges.iter().map(|edge| below(*edge)).collect();
    let bar = |(of, (edges, counts)): (usize, (&[f64], &[f64]))| Point {
        x: f64::midpoint(edges[0], edges[1]),
        y: counts[1] - counts[0],
        interval: Some([edges[0], edges[1]]),
        of,
    };
    edges
        .windows(2)
        .zip(counts.windows(2))
        .enumerate()
        .map(bar)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::LevelLoad;
    use crate::domain::stats::{P50, Percentiles};

    fn level(stats: Stats) -> LevelReport {
        LevelReport {
            ttft_ms: stats.clone(),
            itl_ms: stats,
            ..LevelReport::blank("m", LevelLoad::Concurrency(4))
        }
    }

    fn stats(p99: f64, max: f64, buckets: &[[f64; 3]]) -> Stats {
        Stats {
            count: buckets.iter().map(|bucket| bucket[2] as u64).sum(),
            percentiles: Percentiles::of([(P50, buckets[0][1]), (P99, p99)]),
            max: Some(max),
            buckets: buckets.to_vec(),
            ..Stats::default()
        }
    }

    #[track_caller]
    fn check(chart: &Chart<'_>, ends: [f64; 2], count: f64) {
        let bars = &chart.series[0].points;
        let edges: Vec<[f64; 2]> = bars.iter().filter_map(|bar| bar.interval).collect();
        assert_eq!((bars.len(), edges.len()), (BARS, BARS));
        for (found, wanted) in [edges[0][0], edges[BARS - 1][1]].into_iter().zip(ends) {
            assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
        }
        assert!(bars.iter().all(|bar| bar.y.fract() == 0.0), "{bars:?}");
        let sum: f64 = bars.iter().map(|bar| bar.y).sum();
        assert_eq!(sum, count);
    }

    #[test]
    fn bars_hold_what_the_buckets_hold() {
        let buckets = [[10.0, 12.0, 20.0], [12.0, 20.0, 30.0], [29.0, 30.0, 10.0]];
        let level = level(stats(30.0, 30.0, &buckets));
        let chart = distribution(Some(&level), Timing::Ttft, Look::of(0));
        check(&chart, [10.0, 30.0], 60.0);
        assert!(!chart.x.is_log());
        assert_eq!(chart.x.title, "TTFT, ms (max 30 ms)");
        assert_eq!(chart.y.title, "requests");
    }

    #[test]
    fn stragglers_are_in_the_picture_and_the_slowest_is_named() {
        let buckets = [
            [10.0, 20.0, 100.0],
            [400.0, 404.0, 2.0],
            [900.0, 908.0, 1.0],
        ];
        let level = level(stats(20.0, 903.0, &buckets));
        let chart = distribution(Some(&level), Timing::Ttft, Look::of(0));
        check(&chart, [10.0, 908.0], 103.0);
        assert!(chart.x.is_log() && chart.note.ends_with("; logarithmic"));
        assert_eq!(chart.x.title, "TTFT, ms (max 903 ms)");
        let marks: Vec<&str> = chart.marks.iter().map(|mark| mark.label.as_str()).collect();
        assert_eq!(marks, ["p50 p99", "max"]);
        assert!(chart.beyond.is_none(), "nothing lies beyond");
    }

    #[test]
    fn gaps_of_chunks_that_came_together_are_no_bar() {
        let buckets = [[0.0, 0.001, 700.0], [15.0, 15.2, 99.0], [300.0, 304.0, 1.0]];
        let level = level(stats(15.1, 301.0, &buckets));
        let chart = distribution(Some(&level), Timing::Itl, Look::of(0));
        check(&chart, [15.0, 304.0], 100.0);
        assert!(
            chart
                .note
                .ends_with("tokens arrive in groups of 8.0; 700 gaps of 0 ms left out"),
            "{}",
            chart.note
        );
        // A few of them have no place on a logarithmic axis either.
        let few = [[0.0, 0.001, 3.0], [15.0, 15.2, 99.0], [300.0, 304.0, 1.0]];
        let level = super::tests::level(stats(15.1, 301.0, &few));
        let chart = distribution(Some(&level), Timing::Itl, Look::of(0));
        check(&chart, [15.0, 304.0], 100.0);
        assert!(
            chart.note.ends_with("; 3 gaps of 0 ms left out"),
            "{}",
            chart.note
        );
    }
}
