//! A benchmark session from its plan to its report. The same for the window and the command line.
//!
//! ```text
//! feed (thread)      writes requests ahead of time
//!   ↓ bounded channel
//! lanes (threads)    send, read, stamp, take apart: one runtime of one thread each
//!   ↓ channel that nobody waits on
//! session (here)     every 33 ms: folds what ended, decides what ends, tells the listener
//! ```
//! In an open loop `pacer` stands between feed and lanes and lets each request go at its moment. Each lane has an
//! alarm of the system's among its connections, to see how late it reads.

mod alarm;
mod calibration;
mod counts;
mod feed;
mod files;
mod hearing;
mod lane;
mod left;
mod level;
mod live;
mod pacer;
mod pause;
mod watch;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use tokio::sync::{Semaphore, watch as steering};
use tokio_util::sync::CancellationToken;

use self::calibration::{Fitted, UNFITTED_FOR};
use self::feed::Counters;
use self::files::Files;
use self::lane::{Lane, Told};
use self::level::Level as LaneLevel;
use self::live::Live;
use self::pause::Pauses;
use self::watch::Watching;
use crate::domain::conversation::{ChatRequest, Message, Params, Role};
use crate::domain::dialect::Dialect;
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::history::Said;
use crate::domain::plan::{Level, LevelLoad, Load, Plan, Target};
use crate::domain::run::{
    BenchProgress, BenchReport, Calibration, LevelEnd, LevelReport, Machine, SCHEMA, SessionEnd,
    Stage, Steer, Switch,
};
use crate::domain::units;
use crate::engine::chat;
use crate::io::api::Api;
use crate::io::http1::Dialer;
use crate::io::limits;
use crate::metrics::request::{Phase, RequestRecord};
use crate::metrics::tally::{LevelFrame, Sending, Tally};
use crate::metrics::timeline::Figures;
use crate::prompts::files::Material;
use crate::prompts::fit::{Calibrator, UNFITTED};
use crate::prompts::schedule::Schedule;
use crate::prompts::trace::Trace;
use crate::prompts::{PromptSource, length_to_fit};
use crate::protocol::ChatEnding;
use crate::wire::openai;

/// How often what ended is folded, and at most how often it is told.
const TICK: Duration = Duration::from_millis(33);
/// Clients that one measuring thread is given before another is started.
const CLIENTS_PER_LANE: usize = 256;
const MOST_LANES: usize = 8;
/// Warm-ups of an open loop go out so many at a time.
const WARMUP_CLIENTS: u32 = 4;
/// How long the lanes have to let go of what they were stopped at.
const STOPPING: Duration = Duration::from_secs(1);

/// How a session is ended and paused from outside.
#[derive(Debug, Clone)]
pub struct Controls {
    /// Ends it: every connection is closed at once, the figures so far are kept.
    pub cancel: CancellationToken,
    /// Pauses it and lets it go on.
    pub steer: steering::Receiver<Steer>,
}

/// Hears of a session while it runs. Called where [`run`] is awaited, never on the measuring threads.
pub trait Listener: Send {
    /// It has begun: the report as it stands, without levels.
    fn began(&mut self, report: &BenchReport) {
        let _ = report;
    }
    /// At most every 33 ms.
    fn advanced(&mut self, progress: BenchProgress);
    /// Each request that ended, warm-ups included, in the order in which they ended.
    fn ended(&mut self, record: &Arc<RequestRecord>) {
        let _ = record;
    }
    /// Whether what is said is wanted, for [`Self::said`]. Asked once, before the session begins.
    fn wants_texts(&self) -> bool {
        false
    }
    /// What was said in the request whose [`Self::ended`] comes next.
    fn said(&mut self, said: Said) {
        let _ = said;
    }
}

