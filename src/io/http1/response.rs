//! A response that is read at the reader's pace, and connections that wait for their next request.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Connection, Go, Reading, ResponseHead, Sink, WireError};

/// Connections that wait at once.
const MOST_WAITING: usize = 8;
/// For how long one waits.
const LONGEST_WAIT: Duration = Duration::from_secs(90);

/// A response whose head is there.
#[derive(Debug)]
pub struct Response {
    /// Its head.
    pub head: ResponseHead,
    /// When that was there.
    pub head_at: Instant,
    connection: Connection,
    reading: Option<Reading>,
    /// What came with the head.
    held: Vec<u8>,
    /// What went wrong behind bytes that were still good.
    failed: Option<WireError>,
}

/// Keeps what one read brings.
#[derive(Default)]
struct Kept {
    head: Option<(Instant, ResponseHead)>,
    body: Vec<u8>,
}

impl Sink for Kept {
    fn head(&mut self, at: Instant, head: ResponseHead) {
        self.head = Some((at, head));
    }

    fn body(&mut self, _: Instant, bytes: &[u8]) -> bool {
        self.body.extend_from_slice(bytes);
        true
    }
}

impl Connection {
    /// Sends a request and waits for the head of its response.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub async fn open(mut self, request: &[u8]) -> Result<Response, WireError> {
        let mut reading = Reading::default();
        let mut kept = Kept::default();
        let mut go = self.begin(request, &mut reading, &mut kept).await;
        loop {
            let Some((head_at, head)) = kept.head.take() else {
                go?;
                go = self.step(&mut reading, &mut kept).await;
                continue;
            };
            let (reading, failed) = match go {
                Ok(Go::Whole) => {
                    self.ended(Go::Whole, reading);
                    (None, None)
                }
                Ok(Go::On | Go::Enough) => (Some(reading), None),
                Err(error) => (Some(reading), Some(error)),
            };
            return Ok(Response {
                head,
                head_at,
                connection: self,
                reading,
                held: kept.body,
                failed,
            });
        }
    }
}

impl Response {
    /// The next bytes of the body and when they arrived; `None` at its end. May be dropped while it waits.
    ///
    /// # Errors
    /// When the connection breaks. Do not ask again after one.
    pub async fn next(&mut self) -> Result<Option<(Instant, Vec<u8>)>, WireError> {
        if !self.held.is_empty() {
            return Ok(Some((self.head_at, std::mem::take(&mut self.held))));
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut kept = Kept::default();
        while let Some(reading) = &mut self.reading {
            let go = self.connection.step(reading, &mut kept).await;
            let at = Instant::now();
            let go = match go {
                Ok(go) => go,
                Err(error) if kept.body.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    return Ok(Some((at, kept.body)));
                }
            };
            if matches!(go, Go::Whole)
                && let Some(reading) = self.reading.take()
            {
                self.connection.ended(Go::Whole, reading);
            }
            if !kept.body.is_empty() {
                return Ok(Some((at, kept.body)));
            }
        }
        Ok(None)
    }

    /// Its connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Its connection, where the response was read to its end.
    pub fn into_connection(self) -> Option<Connection> {
        (self.reading.is_none() && self.held.is_empty()).then_some(self.connection)
    }
}

/// Connections that wait for their next request.
#[derive(Debug, Default)]
pub struct Pool(Mutex<Vec<Connection>>);

impl Pool {
    /// One that can be used; the one that waited least.
    pub fn take(&self) -> Option<Connection> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| waiting.pop())
            .find_map(|mut connection| connection.is_usable().then_some(connection))
    }

    /// Keeps one for later, if it is good for that.
    pub fn put(&self, connection: Connection) {
        if connection.spoiled {
            return;
        }
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|old| old.idle_since.elapsed() < LONGEST_WAIT);
        if waiting.len() < MOST_WAITING {
            waiting.push(connection);
        }
    }
}
