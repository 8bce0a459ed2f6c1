//! aiperf's `profile_export_aiperf.json` (aggregates) and `profile_export.jsonl` (a line a request), and the
//! `profile_export_genai_perf.json` of genai-perf, which came before it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::level::{
    Asked, Found, Origin, blank, clients, figures, if_any_time, in_micros, lengths, measured,
    per_second, seconds, sessions, with_requests,
};
use super::sound::{
    LONGEST_REQUEST, LONGEST_RUN, MOST_COUNT, MOST_IN_FLIGHT, MOST_PER_SECOND, MOST_PROMPT,
    MOST_REQUESTS, Odd,
};
use super::{File, anywhere, at, list, nothing, number, text};
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use crate::domain::plan::{Arrivals, Ends, LevelLoad, MOST_TOKENS};
use crate::domain::run::{ErrorCount, LevelReport, Rate, Stats};
use crate::domain::stats::Percentiles;
use crate::metrics::request::{Phase, RequestError, RequestRecord};
use crate::metrics::timeline::TokenSource;

const NOT_THERE: &str =
    "Deployment, SambaStack's version and what the client saw of itself are not in the file";

fn tokens(program: &str) -> String {
    format!(
        "{program} counts tokens with a tokenizer of its own unless it was told to take the server's: TPOT, tokens/s \
         and token counts may differ from the server's `usage`"
    )
}

/// A line of `profile_export.jsonl`.
pub(super) fn is_record(value: &Value) -> bool {
    at(value, &["metadata", "request_start_ns"]).is_some() && at(value, &["metrics"]).is_some()
}

pub(super) fn is_summary(value: &Value) -> bool {
    let metric = |name| at(value, &[name, "unit"]).is_some();
    metric("request_latency") || metric("time_to_first_token") || metric("request_throughput")
}

// ---- single requests ----------------------------------------------------------------------------------

pub(super) fn read_records(file: &File<'_>, lines: &[Value]) -> Result<Imported, Failure> {
    let starts = lines
        .iter()
        .filter_map(|line| file.nanos(line, &["metadata", "request_start_ns"]));
    let Some(began_ns) = starts.min() else {
        return Err(nothing(file, "aiperf"));
    };
    let mut spans = BTreeMap::new();
    let mut records = Vec::new();
    let mut all_gaps = true;
    let lines = lines.iter().enumerate();
    for (record, span) in
        file.sound(lines.map(|(index, line)| record(file, line, index as u64, began_ns)))
    {
        all_gaps &= record.chunks < 2 || !record.gaps_us.is_empty();
        spans.extend(span.map(|span| (record.index, span)));
        records.push(record);
    }
    records.sort_by_key(|record| record.sent);
    // After sorting spans belong to other places.
    let mut sorted_spans = BTreeMap::new();
    for (place, record) in records.iter_mut().enumerate() {
        sorted_spans.extend(spans.get(&record.index).map(|span| (place as u64, *span)));
        record.index = place as u64;
    }
    if !records.iter().any(|record| record.phase == Phase::Measured) {
        return Err(nothing(file, "aiperf"));
    }
    let in_flight = most_in_flight(&records);
    let model = super::NOT_SAID.to_owned();
    let load = LevelLoad::Unknown;
    let report = measured(&model, load, &records, &sorted_spans);
    let took_s = records
        .iter()
        .map(|record| record.ended.as_secs_f64())
        .fold(0.0, f64::max);
    let origin = Origin {
        source: "aiperf".to_owned(),
        api: String::new(),
        machine: None,
        began: nanos(began_ns),
        took_s: Some(took_s),
        asked: Asked::default(),
        tags: Vec::new(),
        stopped: false,
    };
    let mut remarks = vec![
        "TTFT, latency, TPOT and tokens/s were worked out anew from each request by Batida's definitions"
            .to_owned(),
        format!(
            "The model and the load are not in the file; {} in flight at most",
            crate::domain::units::counted(in_flight as usize, "request")
        ),
        tokens("aiperf"),
    ];
    remarks.push(match all_gaps {
        true => "ITL is the gap between chunks, aiperf's inter chunk latency; its inter token latency is the mean of \
                 an answer, which is TPOT here"
            .to_owned(),
        false => "Gaps between chunks are not in the file, so that it has no ITL".to_owned(),
    });
    remarks.push(NOT_THERE.to_owned());
    let sessions = sessions(
        file,
        &origin,
        vec![Found {
            model,
            load,
            report,
            records,
        }],
    );
    Ok(Imported {
        source: "aiperf".to_owned(),
        sessions,
        remarks,
    })
}

fn nanos(n: u64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(n)).ok()
}

