//! aiperf's `profile_export_aiperf.json` (aggregates) and `profile_export.jsonl` (a line a request).

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::level::{Found, Origin, blank, figures, measured, seconds, sessions};
use super::{File, amount, anywhere, at, list, nothing, text, whole};
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use crate::domain::plan::{Arrivals, LevelLoad, MOST_CLIENTS, MOST_RATE};
use crate::domain::run::{ErrorCount, Rate, Stats};
use crate::metrics::request::{Phase, RequestError, RequestRecord};
use crate::metrics::timeline::TokenSource;

const TOKENS: &str = "aiperf counts tokens with a tokenizer of its own unless it was told to take the server's: TPOT, \
tokens/s and token counts may differ from the server's `usage`";
const NOT_THERE: &str =
    "Deployment, SambaStack's version and what the client saw of itself are not in the file";

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
    let starts = lines.iter().filter_map(|line| whole(line, &["metadata", "request_start_ns"]));
    let began_ns = starts.min().unwrap_or_default();
    let mut spans = BTreeMap::new();
    let mut records = Vec::new();
    let mut all_gaps = true;
    for line in lines {
        let Some((record, span)) = record(line, records.len() as u64, began_ns) else { continue };
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
    let in_flight = most_in_flight(&records).clamp(1, MOST_CLIENTS);
    let model = "not said in the file".to_owned();
    let load = LevelLoad::Concurrency(in_flight);
    let report = measured(&model, load, &records, &sorted_spans);
    let took_s = records.iter().map(|record| record.ended.as_secs_f64()).fold(0.0, f64::max);
    let origin = Origin {
        source: "aiperf".to_owned(),
        api: String::new(),
        machine: String::new(),
        began: nanos(began_ns).unwrap_or_default(),
        took_s,
        prompt_tokens: None,
        output_tokens: None,
        seed: None,
        stopped: false,
    };
    let mut remarks = vec![
        "TTFT, latency, TPOT and tokens/s were worked out anew from each request by Batida's definitions"
            .to_owned(),
        format!(
            "The model and the load are not in the file: the level is called c={in_flight} after the most requests \
             that were in flight"
        ),
        TOKENS.to_owned(),
    ];
    if !all_gaps {
        remarks.push("Gaps between chunks are not in the file, so that it has no ITL".to_owned());
    }
    remarks.push(NOT_THERE.to_owned());
    let sessions = sessions(file, &origin, vec![Found { model, load, report, records }]);
    Ok(Imported { source: "aiperf".to_owned(), sessions, remarks })
}

fn nanos(n: u64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(n)).ok()
}

fn most_in_flight(records: &[RequestRecord]) -> u32 {
    let mut moments: Vec<(Duration, i32)> =
        records.iter().flat_map(|record| [(record.sent, 1), (record.ended, -1)]).collect();
    // One that ends makes room for one that begins in the same moment.
    moments.sort_unstable();
    let mut now = 0i32;
    let most = moments.into_iter().map(|(_, more)| {
        now += more;
        now
    });
    most.max().and_then(|most| u32::try_from(most).ok()).unwrap_or_default()
}

