//! As how many independent values the requests of a level count.
//!
//! Requests that queue wait for each other: neighbours in time are alike, and n of them say less than n independent
//! ones would. What follows is computed from the values in the order in which their requests were due.
//!
//! - **Is there any?** The variance of means of 2, 4, 8, … neighbours against that of single values (the variance ratio
//!   of Cochrane 1988 and Lo and MacKinlay 1988, over overlapping batches), of the values and of their ranks. A ratio
//!   beyond [`SEEN`] deviations of independent values' is dependence. Where none is seen, n values count as n.
//! - **How far does it reach?** To where the initial positive sequence of the autocovariances ends (Geyer 1992), of
//!   values and ranks. A batch is twice as long. Latency holds the wait that TTFT shows clearest: its batches are no
//!   shorter than TTFT's.
//! - **How much is it?** For a percentile q the long-run variance of the indicator "≤ q", against its plain variance:
//!   overlapping batch means (Meketon and Schmeiser 1984), whose bias the lugsail form removes (Vats and Flegal 2022).
//!   Their quotient is the design effect D, never below 1: clients that take turns can make it smaller, and nothing is
//!   claimed of that. Of few batches, or few values beyond the percentile, D is drawn towards that of values and ranks,
//!   which is better known ([`CLEAR`]); that of latency also towards TTFT's.
//! - n / D values have an interval that is as wide as Student's t makes it, not the normal distribution, since D is
//!   itself an estimate: they count as (n / D) (z / t)² / [`DOUBT`]. The degrees of freedom are 0.75 a batch, at most
//!   those of n / D values (an autoregression's spectrum at zero) and of the independent values beyond the percentile
//!   (Satterthwaite's, by [`CLUSTERED`]), for latency those of TTFT's as well.
//! - **When is it not known?** A run that happens to be calm looks as if its dependence were short and its percentiles well
//!   known, so a rule that prints an interval where much seems to be known picks the calm runs, whose intervals are the
//!   false ones. Two things are done against it. D is taken [`DOUBT`] times as large as it seems, so that also the intervals
//!   of calm runs are wide enough. And the rule rests on what goes least with a run's calm: how many batches there are
//!   ([`LEAST_BATCHES`]; the length of the dependence goes with the error of the median at 0.2 to 0.4, how often the level
//!   came to something new at 0.9), and how many independent values lie beyond the percentile ([`LEAST_FREEDOM`]).
//! - Requests that come by chance (open loops) may queue though nothing of it was seen, and rare waits are the tail. So
//!   percentiles beyond p50 of what holds waits take [`LEAST_BEYOND`] values beyond them in any case: p95 500 requests, p99
//!   2,500.
//! - A share (of requests that failed, or met the objectives) counts as its own outcomes and TTFT say, whichever is less:
//!   outcomes that come of waits depend on each other as the waits do, and a few of them do not show it.
//!
//! Gaps of one answer are alike as well. The unit is the answer with all its gaps: what it adds to the share of gaps
//! below the percentile, (gaps ≤ q) − p (gaps), is the value that is followed (Woodruff 1952; Francisco and Fuller 1991),
//! and n is what independent answers would count as.
//!
//! `tests/fixtures/compare/dependence.py` holds these against statsmodels and numpy; `cargo bench --bench coverage`
//! against simulated servers.

use std::cmp::Ordering;

use super::least::least_for_interval;

