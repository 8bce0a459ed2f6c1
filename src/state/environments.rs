//! The environments: the settings that name them, what is known of each, and going from one to another.

pub mod imports;

use std::time::Duration;

use secrecy::SecretString;

use self::imports::EnvImport;
use super::State;
use super::cluster::changes::Notifications;
use super::connection::{Checks, ConnectionState};
use super::jobs::{Outbox, Work};
use super::logs::LogState;
use super::per_environment::PerEnvironment;
use crate::domain::deployment::ClusterView;
use crate::domain::dialect::Dialect;
use crate::domain::environment::{EnvId, Environment};
use crate::domain::failure::Failure;
use crate::domain::settings::Settings;
use crate::domain::workspace::WorkspaceChange;
use crate::protocol::{
    ApiQuestion, ClusterLink, ClusterQuestion, Command, FilePurpose, JobId, KeyChange, KeyStatus,
    LocalQuestion, LogSource, PickedFile, Question,
};

/// The settings, and what is known of each environment that was opened.
#[derive(Debug)]
pub struct Environments {
    /// The environments and the one in use; theme, retention and the like.
    pub settings: Settings,
    pub(super) connections: PerEnvironment<ConnectionState>,
    pub(super) notifications: Notifications,
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
}

impl Environments {
    /// Nothing is known of any.
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            connections: PerEnvironment::new(settings.current().id.clone()),
            settings,
            notifications: Notifications::default(),
            has_keychain: None,
            revealed_key: None,
            picked_file: None,
            import: None,
            last_save: None,
        }
    }

    /// The environment in use.
    pub fn current(&self) -> &Environment {
        self.settings.current()
    }

    /// What is known of the environment in use.
    pub fn connection(&self) -> &ConnectionState {
        self.connections.current()
    }

    /// What is known of the environment in use.
    pub(super) fn connection_mut(&mut self) -> &mut ConnectionState {
        self.connections.current_mut()
    }

    /// What is known of an environment, if it was ever opened.
    pub fn connection_of(&self, env: &EnvId) -> Option<&ConnectionState> {
        self.connections.get(env)
    }

    /// The environment in use, and what is known of it.
    pub(super) fn in_use(&mut self) -> (&Environment, &mut ConnectionState) {
        (self.settings.current(), self.connections.current_mut())
    }

    /// Events of an environment that was deleted meanwhile are left aside.
    pub(super) fn with(&mut self, env: &EnvId, change: impl FnOnce(&mut ConnectionState)) {
        self.connections.get_mut(env).map(change);
    }

    /// What a model's server was found not to take.
    pub fn dialect(&self, env: &EnvId, model: &str) -> Dialect {
        let connection = self.connections.get(env);
        connection
            .and_then(|connection| connection.dialects.get(model))
            .copied()
            .unwrap_or_default()
    }

    /// Writes the settings as they are now.
    pub(super) fn save_settings(&self, outbox: &mut Outbox<'_>) {
        self.save_settings_and_key(None, outbox);
    }

    pub(super) fn save_settings_and_key(&self, key: Option<KeyChange>, outbox: &mut Outbox<'_>) {
        let settings = self.settings.clone();
        outbox.send(Command::SaveSettings { settings, key });
    }

    /// The settings were written, or not. Gives why not.
    pub(super) fn saved(&mut self, outcome: Result<(), Failure>) -> Option<Failure> {
        self.last_save = Some(outcome.is_ok());
        outcome.err()
    }

    /// Desktop notifications are shown from now on, or no longer.
    pub(super) fn set_notify(&mut self, on: bool, outbox: &mut Outbox<'_>) {
        self.settings.care.notify = on;
        self.notifications.forget_failure();
        self.save_settings(outbox);
    }

    /// Every how many minutes all models of the environment in use are probed; `None` when they are not.
    pub fn probe_minutes(&self) -> Option<u32> {
        let minutes = &self.settings.care.probe_minutes;
        minutes.get(&self.current().id).copied()
    }

    /// Probes all models every so many minutes from now on, or no longer.
    pub(super) fn set_probe_minutes(&mut self, minutes: Option<u32>, outbox: &mut Outbox<'_>) {
        let env = self.current().id.clone();
        let known = &mut self.settings.care.probe_minutes;
        match minutes {
            Some(minutes) => known.insert(env, minutes.clamp(1, 60)),
            None => known.remove(&env),
        };
        self.save_settings(outbox);
    }

    /// Finds out whether the system has a keychain.
    pub(super) fn look_for_keychain(&self, outbox: &mut Outbox<'_>) {
        outbox.ask(Question::Local(LocalQuestion::Keychain));
    }

    /// The cluster of an environment has changed, or how it is followed.
    pub(super) fn followed(
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
    }

    /// The probes of an environment have ended.
    pub(super) fn probes_ended(&mut self, job: JobId, env: &EnvId) {
        if let Some(connection) = self.connections.get_mut(env) {
            let turned = connection.cluster.probes.ended(job);
            self.notifications
                .call_for_models(&self.settings, env, &turned);
        }
    }

    /// Lets the user pick a file: [`Self::picked_file`].
    pub(super) fn pick_file(&self, env: EnvId, purpose: FilePurpose, outbox: &mut Outbox<'_>) {
        outbox.ask(Question::Local(LocalQuestion::PickFile { env, purpose }));
    }

    /// Shows the key of the environment in use: [`Self::revealed_key`].
    pub(super) fn reveal_key(&self, outbox: &mut Outbox<'_>) {
        let place = self.current().clone();
        outbox.ask(Question::Api(place, ApiQuestion::RevealKey));
    }

    /// A key came to be shown, or not. Gives why not.
    pub(super) fn key_revealed(
        &mut self,
        env: &EnvId,
        outcome: Result<SecretString, Failure>,
    ) -> Option<Failure> {
        match outcome {
            // The user may have gone elsewhere meanwhile.
            Ok(key) if self.settings.selected == *env => {
                self.revealed_key = Some((env.clone(), key));
                None
            }
            Ok(_) => None,
            Err(failure) => Some(failure),
        }
    }

    /// Uses another environment from now on.
    fn select(&mut self, env: &EnvId) {
        self.settings.selected = env.clone();
        self.connections.select(env);
        self.revealed_key = None;
    }

    /// Opens a container's log in place of the one that was open, and follows it.
    pub(super) fn open_log(&mut self, source: LogSource, outbox: &mut Outbox<'_>) {
        self.close_log(outbox);
        let (place, connection) = self.in_use();
        let job = outbox.begin(&place.id, Work::FollowLog);
        connection.log = Some(LogState::new(source.clone(), job));
        let place = place.clone();
        outbox.send(Command::FollowLog { job, place, source });
    }

    /// Closes the log that is open.
    pub(super) fn close_log(&mut self, outbox: &mut Outbox<'_>) {
        let log = self.connection_mut().log.take();
        outbox.cancel(log.and_then(|log| log.job));
    }

    /// More lines of an environment's log came.
    pub(super) fn log_advanced(&mut self, env: &EnvId, job: JobId, lines: Vec<String>) {
        self.with(env, |connection| connection.log_advanced(job, lines));
    }

    /// An environment's log has ended.
    pub(super) fn log_ended(&mut self, env: &EnvId, job: JobId, outcome: Result<(), Failure>) {
        self.with(env, |connection| connection.log_ended(job, outcome));
    }

    /// Only the cluster of the environment in use is followed.
    fn leave(&mut self, outbox: &mut Outbox<'_>) {
        self.close_log(outbox);
        outbox.cancel(self.connection_mut().cluster.leave());
    }

    /// Asks the cluster of the environment in use, and follows it from then on.
    fn follow(&mut self, outbox: &mut Outbox<'_>) {
        let (place, connection) = self.in_use();
        let cluster = &mut connection.cluster;
        if place.cluster.is_none() || cluster.view.is_loading() {
            return;
        }
        outbox.cancel(cluster.leave());
        let job = outbox.begin(&place.id, Work::WatchCluster);
        cluster.follow(job);
        let place = place.clone();
        outbox.send(Command::WatchCluster { job, place });
    }

    /// Opens an environment: its API and its key.
    fn open(&mut self, env: &EnvId, outbox: &mut Outbox<'_>) {
        let Some(place) = self.settings.get(env).cloned() else {
            return;
        };
        let job = outbox.ask(Question::Api(place, ApiQuestion::Open));
        self.connections.entry(env).opening = Some(job);
    }

    /// Opens an environment that was not opened before, e.g. since a pane asks it.
    pub(super) fn open_if_new(&mut self, env: &EnvId, outbox: &mut Outbox<'_>) {
        let connection = self.connections.entry(env);
        if connection.key.is_none() && connection.opening.is_none() {
            self.open(env, outbox);
            self.refresh_one(env, outbox);
        }
    }

    /// Asks the clusters and the APIs of the environment in use and of these others again; what is being asked already
    /// is not asked twice.
    fn refresh(&mut self, others: &[EnvId], outbox: &mut Outbox<'_>) {
        let own = self.current().id.clone();
        for env in std::iter::once(&own).chain(others) {
            self.refresh_one(env, outbox);
        }
    }

    fn refresh_one(&mut self, id: &EnvId, outbox: &mut Outbox<'_>) {
        let Some(env) = self.settings.get(id).cloned() else {
            return;
        };
        // Only the environment in use is followed.
        let followed = self.current().id == *id;
        if followed {
            self.follow(outbox);
        }
        let connection = self.connections.entry(id);
        let cluster = &mut connection.cluster;
        if !followed && env.cluster.is_some() && !cluster.view.is_loading() {
            let question = Question::Cluster(env.clone(), ClusterQuestion::View);
            cluster.view.begin(outbox.ask(question));
        }
        if env.has_api() && !cluster.api_models.is_loading() {
            let question = Question::Api(env, ApiQuestion::Models);
            cluster.api_models.begin(outbox.ask(question));
        }
        cluster.forget_failures();
        // What was missing may be there by now, e.g. a keychain that was unlocked.
        let missing =
            matches!(connection.key, Some(KeyStatus::Missing(_))) || connection.trouble.is_some();
        if missing && connection.opening.is_none() {
            self.open(id, outbox);
        }
    }

    /// Runs the checks on the environment in use.
    pub(super) fn check(&mut self, outbox: &mut Outbox<'_>) {
        let (place, connection) = self.in_use();
        let job = outbox.begin(&place.id, Work::Check);
        outbox.cancel(connection.checks.running);
        connection.checks = Checks {
            running: Some(job),
            done: Vec::new(),
        };
        let place = place.clone();
        outbox.send(Command::Check { job, place });
    }

    /// Reads the contexts of a kubeconfig.
    pub(super) fn list_contexts(&mut self, place: Environment, outbox: &mut Outbox<'_>) {
        let env = place.id.clone();
        let job = outbox.ask(Question::Cluster(place, ClusterQuestion::Contexts));
        self.connections.entry(&env).cluster.contexts.begin(job);
    }

    /// Puts an environment into the settings, in the place of the one with its id. Gives whether its cluster or its
    /// API is another one than before.
    fn put(&mut self, env: Environment) -> bool {
        let mut all = self.settings.environments.iter_mut();
        match all.find(|old| old.id == env.id) {
            Some(old) => {
                let elsewhere = (&old.cluster, &old.api) != (&env.cluster, &env.api);
                *old = env;
                elsewhere
            }
            None => {
                self.settings.environments.push(env);
                true
            }
        }
    }
}

