//! Event streams, cut anywhere, read as the standard says.

use proptest::prelude::*;

use super::*;

fn decode(pieces: &[&[u8]]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut decoder = SseDecoder::default();
    let mut tell =
        |event: SseEvent<'_>| out.push((event.name.into_owned(), event.data.into_owned()));
    for piece in pieces {
        decoder.push(piece, &mut tell).expect("short");
    }
    decoder.finish(&mut tell);
    out
}

/// The standard's algorithm, for a stream that is complete.
fn reference(bytes: &[u8]) -> Vec<(String, String)> {
    let mut rest = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut out = Vec::new();
    let (mut name, mut data) = (Vec::new(), Vec::<&[u8]>::new());
    loop {
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
            .unwrap_or(rest.len());
        let (line, behind) = rest.split_at(end);
        let is_last = behind.is_empty();
        rest = behind
            .strip_prefix(b"\r\n")
            .or_else(|| behind.get(1..))
            .unwrap_or_default();
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let field = parts.next().unwrap_or_default();
        let value = parts.next().unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => data.push(value),
            b"event" => name = value.to_vec(),
            _ => {}
        }
        if line.is_empty() || is_last {
            let name = std::mem::take(&mut name);
            if !data.is_empty() {
                let data = std::mem::take(&mut data).join(&b'\n');
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                out.push((text(&name), text(&data)));
            }
        }
        if is_last {
            return out;
        }
    }
}

fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect()
}

#[track_caller]
fn check_sse(text: &str, data: &[&str]) {
    let events = decode(&[text.as_bytes()]);
    let got: Vec<&str> = events.iter().map(|(_, data)| data.as_str()).collect();
    assert_eq!(got, data, "{text:?}");
}

#[test]
fn events_are_read_as_the_standard_says() {
    check_sse("data: a\n\n", &["a"]);
    check_sse("data: a\ndata: b\n\n", &["a\nb"]);
    check_sse("data:a\r\n\r\ndata:  b\r\n\r\n", &["a", " b"]);
    check_sse("data: a\r\rdata: b\r\r", &["a", "b"]);
    check_sse(": keep-alive\n\ndata: a\n\n: again\n\n", &["a"]);
    check_sse("id: 1\nretry: 5\nfoo: bar\n\n", &[]);
    check_sse("data\n\n", &[""]);
    check_sse("data: a\n\n\n\ndata: b\n\n", &["a", "b"]);
    check_sse("\u{feff}data: a\n\n", &["a"]);
    check_sse("data: {\"x\":\"a:b\"}\n\n", &["{\"x\":\"a:b\"}"]);
}

#[test]
fn the_last_event_needs_no_blank_line() {
    check_sse("data: a\n\ndata: [DONE]", &["a", "[DONE]"]);
    check_sse("data: [DONE]\r", &["[DONE]"]);
}

#[test]
fn the_events_name_is_told() {
    assert_eq!(
        decode(&[b"event: error\ndata: x\n\ndata: y\n\n"]),
        [
            ("error".to_owned(), "x".to_owned()),
            (String::new(), "y".to_owned())
        ]
    );
}

#[test]
fn events_parted_by_one_line_feed_are_told_apart_as_they_come() {
    check_sse(
        "data: {\"a\":1}\ndata: {\"b\":2}\ndata: [DONE]\n\n",
        &["{\"a\":1}", "{\"b\":2}", "[DONE]"],
    );
    check_sse("event: e\ndata: {}\nevent: e\ndata: {}\n", &["{}", "{}"]);
    check_sse("data: {\ndata: \"a\":1\ndata: }\n\n", &["{\n\"a\":1\n}"]);
    let mut decoder = SseDecoder::default();
    let mut told = Vec::new();
    for line in [
        "data: {\"a\":1}\n",
        "data: {\"b\":2}\r\n",
        "\r\n",
        ": ping\n",
        "data: [DONE]\n",
    ] {
        decoder
            .push(line.as_bytes(), |event| told.push(event.data.into_owned()))
            .expect("short");
        assert!(!told.is_empty(), "it is told before the next line comes");
    }
    assert_eq!(told, ["{\"a\":1}", "{\"b\":2}", "[DONE]"]);
}

