//! What `vllm bench serve --save-result` writes, with `--save-detailed` or without; `--append-result` has a line a
//! run.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;

use super::level::{
    Asked, Found, Origin, blank, figures, if_any_time, measured, seconds, sessions,
};
use super::{File, amount, list, nothing, number, text, whole};
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use crate::domain::plan::{Arrivals, Ends, LevelLoad, MOST_CLIENTS, MOST_RATE};
use crate::domain::run::{ErrorCount, LevelReport, Rate, Stats};
use crate::metrics::request::{Phase, RequestError, RequestRecord};
use crate::metrics::timeline::TokenSource;

pub(super) fn is(value: &Value) -> bool {
    // NaN and Infinity are read as null, and the name still tells whose file it is.
    ["model_id", "request_throughput", "completed"]
        .iter()
        .all(|name| value.get(name).is_some())
}

/// Which of vLLM's two clients wrote a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    Python,
    /// `vllm-rs bench serve`, which has a steady part and every answer's latency, or null.
    Rust,
}

impl Client {
    fn of(run: &Value) -> Self {
        let has = |name| run.get(name).is_some();
        if has("steady_state") || has("latencies") {
            Self::Rust
        } else {
            Self::Python
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Python => "vllm bench serve",
            Self::Rust => "vllm-rs bench serve",
        }
    }
}

pub(super) fn read(file: &File<'_>, values: &[Value]) -> Result<Imported, Failure> {
    let runs: Vec<&Value> = values.iter().filter(|value| is(value)).collect();
    let Some(first) = runs.first() else {
        return Err(nothing(file, "vllm bench serve"));
    };
    let client = Client::of(first);
    let mut found: Vec<Found> = runs.iter().map(|run| level(run)).collect();
    let timed = found.iter().all(|level| !level.records.is_empty());
    found.retain(|level| level.report.requests.ended > 0);
    if found.is_empty() {
        return Err(nothing(file, client.name()));
    }
    let origin = Origin {
        source: client.name().to_owned(),
        api: String::new(),
        machine: None,
        began: text(first, &["date"]).and_then(date),
        took_s: took(&runs),
        asked: asked(first),
        tags: tags(first),
        // Old files do not count failures: there all that were not completed are some.
        stopped: runs
            .iter()
            .any(|run| whole(run, &["num_prompts"]) > Some(ended(run))),
    };
    let remarks = remarks(client, &runs, &found, timed, &origin);
    Ok(Imported {
        source: client.name().to_owned(),
        sessions: sessions(file, &origin, found),
        remarks,
    })
}

/// How long all runs took together.
pub(super) fn took(runs: &[&Value]) -> Option<f64> {
    let times: Vec<f64> = runs
        .iter()
        .filter_map(|run| amount(run, &["duration"]))
        .collect();
    (!times.is_empty()).then(|| times.iter().sum::<f64>().min(3e7))
}

fn asked(run: &Value) -> Asked {
    let turns = whole(run, &["turns_per_conversation"]).and_then(|n| u32::try_from(n).ok());
    Asked {
        ends: Ends {
            requests: whole(run, &["num_prompts"]).filter(|n| *n > 0),
            ..Ends::default()
        },
        turns: turns.filter(|n| (1..=1_000).contains(n)),
        ..Asked::default()
    }
}

/// What `--metadata` wrote among the figures: vLLM's own texts have these names, all else is the user's.
fn tags(run: &Value) -> Vec<String> {
    const OWN: [&str; 12] = [
        "date",
        "endpoint_type",
        "backend",
        "model_id",
        "tokenizer_id",
        "request_rate",
        "ramp_up_strategy",
        "mode",
        "dataset_name",
        "dataset_path",
        "burstiness",
        "endpoint",
    ];
    let model = text(run, &["model_id"]);
    let fields = run.as_object().into_iter().flatten();
    let theirs = fields.filter(|(name, value)| {
        let same = name.as_str() == "model" && value.as_str() == model;
        value.is_string() && !OWN.contains(&name.as_str()) && !same
    });
    super::tags::of(theirs.map(|(name, value)| (name.as_str(), value)))
}

