//! Simulated servers with known chances: what their requests measure, without a network or a clock. The benches and the
//! tests of statistics feed it to the tally and the comparison that the program uses.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use batida::domain::plan::{Arrivals, LevelLoad, Objectives, Plan, Target};
use batida::domain::random::Random;
use batida::domain::run::{BenchReport, LevelEnd, LevelReport, Machine, Watch};
use batida::metrics::compare::{LevelValues, Side};
use batida::metrics::request::{Phase, RequestError, RequestRecord};
use batida::metrics::tally::{LevelFrame, Tally};
use batida::metrics::timeline::{Figures, TokenSource, Tokens};

/// A server that serves so many requests at once, first come, first served, and the load on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) slots: usize,
    pub(crate) load: Load,
    /// Neighbouring gaps of an answer are alike, beside those of one answer.
    pub(crate) alike: bool,
    /// The level begins with an empty server, and so many requests of warm-up.
    pub(crate) warmup: Option<usize>,
    /// Requests fail: one of fifty, and half of those that wait for long.
    pub(crate) fails: bool,
}

/// How requests come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Load {
    /// Each client sends its next request when its last is answered.
    Clients(u32),
    /// So many at once on average, of a server of as many slots.
    Constant(f64),
    Poisson(f64),
}

/// More slots than anyone needs: no request waits for another.
pub(crate) const ENOUGH: usize = 100_000;
/// The mean time of prefill and of a gap, in ms, and the mean number of gaps beyond the first.
const PREFILL: f64 = 10.0;
const GAP: f64 = 2.5;
const GAPS: f64 = 16.0;
/// From this wait on requests may fail, in µs.
const LONG_WAIT: u64 = 50_000;
/// Of logarithms: prefill, an answer's pace, a gap.
const SPREAD: [f64; 3] = [0.2, 0.1, 0.3];

impl Scenario {
    pub(crate) const fn new(name: &'static str, slots: usize, load: Load) -> Self {
        Self {
            name,
            slots,
            load,
            alike: false,
            warmup: None,
            fails: false,
        }
    }

    pub(crate) const ALL: [Self; 10] = [
        Self::new("closed, c=16, independent", ENOUGH, Load::Clients(16)),
        Self::new("closed, c=16 on 8 slots", 8, Load::Clients(16)),
        Self::new("constant rate, independent", ENOUGH, Load::Constant(6.0)),
        Self::new("Poisson, independent", ENOUGH, Load::Poisson(6.0)),
        Self {
            alike: true,
            ..Self::new("closed, c=16, gaps alike", ENOUGH, Load::Clients(16))
        },
        Self::new("constant rate, 8 slots, 0.8", 8, Load::Constant(0.8 * 8.0)),
        Self::new("Poisson, 8 slots, 0.5 busy", 8, Load::Poisson(0.5 * 8.0)),
        Self::new("Poisson, 8 slots, 0.8 busy", 8, Load::Poisson(0.8 * 8.0)),
        Self::new("Poisson, 8 slots, 0.95 busy", 8, Load::Poisson(0.95 * 8.0)),
        Self {
            // As many as a plan has when nobody says otherwise.
            warmup: Some(4),
            ..Self::new("Poisson, 0.8, begins empty", 8, Load::Poisson(0.8 * 8.0))
        },
    ];

    fn is_open(self) -> bool {
        !matches!(self.load, Load::Clients(_))
    }

    /// The load as a plan has it.
    pub(crate) fn level_load(self) -> LevelLoad {
        let rate = |at_once: f64, arrivals| LevelLoad::Rate {
            per_sec: at_once / service_ms() * 1e3,
            arrivals,
            most_in_flight: None,
        };
        match self.load {
            Load::Clients(n) => LevelLoad::Concurrency(n),
            Load::Constant(at_once) => rate(at_once, Arrivals::Constant),
            Load::Poisson(at_once) => rate(at_once, Arrivals::Poisson),
        }
    }

