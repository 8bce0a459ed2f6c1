//! The user's workspace: loaded at the start, changes kept in the order of the requests, prompts read and imported.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Emitter, Shared};
use crate::domain::conversation::Attachment;
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::library::{Library, LibraryChange};
use crate::domain::workspace::{Workspace, WorkspaceChange};
use crate::engine::history::Change;
use crate::engine::{new_id, no_thread};
use crate::io::history::{Opened, Store};
use crate::io::settings::SettingsStore;
use crate::io::{dialog, earlier_files, files};
use crate::protocol::{DraftsFound, Event, ImportedPrompts};

/// A larger file of prompts is not imported.
const MAX_IMPORT_BYTES: u64 = 16 << 20;
/// How long the window waits for the database at its start.
const LOAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How soon changes that could not be kept are tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// What is asked of the workspace.
pub(super) enum Keep {
    /// Keep a change.
    Change(Box<WorkspaceChange>),
    /// Keep the attachments of a draft.
    Draft(EnvId, Vec<Attachment>),
    /// Read the prompts.
    Prompts,
}

/// The workspace as it was left; `None` if it could not be read, which is told.
///
/// # Errors
/// When the system gives no thread.
pub(super) fn load(
    dir: Result<PathBuf, Failure>,
    settings: &SettingsStore,
    emitter: &Emitter,
) -> Result<Option<Workspace>, Failure> {
    let (tell, told) = std_mpsc::channel();
    let (settings, notices) = (settings.clone(), emitter.clone());
    // Fails only if nobody waits any more.
    let work = move || drop(tell.send(dir.and_then(|dir| open(&dir, &settings, &notices))));
    thread::Builder::new()
        .name("workspace".to_owned())
        .spawn(work)
        .map_err(no_thread)?;
    let loaded = told.recv_timeout(LOAD_TIMEOUT).unwrap_or_else(|_| {
        let limit = LOAD_TIMEOUT.as_secs();
        let why = format!("The database did not respond within {limit} s");
        Err(Failure::new(why, "Check the disk it is on"))
    });
    let unread = |why: Failure| {
        let summary = format!(
            "Panes, drafts and presets could not be loaded: {}",
            why.summary
        );
        let advice = format!(
            "{}. Then restart Batida: until then, they are not saved",
            why.advice
        );
        let outcome = Err(Failure::new(summary, advice).with_details(why.details));
        emitter.emit(Event::WorkspaceKept { outcome });
    };
    Ok(loaded.map_err(unread).ok())
}

