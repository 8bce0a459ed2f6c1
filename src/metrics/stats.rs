//! Many values of one figure: kept as a histogram of fixed bounds, read as [`Stats`].
//!
//! # What the numbers mean
//!
//! - Values are kept in whole ticks: times in µs, rates in thousandths per second, counts as they are.
//!   Count, mean, standard deviation, min and max are exact to the tick, since sums are kept beside the
//!   histogram, in integers: merging equals recording everything in one, in whatever order.
//! - Percentiles are by nearest rank: `p99` is the ⌈0.99 n⌉-th of n values in ascending order. Its value is
//!   that of hdrhistogram's bucket (three significant digits: within 0.05 %).
//! - The 95 % interval of a percentile is distribution-free: how many of n values lie below the true
//!   percentile is binomial, so two order statistics enclose it with at least 95 % (2.5 % at most beyond
//!   each). With too few values there is none: see [`least_for_interval`].
//! - That takes values as independent. Requests that wait for each other are not, nor are gaps of one answer: the
//!   interval is that of as many values as they count for ([`super::dependence`]), spread over all of them; of as many as
//!   are too few for an upper end, that is the largest of all.

use std::time::Duration;

use hdrhistogram::Histogram as Hdr;

use super::dependence::Effective;
use super::least::TAIL;
pub use super::least::least_for_interval;
use crate::domain::stats::{Estimate, PERCENTILES, Percentile, Percentiles, Stats};

/// The highest value that is told from higher ones, in ticks: 24 h in µs.
pub const MOST_TICKS: u64 = 24 * 3_600 * 1_000_000;
/// Significant digits of what a percentile says.
const DIGITS: u8 = 3;

/// More equal values than any thread sees between two looks.
const MOST_TIMES: u64 = 10_000_000;

/// What a histogram's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Times, recorded in µs, read in ms.
    Time,
    /// Rates per second, kept in thousandths.
    Rate,
    /// Whole numbers.
    Count,
}

/// The values of one figure. Its size does not depend on how many there are.
#[derive(Debug, Clone)]
pub struct Histogram {
    scale: Scale,
    /// Made at the first value: most levels have no use for some of their figures.
    values: Option<Box<Hdr<u64>>>,
    sum: u64,
    squares: u128,
    least: u64,
    most: u64,
}

impl Histogram {
    /// Without a value.
    pub fn new(scale: Scale) -> Self {
        Self {
            scale,
            values: None,
            sum: 0,
            squares: 0,
            least: u64::MAX,
            most: 0,
        }
    }

    /// Adds a time.
    pub fn record(&mut self, time: Duration) {
        debug_assert_eq!(self.scale, Scale::Time);
        // To the nearest µs: cutting would make every mean half a µs too short.
        self.record_ticks([u64::try_from((time.as_nanos() + 500) / 1_000).unwrap_or(u64::MAX)]);
    }

    /// Adds times in µs, such as the gaps of one answer.
    pub fn record_micros(&mut self, times: &[u32]) {
        debug_assert_eq!(self.scale, Scale::Time);
        self.record_ticks(times.iter().map(|time| u64::from(*time)));
    }

    /// Adds a rate per second. One that is no number is left out.
    pub fn record_rate(&mut self, per_sec: f64) {
        debug_assert_eq!(self.scale, Scale::Rate);
        if per_sec.is_finite() && per_sec >= 0.0 {
            // `as` saturates.
            self.record_ticks([(per_sec * 1e3).round() as u64]);
        }
    }

    /// Adds a whole number.
    pub fn record_count(&mut self, n: u64) {
        debug_assert_eq!(self.scale, Scale::Count);
        self.record_ticks([n]);
    }

    fn record_ticks(&mut self, ticks: impl IntoIterator<Item = u64>) {
        let mut ticks = ticks.into_iter().peekable();
        if ticks.peek().is_none() {
            return;
        }
        let Some(values) = slot(&mut self.values) else {
            return;
        };
        while let Some(value) = ticks.next() {
            // Chunks of one read have gaps of zero, in rows.
            let mut n = 1;
            while ticks.next_if_eq(&value).is_some() {
                n += 1;
            }
            let value = value.min(MOST_TICKS);
            // Cannot fail: the histogram goes up to MOST_TICKS.
            let _ = values.record_n(value, n);
            self.sum += value * n;
            self.squares += u128::from(value) * u128::from(value) * u128::from(n);
            self.least = self.least.min(value);
            self.most = self.most.max(value);
        }
    }

