//! How late bytes were read, as a worker counts it.

use std::time::Duration;

use crate::domain::run::Clock;
use crate::metrics::stats::{Histogram, Scale};

/// How long bytes waited to be read on a worker's connections, as far as the kernel told.
pub(super) struct Reads {
    pub(super) waits: Histogram,
    /// Of the bytes that ended answers, until the answer was known to be over.
    pub(super) ends: Histogram,
    /// Reads of which the kernel did not tell.
    pub(super) untold: u64,
    /// It has told, in this level or before.
    pub(super) has_told: bool,
}

impl Default for Reads {
    fn default() -> Self {
        Self {
            waits: Histogram::new(Scale::Time),
            ends: Histogram::new(Scale::Time),
            untold: 0,
            has_told: false,
        }
    }
}

impl Reads {
    pub(super) fn read(&mut self, waited: Option<Duration>) {
        match waited {
            Some(waited) => {
                self.waits.record(waited);
                self.has_told = true;
            }
            None => self.untold += 1,
        }
    }

    pub(super) fn ended(&mut self, late: Duration) {
        self.ends.record(late);
    }

    pub(super) fn have_waits(&self) -> bool {
        self.has_told
    }

    /// What was not taken before.
    pub(super) fn take(&mut self) -> Self {
        let has_told = self.has_told;
        std::mem::replace(
            self,
            Self {
                has_told,
                ..Self::default()
            },
        )
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.waits.merge(&other.waits);
        self.ends.merge(&other.ends);
        self.untold += other.untold;
    }

    /// Where the times of arrival come from.
    pub(super) fn clock(&self) -> Option<Clock> {
        match (self.waits.count(), self.untold) {
            (0, 0) => None,
            (_, 0) => Some(Clock::Kernel),
            (0, _) => Some(Clock::Process),
            _ => Some(Clock::Mixed),
        }
    }
}