    /// So many requests of a server that has served `before` already, each taking `slower` times as long as usual. Their
    /// moments count from the first of them.
    pub(crate) fn requests(
        self,
        (before, n): (usize, usize),
        slower: f64,
        random: &mut Random,
        mut each: impl FnMut(RequestRecord),
    ) {
        let mut free: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
        let mut clients: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
        if let Load::Clients(n) = self.load {
            clients.extend((0..n).map(|at| Reverse(u64::from(at))));
        }
        let (mut now, mut first) = (0.0, None);
        for index in 0..before + n {
            let answer = Answer::drawn(slower, self.alike, random);
            let due = match self.load {
                Load::Clients(_) => clients.pop().map_or(0, |Reverse(at)| at),
                Load::Constant(at_once) => next(&mut now, service_ms() / at_once),
                Load::Poisson(at_once) => {
                    next(&mut now, random.exponential() * service_ms() / at_once)
                }
            };
            let start = if free.len() < self.slots {
                due
            } else {
                free.pop().map_or(due, |Reverse(at)| at.max(due))
            };
            let ended = start + answer.takes();
            if self.slots < ENOUGH {
                free.push(Reverse(ended));
            }
            if !self.is_open() {
                clients.push(Reverse(ended));
            }
            let waited = start - due;
            let fails = self.fails
                && (random.below(50) == 0 || (waited > LONG_WAIT && random.below(2) == 0));
            if index >= before {
                let zero = *first.get_or_insert(due);
                let mut record = answer.record((index - before) as u64, due - zero, start - zero);
                record.error = fails.then(|| RequestError {
                    class: None,
                    status: Some(503),
                    text: "simulated".to_owned(),
                });
                each(record);
            }
        }
    }

    /// A level of `n` requests, with them.
    pub(crate) fn level(self, n: usize, slower: f64, seed: &[u64]) -> Measured {
        let mut random = Random::at(seed);
        let mut tally = Tally::new(objectives(), self.level_load());
        let mut records = Vec::with_capacity(n);
        self.requests(
            (self.warmup.unwrap_or_else(|| self.settles()), n),
            slower,
            &mut random,
            |record| records.push(record),
        );
        // As they come: in the order in which they end.
        let mut ended: Vec<&RequestRecord> = records.iter().collect();
        ended.sort_by_key(|record| record.ended);
        ended.iter().for_each(|record| tally.record(record));
        let last = records.iter().map(|it| it.sent).max().unwrap_or_default();
        // As the engine has it: as many come as go once the first have had the time of an answer.
        let took: Duration = records.iter().filter_map(RequestRecord::latency).sum();
        let filled = if self.is_open() {
            took / records.len().max(1) as u32
        } else {
            Duration::ZERO
        };
        let now = records.iter().map(|it| it.ended).max().unwrap_or_default();
        let level = tally.report(frame(now, [filled.min(last), last], LevelEnd::Requests));
        Measured { level, records }
    }

    /// Requests until the server's queue is as long as it will be.
    pub(crate) fn settles(self) -> usize {
        match self.load {
            Load::Poisson(at_once) if at_once > 7.0 => 12_000,
            // A closed loop begins with all clients at once, as the engine lets it.
            Load::Clients(_) => 0,
            _ if self.slots < ENOUGH => 2_000,
            _ => 100,
        }
    }
}

/// The moment after `gap` more ms, in µs.
fn next(now: &mut f64, gap: f64) -> u64 {
    *now += gap;
    (*now * 1e3) as u64
}

/// How long a request is served on average, in ms.
pub(crate) fn service_ms() -> f64 {
    let mean = |spread: f64| (spread * spread / 2.0).exp();
    // 1 + ⌊16 E⌋ gaps, E exponential.
    let gaps = 1.0 + 1.0 / (1.0 / GAPS).exp_m1();
    PREFILL * mean(SPREAD[0]) + gaps * GAP * mean(SPREAD[1]) * mean(SPREAD[2])
}

