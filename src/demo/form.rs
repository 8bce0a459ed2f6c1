//! Simulates `response_format` and `tools`: JSON that matches the schema, and calls with arguments taken from the
//! schema and the prompt. The same request gives the same output.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::model::Quirk;
use crate::domain::conversation::{Message, Role};
use crate::domain::random::Random;

/// Deeper than this only required fields are filled.
const OPTIONAL_DEPTH: u32 = 6;
/// Deeper than this no field is filled.
const MAX_DEPTH: u32 = 24;

/// A function call, and the number of the answer's tokens that belong to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ScriptedCall {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) tokens: usize,
}

/// The output that the request asks for besides words.
#[derive(Debug, Clone, Default)]
pub(super) struct OutputFormat {
    /// `None` for words; an empty schema for any object.
    schema: Option<Value>,
    tools: Vec<Value>,
    choice: Value,
}

/// An answer other than plain words.
pub(super) enum ScriptedReply {
    /// This, as JSON.
    Json(String),
    /// These functions are called: name and arguments.
    Calls(Vec<(String, Value)>),
    /// An answer in words, based on the functions' results.
    Words(String),
}

impl OutputFormat {
    /// Reads the request's parameters. The error names the parameter that SambaStack would reject, and why.
    pub(super) fn read(
        format: &Value,
        tools: &Value,
        choice: &Value,
    ) -> Result<Self, (&'static str, String)> {
        let refuse = |message: &str| Err(("response_format", message.to_owned()));
        let schema = match (format, format.get("type").and_then(Value::as_str)) {
            (Value::Null, _) => None,
            (_, Some("json_object")) => Some(json!({"type": "object"})),
            (_, Some("json_schema")) => match format.pointer("/json_schema/schema") {
                Some(schema @ Value::Object(_)) => Some(schema.clone()),
                _ => return refuse("response_format.json_schema.schema must be an object"),
            },
            _ => return refuse("response_format.type must be json_object or json_schema"),
        };
        let refuse = |message: String| Err(("tools", message));
        let tools = match tools {
            Value::Null => Vec::new(),
            Value::Array(tools) => tools.clone(),
            _ => return refuse("tools must be a list".to_owned()),
        };
        for (at, tool) in tools.iter().enumerate() {
            let name = name_of(tool);
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
                return refuse(format!(
                    "tools[{at}].function.name must be 1 to 64 letters, digits, _ and -"
                ));
            }
            if !matches!(
                tool.pointer("/function/parameters"),
                None | Some(Value::Object(_))
            ) {
                return refuse(format!("tools[{at}].function.parameters must be an object"));
            }
        }
        Ok(Self {
            schema,
            tools,
            choice: choice.clone(),
        })
    }

    /// The answer; `None` for plain words.
    pub(super) fn reply(
        &self,
        messages: &[Message],
        quirk: &Quirk,
        random: &mut Random,
    ) -> Option<ScriptedReply> {
        let last = messages
            .iter()
            .rposition(|message| message.role == Role::User);
        let prompt = last.map_or("", |at| messages[at].content.as_str());
        let answered = messages
            .last()
            .is_some_and(|message| message.role == Role::Tool);
        let called = if answered {
            Vec::new()
        } else {
            self.called(prompt)
        };
        if !called.is_empty() {
            let arguments = |tool: &Value| {
                let any = json!({"type": "object"});
                let schema = tool.pointer("/function/parameters").unwrap_or(&any);
                (
                    name_of(tool).to_owned(),
                    SchemaSample::new(schema, prompt, random).draw(schema, "", 0),
                )
            };
            return Some(ScriptedReply::Calls(
                called.into_iter().map(arguments).collect(),
            ));
        }
        if let Some(schema) = &self.schema {
            let value = SchemaSample::new(schema, prompt, random).draw(schema, "", 0);
            return Some(ScriptedReply::Json(match quirk {
                Quirk::Disobeys => json!(["Nobody asked for this", value]).to_string(),
                Quirk::Fences => format!("Here it is:\n\n```json\n{value:#}\n```"),
                _ => format!("{value:#}"),
            }));
        }
        answered.then(|| ScriptedReply::Words(words(messages)))
    }

    /// The functions that the prompt mentions, or those that must be called.
    fn called(&self, prompt: &str) -> Vec<&Value> {
        let forced = self
            .choice
            .pointer("/function/name")
            .and_then(Value::as_str);
        match (&self.choice, forced) {
            (_, Some(name)) => self
                .tools
                .iter()
                .filter(|tool| name_of(tool) == name)
                .collect(),
            (Value::String(none), _) if none == "none" => Vec::new(),
            (choice, _) => {
                let said = words_of(prompt);
                let meant = self.tools.iter().filter(|tool| {
                    let named = words_of(name_of(tool));
                    let told = words_of(
                        tool.pointer("/function/description")
                            .and_then(Value::as_str)
                            .unwrap_or_default(),
                    );
                    named.iter().any(|word| said.contains(word))
                        || told.iter().any(|word| said.contains(word))
                });
                let meant: Vec<&Value> = meant.collect();
                if meant.is_empty() && choice == "required" {
                    self.tools.iter().take(1).collect()
                } else {
                    meant
                }
            }
        }
    }
}

