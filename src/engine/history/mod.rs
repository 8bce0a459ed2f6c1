//! Writes the history on its own thread, so that measurements never wait for the disk. Data that cannot be written is
//! held up to a limit; beyond that, losses are counted.
//!
//! ```text
//! Recorder (any thread) ── messages: begun, levels, chats, changes ───────▶ writer (thread)
//!                       └─ requests, bounded, taken every half second ────▶   one transaction at a time
//! ```

pub mod filing;
mod recording;
mod writer;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use self::recording::Recording;
use self::writer::Writer;
use super::bench::{self, ClusterContext, Controls, Listener, RunsOn};
use super::cluster;
use super::connection::Connection;
use super::environment_info;
use crate::domain::failure::Failure;
use crate::domain::history::{
    Deletion, ExportFormat, Imported, Said, SessionId, StoredRequest, StoredSession,
};
use crate::domain::plan::Plan;
use crate::domain::run::{BenchReport, EnvironmentInfo, LevelReport};
use crate::domain::workspace::WorkspaceChange;
use crate::export::Exported;
use crate::io::files;
use crate::io::history::{ChatRecord, Store};
use crate::metrics::compare::{LevelValues, Side};
use crate::metrics::request::RequestRecord;

/// Requests queued for the writer: more than half a second of any benchmark.
const MAX_QUEUED_REQUESTS: usize = 65_536;
/// Beyond this, texts are dropped and only figures are stored.
const MAX_QUEUED_TEXT_BYTES: usize = 64 << 20;
/// How long to wait for the writer's last transaction.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a reader waits for queued data to be written.
const READ_FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// A notice of the history.
#[derive(Debug, Clone)]
pub enum HistoryNotice {
    /// Rows have changed, in this or another window.
    Changed,
    /// Writing fails, or a damaged file was moved aside. Sent once until writing works again.
    Troubled(Failure),
    /// A damaged file was moved aside, and not all of the workspace could be read from it.
    WorkspaceLost,
}

/// A change requested by the user.
#[derive(Debug, Clone)]
pub enum Change {
    /// See [`Store::delete`].
    Delete(Deletion),
    /// See [`Store::set_baseline`].
    Baseline(SessionId, bool),
    /// See [`Store::tag`].
    Tag(SessionId, Vec<String>),
    /// See [`Store::rename`].
    Rename(SessionId, String),
    /// See [`Store::keep`].
    Keep(Arc<BenchReport>, Arc<[StoredRequest]>),
    /// See [`Store::keep_workspace`].
    Workspace(Arc<[WorkspaceChange]>),
}

enum Message {
    Began {
        report: Box<BenchReport>,
        lost: Arc<AtomicU64>,
    },
    Level {
        session: SessionId,
        elapsed_s: f64,
        level: Box<LevelReport>,
    },
    Ended {
        session: SessionId,
        report: Box<BenchReport>,
    },
    /// The session ended without a report.
    Broke {
        session: SessionId,
        why: String,
    },
    Chat(Box<ChatRecord>),
    /// The environment info of a session; a conversation must have been stored before.
    Around {
        session: SessionId,
        surroundings: Box<EnvironmentInfo>,
    },
    Change(Change, oneshot::Sender<Result<usize, Failure>>),
    /// A reader found damaged data.
    Damaged,
    Flush(oneshot::Sender<()>),
    Stop,
}

/// The writer's thread. Dropping it writes the queued data, within three seconds.
#[derive(Debug)]
pub struct History {
    recorder: Recorder,
    done: Receiver<()>,
}

/// Passes data to the writer and reads the history, without blocking.
#[derive(Debug, Clone)]
pub struct Recorder {
    messages: Sender<Message>,
    requests: Sender<Request>,
    /// Bytes of queued texts.
    texts: Arc<AtomicUsize>,
    /// The prompts and responses of benchmarks are stored.
    bench_texts: bool,
    dir: Result<PathBuf, Failure>,
}

/// A queued request with its session.
type Request = (Arc<SessionId>, Arc<RequestRecord>, Option<Said>);

fn text_bytes(said: &Said) -> usize {
    said.prompt.len() + said.reasoning.len() + said.answer.len()
}

impl History {
    /// Starts the thread, which opens the history in `dir`. `tell` is called on that thread.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        dir: Result<PathBuf, Failure>,
        tell: impl Fn(HistoryNotice) + Send + 'static,
    ) -> Result<Self, Failure> {
        let (messages, inbox) = unbounded();
        let (requests, records) = bounded(MAX_QUEUED_REQUESTS);
        let (ended, done) = bounded(0);
        let recorder = Recorder {
            messages,
            requests,
            texts: Arc::default(),
            bench_texts: false,
            dir,
        };
        let texts = Arc::clone(&recorder.texts);
        let writer = Writer::new(
            recorder.dir.clone(),
            inbox,
            (records, texts),
            Box::new(tell),
        );
        let work = move || {
            let _ended = ended;
            writer.run();
        };
        thread::Builder::new()
            .name("history".to_owned())
            .spawn(work)
            .map_err(super::no_thread)?;
        Ok(Self { recorder, done })
    }

    /// A handle for other threads.
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }
}

