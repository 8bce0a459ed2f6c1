//! Text in places where a chunk of a chat completion has none.

use serde_json::{Map, Value};

/// Names under which other APIs send text: Ollama, Anthropic, the Responses API, Gemini, TGI, llama.cpp, Baidu and
/// watsonx.
const TEXTS: &[&str] = &[
    "answer",
    "completion",
    "content",
    "delta",
    "generated_text",
    "output",
    "output_text",
    "outputs",
    "parts",
    "response",
    "result",
    "text",
    "token",
];
/// Names of objects and lists that hold such text.
const HOLDERS: &[&str] = &[
    "candidates",
    "choices",
    "data",
    "generations",
    "message",
    "predictions",
    "results",
];
/// Objects in each other are examined to this depth.
const MAX_DEPTH: usize = 8;

/// The text that the reader of chunks does not read: all of it if it read none, else that of further choices.
/// `lost`: what it met and did not understand.
pub(super) fn text_elsewhere(
    chunk: &Map<String, Value>,
    is_read: bool,
    lost: Option<String>,
) -> Option<String> {
    let found = || {
        if !is_read {
            return in_object(chunk, MAX_DEPTH);
        }
        let choices = chunk.get("choices")?.as_array()?;
        // A document that is not streamed may hold other answers, which were not requested.
        let further = choices
            .iter()
            .filter(|choice| choice.get("message").is_none());
        let texts: Vec<&str> = further
            .filter_map(|choice| in_object(choice.as_object()?, MAX_DEPTH))
            .collect();
        texts.get(1).copied()
    };
    lost.or_else(|| found().map(str::to_owned))
}

fn in_object(object: &Map<String, Value>, depth: usize) -> Option<&str> {
    object.iter().find_map(|(name, value)| {
        let is_text = TEXTS.contains(&&**name);
        let is_holder = is_text || HOLDERS.contains(&&**name);
        match value {
            // Choices by their numbers.
            Value::Object(choices) if name == "choices" => choices
                .values()
                .find_map(|choice| in_value(choice, false, depth)),
            value if is_holder => in_value(value, is_text, depth),
            _ => None,
        }
    })
}

fn in_value(value: &Value, is_text: bool, depth: usize) -> Option<&str> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::String(text) => (is_text && !text.is_empty()).then_some(text),
        Value::Array(list) => list.iter().find_map(|item| in_value(item, is_text, depth)),
        Value::Object(object) => in_object(object, depth),
        _ => None,
    }
}
