//! What a benchmark session found: the report that the page shows, `batida bench --json` prints and files keep.
//!
//! The JSON is this structure as serde writes it, versioned by [`SCHEMA`]. Times end in their unit. Absent is
//! `null`, never zero.

pub mod known;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::failure::FaultClass;
use super::plan::{LevelLoad, Plan};
use super::stats::Estimate;
pub use super::stats::Stats;
use super::units::signed;

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
    /// The machine that measured.
    pub machine: Machine,
    /// What was asked for. What stands in `unknown` was not.
    #[serde(deserialize_with = "known::plan")]
    pub plan: Plan,
    /// The trace that was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<self::known::TraceBrief>,
    /// The file of the prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts_file: Option<self::known::PromptsBrief>,
    /// The seed of the prompts and arrivals, the plan's own or the one that was drawn: with it the session can be
    /// repeated. `None` where nobody knows.
    #[serde(default)]
    pub seed: Option<u64>,
    /// How it ended.
    pub ended: SessionEnd,
    /// The levels in the order in which they were run; the last may be incomplete.
    pub levels: Vec<LevelReport>,
    /// The switches of the model.
    pub switches: Vec<Switch>,
    /// How synthetic prompts were fitted to the server's tokenizer, per target.
    pub calibrations: Vec<Calibration>,
    /// What it ran on, as far as it could be found out.
    #[serde(default)]
    pub surroundings: Option<EnvironmentInfo>,
    /// The program whose result file this was, with its version; `None` for Batida itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What the imported file did not say. Ask [`BenchReport::knows`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<self::known::Unknown>,
}

impl BenchReport {
    /// Its seed, of reports too that name it in their plan only.
    pub fn seed(&self) -> Option<u64> {
        self.seed.or(self.plan.seed)
    }
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

/// How a level ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelEnd {
    /// It is still under way.
    Running,
    /// All its requests were answered.
    Requests,
    /// Its time was over.
    Time,
    /// Too large a share of its requests failed.
    Errors,
    /// The trace or the prompts were at their end.
    Exhausted,
    /// The user, or the session's end, stopped it amid requests.
    Stopped,
}

/// One level of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LevelReport {
    /// Counts the session's levels from 0.
    pub index: usize,
    /// `c=16`, `4/s`, `max`, `trace`; `unknown` where an imported file does not say it.
    pub label: String,
    /// The model's serving name.
    pub model: String,
    /// Its deployment.
    pub deployment: Option<String>,
    /// The load.
    pub load: LevelLoad,
    /// How it ended.
    pub ended: LevelEnd,
    /// When its measured part began, in seconds from the session's beginning.
    pub began_s: f64,
    /// How long the measured part took, in seconds, pauses included.
    pub took_s: f64,
    /// The steady part, in seconds from the session's beginning: from when the load was reached to when it
    /// began to fall. Throughput is over this part. `None` when there was none.
    pub steady_s: Option<[f64; 2]>,
    /// The requests.
    pub requests: Requests,
    /// Good answers of several tokens that arrived all at once: they have no TPOT, ITL and tokens/s.
    #[serde(default)]
    pub at_once: u64,
    /// Tokens in a chunk on average, over the other good answers that the server counted.
    #[serde(default)]
    pub tokens_per_chunk: Option<f64>,
    /// Good answers of other models than the one that was asked, most frequent first.
    #[serde(default)]
    pub answered_by: Vec<AnsweredBy>,
    /// `usage` when every good answer was counted by the server, `chunks` when none, else `mixed`.
    pub tokens_from: String,
    /// Due (open loop) or sent (closed loop) → first chunk with any text, in ms.
    pub ttft_ms: Stats,
    /// The same to the first text of the answer proper, in ms.
    pub first_answer_ms: Stats,
    /// Inter-token latency: gaps between chunks, pooled over all good answers, in ms.
    pub itl_ms: Stats,
    /// Time per output token: (last token − first token) / (tokens − 1), in ms.
    pub tpot_ms: Stats,
    /// Due or sent → end of the answer, in ms.
    pub latency_ms: Stats,
    /// Opening a connection, DNS, TLS and proxy included, told with the first measured request that used it, in ms.
    /// It is part of that request's TTFT only where the connection was opened for it, not ahead of the level.
    pub connect_ms: Stats,
    /// How late requests left against their schedule, in ms; open loop only.
    pub late_ms: Stats,
    /// (tokens − 1) / (last token − first token) of each answer.
    pub user_tokens_per_s: Stats,
    /// Prompt tokens by the server.
    pub prompt_tokens: Stats,
    /// Of them from a cache.
    pub cached_tokens: Stats,
    /// Output tokens, reasoning included.
    pub output_tokens: Stats,
    /// Of them reasoning.
    pub reasoning_tokens: Stats,
    /// Over the steady part.
    pub throughput: Throughput,
    /// What was asked and what was really in flight.
    pub concurrency: Concurrency,
    /// Requests that met the objectives; `None` without objectives.
    pub goodput: Option<Goodput>,
    /// The server's own figures beside ours; `None` where it sends none.
    pub server: Option<ServerSide>,
    /// What the limits of key and gateway did.
    pub limits: Limits,
    /// What the benchmark saw of itself.
    pub watch: Watch,
    /// Plain sentences: figures that rest on not enough data, prompts off their length, limits met.
    pub notes: Vec<String>,
}

