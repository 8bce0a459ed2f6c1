//! An HTTP/1.1 client for chats, probes and benchmarks: one request at a time per connection, read on the task that
//! waits for it.
//!
//! Bytes have the time at which the kernel received them, or else that of their read ([`crate::io::arrival`]), and are
//! decoded in place. `cargo bench --bench truth` compares it with a bare reader.

mod body;
mod dial;
mod error;
mod head;
mod incoming;
mod pieces;
mod response;
mod socket;
mod stale;
mod tcp;
mod through;
mod unpack;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use self::incoming::{Progress, ResponseState};
use self::socket::Socket;
use super::arrival::Arrival;

pub use self::dial::{ACCEPT_CHAT, Ask, Dialer};
pub use self::error::{Lack, ProxyError, WireError};
pub use self::head::ResponseHead;
pub use self::response::{Pool, Response};
pub use self::unpack::{Compressed, Unpacker};

const READ_BYTES: usize = 64 << 10;

thread_local! {
    /// Shared by all connections of a thread: two thousand streams need only one buffer.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Receives a response as it arrives.
pub trait Sink {
    /// The first byte of the request is about to be written.
    fn sent(&mut self, at: Instant) {
        let _ = at;
    }
    /// The head, and when it was complete.
    fn head(&mut self, at: Instant, head: ResponseHead);
    /// Bytes of the body and when they arrived. Returns false if the response is complete and no more bytes are needed.
    fn body(&mut self, at: Instant, bytes: &[u8]) -> bool;
    /// All bytes of a read were delivered.
    fn read(&mut self, arrival: Arrival) {
        let _ = arrival;
    }
    /// The response ended.
    fn end(&mut self, at: Instant) {
        let _ = at;
    }
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The body was read to its end.
    Whole,
    /// The sink needed no more bytes.
    Enough,
}

enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
    /// TLS through an `https://` proxy.
    Nested(Box<TlsStream<TlsStream<Socket>>>),
}

impl Stream {
    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.get_ref().0,
            Self::Nested(tls) => tls.get_ref().0.get_ref().0,
        }
    }
}

/// An open connection.
pub struct HttpConnection {
    stream: Stream,
    /// A response whose sink needed no more bytes; its end is not read yet.
    unfinished: Option<ResponseState>,
    /// The connection cannot be used for another request.
    spoiled: bool,
    /// It was idle before its request: the server may have closed it meanwhile.
    waited: bool,
    /// Nothing of its response can have arrived before: when its request was written, or its last bytes arrived.
    heard: Instant,
    /// The duration of the TCP handshake: one network round trip.
    round_trip: Duration,
    doubt: Arc<stale::Doubt>,
    /// When its last response ended, or when it was opened.
    idle_since: Instant,
    /// How long the server keeps an idle connection, if it says so.
    idle_limit: Option<Duration>,
}

impl std::fmt::Debug for HttpConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpConnection")
            .field("spoiled", &self.spoiled)
            .finish_non_exhaustive()
    }
}

impl HttpConnection {
    fn new(stream: Stream, round_trip: Duration, doubt: Arc<stale::Doubt>) -> Self {
        let opened = Instant::now();
        Self {
            stream,
            unfinished: None,
            spoiled: false,
            waited: false,
            heard: opened,
            round_trip,
            doubt,
            idle_since: opened,
            idle_limit: None,
        }
    }

    /// Whether an idle connection can be used again: both sides kept it open, and the server sent nothing.
    pub fn is_usable(&mut self) -> bool {
        self.waited = true;
        // A request sent just before the server's limit would arrive too late.
        let limit = self.idle_limit.map(|limit| {
            limit
                .saturating_sub(Duration::from_millis(500))
                .max(limit / 2)
        });
        let spoiled = self.spoiled || self.doubt.holds();
        if spoiled || limit.is_some_and(|limit| self.idle_since.elapsed() >= limit) {
            return false;
        }
        match stale::peek(self.stream.socket().tcp()) {
            Ok(None) => true,
            // With TLS it may be a protocol message, e.g. a session ticket.
            Ok(Some(bytes)) if bytes > 0 && !matches!(self.stream, Stream::Plain(_)) => {
                let mut byte = [0; 1];
                let mut context = Context::from_waker(Waker::noop());
                self.poll_read(&mut context, &mut ReadBuf::new(&mut byte))
                    .is_pending()
            }
            Ok(Some(_)) | Err(_) => false,
        }
    }

    /// Sends a request and passes the response to `sink`. Afterwards, [`Self::is_usable`] says whether the connection
    /// can be used again. After an error, or if this is dropped midway, it cannot.
    ///
    /// # Errors
    /// When the connection breaks, or the response is not HTTP/1.1. [`WireError::Stale`] when the server closed an idle
    /// connection as the request was sent, which can be sent again.
    pub async fn exchange(
        &mut self,
        request: &[u8],
        sink: &mut (impl Sink + Send),
    ) -> Result<Ended, WireError> {
        let mut reading = ResponseState::default();
        match self.begin(request, &mut reading, sink).await? {
            Progress::On => self.read_on(reading, sink).await,
            go => Ok(self.ended(go, reading)),
        }
    }

