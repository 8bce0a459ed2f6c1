//! One level: it is prepared, driven until it is over, and looked at every 33 ms meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::{Session, Stop};
use crate::domain::failure::Failure;
use crate::domain::history::Said;
use crate::domain::plan::{Level, LevelLoad, Target};
use crate::domain::run::{LevelEnd, Stage, Steer};
use crate::engine::bench::level::Level as SharedLevel;
use crate::engine::bench::watch::LevelWatch;
use crate::engine::bench::worker::{Worker, WorkerEvent};
use crate::engine::bench::{feed, left, live, pacer};
use crate::metrics::request::Phase;
use crate::metrics::saturation::{Rising, Saturated};
use crate::metrics::tally::Tally;
use crate::prompts::schedule::Schedule;
use crate::prompts::{PromptSource, length_to_fit, pictures};
use crate::wire::openai;

/// How often what ended is folded, and at most how often it is told.
const TICK: Duration = Duration::from_millis(33);

/// A level as the session sees it.
pub(super) struct LevelRun {
    pub(super) level: Level,
    pub(super) target: Target,
    pub(super) tally: Tally,
    pub(super) wanted: Option<u64>,
    pub(super) watching: LevelWatch,
    /// The pacer sets it when it has let its last request go.
    pub(super) pacing: Option<Arc<AtomicBool>>,
    pub(super) errors: bool,
    pub(super) stop: Option<Stop>,
    pub(super) most_in_flight: u32,
    /// Good measured answers and the sum of their latencies.
    pub(super) latencies: (u32, Duration),
    /// Of a rate, unless it is to go on: whether requests come faster than they are answered.
    pub(super) rising: Option<Rising>,
    pub(super) saturated: Option<Saturated>,
    /// The probe of a search is decided.
    pub(super) is_decided: bool,
}

/// What a feed and its clients are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FeedKind {
    Closed,
    Open,
    /// Before an open loop.
    WarmupOnly,
}

