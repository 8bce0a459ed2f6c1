//! The Benchmark page's forms, one per environment, and the session under way or over, folded from events.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::State;
use crate::domain::environment::{EnvId, Environment};
use crate::domain::failure::Failure;
use crate::domain::history::Traces;
use crate::domain::plan::{Arrivals, Ends, Field, Lengths, Load, Objectives, Plan, Prompts, Target};
use crate::domain::run::{
    BenchProgress, BenchReport, Flight, InFlight, LevelReport, Point, RatePoint, SessionEnd, Stage, Steer,
};
use crate::domain::settings::BenchForms;
use crate::domain::units::{read_duration, write_duration};
use crate::metrics::compare::Comparison;
use crate::protocol::{Command, JobId};

/// What the Benchmark page knows.
#[derive(Debug, Default)]
pub struct BenchState {
    forms: HashMap<EnvId, Form>,
    /// The session under way, or the last one.
    pub session: Option<Session>,
}

impl State {
    /// The form of the environment in use; the first time it is as it was left.
    pub fn bench_form(&mut self) -> &mut Form {
        let env = self.settings.current();
        let last = self.settings.benches.get(&env.id).and_then(|forms| forms.last.as_ref());
        self.bench.forms.entry(env.id.clone()).or_insert_with(|| match last {
            Some(plan) => Form::of(plan),
            None => Form::of(&Plan::default()),
        })
    }

    /// Runs what the form says, unless it has problems or a session runs. The form is remembered.
    pub fn run_bench(&mut self, out: &mut Vec<Command>) {
        let read = self.bench_form().read();
        if !read.problems.is_empty() || self.bench.running().is_some() {
            return;
        }
        let (job, place) = (self.next_job(), self.env().clone());
        for target in &read.plan.targets {
            self.colors.note(&target.model);
        }
        self.remember_form(out);
        self.bench.session = Some(Session::new(job, &place, read.plan.clone()));
        out.push(Command::RunBench { job, place, plan: Box::new(read.plan) });
    }

    /// Keeps the form in the settings, as far as it is sound and has changed.
    pub fn remember_form(&mut self, out: &mut Vec<Command>) {
        let read = self.bench_form().read();
        // A plan without a model is worth remembering, too.
        if read.problems.iter().any(|(spot, _)| *spot != Spot::Targets) {
            return;
        }
        let forms = self.bench_forms();
        if forms.last.as_ref() != Some(&read.plan) {
            forms.last = Some(read.plan);
            self.save_benches(out);
        }
    }

    /// Keeps the form as a preset; one of the same name is replaced.
    pub fn save_preset(&mut self, name: &str, out: &mut Vec<Command>) {
        let plan = self.bench_form().read().plan;
        let forms = self.bench_forms();
        match forms.presets.iter_mut().find(|(old, _)| old == name) {
            Some((_, old)) => *old = plan,
            None => forms.presets.push((name.to_owned(), plan)),
        }
        self.save_benches(out);
    }

    /// Takes one of the user's presets away.
    pub fn delete_preset(&mut self, name: &str, out: &mut Vec<Command>) {
        self.bench_forms().presets.retain(|(old, _)| old != name);
        self.save_benches(out);
    }

    /// The built-in presets and the user's own; the user's are marked.
    pub fn presets(&self) -> Vec<(String, Plan, bool)> {
        let own = self.settings.benches.get(&self.env().id).into_iter().flat_map(|forms| &forms.presets);
        let built_in = built_in_presets().into_iter().map(|(name, plan)| (name.to_owned(), plan, false));
        built_in.chain(own.map(|(name, plan)| (name.clone(), plan.clone(), true))).collect()
    }

    fn bench_forms(&mut self) -> &mut BenchForms {
        let id = self.env().id.clone();
        self.settings.benches.entry(id).or_default()
    }

    fn save_benches(&self, out: &mut Vec<Command>) {
        out.push(Command::SaveSettings { settings: self.settings.clone(), key: None });
    }
}

