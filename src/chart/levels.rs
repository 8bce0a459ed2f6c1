//! Charts of a benchmark by level, of one session or of several laid over each other.

use super::{
    Axis, Chart, Color, Entry, Hover, Kind, Label, Look, Mark, Point, Series, Unit, Weight,
    heights, widths,
};
use crate::domain::figures::{self, Distribution};
use crate::domain::plan::LevelLoad;
use crate::domain::run::{Bracket, LevelReport, Stats};
use crate::domain::stats::{Estimate, P50, P99};
use crate::domain::units;
use crate::metrics::knee;
use crate::metrics::over_runs;

/// Levels that belong together: of one model, or of one session, or of one model in one session.
pub struct Group<'a> {
    /// Its name.
    pub name: String,
    /// Its look.
    pub look: Look,
    /// Its levels.
    pub levels: Vec<&'a LevelReport>,
}

/// The levels of each model, in the order in which they were run.
pub fn by_model(levels: &[LevelReport], look: impl Fn(usize, &str) -> Look) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for level in levels {
        let name = level.credited();
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.levels.push(level),
            None => {
                let look = look(groups.len(), &level.model);
                groups.push(Group {
                    name,
                    look,
                    levels: vec![level],
                });
            }
        }
    }
    groups
}

/// The times of which a benchmark has the distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timing {
    /// Time to first token.
    #[default]
    Ttft,
    /// Inter-token latency.
    Itl,
    /// Request to end of answer.
    Latency,
}

impl Timing {
    /// All.
    pub const ALL: [Self; 3] = [Self::Ttft, Self::Itl, Self::Latency];

    /// Its row in the table of figures.
    pub fn figure(self) -> &'static Distribution {
        match self {
            Self::Ttft => &figures::TTFT,
            Self::Itl => &figures::ITL,
            Self::Latency => &figures::LATENCY,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.figure().title
    }

    /// Its figures of a level, in ms.
    pub fn stats(self, level: &LevelReport) -> &Stats {
        match self {
            Self::Ttft => &level.ttft_ms,
            Self::Itl => &level.itl_ms,
            Self::Latency => &level.latency_ms,
        }
    }
}

/// The names of all levels, in the order of their load.
pub fn level_names<'a>(levels: impl IntoIterator<Item = &'a LevelReport>) -> Vec<String> {
    let mut all: Vec<((u8, f64), &str)> = levels
        .into_iter()
        .map(|level| (weight(&level.load), level.label.as_str()))
        .collect();
    all.sort_by(|(a, left), (b, right)| {
        a.0.cmp(&b.0)
            .then(a.1.total_cmp(&b.1))
            .then_with(|| left.cmp(right))
    });
    let mut names: Vec<String> = all.into_iter().map(|(_, label)| label.to_owned()).collect();
    names.dedup();
    names
}

/// Loads of one kind stand together: no line goes from clients to requests per second and back.
fn weight(load: &LevelLoad) -> (u8, f64) {
    match load {
        LevelLoad::Concurrency(n) => (0, f64::from(*n)),
        LevelLoad::Rate { per_sec, .. } => (1, *per_sec),
        LevelLoad::Max { in_flight } => (2, f64::from(*in_flight)),
        LevelLoad::Trace { .. } => (3, 0.0),
        LevelLoad::Unknown => (4, 0.0),
    }
}

/// A figure of a level, with its 95 % interval.
type Figure = fn(&LevelReport) -> Estimate;

