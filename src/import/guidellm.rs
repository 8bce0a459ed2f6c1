//! guidellm's `benchmarks.json`, from 0.2 to 0.8: single requests where they were kept, else its aggregates.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::level::{
    Asked, Found, Origin, blank, clients, figures, if_any_time, lengths, measured, per_second,
    seconds, sessions, with_requests,
};
use super::sound::{
    LONGEST_REQUEST, LONGEST_RUN, MOST_COUNT, MOST_IN_FLIGHT, MOST_PER_SECOND, MOST_PROMPT,
    MOST_REQUESTS, Odd, timestamp,
};
use super::vllm::LATENCY_AGAIN;
use super::{File, anywhere, at, list, nothing, number, text};
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use crate::domain::plan::{Arrivals, Ends, LevelLoad, MOST_TOKENS};
use crate::domain::run::{ErrorCount, Rate, Stats};
use crate::domain::stats::{P50, Percentile, Percentiles};
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

pub(super) fn read(file: &File<'_>, values: &[Value]) -> Result<Imported, Failure> {
    let runs = file.only(values, "guidellm", is);
    let Some(value) = runs.first().copied() else {
        return Err(nothing(file, "guidellm"));
    };
    // Reports of several runs in one file are one report of all their benchmarks.
    let benchmarks: Vec<&Value> = runs
        .iter()
        .flat_map(|run| list(run, &["benchmarks"]))
        .collect();
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
    let began = benchmarks
        .iter()
        .filter_map(|benchmark| began(file, benchmark))
        .reduce(f64::min);
    let ends = benchmarks
        .iter()
        .filter_map(|benchmark| file.moment(benchmark, &["end_time"]));
    let ended = ends.reduce(f64::max);
    // Where a run's beginning is not said its first request is one.
    let began = began.or_else(|| {
        let requests = benchmarks
            .iter()
            .flat_map(|benchmark| ["successful", "errored"].map(|kind| (*benchmark, kind)));
        let requests = requests.flat_map(|(benchmark, kind)| list(benchmark, &["requests", kind]));
        requests
            .filter_map(|request| moment_of(file, request, &START))
            .reduce(f64::min)
    });
    let began_s = began.unwrap_or_default();
    let mut found = Vec::new();
    let (mut all_single, mut any_single) = (true, false);
    for (place, benchmark) in benchmarks.iter().copied().enumerate() {
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
        // A load of which one number cannot be right is not the load of the others.
        let said = load(file, benchmark)
            .transpose()
            .or_else(|| load_of_all(file, value, place).transpose());
        let load = said.and_then(Result::ok).unwrap_or(LevelLoad::Unknown);
        let level = level(file, benchmark, model, load, began_s);
        all_single &= !level.records.is_empty();
        any_single |= !level.records.is_empty();
        found.push(level);
    }
    let found = with_requests(file, found);
    if found.is_empty() {
        return Err(nothing(file, "guidellm"));
    }
    let api = |value: &Value| as_text(value).filter(|text| text.starts_with("http"));
    let origin = Origin {
        source: source.clone(),
        api: anywhere(value, "target", &api).unwrap_or_default(),
        machine: text(value, &["metadata", "platform"]).map(str::to_owned),
        began: began.and_then(timestamp),
        took_s: ended
            .zip(began)
            .and_then(|(ended, began)| file.judged("end_time", ended - began, 0.0, LONGEST_RUN)),
        asked: asked(file, value, &benchmarks),
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
        say(super::NO_TTFT);
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
fn asked(file: &File<'_>, value: &Value, benchmarks: &[&Value]) -> Asked {
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
    let lengths = |name: &str| {
        lengths(
            file,
            name,
            number(&[name]),
            number(&[format!("{name}_stdev").as_str()]),
        )
    };
    let requests = number(&["max_requests", "max_number"]);
    let requests = requests.and_then(|n| file.judged("max_requests", n, 1.0, MOST_REQUESTS as f64));
    let after = number(&["max_seconds", "max_duration"]).filter(|n| *n != 0.0);
    Asked {
        prompt_tokens: lengths("prompt_tokens"),
        output_tokens: lengths("output_tokens"),
        seed: anywhere(value, "random_seed", &Value::as_u64),
        ends: Ends {
            requests: requests.map(|n| n.round() as u64),
            after: after.and_then(|n| file.span("max_seconds", n)),
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

fn began(file: &File<'_>, benchmark: &Value) -> Option<f64> {
    file.moment(benchmark, &["start_time"])
        .or_else(|| file.moment(benchmark, &["scheduler_metrics", "start_time"]))
        .or_else(|| file.moment(benchmark, &["run_stats", "start_time"]))
}

/// The load of a benchmark, where it says it: `None` for a strategy that is missing or unknown.
///
/// # Errors
/// When it says one that cannot be right.
fn load(file: &File<'_>, benchmark: &Value) -> Result<Option<LevelLoad>, Odd> {
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

/// The load that the file's settings give to its benchmark at this place.
///
/// # Errors
/// When they say one that cannot be right.
fn load_of_all(file: &File<'_>, value: &Value, place: usize) -> Result<Option<LevelLoad>, Odd> {
    let Some(args) = at(value, &["args"]).or_else(|| at(value, &["config"])) else {
        return Ok(None);
    };
    let Some(profile) = at(args, &["profile"]).or_else(|| at(args, &["rate_type"])) else {
        return Ok(None);
    };
    let kind = profile.as_str().or_else(|| text(profile, &["type_"]));
    let nth = |name: &str| match at(args, &[name]).or_else(|| at(profile, &[name]))? {
        Value::Array(items) => items.get(place)?.as_f64(),
        one => one.as_f64().filter(|_| place == 0),
    };
    let rate = nth("rate").or_else(|| nth("streams"));
    strategy_load(file, kind, rate, rate, number(args, &["max_concurrency"]))
}

fn strategy_load(
    file: &File<'_>,
    kind: Option<&str>,
    streams: Option<f64>,
    rate: Option<f64>,
    most_in_flight: Option<f64>,
) -> Result<Option<LevelLoad>, Odd> {
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
        // A sweep is made of the strategies above, which its benchmarks name.
        _ => None,
    })
}

fn level(file: &File<'_>, benchmark: &Value, model: String, load: LevelLoad, began: f64) -> Found {
    let mut spans = BTreeMap::new();
    let mut records = Vec::new();
    let requests = ["successful", "errored"].into_iter().flat_map(|kind| {
        list(benchmark, &["requests", kind])
            .iter()
            .map(move |request| (kind == "errored", request))
    });
    let read = requests.map(|(failed, request)| record(file, request, began, &load, failed));
    for (index, (mut record, span)) in (0..).zip(file.sound(read)) {
        record.index = index;
        spans.extend(span.map(|span| (index, span)));
        records.push(record);
    }
    let metrics = at(benchmark, &["metrics"]).unwrap_or(&Value::Null);
    // Where the failed ones are not named there are none.
    let both = |of: &Value, [ok, failed]: [&str; 2]| {
        let count = |name: &str| file.whole(of, &[name], MOST_REQUESTS);
        Some([
            count(ok)?,
            if at(of, &[failed]).is_some() {
                count(failed)?
            } else {
                0
            },
        ])
    };
    let totals = ["request_totals", "requests"].iter().find_map(|name| {
        let of = at(benchmark, &[name])
            .filter(|of| of.is_object())
            .or_else(|| at(metrics, &[name]))?;
        both(of, ["successful", "errored"])
    });
    let state = || {
        let of = at(benchmark, &["scheduler_state"])?;
        both(of, ["successful_requests", "errored_requests"])
    };
    let count = |name| list(benchmark, &["requests", name]).len() as u64;
    let [ok, failed] = totals
        .or_else(state)
        .unwrap_or_else(|| [count("successful"), count("errored")]);
    let incomplete = ["request_totals", "requests"].iter().find_map(|name| {
        let of = at(benchmark, &[name])
            .filter(|of| of.is_object())
            .or_else(|| at(metrics, &[name]))?;
        file.whole(of, &["incomplete"], MOST_REQUESTS)
    });
    // Requests may be a sample of those that were sent: then the aggregates are of more.
    let whole_set = records.len() as u64 >= ok + failed;
    let mut report = if whole_set {
        measured(&model, load, &records, &spans)
    } else {
        blank(&model, load)
    };
    let own = |name: &str, factor: f64, most: f64| {
        at(metrics, &[name, "successful"])
            .map(|of| stats(file, name, of, factor, most))
            .unwrap_or_default()
    };
    let own_time = |name: &str, factor: f64| if_any_time(own(name, factor, LONGEST_REQUEST * 1e3));
    report.itl_ms = own_time("inter_token_latency_ms", 1.0);
    report.requests.aborted = incomplete.unwrap_or_else(|| count("incomplete"));
    if !whole_set {
        records.clear();
        report.requests.ok = ok;
        report.requests.failed = failed;
        report.requests.ended = ok + failed;
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
        report.ttft_ms = own_time("time_to_first_token_ms", 1.0);
        report.tpot_ms = own_time("time_per_output_token_ms", 1.0);
        report.latency_ms = own_time("request_latency", 1e3);
        report.prompt_tokens = own("prompt_token_count", 1.0, MOST_COUNT as f64);
        report.output_tokens = own("output_token_count", 1.0, MOST_COUNT as f64);
        let average = |name: &str, most: f64| {
            file.judged(
                name,
                number(metrics, &[name, "successful", "mean"])?,
                0.0,
                most,
            )
        };
        let mean = |name: &str| average(name, MOST_PER_SECOND).map(|mean| Rate { mean, ci: None });
        report.throughput.output_tokens_per_s = mean("output_tokens_per_second");
        report.throughput.total_tokens_per_s = mean("tokens_per_second");
        report.throughput.requests_per_s = mean("requests_per_second");
        report.concurrency.reached = average("request_concurrency", MOST_IN_FLIGHT);
        let start = super::guidellm::began(file, benchmark).unwrap_or(began);
        report.began_s = file
            .judged("start_time", start - began, 0.0, LONGEST_RUN)
            .unwrap_or_default();
        report.took_s = file
            .amount(benchmark, &["duration"], LONGEST_RUN)
            .unwrap_or_default();
    }
    Found {
        model,
        load,
        report,
        records,
    }
}

/// Names of the moment when a request was sent.
const START: [&str; 3] = ["request_start", "request_start_time", "start_time"];

/// Where a request's moments are. Versions before 0.4 have them beside the rest.
fn timings(request: &Value) -> &Value {
    at(request, &["info", "timings"])
        .or_else(|| at(request, &["scheduler_info", "request_timings"]))
        .unwrap_or(request)
}

/// A moment of a request, under the first of these names that is there.
fn moment_of(file: &File<'_>, request: &Value, names: &[&str]) -> Option<f64> {
    let timings = timings(request);
    names.iter().find_map(|name| {
        file.moment(timings, &[name])
            .or_else(|| file.moment(request, &[name]))
    })
}

/// A request, and how long its text came. Its index is its reader's.
fn record(
    file: &File<'_>,
    request: &Value,
    began: f64,
    load: &LevelLoad,
    failed: bool,
) -> Option<(RequestRecord, Option<Duration>)> {
    let timings = timings(request);
    let time = |names: &[&str]| moment_of(file, request, names);
    let start = time(&START)?;
    let end = time(&["request_end", "request_end_time", "end_time"])?;
    let first = time(&[
        "first_token_iteration",
        "first_iteration",
        "first_token_time",
    ]);
    let last = time(&["last_token_iteration", "last_iteration", "last_token_time"]);
    let answer = time(&["first_output_token_iteration"]);
    let since = |name: &str, at: f64| file.span(name, at - start);
    // A request may leave a moment before the time that the run gives as its beginning.
    let early = start < began && began - start < 60.0;
    let sent = file.span("request_start", if early { 0.0 } else { start - began })?;
    let latency = since("request_end", end)?;
    // A trace and a rate have moments when requests are due, from which ours count.
    let due = time(&["targeted_start"])
        .filter(|_| load.is_open())
        .and_then(|at| seconds(at - began));
    let count = |of: &Value, paths: [&[&str]; 2], most: u64| {
        paths.iter().find_map(|path| file.whole(of, path, most))
    };
    let tokens = count(
        request,
        [&["output_tokens"], &["output_metrics", "text_tokens"]],
        MOST_TOKENS.into(),
    );
    let prompt = count(
        request,
        [&["prompt_tokens"], &["input_metrics", "text_tokens"]],
        MOST_PROMPT,
    );
    let chunks = count(
        timings,
        [&["token_iterations"], &["iterations"]],
        MOST_TOKENS.into(),
    );
    // An answer whose first token came with its end has none to wait for.
    let whole = first.is_some_and(|first| first >= end) && tokens.is_some_and(|n| n > 1);
    if whole {
        file.tell(LATENCY_AGAIN.to_owned());
    }
    let first = first.filter(|_| !whole);
    let span = first
        .zip(last)
        .and_then(|(first, last)| seconds(last - first));
    let mut figures = figures(
        first.and_then(|at| since("first token", at)),
        (!failed).then_some(latency),
        tokens,
        TokenSource::Usage,
    );
    figures.first_answer = answer.and_then(|at| since("first_output_token_iteration", at));
    figures.prompt_tokens = prompt;
    figures.cached_tokens = file.whole(request, &["cached_tokens"], MOST_PROMPT);
    figures.itl = chunks
        .filter(|n| *n > 1)
        .and_then(|n| span.map(|span| span.div_f64((n - 1) as f64)));
    let error = failed.then(|| RequestError {
        class: None,
        status: None,
        text: super::short(error_text(request).unwrap_or(super::NOT_SAID)),
    });
    let record = RequestRecord {
        index: 0,
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
fn stats(file: &File<'_>, name: &str, of: &Value, factor: f64, most: f64) -> Stats {
    let count = file.whole(of, &["count"], MOST_COUNT).unwrap_or_default();
    if count == 0 {
        return Stats::default();
    }
    let value = |path: &[&str]| file.judged(name, number(of, path)? * factor, 0.0, most);
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
