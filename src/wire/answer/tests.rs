//! Streams and the text, figures and endings that they must give.
mod failures;
mod gateways;

use proptest::prelude::*;

use super::progress::micros;
use super::*;

/// Text, gaps, figures and ending of a stream of which each piece came a millisecond after the other.
fn read(pieces: &[&[u8]], keep_text: bool) -> (NewText, Vec<u32>, Figures, Step) {
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

/// The result of a stream whose pieces arrived 10 ms apart: if the body ended normally (`clean`), and if the
/// connection broke (`broken`).
struct Heard {
    reader: AnswerReader,
    news: NewText,
    step: Step,
    clean: Result<FinishReason, AnswerError>,
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
            (Step::More, false) => reader
                .complete()
                .ok_or(AnswerError::Cut("broken".to_owned())),
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
        Some(Duration::from_millis(3_040))
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
fn what_breaks_into_an_answer_fails_it_in_whatever_shape() {
    for error in [
        "Exception: engine died",
        "RuntimeError: CUDA out of memory",
        r#"data: {"choices":[{"index":0,"delta":{}}],"x_groq":{"error":"over capacity"}}"#,
        r#"data: {"choices":[],"code":"InvalidParameter","message":"boom"}"#,
        r#"data: {"choices":[],"error_msg":"boom"}"#,
        r#"data: {"fault":{"faultstring":"boom"}}"#,
        r#"data: {"choices":[{"index":0,"delta":{},"message":{"error":"boom"}}]}"#,
        "event: error\ndata: ping",
        r#"data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"lost"}}"#,
        r#"data: {"message":{"role":"assistant","content":"lost"},"done":false}"#,
        r#"data: {"content":"lost","stop":false}"#,
    ] {
        let stream = [
            word("a", "null"),
            format!("{error}\n\n"),
            word("b", "\"stop\""),
            DONE.to_owned(),
        ];
        assert!(hear(&stream).clean.is_err(), "{error}");
    }
    // A usage or a filter's verdict without choices is neither.
    for good in [
        USAGE,
        "data: {\"choices\":[],\"prompt_filter_results\":[{\"prompt_index\":0}]}\n\n",
        "data: {\"id\":\"x\",\"choices\":[]}\n\n",
    ] {
        let stream = [
            word("a", "null"),
            good.to_owned(),
            word("b", "\"stop\""),
            DONE.to_owned(),
        ];
        assert_eq!(hear(&stream).clean.ok(), STOP, "{good}");
    }
}

#[test]
fn text_that_is_cut_behind_a_finish_reason_is_missed() {
    let cut = |rest: &str| hear(&[word("a", "null"), word("b", "\"stop\""), rest.to_owned()]).clean;
    assert!(matches!(
        cut("data: {\"choices\":[{\"delta\":{\"content\":\"more t"),
        Err(AnswerError::Cut(_))
    ));
    assert_eq!(cut("data: [DON").ok(), STOP, "only the end itself is cut");
    for first in [
        "data: {\"ch",
        "data: ",
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\ndata: {",
    ] {
        let heard = hear(&[first.to_owned()]);
        assert!(
            matches!(heard.clean, Err(AnswerError::Cut(_))),
            "{first}: {:?}",
            heard.clean
        );
    }
}
