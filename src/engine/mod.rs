//! Everything that waits: jobs on a tokio runtime, on a thread of their own.
//!
//! Commands come over a tokio channel, events leave over crossbeam, and `wake` tells the window that there
//! are some. The channels are unbounded because every producer is paced.

pub mod chat;
pub mod check;
pub mod cluster;
pub mod place;

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::place::{Place, Places};
use crate::domain::conversation::ChatRequest;
use crate::domain::environment::Environment;
use crate::domain::failure::Failure;
use crate::domain::settings::Settings;
use crate::io::clipboard::Clipboard;
use crate::io::dialog;
use crate::io::secrets::Keys;
use crate::io::settings::SettingsStore;
use crate::protocol::{ChatEnding, Command, Contexts, Event, FilePurpose, JobId, KeyChange};
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
    /// Reads the settings and starts the engine's thread. `wake` is called when events are waiting.
    ///
    /// # Errors
    /// When the system gives no thread or no runtime.
    pub fn start(options: Options, wake: impl Fn() + Send + Sync + 'static) -> std::io::Result<Started> {
        let store = SettingsStore::new(options.config.as_deref());
        let loaded = store.load();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("engine-worker")
            .enable_all()
            .build()?;
        let (commands, inbox) = mpsc::unbounded_channel();
        let (outbox, events) = crossbeam_channel::unbounded();
        let emitter = Emitter { outbox, wake: Arc::new(wake) };
        let thread = thread::Builder::new().name("engine".to_owned()).spawn(move || {
            serve(&runtime, inbox, &store, &options, emitter);
            // Blocking calls, e.g. of a keychain that waits for its user, are left behind.
            runtime.shutdown_timeout(Duration::from_millis(300));
        })?;
        let engine = Self { commands: Some(commands), thread: Some(thread) };
        Ok(Started { engine, events, settings: loaded.settings, notice: loaded.notice })
    }

    /// Asks the engine for something.
    pub fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // Fails only when the engine has stopped.
            let _ = commands.send(command);
        }
    }
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

/// Opens places for one command of the command line, on the caller's runtime.
pub fn places(options: &Options, tell: impl Fn(crate::protocol::Activity) + Send + Sync + 'static) -> (Places, Settings, Option<Failure>) {
    let store = SettingsStore::new(options.config.as_deref());
    let loaded = store.load();
    (Places::new(Keys::new(store), twin(options), tell), loaded.settings, loaded.notice)
}

