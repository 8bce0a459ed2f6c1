//! Reads `profile_export_aiperf.json` and `profile_export_genai_perf.json`, which have aggregates.

use jiff::Timestamp;
use serde_json::Value;

use super::{MISSING, is_summary, tokenizer_remark, unit_of, value_and_unit};
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use crate::domain::plan::{Arrivals, Ends, LevelLoad};
use crate::domain::run::{ErrorCount, LevelReport, Rate, Stats};
use crate::domain::stats::Percentiles;
use crate::import::level::{ImportedLevel, clients, if_any_time, per_second, with_requests};
use crate::import::plausible::{
    Implausible, MAX_IN_FLIGHT, MAX_PER_SECOND, MAX_REQUEST_SECONDS, MAX_REQUESTS, MAX_RUN_SECONDS,
    MAX_RUN_TOKENS,
};
use crate::import::session::{Origin, RunSettings, lengths, sessions};
use crate::import::{
    NO_TTFT, NOT_IN_FILE, SourceFile, anywhere, at, list, no_benchmark, number as number_at, short,
    text,
};

pub(in crate::import) fn read_summaries(
    file: &SourceFile<'_>,
    values: &[Value],
) -> Result<Imported, Failure> {
    let program = values.first().map_or("aiperf", program);
    let runs = file.results_of(values, program, is_summary);
    let found = with_requests(file, runs.iter().map(|run| level(file, run)).collect());
    let (Some(first), false) = (runs.first(), found.is_empty()) else {
        return Err(no_benchmark(file, program));
    };
    let source = match text(first, &["aiperf_version"]).filter(|version| *version != "unknown") {
        Some(version) => format!("{program} {version}"),
        None => program.to_owned(),
    };
    let times = runs.iter().map(|run| took(file, run)).sum::<Option<f64>>();
    let began = file.date(first, &["start_time"]);
    let origin = Origin {
        source: source.clone(),
        api: api(at(first, &["input_config"]).unwrap_or(&Value::Null)),
        machine: None,
        began,
        took_s: times
            .and_then(|sum| file.in_range("benchmark_duration", sum, 0.0, MAX_RUN_SECONDS)),
        settings: run_settings(file, first),
        tags: Vec::new(),
        stopped: at(first, &["was_cancelled"]).and_then(Value::as_bool) == Some(true),
    };
    let details = match program {
        "aiperf" => "; import profile_export.jsonl (`--export-level records`) for these",
        _ => "",
    };
    let mut remarks = vec![
        format!(
            "The file has only aggregates: no 95 % intervals, no distributions and no single \
             requests{details}"
        ),
        format!(
            "{program}'s inter token latency is the mean of each response, which Batida calls TPOT"
        ),
        tokenizer_remark(program),
        "Throughput covers the whole run, including ramp-up and ramp-down".to_owned(),
    ];
    let any =
        |of: fn(&LevelReport) -> &Stats| found.iter().any(|level| of(&level.report).count > 0);
    if any(|level| &level.itl_ms) {
        remarks.push(format!(
            "ITL is {program}'s inter chunk latency, the gap between chunks"
        ));
    } else {
        remarks.push("The file has no gaps between chunks, so there is no ITL".to_owned());
    }
    if !any(|level| &level.ttft_ms) {
        remarks.push(NO_TTFT.to_owned());
    }
    if found.iter().any(|level| level.load == LevelLoad::Unknown) {
        remarks.push("The file does not have the load".to_owned());
    }
    let zoned = text(first, &["start_time"]).is_some_and(|date| date.parse::<Timestamp>().is_ok());
    match began {
        None => remarks.push("The file has no date".to_owned()),
        Some(_) if !zoned => {
            remarks.push("The date in the file has no time zone; UTC is assumed".to_owned());
        }
        Some(_) => {}
    }
    remarks.push(MISSING.to_owned());
    Ok(Imported {
        source,
        sessions: sessions(file, &origin, found),
        remarks,
    })
}

