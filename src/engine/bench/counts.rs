//! What a worker counts for the page while requests are in flight.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::own_watch::OwnWatch;
use crate::domain::run::Flight;
use crate::wire::worker::LaneSeen;
use parking_lot::Mutex;

/// What a worker counts for the page.
pub(super) struct Counts {
    pub(super) in_flight: AtomicU32,
    pub(super) streaming: AtomicU32,
    pub(super) queued: AtomicU32,
    pub(super) chunks: AtomicU64,
    /// Of the last answer.
    pub(super) gaps: AtomicUsize,
    pub(super) flights: Vec<FlightCell>,
    pub(super) free: Mutex<VecDeque<usize>>,
    pub(super) since: Mutex<Since>,
    pub(super) own_watch: Mutex<OwnWatch>,
}

/// When each request left that is in flight, in ns of the session; 0 in a place that is free.
#[derive(Default)]
pub(super) struct Since {
    places: Vec<u64>,
    free: Vec<usize>,
}

impl Since {
    pub(super) fn enter(&mut self, ns: u64) -> usize {
        match self.free.pop() {
            Some(place) => {
                self.places[place] = ns;
                place
            }
            None => {
                self.places.push(ns);
                self.places.len() - 1
            }
        }
    }

    pub(super) fn leave(&mut self, place: usize) {
        self.places[place] = 0;
        self.free.push(place);
    }
}

/// A request on the timeline. Moments in ns of the session; 0 for not yet.
#[derive(Default)]
pub(super) struct FlightCell {
    pub(super) index: AtomicU64,
    pub(super) due: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) first: AtomicU64,
    pub(super) ended: AtomicU64,
    pub(super) failed: AtomicBool,
}

impl Counts {
    pub(super) fn new(flights: usize) -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            streaming: AtomicU32::new(0),
            queued: AtomicU32::new(0),
            chunks: AtomicU64::new(0),
            gaps: AtomicUsize::new(0),
            flights: std::iter::repeat_with(FlightCell::default)
                .take(flights)
                .collect(),
            free: Mutex::new((0..flights).collect()),
            since: Mutex::default(),
            own_watch: Mutex::default(),
        }
    }

    /// Takes over what a thread elsewhere counts; `since` is of it and of those beside it.
    pub(super) fn hear(&self, seen: &LaneSeen, since: Vec<u64>) {
        let set = |count: &AtomicU32, now: u32| count.store(now, Ordering::Relaxed);
        set(&self.in_flight, seen.in_flight);
        set(&self.streaming, seen.streaming);
        set(&self.queued, seen.queued);
        self.chunks.store(seen.chunks, Ordering::Relaxed);
        *self.since.lock() = Since {
            places: since,
            free: Vec::new(),
        };
    }

    /// What a thread elsewhere would be told of this one's counts.
    pub(super) fn told(&self) -> LaneSeen {
        let get = |count: &AtomicU32| count.load(Ordering::Relaxed);
        LaneSeen {
            in_flight: get(&self.in_flight),
            streaming: get(&self.streaming),
            queued: get(&self.queued),
            chunks: self.chunks.load(Ordering::Relaxed),
            ..LaneSeen::default()
        }
    }

    /// When each request left that is in flight now.
    pub(super) fn in_flight_since(&self) -> Vec<Duration> {
        self.since
            .lock()
            .places
            .iter()
            .filter(|ns| **ns > 0)
            .copied()
            .map(Duration::from_nanos)
            .collect()
    }

    pub(super) fn flights(&self) -> impl Iterator<Item = Flight> {
        let seconds = |ns: u64| (ns > 0).then(|| ns as f64 / 1e9);
        self.flights.iter().filter_map(move |cell| {
            let get = |field: &AtomicU64| field.load(Ordering::Relaxed);
            Some(Flight {
                index: get(&cell.index),
                due_s: seconds(get(&cell.due))?,
                sent_s: seconds(get(&cell.sent)),
                first_s: seconds(get(&cell.first)),
                ended_s: seconds(get(&cell.ended)),
                failed: cell.failed.load(Ordering::Relaxed),
            })
        })
    }
}
