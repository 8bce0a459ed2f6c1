//! The server's side of a level: what its own metrics said meanwhile, and how long the network took.

use serde::{Deserialize, Serialize};

use super::LevelReport;
use crate::domain::stats::{P50, P99, Stats};
use crate::domain::units;

/// Where a session's server metrics came from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricsOrigin {
    /// Addresses, or pods as `pod NAME, port PORT`. Empty: none were found.
    pub from: Vec<String>,
    /// Whose metrics these are, e.g. `vLLM`.
    pub engines: Vec<String>,
    /// Why there are none, or why some are missing, in a sentence.
    pub note: Option<String>,
}

impl MetricsOrigin {
    /// In one line: `vLLM, from https://api.example.com/metrics`, or why there are none.
    pub fn told(&self) -> String {
        let from = (!self.from.is_empty()).then(|| {
            format!(
                "{}, from {}",
                self.engines.join(" and "),
                self.from.join(", ")
            )
        });
        let parts: Vec<String> = from.into_iter().chain(self.note.clone()).collect();
        parts.join("; ")
    }
}

/// The server's own metrics over the steady part of a level.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerMetrics {
    /// Readings that fell into it.
    pub readings: u64,
    /// Requests that wait for their turn.
    pub queue: Gauge,
    /// Requests being worked on.
    pub running: Gauge,
    /// The used part of the KV cache, 0 to 1; of several the fullest.
    pub cache_use: Gauge,
    /// The busy part of the workers, 0 to 1.
    pub workers_busy: Gauge,
    /// How long the request that has waited longest has been in the queue, in ms.
    pub longest_wait_ms: Gauge,
    /// How long requests that left the queue had waited, in ms, from the server's histogram.
    pub queue_time_ms: QueueTime,
    /// Requests that lost their place to others and were begun anew.
    pub preemptions: Option<f64>,
    /// Prompt tokens found in the prefix cache / all that were looked for, 0 to 1.
    pub cache_hits: Option<f64>,
}

/// A value that goes up and down, over the readings of a level.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Gauge {
    /// The mean of the readings.
    pub mean: Option<f64>,
    /// The median of the readings.
    pub p50: Option<f64>,
    /// The largest reading.
    pub max: Option<f64>,
}

/// A distribution that the server keeps in buckets: its percentiles are interpolated within a bucket, as Prometheus
/// does. There is none below the first bound, where all may be zero, and beyond the last.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueTime {
    /// Values that were added over the steady part.
    pub count: Option<f64>,
    /// Their mean, which is exact.
    pub mean: Option<f64>,
    /// Half of them were at most so long.
    pub p50: Option<f64>,
    /// 99 % of them were at most so long.
    pub p99: Option<f64>,
}

/// The network between us and the API.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// Opening a TCP connection, once a second beside the requests, in ms: one round trip.
    pub connect_ms: Stats,
    /// It was opened to a proxy: the way from there to the API is not in it.
    pub to_proxy: bool,
}

impl Gauge {
    /// Of these readings, in whatever order.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let Some(max) = values.last().copied() else {
            return Self::default();
        };
        Self {
            mean: Some(values.iter().sum::<f64>() / count as f64),
            // By nearest rank, as all percentiles here.
            p50: Some(values[(count - 1) / 2]),
            max: Some(max),
        }
    }

    /// `mean 3.2, at most 14`; `None` without a reading.
    fn told(self, write: impl Fn(f64) -> String) -> Option<String> {
        let (mean, max) = (write(self.mean?), write(self.max?));
        Some(if mean == max {
            mean
        } else {
            format!("mean {mean}, at most {max}")
        })
    }
}

impl ServerMetrics {
    /// All that is known, in one line: `queue mean 3.2, at most 14 · running 8.0 · …`; `None` when nothing is.
    pub fn told(&self) -> Option<String> {
        let tenth = |value: f64| format!("{value:.1}");
        let time = |ms: f64| units::time(Some(ms));
        let named = |name: &str, told: Option<String>| told.map(|told| format!("{name} {told}"));
        let QueueTime { mean, p99, .. } = self.queue_time_ms;
        let queue_time = mean.map(|mean| format!("mean {}", time(mean)));
        let p99 = p99.map(|p99| format!("p99 about {}", time(p99)));
        let queue_time: Vec<String> = queue_time.into_iter().chain(p99).collect();
        let queue_time = (!queue_time.is_empty()).then(|| queue_time.join(", "));
        let parts = [
            named("queue", self.queue.told(tenth)),
            named("running", self.running.told(tenth)),
            named("workers busy", self.workers_busy.told(units::percent)),
            named("KV cache used", self.cache_use.told(units::percent)),
            named("longest wait", self.longest_wait_ms.told(time)),
            named("time in queue", queue_time),
            named("prefix cache hits", self.cache_hits.map(units::percent)),
            self.preemptions
                .filter(|preemptions| *preemptions > 0.0)
                .map(|n| units::counted(n.round() as usize, "preemption")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" · "))
    }
}