/// genai-perf's files have none of the keys that aiperf added.
fn program(run: &Value) -> &'static str {
    const ADDED: [&str; 8] = [
        "aiperf_version",
        "schema_version",
        "start_time",
        "end_time",
        "was_cancelled",
        "benchmark_duration",
        "error_summary",
        "inter_chunk_latency",
    ];
    if ADDED.iter().any(|name| run.get(name).is_some()) {
        "aiperf"
    } else {
        "genai-perf"
    }
}

/// The duration of the run, in seconds.
fn took(file: &SourceFile<'_>, run: &Value) -> Option<f64> {
    let moment = |name: &str| file.date(run, &[name]);
    let seconds = match at(run, &["benchmark_duration"]) {
        Some(of) => value_and_unit(file, of, "avg").map(|(value, unit)| value * unit)?,
        None => moment("end_time")?
            .duration_since(moment("start_time")?)
            .as_secs_f64(),
    };
    file.in_range("benchmark_duration", seconds, 0.0, MAX_RUN_SECONDS)
}

fn api(config: &Value) -> String {
    let address = |value: &Value| {
        let first = value
            .as_array()
            .and_then(|list| list.first())
            .unwrap_or(value);
        first
            .as_str()
            .filter(|url| !url.is_empty())
            .map(str::to_owned)
    };
    ["urls", "url", "u"]
        .iter()
        .find_map(|name| anywhere(config, name, &address))
        .unwrap_or_default()
}

/// The settings of the measured phase. Newer files also have those of the warm-up.
fn profiling(config: &Value) -> &Value {
    let is = |phase: &&Value| {
        ["kind", "name", "phase"]
            .iter()
            .any(|name| text(phase, &[name]) == Some("profiling"))
    };
    list(config, &["phases"]).iter().find(is).unwrap_or(config)
}

fn run_settings(file: &SourceFile<'_>, run: &Value) -> RunSettings {
    let config = at(run, &["input_config"]).unwrap_or(&Value::Null);
    let phase = profiling(config);
    let number = |names: &[&str]| {
        let positive = |value: &Value| value.as_f64().filter(|n| n.is_finite() && *n > 0.0);
        names.iter().find_map(|name| {
            anywhere(phase, name, &positive).or_else(|| anywhere(config, name, &positive))
        })
    };
    // Newer files have an object, older ones two numbers.
    let of = |objects: &[&str], mean: &[&str], deviation: &[&str]| {
        let object = objects
            .iter()
            .find_map(|name| anywhere(config, name, &|value| value.is_object().then_some(value)));
        let within = |name: &str| object.and_then(|object| number_at(object, &[name]));
        let (mean_of, deviation_of) = (within("mean"), within("stddev"));
        let name = mean.first().unwrap_or(&"a length");
        lengths(
            file,
            name,
            mean_of.or_else(|| number(mean)),
            deviation_of.or_else(|| number(deviation)),
        )
    };
    let from_file = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(|_| ());
    let has_file = ["input_file", "file", "public_dataset", "dataset_path"]
        .iter()
        .any(|name| anywhere(config, name, &from_file).is_some());
    let span = |name: &str| file.duration(name, number(&[name])?);
    let count = |name: &str, n: Option<f64>, most: u32| {
        file.in_range(name, n?, 0.0, f64::from(most))
            .map(|n| n.round() as u32)
    };
    let requests = number(&["request_count", "requests"]);
    RunSettings {
        prompt_tokens: of(
            &["isl", "input_tokens"],
            &["synthetic_input_tokens_mean"],
            &["synthetic_input_tokens_stddev"],
        )
        .filter(|_| !has_file),
        output_tokens: of(
            &["osl", "output_tokens"],
            &["output_tokens_mean"],
            &["output_tokens_stddev"],
        ),
        seed: anywhere(run, "random_seed", &Value::as_u64),
        ends: Ends {
            requests: count("request_count", requests, u32::MAX).map(u64::from),
            after: span("benchmark_duration"),
            error_share: None,
        },
        warmup: count(
            "warmup_request_count",
            anywhere(config, "warmup_request_count", &Value::as_f64),
            u32::MAX,
        ),
        timeout: span("request_timeout_seconds"),
        ..RunSettings::default()
    }
}

