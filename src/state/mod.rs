//! What the window knows. Folds events into values: no egui, no tokio, no clock.

pub mod activity;
mod answers;
pub mod attach;
pub mod bench;
pub mod blind;
pub mod chat;
pub mod cluster;
pub mod embed;
pub mod history;
pub mod imports;
pub mod jobs;
pub mod library;
pub mod logs;
pub mod panes;
mod remember;
pub mod veil;

use std::collections::HashMap;
use std::time::Duration;

use secrecy::SecretString;

use self::activity::ActivityLog;
use self::attach::AttachState;
use self::bench::BenchState;
use self::chat::ChatState;
use self::cluster::changes::Call;
use self::cluster::{Choice, ClusterState};
use self::history::HistoryState;
use self::history::talks::Talks;
use self::imports::EnvImport;
use self::jobs::{Jobs, Work};
use self::library::LibraryState;
use self::logs::LogState;
use self::panes::Panes;
use crate::domain::dialect::Dialect;
use crate::domain::environment::{ApiAddress, EnvId, Environment};
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::settings::Settings;
use crate::domain::workspace::{Workspace, WorkspaceChange};
use crate::metrics::history::SessionHistory;
use crate::protocol::{
    ApiQuestion, Check, ClusterLink, ClusterQuestion, Command, Event, JobId, KeyStatus, LogSource,
    PickedFile, Question,
};

/// A value that is asked for; the old one stays while the new one comes.
#[derive(Debug, Clone, Default)]
pub enum Loadable<T> {
    /// Never asked for.
    #[default]
    Absent,
    /// Asked for; perhaps there is an older one.
    Loading {
        /// The job that asks.
        job: JobId,
        /// The last one that came, and when.
        previous: Option<(T, Duration)>,
    },
    /// It came at this moment since the start.
    Ready(T, Duration),
    /// It did not come.
    Failed {
        /// Why.
        why: Failure,
        /// The last one that came, and when.
        previous: Option<(T, Duration)>,
    },
}

impl<T> Loadable<T> {
    /// The newest value there is.
    pub fn value(&self) -> Option<&T> {
        self.with_time().map(|(value, _)| value)
    }

    /// The newest value there is, and when it came.
    pub fn with_time(&self) -> Option<(&T, Duration)> {
        match self {
            Self::Ready(value, at) => Some((value, *at)),
            Self::Loading { previous, .. } | Self::Failed { previous, .. } => {
                previous.as_ref().map(|(value, at)| (value, *at))
            }
            Self::Absent => None,
        }
    }

    /// Whether it is being asked for.
    pub fn is_loading(&self) -> bool {
        matches!(self, Self::Loading { .. })
    }

    /// The job that asks for it.
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Loading { job, .. } => Some(*job),
            _ => None,
        }
    }

    /// Why the last try failed.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { why, .. } => Some(why),
            _ => None,
        }
    }

    /// It is asked for now.
    pub fn begin(&mut self, job: JobId) {
        *self = Self::Loading {
            job,
            previous: self.take_value(),
        };
    }

    /// It has failed since, whoever asks.
    pub(crate) fn fail(&mut self, why: Failure) {
        *self = Self::Failed {
            why,
            previous: self.take_value(),
        };
    }

    /// The newest value there is still holds.
    pub(crate) fn renew(&mut self, now: Duration) {
        if let Some((value, _)) = self.take_value() {
            *self = Self::Ready(value, now);
        }
    }

    /// The answer to `job` came. An answer to an older question is left aside.
    pub fn resolve(&mut self, job: JobId, outcome: Result<T, Failure>, now: Duration) {
        if !matches!(self, Self::Loading { job: asked, .. } if *asked == job) {
            return;
        }
        let previous = self.take_value();
        *self = match outcome {
            Ok(value) => Self::Ready(value, now),
            // Who cancels wants what there was, and no reproach.
            Err(why) if why.class == Some(FaultClass::Cancelled) => {
                previous.map_or(Self::Absent, |(value, at)| Self::Ready(value, at))
            }
            Err(why) => Self::Failed { why, previous },
        };
    }

    fn take_value(&mut self) -> Option<(T, Duration)> {
        match std::mem::replace(self, Self::Absent) {
            Self::Ready(value, at) => Some((value, at)),
            Self::Loading { previous, .. } | Self::Failed { previous, .. } => previous,
            Self::Absent => None,
        }
    }
}

