//! View code: the program that makes the same request. Pure: text out, nothing run.

/// `write!` to a `String`, which cannot fail.
macro_rules! push {
    ($out:expr, $($what:tt)*) => {{
        // fails only when a Display does
        let _ = write!($out, $($what)*);
    }};
}

mod curl;
mod pictures;
mod python;
mod rust;

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

pub use self::curl::body_in_words;
use self::pictures::Pictures;
use crate::domain::conversation::ChatRequest;
use crate::domain::embedding::EmbedRequest;
use crate::domain::environment::ApiAddress;
use crate::wire::embeddings;
use crate::wire::openai::chat_body;

/// The environment variable that snippets and pasted commands read the key from.
pub const KEY_VARIABLE: &str = "SAMBANOVA_API_KEY";

/// What a snippet is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// A shell command.
    Curl,
    /// Python with the `openai` package.
    PythonOpenai,
    /// Python with the `sambanova` package.
    PythonSambanova,
    /// Rust with `reqwest`.
    Rust,
}

impl Language {
    /// All of them, in the order of the tabs.
    pub const ALL: [Self; 4] = [Self::Curl, Self::PythonOpenai, Self::PythonSambanova, Self::Rust];

    /// Its name on the tab.
    pub fn label(self) -> &'static str {
        match self {
            Self::Curl => "cURL",
            Self::PythonOpenai => "Python (openai)",
            Self::PythonSambanova => "Python (sambanova)",
            Self::Rust => "Rust (reqwest)",
        }
    }

    /// What a syntax highlighter calls it.
    pub fn syntax(self) -> &'static str {
        match self {
            Self::Curl => "sh",
            Self::PythonOpenai | Self::PythonSambanova => "py",
            Self::Rust => "rs",
        }
    }

    /// A name to save it under.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Curl => "chat.sh",
            Self::PythonOpenai | Self::PythonSambanova => "chat.py",
            Self::Rust => "main.rs",
        }
    }
}

/// All that a snippet says, but the key.
#[derive(Debug, Clone, PartialEq)]
pub struct SnippetSpec {
    /// What to write it in.
    pub language: Language,
    /// Where to.
    pub api: ApiAddress,
    /// Model, messages and parameters.
    pub request: ChatRequest,
    /// The texts of which the model makes embeddings instead; the messages then mean nothing.
    pub embed: Option<Vec<String>>,
    /// Streamed or in one piece.
    pub stream: bool,
    /// Certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Trust any certificate.
    pub accept_invalid_certs: bool,
}

impl SnippetSpec {
    /// What is sent.
    pub fn body(&self) -> Value {
        match &self.embed {
            Some(input) => {
                let model = self.request.model.clone();
                embeddings::body(&EmbedRequest { model, input: input.clone() })
            }
            None => chat_body(&self.request, self.stream),
        }
    }

    /// The pictures that are read from files, and the body with marks in their places.
    fn parts(&self) -> (Pictures, Value) {
        if self.embed.is_some() {
            return (Pictures::default(), self.body());
        }
        let (pictures, request) = Pictures::take_out_of(&self.request);
        (pictures, chat_body(&request, self.stream))
    }

    fn url(&self) -> String {
        if self.embed.is_some() { self.api.embeddings() } else { self.api.chat() }
    }

    fn streams(&self) -> bool {
        self.stream && self.embed.is_none()
    }
}

/// How the key stands in a snippet.
#[derive(Clone, Copy)]
pub enum KeyText<'a> {
    /// Read from `$SAMBANOVA_API_KEY` when the snippet runs.
    Variable,
    /// Dots and the key's tail, for the screen.
    Masked {
        /// The last characters, possibly none.
        tail: &'a str,
    },
    /// In the clear, for the clipboard only.
    Plain(&'a str),
}

impl std::fmt::Debug for KeyText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Variable => "Variable",
            Self::Masked { .. } => "Masked",
            Self::Plain(_) => "Plain",
        })
    }
}

