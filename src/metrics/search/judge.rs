//! One probe of a search: whether requests meet the limits at one load, decided as soon as they can be.
//!
//! # How a probe decides
//!
//! `ttft_p95<800ms` says that at least 95 % of requests have a TTFT below 800 ms: a test of a share. A probe meets it
//! once the Wilson interval of the share (Wilson 1927) lies above 95 %, and does not once it lies below.
//!
//! - **It looks several times**, at sample sizes that double. Its error is spent over the looks: a sixth of it at each of
//!   the first five, and half of what is left at each further one, so that the sum stays what the search gave it.
//! - **Requests wait for each other**, so that n requests say less than n independent ones would. [`counts_as`](super::counts_as) says
//!   how many: by batch means.
//! - **Few misses**: Wilson's upper end is too low there (the binomial is skewed), so a failure must also be unlikely by
//!   the binomial distribution itself.
//! - **Only whole beginnings count**: a request counts once all that were due before it have ended. Those that end first
//!   are the fast ones. A request in flight for very long is a miss already.
//! - **The beginning is left out**: in a closed loop one request of each client, in an open loop the first fifth, and
//!   all that are due within three answers' time; the ramp-up besides.
//! - An open loop whose times still rise meets nothing yet.

use std::time::Duration;

use super::beta::binomial_tail;
use super::limits::Test;
use super::share::{Sum, Unit, counts_as, wilson};
use super::upper_z;
use crate::domain::plan::{Bound, Find, LimitFigure};
use crate::domain::run::{ProbeReport, ProbeTest, Verdict};
use crate::metrics::request::RequestRecord;
use crate::metrics::saturation::is_rising;

/// The first look at a probe is after so many requests.
const GLANCE: usize = 30;
/// No share is decided by fewer.
const LEAST: usize = 60;
/// A probe without a cap of the user's ends after so many times its first full look.
const MOST_LOOKS: u32 = 5;
/// Nothing is met before so many answers took place one after the other: what comes and goes must have had its turn.
const LEAST_TURNS: u32 = 5;
/// The same of an open loop, whose queue comes and goes slowly.
const OPEN_TURNS: u32 = 30;
/// Of an open loop this part of the requests is left out at the beginning: its queue has to fill.
const FILLING: usize = 5;
/// A request that has been in flight so many times longer than the mean answer holds nothing up.
const STUCK: u32 = 5;

/// A request that ended.
#[derive(Debug, Clone)]
struct Entry {
    due: Duration,
    units: Vec<Unit>,
}

/// The requests that count.
#[derive(Debug, Clone)]
struct Counted {
    /// Of each request what it says of each test.
    units: Vec<Vec<Unit>>,
    /// They span so much time that something may be met.
    is_long: bool,
}

impl Counted {
    fn of(&self, test: usize) -> Vec<Unit> {
        let units = self.units.iter();
        units.filter_map(|units| units.get(test)).copied().collect()
    }
}

/// How a probe is run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Clients of a closed loop; `None` of an open one.
    pub clients: Option<u32>,
    /// Left out from the beginning on.
    pub ramp_up: Duration,
    /// It may end at its first look when all seems well: only the load is raised for it.
    pub glances: bool,
    /// The error of its first look, and of all its other looks together.
    pub glance_error: f64,
    /// See `glance_error`.
    pub error: f64,
}

/// A probe under way.
#[derive(Debug, Clone)]
pub struct Judge {
    tests: Vec<Test>,
    rules: Rules,
    entries: Vec<Entry>,
    sorted: bool,
    latency: Duration,
    /// Of the last good answer.
    gaps: u32,
    /// Looks that were taken; the first is the glance.
    looks: u32,
    verdict: Option<Verdict>,
    /// Requests of the first full look.
    first_size: usize,
}

/// What is in flight at a look.
#[derive(Debug, Clone, Copy)]
pub struct InFlight<'a> {
    /// The moment.
    pub now: Duration,
    /// When each left.
    pub since: &'a [Duration],
}

impl Judge {
    /// A probe of what is searched for.
    pub fn new(find: &Find, rules: Rules) -> Self {
        let mut judge = Self {
            tests: Test::all(find),
            rules,
            entries: Vec::new(),
            sorted: true,
            latency: Duration::ZERO,
            gaps: 1,
            looks: 0,
            verdict: None,
            first_size: 0,
        };
        judge.first_size = judge.first_size();
        judge
    }

