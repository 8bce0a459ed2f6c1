//! Decodes the body of a response as it arrives.

use std::time::Instant;

use super::head::ResponseHead;
use super::{Sink, WireError};

/// The three ways in which the end of a body is marked (RFC 9112, section 6.3).
#[derive(Debug)]
pub(super) enum Body {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Chunked {
    /// In the size line of a chunk; `size` is the value of the digits so far.
    Size {
        size: u64,
        digits: u8,
        extension: bool,
    },
    Data(u64),
    /// Before the line end after a chunk's data.
    AfterData,
    /// In the trailer; the bytes of the current line.
    Trailer(u64),
}

impl Body {
    pub(super) fn of(head: &ResponseHead) -> Result<Self, WireError> {
        if matches!(head.status, 204 | 304) {
            return Ok(Self::Length(0));
        }
        if head.is_chunked() {
            return Ok(Self::Chunked(Chunked::Size {
                size: 0,
                digits: 0,
                extension: false,
            }));
        }
        Ok(head.length()?.map_or(Self::UntilClose, Self::Length))
    }

    /// Consumes the body's part of `bytes` and leaves the rest. Returns whether the body has ended.
    pub(super) fn take(
        &mut self,
        bytes: &mut &[u8],
        delivery: &mut Delivery<'_, impl Sink>,
    ) -> Result<bool, WireError> {
        match self {
            Self::UntilClose => {
                delivery.deliver(bytes);
                *bytes = &[];
                Ok(false)
            }
            Self::Length(left) => {
                let n = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                if n > 0 {
                    delivery.deliver(&bytes[..n]);
                }
                *bytes = &bytes[n..];
                *left -= n as u64;
                Ok(*left == 0)
            }
            Self::Chunked(state) => take_chunked(state, bytes, delivery),
        }
    }
}

/// Passes the bytes of one read to the sink.
pub(super) struct Delivery<'s, S> {
    pub(super) sink: &'s mut S,
    pub(super) at: Instant,
    /// The sink needs no more bytes and gets none.
    pub(super) enough: &'s mut bool,
}

impl<S: Sink> Delivery<'_, S> {
    fn deliver(&mut self, piece: &[u8]) {
        *self.enough = *self.enough || !self.sink.body(self.at, piece);
    }
}

fn take_chunked(
    state: &mut Chunked,
    bytes: &mut &[u8],
    delivery: &mut Delivery<'_, impl Sink>,
) -> Result<bool, WireError> {
    let odd = || WireError::damaged("a chunk of the response has an invalid size");
    while let Some((&byte, rest)) = bytes.split_first() {
        match state {
            Chunked::Data(left) => {
                let n = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                delivery.deliver(&bytes[..n]);
                *bytes = &bytes[n..];
                *left -= n as u64;
                if *left == 0 {
                    *state = Chunked::AfterData;
                }
                continue;
            }
            Chunked::Size {
                size,
                digits,
                extension,
            } => match byte {
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
                b'\n' => {
                    *state = Chunked::Size {
                        size: 0,
                        digits: 0,
                        extension: false,
                    }
                }
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
