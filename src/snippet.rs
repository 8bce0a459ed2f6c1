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
use crate::domain::dialect::Dialect;
use crate::domain::embedding::EmbedRequest;
use crate::domain::environment::{
    ApiAddress, Environment, Extra, ExtraKind, ExtraValue, HeaderName,
};
use crate::wire::embeddings;
use crate::wire::openai::chat_body_in;

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
    pub const ALL: [Self; 4] = [
        Self::Curl,
        Self::PythonOpenai,
        Self::PythonSambanova,
        Self::Rust,
    ];

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
    /// The variable that holds the key; `None` where no key is sent.
    pub key_variable: Option<String>,
    /// The header that carries the key; `None` for `Authorization: Bearer`.
    pub key_header: Option<HeaderName>,
    /// Further headers and query parameters. Secret values are read from variables.
    pub extras: Vec<Extra>,
    /// What the server was found not to take.
    pub dialect: Dialect,
}

impl SnippetSpec {
    /// With what an environment says of its API: certificates, the key's variable and header, and its extras.
    #[must_use]
    pub fn of(self, env: &Environment) -> Self {
        Self {
            ca_file: env.ca_file.clone(),
            accept_invalid_certs: env.accept_invalid_certs,
            key_variable: env.key_variable(),
            key_header: env.key_header(),
            extras: env.extras.clone(),
            ..self
        }
    }

    /// Extra values of a kind: the name, and the value or the variable that holds it.
    fn extras(&self, kind: ExtraKind) -> impl Iterator<Item = (&str, ExtraText)> {
        self.extras
            .iter()
            .filter(move |extra| extra.kind == kind)
            .map(|extra| {
                let text = match &extra.value {
                    ExtraValue::Plain(text) => ExtraText::Plain(text.clone()),
                    ExtraValue::Variable(_) | ExtraValue::Kept => {
                        ExtraText::Variable(extra.variable())
                    }
                };
                (extra.name.as_str(), text)
            })
    }

    /// What is sent.
    pub fn body(&self) -> Value {
        match &self.embed {
            Some(input) => {
                let model = self.request.model.clone();
                embeddings::body(&EmbedRequest {
                    model,
                    input: input.clone(),
                })
            }
            None => chat_body_in(&self.request, self.stream, self.dialect),
        }
    }

    /// The pictures that are read from files, and the body with marks in their places.
    fn parts(&self) -> (Pictures, Value) {
        if self.embed.is_some() {
            return (Pictures::default(), self.body());
        }
        let (pictures, request) = Pictures::take_out_of(&self.request);
        (pictures, chat_body_in(&request, self.stream, self.dialect))
    }

    fn url(&self) -> String {
        if self.embed.is_some() {
            self.api.embeddings()
        } else {
            self.api.chat()
        }
    }

    fn streams(&self) -> bool {
        self.stream && self.embed.is_none()
    }
}

/// The value of an extra header or query parameter in a snippet.
enum ExtraText {
    Plain(String),
    Variable(String),
}

