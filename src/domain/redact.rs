//! Takes secrets out of texts that come from elsewhere, in whatever form they stand there.
//!
//! A server may repeat a key in its error: as it is, escaped for JSON or HTML, percent-encoded, as a program prints it
//! for debugging, as base64 in an `Authorization: Basic`, broken over lines, spelled out, or with its middle masked. Text is cleaned
//! before any of it is cut off: the beginning of a key is a secret, too.
//!
//! Errors, details, logs and everything in the history are cleaned, so exports and reports are, too. An answer is not
//! cleaned on its way to the window and to standard output: it is shown as the model gave it.

mod masked;
mod spelled;

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use self::masked::mask;
use self::spelled::Spelling;
use super::failure::Failure;

/// Stands where a secret was.
const DOTS: &str = "••••";

/// Shorter ones are not redacted: `test` occurs in ordinary text. The same goes for what a server shows of a key
/// beside a mask (`sk-abcdef***wxyz`): the characters before and behind it count together.
const SHORTEST: usize = 8;
/// So many characters of a key's beginning are redacted wherever they stand.
const LONG_BEGINNING: usize = 12;

/// Finds some secrets in texts. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor {
    needles: Arc<[Needle]>,
    /// As they are, for what stands beside a mask.
    secrets: Arc<[Box<[u8]>]>,
    /// Each way of spelling them out.
    spelled: Arc<[Spelling]>,
}

/// One secret in one encoding; the escapes around each character are undone while it is looked for.
struct Needle {
    bytes: Vec<u8>,
    /// Letters next to it belong to the same encoded text.
    is_base64: bool,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// Of these secrets; those of fewer than eight bytes are left out.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut needles, mut plain, mut spelled) = (Vec::new(), Vec::new(), Vec::new());
        for secret in secrets
            .into_iter()
            .filter(|secret| secret.len() >= SHORTEST)
        {
            plain.push(secret.as_bytes().into());
            spelled.extend(spelled::spellings(secret.as_bytes()));
            needles.push(Needle {
                bytes: secret.as_bytes().to_vec(),
                is_base64: false,
            });
            needles.extend(in_base64(secret.as_bytes()));
            let digits: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            needles.push(Needle {
                bytes: digits.into_bytes(),
                is_base64: false,
            });
        }
        Self {
            needles: needles.into(),
            secrets: plain.into(),
            spelled: spelled.into(),
        }
    }

    /// The text without the secrets.
    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for needle in &*self.needles {
            needle.find_all(text.as_bytes(), &mut spans);
        }
        masked::find(&self.secrets, text.as_bytes(), &mut spans);
        for words in &*self.spelled {
            spelled::find(words, text.as_bytes(), &mut spans);
        }
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        spans.sort_unstable();
        let mut clean = String::with_capacity(text.len());
        let mut at = 0;
        for (from, to) in spans {
            // Ends of spans stand at ASCII or behind a whole secret; a text that is cut amid a letter is no `str`.
            let (from, to) = (text.floor_char_boundary(from), text.ceil_char_boundary(to));
            if from >= at {
                clean.push_str(&text[at..from]);
                clean.push_str(DOTS);
            }
            at = at.max(to);
        }
        clean.push_str(&text[at..]);
        Cow::Owned(clean)
    }

    /// Whether a secret stands in the text.
    pub fn finds_in(&self, text: &str) -> bool {
        matches!(self.clean(text), Cow::Owned(_))
    }

    /// The failure without the secrets in any of its texts.
    #[must_use]
    pub fn clean_failure(&self, failure: Failure) -> Failure {
        let clean = |text: String| match self.clean(&text) {
            Cow::Owned(clean) => clean,
            Cow::Borrowed(_) => text,
        };
        Failure {
            summary: clean(failure.summary),
            advice: clean(failure.advice),
            cli_advice: failure.cli_advice.map(|text| clean(text.into()).into()),
            details: clean(failure.details),
            ..failure
        }
    }

    /// The JSON without the secrets in any of its strings and names.
    #[must_use]
    pub fn clean_json(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.clean(&text).into_owned()),
            Value::Array(items) => items
                .into_iter()
                .map(|item| self.clean_json(item))
                .collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, value)| (self.clean(&name).into_owned(), self.clean_json(value)))
                .collect(),
            other => other,
        }
    }
}

