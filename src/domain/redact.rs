//! Takes secrets out of texts that come from elsewhere, in whatever form they stand there.
//!
//! A server may repeat a key in its error: as it is, escaped for JSON or HTML, percent-encoded, as a program prints it
//! for debugging, or as base64 in an `Authorization: Basic`. Text is cleaned before any of it is cut off: the beginning
//! of a key is a secret, too.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::failure::Failure;

/// Stands where a secret was.
const DOTS: &str = "••••";

/// Shorter ones are no secrets: `test` would make holes in honest words.
const SHORTEST: usize = 8;

/// Finds some secrets in texts. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor {
    needles: Arc<[Needle]>,
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
        let mut needles = Vec::new();
        for secret in secrets
            .into_iter()
            .filter(|secret| secret.len() >= SHORTEST)
        {
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
        }
    }

    /// The text without the secrets.
    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for needle in &*self.needles {
            needle.find_all(text.as_bytes(), &mut spans);
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
            let begins =
                text[at].eq_ignore_ascii_case(&first) || matches!(text[at], b'\\' | b'%' | b'&');
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
                None => at += 1,
            }
        }
    }

    /// Where it ends if it begins at `at`. At the end of the text and before an ellipsis its beginning counts as well:
    /// that text was cut.
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
            if at >= text.len() || text[at..].starts_with("…".as_bytes()) {
                return (matched >= SHORTEST).then_some(at.min(text.len()));
            }
            match one(text, at, wanted) {
                Some(next) => {
                    at = next;
                    // A raw run was taken whole; further ones may follow in other forms.
                    while wanted == b'\\'
                        && (text.get(at) != Some(&b'\\') || is_slash(&text[at..]))
                        && let Some(next) = one(text, at, wanted)
                    {
                        at = next;
                    }
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

/// What is behind `wanted`, if it stands at `at` in any form.
fn one(text: &[u8], at: usize, wanted: u8) -> Option<usize> {
    let rest = &text[at..];
    match rest.first()? {
        b'\\' => {
            let slashes = rest.iter().take_while(|b| **b == b'\\').count();
            let escaped = &rest[slashes..];
            if wanted == b'\\' && !is_slash(rest) {
                // The last one of several may begin the code of what follows.
                let code = slashes > 1
                    && (escaped.starts_with(b"u{")
                        || escaped.first() == Some(&b'u')
                            && escaped.get(1..5).is_some_and(|it| hex(it).is_some())
                        || escaped.first() == Some(&b'x')
                            && escaped.get(1..3).is_some_and(|it| hex(it).is_some()));
                return Some(at + slashes - usize::from(code));
            }
            let length = match escaped.first()? {
                letter if *letter == wanted && !matches!(letter, b'u' | b'x') => 1,
                b'u' if escaped.get(1) == Some(&b'{') => {
                    let digits = escaped[2..].iter().take(7).position(|b| *b == b'}')?;
                    (hex(&escaped[2..2 + digits])? == u32::from(wanted)).then_some(digits + 3)?
                }
                b'u' => (hex(escaped.get(1..5)?)? == u32::from(wanted)).then_some(5)?,
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
            .or_else(|| (wanted == b'&').then_some(at + 1)),
        b'+' if wanted == b' ' => Some(at + 1),
        letter => (*letter == wanted).then_some(at + 1),
    }
}

/// Whether a text that begins with backslashes begins with an escaped one, by its code.
fn is_slash(text: &[u8]) -> bool {
    let slashes = text.iter().take_while(|b| **b == b'\\').count();
    [&b"x5c"[..], b"u005c", b"u{5c}"].iter().any(|code| {
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

fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes()
        .all(|b| b.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(text, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = r#"sk-"A&b/<c>+'d\e%f=g"#;

    /// The key in every form that a server may repeat it in.
    fn forms(key: &str) -> Vec<String> {
        let json = serde_json::to_string(key).expect("JSON");
        let json = json[1..json.len() - 1].to_owned();
        let each = |how: &dyn Fn(u8) -> String| key.bytes().map(how).collect::<String>();
        let percent = |b: u8| {
            if b.is_ascii_alphanumeric() {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        };
        let html = |b: u8| match b {
            b'"' => "&quot;".to_owned(),
            b'&' => "&amp;".to_owned(),
            b'<' => "&lt;".to_owned(),
            b'>' => "&gt;".to_owned(),
            b'\'' => "&#39;".to_owned(),
            b => char::from(b).to_string(),
        };
        let debug = format!("{key:?}");
        vec![
            key.to_owned(),
            json.replace('/', r"\/"),
            json.replace('&', r"\u0026")
                .replace('<', r"\u003c")
                .replace('>', r"\u003E"),
            serde_json::to_string(&json).expect("JSON"),
            each(&percent),
            each(&|b| {
                if b.is_ascii_alphanumeric() {
                    char::from(b).to_string()
                } else {
                    format!("%{b:02x}")
                }
            }),
            each(&percent).replace('%', "%25"),
            each(&|b| format!("%{b:02x}")),
            each(&html),
            each(&html)
                .replace("&#39;", "&#x27;")
                .replace("&quot;", "&#34;"),
            each(&html).replace('&', "&amp;"),
            debug[1..debug.len() - 1].to_owned(),
            each(&|b| format!("\\u{b:04x}")),
            each(&|b| format!("\\u{{{b:x}}}")),
            each(&|b| format!("\\x{b:02x}")),
            STANDARD.encode(key),
            URL_SAFE.encode(key),
            STANDARD.encode(format!(":{key}")),
            STANDARD.encode(format!("me:{key}")),
            STANDARD.encode(format!("user:{key}:x")),
            STANDARD
                .encode(format!("user:{key}"))
                .replace('=', "%3D")
                .replace('+', "%2B")
                .replace('/', "%2F"),
            json,
        ]
    }

    #[test]
    fn a_key_is_found_in_every_form() {
        let plain = "sambanova-0123-abcd-EFGH";
        for key in [KEY, plain] {
            let redactor = Redactor::new([key]);
            for form in forms(key) {
                let clean = redactor.clean(&format!("got {form}, no")).into_owned();
                // Quotes and an encoded "=" around it may stay.
                let rest = clean.replace(DOTS, "").replace("%3D", "");
                assert!(
                    clean.contains(DOTS) && rest.trim_matches('"').len() <= 12,
                    "{form} in {clean}"
                );
            }
        }
    }

    #[test]
    fn a_text_that_was_cut_amid_the_key_loses_its_beginning() {
        let redactor = Redactor::new(["sk-0123456789abcdef"]);
        assert_eq!(redactor.clean("wrong key sk-0123456"), "wrong key ••••");
        assert_eq!(
            redactor.clean("wrong key sk-0123456… (HTTP 401)"),
            "wrong key ••••… (HTTP 401)"
        );
        assert_eq!(
            redactor.clean(r"wrong key \u0073\u006b-012345\u00"),
            "wrong key ••••"
        );
        assert_eq!(redactor.clean("wrong key sk-"), "wrong key sk-");
    }

    #[test]
    fn honest_words_stay() {
        let redactor = Redactor::new(["sk-0123456789", "test"]);
        for text in [
            "",
            "a test",
            "sk-0123456780",
            r"\\\\ %%% &&& \u",
            "100 % of &amp; ü",
        ] {
            assert!(matches!(redactor.clean(text), Cow::Borrowed(_)), "{text}");
        }
        let two = Redactor::new(["first-secret", "second-secret"]);
        assert_eq!(
            two.clean("first-secret second-secretfirst-secret ü"),
            "•••• •••••••• ü"
        );
    }

    #[test]
    fn json_is_cleaned_in_its_strings_and_names() {
        let redactor = Redactor::new([KEY]);
        let value = serde_json::json!({"error": {KEY: [format!("no {KEY}"), 1]}});
        assert_eq!(
            redactor.clean_json(value),
            serde_json::json!({"error": {"••••": ["no ••••", 1]}})
        );
    }

    #[test]
    fn a_key_in_another_case_or_in_hex_is_found() {
        let redactor = Redactor::new(["sk-AbCdEf123456"]);
        for told in [
            "sk-abcdef123456",
            "SK-ABCDEF123456",
            "736b2d416243644566313233343536",
            "736B2D416243644566313233343536",
        ] {
            let clean = redactor.clean(told);
            assert!(!clean.contains(told), "{clean}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), key in "[ -~ü]{8,20}") {
            let _ = Redactor::new([key.as_str()]).clean(&text);
        }

        #[test]
        fn any_key_is_found_in_any_form(key in "[!-~]{8,40}", n in 0usize..22) {
            // Which of these the key has itself cannot be told from how it was encoded.
            prop_assume!(!key.contains("%25") && !key.contains("&amp;"));
            let form = forms(&key)[n % forms(&key).len()].clone();
            let clean = Redactor::new([key.as_str()]).clean(&format!("got {form} no")).into_owned();
            prop_assert!(!clean.contains(&form) && clean.contains(DOTS), "{form} in {clean}");
        }
    }
}
