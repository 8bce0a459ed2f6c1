//! Reads single requests.

use std::time::Duration;

use serde_json::Value;

use crate::domain::plan::{LevelLoad, MOST_TOKENS};
use crate::import::level::{figures, seconds};
use crate::import::plausible::MAX_PROMPT_TOKENS;
use crate::import::vllm::TTFT_IS_LATENCY;
use crate::import::{NOT_IN_FILE, SourceFile, at, short, text};
use crate::metrics::request::{Phase, RequestError, RequestRecord};
use crate::metrics::timeline::TokenSource;

/// Keys of the time at which a request was sent.
const START: [&str; 3] = ["request_start", "request_start_time", "start_time"];

/// The object with a request's times. In versions before 0.4 it is the request itself.
fn timings(request: &Value) -> &Value {
    at(request, &["info", "timings"])
        .or_else(|| at(request, &["scheduler_info", "request_timings"]))
        .unwrap_or(request)
}

/// A Unix time of a request, under the first of these keys that exists.
fn time_of(file: &SourceFile<'_>, request: &Value, names: &[&str]) -> Option<f64> {
    let timings = timings(request);
    names.iter().find_map(|name| {
        file.unix_seconds(timings, &[name])
            .or_else(|| file.unix_seconds(request, &[name]))
    })
}

/// The Unix time at which a request was sent.
pub(super) fn sent(file: &SourceFile<'_>, request: &Value) -> Option<f64> {
    time_of(file, request, &START)
}

/// A request, and the time from its first to its last token. The caller sets its index.
pub(super) fn record(
    file: &SourceFile<'_>,
    request: &Value,
    began: f64,
    load: &LevelLoad,
    failed: bool,
) -> Option<(RequestRecord, Option<Duration>)> {
    let time = |names: &[&str]| time_of(file, request, names);
    let start = self::sent(file, request)?;
    let end = time(&["request_end", "request_end_time", "end_time"])?;
    let first = time(&[
        "first_token_iteration",
        "first_iteration",
        "first_token_time",
    ]);
    let last = time(&["last_token_iteration", "last_iteration", "last_token_time"]);
    let answer = time(&["first_output_token_iteration"]);
    let since = |name: &str, at: f64| file.duration(name, at - start);
    // A request may be sent shortly before the start time of the run.
    let early = start < began && began - start < 60.0;
    let sent = file.duration("request_start", if early { 0.0 } else { start - began })?;
    let latency = since("request_end", end)?;
    // Under a rate or a trace, Batida measures from when a request was due.
    let due = time(&["targeted_start"])
        .filter(|_| load.is_open())
        .and_then(|at| seconds(at - began));
    let counts = Counts::read(file, request);
    // If the first token came with the end, the response did not stream, so it has no TTFT.
    let whole = first.is_some_and(|first| first >= end) && counts.tokens.is_some_and(|n| n > 1);
    if whole {
        file.add_remark(TTFT_IS_LATENCY.to_owned());
    }
    let first = first.filter(|_| !whole);
    let span = first
        .zip(last)
        .and_then(|(first, last)| seconds(last - first));
    let mut figures = figures(
        first.and_then(|at| since("first_token_iteration", at)),
        (!failed).then_some(latency),
        counts.tokens,
        TokenSource::Usage,
    );
    figures.first_answer = answer.and_then(|at| since("first_output_token_iteration", at));
    figures.prompt_tokens = counts.prompt;
    figures.cached_tokens = file.count(request, &["cached_tokens"], MAX_PROMPT_TOKENS);
    figures.itl = counts
        .chunks
        .filter(|n| *n > 1)
        .and_then(|n| span.map(|span| span.div_f64((n - 1) as f64)));
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
        chunks: counts.chunks.unwrap_or_default(),
        bytes: 0,
        wanted_prompt_tokens: None,
        answered_by: None,
        reconnected: false,
        error: failed.then(|| error(request)),
    };
    Some((record, span))
}

struct Counts {
    tokens: Option<u64>,
    prompt: Option<u64>,
    chunks: Option<u64>,
}

impl Counts {
    fn read(file: &SourceFile<'_>, request: &Value) -> Self {
        let count = |of: &Value, paths: [&[&str]; 2], most: u64| {
            paths.iter().find_map(|path| file.count(of, path, most))
        };
        Self {
            tokens: count(
                request,
                [&["output_tokens"], &["output_metrics", "text_tokens"]],
                MOST_TOKENS.into(),
            ),
            prompt: count(
                request,
                [&["prompt_tokens"], &["input_metrics", "text_tokens"]],
                MAX_PROMPT_TOKENS,
            ),
            chunks: count(
                timings(request),
                [&["token_iterations"], &["iterations"]],
                MOST_TOKENS.into(),
            ),
        }
    }
}

fn error(request: &Value) -> RequestError {
    RequestError {
        class: None,
        status: None,
        text: short(error_text(request).unwrap_or(NOT_IN_FILE)),
    }
}

pub(super) fn error_text(request: &Value) -> Option<&str> {
    text(request, &["info", "error"]).or_else(|| text(request, &["error"]))
}
