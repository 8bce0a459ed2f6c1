//! The history beside everything else: a thread of its own writes, whoever measures only hands over and never
//! waits. What cannot be written is held within bounds, then counted.
//!
//! ```text
//! Recorder (any thread) ── what is paced: begun, levels, chats, changes ──▶ writer (thread)
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
use super::bench::{self, Controls, Listener};
use super::place::Place;
use super::surroundings;
use crate::domain::failure::Failure;
use crate::domain::history::{
    Deletion, ExportFormat, Imported, Said, SessionId, StoredRequest, StoredSession,
};
use crate::domain::plan::Plan;
use crate::domain::run::{BenchReport, LevelReport, Surroundings};
use crate::export::Exported;
use crate::io::files;
use crate::io::history::{ChatRecord, Store};
use crate::metrics::compare::{LevelValues, Side};
use crate::metrics::request::RequestRecord;

/// Requests on their way to the writer: half a second of more than any machine of ours sends.
const ON_THE_WAY: usize = 65_536;
/// And so many bytes of what was said in them: figures go before texts.
const TEXTS_ON_THE_WAY: usize = 64 << 20;
/// How long the writer's last transaction is waited for.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How long a reader waits for what is on its way.
const FRESH: Duration = Duration::from_millis(500);

/// What the history tells.
#[derive(Debug, Clone)]
pub enum Told {
    /// Rows have changed, here or in another window.
    Changed,
    /// It cannot be written, or something had to be kept aside. Told once until it works again.
    Troubled(Failure),
}

/// A change that somebody waits for.
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
    /// It came to no report.
    Broke {
        session: SessionId,
        why: String,
    },
    Chat(Box<ChatRecord>),
    /// What a session runs on; a conversation's must have been kept before.
    Around {
        session: SessionId,
        surroundings: Box<Surroundings>,
    },
    Change(Change, oneshot::Sender<Result<(), Failure>>),
    /// A reader met what makes no sense.
    Damaged,
    Flush(oneshot::Sender<()>),
    Stop,
}

/// The history's thread. Dropping it writes what is left, for three seconds at most.
#[derive(Debug)]
pub struct History {
    recorder: Recorder,
    done: Receiver<()>,
}

/// Hands over what is to be kept, and reads what was. Nothing of it blocks.
#[derive(Debug, Clone)]
pub struct Recorder {
    messages: Sender<Message>,
    requests: Sender<Request>,
    /// Bytes of texts on their way.
    texts: Arc<AtomicUsize>,
    /// What is said in benchmarks is kept.
    bench_texts: bool,
    dir: Result<PathBuf, Failure>,
}

/// A request on its way, with its session.
type Request = (Arc<SessionId>, Arc<RequestRecord>, Option<Said>);

fn text_bytes(said: &Said) -> usize {
    said.prompt.len() + said.reasoning.len() + said.answer.len()
}

impl History {
    /// Starts the thread, which then opens the history in `dir`. `tell` is called on that thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        dir: Result<PathBuf, Failure>,
        tell: impl Fn(Told) + Send + 'static,
    ) -> Result<Self, Failure> {
        let (messages, inbox) = unbounded();
        let (requests, records) = bounded(ON_THE_WAY);
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

    /// To hand over what is to be kept.
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }
}

impl Drop for History {
    fn drop(&mut self) {
        // Fails only when the thread has died.
        let _ = self.recorder.messages.send(Message::Stop);
        // It says nothing: its end closes the channel.
        let _ = self.done.recv_timeout(LAST_WORDS);
    }
}

impl Recorder {
    /// Where the history is.
    ///
    /// # Errors
    /// When there is no place for it.
    pub fn dir(&self) -> Result<PathBuf, Failure> {
        self.dir.clone()
    }

    /// The same, for a benchmark whose prompts and answers are kept, or not; without this they are not.
    #[must_use]
    pub fn with_bench_texts(self, on: bool) -> Self {
        Self {
            bench_texts: on,
            ..self
        }
    }