fn twin(options: &Options) -> PathBuf {
    // Without a path of its own the program is looked up by name.
    options.twin.clone().or_else(|| std::env::current_exe().ok()).unwrap_or_else(|| PathBuf::from("batida"))
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

/// What every job may use.
struct Shared {
    places: Places,
    store: SettingsStore,
    clipboard: Clipboard,
    emitter: Emitter,
    /// Key changes that were asked for and are not done: who opens a place waits for them.
    key_changes: watch::Sender<usize>,
}

fn serve(
    runtime: &Runtime,
    inbox: mpsc::UnboundedReceiver<Command>,
    store: &SettingsStore,
    options: &Options,
    emitter: Emitter,
) {
    let tell = emitter.clone();
    let places = Places::new(Keys::new(store.clone()), twin(options), move |activity| {
        tell.emit(Event::ActivityChanged { activity });
    });
    let shared = Arc::new(Shared {
        places,
        store: store.clone(),
        clipboard: Clipboard::new(),
        emitter,
        key_changes: watch::Sender::new(0),
    });
    runtime.block_on(async { Jobs::new(shared).serve(inbox).await });
}

/// The jobs under way.
struct Jobs {
    shared: Arc<Shared>,
    /// Key changes, done one after the other.
    keys: mpsc::UnboundedSender<(Environment, Option<SecretString>)>,
    set: JoinSet<()>,
    by_job: HashMap<JobId, CancellationToken>,
    by_task: HashMap<tokio::task::Id, JobId>,
}

impl Jobs {
    fn new(shared: Arc<Shared>) -> Self {
        let (keys, changes) = mpsc::unbounded_channel();
        let mut set = JoinSet::new();
        let changing = Arc::clone(&shared);
        set.spawn(async move { changing.change_keys(changes).await });
        Self { shared, keys, set, by_job: HashMap::new(), by_task: HashMap::new() }
    }

    async fn serve(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        loop {
            tokio::select! {
                command = inbox.recv() => match command {
                    Some(command) => self.begin(command),
                    None => return,
                },
                Some(ended) = self.set.join_next_with_id() => self.end(ended),
            }
        }
    }

    fn begin(&mut self, command: Command) {
        let shared = Arc::clone(&self.shared);
        match command {
            Command::Cancel { job } => {
                if let Some(cancel) = self.by_job.get(&job) {
                    cancel.cancel();
                }
            }
            Command::LoadCluster { job, place } => self.spawn(job, |cancel| async move {
                let began = Instant::now();
                let opened = shared.open(&place).await;
                let loading = async {
                    match &opened.kubectl {
                        Some(kubectl) => cluster::load(kubectl).await,
                        None => Err(Failure::new("This environment has no cluster", "")),
                    }
                };
                let outcome = or_cancelled(&cancel, loading).await;
                let took = began.elapsed();
                shared.emitter.emit(Event::ClusterLoaded { job, env: place.id, outcome, took });
            }),
            Command::LoadApiModels { job, place } => self.spawn(job, |cancel| async move {
                let began = Instant::now();
                let opened = shared.open(&place).await;
                let outcome = or_cancelled(&cancel, opened.models()).await.map(|models| models.ids);
                let took = began.elapsed();
                shared.emitter.emit(Event::ApiModelsLoaded { job, env: place.id, outcome, took });
            }),
            Command::Chat { job, place, request } => self.spawn(job, |cancel| async move {
                shared.chat(job, &place, &request, &cancel).await;
            }),
            Command::Check { job, place } => self.spawn(job, |cancel| async move {
                let opened = shared.open(&place).await;
                let (emitter, env) = (shared.emitter.clone(), place.id.clone());
                check::run(&opened, &cancel, |check| {
                    emitter.emit(Event::CheckEnded { job, env: env.clone(), check });
                })
                .await;
                shared.emitter.emit(Event::ChecksEnded { job, env: place.id });
            }),
            Command::ListContexts { job, place } => self.spawn(job, |cancel| async move {
                // The form's values, not the saved ones: nothing is kept open for them.
                let opened = shared.open(&place).await;
                let listing = async {
                    match &opened.kubectl {
                        Some(kubectl) => cluster::contexts(kubectl).await,
                        None => Ok(Contexts::default()),
                    }
                };
                let outcome = or_cancelled(&cancel, listing).await;
                shared.emitter.emit(Event::ContextsListed { job, env: place.id, outcome });
            }),
            Command::SaveSettings { settings, key } => self.save(&settings, key),
            other => {
                self.set.spawn(async move { shared.quick(other).await });
            }
        }
    }

    /// Written at once and here, so that saves keep their order and the last one is not lost at the end.
    fn save(&self, settings: &Settings, key: Option<KeyChange>) {
        let outcome = self.shared.store.save(settings);
        if let (Ok(()), Some(KeyChange { env, key })) = (&outcome, key) {
            // A deleted environment's key goes with it, wherever it is.
            let env = settings.get(&env).cloned().unwrap_or_else(|| Environment::blank(env, ""));
            self.shared.key_changes.send_modify(|n| *n += 1);
            // Fails only when the runtime is gone.
            let _ = self.keys.send((env, key));
        }
        self.shared.emitter.emit(Event::SettingsSaved { outcome });
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

    fn end(&mut self, ended: Result<(tokio::task::Id, ()), tokio::task::JoinError>) {
        let (task, panic) = match ended {
            Ok((task, ())) => (task, None),
            Err(error) => (error.id(), Some(error.to_string())),
        };
        let job = self.by_task.remove(&task);
        if let Some(job) = job {
            self.by_job.remove(&job);
        }
        if let Some(details) = panic {
            let failure = Failure::new(
                "Something failed in Batida itself",
                "This is a defect: please report it with these details. The rest goes on",
            )
            .with_details(details);
            self.shared.emitter.emit(Event::JobFailed { job: job.unwrap_or(JobId(0)), failure });
        }
    }
}

async fn or_cancelled<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Failure::new("Cancelled", "")),
        outcome = work => outcome,
    }
}

