//! Chunks in the shapes that servers send.

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
        ("1", Some("a")),
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
