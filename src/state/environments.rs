//! The environments: going to one, opening it, changing and deleting it.

use super::State;
use super::connection::Checks;
use super::jobs::Work;
use super::logs::LogState;
use crate::domain::dialect::Dialect;
use crate::domain::environment::{EnvId, Environment};
use crate::domain::workspace::WorkspaceChange;
use crate::protocol::{
    ApiQuestion, ClusterQuestion, Command, KeyChange, KeyStatus, LogSource, Question,
};

impl State {
    /// Goes to an environment. What belongs to it is as it was left; the first time it is loaded.
    pub fn switch(&mut self, env: &EnvId, out: &mut Vec<Command>) {
        if self.settings.get(env).is_none() {
            return;
        }
        self.leave(out);
        self.select(env);
        self.save_settings(out);
        self.arrive(out);
    }

    fn select(&mut self, env: &EnvId) {
        self.settings.selected = env.clone();
        self.connections.select(env);
        self.revealed_key = None;
    }

    /// Opens a container's log in place of the one that was open, and follows it.
    pub fn open_log(&mut self, source: LogSource, out: &mut Vec<Command>) {
        self.close_log(out);
        let place = self.env().clone();
        let job = self.jobs.begin(&place.id, Work::FollowLog);
        self.connection_mut().log = Some(LogState::new(source.clone(), job));
        out.push(Command::FollowLog { job, place, source });
    }

    /// Closes the log that is open.
    pub fn close_log(&mut self, out: &mut Vec<Command>) {
        let log = self.connection_mut().log.take();
        out.extend(
            log.and_then(|log| log.job)
                .map(|job| Command::Cancel { job }),
        );
    }

    /// Only the cluster of the environment in use is followed.
    fn leave(&mut self, out: &mut Vec<Command>) {
        self.close_log(out);
        let following = self.connection_mut().cluster.leave();
        out.extend(following.map(|job| Command::Cancel { job }));
    }

    fn arrive(&mut self, out: &mut Vec<Command>) {
        if self.connection().key.is_none() {
            self.open(out);
        } else {
            self.follow(out);
        }
    }

    /// Asks the cluster of the environment in use, and follows it from then on.
    fn follow(&mut self, out: &mut Vec<Command>) {
        let place = self.env().clone();
        if place.cluster.is_none() || self.connection().cluster.view.is_loading() {
            return;
        }
        let following = self.connection_mut().cluster.leave();
        out.extend(following.map(|job| Command::Cancel { job }));
        let job = self.jobs.begin(&place.id, Work::WatchCluster);
        self.connection_mut().cluster.follow(job);
        out.push(Command::WatchCluster { job, place });
    }

    /// Opens the environment in use: its API, its key, its cluster, its models; and those its panes ask.
    pub fn open(&mut self, out: &mut Vec<Command>) {
        self.open_environment(self.settings.current().id.clone(), out);
        self.reopen_conversations(out);
        self.refresh(out);
        for env in self.pane_envs() {
            self.open_if_new(&env, out);
        }
    }

    fn open_environment(&mut self, env: EnvId, out: &mut Vec<Command>) {
        let Some(place) = self.settings.get(&env).cloned() else {
            return;
        };
        let job = self.ask(Question::Api(place, ApiQuestion::Open), out);
        self.connections.entry(&env).opening = Some(job);
    }

    /// Opens an environment that was not opened before, e.g. since a pane asks it.
    pub(super) fn open_if_new(&mut self, env: &EnvId, out: &mut Vec<Command>) {
        let connection = self.connections.entry(env);
        if connection.key.is_none() && connection.opening.is_none() {
            self.open_environment(env.clone(), out);
            self.refresh_environment(env, out);
        }
    }

    /// Asks the cluster and the API again; what is being asked already is not asked twice.
    pub fn refresh(&mut self, out: &mut Vec<Command>) {
        let own = self.settings.current().id.clone();
        self.refresh_environment(&own, out);
        for env in self.pane_envs() {
            self.refresh_environment(&env, out);
        }
    }

