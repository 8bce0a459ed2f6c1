//! Server-sent events: bytes in, events out.
//!
//! After the WHATWG HTML standard, section 9.2.6, with leniencies for what servers really send:
//!
//! - An event that the connection's end cut before its blank line is still told.
//! - A JSON object and `[DONE]` end their event, so that events parted by one line feed are told apart.
//! - A line of JSON or HTML without `data:` is an event of its own: a gateway's error amid a stream. So is a line of
//!   words (`Internal Server Error`).
//! - An event named `error` is told although it has no data.
//! - Bytes that are no UTF-8 are replaced, and the event says so.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// More than any honest event: SambaStack's ingress refuses bodies over 25 MB.
const MOST: usize = 32 << 20;

/// One event. Comments are not told, nor are events without data unless they are named `error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The `event:` field; empty when there was none.
    pub name: Cow<'a, str>,
    /// The `data:` lines, joined by newlines.
    pub data: Cow<'a, str>,
    /// Bytes of the data were no UTF-8 and have been replaced.
    pub damaged: bool,
    /// Its lines have no `data:`: they are what something else wrote into the stream.
    pub bare: bool,
}

impl<'a> SseEvent<'a> {
    #[inline]
    fn new(name: Cow<'a, str>, data: &'a [u8]) -> Self {
        // The lossy reading is slower where nothing is lost.
        match str::from_utf8(data) {
            Ok(data) => Self {
                name,
                data: Cow::Borrowed(data),
                damaged: false,
                bare: false,
            },
            Err(_) => Self {
                name,
                data: String::from_utf8_lossy(data),
                damaged: true,
                bare: false,
            },
        }
    }
}

/// An event or a line is larger than 32 MiB: this is no event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than 32 MiB")]
pub struct TooLong;

/// Decodes a stream that arrives in pieces, cut anywhere.
#[derive(Debug, Default)]
pub struct SseDecoder {
    /// A line whose end has not come yet.
    line: Vec<u8>,
    data: Vec<u8>,
    /// So many lines of data have come.
    lines: usize,
    /// The data is of lines without a field's name.
    bare: bool,
    name: Vec<u8>,
    /// The last piece ended in CR: a LF that follows belongs to it.
    after_cr: bool,
    /// The first line was seen, so that a byte order mark can no longer come.
    started: bool,
}

impl SseDecoder {
    /// Ready for another stream.
    pub fn renew(&mut self) {
        let Self {
            line,
            data,
            lines,
            bare,
            name,
            after_cr,
            started,
        } = self;
        [line, data, name].into_iter().for_each(Vec::clear);
        (*lines, *bare, *after_cr, *started) = (0, false, false, false);
    }

