//! A worker: a measuring thread that sends requests and reads their responses, and does nothing else.
//!
//! Each has a runtime of one thread, so that a stream's bytes are read, stamped and parsed without a change of
//! thread. It reports each ended request through a channel that nothing waits on.

mod request;
mod response;
mod time_limit;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, TryRecvError};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::request::{PooledConnection, RequestContext, RequestOutcome, Scratch};
use super::World;
use super::alarm::Alarm;
use super::counts::Counts;
use super::feed::{self, Prepared};
use super::level::Level;
use super::own_watch::{PROBE_INTERVAL, TOLD_PROBE_INTERVAL};
use super::pacer::Moment;
use crate::domain::failure::Failure;
use crate::domain::history::Said;
use crate::domain::run::Steer;
use crate::metrics::request::{Phase, RequestRecord};
use crate::prompts::schedule::client_start;

/// A client that thinks notices the end of its level within this time.
const THINK_STEP: Duration = Duration::from_millis(50);
/// Requests on the page's timeline, over all workers.
pub(super) const TIMELINE_REQUESTS: usize = 48;

/// What a worker tells.
pub(super) enum WorkerEvent {
    /// A request ended; with what was said in it, where that is wanted.
    Ended(Arc<RequestRecord>, Option<Box<Said>>),
    /// The limits that an answer's headers speak of.
    Limits(Vec<(String, String)>),
    /// A request of an open loop left so long after its moment, its wait for a place in flight left out.
    Left { late: Duration },
    /// The connections of the coming level are open.
    Ready,
}

/// What a worker is asked to do.
enum Assignment {
    /// Have so many connections open: [`WorkerEvent::Ready`].
    Dial(u32),
    /// Begin these clients of a closed loop.
    Clients {
        level: Arc<Level>,
        clients: Vec<u32>,
        of: u32,
    },
    /// Send this: its moment has come.
    Launch {
        level: Arc<Level>,
        prepared: Box<Prepared>,
        moment: Moment,
    },
}

/// A measuring thread. Dropped, it ends and closes every connection.
pub(super) struct Worker {
    orders: Option<mpsc::UnboundedSender<Assignment>>,
    pub(super) counts: Arc<Counts>,
    cancel: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Worker {
    pub(super) fn start(
        number: usize,
        of: usize,
        world: Arc<World>,
        events: Sender<WorkerEvent>,
    ) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(super::no_thread)?;
        let (orders, inbox) = mpsc::unbounded_channel();
        let counts = Arc::new(Counts::new(TIMELINE_REQUESTS / of));
        let cancel = world.cancel.clone();
        let at_work = WorkerThread {
            world,
            events,
            counts: Arc::clone(&counts),
            pool: Mutex::default(),
            held_open: AtomicBool::new(false),
            scratch: Mutex::default(),
        };
        let thread = thread::Builder::new().name(format!("bench-worker-{number}"));
        let thread = thread.spawn(move || {
            runtime.block_on(Arc::new(at_work).serve(inbox));
            // A name server that does not answer is not waited for.
            runtime.shutdown_background();
        });
        let thread = thread.map_err(super::no_thread)?;
        Ok(Self {
            orders: Some(orders),
            counts,
            cancel,
            thread: Some(thread),
        })
    }

    fn order(&self, assignment: Assignment) {
        if let Some(orders) = &self.orders {
            // Fails only when the worker was stopped, and then nothing more is wanted.
            let _ = orders.send(assignment);
        }
    }

    pub(super) fn dial(&self, connections: u32) {
        self.order(Assignment::Dial(connections));
    }

    pub(super) fn begin(&self, level: &Arc<Level>, clients: Vec<u32>, of: u32) {
        self.order(Assignment::Clients {
            level: Arc::clone(level),
            clients,
            of,
        });
    }

    /// A handle for the thread that sends requests at their moments.
    pub(super) fn launcher(&self) -> impl Fn(&Arc<Level>, Prepared, Moment) + Send + 'static {
        let orders = self.orders.clone();
        move |level, prepared, moment| {
            if let Some(orders) = &orders {
                // As above.
                let prepared = Box::new(prepared);
                let _ = orders.send(Assignment::Launch {
                    level: Arc::clone(level),
                    prepared,
                    moment,
                });
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The pacer may still hold a way to give orders.
        self.cancel.cancel();
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it was told as it happened.
            let _ = thread.join();
        }
    }
}

/// A worker on its own thread.
pub(super) struct WorkerThread {
    pub(super) world: Arc<World>,
    events: Sender<WorkerEvent>,
    pub(super) counts: Arc<Counts>,
    /// Connections that are free. Only this thread takes and gives.
    pool: Mutex<Vec<PooledConnection>>,
    /// The server keeps responses open behind their `[DONE]`: they are not waited for again.
    held_open: AtomicBool,
    /// Likewise what else a request takes.
    #[expect(
        clippy::vec_box,
        reason = "readers are large, and moved for each request"
    )]
    scratch: Mutex<Vec<Box<Scratch>>>,
}

