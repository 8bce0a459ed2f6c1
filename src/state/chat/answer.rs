//! An answer as it grows.

use std::time::Duration;

use super::Form;
use crate::domain::exchange::Reply;
use crate::domain::failure::Failure;
use crate::domain::printable::is_blank;
use crate::protocol::{FinishReason, JobId};

/// An answer is told of so often; a silence up to this is none.
const JITTER: Duration = Duration::from_millis(100);
/// A silence amid an answer is said from here on.
const SILENCE: Duration = Duration::from_secs(1);

/// An answer as it grows.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The model's serving name.
    pub model: String,
    /// As it is called in the charts: the model, with a number where two panes have the same one.
    pub series: String,
    /// The deployment that was picked.
    pub deployment: Option<String>,
    /// It waits until those before it have answered.
    pub queued: bool,
    /// What came.
    pub reply: Reply,
    /// What was asked for besides words, and what was found of it.
    pub form: Form,
    /// How far it is.
    pub status: AnswerStatus,
    /// When it was asked, since the program's start.
    pub asked_at: Duration,
    /// When more of it came last.
    pub heard_at: Option<Duration>,
    /// When it ended.
    pub ended_at: Option<Duration>,
}

/// How far an answer is.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerStatus {
    /// Under way.
    Streaming(JobId),
    /// Complete.
    Finished(FinishReason),
    /// The user stopped it.
    Stopped,
    /// It failed; what had arrived stays.
    Failed(Failure),
}

impl Answer {
    /// How long the server asked to wait before it is asked again; `None` when that time has come.
    pub fn wait_before_retry(&self, now: Duration) -> Option<Duration> {
        let AnswerStatus::Failed(failure) = &self.status else {
            return None;
        };
        let until = self.ended_at?.checked_add(failure.retry_after?)?;
        until.checked_sub(now).filter(|wait| !wait.is_zero())
    }

    /// How long nothing has come of an answer under way whose text has begun.
    pub fn silent_for(&self, now: Duration) -> Option<Duration> {
        let streaming = !self.status_is_final() && self.reply.figures.ttft.is_some();
        Some(now.saturating_sub(self.heard_at?)).filter(|_| streaming)
    }

    /// The same, once it is worth a word.
    pub fn stalled_for(&self, now: Duration) -> Option<Duration> {
        self.silent_for(now).filter(|silent| *silent >= SILENCE)
    }

    /// Tokens per second so far: that of an answer under way falls while nothing comes.
    pub fn speed(&self, now: Duration) -> Option<f64> {
        let speed = self.reply.figures.tokens_per_sec?;
        let silent = self
            .silent_for(now)
            .filter(|silent| *silent > JITTER)
            .unwrap_or_default();
        let tokens = self
            .reply
            .figures
            .tokens
            .map_or(0, |tokens| tokens.n)
            .saturating_sub(1) as f64;
        Some(tokens / (tokens / speed + silent.as_secs_f64())).filter(|speed| speed.is_finite())
    }

    /// Whether nothing more comes.
    pub fn status_is_final(&self) -> bool {
        !matches!(self.status, AnswerStatus::Streaming(_))
    }

    /// Why there is no text to read although the answer is complete.
    pub fn empty_because(&self) -> Option<&'static str> {
        let AnswerStatus::Finished(reason) = &self.status else {
            return None;
        };
        if !is_blank(&self.reply.text) || !self.reply.calls.is_empty() {
            return None;
        }
        Some(reason.why_empty(!is_blank(&self.reply.reasoning)))
    }

    /// Why an answer with text is not all the model had to say.
    pub fn cut_because(&self) -> Option<&'static str> {
        match &self.status {
            AnswerStatus::Finished(_)
                if is_blank(&self.reply.text) && self.reply.calls.is_empty() =>
            {
                None
            }
            AnswerStatus::Finished(FinishReason::Length) => {
                Some("Cut: max tokens or the context's end was reached")
            }
            AnswerStatus::Finished(FinishReason::ContentFilter) => Some("Cut by a content filter"),
            AnswerStatus::Finished(FinishReason::Other(Some(_))) => {
                Some("The server gave an unknown finish reason; the answer may be incomplete")
            }
            AnswerStatus::Stopped => Some("Stopped"),
            _ => None,
        }
    }
}
