//! Decompresses bodies that a server compressed although Batida requests uncompressed responses.
//!
//! A gzip body without its header is decompressed, too: some proxies drop `Content-Encoding` and leave the body.

use std::borrow::Cow;
use std::io::{BufRead, ErrorKind, Read, Write as _};

use flate2::bufread::GzDecoder;
use flate2::write::{DeflateDecoder, ZlibDecoder};

use super::ResponseHead;

/// Decompresses a body piece by piece, without waiting for more than each piece needs.
#[derive(Debug)]
pub struct Unpacker {
    /// The compression for messages; empty if there is none.
    coding: Cow<'static, str>,
    state: State,
    /// Why the bytes behind what was unpacked cannot be.
    late: Option<Compressed>,
}

#[derive(Debug)]
enum State {
    /// `gzip`, no compression or an unknown one according to the header, until the first byte tells which.
    Claimed,
    /// The decoder of a member; `None` behind its end.
    Gzip(Option<Box<GzDecoder<Feed>>>),
    /// Not compressed, whatever the header says: a proxy or a server's error page leaves the header of something else.
    Plain,
    /// `deflate`, until the first byte shows whether it has a zlib header.
    Deflate,
    Zlib(ZlibDecoder<Vec<u8>>),
    Raw(DeflateDecoder<Vec<u8>>),
    /// Not supported.
    Unknown,
}

/// What has arrived and is not unpacked yet. Read this way, and not written to, a decoder checks a sum as soon as it is
/// there.
#[derive(Debug, Default)]
struct Feed {
    bytes: Vec<u8>,
    at: usize,
}

impl BufRead for Feed {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        match &self.bytes[self.at..] {
            [] => Err(ErrorKind::WouldBlock.into()),
            rest => Ok(rest),
        }
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
    }
}

impl Read for Feed {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.fill_buf()?.read(into)?;
        self.consume(n);
        Ok(n)
    }
}

/// What these bytes hold of a gzip body, which may have several members; and whether something else follows.
fn take_gzip(
    member: &mut Option<Box<GzDecoder<Feed>>>,
    bytes: &[u8],
) -> std::io::Result<(Vec<u8>, bool)> {
    let mut plain = Vec::new();
    let mut piece = [0; 8 << 10];
    let mut rest = match member {
        Some(decoder) => {
            let feed = decoder.get_mut();
            feed.bytes.drain(..std::mem::take(&mut feed.at));
            feed.bytes.extend_from_slice(bytes);
            Vec::new()
        }
        None => bytes.to_vec(),
    };
    loop {
        let decoder = match member {
            Some(decoder) => decoder,
            None if rest.is_empty() => return Ok((plain, false)),
            None if rest[0] != GZIP => return Ok((plain, true)),
            None => {
                let feed = Feed {
                    bytes: std::mem::take(&mut rest),
                    at: 0,
                };
                member.insert(Box::new(GzDecoder::new(feed)))
            }
        };
        match decoder.read(&mut piece) {
            Ok(0) => {
                let feed = decoder.get_mut();
                rest = feed.bytes.split_off(feed.at);
                *member = None;
            }
            Ok(n) => plain.extend_from_slice(&piece[..n]),
            // The rest comes later.
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok((plain, false)),
            Err(error) => return Err(error),
        }
    }
}

/// The first byte of a gzip body: a control character, with which no text begins.
const GZIP: u8 = 0x1f;

impl Default for Unpacker {
    fn default() -> Self {
        Self {
            coding: Cow::Borrowed(""),
            state: State::Claimed,
            late: None,
        }
    }
}

impl Unpacker {
    /// For the body of this response.
    pub fn of(head: &ResponseHead) -> Self {
        let Some(coding) = head.compression() else {
            return Self::default();
        };
        let state = match coding.as_str() {
            "gzip" | "x-gzip" => State::Claimed,
            "deflate" => State::Deflate,
            known if ResponseHead::is_compression(known) => State::Unknown,
            _ => State::Claimed,
        };
        Self {
            coding: coding.into(),
            state,
            late: None,
        }
    }

    /// The compression, e.g. `gzip`.
    pub fn coding(&self) -> &str {
        &self.coding
    }

