//! One chunk of a stream, or one whole completion, in whatever shape a server gives it.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::calls::{self, CallPiece};
use super::usage::{self, StrictUsage};
use crate::metrics::timeline::Usage;
use crate::protocol::FinishReason;

/// What one chunk of a stream, or one whole completion, says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chunk<'a> {
    /// Thinking (`delta.reasoning`, `delta.reasoning_content`, or parts of the content). Not empty.
    pub reasoning: Option<Cow<'a, str>>,
    /// Answer text, possibly with `<think>` tags: see [`ThinkSplitter`](super::ThinkSplitter). A refusal is one too.
    /// Not empty.
    pub content: Option<Cow<'a, str>>,
    /// Functions that the model calls (`delta.tool_calls`, or `function_call`).
    pub calls: Vec<CallPiece>,
    /// Why the model stopped. [`FinishReason::Other`] is a word that is not known.
    pub finish: Option<FinishReason>,
    /// The token counts.
    pub usage: Option<Usage>,
    /// An error sent after the 200.
    pub error: Option<Value>,
    /// The model that answers, by the server.
    pub model: Option<Cow<'a, str>>,
    /// It has a list of choices, possibly empty: this is an answer, and no ping.
    pub answers: bool,
}

impl<'a> Chunk<'a> {
    /// Reads the data of one event, or a whole completion; a list of them as one.
    ///
    /// # Errors
    /// When it is neither a JSON object nor a list of such.
    pub fn parse(json: &'a str) -> Result<Self, serde_json::Error> {
        // The strict form borrows and is fast; whatever has another shape is read leniently.
        if let Ok(strict) = serde_json::from_str::<Strict<'_>>(json)
            && strict.is_all(json)
        {
            return Ok(strict.into());
        }
        match serde_json::from_str::<Value>(json)? {
            Value::Object(map) => Ok(Self::lenient(&map)),
            Value::Array(items) if items.iter().all(Value::is_object) => {
                let mut all = Self::default();
                items
                    .iter()
                    .filter_map(Value::as_object)
                    .for_each(|item| all.add(Self::lenient(item)));
                Ok(all)
            }
            Value::Null => Ok(Self::default()),
            other => Err(serde::de::Error::custom(format!("{other} is no object"))),
        }
    }

    /// What a later item of a list adds.
    fn add(&mut self, later: Chunk<'_>) {
        let join = |to: &mut Option<Cow<'a, str>>, more: Option<Cow<'_, str>>| {
            if let Some(more) = more {
                to.get_or_insert_default().to_mut().push_str(&more);
            }
        };
        let Chunk {
            reasoning,
            content,
            calls,
            finish,
            usage,
            error,
            model,
            answers,
        } = later;
        join(&mut self.reasoning, reasoning);
        join(&mut self.content, content);
        self.calls.extend(calls);
        self.finish = finish.or(self.finish.take());
        if let Some(usage) = usage {
            self.usage.get_or_insert_default().merge(usage);
        }
        self.error = self.error.take().or(error);
        self.model = model
            .map(|model| Cow::Owned(model.into_owned()))
            .or(self.model.take());
        self.answers |= answers;
    }

    fn lenient(value: &Map<String, Value>) -> Self {
        let choices = value.get("choices").filter(|choices| !choices.is_null());
        let choice = choices.and_then(|choices| match choices {
            // A document holds all of its choices: the first stands for a server that counts from one.
            Value::Array(list) => (list.iter().find(|choice| is_first(choice))).or_else(|| {
                list.first()
                    .filter(|choice| choice.get("message").is_some())
            }),
            one => Some(one),
        });
        let delta = choice.and_then(|choice| {
            let known = |name: &str| choice.get(name).filter(|delta| !delta.is_null());
            known("delta").or_else(|| known("message"))
        });
        let Texts { reasoning, content } = Texts::of(choice, delta);
        let text = |text: String| (!text.is_empty()).then_some(Cow::Owned(text));
        Self {
            reasoning: text(reasoning),
            content: text(content),
            calls: calls::read(
                delta.and_then(|delta| delta.get("tool_calls")),
                delta.and_then(|delta| delta.get("function_call")),
            ),
            finish: choice
                .and_then(|choice| choice.get("finish_reason"))
                .and_then(|reason| {
                    let word = reason.as_str().or_else(|| reason.get("type")?.as_str());
                    word.and_then(finish_reason)
                }),
            usage: usage::read(value, choice),
            error: error_in(value, choice, delta),
            model: value
                .get("model")
                .and_then(Value::as_str)
                .and_then(model_name)
                .map(Cow::Owned),
            answers: choices.is_some(),
        }
    }
}