impl Shared {
    async fn chat(
        &self,
        job: JobId,
        env: &Environment,
        request: &ChatRequest,
        cancel: &CancellationToken,
    ) {
        let place = tokio::select! {
            () = cancel.cancelled() => {
                let ending = ChatEnding::Stopped;
                return self.emitter.emit(Event::ChatEnded { job, ending, figures: Box::default() });
            }
            place = self.open(env) => place,
        };
        let api = match place.api_with_key() {
            Ok(api) => api,
            Err(failure) => {
                let ending = ChatEnding::Failed(failure);
                return self.emitter.emit(Event::ChatEnded { job, ending, figures: Box::default() });
            }
        };
        let report = chat::run(api, request, &place.known(), cancel, |advance| {
            let chat::Advance { reasoning, answer, figures } = advance;
            self.emitter.emit(Event::ChatAdvanced { job, reasoning, answer, figures: Box::new(figures) });
        })
        .await;
        let figures = Box::new(report.figures);
        self.emitter.emit(Event::ChatEnded { job, ending: report.ending, figures });
    }

    /// Commands that nobody waits long for.
    async fn quick(&self, command: Command) {
        match command {
            Command::OpenPlace { place } => {
                let opened = self.open(&place).await;
                let (api, key) = (opened.address(), opened.key.clone());
                let trouble = opened.api.as_ref().err().cloned();
                self.emitter.emit(Event::PlaceOpened { env: place.id, api, key, trouble });
            }
            Command::RevealKey { place } => {
                let outcome = self.places.key(&place).await;
                self.emitter.emit(Event::KeyRevealed { env: place.id, outcome });
            }
            Command::Copy { what, text } => {
                let outcome = self.clipboard.copy(SecretString::from(text)).await;
                self.emitter.emit(Event::Copied { what, outcome });
            }
            Command::CopyWithKey { place, spec } => {
                let outcome = match self.places.key(&place).await {
                    Ok(key) => {
                        let text = snippet::write(&spec, KeyText::Plain(key.expose_secret()));
                        self.clipboard.copy(SecretString::from(text)).await
                    }
                    Err(failure) => Err(failure),
                };
                self.emitter.emit(Event::Copied { what: "Code with the key".to_owned(), outcome });
            }
            Command::PickFile { purpose } => {
                let title = match purpose {
                    FilePurpose::Kubeconfig => "Kubeconfig",
                    FilePurpose::CaFile => "CA certificate (PEM)",
                    FilePurpose::Kubectl => "The kubectl program",
                };
                let outcome = dialog::pick_file(title).await;
                self.emitter.emit(Event::FilePicked { purpose, outcome });
            }
            // Those with a job are begun where jobs are kept.
            Command::LoadCluster { .. }
            | Command::LoadApiModels { .. }
            | Command::Chat { .. }
            | Command::Check { .. }
            | Command::ListContexts { .. }
            | Command::SaveSettings { .. }
            | Command::Cancel { .. } => {}
        }
    }

    async fn change_keys(&self, mut changes: mpsc::UnboundedReceiver<(Environment, Option<SecretString>)>) {
        while let Some((env, key)) = changes.recv().await {
            let keys = self.places.keys();
            let outcome = match key {
                Some(key) => keys.put(&env, key).await,
                None => keys.forget(&env).await,
            };
            self.places.forget(&env.id);
            self.key_changes.send_modify(|n| *n -= 1);
            if let Err(failure) = outcome {
                self.emitter.emit(Event::SettingsSaved { outcome: Err(failure) });
            }
        }
    }

    /// Opens a place, once its key is where it should be.
    async fn open(&self, env: &Environment) -> Arc<Place> {
        let mut changes = self.key_changes.subscribe();
        // Fails only when the engine has stopped.
        let _ = changes.wait_for(|n| *n == 0).await;
        self.places.open(env).await
    }
}
//! Everything that waits: jobs on a tokio runtime.

pub mod cluster;
