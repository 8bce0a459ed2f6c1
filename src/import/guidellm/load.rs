//! Reads the load of a benchmark.

use serde_json::Value;

use crate::domain::plan::{Arrivals, LevelLoad};
use crate::import::level::{clients, per_second};
use crate::import::plausible::Implausible;
use crate::import::{SourceFile, at, number, text};

/// The benchmark's own load; `None` if its strategy is missing or unknown.
///
/// # Errors
/// When one of its numbers is implausible.
pub(super) fn of_benchmark(
    file: &SourceFile<'_>,
    benchmark: &Value,
) -> Result<Option<LevelLoad>, Implausible> {
    let places = [
        &["config", "strategy"][..],
        &["args", "strategy"],
        &["scheduler", "strategy"],
        &["strategy"],
    ];
    let Some(strategy) = places.iter().find_map(|path| at(benchmark, path)) else {
        return Ok(None);
    };
    let kind = text(strategy, &["type_"])
        .or_else(|| text(strategy, &["type"]))
        .or_else(|| strategy.as_str());
    let of = |name: &str| number(strategy, &[name]);
    strategy_load(file, kind, of("streams"), of("rate"), of("max_concurrency"))
}

/// The load that the file's settings give to the benchmark with this index.
///
/// # Errors
/// When one of its numbers is implausible.
pub(super) fn of_file(
    file: &SourceFile<'_>,
    value: &Value,
    index: usize,
) -> Result<Option<LevelLoad>, Implausible> {
    let Some(args) = at(value, &["args"]).or_else(|| at(value, &["config"])) else {
        return Ok(None);
    };
    let Some(profile) = at(args, &["profile"]).or_else(|| at(args, &["rate_type"])) else {
        return Ok(None);
    };
    let kind = profile.as_str().or_else(|| text(profile, &["type_"]));
    let nth = |name: &str| match at(args, &[name]).or_else(|| at(profile, &[name]))? {
        Value::Array(items) => items.get(index)?.as_f64(),
        one => one.as_f64().filter(|_| index == 0),
    };
    let rate = nth("rate").or_else(|| nth("streams"));
    strategy_load(file, kind, rate, rate, number(args, &["max_concurrency"]))
}

fn strategy_load(
    file: &SourceFile<'_>,
    kind: Option<&str>,
    streams: Option<f64>,
    rate: Option<f64>,
    most_in_flight: Option<f64>,
) -> Result<Option<LevelLoad>, Implausible> {
    let most_in_flight = clients(file, "max_concurrency", most_in_flight)?;
    let rate = |arrivals| {
        let per_sec = per_second(file, "rate", rate)?;
        Ok(per_sec.map(|per_sec| LevelLoad::Rate {
            per_sec,
            arrivals,
            most_in_flight,
        }))
    };
    Ok(match kind.unwrap_or_default() {
        "synchronous" => Some(LevelLoad::Concurrency(1)),
        "concurrent" => clients(file, "streams", streams)?
            .or(most_in_flight)
            .map(LevelLoad::Concurrency),
        "throughput" => Some(LevelLoad::Max {
            in_flight: most_in_flight.unwrap_or(0),
        }),
        "constant" | "async" => rate(Arrivals::Constant)?,
        "poisson" => rate(Arrivals::Poisson)?,
        "trace" | "replay" => Some(LevelLoad::Trace { most_in_flight }),
        // A sweep consists of the strategies above, and its benchmarks name them.
        _ => None,
    })
}
