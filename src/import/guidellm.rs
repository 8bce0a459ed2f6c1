//! guidellm's `benchmarks.json`, from 0.2 to 0.8: single requests where they were kept, else its aggregates.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::level::{
    Asked, Found, Origin, blank, figures, if_any_time, lengths, measured, seconds, sessions,
};
use super::{File, amount, anywhere, at, list, nothing, text, whole};
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use crate::domain::plan::{Arrivals, Ends, LevelLoad, MOST_CLIENTS, MOST_RATE};
use crate::domain::run::{ErrorCount, Rate, Stats};
use crate::metrics::request::{Phase, RequestError, RequestRecord};
use crate::metrics::timeline::TokenSource;

pub(super) fn is(value: &Value) -> bool {
    let first = list(value, &["benchmarks"]).first();
    at(value, &["metadata", "guidellm_version"]).is_some()
        || first.is_some_and(|first| {
            text(first, &["type_"]).is_some_and(|kind| kind.starts_with("generative"))
                || at(first, &["metrics", "time_to_first_token_ms"]).is_some()
        })
}

pub(super) fn read(file: &File<'_>, mut values: Vec<Value>) -> Result<Imported, Failure> {
    let rest = values.split_off(1);
    let Some(mut value) = values.pop() else {
        return Err(nothing(file, "guidellm"));
    };
    // Reports of several runs in one file are one report of all their benchmarks.
    if let Some(benchmarks) = value.get_mut("benchmarks").and_then(Value::as_array_mut) {
        benchmarks.extend(
            rest.iter()
                .filter(|value| is(value))
                .flat_map(|value| list(value, &["benchmarks"]))
                .cloned(),
        );
    }
    let value = &value;
    let benchmarks = list(value, &["benchmarks"]);
    let version = text(value, &["metadata", "guidellm_version"]);
    let source = version.map_or("guidellm".to_owned(), |version| {
        format!("guidellm {version}")
    });
    let as_text = |value: &Value| {
        value
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let began = benchmarks.iter().filter_map(began).reduce(f64::min);
    let ended = benchmarks
        .iter()
        .filter_map(|benchmark| amount(benchmark, &["end_time"]))
        .reduce(f64::max);
    let began_s = began.unwrap_or_default();
    let mut found = Vec::new();
    let (mut all_single, mut any_single) = (true, false);
    for (place, benchmark) in benchmarks.iter().enumerate() {
        let name = |of: &Value| {
            anywhere(of, "model", &as_text).or_else(|| anywhere(of, "backend_model", &as_text))
        };
        // Where a benchmark does not say it, the file's settings may.
        let model = ["config", "args", "benchmarker", "worker"]
            .iter()
            .filter_map(|place| at(benchmark, &[place]));
        let settings = ["config", "args"]
            .iter()
            .filter_map(|place| at(value, &[place]));
        let model = model
            .chain(settings)
            .find_map(name)
            .unwrap_or_else(|| super::NOT_SAID.to_owned());
        let load = load(benchmark)
            .or_else(|| load_of_all(value, place))
            .unwrap_or(LevelLoad::Unknown);
        let level = level(benchmark, model, load, began_s);
        all_single &= !level.records.is_empty();
        any_single |= !level.records.is_empty();
        found.push(level);
    }
    found.retain(|level| level.report.requests.ended > 0);
    if found.is_empty() {
        return Err(nothing(file, "guidellm"));
    }
    let api = |value: &Value| as_text(value).filter(|text| text.starts_with("http"));
    let origin = Origin {
        source: source.clone(),
        api: anywhere(value, "target", &api).unwrap_or_default(),
        machine: text(value, &["metadata", "platform"]).map(str::to_owned),
        began: began.and_then(moment),
        took_s: ended
            .zip(began)
            .map(|(ended, began)| (ended - began).clamp(0.0, 3e7)),
        asked: asked(value, benchmarks),
        tags: Vec::new(),
        stopped: false,
    };
    let late = found
        .iter()
        .filter(|level| level.load.is_open())
        .flat_map(|level| &level.records);
    let late = late.map(RequestRecord::late).max();
    let rates = found
        .iter()
        .any(|level| matches!(level.load, LevelLoad::Rate { .. }));
    let unknown = found.iter().any(|level| level.load == LevelLoad::Unknown);
    let whole = found.iter().all(|level| level.report.ttft_ms.count == 0);
    let sessions = sessions(file, &origin, found);
    let mut remarks: Vec<String> = Vec::new();
    let mut say = |text: &str| remarks.push(text.to_owned());
    if whole {
        say("No answer streamed: there is no TTFT, no ITL and no TPOT");
    } else {
        say(
            "guidellm's TTFT begins after its connection is open and its pool let the request through: what was \
             waited there is missing from it",
        );
        say(
            "The file holds no gaps between chunks: ITL is the mean of each answer, so that a stall disappears in it",
        );
    }
    if any_single {
        say(
            "TTFT, latency, TPOT and tokens/s were worked out anew from its single requests by Batida's definitions",
        );
    }
    match late {
        Some(late) if late > Duration::from_millis(1) => say(&format!(
            "guidellm itself sent requests up to {} after they were due. TTFT and latency at a rate count from when a \
             request was due, so that this lateness is in them, and not in guidellm's own figures",
            crate::domain::units::duration(late)
        )),
        None if rates => say(
            "At a rate the figures count from when a request left: how late guidellm itself sent it is not in them",
        ),
        _ => {}
    }
    if !all_single {
        say(
            "Where no single requests are in the file its own percentiles are shown: its TPOT has TTFT inside, and \
             there are no 95 % intervals and no distributions",
        );
    }
    if unknown {
        say("The file does not say under which load it was measured");
    }
    if sessions.len() > 1 {
        say(&format!(
            "Its sweep is kept as {} sessions, one for each kind of load",
            sessions.len()
        ));
    }
    say("Deployment, SambaStack's version and what the client saw of itself are not in the file");
    Ok(Imported {
        source,
        sessions,
        remarks,
    })
}

/// What the settings say, wherever a version keeps them.
fn asked(value: &Value, benchmarks: &[Value]) -> Asked {
    let places = ["config", "args"]
        .iter()
        .filter_map(|place| at(value, &[place]));
    let inner = benchmarks.iter().flat_map(|benchmark| {
        [
            &["config", "requests"][..],
            &["config", "constraints"],
            &["request_loader"],
            &["args"],
        ]
        .into_iter()
        .filter_map(|path| at(benchmark, path))
    });
    let places: Vec<&Value> = places.chain(inner).collect();
    let number = |names: &[&str]| {
        let mut pairs = places
            .iter()
            .flat_map(|place| names.iter().map(move |name| (*place, *name)));
        pairs.find_map(|(place, name)| setting(place, name))
    };
    let count = |names: &[&str]| number(names).filter(|n| *n >= 1.0).map(|n| n as u64);
    let time = number(&["max_seconds", "max_duration"])
        .filter(|n| *n > 0.0)
        .and_then(seconds);
    Asked {
        prompt_tokens: lengths(number(&["prompt_tokens"]), number(&["prompt_tokens_stdev"])),
        output_tokens: lengths(number(&["output_tokens"]), number(&["output_tokens_stdev"])),
        seed: anywhere(value, "random_seed", &Value::as_u64),
        ends: Ends {
            requests: count(&["max_requests", "max_number"]),
            after: time,
            error_share: None,
        },
        ..Asked::default()
    }
}

/// A number of that name, as a value or within a text such as `prompt_tokens=400,output_tokens=128`.
fn setting(place: &Value, name: &str) -> Option<f64> {
    let within = |text: &str| {
        let mut rest = text;
        while let Some(found) = rest.find(name) {
            let before = rest[..found].chars().next_back();
            rest = &rest[found + name.len()..];
            let value = rest.trim_start_matches(['"', '\'', ' ']);
            if let Some(value) = value.strip_prefix(['=', ':'])
                && !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            {
                let value = value.trim_start();
                let end = value
                    .find(|c: char| !(c.is_ascii_digit() || c == '.'))
                    .unwrap_or(value.len());
                return value[..end].parse().ok();
            }
        }
        None
    };
    match place {
        Value::Object(fields) => fields
            .get(name)
            .and_then(|value| value.as_f64().filter(|n| n.is_finite()))
            .or_else(|| fields.values().find_map(|inner| setting(inner, name))),
        Value::Array(items) => items.iter().take(64).find_map(|inner| setting(inner, name)),
        Value::String(text) if text.len() < 10_000 => within(text),
        _ => None,
    }
}

fn began(benchmark: &Value) -> Option<f64> {
    amount(benchmark, &["start_time"])
        .or_else(|| amount(benchmark, &["scheduler_metrics", "start_time"]))
        .or_else(|| amount(benchmark, &["run_stats", "start_time"]))
}

fn moment(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_millisecond((seconds * 1e3) as i64).ok()
}

/// The load of a benchmark, where it says it: `None` for a strategy that is missing or unknown.
fn load(benchmark: &Value) -> Option<LevelLoad> {
    let places = [
        &["config", "strategy"][..],
        &["args", "strategy"],
        &["scheduler", "strategy"],
        &["strategy"],
    ];
    let strategy = places.iter().find_map(|path| at(benchmark, path))?;
    let kind = text(strategy, &["type_"])
        .or_else(|| text(strategy, &["type"]))
        .or_else(|| strategy.as_str())?;
    let most = |name: &str| clients(at(strategy, &[name])?);
    strategy_load(
        kind,
        most("streams"),
        amount(strategy, &["rate"]),
        most("max_concurrency"),
    )
}

fn clients(value: &Value) -> Option<u32> {
    whole(value, &[])
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| (1..=MOST_CLIENTS).contains(n))
}

