//! Messages, tools and the answer's form as they are sent.

use std::borrow::Cow;

use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::domain::conversation::{
    AnswerFormat, Attached, Attachment, Image, Message, Role, Tool, ToolCall,
};

/// Messages in the protocol's form.
pub(super) struct Messages<'a>(pub(super) &'a [Message]);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for message in self.0 {
            list.serialize_element(&Sent::of(message))?;
        }
        list.end()
    }
}

#[derive(Serialize)]
struct Sent<'a> {
    role: Role,
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: Url },
}

#[derive(Serialize)]
struct Url {
    url: String,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

impl<'a> Sent<'a> {
    fn of(message: &'a Message) -> Self {
        let Message {
            role,
            content,
            attachments,
            calls,
            call_id,
        } = message;
        let only_calls = content.is_empty() && !calls.is_empty();
        Self {
            role: *role,
            content: (!only_calls).then(|| Content::of(content, attachments)),
            tool_calls: calls.iter().map(Call::of).collect(),
            tool_call_id: call_id.as_deref(),
        }
    }
}

impl<'a> Content<'a> {
    fn of(words: &'a str, attachments: &'a [Attachment]) -> Self {
        let text = with_files(words, attachments);
        let images: Vec<_> = attachments.iter().filter_map(Attachment::image).collect();
        if images.is_empty() {
            return Self::Text(text);
        }
        let said = (!text.is_empty()).then_some(Part::Text { text });
        let shown = images.into_iter().map(|image| Part::ImageUrl {
            image_url: Url {
                url: image.data_url(),
            },
        });
        Self::Parts(said.into_iter().chain(shown).collect())
    }
}

impl Attachment {
    /// The picture, if it is one.
    pub fn image(&self) -> Option<&Image> {
        match &self.content {
            Attached::Image(image) => Some(image),
            Attached::Text(_) => None,
        }
    }
}

impl Image {
    /// The picture as the API wants it (RFC 2397).
    pub fn data_url(&self) -> String {
        format!("data:{};base64,{}", self.media_type, self.base64)
    }
}

/// Attached texts stand before the words, each in a fence that it does not contain.
fn with_files<'a>(words: &'a str, attachments: &[Attachment]) -> Cow<'a, str> {
    let mut out = String::new();
    for attachment in attachments {
        let Attached::Text(text) = &attachment.content else {
            continue;
        };
        let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        let end = if text.ends_with('\n') { "" } else { "\n" };
        out += &format!("{}:\n{fence}\n{text}{end}{fence}\n\n", attachment.name);
    }
    if out.is_empty() {
        return Cow::Borrowed(words);
    }
    out += words;
    Cow::Owned(out)
}

impl<'a> Call<'a> {
    fn of(call: &'a ToolCall) -> Self {
        let ToolCall {
            id,
            name,
            arguments,
        } = call;
        Self {
            id,
            r#type: "function",
            function: Function { name, arguments },
        }
    }
}

/// `response_format`; `None` where the schema is none.
pub(super) fn format(format: &AnswerFormat) -> Option<Value> {
    match format {
        AnswerFormat::JsonObject => Some(json!({"type": "json_object"})),
        AnswerFormat::JsonSchema {
            name,
            schema,
            strict,
        } => {
            let schema = object(schema)?;
            let form = json!({"name": name, "schema": schema, "strict": strict});
            Some(json!({"type": "json_schema", "json_schema": form}))
        }
    }
}

/// The functions that are offered to the model: each is on, has a name of its own, and its schema is a JSON object.
pub fn sent_tools(tools: &[Tool]) -> impl Iterator<Item = &Tool> {
    let first = |at: usize, it: &Tool| {
        let named = |other: &&Tool| other.name.trim() == it.name.trim() && tool(other).is_some();
        !tools[..at].iter().any(|other| named(&other))
    };
    tools
        .iter()
        .enumerate()
        .filter(move |(at, it)| tool(it).is_some() && first(*at, it))
        .map(|(_, it)| it)
}

/// An entry of `tools`; `None` where it is off or its schema is none. An empty one means: no arguments.
pub(super) fn tool(it: &Tool) -> Option<Value> {
    let Tool {
        name,
        description,
        parameters,
        off,
    } = it;
    if *off || it.name_fault().is_some() {
        return None;
    }
    let parameters = match parameters.trim() {
        "" => json!({"type": "object", "properties": {}}),
        text => object(text)?,
    };
    let mut function = json!({"name": name.trim(), "parameters": parameters});
    if !description.trim().is_empty() {
        function["description"] = json!(description.trim());
    }
    Some(json!({"type": "function", "function": function}))
}

