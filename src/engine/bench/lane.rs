//! A measuring thread: it sends requests and reads their answers, and does nothing else.
//!
//! Each has a runtime of one thread, so that a stream's bytes are read, stamped and taken apart without a
//! change of thread. What ended is told through a channel that nobody waits on.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Sender, TryRecvError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::task::coop::unconstrained;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use super::World;
use super::alarm::{Alarm, Rung};
use super::counts::Counts;
use super::feed::{self, Prepared};
use super::hearing::{Hearing, NOT_OVER};
use super::level::Level;
use super::lock;
use super::pacer::Moment;
use crate::domain::failure::Failure;
use crate::domain::history::Said;
use crate::domain::model_name::other_model;
use crate::domain::run::Steer;
use crate::io::http1::{Connection, Dialer, Ended, WireError};
use crate::metrics::request::{Phase, RequestError, RequestRecord};
use crate::prompts::schedule::client_start;
use crate::wire::answer::{AnswerReader, News};
use crate::wire::fault::Fault;

/// How often a thread is asked whether it is late.
pub(super) const PROBE: Duration = Duration::from_millis(20);
/// How long the end of a response is waited for behind its `[DONE]`.
const DRAIN: Duration = Duration::from_millis(250);
/// The same at a server that has once not ended one by then.
const HELD_OPEN: Duration = Duration::from_millis(2);
/// Requests on the page's timeline, over all lanes.
pub(super) const FLIGHTS: usize = 48;

/// What a lane tells.
pub(super) enum Told {
    /// A request ended; with what was said in it, where that is wanted.
    Ended(Arc<RequestRecord>, Option<Box<Said>>),
    /// The limits that an answer's headers speak of.
    Limits(Vec<(String, String)>),
    /// What was found out about the lane itself.
    Probed {
        timer_late: Option<Duration>,
        reads: Option<Rung>,
    },
    /// A request of an open loop left so long after its moment, its wait for a place in flight left out.
    Left { late: Duration },
    /// The lane's CPU time so far.
    Cpu { lane: usize, used: Duration },
    /// The connections of the coming level are open.
    Ready,
}

/// What a lane is asked to do.
enum Order {
    /// Have so many connections open: [`Told::Ready`].
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
pub(super) struct Lane {
    orders: Option<mpsc::UnboundedSender<Order>>,
    pub(super) counts: Arc<Counts>,
    cancel: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Lane {
    pub(super) fn start(
        number: usize,
        of: usize,
        world: Arc<World>,
        told: Sender<Told>,
    ) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(super::no_thread)?;
        let (orders, inbox) = mpsc::unbounded_channel();
        let counts = Arc::new(Counts::new(FLIGHTS / of));
        let cancel = world.cancel.clone();
        let at_work = AtWork {
            number,
            world,
            told,
            counts: Arc::clone(&counts),
            pool: Mutex::default(),
            held_open: AtomicBool::new(false),
            kits: Mutex::default(),
        };
        let thread = thread::Builder::new().name(format!("bench-lane-{number}"));
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

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // Fails only when the lane was stopped, and then nothing more is wanted.
            let _ = orders.send(order);
        }
    }

    pub(super) fn dial(&self, connections: u32) {
        self.order(Order::Dial(connections));
    }

    pub(super) fn begin(&self, level: &Arc<Level>, clients: Vec<u32>, of: u32) {
        self.order(Order::Clients {
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
                let _ = orders.send(Order::Launch {
                    level: Arc::clone(level),
                    prepared,
                    moment,
                });
            }
        }
    }
}

impl Drop for Lane {
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

/// A lane on its own thread.
pub(super) struct AtWork {
    number: usize,
    pub(super) world: Arc<World>,
    told: Sender<Told>,
    pub(super) counts: Arc<Counts>,
    /// Connections that are free. Only this thread takes and gives.
    pool: Mutex<Vec<Pooled>>,
    /// The server keeps responses open behind their `[DONE]`: they are not waited for again.
    held_open: AtomicBool,
    /// Likewise what else a request takes.
    #[expect(
        clippy::vec_box,
        reason = "readers are large, and moved for each request"
    )]
    kits: Mutex<Vec<Box<Kit>>>,
}