/// Deviations from independence that are dependence.
const SEEN: f64 = 2.0;
/// A batch is so many times as long as the dependence reaches.
const BATCH: usize = 2;
/// Values that depend on each other have a design effect so many times as large as it seems: an interval that is printed is
/// that of a calm run more often than not.
const DOUBT: f64 = 2.0;
/// Of fewer batches nothing is known: with 8 a server 0.95 busy looks known in the calmest runs of 400 to 1,200 requests.
const LEAST_BATCHES: f64 = 12.0;
/// Where requests come by chance, a percentile beyond p50 has so many values beyond it, or no interval.
const LEAST_BEYOND: f64 = 25.0;
/// So many batches, or so many degrees of freedom of the values beyond the percentile, and a percentile's own design effect
/// is known as well as that of all values.
const CLEAR: f64 = 15.0;
/// Values beyond a percentile that come in rows of very unequal length say so many times less of how they vary than
/// Satterthwaite's independent ones would.
const CLUSTERED: f64 = 2.0;
/// Fewer answers say nothing of how answers differ.
const LEAST_ANSWERS: usize = 6;
/// Fewer values in the tail of a percentile, as Satterthwaite counts them, or answers in that of gaps, give no interval.
const LEAST_FREEDOM: f64 = 8.0;
/// Autocovariances are those of so many batches at most: a longer series is put together in parts.
const MOST_LAGGED: usize = 4_096;
/// What 2.5 % lie beyond in the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// How values that follow each other depend on each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dependence {
    n: usize,
    /// Values in a batch; `None` where no dependence is seen.
    batch: Option<usize>,
    /// The design effect of values and ranks, at least 1.
    effect: f64,
    /// That of the values that these have as a part, where those depend on each other.
    part: Option<f64>,
    /// Requests came by chance: they may queue, seen or not.
    may_queue: bool,
}

/// As how many independent values some count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effective {
    /// How many values there are.
    pub n: usize,
    /// The best guess.
    pub count: f64,
    /// What an interval may be built on; `None` where there is none.
    pub usable: Option<u64>,
    /// Degrees of freedom of the guess; infinite where nothing was guessed.
    pub freedom: f64,
    /// How many times longer a run must be to have an interval; 1 where it has one.
    pub longer: f64,
}

impl Effective {
    /// Each value counts.
    pub fn all(n: usize) -> Self {
        Self {
            n,
            count: n as f64,
            usable: Some(n as u64),
            freedom: f64::INFINITY,
            longer: 1.0,
        }
    }

    /// A guess of these degrees of freedom, of `n` values, that an interval takes for as much as it is or for less by
    /// `doubt`.
    fn guessed(n: usize, count: f64, freedom: f64, doubt: f64) -> Self {
        let usable = count * (Z / student(freedom)).powi(2) / doubt;
        Self {
            n,
            count,
            usable: Some(usable as u64),
            freedom,
            longer: (least_for_interval(0.5) as f64 / usable.max(1e-9)).max(1.0),
        }
    }

    /// As how many `n` of these values count, taken as evenly among them.
    #[must_use]
    pub fn among(self, n: u64) -> Self {
        let part = (n as f64 / self.n.max(1) as f64).min(1.0);
        Self {
            n: n as usize,
            count: self.count * part,
            usable: self.usable.map(|usable| (usable as f64 * part) as u64),
            ..self
        }
    }

    /// With an interval only where so many independent values have one of the percentile `p`.
    fn as_independent(self, p: f64) -> Self {
        let least = least_for_interval(p);
        match self.usable {
            Some(usable) if usable < least => self.without(least as f64 / usable.max(1) as f64),
            _ => self,
        }
    }

    /// No interval, and one only in a run that is so many times longer, or more.
    fn without(self, longer: f64) -> Self {
        Self {
            usable: None,
            longer: self.longer.max(longer),
            ..self
        }
    }
}

impl Dependence {
    /// Of values in the order in which their requests were due. `holds` are values that these have as a part: latency
    /// has TTFT.
    pub fn of(values: &[f64], holds: Option<&Self>) -> Self {
        let n = values.len();
        let both = [centred(values.to_vec()), centred(ranks(values))];
        let holds = holds.filter(|part| part.batch.is_some());
        let seen = both.iter().any(|series| is_seen(series));
        if !seen && holds.is_none() {
            return Self {
                n,
                batch: None,
                effect: 1.0,
                part: None,
                may_queue: false,
            };
        }
        let own = both.iter().map(|series| reach(series)).max().unwrap_or(0);
        // The same time as the other's, where more of one than of the other were measured.
        let theirs = holds.map_or(0, |part| {
            part.batch.unwrap_or(0) * n / part.n.max(1) / BATCH
        });
        let batch = batch(own.max(theirs), n);
        let effect = both.iter().map(|series| effect(series, batch));
        let effect = effect.fold(1.0, f64::max);
        // What it holds may hide in it.
        let effect = holds.map_or(effect, |part| effect.max((effect * part.effect).sqrt()));
        Self {
            n,
            batch: Some(batch),
            effect,
            part: holds.map(|part| part.effect),
            may_queue: false,
        }
    }

