//! Every way an API can say no, told to a person.
//!
//! A server's `code` decides before its sentence does, and both before the HTTP status. The server's own sentence is in
//! every summary; details hold all of its words.

mod advice;
mod body;
mod kind;
mod page;
mod transport;

use std::time::Duration;

use serde_json::Value;

use self::body::ErrorBody;
use self::kind::Kind;
pub use self::transport::{Local, Transport, compressed};
use super::refusal;
use crate::domain::dialect::Dialect;
pub use crate::domain::failure::FaultClass;
use crate::domain::failure::{Advice, Failure};
use crate::domain::units;

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct Fault {
    /// What kind of trouble.
    pub class: FaultClass,
    /// The HTTP status, when there was one.
    pub status: Option<u16>,
    /// For people.
    pub failure: Failure,
    /// Fields that Batida itself adds to a request and that the server refuses.
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

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        fault.failure
    }
}

/// What was asked of whom, so that the words can name it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The API's host.
    pub host: &'a str,
    /// The model; empty when the request names none.
    pub model: &'a str,
    /// The names that the API routes, when known.
    pub known: &'a [String],
    /// The request carried a key.
    pub had_key: bool,
    /// The environment has a cluster, whose pods may be looked at.
    pub cluster: bool,
    /// The proxy on the way, without its credentials.
    pub proxy: Option<&'a str>,
    /// The address is `http://`, without TLS.
    pub plain: bool,
    /// Parameters that the user set, by their names in the request.
    pub set: &'a [&'static str],
    /// What was asked for.
    pub what: What,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum What {
    /// A chat completion.
    #[default]
    Chat,
    /// The list of models.
    Models,
    /// Embeddings.
    Embeddings,
}

impl What {
    /// The part of an API that gives it.
    fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat completions API",
            Self::Models => "list of models",
            Self::Embeddings => "embeddings API",
        }
    }

    /// One answer of it.
    fn answer(self) -> &'static str {
        match self {
            Self::Chat => "chat completion",
            Self::Models => "list of models",
            Self::Embeddings => "embedding",
        }
    }
}

/// An HTTP answer that is no success.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reply<'a> {
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
    /// `x-ratelimit-*`, name and value.
    pub rate_limit: &'a [(String, String)],
    /// The beginning of the body.
    pub body: &'a str,
}

/// Reads an answer whose status is no success, or whose body is not what was asked for.
pub fn from_reply(reply: &Reply<'_>, asked: &Asked<'_>) -> Fault {
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
    if !reply.body.trim().is_empty() {
        details.push(reply.body.trim().to_owned());
    }
    fault.failure.details = details.join("\n");
    // An error inside a 200 is a refusal as well.
    let status = Some(reply.status).filter(|status| !(200..300).contains(status));
    fault.refused = refusal::refused(status, reply.body);
    fault
}

/// Reads an error that came inside a stream, after the 200.
pub fn from_stream(error: &Value, asked: &Asked<'_>) -> Fault {
    let body = ErrorBody::read(error);
    let status = body.status;
    let mut fault = words(status, &body, None, asked);
    fault.failure.summary = format!("{}, amid the answer", fault.failure.summary);
    fault.failure.details = error.to_string();
    fault.refused = refusal::refused_in(status, error);
    fault
}

/// A sentence of ours with the status and the server's own: `The server failed, HTTP 500: out of memory`.
fn with_status(what: &str, status: Option<u16>, said: &str) -> String {
    // A success that is none says nothing by its status.
    match (status.filter(|status| !(200..300).contains(status)), said) {
        (Some(status), "") => format!("{what} (HTTP {status})"),
        (Some(status), said) => format!("{what}, HTTP {status}: {said}"),
        (None, "") => what.to_owned(),
        (None, said) => format!("{what}: {said}"),
    }
}

