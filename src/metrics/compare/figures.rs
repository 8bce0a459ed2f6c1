//! The figures that are compared, and how each is compared with the baseline's.

use std::sync::LazyLock;

use super::bootstrap::{self, Gaps, Values};
use super::levels::SideLevel;
use super::ranked::{Ranked, finite, rank};
use super::{Alike, Cell, LevelValues, UNCLEAR, USUAL_LEAST, Verdict, ranks};
use crate::domain::figures::{
    self, Better, Distribution, ITL, LATENCY, Metric, Read, TPOT, TTFT, USER_SPEED,
};
use crate::domain::random::Random;
use crate::domain::run::{LevelReport, Rate};
use crate::domain::stats::{P50, Percentile, Stats};
use crate::metrics::dependence::{Dependence, Effective};
use crate::metrics::rates::LEAST_BATCHES;

/// Apart from any other use of chance.
const SEED: u64 = 0x00C0_4FA2;
/// In flight, so much more or less is to be looked at.
const IN_FLIGHT: f64 = 0.1;

/// One figure and how it is tested.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    pub(super) metric: Metric,
    test: Test,
}

/// How a change of a figure is told from chance.
#[derive(Debug, Clone, Copy)]
enum Test {
    Percentile(&'static Distribution, Percentile),
    Rate(fn(&LevelReport) -> Option<Rate>),
    Goodput,
    Errors,
    /// Not at all: what is not the same is to be looked at.
    Look,
}

impl Test {
    fn of(metric: &Metric) -> Self {
        match (&metric.read, metric.key.as_str()) {
            (Read::Percentile(of, percentile), _) => Self::Percentile(of, *percentile),
            (Read::Rate(rate), _) => Self::Rate(*rate),
            (_, figures::GOODPUT) => Self::Goodput,
            (_, figures::ERRORS) => Self::Errors,
            _ => Self::Look,
        }
    }
}

/// Those of a level, in their order.
pub(super) static FIGURES: LazyLock<Vec<Figure>> = LazyLock::new(|| {
    figures::compared()
        .map(|metric| Figure::of(metric.clone()))
        .collect()
});

/// That of a whole session.
pub(super) static PEAK: LazyLock<Option<Figure>> = LazyLock::new(|| {
    let output = figures::find(figures::OUTPUT_RATE)?.clone();
    let (key, title) = (format!("peak_{}", output.key), "Peak tok/s".to_owned());
    Some(Figure::of(Metric {
        key,
        title,
        ..output
    }))
});

/// What one value a request is; `None` for gaps, which are not one a request, and for what requests do not keep.
fn each<'a>(of: &Distribution, values: &'a LevelValues) -> Option<&'a [f64]> {
    let each = [
        (&TTFT, &values.ttft_ms),
        (&TPOT, &values.tpot_ms),
        (&LATENCY, &values.latency_ms),
        (&USER_SPEED, &values.user_tokens_per_s),
    ];
    each.into_iter()
        .find(|(known, _)| known.key == of.key)
        .map(|(_, values)| values.as_slice())
}

/// What is known of a change before all are looked at together.
#[derive(Debug, Clone, Copy)]
pub(super) enum Evidence {
    /// Tested.
    Tested {
        /// The larger of the p of interval and rank test.
        p: f64,
        /// The figure went up; told by the change itself where there is one.
        up: bool,
        /// What it is when the test finds nothing.
        otherwise: Verdict,
    },
    /// It cannot be tested.
    Settled(Verdict),
}

impl Figure {
    fn of(metric: Metric) -> Self {
        Self {
            test: Test::of(&metric),
            metric,
        }
    }

    /// Whether it means the same on all sides.
    pub(super) fn is_alike(&self, alike: Alike) -> bool {
        (alike.tokens || !self.metric.counts_tokens)
            && (alike.objectives || !matches!(self.test, Test::Goodput))
    }

    /// The verdict on a tested change.
    pub(super) fn verdict(
        &self,
        cell: &Cell,
        significant: bool,
        up: bool,
        otherwise: Verdict,
        least_change: f64,
    ) -> Verdict {
        let sure = cell
            .interval
            .is_none_or(|[low, high]| low > 0.0 || high < 0.0);
        let matters = cell
            .change
            .is_none_or(|change| change.abs() >= least_change);
        if significant && sure && matters {
            return if up == (self.metric.better == Some(Better::Higher)) {
                Verdict::Better
            } else {
                Verdict::Worse
            };
        }
        let unclear = UNCLEAR * least_change.max(USUAL_LEAST);
        let wide = |[low, high]: [f64; 2]| low < -unclear || high > unclear;
        if !significant && cell.interval.is_some_and(wide) {
            Verdict::TooFew
        } else {
            otherwise
        }
    }
}

