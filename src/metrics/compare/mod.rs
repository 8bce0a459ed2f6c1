//! Holding sessions against each other: what changed, how sure that is, and whether it matters.
//!
//! # When a change counts
//!
//! A figure is better or worse when three things hold at once: the 95 % interval of its relative change does not
//! hold zero, the rank test (of medians) is significant, and the change is at least the smallest that matters. The
//! larger p of interval and rank test enters Holm's correction over all figures of all levels of all sessions of the
//! comparison, so that in at most one of twenty comparisons of the same thing any figure differs. Else there is no
//! difference, or, where the interval reaches beyond [`UNCLEAR`] times the smallest change that matters, there were not
//! enough data. Draws say how wide an interval is; p is Student's of the change over the draws' deviation, since a few
//! thousand draws know nothing of what happens once in a thousand.
//!
//! - Percentiles: [`bootstrap`], of as many requests as are independent of each other ([`super::dependence`]). Medians
//!   also by Mann–Whitney ([`ranks`]), the requests weighted alike; of gaps the requests' own medians are ranked, since
//!   gaps of one request are not independent. A rank test speaks of the bulk: tails are left to the interval.
//! - Rates: from both intervals by batch means, on the logarithm's scale. There is nothing to rank.
//! - Goodput: Jeffreys' interval of each share. Errors: Fisher's exact test; significantly more are worse, and a
//!   first few where there were none are to be looked at. Both of as many requests as are independent.
//! - Requests in flight are what was asked for: nothing is tested, a tenth more or fewer is to be looked at.
//!
//! What varies from run to run cannot be seen in one run of each: repeat one to see it.

pub mod bootstrap;
mod figures;
mod levels;
mod plans;
mod ranked;
pub mod ranks;
#[cfg(test)]
mod tests;
mod words;

use crate::domain::units::ms;
use crate::metrics::goodput;
use crate::metrics::request::RequestRecord;
use serde::{Deserialize, Serialize};

use self::figures::{Evidence, FIGURES, Figure, PEAK, Sampled};
use self::levels::Match;
pub use self::words::{change_text, interval_text, value_text, verdict_text};
use crate::domain::plan::Field;
use crate::domain::run::BenchReport;

/// Sessions at most.
pub const MOST_SIDES: usize = 6;
/// How often all tests of a comparison together may mislead.
const ALPHA: f64 = 0.05;
/// The smallest change that matters, where what was asked for is no share.
const USUAL_LEAST: f64 = 0.03;
/// An interval that reaches beyond so many of the smallest changes that matter says nothing.
const UNCLEAR: f64 = 3.0;

/// Compares sessions with the first of them. `least_change` is the smallest change that matters, as a share.
///
/// With one session or none there is nothing in the comparison but a remark; sessions behind the sixth are left
/// out, with a remark. A `least_change` that is negative or no number counts as 3 %.
pub fn compare(sides: &[Side], least_change: f64) -> Comparison {
    let mut remarks = Vec::new();
    let least_change = if least_change >= 0.0 && least_change.is_finite() {
        least_change
    } else {
        USUAL_LEAST
    };
    if sides.len() > MOST_SIDES {
        remarks.push(format!(
            "Only the first {MOST_SIDES} of {} sessions are compared",
            sides.len()
        ));
    }
    let sides = &sides[..sides.len().min(MOST_SIDES)];
    let mut out = Comparison {
        schema: COMPARE_SCHEMA.to_owned(),
        labels: sides.iter().map(|side| side.label.clone()).collect(),
        sessions: sides.iter().map(|side| side.report.id.clone()).collect(),
        least_change,
        differences: Vec::new(),
        rows: Vec::new(),
        remarks,
    };
    if sides.len() < 2 {
        out.remarks
            .push("There is nothing to compare with: it takes two sessions".to_owned());
        return out;
    }
    let matches = levels::matches(sides, &mut out.remarks);
    out.differences = plans::differences(sides, &matches);
    let differs = |what: &str| {
        out.differences
            .iter()
            .any(|difference| difference.what == what)
    };
    let alike = Alike {
        tokens: !differs(plans::TOKENS_FROM),
        objectives: !differs(Field::Goodput.spec().title),
    };
    let open = matches
        .iter()
        .enumerate()
        .flat_map(|(at, found)| rows_of(found, at as u64))
        .collect();
    out.rows = judge(open, least_change, alike);
    plans::remarks(sides, &matches, alike, &mut out.remarks);
    out
}

/// Which figures mean the same on all sides.
#[derive(Debug, Clone, Copy)]
struct Alike {
    /// Tokens are counted by the same.
    tokens: bool,
    /// Objectives are the same.
    objectives: bool,
}

