//! HTTP/1.1: one connection, one request at a time, read on the very task that waits for it.
//!
//! Chats, probes and benchmarks all go through here. Bytes are stamped as the system call that brought them
//! returns, and are decoded where they lie. `cargo bench --bench truth` compares it with a bare reader.

mod body;
mod dial;
mod error;
mod head;
mod response;
mod stale;
mod unpack;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use self::body::{Body, Telling};
use self::head::{MOST_HEAD, read_head};

pub use self::dial::{ACCEPT_CHAT, Ask, Dialer};
pub use self::error::{Lack, ProxyError, WireError};
pub use self::head::ResponseHead;
pub use self::response::{Pool, Response};
pub use self::unpack::{Compressed, Unpacker};

/// One read takes at most so much.
const BUFFER: usize = 64 << 10;

thread_local! {
    /// Every connection of a thread reads into the same memory: two thousand streams need one buffer.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// What hears of a response.
pub trait Sink {
    /// The head, and when it was there.
    fn head(&mut self, at: Instant, head: ResponseHead);
    /// Bytes of the body and when they arrived. False: the answer is complete, nothing more is wanted.
    fn body(&mut self, at: Instant, bytes: &[u8]) -> bool;
    /// All that came in one read was told; it was read at `at`.
    fn read(&mut self, at: Instant) {
        let _ = at;
    }
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The body is at its end.
    Whole,
    /// The sink had enough.
    Enough,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// TLS through an `https://` proxy.
    Nested(Box<TlsStream<TlsStream<TcpStream>>>),
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
            Self::Nested(tls) => tls.get_ref().0.get_ref().0,
        }
    }
}

/// An open connection.
pub struct Connection {
    stream: Stream,
    /// A response that was read as far as anyone cared; its end is still to come.
    unfinished: Option<Reading>,
    /// No further request may follow.
    spoiled: bool,
    /// It has waited for its request: the server may have closed it meanwhile.
    waited: bool,
    /// How long opening the TCP connection took: one round trip of the network.
    round_trip: Duration,
    /// When its last response ended, or when it was opened.
    idle_since: Instant,
    /// How long the server keeps it without a request, where it says so.
    idle_limit: Option<Duration>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("spoiled", &self.spoiled)
            .finish_non_exhaustive()
    }
}

impl Connection {
    fn new(stream: Stream, round_trip: Duration) -> Self {
        Self {
            stream,
            unfinished: None,
            spoiled: false,
            waited: false,
            round_trip,
            idle_since: Instant::now(),
            idle_limit: None,
        }
    }

    /// Whether another request may follow on a connection that has waited for one: both sides kept it open, and
    /// nothing came unasked.
    pub fn is_usable(&mut self) -> bool {
        self.waited = true;
        // A request takes time to get there: one just before the server's limit would be too late.
        let limit = self.idle_limit.map(|limit| {
            limit
                .saturating_sub(Duration::from_millis(500))
                .max(limit / 2)
        });
        if self.spoiled || limit.is_some_and(|limit| self.idle_since.elapsed() >= limit) {
            return false;
        }
        match stale::peek(self.stream.tcp()) {
            Ok(None) => true,
            // Of TLS it may be something that is not for us, e.g. a session ticket.
            Ok(Some(bytes)) if bytes > 0 && !matches!(self.stream, Stream::Plain(_)) => {
                let mut byte = [0; 1];
                let mut context = Context::from_waker(Waker::noop());
                self.poll_read(&mut context, &mut ReadBuf::new(&mut byte))
                    .is_pending()
            }
            Ok(Some(_)) | Err(_) => false,
        }
    }

    /// Sends a request and tells `sink` its response. Afterwards [`Self::is_usable`] says whether the
    /// connection is good for another; after an error, or when this is dropped midway, it is not.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no HTTP/1.1. [`WireError::Stale`] when the server had closed a
    /// connection that waited: it has not received the request in full, which may be sent again.
    pub async fn exchange(
        &mut self,
        request: &[u8],
        sink: &mut (impl Sink + Send),
    ) -> Result<Ended, WireError> {
        let mut reading = Reading::default();
        match self.begin(request, &mut reading, sink).await? {
            Go::On => self.read_on(reading, sink).await,
            go => Ok(self.ended(go, reading)),
        }
    }

