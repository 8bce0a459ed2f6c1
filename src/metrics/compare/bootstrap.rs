//! How sure a percentile is: its bootstrap distribution, drawn without resampling.
//!
//! # The bootstrap of a percentile, in one draw
//!
//! A resample of n values takes n ranks at random, and its k-th smallest value is the value at the k-th smallest
//! of those ranks: ⌈n U⌉, where U, the k-th of n uniform numbers, is Beta(k, n − k + 1) distributed. Drawing U is
//! the ordinary bootstrap of the nearest-rank percentile (Efron 1979; the distribution is exact: Hutson and Ernst
//! 2000), at a cost that does not depend on n. The interval is the percentile interval of [`DRAWS`] draws.
//!
//! Values that depend on each other are drawn as so many independent ones as they count for
//! ([`crate::metrics::dependence`]); that holds for requests that waited for each other, and for gaps, whose unit is the
//! request with all its gaps. Of a report without its requests, the count is the report's; of one that an earlier version
//! wrote, what the interval in its `Stats` implies.

use hdrhistogram::Histogram as Hdr;

use crate::domain::random::Random;
use crate::domain::stats::{Percentile, Stats};
use crate::metrics::dependence::{Dependence, Effective, beyond_student, student};
use crate::metrics::ordered::mean_gaps;
use crate::metrics::stats::{MOST_TICKS, interval_ranks, least_for_interval};

/// Draws of a percentile.
pub const DRAWS: usize = 3_000;
/// Each draw of the one side is compared with so many of the other: of few values in a tail, ends of intervals
/// would else depend on luck.
const PAIRINGS: usize = 5;
const Z: f64 = 1.959_963_984_540_054;

/// The values of one figure in ascending order, as they are at hand.
#[derive(Debug, Clone)]
pub enum Values {
    /// Each of them.
    Each(Vec<f64>),
    /// `[lowest, highest, how many up to and with these]`; between the ends they lie evenly.
    Buckets(Vec<[f64; 3]>),
}

impl Values {
    /// Of what was measured, in any order; what is no number is left out.
    pub fn each(values: &[f64]) -> Self {
        let mut values: Vec<f64> = values
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        Self::Each(values)
    }

    /// Of a report's histogram.
    pub fn of_stats(stats: &Stats) -> Self {
        let (min, max) = (stats.min.unwrap_or(0.0), stats.max.unwrap_or(f64::INFINITY));
        let mut seen = 0.0;
        let bucket = |[from, to, count]: &[f64; 3]| {
            seen += count;
            [from.max(min), to.min(max).max(from.max(min)), seen]
        };
        Self::Buckets(stats.buckets.iter().map(bucket).collect())
    }

    /// How many.
    pub fn count(&self) -> f64 {
        match self {
            Self::Each(values) => values.len() as f64,
            Self::Buckets(buckets) => buckets.last().map_or(0.0, |bucket| bucket[2]),
        }
    }

    /// The value with the share `u` (0 to 1) of all at or below it, by nearest rank. `None` without values.
    pub fn at(&self, u: f64) -> Option<f64> {
        let rank = u * self.count();
        match self {
            Self::Each(values) => {
                // 0.95 × 20 is 19, whatever it is in f64.
                let index = ((rank - 1e-9).ceil() as usize).clamp(1, values.len().max(1)) - 1;
                values.get(index).copied()
            }
            Self::Buckets(buckets) => {
                let at = buckets
                    .partition_point(|bucket| bucket[2] < rank)
                    .min(buckets.len().checked_sub(1)?);
                let [from, to, until] = buckets[at];
                let before = if at == 0 { 0.0 } else { buckets[at - 1][2] };
                let inside = ((rank - before) / (until - before)).clamp(0.0, 1.0);
                Some(from + (to - from) * inside)
            }
        }
    }

