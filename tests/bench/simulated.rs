//! Servers in simulated time, whose true limit is known, and searches for it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use batida::domain::plan::{Arrivals, Find, LevelLoad, Limit, Target};
use batida::domain::random::Random;
use batida::domain::run::{Found, Verdict};
use batida::metrics::request::{Phase, RequestError, RequestRecord};
use batida::metrics::search::{InFlight, Judge, Search};
use batida::metrics::timeline::Figures;

/// A server of so many slots; requests wait for one first in, first out.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) slots: usize,
    /// From a slot to the first token, in seconds, and how it varies (of a lognormal distribution).
    pub(crate) prefill: [f64; 2],
    /// It takes so much longer for each request in a slot, as a share.
    pub(crate) crowding: f64,
    /// From the first token to the end, likewise.
    pub(crate) decode: [f64; 2],
    /// Gaps of each answer; 0 for none.
    pub(crate) gaps: usize,
    /// Requests that fail, as a share.
    pub(crate) errors: f64,
    /// For so many seconds, on average, all is so many times slower; as long are ten times so long.
    pub(crate) slow: Option<[f64; 2]>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            slots: usize::MAX,
            prefill: [0.2, 0.3],
            crowding: 0.0,
            decode: [0.4, 0.3],
            gaps: 0,
            errors: 0.0,
            slow: None,
        }
    }
}

/// A request in the simulation. Times in seconds.
struct Going {
    due: f64,
    first: f64,
    end: f64,
    failed: bool,
    gaps_us: Vec<u32>,
}

struct Simulation<'a> {
    server: &'a Server,
    load: LevelLoad,
    random: Random,
    now: f64,
    /// Due, and without a slot.
    waiting: VecDeque<f64>,
    ends: BinaryHeap<Reverse<(u64, u64)>>,
    going: BTreeMap<u64, Going>,
    begun: u64,
    /// When the next request of an open loop is due.
    next: f64,
    /// Until when it is slow, or not.
    phase: (bool, f64),
}

impl<'a> Simulation<'a> {
    fn new(server: &'a Server, load: LevelLoad, seed: u64) -> Self {
        let mut simulation = Self {
            server,
            load,
            random: Random::new(seed),
            now: 0.0,
            waiting: VecDeque::new(),
            ends: BinaryHeap::new(),
            going: BTreeMap::new(),
            begun: 0,
            next: f64::INFINITY,
            phase: (false, 0.0),
        };
        match load {
            LevelLoad::Concurrency(n) => (0..n).for_each(|_| simulation.waiting.push_back(0.0)),
            _ => simulation.next = simulation.gap(),
        }
        simulation.fill();
        simulation
    }

    fn gap(&mut self) -> f64 {
        match self.load {
            LevelLoad::Rate {
                per_sec,
                arrivals: Arrivals::Poisson,
                ..
            } => self.random.exponential() / per_sec,
            LevelLoad::Rate { per_sec, .. } => 1.0 / per_sec,
            _ => f64::INFINITY,
        }
    }

    fn slowness(&mut self) -> f64 {
        let Some([length, factor]) = self.server.slow else {
            return 1.0;
        };
        while self.phase.1 <= self.now {
            let is_slow = !self.phase.0;
            let mean = if is_slow { length } else { 10.0 * length };
            self.phase = (is_slow, self.phase.1 + mean * self.random.exponential());
        }
        if self.phase.0 { factor } else { 1.0 }
    }

    /// Gives slots to those that wait.
    fn fill(&mut self) {
        while self.going.len() < self.server.slots {
            let Some(due) = self.waiting.pop_front() else {
                return;
            };
            let slow = self.slowness();
            let server = self.server;
            let crowd = 1.0 + server.crowding * self.going.len() as f64;
            let mut vary =
                |[median, sigma]: [f64; 2]| median * (sigma * self.random.normal()).exp();
            let prefill = vary(server.prefill) * crowd * slow;
            let decode = vary(server.decode) * slow;
            let gaps_us =
                (0..server.gaps).map(|_| (vary([decode / server.gaps as f64, 0.4]) * 1e6) as u32);
            let gaps_us: Vec<u32> = gaps_us.collect();
            let failed = self.random.unit() < server.errors;
            let first = self.now + prefill;
            let end = first + decode;
            self.begun += 1;
            self.ends.push(Reverse(((end * 1e9) as u64, self.begun)));
            self.going.insert(
                self.begun,
                Going {
                    due,
                    first,
                    end,
                    failed,
                    gaps_us,
                },
            );
        }
    }

    /// The next request that ends.
    fn next_end(&mut self) -> RequestRecord {
        loop {
            let end = self
                .ends
                .peek()
                .map_or(f64::INFINITY, |Reverse((ns, _))| *ns as f64 / 1e9);
            if self.next < end {
                self.now = self.next;
                self.next += self.gap();
                self.waiting.push_back(self.now);
                self.fill();
                continue;
            }
            let Some(Reverse((_, id))) = self.ends.pop() else {
                unreachable!("something is in flight")
            };
            let Some(going) = self.going.remove(&id) else {
                unreachable!("it is in flight")
            };
            self.now = going.end;
            if matches!(self.load, LevelLoad::Concurrency(_)) {
                self.waiting.push_back(self.now);
            }
            self.fill();
            return record(&going);
        }
    }

