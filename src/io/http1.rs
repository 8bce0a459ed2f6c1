//! HTTP/1.1 for measuring: one connection, one request at a time, read on the very task that waits for it.
//!
//! `reqwest` reads each connection on a task of its own and hands the bytes over through a channel: two wake-ups
//! a read, and a stamp that is as late as the second. Here bytes are stamped as the system call that brought
//! them returns, and are decoded where they lie. `cargo bench --bench truth` holds it against a bare reader.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use crate::domain::failure::{Advice, Failure};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// One read takes at most so much.
const BUFFER: usize = 64 << 10;
/// Of a response's head.
const MOST_HEAD: usize = 64 << 10;

thread_local! {
    /// Every connection of a thread reads into the same memory: two thousand streams need one buffer.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// Opens connections to one API and writes its requests.
#[derive(Clone)]
pub struct Dialer {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    proxy: Option<Proxy>,
    /// Everything of a request's head that does not change.
    head: Arc<SecretString>,
}

/// A proxy to connect through.
#[derive(Clone)]
struct Proxy {
    host: String,
    port: u16,
    /// `Proxy-Authorization`
    authorization: Option<Arc<SecretString>>,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Why an exchange failed below HTTP's meaning.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// No address for the host's name.
    #[error("no address was found for the host: {0}")]
    Unknown(io::Error),
    /// No connection within ten seconds.
    #[error("no connection within 10 s")]
    ConnectTimeout,
    /// Connecting or the TLS handshake failed.
    #[error("{0}")]
    Connect(io::Error),
    /// The connection broke.
    #[error("{0}")]
    Broken(io::Error),
    /// What came is no HTTP/1.1.
    #[error("{0}")]
    NotHttp(String),
}

/// A response's head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status.
    pub status: u16,
    /// Names in lower case and values, one behind the other: every answer has a head, few are asked for it.
    text: String,
    /// Where in it each name ends and each value.
    ends: Vec<[u32; 2]>,
}

impl ResponseHead {
    /// The headers in their order, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut from = 0;
        self.ends.iter().map(move |ends| {
            let [name, value] = ends.map(|end| end as usize);
            let header = (&self.text[from..name], &self.text[name..value]);
            from = value;
            header
        })
    }

    /// The first header of this lower-case name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers().find_map(|(key, value)| (key == name).then_some(value))
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        self.text.push_str(name);
        let from = self.ends.last().map_or(0, |[_, end]| *end as usize);
        self.text[from..].make_ascii_lowercase();
        // A head is at most MOST_HEAD long.
        let end = |text: &str| text.len() as u32;
        let name = end(&self.text);
        self.text.push_str(&String::from_utf8_lossy(value));
        self.ends.push([name, end(&self.text)]);
    }
}

