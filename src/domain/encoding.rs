//! Text of files that other programs wrote: UTF-8 with or without a byte order mark, and UTF-16, which is what
//! PowerShell's `>` and several editors on Windows write.

use std::borrow::Cow;

/// Why bytes are no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoText {
    /// What they seem to be, as the end of "x is …": `no UTF-8 text`.
    pub what: &'static str,
    /// The line of the first byte that cannot be read, from 1; `None` where the whole file is of another encoding.
    pub line: Option<usize>,
}

/// The text of a file without its byte order mark. UTF-8 is borrowed, UTF-16 is converted.
///
/// # Errors
/// When it is neither.
pub fn text(bytes: &[u8]) -> Result<Cow<'_, str>, NoText> {
    match *bytes {
        [0xef, 0xbb, 0xbf, ref rest @ ..] => utf8(rest),
        // Before UTF-16, whose mark begins alike.
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Err(NoText {
            what: "UTF-32: save it as UTF-8",
            line: None,
        }),
        [0xff, 0xfe, ref rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, ref rest @ ..] => utf16(rest, u16::from_be_bytes),
        // Without a mark: JSON, YAML and CSV begin with two ASCII characters, and no text of UTF-8 has a NUL there.
        [a, 0, b, 0, ..] if a.is_ascii() && b.is_ascii() && a != 0 && b != 0 => {
            utf16(bytes, u16::from_le_bytes)
        }
        [0, a, 0, b, ..] if a.is_ascii() && b.is_ascii() && a != 0 && b != 0 => {
            utf16(bytes, u16::from_be_bytes)
        }
        _ => utf8(bytes),
    }
}

/// How other files begin, and what they are.
const MAGIC: [(&[u8], &str); 10] = [
    (b"\x1f\x8b", COMPRESSED),
    (b"PK\x03\x04", COMPRESSED),
    (b"\x28\xb5\x2f\xfd", COMPRESSED),
    (b"BZh", COMPRESSED),
    (b"\xfd7zXZ", COMPRESSED),
    (b"PAR1", "a Parquet file, and no text"),
    (b"ARROW1", "an Arrow file, and no text"),
    (b"SQLite format 3\0", "an SQLite database, and no text"),
    (b"%PDF-", "a PDF file, and no text"),
    (b"\x89PNG", "a picture, and no text"),
];
const COMPRESSED: &str = "compressed: unpack it first";

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, NoText> {
    let line_of = |at: usize| 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
    let read = std::str::from_utf8(bytes);
    // No text holds a byte of zero, though UTF-8 allows it.
    let broken = match read {
        Ok(_) => memchr::memchr(0, bytes).map(|at| (at, "binary data: it has a byte of zero")),
        Err(why) => Some((why.valid_up_to(), "no UTF-8 text")),
    };
    let Some((at, what)) = broken else {
        return Ok(Cow::Borrowed(read.unwrap_or_default()));
    };
    let known = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic));
    Err(match known {
        Some((_, what)) => NoText { what, line: None },
        None => NoText {
            what,
            line: Some(line_of(at)),
        },
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, NoText> {
    let broken = NoText {
        what: "damaged UTF-16: save it as UTF-8",
        line: None,
    };
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(broken);
    }
    let text: Result<String, _> =
        char::decode_utf16(units.iter().map(|pair| unit(*pair))).collect();
    text.map(Cow::Owned).map_err(|_| broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16_of(text: &str, mark: bool, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let mark = mark.then_some(0xfeff_u16);
        mark.into_iter()
            .chain(text.encode_utf16())
            .flat_map(bytes)
            .collect()
    }

    #[test]
    fn utf8_and_utf16_are_read_with_and_without_a_mark() {
        let written = "{\"a\": \"né 𝄞\"}\r\n";
        for bytes in [
            written.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", written.as_bytes()].concat(),
            utf16_of(written, true, u16::to_le_bytes),
            utf16_of(written, true, u16::to_be_bytes),
            utf16_of(written, false, u16::to_le_bytes),
            utf16_of(written, false, u16::to_be_bytes),
        ] {
            assert_eq!(text(&bytes).as_deref(), Ok(written), "{bytes:?}");
        }
        assert_eq!(text(b"").as_deref(), Ok(""));
    }

    #[test]
    fn what_is_no_text_is_told() {
        assert_eq!(
            text(b"a\nb\xe9\n"),
            Err(NoText {
                what: "no UTF-8 text",
                line: Some(2)
            })
        );
        for (bytes, word) in [
            (&b"\xff\xfea\0b"[..], "UTF-16"),
            (b"\xff\xfe\x00\xd8", "UTF-16"),
            (b"\xff\xfe\0\0a\0\0\0", "UTF-32"),
            (b"\x1f\x8b\x08\x00", "compressed"),
            (b"PAR1\xff", "Parquet"),
        ] {
            let why = text(bytes).expect_err("it is none");
            assert!(why.what.contains(word) && why.line.is_none(), "{why:?}");
        }
    }
}
