//! Prompts from a file.
//!
//! | form | of each entry |
//! |---|---|
//! | JSONL, a JSON array | `prompt` (a text), `messages` (a chat list), a bare chat list, or a text; `max_tokens` or `output_tokens`, if there |
//! | OpenAI batch | the same in `body` |
//! | ShareGPT | `conversations`: a list of `from` and `value`, or of `role` and `content` |
//! | aiperf, guidellm, SGLang | `text`, `turns`, `output_tokens_count`, contents by turns |
//! | CSV | a column of prompts, by its name |
//! | plain text | each line that is not blank is a prompt |
//!
//! An entry that cannot be sent is left out, and told with its place and its reason: before the session and in its
//! report.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::pieces::{self, Piece, Place};
use super::said::{self, Said};
use super::table::Table;
use crate::domain::encoding;
use crate::domain::failure::Failure;
use crate::domain::run::known::PromptsBrief;
use crate::domain::units;

/// The prompts of a file, in its order. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Material {
    entries: Arc<[Said]>,
    left_out: LeftOut,
}

/// Names of a column of prompts.
const COLUMNS: [&str; 8] = [
    "prompt",
    "prompts",
    "text",
    "question",
    "query",
    "instruction",
    "input",
    "content",
];
/// Names of a column of the longest answers.
const LIMITS: [&str; 5] = [
    "maxtokens",
    "outputtokens",
    "outputtokenscount",
    "outputlength",
    "outputlen",
];

impl Material {
    /// Reads a file called `name`. `.txt` is plain text; else the content says what it is.
    ///
    /// # Errors
    /// When it holds no prompt that can be sent: why.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Failure> {
        let text = text_of(name, bytes)?;
        let ends = |ends: &[&str]| {
            ends.iter()
                .any(|end| name.to_ascii_lowercase().ends_with(end))
        };
        let is_json = ends(&[".json", ".jsonl", ".ndjson"]);
        let begins = text.trim_start();
        let json = begins.starts_with(['[', '{']) || (is_json && begins.starts_with('"'));
        let mut left_out = LeftOut::default();
        let entries = if ends(&[".txt"]) {
            plain(&text)
        } else if ends(&[".csv", ".tsv"]) || (!json && Table::of_trace(&text).is_some()) {
            table(name, &text, &mut left_out)?
        } else if json {
            of_json(name, &text, &mut left_out)?
        } else if is_json && !text.trim().is_empty() {
            let first = pieces::lines(&text).next().map_or(1, |(number, _)| number);
            let why = format!(
                "{name}, line {}: it is no JSON object",
                units::count(first as u64)
            );
            return Err(Failure::new(why, FORMS));
        } else {
            plain(&text)
        };
        if entries.is_empty() {
            return Err(left_out.refusal(name, "prompts", FORMS));
        }
        Ok(Self {
            entries: entries.into(),
            left_out,
        })
    }

    /// How many prompts or conversations there are. A session that sends more begins again with the first, and
    /// then finds them in the server's caches.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never true: a file without prompts is refused.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What should be told of the file beside the figures, if anything.
    pub fn note(&self) -> Option<String> {
        self.left_out.told("entries", self.len())
    }

    /// For a report. Nothing of it has been sent yet.
    pub fn brief(&self) -> PromptsBrief {
        PromptsBrief {
            prompts: self.len() as u64,
            left_out: self.left_out.count as u64,
            why_left_out: self.note(),
            repeated: 0,
        }
    }

    pub(super) fn entry(&self, index: u64) -> &Said {
        &self.entries[(index % self.entries.len() as u64) as usize]
    }
}

fn plain(text: &str) -> Vec<Said> {
    pieces::lines(text)
        .map(|(_, line)| Said::prompt(line.trim()))
        .collect()
}

fn of_json(name: &str, text: &str, left_out: &mut LeftOut) -> Result<Vec<Said>, Failure> {
    let found = pieces::json(text)
        .map_err(|why| Failure::new(format!("{name} is no JSON, or is cut off: {why}"), FORMS))?;
    let mut entries = Vec::new();
    for Piece { place, json } in found {
        let said = json
            .and_then(|json| serde_json::from_str(json).map_err(|why| pieces::in_line(&why)))
            .and_then(|value| said::of(&value))
            .and_then(|said| said.ok_or_else(|| "there are no words of a user".to_owned()));
        match said {
            Ok(said) => entries.push(said),
            Err(why) => left_out.add(place, why),
        }
    }
    Ok(entries)
}

