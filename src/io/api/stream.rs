//! A chat's answer as it arrives.

use std::time::{Duration, Instant};

use super::{Api, Opened, RECONNECTED, faults};
use crate::domain::failure::Failure;
use crate::domain::redact::Redactor;
use crate::io::activity::Recording;
use crate::io::http1::{Response, ResponseHead, Unpacker};
use crate::wire::fault::{self, Fault, HttpResponse, RequestInfo};

/// A chat's answer as it arrives.
#[derive(Debug)]
pub struct ChatStream {
    /// Just before the request was sent.
    pub sent: Instant,
    /// When the answer's head was there.
    pub head_at: Instant,
    /// How long connecting took, if that was needed.
    pub connect: Option<Duration>,
    /// The server had closed the connection that was open, and the request was sent on a new one.
    pub reconnected: bool,
    head: Head,
    /// `None` once it was read to its end.
    response: Option<Response>,
    unpacker: Option<Box<Unpacker>>,
    api: Api,
    recording: Option<Recording>,
}

impl ChatStream {
    pub(super) fn new(api: Api, opened: Opened, recording: Recording) -> Self {
        let Opened {
            sent,
            connect,
            reconnected,
            response,
        } = opened;
        Self {
            sent,
            head_at: response.head_at,
            connect,
            reconnected,
            head: Head::of(&response.head, api.access.redactor()),
            unpacker: Unpacker::of(&response.head),
            response: Some(response),
            api,
            recording: Some(recording),
        }
    }

    /// `x-ratelimit-*` headers, name and value.
    pub fn rate_limit(&self) -> &[(String, String)] {
        &self.head.rate_limit
    }

    /// The next bytes and when they arrived; `None` at the end. May be dropped while it waits.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is compressed in a way that is not read. Do not ask again after one.
    pub async fn next(&mut self) -> Result<Option<(Instant, Vec<u8>)>, Fault> {
        loop {
            let Some(response) = &mut self.response else {
                return Ok(None);
            };
            let next = response.next().await;
            let asked = self.api.asked("", &[]);
            let told = |fault| self.api.told(fault);
            let Some((at, bytes)) = next.map_err(|error| told(faults::of_wire(&error, &asked)))?
            else {
                if let Some(response) = self.response.take() {
                    self.api.keep(response);
                }
                return Ok(None);
            };
            let Some(unpacker) = &mut self.unpacker else {
                return Ok(Some((at, bytes)));
            };
            let bytes = unpacker
                .take(&bytes)
                .map_err(|why| told(faults::of_compressed(&why, &asked)))?;
            // What a piece holds may be there only with the next one.
            if !bytes.is_empty() {
                return Ok(Some((at, bytes)));
            }
        }
    }

    /// A 200 whose body is neither events nor a completion.
    pub fn not_an_answer(&self, body: &str, asked: &RequestInfo<'_>) -> Fault {
        fault::not_an_answer(
            &self.head.reply(&self.api.access.redactor().clean(body)),
            asked,
        )
    }

    /// A 200 whose body is an error.
    pub fn refused(&self, body: &str, asked: &RequestInfo<'_>) -> Fault {
        fault::from_reply(
            &self.head.reply(&self.api.access.redactor().clean(body)),
            asked,
        )
    }

    /// An error that was sent amid the stream.
    pub fn broken(&self, error: serde_json::Value, asked: &RequestInfo<'_>) -> Fault {
        fault::from_stream(&self.api.access.redactor().clean_json(error), asked)
    }

    /// A failure as it may be shown: it names the proxy on the way, and holds no secret, which a server may repeat.
    pub fn redact(&self, failure: Failure) -> Failure {
        self.api.told_failure(failure)
    }

    /// Writes down how it ended. Dropped without, it was stopped.
    pub fn close(&mut self, ok: bool, outcome: impl Into<String>) {
        if let Some(recording) = self.recording.take() {
            let mut outcome = outcome.into();
            if self.reconnected {
                outcome.push_str(RECONNECTED);
            }
            recording.end(ok, outcome);
        }
    }
}

/// What outlives the response of an answer's head.
#[derive(Debug, Clone)]
pub(super) struct Head {
    status: u16,
    content_type: String,
    retry_after: Option<String>,
    date: Option<String>,
    location: Option<String>,
    pub(super) rate_limit: Vec<(String, String)>,
}

impl Head {
    pub(super) fn of(head: &ResponseHead, redactor: &Redactor) -> Self {
        let text = |name: &str| {
            head.get(name)
                .map(|value| redactor.clean(value).into_owned())
        };
        let rate_limit = head
            .headers()
            .filter(|(name, _)| name.starts_with("x-ratelimit-"));
        // A server that echoes the key is not repeated.
        let clean = rate_limit.filter(|(_, value)| !redactor.finds_in(value));
        Self {
            status: head.status,
            content_type: text("content-type")
                .unwrap_or_default()
                .to_ascii_lowercase(),
            retry_after: text("retry-after"),
            date: text("date"),
            location: text("location"),
            rate_limit: clean
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    pub(super) fn reply<'a>(&'a self, body: &'a str) -> HttpResponse<'a> {
        HttpResponse {
            status: self.status,
            content_type: &self.content_type,
            retry_after: self.retry_after.as_deref(),
            date: self.date.as_deref(),
            location: self.location.as_deref(),
            rate_limit: &self.rate_limit,
            body,
        }
    }

    /// How far the server's clock is ahead of this machine's, in whole seconds.
    pub(super) fn clock_skew(&self) -> Option<i64> {
        let theirs = jiff::fmt::rfc2822::parse(self.date.as_deref()?)
            .ok()?
            .timestamp();
        Some(theirs.as_second() - jiff::Timestamp::now().as_second())
    }
}
