//! Simulated function calls and JSON answers match their schemas.

use super::*;
use crate::domain::conversation::ToolCall;
use crate::domain::json::{Held, Schema};

fn form(schema: &Value, tools: &Value) -> OutputFormat {
    let format = if schema.is_null() {
        Value::Null
    } else {
        json!({"type": "json_schema", "json_schema": {"name": "it", "schema": schema}})
    };
    OutputFormat::read(&format, tools, &Value::Null).expect("it is taken")
}

fn weather() -> Value {
    let parameters = json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "kelvin"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["city"],
    });
    json!([{"type": "function", "function": {"name": "get_weather", "parameters": parameters}},
        {"type": "function", "function": {"name": "clock", "description": "Tells the time of day"}}])
}

fn calls(form: &OutputFormat, prompt: &str) -> Vec<(String, Value)> {
    match form.reply(
        &[Message::new(Role::User, prompt)],
        &Quirk::None,
        &mut Random::new(1),
    ) {
        Some(ScriptedReply::Calls(calls)) => calls,
        _ => Vec::new(),
    }
}

#[test]
fn a_function_that_the_prompt_speaks_of_is_called_with_what_the_prompt_names() {
    let form = form(&Value::Null, &weather());
    let called = calls(&form, "What is the weather in Paris for 3 days, in kelvin?");
    assert_eq!(
        called,
        [(
            "get_weather".to_owned(),
            json!({"city": "Paris", "unit": "kelvin", "days": 3})
        )]
    );
    assert_eq!(calls(&form, "Weather, and the time?").len(), 2);
    assert_eq!(calls(&form, "Who are you?").len(), 0);
}

#[test]
fn results_make_the_answer() {
    let mut messages = vec![
        Message::new(Role::User, "The weather?"),
        Message::new(Role::Assistant, ""),
    ];
    messages[1].calls = vec![ToolCall {
        id: "c1".to_owned(),
        name: "get_weather".to_owned(),
        arguments: "{}".to_owned(),
    }];
    messages.push(Message {
        call_id: Some("c1".to_owned()),
        ..Message::new(Role::Tool, "18 °C")
    });
    let form = form(&Value::Null, &weather());
    let Some(ScriptedReply::Words(words)) =
        form.reply(&messages, &Quirk::None, &mut Random::new(1))
    else {
        panic!("it calls again")
    };
    assert!(
        words.contains("simulated answer") && words.contains("`get_weather` returned 18 °C"),
        "{words}"
    );
}

#[test]
fn json_holds_to_its_schema() {
    for schema in [
        json!({"type": "object"}),
        json!({"type": "array", "items": {"type": "number", "minimum": 2.5, "multipleOf": 2.5}, "minItems": 3}),
        json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {"n": {"type": "integer", "exclusiveMinimum": 4}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["n"]}}}),
        json!({"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}, "ok": {"type": "boolean"}, "name": {"type": "string", "minLength": 30, "maxLength": 32}}, "required": ["at", "other"], "additionalProperties": {"type": "integer"}}),
        json!({"allOf": [{"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}, {"properties": {"b": {"type": ["null", "string"]}}, "required": ["b"]}]}),
    ] {
        let checked = Schema::read(&schema.to_string()).expect("it is a schema");
        let said = |quirk: &Quirk| {
            let reply = form(&schema, &Value::Null).reply(
                &[Message::new(Role::User, "Hello there, Ada")],
                quirk,
                &mut Random::new(3),
            );
            let Some(ScriptedReply::Json(text)) = reply else {
                panic!("no JSON")
            };
            text
        };
        let text = said(&Quirk::None);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(checked.check(&value, 0), Held::Well, "{schema}: {text}");
        assert!(said(&Quirk::Fences).contains("```json\n"));
    }
}

#[test]
fn what_sambastack_refuses_is_refused() {
    let format =
        |format: Value| OutputFormat::read(&format, &Value::Null, &Value::Null).map(|_| ());
    for refused in [
        json!({"type": "text"}),
        json!("json"),
        json!({"type": "json_schema"}),
    ] {
        assert!(
            format(refused.clone()).is_err_and(|(param, _)| param == "response_format"),
            "{refused}"
        );
    }
    let tools = |tools: Value| OutputFormat::read(&Value::Null, &tools, &Value::Null).map(|_| ());
    for refused in [
        json!({}),
        json!([{"function": {"name": "a b"}}]),
        json!([{}]),
    ] {
        assert!(
            tools(refused.clone()).is_err_and(|(param, _)| param == "tools"),
            "{refused}"
        );
    }
}
