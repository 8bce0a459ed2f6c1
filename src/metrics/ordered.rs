//! What the requests of a level measured, in the order in which they were due: by this it is known how they depend on each
//! other ([`super::dependence`]).
//!
//! Bounded: of more than [`MOST_REQUESTS`] requests every second one is kept, then every fourth and so on, by its index;
//! the gaps of answers are thinned apart, by [`MOST_GAPS`]. Those that are kept count as so many values at most, so that
//! intervals of a longer level are wider than they could be, never narrower.

use std::time::Duration;

use super::dependence::{Dependence, Effective};
use super::request::RequestRecord;
use super::stats::Histogram;
use crate::domain::stats::Percentile;
use crate::domain::units::ms;

/// Requests at most, each of 72 bytes.
const MOST_REQUESTS: usize = 1 << 17;
/// Gaps at most, each of 4 bytes.
const MOST_GAPS: usize = 1 << 23;

/// A figure with one value a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Each {
    Ttft,
    FirstAnswer,
    Tpot,
    Latency,
    Connect,
    Late,
    UserSpeed,
    PromptTokens,
    CachedTokens,
    OutputTokens,
    ReasoningTokens,
}

impl Each {
    const ALL: [Self; 11] = [
        Self::Ttft,
        Self::FirstAnswer,
        Self::Tpot,
        Self::Latency,
        Self::Connect,
        Self::Late,
        Self::UserSpeed,
        Self::PromptTokens,
        Self::CachedTokens,
        Self::OutputTokens,
        Self::ReasoningTokens,
    ];

    fn of(self, record: &RequestRecord) -> Option<f64> {
        let figures = &record.figures;
        let count = |n: Option<u64>| n.map(|n| n as f64);
        match self {
            Self::Ttft => record.ttft().map(ms),
            Self::FirstAnswer => record.first_answer().map(ms),
            Self::Tpot => record.tpot().map(ms),
            Self::Latency => record.latency().map(ms),
            Self::Connect => figures.connect.map(ms),
            Self::Late => Some(ms(record.late())),
            Self::UserSpeed => record.user_speed(),
            Self::PromptTokens => count(figures.prompt_tokens),
            Self::CachedTokens => count(figures.cached_tokens),
            Self::OutputTokens => count(record.tokens().map(|tokens| tokens.n)),
            Self::ReasoningTokens => count(figures.reasoning.map(|it| it.tokens.n)),
        }
    }
}

/// Measured requests that ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Ordered {
    requests: Thinned<Row>,
    answers: Thinned<Vec<u32>>,
}

#[derive(Debug, Clone)]
struct Row {
    /// Not a number where the request does not have the figure, or failed.
    values: [f32; Each::ALL.len()],
    failed: bool,
    met: bool,
}

/// A request's moment and index, and what is kept of it.
type Kept<T> = (Duration, u64, T);

/// Every so-manieth of what was added, by index: a power of two.
#[derive(Debug, Clone)]
struct Thinned<T> {
    step: u64,
    kept: Vec<Kept<T>>,
    weight: usize,
}

impl<T> Default for Thinned<T> {
    fn default() -> Self {
        Self {
            step: 1,
            kept: Vec::new(),
            weight: 0,
        }
    }
}

impl<T: Clone> Thinned<T> {
    fn add(&mut self, it: Kept<T>, most: usize, weight: impl Fn(&T) -> usize) {
        if !it.1.is_multiple_of(self.step) {
            return;
        }
        self.weight += weight(&it.2);
        self.kept.push(it);
        // One that is heavier alone stays.
        while self.weight > most && self.kept.len() > 1 {
            self.step *= 2;
            let step = self.step;
            self.kept.retain(|(_, index, _)| index % step == 0);
            self.weight = self.kept.iter().map(|(_, _, it)| weight(it)).sum();
        }
    }

    fn in_order(&self) -> Vec<&Kept<T>> {
        let mut kept: Vec<&Kept<T>> = self.kept.iter().collect();
        kept.sort_unstable_by_key(|(due, index, _)| (*due, *index));
        kept
    }
}

impl Ordered {
    /// Adds a measured request that ended, well or not, and whether it met all objectives.
    pub(super) fn add(&mut self, record: &RequestRecord, met: bool) {
        let failed = record.error.is_some();
        let value = |each: Each| each.of(record).filter(|_| !failed);
        let row = Row {
            values: Each::ALL.map(|each| value(each).map_or(f32::NAN, |value| value as f32)),
            failed,
            met,
        };
        let (due, index) = (record.due.min(record.sent), record.index);
        self.requests.add((due, index, row), MOST_REQUESTS, |_| 1);
        if !failed && !record.gaps_us.is_empty() {
            let gaps = record.gaps_us.clone();
            self.answers.add((due, index, gaps), MOST_GAPS, Vec::len);
        }
    }

    /// Adds all of another's.
    pub(super) fn merge(&mut self, other: &Self) {
        for it in &other.requests.kept {
            self.requests.add(it.clone(), MOST_REQUESTS, |_| 1);
        }
        for it in &other.answers.kept {
            self.answers.add(it.clone(), MOST_GAPS, Vec::len);
        }
    }

