//! The exact server's HTTP: requests read from bytes, and answers as bytes made in advance.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};

use super::times::Times;
use crate::demo::script;

/// The one model's name; any other is taken for it.
pub const MODEL: &str = "exact";

/// Of a request's head, and of its body.
const MOST_HEAD: usize = 64 << 10;
const MOST_BODY: usize = 25 << 20;
/// However many are asked for, so that an answer fits into memory.
const MOST_TOKENS: u64 = 100_000;

const WORDS: [&str; 8] = [
    " time", " is", " given", " and", " not", " taken", " by", " clocks",
];

/// What the bytes at hand amount to.
#[derive(Debug)]
pub(super) enum Read {
    /// Part of a request, which is complete at `need` bytes or more. `waits`: its sender wants to hear that
    /// it may go on.
    Part { need: usize, waits: bool },
    /// A request in the first `used` bytes. `close`: it is the connection's last.
    Whole {
        asked: Asked,
        used: usize,
        close: bool,
    },
}

/// What a request is for.
#[derive(Debug)]
pub(super) enum Asked {
    /// An answer, or an embedding.
    Chat(Ask),
    /// The list of models.
    Models,
    /// The times kept so far.
    Times,
    /// That they be forgotten.
    Forget,
    /// Nothing that is to be had.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Why.
        why: String,
    },
}

/// An answer that is asked for.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) id: Option<Box<str>>,
    pub(super) stream: bool,
    /// A vector, in one document when the first token would be due.
    pub(super) embeds: bool,
    /// `None` when the request does not say.
    pub(super) tokens: Option<u32>,
    pub(super) prompt_tokens: u64,
}

/// Reads the request that `bytes` begin with.
pub(super) fn read(bytes: &[u8]) -> Read {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let refused = |status, why: &str| Read::Whole {
        asked: Asked::Refused {
            status,
            why: why.to_owned(),
        },
        used: bytes.len(),
        close: true,
    };
    let begin = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() > MOST_HEAD => {
            return refused(431, "The request's head is too large");
        }
        Ok(httparse::Status::Partial) => {
            return Read::Part {
                need: bytes.len() + 1,
                waits: false,
            };
        }
        Err(why) => return refused(400, &format!("This is no HTTP request: {why}")),
    };
    let header = |name: &str| {
        let found = head
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    if header("transfer-encoding").is_some() {
        return refused(
            411,
            "Say the body's length: a chunked request is not read here",
        );
    }
    let length = match header("content-length").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(length)) if length <= MOST_BODY => length,
        Some(Ok(_)) => return refused(413, "The body is too large"),
        Some(Err(_)) => return refused(400, "Content-Length is no number"),
    };
    let used = begin + length;
    let Some(body) = bytes.get(begin..used) else {
        let waits =
            header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
        return Read::Part { need: used, waits };
    };
    // An older client would not understand a chunked answer.
    let close = head.version != Some(1)
        || header("connection").is_some_and(|value| value.to_ascii_lowercase().contains("close"));
    let path = head.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let asked = match (head.method.unwrap_or_default(), path) {
        _ if head.version != Some(1) => Asked::Refused {
            status: 505,
            why: "Ask in HTTP/1.1".to_owned(),
        },
        ("POST", "/v1/chat/completions") => chat(header("x-request-id"), body),
        ("POST", "/v1/embeddings") => embedding(header("x-request-id"), body),
        ("GET", "/v1/models") => Asked::Models,
        ("GET", "/times") => Asked::Times,
        ("DELETE", "/times") => Asked::Forget,
        (method, path) => Asked::Refused {
            status: 404,
            why: format!("There is no {method} {path} here"),
        },
    };
    Read::Whole { asked, used, close }
}

#[derive(Deserialize)]
struct ChatBody<'a> {
    #[serde(borrow)]
    messages: Vec<Said<'a>>,
    #[serde(default)]
    stream: bool,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
}

fn chat(id: Option<&str>, body: &[u8]) -> Asked {
    let body: ChatBody<'_> = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(why) => {
            return Asked::Refused {
                status: 400,
                why: format!("The body is no request: {why}"),
            };
        }
    };
    let wished = body.max_tokens.or(body.max_completion_tokens);
    if body.messages.is_empty() || wished == Some(0) {
        let why = "messages must not be empty, and max_tokens must be at least 1";
        return Asked::Refused {
            status: 400,
            why: why.to_owned(),
        };
    }
    Asked::Chat(Ask {
        id: id.map(Into::into),
        stream: body.stream,
        embeds: false,
        tokens: wished.map(|n| u32::try_from(n.min(MOST_TOKENS)).unwrap_or(u32::MAX)),
        prompt_tokens: script::prompt_tokens(body.messages.iter().map(|said| &*said.content)),
    })
}