/// Runs a session. A failed request is counted, not returned.
///
/// # Errors
/// When the plan is not sound, or the session cannot begin: a file that cannot be read, a prompt length that
/// cannot be reached, a first request that fails in a way that all others would.
pub async fn run(
    plan: &Plan,
    api: &Api,
    environment: &str,
    controls: Controls,
    listener: &mut dyn Listener,
) -> Result<BenchReport, Failure> {
    if let Some(problem) = plan.problems().first() {
        return Err(Failure::new(
            format!("This plan cannot be run: {}", problem.text),
            "Change it and run it again",
        ));
    }
    files_suffice(plan, limits::raise_open_files(), limits::open_files())?;
    let seed = plan.seed.unwrap_or_else(super::fresh_seed);
    let sown = Plan {
        seed: Some(seed),
        ..plan.clone()
    };
    let files = Files::read(plan).await?;
    let (told, hears) = crossbeam_channel::unbounded();
    let lanes = lanes_for(plan);
    let world = Arc::new(World {
        began: Instant::now(),
        api: api.clone(),
        dialer: api.dialer(),
        id: new_id(),
        timeout: plan.timeout,
        texts: listener.wants_texts(),
        cancel: CancellationToken::new(),
        paused: AtomicBool::new(false),
        pauses: Pauses::default(),
        steer: controls.steer.clone(),
    });
    // However this ends, also by being dropped, the lanes end with it.
    let _stop = world.cancel.clone().drop_guard();
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let machine = Machine::new(&system, cores(), lanes);
    let lanes: Result<Vec<Lane>, Failure> = (0..lanes)
        .map(|number| Lane::start(number, lanes, Arc::clone(&world), told.clone()))
        .collect();
    let lanes = lanes?;
    let report = BenchReport {
        schema: SCHEMA.to_owned(),
        batida: env!("CARGO_PKG_VERSION").to_owned(),
        id: world.id.clone(),
        started_at: jiff::Timestamp::now(),
        took_s: 0.0,
        environment: environment.to_owned(),
        api: api.address().root().to_owned(),
        machine,
        plan: plan.clone(),
        trace: files.trace.as_ref().map(Trace::brief),
        prompts_file: files.material.as_ref().map(Material::brief),
        seed: Some(seed),
        ended: SessionEnd::Complete,
        levels: Vec::new(),
        switches: Vec::new(),
        calibrations: Vec::new(),
        surroundings: None,
        source: None,
        unknown: Vec::new(),
    };
    listener.began(&report);
    let live = Live::new(plan.levels().len());
    let mut session = Session {
        plan: &sown,
        seed,
        world,
        lanes,
        hears,
        controls,
        listener,
        files,
        counters: Arc::default(),
        live,
        report,
        measured: 0,
        failed: 0,
        pauses: Vec::new(),
        limits: Vec::new(),
        notes: Vec::new(),
        answer: None,
    };
    session.all().await?;
    let repeated = session.repeated();
    let Session {
        mut report, world, ..
    } = session;
    if let Some(file) = &mut report.prompts_file {
        file.repeated = repeated;
    }
    report.took_s = world.began.elapsed().as_secs_f64();
    Ok(report)
}

/// What every part of a session may look at.
struct World {
    began: Instant,
    api: Api,
    dialer: Dialer,
    id: String,
    timeout: Duration,
    /// What is said is told with every request.
    texts: bool,
    /// Ends the lanes.
    cancel: CancellationToken,
    paused: AtomicBool,
    /// How long.
    pauses: Pauses,
    steer: steering::Receiver<Steer>,
}

impl World {
    fn at(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.began)
    }

    fn at_ns(&self, moment: Instant) -> u64 {
        // A session of 500 years would not fit. Zero stands for "not yet".
        (self.at(moment).as_nanos() as u64).max(1)
    }

    fn now_ns(&self) -> u64 {
        self.at_ns(Instant::now())
    }

    fn request_id(&self, index: u64) -> impl std::fmt::Display {
        RequestId {
            session: &self.id,
            index,
        }
    }
}

struct RequestId<'a> {
    session: &'a str,
    index: u64,
}