#[test]
fn json_and_html_without_a_fields_name_are_events() {
    check_sse(
        "data: a\n\n{\"error\": \"x\"}\n",
        &["a", "{\"error\": \"x\"}"],
    );
    check_sse(
        "data: a\n\n{\n  \"error\": 1\n}\n\ndata: b",
        &["a", "{\n  \"error\": 1\n}", "b"],
    );
    check_sse(
        "data: a\n\n<html>\n<p>502</p>\n",
        &["a", "<html>\n<p>502</p>"],
    );
    check_sse("upstream: gone\ndata: a\n\n", &["a"]);
}

#[test]
fn a_chunk_in_a_damaged_or_foreign_field_is_an_event() {
    let chunk = r#"{"choices":[{"delta":{"content":"b"}}]}"#;
    for name in [
        "DATA:",
        " data:",
        "\tdata:",
        "\0data:",
        "\u{feff}data:",
        "data :",
        "\u{a0}Data:",
    ] {
        check_sse(&format!("data: a\n\n{name} {chunk}\n\n"), &["a", chunk]);
        check_sse(&format!("data: {{}}\n{name} {chunk}\n"), &["{}", chunk]);
    }
    for name in [
        "1f4data:",
        "content:",
        "\"data:",
        "b'data:",
        "id: 7 data:",
        "event: xdata:",
        "retry:",
        "data=",
    ] {
        let line = format!("{name} {chunk}");
        check_sse(&format!("data: a\n\n{line}\n\n"), &["a", &line]);
        check_sse(&format!("data: {{}}\n{line}\n"), &["{}", &line]);
    }
    // A comment is one, whatever it holds, and so is a field without a chunk.
    check_sse(
        &format!(": data: {chunk}\n\ncontent: {{}}\n\ndata: a\n\n"),
        &["a"],
    );
}

#[test]
fn bytes_that_are_no_text_are_said() {
    let mut decoder = SseDecoder::default();
    let mut damaged = Vec::new();
    decoder
        .push(b"data: \xff\n\ndata: a\n\nid:1\ndata: \xc3\n\n", |event| {
            damaged.push(event.damaged)
        })
        .expect("short");
    assert_eq!(damaged, [true, false, true]);
}

#[test]
fn a_line_without_end_is_refused_in_time() {
    let mut decoder = SseDecoder::default();
    let piece = vec![b'x'; 1 << 20];
    let refused = (0..40).any(|_| decoder.push(&piece, |_| {}).is_err());
    assert!(refused);
}

/// Any byte but those with which a line is taken for JSON, HTML or words, where Batida reads more than the standard.
fn no_opening() -> impl Strategy<Value = u8> {
    any::<u8>().prop_map(|byte| {
        if matches!(byte, b'{' | b'[' | b'<' | b' ') {
            b'x'
        } else {
            byte
        }
    })
}

proptest! {
    #[test]
    fn every_stream_is_read_as_the_standard_says_wherever_the_network_cuts(
        bom in prop::option::weighted(0.2, Just("\u{feff}")),
        parts in prop::collection::vec("((data|event|id)?: ?|data|event|id)?[a-zé\u{1F600}:]{0,6}(\r\n|\n|\r)", 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let text = bom.into_iter().map(str::to_owned).chain(parts).collect::<String>();
        let bytes = text.as_bytes();
        prop_assert_eq!(decode(&cut(bytes, &cuts)), reference(bytes));
    }

    /// Mostly of the form that is read without copying, between others.
    #[test]
    fn so_is_every_stream_of_a_usual_form(
        events in prop::collection::vec(
            "(data: ?\\{\"[a-zé漢:]{0,9}\"\\}(\n\n|\n\n|\n\n|\r\n\r\n|\n)|: ping\n\n?|event: e\n|\n|data: a\r|id:1\n)", 0..12),
        last in "(data: \\[DONE\\]\n?)?",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let text = events.concat() + &last;
        let bytes = text.as_bytes();
        prop_assert_eq!(decode(&cut(bytes, &cuts)), reference(bytes));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_wherever_the_network_cuts(
        parts in prop::collection::vec((Just(b"data: ".to_vec()), prop::collection::vec(no_opening(), 0..9), Just(b"\n\n".to_vec())), 0..5),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let bytes: Vec<u8> = parts.into_iter().flat_map(|(a, b, c)| [a, b, c].concat()).collect();
        prop_assert_eq!(decode(&cut(&bytes, &cuts)), reference(&bytes));
    }

    #[test]
    fn no_bytes_make_it_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..10)) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        decode(&pieces);
    }
}
