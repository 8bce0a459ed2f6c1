//! Reads prompts from a file.
//!
//! | format | each entry |
//! |---|---|
//! | JSONL, a JSON array | `prompt` (a text), `messages` (a chat list), a bare chat list, or a text; `max_tokens` or `output_tokens`, if there |
//! | OpenAI batch | the same in `body` |
//! | ShareGPT | `conversations`: a list of `from` and `value`, or of `role` and `content` |
//! | aiperf, guidellm, SGLang | `text`, `turns`, `output_tokens_count`, contents by turns |
//! | CSV | a row; the column of prompts is found by its name |
//! | plain text | a line that is not blank |
//!
//! Entries that cannot be sent are skipped. The session's start and its report list them with line and reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entry::{self, EntryPrompt};
use super::pieces::{self, Piece, Place};
use super::table::Table;
use crate::domain::encoding;
use crate::domain::failure::Failure;
use crate::domain::loose_json;
use crate::domain::run::known::PromptsBrief;
use crate::domain::units;

/// The prompts of a file, in file order. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Material {
    entries: Arc<[EntryPrompt]>,
    skipped: SkippedEntries,
}

/// Column names of prompts.
const PROMPT_COLUMNS: [&str; 8] = [
    "prompt",
    "prompts",
    "text",
    "question",
    "query",
    "instruction",
    "input",
    "content",
];
/// Column names of `max_tokens`.
const MAX_TOKENS_COLUMNS: [&str; 5] = [
    "maxtokens",
    "outputtokens",
    "outputtokenscount",
    "outputlength",
    "outputlen",
];

impl Material {
    /// Reads a file called `name`. `.txt` means plain text; other formats are recognized by the contents.
    ///
    /// # Errors
    /// When the file has no prompt that can be sent.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Failure> {
        let text = text_of(name, bytes)?;
        let ends = |ends: &[&str]| {
            ends.iter()
                .any(|end| name.to_ascii_lowercase().ends_with(end))
        };
        let is_json = ends(&[".json", ".jsonl", ".ndjson"]);
        let is_other = ends(&[".txt", ".csv", ".tsv"]);
        let begins = text.trim_start();
        let strict;
        let text = if !is_other
            && (begins.starts_with(['[', '{']) || (is_json && begins.starts_with("//")))
        {
            strict = loose_json::strict(&text);
            &*strict
        } else {
            &*text
        };
        let begins = text.trim_start();
        let json = begins.starts_with(['[', '{']) || (is_json && begins.starts_with('"'));
        let mut skipped = SkippedEntries::default();
        let entries = if ends(&[".txt"]) {
            plain(text)
        } else if ends(&[".csv", ".tsv"]) || (!json && Table::of_trace(text).is_some()) {
            table(name, text, &mut skipped)?
        } else if json {
            of_json(name, text, &mut skipped)?
        } else if is_json && !text.trim().is_empty() {
            let first = pieces::lines(text).next().map_or(1, |(number, _)| number);
            let why = format!(
                "{name}, line {}: not a JSON object",
                units::count(first as u64)
            );
            return Err(Failure::new(why, FORMS));
        } else {
            plain(text)
        };
        if entries.is_empty() {
            return Err(skipped.refusal(name, "prompts", FORMS));
        }
        Ok(Self {
            entries: entries.into(),
            skipped,
        })
    }

    /// The number of prompts or conversations. A session that sends more starts again with the first, which the
    /// server may then have in its cache.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Entries that hold more than one text, which only chat can send.
    pub fn conversations(&self) -> usize {
        let entries = self.entries.iter();
        entries.filter(|entry| entry.is_conversation()).count()
    }

    /// Always false, since [`Self::parse`] refuses a file without prompts.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The remark about skipped entries, if there are any.
    pub fn note(&self) -> Option<String> {
        self.skipped.remark("entries", self.len())
    }

    /// The summary for a report, before anything was sent.
    pub fn brief(&self) -> PromptsBrief {
        PromptsBrief {
            prompts: self.len() as u64,
            left_out: self.skipped.count as u64,
            why_left_out: self.note(),
            repeated: 0,
        }
    }

    pub(super) fn entry(&self, index: u64) -> &EntryPrompt {
        &self.entries[(index % self.entries.len() as u64) as usize]
    }
}

fn plain(text: &str) -> Vec<EntryPrompt> {
    pieces::lines(text)
        .map(|(_, line)| EntryPrompt::prompt(line.trim()))
        .collect()
}

fn of_json(
    name: &str,
    text: &str,
    skipped: &mut SkippedEntries,
) -> Result<Vec<EntryPrompt>, Failure> {
    let found = pieces::json(text).map_err(|why| {
        Failure::new(
            format!("{name} is not valid JSON, or is truncated: {why}"),
            FORMS,
        )
    })?;
    let mut entries = Vec::new();
    for Piece { place, json } in found {
        let prompt = json
            .and_then(|json| serde_json::from_str(json).map_err(|why| pieces::in_line(&why)))
            .and_then(|value| entry::of(&value))
            .and_then(|prompt| {
                prompt.ok_or_else(|| "there is no user message with text".to_owned())
            });
        match prompt {
            Ok(prompt) => entries.push(prompt),
            Err(why) => skipped.add(place, why),
        }
    }
    Ok(entries)
}

