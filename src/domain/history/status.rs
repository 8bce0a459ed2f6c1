//! How a session went, as its row says it: one word beside a sign, and all of it where there is room.

use super::{SessionRow, SessionState};
use crate::domain::units;

/// How a session went; what weighs most, where several things are to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Under way.
    Running,
    /// It failed, or every request of it did.
    Failed,
    /// Batida ended while it ran.
    Interrupted,
    /// The user, or one of its limits, stopped it.
    Stopped,
    /// Some of its requests failed.
    Errors,
    /// It may have changed its own figures.
    Warnings,
    /// Nothing is to be said.
    Complete,
}

impl SessionState {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

impl SessionRow {
    /// All that is to be said of how it went, what weighs most first.
    fn statuses(&self) -> Vec<(Status, String)> {
        let Self {
            requests,
            errors,
            warnings,
            ..
        } = *self;
        let state = match self.state {
            SessionState::Running => Some(Status::Running),
            SessionState::Failed => Some(Status::Failed),
            SessionState::Interrupted => Some(Status::Interrupted),
            SessionState::Stopped => Some(Status::Stopped),
            SessionState::Complete => None,
        };
        let mut all: Vec<_> = state
            .map(|status| (status, self.state.word().to_owned()))
            .into_iter()
            .collect();
        if errors > 0 && errors >= requests && state.is_none() {
            all.push((Status::Failed, "failed".to_owned()));
        } else if errors > 0 {
            all.push((Status::Errors, format!("{} failed", units::count(errors))));
        }
        if warnings > 0 {
            let warnings = usize::try_from(warnings).unwrap_or(usize::MAX);
            all.push((Status::Warnings, units::counted(warnings, "warning")));
        }
        if all.is_empty() {
            all.push((Status::Complete, self.state.word().to_owned()));
        }
        all
    }

    /// What weighs most of how it went.
    pub fn status(&self) -> Status {
        self.statuses()[0].0
    }

    /// That in at most two words, e.g. `3 warnings`.
    pub fn status_word(&self) -> String {
        self.statuses().swap_remove(0).1
    }

    /// How it went, e.g. `stopped, 2 failed, 3 warnings`.
    pub fn status_told(&self) -> String {
        let all = self.statuses().into_iter().map(|(_, words)| words);
        all.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_weighs_most_is_said_first_and_the_rest_is_not_lost() {
        let row = |state, requests, errors, warnings| SessionRow {
            state,
            requests,
            errors,
            warnings,
            ..crate::export::sample::bench(1.0).row
        };
        use SessionState as State;
        for (row, status, word, told) in [
            (
                row(State::Complete, 9, 0, 0),
                Status::Complete,
                "complete",
                "complete",
            ),
            (
                row(State::Complete, 9, 0, 1),
                Status::Warnings,
                "1 warning",
                "1 warning",
            ),
            (
                row(State::Complete, 9, 2, 3),
                Status::Errors,
                "2 failed",
                "2 failed, 3 warnings",
            ),
            (
                row(State::Complete, 9, 9, 0),
                Status::Failed,
                "failed",
                "failed",
            ),
            (
                row(State::Stopped, 9, 9, 3),
                Status::Stopped,
                "stopped",
                "stopped, 9 failed, 3 warnings",
            ),
            (
                row(State::Running, 0, 0, 0),
                Status::Running,
                "running",
                "running",
            ),
            (
                row(State::Interrupted, 4, 0, 0),
                Status::Interrupted,
                "interrupted",
                "interrupted",
            ),
        ] {
            assert_eq!(
                (row.status(), &*row.status_word(), &*row.status_told()),
                (status, word, told)
            );
        }
    }
}