    /// Sends a request and reads the first bytes of its response.
    async fn begin(
        &mut self,
        request: &[u8],
        reading: &mut Reading,
        sink: &mut (impl Sink + Send),
    ) -> Result<Go, WireError> {
        self.spoiled = true;
        let (written_at, first) = match self.write(request, reading, sink).await {
            // It answers what it has not received: nothing may follow.
            Ok(Some(go)) => {
                reading.cut_off = true;
                return Ok(go);
            }
            Ok(None) => (Some(Instant::now()), self.step(reading, sink).await),
            // A refusal may lie before the end: a server need not read a request to answer it.
            Err(error) => {
                match tokio::time::timeout(stale::LATE_ANSWER, self.step(reading, sink)).await {
                    Ok(Ok(go)) => {
                        reading.cut_off = true;
                        (None, Ok(go))
                    }
                    _ => (None, Err(error)),
                }
            }
        };
        match first {
            Err(WireError::Broken(error)) if self.waited && !reading.begun => {
                let stale = stale::crossed(self.stream.tcp(), &error, written_at, self.round_trip);
                Err(if stale {
                    WireError::Stale(error)
                } else {
                    WireError::Broken(error)
                })
            }
            other => other,
        }
    }

    /// Writes a request. Gives what the server answers before it has received all of it.
    async fn write(
        &mut self,
        request: &[u8],
        reading: &mut Reading,
        sink: &mut (impl Sink + Send),
    ) -> Result<Option<Go>, WireError> {
        let mut left = request;
        let mut flushed = false;
        poll_fn(|context| {
            while !left.is_empty() {
                match self.poll_write(context, left) {
                    Poll::Ready(Ok(0)) => {
                        return Poll::Ready(Err(WireError::Broken(
                            io::ErrorKind::WriteZero.into(),
                        )));
                    }
                    Poll::Ready(Ok(written)) => left = &left[written..],
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(WireError::Broken(error))),
                    Poll::Pending => {
                        return self
                            .poll_step(context, reading, sink)
                            .map(|step| step.map(Some));
                    }
                }
            }
            if !flushed {
                match self.poll_flush(context) {
                    Poll::Ready(done) => done.map_err(WireError::Broken)?,
                    Poll::Pending => {
                        return self
                            .poll_step(context, reading, sink)
                            .map(|step| step.map(Some));
                    }
                }
                flushed = true;
            }
            Poll::Ready(Ok(None))
        })
        .await
    }

    /// Whether [`Self::drain`] has anything to read.
    pub fn is_drained(&self) -> bool {
        self.unfinished.is_none()
    }

    /// Reads an answer that the sink had enough of to its end, so that the connection can be used again.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub async fn drain(&mut self) -> Result<(), WireError> {
        struct Deaf;
        impl Sink for Deaf {
            fn head(&mut self, _: Instant, _: ResponseHead) {}
            fn body(&mut self, _: Instant, _: &[u8]) -> bool {
                true
            }
        }
        while let Some(reading) = self.unfinished.take() {
            let reading = Reading {
                enough: false,
                ..reading
            };
            self.read_on(reading, &mut Deaf).await?;
        }
        Ok(())
    }

    async fn read_on(
        &mut self,
        mut reading: Reading,
        sink: &mut (impl Sink + Send),
    ) -> Result<Ended, WireError> {
        loop {
            match self.step(&mut reading, sink).await? {
                Go::On => {}
                go => return Ok(self.ended(go, reading)),
            }
        }
    }

    /// One read.
    async fn step(
        &mut self,
        reading: &mut Reading,
        sink: &mut (impl Sink + Send),
    ) -> Result<Go, WireError> {
        poll_fn(|context| self.poll_step(context, reading, sink)).await
    }

    fn poll_step(
        &mut self,
        context: &mut Context<'_>,
        reading: &mut Reading,
        sink: &mut (impl Sink + Send),
    ) -> Poll<Result<Go, WireError>> {
        READ.with_borrow_mut(|memory| {
            let mut buffer = ReadBuf::new(memory);
            match self.poll_read(context, &mut buffer) {
                Poll::Pending => Poll::Pending,
                // A server that leaves out TLS's goodbye has ended its response as well as one that only closes.
                Poll::Ready(Err(error))
                    if error.kind() == io::ErrorKind::UnexpectedEof
                        && reading.ends_with_connection() =>
                {
                    Poll::Ready(reading.take(Instant::now(), &[], sink))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(WireError::Broken(error))),
                Poll::Ready(Ok(())) => {
                    let at = Instant::now();
                    Poll::Ready(reading.take(at, buffer.filled(), sink))
                }
            }
        })
    }

    /// Puts a response aside whose sink has enough, or notes that it is at its end.
    fn ended(&mut self, go: Go, reading: Reading) -> Ended {
        if matches!(go, Go::Enough) {
            self.unfinished = Some(reading);
            return Ended::Enough;
        }
        self.spoiled = !reading.keep || reading.cut_off;
        self.idle_since = Instant::now();
        self.idle_limit = reading.idle_limit;
        if reading.enough {
            Ended::Enough
        } else {
            Ended::Whole
        }
    }

    /// The certificate that the server showed, in DER; `None` without TLS.
    pub fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        let shown = match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(tls) => tls.get_ref().1.peer_certificates(),
            Stream::Nested(tls) => tls.get_ref().1.peer_certificates(),
        };
        shown?.first()
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_read(context, buffer),
            Stream::Nested(tls) => Pin::new(tls.as_mut()).poll_read(context, buffer),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_write(context, bytes),
            Stream::Nested(tls) => Pin::new(tls.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(_) => Poll::Ready(Ok(())),
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(context),
            Stream::Nested(tls) => Pin::new(tls.as_mut()).poll_flush(context),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        // A goodbye where there is room for one; nobody waits for it.
        let _ = match &mut self.stream {
            Stream::Plain(_) => return,
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(&mut context),
            Stream::Nested(tls) => Pin::new(tls.as_mut()).poll_shutdown(&mut context),
        };
    }
}

