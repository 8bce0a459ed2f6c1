//! Everything that waits: jobs on a tokio runtime, on a thread of their own.
//!
//! Commands come over a tokio channel, events leave over crossbeam, and `wake` tells the window that there
//! are some. The channels are unbounded because every producer is paced.

pub mod attach;
pub mod bench;
pub mod chat;
pub mod check;
pub mod cluster;
pub mod connection;
pub mod environment_info;
pub mod follow;
pub mod history;
pub mod imports;
mod library;
pub mod logs;
pub mod probe;
pub mod quit;
mod shelf;

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::bench::Controls;
use self::connection::{Connection, Connections};
use self::history::filing;
use self::history::{Change, History, HistoryNotice, Recorder};
use crate::domain::conversation::Attachment;
use crate::domain::environment::{EnvId, Environment};
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::history::HistorySettings;
use crate::domain::library::LibraryChange;
use crate::domain::plan::Plan;
use crate::domain::run::{BenchProgress, BenchReport, EnvironmentInfo, Steer};
use crate::domain::settings::Settings;
use crate::io::clipboard::Clipboard;
use crate::io::dialog;
use crate::io::drafts::Drafts;
use crate::io::history::Store;
use crate::io::notify;
use crate::io::secrets::Keys;
use crate::io::settings::SettingsStore;
use crate::protocol::{
    Activity, Ask, ChatEnding, ClusterLink, Command, Contexts, Event, FilePurpose, JobId,
    KeyChange, Playgrounds,
};
use crate::snippet::{self, KeyText};

/// What the engine is told at its start.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The folder of the settings; `None` for the user's own.
    pub config: Option<PathBuf>,
    /// The executable that plays kubectl for the demo; `None` for this one.
    pub twin: Option<PathBuf>,
}

/// The engine as the window holds it. Dropping it ends every job.
#[derive(Debug)]
pub struct Engine {
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<thread::JoinHandle<()>>,
    began: Instant,
}

/// What the engine found at its start.
#[derive(Debug)]
pub struct Started {
    /// To send commands through.
    pub engine: Engine,
    /// To drain, without waiting.
    pub events: Receiver<Event>,
    /// What Batida remembers.
    pub settings: Settings,
    /// What was wrong with the settings file.
    pub notice: Option<Failure>,
}

impl Engine {
    /// How long it has run. The window's own clock stands still while it is hidden.
    pub fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    /// Reads the settings and starts the engine's thread. `wake` is called when events are waiting.
    ///
    /// # Errors
    /// When there is no place for the settings, or the system gives no thread.
    pub fn start(
        options: Options,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Started, Failure> {
        let store = store(&options)?;
        let loaded = store.load();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("engine-worker")
            .enable_all()
            .build()
            .map_err(no_thread)?;
        let (commands, inbox) = mpsc::unbounded_channel();
        let (outbox, events) = crossbeam_channel::unbounded();
        let emitter = Emitter {
            outbox,
            wake: Arc::new(wake),
        };
        let tell = emitter.clone();
        // Opened on its own thread: nobody waits for a disk to see the window.
        let history = History::start(history_dir(&options), move |told| match told {
            HistoryNotice::Changed => tell.emit(Event::HistoryChanged),
            HistoryNotice::Troubled(failure) => tell.emit(Event::HistoryTroubled { failure }),
        })?;
        let keep = loaded.settings.history;
        let thread = thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || {
                let books = Books {
                    recorder: history.recorder(),
                    keep: Mutex::new(keep),
                    around: Mutex::default(),
                };
                serve(&runtime, inbox, &store, &options, emitter, books);
                // Blocking calls, e.g. of a keychain that waits for its user, are left behind.
                runtime.shutdown_timeout(Duration::from_millis(300));
                // Every job has ended and said how: what is left is written now.
                drop(history);
            });
        let thread = thread.map_err(no_thread)?;
        let engine = Self {
            commands: Some(commands),
            thread: Some(thread),
            began: Instant::now(),
        };
        Ok(Started {
            engine,
            events,
            settings: loaded.settings,
            notice: loaded.notice,
        })
    }

    /// Asks the engine for something.
    pub fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // Fails only when the engine has stopped.
            let _ = commands.send(command);
        }
    }
}

/// What time it is, for what is relative to today: neither the state nor the window reads a clock.
pub fn clock() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The engine takes what is still in the channel, e.g. a last save, and ends.
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it was told as it happened.
            let _ = thread.join();
        }
    }
}

