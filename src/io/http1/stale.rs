//! Whether a connection that waited for its request had been closed by the server.
//!
//! Servers close connections that are idle, and some close each soon after its response although they announced to
//! keep it. A request that crosses with such a close gets no response, and was not processed. RFC 9112, section
//! 9.3.1, lets a client send it again on a new connection; RFC 9110, section 9.2.2, forbids that for a POST whose
//! processing may have begun. So only proof counts that the server has not received the request in full:
//!
//! - Writing it failed.
//! - The server's system refused it with a reset. A socket that is closed answers so what still arrives, and one that
//!   is closed with unread bytes is reset. A close behind a request that was read in full is no reset. A program may
//!   also reset a connection after it has read a request: a reset without a close before it counts only as long as
//!   the answer of the server's system to the request itself may take.
//! - The close was seen sooner than the request can have reached the server: within one round trip of the network.
//!
//! Everything else may be a server that received the request and died of it, which is a failure.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::RecvFlags;
use tokio::net::TcpStream;

/// How long an answer is waited for that came before the connection broke under the request.
pub(super) const LATE_ANSWER: Duration = Duration::from_millis(200);
/// What this machine may be late to see what has happened.
const SLACK: Duration = Duration::from_millis(20);
/// A shorter round trip cannot be told from what a program takes to answer.
const SHORTEST_TRIP: Duration = Duration::from_millis(1);

/// What lies in a socket unread: nothing, or so many bytes, at most one; none of them is the connection's end.
pub(super) fn peek(tcp: &TcpStream) -> io::Result<Option<usize>> {
    let mut byte = [0; 1];
    match rustix::net::recv(tcp, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((_, bytes)) => Ok(Some(bytes)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a connection that broke with `error` before the first byte of a response proves that the server has not
/// received the request in full. `written`: when the request had been written, `None` when writing failed.
pub(super) async fn is_proof(
    tcp: &TcpStream,
    error: &io::Error,
    written: Option<Instant>,
    round_trip: Duration,
) -> bool {
    let is_close = error.kind() == ErrorKind::UnexpectedEof;
    let is_reset = matches!(
        error.kind(),
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
            | ErrorKind::WriteZero
    );
    let Some(written) = written else { return is_close || is_reset };
    let seen = written.elapsed();
    if is_reset {
        return seen <= round_trip + SLACK;
    }
    if !is_close {
        return false;
    }
    if round_trip >= SHORTEST_TRIP && seen < round_trip {
        return true;
    }
    // Behind the close comes the refusal, if the request met a closed socket.
    loop {
        if !matches!(tcp.take_error(), Ok(None)) {
            return true;
        }
        if written.elapsed() > round_trip + SLACK {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
