//! Streams that fail, break off or say nothing.

use super::*;

#[test]
fn errors_amid_an_answer_are_failures_wherever_they_stand() {
    for error in [
        r#"data: {"error":"boom"}"#,
        r#"data: {"error":{"message":"boom"}}"#,
        r#"data: {"choices":[],"error":{"message":"boom"}}"#,
        r#"data: {"detail":"boom"}"#,
        r#"data: {"object":"error","message":"boom"}"#,
        r#"data: {"code":500,"message":"boom"}"#,
        r#"data: [{"error":{"message":"boom"}}]"#,
        r#"data: {"choices":[{"index":0,"delta":{},"error":{"message":"boom"}}]}"#,
        "event: error\ndata: boom",
        "event: error\ndata: {\"hint\":\"boom\"}",
        r#"{"error":{"message":"boom"}}"#,
        "{\n  \"error\": \"boom\"\n}",
        r#"[{"error":{"message":"boom"}}]"#,
        "Internal Server Error: boom",
        "upstream went boom",
        r#"data: {"base_resp":{"status_code":1004,"status_msg":"boom"}}"#,
        r#"data: {"status":"error","reason":"boom"}"#,
    ] {
        let heard = hear(&[
            word("a", "null"),
            format!("{error}\n\n"),
            word("b", "null"),
            DONE.to_owned(),
        ]);
        assert_eq!(heard.news.answer, "a", "{error}");
        let Err(AnswerError::Sent(sent)) = heard.clean else {
            panic!("{error}: {:?}", heard.clean)
        };
        assert!(sent.to_string().contains("boom"), "{error}: {sent}");
    }
    let nameless = hear(&[
        word("a", "null"),
        "event: error\n\n".to_owned(),
        DONE.to_owned(),
    ]);
    assert_eq!(
        nameless.clean,
        Err(AnswerError::Sent(Value::Null)),
        "an error event without data"
    );
    for word_of_failure in ["error", "abort", "ERROR"] {
        let heard = hear(&[
            word("a", "null"),
            event("{}", &format!("\"{word_of_failure}\"")),
            DONE.to_owned(),
        ]);
        assert_eq!(
            heard.clean,
            Err(AnswerError::GaveUp(word_of_failure.to_owned()))
        );
    }
}

#[test]
fn an_event_that_cannot_be_read_fails_the_answer() {
    for odd in [
        "data: {\"choices\":[{\"delta\"",
        "data: hello",
        "data: 5",
        "<html>502</html>",
        "data: <b>",
    ] {
        let heard = hear(&[
            word("a", "null"),
            format!("{odd}\n\n"),
            word("b", "\"stop\""),
            DONE.to_owned(),
        ]);
        assert!(
            matches!(heard.clean, Err(AnswerError::Unreadable(_))),
            "{odd}: {:?}",
            heard.clean
        );
        assert_eq!(heard.news.answer, "a");
        let first = hear(&[format!("{odd}\n\n"), word("b", "null"), DONE.to_owned()]);
        assert!(
            matches!(first.clean, Err(AnswerError::Unreadable(_))),
            "{odd} first: {:?}",
            first.clean
        );
    }
    let mut reader = AnswerReader::new(true);
    let text = word("a", "null");
    assert_eq!(reader.take(Duration::ZERO, text.as_bytes()), Step::More);
    assert_eq!(reader.take(Duration::ZERO, text.as_bytes()), Step::More);
    let mut damaged = word("?", "null").into_bytes();
    damaged
        .iter_mut()
        .filter(|byte| **byte == b'?')
        .for_each(|byte| *byte = 0xff);
    assert!(matches!(
        reader.take(Duration::ZERO, &damaged),
        Step::Failed(AnswerError::Unreadable(_))
    ));
    for ping in [
        ": ping",
        "event: ping\ndata: {\"type\":\"ping\"}",
        "event: keepalive\ndata: 17",
        "data:",
        "data: {\"type\":\"ping\"}",
        "data: null",
    ] {
        let heard = hear(&[
            word("a", "null"),
            format!("{ping}\n\n"),
            word("b", "\"stop\""),
            DONE.to_owned(),
        ]);
        assert_eq!(
            (heard.news.answer.as_str(), heard.clean.ok()),
            ("ab", STOP),
            "{ping}"
        );
    }
    // An event at the end of the body was cut off; it is not malformed.
    let cut = hear(&[word("a", "null"), "data: {\"choices\":[".to_owned()]);
    assert!(
        matches!(cut.clean, Err(AnswerError::Cut(_))),
        "{:?}",
        cut.clean
    );
}

