//! Whether bytes of an answer say something, or only keep the connection open.

/// Tells comments, blank lines and fields without data from what is said, wherever the network cuts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Talk(Line);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    /// Nothing of it was seen but white space.
    #[default]
    Blank,
    /// A comment, or a field that says nothing by itself: `event`, `id`, `retry`.
    Mute,
    /// `data`, or a part of a document that is no event stream.
    Said,
}

impl Talk {
    /// Whether these bytes, which follow those before, say something.
    pub fn hears(&mut self, bytes: &[u8]) -> bool {
        let mut said = false;
        for byte in bytes {
            self.0 = match (byte, self.0) {
                (b'\n' | b'\r', _) => Line::Blank,
                (byte, Line::Blank) if byte.is_ascii_whitespace() => Line::Blank,
                // No document of JSON has a line that begins with one of these.
                (b':' | b'e' | b'i' | b'r', Line::Blank) => Line::Mute,
                (_, Line::Blank) => Line::Said,
                (_, line) => line,
            };
            said |= self.0 == Line::Said;
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_say_nothing_wherever_they_are_cut() {
        let heard = |pieces: &[&str]| {
            let mut talk = Talk::default();
            pieces
                .iter()
                .map(|piece| talk.hears(piece.as_bytes()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            heard(&[": keep", "-alive data: x\n", "\n", ":\n\n"]),
            [false; 4]
        );
        assert_eq!(
            heard(&["event: ping\nid: 7\nretry: 9\n\n", "da", "ta: {}\n\n"]),
            [false, true, true]
        );
        assert_eq!(
            heard(&["  \n \r\n", "{\"error\": 1}", "\n"]),
            [false, true, false]
        );
        assert_eq!(heard(&[": x\r\ndata: a\r\n\r\n"]), [true]);
    }
}
