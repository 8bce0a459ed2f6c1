//! JSON schemas: whether a text is one, and whether a value holds to it. Nothing is fetched, and the work is bounded
//! whatever the schema says.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::effort::Effort;
use super::read;

/// A longer schema is not checked here, in bytes.
const LONGEST: usize = 128 << 10;
/// A longer value is not checked, in bytes.
const LONGEST_VALUE: usize = 2 << 20;
/// So many violations are told in words.
const TOLD: usize = 5;
/// They are counted up to here.
const COUNTED: usize = 1_000;
/// A sentence that repeats more of the value than this tells it without.
const LONG_SENTENCE: usize = 160;

/// A schema that can be held against values.
#[derive(Debug)]
pub struct Schema {
    value: Value,
    validator: Validator,
}

/// A place where a value does not hold to its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// A JSON pointer (RFC 6901) to it; empty for the whole.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { place, what } = self;
        if place.is_empty() {
            write!(f, "{what}")
        } else {
            write!(f, "{place}: {what}")
        }
    }
}

/// Whether a value holds to its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// It does.
    Well,
    /// It does not.
    Badly {
        /// The first few places.
        first: Vec<Violation>,
        /// How many more there are.
        more: usize,
    },
    /// Nobody knows, and why.
    Unchecked(String),
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// In a sentence: it is no JSON (with line and column), no object, no schema, or none that can be checked here.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!(
                "The schema is longer than {} KiB: it is not checked here",
                LONGEST >> 10
            ));
        }
        let value = read(text).map_err(|mistake| mistake.to_string())?;
        if !value.is_object() {
            return Err("A schema is an object, in braces".to_owned());
        }
        Effort::to_read(&value)?;
        let patterns = PatternOptions::fancy_regex()
            .backtrack_limit(10_000)
            .size_limit(1 << 18);
        let validator = jsonschema::options()
            .with_pattern_options(patterns)
            .build(&value)
            .map_err(|error| {
                let place = error.instance_path().to_string();
                let what = sentence(&error);
                if place.is_empty() {
                    format!("No JSON schema: {what}")
                } else {
                    format!("No JSON schema: {place}: {what}")
                }
            })?;
        Ok(Self { value, validator })
    }

    /// The schema itself.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Whether a value holds to it. `length`: its text's, in bytes.
    pub fn check(&self, value: &Value, length: usize) -> Held {
        if length > LONGEST_VALUE {
            return Held::Unchecked(format!("It is longer than {} MiB", LONGEST_VALUE >> 20));
        }
        if let Err(why) = Effort::to_check(&self.value, value) {
            return Held::Unchecked(why);
        }
        let mut errors = self.validator.iter_errors(value);
        let told = |error| Violation {
            place: place_of(&error),
            what: sentence(&error),
        };
        let first: Vec<Violation> = errors.by_ref().take(TOLD).map(told).collect();
        if first.is_empty() {
            return Held::Well;
        }
        Held::Badly {
            first,
            more: errors.take(COUNTED).count(),
        }
    }
}

fn place_of(error: &jsonschema::ValidationError<'_>) -> String {
    error.instance_path().to_string()
}

