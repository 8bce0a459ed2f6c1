//! One probe of a search: whether requests meet the limits at one load, decided as soon as they can be.
//!
//! # How a probe decides
//!
//! `ttft_p95<800ms` says that at least 95 % of requests have a TTFT below 800 ms: a test of a share. A probe meets it
//! once the Wilson interval of the share (Wilson 1927) lies above 95 %, and does not once it lies below.
//!
//! - **It looks several times**, at sample sizes that double. Its error is spent over the looks: half of it at the
//!   first, a quarter at the second, and so on, so that the sum stays what the search gave it.
//! - **Requests wait for each other**, so that n requests say less than n independent ones would. [`counts_as`] says
//!   how many: by batch means.
//! - **Few misses**: Wilson's upper end is too low there (the binomial is skewed), so a failure must also be unlikely by
//!   the binomial distribution itself.
//! - **Only whole beginnings count**: a request counts once all that were due before it have ended. Those that end first
//!   are the fast ones. A request in flight for very long is a miss already.
//! - **The beginning is left out**: in a closed loop one request of each client, in an open loop all that are due within
//!   three answers' time, and the ramp-up.
//! - An open loop whose times still rise meets nothing yet.

use std::time::Duration;

use super::beta::binomial_tail;
use crate::metrics::saturation::is_rising;
use super::upper_z;
use crate::domain::plan::{Bound, Find, Limit, LimitFigure};
use crate::domain::run::{ProbeReport, ProbeTest, Verdict};
use crate::domain::units::ms;
use crate::metrics::request::RequestRecord;

/// The first look at a probe is after so many requests.
const GLANCE: usize = 30;
/// No share is decided by fewer.
const LEAST: usize = 60;
/// A probe without a cap of the user's ends after so many times its first full look.
const MOST_LOOKS: u32 = 4;
/// A request that has been in flight so many times longer than the mean answer holds nothing up.
const STUCK: u32 = 5;

/// What one request says of one test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// Values that met the limit, and all: 1 of 1, or the gaps of an answer.
    pub hits: u32,
    /// See `hits`.
    pub of: u32,
    /// The figure, the larger the worse; of gaps their mean.
    pub value: f64,
    /// Of gaps the sum of their squares.
    pub squares: f64,
}

impl Unit {
    /// A request with one figure.
    pub fn one(met: bool, value: f64) -> Self {
        Self {
            hits: u32::from(met),
            of: 1,
            value,
            squares: value * value,
        }
    }

    fn missed(of: u32) -> Self {
        Self {
            hits: 0,
            of,
            value: f64::INFINITY,
            squares: 0.0,
        }
    }
}

/// What is tested: a limit with a percentile, or all limits without one together.
#[derive(Debug, Clone)]
struct Test {
    limits: Vec<Limit>,
    share: f64,
}

/// A request that ended.
#[derive(Debug, Clone)]
struct Entry {
    due: Duration,
    units: Vec<Unit>,
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
        let share = find.share();
        let (named, others): (Vec<Limit>, Vec<Limit>) = find
            .limits
            .iter()
            .partition(|limit| limit.per_mille.is_some());
        let each = named.into_iter().map(|limit| Test {
            share: limit.share(share),
            limits: vec![limit],
        });
        let together = Some(others).filter(|limits| !limits.is_empty());
        let together = together.map(|limits| Test { limits, share });
        Self {
            tests: each.chain(together).collect(),
            rules,
            entries: Vec::new(),
            sorted: true,
            latency: Duration::ZERO,
            gaps: 1,
            looks: 0,
            verdict: None,
        }
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
        if counted.len() >= self.next_look() {
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
        let verdict = if counted.len() < GLANCE / 2 {
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
            let units: Vec<Unit> = counted.iter().filter_map(|units| units.get(at)).copied().collect();
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
            left_out: (self.entries.len() - counted.len().min(self.entries.len())) as u64,
        }
    }

    fn clients(&self) -> usize {
        self.rules.clients.unwrap_or(0) as usize
    }

    /// How many requests the next look takes.
    fn next_look(&self) -> usize {
        match self.looks {
            0 => GLANCE.max(self.clients()),
            look => self.size(look),
        }
    }

    /// How many requests the full look `look`, from 1, takes: at the first, no miss at all just meets the limits.
    fn size(&self, look: u32) -> usize {
        let z = upper_z(self.rules.error / 2.0);
        let each = |test: &Test| (z * z * test.share / (1.0 - test.share)).ceil() as usize;
        // Of the gaps of an answer there are many a request.
        let of_requests = self.tests.iter().filter(|test| !test.is_of_gaps());
        let least = of_requests.map(each).max().unwrap_or(0).max(LEAST);
        least.max(2 * self.clients()) << (look - 1).min(24)
    }

