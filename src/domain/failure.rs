//! What went wrong, told to a person.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What kind of trouble it is; figures keep these apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// This machine: no more open files, ports or memory.
    ThisMachine,
    /// The proxy on the way.
    Proxy,
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
    /// A part of the answer cannot be read.
    Unreadable,
    /// The answer holds neither text nor a call.
    NoText,
    /// The user ended it.
    Cancelled,
}

/// What to try, in the words of the face that shows it: a command line has no drawer and no pages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Advice {
    /// For the window, and for both unless a command line has its own.
    window: String,
    /// For a command line, where that differs.
    command_line: Option<String>,
}

impl Advice {
    /// The two faces in words of their own.
    pub fn by_face(window: impl Into<String>, command_line: impl Into<String>) -> Self {
        Self {
            window: window.into(),
            command_line: Some(command_line.into()),
        }
    }

    /// To run the kubectl command that failed; `before` is one or more sentences without a full stop, or empty.
    pub fn rerun_kubectl(before: &str) -> Self {
        let join = |then: &str| {
            if before.is_empty() {
                then.to_owned()
            } else {
                format!("{before}. {then}")
            }
        };
        Self::by_face(
            join(
                "Run the command from the Activity drawer in a terminal to see all that it prints",
            ),
            join(
                "Run kubectl itself with the same --kubeconfig and --context to see all that it prints",
            ),
        )
    }

    /// The same with more behind it.
    #[must_use]
    pub fn then(self, more: impl Into<Self>) -> Self {
        let more = more.into();
        let join = |first: &str, second: &str| match (first.is_empty(), second.is_empty()) {
            (true, _) => second.to_owned(),
            (_, true) => first.to_owned(),
            (false, false) => format!("{first}. {second}"),
        };
        let command_line =
            (self.command_line.is_some() || more.command_line.is_some()).then(|| {
                let own = |advice: &Self| {
                    advice
                        .command_line
                        .clone()
                        .unwrap_or_else(|| advice.window.clone())
                };
                join(&own(&self), &own(&more))
            });
        Self {
            window: join(&self.window, &more.window),
            command_line,
        }
    }
}

impl From<String> for Advice {
    fn from(both: String) -> Self {
        Self {
            window: both,
            command_line: None,
        }
    }
}

impl From<&str> for Advice {
    fn from(both: &str) -> Self {
        both.to_owned().into()
    }
}

impl From<&String> for Advice {
    fn from(both: &String) -> Self {
        both.clone().into()
    }
}

/// An error as the user meets it: what happened, what to try, and the private words last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// What happened and why, one sentence without a full stop.
    pub summary: String,
    /// What to try. May be empty when there is nothing to try.
    pub advice: String,
    /// The same for a command line, where that differs; read it with [`Self::advice_on_command_line`].
    pub cli_advice: Option<Box<str>>,
    /// The other program's own words (kubectl's stderr, a server's body). Shown on request.
    pub details: String,
    /// How long the server asked to wait before the next try.
    pub retry_after: Option<Duration>,
    /// What kind of trouble it is, where a program must tell.
    pub class: Option<FaultClass>,
}

impl Failure {
    /// A failure with advice and no words from elsewhere.
    pub fn new(summary: impl Into<String>, advice: impl Into<Advice>) -> Self {
        let Advice {
            window,
            command_line,
        } = advice.into();
        Self {
            summary: summary.into(),
            advice: window,
            cli_advice: command_line.map(Into::into),
            ..Self::default()
        }
    }

    /// What to try, for a reader on a command line.
    pub fn advice_on_command_line(&self) -> &str {
        self.cli_advice.as_deref().unwrap_or(&self.advice)
    }

    /// What happened and what to try, for a reader on a command line.
    pub fn told_on_command_line(&self) -> String {
        let advice = self.advice_on_command_line();
        if advice.is_empty() {
            self.summary.clone()
        } else {
            format!("{}. {advice}", self.summary)
        }
    }

    /// The same, with what kind of trouble it is.
    #[must_use]
    pub fn of_class(self, class: FaultClass) -> Self {
        Self {
            class: Some(class),
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

impl FaultClass {
    /// Every class.
    pub const ALL: [Self; 18] = [
        Self::HostUnknown,
        Self::Unreachable,
        Self::Tls,
        Self::Timeout,
        Self::Dropped,
        Self::ThisMachine,
        Self::Proxy,
        Self::KeyRefused,
        Self::ModelNotFound,
        Self::BadRequest,
        Self::RateLimited,
        Self::IngressLimited,
        Self::QueueFull,
        Self::Server,
        Self::NotAnApi,
        Self::Unreadable,
        Self::NoText,
        Self::Cancelled,
    ];

    /// In snake case, as reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::HostUnknown => "host_unknown",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Dropped => "dropped",
            Self::ThisMachine => "this_machine",
            Self::Proxy => "proxy",
            Self::KeyRefused => "key_refused",
            Self::ModelNotFound => "model_not_found",
            Self::BadRequest => "bad_request",
            Self::RateLimited => "rate_limited",
            Self::IngressLimited => "ingress_limited",
            Self::QueueFull => "queue_full",
            Self::Server => "server",
            Self::NotAnApi => "not_an_api",
            Self::Unreadable => "unreadable",
            Self::NoText => "no_text",
            Self::Cancelled => "cancelled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_in_the_words_of_the_face_that_shows_it() {
        let advice =
            Advice::from("Try again").then(Advice::by_face("Check Environments", "Check --api"));
        let failure = Failure::new("It failed", advice);
        assert_eq!(failure.advice, "Try again. Check Environments");
        assert_eq!(failure.advice_on_command_line(), "Try again. Check --api");
        assert_eq!(
            failure.told_on_command_line(),
            "It failed. Try again. Check --api"
        );
        assert_eq!(
            Failure::new("It failed", "Try again").advice_on_command_line(),
            "Try again"
        );
        assert_eq!(
            Failure::new("It failed", "").told_on_command_line(),
            "It failed"
        );
        let failure = Failure::new("x", Advice::by_face("a secret-key", "b secret-key"));
        let secret = crate::domain::redact::Redactor::new(["secret-key"]).clean_failure(failure);
        assert_eq!(
            (secret.advice.as_str(), secret.advice_on_command_line()),
            ("a ••••", "b ••••")
        );
    }
}
