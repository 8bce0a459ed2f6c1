//! Decodes text files.

/// The text with LF line ends and without a byte order mark; `None` if the bytes are not text.
pub(super) fn read(bytes: &[u8]) -> Option<String> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok()?,
        bytes => String::from_utf8(bytes.to_vec()).ok()?,
    };
    // Logs and sources may contain terminal colors and form feeds; other control characters mean a binary file.
    let odd = |c: char| {
        c.is_control()
            && !matches!(
                c,
                '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' | '\u{1b}' | '\u{85}'
            )
    };
    if text.contains(odd) {
        return None;
    }
    Some(if text.contains('\r') {
        text.replace("\r\n", "\n")
    } else {
        text
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .collect::<Result<_, _>>()
        .ok()
}
