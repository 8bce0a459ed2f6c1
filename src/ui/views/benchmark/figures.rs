//! A level's figures in words and as a table: those beside which there is no room on screen for their intervals.

use crate::domain::run::{INTERVALS, LevelEnd, LevelReport, Rate, Stats};
use crate::domain::units::{short, time_with_interval, with_interval};
use crate::export::csv;

type Read<T> = fn(&LevelReport) -> T;

/// A figure that has percentiles.
struct Spread {
    /// For people.
    title: &'static str,
    /// In a table, before and after the percentile.
    name: [&'static str; 2],
    stats: fn(&LevelReport) -> &Stats,
    /// What its values are divided by.
    by: f64,
}

const fn spread(
    title: &'static str,
    name: [&'static str; 2],
    stats: fn(&LevelReport) -> &Stats,
    by: f64,
) -> Spread {
    Spread {
        title,
        name,
        stats,
        by,
    }
}

const SPEED: &str = "user_tokens_per_s_";

const SPREADS: [Spread; 6] = [
    spread("TTFT, ms", ["ttft_", "_ms"], |l| &l.ttft_ms, 1.0),
    spread(
        "First answer, ms",
        ["first_answer_", "_ms"],
        |l| &l.first_answer_ms,
        1.0,
    ),
    spread("ITL, ms", ["itl_", "_ms"], |l| &l.itl_ms, 1.0),
    spread("TPOT, ms", ["tpot_", "_ms"], |l| &l.tpot_ms, 1.0),
    spread("Latency, s", ["latency_", "_s"], |l| &l.latency_ms, 1e3),
    spread(
        "tok/s of one user",
        [SPEED, ""],
        |l| &l.user_tokens_per_s,
        1.0,
    ),
];

const RATES: [(&str, &str, Read<Option<Rate>>); 3] = [
    ("Output tok/s", "output_tokens_per_s", |l| {
        l.throughput.output_tokens_per_s
    }),
    ("Total tok/s", "total_tokens_per_s", |l| {
        l.throughput.total_tokens_per_s
    }),
    ("Requests/s", "requests_per_s", |l| {
        l.throughput.requests_per_s
    }),
];

/// The rest of a table's columns, which have no intervals.
const PLAIN: [(&str, Read<Option<f64>>); 7] = [
    ("in_flight_asked", |l| l.concurrency.asked.map(f64::from)),
    ("in_flight_mean", |l| l.concurrency.reached),
    ("goodput_share", |l| l.goodput.as_ref()?.share),
    ("goodput_requests_per_s", |l| {
        l.goodput.as_ref()?.requests_per_s
    }),
    ("ttft_p50_less_server_ms", |l| {
        l.server.as_ref()?.ttft_p50_difference_ms
    }),
    ("latency_p50_less_server_ms", |l| {
        l.server.as_ref()?.latency_p50_difference_ms
    }),
    ("user_tokens_per_s_p50_less_server", |l| {
        l.server.as_ref()?.tokens_per_s_p50_difference
    }),
];

/// Its name, its value, and the interval of that.
type Percentile = (&'static str, Option<f64>, Option<[f64; 2]>);

fn percentiles(stats: &Stats) -> [Percentile; 3] {
    [
        ("p50", stats.p50, stats.p50_ci),
        ("p95", stats.p95, stats.p95_ci),
        ("p99", stats.p99, stats.p99_ci),
    ]
}

/// `p50 88.0 [79.2, 96.8] · p95 176 [158, 194] · p99 264`
pub(super) fn told(stats: &Stats) -> String {
    let text = |(name, value, ci)| format!("{name} {}", with_interval(value, ci));
    percentiles(stats).map(text).join(" · ")
}

/// The same of times that may be long: `p50 88.0 [79.2, 96.8] ms · p95 1.32 s · p99 2.40 s`
fn times_told(stats: &Stats) -> String {
    let text = |(name, value, ci)| format!("{name} {}", time_with_interval(value, ci));
    percentiles(stats).map(text).join(" · ")
}

/// The same of speeds, whose high percentiles are the fast end: `p50 480 · p5 120 (slow end) · p95 960 (fast end)`
pub(super) fn speed_told(stats: &Stats) -> String {
    format!(
        "p50 {} · p5 {} (slow end) · p95 {} (fast end)",
        with_interval(stats.p50, stats.p50_ci),
        short(stats.p5),
        with_interval(stats.p95, stats.p95_ci)
    )
}

/// `12,345 [11,728, 12,962]`
pub(super) fn rate(rate: Option<Rate>) -> String {
    with_interval(rate.map(|rate| rate.mean), rate.and_then(|rate| rate.ci))
}

/// Every figure of a level that has an interval, a line each, and how the server's own differ.
pub(super) fn level(level: &LevelReport) -> String {
    let mut lines = vec![INTERVALS.to_owned()];
    for Spread {
        title,
        name,
        stats,
        by,
    } in SPREADS
    {
        let stats = stats(level);
        if stats.count == 0 {
            continue;
        }
        lines.push(match (by, name[0]) {
            // Of long times the unit depends on the value.
            (1e3, _) => format!("Latency: {}", times_told(stats)),
            (_, SPEED) => format!("{title}: {}", speed_told(stats)),
            _ => format!("{title}: {}", told(stats)),
        });
    }
    let rates = RATES.map(|(title, _, read)| format!("{title} {}", rate(read(level))));
    lines.push(rates.join(" · "));
    lines.extend(server(level));
    lines.join("\n")
}

/// How our medians differ from the server's own; `None` where it sends none.
pub(super) fn server(level: &LevelReport) -> Option<String> {
    let differences = level.server.as_ref()?.differences()?;
    Some(format!("p50 here less the server's own: {differences}"))
}

/// All levels in plain units with their intervals, for a spreadsheet; `separator` is a comma or a tab.
pub(super) fn table(levels: &[LevelReport], separator: u8) -> String {
    let rows = std::iter::once(head()).chain(levels.iter().map(cells));
    rows.map(|row| csv::line(row.into_iter().map(Into::into), separator))
        .collect()
}

fn head() -> Vec<String> {
    let mut names: Vec<String> = [
        "model",
        "deployment",
        "level",
        "ended",
        "requests",
        "errors",
    ]
    .map(str::to_owned)
    .into();
    let mut with_ends =
        |name: String| names.extend([name.clone(), format!("{name}_low"), format!("{name}_high")]);
    for Spread {
        name: [before, after],
        ..
    } in SPREADS
    {
        for (percentile, ..) in percentiles(&Stats::default()) {
            with_ends(format!("{before}{percentile}{after}"));
        }
    }
    RATES
        .iter()
        .for_each(|(_, name, _)| with_ends((*name).to_owned()));
    names.extend(PLAIN.map(|(name, _)| name.to_owned()));
    names.push("intervals".to_owned());
    names
}

fn cells(level: &LevelReport) -> Vec<String> {
    let ended = match level.ended {
        LevelEnd::Running => "running",
        LevelEnd::Requests => "requests",
        LevelEnd::Time => "time",
        LevelEnd::Errors => "errors",
        LevelEnd::Exhausted => "exhausted",
        LevelEnd::Stopped => "stopped",
    };
    let mut cells = vec![
        level.credited(),
        level.deployment.clone().unwrap_or_default(),
        level.label.clone(),
        ended.to_owned(),
        level.requests.ended.to_string(),
        level.requests.failed.to_string(),
    ];
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut with_ends = |value: Option<f64>, ci: Option<[f64; 2]>| {
        cells.extend([value, ci.map(|ci| ci[0]), ci.map(|ci| ci[1])].map(number));
    };
    for Spread { stats, by, .. } in SPREADS {
        percentiles(&divided(stats(level), by))
            .into_iter()
            .for_each(|(_, value, ci)| with_ends(value, ci));
    }
    for (_, _, read) in RATES {
        let rate = read(level);
        with_ends(rate.map(|rate| rate.mean), rate.and_then(|rate| rate.ci));
    }
    cells.extend(PLAIN.map(|(_, read)| number(read(level))));
    cells.push(INTERVALS.to_owned());
    cells
}

/// Its percentiles in another unit.
fn divided(stats: &Stats, by: f64) -> Stats {
    let value = |value: Option<f64>| value.map(|value| value / by);
    let ends = |ci: Option<[f64; 2]>| ci.map(|ci| ci.map(|end| end / by));
    Stats {
        p50: value(stats.p50),
        p95: value(stats.p95),
        p99: value(stats.p99),
        p50_ci: ends(stats.p50_ci),
        p95_ci: ends(stats.p95_ci),
        p99_ci: ends(stats.p99_ci),
        ..Stats::default()
    }
}
