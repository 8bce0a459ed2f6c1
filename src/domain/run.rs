//! What a benchmark session found: the report that the page shows, `batida bench --json` prints and files keep.
//!
//! The JSON is this structure as serde writes it, versioned by [`SCHEMA`]. Times end in their unit. Absent is
//! `null`, never zero.

mod clock;
mod ending;
mod found;
mod ingress;
mod knee;
pub mod known;
mod level;
mod over_runs;
mod progress;
mod remarks;
mod server_metrics;
mod workers;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::clock::Clock;
pub use self::found::{Bracket, Found, FoundEnd, ProbeReport, ProbeTest, Verdict};
pub use self::ingress::IngressLimit;
pub use self::knee::Knee;
pub use self::level::{
    AnsweredBy, Concurrency, ErrorCount, Goodput, INTERVALS, LevelEnd, LevelReport, Limits, Rate,
    Requests, ServerSide, Throughput, Watch,
};
pub use self::over_runs::{OverRuns, OverRunsFigure};
pub use self::progress::{
    BenchProgress, Flight, InFlight, Point, RatePoint, Searching, ServerPoint, Stage, Steer,
};
pub use self::remarks::{ERRORS, Remark, RemarkKind};
pub use self::server_metrics::{Gauge, MetricsOrigin, Network, QueueTime, ServerMetrics};
pub use self::workers::{WorkerBrief, WorkerPart};
use super::plan::Plan;
pub use super::stats::Stats;

/// The version of the JSON. It changes when a reader of the old one would read wrong figures.
pub const SCHEMA: &str = "batida.bench/1";

/// A session's report.
// Read and written in `known`, where what nobody knows is null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct BenchReport {
    /// [`SCHEMA`]
    pub schema: String,
    /// The version of the Batida that measured, or of the one that imported it.
    pub batida: String,
    /// Names the session; the request with index `i` carried `x-request-id: {id}-{i}`.
    pub id: String,
    /// When it began; [`Timestamp::UNIX_EPOCH`] where an imported file does not say.
    #[serde(deserialize_with = "known::null_is_default")]
    pub started_at: Timestamp,
    /// How long it took, pauses included, in seconds.
    #[serde(deserialize_with = "known::null_is_default")]
    pub took_s: f64,
    /// The environment's name.
    pub environment: String,
    /// The API's address.
    pub api: String,
    /// The machine that measured; of a session with workers, all of theirs together.
    pub machine: Machine,
    /// The worker processes that sent its requests; empty where this computer did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<WorkerBrief>,
    /// What the ingress before the API lets through; `None` where nobody could say, or it has no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressLimit>,
    /// What was asked for. What stands in `unknown` was not.
    #[serde(deserialize_with = "known::plan")]
    pub plan: Plan,
    /// The trace that was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<self::known::TraceBrief>,
    /// The file of the prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts_file: Option<self::known::PromptsBrief>,
    /// The images that were made for its requests; `None` where it sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<self::known::ImagesBrief>,
    /// The seed of the prompts and arrivals, the plan's own or the one that was drawn: with it the session can be
    /// repeated. `None` where nobody knows.
    #[serde(default)]
    pub seed: Option<u64>,
    /// How it ended.
    pub ended: SessionEnd,
    /// The levels in the order in which they were run; the last may be incomplete.
    pub levels: Vec<LevelReport>,
    /// Figures over the runs of each load; empty where each was run once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over_runs: Vec<OverRuns>,
    /// What a search found, per target; empty for other loads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Found>,
    /// Where throughput stops growing with the load, per target with five levels or more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub knees: Vec<Knee>,
    /// The switches of the model.
    pub switches: Vec<Switch>,
    /// How synthetic prompts were fitted to the server's tokenizer, per target.
    pub calibrations: Vec<Calibration>,
    /// What it ran on, as far as it could be found out.
    #[serde(default)]
    pub surroundings: Option<EnvironmentInfo>,
    /// Where the server's own metrics came from; `None` where nobody looked for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_metrics: Option<MetricsOrigin>,
    /// The program whose result file this was, with its version; `None` for Batida itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What the imported file did not say. Ask [`BenchReport::knows`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<self::known::Unknown>,
}