#[test]
fn an_answer_that_is_cut_in_its_first_event_was_cut() {
    for first in [
        "data: {\"choices\":[{\"delta\":{\"content\":\"He",
        "{\"id\":\"x\",\"choices\":[{\"message\":",
        "[{\"id\"",
    ] {
        let heard = hear(&[first.to_owned()]);
        assert!(
            matches!(heard.clean, Err(AnswerError::Cut(_))),
            "{first}: {:?}",
            heard.clean
        );
    }
    for other in ["{\"id\": oops", "hello world", "It works!\n\n", "<html>"] {
        assert_eq!(
            hear(&[other.to_owned()]).clean,
            Err(AnswerError::NotAnAnswer),
            "{other}"
        );
    }
}

#[test]
fn an_event_that_is_too_large_is_told_as_such() {
    let mut reader = AnswerReader::new(false);
    let mut step = reader.take(Duration::ZERO, word("a", "null").as_bytes());
    step = if step == Step::More {
        reader.take(Duration::ZERO, b"data: {\"choices\": \"")
    } else {
        step
    };
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..40 {
        step = if step == Step::More {
            reader.take(Duration::ZERO, &piece)
        } else {
            step
        };
    }
    assert!(
        matches!(&step, Step::Failed(AnswerError::Unreadable(why)) if why.contains("32 MiB")),
        "{step:?}"
    );
}

#[test]
fn an_answer_says_whether_it_said_anything() {
    let says = |pieces: &[String]| !hear(pieces).reader.said_nothing();
    let done = |delta: &str| {
        vec![
            event(delta, "null"),
            event("{}", "\"stop\""),
            USAGE.to_owned(),
            DONE.to_owned(),
        ]
    };
    assert!(says(&done("{\"content\":\"a\"}")));
    assert!(
        says(&done("{\"content\":\"<\"}")),
        "although it may be the beginning of a tag"
    );
    assert!(says(&done("{\"refusal\":\"I can't\"}")));
    assert!(says(&done("{\"reasoning\":\"hm\"}")));
    assert!(says(&done(
        "{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\"}}]}"
    )));
    assert!(!says(&done("{\"content\":\"\"}")));
    assert!(!says(&done("{\"content\":\"\\n\"}")), "white space is none");
    assert!(
        !says(&done("{\"content\":\"\u{200b}\"}")),
        "nor is what has no width"
    );
    assert!(!says(&[DONE.to_owned()]));
    let mut reader = AnswerReader::new(false);
    let whole =
        br#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}],"usage":{"completion_tokens":0}}"#;
    assert_eq!(reader.take(Duration::ZERO, whole), Step::More);
    assert_eq!(reader.at_the_end(Duration::ZERO), Ok(FinishReason::Stop));
    assert!(reader.said_nothing());
}

#[test]
fn the_text_of_a_whole_answer_that_failed_is_kept() {
    let mut reader = AnswerReader::new(true);
    let whole = br#"{"choices":[{"message":{"content":"half"},"finish_reason":"error"}]}"#;
    assert_eq!(reader.take(Duration::ZERO, whole), Step::More);
    assert_eq!(
        reader.at_the_end(Duration::ZERO),
        Err(AnswerError::GaveUp("error".to_owned()))
    );
    assert_eq!(reader.take_news().answer, "half");
    assert_eq!(reader.figures().latency, None);
    // Cut within its text, at each place of an escape.
    let whole = r#"{"choices":[{"message":{"content":"say \"é\u00e9\" {now"}}]}"#;
    for (kept, text) in [
        ("say ", "say "),
        (r"say \", "say "),
        (r#"say \""#, "say \""),
        (r#"say \"é\u00"#, "say \"é"),
        (r#"say \"é\u00e9\" {n"#, "say \"éé\" {n"),
    ] {
        let at = whole.find(kept).expect("a part of it") + kept.len();
        let heard = hear(&[whole[..at].to_owned()]);
        assert!(matches!(heard.clean, Err(AnswerError::Cut(_))), "{kept}");
        assert_eq!(heard.news.answer, text, "{kept}");
    }
    let early = hear(&[whole[..30].to_owned()]);
    assert!(matches!(early.clean, Err(AnswerError::Cut(_))));
}

#[test]
fn what_is_no_answer_can_be_looked_at() {
    let mut reader = AnswerReader::new(true);
    assert_eq!(reader.take(Duration::ZERO, b"<!doctype html>"), Step::More);
    assert_eq!(
        reader.at_the_end(Duration::ZERO),
        Err(AnswerError::NotAnAnswer)
    );
    assert_eq!(
        (reader.raw(), reader.is_answer()),
        (&b"<!doctype html>"[..], false)
    );
    let mut reader = AnswerReader::new(true);
    let refusal = br#"{"error":{"message":"no"}}"#;
    assert_eq!(reader.take(Duration::ZERO, refusal), Step::More);
    assert_eq!(reader.at_the_end(Duration::ZERO), Err(AnswerError::Refused));
    assert_eq!(reader.raw(), refusal);
}