/// What hears of a response.
pub trait Sink {
    /// The head, and when it was there.
    fn head(&mut self, at: Instant, head: ResponseHead);
    /// Bytes of the body and when they arrived. False: the answer is complete, nothing more is wanted.
    fn body(&mut self, at: Instant, bytes: &[u8]) -> bool;
    /// Pieces of the body, of which each is a whole chunk; those that it leaves go to [`Self::body`]. False as there.
    fn pieces(&mut self, at: Instant, pieces: &mut Pieces<'_>) -> bool {
        pieces.all(|piece| self.body(at, piece))
    }
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

impl Dialer {
    /// To `url`, the address chat requests are posted to; it may hold secrets. `headers` carry the key and what else
    /// goes with each request.
    ///
    /// # Errors
    /// When the URL has no host, or a proxy's address cannot be read.
    pub(super) fn new(
        url: &str,
        headers: &[(&str, SecretString)],
        tls: Arc<rustls::ClientConfig>,
        proxy: Option<(Url, Option<String>)>,
    ) -> Result<Self, Failure> {
        let shown = url.split('?').next().unwrap_or_default();
        let odd = || {
            let advice = Advice::by_face("Check the API domain on Home", "Check the address of --api");
            Failure::new(format!("{shown} cannot be connected to"), advice)
        };
        let parsed = Url::parse(url).map_err(|_| odd())?;
        let host = parsed.host_str().ok_or_else(odd)?.to_owned();
        let secure = parsed.scheme() == "https";
        let port = parsed.port_or_known_default().ok_or_else(odd)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = if secure {
            let name = ServerName::try_from(bare.clone()).map_err(|_| odd())?;
            Some((TlsConnector::from(tls), name))
        } else {
            None
        };
        let proxy = match proxy {
            Some((address, authorization)) => Some(Proxy {
                host: address.host_str().ok_or_else(odd)?.to_owned(),
                port: address.port_or_known_default().ok_or_else(odd)?,
                authorization: authorization.map(|text| Arc::new(SecretString::from(text))),
            }),
            None => None,
        };
        // A proxy for plain HTTP wants the whole URL; through a tunnel, as without a proxy, the path is enough.
        let target = match (&proxy, secure) {
            (Some(_), false) => url.to_owned(),
            _ => parsed[url::Position::BeforePath..].to_owned(),
        };
        let shown_port = parsed.port().map(|port| format!(":{port}")).unwrap_or_default();
        let mut head = format!(
            "POST {target} HTTP/1.1\r\nhost: {host}{shown_port}\r\n\
             accept: text/event-stream, application/json\r\ncontent-type: application/json\r\n"
        );
        if headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("user-agent")) {
            head.push_str(concat!("user-agent: batida/", env!("CARGO_PKG_VERSION"), "\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {}\r\n", value.expose_secret()));
        }
        if let (Some(Proxy { authorization: Some(text), .. }), false) = (&proxy, secure) {
            head.push_str(&format!("proxy-authorization: {}\r\n", text.expose_secret()));
        }
        Ok(Self { host: bare, port, tls, proxy, head: Arc::new(SecretString::from(head)) })
    }

    /// A request as it goes over the wire, behind what is in `out`. `id` becomes `x-request-id`; `body` comes in
    /// parts.
    pub fn write_request(&self, id: impl std::fmt::Display, body: &[&[u8]], out: &mut BytesMut) {
        use std::fmt::Write as _;
        let length: usize = body.iter().map(|part| part.len()).sum();
        let head = self.head.expose_secret();
        out.reserve(self.request_bytes(length));
        out.extend_from_slice(head.as_bytes());
        // Writing to memory does not fail.
        let _ = write!(out, "x-request-id: {id}\r\ncontent-length: {length}\r\n\r\n");
        body.iter().for_each(|part| out.extend_from_slice(part));
    }

    /// About how long a request with so long a body is.
    pub fn request_bytes(&self, body: usize) -> usize {
        self.head.expose_secret().len() + body + 128
    }

    /// Opens a connection, TLS and proxy included.
    ///
    /// # Errors
    /// When there is none within ten seconds, or no trust.
    pub async fn dial(&self) -> Result<Connection, WireError> {
        tokio::time::timeout(CONNECT_TIMEOUT, self.dial_on()).await.unwrap_or(Err(WireError::ConnectTimeout))
    }

    async fn dial_on(&self) -> Result<Connection, WireError> {
        let (host, port) = match &self.proxy {
            Some(proxy) => (proxy.host.as_str(), proxy.port),
            None => (self.host.as_str(), self.port),
        };
        let addresses = tokio::net::lookup_host((host, port)).await.map_err(WireError::Unknown)?;
        let mut tcp = Err(WireError::Unknown(io::Error::from(io::ErrorKind::NotFound)));
        for address in addresses {
            // One address that does not answer leaves time for the next.
            let connecting = tokio::time::timeout(CONNECT_TIMEOUT / 3, TcpStream::connect(address)).await;
            tcp = connecting.unwrap_or(Err(io::ErrorKind::TimedOut.into())).map_err(WireError::Connect);
            if tcp.is_ok() {
                break;
            }
        }
        let mut tcp = tcp?;
        // Fails only on a socket that is gone, which the first write will say.
        let _ = tcp.set_nodelay(true);
        let Some((connector, name)) = &self.tls else {
            return Ok(Connection { stream: Stream::Plain(tcp), unfinished: None, spoiled: false });
        };
        if let Some(proxy) = &self.proxy {
            tunnel(&mut tcp, proxy, &self.host, self.port).await?;
        }
        let tls = connector.connect(name.clone(), tcp).await.map_err(WireError::Connect)?;
        Ok(Connection { stream: Stream::Tls(Box::new(tls)), unfinished: None, spoiled: false })
    }
}