    /// The share of values at or below `x`.
    fn share_to(&self, x: f64) -> f64 {
        match self {
            Self::Each(values) => values.partition_point(|value| *value <= x) as f64 / self.count(),
            Self::Buckets(buckets) => {
                let at = buckets.partition_point(|bucket| bucket[1] <= x);
                let before = if at == 0 { 0.0 } else { buckets[at - 1][2] };
                let inside = buckets.get(at).map_or(0.0, |[from, to, until]| {
                    let part = if to > from {
                        (x - from) / (to - from)
                    } else {
                        0.0
                    };
                    part.clamp(0.0, 1.0) * (until - before)
                });
                (before + inside) / self.count()
            }
        }
    }
}

/// Draws of the percentile `p` (0 to 1), of values that count as `independent` ones; `None` when those are too
/// few for an interval: 6 for p50, 72 for p95, 368 for p99, as in the reports. They are scaled such that the
/// percentile itself is `shown`, whose histogram may have been coarser or finer.
pub fn draws(
    values: &Values,
    p: f64,
    independent: u64,
    shown: f64,
    random: &mut Random,
) -> Option<Vec<f64>> {
    if independent < least_for_interval(p) {
        return None;
    }
    let n = independent as f64;
    let rank = (p * n - 1e-9).ceil().max(1.0);
    let own = values.at(p)?;
    let scale = if own > 0.0 && shown > 0.0 {
        shown / own
    } else {
        1.0
    };
    (0..DRAWS)
        .map(|_| Some(values.at(beta(rank, n - rank + 1.0, random))? * scale))
        .collect()
}

/// Draws of the share of `hits` among `of`, after Jeffreys: Beta(hits + ½, misses + ½), whose interval holds near
/// 0 and 1 too (Brown, Cai and DasGupta 2001). They count as `independent` ones at most. `None` without any.
pub fn share_draws(hits: u64, of: u64, independent: u64, random: &mut Random) -> Option<Vec<f64>> {
    let misses = of.checked_sub(hits)?;
    let count = independent.min(of);
    let part = count as f64 / of.max(1) as f64;
    let [hits, misses] = [hits, misses].map(|n| n as f64 * part + 0.5);
    let draw = |_| beta(hits, misses, random);
    (count > 0).then(|| (0..DRAWS).map(draw).collect())
}

/// What draws of two sides say of the relative change: its 95 % interval, and the two-sided p that there is none. The
/// draws are as wide as Student's t of these degrees of freedom makes 95 %; p is its own, on the logarithm's scale, since
/// a few thousand draws know nothing of the far tails.
pub fn change(baseline: &[f64], other: &[f64], freedom: f64) -> Option<([f64; 2], f64)> {
    let positive = |values: &(&f64, &f64)| *values.0 > 0.0 && *values.1 > 0.0;
    let paired = |shift: usize| baseline.iter().zip(other.iter().cycle().skip(shift));
    let mut logs: Vec<f64> = (0..PAIRINGS)
        .flat_map(paired)
        .filter(positive)
        .map(|(a, b)| (b / a).ln())
        .collect();
    if logs.len() < DRAWS * PAIRINGS / 2 {
        return None;
    }
    let n = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / n;
    let deviation = (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / n).sqrt();
    let mut at = |u: f64| {
        *logs
            .select_nth_unstable_by((u * n) as usize, f64::total_cmp)
            .1
    };
    let [low, middle, high] = [at(0.025), at(0.5), at(0.975)];
    let p = match (deviation > 1e-12, middle.abs() > 1e-12) {
        (true, _) => beyond_student(middle.abs() / deviation * student(freedom) / Z, freedom),
        (false, true) => 0.0,
        (false, false) => 1.0,
    };
    Some(([low, high].map(f64::exp_m1), p))
}