/// What many begin with. They say nothing of models.
pub fn built_in_presets() -> [(&'static str, Plan); 3] {
    let plan = Plan::default();
    [
        (
            "Quick look",
            Plan {
                load: Load::Concurrency(vec![4]),
                level_ends: Ends { requests: Some(20), ..plan.level_ends },
                ..plan.clone()
            },
        ),
        ("Concurrency sweep", Plan { load: Load::sweep(64), ..plan.clone() }),
        (
            "Steady rate",
            Plan {
                load: Load::Rate { per_sec: vec![2.0], arrivals: Arrivals::Poisson, most_in_flight: None },
                level_ends: Ends { requests: None, after: Some(Duration::from_secs(120)), error_share: None },
                ..plan
            },
        ),
    ]
}

impl BenchState {
    /// The job of the session under way.
    pub fn running(&self) -> Option<JobId> {
        self.session.as_ref().filter(|session| session.is_running()).map(|session| session.job)
    }

    /// Asks the session under way to pause or to go on.
    pub fn steer(&mut self, steer: Steer, out: &mut Vec<Command>) {
        if let Some(session) = self.session.as_mut().filter(|session| session.is_running()) {
            session.steered = steer;
            out.push(Command::SteerBench { job: session.job, steer });
        }
    }

    /// Asks the session under way to stop; it ends with [`crate::protocol::Event::BenchEnded`].
    pub fn stop(&mut self, out: &mut Vec<Command>) {
        if let Some(session) = self.session.as_mut().filter(|session| session.is_running()) {
            session.stopping = true;
            out.push(Command::Cancel { job: session.job });
        }
    }

    pub(super) fn advance(&mut self, job: JobId, progress: BenchProgress) {
        if let Some(session) = self.of_job(job) {
            session.advance(progress);
        }
    }

    pub(super) fn end(&mut self, job: JobId, outcome: Result<Arc<BenchReport>, Failure>) {
        if let Some(session) = self.of_job(job) {
            session.end(outcome);
        }
    }

    /// A session of this window was held against its baseline.
    pub(super) fn held(&mut self, job: JobId, comparison: Arc<Comparison>) {
        if let Some(session) = self.session.as_mut().filter(|session| session.job == job) {
            session.held = Some(comparison);
        }
    }

    fn of_job(&mut self, job: JobId) -> Option<&mut Session> {
        self.session.as_mut().filter(|session| session.job == job && session.is_running())
    }
}

// ---- the session --------------------------------------------------------------------------------------

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
    /// How far it is; `None` before the first word of it.
    pub now: Option<Standing>,
    /// What the user asked for last.
    pub steered: Steer,
    /// The user asked it to stop.
    pub stopping: bool,
    /// Levels that ended, then the one under way.
    pub levels: Vec<LevelReport>,
    /// How many of `levels` have ended.
    pub levels_ended: usize,
    /// When each level was first heard of: its index, and the seconds since the session began.
    pub began: Vec<(usize, f64)>,
    /// Requests, thinned.
    pub dots: Dots,
    /// Rates, thinned.
    pub rates: Rates,
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
}

impl Session {
    fn new(job: JobId, place: &Environment, plan: Plan) -> Self {
        Self {
            job,
            env: place.id.clone(),
            env_name: place.name.clone(),
            plan,
            now: None,
            steered: Steer::Resume,
            stopping: false,
            levels: Vec::new(),
            levels_ended: 0,
            began: Vec::new(),
            dots: Dots::default(),
            rates: Rates::default(),
            flights: Vec::new(),
            outcome: None,
            held: None,
        }
    }

    /// A session out of the history, as it was when it ended. It answers to no job.
    pub fn stored(report: &BenchReport, traces: &Traces) -> Self {
        let place = Environment::blank(EnvId(String::new()), &*report.environment);
        let mut session = Self::new(JobId(0), &place, report.plan.clone());
        let began = |level: &LevelReport| (level.index, level.began_s);
        session.began = report.levels.iter().map(began).collect();
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
        let loads = self.plan.load.levels().len().max(1);
        self.plan.targets.get(level / loads).map(|target| target.model.as_str())
    }

    /// The label of a level, found as its model is: `c=16`.
    pub fn label_of(&self, level: usize) -> Option<String> {
        if let Some(report) = self.levels.iter().find(|report| report.index == level) {
            return Some(report.label.clone());
        }
        let loads = self.plan.load.levels();
        loads.get(level % loads.len().max(1)).map(crate::domain::plan::LevelLoad::label)
    }