/// What a broken line or an invisible character takes up, as it is or escaped; 0 where there is none. A server's log or
/// a terminal puts them amid a long word.
fn filler(text: &[u8]) -> usize {
    let Some(first) = text.first() else { return 0 };
    match first {
        // Behind a line's end the next line may be indented.
        b'\n' | b'\r' => {
            1 + text[1..]
                .iter()
                .take_while(|b| matches!(b, b' ' | b'\t'))
                .count()
        }
        0..=0x1f | 0x7f => 1,
        b'\\' => {
            let slashes = text.iter().take_while(|b| **b == b'\\').count();
            let (escaped, digits) = match &text[slashes..] {
                [b'n' | b'r', rest @ ..] => {
                    let indent = rest
                        .iter()
                        .take_while(|b| matches!(b, b' ' | b'\t'))
                        .count();
                    return slashes + 1 + indent;
                }
                [b't' | b'b' | b'f' | b'v' | b'e' | b'a', ..] => return slashes + 1,
                [b'u', rest @ ..] if rest.len() >= 4 => (&rest[..4], 5),
                [b'x', rest @ ..] if rest.len() >= 2 => (&rest[..2], 3),
                _ => return 0,
            };
            let invisible = hex(escaped)
                .and_then(char::from_u32)
                .is_some_and(is_invisible);
            if invisible { slashes + digits } else { 0 }
        }
        0xc2 | 0xe2 | 0xef => {
            let length = if *first == 0xc2 { 2 } else { 3 };
            let letter = text
                .get(..length)
                .and_then(|bytes| std::str::from_utf8(bytes).ok());
            let invisible = letter
                .and_then(|letter| letter.chars().next())
                .is_some_and(is_invisible);
            if invisible { length } else { 0 }
        }
        _ => 0,
    }
}

/// Control characters, soft hyphens, and what has no width.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What is always in the base64 of a text that holds the secret, wherever it stands there.
fn in_base64(secret: &[u8]) -> Vec<Needle> {
    let mut needles = Vec::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret);
        // Letters that the bytes before and behind have a part in are left out.
        let from = before + usize::from(before > 0);
        let shared = usize::from(bytes.len() % 3 > 0);
        for encoded in [
            STANDARD_NO_PAD.encode(&bytes),
            URL_SAFE_NO_PAD.encode(&bytes),
        ] {
            let bytes = encoded.as_bytes()[from..encoded.len() - shared].to_vec();
            if needles.iter().all(|needle: &Needle| needle.bytes != bytes) {
                needles.push(Needle {
                    bytes,
                    is_base64: true,
                });
            }
        }
    }
    needles
}

impl Needle {
    fn find_all(&self, text: &[u8], spans: &mut Vec<(usize, usize)>) {
        let Some(&first) = self.bytes.first() else {
            return;
        };
        let mut at = 0;
        while at < text.len() {
            // Everything else cannot begin it.
            let begins = text[at].eq_ignore_ascii_case(&first)
                || matches!(text[at], b'\\' | b'%' | b'&' | b'=');
            match begins.then(|| self.end_at(text, at)).flatten() {
                Some(end) => {
                    let (mut from, mut to) = (at, end);
                    if self.is_base64 {
                        let letter = |b: &u8| b.is_ascii_alphanumeric() || b"+/-_=".contains(b);
                        from -= text[..from].iter().rev().take_while(|b| letter(b)).count();
                        to += text[to..].iter().take_while(|b| letter(b)).count();
                    }
                    spans.push((from, to));
                    at = to;
                }
                // A secret that begins within a run of backslashes was already looked for from the start of the run.
                None if text[at] == b'\\' && first != b'\\' => {
                    at += text[at..].iter().take_while(|b| **b == b'\\').count();
                }
                None => at += 1,
            }
        }
    }