/// The same from two 95 % intervals by Student's t, by the differences of logarithms (delta method).
pub fn change_of_intervals(
    (a, a_ci): (f64, [f64; 2]),
    (b, b_ci): (f64, [f64; 2]),
    freedom: f64,
) -> Option<([f64; 2], f64)> {
    if a <= 0.0 || b <= 0.0 {
        return None;
    }
    let half = |value: f64, [low, high]: [f64; 2]| (high - low) / 2.0 / value;
    let (middle, half) = ((b / a).ln(), half(a, a_ci).hypot(half(b, b_ci)));
    let p = match (half > 0.0, middle == 0.0) {
        (true, _) => beyond_student(middle.abs() / half * student(freedom), freedom),
        (false, true) => 1.0,
        (false, false) => 0.0,
    };
    Some(([middle - half, middle + half].map(f64::exp_m1), p))
}

/// Gaps of many requests, pooled, in ms.
#[derive(Debug, Clone)]
pub struct Gaps {
    /// All of them.
    pub pooled: Values,
    /// Each request's median gap, in ms, in the order of the requests.
    pub medians: Vec<f64>,
    /// How the requests' mean gaps depend on each other.
    dependence: Dependence,
}

impl Gaps {
    /// Of requests' gaps in µs; requests without one are left out. Values are to 0.05 %.
    pub fn of(requests: &[Vec<u32>]) -> Self {
        let mut steps = Vec::new();
        // Fails for no bounds but nonsensical ones.
        if let Ok(mut all) = Hdr::<u64>::new_with_bounds(1, MOST_TICKS, 3) {
            requests
                .iter()
                .flatten()
                .for_each(|gap| all.saturating_record(u64::from(*gap)));
            let mut seen = 0;
            steps.extend(all.iter_recorded().map(|step| {
                seen += step.count_at_value();
                let value = all.median_equivalent(step.value_iterated_to()) as f64 / 1e3;
                [value, value, seen as f64]
            }));
        }
        let mut scratch = Vec::new();
        let median = |gaps: &Vec<u32>| {
            scratch.clone_from(gaps);
            let middle = gaps.len().checked_sub(1)? / 2;
            Some(f64::from(*scratch.select_nth_unstable(middle).1) / 1e3)
        };
        let medians: Vec<f64> = requests.iter().filter_map(median).collect();
        let answers: Vec<&[u32]> = requests.iter().map(Vec::as_slice).collect();
        Self {
            pooled: Values::Buckets(steps),
            medians,
            dependence: Dependence::of(&mean_gaps(&answers), None),
        }
    }

    /// As how many independent values they count around the percentile `p`.
    pub fn effective(&self, requests: &[Vec<u32>], p: f64) -> Option<Effective> {
        // To the µs that lie in the same step of the histogram.
        let bound = (self.pooled.at(p)? * 1e3 * 1.0005) as u32;
        let answers = requests.iter().map(Vec::as_slice);
        Some(self.dependence.gaps(answers, p, bound))
    }
}

/// As how many independent values a report's values count around one of its percentiles, by the interval it
/// gives; 0 where it gives none.
pub fn implied(values: &Values, stats: &Stats, percentile: Percentile) -> u64 {
    let p = percentile.share();
    let Some([low, high]) = stats.estimate(percentile).ci else {
        return 0;
    };
    // A count that the report itself gives is the better one.
    if let Some(effective) = stats.estimate(percentile).effective {
        return effective.min(stats.count);
    }
    let width = values.share_to(high) - values.share_to(low);
    let count = stats.count;
    // What so many independent values would give is no sign of dependence.
    let free =
        interval_ranks(count, p).map_or(0.0, |[low, high]| (high - low) as f64 / count as f64);
    if width <= free * 1.05 {
        return count;
    }
    ((p * (1.0 - p) * (2.0 * Z / width).powi(2)) as u64).clamp(least_for_interval(p), count)
}

/// Beta distributed, both parameters at least ½.
fn beta(a: f64, b: f64, random: &mut Random) -> f64 {
    let (x, y) = (gamma(a, random), gamma(b, random));
    x / (x + y)
}

