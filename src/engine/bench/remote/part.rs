//! What one worker measured of a level.

use std::time::{Duration, Instant};

use crate::domain::run::WorkerPart;
use crate::domain::stats::{P50, P99};
use crate::metrics::request::RequestRecord;
use crate::metrics::stats::{Histogram, Scale};

/// What a worker measured of a level.
pub(super) struct Part {
    ttft: Histogram,
    pub(super) read_late: Histogram,
    pub(super) requests: u64,
    failed: u64,
    tokens: u64,
    busy: Duration,
    span: Option<[Duration; 2]>,
    pub(super) dropped: u64,
    /// When it was first heard to send.
    pub(super) began: Option<Instant>,
    pub(super) lost_after: Option<Duration>,
}

impl Default for Part {
    fn default() -> Self {
        Self {
            ttft: Histogram::new(Scale::Time),
            read_late: Histogram::new(Scale::Time),
            requests: 0,
            failed: 0,
            tokens: 0,
            busy: Duration::ZERO,
            span: None,
            dropped: 0,
            began: None,
            lost_after: None,
        }
    }
}

impl Part {
    pub(super) fn record(&mut self, record: &RequestRecord) {
        if !record.is_measured() {
            return;
        }
        self.requests += 1;
        let took = record.ended.saturating_sub(record.sent);
        self.busy = self.busy.saturating_add(took);
        let [from, to] = self.span.unwrap_or([record.sent, record.ended]);
        self.span = Some([from.min(record.sent), to.max(record.ended)]);
        if !record.counts() {
            self.failed += 1;
            return;
        }
        let tokens = record.tokens().map_or(0, |tokens| tokens.n);
        self.tokens = self.tokens.saturating_add(tokens);
        if let Some(ttft) = record.ttft() {
            self.ttft.record(ttft);
        }
    }

    pub(super) fn report(&self, worker: usize) -> WorkerPart {
        let (ttft, late) = (self.ttft.stats(), self.read_late.stats());
        let seconds = self
            .span
            .map(|[from, to]| to.saturating_sub(from).as_secs_f64());
        let seconds = seconds.filter(|seconds| *seconds > 0.0);
        WorkerPart {
            worker,
            requests: self.requests,
            failed: self.failed,
            ttft_p50_ms: ttft.at(P50),
            ttft_p99_ms: ttft.at(P99),
            output_tokens_per_s: seconds
                .filter(|_| self.tokens > 0)
                .map(|seconds| self.tokens as f64 / seconds),
            in_flight: seconds.map(|seconds| self.busy.as_secs_f64() / seconds),
            read_late_p99_ms: late.at(P99),
            read_late_max_ms: late.max,
            rows_lost: self.dropped,
            lost_after_s: self.lost_after.map(|after| after.as_secs_f64()),
        }
    }
}
