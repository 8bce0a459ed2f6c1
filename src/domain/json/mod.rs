//! JSON that people type and models write: where it is wrong, whether it holds to a schema, whether an answer has
//! the form that was asked for.

mod answer;
mod effort;
mod infer;
mod schema;

use serde_json::Value;

pub use self::answer::{Checked, check_answer, fence_of};
pub use self::infer::schema_of;
pub use self::schema::{Held, Schema, Violation};

/// Where a text is no JSON, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What was expected there, in the reader's words.
    pub what: String,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, column, what } = self;
        write!(f, "Line {line}, column {column}: {what}")
    }
}

/// Reads JSON.
///
/// # Errors
/// Where it is none.
pub fn read(text: &str) -> Result<Value, Mistake> {
    serde_json::from_str(text).map_err(|error| {
        let what = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let what = what.strip_suffix(&place).unwrap_or(&what).to_owned();
        let line_of = |n: usize| text.split('\n').nth(n.saturating_sub(1)).unwrap_or_default();
        // The reader has gone on to the next line when it misses something at the end of one.
        if error.column() == 0 && error.line() > 1 {
            let line = error.line() - 1;
            return Mistake { line, column: line_of(line).chars().count() + 1, what };
        }
        let before = line_of(error.line()).bytes().take(error.column()).filter(|byte| byte & 0xc0 != 0x80);
        Mistake { line: error.line(), column: before.count(), what }
    })
}

/// The same JSON, a member a line; `None` when it is none.
pub fn pretty(text: &str) -> Option<String> {
    read(text).ok().map(|value| format!("{value:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_has_its_place() {
        let mistake = read("{\n  \"a\": tru\n}").expect_err("it is none");
        assert_eq!((mistake.line, mistake.column), (2, 11));
        assert_eq!(mistake.to_string(), "Line 2, column 11: expected ident");
        let mistake = read("[\"é\", x]").expect_err("it is none");
        assert_eq!((mistake.line, mistake.column), (1, 7));
        assert!(read("").is_err_and(|mistake| mistake.what.contains("EOF")));
    }

    #[test]
    fn pretty_json_keeps_the_order_of_its_members() {
        assert_eq!(pretty(r#"{"b":1,"a":[]}"#).as_deref(), Some("{\n  \"b\": 1,\n  \"a\": []\n}"));
        assert_eq!(pretty("{"), None);
    }
}
