//! What `vllm bench serve --save-result` writes, with `--save-detailed` or without; `--append-result` has a line a
//! run.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;

use super::level::{
    Asked, Found, Origin, blank, clients, figures, if_any_time, in_micros, measured, per_second,
    seconds, sessions, with_requests,
};
use super::sound::{
    LONGEST_REQUEST, LONGEST_RUN, MOST_COUNT, MOST_IN_FLIGHT, MOST_PER_SECOND, MOST_PROMPT,
    MOST_REQUESTS, Odd,
};
use super::{File, list, nothing, number, text};
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use crate::domain::plan::{Arrivals, Ends, LevelLoad, MOST_TOKENS};
use crate::domain::run::{ErrorCount, LevelReport, Rate, Stats};
use crate::domain::stats::{P50, Percentiles};
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
    let runs = file.only(values, "vllm bench serve", is);
    let Some(first) = runs.first() else {
        return Err(nothing(file, "vllm bench serve"));
    };
    let client = Client::of(first);
    let found: Vec<Found> = runs.iter().map(|run| level(file, run)).collect();
    let timed = found.iter().all(|level| !level.records.is_empty());
    let found = with_requests(file, found);
    if found.is_empty() {
        return Err(nothing(file, client.name()));
    }
    let origin = Origin {
        source: client.name().to_owned(),
        api: String::new(),
        machine: None,
        began: file.date(first, &["date"]),
        took_s: took(file, &runs),
        asked: asked(file, first),
        tags: tags(first),
        // Old files do not count failures: there all that were not completed are some.
        stopped: runs.iter().any(|run| {
            let [all, ok] =
                ["num_prompts", "completed"].map(|name| file.whole(run, &[name], MOST_REQUESTS));
            all.zip(ok.zip(failed(file, run)))
                .is_some_and(|(all, (ok, failed))| all > ok + failed)
        }),
    };
    let remarks = remarks(client, &runs, &found, timed, &origin);
    Ok(Imported {
        source: client.name().to_owned(),
        sessions: sessions(file, &origin, found),
        remarks,
    })
}

/// How long all runs took together, where each says it.
pub(super) fn took(file: &File<'_>, runs: &[&Value]) -> Option<f64> {
    let times = runs
        .iter()
        .map(|run| file.amount(run, &["duration"], LONGEST_RUN));
    file.judged("duration", times.sum::<Option<f64>>()?, 0.0, LONGEST_RUN)
}