/// The load that the file's settings give to its benchmark at this place.
fn load_of_all(value: &Value, place: usize) -> Option<LevelLoad> {
    let args = at(value, &["args"]).or_else(|| at(value, &["config"]))?;
    let profile = at(args, &["profile"]).or_else(|| at(args, &["rate_type"]))?;
    let kind = profile.as_str().or_else(|| text(profile, &["type_"]))?;
    let nth = |name: &str| match at(args, &[name]).or_else(|| at(profile, &[name]))? {
        Value::Array(items) => items.get(place)?.as_f64(),
        one => one.as_f64().filter(|_| place == 0),
    };
    let rate = nth("rate")
        .or_else(|| nth("streams"))
        .filter(|rate| rate.is_finite() && *rate > 0.0);
    let streams = rate
        .map(|rate| rate as u32)
        .filter(|n| (1..=MOST_CLIENTS).contains(n));
    strategy_load(
        kind,
        streams,
        rate,
        at(args, &["max_concurrency"]).and_then(clients),
    )
}

fn strategy_load(
    kind: &str,
    streams: Option<u32>,
    rate: Option<f64>,
    most_in_flight: Option<u32>,
) -> Option<LevelLoad> {
    let rate = |arrivals| {
        let per_sec = rate?.clamp(0.001, MOST_RATE);
        Some(LevelLoad::Rate {
            per_sec,
            arrivals,
            most_in_flight,
        })
    };
    match kind {
        "synchronous" => Some(LevelLoad::Concurrency(1)),
        "concurrent" => streams.or(most_in_flight).map(LevelLoad::Concurrency),
        "throughput" => Some(LevelLoad::Max {
            in_flight: most_in_flight.unwrap_or(0),
        }),
        "constant" | "async" => rate(Arrivals::Constant),
        "poisson" => rate(Arrivals::Poisson),
        "trace" | "replay" => Some(LevelLoad::Trace { most_in_flight }),
        // A sweep is made of the strategies above, which its benchmarks name.
        _ => None,
    }
}

