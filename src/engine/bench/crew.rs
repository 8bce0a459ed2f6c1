//! Who sends the requests of a level: the measuring threads of this process, or processes elsewhere.
//!
//! The session says what a level is ([`LevelOrder`]); a crew makes its requests ready, opens connections, and sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::calibration::Asker;
use super::counts::Counts;
use super::feed::{self, Counters};
use super::files::Files;
use super::level::Level as SharedLevel;
use super::remote::{RemoteCrew, TIME_TO_STOP};
use super::worker::{Worker, WorkerEvent};
use super::{World, pacer};
use crate::domain::failure::Failure;
use crate::domain::plan::{LevelLoad, Plan};
use crate::domain::run::known::ImagesBrief;
use crate::domain::run::{LevelReport, Machine, WorkerBrief};
use crate::metrics::request::Phase;
use crate::prompts::schedule::Schedule;
use crate::prompts::{PromptSource, length_to_fit, pictures};
use crate::wire::openai;
use crate::wire::worker::{LevelKind, LevelOrder};

/// Clients that one measuring thread is given before another is started.
const CLIENTS_PER_WORKER: usize = 256;
const MAX_WORKERS: usize = 8;
/// Connections are waited for at most so long before a level begins.
const DIALING: Duration = Duration::from_secs(12);
/// Requests that are made ahead are waited for at most so long.
const FILLING: Duration = Duration::from_secs(2);

/// The measuring threads of this process, and what they need.
pub(super) struct LocalCrew {
    pub(super) world: Arc<World>,
    /// With its seed.
    plan: Plan,
    files: Arc<Files>,
    workers: Vec<Worker>,
    /// Of each thread.
    pub(super) counts: Vec<Arc<Counts>>,
    pub(super) events: Receiver<WorkerEvent>,
    pub(super) counters: Arc<Counters>,
}

impl LocalCrew {
    /// Starts the threads for a plan with its seed.
    pub(super) fn start(world: Arc<World>, plan: Plan, files: Arc<Files>) -> Result<Self, Failure> {
        let (events, received) = crossbeam_channel::unbounded();
        let count = threads_for(&plan);
        let start = |number| Worker::start(number, count, Arc::clone(&world), events.clone());
        let workers = (0..count)
            .map(start)
            .collect::<Result<Vec<Worker>, Failure>>()?;
        let counts = workers.iter().map(|it| Arc::clone(&it.counts)).collect();
        Ok(Self {
            world,
            plan,
            files,
            workers,
            counts,
            events: received,
            counters: Arc::default(),
        })
    }

    /// Begins to make the level's requests.
    pub(super) fn prepare(
        &self,
        order: &LevelOrder,
        source: &PromptSource,
    ) -> Result<Arc<SharedLevel>, Failure> {
        let (plan, kind) = (&self.plan, order.kind);
        let trace = self.files.trace.as_ref();
        let seed = plan.seed.unwrap_or_default();
        let schedule = (kind == LevelKind::Open).then(|| {
            let seed = seed.wrapping_add(order.index as u64);
            Schedule::new(&order.load, plan.ramp_up, seed, trace)
        });
        let tokens = length_to_fit(plan, trace).unwrap_or(500.0);
        let is_warmup = kind == LevelKind::Warmup;
        let requests = feed::Order {
            source: source.clone(),
            model: order.model.clone(),
            params: plan.params.clone(),
            ignore_eos: plan.ignore_eos,
            images: plan.images.map(|images| (images, seed)),
            phase: if is_warmup {
                Phase::Warmup
            } else {
                Phase::Measured
            },
            requests: order.requests,
            share: order.share,
            schedule,
            traced: kind == LevelKind::Open && matches!(order.load, LevelLoad::Trace { .. }),
            ahead: (order.clients as usize).clamp(64, 4_096),
            bytes_each: self.files.bytes_each.unwrap_or((tokens * 6.0) as usize)
                + plan.images.map_or(0, pictures::bytes_of_request),
        };
        let receiver = feed::start(
            requests,
            Arc::clone(&self.counters),
            Arc::clone(&self.world),
        )?;
        let permits = match (kind, order.load.most_in_flight()) {
            (LevelKind::Open, Some(most)) => {
                Some(Semaphore::new(order.share.part_of(most) as usize))
            }
            _ => None,
        };
        let ramp_up = if kind == LevelKind::Closed {
            plan.ramp_up
        } else {
            Duration::ZERO
        };
        let mut set = openai::set_names(&plan.params, plan.ignore_eos);
        set.extend(plan.output_tokens.is_some().then_some("max_tokens"));
        Ok(Arc::new(SharedLevel::new(
            order.index,
            (order.model.clone(), set),
            receiver,
            ramp_up,
            permits,
        )))
    }