fn most_in_flight(records: &[RequestRecord]) -> u32 {
    let mut moments: Vec<(Duration, i32)> = records
        .iter()
        .flat_map(|record| [(record.sent, 1), (record.ended, -1)])
        .collect();
    // One that ends makes room for one that begins in the same moment.
    moments.sort_unstable();
    let mut now = 0i32;
    let most = moments.into_iter().map(|(_, more)| {
        now += more;
        now
    });
    most.max()
        .and_then(|most| u32::try_from(most).ok())
        .unwrap_or_default()
}

fn record(
    file: &File<'_>,
    line: &Value,
    index: u64,
    began_ns: u64,
) -> Option<(RequestRecord, Option<Duration>)> {
    let metadata = at(line, &["metadata"])?;
    let start = file.nanos(metadata, &["request_start_ns"])?;
    let end = file.nanos(metadata, &["request_end_ns"])?;
    let sent = seconds(Duration::from_nanos(start.checked_sub(began_ns)?).as_secs_f64())?;
    let took = seconds(Duration::from_nanos(end.checked_sub(start)?).as_secs_f64())?;
    let phase =
        match text(metadata, &["benchmark_phase"]).or_else(|| text(metadata, &["phase_kind"])) {
            Some("warmup") => Phase::Warmup,
            _ => Phase::Measured,
        };
    let metrics = at(line, &["metrics"])?;
    let time = |name: &str| {
        let (value, unit) = value_and_unit(file, at(metrics, &[name])?, "value")?;
        file.span(name, value * unit)
    };
    let count = |name: &str, most: u64| {
        let n = number(metrics, &[name, "value"])?;
        file.judged(name, n, 0.0, most as f64)
            .map(|n| n.round() as u64)
    };
    let answer = |name: &str| count(name, MOST_TOKENS.into());
    let cancelled = at(metadata, &["was_cancelled"]).and_then(Value::as_bool) == Some(true);
    let error = at(line, &["error"]);
    let failed = error.is_some() || cancelled;
    let ttft = time("time_to_first_token");
    let latency = time("request_latency").unwrap_or(took);
    // With reasoning; `output_token_count` is the answer's alone.
    let server = answer("usage_completion_tokens");
    let tokens = server
        .or_else(|| answer("output_sequence_length"))
        .or_else(|| answer("output_token_count"));
    let mut figures = figures(
        ttft,
        (!failed).then_some(latency),
        tokens,
        TokenSource::Usage,
    );
    figures.first_answer = time("time_to_first_output_token");
    let prompt = |name: &str| count(name, MOST_PROMPT);
    figures.prompt_tokens =
        prompt("usage_prompt_tokens").or_else(|| prompt("input_sequence_length"));
    // Without one of them the others are not the answer's gaps.
    let gaps = || {
        let chunk_gaps = at(metrics, &["inter_chunk_latency"])?;
        let scale = unit_of(file, chunk_gaps)?;
        let gap = |gap: &Value| file.span("inter_chunk_latency", gap.as_f64()? * scale);
        let gaps: Vec<Duration> = list(chunk_gaps, &["value"])
            .iter()
            .map(gap)
            .collect::<Option<_>>()?;
        Some((in_micros(&gaps)?, gaps))
    };
    let (gaps_us, gaps) = gaps().unwrap_or_default();
    figures.longest_gap = gaps.iter().max().copied();
    let sum: Duration = gaps
        .iter()
        .fold(Duration::ZERO, |sum, gap| sum.saturating_add(*gap));
    figures.itl = u32::try_from(gaps.len())
        .ok()
        .filter(|n| *n > 0)
        .map(|n| sum / n);
    let span = ttft.map(|ttft| latency.saturating_sub(ttft));
    let chunks = if gaps.is_empty() {
        answer("output_chunk_count").unwrap_or(2)
    } else {
        gaps.len() as u64 + 1
    };
    let error = failed.then(|| RequestError {
        class: cancelled.then_some(crate::domain::failure::FaultClass::Cancelled),
        status: error
            .and_then(|error| at(error, &["code"])?.as_u64())
            .and_then(|code| u16::try_from(code).ok())
            .filter(|code| (100..600).contains(code)),
        text: super::short(
            error
                .and_then(|error| text(error, &["message"]).or_else(|| text(error, &["type"])))
                .unwrap_or("cancelled"),
        ),
    });
    let record = RequestRecord {
        index,
        level: 0,
        phase,
        due: sent,
        sent,
        ended: sent + took,
        figures,
        first_byte: None,
        gaps_us,
        chunks: if failed { 0 } else { chunks },
        bytes: 0,
        wanted_prompt_tokens: None,
        answered_by: None,
        reconnected: false,
        error,
    };
    Some((record, span))
}

/// The value of that name, and its unit in seconds.
fn value_and_unit(file: &File<'_>, metric: &Value, name: &str) -> Option<(f64, f64)> {
    Some((number(metric, &[name])?, unit_of(file, metric)?))
}

