//! What Batida keeps of what was measured: sessions, their requests, conversations.

mod exchange;
mod query;
mod status;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::exchange::{Exchange, ExchangeEnding, Filing};
pub use self::query::{Facets, HistoryPage, HistoryQuery, SortBy};
pub use self::status::Status;
use super::plan::{Arrivals, Load};
use super::run::known;
use super::run::{BenchReport, EnvironmentInfo, Flight, LevelReport, Point, RatePoint, SessionEnd};
use super::stats::P50;
use super::units;
use crate::metrics::request::RequestRecord;

/// Names a session: a benchmark's is [`BenchReport::id`], a conversation's begins with `c`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId(pub String);

impl SessionId {
    /// A new conversation's, never used before.
    pub fn fresh_conversation() -> Self {
        use std::hash::{BuildHasher as _, Hasher as _, RandomState};
        // The standard library's only source of randomness.
        Self(format!(
            "c{:012x}",
            RandomState::new().build_hasher().finish() & 0xffff_ffff_ffff
        ))
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a session was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// A conversation.
    Chat,
    /// A benchmark, ours or an imported one.
    Bench,
}

impl SessionKind {
    /// Both, as the command line names them.
    pub const NAMES: [(&'static str, Self); 2] = [("chat", Self::Chat), ("bench", Self::Bench)];
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Under way, here or in another window.
    Running,
    /// It came to its end.
    Complete,
    /// The user, or one of its limits, stopped it.
    Stopped,
    /// It failed. An earlier Batida called that interrupted, too.
    Failed,
    /// Batida ended while it ran: what had been written is there.
    Interrupted,
}

/// A session as a row of the table. Figures are over its good answers; absent is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Its name.
    pub id: SessionId,
    /// Chat or benchmark.
    pub kind: SessionKind,
    /// How far it is.
    pub state: SessionState,
    /// When it began; [`Timestamp::UNIX_EPOCH`] where an imported file does not say, which is null in JSON.
    #[serde(
        serialize_with = "super::run::known::moment_or_null",
        deserialize_with = "super::run::known::null_is_default"
    )]
    pub began: Timestamp,
    /// When its last request ended.
    pub ended: Option<Timestamp>,
    /// What it was, in words: `Sweep 1–64`, `Rate 4/s Poisson`, a conversation's first words.
    pub title: String,
    /// The environment's name.
    pub environment: String,
    /// Its deployments, in the order in which they were asked; may be empty.
    pub deployments: Vec<String>,
    /// Its models' serving names, in that order.
    pub models: Vec<String>,
    /// The user's words.
    pub tags: Vec<String>,
    /// The program whose result file it was, with its version; `None` for our own.
    pub source: Option<String>,
    /// SambaStack's version, or the bundle's name where that is all that tells releases apart.
    pub release: Option<String>,
    /// Requests that ended, warm-ups left out.
    pub requests: u64,
    /// Of them failed.
    pub errors: u64,
    /// Measurement warnings, over all levels.
    #[serde(default)]
    pub warnings: u64,
    /// Panes of a comparison; 1 for any other conversation and for a benchmark.
    #[serde(default = "one")]
    pub panes: u64,
    /// Median TTFT in ms; of a benchmark with several levels, that of the first.
    pub ttft_p50_ms: Option<f64>,
    /// Median inter-token latency in ms, of the same level.
    pub itl_p50_ms: Option<f64>,
    /// The most output tokens per second of its levels; of a chat, of its answers.
    pub peak_tokens_per_s: Option<f64>,
    /// The baseline of its models on their deployments.
    pub baseline: bool,
}

