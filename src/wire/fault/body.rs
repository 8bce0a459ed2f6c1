//! Error bodies, in the shapes that servers and gateways send.
//!
//! | sent by | shape |
//! |---|---|
//! | OpenAI, SambaNova, Groq, Ollama, LiteLLM, llama.cpp | `{"error":{"message","type","param","code"}}` |
//! | vLLM, SGLang, Mistral | `{"object":"error","message","type","param","code"}`; Mistral's message may be an object or a list |
//! | Google | `[{"error":{"code","message","status","details":[{"reason","retryDelay"}]}}]` |
//! | TGI, Ollama's own API, Hugging Face | `{"error":"…","error_type"}`, `{"error":["…"]}` |
//! | FastAPI, LiteLLM's proxy | `{"detail":"…"}`, `{"detail":[{"loc","msg"}]}` |
//! | Azure, AWS, Kong, Cohere, Databricks | `{"message"}`, `{"statusCode","message"}`, `{"error_code","message"}`; XML |
//! | NestJS, Spring | `{"message","error"}`, where `error` repeats the status in words |
//! | Cloudflare | `{"errors":[{"code","message"}]}` |
//! | Anthropic, OpenRouter | `{"type":"error","error":{…}}`, `{"error":{"message","metadata":{"raw"}}}` |
//! | RFC 9457, OAuth, Apigee | `{"title","detail"}`, `{"error","error_description"}`, `{"fault":{"faultstring"}}` |
//! | completions with an error in place of the answer | `{"choices":[{"error":{"message"}}]}` |
//! | SOAP | XML with `faultstring`, or `Text` in version 1.2 |
//! | Go's and proxies' plain text | `404 page not found`, `upstream connect error …` |

use std::time::Duration;

use serde_json::{Map, Value};

use crate::domain::units;

/// Nested objects deeper than this are ignored.
const MAX_DEPTH: usize = 8;
/// At most this many sentences of one body are joined.
const MAX_SENTENCES: usize = 3;
/// A longer plain-text body, in bytes, is taken for a page and not for a sentence.
const MAX_PLAIN_BYTES: usize = 4_000;

/// The parts of an error body that Batida uses.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ErrorBody {
    /// An HTTP status inside the body. Inside a stream it is the only one.
    pub(super) status: Option<u16>,
    /// The server's sentence, possibly empty.
    pub(super) said: String,
    /// The values of `code`, `type`, `status`, `reason` and the like, in snake case.
    pub(super) codes: Vec<String>,
    /// The values of `param`.
    pub(super) params: Vec<String>,
    /// How long it asks to wait.
    pub(super) wait: Option<Duration>,
}

impl ErrorBody {
    /// Reads JSON, XML or a plain sentence. [`super::page`] reads HTML.
    pub(super) fn parse(body: &str) -> Self {
        let body = body.trim_start_matches('\u{feff}').trim();
        if let Ok(value) = serde_json::from_str::<Value>(body) {
            return Self::read(&value);
        }
        // Some servers send an event, or several documents, instead of one document.
        let first = body.strip_prefix("data:").unwrap_or(body);
        if let Some(Ok(value)) = serde_json::Deserializer::from_str(first)
            .into_iter::<Value>()
            .next()
            && !value.is_number()
        {
            return Self::read(&value);
        }
        if body.starts_with('<') {
            return Self::of_xml(body);
        }
        let said = if body.len() <= MAX_PLAIN_BYTES {
            body
        } else {
            ""
        };
        let wait = wait_in(said);
        Self {
            said: said.to_owned(),
            wait,
            ..Self::default()
        }
    }

    /// Reads an error that is JSON already.
    pub(super) fn read(value: &Value) -> Self {
        let mut body = Self::default();
        body.collect(value, 0);
        let mut sentences = Vec::new();
        say(value, 0, &mut sentences);
        body.said = sentences.join("; ");
        body.wait = body.wait.or_else(|| wait_in(&body.said));
        body
    }

    fn of_xml(body: &str) -> Self {
        let first = |names: &[&str]| names.iter().find_map(|name| element(body, name));
        let said = first(&["message", "faultstring", "text", "reason", "detail"]);
        let said = said.unwrap_or_default();
        let codes = first(&["code", "faultcode"])
            .map(|code| snake(&code))
            .into_iter()
            .collect();
        Self {
            said,
            codes,
            ..Self::default()
        }
    }

    /// Whether one of its codes is one of these.
    pub(super) fn has_code(&self, codes: &[&str]) -> bool {
        self.codes.iter().any(|code| codes.contains(&code.as_str()))
    }

