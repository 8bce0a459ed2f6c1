//! When requests are due, counted from the beginning of their level.

use std::time::Duration;

use super::trace::Trace;
use crate::domain::plan::{Arrivals, LevelLoad};
use crate::domain::random::Random;
use crate::domain::units;

/// The moments at which a level's requests are due, one after the other.
#[derive(Debug, Clone)]
pub struct Schedule(Kind);

#[derive(Debug, Clone)]
enum Kind {
    AtOnce,
    Rate {
        per_sec: f64,
        ramp_up: f64,
        arrivals: Arrivals,
        random: Random,
        /// Requests expected up to the next one, at the rate that then held.
        expected: f64,
        sent: u64,
    },
    Trace {
        trace: Trace,
        next: usize,
    },
}

impl Schedule {
    /// The schedule of `load`. With `ramp_up`, a rate rises evenly from nothing to its full height over that
    /// time; a trace keeps its own times. Poisson arrivals are the same for the same `seed`.
    pub fn new(load: &LevelLoad, ramp_up: Duration, seed: u64, trace: Option<&Trace>) -> Self {
        Self(match (load, trace) {
            (LevelLoad::Trace { .. }, Some(trace)) => Kind::Trace {
                trace: trace.clone(),
                next: 0,
            },
            (
                LevelLoad::Rate {
                    per_sec, arrivals, ..
                },
                _,
            ) => {
                let mut random = Random::at(&[seed, ARRIVALS]);
                let expected = match arrivals {
                    Arrivals::Constant => 0.0,
                    Arrivals::Poisson => random.exponential(),
                };
                let ramp_up = ramp_up.as_secs_f64();
                Kind::Rate {
                    per_sec: *per_sec,
                    ramp_up,
                    arrivals: *arrivals,
                    random,
                    expected,
                    sent: 0,
                }
            }
            _ => Kind::AtOnce,
        })
    }

    /// When the next request is due, never before the one before it. Where requests wait for answers and
    /// not for moments (a closed loop, or as fast as it goes) that is zero, always. `None` at the end of a
    /// trace.
    pub fn due(&mut self) -> Option<Duration> {
        match &mut self.0 {
            Kind::AtOnce => Some(Duration::ZERO),
            Kind::Rate {
                per_sec,
                ramp_up,
                arrivals,
                random,
                expected,
                sent,
            } => {
                let due = moment(*expected, *per_sec, *ramp_up);
                *sent += 1;
                match arrivals {
                    // Not added up, so that a million gaps have no million rounding errors.
                    Arrivals::Constant => *expected = *sent as f64,
                    Arrivals::Poisson => *expected += random.exponential(),
                }
                Some(units::checked_seconds(due).unwrap_or(units::LONGEST))
            }
            Kind::Trace { trace, next } => {
                let due = trace.due(*next)?;
                *next += 1;
                Some(due)
            }
        }
    }
}

/// Sets arrivals apart from all else that is drawn with the plan's seed.
const ARRIVALS: u64 = 0xA221;

/// When `expected` requests are due: the rate is `per_sec`·t/`ramp_up` at first, and `per_sec` later.
fn moment(expected: f64, per_sec: f64, ramp_up: f64) -> f64 {
    let rising = per_sec * ramp_up / 2.0;
    if expected < rising {
        (2.0 * expected * ramp_up / per_sec).sqrt()
    } else {
        ramp_up + (expected - rising) / per_sec
    }
}

/// When `client` (from 0) of a closed loop sends its first request: evenly over `ramp_up`, the first at once.
pub fn client_start(client: u32, clients: u32, ramp_up: Duration) -> Duration {
    ramp_up.mul_f64(f64::from(client) / f64::from(clients.max(1)))
}