/// The prompts of a table's column. A table without such a column is an error, not plain text.
fn table(
    name: &str,
    text: &str,
    skipped: &mut SkippedEntries,
) -> Result<Vec<EntryPrompt>, Failure> {
    let table = Table::read(text)
        .map_err(|why| Failure::new(format!("{name} cannot be read as CSV: {why}"), CSV_QUOTES))?;
    let Some(column) = table.column(&PROMPT_COLUMNS) else {
        let columns = units::shorten_middle(&table.heads.join(", "), 120);
        let trace = Table::of_trace(text).is_some();
        return Err(Failure::new(
            format!("{name} is CSV without a column of prompts. Its columns are {columns}"),
            if trace {
                "The file looks like a trace of times and lengths: replay it with `--trace`, or \
                 with Trace file in the form"
            } else {
                "Rename the column of prompts to \"prompt\", or save the prompts as JSONL or as \
                 text with one prompt per line"
            },
        ));
    };
    let limit = table.column(&MAX_TOKENS_COLUMNS);
    let mut entries = Vec::new();
    for (line, row) in table.rows {
        let row = match row {
            Ok(row) => row,
            Err(why) => {
                skipped.add(Place::Line(line), why);
                continue;
            }
        };
        let mut fields = serde_json::Map::new();
        fields.insert(
            "prompt".to_owned(),
            row.get(column).map_or("", String::as_str).into(),
        );
        if let Some(most) = limit
            .and_then(|limit| row.get(limit))
            .filter(|most| !most.trim().is_empty())
        {
            fields.insert("max_tokens".to_owned(), most.as_str().into());
        }
        match entry::of(&fields.into()) {
            Ok(prompt) => entries.extend(prompt),
            Err(why) => skipped.add(Place::Line(line), why),
        }
    }
    Ok(entries)
}

pub(super) const CSV_QUOTES: &str =
    "Close the quote. Inside a quoted cell, write a quote twice (\"\")";

const FORMS: &str = "A prompt file is JSONL with \"prompt\" or \"messages\" in each line, an \
     OpenAI batch file, ShareGPT JSON, CSV with a column \"prompt\", or plain text (.txt) with \
     one prompt per line";

// ---- skipped entries ----------------------------------------------------------------------------------

/// Entries that cannot be sent, grouped by reason.
#[derive(Debug, Clone, Default)]
pub(super) struct SkippedEntries {
    pub(super) count: usize,
    /// For each reason the count and the first position.
    why: BTreeMap<String, (usize, String)>,
    first: Option<String>,
}

const MAX_REASONS: usize = 3;

impl SkippedEntries {
    pub(super) fn add(&mut self, place: Place, why: String) {
        let place = match place {
            Place::Line(n) => format!("line {}", units::count(n as u64)),
            Place::Entry(n) => format!("entry {}", units::count(n as u64)),
        };
        self.count += 1;
        self.first.get_or_insert_with(|| format!("{place}: {why}"));
        // Reasons may quote the file and then all differ.
        if self.why.len() < 100 || self.why.contains_key(&why) {
            self.why.entry(why).or_insert((0, place)).0 += 1;
        }
    }

    /// One sentence about all skipped entries, with the most frequent reasons.
    pub(super) fn remark(&self, noun: &str, kept: usize) -> Option<String> {
        if self.count == 0 {
            return None;
        }
        let mut reasons: Vec<(&String, &(usize, String))> = self.why.iter().collect();
        reasons.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        let more = reasons.len().saturating_sub(MAX_REASONS);
        let shown = reasons
            .into_iter()
            .take(MAX_REASONS)
            .map(|(why, (count, place))| {
                let times = if *count > 1 {
                    format!(" and {} more", count - 1)
                } else {
                    String::new()
                };
                format!("{place}{times}: {why}")
            });
        let mut shown = shown.collect::<Vec<_>>().join("; ");
        if more > 0 {
            shown.push_str("; and other reasons");
        }
        let [count, all] = [self.count, self.count + kept].map(|n| units::count(n as u64));
        Some(format!(
            "{count} of the file's {all} {noun} cannot be sent and were skipped: {shown}"
        ))
    }

    /// The error for a file with nothing to send.
    pub(super) fn refusal(&self, name: &str, nouns: &str, forms: &str) -> Failure {
        match &self.first {
            None => Failure::new(format!("{name} has no {nouns}"), forms),
            Some(first) if self.count == 1 => Failure::new(format!("{name}, {first}"), forms),
            Some(first) => {
                let all = units::count(self.count as u64);
                Failure::new(
                    format!("{name}, {first}. None of its {all} entries can be sent"),
                    forms,
                )
            }
        }
    }
}

/// Decodes a file, without its byte order mark. Lines that end with a carriage return alone, as on old Macs, end with a
/// line feed then.
pub(super) fn text_of<'a>(
    name: &str,
    bytes: &'a [u8],
) -> Result<std::borrow::Cow<'a, str>, Failure> {
    let text = encoding::text(bytes).map_err(|why| {
        let summary = match why.line {
            Some(line) => format!(
                "{name}, line {}: the text is {}",
                units::count(line as u64),
                why.what
            ),
            None => format!("{name} is {}", why.what),
        };
        Failure::new(summary, "Save the file as UTF-8 text")
    })?;
    if text.contains('\r') && !text.contains('\n') {
        return Ok(text.replace('\r', "\n").into());
    }
    Ok(text)
}
