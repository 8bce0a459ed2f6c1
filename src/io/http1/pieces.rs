//! The pieces in which waiting bytes may have come, to be read one by one: each has a stamp of its own then.
//!
//! A read that takes two segments has the stamp of the second only. When the client is late, the first token of an
//! answer may wait together with the next ones, and would be as late as the last of them. So a late client looks first
//! (`MSG_PEEK`) and reads up to the end of each event, or of each TLS record, as servers write them. What the kernel has
//! joined already has one stamp and is read at once.

use std::collections::VecDeque;
use std::io;

use tokio::net::TcpStream;

use crate::io::arrival::{self, Stamp};

/// More are not read one by one.
const MAX_PIECES: usize = 32;
/// After so many looks in a row that found several pieces of one stamp, as servers send that write a whole answer at once,
const MAX_VAIN: u32 = 3;
/// one read in so many is looked at.
const SELDOM: u32 = 16;
/// Type, version and length of a TLS record.
const RECORD_HEAD: usize = 5;

/// How the bytes of a connection fall into pieces.
#[derive(Debug)]
enum Cut {
    /// At the ends of heads and events.
    Lines,
    /// At the ends of TLS records.
    Records(Records),
}

/// The waiting bytes of a connection that were looked at.
#[derive(Debug)]
pub(super) struct Pieces {
    cut: Cut,
    /// The lengths of those to be read alone.
    left: VecDeque<usize>,
    /// The stamp of the last.
    newest: Option<Stamp>,
    /// What they leave is the last piece: it needs no look.
    is_last: bool,
    /// Reads since a look found several stamps, but for those of which nothing waited together.
    vain: u32,
}

impl Pieces {
    pub(super) fn of_lines() -> Self {
        Self {
            cut: Cut::Lines,
            left: VecDeque::new(),
            newest: None,
            is_last: false,
            vain: 0,
        }
    }

    /// TLS begins with the next byte.
    pub(super) fn begin_tls(&mut self) {
        self.cut = Cut::Records(Records::default());
    }

    /// Reads the next piece, or all there is where nothing was late. True when there is no more.
    pub(super) fn read(
        &mut self,
        tcp: &TcpStream,
        bytes: &mut [u8],
    ) -> io::Result<(usize, Option<Stamp>, bool)> {
        let is_new = self.left.is_empty() && !self.is_last;
        if is_new && arrival::is_late() {
            if self.vain < MAX_VAIN || self.vain.is_multiple_of(SELDOM) {
                let (length, stamp) = arrival::peek(tcp, bytes)?;
                self.look_at(&bytes[..length], stamp);
            } else {
                self.vain += 1;
            }
        }
        let is_first = is_new && !self.left.is_empty();
        let room = bytes.len();
        let piece = self.left.pop_front();
        let (length, stamp) = match piece {
            Some(piece) => arrival::receive(tcp, &mut bytes[..piece.min(room)])?,
            None => arrival::receive(tcp, bytes)?,
        };
        if let Cut::Records(records) = &mut self.cut {
            records.pass(&bytes[..length]);
        }
        match piece {
            Some(piece) if length < piece => self.left.push_front(piece - length),
            // So have all that wait behind it.
            Some(_) if stamp == self.newest => {
                self.left.clear();
                self.vain += u32::from(is_first);
            }
            Some(_) => self.vain = 0,
            None => {}
        }
        self.is_last = piece.is_some() && self.left.is_empty();
        Ok((length, stamp, piece.is_none() && length < room))
    }

    /// Notes the pieces of what waits, but for the last, with which everything is read that has come since.
    fn look_at(&mut self, bytes: &[u8], newest: Option<Stamp>) {
        self.newest = newest;
        let mut from = 0;
        let mut records = match &self.cut {
            Cut::Lines => None,
            Cut::Records(records) => Some(records.clone()),
        };
        while self.left.len() < MAX_PIECES {
            let rest = &bytes[from..];
            let length = match &mut records {
                None => event_in(rest),
                Some(records) => records.next_in(rest),
            };
            match length {
                Some(length) if length < rest.len() => {
                    self.left.push_back(length);
                    from += length;
                }
                _ => return,
            }
        }
    }
}

/// The length of the first event with its blank line, the end of its chunk included.
fn event_in(bytes: &[u8]) -> Option<usize> {
    let mut ends = memchr::memchr_iter(b'\n', bytes);
    let end = ends.find_map(|at| match &bytes[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })?;
    let chunk_ends = bytes[end..].starts_with(b"\r\n");
    Some(end + if chunk_ends { 2 } else { 0 })
}

/// Where in a TLS record a connection is.
#[derive(Debug, Clone, Default)]
struct Records {
    /// The bytes of an incomplete head.
    head: Vec<u8>,
    /// The bytes until the record's end, once its head is known.
    left: usize,
}

impl Records {
    /// The length of what is left of the current record; `None` where it goes on behind these bytes. The next call is for
    /// what follows.
    fn next_in(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut used = 0;
        while self.left == 0 {
            self.head.push(*bytes.get(used)?);
            used += 1;
            if let [.., high, low] = self.head[..]
                && self.head.len() == RECORD_HEAD
            {
                self.head.clear();
                self.left = usize::from(u16::from_be_bytes([high, low]));
                if self.left == 0 {
                    return Some(used);
                }
            }
        }
        let body = (bytes.len() - used).min(self.left);
        self.left -= body;
        (self.left == 0).then_some(used + body)
    }

    /// These bytes were read.
    fn pass(&mut self, bytes: &[u8]) {
        let mut from = 0;
        while let Some(length) = self.next_in(&bytes[from..]) {
            from += length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mut pieces: Pieces, bytes: &[u8], lengths: &[usize]) {
        pieces.look_at(bytes, None);
        assert_eq!(pieces.left, lengths);
    }

    #[test]
    fn events_are_cut_where_servers_write() {
        let lines = Pieces::of_lines;
        check(lines(), b"", &[]);
        check(lines(), b"data: 1\n\n", &[]);
        check(lines(), b"data: 1\n\ndata: 2\n\n", &[9]);
        check(lines(), b"data: 1\r\n\r\ndata: 2\r\n\r\n", &[11]);
        // In chunks, behind a head.
        let chunked = b"a: b\r\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n9\r\nda";
        check(lines(), chunked, &[8, 14, 14]);
        check(lines(), &b"x\n\n".repeat(100), &[3; MAX_PIECES]);
        check(lines(), br#"{"no": "events"}"#, &[]);
    }

    #[test]
    fn records_are_cut_wherever_the_last_read_ended() {
        let record = |length: u8| [&[23, 3, 3, 0, length][..], &vec![7; length.into()]].concat();
        let all = [record(3), record(0), record(10), record(2)].concat();
        let tls = || {
            let mut pieces = Pieces::of_lines();
            pieces.begin_tls();
            pieces
        };
        check(tls(), &all, &[8, 5, 15]);
        for read in 0..all.len() {
            let mut pieces = tls();
            let Cut::Records(records) = &mut pieces.cut else {
                unreachable!("it was begun");
            };
            records.pass(&all[..read]);
            pieces.look_at(&all[read..], None);
            let mut ends: Vec<usize> = [8, 13, 28].into_iter().filter(|end| *end > read).collect();
            let mut from = read;
            for end in &mut ends {
                (*end, from) = (*end - from, *end);
            }
            assert_eq!(pieces.left, ends, "behind {read}");
        }
    }
}