    /// Where it ends if it begins at `at`. At the end of the text and before a mask its beginning counts as well: that
    /// text was cut.
    fn end_at(&self, text: &[u8], mut at: usize) -> Option<usize> {
        // Servers that lower or raise the case of a header or a message leave a key that can be guessed.
        let whole = text.get(at..at + self.bytes.len());
        let same = |text: &[u8]| match self.is_base64 {
            true => text == self.bytes,
            false => text.eq_ignore_ascii_case(&self.bytes),
        };
        if whole.is_some_and(same) {
            return Some(at + self.bytes.len());
        }
        for (matched, &wanted) in self.bytes.iter().enumerate() {
            if wanted == b'\\' && matched > 0 && self.bytes[matched - 1] == b'\\' {
                // Each escape doubles them: a run of any length stands for a run.
                continue;
            }
            if at >= text.len() {
                return (matched >= SHORTEST).then_some(text.len());
            }
            // A run of backslashes counts as one.
            let behind = self.bytes.get(matched + 1..).unwrap_or_default();
            let next = behind
                .iter()
                .copied()
                .find(|byte| wanted != b'\\' || *byte != b'\\');
            let mut found = one(text, at, wanted, next);
            while found.is_none() && matched > 0 {
                let skipped = filler(&text[at..]);
                if skipped == 0 {
                    break;
                }
                at += skipped;
                found = one(text, at, wanted, next);
            }
            match found {
                Some(behind) => {
                    at = behind;
                    // A raw run was taken whole; further ones may follow in other forms.
                    while wanted == b'\\'
                        && (text.get(at) != Some(&b'\\') || is_slash(&text[at..]))
                        && let Some(behind) = one(text, at, wanted, next)
                    {
                        at = behind;
                    }
                }
                // A server that cuts the key leaves a beginning that tells which key it is.
                None if matched >= LONG_BEGINNING => return Some(at.min(text.len())),
                None if matched >= SHORTEST && (at >= text.len() || mask(&text[at..]) > 0) => {
                    return Some(at.min(text.len()));
                }
                // An escape that is cut.
                None if matched >= SHORTEST
                    && text.len() - at < 6
                    && b"\\%&".contains(&text[at]) =>
                {
                    return Some(text.len());
                }
                None => return None,
            }
        }
        Some(at)
    }
}

/// What is behind `wanted`, if it stands at `at` in any form. `next`: what is wanted behind it.
fn one(text: &[u8], at: usize, wanted: u8, next: Option<u8>) -> Option<usize> {
    let rest = &text[at..];
    match rest.first()? {
        b'\\' => {
            let slashes = rest.iter().take_while(|b| **b == b'\\').count();
            let escaped = &rest[slashes..];
            if wanted == b'\\' && !is_slash(rest) {
                // The last one of several may begin the code of what follows.
                let code = slashes > 1 && next.is_some() && next.map(u32::from) == code(escaped);
                return Some(at + slashes - usize::from(code));
            }
            let length = match escaped.first()? {
                b'0'..=b'3' if octal(escaped) == Some(u32::from(wanted)) => 3,
                letter if *letter == wanted && !matches!(letter, b'u' | b'x') => 1,
                b'u' if escaped.get(1) == Some(&b'{') => {
                    let digits = escaped[2..].iter().take(7).position(|b| *b == b'}')?;
                    (hex(&escaped[2..2 + digits])? == u32::from(wanted)).then_some(digits + 3)?
                }
                b'u' => (hex(escaped.get(1..5)?)? == u32::from(wanted)).then_some(5)?,
                b'U' if hex(escaped.get(1..9).unwrap_or_default()) == Some(u32::from(wanted)) => 9,
                b'x' => (hex(escaped.get(1..3)?)? == u32::from(wanted)).then_some(3)?,
                _ => return None,
            };
            Some(at + slashes + length)
        }
        // Before percent and entity: a key may have these letters in it.
        b'%' => {
            let mut digits = &rest[1..];
            if wanted == b'%' {
                // Each encoding more puts another 25 behind it.
                let again = digits
                    .chunks_exact(2)
                    .take_while(|pair| *pair == b"25")
                    .count();
                return Some(at + 1 + 2 * again);
            }
            while digits.starts_with(b"25") && digits.len() > 2 {
                digits = &digits[2..];
            }
            if digits.len() >= 2 && hex(&digits[..2]) == Some(u32::from(wanted)) {
                return Some(text.len() - digits.len() + 2);
            }
            None
        }
        b'&' => entity(rest, wanted)
            .map(|length| at + length)
            // A key may have what reads as the rest of an entity behind its `&`.
            .or_else(|| {
                let escapes = rest[1..]
                    .chunks_exact(4)
                    .take_while(|four| *four == b"amp;");
                (wanted == b'&').then(|| at + 1 + 4 * escapes.count())
            }),
        // Quoted-printable, of mails and of some gateways' logs.
        b'=' if hex(rest.get(1..3).unwrap_or_default()) == Some(u32::from(wanted)) => Some(at + 3),
        b'+' if wanted == b' ' => Some(at + 1),
        letter => (*letter == wanted).then_some(at + 1),
    }
}