    /// Why it ended before its time, in words; `None` when all was run or it still runs.
    pub fn cut_because(&self) -> Option<String> {
        match self.outcome.as_ref()?.as_ref().map(|report| &report.ended) {
            Ok(SessionEnd::Complete) | Err(_) => None,
            Ok(SessionEnd::Stopped) => Some("Stopped: the figures so far are kept".to_owned()),
            Ok(SessionEnd::Limit(why)) => Some(format!("Ended early: {why}")),
            Ok(SessionEnd::Failed(why)) => Some(format!("It could not go on: {why}")),
        }
    }

    fn advance(&mut self, progress: BenchProgress) {
        let BenchProgress { elapsed_s, stage, level, levels, done, left_s, requests, in_flight, .. } =
            progress;
        self.now = Some(Standing { elapsed_s, stage, level, levels, done, left_s, requests, in_flight });
        if self.began.last().is_none_or(|(last, _)| *last < level) {
            self.began.push((level, elapsed_s));
        }
        self.dots.add(&progress.points);
        self.rates.add(&progress.rates);
        self.flights = progress.flights;
        if !progress.ended.is_empty() {
            self.levels.truncate(self.levels_ended);
            for ended in &progress.ended {
                self.begins_at(ended);
            }
            self.levels.extend(progress.ended);
            self.levels_ended = self.levels.len();
        }
        if let Some(partial) = progress.partial {
            self.begins_at(&partial);
            self.levels.truncate(self.levels_ended);
            // A last word of a level that has ended meanwhile.
            if self.levels.last().is_none_or(|last| last.index < partial.index) {
                self.levels.push(*partial);
            }
        }
    }

    /// The report knows better when the measured part of a level began.
    fn begins_at(&mut self, report: &LevelReport) {
        match self.began.iter_mut().find(|(level, _)| *level == report.index) {
            Some((_, began)) => *began = report.began_s,
            None => {
                self.began.push((report.index, report.began_s));
                self.began.sort_by_key(|(level, _)| *level);
            }
        }
    }

    fn end(&mut self, outcome: Result<Arc<BenchReport>, Failure>) {
        if let Ok(report) = &outcome {
            self.levels.clone_from(&report.levels);
        }
        self.levels_ended = self.levels.len();
        self.flights.clear();
        self.outcome = Some(outcome);
    }
}

/// Requests as the dots of a chart. However many are added, at most [`Dots::MOST`] are kept: of each stretch of
/// time the slowest and the fastest, and a few between them.
#[derive(Debug, Clone, Default)]
pub struct Dots {
    kept: Vec<Point>,
    added: u64,
}

impl Dots {
    /// More are never kept.
    pub const MOST: usize = 4_000;
    /// What thinning leaves of a stretch.
    const OF_EACH: usize = 4;

    /// Those to be drawn, about in the order in which they ended.
    pub fn kept(&self) -> &[Point] {
        &self.kept
    }

    /// How many were added.
    pub fn added(&self) -> u64 {
        self.added
    }

    fn add(&mut self, points: &[Point]) {
        self.added += points.len() as u64;
        for chunk in points.chunks(Self::MOST / 2) {
            if self.kept.len() + chunk.len() > Self::MOST {
                self.thin();
            }
            self.kept.extend_from_slice(chunk);
        }
    }

    /// Halves what is kept, at least.
    fn thin(&mut self) {
        let stretches = Self::MOST / 2 / Self::OF_EACH;
        self.kept.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let (Some(first), Some(last)) = (self.kept.first(), self.kept.last()) else { return };
        let (from, width) = (first.at_s, (last.at_s - first.at_s).max(1e-9) / stretches as f64);
        let stretch_of = |point: &Point| (((point.at_s - from) / width) as usize).min(stretches - 1);
        let mut left = Vec::with_capacity(Self::MOST);
        for stretch in self.kept.chunk_by(|a, b| stretch_of(a) == stretch_of(b)) {
            let low = (0..stretch.len()).min_by(|a, b| by_ttft(&stretch[*a], &stretch[*b]));
            let high = (0..stretch.len()).max_by(|a, b| by_ttft(&stretch[*a], &stretch[*b]));
            let some = [stretch.len() / 3, stretch.len() * 2 / 3].map(Some);
            let mut chosen: Vec<usize> = [low, high].into_iter().chain(some).flatten().collect();
            chosen.sort_unstable();
            chosen.dedup();
            left.extend(chosen.into_iter().map(|at| stretch[at]));
        }
        self.kept = left;
    }
}