    /// Adds a measured request that ended, well or not.
    pub fn record(&mut self, record: &RequestRecord) {
        if record.error.is_none() {
            self.gaps = (record.gaps_us.len() as u32).max(1);
        }
        let units = self.tests.iter().map(|test| test.unit(record, self.gaps));
        let units = units.collect();
        self.add(record.due, record.ended, units);
    }

    /// The same by what it says of each test.
    pub fn add(&mut self, due: Duration, ended: Duration, units: Vec<Unit>) {
        self.latency += ended.saturating_sub(due);
        self.sorted &= self.entries.last().is_none_or(|last| last.due <= due);
        self.entries.push(Entry { due, units });
    }

    /// The verdict, as soon as there is one.
    pub fn look(&mut self, in_flight: InFlight<'_>) -> Option<Verdict> {
        if !self.wants_look() {
            return self.verdict;
        }
        let counted = self.counted(in_flight);
        if counted.units.len() >= self.next_look() {
            self.verdict = self.decide(&counted);
            self.looks += 1;
        }
        self.verdict
    }

    /// Whether there are requests enough for the next look.
    pub fn wants_look(&self) -> bool {
        self.verdict.is_none() && self.entries.len() >= self.next_look()
    }

    /// What was decided; `None` while it is not.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// It was stopped: a verdict only where what it saw is enough for a look.
    pub fn cut(&mut self, in_flight: InFlight<'_>) {
        self.look(in_flight);
    }

    /// The verdict at the end of a probe that did not decide before: requests that were due and never sent are misses.
    pub fn end(&mut self, unsent: u64, in_flight: InFlight<'_>) -> Verdict {
        if let Some(verdict) = self.verdict {
            return verdict;
        }
        let last = self.entries.iter().map(|entry| entry.due).max();
        for _ in 0..unsent.min(self.most()) {
            let units = self.tests.iter().map(|_| Unit::missed(1)).collect();
            let due = last.unwrap_or_default();
            self.entries.push(Entry { due, units });
        }
        let counted = self.counted(in_flight);
        let verdict = if counted.units.len() < GLANCE / 2 {
            Verdict::Undecided
        } else {
            // Whatever its size, this is the last look.
            self.looks = self.looks.max(1);
            self.decide(&counted).unwrap_or(Verdict::Undecided)
        };
        self.verdict = Some(verdict);
        verdict
    }

    /// Ends it with what is known otherwise: the queue grew without end, or too many requests failed.
    pub fn fail(&mut self) {
        self.verdict = Some(Verdict::NotMet);
    }

    /// So many requests a probe takes at most, unless the user set a cap.
    pub fn most(&self) -> u64 {
        (self.size(MOST_LOOKS) + self.clients()) as u64
    }

    /// So many it takes at least before it can meet the limits.
    pub fn least(&self) -> u64 {
        (self.size(1) + self.clients()) as u64
    }

    /// What it saw so far.
    pub fn report(&mut self, in_flight: InFlight<'_>) -> ProbeReport {
        let counted = self.counted(in_flight);
        let tests = self.tests.iter().enumerate().map(|(at, test)| {
            let units = counted.of(at);
            let sum = Sum::of(&units);
            let counts_as = counts_as(&units, test.share);
            let share = sum.share();
            ProbeTest {
                limit: test.words(),
                wanted: test.share,
                share,
                interval: share.map(|share| wilson(share, counts_as, upper_z(0.025))),
                met: sum.hits,
                of: sum.of,
                counts_as: counts_as.round(),
            }
        });
        ProbeReport {
            verdict: self.verdict,
            tests: tests.collect(),
            left_out: (self.entries.len() - counted.units.len().min(self.entries.len())) as u64,
        }
    }

    fn clients(&self) -> usize {
        self.rules.clients.unwrap_or(0) as usize
    }

    /// The part of its error that a look may spend.
    fn error_of(&self, look: u32) -> f64 {
        match look {
            0 => self.rules.glance_error,
            1..=MOST_LOOKS => self.rules.error / 6.0,
            more => self.rules.error / 6.0 * 0.5f64.powi((more - MOST_LOOKS) as i32),
        }
    }

    /// How many requests the next look takes.
    fn next_look(&self) -> usize {
        match self.looks {
            0 => GLANCE.max(self.clients()),
            look => self.size(look),
        }
    }

    /// How many requests the full look `look`, from 1, takes.
    fn size(&self, look: u32) -> usize {
        self.first_size << (look - 1).min(24)
    }