impl Session<'_> {
    /// Runs one level. Gives why the session does not go on, if it does not.
    pub(super) async fn level(
        &mut self,
        level: &Level,
        target: &Target,
        source: &PromptSource,
    ) -> Result<Option<Stop>, Failure> {
        let mut under = self.level_run(level, target);
        self.forget_last_level(level.index);
        self.beside.begin(&target.model);
        if self.probe.is_some() {
            // Which load it is about is known by nothing else.
            self.tell();
        }
        let open = level.load.is_open();
        if self.plan.warmup > 0 {
            // Apart from what is measured: a warm-up beside it would take its share of the server.
            let clients = level
                .load
                .most_in_flight()
                .unwrap_or(left::WARMUP_CLIENTS)
                .min(self.plan.warmup);
            let shared = self.prepare(&under, source, clients, FeedKind::WarmupOnly)?;
            self.live.stage = Stage::WarmingUp;
            self.start_clients(&shared, clients, u64::from(self.plan.warmup))
                .await;
            self.drive(&shared, &mut under).await;
            if under.stop.is_some() {
                return Ok(self.conclude(&shared, under).await);
            }
        }
        let clients = match level.load {
            LevelLoad::Concurrency(n) | LevelLoad::Max { in_flight: n } => n,
            LevelLoad::Rate { .. } | LevelLoad::Trace { .. } | LevelLoad::Unknown => {
                level.load.most_in_flight().unwrap_or(64).min(256)
            }
        };
        let shared = self.prepare(
            &under,
            source,
            clients,
            if open {
                FeedKind::Open
            } else {
                FeedKind::Closed
            },
        )?;
        under.watching = LevelWatch::begin(&self.workers);
        under.most_in_flight = 0;
        if open {
            self.dial(clients).await;
            let launchers = self.workers.iter().map(Worker::launcher).collect();
            under.pacing = Some(pacer::start(
                Arc::clone(&shared),
                Arc::clone(&self.world),
                launchers,
            )?);
        } else {
            self.live.stage = Stage::Measuring;
            self.start_clients(&shared, clients, under.wanted.unwrap_or(u64::MAX))
                .await;
        }
        self.drive(&shared, &mut under).await;
        Ok(self.conclude(&shared, under).await)
    }

    /// A level before its first request.
    fn level_run(&self, level: &Level, target: &Target) -> LevelRun {
        LevelRun {
            level: level.clone(),
            target: target.clone(),
            tally: Tally::new(self.plan.objectives, level.load)
                .planned(self.plan)
                .beside_cluster(self.world.api.is_beside_cluster()),
            wanted: self.wanted(),
            watching: LevelWatch::begin(&self.workers),
            pacing: None,
            errors: false,
            stop: None,
            most_in_flight: 0,
            latencies: (0, Duration::ZERO),
            rising: (matches!(level.load, LevelLoad::Rate { .. }) && !self.plan.keep_saturated)
                .then(Rising::default),
            saturated: None,
            is_decided: false,
        }
    }

    fn forget_last_level(&mut self, index: usize) {
        // A pause that goes on is this level's too, from now on.
        let now = self.world.began.elapsed();
        let paused = self.world.paused.load(Ordering::Relaxed);
        self.pauses.clear();
        self.pauses.extend(paused.then_some([now, now]));
        self.limits.clear();
        self.live.begin(index);
    }

    /// Measured requests of a level; `None` for as many as its time allows.
    fn wanted(&self) -> Option<u64> {
        let session = self
            .plan
            .session_ends
            .requests
            .map(|most| most.saturating_sub(self.measured));
        let level = match &self.probe {
            Some(probe) if self.plan.level_ends.is_open() => Some(probe.most()),
            _ => self.plan.level_ends.requests,
        };
        match (level, session) {
            (Some(level), Some(session)) => Some(level.min(session)),
            (level, session) => level.or(session),
        }
    }

    fn prepare(
        &self,
        under: &LevelRun,
        source: &PromptSource,
        clients: u32,
        kind: FeedKind,
    ) -> Result<Arc<SharedLevel>, Failure> {
        let load = &under.level.load;
        let seed = self.seed.wrapping_add(under.level.index as u64);
        let schedule = (kind == FeedKind::Open)
            .then(|| Schedule::new(load, self.plan.ramp_up, seed, self.files.trace.as_ref()));
        let tokens = length_to_fit(self.plan, self.files.trace.as_ref()).unwrap_or(500.0);
        let order = feed::Order {
            source: source.clone(),
            model: under.target.model.clone(),
            params: self.plan.params.clone(),
            ignore_eos: self.plan.ignore_eos,
            images: self.plan.images.map(|images| (images, self.seed)),
            warmups: if kind == FeedKind::WarmupOnly {
                u64::from(self.plan.warmup)
            } else {
                0
            },
            measured: if kind == FeedKind::WarmupOnly {
                Some(0)
            } else {
                under.wanted
            },
            first_phase: Phase::Warmup,
            schedule,
            traced: matches!(load, LevelLoad::Trace { .. }),
            ahead: (clients as usize).clamp(64, 4_096),
            bytes_each: self.files.bytes_each.unwrap_or((tokens * 6.0) as usize)
                + self.plan.images.map_or(0, pictures::bytes_of_request),
        };
        let receiver = feed::start(order, Arc::clone(&self.counters), Arc::clone(&self.world))?;
        let permits = match (kind, load.most_in_flight()) {
            (FeedKind::Open, Some(most)) => Some(Semaphore::new(most as usize)),
            _ => None,
        };
        let ramp_up = if kind == FeedKind::Closed {
            self.plan.ramp_up
        } else {
            Duration::ZERO
        };
        let mut set = openai::set_names(&self.plan.params, self.plan.ignore_eos);
        set.extend(self.plan.output_tokens.is_some().then_some("max_tokens"));
        Ok(Arc::new(SharedLevel::new(
            under.level.index,
            (under.target.model.clone(), set),
            receiver,
            ramp_up,
            permits,
        )))
    }

    /// Opens connections before a level begins, so that its first answers are no slower for them.
    async fn dial(&mut self, connections: u32) {
        for (worker, share) in self
            .workers
            .iter()
            .zip(share(connections, self.workers.len()))
        {
            worker.dial(share);
        }
        let mut ready = 0;
        let began = Instant::now();
        while ready < self.workers.len() && began.elapsed() < Duration::from_secs(12) {
            if self.controls.cancel.is_cancelled() {
                return;
            }
            match self.events.try_recv() {
                Ok(WorkerEvent::Ready) => ready += 1,
                Ok(_) => {}
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    async fn start_clients(&mut self, shared: &Arc<SharedLevel>, clients: u32, requests: u64) {
        self.dial(clients).await;
        let began = Instant::now();
        // Conversations may be few and long: then one is enough to begin with.
        let requests = if self.plan.turns > 1 { 1 } else { requests };
        while !shared.is_filled(requests.min(u64::from(clients)))
            && began.elapsed() < Duration::from_secs(2)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        shared.begin();
        shared
            .outstanding
            .store(u64::from(clients), Ordering::Relaxed);
        let workers = self.workers.len() as u32;
        for (number, worker) in (0u32..).zip(&self.workers) {
            let own: Vec<u32> = (number..clients).step_by(workers as usize).collect();
            worker.begin(shared, own, clients);
        }
    }

    /// Folds what ends until the level is over.
    async fn drive(&mut self, shared: &Arc<SharedLevel>, under: &mut LevelRun) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let cancel = self.controls.cancel.clone();
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => {
                    under.stop = Some(Stop::Cancelled);
                }
                _ = tick.tick() => {}
            }
            self.steer();
            let paced = under
                .pacing
                .as_ref()
                .is_none_or(|done| done.load(Ordering::Acquire));
            // Asked before folding: what was told before the last one was done is folded below.
            let over = paced && shared.outstanding.load(Ordering::Acquire) == 0;
            self.fold(under);
            if matches!(under.stop, Some(Stop::Cancelled)) {
                return;
            }
            self.judge(under);
            self.watch_queue(shared, under);
            self.decide(shared, under);
            self.show(shared, under);
            if over {
                return;
            }
        }
    }

    fn steer(&mut self) {
        let paused = *self.controls.steer.borrow() == Steer::Pause;
        let now = self.world.began.elapsed();
        self.world.pauses.set(paused, Instant::now());
        let was = self.world.paused.swap(paused, Ordering::Relaxed);
        match (was, paused) {
            (false, true) => self.pauses.push([now, now]),
            (true, _) => {
                if let Some(pause) = self.pauses.last_mut() {
                    pause[1] = now;
                }
            }
            (false, false) => {}
        }
    }

    /// How long it was paused since `moment`.
    pub(super) fn paused_since(&self, moment: Duration) -> Duration {
        self.paused_between(moment, Duration::MAX)
    }

    pub(super) fn paused_between(&self, since: Duration, until: Duration) -> Duration {
        self.pauses
            .iter()
            .map(|[from, to]| (*to).min(until).saturating_sub((*from).max(since)))
            .sum()
    }

    pub(super) fn fold(&mut self, under: &mut LevelRun) {
        self.beside.fold();
        let streams = self.plan.endpoint.streams();
        for told in self.events.try_iter() {
            match told {
                WorkerEvent::Ended(record, said) => {
                    under.tally.record(&record);
                    if let Some(probe) = self
                        .probe
                        .as_mut()
                        .filter(|_| record.phase == Phase::Measured)
                    {
                        probe.record(&record);
                    }
                    if let (Some(rising), true) = (&mut under.rising, record.counts())
                        && let Some(latency) = record.latency()
                        // Nothing of an embedding comes before its end.
                        && let Some(ttft) = record.ttft().or((!streams).then_some(latency))
                    {
                        rising.answered(record.ended, ttft, latency);
                    }
                    if record.phase.is_load() {
                        self.measured += 1;
                        self.failed += u64::from(record.error.is_some() && !record.was_given_up());
                        if let Some(latency) = record.latency().filter(|_| record.counts()) {
                            under.latencies = (
                                under.latencies.0.saturating_add(1),
                                under.latencies.1 + latency,
                            );
                        }
                    }
                    self.live.record(&record);
                    if let Some(said) = said {
                        // It is kept, and an answer may repeat the key.
                        let Said {
                            prompt,
                            reasoning,
                            answer,
                        } = *said;
                        let [prompt, reasoning, answer] =
                            [prompt, reasoning, answer].map(|text| self.world.api.clean(&text));
                        self.listener.said(Said {
                            prompt,
                            reasoning,
                            answer,
                        });
                    }
                    self.listener.ended(&record);
                }
                WorkerEvent::Limits(limits) => self.limits = limits,
                WorkerEvent::Left { late } => under.watching.left(late),
                WorkerEvent::Ready => {}
            }
        }
    }

    fn show(&mut self, shared: &SharedLevel, under: &mut LevelRun) {
        let in_flight = live::in_flight(&self.workers);
        under.most_in_flight = under
            .most_in_flight
            .max(in_flight.waiting + in_flight.streaming);
        let first = SharedLevel::moment(&shared.first_measured);
        self.live.stage = match first {
            _ if self.world.paused.load(Ordering::Relaxed) => Stage::Paused,
            None => Stage::WarmingUp,
            Some(_) if SharedLevel::moment(&shared.first_out).is_some() => Stage::Draining,
            Some(_) => Stage::Measuring,
        };
        let now = self.world.began.elapsed();
        let time = match (first, self.plan.level_ends.after) {
            (Some(first), Some(after)) => {
                let gone = now.saturating_sub(first + self.paused_since(first));
                Some(gone.as_secs_f64() / after.as_secs_f64())
            }
            _ => None,
        };
        let answer = under
            .latencies
            .1
            .checked_div(under.latencies.0)
            .or(self.answer);
        self.answer = answer;
        let spent = first.map(|first| now.saturating_sub(first + self.paused_since(first)));
        let (level, ended, wanted) = (under.level.index, under.tally.done(), under.wanted);
        let left = left::left(
            self.plan,
            &left::Standing {
                level,
                ended,
                wanted,
                spent,
                answer,
            },
        );
        self.live.tick(
            &self.workers,
            live::Seen {
                now,
                in_flight,
                ended: under.tally.done(),
                wanted: under.wanted,
                time_done: time,
                left,
                session_limit: self.plan.session_ends.after,
            },
        );
        if self.live.wants_partial(now) {
            under.watching.gather(&self.workers);
            let frame = self.frame(shared, under, LevelEnd::Running, 0);
            let mut partial = self.report_of(under, frame);
            partial.probe = self.probe_so_far();
            self.live.partial(partial);
        }
        self.tell();
    }
}

/// `n` in `parts` parts that differ by one at most, the larger first.
fn share(n: u32, parts: usize) -> impl Iterator<Item = u32> {
    let parts = parts.max(1) as u32;
    (0..parts).map(move |part| n / parts + u32::from(part < n % parts))
}
