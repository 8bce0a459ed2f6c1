//! Every way an API can say no, told to a person.
//!
//! A server's `code` decides before the HTTP status does. Details hold the server's own words.

use std::time::Duration;

use serde_json::Value;

use crate::domain::failure::Failure;
pub use crate::domain::failure::FaultClass;

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
}

impl Fault {
    fn new(class: FaultClass, status: Option<u16>, failure: Failure) -> Self {
        Self { class, status, failure: failure.of_class(class) }
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
    /// `x-ratelimit-*`, name and value.
    pub rate_limit: &'a [(String, String)],
    /// The beginning of the body.
    pub body: &'a str,
}

/// Reads an answer whose status is no success, or whose body is not what was asked for.
pub fn from_reply(reply: &Reply<'_>, asked: &Asked<'_>) -> Fault {
    let error = serde_json::from_str::<Value>(reply.body).ok();
    let error = error.as_ref().map(ErrorBody::read).unwrap_or_default();
    if error.is_empty() && looks_like_html(reply) {
        return html(reply, asked);
    }
    let retry_after = reply.retry_after.and_then(|text| read_retry_after(text, reply.date));
    let mut fault = words(Some(reply.status), &error, retry_after, asked);
    let mut details = vec![format!("HTTP {}", reply.status)];
    details.extend(reply.retry_after.map(|text| format!("Retry-After: {text}")));
    details.extend(reply.rate_limit.iter().map(|(name, value)| format!("{name}: {value}")));
    if !reply.body.trim().is_empty() {
        details.push(reply.body.trim().to_owned());
    }
    fault.failure.details = details.join("\n");
    fault
}

/// Reads an error that came inside a stream, after the 200.
pub fn from_stream(error: &Value, asked: &Asked<'_>) -> Fault {
    let body = ErrorBody::read(error);
    let status = body.status;
    let mut fault = words(status, &body, None, asked);
    fault.failure.summary = format!("{}, amid the answer", fault.failure.summary);
    fault.failure.details = error.to_string();
    fault
}

/// The words of an error body, whatever its form.
#[derive(Debug, Default)]
struct ErrorBody {
    /// A numeric code that is an HTTP status: there is no other after a 200.
    status: Option<u16>,
    message: String,
    code: String,
    param: String,
}

impl ErrorBody {
    /// `{"error":{"message","type","param","code"}}`, `{"error":"…"}`, the inner object alone, a bare
    /// string, FastAPI's `{"detail":…}`.
    fn read(value: &Value) -> Self {
        let inner = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
        if let Some(message) = inner.as_str() {
            return Self { message: message.to_owned(), ..Self::default() };
        }
        let text = |name: &str| match inner.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let mut message = text("message");
        if message.is_empty() {
            message = match inner.get("detail") {
                Some(Value::String(text)) => text.clone(),
                Some(other) if !other.is_null() => other.to_string(),
                _ => String::new(),
            };
        }
        let mut code = text("code");
        let status = code.parse().ok().filter(|status| (400..600).contains(status));
        if code.is_empty() || code.bytes().all(|b| b.is_ascii_digit()) {
            code = text("type");
        }
        Self { status, message, code, param: text("param") }
    }