    /// Sends a request and reads the first bytes of its response.
    async fn begin(
        &mut self,
        request: &[u8],
        reading: &mut ResponseState,
        sink: &mut (impl Sink + Send),
    ) -> Result<Progress, WireError> {
        self.spoiled = true;
        let unasked = self.round_trip + stale::CROSSING;
        self.heard = Instant::now();
        sink.sent(self.heard);
        if self.waited {
            reading.unasked_until = Some(self.heard + unasked);
        }
        let (written_at, first) = match self.write(request, reading, sink).await {
            // The response came before the whole request was sent: the connection cannot be used again.
            Ok(Some(go)) => {
                reading.cut_off = true;
                return Ok(go);
            }
            Ok(None) => {
                let written_at = Instant::now();
                let until = &mut reading.unasked_until;
                *until = until.map(|_| written_at + unasked);
                (Some(written_at), self.step(reading, sink).await)
            }
            // The server may have sent a refusal and closed the connection without reading the request.
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
                let stale = stale::crossed(
                    self.stream.socket().tcp(),
                    &error,
                    written_at,
                    self.round_trip,
                    &self.doubt,
                );
                Err(if stale {
                    WireError::Stale(error)
                } else {
                    WireError::Broken(error)
                })
            }
            other => other,
        }
    }

    /// Writes a request. Returns early if the server responds before it was sent in full.
    async fn write(
        &mut self,
        request: &[u8],
        reading: &mut ResponseState,
        sink: &mut (impl Sink + Send),
    ) -> Result<Option<Progress>, WireError> {
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

    /// Whether the last response was read to its end.
    pub fn is_drained(&self) -> bool {
        self.unfinished.is_none()
    }

    /// Reads the rest of a response, so that the connection can be used again.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub async fn drain(&mut self) -> Result<(), WireError> {
        struct Discard;
        impl Sink for Discard {
            fn head(&mut self, _: Instant, _: ResponseHead) {}
            fn body(&mut self, _: Instant, _: &[u8]) -> bool {
                true
            }
        }
        while let Some(reading) = self.unfinished.take() {
            let reading = ResponseState {
                enough: false,
                ..reading
            };
            self.read_on(reading, &mut Discard).await?;
        }
        Ok(())
    }

    async fn read_on(
        &mut self,
        mut reading: ResponseState,
        sink: &mut (impl Sink + Send),
    ) -> Result<Ended, WireError> {
        loop {
            match self.step(&mut reading, sink).await? {
                Progress::On => {}
                go => return Ok(self.ended(go, reading)),
            }
        }
    }

    async fn step(
        &mut self,
        reading: &mut ResponseState,
        sink: &mut (impl Sink + Send),
    ) -> Result<Progress, WireError> {
        poll_fn(|context| self.poll_step(context, reading, sink)).await
    }

    fn poll_step(
        &mut self,
        context: &mut Context<'_>,
        reading: &mut ResponseState,
        sink: &mut (impl Sink + Send),
    ) -> Poll<Result<Progress, WireError>> {
        READ.with_borrow_mut(|memory| {
            let mut buffer = ReadBuf::new(memory);
            match self.poll_read(context, &mut buffer) {
                Poll::Pending => Poll::Pending,
                // A missing TLS close_notify still ends a response that ends with the connection.
                Poll::Ready(Err(error))
                    if error.kind() == io::ErrorKind::UnexpectedEof
                        && reading.ends_with_connection() =>
                {
                    Poll::Ready(reading.take(Arrival::now(), &[], sink))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(WireError::Broken(error))),
                Poll::Ready(Ok(())) => {
                    // What TLS had read before arrived with that read.
                    let arrival = self.stream.socket().arrival().not_before(self.heard);
                    self.heard = arrival.at;
                    Poll::Ready(reading.take(arrival, buffer.filled(), sink))
                }
            }
        })
    }

    /// Keeps an unfinished response for [`Self::drain`], or notes that it is complete.
    fn ended(&mut self, go: Progress, reading: ResponseState) -> Ended {
        if matches!(go, Progress::Enough) {
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

    /// The server's certificate in DER; `None` without TLS.
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

impl Drop for HttpConnection {
    fn drop(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        // Sends close_notify if the socket takes it at once; nothing waits for it.
        let _ = match &mut self.stream {
            Stream::Plain(_) => return,
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(&mut context),
            Stream::Nested(tls) => Pin::new(tls.as_mut()).poll_shutdown(&mut context),
        };
    }
}

#[cfg(test)]
mod tests;
