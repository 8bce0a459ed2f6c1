//! What the views ask for. They read the state, and [`State::act`] changes it when they are drawn.

use super::State;
use super::bench::BenchAction;
use super::cluster::ClusterAction;
use super::environments::imports::ImportAction;
use super::history::{Clock, ConversationsAction, HistoryAction};
use super::jobs::Outbox;
use super::library::PromptsAction;
use super::panes::PaneAction;
use crate::domain::environment::{EnvId, Environment};
use crate::domain::failure::Failure;
use crate::domain::history::{HistorySettings, StoredSession};
use crate::domain::plan::Plan;
use crate::domain::settings::ThemeChoice;
use crate::domain::workspace::Page;
use crate::protocol::{Command, FilePurpose, KeyChange};

/// One thing that a view asks for.
#[derive(Debug)]
pub enum Action {
    /// Send this to the engine as it is.
    Send(Box<Command>),
    /// Tell the user of a failure.
    Tell(Failure),
    /// Change what the History page shows, or what is kept.
    History(HistoryAction),
    /// Keep other parts of what is measured, or call other changes small.
    SetHistorySettings(HistorySettings),
    /// Continue a stored conversation on the Playground.
    Continue(std::sync::Arc<StoredSession>),
    /// Change, open or use an environment.
    Environment(EnvironmentAction),
    /// Import environments.
    Import(ImportAction),
    /// Ask something of the cluster of the environment in use.
    Cluster(ClusterAction),
    /// Run, steer or prepare a benchmark.
    Bench(BenchAction),
    /// Change what the Playground's panes hold, or ask them something.
    Panes(PaneAction),
    /// Search, open, rename or delete conversations.
    Conversations(ConversationsAction),
    /// Read or change the prompt library.
    Prompts(PromptsAction),
    /// Forget the activities that have ended.
    ClearActivity,
    /// Show another page.
    GoTo(Page),
    /// The user chose the demo, or something was connected: the welcome page has done its work.
    EndWelcome,
    /// Use another theme.
    SetTheme(ThemeChoice),
    /// Save what needs a path at this one; `None` gives it up.
    SaveAt(Option<String>),
    /// Put a plan into the Benchmark form of the environment of this name, or of the one in use.
    PlanAgain(Box<Plan>, String),
}

impl From<Command> for Action {
    fn from(command: Command) -> Self {
        Self::Send(Box::new(command))
    }
}

/// One thing that the views ask of the environments.
#[derive(Debug)]
pub enum EnvironmentAction {
    /// Use this one.
    Switch(EnvId),
    /// Add or change one, and use it.
    Save(Box<Environment>, Option<KeyChange>),
    /// Delete one, with its key.
    Delete(EnvId),
    /// Run the checks on the one in use.
    Check,
    /// Show desktop notifications, or no longer.
    SetNotify(bool),
    /// Let the user pick a file for a field of one.
    PickFile(EnvId, FilePurpose),
    /// Show the key of the one in use.
    RevealKey,
    /// Hide it again.
    HideKey,
}

impl From<Page> for Action {
    fn from(page: Page) -> Self {
        Self::GoTo(page)
    }
}

impl From<BenchAction> for Action {
    fn from(action: BenchAction) -> Self {
        Self::Bench(action)
    }
}

impl From<PaneAction> for Action {
    fn from(action: PaneAction) -> Self {
        Self::Panes(action)
    }
}

impl From<ConversationsAction> for Action {
    fn from(action: ConversationsAction) -> Self {
        Self::Conversations(action)
    }
}

impl From<PromptsAction> for Action {
    fn from(action: PromptsAction) -> Self {
        Self::Prompts(action)
    }
}

impl From<EnvironmentAction> for Action {
    fn from(action: EnvironmentAction) -> Self {
        Self::Environment(action)
    }
}

impl From<ImportAction> for Action {
    fn from(action: ImportAction) -> Self {
        Self::Import(action)
    }
}

impl From<ClusterAction> for Action {
    fn from(action: ClusterAction) -> Self {
        Self::Cluster(action)
    }
}

impl From<HistoryAction> for Action {
    fn from(action: HistoryAction) -> Self {
        Self::History(action)
    }
}