    fn is_empty(&self) -> bool {
        self.message.is_empty() && self.code.is_empty()
    }
}

fn words(status: Option<u16>, error: &ErrorBody, retry_after: Option<Duration>, asked: &Asked<'_>) -> Fault {
    let Asked { host, model, .. } = *asked;
    let said = one_line(&error.message);
    let code = error.code.as_str();
    let fault = |class, summary: String, advice: String| {
        Fault::new(class, status, Failure { retry_after, ..Failure::new(summary, advice) })
    };
    let with_http = |what: &str| match status {
        Some(status) => format!("{what} (HTTP {status})"),
        None => what.to_owned(),
    };
    match (code, status.unwrap_or(0)) {
        ("invalid_api_key" | "authentication_error", _) | (_, 401) if !asked.had_key => fault(
            FaultClass::KeyRefused,
            with_http("The API wants a key, and none was sent"),
            format!("Give the environment a key; for `batida`, set ${} or say --key-env VAR", crate::snippet::KEY_VARIABLE),
        ),
        ("invalid_api_key" | "authentication_error", _) | (_, 401) => fault(
            FaultClass::KeyRefused,
            with_http("The API key was refused"),
            "Check the key of this environment on Home; keys are made in SambaStack's own web page".to_owned(),
        ),
        ("model_not_found", _) => model_not_found(status, asked),
        ("model_deprecated", _) | (_, 410) => fault(
            FaultClass::ModelNotFound,
            format!("{model} is deprecated and no longer served"),
            "Pick another model".to_owned(),
        ),
        ("context_length_exceeded", _) => fault(
            FaultClass::BadRequest,
            "The conversation is longer than the model's context".to_owned(),
            join_said(&said, "Clear the conversation, shorten the prompt, or lower max tokens"),
        ),
        ("queue_full", _) => fault(
            FaultClass::QueueFull,
            with_http("The server's queue is full: too many requests are in flight"),
            format!("This is the server's limit, not your key's. {}", try_again(retry_after)),
        ),
        (_, 429) | ("rate_limit_exceeded" | "insufficient_quota", _) => fault(
            FaultClass::RateLimited,
            with_http("Too many requests: the rate limit was reached"),
            try_again(retry_after),
        ),
        ("request_timeout", _) | (_, 408 | 504) => fault(
            FaultClass::Timeout,
            with_http("The server gave up waiting for the model"),
            "Try again; the first request after a model switch can be slow. A shorter prompt or fewer max tokens help too".to_owned(),
        ),
        (_, 403) => fault(
            FaultClass::KeyRefused,
            with_http("The API forbids this request"),
            join_said(&said, "Ask whoever runs it which models this key may use"),
        ),
        (_, 413) => fault(
            FaultClass::BadRequest,
            with_http("The request is too large"),
            "SambaStack's ingress takes bodies up to 25 MB: clear the conversation or shorten the prompt".to_owned(),
        ),
        (_, 404) if !model.is_empty() && said.to_lowercase().contains("model") => model_not_found(status, asked),
        (_, 404 | 405) => fault(
            FaultClass::NotAnApi,
            format!("{host} has no chat completions API at this address"),
            "Check the API domain on Home: it is the API's host, not the web page's".to_owned(),
        ),
        (_, 500 | 502) => fault(
            FaultClass::Server,
            with_http("The server failed"),
            join_said(&said, "Try again; if it stays so, look at the model's pods"),
        ),
        (_, 503) => fault(
            FaultClass::Server,
            with_http("The service is not available: it is overloaded, starting or under maintenance"),
            join_said(&said, &try_again(retry_after)),
        ),
        (_, 400..=499) => fault(
            FaultClass::BadRequest,
            match (error.param.as_str(), said.as_str()) {
                ("", "") => with_http("The server refused the request"),
                ("", said) => format!("The server refused the request: {said}"),
                (param, "") => format!("The server refused the parameter {param}"),
                (param, said) => format!("The server refused the parameter {param}: {said}"),
            },
            "Change or clear the parameter and try again".to_owned(),
        ),
        (_, 300..=399) => fault(
            FaultClass::NotAnApi,
            with_http(&format!("{host} points elsewhere instead of answering")),
            "Type the address it points to as the API domain; Batida follows no redirect, since the key would go along".to_owned(),
        ),
        _ => fault(
            FaultClass::Server,
            if said.is_empty() { with_http("The server reported an error") } else { format!("The server reported an error: {said}") },
            "Try again".to_owned(),
        ),
    }
}

fn model_not_found(status: Option<u16>, asked: &Asked<'_>) -> Fault {
    let Asked { model, known, .. } = *asked;
    let advice = match nearest(model, known) {
        Some(name) => format!("Did you mean {name}?"),
        None if known.is_empty() => {
            "The API wants the serving name, which differs from the name that kubectl shows".to_owned()
        }
        None => format!("It routes {}", list_some(known)),
    };
    let failure = Failure::new(format!("The API does not route a model named {model}"), advice);
    Fault::new(FaultClass::ModelNotFound, status, failure)
}

fn list_some(names: &[String]) -> String {
    let shown = names.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(5) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The known name closest to `name`: the same letters and digits, else few edits away.
pub fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let fold =
        |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let wanted = fold(name);
    known
        .iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&wanted, &fold(candidate)), candidate))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.as_str())
}