/// A row whose verdicts wait for those of the others.
struct Open {
    row: Row,
    figure: &'static Figure,
    /// One for each cell.
    evidence: Vec<Evidence>,
}

/// The rows of one model; `at` counts the models.
fn rows_of(found: &Match<'_>, at: u64) -> Vec<Open> {
    let peaks: Vec<Sampled> = found.peaks().into_iter().map(Sampled::of_peak).collect();
    let mut out: Vec<Open> = PEAK
        .iter()
        .filter_map(|figure| row(found, "", figure, &peaks))
        .collect();
    for (number, (label, by_side)) in found.levels.iter().enumerate() {
        let prepared: Vec<_> = by_side
            .iter()
            .map(|measured| measured.as_ref().map(figures::Prepared::of))
            .collect();
        for (order, figure) in FIGURES.iter().enumerate() {
            let sample = |(side, prepared): (usize, &Option<figures::Prepared<'_>>)| {
                // A sequence of its own for each, that a session has only at its place: two sides that are the
                // same are drawn apart.
                let seed = [side as u64, at, number as u64, order as u64];
                prepared
                    .as_ref()
                    .map_or_else(Sampled::default, |prepared| prepared.sample(figure, &seed))
            };
            let sampled: Vec<Sampled> = prepared.iter().enumerate().map(sample).collect();
            out.extend(row(found, label, figure, &sampled));
        }
    }
    out
}

/// A figure of all sides; `None` where the baseline does not have it, or nobody else.
fn row(
    found: &Match<'_>,
    level: &str,
    figure: &'static Figure,
    sampled: &[Sampled],
) -> Option<Open> {
    let (baseline, others) = sampled.split_first()?;
    if baseline.value.is_none() || others.iter().all(|side| side.value.is_none()) {
        return None;
    }
    let (others, evidence) = others
        .iter()
        .map(|other| figures::against(figure, baseline, other))
        .unzip();
    let row = Row {
        model: found.model.clone(),
        level: level.to_owned(),
        figure: figure.metric.key.clone(),
        title: figure.metric.title.clone(),
        unit: figure.metric.unit.sign().to_owned(),
        baseline: baseline.value,
        others,
    };
    Some(Open {
        row,
        figure,
        evidence,
    })
}

/// Gives every cell its verdict, all tests of the comparison together.
fn judge(mut open: Vec<Open>, least_change: f64, alike: Alike) -> Vec<Row> {
    let tested = |evidence: &Evidence| match evidence {
        Evidence::Tested { p, .. } => Some(*p),
        Evidence::Settled(_) => None,
    };
    let all = open.iter().flat_map(|open| &open.evidence);
    let ps: Vec<f64> = all.filter_map(tested).collect();
    let mut significant = ranks::holm(&ps).into_iter();
    for Open {
        row,
        figure,
        evidence,
    } in &mut open
    {
        for (cell, evidence) in row.others.iter_mut().zip(evidence) {
            let significant = tested(evidence).and_then(|_| significant.next());
            let significant = significant.unwrap_or(false);
            cell.verdict = verdict(cell, figure, *evidence, significant, least_change, alike);
        }
    }
    open.into_iter().map(|open| open.row).collect()
}

fn verdict(
    cell: &Cell,
    figure: &Figure,
    evidence: Evidence,
    significant: bool,
    least_change: f64,
    alike: Alike,
) -> Verdict {
    match evidence {
        Evidence::Settled(Verdict::Look) => {
            let matters = cell
                .change
                .is_none_or(|change| change.abs() >= least_change);
            if matters {
                Verdict::Look
            } else {
                Verdict::NoDifference
            }
        }
        Evidence::Settled(verdict) => verdict,
        Evidence::Tested { up, otherwise, .. } => {
            let verdict = figure.verdict(cell, significant, up, otherwise, least_change);
            let told = matches!(verdict, Verdict::Better | Verdict::Worse);
            if told && !figure.is_alike(alike) {
                Verdict::Look
            } else {
                verdict
            }
        }
    }
}

/// One session that is compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// What it is called on screen: its tag, or when it began.
    pub label: String,
    /// Its report.
    pub report: BenchReport,
    /// What its requests measured, one for each level of the report; empty where only the report is at hand:
    /// then values are taken from its histograms.
    pub values: Vec<LevelValues>,
}

