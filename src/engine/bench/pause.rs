//! How long a session was paused: what was due meanwhile is due that much later.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Counts the time of all pauses, the one under way included.
#[derive(Debug, Default)]
pub(super) struct Pauses(Mutex<Times>);

#[derive(Debug, Clone, Copy, Default)]
struct Times {
    over: Duration,
    since: Option<Instant>,
}

impl Pauses {
    /// It is paused from `now` on, or goes on.
    pub(super) fn set(&self, paused: bool, now: Instant) {
        let mut times = self.0.lock();
        match (times.since, paused) {
            (None, true) => times.since = Some(now),
            (Some(since), false) => {
                *times = Times {
                    over: times.over + now.saturating_duration_since(since),
                    since: None,
                };
            }
            _ => {}
        }
    }

    /// All of it up to `now`.
    pub(super) fn until(&self, now: Instant) -> Duration {
        let times = *self.0.lock();
        times.over
            + times
                .since
                .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_add_up_and_the_one_under_way_counts() {
        let (pauses, began) = (Pauses::default(), Instant::now());
        let at = |ms| began + Duration::from_millis(ms);
        pauses.set(false, at(1));
        pauses.set(true, at(10));
        pauses.set(true, at(20));
        assert_eq!(pauses.until(at(30)), Duration::from_millis(20));
        pauses.set(false, at(40));
        assert_eq!(pauses.until(at(90)), Duration::from_millis(30));
        pauses.set(true, at(100));
        assert_eq!(pauses.until(at(105)), Duration::from_millis(35));
    }
}
