//! What a level's report is made of, while it runs and at its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::run_level::LevelRun;
use super::{Session, Stop};
use crate::domain::dialect::Dialect;
use crate::domain::figures;
use crate::domain::run::{LevelEnd, LevelReport, OverRuns};
use crate::domain::units;
use crate::engine::bench::counts::Counts;
use crate::engine::bench::level::Level as SharedLevel;
use crate::metrics::over_runs::over_runs;
use crate::metrics::sending::Sending;
use crate::metrics::tally::LevelFrame;

/// When each request left that is in flight now.
pub(super) fn in_flight_since(workers: &[Arc<Counts>]) -> Vec<Duration> {
    let all = workers.iter();
    all.flat_map(|worker| worker.in_flight_since()).collect()
}

impl Session<'_> {
    /// The level's report as far as it is known.
    pub(super) fn frame(
        &self,
        shared: &SharedLevel,
        under: &LevelRun,
        ended: LevelEnd,
        aborted: u64,
    ) -> LevelFrame {
        let now = self.world.began.elapsed();
        let began = SharedLevel::moment(&shared.first_measured).unwrap_or(now);
        let (from, mut to) = if under.level.load.is_open() {
            // As many come as go once the first have had the time of an answer.
            let filled = under
                .latencies
                .1
                .checked_div(under.latencies.0)
                .unwrap_or_default();
            (
                began + self.plan.ramp_up + filled,
                SharedLevel::moment(&shared.last_sent).unwrap_or(now),
            )
        } else {
            let all_in = SharedLevel::moment(&shared.all_in).unwrap_or(now);
            (
                all_in.max(began),
                SharedLevel::moment(&shared.first_out).unwrap_or(now),
            )
        };
        let in_flight = in_flight_since(self.crew.counts());
        if matches!(ended, LevelEnd::Running | LevelEnd::Stopped) {
            // Of what is in flight no token has been counted yet: the steady part ends before it.
            to = in_flight.iter().copied().fold(now, Duration::min);
        }
        let mut watch = under.watching.report();
        watch.late_requests += shared
            .starved
            .load(Ordering::Relaxed)
            .min(under.tally.ended());
        LevelFrame {
            index: under.level.index,
            model: under.target.model.clone(),
            deployment: under.target.deployment.clone(),
            ended,
            began,
            now,
            steady: (from < to).then_some([from, to]),
            pauses: self.pauses.clone(),
            in_flight_since: in_flight,
            most_in_flight: under.most_in_flight,
            aborted,
            unsent: shared.unsent.load(Ordering::Relaxed) + shared.behind.load(Ordering::Acquire),
            sending: self.sending(shared, under),
            rate_limit: self.limits.clone(),
            watch,
        }
    }

    /// What a level's records came to, with the round it belongs to where there are several.
    pub(super) fn report_of(&self, under: &LevelRun, frame: LevelFrame) -> LevelReport {
        let mut report = LevelReport {
            run: (self.plan.repeat > 1).then_some(under.level.run + 1),
            ..under.tally.report(frame)
        };
        self.beside.describe(&mut report);
        report
    }

    /// The figures over the runs so far; the last run tells by how much they differ.
    fn compare_runs(&mut self) {
        self.report.over_runs = over_runs(&self.report.levels);
        let Some(last) = self.report.levels.last_mut() else {
            return;
        };
        if last.run != Some(self.plan.repeat) {
            return;
        }
        let is_same = |of: &&OverRuns| of.label == last.label && of.model == last.model;
        let of = self.report.over_runs.iter().find(is_same);
        let told = of.into_iter().flat_map(|of| {
            let figures = of.figures.iter();
            figures.filter_map(|figure| of.told(figure, &figures::find(&figure.figure)?.title))
        });
        last.notes.extend(told);
    }

    /// How an open loop kept to its schedule.
    fn sending(&self, shared: &SharedLevel, under: &LevelRun) -> Option<Sending> {
        let (due, sent) = (
            SharedLevel::moment(&shared.last_due)?,
            SharedLevel::moment(&shared.last_sent)?,
        );
        let began = self.world.at(shared.began());
        let deadline = Duration::from_nanos(shared.deadline.load(Ordering::Relaxed));
        let now = self.world.began.elapsed();
        // What was due and is not sent makes it longer than up to the last that was.
        let unsent = shared.unsent.load(Ordering::Relaxed) > 0 && deadline <= now;
        let until = if unsent { deadline } else { sent };
        // A pause while the last answers come is in neither.
        let spent =
            |moment: Duration| moment.saturating_sub(began + self.paused_between(began, moment));
        under.level.load.is_open().then(|| Sending {
            requests: shared.launched.load(Ordering::Relaxed),
            due_for: spent(due),
            took: spent(until),
        })
    }

    /// Reports a level that is over. Gives why the session does not go on, if it does not.
    pub(super) async fn conclude(
        &mut self,
        shared: &SharedLevel,
        mut under: LevelRun,
    ) -> Option<Stop> {
        let ended = self.end_of(shared, &under);
        under.watching.gather(self.crew.counts());
        // What is in flight now is looked at before it is let go.
        let mut frame = self.frame(shared, &under, ended, 0);
        if matches!(under.stop, Some(Stop::Cancelled)) {
            frame.unsent += shared.queued.load(Ordering::Relaxed);
            self.close_connections(shared, &under).await;
            frame.unsent += shared.behind.load(Ordering::Acquire);
            self.fold(&mut under);
        }
        frame.aborted = shared.aborted.load(Ordering::Relaxed);
        let steady = frame.steady.is_some();
        if !steady && frame.now > frame.began {
            frame.steady = Some([frame.began, frame.now]);
        }
        let mut report = self.report_of(&under, frame);
        self.end_probe(&mut report, &under);
        report.notes.extend(under.saturated.map(|it| it.told()));
        self.remark(&mut report, shared, steady);
        self.crew.describe(&mut report);
        let requests = &report.requests;
        if requests.ended + requests.warmup + requests.aborted + requests.unsent > 0 {
            self.live.ended.push(report.clone());
            self.report.levels.push(report);
            self.compare_runs();
        }
        self.tell();
        let limit = self.plan.session_ends.requests;
        let used_up = limit.filter(|limit| self.measured >= *limit);
        under.stop.or_else(|| {
            let more = self.probe.is_some() || under.level.index + 1 < self.live.levels();
            used_up
                .filter(|_| more)
                .map(|limit| Stop::Limit(format!("{limit} requests reached")))
        })
    }

    fn end_of(&self, shared: &SharedLevel, under: &LevelRun) -> LevelEnd {
        let deadline = shared.deadline.load(Ordering::Relaxed);
        let ended = under.tally.done();
        let enough = under.wanted.is_some_and(|wanted| ended >= wanted);
        match &under.stop {
            Some(Stop::Cancelled) => LevelEnd::Stopped,
            _ if under.errors => LevelEnd::Errors,
            _ if self.crew.has_lost() => LevelEnd::WorkerLost,
            _ if under.saturated.is_some() => LevelEnd::Saturated,
            _ if under.is_decided => LevelEnd::Decided,
            Some(Stop::Limit(_)) if !enough => LevelEnd::Stopped,
            _ if enough => LevelEnd::Requests,
            _ if self.world.now_ns() >= deadline => LevelEnd::Time,
            _ => LevelEnd::Exhausted,
        }
    }

    /// Closes every connection: what they would have brought is in no figure.
    async fn close_connections(&mut self, shared: &SharedLevel, under: &LevelRun) {
        self.world.cancel.cancel();
        let began = Instant::now();
        while began.elapsed() < self.crew.time_to_stop() {
            self.crew.follow(shared);
            let paces = under.pacing.as_ref();
            let paces = paces.is_some_and(|done| !done.load(Ordering::Acquire));
            let in_flight = shared.measured_in_flight.load(Ordering::Acquire) > 0;
            if !paces && !in_flight && !self.crew.waits_for(shared) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Notes and warnings that only the session can add to a level's report.
    fn remark(&self, report: &mut LevelReport, shared: &SharedLevel, steady: bool) {
        report.notes.extend(self.notes.iter().cloned());
        let dialect = self.world.api.dialects().of(&report.model);
        let learned = dialect.notes_since(Dialect::default());
        report.notes.extend(learned.into_iter().map(str::to_owned));
        if let Some(file) = &self.files.material
            && self.repeated_with(Some(report)) > 0
        {
            let which = match file.len() {
                1 => "the only prompt of the file was used again".to_owned(),
                n => format!(
                    "the {} of the file were used up, and used again",
                    units::counted(n, "prompt")
                ),
            };
            report.notes.push(format!(
                "{which}: later requests may be answered from the server's cache"
            ));
        }
        let starved = shared.starved.load(Ordering::Relaxed);
        if starved * 100 > report.requests.ended {
            report.watch.doubts.push(format!(
                "clients waited {starved} times for a prompt to be written: the load was lower than asked"
            ));
        }
        if !steady && report.requests.ok > 0 {
            report.notes.push(
                "the load was never steady: throughput is over the whole level; send more requests than clients"
                    .to_owned(),
            );
        }
    }
}