    /// At the first full look no miss at all just meets the limits.
    fn first_size(&self) -> usize {
        let z = upper_z(self.error_of(1));
        let each = |test: &Test| (z * z * test.share / (1.0 - test.share)).ceil() as usize;
        // Of the gaps of an answer there are many a request.
        let of_requests = self.tests.iter().filter(|test| !test.is_of_gaps());
        let least = of_requests.map(each).max().unwrap_or(0).max(LEAST);
        least.max(LEAST_TURNS as usize * self.clients())
    }

    /// The units of the requests that count: those whose predecessors have all ended, without the beginning.
    fn counted(&mut self, InFlight { now, since }: InFlight<'_>) -> Counted {
        if !self.sorted {
            self.entries.sort_by_key(|entry| entry.due);
            self.sorted = true;
        }
        let mean = self.latency / u32::try_from(self.entries.len()).unwrap_or(u32::MAX).max(1);
        let bounds = self.tests.iter().flat_map(|test| &test.limits);
        let longest = bounds.filter_map(|limit| match limit.bound {
            Bound::Below(time) if limit.figure != LimitFigure::Itl => Some(time),
            _ => None,
        });
        let stuck = longest.max().unwrap_or_default().max(mean * STUCK);
        let is_stuck = |sent: &&Duration| now.saturating_sub(**sent) > stuck;
        let oldest = since.iter().filter(|sent| !is_stuck(sent)).min();
        let until = oldest.copied().unwrap_or(Duration::MAX);
        let begun = self
            .entries
            .first()
            .map_or(Duration::ZERO, |first| first.due);
        let from = match self.rules.clients {
            Some(_) => begun + self.rules.ramp_up,
            None => begun + self.rules.ramp_up + mean * 3,
        };
        let whole = self.entries.iter().take_while(|entry| entry.due < until);
        let whole: Vec<&Entry> = whole.collect();
        // A queue needs long to come to rest.
        let filling = if self.rules.clients.is_none() {
            whole.len() / FILLING
        } else {
            self.clients()
        };
        let counted = whole.into_iter().skip(filling);
        let counted: Vec<&Entry> = counted.skip_while(|entry| entry.due < from).collect();
        let ends = counted.first().zip(counted.last());
        let span = ends.map_or(Duration::ZERO, |(first, last)| last.due - first.due);
        let turns = if self.rules.clients.is_none() {
            OPEN_TURNS
        } else {
            LEAST_TURNS - 1
        };
        let is_long = span >= mean * turns;
        let mut units: Vec<Vec<Unit>> = counted.iter().map(|entry| entry.units.clone()).collect();
        for _ in since.iter().filter(is_stuck) {
            units.push(self.tests.iter().map(|_| Unit::missed(1)).collect());
        }
        Counted { units, is_long }
    }

    fn decide(&self, counted: &Counted) -> Option<Verdict> {
        let error = self.error_of(self.looks);
        // Of several limits one is enough to fail.
        let of_each = error / self.tests.len().max(1) as f64;
        let (mut all_met, mut all_well) = (counted.is_long, true);
        for (at, test) in self.tests.iter().enumerate() {
            let units = counted.of(at);
            let sum = Sum::of(&units);
            let Some(share) = sum.share() else {
                all_met = false;
                continue;
            };
            let n = counts_as(&units, test.share);
            let [_, high] = wilson(share, n, upper_z(of_each));
            let misses = (1.0 - share) * n;
            if high < test.share && binomial_tail(misses, n, 1.0 - test.share) <= of_each {
                return Some(Verdict::NotMet);
            }
            let [low, _] = wilson(share, n, upper_z(error));
            all_met &= low >= test.share && !self.still_rises(&units);
            all_well &= share >= test.share;
        }
        match self.looks {
            0 => (self.rules.glances && all_well).then_some(Verdict::LooksMet),
            _ => all_met.then_some(Verdict::Met),
        }
    }

    /// Whether the figures of an open loop still rise: it has not come to rest.
    fn still_rises(&self, units: &[Unit]) -> bool {
        const BATCHES: usize = 10;
        if self.rules.clients.is_some() || units.len() < 2 * BATCHES {
            return false;
        }
        let finite = units
            .iter()
            .map(|unit| unit.value)
            .filter(|value| value.is_finite());
        let most = finite.fold(0.0, f64::max);
        let mean = |batch: &[Unit]| {
            batch.iter().map(|unit| unit.value.min(most)).sum::<f64>() / batch.len() as f64
        };
        let means: Vec<f64> = units
            .chunks_exact(units.len() / BATCHES)
            .map(mean)
            .collect();
        is_rising(&means)
    }
}
