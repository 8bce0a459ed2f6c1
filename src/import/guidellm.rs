//! guidellm's `benchmarks.json`, from 0.2 to 0.8: single requests where they were kept, else its aggregates.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::level::{Found, Origin, blank, figures, measured, seconds, sessions};
use super::{File, amount, anywhere, at, list, nothing, number, text, whole};
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use crate::domain::plan::{Arrivals, LevelLoad, MOST_CLIENTS, MOST_RATE, MOST_TOKENS};
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

pub(super) fn read(file: &File<'_>, value: &Value) -> Result<Imported, Failure> {
    let benchmarks = list(value, &["benchmarks"]);
    let version = text(value, &["metadata", "guidellm_version"]);
    let source = version.map_or("guidellm".to_owned(), |version| format!("guidellm {version}"));
    let as_text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let began = benchmarks.iter().filter_map(began).reduce(f64::min);
    let ended = benchmarks.iter().filter_map(|benchmark| amount(benchmark, &["end_time"])).reduce(f64::max);
    let began_s = began.unwrap_or_default();
    let mut found = Vec::new();
    let (mut all_single, mut any_single) = (true, false);
    for benchmark in benchmarks {
        let name =
            |of: &Value| anywhere(of, "model", &as_text).or_else(|| anywhere(of, "backend_model", &as_text));
        // Where a benchmark does not say it, the file's settings may.
        let model =
            ["config", "args", "benchmarker", "worker"].iter().filter_map(|place| at(benchmark, &[place]));
        let settings = ["config", "args"].iter().filter_map(|place| at(value, &[place]));
        let model = model.chain(settings).find_map(name).unwrap_or_else(|| "not said in the file".to_owned());
        let level = level(benchmark, model, began_s);
        all_single &= !level.records.is_empty();
        any_single |= !level.records.is_empty();
        found.push(level);
    }
    found.retain(|level| level.report.requests.ended > 0);
    if found.is_empty() {
        return Err(nothing(file, "guidellm"));
    }
    let token_count = |name| {
        let number = |value: &Value| value.as_u64().filter(|n| (1..=u64::from(MOST_TOKENS)).contains(n));
        let n = ["config", "args"].iter().filter_map(|place| at(value, &[place]));
        let inner = benchmarks.iter().filter_map(|benchmark| at(benchmark, &["config", "requests"]));
        n.chain(inner).find_map(|place| anywhere(place, name, &number)).and_then(|n| u32::try_from(n).ok())
    };
    let api = |value: &Value| as_text(value).filter(|text| text.starts_with("http"));
    let origin = Origin {
        source: source.clone(),
        api: anywhere(value, "target", &api).unwrap_or_default(),
        machine: text(value, &["metadata", "platform"]).unwrap_or_default().to_owned(),
        began: began.and_then(moment).unwrap_or_default(),
        took_s: ended.zip(began).map_or(0.0, |(ended, began)| (ended - began).clamp(0.0, 3e7)),
        prompt_tokens: token_count("prompt_tokens"),
        output_tokens: token_count("output_tokens"),
        seed: anywhere(value, "random_seed", &Value::as_u64),
        stopped: false,
    };
    let sessions = sessions(file, &origin, found);
    let mut remarks: Vec<String> = vec![
        "guidellm's TTFT begins after its connection is open and its pool let the request through: what was waited \
         there is missing from it"
            .to_owned(),
        "The file holds no gaps between chunks: ITL is the mean of each answer, so that a stall disappears in it"
            .to_owned(),
    ];
    if any_single {
        remarks.push(
            "TTFT, latency, TPOT and tokens/s were worked out anew from its single requests by Batida's definitions"
                .to_owned(),
        );
    }
    if !all_single {
        remarks.push(
            "Where no single requests are in the file its own percentiles are shown: its TPOT has TTFT inside, and \
             there are no 95 % intervals and no distributions"
                .to_owned(),
        );
    }
    if sessions.len() > 1 {
        remarks.push(format!("Its sweep is kept as {} sessions, one for each kind of load", sessions.len()));
    }
    remarks.push(
        "Warm-ups, deployment, SambaStack's version and what the client saw of itself are not in the file"
            .to_owned(),
    );
    Ok(Imported { source, sessions, remarks })
}

fn began(benchmark: &Value) -> Option<f64> {
    amount(benchmark, &["start_time"])
        .or_else(|| amount(benchmark, &["scheduler_metrics", "start_time"]))
        .or_else(|| amount(benchmark, &["run_stats", "start_time"]))
}

fn moment(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_millisecond((seconds * 1e3) as i64).ok()
}

fn load(benchmark: &Value) -> LevelLoad {
    let strategy = at(benchmark, &["config", "strategy"]).or_else(|| at(benchmark, &["args", "strategy"]));
    let strategy = strategy.unwrap_or(&Value::Null);
    let most = |name: &str| {
        whole(strategy, &[name])
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| (1..=MOST_CLIENTS).contains(n))
    };
    let rate = |arrivals| {
        let per_sec = amount(strategy, &["rate"]).unwrap_or(1.0).clamp(0.001, MOST_RATE);
        LevelLoad::Rate { per_sec, arrivals, most_in_flight: most("max_concurrency") }
    };
    match text(strategy, &["type_"]).unwrap_or_default() {
        "concurrent" => LevelLoad::Concurrency(most("streams").unwrap_or(1)),
        "throughput" => LevelLoad::Max { in_flight: most("max_concurrency").unwrap_or(MOST_CLIENTS) },
        "constant" => rate(Arrivals::Constant),
        "poisson" => rate(Arrivals::Poisson),
        "trace" => LevelLoad::Trace { most_in_flight: most("max_concurrency") },
        _ => LevelLoad::Concurrency(1),
    }
}

