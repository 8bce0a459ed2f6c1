//! The chat completions protocol: bodies out, chunks and usage in.
//!
//! After SambaStack's OpenAPI document 1.2.0 and what OpenAI-like servers really send: any field may be
//! missing, null or of another type.

mod calls;
mod message;
mod models;

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::calls::{CallPiece, Calls};
use self::message::Messages;
pub use self::message::sent_tools;
pub use self::models::read_models;
use super::skim;
use crate::domain::conversation::{ChatRequest, Effort, Params};
use crate::metrics::timeline::{ServerFigures, TextKind, Usage};
use crate::protocol::FinishReason;

/// What ends a stream that went well.
pub const DONE: &str = "[DONE]";

/// The body of a chat request: only the parameters that are set, and `stream` only when streaming.
pub fn chat_body(request: &ChatRequest, stream: bool) -> Value {
    // cannot fail: names are texts, and what is no finite number is left out
    serde_json::to_value(Body::of(request, stream, false)).unwrap_or_default()
}

/// The parameters that are set, by their names in the body. `enable_thinking` stands in `chat_template_kwargs`.
pub fn set_names(params: &Params, ignore_eos: bool) -> Vec<&'static str> {
    let set = [
        ("max_tokens", params.max_tokens.is_some()),
        ("temperature", params.temperature.is_some()),
        ("top_p", params.top_p.is_some()),
        ("top_k", params.top_k.is_some()),
        ("stop", !params.stop.is_empty()),
        ("seed", params.seed.is_some()),
        ("reasoning_effort", params.reasoning_effort.is_some()),
        ("enable_thinking", params.thinking.is_some()),
        ("chat_template_kwargs", params.thinking.is_some()),
        ("response_format", params.format.is_some()),
        ("tools", params.tools.iter().any(|tool| !tool.off)),
        ("ignore_eos", ignore_eos),
    ];
    set.into_iter().filter_map(|(name, is_set)| is_set.then_some(name)).collect()
}

/// Writes the same behind `out` as it is sent, streaming. `ignore_eos` asks the server to go on to `max_tokens`.
pub fn write_stream_body(request: &ChatRequest, ignore_eos: bool, out: &mut Vec<u8>) {
    // as above, and memory takes all that is written
    let _ = serde_json::to_writer(out, &Body::of(request, true, ignore_eos));
}