    /// Of values that hold waits, of requests that came by chance: a run may be too calm to show that they queue.
    #[must_use]
    pub fn may_queue(self, may: bool) -> Self {
        Self {
            may_queue: may,
            ..self
        }
    }

    /// Enough was seen to know how these values vary from one busy time to the next.
    pub fn is_known(&self) -> bool {
        self.batch
            .is_none_or(|batch| self.n as f64 >= LEAST_BATCHES * batch as f64)
    }

    /// How many neighbours depend on each other; `None` where no dependence is seen.
    pub fn batch(&self) -> Option<usize> {
        self.batch
    }

    /// As how many these values count around the percentile `p` (0 to 1).
    pub fn percentile(&self, values: &[f64], p: f64) -> Effective {
        let Some(at) = nearest(values, p) else {
            return Effective::all(self.n);
        };
        let below = values.iter().map(|value| f64::from(u8::from(*value <= at)));
        let around = centred(below.collect());
        let found = match self.batch {
            Some(_) => self.share(&around, p),
            // Of a few long waits in a row the values as a whole may show nothing.
            None if is_seen(&around) => Self {
                batch: Some(batch(reach(&around), self.n)),
                ..*self
            }
            .share(&around, p),
            None => Effective::all(self.n),
        };
        // The middle of a calm run is as it is.
        let longer = LEAST_BEYOND / (self.n as f64 * (1.0 - p));
        if self.may_queue && p > 0.5 && longer > 1.0 {
            found.without(longer)
        } else {
            found
        }
    }

    /// As how many hits and misses count, told by zeros and ones. `waits` is the dependence of what they may come of: TTFT's.
    pub fn of_share(hits: &[f64], waits: Option<&Self>) -> Effective {
        let n = hits.len() as f64;
        let share = hits.iter().sum::<f64>() / n.max(1.0);
        // Times of the rarer outcome are what tells how they follow each other.
        let rarer: Vec<f64> = if share > 0.5 {
            hits.iter().map(|hit| 1.0 - hit).collect()
        } else {
            hits.to_vec()
        };
        let own = Self::of(&rarer, None);
        let own = (own.batch.is_some() && share > 0.0 && share < 1.0)
            .then(|| own.share(&centred(rarer), share));
        let waits = waits.and_then(|waits| {
            let batches = waits.n as f64 / waits.batch? as f64;
            let count = n / waits.effect;
            let freedom = (0.75 * batches).min(count / DOUBT).max(1.0);
            let guess = Effective::guessed(hits.len(), count, freedom, DOUBT);
            Some(if waits.is_known() {
                guess
            } else {
                guess.without(LEAST_BATCHES / batches)
            })
        });
        let both = [own, waits].into_iter().flatten();
        both.min_by_key(|it| it.usable.unwrap_or(0))
            .unwrap_or_else(|| Effective::all(hits.len()))
    }

    /// Of zeros and ones less their mean `p`.
    fn share(&self, around: &[f64], p: f64) -> Effective {
        let n = around.len() as f64;
        let tail = p.min(1.0 - p);
        self.guess(
            around,
            (around.len(), n),
            |effect| 2.0 * n / effect * tail,
            self.part.map(|effect| 2.0 * n / effect * tail),
        )
    }

