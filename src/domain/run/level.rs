//! One level of a session: its requests, its figures, and what the benchmark saw of itself.

use serde::{Deserialize, Serialize};

use super::ProbeReport;
use super::clock::Clock;
use super::server_metrics::{Network, ServerMetrics};
use super::workers::WorkerPart;
use crate::domain::plan::LevelLoad;
use crate::domain::stats::{Estimate, P50, P99, Stats};
use crate::domain::units::{self, signed};

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
    /// Requests came faster than they were answered.
    Saturated,
    /// It was a probe of a search, and could be decided.
    Decided,
    /// A worker was lost amid it; the others sent their shares.
    WorkerLost,
}

impl LevelEnd {
    /// In a word, as in the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Requests => "requests",
            Self::Time => "time",
            Self::Errors => "errors",
            Self::Exhausted => "exhausted",
            Self::Stopped => "stopped",
            Self::Saturated => "saturated",
            Self::Decided => "decided",
            Self::WorkerLost => "worker_lost",
        }
    }
}

/// One level of one model.
// Read and written in `known`, where zeros of earlier versions are what nobody knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct LevelReport {
    /// Counts the session's levels from 0.
    pub index: usize,
    /// `c=16`, `4/s`, `max`, `trace`; `unknown` where an imported file does not say it.
    pub label: String,
    /// Which run of the plan it belongs to, from 1; `None` where the plan is run once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u32>,
    /// The model's serving name.
    pub model: String,
    /// Its deployment.
    pub deployment: Option<String>,
    /// The load.
    pub load: LevelLoad,
    /// How it ended.
    pub ended: LevelEnd,
    /// When its measured part began, in seconds from the session's beginning; `None` where an import does not say.
    #[serde(default)]
    pub began_s: Option<f64>,
    /// How long the measured part took, in seconds, pauses included; `None` where an import does not say.
    #[serde(default)]
    pub took_s: Option<f64>,
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
    /// What a million output tokens cost, their prompts included, in the currency of the plan's prices; `None` without
    /// prices, or where a count they need is unknown.
    #[serde(default)]
    pub cost_per_million: Option<f64>,
    /// Requests that met the objectives; `None` without objectives.
    pub goodput: Option<Goodput>,
    /// The server's own figures beside ours; `None` where it sends none.
    pub server: Option<ServerSide>,
    /// The server's own metrics meanwhile; `None` where it publishes none, or none were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_metrics: Option<ServerMetrics>,
    /// How long the network took meanwhile; `None` where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// What it saw as a probe of a search; `None` for other loads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeReport>,
    /// What each worker saw of it; empty where this computer sent it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<WorkerPart>,
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
    /// A level of which only the model and the load are known.
    pub fn blank(model: &str, load: LevelLoad) -> Self {
        Self {
            index: 0,
            label: load.label(),
            run: None,
            model: model.to_owned(),
            deployment: None,
            load,
            ended: LevelEnd::Requests,
            began_s: None,
            took_s: None,
            steady_s: None,
            requests: Requests::default(),
            at_once: 0,
            tokens_per_chunk: None,
            answered_by: Vec::new(),
            tokens_from: "usage".to_owned(),
            ttft_ms: Stats::default(),
            first_answer_ms: Stats::default(),
            itl_ms: Stats::default(),
            tpot_ms: Stats::default(),
            latency_ms: Stats::default(),
            connect_ms: Stats::default(),
            late_ms: Stats::default(),
            user_tokens_per_s: Stats::default(),
            prompt_tokens: Stats::default(),
            cached_tokens: Stats::default(),
            output_tokens: Stats::default(),
            reasoning_tokens: Stats::default(),
            throughput: Throughput::default(),
            concurrency: Concurrency {
                asked: load.most_in_flight(),
                ..Concurrency::default()
            },
            cost_per_million: None,
            goodput: None,
            server: None,
            server_metrics: None,
            network: None,
            probe: None,
            workers: Vec::new(),
            limits: Limits::default(),
            watch: Watch::default(),
            notes: Vec::new(),
        }
    }

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

    /// `c=16`, or `c=16 #2` where it belongs to the second run.
    pub fn name(&self) -> String {
        match self.run {
            Some(run) => format!("{} #{run}", self.label),
            None => self.label.clone(),
        }
    }

    /// `c=16 of gpt-oss-120b`
    pub fn place(&self) -> String {
        format!("{} of {}", self.name(), self.model)
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
    /// Requests of clients that hung up, as the plan says: in no figure of time.
    #[serde(default)]
    pub hung_up: u64,
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
    /// As how many independent requests those that ended count for the share that failed; `None` where nobody knows.
    #[serde(default)]
    pub effective: Option<u64>,
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

impl ErrorCount {
    /// `3 × queue_full: HTTP 503`
    pub fn told(&self) -> String {
        let (count, kind, example) = (units::count(self.count), &self.kind, &self.example);
        format!("{count} × {kind}: {example}")
    }
}

/// Per second, over the steady part.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Throughput {
    /// Output tokens.
    pub output_tokens_per_s: Option<Rate>,
    /// Prompt tokens of the answers completed.
    #[serde(default)]
    pub prompt_tokens_per_s: Option<Rate>,
    /// Prompt and output tokens.
    pub total_tokens_per_s: Option<Rate>,
    /// Answers completed.
    pub requests_per_s: Option<Rate>,
}

