//! Values that are asked for and come later.

use std::time::Duration;

use crate::domain::failure::{Failure, FaultClass};
use crate::protocol::JobId;

/// A value that is asked for; the old one stays while the new one comes.
#[derive(Debug, Clone, Default)]
pub enum Loadable<T> {
    /// Never asked for.
    #[default]
    Absent,
    /// Asked for; perhaps there is an older one.
    Loading {
        /// The job that asks.
        job: JobId,
        /// The last one that came, and when.
        previous: Option<(T, Duration)>,
    },
    /// It came at this moment since the start.
    Ready(T, Duration),
    /// It did not come.
    Failed {
        /// Why.
        why: Failure,
        /// The last one that came, and when.
        previous: Option<(T, Duration)>,
    },
}

impl<T> Loadable<T> {
    /// The newest value there is.
    pub fn value(&self) -> Option<&T> {
        self.with_time().map(|(value, _)| value)
    }

    /// The newest value there is, and when it came.
    pub fn with_time(&self) -> Option<(&T, Duration)> {
        match self {
            Self::Ready(value, at) => Some((value, *at)),
            Self::Loading { previous, .. } | Self::Failed { previous, .. } => {
                previous.as_ref().map(|(value, at)| (value, *at))
            }
            Self::Absent => None,
        }
    }

    /// Whether it is being asked for.
    pub fn is_loading(&self) -> bool {
        matches!(self, Self::Loading { .. })
    }

    /// The job that asks for it.
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Loading { job, .. } => Some(*job),
            _ => None,
        }
    }

    /// Why the last try failed.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { why, .. } => Some(why),
            _ => None,
        }
    }

    /// It is asked for now.
    pub fn begin(&mut self, job: JobId) {
        *self = Self::Loading {
            job,
            previous: self.take_value(),
        };
    }

    /// It has failed since, whoever asks.
    pub(crate) fn fail(&mut self, why: Failure) {
        *self = Self::Failed {
            why,
            previous: self.take_value(),
        };
    }

    /// The newest value there is still holds.
    pub(crate) fn renew(&mut self, now: Duration) {
        if let Some((value, _)) = self.take_value() {
            *self = Self::Ready(value, now);
        }
    }

    /// The answer to `job` came. An answer to an older question is left aside.
    pub fn resolve(&mut self, job: JobId, outcome: Result<T, Failure>, now: Duration) {
        if !matches!(self, Self::Loading { job: asked, .. } if *asked == job) {
            return;
        }
        let previous = self.take_value();
        *self = match outcome {
            Ok(value) => Self::Ready(value, now),
            // After a cancellation the old value stays, and nothing is reported.
            Err(why) if why.class == Some(FaultClass::Cancelled) => {
                previous.map_or(Self::Absent, |(value, at)| Self::Ready(value, at))
            }
            Err(why) => Self::Failed { why, previous },
        };
    }

    fn take_value(&mut self) -> Option<(T, Duration)> {
        match std::mem::replace(self, Self::Absent) {
            Self::Ready(value, at) => Some((value, at)),
            Self::Loading { previous, .. } | Self::Failed { previous, .. } => previous,
            Self::Absent => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_reload_keeps_what_was_there() {
        let mut value = Loadable::default();
        value.begin(JobId(1));
        value.resolve(JobId(1), Ok(5), Duration::from_secs(1));
        value.begin(JobId(2));
        assert!(value.is_loading());
        value.resolve(
            JobId(2),
            Err(Failure::new("no", "")),
            Duration::from_secs(9),
        );
        assert_eq!(value.with_time(), Some((&5, Duration::from_secs(1))));
        assert_eq!(value.failure().map(|f| f.summary.as_str()), Some("no"));
    }

    #[test]
    fn a_late_answer_to_an_old_question_is_left_aside() {
        let mut value = Loadable::default();
        value.begin(JobId(1));
        value.begin(JobId(2));
        value.resolve(JobId(1), Ok("old"), Duration::ZERO);
        assert!(value.is_loading());
        value.resolve(JobId(2), Ok("new"), Duration::ZERO);
        assert_eq!(value.value(), Some(&"new"));
    }
}