    /// Adds all of another's values. Both must be of the same scale.
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.scale, other.scale, "values of one figure");
        let Some(theirs) = &other.values else { return };
        let Some(values) = slot(&mut self.values) else {
            return;
        };
        // Cannot fail: the bounds are the same.
        if values.add(&**theirs).is_ok() {
            self.sum += other.sum;
            self.squares += other.squares;
            self.least = self.least.min(other.least);
            self.most = self.most.max(other.most);
        }
    }

    /// All values as `[ticks, how many]`, each the middle of its bucket.
    pub fn counts(&self) -> Vec<[u64; 2]> {
        let Some(values) = &self.values else {
            return Vec::new();
        };
        values
            .iter_recorded()
            .map(|it| {
                let middle = values.median_equivalent(it.value_iterated_to());
                [middle, it.count_since_last_iteration()]
            })
            .collect()
    }

    /// Adds what [`Self::counts`] gave.
    pub fn add_counts(&mut self, counts: &[[u64; 2]]) {
        // Of another process: a count that no level has is none.
        let counts = counts.iter().filter(|[_, times]| *times <= MOST_TIMES);
        for [ticks, times] in counts {
            self.record_ticks(std::iter::repeat_n(*ticks, *times as usize));
        }
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.values.as_ref().map_or(0, |values| values.len())
    }

    /// Their mean, in the unit in which [`Self::stats`] says it.
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum as f64 / count as f64 / self.scale.ticks())
    }

    /// The value at the percentile `p` (0 to 1) in ticks, the highest that its bucket holds.
    pub fn ticks_at(&self, p: f64) -> Option<u64> {
        let values = self.values.as_deref().filter(|values| !values.is_empty())?;
        Some(values.value_at_quantile(p))
    }

    /// Everything about them, in one pass: times in ms, rates per second. Intervals are those of independent values.
    pub fn stats(&self) -> Stats {
        self.stats_as(|_| Some(Effective::all(usize::MAX)))
    }

    /// The same, with intervals of as many values as `effective` says; `None` where it is not known.
    pub fn stats_as(&self, effective: impl Fn(Percentile) -> Option<Effective>) -> Stats {
        let Some(values) = self.values.as_deref().filter(|values| !values.is_empty()) else {
            return Stats::default();
        };
        let n = values.len();
        let shown = |ticks: f64| ticks / self.scale.ticks();
        let mut wanted = Wanted::of(n, effective);
        let mut buckets: Vec<[u64; 3]> = Vec::new();
        let mut seen = 0;
        for step in values.iter_recorded() {
            let highest = step.value_iterated_to();
            let lowest = values.lowest_equivalent(highest);
            let count = step.count_at_value();
            seen += count;
            let middle = f64::midpoint(lowest as f64, highest as f64);
            wanted.pass(seen, middle.clamp(self.least as f64, self.most as f64));
            let [from, to] = bucket_of(lowest);
            match buckets.last_mut() {
                Some(last) if last[0] == from => last[2] += count,
                _ => buckets.push([from, to, count]),
            }
        }
        Stats {
            count: n,
            mean: self.mean(),
            sd: self.deviation(n).map(shown),
            min: Some(shown(self.least as f64)),
            percentiles: wanted.read(shown),
            max: Some(shown(self.most as f64)),
            buckets: buckets
                .into_iter()
                .map(|[from, to, count]| [shown(from as f64), shown(to as f64), count as f64])
                .collect(),
        }
    }

    /// The sample's standard deviation, in ticks. A single value has none.
    fn deviation(&self, n: u64) -> Option<f64> {
        let n = u128::from(n);
        let sum = u128::from(self.sum);
        // (Σx² − (Σx)²/n) / (n − 1), in integers as far as they reach: in f64 the difference of two large
        // numbers would leave noise.
        let around_mean = match (n.checked_mul(self.squares), sum.checked_mul(sum)) {
            (Some(squares), Some(square)) => squares.saturating_sub(square) as f64 / n as f64,
            _ => (self.squares as f64 - (sum as f64) * (sum as f64) / n as f64).max(0.0),
        };
        (n > 1).then(|| (around_mean / (n - 1) as f64).sqrt())
    }
}

