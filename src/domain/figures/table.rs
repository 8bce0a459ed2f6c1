//! The figures themselves, each declared once.

use super::{Better, Distribution, Metric, Print, Read, Unit};
use crate::domain::run::{LevelReport, ServerMetrics, Stats};
use crate::domain::stats::{P50, P95, P99};

type StatsOf = fn(&LevelReport) -> Option<&Stats>;
type ValueOf = fn(&LevelReport) -> Option<f64>;
type StatisticOf = fn(&Stats) -> Option<f64>;

/// The key of the output tokens per second of all answers together.
pub const OUTPUT_RATE: &str = "output_tokens_per_s";
/// The key of the prompt tokens per second of all answers together.
pub(super) const INPUT_RATE: &str = "prompt_tokens_per_s";
/// The key of the share of requests that met all objectives.
pub const GOODPUT: &str = "goodput";
/// The key of what a million output tokens cost.
pub(super) const COST: &str = "cost_per_million";
/// The key of the number of failed requests.
pub const ERRORS: &str = "errors";
/// The key of the mean number of requests in flight.
pub(super) const IN_FLIGHT: &str = "concurrency_reached";
/// The heading above the speeds of one user and of all.
const SPEEDS: &str = "tok/s";

/// Time to first token.
pub static TTFT: Distribution = Distribution {
    title: "TTFT",
    group: "TTFT, ms",
    columns: &[(P50, 0), (P95, 7), (P99, 3)],
    ..time("ttft", |l| Some(&l.ttft_ms))
};
/// Time to the first text of the answer proper.
pub static FIRST_ANSWER: Distribution = Distribution {
    title: "First answer",
    group: "First answer, ms",
    ..time("first_answer", |l| Some(&l.first_answer_ms))
};
/// Inter-token latency.
pub static ITL: Distribution = Distribution {
    title: "ITL",
    group: "ITL, ms",
    columns: &[(P50, 4), (P99, 9)],
    ..time("itl", |l| Some(&l.itl_ms))
};
/// Time per output token.
pub static TPOT: Distribution = Distribution {
    title: "TPOT",
    group: "TPOT, ms",
    counts_tokens: true,
    columns: &[(P50, 12)],
    ..time("tpot", |l| Some(&l.tpot_ms))
};
/// To the end of the answer.
pub static LATENCY: Distribution = Distribution {
    title: "Latency",
    group: "latency",
    print: Print::Time,
    columns: &[(P50, 8), (P99, 13)],
    ..time("latency", |l| Some(&l.latency_ms))
};
/// Tokens per second of each answer. Its high percentiles are the fast end.
pub static USER_SPEED: Distribution = Distribution {
    title: "Per-user speed",
    group: SPEEDS,
    before: "user ",
    better: Better::Higher,
    counts_tokens: true,
    columns: &[(P50, 5)],
    ..Distribution::new("user_tokens_per_s", Unit::TokensPerS, |l| {
        Some(&l.user_tokens_per_s)
    })
};

const fn time(key: &'static str, read: StatsOf) -> Distribution {
    Distribution::new(key, Unit::Ms, read)
}

const fn number(key: &'static str, read: StatsOf) -> Distribution {
    Distribution::new(key, Unit::Number, read)
}