/// Failures count as the slowest: they must not be lost.
fn by_ttft(a: &Point, b: &Point) -> std::cmp::Ordering {
    a.ttft_ms.unwrap_or(f32::INFINITY).total_cmp(&b.ttft_ms.unwrap_or(f32::INFINITY))
}

/// Rates over time. Neighbours are merged into their mean once there are many.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    kept: Vec<RatePoint>,
    /// Ticks in each of those kept.
    ticks: u32,
    /// The mean so far of the ticks that do not fill one yet.
    open: Option<(RatePoint, u32)>,
}

impl Rates {
    /// More are never kept.
    pub const MOST: usize = 2_000;

    /// In the order of time.
    pub fn kept(&self) -> &[RatePoint] {
        &self.kept
    }

    fn add(&mut self, rates: &[RatePoint]) {
        self.ticks = self.ticks.max(1);
        for rate in rates {
            let (mean, n) = match self.open.take() {
                // Levels differ: a mean over both would be of neither.
                Some((mean, n)) if mean.level == rate.level => (merged(mean, n, *rate, 1), n + 1),
                Some((mean, _)) => {
                    self.kept.push(mean);
                    (*rate, 1)
                }
                None => (*rate, 1),
            };
            if n < self.ticks {
                self.open = Some((mean, n));
            } else {
                self.kept.push(mean);
            }
            if self.kept.len() >= Self::MOST {
                let pairs = self.kept.chunks(2);
                self.kept = pairs
                    .map(|pair| if let [a, b] = pair { merged(*a, 1, *b, 1) } else { pair[0] })
                    .collect();
                self.ticks *= 2;
            }
        }
    }
}

fn merged(a: RatePoint, n: u32, b: RatePoint, m: u32) -> RatePoint {
    let (weight_a, weight_b) = (f64::from(n), f64::from(m));
    let tokens_per_s = (a.tokens_per_s * weight_a + b.tokens_per_s * weight_b) / (weight_a + weight_b);
    RatePoint { tokens_per_s, ..b }
}

// ---- the form -----------------------------------------------------------------------------------------

/// A plan as it is being typed.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "named as the plan's fields; texts as they are typed")]
pub struct Form {
    pub targets: Vec<Target>,
    pub kind: LoadKind,
    pub concurrency: String,
    pub sweep: String,
    pub rates: String,
    pub poisson: bool,
    /// The most in flight of a rate or a trace; empty for no cap.
    pub cap: String,
    pub in_flight: String,
    pub trace: String,
    pub from_file: bool,
    pub input_tokens: String,
    pub prefix_tokens: String,
    pub prompts: String,
    pub output_tokens: String,
    pub ignore_eos: bool,
    pub turns: String,
    pub requests: String,
    pub level_time: String,
    pub warmup: String,
    pub ramp_up: String,
    pub stop_time: String,
    /// In percent.
    pub stop_errors: String,
    pub timeout: String,
    pub goodput: String,
    pub seed: String,
    pub tags: String,
    /// What the form does not show and must not lose.
    rest: Plan,
}

/// The kinds of load, as people choose them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadKind {
    /// One level of concurrency.
    Fixed,
    /// Several.
    Sweep,
    /// Open loop.
    Rate,
    /// Everything at once.
    Max,
    /// A trace file.
    Trace,
}

