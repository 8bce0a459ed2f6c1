//! Shares of requests, and how sure they are where requests wait for each other.

use crate::metrics::dependence::Dependence;

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

/// As how many independent values some count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    /// The best guess.
    pub likely: f64,
    /// What may be built on; `None` where too little is known of how requests wait for each other.
    pub sure: Option<f64>,
}

/// As how many independent values these count, in the order in which they were due: the one place that says it.
///
/// By [`Dependence`], around the share that is asked for: of the figures, since a sample without a miss has no variance of
/// its own, and of the misses. Gaps of one answer belong together besides: see [`within`].
pub fn counts_as(units: &[Unit], share: f64) -> Counts {
    let sum = Sum::of(units);
    let Some(met) = sum.share() else {
        return Counts {
            likely: 0.0,
            sure: None,
        };
    };
    let finite = units
        .iter()
        .map(|unit| unit.value)
        .filter(|value| value.is_finite());
    let most = finite.fold(1.0, f64::max);
    // A failed request has no figure: it is far out.
    let values: Vec<f64> = units
        .iter()
        .map(|unit| unit.value.min(2.0 * most))
        .collect();
    let hits: Vec<f64> = units
        .iter()
        .map(|unit| f64::from(u8::from(unit.hits == unit.of)))
        .collect();
    let both = [
        Dependence::of(&values, None).percentile(&values, share),
        Dependence::of_share(&hits),
    ];
    let apart = within(units, met, sum.of as f64) / units.len() as f64;
    let likely = both.iter().map(|it| it.count).fold(f64::INFINITY, f64::min);
    let sure = both.iter().map(|it| it.usable.map(|n| n as f64));
    let sure = sure.reduce(|a, b| Some(a?.min(b?))).flatten();
    Counts {
        likely: likely * apart,
        sure: sure.map(|sure| sure * apart),
    }
}

/// As how many independent values gaps count, were answers independent of each other: by the variance between answers
/// where there are misses enough to see it, else by the intraclass correlation of the gaps (see [`crate::metrics::stats`]).
fn within(units: &[Unit], met: f64, all: f64) -> f64 {
    if units.iter().all(|unit| unit.of <= 1) {
        return all;
    }
    let missing = units.iter().filter(|unit| unit.hits < unit.of).count();
    let groups = units.iter().filter(|unit| unit.of > 0).count() as f64;
    if missing >= 10 {
        let residual = |unit: &Unit| f64::from(unit.hits) - met * f64::from(unit.of);
        let squares: f64 = units.iter().map(|unit| residual(unit).powi(2)).sum();
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