impl Scale {
    /// Ticks in one unit as it is shown.
    fn ticks(self) -> f64 {
        match self {
            Self::Time | Self::Rate => 1e3,
            Self::Count => 1.0,
        }
    }
}

/// The histogram, made now when there is none yet.
fn slot(values: &mut Option<Box<Hdr<u64>>>) -> Option<&mut Hdr<u64>> {
    if values.is_none() {
        // Fails for no bounds but nonsensical ones.
        *values = Hdr::new_with_bounds(1, MOST_TICKS, DIGITS)
            .ok()
            .map(Box::new);
    }
    values.as_deref_mut()
}

/// The edges of the shown bucket that a value belongs to: up to 64 ticks one tick wide, then 1/64 (1.6 %) of
/// their lower edge at most. They are the same for all levels and made of whole hdrhistogram buckets.
fn bucket_of(value: u64) -> [u64; 2] {
    let shift = value.checked_ilog2().unwrap_or(0).saturating_sub(6);
    let from = (value >> shift) << shift;
    [from, from + (1 << shift)]
}

/// A place in the ascending order, from 1, and the value there once it has been passed.
#[derive(Debug, Clone, Copy)]
struct Rank {
    rank: u64,
    value: Option<f64>,
}

/// What one pass over a histogram looks for, of each percentile.
struct Wanted {
    percentiles: Vec<Rank>,
    intervals: Vec<Option<[Rank; 2]>>,
    /// As how many independent values they count.
    effective: Vec<Option<u64>>,
}

impl Wanted {
    /// Of `n` values.
    fn of(n: u64, effective: impl Fn(Percentile) -> Option<Effective>) -> Self {
        let rank = |rank| Rank { rank, value: None };
        let counted: Vec<Option<Effective>> = PERCENTILES
            .iter()
            .map(|it| effective(*it).filter(|_| it.has_interval()))
            .collect();
        let interval = |(it, counted): (&Percentile, &Option<Effective>)| {
            let independent = (*counted)?.usable?.min(n);
            Some(dependent_ranks(independent, n, it.share())?.map(rank))
        };
        let number = |counted: &Option<Effective>| {
            let counted = (*counted)?;
            let guess = counted.usable.unwrap_or(counted.count as u64);
            Some(guess.clamp(1, n))
        };
        Self {
            percentiles: PERCENTILES
                .iter()
                .map(|it| rank(nearest_rank(n, it.per_mille())))
                .collect(),
            intervals: PERCENTILES.iter().zip(&counted).map(interval).collect(),
            effective: counted.iter().map(number).collect(),
        }
    }

    /// What was found, in the unit of `shown`.
    fn read(&self, shown: impl Fn(f64) -> f64) -> Percentiles {
        let found = self.percentiles.iter().zip(&self.intervals);
        let mut found = found.zip(&self.effective);
        Percentiles::from_fn(|_| {
            let Some(((rank, ends), effective)) = found.next() else {
                return Estimate::default();
            };
            let ci = ends.and_then(|[low, high]| Some([shown(low.value?), shown(high.value?)]));
            Estimate {
                value: rank.value.map(&shown),
                ci,
                effective: *effective,
            }
        })
    }

    /// `seen` values are no larger than those of this bucket, whose value is `value`.
    fn pass(&mut self, seen: u64, value: f64) {
        let Self {
            percentiles,
            intervals,
            effective: _,
        } = self;
        for rank in percentiles
            .iter_mut()
            .chain(intervals.iter_mut().flatten().flatten())
        {
            if rank.value.is_none() && rank.rank <= seen {
                rank.value = Some(value);
            }
        }
    }
}

/// Ranks among some values as ranks among more.
fn spread([low, high]: [u64; 2], some: u64, more: u64) -> [u64; 2] {
    if some == more {
        return [low, high];
    }
    let scaled = |rank: u64| (rank as f64 - 0.5) / some as f64 * more as f64;
    [
        (scaled(low).floor() as u64).max(1),
        (scaled(high).ceil() as u64).min(more),
    ]
}

