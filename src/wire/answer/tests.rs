//! Streams, and what must come out of them.
use proptest::prelude::*;

use super::progress::micros;
use super::*;

/// Text, gaps, figures and ending of a stream of which each piece came a millisecond after the other.
fn read(pieces: &[&[u8]], keep_text: bool) -> (News, Vec<u32>, Figures, Step) {
    let mut reader = AnswerReader::new(keep_text);
    reader.collect_gaps(Vec::new());
    let mut step = Step::More;
    for (at, piece) in pieces.iter().enumerate() {
        // In single bytes no event is ever seen whole, so each goes the long way.
        let parts: Vec<&[u8]> = if keep_text {
            vec![piece]
        } else {
            piece.chunks(1).collect()
        };
        for part in parts {
            if step == Step::More {
                step = reader.take(Duration::from_millis(at as u64 + 1), part);
            }
        }
    }
    let mut text = AnswerReader::new(true);
    for piece in pieces {
        if text.take(Duration::ZERO, piece) != Step::More {
            break;
        }
    }
    text.finish_text();
    (text.take_news(), reader.take_gaps(), reader.figures(), step)
}

proptest! {
    #[test]
    fn events_that_are_counted_together_give_what_each_alone_gives(
        events in prop::collection::vec(
            (
                prop_oneof![
                    8 => "[a-zé漢 ]{0,9}", 1 => Just("<think>".to_owned()),
                    1 => Just("</think>".to_owned()), 1 => r#"\\["n]"#
                ],
                prop_oneof![6 => Just("content"), 2 => Just("reasoning"), 1 => Just("other")],
                prop_oneof![6 => Just("data: "), 1 => Just("data:"), 1 => Just(": hm\ndata: ")],
                prop_oneof![8 => Just("\n\n"), 1 => Just("\r\n\r\n"), 1 => Just("\n\nevent: x\n\n")],
                0..3_u8,
            ),
            1..24,
        ),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        done in any::<bool>(),
    ) {
        let mut stream: String = events
            .iter()
            .map(|(text, name, data, end, number)| {
                format!(r#"{data}{{"created":{number},"choices":[{{"delta":{{"{name}":"{text}"}},"index":0}}]}}{end}"#)
            })
            .collect();
        if done {
            stream.push_str("data: [DONE]\n\n");
        }
        let bytes = stream.as_bytes();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
        prop_assert_eq!(read(&pieces, true), read(&pieces, false));
    }
}

/// An event with this delta and finish reason, both as JSON.
fn event(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn word(text: &str, finish: &str) -> String {
    event(&format!("{{\"content\":\"{text}\"}}"), finish)
}

const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// What came of a stream of which each piece arrived 10 ms after the other, and how its body's end was judged, in
/// good order or not.
struct Heard {
    reader: AnswerReader,
    news: News,
    step: Step,
    clean: Result<FinishReason, Broken>,
    broken: Option<FinishReason>,
}

fn hear(pieces: &[String]) -> Heard {
    let reader = |clean: bool| {
        let mut reader = AnswerReader::new(true);
        let mut step = Step::More;
        for (n, piece) in pieces.iter().enumerate() {
            if step == Step::More {
                step = reader.take(Duration::from_millis(10 * (n as u64 + 1)), piece.as_bytes());
            }
        }
        let end = match (&step, clean) {
            (Step::Done(reason), _) => Ok(reason.clone()),
            (Step::Failed(why), _) => Err(why.clone()),
            (Step::More, true) => reader.at_the_end(Duration::from_secs(1)),
            (Step::More, false) => reader.complete().ok_or(Broken::Cut("broken".to_owned())),
        };
        reader.finish_text();
        (reader, step, end)
    };
    let (_, _, broken) = reader(false);
    let (mut reader, step, clean) = reader(true);
    let news = reader.take_news();
    Heard {
        reader,
        news,
        step,
        clean,
        broken: broken.ok(),
    }
}

#[track_caller]
fn check_ends(
    pieces: &[String],
    answer: &str,
    clean: Option<FinishReason>,
    broken: Option<FinishReason>,
) {
    let heard = hear(pieces);
    assert_eq!(heard.news.answer, answer, "{pieces:?}");
    assert_eq!(
        (heard.clean.ok(), heard.broken),
        (clean, broken),
        "{pieces:?}"
    );
}

const STOP: Option<FinishReason> = Some(FinishReason::Stop);

#[test]
fn a_reason_that_is_none_or_unknown_ends_nothing() {
    for finish in ["\"\"", "null", "5", "true", "[]", "\"null\"", "\"running\""] {
        let words = [word("a", finish), word("b", finish)];
        check_ends(&words, "ab", None, None);
        let done = [&words[..], &[DONE.to_owned()]].concat();
        let reason = (finish == "\"running\"").then(|| "running".to_owned());
        let reason = Some(FinishReason::Other(reason));
        check_ends(&done, "ab", reason.clone(), reason);
        let well = [&words[..], &[event("{}", "\"stop\"")]].concat();
        check_ends(&well, "ab", STOP, STOP);
    }
}

#[test]
fn a_reason_with_every_chunk_ends_nothing() {
    let words = [
        word("a", "\"stop\""),
        word("b", "\"stop\""),
        word("c", "\"stop\""),
    ];
    check_ends(&words, "abc", None, None);
    assert_eq!(hear(&words).reader.over_at(), None);
    let thought = event("{\"reasoning_content\":\"hm\"}", "\"stop\"");
    let heard = hear(&[thought, event("{}", "\"stop\"")]);
    assert_eq!(heard.reader.over_at(), None, "nothing to be read has come");
    let counted = [&words[..], &[USAGE.to_owned()]].concat();
    check_ends(&counted, "abc", STOP, STOP);
    assert_eq!(
        hear(&counted).reader.over_at(),
        Some(Duration::from_millis(1_040))
    );
    let done = [&words[..], &[DONE.to_owned()]].concat();
    check_ends(&done, "abc", STOP, STOP);
}

#[test]
fn a_reason_that_stands_apart_ends_the_answer() {
    let words = [word("a", "null"), word("b", "null")];
    let apart = [&words[..], &[event("{}", "\"stop\"")]].concat();
    check_ends(&apart, "ab", STOP, STOP);
    assert_eq!(
        hear(&apart).reader.over_at(),
        Some(Duration::from_millis(10_030))
    );
    // With the last text, and with it alone.
    let last = [&words[..], &[word("c", "\"length\"")]].concat();
    check_ends(
        &last,
        "abc",
        Some(FinishReason::Length),
        Some(FinishReason::Length),
    );
    // With the only text: a body that breaks behind it may have lost the rest.
    check_ends(&[word("a", "\"stop\"")], "a", STOP, None);
    check_ends(&words, "ab", None, None);
}

#[test]
fn nothing_behind_the_end_is_text_however_the_network_cuts() {
    let stream = [
        word("a", "null"),
        word("b", "null"),
        event("{}", "\"stop\""),
        DONE.to_owned(),
        word("c", "null"),
        word("d", "null"),
    ];
    let whole = stream.concat();
    for cut in 0..=whole.len() {
        let (one, two) = whole.split_at(cut);
        let heard = hear(&[one.to_owned(), two.to_owned()]);
        assert_eq!(
            (heard.news.answer.as_str(), heard.step),
            ("ab", Step::Done(FinishReason::Stop)),
            "cut at {cut}"
        );
        assert_eq!(heard.reader.chunks(), 2);
    }
}

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
        let Err(Broken::Sent(sent)) = heard.clean else {
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
        Err(Broken::Sent(Value::Null)),
        "an error event without data"
    );
    for word_of_failure in ["error", "abort", "ERROR"] {
        let heard = hear(&[
            word("a", "null"),
            event("{}", &format!("\"{word_of_failure}\"")),
            DONE.to_owned(),
        ]);
        assert_eq!(heard.clean, Err(Broken::GaveUp(word_of_failure.to_owned())));
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
            matches!(heard.clean, Err(Broken::Unreadable(_))),
            "{odd}: {:?}",
            heard.clean
        );
        assert_eq!(heard.news.answer, "a");
        let first = hear(&[format!("{odd}\n\n"), word("b", "null"), DONE.to_owned()]);
        assert!(
            matches!(first.clean, Err(Broken::Unreadable(_))),
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
        Step::Failed(Broken::Unreadable(_))
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
    // What the end of the body cuts was cut, and not written wrong.
    let cut = hear(&[word("a", "null"), "data: {\"choices\":[".to_owned()]);
    assert!(matches!(cut.clean, Err(Broken::Cut(_))), "{:?}", cut.clean);
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
            matches!(heard.clean, Err(Broken::Cut(_))),
            "{first}: {:?}",
            heard.clean
        );
    }
    for other in ["{\"id\": oops", "hello world", "It works!\n\n", "<html>"] {
        assert_eq!(
            hear(&[other.to_owned()]).clean,
            Err(Broken::NotAnAnswer),
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
        matches!(&step, Step::Failed(Broken::Unreadable(why)) if why.contains("32 MiB")),
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
    assert!(!says(&[DONE.to_owned()]));
    let mut reader = AnswerReader::new(false);
    let whole =
        br#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}],"usage":{"completion_tokens":0}}"#;
    assert_eq!(reader.take(Duration::ZERO, whole), Step::More);
    assert_eq!(reader.at_the_end(Duration::ZERO), Ok(FinishReason::Stop));
    assert!(reader.said_nothing());
}

#[test]
fn the_model_that_answers_is_known_of_each_answer() {
    let stream = |model: &str| {
        let event = |delta: &str| {
            format!(
                "data: {{\"model\":\"{model}\",\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n"
            )
        };
        let text = event("{\"reasoning\":\"a\"}");
        [
            event("{\"role\":\"assistant\",\"content\":\"\"}"),
            text.clone(),
            text.clone(),
            text,
            DONE.to_owned(),
        ]
        .concat()
    };
    let mut reader = AnswerReader::new(false);
    for model in ["one", "one", "", "two", "unknown"] {
        reader.renew(false);
        assert!(matches!(
            reader.take(Duration::ZERO, stream(model).as_bytes()),
            Step::Done(_)
        ));
        let known = (!matches!(model, "" | "unknown")).then_some(model);
        assert_eq!((reader.model(), reader.chunks()), (known, 3));
    }
}

#[test]
fn reasoning_that_only_closes_is_reasoning_and_has_its_figures() {
    let pieces: Vec<String> = ["Okay, ", "it fits.\\n", "</think>", "\\n\\n", "Por", "to."]
        .iter()
        .map(|text| word(text, "null"))
        .collect();
    let heard = hear(&[&pieces[..], &[event("{}", "\"stop\""), DONE.to_owned()]].concat());
    assert_eq!(
        (heard.news.reasoning.as_str(), heard.news.answer.as_str()),
        ("Okay, it fits.\n", "Porto.")
    );
    assert!(heard.news.turned);
    let figures = heard.reader.figures();
    assert_eq!(
        (figures.ttft, figures.first_answer),
        (
            Some(Duration::from_millis(10)),
            Some(Duration::from_millis(50))
        )
    );
    let reasoning = figures.reasoning.expect("it reasoned");
    assert_eq!(
        (reasoning.tokens.n, reasoning.time),
        (3, Duration::from_millis(40))
    );
}

#[test]
fn pieces_of_calls_are_tokens_and_what_was_called_is_told() {
    let mut reader = AnswerReader::new(true);
    reader.collect_gaps(Vec::new());
    let event = |function: &str| {
        let call = format!(r#"{{"index":0,"id":"c1","function":{function}}}"#);
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{call}]}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let role = "data: {\"choices\":[{\"delta\":{\"content\":\"\",\"tool_calls\":[]}}]}\n\n";
    assert_eq!(
        reader.take(Duration::from_millis(5), role.as_bytes()),
        Step::More
    );
    assert!(!reader.has_news());
    for (at, function) in [
        (10, r#"{"name":"now","arguments":""}"#),
        (14, r#"{"arguments":"{}"}"#),
    ] {
        assert_eq!(
            reader.take(Duration::from_millis(at), event(function).as_bytes()),
            Step::More
        );
    }
    assert!(reader.has_news());
    let call = ToolCall {
        id: "c1".to_owned(),
        name: "now".to_owned(),
        arguments: "{}".to_owned(),
    };
    assert_eq!(reader.take_news().calls, [call]);
    assert!(!reader.has_news());
    assert_eq!((reader.chunks(), reader.gaps_us()), (2, &[4_000][..]));
    assert_eq!(reader.figures().ttft, Some(Duration::from_millis(10)));
    let end = b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
    assert_eq!(
        reader.take(Duration::from_millis(20), end),
        Step::Done(FinishReason::ToolCalls)
    );
}

#[test]
fn a_whole_answer_may_be_nothing_but_calls() {
    let mut reader = AnswerReader::new(true);
    let body = br#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}}]}"#;
    assert_eq!(reader.take(Duration::ZERO, body), Step::More);
    assert_eq!(
        reader.at_the_end(Duration::ZERO),
        Ok(FinishReason::Other(None))
    );
    assert_eq!(reader.take_news().calls.len(), 1);
}

#[test]
fn gaps_are_rounded_and_never_overflow() {
    for (gap, us) in [
        (Duration::ZERO, 0),
        (Duration::from_nanos(1_499), 1),
        (Duration::from_nanos(1_500), 2),
        (Duration::from_nanos(2_999_999_999), 3_000_000),
        (Duration::MAX, u32::MAX),
    ] {
        assert_eq!(micros(gap), us, "{gap:?}");
    }
}

#[test]
fn a_used_buffer_for_gaps_is_emptied() {
    let mut reader = AnswerReader::new(false);
    reader.collect_gaps(vec![7; 3]);
    let event = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    for at in [5, 7, 10] {
        assert_eq!(reader.take(Duration::from_millis(at), event), Step::More);
    }
    assert_eq!(reader.gaps_us(), [2_000, 3_000]);
    assert_eq!((reader.take_gaps().len(), reader.gaps_us()), (2, &[][..]));
}

#[test]
fn what_is_no_answer_can_be_looked_at() {
    let mut reader = AnswerReader::new(true);
    assert_eq!(reader.take(Duration::ZERO, b"<!doctype html>"), Step::More);
    assert_eq!(reader.at_the_end(Duration::ZERO), Err(Broken::NotAnAnswer));
    assert_eq!(
        (reader.raw(), reader.is_answer()),
        (&b"<!doctype html>"[..], false)
    );
    let mut reader = AnswerReader::new(true);
    let refusal = br#"{"error":{"message":"no"}}"#;
    assert_eq!(reader.take(Duration::ZERO, refusal), Step::More);
    assert_eq!(reader.at_the_end(Duration::ZERO), Err(Broken::Refused));
    assert_eq!(reader.raw(), refusal);
}
