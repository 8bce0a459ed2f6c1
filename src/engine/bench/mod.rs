//! A benchmark session from its plan to its report. The same for the window and the command line.
//!
//! ```text
//! feed (thread)      writes requests ahead of time
//!   ↓ bounded channel
//! workers (threads)  send, read, stamp, parse: one runtime of one thread each
//!   ↓ channel that nothing waits on
//! session (here)     every 33 ms: folds what ended, decides what ends, tells the listener
//! ```
//! Feed, pacer and workers are a `crew`. It may be one of processes elsewhere (`remote`), each of which has such a crew and
//! tells what it measured (`serve`).
//!
//! In an open loop `pacer` stands between feed and workers and releases each request at its moment. How late
//! a worker reads, the kernel tells for each read; where it does not, an alarm of the system's among its connections.

mod alarm;
mod beside;
mod calibration;
mod counts;
mod crew;
mod feed;
mod files;
mod left;
mod level;
mod live;
mod own_watch;
mod pacer;
mod pause;
mod remote;
mod serve;
mod session;
mod watch;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use tokio::sync::watch as steering;
use tokio_util::sync::CancellationToken;

use self::beside::Beside;
use self::crew::{Crew, LocalCrew};
use self::files::Files;
use self::live::Live;
use self::pause::Pauses;
use self::remote::RemoteCrew;
pub use self::remote::{Fleet, OnLoss};
pub use self::serve::{PATIENCE, serve};
use self::session::Session;
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::history::Said;
use crate::domain::plan::{HangUps, Plan, ThinkTime};
use crate::domain::run::{BenchProgress, BenchReport, IngressLimit, Steer};
use crate::domain::units;
use crate::io::api::Api;
use crate::io::http1::Dialer;
use crate::io::kubectl::Kubectl;
use crate::io::limits;
use crate::metrics::knee;
use crate::metrics::request::RequestRecord;
use crate::prompts::files::Material;
use crate::prompts::trace::Trace;

/// How a session is ended and paused from outside.
#[derive(Debug, Clone)]
pub struct Controls {
    /// Ends it: every connection is closed at once, the figures so far are kept.
    pub cancel: CancellationToken,
    /// Pauses it and lets it go on.
    pub steer: steering::Receiver<Steer>,
}

/// How often the figures of a level under way are worked out for whoever looks at them.
pub const LIVE_FIGURES: Duration = Duration::from_millis(250);

/// Hears of a session while it runs. Called where [`run`] is awaited, never on the measuring threads.
pub trait Listener: Send {
    /// It has begun: the report as it stands, without levels.
    fn began(&mut self, report: &BenchReport) {
        let _ = report;
    }
    /// How often the figures of the level under way are wanted ([`BenchProgress::partial`]); they take a good part of
    /// what a small load costs. Asked once, before the first request.
    fn partial_interval(&self) -> Duration {
        LIVE_FIGURES
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
    run_beside(None, plan, api, environment, controls, listener).await
}

/// The same where the environment has a cluster, whose pods may publish the server's metrics.
///
/// # Errors
/// As [`run`].
pub async fn run_beside(
    kubectl: Option<&Kubectl>,
    plan: &Plan,
    api: &Api,
    environment: &str,
    controls: Controls,
    listener: &mut dyn Listener,
) -> Result<BenchReport, Failure> {
    let around = ClusterContext {
        kubectl,
        ingress: None,
    };
    run_on(
        &RunsOn::ThisComputer,
        around,
        plan,
        api,
        environment,
        controls,
        listener,
    )
    .await
}

/// The cluster around a session.
#[derive(Debug, Default)]
pub struct ClusterContext<'a> {
    /// Its pods may publish the server's metrics.
    pub kubectl: Option<&'a Kubectl>,
    /// What the ingress before the API lets through.
    pub ingress: Option<IngressLimit>,
}

/// Where a session's requests are sent from.
#[derive(Debug, Clone, Default)]
pub enum RunsOn {
    /// This process.
    #[default]
    ThisComputer,
    /// Worker processes elsewhere.
    Workers(Box<Fleet>),
}

/// The same, sent from elsewhere.
///
/// # Errors
/// As [`run`]; also when a worker does not start.
pub async fn run_on(
    runs_on: &RunsOn,
    around: ClusterContext<'_>,
    plan: &Plan,
    api: &Api,
    environment: &str,
    controls: Controls,
    listener: &mut dyn Listener,
) -> Result<BenchReport, Failure> {
    is_sound(plan)?;
    let seed = plan.seed.unwrap_or_else(super::fresh_seed);
    let sown = Plan {
        seed: Some(seed),
        ..plan.clone()
    };
    let files = Arc::new(Files::read(plan).await?);
    let world = Arc::new(World::of(&sown, api, listener.wants_texts(), &controls));
    // However this ends, also by being dropped, the workers end with it.
    let _stop = world.cancel.clone().drop_guard();
    let crew = crew_of(runs_on, &world, &sown, &files, &controls.cancel).await?;
    let ClusterContext { kubectl, ingress } = around;
    let report = BenchReport {
        ingress,
        ..empty_report(plan, &world, environment, &files, (seed, &crew))
    };
    listener.began(&report);
    let live = Live::new(plan.levels().len(), listener.partial_interval());
    let mut session = Session {
        plan: &sown,
        seed,
        beside: Beside::start(&world, plan, kubectl, matches!(crew, Crew::Here(_))),
        world,
        crew,
        orders: 0,
        controls,
        listener,
        files,
        live,
        level: 0,
        probe: None,
        report,
        measured: 0,
        failed: 0,
        pauses: Vec::new(),
        limits: Vec::new(),
        notes: Vec::new(),
        fits: Vec::new(),
        answer: None,
    };
    session.all().await?;
    let repeated = session.repeated();
    let Session {
        mut report,
        world,
        beside,
        crew,
        ..
    } = session;
    report.server_metrics = beside.origin();
    report.workers = crew.briefs();
    report.images = plan.images.map(|_| crew.images_brief());
    if let Some(file) = &mut report.prompts_file {
        file.repeated = repeated;
    }
    report.knees = knee::knees(&report.levels);
    report.took_s = world.began.elapsed().as_secs_f64();
    Ok(report)
}

