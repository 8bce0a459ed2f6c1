//! What a server leaves of a secret around a mask.

use super::SHORTEST;

/// Fewer characters at an end of a secret may be of an ordinary word, where no known mask stands beside them.
const LEAST_END: usize = 4;
/// The most that a mask and the end behind it take up, in bytes.
const LONGEST_MASK: usize = 100;

/// The mask that the text begins with, in bytes; 0 for none.
pub(super) fn mask(text: &[u8]) -> usize {
    // Each with how many of it in a row make a mask: fewer occur in ordinary text.
    let signs = [
        ("…", 1),
        (r"\u2026", 1),
        ("&hellip;", 1),
        ("<redacted>", 1),
        ("[...]", 1),
        ("...", 1),
        ("*", 2),
        ("•", 2),
        ("●", 2),
        ("█", 2),
        ("x", 4),
        ("X", 4),
        ("#", 3),
    ];
    for (sign, least) in signs {
        let run = text
            .chunks(sign.len())
            .take_while(|chunk| *chunk == sign.as_bytes())
            .count();
        if run >= least {
            return run * sign.len();
        }
    }
    0
}

/// Finds what is left of a secret on both sides of a mask.
pub(super) fn find(secrets: &[Box<[u8]>], text: &[u8], spans: &mut Vec<(usize, usize)>) {
    for secret in secrets {
        find_gap(secret, text, spans);
    }
    if secrets.is_empty() {
        return;
    }
    let mut at = 0;
    while at < text.len() {
        let length = mask(&text[at..]);
        let (before, behind) = (&text[..at], &text[at + length..]);
        at += length.max(1);
        if length == 0 {
            continue;
        }
        for secret in secrets {
            let ends = |n: &usize| ends_with(before, &secret[..*n]);
            let begins = |n: &usize| ends_with(secret, &behind[..*n]);
            let head = (1..secret.len()).rev().find(ends).unwrap_or(0);
            let tail = (1..secret.len().min(behind.len() + 1))
                .rev()
                .find(begins)
                .unwrap_or(0);
            if head + tail >= SHORTEST {
                // With nothing of it on one side the mask stays, as a sign that the server cut it.
                let from = if head > 0 {
                    before.len() - head
                } else {
                    before.len() + length
                };
                let to = if tail > 0 {
                    before.len() + length + tail
                } else {
                    before.len()
                };
                spans.push((from, to));
            }
        }
    }
}

fn ends_with(text: &[u8], end: &[u8]) -> bool {
    text.len() >= end.len() && text[text.len() - end.len()..].eq_ignore_ascii_case(end)
}

/// Finds both ends of the secret with anything but white space between them: masks have many forms, such as `[hidden]`.
fn find_gap(secret: &[u8], text: &[u8], spans: &mut Vec<(usize, usize)>) {
    let Some(first) = secret.first() else { return };
    let mut at = 0;
    while at + LEAST_END <= text.len() {
        let rest = &text[at..];
        if !rest[0].eq_ignore_ascii_case(first) {
            at += 1;
            continue;
        }
        let head = (rest.iter().zip(secret))
            .take_while(|(a, b)| a.eq_ignore_ascii_case(b))
            .count();
        if head < LEAST_END || head == secret.len() {
            at += 1;
            continue;
        }
        let gap = rest[head..].iter().take(LONGEST_MASK);
        let gap = gap.take_while(|byte| !byte.is_ascii_whitespace()).count();
        let end = (head..=head + gap).rev().find(|end| {
            let tail = (rest[..*end].iter().rev().zip(secret.iter().rev()))
                .take_while(|(a, b)| a.eq_ignore_ascii_case(b))
                .count()
                .min(end - head);
            tail >= LEAST_END && head + tail >= SHORTEST
        });
        if let Some(end) = end {
            spans.push((at, at + end));
        }
        at += end.unwrap_or(head);
    }
}
