//! A level as a worker sends its share of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::outgoing::Rows;
use crate::domain::dialect::Dialect;
use crate::domain::failure::Failure;
use crate::domain::plan::Plan;
use crate::engine::bench::World;
use crate::engine::bench::crew::LocalCrew;
use crate::engine::bench::level::{Level as SharedLevel, NEVER};
use crate::engine::bench::worker::WorkerEvent;
use crate::io::worker_pipes::AnswerWriter;
use crate::metrics::stats::{Histogram, Scale};
use crate::wire::worker::{LevelKind, LevelOrder, LevelOver, LevelSeen, WorkerAnswer};

/// How often counts are told.
const SEEN: Duration = Duration::from_millis(250);
/// Connections are waited for at most so long.
const DIALING: Duration = Duration::from_secs(12);
/// Requests that are made ahead likewise.
const FILLING: Duration = Duration::from_secs(14);
/// Of the requests in flight so many moments are told at most.
const MOST_SINCE: usize = 250;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Preparing,
    Ready,
    Sending,
}

/// A level under way.
pub(super) struct ServedLevel {
    order: LevelOrder,
    pub(super) shared: Arc<SharedLevel>,
    stage: Stage,
    since: Instant,
    dialed: usize,
    pacing: Option<Arc<AtomicBool>>,
    late: Histogram,
    limits: Vec<(String, String)>,
    told: Option<Instant>,
    told_first: bool,
}

impl ServedLevel {
    pub(super) fn new(order: LevelOrder, shared: Arc<SharedLevel>) -> Self {
        Self {
            order,
            shared,
            stage: Stage::Preparing,
            since: Instant::now(),
            dialed: 0,
            pacing: None,
            late: Histogram::new(Scale::Time),
            limits: Vec::new(),
            told: None,
            told_first: false,
        }
    }

    /// What a thread told beside its requests.
    pub(super) fn hear(&mut self, event: WorkerEvent) {
        match event {
            WorkerEvent::Ready => self.dialed += 1,
            WorkerEvent::Left { late } => self.late.record(late),
            WorkerEvent::Limits(limits) => self.limits = limits,
            WorkerEvent::Ended(..) => {}
        }
    }

    /// Says so once it could begin.
    pub(super) fn look_ready(&mut self, crew: &LocalCrew, out: &AnswerWriter) {
        let since = self.since.elapsed();
        let filled =
            self.order.kind == LevelKind::Open || crew.is_filled(&self.shared, &self.order);
        let dialed = self.dialed >= crew.threads() || since > DIALING;
        if self.stage == Stage::Preparing && dialed && (filled || since > FILLING) {
            self.stage = Stage::Ready;
            out.tell(&WorkerAnswer::Ready {
                number: self.order.number,
            });
        }
    }

    /// Begins to send.
    pub(super) fn go(&mut self, crew: &LocalCrew, plan: &Plan, at: Instant) -> Result<(), Failure> {
        if self.stage != Stage::Ready {
            return Ok(());
        }
        // Whoever orders says when the time is over, and from when it counts. Should nobody do so any more, it is over
        // all the same.
        if let (Some(after), LevelKind::Closed | LevelKind::Open) =
            (plan.level_ends.after, self.order.kind)
        {
            let end = crew.world.at_ns(at + after + plan.ramp_up);
            self.shared.deadline.store(end, Ordering::Relaxed);
        }
        self.pacing = crew.begin(&self.shared, &self.order, at)?;
        self.stage = Stage::Sending;
        Ok(())
    }

    fn is_paced(&self) -> bool {
        self.pacing
            .as_ref()
            .is_none_or(|done| done.load(Ordering::Acquire))
    }

    /// Whether nothing more will happen in it.
    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Sending
            && self.is_paced()
            && self.shared.outstanding.load(Ordering::Acquire) == 0
    }

    /// Whether its threads have not let go of everything.
    pub(super) fn is_busy(&self) -> bool {
        self.stage == Stage::Sending
            && (!self.is_paced() || self.shared.measured_in_flight.load(Ordering::Acquire) > 0)
    }

    /// Whether counts are to be told now: now and then, and as soon as the first request has left.
    pub(super) fn is_due(&self) -> bool {
        let first = SharedLevel::moment(&self.shared.first_measured).is_some();
        self.told.is_none_or(|at| at.elapsed() >= SEEN) || first && !self.told_first
    }

    /// What it has come to; what is told as a difference is told once.
    pub(super) fn seen(&mut self, world: &World, crew: &LocalCrew) -> LevelSeen {
        let level = &*self.shared;
        self.told = Some(Instant::now());
        self.told_first = SharedLevel::moment(&level.first_measured).is_some();
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let moment =
            |moment: &AtomicU64| Some(count(moment)).filter(|ns| !matches!(*ns, 0 | NEVER));
        let lanes = crew.counts.iter().map(|counts| {
            let watch = counts.own_watch.lock().take();
            let told = watch.map(|watch| watch.told(|at| world.at_ns(at)));
            let counted = counts.told();
            crate::wire::worker::LaneSeen {
                in_flight: counted.in_flight,
                streaming: counted.streaming,
                queued: counted.queued,
                chunks: counted.chunks,
                ..told.unwrap_or_default()
            }
        });
        let since = crew.counts.iter().flat_map(|it| it.in_flight_since());
        let mut since: Vec<u64> = since.map(|at| at.as_nanos() as u64).collect();
        since.sort_unstable();
        let step = since.len().div_ceil(MOST_SINCE).max(1);
        let late_us = self.late.counts();
        self.late = Histogram::new(Scale::Time);
        LevelSeen {
            number: self.order.number,
            lanes: lanes.collect(),
            all_in: moment(&level.all_in),
            first_out: moment(&level.first_out),
            first_measured: moment(&level.first_measured),
            last_sent: moment(&level.last_sent),
            last_due: moment(&level.last_due),
            starved: count(&level.starved),
            in_flight: count(&level.measured_in_flight),
            aborted: count(&level.aborted),
            unsent: count(&level.unsent),
            behind: level.behind.load(Ordering::Acquire),
            launched: count(&level.launched),
            queued: count(&level.queued),
            since: since.into_iter().step_by(step).collect(),
            late_us,
        }
    }

    /// Its end.
    pub(super) fn over(&mut self, world: &World, crew: &LocalCrew, rows: &Rows) -> LevelOver {
        let brief = crew.counters.images_brief();
        let bytes = brief.bytes.unwrap_or_default() * brief.made as f64;
        let learned = world.api.dialects().of(&self.order.model);
        let learned = learned.notes_since(Dialect::default());
        LevelOver {
            seen: self.seen(world, crew),
            counting: crew.counters.counting(),
            images: [brief.made, bytes as u64],
            ended: rows.ended,
            dropped: rows.dropped,
            limits: std::mem::take(&mut self.limits),
            learned: learned.into_iter().map(str::to_owned).collect(),
            cut: None,
        }
    }
}
