//! The text in which servers publish their metrics: Prometheus' exposition format 0.0.4, and what OpenMetrics adds to a
//! line (exemplars, `# EOF`).
//!
//! A parser of our own, after a look at crates.io in December 2026: `prometheus-parse` 0.2.5 and `prometheus-scrape`
//! 0.1.1 read names with `\w+`, so that they leave out every metric of vLLM, SGLang and llama.cpp (`vllm:…`), and split
//! labels at any comma; `openmetrics-parser` is under the LGPL; `prom_text_format_parser` needs a second winnow.

use std::borrow::Cow;

/// More series on a page are not read.
pub const MAX_SERIES: usize = 20_000;

/// The value of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// The metric's name, e.g. `vllm:num_requests_running`.
    pub name: &'a str,
    /// What stands between the braces; empty without them.
    labels: &'a str,
    /// The value; it may be NaN or infinite.
    pub value: f64,
}

/// The samples of a page, at most [`MAX_SERIES`]. Lines that cannot be read are left out: a server may know a newer
/// format.
pub fn samples(page: &str) -> impl Iterator<Item = Sample<'_>> {
    page.lines().filter_map(Sample::read).take(MAX_SERIES)
}

impl<'a> Sample<'a> {
    /// `None` for a comment, an empty line, and a line that is no sample.
    fn read(line: &'a str) -> Option<Self> {
        let line = line.trim();
        let end = line.find(|c: char| !is_of_name(c)).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        // A name does not begin with a digit.
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let (labels, rest) = match rest.trim_start().strip_prefix('{') {
            Some(rest) => {
                let end = end_of_labels(rest)?;
                (&rest[..end], &rest[end + 1..])
            }
            None => ("", rest.strip_prefix([' ', '\t'])?),
        };
        // A time or an exemplar may follow the value.
        let value = rest.split_whitespace().next()?.parse().ok()?;
        Some(Self {
            name,
            labels,
            value,
        })
    }

    /// The labels in their order; values without their escapes.
    pub fn labels(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let mut rest = self.labels;
        std::iter::from_fn(move || {
            let (name, behind) = rest.split_once('=')?;
            let behind = behind.trim_start().strip_prefix('"')?;
            let end = end_of_value(behind)?;
            rest = behind[end + 1..].trim_start().trim_start_matches(',');
            let name = name.trim().trim_matches('"');
            Some((name, unescaped(&behind[..end])))
        })
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<Cow<'a, str>> {
        self.labels()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Where the brace that ends the labels stands: not one inside of a value.
fn end_of_labels(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let found = at + text[at..].find(['"', '}'])?;
        if text.as_bytes()[found] == b'}' {
            return Some(found);
        }
        at = found + 1;
        at += end_of_value(&text[at..])? + 1;
    }
}

/// Where the quotation mark that ends a value stands: not one after a backslash.
fn end_of_value(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

/// `\\`, `\"` and `\n` stand for one character each. Another backslash is one.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some(c @ ('\\' | '"')) => out.push(c),
            Some(c) => out.extend(['\\', c]),
            None => out.push('\\'),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
