//! Decompresses bodies that a server compressed although Batida requests uncompressed responses.
//!
//! A gzip body without its header is decompressed, too: some proxies drop `Content-Encoding` and leave the body.

use std::borrow::Cow;
use std::io::{BufRead, ErrorKind, Read, Write as _};

use flate2::bufread::MultiGzDecoder;
use flate2::write::{DeflateDecoder, ZlibDecoder};

use super::ResponseHead;

/// Decompresses a body piece by piece, without waiting for more than each piece needs.
#[derive(Debug)]
pub struct Unpacker {
    /// The compression for messages; empty if there is none.
    coding: Cow<'static, str>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// `gzip` or no compression according to the header, until the first byte tells which.
    Claimed,
    Gzip(Box<MultiGzDecoder<Feed>>),
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

/// What these bytes hold of a gzip body.
fn take_gzip(decoder: &mut MultiGzDecoder<Feed>, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let feed = decoder.get_mut();
    feed.bytes.drain(..std::mem::take(&mut feed.at));
    feed.bytes.extend_from_slice(bytes);
    let mut plain = Vec::new();
    let mut piece = [0; 8 << 10];
    loop {
        match decoder.read(&mut piece) {
            Ok(0) => return Ok(plain),
            Ok(n) => plain.extend_from_slice(&piece[..n]),
            // The rest comes later.
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(plain),
            Err(error) => return Err(error),
        }
    }
}

impl Default for Unpacker {
    fn default() -> Self {
        Self {
            coding: Cow::Borrowed(""),
            state: State::Claimed,
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
            _ => State::Unknown,
        };
        let coding = coding.into();
        Self { coding, state }
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
        if let (State::Claimed, Some(first)) = (&self.state, bytes.first()) {
            // Its magic number begins with a control character, which no text does.
            self.state = match first {
                0x1f => {
                    if self.coding.is_empty() {
                        self.coding = "gzip without a Content-Encoding header".into();
                    }
                    State::Gzip(Box::new(MultiGzDecoder::new(Feed::default())))
                }
                _ => State::Plain,
            };
        }
        // Without a first byte there is nothing.
        if matches!(self.state, State::Plain | State::Claimed) {
            return Ok(bytes.into());
        }
        self.decompress(bytes).map(Cow::Owned)
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
            State::Gzip(decoder) => take_gzip(decoder, bytes),
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
                    .find_map(|bytes| unpacker.take(bytes).err());
                assert!(
                    failed.is_some_and(|why| why.damaged.is_some()),
                    "{what} in pieces of {piece}"
                );
            }
        }
    }
}
