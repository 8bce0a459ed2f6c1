//! Parses objects one by one, so that one malformed object never hides the others.
//!
//! A field of an unexpected type is removed and reported in [`Meta::unreadable`]; the rest of the object is kept.
//! Lists, watches and single objects are all parsed here.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use serde_path_to_error::Segment;

use super::resources::{
    Bundle, BundleDeployment, Meta, Model, ModelBundle, ModelDeployment, Pod, looks_like_a_page,
};
use super::sizes::SizeSource;
use crate::domain::printable;

/// After removing this many fields one by one, whole lists are removed.
const MAX_REMOVED_FIELDS: usize = 128;
/// After removing this many lists, the specification or the status is removed.
const MAX_REMOVED_LISTS: usize = 64;
/// How many levels of an object are searched for what is nested too deeply.
const MAX_SEARCHED_LEVELS: usize = 4;
/// How much of an unreadable value is quoted, in characters.
const MAX_QUOTED_CHARS: usize = 200;

/// Anything with metadata.
pub trait Object: DeserializeOwned + Default {
    /// Its metadata.
    fn meta(&self) -> &Meta;
    /// Its metadata, mutable.
    fn meta_mut(&mut self) -> &mut Meta;
}

macro_rules! objects {
    ($($kind:ty),*) => {
        $(impl Object for $kind {
            fn meta(&self) -> &Meta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut Meta {
                &mut self.metadata
            }
        })*
    };
}

objects!(
    Pod,
    BundleDeployment,
    Bundle,
    ModelDeployment,
    ModelBundle,
    Model,
    SizeSource,
    AnyObject
);

/// An object of which only the metadata matter.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AnyObject {
    /// Its name and version.
    #[serde(deserialize_with = "super::resources::map")]
    pub metadata: Meta,
}

/// Why a response is not a list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// A web page, e.g. of a login portal.
    #[error("the response is a web page")]
    WebPage,
    /// JSON of something else.
    #[error("the response is not a list but {0:?}")]
    NoList(String),
    /// Anything else.
    #[error("the response cannot be parsed as JSON")]
    Json(#[from] serde_json::Error),
}

/// A list whose objects are not parsed yet.
#[derive(Deserialize)]
struct RawList<'a> {
    #[serde(default)]
    kind: Value,
    #[serde(default)]
    metadata: Value,
    #[serde(default, borrow)]
    items: Option<Vec<&'a RawValue>>,
}

/// Reads a list as `kubectl get --raw` prints it.
///
/// # Errors
/// If the response is not a list. Malformed objects are no error.
pub fn parse_list<T: Object>(answer: &[u8]) -> Result<Vec<T>, ListError> {
    Ok(parse_versioned(answer)?.0)
}

/// Like [`parse_list`], with the version to start a watch from, if the list has one.
///
/// # Errors
/// As [`parse_list`].
pub fn parse_versioned<T: Object>(answer: &[u8]) -> Result<(Vec<T>, Option<String>), ListError> {
    if looks_like_a_page(answer) {
        return Err(ListError::WebPage);
    }
    let text = String::from_utf8_lossy(answer);
    let list: RawList<'_> = serde_json::from_str(&text)?;
    let kind = list.kind.as_str().unwrap_or_default();
    if !kind.ends_with("List") {
        return Err(ListError::NoList(kind.to_owned()));
    }
    let version = list.metadata["resourceVersion"]
        .as_str()
        .filter(|it| !it.is_empty())
        .map(str::to_owned);
    let items = list
        .items
        .unwrap_or_default()
        .into_iter()
        .map(|item| read(item.get()))
        .collect();
    Ok((each_name_once(items), version))
}

/// Keeps the last of several objects with the same name, with a remark.
fn each_name_once<T: Object>(items: Vec<T>) -> Vec<T> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(items.len());
    let mut kept: Vec<T> = Vec::with_capacity(items.len());
    for mut item in items {
        let name = item.meta().name.clone();
        match places.get(&name) {
            Some(&place) if !name.is_empty() => {
                item.meta_mut()
                    .unreadable
                    .push("its name is listed more than once; the last is shown".to_owned());
                kept[place] = item;
            }
            _ => {
                places.insert(name, kept.len());
                kept.push(item);
            }
        }
    }
    kept
}

/// Parses one object. Unreadable fields are left out and reported in its metadata.
pub fn read<T: Object>(json: &str) -> T {
    // serde would read a list as the struct's fields in order.
    let is_map = json.trim_ascii_start().starts_with('{');
    match serde_json::from_str(json) {
        Ok(object) if is_map => object,
        _ => {
            let mut unreadable = Vec::new();
            let value = shallow(json, "", &mut unreadable);
            mend(value, unreadable)
        }
    }
}

