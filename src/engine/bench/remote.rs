//! Workers that are processes elsewhere: each sends its share of every level, and what it measured is folded here as if
//! a thread of this process had.
//!
//! Times are those of each worker's own clock; they are placed in the session by the offset that pings find
//! ([`clock`]), so that the machines' clocks need not agree.

mod aggregate;
mod clock;
mod part;
mod report;
mod worker;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossbeam_channel::{Receiver, Sender};
use tokio_util::sync::CancellationToken;

use self::worker::{Heard, RemoteWorker, State};
use super::World;
use super::calibration::Asker;
use super::counts::Counts;
use super::level::{Level as SharedLevel, NEVER};
use super::worker::WorkerEvent;
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::plan::{Load, Plan, Prompts};
use crate::domain::run::known::ImagesBrief;
use crate::domain::units;
use crate::io::files;
use crate::prompts::MAX_FILE_BYTES;
use crate::wire::worker::{
    Counting, LevelKind, LevelOrder, PROTOCOL, PlanFile, Share, WorkerAnswer, WorkerApi,
    WorkerOrder, WorkerSession,
};

/// The workers of a session.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// A command each, in words: it must speak [`crate::wire::worker`] on its standard input and output.
    pub commands: Vec<Vec<String>>,
    /// Environment variables with secrets, which no command is given.
    pub hidden: Vec<String>,
    /// How long they have to get ready for the session.
    pub wait: Duration,
    /// What the loss of one means.
    pub on_loss: OnLoss,
    /// The API as they reach it.
    pub api: WorkerApi,
}

/// What the loss of a worker means for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnLoss {
    /// The others go on, while there are at least half of them.
    #[default]
    Continue,
    /// The session ends with what it has.
    Stop,
}

/// A worker has so long to get ready for a level: requests written, connections open.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// One that says nothing for so long is lost. It says something every two seconds.
const SILENCE: Duration = Duration::from_secs(15);
/// Pings before a level.
const PINGS: u64 = 8;
/// An answer to one is waited for so long.
const PING_WITHIN: Duration = Duration::from_secs(1);
/// Between the word to begin and the beginning, at least.
const LEAD: Duration = Duration::from_millis(200);
/// A deadline that moves (through a pause) is told so often.
const DEADLINE_INTERVAL: Duration = Duration::from_millis(250);
/// They have so long to let go of what they were stopped at, and to tell.
pub(super) const TIME_TO_STOP: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(1);

/// What workers are told of a session. The plan's files go with it.
pub(super) async fn session_order(
    world: &World,
    plan: &Plan,
    fleet: &Fleet,
) -> Result<WorkerSession, Failure> {
    let file = |path: Option<PathBuf>| async move {
        let Some(path) = path else { return Ok(None) };
        let bytes = files::read(&path, MAX_FILE_BYTES, "Take a part of it").await?;
        let base64 = STANDARD.encode(bytes);
        Ok::<_, Failure>(Some(PlanFile { base64 }))
    };
    let prompts = match &plan.prompts {
        Prompts::File(path) => Some(path.clone()),
        Prompts::Synthetic { .. } => None,
    };
    let trace = match &plan.load {
        Load::Trace { file, .. } => Some(file.clone()),
        _ => None,
    };
    Ok(WorkerSession {
        protocol: PROTOCOL.to_owned(),
        batida: env!("CARGO_PKG_VERSION").to_owned(),
        id: world.id.clone(),
        plan: plan.clone(),
        prompts: file(prompts).await?,
        trace: file(trace).await?,
        api: fleet.api.clone(),
        texts: world.texts,
    })
}

/// The workers of a session under way.
pub(super) struct RemoteCrew {
    world: Arc<World>,
    on_loss: OnLoss,
    workers: Vec<RemoteWorker>,
    /// Of all their threads.
    pub(super) counts: Vec<Arc<Counts>>,
    tell: Sender<WorkerEvent>,
    pub(super) events: Receiver<WorkerEvent>,
    inbox: Receiver<(usize, Heard)>,
    /// Where the counting of the session stands.
    pub(super) counting: Counting,
    steering: Steering,
}

