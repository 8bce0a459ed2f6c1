//! What went wrong, told to a person.

use std::time::Duration;

/// What kind of trouble it is; figures keep these apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultClass {
    /// No address for the host's name.
    HostUnknown,
    /// The host refused, or no way leads there.
    Unreachable,
    /// The certificate or the handshake.
    Tls,
    /// No answer in time, ours or the server's.
    Timeout,
    /// The connection ended amid the answer.
    Dropped,
    /// The key.
    KeyRefused,
    /// The API does not route that name.
    ModelNotFound,
    /// The request itself: a parameter, the context length, the size.
    BadRequest,
    /// Too many requests for the key.
    RateLimited,
    /// Too many requests for an ingress before the API.
    IngressLimited,
    /// Too many requests in flight for the server.
    QueueFull,
    /// The server failed.
    Server,
    /// What answered is no such API.
    NotAnApi,
    /// The user ended it.
    Cancelled,
}

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
    /// What kind of trouble it is, where a program must tell.
    pub class: Option<FaultClass>,
}

impl Failure {
    /// A failure with advice and no words from elsewhere.
    pub fn new(summary: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { summary: summary.into(), advice: advice.into(), ..Self::default() }
    }

    /// The same, with what kind of trouble it is.
    #[must_use]
    pub fn of_class(self, class: FaultClass) -> Self {
        Self { class: Some(class), ..self }
    }

    /// Takes a secret out of every text.
    #[must_use]
    pub fn without(self, secret: &str) -> Self {
        // Short ones are no secrets: `test` would make holes in honest words.
        if secret.len() < 8 {
            return self;
        }
        let clean = |text: String| text.replace(secret, "••••");
        Self {
            summary: clean(self.summary),
            advice: clean(self.advice),
            details: clean(self.details),
            ..self
        }
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