/// All figures that have percentiles, those with columns in the order of the tables.
pub static DISTRIBUTIONS: &[&Distribution] = &[
    &TTFT,
    &FIRST_ANSWER,
    &ITL,
    &TPOT,
    &LATENCY,
    &USER_SPEED,
    &time("connect", |l| Some(&l.connect_ms)),
    &time("late", |l| Some(&l.late_ms)),
    &number("prompt_tokens", |l| Some(&l.prompt_tokens)),
    &number("cached_tokens", |l| Some(&l.cached_tokens)),
    &number("output_tokens", |l| Some(&l.output_tokens)),
    &number("reasoning_tokens", |l| Some(&l.reasoning_tokens)),
    &time("server_ttft", |l| {
        l.server.as_ref().map(|server| &server.ttft_ms)
    }),
    &time("server_latency", |l| {
        l.server.as_ref().map(|server| &server.latency_ms)
    }),
    &number("server_tokens_per_s", |l| {
        l.server.as_ref().map(|server| &server.tokens_per_s)
    }),
    &time("network_connect", |l| {
        l.network.as_ref().map(|network| &network.connect_ms)
    }),
    &time("timer_late", |l| Some(&l.watch.timer_late_ms)),
    &time("read_late", |l| Some(&l.watch.read_late_ms)),
    &time("end_late", |l| Some(&l.watch.end_late_ms)),
    &time("left_late", |l| Some(&l.watch.left_late_ms)),
];

/// What a distribution has besides percentiles.
pub(super) const STATISTICS: [(&str, StatisticOf); 5] = [
    ("mean", |s| s.mean),
    ("sd", |s| s.sd),
    ("min", |s| s.min),
    ("max", |s| s.max),
    ("count", |s| Some(s.count as f64)),
];

/// Per second over the steady part, with intervals by batch means.
pub(super) fn rates() -> [Metric; 4] {
    let rate = |key, unit, read| Metric::new(key, unit, Read::Rate(read)).better(Better::Higher);
    [
        rate(OUTPUT_RATE, Unit::TokensPerS, |l| {
            l.throughput.output_tokens_per_s
        })
        .shown("Output tok/s", (SPEEDS, "all"), 0)
        .counting_tokens(),
        // Follows from requests/s: which way it improves is told once.
        Metric::new(
            INPUT_RATE,
            Unit::TokensPerS,
            Read::Rate(|l| l.throughput.prompt_tokens_per_s),
        )
        .shown("Input tok/s", (SPEEDS, "input"), 0),
        rate("total_tokens_per_s", Unit::TokensPerS, |l| {
            l.throughput.total_tokens_per_s
        })
        .titled("Total tok/s")
        .counting_tokens(),
        rate("requests_per_s", Unit::RequestsPerS, |l| {
            l.throughput.requests_per_s
        })
        .shown("Requests/s", ("", "req/s"), 10),
    ]
}

fn server(level: &LevelReport) -> Option<&ServerMetrics> {
    level.server_metrics.as_ref()
}