/// Names a session. `kind`: `b` for benchmarks, `c` for conversations.
pub fn new_id(kind: char) -> String {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    // The standard library's only source of randomness.
    format!(
        "{kind}{:012x}",
        RandomState::new().build_hasher().finish() >> 16
    )
}

/// A seed for a session whose plan names none, small enough for every reader of JSON.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    RandomState::new().build_hasher().finish() >> 32
}

fn no_thread(error: std::io::Error) -> Failure {
    Failure::new(
        "The system gives Batida no thread to work on",
        "Close other programs and try again",
    )
    .with_details(error.to_string())
}

fn store(options: &Options) -> Result<SettingsStore, Failure> {
    match &options.config {
        Some(dir) => Ok(SettingsStore::in_dir(dir)),
        None => SettingsStore::open_default(),
    }
}

/// Where the history is: with the settings when they have a folder of their own.
///
/// # Errors
/// When there is no home directory.
pub fn history_dir(options: &Options) -> Result<PathBuf, Failure> {
    match &options.config {
        Some(dir) => Ok(dir.clone()),
        None => Store::default_dir(),
    }
}

/// The history for one command of the command line; told of trouble. What it gives must be dropped before the
/// program ends.
///
/// # Errors
/// When the system gives no thread.
pub fn history(
    options: &Options,
    tell: impl Fn(HistoryNotice) + Send + 'static,
) -> Result<History, Failure> {
    History::start(history_dir(options), tell)
}

/// The settings and the places for one command of the command line, on the caller's runtime.
///
/// # Errors
/// When there is no place for the settings.
pub fn places(
    options: &Options,
    tell: impl Fn(Activity) + Send + Sync + 'static,
) -> Result<(Connections, Settings, Option<Failure>), Failure> {
    let store = store(options)?;
    let loaded = store.load_untouched();
    Ok((
        Connections::new(Keys::new(store), twin(options), tell),
        loaded.settings,
        loaded.notice,
    ))
}

fn twin(options: &Options) -> PathBuf {
    // Without a path of its own the program is looked up by name.
    options
        .twin
        .clone()
        .or_else(|| std::env::current_exe().ok())
        .unwrap_or_else(|| PathBuf::from("batida"))
}

/// Sends events and wakes the window.
#[derive(Clone)]
struct Emitter {
    outbox: Sender<Event>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Emitter {
    fn emit(&self, event: Event) {
        // Fails only when the window has gone.
        let _ = self.outbox.send(event);
        (self.wake)();
    }
}

/// The history as jobs use it.
struct Books {
    recorder: Recorder,
    /// What is kept, as the settings said last.
    keep: Mutex<HistorySettings>,
    /// What conversations are held on, by environment and deployment, and since when that is known.
    around: Mutex<HashMap<Whereabouts, (Instant, EnvironmentInfo)>>,
}

/// An environment, and the deployment that was picked.
type Whereabouts = (EnvId, Option<String>);

/// What every job may use.
struct Shared {
    books: Books,
    places: Connections,
    clipboard: Clipboard,
    emitter: Emitter,
    /// Saves that were asked for and are not done: who opens a place waits for them, since a key may be
    /// among them.
    saves: watch::Sender<usize>,
    /// What is attached to drafts.
    drafts: Result<Arc<Drafts>, Failure>,
}

fn serve(
    runtime: &Runtime,
    inbox: mpsc::UnboundedReceiver<Command>,
    store: &SettingsStore,
    options: &Options,
    emitter: Emitter,
    books: Books,
) {
    let tell = emitter.clone();
    let places = Connections::new(Keys::new(store.clone()), twin(options), move |activity| {
        tell.emit(Event::ActivityChanged { activity });
    });
    let shared = Arc::new(Shared {
        books,
        places,
        clipboard: Clipboard::new(),
        emitter,
        saves: watch::Sender::new(0),
        drafts: history_dir(options).map(|dir| Arc::new(Drafts::in_dir(&dir))),
    });
    runtime.block_on(async { Jobs::new(shared).serve(inbox).await });
}

/// The settings that are to be saved, with a key.
type Save = (Box<Settings>, Option<KeyChange>);

/// What is kept without being asked for. It does not stand behind a keychain that waits for its user.
enum Keep {
    /// What the Playground is left as.
    Playgrounds(Playgrounds),
    /// What is attached to a draft.
    Draft(EnvId, Vec<Attachment>),
    /// What is attached to drafts of an environment that is deleted.
    Forget(EnvId),
}

/// The jobs under way.
struct Jobs {
    shared: Arc<Shared>,
    /// Saves, done one after the other.
    saver: mpsc::UnboundedSender<Save>,
    saving: tokio::task::JoinHandle<()>,
    /// Drafts, one after the other.
    keeper: mpsc::UnboundedSender<Keep>,
    keeping: tokio::task::JoinHandle<()>,
    /// Looks at the prompts and changes of them, one after the other.
    prompts: mpsc::UnboundedSender<Option<LibraryChange>>,
    changing: tokio::task::JoinHandle<()>,
    set: JoinSet<()>,
    by_job: HashMap<JobId, CancellationToken>,
    by_task: HashMap<tokio::task::Id, JobId>,
    /// Of the benchmark sessions under way.
    steers: HashMap<JobId, watch::Sender<Steer>>,
}

impl Jobs {
    fn new(shared: Arc<Shared>) -> Self {
        let (saver, saves) = mpsc::unbounded_channel();
        let saving = tokio::spawn(Arc::clone(&shared).save_all(saves));
        let (keeper, drafts) = mpsc::unbounded_channel();
        let keeping = tokio::spawn(Arc::clone(&shared).keep_all(drafts));
        let (prompts, changes) = mpsc::unbounded_channel();
        let changing = tokio::spawn(Arc::clone(&shared).serve_prompts(changes));
        Self {
            shared,
            saver,
            saving,
            keeper,
            keeping,
            prompts,
            changing,
            set: JoinSet::new(),
            by_job: HashMap::new(),
            by_task: HashMap::new(),
            steers: HashMap::new(),
        }
    }