impl WorkerThread {
    async fn serve(self: Arc<Self>, mut inbox: mpsc::UnboundedReceiver<Assignment>) {
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&self).watch_reads());
        tasks.spawn(Arc::clone(&self).watch_timers());
        loop {
            tokio::select! {
                biased;
                // Stopping is dropping: every connection closes.
                () = self.world.cancel.cancelled() => return,
                assignment = inbox.recv() => match assignment {
                    None => return,
                    Some(assignment) => self.take(assignment, &mut tasks),
                },
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    fn take(self: &Arc<Self>, assignment: Assignment, tasks: &mut JoinSet<()>) {
        match assignment {
            Assignment::Dial(connections) => {
                tasks.spawn(Arc::clone(self).dial(connections));
            }
            Assignment::Clients { level, clients, of } => {
                for number in clients {
                    let worker = Arc::clone(self);
                    let level = Arc::clone(&level);
                    tasks.spawn(async move { worker.client(&level, number, of).await });
                }
            }
            Assignment::Launch {
                level,
                prepared,
                moment,
            } => {
                let worker = Arc::clone(self);
                tasks.spawn(async move { worker.launched(&level, *prepared, moment).await });
            }
        }
    }

    async fn dial(self: Arc<Self>, connections: u32) {
        let open = self.pool.lock().len();
        let mut dialing = JoinSet::new();
        for _ in open..connections as usize {
            let dialer = self.world.dialer.clone();
            dialing.spawn(async move { PooledConnection::dial(&dialer).await });
        }
        while let Some(dialed) = dialing.join_next().await {
            // A request that finds no connection dials itself, and tells what is wrong.
            if let Ok(Ok(dialed)) = dialed {
                self.pool.lock().push(dialed);
            }
        }
        self.tell(WorkerEvent::Ready);
    }

    /// A client of a closed loop: it sends its next request when its answer is there.
    async fn client(&self, level: &Level, number: u32, of: u32) {
        let _done = Countdown(&level.outstanding);
        tokio::time::sleep_until((level.began() + client_start(number, of, level.ramp_up)).into())
            .await;
        level
            .all_in
            .fetch_max(self.world.now_ns(), Ordering::Relaxed);
        let mut waiting = false;
        loop {
            self.wait_while_paused(level).await;
            if level.is_over(&self.world) {
                break;
            }
            match level.feed.try_recv() {
                Ok(prepared) => {
                    waiting = false;
                    self.converse(level, prepared, None).await;
                }
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    level
                        .starved
                        .fetch_add(u64::from(!waiting), Ordering::Relaxed);
                    waiting = true;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
        level
            .first_out
            .fetch_min(self.world.now_ns(), Ordering::Relaxed);
    }

    /// A request of an open loop, at its moment.
    async fn launched(&self, level: &Level, prepared: Prepared, moment: Moment) {
        let _done = Countdown(&level.outstanding);
        let Moment { due, paused, held } = moment;
        // Neither a pause nor the wait for a place is lateness of ours.
        let paused_until = |now| self.world.pauses.until(now).saturating_sub(paused);
        let (mut waited, mut queued) = (held, Duration::ZERO);
        let mut permit = None;
        if let Some(permits) = &level.permits {
            let came = if held { due } else { Instant::now() };
            permit = permits.try_acquire().ok();
            if permit.is_none() {
                waited = true;
                let _queued = Queued::enter(&self.counts.queued, &level.queued);
                // Fails only when it is closed, which nobody does.
                permit = permits.acquire().await.ok();
            }
            if waited {
                let now = Instant::now();
                queued = now
                    .saturating_duration_since(came)
                    .saturating_sub(paused_until(now));
            }
        }
        self.wait_while_paused(level).await;
        // One that need not wait was in time by the pacer's clock.
        if level.closing.load(Ordering::Relaxed) || waited && level.is_over(&self.world) {
            level.unsent.fetch_add(1, Ordering::Relaxed);
        } else {
            let now = Instant::now();
            let due = due + paused_until(now);
            level.launched.fetch_add(1, Ordering::Relaxed);
            level
                .last_due
                .fetch_max(self.world.at_ns(due), Ordering::Relaxed);
            let late = now.saturating_duration_since(due).saturating_sub(queued);
            self.tell(WorkerEvent::Left { late });
            self.converse(level, prepared, Some(due)).await;
        }
        drop(permit);
    }

    async fn converse(&self, level: &Level, prepared: Prepared, due: Option<Instant>) {
        let Prepared {
            mut index,
            phase,
            mut request,
            mut prompt,
            mut version,
            mut turns,
            wanted_prompt_tokens,
            ..
        } = prepared;
        let mut wanted = wanted_prompt_tokens;
        let mut due = due;
        let mut first_turn = true;
        loop {
            let hangs_up = self.world.clients.hang_up(index);
            let mut context = RequestContext {
                index,
                phase: match hangs_up {
                    Some(_) if phase == Phase::Measured => Phase::HangUp,
                    _ => phase,
                },
                due,
                wanted_prompt_tokens: wanted,
                prompt,
                first_turn,
                wants_answer: turns.is_some(),
            };
            let (failed, answer) = loop {
                // What others have learned of the server meanwhile. In a usual request nothing changes.
                let now = self.world.api.dialects().version();
                if std::mem::replace(&mut version, now) != now {
                    let dialect = self.world.api.dialects().of(&level.model);
                    request =
                        feed::adapted(&request, dialect, index, &self.world).unwrap_or(request);
                }
                match self.request(level, context, &request).await {
                    RequestOutcome::Done { failed, answer } => break (failed, answer),
                    RequestOutcome::Refused { again, instead } => {
                        (context, request) = (again, instead);
                    }
                }
            };
            first_turn = false;
            let Some(turns) = turns
                .as_mut()
                .filter(|_| !failed && !level.is_over(&self.world))
            else {
                return;
            };
            index += 1;
            let next = turns.next(answer, index, &self.world);
            let Some((next, next_prompt)) = next else {
                return;
            };
            // A later turn is due when the answer before it is there.
            (request, prompt, due, wanted) = (next, next_prompt, None, None);
            version = self.world.api.dialects().version();
            self.think(level, index).await;
            self.wait_while_paused(level).await;
            if level.is_over(&self.world) {
                return;
            }
        }
    }

    /// As a reader does before the next turn; no longer than the level lasts.
    async fn think(&self, level: &Level, index: u64) {
        let Some(think) = self.world.clients.think(index) else {
            return;
        };
        let until = Instant::now() + think;
        while !level.is_over(&self.world) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(THINK_STEP)).await;
        }
    }

    /// Until it goes on, or the level is to end.
    async fn wait_while_paused(&self, level: &Level) {
        if !self.world.paused.load(Ordering::Relaxed) {
            return;
        }
        let mut steer = self.world.steer.clone();
        while self.world.paused.load(Ordering::Relaxed) && !level.closing.load(Ordering::Relaxed) {
            let resumed = steer.wait_for(|steer| *steer == Steer::Resume);
            // Fails when nobody can resume any more: then it goes on.
            if let Ok(Err(_)) = tokio::time::timeout(Duration::from_millis(50), resumed).await {
                return;
            }
            if *steer.borrow() == Steer::Resume {
                return;
            }
        }
    }

    pub(super) fn tell(&self, event: WorkerEvent) {
        // Fails only when the session is gone.
        let _ = self.events.send(event);
    }

    async fn watch_reads(self: Arc<Self>) {
        // Without it, timers stand for reads.
        let Ok(mut alarm) = Alarm::every(PROBE_INTERVAL) else {
            return;
        };
        while let Ok(rings) = alarm.rings().await {
            let mut own_watch = self.counts.own_watch.lock();
            // The reads themselves tell.
            if own_watch.has_waits() {
                return;
            }
            own_watch.alarm_rang(rings);
        }
    }

    async fn watch_timers(self: Arc<Self>) {
        // tokio's timers round up to the next millisecond by design: that is no lateness.
        const ROUNDING: Duration = Duration::from_millis(1);
        loop {
            let interval = if self.counts.own_watch.lock().has_waits() {
                TOLD_PROBE_INTERVAL
            } else {
                PROBE_INTERVAL
            };
            let due = Instant::now() + interval;
            tokio::time::sleep_until(due.into()).await;
            let late = due.elapsed().saturating_sub(ROUNDING);
            let used = crate::clock::thread_cpu();
            self.counts.own_watch.lock().timer_fired(late, used);
        }
    }
}

/// Counts as waiting until dropped, for the page and for the level.
struct Queued<'a>(&'a AtomicU32, &'a AtomicU64);

impl<'a> Queued<'a> {
    fn enter(page: &'a AtomicU32, level: &'a AtomicU64) -> Self {
        page.fetch_add(1, Ordering::Relaxed);
        level.fetch_add(1, Ordering::Relaxed);
        Self(page, level)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts down when dropped, also when its task is.
struct Countdown<'a>(&'a AtomicU64);

impl Drop for Countdown<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}
