//! What is known of an environment that was opened in this window.

use std::collections::BTreeMap;

use super::cluster::ClusterState;
use super::logs::LogState;
use super::per_environment::OfEnvironment;
use crate::domain::dialect::Dialect;
use crate::domain::environment::{ApiAddress, EnvId};
use crate::domain::failure::{Failure, FaultClass};
use crate::protocol::{Check, JobId, KeyStatus, Opened};

/// What its cluster, its API and its checks have said.
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

impl OfEnvironment for ConnectionState {
    /// Nothing is known yet.
    fn new(env: EnvId) -> Self {
        Self {
            env,
            opening: None,
            api: None,
            key: None,
            trouble: None,
            dialects: BTreeMap::new(),
            cluster: ClusterState::default(),
            log: None,
            checks: Checks::default(),
        }
    }

    fn env(&self) -> &EnvId {
        &self.env
    }
}

impl ConnectionState {
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

    /// The environment was changed: what was read from its old addresses is forgotten.
    pub(super) fn forget_what_was_read(&mut self) {
        self.cluster = ClusterState::default();
        (self.api, self.key, self.trouble) = (None, None, None);
        self.dialects.clear();
        self.checks = Checks::default();
    }
}
