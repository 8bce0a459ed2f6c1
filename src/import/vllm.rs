//! Reads the JSON of `vllm bench serve --save-result`, with or without `--save-detailed`. With `--append-result` it has
//! one line per run.

mod records;

use std::collections::BTreeMap;

use serde_json::Value;

use super::level::{ImportedLevel, clients, if_any_time, measured, per_second, with_requests};
use super::plausible::{
    Implausible, MAX_IN_FLIGHT, MAX_PER_SECOND, MAX_REQUEST_SECONDS, MAX_REQUESTS, MAX_RUN_SECONDS,
    MAX_RUN_TOKENS,
};
use super::session::{Origin, RunSettings, sessions};
use super::{SourceFile, list, no_benchmark, number, text};
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use crate::domain::plan::{Arrivals, Ends, GAMMA_SHAPES, LevelLoad};
use crate::domain::run::{ErrorCount, LevelReport, Rate, Stats};
use crate::domain::stats::{P50, Percentiles};

pub(super) fn is(value: &Value) -> bool {
    // A value may be null, since NaN and Infinity are read as null. The key is enough.
    ["model_id", "request_throughput", "completed"]
        .iter()
        .all(|name| value.get(name).is_some())
}

/// vLLM's two benchmark clients.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    Python,
    /// `vllm-rs bench serve`. Its files have the keys `steady_state` and `latencies`, whose values may be null.
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

