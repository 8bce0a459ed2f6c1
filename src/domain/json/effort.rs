//! How much work a check would be. A schema of a page can name itself so often that no computer ever ends with it:
//! such a one is turned away before anything is checked.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// Schemas visited on the way through a schema, or through an answer with it.
const MOST_VISITS: u32 = 40_000;
/// How deep schemas may stand in each other, references followed. The checks go as deep on the stack.
const DEEPEST: u32 = 120;
/// Regular expressions, each of which is compiled.
const MOST_PATTERNS: u32 = 128;

/// Why something is not checked.
pub(super) type Reason = String;

/// Keywords with one schema, which is for the value itself.
const IN_PLACE: [&str; 4] = ["not", "if", "then", "else"];
/// Keywords with a list of them.
const IN_PLACE_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords with a schema for each item or member.
const EACH: [&str; 7] = [
    "items",
    "additionalItems",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords with schemas by name, for the value itself.
const IN_PLACE_NAMED: [&str; 2] = ["dependentSchemas", "dependencies"];

/// The way through a schema.
pub(super) struct Effort<'a> {
    root: &'a Value,
    visits: u32,
    patterns: u32,
    /// What is being followed: a reference to one of them leads in a circle.
    following: HashSet<(*const Value, *const Value)>,
}

impl<'a> Effort<'a> {
    /// Whether a schema can be read with bounded effort.
    pub(super) fn to_read(root: &'a Value) -> Result<(), Reason> {
        Self::new(root).unfold(root, 0)
    }

    /// Whether a value can be held against it.
    pub(super) fn to_check(root: &'a Value, value: &'a Value) -> Result<(), Reason> {
        Self::new(root).visit(root, value, 0)
    }

    fn new(root: &'a Value) -> Self {
        Self {
            root,
            visits: 0,
            patterns: 0,
            following: HashSet::new(),
        }
    }

    fn step(&mut self, visits: usize, depth: u32) -> Result<(), Reason> {
        self.visits = self
            .visits
            .saturating_add(u32::try_from(visits).unwrap_or(u32::MAX));
        if self.visits > MOST_VISITS {
            return Err("The schema is too intricate to be checked here".to_owned());
        }
        if depth > DEEPEST {
            return Err("The schema is nested too deeply to be checked here".to_owned());
        }
        Ok(())
    }

    /// Every schema in this one, references followed.
    fn unfold(&mut self, schema: &'a Value, depth: u32) -> Result<(), Reason> {
        self.step(1, depth)?;
        let Some(schema) = schema.as_object() else {
            return Ok(());
        };
        self.patterns += u32::from(schema.contains_key("pattern"));
        let named = schema
            .get("patternProperties")
            .and_then(Value::as_object)
            .map_or(0, Map::len);
        self.patterns = self
            .patterns
            .saturating_add(u32::try_from(named).unwrap_or(u32::MAX));
        if self.patterns > MOST_PATTERNS {
            return Err(
                "The schema has too many regular expressions to be checked here".to_owned(),
            );
        }
        if depth > 0
            && (schema.contains_key("$id")
                || schema.contains_key("id") && schema.contains_key("$ref"))
        {
            return Err(
                "The schema has another one with an $id in it, which is not followed here"
                    .to_owned(),
            );
        }
        for name in ["$dynamicRef", "$recursiveRef"] {
            if schema.contains_key(name) {
                return Err(format!(
                    "The schema has a {name}, which is not followed here"
                ));
            }
        }
        if let Some(target) = self.referred(schema)? {
            let place = (std::ptr::from_ref(target), std::ptr::null());
            if self.following.insert(place) {
                self.unfold(target, depth + 1)?;
                self.following.remove(&place);
            }
        }
        for (_, inner) in children(schema) {
            self.unfold(inner, depth + 1)?;
        }
        Ok(())
    }