fn level(benchmark: &Value, model: String, load: LevelLoad, began: f64) -> Found {
    let mut spans = BTreeMap::new();
    let mut records = Vec::new();
    for kind in ["successful", "errored"] {
        for request in list(benchmark, &["requests", kind]) {
            let index = records.len() as u64;
            if let Some((record, span)) = record(request, index, began, &load, kind == "errored") {
                spans.extend(span.map(|span| (index, span)));
                records.push(record);
            }
        }
    }
    let metrics = at(benchmark, &["metrics"]).unwrap_or(&Value::Null);
    let totals = ["request_totals", "requests"].iter().find_map(|name| {
        let of = at(benchmark, &[name])
            .filter(|of| of.is_object())
            .or_else(|| at(metrics, &[name]))?;
        Some([
            whole(of, &["successful"])?,
            whole(of, &["errored"]).unwrap_or_default(),
        ])
    });
    let state = || {
        let of = at(benchmark, &["scheduler_state"])?;
        Some([
            whole(of, &["successful_requests"])?,
            whole(of, &["errored_requests"]).unwrap_or_default(),
        ])
    };
    let count = |name| list(benchmark, &["requests", name]).len() as u64;
    let [ok, failed] = totals
        .or_else(state)
        .unwrap_or_else(|| [count("successful"), count("errored")]);
    let incomplete = ["request_totals", "requests"].iter().find_map(|name| {
        let of = at(benchmark, &[name])
            .filter(|of| of.is_object())
            .or_else(|| at(metrics, &[name]))?;
        whole(of, &["incomplete"])
    });
    // Requests may be a sample of those that were sent: then the aggregates are of more.
    let whole_set = records.len() as u64 >= ok.saturating_add(failed);
    let mut report = if whole_set {
        measured(&model, load, &records, &spans)
    } else {
        blank(&model, load)
    };
    let own = |name: &str, factor: f64| stats(at(metrics, &[name, "successful"]), factor);
    report.itl_ms = if_any_time(own("inter_token_latency_ms", 1.0));
    report.requests.aborted = incomplete.unwrap_or_else(|| count("incomplete"));
    if !whole_set {
        records.clear();
        report.requests.ok = ok;
        report.requests.failed = failed;
        report.requests.ended = ok.saturating_add(failed);
        if failed > 0 {
            let example = list(benchmark, &["requests", "errored"])
                .first()
                .and_then(error_text);
            let example = super::short(example.unwrap_or(super::NOT_SAID));
            report.requests.errors = vec![ErrorCount {
                kind: "other".to_owned(),
                count: failed,
                example,
            }];
        }
        report.ttft_ms = if_any_time(own("time_to_first_token_ms", 1.0));
        report.tpot_ms = if_any_time(own("time_per_output_token_ms", 1.0));
        report.latency_ms = if_any_time(own("request_latency", 1e3));
        report.prompt_tokens = own("prompt_token_count", 1.0);
        report.output_tokens = own("output_token_count", 1.0);
        let mean = |name: &str| {
            amount(metrics, &[name, "successful", "mean"]).map(|mean| Rate { mean, ci: None })
        };
        report.throughput.output_tokens_per_s = mean("output_tokens_per_second");
        report.throughput.total_tokens_per_s = mean("tokens_per_second");
        report.throughput.requests_per_s = mean("requests_per_second");
        report.concurrency.reached =
            amount(metrics, &["request_concurrency", "successful", "mean"]);
        let start = super::guidellm::began(benchmark).unwrap_or(began);
        report.began_s = (start - began).clamp(0.0, 3e7);
        report.took_s = amount(benchmark, &["duration"])
            .unwrap_or_default()
            .min(3e7);
    }
    Found {
        model,
        load,
        report,
        records,
    }
}

