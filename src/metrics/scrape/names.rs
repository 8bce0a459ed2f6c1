//! The names of the metrics that are read, each with its source.

use crate::wire::prometheus::Sample;

/// A program that publishes metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the programs' names")]
pub enum Engine {
    Vllm,
    Sglang,
    LlamaCpp,
    /// SambaStack's inference router.
    Router,
}

impl Engine {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::LlamaCpp => "llama.cpp",
            Self::Router => "SambaStack's inference router",
        }
    }
}

/// What a metric says. The order is that of [`NAMES`]' figures and means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Figure {
    Queue,
    Running,
    CacheUse,
    WorkersBusy,
    LongestWait,
    Preemptions,
    CacheHits,
    CacheQueries,
    CacheHitRate,
    /// A histogram, in seconds.
    QueueTime,
    /// The sum of its values.
    QueueTimeSum,
}

/// A metric that is read.
#[derive(Debug)]
pub(super) struct Known {
    name: &'static str,
    pub(super) engine: Engine,
    pub(super) figure: Figure,
}

const fn vllm(name: &'static str, figure: Figure) -> Known {
    Known {
        name,
        engine: Engine::Vllm,
        figure,
    }
}

const fn sglang(name: &'static str, figure: Figure) -> Known {
    Known {
        name,
        engine: Engine::Sglang,
        figure,
    }
}

const fn llama(name: &'static str, figure: Figure) -> Known {
    Known {
        name,
        engine: Engine::LlamaCpp,
        figure,
    }
}

const fn router(name: &'static str, figure: Figure) -> Known {
    Known {
        name,
        engine: Engine::Router,
        figure,
    }
}

/// The metrics. Of several names of an engine for the same figure the current one stands first.
///
/// - vLLM: `vllm/v1/metrics/loggers.py`; the `gpu_…` names are those before 0.11, which versions between wrote too.
/// - SGLang: `python/sglang/srt/metrics/collector.py` and its page "Production metrics".
/// - llama.cpp: `tools/server/server-task.cpp`, `server_task_result_metrics::to_metrics`; `kv_cache_usage_ratio` was
///   taken away in 2025.
/// - The router: SambaNova's page "Metrics" of SambaStack 0.5.17 to 2.2.3, which says that names may change.
pub(super) static NAMES: [Known; 24] = [
    vllm("vllm:num_requests_waiting", Figure::Queue),
    vllm("vllm:num_requests_running", Figure::Running),
    vllm("vllm:kv_cache_usage_perc", Figure::CacheUse),
    vllm("vllm:gpu_cache_usage_perc", Figure::CacheUse),
    vllm("vllm:num_preemptions_total", Figure::Preemptions),
    vllm("vllm:prefix_cache_hits_total", Figure::CacheHits),
    vllm("vllm:gpu_prefix_cache_hits_total", Figure::CacheHits),
    vllm("vllm:prefix_cache_queries_total", Figure::CacheQueries),
    vllm("vllm:gpu_prefix_cache_queries_total", Figure::CacheQueries),
    vllm("vllm:request_queue_time_seconds_bucket", Figure::QueueTime),
    vllm("vllm:request_queue_time_seconds_sum", Figure::QueueTimeSum),
    sglang("sglang:num_queue_reqs", Figure::Queue),
    sglang("sglang:num_running_reqs", Figure::Running),
    sglang("sglang:token_usage", Figure::CacheUse),
    sglang("sglang:num_retracted_requests_total", Figure::Preemptions),
    sglang("sglang:cache_hit_rate", Figure::CacheHitRate),
    sglang("sglang:queue_time_seconds_bucket", Figure::QueueTime),
    sglang("sglang:queue_time_seconds_sum", Figure::QueueTimeSum),
    llama("llamacpp:requests_deferred", Figure::Queue),
    llama("llamacpp:requests_processing", Figure::Running),
    llama("llamacpp:kv_cache_usage_ratio", Figure::CacheUse),
    router("queue_length", Figure::Queue),
    router("queue_max_wait_seconds", Figure::LongestWait),
    router("connection_state_ratio", Figure::WorkersBusy),
];

/// The metric of that name, and its place in [`NAMES`]. The router's may have something in front, such as
/// `inference_router_queue_length`: its documentation names them without a prefix, which a scrape may add.
pub(super) fn find(name: &str) -> Option<(usize, &'static Known)> {
    NAMES.iter().enumerate().find(|(_, known)| {
        name == known.name
            || known.engine == Engine::Router
                && name
                    .strip_suffix(known.name)
                    .is_some_and(|before| before.ends_with("router_"))
    })
}

impl Figure {
    /// Whether a series of the metric is about something else.
    pub(super) fn is_left_out(self, sample: &Sample<'_>) -> bool {
        // Each part of a model that is spread over devices says the same, where SGLang is told to let all speak.
        let is_another_part = |label| sample.label(label).is_some_and(|rank| rank != "0");
        match self {
            // A fraction for each state of the workers, whatever the label is called.
            Self::WorkersBusy => !sample
                .labels()
                .any(|(_, value)| value.eq_ignore_ascii_case("busy")),
            _ => ["tp_rank", "pp_rank", "moe_ep_rank"]
                .into_iter()
                .any(is_another_part),
        }
    }

    /// One value of those of several series: engines, queues, pools.
    pub(super) fn fold(self, values: &[f64]) -> f64 {
        match self {
            Self::CacheUse | Self::LongestWait | Self::CacheHitRate => {
                values.iter().copied().fold(0.0, f64::max)
            }
            Self::WorkersBusy => values.iter().sum::<f64>() / values.len().max(1) as f64,
            _ => values.iter().sum(),
        }
    }
}
