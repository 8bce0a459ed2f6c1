//! What the user is told in passing.

use std::path::PathBuf;

use crate::domain::failure::Failure;

/// Something to tell the user in passing.
#[derive(Debug, Clone)]
pub struct Notice {
    /// A failure stays until it is dismissed.
    pub failure: Option<Failure>,
    /// A short sentence.
    pub text: String,
}

/// What is to be shown.
#[derive(Debug, Default)]
pub struct Notices {
    list: Vec<Notice>,
}

impl Notices {
    /// Tells a success, or another piece of news.
    pub fn tell(&mut self, text: impl Into<String>) {
        self.list.push(Notice {
            failure: None,
            text: text.into(),
        });
    }

    /// Tells a failure.
    pub fn fail(&mut self, failure: Failure) {
        self.list.push(Notice {
            text: failure.summary.clone(),
            failure: Some(failure),
        });
    }

    /// Tells a failure, if there is one.
    pub(super) fn fail_if_any(&mut self, failure: Option<Failure>) {
        failure.into_iter().for_each(|failure| self.fail(failure));
    }

    /// A file was saved, or not; `None` where the user gave none.
    pub(super) fn file_saved(&mut self, what: &str, outcome: Result<Option<PathBuf>, Failure>) {
        match outcome {
            Ok(Some(path)) => self.tell(format!("{what} saved as {}", path.display())),
            Ok(None) => {}
            Err(failure) => self.fail(failure),
        }
    }

    /// Something was copied to the clipboard, or not.
    pub(super) fn copied(&mut self, what: &str, outcome: Result<(), Failure>) {
        match outcome {
            Ok(()) => self.tell(format!("{what} copied")),
            Err(failure) => self.fail(failure),
        }
    }

    /// Adds a notice.
    pub(super) fn add(&mut self, notice: Notice) {
        self.list.push(notice);
    }

    /// All that was not taken yet, oldest first.
    pub fn all(&self) -> &[Notice] {
        &self.list
    }

    /// Takes all that was not taken yet, oldest first.
    pub fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.list)
    }
}
