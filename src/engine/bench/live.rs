//! What is told while a session runs: collected as it happens, given away at most every 33 ms.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::counts::Counts;
use crate::domain::run::{
    BenchProgress, Flight, InFlight, LevelReport, Point, RatePoint, Searching, Stage,
};
use crate::domain::units::ms;
use crate::metrics::request::{Phase, RequestRecord};

/// How often a rate is told.
const RATE: Duration = Duration::from_millis(250);
/// How often the timeline is told.
const TIMELINE_REQUESTS: Duration = Duration::from_millis(100);

/// What has not been told yet, and what is always told anew.
pub(super) struct Live {
    pub(super) stage: Stage,
    pub(super) ended: Vec<LevelReport>,
    pub(super) search: Option<Searching>,
    level: usize,
    levels: usize,
    level_done: f64,
    left: Option<f64>,
    requests: (u64, Option<u64>),
    in_flight: InFlight,
    points: Vec<Point>,
    rates: Vec<RatePoint>,
    flights: Vec<Flight>,
    partial: Option<Box<LevelReport>>,
    /// Chunks and when they were counted last.
    chunks: (u64, Duration),
    /// Tokens and chunks of the level's good answers: what a chunk is worth.
    worth: (u64, u64),
    /// How often the level's figures are worked out while it runs, and when they were last.
    partial_interval: Duration,
    partial_at: Duration,
    flights_at: Duration,
}

/// What the session sees at a tick.
pub(super) struct Seen {
    pub(super) now: Duration,
    pub(super) in_flight: InFlight,
    pub(super) ended: u64,
    pub(super) wanted: Option<u64>,
    /// How much of the level's time is over.
    pub(super) time_done: Option<f64>,
    /// About how long the session still takes.
    pub(super) left: Option<Duration>,
    pub(super) session_limit: Option<Duration>,
}

pub(super) fn in_flight(workers: &[Arc<Counts>]) -> InFlight {
    let mut sum = InFlight::default();
    for counts in workers {
        let streaming = counts.streaming.load(Ordering::Relaxed);
        sum.queued += counts.queued.load(Ordering::Relaxed);
        sum.streaming += streaming;
        sum.waiting += counts
            .in_flight
            .load(Ordering::Relaxed)
            .saturating_sub(streaming);
    }
    sum
}

impl Live {
    pub(super) fn new(levels: usize, partial_interval: Duration) -> Self {
        Self {
            stage: Stage::Starting,
            ended: Vec::new(),
            search: None,
            level: 0,
            levels,
            level_done: 0.0,
            left: None,
            requests: (0, None),
            in_flight: InFlight::default(),
            points: Vec::new(),
            rates: Vec::new(),
            flights: Vec::new(),
            partial: None,
            chunks: (0, Duration::ZERO),
            worth: (0, 0),
            partial_interval,
            partial_at: Duration::ZERO,
            flights_at: Duration::ZERO,
        }
    }

    pub(super) fn levels(&self) -> usize {
        self.levels
    }

    /// A search expects so many levels now.
    pub(super) fn expect(&mut self, levels: usize) {
        self.levels = levels;
    }

    pub(super) fn begin(&mut self, level: usize) {
        self.level = level;
        self.level_done = 0.0;
        self.requests = (0, None);
        self.worth = (0, 0);
        self.partial = None;
    }

    pub(super) fn record(&mut self, record: &RequestRecord) {
        if record.phase != Phase::Measured {
            return;
        }
        if record.error.is_none() {
            self.worth.0 += record.tokens().map_or(0, |tokens| tokens.n);
            self.worth.1 += record.chunks;
        }
        self.points.push(Point {
            level: record.level as u32,
            at_s: record.sent.as_secs_f64(),
            ttft_ms: record
                .ttft()
                .filter(|_| record.error.is_none())
                .map(|ttft| ms(ttft) as f32),
        });
    }

    pub(super) fn tick(&mut self, workers: &[Arc<Counts>], seen: Seen) {
        let Seen {
            now,
            in_flight,
            ended,
            wanted,
            time_done,
            left,
            session_limit,
        } = seen;
        self.in_flight = in_flight;
        self.requests = (ended, wanted);
        let by_requests = wanted.filter(|n| *n > 0).map(|n| ended as f64 / n as f64);
        let done = by_requests.into_iter().chain(time_done).fold(0.0, f64::max);
        self.level_done = done.clamp(0.0, 1.0);
        let left = left.map(|left| left.as_secs_f64());
        let limit = session_limit.map(|limit| limit.saturating_sub(now).as_secs_f64());
        self.left = match (left, limit) {
            (Some(left), Some(limit)) => Some(left.min(limit)),
            (left, _) => left,
        };
        if now >= self.chunks.1 + RATE {
            let chunks: u64 = workers
                .iter()
                .map(|worker| worker.chunks.load(Ordering::Relaxed))
                .sum();
            let (before, since) = std::mem::replace(&mut self.chunks, (chunks, now));
            let worth = if self.worth.1 > 0 {
                self.worth.0 as f64 / self.worth.1 as f64
            } else {
                1.0
            };
            self.rates.push(RatePoint {
                at_s: now.as_secs_f64(),
                level: self.level as u32,
                tokens_per_s: (chunks - before) as f64 * worth / (now - since).as_secs_f64(),
                in_flight: in_flight.waiting + in_flight.streaming,
            });
        }
        if now >= self.flights_at + TIMELINE_REQUESTS {
            self.flights_at = now;
            self.flights = workers.iter().flat_map(|worker| worker.flights()).collect();
            self.flights.sort_by_key(|flight| flight.index);
        }
    }

    pub(super) fn wants_partial(&mut self, now: Duration) -> bool {
        let due = now.saturating_sub(self.partial_at) >= self.partial_interval;
        if due {
            self.partial_at = now;
        }
        due
    }

    pub(super) fn partial(&mut self, report: LevelReport) {
        self.partial = Some(Box::new(report));
    }

    fn done(&self) -> f64 {
        if self.levels == 0 {
            1.0
        } else {
            (self.level as f64 + self.level_done) / self.levels as f64
        }
    }

    /// What there is to tell; what is new is told once.
    pub(super) fn take(&mut self, now: Duration) -> BenchProgress {
        BenchProgress {
            elapsed_s: now.as_secs_f64(),
            stage: self.stage,
            level: self.level,
            levels: self.levels,
            level_done: self.level_done,
            done: self.done(),
            left_s: self.left,
            requests: self.requests,
            in_flight: self.in_flight,
            points: std::mem::take(&mut self.points),
            rates: std::mem::take(&mut self.rates),
            flights: self.flights.clone(),
            server: Vec::new(),
            server_told: None,
            partial: self.partial.take(),
            ended: std::mem::take(&mut self.ended),
            search: self.search,
        }
    }
}
