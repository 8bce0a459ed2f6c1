//! What a server was found not to take in a request.

use serde::{Deserialize, Serialize};

/// Fields that Batida adds to a request or names, and that a server refused: later requests go without them. Each
/// environment learns it for each of its models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Dialect {
    /// It takes no `stream_options`. Then it may not count tokens.
    pub no_stream_options: bool,
    /// It takes `max_completion_tokens` in place of `max_tokens`.
    pub max_completion_tokens: bool,
    /// It takes no `ignore_eos`.
    pub no_ignore_eos: bool,
}

impl Dialect {
    /// Whether it takes everything as usual.
    pub fn is_usual(self) -> bool {
        self == Self::default()
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            no_stream_options: self.no_stream_options || other.no_stream_options,
            max_completion_tokens: self.max_completion_tokens || other.max_completion_tokens,
            no_ignore_eos: self.no_ignore_eos || other.no_ignore_eos,
        }
    }

    /// What is in `self` and not in `before`, a sentence each, without a full stop.
    pub fn notes_since(self, before: Self) -> Vec<&'static str> {
        let all = [
            (
                self.no_stream_options && !before.no_stream_options,
                "The server refuses stream_options: requests go without it, and tokens are counted only if it counts them unasked",
            ),
            (
                self.max_completion_tokens && !before.max_completion_tokens,
                "The server refuses max_tokens: requests say max_completion_tokens instead",
            ),
            (
                self.no_ignore_eos && !before.no_ignore_eos,
                "The server refuses ignore_eos: requests go without it, and answers may end before max_tokens",
            ),
        ];
        all.into_iter()
            .filter(|(new, _)| *new)
            .map(|(_, note)| note)
            .collect()
    }
}
