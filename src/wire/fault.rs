//! The faults of API requests, with a sentence on what happened and advice on what to do.
//!
//! An error's kind is read from the server's `code` first, then from its sentence, then from the HTTP status. Every
//! summary quotes the server's sentence; the details hold the whole body.

mod advice;
mod body;
mod kind;
mod names;
mod page;
mod transport;
mod words;

use std::time::Duration;

use serde_json::Value;

use self::body::ErrorBody;
pub use self::names::nearest;
pub use self::transport::{LocalLimit, TransportError, compressed};
pub use self::words::is_too_long;
use self::words::words;
use super::refusal;
use crate::domain::dialect::Dialect;
pub use crate::domain::failure::FaultClass;
use crate::domain::failure::{Advice, Failure};
use crate::domain::units;

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct Fault {
    /// The kind of fault, for statistics and retries.
    pub class: FaultClass,
    /// The HTTP status, when there was one.
    pub status: Option<u16>,
    /// The summary, advice and details for the user.
    pub failure: Failure,
    /// Fields that Batida adds to requests on its own and that the server rejected.
    pub refused: Dialect,
}

impl Fault {
    fn new(class: FaultClass, status: Option<u16>, failure: Failure) -> Self {
        Self {
            class,
            status,
            failure: failure.of_class(class),
            refused: Dialect::default(),
        }
    }
}

impl Fault {
    /// The client closed the connection before the answer was complete, as the plan says.
    pub fn hung_up() -> Self {
        let failure = Failure::new("The client hung up, as planned", "");
        Self::new(FaultClass::Cancelled, None, failure)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        fault.failure
    }
}

/// The request that failed, for sentences that name its host, model or key.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestInfo<'a> {
    /// The API's host.
    pub host: &'a str,
    /// The model; empty when the request names none.
    pub model: &'a str,
    /// The models that the API serves, when known.
    pub known: &'a [String],
    /// Whether the request carried a key.
    pub had_key: bool,
    /// Whether the environment has a cluster, so that the advice may mention pods.
    pub cluster: bool,
    /// The proxy that the request went through, without its credentials.
    pub proxy: Option<&'a str>,
    /// Whether the proxy was sent a user name and a password.
    pub proxy_login: bool,
    /// The address is `http://`, without TLS.
    pub plain: bool,
    /// Parameters that the user set, by their names in the request.
    pub set: &'a [&'static str],
    /// The endpoint that was requested.
    pub what: Endpoint,
}

/// The endpoint that a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Endpoint {
    /// A chat completion.
    #[default]
    Chat,
    /// The list of models.
    Models,
    /// A completion of a prompt, without messages.
    Completions,
    /// Embeddings.
    Embeddings,
}

impl Endpoint {
    /// The part of an API that answers such a request.
    fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat completions API",
            Self::Completions => "completions API",
            Self::Models => "list of models",
            Self::Embeddings => "embeddings API",
        }
    }

    /// The API's response to it, with an article.
    fn answer(self) -> &'static str {
        match self {
            Self::Chat => "a chat completion",
            Self::Completions => "a completion",
            Self::Models => "a list of models",
            Self::Embeddings => "an embedding",
        }
    }
}

/// An HTTP response that is not a successful answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpResponse<'a> {
    /// The status.
    pub status: u16,
    /// `Content-Type`
    pub content_type: &'a str,
    /// `Retry-After`: seconds, or a date.
    pub retry_after: Option<&'a str>,
    /// The server's `Date`, to count a date in `Retry-After` from.
    pub date: Option<&'a str>,
    /// `Location`, where a redirect leads.
    pub location: Option<&'a str>,
    /// What a proxy says of its own failure: `X-Squid-Error`, or `Proxy-Status` with an error.
    pub proxy_error: Option<&'a str>,
    /// `x-ratelimit-*`, name and value.
    pub rate_limit: &'a [(String, String)],
    /// The beginning of the body.
    pub body: &'a str,
}

/// The fault of a response whose status is not a success, or whose body is not what was requested.
pub fn from_reply(reply: &HttpResponse<'_>, asked: &RequestInfo<'_>) -> Fault {
    if let Some(fault) = transport::of_reply(reply, asked) {
        return fault;
    }
    let retry_after = reply
        .retry_after
        .and_then(|text| read_retry_after(text, reply.date));
    if page::is_one(reply) {
        return page::fault(reply, retry_after, asked);
    }
    let error = ErrorBody::parse(reply.body);
    let mut fault = words(Some(reply.status), &error, retry_after, asked);
    let mut details = vec![format!("HTTP {}", reply.status)];
    details.extend(reply.retry_after.map(|text| format!("Retry-After: {text}")));
    details.extend(
        reply
            .rate_limit
            .iter()
            .map(|(name, value)| format!("{name}: {value}")),
    );
    if reply.body.trim().is_empty() {
        fault.failure = advice::without_body(fault.failure);
    } else {
        details.push(reply.body.trim().to_owned());
    }
    fault.failure.details = details.join("\n");
    // A response with status 200 may hold an error too.
    let status = Some(reply.status).filter(|status| !(200..300).contains(status));
    fault.refused = refusal::refused(status, reply.body);
    fault
}

/// The fault of an error that the server sent inside a stream, after status 200.
pub fn from_stream(error: &Value, asked: &RequestInfo<'_>) -> Fault {
    let body = ErrorBody::read(error);
    let status = body.status;
    let mut fault = words(status, &body, None, asked);
    fault.failure.summary = format!("{} (mid-stream)", fault.failure.summary);
    fault.failure.details = error.to_string();
    fault.refused = refusal::refused_in(status, error);
    fault
}