/// Those who send the requests, ready for the session.
async fn crew_of(
    runs_on: &RunsOn,
    world: &Arc<World>,
    sown: &Plan,
    files: &Arc<Files>,
    cancel: &CancellationToken,
) -> Result<Crew, Failure> {
    let world = Arc::clone(world);
    match runs_on {
        RunsOn::ThisComputer => {
            files_suffice(sown, limits::raise_open_files(), limits::open_files())?;
            let crew = LocalCrew::start(world, sown.clone(), Arc::clone(files))?;
            Ok(Crew::Here(Box::new(crew)))
        }
        RunsOn::Workers(fleet) => {
            let order = remote::session_order(&world, sown, fleet).await?;
            let crew = RemoteCrew::start(world, fleet, order, cancel).await?;
            Ok(Crew::Elsewhere(Box::new(crew)))
        }
    }
}

fn is_sound(plan: &Plan) -> Result<(), Failure> {
    let Some(problem) = plan.problems().into_iter().next() else {
        return Ok(());
    };
    let summary = format!("This plan cannot be run: {}", problem.text);
    Err(Failure::new(summary, "Change it and run it again"))
}

/// The report before the first level.
fn empty_report(
    plan: &Plan,
    world: &World,
    environment: &str,
    files: &Files,
    (seed, crew): (u64, &Crew),
) -> BenchReport {
    BenchReport {
        id: world.id.clone(),
        started_at: jiff::Timestamp::now(),
        environment: environment.to_owned(),
        api: world.api.address().root().to_owned(),
        machine: crew.machine(),
        workers: crew.briefs(),
        plan: plan.clone(),
        trace: files.trace.as_ref().map(Trace::brief),
        prompts_file: files.material.as_ref().map(Material::brief),
        seed: Some(seed),
        ..BenchReport::blank()
    }
}

/// What every part of a session may look at.
struct World {
    began: Instant,
    api: Api,
    dialer: Dialer,
    id: String,
    timeout: Duration,
    clients: Clients,
    /// What is said is told with every request.
    texts: bool,
    /// Ends the workers.
    cancel: CancellationToken,
    paused: AtomicBool,
    /// How long.
    pauses: Pauses,
    steer: steering::Receiver<Steer>,
}

impl World {
    /// Of a plan with its seed, from now on.
    fn of(plan: &Plan, api: &Api, texts: bool, controls: &Controls) -> Self {
        let api = api.clone().at_endpoint(plan.endpoint);
        Self {
            began: Instant::now(),
            dialer: api.dialer(),
            api,
            id: new_id(),
            timeout: plan.timeout,
            clients: Clients::of(plan),
            texts,
            cancel: CancellationToken::new(),
            paused: AtomicBool::new(false),
            pauses: Pauses::default(),
            steer: controls.steer.clone(),
        }
    }

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

/// How clients behave, the same for the same seed.
struct Clients {
    seed: u64,
    hang_ups: Option<HangUps>,
    think: Option<ThinkTime>,
}

impl Clients {
    fn of(plan: &Plan) -> Self {
        Self {
            seed: plan.seed.unwrap_or_default(),
            hang_ups: plan.hang_ups,
            think: plan.think,
        }
    }

    /// How long after its sending the client of this request hangs up; `None`: it waits for its answer.
    fn hang_up(&self, index: u64) -> Option<Duration> {
        let hang_ups = self.hang_ups?;
        hang_ups.chooses(self.seed, index).then_some(hang_ups.after)
    }

    /// How long a client thinks before this request, if it is not its first.
    fn think(&self, index: u64) -> Option<Duration> {
        Some(self.think?.before(self.seed, index))
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

/// Files that are opened beside the connections: threads' alarms, a history, a kubectl.
const OTHER_FILES: u64 = 32;

/// Whether the connections of every level are fewer than this process may have: a level that cannot reach its load
/// measures this machine.
fn files_suffice(plan: &Plan, limit: Option<u64>, open: Option<u64>) -> Result<(), Failure> {
    let most = plan
        .load
        .heaviest()
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

fn new_id() -> String {
    super::new_id('b')
}

fn no_thread(error: std::io::Error) -> Failure {
    Failure::new(
        "The system gives Batida no thread to measure on",
        "Close other programs and try again",
    )
    .with_details(error.to_string())
}