impl Drop for History {
    fn drop(&mut self) {
        // Fails only if the thread has panicked.
        let _ = self.recorder.messages.send(Message::Stop);
        // The end of the thread closes the channel.
        let _ = self.done.recv_timeout(FLUSH_TIMEOUT);
    }
}

impl Recorder {
    /// The folder of the history.
    ///
    /// # Errors
    /// When it could not be determined.
    pub fn dir(&self) -> Result<PathBuf, Failure> {
        self.dir.clone()
    }

    /// Sets whether the prompts and responses of benchmarks are stored; off by default.
    #[must_use]
    pub fn with_bench_texts(self, on: bool) -> Self {
        Self {
            bench_texts: on,
            ..self
        }
    }

    /// Counts the text as queued; `None` if the limit is reached.
    fn within_limit(&self, said: Said) -> Option<Said> {
        let bytes = text_bytes(&said);
        if self
            .texts
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes)
            <= MAX_QUEUED_TEXT_BYTES
        {
            return Some(said);
        }
        self.texts.fetch_sub(bytes, Ordering::Relaxed);
        None
    }

    /// Counts the text as no longer queued.
    fn unqueued(&self, said: Option<&Said>) {
        self.texts
            .fetch_sub(said.map_or(0, text_bytes), Ordering::Relaxed);
    }

    fn send(&self, message: Message) {
        // Fails only if the thread has ended.
        let _ = self.messages.send(message);
    }

    /// Stores a chat response.
    pub fn chat(&self, record: ChatRecord) {
        self.send(Message::Chat(Box::new(record)));
    }

    /// Stores the environment info of a session.
    pub fn environment_info(&self, session: SessionId, surroundings: EnvironmentInfo) {
        self.send(Message::Around {
            session,
            surroundings: Box::new(surroundings),
        });
    }

    /// Requests a change. It happens even if the returned future is dropped. Gives how many sessions were deleted, or
    /// prompts added.
    ///
    /// # Errors
    /// As those of the store.
    pub fn change(&self, change: Change) -> impl Future<Output = Result<usize, Failure>> + use<> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Change(change, answer));
        let gone = || Failure::new("The history is closed", "Restart Batida");
        async move { answered.await.unwrap_or_else(|_| Err(gone())) }
    }

    /// Waits until all queued data was written or has failed, within three seconds.
    pub async fn flush(&self) {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Flush(answer));
        // Failures are reported by notices.
        let _ = tokio::time::timeout(FLUSH_TIMEOUT, answered).await;
    }

    /// Reads on a blocking thread, after the queued data was written, if possible. Dropping the future ends the reading.
    ///
    /// # Errors
    /// As `work`, and when the history cannot be opened.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        // If the writer is busy for too long, read without the queued data.
        let _ = tokio::time::timeout(READ_FLUSH_TIMEOUT, self.flush()).await;
        let (dir, messages) = (self.dir.clone(), self.messages.clone());
        let left = CancellationToken::new();
        let _leaves = left.clone().drop_guard();
        let reading = tokio::task::spawn_blocking(move || {
            let mut store = Store::open_to_read(&dir?).inspect_err(|_| {
                // It may be damaged, and is found whole otherwise. Fails only when the thread has ended.
                let _ = messages.send(Message::Damaged);
            })?;
            store.stop_when(move || left.is_cancelled())?;
            let outcome = work(&store);
            if store.is_broken() {
                // Fails only if the thread has ended.
                let _ = messages.send(Message::Damaged);
            }
            outcome
        });
        reading
            .await
            .unwrap_or_else(|panic| Err(super::own_fault(&panic)))
    }
}

