//! A benchmark session as the page shows it: folded from progress, or opened out of the history.

use std::sync::Arc;

use crate::chart::{Dots, Rates, ServerLine};
use crate::domain::environment::{EnvId, Environment};
use crate::domain::failure::Failure;
use crate::domain::history::Traces;
use crate::domain::plan::Plan;
use crate::domain::run::{
    BenchProgress, BenchReport, Bracket, Flight, Found, InFlight, LevelReport, MetricsOrigin,
    OverRuns, Searching, SessionEnd, Stage, Steer,
};
use crate::metrics::compare::Comparison;
use crate::metrics::findings::{self, Finding};
use crate::metrics::over_runs::over_runs;
use crate::protocol::JobId;

/// A session as it goes on.
#[derive(Debug)]
pub struct Session {
    /// Names it.
    pub job: JobId,
    /// Where it runs.
    pub env: EnvId,
    /// That environment's name.
    pub env_name: String,
    /// What it does.
    pub plan: Plan,
    /// What is to be known of its files: a trace's span and unit, prompts that will be used again.
    pub told: Vec<String>,
    /// How far it is; `None` before the first word of it.
    pub now: Option<Standing>,
    /// What the user asked for last.
    pub steered: Steer,
    /// The user asked it to stop.
    pub stopping: bool,
    /// Levels that ended, then the one under way.
    pub levels: Vec<LevelReport>,
    /// Figures over the runs of each load, of the levels that have ended.
    pub over_runs: Vec<OverRuns>,
    /// How many of `levels` have ended.
    pub levels_ended: usize,
    /// When each level was first heard of: its index, and the seconds since the session began.
    pub began: Vec<(usize, f64)>,
    /// Requests, thinned.
    pub dots: Dots,
    /// Rates, thinned.
    pub rates: Rates,
    /// What the server's own metrics said over time, thinned.
    pub server: ServerLine,
    /// Where they come from, or why there are none.
    pub server_told: Option<String>,
    /// The last requests in flight.
    pub flights: Vec<Flight>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<Result<Arc<BenchReport>, Failure>>,
    /// How it compares with the baseline of its models on their deployments, once that is known.
    pub held: Option<Arc<Comparison>>,
}

/// How far a session is; see [`BenchProgress`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "named as the fields of BenchProgress")]
pub struct Standing {
    pub elapsed_s: f64,
    pub stage: Stage,
    pub level: usize,
    pub levels: usize,
    pub done: f64,
    pub left_s: Option<f64>,
    pub requests: (u64, Option<u64>),
    pub in_flight: InFlight,
    pub search: Option<Searching>,
}

impl Session {
    pub(super) fn new(job: JobId, place: &Environment, plan: Plan) -> Self {
        Self {
            job,
            env: place.id.clone(),
            env_name: place.name.clone(),
            plan,
            told: Vec::new(),
            now: None,
            steered: Steer::Resume,
            stopping: false,
            levels: Vec::new(),
            over_runs: Vec::new(),
            levels_ended: 0,
            began: Vec::new(),
            dots: Dots::default(),
            rates: Rates::default(),
            server: ServerLine::default(),
            server_told: None,
            flights: Vec::new(),
            outcome: None,
            held: None,
        }
    }

    /// A session out of the history, as it was when it ended. It answers to no job.
    pub fn stored(report: &BenchReport, traces: &Traces) -> Self {
        let place = Environment::blank(EnvId(String::new()), &*report.environment);
        let mut session = Self::new(JobId(0), &place, report.plan.clone());
        let began = |level: &LevelReport| Some((level.index, level.began_s?));
        session.began = report.levels.iter().filter_map(began).collect();
        session.dots.add(&traces.points);
        session.rates.add(&traces.rates);
        let levels = report.plan.levels().len().max(report.levels.len());
        session.now = Some(Standing {
            elapsed_s: report.took_s,
            stage: Stage::Draining,
            level: report.levels.last().map_or(0, |level| level.index),
            levels,
            done: report.levels.len() as f64 / levels.max(1) as f64,
            left_s: None,
            requests: (0, None),
            in_flight: InFlight::default(),
            search: None,
        });
        session.end(Ok(Arc::new(report.clone())));
        session.flights.clone_from(&traces.flights);
        session
    }

    /// Whether it is not over.
    pub fn is_running(&self) -> bool {
        self.outcome.is_none()
    }

    /// Whether nothing new is being sent since the user asked so.
    pub fn is_paused(&self) -> bool {
        self.is_running() && self.steered == Steer::Pause
    }

    /// The level under way, or the last one.
    pub fn current(&self) -> Option<&LevelReport> {
        self.levels.last()
    }

