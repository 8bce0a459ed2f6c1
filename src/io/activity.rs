//! Records requests and commands for the Activity drawer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::domain::environment::EnvId;
use crate::protocol::{Activity, ActivityEnding, ActivityKind};

const MAX_MESSAGE_BYTES: usize = 4_000;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Records the activities of one environment.
#[derive(Clone)]
pub struct Recorder {
    env: EnvId,
    tell: Arc<dyn Fn(Activity) + Send + Sync>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder")
            .field("env", &self.env)
            .finish_non_exhaustive()
    }
}

impl Recorder {
    /// Calls `tell` when an activity begins, changes and ends.
    pub fn new(env: EnvId, tell: impl Fn(Activity) + Send + Sync + 'static) -> Self {
        Self {
            env,
            tell: Arc::new(tell),
        }
    }

    /// Records nothing.
    pub fn silent(env: EnvId) -> Self {
        Self::new(env, |_| {})
    }

    /// The same environment's recorder that records nothing, for what is done once a second.
    #[must_use]
    pub fn silenced(&self) -> Self {
        Self::silent(self.env.clone())
    }

    /// Records a note for the user.
    pub fn note(&self, text: impl Into<Arc<str>>) {
        self.begin(ActivityKind::Note, text).end(true, "noted");
    }

    /// Starts an activity. `line` is a shell command without secrets.
    pub fn begin(&self, kind: ActivityKind, line: impl Into<Arc<str>>) -> Recording {
        let activity = Activity {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            env: self.env.clone(),
            kind,
            line: line.into(),
            at: jiff::Timestamp::now(),
            words: Arc::default(),
            ending: None,
        };
        (self.tell)(activity.clone());
        Recording {
            recorder: self.clone(),
            activity: Some(activity),
            began: Instant::now(),
        }
    }
}

/// A running activity. If it is dropped before [`Self::end`], it is recorded as stopped.
#[derive(Debug)]
pub struct Recording {
    recorder: Recorder,
    activity: Option<Activity>,
    began: Instant,
}

impl Recording {
    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Shows the messages of the running program.
    pub fn say(&mut self, words: &str) {
        let Some(activity) = &mut self.activity else {
            return;
        };
        // The end has the instructions for the user.
        let from = words.ceil_char_boundary(words.len().saturating_sub(MAX_MESSAGE_BYTES));
        if *activity.words != words[from..] {
            activity.words = words[from..].into();
            (self.recorder.tell)(activity.clone());
        }
    }

    /// Whether [`Self::say`] was called.
    pub fn has_spoken(&self) -> bool {
        self.activity
            .as_ref()
            .is_some_and(|activity| !activity.words.is_empty())
    }

    /// Records the outcome.
    pub fn end(mut self, ok: bool, outcome: impl Into<String>) {
        self.tell_end(ok, outcome.into());
    }

    fn tell_end(&mut self, ok: bool, outcome: String) {
        let Some(mut activity) = self.activity.take() else {
            return;
        };
        activity.ending = Some(ActivityEnding {
            took: self.began.elapsed(),
            ok,
            outcome,
        });
        (self.recorder.tell)(activity);
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.tell_end(false, "stopped".to_owned());
    }
}
