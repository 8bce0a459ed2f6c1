//! What gateways and servers of other APIs put into a stream: text elsewhere, errors, estimates, other models, and ends
//! that are none.

use super::*;

/// A stream with this event amid its text, and a good end.
fn amid(odd: &str) -> Heard {
    amid_after("a", odd)
}

fn amid_after(first: &str, odd: &str) -> Heard {
    hear(&[
        word(first, "null"),
        format!("{odd}\n\n"),
        word("b", "null"),
        event("{}", "\"stop\""),
        DONE.to_owned(),
    ])
}

#[test]
fn text_in_another_place_fails_the_answer() {
    for odd in [
        r#"{"token":{"id":4,"text":"LOST "}}"#,
        r#"{"generated_text":"LOST "}"#,
        r#"{"data":{"choices":[{"index":0,"delta":{"content":"LOST "}}]}}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"LOST "}]}}]}"#,
        r#"{"outputs":[{"text":"LOST "}]}"#,
        r#"{"output":{"text":"LOST "}}"#,
        r#"{"result":"LOST "}"#,
        r#"{"completion":"LOST "}"#,
        r#"{"choices":{"0":{"delta":{"content":"LOST "}}}}"#,
        r#"{"choices":[{"index":0,"delta":{},"message":{"content":"LOST "}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"role":"assistant"},"text":"LOST "}]}"#,
        r#"{"choices":[{"index":0,"delta":{"text":"LOST "}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":{"foo":"LOST "}}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"refusal":{"reason":"LOST"}}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"x "}},{"index":0,"delta":{"content":"LOST "}}]}"#,
        r#"{"choices":[{"index":"1","delta":{"content":"LOST "}}]}"#,
        r#"{"choices":[{"index":9007199254740993,"delta":{"content":"LOST "}}]}"#,
        r#""{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"LOST \"}}]}""#,
    ] {
        let heard = amid(&format!("data: {odd}"));
        assert!(
            matches!(heard.clean, Err(AnswerError::Unreadable(_))),
            "{odd}: {:?}",
            heard.clean
        );
        assert_eq!(heard.news.answer, "a", "{odd}");
    }
    let as_long = r#"data: {"token":{"text":"LOST"}}"#;
    assert!(amid_after("once", as_long).clean.is_err());
    let longer = r#"data: {"choices":[{"delta":{"content":""},"message":{"content":"it is so"}}]}"#;
    assert_eq!(
        amid_after(" it is so", longer).clean.ok(),
        STOP,
        "white space is none"
    );
    let part = r#"data: {"choices":[{"index":0,"delta":{"content":[{"type":"output_text","output_text":"x"}]}}]}"#;
    assert_eq!(amid(part).news.answer, "axb");
    // What is no text of the answer, and the whole answer once more.
    for good in [
        r#"{"choices":[{"index":0,"delta":{},"logprobs":{"content":[{"token":"x"}]}}]}"#,
        r#"{"choices":[],"citations":[{"title":"t","text":"c"}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":""},"message":{"role":"assistant","content":"a"}}]}"#,
        r#"{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}"#,
    ] {
        let heard = amid(&format!("data: {good}"));
        assert_eq!(
            (heard.news.answer.as_str(), heard.clean.ok()),
            ("ab", STOP),
            "{good}"
        );
    }
}

#[test]
fn a_server_may_number_its_only_choice_as_it_likes() {
    let chunk =
        |delta: &str, finish: &str| event(delta, finish).replace("\"index\":0", "\"index\":1");
    let heard = hear(&[
        event("{\"role\":\"assistant\",\"content\":\"\"}", "null"),
        chunk("{\"content\":\"a\"}", "null"),
        chunk("{\"content\":\"b\"}", "null"),
        chunk("{}", "\"stop\""),
        DONE.to_owned(),
    ]);
    assert_eq!((heard.news.answer.as_str(), heard.clean.ok()), ("ab", STOP));
}