/// How intervals are come by, for people.
pub const INTERVALS: &str = "95 % intervals: percentiles from order statistics, with requests that waited for each other \
     counted as fewer; rates by batch means";

/// A rate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Per second.
    pub mean: f64,
    /// 95 % interval by batch means (Student's t over equal parts of the steady part); `None` when it is
    /// too short.
    pub ci: Option<[f64; 2]>,
    /// How many parts these were; `None` where nobody knows.
    #[serde(default)]
    pub batches: Option<u64>,
}

impl From<Option<Rate>> for Estimate {
    fn from(rate: Option<Rate>) -> Self {
        Self {
            value: rate.map(|rate| rate.mean),
            ci: rate.and_then(|rate| rate.ci),
            effective: None,
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
    /// The most at once; `None` where an import does not say.
    #[serde(default)]
    pub most: Option<u32>,
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
    /// As how many independent requests those that ended count for this share; `None` where nobody knows.
    #[serde(default)]
    pub effective: Option<u64>,
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
    /// Measured requests refused for their rate or a quota (429, 402).
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
    /// Which clock says when bytes arrived; `None` where nobody knows: an import, a report of Batida 0.1, or a level
    /// that heard nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// How late a timer on the measuring threads fired, in ms, beyond the millisecond it rounds to.
    pub timer_late_ms: Stats,
    /// How long bytes waited to be read, in ms: by the kernel's clock those of each read; else those of a timer of the
    /// system's among the connections of the measuring threads, where of a stall each moment counts, as it would for a
    /// stream's bytes.
    pub read_late_ms: Stats,
    /// How long after its last bytes had arrived an answer was known to be over, in ms: so much later each client of a
    /// closed loop sent its next request. By the kernel's clock only.
    #[serde(default)]
    pub end_late_ms: Stats,
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

impl Watch {
    /// All its distributions.
    pub fn distributions_mut(&mut self) -> [&mut Stats; 3] {
        [
            &mut self.timer_late_ms,
            &mut self.read_late_ms,
            &mut self.left_late_ms,
        ]
    }

    /// `kernel clock · client read delay p50 0.02 ms, p99 0.31 ms, max 4.10 ms`; `None` where nobody knows the clock.
    pub fn clock_told(&self) -> Option<String> {
        let clock = self.clock?;
        let delay = &self.read_late_ms;
        let named = [
            ("p50", delay.at(P50)),
            ("p99", delay.at(P99)),
            ("max", delay.max),
        ];
        let known = named.into_iter().filter_map(|(name, ms)| Some((name, ms?)));
        let parts: Vec<String> = known
            .map(|(name, ms)| format!("{name} {}", units::milliseconds(ms)))
            .collect();
        let delay = match parts.is_empty() {
            true => String::new(),
            false => format!(" · client read delay {}", parts.join(", ")),
        };
        Some(format!("{} clock{delay}", clock.name()))
    }
}