fn object(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::conversation::ToolResult;

    fn sent(message: &Message) -> String {
        serde_json::to_string(&Messages(std::slice::from_ref(message))).expect("it is JSON")
    }

    fn text(name: &str, text: &str) -> Attachment {
        Attachment {
            name: name.to_owned(),
            content: Attached::Text(text.into()),
        }
    }

    fn image() -> Attachment {
        let image = Image {
            media_type: "image/png".to_owned(),
            width: 1,
            height: 1,
            base64: "iVBORw0KGgo=".into(),
        };
        Attachment {
            name: "dot.png".to_owned(),
            content: Attached::Image(image),
        }
    }

    #[test]
    fn a_picture_makes_the_content_a_list_of_parts() {
        let mut message = Message::new(Role::User, "What is it?");
        message.attachments.push(image());
        let url =
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}"#;
        assert_eq!(
            sent(&message),
            format!(
                r#"[{{"role":"user","content":[{{"type":"text","text":"What is it?"}},{url}]}}]"#
            )
        );
        message.content.clear();
        assert_eq!(
            sent(&message),
            format!(r#"[{{"role":"user","content":[{url}]}}]"#)
        );
    }

    #[test]
    fn attached_texts_stand_before_the_words_in_a_fence_of_their_own() {
        let mut message = Message::new(Role::User, "Explain");
        message.attachments = vec![text("a.md", "```sh\nls\n```"), text("b", "x\n")];
        let body: Value = serde_json::from_str(&sent(&message)).expect("it is JSON");
        assert_eq!(
            body[0]["content"],
            "a.md:\n````\n```sh\nls\n```\n````\n\nb:\n```\nx\n```\n\nExplain"
        );
    }

    #[test]
    fn calls_and_their_results_are_sent_back() {
        let call = ToolCall {
            id: "c1".to_owned(),
            name: "now".to_owned(),
            arguments: "{}".to_owned(),
        };
        let asked = Message {
            calls: vec![call],
            ..Message::new(Role::Assistant, "")
        };
        assert_eq!(
            sent(&asked),
            r#"[{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"now","arguments":"{}"}}]}]"#
        );
        let result = ToolResult {
            id: "c1".to_owned(),
            name: "now".to_owned(),
            content: "noon".to_owned(),
        };
        assert_eq!(
            sent(&Message::result(&result)),
            r#"[{"role":"tool","content":"noon","tool_call_id":"c1"}]"#
        );
    }

    #[test]
    fn tools_and_forms_are_sent_when_their_schemas_are_sound() {
        let mut it = Tool {
            name: " now ".to_owned(),
            ..Tool::default()
        };
        let parameters = json!({"type": "object", "properties": {}});
        assert_eq!(
            tool(&it),
            Some(
                json!({"type": "function", "function": {"name": "now", "parameters": parameters}})
            )
        );
        it.off = true;
        assert_eq!(tool(&it), None);
        it = Tool {
            name: "f".to_owned(),
            parameters: "[]".to_owned(),
            ..it
        };
        assert_eq!(tool(&Tool { off: false, ..it }), None);
        let named = |name: &str| Tool {
            name: name.to_owned(),
            ..Tool::default()
        };
        let odd = [
            named("a"),
            named("a b"),
            named("a "),
            named(&"x".repeat(65)),
            named("b-2_C"),
        ];
        let sent: Vec<&str> = sent_tools(&odd).map(|it| it.name.as_str()).collect();
        assert_eq!(sent, ["a", "b-2_C"]);
        assert_eq!(
            format(&AnswerFormat::JsonObject),
            Some(json!({"type": "json_object"}))
        );
        let schema = |schema: &str| {
            let schema = schema.to_owned();
            format(&AnswerFormat::JsonSchema {
                name: "s".to_owned(),
                schema,
                strict: true,
            })
        };
        assert_eq!(schema("{"), None);
        let form = json!({"name": "s", "schema": {"type": "object"}, "strict": true});
        assert_eq!(
            schema(r#"{"type": "object"}"#),
            Some(json!({"type": "json_schema", "json_schema": form}))
        );
    }
}