/// The crate's words, without the value where that is long.
fn sentence(error: &jsonschema::ValidationError<'_>) -> String {
    let whole = error.to_string();
    let said = if whole.len() > LONG_SENTENCE {
        error.masked_with("this").to_string()
    } else {
        whole
    };
    let mut short: String = said.chars().take(2 * LONG_SENTENCE).collect();
    if short.len() < said.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::json;

    use super::*;

    fn schema(value: &Value) -> Schema {
        Schema::read(&value.to_string()).expect("it is a schema")
    }

    fn person() -> Value {
        json!({
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
            "required": ["name", "age"],
            "additionalProperties": false,
        })
    }

    #[test]
    fn what_violates_a_schema_is_told_with_its_place() {
        let schema = schema(&person());
        assert_eq!(
            schema.check(&json!({"name": "Ada", "age": 36}), 0),
            Held::Well
        );
        let Held::Badly { first, more } = schema.check(&json!({"name": 7, "age": -1, "x": 0}), 0)
        else {
            panic!("it holds")
        };
        let told: Vec<String> = first.iter().map(Violation::to_string).collect();
        assert!(
            told.contains(&r#"/name: 7 is not of type "string""#.to_owned()),
            "{told:?}"
        );
        assert!(
            told.iter()
                .any(|line| line.starts_with("/age: -1 is less than")),
            "{told:?}"
        );
        assert!(
            told.iter().any(|line| line.contains("'x' was unexpected")),
            "{told:?}"
        );
        assert_eq!((first.len(), more), (3, 0));
    }

    #[test]
    fn many_violations_are_counted_and_long_values_are_not_repeated() {
        let schema = schema(&json!({"items": {"type": "string"}}));
        let Held::Badly { first, more } =
            schema.check(&json!([[1, "a".repeat(999)], 2, 3, 4, 5, 6, 7]), 0)
        else {
            panic!("it holds")
        };
        assert_eq!((first.len(), more), (TOLD, 2));
        assert_eq!(first[0].to_string(), r#"/0: this is not of type "string""#);
    }

    #[test]
    fn what_is_no_schema_is_told() {
        for (text, told) in [
            ("{\"type\":", "Line 1, column 8: EOF"),
            ("[]", "an object"),
            (r#"{"type": "text"}"#, "No JSON schema: /type: "),
            (r##"{"$ref": "#/$defs/x"}"##, "not in it"),
            (
                r#"{"$ref": "https://example.com/schema.json"}"#,
                "nothing is fetched",
            ),
            (r#"{"$ref": "file:///etc/passwd"}"#, "nothing is fetched"),
            (r#"{"pattern": "("}"#, "No JSON schema"),
        ] {
            let why = Schema::read(text).map(|_| ()).expect_err(text);
            assert!(why.contains(told), "{text}: {why}");
        }
    }

    #[test]
    fn schemas_that_refer_to_themselves_are_checked_as_deep_as_the_value_goes() {
        let tree = schema(&json!({
            "$defs": {"node": {"type": "object", "properties": {"left": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}}},
            "$ref": "#/$defs/node",
        }));
        assert_eq!(
            tree.check(&json!({"left": {"left": {"n": 1}}}), 0),
            Held::Well
        );
        let Held::Badly { first, .. } = tree.check(&json!({"left": {"left": {"n": "1"}}}), 0)
        else {
            panic!("it holds")
        };
        assert_eq!(first[0].place, "/left/left/n");
        let anchored =
            schema(&json!({"$defs": {"a": {"$anchor": "it", "type": "null"}}, "$ref": "#it"}));
        assert_eq!(anchored.check(&Value::Null, 0), Held::Well);
    }

    /// Each definition asks for the next one twice: 2 to the power of 40.
    fn doubling(wrap: fn(Value) -> Value) -> Value {
        let mut defs = serde_json::Map::new();
        for n in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
            defs.insert(format!("d{n}"), wrap(next));
        }
        defs.insert("d40".to_owned(), json!({"type": "null"}));
        json!({"$defs": defs, "$ref": "#/$defs/d0"})
    }

    #[test]
    fn no_schema_takes_for_ever() {
        for wrap in [
            (|next: Value| json!({"allOf": [next, next]})) as fn(Value) -> Value,
            |next| json!({"anyOf": [next, {"properties": {"a": next}}]}),
            |next| json!({"properties": {"a": next, "b": next}}),
        ] {
            let why = Schema::read(&doubling(wrap).to_string())
                .map(|_| ())
                .expect_err("it is turned away");
            assert!(why.contains("too intricate"), "{why}");
        }
        let circle = schema(&json!({"$ref": "#"}));
        assert!(
            matches!(circle.check(&json!(1), 0), Held::Unchecked(why) if why.contains("circle"))
        );
        let wide = schema(&json!({"items": {"$ref": "#"}, "allOf": [{"items": {"$ref": "#"}}]}));
        let mut deep = json!([]);
        for _ in 0..40 {
            deep = json!([deep]);
        }
        assert!(matches!(wide.check(&deep, 0), Held::Unchecked(_)));
        let slow = schema(&json!({"pattern": "^(?=(a+)+$)(a|aa)+$"}));
        assert!(matches!(
            slow.check(&json!(format!("{}b", "a".repeat(5_000))), 0),
            Held::Badly { .. }
        ));
        let mut many = String::from("{\"allOf\":[");
        for n in 0..200 {
            let _ = write!(many, "{{\"pattern\":\"\\\\w{{{n}}}\"}},");
        }
        many.push_str("true]}");
        assert!(Schema::read(&many).is_err_and(|why| why.contains("regular expressions")));
        let nested = |n: usize| format!("{}true{}", "{\"not\":".repeat(n), "}".repeat(n));
        let deepest = Schema::read(&nested(118)).expect("it is not too deep");
        assert_eq!(
            deepest.check(&json!(1), 0),
            Held::Well,
            "the stack bears it"
        );
        let nested = nested(125);
        assert!(Schema::read(&nested).is_err_and(|why| why.contains("nested")));
    }
}