fn remarks(
    client: Client,
    runs: &[&Value],
    found: &[Found],
    timed: bool,
    origin: &Origin,
) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut say = |text: &str| remarks.push(text.to_owned());
    let any_detailed = runs.iter().any(|run| !list(run, &["ttfts"]).is_empty());
    let all_detailed = runs.iter().all(|run| !list(run, &["ttfts"]).is_empty());
    if any_detailed {
        say(
            "TTFT, ITL, TPOT and latency were worked out anew from each request's times by Batida's definitions",
        );
    }
    if !all_detailed {
        say(
            "The file holds aggregates alone: percentiles are those it was asked for, without 95 % intervals and \
             distributions; `--save-detailed` keeps each request",
        );
    }
    if !timed {
        say(
            "When each request was sent is not in the file: throughput is over the whole run, its beginning and its \
             end included, and charts over time stay empty",
        );
    }
    let backend = text(runs[0], &["backend"])
        .or_else(|| text(runs[0], &["endpoint_type"]))
        .unwrap_or_default();
    match client {
        Client::Rust if backend.contains("chat") => say(
            "vllm-rs ends TTFT at the first chunk, which has only the role and no text, and counts two gaps of about \
             zero in each answer: its TTFT and its ITL are shorter than those of other programs",
        ),
        Client::Python if backend.contains("chat") => say(
            "vLLM ends TTFT at the first content or `reasoning`. It misses `reasoning_content`: with servers that send \
             that, TTFT is the time to the answer",
        ),
        _ => {}
    }
    if found
        .iter()
        .any(|level| matches!(level.load, LevelLoad::Rate { .. }))
    {
        say(
            "With a rate vLLM counts from when a request left, not from when it was due: waiting in the client is \
             missing",
        );
    }
    say("Prompt tokens are counted by vLLM's own tokenizer, without the chat template");
    let zoned =
        text(runs[0], &["date"]).is_some_and(|date| date.ends_with('Z') || date.contains('+'));
    match origin.began {
        None => say("The file does not say when it was measured"),
        Some(_) if !zoned => say("The date in the file has no time zone and is taken as UTC"),
        Some(_) => {}
    }
    say("The API's address is not in the file");
    remarks
}

/// `20261123-140509`, `2026-11-23T14:05:09Z`, and the forms between them.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let civil = |text: &str| {
        let compact = DateTime::strptime("%Y%m%d-%H%M%S", text).ok();
        compact.or_else(|| text.parse::<DateTime>().ok())
    };
    let at = civil(text)?;
    at.to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|at| at.timestamp())
}

/// The requests that did not end well. Files of 2025 do not count them.
fn failed(run: &Value) -> u64 {
    let not_completed = || {
        let all = whole(run, &["num_prompts"])?;
        Some(all.saturating_sub(whole(run, &["completed"])?))
    };
    whole(run, &["failed"])
        .or_else(not_completed)
        .unwrap_or_default()
}

fn ended(run: &Value) -> u64 {
    whole(run, &["completed"])
        .unwrap_or_default()
        .saturating_add(failed(run))
}

/// The load of a run of vLLM, and of SGLang, whose file has the same names. Without a rate it is the text `inf`.
pub(super) fn load(run: &Value) -> LevelLoad {
    let clients = |name| {
        let n = whole(run, &[name]).and_then(|n| u32::try_from(n).ok());
        n.filter(|n| (1..=MOST_CLIENTS).contains(n))
    };
    let most = clients("max_concurrency").or_else(|| clients("multi_turn_concurrency"));
    if text(run, &["request_rate"]) == Some("trace") {
        return LevelLoad::Trace {
            most_in_flight: most,
        };
    }
    let said = run.get("request_rate").is_some() || run.get("max_concurrency").is_some();
    // A burstiness of 1 is Poisson; endless, evenly spaced.
    let even = text(run, &["burstiness"]) == Some("inf");
    let arrivals = if even {
        Arrivals::Constant
    } else {
        Arrivals::Poisson
    };
    match (
        amount(run, &["request_rate"]).filter(|rate| *rate > 0.0),
        most,
    ) {
        (Some(rate), most_in_flight) => LevelLoad::Rate {
            per_sec: rate.clamp(0.001, MOST_RATE),
            arrivals,
            most_in_flight,
        },
        (None, Some(clients)) => LevelLoad::Concurrency(clients),
        (None, None) if said => LevelLoad::Max { in_flight: 0 },
        (None, None) => LevelLoad::Unknown,
    }
}

fn level(run: &Value) -> Found {
    let model = text(run, &["model_id"])
        .unwrap_or(super::NOT_SAID)
        .to_owned();
    let load = load(run);
    let failed = failed(run);
    level_of(run, model, load, failed)
}

/// A level of vLLM or SGLang: from each request's times where they are there, else from the aggregates.
pub(super) fn level_of(run: &Value, model: String, load: LevelLoad, failed: u64) -> Found {
    let starts = list(run, &["start_times"]);
    let all = records(run, starts);
    let mut report = match all.is_empty() {
        true => blank(&model, load),
        false => measured(&model, load, &all, &BTreeMap::new()),
    };
    if all.is_empty() {
        let ok = whole(run, &["completed"]).unwrap_or_default();
        report.requests.ok = ok;
        report.requests.failed = failed;
        report.requests.ended = ok.saturating_add(failed);
        if failed > 0 {
            let told = list(run, &["failed_requests"])
                .iter()
                .find_map(|one| text(one, &["error"]));
            let example = super::short(told.unwrap_or(super::NOT_SAID));
            report.requests.errors = vec![ErrorCount {
                kind: "other".to_owned(),
                count: failed,
                example,
            }];
        }
        let mean = |name: &str| {
            whole(run, &[name])
                .filter(|_| ok > 0)
                .map(|n| n as f64 / ok as f64)
        };
        let mean_only = |mean: Option<f64>| Stats {
            count: mean.map_or(0, |_| ok),
            mean,
            ..Stats::default()
        };
        report.prompt_tokens = mean_only(mean("total_input_tokens"));
        report.output_tokens = mean_only(mean("total_output_tokens"));
        report.ttft_ms = stats(run, "ttft", ok);
        report.tpot_ms = stats(run, "tpot", ok);
        report.itl_ms = stats(run, "itl", ok);
        report.latency_ms = stats(run, "e2el", ok);
        if report.latency_ms.count == 0 {
            report.latency_ms = stats(run, "e2e_latency", ok);
        }
        drop_first_of_whole(&mut report);
    }
    if starts.is_empty() {
        let rate = |name: &str| amount(run, &[name]).map(|mean| Rate { mean, ci: None });
        report.throughput.output_tokens_per_s = rate("output_throughput");
        report.throughput.total_tokens_per_s =
            rate("total_token_throughput").or_else(|| rate("total_throughput"));
        report.throughput.requests_per_s = rate("request_throughput");
        report.concurrency.reached = amount(run, &["concurrency"]);
        let most = whole(run, &["max_concurrent_requests"]).and_then(|n| u32::try_from(n).ok());
        report.concurrency.most = most.unwrap_or_default();
        report.steady_s = None;
        report.notes.clear();
        report.took_s = amount(run, &["duration"]).unwrap_or_default().min(3e7);
    }
    let records = if starts.is_empty() { Vec::new() } else { all };
    Found {
        model,
        load,
        report,
        records,
    }
}