/// Single numbers.
pub(super) fn values() -> Vec<Metric> {
    let count = |key, read: ValueOf| Metric::new(key, Unit::Count, Read::Value(read));
    let number = |key, read: ValueOf| Metric::new(key, Unit::Number, Read::Value(read));
    let share = |key, read: ValueOf| Metric::new(key, Unit::Share, Read::Value(read));
    let ms = |key, read: ValueOf| Metric::new(key, Unit::Ms, Read::Value(read));
    let mut values = vec![
        share(GOODPUT, |l| l.goodput.as_ref()?.share)
            .shown("Goodput, %", ("", "goodput"), 6)
            .better(Better::Higher),
        count("goodput_met", |l| Some(l.goodput.as_ref()?.met as f64)),
        count("goodput_missed", |l| {
            Some(l.goodput.as_ref()?.missed as f64)
        }),
        number("goodput_requests_per_s", |l| {
            l.goodput.as_ref()?.requests_per_s
        }),
        number(COST, |l| l.cost_per_million)
            .shown("Cost per million output tokens", ("", "cost/M tok"), 14)
            .better(Better::Lower)
            .counting_tokens(),
        count("requests", |l| Some(l.requests.ended as f64)).shown("Requests", ("", "requests"), 1),
        count("ok", |l| Some(l.requests.ok as f64)),
        count(ERRORS, |l| Some(l.requests.failed as f64))
            .shown("Errors", ("", "errors"), 2)
            .better(Better::Lower),
        share("error_share", |l| {
            (l.requests.ended > 0).then(|| l.requests.failed as f64 / l.requests.ended as f64)
        }),
        count("without_text", |l| Some(l.requests.without_text as f64)),
        count("at_once", |l| Some(l.at_once as f64)),
        number("tokens_per_chunk", |l| l.tokens_per_chunk),
        count("aborted", |l| Some(l.requests.aborted as f64)),
        count("hung_up", |l| Some(l.requests.hung_up as f64)),
        count("unsent", |l| Some(l.requests.unsent as f64)),
        count("warmup", |l| Some(l.requests.warmup as f64)),
        count("reconnected", |l| Some(l.requests.reconnected as f64)),
        count("warmup_failed", |l| Some(l.requests.warmup_failed as f64)),
        count("rate_limited", |l| Some(l.limits.rate_limited as f64)),
        count("ingress_limited", |l| Some(l.limits.ingress as f64)),
        count("queue_full", |l| Some(l.limits.queue_full as f64)),
        count("concurrency_asked", |l| l.concurrency.asked.map(f64::from)),
        number(IN_FLIGHT, |l| l.concurrency.reached)
            .shown("In flight", ("", "in flight"), 11)
            .better(Better::Higher)
            .printed(Print::Tenth),
        count("concurrency_most", |l| l.concurrency.most.map(f64::from)),
        ms("server_ttft_difference", |l| {
            l.server.as_ref()?.ttft_p50_difference_ms
        }),
        ms("server_latency_difference", |l| {
            l.server.as_ref()?.latency_p50_difference_ms
        }),
        number("server_tokens_per_s_difference", |l| {
            l.server.as_ref()?.tokens_per_s_p50_difference
        }),
        number("server_queue_mean", |l| server(l)?.queue.mean),
        number("server_queue_max", |l| server(l)?.queue.max),
        number("server_running_mean", |l| server(l)?.running.mean),
        number("server_running_max", |l| server(l)?.running.max),
        share("server_workers_busy_mean", |l| server(l)?.workers_busy.mean),
        share("server_cache_use_mean", |l| server(l)?.cache_use.mean),
        share("server_cache_use_max", |l| server(l)?.cache_use.max),
        share("server_cache_hits", |l| server(l)?.cache_hits),
        ms("server_longest_wait_max", |l| {
            server(l)?.longest_wait_ms.max
        }),
        ms("server_queue_time_mean", |l| server(l)?.queue_time_ms.mean),
        ms("server_queue_time_p50", |l| server(l)?.queue_time_ms.p50),
        ms("server_queue_time_p99", |l| server(l)?.queue_time_ms.p99),
        number("server_preemptions", |l| server(l)?.preemptions),
    ];
    values.extend(surroundings());
    values
}

/// What the benchmark saw of itself, and when the level was.
fn surroundings() -> Vec<Metric> {
    let count = |key, read: ValueOf| Metric::new(key, Unit::Count, Read::Value(read));
    let number = |key, read: ValueOf| Metric::new(key, Unit::Number, Read::Value(read));
    let share = |key, read: ValueOf| Metric::new(key, Unit::Share, Read::Value(read));
    let ms = |key, read: ValueOf| Metric::new(key, Unit::Ms, Read::Value(read));
    vec![
        share("busiest_lane", |l| l.watch.busiest_lane),
        number("process_cores", |l| l.watch.process_cores),
        share("machine_busy", |l| l.watch.machine_busy),
        count("late_requests", |l| Some(l.watch.late_requests as f64)),
        count("doubts", |l| Some(l.watch.doubts.len() as f64)),
        ms("began", |l| Some(l.began_s? * 1e3)),
        ms("took", |l| Some(l.took_s? * 1e3)),
        ms("steady_from", |l| l.steady_s.map(|[from, _]| from * 1e3)),
        ms("steady_to", |l| l.steady_s.map(|[_, to]| to * 1e3)),
    ]
}
