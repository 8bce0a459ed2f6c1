//! What a probe tests, and what a request says of it.

use std::time::Duration;

use super::share::Unit;
use crate::domain::plan::{Bound, Find, Limit, LimitFigure};
use crate::domain::units::ms;
use crate::metrics::request::RequestRecord;

/// What is tested: a limit with a percentile, or all limits without one together.
#[derive(Debug, Clone)]
pub(super) struct Test {
    pub(super) limits: Vec<Limit>,
    pub(super) share: f64,
}

impl Test {
    /// Each limit with a percentile, and those without one together.
    pub(super) fn all(find: &Find) -> Vec<Self> {
        let share = find.share();
        let (named, others): (Vec<Limit>, Vec<Limit>) = find
            .limits
            .iter()
            .partition(|limit| limit.per_mille.is_some());
        let each = named.into_iter().map(|limit| Self {
            share: limit.share(share),
            limits: vec![limit],
        });
        let together = Some(others).filter(|limits| !limits.is_empty());
        let together = together.map(|limits| Self { limits, share });
        each.chain(together).collect()
    }

    pub(super) fn is_of_gaps(&self) -> bool {
        matches!(&self.limits[..], [limit] if limit.figure == LimitFigure::Itl && limit.per_mille.is_some())
    }

    pub(super) fn words(&self) -> String {
        let words: Vec<String> = self.limits.iter().map(Limit::words).collect();
        words.join(" and ")
    }

    /// What a request says of it. A failed one missed it; one without such a figure (an answer of one token has no gaps)
    /// cannot.
    pub(super) fn unit(&self, record: &RequestRecord, gaps: u32) -> Unit {
        if self.is_of_gaps() {
            return match (&record.error, self.limits[0].bound) {
                (None, Bound::Below(limit)) => gap_unit(record, limit),
                _ => Unit::missed(gaps),
            };
        }
        if record.error.is_some() {
            return Unit::missed(1);
        }
        let mut met = true;
        let mut value = 0.0f64;
        for limit in &self.limits {
            let Some(figure) = figure_of(limit.figure, record) else {
                continue;
            };
            // The nearer to its bound, the worse, of each in its own unit.
            let (is_met, nearness) = match limit.bound {
                Bound::Below(time) => (figure < ms(time), figure / ms(time)),
                Bound::Above(speed) => (figure > speed, speed / figure.max(1e-9)),
            };
            met &= is_met;
            value = value.max(nearness);
        }
        Unit::one(met, value)
    }
}

/// In ms, or tokens per second.
fn figure_of(figure: LimitFigure, record: &RequestRecord) -> Option<f64> {
    match figure {
        LimitFigure::Ttft => record.ttft().map(ms),
        LimitFigure::FirstAnswer => record.first_answer().map(ms),
        LimitFigure::Itl => record.figures.itl.map(ms),
        LimitFigure::Tpot => record.tpot().map(ms),
        LimitFigure::Latency => record.latency().map(ms),
        LimitFigure::UserSpeed => record.user_speed(),
    }
}

fn gap_unit(record: &RequestRecord, limit: Duration) -> Unit {
    let limit = limit.as_secs_f64() * 1e6;
    let gaps = record.gaps_us.iter().map(|gap| f64::from(*gap));
    let (mut hits, mut sum, mut squares) = (0, 0.0, 0.0);
    for gap in gaps {
        hits += u32::from(gap < limit);
        sum += gap;
        squares += gap * gap;
    }
    let of = record.gaps_us.len() as u32;
    Unit {
        hits,
        of,
        value: sum / f64::from(of.max(1)),
        squares,
    }
}