fn record(line: &Value, index: u64, began_ns: u64) -> Option<(RequestRecord, Option<Duration>)> {
    let metadata = at(line, &["metadata"])?;
    let start = whole(metadata, &["request_start_ns"])?;
    let end = whole(metadata, &["request_end_ns"])?;
    let sent = Duration::from_nanos(start.checked_sub(began_ns)?);
    let took = Duration::from_nanos(end.checked_sub(start)?);
    if sent.max(took) > Duration::from_secs(7 * 86_400) {
        return None;
    }
    let phase = match text(metadata, &["benchmark_phase"]).or_else(|| text(metadata, &["phase_kind"])) {
        Some("warmup") => Phase::Warmup,
        _ => Phase::Measured,
    };
    let metrics = at(line, &["metrics"])?;
    let time = |name: &str| at(metrics, &[name]).and_then(in_seconds).and_then(seconds);
    let count = |name: &str| whole(metrics, &[name, "value"]);
    let cancelled = at(metadata, &["was_cancelled"]).and_then(Value::as_bool) == Some(true);
    let error = at(line, &["error"]);
    let failed = error.is_some() || cancelled;
    let ttft = time("time_to_first_token");
    let latency = time("request_latency").unwrap_or(took);
    // With reasoning; `output_token_count` is the answer's alone.
    let server = count("usage_completion_tokens");
    let tokens = server.or_else(|| count("output_sequence_length")).or_else(|| count("output_token_count"));
    let mut figures = figures(ttft, (!failed).then_some(latency), tokens, TokenSource::Usage);
    figures.first_answer = time("time_to_first_output_token");
    figures.prompt_tokens = count("usage_prompt_tokens").or_else(|| count("input_sequence_length"));
    let chunk_gaps = at(metrics, &["inter_chunk_latency"]);
    let scale = chunk_gaps.and_then(|gaps| text(gaps, &["unit"])).and_then(unit).unwrap_or(1e-3);
    let gaps = chunk_gaps.map_or(&[][..], |gaps| list(gaps, &["value"]));
    let gaps: Vec<Duration> =
        gaps.iter().filter_map(Value::as_f64).filter_map(|gap| seconds(gap * scale)).collect();
    figures.longest_gap = gaps.iter().max().copied();
    let sum: Duration = gaps.iter().fold(Duration::ZERO, |sum, gap| sum.saturating_add(*gap));
    figures.itl = u32::try_from(gaps.len()).ok().filter(|n| *n > 0).map(|n| sum / n);
    let span = ttft.map(|ttft| latency.saturating_sub(ttft));
    let chunks =
        if gaps.is_empty() { count("output_chunk_count").unwrap_or(2) } else { gaps.len() as u64 + 1 };
    let error = failed.then(|| RequestError {
        class: cancelled.then_some(crate::domain::failure::FaultClass::Cancelled),
        status: error
            .and_then(|error| whole(error, &["code"]))
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
        gaps_us: gaps.iter().map(|gap| u32::try_from(gap.as_micros()).unwrap_or(u32::MAX)).collect(),
        chunks: if failed { 0 } else { chunks },
        bytes: 0,
        wanted_prompt_tokens: None,
        answered_by: None,
        error,
    };
    Some((record, span))
}

/// `{value, unit}` in seconds.
fn in_seconds(metric: &Value) -> Option<f64> {
    Some(amount(metric, &["value"])? * unit(text(metric, &["unit"])?)?)
}

/// In seconds.
fn unit(name: &str) -> Option<f64> {
    match name {
        "ns" | "nanoseconds" => Some(1e-9),
        "us" | "µs" | "microseconds" => Some(1e-6),
        "ms" | "milliseconds" => Some(1e-3),
        "s" | "sec" | "seconds" => Some(1.0),
        _ => None,
    }
}

// ---- aggregates ---------------------------------------------------------------------------------------

pub(super) fn read_summary(file: &File<'_>, value: &Value) -> Result<Imported, Failure> {
    let version = text(value, &["aiperf_version"]);
    let source = version.map_or("aiperf".to_owned(), |version| format!("aiperf {version}"));
    let config = at(value, &["input_config"]).unwrap_or(&Value::Null);
    let model = model(config);
    let load = load(config);
    let metric = |name: &str| at(value, &[name]);
    let rate = |name: &str| amount(value, &[name, "avg"]).map(|mean| Rate { mean, ci: None });
    let ok = whole(value, &["request_count", "avg"])
        .or_else(|| whole(value, &["request_latency", "count"]))
        .unwrap_or_default();
    let failed = whole(value, &["error_request_count", "avg"]).unwrap_or_default();
    if ok.saturating_add(failed) == 0 {
        return Err(nothing(file, "aiperf"));
    }
    let mut report = blank(&model, load);
    report.requests.ok = ok;
    report.requests.failed = failed;
    report.requests.ended = ok.saturating_add(failed);
    report.requests.errors = list(value, &["error_summary"]).iter().take(32).map(error).collect();
    let time = |name: &str| metric(name).map(|of| stats(of, 1e3, ok)).unwrap_or_default();
    report.ttft_ms = time("time_to_first_token");
    report.first_answer_ms = time("time_to_first_output_token");
    report.latency_ms = time("request_latency");
    // Its gaps where it has them; its "inter token latency" is what we call TPOT.
    report.itl_ms = time("inter_chunk_latency");
    report.tpot_ms = time("inter_token_latency");
    let plain = |name: &str| metric(name).map(|of| stats(of, 1.0, ok)).unwrap_or_default();
    report.user_tokens_per_s = plain("output_token_throughput_per_user");
    // The server's own counts where they are there.
    let counts = |server: &str, own: &str| if metric(server).is_some() { plain(server) } else { plain(own) };
    report.output_tokens = counts("usage_completion_tokens", "output_sequence_length");
    report.prompt_tokens = counts("usage_prompt_tokens", "input_sequence_length");
    report.reasoning_tokens = counts("usage_reasoning_tokens", "reasoning_token_count");
    report.concurrency.reached = amount(value, &["effective_concurrency", "avg"]);
    report.throughput.output_tokens_per_s = rate("output_token_throughput");
    report.throughput.total_tokens_per_s = rate("total_token_throughput");
    report.throughput.requests_per_s = rate("request_throughput");
    let moment = |name: &str| text(value, &[name]).and_then(moment);
    let [began, ended] = ["start_time", "end_time"].map(moment);
    let between = || Some(ended?.duration_since(began?).as_secs_f64());
    let took_s =
        metric("benchmark_duration").and_then(|of| Some(amount(of, &["avg"])? * unit(text(of, &["unit"])?)?));
    report.took_s = took_s.or_else(between).unwrap_or_default().clamp(0.0, 3e7);
    let has_gaps = report.itl_ms.count > 0;
    let api = |value: &Value| {
        let first = value.as_array().and_then(|list| list.first()).unwrap_or(value);
        first.as_str().filter(|url| !url.is_empty()).map(str::to_owned)
    };
    let origin = Origin {
        source: source.clone(),
        api: anywhere(config, "urls", &api).or_else(|| anywhere(config, "url", &api)).unwrap_or_default(),
        machine: String::new(),
        began: began.unwrap_or_default(),
        took_s: report.took_s,
        prompt_tokens: None,
        output_tokens: None,
        seed: anywhere(value, "random_seed", &Value::as_u64),
        stopped: at(value, &["was_cancelled"]).and_then(Value::as_bool) == Some(true),
    };
    let mut remarks = vec![
        "The file holds aggregates alone: no 95 % intervals, no distributions and no single requests; \
         profile_export.jsonl (`--export-level records`) has them"
            .to_owned(),
        "What aiperf calls inter token latency is the mean of each answer, which is TPOT here".to_owned(),
        TOKENS.to_owned(),
        "Throughput is over the whole run, its beginning and its end included".to_owned(),
    ];
    if !has_gaps {
        remarks.push("Gaps between chunks are not in the file, so that it has no ITL".to_owned());
    }
    remarks.push(NOT_THERE.to_owned());
    let sessions = sessions(file, &origin, vec![Found { model, load, report, records: Vec::new() }]);
    Ok(Imported { source, sessions, remarks })
}

/// With a zone, or without one: then it is taken as UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let zoned = text.parse::<Timestamp>().ok();
    let plain = || {
        let at: jiff::civil::DateTime = text.parse().ok()?;
        at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp())
    };
    zoned.or_else(plain)
}

