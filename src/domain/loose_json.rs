//! JSON as people and Python programs write it, made into JSON: without comments and superfluous commas, and with
//! `NaN` and `Infinity` replaced.

use std::borrow::Cow;

/// Replaces comments (`// …`) and the commas before `]` and `}` and behind a whole value by spaces, so that all lines
/// keep their numbers; and bare words by [`plain_numbers`]. Borrowed if the text has none of them.
pub fn strict(text: &str) -> Cow<'_, str> {
    let text = match without_extras(text) {
        Some(plain) => Cow::Owned(plain),
        None => Cow::Borrowed(text),
    };
    match &text {
        Cow::Borrowed(plain) => plain_numbers(plain),
        Cow::Owned(plain) => match plain_numbers(plain) {
            Cow::Owned(plain) => Cow::Owned(plain),
            Cow::Borrowed(_) => text,
        },
    }
}

/// `None` if there is nothing to replace.
fn without_extras(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut extras = Vec::new();
    // The last comma that nothing but spaces and comments followed.
    let mut comma = None;
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let from = at;
        at += 1;
        match byte {
            // No string of JSON goes on in the next line: a broken line leaves the others alone.
            b'\n' => (in_string, escaped) = (false, false),
            _ if in_string => match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            },
            b'/' if bytes.get(at) == Some(&b'/') => {
                at = memchr::memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |n| from + n);
                extras.push(from..at);
            }
            b',' if depth == 0 => extras.push(from..at),
            b',' => comma = Some(from),
            b' ' | b'\t' | b'\r' => {}
            byte => {
                match byte {
                    b'"' => in_string = true,
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' => {
                        depth = depth.saturating_sub(1);
                        extras.extend(comma.map(|comma| comma..comma + 1));
                    }
                    _ => {}
                }
                comma = None;
            }
        }
    }
    if extras.is_empty() {
        return None;
    }
    extras.sort_by_key(|extra| extra.start);
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    for extra in extras {
        out.push_str(&text[kept..extra.start]);
        out.push(' ');
        kept = extra.end;
    }
    out.push_str(&text[kept..]);
    Some(out)
}

/// Replaces the bare words that Python writes for numbers JSON cannot express: `NaN` becomes `null`, and `Infinity`
/// becomes "inf", as vLLM writes it. Borrowed if the text has none.
pub fn plain_numbers(text: &str) -> Cow<'_, str> {
    const WORDS: [(&str, &str); 6] = [
        ("-Infinity", "null"),
        ("Infinity", "\"inf\""),
        ("NaN", "null"),
        ("-NaN", "null"),
        ("nan", "null"),
        ("inf", "\"inf\""),
    ];
    let mut out = String::new();
    let (mut kept, mut in_string, mut escaped) = (0, false, false);
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
        } else if *byte == b'"' {
            in_string = true;
        } else if matches!(byte, b'-' | b'I' | b'N' | b'n' | b'i')
            && let Some((word, instead)) =
                WORDS.iter().find(|(word, _)| text[at..].starts_with(word))
        {
            out.push_str(&text[kept..at]);
            out.push_str(instead);
            at += word.len();
            kept = at;
            continue;
        }
        at += 1;
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[kept..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_superfluous_commas_are_blank() {
        for (text, strict_text) in [
            ("// c\n{\"a\": 1}", " \n{\"a\": 1}"),
            ("{\"a\": 1},\n{\"a\": 2},\n", "{\"a\": 1} \n{\"a\": 2} \n"),
            ("[1, 2, // two\n]", "[1, 2   \n]"),
            ("[{\"a\": [1,],},]", "[{\"a\": [1 ] } ]"),
            ("{\"a\": NaN,}", "{\"a\": null }"),
        ] {
            assert_eq!(strict(text), strict_text);
        }
        for sound in [
            r#"{"u": "http://x, ]", "v": ",]\"//", "w": [1, 2]}"#,
            "{\"a\": \"cut off, ]\n{\"b\": \"//\"}",
            "",
        ] {
            assert!(matches!(strict(sound), Cow::Borrowed(_)), "{sound}");
        }
    }
}
