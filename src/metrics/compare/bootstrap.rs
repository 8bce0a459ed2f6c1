//! How sure a percentile is: its bootstrap distribution, drawn without resampling.
//!
//! # The bootstrap of a percentile, in one draw
//!
//! A resample of n values takes n ranks at random, and its k-th smallest value is the value at the k-th smallest
//! of those ranks: ⌈n U⌉, where U, the k-th of n uniform numbers, is Beta(k, n − k + 1) distributed. Drawing U is
//! the ordinary bootstrap of the nearest-rank percentile (Efron 1979; the distribution is exact: Hutson and Ernst
//! 2000), at a cost that does not depend on n. The interval is the percentile interval of [`DRAWS`] draws.
//!
//! # Gaps, with the request as the unit
//!
//! Resampling requests with all their gaps moves the share of gaps below a value x by the mean of what each
//! request adds, (gaps ≤ x) − p (gaps). That share has the variance of p (1 − p) / e, which says as how many
//! independent values e the gaps count near that percentile; the percentile is drawn as that of e values (Woodruff
//! 1952; Francisco and Fuller 1991: the linearised bootstrap of clusters). With few requests e is made smaller by
//! (z / t)², as Student's t is wider than the normal distribution. Of a report without its requests, e is what
//! the interval in its `Stats` implies.

use hdrhistogram::Histogram as Hdr;

use crate::domain::random::Random;
use crate::domain::stats::{Percentile, Stats};
use crate::metrics::stats::{MOST_TICKS, interval_ranks, least_for_interval};

/// Draws of a percentile.
pub const DRAWS: usize = 3_000;
/// Each draw of the one side is compared with so many of the other: of few values in a tail, ends of intervals
/// would else depend on luck.
const PAIRINGS: usize = 5;
/// Fewer requests than that say nothing of how requests differ.
const LEAST_REQUESTS: usize = 6;
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
/// 0 and 1 too (Brown, Cai and DasGupta 2001). `None` without any.
pub fn share_draws(hits: u64, of: u64, random: &mut Random) -> Option<Vec<f64>> {
    let misses = of.checked_sub(hits)?;
    let draw = |_| beta(hits as f64 + 0.5, misses as f64 + 0.5, random);
    (of > 0).then(|| (0..DRAWS).map(draw).collect())
}

/// What draws of two sides say of the relative change: its 95 % interval, and the two-sided p that there is none
/// (normal, on the logarithm's scale, since a few thousand draws know nothing of the far tails).
pub fn change(baseline: &[f64], other: &[f64]) -> Option<([f64; 2], f64)> {
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
        (true, _) => 2.0 * super::ranks::beyond(middle.abs() / deviation),
        (false, true) => 0.0,
        (false, false) => 1.0,
    };
    Some(([low, high].map(f64::exp_m1), p))
}

/// The same from two 95 % intervals, by the differences of logarithms (delta method).
pub fn change_of_intervals(
    (a, a_ci): (f64, [f64; 2]),
    (b, b_ci): (f64, [f64; 2]),
) -> Option<([f64; 2], f64)> {
    if a <= 0.0 || b <= 0.0 {
        return None;
    }
    let half = |value: f64, [low, high]: [f64; 2]| (high - low) / 2.0 / value;
    let (middle, half) = ((b / a).ln(), half(a, a_ci).hypot(half(b, b_ci)));
    let p = match (half > 0.0, middle == 0.0) {
        (true, _) => 2.0 * super::ranks::beyond(middle.abs() / (half / Z)),
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
    /// Each request's median gap, in ms, ascending.
    pub medians: Vec<f64>,
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
        let mut medians: Vec<f64> = requests.iter().filter_map(median).collect();
        medians.sort_unstable_by(f64::total_cmp);
        Self {
            pooled: Values::Buckets(steps),
            medians,
        }
    }

    /// As how many independent values they count around the percentile `p`.
    pub fn independent(&self, requests: &[Vec<u32>], p: f64) -> u64 {
        let clusters = self.medians.len();
        let Some(at) = self.pooled.at(p).filter(|_| clusters >= LEAST_REQUESTS) else {
            return 0;
        };
        // To the µs that lie in the same step of the histogram.
        let bound = (at * 1e3 * 1.0005) as u32;
        let counts = |gaps: &Vec<u32>| {
            [
                gaps.iter().filter(|gap| **gap <= bound).count() as f64,
                gaps.len() as f64,
            ]
        };
        let counts: Vec<[f64; 2]> = requests.iter().map(counts).collect();
        let [below, all] = counts.iter().fold([0.0; 2], |sum, count| {
            [sum[0] + count[0], sum[1] + count[1]]
        });
        let share = below / all;
        let squares: f64 = counts
            .iter()
            .map(|[below, all]| (below - share * all).powi(2))
            .sum();
        let n = clusters as f64;
        let variance = squares * n / (n - 1.0) / (all * all);
        let independent = if variance > 0.0 {
            share * (1.0 - share) / variance
        } else {
            n
        };
        (independent.min(all) * (Z / student(clusters - 1)).powi(2)) as u64
    }
}

/// As how many independent values a report's values count around one of its percentiles, by the interval it
/// gives; 0 where it gives none.
pub fn implied(values: &Values, stats: &Stats, percentile: Percentile) -> u64 {
    let p = percentile.share();
    let Some([low, high]) = stats.estimate(percentile).ci else {
        return 0;
    };
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

/// Student's t: what 2.5 % lie beyond, to three digits (Cornish and Fisher; from 5 degrees of freedom up).
fn student(freedom: usize) -> f64 {
    let v = freedom as f64;
    let z = Z;
    z + (z.powi(3) + z) / (4.0 * v)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v * v)
        + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / (384.0 * v.powi(3))
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
        let alike: Vec<Vec<u32>> = (0..200).map(|i| vec![9_000 + i * 10; 30]).collect();
        let e = Gaps::of(&alike).independent(&alike, 0.5);
        assert!((180..=220).contains(&e), "{e} of 200 requests");
        let mut random = Random::new(6);
        let free: Vec<Vec<u32>> = (0..200)
            .map(|_| {
                (0..30)
                    .map(|_| 9_000 + random.below(2_000) as u32)
                    .collect()
            })
            .collect();
        let e = Gaps::of(&free).independent(&free, 0.5);
        assert!(e > 4_500, "{e} of 6,000 gaps");
        assert_eq!(
            Gaps::of(&free[..5]).independent(&free[..5], 0.5),
            0,
            "five requests say nothing"
        );
    }

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (freedom, t) in [(5, 2.571), (9, 2.262), (19, 2.093), (100, 1.984)] {
            assert!(
                (student(freedom) - t).abs() < 0.006,
                "{freedom}: {}",
                student(freedom)
            );
        }
    }

    #[test]
    fn intervals_of_rates_add_up_as_the_delta_method_says() {
        let ([low, high], p) =
            change_of_intervals((100.0, [97.0, 103.0]), (110.0, [105.6, 114.4])).expect("both");
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
