//! What the window knows. Folds events into values: no egui, no tokio, no clock.
//!
//! Each feature is a struct in a module of its own. It owns its data, and its methods take what they need of other
//! features as arguments:
//!
//! | struct | what it owns |
//! |---|---|
//! | [`Environments`] | the settings; of each environment its connection: API, key, cluster, probes, log, checks; imports of environments; desktop notifications |
//! | [`panes::Playgrounds`] | of each environment the panes with their conversations, and the session's figures |
//! | [`panes::PaneTargets`] | nothing: it reads panes together with the environments that they ask |
//! | [`attach::AttachState`] | what is being attached to drafts, and what is kept of that |
//! | [`bench::BenchState`] | the benchmark's forms, the session, and how fast models answered last |
//! | [`history::HistoryState`] | the History page: its rows, what is selected, opened and compared |
//! | [`history::Conversations`] | the Playground's list of conversations, with deletions that can still be undone |
//! | [`library::LibraryState`] | the prompt library |
//! | [`activity::ActivityLog`], [`ModelColors`], [`notices::Notices`] | what the window shows on every page |
//!
//! They send commands through [`jobs`], which names the job that brings each answer. [`State`] holds the features. It
//! gives each event, answer and action to the feature that it is for, and its other methods concern several features,
//! e.g. going to another environment.

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
pub mod environments;
pub mod history;
pub mod jobs;
pub mod library;
mod loadable;
pub mod logs;
pub mod notices;
pub mod panes;
mod per_environment;
pub mod redaction;
mod remember;
#[cfg(test)]
mod testing;

use std::time::Duration;

use self::activity::ActivityLog;
use self::attach::AttachState;
use self::bench::BenchState;
pub use self::colors::ModelColors;
pub use self::connection::ConnectionState;
pub use self::environments::Environments;
use self::history::{Conversations, HistoryState};
use self::jobs::{Jobs, Outbox};
use self::library::LibraryState;
pub use self::loadable::Loadable;
pub use self::notices::Notice;
use self::notices::Notices;
use self::panes::{PaneTargets, Panes, Playground, Playgrounds};
use crate::domain::environment::Environment;
use crate::domain::settings::Settings;
use crate::domain::workspace::{Page, Workspace};
use crate::protocol::{ClusterLink, Command, Event, JobId, PathNeeded};

/// What the window knows.
#[derive(Debug)]
pub struct State {
    /// The settings, and what is known of each environment.
    pub environments: Environments,
    /// The panes of each environment, with what is said in them.
    pub playgrounds: Playgrounds,
    /// Presets, votes, and the panes and forms as they were last kept.
    pub workspace: Workspace,
    /// The page that is shown.
    pub page: Page,
    /// Something was connected, or the demo was chosen.
    welcomed: bool,
    /// What this window has of it is to be kept again.
    workspace_lost: bool,
    /// What went through the doors.
    pub activity: ActivityLog,
    /// The benchmark: its forms, and the session, whatever environment is in use.
    pub bench: BenchState,
    /// What the History page knows.
    pub history: HistoryState,
    /// The conversations that are kept, as the Playground lists them.
    pub conversations: Conversations,
    /// The prompts that are kept.
    pub prompts: LibraryState,
    /// What is attached to drafts.
    pub attach: AttachState,
    /// Each model's colour, over all environments.
    pub colors: ModelColors,
    /// What the user is to be told in passing.
    pub notices: Notices,
    /// What could not be saved for want of a file dialog: the user is to type a path.
    pub path_needed: Option<PathNeeded>,
    jobs: Jobs,
}

/// Making it, and short ways to what belongs to the environment in use.
impl State {
    /// The state of a first start with these settings.
    pub fn new(settings: Settings) -> Self {
        Self::restored(settings, Workspace::default())
    }

    /// The state as it was left.
    pub fn restored(settings: Settings, workspace: Workspace) -> Self {
        let mut playgrounds = Playgrounds::new(settings.current().id.clone());
        for (env, form) in &workspace.playgrounds {
            if settings.get(env).is_some() {
                playgrounds.put(Playground::restored(env, form, &settings));
            }
        }
        Self {
            page: first_page(&settings, &workspace),
            welcomed: workspace.layout.welcomed,
            environments: Environments::new(settings),
            playgrounds,
            workspace,
            workspace_lost: false,
            activity: ActivityLog::default(),
            bench: BenchState::default(),
            history: HistoryState::default(),
            conversations: Conversations::default(),
            prompts: LibraryState::default(),
            attach: AttachState::default(),
            colors: ModelColors::default(),
            notices: Notices::default(),
            path_needed: None,
            jobs: Jobs::default(),
        }
    }

    /// The environment in use.
    pub fn env(&self) -> &Environment {
        self.environments.current()
    }

