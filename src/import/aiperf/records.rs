//! Reads `profile_export.jsonl`, which has one request per line.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{MISSING, tokenizer_remark, unit_of, value_and_unit};
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::history::Imported;
use crate::domain::plan::{LevelLoad, MOST_TOKENS};
use crate::import::level::{ImportedLevel, figures, in_micros, mean, measured, seconds};
use crate::import::plausible::MAX_PROMPT_TOKENS;
use crate::import::session::{Origin, RunSettings, sessions};
use crate::import::{NOT_IN_FILE, SourceFile, at, list, no_benchmark, number, short, text};
use crate::metrics::request::{Phase, RequestError, RequestRecord};
use crate::metrics::timeline::{Figures, TokenSource};

pub(in crate::import) fn read_records(
    file: &SourceFile<'_>,
    lines: &[Value],
) -> Result<Imported, Failure> {
    let starts = lines
        .iter()
        .filter_map(|line| file.unix_nanos(line, &["metadata", "request_start_ns"]));
    let Some(began_ns) = starts.min() else {
        return Err(no_benchmark(file, "aiperf"));
    };
    let mut spans = BTreeMap::new();
    let mut records = Vec::new();
    let mut all_gaps = true;
    let lines = lines.iter().enumerate();
    for (record, span) in
        file.readable(lines.map(|(index, line)| record(file, line, index as u64, began_ns)))
    {
        all_gaps &= record.chunks < 2 || !record.gaps_us.is_empty();
        spans.extend(span.map(|span| (record.index, span)));
        records.push(record);
    }
    records.sort_by_key(|record| record.sent);
    // Sorting changed the indexes, by which `spans` is keyed.
    let mut sorted_spans = BTreeMap::new();
    for (place, record) in records.iter_mut().enumerate() {
        sorted_spans.extend(spans.get(&record.index).map(|span| (place as u64, *span)));
        record.index = place as u64;
    }
    if !records.iter().any(|record| record.phase == Phase::Measured) {
        return Err(no_benchmark(file, "aiperf"));
    }
    let in_flight = most_in_flight(&records);
    let model = NOT_IN_FILE.to_owned();
    let load = LevelLoad::Unknown;
    let report = measured(&model, load, &records, &sorted_spans);
    let took_s = records
        .iter()
        .map(|record| record.ended.as_secs_f64())
        .fold(0.0, f64::max);
    let origin = Origin {
        source: "aiperf".to_owned(),
        api: String::new(),
        machine: None,
        began: nanos(began_ns),
        took_s: Some(took_s),
        settings: RunSettings::default(),
        tags: Vec::new(),
        stopped: false,
    };
    let remarks = remarks(in_flight, all_gaps);
    let sessions = sessions(
        file,
        &origin,
        vec![ImportedLevel {
            model,
            load,
            report,
            records,
        }],
    );
    Ok(Imported {
        source: "aiperf".to_owned(),
        sessions,
        remarks,
    })
}

fn remarks(in_flight: u32, all_gaps: bool) -> Vec<String> {
    let mut remarks = vec![
        "TTFT, latency, TPOT and tokens/s were recomputed from each request with Batida's \
         definitions"
            .to_owned(),
        format!(
            "The file has neither the model nor the load; at most {} were in flight",
            crate::domain::units::counted(in_flight as usize, "request")
        ),
        tokenizer_remark("aiperf"),
    ];
    remarks.push(match all_gaps {
        true => "ITL is the gap between chunks, which aiperf calls inter chunk latency. aiperf's \
             inter token latency is the mean of a response, which Batida calls TPOT"
            .to_owned(),
        false => "The file has no gaps between chunks, so there is no ITL".to_owned(),
    });
    remarks.push(MISSING.to_owned());
    remarks
}

fn nanos(n: u64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(n)).ok()
}

fn most_in_flight(records: &[RequestRecord]) -> u32 {
    let mut moments: Vec<(Duration, i32)> = records
        .iter()
        .flat_map(|record| [(record.sent, 1), (record.ended, -1)])
        .collect();
    // At the same moment, ends come before starts.
    moments.sort_unstable();
    let mut now = 0i32;
    let most = moments.into_iter().map(|(_, more)| {
        now += more;
        now
    });
    most.max()
        .and_then(|most| u32::try_from(most).ok())
        .unwrap_or_default()
}

