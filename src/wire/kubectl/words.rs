//! Cleans up what kubectl and its plugins write to standard error.

use crate::domain::printable::is_printable;

/// Standard error without kubectl's log lines and without repeated lines.
pub fn own_words(stderr: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut in_block = false;
    for line in stderr.lines() {
        let line = line.trim_end();
        if in_block {
            in_block = !line.trim_start().starts_with('>');
            continue;
        }
        if is_klog(line) {
            in_block = line.ends_with("=<") || (line.contains('‹') && !line.contains('›'));
            continue;
        }
        if line.contains("err=‹") {
            in_block = !line.contains('›');
            continue;
        }
        kept.push(line);
    }
    // kubectl starts a credential plugin up to seven times, and each run prints the same.
    let mut said = std::collections::HashSet::new();
    kept.retain(|line| line.trim().is_empty() || said.insert(*line));
    kept.join("\n").trim().to_owned()
}

/// Lines of klog start with the severity, the month and the day: `E1123 06:01:02.3 …`.
fn is_klog(line: &str) -> bool {
    let mut bytes = line.bytes();
    matches!(bytes.next(), Some(b'E' | b'W' | b'I' | b'F'))
        && bytes.by_ref().take(4).filter(u8::is_ascii_digit).count() == 4
        && bytes.next() == Some(b' ')
}

/// Another program's text without escape sequences, control characters and marks that change the direction of
/// writing. Where a line overwrote itself with carriage returns, the last text is kept.
pub fn plain(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let last = line
                .trim_end_matches('\r')
                .rsplit('\r')
                .find(|part| !part.trim().is_empty());
            plain_line(last.unwrap_or_default())
        })
        .collect();
    lines.join("\n")
}

fn plain_line(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_parameters(&mut chars),
            '\t' => kept.push(' '),
            c if !is_printable(c) => {}
            c => kept.push(c),
        }
    }
    kept
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// After ESC.
fn skip_escape(chars: &mut Chars<'_>) {
    match chars.next() {
        Some('[') => skip_parameters(chars),
        // Titles, links and other strings end at BEL or ESC \.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}'
                    || c == '\u{9c}'
                    || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some())
                {
                    break;
                }
            }
        }
        _ => {}
    }
}

/// Skips the parameters of an escape sequence and the letter that ends it.
fn skip_parameters(chars: &mut Chars<'_>) {
    for c in chars.by_ref() {
        if ('@'..='~').contains(&c) {
            break;
        }
    }
}
