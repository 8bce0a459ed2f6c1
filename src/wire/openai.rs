//! The chat completions protocol: bodies out, chunks and usage in. Bodies for the older completions and for embeddings
//! differ in where the text stands and in what goes with it.
//!
//! After SambaStack's OpenAPI document 1.2.0 and what OpenAI-compatible servers really send: any field may be
//! missing, null or of another type.

mod calls;
mod chunk;
mod message;
mod models;
mod think;
mod usage;

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

pub use self::calls::{CallPiece, Calls};
pub use self::chunk::{Chunk, finish_reason, is_failure, names_failure, names_status};
use self::message::Messages;
pub use self::message::sent_tools;
pub use self::models::read_models;
pub use self::think::{Split, ThinkSplitter};
use crate::domain::conversation::{ChatRequest, Params};
use crate::domain::dialect::Dialect;
use crate::domain::extra_body;
use crate::domain::params::{PARAMETERS, ParamValue, Parameter, TEMPLATE_OPTIONS};
use crate::domain::plan::PlanEndpoint;

/// What ends a stream that went well.
pub const DONE: &str = "[DONE]";

/// The body of a chat request: only the parameters that are set, and `stream` only when streaming.
pub fn chat_body(request: &ChatRequest, stream: bool) -> Value {
    chat_body_in(request, stream, Dialect::default())
}

/// [`chat_body`] for a server that does not take all of it.
pub fn chat_body_in(request: &ChatRequest, stream: bool, dialect: Dialect) -> Value {
    // cannot fail: names are texts, and what is no finite number is left out
    let form = BodyForm {
        dialect,
        ..BodyForm::default()
    };
    serde_json::to_value(Body::of(request, stream, form)).unwrap_or_default()
}

/// The parameters that are set, by their names in the body. An option of the template has two: its own, and that of the
/// field in which it stands.
pub fn set_names(params: &Params, ignore_eos: bool) -> Vec<&'static str> {
    let mut names = Vec::new();
    for parameter in PARAMETERS
        .iter()
        .filter(|parameter| parameter.value(params).is_some())
    {
        names.extend(parameter.template_option);
        names.push(parameter.body_key());
    }
    names.extend(params.format.is_some().then_some("response_format"));
    names.extend(params.tools.iter().any(|tool| !tool.off).then_some("tools"));
    names.extend(ignore_eos.then_some("ignore_eos"));
    names
}

/// What the body of a request depends on beside what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BodyForm {
    /// What it is sent to. Of several messages all but chat take the texts, one below the other.
    pub endpoint: PlanEndpoint,
    /// Asks the server to go on to `max_tokens`.
    pub ignore_eos: bool,
    /// What the server does not take.
    pub dialect: Dialect,
}

/// Writes a body behind `out` as it is sent, streaming where the endpoint does.
pub fn write_stream_body(request: &ChatRequest, form: BodyForm, out: &mut Vec<u8>) {
    // as above, and memory takes all that is written
    let _ = serde_json::to_writer(out, &Body::of(request, form.endpoint.streams(), form));
}

/// [`write_stream_body`] in two parts around the content of the first message, which is empty: between them goes any
/// text that JSON writes as it is. `None` without a message.
pub fn stream_body_around(request: &ChatRequest, form: BodyForm) -> Option<(Vec<u8>, Vec<u8>)> {
    let empty: &[u8] = match form.endpoint {
        PlanEndpoint::Chat => br#""content":"""#,
        PlanEndpoint::Completions => br#""prompt":"""#,
        PlanEndpoint::Embeddings => br#""input":"""#,
    };
    request.messages.first()?;
    let mut before = Vec::new();
    write_stream_body(request, form, &mut before);
    // The model's name stands before it, in which quotes are escaped.
    let after = before.split_off(memchr::memmem::find(&before, empty)? + empty.len() - 1);
    Some((before, after))
}

struct Body<'a> {
    request: &'a ChatRequest,
    stream: bool,
    form: BodyForm,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl<'a> Body<'a> {
    fn of(request: &'a ChatRequest, stream: bool, form: BodyForm) -> Self {
        Self {
            request,
            stream,
            form,
        }
    }

    /// The texts of all messages, for an endpoint that knows no messages.
    fn text(&self) -> Cow<'a, str> {
        match self.request.messages.as_slice() {
            [one] => Cow::Borrowed(&one.content),
            several => {
                let texts: Vec<&str> = several.iter().map(|it| &*it.content).collect();
                Cow::Owned(texts.join("\n\n"))
            }
        }
    }

    /// The parameters that are set, by their rows.
    fn params(&self) -> impl Iterator<Item = (&'static Parameter, ParamValue)> {
        let set = |parameter: &'static Parameter| {
            let value = parameter.value(&self.request.params)?;
            value.can_be_sent().then_some((parameter, value))
        };
        // An embedding is not generated.
        let all = if self.form.endpoint == PlanEndpoint::Embeddings {
            &[]
        } else {
            PARAMETERS
        };
        all.iter().filter_map(set)
    }
}