    async fn serve(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        loop {
            tokio::select! {
                command = inbox.recv() => match command {
                    Some(command) => self.begin(command),
                    None => break,
                },
                Some(ended) = self.set.join_next_with_id() => self.end(ended),
            }
        }
        // The window has gone: every job ends here, but what it asked to be saved is saved.
        let Self {
            saver,
            saving,
            keeper,
            keeping,
            prompts,
            changing,
            set,
            ..
        } = self;
        drop((saver, keeper, prompts, set));
        // A keychain that waits for its user must not keep the program alive.
        let last = async { tokio::join!(saving, keeping, changing) };
        let _ = tokio::time::timeout(Duration::from_secs(3), last).await;
    }

    fn begin(&mut self, command: Command) {
        let shared = Arc::clone(&self.shared);
        match command {
            Command::Cancel { job } => {
                if let Some(cancel) = self.by_job.get(&job) {
                    cancel.cancel();
                }
            }
            Command::OpenPlace { job, place } => self.spawn(job, |cancel| async move {
                let Some(opened) = cancel.run_until_cancelled(shared.open(&place)).await else {
                    return;
                };
                let (api, key) = (opened.address(), opened.key.clone());
                // Without an API domain there is nothing to open, which is no trouble.
                let expected = place.api.is_some() || place.demo;
                let trouble = opened.api.as_ref().err().filter(|_| expected).cloned();
                shared.emitter.emit(Event::PlaceOpened {
                    job,
                    env: place.id,
                    api,
                    key,
                    trouble,
                });
            }),
            Command::LoadCluster { job, place } => self.spawn(job, |cancel| async move {
                let began = Instant::now();
                let loading = async {
                    match shared.places.kubectl(&place).await {
                        Some(kubectl) => cluster::load(&kubectl).await,
                        None => Err(Failure::new("This environment has no cluster", "")),
                    }
                };
                let outcome = or_cancelled(&cancel, loading).await;
                let took = began.elapsed();
                shared.emitter.emit(Event::ClusterLoaded {
                    job,
                    env: place.id,
                    outcome,
                    took,
                });
            }),
            Command::WatchCluster { job, place } => self.spawn(job, |cancel| async move {
                let env = place.id.clone();
                let tell = |view, link| {
                    let env = env.clone();
                    shared.emitter.emit(Event::ClusterFollowed {
                        job,
                        env,
                        view,
                        link,
                    });
                };
                let following = async {
                    match shared.places.kubectl(&place).await {
                        Some(kubectl) => {
                            let pace = follow::Pace::default();
                            follow::run(&kubectl, &pace, |told| {
                                tell(told.view.map(Box::new), told.link);
                            })
                            .await;
                        }
                        None => {
                            let why = Failure::new("This environment has no cluster", "");
                            tell(None, ClusterLink::Stopped(why));
                        }
                    }
                };
                if cancel.run_until_cancelled(following).await.is_none() {
                    tell(None, ClusterLink::Stopped(cancelled()));
                }
            }),
            Command::LoadClusterEvents { job, place } => self.spawn(job, |cancel| async move {
                let asking = async {
                    match shared.places.kubectl(&place).await {
                        Some(kubectl) => cluster::events(&kubectl).await,
                        None => Ok(Vec::new()),
                    }
                };
                let outcome = or_cancelled(&cancel, asking).await;
                shared.emitter.emit(Event::ClusterEventsLoaded {
                    job,
                    env: place.id,
                    outcome,
                });
            }),
            Command::LoadSizes { job, place } => self.spawn(job, |cancel| async move {
                let asking = async {
                    match shared.places.kubectl(&place).await {
                        Some(kubectl) => cluster::sizes(&kubectl).await,
                        None => Ok(Default::default()),
                    }
                };
                let outcome = or_cancelled(&cancel, asking).await.map(Arc::new);
                shared.emitter.emit(Event::SizesLoaded {
                    job,
                    env: place.id,
                    outcome,
                });
            }),
            Command::ReadEnvironments { job, path, kubectl } => {
                self.spawn(job, |cancel| async move {
                    let outcome = or_cancelled(&cancel, imports::read(&path, kubectl))
                        .await
                        .map(Arc::new);
                    shared
                        .emitter
                        .emit(Event::EnvironmentsRead { job, outcome });
                })
            }
            Command::LoadRelease { job, place } => self.spawn(job, |cancel| async move {
                let asking = async {
                    let Some(kubectl) = shared.places.kubectl(&place).await else {
                        return Ok(None);
                    };
                    Ok(environment_info::version(&kubectl).await)
                };
                let outcome = or_cancelled(&cancel, asking).await;
                shared.emitter.emit(Event::ReleaseLoaded {
                    job,
                    env: place.id,
                    outcome,
                });
            }),
            Command::FollowLog { job, place, source } => self.spawn(job, |cancel| async move {
                let env = place.id.clone();
                let following = async {
                    let Some(kubectl) = shared.places.kubectl(&place).await else {
                        return Ok(());
                    };
                    let tell = |lines| {
                        shared.emitter.emit(Event::LogAdvanced {
                            job,
                            env: env.clone(),
                            lines,
                        });
                    };
                    logs::follow(&kubectl, &source, tell).await
                };
                let outcome = or_cancelled(&cancel, following).await;
                shared.emitter.emit(Event::LogEnded {
                    job,
                    env: place.id,
                    outcome,
                });
            }),
            Command::LoadApiModels { job, place } => self.spawn(job, |cancel| async move {
                let began = Instant::now();
                let asking = async { shared.open(&place).await.models().await };
                let outcome = or_cancelled(&cancel, asking).await.map(|models| models.ids);
                let took = began.elapsed();
                shared.emitter.emit(Event::ApiModelsLoaded {
                    job,
                    env: place.id,
                    outcome,
                    took,
                });
            }),
            Command::Probe {
                job,
                place,
                targets,
            } => self.spawn(job, |cancel| async move {
                let (emitter, env) = (&shared.emitter, place.id.clone());
                if let Some(opened) = cancel.run_until_cancelled(shared.open(&place)).await {
                    probe::run(
                        &opened,
                        targets,
                        probe::TIMEOUT,
                        &cancel,
                        |model, at, outcome| {
                            emitter.emit(Event::ModelProbed {
                                job,
                                env: env.clone(),
                                model,
                                at,
                                outcome,
                            });
                        },
                    )
                    .await;
                }
                emitter.emit(Event::ProbesEnded { job, env: place.id });
            }),
            Command::Chat {
                job,
                place,
                request,
                filing,
            } => self.spawn(job, |cancel| async move {
                shared
                    .chat(
                        Ask {
                            job,
                            place,
                            request,
                            filing,
                        },
                        None,
                        &cancel,
                    )
                    .await;
            }),
            Command::ChatSideBySide { asks, in_turn } => {
                for (ask, start) in chat::starts(asks, in_turn) {
                    let shared = Arc::clone(&shared);
                    self.spawn(ask.job, |cancel| async move {
                        shared.chat(ask, Some(start), &cancel).await;
                    });
                }
            }
            Command::Embed {
                job,
                place,
                request,
            } => self.spawn(job, |cancel| async move {
                let asking = async {
                    let place = shared.open(&place).await;
                    let known = place.known();
                    Ok(Box::new(
                        place.api_with_key()?.embed(&request, &known).await?,
                    ))
                };
                let outcome = or_cancelled(&cancel, asking).await;
                shared.emitter.emit(Event::EmbeddingsMade { job, outcome });
            }),
            Command::Check { job, place } => self.spawn(job, |cancel| async move {
                if let Some(opened) = cancel.run_until_cancelled(shared.open(&place)).await {
                    let (emitter, env) = (shared.emitter.clone(), place.id.clone());
                    check::run(&opened, &cancel, |check| {
                        emitter.emit(Event::CheckEnded {
                            job,
                            env: env.clone(),
                            check,
                        });
                    })
                    .await;
                }
                shared
                    .emitter
                    .emit(Event::ChecksEnded { job, env: place.id });
            }),
            Command::RunBench { job, place, plan } => {
                let (steer, steered) = watch::channel(Steer::Resume);
                self.steers.insert(job, steer);
                self.spawn(job, |cancel| async move {
                    let outcome = shared
                        .bench(
                            job,
                            &place,
                            &plan,
                            Controls {
                                cancel,
                                steer: steered,
                            },
                        )
                        .await;
                    let outcome = outcome.map(Arc::new);
                    shared.emitter.emit(Event::BenchEnded {
                        job,
                        outcome: outcome.clone(),
                    });
                    if let Ok(report) = outcome {
                        shared.hold_against_baseline(job, &report).await;
                    }
                });
            }
            Command::SteerBench { job, steer } => {
                if let Some(steering) = self.steers.get(&job) {
                    steering.send_replace(steer);
                }
            }
            Command::ListContexts { job, place } => self.spawn(job, |cancel| async move {
                let listing = async {
                    match shared.places.kubectl(&place).await {
                        Some(kubectl) => cluster::contexts(&kubectl).await,
                        None => Ok(Contexts::default()),
                    }
                };
                let outcome = or_cancelled(&cancel, listing).await;
                shared.emitter.emit(Event::ContextsListed {
                    job,
                    env: place.id,
                    outcome,
                });
            }),
            Command::LoadHistory { .. }
            | Command::OpenSession { .. }
            | Command::LoadTrend { .. }
            | Command::CompareSessions { .. }
            | Command::ImportSessions { .. } => self.shelf(command),
            // Fails only when the runtime is gone.
            Command::LoadPrompts => drop(self.prompts.send(None)),
            Command::ChangePrompts { change } => drop(self.prompts.send(Some(change))),
            // At once: the settings that speak of them come next.
            Command::StageExtras { env, values } => {
                self.shared.places.keys().stage_extras(&env, values)
            }
            Command::SaveSettings { settings, key } => {
                self.shared.books.keep_as(settings.history);
                self.shared.saves.send_modify(|n| *n += 1);
                // Fails only when the runtime is gone.
                let _ = self.saver.send((Box::new(settings), key));
            }
            Command::KeepPlaygrounds { changed } => self.keep(Keep::Playgrounds(changed)),
            Command::KeepDraft { env, attached } => self.keep(Keep::Draft(env, attached)),
            Command::ForgetDrafts { env } => self.keep(Keep::Forget(env)),
            Command::Attach { job, sources, room } => self.spawn(job, |cancel| async move {
                let read = attach::read(sources, room, &cancel).await;
                shared.emitter.emit(Event::AttachmentsRead { job, read });
            }),
            Command::DecodePicture { job, image, edge } => self.spawn(job, |cancel| async move {
                if let Some(outcome) = attach::decode(image, edge, &cancel).await {
                    shared.emitter.emit(Event::PictureDecoded { job, outcome });
                }
            }),
            Command::LoadDrafts { job, known } => self.spawn(job, |cancel| async move {
                let drafts = shared.drafts.clone();
                let reading = async {
                    let reading = tokio::task::spawn_blocking(move || drafts?.load(&known));
                    reading.await.unwrap_or_else(|panic| Err(own_fault(&panic)))
                };
                let outcome = or_cancelled(&cancel, reading).await;
                shared.emitter.emit(Event::DraftsLoaded { job, outcome });
            }),
            Command::DeleteSessions { what } => self.change_history(Change::Delete(what)),
            Command::SetBaseline { session, on } => {
                self.change_history(Change::Baseline(session, on))
            }
            Command::TagSession { session, tags } => {
                self.change_history(Change::Tag(session, tags))
            }
            Command::RenameSession { session, title } => {
                self.change_history(Change::Rename(session, title))
            }
            other => {
                self.set.spawn(async move { shared.quick(other).await });
            }
        }
    }

