//! What a worker sees of itself: how late its bytes were read and its timers fired, and the CPU time that it used. The
//! session takes it now and then, so that a worker that watches itself wakes nobody.

use std::time::{Duration, Instant};

use super::alarm::AlarmRings;
use crate::domain::run::Clock;
use crate::metrics::stats::{Histogram, Scale};
use crate::wire::worker::LaneSeen;

/// How often a thread looks whether it is late.
pub(super) const PROBE_INTERVAL: Duration = Duration::from_millis(20);
/// The same where the kernel tells how late each read was: waking up is most of what one stream costs.
pub(super) const TOLD_PROBE_INTERVAL: Duration = Duration::from_millis(100);
/// Of one long sleep so many rings are counted at most: twenty minutes.
const MOST_RINGS: u32 = 1 << 16;

/// What a worker saw of itself since it was last asked.
pub(super) struct OwnWatch {
    /// How long bytes waited to be read, as far as the kernel told.
    pub(super) waits: Histogram,
    /// Of the bytes that ended answers, until the answer was known to be over.
    pub(super) ends: Histogram,
    /// How late the alarm was noticed, for what the kernel does not tell.
    pub(super) probes: Histogram,
    /// How late timers fired.
    pub(super) timers: Histogram,
    /// The thread's CPU time as it was looked at first, since this was last asked, and last.
    pub(super) cpu: Option<[(Instant, Duration); 2]>,
    /// Reads of which the kernel did not tell.
    untold: u64,
    /// It has told, in this level or before.
    has_told: bool,
}

impl Default for OwnWatch {
    fn default() -> Self {
        let empty = || Histogram::new(Scale::Time);
        Self {
            waits: empty(),
            ends: empty(),
            probes: empty(),
            timers: empty(),
            cpu: None,
            untold: 0,
            has_told: false,
        }
    }
}

impl OwnWatch {
    pub(super) fn read(&mut self, waited: Option<Duration>) {
        match waited {
            Some(waited) => {
                self.waits.record(waited);
                self.has_told = true;
            }
            None => self.untold += 1,
        }
    }

    /// An answer was known to be over so long after its last bytes came.
    pub(super) fn ended(&mut self, late: Duration) {
        self.ends.record(late);
    }

    /// A timer fired so late; until now the thread used so much CPU time, where that is known.
    pub(super) fn timer_fired(&mut self, late: Duration, used: Option<Duration>) {
        self.timers.record(late);
        if let Some(used) = used {
            self.used(Instant::now(), used);
        }
    }

    /// The thread had used so much CPU time at that moment.
    fn used(&mut self, at: Instant, used: Duration) {
        let now = (at, used);
        self.cpu = Some([self.cpu.map_or(now, |[first, _]| first), now]);
    }

    pub(super) fn alarm_rang(&mut self, AlarmRings { late, times }: AlarmRings) {
        // A byte that comes amid a long sleep waits for what is left of it.
        for n in 0..times.min(MOST_RINGS) {
            self.probes.record(late.saturating_sub(PROBE_INTERVAL * n));
        }
    }

    /// Whether the kernel tells when bytes came.
    pub(super) fn has_waits(&self) -> bool {
        self.has_told
    }

    /// What was not taken before; `None` where nothing was seen.
    pub(super) fn take(&mut self) -> Option<Self> {
        let seen = [&self.waits, &self.ends, &self.probes, &self.timers];
        if self.untold == 0 && seen.iter().all(|seen| seen.count() == 0) {
            return None;
        }
        let has_told = self.has_told;
        Some(std::mem::replace(
            self,
            Self {
                has_told,
                ..Self::default()
            },
        ))
    }

    /// As another process is told it; `at_ns` is the moment of a session.
    pub(super) fn told(&self, at_ns: impl Fn(Instant) -> u64) -> LaneSeen {
        LaneSeen {
            cpu_ns: self
                .cpu
                .map(|[_, (at, used)]| [at_ns(at), used.as_nanos() as u64]),
            waits_us: self.waits.counts(),
            ends_us: self.ends.counts(),
            probes_us: self.probes.counts(),
            timers_us: self.timers.counts(),
            untold: self.untold,
            ..LaneSeen::default()
        }
    }

    /// Adds what another process has told; `at` is the moment of its session.
    pub(super) fn hear(&mut self, seen: &LaneSeen, at: impl Fn(u64) -> Instant) {
        self.waits.add_counts(&seen.waits_us);
        self.ends.add_counts(&seen.ends_us);
        self.probes.add_counts(&seen.probes_us);
        self.timers.add_counts(&seen.timers_us);
        self.untold += seen.untold;
        if let Some([when, used]) = seen.cpu_ns {
            self.used(at(when), Duration::from_nanos(used));
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.waits.merge(&other.waits);
        self.ends.merge(&other.ends);
        self.probes.merge(&other.probes);
        self.timers.merge(&other.timers);
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