/// The prompts of a table's column. A table without one is no list of prompts, whatever its lines look like.
fn table(name: &str, text: &str, left_out: &mut LeftOut) -> Result<Vec<Said>, Failure> {
    let table = Table::read(text)
        .map_err(|why| Failure::new(format!("{name} cannot be read as CSV: {why}"), CSV_QUOTES))?;
    let Some(column) = table.column(&COLUMNS) else {
        let columns = units::shorten_middle(&table.heads.join(", "), 120);
        let trace = Table::of_trace(text).is_some();
        return Err(Failure::new(
            format!("{name} is CSV without a column of prompts: it has {columns}"),
            if trace {
                "It looks like a trace of times and lengths: replay it as one (`--trace`, or Trace file in the form)"
            } else {
                "Name the column of the prompts \"prompt\", or save the prompts as JSONL or as text with one a line"
            },
        ));
    };
    let limit = table.column(&LIMITS);
    let mut entries = Vec::new();
    for (line, row) in table.rows {
        let row = match row {
            Ok(row) => row,
            Err(why) => {
                left_out.add(Place::Line(line), why);
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
        match said::of(&fields.into()) {
            Ok(said) => entries.extend(said),
            Err(why) => left_out.add(Place::Line(line), why),
        }
    }
    Ok(entries)
}

/// What to do about a broken table.
pub(super) const CSV_QUOTES: &str =
    "Close the quote. A quote within a cell in quotes is written twice (\"\")";

const FORMS: &str = "A prompt file is JSONL with \"prompt\" or \"messages\" in each line, OpenAI batch lines, ShareGPT JSON, CSV \
     with a column \"prompt\", or plain text (.txt) with a prompt per line";

// ---- what is left out ---------------------------------------------------------------------------------

/// Entries that cannot be sent.
#[derive(Debug, Clone, Default)]
pub(super) struct LeftOut {
    pub(super) count: usize,
    /// How often for each reason, with the first place.
    why: BTreeMap<String, (usize, String)>,
    first: Option<String>,
}

/// More reasons are not told.
const MAX_REASONS: usize = 3;

impl LeftOut {
    pub(super) fn add(&mut self, place: Place, why: String) {
        let place = match place {
            Place::Line(n) => format!("line {}", units::count(n as u64)),
            Place::Entry(n) => format!("entry {}", units::count(n as u64)),
        };
        self.count += 1;
        self.first.get_or_insert_with(|| format!("{place}: {why}"));
        // Reasons that hold bytes of the file may all differ.
        if self.why.len() < 100 || self.why.contains_key(&why) {
            self.why.entry(why).or_insert((0, place)).0 += 1;
        }
    }

    /// `2 of 10 entries are left out: line 3: … (2)`, where there are some.
    pub(super) fn told(&self, noun: &str, kept: usize) -> Option<String> {
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
            "{count} of {all} {noun} of the file cannot be sent and are left out: {shown}"
        ))
    }

    /// Of a file with nothing that can be sent.
    pub(super) fn refusal(&self, name: &str, nouns: &str, forms: &str) -> Failure {
        match &self.first {
            None => Failure::new(format!("{name} holds no {nouns}"), forms),
            Some(first) if self.count == 1 => Failure::new(format!("{name}, {first}"), forms),
            Some(first) => {
                let all = units::count(self.count as u64);
                Failure::new(
                    format!("{name}, {first}; none of its {all} entries can be sent"),
                    forms,
                )
            }
        }
    }
}

/// The text of a file; a byte order mark is no part of it.
pub(super) fn text_of<'a>(
    name: &str,
    bytes: &'a [u8],
) -> Result<std::borrow::Cow<'a, str>, Failure> {
    encoding::text(bytes).map_err(|why| {
        let line = why
            .line
            .map(|line| format!(", line {}", units::count(line as u64)))
            .unwrap_or_default();
        Failure::new(
            format!("{name}{line}: it is {}", why.what),
            "Save the file as UTF-8 text",
        )
    })
}