fn words(
    status: Option<u16>,
    error: &ErrorBody,
    retry_after: Option<Duration>,
    asked: &Asked<'_>,
) -> Fault {
    let Asked { host, model, .. } = *asked;
    let said = one_line(&error.said);
    let retry_after = retry_after.or(error.wait);
    let fault = |class, what: &str, advice: Advice| {
        let summary = with_status(what, status, &said);
        Fault::new(
            class,
            status,
            Failure {
                retry_after,
                ..Failure::new(summary, advice)
            },
        )
    };
    let code = status.or(error.status).unwrap_or(0);
    match Kind::of(code, error, model) {
        Kind::Key if !asked.had_key => {
            fault(FaultClass::KeyRefused, "The API wants a key, and none was sent", advice::key(asked))
        }
        Kind::Key => fault(FaultClass::KeyRefused, "The API key was refused", advice::key(asked)),
        Kind::Forbidden => fault(
            FaultClass::KeyRefused,
            "The API forbids this request",
            "Ask whoever runs it which models this key may use".into(),
        ),
        Kind::Model => {
            let what = format!("The API does not route a model named {}", clip(model, 200));
            fault(FaultClass::ModelNotFound, &what, other_models(asked))
        }
        Kind::ModelGone => {
            let what = format!("{} is deprecated and no longer served", clip(model, 200));
            fault(FaultClass::ModelNotFound, &what, "Pick another model".into())
        }
        Kind::Context => fault(
            FaultClass::BadRequest,
            TOO_LONG,
            "Clear the conversation, shorten the prompt, or lower max tokens".into(),
        ),
        Kind::Pictures => fault(
            FaultClass::BadRequest,
            "This model takes no pictures",
            "Pick a model that sees pictures, or send the text alone".into(),
        ),
        Kind::Filter => fault(
            FaultClass::BadRequest,
            "The server's content filter refused the request",
            "Word the prompt differently; whoever runs the API sets the filter".into(),
        ),
        Kind::Quota => fault(
            FaultClass::RateLimited,
            "The quota of this key is used up",
            match retry_after {
                Some(_) => try_again(retry_after).into(),
                None => "It is a limit of the account, not of the model: raise it, or use another key".into(),
            },
        ),
        Kind::Rate => fault(
            FaultClass::RateLimited,
            "Too many requests: the rate limit was reached",
            try_again(retry_after).into(),
        ),
        Kind::Queue => fault(
            FaultClass::QueueFull,
            "The server's queue is full: too many requests are in flight",
            format!("This is the server's limit, not your key's. {}", try_again(retry_after)).into(),
        ),
        Kind::Timeout => fault(
            FaultClass::Timeout,
            "The server gave up waiting for the model",
            "Try again; the first request after a model switch can be slow. A shorter prompt or fewer max tokens help too".into(),
        ),
        Kind::Loading => fault(FaultClass::Server, "The server is loading the model", try_again(retry_after).into()),
        Kind::Other => match code {
            413 => fault(FaultClass::BadRequest, "The request is too large", advice::size(asked)),
            404 | 405 => fault(
                FaultClass::NotAnApi,
                &format!("{host} has no {} at this address", asked.what.name()),
                advice::not_there(asked),
            ),
            503 => fault(
                FaultClass::Server,
                "The service is not available: it is overloaded, starting or under maintenance",
                try_again(retry_after).into(),
            ),
            400..=499 => refused(status, &said, error, asked, retry_after),
            500..=599 => fault(FaultClass::Server, "The server failed", advice::server(asked)),
            _ => fault(FaultClass::Server, "The server reported an error", advice::server(asked)),
        },
    }
}

/// The request itself was refused, for its parameters or for what nobody says.
fn refused(
    status: Option<u16>,
    said: &str,
    error: &ErrorBody,
    asked: &Asked<'_>,
    retry_after: Option<Duration>,
) -> Fault {
    let named = |name: &str| {
        error
            .params
            .iter()
            .any(|param| param.split(['.', '[']).any(|part| part == name))
            || said
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .any(|word| word == name)
    };
    let what = match error.params.first() {
        Some(param) => format!("The server refused the parameter {}", clip(param, 80)),
        None => "The server refused the request".to_owned(),
    };
    let advice = advice::parameter(asked, named).unwrap_or_else(advice::whole_answer);
    let failure = Failure::new(with_status(&what, status, said), advice);
    Fault::new(
        FaultClass::BadRequest,
        status,
        Failure {
            retry_after,
            ..failure
        },
    )
}

/// What may have been meant instead.
fn other_models(asked: &Asked<'_>) -> Advice {
    let Asked { model, known, .. } = *asked;
    match nearest(model, known).filter(|name| *name != model) {
        Some(name) => format!("Did you mean {}?", clip(name, 200)).into(),
        None if !known.is_empty() => format!("It routes {}", list_some(known)).into(),
        None if asked.cluster => {
            "The API wants the serving name, which differs from the name that kubectl shows".into()
        }
        None => Advice::by_face(
            "Pick a model of the list",
            "`batida models` lists those that the API offers",
        ),
    }
}

