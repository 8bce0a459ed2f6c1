//! Responses that are read on demand, and a pool of idle connections.

use std::time::{Duration, Instant};

use super::{HttpConnection, Progress, ResponseHead, ResponseState, Sink, WireError};
use parking_lot::Mutex;

const MAX_IDLE_CONNECTIONS: usize = 8;
const MAX_IDLE_TIME: Duration = Duration::from_secs(90);

/// A response whose head was received.
#[derive(Debug)]
pub struct Response {
    /// Just before the first byte of the request was written.
    pub sent_at: Instant,
    /// The head of the response.
    pub head: ResponseHead,
    /// When the head was complete.
    pub head_at: Instant,
    /// When the response ended, once it has.
    pub ended_at: Option<Instant>,
    connection: HttpConnection,
    reading: Option<ResponseState>,
    /// Body bytes that arrived with the head.
    held: Vec<u8>,
    /// An error that follows valid bytes.
    failed: Option<WireError>,
}

/// Collects the bytes of one read.
#[derive(Default)]
struct Collected {
    sent: Option<Instant>,
    head: Option<(Instant, ResponseHead)>,
    /// When the body's bytes arrived.
    at: Option<Instant>,
    body: Vec<u8>,
    ended: Option<Instant>,
}

impl Sink for Collected {
    fn sent(&mut self, at: Instant) {
        self.sent = Some(at);
    }

    fn head(&mut self, at: Instant, head: ResponseHead) {
        self.head = Some((at, head));
    }

    fn body(&mut self, at: Instant, bytes: &[u8]) -> bool {
        self.at = Some(at);
        self.body.extend_from_slice(bytes);
        true
    }

    fn end(&mut self, at: Instant) {
        self.ended = Some(at);
    }
}

impl HttpConnection {
    /// Sends a request and waits for the head of its response.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub async fn open(mut self, request: &[u8]) -> Result<Response, WireError> {
        let mut reading = ResponseState::default();
        let mut collected = Collected::default();
        let mut go = self.begin(request, &mut reading, &mut collected).await;
        loop {
            let Some((head_at, head)) = collected.head.take() else {
                go?;
                go = self.step(&mut reading, &mut collected).await;
                continue;
            };
            let (reading, failed) = match go {
                Ok(Progress::Whole) => {
                    self.ended(Progress::Whole, reading);
                    (None, None)
                }
                Ok(Progress::On | Progress::Enough) => (Some(reading), None),
                Err(error) => (Some(reading), Some(error)),
            };
            return Ok(Response {
                sent_at: collected.sent.unwrap_or(head_at),
                head,
                head_at,
                ended_at: collected.ended,
                connection: self,
                reading,
                held: collected.body,
                failed,
            });
        }
    }
}

impl Response {
    /// The next bytes of the body and when they arrived; `None` at its end. Cancel-safe.
    ///
    /// # Errors
    /// When the connection breaks. Do not call it again after an error.
    pub async fn next(&mut self) -> Result<Option<(Instant, Vec<u8>)>, WireError> {
        if !self.held.is_empty() {
            return Ok(Some((self.head_at, std::mem::take(&mut self.held))));
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut collected = Collected::default();
        while let Some(reading) = &mut self.reading {
            let go = self.connection.step(reading, &mut collected).await;
            let at = collected.at.unwrap_or_else(Instant::now);
            self.ended_at = collected.ended;
            let go = match go {
                Ok(go) => go,
                Err(error) if collected.body.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    return Ok(Some((at, collected.body)));
                }
            };
            if matches!(go, Progress::Whole)
                && let Some(reading) = self.reading.take()
            {
                self.connection.ended(Progress::Whole, reading);
            }
            if !collected.body.is_empty() {
                return Ok(Some((at, collected.body)));
            }
        }
        Ok(None)
    }
    /// The connection, e.g. for its certificate.
    pub fn connection(&self) -> &HttpConnection {
        &self.connection
    }

    /// The connection, if the response was read to its end.
    pub fn into_connection(self) -> Option<HttpConnection> {
        (self.reading.is_none() && self.held.is_empty()).then_some(self.connection)
    }
}

/// Idle connections.
#[derive(Debug, Default)]
pub struct Pool(Mutex<Vec<HttpConnection>>);

impl Pool {
    /// The usable connection that was idle for the shortest time.
    pub fn take(&self) -> Option<HttpConnection> {
        let mut waiting = self.0.lock();
        std::iter::from_fn(|| waiting.pop())
            .find_map(|mut connection| connection.is_usable().then_some(connection))
    }

    /// Keeps a connection, if it can be used again.
    pub fn put(&self, connection: HttpConnection) {
        if connection.spoiled {
            return;
        }
        let mut waiting = self.0.lock();
        waiting.retain(|old| old.idle_since.elapsed() < MAX_IDLE_TIME);
        if waiting.len() < MAX_IDLE_CONNECTIONS {
            waiting.push(connection);
        }
    }
}