    fn refresh_environment(&mut self, id: &EnvId, out: &mut Vec<Command>) {
        let Some(env) = self.settings.get(id).cloned() else {
            return;
        };
        // Only the environment in use is followed.
        let followed = self.settings.current().id == *id;
        if followed {
            self.follow(out);
        }
        let connection = self.connections.entry(id);
        let cluster = &mut connection.cluster;
        if !followed && env.cluster.is_some() && !cluster.view.is_loading() {
            let question = Question::Cluster(env.clone(), ClusterQuestion::View);
            cluster.view.begin(self.jobs.ask(question, out));
        }
        if (env.api.is_some() || env.demo) && !cluster.api_models.is_loading() {
            let question = Question::Api(env, ApiQuestion::Models);
            cluster.api_models.begin(self.jobs.ask(question, out));
        }
        cluster.forget_failures();
        // What was missing may be there by now, e.g. a keychain that was unlocked.
        let missing =
            matches!(connection.key, Some(KeyStatus::Missing(_))) || connection.trouble.is_some();
        if missing && connection.opening.is_none() {
            self.open_environment(id.clone(), out);
        }
    }

    /// The other environments that the panes of the one in use ask.
    fn pane_envs(&self) -> Vec<EnvId> {
        let own = &self.env().id;
        let envs = self.panes().all().iter().map(|pane| &pane.env);
        envs.filter(|env| *env != own).cloned().collect()
    }

    /// Runs the checks on the environment in use.
    pub fn check(&mut self, out: &mut Vec<Command>) {
        let env = self.env().clone();
        let job = self.jobs.begin(&env.id, Work::Check);
        let checks = &mut self.connection_mut().checks;
        out.extend(checks.running.map(|job| Command::Cancel { job }));
        *checks = Checks {
            running: Some(job),
            done: Vec::new(),
        };
        out.push(Command::Check { job, place: env });
    }

    /// What a model's server was found not to take.
    pub fn dialect(&self, env: &EnvId, model: &str) -> Dialect {
        let connection = self.connections.get(env);
        connection
            .and_then(|connection| connection.dialects.get(model))
            .copied()
            .unwrap_or_default()
    }

    /// Puts an environment into the settings, new or changed, and goes there. What was loaded from its
    /// old addresses is asked again; its conversation stays.
    pub fn save_environment(
        &mut self,
        env: Environment,
        key: Option<KeyChange>,
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
        self.select(&id);
        self.jobs.leave(&id, |work| !work.outlives_a_change(), out);
        if elsewhere {
            // Names of another cluster or API mean nothing here.
            let connections = self.connections.iter_mut();
            connections.for_each(|connection| connection.panes.forget_choices(&id));
        }
        self.connection_mut().forget_what_was_read();
        self.save_settings_and_key(key, out);
        self.open(out);
    }

    /// Takes an environment out of the settings, with its key. The demo stays.
    pub fn delete_environment(&mut self, env: &EnvId, out: &mut Vec<Command>) {
        if *env == EnvId::demo() {
            return;
        }
        self.settings.environments.retain(|old| old.id != *env);
        let leaves = self.settings.selected == *env;
        if leaves {
            self.select(&EnvId::demo());
        }
        self.revealed_key = None;
        if let Some(connection) = self.connections.remove(env) {
            // Its panes may ask other environments.
            for job in connection.panes.answering() {
                self.jobs.give_up(job, out);
            }
        }
        self.jobs.leave(env, |work| work != Work::Bench, out);
        for connection in self.connections.iter_mut() {
            for pane in connection.panes.close_all_of(env) {
                let answering = pane.chat.running();
                answering
                    .into_iter()
                    .for_each(|job| self.jobs.give_up(job, out));
            }
        }
        self.workspace.benches.remove(env);
        self.workspace.playgrounds.remove(env);
        self.forget_attached(env, out);
        let change = WorkspaceChange::Forget { env: env.clone() };
        out.push(Command::Keep { change });
        self.settings.care.probe_minutes.remove(env);
        let key = Some(KeyChange {
            env: env.clone(),
            key: None,
        });
        self.save_settings_and_key(key, out);
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
        assert_eq!(state.settings.environments.len(), 1);
        state.delete_environment(&EnvId::demo(), &mut out);
        assert_eq!(state.settings.environments.len(), 1, "the demo stays");
    }
}