    /// Decompresses the next bytes. What is not compressed is returned as it is.
    ///
    /// # Errors
    /// When the compression is not supported, or the bytes are damaged.
    pub fn take<'b>(&mut self, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>, Compressed> {
        self.finish()?;
        if let (State::Claimed, Some(first)) = (&self.state, bytes.first()) {
            let known = matches!(&*self.coding, "" | "gzip" | "x-gzip");
            let text = matches!(first, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0xef);
            self.state = match *first {
                GZIP => {
                    if self.coding.is_empty() {
                        self.coding = "gzip without a Content-Encoding header".into();
                    }
                    State::Gzip(None)
                }
                _ if known || text => State::Plain,
                _ => State::Unknown,
            };
        }
        // Without a first byte there is nothing.
        if matches!(self.state, State::Plain | State::Claimed) {
            return Ok(bytes.into());
        }
        self.decompress(bytes).map(Cow::Owned)
    }

    /// Whether all that was taken could be unpacked.
    ///
    /// # Errors
    /// When bytes that are not compressed followed the end of a compressed body. What was before them is sound.
    pub fn finish(&mut self) -> Result<(), Compressed> {
        self.late.take().map_or(Ok(()), Err)
    }

    fn decompress(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Compressed> {
        if let (State::Deflate, Some(first)) = (&self.state, bytes.first()) {
            // A zlib header starts with method 8 and a window of at most 32 KiB; a raw deflate block never starts like that.
            let zlib = first & 0x0f == 8 && first >> 4 <= 7;
            self.state = if zlib {
                State::Zlib(ZlibDecoder::new(Vec::new()))
            } else {
                State::Raw(DeflateDecoder::new(Vec::new()))
            };
        }
        let unpacked = match &mut self.state {
            State::Gzip(member) => take_gzip(member, bytes).and_then(|(plain, more)| {
                let trailing = "bytes that are not compressed follow its end";
                if more && plain.is_empty() {
                    return Err(std::io::Error::new(ErrorKind::InvalidData, trailing));
                }
                self.late = more.then(|| Compressed {
                    coding: self.coding.to_string(),
                    damaged: Some(trailing.to_owned()),
                });
                Ok(plain)
            }),
            State::Zlib(decoder) => decoder
                .write_all(bytes)
                .and_then(|()| decoder.flush())
                .map(|()| std::mem::take(decoder.get_mut())),
            State::Raw(decoder) => decoder
                .write_all(bytes)
                .and_then(|()| decoder.flush())
                .map(|()| std::mem::take(decoder.get_mut())),
            State::Plain | State::Claimed | State::Deflate => Ok(bytes.to_vec()),
            State::Unknown => {
                return Err(Compressed {
                    coding: self.coding.to_string(),
                    damaged: None,
                });
            }
        };
        unpacked.map_err(|error| Compressed {
            coding: self.coding.to_string(),
            damaged: Some(error.to_string()),
        })
    }
}

/// A body that cannot be decompressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("compressed with {coding}")]
pub struct Compressed {
    /// The value of `Content-Encoding`.
    pub coding: String,
    /// The decoder's error; `None` if the compression is not supported.
    pub damaged: Option<String>,
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn unpacker(coding: &str, state: State) -> Unpacker {
        Unpacker {
            coding: coding.to_owned().into(),
            state,
            late: None,
        }
    }

