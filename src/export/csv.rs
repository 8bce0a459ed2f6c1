//! CSV as RFC 4180 has it: a row a request. `batida bench --csv` writes the same while it measures.

use std::fmt::Write as _;
use std::io::Write;

use super::columns::{Belongs, COLUMNS, Cell, Kind, cells};
use super::{Exported, cannot_write};
use crate::domain::failure::Failure;
use crate::domain::history::Said;
use crate::metrics::request::RequestRecord;

/// The first line, with its end.
pub fn head() -> String {
    let names = COLUMNS.map(|(name, _)| name);
    format!("{}\r\n", names.join(","))
}

/// A request's line, with its end. `label` is that of its level.
pub fn row(session: &str, label: &str, model: &str, record: &RequestRecord, said: Option<&Said>) -> String {
    let request_id = format!("{session}-{}", record.index);
    let mut line = String::with_capacity(256);
    let cells = cells(Belongs { request_id: &request_id, label, model, said }, record);
    for (i, (cell, (_, kind))) in cells.into_iter().zip(COLUMNS).enumerate() {
        if i > 0 {
            line.push(',');
        }
        // Writing to a text cannot fail.
        let _ = match (cell, kind) {
            (Cell::Text(text), _) => {
                quote(&mut line, text);
                Ok(())
            }
            (Cell::Whole(Some(n)), _) => write!(line, "{n}"),
            (Cell::Real(Some(n)), Kind::Real(digits) | Kind::RealOrNone(digits)) => {
                write!(line, "{n:.digits$}")
            }
            _ => Ok(()),
        };
    }
    line.push_str("\r\n");
    line
}

/// The cell, in quotes where a reader needs them.
fn quote(line: &mut String, cell: &str) {
    if cell.contains([',', '"', '\r', '\n']) {
        // Writing to a text cannot fail.
        let _ = write!(line, "\"{}\"", cell.replace('"', "\"\""));
    } else {
        line.push_str(cell);
    }
}

pub(super) fn write(sessions: &mut [Exported<'_>], out: &mut dyn Write) -> Result<(), Failure> {
    out.write_all(head().as_bytes()).map_err(cannot_write)?;
    for session in sessions {
        while let Some(request) = session.requests.next() {
            let request = request?;
            let label = session.label(request.record.level);
            let line = row(
                &session.row.id.0,
                label,
                &request.model,
                &request.record,
                session.said(&request).as_deref(),
            );
            out.write_all(line.as_bytes()).map_err(cannot_write)?;
        }
    }
    Ok(())
}