/// Runs a benchmark, collects environment info meanwhile, and stores both if there is a recorder.
///
/// # Errors
/// As [`bench::run`].
pub async fn bench(
    runs_on: &RunsOn,
    connection: &Connection,
    plan: &Plan,
    controls: Controls,
    recorder: Option<Recorder>,
    listener: &mut dyn Listener,
) -> Result<BenchReport, Failure> {
    let api = connection.api_with_key()?;
    let mut deployments: Vec<String> = plan
        .targets
        .iter()
        .filter_map(|target| target.deployment.clone())
        .collect();
    deployments.sort();
    deployments.dedup();
    let (answer, asking) = oneshot::channel();
    // Aborted when the session ends.
    let _asked = connection.kubectl.clone().map(|kubectl| {
        AbortOnDropHandle::new(tokio::spawn(async move {
            // Fails only if the session has ended.
            let _ = answer.send(environment_info::collect(&kubectl, &deployments).await);
        }))
    });
    let stopped = controls.cancel.clone();
    let mut recording = Recording::new(recorder, listener).with_environment_info(asking);
    let (kubectl, name) = (connection.kubectl.as_ref(), &connection.env.name);
    let limit = async { cluster::ingress::limit(kubectl?, api.address()).await };
    let around = ClusterContext {
        kubectl,
        // The demo has none.
        ingress: match connection.env.demo {
            true => None,
            false => stopped.run_until_cancelled(limit).await.flatten(),
        },
    };
    let mut outcome =
        bench::run_on(runs_on, around, plan, api, name, controls, &mut recording).await;
    if let Ok(report) = &mut outcome {
        // Usually complete by now. A stopped session does not wait for it.
        let timeout = if stopped.is_cancelled() {
            Duration::ZERO
        } else {
            environment_info::TIMEOUT
        };
        report.surroundings = recording.environment_info(timeout).await;
    }
    recording.end(&outcome);
    outcome
}

/// The sides of a comparison, in this order.
///
/// # Errors
/// When a session is not a benchmark, does not exist, or cannot be read.
pub fn sides(store: &Store, sessions: &[SessionId]) -> Result<Vec<Side>, Failure> {
    sessions
        .iter()
        .map(|id| {
            let row = store.row(id)?;
            let (report, values) = (store.report(id)?, store.values(id)?);
            let when = || row.began.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
            let label = row.tags.first().cloned().unwrap_or_else(when);
            Ok(Side {
                label,
                report,
                values,
            })
        })
        .collect()
}

/// The sessions of a result file as sides of a comparison.
pub fn imported_sides(name: &str, imported: Imported) -> Vec<Side> {
    let several = imported.sessions.len() > 1;
    let side = |(at, (report, requests)): (usize, (BenchReport, Vec<StoredRequest>))| {
        let number = if several {
            format!(" #{}", at + 1)
        } else {
            String::new()
        };
        let label = report
            .plan
            .tags
            .first()
            .cloned()
            .unwrap_or_else(|| format!("{name}{number}"));
        let values = LevelValues::of(&report, requests.into_iter().map(|request| request.record));
        Side {
            label,
            report,
            values,
        }
    };
    imported
        .sessions
        .into_iter()
        .enumerate()
        .map(side)
        .collect()
}

/// Writes sessions as one file.
///
/// # Errors
/// When a session does not exist or cannot be read, or writing fails.
pub fn export(
    store: &Store,
    sessions: &[SessionId],
    format: ExportFormat,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    // Data for charts over time is large, and only HTML uses it.
    let whole = |id: &SessionId| match format {
        ExportFormat::Html => store.session(id),
        _ => store.session_without_charts(id),
    };
    let stored: Vec<StoredSession> = sessions.iter().map(whole).collect::<Result<_, _>>()?;
    let mut requests: Vec<_> = sessions
        .iter()
        .map(|id| store.by_index(id))
        .collect::<Result<_, _>>()?;
    let each = stored.iter().zip(&mut requests);
    let mut exported: Vec<Exported<'_>> = each
        .map(|(stored, requests)| Exported {
            row: &stored.row,
            body: &stored.body,
            requests,
        })
        .collect();
    crate::export::write(format, &mut exported, out)
}

/// Reads a result file.
///
/// # Errors
/// When it cannot be read, or has no benchmark.
pub async fn read_result_file(path: &Path) -> Result<Imported, Failure> {
    let most = crate::import::MAX_FILE_BYTES as u64;
    let bytes = files::read(
        path,
        most,
        "Save it again without the texts of prompts and responses",
    )
    .await?;
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned();
    let reading = tokio::task::spawn_blocking(move || crate::import::read(&name, &bytes));
    reading
        .await
        .unwrap_or_else(|panic| Err(super::own_fault(&panic)))
}

/// The baselines of a session's models, without duplicates and without the session itself.
///
/// # Errors
/// When the history cannot be read.
pub fn baselines(store: &Store, report: &BenchReport) -> Result<Vec<SessionId>, Failure> {
    let mut found = Vec::new();
    for target in &report.plan.targets {
        let baseline = store.baseline_of(&target.model, target.deployment.as_deref())?;
        found.extend(baseline.filter(|id| id.0 != report.id && !found.contains(id)));
    }
    Ok(found)
}

/// Counts a request that was lost because the queue was full.
fn count_lost(lost: &AtomicU64) {
    lost.fetch_add(1, Ordering::Relaxed);
}