#[derive(Deserialize)]
struct EmbeddingBody<'a> {
    #[serde(borrow)]
    input: Cow<'a, str>,
}

fn embedding(id: Option<&str>, body: &[u8]) -> Asked {
    match serde_json::from_slice::<EmbeddingBody<'_>>(body) {
        Ok(body) => Asked::Chat(Ask {
            id: id.map(Into::into),
            stream: false,
            embeds: true,
            tokens: Some(1),
            prompt_tokens: script::prompt_tokens(std::iter::once(&*body.input))
                - u64::from(script::TOKENS_AROUND),
        }),
        Err(why) => Asked::Refused {
            status: 400,
            why: format!("The body is no request: {why}"),
        },
    }
}

/// The bytes of answers, as far as they can be made in advance.
#[derive(Debug)]
pub(super) struct Rendered {
    /// The head of a stream, and the chunk that only names the role.
    pub(super) opening: Vec<u8>,
    /// Chunks with one token each, in turn.
    tokens: Vec<Vec<u8>>,
    /// The chunks that say why it ended: at its own end, and at the most that was asked for.
    finish: [Vec<u8>; 2],
    created: i64,
}

impl Rendered {
    /// For a server started at `created`, in Unix seconds.
    pub(super) fn new(created: i64) -> Self {
        let event = |delta: Value, finish: Option<&str>| {
            let chunk = json!({
                "choices": [{"delta": delta, "index": 0, "finish_reason": finish, "logprobs": null}],
                "created": created,
                "id": "exact",
                "model": MODEL,
                "object": "chat.completion.chunk",
            });
            let mut bytes = Vec::new();
            chunked(&mut bytes, &format!("data: {chunk}\n\n"));
            bytes
        };
        let mut opening =
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
            transfer-encoding: chunked\r\n\r\n"
                .to_vec();
        opening.extend(event(json!({"role": "assistant", "content": ""}), None));
        Self {
            opening,
            tokens: WORDS
                .iter()
                .map(|word| event(json!({"content": word}), None))
                .collect(),
            finish: ["stop", "length"].map(|reason| event(json!({"content": ""}), Some(reason))),
            created,
        }
    }

    /// The chunk of the token at `at`.
    pub(super) fn token(&self, at: u32) -> &[u8] {
        &self.tokens[at as usize % self.tokens.len()]
    }

    /// All that follows the last token of a stream.
    pub(super) fn write_end(&self, out: &mut Vec<u8>, told: &Told<'_>) {
        out.extend(&self.finish[usize::from(told.cut)]);
        let mut event = String::with_capacity(512);
        // Writing to a text cannot fail.
        let _ = write!(
            event,
            r#"data: {{"choices":[],"created":{},"id":"exact","model":"{MODEL}","object":"chat.completion.chunk","usage":{}}}"#,
            self.created,
            told.usage()
        );
        event.push_str("\n\n");
        chunked(out, &event);
        chunked(out, "data: [DONE]\n\n");
        out.extend(b"0\r\n\r\n");
    }

    /// The whole answer in one JSON.
    pub(super) fn write_whole(&self, out: &mut Vec<u8>, told: &Told<'_>) {
        let text: String = (0..told.tokens as usize)
            .map(|at| WORDS[at % WORDS.len()])
            .collect();
        let finish = if told.cut { "length" } else { "stop" };
        let body = format!(
            r#"{{"choices":[{{"message":{{"role":"assistant","content":"{text}"}},"index":0,"finish_reason":"{finish}"}}],"created":{},"id":"exact","model":"{MODEL}","object":"chat.completion","usage":{}}}"#,
            self.created,
            told.usage()
        );
        plain(out, 200, JSON, "", body.as_bytes());
    }

    /// A vector.
    pub(super) fn write_embedding(&self, out: &mut Vec<u8>, told: &Told<'_>) {
        let tokens = told.prompt_tokens;
        let body = format!(
            r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":[0.6,-0.8]}}],"model":"{MODEL}","usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#
        );
        plain(out, 200, JSON, "", body.as_bytes());
    }

