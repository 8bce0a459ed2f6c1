//! Refusals of fields, and the requests that are sent instead.

use serde_json::json;

use super::*;

const STREAM: Dialect = Dialect {
    no_stream_options: true,
    max_completion_tokens: false,
    no_ignore_eos: false,
};
const TOKENS: Dialect = Dialect {
    no_stream_options: false,
    max_completion_tokens: true,
    no_ignore_eos: false,
};
const EOS: Dialect = Dialect {
    no_stream_options: false,
    max_completion_tokens: false,
    no_ignore_eos: true,
};
const NONE: Dialect = Dialect {
    no_stream_options: false,
    max_completion_tokens: false,
    no_ignore_eos: false,
};

/// Error bodies, and the fields that each refuses.
fn refusals() -> Vec<(Value, Dialect)> {
    let forbidden = |name: &[&str]| json!({"type": "extra_forbidden", "loc": name, "msg": "Extra inputs are not permitted", "input": true});
    let stream = forbidden(&["body", "stream_options", "include_usage"]);
    vec![
        (
            json!({"object": "error", "message": {"detail": [stream]}, "param": null}),
            STREAM,
        ),
        (
            json!({"detail": [stream], "message": [stream], "code": 3001}),
            STREAM,
        ),
        (json!({"detail": "stream_options: unknown"}), STREAM),
        (
            json!({"error": "unknown field `stream_options` at line 1"}),
            STREAM,
        ),
        (
            json!([{"error": {"code": 400, "message": "Unknown name \"streamOptions\": Cannot find field."}}]),
            STREAM,
        ),
        (
            json!({"error": {"param": "stream_options", "message": "Bad"}}),
            STREAM,
        ),
        (
            json!({"errors": {"stream_options": ["unknown field"]}}),
            STREAM,
        ),
        (
            json!({"errors": {"max_tokens": {"code": "unknown_parameter"}}}),
            TOKENS,
        ),
        (
            json!({"detail": [forbidden(&["body", "max_tokens"])]}),
            TOKENS,
        ),
        (
            json!({"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. \
            Use 'max_completion_tokens' instead.", "param": "max_tokens", "code": "unsupported_parameter"}}),
            TOKENS,
        ),
        (
            json!({"error": {"param": "max_tokens", "code": "unsupported_parameter", "message": "no"}}),
            TOKENS,
        ),
        (
            json!({"message": "Please use max_completion_tokens, not max_tokens"}),
            TOKENS,
        ),
        (
            json!({"error": {"message": "Unrecognized request argument supplied: ignore_eos"}}),
            EOS,
        ),
        (
            json!({"error": {"message": "property 'ignore_eos' is unsupported"}}),
            EOS,
        ),
        (
            json!({"detail": [forbidden(&["body", "ignore_eos"]), stream]}),
            STREAM.and(EOS),
        ),
        (json!("unexpected keyword argument 'ignore_eos'"), EOS),
    ]
}

#[test]
fn refusals_are_read_in_every_form() {
    for (body, dialect) in refusals() {
        for status in [Some(400), Some(422), Some(404), None] {
            assert_eq!(refused_in(status, &body), dialect, "{body}");
        }
        assert_eq!(refused(Some(400), &body.to_string()), dialect, "{body}");
        assert_eq!(refused(Some(401), &body.to_string()), NONE, "{body}");
    }
    assert_eq!(
        refused(
            Some(422),
            "Failed to deserialize: unknown field `stream_options`"
        ),
        STREAM
    );
    assert_eq!(
        refused(
            Some(500),
            "TypeError: got an unexpected keyword argument 'stream_options'"
        ),
        STREAM
    );
}

#[test]
fn other_errors_are_no_refusals() {
    let echoed = json!({"model": "m", "stream_options": {"include_usage": true}, "max_tokens": 5});
    for body in [
        json!({"error": {"message": "max_tokens is too large: 9. This model supports at most 8", "param": "max_tokens"}}),
        json!({"error": {"message": "'max_tokens' or 'max_completion_tokens' is too large: 200000. This model \
            supports at most 128000 completion tokens"}}),
        json!({"error": {"message": "max_tokens must be at least 1", "param": "max_tokens"}}),
        json!({"error": {"message": "Could not finish the message because max_tokens or model output limit was \
            reached. Please try again with higher max_tokens."}}),
        json!({"detail": [{"type": "missing", "loc": ["body", "messages"], "msg": "Field required", "input": echoed}]}),
        json!({"message": "1 error for Body\nmessages\n Field required [type=missing, input_value={'stream_options': 1}]"}),
        json!({"error": {"message": "max_tokens_to_sample is unknown"}}),
        json!({"error": {"message": "Try later. Request: {\"model\": \"m\", \"messages\": [{\"role\": \"user\"}], \
            \"stream_options\": {\"include_usage\": true}, \"max_tokens\": 5, \"ignore_eos\": true}"}}),
        json!({"detail": "bad gateway {} for {'messages': [], 'stream_options': {'include_usage': True"}),
        json!({"error": {"message": "stream is not supported", "param": "stream"}}),
        json!(null),
    ] {
        assert_eq!(refused_in(Some(400), &body), NONE, "{body}");
    }
    let quoted = r#"overloaded: {"messages": [{"content": "hi"}], "stream_options": {}}"#;
    assert_eq!(refused(Some(400), quoted), NONE);
    assert_eq!(
        refused(Some(400), &format!("{quoted} unknown field ignore_eos")),
        EOS
    );
    for body in ["", "<html>stream_options unknown</html>", "stream_options"] {
        assert_eq!(refused(Some(500), body), NONE, "{body}");
    }
}

#[test]
fn bodies_are_adapted_in_their_order() {
    let body = br#"{"model":"m","messages":[],"stream":true,"stream_options":{},"max_tokens":5,"seed":1,"ignore_eos":true}"#;
    let adapted =
        |dialect| adapted(body, dialect).map(|body| String::from_utf8(body).expect("text"));
    assert_eq!(adapted(NONE), None);
    assert_eq!(
        adapted(STREAM.and(TOKENS).and(EOS)).as_deref(),
        Some(r#"{"model":"m","messages":[],"stream":true,"max_completion_tokens":5,"seed":1}"#)
    );
    assert_eq!(
        super::adapted(br#"{"model":"m"}"#, STREAM.and(TOKENS)),
        None
    );
    assert_eq!(super::adapted(b"[", STREAM), None);
}
