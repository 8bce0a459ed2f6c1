//! Where a block that is too long to be laid out at once is cut.

use std::ops::Range;

/// A cut looks this far ahead, so that it does not depend on where the network cut the text.
pub(super) const LOOK_AHEAD: usize = 8;

/// Where to cut a block that has become too long: between words, best after a sentence.
///
/// Looks at nothing beyond `long` and a few bytes, so the answer is the same however much has arrived.
pub(super) fn cut(text: &str, block: Range<usize>, long: usize) -> Option<usize> {
    if block.len() < long + LOOK_AHEAD {
        return None;
    }
    let bytes = text.as_bytes();
    let mut between_words = None;
    for at in (block.start + long / 2..block.start + long).rev() {
        let space = matches!(bytes[at - 1], b' ' | b'\n');
        // What begins with a letter is a paragraph also when it is read alone.
        if space && text.is_char_boundary(at) && text[at..].starts_with(char::is_alphabetic) {
            if matches!(bytes[at - 2], b'.' | b'!' | b'?' | b':' | b'\n') {
                return Some(at);
            }
            between_words = between_words.or(Some(at));
        }
    }
    between_words.or_else(|| {
        (block.start + long / 2..=block.start + long)
            .rev()
            .find(|&at| text.is_char_boundary(at))
    })
}