/// [`write_stream_body`] in two parts around the content of the first message, which is empty: between them goes any
/// text that JSON writes as it is. `None` without a message.
pub fn stream_body_around(request: &ChatRequest, ignore_eos: bool) -> Option<(Vec<u8>, Vec<u8>)> {
    const EMPTY: &[u8] = br#""content":"""#;
    let mut before = Vec::new();
    write_stream_body(request, ignore_eos, &mut before);
    // The model's name stands before it, in which quotes are escaped.
    let after = before.split_off(memchr::memmem::find(&before, EMPTY)? + EMPTY.len() - 1);
    Some((before, after))
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Messages<'a>,
    #[serde(skip_serializing_if = "is_not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_template_kwargs: Option<TemplateOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "is_not")]
    ignore_eos: bool,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct TemplateOptions {
    enable_thinking: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_not(value: &bool) -> bool {
    !value
}

impl<'a> Body<'a> {
    fn of(request: &'a ChatRequest, stream: bool, ignore_eos: bool) -> Self {
        let ChatRequest { model, messages, params } = request;
        // JSON has no NaN: what is no number is not sent.
        let finite = |n: &f64| n.is_finite();
        Self {
            model,
            messages: Messages(messages),
            stream,
            stream_options: stream.then_some(StreamOptions { include_usage: true }),
            max_tokens: params.max_tokens,
            temperature: params.temperature.filter(finite),
            top_p: params.top_p.filter(finite),
            top_k: params.top_k,
            stop: &params.stop,
            seed: params.seed,
            reasoning_effort: params.reasoning_effort.map(Effort::as_str),
            chat_template_kwargs: params.thinking.map(|on| TemplateOptions { enable_thinking: on }),
            response_format: params.format.as_ref().and_then(message::format),
            tools: sent_tools(&params.tools).filter_map(message::tool).collect(),
            ignore_eos,
        }
    }
}

/// What one chunk of a stream, or one whole completion, says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chunk<'a> {
    /// Thinking (`delta.reasoning` or `delta.reasoning_content`). Not empty.
    pub reasoning: Option<Cow<'a, str>>,
    /// Answer text, possibly with `<think>` tags: see [`ThinkSplitter`]. Not empty.
    pub content: Option<Cow<'a, str>>,
    /// Functions that the model calls (`delta.tool_calls`, or `function_call`).
    pub calls: Vec<CallPiece>,
    /// Why the model stopped.
    pub finish: Option<FinishReason>,
    /// The token counts.
    pub usage: Option<Usage>,
    /// An error sent after the 200.
    pub error: Option<Value>,
}

impl<'a> Chunk<'a> {
    /// Reads the data of one event, or a whole completion.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn parse(json: &'a str) -> Result<Self, serde_json::Error> {
        skim::chunk(json).map_or_else(|| Self::parse_any(json), |usual| Ok(usual.into()))
    }

    /// [`Self::parse`] without the short way for the usual shape, and to the same end.
    ///
    /// # Errors
    /// The same.
    #[doc(hidden)]
    pub fn parse_any(json: &'a str) -> Result<Self, serde_json::Error> {
        // The strict form borrows and is fast; whatever has another shape is read leniently.
        if let Ok(strict) = serde_json::from_str::<Strict<'_>>(json) {
            let choice = strict.choices.into_iter().flatten().find(|choice| choice.index.unwrap_or(0) == 0);
            let (delta, finish) = choice.map_or((None, None), |c| (c.delta, c.finish_reason));
            let delta = delta.unwrap_or_default();
            let some = |text: Option<Cow<'a, str>>| text.filter(|text| !text.is_empty());
            return Ok(Self {
                reasoning: some(delta.reasoning).or_else(|| some(delta.reasoning_content)),
                content: some(delta.content),
                calls: calls::read(delta.tool_calls.as_ref(), delta.function_call.as_ref()),
                finish: finish.map(|reason| finish_reason(&reason)),
                usage: strict.usage.map(Usage::from),
                error: strict.error.filter(|error| !error.is_null()).or_else(|| {
                    // vLLM's errors have no envelope.
                    let bare = strict.object.as_deref() == Some("error");
                    bare.then(|| serde_json::from_str(json).unwrap_or_default())
                }),
            });
        }
        let value: serde_json::Map<String, Value> = serde_json::from_str(json)?;
        Ok(Self::lenient(&value))
    }

    fn lenient(value: &serde_json::Map<String, Value>) -> Self {
        let choice = value.get("choices").and_then(|choices| choices.get(0));
        let delta = choice.and_then(|c| c.get("delta").or_else(|| c.get("message")));
        let text = |name: &str| {
            let text = delta?.get(name)?.as_str()?;
            (!text.is_empty()).then(|| Cow::Owned(text.to_owned()))
        };
        Self {
            reasoning: text("reasoning").or_else(|| text("reasoning_content")),
            content: text("content"),
            calls: calls::read(
                delta.and_then(|delta| delta.get("tool_calls")),
                delta.and_then(|delta| delta.get("function_call")),
            ),
            finish: choice
                .and_then(|choice| choice.get("finish_reason"))
                .and_then(Value::as_str)
                .map(finish_reason),
            usage: value.get("usage").and_then(read_usage),
            error: value.get("error").filter(|error| !error.is_null()).cloned().or_else(|| {
                (value.get("object").and_then(Value::as_str) == Some("error"))
                    .then(|| Value::Object(value.clone()))
            }),
        }
    }
}

#[derive(Deserialize)]
struct Strict<'a> {
    #[serde(borrow, default)]
    object: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    usage: Option<StrictUsage>,
    error: Option<Value>,
}

/// `usage` as those send it who follow the document. Tokens are read as any number, as [`read_usage`] does.
#[derive(Deserialize, Default)]
pub(super) struct StrictUsage {
    pub(super) prompt_tokens: Option<f64>,
    pub(super) completion_tokens: Option<f64>,
    pub(super) prompt_tokens_details: Option<StrictDetails>,
    pub(super) completion_tokens_details: Option<StrictDetails>,
    pub(super) time_to_first_token: Option<f64>,
    pub(super) total_latency: Option<f64>,
    pub(super) completion_tokens_after_first_per_sec: Option<f64>,
    pub(super) completion_tokens_per_sec: Option<f64>,
    pub(super) acceptance_rate: Option<f64>,
}

