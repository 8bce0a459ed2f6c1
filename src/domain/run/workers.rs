//! The worker processes of a session that was sent from elsewhere, and what each of them saw.

use serde::{Deserialize, Serialize};

use super::{BenchReport, LevelReport};
use crate::domain::units;

/// A worker process.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerBrief {
    /// Counts them from 0.
    pub index: usize,
    /// The machine's name, or the pod's.
    pub host: Option<String>,
    /// The cluster's node.
    pub node: Option<String>,
    /// Its version of Batida.
    pub batida: String,
    /// e.g. `linux x86_64`
    pub system: String,
    /// Logical processors that it may use.
    pub cores: usize,
    /// Its threads that send and read requests.
    pub lanes: usize,
    /// How far its clock may be off in this report, in ms: half of the shortest round trip of a ping. It moves the places
    /// of requests in the session, and no latency.
    pub clock_uncertain_ms: Option<f64>,
    /// Why it was lost; `None` for one that was there to the end.
    pub lost: Option<String>,
}

/// What one worker saw of a level.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerPart {
    /// [`WorkerBrief::index`]
    pub worker: usize,
    /// Measured requests that ended.
    pub requests: u64,
    /// Of them not well.
    pub failed: u64,
    /// The median TTFT of its good answers, in ms.
    pub ttft_p50_ms: Option<f64>,
    /// Their 99th percentile, in ms.
    pub ttft_p99_ms: Option<f64>,
    /// Output tokens of its good answers per second, from its first request to the end of its last.
    pub output_tokens_per_s: Option<f64>,
    /// The mean number of its requests in flight over the same time.
    pub in_flight: Option<f64>,
    /// How late it read what had arrived, 99th percentile, in ms.
    pub read_late_p99_ms: Option<f64>,
    /// The longest of that, in ms.
    pub read_late_max_ms: Option<f64>,
    /// Requests that ended and are in no figure, since nobody read what it told fast enough.
    pub rows_lost: u64,
    /// How far into its part of the level it was lost, in s; `None` for one that ended it.
    pub lost_after_s: Option<f64>,
}

impl WorkerBrief {
    /// `worker 1 (bench1)`; people count from 1.
    pub fn name(&self) -> String {
        let number = self.index + 1;
        match self.node.as_ref().or(self.host.as_ref()) {
            Some(place) => format!("worker {number} ({place})"),
            None => format!("worker {number}"),
        }
    }
}

impl WorkerPart {
    /// `128 requests, TTFT p50 41.2 ms, p99 80.1 ms, 812 tok/s, 3.9 in flight`
    pub fn told(&self) -> String {
        let mut told = vec![units::counted(self.requests as usize, "request")];
        if self.failed > 0 {
            told.push(format!("{} failed", units::count(self.failed)));
        }
        if let Some(p50) = self.ttft_p50_ms {
            let p99 = units::short(self.ttft_p99_ms);
            told.push(format!(
                "TTFT p50 {} ms, p99 {p99} ms",
                units::short(Some(p50))
            ));
        }
        if let Some(speed) = self.output_tokens_per_s {
            told.push(format!("{} tok/s", units::short(Some(speed))));
        }
        if let Some(mean) = self.in_flight {
            told.push(format!("{} in flight", units::short(Some(mean))));
        }
        if let Some(late) = self.read_late_p99_ms {
            told.push(format!(
                "reads late by {} ms (p99)",
                units::short(Some(late))
            ));
        }
        if self.rows_lost > 0 {
            told.push(format!("{} rows lost", units::count(self.rows_lost)));
        }
        if let Some(after) = self.lost_after_s {
            told.push(format!("lost after {} s", units::short(Some(after))));
        }
        told.join(", ")
    }
}

impl BenchReport {
    /// What each worker saw of a level, a line each: `worker 1 (bench1): 14 requests, …`.
    pub fn workers_told(&self, level: &LevelReport) -> Vec<String> {
        let name = |part: &WorkerPart| {
            let brief = self.workers.iter().find(|it| it.index == part.worker);
            brief.map_or_else(|| format!("worker {}", part.worker + 1), WorkerBrief::name)
        };
        let parts = level.workers.iter();
        parts
            .map(|part| format!("{}: {}", name(part), part.told()))
            .collect()
    }
}
