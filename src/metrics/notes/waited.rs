//! That requests waited for each other, or may have, and say less than so many independent ones.

use super::list;
use crate::domain::run::LevelReport;
use crate::domain::stats::{Percentile, Stats};
use crate::domain::units;
use crate::metrics::dependence::Effective;
use crate::metrics::ordered::{Each, Effects};
use crate::metrics::stats::least_for_interval;

/// Requests that count as this share of themselves, or less, are worth a word.
const CLEARLY: f64 = 0.8;
/// A run more than so many times longer is nobody's plan.
const MOST_LONGER: f64 = 20.0;

/// `requests waited for each other: 400 requests count as about 31 in TTFT, so its p50 and p95 have no 95 % interval; run
/// about 10 times longer for that of p50, lower the load or use --repeat`
pub(super) fn note(level: &LevelReport, effects: &Effects) -> Option<String> {
    let figures = [
        ("TTFT", Each::Ttft, &level.ttft_ms),
        ("latency", Each::Latency, &level.latency_ms),
        ("TPOT", Each::Tpot, &level.tpot_ms),
    ];
    let told = figures
        .into_iter()
        .find_map(|(name, each, stats)| told(name, |it| effects.each(each, it), stats));
    told.map(|told| format!("requests waited for each other: {told}"))
        .or_else(|| calm(&level.ttft_ms, effects))
}

/// `TTFT's p95 and p99 have no 95 % interval: …`, of requests of an open loop that did not wait as far as can be seen.
fn calm(ttft: &Stats, effects: &Effects) -> Option<String> {
    let of = |it| Some((it, effects.each(Each::Ttft, it)?));
    let lacking: Vec<(Percentile, Effective)> = Percentile::all_with_interval()
        .filter(|it| ttft.count >= least_for_interval(it.share()))
        .filter_map(of)
        .filter(|(_, it)| it.usable.is_none())
        .collect();
    let (first, effective) = lacking.first()?;
    let names: Vec<String> = lacking.iter().map(|(it, _)| it.to_string()).collect();
    let have = if names.len() == 1 { "has" } else { "have" };
    let longer = effective.longer.ceil().max(2.0);
    Some(format!(
        "TTFT's {} {have} no 95 % interval: so short an open loop may not show how long requests wait at busy times; run \
         about {longer} times longer for that of {first}",
        list(&names)
    ))
}

/// What to do for the interval of a percentile. A factor beyond [`MOST_LONGER`] is left out: nobody runs that long, and so
/// large a one is hardly known.
fn advice(effective: Effective, of: Percentile) -> String {
    let times = effective.longer.ceil().max(2.0);
    let longer = if times > MOST_LONGER {
        String::new()
    } else {
        format!("run about {times} times longer for that of {of}, ")
    };
    format!("{longer}lower the load or use --repeat")
}

/// About one figure; `None` where its values are independent, or nearly.
fn told(
    name: &str,
    effective: impl Fn(Percentile) -> Option<Effective>,
    stats: &Stats,
) -> Option<String> {
    let all: Vec<(Percentile, Effective)> = Percentile::all_with_interval()
        .filter_map(|it| Some((it, effective(it)?)))
        .collect();
    let least = all
        .iter()
        .map(|(_, it)| it.count)
        .min_by(f64::total_cmp)?
        .max(1.0);
    let (_, any) = all.first()?;
    // Those of a level that is thinned out count as fewer, and wait for nobody.
    if least > any.n as f64 * CLEARLY || stats.count == 0 {
        return None;
    }
    let count = stats.count as f64 * least / any.n as f64;
    let count = units::count(count.max(1.0).round() as u64);
    let count = format!(
        "{} requests count as about {count} in {name}",
        units::count(stats.count)
    );
    let lacking: Vec<&(Percentile, Effective)> = all
        .iter()
        .filter(|(it, _)| stats.estimate(*it).ci.is_none())
        .collect();
    let names: Vec<String> = lacking.iter().map(|(it, _)| it.to_string()).collect();
    let Some((first, effective)) = lacking.first() else {
        return Some(format!(
            "{count}, and its 95 % intervals are that much wider"
        ));
    };
    let have = if names.len() == 1 { "has" } else { "have" };
    let advice = advice(*effective, *first);
    Some(format!(
        "{count}, so its {} {have} no 95 % interval: {advice}",
        list(&names)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::stats::P95;

    #[test]
    fn a_run_that_nobody_would_make_is_not_advised() {
        let of = |longer| {
            let effective = Effective {
                longer,
                ..Effective::all(101)
            };
            advice(effective, P95)
        };
        let near = "run about 4 times longer for that of p95, lower the load or use --repeat";
        assert_eq!(
            (of(3.2).as_str(), of(20.0).contains("about 20 times")),
            (near, true)
        );
        assert_eq!(of(44.1), "lower the load or use --repeat");
    }
}
