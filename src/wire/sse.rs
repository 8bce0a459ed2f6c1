//! Server-sent events: bytes in, events out.
//!
//! Follows the WHATWG HTML standard, section 9.2.6, except for what real servers send:
//!
//! - An event that is cut off before its blank line is still emitted.
//! - A JSON object and `[DONE]` end their event, so that events separated by a single line feed are not joined.
//! - A line of JSON, HTML or words (`Internal Server Error`) without `data:` is an event of its own: gateways write
//!   errors into streams like this.
//! - An event named `error` is emitted even without data.
//! - The names `data` and `event` are recognised in any case and behind white space or control characters.
//! - A line of any other name that holds a chunk's `choices` becomes data, which fails to parse: its text is not lost
//!   without a word.
//! - Invalid UTF-8 is replaced and the event marked as damaged.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// Far above any real event: SambaStack's ingress rejects bodies over 25 MB.
const MAX_EVENT_BYTES: usize = 32 << 20;

/// One event. Comments are skipped, and so are events without data unless they are named `error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The `event:` field, possibly empty.
    pub name: Cow<'a, str>,
    /// The `data:` lines, joined by newlines.
    pub data: Cow<'a, str>,
    /// Whether invalid UTF-8 in the data was replaced.
    pub damaged: bool,
    /// Whether its lines have no `data:`, so that a gateway probably wrote them into the stream.
    pub bare: bool,
}

impl<'a> SseEvent<'a> {
    #[inline]
    fn new(name: Cow<'a, str>, data: &'a [u8]) -> Self {
        // Checking first is faster than a lossy conversion of valid text.
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

/// An event or a line is larger than 32 MiB, so this is not an event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than 32 MiB")]
pub struct TooLong;

/// Decodes a stream that arrives in pieces of any size.
#[derive(Debug, Default)]
pub struct SseDecoder {
    /// The beginning of a line whose end has not arrived.
    line: Vec<u8>,
    data: Vec<u8>,
    /// Lines of data in the current event.
    lines: usize,
    /// Whether the data comes from lines without a field name.
    bare: bool,
    name: Vec<u8>,
    /// The last piece ended in CR, so a leading LF belongs to it.
    after_cr: bool,
    /// Whether the first line was read; a byte order mark can only precede it.
    started: bool,
}

impl SseDecoder {
    /// Resets the decoder for another stream and keeps its buffers.
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

    /// Reads the next bytes and passes each event that they complete to `tell`.
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

    /// Like [`Self::push`], but stops at the first line that completes an event. Returns the bytes after it.
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
            // A blank line may follow, but waiting for it would delay the event.
            if bytes.is_empty() {
                told |= self.dispatch_whole(&mut tell);
            }
            if told {
                return Ok(bytes);
            }
        }
        self.line.extend_from_slice(bytes);
        if self.line.len() > MAX_EVENT_BYTES || self.data.len() > MAX_EVENT_BYTES {
            Err(TooLong)
        } else {
            Ok(&[])
        }
    }

    /// Whether the next byte starts an event.
    #[inline]
    fn is_between_events(&self) -> bool {
        self.line.is_empty() && self.lines == 0 && self.name.is_empty() && !self.after_cr
    }

    /// Emits an event of one `data` line that is complete in these bytes, without copying it. Returns the bytes
    /// after it.
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

    /// The connection ended: emits the unfinished event.
    pub fn finish(&mut self, mut tell: impl FnMut(SseEvent<'_>)) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line, &mut tell);
        }
        self.dispatch(&mut tell);
    }

    /// Returns whether the line completed an event.
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
        match plain_name(field) {
            b"data" => {
                told = if self.bare {
                    self.dispatch(tell)
                } else {
                    self.dispatch_whole(tell)
                };
                self.add(value);
            }
            b"event" if !holds_chunk(value) => {
                told = if self.bare {
                    self.dispatch(tell)
                } else {
                    self.dispatch_whole(tell)
                };
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            // Not a field of the standard: some servers send errors like this between events.
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
            // A comment.
            b"" => {}
            // Fields that Batida does not need.
            b"id" | b"retry" if !holds_chunk(value) => {}
            _ if self.bare
                || matches!(line.trim_ascii_start().first(), Some(b'{' | b'[' | b'<')) =>
            {
                told = !self.bare && self.dispatch_whole(tell);
                self.add(line);
                self.bare = true;
            }
            // A damaged or foreign field. With its name it cannot be parsed, so the answer fails.
            _ if holds_chunk(line) => {
                told = self.dispatch_whole(tell);
                self.add(line);
            }
            // A field name has no spaces and names no error, so this is what something else wrote into the stream.
            _ if field.trim_ascii().contains(&b' ') || names_an_error(field) => {
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

    /// Emits the current event if its single line is complete: a JSON object or `[DONE]`.
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

/// The field's name, of which proxies change the case, or put a byte order mark, a zero or white space in front.
fn plain_name(field: &[u8]) -> &[u8] {
    if matches!(field, b"data" | b"event" | b"") {
        return field;
    }
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic();
    // The last ones are the bytes of a byte order mark and of a space that does not break.
    let is_padding = |byte: &u8| {
        byte.is_ascii_whitespace()
            || byte.is_ascii_control()
            || matches!(byte, 0xEF | 0xBB | 0xBF | 0xC2 | 0xA0)
    };
    let (Some(first), Some(last)) = (
        field.iter().position(is_letter),
        field.iter().rposition(is_letter),
    ) else {
        return field;
    };
    let (name, around) = (&field[first..=last], [&field[..first], &field[last + 1..]]);
    if !around.iter().all(|bytes| bytes.iter().all(is_padding)) {
        return field;
    }
    [&b"data"[..], b"event"]
        .into_iter()
        .find(|known| name.eq_ignore_ascii_case(known))
        .unwrap_or(field)
}

/// Whether it holds a chunk of an answer, which belongs in a `data` field.
fn holds_chunk(text: &[u8]) -> bool {
    memchr(b'{', text).is_some_and(|at| memchr::memmem::find(&text[at..], b"choices").is_some())
}

/// `RuntimeError: CUDA out of memory`, `Exception: …`, `FATAL: …`
fn names_an_error(field: &[u8]) -> bool {
    let field = field.to_ascii_lowercase();
    [
        &b"error"[..],
        b"exception",
        b"fatal",
        b"panic",
        b"traceback",
    ]
    .iter()
    .any(|word| memchr::memmem::find(&field, word).is_some())
}

#[cfg(test)]
mod tests;