/// Answers of another model than was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredBy {
    /// As the server names it; empty for those beyond the first few names.
    pub model: String,
    /// How many.
    pub answers: u64,
}

impl LevelReport {
    /// The model that gave most of the good answers, where that is not the one that was asked.
    pub fn other_model(&self) -> Option<&str> {
        let AnsweredBy { model, answers } = self.answered_by.first()?;
        (answers * 2 > self.requests.ok && !model.is_empty()).then_some(model)
    }

    /// Whose figures these are: the model that answered, with the one that was asked where that is another.
    pub fn credited(&self) -> String {
        match self.other_model() {
            Some(other) => format!("{other} (asked: {})", self.model),
            None => self.model.clone(),
        }
    }

    /// `c=16 of gpt-oss-120b`
    pub fn place(&self) -> String {
        format!("{} of {}", self.label, self.model)
    }
}

/// The requests of a level.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Requests {
    /// Measured requests that ended.
    pub ended: u64,
    /// Of them well.
    pub ok: u64,
    /// Of them not.
    pub failed: u64,
    /// Measured requests that were sent a second time, on a new connection, since the server had closed the one that
    /// was open before it received them. Their times count from the first sending.
    #[serde(default)]
    pub reconnected: u64,
    /// Measured requests that were aborted in flight, in no figure.
    pub aborted: u64,
    /// Requests that were due and never sent, since no place in flight was free until the level ended: in no figure
    /// of time, and missed in goodput.
    #[serde(default)]
    pub unsent: u64,
    /// Warm-ups, and how many of them failed.
    pub warmup: u64,
    /// Warm-ups that failed.
    pub warmup_failed: u64,
    /// Of the failed ones: answers that held neither text nor a call.
    #[serde(default)]
    pub without_text: u64,
    /// The failures by kind, most frequent first.
    pub errors: Vec<ErrorCount>,
}

/// Failures of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCount {
    /// The kind in snake case, e.g. `queue_full`; `other` for none of ours.
    pub kind: String,
    /// How often.
    pub count: u64,
    /// What the first said.
    pub example: String,
}

/// Per second, over the steady part.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Throughput {
    /// Output tokens.
    pub output_tokens_per_s: Option<Rate>,
    /// Prompt and output tokens.
    pub total_tokens_per_s: Option<Rate>,
    /// Answers completed.
    pub requests_per_s: Option<Rate>,
}

/// How intervals are come by, for people.
pub const INTERVALS: &str =
    "95 % intervals: percentiles from order statistics, rates by batch means";

/// A rate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Per second.
    pub mean: f64,
    /// 95 % interval by batch means (Student's t over equal parts of the steady part); `None` when it is
    /// too short.
    pub ci: Option<[f64; 2]>,
}

impl From<Option<Rate>> for Estimate {
    fn from(rate: Option<Rate>) -> Self {
        Self {
            value: rate.map(|rate| rate.mean),
            ci: rate.and_then(|rate| rate.ci),
        }
    }
}

/// What was in flight.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Concurrency {
    /// The clients asked for; `None` for an open loop without a cap.
    pub asked: Option<u32>,
    /// The mean number of requests in flight over the steady part.
    pub reached: Option<f64>,
    /// The most at once.
    pub most: u32,
}

/// Requests that met all objectives.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Goodput {
    /// Those that did.
    pub met: u64,
    /// Those that did not; failed requests are among them, and those that were due and never sent.
    pub missed: u64,
    /// met / (met + missed)
    pub share: Option<f64>,
    /// Good requests per second, over the steady part.
    pub requests_per_s: Option<f64>,
    /// How many answers missed each objective, by its name; one may miss several.
    pub missed_by: Vec<(String, u64)>,
}

