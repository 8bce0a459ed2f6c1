//! Detects whether the server had closed an idle connection before it received the next request.
//!
//! Servers close idle connections, and some close them soon after a response although they announced to keep them. A
//! request that crosses with such a close gets no response and was not processed. RFC 9112, section 9.3.1, allows a
//! client to send it again on a new connection; RFC 9110, section 9.2.2, requires a means to detect that it was not
//! processed. The request is sent again once, and counted, if one of these conditions holds:
//!
//! - Writing it failed.
//! - The end of the connection was followed by a reset, which is how a closed socket responds to data.
//! - The end of the connection was seen within a round trip of the network and [`CROSSING`] after the request was
//!   written. Servers that close gracefully, as llama.cpp does, end their side first and then read and discard the
//!   request, so there is no reset. No server crashes because of a request that soon; if it does, the second attempt
//!   fails and is reported.
//!
//! In all other cases the server may have crashed because of the request, which is a failure.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::RecvFlags;
use tokio::net::TcpStream;

/// How long to wait for an early response after writing the request failed.
pub(super) const LATE_ANSWER: Duration = Duration::from_millis(200);
/// A close that is seen within this time plus a round trip after the request was written has crossed with it. Longer
/// than the scheduling delay of a busy machine, shorter than a model takes to fail.
const CROSSING: Duration = Duration::from_millis(40);

/// Peeks at one byte of a socket: `None` if nothing arrived, zero if the connection has ended.
pub(super) fn peek(tcp: &TcpStream) -> io::Result<Option<usize>> {
    let mut byte = [0; 1];
    match rustix::net::recv(tcp, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((_, bytes)) => Ok(Some(bytes)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the server had closed the connection before it received the request. `error` is how the connection broke
/// before the first byte of a response; `written` is when the request was written, `None` if writing failed.
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
    // A reset after the close shows that the request arrived at a closed socket, however late that is seen.
    let refused = || is_close && !matches!(tcp.take_error(), Ok(None));
    (is_close || is_reset) && written.elapsed() <= round_trip + CROSSING || refused()
}