/// The error that a response with status 200 holds in place of what was requested; `None` where it holds none.
pub fn error_in_success(reply: &HttpResponse<'_>, asked: &RequestInfo<'_>) -> Option<Fault> {
    const ERRORS: [&str; 7] = [
        "error", "errors", "detail", "message", "msg", "fault", "Message",
    ];
    let value: Value = serde_json::from_str(reply.body.trim_start_matches('\u{feff}')).ok()?;
    let names_one = ERRORS.iter().any(|name| value.get(name).is_some());
    (names_one && !ErrorBody::read(&value).said.is_empty()).then(|| from_reply(reply, asked))
}

/// A response with a status of success and without a body.
pub fn empty(status: u16, asked: &RequestInfo<'_>) -> Fault {
    let summary = format!("{} sent an empty response (HTTP {status})", asked.host);
    Fault::new(
        FaultClass::NotAnApi,
        Some(status),
        Failure::new(summary, advice::server(asked)),
    )
}

/// A response with status 200 that is neither a stream nor a completion.
pub fn not_an_answer(reply: &HttpResponse<'_>, asked: &RequestInfo<'_>) -> Fault {
    if page::is_one(reply) {
        return page::fault(reply, None, asked);
    }
    if reply.body.trim().is_empty() {
        return empty(reply.status, asked);
    }
    let failure = Failure::new(
        format!(
            "{} returned something other than {}",
            asked.host,
            asked.what.answer()
        ),
        Advice::by_face(
            "Check that the API domain in Environments points to an OpenAI-compatible API",
            "Check that the address given with --api or in the environment points to an OpenAI-compatible API",
        ),
    );
    Fault::new(
        FaultClass::NotAnApi,
        Some(reply.status),
        failure.with_details(clip(reply.body.trim(), 2_000)),
    )
}

/// A stream that ended before `[DONE]` and before a finish reason.
pub fn cut(asked: &RequestInfo<'_>, details: &str) -> Fault {
    let failure = Failure::new(
            format!("{} closed the connection before the response was complete", asked.host),
            if asked.cluster {
                "Try again. If it happens again, the model's pod may be restarting, or a proxy may cut off long responses"
            } else {
                "Try again. If it happens again, the server may be restarting, or a proxy may cut off long responses"
            },
        )
        .with_details(details);
    Fault::new(FaultClass::Dropped, None, failure)
}

/// An event inside the stream that cannot be parsed, so that its text is lost.
pub fn unreadable(asked: &RequestInfo<'_>, event: &str) -> Fault {
    let failure = Failure::new(
        format!("{} sent an event that cannot be parsed", asked.host),
        "Text may be missing. A proxy or the server's error page may be writing into the stream",
    )
    .with_details(clip(event.trim(), 2_000));
    Fault::new(FaultClass::Unreadable, None, failure)
}

/// The finish reason says that the server stopped because of an error.
pub fn stopped_early(asked: &RequestInfo<'_>, word: &str) -> Fault {
    let failure = Failure::new(
        format!(
            "{} stopped the response early: its finish reason is {:?}",
            asked.host,
            clip(word, 100)
        ),
        "Try again, and check the server's log for the cause",
    );
    Fault::new(FaultClass::Server, None, failure)
}

/// A response that ended normally without text and without a function call. `why`: a sentence.
pub fn no_text(why: &str) -> Fault {
    Fault::new(
        FaultClass::NoText,
        None,
        Failure::new(why, "Raise max tokens, or rephrase the prompt"),
    )
}

/// A response in the form of embeddings that holds none.
pub fn no_vector() -> Fault {
    Fault::new(
        FaultClass::NoText,
        None,
        Failure::new(
            "The response holds no embedding",
            "Check that the model creates embeddings",
        ),
    )
}

/// A request that Batida cancelled after `limit`. `came`: chunks with text and bytes of the body received until
/// then; `None` if no response had started.
pub fn timed_out(limit: Duration, came: Option<(u64, u64)>, asked: &RequestInfo<'_>) -> Fault {
    let limit = crate::domain::units::duration(limit);
    let host = asked.host;
    let summary = match came {
        None => format!("{host} sent no response within {limit}: the timeout was reached"),
        Some((0, 0)) => format!(
            "The timeout of {limit} was reached: {host} had started its response and sent nothing more"
        ),
        Some((0, bytes)) => format!(
            "The timeout of {limit} was reached before any text ({} received)",
            crate::domain::units::bytes(usize::try_from(bytes).unwrap_or(usize::MAX))
        ),
        Some((chunks, _)) => format!(
            "The timeout of {limit} was reached during the response ({} of text received)",
            crate::domain::units::counted(usize::try_from(chunks).unwrap_or(usize::MAX), "chunk")
        ),
    };
    let advice = match came {
        Some((1.., _)) => Advice::by_face(
            "Allow more time, or ask for fewer tokens",
            "Allow more time with --timeout, or ask for fewer tokens with --output-tokens",
        ),
        _ => advice::server(asked),
    };
    Fault::new(FaultClass::Timeout, None, Failure::new(summary, advice))
}

/// `Retry-After`: whole seconds or an HTTP date, which is counted from the server's own `Date`.
fn read_retry_after(text: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return units::checked_seconds(seconds);
    }
    let parse = |text: &str| {
        jiff::fmt::rfc2822::parse(text)
            .ok()
            .map(|zoned| zoned.timestamp())
    };
    let until = parse(text)?.duration_since(parse(date?)?);
    units::checked(until.unsigned_abs()).filter(|_| !until.is_negative())
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    clip(line.trim_end_matches('.'), 300)
}

fn clip(text: &str, most: usize) -> String {
    crate::domain::printable::cut(text, most).into_owned()
}

#[cfg(test)]
mod tests;
