//! What `vllm bench serve --save-result` writes, with `--save-detailed` or without; `--append-result` has a line a
//! run.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;

use super::level::{Found, Origin, blank, figures, measured, seconds, sessions};
use super::{File, amount, at, list, nothing, number, text, whole};
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use crate::domain::plan::{Arrivals, LevelLoad, MOST_CLIENTS, MOST_RATE};
use crate::domain::run::{ErrorCount, Rate, Stats};
use crate::metrics::request::{Phase, RequestError, RequestRecord};
use crate::metrics::timeline::TokenSource;

pub(super) fn is(value: &Value) -> bool {
    at(value, &["model_id"]).is_some()
        && at(value, &["request_throughput"]).is_some()
        && at(value, &["completed"]).is_some()
}

pub(super) fn read(file: &File<'_>, values: &[Value]) -> Result<Imported, Failure> {
    let source = "vllm bench serve".to_owned();
    let mut found = Vec::new();
    let (mut timed, mut detailed) = (true, true);
    for run in values.iter().filter(|value| is(value)) {
        let level = level(run);
        timed &= !level.records.is_empty();
        detailed &= !list(run, &["ttfts"]).is_empty();
        if level.report.requests.ended > 0 {
            found.push(level);
        }
    }
    let Some(first) = values.first().filter(|_| !found.is_empty()) else {
        return Err(nothing(file, "vllm bench serve"));
    };
    let failed_early = values.iter().any(|run| whole(run, &["num_prompts"]) > Some(ended(run)));
    let took_s = values.iter().filter_map(|run| amount(run, &["duration"])).sum::<f64>().min(3e7);
    let origin = Origin {
        source: source.clone(),
        api: String::new(),
        machine: String::new(),
        began: text(first, &["date"]).and_then(date).unwrap_or_default(),
        took_s,
        prompt_tokens: None,
        output_tokens: None,
        seed: None,
        stopped: failed_early,
    };
    let mut remarks = Vec::new();
    if detailed {
        remarks.push(
            "TTFT, ITL, TPOT and latency were worked out anew from each request's times by Batida's definitions"
                .to_owned(),
        );
    } else {
        remarks.push(
            "The file holds aggregates alone: percentiles are those it was asked for, without 95 % intervals and \
             distributions; `--save-detailed` keeps each request"
                .to_owned(),
        );
    }
    if !timed {
        remarks.push(
            "When each request was sent is not in the file: throughput is over the whole run, its beginning and its \
             end included, and charts over time stay empty"
                .to_owned(),
        );
    }
    remarks.push(
        "vLLM's TTFT ends at the first content or `reasoning`; it misses `reasoning_content`, so that TTFT of some \
         reasoning models is that of their answer"
            .to_owned(),
    );
    remarks.push(
        "With a rate vLLM counts from when a request left, not from when it was due: waiting in the client is missing"
            .to_owned(),
    );
    remarks.push("Prompt tokens are of vLLM's own tokenizer, without the chat template".to_owned());
    remarks.push(
        "The date has no time zone in the file and is taken as UTC; the API's address is not said".to_owned(),
    );
    Ok(Imported { source, sessions: sessions(file, &origin, found), remarks })
}

/// `20261123-140509`
fn date(text: &str) -> Option<Timestamp> {
    let at = DateTime::strptime("%Y%m%d-%H%M%S", text).ok()?;
    at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp())
}

fn ended(run: &Value) -> u64 {
    whole(run, &["completed"]).unwrap_or_default().saturating_add(whole(run, &["failed"]).unwrap_or_default())
}

fn load(run: &Value) -> LevelLoad {
    let most = whole(run, &["max_concurrency"]).and_then(|n| u32::try_from(n).ok());
    let most = most.filter(|n| (1..=MOST_CLIENTS).contains(n));
    // Without a rate it is the text `inf`.
    match (amount(run, &["request_rate"]), most) {
        (Some(rate), most_in_flight) => LevelLoad::Rate {
            per_sec: rate.clamp(0.001, MOST_RATE),
            arrivals: Arrivals::Poisson,
            most_in_flight,
        },
        (None, Some(clients)) => LevelLoad::Concurrency(clients),
        (None, None) => {
            let all = whole(run, &["num_prompts"]).and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
            LevelLoad::Max { in_flight: all.clamp(1, MOST_CLIENTS) }
        }
    }
}

