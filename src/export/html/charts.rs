//! The charts of a benchmark, alone or laid over others.

use super::svg::{Axis, Chart, Look, Mark, Series};
use crate::domain::history::Traces;
use crate::domain::run::{LevelReport, Stats};
use crate::domain::stats::{Estimate, P50, P99};
use crate::domain::units;

/// So many dots at most are drawn of a chart over time.
const MOST_DOTS: usize = 3_000;

/// Levels that belong together: of one model, or of one session.
pub(super) struct Group<'a> {
    pub(super) name: String,
    pub(super) levels: Vec<&'a LevelReport>,
}

/// A figure of a level, with its interval.
type Figure = fn(&LevelReport) -> Estimate;

/// All charts that there is something to draw for. `page` makes their ids unique.
pub(super) fn all(page: &str, groups: &[Group<'_>], traces: Option<&Traces>) -> String {
    let charts = [
        ttft(page, groups),
        throughput(page, groups),
        knee(page, groups),
        distribution(page, groups),
        traces.map_or_else(String::new, |traces| over_time(page, groups, traces)),
    ];
    format!("<div class=\"charts\">\n{}</div>\n", charts.concat())
}

/// The labels of all levels, in the order in which they first come.
fn labels(groups: &[Group<'_>]) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for level in groups.iter().flat_map(|group| &group.levels) {
        if !labels.contains(&level.label) {
            labels.push(level.label.clone());
        }
    }
    labels
}

fn by_level(group: &Group<'_>, labels: &[String], figure: Figure) -> Vec<Mark> {
    let mark = |level: &&LevelReport| {
        let Estimate { value, ci } = figure(level);
        let y = value?;
        let x = labels.iter().position(|label| *label == level.label)? as f64;
        Some(Mark { x, y, ci })
    };
    let mut marks: Vec<Mark> = group.levels.iter().filter_map(mark).collect();
    marks.sort_by(|a, b| a.x.total_cmp(&b.x));
    marks
}

/// The values an axis must hold, intervals included.
fn reach(series: &[Series]) -> impl Iterator<Item = f64> {
    series
        .iter()
        .flat_map(|series| &series.points)
        .flat_map(|mark| {
            let [low, high] = mark.ci.unwrap_or([mark.y; 2]);
            [low, mark.y, high]
        })
}

fn ttft(page: &str, groups: &[Group<'_>]) -> String {
    let labels = labels(groups);
    let of = |percentile: &str, hollow: bool, figure: Figure| {
        let labels = &labels;
        let percentile = percentile.to_owned();
        groups.iter().enumerate().map(move |(i, group)| Series {
            name: if groups.len() > 1 {
                format!("{} {percentile}", group.name)
            } else {
                percentile.clone()
            },
            look: Look {
                hollow,
                ..Look::of(i)
            },
            points: by_level(group, labels, figure),
            cloud: false,
        })
    };
    let p50 = of("p50", false, |level| level.ttft_ms.estimate(P50));
    let p99 = of("p99", true, |level| level.ttft_ms.estimate(P99));
    let series: Vec<Series> = p50.chain(p99).collect();
    let (least, most) = reach(&series)
        .filter(|value| *value > 0.0)
        .fold((f64::INFINITY, 0.0), |(least, most): (f64, f64), value| {
            (least.min(value), most.max(value))
        });
    // From one level to the next queues may make it a hundred times as long.
    let y = if most > least * 20.0 {
        Axis::log("TTFT, ms", reach(&series))
    } else {
        Axis::linear("TTFT, ms", reach(&series))
    };
    Chart {
        id: format!("{page}-ttft"),
        title: "Time to first token".to_owned(),
        note: format!(
            "p50 and p99 by level, bars are 95 % intervals{}",
            if y.is_log() { ", logarithmic" } else { "" }
        ),
        x: Axis::labels("level", &labels),
        y,
        series,
        wide: false,
    }
    .html()
}

fn throughput(page: &str, groups: &[Group<'_>]) -> String {
    let labels = labels(groups);
    let series = groups.iter().enumerate().map(|(i, group)| Series {
        name: group.name.clone(),
        look: Look::of(i),
        points: by_level(group, &labels, |level| {
            level.throughput.output_tokens_per_s.into()
        }),
        cloud: false,
    });
    let series: Vec<Series> = series.collect();
    Chart {
        id: format!("{page}-rate"),
        title: "Output tokens per second".to_owned(),
        note: "all answers together, over each level’s steady part".to_owned(),
        x: Axis::labels("level", &labels),
        y: Axis::linear("tok/s", reach(&series)),
        series,
        wide: false,
    }
    .html()
}

fn knee(page: &str, groups: &[Group<'_>]) -> String {
    let mark = |level: &&LevelReport| {
        let x = level.user_tokens_per_s.at(P50)?;
        let y = level.throughput.output_tokens_per_s?.mean;
        Some(Mark { x, y, ci: None })
    };
    let series = groups.iter().enumerate().map(|(i, group)| Series {
        name: group.name.clone(),
        look: Look::of(i),
        points: group.levels.iter().filter_map(mark).collect(),
        cloud: false,
    });
    let series: Vec<Series> = series.collect();
    // A single point is no curve.
    if series.iter().all(|series| series.points.len() < 2) {
        return String::new();
    }
    let xs: Vec<f64> = series
        .iter()
        .flat_map(|series| &series.points)
        .map(|mark| mark.x)
        .collect();
    Chart {
        id: format!("{page}-knee"),
        title: "Throughput against speed per user".to_owned(),
        note: "a point a level; up and to the right is better".to_owned(),
        x: Axis::linear("tok/s of one user, p50", xs.into_iter()),
        y: Axis::linear("tok/s of all", reach(&series)),
        series,
        wide: false,
    }
    .html()
}

/// The share of answers that had their first token by then.
fn cumulative(stats: &Stats) -> Vec<Mark> {
    let all: f64 = stats.buckets.iter().map(|bucket| bucket[2]).sum();
    if all <= 0.0 {
        return Vec::new();
    }
    let mut seen = 0.0;
    let mut marks: Vec<Mark> = stats
        .buckets
        .first()
        .map(|[from, ..]| Mark {
            x: *from,
            y: 0.0,
            ci: None,
        })
        .into_iter()
        .collect();
    marks.extend(stats.buckets.iter().map(|[_, to, count]| {
        seen += count;
        Mark {
            x: *to,
            y: seen / all * 100.0,
            ci: None,
        }
    }));
    marks
}

fn distribution(page: &str, groups: &[Group<'_>]) -> String {
    let several = groups.len() > 1;
    let mut series: Vec<Series> = Vec::new();
    for (i, group) in groups.iter().enumerate() {
        // Of many levels the ends and some between tell it.
        let with: Vec<&&LevelReport> = group
            .levels
            .iter()
            .filter(|level| !level.ttft_ms.buckets.is_empty())
            .collect();
        let most = if several { 2 } else { 6 };
        let chosen = evenly(with.len(), most);
        for (n, level) in chosen.into_iter().filter_map(|at| with.get(at)).enumerate() {
            let (name, look) = if several {
                let look = Look {
                    color: i % 6,
                    dash: n * 2,
                    hollow: false,
                    plain: true,
                };
                (format!("{} {}", group.name, level.label), look)
            } else {
                (
                    level.label.clone(),
                    Look {
                        plain: true,
                        ..Look::of(n)
                    },
                )
            };
            series.push(Series {
                name,
                look,
                points: cumulative(&level.ttft_ms),
                cloud: false,
            });
        }
    }
    let xs: Vec<f64> = series
        .iter()
        .flat_map(|series| &series.points)
        .map(|mark| mark.x)
        .collect();
    Chart {
        id: format!("{page}-spread"),
        title: "Distribution of TTFT".to_owned(),
        note: "share of answers that had begun by then, logarithmic".to_owned(),
        x: Axis::log("TTFT, ms", xs.into_iter()),
        y: Axis::linear("% of answers", [100.0].into_iter()),
        series,
        wide: false,
    }
    .html()
}

/// At most `most` of `n` places, the first and the last among them.
fn evenly(n: usize, most: usize) -> Vec<usize> {
    if n <= most {
        return (0..n).collect();
    }
    (0..most).map(|i| i * (n - 1) / (most - 1)).collect()
}

fn over_time(page: &str, groups: &[Group<'_>], traces: &Traces) -> String {
    let levels: Vec<&LevelReport> = groups
        .iter()
        .flat_map(|group| group.levels.iter().copied())
        .collect();
    let all: Vec<(u32, Mark)> = traces
        .points
        .iter()
        .filter_map(|point| {
            Some((
                point.level,
                Mark {
                    x: point.at_s,
                    y: f64::from(point.ttft_ms?),
                    ci: None,
                },
            ))
        })
        .collect();
    let (shown, thinned) = thin(&all);
    let series = levels.iter().enumerate().map(|(i, level)| {
        let name = if groups.len() > 1 {
            format!("{} {}", level.credited(), level.label)
        } else {
            level.label.clone()
        };
        let points = shown
            .iter()
            .filter(|(of, _)| *of as usize == level.index)
            .map(|(_, mark)| *mark)
            .collect();
        Series {
            name,
            look: Look {
                dash: 0,
                ..Look::of(i)
            },
            points,
            cloud: true,
        }
    });
    let series: Vec<Series> = series.collect();
    let xs: Vec<f64> = series
        .iter()
        .flat_map(|series| &series.points)
        .map(|mark| mark.x)
        .collect();
    let count = units::count(all.len() as u64);
    let note = if thinned {
        format!("{count} requests; the fastest, the middle and the slowest of neighbours are drawn")
    } else {
        "a dot a request, by when it was sent".to_owned()
    };
    Chart {
        id: format!("{page}-time"),
        title: "TTFT over time".to_owned(),
        note,
        x: Axis::linear("seconds since the session began", xs.into_iter()),
        y: Axis::linear("TTFT, ms", reach(&series)),
        series,
        wide: true,
    }
    .html()
}

/// Few enough to be drawn; extremes stay.
fn thin(all: &[(u32, Mark)]) -> (Vec<(u32, Mark)>, bool) {
    if all.len() <= MOST_DOTS {
        return (all.to_vec(), false);
    }
    let mut sorted = all.to_vec();
    sorted.sort_by(|(a_level, a), (b_level, b)| a_level.cmp(b_level).then(a.x.total_cmp(&b.x)));
    let mut out = Vec::with_capacity(MOST_DOTS + 3);
    for level in sorted.chunk_by(|(a, _), (b, _)| a == b) {
        for part in level.chunks(all.len().div_ceil(MOST_DOTS / 3)) {
            let mut part = part.to_vec();
            part.sort_by(|(_, a), (_, b)| a.y.total_cmp(&b.y));
            let mut places = vec![0, part.len() / 2, part.len() - 1];
            places.dedup();
            out.extend(places.into_iter().filter_map(|at| part.get(at).copied()));
        }
    }
    (out, true)
}
