//! Reads the single requests that `--save-detailed` writes, as lists with one item per request.

use std::time::Duration;

use serde_json::Value;

use super::TTFT_IS_LATENCY;
use crate::domain::plan::MOST_TOKENS;
use crate::import::level::{figures, in_micros, mean, seconds};
use crate::import::plausible::MAX_PROMPT_TOKENS;
use crate::import::{SourceFile, list, short};
use crate::metrics::request::{Phase, RequestError, RequestRecord};
use crate::metrics::timeline::{Figures, TokenSource};

/// Reads the requests of a run. Without start times they serve only figures of single requests.
pub(super) fn read(file: &SourceFile<'_>, run: &Value) -> Vec<RequestRecord> {
    let starts = list(run, &["start_times"]);
    let first_start = starts
        .iter()
        .filter_map(Value::as_f64)
        .filter(|at| *at >= 0.0)
        .reduce(f64::min);
    let ttfts = list(run, &["ttfts"]);
    let record = |index| Row { file, run, index }.record(starts, first_start);
    file.readable((0..ttfts.len()).map(record))
}

/// The items of all lists at one index.
struct Row<'a> {
    file: &'a SourceFile<'a>,
    run: &'a Value,
    index: usize,
}

impl Row<'_> {
    /// An implausible time drops the whole request, since its other times depend on it.
    fn record(&self, starts: &[Value], first_start: Option<f64>) -> Option<RequestRecord> {
        let error = self
            .item("errors")
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty());
        let ttft = match error {
            Some(_) => None,
            None => Some(self.time("ttfts", self.item("ttfts")?)?).filter(|ttft| !ttft.is_zero()),
        };
        let gaps = self.gaps()?;
        let sent = match starts.is_empty() {
            true => Duration::ZERO,
            false => self.file.duration(
                "start_times",
                starts.get(self.index)?.as_f64()? - first_start?,
            )?,
        };
        let took = self.took(ttft, &gaps)?;
        let failed = error.is_some() || ttft.is_none();
        Some(RequestRecord {
            index: self.index as u64,
            level: 0,
            phase: Phase::Measured,
            due: sent,
            sent,
            ended: sent + took,
            figures: self.figures(ttft, took, &gaps),
            first_byte: None,
            gaps_us: in_micros(&gaps)?,
            chunks: if failed { 0 } else { gaps.len() as u64 + 1 },
            bytes: 0,
            wanted_prompt_tokens: None,
            answered_by: None,
            reconnected: false,
            error: failed.then(|| RequestError {
                class: None,
                status: None,
                // Of a traceback, the last line has the message.
                text: short(
                    error
                        .and_then(|text| text.trim().lines().last())
                        .unwrap_or("no first token"),
                ),
            }),
        })
    }

    fn item(&self, name: &str) -> Option<&Value> {
        list(self.run, &[name])
            .get(self.index)
            .filter(|value| !value.is_null())
    }

    fn time(&self, name: &str, value: &Value) -> Option<Duration> {
        self.file.duration(name, value.as_f64()?)
    }

    fn gaps(&self) -> Option<Vec<Duration>> {
        let gaps = self.item("itls").and_then(Value::as_array);
        gaps.map_or(&[][..], Vec::as_slice)
            .iter()
            .map(|gap| self.time("itls", gap))
            .collect()
    }

    /// The latency: the file's own if it has one, else TTFT and all gaps.
    fn took(&self, ttft: Option<Duration>, gaps: &[Duration]) -> Option<Duration> {
        let own = match self.item("latencies") {
            Some(latency) => {
                Some(self.time("latencies", latency)?).filter(|latency| !latency.is_zero())
            }
            None => None,
        };
        let ttft = ttft.unwrap_or_default();
        let sum = gaps.iter().fold(ttft, |sum, gap| sum.saturating_add(*gap));
        seconds(own.unwrap_or(sum).max(ttft).as_secs_f64())
    }

    fn count(&self, name: &str, most: u64) -> Option<u64> {
        let n = self.item(name)?.as_f64()?;
        let n = self.file.in_range(name, n, 0.0, most as f64)?;
        Some(n.round() as u64)
    }

    fn figures(&self, ttft: Option<Duration>, took: Duration, gaps: &[Duration]) -> Figures {
        let tokens = self.count("output_lens", MOST_TOKENS.into());
        // A response without gaps did not stream, so it has no TTFT.
        let whole = ttft.is_some() && gaps.is_empty() && tokens.is_some_and(|n| n > 1);
        if whole {
            self.file.add_remark(TTFT_IS_LATENCY.to_owned());
        }
        let mut figures = figures(
            ttft.filter(|_| !whole),
            ttft.map(|_| took),
            tokens,
            TokenSource::Usage,
        );
        figures.prompt_tokens = self.count("input_lens", MAX_PROMPT_TOKENS);
        figures.longest_gap = gaps.iter().max().copied();
        figures.itl = mean(gaps);
        figures
    }
}