/// All that belongs to one environment and follows the switch to another.
#[derive(Debug, Default)]
pub struct PlaceState {
    /// The job that opens it.
    opening: Option<JobId>,
    /// Where its API is; the demo's is made up at each start.
    pub api: Option<ApiAddress>,
    /// What is known of its key; `None` until the place was opened.
    pub key: Option<KeyStatus>,
    /// Why it could not be opened wholly, e.g. a CA file that cannot be read.
    pub trouble: Option<Failure>,
    /// What the servers of its models were found not to take.
    dialects: std::collections::BTreeMap<String, Dialect>,
    /// What is deployed, and what the API routes.
    pub cluster: ClusterState,
    /// The conversation; with several panes that of the first.
    pub chat: ChatState,
    /// The log that is open.
    pub log: Option<LogState>,
    /// The panes beside it.
    pub panes: Panes,
    /// The session's answers, for the charts, over all panes. Clearing the conversations keeps them.
    pub session: SessionHistory,
    /// Home's checks.
    pub checks: Checks,
}

impl PlaceState {
    /// All panes' conversations, with the session that their answers belong to.
    fn chats(&mut self) -> (impl Iterator<Item = &mut ChatState>, &mut SessionHistory) {
        let others = self.panes.others.iter_mut().map(|pane| &mut pane.chat);
        (
            std::iter::once(&mut self.chat).chain(others),
            &mut self.session,
        )
    }
}

/// Home's checks, as they end.
#[derive(Debug, Default)]
pub struct Checks {
    /// The job that runs them.
    pub running: Option<JobId>,
    /// Those that ended, in order.
    pub done: Vec<Check>,
}

/// Which model has which colour: one everywhere it appears, in the order in which they were first picked.
#[derive(Debug, Clone, Default)]
pub struct ModelColors {
    known: Vec<String>,
}

impl ModelColors {
    /// The model was picked: from now on it has its colour.
    pub fn note(&mut self, model: &str) {
        if !self.known.iter().any(|known| known == model) {
            self.known.push(model.to_owned());
        }
    }

    /// The place of the model's colour in the theme's order.
    pub fn index(&self, model: &str) -> usize {
        self.known
            .iter()
            .position(|known| known == model)
            .unwrap_or(self.known.len())
    }
}

/// Something to tell the user in passing.
#[derive(Debug, Clone)]
pub struct Notice {
    /// A failure stays until it is dismissed.
    pub failure: Option<Failure>,
    /// A short sentence.
    pub text: String,
}

/// What the window knows.
#[derive(Debug)]
pub struct State {
    /// Environments and theme.
    pub settings: Settings,
    /// Presets, votes, and the panes and forms as they were last kept.
    pub workspace: Workspace,
    /// By environment.
    places: HashMap<EnvId, PlaceState>,
    /// What went through the doors.
    pub activity: ActivityLog,
    /// The benchmark: its forms, and the session, whatever environment is in use.
    pub bench: BenchState,
    /// What the History page knows.
    pub history: HistoryState,
    /// The conversations that are kept, as the Playground lists them.
    pub talks: Talks,
    /// The prompts that are kept.
    pub prompts: LibraryState,
    /// What is attached to drafts.
    pub attach: AttachState,
    /// Each model's colour, over all environments.
    pub colors: ModelColors,
    /// To be shown and taken.
    pub notices: Vec<Notice>,
    /// What a person is to be called for over the desktop.
    calls: Vec<Call>,
    /// It was said that the desktop shows no notifications.
    told_of_silence: bool,
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
    jobs: Jobs,
}

impl State {
    /// The state of a first start with these settings.
    pub fn new(settings: Settings) -> Self {
        Self::restored(settings, Workspace::default())
    }

    /// The state as it was left.
    pub fn restored(settings: Settings, workspace: Workspace) -> Self {
        let left = workspace
            .playgrounds
            .iter()
            .filter(|(env, _)| settings.get(env).is_some());
        let places = left
            .map(|(env, form)| (env.clone(), PlaceState::restored(form, &settings)))
            .collect();
        Self {
            settings,
            workspace,
            places,
            activity: ActivityLog::default(),
            bench: BenchState::default(),
            history: HistoryState::default(),
            talks: Talks::default(),
            prompts: LibraryState::default(),
            attach: AttachState::default(),
            colors: ModelColors::default(),
            notices: Vec::new(),
            calls: Vec::new(),
            told_of_silence: false,
            has_keychain: None,
            revealed_key: None,
            picked_file: None,
            import: None,
            last_save: None,
            jobs: Jobs::default(),
        }
    }