#[derive(Deserialize, Default)]
pub(super) struct StrictDetails {
    pub(super) cached_tokens: Option<f64>,
    pub(super) reasoning_tokens: Option<f64>,
}

impl From<StrictUsage> for Usage {
    fn from(usage: StrictUsage) -> Self {
        let details = |details: Option<StrictDetails>| details.map(|d| (d.cached_tokens, d.reasoning_tokens));
        let cached = details(usage.prompt_tokens_details).and_then(|(cached, _)| cached);
        let reasoning = details(usage.completion_tokens_details).and_then(|(_, reasoning)| reasoning);
        let seconds = |s: Option<f64>| s.and_then(|s| Duration::try_from_secs_f64(s).ok());
        Self {
            prompt_tokens: usage.prompt_tokens.and_then(count),
            cached_tokens: cached.and_then(count),
            completion_tokens: usage.completion_tokens.and_then(count),
            reasoning_tokens: reasoning.and_then(count),
            server: ServerFigures {
                ttft: seconds(usage.time_to_first_token),
                latency: seconds(usage.total_latency),
                after_first_per_sec: usage.completion_tokens_after_first_per_sec,
                per_sec: usage.completion_tokens_per_sec,
                acceptance_rate: usage.acceptance_rate,
            },
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
    tool_calls: Option<Value>,
    function_call: Option<Value>,
}

/// The server's word for why the model stopped.
pub fn finish_reason(text: &str) -> FinishReason {
    match text {
        "stop" | "eos" | "end_turn" => FinishReason::Stop,
        "length" | "max_tokens" => FinishReason::Length,
        "content_filter" => FinishReason::ContentFilter,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        other => FinishReason::Other(Some(other.to_owned())),
    }
}

/// Reads `usage`; `None` when it is null or no object.
fn read_usage(value: &Value) -> Option<Usage> {
    let usage = value.as_object()?;
    let number = |name: &str| usage.get(name).and_then(read_number);
    let seconds = |name: &str| number(name).and_then(|s| Duration::try_from_secs_f64(s).ok());
    let detail = |of: &str, name: &str| {
        usage.get(of).and_then(|details| details.get(name)).and_then(read_number).and_then(count)
    };
    Some(Usage {
        prompt_tokens: number("prompt_tokens").and_then(count),
        cached_tokens: detail("prompt_tokens_details", "cached_tokens"),
        completion_tokens: number("completion_tokens").and_then(count),
        reasoning_tokens: detail("completion_tokens_details", "reasoning_tokens"),
        server: ServerFigures {
            ttft: seconds("time_to_first_token"),
            latency: seconds("total_latency"),
            after_first_per_sec: number("completion_tokens_after_first_per_sec"),
            per_sec: number("completion_tokens_per_sec"),
            acceptance_rate: number("acceptance_rate"),
        },
    })
}

fn count(value: f64) -> Option<u64> {
    (value >= 0.0).then_some(value as u64)
}

/// A finite number, also when it was sent as a string.
fn read_number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|n| n.is_finite())
}

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Tells inline `<think>…</think>` from the answer, while the text arrives in pieces.
///
/// Only a tag that opens the text counts: an answer may speak of the tag.
#[derive(Debug, Default)]
pub struct ThinkSplitter {
    place: Place,
    /// Text that may be the beginning of a tag.
    held: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    Thinking,
    /// Behind the closing tag, where white space is dropped.
    Between,
    Answering,
}

