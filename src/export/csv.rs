//! CSV as RFC 4180 has it: a row a request. `batida bench --csv` writes the same while it measures.
//!
//! A text that a spreadsheet would run as a formula gets an apostrophe before it; a number stays a number. Parquet and
//! JSON hold every text as it is.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write;

use super::columns::{Belongs, COLUMNS, Cell, Kind, cells};
use super::{Exported, cannot_write};
use crate::domain::failure::Failure;
use crate::domain::history::Said;
use crate::domain::printable::is_printable;
use crate::metrics::request::RequestRecord;

/// The first line, with its end.
pub fn head() -> String {
    let names = COLUMNS.map(|(name, _)| name);
    format!("{}\r\n", names.join(","))
}

/// A request's line, with its end. `label` is that of its level.
pub fn row(
    session: &str,
    label: &str,
    model: &str,
    record: &RequestRecord,
    said: Option<&Said>,
) -> String {
    let request_id = format!("{session}-{}", record.index);
    let mut line = String::with_capacity(256);
    let cells = cells(
        Belongs {
            request_id: &request_id,
            label,
            model,
            said,
        },
        record,
    );
    for (i, (cell, (_, kind))) in cells.into_iter().zip(COLUMNS).enumerate() {
        if i > 0 {
            line.push(',');
        }
        // Writing to a text cannot fail.
        let _ = match (cell, kind) {
            (Cell::Text(text), _) => {
                line.push_str(&cell_of(text, ','));
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

/// The text as a cell: made harmless to spreadsheets, and in quotes where a reader needs them. `separator` is a comma or
/// a tab.
pub fn cell_of(text: &str, separator: char) -> Cow<'_, str> {
    let text = if is_formula(text) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    };
    if text.contains([separator, '"', '\r', '\n']) {
        return Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")));
    }
    text
}

/// Whether a spreadsheet may take it for a formula: it begins with `=`, `+`, `-` or `@`, in their wide form too and
/// behind what shows nothing or is trimmed, or with a tab or a line's end. A number is none.
fn is_formula(text: &str) -> bool {
    if text.starts_with(['\t', '\r', '\n', '\0']) {
        return true;
    }
    let trimmed = |c: char| {
        c.is_whitespace() || c.is_control() || !is_printable(c) || matches!(c, '"' | '\'')
    };
    let bare = text.trim_start_matches(trimmed);
    let begins = bare.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let is_number = || {
        let digits = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
        text.chars().all(digits) && text.parse::<f64>().is_ok()
    };
    begins && !is_number()
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