fn level(file: &SourceFile<'_>, run: &Value) -> ImportedLevel {
    let config = at(run, &["input_config"]).unwrap_or(&Value::Null);
    let model = model(config);
    // If one of its numbers is implausible, the load is unknown.
    let load = load(file, program(run), config).unwrap_or(LevelLoad::Unknown);
    let metric = |name: &str| at(run, &[name]);
    let average =
        |name: &str, most: f64| file.in_range(name, number_at(run, &[name, "avg"])?, 0.0, most);
    let rate = |name: &str| {
        let (ci, batches) = (None, None);
        average(name, MAX_PER_SECOND).map(|mean| Rate { mean, ci, batches })
    };
    let count = |name: &str| average(name, MAX_REQUESTS as f64).map(|n| n.round() as u64);
    let ok = count("request_count")
        .or_else(|| file.count(run, &["request_latency", "count"], MAX_REQUESTS))
        .unwrap_or_default();
    let failed = count("error_request_count");
    let mut report = LevelReport::blank(&model, load);
    report.requests.ok = ok;
    report.requests.failed = failed.unwrap_or_default();
    report.requests.ended = ok + report.requests.failed;
    report.requests.errors = errors(file, list(run, &["error_summary"]));
    // aiperf omits the count if no request failed.
    if failed.is_none() && (program(run) == "genai-perf" || metric("error_request_count").is_some())
    {
        report
            .notes
            .push("the file does not have the number of failed requests".to_owned());
    }
    let time = |name: &str| {
        let times = |of| {
            let scale = unit_of(file, of)? * 1e3;
            Some(if_any_time(stats(
                file,
                name,
                of,
                scale,
                MAX_REQUEST_SECONDS * 1e3,
                ok,
            )))
        };
        metric(name).and_then(times).unwrap_or_default()
    };
    report.ttft_ms = time("time_to_first_token");
    report.first_answer_ms = time("time_to_first_output_token");
    report.latency_ms = time("request_latency");
    // What the file calls inter token latency is Batida's TPOT.
    report.itl_ms = time("inter_chunk_latency");
    report.tpot_ms = time("inter_token_latency");
    let plain = |name: &str| {
        metric(name)
            .map(|of| stats(file, name, of, 1.0, MAX_RUN_TOKENS as f64, ok))
            .unwrap_or_default()
    };
    report.user_tokens_per_s = plain("output_token_throughput_per_user");
    // The server's counts are preferred.
    let counts = |server: &str, own: &str| {
        if metric(server).is_some() {
            plain(server)
        } else {
            plain(own)
        }
    };
    report.output_tokens = counts("usage_completion_tokens", "output_sequence_length");
    report.prompt_tokens = counts("usage_prompt_tokens", "input_sequence_length");
    report.reasoning_tokens = counts("usage_reasoning_tokens", "reasoning_token_count");
    report.concurrency.reached = average("effective_concurrency", MAX_IN_FLIGHT);
    report.throughput.output_tokens_per_s = rate("output_token_throughput");
    report.throughput.total_tokens_per_s = rate("total_token_throughput");
    report.throughput.requests_per_s = rate("request_throughput");
    report.took_s = took(file, run);
    ImportedLevel {
        model,
        load,
        report,
        records: Vec::new(),
    }
}