fn name_of(tool: &Value) -> &str {
    tool.pointer("/function/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The significant words, in lower case.
fn words_of(text: &str) -> Vec<String> {
    const SMALL: [&str; 12] = [
        "the", "and", "for", "get", "set", "this", "that", "with", "from", "what", "give",
        "returns",
    ];
    text.split(|c: char| !c.is_alphanumeric())
        .map(str::to_lowercase)
        .filter(|word| word.chars().count() >= 3 && !SMALL.contains(&word.as_str()))
        .collect()
}

fn words(messages: &[Message]) -> String {
    let asked = messages
        .iter()
        .rposition(|message| !message.calls.is_empty());
    let calls = asked.map_or(&[][..], |at| &messages[at].calls);
    let mut out = "This is a **simulated answer**, based on the function results:\n".to_owned();
    for message in &messages[asked.map_or(messages.len(), |at| at + 1)..] {
        if message.role != Role::Tool {
            continue;
        }
        let call = calls
            .iter()
            .find(|call| Some(&call.id) == message.call_id.as_ref());
        let name = call.map_or("a function", |call| call.name.as_str());
        let gave: String = message
            .content
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let gave = if gave.is_empty() {
            "*nothing*".to_owned()
        } else {
            gave
        };
        out += &format!("\n- `{name}` returned {gave}");
    }
    out
}

/// Generates a value that matches a schema.
struct SchemaSample<'a> {
    root: &'a Value,
    prompt: &'a str,
    random: &'a mut Random,
}

impl<'a> SchemaSample<'a> {
    fn new(root: &'a Value, prompt: &'a str, random: &'a mut Random) -> Self {
        Self {
            root,
            prompt,
            random,
        }
    }

    fn draw(&mut self, schema: &Value, name: &str, depth: u32) -> Value {
        let Some(schema) = schema.as_object().filter(|_| depth < MAX_DEPTH) else {
            return Value::Null;
        };
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        if let Some(Value::Array(list)) = schema.get("enum").filter(|list| list.get(0).is_some()) {
            // Prefer the value that the prompt mentions.
            let said = words_of(self.prompt);
            let named = list.iter().find(|one| {
                one.as_str()
                    .is_some_and(|one| said.contains(&one.to_lowercase()))
            });
            return named
                .unwrap_or(&list[self.random.below(list.len())])
                .clone();
        }
        let root = self.root;
        let to = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|to| to.strip_prefix('#'));
        if let Some(target) = to.and_then(|to| root.pointer(to)) {
            return self.draw(target, name, depth + 1);
        }
        for one in ["anyOf", "oneOf"] {
            if let Some(Value::Array(list)) = schema.get(one).filter(|list| list.get(0).is_some()) {
                return self.draw(&list[0], name, depth + 1);
            }
        }
        if let Some(Value::Array(parts)) = schema.get("allOf") {
            return self.draw(&merged(schema, parts), name, depth + 1);
        }
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or("null"),
            _ if schema.contains_key("properties") => "object",
            _ if schema.contains_key("items") => "array",
            _ if schema.contains_key("minimum") || schema.contains_key("maximum") => "number",
            _ => "string",
        };
        match kind {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, name, depth),
            "integer" => json!(self.number(schema, true) as i64),
            "number" => json!(self.number(schema, false)),
            "boolean" => Value::Bool(self.random.below(2) == 1),
            "null" => Value::Null,
            _ => Value::String(self.text(schema, name)),
        }
    }

    fn object(&mut self, schema: &Map<String, Value>, depth: u32) -> Value {
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut out = Map::new();
        for (name, inner) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if depth < OPTIONAL_DEPTH || required.contains(&name.as_str()) {
                out.insert(name.clone(), self.draw(inner, name, depth + 1));
            }
        }
        let other = schema
            .get("additionalProperties")
            .filter(|other| other.is_object())
            .cloned();
        for name in required {
            if !out.contains_key(name) {
                let value = self.draw(other.as_ref().unwrap_or(&json!({})), name, depth + 1);
                out.insert(name.to_owned(), value);
            }
        }
        if out.is_empty()
            && other.is_none()
            && !schema.contains_key("properties")
            && depth == 0
            && self.root.get("properties").is_none()
        {
            out.insert("simulated".to_owned(), Value::Bool(true));
            out.insert(
                "answer".to_owned(),
                Value::String(self.text(&Map::new(), "answer")),
            );
        }
        Value::Object(out)
    }

    fn array(&mut self, schema: &Map<String, Value>, name: &str, depth: u32) -> Value {
        let size = |name: &str| schema.get(name).and_then(Value::as_u64);
        let least = size("minItems").unwrap_or(if depth < OPTIONAL_DEPTH { 2 } else { 0 });
        let n = least.min(size("maxItems").unwrap_or(u64::MAX)).min(50) as usize;
        let first = schema
            .get("prefixItems")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let any = json!({"type": "string"});
        let rest = schema
            .get("items")
            .filter(|items| items.is_object())
            .unwrap_or(&any);
        let mut items: Vec<Value> = Vec::new();
        for at in 0..n.max(first.len()) {
            let drawn = self.draw(
                first.get(at).unwrap_or(rest),
                &format!("{name} {}", at + 1),
                depth + 1,
            );
            let unique = schema.get("uniqueItems") == Some(&Value::Bool(true));
            if !unique || !items.contains(&drawn) {
                items.push(drawn);
            }
        }
        Value::Array(items)
    }

    /// A number from the prompt if one fits the schema.
    fn number(&mut self, schema: &Map<String, Value>, whole: bool) -> f64 {
        let limit = |name: &str| schema.get(name).and_then(Value::as_f64);
        let step = limit("multipleOf")
            .filter(|step| *step > 0.0)
            .unwrap_or(if whole { 1.0 } else { 0.5 });
        let low = limit("minimum").or(limit("exclusiveMinimum").map(|low| low + step));
        let high = limit("maximum").or(limit("exclusiveMaximum").map(|high| high - step));
        let (low, high) = match (low, high) {
            (Some(low), Some(high)) => (low, high),
            (Some(low), None) => (low, low + 100.0 * step),
            (None, Some(high)) => (high - 100.0 * step, high),
            (None, None) => (0.0, 100.0),
        };
        let fits = |n: &f64| (low..=high).contains(n) && (n / step).fract() == 0.0;
        let said = self
            .prompt
            .split(|c: char| !c.is_ascii_digit() && c != '.' && c != '-');
        let said = said
            .filter_map(|word| word.trim_end_matches('.').parse::<f64>().ok())
            .find(fits);
        said.unwrap_or_else(|| {
            let steps = ((high - low) / step).floor().clamp(0.0, 1e6) as usize;
            let least = (low / step).ceil() * step;
            (least + self.random.below(steps + 1) as f64 * step).min(high.max(least))
        })
    }

    fn text(&mut self, schema: &Map<String, Value>, name: &str) -> String {
        match schema.get("format").and_then(Value::as_str) {
            Some("date") => return "2026-11-23".to_owned(),
            Some("time") => return "14:05:00Z".to_owned(),
            Some("date-time") => return "2026-11-23T14:05:00Z".to_owned(),
            Some("email") => return "ada@example.com".to_owned(),
            Some("uri" | "uri-reference") => return "https://example.com/".to_owned(),
            Some("uuid") => return "6fa459ea-ee8a-4ca4-894e-db77e160355e".to_owned(),
            _ => {}
        }
        let size = |name: &str| {
            schema
                .get(name)
                .and_then(Value::as_u64)
                .map(|n| n.min(2_000) as usize)
        };
        let mut text = match named_in(self.prompt) {
            Some(said) => said.to_owned(),
            None if name.is_empty() => "simulated".to_owned(),
            None => format!("simulated {}", name.replace('_', " ")),
        };
        while text.chars().count() < size("minLength").unwrap_or(0) {
            text.push_str(" and more");
        }
        match size("maxLength") {
            Some(most) => text.chars().take(most).collect(),
            None => text,
        }
    }
}