    /// Begins to open connections, so that a level's first answers are no slower for them.
    pub(super) fn dial(&self, order: &LevelOrder) {
        let connections = order.share.part_of(order.clients);
        let parts = parts(connections, self.workers.len());
        self.workers
            .iter()
            .zip(parts)
            .for_each(|(worker, part)| worker.dial(part));
    }

    /// Waits for what [`Self::dial`] began.
    async fn dialed(&self, cancel: &CancellationToken) {
        let mut ready = 0;
        let began = Instant::now();
        while ready < self.workers.len() && began.elapsed() < DIALING && !cancel.is_cancelled() {
            match self.events.try_recv() {
                Ok(event) => ready += usize::from(matches!(event, WorkerEvent::Ready)),
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    /// How many threads there are.
    pub(super) fn threads(&self) -> usize {
        self.workers.len()
    }

    /// Whether enough requests are written for the clients to begin.
    pub(super) fn is_filled(&self, shared: &SharedLevel, order: &LevelOrder) -> bool {
        // Conversations may be few and long: then one is enough to begin with.
        let requests = if self.plan.turns > 1 {
            1
        } else {
            order.requests.unwrap_or(u64::MAX)
        };
        // Of the requests others have their shares.
        let own = requests.div_ceil(u64::from(order.share.of).max(1));
        shared.is_filled(own.min(u64::from(order.share.part_of(order.clients))))
    }

    /// Begins to send at `at`. Gives what says that the pacer of an open loop has let its last request go.
    pub(super) fn begin(
        &self,
        shared: &Arc<SharedLevel>,
        order: &LevelOrder,
        at: Instant,
    ) -> Result<Option<Arc<AtomicBool>>, Failure> {
        shared.begin_at(at);
        if order.kind == LevelKind::Open {
            let launchers = self.workers.iter().map(Worker::launcher).collect();
            let (shared, world) = (Arc::clone(shared), Arc::clone(&self.world));
            return pacer::start(shared, world, launchers).map(Some);
        }
        let clients: Vec<u32> = (order.share.index..order.clients)
            .step_by(order.share.of.max(1) as usize)
            .collect();
        shared
            .outstanding
            .store(clients.len() as u64, Ordering::Relaxed);
        for (number, worker) in self.workers.iter().enumerate() {
            let own = clients.iter().skip(number).step_by(self.workers.len());
            worker.begin(shared, own.copied().collect(), order.clients);
        }
        Ok(None)
    }

    /// All of that, one after the other.
    pub(super) async fn start_level(
        &self,
        shared: &Arc<SharedLevel>,
        order: &LevelOrder,
        cancel: &CancellationToken,
    ) -> Result<Option<Arc<AtomicBool>>, Failure> {
        self.dial(order);
        self.dialed(cancel).await;
        if order.kind != LevelKind::Open {
            let began = Instant::now();
            while !self.is_filled(shared, order) && began.elapsed() < FILLING {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        self.begin(shared, order, Instant::now())
    }
}

/// Who sends a session's requests.
pub(super) enum Crew {
    /// The measuring threads of this process.
    Here(Box<LocalCrew>),
    /// Processes elsewhere.
    Elsewhere(Box<RemoteCrew>),
}

impl Crew {
    /// Of each measuring thread.
    pub(super) fn counts(&self) -> &[Arc<Counts>] {
        match self {
            Self::Here(crew) => &crew.counts,
            Self::Elsewhere(crew) => &crew.counts,
        }
    }

    /// What is to be folded.
    pub(super) fn events(&self) -> &Receiver<WorkerEvent> {
        match self {
            Self::Here(crew) => &crew.events,
            Self::Elsewhere(crew) => &crew.events,
        }
    }

    /// Conversations that were made so far, some of them ahead and never sent.
    pub(super) fn conversations(&self) -> u64 {
        match self {
            Self::Here(crew) => crew.counters.counting().conversations,
            Self::Elsewhere(crew) => crew.counting.conversations,
        }
    }

    /// The images that were made so far.
    pub(super) fn images_brief(&self) -> ImagesBrief {
        match self {
            Self::Here(crew) => crew.counters.images_brief(),
            Self::Elsewhere(crew) => crew.images_brief(),
        }
    }

    /// Sends single requests; `None` for this process.
    pub(super) fn asker(&self) -> Option<Asker> {
        match self {
            Self::Here(_) => None,
            Self::Elsewhere(crew) => crew.asker(),
        }
    }

    /// What measures, for the report.
    pub(super) fn machine(&self) -> Machine {
        match self {
            Self::Here(crew) => {
                let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
                Machine::new(&system, cores(), crew.threads())
            }
            Self::Elsewhere(crew) => crew.machine(),
        }
    }

    /// The workers that are processes elsewhere.
    pub(super) fn briefs(&self) -> Vec<WorkerBrief> {
        match self {
            Self::Here(_) => Vec::new(),
            Self::Elsewhere(crew) => crew.briefs(),
        }
    }

    /// Begins to make the level's requests.
    pub(super) fn prepare(
        &mut self,
        order: &LevelOrder,
        source: &PromptSource,
    ) -> Result<Arc<SharedLevel>, Failure> {
        match self {
            Self::Here(crew) => crew.prepare(order, source),
            Self::Elsewhere(crew) => crew.prepare(order),
        }
    }

    /// Begins to send. Gives what says that the pacer of an open loop has let its last request go.
    pub(super) async fn start_level(
        &mut self,
        shared: &Arc<SharedLevel>,
        order: &LevelOrder,
        cancel: &CancellationToken,
    ) -> Result<Option<Arc<AtomicBool>>, Failure> {
        match self {
            Self::Here(crew) => crew.start_level(shared, order, cancel).await,
            Self::Elsewhere(crew) => crew.start_level(shared, cancel).await.map(|()| None),
        }
    }

    /// Copies what processes elsewhere have counted into the level, and passes the level's changes on to them. To be called
    /// before [`Self::events`] are taken.
    pub(super) fn follow(&mut self, shared: &SharedLevel) {
        // The threads of this process share it themselves.
        if let Self::Elsewhere(crew) = self {
            crew.follow(shared);
        }
    }

    /// Why the session is not to go on without those that were lost.
    pub(super) fn gives_up(&self) -> Option<String> {
        match self {
            Self::Here(_) => None,
            Self::Elsewhere(crew) => crew.gives_up(),
        }
    }

    /// Whether one was lost in the level under way.
    pub(super) fn has_lost(&self) -> bool {
        match self {
            Self::Here(_) => false,
            Self::Elsewhere(crew) => crew.has_lost(),
        }
    }

    /// What each of several processes saw of a level, into its report.
    pub(super) fn describe(&self, report: &mut LevelReport) {
        if let Self::Elsewhere(crew) = self {
            crew.describe(report);
        }
    }

    /// Whether more is to be told of what was stopped.
    pub(super) fn waits_for(&self, shared: &SharedLevel) -> bool {
        match self {
            Self::Here(_) => false,
            Self::Elsewhere(_) => shared.outstanding.load(Ordering::Acquire) > 0,
        }
    }

    /// How long those who send have to let go of what they were stopped at.
    pub(super) fn time_to_stop(&self) -> Duration {
        match self {
            Self::Here(_) => Duration::from_secs(1),
            Self::Elsewhere(_) => TIME_TO_STOP,
        }
    }
}

/// As many measuring threads as the load needs and the machine spares: each more than one costs exactness when
/// cores are few.
fn threads_for(plan: &Plan) -> usize {
    let most = plan
        .load
        .heaviest()
        .iter()
        .map(|load| load.most_in_flight().unwrap_or(1_024))
        .max();
    let wanted = (most.unwrap_or(1) as usize).div_ceil(CLIENTS_PER_WORKER);
    wanted.clamp(1, (cores() / 2).clamp(1, MAX_WORKERS))
}

/// Logical processors that this process may use.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// `n` in `parts` parts that differ by one at most, the larger first.
fn parts(n: u32, parts: usize) -> impl Iterator<Item = u32> {
    let parts = parts.max(1) as u32;
    (0..parts).map(move |part| n / parts + u32::from(part < n % parts))
}