/// A request, and how long its text came. Versions before 0.4 have the moments beside the rest.
fn record(
    request: &Value,
    index: u64,
    began: f64,
    load: &LevelLoad,
    failed: bool,
) -> Option<(RequestRecord, Option<Duration>)> {
    let timings = at(request, &["info", "timings"])
        .or_else(|| at(request, &["scheduler_info", "request_timings"]));
    let timings = timings.unwrap_or(request);
    let time = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| amount(timings, &[name]).or_else(|| amount(request, &[name])))
    };
    let start = time(&["request_start", "request_start_time", "start_time"])?;
    let end = time(&["request_end", "request_end_time", "end_time"])?;
    let first = time(&[
        "first_token_iteration",
        "first_iteration",
        "first_token_time",
    ]);
    let last = time(&["last_token_iteration", "last_iteration", "last_token_time"]);
    let answer = time(&["first_output_token_iteration"]);
    let since = |at: f64| seconds(at - start);
    let sent = seconds((start - began).max(0.0))?;
    let latency = since(end)?;
    // A trace and a rate have moments when requests are due, from which ours count.
    let due = time(&["targeted_start"])
        .filter(|_| load.is_open())
        .and_then(|at| seconds(at - began));
    let tokens = whole(request, &["output_tokens"])
        .or_else(|| whole(request, &["output_metrics", "text_tokens"]));
    let prompt = whole(request, &["prompt_tokens"])
        .or_else(|| whole(request, &["input_metrics", "text_tokens"]));
    let chunks = whole(timings, &["token_iterations"]).or_else(|| whole(timings, &["iterations"]));
    // An answer that came whole has no first token to wait for.
    let first = first.filter(|first| *first < end || tokens.is_none_or(|n| n < 2));
    let span = first
        .zip(last)
        .and_then(|(first, last)| seconds(last - first));
    let mut figures = figures(
        first.and_then(since),
        (!failed).then_some(latency),
        tokens,
        TokenSource::Usage,
    );
    figures.first_answer = answer.and_then(since);
    figures.prompt_tokens = prompt;
    figures.cached_tokens = whole(request, &["cached_tokens"]);
    figures.itl = chunks
        .filter(|n| *n > 1)
        .and_then(|n| span.map(|span| span.div_f64((n - 1) as f64)));
    let error = failed.then(|| RequestError {
        class: None,
        status: None,
        text: super::short(error_text(request).unwrap_or(super::NOT_SAID)),
    });
    let record = RequestRecord {
        index,
        level: 0,
        phase: Phase::Measured,
        due: due.unwrap_or(sent).min(sent),
        sent,
        ended: sent + latency,
        figures,
        first_byte: None,
        gaps_us: Vec::new(),
        chunks: chunks.unwrap_or_default(),
        bytes: 0,
        wanted_prompt_tokens: None,
        answered_by: None,
        reconnected: false,
        error,
    };
    Some((record, span))
}

fn error_text(request: &Value) -> Option<&str> {
    text(request, &["info", "error"]).or_else(|| text(request, &["error"]))
}

/// Its aggregates. `p001` is the 0.1th percentile there, `p01` the first.
fn stats(of: Option<&Value>, factor: f64) -> Stats {
    let Some(of) = of else {
        return Stats::default();
    };
    let count = whole(of, &["count"]).unwrap_or_default();
    if count == 0 {
        return Stats::default();
    }
    let value = |path: &[&str]| amount(of, path).map(|value| value * factor);
    let percentile = |name: &str| value(&["percentiles", name]);
    Stats {
        count,
        mean: value(&["mean"]),
        sd: value(&["std_dev"]),
        min: value(&["min"]),
        p1: percentile("p01"),
        p5: percentile("p05"),
        p10: percentile("p10"),
        p25: percentile("p25"),
        p50: percentile("p50").or_else(|| value(&["median"])),
        p75: percentile("p75"),
        p90: percentile("p90"),
        p95: percentile("p95"),
        p99: percentile("p99"),
        p99_9: percentile("p999"),
        max: value(&["max"]),
        ..Stats::default()
    }
}
