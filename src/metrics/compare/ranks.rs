//! Tests without a distribution: Mann–Whitney for values, Fisher's exact for counts. As scipy computes them;
//! `tests/fixtures/compare/make.py` says so.

use std::cmp::Ordering;

/// With more values than this on both sides the exact distribution is left for the normal one, as in scipy.
const EXACT: usize = 8;
/// The exact distribution of so few against so many is still cheap; beyond it nobody can tell the difference.
const MOST_PAIRS: usize = 80_000;

/// The two-sided p of the Mann–Whitney U test: that neither of two samples tends to larger values. `None` when
/// one is empty. Both must be in ascending order.
///
/// As `scipy.stats.mannwhitneyu(a, b)` with `method="auto"`: exact where a sample has at most eight values and
/// none is tied, else the normal approximation with corrections for ties and for continuity.
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let sizes = [a.len() as f64, b.len() as f64];
    let (mut at_a, mut at_b) = (0, 0);
    let mut tied = false;
    let mut sums = Sums::default();
    while at_a < a.len() || at_b < b.len() {
        let value = match (a.get(at_a), b.get(at_b)) {
            (Some(x), Some(y)) if x.total_cmp(y) == Ordering::Greater => *y,
            (Some(x), _) => *x,
            (None, Some(y)) => *y,
            (None, None) => break,
        };
        let run =
            |of: &[f64], at: usize| of[at..].iter().take_while(|other| **other <= value).count();
        let (in_a, in_b) = (run(a, at_a), run(b, at_b));
        tied |= in_a + in_b > 1;
        sums.add(in_a as f64, in_b as f64);
        // A value that is no number is equal to nothing, and must not hold us up.
        (at_a, at_b) = (at_a + in_a, at_b + in_b);
        if in_a + in_b == 0 {
            return None;
        }
    }
    let small = a.len().min(b.len());
    if small <= EXACT && !tied && a.len().saturating_mul(b.len()) <= MOST_PAIRS {
        let u = sums.u.max(sizes[0] * sizes[1] - sums.u) as usize;
        return Some(exact(small, a.len().max(b.len()), u));
    }
    Some(sums.normal(sizes))
}

/// The same of grouped values: `[value, how many in a, how many in b]`, ascending; those of one group count as
/// tied. Counts may be fractions: values that are not independent count for less.
pub fn mann_whitney_grouped(groups: &[[f64; 3]]) -> Option<f64> {
    let mut sums = Sums::default();
    groups.iter().for_each(|[_, a, b]| sums.add(*a, *b));
    let sizes = [sums.a, sums.b];
    (sizes[0] >= 1.0 && sizes[1] >= 1.0).then(|| sums.normal(sizes))
}

/// What the statistic is made of, value by value from the smallest.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    a: f64,
    b: f64,
    /// Pairs in which `a`'s value is the larger; ties are halves.
    u: f64,
    /// Σ (t³ − t) over groups of t tied values.
    ties: f64,
}

impl Sums {
    fn add(&mut self, a: f64, b: f64) {
        self.u += a * (self.b + b / 2.0);
        self.a += a;
        self.b += b;
        let t = a + b;
        self.ties += (t * t * t - t).max(0.0);
    }

    fn normal(&self, [a, b]: [f64; 2]) -> f64 {
        let (n, mean) = (a + b, a * b / 2.0);
        let variance = a * b / 12.0 * ((n + 1.0) - self.ties / (n * (n - 1.0)));
        let u = self.u.max(a * b - self.u);
        if variance.is_nan() || variance <= 0.0 {
            // All values are the same.
            return 1.0;
        }
        (2.0 * beyond((u - mean - 0.5) / variance.sqrt())).min(1.0)
    }
}

/// Twice the probability of a statistic of `u` or more: the number of arrangements with each statistic is a
/// coefficient of the Gaussian binomial ∏ (1 − qⁿ⁺ⁱ) / (1 − qⁱ), i = 1 … m. Whole numbers modulo 2¹²⁸ suffice:
/// there are fewer arrangements.
fn exact(m: usize, n: usize, u: usize) -> f64 {
    let most = m * n;
    let mut ways = vec![0u128; most + 1];
    ways[0] = 1;
    for i in 1..=m {
        for k in (n + i..=most).rev() {
            ways[k] = ways[k].wrapping_sub(ways[k - n - i]);
        }
        for k in i..=most {
            ways[k] = ways[k].wrapping_add(ways[k - i]);
        }
    }
    let all: f64 = ways.iter().map(|ways| *ways as f64).sum();
    // The distribution is symmetric, and small numbers come first.
    let beyond: f64 = ways[..=most - u.min(most)]
        .iter()
        .map(|ways| *ways as f64)
        .sum();
    (2.0 * beyond / all).min(1.0)
}

/// The normal distribution's upper tail.
pub fn beyond(z: f64) -> f64 {
    libm::erfc(z / std::f64::consts::SQRT_2) / 2.0
}