/// The fields of a body, without those that the user's own take the place of.
struct Fields<M> {
    map: M,
    replaced: Vec<String>,
}

impl<M: SerializeMap> Fields<M> {
    fn put(
        &mut self,
        name: &'static str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), M::Error> {
        if self.replaced.iter().any(|own| own == name) {
            return Ok(());
        }
        self.map.serialize_entry(name, value)
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ChatRequest {
            model,
            messages,
            params,
        } = self.request;
        let BodyForm {
            endpoint,
            ignore_eos,
            dialect,
        } = self.form;
        let mut extra = extra_body::read(&params.extra_body).unwrap_or_default();
        let mut body = Fields {
            map: serializer.serialize_map(None)?,
            replaced: extra.keys().cloned().collect(),
        };
        body.put("model", model)?;
        match endpoint {
            PlanEndpoint::Chat => body.put("messages", &Messages(messages))?,
            PlanEndpoint::Completions => body.put("prompt", &self.text())?,
            PlanEndpoint::Embeddings => {
                body.put("input", &self.text())?;
                // Some servers send base64 unless they are told.
                body.put("encoding_format", "float")?;
            }
        }
        if self.stream {
            body.put("stream", &true)?;
            if !dialect.no_stream_options {
                let include_usage = true;
                body.put("stream_options", &StreamOptions { include_usage })?;
            }
        }
        let mut options = serde_json::Map::new();
        for (parameter, value) in self.params() {
            match parameter.template_option {
                Some(name) => {
                    options.insert(
                        name.to_owned(),
                        serde_json::to_value(value).unwrap_or_default(),
                    );
                }
                None if parameter.key == "max_tokens" && dialect.max_completion_tokens => {
                    body.put("max_completion_tokens", &value)?;
                }
                None => body.put(parameter.key, &value)?,
            }
        }
        if let Some(Value::Object(own)) = extra.get_mut(TEMPLATE_OPTIONS) {
            // Options that are set besides stay.
            options.retain(|name, _| !own.contains_key(name));
            own.extend(std::mem::take(&mut options));
        }
        if !options.is_empty() {
            body.put(TEMPLATE_OPTIONS, &options)?;
        }
        if let Some(format) = params.format.as_ref().and_then(message::format) {
            body.put("response_format", &format)?;
        }
        let tools: Vec<Value> = sent_tools(&params.tools)
            .filter_map(message::tool)
            .collect();
        if !tools.is_empty() {
            body.put("tools", &tools)?;
        }
        if ignore_eos && !dialect.no_ignore_eos {
            body.put("ignore_eos", &true)?;
        }
        let mut body = body.map;
        for (name, value) in &extra {
            body.serialize_entry(name, value)?;
        }
        body.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::conversation::{Effort, Message, Role};

    fn request(params: Params) -> ChatRequest {
        ChatRequest {
            model: "m".to_owned(),
            messages: vec![Message::new(Role::User, "Hi")],
            params,
        }
    }

    #[test]
    fn a_body_around_a_text_is_the_body_with_that_text() {
        let messages = vec![Message::new(Role::User, "")];
        let params = Params {
            max_tokens: Some(7),
            stop: vec![r#""content":"""#.to_owned()],
            ..Params::default()
        };
        let mut request = ChatRequest {
            model: r#"a "content":"" b"#.to_owned(),
            messages,
            params,
        };
        for endpoint in PlanEndpoint::ALL {
            let form = BodyForm {
                endpoint,
                ignore_eos: true,
                ..BodyForm::default()
            };
            request.messages = vec![Message::new(Role::User, "")];
            let (before, after) = stream_body_around(&request, form).expect("it has a message");
            request.messages[0].content = "some words".to_owned();
            let mut whole = Vec::new();
            write_stream_body(&request, form, &mut whole);
            assert_eq!([&before, b"some words".as_slice(), &after].concat(), whole);
            request.messages.clear();
            assert_eq!(stream_body_around(&request, form), None);
        }
    }

    #[test]
    fn each_endpoint_has_its_own_body() {
        let params = Params {
            max_tokens: Some(7),
            temperature: Some(0.5),
            extra_body: r#"{"dimensions":8}"#.to_owned(),
            ..Params::default()
        };
        let said = |endpoint| {
            let form = BodyForm {
                endpoint,
                ..BodyForm::default()
            };
            let mut body = Vec::new();
            write_stream_body(&request(params.clone()), form, &mut body);
            String::from_utf8(body).expect("text")
        };
        assert_eq!(
            said(PlanEndpoint::Completions),
            concat!(
                r#"{"model":"m","prompt":"Hi","stream":true,"stream_options":{"include_usage":true},"#,
                r#""max_tokens":7,"temperature":0.5,"dimensions":8}"#
            )
        );
        assert_eq!(
            said(PlanEndpoint::Embeddings),
            r#"{"model":"m","input":"Hi","encoding_format":"float","dimensions":8}"#
        );
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        assert_eq!(
            chat_body(&request(Params::default()), false).to_string(),
            r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#
        );
        let odd = Params {
            temperature: Some(f64::NAN),
            top_p: Some(f64::INFINITY),
            ..Params::default()
        };
        assert_eq!(
            chat_body(&request(odd), false),
            chat_body(&request(Params::default()), false)
        );
    }

    #[test]
    fn the_users_own_fields_stand_last_and_in_place_of_ours() {
        let params = Params {
            temperature: Some(0.7),
            thinking: Some(false),
            extra_body: r#"{"min_p":0.1,"temperature":1,"chat_template_kwargs":{"a":1}}"#
                .to_owned(),
            ..Params::default()
        };
        assert_eq!(
            chat_body(&request(params), false).to_string(),
            concat!(
                r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"#,
                r#""min_p":0.1,"temperature":1,"chat_template_kwargs":{"a":1,"enable_thinking":false}}"#
            )
        );
        let broken = Params {
            extra_body: "{".to_owned(),
            ..Params::default()
        };
        assert_eq!(
            chat_body(&request(broken), false),
            chat_body(&request(Params::default()), false)
        );
    }

    #[test]
    fn every_parameter_is_sent_and_named() {
        let params = crate::domain::params::tests::all_set();
        let body = chat_body(&request(params.clone()), false);
        let names = set_names(&params, false);
        for parameter in PARAMETERS {
            let sent = body.get(parameter.body_key()).expect(parameter.key);
            assert!(names.contains(&parameter.body_key()), "{}", parameter.key);
            let Some(option) = parameter.template_option else {
                continue;
            };
            assert!(
                sent.get(option).is_some() && names.contains(&option),
                "{option}"
            );
        }
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
        let nothing = Chunk {
            answers: true,
            ..Chunk::default()
        };
        assert_eq!(
            Chunk::parse(role).expect("reads"),
            nothing,
            "the role is no token"
        );
        let text = r#"{"choices":[{"delta":{"content":"a\nb"},"index":0,"finish_reason":null}]}"#;
        assert_eq!(
            Chunk::parse(text).expect("reads").content.as_deref(),
            Some("a\nb")
        );
        let last = r#"{"choices":[],"usage":{"acceptance_rate":3,"completion_tokens":100,"completion_tokens_after_first_per_sec":262.277,"completion_tokens_per_sec":217.87,"prompt_tokens":43,"prompt_tokens_details":{"cached_tokens":0},"time_to_first_token":0.0844266414642334,"total_latency":0.4589838186899821}}"#;
        let usage = Chunk::parse(last).expect("reads").usage.expect("has usage");
        assert_eq!(
            (
                usage.completion_tokens,
                usage.prompt_tokens,
                usage.cached_tokens
            ),
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
            assert_eq!(
                (chunk.reasoning.as_deref(), chunk.content),
                (Some("hm"), None)
            );
        }
    }

    #[test]
    fn odd_shapes_are_read_as_far_as_they_make_sense() {
        let odd = r#"{"choices":[{"delta":{"content":"x","role":7},"index":"0","finish_reason":5}],"usage":{"completion_tokens":"12","prompt_tokens":-1}}"#;
        let chunk = Chunk::parse(odd).expect("reads");
        assert_eq!(chunk.content.as_deref(), Some("x"));
        assert_eq!(chunk.usage.and_then(|u| u.completion_tokens), Some(12));
        assert_eq!(chunk.usage.and_then(|u| u.prompt_tokens), None);
        let whole = r#"{"choices":[{"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;
        assert_eq!(
            Chunk::parse(whole).expect("reads").content.as_deref(),
            Some("hello")
        );
        assert!(Chunk::parse("[1]").is_err());
        assert!(Chunk::parse("<html>").is_err());
        for error in [
            r#"{"error":{"message":"boom"}}"#,
            r#"{"object":"error","message":"boom","code":500}"#,
        ] {
            assert!(
                Chunk::parse(error).expect("reads").error.is_some(),
                "{error}"
            );
        }
        let both = r#"{"choices":[{"delta":{"reasoning":"","reasoning_content":"hm"}}]}"#;
        assert_eq!(
            Chunk::parse(both).expect("reads").reasoning.as_deref(),
            Some("hm")
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
            let _ = Chunk::parse(&text);
            let _ = read_models(&text);
        }
    }
}
