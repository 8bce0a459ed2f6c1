//! A benchmark listener that stores events and forwards them.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use tokio::sync::oneshot::{self, error::TryRecvError};

use super::{Message, Recorder, count_lost};
use crate::domain::failure::Failure;
use crate::domain::history::{Said, SessionId};
use crate::domain::plan::Target;
use crate::domain::run::{BenchProgress, BenchReport, EnvironmentInfo, LevelEnd, LevelReport};
use crate::engine::bench::Listener;
use crate::metrics::request::RequestRecord;

/// How often a running level is written.
const PARTIAL_INTERVAL: Duration = Duration::from_secs(1);

/// Stores a session. If it is dropped without [`Recording::end`], the session is stored as incomplete.
pub struct Recording<'a> {
    recorder: Option<Recorder>,
    inner: &'a mut dyn Listener,
    session: Option<Session>,
    /// Environment info that is being collected.
    asking: Option<oneshot::Receiver<EnvironmentInfo>>,
    info: Option<EnvironmentInfo>,
}

struct Session {
    id: Arc<SessionId>,
    /// The texts of the next request.
    said: Option<Said>,
    lost: Arc<AtomicU64>,
    partial_at: Instant,
    over: bool,
    targets: Vec<Target>,
    /// Levels of a search that were announced.
    announced: usize,
}

impl<'a> Recording<'a> {
    /// Forwards events to `inner`. Without a recorder, nothing is stored.
    pub fn new(recorder: Option<Recorder>, inner: &'a mut dyn Listener) -> Self {
        Self {
            recorder,
            inner,
            session: None,
            asking: None,
            info: None,
        }
    }

    /// Stores the environment info as soon as it is known, since the session may be killed before its end.
    #[must_use]
    pub fn with_environment_info(mut self, asking: oneshot::Receiver<EnvironmentInfo>) -> Self {
        self.asking = Some(asking);
        self
    }

    /// The environment info, if it is known within `timeout`.
    pub async fn environment_info(&mut self, timeout: Duration) -> Option<EnvironmentInfo> {
        if let Some(asking) = self.asking.take() {
            self.info = tokio::time::timeout(timeout, asking)
                .await
                .ok()
                .and_then(Result::ok);
        }
        self.info.clone()
    }

    /// Stores the outcome.
    pub fn end(mut self, outcome: &Result<BenchReport, Failure>) {
        let (Some(recorder), Some(session)) = (&self.recorder, &mut self.session) else {
            return;
        };
        session.over = true;
        let id = SessionId::clone(&session.id);
        recorder.send(match outcome {
            Ok(report) => Message::Ended {
                session: id,
                report: Box::new(report.clone()),
            },
            Err(failure) => Message::Broke {
                session: id,
                why: failure.summary.clone(),
            },
        });
    }
}

impl Listener for Recording<'_> {
    fn began(&mut self, report: &BenchReport) {
        if let Some(recorder) = &self.recorder {
            let lost = Arc::new(AtomicU64::new(0));
            recorder.send(Message::Began {
                report: Box::new(report.clone()),
                lost: Arc::clone(&lost),
            });
            let id = Arc::new(SessionId(report.id.clone()));
            self.session = Some(Session {
                id,
                said: None,
                lost,
                partial_at: Instant::now(),
                over: false,
                targets: report.plan.targets.clone(),
                announced: 0,
            });
        }
        self.inner.began(report);
    }

    fn advanced(&mut self, progress: BenchProgress) {
        let told = self.asking.as_mut().map(oneshot::Receiver::try_recv);
        if matches!(told, Some(Err(TryRecvError::Closed))) {
            // There is no cluster. A closed receiver must not be polled again.
            self.asking = None;
        }
        if let Some(Ok(info)) = told {
            self.asking = None;
            if let (Some(recorder), Some(session)) = (&self.recorder, &self.session) {
                recorder.environment_info(SessionId::clone(&session.id), info.clone());
            }
            self.info = Some(info);
        }
        if let (Some(recorder), Some(session)) = (&self.recorder, &mut self.session) {
            let elapsed_s = progress.elapsed_s;
            let send = |level| {
                recorder.send(Message::Level {
                    session: SessionId::clone(&session.id),
                    elapsed_s,
                    level,
                });
            };
            // Of which model a level's requests are is not in a plan that searches.
            if let Some(search) = progress
                .search
                .filter(|_| progress.level >= session.announced)
                && let Some(target) = session.targets.get(search.target)
            {
                session.announced = progress.level + 1;
                send(Box::new(LevelReport {
                    index: progress.level,
                    deployment: target.deployment.clone(),
                    ended: LevelEnd::Running,
                    ..LevelReport::blank(&target.model, search.load)
                }));
            }
            for level in &progress.ended {
                send(Box::new(level.clone()));
            }
            if let Some(partial) = &progress.partial
                && session.partial_at.elapsed() >= PARTIAL_INTERVAL
            {
                send(partial.clone());
                session.partial_at = Instant::now();
            }
        }
        self.inner.advanced(progress);
    }

    fn ended(&mut self, record: &Arc<RequestRecord>) {
        if let (Some(recorder), Some(session)) = (&self.recorder, &mut self.session) {
            let said = session
                .said
                .take()
                .and_then(|said| recorder.within_limit(said));
            let sent =
                recorder
                    .requests
                    .try_send((Arc::clone(&session.id), Arc::clone(record), said));
            if let Err(full) = sent {
                count_lost(&session.lost);
                recorder.unqueued(full.into_inner().2.as_ref());
            }
        }
        self.inner.ended(record);
    }

    fn partial_interval(&self) -> Duration {
        let own = self.recorder.as_ref().map(|_| PARTIAL_INTERVAL);
        self.inner
            .partial_interval()
            .min(own.unwrap_or(Duration::MAX))
    }

    fn wants_texts(&self) -> bool {
        self.recorder
            .as_ref()
            .is_some_and(|recorder| recorder.bench_texts)
            || self.inner.wants_texts()
    }

    fn said(&mut self, said: Said) {
        let kept = self
            .recorder
            .as_ref()
            .is_some_and(|recorder| recorder.bench_texts);
        match (&mut self.session, self.inner.wants_texts()) {
            (Some(session), true) if kept => {
                session.said = Some(said.clone());
                self.inner.said(said);
            }
            (Some(session), false) if kept => session.said = Some(said),
            (_, true) => self.inner.said(said),
            _ => {}
        }
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        if let (Some(recorder), Some(session)) = (&self.recorder, &self.session)
            && !session.over
        {
            let why = "Batida was closed during the run".to_owned();
            recorder.send(Message::Broke {
                session: SessionId::clone(&session.id),
                why,
            });
        }
    }
}