    #[test]
    fn each_event_is_decompressed_at_once() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        let mut readers = [
            unpacker("gzip", State::Claimed),
            unpacker("deflate", State::Deflate),
            unpacker("deflate", State::Deflate),
        ];
        for event in ["data: one\n\n", "data: two\n\n", "data: [DONE]\n\n"] {
            for writer in [&mut gzip as &mut dyn std::io::Write, &mut zlib, &mut raw] {
                writer.write_all(event.as_bytes()).unwrap();
                writer.flush().unwrap();
            }
            let sent = [gzip.get_mut(), zlib.get_mut(), raw.get_mut()].map(std::mem::take);
            for (reader, bytes) in readers.iter_mut().zip(sent) {
                // The network may cut anywhere.
                let (a, b) = bytes.split_at(bytes.len() / 2);
                let text = [reader.take(a).unwrap(), reader.take(b).unwrap()].concat();
                assert_eq!(
                    String::from_utf8(text).unwrap(),
                    event,
                    "{}",
                    reader.coding()
                );
            }
        }
    }

    #[test]
    fn unsupported_compression_is_named() {
        assert_eq!(
            unpacker("br", State::Unknown)
                .take(b"x")
                .unwrap_err()
                .coding,
            "br"
        );
    }

    #[test]
    fn a_coding_that_compresses_nothing_is_no_compression() {
        let of = |coding: &str| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n");
            let (head, _) = super::super::head::read_head(head.as_bytes())
                .unwrap()
                .unwrap();
            Unpacker::of(&head)
        };
        for coding in [
            "utf-8",
            "aws-chunked",
            "identity",
            "none",
            "aws-chunked, utf-8",
        ] {
            assert_eq!(
                &*of(coding).take(b"data: x").unwrap(),
                b"data: x",
                "{coding}"
            );
        }
        assert_eq!(
            &*of("aws-chunked, gzip").take(&gzipped("text")).unwrap(),
            b"text"
        );
        for (coding, named) in [("gzip, gzip", "gzip, gzip"), ("br", "br"), ("snap", "snap")] {
            assert_eq!(of(coding).take(b"\x8bx").unwrap_err().coding, named);
        }
    }

    #[test]
    fn bytes_behind_a_compressed_answer_lose_nothing_of_it() {
        let body = [gzipped("data: [DONE]\n\n"), b"\r\n<html>".to_vec()].concat();
        let mut unpacker = unpacker("gzip", State::Claimed);
        assert_eq!(&*unpacker.take(&body).unwrap(), b"data: [DONE]\n\n");
        let why = unpacker.finish().unwrap_err();
        assert!(
            why.damaged
                .is_some_and(|why| why.contains("not compressed"))
        );
    }

    #[test]
    fn a_body_that_only_says_to_be_gzip_is_read_as_it_is() {
        let mut plain = unpacker("gzip", State::Claimed);
        for text in ["", "{\"error\": ", "\"no\"}"] {
            assert_eq!(&*plain.take(text.as_bytes()).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn a_gzip_body_without_its_header_is_decompressed_and_a_damaged_one_named() {
        let mut packed = gzipped("data: one\n\n");
        assert_eq!(
            &*Unpacker::default().take(&packed).unwrap(),
            b"data: one\n\n"
        );
        let sum = packed.len() - 8;
        packed[sum] ^= 1;
        let why = Unpacker::default().take(&packed).unwrap_err();
        assert_eq!(why.coding, "gzip without a Content-Encoding header");
    }

    fn gzipped(text: &str) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn damage_behind_the_text_is_a_failure_however_the_network_cuts() {
        let sound = [gzipped("data: one\n\n"), gzipped("data: two\n\n")].concat();
        for piece in [1, 2, 7, sound.len()] {
            let mut unpacker = unpacker("gzip", State::Claimed);
            let text: Vec<u8> = sound
                .chunks(piece)
                .flat_map(|bytes| unpacker.take(bytes).unwrap().into_owned())
                .collect();
            assert_eq!(
                String::from_utf8(text).unwrap(),
                "data: one\n\ndata: two\n\n",
                "{piece}"
            );
        }
        let one = gzipped("data: one\n\n");
        let mut wrong_sum = one.clone();
        let at = wrong_sum.len() - 8;
        wrong_sum[at] ^= 1;
        let rubbish = [&one[..], b"\n<html>an error page</html>"].concat();
        for (what, broken) in [("sum", wrong_sum), ("rubbish", rubbish)] {
            for piece in [1, 5, broken.len()] {
                let mut unpacker = unpacker("gzip", State::Claimed);
                let failed = broken
                    .chunks(piece)
                    .find_map(|bytes| unpacker.take(bytes).err())
                    .or_else(|| unpacker.finish().err());
                assert!(
                    failed.is_some_and(|why| why.damaged.is_some()),
                    "{what} in pieces of {piece}"
                );
            }
        }
    }
}
