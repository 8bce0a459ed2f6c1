//! What kubectl and its plugins say on standard error, fit to be shown.

use crate::domain::printable::is_printable;

/// stderr without the lines that kubectl logs for developers.
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
    // kubectl starts a credential plugin up to seven times, and each says the same.
    let mut said = std::collections::HashSet::new();
    kept.retain(|line| line.trim().is_empty() || said.insert(*line));
    kept.join("\n").trim().to_owned()
}

/// klog begins with a letter for the severity and the month and day: `E1123 06:01:02.3 …`.
fn is_klog(line: &str) -> bool {
    let mut bytes = line.bytes();
    matches!(bytes.next(), Some(b'E' | b'W' | b'I' | b'F'))
        && bytes.by_ref().take(4).filter(u8::is_ascii_digit).count() == 4
        && bytes.next() == Some(b' ')
}

/// Text of another program without what acts on a terminal or misleads the eye: escape sequences, control characters,
/// marks that turn the direction of writing. Of what was overwritten on its line the last is kept.
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
        // Titles, links and other strings go on to BEL or ESC \.
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

/// Up to the letter that says what is to be done.
fn skip_parameters(chars: &mut Chars<'_>) {
    for c in chars.by_ref() {
        if ('@'..='~').contains(&c) {
            break;
        }
    }
}