/// What a change of the environment in use means for several features: each has what belongs to the environment.
impl State {
    /// Goes to an environment. What belongs to it is as it was left; the first time it is loaded.
    pub fn switch(&mut self, env: &EnvId, out: &mut Vec<Command>) {
        if self.environments.settings.get(env).is_none() {
            return;
        }
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        self.environments.leave(outbox);
        self.environments.select(env);
        self.playgrounds.select(env);
        self.environments.save_settings(outbox);
        self.arrive(out);
    }

    fn arrive(&mut self, out: &mut Vec<Command>) {
        if self.connection().key.is_none() {
            self.open(out);
        } else {
            let outbox = &mut Outbox::new(&mut self.jobs, out);
            self.environments.follow(outbox);
        }
    }

    /// Opens the environment in use: its API, its key, its cluster, its models, its conversations; and those its panes
    /// ask.
    pub fn open(&mut self, out: &mut Vec<Command>) {
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        let own = self.environments.current().id.clone();
        self.environments.open(&own, outbox);
        let panes = self.playgrounds.panes();
        self.conversations.reopen(&own, panes, outbox);
        let others = self.playgrounds.other_envs();
        self.environments.refresh(&others, outbox);
        for env in &others {
            self.environments.open_if_new(env, outbox);
        }
    }