#[test]
fn every_way_to_say_an_error_is_a_failure() {
    for odd in [
        r#"data: {"exception":"boom"}"#,
        r#"data: {"Error":"boom"}"#,
        r#"data: {"err":"boom"}"#,
        r#"data: {"ok":false,"description":"boom"}"#,
        r#"data: {"success":false,"message":"boom"}"#,
        r#"data: {"errmsg":"boom","errcode":7}"#,
        r#"data: {"ret_code":-1,"ret_msg":"boom"}"#,
        r#"data: {"header":{"code":10013,"message":"boom"}}"#,
        r#"data: {"Response":{"Error":{"Code":"X","Message":"boom"}}}"#,
        r#"data: {"choices":[],"metadata":{"error":"boom"}}"#,
        r#"data: {"type":"response.failed","response":{"status":"boom"}}"#,
        "event: exception\ndata: {\"text\":\"boom\"}",
        "event: abort\ndata: {\"why\":\"boom\"}",
        "event: response.failed\ndata: {\"response\":{\"status\":\"boom\"}}",
        "event: response.incomplete\ndata: {\"response\":{\"status\":\"boom\"}}",
    ] {
        let behind = hear(&[
            word("a", "null"),
            event("{}", "\"stop\""),
            format!("{odd}\n\n"),
            DONE.to_owned(),
        ]);
        for heard in [amid(odd), behind] {
            let Err(AnswerError::Sent(sent)) = heard.clean else {
                panic!("{odd}: {:?}", heard.clean)
            };
            assert!(sent.to_string().contains("boom"), "{odd}: {sent}");
        }
    }
    for reason in [
        "engine_error",
        "gpu_out_of_memory",
        "killed",
        "interrupted",
        "model_error",
        "overloaded",
        "request-cancelled",
    ] {
        let heard = hear(&[
            word("a", "null"),
            event("{}", &format!("\"{reason}\"")),
            DONE.to_owned(),
        ]);
        assert_eq!(heard.clean, Err(AnswerError::GaveUp(reason.to_owned())));
    }
    let native = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":null,"native_finish_reason":"error"}]}"#;
    assert_eq!(
        amid(native).clean,
        Err(AnswerError::GaveUp("error".to_owned()))
    );
    let google = hear(&[
        word("a", "null"),
        event("{}", "\"FINISH_REASON_STOP\""),
        DONE.to_owned(),
    ]);
    assert_eq!(google.clean.ok(), STOP);
}

#[test]
fn what_is_no_error_fails_nothing() {
    for good in [
        r#"data: {"code":200,"msg":"OK","data":null}"#,
        r#"data: {"code":0,"message":"success"}"#,
        r#"data: {"status":"completed","message":"done"}"#,
        r#"data: {"message":"Thinking...","type":"progress"}"#,
        r#"data: {"type":"status","message":"Searching the web","choices":[]}"#,
        "event: status\ndata: {\"message\":\"Searching the web\",\"text\":\"x\"}",
        "event: warning\ndata: {\"level\":\"warning\",\"message\":\"slow\",\"code\":\"slow_model\"}",
        r#"data: {"choices":[{"index":0,"delta":{}}],"error":{"code":0,"message":""}}"#,
        r#"data: {"choices":[{"index":0,"delta":{}}],"error":"none","errors":{}}"#,
        r#"data: {"detail":{"tokens":3}}"#,
        r#"data: {"choices":[],"warning":"slow"}"#,
        "event: tool_error\ndata: {\"tool\":\"web\"}",
        "event: error\ndata:",
    ] {
        let heard = amid(good);
        assert_eq!(
            (heard.news.answer.as_str(), heard.clean.ok()),
            ("ab", STOP),
            "{good}"
        );
    }
    let reason = event("{}", "\"stop\"");
    let alarm = "event: error\n\n".to_owned();
    let heard = hear(&[word("a", "null"), word("b", "null"), reason, alarm]);
    assert_eq!(heard.clean, Err(AnswerError::Sent(Value::Null)));
    assert_eq!(heard.broken, None);
}