enum Go {
    On,
    /// The sink has enough and the body's end did not come with it.
    Enough,
    Whole,
}

/// A response as far as it was read.
#[derive(Debug, Default)]
struct Reading {
    /// The head's bytes until it is whole.
    head: Vec<u8>,
    body: Option<Body>,
    enough: bool,
    /// The connection may be used again.
    keep: bool,
    /// It came before the request was sent in full.
    cut_off: bool,
    /// Any byte of a response came, also of one that is only a hint (1xx).
    begun: bool,
    /// How long the server keeps the connection without a request.
    idle_limit: Option<Duration>,
}

impl Reading {
    /// The connection's end is the body's.
    fn ends_with_connection(&self) -> bool {
        matches!(self.body, Some(Body::UntilClose))
    }

    fn take(&mut self, at: Instant, bytes: &[u8], sink: &mut impl Sink) -> Result<Go, WireError> {
        if bytes.is_empty() {
            // The connection's end; it may be the body's.
            self.keep = false;
            return match &self.body {
                Some(Body::UntilClose) => Ok(Go::Whole),
                _ if self.begun => Err(WireError::Broken(io::ErrorKind::UnexpectedEof.into())),
                _ => Err(WireError::Broken(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the connection was closed before any byte of a response",
                ))),
            };
        }
        self.begun = true;
        if self.body.is_some() {
            return self.take_body(at, bytes, sink);
        }
        // The usual head comes in one read and is parsed where it lies.
        let held = if self.head.is_empty() {
            None
        } else {
            self.head.extend_from_slice(bytes);
            Some(std::mem::take(&mut self.head))
        };
        let mut bytes = held.as_deref().unwrap_or(bytes);
        loop {
            let Some((head, used)) = read_head(bytes)? else {
                if bytes.len() > MOST_HEAD {
                    return Err(WireError::not_http("the response's head has no end", &[]));
                }
                self.head = bytes.to_vec();
                return Ok(Go::On);
            };
            bytes = &bytes[used..];
            // 1xx: the real one follows.
            if !(100..200).contains(&head.status) {
                self.body = Some(Body::of(&head)?);
                self.keep = head.keeps_open();
                self.idle_limit = head.idle_limit();
                sink.head(at, head);
                return self.take_body(at, bytes, sink);
            }
        }
    }

    fn take_body(
        &mut self,
        at: Instant,
        mut bytes: &[u8],
        sink: &mut impl Sink,
    ) -> Result<Go, WireError> {
        let Some(body) = &mut self.body else {
            return Ok(Go::On);
        };
        let whole = body.take(
            &mut bytes,
            &mut Telling {
                sink,
                at,
                enough: &mut self.enough,
            },
        );
        sink.read(at);
        let whole = whole?;
        if whole {
            self.keep &= bytes.is_empty();
            return Ok(Go::Whole);
        }
        Ok(if self.enough { Go::Enough } else { Go::On })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Heard {
        status: u16,
        body: Vec<u8>,
    }

    impl Sink for Heard {
        fn head(&mut self, _: Instant, head: ResponseHead) {
            self.status = head.status;
        }
        fn body(&mut self, _: Instant, bytes: &[u8]) -> bool {
            self.body.extend_from_slice(bytes);
            !self.body.ends_with(b"STOP")
        }
    }

    /// Reads a response that comes in pieces: status, body, whether it was whole and may be used again.
    fn read(pieces: &[&[u8]]) -> Result<(u16, String, bool, bool), String> {
        let mut reading = Reading::default();
        let mut heard = Heard::default();
        let mut whole = false;
        for piece in pieces {
            match reading
                .take(Instant::now(), piece, &mut heard)
                .map_err(|error| error.to_string())?
            {
                Go::Whole => whole = true,
                Go::On | Go::Enough => {}
            }
        }
        Ok((
            heard.status,
            String::from_utf8_lossy(&heard.body).into_owned(),
            whole,
            whole && reading.keep,
        ))
    }

    #[track_caller]
    fn check_read(text: &str, status: u16, body: &str, keep: bool) {
        assert_eq!(
            read(&[text.as_bytes()]),
            Ok((status, body.to_owned(), true, keep)),
            "{text:?}"
        );
    }

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n wonderful\r\n0\r\nt: 1\r\n\r\n";

    #[test]
    fn bodies_end_as_the_standard_says() {
        check_read(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            200,
            "hi",
            true,
        );
        check_read(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            200,
            "",
            true,
        );
        check_read(CHUNKED, 200, "hello wonderful", true);
        check_read(
            "HTTP/1.1 429 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
            429,
            "hi",
            false,
        );
        check_read(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            200,
            "hi",
            true,
        );
        check_read(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi unasked",
            200,
            "hi",
            false,
        );
        assert_eq!(
            read(&[b"HTTP/1.1 200 OK\r\n\r\nuntil", b" the end", b""]),
            Ok((200, "until the end".to_owned(), true, false))
        );
    }

    #[test]
    fn a_response_that_is_cut_is_an_error() {
        assert!(read(&[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", b""]).is_err());
        assert!(read(&[b"HTTP/1.1 200", b""]).is_err());
        assert!(read(&[&CHUNKED.as_bytes()[..70], b""]).is_err());
        assert!(read(&[b"SSH-2.0-OpenSSH_9.2\r\n"]).is_err());
        assert!(read(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"]).is_err());
    }

    proptest! {
        #[test]
        fn where_the_network_cuts_changes_nothing(cuts in prop::collection::vec(1..CHUNKED.len(), 0..9)) {
            let bytes = CHUNKED.as_bytes();
            let mut at = cuts;
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            at.dedup();
            let pieces: Vec<&[u8]> = at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(read(&pieces), read(&[bytes]));
        }

        #[test]
        fn no_bytes_make_it_panic(junk in prop::collection::vec(any::<u8>(), 1..80)) {
            let head: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let _ = read(&[head, &junk]);
            let _ = read(&[&junk]);
        }
    }
}
