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
        let line_of = |n: usize| {
            text.split('\n')
                .nth(n.saturating_sub(1))
                .unwrap_or_default()
        };
        // The reader has gone on to the next line when it misses something at the end of one.
        if error.column() == 0 && error.line() > 1 {
            let line = error.line() - 1;
            return Mistake {
                line,
                column: line_of(line).chars().count() + 1,
                what,
            };
        }
        let before = line_of(error.line())
            .bytes()
            .take(error.column())
            .filter(|byte| byte & 0xc0 != 0x80);
        Mistake {
            line: error.line(),
            column: before.count(),
            what,
        }
    })
}

/// As deep as [`read`] goes: deeper ones are no JSON to it.
const DEEPEST: usize = 128;

/// The same JSON, a member a line; `None` when it is none, or too deep: the space before its lines would be most of
/// what is written. Numbers and texts stay as they are written: reading and
/// writing them would round the former.
pub fn pretty(text: &str) -> Option<String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let mut rest = text;
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '"' => end_of_text(rest),
            _ => c.len_utf8(),
        };
        let token = &rest[..length];
        rest = rest[length..].trim_start();
        match c {
            '{' | '[' => {
                out.push(c);
                if !rest.starts_with(['}', ']']) {
                    depth += 1;
                    if depth > DEEPEST {
                        return None;
                    }
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                if !out.ends_with(['{', '[']) {
                    depth = depth.saturating_sub(1);
                    line(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ if c.is_whitespace() => {}
            _ => out.push_str(token),
        }
    }
    Some(out)
}

/// How long the text is that begins here, quotes included.
fn end_of_text(json: &str) -> usize {
    let mut escaped = false;
    let end = json.bytes().enumerate().skip(1).find(|(_, byte)| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(json.len(), |(at, _)| at + 1)
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
        assert_eq!(
            pretty(r#"{"b":1,"a":[]}"#).as_deref(),
            Some("{\n  \"b\": 1,\n  \"a\": []\n}")
        );
        assert_eq!(pretty("{"), None);
    }

    #[test]
    fn pretty_json_says_the_same_to_the_letter() {
        let odd = r#" {"id":12345678901234567890123,"price":1.10,"a\"{":"[,\\\"]","a":{},"a":[ ]}"#;
        let pretty = pretty(odd).expect("it is JSON");
        let told = "{\n  \"id\": 12345678901234567890123,\n  \"price\": 1.10,\n  \"a\\\"{\": \"[,\\\\\\\"]\",\n  \"a\": {},\n  \"a\": []\n}";
        assert_eq!(pretty, told);
    }

    #[test]
    fn what_is_too_deep_is_not_laid_out() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(pretty(&nested(127)).is_some() && read(&nested(127)).is_ok());
        assert_eq!(pretty(&nested(20_000)), None);
        assert!(read(&nested(20_000)).is_err());
    }

    fn any_json() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,6}|[\"\\\\,{}\\[\\]: \n]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("[a\"\\\\}]{0,3}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest::proptest! {
        #[test]
        fn plain_json_is_laid_out_as_serde_does(value in any_json()) {
            let laid_out = format!("{value:#}");
            proptest::prop_assert_eq!(pretty(&value.to_string()), Some(laid_out.clone()));
            proptest::prop_assert_eq!(pretty(&laid_out), Some(laid_out));
        }
    }
}
