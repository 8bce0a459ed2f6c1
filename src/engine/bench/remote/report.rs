//! What a report says of workers: each one's part of a level, and what the loss of one means for it.

use super::RemoteCrew;
use super::worker::RemoteWorker;
use crate::domain::run::{LevelReport, Machine, WorkerBrief};
use crate::domain::units;

/// Clocks that may be further apart are said, in ms: the bins of throughput are no narrower.
const CLOCKS_APART_MS: f64 = 50.0;

impl RemoteWorker {
    fn brief(&self) -> WorkerBrief {
        let round_trip = self.clock.round_trip();
        WorkerBrief {
            index: self.index,
            host: self.hello.host.clone(),
            node: self.hello.node.clone(),
            batida: self.hello.batida.clone(),
            system: self.hello.system.clone(),
            cores: self.hello.cores,
            lanes: self.lanes.len(),
            clock_uncertain_ms: round_trip.map(|it| units::ms(it) / 2.0),
            lost: self.failure().map(|failure| failure.summary),
        }
    }

    /// Whether it has a part in the level: it sent, or was lost before it could.
    fn has_part(&self) -> bool {
        self.part.requests > 0
            || self.seen.first_measured.is_some()
            || self.part.lost_after.is_some()
    }
}

impl RemoteCrew {
    /// All of them.
    pub(in crate::engine::bench) fn briefs(&self) -> Vec<WorkerBrief> {
        self.workers.iter().map(RemoteWorker::brief).collect()
    }

    /// What measures: all of their machines.
    pub(in crate::engine::bench) fn machine(&self) -> Machine {
        let mut systems: Vec<&str> = self
            .workers
            .iter()
            .map(|it| it.hello.system.as_str())
            .collect();
        systems.sort_unstable();
        systems.dedup();
        let cores = self.workers.iter().map(|it| it.hello.cores).sum();
        Machine::new(&systems.join(", "), cores, self.threads())
    }

    /// Whether one was lost in the level under way.
    pub(in crate::engine::bench) fn has_lost(&self) -> bool {
        self.workers.iter().any(|it| it.part.lost_after.is_some())
    }

    /// What each of them saw of the level, and what is to be known of them.
    pub(in crate::engine::bench) fn describe(&self, report: &mut LevelReport) {
        let parts = self.workers.iter().filter(|it| it.has_part());
        report.workers = parts.map(|it| it.part.report(it.index)).collect();
        for worker in &self.workers {
            report.watch.doubts.extend(doubts(worker, report));
            let learned = worker.learned.iter().cloned();
            let new: Vec<String> = learned.filter(|it| !report.notes.contains(it)).collect();
            report.notes.extend(new);
        }
        let apart = self
            .workers
            .iter()
            .filter_map(|it| it.brief().clock_uncertain_ms);
        if let Some(apart) = apart.reduce(f64::max).filter(|ms| *ms > CLOCKS_APART_MS) {
            report.notes.push(format!(
                "the workers' clocks could be compared to {} ms only: they began that far apart at most, and \
                 throughput over short times is off by as much",
                units::short(Some(apart))
            ));
        }
        // The machine that sends is another one.
        report.watch.process_cores = None;
        report.watch.machine_busy = None;
    }
}

/// What may have changed the level's figures.
fn doubts(worker: &RemoteWorker, report: &LevelReport) -> Vec<String> {
    let mut doubts = Vec::new();
    if let (Some(failure), Some(after)) = (worker.failure(), worker.part.lost_after) {
        let reached = report.concurrency.reached.map(|mean| {
            let asked = report.concurrency.asked;
            let asked = asked.map_or_else(String::new, |asked| format!(", {asked} were asked"));
            format!(
                "; {} were in flight on average{asked}",
                units::short(Some(mean))
            )
        });
        doubts.push(format!(
            "{}, {} s into the level: its share of the load was not sent from then on{}",
            failure.summary,
            units::short(Some(after.as_secs_f64())),
            reached.unwrap_or_default()
        ));
    }
    if worker.part.dropped > 0 {
        doubts.push(format!(
            "{} of {} were lost on the way from {}, since nobody read them fast enough: they are in no figure",
            units::count(worker.part.dropped),
            units::counted((worker.part.dropped + worker.part.requests) as usize, "request"),
            worker.name()
        ));
    }
    doubts
}
