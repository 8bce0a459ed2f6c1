//! The figures that are compared, and how each is held against the baseline's.

use super::bootstrap::{self, Gaps, Values};
use super::levels::Place;
use super::{Alike, Cell, LevelValues, UNCLEAR, USUAL_LEAST, Verdict, ranks};
use crate::domain::random::Random;
use crate::domain::run::{LevelReport, Rate, Stats};
use crate::domain::verdict;

/// Apart from any other use of chance.
const SEED: u64 = 0x00C0_4FA2;
/// In flight, so much more or less is to be looked at.
const IN_FLIGHT: f64 = 0.1;

/// One figure.
#[derive(Debug)]
pub(super) struct Figure {
    /// As `--fail-if` names it.
    pub(super) name: &'static str,
    /// For people.
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    better: Better,
    kind: Kind,
    /// It counts tokens.
    tokens: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    Less,
    More,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Percentile(Timed, f64),
    Rate(fn(&LevelReport) -> Option<Rate>),
    Goodput,
    Errors,
    InFlight,
}

/// What percentiles are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timed {
    Ttft,
    Itl,
    Tpot,
    Latency,
    User,
}

impl Timed {
    const ALL: [Self; 5] = [Self::Ttft, Self::Itl, Self::Tpot, Self::Latency, Self::User];

    fn stats(self, level: &LevelReport) -> &Stats {
        match self {
            Self::Ttft => &level.ttft_ms,
            Self::Itl => &level.itl_ms,
            Self::Tpot => &level.tpot_ms,
            Self::Latency => &level.latency_ms,
            Self::User => &level.user_tokens_per_s,
        }
    }

    /// `None` for gaps, which are not one a request.
    fn values(self, values: &LevelValues) -> Option<&[f64]> {
        match self {
            Self::Ttft => Some(&values.ttft_ms),
            Self::Itl => None,
            Self::Tpot => Some(&values.tpot_ms),
            Self::Latency => Some(&values.latency_ms),
            Self::User => Some(&values.user_tokens_per_s),
        }
    }
}

const fn time(name: &'static str, title: &'static str, of: Timed, p: f64) -> Figure {
    let tokens = matches!(of, Timed::Tpot);
    Figure {
        name,
        title,
        unit: "ms",
        better: Better::Less,
        kind: Kind::Percentile(of, p),
        tokens,
    }
}

const fn speed(name: &'static str, title: &'static str, unit: &'static str, kind: Kind) -> Figure {
    Figure {
        name,
        title,
        unit,
        better: Better::More,
        kind,
        tokens: false,
    }
}

/// Those of a level, in their order.
pub(super) const FIGURES: &[Figure] = &[
    time("ttft_p50", "TTFT p50, ms", Timed::Ttft, 0.5),
    time("ttft_p95", "TTFT p95, ms", Timed::Ttft, 0.95),
    time("ttft_p99", "TTFT p99, ms", Timed::Ttft, 0.99),
    time("itl_p50", "ITL p50, ms", Timed::Itl, 0.5),
    time("itl_p99", "ITL p99, ms", Timed::Itl, 0.99),
    time("tpot_p50", "TPOT p50, ms", Timed::Tpot, 0.5),
    time("latency_p50", "Latency p50, ms", Timed::Latency, 0.5),
    time("latency_p99", "Latency p99, ms", Timed::Latency, 0.99),
    Figure {
        tokens: true,
        ..speed(
            "user_tokens_per_s_p50",
            "Tok/s a user, p50",
            "tok/s",
            Kind::Percentile(Timed::User, 0.5),
        )
    },
    Figure {
        tokens: true,
        ..speed(
            "output_tokens_per_s",
            "Output tok/s",
            "tok/s",
            Kind::Rate(|l| l.throughput.output_tokens_per_s),
        )
    },
    speed(
        "requests_per_s",
        "Requests/s",
        "1/s",
        Kind::Rate(|l| l.throughput.requests_per_s),
    ),
    speed("goodput", "Goodput, %", "%", Kind::Goodput),
    Figure {
        name: "errors",
        title: "Errors",
        unit: "",
        better: Better::Less,
        kind: Kind::Errors,
        tokens: false,
    },
    speed("concurrency_reached", "In flight", "", Kind::InFlight),
];

