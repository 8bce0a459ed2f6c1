//! A container's log as far as it was read.

use std::collections::VecDeque;

use crate::domain::failure::Failure;
use crate::protocol::{JobId, LogSource};

/// Older lines are forgotten.
const MOST: usize = 10_000;

/// A log that is open.
#[derive(Debug)]
pub struct LogState {
    /// Whose it is.
    pub source: LogSource,
    /// The job that follows it; `None` once it has ended.
    pub job: Option<JobId>,
    /// Why it ended, if that was no regular end.
    pub failure: Option<Failure>,
    /// The text that lines are looked for by.
    pub search: String,
    lines: VecDeque<String>,
}

impl LogState {
    pub(super) fn new(source: LogSource, job: JobId) -> Self {
        Self {
            source,
            job: Some(job),
            failure: None,
            search: String::new(),
            lines: VecDeque::new(),
        }
    }

    pub(super) fn advance(&mut self, job: JobId, lines: Vec<String>) {
        if self.job != Some(job) {
            return;
        }
        self.lines.extend(lines);
        let surplus = self.lines.len().saturating_sub(MOST);
        self.lines.drain(..surplus);
    }

    pub(super) fn end(&mut self, job: JobId, outcome: Result<(), Failure>) {
        if self.job == Some(job) {
            self.job = None;
            self.failure = outcome.err();
        }
    }

    /// The lines that hold what is looked for, whatever their letters' case; oldest first.
    pub fn found(&self) -> Vec<&str> {
        let wanted = self.search.to_lowercase();
        let holds = |line: &&str| wanted.is_empty() || line.to_lowercase().contains(&wanted);
        self.lines
            .iter()
            .map(String::as_str)
            .filter(holds)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> LogState {
        let source = LogSource {
            pod: "p".to_owned(),
            container: "inf".to_owned(),
            previous: false,
        };
        LogState::new(source, JobId(1))
    }

    #[test]
    fn lines_are_found_whatever_their_case() {
        let mut log = log();
        log.advance(
            JobId(1),
            ["Loading", "ERROR: no", "ready"]
                .map(str::to_owned)
                .to_vec(),
        );
        log.advance(JobId(7), vec!["of another job".to_owned()]);
        assert_eq!(log.found().len(), 3);
        log.search = "error".to_owned();
        assert_eq!(log.found(), ["ERROR: no"]);
    }

    #[test]
    fn old_lines_are_forgotten() {
        let mut log = log();
        log.advance(JobId(1), (0..MOST + 5).map(|i| i.to_string()).collect());
        assert_eq!((log.found().len(), log.found()[0]), (MOST, "5"));
        log.end(JobId(1), Err(Failure::new("gone", "")));
        assert!(log.job.is_none() && log.failure.is_some());
    }
}