impl Action {
    /// Whether the next frame shows something else because of it.
    fn changes_the_view(&self) -> bool {
        match self {
            Self::Send(_) => false,
            Self::History(action) => !action.only_reads(),
            Self::Cluster(ClusterAction::KeepReading | ClusterAction::KeepSizes)
            | Self::Conversations(ConversationsAction::Want(_)) => false,
            _ => true,
        }
    }
}

/// What the views ask for in a frame, in order.
#[derive(Debug, Default)]
pub struct Actions {
    list: Vec<Action>,
}

impl Actions {
    /// Asks for one thing more.
    pub fn push(&mut self, action: impl Into<Action>) {
        self.list.push(action.into());
    }

    /// Asks for several.
    pub fn extend<A: Into<Action>>(&mut self, actions: impl IntoIterator<Item = A>) {
        self.list.extend(actions.into_iter().map(Into::into));
    }

    /// Whether the next frame shows something else because of them.
    pub fn change_the_view(&self) -> bool {
        self.list.iter().any(Action::changes_the_view)
    }
}

/// Each action goes to the feature that it is for.
impl State {
    /// Does what the views of a frame asked for.
    pub fn act_all(&mut self, actions: Actions, clock: Clock, out: &mut Vec<Command>) {
        for action in actions.list {
            self.act(action, clock, out);
        }
    }

    /// Does one thing that a view asked for.
    pub fn act(&mut self, action: Action, clock: Clock, out: &mut Vec<Command>) {
        match action {
            Action::Send(command) => out.push(*command),
            Action::Tell(failure) => self.notices.fail(failure),
            Action::History(action) => {
                let mut outbox = Outbox::new(&mut self.jobs, out);
                self.history.act(action, clock, &mut outbox);
            }
            Action::SetHistorySettings(settings) => {
                self.environments.settings.history = settings;
                let outbox = &mut Outbox::new(&mut self.jobs, out);
                self.environments.save_settings(outbox);
            }
            Action::Continue(stored) => {
                if let Err(failure) = self.continue_chat(&stored, out) {
                    self.notices.fail(failure);
                }
            }
            Action::Environment(action) => self.act_on_environment(action, out),
            Action::Import(action) => {
                let outbox = &mut Outbox::new(&mut self.jobs, out);
                self.environments
                    .act_on_import(action, &mut self.notices, outbox);
            }
            Action::Cluster(action) => self.act_on_cluster(action, clock, out),
            Action::Bench(action) => self.act_on_bench(action, out),
            Action::Panes(action) => self.act_on_panes(action, clock.now, out),
            Action::Conversations(action) => self.act_on_conversations(action, clock.now, out),
            Action::Prompts(action) => {
                let mut outbox = Outbox::new(&mut self.jobs, out);
                self.prompts.act(action, &mut outbox);
            }
            Action::ClearActivity => self.activity.clear(),
            Action::GoTo(page) => self.page = page,
            Action::EndWelcome => self.end_welcome(),
            Action::SetTheme(theme) => {
                self.environments.settings.theme = theme;
                let outbox = &mut Outbox::new(&mut self.jobs, out);
                self.environments.save_settings(outbox);
            }
            Action::SaveAt(path) => {
                let needed = self.path_needed.take();
                let save = needed.zip(path).map(|(needed, path)| Command::SaveAt {
                    unsaved: needed.unsaved,
                    path,
                });
                out.extend(save);
            }
            Action::PlanAgain(plan, environment) => self.plan_again(&plan, &environment, out),
        }
    }

    fn act_on_environment(&mut self, action: EnvironmentAction, out: &mut Vec<Command>) {
        use EnvironmentAction as A;
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        let environments = &mut self.environments;
        match action {
            A::Switch(env) => self.switch(&env, out),
            A::Save(env, key) => self.save_environment(*env, key, out),
            A::Delete(env) => self.delete_environment(&env, out),
            A::Check => environments.check(outbox),
            A::SetNotify(on) => environments.set_notify(on, outbox),
            A::PickFile(env, purpose) => environments.pick_file(env, purpose, outbox),
            A::RevealKey => environments.reveal_key(outbox),
            A::HideKey => environments.revealed_key = None,
        }
    }
}