async fn tunnel(tcp: &mut TcpStream, proxy: &Proxy, host: &str, port: u16) -> Result<(), WireError> {
    use tokio::io::AsyncReadExt as _;
    let mut ask = format!("CONNECT {host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\n");
    if let Some(authorization) = &proxy.authorization {
        ask.push_str(&format!("proxy-authorization: {}\r\n", authorization.expose_secret()));
    }
    ask.push_str("\r\n");
    tcp.write_all(ask.as_bytes()).await.map_err(WireError::Connect)?;
    let mut head = Vec::new();
    // A byte at a time: what follows the head belongs to TLS.
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.map_err(WireError::Connect)?);
        if head.len() > MOST_HEAD {
            return Err(WireError::NotHttp("the proxy's answer has no end".to_owned()));
        }
    }
    let (head, _) = read_head(&head)?.unwrap_or_default();
    if head.status != 200 {
        return Err(WireError::NotHttp(format!("the proxy refused to connect: HTTP {}", head.status)));
    }
    Ok(())
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// An open connection.
pub struct Connection {
    stream: Stream,
    /// A response that was read as far as anyone cared; its end is still to come.
    unfinished: Option<Reading>,
    /// No further request may follow.
    spoiled: bool,
}

impl Connection {
    /// Whether another request may follow: kept open by both sides, and nothing came unasked.
    pub fn is_usable(&mut self) -> bool {
        if self.spoiled {
            return false;
        }
        let mut byte = [0; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut context = Context::from_waker(Waker::noop());
        self.poll_read(&mut context, &mut buffer).is_pending()
    }

    /// Sends a request and tells `sink` its response. Afterwards [`Self::is_usable`] says whether the
    /// connection is good for another; after an error, or when this is dropped midway, it is not.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no HTTP/1.1.
    pub async fn exchange(
        &mut self,
        request: &[u8],
        sink: &mut (impl Sink + Send),
    ) -> Result<Ended, WireError> {
        self.spoiled = true;
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.write_all(request).await,
            Stream::Tls(tls) => match tls.write_all(request).await {
                Ok(()) => tls.flush().await,
                Err(error) => Err(error),
            },
        }
        .map_err(WireError::Broken)?;
        let reading = Reading { head: Vec::new(), body: None, enough: false, keep: true };
        self.read_on(reading, sink).await
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
            let reading = Reading { enough: false, ..reading };
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
            let step = poll_fn(|context| {
                READ.with_borrow_mut(|memory| {
                    let mut buffer = ReadBuf::new(memory);
                    match self.poll_read(context, &mut buffer) {
                        Poll::Pending => Poll::Pending,
                        Poll::Ready(Err(error)) => Poll::Ready(Err(WireError::Broken(error))),
                        Poll::Ready(Ok(())) => {
                            let at = Instant::now();
                            Poll::Ready(reading.take(at, buffer.filled(), sink))
                        }
                    }
                })
            })
            .await?;
            match step {
                Go::On => {}
                Go::Enough => {
                    self.unfinished = Some(reading);
                    return Ok(Ended::Enough);
                }
                Go::Whole => {
                    self.spoiled = !reading.keep;
                    return Ok(if reading.enough { Ended::Enough } else { Ended::Whole });
                }
            }
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_read(context, buffer),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Stream::Tls(tls) = &mut self.stream {
            // A goodbye where there is room for one; nobody waits for it.
            let _ = Pin::new(tls.as_mut()).poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
    }
}

enum Go {
    On,
    /// The sink has enough and the body's end did not come with it.
    Enough,
    Whole,
}

/// A response as far as it was read.
struct Reading {
    /// The head's bytes until it is whole.
    head: Vec<u8>,
    body: Option<Body>,
    enough: bool,
    /// The connection may be used again.
    keep: bool,
}

impl Reading {
    fn take(&mut self, at: Instant, bytes: &[u8], sink: &mut impl Sink) -> Result<Go, WireError> {
        if bytes.is_empty() {
            // The connection's end; it may be the body's.
            self.keep = false;
            return match &self.body {
                Some(Body::UntilClose) => Ok(Go::Whole),
                _ => Err(WireError::Broken(io::ErrorKind::UnexpectedEof.into())),
            };
        }
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
                    return Err(WireError::NotHttp("the response's head has no end".to_owned()));
                }
                self.head = bytes.to_vec();
                return Ok(Go::On);
            };
            bytes = &bytes[used..];
            // 1xx: the real one follows.
            if !(100..200).contains(&head.status) {
                self.body = Some(Body::of(&head));
                self.keep = !head.get("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
                sink.head(at, head);
                return self.take_body(at, bytes, sink);
            }
        }
    }

    fn take_body(&mut self, at: Instant, mut bytes: &[u8], sink: &mut impl Sink) -> Result<Go, WireError> {
        let Some(body) = &mut self.body else { return Ok(Go::On) };
        let whole = body.take(&mut bytes, &mut Telling { sink, at, enough: &mut self.enough });
        sink.read(at);
        let whole = whole?;
        if whole {
            self.keep &= bytes.is_empty();
            return Ok(Go::Whole);
        }
        Ok(if self.enough { Go::Enough } else { Go::On })
    }
}

