//! A level's figures with their intervals: as the text of a hover, and as a table to copy or save.

use crate::domain::figures::{self, Distribution, Print, USER_SPEED, Unit};
use crate::domain::plan_fields::sentence;
use crate::domain::run::{Clock, INTERVALS, LevelReport, Network, Rate, ServerMetrics, Stats};
use crate::domain::stats::{Estimate, P5, P50, P95, Percentile};
use crate::export::csv;

/// The columns of a table that have no intervals: their names, and the keys of their figures.
const PLAIN: [(&str, &str); 10] = [
    ("in_flight_asked", "concurrency_asked"),
    ("in_flight_mean", "concurrency_reached"),
    ("goodput_share", "goodput"),
    ("goodput_requests_per_s", "goodput_requests_per_s"),
    ("ttft_p50_less_server_ms", "server_ttft_difference"),
    ("latency_p50_less_server_ms", "server_latency_difference"),
    (
        "user_tokens_per_s_p50_less_server",
        "server_tokens_per_s_difference",
    ),
    ("client_read_delay_p50_ms", "read_late_p50"),
    ("client_read_delay_p99_ms", "read_late_p99"),
    ("client_read_delay_max_ms", "read_late_max"),
];

/// Of speeds, whose high percentiles are the fast end: `p50 480 · p5 120 (slow end) · p95 960 (fast end)`
pub(super) fn speed_told(stats: &Stats) -> String {
    format!(
        "p50 {} · p5 {} (slow end) · p95 {} (fast end)",
        Print::Digits.estimate(stats.estimate(P50)),
        Print::Digits.value(stats.at(P5)),
        Print::Digits.estimate(stats.estimate(P95))
    )
}

/// `12,345 [11,728, 12,962]`
pub(super) fn rate(rate: Option<Rate>) -> String {
    Print::Digits.estimate(rate.into())
}

/// Every figure of a level that has an interval, a line each, and how the server's own differ.
pub(super) fn level(level: &LevelReport) -> String {
    let mut lines = vec![INTERVALS.to_owned()];
    for of in figures::titled_distributions() {
        let Some(stats) = (of.read)(level).filter(|stats| stats.count > 0) else {
            continue;
        };
        let text = if of.key == USER_SPEED.key {
            speed_told(stats)
        } else {
            of.intervals(stats)
        };
        lines.push(format!("{}: {text}", of.heading()));
    }
    let rates =
        figures::rates().map(|rate| format!("{} {}", rate.title, rate.text_with_interval(level)));
    lines.push(rates.collect::<Vec<_>>().join(" · "));
    lines.extend(server(level));
    lines.extend(level.watch.clock_told().map(|told| sentence(&told)));
    lines.join("\n")
}

/// How our medians differ from the server's own; `None` where it sends none.
pub(super) fn server(level: &LevelReport) -> Option<String> {
    let differences = level.server.as_ref()?.differences()?;
    Some(format!("Client − server, p50: {differences}"))
}

/// What the server's own metrics and the network said; `None` where neither is known.
pub(super) fn server_metrics(level: &LevelReport) -> Option<String> {
    let metrics = level.server_metrics.as_ref().and_then(ServerMetrics::told);
    let network = level.network.as_ref().and_then(Network::told);
    let parts = [
        metrics.map(|told| format!("Server: {told}")),
        network.map(|told| format!("Network: {told}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// All levels in plain units with their intervals, for a spreadsheet; `separator` is a comma or a tab.
pub(super) fn table(levels: &[LevelReport], separator: u8) -> String {
    let rows = std::iter::once(head()).chain(levels.iter().map(cells));
    csv::lines(rows.map(|row| row.into_iter().map(Into::into)), separator)
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
    for of in figures::titled_distributions() {
        let (unit, _) = unit_of(of);
        Percentile::all_with_interval()
            .for_each(|it| with_ends(format!("{}_{}{unit}", of.key, it.key())));
    }
    figures::rates().for_each(|rate| with_ends(rate.key.clone()));
    names.extend(PLAIN.map(|(name, _)| name.to_owned()));
    names.extend(["clock", "intervals"].map(str::to_owned));
    names
}

fn cells(level: &LevelReport) -> Vec<String> {
    let mut cells = vec![
        level.credited(),
        level.deployment.clone().unwrap_or_default(),
        level.label.clone(),
        level.ended.word().to_owned(),
        level.requests.ended.to_string(),
        level.requests.failed.to_string(),
    ];
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut with_ends = |Estimate { value, ci, .. }: Estimate| {
        cells.extend([value, ci.map(|ci| ci[0]), ci.map(|ci| ci[1])].map(number));
    };
    for of in figures::titled_distributions() {
        let (_, by) = unit_of(of);
        Percentile::all_with_interval().for_each(|it| with_ends(of.at(it, level).divided(by)));
    }
    figures::rates().for_each(|rate| with_ends(rate.estimate(level)));
    cells.extend(
        PLAIN.map(|(_, key)| number(figures::find(key).and_then(|metric| metric.value(level)))),
    );
    let clock = level.watch.clock.map_or("", Clock::name);
    cells.extend([clock, INTERVALS].map(str::to_owned));
    cells
}

/// The end of a column's name, and what its values are divided by: long times are in seconds.
fn unit_of(of: &Distribution) -> (&'static str, f64) {
    match (of.print, of.unit) {
        (Print::Time, _) => ("_s", 1e3),
        (_, Unit::Ms) => ("_ms", 1.0),
        _ => ("", 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_percentile_with_an_interval_is_a_column_for_a_spreadsheet() {
        let sample = crate::export::sample::bench(1.0);
        let level = &sample.report().levels[0];
        let (head, cells) = (head(), cells(level));
        assert_eq!(head.len(), cells.len());
        for of in figures::titled_distributions() {
            for percentile in Percentile::all_with_interval() {
                let begins = format!("{}_{}", of.key, percentile.key());
                let at = head
                    .iter()
                    .position(|name| name.starts_with(&begins))
                    .expect(&begins);
                let Estimate { value, ci, .. } = of.at(percentile, level).divided(unit_of(of).1);
                let written = [value, ci.map(|ci| ci[0]), ci.map(|ci| ci[1])];
                let written = written.map(|it| it.map(|it| it.to_string()).unwrap_or_default());
                assert_eq!(cells[at..at + 3], written, "{begins}");
            }
        }
        for (_, key) in PLAIN {
            assert!(figures::find(key).is_some(), "{key}");
        }
    }
}
