//! Reads a benchmark as a level.

use std::collections::BTreeMap;

use serde_json::Value;

use super::began;
use super::record::{error_text, record};
use crate::domain::plan::LevelLoad;
use crate::domain::run::{ErrorCount, LevelReport, Rate, Stats};
use crate::domain::stats::{P50, Percentile, Percentiles};
use crate::import::level::{ImportedLevel, if_any_time, measured};
use crate::import::plausible::{
    MAX_IN_FLIGHT, MAX_PER_SECOND, MAX_REQUEST_SECONDS, MAX_REQUESTS, MAX_RUN_SECONDS,
    MAX_RUN_TOKENS,
};
use crate::import::{NOT_IN_FILE, SourceFile, at, list, number, short};

/// `run_began` is the Unix time at which the run started.
pub(super) fn read(
    file: &SourceFile<'_>,
    benchmark: &Value,
    model: String,
    load: LevelLoad,
    run_began: f64,
) -> ImportedLevel {
    let mut spans = BTreeMap::new();
    let mut records = Vec::new();
    let requests = ["successful", "errored"].into_iter().flat_map(|kind| {
        list(benchmark, &["requests", kind])
            .iter()
            .map(move |request| (kind == "errored", request))
    });
    let read = requests.map(|(failed, request)| record(file, request, run_began, &load, failed));
    for (index, (mut record, span)) in (0..).zip(file.readable(read)) {
        record.index = index;
        spans.extend(span.map(|span| (index, span)));
        records.push(record);
    }
    let metrics = at(benchmark, &["metrics"]).unwrap_or(&Value::Null);
    let counts = Counts::read(file, benchmark, metrics);
    // The file may have only a sample of the requests; the aggregates cover all of them.
    let all_requests = records.len() as u64 >= counts.ok + counts.failed;
    let mut report = if all_requests {
        measured(&model, load, &records, &spans)
    } else {
        records.clear();
        let mut report = LevelReport::blank(&model, load);
        aggregates(file, benchmark, metrics, &counts, &mut report);
        let start = began(file, benchmark).unwrap_or(run_began);
        report.began_s = file.in_range("start_time", start - run_began, 0.0, MAX_RUN_SECONDS);
        report
    };
    report.itl_ms = time_stats(file, metrics, "inter_token_latency_ms", 1.0);
    report.requests.aborted = counts.aborted;
    ImportedLevel {
        model,
        load,
        report,
        records,
    }
}

/// Numbers of requests.
struct Counts {
    ok: u64,
    failed: u64,
    aborted: u64,
}

impl Counts {
    fn read(file: &SourceFile<'_>, benchmark: &Value, metrics: &Value) -> Self {
        let count = |of: &Value, name: &str| file.count(of, &[name], MAX_REQUESTS);
        // Without a count of failed requests, none failed.
        let both = |of: &Value, [ok, failed]: [&str; 2]| {
            let failed = if at(of, &[failed]).is_some() {
                count(of, failed)
            } else {
                Some(0)
            };
            Some([count(of, ok)?, failed?])
        };
        let totals = |name: &&str| {
            at(benchmark, &[name])
                .filter(|of| of.is_object())
                .or_else(|| at(metrics, &[name]))
        };
        let names = ["request_totals", "requests"];
        let listed = |name| list(benchmark, &["requests", name]).len() as u64;
        let [ok, failed] = names
            .iter()
            .find_map(|name| both(totals(name)?, ["successful", "errored"]))
            .or_else(|| {
                let state = at(benchmark, &["scheduler_state"])?;
                both(state, ["successful_requests", "errored_requests"])
            })
            .unwrap_or_else(|| [listed("successful"), listed("errored")]);
        let aborted = names
            .iter()
            .find_map(|name| count(totals(name)?, "incomplete"))
            .unwrap_or_else(|| listed("incomplete"));
        Self {
            ok,
            failed,
            aborted,
        }
    }
}

/// Fills the report with the benchmark's aggregates.
fn aggregates(
    file: &SourceFile<'_>,
    benchmark: &Value,
    metrics: &Value,
    counts: &Counts,
    report: &mut LevelReport,
) {
    report.requests.ok = counts.ok;
    report.requests.failed = counts.failed;
    report.requests.ended = counts.ok + counts.failed;
    if counts.failed > 0 {
        let example = list(benchmark, &["requests", "errored"])
            .first()
            .and_then(error_text);
        report.requests.errors = vec![ErrorCount {
            kind: "other".to_owned(),
            count: counts.failed,
            example: short(example.unwrap_or(NOT_IN_FILE)),
        }];
    }
    let time = |name: &str, factor: f64| time_stats(file, metrics, name, factor);
    report.ttft_ms = time("time_to_first_token_ms", 1.0);
    report.tpot_ms = time("time_per_output_token_ms", 1.0);
    report.latency_ms = time("request_latency", 1e3);
    let tokens = |name: &str| stats(file, metrics, name, 1.0, MAX_RUN_TOKENS as f64);
    report.prompt_tokens = tokens("prompt_token_count");
    report.output_tokens = tokens("output_token_count");
    let average = |name: &str, most: f64| {
        let mean = number(metrics, &[name, "successful", "mean"])?;
        file.in_range(name, mean, 0.0, most)
    };
    let rate = |name: &str| {
        average(name, MAX_PER_SECOND).map(|mean| Rate {
            mean,
            ci: None,
            batches: None,
        })
    };
    report.throughput.output_tokens_per_s = rate("output_tokens_per_second");
    report.throughput.total_tokens_per_s = rate("tokens_per_second");
    report.throughput.requests_per_s = rate("requests_per_second");
    report.concurrency.reached = average("request_concurrency", MAX_IN_FLIGHT);
    report.took_s = file.amount(benchmark, &["duration"], MAX_RUN_SECONDS);
}

/// The statistics of a time in milliseconds; `factor` converts from the file's unit.
fn time_stats(file: &SourceFile<'_>, metrics: &Value, name: &str, factor: f64) -> Stats {
    if_any_time(stats(
        file,
        metrics,
        name,
        factor,
        MAX_REQUEST_SECONDS * 1e3,
    ))
}

/// The aggregates under one name. guidellm calls the 0.1th percentile `p001` and the first `p01`.
fn stats(file: &SourceFile<'_>, metrics: &Value, name: &str, factor: f64, most: f64) -> Stats {
    let Some(of) = at(metrics, &[name, "successful"]) else {
        return Stats::default();
    };
    let count = file
        .count(of, &["count"], MAX_RUN_TOKENS)
        .unwrap_or_default();
    if count == 0 {
        return Stats::default();
    }
    let value = |path: &[&str]| file.in_range(name, number(of, path)? * factor, 0.0, most);
    Stats {
        count,
        mean: value(&["mean"]),
        sd: value(&["std_dev"]),
        min: value(&["min"]),
        percentiles: Percentiles::from_fn(|percentile| {
            let median = || (percentile == P50).then(|| value(&["median"])).flatten();
            value(&["percentiles", &key_of(percentile)]).or_else(median)
        }),
        max: value(&["max"]),
        ..Stats::default()
    }
}

/// `p01`, `p50`, `p999`
fn key_of(percentile: Percentile) -> String {
    let per_mille = percentile.per_mille();
    if per_mille.is_multiple_of(10) {
        format!("p{:02}", per_mille / 10)
    } else {
        format!("p{per_mille}")
    }
}
