//! One response as a worker receives it, from its head to the verdict.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{WorkerEvent, WorkerThread};
use crate::engine::bench::counts::FlightCell;
use crate::engine::bench::level::Level;
use crate::io::arrival::Arrival;
use crate::io::http1::{Compressed, ResponseHead, Sink, Unpacker};
use crate::protocol::FinishReason;
use crate::wire::answer::{AnswerError, AnswerReader, NewText, Step};
use crate::wire::fault::{self, Fault};

/// Of a body that is no answer.
const MOST_RAW: usize = 64 << 10;
/// Later than every moment of a session.
pub(super) const NOT_OVER: u64 = u64::MAX;

/// One answer being heard. Counts the request as in flight until it is dropped.
pub(super) struct IncomingResponse<'a> {
    pub(super) worker: &'a WorkerThread,
    pub(super) level: &'a Level,
    pub(super) index: u64,
    pub(super) sent: Instant,
    pub(super) measured: bool,
    pub(super) reader: &'a mut AnswerReader,
    pub(super) head: Option<ResponseHead>,
    /// The status is a success.
    pub(super) good: bool,
    pub(super) connect: Option<Duration>,
    /// It was sent once more, on a new connection.
    pub(super) reconnected: bool,
    /// Its connection was open: it counts from when its first byte is written.
    pub(super) was_open: bool,
    unpacker: Unpacker,
    /// Why that cannot be read.
    compressed: Option<Compressed>,
    pub(super) first_byte: Option<Duration>,
    pub(super) step: Step,
    /// The body of what is no success.
    pub(super) refusal: Vec<u8>,
    /// When the answer was complete, whatever follows it.
    pub(super) ended: Option<Instant>,
    /// When the response was.
    pub(super) whole: Option<Instant>,
    /// The kernel stamped the last read.
    pub(super) is_stamped: bool,
    pub(super) bytes: u64,
    /// Chunks with text that the page's counts know of.
    pub(super) chunks: u64,
    pub(super) streaming: bool,
    /// Its record has been told.
    pub(super) reported: bool,
    pub(super) cell: Option<usize>,
    /// Its place in [`Since`].
    pub(super) place: usize,
    /// When the answer is over unless more comes, in ns of the session; [`NOT_OVER`] while that is not known.
    pub(super) over_at: &'a AtomicU64,
    /// The last read, and how long after the request that was: all its pieces share it.
    pub(super) read_at: (Instant, Duration),
}

impl<'a> IncomingResponse<'a> {
    pub(super) fn begin(
        worker: &'a WorkerThread,
        level: &'a Level,
        reader: &'a mut AnswerReader,
        over_at: &'a AtomicU64,
        (index, sent, measured): (u64, Instant, bool),
    ) -> Self {
        if !worker.world.api.endpoint().streams() {
            reader.expect_embedding();
        }
        let place = worker.counts.since.lock().enter(worker.world.at_ns(sent));
        worker.counts.in_flight.fetch_add(1, Ordering::Relaxed);
        if measured {
            level.measured_in_flight.fetch_add(1, Ordering::Relaxed);
        }
        // As many as the last answer had: a buffer that grows is copied each time.
        reader.collect_gaps(Vec::with_capacity(
            worker.counts.gaps.load(Ordering::Relaxed),
        ));
        let cell = worker.counts.free.lock().pop_front();
        Self {
            worker,
            level,
            index,
            sent,
            measured,
            reader,
            head: None,
            good: false,
            connect: None,
            reconnected: false,
            was_open: false,
            unpacker: Unpacker::default(),
            compressed: None,
            first_byte: None,
            step: Step::More,
            refusal: Vec::new(),
            ended: None,
            whole: None,
            is_stamped: false,
            bytes: 0,
            chunks: 0,
            streaming: false,
            reported: false,
            cell,
            place,
            over_at,
            read_at: (sent, Duration::ZERO),
        }
    }

    /// How long after the request a read was.
    fn after(&mut self, at: Instant) -> Duration {
        if self.read_at.0 != at {
            self.read_at = (at, at - self.sent);
        }
        self.read_at.1
    }

    fn cell(&self) -> Option<&FlightCell> {
        self.worker.counts.flights.get(self.cell?)
    }

    pub(super) fn flight(&self, due: Instant) {
        let Some(cell) = self.cell() else { return };
        let world = &self.worker.world;
        for (field, value) in [
            (&cell.first, 0),
            (&cell.ended, 0),
            (&cell.index, self.index),
        ] {
            field.store(value, Ordering::Relaxed);
        }
        cell.failed.store(false, Ordering::Relaxed);
        cell.due.store(world.at_ns(due), Ordering::Relaxed);
        cell.sent.store(world.at_ns(self.sent), Ordering::Relaxed);
    }

    pub(super) fn landed(&self, at: Instant, failed: bool) {
        if let Some(cell) = self.cell() {
            cell.failed.store(failed, Ordering::Relaxed);
            cell.ended
                .store(self.worker.world.at_ns(at), Ordering::Relaxed);
        }
    }