/// The server's own figures, over the answers of which we have the same, and how ours differ.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServerSide {
    /// `time_to_first_token`, in ms.
    pub ttft_ms: Stats,
    /// `total_latency`, in ms.
    pub latency_ms: Stats,
    /// `completion_tokens_after_first_per_sec`
    pub tokens_per_s: Stats,
    /// Our p50 less the server's, in ms: gateway, network, and what waits before the server's clock starts. Over the
    /// answers that have both, ours from when a request was sent, in an open loop too.
    pub ttft_p50_difference_ms: Option<f64>,
    /// The same of the latency.
    pub latency_p50_difference_ms: Option<f64>,
    /// The same of the tokens per second of each answer.
    #[serde(default)]
    pub tokens_per_s_p50_difference: Option<f64>,
}

impl ServerSide {
    /// How our medians differ from the server's: `TTFT +0.60 ms, latency +12.3 ms, tok/s −1.20`.
    pub fn differences(&self) -> Option<String> {
        let parts = [
            ("TTFT", self.ttft_p50_difference_ms, " ms"),
            ("latency", self.latency_p50_difference_ms, " ms"),
            ("tok/s", self.tokens_per_s_p50_difference, ""),
        ];
        let told = |(name, value, unit): (&str, Option<f64>, &str)| {
            value.map(|value| format!("{name} {}{unit}", signed(value)))
        };
        let told: Vec<String> = parts.into_iter().filter_map(told).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// What the limits of key and gateway did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Measured requests refused with 429 for their rate.
    pub rate_limited: u64,
    /// Of them by an ingress before the API, which is known by its web page.
    #[serde(default)]
    pub ingress: u64,
    /// Measured requests refused since the server's queue was full.
    pub queue_full: u64,
    /// `x-ratelimit-*` headers of the last answer that had any.
    pub headers: Vec<(String, String)>,
}

/// What the benchmark saw of itself during a level.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Watch {
    /// How late a timer on the measuring threads fired, in ms, beyond the millisecond it rounds to.
    pub timer_late_ms: Stats,
    /// How long bytes waited to be read, in ms: those of a timer of the system's among the connections of the
    /// measuring threads. Of a stall each moment counts, as it would for a stream's bytes.
    pub read_late_ms: Stats,
    /// CPU share of the busiest measuring thread, 0 to 1.
    pub busiest_lane: Option<f64>,
    /// CPU of the whole process in cores, e.g. 1.3.
    pub process_cores: Option<f64>,
    /// Share of the machine's cores in use by anyone, 0 to 1.
    pub machine_busy: Option<f64>,
    /// How late requests left against their schedule, in ms, by the benchmark's own fault: without what they waited
    /// for a place in flight. Open loop only.
    #[serde(default)]
    pub left_late_ms: Stats,
    /// Requests that left more than 1 ms late by its own fault, or waited for a prompt.
    pub late_requests: u64,
    /// What of this could have moved a figure, in plain sentences. Empty: nothing.
    pub doubts: Vec<String>,
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

impl FaultClass {
    /// Every class.
    pub const ALL: [Self; 18] = [
        Self::HostUnknown,
        Self::Unreachable,
        Self::Tls,
        Self::Timeout,
        Self::Dropped,
        Self::ThisMachine,
        Self::Proxy,
        Self::KeyRefused,
        Self::ModelNotFound,
        Self::BadRequest,
        Self::RateLimited,
        Self::IngressLimited,
        Self::QueueFull,
        Self::Server,
        Self::NotAnApi,
        Self::Unreadable,
        Self::NoText,
        Self::Cancelled,
    ];

    /// In snake case, as reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::HostUnknown => "host_unknown",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Dropped => "dropped",
            Self::ThisMachine => "this_machine",
            Self::Proxy => "proxy",
            Self::KeyRefused => "key_refused",
            Self::ModelNotFound => "model_not_found",
            Self::BadRequest => "bad_request",
            Self::RateLimited => "rate_limited",
            Self::IngressLimited => "ingress_limited",
            Self::QueueFull => "queue_full",
            Self::Server => "server",
            Self::NotAnApi => "not_an_api",
            Self::Unreadable => "unreadable",
            Self::NoText => "no_text",
            Self::Cancelled => "cancelled",
        }
    }
}

// ---- while it runs ------------------------------------------------------------------------------------