fn open(dir: &Path, settings: &SettingsStore, emitter: &Emitter) -> Result<Workspace, Failure> {
    loop {
        let Opened { store, notice } = Store::open(dir)?;
        let is_new = notice.is_some();
        if let Some(failure) = notice {
            emitter.emit(Event::HistoryTroubled { failure });
        }
        let outcome = earlier_files::move_in(&store, settings, dir)
            .and_then(|unread| Ok((store.workspace()?, unread)));
        match outcome {
            Ok((workspace, unread)) => {
                for failure in unread {
                    emitter.emit(Event::WorkspaceKept {
                        outcome: Err(failure),
                    });
                }
                return Ok(workspace);
            }
            // It is marked as damaged, and is rebuilt when it is opened again.
            Err(_) if store.is_broken() && !is_new => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// Changes that are not kept yet.
#[derive(Default)]
struct Waiting {
    changes: Vec<WorkspaceChange>,
    /// The window is to be told of the prompts.
    prompts: bool,
    /// The user was told that changes could not be kept.
    told: bool,
}

impl Waiting {
    /// Adds a change, in the place of one that it makes needless: nothing grows while the database cannot be written.
    fn add(&mut self, mut change: WorkspaceChange) {
        use WorkspaceChange::{ChatPreset, Draft, Forget, Layout, Plan, Playground, Preset};
        let mut older = Vec::new();
        self.changes.retain(|old| match (&change, old) {
            (Playground { env, .. }, Playground { env: of, .. })
            | (Plan { env, .. }, Plan { env: of, .. }) => env != of,
            (
                Preset { env, name, .. },
                Preset {
                    env: of, name: old, ..
                },
            ) => (env, name) != (of, old),
            (ChatPreset { name, .. }, ChatPreset { name: old, .. }) => name != old,
            (Layout(_), Layout(_)) => false,
            (
                Draft { env, .. },
                Draft {
                    env: of, replaces, ..
                },
            ) if env == of => {
                older.extend(replaces.iter().cloned());
                false
            }
            (
                Forget { env },
                Playground { env: of, .. }
                | Plan { env: of, .. }
                | Preset { env: of, .. }
                | Draft { env: of, .. },
            ) => env != of,
            _ => true,
        });
        if let Draft { replaces, .. } = &mut change {
            replaces.extend(older);
        }
        self.changes.push(change);
    }

    fn has_prompts(&self) -> bool {
        let is_prompts = |change: &WorkspaceChange| matches!(change, WorkspaceChange::Prompts(_));
        self.changes.iter().any(is_prompts)
    }
}

impl Shared {
    /// Keeps what is asked, until the window has gone.
    pub(super) async fn keep_all(self: Arc<Self>, mut asked: mpsc::UnboundedReceiver<Keep>) {
        let mut waiting = Waiting::default();
        loop {
            let next = if waiting.changes.is_empty() {
                Ok(asked.recv().await)
            } else {
                timeout(RETRY_INTERVAL, asked.recv()).await
            };
            let is_last = matches!(next, Ok(None));
            let more = std::iter::from_fn(|| asked.try_recv().ok());
            for keep in next.ok().flatten().into_iter().chain(more) {
                self.add(keep, &mut waiting);
            }
            self.keep(&mut waiting).await;
            // Only the last change's prompts are those that the window shows.
            if waiting.prompts && asked.is_empty() {
                waiting.prompts = false;
                let outcome = self.books.recorder.read(Store::prompts).await;
                self.emitter.emit(Event::PromptsLoaded { outcome });
            }
            if is_last {
                return;
            }
        }
    }

    fn add(&self, keep: Keep, waiting: &mut Waiting) {
        use WorkspaceChange::{ChatPreset, Layout, Plan, Playground, Preset, Prompts};
        match keep {
            Keep::Prompts => waiting.prompts = true,
            Keep::Draft(env, attached) => waiting.add(self.draft(env, attached)),
            Keep::Change(change) => match *change {
                // They would overwrite what nobody has seen; that they are not kept was told at the start.
                Playground { .. } | Plan { .. } | Preset { .. } | ChatPreset { .. } | Layout(_)
                    if self.unread => {}
                change => {
                    waiting.prompts |= matches!(change, Prompts(_));
                    waiting.add(change);
                }
            },
        }
    }

    /// Keeps the changes that wait, or tells once why that failed.
    async fn keep(&self, waiting: &mut Waiting) {
        if waiting.changes.is_empty() {
            return;
        }
        let changes = waiting.changes.as_slice().into();
        let changing = self.books.recorder.change(Change::Workspace(changes));
        match changing.await {
            Ok(_) => {
                waiting.prompts |= waiting.has_prompts();
                waiting.changes.clear();
                waiting.told = false;
                self.emitter.emit(Event::WorkspaceKept { outcome: Ok(()) });
            }
            Err(why) => {
                let outcome = Err(unkept(why));
                let is_new = !std::mem::replace(&mut waiting.told, true);
                // The window goes on to show the prompts that wait.
                if waiting.has_prompts() && std::mem::take(&mut waiting.prompts) {
                    let outcome = outcome.map(|()| Library::default());
                    self.emitter.emit(Event::PromptsLoaded { outcome });
                } else if is_new {
                    self.emitter.emit(Event::WorkspaceKept { outcome });
                }
            }
        }
    }

    /// The change that keeps these attachments in the place of those that this window read or kept before.
    fn draft(&self, env: EnvId, attached: Vec<Attachment>) -> WorkspaceChange {
        let id = new_id('d');
        let replaces = self.drafts.lock().insert(env.clone(), vec![id.clone()]);
        WorkspaceChange::Draft {
            env,
            id,
            replaces: replaces.unwrap_or_default(),
            attached,
        }
    }

    /// The attachments of the drafts of these environments. Those of other environments stay, since the settings may
    /// only be unreadable at the moment.
    pub(super) async fn load_drafts(&self, known: &[EnvId]) -> Result<DraftsFound, Failure> {
        let stored = self.books.recorder.read(Store::drafts).await?;
        let mut own = self.drafts.lock();
        let mut found = DraftsFound::default();
        for draft in stored
            .into_iter()
            .filter(|draft| known.contains(&draft.env))
        {
            let Some(mut attached) = draft.attached else {
                let summary = "The attachments of a draft could not be read";
                let advice = "They stay in the database. Attach the files again";
                found.notice = Some(Failure::new(summary, advice));
                continue;
            };
            own.entry(draft.env.clone()).or_default().push(draft.id);
            match found.drafts.iter_mut().find(|(env, _)| *env == draft.env) {
                Some((_, all)) => all.append(&mut attached),
                None => found.drafts.push((draft.env, attached)),
            }
        }
        Ok(found)
    }

    /// Lets the user choose a file, and imports its prompts; `None` if they cancel.
    pub(super) async fn import_prompts(&self) -> Result<Option<ImportedPrompts>, Failure> {
        let Some(path) = dialog::pick_file("Import prompts", "Copy prompts manually").await? else {
            return Ok(None);
        };
        let prompts = read_file(&path).await?.prompts;
        let change = WorkspaceChange::Prompts(LibraryChange::Add(prompts));
        let recorder = &self.books.recorder;
        let added = recorder.change(Change::Workspace([change].into())).await?;
        let library = recorder.read(Store::prompts).await?;
        Ok(Some(ImportedPrompts { library, added }))
    }
}

fn unkept(why: Failure) -> Failure {
    Failure::new(
        format!("Your changes are not saved: {}", why.summary),
        format!(
            "{}. They stay in this window until you close it",
            why.advice
        ),
    )
    .with_details(why.details)
}

async fn read_file(path: &Path) -> Result<Library, Failure> {
    let bytes = files::read(path, MAX_IMPORT_BYTES, "Split it into several files").await?;
    Library::read(&String::from_utf8_lossy(&bytes))
        .map_err(|why| why.told(&path.display().to_string()))
}