/// Gamma distributed (Marsaglia and Tsang 2000).
fn gamma(shape: f64, random: &mut Random) -> f64 {
    if shape < 1.0 {
        let power = (1.0 - random.unit()).powf(1.0 / shape);
        return gamma(shape + 1.0, random) * power;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = random.normal();
        let v = (1.0 + c * x).powi(3);
        let u = 1.0 - random.unit();
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_resampling() {
        let values: Vec<f64> = (1..=40).map(|i| f64::from(i * i)).collect();
        let sorted = Values::each(&values);
        let drawn = draws(&sorted, 0.5, 40, 400.0, &mut Random::new(3)).expect("enough values");
        let mut random = Random::new(4);
        let mut resampled: Vec<f64> = (0..4_000)
            .map(|_| {
                let mut again: Vec<f64> = (0..40).map(|_| values[random.below(40)]).collect();
                again.sort_unstable_by(f64::total_cmp);
                again[19]
            })
            .collect();
        let mut drawn = drawn;
        for values in [&mut drawn, &mut resampled] {
            values.sort_unstable_by(f64::total_cmp);
        }
        for part in [0.025, 0.2, 0.5, 0.8, 0.975] {
            let at = |values: &[f64]| values[(part * values.len() as f64) as usize].sqrt();
            assert!((at(&drawn) - at(&resampled)).abs() <= 1.0, "{part}");
        }
    }

    #[test]
    fn a_tail_of_too_few_values_is_not_drawn() {
        let values = Values::each(&[1.0; 500]);
        for (p, least) in [(0.5, 6), (0.95, 72), (0.99, 368)] {
            assert!(draws(&values, p, least - 1, 1.0, &mut Random::new(1)).is_none());
            assert!(draws(&values, p, least, 1.0, &mut Random::new(1)).is_some());
        }
    }

    #[test]
    fn beta_has_its_moments() {
        let mut random = Random::new(5);
        for (a, b) in [(0.5, 3.5), (1.0, 1.0), (50.0, 51.0), (990.0, 11.0)] {
            let n = 20_000;
            let draws: Vec<f64> = (0..n).map(|_| beta(a, b, &mut random)).collect();
            let mean = draws.iter().sum::<f64>() / f64::from(n);
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
            let expected = a * b / ((a + b).powi(2) * (a + b + 1.0));
            assert!(
                (mean - a / (a + b)).abs() < 4.0 * (expected / f64::from(n)).sqrt(),
                "{a} {b}: {mean}"
            );
            assert!(
                (variance / expected - 1.0).abs() < 0.06,
                "{a} {b}: {variance} {expected}"
            );
        }
    }

    #[test]
    fn gaps_that_are_alike_within_requests_count_as_requests() {
        let count =
            |gaps: &[Vec<u32>]| Gaps::of(gaps).effective(gaps, 0.5).and_then(|it| it.usable);
        let mut random = Random::new(6);
        let alike: Vec<Vec<u32>> = (0..200)
            .map(|_| vec![9_000 + random.below(2_000) as u32; 30])
            .collect();
        let e = count(&alike).expect("enough");
        assert!((150..=205).contains(&e), "{e} of 200 requests");
        let free: Vec<Vec<u32>> = (0..200)
            .map(|_| {
                (0..30)
                    .map(|_| 9_000 + random.below(2_000) as u32)
                    .collect()
            })
            .collect();
        let e = count(&free).expect("enough");
        assert!(e > 4_000, "{e} of 6,000 gaps");
        assert_eq!(count(&free[..5]), None, "five requests say nothing");
    }

    #[test]
    fn intervals_of_rates_add_up_as_the_delta_method_says() {
        let ([low, high], p) = change_of_intervals(
            (100.0, [97.0, 103.0]),
            (110.0, [105.6, 114.4]),
            f64::INFINITY,
        )
        .expect("both");
        // ln 1.1 ± √(0.03² + 0.04²)
        assert!(
            (low - (0.095_310_18f64 - 0.05).exp_m1()).abs() < 1e-7,
            "{low}"
        );
        assert!(
            (high - (0.095_310_18f64 + 0.05).exp_m1()).abs() < 1e-7,
            "{high}"
        );
        assert!(p > 1e-4 && p < 3e-4, "{p}");
    }
}