fn list_some(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(5)
        .map(|name| clip(name, 80))
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(5) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Names that are compared with a wrong one, and how long they may be: likeness takes the product of the lengths.
const MOST_COMPARED: usize = 2_000;
const LONGEST_COMPARED: usize = 256;

/// The known name closest to `name`: the same letters and digits, else few edits away.
pub fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let fold = |text: &str| {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_lowercase()
    };
    if name.len() > LONGEST_COMPARED {
        return None;
    }
    let wanted = fold(name);
    let short = || {
        known
            .iter()
            .filter(|candidate| candidate.len() <= LONGEST_COMPARED)
    };
    if let Some(same) = short().find(|candidate| fold(candidate) == wanted) {
        return Some(same);
    }
    short()
        .take(MOST_COMPARED)
        .map(|candidate| {
            (
                strsim::normalized_damerau_levenshtein(&wanted, &fold(candidate)),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.as_str())
}

/// An answer with status 200 that is neither a stream nor a completion.
pub fn not_an_answer(reply: &Reply<'_>, asked: &Asked<'_>) -> Fault {
    if page::is_one(reply) {
        return page::fault(reply, None, asked);
    }
    let failure = Failure::new(
        format!(
            "{} answered with something that is no {}",
            asked.host,
            asked.what.answer()
        ),
        Advice::by_face(
            "Check that the API domain on Home is that of an OpenAI-compatible API",
            "Check that the address of --api, or of the environment, is that of an OpenAI-compatible API",
        ),
    );
    Fault::new(
        FaultClass::NotAnApi,
        Some(reply.status),
        failure.with_details(clip(reply.body.trim(), 2_000)),
    )
}

/// A stream that ended before `[DONE]` and before a finish reason.
pub fn cut(asked: &Asked<'_>, details: &str) -> Fault {
    let failure = Failure::new(
        format!("{} closed the connection before the answer was complete", asked.host),
        if asked.cluster {
            "Try again; if it stays so, the model's pod may be restarting or a proxy cuts long answers"
        } else {
            "Try again; if it stays so, the server may be restarting or a proxy cuts long answers"
        },
    )
    .with_details(details);
    Fault::new(FaultClass::Dropped, None, failure)
}

/// An event amid the stream that cannot be read: what it said is lost.
pub fn unreadable(asked: &Asked<'_>, event: &str) -> Fault {
    let failure = Failure::new(
        format!("{} sent an event that cannot be read, amid the answer", asked.host),
        "Text may be missing. Look for what writes into the stream: a proxy, or the server's own error page",
    )
    .with_details(clip(event.trim(), 2_000));
    Fault::new(FaultClass::Unreadable, None, failure)
}

/// The server's finish reason says that it gave the answer up.
pub fn gave_up(asked: &Asked<'_>, word: &str) -> Fault {
    let failure = Failure::new(
        format!(
            "{} gave the answer up: its finish reason is {:?}",
            asked.host,
            clip(word, 100)
        ),
        "Try again; the server's own log says why",
    );
    Fault::new(FaultClass::Server, None, failure)
}

/// An answer that ended well and holds neither text nor a call. `why`: in words.
pub fn no_text(why: &str) -> Fault {
    Fault::new(
        FaultClass::NoText,
        None,
        Failure::new(why, "Raise max tokens, or ask in other words"),
    )
}

/// A request that was given up after `limit`. `came`: chunks with text, and bytes of the body, if the response had begun.
pub fn given_up(limit: Duration, came: Option<(u64, u64)>, asked: &Asked<'_>) -> Fault {
    let limit = crate::domain::units::duration(limit);
    let host = asked.host;
    let summary = match came {
        None => format!("{host} sent nothing for {limit}: the time-out was reached"),
        Some((0, 0)) => format!(
            "The time-out of {limit} was reached: {host} had begun its response, and sent nothing more"
        ),
        Some((0, bytes)) => format!(
            "The time-out of {limit} was reached before any text: {} had come",
            crate::domain::units::bytes(usize::try_from(bytes).unwrap_or(usize::MAX))
        ),
        Some((chunks, _)) => format!(
            "The time-out of {limit} was reached amid the answer: {} of text had come",
            crate::domain::units::counted(usize::try_from(chunks).unwrap_or(usize::MAX), "chunk")
        ),
    };
    let advice = match came {
        Some((1.., _)) => Advice::by_face(
            "Give it more time, or ask for fewer tokens",
            "Give it more time with --timeout, or ask for fewer tokens with --output-tokens",
        ),
        _ => advice::server(asked),
    };
    Fault::new(FaultClass::Timeout, None, Failure::new(summary, advice))
}

/// Begins the summary of a prompt that does not fit.
const TOO_LONG: &str = "The conversation is longer than the model's context";

/// Whether a failure is that the prompt does not fit the model's context.
pub fn is_too_long(failure: &Failure) -> bool {
    failure.summary.starts_with(TOO_LONG)
}

fn try_again(retry_after: Option<Duration>) -> String {
    match retry_after {
        Some(wait) if wait.is_zero() => "The server says: try again now".to_owned(),
        Some(wait) => {
            format!("The server says: try again in {}", units::duration(wait))
        }
        None => "Wait a little and try again".to_owned(),
    }
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
