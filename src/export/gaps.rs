//! The moment of every chunk with text, as CSV: a row each. `batida bench --gaps` writes the same while it measures.

use std::borrow::Cow;
use std::io::Write;

use super::csv::lines;
use super::{Exported, cannot_write};
use crate::domain::failure::Failure;
use crate::metrics::request::RequestRecord;

/// The first line, with its end.
pub fn head() -> String {
    let names = [
        "request_id",
        "level",
        "label",
        "model",
        "phase",
        "chunk",
        "at_s",
        "gap_ms",
    ];
    lines([names.map(Into::into)], b',')
}

/// A line for each chunk of an answer, with its end; none where no text came. `chunk` counts from 1; `at_s` counts from the
/// session's beginning; `gap_ms` is the time since the chunk before, absent for the first, 0 for chunks of one read.
pub fn rows(session: &str, label: &str, model: &str, record: &RequestRecord) -> String {
    let Some(first) = record.figures.ttft else {
        return String::new();
    };
    let request_id = format!("{session}-{}", record.index);
    let level = record.level.to_string();
    let mut at_us = (record.sent + first).as_micros();
    let gaps = std::iter::once(None).chain(record.gaps_us.iter().map(|gap| Some(*gap)));
    let rows = (1u64..).zip(gaps).map(|(chunk, gap)| {
        at_us += u128::from(gap.unwrap_or_default());
        let [chunk, at, gap] = [
            chunk.to_string(),
            format!("{:.6}", at_us as f64 / 1e6),
            gap.map_or(String::new(), |gap| format!("{:.3}", f64::from(gap) / 1e3)),
        ]
        .map(Cow::from);
        let [request_id, level, label, model, phase] =
            [&request_id, &level, label, model, record.phase.name()].map(Cow::from);
        [request_id, level, label, model, phase, chunk, at, gap]
    });
    lines(rows, b',')
}

pub(super) fn write(sessions: &mut [Exported<'_>], out: &mut dyn Write) -> Result<(), Failure> {
    out.write_all(head().as_bytes()).map_err(cannot_write)?;
    for session in sessions {
        while let Some(request) = session.requests.next() {
            let request = request?;
            let label = session.label(request.record.level);
            let lines = rows(&session.row.id.0, label, &request.model, &request.record);
            out.write_all(lines.as_bytes()).map_err(cannot_write)?;
        }
    }
    Ok(())
}
