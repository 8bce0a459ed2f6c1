//! "View code": programs that send the same request as Batida. They are only written, never run.

/// `write!` to a `String`, which cannot fail.
macro_rules! push {
    ($out:expr, $($what:tt)*) => {{
        // Fails only if a Display implementation does.
        let _ = write!($out, $($what)*);
    }};
}

mod curl;
mod pictures;
mod python;
mod rust;
mod typescript;

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

pub use self::curl::body_in_words;
use self::pictures::SnippetImages;
use crate::domain::conversation::ChatRequest;
use crate::domain::dialect::Dialect;
use crate::domain::embedding::EmbedRequest;
use crate::domain::environment::{
    ApiAddress, Environment, Extra, ExtraKind, ExtraValue, HeaderName,
};
use crate::wire::embeddings;
use crate::wire::openai::chat_body_in;

/// The language of a snippet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// A shell command.
    Curl,
    /// Python with the `openai` package.
    PythonOpenai,
    /// Python with the `sambanova` package.
    PythonSambanova,
    /// TypeScript with the `openai` package.
    Typescript,
    /// Rust with `reqwest`.
    Rust,
}

impl Language {
    /// All of them, in the order of the tabs.
    pub const ALL: [Self; 5] = [
        Self::Curl,
        Self::PythonOpenai,
        Self::PythonSambanova,
        Self::Typescript,
        Self::Rust,
    ];

    /// The label of its tab.
    pub fn label(self) -> &'static str {
        match self {
            Self::Curl => "cURL",
            Self::PythonOpenai => "Python (openai)",
            Self::PythonSambanova => "Python (sambanova)",
            Self::Typescript => "TypeScript (openai)",
            Self::Rust => "Rust (reqwest)",
        }
    }

    /// Its name for the syntax highlighter.
    pub fn syntax(self) -> &'static str {
        match self {
            Self::Curl => "sh",
            Self::PythonOpenai | Self::PythonSambanova => "py",
            // The highlighter has no TypeScript; what these programs use of it reads the same.
            Self::Typescript => "js",
            Self::Rust => "rs",
        }
    }

    /// A name to save it under.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Curl => "chat.sh",
            Self::PythonOpenai | Self::PythonSambanova => "chat.py",
            Self::Typescript => "chat.mts",
            Self::Rust => "main.rs",
        }
    }
}

/// The contents of a snippet, except the key.
#[derive(Debug, Clone, PartialEq)]
pub struct SnippetSpec {
    /// The language.
    pub language: Language,
    /// The API's address.
    pub api: ApiAddress,
    /// Model, messages and parameters.
    pub request: ChatRequest,
    /// Texts to request embeddings for; the messages are then ignored.
    pub embed: Option<Vec<String>>,
    /// Whether to request a stream.
    pub stream: bool,
    /// Certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether to accept any certificate.
    pub accept_invalid_certs: bool,
    /// The environment variable that holds the key; `None` if no key is sent.
    pub key_variable: Option<String>,
    /// The header that carries the key; `None` for `Authorization: Bearer`.
    pub key_header: Option<HeaderName>,
    /// Additional headers and query parameters. Secret values are read from environment variables.
    pub extras: Vec<Extra>,
    /// The fields that the server was found to reject.
    pub dialect: Dialect,
}

impl SnippetSpec {
    /// With the environment's certificates, the key's variable and header, and its additional headers and
    /// parameters.
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

    /// The additional headers or parameters: each name, and its value or the variable that holds it.
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

    /// The body of the request.
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

    /// The images to read from files, and the body with placeholders for them.
    fn parts(&self) -> (SnippetImages, Value) {
        if self.embed.is_some() {
            return (SnippetImages::default(), self.body());
        }
        let (pictures, request) = SnippetImages::take_out_of(&self.request);
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

/// How a snippet contains the key.
#[derive(Clone, Copy)]
pub enum KeyText<'a> {
    /// Read from [`SnippetSpec::key_variable`] when the snippet runs.
    Variable,
    /// Dots and the end of the key, for the screen.
    Masked {
        /// The last characters, possibly none.
        tail: &'a str,
    },
    /// In plain text, for the clipboard only.
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
    /// The key's text; `None` if the snippet reads the variable.
    fn literal(self) -> Option<String> {
        match self {
            Self::Variable => None,
            Self::Masked { tail } => Some(format!("{DOTS}{tail}")),
            Self::Plain(key) => Some(key.to_owned()),
        }
    }
}

/// Replaces the hidden part of a key.
const DOTS: &str = "••••••••";

/// Writes the snippet, ending in a newline.
pub fn write(spec: &SnippetSpec, key: KeyText<'_>) -> String {
    match spec.language {
        Language::Curl => curl::curl(spec, key),
        Language::PythonOpenai => python::python(spec, key, &python::OPENAI),
        Language::PythonSambanova => python::python(spec, key, &python::SAMBANOVA),
        Language::Typescript => typescript::typescript(spec, key),
        Language::Rust => rust::rust(spec, key),
    }
}

/// Characters that may be lost when a snippet is shown, copied and pasted: control characters, line separators, and
/// marks that change the reading direction and could make a snippet look like another one.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Escapes a character that [`hidden`] finds in serialised JSON. It is inside a string, unless it is a line break.
fn json_escape(c: char, out: &mut String) {
    if c == '\n' {
        return out.push(c);
    }
    for unit in c.encode_utf16(&mut [0; 2]) {
        push!(out, "\\u{unit:04x}");
    }
}

/// A string literal as Python, TypeScript and Rust read it; they differ in how any other character is written.
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

/// Whether a text in it has several lines.
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
mod tests;