/// What is told while a session runs, at most every 33 ms. Lists hold what is new since the last one.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchProgress {
    /// Since the session began, in seconds.
    pub elapsed_s: f64,
    /// What is being done.
    pub stage: Stage,
    /// The level under way, from 0.
    pub level: usize,
    /// How many there are.
    pub levels: usize,
    /// How much of the level is done, 0 to 1.
    pub level_done: f64,
    /// How much of the session is done, 0 to 1.
    pub done: f64,
    /// About how long the rest takes, in seconds; `None` while nobody can know.
    pub left_s: Option<f64>,
    /// Requests of the level that ended, and how many there will be.
    pub requests: (u64, Option<u64>),
    /// In flight: waiting for the first token, and streaming; and due but not sent.
    pub in_flight: InFlight,
    /// Measured requests that ended since.
    pub points: Vec<Point>,
    /// Rates since, one for each tick of about a quarter of a second.
    pub rates: Vec<RatePoint>,
    /// The last requests in flight and just ended, for the timeline; the whole list, at most 48.
    pub flights: Vec<Flight>,
    /// The level under way as far as it is known, a few times a second.
    pub partial: Option<Box<LevelReport>>,
    /// Levels that ended since.
    pub ended: Vec<LevelReport>,
}

/// What a session is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Reads files, opens connections.
    #[default]
    Starting,
    /// Fits prompts to the server's tokenizer.
    Calibrating,
    /// Waits for the first answer of another model.
    Switching,
    /// Sends warm-ups.
    WarmingUp,
    /// Measures.
    Measuring,
    /// The level sends no more and waits for what is in flight.
    Draining,
    /// The user paused it: what is in flight goes on, nothing new is sent.
    Paused,
}

/// Requests in flight, by what they wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InFlight {
    /// Due, and not yet sent.
    pub queued: u32,
    /// Sent, no token yet.
    pub waiting: u32,
    /// Tokens are coming.
    pub streaming: u32,
}

/// A measured request as a point of a chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Its level.
    pub level: u32,
    /// When it was sent, in seconds from the session's beginning.
    pub at_s: f64,
    /// TTFT in ms; `None` when it failed.
    pub ttft_ms: Option<f32>,
}

/// The rates over one tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatePoint {
    /// The tick's end, in seconds from the session's beginning.
    pub at_s: f64,
    /// Its level.
    pub level: u32,
    /// Output tokens per second, counted as chunks while the server's count is not there yet.
    pub tokens_per_s: f64,
    /// Requests in flight at its end.
    pub in_flight: u32,
}

/// A request on the timeline. Times in seconds from the session's beginning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flight {
    /// The request's index.
    pub index: u64,
    /// When it was due.
    pub due_s: f64,
    /// When it left; `None` while it is queued.
    pub sent_s: Option<f64>,
    /// When its first token came.
    pub first_s: Option<f64>,
    /// When it ended.
    pub ended_s: Option<f64>,
    /// It failed.
    pub failed: bool,
}

/// What a user does to a session under way, besides stopping it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steer {
    /// Send nothing new.
    Pause,
    /// Go on.
    Resume,
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// All that the earlier JSON holds stands in the new one under the same key.
    #[track_caller]
    fn check_kept(place: &str, earlier: &Value, now: &Value) {
        match (earlier, now) {
            (Value::Object(earlier), Value::Object(now)) => {
                for (key, value) in earlier {
                    let place = format!("{place}.{key}");
                    check_kept(
                        &place,
                        value,
                        now.get(key).unwrap_or_else(|| panic!("{place} is gone")),
                    );
                }
            }
            (Value::Array(earlier), Value::Array(now)) => {
                assert_eq!(earlier.len(), now.len(), "{place}");
                earlier
                    .iter()
                    .zip(now)
                    .for_each(|(earlier, now)| check_kept(place, earlier, now));
            }
            // 8 and 8.0 are the same.
            _ if earlier.is_number() => assert_eq!(earlier.as_f64(), now.as_f64(), "{place}"),
            _ => assert_eq!(earlier, now, "{place}"),
        }
    }

    #[test]
    fn a_report_of_an_earlier_version_is_read_and_its_keys_are_kept() {
        let file = include_str!("../../tests/fixtures/report/batida-0.1.0.json");
        let earlier: Value = serde_json::from_str(file).expect("JSON");
        let report: BenchReport = serde_json::from_str(file).expect("a report");
        check_kept(
            "report",
            &earlier,
            &serde_json::to_value(&report).expect("it is written"),
        );
        let database = include_str!("../../tests/fixtures/history/v1.sql");
        let (_, level) = database
            .split_once("INSERT INTO levels VALUES (1, 0, '")
            .expect("a level");
        let (level, _) = level
            .split_once("');")
            .or_else(|| level.split_once("',"))
            .expect("its end");
        let earlier: Value = serde_json::from_str(level).expect("JSON");
        let read: LevelReport = serde_json::from_str(level).expect("a level");
        check_kept(
            "level",
            &earlier,
            &serde_json::to_value(&read).expect("it is written"),
        );
    }
}
