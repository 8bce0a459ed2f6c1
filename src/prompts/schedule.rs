//! The times at which requests are due, counted from the start of their level.

use std::time::Duration;

use super::trace::Trace;
use crate::domain::plan::{Arrivals, LevelLoad};
use crate::domain::random::Random;
use crate::domain::units;

/// The due times of a level's requests, in order.
#[derive(Debug, Clone)]
pub struct Schedule(Arrival);

#[derive(Debug, Clone)]
enum Arrival {
    AtOnce,
    Rate {
        per_sec: f64,
        ramp_up: f64,
        arrivals: Arrivals,
        random: Random,
        /// The integral of the rate up to the next request.
        expected: f64,
        sent: u64,
    },
    Trace {
        trace: Trace,
        next: usize,
    },
}

impl Schedule {
    /// The schedule of `load`. During `ramp_up`, a rate rises linearly from zero; a trace is not affected. The same
    /// `seed` gives the same random arrivals.
    pub fn new(load: &LevelLoad, ramp_up: Duration, seed: u64, trace: Option<&Trace>) -> Self {
        Self(match (load, trace) {
            (LevelLoad::Trace { .. }, Some(trace)) => Arrival::Trace {
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
                    Arrivals::Gamma(shape) => random.gamma(*shape) / shape,
                };
                let ramp_up = ramp_up.as_secs_f64();
                Arrival::Rate {
                    per_sec: *per_sec,
                    ramp_up,
                    arrivals: *arrivals,
                    random,
                    expected,
                    sent: 0,
                }
            }
            _ => Arrival::AtOnce,
        })
    }

    /// The due time of the next request; times never decrease. Always zero for loads without a schedule (a fixed number
    /// of clients, or the maximum rate). `None` at the end of a trace.
    pub fn due(&mut self) -> Option<Duration> {
        match &mut self.0 {
            Arrival::AtOnce => Some(Duration::ZERO),
            Arrival::Rate {
                per_sec,
                ramp_up,
                arrivals,
                random,
                expected,
                sent,
            } => {
                let due = due_seconds(*expected, *per_sec, *ramp_up);
                *sent += 1;
                match arrivals {
                    // Not summed, so that rounding errors do not add up.
                    Arrivals::Constant => *expected = *sent as f64,
                    Arrivals::Poisson => *expected += random.exponential(),
                    Arrivals::Gamma(shape) => *expected += random.gamma(*shape) / *shape,
                }
                Some(units::checked_seconds(due).unwrap_or(units::LONGEST))
            }
            Arrival::Trace { trace, next } => {
                let due = trace.due(*next)?;
                *next += 1;
                Some(due)
            }
        }
    }
}

/// Separates the random numbers of arrivals from others with the plan's seed.
const ARRIVALS: u64 = 0xA221;

/// The time in seconds at which `expected` requests are due: the rate is `per_sec`·t/`ramp_up` during the ramp-up, and
/// `per_sec` afterwards.
fn due_seconds(expected: f64, per_sec: f64, ramp_up: f64) -> f64 {
    let rising = per_sec * ramp_up / 2.0;
    if expected < rising {
        (2.0 * expected * ramp_up / per_sec).sqrt()
    } else {
        ramp_up + (expected - rising) / per_sec
    }
}

/// When `client` (counted from 0) of a closed loop sends its first request. Starts are spread evenly over `ramp_up`,
/// the first at zero.
pub fn client_start(client: u32, clients: u32, ramp_up: Duration) -> Duration {
    ramp_up.mul_f64(f64::from(client) / f64::from(clients.max(1)))
}
