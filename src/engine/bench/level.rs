//! A level as the session, the pacer and the workers share it: what they count, and when it is over.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use tokio::sync::Semaphore;

use super::World;
use super::feed::Prepared;

/// Above every moment of a session.
pub(super) const NEVER: u64 = u64::MAX;

/// A level as the workers see it.
pub(super) struct Level {
    pub(super) index: usize,
    pub(super) model: String,
    /// The parameters that the user set, by their names in the request.
    pub(super) set: Vec<&'static str>,
    pub(super) feed: Receiver<Prepared>,
    pub(super) ramp_up: Duration,
    /// Set once the connections are open.
    began: OnceLock<Instant>,
    /// In an open loop: in flight at most.
    pub(super) permits: Option<Semaphore>,
    /// No new request is sent after this moment of the session, in ns.
    pub(super) deadline: AtomicU64,
    /// No new request is sent.
    pub(super) closing: AtomicBool,
    /// Clients, or launched requests, that are not done.
    pub(super) outstanding: AtomicU64,
    /// When the last client began, in ns of the session.
    pub(super) all_in: AtomicU64,
    /// When the first client found nothing more to do.
    pub(super) first_out: AtomicU64,
    /// When the first measured request left.
    pub(super) first_measured: AtomicU64,
    /// When the last measured request left.
    pub(super) last_sent: AtomicU64,
    /// Times that a client waited for a request to be made.
    pub(super) starved: AtomicU64,
    /// Measured requests in flight.
    pub(super) measured_in_flight: AtomicU64,
    /// Measured requests that were given up in flight.
    pub(super) aborted: AtomicU64,
    /// In an open loop: those that were due and never sent, those that were sent, and when the last of these was
    /// due.
    pub(super) unsent: AtomicU64,
    /// Those that were due and still with the pacer when it was told to end.
    pub(super) behind: AtomicU64,
    pub(super) launched: AtomicU64,
    pub(super) last_due: AtomicU64,
    /// Requests that wait for one of the places in flight.
    pub(super) queued: AtomicU64,
}

impl Level {
    pub(super) fn new(
        index: usize,
        (model, set): (String, Vec<&'static str>),
        feed: Receiver<Prepared>,
        ramp_up: Duration,
        permits: Option<Semaphore>,
    ) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            index,
            model,
            set,
            feed,
            ramp_up,
            began: OnceLock::new(),
            permits,
            deadline: AtomicU64::new(NEVER),
            closing: AtomicBool::new(false),
            outstanding: zero(),
            all_in: zero(),
            first_out: AtomicU64::new(NEVER),
            first_measured: AtomicU64::new(NEVER),
            last_sent: zero(),
            starved: zero(),
            measured_in_flight: zero(),
            aborted: zero(),
            unsent: zero(),
            behind: zero(),
            launched: zero(),
            last_due: zero(),
            queued: zero(),
        }
    }

    /// Its clock starts at `at`.
    pub(super) fn begin_at(&self, at: Instant) {
        // Fails when it has begun.
        let _ = self.began.set(at);
    }

    /// When it began.
    pub(super) fn began(&self) -> Instant {
        *self.began.get_or_init(Instant::now)
    }

    /// Whether so many requests are ready, or as many as are made ahead.
    pub(super) fn is_filled(&self, requests: u64) -> bool {
        let most = self
            .feed
            .capacity()
            .map_or(requests, |most| requests.min(most as u64));
        self.feed.len() as u64 >= most
    }

    pub(super) fn is_over(&self, world: &World) -> bool {
        let deadline = self.deadline.load(Ordering::Relaxed);
        self.closing.load(Ordering::Relaxed) || deadline != NEVER && world.now_ns() >= deadline
    }

    /// A moment that one of the workers noted; `None` when it has not come.
    pub(super) fn moment(moment: &AtomicU64) -> Option<Duration> {
        match moment.load(Ordering::Relaxed) {
            0 | NEVER => None,
            ns => Some(Duration::from_nanos(ns)),
        }
    }
}