    /// As how many gaps those of these answers count around their percentile `p`, of which `at` is the value. They are
    /// the answers' of whose mean gaps this is the dependence.
    pub fn gaps<'a>(&self, answers: impl Iterator<Item = &'a [u32]>, p: f64, at: u32) -> Effective {
        let counts: Vec<[f64; 2]> = answers
            .filter(|gaps| !gaps.is_empty())
            .map(|gaps| {
                let below = gaps.iter().filter(|gap| **gap <= at).count();
                [below as f64, gaps.len() as f64]
            })
            .collect();
        let n = counts.len() as f64;
        let [below, all] = counts.iter().fold([0.0; 2], |sum, count| {
            [sum[0] + count[0], sum[1] + count[1]]
        });
        if counts.len() < LEAST_ANSWERS {
            let longer = LEAST_ANSWERS as f64 / n.max(1.0);
            return Effective::guessed(all as usize, n, 1.0, 1.0).without(longer);
        }
        let share = below / all;
        let around: Vec<f64> = counts
            .iter()
            .map(|[below, all]| below - share * all)
            .collect();
        let power = |exponent| around.iter().map(|d| d.powi(exponent)).sum::<f64>();
        let (squares, fourths) = (power(2), power(4));
        let variance = squares * n / (n - 1.0) / (all * all);
        if variance <= 0.0 {
            // All gaps alike, as far as can be seen: no more than the answers say.
            return Effective::guessed(all as usize, n, n - 1.0, 1.0).as_independent(p);
        }
        let alone = (share * (1.0 - share) / variance).min(all);
        let freedom = (2.0 * squares * squares / fourths).min(n - 1.0);
        let alone = (all as usize, alone);
        self.guess(&centred(around), alone, |effect| freedom / effect, None)
            .as_independent(p)
    }

    /// `all`: how many values there are, and as how many they would count if each request were independent of the others.
    /// `known`: the degrees of freedom that the values themselves have, by the design effect; `part`: those of the values
    /// that these hold.
    fn guess(
        &self,
        around: &[f64],
        (all, alone): (usize, f64),
        known: impl Fn(f64) -> f64,
        part: Option<f64>,
    ) -> Effective {
        let n = around.len() as f64;
        let Some(batch) = self.batch else {
            let freedom = known(1.0);
            let guess = Effective::guessed(all, alone, freedom, 1.0);
            return if freedom < LEAST_FREEDOM {
                guess.without(LEAST_FREEDOM / freedom)
            } else {
                guess
            };
        };
        let batches = n / batch as f64;
        let own = effect(around, batch);
        let towards = CLEAR / (CLEAR + known(own).min(batches));
        let effect = if self.effect > own {
            own.powf(1.0 - towards) * self.effect.powf(towards)
        } else {
            own
        };
        let freedom = (known(DOUBT * effect) / CLUSTERED)
            .min(0.75 * batches)
            .min(n / effect / DOUBT)
            .min(part.unwrap_or(f64::INFINITY));
        let guess = Effective::guessed(all, alone / effect, freedom.max(1.0), DOUBT);
        let longer = (LEAST_BATCHES / batches).max(LEAST_FREEDOM / CLUSTERED / freedom.max(1e-9));
        if longer > 1.0 {
            guess.without(longer)
        } else {
            guess
        }
    }
}

/// A batch's length in a series of `n` values whose dependence reaches so far.
fn batch(reach: usize, n: usize) -> usize {
    (BATCH * reach).clamp(1, (n / 4).max(1))
}

/// Their mean taken off.
fn centred(mut values: Vec<f64>) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.iter_mut().for_each(|value| *value -= mean);
    values
}

/// Ranks from 1, those of equal values the same.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut out = vec![0.0; values.len()];
    let mut from = 0;
    let equal = |a: usize, b: usize| values[a].total_cmp(&values[b]) == Ordering::Equal;
    for run in order.chunk_by(|a, b| equal(*a, *b)) {
        let rank = from as f64 + (run.len() + 1) as f64 / 2.0;
        run.iter().for_each(|at| out[*at] = rank);
        from += run.len();
    }
    out
}

