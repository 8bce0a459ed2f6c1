//! CSV as RFC 4180 has it: a row a request. `batida bench --csv` writes the same while it measures.
//!
//! A text that a spreadsheet would run as a formula gets an apostrophe before it; a number stays a number. Parquet and
//! JSON hold every text as it is.

use std::borrow::Cow;
use std::io::Write;

use super::columns::{Belongs, COLUMNS, Cell, Kind, cells};
use super::{Exported, cannot_write};
use crate::domain::failure::Failure;
use crate::domain::history::Said;
use crate::domain::printable::is_printable;
use crate::metrics::request::RequestRecord;

/// A line for each row of cells, with its end. `separator` is a comma or a tab. All CSV is written here.
pub fn lines<'a, R: IntoIterator<Item = Cow<'a, str>>>(
    rows: impl IntoIterator<Item = R>,
    separator: u8,
) -> String {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(separator)
        .terminator(csv::Terminator::CRLF)
        .buffer_capacity(1 << 10)
        .from_writer(Vec::with_capacity(256));
    // Writing to memory cannot fail, and texts give a text.
    for row in rows {
        for cell in row {
            let _ = writer.write_field(&*harmless(cell));
        }
        let _ = writer.write_record(None::<&[u8]>);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// The first line, with its end.
pub fn head() -> String {
    lines([COLUMNS.map(|(name, _)| name.into())], b',')
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
    let cells = cells(
        Belongs {
            request_id: &request_id,
            label,
            model,
            said,
        },
        record,
    );
    let cells = cells
        .into_iter()
        .zip(COLUMNS)
        .map(|(cell, (_, kind))| match (cell, kind) {
            (Cell::Text(text), _) => Cow::Borrowed(text),
            (Cell::Whole(Some(n)), _) => n.to_string().into(),
            (Cell::Real(Some(n)), Kind::Real(digits) | Kind::RealOrNone(digits)) => {
                format!("{n:.digits$}").into()
            }
            _ => "".into(),
        });
    lines([cells], b',')
}

/// The text, which no spreadsheet runs then.
fn harmless(text: Cow<'_, str>) -> Cow<'_, str> {
    if is_formula(&text) {
        format!("'{text}").into()
    } else {
        text
    }
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
