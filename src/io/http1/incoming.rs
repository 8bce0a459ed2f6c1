//! A response as it arrives: its head, and its body in the way in which the head says that it ends.

use std::io;
use std::time::{Duration, Instant};

use super::body::{Body, Delivery};
use super::head::{MAX_HEAD_BYTES, read_head};
use super::{Sink, WireError};
use crate::io::arrival::Arrival;

pub(super) enum Progress {
    On,
    /// The sink needs no more bytes, and the body has not ended yet.
    Enough,
    Whole,
}

/// The state of a response that is being read.
#[derive(Debug, Default)]
pub(super) struct ResponseState {
    /// The bytes of an incomplete head.
    pub(super) head: Vec<u8>,
    pub(super) body: Option<Body>,
    pub(super) enough: bool,
    /// The connection can be used again.
    pub(super) keep: bool,
    /// The response came before the whole request was sent.
    pub(super) cut_off: bool,
    /// A byte of a response arrived, including interim responses (1xx).
    pub(super) begun: bool,
    /// How long the server keeps an idle connection.
    pub(super) idle_limit: Option<Duration>,
    /// The connection was idle: until then, HTTP 408 ends that and does not answer the request.
    pub(super) unasked_until: Option<Instant>,
}

impl ResponseState {
    /// Whether the body ends with the connection.
    pub(super) fn ends_with_connection(&self) -> bool {
        matches!(self.body, Some(Body::UntilClose))
    }

    pub(super) fn take(
        &mut self,
        arrival: Arrival,
        bytes: &[u8],
        sink: &mut impl Sink,
    ) -> Result<Progress, WireError> {
        let at = arrival.at;
        if bytes.is_empty() {
            // The connection ended, and maybe the body with it.
            self.keep = false;
            return match &self.body {
                Some(Body::UntilClose) => {
                    sink.end(at);
                    Ok(Progress::Whole)
                }
                _ if self.begun => Err(WireError::Broken(io::ErrorKind::UnexpectedEof.into())),
                _ => Err(WireError::Broken(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the connection was closed before the first byte of a response",
                ))),
            };
        }
        self.begun = true;
        if self.body.is_some() {
            return self.take_body(arrival, bytes, sink);
        }
        // A head usually arrives in one read and is parsed in place.
        let held = if self.head.is_empty() {
            None
        } else {
            self.head.extend_from_slice(bytes);
            Some(std::mem::take(&mut self.head))
        };
        let mut bytes = held.as_deref().unwrap_or(bytes);
        loop {
            let Some((head, used)) = read_head(bytes)? else {
                if bytes.len() > MAX_HEAD_BYTES {
                    return Err(WireError::bad_head("it is longer than 64 KiB", bytes));
                }
                self.head = bytes.to_vec();
                return Ok(Progress::On);
            };
            bytes = &bytes[used..];
            if head.status == 408 && self.unasked_until.is_some_and(|until| at <= until) {
                return Err(WireError::Stale(io::Error::new(
                    io::ErrorKind::ConnectionReset,
                    "it ended the idle connection with HTTP 408",
                )));
            }
            // 1xx: the final response follows.
            if !(100..200).contains(&head.status) {
                self.body = Some(Body::of(&head)?);
                self.keep = head.keeps_open();
                self.idle_limit = head.idle_limit();
                sink.head(at, head);
                return self.take_body(arrival, bytes, sink);
            }
        }
    }

    pub(super) fn take_body(
        &mut self,
        arrival: Arrival,
        mut bytes: &[u8],
        sink: &mut impl Sink,
    ) -> Result<Progress, WireError> {
        let Some(body) = &mut self.body else {
            return Ok(Progress::On);
        };
        let whole = body.take(
            &mut bytes,
            &mut Delivery {
                sink,
                at: arrival.at,
                enough: &mut self.enough,
            },
        );
        sink.read(arrival);
        let whole = whole?;
        if whole {
            sink.end(arrival.at);
            self.keep &= bytes.is_empty();
            return Ok(Progress::Whole);
        }
        Ok(if self.enough {
            Progress::Enough
        } else {
            Progress::On
        })
    }
}