    /// Takes the next bytes and tells each event they complete.
    ///
    /// # Errors
    /// [`TooLong`]; the stream cannot be read on.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        mut tell: impl FnMut(SseEvent<'_>),
    ) -> Result<(), TooLong> {
        while !bytes.is_empty() {
            bytes = self.push_some(bytes, &mut tell)?;
        }
        Ok(())
    }

    /// [`Self::push`] up to the first line that completes an event, or two; gives what is behind it.
    ///
    /// # Errors
    /// The same.
    pub(super) fn push_some<'b>(
        &mut self,
        mut bytes: &'b [u8],
        mut tell: impl FnMut(SseEvent<'_>),
    ) -> Result<&'b [u8], TooLong> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        if self.is_between_events()
            && let Some(rest) = self.take_usual(bytes, &mut tell)
        {
            return Ok(rest);
        }
        while let Some(end) = memchr2(b'\n', b'\r', bytes) {
            let (line, rest) = bytes.split_at(end);
            let mut told = if self.line.is_empty() {
                self.take_line(line, &mut tell)
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                let told = self.take_line(&whole, &mut tell);
                whole.clear();
                self.line = whole;
                told
            };
            bytes = match rest {
                [b'\r', b'\n', rest @ ..] => rest,
                [b'\r'] => {
                    self.after_cr = true;
                    &[]
                }
                rest => &rest[1..],
            };
            // More of the stream would tell whether a blank line follows; nobody knows when it comes.
            if bytes.is_empty() {
                told |= self.dispatch_whole(&mut tell);
            }
            if told {
                return Ok(bytes);
            }
        }
        self.line.extend_from_slice(bytes);
        if self.line.len() > MOST || self.data.len() > MOST {
            Err(TooLong)
        } else {
            Ok(&[])
        }
    }

    /// Whether the next byte begins an event.
    #[inline]
    fn is_between_events(&self) -> bool {
        self.line.is_empty() && self.lines == 0 && self.name.is_empty() && !self.after_cr
    }

    /// Tells an event that lies whole in the bytes and consists of one `data` line, without copying it; gives
    /// what is behind it.
    fn take_usual<'b>(
        &mut self,
        bytes: &'b [u8],
        tell: &mut impl FnMut(SseEvent<'_>),
    ) -> Option<&'b [u8]> {
        let value = bytes.strip_prefix(b"data:")?;
        let end = memchr2(b'\n', b'\r', value)?;
        let rest = value[end..].strip_prefix(b"\n\n")?;
        let value = &value[..end];
        let value = value.strip_prefix(b" ").unwrap_or(value);
        tell(SseEvent::new(Cow::Borrowed(""), value));
        self.started = true;
        Some(rest)
    }

    /// The connection ended: tells the event that was under way.
    pub fn finish(&mut self, mut tell: impl FnMut(SseEvent<'_>)) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line, &mut tell);
        }
        self.dispatch(&mut tell);
    }

    /// Whether it completed an event that was told.
    fn take_line(&mut self, mut line: &[u8], tell: &mut impl FnMut(SseEvent<'_>)) -> bool {
        if !self.started {
            self.started = true;
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(tell);
        }
        let (field, value) = match memchr(b':', line) {
            Some(at) => (
                &line[..at],
                line[at + 1..].strip_prefix(b" ").unwrap_or(&line[at + 1..]),
            ),
            None => (line, &b""[..]),
        };
        let mut told = false;
        match field {
            b"data" => {
                told = if self.bare {
                    self.dispatch(tell)
                } else {
                    self.dispatch_whole(tell)
                };
                self.add(value);
            }
            b"event" => {
                told = if self.bare {
                    self.dispatch(tell)
                } else {
                    self.dispatch_whole(tell)
                };
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            // No field of the standard: some servers send an error so, amid the events.
            b"error" => {
                told = if self.bare {
                    self.dispatch(tell)
                } else {
                    self.dispatch_whole(tell)
                };
                self.name.clear();
                self.name.extend_from_slice(b"error");
                self.add(value);
            }
            // Comments, and what changes nothing here.
            b"" | b"id" | b"retry" => {}
            _ if self.bare
                || matches!(line.trim_ascii_start().first(), Some(b'{' | b'[' | b'<')) =>
            {
                told = !self.bare && self.dispatch_whole(tell);
                self.add(line);
                self.bare = true;
            }
            // No field has a space in its name: these are the words of whatever broke in.
            _ if field.trim_ascii().contains(&b' ') => {
                told = self.dispatch_whole(tell);
                if self.lines == 0 {
                    self.add(line);
                    self.bare = true;
                }
            }
            // Unknown fields are ignored, as the standard says.
            _ => {}
        }
        told
    }

    fn add(&mut self, value: &[u8]) {
        if self.lines > 0 {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        self.lines += 1;
    }

    /// Tells the event under way if its one line can be no part of a longer event: a JSON object, or `[DONE]`.
    fn dispatch_whole(&mut self, tell: &mut impl FnMut(SseEvent<'_>)) -> bool {
        let data = self.data.trim_ascii();
        let object = || {
            let braced = data.starts_with(b"{") && data.ends_with(b"}");
            braced && serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok()
        };
        let whole = self.lines == 1 && (data == b"[DONE]" || object());
        whole && self.dispatch(tell)
    }

    fn dispatch(&mut self, tell: &mut impl FnMut(SseEvent<'_>)) -> bool {
        let told = self.lines > 0 || self.name == b"error";
        if told {
            let event = SseEvent::new(String::from_utf8_lossy(&self.name), &self.data);
            tell(SseEvent {
                bare: self.bare,
                ..event
            });
        }
        self.data.clear();
        self.name.clear();
        (self.lines, self.bare) = (0, false);
        told
    }
}

#[cfg(test)]
mod tests {
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

    /// The standard's words, for a stream that is there as a whole.
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
}