/// How the key stands in a snippet.
#[derive(Clone, Copy)]
pub enum KeyText<'a> {
    /// Read from [`SnippetSpec::key_variable`] when the snippet runs.
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
    use crate::wire::openai::chat_body;

    fn spec(language: Language, texts: &[&str]) -> SnippetSpec {
        let messages = texts
            .iter()
            .map(|text| Message::new(Role::User, *text))
            .collect();
        SnippetSpec {
            language,
            api: ApiAddress::parse("https://api.example.com").expect("an address"),
            request: ChatRequest {
                model: "m".to_owned(),
                messages,
                params: Params::default(),
            },
            embed: None,
            stream: true,
            ca_file: None,
            accept_invalid_certs: false,
            key_variable: Some("MY_KEY".to_owned()),
            key_header: None,
            extras: Vec::new(),
            dialect: Dialect::default(),
        }
    }

    /// Undoes `rs_text` the way the compiler would.
    fn read_rust_literal(literal: &str) -> String {
        let mut rest = literal
            .strip_prefix('"')
            .and_then(|l| l.strip_suffix('"'))
            .expect("quotes")
            .chars();
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
            None => shlex::split(snippet)
                .expect("words")
                .pop()
                .expect("the last word"),
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
        assert!(
            snippet.contains("--data-binary @- <<'JSON'\n{"),
            "{}",
            &snippet[..200]
        );
        assert_eq!(curl_body(&snippet), chat_body(&spec.request, true));
    }

    #[test]
    fn a_masked_key_is_only_its_tail_and_debug_shows_none() {
        for language in Language::ALL {
            let snippet = write(&spec(language, &["Hi"]), KeyText::Masked { tail: "wxyz" });
            assert!(snippet.contains("••••••••wxyz"), "{snippet}");
            assert!(!snippet.contains("MY_KEY"), "{snippet}");
        }
        assert_eq!(format!("{:?}", KeyText::Plain("sk-secret")), "Plain");
    }

    #[test]
    fn the_key_and_the_extras_are_those_of_the_environment() {
        let extra = |kind, name: &str, value| Extra {
            kind,
            name: name.to_owned(),
            value,
        };
        let plain = |text: &str| ExtraValue::Plain(text.to_owned());
        for language in Language::ALL {
            let spec = SnippetSpec {
                api: ApiAddress::parse("h.example/openai/deployments/d?api-version=1")
                    .expect("an address"),
                key_header: HeaderName::parse("api-key").ok(),
                extras: vec![
                    extra(ExtraKind::Header, "X-Team", plain("it's \"blue\"")),
                    extra(ExtraKind::Header, "X-Gateway-Token", ExtraValue::Kept),
                    extra(ExtraKind::Query, "region", plain("eu 1")),
                    extra(
                        ExtraKind::Query,
                        "sig",
                        ExtraValue::Variable("SIG".to_owned()),
                    ),
                ],
                dialect: Dialect {
                    no_stream_options: true,
                    ..Dialect::default()
                },
                ..spec(language, &["Hi"])
            };
            let snippet = write(&spec, KeyText::Variable);
            for word in [
                "h.example/openai/deployments/d",
                "MY_KEY",
                "api-key",
                "X-Team",
                "blue",
                "X_GATEWAY_TOKEN",
                "SIG",
                "eu",
            ] {
                assert!(snippet.contains(word), "{word} is not in {snippet}");
            }
            assert!(
                !snippet.contains("stream_options") && !snippet.contains("SAMBANOVA"),
                "{snippet}"
            );
            // The packages send their own header unless a request says otherwise.
            let omits = snippet.contains("extra_headers={\"Authorization\": Omit()}");
            assert_eq!(omits, snippet.contains("import Omit, "), "{snippet}");
            // Where no key is needed none is sent.
            let keyless = SnippetSpec {
                key_variable: None,
                key_header: None,
                ..spec
            };
            for key in [KeyText::Variable, KeyText::Plain("sk-1")] {
                let snippet = write(&keyless, key);
                assert!(
                    !snippet.contains("MY_KEY")
                        && !snippet.contains("Bearer")
                        && !snippet.contains("sk-1"),
                    "{snippet}"
                );
            }
        }
        let curl = write(
            &spec(Language::Curl, &["Hi"]).of(&Environment::demo()),
            KeyText::Variable,
        );
        assert!(curl.contains("$DEMO_API_KEY"), "{curl}");
    }

    #[test]
    fn a_shell_is_given_no_comments() {
        // An interactive zsh runs them.
        let mut spec = spec(Language::Curl, &["Hi"]);
        let image = crate::domain::conversation::Image::of("image/png", (3, 4), &[1; 500]);
        let content = crate::domain::conversation::Attached::Image(image);
        let name = "$(touch X)`touch X`'.png".to_owned();
        spec.request.messages[0].attachments =
            vec![crate::domain::conversation::Attachment { name, content }];
        let snippet = write(&spec, KeyText::Variable);
        let begins = |line: &&str| line.trim_start().starts_with('#');
        assert_eq!(snippet.lines().find(begins), None, "{snippet}");
        assert_eq!(
            snippet.matches("touch").count(),
            2,
            "only where it is quoted: {snippet}"
        );
    }

    #[test]
    fn rust_integers_fit_their_type() {
        let none = Pictures::take_out_of(&spec(Language::Rust, &[]).request).0;
        assert_eq!(
            rust::rs_value(&Value::from(2_147_483_647), &none),
            "2147483647"
        );
        assert_eq!(
            rust::rs_value(&Value::from(2_147_483_648_i64), &none),
            "2147483648_i64"
        );
    }
}