/// What the good measured requests of one level measured, in the order in which they were due. One entry a request; a
/// request without the figure is left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LevelValues {
    /// Due or sent → first token, in ms.
    pub ttft_ms: Vec<f64>,
    /// Due or sent → end, in ms.
    pub latency_ms: Vec<f64>,
    /// (last token − first token) / (tokens − 1), in ms.
    pub tpot_ms: Vec<f64>,
    /// (tokens − 1) / (last token − first token).
    pub user_tokens_per_s: Vec<f64>,
    /// The gaps between chunks of each request, in µs.
    pub gaps_us: Vec<Vec<u32>>,
    /// Of each request that ended, well or not: whether it failed, and whether it met the plan's objectives.
    pub outcomes: Vec<[bool; 2]>,
}

impl LevelValues {
    /// What a session's requests measured, for each level of its report; empty when they measured nothing, as those
    /// of other programs' files that hold only their report.
    pub fn of(
        report: &BenchReport,
        requests: impl IntoIterator<Item = RequestRecord>,
    ) -> Vec<Self> {
        let mut by_level: Vec<Vec<RequestRecord>> = vec![Vec::new(); report.levels.len()];
        for record in requests.into_iter().filter(RequestRecord::is_measured) {
            let mut levels = report.levels.iter();
            if let Some(at) = levels.position(|level| level.index == record.level) {
                by_level[at].push(record);
            }
        }
        let objectives = &report.plan.objectives;
        let of_level = |mut records: Vec<RequestRecord>| {
            records.sort_by_key(|record| (record.due.min(record.sent), record.index));
            let mut level = Self::default();
            for record in records {
                let met = goodput::met(objectives, &record);
                level.outcomes.push([record.error.is_some(), met]);
                if record.error.is_none() {
                    level.ttft_ms.extend(record.ttft().map(ms));
                    level.latency_ms.extend(record.latency().map(ms));
                    level.tpot_ms.extend(record.tpot().map(ms));
                    level.user_tokens_per_s.extend(record.user_speed());
                    level.gaps_us.push(record.gaps_us);
                }
            }
            level
        };
        let values: Vec<Self> = by_level.into_iter().map(of_level).collect();
        let empty = values
            .iter()
            .all(|level| level.ttft_ms.is_empty() && level.latency_ms.is_empty());
        if empty { Vec::new() } else { values }
    }
}

/// Two to six sessions, compared with the first of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`COMPARE_SCHEMA`]
    pub schema: String,
    /// The sessions' labels, the baseline's first.
    pub labels: Vec<String>,
    /// Their ids, in the same order.
    pub sessions: Vec<String>,
    /// The smallest change that matters, as a share.
    pub least_change: f64,
    /// What differs in what was asked and where: compare with care. Empty: nothing that matters.
    pub differences: Vec<Difference>,
    /// The figures, by model, level and figure.
    pub rows: Vec<Row>,
    /// How sure and how, in plain sentences: the methods, what could not be matched.
    pub remarks: Vec<String>,
}

/// The version of a comparison's JSON.
pub const COMPARE_SCHEMA: &str = "batida.compare/1";

/// Something that is not the same in all sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What, e.g. `output tokens`.
    pub what: String,
    /// In each session, in their order; `–` where it is absent.
    pub values: Vec<String>,
    /// Figures of sessions that differ in this cannot be compared as like with like.
    pub grave: bool,
}

/// One figure of one level in all sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The model; of sessions of different models that are compared one to one, the baseline's.
    pub model: String,
    /// The level's label, `c=16`; empty for what holds for the whole session.
    pub level: String,
    /// The figure, named as `--fail-if` names it: `ttft_p50`.
    pub figure: String,
    /// For people: `TTFT p50, ms`.
    pub title: String,
    /// Its unit, for writing: `ms`, `tok/s`, `1/s`, empty for counts.
    pub unit: String,
    /// The baseline's value.
    pub baseline: Option<f64>,
    /// The others', in their order.
    pub others: Vec<Cell>,
}

/// One session's figure against the baseline's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The value.
    pub value: Option<f64>,
    /// (value − baseline) / baseline.
    pub change: Option<f64>,
    /// 95 % interval of the change (bootstrap).
    pub interval: Option<[f64; 2]>,
    /// Two-sided p of the rank test (Mann–Whitney), where the figure has values to rank.
    pub p: Option<f64>,
    /// What it comes to.
    pub verdict: Verdict,
}

/// What a change comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Surely better, and by enough to matter.
    Better,
    /// Surely worse, and by enough to matter.
    Worse,
    /// Not told apart, or by less than matters.
    NoDifference,
    /// Too few requests to say.
    TooFew,
    /// Nothing to test, and yet not the same, e.g. errors: look.
    Look,
}