/// One that waits seldom miss, one that long answers miss.
pub(crate) fn objectives() -> Objectives {
    Objectives::parse("ttft=30ms,latency=100ms").expect("it reads")
}

/// What a request asks of the server, in µs.
struct Answer {
    prefill: u64,
    gaps: Vec<u32>,
}

impl Answer {
    fn drawn(slower: f64, alike: bool, random: &mut Random) -> Self {
        let [first, pace, each] = SPREAD;
        let prefill = slower * PREFILL * (first * random.normal()).exp();
        let pace = slower * GAP * (pace * random.normal()).exp();
        let gaps = 1 + (random.exponential() * GAPS) as usize;
        let mut state = random.normal();
        let gap = |_| {
            let new = random.normal();
            state = if alike {
                0.9 * state + (1.0f64 - 0.81).sqrt() * new
            } else {
                new
            };
            (pace * (each * state).exp() * 1e3).round() as u32
        };
        Self {
            prefill: (prefill * 1e3) as u64,
            gaps: (0..gaps).map(gap).collect(),
        }
    }

    fn takes(&self) -> u64 {
        self.prefill + self.decode()
    }

    fn decode(&self) -> u64 {
        self.gaps.iter().map(|gap| u64::from(*gap)).sum()
    }

    fn record(self, index: u64, due: u64, start: u64) -> RequestRecord {
        let ttft = Duration::from_micros(start - due + self.prefill);
        let decode = Duration::from_micros(self.decode());
        let gaps = self.gaps.len() as u32;
        let due = Duration::from_micros(due);
        RequestRecord {
            index,
            level: 0,
            phase: Phase::Measured,
            due,
            sent: due,
            ended: due + ttft + decode,
            figures: Figures {
                ttft: Some(ttft),
                first_answer: Some(ttft),
                latency: Some(ttft + decode),
                tokens: Some(Tokens {
                    n: u64::from(gaps) + 1,
                    source: TokenSource::Usage,
                }),
                tokens_per_sec: Some(f64::from(gaps) / decode.as_secs_f64()),
                tpot: Some(decode / gaps),
                itl: Some(decode / gaps),
                prompt_tokens: Some(100),
                chunks: u64::from(gaps) + 1,
                ..Figures::default()
            },
            first_byte: Some(ttft),
            chunks: u64::from(gaps) + 1,
            gaps_us: self.gaps,
            bytes: 1_000,
            wanted_prompt_tokens: None,
            answered_by: None,
            reconnected: false,
            error: None,
        }
    }
}

/// The frame of a level that is over, or runs.
pub(crate) fn frame(now: Duration, steady: [Duration; 2], ended: LevelEnd) -> LevelFrame {
    LevelFrame {
        index: 0,
        model: "simulated".to_owned(),
        deployment: None,
        ended,
        began: Duration::ZERO,
        now,
        steady: Some(steady),
        pauses: Vec::new(),
        in_flight_since: Vec::new(),
        most_in_flight: 0,
        aborted: 0,
        unsent: 0,
        sending: None,
        rate_limit: Vec::new(),
        watch: Watch::default(),
    }
}

/// A level and its requests.
pub(crate) struct Measured {
    pub(crate) level: LevelReport,
    pub(crate) records: Vec<RequestRecord>,
}

impl Measured {
    /// As one session of a comparison, with its requests or, as of a stored report, without.
    pub(crate) fn side(self, label: &str, with_requests: bool) -> Side {
        let model = self.level.model.clone();
        let report = BenchReport {
            id: label.to_owned(),
            took_s: 1.0,
            environment: "simulated".to_owned(),
            machine: Machine::new("none", 1, 1),
            plan: Plan {
                targets: vec![Target {
                    deployment: None,
                    model,
                }],
                objectives: objectives(),
                ..Plan::default()
            },
            levels: vec![self.level],
            ..BenchReport::blank()
        };
        let values = if with_requests {
            LevelValues::of(&report, self.records)
        } else {
            Vec::new()
        };
        Side {
            label: label.to_owned(),
            report,
            values,
        }
    }
}