    /// Why a response that came whole is no good answer; `None` for a good one.
    pub(super) fn verdict(&mut self, end: Instant, level: &Level) -> Option<Fault> {
        let api = &self.worker.world.api;
        if matches!(self.step, Step::More) {
            self.compressed = self.compressed.take().or(self.unpacker.finish().err());
        }
        if let Some(why) = self.compressed.take() {
            // The answer may be complete before it.
            let fault = api.fault_of_compressed(&why, &level.model);
            return self.over().unwrap_or(Some(fault));
        }
        let head = self.head.take().unwrap_or_default();
        if !(200..300).contains(&head.status) {
            let body = String::from_utf8_lossy(&self.refusal);
            return Some(api.fault_of_reply(&head, &body, None, (&level.model, &level.set)));
        }
        let broken = match std::mem::replace(&mut self.step, Step::More) {
            Step::Done(reason) => return self.no_text(&reason),
            Step::Failed(broken) => broken,
            Step::More if self.bytes == 0 => {
                return Some(api.fault_of_empty(head.status, &level.model));
            }
            Step::More => match self.reader.at_the_end(end - self.sent) {
                Ok(reason) => return self.no_text(&reason),
                Err(broken) => broken,
            },
        };
        let raw = match broken {
            AnswerError::Sent(_)
            | AnswerError::Cut(_)
            | AnswerError::Unreadable(_)
            | AnswerError::GaveUp(_) => String::new(),
            AnswerError::Refused | AnswerError::NotAnAnswer => {
                String::from_utf8_lossy(self.reader.raw()).into_owned()
            }
        };
        Some(api.fault_of_reply(&head, &raw, Some(broken), (&level.model, &level.set)))
    }

    /// The answer is over although neither `[DONE]` nor the connection's end has come, if what came says so.
    pub(super) fn over(&mut self) -> Option<Option<Fault>> {
        let reason = if self.good {
            self.reader.complete()
        } else {
            None
        };
        reason.map(|reason| self.no_text(&reason))
    }

    /// An answer that holds neither text nor a call is no success.
    fn no_text(&mut self, reason: &FinishReason) -> Option<Fault> {
        self.reader.finish_text();
        self.reader.said_nothing().then(|| {
            if self.reader.expects_embedding() {
                fault::no_vector()
            } else {
                fault::no_text(reason.why_empty(false))
            }
        })
    }

    /// Chunks with text, and bytes of the body; `None` before the response began.
    pub(super) fn came(&mut self) -> Option<(u64, u64)> {
        self.reader.settle();
        self.first_byte.map(|_| (self.reader.chunks(), self.bytes))
    }

    pub(super) fn text(&mut self) -> NewText {
        self.reader.finish_text();
        self.reader.take_news()
    }
}

impl Sink for IncomingResponse<'_> {
    fn sent(&mut self, at: Instant) {
        if self.was_open && !self.reconnected {
            self.sent = at;
        }
    }

    fn head(&mut self, at: Instant, head: ResponseHead) {
        let after = self.after(at);
        self.first_byte = Some(after);
        self.reader.head(after, self.connect);
        let limits = self.worker.world.api.rate_limit(&head);
        if !limits.is_empty() {
            self.worker.tell(WorkerEvent::Limits(limits));
        }
        self.good = (200..300).contains(&head.status);
        self.unpacker = Unpacker::of(&head);
        self.head = Some(head);
    }

    fn body(&mut self, at: Instant, bytes: &[u8]) -> bool {
        self.bytes += bytes.len() as u64;
        let bytes = &*match self.unpacker.take(bytes) {
            Ok(plain) => plain,
            Err(why) => {
                self.compressed = Some(why);
                self.ended = Some(at);
                return false;
            }
        };
        if !self.good {
            let room = MOST_RAW.saturating_sub(self.refusal.len()).min(bytes.len());
            self.refusal.extend_from_slice(&bytes[..room]);
            return true;
        }
        let after = self.after(at);
        match self.reader.take_some(after, bytes) {
            Step::More => true,
            step => {
                self.step = step;
                self.ended = Some(at);
                false
            }
        }
    }

    fn read(&mut self, arrival: Arrival) {
        self.reader.settle();
        self.is_stamped = arrival.waited.is_some();
        self.worker.counts.own_watch.lock().read(arrival.waited);
        let over_at = self
            .reader
            .over_at()
            .map_or(NOT_OVER, |at| self.worker.world.at_ns(self.sent + at));
        self.over_at.store(over_at, Ordering::Relaxed);
        let chunks = self.reader.chunks();
        let new = chunks - std::mem::replace(&mut self.chunks, chunks);
        if new > 0 {
            self.worker.counts.chunks.fetch_add(new, Ordering::Relaxed);
            if !self.streaming {
                self.streaming = true;
                self.worker.counts.streaming.fetch_add(1, Ordering::Relaxed);
                if let Some(cell) = self.cell() {
                    cell.first
                        .store(self.worker.world.at_ns(arrival.at), Ordering::Relaxed);
                }
            }
        }
    }

    fn end(&mut self, at: Instant) {
        self.whole = Some(at);
    }
}

impl Drop for IncomingResponse<'_> {
    fn drop(&mut self) {
        self.worker.counts.since.lock().leave(self.place);
        self.worker.counts.in_flight.fetch_sub(1, Ordering::Relaxed);
        if self.streaming {
            self.worker.counts.streaming.fetch_sub(1, Ordering::Relaxed);
        }
        if self.measured {
            self.level
                .aborted
                .fetch_add(u64::from(!self.reported), Ordering::Relaxed);
            self.level
                .measured_in_flight
                .fetch_sub(1, Ordering::Release);
        }
        if let Some(cell) = self.cell {
            // Cells are taken in turn, so that an ended request stays on the timeline for a while.
            self.worker.counts.free.lock().push_back(cell);
        }
    }
}
