//! Shares of requests, and how sure they are where requests wait for each other.

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

    pub(super) fn missed(of: u32) -> Self {
        Self {
            hits: 0,
            of,
            value: f64::INFINITY,
            squares: 0.0,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) hits: u64,
    pub(super) of: u64,
}

impl Sum {
    pub(super) fn of(units: &[Unit]) -> Self {
        units.iter().fold(Self::default(), |sum, unit| Self {
            hits: sum.hits + u64::from(unit.hits),
            of: sum.of + u64::from(unit.of),
        })
    }

    pub(super) fn share(self) -> Option<f64> {
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
/// Requests that wait for each other vary together. How much is read in two ways, and the larger counts: by the variance
/// of about 20 batches (Schmeiser 1982), of the misses and of the requests beyond the sample's own percentile, since a
/// sample without a miss has no variance to see; and by the autocorrelation of the figures' ranks, summed over its
/// initial positive sequence (Geyer 1992). Gaps of one answer belong together: see [`within`].
pub fn counts_as(units: &[Unit], share: f64) -> f64 {
    let sum = Sum::of(units);
    let Some(met) = sum.share() else { return 0.0 };
    let residual = |unit: &Unit| f64::from(unit.hits) - met * f64::from(unit.of);
    let of_misses: Vec<f64> = units.iter().map(residual).collect();
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by(|a, b| units[*a].value.total_cmp(&units[*b].value));
    let mut ranks = vec![0.0; units.len()];
    for (rank, at) in order.iter().enumerate() {
        ranks[*at] = rank as f64;
    }
    let far = units.len() as f64 * share;
    let beyond: Vec<f64> = ranks
        .iter()
        .map(|rank| f64::from(u8::from(*rank >= far)))
        .collect();
    let batches = batch_inflation(&of_misses).max(batch_inflation(&beyond));
    let inflation = batches.max(autocorrelation(&ranks)).max(1.0);
    within(units, met, sum.of as f64, &of_misses) / inflation
}

/// 1 + 2 Σ ρ over the lags up to the first pair whose sum is not positive.
fn autocorrelation(values: &[f64]) -> f64 {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n.max(1) as f64;
    let around: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let variance: f64 = around.iter().map(|value| value * value).sum();
    if n < 20 || variance <= 0.0 {
        return 1.0;
    }
    let at = |lag: usize| {
        let pairs = around.iter().zip(&around[lag..]);
        pairs.map(|(a, b)| a * b).sum::<f64>() / variance
    };
    let mut sum = -1.0;
    for lag in (0..n / 4).step_by(2) {
        let pair = at(lag) + at(lag + 1);
        if pair <= 0.0 {
            break;
        }
        sum += 2.0 * pair;
    }
    sum.max(1.0)
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
    let known = || {
        units
            .iter()
            .filter(|unit| unit.of > 0 && unit.value.is_finite())
    };
    let sizes: f64 = known().map(|unit| f64::from(unit.of).powi(2)).sum();
    let n: f64 = known().map(|unit| f64::from(unit.of)).sum();
    let sum: f64 = known().map(|unit| unit.value * f64::from(unit.of)).sum();
    let between_sum: f64 = known()
        .map(|unit| unit.value.powi(2) * f64::from(unit.of))
        .sum();
    let squares: f64 = known().map(|unit| unit.squares).sum();
    if groups < 2.0 || n <= groups {
        return groups.max(1.0);
    }
    let own_size = sizes / n;
    let between = (between_sum - sum * sum / n).max(0.0) / (groups - 1.0);
    let inside = (squares - between_sum).max(0.0) / (n - groups);
    let size = (n - own_size) / (groups - 1.0);
    let total = between + (size - 1.0) * inside;
    let alike = if total > 0.0 {
        ((between - inside) / total).clamp(0.0, 1.0)
    } else {
        1.0
    };
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