/// Answers that did not stream have no first token: what the file calls TTFT is then the latency again.
fn drop_first_of_whole(report: &mut LevelReport) {
    let no_gaps = report.itl_ms.count == 0;
    if let (true, Some(ttft), Some(latency)) =
        (no_gaps, report.ttft_ms.mean, report.latency_ms.mean)
        && ttft >= 0.99 * latency
    {
        report.ttft_ms = Stats::default();
        report.tpot_ms = Stats::default();
    }
}

/// Of `--save-detailed`. Without the moments when they were sent they are only good for figures of single requests.
fn records(run: &Value, starts: &[Value]) -> Vec<RequestRecord> {
    let itls = list(run, &["itls"]);
    let first = starts
        .iter()
        .filter_map(Value::as_f64)
        .reduce(f64::min)
        .unwrap_or_default();
    let at_index = |name: &str, i: usize| list(run, &[name]).get(i);
    let record = |(i, ttft): (usize, &Value)| {
        let error = at_index("errors", i)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty());
        let ttft = number(ttft, &[])
            .filter(|ttft| *ttft > 0.0 && error.is_none())
            .and_then(seconds);
        let gaps = itls
            .get(i)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let gaps: Vec<Duration> = gaps
            .iter()
            .filter_map(Value::as_f64)
            .filter(|gap| *gap >= 0.0)
            .filter_map(seconds)
            .collect();
        let sent = match starts.get(i) {
            Some(at) => seconds((at.as_f64()? - first).max(0.0))?,
            None => Duration::ZERO,
        };
        let whole_answer = at_index("latencies", i)
            .and_then(Value::as_f64)
            .filter(|s| *s > 0.0)
            .and_then(seconds);
        let took: Duration = gaps.iter().fold(ttft.unwrap_or_default(), |sum, gap| {
            sum.saturating_add(*gap)
        });
        let took = whole_answer
            .unwrap_or(took)
            .max(ttft.unwrap_or_default())
            .min(Duration::from_secs(7 * 86_400));
        // An answer that came whole has no first token to wait for.
        let whole = gaps.is_empty()
            && at_index("output_lens", i)
                .and_then(Value::as_u64)
                .is_some_and(|n| n > 1);
        let tokens = at_index("output_lens", i).and_then(Value::as_u64);
        let first = ttft.filter(|_| !whole);
        let mut figures = figures(first, ttft.map(|_| took), tokens, TokenSource::Usage);
        figures.prompt_tokens = at_index("input_lens", i).and_then(Value::as_u64);
        figures.longest_gap = gaps.iter().max().copied();
        figures.itl = u32::try_from(gaps.len()).ok().filter(|n| *n > 0).map(|n| {
            gaps.iter()
                .fold(Duration::ZERO, |sum, gap| sum.saturating_add(*gap))
                / n
        });
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
            gaps_us: gaps
                .iter()
                .map(|gap| u32::try_from(gap.as_micros()).unwrap_or(u32::MAX))
                .collect(),
            chunks: if failed { 0 } else { gaps.len() as u64 + 1 },
            bytes: 0,
            wanted_prompt_tokens: None,
            answered_by: None,
            reconnected: false,
            error: failed.then(|| RequestError {
                class: None,
                status: None,
                // A traceback: its last line says it.
                text: super::short(
                    error
                        .and_then(|text| text.trim().lines().last())
                        .unwrap_or("no first token"),
                ),
            }),
        })
    };
    list(run, &["ttfts"])
        .iter()
        .enumerate()
        .filter_map(record)
        .collect()
}

fn stats(run: &Value, name: &str, count: u64) -> Stats {
    let value = |what: &str| amount(run, &[format!("{what}_{name}_ms").as_str()]);
    if value("mean").is_none() && value("median").is_none() {
        return Stats::default();
    }
    if_any_time(Stats {
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
        max: value("max"),
        ..Stats::default()
    })
}