    fn spawn<F>(&mut self, job: JobId, work: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let cancel = CancellationToken::new();
        self.by_job.insert(job, cancel.clone());
        let task = self.set.spawn(work(cancel));
        self.by_task.insert(task.id(), job);
    }

    fn keep(&self, keep: Keep) {
        // Fails only when the runtime is gone.
        let _ = self.keeper.send(keep);
    }

    fn change_history(&mut self, change: Change) {
        self.set.spawn(self.shared.change_history(change));
    }

    fn end(&mut self, ended: Result<(tokio::task::Id, ()), tokio::task::JoinError>) {
        let (task, panic) = match ended {
            Ok((task, ())) => (task, None),
            Err(error) => (error.id(), Some(own_fault(&error))),
        };
        let job = self.by_task.remove(&task);
        if let Some(job) = job {
            self.by_job.remove(&job);
            self.steers.remove(&job);
        }
        if let Some(failure) = panic {
            self.shared.emitter.emit(Event::JobFailed {
                job: job.unwrap_or(JobId(0)),
                failure,
            });
        }
    }
}

/// Asks for a place and writes there; gives where.
async fn save_file(what: &str, name: &str, content: Arc<[u8]>) -> Result<Option<PathBuf>, Failure> {
    let Some(path) =
        dialog::place_for_file(&format!("Save {what}"), name, "Copy it instead").await?
    else {
        return Ok(None);
    };
    dialog::save_file(&path, content).await?;
    Ok(Some(path))
}

/// A panic in a job, told to the user.
fn own_fault(panic: &tokio::task::JoinError) -> Failure {
    let advice = "This is a defect: please report it with these details. The rest goes on";
    Failure::new("Something failed in Batida itself", advice).with_details(panic.to_string())
}

/// Tells the window of a benchmark session.
struct Telling<'a> {
    job: JobId,
    emitter: &'a Emitter,
}

