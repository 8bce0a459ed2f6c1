//! Tables in CSV, separated by commas, semicolons or tabs, whose first line names the columns.

/// A table. Columns are found by their names without case, spaces and signs.
pub(super) struct Table {
    /// The columns' names as they are written.
    pub(super) heads: Vec<String>,
    /// The rows, with their lines in the file.
    pub(super) rows: Vec<(usize, Vec<String>)>,
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
    /// As the reader's.
    pub(super) fn read(text: &str) -> Result<Self, csv::Error> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator(text))
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let heads = reader.headers()?.iter().map(str::to_owned).collect();
        let mut rows = Vec::new();
        for row in reader.records() {
            let row = row?;
            let line = row.position().map_or(0, csv::Position::line) as usize;
            if row.iter().any(|cell| !cell.is_empty()) {
                rows.push((line, row.iter().map(str::to_owned).collect()));
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