    fn since(&self) -> Vec<Duration> {
        let due = self
            .going
            .values()
            .map(|going| going.due)
            .chain(self.waiting.iter().copied());
        due.map(Duration::from_secs_f64).collect()
    }
}

fn record(going: &Going) -> RequestRecord {
    let time = |s: f64| Duration::from_secs_f64(s.max(0.0));
    let figures = Figures {
        ttft: Some(time(going.first - going.due)),
        latency: Some(time(going.end - going.due)),
        ..Figures::default()
    };
    let error = going.failed.then(|| RequestError {
        class: None,
        status: Some(500),
        text: "HTTP 500".to_owned(),
    });
    RequestRecord {
        index: 0,
        level: 0,
        phase: Phase::Measured,
        due: time(going.due),
        sent: time(going.due),
        ended: time(going.end),
        figures,
        first_byte: None,
        gaps_us: going.gaps_us.clone(),
        chunks: going.gaps_us.len() as u64,
        bytes: 0,
        wanted_prompt_tokens: None,
        answered_by: None,
        reconnected: false,
        error,
    }
}

/// What one search came to.
pub(crate) struct Outcome {
    pub(crate) found: Found,
    pub(crate) probes: usize,
    pub(crate) requests: u64,
    /// Simulated.
    pub(crate) took_s: f64,
}

/// Searches as the engine does: it looks after each request that ends, and a probe ends at its verdict or its cap.
pub(crate) fn search(server: &Server, find: &Find, seed: u64) -> Outcome {
    let mut search = Search::new(find);
    let (mut requests, mut took_s, mut probes) = (0, 0.0, 0);
    while let Some(next) = search.next(Duration::ZERO) {
        let mut judge = Judge::new(find, next.rules);
        let seed = Random::at(&[seed, probes as u64]).bits();
        let mut simulation = Simulation::new(server, find.level(next.load), seed);
        let verdict = probe(&mut judge, &mut simulation, &mut requests);
        took_s += simulation.now;
        probes += 1;
        search.record(next.load, verdict);
    }
    let target = Target {
        deployment: None,
        model: "m".to_owned(),
    };
    Outcome {
        found: search.found(&target, false),
        probes,
        requests,
        took_s,
    }
}

fn probe(judge: &mut Judge, simulation: &mut Simulation<'_>, requests: &mut u64) -> Verdict {
    let most = judge.most();
    for _ in 0..most {
        judge.record(&simulation.next_end());
        *requests += 1;
        if judge.wants_look() {
            let since = simulation.since();
            let now = Duration::from_secs_f64(simulation.now);
            if let Some(verdict) = judge.look(InFlight { now, since: &since }) {
                return verdict;
            }
        }
    }
    // The rest ends, and nothing new is sent.
    let last = simulation.now;
    let now = Duration::from_secs_f64(last);
    let since: Vec<Duration> = Vec::new();
    judge.end(0, InFlight { now, since: &since })
}

/// The true share of requests that meet each limit at a load, over very many.
pub(crate) struct Truth<'a> {
    server: &'a Server,
    find: &'a Find,
    known: BTreeMap<u64, bool>,
    requests: u64,
}

impl<'a> Truth<'a> {
    pub(crate) fn new(server: &'a Server, find: &'a Find, requests: u64) -> Self {
        Self {
            server,
            find,
            known: BTreeMap::new(),
            requests,
        }
    }

    /// Whether this load meets all limits.
    pub(crate) fn meets(&mut self, load: f64) -> bool {
        if let Some(known) = self.known.get(&load.to_bits()) {
            return *known;
        }
        let mut simulation = Simulation::new(self.server, self.find.level(load), 0x7274_7565);
        let mut counts = vec![[0u64, 0]; self.find.limits.len()];
        for number in 0..self.requests {
            let record = simulation.next_end();
            if number < self.requests / 20 {
                continue;
            }
            for (count, limit) in counts.iter_mut().zip(&self.find.limits) {
                let [met, of] = meets(limit, &record);
                (count[0], count[1]) = (count[0] + met, count[1] + of);
            }
        }
        let share = |[met, of]: &[u64; 2]| *met as f64 / *of as f64;
        let pairs = counts.iter().zip(&self.find.limits);
        let all = pairs
            .into_iter()
            .all(|(count, limit)| share(count) >= limit.share(self.find.share()));
        self.known.insert(load.to_bits(), all);
        all
    }

    /// Whether what the sentence says is so.
    pub(crate) fn is_right(&mut self, found: &Found) -> bool {
        found
            .meets
            .is_none_or(|load| !found.proven || self.meets(load))
            && found.fails.is_none_or(|load| !self.meets(load))
    }
}

fn meets(limit: &Limit, record: &RequestRecord) -> [u64; 2] {
    use batida::domain::plan::{Bound, LimitFigure};
    let Bound::Below(time) = limit.bound else {
        unreachable!("only times are simulated")
    };
    if limit.figure == LimitFigure::Itl {
        let all = record.gaps_us.len().max(1) as u64;
        if record.error.is_some() {
            return [0, all];
        }
        let met = record
            .gaps_us
            .iter()
            .filter(|gap| u128::from(**gap) < time.as_micros());
        return [met.count() as u64, record.gaps_us.len() as u64];
    }
    let figure = match limit.figure {
        LimitFigure::Ttft => record.ttft(),
        _ => record.latency(),
    };
    let met = record.error.is_none() && figure.is_some_and(|figure| figure < time);
    [u64::from(met), 1]
}