/// A name in the prompt: quoted text, else a capitalised word that does not start a sentence.
fn named_in(prompt: &str) -> Option<&str> {
    if let Some(quoted) = prompt
        .split('"')
        .nth(1)
        .filter(|quoted| !quoted.is_empty() && quoted.len() < 80)
    {
        return Some(quoted);
    }
    let mut words = prompt.split_whitespace();
    let mut before = words.next()?;
    for word in words {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let begins = before.ends_with(['.', '?', '!', ':']);
        if !begins && bare.chars().count() > 1 && bare.starts_with(char::is_uppercase) {
            return Some(bare);
        }
        before = word;
    }
    None
}

/// The members of all these schemas combined into one schema.
fn merged(schema: &Map<String, Value>, parts: &[Value]) -> Value {
    let mut all: Map<String, Value> = schema
        .iter()
        .filter(|(name, _)| *name != "allOf")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, value) in parts.iter().filter_map(Value::as_object).flatten() {
        match (all.get_mut(name), value) {
            (Some(Value::Object(here)), Value::Object(more)) => here.extend(more.clone()),
            (Some(Value::Array(here)), Value::Array(more)) if name == "required" => {
                here.extend(more.clone())
            }
            (Some(_), _) => {}
            (None, value) => {
                all.insert(name.clone(), value.clone());
            }
        }
    }
    Value::Object(all)
}

/// SambaStack's response to an invalid parameter.
pub(super) fn invalid(param: &str, message: &str) -> axum::response::Response {
    use axum::response::IntoResponse as _;

    let body = json!({"error": {"message": message, "type": "invalid_request_error", "param": param, "code": "invalid_value"}});
    (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
}

#[cfg(test)]
mod tests;