impl LoadKind {
    /// In the order of the list, with their names.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Fixed, "Fixed concurrency"),
        (Self::Sweep, "Concurrency sweep"),
        (Self::Rate, "Rate"),
        (Self::Max, "As fast as it goes"),
        (Self::Trace, "Trace file"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

/// A field of the form, for what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the form's fields")]
pub enum Spot {
    Targets,
    Load,
    Cap,
    Input,
    Prefix,
    Prompts,
    Output,
    Turns,
    Requests,
    LevelTime,
    Warmup,
    RampUp,
    StopTime,
    StopErrors,
    Timeout,
    Goodput,
    Seed,
}

impl Spot {
    /// Whether the field is among those that are folded away.
    pub fn is_rare(self) -> bool {
        matches!(
            self,
            Self::Prefix | Self::Turns | Self::LevelTime | Self::RampUp | Self::Timeout | Self::Seed
        )
    }
}

/// What a form says.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The plan; where something is wrong, the default stands in.
    pub plan: Plan,
    /// What is wrong, and where.
    pub problems: Vec<(Spot, String)>,
}

impl Read {
    /// What is wrong with one field.
    pub fn problem(&self, spot: Spot) -> Option<&str> {
        self.problems.iter().find(|(at, _)| *at == spot).map(|(_, text)| text.as_str())
    }
}

impl Form {
    /// The form that says what `plan` says.
    pub fn of(plan: &Plan) -> Self {
        let text = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
        let time = |time: Option<Duration>| time.map(write_duration).unwrap_or_default();
        let mut form = Self {
            targets: plan.targets.clone(),
            kind: LoadKind::Fixed,
            concurrency: "16".to_owned(),
            sweep: "1, 2, 4, 8, 16".to_owned(),
            rates: "2".to_owned(),
            poisson: true,
            cap: String::new(),
            in_flight: "64".to_owned(),
            trace: String::new(),
            from_file: false,
            input_tokens: "256".to_owned(),
            prefix_tokens: "0".to_owned(),
            prompts: String::new(),
            output_tokens: plan.output_tokens.map(|lengths| lengths.to_string()).unwrap_or_default(),
            ignore_eos: plan.ignore_eos,
            turns: plan.turns.to_string(),
            requests: text(plan.level_ends.requests),
            level_time: time(plan.level_ends.after),
            warmup: plan.warmup.to_string(),
            ramp_up: if plan.ramp_up.is_zero() { String::new() } else { write_duration(plan.ramp_up) },
            stop_time: time(plan.session_ends.after),
            stop_errors: plan.session_ends.error_share.map(percent).unwrap_or_default(),
            timeout: write_duration(plan.timeout),
            goodput: plan.objectives.to_string(),
            seed: plan.seed.to_string(),
            tags: plan.tags.join(", "),
            rest: plan.clone(),
        };
        form.set_load(&plan.load);
        match &plan.prompts {
            Prompts::Synthetic { input_tokens, prefix_tokens } => {
                form.input_tokens = input_tokens.to_string();
                form.prefix_tokens = prefix_tokens.to_string();
            }
            Prompts::File(file) => {
                form.from_file = true;
                form.prompts = file.display().to_string();
            }
        }
        form
    }

    fn set_load(&mut self, load: &Load) {
        let cap = |most: &Option<u32>| most.map(|most| most.to_string()).unwrap_or_default();
        match load {
            Load::Concurrency(clients) if clients.len() == 1 => {
                self.kind = LoadKind::Fixed;
                self.concurrency = list(clients);
            }
            Load::Concurrency(clients) => {
                self.kind = LoadKind::Sweep;
                self.sweep = list(clients);
            }
            Load::Rate { per_sec, arrivals, most_in_flight } => {
                self.kind = LoadKind::Rate;
                self.rates = list(per_sec);
                self.poisson = *arrivals == Arrivals::Poisson;
                self.cap = cap(most_in_flight);
            }
            Load::Max { in_flight } => {
                self.kind = LoadKind::Max;
                self.in_flight = in_flight.to_string();
            }
            Load::Trace { file, most_in_flight } => {
                self.kind = LoadKind::Trace;
                self.trace = file.display().to_string();
                self.cap = cap(most_in_flight);
            }
        }
    }

    /// Takes a preset over, and keeps the models unless it names some.
    pub fn take(&mut self, preset: &Plan) {
        let targets = std::mem::take(&mut self.targets);
        *self = Self::of(preset);
        if self.targets.is_empty() {
            self.targets = targets;
        }
    }

    /// The plan, and what is wrong.
    pub fn read(&self) -> Read {
        let mut reader = Reader::default();
        let plan = self.plan(&mut reader);
        let mut problems = reader.problems;
        for problem in plan.problems() {
            let spot = self.spot_of(problem.field, &plan);
            // What cannot be read has said so already.
            if problems.iter().all(|(at, _)| *at != spot) {
                problems.push((spot, sentence(&problem.text)));
            }
        }
        Read { plan, problems }
    }