    /// The model of a level: by its report, else by the plan, which another program's run does not have.
    pub fn model_of(&self, level: usize) -> Option<&str> {
        if let Some(report) = self.levels.iter().find(|report| report.index == level) {
            return Some(&report.model);
        }
        if let Some(search) = self.searching(level) {
            let target = self.plan.targets.get(search.target);
            return target.map(|target| target.model.as_str());
        }
        let loads = self.plan.load.levels().len().max(1);
        self.plan
            .targets
            .get(level / loads)
            .map(|target| target.model.as_str())
    }

    /// Whose figures a level's are: see [`LevelReport::credited`].
    pub fn credited_of(&self, level: usize) -> Option<String> {
        let report = self.levels.iter().find(|report| report.index == level);
        report
            .map(LevelReport::credited)
            .or_else(|| self.model_of(level).map(str::to_owned))
    }

    /// The label of a level, found as its model is: `c=16`.
    pub fn label_of(&self, level: usize) -> Option<String> {
        if let Some(report) = self.levels.iter().find(|report| report.index == level) {
            return Some(report.label.clone());
        }
        if let Some(search) = self.searching(level) {
            return Some(search.load.label());
        }
        let loads = self.plan.load.levels();
        loads
            .get(level % loads.len().max(1))
            .map(crate::domain::plan::LevelLoad::label)
    }

    /// How far a search is, where this is the level under way.
    fn searching(&self, level: usize) -> Option<Searching> {
        let now = self.now.filter(|now| now.level == level)?;
        now.search
    }

    /// Between which loads a search has found, or will find, the highest one; `None` for other loads, and of several
    /// models once it is over.
    pub fn bracket(&self) -> Option<Bracket> {
        match &self.outcome {
            None => Some(self.now?.search?.bracket),
            Some(Ok(report)) if report.found.len() == 1 => report.found.first().map(Found::bracket),
            Some(_) => None,
        }
    }

    /// What it found beyond its levels' figures, once it is over.
    pub fn findings(&self) -> Vec<Finding> {
        let report = self
            .outcome
            .as_ref()
            .and_then(|outcome| outcome.as_ref().ok());
        report
            .map(|report| findings::of(report))
            .unwrap_or_default()
    }

    /// Why it ended before its time, in words; `None` when all was run or it still runs.
    pub fn cut_because(&self) -> Option<String> {
        match self.outcome.as_ref()?.as_ref().map(|report| &report.ended) {
            Ok(SessionEnd::Complete) | Err(_) => None,
            Ok(SessionEnd::Stopped) => {
                Some("Stopped by the user; the figures so far are kept".to_owned())
            }
            Ok(SessionEnd::Limit(why) | SessionEnd::Errors(why)) => Some(format!("Stopped: {why}")),
            Ok(SessionEnd::Failed(why)) => Some(format!("Failed: {why}")),
        }
    }

    pub(super) fn advance(&mut self, progress: BenchProgress) {
        let BenchProgress {
            elapsed_s,
            stage,
            level,
            levels,
            done,
            left_s,
            requests,
            in_flight,
            search,
            ..
        } = progress;
        self.now = Some(Standing {
            elapsed_s,
            stage,
            level,
            levels,
            done,
            left_s,
            requests,
            in_flight,
            search,
        });
        if self.began.last().is_none_or(|(last, _)| *last < level) {
            self.began.push((level, elapsed_s));
        }
        self.dots.add(&progress.points);
        self.rates.add(&progress.rates);
        self.server.add(&progress.server);
        self.server_told = progress.server_told.or(self.server_told.take());
        self.flights = progress.flights;
        if !progress.ended.is_empty() {
            self.levels.truncate(self.levels_ended);
            for ended in &progress.ended {
                self.begins_at(ended);
            }
            self.levels.extend(progress.ended);
            self.levels_ended = self.levels.len();
            self.over_runs = over_runs(&self.levels);
        }
        if let Some(partial) = progress.partial {
            self.begins_at(&partial);
            self.levels.truncate(self.levels_ended);
            // A last word of a level that has ended meanwhile.
            if self
                .levels
                .last()
                .is_none_or(|last| last.index < partial.index)
            {
                self.levels.push(*partial);
            }
        }
    }

    /// The report knows better when the measured part of a level began.
    pub(super) fn begins_at(&mut self, report: &LevelReport) {
        let Some(began_s) = report.began_s else {
            return;
        };
        match self
            .began
            .iter_mut()
            .find(|(level, _)| *level == report.index)
        {
            Some((_, began)) => *began = began_s,
            None => {
                self.began.push((report.index, began_s));
                self.began.sort_by_key(|(level, _)| *level);
            }
        }
    }

    pub(super) fn end(&mut self, outcome: Result<Arc<BenchReport>, Failure>) {
        if let Ok(report) = &outcome {
            self.levels.clone_from(&report.levels);
            self.over_runs.clone_from(&report.over_runs);
            let metrics = report.server_metrics.as_ref();
            self.server_told = metrics.map(MetricsOrigin::told).or(self.server_told.take());
        }
        self.levels_ended = self.levels.len();
        self.flights.clear();
        self.outcome = Some(outcome);
    }
}