impl bench::Listener for Telling<'_> {
    fn began(&mut self, report: &BenchReport) {
        let told = report.told_before();
        if !told.is_empty() {
            self.emitter.emit(Event::BenchBegan {
                job: self.job,
                told,
            });
        }
    }

    fn advanced(&mut self, progress: BenchProgress) {
        self.emitter.emit(Event::BenchAdvanced {
            job: self.job,
            progress: Box::new(progress),
        });
    }
}

async fn or_cancelled<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(cancelled()),
        outcome = work => outcome,
    }
}

fn cancelled() -> Failure {
    Failure::new("It was cancelled", "Refresh to ask again").of_class(FaultClass::Cancelled)
}

impl Shared {
    async fn chat(&self, ask: Ask, mut start: Option<chat::Start>, cancel: &CancellationToken) {
        let Ask {
            job,
            place: env,
            request,
            filing,
        } = &ask;
        let job = *job;
        let deployment = filing.as_ref().and_then(|filing| filing.deployment.clone());
        let filing = filing.clone();
        // Kept also where it is never sent: what is said after it in the conversation stands on it.
        let kept =
            filing.map(|filing| filing::Kept::begin(filing, request, env, self.books.texts()));
        let mut keeping = filing::Keeping::new(self.books.recorder.clone(), kept);
        let unsent = |keeping: filing::Keeping, ending: ChatEnding| {
            // Where it would have been held, nobody asks.
            drop(keeping.end(&chat::ChatReport::ended_early(ending.clone()), None));
            self.emitter.emit(Event::ChatEnded {
                job,
                ending,
                figures: Box::default(),
                answered_by: None,
            });
        };
        let Some(place) = cancel.run_until_cancelled(self.open(env)).await else {
            return unsent(keeping, ChatEnding::Stopped);
        };
        let api = match place.api_with_key() {
            Ok(api) => api,
            Err(failure) => return unsent(keeping, ChatEnding::Failed(failure)),
        };
        if let Some(start) = &mut start {
            if cancel.run_until_cancelled(start.wait()).await.is_none() {
                return unsent(keeping, ChatEnding::Stopped);
            }
            self.emitter.emit(Event::ChatBegan { job });
        }
        keeping.sent();
        let report = chat::run(api, request, &place.known(), cancel, |advance| {
            keeping.advance(&advance);
            let chat::Advance {
                reasoning,
                answer,
                turned,
                calls,
                figures,
            } = advance;
            let figures = Box::new(figures);
            self.emitter.emit(Event::ChatAdvanced {
                job,
                reasoning,
                answer,
                turned,
                calls,
                figures,
            });
        })
        .await;
        let dialect = api.dialects().of(&request.model);
        if !dialect.is_usual() {
            let (env, model) = (env.id.clone(), request.model.clone());
            self.emitter.emit(Event::DialectLearned {
                env,
                model,
                dialect,
            });
        }
        let known = self.books.around_of(env, deployment.as_ref());
        let unknown = keeping.end(&report, known);
        let figures = Box::new(report.figures);
        let chat::ChatReport {
            ending,
            answered_by,
            ..
        } = report;
        self.emitter.emit(Event::ChatEnded {
            job,
            ending,
            figures,
            answered_by,
        });
        // Whoever comes next does not wait for what is asked of the cluster now.
        drop(start);
        // Nobody waits for it any more, and it slows no answer down.
        if let (Some(session), Some(kubectl)) = (unknown, &place.kubectl) {
            let deployments: Vec<String> = deployment.iter().cloned().collect();
            let asking = environment_info::collect(kubectl, &deployments);
            let found = cancel.run_until_cancelled(asking).await;
            if let Some(found) = found.filter(|found| *found != EnvironmentInfo::default()) {
                self.books.found_around(env, deployment, &found);
                self.books.recorder.environment_info(session, found);
            }
        }
    }

