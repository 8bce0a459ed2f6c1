//! Decompresses bodies that a server compressed although Batida requests uncompressed responses.

use std::io::Write as _;

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::ResponseHead;

/// Decompresses a body piece by piece, without waiting for more than each piece needs.
#[derive(Debug)]
pub struct Unpacker {
    /// The value of `Content-Encoding`.
    coding: String,
    state: State,
}

#[derive(Debug)]
enum State {
    Gzip(MultiGzDecoder<Vec<u8>>),
    /// `deflate`, until the first byte shows whether it has a zlib header.
    Deflate,
    Zlib(ZlibDecoder<Vec<u8>>),
    Raw(DeflateDecoder<Vec<u8>>),
    /// Not supported.
    Unknown,
}

impl Unpacker {
    /// `None` for a response that is not compressed.
    pub fn of(head: &ResponseHead) -> Option<Box<Self>> {
        let coding = head.compression()?;
        let state = match coding.as_str() {
            "gzip" | "x-gzip" => State::Gzip(MultiGzDecoder::new(Vec::new())),
            "deflate" => State::Deflate,
            _ => State::Unknown,
        };
        Some(Box::new(Self { coding, state }))
    }

    /// The compression, e.g. `gzip`.
    pub fn coding(&self) -> &str {
        &self.coding
    }

    /// Decompresses the next bytes.
    ///
    /// # Errors
    /// When the compression is not supported, or the bytes are damaged.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Compressed> {
        if let (State::Deflate, Some(first)) = (&self.state, bytes.first()) {
            // A zlib header starts with method 8 and a window of at most 32 KiB; a raw deflate block never starts like that.
            let zlib = first & 0x0f == 8 && first >> 4 <= 7;
            self.state = if zlib {
                State::Zlib(ZlibDecoder::new(Vec::new()))
            } else {
                State::Raw(DeflateDecoder::new(Vec::new()))
            };
        }
        let wrote = match &mut self.state {
            State::Gzip(decoder) => decoder.write_all(bytes).and_then(|()| decoder.flush()),
            State::Zlib(decoder) => decoder.write_all(bytes).and_then(|()| decoder.flush()),
            State::Raw(decoder) => decoder.write_all(bytes).and_then(|()| decoder.flush()),
            State::Deflate => Ok(()),
            State::Unknown => {
                return Err(Compressed {
                    coding: self.coding.clone(),
                    damaged: None,
                });
            }
        };
        if let Err(error) = wrote {
            return Err(Compressed {
                coding: self.coding.clone(),
                damaged: Some(error.to_string()),
            });
        }
        Ok(match &mut self.state {
            State::Gzip(decoder) => std::mem::take(decoder.get_mut()),
            State::Zlib(decoder) => std::mem::take(decoder.get_mut()),
            State::Raw(decoder) => std::mem::take(decoder.get_mut()),
            State::Deflate | State::Unknown => Vec::new(),
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
            coding: coding.to_owned(),
            state,
        }
    }

    #[test]
    fn each_event_is_decompressed_at_once() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        let mut readers = [
            unpacker("gzip", State::Gzip(MultiGzDecoder::new(Vec::new()))),
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
        let mut wrong = unpacker("gzip", State::Gzip(MultiGzDecoder::new(Vec::new())));
        assert!(
            wrong
                .take(b"data: plain text\n\n")
                .unwrap_err()
                .damaged
                .is_some()
        );
    }
}
