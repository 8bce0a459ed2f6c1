//! Distinguishes data in a response body from bytes that only keep the connection open.

/// Follows a body through comments, blank lines and fields without data, wherever the network splits it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BodyActivity(Line);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    /// Only white space of the line was seen.
    #[default]
    Blank,
    /// A comment, or a field without data: `event`, `id`, `retry`.
    Mute,
    /// `data`, or part of a document that is not an event stream.
    Said,
}

impl BodyActivity {
    /// Whether the next bytes of the body contain data.
    pub fn has_data(&mut self, bytes: &[u8]) -> bool {
        let mut said = false;
        for byte in bytes {
            self.0 = match (byte, self.0) {
                (b'\n' | b'\r', _) => Line::Blank,
                (byte, Line::Blank) if byte.is_ascii_whitespace() => Line::Blank,
                // No line of a JSON document starts with one of these.
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
            let mut talk = BodyActivity::default();
            pieces
                .iter()
                .map(|piece| talk.has_data(piece.as_bytes()))
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