fn level(run: &Value) -> Found {
    let model = text(run, &["model_id"]).unwrap_or("not said in the file").to_owned();
    let load = load(run);
    let starts = list(run, &["start_times"]);
    let all = records(run, starts);
    let mut report = match all.is_empty() {
        true => blank(&model, load),
        false => measured(&model, load, &all, &BTreeMap::new()),
    };
    if all.is_empty() {
        let ok = whole(run, &["completed"]).unwrap_or_default();
        let failed = whole(run, &["failed"]).unwrap_or_default();
        report.requests.ok = ok;
        report.requests.failed = failed;
        report.requests.ended = ended(run);
        if failed > 0 {
            let example = "not said in the file".to_owned();
            report.requests.errors = vec![ErrorCount { kind: "other".to_owned(), count: failed, example }];
        }
        let mean = |name: &str| whole(run, &[name]).filter(|_| ok > 0).map(|n| n as f64 / ok as f64);
        let mean_only = |mean: Option<f64>| Stats { count: mean.map_or(0, |_| ok), mean, ..Stats::default() };
        report.prompt_tokens = mean_only(mean("total_input_tokens"));
        report.output_tokens = mean_only(mean("total_output_tokens"));
        report.ttft_ms = stats(run, "ttft", ok);
        report.tpot_ms = stats(run, "tpot", ok);
        report.itl_ms = stats(run, "itl", ok);
        report.latency_ms = stats(run, "e2el", ok);
    }
    if starts.is_empty() {
        let rate = |name: &str| amount(run, &[name]).map(|mean| Rate { mean, ci: None });
        report.throughput.output_tokens_per_s = rate("output_throughput");
        report.throughput.total_tokens_per_s = rate("total_token_throughput");
        report.throughput.requests_per_s = rate("request_throughput");
        report.concurrency.reached = None;
        let most = whole(run, &["max_concurrent_requests"]).and_then(|n| u32::try_from(n).ok());
        report.concurrency.most = most.unwrap_or_default();
        report.steady_s = None;
        report.notes.clear();
        report.took_s = amount(run, &["duration"]).unwrap_or_default().min(3e7);
    }
    let records = if starts.is_empty() { Vec::new() } else { all };
    Found { model, load, report, records }
}

/// Of `--save-detailed`. Without the moments when they were sent they are only good for figures of single requests.
fn records(run: &Value, starts: &[Value]) -> Vec<RequestRecord> {
    let itls = list(run, &["itls"]);
    let first = starts.iter().filter_map(Value::as_f64).reduce(f64::min).unwrap_or_default();
    let at_index = |name: &str, i: usize| list(run, &[name]).get(i);
    let record = |(i, ttft): (usize, &Value)| {
        let error = at_index("errors", i).and_then(Value::as_str).filter(|text| !text.is_empty());
        let ttft = number(ttft, &[]).filter(|ttft| *ttft > 0.0 && error.is_none()).and_then(seconds);
        let gaps = itls.get(i).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let gaps: Vec<Duration> =
            gaps.iter().filter_map(Value::as_f64).filter(|gap| *gap >= 0.0).filter_map(seconds).collect();
        let sent = match starts.get(i) {
            Some(at) => seconds((at.as_f64()? - first).max(0.0))?,
            None => Duration::ZERO,
        };
        let took: Duration = gaps.iter().fold(ttft.unwrap_or_default(), |sum, gap| sum.saturating_add(*gap));
        let took = took.min(Duration::from_secs(7 * 86_400));
        let tokens = at_index("output_lens", i).and_then(Value::as_u64);
        let mut figures = figures(ttft, ttft.map(|_| took), tokens, TokenSource::Usage);
        figures.prompt_tokens = at_index("input_lens", i).and_then(Value::as_u64);
        figures.longest_gap = gaps.iter().max().copied();
        figures.itl = u32::try_from(gaps.len())
            .ok()
            .filter(|n| *n > 0)
            .map(|n| took.saturating_sub(ttft.unwrap_or_default()) / n);
        let failed = error.is_some() || ttft.is_none();
        Some(RequestRecord {
            index: i as u64,
            level: 0,
            phase: Phase::Measured,
            due: sent,
            sent,
            ended: sent + took,
            figures,
            first_byte: None,
            gaps_us: gaps.iter().map(|gap| u32::try_from(gap.as_micros()).unwrap_or(u32::MAX)).collect(),
            chunks: if failed { 0 } else { gaps.len() as u64 + 1 },
            bytes: 0,
            wanted_prompt_tokens: None,
            answered_by: None,
            error: failed.then(|| RequestError {
                class: None,
                status: None,
                // A traceback: its last line says it.
                text: super::short(
                    error.and_then(|text| text.trim().lines().last()).unwrap_or("no first token"),
                ),
            }),
        })
    };
    list(run, &["ttfts"]).iter().enumerate().filter_map(record).collect()
}

fn stats(run: &Value, name: &str, count: u64) -> Stats {
    let value = |what: &str| amount(run, &[format!("{what}_{name}_ms").as_str()]);
    if value("mean").is_none() && value("median").is_none() {
        return Stats::default();
    }
    Stats {
        count,
        mean: value("mean"),
        sd: value("std"),
        p1: value("p1"),
        p5: value("p5"),
        p10: value("p10"),
        p25: value("p25"),
        p50: value("median").or_else(|| value("p50")),
        p75: value("p75"),
        p90: value("p90"),
        p95: value("p95"),
        p99: value("p99"),
        p99_9: value("p99.9"),
        ..Stats::default()
    }
}