    /// The environment in use.
    pub fn env(&self) -> &Environment {
        self.settings.current()
    }

    /// What belongs to the environment in use.
    pub fn place(&mut self) -> &mut PlaceState {
        let id = self.settings.current().id.clone();
        self.places.entry(id).or_default()
    }

    /// What belongs to an environment, if it was ever opened.
    pub fn place_of(&self, env: &EnvId) -> Option<&PlaceState> {
        self.places.get(env)
    }

    /// Goes to an environment. What belongs to it is as it was left; the first time it is loaded.
    pub fn switch(&mut self, env: &EnvId, out: &mut Vec<Command>) {
        if self.settings.get(env).is_none() {
            return;
        }
        self.leave(out);
        self.settings.selected = env.clone();
        self.revealed_key = None;
        out.push(Command::SaveSettings {
            settings: self.settings.clone(),
            key: None,
        });
        self.arrive(out);
    }

    /// Opens a container's log in place of the one that was open, and follows it.
    pub fn open_log(&mut self, source: LogSource, out: &mut Vec<Command>) {
        self.close_log(out);
        let place = self.env().clone();
        let job = self.jobs.begin(&place.id, Work::FollowLog);
        self.place().log = Some(LogState::new(source.clone(), job));
        out.push(Command::FollowLog { job, place, source });
    }

    /// Closes the log that is open.
    pub fn close_log(&mut self, out: &mut Vec<Command>) {
        let log = self.place().log.take();
        out.extend(
            log.and_then(|log| log.job)
                .map(|job| Command::Cancel { job }),
        );
    }

    /// Only the cluster of the environment in use is followed.
    fn leave(&mut self, out: &mut Vec<Command>) {
        self.close_log(out);
        out.extend(
            self.place()
                .cluster
                .leave()
                .map(|job| Command::Cancel { job }),
        );
    }

    fn arrive(&mut self, out: &mut Vec<Command>) {
        if self.place().key.is_none() {
            self.open(out);
        } else {
            self.follow(out);
        }
    }

    /// Asks the cluster of the environment in use, and follows it from then on.
    fn follow(&mut self, out: &mut Vec<Command>) {
        let place = self.env().clone();
        if place.cluster.is_none() || self.place().cluster.view.is_loading() {
            return;
        }
        out.extend(
            self.place()
                .cluster
                .leave()
                .map(|job| Command::Cancel { job }),
        );
        let job = self.jobs.begin(&place.id, Work::WatchCluster);
        self.place().cluster.follow(job);
        out.push(Command::WatchCluster { job, place });
    }

    /// Opens the environment in use: its API, its key, its cluster, its models; and those its panes ask.
    pub fn open(&mut self, out: &mut Vec<Command>) {
        self.open_place(self.settings.current().id.clone(), out);
        self.refresh(out);
        for env in self.pane_envs() {
            self.open_if_new(&env, out);
        }
    }

    fn open_place(&mut self, env: EnvId, out: &mut Vec<Command>) {
        let Some(place) = self.settings.get(&env).cloned() else {
            return;
        };
        let job = self.ask(Question::Api(place, ApiQuestion::Open), out);
        self.places.entry(env).or_default().opening = Some(job);
    }

    /// Opens an environment that was not opened before, e.g. since a pane asks it.
    fn open_if_new(&mut self, env: &EnvId, out: &mut Vec<Command>) {
        let place = self.places.entry(env.clone()).or_default();
        if place.key.is_none() && place.opening.is_none() {
            self.open_place(env.clone(), out);
            self.refresh_place(env, out);
        }
    }

    /// Asks the cluster and the API again; what is being asked already is not asked twice.
    pub fn refresh(&mut self, out: &mut Vec<Command>) {
        let own = self.settings.current().id.clone();
        self.refresh_place(&own, out);
        for env in self.pane_envs() {
            self.refresh_place(&env, out);
        }
    }