fn model(config: &Value) -> String {
    let name = |value: &Value| match value {
        Value::String(name) if !name.is_empty() => Some(name.clone()),
        Value::Array(list) => list.first().and_then(|first| {
            first
                .as_str()
                .or_else(|| text(first, &["name"]))
                .map(str::to_owned)
        }),
        Value::Object(_) => {
            let first = list(value, &["items"]).first().unwrap_or(value);
            text(first, &["name"]).map(str::to_owned)
        }
        _ => None,
    };
    ["model_names", "model_name", "models", "model"]
        .iter()
        .find_map(|key| anywhere(config, key, &name))
        .unwrap_or_else(|| NOT_IN_FILE.to_owned())
}

fn load(file: &SourceFile<'_>, program: &str, config: &Value) -> Result<LevelLoad, Implausible> {
    let phase = profiling(config);
    let number = |name: &str| {
        anywhere(phase, name, &|value: &Value| {
            value.as_f64().filter(|n| n.is_finite())
        })
    };
    let clients = clients(file, "concurrency", number("concurrency"))?;
    let fixed = |value: &Value| (value.as_bool() == Some(true)).then_some(());
    let kind = |value: &Value| {
        value
            .as_str()
            .is_some_and(|kind| kind.contains("schedule"))
            .then_some(())
    };
    if anywhere(phase, "fixed_schedule", &fixed).is_some()
        || anywhere(phase, "type", &kind).is_some()
    {
        return Ok(LevelLoad::Trace {
            most_in_flight: clients,
        });
    }
    let rate = number("request_rate").or_else(|| number("rate"));
    Ok(match per_second(file, "request_rate", rate)? {
        Some(per_sec) => {
            let named = |what: &'static str| {
                let is = move |value: &Value| (value.as_str() == Some(what)).then_some(());
                [
                    "request_rate_mode",
                    "arrival_pattern",
                    "request_distribution",
                    "type",
                ]
                .iter()
                .any(|key| anywhere(phase, key, &is).is_some())
            };
            // By default, genai-perf spaces requests evenly and aiperf does not.
            let constant = named("constant") || (program == "genai-perf" && !named("poisson"));
            let arrivals = if constant {
                Arrivals::Constant
            } else {
                Arrivals::Poisson
            };
            LevelLoad::Rate {
                per_sec,
                arrivals,
                most_in_flight: clients,
            }
        }
        None => clients.map_or(LevelLoad::Unknown, LevelLoad::Concurrency),
    })
}

/// The first kinds of errors.
fn errors(file: &SourceFile<'_>, summary: &[Value]) -> Vec<ErrorCount> {
    const MAX_KINDS: usize = 32;
    let error = |found: &Value| {
        let details = at(found, &["error_details"]).unwrap_or(found);
        let example = text(details, &["message"])
            .or_else(|| text(details, &["type"]))
            .unwrap_or(NOT_IN_FILE);
        let count = file.count(found, &["count"], MAX_REQUESTS)?;
        Some(ErrorCount {
            kind: "other".to_owned(),
            count,
            example: short(example),
        })
    };
    let errors: Vec<ErrorCount> = summary.iter().take(MAX_KINDS).filter_map(error).collect();
    let left_out = summary.len() - errors.len();
    if left_out > 0 {
        let of = crate::domain::units::counted(summary.len(), "kind");
        file.add_remark(format!(
            "{left_out} of the file's {of} of errors are not listed"
        ));
    }
    errors
}

/// The statistics multiplied by `scale`; products above `most` are implausible.
fn stats(
    file: &SourceFile<'_>,
    name: &str,
    of: &Value,
    scale: f64,
    most: f64,
    requests: u64,
) -> Stats {
    let value = |what: &str| file.in_range(name, number_at(of, &[what])? * scale, 0.0, most);
    let Some(mean) = value("avg") else {
        return Stats::default();
    };
    Stats {
        count: file
            .count(of, &["count"], MAX_RUN_TOKENS)
            .unwrap_or(requests),
        mean: Some(mean),
        sd: value("std"),
        min: value("min"),
        percentiles: Percentiles::from_fn(|percentile| value(&percentile.to_string())),
        max: value("max"),
        ..Stats::default()
    }
}
