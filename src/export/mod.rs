//! Taking along what was measured: sessions and conversations as files that other programs and people read.
//!
//! Pure but for the writer that is given: nothing here opens a file. What the figures mean is
//! [`crate::metrics`]'; here they are only written down.

mod columns;
pub mod csv;
pub mod gaps;
mod html;
mod json;
pub mod junit;
mod markdown;
pub mod oci;
mod parquet;
mod tar;
mod words;

use std::borrow::Cow;
use std::io::Write;

use jiff::Timestamp;

use crate::domain::failure::Failure;
use crate::domain::history::{
    Exchange, ExportFormat, Said, SessionBody, SessionKind, SessionRow, StoredRequest,
};

pub use self::json::CHAT_SCHEMA;
pub use self::markdown::{bench_alone as markdown_summary, escape as escape_markdown};

/// Characters of an error, or another message, that a report for people shows.
const MAX_MESSAGE: usize = 500;

/// A session on its way out.
pub struct Exported<'a> {
    /// As in the table of sessions.
    pub row: &'a SessionRow,
    /// What is in it.
    pub body: &'a SessionBody,
    /// Its requests in the order of their indexes. Read once, by the formats that have a row a request.
    pub requests: &'a mut dyn Iterator<Item = Result<StoredRequest, Failure>>,
}

/// The name of a file of these sessions, without its ending: the model, what was run, and the day in UTC, such as
/// `gpt-oss-120b-sweep-2026-11-30`; of several, how many.
pub fn file_stem(rows: &[SessionRow]) -> String {
    let Some(row) = rows.first() else {
        return "batida".to_owned();
    };
    let what = match (rows.len(), row.kind) {
        (1, SessionKind::Chat) => "chat".to_owned(),
        (1, SessionKind::Bench) => row.title.split(' ').next().unwrap_or_default().to_owned(),
        (count, _) => format!("{count}-sessions"),
    };
    file_named(&row.models, &what, row.began)
}

/// The name of a file without its ending: of which models, what is in it, and the day in UTC.
pub fn file_named(models: &[String], what: &str, at: Timestamp) -> String {
    // As long as names are that every file system takes.
    const MAX_MODEL_CHARS: usize = 60;
    let day = at.strftime("%Y-%m-%d").to_string();
    let model = match models {
        [] => "batida".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    };
    let kept = |c: char| c.is_alphanumeric() || c == '.' || c == '_';
    let words = |text: &str| {
        let short: String = text.chars().take(MAX_MODEL_CHARS).collect();
        let words = short.split(|c: char| !kept(c)).filter(|it| !it.is_empty());
        words.collect::<Vec<_>>().join("-")
    };
    let parts = [words(&model), words(&what.to_lowercase()), day];
    let parts = parts.iter().map(|part| part.trim_matches(['-', '.']));
    parts
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

/// Writes the sessions, in their order, as one file.
///
/// # Errors
/// Of the writer, and of the iterators over requests. What was written until then is no whole file.
pub fn write(
    format: ExportFormat,
    sessions: &mut [Exported<'_>],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match format {
        ExportFormat::Json => json::write(sessions, out),
        ExportFormat::Csv => csv::write(sessions, out),
        ExportFormat::Gaps => gaps::write(sessions, out),
        ExportFormat::Parquet => parquet::write(sessions, out),
        ExportFormat::Html => out
            .write_all(html::page(sessions).as_bytes())
            .map_err(cannot_write),
        ExportFormat::Markdown => out
            .write_all(markdown::page(sessions).as_bytes())
            .map_err(cannot_write),
    }
}

impl Exported<'_> {
    /// The label of a request's level; empty for conversations and where nobody knows it.
    fn label(&self, level: usize) -> &str {
        match self.body {
            SessionBody::Bench { report, .. } => {
                let of = report.levels.iter().find(|found| found.index == level);
                of.map_or("", |level| level.label.as_str())
            }
            SessionBody::Chat { .. } => "",
        }
    }

    /// What was said in a request, where it is kept; in a conversation that is with its exchanges.
    fn said<'b>(&self, request: &'b StoredRequest) -> Option<Cow<'b, Said>> {
        match self.body {
            SessionBody::Chat { exchanges, .. } => {
                let exchange = exchanges
                    .iter()
                    .find(|exchange| exchange.id == request.record.index)?;
                let Exchange {
                    prompt,
                    reasoning,
                    answer,
                    ..
                } = exchange.clone();
                Some(Cow::Owned(Said {
                    prompt,
                    reasoning,
                    answer,
                }))
            }
            SessionBody::Bench { .. } => request.said.as_ref().map(Cow::Borrowed),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn cannot_write(error: std::io::Error) -> Failure {
    Failure::new(
        format!("The export cannot be written: {error}"),
        "Is there room, and may you write there?",
    )
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