/// A level's distributions, sorted once for all their percentiles.
pub(super) struct Prepared<'a> {
    source: &'a SideLevel<'a>,
    /// How the requests' TTFTs depend on each other, where they are at hand.
    ttft: Option<Dependence>,
    distributions: Vec<(&'static Distribution, Sorted<'a>)>,
}

struct Sorted<'a> {
    values: Values,
    made_of: MadeOf<'a>,
}

/// What values are made of.
enum MadeOf<'a> {
    /// Each request's value, in the order in which they were due.
    Requests(&'a [f64], Dependence),
    /// The gaps of requests.
    Gaps(Gaps, &'a [Vec<u32>]),
    /// Nobody knows any more: only their histogram is at hand.
    Histogram,
}

impl<'a> Prepared<'a> {
    pub(super) fn of(source: &'a SideLevel<'a>) -> Self {
        let open = source.level.load.is_open();
        let ttft = source.values;
        let ttft = ttft.map(|values| depends(&values.ttft_ms, None).may_queue(open));
        let sorted = |of: &'static Distribution| {
            if let Some(values) = source.values {
                match each(of, values) {
                    Some([]) => {}
                    Some(each) => {
                        // Latency has the same waits in it.
                        let holds = ttft.as_ref().filter(|_| of.key == LATENCY.key);
                        let waits = [TTFT.key, LATENCY.key].contains(&of.key);
                        return Sorted {
                            values: Values::each(each),
                            made_of: MadeOf::Requests(
                                each,
                                depends(each, holds).may_queue(open && waits),
                            ),
                        };
                    }
                    None if of.key != ITL.key || values.gaps_us.iter().all(Vec::is_empty) => {}
                    None => {
                        let gaps = Gaps::of(&values.gaps_us);
                        return Sorted {
                            values: gaps.pooled.clone(),
                            made_of: MadeOf::Gaps(gaps, &values.gaps_us),
                        };
                    }
                }
            }
            let values = (of.read)(source.level)
                .map_or_else(|| Values::Buckets(Vec::new()), Values::of_stats);
            Sorted {
                values,
                made_of: MadeOf::Histogram,
            }
        };
        let distributions = figures::tabled_distributions()
            .map(|of| (of, sorted(of)))
            .collect();
        Self {
            source,
            ttft,
            distributions,
        }
    }

    /// One figure; `seed` names it among all sides, models, levels and figures.
    pub(super) fn sample(&self, figure: &Figure, seed: &[u64]) -> Sampled {
        let level = self.source.level;
        let path: Vec<u64> = std::iter::once(SEED).chain(seed.iter().copied()).collect();
        let mut random = Random::at(&path);
        let value = figure.metric.value(level).filter(|value| value.is_finite());
        match figure.test {
            Test::Percentile(of, percentile) => self.percentile(of, percentile, value, &mut random),
            Test::Rate(rate) => Sampled::of_rate(rate(level)),
            Test::Goodput => self.goodput(value, &mut random),
            Test::Errors => {
                let requests = &level.requests;
                let independent = requests.effective.or_else(|| self.outcomes(|it| it[0]));
                let share = |n: u64, all: u64| {
                    let part = independent.unwrap_or(all).min(all) as f64 / all.max(1) as f64;
                    (n as f64 * part).round() as u64
                };
                let (failed, ended) = (requests.failed, requests.ended);
                Sampled {
                    value,
                    counts: Some([failed, ended]),
                    independent: Some([share(failed, ended), share(ended, ended)]),
                    ..Sampled::default()
                }
            }
            Test::Look => Sampled {
                value,
                ..Sampled::default()
            },
        }
    }

    /// As how many independent requests those that ended count for the share of these outcomes.
    fn outcomes(&self, of: impl Fn(&[bool; 2]) -> bool) -> Option<u64> {
        let outcomes = &self.source.values?.outcomes;
        let hits = outcomes.iter().map(|it| f64::from(u8::from(of(it))));
        let hits: Vec<f64> = hits.collect();
        (!hits.is_empty()).then(|| {
            let share = Dependence::of_share(&hits, self.ttft.as_ref());
            share.usable.unwrap_or(0)
        })
    }

    fn goodput(&self, value: Option<f64>, random: &mut Random) -> Sampled {
        let good = self.source.level.goodput.as_ref();
        let draws = good.and_then(|good| {
            let all = good.met + good.missed;
            let effective = good.effective.or_else(|| self.outcomes(|it| it[1]));
            bootstrap::share_draws(good.met, all, effective.unwrap_or(all), random)
        });
        Sampled {
            value,
            draws,
            ..Sampled::default()
        }
    }

    fn percentile(
        &self,
        of: &Distribution,
        percentile: Percentile,
        reported: Option<f64>,
        random: &mut Random,
    ) -> Sampled {
        let found = self
            .distributions
            .iter()
            .find(|(known, _)| known.key == of.key);
        let Some(((_, found), stats)) = found.zip((of.read)(self.source.level)) else {
            return Sampled {
                value: reported,
                ..Sampled::default()
            };
        };
        let p = percentile.share();
        let value = reported.or_else(|| found.values.at(p));
        let effective = found.effective(of, stats, percentile);
        let independent = effective.and_then(|it| it.usable).unwrap_or(0);
        let draws =
            value.and_then(|value| bootstrap::draws(&found.values, p, independent, value, random));
        let ranked = (percentile == P50).then(|| found.ranked(stats, independent));
        let unknown = found.values.count() == 0.0 && value.is_some();
        Sampled {
            value,
            draws,
            freedom: effective.map(|it| it.freedom),
            ranked,
            unknown,
            ..Sampled::default()
        }
    }
}