    fn plan(&self, reader: &mut Reader) -> Plan {
        let default = Plan::default();
        let mut cap = || reader.maybe(Spot::Cap, &self.cap, number::<u32>);
        let load = match self.kind {
            LoadKind::Rate => Load::Rate {
                most_in_flight: cap(),
                per_sec: reader.needed(Spot::Load, &self.rates, numbers).unwrap_or_default(),
                arrivals: if self.poisson { Arrivals::Poisson } else { Arrivals::Constant },
            },
            LoadKind::Trace => Load::Trace { most_in_flight: cap(), file: PathBuf::from(self.trace.trim()) },
            LoadKind::Max => {
                Load::Max { in_flight: reader.needed(Spot::Load, &self.in_flight, number).unwrap_or(1) }
            }
            LoadKind::Fixed => {
                Load::Concurrency(reader.needed(Spot::Load, &self.concurrency, number).into_iter().collect())
            }
            LoadKind::Sweep => {
                Load::Concurrency(reader.needed(Spot::Load, &self.sweep, numbers).unwrap_or_default())
            }
        };
        let prompts = if self.from_file {
            let file = self.prompts.trim();
            if file.is_empty() {
                reader.problems.push((Spot::Prompts, "Say which file".to_owned()));
            }
            Prompts::File(PathBuf::from(file))
        } else {
            Prompts::Synthetic {
                input_tokens: reader
                    .needed(Spot::Input, &self.input_tokens, Lengths::parse)
                    .unwrap_or(Lengths::Fixed(256)),
                prefix_tokens: reader.maybe(Spot::Prefix, &self.prefix_tokens, number).unwrap_or(0),
            }
        };
        let share = |text: &str| {
            let percent: f64 = number(text.trim().trim_end_matches('%').trim_end())?;
            Ok(percent / 100.0)
        };
        Plan {
            targets: self.targets.clone(),
            load,
            level_ends: Ends {
                requests: reader.maybe(Spot::Requests, &self.requests, number),
                after: reader.maybe(Spot::LevelTime, &self.level_time, time),
                ..self.rest.level_ends
            },
            session_ends: Ends {
                after: reader.maybe(Spot::StopTime, &self.stop_time, time),
                error_share: reader.maybe(Spot::StopErrors, &self.stop_errors, share),
                ..self.rest.session_ends
            },
            warmup: reader.maybe(Spot::Warmup, &self.warmup, number).unwrap_or(0),
            ramp_up: reader.maybe(Spot::RampUp, &self.ramp_up, time).unwrap_or_default(),
            prompts,
            turns: reader.maybe(Spot::Turns, &self.turns, number).unwrap_or(1),
            output_tokens: reader.maybe(Spot::Output, &self.output_tokens, Lengths::parse),
            ignore_eos: self.ignore_eos,
            timeout: reader.needed(Spot::Timeout, &self.timeout, time).unwrap_or(default.timeout),
            objectives: reader.maybe(Spot::Goodput, &self.goodput, Objectives::parse).unwrap_or_default(),
            // TOML and JSON readers know no larger number.
            seed: u64::from(reader.maybe(Spot::Seed, &self.seed, number::<u32>).unwrap_or(1)),
            tags: self
                .tags
                .split(',')
                .map(|tag| tag.trim().to_owned())
                .filter(|tag| !tag.is_empty())
                .collect(),
            params: self.rest.params.clone(),
        }
    }