    /// Collects codes, statuses, parameters and waiting times at any depth.
    fn collect(&mut self, value: &Value, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        match value {
            Value::Array(items) => items
                .iter()
                .take(16)
                .for_each(|item| self.collect(item, depth + 1)),
            Value::Object(object) => {
                self.codes.extend(minimax_code(object));
                for (name, value) in object.iter().take(64) {
                    self.member(name, value, depth);
                }
            }
            // A gateway may quote the error of the server behind it in a string.
            Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
                if let Ok(inner) = serde_json::from_str(text) {
                    self.collect(&inner, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn member(&mut self, name: &str, value: &Value, depth: usize) {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            other => return self.collect(other, depth + 1),
        };
        match name {
            "code" | "status" | "statusCode" | "status_code" | "http_status" | "type"
            | "error_type" | "error_code" | "errorCode" | "reason" | "__type" | "error"
            | "Code" => {
                if let Ok(number) = text.parse::<u16>() {
                    let status = Some(number).filter(|status| (400..600).contains(status));
                    self.status = self.status.or(status);
                } else if !text.is_empty() && text.len() <= 80 && !text.contains(' ') {
                    self.codes.push(snake(&text));
                }
            }
            "param" if value.is_string() && !text.is_empty() => self.params.push(text.clone()),
            "retryDelay" | "retry_after" | "estimated_time" | "retry_after_seconds" => {
                let seconds = text.trim_end_matches('s').parse::<f64>().ok();
                self.wait = self
                    .wait
                    .or_else(|| seconds.and_then(units::checked_seconds));
            }
            _ => {}
        }
        if value.is_string() {
            self.collect(value, depth + 1);
        }
    }
}

/// The word for the number in MiniMax's `base_resp`
/// (<https://platform.minimax.io/docs/api-reference/errorcode>), which it sends with status 200.
fn minimax_code(object: &Map<String, Value>) -> Option<String> {
    object.get("status_msg")?;
    let word = match object.get("status_code")?.as_u64()? {
        1001 => "request_timeout",
        1002 | 1039 | 1041 => "rate_limit_exceeded",
        1004 | 2049 => "invalid_api_key",
        1008 | 2056 => "insufficient_quota",
        1026 | 1027 => "content_filter",
        _ => return None,
    };
    Some(word.to_owned())
}

/// Members that may hold the sentence, or an object with it, in the order in which they are tried.
const SENTENCES: [&str; 23] = [
    "error_description",
    "error",
    "message",
    "Message",
    "detail",
    "errors",
    "msg",
    "error_message",
    "errorMessage",
    "error_msg",
    "faultstring",
    "fault",
    "title",
    "reason",
    "description",
    "details",
    "raw",
    "status_msg",
    "base_resp",
    "data",
    "response",
    "result",
    "text",
];
/// Members whose number is the sentence where nothing else is.
const NUMBERS: [&str; 4] = ["message", "Message", "msg", "detail"];

/// The text of the first XML element with this name, in any case and with any prefix.
fn element(xml: &str, name: &str) -> Option<String> {
    let mut tags = xml.match_indices('<').map(|(at, _)| &xml[at + 1..]);
    tags.find_map(|tag| {
        let (head, rest) = tag.split_once('>')?;
        let full = head.split([' ', '\t', '\r', '\n', '/']).next()?;
        let bare = full.rsplit(':').next()?;
        let text = rest.split('<').next()?.trim();
        (bare.eq_ignore_ascii_case(name) && !text.is_empty()).then(|| text.to_owned())
    })
}

/// Collects the sentences of an error. Returns whether it found any.
fn say(value: &Value, depth: usize, out: &mut Vec<String>) -> bool {
    if depth > MAX_DEPTH || out.len() >= MAX_SENTENCES {
        return false;
    }
    match value {
        Value::String(text) => say_text(text, depth, out),
        Value::Array(items) => {
            let before = out.len();
            for item in items {
                say(item, depth + 1, out);
            }
            out.len() > before
        }
        Value::Object(object) => {
            // FastAPI: `loc` says where, `msg` says what.
            if let (Some(place), Some(Value::String(what))) = (place(object), object.get("msg")) {
                out.push(format!("{place}: {what}"));
                return true;
            }
            // OpenRouter says "Provider returned error" and puts the provider's sentence into `raw`.
            let raw = object
                .get("metadata")
                .and_then(|metadata| metadata.get("raw"));
            // NestJS and Spring: `error` repeats the status in words, and `message` says what is wrong.
            let said = |name: &str, out: &mut Vec<String>| {
                object
                    .get(name)
                    .is_some_and(|value| say(value, depth + 1, out))
            };
            let told = object.get("error").is_some_and(Value::is_string) && said("message", out);
            let found = told || SENTENCES.iter().any(|name| said(name, out));
            let found = found || say_choices(object, depth, out) || say_number(object, out);
            raw.is_some_and(|raw| say(raw, depth + 1, out)) || found
        }
        _ => false,
    }
}

/// A completion whose choices hold errors in place of texts.
fn say_choices(object: &Map<String, Value>, depth: usize, out: &mut Vec<String>) -> bool {
    let choices = object.get("choices").and_then(Value::as_array);
    choices.into_iter().flatten().any(|choice| {
        choice
            .get("error")
            .is_some_and(|error| say(error, depth + 1, out))
    })
}

fn say_number(object: &Map<String, Value>, out: &mut Vec<String>) -> bool {
    let mut values = NUMBERS.iter().filter_map(|name| object.get(*name));
    let number = values.find(|value| value.is_number());
    out.extend(number.map(Value::to_string));
    number.is_some()
}

fn say_text(text: &str, depth: usize, out: &mut Vec<String>) -> bool {
    let text = text.trim();
    if text.starts_with(['{', '['])
        && let Ok(inner) = serde_json::from_str::<Value>(text)
        && say(&inner, depth + 1, out)
    {
        return true;
    }
    if text.is_empty() || out.iter().any(|said| said == text) {
        return false;
    }
    out.push(text.to_owned());
    true
}

/// `["body", "stream_options", "include_usage"]` as `stream_options.include_usage`.
fn place(object: &Map<String, Value>) -> Option<String> {
    let parts = object.get("loc")?.as_array()?;
    let part = |part: &Value| {
        part.as_str()
            .map_or_else(|| part.to_string(), str::to_owned)
    };
    let parts: Vec<String> = parts.iter().map(part).collect();
    let from =
        usize::from(parts.len() > 1 && matches!(parts[0].as_str(), "body" | "query" | "header"));
    Some(parts[from..].join("."))
}

/// `RESOURCE_EXHAUSTED`, `ContextWindowExceededError` and `rate-limit` in snake case.
fn snake(code: &str) -> String {
    let mut out = String::with_capacity(code.len() + 4);
    let mut was_lower = false;
    for c in code.chars() {
        if c.is_ascii_uppercase() && was_lower {
            out.push('_');
        }
        was_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        });
    }
    out
}

/// `try again in 7.66s`, `retry in 37.5s`, `retry after 20 seconds`, `try again in 1m30.5s`.
fn wait_in(said: &str) -> Option<Duration> {
    let lower = said.to_ascii_lowercase();
    let rest = [
        "try again in ",
        "retry in ",
        "retry after ",
        "try again after ",
    ]
    .iter()
    .find_map(|words| lower.split_once(words).map(|(_, rest)| rest))?;
    let mut total = 0.0;
    let mut rest = rest.trim_start();
    let mut any = false;
    for _ in 0..3 {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let Ok(number) = rest[..end].trim_end_matches('.').parse::<f64>() else {
            break;
        };
        let unit = rest[end..].trim_start();
        let letters = unit
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(unit.len());
        let factor = match &unit[..letters] {
            "ms" | "millisecond" | "milliseconds" => 1e-3,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3_600.0,
            _ => break,
        };
        (total, any) = (total + number * factor, true);
        rest = &unit[letters..];
    }
    units::checked_seconds(total).filter(|_| any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_said(body: &str, said: &str) {
        assert_eq!(ErrorBody::parse(body).said, said, "{body}");
    }

    #[test]
    fn the_sentence_is_found_in_every_dialect() {
        for body in [
            r#"{"error":{"message":"no","type":"t","param":null,"code":null}}"#,
            r#"{"error":"no"}"#,
            r#"{"error":["no"]}"#,
            r#"{"error":"no","error_type":"validation"}"#,
            r#"[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]"#,
            r#"{"object":"error","message":"no","type":"BadRequestError","param":null,"code":400}"#,
            r#"{"detail":"no"}"#,
            r#"{"detail":{"error":{"message":"no"}}}"#,
            r#"{"message":"no"}"#,
            r#"{"Message":"no"}"#,
            r#"{"msg":"no","code":1}"#,
            r#"{"statusCode":401,"message":"no"}"#,
            r#"{"error_code":"X","message":"no"}"#,
            r#"{"success":false,"errors":[{"code":7003,"message":"no"}],"result":null}"#,
            r#"{"type":"error","error":{"type":"x","message":"no"}}"#,
            r#"{"type":"about:blank","title":"Bad","status":400,"detail":"no"}"#,
            r#"{"error":"invalid_request","error_description":"no"}"#,
            r#"{"fault":{"faultstring":"no"}}"#,
            r#"{"error":true,"message":"no"}"#,
            r#"{"statusCode":400,"message":["no"],"error":"Bad Request"}"#,
            r#"{"timestamp":"x","status":400,"error":"Bad Request","message":"no","path":"/v1"}"#,
            r#"{"error":{"message":{"text":"no"}}}"#,
            r#"{"choices":[{"index":0,"error":{"message":"no","code":502}}]}"#,
            "<s:Envelope><s:Body><s:Fault><faultcode>s:x</faultcode><faultstring xml:lang=\"en\">no</faultstring></s:Fault></s:Body></s:Envelope>",
            "<env:Fault><env:Reason><env:Text xml:lang=\"en\">no</env:Text></env:Reason></env:Fault>",
            r#"{"status":"error","reason":"no"}"#,
            r#"{"code":500,"data":{"error":{"message":"no"}}}"#,
            r#"{"base_resp":{"status_code":1004,"status_msg":"no"}}"#,
            r#"{"kind":"Status","status":"Failure","message":"no","reason":"Forbidden","code":403}"#,
            r#"{"error":{"message":"{\"error\":{\"message\":\"no\"}}"}}"#,
            r#""no""#,
            "no",
            "\u{feff}{\"error\":\"no\"}",
            "data: {\"error\":{\"message\":\"no\"}}\n\n",
            "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>",
        ] {
            check_said(body, "no");
        }
        check_said(r#"{"error":{"message":12345}}"#, "12345");
        check_said(r#"{"message":7,"detail":"no"}"#, "no");
        check_said("{}", "");
        check_said("[]", "");
        check_said("", "");
        check_said("404 page not found\n", "404 page not found");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let detail = r#"[{"type":"extra_forbidden","loc":["body","stream_options","include_usage"],"msg":"Extra inputs are not permitted"}]"#;
        let expected = "stream_options.include_usage: Extra inputs are not permitted";
        check_said(&format!(r#"{{"detail":{detail}}}"#), expected);
        check_said(
            &format!(r#"{{"object":"error","message":{{"detail":{detail}}}}}"#),
            expected,
        );
        check_said(
            &format!(r#"{{"object":"Error","detail":{detail},"message":{detail}}}"#),
            expected,
        );
        check_said(
            r#"{"detail":[{"loc":["body","messages",0,"role"],"msg":"bad"}]}"#,
            "messages.0.role: bad",
        );
    }

    #[test]
    fn a_gateways_quotation_of_another_error_is_told_with_it() {
        let body = r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"{\"error\":\"too busy\"}"}}}"#;
        check_said(body, "Provider returned error; too busy");
        assert_eq!(ErrorBody::parse(body).status, Some(429));
    }

    #[test]
    fn machine_words_have_one_writing_and_statuses_are_none() {
        let body = ErrorBody::parse(
            r#"{"error":{"code":"429","type":"ContextWindowExceededError","status":"RESOURCE_EXHAUSTED","details":[{"reason":"API_KEY_INVALID","retryDelay":"37s"}]}}"#,
        );
        assert_eq!(body.status, Some(429));
        assert_eq!(body.wait, Some(Duration::from_secs(37)));
        assert!(
            body.has_code(&["context_window_exceeded_error"]),
            "{body:?}"
        );
        assert!(
            body.has_code(&["resource_exhausted"]) && body.has_code(&["api_key_invalid"]),
            "{body:?}"
        );
    }

    #[test]
    fn a_wait_in_words_is_read() {
        for (said, seconds) in [
            ("Please retry in 37.5s.", Some(37.5)),
            ("Please try again in 1m30.5s. Visit", Some(90.5)),
            ("try again in 120ms", Some(0.12)),
            ("Please retry after 20 seconds", Some(20.0)),
            ("Try again in a while", None),
            ("retry in 99999999999999999999999h", None),
        ] {
            assert_eq!(
                wait_in(said),
                seconds.map(Duration::from_secs_f64),
                "{said}"
            );
        }
    }

    #[test]
    fn no_depth_and_no_size_is_too_much() {
        let deep = format!("{}{}", r#"{"error":"#.repeat(100), "}".repeat(100));
        let _ = ErrorBody::parse(&deep);
        let long = format!(
            r#"{{"detail":[{}]}}"#,
            vec![r#"{"loc":["a"],"msg":"b"}"#; 5_000].join(",")
        );
        assert!(ErrorBody::parse(&long).said.len() < 100);
    }
}