impl std::fmt::Display for RequestId<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { session, index } = self;
        write!(f, "{session}-{index}")
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Files that are opened beside the connections: threads' alarms, a history, a kubectl.
const OTHER_FILES: u64 = 32;

/// Whether the connections of every level are fewer than this process may have: a level that cannot reach its load
/// measures this machine.
fn files_suffice(plan: &Plan, limit: Option<u64>, open: Option<u64>) -> Result<(), Failure> {
    let most = plan
        .load
        .levels()
        .iter()
        .filter_map(|load| load.most_in_flight())
        .max()
        .unwrap_or(0);
    let wanted = u64::from(most) + open.unwrap_or(16) + OTHER_FILES;
    let Some(limit) = limit.filter(|limit| wanted > *limit) else {
        return Ok(());
    };
    let summary = format!(
        "{} connections at once need about {wanted} open files, and this machine allows this process {limit}",
        units::count(u64::from(most))
    );
    let advice = format!(
        "Raise the limit first (ulimit -Hn {0}; ulimit -n {0}), or use a lower level",
        wanted.next_multiple_of(1_024)
    );
    Err(Failure::new(summary, advice).of_class(FaultClass::ThisMachine))
}

/// As many measuring threads as the load needs and the machine spares: each more than one costs exactness when
/// cores are few.
fn lanes_for(plan: &Plan) -> usize {
    let most = plan
        .load
        .levels()
        .iter()
        .map(|load| load.most_in_flight().unwrap_or(1_024))
        .max();
    let wanted = (most.unwrap_or(1) as usize).div_ceil(CLIENTS_PER_LANE);
    wanted.clamp(1, (cores() / 2).clamp(1, MOST_LANES))
}

