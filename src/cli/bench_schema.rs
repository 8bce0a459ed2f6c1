//! The schema of a benchmark's report: a text for people, and from the same lines a JSON Schema for validators.

use std::sync::LazyLock;

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::domain::plan_fields;
use crate::domain::run::SCHEMA;
use crate::domain::stats::{PERCENTILES, Percentile};

/// Each key of the report, a line each with its type and meaning.
pub(super) static TEXT: LazyLock<String> = LazyLock::new(text);

/// The text, with a line for each percentile.
fn text() -> String {
    let first =
        |at: usize, text: &'static str, then: &'static str| if at == 0 { text } else { then };
    let line = |key: String, kind: &str, meaning: &str| {
        format!("  stats.{key:<32} {kind:<8} {meaning}")
            .trim_end()
            .to_owned()
    };
    let percentiles = PERCENTILES.iter().enumerate().map(|(at, percentile)| {
        line(
            percentile.key(),
            "number",
            first(at, "percentiles by nearest rank, within 0.05 %", ""),
        )
    });
    let intervals = Percentile::all_with_interval()
        .enumerate()
        .map(|(at, percentile)| {
            let means = first(
                at,
                "95 % interval of {}: order statistics, of independent values",
                "of {}",
            );
            line(
                format!("{}_ci", percentile.key()),
                "pair",
                &means.replace("{}", &percentile.key()),
            )
        });
    let effective = Percentile::all_with_interval()
        .enumerate()
        .map(|(at, percentile)| {
            let means = first(
                at,
                "as how many independent values they count at {}; null in older reports",
                "at {}",
            );
            let means = means.replace("{}", &percentile.key());
            line(percentile.effective_key(), "count", &means)
        });
    let intervals = intervals.chain(effective);
    let fields = [include_str!("bench_schema.txt"), &plan_fields::schema()].concat();
    fields
        .replace("{percentiles}", &percentiles.collect::<Vec<_>>().join("\n"))
        .replace("{intervals}", &intervals.collect::<Vec<_>>().join("\n"))
}

/// The required keys of each object. Keys that later versions of Batida added are missing in older reports, so they are
/// not required.
const REQUIRED: [(&str, &[&str]); 5] = [
    (
        "",
        &[
            "schema",
            "batida",
            "id",
            "started_at",
            "took_s",
            "environment",
            "api",
            "machine",
            "plan",
            "ended",
            "levels",
        ],
    ),
    (
        "levels[]",
        &[
            "index",
            "label",
            "model",
            "load",
            "ended",
            "took_s",
            "requests",
            "ttft_ms",
            "latency_ms",
            "watch",
        ],
    ),
    ("levels[].requests", &["ended", "ok", "failed"]),
    ("stats", &["count"]),
    ("rate", &["mean"]),
];

/// No other keys are allowed here: Batida itself rejects a plan with an unknown key. Other objects may get new keys.
const CLOSED: &str = "plan";

/// How the schema is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaForm {
    /// Lines for people: key, type, meaning
    Text,
    /// A JSON Schema (draft 2020-12) for validators
    Json,
}

/// A key as the text has it.
#[derive(Default)]
struct Node {
    kind: Option<&'static str>,
    meaning: String,
    keys: Vec<(&'static str, Node)>,
    items: Option<Box<Node>>,
}

impl Node {
    /// The node at a place such as `levels[].ttft_ms`, made where it is missing.
    fn at(&mut self, place: &'static str) -> &mut Self {
        let mut node = self;
        for part in place.split('.') {
            let (key, is_list) = part
                .strip_suffix("[]")
                .map_or((part, false), |key| (key, true));
            let known = node.keys.iter().position(|(name, _)| *name == key);
            let index = known.unwrap_or_else(|| {
                node.keys.push((key, Self::default()));
                node.keys.len() - 1
            });
            node = &mut node.keys[index].1;
            if is_list {
                node = node.items.get_or_insert_default();
            }
        }
        node
    }

    fn schema(&self, place: &str) -> Value {
        let mut schema = Map::new();
        let mut types = Vec::new();
        match self.kind {
            Some("stats") => return described(json!({ "$ref": "#/$defs/stats" }), &self.meaning),
            Some("rate") => {
                let rate = json!({ "anyOf": [{ "$ref": "#/$defs/rate" }, { "type": "null" }] });
                return described(rate, &self.meaning);
            }
            Some("count") => {
                types.push("integer");
                schema.insert("minimum".to_owned(), json!(0));
            }
            Some("number") => types.push("number"),
            Some("text") => types.push("string"),
            Some("moment") => {
                types.push("string");
                schema.insert("format".to_owned(), json!("date-time"));
            }
            Some("flag") => types.push("boolean"),
            Some("pair") => {
                types.push("array");
                schema.insert("items".to_owned(), json!({ "type": "number" }));
                schema.insert("minItems".to_owned(), json!(2));
                schema.insert("maxItems".to_owned(), json!(2));
            }
            Some("list") => types.push("array"),
            Some("object") => types.push("object"),
            _ => {}
        }
        if let Some(items) = &self.items {
            if !types.contains(&"array") {
                types.push("array");
            }
            schema.insert("items".to_owned(), items.schema(&format!("{place}[]")));
        }
        if !self.keys.is_empty() {
            if !types.contains(&"object") {
                types.push("object");
            }
            let below = |key: &str| {
                if place.is_empty() {
                    key.to_owned()
                } else {
                    format!("{place}.{key}")
                }
            };
            let keys = self
                .keys
                .iter()
                .map(|(key, node)| ((*key).to_owned(), node.schema(&below(key))));
            schema.insert("properties".to_owned(), Value::Object(keys.collect()));
            if place == CLOSED || place.starts_with(&format!("{CLOSED}.")) {
                schema.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        if let Some((_, required)) = REQUIRED.iter().find(|(object, _)| *object == place) {
            schema.insert("required".to_owned(), json!(required));
        } else if self.kind == Some("pair") || !types.contains(&"array") {
            // What is not known is null; a list is empty.
            types.push("null");
        }
        if place == "schema" {
            return json!({ "const": SCHEMA });
        }
        schema.insert("type".to_owned(), json!(types));
        described(Value::Object(schema), &self.meaning)
    }
}

fn described(mut schema: Value, meaning: &str) -> Value {
    if !meaning.is_empty() {
        schema["description"] = json!(meaning);
    }
    schema
}

/// The JSON Schema of a report, made from [`TEXT`].
pub(super) fn json_schema() -> Value {
    let mut root = Node::default();
    for line in TEXT.lines().filter_map(|line| line.strip_prefix("  ")) {
        let (place, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim_start();
        let (kind, meaning) = rest.split_once(' ').unwrap_or((rest, ""));
        let node = root.at(place);
        // `levels[]  list` tells of the list; its items have lines of their own.
        node.kind = Some(kind).filter(|_| !place.ends_with("[]"));
        node.meaning = meaning.trim().to_owned();
    }
    let is_shape = |key: &&str| ["stats", "rate"].contains(key);
    let (shapes, keys) = root
        .keys
        .into_iter()
        .partition::<Vec<_>, _>(|(key, _)| is_shape(key));
    let defs = shapes
        .into_iter()
        .map(|(name, node)| (name.to_owned(), node.schema(name)));
    let defs: Map<String, Value> = defs.collect();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
    });
    let report = Node {
        keys,
        ..Node::default()
    }
    .schema("");
    if let (Some(schema), Value::Object(report)) = (schema.as_object_mut(), report) {
        schema.extend(report);
    }
    schema["$defs"] = Value::Object(defs);
    schema
}
