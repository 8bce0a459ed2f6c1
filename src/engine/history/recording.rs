//! A benchmark's listener that keeps what it hears and passes it on.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use super::{Message, Recorder, count_lost};
use crate::domain::failure::Failure;
use crate::domain::history::SessionId;
use crate::domain::run::{BenchProgress, BenchReport};
use crate::engine::bench::Listener;
use crate::metrics::request::RequestRecord;

/// How often a level is written while it runs.
const PARTIAL: Duration = Duration::from_secs(1);

/// Keeps a session. Dropped without [`Recording::end`], the session is kept as far as it came.
pub struct Recording<'a> {
    recorder: Option<Recorder>,
    inner: &'a mut dyn Listener,
    session: Option<Session>,
}

struct Session {
    id: SessionId,
    lost: Arc<AtomicU64>,
    partial_at: Instant,
    over: bool,
}

impl<'a> Recording<'a> {
    /// Passes on to `inner`; without a recorder that is all it does.
    pub fn new(recorder: Option<Recorder>, inner: &'a mut dyn Listener) -> Self {
        Self { recorder, inner, session: None }
    }

    /// Keeps how it ended.
    pub fn end(mut self, outcome: &Result<BenchReport, Failure>) {
        let (Some(recorder), Some(session)) = (&self.recorder, &mut self.session) else { return };
        session.over = true;
        let id = session.id.clone();
        recorder.send(match outcome {
            Ok(report) => Message::Ended { session: id, report: Box::new(report.clone()) },
            Err(failure) => Message::Broke { session: id, why: failure.summary.clone() },
        });
    }
}

impl Listener for Recording<'_> {
    fn began(&mut self, report: &BenchReport) {
        if let Some(recorder) = &self.recorder {
            let lost = Arc::new(AtomicU64::new(0));
            recorder.send(Message::Began { report: Box::new(report.clone()), lost: Arc::clone(&lost) });
            let id = SessionId(report.id.clone());
            self.session = Some(Session { id, lost, partial_at: Instant::now(), over: false });
        }
        self.inner.began(report);
    }

    fn advanced(&mut self, progress: BenchProgress) {
        if let (Some(recorder), Some(session)) = (&self.recorder, &mut self.session) {
            let elapsed_s = progress.elapsed_s;
            let send = |level| {
                recorder.send(Message::Level { session: session.id.clone(), elapsed_s, level });
            };
            for level in &progress.ended {
                send(Box::new(level.clone()));
            }
            if let Some(partial) = &progress.partial
                && session.partial_at.elapsed() >= PARTIAL
            {
                send(partial.clone());
                session.partial_at = Instant::now();
            }
        }
        self.inner.advanced(progress);
    }

    fn ended(&mut self, record: &RequestRecord) {
        if let (Some(recorder), Some(session)) = (&self.recorder, &self.session) {
            let request = (session.id.clone(), record.clone());
            if recorder.requests.try_send(request).is_err() {
                count_lost(&session.lost);
            }
        }
        self.inner.ended(record);
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        if let (Some(recorder), Some(session)) = (&self.recorder, &self.session)
            && !session.over
        {
            let why = "Batida was closed while it ran".to_owned();
            recorder.send(Message::Broke { session: session.id.clone(), why });
        }
    }
}
