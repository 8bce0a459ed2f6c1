//! Streamed responses of chats.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::head::Head;
use super::{Api, Opened, RECONNECTED, faults};
use crate::domain::failure::Failure;
use crate::io::activity::Recording;
use crate::io::http1::{Response, Unpacker};
use crate::wire::fault::{self, Fault, RequestInfo};

/// A streamed response.
#[derive(Debug)]
pub struct ChatStream {
    /// Just before the request was sent.
    pub sent: Instant,
    /// When the head was complete.
    pub head_at: Instant,
    /// When the response ended, once it has.
    pub ended_at: Option<Instant>,
    /// How long connecting took; `None` on an idle connection.
    pub connect: Option<Duration>,
    /// The server had closed an idle connection, and the request was sent on a new one.
    pub reconnected: bool,
    head: Head,
    /// `None` after the end.
    response: Option<Response>,
    unpacker: Unpacker,
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
            ended_at: None,
            connect,
            reconnected,
            head: Head::of(&response.head, api.access.redactor()),
            unpacker: Unpacker::of(&response.head),
            response: Some(response),
            api,
            recording: Some(recording),
        }
    }

    /// Whether the response is to hold an embedding and no text.
    pub fn embeds(&self) -> bool {
        !self.api.endpoint().streams()
    }

    /// The names and values of the `x-ratelimit-*` headers.
    pub fn rate_limit(&self) -> &[(String, String)] {
        &self.head.rate_limit
    }

    /// The next bytes and when they arrived; `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// When the connection breaks, or the compression is not supported. Do not call it again after an error.
    pub async fn next(&mut self) -> Result<Option<(Instant, Vec<u8>)>, Fault> {
        loop {
            let Some(response) = &mut self.response else {
                return Ok(None);
            };
            let next = response.next().await;
            let asked = self.api.asked("", &[]);
            let shown = |fault| self.api.shown(fault);
            let Some((at, bytes)) = next.map_err(|error| shown(faults::of_wire(&error, &asked)))?
            else {
                if let Some(response) = self.response.take() {
                    self.ended_at = response.ended_at;
                    self.api.keep(response);
                }
                return match self.unpacker.finish() {
                    Ok(()) => Ok(None),
                    Err(why) => Err(shown(faults::of_compressed(&why, &asked))),
                };
            };
            let plain = match self.unpacker.take(&bytes) {
                Ok(Cow::Borrowed(_)) => None,
                Ok(Cow::Owned(plain)) => Some(plain),
                Err(why) => return Err(shown(faults::of_compressed(&why, &asked))),
            };
            let bytes = plain.unwrap_or(bytes);
            // The decoder may need more bytes.
            if !bytes.is_empty() {
                return Ok(Some((at, bytes)));
            }
        }
    }

    /// The fault of a success without a body.
    pub fn empty(&self, asked: &RequestInfo<'_>) -> Fault {
        fault::empty(self.head.status, asked)
    }

    /// The fault of a 200 whose body is neither events nor a completion.
    pub fn not_an_answer(&self, body: &str, asked: &RequestInfo<'_>) -> Fault {
        fault::not_an_answer(
            &self.head.reply(&self.api.access.redactor().clean(body)),
            asked,
        )
    }

    /// The fault of a 200 whose body is an error.
    pub fn refused(&self, body: &str, asked: &RequestInfo<'_>) -> Fault {
        fault::from_reply(
            &self.head.reply(&self.api.access.redactor().clean(body)),
            asked,
        )
    }

    /// The fault of an error within the stream.
    pub fn broken(&self, error: serde_json::Value, asked: &RequestInfo<'_>) -> Fault {
        fault::from_stream(&self.api.access.redactor().clean_json(error), asked)
    }

    /// Adds the proxy to a failure, and removes secrets, which a server may repeat.
    pub fn redact(&self, failure: Failure) -> Failure {
        self.api.shown_failure(failure)
    }

    /// Records the outcome. Without this call, the record says that the request was stopped.
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