impl KeyText<'_> {
    /// The key as it is written down; `None` when the snippet reads the variable.
    fn literal(self) -> Option<String> {
        match self {
            Self::Variable => None,
            Self::Masked { tail } => Some(format!("{DOTS}{tail}")),
            Self::Plain(key) => Some(key.to_owned()),
        }
    }
}

/// Stand for the hidden part of a key.
const DOTS: &str = "••••••••";

/// Writes the snippet, ending in a newline.
pub fn write(spec: &SnippetSpec, key: KeyText<'_>) -> String {
    match spec.language {
        Language::Curl => curl::curl(spec, key),
        Language::PythonOpenai => python::python(spec, key, &python::OPENAI),
        Language::PythonSambanova => python::python(spec, key, &python::SAMBANOVA),
        Language::Rust => rust::rust(spec, key),
    }
}

/// Characters that would not survive being shown, copied and pasted: controls, line separators, and
/// marks that turn the reading direction and so could make a snippet look like another one.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// What `hidden` finds in serialised JSON stands in a string there, but for the line breaks between.
fn json_escape(c: char, out: &mut String) {
    if c == '\n' {
        return out.push(c);
    }
    for unit in c.encode_utf16(&mut [0; 2]) {
        push!(out, "\\u{unit:04x}");
    }
}

/// A string literal as Python and Rust both read it; they differ in how any other character is written.
fn quoted(text: &str, other: impl Fn(char, &mut String)) -> String {
    let escaped = escape(
        text,
        |c| matches!(c, '"' | '\\') || hidden(c),
        |c, out| match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ => other(c, out),
        },
    );
    format!("\"{escaped}\"")
}

