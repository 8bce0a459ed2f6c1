//! Prompts with placeholders: `{{topic}}`, or `{{length=short}}` with a default value.
//!
//! A name starts with a letter or `_`, followed by letters, digits, `_`, `-`, `.` and spaces. `\{{` stands for two
//! braces. Anything else is plain text, so every text is valid.

const MAX_NAME_CHARS: usize = 60;

/// A parsed prompt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(Placeholder),
}

/// A placeholder of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    /// All placeholders with the same name have the same value.
    pub name: String,
    /// The value if none is given.
    pub default: Option<String>,
}

impl Template {
    /// Parses a text; every text is valid.
    pub fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("{{") {
            let (before, from) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('\\') {
                plain.push_str(before);
                plain.push_str("{{");
                rest = &from[2..];
            } else if let Some((place, after)) = place(from) {
                plain.push_str(before);
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Placeholder(place));
                rest = after;
            } else {
                // The second brace may begin a placeholder: `{{{a}}`.
                plain.push_str(before);
                plain.push('{');
                rest = &from[1..];
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Self { pieces }
    }

    /// The placeholders in order of their first occurrence, each name once, with its first default.
    pub fn placeholders(&self) -> Vec<Placeholder> {
        let mut all: Vec<Placeholder> = Vec::new();
        for piece in &self.pieces {
            let Piece::Placeholder(place) = piece else {
                continue;
            };
            match all.iter_mut().find(|known| known.name == place.name) {
                Some(known) => {
                    known.default = known.default.take().or_else(|| place.default.clone())
                }
                None => all.push(place.clone()),
            }
        }
        all
    }

    /// The text with these values. A placeholder without a value gets its default, or an empty text.
    pub fn fill<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> String {
        let placeholders = self.placeholders();
        let default = |name: &str| {
            placeholders
                .iter()
                .find(|place| place.name == name)?
                .default
                .as_deref()
        };
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Placeholder(Placeholder { name, .. }) => {
                    out.push_str(value(name).or_else(|| default(name)).unwrap_or_default());
                }
            }
        }
        out
    }
}

/// Escapes braces, so that the text has no placeholders.
pub fn escape(text: &str) -> String {
    text.replace("{{", "\\{{")
}

/// The placeholder at the start of the text, and the text after it.
fn place(text: &str) -> Option<(Placeholder, &str)> {
    let inside = text.strip_prefix("{{")?;
    let (inside, after) = inside.split_once("}}")?;
    let (name, default) = match inside.split_once('=') {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (inside, None),
    };
    let name = name.trim();
    let begins = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let goes_on = name
        .chars()
        .all(|c| c.is_alphanumeric() || "_-. ".contains(c));
    // A default cannot contain a placeholder.
    let nested = default
        .as_ref()
        .is_some_and(|default| default.contains("{{"));
    let fits = begins && goes_on && !nested && name.chars().count() <= MAX_NAME_CHARS;
    fits.then(|| {
        (
            Placeholder {
                name: name.to_owned(),
                default,
            },
            after,
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, places: &[(&str, Option<&str>)], filled: &str) {
        let template = Template::parse(text);
        let found = template.placeholders();
        let found: Vec<(&str, Option<&str>)> = found
            .iter()
            .map(|place| (place.name.as_str(), place.default.as_deref()))
            .collect();
        assert_eq!(found, places, "{text:?}");
        let value = |name: &str| (name == "a").then_some("<A>");
        assert_eq!(template.fill(value), filled, "{text:?}");
    }

    #[test]
    fn placeholders_are_found_and_filled() {
        check(
            "Say {{a}} in {{b}}",
            &[("a", None), ("b", None)],
            "Say <A> in ",
        );
        check(
            "{{ a }}{{b=two words}}!",
            &[("a", None), ("b", Some("two words"))],
            "<A>two words!",
        );
        check("{{b}} {{b=x}} {{b=y}}", &[("b", Some("x"))], "x x x");
        check(
            "{{b=}}{{Länge in cm}}",
            &[("b", Some("")), ("Länge in cm", None)],
            "",
        );
        check("{{b=a=b}}", &[("b", Some("a=b"))], "a=b");
        check("{{{a}}}", &[("a", None)], "{<A>}");
    }

    #[test]
    fn other_braces_are_plain_text() {
        for text in [
            "",
            "{",
            "}}",
            "{{",
            "{{}}",
            "{{ }}",
            "{{a",
            "{{1}}",
            "{{a|b}}",
            "{{=x}}",
            "{a}",
            "{{\"a\": {}}}",
        ] {
            check(text, &[], text);
        }
        check("\\{{a}} {{a}}", &[("a", None)], "{{a}} <A>");
        check("\\\\{{a}}", &[], "\\{{a}}");
        check("{{a={{b}}", &[("b", None)], "{{a=");
        check(
            &format!("{{{{{}}}}}", "n".repeat(61)),
            &[],
            &format!("{{{{{}}}}}", "n".repeat(61)),
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_prompt_and_an_escaped_one_stays_as_it_is(text in r"([{}\\=a ]|.){0,60}") {
            let _ = Template::parse(&text).fill(|_| None);
            let template = Template::parse(&escape(&text));
            prop_assert_eq!(template.placeholders(), vec![]);
            prop_assert_eq!(template.fill(|_| Some("never")), text);
        }

        #[test]
        fn values_are_never_parsed_as_placeholders(value in ".{0,20}", before in "[a-z{}]{0,6}", after in "[a-z}]{0,6}") {
            let template = Template::parse(&format!("{} {{{{v}}}}{after}", escape(&before)));
            prop_assert_eq!(template.fill(|_| Some(&value)), format!("{before} {value}{after}"));
        }
    }
}