    fn referred(&self, schema: &'a Map<String, Value>) -> Result<Option<&'a Value>, Reason> {
        let Some(to) = schema.get("$ref").and_then(Value::as_str) else {
            return Ok(None);
        };
        let Some(place) = to.strip_prefix('#') else {
            return Err(format!(
                "The schema refers to {to}, and nothing is fetched to check an answer"
            ));
        };
        let found = match place.is_empty() || place.starts_with('/') {
            true => self.root.pointer(&percent_decoded(place)),
            false => anchored(self.root, place),
        };
        found
            .map(Some)
            .ok_or_else(|| format!("The schema refers to {to}, which is not in it"))
    }

    /// Every schema that this value, and all in it, is held against.
    fn visit(&mut self, schema: &'a Value, value: &'a Value, depth: u32) -> Result<(), Reason> {
        let length = value.as_str().map_or(0, |text| text.len() / 256);
        self.step(1 + length, depth)?;
        let Some(schema) = schema.as_object() else {
            return Ok(());
        };
        if let Some(target) = self.referred(schema)? {
            let place = (std::ptr::from_ref(target), std::ptr::from_ref(value));
            if !self.following.insert(place) {
                return Err("The schema leads in a circle: a $ref comes back to itself".to_owned());
            }
            self.visit(target, value, depth + 1)?;
            self.following.remove(&place);
        }
        for (kind, inner) in children(schema) {
            match (kind, value) {
                (Child::Definition, _) => {}
                (Child::InPlace, _) => self.visit(inner, value, depth + 1)?,
                (Child::Each, Value::Array(items)) => {
                    for item in items {
                        self.visit(inner, item, depth + 1)?;
                    }
                }
                (Child::Each, Value::Object(members)) => {
                    for member in members.values() {
                        self.visit(inner, member, depth + 1)?;
                    }
                }
                (Child::Item(at), Value::Array(items)) => {
                    if let Some(item) = items.get(at) {
                        self.visit(inner, item, depth + 1)?;
                    }
                }
                (Child::Member(name), Value::Object(members)) => {
                    if let Some(member) = members.get(name) {
                        self.visit(inner, member, depth + 1)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a schema in a schema is for.
enum Child<'a> {
    InPlace,
    Each,
    Item(usize),
    Member(&'a str),
    Definition,
}

fn children(schema: &Map<String, Value>) -> Vec<(Child<'_>, &Value)> {
    let mut out = Vec::new();
    for (name, value) in schema {
        let name = name.as_str();
        match value {
            Value::Object(_) | Value::Bool(_) if IN_PLACE.contains(&name) => {
                out.push((Child::InPlace, value))
            }
            Value::Object(_) | Value::Bool(_) if EACH.contains(&name) => {
                out.push((Child::Each, value))
            }
            Value::Array(list) if IN_PLACE_LISTS.contains(&name) => {
                out.extend(list.iter().map(|inner| (Child::InPlace, inner)));
            }
            Value::Array(list) if matches!(name, "items" | "prefixItems") => {
                out.extend(
                    list.iter()
                        .enumerate()
                        .map(|(at, inner)| (Child::Item(at), inner)),
                );
            }
            Value::Object(named) if name == "properties" => {
                out.extend(
                    named
                        .iter()
                        .map(|(name, inner)| (Child::Member(name), inner)),
                );
            }
            Value::Object(named) if name == "patternProperties" => {
                out.extend(named.values().map(|inner| (Child::Each, inner)));
            }
            Value::Object(named) if IN_PLACE_NAMED.contains(&name) => {
                out.extend(
                    named
                        .values()
                        .filter(|inner| !inner.is_array())
                        .map(|inner| (Child::InPlace, inner)),
                );
            }
            Value::Object(named) if matches!(name, "$defs" | "definitions") => {
                out.extend(named.values().map(|inner| (Child::Definition, inner)));
            }
            _ => {}
        }
    }
    out
}

/// The schema with this `$anchor`.
fn anchored<'a>(within: &'a Value, name: &str) -> Option<&'a Value> {
    let schema = within.as_object()?;
    if schema.get("$anchor").and_then(Value::as_str) == Some(name) {
        return Some(within);
    }
    children(schema)
        .into_iter()
        .find_map(|(_, inner)| anchored(inner, name))
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let code = (byte == b'%').then(|| {
            let digits = bytes.clone().take(2).map(char::from).collect::<String>();
            u8::from_str_radix(&digits, 16)
                .ok()
                .filter(|_| digits.len() == 2)
        });
        match code.flatten() {
            Some(code) => {
                out.push(code);
                bytes.nth(1);
            }
            None => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