impl SessionRow {
    /// The row of a benchmark with this report.
    pub fn of(report: &BenchReport) -> Self {
        let took = units::checked_seconds(report.took_s).unwrap_or_default();
        let first = report.levels.first();
        let sum =
            |of: fn(&LevelReport) -> u64| report.levels.iter().map(of).fold(0, u64::saturating_add);
        Self {
            id: SessionId(report.id.clone()),
            kind: SessionKind::Bench,
            state: match report.ended {
                SessionEnd::Complete => SessionState::Complete,
                SessionEnd::Stopped | SessionEnd::Limit(_) | SessionEnd::Errors(_) => {
                    SessionState::Stopped
                }
                SessionEnd::Failed(_) => SessionState::Failed,
            },
            began: report.started_at,
            // A file may say that it began when time is about to end.
            ended: known::moment(report.started_at)
                .map(|began| began.checked_add(took).unwrap_or(Timestamp::MAX)),
            title: report.plan.load.title(),
            environment: report.environment.clone(),
            deployments: once_each(
                report
                    .plan
                    .targets
                    .iter()
                    .filter_map(|target| target.deployment.as_ref()),
            ),
            models: once_each(report.plan.targets.iter().map(|target| &target.model)),
            tags: once_each(report.plan.tags.iter()),
            source: report.source.clone(),
            release: report
                .surroundings
                .as_ref()
                .and_then(EnvironmentInfo::release),
            requests: sum(|level| level.requests.ended),
            errors: sum(|level| level.requests.failed),
            warnings: sum(|level| level.watch.doubts.len() as u64),
            panes: 1,
            ttft_p50_ms: first.and_then(|level| level.ttft_ms.at(P50)),
            itl_p50_ms: first.and_then(|level| level.itl_ms.at(P50)),
            peak_tokens_per_s: peak(&report.levels),
            baseline: false,
        }
    }
}

fn one() -> u64 {
    1
}

/// The most output tokens per second of these levels.
pub fn peak<'a>(levels: impl IntoIterator<Item = &'a LevelReport>) -> Option<f64> {
    let rate = |level: &LevelReport| level.throughput.output_tokens_per_s.map(|rate| rate.mean);
    levels.into_iter().filter_map(rate).reduce(f64::max)
}

/// In the order in which they come.
fn once_each<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for name in names {
        if !out.contains(name) {
            out.push(name.clone());
        }
    }
    out
}

impl EnvironmentInfo {
    /// What tells releases apart: SambaStack's version, or the names of the bundles.
    pub fn release(&self) -> Option<String> {
        let bundles = once_each(
            self.deployments
                .iter()
                .filter_map(|deployment| deployment.bundle.as_ref()),
        );
        self.sambastack
            .clone()
            .or_else(|| (!bundles.is_empty()).then(|| bundles.join(", ")))
    }
}

impl Load {
    /// As a session of it is called: `Sweep 1–64`, `16 clients`, `Rate 4/s Poisson`.
    pub fn title(&self) -> String {
        let span = |least: String, most: String| {
            if least == most {
                least
            } else {
                format!("{least}–{most}")
            }
        };
        match self {
            Self::Concurrency(clients) => match (clients.iter().min(), clients.iter().max()) {
                (Some(1), Some(1)) => "1 client".to_owned(),
                (Some(least), Some(most)) if least == most => format!("{least} clients"),
                (Some(least), Some(most)) => format!("Sweep {least}–{most}"),
                _ => "Clients".to_owned(),
            },
            Self::Rate {
                per_sec, arrivals, ..
            } => {
                let least = per_sec.iter().copied().reduce(f64::min).unwrap_or_default();
                let most = per_sec.iter().copied().reduce(f64::max).unwrap_or_default();
                let rates = span(least.to_string(), most.to_string());
                let spaced = match arrivals {
                    Arrivals::Constant => String::new(),
                    Arrivals::Poisson => " Poisson".to_owned(),
                    Arrivals::Gamma(shape) => format!(" gamma {shape}"),
                };
                format!("Rate {rates}/s{spaced}")
            }
            Self::Max { in_flight: 0 } => "As fast as possible".to_owned(),
            Self::Max { in_flight } => format!("As fast as possible, {in_flight} in flight"),
            Self::Find(find) => format!("Find {}", find.words()),
            Self::Trace { file, .. } => {
                let name = file
                    .file_name()
                    .unwrap_or(file.as_os_str())
                    .to_string_lossy();
                format!("Trace {name}")
            }
            Self::Unknown => "Unknown load".to_owned(),
        }
    }
}

/// A session with all that the window draws.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSession {
    /// As in the table.
    pub row: SessionRow,
    /// What is in it.
    pub body: SessionBody,
}