impl ThinkSplitter {
    /// Takes more text and tells what is certain of it.
    pub fn push(&mut self, text: &str, mut tell: impl FnMut(TextKind, &str)) {
        if self.place == Place::Answering {
            return tell(TextKind::Answer, text);
        }
        let start = text.trim_start();
        if self.place == Place::Start
            && self.held.is_empty()
            && !OPEN.starts_with(start)
            && !start.starts_with(OPEN)
        {
            self.place = Place::Answering;
            return tell(TextKind::Answer, text);
        }
        self.held.push_str(text);
        loop {
            match self.place {
                Place::Start => {
                    let start = self.held.trim_start();
                    if let Some(rest) = start.strip_prefix(OPEN) {
                        self.held = rest.to_owned();
                        self.place = Place::Thinking;
                    } else if OPEN.starts_with(start) {
                        return;
                    } else {
                        self.place = Place::Answering;
                    }
                }
                Place::Thinking => {
                    if let Some(at) = self.held.find(CLOSE) {
                        if at > 0 {
                            tell(TextKind::Reasoning, &self.held[..at]);
                        }
                        self.held.drain(..at + CLOSE.len());
                        self.place = Place::Between;
                        continue;
                    }
                    let keep =
                        (1..CLOSE.len()).rev().find(|n| self.held.ends_with(&CLOSE[..*n])).unwrap_or(0);
                    let sure = self.held.len() - keep;
                    if sure > 0 {
                        tell(TextKind::Reasoning, &self.held[..sure]);
                        self.held.drain(..sure);
                    }
                    return;
                }
                Place::Between => {
                    let spaces = self.held.len() - self.held.trim_start().len();
                    self.held.drain(..spaces);
                    if self.held.is_empty() {
                        return;
                    }
                    self.place = Place::Answering;
                }
                Place::Answering => {
                    let held = std::mem::take(&mut self.held);
                    if !held.is_empty() {
                        tell(TextKind::Answer, &held);
                    }
                    return;
                }
            }
        }
    }

    /// Whether all that is still to come is the answer.
    pub fn is_answering(&self) -> bool {
        self.place == Place::Answering
    }

    /// Whether what is held back, if anything, is thinking.
    pub fn is_thinking(&self) -> bool {
        self.place == Place::Thinking
    }