/// What they were told of the level under way.
#[derive(Debug, Clone, Copy)]
struct Steering {
    /// The order's number.
    number: u64,
    deadline: u64,
    deadline_told: Option<Instant>,
    closing: bool,
    paused: bool,
    stopped: bool,
}

impl Steering {
    fn of(number: u64) -> Self {
        Self {
            number,
            deadline: NEVER,
            deadline_told: None,
            closing: false,
            paused: false,
            stopped: false,
        }
    }
}

impl RemoteCrew {
    /// Starts the workers and waits until all are ready for the session.
    ///
    /// # Errors
    /// When one cannot be started, is not ready in time, or cannot take part.
    pub(super) async fn start(
        world: Arc<World>,
        fleet: &Fleet,
        session: WorkerSession,
        cancel: &CancellationToken,
    ) -> Result<Self, Failure> {
        let (heard, inbox) = crossbeam_channel::unbounded();
        let workers = fleet.commands.iter().enumerate().map(|(index, command)| {
            RemoteWorker::start(index, command, &fleet.hidden, heard.clone())
        });
        let workers = workers.collect::<Result<Vec<_>, Failure>>()?;
        let (tell, events) = crossbeam_channel::unbounded();
        let mut crew = Self {
            world,
            on_loss: fleet.on_loss,
            workers,
            counts: Vec::new(),
            tell,
            events,
            inbox,
            counting: Counting::default(),
            steering: Steering::of(0),
        };
        let order = WorkerOrder::Session(Box::new(session));
        crew.workers.iter().for_each(|worker| worker.send(&order));
        let began = Instant::now();
        loop {
            crew.pump();
            if let Some(failure) = crew.workers.iter().find_map(RemoteWorker::failure) {
                return Err(failure);
            }
            let waits = |it: &RemoteWorker| matches!(it.state, State::Starting);
            let Some(slow) = crew.workers.iter().find(|it| waits(it)) else {
                crew.workers.iter_mut().for_each(|it| it.begin_session());
                return Ok(crew);
            };
            if cancel.is_cancelled() {
                return Err(Failure::new("It was cancelled", "").of_class(FaultClass::Cancelled));
            }
            if began.elapsed() >= fleet.wait {
                return Err(slow.not_ready(fleet.wait));
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Threads of all of them that send and read requests.
    pub(super) fn threads(&self) -> usize {
        self.counts.len()
    }

    /// Sends single requests through the first of them that is there.
    pub(super) fn asker(&self) -> Option<Asker> {
        self.workers.iter().find_map(RemoteWorker::asker)
    }

    /// The images that they have made.
    pub(super) fn images_brief(&self) -> ImagesBrief {
        let sum = |at: usize| {
            self.workers
                .iter()
                .map(|it| it.images[at])
                .fold(0, u64::saturating_add)
        };
        let (made, bytes) = (sum(0), sum(1) as f64);
        ImagesBrief {
            made,
            bytes: (made > 0).then(|| bytes / made as f64),
        }
    }

    /// Gives each its share of a level.
    ///
    /// # Errors
    /// When none is left.
    pub(super) fn prepare(&mut self, order: &LevelOrder) -> Result<Arc<SharedLevel>, Failure> {
        self.pump();
        let most = match (order.kind, order.load.most_in_flight()) {
            (LevelKind::Open, None) => u32::MAX,
            (LevelKind::Open, Some(most)) => most,
            (LevelKind::Closed | LevelKind::Warmup, _) => order.clients,
        };
        let living = self.workers.iter().filter(|it| it.is_there()).count();
        let of = (living as u32).min(most);
        if living == 0 {
            return Err(self.all_lost());
        }
        self.steering = Steering::of(order.number);
        let mut index = 0;
        for worker in &mut self.workers {
            worker.begin_level();
            if !worker.is_there() || index >= of {
                continue;
            }
            let own = LevelOrder {
                share: Share { index, of },
                from: self.counting,
                ..order.clone()
            };
            worker.send(&WorkerOrder::Level(Box::new(own)));
            worker.state = State::Preparing;
            index += 1;
        }
        // Its requests are made elsewhere.
        let (_, nothing) = crossbeam_channel::bounded(1);
        let model = (order.model.clone(), Vec::new());
        Ok(Arc::new(SharedLevel::new(
            order.index,
            model,
            nothing,
            Duration::ZERO,
            None,
        )))
    }

    /// Waits until all are ready, compares clocks, and has them begin at the same moment.
    ///
    /// # Errors
    /// When none is left.
    pub(super) async fn start_level(
        &mut self,
        shared: &Arc<SharedLevel>,
        cancel: &CancellationToken,
    ) -> Result<(), Failure> {
        self.wait_while(State::Preparing, READY_WITHIN, cancel)
            .await;
        for worker in &mut self.workers {
            if worker.state == State::Preparing && !cancel.is_cancelled() {
                let within = units::write_duration(READY_WITHIN);
                worker.lose(format!("it was not ready for the level within {within}"));
            }
        }
        for n in 0..PINGS {
            for worker in self
                .workers
                .iter_mut()
                .filter(|it| it.state == State::Ready)
            {
                worker.ping(n, self.world.now_ns());
            }
            let began = Instant::now();
            let waits = |crew: &Self| crew.workers.iter().any(|it| it.clock.waits());
            while waits(self) && began.elapsed() < PING_WITHIN && !cancel.is_cancelled() {
                self.pump();
                tokio::time::sleep(TICK).await;
            }
        }
        let ready = self.workers.iter().filter(|it| it.state == State::Ready);
        let (count, slowest) = ready.fold((0u64, Duration::ZERO), |(n, rtt), it| {
            (n + 1, rtt.max(it.clock.round_trip().unwrap_or_default()))
        });
        if count == 0 && !cancel.is_cancelled() {
            return Err(self.all_lost());
        }
        let at = Instant::now() + LEAD.max(slowest * 4);
        let at_ns = self.world.at_ns(at);
        shared.begin_at(at);
        for worker in self
            .workers
            .iter_mut()
            .filter(|it| it.state == State::Ready)
        {
            worker.send(&WorkerOrder::Go {
                at_ns: worker.clock.there(at_ns),
            });
            worker.state = State::Sending;
        }
        shared.outstanding.store(count, Ordering::Relaxed);
        Ok(())
    }

    async fn wait_while(&mut self, state: State, most: Duration, cancel: &CancellationToken) {
        let began = Instant::now();
        while self.workers.iter().any(|it| it.state == state)
            && began.elapsed() < most
            && !cancel.is_cancelled()
        {
            self.pump();
            tokio::time::sleep(TICK).await;
        }
    }

    /// Takes what they told, and tells them what has changed.
    pub(super) fn follow(&mut self, shared: &SharedLevel) {
        self.pump();
        for worker in &mut self.workers {
            if worker.is_there() && worker.heard.elapsed() > SILENCE {
                let silence = units::write_duration(SILENCE);
                worker.lose(format!("it has said nothing for {silence}"));
            }
        }
        self.steer(shared);
        aggregate::into_level(&self.workers, shared);
        let busy = self.workers.iter().filter(|it| it.is_in_level()).count();
        shared.outstanding.store(busy as u64, Ordering::Release);
    }

    fn steer(&mut self, shared: &SharedLevel) {
        let told = &mut self.steering;
        let mut orders: Vec<WorkerOrder> = Vec::new();
        let paused = self.world.paused.load(Ordering::Relaxed);
        let deadline = shared.deadline.load(Ordering::Relaxed);
        let is_due = told
            .deadline_told
            .is_none_or(|at| at.elapsed() >= DEADLINE_INTERVAL || told.paused != paused);
        if deadline != told.deadline && is_due {
            (told.deadline, told.deadline_told) = (deadline, Some(Instant::now()));
            orders.push(WorkerOrder::Deadline { at_ns: deadline });
        }
        if std::mem::replace(&mut told.paused, paused) != paused {
            orders.push(if paused {
                WorkerOrder::Pause
            } else {
                WorkerOrder::Resume
            });
        }
        let closing = shared.closing.load(Ordering::Relaxed);
        if closing && !std::mem::replace(&mut told.closing, true) {
            orders.push(WorkerOrder::Close);
        }
        let stopping = self.world.cancel.is_cancelled();
        if stopping && !std::mem::replace(&mut told.stopped, true) {
            orders.push(WorkerOrder::Stop);
        }
        for worker in self.workers.iter().filter(|it| it.is_in_level()) {
            for order in &orders {
                match order {
                    WorkerOrder::Deadline { at_ns } => worker.send(&WorkerOrder::Deadline {
                        at_ns: worker.clock.there(*at_ns),
                    }),
                    other => worker.send(other),
                }
            }
        }
    }

    /// Takes what they told.
    fn pump(&mut self) {
        while let Ok((index, heard)) = self.inbox.try_recv() {
            match heard {
                Heard::Answer(at, answer) => self.take(index, at, answer),
                // A command's words may repeat the key.
                Heard::Noise(words) => self.workers[index].noise(&self.world.api.clean(&words)),
                Heard::Ended(words) => self.workers[index].lose(self.world.api.clean(&words)),
            }
        }
    }

    fn take(&mut self, index: usize, at: Instant, answer: WorkerAnswer) {
        let now_ns = self.world.at_ns(at);
        let worker = &mut self.workers[index];
        worker.heard = at;
        match answer {
            WorkerAnswer::Hello(hello) => worker.greet(hello),
            WorkerAnswer::Begun { lanes } => {
                let from = self.counts.len();
                let new = (0..lanes.clamp(1, 64)).map(|_| Arc::new(Counts::new(0)));
                self.counts.extend(new);
                worker.begun(from..self.counts.len());
            }
            WorkerAnswer::Ready { number } => {
                if number == self.steering.number && worker.state == State::Preparing {
                    worker.state = State::Ready;
                }
            }
            WorkerAnswer::Pong { n, at_ns } => worker.clock.pong(n, now_ns, at_ns),
            WorkerAnswer::Rows { seq, base64 } => {
                for (record, said) in worker.rows(seq, &base64) {
                    // Fails only when the session is gone.
                    let _ = self.tell.send(WorkerEvent::Ended(record, said));
                }
            }
            WorkerAnswer::Seen(seen) => {
                if seen.number == self.steering.number {
                    worker.see(*seen, &self.counts, &self.world, &self.tell);
                }
            }
            WorkerAnswer::Over(over) => {
                if over.seen.number != self.steering.number {
                    return;
                }
                let limits = over.limits.clone();
                if !limits.is_empty() {
                    // As above.
                    let _ = self.tell.send(WorkerEvent::Limits(limits));
                }
                let counting = worker.over(*over, &self.counts, &self.world, &self.tell);
                // The next level goes on behind all of them.
                let Counting {
                    requests,
                    conversations,
                } = &mut self.counting;
                *requests = counting.requests.max(*requests);
                *conversations = counting.conversations.max(*conversations);
            }
            WorkerAnswer::Fault(failure) => worker.fail(*failure),
            WorkerAnswer::Asked { .. } | WorkerAnswer::Idle | WorkerAnswer::Unknown => {}
        }
    }

    /// Why the session is not to go on without those that were lost.
    pub(super) fn gives_up(&self) -> Option<String> {
        let lost = self.workers.iter().filter(|it| !it.is_there()).count();
        let all = self.workers.len();
        let stop = match self.on_loss {
            OnLoss::Continue => lost * 2 > all,
            OnLoss::Stop => lost > 0,
        };
        stop.then(|| format!("{lost} of {} were lost", units::counted(all, "worker")))
    }

    fn all_lost(&self) -> Failure {
        let why = self.workers.iter().find_map(RemoteWorker::failure);
        why.unwrap_or_else(|| Failure::new("No worker is left", ""))
    }
}

impl Drop for RemoteCrew {
    fn drop(&mut self) {
        // Those that read it end by themselves; their processes are killed soon after.
        for worker in &self.workers {
            worker.send(&WorkerOrder::Bye);
        }
    }
}

/// The earliest, or the latest, of moments; [`NEVER`] and 0 stand for none.
fn store(into: &AtomicU64, moment: Option<u64>, none: u64) {
    into.store(moment.unwrap_or(none), Ordering::Relaxed);
}

/// The threads of a worker among those of all.
type Lanes = Range<usize>;
