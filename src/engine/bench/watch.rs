//! What the benchmark sees of itself: how late its threads are, and what they use of the machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::counts::Counts;
use super::own_watch::OwnWatch;
use crate::clock::process_cpu;
use crate::domain::run::{Clock, Watch};
use crate::io::machine::{Ticks, ticks};
use crate::metrics::stats::{Histogram, Scale};
use crate::metrics::watch::LATE;

/// A level's look at the measuring threads and the machine.
pub(super) struct LevelWatch {
    /// Of all workers together.
    seen: OwnWatch,
    leaving: Histogram,
    late_requests: u64,
    began: Instant,
    /// CPU time of each worker when the level began (or when it first told), and now.
    workers: Vec<Option<[(Instant, Duration); 2]>>,
    process: Option<Duration>,
    machine: Option<Ticks>,
}

impl LevelWatch {
    pub(super) fn begin(workers: &[Arc<Counts>]) -> Self {
        // Of the warm-up.
        workers
            .iter()
            .for_each(|worker| drop(worker.own_watch.lock().take()));
        Self {
            seen: OwnWatch::default(),
            leaving: Histogram::new(Scale::Time),
            late_requests: 0,
            began: Instant::now(),
            workers: Vec::new(),
            process: process_cpu(),
            machine: ticks(),
        }
    }

    /// A request of an open loop left so late, its wait for a place in flight left out.
    pub(super) fn left(&mut self, late: Duration) {
        self.leaving.record(late);
        self.late_requests += u64::from(late > LATE);
    }

    /// Takes what the workers have seen since they were last asked.
    pub(super) fn gather(&mut self, workers: &[Arc<Counts>]) {
        self.workers.resize(workers.len(), None);
        for (worker, cpu) in workers.iter().zip(&mut self.workers) {
            let Some(seen) = worker.own_watch.lock().take() else {
                continue;
            };
            self.seen.add(&seen);
            if let Some([first, last]) = seen.cpu {
                *cpu = Some([cpu.map_or(first, |[first, _]| first), last]);
            }
        }
    }

    /// What was seen so far; doubts and waits for prompts are others' to fill in.
    pub(super) fn report(&self) -> Watch {
        let share = |[(from, before), (to, after)]: &[(Instant, Duration); 2]| {
            let time = (*to - *from).as_secs_f64();
            (time > 0.1).then(|| after.saturating_sub(*before).as_secs_f64() / time)
        };
        let elapsed = self.began.elapsed().as_secs_f64();
        let machine = self.machine.zip(ticks()).and_then(|(before, now)| {
            let all = now.all.saturating_sub(before.all);
            (all > 0).then(|| now.busy.saturating_sub(before.busy) as f64 / all as f64)
        });
        let clock = self.seen.clock();
        let read_late_ms = match clock {
            Some(Clock::Kernel) => self.seen.waits.stats(),
            Some(Clock::Mixed) => {
                let mut all = self.seen.probes.clone();
                all.merge(&self.seen.waits);
                all.stats()
            }
            Some(Clock::Process) | None => self.seen.probes.stats(),
        };
        Watch {
            clock,
            timer_late_ms: self.seen.timers.stats(),
            read_late_ms,
            end_late_ms: self.seen.ends.stats(),
            busiest_lane: self
                .workers
                .iter()
                .flatten()
                .filter_map(share)
                .reduce(f64::max),
            process_cores: (self.process.zip(process_cpu()))
                .filter(|_| elapsed > 0.1)
                .map(|(before, now)| now.saturating_sub(before).as_secs_f64() / elapsed),
            machine_busy: machine.filter(|_| elapsed > 0.1),
            left_late_ms: self.leaving.stats(),
            late_requests: self.late_requests,
            doubts: Vec::new(),
        }
    }
}
