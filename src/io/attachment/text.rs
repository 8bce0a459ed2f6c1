//! Text files.

/// The text, with plain line ends and without a byte order mark; `None` when it is none.
pub(super) fn read(bytes: &[u8]) -> Option<String> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok()?,
        bytes => String::from_utf8(bytes.to_vec()).ok()?,
    };
    // Terminals' colours and form feeds are found in logs and sources; other controls only in binary files.
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
