//! A response's body, taken apart as it arrives.

use std::time::Instant;

use super::head::ResponseHead;
use super::{Sink, WireError};

/// A response's body, by how its end is told (RFC 9112, section 6.3).
#[derive(Debug)]
pub(super) enum Body {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Chunked {
    /// In a chunk's size line, behind its digits: the size so far.
    Size {
        size: u64,
        digits: u8,
        extension: bool,
    },
    Data(u64),
    /// Behind a chunk's data: CR LF.
    AfterData,
    /// In the trailer: bytes of the line so far.
    Trailer(u64),
}

impl Body {
    pub(super) fn of(head: &ResponseHead) -> Result<Self, WireError> {
        if matches!(head.status, 204 | 304) {
            return Ok(Self::Length(0));
        }
        if head.is_chunked() {
            return Ok(Self::Chunked(Chunked::Size { size: 0, digits: 0, extension: false }));
        }
        Ok(head.length()?.map_or(Self::UntilClose, Self::Length))
    }

    /// Takes the body's part of `bytes` and leaves what is behind its end; true at the end.
    pub(super) fn take(
        &mut self,
        bytes: &mut &[u8],
        telling: &mut Telling<'_, impl Sink>,
    ) -> Result<bool, WireError> {
        match self {
            Self::UntilClose => {
                telling.tell(bytes);
                *bytes = &[];
                Ok(false)
            }
            Self::Length(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                if n > 0 {
                    telling.tell(&bytes[..n]);
                }
                *bytes = &bytes[n..];
                *left -= n as u64;
                Ok(*left == 0)
            }
            Self::Chunked(state) => take_chunked(state, bytes, telling),
        }
    }
}

/// A read on its way to the sink.
pub(super) struct Telling<'s, S> {
    pub(super) sink: &'s mut S,
    pub(super) at: Instant,
    /// The sink has enough, and is told nothing more.
    pub(super) enough: &'s mut bool,
}

impl<S: Sink> Telling<'_, S> {
    fn tell(&mut self, piece: &[u8]) {
        *self.enough = *self.enough || !self.sink.body(self.at, piece);
    }

    /// Tells the chunks that lie whole at the beginning of `bytes`; gives what is behind them.
    fn tell_whole<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let mut pieces = Pieces(bytes);
        *self.enough = *self.enough || !self.sink.pieces(self.at, &mut pieces);
        if *self.enough {
            pieces.by_ref().for_each(drop);
        }
        pieces.0
    }
}

/// The data of the chunks that lie whole at the beginning of some bytes.
#[derive(Debug)]
pub struct Pieces<'b>(&'b [u8]);

impl<'b> Iterator for Pieces<'b> {
    type Item = &'b [u8];

    #[inline]
    fn next(&mut self) -> Option<&'b [u8]> {
        let (piece, behind) = whole_chunk(self.0)?;
        self.0 = behind;
        Some(piece)
    }
}

/// A chunk that lies whole in the bytes, its size written as usual: its data, and what is behind it. `None` for the
/// last one too.
#[inline]
fn whole_chunk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut size = 0;
    let mut rest = bytes;
    // Seven digits: more is nobody's usual chunk.
    for _ in 0..8 {
        let (byte, behind) = rest.split_first()?;
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' => {
                let (piece, behind) = behind.strip_prefix(b"\n")?.split_at_checked(size)?;
                return (size > 0).then_some((piece, behind.strip_prefix(b"\r\n")?));
            }
            _ => return None,
        };
        size = size << 4 | usize::from(digit);
        rest = behind;
    }
    None
}

fn take_chunked(
    state: &mut Chunked,
    bytes: &mut &[u8],
    telling: &mut Telling<'_, impl Sink>,
) -> Result<bool, WireError> {
    let odd = || WireError::damaged("a chunk of the response has no size that can be read");
    while let Some((&byte, rest)) = bytes.split_first() {
        if let Chunked::Size { digits: 0, extension: false, .. } = state {
            let behind = telling.tell_whole(bytes);
            if behind.len() < bytes.len() {
                *bytes = behind;
                continue;
            }
        }
        match state {
            Chunked::Data(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                telling.tell(&bytes[..n]);
                *bytes = &bytes[n..];
                *left -= n as u64;
                if *left == 0 {
                    *state = Chunked::AfterData;
                }
                continue;
            }
            Chunked::Size { size, digits, extension } => match byte {
                b'\n' if *digits == 0 => return Err(odd()),
                b'\n' if *size == 0 => *state = Chunked::Trailer(0),
                b'\n' => *state = Chunked::Data(*size),
                b';' | b' ' | b'\t' | b'\r' => *extension = true,
                _ if *extension => {}
                _ => {
                    let digit = char::from(byte).to_digit(16).ok_or_else(odd)?;
                    *size = *size << 4 | u64::from(digit);
                    *digits += 1;
                    if *digits > 15 {
                        return Err(odd());
                    }
                }
            },
            Chunked::AfterData => match byte {
                b'\r' => {}
                b'\n' => *state = Chunked::Size { size: 0, digits: 0, extension: false },
                _ => return Err(odd()),
            },
            Chunked::Trailer(length) => match byte {
                b'\r' => {}
                b'\n' if *length == 0 => {
                    *bytes = rest;
                    return Ok(true);
                }
                b'\n' => *length = 0,
                _ => *length += 1,
            },
        }
        *bytes = rest;
    }
    Ok(false)
}