/// What is in a session.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionBody {
    /// A benchmark.
    Bench {
        /// Its report; of an interrupted one, as far as it was written.
        report: Box<BenchReport>,
        /// What its charts over time are drawn from.
        traces: Traces,
    },
    /// A conversation.
    Chat {
        /// What the environment ran when the conversation began, where it is known.
        surroundings: Option<EnvironmentInfo>,
        /// Its exchanges in the order in which they were begun.
        exchanges: Vec<Exchange>,
    },
}

/// A benchmark's requests over time, rebuilt from the store.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Traces {
    /// Measured requests by when they were sent, at most 200,000 of them, evenly chosen.
    pub points: Vec<Point>,
    /// A quarter of a second each.
    pub rates: Vec<RatePoint>,
    /// The last 48 requests.
    pub flights: Vec<Flight>,
}

/// Which sessions are to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// These.
    Sessions(Vec<SessionId>),
    /// Those begun before this moment, baselines spared.
    OlderThan(Timestamp),
}

/// What a session is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportFormat {
    /// The schema of `batida bench --json`; of a chat, its exchanges.
    Json,
    /// A row a request.
    Csv,
    /// A row a chunk: when each came.
    Gaps,
    /// The same columns as CSV, typed.
    Parquet,
    /// A report that opens offline, charts within.
    Html,
    /// Tables for a pull request.
    Markdown,
}

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Json,
        Self::Csv,
        Self::Gaps,
        Self::Parquet,
        Self::Html,
        Self::Markdown,
    ];

    /// The file's ending, which is its name on the command line too.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Gaps => "gaps.csv",
            Self::Parquet => "parquet",
            Self::Html => "html",
            Self::Markdown => "md",
        }
    }

    /// As people say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Csv => "CSV",
            Self::Gaps => "CSV of chunk gaps",
            Self::Parquet => "Parquet",
            Self::Html => "HTML report",
            Self::Markdown => "Markdown",
        }
    }
}

/// A model's figures over time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trend {
    /// The model.
    pub model: String,
    /// Its sessions, oldest first.
    pub points: Vec<TrendPoint>,
}

/// One session of a trend.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendPoint {
    /// The session.
    pub session: SessionId,
    /// When it began.
    pub at: Timestamp,
    /// Chat or benchmark.
    pub kind: SessionKind,
    /// The deployment.
    pub deployment: Option<String>,
    /// What tells releases apart, see [`SessionRow::release`].
    pub release: Option<String>,
    /// Median TTFT in ms.
    pub ttft_p50_ms: Option<f64>,
    /// Median tokens/s per user.
    pub user_tokens_per_s: Option<f64>,
    /// The most output tokens per second.
    pub peak_tokens_per_s: Option<f64>,
}

/// What is kept, and when two runs differ. Part of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HistorySettings {
    /// Prompts and answers of chats are kept.
    pub chat_texts: bool,
    /// Prompts and answers of benchmarks are kept.
    pub bench_texts: bool,
    /// The smallest change that matters, as a share: 0.03 is 3 %.
    pub least_change: f64,
}

impl Default for HistorySettings {
    fn default() -> Self {
        Self {
            chat_texts: true,
            bench_texts: false,
            least_change: 0.03,
        }
    }
}

/// A request as it is kept.
#[derive(Debug, Clone)]
pub struct StoredRequest {
    /// Its moments and figures.
    pub record: RequestRecord,
    /// The model's serving name.
    pub model: String,
    /// The deployment.
    pub deployment: Option<String>,
    /// What was said, where texts are kept.
    pub said: Option<Said>,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Said {
    /// To the model; of several messages the last one.
    pub prompt: String,
    /// By the model, in thought.
    pub reasoning: String,
    /// By the model.
    pub answer: String,
}

/// What reading an import gave.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The program that wrote the file, with its version where the file says it.
    pub source: String,
    /// Its sessions, ready to be kept, each with its requests where the file holds them.
    pub sessions: Vec<(BenchReport, Vec<StoredRequest>)>,
    /// What the file did not hold or means something else there, in plain sentences.
    pub remarks: Vec<String>,
}
