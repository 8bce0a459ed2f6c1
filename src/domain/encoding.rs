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

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, NoText> {
    std::str::from_utf8(bytes)
        .map(Cow::Borrowed)
        .map_err(|why| {
            let line = 1 + bytes[..why.valid_up_to()]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            let packed = [
                &b"\x1f\x8b"[..],
                b"PK\x03\x04",
                b"\x28\xb5\x2f\xfd",
                b"BZh",
                b"\xfd7zXZ",
            ];
            let what = if packed.iter().any(|magic| bytes.starts_with(magic)) {
                "compressed: unpack it first"
            } else if bytes.starts_with(b"PAR1") {
                "a Parquet file, and no text"
            } else {
                "no UTF-8 text"
            };
            NoText {
                what,
                line: (what == "no UTF-8 text").then_some(line),
            }
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
