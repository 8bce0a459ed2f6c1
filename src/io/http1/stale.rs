//! Whether a connection that waited for its request had been closed by the server.
//!
//! Servers close connections that are idle, and some close each soon after its response although they announced to
//! keep it. A request that crosses with such a close gets no response, and was not processed. RFC 9112, section
//! 9.3.1, lets a client send it again on a new connection; RFC 9110, section 9.2.2, asks for a means to detect that it
//! was not processed. It is sent again once, and counted, when one of these holds:
//!
//! - Writing it failed.
//! - The end of the connection was followed by a reset: what still arrives at a closed socket is answered so.
//! - The end of the connection was seen within a round trip of the network and [`CROSSING`] after the request was
//!   written. Most closed sockets refuse what still arrives with a reset. Servers that close in good order, as
//!   llama.cpp does, end their side first and then read and drop it, so that no reset tells. No model dies of a
//!   request that soon; where the server does die of it, the second attempt fails and is told.
//!
//! Everything else may be a server that received the request and died of it, which is a failure.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::RecvFlags;
use tokio::net::TcpStream;

/// How long an answer is waited for that came before the connection broke under the request.
pub(super) const LATE_ANSWER: Duration = Duration::from_millis(200);
/// The end of a connection is taken to have crossed the request when it is seen within this time (and a round trip)
/// after the request was written. Longer than a busy machine is late to see it, shorter than a model takes to fail.
const CROSSING: Duration = Duration::from_millis(40);

/// What lies in a socket unread: nothing, or so many bytes, at most one; none of them is the connection's end.
pub(super) fn peek(tcp: &TcpStream) -> io::Result<Option<usize>> {
    let mut byte = [0; 1];
    match rustix::net::recv(tcp, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((_, bytes)) => Ok(Some(bytes)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a connection that broke with `error` before the first byte of a response had been closed by the server
/// before the request came. `written`: when the request had been written, `None` when writing failed.
pub(super) fn crossed(
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
    let Some(written) = written else {
        return is_close || is_reset;
    };
    // Behind the close came a reset: the request met a closed socket, however late that is seen.
    let refused = || is_close && !matches!(tcp.take_error(), Ok(None));
    (is_close || is_reset) && written.elapsed() <= round_trip + CROSSING || refused()
}
