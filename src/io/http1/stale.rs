//! Detects whether the server had closed an idle connection before it received the next request.
//!
//! Servers close idle connections, and some close them soon after a response although they announced to keep them. A
//! request that crosses with such a close gets no response and was not processed. RFC 9112, section 9.3.1, allows a
//! client to send it again on a new connection; RFC 9110, section 9.2.2, requires a means to detect that it was not
//! processed. It was not, if one of these conditions holds:
//!
//! - Writing it failed.
//! - The end of the connection was followed by a reset, which is how a closed socket responds to data.
//! - The end was seen within one round trip of the network after the request was written: it left before the request
//!   arrived.
//! - The server ended the idle connection with HTTP 408, as HAProxy does.
//!
//! A connection that ends otherwise within a round trip and [`CROSSING`] tells nothing: llama.cpp ends its side, then
//! reads and discards the request, and load balancers reset connections that they have forgotten; a program that
//! crashed because of the request looks the same. Such a request is sent again as well, and for a while no connection to
//! that server is used again ([`Doubt`]): so hardly a request is sent twice, whichever it was.
//!
//! In all other cases the server may have crashed because of the request, which is a failure.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::SockRef;
use tokio::net::TcpStream;

/// How long to wait for an early response after writing the request failed.
pub(super) const LATE_ANSWER: Duration = Duration::from_millis(200);
/// A close that is seen within this time plus a round trip after the request was written has crossed with it. Longer
/// than the scheduling delay of a busy machine, shorter than a model takes to fail.
pub(super) const CROSSING: Duration = Duration::from_millis(40);

/// For how long no connection is used again after the first close that tells nothing; twice as long after each other.
const FIRST_DOUBT: Duration = Duration::from_secs(1);
const MAX_DOUBT: Duration = Duration::from_secs(600);

/// Whether connections to a server may be used again. Shared by all connections to it.
#[derive(Debug, Default)]
pub(super) struct Doubt(Mutex<Option<(Instant, Duration)>>);

impl Doubt {
    /// Whether no connection is to be used again now.
    pub(super) fn holds(&self) -> bool {
        let doubt = *self.0.lock();
        doubt.is_some_and(|(since, lasts)| since.elapsed() < lasts)
    }

    /// A close told nothing.
    fn begin(&self) {
        let mut doubt = self.0.lock();
        *doubt = match *doubt {
            // Of a request that was on its way already.
            Some((since, lasts)) if since.elapsed() < lasts => return,
            Some((_, lasts)) => Some((Instant::now(), (lasts * 2).min(MAX_DOUBT))),
            None => Some((Instant::now(), FIRST_DOUBT)),
        };
    }
}

/// Peeks at one byte of a socket: `None` if nothing arrived, zero if the connection has ended. Does not wait, since
/// tokio's sockets never do.
pub(super) fn peek(tcp: &TcpStream) -> io::Result<Option<usize>> {
    let mut byte = [MaybeUninit::uninit()];
    match SockRef::from(tcp).peek(&mut byte) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether a request is to be sent again. `error` is how the connection broke before the first byte of a response;
/// `written` is when the request was written, `None` if writing failed.
pub(super) fn crossed(
    tcp: &TcpStream,
    error: &io::Error,
    written: Option<Instant>,
    round_trip: Duration,
    doubt: &Doubt,
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
    let after = written.elapsed();
    // On this machine bytes arrive while they are written, and a handshake measures the processor.
    let local = tcp.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
    let left_before = is_close && !local && after <= round_trip;
    // A reset after the close shows that the request arrived at a closed socket, however late that is seen.
    if left_before || (is_close && !matches!(tcp.take_error(), Ok(None))) {
        return true;
    }
    let soon = (is_close || is_reset) && after <= round_trip + CROSSING;
    if soon {
        doubt.begin();
    }
    soon
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubt_lasts_longer_each_time_and_not_for_requests_of_the_same_moment() {
        let doubt = Doubt::default();
        assert!(!doubt.holds());
        doubt.begin();
        doubt.begin();
        assert!(doubt.holds());
        let lasts = |doubt: &Doubt| doubt.0.lock().map(|(_, lasts)| lasts);
        assert_eq!(lasts(&doubt), Some(FIRST_DOUBT));
        *doubt.0.lock() = Some((Instant::now(), Duration::ZERO));
        assert!(!doubt.holds());
        let over = Instant::now().checked_sub(2 * FIRST_DOUBT).expect("uptime");
        *doubt.0.lock() = Some((over, FIRST_DOUBT));
        doubt.begin();
        assert_eq!(
            (doubt.holds(), lasts(&doubt)),
            (true, Some(2 * FIRST_DOUBT))
        );
    }
}