pub(super) fn read(file: &SourceFile<'_>, values: &[Value]) -> Result<Imported, Failure> {
    let runs = file.results_of(values, "vllm bench serve", is);
    let Some(first) = runs.first() else {
        return Err(no_benchmark(file, "vllm bench serve"));
    };
    let client = Client::of(first);
    let found: Vec<ImportedLevel> = runs.iter().map(|run| level(file, run)).collect();
    let timed = found.iter().all(|level| !level.records.is_empty());
    let found = with_requests(file, found);
    if found.is_empty() {
        return Err(no_benchmark(file, client.name()));
    }
    let origin = Origin {
        source: client.name().to_owned(),
        api: String::new(),
        machine: None,
        began: file.date(first, &["date"]),
        took_s: took(file, &runs),
        settings: run_settings(file, first),
        tags: tags(first),
        // Old files do not count failures: all requests that did not complete count as failed.
        stopped: runs.iter().any(|run| {
            let [all, ok] =
                ["num_prompts", "completed"].map(|name| file.count(run, &[name], MAX_REQUESTS));
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

/// The total duration of all runs in seconds; `None` if one of them is missing.
pub(super) fn took(file: &SourceFile<'_>, runs: &[&Value]) -> Option<f64> {
    let times = runs
        .iter()
        .map(|run| file.amount(run, &["duration"], MAX_RUN_SECONDS));
    file.in_range(
        "duration",
        times.sum::<Option<f64>>()?,
        0.0,
        MAX_RUN_SECONDS,
    )
}

fn run_settings(file: &SourceFile<'_>, run: &Value) -> RunSettings {
    let requests = file.count(run, &["num_prompts"], MAX_REQUESTS);
    let turns = file
        .count(run, &["turns_per_conversation"], 1_000)
        .filter(|n| *n > 0);
    RunSettings {
        ends: Ends {
            requests: requests.filter(|n| *n > 0),
            ..Ends::default()
        },
        turns: turns.and_then(|n| u32::try_from(n).ok()),
        ..RunSettings::default()
    }
}

/// The texts of `--metadata`, which stand among the figures: all texts but vLLM's own.
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
    found: &[ImportedLevel],
    timed: bool,
    origin: &Origin,
) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut say = |text: &str| remarks.push(text.to_owned());
    let any_detailed = runs.iter().any(|run| !list(run, &["ttfts"]).is_empty());
    let all_detailed = runs.iter().all(|run| !list(run, &["ttfts"]).is_empty());
    if any_detailed {
        say(
            "TTFT, ITL, TPOT and latency were recomputed from each request's times with Batida's \
             definitions",
        );
    }
    if !all_detailed {
        say(
            "The file has only aggregates: the percentiles that vLLM was asked for, no 95 % \
             intervals and no distributions. Use `--save-detailed` to save each request",
        );
    }
    if !timed {
        say(
            "The file does not have the start times of requests: throughput covers the whole \
             run, including ramp-up and ramp-down, and charts over time are empty",
        );
    }
    let backend = text(runs[0], &["backend"])
        .or_else(|| text(runs[0], &["endpoint_type"]))
        .unwrap_or_default();
    match client {
        Client::Rust if backend.contains("chat") => say(
            "vllm-rs ends TTFT at the first chunk, which has only the role and no text, and \
             counts two gaps of about zero in each response: its TTFT and ITL are lower than \
             those of other programs",
        ),
        Client::Python if backend.contains("chat") => say(
            "vLLM ends TTFT at the first `content` or `reasoning`, but ignores \
             `reasoning_content`: with servers that send it, TTFT is the time to the answer",
        ),
        _ => {}
    }
    if found
        .iter()
        .any(|level| matches!(level.load, LevelLoad::Rate { .. }))
    {
        say(
            "At a fixed rate, vLLM measures from when a request was sent, not from when it was \
             due: queueing in the client is not included",
        );
    }
    say("vLLM counts prompt tokens with its own tokenizer, without the chat template");
    let zoned =
        text(runs[0], &["date"]).is_some_and(|date| date.ends_with('Z') || date.contains('+'));
    match origin.began {
        None => say("The file has no date"),
        Some(_) if !zoned => say("The date in the file has no time zone; UTC is assumed"),
        Some(_) => {}
    }
    say("The API's address is not in the file");
    remarks
}

/// The number of failed requests. Files of 2025 do not have it: there it is the number that did not complete.
fn failed(file: &SourceFile<'_>, run: &Value) -> Option<u64> {
    let count = |name| file.count(run, &[name], MAX_REQUESTS);
    if super::at(run, &["failed"]).is_some() {
        return count("failed");
    }
    Some(count("num_prompts")?.saturating_sub(count("completed")?))
}

/// The load of a run of vLLM or SGLang, which use the same names. The rate is the text `inf` if there is none.
pub(super) fn load(file: &SourceFile<'_>, run: &Value) -> LevelLoad {
    // If one of its numbers is implausible, the load is unknown.
    load_of(file, run).unwrap_or(LevelLoad::Unknown)
}

fn load_of(file: &SourceFile<'_>, run: &Value) -> Result<LevelLoad, Implausible> {
    let clients = |name: &str| clients(file, name, number(run, &[name]));
    let most = clients("max_concurrency")?.or(clients("multi_turn_concurrency")?);
    if text(run, &["request_rate"]) == Some("trace") {
        return Ok(LevelLoad::Trace {
            most_in_flight: most,
        });
    }
    let said = run.get("request_rate").is_some() || run.get("max_concurrency").is_some();
    // The shape of gamma distributed gaps; an infinite one spaces requests evenly.
    let even = text(run, &["burstiness"]) == Some("inf");
    let arrivals = match number(run, &["burstiness"]) {
        _ if even => Arrivals::Constant,
        Some(shape) if shape != 1.0 && GAMMA_SHAPES.contains(&shape) => Arrivals::Gamma(shape),
        _ => Arrivals::Poisson,
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

fn level(file: &SourceFile<'_>, run: &Value) -> ImportedLevel {
    let model = text(run, &["model_id"])
        .unwrap_or(super::NOT_IN_FILE)
        .to_owned();
    level_of(file, run, model, load(file, run), failed(file, run))
}

/// A level of vLLM or SGLang: from the requests' times if the file has them, else from the aggregates. `failed` is the
/// number of failed requests, if known.
pub(super) fn level_of(
    file: &SourceFile<'_>,
    run: &Value,
    model: String,
    load: LevelLoad,
    failed: Option<u64>,
) -> ImportedLevel {
    let starts = list(run, &["start_times"]);
    let all = records::read(file, run);
    let mut report = match all.is_empty() {
        true => LevelReport::blank(&model, load),
        false => measured(&model, load, &all, &BTreeMap::new()),
    };
    if all.is_empty() {
        aggregates(file, run, failed, &mut report);
    }
    let timed = !starts.is_empty() && !all.is_empty();
    if !timed {
        run_throughput(file, run, &mut report);
    }
    if all.is_empty() && failed.is_none() {
        report
            .notes
            .push("the file does not have the number of failed requests".to_owned());
    }
    let records = if timed { all } else { Vec::new() };
    ImportedLevel {
        model,
        load,
        report,
        records,
    }
}

/// Fills the report with the run's aggregates.
fn aggregates(file: &SourceFile<'_>, run: &Value, failed: Option<u64>, report: &mut LevelReport) {
    let ok = file
        .count(run, &["completed"], MAX_REQUESTS)
        .unwrap_or_default();
    report.requests.ok = ok;
    report.requests.failed = failed.unwrap_or_default();
    report.requests.ended = ok + report.requests.failed;
    if let Some(failed) = failed.filter(|failed| *failed > 0) {
        let told = list(run, &["failed_requests"])
            .iter()
            .find_map(|one| text(one, &["error"]));
        let example = super::short(told.unwrap_or(super::NOT_IN_FILE));
        report.requests.errors = vec![ErrorCount {
            kind: "other".to_owned(),
            count: failed,
            example,
        }];
    }
    let mean = |name: &str| {
        Some(file.amount(run, &[name], MAX_RUN_TOKENS as f64)? / ok as f64).filter(|_| ok > 0)
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
    drop_ttft_if_latency(file, report);
}

/// Fills in the throughput of the whole run, for requests without start times.
fn run_throughput(file: &SourceFile<'_>, run: &Value, report: &mut LevelReport) {
    let rate = |name: &str| {
        file.amount(run, &[name], MAX_PER_SECOND).map(|mean| Rate {
            mean,
            ci: None,
            batches: None,
        })
    };
    report.throughput.output_tokens_per_s = rate("output_throughput");
    report.throughput.total_tokens_per_s =
        rate("total_token_throughput").or_else(|| rate("total_throughput"));
    report.throughput.requests_per_s = rate("request_throughput");
    report.concurrency.reached = file.amount(run, &["concurrency"], MAX_IN_FLIGHT);
    let most = file.amount(run, &["max_concurrent_requests"], MAX_IN_FLIGHT);
    report.concurrency.most = most.map(|n| n.round() as u32);
    report.steady_s = None;
    report.notes.clear();
    report.began_s = None;
    report.took_s = file.amount(run, &["duration"], MAX_RUN_SECONDS);
}

/// The remark about responses whose TTFT is just their latency.
pub(super) const TTFT_IS_LATENCY: &str = "TTFT and TPOT were skipped where the file repeats the \
     latency as TTFT";

/// Drops TTFT and TPOT of responses that did not stream: the file's TTFT is then the latency.
fn drop_ttft_if_latency(file: &SourceFile<'_>, report: &mut LevelReport) {
    let no_gaps = report.itl_ms.count == 0;
    if let (true, Some(ttft), Some(latency)) =
        (no_gaps, report.ttft_ms.mean, report.latency_ms.mean)
        && ttft >= 0.99 * latency
    {
        report.ttft_ms = Stats::default();
        report.tpot_ms = Stats::default();
        file.add_remark(TTFT_IS_LATENCY.to_owned());
    }
}

fn stats(file: &SourceFile<'_>, run: &Value, name: &str, count: u64) -> Stats {
    let value = |what: &str| {
        file.amount(
            run,
            &[format!("{what}_{name}_ms").as_str()],
            MAX_REQUEST_SECONDS * 1e3,
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