    /// Counts the text as on its way; `None` where there is no more room.
    fn weighed(&self, said: Said) -> Option<Said> {
        let bytes = text_bytes(&said);
        if self
            .texts
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes)
            <= TEXTS_ON_THE_WAY
        {
            return Some(said);
        }
        self.texts.fetch_sub(bytes, Ordering::Relaxed);
        None
    }

    /// It is on its way no longer.
    fn passed(&self, said: Option<&Said>) {
        self.texts
            .fetch_sub(said.map_or(0, text_bytes), Ordering::Relaxed);
    }

    fn send(&self, message: Message) {
        // Fails only when the thread has ended.
        let _ = self.messages.send(message);
    }

    /// Keeps an answer.
    pub fn chat(&self, record: ChatRecord) {
        self.send(Message::Chat(Box::new(record)));
    }

    /// Keeps what a session runs on, found out while it runs, or after an answer.
    pub fn around(&self, session: SessionId, surroundings: Surroundings) {
        self.send(Message::Around {
            session,
            surroundings: Box::new(surroundings),
        });
    }

    /// Changes what is kept. It is handed over at once, whether the answer is waited for or not.
    ///
    /// # Errors
    /// As the store's.
    pub fn change(&self, change: Change) -> impl Future<Output = Result<(), Failure>> + use<> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Change(change, answer));
        let gone = || Failure::new("The history is closed", "Start Batida again");
        async move { answered.await.unwrap_or_else(|_| Err(gone())) }
    }

    /// Waits until all that was handed over is written, or cannot be; three seconds at most.
    pub async fn flush(&self) {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Flush(answer));
        // Whether it worked is told elsewhere.
        let _ = tokio::time::timeout(LAST_WORDS, answered).await;
    }

    /// Reads, on a thread that may wait; what was handed over before is there, unless the history is in trouble. Dropping
    /// this ends the reading too.
    ///
    /// # Errors
    /// As `work`, and when the history cannot be opened.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        // Fails only when the writer is busy for longer than anybody wants to wait for a page.
        let _ = tokio::time::timeout(FRESH, self.flush()).await;
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
                // Fails only when the thread has ended.
                let _ = messages.send(Message::Damaged);
            }
            outcome
        });
        reading
            .await
            .unwrap_or_else(|panic| Err(super::own_fault(&panic)))
    }
}

/// Runs a benchmark, asks beside it what it runs on, and keeps both where there is a recorder.
///
/// # Errors
/// As [`bench::run`].
pub async fn bench(
    place: &Place,
    plan: &Plan,
    controls: Controls,
    recorder: Option<Recorder>,
    listener: &mut dyn Listener,
) -> Result<BenchReport, Failure> {
    let api = place.api_with_key()?;
    let mut deployments: Vec<String> = plan
        .targets
        .iter()
        .filter_map(|target| target.deployment.clone())
        .collect();
    deployments.sort();
    deployments.dedup();
    let (answer, asking) = oneshot::channel();
    // Ends with the session.
    let _asked = place.kubectl.clone().map(|kubectl| {
        AbortOnDropHandle::new(tokio::spawn(async move {
            // Fails only when the session has ended.
            let _ = answer.send(surroundings::ask(&kubectl, &deployments).await);
        }))
    });
    let stopped = controls.cancel.clone();
    let mut recording = Recording::new(recorder, listener).with_surroundings(asking);
    let mut outcome = bench::run(plan, api, &place.env.name, controls, &mut recording).await;
    if let Ok(report) = &mut outcome {
        // Mostly it is long done. Whoever stopped the session does not wait for it.
        let patience = if stopped.is_cancelled() {
            Duration::ZERO
        } else {
            surroundings::PATIENCE
        };
        report.surroundings = recording.surroundings(patience).await;
    }
    recording.end(&outcome);
    outcome
}

/// Sessions as they are held against each other, in this order.
///
/// # Errors
/// When one is no benchmark, is not there, or cannot be read.
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

/// The sessions of a result file, ready to be held against others.
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
/// When one is not there, or cannot be read or written.
pub fn export(
    store: &Store,
    sessions: &[SessionId],
    format: ExportFormat,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    // Charts over time are long, and only one format draws them.
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
/// When it cannot be read, or holds nothing that can be kept.
pub async fn read_result_file(path: &Path) -> Result<Imported, Failure> {
    let most = crate::import::MOST_BYTES as u64;
    let bytes = files::read(path, most, "Save it again without each request's texts").await?;
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

/// What a session is held against: its models' baselines, each once and never itself.
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

/// How many of a session's requests found no room on their way.
fn count_lost(lost: &AtomicU64) {
    lost.fetch_add(1, Ordering::Relaxed);
}
