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
//! - That takes values as independent. Gaps of one answer are not: where answers differ from each other, n gaps
//!   say no more than n / deff independent ones would, deff = 1 + (m − 1) ρ, with m gaps an answer (weighted by
//!   size) and ρ the share of the variance that lies between answers (intraclass correlation, one-way analysis
//!   of variance). The interval is that of so many values. A single answer gives none.

use std::time::Duration;

use hdrhistogram::Histogram as Hdr;

use crate::domain::stats::{Estimate, PERCENTILES, Percentile, Percentiles, Stats};

/// The highest value that is told from higher ones, in ticks: 24 h in µs.
pub const MOST_TICKS: u64 = 24 * 3_600 * 1_000_000;
/// Significant digits of what a percentile says.
const DIGITS: u8 = 3;
/// What may lie beyond each end of a 95 % interval.
const TAIL: f64 = 0.025;

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
    /// Of values that were recorded together: how they belong to each other.
    groups: Groups,
}

/// Values in groups whose members resemble each other.
#[derive(Debug, Clone, Copy, Default)]
struct Groups {
    count: u64,
    /// The sum of the squares of their sizes.
    sizes: u64,
    /// The sum over groups of (sum of values)² / size, each to the whole number.
    between: u128,
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
            groups: Groups::default(),
        }
    }

    /// Adds a time.
    pub fn record(&mut self, time: Duration) {
        debug_assert_eq!(self.scale, Scale::Time);
        // To the nearest µs: cutting would make every mean half a µs too short.
        self.record_ticks([u64::try_from((time.as_nanos() + 500) / 1_000).unwrap_or(u64::MAX)]);
    }

    /// Adds times in µs that belong together, such as the gaps of one answer.
    pub fn record_micros(&mut self, times: &[u32]) {
        debug_assert_eq!(self.scale, Scale::Time);
        let size = times.len() as u64;
        if size > 0 {
            let sum: u64 = times.iter().map(|time| u64::from(*time)).sum();
            self.groups.count += 1;
            self.groups.sizes += size * size;
            self.groups.between += u128::from(sum) * u128::from(sum) / u128::from(size);
        }
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
            let Groups {
                count,
                sizes,
                between,
            } = other.groups;
            self.groups.count += count;
            self.groups.sizes += sizes;
            self.groups.between += between;
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

    /// Everything about them, in one pass: times in ms, rates per second.
    pub fn stats(&self) -> Stats {
        let Some(values) = self.values.as_deref().filter(|values| !values.is_empty()) else {
            return Stats::default();
        };
        let n = values.len();
        let shown = |ticks: f64| ticks / self.scale.ticks();
        let mut wanted = Wanted::of(n, self.independent(n));
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

    /// As how many independent values these count.
    fn independent(&self, n: u64) -> u64 {
        let groups = self.groups.count;
        if groups == 0 || groups == n {
            return n;
        }
        if groups == 1 {
            // How much answers differ cannot be seen from one.
            return 1;
        }
        let [all, groups, sum] = [n, groups, self.sum].map(|n| n as f64);
        let own_size = self.groups.sizes as f64 / all;
        let between = (self.groups.between as f64 - sum * sum / all).max(0.0) / (groups - 1.0);
        let within = self.squares.saturating_sub(self.groups.between) as f64 / (all - groups);
        let size = (all - own_size) / (groups - 1.0);
        let total = between + (size - 1.0) * within;
        if total <= 0.0 {
            return n;
        }
        let alike = ((between - within) / total).clamp(0.0, 1.0);
        ((all / (1.0 + (own_size - 1.0) * alike)) as u64).clamp(1, n)
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
}

impl Wanted {
    /// Of `n` values that count as `independent` ones.
    fn of(n: u64, independent: u64) -> Self {
        let rank = |rank| Rank { rank, value: None };
        let interval = |percentile: &Percentile| {
            let percentile = Some(percentile).filter(|percentile| percentile.has_interval())?;
            let ends = spread(
                interval_ranks(independent, percentile.share())?,
                independent,
                n,
            );
            Some(ends.map(rank))
        };
        Self {
            percentiles: PERCENTILES
                .iter()
                .map(|it| rank(nearest_rank(n, it.per_mille())))
                .collect(),
            intervals: PERCENTILES.iter().map(interval).collect(),
        }
    }

    /// What was found, in the unit of `shown`.
    fn read(&self, shown: impl Fn(f64) -> f64) -> Percentiles {
        let mut found = self.percentiles.iter().zip(&self.intervals);
        Percentiles::from_fn(|_| {
            let Some((rank, ends)) = found.next() else {
                return Estimate::default();
            };
            let ci = ends.and_then(|[low, high]| Some([shown(low.value?), shown(high.value?)]));
            Estimate {
                value: rank.value.map(&shown),
                ci,
            }
        })
    }

    /// `seen` values are no larger than those of this bucket, whose value is `value`.
    fn pass(&mut self, seen: u64, value: f64) {
        let Self {
            percentiles,
            intervals,
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

/// ⌈p n⌉, at least 1, in integers so that the 50th of 100 is not the 51st.
fn nearest_rank(n: u64, per_mille: u64) -> u64 {
    (u128::from(n) * u128::from(per_mille))
        .div_ceil(1_000)
        .max(1) as u64
}

/// The fewest values from which the 95 % interval of the percentile `p` (0 to 1) exists: 6 for p50, 72 for
/// p95, 368 for p99. With fewer, even the largest value may well lie below the percentile.
pub fn least_for_interval(p: f64) -> u64 {
    let rarer = p.max(1.0 - p);
    if rarer.is_nan() || rarer >= 1.0 {
        return u64::MAX;
    }
    (TAIL.ln() / rarer.ln()).ceil() as u64
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::random::Random;
    use crate::domain::stats::{P1, P50, P99_9};

    fn of_counts(values: &[u64]) -> Histogram {
        let mut out = Histogram::new(Scale::Count);
        values.iter().for_each(|value| out.record_count(*value));
        out
    }

    #[test]
    fn nothing_recorded_is_nothing_said() {
        assert_eq!(Histogram::new(Scale::Time).stats(), Stats::default());
        let mut times = Histogram::new(Scale::Time);
        times.record_micros(&[]);
        times.merge(&Histogram::new(Scale::Time));
        assert_eq!(times.stats(), Stats::default());
    }

    #[test]
    fn times_are_read_in_ms() {
        let mut times = Histogram::new(Scale::Time);
        times.record_micros(&[0, 1_500, 3_000]);
        times.record(Duration::from_nanos(4_499_600));
        let stats = times.stats();
        assert_eq!(
            (stats.min, stats.max, stats.mean),
            (Some(0.0), Some(4.5), Some(2.25))
        );
        assert_eq!(stats.at(P50), Some(1.5), "the second of four");
        assert_eq!(stats.buckets.len(), 4);
        let sd = stats.sd.expect("four values");
        assert!((sd - 1.936_491_673).abs() < 1e-6, "{sd}");
    }

    #[test]
    fn rates_keep_thousandths_and_leave_out_what_is_no_number() {
        let mut rates = Histogram::new(Scale::Rate);
        for rate in [99.5, f64::NAN, f64::INFINITY, -1.0, 100.5] {
            rates.record_rate(rate);
        }
        let stats = rates.stats();
        assert_eq!(
            (stats.count, stats.mean, stats.min),
            (2, Some(100.0), Some(99.5))
        );
    }

    #[test]
    fn a_single_value_has_no_deviation_and_no_interval() {
        let stats = of_counts(&[7]).stats();
        assert_eq!(
            (stats.count, stats.at(P1), stats.at(P99_9)),
            (1, Some(7.0), Some(7.0))
        );
        assert_eq!((stats.sd, stats.estimate(P50).ci), (None, None));
    }

    #[test]
    fn ranks_are_the_nearest() {
        for (n, per_mille, rank) in [
            (1, 1, 1),
            (100, 500, 50),
            (100, 990, 99),
            (101, 990, 100),
            (10, 999, 10),
        ] {
            assert_eq!(nearest_rank(n, per_mille), rank, "{per_mille} of {n}");
        }
    }

    /// As in tables of distribution-free intervals (equal tails), e.g. Conover's.
    #[test]
    fn intervals_of_the_median_are_those_of_the_tables() {
        for (n, ranks) in [
            (5, None),
            (6, Some([1, 6])),
            (8, Some([1, 8])),
            (9, Some([2, 8])),
            (10, Some([2, 9])),
            (20, Some([6, 15])),
            (25, Some([8, 18])),
            (50, Some([18, 33])),
            (100, Some([40, 61])),
        ] {
            assert_eq!(interval_ranks(n, 0.5), ranks, "{n} values");
        }
    }

    #[test]
    fn high_percentiles_need_many_values() {
        for (p, least) in [(0.5, 6), (0.95, 72), (0.99, 368), (0.01, 368)] {
            assert_eq!(least_for_interval(p), least);
            assert_eq!(interval_ranks(least - 1, p), None, "one fewer for {p}");
            assert!(interval_ranks(least, p).is_some(), "just enough for {p}");
        }
    }

    /// Each rank found is the tightest that keeps the promise, by the distribution written down plainly.
    #[test]
    fn intervals_cover_at_least_95_percent_and_are_the_tightest() {
        for n in 6..400u64 {
            for p in [0.5, 0.95, 0.99] {
                let Some([low, high]) = interval_ranks(n, p) else {
                    continue;
                };
                let below = |k: u64| (0..k).map(|k| binomial(n, p, k)).sum::<f64>();
                let at_least = |k: u64| (k..=n).map(|k| binomial(n, p, k)).sum::<f64>();
                let covered = below(high) - below(low);
                assert!(covered >= 0.95 - 1e-9, "{covered} of {p} at {n}");
                assert!(
                    below(low) <= TAIL + 1e-9 && below(low + 1) > TAIL,
                    "lower of {p} at {n}"
                );
                assert!(
                    at_least(high) <= TAIL + 1e-9 && at_least(high - 1) > TAIL,
                    "upper of {p} at {n}"
                );
            }
        }
    }

    fn binomial(n: u64, p: f64, k: u64) -> f64 {
        let choose: f64 = (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum();
        (choose + k as f64 * p.ln() + (n - k) as f64 * (1.0 - p).ln()).exp()
    }

    #[test]
    fn where_the_exact_intervals_end_the_approximate_ones_go_on() {
        for (n, p) in [(10_000, 0.5), (52_000, 0.95), (250_000, 0.99)] {
            let (exact, normal) = (exact_ranks(n, p), normal_ranks(n, p));
            for (exact, normal) in exact.iter().zip(normal) {
                assert!(exact.abs_diff(normal) <= 2, "{exact} and {normal} of {n}");
            }
            assert!(
                normal[0] <= exact[0] && normal[1] >= exact[1],
                "rounded outwards"
            );
        }
        assert!(interval_ranks(u64::from(u32::MAX) * 8, 0.99).is_some());
    }

    /// Answers of 20 gaps whose means differ by `apart`: how often the interval holds the true median of 10 ms.
    fn held(apart: f64) -> f64 {
        let mut random = Random::new(1);
        let runs = 300;
        let held = (0..runs).filter(|_| {
            let mut times = Histogram::new(Scale::Time);
            for _ in 0..40 {
                let mean = 10_000.0 + apart * random.normal();
                let gaps: Vec<u32> = (0..20)
                    .map(|_| (mean + 300.0 * random.normal()) as u32)
                    .collect();
                times.record_micros(&gaps);
            }
            times
                .stats()
                .estimate(P50)
                .ci
                .is_some_and(|[low, high]| low <= 10.0 && high >= 10.0)
        });
        held.count() as f64 / f64::from(runs)
    }

    #[test]
    fn intervals_of_gaps_hold_though_gaps_of_one_answer_are_alike() {
        for apart in [0.0, 100.0, 600.0] {
            let held = held(apart);
            assert!(held >= 0.93, "{held} at {apart}");
        }
    }

    #[test]
    fn answers_that_are_alike_leave_the_interval_as_it_is() {
        let mut times = Histogram::new(Scale::Time);
        (0..50u32).for_each(|i| times.record_micros(&[9_900 + i, 10_100 - i]));
        assert_eq!(times.independent(100), 100);
        let mut apart = Histogram::new(Scale::Time);
        (0..50u32).for_each(|i| apart.record_micros(&[9_000 + i * 50; 8]));
        assert_eq!(
            apart.independent(400),
            50,
            "each answer is one value, eight times"
        );
        let mut one = Histogram::new(Scale::Time);
        one.record_micros(&(0..500).collect::<Vec<u32>>());
        assert_eq!(
            one.stats().estimate(P50).ci,
            None,
            "nobody knows how answers differ"
        );
    }

    proptest! {
        #[test]
        fn merging_groups_equals_recording_them_in_one(
            groups in prop::collection::vec((any::<bool>(), prop::collection::vec(0u32..90_000, 0..30)), 0..30),
        ) {
            let [mut all, mut a, mut b] = [Scale::Time; 3].map(Histogram::new);
            for (first, group) in &groups {
                all.record_micros(group);
                if *first { &mut a } else { &mut b }.record_micros(group);
            }
            a.merge(&b);
            prop_assert_eq!(a.stats(), all.stats());
            prop_assert_eq!(a.independent(a.count().max(1)), all.independent(a.count().max(1)));
        }

        #[test]
        fn merging_equals_recording_everything_in_one(
            a in prop::collection::vec(0u64..100_000_000_000, 0..200),
            b in prop::collection::vec(0u64..5_000, 0..200),
        ) {
            let mut merged = of_counts(&a);
            merged.merge(&of_counts(&b));
            let all: Vec<u64> = b.iter().chain(&a).copied().collect();
            prop_assert_eq!(merged.stats(), of_counts(&all).stats());
        }

        #[test]
        fn percentiles_are_those_of_the_sorted_list(
            mut values in prop::collection::vec(0u64..10_000_000, 1..500),
        ) {
            let stats = of_counts(&values).stats();
            values.sort_unstable();
            let n = values.len() as u64;
            for percentile in PERCENTILES {
                let exact = values[nearest_rank(n, percentile.per_mille()) as usize - 1] as f64;
                let said = stats.at(*percentile).expect("there are values");
                prop_assert!((said - exact).abs() <= exact * 5e-4 + 1e-9, "{} for {}", said, exact);
            }
            let mean = values.iter().sum::<u64>() as f64 / n as f64;
            let around: f64 = values.iter().map(|value| (*value as f64 - mean).powi(2)).sum();
            prop_assert!((stats.mean.expect("a mean") - mean).abs() <= mean * 1e-12);
            if n > 1 {
                let sd = (around / (n - 1) as f64).sqrt();
                prop_assert!((stats.sd.expect("a deviation") - sd).abs() <= sd * 1e-9 + 1e-9);
            }
            prop_assert_eq!(stats.max, Some(values[values.len() - 1] as f64));
        }

        #[test]
        fn buckets_hold_every_value_once_and_are_narrow(
            values in prop::collection::vec(0u64..10_000_000_000, 1..300),
        ) {
            let buckets = of_counts(&values).stats().buckets;
            prop_assert_eq!(buckets.iter().map(|bucket| bucket[2]).sum::<f64>(), values.len() as f64);
            for [from, to, count] in &buckets {
                let inside = values.iter().filter(|value| (*from..*to).contains(&(**value as f64))).count();
                prop_assert_eq!(inside as f64, *count);
                prop_assert!(to - from <= (from * 0.02).max(1.0));
            }
            prop_assert!(buckets.windows(2).all(|pair| pair[0][1] <= pair[1][0]));
        }
    }
}
