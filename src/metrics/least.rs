//! From how many values on a percentile has an interval.

/// What may lie beyond each end of a 95 % interval.
pub(super) const TAIL: f64 = 0.025;

/// The fewest values from which the 95 % interval of the percentile `p` (0 to 1) exists: 6 for p50, 72 for
/// p95, 368 for p99. With fewer, even the largest value may well lie below the percentile.
pub fn least_for_interval(p: f64) -> u64 {
    let rarer = p.max(1.0 - p);
    if rarer.is_nan() || rarer >= 1.0 {
        return u64::MAX;
    }
    (TAIL.ln() / rarer.ln()).ceil() as u64
}