    /// What is known of the environment in use.
    pub fn connection(&self) -> &ConnectionState {
        self.environments.connection()
    }

    /// The panes of the environment in use.
    pub fn panes(&self) -> &Panes {
        self.playgrounds.panes()
    }

    /// The panes of the environment in use.
    pub fn panes_mut(&mut self) -> &mut Panes {
        self.playgrounds.panes_mut()
    }

    /// The same panes, with the environments that they ask.
    pub fn pane_targets(&self) -> PaneTargets<'_> {
        PaneTargets {
            panes: self.playgrounds.panes(),
            environments: &self.environments,
        }
    }
}

/// Events, and what is done without being asked for, go to the features that they are for.
impl State {
    /// Asks what is asked once, when the window opens: the keychain, the drafts, and the environment in use.
    pub fn start(&mut self, out: &mut Vec<Command>) {
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        self.environments.look_for_keychain(outbox);
        self.attach.load(&self.environments.settings, outbox);
        self.open(out);
    }

    /// Called before each frame: sends notifications, and asks what is due of the environment in use. Gives when it
    /// wants to be called again.
    pub fn tick(&mut self, now: Duration, out: &mut Vec<Command>) -> Option<Duration> {
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        let environments = &mut self.environments;
        environments.notifications.send(outbox);
        let minutes = environments.probe_minutes();
        let (place, connection) = environments.in_use();
        let cluster = &mut connection.cluster;
        cluster.load_release(place, outbox);
        let measured = self.bench.measures(&place.id);
        cluster.probe_when_due(place, minutes, measured, now, outbox)
    }

    /// Folds an event in. `now` is counted from the program's start.
    pub fn apply(&mut self, event: Event, now: Duration) {
        use Event as E;
        if let Some(job) = ended_by(&event) {
            self.jobs.end(job);
        }
        let Self {
            environments,
            playgrounds,
            bench,
            notices,
            ..
        } = self;
        match event {
            E::BenchBegan { job, told } => bench.begin(job, told),
            E::BenchAdvanced { job, progress } => bench.advance(job, *progress),
            E::BenchEnded { job, outcome } => bench.end(job, outcome),
            E::ComparedWithBaseline { job, comparison } => bench.held(job, comparison),
            E::FileSaved { what, outcome } => notices.file_saved(&what, outcome),
            E::PathNeeded(needed) => self.path_needed = Some(*needed),
            E::Answered { job, answer, took } => self.answered(job, answer, took, now),
            E::Faulted { failure } => notices.fail(failure),
            E::DialectLearned {
                env,
                model,
                dialect,
            } => environments.with(&env, |connection| connection.learned(model, dialect)),
            E::ClusterFollowed {
                job,
                env,
                view,
                link,
            } => {
                environments.followed(job, &env, view.map(|view| *view), link, now);
                self.settle_panes(&env);
            }
            E::ModelProbed {
                job,
                env,
                model,
                at,
                outcome,
            } => environments.with(&env, |connection| {
                connection.cluster.probes.probed(job, &model, at, outcome);
            }),
            E::ProbesEnded { job, env } => environments.probes_ended(job, &env),
            E::Notified { outcome } => {
                let told = environments.notifications.notified(outcome);
                told.into_iter().for_each(|text| notices.tell(text));
            }
            E::LogAdvanced { job, env, lines } => environments.log_advanced(&env, job, lines),
            E::LogEnded { job, env, outcome } => environments.log_ended(&env, job, outcome),
            E::ChatAdvanced { job, advance } => playgrounds.advanced(job, &advance, now),
            E::ChatBegan { job } => playgrounds.began(job, now),
            E::ChatEnded {
                job,
                ending,
                figures,
                answered_by,
            } => playgrounds.ended(job, ending, (*figures, answered_by), now),
            E::CheckEnded { job, env, check } => {
                environments.with(&env, |connection| connection.checks.ended(job, check));
            }
            E::ChecksEnded { job, env } => {
                environments.with(&env, |connection| connection.checks.all_ended(job));
            }
            E::SettingsSaved { outcome } => notices.fail_if_any(environments.saved(outcome)),
            E::Copied { what, outcome } => notices.copied(&what, outcome),
            E::WorkspaceKept { outcome } => notices.fail_if_any(outcome.err()),
            E::WorkspaceLost => self.workspace_lost = true,
            E::ActivityChanged { activity } => self.activity.change(activity),
            E::HistoryChanged => {
                self.conversations.changed(now);
                self.history.changed(now);
            }
            E::HistoryTroubled { failure } => notices.add(self.history.troubled(failure)),
            E::PromptsLoaded { outcome } => self.prompts.loaded(outcome, notices),
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