/// A response's head and how many bytes it took; `None` when it is not whole yet.
fn read_head(bytes: &[u8]) -> Result<Option<(ResponseHead, usize)>, WireError> {
    // Cleared for each answer they would cost more than the parsing.
    let mut headers = [const { MaybeUninit::uninit() }; 96];
    let mut response = httparse::Response::new(&mut []);
    match httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut headers,
    ) {
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(used)) => {
            let mut head = ResponseHead {
                status: response.code.unwrap_or_default(),
                text: String::with_capacity(used),
                ends: Vec::with_capacity(response.headers.len()),
            };
            response.headers.iter().for_each(|header| head.add(header.name, header.value));
            Ok(Some((head, used)))
        }
        Err(error) => Err(WireError::NotHttp(error.to_string())),
    }
}

/// A response's body, by how its end is told (RFC 9112, section 6.3).
enum Body {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

#[derive(Clone, Copy)]
enum Chunked {
    /// In a chunk's size line, behind its digits: the size so far.
    Size {
        size: u64,
        digits: u8,
        extension: bool,
    },
    Data(u64),
    /// Behind a chunk's data: CR LF.
    AfterData,
    /// In the trailer: bytes of the line so far.
    Trailer(u64),
}

impl Body {
    fn of(head: &ResponseHead) -> Self {
        let chunked = head.get("transfer-encoding").is_some_and(|value| {
            value.eq_ignore_ascii_case("chunked") || value.to_ascii_lowercase().contains("chunked")
        });
        if chunked {
            return Self::Chunked(Chunked::Size { size: 0, digits: 0, extension: false });
        }
        if matches!(head.status, 204 | 304) {
            return Self::Length(0);
        }
        head.get("content-length")
            .and_then(|text| text.trim().parse().ok())
            .map_or(Self::UntilClose, Self::Length)
    }

    /// Takes the body's part of `bytes` and leaves what is behind its end; true at the end.
    fn take(&mut self, bytes: &mut &[u8], telling: &mut Telling<'_, impl Sink>) -> Result<bool, WireError> {
        match self {
            Self::UntilClose => {
                telling.tell(bytes);
                *bytes = &[];
                Ok(false)
            }
            Self::Length(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                if n > 0 {
                    telling.tell(&bytes[..n]);
                }
                *bytes = &bytes[n..];
                *left -= n as u64;
                Ok(*left == 0)
            }
            Self::Chunked(state) => take_chunked(state, bytes, telling),
        }
    }
}

/// A read on its way to the sink.
struct Telling<'s, S> {
    sink: &'s mut S,
    at: Instant,
    /// The sink has enough, and is told nothing more.
    enough: &'s mut bool,
}

