//! What the window knows. Folds events into values: no egui, no tokio, no clock.
//!
//! Each feature is a struct in a module of its own, whose methods borrow that struct and what they are given. [`State`]
//! holds the features, gives events and answers to the one they are for, and does what needs several of them.

pub mod action;
pub mod activity;
mod answers;
pub mod attach;
pub mod bench;
pub mod chat;
pub mod cluster;
pub mod colors;
pub mod connection;
pub mod embed;
mod environments;
pub mod history;
pub mod imports;
pub mod jobs;
pub mod library;
mod loadable;
pub mod logs;
pub mod notices;
pub mod panes;
pub mod redaction;
mod remember;

use std::time::Duration;

use secrecy::SecretString;

use self::activity::ActivityLog;
use self::attach::AttachState;
use self::bench::BenchState;
use self::chat::ChatState;
use self::cluster::changes::Notifications;
pub use self::colors::ModelColors;
pub use self::connection::ConnectionState;
use self::connection::Connections;
use self::history::HistoryState;
use self::history::Reopening;
use self::history::conversations::Conversations;
use self::imports::EnvImport;
use self::jobs::Jobs;
use self::library::LibraryState;
pub use self::loadable::Loadable;
pub use self::notices::Notice;
use self::notices::Notices;
use crate::domain::deployment::ClusterView;
use crate::domain::environment::{EnvId, Environment};
use crate::domain::failure::Failure;
use crate::domain::settings::Settings;
use crate::domain::workspace::{Page, Workspace};
use crate::metrics::history::SessionHistory;
use crate::protocol::{ClusterLink, Command, Event, JobId, KeyChange, PathNeeded, PickedFile};

/// What the window knows.
#[derive(Debug)]
pub struct State {
    /// Environments and theme.
    pub settings: Settings,
    /// Presets, votes, and the panes and forms as they were last kept.
    pub workspace: Workspace,
    /// The page that is shown.
    pub page: Page,
    /// Something was connected, or the demo was chosen.
    welcomed: bool,
    /// What this window has of it is to be kept again.
    workspace_lost: bool,
    connections: Connections,
    /// What went through the doors.
    pub activity: ActivityLog,
    /// The benchmark: its forms, and the session, whatever environment is in use.
    pub bench: BenchState,
    /// What the History page knows.
    pub history: HistoryState,
    /// The conversations that are kept, as the Playground lists them.
    pub conversations: Conversations,
    /// Those that are being read since panes showed them before the restart.
    reopening: Vec<Reopening>,
    /// The prompts that are kept.
    pub prompts: LibraryState,
    /// What is attached to drafts.
    pub attach: AttachState,
    /// Each model's colour, over all environments.
    pub colors: ModelColors,
    /// What the user is to be told in passing.
    pub notices: Notices,
    notifications: Notifications,
    /// Whether the system has a keychain; `None` while nobody knows.
    pub has_keychain: Option<bool>,
    /// A key in the clear, while the user looks at it.
    pub revealed_key: Option<(EnvId, SecretString)>,
    /// A file that was picked and not yet taken.
    pub picked_file: Option<PickedFile>,
    /// Environments of a file that are looked at; `None` while nothing is imported.
    pub import: Option<EnvImport>,
    /// Whether the last save went well; taken by who asked for it.
    pub last_save: Option<bool>,
    /// What could not be saved for want of a file dialog: the user is to type a path.
    pub path_needed: Option<PathNeeded>,
    jobs: Jobs,
}

impl State {
    /// The state of a first start with these settings.
    pub fn new(settings: Settings) -> Self {
        Self::restored(settings, Workspace::default())
    }

