//! The binomial distribution's tail, of counts that may be fractions.

/// The probability that at least `k` of `n` happen, each with probability `p`: the regularised incomplete beta function
/// I_p(k, n − k + 1), by its continued fraction (DLMF 8.17.22, evaluated as Lentz does).
pub(super) fn binomial_tail(k: f64, n: f64, p: f64) -> f64 {
    if k <= 0.0 {
        return 1.0;
    }
    incomplete_beta(k, (n - k + 1.0).max(1e-9), p)
}

fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast on this side of the mean.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front =
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * x.ln() + b * (1.0 - x).ln();
    (front.exp() / a * fraction(a, b, x)).clamp(0.0, 1.0)
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let nonzero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut c, mut d) = (1.0, 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0)));
    let mut product = d;
    for step in 1..500 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / nonzero(1.0 + term * d);
            c = nonzero(1.0 + term / c);
            change = d * c;
            product *= change;
        }
        if (change - 1.0).abs() < 1e-13 {
            break;
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.stats.binom.sf(k - 1, n, p)
    #[test]
    fn the_tail_is_the_binomials() {
        for (k, n, p, expected) in [
            (5.0, 20.0, 0.05, 0.002_573_9),
            (12.0, 100.0, 0.05, 0.004_274_1),
            (1.0, 59.0, 0.05, 0.951_505_5),
            (60.0, 1_000.0, 0.05, 0.086_732),
            (20.0, 20.0, 0.5, 9.536_7e-7),
        ] {
            let tail: f64 = binomial_tail(k, n, p);
            // By summation, as a check of the table above.
            let (k, n) = (k as u32, n as u32);
            let summed: f64 = (k..=n)
                .map(|i| {
                    let [n, i] = [n, i].map(f64::from);
                    let ways =
                        libm::lgamma(n + 1.0) - libm::lgamma(i + 1.0) - libm::lgamma(n - i + 1.0);
                    (ways + i * f64::ln(p) + (n - i) * f64::ln(1.0 - p)).exp()
                })
                .sum();
            assert!(
                (tail / summed - 1.0).abs() < 1e-6,
                "{k} {n} {p}: {tail} {summed}"
            );
            assert!(
                (tail / expected - 1.0).abs() < 1e-3,
                "{k} {n} {p}: {tail} {expected}"
            );
        }
        assert_eq!(binomial_tail(0.0, 10.0, 0.3), 1.0);
    }
}