    fn refresh_place(&mut self, id: &EnvId, out: &mut Vec<Command>) {
        let Some(env) = self.settings.get(id).cloned() else {
            return;
        };
        // Only the environment in use is followed.
        let followed = self.settings.current().id == *id;
        if followed {
            self.follow(out);
        }
        let place = self.places.entry(id.clone()).or_default();
        if !followed && env.cluster.is_some() && !place.cluster.view.is_loading() {
            let question = Question::Cluster(env.clone(), ClusterQuestion::View);
            place.cluster.view.begin(self.jobs.ask(question, out));
        }
        if (env.api.is_some() || env.demo) && !place.cluster.api_models.is_loading() {
            let question = Question::Api(env, ApiQuestion::Models);
            place.cluster.api_models.begin(self.jobs.ask(question, out));
        }
        // What a deployment's page and the side bar read is read again, too.
        if place.cluster.release.value().is_none_or(Option::is_none)
            && !place.cluster.release.is_loading()
        {
            place.cluster.release = Loadable::Absent;
        }
        if place.cluster.events.failure().is_some() {
            place.cluster.events = Loadable::Absent;
        }
        if place.cluster.sizes.failure().is_some() {
            place.cluster.sizes = Loadable::Absent;
        }
        // What was missing may be there by now, e.g. a keychain that was unlocked.
        let missing = matches!(place.key, Some(KeyStatus::Missing(_))) || place.trouble.is_some();
        if missing && place.opening.is_none() {
            self.open_place(id.clone(), out);
        }
    }

    /// The other environments that the panes of the one in use ask.
    fn pane_envs(&mut self) -> Vec<EnvId> {
        let own = self.settings.current().id.clone();
        let others = self
            .place()
            .panes
            .others
            .iter()
            .map(|pane| pane.env.clone());
        others.filter(|env| *env != own).collect()
    }

    /// Runs Home's checks on the environment in use.
    pub fn check(&mut self, out: &mut Vec<Command>) {
        let env = self.env().clone();
        let job = self.jobs.begin(&env.id, Work::Check);
        out.extend(
            self.place()
                .checks
                .running
                .map(|job| Command::Cancel { job }),
        );
        self.place().checks = Checks {
            running: Some(job),
            done: Vec::new(),
        };
        out.push(Command::Check { job, place: env });
    }

    /// What a model's server was found not to take.
    pub fn dialect(&self, env: &EnvId, model: &str) -> Dialect {
        let place = self.places.get(env);
        place
            .and_then(|place| place.dialects.get(model))
            .copied()
            .unwrap_or_default()
    }

    /// Puts an environment into the settings, new or changed, and goes there. What was loaded from its
    /// old addresses is asked again; its conversation stays.
    pub fn save_environment(
        &mut self,
        env: Environment,
        key: Option<crate::protocol::KeyChange>,
        out: &mut Vec<Command>,
    ) {
        let id = env.id.clone();
        let old = self.settings.get(&id);
        let elsewhere = old.is_none_or(|old| (&old.cluster, &old.api) != (&env.cluster, &env.api));
        match self
            .settings
            .environments
            .iter_mut()
            .find(|old| old.id == id)
        {
            Some(old) => *old = env,
            None => self.settings.environments.push(env),
        }
        self.leave(out);
        self.settings.selected = id;
        self.revealed_key = None;
        self.jobs.leave(
            &self.settings.selected,
            |work| !work.outlives_a_change(),
            out,
        );
        let place = self.place();
        // Names of another cluster or API mean nothing here.
        let choice = if elsewhere {
            Choice::default()
        } else {
            std::mem::take(&mut place.cluster.choice)
        };
        if elsewhere {
            let id = &self.settings.selected;
            let panes = self
                .places
                .values_mut()
                .flat_map(|place| &mut place.panes.others);
            panes
                .filter(|pane| pane.env == *id)
                .for_each(|pane| pane.choice = Choice::default());
        }
        let place = self.place();
        place.cluster = ClusterState {
            choice,
            ..ClusterState::default()
        };
        (place.api, place.key, place.trouble) = (None, None, None);
        place.dialects.clear();
        place.checks = Checks::default();
        out.push(Command::SaveSettings {
            settings: self.settings.clone(),
            key,
        });
        self.open(out);
    }

