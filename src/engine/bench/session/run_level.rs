//! One level: it is prepared, driven until it is over, and looked at every 33 ms meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Session, Stop};
use crate::domain::failure::Failure;
use crate::domain::history::Said;
use crate::domain::plan::{Level, LevelLoad, Target};
use crate::domain::run::{LevelEnd, Stage, Steer};
use crate::engine::bench::level::Level as SharedLevel;
use crate::engine::bench::watch::LevelWatch;
use crate::engine::bench::worker::WorkerEvent;
use crate::engine::bench::{left, live};
use crate::metrics::request::Phase;
use crate::metrics::saturation::{Rising, Saturated};
use crate::metrics::tally::Tally;
use crate::prompts::PromptSource;
use crate::wire::worker::{Counting, LevelKind, LevelOrder, Share};

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
        if self.plan.warmup > 0 {
            // Apart from what is measured: a warm-up beside it would take its share of the server.
            let clients = level
                .load
                .most_in_flight()
                .unwrap_or(left::WARMUP_CLIENTS)
                .min(self.plan.warmup);
            let order = self.order(&under, source, LevelKind::Warmup, clients);
            let shared = self.crew.prepare(&order, source)?;
            self.live.stage = Stage::WarmingUp;
            self.crew
                .start_level(&shared, &order, &self.controls.cancel)
                .await?;
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
        let kind = if level.load.is_open() {
            LevelKind::Open
        } else {
            LevelKind::Closed
        };
        let order = self.order(&under, source, kind, clients);
        let shared = self.crew.prepare(&order, source)?;
        under.watching = LevelWatch::begin(self.crew.counts());
        under.most_in_flight = 0;
        if kind == LevelKind::Closed {
            self.live.stage = Stage::Measuring;
        }
        let cancel = &self.controls.cancel;
        under.pacing = self.crew.start_level(&shared, &order, cancel).await?;
        self.drive(&shared, &mut under).await;
        Ok(self.conclude(&shared, under).await)
    }

    /// What is to be sent.
    fn order(
        &mut self,
        under: &LevelRun,
        source: &PromptSource,
        kind: LevelKind,
        clients: u32,
    ) -> LevelOrder {
        self.orders += 1;
        LevelOrder {
            index: under.level.index,
            number: self.orders,
            model: under.target.model.clone(),
            load: under.level.load,
            kind,
            clients,
            requests: match kind {
                LevelKind::Warmup => Some(u64::from(self.plan.warmup)),
                LevelKind::Closed | LevelKind::Open => under.wanted,
            },
            share: Share::WHOLE,
            from: Counting::default(),
            fit: source.fit(),
        }
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
            watching: LevelWatch::begin(self.crew.counts()),
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
            self.crew.follow(shared);
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
        for told in self.crew.events().try_iter() {
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
        let in_flight = live::in_flight(self.crew.counts());
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
            self.crew.counts(),
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
            under.watching.gather(self.crew.counts());
            let frame = self.frame(shared, under, LevelEnd::Running, 0);
            let mut partial = self.report_of(under, frame);
            partial.probe = self.probe_so_far();
            self.live.partial(partial);
        }
        self.tell();
    }
}