/// The value with the share `p` of all at or below it, by nearest rank.
pub(super) fn nearest(values: &[f64], p: f64) -> Option<f64> {
    let rank = (p * values.len() as f64 - 1e-9).ceil() as usize;
    let at = rank.max(1).min(values.len()).checked_sub(1)?;
    let mut values = values.to_vec();
    Some(*values.select_nth_unstable_by(at, f64::total_cmp).1)
}

/// The autocovariance of a centred series.
pub(crate) fn autocovariance(series: &[f64], lag: usize) -> f64 {
    let later = series.get(lag..).unwrap_or_default();
    series.iter().zip(later).map(|(a, b)| a * b).sum::<f64>() / series.len().max(1) as f64
}

/// The long-run variance of a centred series by overlapping batches of so many values.
pub(crate) fn batch_means(series: &[f64], batch: usize) -> f64 {
    let n = series.len();
    let batch = batch.clamp(1, n.saturating_sub(1).max(1));
    if n < 2 {
        return 0.0;
    }
    let mut sum: f64 = series[..batch].iter().sum();
    let mut squares = sum * sum;
    for (entering, leaving) in series[batch..].iter().zip(series) {
        sum += entering - leaving;
        squares += sum * sum;
    }
    let [n, batch] = [n as f64, batch as f64];
    squares * n / (batch * (n - batch) * (n - batch + 1.0))
}

/// The same without its first bias.
pub(crate) fn long_run_variance(series: &[f64], batch: usize) -> f64 {
    let plain = batch_means(series, batch);
    (2.0 * plain - batch_means(series, (batch / 2).max(1))).max(plain)
}

/// The design effect of a centred series, at least 1.
fn effect(series: &[f64], batch: usize) -> f64 {
    let plain = autocovariance(series, 0);
    if plain <= 0.0 {
        return 1.0;
    }
    (long_run_variance(series, batch) / plain).max(1.0)
}

/// Whether neighbours of a centred series are more alike than independent ones.
fn is_seen(series: &[f64]) -> bool {
    let n = series.len();
    let plain = autocovariance(series, 0);
    if plain <= 0.0 {
        return false;
    }
    let lengths = std::iter::successors(Some(2usize), |length| Some(length * 2));
    lengths.take_while(|length| length * 8 <= n).any(|length| {
        let deviation = (4.0 / 3.0 * length as f64 / n as f64).sqrt().min(1.0);
        batch_means(series, length) / plain > 1.0 + SEEN * deviation
    })
}

/// How far the dependence of a centred series reaches, in values.
pub(crate) fn reach(series: &[f64]) -> usize {
    let part = series.len().div_ceil(MOST_LAGGED).max(1);
    if part > 1 {
        let parts = series.chunks_exact(part);
        let sums: Vec<f64> = parts.map(|part| part.iter().sum()).collect();
        return reach(&sums).max(1) * part;
    }
    let pair = |lag| autocovariance(series, lag) + autocovariance(series, lag + 1);
    let mut lag = 0;
    while lag + 1 < series.len() / 2 && pair(lag) > 0.0 {
        lag += 2;
    }
    lag.max(1) - 1
}

/// Student's t: what 2.5 % lie beyond on each side (Wallace 1959, turned round), to about 1 % from 4 degrees of freedom
/// up.
pub(crate) fn student(freedom: f64) -> f64 {
    if freedom > 1e6 {
        return Z;
    }
    let v = freedom.max(1.0);
    let z = Z * (8.0 * v + 3.0) / (8.0 * v + 1.0);
    (v * (z * z / v).exp_m1()).sqrt()
}

/// How likely Student's t is beyond ±`t`, both ends together (Wallace 1959).
pub(crate) fn beyond_student(t: f64, freedom: f64) -> f64 {
    let z = if freedom > 1e6 {
        t.abs()
    } else {
        let v = freedom.max(1.0);
        (8.0 * v + 1.0) / (8.0 * v + 3.0) * (v * (t * t / v).ln_1p()).sqrt()
    };
    libm::erfc(z / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests;