/// That of a whole session.
pub(super) const PEAK: Figure = Figure {
    tokens: true,
    ..speed(
        "peak_output_tokens_per_s",
        "Peak tok/s",
        "tok/s",
        Kind::Rate(|level| level.throughput.output_tokens_per_s),
    )
};

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
    /// Whether it means the same on all sides.
    pub(super) fn is_alike(&self, alike: Alike) -> bool {
        (alike.tokens || !self.tokens) && (alike.objectives || !matches!(self.kind, Kind::Goodput))
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
            return if up == (self.better == Better::More) {
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
    place: &'a Place<'a>,
    distributions: Vec<(Timed, Distribution)>,
}

struct Distribution {
    values: Values,
    /// Whether they are what was measured, rather than a histogram of it.
    measured: bool,
    gaps: Option<Gaps>,
}

impl<'a> Prepared<'a> {
    pub(super) fn of(place: &'a Place<'a>) -> Self {
        let distribution = |of: Timed| {
            if let Some(values) = place.values {
                match of.values(values) {
                    Some([]) => {}
                    Some(each) => {
                        return Distribution {
                            values: Values::each(each),
                            measured: true,
                            gaps: None,
                        };
                    }
                    None if values.gaps_us.iter().all(Vec::is_empty) => {}
                    None => {
                        let gaps = Gaps::of(&values.gaps_us);
                        return Distribution {
                            values: gaps.pooled.clone(),
                            measured: true,
                            gaps: Some(gaps),
                        };
                    }
                }
            }
            Distribution {
                values: Values::of_stats(of.stats(place.level)),
                measured: false,
                gaps: None,
            }
        };
        let distributions = Timed::ALL
            .into_iter()
            .map(|of| (of, distribution(of)))
            .collect();
        Self {
            place,
            distributions,
        }
    }

    /// One figure; `seed` names it among all sides, models, levels and figures.
    pub(super) fn sample(&self, figure: &Figure, seed: &[u64]) -> Sampled {
        let level = self.place.level;
        let path: Vec<u64> = std::iter::once(SEED).chain(seed.iter().copied()).collect();
        let mut random = Random::at(&path);
        let value = verdict::value(figure.name, level).filter(|value| value.is_finite());
        match figure.kind {
            Kind::Percentile(of, p) => self.percentile(of, p, value, &mut random),
            Kind::Rate(rate) => Sampled::of_rate(rate(level)),
            Kind::Goodput => {
                let counts = level
                    .goodput
                    .as_ref()
                    .map(|good| [good.met, good.met + good.missed]);
                let draws =
                    counts.and_then(|[met, all]| bootstrap::share_draws(met, all, &mut random));
                Sampled {
                    value,
                    draws,
                    counts,
                    ..Sampled::default()
                }
            }
            Kind::Errors => {
                let counts = Some([level.requests.failed, level.requests.ended]);
                Sampled {
                    value,
                    counts,
                    ..Sampled::default()
                }
            }
            Kind::InFlight => Sampled {
                value,
                ..Sampled::default()
            },
        }
    }

    fn percentile(&self, of: Timed, p: f64, reported: Option<f64>, random: &mut Random) -> Sampled {
        let Some((_, found)) = self.distributions.iter().find(|(known, _)| *known == of) else {
            return Sampled {
                value: reported,
                ..Sampled::default()
            };
        };
        let stats = of.stats(self.place.level);
        let value = reported.or_else(|| found.values.at(p));
        let independent = match (&found.gaps, self.place.values) {
            (Some(gaps), Some(values)) => gaps.independent(&values.gaps_us, p),
            _ if found.measured => found.values.count() as u64,
            _ if of == Timed::Itl => bootstrap::implied(&found.values, stats, p),
            _ => stats.count,
        };
        let draws =
            value.and_then(|value| bootstrap::draws(&found.values, p, independent, value, random));
        let ranked = (p == 0.5).then(|| Ranked {
            each: match (&found.gaps, &found.values) {
                (Some(gaps), _) => Some(gaps.medians.clone()),
                (None, Values::Each(values)) => Some(values.clone()),
                (None, Values::Buckets(_)) => None,
            },
            buckets: stats.buckets.clone(),
            weight: if stats.count > 0 {
                (independent as f64 / stats.count as f64).min(1.0)
            } else {
                0.0
            },
        });
        let unknown = found.values.count() == 0.0 && value.is_some();
        Sampled {
            value,
            draws,
            ranked,
            unknown,
            ..Sampled::default()
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
    /// Hits, and of how many.
    counts: Option<[u64; 2]>,
    /// What can be ranked.
    ranked: Option<Ranked>,
    /// Only the figure is known, not what it is made of.
    unknown: bool,
}

#[derive(Debug)]
struct Ranked {
    /// One value a request, ascending.
    each: Option<Vec<f64>>,
    /// Those of the report.
    buckets: Vec<[f64; 3]>,
    /// As how many independent values one of them counts.
    weight: f64,
}

impl Sampled {
    fn of_rate(rate: Option<Rate>) -> Self {
        let rate = rate.filter(|rate| rate.mean.is_finite());
        Self {
            value: rate.map(|rate| rate.mean),
            ci: rate.and_then(|rate| rate.ci),
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

/// Holds a side's figure against the baseline's.
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
    if a == 0.0 && b == 0.0 && !matches!(figure.kind, Kind::Errors) {
        return (cell, Evidence::Settled(Verdict::NoDifference));
    }
    let found = match figure.kind {
        Kind::Percentile(..) => {
            let both = baseline.draws.as_ref().zip(other.draws.as_ref());
            let found = both.and_then(|(a, b)| bootstrap::change(a, b));
            cell.p = found.and_then(|_| rank(baseline.ranked.as_ref()?, other.ranked.as_ref()?));
            found.map(|(interval, p)| (interval, p.max(cell.p.unwrap_or(0.0))))
        }
        Kind::Rate(_) => {
            let both = baseline.ci.zip(other.ci);
            both.and_then(|(a_ci, b_ci)| bootstrap::change_of_intervals((a, a_ci), (b, b_ci)))
        }
        Kind::Goodput => {
            let both = baseline.draws.as_ref().zip(other.draws.as_ref());
            both.and_then(|(a, b)| bootstrap::change(a, b))
        }
        Kind::Errors => {
            // Counts of different totals have no change that would mean anything; shares decide.
            cell.change = None;
            let (Some(a), Some(b)) = (baseline.counts, other.counts) else {
                return (cell, Evidence::Settled(Verdict::TooFew));
            };
            let up = u128::from(b[0]) * u128::from(a[1]) > u128::from(a[0]) * u128::from(b[1]);
            let first = a[0] == 0 && b[0] > 0;
            let otherwise = if first {
                Verdict::Look
            } else {
                Verdict::NoDifference
            };
            return (
                cell,
                Evidence::Tested {
                    p: ranks::fisher(a, b),
                    up,
                    otherwise,
                },
            );
        }
        Kind::InFlight => {
            let verdict = match change {
                Some(change) if change.abs() < IN_FLIGHT => Verdict::NoDifference,
                _ => Verdict::Look,
            };
            return (cell, Evidence::Settled(verdict));
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

/// The rank test: of the requests' values where both sides have them, else of both histograms.
fn rank(a: &Ranked, b: &Ranked) -> Option<f64> {
    if let (Some(a), Some(b)) = (&a.each, &b.each) {
        return ranks::mann_whitney(a, b);
    }
    let mut groups: Vec<[f64; 3]> = a
        .buckets
        .iter()
        .map(|[from, _, n]| [*from, n * a.weight, 0.0])
        .collect();
    groups.extend(
        b.buckets
            .iter()
            .map(|[from, _, n]| [*from, 0.0, n * b.weight]),
    );
    groups.sort_by(|a, b| a[0].total_cmp(&b[0]));
    groups.dedup_by(|next, kept| {
        // The buckets of all levels have the same edges.
        let same = (next[0] - kept[0]).abs() <= kept[0].abs() * 1e-9;
        if same {
            *kept = [kept[0], kept[1] + next[1], kept[2] + next[2]];
        }
        same
    });
    ranks::mann_whitney_grouped(&groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::Condition;

    #[test]
    fn figures_are_named_as_conditions_name_them() {
        for Figure { name, .. } in FIGURES {
            assert!(Condition::parse(&format!("{name}>1")).is_ok(), "{name}");
        }
    }
}