/// Of several choices that were not asked for, the first is the answer.
fn is_first(choice: &Value) -> bool {
    match choice.get("index") {
        None | Some(Value::Null) => true,
        Some(Value::String(index)) => index.trim() == "0",
        Some(index) => index.as_f64() == Some(0.0),
    }
}

/// What a delta or a message holds to be read.
#[derive(Default)]
struct Texts {
    reasoning: String,
    content: String,
}

impl Texts {
    fn of(choice: Option<&Value>, delta: Option<&Value>) -> Self {
        let mut texts = Self::default();
        let Some(delta) = delta else {
            // As the older completions API has it.
            if let Some(text) = choice.and_then(|choice| choice.get("text")) {
                texts.add(text, false);
            }
            return texts;
        };
        if delta.is_string() {
            texts.add(delta, false);
            return texts;
        }
        // Servers send the same thought under several names.
        for name in [
            "reasoning",
            "reasoning_content",
            "thinking",
            "reasoning_text",
            "reasoning_details",
        ] {
            if texts.reasoning.is_empty()
                && let Some(value) = delta.get(name)
            {
                texts.add(value, true);
            }
        }
        for name in ["content", "refusal"] {
            if let Some(value) = delta.get(name) {
                texts.add(value, false);
            }
        }
        texts
    }