impl AtWork {
    async fn serve(self: Arc<Self>, mut inbox: mpsc::UnboundedReceiver<Order>) {
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&self).watch_reads());
        tasks.spawn(Arc::clone(&self).watch_timers());
        loop {
            tokio::select! {
                biased;
                // Stopping is dropping: every connection closes.
                () = self.world.cancel.cancelled() => return,
                order = inbox.recv() => match order {
                    None => return,
                    Some(order) => self.take(order, &mut tasks),
                },
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    fn take(self: &Arc<Self>, order: Order, tasks: &mut JoinSet<()>) {
        match order {
            Order::Dial(connections) => {
                tasks.spawn(Arc::clone(self).dial(connections));
            }
            Order::Clients { level, clients, of } => {
                for number in clients {
                    let lane = Arc::clone(self);
                    let level = Arc::clone(&level);
                    tasks.spawn(async move { lane.client(&level, number, of).await });
                }
            }
            Order::Launch {
                level,
                prepared,
                moment,
            } => {
                let lane = Arc::clone(self);
                tasks.spawn(async move { lane.launched(&level, *prepared, moment).await });
            }
        }
    }

    async fn dial(self: Arc<Self>, connections: u32) {
        let open = lock(&self.pool).len();
        let mut dialing = JoinSet::new();
        for _ in open..connections as usize {
            let dialer = self.world.dialer.clone();
            dialing.spawn(async move { Pooled::dial(&dialer).await });
        }
        while let Some(dialed) = dialing.join_next().await {
            // A request that finds no connection dials itself, and tells what is wrong.
            if let Ok(Ok(dialed)) = dialed {
                lock(&self.pool).push(dialed);
            }
        }
        self.tell(Told::Ready);
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
            self.tell(Told::Left { late });
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
            let mut asked = Asked {
                index,
                phase,
                due,
                wanted,
                prompt,
                first: first_turn,
                answers: turns.is_some(),
            };
            let (failed, answer) = loop {
                // What others have learned of the server meanwhile. In a usual request nothing changes.
                let now = self.world.api.dialects().version();
                if std::mem::replace(&mut version, now) != now {
                    let dialect = self.world.api.dialects().of(&level.model);
                    request =
                        feed::adapted(&request, dialect, index, &self.world).unwrap_or(request);
                }
                match self.request(level, asked, &request).await {
                    Answered::Done { failed, answer } => break (failed, answer),
                    Answered::Refused { again, instead } => (asked, request) = (again, instead),
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
            self.wait_while_paused(level).await;
            if level.is_over(&self.world) {
                return;
            }
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

    /// Sends one request, reads its answer and tells of it. One that is refused for a field that Batida added is not
    /// told: it is to be sent without that.
    async fn request(&self, level: &Level, asked: Asked, request: &[u8]) -> Answered {
        let Asked {
            index,
            phase,
            due: wanted_at,
            wanted,
            prompt,
            first,
            answers,
        } = asked;
        let world = &*self.world;
        let keep_text = answers || prompt.is_some();
        let sent = Instant::now();
        let due = wanted_at.unwrap_or(sent);
        let mut kit = lock(&self.kits).pop().unwrap_or_default();
        let Kit { reader, limit } = &mut *kit;
        reader.renew(keep_text);
        let over_at = AtomicU64::new(NOT_OVER);
        let measured = phase == Phase::Measured;
        let mut hearing = Hearing::begin(self, level, reader, &over_at, (index, sent, measured));
        hearing.flight(due);
        if phase == Phase::Measured {
            let now = world.at_ns(sent);
            level.first_measured.fetch_min(now, Ordering::Relaxed);
            if first {
                level.last_sent.fetch_max(now, Ordering::Relaxed);
            }
        }
        let over = || match over_at.load(Ordering::Relaxed) {
            NOT_OVER => None,
            ns => Some(world.began + Duration::from_nanos(ns)),
        };
        let outcome = limit
            .hold(
                sent + world.timeout,
                over,
                self.exchange(request, &mut hearing),
            )
            .await;
        let end = Instant::now();
        let mut connection = None;
        let fault = match outcome {
            Some(Ok(open)) => {
                connection = Some(open);
                hearing.verdict(end, level)
            }
            // The answer may be complete although its connection is not at its end.
            broken => match (hearing.over(), broken) {
                (Some(verdict), _) => verdict,
                (None, Some(Err(error))) => Some(world.api.fault_of_wire(&error, &level.model)),
                (None, _) => Some(world.api.fault_of_time(
                    world.timeout,
                    hearing.came(),
                    &level.model,
                )),
            },
        };
        if let Some(refused) = fault
            .as_ref()
            .map(|fault| fault.refused)
            .filter(|it| !it.is_usual())
            && let Some(instead) = feed::adapted(request, refused, index, world)
        {
            world.api.learn(&level.model, refused);
            // Neither a request nor one that was given up.
            hearing.told = true;
            drop(hearing);
            lock(&self.kits).push(kit);
            if let Some(pooled) = connection.filter(|pooled| pooled.connection.is_drained()) {
                lock(&self.pool).push(pooled);
            }
            let again = Asked {
                index,
                phase,
                due: wanted_at,
                wanted,
                prompt,
                first,
                answers,
            };
            return Answered::Refused { again, instead };
        }
        let ended = hearing.ended.unwrap_or(end);
        let (mut answer, mut said) = (String::new(), None);
        if keep_text {
            let News {
                reasoning,
                answer: text,
                ..
            } = hearing.text();
            match prompt {
                Some(prompt) => {
                    answer = if answers { text.clone() } else { String::new() };
                    said = Some(Box::new(Said {
                        prompt,
                        reasoning,
                        answer: text,
                    }));
                }
                None => answer = text,
            }
        }
        let error = fault.map(
            |Fault {
                 class,
                 status,
                 failure,
                 ..
             }| RequestError {
                class: Some(class),
                status,
                text: failure.summary,
            },
        );
        hearing.landed(ended, error.is_some());
        let figures = hearing.reader.figures();
        if figures.at_once {
            hearing.reader.drop_gaps();
        }
        let answered_by =
            other_model(&level.model, hearing.reader.model()).map(|model| world.api.clean(model));
        let record = RequestRecord {
            index,
            level: level.index,
            phase,
            due: world.at(due),
            sent: world.at(sent),
            ended: world.at(ended),
            figures,
            first_byte: hearing.first_byte,
            chunks: hearing.reader.chunks(),
            gaps_us: hearing.reader.take_gaps(),
            bytes: hearing.bytes,
            wanted_prompt_tokens: wanted,
            answered_by,
            reconnected: hearing.reconnected,
            error,
        };
        let failed = record.error.is_some();
        self.counts
            .gaps
            .store(record.gaps_us.len(), Ordering::Relaxed);
        // Before the connection's manners: a stop amid those loses nothing.
        self.tell(Told::Ended(Arc::new(record), said));
        hearing.told = true;
        drop(hearing);
        lock(&self.kits).push(kit);
        if let Some(pooled) = connection {
            self.give_back(pooled).await;
        }
        Answered::Done { failed, answer }
    }

    /// Keeps a connection for the next request, once its response is at its end.
    async fn give_back(&self, mut pooled: Pooled) {
        if !pooled.connection.is_drained() {
            // A client of a closed loop waits here: for a server that holds its responses open, that is a new
            // connection each time, but no time.
            let limit = if self.held_open.load(Ordering::Relaxed) {
                HELD_OPEN
            } else {
                DRAIN
            };
            match tokio::time::timeout(limit, pooled.connection.drain()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => return self.held_open.store(true, Ordering::Relaxed),
            }
        }
        lock(&self.pool).push(pooled);
    }

    async fn exchange(
        &self,
        request: &[u8],
        hearing: &mut Hearing<'_>,
    ) -> Result<Pooled, WireError> {
        let free = std::iter::from_fn(|| lock(&self.pool).pop())
            .find_map(|mut pooled| pooled.connection.is_usable().then_some(pooled));
        let mut pooled = match free {
            Some(mut pooled) => {
                // A warm-up leaves it for who is measured.
                hearing.connect = if hearing.measured {
                    pooled.took.take()
                } else {
                    None
                };
                pooled
            }
            None => {
                // Boxed: it is large, rare, and would be moved with each request.
                let mut pooled = Box::pin(Pooled::dial(&self.world.dialer)).await?;
                hearing.connect = pooled.took.take();
                pooled
            }
        };
        match pooled.connection.exchange(request, hearing).await {
            Ok(Ended::Whole | Ended::Enough) => Ok(pooled),
            // The server had closed it, which says nothing of the model. Once more, on a new one.
            Err(WireError::Stale(_)) => {
                hearing.reconnected = true;
                let mut pooled = Box::pin(Pooled::dial(&self.world.dialer)).await?;
                hearing.connect = pooled.took.take();
                pooled.connection.exchange(request, hearing).await?;
                Ok(pooled)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn tell(&self, told: Told) {
        // Fails only when the session is gone.
        let _ = self.told.send(told);
    }

    async fn watch_reads(self: Arc<Self>) {
        // Without it, timers stand for reads.
        let Ok(mut alarm) = Alarm::every(PROBE) else {
            return;
        };
        while let Ok(rung) = alarm.rings().await {
            self.tell(Told::Probed {
                timer_late: None,
                reads: Some(rung),
            });
        }
    }

    async fn watch_timers(self: Arc<Self>) {
        // tokio's timers round up to the next millisecond by design: that is no lateness.
        const ROUNDING: Duration = Duration::from_millis(1);
        loop {
            let due = Instant::now() + PROBE;
            tokio::time::sleep_until(due.into()).await;
            let late = due.elapsed().saturating_sub(ROUNDING);
            self.tell(Told::Probed {
                timer_late: Some(late),
                reads: None,
            });
            let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            self.tell(Told::Cpu {
                lane: self.number,
                used: super::duration(used),
            });
        }
    }
}

/// What a request takes besides a connection.
#[derive(Default)]
struct Kit {
    reader: AnswerReader,
    limit: Limit,
}

/// Gives things up at their deadlines, each later than the one before. Its timer is set anew only when it goes off:
/// setting and clearing one for each request is a part of what a request costs.
#[derive(Default)]
struct Limit(Option<Pin<Box<Sleep>>>);

impl Limit {
    /// `None` when `work` is not done at `deadline`, or at the moment that `over` names.
    async fn hold<T>(
        &mut self,
        deadline: Instant,
        over: impl Fn() -> Option<Instant>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let deadline = deadline.into();
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            let over = over().map(tokio::time::Instant::from);
            if let Some(over) = over.filter(|over| *over < sleep.deadline()) {
                sleep.as_mut().reset(over);
            }
            let deadline = over.map_or(deadline, |over| over.min(deadline));
            // Work that never has to wait uses up the task's budget, which the timer then would not be given.
            while pin!(unconstrained(sleep.as_mut())).poll(context).is_ready() {
                if sleep.deadline() >= deadline {
                    return Poll::Ready(None);
                }
                sleep.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }
}

/// A connection, and how long opening it took until a request has told of that.
struct Pooled {
    connection: Connection,
    took: Option<Duration>,
}

impl Pooled {
    async fn dial(dialer: &Dialer) -> Result<Self, WireError> {
        let began = Instant::now();
        let connection = dialer.dial().await?;
        Ok(Self {
            connection,
            took: Some(began.elapsed()),
        })
    }
}

/// What became of a request.
enum Answered {
    /// It was told. The answer is there where a later turn needs it.
    Done { failed: bool, answer: String },
    /// The server does not take a field of it: this is to be sent instead.
    Refused { again: Asked, instead: Bytes },
}

/// One request to be sent.
struct Asked {
    index: u64,
    phase: Phase,
    due: Option<Instant>,
    /// Tokens of its prompt.
    wanted: Option<u32>,
    /// What is said to the model last, where that is to be told with the answer.
    prompt: Option<String>,
    /// It begins a conversation.
    first: bool,
    /// A later turn needs the answer.
    answers: bool,
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
