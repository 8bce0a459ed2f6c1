//! A prompt with places: `{{topic}}`, or `{{length=short}}` with what stands there unless something else is said.
//!
//! A name begins with a letter or `_` and goes on with letters, digits, `_`, `-`, `.` and spaces. `\{{` is two braces and
//! no place. Whatever is not such a place is plain text, so that no text is wrong.

/// Characters of a place's name at most.
const MOST_NAME: usize = 60;

/// A prompt, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Place),
}

/// Where something is to be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it is called; the same name is the same value.
    pub name: String,
    /// What stands there unless something else is said.
    pub default: Option<String>,
}

impl Template {
    /// Takes any text apart.
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
                pieces.push(Piece::Place(place));
                rest = after;
            } else {
                // The second brace may begin a place: `{{{a}}`.
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

    /// Its places in the order in which they first occur, each name once; the first default counts.
    pub fn places(&self) -> Vec<Place> {
        let mut all: Vec<Place> = Vec::new();
        for piece in &self.pieces {
            let Piece::Place(place) = piece else { continue };
            match all.iter_mut().find(|known| known.name == place.name) {
                Some(known) => {
                    known.default = known.default.take().or_else(|| place.default.clone())
                }
                None => all.push(place.clone()),
            }
        }
        all
    }

    /// The text with these values in its places. A place without a value has its default, else nothing.
    pub fn fill<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> String {
        let places = self.places();
        let default = |name: &str| {
            places
                .iter()
                .find(|place| place.name == name)?
                .default
                .as_deref()
        };
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Place(Place { name, .. }) => {
                    out.push_str(value(name).or_else(|| default(name)).unwrap_or_default());
                }
            }
        }
        out
    }
}

/// Text that has no place in it, written so that it stays as it is.
pub fn escape(text: &str) -> String {
    text.replace("{{", "\\{{")
}

/// The place that the text begins with, and what follows it.
fn place(text: &str) -> Option<(Place, &str)> {
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
    // What looks like another place within is none.
    let nested = default
        .as_ref()
        .is_some_and(|default| default.contains("{{"));
    let fits = begins && goes_on && !nested && name.chars().count() <= MOST_NAME;
    fits.then(|| {
        (
            Place {
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
        let found = template.places();
        let found: Vec<(&str, Option<&str>)> = found
            .iter()
            .map(|place| (place.name.as_str(), place.default.as_deref()))
            .collect();
        assert_eq!(found, places, "{text:?}");
        let value = |name: &str| (name == "a").then_some("<A>");
        assert_eq!(template.fill(value), filled, "{text:?}");
    }

    #[test]
    fn places_are_found_and_filled() {
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
    fn what_is_no_place_is_plain_text() {
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
            prop_assert_eq!(template.places(), vec![]);
            prop_assert_eq!(template.fill(|_| Some("never")), text);
        }

        #[test]
        fn values_are_never_taken_for_places(value in ".{0,20}", before in "[a-z{}]{0,6}", after in "[a-z}]{0,6}") {
            let template = Template::parse(&format!("{before} {{{{v}}}}{after}"));
            prop_assert_eq!(template.fill(|_| Some(&value)), format!("{before} {value}{after}"));
        }
    }
}