    /// A text, or parts of one: `{"type":"text","text":…}`, `{"type":"thinking","thinking":[…]}` and the like. Parts
    /// of other types (references, pictures) hold no text.
    fn add(&mut self, value: &Value, thinking: bool) {
        let to = if thinking {
            &mut self.reasoning
        } else {
            &mut self.content
        };
        match value {
            Value::String(text) => to.push_str(text),
            Value::Number(number) => to.push_str(&number.to_string()),
            Value::Array(parts) => parts.iter().for_each(|part| self.add(part, thinking)),
            Value::Object(part) => {
                let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
                let thinking = thinking || kind.contains("think") || kind.contains("reason");
                for name in ["thinking", "reasoning", "reasoning_content", "summary"] {
                    if let Some(value) = part.get(name) {
                        self.add(value, true);
                    }
                }
                for name in ["text", "content", "value", "parts", "refusal"] {
                    if let Some(value) = part.get(name) {
                        self.add(value, thinking);
                    }
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
}

/// Words of `object`, `type` or `status` that say that a chunk is an error.
fn says_error(word: &str) -> bool {
    ["error", "failed", "failure"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

/// The error that a chunk is or holds.
fn error_in(
    value: &Map<String, Value>,
    choice: Option<&Value>,
    delta: Option<&Value>,
) -> Option<Value> {
    let alone = value
        .get("choices")
        .is_none_or(|choices| choices.as_array().is_none_or(Vec::is_empty));
    let within = |holder: Option<&Value>| own_error(holder?.as_object()?, alone);
    if let Some(error) = own_error(value, alone)
        .or_else(|| within(choice))
        .or_else(|| within(delta))
    {
        return Some(error);
    }
    // vLLM's errors have no envelope; others name a status.
    let word = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    if ["object", "type", "status"]
        .iter()
        .any(|name| says_error(word(name)))
    {
        return Some(Value::Object(value.clone()));
    }
    // MiniMax's `{"base_resp":{"status_code":1004,"status_msg":"login fail"}}`; good chunks have a zero there.
    let outcome = value.get("base_resp");
    if outcome
        .and_then(|outcome| outcome.get("status_code"))
        .is_some_and(|code| is_error(code, true))
    {
        return outcome.cloned();
    }
    if !alone {
        return None;
    }
    if let Some(first) = value
        .get("errors")
        .and_then(Value::as_array)
        .and_then(|list| list.first())
    {
        return Some(first.get("error").unwrap_or(first).clone());
    }
    // The envelopes of gateways, and `response.failed` of the Responses API.
    if let Some(error) = ["data", "response", "result"]
        .iter()
        .find_map(|name| within(value.get(*name)))
    {
        return Some(error);
    }
    if value
        .get("choices")
        .is_some_and(|choices| !choices.is_null())
    {
        return None;
    }
    // FastAPI's, a gateway's, and those of others who write their own.
    if value
        .get("detail")
        .is_some_and(|detail| is_error(detail, true))
    {
        return Some(Value::Object(value.clone()));
    }
    let text = |name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
    };
    let words = [
        "message",
        "msg",
        "error_message",
        "error_msg",
        "errorMessage",
    ];
    let message = words.iter().find_map(|name| text(name))?;
    let code = ["code", "status", "error_code", "errorCode", "type"]
        .iter()
        .find_map(|name| value.get(*name));
    Some(json!({"message": message, "code": code}))
}

/// The `error` of an object. A flag or a number has no sentence: that stands beside it, and the whole object is the error.
fn own_error(holder: &Map<String, Value>, alone: bool) -> Option<Value> {
    let error = holder.get("error").filter(|error| is_error(error, alone))?;
    let is_flag = matches!(error, Value::Bool(_) | Value::Number(_));
    Some(if is_flag {
        Value::Object(holder.clone())
    } else {
        error.clone()
    })
}

/// Some write an empty `error` where there is none.
fn is_error(error: &Value, alone: bool) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => alone || !map.is_empty(),
    }
}

#[derive(Deserialize)]
struct Strict<'a> {
    #[serde(borrow, default)]
    object: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    usage: Option<StrictUsage>,
    error: Option<IgnoredAny>,
    errors: Option<IgnoredAny>,
    timings: Option<IgnoredAny>,
    time_info: Option<IgnoredAny>,
    base_resp: Option<IgnoredAny>,
}

impl Strict<'_> {
    /// Whether it holds all that the chunk says.
    fn is_all(&self, json: &str) -> bool {
        let Self {
            object,
            model: _,
            choices,
            usage,
            error,
            errors,
            timings,
            time_info,
            base_resp,
        } = self;
        let Some(choices) = choices else { return false };
        let odd = [error, errors, timings, time_info, base_resp]
            .iter()
            .any(|field| field.is_some());
        let of_choice = |choice: &Choice<'_>| choice.delta.as_ref().is_some_and(Delta::is_all);
        let known = choices.iter().all(of_choice);
        // Somewhere else, e.g. in `x_groq`.
        let elsewhere =
            usage.is_none() && memchr::memmem::find(json.as_bytes(), b"\"usage\"").is_some();
        !odd && known
            && !elsewhere
            && !object.as_deref().is_some_and(says_error)
            && !names_error(json)
    }
}

/// Whether some name or text in it is exactly `error`: where it stands is looked at then.
fn names_error(json: &str) -> bool {
    memchr::memmem::find(json.as_bytes(), b"\"error\"").is_some()
}

impl<'a> From<Strict<'a>> for Chunk<'a> {
    fn from(strict: Strict<'a>) -> Self {
        let choice = strict
            .choices
            .into_iter()
            .flatten()
            .find(|choice| choice.index.unwrap_or(0) == 0);
        let (delta, finish) = choice.map_or((None, None), |c| (c.delta, c.finish_reason));
        let delta = delta.unwrap_or_default();
        let some = |text: Option<Cow<'a, str>>| text.filter(|text| !text.is_empty());
        Self {
            reasoning: some(delta.reasoning).or_else(|| some(delta.reasoning_content)),
            content: some(delta.content),
            calls: calls::read(delta.tool_calls.as_ref(), delta.function_call.as_ref()),
            finish: finish.and_then(|reason| finish_reason(&reason)),
            usage: strict.usage.map(Usage::from),
            error: None,
            model: strict.model.filter(|model| is_model_name(model)),
            answers: true,
        }
    }
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<u64>,
    #[serde(borrow, alias = "message")]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
struct Delta<'a> {
    #[serde(borrow)]
    reasoning: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    refusal: Option<Cow<'a, str>>,
    tool_calls: Option<Value>,
    function_call: Option<Value>,
    thinking: Option<IgnoredAny>,
    reasoning_text: Option<IgnoredAny>,
    reasoning_details: Option<IgnoredAny>,
}

impl Delta<'_> {
    /// Whether its usual fields hold all of its text.
    fn is_all(&self) -> bool {
        let Self {
            refusal,
            thinking,
            reasoning_text,
            reasoning_details,
            ..
        } = self;
        let odd = [thinking, reasoning_text, reasoning_details]
            .iter()
            .any(|field| field.is_some());
        !odd && refusal.as_ref().is_none_or(|refusal| refusal.is_empty())
    }
}

