//! What went wrong, told to a person.

use std::time::Duration;

/// An error as the user meets it: what happened, what to try, and the private words last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failure {
    /// What happened and why, one sentence without a full stop.
    pub summary: String,
    /// What to try. May be empty when there is nothing to try.
    pub advice: String,
    /// The other program's own words (kubectl's stderr, a server's body). Shown on request.
    pub details: String,
    /// How long the server asked to wait before the next try.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure with advice and no words from elsewhere.
    pub fn new(summary: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { summary: summary.into(), advice: advice.into(), ..Self::default() }
    }

    /// Adds the other program's own words.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.summary)?;
        if !self.advice.is_empty() {
            write!(f, ". {}", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
