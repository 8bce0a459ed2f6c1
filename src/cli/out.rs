//! Everything is printed through this module: control characters in foreign text never reach a terminal, and a write
//! that fails is always reported.
//!
//! Nothing else in `cli` opens standard output or standard error (`tests/it/printed.rs` reads the sources).

use std::io::{self, ErrorKind, IsTerminal as _, Write};

use crate::domain::failure::Failure;
use crate::domain::printable::{self, Printable};
use parking_lot::Mutex;

/// Exit code of a command that failed.
const FAILED: u8 = 1;

/// The first write that failed, of standard output and of standard error.
static TROUBLE: [Mutex<Option<ErrorKind>>; 2] = [Mutex::new(None), Mutex::new(None)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Output,
    Error,
}

/// A way to standard output or standard error. Bytes that are no UTF-8 are printed as U+FFFD.
#[derive(Debug)]
pub(super) struct Door {
    stream: Stream,
    /// `None`: bytes pass as they are.
    filter: Option<Printable>,
    /// The beginning of a character whose end has not come yet.
    partial: Vec<u8>,
}

/// Standard output, for tables, reports and messages.
pub(super) fn stdout() -> Door {
    Door::to(Stream::Output, true)
}

/// Standard output, for content that a pipe or a file gets unchanged: an answer, an export. On a terminal it is as
/// [`stdout`].
pub(super) fn content() -> Door {
    Door::to(Stream::Output, is_terminal())
}

/// Standard error.
pub(super) fn stderr() -> Door {
    Door::to(Stream::Error, true)
}

/// Standard output, for another program: bytes pass as they are.
pub(super) fn bytes() -> Door {
    Door::to(Stream::Output, false)
}

/// Whether standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether standard error is one.
pub(super) fn errors_are_on_a_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Columns of the terminal that standard output is; `None` when it is none.
pub(super) fn width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into())
}

/// Columns of the terminal that standard error is.
pub(super) fn error_width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| width.0.into())
}

/// Draws the last line of the terminal anew; an empty text leaves it empty.
pub(super) fn redraw(text: &str) {
    // A failure is kept for the end, here and below.
    let line = format!("\r{}\x1b[K", printable::one_line(text));
    let _ = pass(Stream::Error, line.as_bytes()).and_then(|()| flush(Stream::Error));
}

/// Help or a version, in the terminal's styles; or what is wrong with the arguments, which may quote hostile ones.
pub(super) fn clap(error: &clap::Error) {
    let stream = if error.use_stderr() {
        Stream::Error
    } else {
        Stream::Output
    };
    let text = error.render();
    let plain = text.to_string();
    let shown = printable::printable(&plain);
    let terminal = if error.use_stderr() {
        errors_are_on_a_terminal()
    } else {
        is_terminal()
    };
    let colors = terminal
        && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    let _ = match colors && shown == plain {
        true => pass(stream, text.ansi().to_string().as_bytes()),
        false => pass(stream, shown.as_bytes()),
    };
}

/// Whether a write to standard output has failed.
pub(super) fn has_failed() -> bool {
    trouble(Stream::Output).is_some()
}

/// Writes what is left and gives the program's exit code: `code`, unless something could not be written. That is told,
/// except when the reader of a pipe has gone, e.g. `head`: `tell` prints it.
pub(super) fn finish(code: u8, tell: impl FnOnce(&Failure)) -> u8 {
    let _ = flush(Stream::Output);
    let _ = flush(Stream::Error);
    let worst = |code: u8| if code == 0 { FAILED } else { code };
    match trouble(Stream::Output) {
        None if trouble(Stream::Error).is_some_and(|kind| kind != ErrorKind::BrokenPipe) => {
            worst(code)
        }
        None => code,
        Some(ErrorKind::BrokenPipe) => worst(code),
        Some(kind) => {
            let why = crate::io::why(&io::Error::from(kind));
            tell(&Failure::new(
                format!("The output could not be written: {why}"),
                "What was printed is not complete. Make room on the disk, or send the output elsewhere",
            ));
            FAILED
        }
    }
}

impl Door {
    fn to(stream: Stream, filtered: bool) -> Self {
        Self {
            stream,
            filter: filtered.then(Printable::default),
            partial: Vec::new(),
        }
    }
}

impl Write for Door {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(filter) = &mut self.filter else {
            return pass(self.stream, bytes).map(|()| bytes.len());
        };
        let mut text = String::with_capacity(bytes.len());
        let mut rest = std::mem::take(&mut self.partial);
        rest.extend_from_slice(bytes);
        let mut chunks = rest.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            filter.push(chunk.valid(), &mut text);
            let broken = chunk.invalid();
            if chunks.peek().is_none() && is_cut(broken) {
                self.partial = broken.to_vec();
            } else if !broken.is_empty() {
                filter.push("\u{fffd}", &mut text);
            }
        }
        pass(self.stream, text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        flush(self.stream)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let Some(filter) = &mut self.filter else {
            return;
        };
        let mut text = String::new();
        if !self.partial.is_empty() {
            filter.push("\u{fffd}", &mut text);
        }
        filter.end(&mut text);
        if !text.is_empty() {
            let _ = pass(self.stream, text.as_bytes());
        }
    }
}

/// Whether more bytes may make a character of these.
fn is_cut(bytes: &[u8]) -> bool {
    let needed = match bytes.first() {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => return false,
    };
    bytes.len() < needed
}

fn pass(stream: Stream, bytes: &[u8]) -> io::Result<()> {
    keep(
        stream,
        match stream {
            Stream::Output => io::stdout().lock().write_all(bytes),
            Stream::Error => io::stderr().lock().write_all(bytes),
        },
    )
}

fn flush(stream: Stream) -> io::Result<()> {
    keep(
        stream,
        match stream {
            Stream::Output => io::stdout().lock().flush(),
            Stream::Error => io::stderr().lock().flush(),
        },
    )
}

/// Keeps the first failure for [`finish`].
fn keep(stream: Stream, outcome: io::Result<()>) -> io::Result<()> {
    if let Err(error) = &outcome {
        let mut kept = TROUBLE[stream as usize].lock();
        kept.get_or_insert(error.kind());
    }
    outcome
}

fn trouble(stream: Stream) -> Option<ErrorKind> {
    *TROUBLE[stream as usize].lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_a_character_waits_for_more() {
        for (bytes, cut) in [
            (&b"\xe2\x82"[..], true),
            (b"\xf0\x9f\x98", true),
            (b"\xc3", true),
            (b"", false),
            (b"\xff", false),
            (b"\x9b", false),
        ] {
            assert_eq!(is_cut(bytes), cut, "{bytes:?}");
        }
    }
}
