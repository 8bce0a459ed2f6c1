//! The moment of every chunk with text, as CSV: a row each. `batida bench --gaps` writes the same while it measures.

use std::fmt::Write as _;
use std::io::Write;

use super::csv::line;
use super::{Exported, cannot_write};
use crate::domain::failure::Failure;
use crate::metrics::request::{Phase, RequestRecord};

/// The first line, with its end.
pub fn head() -> &'static str {
    "request_id,level,label,model,phase,chunk,at_s,gap_ms\r\n"
}

/// A line for each chunk of an answer, with its end; none where no text came. `chunk` counts from 1; `at_s` counts from the
/// session's beginning; `gap_ms` is the time since the chunk before, absent for the first, 0 for chunks of one read.
pub fn rows(session: &str, label: &str, model: &str, record: &RequestRecord) -> String {
    let Some(first) = record.figures.ttft else {
        return String::new();
    };
    let phase = match record.phase {
        Phase::Warmup => "warmup",
        Phase::Switch => "switch",
        Phase::Measured => "measured",
    };
    let place = [
        format!("{session}-{}", record.index).into(),
        record.level.to_string().into(),
    ];
    let start = line(
        place
            .into_iter()
            .chain([label, model, phase].map(Into::into)),
        b',',
    );
    let start = start.trim_end_matches("\r\n");
    let mut out = String::with_capacity((record.gaps_us.len() + 1) * (start.len() + 40));
    let mut at_us = (record.sent + first).as_micros();
    // Writing to a text cannot fail, here and below.
    let _ = write!(out, "{start},1,{:.6},\r\n", at_us as f64 / 1e6);
    for (n, gap) in (2u64..).zip(&record.gaps_us) {
        at_us += u128::from(*gap);
        let _ = write!(
            out,
            "{start},{n},{:.6},{:.3}\r\n",
            at_us as f64 / 1e6,
            f64::from(*gap) / 1e3
        );
    }
    out
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
