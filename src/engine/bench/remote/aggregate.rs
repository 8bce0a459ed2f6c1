//! What the workers count of a level, as one.

use std::sync::atomic::{AtomicU64, Ordering};

use super::worker::RemoteWorker;
use super::{SharedLevel, store};
use crate::engine::bench::level::NEVER;
use crate::wire::worker::LevelSeen;

/// Brings the level up to date with what its workers told last.
pub(super) fn into_level(workers: &[RemoteWorker], level: &SharedLevel) {
    let sum = |into: &AtomicU64, count: fn(&LevelSeen) -> u64| {
        let counts = workers.iter().map(|worker| count(&worker.seen));
        let all = counts.fold(0, u64::saturating_add);
        into.store(all, Ordering::Relaxed);
    };
    let moments = |moment: fn(&LevelSeen) -> Option<u64>| {
        workers
            .iter()
            .filter_map(move |worker| Some(worker.clock.here(moment(&worker.seen)?).max(1)))
    };
    sum(&level.starved, |seen| seen.starved);
    sum(&level.measured_in_flight, |seen| seen.in_flight);
    sum(&level.aborted, |seen| seen.aborted);
    sum(&level.unsent, |seen| seen.unsent);
    sum(&level.behind, |seen| seen.behind);
    sum(&level.launched, |seen| seen.launched);
    sum(&level.queued, |seen| seen.queued);
    store(&level.all_in, moments(|seen| seen.all_in).max(), 0);
    store(
        &level.first_out,
        moments(|seen| seen.first_out).min(),
        NEVER,
    );
    let first = moments(|seen| seen.first_measured).min();
    store(&level.first_measured, first, NEVER);
    store(&level.last_sent, moments(|seen| seen.last_sent).max(), 0);
    store(&level.last_due, moments(|seen| seen.last_due).max(), 0);
}