/// A request, and the time from its first token to its end.
fn record(
    file: &SourceFile<'_>,
    line: &Value,
    index: u64,
    began_ns: u64,
) -> Option<(RequestRecord, Option<Duration>)> {
    let metadata = at(line, &["metadata"])?;
    let start = file.unix_nanos(metadata, &["request_start_ns"])?;
    let end = file.unix_nanos(metadata, &["request_end_ns"])?;
    let sent = seconds(Duration::from_nanos(start.checked_sub(began_ns)?).as_secs_f64())?;
    let took = seconds(Duration::from_nanos(end.checked_sub(start)?).as_secs_f64())?;
    let phase =
        match text(metadata, &["benchmark_phase"]).or_else(|| text(metadata, &["phase_kind"])) {
            Some("warmup") => Phase::Warmup,
            _ => Phase::Measured,
        };
    let metrics = Metrics {
        file,
        values: at(line, &["metrics"])?,
    };
    let error = error(line, metadata);
    let ttft = metrics.time("time_to_first_token");
    let latency = metrics.time("request_latency").unwrap_or(took);
    let (gaps_us, gaps) = metrics.gaps().unwrap_or_default();
    let figures = metrics.figures(ttft, error.is_none().then_some(latency), &gaps);
    let chunks = if gaps.is_empty() {
        metrics.response_count("output_chunk_count").unwrap_or(2)
    } else {
        gaps.len() as u64 + 1
    };
    let record = RequestRecord {
        index,
        level: 0,
        phase,
        due: sent,
        sent,
        ended: sent + took,
        figures,
        first_byte: None,
        gaps_us,
        chunks: if error.is_some() { 0 } else { chunks },
        bytes: 0,
        wanted_prompt_tokens: None,
        answered_by: None,
        reconnected: false,
        error,
    };
    Some((record, ttft.map(|ttft| latency.saturating_sub(ttft))))
}

fn error(line: &Value, metadata: &Value) -> Option<RequestError> {
    let cancelled = at(metadata, &["was_cancelled"]).and_then(Value::as_bool) == Some(true);
    let error = at(line, &["error"]);
    if error.is_none() && !cancelled {
        return None;
    }
    let status = error
        .and_then(|error| at(error, &["code"])?.as_u64())
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| (100..600).contains(code));
    let message =
        error.and_then(|error| text(error, &["message"]).or_else(|| text(error, &["type"])));
    Some(RequestError {
        class: cancelled.then_some(FaultClass::Cancelled),
        status,
        text: short(message.unwrap_or("cancelled")),
    })
}

/// The `metrics` of a request.
struct Metrics<'a> {
    file: &'a SourceFile<'a>,
    values: &'a Value,
}

impl Metrics<'_> {
    fn time(&self, name: &str) -> Option<Duration> {
        let (value, unit) = value_and_unit(self.file, at(self.values, &[name])?, "value")?;
        self.file.duration(name, value * unit)
    }

    fn count(&self, name: &str, most: u64) -> Option<u64> {
        let n = number(self.values, &[name, "value"])?;
        let n = self.file.in_range(name, n, 0.0, most as f64)?;
        Some(n.round() as u64)
    }

    fn response_count(&self, name: &str) -> Option<u64> {
        self.count(name, MOST_TOKENS.into())
    }

    fn prompt_count(&self, name: &str) -> Option<u64> {
        self.count(name, MAX_PROMPT_TOKENS)
    }

    /// The gaps between chunks, also in microseconds. `None` if one of them is missing, since a partial list would be
    /// misleading.
    fn gaps(&self) -> Option<(Vec<u32>, Vec<Duration>)> {
        let chunk_gaps = at(self.values, &["inter_chunk_latency"])?;
        let scale = unit_of(self.file, chunk_gaps)?;
        let gap = |gap: &Value| {
            self.file
                .duration("inter_chunk_latency", gap.as_f64()? * scale)
        };
        let gaps: Vec<Duration> = list(chunk_gaps, &["value"])
            .iter()
            .map(gap)
            .collect::<Option<_>>()?;
        Some((in_micros(&gaps)?, gaps))
    }

    fn figures(
        &self,
        ttft: Option<Duration>,
        latency: Option<Duration>,
        gaps: &[Duration],
    ) -> Figures {
        // The first two include reasoning; `output_token_count` does not.
        let tokens = self
            .response_count("usage_completion_tokens")
            .or_else(|| self.response_count("output_sequence_length"))
            .or_else(|| self.response_count("output_token_count"));
        let mut figures = figures(ttft, latency, tokens, TokenSource::Usage);
        figures.first_answer = self.time("time_to_first_output_token");
        figures.prompt_tokens = self
            .prompt_count("usage_prompt_tokens")
            .or_else(|| self.prompt_count("input_sequence_length"));
        figures.longest_gap = gaps.iter().max().copied();
        figures.itl = mean(gaps);
        figures
    }
}