/// How values depend on each other; what is no number is left out.
fn depends(values: &[f64], holds: Option<&Dependence>) -> Dependence {
    Dependence::of(&finite(values), holds)
}

impl Sorted<'_> {
    /// As how many independent values they count around a percentile.
    fn effective(
        &self,
        of: &Distribution,
        stats: &Stats,
        percentile: Percentile,
    ) -> Option<Effective> {
        let p = percentile.share();
        match &self.made_of {
            MadeOf::Gaps(gaps, requests) => gaps.effective(requests, p),
            MadeOf::Requests(values, dependence) => Some(dependence.percentile(&finite(values), p)),
            MadeOf::Histogram => {
                let known = stats.estimate(percentile).effective.is_some() || of.key == ITL.key;
                let n = if known {
                    bootstrap::implied(&self.values, stats, percentile)
                } else {
                    stats.count
                };
                Some(Effective::all(n as usize))
            }
        }
    }

    fn ranked(&self, stats: &Stats, independent: u64) -> Ranked {
        let (each, weight) = match &self.made_of {
            MadeOf::Requests(values, _) => {
                let each = finite(values);
                let weight = independent as f64 / each.len().max(1) as f64;
                (Some(each), weight)
            }
            MadeOf::Gaps(gaps, _) => {
                let medians = finite(&gaps.medians);
                let own = Dependence::of(&medians, None).percentile(&medians, 0.5);
                let weight = own.usable.unwrap_or(0) as f64 / medians.len().max(1) as f64;
                (Some(medians), weight)
            }
            MadeOf::Histogram => (None, independent as f64 / stats.count.max(1) as f64),
        };
        let each = each.map(|mut each| {
            each.sort_unstable_by(f64::total_cmp);
            each
        });
        Ranked {
            each,
            buckets: stats.buckets.clone(),
            weight: weight.min(1.0),
        }
    }
}

/// A figure of one side, with what is needed to test it.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    pub(super) value: Option<f64>,
    /// Its bootstrap distribution.
    draws: Option<Vec<f64>>,
    /// Its own 95 % interval, of rates.
    ci: Option<[f64; 2]>,
    /// Of Student's t, by which draws or interval are made; `None` where that is the normal distribution.
    freedom: Option<f64>,
    /// Hits, and of how many.
    counts: Option<[u64; 2]>,
    /// The same of as many as are independent.
    independent: Option<[u64; 2]>,
    /// What can be ranked.
    ranked: Option<Ranked>,
    /// Only the figure is known, not what it is made of.
    unknown: bool,
}