fn asked(file: &File<'_>, run: &Value) -> Asked {
    let requests = file.whole(run, &["num_prompts"], MOST_REQUESTS);
    let turns = file
        .whole(run, &["turns_per_conversation"], 1_000)
        .filter(|n| *n > 0);
    Asked {
        ends: Ends {
            requests: requests.filter(|n| *n > 0),
            ..Ends::default()
        },
        turns: turns.and_then(|n| u32::try_from(n).ok()),
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
fn failed(file: &File<'_>, run: &Value) -> Option<u64> {
    let count = |name| file.whole(run, &[name], MOST_REQUESTS);
    if super::at(run, &["failed"]).is_some() {
        return count("failed");
    }
    Some(count("num_prompts")?.saturating_sub(count("completed")?))
}

/// The load of a run of vLLM, and of SGLang, whose file has the same names. Without a rate it is the text `inf`.
pub(super) fn load(file: &File<'_>, run: &Value) -> LevelLoad {
    // A load of which one number cannot be right is not the load of the others.
    load_of(file, run).unwrap_or(LevelLoad::Unknown)
}

fn load_of(file: &File<'_>, run: &Value) -> Result<LevelLoad, Odd> {
    let clients = |name: &str| clients(file, name, number(run, &[name]));
    let most = clients("max_concurrency")?.or(clients("multi_turn_concurrency")?);
    if text(run, &["request_rate"]) == Some("trace") {
        return Ok(LevelLoad::Trace {
            most_in_flight: most,
        });
    }
    let said = run.get("request_rate").is_some() || run.get("max_concurrency").is_some();
    // A burstiness of 1 is Poisson; endless, evenly spaced.
    let even = text(run, &["burstiness"]) == Some("inf");
    let arrivals = if even {
        Arrivals::Constant
    } else {
        Arrivals::Poisson
    };
    let rate = per_second(file, "request_rate", number(run, &["request_rate"]))?;
    Ok(match (rate, most) {
        (Some(per_sec), most_in_flight) => LevelLoad::Rate {
            per_sec,
            arrivals,
            most_in_flight,
        },
        (None, Some(clients)) => LevelLoad::Concurrency(clients),
        (None, None) if said => LevelLoad::Max { in_flight: 0 },
        (None, None) => LevelLoad::Unknown,
    })
}

fn level(file: &File<'_>, run: &Value) -> Found {
    let model = text(run, &["model_id"])
        .unwrap_or(super::NOT_SAID)
        .to_owned();
    level_of(file, run, model, load(file, run), failed(file, run))
}

/// A level of vLLM or SGLang: from each request's times where they are there, else from the aggregates.
/// `failed` is how many failed, where the file says it.
pub(super) fn level_of(
    file: &File<'_>,
    run: &Value,
    model: String,
    load: LevelLoad,
    failed: Option<u64>,
) -> Found {
    let starts = list(run, &["start_times"]);
    let all = records(file, run, starts);
    let mut report = match all.is_empty() {
        true => blank(&model, load),
        false => measured(&model, load, &all, &BTreeMap::new()),
    };
    if all.is_empty() {
        let ok = file
            .whole(run, &["completed"], MOST_REQUESTS)
            .unwrap_or_default();
        report.requests.ok = ok;
        report.requests.failed = failed.unwrap_or_default();
        report.requests.ended = ok + report.requests.failed;
        if let Some(failed) = failed.filter(|failed| *failed > 0) {
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
            Some(file.amount(run, &[name], MOST_COUNT as f64)? / ok as f64).filter(|_| ok > 0)
        };
        let mean_only = |mean: Option<f64>| Stats {
            count: mean.map_or(0, |_| ok),
            mean,
            ..Stats::default()
        };
        report.prompt_tokens = mean_only(mean("total_input_tokens"));
        report.output_tokens = mean_only(mean("total_output_tokens"));
        let stats = |name: &str| stats(file, run, name, ok);
        report.ttft_ms = stats("ttft");
        report.tpot_ms = stats("tpot");
        report.itl_ms = stats("itl");
        report.latency_ms = stats("e2el");
        if report.latency_ms.count == 0 {
            report.latency_ms = stats("e2e_latency");
        }
        drop_first_of_whole(file, &mut report);
    }
    let timed = !starts.is_empty() && !all.is_empty();
    if !timed {
        let rate = |name: &str| {
            file.amount(run, &[name], MOST_PER_SECOND)
                .map(|mean| Rate { mean, ci: None })
        };
        report.throughput.output_tokens_per_s = rate("output_throughput");
        report.throughput.total_tokens_per_s =
            rate("total_token_throughput").or_else(|| rate("total_throughput"));
        report.throughput.requests_per_s = rate("request_throughput");
        report.concurrency.reached = file.amount(run, &["concurrency"], MOST_IN_FLIGHT);
        let most = file.amount(run, &["max_concurrent_requests"], MOST_IN_FLIGHT);
        report.concurrency.most = most.map(|n| n.round() as u32).unwrap_or_default();
        report.steady_s = None;
        report.notes.clear();
        report.took_s = file
            .amount(run, &["duration"], LONGEST_RUN)
            .unwrap_or_default();
    }
    if all.is_empty() && failed.is_none() {
        report
            .notes
            .push("how many requests failed is not in the file".to_owned());
    }
    let records = if timed { all } else { Vec::new() };
    Found {
        model,
        load,
        report,
        records,
    }
}

/// Told where an answer has no time to its first token but that of its end.
pub(super) const LATENCY_AGAIN: &str = "Where the file has the latency again as the time to the first token, TTFT and TPOT are left out";

/// Answers without gaps have no first token: what the file calls TTFT is then the latency again.
fn drop_first_of_whole(file: &File<'_>, report: &mut LevelReport) {
    let no_gaps = report.itl_ms.count == 0;
    if let (true, Some(ttft), Some(latency)) =
        (no_gaps, report.ttft_ms.mean, report.latency_ms.mean)
        && ttft >= 0.99 * latency
    {
        report.ttft_ms = Stats::default();
        report.tpot_ms = Stats::default();
        file.tell(LATENCY_AGAIN.to_owned());
    }
}

/// Of `--save-detailed`. Without the moments when they were sent they are only good for figures of single requests.
fn records(file: &File<'_>, run: &Value, starts: &[Value]) -> Vec<RequestRecord> {
    let first = starts
        .iter()
        .filter_map(Value::as_f64)
        .filter(|at| *at >= 0.0)
        .reduce(f64::min);
    let at_index =
        |name: &str, i: usize| list(run, &[name]).get(i).filter(|value| !value.is_null());
    // Zero where there is none; a time that cannot be right leaves the request out, since others are counted from it.
    let time = |name: &str, value: &Value| file.span(name, value.as_f64()?);
    let record = |(i, ttft): (usize, &Value)| {
        let error = at_index("errors", i)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty());
        let ttft = match error {
            Some(_) => None,
            None => Some(time("ttfts", ttft)?).filter(|ttft| !ttft.is_zero()),
        };
        let gaps = at_index("itls", i)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let gaps: Vec<Duration> = gaps
            .iter()
            .map(|gap| time("itls", gap))
            .collect::<Option<_>>()?;
        let sent = match starts.is_empty() {
            true => Duration::ZERO,
            false => file.span("start_times", starts.get(i)?.as_f64()? - first?)?,
        };
        let whole_answer = match at_index("latencies", i) {
            Some(latency) => Some(time("latencies", latency)?).filter(|latency| !latency.is_zero()),
            None => None,
        };
        let took: Duration = gaps.iter().fold(ttft.unwrap_or_default(), |sum, gap| {
            sum.saturating_add(*gap)
        });
        let took = whole_answer.unwrap_or(took).max(ttft.unwrap_or_default());
        let took = seconds(took.as_secs_f64())?;
        let count = |name: &str, most: u64| {
            let n = at_index(name, i)?.as_f64()?;
            file.judged(name, n, 0.0, most as f64)
                .map(|n| n.round() as u64)
        };
        let tokens = count("output_lens", MOST_TOKENS.into());
        // An answer without gaps has no first token to wait for.
        let whole = ttft.is_some() && gaps.is_empty() && tokens.is_some_and(|n| n > 1);
        if whole {
            file.tell(LATENCY_AGAIN.to_owned());
        }
        let first = ttft.filter(|_| !whole);
        let mut figures = figures(first, ttft.map(|_| took), tokens, TokenSource::Usage);
        figures.prompt_tokens = count("input_lens", MOST_PROMPT);
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
            gaps_us: in_micros(&gaps)?,
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
    file.sound(list(run, &["ttfts"]).iter().enumerate().map(record))
}

fn stats(file: &File<'_>, run: &Value, name: &str, count: u64) -> Stats {
    let value = |what: &str| {
        file.amount(
            run,
            &[format!("{what}_{name}_ms").as_str()],
            LONGEST_REQUEST * 1e3,
        )
    };
    if value("mean").is_none() && value("median").is_none() {
        return Stats::default();
    }
    if_any_time(Stats {
        count,
        mean: value("mean"),
        sd: value("std"),
        percentiles: Percentiles::from_fn(|percentile| {
            let median = (percentile == P50).then(|| value("median")).flatten();
            median.or_else(|| value(&percentile.to_string()))
        }),
        max: value("max"),
        ..Stats::default()
    })
}