    /// The state as it was left.
    pub fn restored(settings: Settings, workspace: Workspace) -> Self {
        let mut connections = Connections::new(settings.current().id.clone());
        for (env, form) in &workspace.playgrounds {
            if settings.get(env).is_some() {
                connections.put(ConnectionState::restored(env, form, &settings));
            }
        }
        Self {
            connections,
            activity: ActivityLog::default(),
            bench: BenchState::default(),
            history: HistoryState::default(),
            conversations: Conversations::default(),
            reopening: Vec::new(),
            prompts: LibraryState::default(),
            attach: AttachState::default(),
            colors: ModelColors::default(),
            notices: Notices::default(),
            notifications: Notifications::default(),
            has_keychain: None,
            revealed_key: None,
            picked_file: None,
            import: None,
            path_needed: None,
            last_save: None,
            jobs: Jobs::default(),
            page: first_page(&settings, &workspace),
            welcomed: workspace.layout.welcomed,
            settings,
            workspace,
            workspace_lost: false,
        }
    }

    /// The environment in use.
    pub fn env(&self) -> &Environment {
        self.settings.current()
    }

    /// What belongs to the environment in use.
    pub fn connection(&self) -> &ConnectionState {
        self.connections.current()
    }

    /// What belongs to the environment in use.
    pub fn connection_mut(&mut self) -> &mut ConnectionState {
        self.connections.current_mut()
    }

    /// What belongs to an environment, if it was ever opened.
    pub fn connection_of(&self, env: &EnvId) -> Option<&ConnectionState> {
        self.connections.get(env)
    }

    /// Writes the settings as they are now.
    fn save_settings(&self, out: &mut Vec<Command>) {
        self.save_settings_and_key(None, out);
    }

    fn save_settings_and_key(&self, key: Option<KeyChange>, out: &mut Vec<Command>) {
        let settings = self.settings.clone();
        out.push(Command::SaveSettings { settings, key });
    }

    /// Folds an event in. `now` is counted from the program's start.
    pub fn apply(&mut self, event: Event, now: Duration) {
        use Event as E;
        if let Some(job) = ended_by(&event) {
            self.jobs.end(job);
        }
        match event {
            E::BenchBegan { job, told } => self.bench.begin(job, told),
            E::BenchAdvanced { job, progress } => self.bench.advance(job, *progress),
            E::BenchEnded { job, outcome } => self.bench.end(job, outcome),
            E::ComparedWithBaseline { job, comparison } => self.bench.held(job, comparison),
            E::FileSaved { what, outcome } => self.file_saved(&what, outcome),
            E::PathNeeded(needed) => self.path_needed = Some(*needed),
            E::Answered { job, answer, took } => self.answered(job, answer, took, now),
            E::Faulted { failure } => self.notices.fail(failure),
            E::DialectLearned {
                env,
                model,
                dialect,
            } => self.with(&env, |connection| connection.learned(model, dialect)),
            E::ClusterFollowed {
                job,
                env,
                view,
                link,
            } => self.cluster_followed(job, &env, view.map(|view| *view), link, now),
            E::ModelProbed {
                job,
                env,
                model,
                at,
                outcome,
            } => self.with(&env, |connection| {
                connection.cluster.probes.probed(job, &model, at, outcome);
            }),
            E::ProbesEnded { job, env } => self.probes_ended(job, &env),
            E::Notified { outcome } => self.notified(outcome),
            E::LogAdvanced { job, env, lines } => {
                self.with(&env, |connection| connection.log_advanced(job, lines));
            }
            E::LogEnded { job, env, outcome } => {
                self.with(&env, |connection| connection.log_ended(job, outcome));
            }
            E::ChatAdvanced { job, advance } => {
                self.with_chat(job, |chat, _| chat.advance(job, &advance, now));
            }
            E::ChatBegan { job } => self.with_chat(job, |chat, _| chat.began(now)),
            E::ChatEnded {
                job,
                ending,
                figures,
                answered_by,
            } => self.with_chat(job, |chat, session| {
                chat.end(job, ending, (*figures, answered_by), now, session);
            }),
            E::CheckEnded { job, env, check } => {
                self.with(&env, |connection| connection.checks.ended(job, check));
            }
            E::ChecksEnded { job, env } => {
                self.with(&env, |connection| connection.checks.all_ended(job));
            }
            E::SettingsSaved { outcome } => self.settings_saved(outcome),
            E::Copied { what, outcome } => self.copied(&what, outcome),
            E::WorkspaceKept { outcome } => self.notices.fail_if_any(outcome.err()),
            E::WorkspaceLost => self.workspace_lost = true,
            E::ActivityChanged { activity } => self.activity.change(activity),
            E::HistoryChanged => {
                self.conversations.changed(now);
                self.history.changed(now);
            }
            E::HistoryTroubled { failure } => self.notices.add(self.history.troubled(failure)),
            E::PromptsLoaded { outcome } => self.prompts.loaded(outcome, &mut self.notices),
        }
    }