impl Sampled {
    fn of_rate(rate: Option<Rate>) -> Self {
        let rate = rate.filter(|rate| rate.mean.is_finite());
        Self {
            value: rate.map(|rate| rate.mean),
            ci: rate.and_then(|rate| rate.ci),
            freedom: rate.map(|rate| rate.batches.unwrap_or(LEAST_BATCHES) as f64 - 1.0),
            ..Self::default()
        }
    }

    /// The most output tokens per second, from the level that had them.
    pub(super) fn of_peak(level: Option<&LevelReport>) -> Self {
        level.map_or_else(Self::default, |level| {
            Self::of_rate(level.throughput.output_tokens_per_s)
        })
    }
}

/// Compares a side's figure with the baseline's.
pub(super) fn against(figure: &Figure, baseline: &Sampled, other: &Sampled) -> (Cell, Evidence) {
    let (Some(a), Some(b)) = (baseline.value, other.value) else {
        let cell = Cell {
            value: other.value,
            change: None,
            interval: None,
            p: None,
            verdict: Verdict::TooFew,
        };
        return (cell, Evidence::Settled(Verdict::TooFew));
    };
    let change = if a == 0.0 {
        (b == 0.0).then_some(0.0)
    } else {
        Some((b - a) / a)
    };
    let mut cell = Cell {
        value: Some(b),
        change,
        interval: None,
        p: None,
        verdict: Verdict::TooFew,
    };
    let up = b > a;
    if a == 0.0 && b == 0.0 && !matches!(figure.test, Test::Errors) {
        return (cell, Evidence::Settled(Verdict::NoDifference));
    }
    let freedoms = [baseline.freedom, other.freedom].into_iter().flatten();
    let freedom = freedoms.fold(f64::INFINITY, f64::min);
    let found = match figure.test {
        Test::Errors => return of_errors(cell, baseline, other),
        Test::Look => return to_be_looked_at(cell),
        Test::Percentile(..) => {
            let both = baseline.draws.as_ref().zip(other.draws.as_ref());
            let found = both.and_then(|(a, b)| bootstrap::change(a, b, freedom));
            cell.p = found.and_then(|_| rank(baseline.ranked.as_ref()?, other.ranked.as_ref()?));
            found.map(|(interval, p)| (interval, p.max(cell.p.unwrap_or(0.0))))
        }
        Test::Rate(_) => {
            let both = baseline.ci.zip(other.ci);
            both.and_then(|(a_ci, b_ci)| {
                bootstrap::change_of_intervals((a, a_ci), (b, b_ci), freedom)
            })
        }
        Test::Goodput => {
            let both = baseline.draws.as_ref().zip(other.draws.as_ref());
            both.and_then(|(a, b)| bootstrap::change(a, b, freedom))
        }
    };
    let evidence = match found {
        Some((interval, p)) => {
            cell.interval = Some(interval);
            Evidence::Tested {
                p,
                up,
                otherwise: Verdict::NoDifference,
            }
        }
        None if baseline.unknown || other.unknown => Evidence::Settled(Verdict::Look),
        None => Evidence::Settled(Verdict::TooFew),
    };
    (cell, evidence)
}

/// Counts of different totals have no change that would mean anything; shares decide.
fn of_errors(cell: Cell, baseline: &Sampled, other: &Sampled) -> (Cell, Evidence) {
    let cell = Cell {
        change: None,
        ..cell
    };
    let (Some(a), Some(b)) = (baseline.counts, other.counts) else {
        return (cell, Evidence::Settled(Verdict::TooFew));
    };
    let is_first = a[0] == 0 && b[0] > 0;
    let independent = baseline.independent.zip(other.independent);
    let evidence = Evidence::Tested {
        p: independent.map_or(1.0, |(a, b)| ranks::fisher(a, b)),
        up: u128::from(b[0]) * u128::from(a[1]) > u128::from(a[0]) * u128::from(b[1]),
        otherwise: if is_first {
            Verdict::Look
        } else {
            Verdict::NoDifference
        },
    };
    (cell, evidence)
}

fn to_be_looked_at(cell: Cell) -> (Cell, Evidence) {
    let verdict = match cell.change {
        Some(change) if change.abs() < IN_FLIGHT => Verdict::NoDifference,
        _ => Verdict::Look,
    };
    (cell, Evidence::Settled(verdict))
}