/// A time's unit in seconds. Without one that is known its values are unknown.
fn unit_of(file: &File<'_>, metric: &Value) -> Option<f64> {
    let name = text(metric, &["unit"])?;
    let unit = match name {
        "ns" | "nanoseconds" => 1e-9,
        "us" | "µs" | "microseconds" => 1e-6,
        "ms" | "milliseconds" => 1e-3,
        "s" | "sec" | "seconds" => 1.0,
        _ => {
            file.is_odd("unit of a time", name);
            return None;
        }
    };
    Some(unit)
}

// ---- aggregates ---------------------------------------------------------------------------------------

pub(super) fn read_summaries(file: &File<'_>, values: &[Value]) -> Result<Imported, Failure> {
    let program = values.first().map_or("aiperf", program);
    let runs = file.only(values, program, is_summary);
    let found = with_requests(file, runs.iter().map(|run| level(file, run)).collect());
    let (Some(first), false) = (runs.first(), found.is_empty()) else {
        return Err(nothing(file, program));
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
        took_s: times.and_then(|sum| file.judged("benchmark_duration", sum, 0.0, LONGEST_RUN)),
        asked: asked(file, first),
        tags: Vec::new(),
        stopped: at(first, &["was_cancelled"]).and_then(Value::as_bool) == Some(true),
    };
    let details = match program {
        "aiperf" => "; profile_export.jsonl (`--export-level records`) has them",
        _ => "",
    };
    let mut remarks = vec![
        format!(
            "The file holds aggregates alone: no 95 % intervals, no distributions and no single requests{details}"
        ),
        format!(
            "What {program} calls inter token latency is the mean of each answer, which is TPOT here"
        ),
        tokens(program),
        "Throughput is over the whole run, its beginning and its end included".to_owned(),
    ];
    let any =
        |of: fn(&LevelReport) -> &Stats| found.iter().any(|level| of(&level.report).count > 0);
    if any(|level| &level.itl_ms) {
        remarks.push(format!(
            "ITL here is {program}'s inter chunk latency, the gap between chunks"
        ));
    } else {
        remarks.push("Gaps between chunks are not in the file, so that it has no ITL".to_owned());
    }
    if !any(|level| &level.ttft_ms) {
        remarks.push(super::NO_TTFT.to_owned());
    }
    if found.iter().any(|level| level.load == LevelLoad::Unknown) {
        remarks.push("The file does not say under which load it was measured".to_owned());
    }
    let zoned = text(first, &["start_time"]).is_some_and(|date| date.parse::<Timestamp>().is_ok());
    match began {
        None => remarks.push("The file does not say when it was measured".to_owned()),
        Some(_) if !zoned => {
            remarks.push("The date in the file has no time zone and is taken as UTC".to_owned());
        }
        Some(_) => {}
    }
    remarks.push(NOT_THERE.to_owned());
    Ok(Imported {
        source,
        sessions: sessions(file, &origin, found),
        remarks,
    })
}

/// Which of the two wrote it: genai-perf has none of the keys that aiperf added.
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