/// The ranks among `n` values that enclose the percentile `p` as those of so many independent ones would. Where these are too
/// few for an upper end it is the largest of all: so many depend on each other that a percentile has values beyond it
/// which that many would not have.
fn dependent_ranks(independent: u64, n: u64, p: f64) -> Option<[u64; 2]> {
    if let Some(ranks) = interval_ranks(independent, p) {
        return Some(spread(ranks, independent, n));
    }
    if independent == n || n < least_for_interval(p) || p <= 0.5 {
        return None;
    }
    let [low, _] = exact_ranks(independent, p);
    (low >= 1).then(|| [spread([low, low], independent, n)[0], n])
}

/// ⌈p n⌉, at least 1, in integers so that the 50th of 100 is not the 51st.
fn nearest_rank(n: u64, per_mille: u64) -> u64 {
    (u128::from(n) * u128::from(per_mille))
        .div_ceil(1_000)
        .max(1) as u64
}

/// The ranks (from 1) of the two order statistics of `n` that enclose the percentile `p` (0 to 1) with 95 %,
/// 2.5 % at most beyond each. `None` when there are too few values.
///
/// With B the number of values below the percentile, binomial (n, p): the lower is the highest rank `l` with
/// P(B < l) ≤ 2.5 %, the upper the lowest `u` with P(B ≥ u) ≤ 2.5 %.
pub fn interval_ranks(n: u64, p: f64) -> Option<[u64; 2]> {
    if n < least_for_interval(p) {
        return None;
    }
    // Beyond this the normal distribution is right to about one rank in hundreds, and the pass stays cheap.
    const EXACT: f64 = 2_500.0;
    let variance = n as f64 * p * (1.0 - p);
    let [low, high] = if variance <= EXACT {
        exact_ranks(n, p)
    } else {
        normal_ranks(n, p)
    };
    (low >= 1 && high <= n && low < high).then_some([low, high])
}

/// From the distribution itself, summed from its mode outwards so that nothing underflows that matters.
fn exact_ranks(n: u64, p: f64) -> [u64; 2] {
    let mode = (((n + 1) as f64) * p).floor().min(n as f64) as u64;
    let odds = p / (1.0 - p);
    // Weights relative to the mode's.
    const NOTHING: f64 = 1e-18;
    let up = |k: u64| (n - k) as f64 / (k + 1) as f64 * odds;
    let mut below = Vec::new();
    let (mut k, mut weight) = (mode, 1.0);
    while k > 0 && weight > NOTHING {
        k -= 1;
        weight /= up(k);
        below.push(weight);
    }
    let lowest = k;
    let mut weights: Vec<f64> = below.into_iter().rev().collect();
    weights.push(1.0);
    let (mut k, mut weight) = (mode, 1.0);
    while k < n && weight > NOTHING {
        weight *= up(k);
        k += 1;
        weights.push(weight);
    }
    let highest = k;
    let tail = TAIL * weights.iter().sum::<f64>();
    // P(B < low) ≤ tail
    let (mut low, mut sum) = (lowest, 0.0);
    for weight in &weights {
        sum += weight;
        if sum > tail {
            break;
        }
        low += 1;
    }
    // P(B ≥ high) ≤ tail
    let (mut high, mut sum) = (highest + 1, 0.0);
    for weight in weights.iter().rev() {
        sum += weight;
        if sum > tail {
            break;
        }
        high -= 1;
    }
    [low, high]
}

/// The normal distribution with the binomial's skew (Cornish and Fisher), rounded outwards.
fn normal_ranks(n: u64, p: f64) -> [u64; 2] {
    const Z: f64 = 1.959_963_984_540_054;
    let mean = n as f64 * p;
    let deviation = (mean * (1.0 - p)).sqrt();
    let skew = (1.0 - 2.0 * p) * (Z * Z - 1.0) / 6.0;
    let low = (mean - Z * deviation + skew - 0.5).floor().max(0.0) as u64;
    let high = (mean + Z * deviation + skew + 0.5).ceil() as u64 + 1;
    [low, high]
}

#[cfg(test)]
mod tests;