    async fn bench(
        &self,
        job: JobId,
        env: &Environment,
        plan: &Plan,
        controls: Controls,
    ) -> Result<BenchReport, Failure> {
        let Some(place) = controls.cancel.run_until_cancelled(self.open(env)).await else {
            return Err(
                Failure::new("It was stopped before it began", "").of_class(FaultClass::Cancelled)
            );
        };
        let mut telling = Telling {
            job,
            emitter: &self.emitter,
        };
        let recorder = Some(self.books.bench_recorder());
        history::bench(&place, plan, controls, recorder, &mut telling).await
    }

    /// Commands that nobody waits long for.
    async fn quick(&self, command: Command) {
        match command {
            Command::ProbeKeychain => {
                let outcome = self.places.keys().keychain_available().await;
                self.emitter.emit(Event::KeychainProbed { outcome });
            }
            Command::RevealKey { place } => {
                let outcome = self.places.key(&place).await;
                self.emitter.emit(Event::KeyRevealed {
                    env: place.id,
                    outcome,
                });
            }
            Command::Copy { what, text } => {
                let outcome = self.clipboard.copy(text).await;
                self.emitter.emit(Event::Copied { what, outcome });
            }
            Command::HoldKey { env, key } => {
                if let Err(failure) = self.places.keys().hold(&env, &key) {
                    self.emitter.emit(Event::SettingsSaved {
                        outcome: Err(failure),
                    });
                }
                self.places.forget(&env);
            }
            Command::Notify { title, body } => {
                let outcome = notify::show(&title, &body).await;
                self.emitter.emit(Event::Notified { outcome });
            }
            Command::CopyImage { what, picture } => {
                let outcome = self.clipboard.copy_picture(picture).await;
                self.emitter.emit(Event::Copied { what, outcome });
            }
            Command::SaveFile {
                what,
                name,
                content,
            } => {
                let outcome = save_file(&what, &name, content).await;
                self.emitter.emit(Event::FileSaved { what, outcome });
            }
            Command::CopyWithKey { place, spec } => {
                let outcome = match self.places.key(&place).await {
                    Ok(key) => {
                        let text = snippet::write(&spec, KeyText::Plain(key.expose_secret()));
                        self.clipboard.copy_secret(SecretString::from(text)).await
                    }
                    Err(failure) => Err(failure),
                };
                self.emitter.emit(Event::Copied {
                    what: "Code with the key".to_owned(),
                    outcome,
                });
            }
            Command::ExportSessions { sessions, format } => self.export(sessions, format).await,
            Command::ImportPrompts => self.import_prompts().await,
            Command::PickFile { env, purpose } => {
                let title = match purpose {
                    FilePurpose::Kubeconfig => "Kubeconfig",
                    FilePurpose::CaFile => "CA certificate (PEM)",
                    FilePurpose::ClientCert => "Client certificate (PEM)",
                    FilePurpose::ClientKey => "Client key (PEM)",
                    FilePurpose::Kubectl => "The kubectl program",
                    FilePurpose::Import => "Environments to import",
                };
                let outcome = dialog::pick_file(title, "Type the path instead").await;
                self.emitter.emit(Event::FilePicked {
                    env,
                    purpose,
                    outcome,
                });
            }
            // Those with a job are begun where jobs are kept, and so are changes of the history.
            Command::OpenPlace { .. }
            | Command::DeleteSessions { .. }
            | Command::SetBaseline { .. }
            | Command::TagSession { .. }
            | Command::RenameSession { .. }
            | Command::LoadCluster { .. }
            | Command::WatchCluster { .. }
            | Command::LoadClusterEvents { .. }
            | Command::LoadSizes { .. }
            | Command::LoadRelease { .. }
            | Command::ReadEnvironments { .. }
            | Command::Probe { .. }
            | Command::FollowLog { .. }
            | Command::LoadApiModels { .. }
            | Command::Chat { .. }
            | Command::ChatSideBySide { .. }
            | Command::Embed { .. }
            | Command::Check { .. }
            | Command::ListContexts { .. }
            | Command::RunBench { .. }
            | Command::SteerBench { .. }
            | Command::LoadHistory { .. }
            | Command::OpenSession { .. }
            | Command::LoadTrend { .. }
            | Command::CompareSessions { .. }
            | Command::ImportSessions { .. }
            | Command::LoadPrompts
            | Command::ChangePrompts { .. }
            | Command::SaveSettings { .. }
            | Command::StageExtras { .. }
            | Command::Attach { .. }
            | Command::DecodePicture { .. }
            | Command::KeepPlaygrounds { .. }
            | Command::KeepDraft { .. }
            | Command::ForgetDrafts { .. }
            | Command::LoadDrafts { .. }
            | Command::Cancel { .. } => {}
        }
    }

