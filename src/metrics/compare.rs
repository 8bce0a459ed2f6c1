//! Holding sessions against each other: what changed, how sure that is, and whether it matters.

use serde::{Deserialize, Serialize};

use crate::domain::run::BenchReport;

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

/// What the good measured requests of one level measured. One entry a request; a request without the figure is
/// left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LevelValues {
    /// Due or sent → first token, in ms.
    pub ttft_ms: Vec<f64>,
    /// Due or sent → end, in ms.
    pub latency_ms: Vec<f64>,
    /// (latency − TTFT) / (tokens − 1), in ms.
    pub tpot_ms: Vec<f64>,
    /// (tokens − 1) / (latency − TTFT).
    pub user_tokens_per_s: Vec<f64>,
    /// The gaps between chunks of each request, in µs.
    pub gaps_us: Vec<Vec<u32>>,
}

/// Two to six sessions held against the first of them.
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
