//! Values of events about the cluster and the API: how a cluster is followed, probes, contexts, the checks.

use std::time::Duration;

use crate::domain::deployment::ProbeKind;
use crate::domain::failure::Failure;

/// Whose log is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSource {
    /// The pod's name.
    pub pod: String,
    /// The container's.
    pub container: String,
    /// Of its last run, which has ended.
    pub previous: bool,
}

/// A model that is to be probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeTarget {
    /// Its serving name.
    pub model: String,
    /// How.
    pub kind: ProbeKind,
}

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// Request sent → first text; `None` for an embedding, and for an answer without any text.
    pub ttft: Option<Duration>,
    /// Request sent → end of the answer.
    pub latency: Option<Duration>,
}

/// How what is deployed is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterLink {
    /// Every change arrives as it happens.
    Live,
    /// The cluster is not reached; it is tried again and again.
    Reconnecting(Failure),
    /// Something may be listed and not watched, so it is listed again and again.
    Polling {
        /// How often.
        every: Duration,
        /// Why it is not watched.
        why: Failure,
    },
    /// The user lacks the right to see something; what was seen before stays, and it is tried again and again.
    Forbidden(Failure),
    /// It is followed no longer: trying again would not help, or nobody wants it.
    Stopped(Failure),
}

/// A kubeconfig's contexts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contexts {
    /// Their names, as kubectl orders them: by name.
    pub names: Vec<String>,
    /// The current one.
    pub current: Option<String>,
}

/// One of the checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What is checked, e.g. `Cluster reachable`.
    pub title: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was found, or what is wrong.
    pub finding: String,
    /// What to do; empty when all is well.
    pub advice: String,
    /// The same for a command line, where that differs.
    pub cli_advice: Option<Box<str>>,
    /// A command that tells more, to be pasted in a shell; empty for none.
    pub command: String,
    /// The other program's own words.
    pub details: String,
    /// How long it took; `None` when nothing was asked.
    pub took: Option<Duration>,
}

impl Check {
    /// What to do, for a reader on a command line.
    pub fn advice_on_command_line(&self) -> &str {
        self.cli_advice.as_deref().unwrap_or(&self.advice)
    }
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, but look.
    Warning,
    /// It does not work.
    Bad,
    /// Not asked, since something it needs is missing.
    Skipped,
}