    /// The units of the requests that count: those whose predecessors have all ended, without the beginning.
    fn counted(&mut self, InFlight { now, since }: InFlight<'_>) -> Vec<Vec<Unit>> {
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
        let begun = self.entries.first().map_or(Duration::ZERO, |first| first.due);
        let from = match self.rules.clients {
            Some(_) => begun + self.rules.ramp_up,
            None => begun + self.rules.ramp_up + mean * 3,
        };
        let whole = self.entries.iter().take_while(|entry| entry.due < until);
        let counted = whole.skip(self.clients()).skip_while(|entry| entry.due < from);
        let mut counted: Vec<Vec<Unit>> = counted.map(|entry| entry.units.clone()).collect();
        for _ in since.iter().filter(is_stuck) {
            counted.push(self.tests.iter().map(|_| Unit::missed(1)).collect());
        }
        counted
    }

    fn decide(&self, counted: &[Vec<Unit>]) -> Option<Verdict> {
        let error = match self.looks {
            0 => self.rules.glance_error,
            look => self.rules.error / f64::from(2u32.saturating_pow(look)),
        };
        // Of several limits one is enough to fail.
        let of_each = error / self.tests.len().max(1) as f64;
        let (mut all_met, mut all_well) = (true, true);
        for (at, test) in self.tests.iter().enumerate() {
            let units: Vec<Unit> = counted.iter().filter_map(|units| units.get(at)).copied().collect();
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
        let finite = units.iter().map(|unit| unit.value).filter(|value| value.is_finite());
        let most = finite.fold(0.0, f64::max);
        let mean = |batch: &[Unit]| {
            batch.iter().map(|unit| unit.value.min(most)).sum::<f64>() / batch.len() as f64
        };
        let means: Vec<f64> = units.chunks_exact(units.len() / BATCHES).map(mean).collect();
        is_rising(&means)
    }

}

impl Test {
    fn is_of_gaps(&self) -> bool {
        matches!(&self.limits[..], [limit] if limit.figure == LimitFigure::Itl && limit.per_mille.is_some())
    }

    fn words(&self) -> String {
        let words: Vec<String> = self.limits.iter().map(Limit::words).collect();
        words.join(" and ")
    }