impl BenchReport {
    /// A session of which nothing is known but that this Batida tells of it.
    pub fn blank() -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            batida: env!("CARGO_PKG_VERSION").to_owned(),
            id: String::new(),
            started_at: Timestamp::UNIX_EPOCH,
            took_s: 0.0,
            environment: String::new(),
            api: String::new(),
            machine: Machine::default(),
            workers: Vec::new(),
            ingress: None,
            plan: Plan::default(),
            trace: None,
            prompts_file: None,
            images: None,
            seed: None,
            ended: SessionEnd::Complete,
            levels: Vec::new(),
            over_runs: Vec::new(),
            found: Vec::new(),
            knees: Vec::new(),
            switches: Vec::new(),
            calibrations: Vec::new(),
            surroundings: None,
            server_metrics: None,
            source: None,
            unknown: Vec::new(),
        }
    }

    /// The levels as they are shown: in the order in which they were run, but of a search in the order of their load.
    pub fn levels_shown(&self) -> Vec<&LevelReport> {
        shown(&self.plan, &self.levels)
    }

    /// Its seed, of reports too that name it in their plan only.
    pub fn seed(&self) -> Option<u64> {
        self.seed.or(self.plan.seed)
    }

    /// Which clocks say when bytes arrived: `kernel clock`; `None` where no level says.
    pub fn clocks_told(&self) -> Option<String> {
        let mut names: Vec<&str> = Vec::new();
        for clock in self.levels.iter().filter_map(|level| level.watch.clock) {
            if !names.contains(&clock.name()) {
                names.push(clock.name());
            }
        }
        (!names.is_empty()).then(|| format!("{} clock", names.join(" and ")))
    }
}

/// The levels of a plan as they are shown, see [`BenchReport::levels_shown`].
pub fn shown<'a>(plan: &Plan, levels: &'a [LevelReport]) -> Vec<&'a LevelReport> {
    let mut shown: Vec<&LevelReport> = levels.iter().collect();
    if plan.load.find().is_some() {
        let target = |level: &LevelReport| {
            let mut targets = plan.targets.iter();
            targets.position(|it| it.model == level.model && it.deployment == level.deployment)
        };
        let load = |level: &LevelReport| level.load.amount().map_or(0.0, |(load, _)| load);
        shown.sort_by(|a, b| target(a).cmp(&target(b)).then(load(a).total_cmp(&load(b))));
    }
    shown
}

/// What a session ran on. Asked of the cluster beside the session, so any of it may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EnvironmentInfo {
    /// kubectl's version.
    pub kubectl: Option<String>,
    /// The cluster's Kubernetes version.
    pub kubernetes: Option<String>,
    /// SambaStack's version, from its Helm release.
    pub sambastack: Option<String>,
    /// The deployments that were asked.
    pub deployments: Vec<DeploymentBrief>,
}

/// A deployment at the time of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentBrief {
    /// `metadata.name`
    pub name: String,
    /// `BundleDeployment` or `ModelDeployment`.
    pub kind: String,
    /// The bundle it refers to.
    pub bundle: Option<String>,
}

/// The machine that measured. An imported file may not say it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// e.g. `linux x86_64`
    #[serde(deserialize_with = "known::empty_is_none")]
    pub system: Option<String>,
    /// Logical processors that this process may use.
    #[serde(deserialize_with = "known::empty_is_none")]
    pub cores: Option<usize>,
    /// Threads that sent and read requests.
    #[serde(deserialize_with = "known::empty_is_none")]
    pub lanes: Option<usize>,
}

impl Machine {
    /// A machine of which all is known.
    pub fn new(system: &str, cores: usize, lanes: usize) -> Self {
        Self {
            system: Some(system.to_owned()),
            cores: Some(cores),
            lanes: Some(lanes),
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// Every level was run.
    Complete,
    /// The user stopped it.
    Stopped,
    /// Its requests or its time were used up, in words.
    Limit(String),
    /// Too large a share of its requests failed, in words.
    Errors(String),
    /// It could not begin or go on, in words.
    Failed(String),
}

/// A switch of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Switch {
    /// The model switched to.
    pub model: String,
    /// Its deployment.
    pub deployment: Option<String>,
    /// TTFT of the first request after the switch, in ms: the switching time.
    pub ttft_ms: Option<f64>,
    /// Why that request failed.
    pub error: Option<String>,
}

impl Switch {
    /// How it went, in words.
    pub fn told(&self) -> String {
        match (&self.ttft_ms, &self.error) {
            (_, Some(error)) => format!("failed: {error}"),
            (Some(ms), None) => format!(
                "TTFT of its first request {} ms",
                super::units::short(Some(*ms))
            ),
            (None, None) => "no first token".to_owned(),
        }
    }
}

/// How synthetic prompts were fitted to a server's tokenizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The model.
    pub model: String,
    /// Tokens of the chat template around a prompt.
    pub overhead_tokens: f64,
    /// Tokens per word.
    pub tokens_per_word: f64,
    /// Requests it took.
    pub requests: u32,
}

#[cfg(test)]
mod tests;