#[test]
fn the_last_usage_counts_unless_it_cannot_be() {
    let count = |counts: &[u64]| {
        let usage = |count: &u64| USAGE.replace(":3", &format!(":{count}"));
        let (first, later) = counts.split_first().expect("one");
        let words = (0..20).map(|_| word("w", "null"));
        let stream: Vec<String> = std::iter::once(usage(first))
            .chain(words)
            .chain(later.iter().map(usage))
            .chain([event("{}", "\"stop\""), DONE.to_owned()])
            .collect();
        hear(&stream)
            .reader
            .usage()
            .and_then(|usage| usage.completion_tokens)
    };
    assert_eq!(count(&[128, 40]), Some(40), "an estimate comes first");
    assert_eq!(count(&[1, 10, 20]), Some(20), "counts grow");
    assert_eq!(count(&[0, 40, 0]), Some(40), "a zero is none");
    assert_eq!(
        count(&[0, 40, 1]),
        Some(40),
        "nor is one token for twenty chunks"
    );
    assert_eq!(
        count(&[0, 5, 8]),
        Some(8),
        "chunks may be smaller than tokens"
    );
}

#[test]
fn the_model_is_the_one_named_beside_text() {
    let stream = |models: &[(&str, &str)]| {
        let event = |(model, delta): &(&str, &str)| {
            format!(
                "data: {{\"model\":{model},\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n"
            )
        };
        let pieces: Vec<String> = models.iter().map(event).chain([DONE.to_owned()]).collect();
        hear(&pieces).reader.model().map(str::to_owned)
    };
    let text = r#"{"content":"a"}"#;
    let (m, other) = (("\"m\"", "{}"), ("\"other\"", text));
    assert_eq!(stream(&[other, m]).as_deref(), Some("other"));
    assert_eq!(stream(&[m, other, m]).as_deref(), Some("other"));
    assert_eq!(stream(&[("null", text), m]).as_deref(), Some("m"));
    assert_eq!(
        stream(&[("{\"id\":\"other\"}", text)]).as_deref(),
        Some("other")
    );
    assert_eq!(
        stream(&[("[\"m\",\"other\"]", text)]).as_deref(),
        Some("m, other")
    );
}

#[test]
fn what_only_keeps_a_stream_open_is_not_heard_and_postpones_no_end() {
    let begun = [word("a", "null"), word("b", "null")];
    let heard_at = |more: &str| {
        let stream = [&begun[..], &vec![format!("{more}\n\n"); 5]].concat();
        hear(&stream).reader.heard_at().map(|at| at.as_millis())
    };
    for keeps in [
        ": ping",
        "event: ping\ndata: {\"type\":\"ping\"}",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}}]}",
        "data: {\"choices\":[]}",
    ] {
        assert_eq!(heard_at(keeps), Some(20), "{keeps}");
    }
    assert_eq!(heard_at(USAGE.trim()), Some(30), "a usage is heard once");
    assert_eq!(heard_at(word("c", "null").trim()), Some(70));
    let stop = event("{}", "\"stop\"");
    let ended = [&begun[..], &[stop.clone(), USAGE.to_owned()]].concat();
    let again = [&ended[..], &vec![USAGE.to_owned(); 5], &[stop]].concat();
    assert_eq!(hear(&again).reader.over_at(), hear(&ended).reader.over_at());
}

#[test]
fn a_gateway_that_runs_tools_goes_on_after_them() {
    let round = [
        word("a", "null"),
        event("{}", "\"tool_calls\""),
        USAGE.to_owned(),
    ];
    assert_eq!(
        hear(&round).reader.over_at(),
        Some(Duration::from_millis(30_030))
    );
    let rest = [word("b", "null"), event("{}", "\"stop\""), USAGE.to_owned()];
    let whole = [&round[..], &rest].concat();
    check_ends(&whole, "ab", STOP, STOP);
    assert_eq!(
        hear(&whole).reader.over_at(),
        Some(Duration::from_millis(3_060))
    );
}