    /// Takes an environment out of the settings, with its key. The demo stays.
    pub fn delete_environment(&mut self, env: &EnvId, out: &mut Vec<Command>) {
        if *env == EnvId::demo() {
            return;
        }
        self.settings.environments.retain(|old| old.id != *env);
        self.revealed_key = None;
        if let Some(mut place) = self.places.remove(env) {
            // Its panes may ask other environments.
            let answers = place.chats().0.filter_map(|chat| chat.running());
            answers.for_each(|job| self.jobs.give_up(job, out));
        }
        self.jobs.leave(env, |work| work != Work::Bench, out);
        for place in self.places.values_mut() {
            let gone = place.panes.others.extract_if(.., |pane| pane.env == *env);
            gone.filter_map(|pane| pane.chat.running())
                .for_each(|job| self.jobs.give_up(job, out));
        }
        self.workspace.benches.remove(env);
        self.workspace.playgrounds.remove(env);
        self.forget_attached(env, out);
        let change = WorkspaceChange::Forget { env: env.clone() };
        out.push(Command::Keep { change });
        self.settings.care.probe_minutes.remove(env);
        let key = Some(crate::protocol::KeyChange {
            env: env.clone(),
            key: None,
        });
        let leaves = self.settings.selected == *env;
        if leaves {
            self.settings.selected = EnvId::demo();
        }
        out.push(Command::SaveSettings {
            settings: self.settings.clone(),
            key,
        });
        if leaves {
            self.arrive(out);
        }
    }

    /// Folds an event in. `now` is counted from the program's start.
    pub fn apply(&mut self, event: Event, now: Duration) {
        match event {
            Event::BenchBegan { job, told } => self.bench.begin(job, told),
            Event::BenchAdvanced { job, progress } => self.bench.advance(job, *progress),
            Event::BenchEnded { job, outcome } => {
                self.jobs.end(job);
                self.bench.end(job, outcome);
            }
            Event::FileSaved { what, outcome } => match outcome {
                Ok(Some(path)) => {
                    let text = format!("{what} saved as {}", path.display());
                    self.notices.push(Notice {
                        failure: None,
                        text,
                    });
                }
                // No place was given: nothing is to be told.
                Ok(None) => {}
                Err(failure) => self.notice_failure(Err(failure)),
            },
            Event::Answered { job, answer, took } => self.answered(job, answer, took, now),
            Event::Faulted { failure } => self.notice_failure(Err(failure)),
            Event::DialectLearned {
                env,
                model,
                dialect,
            } => self.with(&env, |place| {
                place.dialects.insert(model, dialect);
            }),
            Event::ClusterFollowed {
                job,
                env,
                view,
                link,
            } => {
                if matches!(link, ClusterLink::Stopped(_)) {
                    self.jobs.end(job);
                }
                if let Some(view) = &view
                    && self
                        .places
                        .get(&env)
                        .is_some_and(|place| place.cluster.following == Some(job))
                {
                    self.call_for_changes(&env, view);
                }
                self.with(&env, |place| {
                    place
                        .cluster
                        .followed(job, view.map(|view| *view), link, now)
                });
                self.settle_panes();
            }
            Event::ModelProbed {
                job,
                env,
                model,
                at,
                outcome,
            } => {
                self.with(&env, |place| {
                    place.cluster.probes.probed(job, &model, at, outcome)
                });
            }
            Event::Notified { outcome } => self.notified(outcome),
            Event::ProbesEnded { job, env } => {
                self.jobs.end(job);
                let mut turned = Vec::new();
                self.with(&env, |place| turned = place.cluster.probes.ended(job));
                self.call_for_models(&env, &turned);
            }
            Event::LogAdvanced { job, env, lines } => self.with(&env, |place| {
                if let Some(log) = &mut place.log {
                    log.advance(job, lines);
                }
            }),
            Event::LogEnded { job, env, outcome } => {
                self.jobs.end(job);
                self.with(&env, |place| {
                    if let Some(log) = &mut place.log {
                        log.end(job, outcome);
                    }
                });
            }
            Event::ChatAdvanced { job, advance } => {
                self.with_chat(job, |chat, _| chat.advance(job, &advance, now));
            }
            Event::ChatBegan { job } => self.with_chat(job, |chat, _| chat.began(now)),
            Event::ChatEnded {
                job,
                ending,
                figures,
                answered_by,
            } => {
                self.jobs.end(job);
                let measured = (*figures, answered_by);
                self.with_chat(job, |chat, session| {
                    chat.end(job, ending, measured, now, session)
                });
            }
            Event::CheckEnded { job, env, check } => self.with(&env, |place| {
                if place.checks.running == Some(job) {
                    place.checks.done.push(check);
                }
            }),
            Event::ChecksEnded { job, env } => {
                self.jobs.end(job);
                self.with(&env, |place| {
                    if place.checks.running == Some(job) {
                        place.checks.running = None;
                    }
                });
            }
            Event::SettingsSaved { outcome } => {
                self.last_save = Some(outcome.is_ok());
                self.notice_failure(outcome);
            }
            Event::Copied { what, outcome } => match outcome {
                Ok(()) => self.notices.push(Notice {
                    failure: None,
                    text: format!("{what} copied"),
                }),
                Err(failure) => self.notice_failure(Err(failure)),
            },
            Event::WorkspaceKept { outcome } => self.notice_failure(outcome),
            Event::ActivityChanged { activity } => self.activity.change(activity),
            Event::HistoryChanged => {
                self.talks.changed(now);
                self.history.changed(now);
            }
            Event::HistoryTroubled { failure } => {
                let notice = self.history.troubled(failure);
                self.notices.push(notice);
            }
            Event::PromptsLoaded { outcome } => self.prompts_loaded(outcome),
            Event::ComparedWithBaseline { job, comparison } => self.bench.held(job, comparison),
        }
    }