/// The two-sided p of Fisher's exact test: that `hits` of `of` happen with the same probability on both sides.
/// As `scipy.stats.fisher_exact`: the tables that are no more probable than this one. `hits` beyond `of` count
/// as `of`.
pub fn fisher([hits_a, of_a]: [u64; 2], [hits_b, of_b]: [u64; 2]) -> f64 {
    let (hits_a, hits_b) = (hits_a.min(of_a), hits_b.min(of_b));
    let (hits, all) = (hits_a + hits_b, of_a + of_b);
    let choose = |n: u64, k: u64| {
        libm::lgamma(n as f64 + 1.0)
            - libm::lgamma(k as f64 + 1.0)
            - libm::lgamma((n - k) as f64 + 1.0)
    };
    let whole = choose(all, hits);
    let log = |k: u64| choose(of_a, k) + choose(of_b, hits - k) - whole;
    let here = log(hits_a);
    let (least, most) = (hits.saturating_sub(of_b), hits.min(of_a));
    // Of millions of tables those far from what is expected add nothing: 40 deviations off is less than an f64 holds.
    let [hits_all, of] = [hits as f64, (all as f64).max(1.0)];
    let expected = hits_all * (of_a as f64 / of);
    let variance = expected * (of_b as f64 / of) * ((of - hits_all) / (of - 1.0).max(1.0));
    let reach = 40.0 * variance.max(0.0).sqrt() + 1_000.0;
    let least = least.max((expected - reach).max(0.0) as u64);
    let most = most.min((expected + reach) as u64);
    // Logarithms of factorials are right to about nine digits where there are millions.
    let slack = 1e-7;
    let p: f64 = (least..=most)
        .map(log)
        .filter(|log| *log <= here + slack)
        .map(f64::exp)
        .sum();
    p.min(1.0)
}

/// Holm's correction (1979): for each test whether it is significant at 5 % when all of them together may
/// mislead in 5 % of the cases at most.
pub fn holm(ps: &[f64]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..ps.len()).collect();
    order.sort_by(|a, b| ps[*a].total_cmp(&ps[*b]));
    let mut out = vec![false; ps.len()];
    for (done, at) in order.into_iter().enumerate() {
        if ps[at].is_nan() || ps[at] >= super::ALPHA / (ps.len() - done) as f64 {
            break;
        }
        out[at] = true;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_distribution_counts_every_arrangement() {
        // Of the six ways to arrange two and two, one lies on each outer end.
        assert_eq!(mann_whitney(&[1.0, 2.0], &[3.0, 4.0]), Some(2.0 / 6.0));
        assert_eq!(mann_whitney(&[1.0], &[2.0]), Some(1.0));
        assert_eq!(mann_whitney(&[], &[2.0]), None);
        // Against thousands it agrees with the normal approximation.
        let many: Vec<f64> = (0..9_000).map(f64::from).collect();
        let few: Vec<f64> = (0..8).map(|i| 5_000.5 + 500.0 * f64::from(i)).collect();
        let p = mann_whitney(&few, &many).expect("both have values");
        let normal = {
            let mut all: Vec<[f64; 3]> = many.iter().map(|v| [*v, 0.0, 1.0]).collect();
            all.extend(few.iter().map(|v| [*v, 1.0, 0.0]));
            all.sort_by(|a, b| a[0].total_cmp(&b[0]));
            mann_whitney_grouped(&all).expect("both have values")
        };
        assert!((p - normal).abs() < 0.004 && p < 0.05, "{p} {normal}");
    }

    #[test]
    fn equal_values_are_no_evidence() {
        assert_eq!(mann_whitney(&[1.0; 20], &[1.0; 30]), Some(1.0));
        assert_eq!(mann_whitney_grouped(&[[1.0, 20.0, 30.0]]), Some(1.0));
        assert_eq!(mann_whitney(&[f64::NAN], &[1.0]), None);
    }

    #[test]
    fn of_billions_of_requests_the_test_ends() {
        let few = fisher([40, 1_000_000], [10, 1_000_000]);
        let many = fisher([400_000_040, 1_000_000_000], [400_000_010, 1_000_000_000]);
        assert!(few < 1e-4 && many > 0.9 && many <= 1.0, "{few} {many}");
        assert!(fisher([0, 10_000_000_000], [5_000_000_000, 10_000_000_000]) < 1e-12);
    }

    #[test]
    fn no_requests_are_no_evidence_either() {
        assert_eq!(fisher([0, 0], [3, 10]), 1.0);
        assert_eq!(fisher([5, 5], [7, 7]), 1.0);
    }

    #[test]
    fn of_many_tests_a_lucky_one_does_not_count() {
        assert_eq!(holm(&[0.04]), [true]);
        assert_eq!(holm(&[0.04, 0.5, 0.6]), [false; 3]);
        assert_eq!(holm(&[0.04, 0.001, 0.02]), [true; 3]);
        assert_eq!(holm(&[0.03, 0.001, 0.03]), [false, true, false]);
        assert_eq!(holm(&[f64::NAN, 0.001]), [false, true]);
        assert!(holm(&[]).is_empty());
    }
}