fn by_level(groups: &[Group<'_>], names: &[String], what: &str, figure: Figure) -> Vec<Series> {
    let series = groups.iter().map(|group| {
        let point = |(of, name): (usize, &String)| {
            let levels = group.levels.iter().filter(|level| level.label == *name);
            let (y, interval) = mean(levels.map(|level| figure(level)).collect())?;
            Some(Point {
                x: of as f64,
                y,
                interval,
                of,
            })
        };
        let points: Vec<Point> = names.iter().enumerate().filter_map(point).collect();
        Series::new(
            format!("{} {what}", group.name).trim(),
            group.look,
            Kind::Line,
            points,
        )
    });
    series.collect()
}

/// A figure of a level, or its mean over several runs of one load, each with its interval. `None` where no run has it.
fn mean(runs: Vec<Estimate>) -> Option<(f64, Option<[f64; 2]>)> {
    if let [one] = &runs[..] {
        return Some((one.value?, one.ci));
    }
    let values: Vec<f64> = runs.iter().filter_map(|run| run.value).collect();
    over_runs::mean(&values).map(|mean| (mean.mean, mean.ci))
}

/// Which look is whose, of several groups. `named`: it is not told elsewhere on the page.
fn legend(groups: &[Group<'_>], named: bool) -> Vec<Entry> {
    let shown = groups.iter().filter(|_| named && groups.len() > 1);
    shown
        .map(|group| Entry {
            look: group.look,
            kind: Kind::Line,
            name: group.name.clone(),
        })
        .collect()
}

/// TTFT's median and 99th percentile by level, with their intervals.
pub fn ttft(groups: &[Group<'_>], named: bool) -> Chart<'static> {
    let names = level_names(groups.iter().flat_map(|group| group.levels.iter().copied()));
    let mut series = by_level(groups, &names, "p50", |level| level.ttft_ms.estimate(P50));
    let far = by_level(groups, &names, "p99", |level| level.ttft_ms.estimate(P99));
    series.extend(far.into_iter().map(|series| Series {
        look: series.look.thin(),
        ..series
    }));
    let mut legend = legend(groups, named);
    let weights = [(Weight::Normal, "p50"), (Weight::Thin, "p99")];
    let color = if let [one] = groups {
        one.look.color
    } else {
        Color::Dim
    };
    legend.extend(weights.map(|(weight, name)| Entry {
        look: Look::plain(color, weight),
        kind: Kind::Line,
        name: name.to_owned(),
    }));
    // From one level to the next queues may make it a hundred times as long.
    let y = Axis::scaled("TTFT, ms", heights(&series), true);
    let log = if y.is_log() { "; logarithmic" } else { "" };
    let hover = hover(&names, |y| format!("{y:.1} ms"));
    Chart {
        note: format!("bars are 95 % intervals{log}"),
        legend,
        ..Chart::new(
            "TTFT p50 and p99 by level, ms",
            Axis::of_names("load level", names),
            y,
            series,
            hover,
        )
    }
}

/// Output tokens per second of all clients together, by level, with their intervals.
pub fn tokens(groups: &[Group<'_>], named: bool) -> Chart<'static> {
    let names = level_names(groups.iter().flat_map(|group| group.levels.iter().copied()));
    let series = by_level(groups, &names, "", |level| {
        level.throughput.output_tokens_per_s.into()
    });
    let (hover, y) = (
        hover(&names, |y| units::rate(y).to_string()),
        Axis::from_zero("throughput, tok/s", heights(&series)),
    );
    let marks = knees(groups);
    let knee = if marks.is_empty() {
        ""
    } else {
        "; the knee is where throughput stops growing"
    };
    Chart {
        note: format!(
            "all answers together, over each level’s steady part; bars are 95 % intervals{knee}"
        ),
        legend: legend(groups, named),
        marks,
        ..Chart::new(
            "Output tokens/s by level",
            Axis::of_names("load level", names),
            y,
            series,
            hover,
        )
    }
}

/// A line at the knee of each group that has one.
fn knees(groups: &[Group<'_>]) -> Vec<Mark> {
    let mark = |group: &Group<'_>| {
        let at = knee::knee(&group.name, &group.levels)?.at?;
        Some(Mark {
            x: place(groups, at)?,
            label: "knee".to_owned(),
            bare: false,
        })
    };
    groups.iter().filter_map(mark).collect()
}

/// Where a load stands among the names of the levels, between two of them if it is none.
fn place(groups: &[Group<'_>], load: f64) -> Option<f64> {
    let levels = || groups.iter().flat_map(|group| group.levels.iter().copied());
    let names = level_names(levels());
    let mut loads: Vec<(f64, f64)> = Vec::new();
    for level in levels() {
        let at = names.iter().position(|name| *name == level.label)?;
        loads.push((level.load.amount()?.0, at as f64));
    }
    loads.sort_by(|a, b| a.0.total_cmp(&b.0));
    loads.dedup();
    let (first, last) = (loads.first()?, loads.last()?);
    if load <= first.0 || load >= last.0 {
        return Some(if load <= first.0 { first.1 } else { last.1 });
    }
    let pair = loads.windows(2).find(|pair| load <= pair[1].0)?;
    let [(from, left), (to, right)] = [pair[0], pair[1]];
    Some(left + (load - from) / (to - from).max(f64::MIN_POSITIVE) * (right - left))
}

/// With lines at the ends of a search's bracket.
#[must_use]
pub fn with_bracket<'a>(
    chart: Chart<'a>,
    groups: &[Group<'_>],
    bracket: Option<Bracket>,
) -> Chart<'a> {
    let ends = bracket.map_or([None, None], |bracket| [bracket.meets, bracket.fails]);
    let marks = ends.into_iter().zip(["meets", "does not"]);
    let marks = marks.filter_map(|(load, label)| {
        Some(Mark {
            x: place(groups, load?)?,
            label: label.to_owned(),
            bare: false,
        })
    });
    let marks: Vec<Mark> = marks.collect();
    Chart {
        marks: [chart.marks, marks].concat(),
        ..chart
    }
}

fn hover(names: &[String], value: impl Fn(f64) -> String + 'static) -> Hover<'static> {
    let names = names.to_vec();
    Box::new(move |series, point| {
        let level = names.get(point.of).map_or("", String::as_str);
        let interval = point.interval.map(|[low, high]| {
            format!(
                "\n95 % interval {} to {}",
                units::short(Some(low)),
                units::short(Some(high))
            )
        });
        format!(
            "{}\n{level}\n{}{}",
            series.name,
            value(point.y),
            interval.unwrap_or_default()
        )
    })
}

/// Throughput against per-user speed: each level is a point.
pub fn knee(groups: &[Group<'_>], named: bool) -> Chart<'static> {
    let mut labels: Vec<Label> = Vec::new();
    let mut series = Vec::new();
    for group in groups {
        let mut points = Vec::new();
        for level in &group.levels {
            let throughput = level.throughput.output_tokens_per_s.map(|rate| rate.mean);
            let Some((x, y)) = level.user_tokens_per_s.at(P50).zip(throughput) else {
                continue;
            };
            points.push(Point::new(x, y, labels.len()));
            let text = level.label.clone();
            labels.push(Label { x, y, text });
        }
        series.push(Series::new(&group.name, group.look, Kind::Line, points));
    }
    let words = series.iter().filter(|series| !series.points.is_empty());
    let words = words.map(|series| {
        format!(
            "{}: {}",
            series.name,
            units::counted(series.points.len(), "level")
        )
    });
    let words: Vec<String> = words.collect();
    let x = Axis::around("per-user speed p50, tok/s", widths(&series));
    let y = Axis::from_zero("throughput, tok/s", heights(&series));
    let names: Vec<String> = labels.iter().map(|label| label.text.clone()).collect();
    let hover = move |series: &Series, point: &Point| {
        let level = names.get(point.of).map_or("", String::as_str);
        let (each, all) = (units::rate(point.x), units::rate(point.y));
        format!("{} {level}\n{each} per user\n{all} in all", series.name)
    };
    Chart {
        note: "a point a level; up and to the right is better".to_owned(),
        summary: if words.is_empty() {
            "No level has ended yet".to_owned()
        } else {
            words.join("; ")
        },
        legend: legend(groups, named),
        labels,
        ..Chart::new(
            "Throughput against per-user speed (the knee)",
            x,
            y,
            series,
            Box::new(hover),
        )
    }
}

/// The cumulative distributions of these.
pub fn cumulative(lines: Vec<(String, Look, &Stats)>, of: &str, named: bool) -> Chart<'static> {
    let line = |(name, look, stats)| Series::new(name, look, Kind::Curve, shares(stats));
    let series: Vec<Series> = lines
        .into_iter()
        .map(line)
        .filter(|series| !series.points.is_empty())
        .collect();
    let x = Axis::scaled(&format!("{of}, ms"), widths(&series), false);
    let y = Axis::between("share of requests, %", 0.0, 1.0, Unit::Share);
    let log = if x.is_log() { "; logarithmic" } else { "" };
    let hover = |series: &Series, point: &Point| {
        format!(
            "{}\n{} took at most {:.1} ms",
            series.name,
            units::percent(point.y),
            point.x
        )
    };
    Chart {
        note: format!("share of requests with a {of} of at most that{log}"),
        legend: series.iter().filter(|_| named).map(Series::entry).collect(),
        ..Chart::new("Cumulative distribution, ms", x, y, series, Box::new(hover))
    }
}

/// The share at each bucket's upper edge, from 0.
fn shares(stats: &Stats) -> Vec<Point> {
    let all: f64 = stats.buckets.iter().map(|[_, _, count]| count).sum();
    let Some(first) = stats.buckets.first().filter(|_| all > 0.0) else {
        return Vec::new();
    };
    let mut sum = 0.0;
    let steps = stats.buckets.iter().map(|[_, to, count]| {
        sum += count;
        (*to, sum / all)
    });
    std::iter::once((first[0], 0.0))
        .chain(steps)
        .enumerate()
        .map(|(of, (x, share))| Point::new(x, share, of))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::Arrivals;

    #[test]
    fn clients_and_rates_stand_apart() {
        let level = crate::export::sample::bench(1.0).report().levels[0].clone();
        let rate = |per_sec| LevelLoad::Rate {
            per_sec,
            arrivals: Arrivals::Constant,
            most_in_flight: None,
        };
        let loads = [
            ("8/s", rate(8.0)),
            ("c=16", LevelLoad::Concurrency(16)),
            ("4/s", rate(4.0)),
            ("c=2", LevelLoad::Concurrency(2)),
        ];
        let levels = loads.map(|(label, load)| LevelReport {
            label: label.to_owned(),
            load,
            ..level.clone()
        });
        assert_eq!(level_names(&levels), ["c=2", "c=16", "4/s", "8/s"]);
        let group = Group {
            name: "m".to_owned(),
            look: Look::of(0),
            levels: levels.iter().collect(),
        };
        let points = |chart: Chart<'_>| {
            chart.series[0]
                .points
                .iter()
                .map(|point| point.x)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            points(ttft(&[group], false)),
            [0.0, 1.0, 2.0, 3.0],
            "from left to right"
        );
    }

    #[test]
    fn points_of_the_throughput_curve_are_labelled_and_x_rises_to_the_right() {
        let sample = crate::export::sample::bench(1.0);
        let levels: Vec<_> = sample.report().levels.iter().collect();
        let group = Group {
            name: "m".to_owned(),
            look: Look::of(0),
            levels: levels.clone(),
        };
        let chart = knee(&[group], false);
        let points = &chart.series[0].points;
        assert!(!points.is_empty());
        let told: Vec<_> = chart
            .labels
            .iter()
            .map(|label| (label.x, label.y))
            .collect();
        let placed: Vec<_> = points.iter().map(|point| (point.x, point.y)).collect();
        assert_eq!(told, placed, "each has its label");
        assert!(
            levels
                .iter()
                .any(|level| level.label == chart.labels[0].text)
        );
        let [left, right] = chart.x.ends();
        assert!(left < right && chart.x.place(left) < chart.x.place(right));
    }

    #[test]
    fn shares_rise_to_one() {
        let stats = Stats {
            buckets: vec![[1.0, 2.0, 1.0], [2.0, 4.0, 3.0]],
            ..Stats::default()
        };
        let places: Vec<(f64, f64)> = shares(&stats)
            .iter()
            .map(|point| (point.x, point.y))
            .collect();
        assert_eq!(places, [(1.0, 0.0), (2.0, 0.25), (4.0, 1.0)]);
        assert_eq!(shares(&Stats::default()), []);
    }
}