    fn spot_of(&self, field: Field, plan: &Plan) -> Spot {
        match field {
            Field::Targets => Spot::Targets,
            Field::Load => {
                let no_cap = matches!(
                    plan.load,
                    Load::Rate { most_in_flight: Some(0), .. } | Load::Trace { most_in_flight: Some(0), .. }
                );
                if no_cap { Spot::Cap } else { Spot::Load }
            }
            Field::LevelEnds if plan.level_ends.after.is_some() && plan.level_ends.requests != Some(0) => {
                Spot::LevelTime
            }
            Field::LevelEnds => Spot::Requests,
            Field::SessionEnds if plan.session_ends.after.is_some_and(|a| a < Duration::from_millis(10)) => {
                Spot::StopTime
            }
            Field::SessionEnds => Spot::StopErrors,
            Field::Warmup => Spot::Warmup,
            Field::RampUp => Spot::RampUp,
            Field::Prompts if self.from_file => Spot::Prompts,
            Field::Prompts => match &plan.prompts {
                Prompts::Synthetic { input_tokens, prefix_tokens }
                    if *prefix_tokens > 0 && *prefix_tokens >= input_tokens.least() =>
                {
                    Spot::Prefix
                }
                _ => Spot::Input,
            },
            Field::Turns => Spot::Turns,
            Field::OutputTokens | Field::Params => Spot::Output,
            Field::Timeout => Spot::Timeout,
            Field::Objectives => Spot::Goodput,
        }
    }
}

#[derive(Default)]
struct Reader {
    problems: Vec<(Spot, String)>,
}

impl Reader {
    /// An empty text is nothing.
    fn maybe<T>(&mut self, spot: Spot, text: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        if text.trim().is_empty() { None } else { self.needed(spot, text, read) }
    }

    fn needed<T>(&mut self, spot: Spot, text: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match read(text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.problems.push((spot, sentence(&why)));
                None
            }
        }
    }
}

/// Thousands may stand apart.
fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    let digits = text.trim().replace([',', '_', ' '], "");
    digits.parse().map_err(|_| match text.trim() {
        "" => "A number is needed".to_owned(),
        other => format!("{other:?} is no such number"),
    })
}

fn numbers<T: std::str::FromStr>(text: &str) -> Result<Vec<T>, String> {
    let parts = text.split([',', ' ', '·', ';']).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(|_| format!("{part:?} is no such number"))).collect()
}

/// A bare number is seconds.
fn time(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| format!("{text:?} is no time")),
        Err(_) => read_duration(text),
    }
}

fn percent(share: f64) -> String {
    // 0.07 × 100 is not quite 7.
    format!("{}", (share * 1e8).round() / 1e6)
}

