//! Whether an answer has the form that was asked for.

use super::schema::{Held, Schema, Violation};
use super::{Mistake, read};
use crate::domain::conversation::AnswerFormat;

/// What was found of an answer whose form was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// A JSON object, and nothing more was asked for.
    Object,
    /// JSON that holds to the schema.
    Holds,
    /// JSON that is no object.
    NoObject,
    /// JSON that does not hold to the schema.
    Violates {
        /// The first few places.
        first: Vec<Violation>,
        /// How many more there are.
        more: usize,
    },
    /// JSON inside a code fence; and what is to be said of that.
    Fenced(Box<Checked>),
    /// No JSON.
    NoJson(Mistake),
    /// The answer was cut before its JSON was whole.
    Cut(Mistake),
    /// There is no text.
    Empty,
    /// JSON; whether it holds to the schema cannot be said, and why.
    Unchecked(String),
}

impl Checked {
    /// Whether the answer is what was asked for, as far as one can know.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Object | Self::Holds)
    }

    /// Whether it is not.
    pub fn fails(&self) -> bool {
        !self.holds() && !matches!(self, Self::Unchecked(_))
    }

    /// In a sentence.
    pub fn told(&self) -> String {
        match self {
            Self::Object => "A JSON object".to_owned(),
            Self::Holds => "Valid against the schema".to_owned(),
            Self::NoObject => "JSON, but no object".to_owned(),
            Self::Violates { first, more } => match first.len() + more {
                1 => "Does not match the schema in 1 place".to_owned(),
                n => format!("Does not match the schema in {n} places"),
            },
            Self::Fenced(inner) if inner.holds() => {
                "JSON inside a code fence: not what was asked".to_owned()
            }
            Self::Fenced(inner) => format!(
                "JSON inside a code fence: not what was asked. {}",
                inner.told()
            ),
            Self::NoJson(mistake) => format!("No JSON. {mistake}"),
            Self::Cut(_) => "The answer was cut: its JSON is not whole".to_owned(),
            Self::Empty => "There is no text: no JSON".to_owned(),
            Self::Unchecked(why) => format!("JSON, not checked against the schema. {why}"),
        }
    }

    /// The places that violate the schema, and how many more there are.
    pub fn violations(&self) -> (&[Violation], usize) {
        match self {
            Self::Violates { first, more } => (first, *more),
            Self::Fenced(inner) => inner.violations(),
            _ => (&[], 0),
        }
    }
}

/// Looks at an answer's text. `cut`: more would have come. `None` where nothing was asked for: a format whose schema
/// is no JSON object is not sent.
pub fn check_answer(format: &AnswerFormat, answer: &str, cut: bool) -> Option<Checked> {
    let schema = match format {
        AnswerFormat::JsonObject => None,
        AnswerFormat::JsonSchema { schema, .. } => {
            read(schema).ok().filter(serde_json::Value::is_object)?;
            Some(Schema::read(schema))
        }
    };
    let text = answer.trim();
    if text.is_empty() {
        return Some(Checked::Empty);
    }
    Some(match (read(text), fence_of(text)) {
        (Ok(value), _) => form_of(schema.as_ref(), &value, text.len()),
        (Err(_), Some(inside)) => match read(inside) {
            Ok(value) => Checked::Fenced(Box::new(form_of(schema.as_ref(), &value, inside.len()))),
            Err(mistake) => Checked::NoJson(mistake),
        },
        (Err(mistake), None) if cut => Checked::Cut(mistake),
        (Err(mistake), None) => Checked::NoJson(mistake),
    })
}

fn form_of(
    schema: Option<&Result<Schema, String>>,
    value: &serde_json::Value,
    length: usize,
) -> Checked {
    match schema {
        None if value.is_object() => Checked::Object,
        None => Checked::NoObject,
        Some(Err(why)) => Checked::Unchecked(why.clone()),
        Some(Ok(schema)) => match schema.check(value, length) {
            Held::Well => Checked::Holds,
            Held::Badly { first, more } => Checked::Violates { first, more },
            Held::Unchecked(why) => Checked::Unchecked(why),
        },
    }
}

/// What stands in a text's first code fence, if that is closed.
pub fn fence_of(text: &str) -> Option<&str> {
    let open = text.find("```")?;
    let inside = &text[open..];
    let inside = &inside[inside.find('\n')? + 1..];
    Some(inside[..inside.rfind("\n```")?].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_schema(schema: &str) -> AnswerFormat {
        AnswerFormat::JsonSchema {
            name: "it".to_owned(),
            schema: schema.to_owned(),
            strict: true,
        }
    }

    #[track_caller]
    fn check(format: &AnswerFormat, answer: &str, cut: bool, told: &str, holds: bool) {
        let checked = check_answer(format, answer, cut).expect("it was asked for");
        assert!(
            checked.told().starts_with(told),
            "{answer}: {}",
            checked.told()
        );
        assert_eq!(checked.holds(), holds, "{answer}");
    }

    #[test]
    fn an_answer_is_what_was_asked_for_or_it_is_told_why_not() {
        let object = AnswerFormat::JsonObject;
        check(&object, " {\"a\": 1}\n", false, "A JSON object", true);
        check(&object, "[1]", false, "JSON, but no object", false);
        check(
            &object,
            "```json\n{\"a\": 1}\n```",
            false,
            "JSON inside a code fence: not what was asked",
            false,
        );
        check(
            &object,
            "Here it is:\n```\n[1]\n```\nDone",
            false,
            "JSON inside a code fence",
            false,
        );
        check(
            &object,
            "Sure! {}",
            false,
            "No JSON. Line 1, column 1",
            false,
        );
        check(&object, "{\"a\": ", true, "The answer was cut", false);
        check(&object, "{}", true, "A JSON object", true);
        check(&object, " ", false, "There is no text", false);
        let integer = with_schema(r#"{"type": "integer"}"#);
        check(&integer, "7", false, "Valid against the schema", true);
        check(
            &integer,
            "\"7\"",
            false,
            "Does not match the schema in 1 place",
            false,
        );
        check(
            &integer,
            "```\n\"7\"\n```",
            false,
            "JSON inside a code fence: not what was asked. Does not",
            false,
        );
        let odd = with_schema(r#"{"type": "text"}"#);
        check(
            &odd,
            "7",
            false,
            "JSON, not checked against the schema. No JSON schema",
            false,
        );
        assert!(check_answer(&odd, "7", false).is_some_and(|checked| !checked.fails()));
        assert_eq!(
            check_answer(&with_schema("{"), "7", false),
            None,
            "it was not sent"
        );
    }
}
