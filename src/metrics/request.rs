//! One request of a benchmark, from when it was due to its end, and the figures that follow.
//!
//! All moments are counted from the session's beginning, on the monotonic clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::timeline::{Figures, Tokens};
use crate::domain::failure::FaultClass;

/// One request that ended, well or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Counts the session's requests from 0, warm-ups included.
    pub index: u64,
    /// The level's index in the session.
    pub level: usize,
    /// What it was sent for.
    pub phase: Phase,
    /// When it should have left: its moment in the schedule, or, in a closed loop, when it left.
    pub due: Duration,
    /// Just before its first byte was written (or its connection opened).
    pub sent: Duration,
    /// When it ended, well or not.
    pub ended: Duration,
    /// Its figures, counted from `sent`. Those of a failed request are for looking at only.
    pub figures: Figures,
    /// Response's first byte, from `sent`.
    pub first_byte: Option<Duration>,
    /// The gaps between chunks with text, in µs.
    pub gaps_us: Vec<u32>,
    /// Chunks with text.
    pub chunks: u64,
    /// Bytes of the response's body, as sent over the wire after decryption.
    pub bytes: u64,
    /// What it was asked to be, in tokens; for synthetic prompts.
    pub wanted_prompt_tokens: Option<u32>,
    /// The model that answered, where it was another one than was asked.
    pub answered_by: Option<String>,
    /// The server had closed the connection that was open, and it was sent once more on a new one. `sent` is the first
    /// time.
    pub reconnected: bool,
    /// Why it failed; `None` when it ended well.
    pub error: Option<RequestError>,
}

/// What a request was sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Left out of the figures.
    Warmup,
    /// The first after a switch of the model: its time is the switching time; out of the other figures.
    Switch,
    /// In the figures.
    Measured,
    /// By a client that hangs up before its answer is complete, as the plan says: it loads the server as those that are
    /// measured do, and is in no figure of time. Ended early, its error is [`FaultClass::Cancelled`].
    HangUp,
}

impl Phase {
    /// As it stands in files of rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warmup => "warmup",
            Self::Switch => "switch",
            Self::Measured => "measured",
            Self::HangUp => "hang_up",
        }
    }

    /// Whether it is one of the requests that the plan asks for, and no warm-up.
    pub fn is_load(self) -> bool {
        matches!(self, Self::Measured | Self::HangUp)
    }
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestError {
    /// What kind of trouble; `None` for what is none of them.
    pub class: Option<FaultClass>,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// In words, without a secret.
    pub text: String,
}

impl RequestRecord {
    /// How late it left against its schedule.
    pub fn late(&self) -> Duration {
        self.sent.saturating_sub(self.due)
    }

    /// Time to first token, from when it was due: a stalled server cannot flatter itself.
    pub fn ttft(&self) -> Option<Duration> {
        Some(self.figures.ttft? + self.late())
    }

    /// Time to the first token of the answer proper, from when it was due.
    pub fn first_answer(&self) -> Option<Duration> {
        Some(self.figures.first_answer? + self.late())
    }

    /// From when it was due to its end.
    pub fn latency(&self) -> Option<Duration> {
        Some(self.figures.latency? + self.late())
    }

    /// Time per output token: (last token − first token) / (tokens − 1).
    pub fn tpot(&self) -> Option<Duration> {
        self.figures.tpot
    }

    /// Tokens per second as this user saw them: (tokens − 1) / (last token − first token).
    pub fn user_speed(&self) -> Option<f64> {
        self.figures.tokens_per_sec
    }

    /// Output tokens, reasoning included, and who counted.
    pub fn tokens(&self) -> Option<Tokens> {
        self.figures.tokens
    }

    /// Whether it was given up, by its client or by who stopped the level: neither an answer nor a failure.
    pub fn was_given_up(&self) -> bool {
        let error = self.error.as_ref();
        error.is_some_and(|error| error.class == Some(FaultClass::Cancelled))
    }

    /// Whether it is one of those measured, and ended well or not, but was not aborted.
    pub fn is_measured(&self) -> bool {
        self.phase == Phase::Measured && !self.was_given_up()
    }

    /// Whether it ended well and is one of those measured.
    pub fn counts(&self) -> bool {
        self.error.is_none() && self.phase == Phase::Measured
    }
}
