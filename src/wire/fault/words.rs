//! The sentences for an error body: what happened, and what to do.

use std::time::Duration;

use super::body::ErrorBody;
use super::kind::ErrorKind;
use super::names::nearest;
use super::{Fault, RequestInfo, advice, clip, one_line};
use crate::domain::failure::{Advice, Failure, FaultClass};
use crate::domain::units;

/// Joins Batida's sentence, the status and the server's sentence: `The server failed, HTTP 500: out of memory`.
pub(super) fn with_status(what: &str, status: Option<u16>, said: &str) -> String {
    // The status of a response that only looked successful explains nothing.
    match (status.filter(|status| !(200..300).contains(status)), said) {
        (Some(status), "") => format!("{what} (HTTP {status})"),
        (Some(status), said) => format!("{what}, HTTP {status}: {said}"),
        (None, "") => what.to_owned(),
        (None, said) => format!("{what}: {said}"),
    }
}

/// What happened and what to do, before the status and the server's own sentence are added.
type Words = (FaultClass, String, Advice);

/// The fault that an error body describes. `status`: the response's, `None` inside a stream.
pub(super) fn words(
    status: Option<u16>,
    error: &ErrorBody,
    retry_after: Option<Duration>,
    asked: &RequestInfo<'_>,
) -> Fault {
    let said = one_line(&error.said);
    let retry_after = retry_after.or(error.wait);
    // A response that only looked successful says in its body what it is.
    let failed = status.filter(|status| !(200..300).contains(status));
    let code = failed.or(error.status).unwrap_or(0);
    let kind = ErrorKind::of(code, error, asked.model);
    let (class, what, advice) = of_access(kind, retry_after, asked)
        .or_else(|| of_prompt(kind))
        .or_else(|| of_load(kind, retry_after))
        .unwrap_or_else(|| of_status(code, &said, error, retry_after, asked));
    let failure = Failure {
        retry_after,
        ..Failure::new(with_status(&what, status, &said), advice)
    };
    Fault::new(class, status, failure)
}

/// Faults of the key, its rights and quota, and the model's name.
fn of_access(
    kind: ErrorKind,
    retry_after: Option<Duration>,
    asked: &RequestInfo<'_>,
) -> Option<Words> {
    let model = clip(asked.model, 200);
    Some(match kind {
        ErrorKind::Key if !asked.had_key => (
            FaultClass::KeyRefused,
            "The API requires a key, and none was sent".to_owned(),
            advice::key(asked),
        ),
        ErrorKind::Key => (
            FaultClass::KeyRefused,
            "The API rejected the key".to_owned(),
            advice::key(asked),
        ),
        ErrorKind::Forbidden => (
            FaultClass::KeyRefused,
            "The API forbids this request".to_owned(),
            "Ask the API's operator which models this key may use".into(),
        ),
        ErrorKind::Quota => (
            FaultClass::RateLimited,
            "The quota of this key is used up".to_owned(),
            match retry_after {
                Some(_) => try_again(retry_after).into(),
                None => "This limit belongs to the account, not to the model. Raise it, or use another key".into(),
            },
        ),
        // A server that lists what it does not serve.
        ErrorKind::Model if asked.known.iter().any(|name| name == asked.model) => (
            FaultClass::ModelNotFound,
            format!("The API lists the model {model}, but does not serve it"),
            "Pick another model, or ask the API's operator whether this one is loaded".into(),
        ),
        ErrorKind::Model => (
            FaultClass::ModelNotFound,
            format!("The API does not serve a model named {model}"),
            other_models(asked),
        ),
        ErrorKind::ModelGone => (
            FaultClass::ModelNotFound,
            format!("{model} is deprecated and no longer served"),
            "Pick another model".into(),
        ),
        _ => return None,
    })
}

/// Faults of what the prompt contains.
fn of_prompt(kind: ErrorKind) -> Option<Words> {
    let (what, advice) = match kind {
        ErrorKind::Context => (
            TOO_LONG,
            "Clear the conversation, shorten the prompt, or lower max tokens",
        ),
        ErrorKind::Images => (
            "This model does not accept images",
            "Pick a model that accepts images, or send only text",
        ),
        ErrorKind::Filter => (
            "The server's content filter refused the request",
            "Rephrase the prompt. The API's operator configures the filter",
        ),
        _ => return None,
    };
    Some((FaultClass::BadRequest, what.to_owned(), advice.into()))
}

