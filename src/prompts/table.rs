//! Reads CSV tables with commas, semicolons or tabs, whose first line names the columns.

use crate::domain::units;

/// A table. Column names are compared without case, spaces and punctuation.
pub(super) struct Table {
    /// The column names as written in the file.
    pub(super) heads: Vec<String>,
    /// The rows with their line numbers, or why a row could not be split into cells.
    pub(super) rows: Vec<(usize, Result<Vec<String>, String>)>,
}

/// Column names of times. Together with lengths they make a trace.
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
/// Column names of prompt lengths, in tokens.
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
/// Column names of response lengths, in tokens.
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
    /// When quotes are unbalanced, or the CSV reader fails.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let separator = separator(text);
        // The CSV reader would take everything after an unbalanced quote as one cell.
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
            // The reported position is before any blank lines that precede the row.
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
                        "it has {} cells, but the first line has {}. Put cells that contain a \
                         separator in quotes",
                        row.len(),
                        heads.len()
                    )
                };
                rows.push((line, if more { Err(too_many()) } else { Ok(cells()) }));
            }
        }
        Ok(Self { heads, rows })
    }

    /// The index of the first column with one of these names.
    pub(super) fn column(&self, names: &[&str]) -> Option<usize> {
        let heads: Vec<String> = self.heads.iter().map(|head| plain(head)).collect();
        names
            .iter()
            .find_map(|name| heads.iter().position(|head| head == name))
    }

    /// The header of a table that has a trace's columns.
    pub(super) fn of_trace(text: &str) -> Option<Self> {
        let first = text.lines().find(|line| !line.trim().is_empty())?;
        let head = Self::read(first).ok()?;
        (head.column(&TIMES).is_some() && head.column(&INPUTS).is_some()).then_some(head)
    }
}

/// A name without case, spaces and punctuation.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// The state of the quote check. Quoted states hold the line of the opening quote.
#[derive(Clone, Copy)]
enum CellState {
    Start,
    Plain,
    Quoted(usize),
    /// After a quote that closes the cell, unless another quote follows.
    Closed(usize),
    /// After spaces that follow the closing quote.
    AfterClosed(usize),
}

/// # Errors
/// When a quote is never closed, or is closed by a quote of another cell in a later line.
fn check_quotes(text: &str, separator: u8) -> Result<(), String> {
    let mut at = CellState::Start;
    let mut line = 1;
    for byte in text.bytes() {
        at = match (at, byte) {
            (CellState::Quoted(opened), b'"') => CellState::Closed(opened),
            (CellState::Closed(opened), b'"') => CellState::Quoted(opened),
            (CellState::Quoted(opened), _) => CellState::Quoted(opened),
            (_, b'\r' | b'\n') => CellState::Start,
            (_, byte) if byte == separator => CellState::Start,
            (CellState::Closed(opened) | CellState::AfterClosed(opened), b' ' | b'\t') => {
                CellState::AfterClosed(opened)
            }
            (CellState::Closed(opened) | CellState::AfterClosed(opened), _) if opened < line => {
                let [opened, line] = [opened, line].map(|n| units::count(n as u64));
                return Err(format!(
                    "the quote that opens a cell in line {opened} is closed within another cell \
                     in line {line}"
                ));
            }
            (CellState::Start, b'"') => CellState::Quoted(line),
            _ => CellState::Plain,
        };
        line += usize::from(byte == b'\n');
    }
    match at {
        CellState::Quoted(opened) => Err(format!(
            "the quote that opens a cell in line {} is never closed",
            units::count(opened as u64)
        )),
        _ => Ok(()),
    }
}

/// The most frequent separator of the first line.
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