    /// The text ended: tells what was held back.
    pub fn finish(&mut self, mut tell: impl FnMut(TextKind, &str)) {
        let held = std::mem::take(&mut self.held);
        let kind = if self.place == Place::Thinking { TextKind::Reasoning } else { TextKind::Answer };
        if !held.is_empty() {
            tell(kind, &held);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::conversation::{Message, Role};

    fn request(params: Params) -> ChatRequest {
        ChatRequest { model: "m".to_owned(), messages: vec![Message::new(Role::User, "Hi")], params }
    }

    #[test]
    fn a_body_around_a_text_is_the_body_with_that_text() {
        let messages = vec![Message::new(Role::User, "")];
        let params =
            Params { max_tokens: Some(7), stop: vec![r#""content":"""#.to_owned()], ..Params::default() };
        let mut request = ChatRequest { model: r#"a "content":"" b"#.to_owned(), messages, params };
        let (before, after) = stream_body_around(&request, true).expect("it has a message");
        request.messages[0].content = "some words".to_owned();
        let mut whole = Vec::new();
        write_stream_body(&request, true, &mut whole);
        assert_eq!([&before, b"some words".as_slice(), &after].concat(), whole);
        request.messages.clear();
        assert_eq!(stream_body_around(&request, true), None);
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        assert_eq!(
            chat_body(&request(Params::default()), false).to_string(),
            r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#
        );
        let odd = Params { temperature: Some(f64::NAN), top_p: Some(f64::INFINITY), ..Params::default() };
        assert_eq!(chat_body(&request(odd), false), chat_body(&request(Params::default()), false));
    }

    #[test]
    fn everything_that_is_set_is_sent() {
        let params = Params {
            max_tokens: Some(100),
            temperature: Some(0.7),
            top_p: Some(1.0),
            top_k: Some(5),
            stop: vec!["END".to_owned()],
            seed: Some(-1),
            reasoning_effort: Some(Effort::High),
            thinking: Some(false),
            ..Params::default()
        };
        assert_eq!(
            chat_body(&request(params), true).to_string(),
            concat!(
                r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true,"#,
                r#""stream_options":{"include_usage":true},"max_tokens":100,"temperature":0.7,"#,
                r#""top_p":1.0,"top_k":5,"stop":["END"],"seed":-1,"reasoning_effort":"high","#,
                r#""chat_template_kwargs":{"enable_thinking":false}}"#
            )
        );
    }

    #[test]
    fn sambastacks_own_chunks_are_read() {
        let role = r#"{"choices":[{"delta":{"role":"assistant","content":""},"index":0,"finish_reason":null,"logprobs":null}],"created":1737642515.6076705,"id":"15fc"}"#;
        assert_eq!(Chunk::parse(role).expect("reads"), Chunk::default(), "the role is no token");
        let text = r#"{"choices":[{"delta":{"content":"a\nb"},"index":0,"finish_reason":null}]}"#;
        assert_eq!(Chunk::parse(text).expect("reads").content.as_deref(), Some("a\nb"));
        let last = r#"{"choices":[],"usage":{"acceptance_rate":3,"completion_tokens":100,"completion_tokens_after_first_per_sec":262.277,"completion_tokens_per_sec":217.87,"prompt_tokens":43,"prompt_tokens_details":{"cached_tokens":0},"time_to_first_token":0.0844266414642334,"total_latency":0.4589838186899821}}"#;
        let usage = Chunk::parse(last).expect("reads").usage.expect("has usage");
        assert_eq!(
            (usage.completion_tokens, usage.prompt_tokens, usage.cached_tokens),
            (Some(100), Some(43), Some(0))
        );
        assert_eq!(usage.server.ttft.map(|d| d.as_micros()), Some(84_426));
        assert_eq!(usage.server.acceptance_rate, Some(3.0));
    }

    #[test]
    fn both_names_of_reasoning_are_read() {
        for name in ["reasoning", "reasoning_content"] {
            let json = format!(r#"{{"choices":[{{"delta":{{"{name}":"hm","content":null}}}}]}}"#);
            let chunk = Chunk::parse(&json).expect("reads");
            assert_eq!((chunk.reasoning.as_deref(), chunk.content), (Some("hm"), None));
        }
    }

    #[test]
    fn odd_shapes_are_read_as_far_as_they_make_sense() {
        let odd = r#"{"choices":[{"delta":{"content":"x","role":7},"index":"0","finish_reason":5}],"usage":{"completion_tokens":"12","prompt_tokens":-1}}"#;
        let chunk = Chunk::parse(odd).expect("reads");
        assert_eq!(chunk.content.as_deref(), Some("x"));
        assert_eq!(chunk.usage.and_then(|u| u.completion_tokens), Some(12));
        assert_eq!(chunk.usage.and_then(|u| u.prompt_tokens), None);
        let whole =
            r#"{"choices":[{"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;
        assert_eq!(Chunk::parse(whole).expect("reads").content.as_deref(), Some("hello"));
        assert!(Chunk::parse("[1]").is_err());
        assert!(Chunk::parse("<html>").is_err());
        for error in [r#"{"error":{"message":"boom"}}"#, r#"{"object":"error","message":"boom","code":500}"#]
        {
            assert!(Chunk::parse(error).expect("reads").error.is_some(), "{error}");
        }
        let both = r#"{"choices":[{"delta":{"reasoning":"","reasoning_content":"hm"}}]}"#;
        assert_eq!(Chunk::parse(both).expect("reads").reasoning.as_deref(), Some("hm"));
    }

    fn split(pieces: &[&str]) -> (String, String) {
        let (mut reasoning, mut answer) = (String::new(), String::new());
        let mut splitter = ThinkSplitter::default();
        let mut tell = |kind, text: &str| match kind {
            TextKind::Reasoning => reasoning.push_str(text),
            TextKind::Answer | TextKind::Markup => answer.push_str(text),
        };
        for piece in pieces {
            splitter.push(piece, &mut tell);
        }
        splitter.finish(&mut tell);
        (reasoning, answer)
    }

    #[test]
    fn thinking_is_told_from_the_answer() {
        for (text, reasoning, answer) in [
            ("<think>hm</think>\n\nyes", "hm", "yes"),
            ("\n<think>\nhm", "\nhm", ""),
            ("<think></think>yes", "", "yes"),
            ("the tag <think> opens", "", "the tag <think> opens"),
            ("<thin", "", "<thin"),
            ("<think>a</thin", "a</thin", ""),
            ("", "", ""),
        ] {
            assert_eq!(split(&[text]), (reasoning.to_owned(), answer.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_changes_nothing(
            text in r"\s?(<think>)?[a-z<>/é ]{0,12}(</think>)?\s?[a-z<]{0,8}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).filter(|at| text.is_char_boundary(*at)).collect();
            at.extend([0, text.len()]);
            at.sort_unstable();
            let pieces: Vec<&str> = at.windows(2).map(|w| &text[w[0]..w[1]]).collect();
            prop_assert_eq!(split(&pieces), split(&[&text]));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
            let _ = Chunk::parse(&text);
            let _ = read_models(&text);
        }
    }
}