/// How long it measured, in seconds.
fn took(file: &File<'_>, run: &Value) -> Option<f64> {
    let moment = |name: &str| file.date(run, &[name]);
    let seconds = match at(run, &["benchmark_duration"]) {
        Some(of) => value_and_unit(file, of, "avg").map(|(value, unit)| value * unit)?,
        None => moment("end_time")?
            .duration_since(moment("start_time")?)
            .as_secs_f64(),
    };
    file.judged("benchmark_duration", seconds, 0.0, LONGEST_RUN)
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

/// The settings of the measured phase; newer files have those of a warm-up beside them.
fn profiling(config: &Value) -> &Value {
    let is = |phase: &&Value| {
        ["kind", "name", "phase"]
            .iter()
            .any(|name| text(phase, &[name]) == Some("profiling"))
    };
    list(config, &["phases"]).iter().find(is).unwrap_or(config)
}

fn asked(file: &File<'_>, run: &Value) -> Asked {
    let config = at(run, &["input_config"]).unwrap_or(&Value::Null);
    let phase = profiling(config);
    let number = |names: &[&str]| {
        let positive = |value: &Value| value.as_f64().filter(|n| n.is_finite() && *n > 0.0);
        names.iter().find_map(|name| {
            anywhere(phase, name, &positive).or_else(|| anywhere(config, name, &positive))
        })
    };
    // Newer files have an object where older ones have two numbers.
    let of = |objects: &[&str], mean: &[&str], deviation: &[&str]| {
        let object = objects
            .iter()
            .find_map(|name| anywhere(config, name, &|value| value.is_object().then_some(value)));
        let within = |name: &str| object.and_then(|object| super::number(object, &[name]));
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
    let span = |name: &str| file.span(name, number(&[name])?);
    let count = |name: &str, n: Option<f64>, most: u32| {
        file.judged(name, n?, 0.0, f64::from(most))
            .map(|n| n.round() as u32)
    };
    let requests = number(&["request_count", "requests"]);
    Asked {
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
        ..Asked::default()
    }
}

fn level(file: &File<'_>, run: &Value) -> Found {
    let config = at(run, &["input_config"]).unwrap_or(&Value::Null);
    let model = model(config);
    // A load of which one number cannot be right is not the load of the others.
    let load = load(file, program(run), config).unwrap_or(LevelLoad::Unknown);
    let metric = |name: &str| at(run, &[name]);
    let average =
        |name: &str, most: f64| file.judged(name, number(run, &[name, "avg"])?, 0.0, most);
    let rate = |name: &str| average(name, MOST_PER_SECOND).map(|mean| Rate { mean, ci: None });
    let count = |name: &str| average(name, MOST_REQUESTS as f64).map(|n| n.round() as u64);
    let ok = count("request_count")
        .or_else(|| file.whole(run, &["request_latency", "count"], MOST_REQUESTS))
        .unwrap_or_default();
    let failed = count("error_request_count");
    let mut report = blank(&model, load);
    report.requests.ok = ok;
    report.requests.failed = failed.unwrap_or_default();
    report.requests.ended = ok + report.requests.failed;
    report.requests.errors = errors(file, list(run, &["error_summary"]));
    // aiperf leaves it out where none failed.
    if failed.is_none() && (program(run) == "genai-perf" || metric("error_request_count").is_some())
    {
        report
            .notes
            .push("how many requests failed is not in the file".to_owned());
    }
    let time = |name: &str| {
        let times = |of| {
            let scale = unit_of(file, of)? * 1e3;
            Some(if_any_time(stats(
                file,
                name,
                of,
                scale,
                LONGEST_REQUEST * 1e3,
                ok,
            )))
        };
        metric(name).and_then(times).unwrap_or_default()
    };
    report.ttft_ms = time("time_to_first_token");
    report.first_answer_ms = time("time_to_first_output_token");
    report.latency_ms = time("request_latency");
    // The gaps between chunks, where they are there; what is called inter token latency is our TPOT.
    report.itl_ms = time("inter_chunk_latency");
    report.tpot_ms = time("inter_token_latency");
    let plain = |name: &str| {
        metric(name)
            .map(|of| stats(file, name, of, 1.0, MOST_COUNT as f64, ok))
            .unwrap_or_default()
    };
    report.user_tokens_per_s = plain("output_token_throughput_per_user");
    // The server's own counts where they are there.
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
    report.concurrency.reached = average("effective_concurrency", MOST_IN_FLIGHT);
    report.throughput.output_tokens_per_s = rate("output_token_throughput");
    report.throughput.total_tokens_per_s = rate("total_token_throughput");
    report.throughput.requests_per_s = rate("request_throughput");
    report.took_s = took(file, run).unwrap_or_default();
    Found {
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
        .unwrap_or_else(|| super::NOT_SAID.to_owned())
}

fn load(file: &File<'_>, program: &str, config: &Value) -> Result<LevelLoad, Odd> {
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
            // Where nothing is said genai-perf spaces evenly, and aiperf does not.
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

/// Kinds of errors, of which only the first are kept.
fn errors(file: &File<'_>, summary: &[Value]) -> Vec<ErrorCount> {
    const MAX_KINDS: usize = 32;
    let error = |found: &Value| {
        let details = at(found, &["error_details"]).unwrap_or(found);
        let example = text(details, &["message"])
            .or_else(|| text(details, &["type"]))
            .unwrap_or("not said");
        let count = file.whole(found, &["count"], MOST_REQUESTS)?;
        Some(ErrorCount {
            kind: "other".to_owned(),
            count,
            example: super::short(example),
        })
    };
    let errors: Vec<ErrorCount> = summary.iter().take(MAX_KINDS).filter_map(error).collect();
    let left_out = summary.len() - errors.len();
    if left_out > 0 {
        let of = crate::domain::units::counted(summary.len(), "kind");
        file.tell(format!(
            "{left_out} of {of} of errors in the file are left out of the list of errors"
        ));
    }
    errors
}

/// Values multiplied by `scale`, which are `most` at most then.
fn stats(file: &File<'_>, name: &str, of: &Value, scale: f64, most: f64, requests: u64) -> Stats {
    let value = |what: &str| file.judged(name, number(of, &[what])? * scale, 0.0, most);
    let Some(mean) = value("avg") else {
        return Stats::default();
    };
    Stats {
        count: file.whole(of, &["count"], MOST_COUNT).unwrap_or(requests),
        mean: Some(mean),
        sd: value("std"),
        min: value("min"),
        percentiles: Percentiles::from_fn(|percentile| value(&percentile.to_string())),
        max: value("max"),
        ..Stats::default()
    }
}
