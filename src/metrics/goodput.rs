//! Requests that met the objectives.
//!
//! A request counts when it meets all objectives that are set. One that it cannot miss, since it has no such
//! figure (an answer of one token has no inter-token latency), it meets. A request that failed missed, and one that was due
//! and never sent.

use std::time::Duration;

use super::request::RequestRecord;
use crate::domain::plan::Objectives;
use crate::domain::run::Goodput;

/// As reports name the objectives, in the order of [`Objectives::all`].
pub const NAMES: [&str; 4] = ["ttft", "itl", "tpot", "latency"];

/// How many requests met the objectives.
#[derive(Debug, Clone, Copy, Default)]
pub struct GoodputTally {
    met: u64,
    missed: u64,
    missed_by: [u64; 4],
}

impl GoodputTally {
    /// Adds a measured request that ended, and answers whether it met all objectives.
    pub fn record(&mut self, objectives: &Objectives, record: &RequestRecord) -> bool {
        let missed = if record.error.is_none() {
            misses(objectives, record)
        } else {
            [false; 4]
        };
        for (count, missed) in self.missed_by.iter_mut().zip(missed) {
            *count += u64::from(missed);
        }
        let met = record.error.is_none() && !missed.contains(&true);
        *if met { &mut self.met } else { &mut self.missed } += 1;
        met
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: &Self) {
        self.met += other.met;
        self.missed += other.missed;
        for (count, theirs) in self.missed_by.iter_mut().zip(other.missed_by) {
            *count += theirs;
        }
    }

    /// `None` without objectives. Requests that were never sent although they were due missed all of them. `effective`: as
    /// how many independent ones those that ended count.
    pub fn report(
        &self,
        objectives: &Objectives,
        unsent: u64,
        requests_per_s: Option<f64>,
        effective: Option<u64>,
    ) -> Option<Goodput> {
        let missed = self.missed + unsent;
        let all = self.met + missed;
        let set = objectives.all().map(|objective| objective.is_some());
        let missed_by = NAMES
            .into_iter()
            .zip(self.missed_by)
            .zip(set)
            .filter(|(_, set)| *set);
        (!objectives.is_empty()).then(|| Goodput {
            met: self.met,
            missed,
            share: (all > 0).then(|| self.met as f64 / all as f64),
            requests_per_s,
            missed_by: missed_by
                .map(|((name, count), _)| (name.to_owned(), count))
                .collect(),
            effective,
        })
    }
}

/// Whether a request that ended met all objectives.
pub fn met(objectives: &Objectives, record: &RequestRecord) -> bool {
    record.error.is_none() && !misses(objectives, record).contains(&true)
}

/// Which objectives an answer missed, in the order of [`NAMES`].
fn misses(objectives: &Objectives, record: &RequestRecord) -> [bool; 4] {
    let missed = |limit: Option<Duration>, figure: Option<Duration>| {
        limit
            .zip(figure)
            .is_some_and(|(limit, figure)| figure > limit)
    };
    [
        missed(objectives.ttft, record.ttft()),
        missed(objectives.itl, record.figures.itl),
        missed(objectives.tpot, record.tpot()),
        missed(objectives.latency, record.latency()),
    ]
}