impl<S: Sink> Telling<'_, S> {
    fn tell(&mut self, piece: &[u8]) {
        *self.enough = *self.enough || !self.sink.body(self.at, piece);
    }

    /// Tells the chunks that lie whole at the beginning of `bytes`; gives what is behind them.
    fn tell_whole<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let mut pieces = Pieces(bytes);
        *self.enough = *self.enough || !self.sink.pieces(self.at, &mut pieces);
        if *self.enough {
            pieces.by_ref().for_each(drop);
        }
        pieces.0
    }
}

/// The data of the chunks that lie whole at the beginning of some bytes.
#[derive(Debug)]
pub struct Pieces<'b>(&'b [u8]);

impl<'b> Iterator for Pieces<'b> {
    type Item = &'b [u8];

    #[inline]
    fn next(&mut self) -> Option<&'b [u8]> {
        let (piece, behind) = whole_chunk(self.0)?;
        self.0 = behind;
        Some(piece)
    }
}

/// A chunk that lies whole in the bytes, its size written as usual: its data, and what is behind it. `None` for the
/// last one too.
#[inline]
fn whole_chunk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut size = 0;
    let mut rest = bytes;
    // Seven digits: more is nobody's usual chunk.
    for _ in 0..8 {
        let (byte, behind) = rest.split_first()?;
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' => {
                let (piece, behind) = behind.strip_prefix(b"\n")?.split_at_checked(size)?;
                return (size > 0).then_some((piece, behind.strip_prefix(b"\r\n")?));
            }
            _ => return None,
        };
        size = size << 4 | usize::from(digit);
        rest = behind;
    }
    None
}

fn take_chunked(
    state: &mut Chunked,
    bytes: &mut &[u8],
    telling: &mut Telling<'_, impl Sink>,
) -> Result<bool, WireError> {
    let odd = || WireError::NotHttp("a chunk of the response has no size that can be read".to_owned());
    while let Some((&byte, rest)) = bytes.split_first() {
        if let Chunked::Size { digits: 0, extension: false, .. } = state {
            let behind = telling.tell_whole(bytes);
            if behind.len() < bytes.len() {
                *bytes = behind;
                continue;
            }
        }
        match state {
            Chunked::Data(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                telling.tell(&bytes[..n]);
                *bytes = &bytes[n..];
                *left -= n as u64;
                if *left == 0 {
                    *state = Chunked::AfterData;
                }
                continue;
            }
            Chunked::Size { size, digits, extension } => match byte {
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
                b'\n' => *state = Chunked::Size { size: 0, digits: 0, extension: false },
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
        let mut reading = Reading { head: Vec::new(), body: None, enough: false, keep: true };
        let mut heard = Heard::default();
        let mut whole = false;
        for piece in pieces {
            match reading.take(Instant::now(), piece, &mut heard).map_err(|error| error.to_string())? {
                Go::Whole => whole = true,
                Go::On | Go::Enough => {}
            }
        }
        Ok((heard.status, String::from_utf8_lossy(&heard.body).into_owned(), whole, whole && reading.keep))
    }

    #[track_caller]
    fn check_read(text: &str, status: u16, body: &str, keep: bool) {
        assert_eq!(read(&[text.as_bytes()]), Ok((status, body.to_owned(), true, keep)), "{text:?}");
    }

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n wonderful\r\n0\r\nt: 1\r\n\r\n";

    #[test]
    fn bodies_end_as_the_standard_says() {
        check_read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", true);
        check_read("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true);
        check_read(CHUNKED, 200, "hello wonderful", true);
        check_read("HTTP/1.1 429 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", 429, "hi", false);
        check_read(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            200,
            "hi",
            true,
        );
        check_read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi unasked", 200, "hi", false);
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
