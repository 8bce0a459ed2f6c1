//! The waits between attempts to reconnect.

use std::time::{Duration, SystemTime};

use super::Pace;
use crate::domain::random::Random;

/// Growing, randomized waits.
pub(super) struct Waits {
    first: Duration,
    longest: Duration,
    pub(super) tries: u32,
    random: Random,
}

impl Waits {
    pub(super) fn new(pace: &Pace) -> Self {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let random = Random::new(since.as_nanos() as u64);
        Self {
            first: pace.first_wait,
            longest: pace.longest_wait,
            tries: 0,
            random,
        }
    }

    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }

    /// The next wait, reduced by a random part of at most a half.
    pub(super) fn next(&mut self) -> Duration {
        let whole = self
            .first
            .saturating_mul(1 << self.tries.min(16))
            .min(self.longest);
        self.tries += 1;
        whole.mul_f64(0.5 + self.random.below(1_000) as f64 / 2_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_vary_and_are_bounded() {
        let pace = Pace::default();
        let mut waits = Waits::new(&pace);
        let told: Vec<Duration> = (0..40).map(|_| waits.next()).collect();
        for (i, wait) in told.iter().enumerate() {
            let whole = pace
                .first_wait
                .saturating_mul(1 << i.min(16))
                .min(pace.longest_wait);
            assert!(*wait >= whole / 2 && *wait <= whole, "{i}: {wait:?}");
        }
        let late: std::collections::HashSet<_> = told[10..].iter().collect();
        assert!(late.len() > 5, "they vary: {told:?}");
        waits.reset();
        assert!(waits.next() <= pace.first_wait);
    }
}
