//! The usual shape of a chunk, which serde reads without copying its texts.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::error::names_failure;
use super::{Chunk, finish_reason, is_model_name};
use crate::metrics::timeline::Usage;
use crate::wire::openai::calls;
use crate::wire::openai::usage::StrictUsage;

/// Made once: making a searcher costs as much as a search in a chunk of one token.
static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));

#[derive(Deserialize)]
pub(super) struct Strict<'a> {
    #[serde(borrow, default)]
    object: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    /// In few chunks, and large: the others are moved without it.
    usage: Option<Box<StrictUsage>>,
    error: Option<IgnoredAny>,
    errors: Option<IgnoredAny>,
    timings: Option<IgnoredAny>,
    time_info: Option<IgnoredAny>,
    base_resp: Option<IgnoredAny>,
}

impl Strict<'_> {
    /// Whether these fields hold everything that Batida reads of the chunk.
    pub(super) fn is_all(&self, json: &str) -> bool {
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
        // A chunk without text is rare, and may hold an error or text in another place. A second choice was not
        // requested.
        let Some([choice]) = choices.as_deref() else {
            return false;
        };
        let odd = [error, errors, timings, time_info, base_resp]
            .iter()
            .any(|field| field.is_some());
        let known = choice.index.unwrap_or(0) == 0
            && match (&choice.delta, &choice.text) {
                (Some(delta), None) => delta.is_all(),
                // The older completions.
                (None, Some(text)) => !text.is_empty(),
                _ => false,
            };
        // The usage may be elsewhere, e.g. in `x_groq`.
        let elsewhere = usage.is_none() && USAGE.find(json.as_bytes()).is_some();
        !odd && known
            && !elsewhere
            && !object
                .as_deref()
                .is_some_and(|object| object != "chat.completion.chunk" && names_failure(object))
            && !names_error(json)
    }
}

/// Whether some name or string is exactly `error`, so that the lenient reader has to look for an error.
fn names_error(json: &str) -> bool {
    ERROR.find(json.as_bytes()).is_some()
}

impl<'a> From<Strict<'a>> for Chunk<'a> {
    fn from(strict: Strict<'a>) -> Self {
        let choice = strict.choices.into_iter().flatten().next();
        let (delta, text, finish) =
            choice.map_or((None, None, None), |c| (c.delta, c.text, c.finish_reason));
        let delta = delta.unwrap_or_default();
        let some = |text: Option<Cow<'a, str>>| text.filter(|text| !text.is_empty());
        Self {
            reasoning: some(delta.reasoning).or_else(|| some(delta.reasoning_content)),
            content: some(delta.content).or_else(|| some(text)),
            calls: calls::read(delta.tool_calls.as_ref(), delta.function_call.as_ref()),
            finish: finish.and_then(|reason| finish_reason(&reason)),
            usage: strict.usage.map(|usage| Usage::from(*usage)),
            error: None,
            model: strict.model.filter(|model| is_model_name(model)),
            answers: true,
            choice: 0,
            elsewhere: None,
        }
    }
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<u64>,
    #[serde(borrow, alias = "message")]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
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
    /// Whether it has text, and the usual fields hold all of it.
    fn is_all(&self) -> bool {
        let Self {
            content,
            reasoning,
            reasoning_content,
            tool_calls,
            refusal,
            thinking,
            reasoning_text,
            reasoning_details,
            ..
        } = self;
        let odd = [thinking, reasoning_text, reasoning_details]
            .iter()
            .any(|field| field.is_some());
        let has_text = [content, reasoning, reasoning_content]
            .iter()
            .any(|text| text.as_ref().is_some_and(|text| !text.is_empty()));
        (has_text || tool_calls.is_some())
            && !odd
            && refusal.as_ref().is_none_or(|refusal| refusal.is_empty())
    }
}