    /// As how many independent values each figure's count; `itl` are the gaps of all. In an `open` loop requests come by
    /// chance, and may queue.
    pub(super) fn effects(&self, itl: &Histogram, open: bool) -> Effects {
        let rows = self.requests.in_order();
        let values = Each::ALL.map(|each| {
            let values = rows.iter().map(|(_, _, row)| row.values[each as usize]);
            let known = values.filter(|value| !value.is_nan());
            known.map(f64::from).collect::<Vec<f64>>()
        });
        // Latency and the first answer hold the waits that TTFT shows clearest.
        let ttft = Dependence::of(&values[Each::Ttft as usize], None).may_queue(open);
        let dependence = Each::ALL.map(|each| {
            let values = &values[each as usize];
            match each {
                Each::Ttft => ttft,
                Each::FirstAnswer | Each::Latency => {
                    Dependence::of(values, Some(&ttft)).may_queue(open)
                }
                _ => Dependence::of(values, None),
            }
        });
        let each = Each::ALL.map(|each| {
            let (values, dependence) = (&values[each as usize], dependence[each as usize]);
            at_percentiles(|it| Some(dependence.percentile(values, it.share())))
        });
        let batch = dependence[Each::Latency as usize].batch();
        // In a closed loop a queue changes who waits, not how much is served.
        let known = !open || ttft.is_known();
        let span = rows.first().zip(rows.last());
        let span = span.map(|((from, ..), (to, ..))| to.saturating_sub(*from));
        let each_us = span.map(|span| span.as_secs_f64() * 1e6 / rows.len() as f64);
        let hits = |of: fn(&Row) -> bool| {
            let hits = rows.iter().map(|(_, _, row)| f64::from(u8::from(of(row))));
            Dependence::of_share(&hits.collect::<Vec<f64>>(), Some(&ttft))
        };
        Effects {
            each,
            itl: self.gaps(itl),
            batch_us: if known {
                batch.zip(each_us).map(|(batch, us)| batch as f64 * us)
            } else {
                Some(f64::INFINITY)
            },
            failed: hits(|row| row.failed),
            met: hits(|row| row.met),
        }
    }

    fn gaps(&self, itl: &Histogram) -> Percentages {
        let answers = self.answers.in_order();
        let answers: Vec<&[u32]> = answers.iter().map(|(_, _, gaps)| gaps.as_slice()).collect();
        let dependence = Dependence::of(&mean_gaps(&answers), None);
        at_percentiles(|it| {
            let at = u32::try_from(itl.ticks_at(it.share())?).unwrap_or(u32::MAX);
            Some(dependence.gaps(answers.iter().copied(), it.share(), at))
        })
    }
}

/// The mean gap of each answer that has gaps.
pub(super) fn mean_gaps(answers: &[&[u32]]) -> Vec<f64> {
    let some = answers.iter().filter(|gaps| !gaps.is_empty());
    some.map(|gaps| gaps.iter().map(|gap| f64::from(*gap)).sum::<f64>() / gaps.len() as f64)
        .collect()
}

/// One for each percentile that has an interval.
type Percentages = Vec<(Percentile, Option<Effective>)>;

fn at_percentiles(mut of: impl FnMut(Percentile) -> Option<Effective>) -> Percentages {
    let all = Percentile::all_with_interval();
    all.map(|percentile| (percentile, of(percentile))).collect()
}

/// As how many independent values those of each figure count.
#[derive(Debug, Clone)]
pub(super) struct Effects {
    each: [Percentages; Each::ALL.len()],
    itl: Percentages,
    /// How long requests depend on each other, in µs: rates are of parts no shorter than that. Infinite where that is not
    /// known.
    pub(super) batch_us: Option<f64>,
    /// Of the share that failed.
    pub(super) failed: Effective,
    /// Of the share that met the objectives.
    pub(super) met: Effective,
}

impl Effects {
    pub(super) fn each(&self, figure: Each, percentile: Percentile) -> Option<Effective> {
        found(&self.each[figure as usize], percentile)
    }

    pub(super) fn itl(&self, percentile: Percentile) -> Option<Effective> {
        found(&self.itl, percentile)
    }
}

fn found(among: &Percentages, percentile: Percentile) -> Option<Effective> {
    among.iter().find(|(it, _)| *it == percentile)?.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_does_not_depend_on_the_order_in_which_it_came() {
        let of = |indexes: &mut dyn Iterator<Item = u64>| {
            let mut kept = Thinned::default();
            for index in indexes {
                let due = Duration::from_millis(index);
                kept.add((due, index, ()), 100, |()| 1);
            }
            kept
        };
        let (there, back) = (of(&mut (0..1_000)), of(&mut (0..1_000).rev()));
        assert_eq!((there.step, back.step), (16, 16));
        let indexes = |kept: &Thinned<()>| {
            let kept = kept.in_order().into_iter();
            kept.map(|(_, index, ())| *index).collect::<Vec<_>>()
        };
        assert_eq!(indexes(&there), (0..1_000).step_by(16).collect::<Vec<_>>());
        assert_eq!(indexes(&there), indexes(&back));
        assert_eq!(there.weight, 63);
    }

    #[test]
    fn one_answer_of_more_gaps_than_are_kept_stays() {
        let mut kept = Thinned::default();
        for index in 0..3 {
            kept.add((Duration::ZERO, index, vec![0; 50]), 20, Vec::len);
        }
        assert_eq!(kept.kept.len(), 1);
    }
}