    /// Asks the clusters and the APIs again that the environment in use and its panes have.
    pub fn refresh(&mut self, out: &mut Vec<Command>) {
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        let others = self.playgrounds.other_envs();
        self.environments.refresh(&others, outbox);
    }

    /// Puts an environment into the settings, new or changed, and goes there. What was loaded from its
    /// old addresses is asked again; its conversation stays.
    pub fn save_environment(
        &mut self,
        env: Environment,
        key: Option<KeyChange>,
        out: &mut Vec<Command>,
    ) {
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        let id = env.id.clone();
        let elsewhere = self.environments.put(env);
        self.environments.leave(outbox);
        self.environments.select(&id);
        self.playgrounds.select(&id);
        outbox.leave(&id, |work| !work.outlives_a_change());
        if elsewhere {
            // Names of another cluster or API mean nothing here.
            self.playgrounds.forget_choices(&id);
        }
        self.environments.connection_mut().forget_what_was_read();
        self.environments.save_settings_and_key(key, outbox);
        self.open(out);
    }

    /// Takes an environment out of the settings, with its key and all that was kept of it. The demo stays.
    pub fn delete_environment(&mut self, env: &EnvId, out: &mut Vec<Command>) {
        if *env == EnvId::demo() {
            return;
        }
        let Self {
            environments,
            playgrounds,
            workspace,
            attach,
            jobs,
            ..
        } = self;
        let outbox = &mut Outbox::new(jobs, out);
        let settings = &mut environments.settings;
        settings.environments.retain(|old| old.id != *env);
        settings.care.probe_minutes.remove(env);
        let leaves = settings.selected == *env;
        if leaves {
            environments.select(&EnvId::demo());
            playgrounds.select(&EnvId::demo());
        }
        environments.revealed_key = None;
        environments.connections.remove(env);
        let answering = playgrounds.remove(env);
        answering.into_iter().for_each(|job| outbox.give_up(job));
        outbox.leave(env, |work| work != Work::Bench);
        let answering = playgrounds.close_all_of(env);
        answering.into_iter().for_each(|job| outbox.give_up(job));
        workspace.benches.remove(env);
        workspace.playgrounds.remove(env);
        attach.forget(env, outbox);
        outbox.keep(WorkspaceChange::Forget { env: env.clone() });
        let key = Some(KeyChange {
            env: env.clone(),
            key: None,
        });
        environments.save_settings_and_key(key, outbox);
        if leaves {
            self.arrive(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::Settings;

    #[test]
    fn what_belongs_to_an_environment_follows_the_switch() {
        let mut state = State::new(Settings::default());
        let other = Environment::blank(EnvId("e1".to_owned()), "other");
        let mut out = Vec::new();
        state.panes_mut().chat_mut(0).draft = "half a question".to_owned();
        state.save_environment(other, None, &mut out);
        assert_eq!(state.env().name, "other");
        assert_eq!(state.panes().chat(0).draft, "");
        state.switch(&EnvId::demo(), &mut out);
        assert_eq!(state.panes().chat(0).draft, "half a question");
        state.delete_environment(&EnvId("e1".to_owned()), &mut out);
        assert_eq!(state.environments.settings.environments.len(), 1);
        state.delete_environment(&EnvId::demo(), &mut out);
        assert_eq!(
            state.environments.settings.environments.len(),
            1,
            "the demo stays"
        );
    }
}
