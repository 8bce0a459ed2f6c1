//! The window's jobs: commands come over a tokio channel, events leave over crossbeam, and `wake` tells the window
//! that there are some. The channels are unbounded because every producer is paced.

mod answers;
mod chats;
mod commands;
mod dispatch;
mod history;
mod save_as;
mod saving;
mod streams;
mod workspace;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Connections};
use super::history::{History, HistoryNotice, Recorder};
use super::{Options, history_dir, no_thread, own_fault, simulated_kubectl, store};
use crate::domain::environment::{EnvId, Environment};
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::history::HistorySettings;
use crate::domain::run::EnvironmentInfo;
use crate::domain::settings::Settings;
use crate::domain::workspace::Workspace;
use crate::io::clipboard::Clipboard;
use crate::io::secrets::Keys;
use crate::io::settings::SettingsStore;
use crate::protocol::{Command, Event};

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
    /// The settings.
    pub settings: Settings,
    /// The workspace as it was left.
    pub workspace: Workspace,
    /// What was wrong with the settings file.
    pub notice: Option<Failure>,
}

impl Engine {
    /// How long it has run. The window's own clock stands still while it is hidden.
    pub fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    /// Reads the settings and the workspace, and starts the engine's thread. `wake` is called when events are waiting.
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
        let workspace = workspace::load(history_dir(&options), &store, &emitter)?;
        let unread = workspace.is_none();
        let tell = emitter.clone();
        let history = History::start(history_dir(&options), move |told| match told {
            HistoryNotice::Changed => tell.emit(Event::HistoryChanged),
            HistoryNotice::Troubled(failure) => tell.emit(Event::HistoryTroubled { failure }),
            HistoryNotice::WorkspaceLost => tell.emit(Event::WorkspaceLost),
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
                let shared = Shared::new(&store, &options, emitter, books, unread);
                runtime.block_on(async { dispatch::Jobs::new(shared).serve(inbox).await });
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
            workspace: workspace.unwrap_or_default(),
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
    connections: Connections,
    clipboard: Clipboard,
    emitter: Emitter,
    /// Saves that were asked for and are not done: whoever opens a connection waits for them, since a key may be
    /// among them.
    saves: watch::Sender<usize>,
    /// The ids under which the attachments of this window's drafts are kept.
    drafts: Mutex<HashMap<EnvId, Vec<String>>>,
    /// The workspace could not be read at the start, so it must not be overwritten.
    unread: bool,
}

impl Shared {
    fn new(
        store: &SettingsStore,
        options: &Options,
        emitter: Emitter,
        books: Books,
        unread: bool,
    ) -> Arc<Self> {
        let tell = emitter.clone();
        let connections = Connections::new(
            Keys::new(store.clone()),
            simulated_kubectl(options),
            move |activity| {
                tell.emit(Event::ActivityChanged { activity });
            },
        );
        Arc::new(Self {
            books,
            connections,
            clipboard: Clipboard::new(),
            emitter,
            saves: watch::Sender::new(0),
            drafts: Mutex::default(),
            unread,
        })
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
    /// Opens an environment, once all that was asked to be saved is saved.
    async fn open(&self, env: &Environment) -> Arc<Connection> {
        let mut saves = self.saves.subscribe();
        // Fails only when the engine has stopped.
        let _ = saves.wait_for(|n| *n == 0).await;
        self.connections.open(env).await
    }
}