fn new_id() -> String {
    super::new_id('b')
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What a panicking task left behind is connections and numbers.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_thread(error: std::io::Error) -> Failure {
    Failure::new(
        "The system gives Batida no thread to measure on",
        "Close other programs and try again",
    )
    .with_details(error.to_string())
}

fn duration(time: rustix::time::Timespec) -> Duration {
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// Why a session does not go on.
enum Stop {
    /// The user's wish.
    Cancelled,
    /// One of the session's ends.
    Limit(String),
    /// So does the share of its requests that failed.
    Errors,
}

struct Session<'a> {
    /// With its seed.
    plan: &'a Plan,
    seed: u64,
    world: Arc<World>,
    lanes: Vec<Lane>,
    hears: Receiver<Told>,
    controls: Controls,
    listener: &'a mut dyn Listener,
    files: Files,
    counters: Arc<Counters>,
    live: Live,
    report: BenchReport,
    /// Measured requests of the session that ended, and those that failed.
    measured: u64,
    failed: u64,
    /// Of the level under way.
    pauses: Vec<[Duration; 2]>,
    limits: Vec<(String, String)>,
    /// What holds for every level of the target.
    notes: Vec<String>,
    /// The mean good answer of the level under way, or else of the last that had any.
    answer: Option<Duration>,
}

impl Session<'_> {
    async fn all(&mut self) -> Result<(), Failure> {
        let levels = self.plan.levels();
        let several = self.plan.targets.len() > 1;
        for (number, target) in self.plan.targets.iter().enumerate() {
            match self.open(target, several).await {
                Ok(Some(source)) => {
                    for level in levels.iter().filter(|level| level.target == number) {
                        if let Some(stop) = self.level(level, target, &source).await? {
                            self.report.ended = match stop {
                                Stop::Cancelled => SessionEnd::Stopped,
                                Stop::Limit(why) => SessionEnd::Limit(why),
                                // More may have failed while what was in flight came to its end.
                                Stop::Errors => SessionEnd::Errors(format!(
                                    "{} of {} requests failed",
                                    self.failed, self.measured
                                )),
                            };
                            return Ok(());
                        }
                    }
                }
                // What was under way when it was stopped failed of that.
                Ok(None) | Err(_) if self.controls.cancel.is_cancelled() => {
                    self.report.ended = SessionEnd::Stopped;
                    return Ok(());
                }
                // What was measured before is not thrown away.
                Err(failure) if !self.report.levels.is_empty() => {
                    self.report.ended =
                        SessionEnd::Failed(format!("{}: {}", target.model, failure.summary));
                    return Ok(());
                }
                Ok(None) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Makes a target ready: waits for the switch of the model, and fits prompts to its tokenizer. `None` when
    /// it was cancelled.
    async fn open(
        &mut self,
        target: &Target,
        several: bool,
    ) -> Result<Option<PromptSource>, Failure> {
        if several {
            self.live.stage = Stage::Switching;
            self.tell();
            let cancel = self.controls.cancel.clone();
            let Some(()) = cancel.run_until_cancelled(self.switch(target)).await else {
                return Ok(None);
            };
        }
        let mut fit = None;
        self.notes.clear();
        if let Some(tokens) = length_to_fit(self.plan, self.files.trace.as_ref()) {
            self.live.stage = Stage::Calibrating;
            self.tell();
            let cancel = self.controls.cancel.clone();
            match cancel
                .run_until_cancelled(self.calibrate(target, tokens))
                .await
            {
                Some(fitted) => {
                    let Fitted { fit: found, note } = fitted?;
                    fit = found;
                    self.notes.extend(note);
                }
                None => return Ok(None),
            }
        }
        self.notes
            .extend(self.files.material.as_ref().and_then(Material::note));
        self.notes
            .extend(self.files.trace.as_ref().and_then(Trace::note));
        let source = PromptSource::new(self.plan, self.files.material.clone(), fit)?;
        Ok(Some(match &self.files.trace {
            Some(trace) => source.with_trace(trace.clone()),
            None => source,
        }))
    }

    fn asking(&self) -> Asking {
        Asking {
            world: Arc::clone(&self.world),
            params: self.plan.params.clone(),
            cancel: self.controls.cancel.clone(),
        }
    }

    /// The first request of another model.
    async fn switch(&mut self, target: &Target) {
        let messages = vec![Message::new(
            Role::User,
            format!("Say one word ({})", self.world.id),
        )];
        let asked = ask_once(&self.asking(), &target.model, messages).await;
        let (ttft, error) = match asked {
            Ok(figures) => (figures.ttft.or(figures.latency), None),
            Err(failure) => (None, Some(failure.summary)),
        };
        self.report.switches.push(Switch {
            model: target.model.clone(),
            deployment: target.deployment.clone(),
            ttft_ms: ttft.map(units::ms),
            error,
        });
    }

    /// Finds out how many tokens the server makes of our words.
    async fn calibrate(&mut self, target: &Target, tokens: f64) -> Result<Fitted, Failure> {
        let mut calibrator = Calibrator::for_length(tokens, self.seed);
        while let Some(messages) = calibrator.next() {
            let failure = match calibration::ask(&self.asking(), &target.model, messages).await {
                Ok(Some(tokens)) => {
                    calibrator.learn(tokens);
                    continue;
                }
                Ok(None) => return Ok(Fitted::not(UNFITTED)),
                Err(failure) => failure,
            };
            match calibration::judge(&failure) {
                calibration::Trouble::TooLong if calibrator.too_long() => {}
                // The requests themselves may fare better; if not, the levels say so.
                calibration::Trouble::Passing => {
                    let why = failure.summary;
                    return Ok(Fitted::not(&format!("{UNFITTED_FOR}: {why}")));
                }
                calibration::Trouble::TooLong | calibration::Trouble::Own => {
                    return Err(calibration::failed(failure, tokens));
                }
                calibration::Trouble::OfAll => return Err(failure),
            }
        }
        if calibrator.is_senseless() {
            let why = "the tokens that the server counts do not grow with the words of a prompt";
            return Ok(Fitted::not(&format!("{UNFITTED_FOR}: {why}")));
        }
        let (fit, requests) = calibrator.finish()?;
        self.report.calibrations.push(Calibration {
            model: target.model.clone(),
            overhead_tokens: fit.overhead_tokens,
            tokens_per_word: fit.tokens_per_word,
            requests,
        });
        Ok(Fitted {
            fit: Some(fit),
            note: None,
        })
    }

    /// Runs one level. Gives why the session does not go on, if it does not.
    async fn level(
        &mut self,
        level: &Level,
        target: &Target,
        source: &PromptSource,
    ) -> Result<Option<Stop>, Failure> {
        let mut under = UnderWay {
            level: level.clone(),
            target: target.clone(),
            tally: Tally::new(self.plan.objectives, level.load)
                .beside_cluster(self.world.api.is_beside_cluster()),
            wanted: self.wanted(),
            watching: Watching::default(),
            pacing: None,
            errors: false,
            stop: None,
            most_in_flight: 0,
            latencies: (0, Duration::ZERO),
        };
        // One that goes on is this level's too, from now on.
        let now = self.world.began.elapsed();
        self.pauses.clear();
        self.pauses.extend(
            self.world
                .paused
                .load(Ordering::Relaxed)
                .then_some([now, now]),
        );
        self.limits.clear();
        self.live.begin(level.index);
        let open = level.load.is_open();
        if self.plan.warmup > 0 {
            // Apart from what is measured: a warm-up beside it would take its share of the server.
            let clients = level
                .load
                .most_in_flight()
                .unwrap_or(WARMUP_CLIENTS)
                .min(self.plan.warmup);
            let shared = self.prepare(&under, source, clients, Kind::WarmupOnly)?;
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
            if open { Kind::Open } else { Kind::Closed },
        )?;
        under.watching = Watching::begin();
        under.most_in_flight = 0;
        if open {
            self.dial(clients).await;
            let launchers = self.lanes.iter().map(Lane::launcher).collect();
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

    /// Measured requests of a level; `None` for as many as its time allows.
    fn wanted(&self) -> Option<u64> {
        let session = self
            .plan
            .session_ends
            .requests
            .map(|most| most.saturating_sub(self.measured));
        match (self.plan.level_ends.requests, session) {
            (Some(level), Some(session)) => Some(level.min(session)),
            (level, session) => level.or(session),
        }
    }

    fn prepare(
        &self,
        under: &UnderWay,
        source: &PromptSource,
        clients: u32,
        kind: Kind,
    ) -> Result<Arc<LaneLevel>, Failure> {
        let load = &under.level.load;
        let seed = self.seed.wrapping_add(under.level.index as u64);
        let schedule = (kind == Kind::Open)
            .then(|| Schedule::new(load, self.plan.ramp_up, seed, self.files.trace.as_ref()));
        let tokens = length_to_fit(self.plan, self.files.trace.as_ref()).unwrap_or(500.0);
        let order = feed::Order {
            source: source.clone(),
            model: under.target.model.clone(),
            params: self.plan.params.clone(),
            ignore_eos: self.plan.ignore_eos,
            warmups: if kind == Kind::WarmupOnly {
                u64::from(self.plan.warmup)
            } else {
                0
            },
            measured: if kind == Kind::WarmupOnly {
                Some(0)
            } else {
                under.wanted
            },
            first_phase: Phase::Warmup,
            schedule,
            traced: matches!(load, LevelLoad::Trace { .. }),
            ahead: (clients as usize).clamp(64, 4_096),
            bytes_each: self.files.bytes_each.unwrap_or((tokens * 6.0) as usize),
        };
        let receiver = feed::start(order, Arc::clone(&self.counters), Arc::clone(&self.world))?;
        let permits = match (kind, load.most_in_flight()) {
            (Kind::Open, Some(most)) => Some(Semaphore::new(most as usize)),
            _ => None,
        };
        let ramp_up = if kind == Kind::Closed {
            self.plan.ramp_up
        } else {
            Duration::ZERO
        };
        let mut set = openai::set_names(&self.plan.params, self.plan.ignore_eos);
        set.extend(self.plan.output_tokens.is_some().then_some("max_tokens"));
        Ok(Arc::new(LaneLevel::new(
            under.level.index,
            (under.target.model.clone(), set),
            receiver,
            ramp_up,
            permits,
        )))
    }

    /// Opens connections before a level begins, so that its first answers are no slower for them.
    async fn dial(&mut self, connections: u32) {
        for (lane, share) in self.lanes.iter().zip(share(connections, self.lanes.len())) {
            lane.dial(share);
        }
        let mut ready = 0;
        let began = Instant::now();
        while ready < self.lanes.len() && began.elapsed() < Duration::from_secs(12) {
            if self.controls.cancel.is_cancelled() {
                return;
            }
            match self.hears.try_recv() {
                Ok(Told::Ready) => ready += 1,
                Ok(_) => {}
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    async fn start_clients(&mut self, shared: &Arc<LaneLevel>, clients: u32, requests: u64) {
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
        let lanes = self.lanes.len() as u32;
        for (number, lane) in (0u32..).zip(&self.lanes) {
            let own: Vec<u32> = (number..clients).step_by(lanes as usize).collect();
            lane.begin(shared, own, clients);
        }
    }

    /// Folds what ends until the level is over.
    async fn drive(&mut self, shared: &Arc<LaneLevel>, under: &mut UnderWay) {
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
    fn paused_since(&self, moment: Duration) -> Duration {
        self.paused_between(moment, Duration::MAX)
    }

    fn paused_between(&self, since: Duration, until: Duration) -> Duration {
        self.pauses
            .iter()
            .map(|[from, to]| (*to).min(until).saturating_sub((*from).max(since)))
            .sum()
    }

    fn fold(&mut self, under: &mut UnderWay) {
        for told in self.hears.try_iter() {
            match told {
                Told::Ended(record, said) => {
                    under.tally.record(&record);
                    if record.phase == Phase::Measured {
                        self.measured += 1;
                        self.failed += u64::from(record.error.is_some());
                        if let Some(latency) = record.latency().filter(|_| record.counts()) {
                            under.latencies = (
                                under.latencies.0.saturating_add(1),
                                under.latencies.1 + latency,
                            );
                        }
                    }
                    self.live.record(&record);
                    if let Some(said) = said {
                        self.listener.said(*said);
                    }
                    self.listener.ended(&record);
                }
                Told::Limits(limits) => self.limits = limits,
                Told::Probed { timer_late, reads } => under.watching.probed(timer_late, reads),
                Told::Left { late } => under.watching.left(late),
                Told::Cpu { lane, used } => under.watching.cpu(lane, used),
                Told::Ready => {}
            }
        }
    }

    /// Whether the level, or the session, is to send no more.
    fn decide(&mut self, shared: &LaneLevel, under: &mut UnderWay) {
        let first = LaneLevel::moment(&shared.first_measured);
        let mut deadline = None;
        if let (Some(first), Some(after)) = (first, self.plan.level_ends.after) {
            deadline = Some(first + after + self.paused_since(first));
        }
        if let Some(after) = self.plan.session_ends.after {
            if deadline.is_none_or(|deadline| after < deadline) {
                deadline = Some(after);
            }
            if self.world.began.elapsed() >= after && under.stop.is_none() {
                let text = format!("its time of {} was over", units::write_duration(after));
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
        if under.errors || under.stop.is_some() {
            shared.closing.store(true, Ordering::Relaxed);
        }
    }

    /// The level's report as far as it is known.
    fn frame(
        &self,
        shared: &LaneLevel,
        under: &UnderWay,
        ended: LevelEnd,
        aborted: u64,
    ) -> LevelFrame {
        let now = self.world.began.elapsed();
        let began = LaneLevel::moment(&shared.first_measured).unwrap_or(now);
        let (from, mut to) = if under.level.load.is_open() {
            // As many come as go once the first have had the time of an answer.
            let filled = under
                .latencies
                .1
                .checked_div(under.latencies.0)
                .unwrap_or_default();
            (
                began + self.plan.ramp_up + filled,
                LaneLevel::moment(&shared.last_sent).unwrap_or(now),
            )
        } else {
            let all_in = LaneLevel::moment(&shared.all_in).unwrap_or(now);
            (
                all_in.max(began),
                LaneLevel::moment(&shared.first_out).unwrap_or(now),
            )
        };
        let in_flight: Vec<Duration> = self
            .lanes
            .iter()
            .flat_map(|lane| lane.counts.in_flight_since())
            .collect();
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

    /// How an open loop kept to its schedule.
    fn sending(&self, shared: &LaneLevel, under: &UnderWay) -> Option<Sending> {
        let (due, sent) = (
            LaneLevel::moment(&shared.last_due)?,
            LaneLevel::moment(&shared.last_sent)?,
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

    async fn conclude(&mut self, shared: &LaneLevel, mut under: UnderWay) -> Option<Stop> {
        let deadline = shared.deadline.load(Ordering::Relaxed);
        let enough = under
            .wanted
            .is_some_and(|wanted| under.tally.ended() >= wanted);
        let ended = match &under.stop {
            Some(Stop::Cancelled) => LevelEnd::Stopped,
            _ if under.errors => LevelEnd::Errors,
            Some(Stop::Limit(_)) if !enough => LevelEnd::Stopped,
            _ if enough => LevelEnd::Requests,
            _ if self.world.now_ns() >= deadline => LevelEnd::Time,
            _ => LevelEnd::Exhausted,
        };
        // What is in flight now is looked at before it is let go.
        let mut frame = self.frame(shared, &under, ended, 0);
        if matches!(under.stop, Some(Stop::Cancelled)) {
            frame.unsent += shared.queued.load(Ordering::Relaxed);
            // Every connection closes now; what they would have brought is in no figure.
            self.world.cancel.cancel();
            let began = Instant::now();
            let paced = || {
                under
                    .pacing
                    .as_ref()
                    .is_none_or(|done| done.load(Ordering::Acquire))
            };
            while (shared.measured_in_flight.load(Ordering::Acquire) > 0 || !paced())
                && began.elapsed() < STOPPING
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            frame.unsent += shared.behind.load(Ordering::Acquire);
            self.fold(&mut under);
        }
        let aborted = shared.aborted.load(Ordering::Relaxed);
        frame.aborted = aborted;
        let steady = frame.steady.is_some();
        if !steady && frame.now > frame.began {
            frame.steady = Some([frame.began, frame.now]);
        }
        let mut report = under.tally.report(frame);
        report.notes.extend(self.notes.iter().cloned());
        let dialect = self.world.api.dialects().of(&under.target.model);
        report.notes.extend(
            dialect
                .notes_since(Dialect::default())
                .into_iter()
                .map(str::to_owned),
        );
        if let Some(file) = self
            .files
            .material
            .as_ref()
            .filter(|_| self.repeated_with(Some(&report)) > 0)
        {
            report.notes.push(format!(
                "the {} of the file were used up, and used again: later requests may be answered from the server's \
                 cache",
                crate::domain::units::counted(file.len(), "prompt")
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
        let nothing = report.requests.ended == 0
            && report.requests.warmup == 0
            && aborted + report.requests.unsent == 0;
        if !nothing {
            self.live.ended.push(report.clone());
            self.report.levels.push(report);
        }
        self.tell();
        let used_up = self
            .plan
            .session_ends
            .requests
            .filter(|most| self.measured >= *most);
        under.stop.or_else(|| {
            let more = under.level.index + 1 < self.live.levels();
            used_up
                .filter(|_| more)
                .map(|most| Stop::Limit(format!("{most} requests were measured")))
        })
    }

    /// Requests, or conversations, that said what an earlier one had said, since their file had no more prompts.
    fn repeated(&self) -> u64 {
        self.repeated_with(None)
    }

    /// With a level that is not in the report yet.
    fn repeated_with(&self, level: Option<&LevelReport>) -> u64 {
        let Some(file) = &self.files.material else {
            return 0;
        };
        let levels = self.report.levels.iter().chain(level);
        let sent = levels.map(|level| {
            let requests = &level.requests;
            requests.ended + requests.aborted + requests.warmup
        });
        // Some are made ahead and never sent.
        let made = self.counters.conversation.load(Ordering::Relaxed);
        let sent: u64 = sent.sum();
        let traced = matches!(self.plan.load, Load::Trace { .. });
        if traced { sent } else { sent.min(made) }.saturating_sub(file.len() as u64)
    }

    fn show(&mut self, shared: &LaneLevel, under: &mut UnderWay) {
        let in_flight = live::in_flight(&self.lanes);
        under.most_in_flight = under
            .most_in_flight
            .max(in_flight.waiting + in_flight.streaming);
        let first = LaneLevel::moment(&shared.first_measured);
        self.live.stage = match first {
            _ if self.world.paused.load(Ordering::Relaxed) => Stage::Paused,
            None => Stage::WarmingUp,
            Some(_) if LaneLevel::moment(&shared.first_out).is_some() => Stage::Draining,
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
        let (level, ended, wanted) = (under.level.index, under.tally.ended(), under.wanted);
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
            &self.lanes,
            live::Seen {
                now,
                in_flight,
                ended: under.tally.ended(),
                wanted: under.wanted,
                time_done: time,
                left,
                session_limit: self.plan.session_ends.after,
            },
        );
        if self.live.wants_partial(now) {
            let frame = self.frame(shared, under, LevelEnd::Running, 0);
            let partial: LevelReport = under.tally.report(frame);
            self.live.partial(partial);
        }
        self.tell();
    }

    fn tell(&mut self) {
        let progress = self.live.take(self.world.began.elapsed());
        self.listener.advanced(progress);
    }
}

/// One request with one token of answer, outside the lanes.
async fn ask_once(
    asking: &Asking,
    model: &str,
    messages: Vec<Message>,
) -> Result<Figures, Failure> {
    let Asking {
        world,
        params,
        cancel,
    } = asking;
    let params = Params {
        max_tokens: Some(1),
        ..params.clone()
    };
    let request = ChatRequest {
        model: model.to_owned(),
        messages,
        params,
    };
    let chatting = chat::run(&world.api, &request, &[], cancel, |_| {});
    let report = tokio::time::timeout(world.timeout, chatting)
        .await
        .map_err(|_| world.api.fault_of_time(world.timeout, None, model).failure)?;
    match report.ending {
        ChatEnding::Finished { .. } => Ok(report.figures),
        ChatEnding::Stopped => {
            Err(Failure::new("It was cancelled", "").of_class(FaultClass::Cancelled))
        }
        ChatEnding::Failed(failure) => Err(failure),
    }
}

/// What it takes to ask once.
struct Asking {
    world: Arc<World>,
    params: Params,
    cancel: CancellationToken,
}

/// What a feed and its clients are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Closed,
    Open,
    /// Before an open loop.
    WarmupOnly,
}

/// A level as the session sees it.
struct UnderWay {
    level: Level,
    target: Target,
    tally: Tally,
    wanted: Option<u64>,
    watching: Watching,
    /// The pacer sets it when it has let its last request go.
    pacing: Option<Arc<AtomicBool>>,
    errors: bool,
    stop: Option<Stop>,
    most_in_flight: u32,
    /// Good measured answers and the sum of their latencies.
    latencies: (u32, Duration),
}

/// `n` in `parts` parts that differ by one at most, the larger first.
fn share(n: u32, parts: usize) -> impl Iterator<Item = u32> {
    let parts = parts.max(1) as u32;
    (0..parts).map(move |part| n / parts + u32::from(part < n % parts))
}