/// What the code behind a backslash means: `x64`, `u0064`, `u{64}` or `144`.
fn code(escaped: &[u8]) -> Option<u32> {
    match escaped.first()? {
        b'u' if escaped.get(1) == Some(&b'{') => {
            let end = escaped[2..].iter().take(7).position(|b| *b == b'}')?;
            hex(&escaped[2..2 + end])
        }
        b'u' => hex(escaped.get(1..5)?),
        b'U' => hex(escaped.get(1..9)?),
        b'x' => hex(escaped.get(1..3)?),
        _ => octal(escaped),
    }
}

/// Whether a text that begins with backslashes begins with an escaped one, by its code.
fn is_slash(text: &[u8]) -> bool {
    let slashes = text.iter().take_while(|b| **b == b'\\').count();
    [&b"x5c"[..], b"u005c", b"u{5c}", b"U0000005c", b"134"]
        .iter()
        .any(|code| {
            text[slashes..]
                .get(..code.len())
                .is_some_and(|it| it.eq_ignore_ascii_case(code))
        })
}

/// How long the HTML entity of `wanted` at the beginning of the text is; `&amp;amp;` was escaped twice.
fn entity(text: &[u8], wanted: u8) -> Option<usize> {
    let mut name = &text[1..];
    while let Some(rest) = name.strip_prefix(b"amp;") {
        let again = rest
            .iter()
            .take(8)
            .position(|b| *b == b';')
            .is_some_and(|end| {
                rest[..end].starts_with(b"#")
                    || [&b"quot"[..], b"lt", b"gt", b"apos", b"amp"].contains(&&rest[..end])
            });
        if !again {
            break;
        }
        name = rest;
    }
    let end = name.iter().take(8).position(|b| *b == b';')?;
    let meant = match &name[..end] {
        b"quot" => u32::from(b'"'),
        b"amp" => u32::from(b'&'),
        b"lt" => u32::from(b'<'),
        b"gt" => u32::from(b'>'),
        b"apos" => u32::from(b'\''),
        [b'#', b'x' | b'X', digits @ ..] => hex(digits)?,
        [b'#', digits @ ..] => std::str::from_utf8(digits).ok()?.parse().ok()?,
        _ => return None,
    };
    (meant == u32::from(wanted)).then_some(text.len() - name.len() + end + 1)
}

/// The three digits of an octal escape.
fn octal(text: &[u8]) -> Option<u32> {
    let digits = text.get(..3)?;
    let is_code =
        matches!(digits[0], b'0'..=b'3') && digits.iter().all(|b| matches!(b, b'0'..=b'7'));
    is_code.then(|| {
        digits
            .iter()
            .fold(0, |code, digit| code * 8 + u32::from(digit - b'0'))
    })
}

fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes()
        .all(|b| b.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(text, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests;
