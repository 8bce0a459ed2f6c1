//! When a level, or the session, sends no more.

use std::sync::atomic::Ordering;

use super::run_level::LevelRun;
use super::{Session, Stop};
use crate::domain::units;
use crate::engine::bench::level::Level as SharedLevel;
use crate::engine::bench::live;

impl Session<'_> {
    /// Whether an open loop is over its server's capacity.
    pub(super) fn watch_queue(&self, shared: &SharedLevel, under: &mut LevelRun) {
        let first = SharedLevel::moment(&shared.first_measured);
        let (Some(rising), Some(first), None) = (&mut under.rising, first, under.saturated) else {
            return;
        };
        let now = self.world.began.elapsed();
        let in_flight = live::in_flight(self.crew.counts());
        let due = in_flight.queued + in_flight.waiting + in_flight.streaming;
        if !shared.closing.load(Ordering::Relaxed) {
            rising.tick(now, due);
            // What waited through a pause says nothing of the server.
            let began = self.pauses.last().map_or(first, |[_, to]| first.max(*to));
            under.saturated = rising.saturated(began + self.plan.ramp_up, now);
        }
    }

    /// Whether the level, or the session, is to send no more.
    pub(super) fn decide(&mut self, shared: &SharedLevel, under: &mut LevelRun) {
        let first = SharedLevel::moment(&shared.first_measured);
        let mut deadline = None;
        if let (Some(first), Some(after)) = (first, self.plan.level_ends.after) {
            deadline = Some(first + after + self.paused_since(first));
        }
        if let Some(after) = self.plan.session_ends.after {
            if deadline.is_none_or(|deadline| after < deadline) {
                deadline = Some(after);
            }
            if self.world.began.elapsed() >= after && under.stop.is_none() {
                let text = format!("{} limit reached", units::write_duration(after));
                under.stop = Some(Stop::Limit(text));
            }
        }
        if let Some(deadline) = deadline {
            shared
                .deadline
                .store(deadline.as_nanos() as u64, Ordering::Relaxed);
        }
        if self
            .plan
            .level_ends
            .too_many_failed(under.tally.failed(), under.tally.ended())
        {
            under.errors = true;
        }
        let failed = self
            .plan
            .session_ends
            .too_many_failed(self.failed, self.measured);
        if failed && !matches!(under.stop, Some(Stop::Cancelled | Stop::Errors)) {
            under.errors = true;
            under.stop = Some(Stop::Errors);
        }
        if let (None, Some(why)) = (&under.stop, self.crew.gives_up()) {
            under.stop = Some(Stop::Lost(why));
        }
        if under.errors || under.stop.is_some() || under.is_decided || under.saturated.is_some() {
            shared.closing.store(true, Ordering::Relaxed);
        }
    }
}