    async fn save_all(self: Arc<Self>, mut saves: mpsc::UnboundedReceiver<Save>) {
        while let Some((settings, key)) = saves.recv().await {
            let keys = self.places.keys().clone();
            let changed: Vec<EnvId> = key
                .iter()
                .map(|change| change.env.clone())
                .chain(keys.staged_for())
                .collect();
            let saving = tokio::spawn(async move { keys.save(&settings, key.as_ref()).await });
            let outcome = saving.await.unwrap_or_else(|panic| Err(own_fault(&panic)));
            changed.iter().for_each(|env| self.places.forget(env));
            self.saves.send_modify(|n| *n -= 1);
            self.emitter.emit(Event::SettingsSaved { outcome });
        }
    }

    async fn keep_all(self: Arc<Self>, mut drafts: mpsc::UnboundedReceiver<Keep>) {
        while let Some(keep) = drafts.recv().await {
            let (files, keys) = (self.drafts.clone(), self.places.keys().clone());
            let whose = match &keep {
                Keep::Playgrounds(changed) => changed.keys().cloned().collect(),
                Keep::Draft(env, _) | Keep::Forget(env) => vec![env.clone()],
            };
            let forms = matches!(keep, Keep::Playgrounds(_));
            let keeping = tokio::task::spawn_blocking(move || match keep {
                Keep::Playgrounds(changed) => keys.keep_playgrounds(&changed),
                Keep::Draft(env, attached) => files?.keep(&env, &attached),
                Keep::Forget(env) => files?.forget(&env),
            });
            let outcome = keeping.await.unwrap_or_else(|panic| Err(own_fault(&panic)));
            if forms {
                self.emitter.emit(Event::PlaygroundsKept {
                    envs: whose,
                    outcome,
                });
            } else {
                let told = |env| Event::DraftKept {
                    env,
                    outcome: outcome.clone(),
                };
                whose
                    .into_iter()
                    .map(told)
                    .for_each(|event| self.emitter.emit(event));
            }
        }
    }

    /// Opens a place, once all that was asked to be saved is saved.
    async fn open(&self, env: &Environment) -> Arc<Connection> {
        let mut saves = self.saves.subscribe();
        // Fails only when the engine has stopped.
        let _ = saves.wait_for(|n| *n == 0).await;
        self.places.open(env).await
    }
}