    fn settings_saved(&mut self, outcome: Result<(), Failure>) {
        self.last_save = Some(outcome.is_ok());
        self.notices.fail_if_any(outcome.err());
    }

    fn copied(&mut self, what: &str, outcome: Result<(), Failure>) {
        match outcome {
            Ok(()) => self.notices.tell(format!("{what} copied")),
            Err(failure) => self.notices.fail(failure),
        }
    }

    fn notified(&mut self, outcome: Result<(), Failure>) {
        let notice = self.notifications.notified(outcome);
        notice.into_iter().for_each(|text| self.notices.tell(text));
    }

    fn file_saved(&mut self, what: &str, outcome: Result<Option<std::path::PathBuf>, Failure>) {
        match outcome {
            Ok(Some(path)) => self
                .notices
                .tell(format!("{what} saved as {}", path.display())),
            // The user gave no file.
            Ok(None) => {}
            Err(failure) => self.notices.fail(failure),
        }
    }

    fn cluster_followed(
        &mut self,
        job: JobId,
        env: &EnvId,
        view: Option<ClusterView>,
        link: ClusterLink,
        now: Duration,
    ) {
        let Some(connection) = self.connections.get_mut(env) else {
            return;
        };
        let cluster = &mut connection.cluster;
        if let Some(view) = &view
            && cluster.following == Some(job)
        {
            let changes = cluster.changes.fold(view);
            self.notifications
                .call_for_changes(&self.settings, env, &changes);
        }
        cluster.followed(job, view, link, now);
        self.settle_panes(env);
    }

    fn probes_ended(&mut self, job: JobId, env: &EnvId) {
        if let Some(connection) = self.connections.get_mut(env) {
            let turned = connection.cluster.probes.ended(job);
            self.notifications
                .call_for_models(&self.settings, env, &turned);
        }
    }

    /// Events of an environment that was deleted meanwhile are left aside.
    fn with(&mut self, env: &EnvId, change: impl FnOnce(&mut ConnectionState)) {
        self.connections.get_mut(env).map(change);
    }

    /// The conversation in which this job answers, and its session.
    fn with_chat(&mut self, job: JobId, change: impl FnOnce(&mut ChatState, &mut SessionHistory)) {
        for connection in self.connections.iter_mut() {
            let (mut chats, session) = connection.chats();
            if let Some(chat) = chats.find(|chat| chat.running() == Some(job)) {
                return change(chat, session);
            }
        }
    }
}

/// The page to begin with: the one that was left, or the welcome page while nothing was ever connected.
fn first_page(settings: &Settings, workspace: &Workspace) -> Page {
    let has_own = settings.environments.iter().any(|env| !env.demo);
    if has_own || workspace.layout.welcomed {
        workspace.layout.page
    } else {
        Page::Welcome
    }
}

/// The job whose last event this is. Answers end theirs when they are taken.
fn ended_by(event: &Event) -> Option<JobId> {
    match event {
        Event::BenchEnded { job, .. }
        | Event::ProbesEnded { job, .. }
        | Event::LogEnded { job, .. }
        | Event::ChatEnded { job, .. }
        | Event::ChecksEnded { job, .. }
        | Event::ClusterFollowed {
            job,
            link: ClusterLink::Stopped(_),
            ..
        } => Some(*job),
        _ => None,
    }
}
