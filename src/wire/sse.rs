//! Server-sent events: bytes in, events out.
//!
//! After the WHATWG HTML standard, section 9.2.6, with two leniencies: an event that the connection's
//! end cut before its blank line is still told, and bytes that are no UTF-8 are replaced.

use std::borrow::Cow;

/// More than any honest event: SambaStack's ingress refuses bodies over 25 MB.
const MOST: usize = 32 << 20;

/// One event. Comments and events without data are not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The `event:` field; empty when there was none.
    pub name: Cow<'a, str>,
    /// The `data:` lines, joined by newlines.
    pub data: Cow<'a, str>,
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
    has_data: bool,
    name: Vec<u8>,
    /// The last piece ended in CR: a LF that follows belongs to it.
    after_cr: bool,
    /// The first line was seen, so that a byte order mark can no longer come.
    started: bool,
}

impl SseDecoder {
    /// Takes the next bytes and tells each event they complete.
    ///
    /// # Errors
    /// [`TooLong`]; the stream cannot be read on.
    pub fn push(&mut self, mut bytes: &[u8], mut tell: impl FnMut(SseEvent<'_>)) -> Result<(), TooLong> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            let (line, rest) = bytes.split_at(end);
            if self.line.is_empty() {
                self.take_line(line, &mut tell);
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.take_line(&whole, &mut tell);
                whole.clear();
                self.line = whole;
            }
            bytes = match rest {
                [b'\r', b'\n', rest @ ..] => rest,
                [b'\r'] => {
                    self.after_cr = true;
                    &[]
                }
                rest => &rest[1..],
            };
        }
        self.line.extend_from_slice(bytes);
        if self.line.len() > MOST || self.data.len() > MOST { Err(TooLong) } else { Ok(()) }
    }

    /// The connection ended: tells the event that was under way.
    pub fn finish(&mut self, mut tell: impl FnMut(SseEvent<'_>)) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line, &mut tell);
        }
        self.dispatch(&mut tell);
    }

    fn take_line(&mut self, mut line: &[u8], tell: &mut impl FnMut(SseEvent<'_>)) {
        if !self.started {
            self.started = true;
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(tell);
        }
        let colon = line.iter().position(|b| *b == b':');
        let (field, value) = match colon {
            Some(at) => (&line[..at], line[at + 1..].strip_prefix(b" ").unwrap_or(&line[at + 1..])),
            None => (line, &b""[..]),
        };
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                self.has_data = true;
            }
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            // `id`, `retry`, comments and unknown fields change nothing here.
            _ => {}
        }
    }

    fn dispatch(&mut self, tell: &mut impl FnMut(SseEvent<'_>)) {
        if self.has_data {
            let name = String::from_utf8_lossy(&self.name);
            let data = String::from_utf8_lossy(&self.data);
            tell(SseEvent { name, data });
        }
        self.data.clear();
        self.name.clear();
        self.has_data = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut decoder = SseDecoder::default();
        let mut tell = |event: SseEvent<'_>| out.push((event.name.into_owned(), event.data.into_owned()));
        for piece in pieces {
            decoder.push(piece, &mut tell).expect("short");
        }
        decoder.finish(&mut tell);
        out
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
            [("error".to_owned(), "x".to_owned()), (String::new(), "y".to_owned())]
        );
    }

    #[test]
    fn a_line_without_end_is_refused_in_time() {
        let mut decoder = SseDecoder::default();
        let piece = vec![b'x'; 1 << 20];
        let refused = (0..40).any(|_| decoder.push(&piece, |_| {}).is_err());
        assert!(refused);
    }

    proptest! {
        #[test]
        fn where_the_network_cuts_changes_nothing(
            parts in prop::collection::vec("(data|event|:|id)?:? ?[a-zé\u{1F600}:]{0,6}(\r\n|\n|\r)", 0..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let text = parts.concat();
            let bytes = text.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(decode(&pieces), decode(&[bytes]));
        }

        #[test]
        fn no_bytes_make_it_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..10)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            decode(&pieces);
        }
    }
}