fn model(config: &Value) -> String {
    let name = |value: &Value| match value {
        Value::String(name) if !name.is_empty() => Some(name.clone()),
        Value::Array(list) => list
            .first()
            .and_then(|first| first.as_str().or_else(|| text(first, &["name"])).map(str::to_owned)),
        Value::Object(_) => {
            let first = list(value, &["items"]).first().unwrap_or(value);
            text(first, &["name"]).map(str::to_owned)
        }
        _ => None,
    };
    ["model_names", "model_name", "models", "model"]
        .iter()
        .find_map(|key| anywhere(config, key, &name))
        .unwrap_or_else(|| "not said in the file".to_owned())
}

fn load(config: &Value) -> LevelLoad {
    let clients = anywhere(config, "concurrency", &Value::as_u64)
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| (1..=MOST_CLIENTS).contains(n));
    let rate = anywhere(config, "request_rate", &Value::as_f64)
        .or_else(|| anywhere(config, "rate", &Value::as_f64))
        .filter(|rate| rate.is_finite() && *rate > 0.0);
    match rate {
        Some(rate) => {
            let constant = |value: &Value| (value.as_str() == Some("constant")).then_some(());
            let mode = ["request_rate_mode", "arrival_pattern", "type"]
                .iter()
                .any(|key| anywhere(config, key, &constant).is_some());
            let arrivals = if mode { Arrivals::Constant } else { Arrivals::Poisson };
            LevelLoad::Rate { per_sec: rate.clamp(0.001, MOST_RATE), arrivals, most_in_flight: clients }
        }
        None => LevelLoad::Concurrency(clients.unwrap_or(1)),
    }
}

fn error(found: &Value) -> ErrorCount {
    let details = at(found, &["error_details"]).unwrap_or(found);
    let example = text(details, &["message"]).or_else(|| text(details, &["type"])).unwrap_or("not said");
    ErrorCount {
        kind: "other".to_owned(),
        count: whole(found, &["count"]).unwrap_or(1),
        example: super::short(example),
    }
}

/// In thousandths of seconds when `factor` is 1000, else as it is.
fn stats(of: &Value, factor: f64, requests: u64) -> Stats {
    let scale = if factor > 1.0 { text(of, &["unit"]).and_then(unit).unwrap_or(1e-3) * factor } else { 1.0 };
    let value = |name: &str| amount(of, &[name]).map(|value| value * scale);
    let Some(mean) = value("avg") else { return Stats::default() };
    Stats {
        count: whole(of, &["count"]).unwrap_or(requests),
        mean: Some(mean),
        sd: value("std"),
        min: value("min"),
        p1: value("p1"),
        p5: value("p5"),
        p10: value("p10"),
        p25: value("p25"),
        p50: value("p50"),
        p75: value("p75"),
        p90: value("p90"),
        p95: value("p95"),
        p99: value("p99"),
        max: value("max"),
        ..Stats::default()
    }
}
