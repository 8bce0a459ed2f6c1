//! A client, what it sent, and what it is sent.

use std::io::{ErrorKind, Read as _, Write as _};

use mio::net::TcpStream;

use super::now;
use super::times::Times;
use super::wire::{Ask, Told};
use crate::io::arrival::{self, Arrival};

/// A client, what it sent, and what it is sent.
pub(super) struct Connection {
    pub(super) socket: TcpStream,
    /// The kernel stamps what comes: a server that is busy reads late, too.
    is_stamped: bool,
    pub(super) input: Vec<u8>,
    /// When the last of it came, by the kernel where it tells.
    pub(super) came: u64,
    /// With fewer bytes the next request is not complete.
    pub(super) need: usize,
    pub(super) output: Vec<u8>,
    /// How much of `output` is written.
    pub(super) written: usize,
    pub(super) writing: Writing,
    pub(super) answer: Option<Answer>,
    /// The answer under way is the last.
    pub(super) close: bool,
}

/// What `output` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// Nothing: it waits for a request, or for what is due.
    Nothing,
    /// Part of a stream before its first token.
    Opening,
    /// One token.
    Token,
    /// What follows the last token.
    End,
    /// A whole answer.
    All,
    /// Something that is not timed.
    Untimed,
}

/// An answer under way.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) serial: u64,
    pub(super) ask: Ask,
    pub(super) tokens: u32,
    pub(super) times: Times,
}

impl Answer {
    pub(super) fn told(&self) -> Told<'_> {
        Told {
            tokens: self.tokens,
            prompt_tokens: self.ask.prompt_tokens,
            cut: self.ask.tokens.is_some(),
            times: &self.times,
            now: now(),
        }
    }
}

impl Connection {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self {
            is_stamped: arrival::stamp(&socket),
            socket,
            input: Vec::new(),
            came: 0,
            need: 1,
            output: Vec::new(),
            written: 0,
            writing: Writing::Nothing,
            answer: None,
            close: false,
        }
    }

    /// Reads what there is; false when the client has gone.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> bool {
        loop {
            match self.receive(scratch) {
                Ok((0, _)) => return false,
                Ok((length, waited)) => {
                    self.came = now().saturating_sub(waited);
                    self.input.extend(&scratch[..length]);
                    // More than a request's most before its answer is done is no conversation.
                    if self.input.len() > 32 << 20 {
                        return false;
                    }
                    // The socket is empty, or tells anew.
                    if length < scratch.len() {
                        return true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    /// How many bytes were read, and for how many ns they had waited, as far as the kernel tells.
    fn receive(&mut self, scratch: &mut [u8]) -> std::io::Result<(usize, u64)> {
        if !self.is_stamped {
            return Ok((self.socket.read(scratch)?, 0));
        }
        let (length, stamp) = arrival::receive(&self.socket, scratch)?;
        let waited = Arrival::of(stamp).waited.unwrap_or_default();
        // Longer than 500 years is not believed.
        Ok((length, waited.as_nanos() as u64))
    }

    /// Writes what is left of the output: true when all is written, `None` when the client has gone.
    pub(super) fn write(&mut self) -> Option<bool> {
        while self.written < self.output.len() {
            match self.socket.write(&self.output[self.written..]) {
                Ok(0) => return None,
                Ok(length) => self.written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        self.output.clear();
        self.written = 0;
        Some(true)
    }
}