    fn notice_failure(&mut self, outcome: Result<(), Failure>) {
        if let Err(failure) = outcome {
            let text = failure.summary.clone();
            self.notices.push(Notice {
                failure: Some(failure),
                text,
            });
        }
    }

    /// Events of an environment that was deleted meanwhile are left aside.
    fn with(&mut self, env: &EnvId, change: impl FnOnce(&mut PlaceState)) {
        if let Some(place) = self.places.get_mut(env) {
            change(place);
        }
    }

    /// The conversation in which this job answers, and its session.
    fn with_chat(&mut self, job: JobId, change: impl FnOnce(&mut ChatState, &mut SessionHistory)) {
        for place in self.places.values_mut() {
            let (mut chats, session) = place.chats();
            if let Some(chat) = chats.find(|chat| chat.running() == Some(job)) {
                return change(chat, session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_reload_keeps_what_was_there() {
        let mut value = Loadable::default();
        value.begin(JobId(1));
        value.resolve(JobId(1), Ok(5), Duration::from_secs(1));
        value.begin(JobId(2));
        assert!(value.is_loading());
        value.resolve(
            JobId(2),
            Err(Failure::new("no", "")),
            Duration::from_secs(9),
        );
        assert_eq!(value.with_time(), Some((&5, Duration::from_secs(1))));
        assert_eq!(value.failure().map(|f| f.summary.as_str()), Some("no"));
    }

    #[test]
    fn a_late_answer_to_an_old_question_is_left_aside() {
        let mut value = Loadable::default();
        value.begin(JobId(1));
        value.begin(JobId(2));
        value.resolve(JobId(1), Ok("old"), Duration::ZERO);
        assert!(value.is_loading());
        value.resolve(JobId(2), Ok("new"), Duration::ZERO);
        assert_eq!(value.value(), Some(&"new"));
    }

    #[test]
    fn what_belongs_to_an_environment_follows_the_switch() {
        let mut state = State::new(Settings::default());
        let other = Environment::blank(EnvId("e1".to_owned()), "other");
        let mut out = Vec::new();
        state.place().chat.draft = "half a question".to_owned();
        state.save_environment(other, None, &mut out);
        assert_eq!(state.env().name, "other");
        assert_eq!(state.place().chat.draft, "");
        state.switch(&EnvId::demo(), &mut out);
        assert_eq!(state.place().chat.draft, "half a question");
        state.delete_environment(&EnvId("e1".to_owned()), &mut out);
        assert_eq!(state.settings.environments.len(), 1);
        state.delete_environment(&EnvId::demo(), &mut out);
        assert_eq!(state.settings.environments.len(), 1, "the demo stays");
    }
}
