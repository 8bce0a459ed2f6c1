//! Tables in CSV, separated by commas, semicolons or tabs, whose first line names the columns.

use crate::domain::units;

/// A table. Columns are found by their names without case, spaces and signs.
pub(super) struct Table {
    /// The columns' names as they are written.
    pub(super) heads: Vec<String>,
    /// The rows with their lines in the file, or why one cannot be told apart into its cells.
    pub(super) rows: Vec<(usize, Result<Vec<String>, String>)>,
}

/// Names of a column of times, and of columns of lengths: together they are a trace's.
pub(super) const TIMES: [&str; 8] = [
    "timestamp",
    "arrivaltime",
    "arrivedat",
    "arrivaltimestamp",
    "time",
    "ts",
    "starttime",
    "arrival",
];
/// Names of a column of prompts' lengths, in tokens.
pub(super) const INPUTS: [&str; 14] = [
    "contexttokens",
    "requesttokens",
    "inputlength",
    "inputtokens",
    "inputlen",
    "prompttokens",
    "promptlength",
    "promptlen",
    "numprefilltokens",
    "prefilltokens",
    "inputtokencount",
    "prompttokenscount",
    "isl",
    "inputsequencelength",
];
/// Names of a column of answers' lengths, in tokens.
pub(super) const OUTPUTS: [&str; 13] = [
    "generatedtokens",
    "responsetokens",
    "outputlength",
    "outputtokens",
    "outputlen",
    "completiontokens",
    "numdecodetokens",
    "decodetokens",
    "outputtokencount",
    "outputtokenscount",
    "maxtokens",
    "osl",
    "outputsequencelength",
];

impl Table {
    /// # Errors
    /// Where its quotes are broken, and as the reader's.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let separator = separator(text);
        // The reader would take all that stands behind the quote for one cell.
        check_quotes(text, separator)?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let heads = reader.headers().map_err(|why| why.to_string())?;
        let heads: Vec<String> = heads.iter().map(str::to_owned).collect();
        let mut rows = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|why| why.to_string())?;
            // The reader's position is before the blank lines ahead of the row.
            let (line, byte) = row
                .position()
                .map_or((0, 0), |at| (at.line() as usize, at.byte() as usize));
            let before = text.as_bytes().get(byte..).unwrap_or_default();
            let before = before
                .iter()
                .take_while(|byte| matches!(byte, b'\r' | b'\n'));
            let line = line + before.filter(|byte| **byte == b'\n').count();
            if row.iter().any(|cell| !cell.is_empty()) {
                let more = row.iter().skip(heads.len()).any(|cell| !cell.is_empty());
                let cells = || row.iter().map(str::to_owned).collect();
                let too_many = || {
                    format!(
                        "it has {} cells and the first line {}: a cell with a separator in it needs quotes",
                        row.len(),
                        heads.len()
                    )
                };
                rows.push((line, if more { Err(too_many()) } else { Ok(cells()) }));
            }
        }
        Ok(Self { heads, rows })
    }

    /// The place of the first column that has one of these names.
    pub(super) fn column(&self, names: &[&str]) -> Option<usize> {
        let heads: Vec<String> = self.heads.iter().map(|head| plain(head)).collect();
        names
            .iter()
            .find_map(|name| heads.iter().position(|head| head == name))
    }

    /// The first line of a table, where it has a trace's columns.
    pub(super) fn of_trace(text: &str) -> Option<Self> {
        let first = text.lines().find(|line| !line.trim().is_empty())?;
        let head = Self::read(first).ok()?;
        (head.column(&TIMES).is_some() && head.column(&INPUTS).is_some()).then_some(head)
    }
}

/// A name without case, spaces and signs.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Where a byte of a table stands. What is quoted knows the line in which its quote opened.
#[derive(Clone, Copy)]
enum At {
    /// A cell begins.
    Start,
    Plain,
    Quoted(usize),
    /// Behind a quote that closes its cell, unless another quote follows.
    Closed(usize),
    /// Behind spaces after such a quote.
    Behind(usize),
}

/// # Errors
/// When a quote is never closed, or by a quote of another cell in a later line.
fn check_quotes(text: &str, separator: u8) -> Result<(), String> {
    let mut at = At::Start;
    let mut line = 1;
    for byte in text.bytes() {
        at = match (at, byte) {
            (At::Quoted(opened), b'"') => At::Closed(opened),
            (At::Closed(opened), b'"') => At::Quoted(opened),
            (At::Quoted(opened), _) => At::Quoted(opened),
            (_, b'\r' | b'\n') => At::Start,
            (_, byte) if byte == separator => At::Start,
            (At::Closed(opened) | At::Behind(opened), b' ' | b'\t') => At::Behind(opened),
            (At::Closed(opened) | At::Behind(opened), _) if opened < line => {
                let [opened, line] = [opened, line].map(|n| units::count(n as u64));
                return Err(format!(
                    "the quote that opens a cell in line {opened} is closed in the midst of line {line}"
                ));
            }
            (At::Start, b'"') => At::Quoted(line),
            _ => At::Plain,
        };
        line += usize::from(byte == b'\n');
    }
    match at {
        At::Quoted(opened) => Err(format!(
            "the quote that opens a cell in line {} is never closed",
            units::count(opened as u64)
        )),
        _ => Ok(()),
    }
}

/// What the first line is separated by.
fn separator(text: &str) -> u8 {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let count = |byte: u8| first.bytes().filter(|it| *it == byte).count();
    [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|byte| count(*byte))
        .unwrap_or(b',')
}