    /// What a request says of it. A failed one missed it; one without such a figure (an answer of one token has no gaps)
    /// cannot.
    fn unit(&self, record: &RequestRecord, gaps: u32) -> Unit {
        if self.is_of_gaps() {
            return match (&record.error, self.limits[0].bound) {
                (None, Bound::Below(limit)) => gap_unit(record, limit),
                _ => Unit::missed(gaps),
            };
        }
        if record.error.is_some() {
            return Unit::missed(1);
        }
        let mut met = true;
        let mut value = 0.0f64;
        for limit in &self.limits {
            let Some(figure) = figure_of(limit.figure, record) else {
                continue;
            };
            // The nearer to its bound, the worse, of each in its own unit.
            let (is_met, nearness) = match limit.bound {
                Bound::Below(time) => (figure < ms(time), figure / ms(time)),
                Bound::Above(speed) => (figure > speed, speed / figure.max(1e-9)),
            };
            met &= is_met;
            value = value.max(nearness);
        }
        Unit::one(met, value)
    }
}

/// In ms, or tokens per second.
fn figure_of(figure: LimitFigure, record: &RequestRecord) -> Option<f64> {
    match figure {
        LimitFigure::Ttft => record.ttft().map(ms),
        LimitFigure::FirstAnswer => record.first_answer().map(ms),
        LimitFigure::Itl => record.figures.itl.map(ms),
        LimitFigure::Tpot => record.tpot().map(ms),
        LimitFigure::Latency => record.latency().map(ms),
        LimitFigure::UserSpeed => record.user_speed(),
    }
}

fn gap_unit(record: &RequestRecord, limit: Duration) -> Unit {
    let limit = limit.as_secs_f64() * 1e6;
    let gaps = record.gaps_us.iter().map(|gap| f64::from(*gap));
    let (mut hits, mut sum, mut squares) = (0, 0.0, 0.0);
    for gap in gaps {
        hits += u32::from(gap < limit);
        sum += gap;
        squares += gap * gap;
    }
    let of = record.gaps_us.len() as u32;
    Unit {
        hits,
        of,
        value: sum / f64::from(of.max(1)),
        squares,
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    hits: u64,
    of: u64,
}

impl Sum {
    fn of(units: &[Unit]) -> Self {
        units.iter().fold(Self::default(), |sum, unit| Self {
            hits: sum.hits + u64::from(unit.hits),
            of: sum.of + u64::from(unit.of),
        })
    }

    fn share(self) -> Option<f64> {
        (self.of > 0).then(|| self.hits as f64 / self.of as f64)
    }
}

/// Wilson's interval of a share of `n` values; `n` may be a fraction, as of values that depend on each other.
pub fn wilson(share: f64, n: f64, z: f64) -> [f64; 2] {
    let n = n.max(1.0);
    let scale = 1.0 + z * z / n;
    let middle = (share + z * z / (2.0 * n)) / scale;
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt() / scale;
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

/// As how many independent values these count, in the order in which they were due: the one place that says it.
///
/// By batch means (Schmeiser 1982): the sums of about 20 batches vary more than independent requests' would where
/// requests wait for each other. Taken of the misses, and of the requests beyond the sample's own percentile, since a
/// sample without a miss has no variance to see. Gaps of one answer belong together: see [`within`].
pub fn counts_as(units: &[Unit], share: f64) -> f64 {
    let sum = Sum::of(units);
    let Some(met) = sum.share() else { return 0.0 };
    let residual = |unit: &Unit| f64::from(unit.hits) - met * f64::from(unit.of);
    let of_misses: Vec<f64> = units.iter().map(residual).collect();
    let mut values: Vec<f64> = units.iter().map(|unit| unit.value).collect();
    let at = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
    values.select_nth_unstable_by(at, f64::total_cmp);
    let far = values.get(at).copied().unwrap_or(0.0);
    let beyond: Vec<f64> = units.iter().map(|unit| f64::from(u8::from(unit.value >= far))).collect();
    let inflation = [&of_misses, &beyond].map(|values| batch_inflation(values));
    let inflation = inflation.into_iter().fold(1.0, f64::max);
    within(units, met, sum.of as f64, &of_misses) / inflation
}

/// As how many independent values gaps count, were answers independent of each other: by the variance between answers
/// where there are misses enough to see it, else by the intraclass correlation of the gaps (see [`crate::metrics::stats`]).
fn within(units: &[Unit], met: f64, all: f64, residuals: &[f64]) -> f64 {
    if units.iter().all(|unit| unit.of <= 1) {
        return all;
    }
    let missing = units.iter().filter(|unit| unit.hits < unit.of).count();
    let groups = units.iter().filter(|unit| unit.of > 0).count() as f64;
    if missing >= 10 {
        let squares: f64 = residuals.iter().map(|r| r * r).sum();
        let variance = squares * groups / (groups - 1.0).max(1.0) / (all * all);
        return (met * (1.0 - met) / variance).clamp(1.0, all);
    }
    let known = || units.iter().filter(|unit| unit.of > 0 && unit.value.is_finite());
    let sizes: f64 = known().map(|unit| f64::from(unit.of).powi(2)).sum();
    let n: f64 = known().map(|unit| f64::from(unit.of)).sum();
    let sum: f64 = known().map(|unit| unit.value * f64::from(unit.of)).sum();
    let between_sum: f64 = known().map(|unit| unit.value.powi(2) * f64::from(unit.of)).sum();
    let squares: f64 = known().map(|unit| unit.squares).sum();
    if groups < 2.0 || n <= groups {
        return groups.max(1.0);
    }
    let own_size = sizes / n;
    let between = (between_sum - sum * sum / n).max(0.0) / (groups - 1.0);
    let inside = (squares - between_sum).max(0.0) / (n - groups);
    let size = (n - own_size) / (groups - 1.0);
    let total = between + (size - 1.0) * inside;
    let alike = if total > 0.0 { ((between - inside) / total).clamp(0.0, 1.0) } else { 1.0 };
    all / (1.0 + (own_size - 1.0) * alike)
}

/// How much more the sums of batches vary than those of independent values would.
fn batch_inflation(values: &[f64]) -> f64 {
    let batches = (values.len() / 10).clamp(2, 20);
    let size = values.len() / batches;
    if size < 2 {
        return 1.0;
    }
    // What does not fill a batch is left out at the beginning.
    let values = &values[values.len() - size * batches..];
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let each: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let sums = values.chunks_exact(size);
    let sums: f64 = sums
        .map(|batch| batch.iter().map(|value| value - mean).sum::<f64>().powi(2))
        .sum();
    if each <= 0.0 {
        return 1.0;
    }
    let of_sums = sums / (batches - 1) as f64;
    let of_each = each / (values.len() - 1) as f64;
    of_sums / (size as f64 * of_each)
}