fn escape(text: &str, needed: impl Fn(char) -> bool, how: impl Fn(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        if needed(c) {
            how(c, &mut out);
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether some text in it reads better line by line.
fn has_lines(value: &Value) -> bool {
    match value {
        Value::String(text) => text.trim_end_matches('\n').contains('\n'),
        Value::Array(items) => items.iter().any(has_lines),
        Value::Object(fields) => fields.values().any(has_lines),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::conversation::{Message, Params, Role};

    fn spec(language: Language, texts: &[&str]) -> SnippetSpec {
        let messages = texts.iter().map(|text| Message::new(Role::User, *text)).collect();
        SnippetSpec {
            language,
            api: ApiAddress::parse("https://api.example.com").expect("an address"),
            request: ChatRequest { model: "m".to_owned(), messages, params: Params::default() },
            embed: None,
            stream: true,
            ca_file: None,
            accept_invalid_certs: false,
        }
    }

    /// Undoes `rs_text` the way the compiler would.
    fn read_rust_literal(literal: &str) -> String {
        let mut rest = literal.strip_prefix('"').and_then(|l| l.strip_suffix('"')).expect("quotes").chars();
        let mut out = String::new();
        while let Some(c) = rest.next() {
            assert!(c != '"' && !c.is_control(), "{c:?} bare in {literal}");
            if c != '\\' {
                out.push(c);
                continue;
            }
            match rest.next().expect("something after a backslash") {
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                c @ ('"' | '\\') => out.push(c),
                'u' => {
                    assert_eq!(rest.next(), Some('{'));
                    let hex: String = rest.by_ref().take_while(|c| *c != '}').collect();
                    let code = u32::from_str_radix(&hex, 16).expect("hex");
                    out.push(char::from_u32(code).expect("a character"));
                }
                c => panic!("unknown escape {c:?}"),
            }
        }
        out
    }

    /// The body that a shell hands to curl.
    fn curl_body(snippet: &str) -> Value {
        let body = match snippet.split_once("<<'JSON'\n") {
            Some((_, document)) => {
                let (body, rest) = document.split_once("\nJSON\n").expect("an end");
                assert_eq!(rest, "");
                body.to_owned()
            }
            None => shlex::split(snippet).expect("words").pop().expect("the last word"),
        };
        serde_json::from_str(&body).expect("JSON")
    }

    proptest! {
        #[test]
        fn curl_survives_any_message(texts in proptest::collection::vec(any::<String>(), 0..4)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let spec = spec(Language::Curl, &texts);
            let snippet = write(&spec, KeyText::Variable);
            prop_assert_eq!(curl_body(&snippet), chat_body(&spec.request, true));
        }

        #[test]
        fn curl_survives_any_text_to_embed(texts in proptest::collection::vec(any::<String>(), 1..4)) {
            let spec = SnippetSpec { embed: Some(texts), ..spec(Language::Curl, &["not this"]) };
            let snippet = write(&spec, KeyText::Variable);
            prop_assert_eq!(curl_body(&snippet), spec.body());
            prop_assert!(snippet.starts_with("curl -sS https://api.example.com/v1/embeddings"));
        }

        #[test]
        fn curl_survives_shell_words(text in "[ '\"$`\\\\!#&;|<>(){}\\[\\]*?~a\n\r\t]{0,60}") {
            let spec = spec(Language::Curl, &[&text]);
            let snippet = write(&spec, KeyText::Plain(&text));
            let words = shlex::split(&snippet).expect("words");
            prop_assert_eq!(curl_body(&snippet), chat_body(&spec.request, true));
            let header = format!("Authorization: Bearer {text}");
            prop_assert!(words.contains(&header));
        }

        #[test]
        fn rust_literals_survive_any_text(text in any::<String>()) {
            prop_assert_eq!(read_rust_literal(&rust::rs_text(&text)), text);
        }

        #[test]
        fn nothing_hidden_is_left_in_any_language(text in any::<String>()) {
            for language in Language::ALL {
                let snippet = write(&spec(language, &[&text]), KeyText::Variable);
                prop_assert!(!snippet.contains(|c| c != '\n' && hidden(c)), "{snippet}");
                prop_assert!(snippet.ends_with('\n'));
            }
        }
    }

    #[test]
    fn history_is_not_asked_for() {
        for (text, json) in [
            ("Hi! You", r#""Hi! You""#),
            ("Hi!", r#""Hi!""#),
            ("a!b", r#""a\u0021b""#),
            ("it's!", r#""it's\u0021""#),
        ] {
            assert_eq!(curl::tame_bangs(&Value::from(text).to_string()), json);
        }
    }

    #[test]
    fn a_body_too_long_for_an_argument_goes_through_standard_input() {
        let long = "it's $HOME `x` \\ !! \"JSON\"\nJSON\n".repeat(5_000);
        let spec = spec(Language::Curl, &[&long]);
        let snippet = write(&spec, KeyText::Variable);
        assert!(snippet.contains("--data-binary @- <<'JSON'\n{"), "{}", &snippet[..200]);
        assert_eq!(curl_body(&snippet), chat_body(&spec.request, true));
    }

    #[test]
    fn a_masked_key_is_only_its_tail_and_debug_shows_none() {
        for language in Language::ALL {
            let snippet = write(&spec(language, &["Hi"]), KeyText::Masked { tail: "wxyz" });
            assert!(snippet.contains("••••••••wxyz"), "{snippet}");
            assert!(!snippet.contains(KEY_VARIABLE), "{snippet}");
        }
        assert_eq!(format!("{:?}", KeyText::Plain("sk-secret")), "Plain");
    }

    #[test]
    fn rust_integers_fit_their_type() {
        let none = Pictures::take_out_of(&spec(Language::Rust, &[]).request).0;
        assert_eq!(rust::rs_value(&Value::from(2_147_483_647), &none), "2147483647");
        assert_eq!(rust::rs_value(&Value::from(2_147_483_648_i64), &none), "2147483648_i64");
    }
}
