//! Builds levels from imported figures.

use std::collections::BTreeMap;
use std::time::Duration;

use super::SourceFile;
use super::plausible::{Implausible, MAX_REQUEST_SECONDS, MAX_REQUESTS};
use crate::domain::plan::{LevelLoad, MOST_CLIENTS, MOST_RATE, Objectives};
use crate::domain::run::{LevelEnd, LevelReport, Stats, Watch};
use crate::domain::stats::{P50, P99};
use crate::domain::units;
use crate::metrics::request::RequestRecord;
use crate::metrics::tally::{LevelFrame, Tally};
use crate::metrics::timeline::{Figures, TokenSource, Tokens};

/// A level of an imported file.
pub(super) struct ImportedLevel {
    pub(super) model: String,
    pub(super) load: LevelLoad,
    pub(super) report: LevelReport,
    /// Ordered by the time of sending; empty if the file has no single requests.
    pub(super) records: Vec<RequestRecord>,
}

/// A duration in seconds; `None` if it is negative, not finite or longer than [`MAX_REQUEST_SECONDS`].
pub(super) fn seconds(n: f64) -> Option<Duration> {
    units::checked_seconds(n).filter(|time| time.as_secs_f64() <= MAX_REQUEST_SECONDS)
}

/// Gaps in microseconds; `None` if one is too long to be stored, since a partial list would be misleading.
pub(super) fn in_micros(gaps: &[Duration]) -> Option<Vec<u32>> {
    gaps.iter()
        .map(|gap| u32::try_from(gap.as_micros()).ok())
        .collect()
}

/// Keeps the levels in which at least one request ended, and adds a remark about the others.
pub(super) fn with_requests(
    file: &SourceFile<'_>,
    mut found: Vec<ImportedLevel>,
) -> Vec<ImportedLevel> {
    let all = found.len();
    found.retain(|level| (1..=MAX_REQUESTS).contains(&level.report.requests.ended));
    let left_out = all - found.len();
    if left_out > 0 && !found.is_empty() {
        file.add_remark(format!(
            "{left_out} of the file's {} were skipped: they have no completed request",
            units::counted(all, "level")
        ));
    }
    found
}

/// The number of concurrent clients, or the limit of requests in flight.
///
/// # Errors
/// When the number is out of range.
pub(super) fn clients(
    file: &SourceFile<'_>,
    name: &str,
    n: Option<f64>,
) -> Result<Option<u32>, Implausible> {
    Ok(file
        .optional_in_range(name, n, 1.0, f64::from(MOST_CLIENTS))?
        .map(|n| n.round() as u32))
}

/// Requests per second.
///
/// # Errors
/// When the number is out of range.
pub(super) fn per_second(
    file: &SourceFile<'_>,
    name: &str,
    n: Option<f64>,
) -> Result<Option<f64>, Implausible> {
    file.optional_in_range(name, n, 0.001, MOST_RATE)
}

/// Figures with Batida's definitions, from the values that another program measured.
pub(super) fn figures(
    ttft: Option<Duration>,
    latency: Option<Duration>,
    tokens: Option<u64>,
    source: TokenSource,
) -> Figures {
    let tokens = tokens.map(|n| Tokens { n, source });
    let per_token = match (ttft, latency, tokens) {
        (Some(ttft), Some(latency), Some(Tokens { n, .. })) if n > 1 && latency > ttft => {
            Some((latency - ttft).as_secs_f64() / (n - 1) as f64)
        }
        _ => None,
    };
    Figures {
        ttft,
        latency,
        tokens,
        tokens_per_sec: per_token
            .map(|seconds| 1.0 / seconds)
            .filter(|rate| rate.is_finite()),
        tpot: per_token.and_then(units::checked_seconds),
        ..Figures::default()
    }
}

fn frame(
    index: usize,
    model: &str,
    began: Duration,
    now: Duration,
    steady: Option<[Duration; 2]>,
) -> LevelFrame {
    LevelFrame {
        index,
        model: model.to_owned(),
        deployment: None,
        ended: LevelEnd::Requests,
        began,
        now,
        steady,
        pauses: Vec::new(),
        in_flight_since: Vec::new(),
        most_in_flight: 0,
        aborted: 0,
        unsent: 0,
        sending: None,
        rate_limit: Vec::new(),
        watch: Watch::default(),
    }
}

/// The mean of some gaps; `None` without any.
pub(super) fn mean(gaps: &[Duration]) -> Option<Duration> {
    let sum = gaps
        .iter()
        .fold(Duration::ZERO, |sum, gap| sum.saturating_add(*gap));
    u32::try_from(gaps.len())
        .ok()
        .filter(|n| *n > 0)
        .map(|n| sum / n)
}

/// A level computed from its requests. `spans` has, by request index, the time from the first to the last token of
/// requests whose gaps are not in the file. Throughput assumes that their tokens are spread evenly over it.
pub(super) fn measured(
    model: &str,
    load: LevelLoad,
    records: &[RequestRecord],
    spans: &BTreeMap<u64, Duration>,
) -> LevelReport {
    let mut tally = Tally::new(Objectives::default(), load);
    let mut spread = tally.clone();
    for record in records {
        tally.record(record);
        spread.record(&RequestRecord {
            gaps_us: even_gaps(record, spans),
            ..record.clone()
        });
    }
    let began = records
        .iter()
        .map(|record| record.sent)
        .min()
        .unwrap_or_default();
    let ended = records
        .iter()
        .map(|record| record.ended)
        .max()
        .unwrap_or_default();
    // The load stays constant until the last request is sent.
    let last = records
        .iter()
        .map(|record| record.sent)
        .max()
        .unwrap_or_default();
    let until = if last.saturating_sub(began) * 4 >= ended.saturating_sub(began) {
        last
    } else {
        ended
    };
    let steady = (until > began).then_some([began, until]);
    let mut report = tally.report(frame(0, model, began, ended, steady));
    report.throughput = spread
        .report(frame(0, model, began, ended, steady))
        .throughput;
    // The other program does not record its own state.
    report.watch = Watch::default();
    report
}

fn even_gaps(record: &RequestRecord, spans: &BTreeMap<u64, Duration>) -> Vec<u32> {
    // The readers reject counts above MAX_TOKENS, which bounds this list.
    let gaps = record
        .tokens()
        .map_or(0, |tokens| tokens.n)
        .saturating_sub(1);
    let even = || {
        let span = spans
            .get(&record.index)
            .filter(|_| record.gaps_us.is_empty())?;
        let gap = u32::try_from(span.as_micros().checked_div(u128::from(gaps))?).ok()?;
        Some(vec![gap; gaps as usize])
    };
    even().unwrap_or_else(|| record.gaps_us.clone())
}

/// Drops aggregates of times that are all zero. Programs write those for responses that did not stream, or when
/// there were none.
pub(super) fn if_any_time(stats: Stats) -> Stats {
    let zero = |value: Option<f64>| value.is_none_or(|value| value <= 0.0);
    let none = zero(stats.mean) && zero(stats.at(P50)) && zero(stats.at(P99)) && zero(stats.max);
    if none { Stats::default() } else { stats }
}