impl Network {
    /// `TCP connect p50 18.0 ms, p99 25.0 ms`; `None` when none could be opened.
    pub fn told(&self) -> Option<String> {
        let p50 = self.connect_ms.at(P50)?;
        let to = if self.to_proxy { " to the proxy" } else { "" };
        Some(format!(
            "TCP connect{to} p50 {}, p99 {}",
            units::time(Some(p50)),
            units::time(self.connect_ms.at(P99))
        ))
    }
}

/// From so many busy workers on they count as all.
const ALL_BUSY: f64 = 0.95;
/// From so full a cache on it holds requests back.
const CACHE_FULL: f64 = 0.95;
/// The network is a small part of TTFT up to this share, and most of it from the other on.
const SMALL_SHARE: f64 = 0.1;
const LARGE_SHARE: f64 = 0.5;

impl LevelReport {
    /// What both sides say together, in one sentence that the numbers bear out: what TTFT was, what of it is the
    /// server's queue or the network, and who is full. `None` where one of the sides is not known.
    pub fn both_sides(&self) -> Option<String> {
        let ttft = self.ttft_ms.at(P50)?;
        let server = self.server_metrics.as_ref().filter(|it| it.readings > 0);
        let network = self.network.as_ref();
        // Round trips of the handshake, and of a request and its first token, are the same.
        let direct = network.filter(|network| !network.to_proxy);
        let trip = direct.and_then(|network| network.connect_ms.at(P50));
        let share = trip.filter(|_| ttft > 0.0).map(|trip| trip / ttft);
        let mut facts: Vec<String> = Vec::new();
        let mut verdict = Vec::new();
        if let Some(server) = server {
            facts.extend(server.held());
            facts.extend(server.fullness());
            verdict.extend(server.is_full().map(str::to_owned));
        }
        let is_full = !verdict.is_empty();
        match share {
            Some(share) if share >= LARGE_SHARE && !is_full => {
                let trip = units::time(trip);
                facts.push(format!("a round trip on the network takes {trip}"));
                verdict.push("most of TTFT is the network".to_owned());
            }
            Some(share) if share <= SMALL_SHARE && is_full => {
                verdict.push("not the network".to_owned());
            }
            _ => {}
        }
        if facts.is_empty() {
            return None;
        }
        let ttft = units::time(Some(ttft));
        let verdict = if verdict.is_empty() {
            String::new()
        } else {
            format!(": {}", verdict.join(", "))
        };
        Some(format!("TTFT p50 {ttft}; {}{verdict}", facts.join("; ")))
    }
}

impl ServerMetrics {
    /// How long the queue held requests.
    fn held(&self) -> Option<String> {
        let time = |ms: f64| units::time(Some(ms));
        if let Some(p99) = self.queue_time_ms.p99.filter(|p99| *p99 >= 1.0) {
            return Some(format!(
                "the server's queue held requests for up to about {} (p99)",
                time(p99)
            ));
        }
        if let Some(longest) = self.longest_wait_ms.max.filter(|longest| *longest >= 1.0) {
            return Some(format!(
                "the server's queue held requests for up to {}",
                time(longest)
            ));
        }
        if let Some(mean) = self.queue_time_ms.mean.filter(|mean| *mean >= 1.0) {
            let mean = time(mean);
            return Some(format!(
                "the server's queue held requests for {mean} on average"
            ));
        }
        match (self.queue.mean, self.queue.max) {
            (Some(mean), Some(max)) if max > 0.0 => Some(format!(
                "{mean:.1} requests waited in the server's queue on average, at most {max:.0}"
            )),
            (_, Some(_)) => Some("no request was seen waiting in the server's queue".to_owned()),
            _ => None,
        }
    }

    fn fullness(&self) -> Vec<String> {
        let mut facts = Vec::new();
        facts.extend(
            self.workers_busy
                .mean
                .map(|busy| format!("workers {} busy", units::whole_percent(busy))),
        );
        facts.extend(
            self.cache_use
                .max
                .filter(|used| *used >= CACHE_FULL)
                .map(|used| format!("its KV cache was up to {} full", units::whole_percent(used))),
        );
        facts.extend(self.preemptions.filter(|n| *n > 0.0).map(|n| {
            format!(
                "{} of requests under way",
                units::counted(n.round() as usize, "preemption")
            )
        }));
        facts
    }

    /// Who is full, if somebody is: requests wait on average, and nothing says that workers are free.
    fn is_full(&self) -> Option<&'static str> {
        let waits = self.queue.mean.is_some_and(|mean| mean >= 1.0);
        match self.workers_busy.mean {
            _ if !waits => None,
            Some(busy) if busy < ALL_BUSY => None,
            _ => Some("the server is full"),
        }
    }
}

#[cfg(test)]
mod tests;