fn html(reply: &Reply<'_>, asked: &Asked<'_>) -> Fault {
    let host = asked.host;
    let title = reply
        .body
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .map(|(title, _)| one_line(title))
        .unwrap_or_default();
    let (class, summary) = match reply.status {
        200..=399 => (FaultClass::NotAnApi, format!("{host} answered with a web page instead of the API")),
        413 => (FaultClass::BadRequest, "The ingress refused the request: it is too large".to_owned()),
        429 => (FaultClass::IngressLimited, "The ingress's rate limit was reached (HTTP 429)".to_owned()),
        502..=504 => {
            (FaultClass::Server, format!("The gateway reached no server behind it (HTTP {})", reply.status))
        }
        401 | 403 => (
            FaultClass::KeyRefused,
            format!("A gateway before the API refused the request (HTTP {})", reply.status),
        ),
        status => (FaultClass::NotAnApi, format!("{host} answered with a web page (HTTP {status})")),
    };
    let advice = match class {
        FaultClass::NotAnApi => {
            "Check the API domain on Home: this looks like a web page's or a login portal's address"
        }
        FaultClass::BadRequest => {
            "SambaStack's ingress takes bodies up to 25 MB: clear the conversation or shorten the prompt"
        }
        FaultClass::IngressLimited => {
            "SambaStack's ingress allows 240 requests a minute by default: wait a little"
        }
        FaultClass::KeyRefused => "Check whether the API is behind a login, a VPN or an allow list",
        _ => "Look at the deployment's pods on the cluster, then try again",
    };
    let mut details = format!("HTTP {}", reply.status);
    if !title.is_empty() {
        details = format!("{details}\nPage title: {title}");
    }
    details = format!("{details}\n{}", clip(reply.body.trim(), 2_000));
    let retry_after = reply.retry_after.and_then(|text| read_retry_after(text, reply.date));
    let failure = Failure { retry_after, ..Failure::new(summary, advice).with_details(details) };
    Fault::new(class, Some(reply.status), failure)
}

fn looks_like_html(reply: &Reply<'_>) -> bool {
    let start: String = reply.body.trim_start().chars().take(15).collect::<String>().to_ascii_lowercase();
    reply.content_type.to_ascii_lowercase().contains("text/html")
        || start.starts_with("<!doctype html")
        || start.starts_with("<html")
}

/// An answer with status 200 that is neither a stream nor a completion.
pub fn not_an_answer(reply: &Reply<'_>, asked: &Asked<'_>) -> Fault {
    if looks_like_html(reply) {
        return html(reply, asked);
    }
    let failure = Failure::new(
        format!("{} answered with something that is no chat completion", asked.host),
        "Check that the API domain on Home is that of an OpenAI-compatible API",
    );
    Fault::new(FaultClass::NotAnApi, Some(reply.status), failure.with_details(clip(reply.body.trim(), 2_000)))
}

/// A stream that ended before `[DONE]` and before a finish reason.
pub fn cut(asked: &Asked<'_>, details: &str) -> Fault {
    let failure = Failure::new(
            format!("{} closed the connection before the answer was complete", asked.host),
            "What had arrived is kept. Try again; if it stays so, the model's pod may be restarting or a proxy cuts long answers",
        )
        .with_details(details);
    Fault::new(FaultClass::Dropped, None, failure)
}

/// What went wrong before or below HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// No address for the name.
    HostUnknown,
    /// The port is closed.
    Refused,
    /// No route, network down.
    Unreachable,
    /// No connection in time.
    ConnectTimeout,
    /// Connected, and then nothing for this long.
    ReadTimeout(Duration),
    /// The certificate's issuer is not trusted.
    UnknownIssuer,
    /// The certificate is for other names.
    WrongName,
    /// The certificate is out of date, or not yet valid.
    Expired,
    /// The other side speaks no TLS.
    NotTls,
    /// Another trouble with TLS.
    OtherTls,
    /// Plain HTTP to a port that wants TLS.
    NotHttp,
    /// The connection broke.
    Broken,
}

