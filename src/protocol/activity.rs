//! HTTP requests and commands that were made, as the Activity drawer shows them.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::environment::EnvId;

/// A kubectl command or an HTTP request that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Counts up; the ending carries the number of the beginning.
    pub id: u64,
    /// Where it was made.
    pub env: EnvId,
    /// kubectl or HTTP.
    pub kind: ActivityKind,
    /// The command as one can paste it in a shell. No key in it.
    pub line: Arc<str>,
    /// When it began.
    pub at: jiff::Timestamp,
    /// What it has said on standard error while it runs, e.g. a credential plugin that waits for a login; without control
    /// characters. At most 4,000 bytes.
    pub words: Arc<str>,
    /// How long it took and how it ended; `None` while it runs.
    pub ending: Option<ActivityEnding>,
}

/// What kind of request or command it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivityKind {
    /// A subprocess.
    Kubectl,
    /// A subprocess that goes on until it is left, e.g. a watch.
    Follow,
    /// The API.
    Http,
    /// No request: what was found out from one, in words.
    Note,
}

/// How an activity ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityEnding {
    /// From beginning to end.
    pub took: Duration,
    /// Whether it did what it should.
    pub ok: bool,
    /// In words: `exit 0, 13.1 MB`, `HTTP 200`, `stopped`.
    pub outcome: String,
}
