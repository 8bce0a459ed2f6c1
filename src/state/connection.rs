//! What is known of each environment that was opened in this window.

use std::collections::BTreeMap;

use super::chat::ChatState;
use super::cluster::ClusterState;
use super::logs::LogState;
use super::panes::Panes;
use crate::domain::dialect::Dialect;
use crate::domain::environment::{ApiAddress, EnvId};
use crate::domain::failure::{Failure, FaultClass};
use crate::metrics::history::SessionHistory;
use crate::protocol::{Check, JobId, KeyStatus, Opened};

/// All that belongs to one environment and follows the switch to another.
#[derive(Debug)]
pub struct ConnectionState {
    /// The environment.
    pub env: EnvId,
    /// The job that opens it.
    pub(super) opening: Option<JobId>,
    /// The address of its API. That of the demo differs at each start.
    pub api: Option<ApiAddress>,
    /// What is known of its key; `None` until the environment was opened.
    pub key: Option<KeyStatus>,
    /// Why it could not be opened wholly, e.g. a CA file that cannot be read.
    pub trouble: Option<Failure>,
    /// Which parameters the servers of its models were found to refuse.
    pub(super) dialects: BTreeMap<String, Dialect>,
    /// What is deployed, and what the API routes.
    pub cluster: ClusterState,
    /// The log that is open.
    pub log: Option<LogState>,
    /// The Playground's panes.
    pub panes: Panes,
    /// The session's answers, for the charts, over all panes. Clearing the conversations keeps them.
    pub session: SessionHistory,
    /// the checks.
    pub checks: Checks,
}

/// the checks, as they end.
#[derive(Debug, Default)]
pub struct Checks {
    /// The job that runs them.
    pub running: Option<JobId>,
    /// Those that ended, in order.
    pub done: Vec<Check>,
}

impl Checks {
    /// One of the checks of `job` ended.
    pub(super) fn ended(&mut self, job: JobId, check: Check) {
        if self.running == Some(job) {
            self.done.push(check);
        }
    }

    /// All checks of `job` ended.
    pub(super) fn all_ended(&mut self, job: JobId) {
        self.running.take_if(|running| *running == job);
    }
}

impl ConnectionState {
    /// Nothing is known yet.
    pub(super) fn new(env: EnvId) -> Self {
        Self {
            panes: Panes::new(env.clone()),
            env,
            opening: None,
            api: None,
            key: None,
            trouble: None,
            dialects: BTreeMap::new(),
            cluster: ClusterState::default(),
            log: None,
            session: SessionHistory::default(),
            checks: Checks::default(),
        }
    }

    /// All panes' conversations, with the session that their answers belong to.
    pub(super) fn chats(&mut self) -> (impl Iterator<Item = &mut ChatState>, &mut SessionHistory) {
        (self.panes.chats_mut(), &mut self.session)
    }

    /// The environment was opened by `job`. An older job's answer is left aside.
    pub(super) fn opened(&mut self, job: JobId, outcome: Result<Opened, Failure>) {
        if self.opening != Some(job) {
            return;
        }
        self.opening = None;
        match outcome {
            Ok(Opened { api, key, trouble }) => {
                (self.api, self.key, self.trouble) = (api, Some(key), trouble);
            }
            Err(why) if why.class == Some(FaultClass::Cancelled) => {}
            Err(why) => self.trouble = Some(why),
        }
    }

    /// A model's server was found to refuse parameters.
    pub(super) fn learned(&mut self, model: String, dialect: Dialect) {
        self.dialects.insert(model, dialect);
    }

    /// More lines of a log came.
    pub(super) fn log_advanced(&mut self, job: JobId, lines: Vec<String>) {
        if let Some(log) = &mut self.log {
            log.advance(job, lines);
        }
    }

    /// A log has ended.
    pub(super) fn log_ended(&mut self, job: JobId, outcome: Result<(), Failure>) {
        if let Some(log) = &mut self.log {
            log.end(job, outcome);
        }
    }

    /// The environment was changed: what was read from its old addresses is forgotten, its conversations stay.
    pub(super) fn forget_what_was_read(&mut self) {
        self.cluster = ClusterState::default();
        (self.api, self.key, self.trouble) = (None, None, None);
        self.dialects.clear();
        self.checks = Checks::default();
    }
}

/// The environments that were opened: the one in use, and others.
#[derive(Debug)]
pub(super) struct Connections {
    current: ConnectionState,
    others: Vec<ConnectionState>,
}

impl Connections {
    pub(super) fn new(env: EnvId) -> Self {
        Self {
            current: ConnectionState::new(env),
            others: Vec::new(),
        }
    }

    pub(super) fn current(&self) -> &ConnectionState {
        &self.current
    }

    pub(super) fn current_mut(&mut self) -> &mut ConnectionState {
        &mut self.current
    }

    pub(super) fn get(&self, env: &EnvId) -> Option<&ConnectionState> {
        self.iter().find(|connection| connection.env == *env)
    }

    pub(super) fn get_mut(&mut self, env: &EnvId) -> Option<&mut ConnectionState> {
        self.iter_mut().find(|connection| connection.env == *env)
    }

    /// Adds the environment if it was never opened.
    pub(super) fn entry(&mut self, env: &EnvId) -> &mut ConnectionState {
        if self.current.env == *env {
            return &mut self.current;
        }
        let at = self.others.iter().position(|other| other.env == *env);
        let at = at.unwrap_or_else(|| {
            self.others.push(ConnectionState::new(env.clone()));
            self.others.len() - 1
        });
        &mut self.others[at]
    }

    /// Takes the place of what is known of this environment.
    pub(super) fn put(&mut self, connection: ConnectionState) {
        let env = connection.env.clone();
        *self.entry(&env) = connection;
    }

    /// Uses this environment from now on.
    pub(super) fn select(&mut self, env: &EnvId) {
        if self.current.env == *env {
            return;
        }
        let at = self.others.iter().position(|other| other.env == *env);
        let next = match at {
            Some(at) => self.others.swap_remove(at),
            None => ConnectionState::new(env.clone()),
        };
        self.others.push(std::mem::replace(&mut self.current, next));
    }

    /// Takes an environment out that is not in use.
    pub(super) fn remove(&mut self, env: &EnvId) -> Option<ConnectionState> {
        let at = self.others.iter().position(|other| other.env == *env)?;
        Some(self.others.swap_remove(at))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ConnectionState> {
        std::iter::once(&self.current).chain(&self.others)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut ConnectionState> {
        std::iter::once(&mut self.current).chain(&mut self.others)
    }
}