impl Transport {
    /// Puts it in words. `details` are the library's own.
    pub fn into_fault(self, asked: &Asked<'_>, details: String) -> Fault {
        let host = asked.host;
        let bare = host.split('/').next().unwrap_or(host);
        let (class, summary, advice) = match self {
            Self::HostUnknown => (
                FaultClass::HostUnknown,
                format!("{bare} is not known to the name server"),
                "Check the API domain on Home for typing errors, and whether a VPN must be on",
            ),
            Self::Refused => (
                FaultClass::Unreachable,
                format!("{bare} refused the connection: nothing listens there"),
                "Check the port of the API domain, and whether SambaStack's ingress is running",
            ),
            Self::Unreachable => (
                FaultClass::Unreachable,
                format!("There is no way to {bare} from this machine"),
                "Check the network, the VPN and the proxy",
            ),
            Self::ConnectTimeout => (
                FaultClass::Timeout,
                format!("{bare} did not accept a connection in time"),
                "A firewall may swallow the packets, or a VPN must be on",
            ),
            Self::ReadTimeout(after) => (
                FaultClass::Timeout,
                format!("{bare} sent nothing for {}", crate::domain::units::duration(after)),
                "Try again; if it stays so, look at the model's pods",
            ),
            Self::UnknownIssuer => (
                FaultClass::Tls,
                format!(
                    "The certificate of {bare} is signed by an authority that this machine does not trust"
                ),
                "Give the environment your authority's CA certificate file on Home",
            ),
            Self::WrongName => (
                FaultClass::Tls,
                format!("The certificate of {bare} is for another name"),
                "Use the name that the certificate is for as the API domain",
            ),
            Self::Expired => (
                FaultClass::Tls,
                format!("The certificate of {bare} has expired or is not valid yet"),
                "Check this machine's clock; then the certificate must be renewed on the server",
            ),
            Self::NotTls => (
                FaultClass::Tls,
                format!("{bare} does not speak TLS on this port"),
                "Try http:// instead of https:// in the API domain, or another port",
            ),
            Self::OtherTls => (
                FaultClass::Tls,
                format!("No secure connection to {bare} could be made"),
                "The details say what the TLS library met",
            ),
            Self::NotHttp => (
                FaultClass::NotAnApi,
                format!("What {bare} answers is not HTTP"),
                "Try https:// instead of http:// in the API domain, or another port",
            ),
            Self::Broken => (
                FaultClass::Dropped,
                format!("The connection to {bare} broke"),
                "Try again; what had arrived is kept",
            ),
        };
        Fault::new(class, None, Failure::new(summary, advice).with_details(details))
    }
}

fn try_again(retry_after: Option<Duration>) -> String {
    match retry_after {
        Some(wait) if wait.is_zero() => "The server says: try again now".to_owned(),
        Some(wait) => {
            format!("The server says: try again in {}", crate::domain::units::duration(wait))
        }
        None => "Wait a little and try again".to_owned(),
    }
}

/// `Retry-After`: whole seconds or an HTTP date, which is counted from the server's own `Date`.
fn read_retry_after(text: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let parse = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
    let until = parse(text)?.duration_since(parse(date?)?);
    Some(until.unsigned_abs()).filter(|_| !until.is_negative())
}

fn join_said(said: &str, advice: &str) -> String {
    if said.is_empty() { advice.to_owned() } else { format!("The server says: {said}. {advice}") }
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    clip(line.trim_end_matches('.'), 300)
}

fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        ["gemma-4-31B-it", "Meta-Llama-3.3-70B-Instruct"].map(str::to_owned).to_vec()
    }

    #[track_caller]
    fn check_fault(status: u16, body: &str, class: FaultClass, words: &str) {
        let known = known();
        let asked = Asked { host: "api.example.com", model: "gemma-4-31b-it", known: &known, had_key: true };
        let reply = Reply { status, body, retry_after: Some("7"), ..Reply::default() };
        let fault = from_reply(&reply, &asked);
        assert_eq!(fault.class, class, "{body}");
        let told = fault.failure.to_string();
        assert!(told.contains(words), "{words:?} is not in {told:?}");
    }

    #[test]
    fn the_code_decides_before_the_status() {
        check_fault(
            400,
            r#"{"error":{"message":"x","code":"model_not_found"}}"#,
            FaultClass::ModelNotFound,
            "Did you mean gemma-4-31B-it?",
        );
        check_fault(
            404,
            r#"{"error":{"message":"no such model","code":"model_not_found"}}"#,
            FaultClass::ModelNotFound,
            "does not route a model named gemma-4-31b-it",
        );
        check_fault(
            429,
            r#"{"error":{"code":"queue_full","message":"busy"}}"#,
            FaultClass::QueueFull,
            "not your key's",
        );
        check_fault(
            429,
            r#"{"error":{"code":"insufficient_quota","message":"no"}}"#,
            FaultClass::RateLimited,
            "the rate limit was reached",
        );
        check_fault(
            400,
            r#"{"error":{"code":"context_length_exceeded","message":"131072 is the limit."}}"#,
            FaultClass::BadRequest,
            "131072 is the limit. Clear",
        );
        check_fault(410, r#"{"error":{"code":"model_deprecated"}}"#, FaultClass::ModelNotFound, "deprecated");
    }

    #[test]
    fn every_row_of_the_table_has_its_sentence() {
        check_fault(
            400,
            r#"{"error":{"message":"must be at most 2","param":"temperature","code":"invalid_value"}}"#,
            FaultClass::BadRequest,
            "refused the parameter temperature: must be at most 2",
        );
        check_fault(
            401,
            r#"{"error":"Unauthorized"}"#,
            FaultClass::KeyRefused,
            "The API key was refused (HTTP 401)",
        );
        check_fault(401, "", FaultClass::KeyRefused, "refused");
        check_fault(408, r#"{"error":{"code":"request_timeout"}}"#, FaultClass::Timeout, "gave up waiting");
        check_fault(429, "slow down", FaultClass::RateLimited, "try again in 7.00 s");
        check_fault(500, r#"{"error":{"message":"cuda"}}"#, FaultClass::Server, "cuda");
        check_fault(503, "", FaultClass::Server, "maintenance");
        check_fault(
            404,
            r#"{"error":"Not found"}"#,
            FaultClass::NotAnApi,
            "api.example.com has no chat completions API",
        );
        check_fault(413, "", FaultClass::BadRequest, "25 MB");
        check_fault(302, "", FaultClass::NotAnApi, "points elsewhere");
        check_fault(422, r#"{"detail":"model is required"}"#, FaultClass::BadRequest, "model is required");
    }

    #[test]
    fn html_is_named_as_what_it_is() {
        check_fault(
            502,
            "<html><head><title>502 Bad Gateway</title></head></html>",
            FaultClass::Server,
            "reached no server behind it (HTTP 502)",
        );
        check_fault(
            200,
            "<!DOCTYPE html><title>Log in</title>",
            FaultClass::NotAnApi,
            "a web page instead of the API",
        );
        check_fault(413, "<html>413</html>", FaultClass::BadRequest, "too large");
    }

    #[test]
    fn retry_after_may_be_a_date() {
        let date = Some("Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(read_retry_after("Wed, 21 Oct 2026 07:28:30 GMT", date), Some(Duration::from_secs(30)));
        assert_eq!(read_retry_after("Wed, 21 Oct 2026 07:27:30 GMT", date), None);
        assert_eq!(read_retry_after("3", None), Some(Duration::from_secs(3)));
        assert_eq!(read_retry_after("-3", None), None);
        assert_eq!(read_retry_after("soon", date), None);
    }

    #[test]
    fn an_error_amid_the_stream_is_an_error() {
        let error = serde_json::json!({"error": {"message": "engine died", "code": "internal_error"}});
        let fault = from_stream(&error, &Asked::default());
        assert_eq!(fault.class, FaultClass::Server);
        assert_eq!(fault.failure.summary, "The server reported an error: engine died, amid the answer");
    }

    #[test]
    fn far_names_are_not_suggested() {
        assert_eq!(nearest("whisper", &known()), None);
        assert_eq!(nearest("meta-llama-3-3-70b-instruct", &known()), Some("Meta-Llama-3.3-70B-Instruct"));
    }
}