fn level(benchmark: &Value, model: String, began: f64) -> Found {
    let load = load(benchmark);
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
        let of = at(benchmark, &[name]).filter(|of| of.is_object()).or_else(|| at(metrics, &[name]))?;
        Some([whole(of, &["successful"])?, whole(of, &["errored"]).unwrap_or_default()])
    });
    let [ok, failed] = totals.unwrap_or_else(|| {
        let count = |name| list(benchmark, &["requests", name]).len() as u64;
        [count("successful"), count("errored")]
    });
    // Requests may be a sample of those that were sent: then the aggregates are of more.
    let whole_set = records.len() as u64 >= ok.saturating_add(failed);
    let mut report = if whole_set { measured(&model, load, &records, &spans) } else { blank(&model, load) };
    let own = |name: &str, factor: f64| stats(at(metrics, &[name, "successful"]), factor);
    report.itl_ms = own("inter_token_latency_ms", 1.0);
    if !whole_set {
        records.clear();
        report.requests.ok = ok;
        report.requests.failed = failed;
        report.requests.ended = ok.saturating_add(failed);
        report.requests.aborted =
            number(metrics, &["request_totals", "incomplete"]).map_or(0, |n| n.max(0.0) as u64);
        if failed > 0 {
            let example = list(benchmark, &["requests", "errored"]).first().and_then(error_text);
            let example = example.unwrap_or("not said in the file").to_owned();
            report.requests.errors = vec![ErrorCount { kind: "other".to_owned(), count: failed, example }];
        }
        report.ttft_ms = own("time_to_first_token_ms", 1.0);
        report.tpot_ms = own("time_per_output_token_ms", 1.0);
        report.latency_ms = own("request_latency", 1e3);
        report.prompt_tokens = own("prompt_token_count", 1.0);
        report.output_tokens = own("output_token_count", 1.0);
        let mean =
            |name: &str| amount(metrics, &[name, "successful", "mean"]).map(|mean| Rate { mean, ci: None });
        report.throughput.output_tokens_per_s = mean("output_tokens_per_second");
        report.throughput.total_tokens_per_s = mean("tokens_per_second");
        report.throughput.requests_per_s = mean("requests_per_second");
        report.concurrency.reached = amount(metrics, &["request_concurrency", "successful", "mean"]);
        let start = super::guidellm::began(benchmark).unwrap_or(began);
        report.began_s = (start - began).clamp(0.0, 3e7);
        report.took_s = amount(benchmark, &["duration"]).unwrap_or_default().min(3e7);
    }
    Found { model, load, report, records }
}

/// A request, and how long its text came. Versions before 0.4 have the moments beside the rest.
fn record(
    request: &Value,
    index: u64,
    began: f64,
    load: &LevelLoad,
    failed: bool,
) -> Option<(RequestRecord, Option<Duration>)> {
    let timings =
        at(request, &["info", "timings"]).or_else(|| at(request, &["scheduler_info", "request_timings"]));
    let timings = timings.unwrap_or(request);
    let time = |names: &[&str]| {
        names.iter().find_map(|name| amount(timings, &[name]).or_else(|| amount(request, &[name])))
    };
    let start = time(&["request_start", "request_start_time", "start_time"])?;
    let end = time(&["request_end", "request_end_time", "end_time"])?;
    let first = time(&["first_token_iteration", "first_iteration", "first_token_time"]);
    let last = time(&["last_token_iteration", "last_iteration", "last_token_time"]);
    let answer = time(&["first_output_token_iteration"]);
    let since = |at: f64| seconds(at - start);
    let sent = seconds((start - began).max(0.0))?;
    let latency = since(end)?;
    // A trace and a rate have moments when requests are due, from which ours count.
    let due = time(&["targeted_start"]).filter(|_| load.is_open()).and_then(|at| seconds(at - began));
    let tokens =
        whole(request, &["output_tokens"]).or_else(|| whole(request, &["output_metrics", "text_tokens"]));
    let prompt =
        whole(request, &["prompt_tokens"]).or_else(|| whole(request, &["input_metrics", "text_tokens"]));
    let chunks = whole(timings, &["token_iterations"]).or_else(|| whole(timings, &["iterations"]));
    let span = first.zip(last).and_then(|(first, last)| seconds(last - first));
    let mut figures =
        figures(first.and_then(since), (!failed).then_some(latency), tokens, TokenSource::Usage);
    figures.first_answer = answer.and_then(since);
    figures.prompt_tokens = prompt;
    figures.cached_tokens = whole(request, &["cached_tokens"]);
    figures.itl = chunks.filter(|n| *n > 1).and_then(|n| span.map(|span| span.div_f64((n - 1) as f64)));
    let error = failed.then(|| RequestError {
        class: None,
        status: None,
        text: super::short(error_text(request).unwrap_or("not said in the file")),
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
        error,
    };
    Some((record, span))
}

fn error_text(request: &Value) -> Option<&str> {
    text(request, &["info", "error"]).or_else(|| text(request, &["error"]))
}

/// Its aggregates. `p001` is the 0.1th percentile there, `p01` the first.
fn stats(of: Option<&Value>, factor: f64) -> Stats {
    let Some(of) = of else { return Stats::default() };
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
