//! What people paste along with a key: they copy a line of a curl example, of a settings file or of a shell.

/// White space, and what word processors and web pages put in its place.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{a0}'
        )
}

/// Pairs that stand around a key.
const QUOTES: [(char, char); 8] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('“', '”'),
    ('„', '“'),
    ('‘', '’'),
    ('«', '»'),
    ('<', '>'),
];

/// Names before `:` or `=` that are no part of a key.
const LABELS: [&str; 6] = [
    "authorization",
    "api-key",
    "x-api-key",
    "api_key",
    "apikey",
    "bearer",
];

/// The key, and what was taken off around it, for a note: `None` when that was nothing but white space.
pub fn strip(text: &str) -> (&str, Option<String>) {
    let mut key = text.trim_matches(is_blank);
    let mut taken: Vec<&str> = Vec::new();
    let mut took = |what: &'static str| {
        if !taken.contains(&what) {
            taken.push(what);
        }
    };
    loop {
        let before = key;
        if let Some(rest) = without_quotes(key) {
            (key, ()) = (rest, took("quotes"));
        } else if let Some(rest) = without_scheme(key) {
            (key, ()) = (rest, took("“Bearer ”"));
        } else if let Some(rest) = without_label(key) {
            (key, ()) = (rest, took("its name"));
        }
        key = key.trim_matches(is_blank);
        if key == before {
            break;
        }
    }
    let note =
        (!taken.is_empty()).then(|| format!("Left out around the API key: {}", taken.join(", ")));
    (key, note)
}

fn without_quotes(key: &str) -> Option<&str> {
    let key = key.trim_end_matches([',', ';']);
    QUOTES.iter().find_map(|(open, close)| {
        // Quotes inside are those of a name and its value, each with its own.
        key.strip_prefix(*open)?
            .strip_suffix(*close)
            .filter(|inside| !inside.contains([*open, *close]))
    })
}

/// Whether that is no key but the word before one: the key behind it was not copied, or is an empty variable.
pub fn is_scheme(key: &str) -> bool {
    key.trim_end_matches(':').eq_ignore_ascii_case("bearer")
}

fn without_scheme(key: &str) -> Option<&str> {
    let (scheme, rest) = key.split_at_checked("bearer".len())?;
    (scheme.eq_ignore_ascii_case("bearer") && rest.starts_with(is_blank)).then_some(rest)
}

/// `Authorization: KEY`, `-H "…"`, `export SAMBANOVA_API_KEY=KEY`.
fn without_label(key: &str) -> Option<&str> {
    if let Some(rest) = key
        .strip_prefix("export ")
        .or_else(|| key.strip_prefix("-H "))
    {
        return Some(rest);
    }
    let (name, value) = key.split_once([':', '='])?;
    let name = name.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    let is_label =
        LABELS.contains(&name.as_str()) || name.ends_with("_api_key") || name.ends_with("_token");
    (is_label && !value.trim().is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pasted_along_is_left_out_and_told() {
        const KEY: &str = "sk-real-123456";
        for text in [
            "Bearer sk-real-123456",
            "bearer  sk-real-123456 ",
            "\"sk-real-123456\"",
            "'sk-real-123456'",
            "“sk-real-123456”",
            "‘sk-real-123456’",
            "`sk-real-123456`",
            "<sk-real-123456>",
            "\"Bearer sk-real-123456\"",
            "Bearer \"sk-real-123456\"",
            "Authorization: Bearer sk-real-123456",
            "-H \"Authorization: Bearer sk-real-123456\"",
            "api-key: sk-real-123456",
            "Bearer: sk-real-123456",
            "export SAMBANOVA_API_KEY=\"sk-real-123456\"",
            "OPENAI_API_KEY=sk-real-123456",
            "\"api_key\": \"sk-real-123456\",",
            "\u{feff}Bearer\u{a0}sk-real-123456\u{200b}",
        ] {
            let (key, note) = strip(text);
            assert_eq!(key, KEY, "{text:?}");
            assert!(note.is_some_and(|note| !note.contains(KEY)), "{text:?}");
        }
    }

    #[test]
    fn keys_stay_what_they_are() {
        for key in [
            "sk-1",
            "bearer-of-news",
            "a=b",
            "dXNlcjpwYXNz==",
            "x:y",
            "\"",
            "sk\"1",
            "Bearer",
        ] {
            assert_eq!(strip(&format!(" {key}\n")), (key, None), "{key:?}");
        }
        assert_eq!(strip("\"\"").0, "");
    }
}