/// The value without what is nested more deeply than serde_json reads (128 levels), with a remark on each such part.
fn shallow(json: &str, path: &str, unreadable: &mut Vec<String>) -> Value {
    if let Ok(value) = serde_json::from_str(json) {
        return value;
    }
    let level = path.split('.').filter(|part| !part.is_empty()).count();
    if level < MAX_SEARCHED_LEVELS
        && let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(json)
    {
        let read = |(name, raw): (String, &RawValue)| {
            let below = match path {
                "" => name.clone(),
                path => format!("{path}.{name}"),
            };
            let value = shallow(raw.get(), &below, unreadable);
            (name, value)
        };
        return fields.into_iter().map(read).collect();
    }
    unreadable.push(format!("{path} is nested too deeply"));
    Value::Null
}

/// Removes one unreadable field after another until the rest can be parsed. Of an object with very many, it removes larger
/// parts, so that the time is bounded and the rest is kept.
fn mend<T: Object>(mut value: Value, mut unreadable: Vec<String>) -> T {
    // An object has a handful of top-level fields.
    for removed in 0..MAX_REMOVED_FIELDS + MAX_REMOVED_LISTS + 8 {
        if !value.is_object() {
            break;
        }
        let error = match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(mut object) => {
                object.meta_mut().unreadable = unreadable;
                return object;
            }
            Err(error) => error,
        };
        let whole = error.path().clone();
        let segments: Vec<&Segment> = whole.iter().collect();
        let is_entry = |segment: &&Segment| matches!(segment, Segment::Seq { .. });
        let part = match removed {
            ..MAX_REMOVED_FIELDS => segments.len(),
            n if n < MAX_REMOVED_FIELDS + MAX_REMOVED_LISTS => {
                segments.iter().position(is_entry).unwrap_or(segments.len())
            }
            _ => 1,
        };
        let segments = &segments[..part.min(segments.len())];
        if segments.len() < whole.iter().len() {
            let path = path_of(segments);
            if take_out(&mut value, segments).is_none_or(|it| it.is_null()) {
                break;
            }
            unreadable.push(format!(
                "{path} is left out: the object has more than {MAX_REMOVED_FIELDS} fields that cannot be read"
            ));
            continue;
        }
        let path = whole.clone();
        match take_out(&mut value, segments) {
            // `null` counts as missing and needs no remark.
            Some(Value::Null) => {}
            Some(_) => unreadable.push(remark(&path.to_string(), &error.inner().to_string())),
            None => {
                unreadable.push(remark(&path.to_string(), &error.inner().to_string()));
                break;
            }
        }
    }
    let mut object = T::default();
    let name = value["metadata"]["name"].as_str().unwrap_or_default();
    object.meta_mut().name = name.to_owned();
    if !value.is_object() {
        unreadable.push(format!("it is {}, not an object", kind_of(&value)));
    }
    object.meta_mut().unreadable = unreadable;
    object
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// Replaces the value at the path with `null`, which counts as missing, or removes it if it is `null` already.
/// Returns the old value.
fn take_out(value: &mut Value, segments: &[&Segment]) -> Option<Value> {
    let (last, before) = segments.split_last()?;
    let mut parent = value;
    for segment in before {
        parent = match segment {
            Segment::Seq { index } => parent.get_mut(*index)?,
            Segment::Map { key } => parent.get_mut(key.as_str())?,
            Segment::Enum { .. } | Segment::Unknown => return None,
        };
    }
    match (last, parent) {
        (Segment::Seq { index }, Value::Array(items)) => {
            let found = items.get_mut(*index)?.take();
            if found.is_null() {
                items.remove(*index);
            }
            Some(found)
        }
        (Segment::Map { key }, Value::Object(fields)) => {
            let found = fields.get_mut(key)?.take();
            if found.is_null() {
                fields.shift_remove(key);
            }
            Some(found)
        }
        _ => None,
    }
}

/// `spec.groups`
fn path_of(segments: &[&Segment]) -> String {
    let names: Vec<String> = segments.iter().map(ToString::to_string).collect();
    names.join(".")
}

/// `spec.groups[0].minReplicas is -1, not a whole number from 0`
fn remark(path: &str, error: &str) -> String {
    let told = error
        .strip_prefix("invalid type: ")
        .or_else(|| error.strip_prefix("invalid value: "));
    let Some((found, expected)) = told.and_then(|told| told.rsplit_once(", expected ")) else {
        return printable::cut(&format!("{path}: {error}"), MAX_QUOTED_CHARS).into_owned();
    };
    let found = match found {
        "sequence" => "a list".to_owned(),
        "map" => "a map".to_owned(),
        "null" | "unit value" => "null".to_owned(),
        found => match found.split_once(' ') {
            Some(("string", text)) => {
                format!("the text {}", printable::cut(text, MAX_QUOTED_CHARS))
            }
            Some((_, quoted)) => quoted
                .trim_start_matches("point ")
                .trim_matches('`')
                .to_owned(),
            None => found.to_owned(),
        },
    };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        "i32" | "i64" | "isize" => "a whole number",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "a string" => "a text",
        expected if expected.starts_with("struct ") => "a map",
        expected => expected,
    };
    format!("{path} is {found}, not {expected}")
}

#[cfg(test)]
mod tests;
