//! Parses the head of a response, including what it says about the connection and the body.

use std::mem::MaybeUninit;
use std::time::Duration;

use super::WireError;

pub(super) const MAX_HEAD_BYTES: usize = 64 << 10;
const MAX_HEADERS: usize = 256;
/// Codings that compress a body. Others leave text as it is: `aws-chunked`, or a charset in the wrong header.
const COMPRESSIONS: [&str; 11] = [
    "gzip",
    "x-gzip",
    "deflate",
    "br",
    "zstd",
    "compress",
    "x-compress",
    "dcb",
    "dcz",
    "bzip2",
    "xz",
];

/// The head of a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseHead {
    /// The HTTP status code.
    pub status: u16,
    /// HTTP/1.0: the connection ends with the response, unless a header says otherwise.
    old: bool,
    /// All lower-case names and values in one string: every response has a head, but few headers are read.
    text: String,
    /// The ends of each name and value in `text`.
    ends: Vec<[u32; 2]>,
}

impl ResponseHead {
    /// The headers in order, with lower-case names.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut from = 0;
        self.ends.iter().map(move |ends| {
            let [name, value] = ends.map(|end| end as usize);
            let header = (&self.text[from..name], &self.text[name..value]);
            from = value;
            header
        })
    }

    /// The first header with this lower-case name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The comma-separated values of all headers with this lower-case name.
    fn tokens(&self, name: &str) -> impl Iterator<Item = &str> {
        let values = self
            .headers()
            .filter(move |(key, _)| *key == name)
            .map(|(_, value)| value);
        values.flat_map(|value| value.split(',')).map(str::trim)
    }

    /// Whether the server keeps the connection open after this response (RFC 9112, section 9.3).
    pub(super) fn keeps_open(&self) -> bool {
        let says = |wanted: &str| {
            let mut tokens = self
                .tokens("connection")
                .chain(self.tokens("proxy-connection"));
            tokens.any(|token| token.eq_ignore_ascii_case(wanted))
        };
        if self.old {
            says("keep-alive") && !says("close")
        } else {
            !says("close")
        }
    }

    /// How long the server keeps an idle connection, as `Keep-Alive: timeout=5` says.
    pub(super) fn idle_limit(&self) -> Option<Duration> {
        let seconds = |token: &str| {
            let (name, value) = token.split_once('=')?;
            let seconds: u32 = value.trim().parse().ok()?;
            name.trim()
                .eq_ignore_ascii_case("timeout")
                .then(|| Duration::from_secs(seconds.into()))
        };
        self.tokens("keep-alive").find_map(seconds)
    }

    /// Whether the body comes in chunks.
    pub(super) fn is_chunked(&self) -> bool {
        self.tokens("transfer-encoding")
            .any(|token| token.eq_ignore_ascii_case("chunked"))
    }

    /// The length of the body; several that agree are one (RFC 9110, section 8.6).
    ///
    /// # Errors
    /// When it is no number, or there are two.
    pub(super) fn length(&self) -> Result<Option<u64>, WireError> {
        let bad = |what| Err(WireError::bad_head(what, b"HTTP/1."));
        let mut length = None;
        for token in self.tokens("content-length") {
            let digits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
            match (token.parse::<u64>(), length) {
                (Ok(this), None) if digits => length = Some(this),
                (Ok(this), Some(other)) if digits && this == other => {}
                (Ok(_), Some(_)) if digits => {
                    return bad("it has two Content-Length headers that differ");
                }
                _ => return bad("its Content-Length is not a number of bytes"),
            }
        }
        Ok(length)
    }

    /// What the body was compressed with, in lower case, e.g. `gzip`, or `gzip, gzip` for twice; `None` for nothing.
    pub fn compression(&self) -> Option<String> {
        let codings = self.tokens("content-encoding");
        let mut codings: Vec<&str> = codings
            .filter(|token| !token.is_empty() && !token.eq_ignore_ascii_case("identity"))
            .collect();
        let compresses = |token: &str| {
            COMPRESSIONS
                .iter()
                .any(|name| name.eq_ignore_ascii_case(token))
        };
        if codings.iter().any(|token| compresses(token)) {
            codings.retain(|token| compresses(token));
        }
        if codings.len() > 1 && codings.iter().all(|token| compresses(token)) {
            return Some(codings.join(", ").to_ascii_lowercase());
        }
        let coding = codings.first()?;
        // Codings have short names; anything else is not repeated, since it may be a secret that a server echoes.
        let is_name = coding.len() <= 12
            && coding
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-');
        Some(if is_name {
            coding.to_ascii_lowercase()
        } else {
            "unknown".to_owned()
        })
    }

    /// Whether a coding is known to leave no text as it is.
    pub(super) fn is_compression(coding: &str) -> bool {
        coding.split(", ").all(|name| COMPRESSIONS.contains(&name))
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        self.text.push_str(name);
        let from = self.ends.last().map_or(0, |[_, end]| *end as usize);
        self.text[from..].make_ascii_lowercase();
        // A head is at most MAX_HEAD_BYTES long.
        let end = |text: &str| text.len() as u32;
        let name = end(&self.text);
        let from = self.text.len();
        self.text.push_str(&String::from_utf8_lossy(value));
        // A value over several lines is one (RFC 9112, section 5.2).
        if self.text[from..].contains(['\r', '\n']) {
            let folded = self.text.split_off(from);
            let lines: Vec<&str> = folded.lines().map(str::trim).collect();
            self.text.push_str(&lines.join(" "));
        }
        self.ends.push([name, end(&self.text)]);
    }
}
/// A response's head and how many bytes it took; `None` when it is not whole yet.
pub(super) fn read_head(bytes: &[u8]) -> Result<Option<(ResponseHead, usize)>, WireError> {
    // Cleared for each answer they would cost more than the parsing.
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let mut config = httparse::ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    match config.parse_response_with_uninit_headers(&mut response, bytes, &mut headers) {
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(used)) => {
            let mut head = ResponseHead {
                status: response.code.unwrap_or_default(),
                old: response.version == Some(0),
                text: String::with_capacity(used),
                ends: Vec::with_capacity(response.headers.len()),
            };
            response
                .headers
                .iter()
                .for_each(|header| head.add(header.name, header.value));
            Ok(Some((head, used)))
        }
        Err(error) => {
            use httparse::Error as Bad;
            let what = match error {
                Bad::TooManyHeaders => format!("it has more than {MAX_HEADERS} headers"),
                Bad::HeaderName => "a header name is not valid".to_owned(),
                Bad::HeaderValue => "a header value is not valid".to_owned(),
                Bad::Status => "its status line is not valid".to_owned(),
                other => other.to_string(),
            };
            Err(WireError::bad_head(&what, bytes))
        }
    }
}