/// Faults that pass: the server or the key has too much to do at the moment.
fn of_load(kind: ErrorKind, retry_after: Option<Duration>) -> Option<Words> {
    let again = try_again(retry_after);
    let (class, what, advice) = match kind {
        ErrorKind::Rate => (
            FaultClass::RateLimited,
            "Too many requests: the rate limit was reached",
            again,
        ),
        ErrorKind::Queue => (
            FaultClass::QueueFull,
            "The server's queue is full: too many requests are in flight",
            format!("This is the server's limit, not your key's. {again}"),
        ),
        ErrorKind::Timeout => (
            FaultClass::Timeout,
            "The server timed out while waiting for the model",
            "Try again: the first request after a model switch can be slow. A shorter prompt or a lower max tokens can also help".to_owned(),
        ),
        ErrorKind::Loading => (FaultClass::Server, "The server is loading the model", again),
        _ => return None,
    };
    Some((class, what.to_owned(), advice.into()))
}

/// The body says nothing in particular, so the HTTP status decides.
fn of_status(
    code: u16,
    said: &str,
    error: &ErrorBody,
    retry_after: Option<Duration>,
    asked: &RequestInfo<'_>,
) -> Words {
    match code {
        413 => (
            FaultClass::BadRequest,
            "The request is too large".to_owned(),
            advice::size(asked),
        ),
        404 | 405 => (
            FaultClass::NotAnApi,
            format!(
                "{} has no {} at this address",
                asked.host,
                asked.what.name()
            ),
            advice::not_there(asked),
        ),
        503 => (
            FaultClass::Server,
            "The service is unavailable: it is overloaded, starting, or under maintenance"
                .to_owned(),
            try_again(retry_after).into(),
        ),
        400..=499 => rejected(said, error, asked),
        500..=599 => (
            FaultClass::Server,
            "The server failed".to_owned(),
            advice::server(asked),
        ),
        _ => (
            FaultClass::Server,
            "The server reported an error".to_owned(),
            advice::server(asked),
        ),
    }
}

/// The server rejected the request itself: one of its parameters, or something that it does not name.
fn rejected(said: &str, error: &ErrorBody, asked: &RequestInfo<'_>) -> Words {
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
        Some(param) => format!("The server rejected the parameter {}", clip(param, 80)),
        None => "The server rejected the request".to_owned(),
    };
    let advice = advice::parameter(asked, named).unwrap_or_else(advice::whole_response);
    (FaultClass::BadRequest, what, advice)
}

/// Which model to request instead.
fn other_models(asked: &RequestInfo<'_>) -> Advice {
    let RequestInfo { model, known, .. } = *asked;
    match nearest(model, known).filter(|name| *name != model) {
        Some(name) => format!("Did you mean {}?", clip(name, 200)).into(),
        None if !known.is_empty() => format!("The API serves {}", list_some(known)).into(),
        None if asked.cluster => {
            "Use the model's serving name. It differs from the name that kubectl shows".into()
        }
        None => Advice::by_face(
            "Pick a model from the list",
            "Run `batida models` to list the models that the API offers",
        ),
    }
}

pub(super) fn list_some(names: &[String]) -> String {
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

/// Starts the summary of a prompt that does not fit; [`is_too_long`] recognises it, also in saved failures.
const TOO_LONG: &str = "The conversation is longer than the model's context";

/// Whether a failure is that the prompt does not fit the model's context.
pub fn is_too_long(failure: &Failure) -> bool {
    failure.summary.starts_with(TOO_LONG)
}

pub(super) fn try_again(retry_after: Option<Duration>) -> String {
    match retry_after {
        Some(wait) if wait.is_zero() => "The server asks you to try again now".to_owned(),
        Some(wait) => {
            format!(
                "The server asks you to try again in {}",
                units::duration(wait)
            )
        }
        None => "Wait a moment and try again".to_owned(),
    }
}