fn list<T: ToString>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::Settings;

    fn sound() -> Plan {
        Plan { targets: vec![Target { deployment: None, model: "m".to_owned() }], ..Plan::default() }
    }

    fn running() -> (State, JobId) {
        let mut state = State::new(Settings::default());
        *state.bench_form() = Form::of(&sound());
        let mut out = Vec::new();
        state.run_bench(&mut out);
        let job = state.bench.running().expect("it runs");
        assert!(out.iter().any(|command| matches!(command, Command::RunBench { .. })));
        (state, job)
    }

    fn progress(points: Vec<Point>) -> BenchProgress {
        BenchProgress {
            elapsed_s: 1.0,
            stage: Stage::Measuring,
            level: 0,
            levels: 5,
            level_done: 0.1,
            done: 0.02,
            left_s: None,
            requests: (3, Some(100)),
            in_flight: InFlight::default(),
            points,
            rates: Vec::new(),
            flights: Vec::new(),
            partial: None,
            ended: Vec::new(),
        }
    }

    #[test]
    fn a_form_says_what_its_plan_says() {
        let plans = [
            Plan { load: Load::Max { in_flight: 9 }, ..sound() },
            Plan { load: Load::Concurrency(vec![7]), ramp_up: Duration::from_millis(1_500), ..sound() },
            Plan {
                load: Load::Trace { file: "/t.jsonl".into(), most_in_flight: Some(4) },
                prompts: Prompts::File("/p.jsonl".into()),
                tags: vec!["a=b".to_owned(), "c".to_owned()],
                ..sound()
            },
        ];
        for plan in plans.into_iter().chain(built_in_presets().map(|(_, plan)| plan)) {
            let plan = Plan { targets: sound().targets, ..plan };
            assert_eq!(Form::of(&plan).read(), Read { plan, problems: Vec::new() });
        }
    }

    #[test]
    fn what_is_wrong_stands_at_its_field() {
        let check = |change: fn(&mut Form), spot: Spot, word: &str| {
            let mut form = Form::of(&sound());
            change(&mut form);
            let read = form.read();
            let told = read.problem(spot).unwrap_or_else(|| panic!("{spot:?}: {:?}", read.problems));
            assert!(told.contains(word), "{told}");
            assert_eq!(read.problems.len(), 1, "{:?}", read.problems);
        };
        check(|form| form.targets.clear(), Spot::Targets, "at least one model");
        check(|form| form.sweep = "1, x".to_owned(), Spot::Load, "\"x\"");
        check(|form| form.sweep = "0".to_owned(), Spot::Load, "20,000");
        check(|form| form.input_tokens = "1-".to_owned(), Spot::Input, "500-1500");
        check(|form| form.prefix_tokens = "300".to_owned(), Spot::Prefix, "shorter");
        check(|form| form.requests = "0".to_owned(), Spot::Requests, "At least one");
        check(|form| form.stop_errors = "200 %".to_owned(), Spot::StopErrors, "100 %");
        check(|form| form.goodput = "ttft".to_owned(), Spot::Goodput, "ttft=500ms");
        check(|form| form.timeout = String::new(), Spot::Timeout, "time");
        check(|form| (form.kind, form.cap) = (LoadKind::Rate, "0".to_owned()), Spot::Cap, "nothing is sent");
    }

    #[test]
    fn a_preset_keeps_the_models() {
        let mut form = Form::of(&sound());
        form.take(&built_in_presets()[2].1);
        assert_eq!(form.kind, LoadKind::Rate);
        assert_eq!(form.targets, sound().targets);
    }

    #[test]
    fn the_slowest_and_the_failed_survive_the_thinning() {
        let mut dots = Dots::default();
        let point = |n: u32| Point {
            level: n / 20_000,
            at_s: f64::from(n) / 100.0,
            ttft_ms: Some(if n == 77_777 { 9_000.0 } else { 100.0 + (n % 37) as f32 }),
        };
        for n in 0..100_000 {
            dots.add(&[point(2 * n), point(2 * n + 1)]);
            if n == 1_234 {
                dots.add(&[Point { ttft_ms: None, ..point(2 * n) }]);
            }
        }
        assert_eq!(dots.added(), 200_001);
        assert!(
            dots.kept().len() <= Dots::MOST && dots.kept().len() > Dots::MOST / 4,
            "{}",
            dots.kept().len()
        );
        assert!(dots.kept().iter().any(|dot| dot.ttft_ms == Some(9_000.0)));
        assert!(dots.kept().iter().any(|dot| dot.ttft_ms.is_none()));
        for level in 0..10 {
            assert!(dots.kept().iter().any(|dot| dot.level == level), "level {level}");
        }
    }

    #[test]
    fn merged_rates_keep_their_mean() {
        let mut rates = Rates::default();
        for n in 0..10_000u32 {
            let tokens_per_s = if n % 2 == 0 { 90.0 } else { 110.0 };
            rates.add(&[RatePoint { at_s: f64::from(n) / 4.0, level: 0, tokens_per_s, in_flight: 1 }]);
        }
        assert!(rates.kept().len() <= Rates::MOST);
        assert!(rates.kept().iter().all(|rate| (rate.tokens_per_s - 100.0).abs() < 1e-6));
    }

    #[test]
    fn a_failed_session_keeps_what_it_had() {
        let (mut state, job) = running();
        let point = Point { level: 0, at_s: 0.5, ttft_ms: Some(80.0) };
        state.bench.advance(job, progress(vec![point]));
        state.bench.advance(JobId(99), progress(vec![point; 5]));
        state.bench.end(job, Err(Failure::new("gone", "")));
        assert_eq!(state.bench.running(), None);
        let session = state.bench.session.as_ref().expect("it stays");
        assert_eq!(session.dots.kept(), [point]);
        assert_eq!(session.now.map(|now| now.requests.0), Some(3));
    }

    #[test]
    fn a_session_stays_where_it_was_begun() {
        let (mut state, job) = running();
        let mut out = Vec::new();
        let other = Environment::blank(EnvId("e1".to_owned()), "other");
        state.save_environment(other, None, &mut out);
        assert!(out.iter().all(|command| !matches!(command, Command::Cancel { .. })));
        assert_eq!(state.bench.running(), Some(job));
        assert_eq!(state.bench.session.as_ref().map(|session| session.env.clone()), Some(EnvId::demo()));
        assert!(state.bench_form().targets.is_empty(), "the other environment has a form of its own");
        state.run_bench(&mut out);
        assert!(out.iter().all(|command| !matches!(command, Command::RunBench { .. })), "one at a time");
    }
}
