//! View code: the program that makes the same request.

use std::path::PathBuf;

use crate::domain::conversation::ChatRequest;
use crate::domain::environment::ApiAddress;

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

/// All that a snippet says, but the key.
#[derive(Debug, Clone, PartialEq)]
pub struct SnippetSpec {
    /// What to write it in.
    pub language: Language,
    /// Where to.
    pub api: ApiAddress,
    /// Model, messages and parameters.
    pub request: ChatRequest,
    /// Streamed or in one piece.
    pub stream: bool,
    /// Certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Trust any certificate.
    pub accept_invalid_certs: bool,
}

/// How the key stands in a snippet.
#[derive(Debug, Clone, Copy)]
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

/// Writes the snippet, ending in a newline.
pub fn write(_spec: &SnippetSpec, _key: KeyText<'_>) -> String {
    String::new()
}