/// The server's word for why the model stopped; `None` for one that says that it has not.
pub fn finish_reason(text: &str) -> Option<FinishReason> {
    const STOP: &[&str] = &[
        "stop",
        "eos",
        "eos_token",
        "end_turn",
        "stop_sequence",
        "complete",
        "completed",
    ];
    const LENGTH: &[&str] = &["length", "max_tokens", "max_output_tokens", "model_length"];
    const FILTER: &[&str] = &[
        "content_filter",
        "safety",
        "recitation",
        "prohibited_content",
        "blocklist",
    ];
    const CALLS: &[&str] = &["tool_calls", "function_call", "tool_use"];
    let text = text.trim();
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["", "null", "none"]) {
        return None;
    }
    Some(match text {
        _ if is(STOP) => FinishReason::Stop,
        _ if is(LENGTH) => FinishReason::Length,
        _ if is(FILTER) => FinishReason::ContentFilter,
        _ if is(CALLS) => FinishReason::ToolCalls,
        other => FinishReason::Other(Some(other.to_owned())),
    })
}

/// Whether a word that is not one of the document's says that the server gave the answer up.
pub fn is_failure(word: &str) -> bool {
    const FAILURES: &[&str] = &[
        "error",
        "abort",
        "aborted",
        "cancelled",
        "canceled",
        "failed",
        "network_error",
        "server_error",
        "internal_error",
        "exception",
        "timeout",
        "timed_out",
        "insufficient_system_resource",
        "malformed_function_call",
    ];
    FAILURES
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

/// Some servers write a word where no name is known.
fn is_model_name(name: &str) -> bool {
    !["", "unknown", "none", "null", "default"]
        .iter()
        .any(|word| name.trim().eq_ignore_ascii_case(word))
}

fn model_name(name: &str) -> Option<String> {
    is_model_name(name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(delta: &str, reasoning: &str, content: &str) {
        for name in ["delta", "message"] {
            let json =
                format!(r#"{{"choices":[{{"index":0,"{name}":{delta},"finish_reason":null}}]}}"#);
            let chunk = Chunk::parse(&json).expect("reads");
            let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
            assert_eq!(
                (text(&chunk.reasoning), text(&chunk.content)),
                (reasoning.to_owned(), content.to_owned()),
                "{json}"
            );
        }
    }

    #[test]
    fn content_in_parts_is_read() {
        check(
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}],"closed":true}]}"#,
            "hm",
            "",
        );
        check(
            r#"{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#,
            "hm",
            "ab",
        );
        check(
            r#"{"content":[{"type":"text","text":{"value":"a","annotations":[]}}]}"#,
            "",
            "a",
        );
        check(
            r#"{"content":[{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},{"type":"output_text","text":"a"}]}"#,
            "hm",
            "a",
        );
        check(
            r#"{"content":[{"type":"refusal","refusal":"no"},"more"]}"#,
            "",
            "nomore",
        );
        check(
            r#"{"content":[{"type":"reference","reference_ids":[1]}]}"#,
            "",
            "",
        );
        check(r#"{"content":{"type":"text","text":"a"}}"#, "", "a");
        check(r#"{"content":42}"#, "", "42");
        check(r#"{"thinking":"hm","content":"a"}"#, "hm", "a");
        check(
            r#"{"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}],"content":""}"#,
            "hm",
            "",
        );
        check(
            r#"{"reasoning_details":[{"type":"reasoning.text","text":"hm"}]}"#,
            "hm",
            "",
        );
    }

    #[test]
    fn a_refusal_is_text() {
        check(r#"{"content":null,"refusal":"I can't"}"#, "", "I can't");
        check(
            r#"{"role":"assistant","content":null,"refusal":""}"#,
            "",
            "",
        );
        check(r#"{"content":"x","refusal":null}"#, "", "x");
    }

    #[test]
    fn the_first_choice_is_the_answer_whatever_the_type_of_its_number() {
        for (index, answer) in [
            ("0", Some("a")),
            ("\"0\"", Some("a")),
            ("0.0", Some("a")),
            ("1", None),
        ] {
            let json =
                format!(r#"{{"choices":[{{"index":{index},"delta":{{"content":"a","x":7}}}}]}}"#);
            assert_eq!(
                Chunk::parse(&json).expect("reads").content.as_deref(),
                answer,
                "{index}"
            );
        }
        let text = Chunk::parse(r#"{"choices":[{"text":"a"}]}"#).expect("reads");
        assert_eq!(text.content.as_deref(), Some("a"));
    }

    #[test]
    fn words_that_are_no_reason_are_none() {
        for word in [
            r#""""#,
            r#"" ""#,
            r#""null""#,
            "null",
            "5",
            "true",
            "[]",
            r#""None""#,
        ] {
            let json =
                format!(r#"{{"choices":[{{"delta":{{"content":"a"}},"finish_reason":{word}}}]}}"#);
            assert_eq!(Chunk::parse(&json).expect("reads").finish, None, "{word}");
        }
        for (word, reason) in [
            (r#""STOP""#, FinishReason::Stop),
            (r#"{"type":"length","length":3}"#, FinishReason::Length),
            (r#""odd""#, FinishReason::Other(Some("odd".to_owned()))),
        ] {
            let json =
                format!(r#"{{"choices":[{{"delta":{{"content":"a"}},"finish_reason":{word}}}]}}"#);
            assert_eq!(
                Chunk::parse(&json).expect("reads").finish,
                Some(reason),
                "{word}"
            );
        }
    }

    #[test]
    fn an_error_is_found_wherever_it_stands() {
        for json in [
            r#"{"error":"boom"}"#,
            r#"{"error":{"message":"boom"}}"#,
            r#"{"error":{}}"#,
            r#"{"choices":[],"error":{"message":"boom"}}"#,
            r#"{"choices":[{"delta":{"content":""},"finish_reason":"error"}],"error":{"message":"boom"}}"#,
            r#"{"choices":[{"delta":{"content":""},"error":{"message":"boom"}}]}"#,
            r#"{"detail":"boom"}"#,
            r#"{"detail":[{"msg":"boom"}]}"#,
            r#"{"object":"error","message":"boom","code":500}"#,
            r#"{"type":"error","error":{"message":"boom"}}"#,
            r#"{"code":500,"message":"boom"}"#,
            r#"{"code":500,"msg":"boom"}"#,
            r#"{"message":"Internal server error"}"#,
            r#"{"errors":[{"message":"boom"}]}"#,
            r#"[{"error":{"code":429,"message":"boom"}}]"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a","error":{"message":"boom"}}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a"}}],"status":"error"}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a"}}],"type":"error"}"#,
            r#"{"status":"error","reason":"boom"}"#,
            r#"{"choices":null,"message":"boom"}"#,
            r#"{"choices":null,"base_resp":{"status_code":1004,"status_msg":"boom"}}"#,
            r#"{"choices":[{"index":0,"delta":{"content":""}}],"base_resp":{"status_code":1004,"status_msg":"boom"}}"#,
            r#"{"code":500,"data":{"error":{"message":"boom"}}}"#,
            r#"{"type":"response.failed","response":{"error":{"message":"boom"}}}"#,
            r#"{"error":true,"message":"boom"}"#,
        ] {
            assert!(Chunk::parse(json).expect("reads").error.is_some(), "{json}");
        }
        for json in [
            r#"{"choices":[{"delta":{"content":"error"}}],"error":null}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"error":""}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"error":{}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"error":false}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"message":"ok"}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"base_resp":{"status_code":0,"status_msg":""}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"status":"ok","type":"chunk"}"#,
            r#"{"type":"ping"}"#,
            "null",
        ] {
            assert_eq!(Chunk::parse(json).expect("reads").error, None, "{json}");
        }
        for json in ["5", "\"hello\"", "<html>", "[1]", "{"] {
            assert!(Chunk::parse(json).is_err(), "{json}");
        }
    }

    #[test]
    fn the_model_that_answers_is_read() {
        for (name, model) in [
            (r#""m/x""#, Some("m/x")),
            ("null", None),
            (r#""""#, None),
            ("7", None),
            (r#""unknown""#, None),
        ] {
            let json = format!(r#"{{"model":{name},"choices":[{{"delta":{{"content":"a"}}}}]}}"#);
            assert_eq!(
                Chunk::parse(&json).expect("reads").model.as_deref(),
                model,
                "{name}"
            );
        }
    }
}
