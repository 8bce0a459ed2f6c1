//! The bodies that go to an OpenAI-like API and come back from it. Pure: values in, values out.

use serde_json::{Map, Value, json};

use crate::domain::conversation::ChatRequest;

/// The body of a chat completion: the model, the messages, and of the parameters only those that are set.
pub fn chat_body(request: &ChatRequest, stream: bool) -> Value {
    let ChatRequest { model, messages, params } = request;
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    body.insert("messages".to_owned(), json!(messages));
    if stream {
        body.insert("stream".to_owned(), json!(true));
        body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    }
    // JSON has no word for an infinite number: one that came in by mistake counts as not set.
    let finite = |number: Option<f64>| number.filter(|n| n.is_finite()).map(Value::from);
    let set = [
        ("max_tokens", params.max_tokens.map(Value::from)),
        ("temperature", finite(params.temperature)),
        ("top_p", finite(params.top_p)),
        ("top_k", params.top_k.map(Value::from)),
        ("stop", (!params.stop.is_empty()).then(|| json!(params.stop))),
        ("seed", params.seed.map(Value::from)),
        ("reasoning_effort", params.reasoning_effort.map(|effort| json!(effort))),
        ("chat_template_kwargs", params.thinking.map(|on| json!({ "enable_thinking": on }))),
    ];
    body.extend(set.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::conversation::{Effort, Message, Params, Role};

    fn request(params: Params) -> ChatRequest {
        ChatRequest { model: "m".to_owned(), messages: vec![Message::new(Role::User, "Hi")], params }
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
}