    /// The list of models.
    pub(super) fn write_models(&self, out: &mut Vec<u8>) {
        let model = json!({"id": MODEL, "object": "model", "created": self.created, "owned_by": "batida-demo"});
        plain(
            out,
            200,
            JSON,
            "",
            json!({"object": "list", "data": [model]})
                .to_string()
                .as_bytes(),
        );
    }
}

/// What an answer's end tells of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) tokens: u32,
    pub(super) prompt_tokens: u64,
    /// It ends for `max_tokens`.
    pub(super) cut: bool,
    pub(super) times: &'a Times,
    /// Monotonic nanoseconds.
    pub(super) now: u64,
}

impl Told<'_> {
    /// SambaStack's `usage`, with the server's own figures in seconds.
    fn usage(&self) -> String {
        let Self {
            tokens,
            prompt_tokens,
            times,
            now,
            ..
        } = self;
        let seconds = |until: u64| until.saturating_sub(times.received_ns) as f64 / 1e9;
        let (first, total) = (
            seconds(times.written_ns.first().copied().unwrap_or(*now)),
            seconds(*now),
        );
        let sum = prompt_tokens + u64::from(*tokens);
        format!(
            r#"{{"prompt_tokens":{prompt_tokens},"completion_tokens":{tokens},"total_tokens":{sum},"time_to_first_token":{first:.9},"total_latency":{total:.9},"is_last_response":true}}"#
        )
    }
}

/// `Content-Type` of the answers that are no streams.
pub(super) const JSON: &str = "application/json";
/// See [`JSON`].
pub(super) const JSON_LINES: &str = "application/jsonl";

/// An answer that is no stream. `more` is headers, each with its line end.
pub(super) fn plain(out: &mut Vec<u8>, status: u16, kind: &str, more: &str, body: &[u8]) {
    let reason = match status {
        200 => "OK",
        204 => "No Content",
        404 => "Not Found",
        411 => "Length Required",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        505 => "HTTP Version Not Supported",
        _ => "Bad Request",
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{more}\r\n"
    );
    out.extend(head.as_bytes());
    out.extend(body);
}

/// A refusal, as SambaStack words them.
pub(super) fn refusal(out: &mut Vec<u8>, status: u16, why: &str) {
    let error =
        json!({"message": why, "type": "invalid_request_error", "param": null, "code": null});
    plain(
        out,
        status,
        JSON,
        "",
        json!({"error": error}).to_string().as_bytes(),
    );
}

fn chunked(out: &mut Vec<u8>, text: &str) {
    out.extend(format!("{:x}\r\n", text.len()).as_bytes());
    out.extend(text.as_bytes());
    out.extend(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_once_it_is_complete() {
        let body =
            r#"{"model":"m","messages":[{"role":"user","content":"a \"b\" c"}],"max_tokens":9}"#;
        let length = body.len();
        let ask = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nX-Request-ID: a7\r\nContent-Length: {length}\r\n\r\n{body}GET"
        );
        let (ask, end) = (ask.as_bytes(), ask.len() - 3);
        for cut in 0..end {
            let Read::Part { need, waits: false } = read(&ask[..cut]) else {
                panic!("{cut} bytes are no request")
            };
            assert!(cut < need && need <= end, "{cut}: {need}");
        }
        let Read::Whole {
            asked: Asked::Chat(asked),
            used,
            close: false,
        } = read(ask)
        else {
            panic!("{:?}", read(ask))
        };
        assert_eq!(
            (used, asked.id.as_deref(), asked.tokens, asked.stream),
            (end, Some("a7"), Some(9), false)
        );
        assert_eq!(asked.prompt_tokens, 3 + 4);
    }

    #[test]
    fn nonsense_is_refused() {
        for (text, expected) in [
            ("\u{1}\u{2}\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), 404),
            ("GET /times HTTP/1.0\r\n\r\n".to_owned(), 505),
            (
                "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{]".to_owned(),
                400,
            ),
            (
                "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 15\r\n\r\n{\"messages\":[]}"
                    .to_owned(),
                400,
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_owned(),
                400,
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n".to_owned(),
                413,
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
                411,
            ),
            (
                format!("GET / HTTP/1.1\r\na: {}", "b".repeat(MOST_HEAD)),
                431,
            ),
        ] {
            let Read::Whole {
                asked: Asked::Refused { status, .. },
                ..
            } = read(text.as_bytes())
            else {
                panic!("{text:.60}: {:?}", read(text.as_bytes()))
            };
            assert_eq!(status, expected, "{text:.60}");
        }
    }
}
