//! From an API's address to an open connection: names, TCP, proxies, TLS; and the heads of requests.

use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use hyper_util::client::legacy::connect::proxy::{SocksV4, SocksV5};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Position, Url};

use super::error::{ProxyError, WireError};
use super::head::{MOST_HEAD, read_head};
use super::{Connection, Lack, Stream};
use crate::domain::failure::{Advice, Failure};
use crate::io::proxy::{Proxy, ProxyKind};
use crate::io::tls::Tls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens connections to one API and writes its requests.
#[derive(Clone)]
pub struct Dialer {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// The shortest round trip of the network so far, in ns: a busy machine sees the longer ones.
    round_trip: Arc<AtomicU64>,
    /// See [`Tls`].
    wants_client: Arc<AtomicBool>,
    proxy: Option<Arc<Through>>,
    /// The headers that every request carries.
    common: Arc<SecretString>,
    /// Everything of a chat request's head that does not change.
    head: Arc<SecretString>,
}

/// A proxy, and how to talk to it.
struct Through {
    proxy: Proxy,
    /// For an `https://` proxy.
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// What a request asks for and how it is written.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The whole address.
    pub url: &'a str,
    /// `Accept`
    pub accept: &'static str,
    /// JSON, where there is a body.
    pub body: Option<&'a str>,
}

/// What a chat's answer may be.
pub const ACCEPT_CHAT: &str = "text/event-stream, application/json";

impl Dialer {
    /// To `url`, the address chat requests are posted to; it may hold secrets. `headers` carry the key and what else
    /// goes with each request.
    ///
    /// # Errors
    /// When the URL has no host, or a proxy's address cannot be read.
    pub(in crate::io) fn new(
        url: &str,
        headers: &[(&str, SecretString)],
        tls: &Tls,
        proxy: Option<Proxy>,
    ) -> Result<Self, Failure> {
        let odd = || {
            let advice =
                Advice::by_face("Check the API domain on Home", "Check the address of --api");
            let shown = url.split('?').next().unwrap_or_default();
            Failure::new(format!("{shown} cannot be connected to"), advice)
        };
        let parsed = Url::parse(url).map_err(|_| odd())?;
        let host = parsed.host_str().ok_or_else(odd)?.to_owned();
        let port = parsed.port_or_known_default().ok_or_else(odd)?;
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let connector = |host: &str| {
            let name = ServerName::try_from(host.to_owned()).map_err(|_| odd())?;
            Ok::<_, Failure>((TlsConnector::from(Arc::clone(&tls.config)), name))
        };
        let own = if parsed.scheme() == "https" {
            Some(connector(&bare)?)
        } else {
            None
        };
        let through = match proxy {
            Some(proxy) => {
                let tls = if proxy.kind == ProxyKind::Https {
                    Some(connector(&proxy.host)?)
                } else {
                    None
                };
                Some(Arc::new(Through { proxy, tls }))
            }
            None => None,
        };
        let shown_port = parsed
            .port()
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        // Compression would hold events back; a server that was not told may compress.
        let mut common = format!("host: {host}{shown_port}\r\naccept-encoding: identity\r\n");
        if headers
            .iter()
            .all(|(name, _)| !name.eq_ignore_ascii_case("user-agent"))
        {
            common.push_str(concat!(
                "user-agent: batida/",
                env!("CARGO_PKG_VERSION"),
                "\r\n"
            ));
        }
        for (name, value) in headers {
            common.push_str(&format!("{name}: {}\r\n", value.expose_secret()));
        }
        if let (Some(through), None) = (&through, &own)
            && let Some(text) = &through.proxy.authorization
        {
            common.push_str(&format!(
                "proxy-authorization: {}\r\n",
                text.expose_secret()
            ));
        }
        let mut dialer = Self {
            host: bare,
            port,
            tls: own,
            round_trip: Arc::new(AtomicU64::new(u64::MAX)),
            wants_client: Arc::clone(&tls.wants_client),
            proxy: through,
            common: Arc::new(SecretString::from(common)),
            head: Arc::default(),
        };
        let chat = Ask {
            method: "POST",
            url,
            accept: ACCEPT_CHAT,
            body: Some(""),
        };
        dialer.head = Arc::new(SecretString::from(dialer.head_of(&chat)));
        Ok(dialer)
    }

    /// The beginning of a request's head.
    fn head_of(&self, ask: &Ask<'_>) -> String {
        let Ask {
            method,
            url,
            accept,
            body,
        } = *ask;
        // A proxy for plain HTTP wants the whole URL; through a tunnel, as without a proxy, the path is enough.
        let whole = self.tls.is_none()
            && self
                .proxy
                .as_ref()
                .is_some_and(|through| !through.proxy.kind.is_socks());
        let parsed = Url::parse(url).ok();
        let target = match &parsed {
            Some(parsed) if !whole => &parsed[Position::BeforePath..Position::AfterQuery],
            _ => url,
        };
        let common = self.common.expose_secret();
        let json = if body.is_some() {
            "content-type: application/json\r\n"
        } else {
            ""
        };
        format!("{method} {target} HTTP/1.1\r\n{common}accept: {accept}\r\n{json}")
    }

    /// A request as it goes over the wire.
    pub fn compose(&self, ask: &Ask<'_>) -> Vec<u8> {
        let mut request = self.head_of(ask);
        if let Some(body) = ask.body {
            request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
            request.push_str(body);
        } else {
            request.push_str("\r\n");
        }
        request.into_bytes()
    }

    /// A chat request as it goes over the wire, behind what is in `out`. `id` becomes `x-request-id`; `body` comes
    /// in parts.
    pub fn write_request(&self, id: impl std::fmt::Display, body: &[&[u8]], out: &mut BytesMut) {
        use std::fmt::Write as _;
        let length: usize = body.iter().map(|part| part.len()).sum();
        let head = self.head.expose_secret();
        out.reserve(self.request_bytes(length));
        out.extend_from_slice(head.as_bytes());
        // Writing to memory does not fail.
        let _ = write!(
            out,
            "x-request-id: {id}\r\ncontent-length: {length}\r\n\r\n"
        );
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
        tokio::time::timeout(CONNECT_TIMEOUT, self.dial_on())
            .await
            .unwrap_or(Err(WireError::ConnectTimeout))
    }

    async fn dial_on(&self) -> Result<Connection, WireError> {
        let Some(through) = &self.proxy else {
            let (tcp, round_trip) = connect(&self.host, self.port).await?;
            return Ok(Connection::new(
                self.secure(tcp).await?,
                self.shortest(round_trip),
            ));
        };
        let Through { proxy, tls } = &**through;
        let (tcp, round_trip) = connect(&proxy.host, proxy.port)
            .await
            .map_err(WireError::of_proxy)?;
        let stream = match (proxy.kind, tls) {
            (kind, _) if kind.is_socks() => {
                self.secure(socks(tcp, proxy, &self.host, self.port).await?)
                    .await?
            }
            (_, Some((connector, name))) => {
                let tls = connector
                    .connect(name.clone(), tcp)
                    .await
                    .map_err(WireError::Connect);
                let mut outer = tls.map_err(WireError::of_proxy)?;
                match &self.tls {
                    None => Stream::Tls(Box::new(outer)),
                    Some((connector, name)) => {
                        tunnel(&mut outer, proxy, &self.host, self.port).await?;
                        let tls = connector.connect(name.clone(), outer).await;
                        Stream::Nested(Box::new(tls.map_err(|error| self.refused(error))?))
                    }
                }
            }
            (_, None) => {
                let mut tcp = tcp;
                if self.tls.is_some() {
                    tunnel(&mut tcp, proxy, &self.host, self.port).await?;
                }
                self.secure(tcp).await?
            }
        };
        Ok(Connection::new(stream, self.shortest(round_trip)))
    }

    /// The shortest round trip so far, this one included.
    fn shortest(&self, round_trip: Duration) -> Duration {
        let this = u64::try_from(round_trip.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.round_trip.fetch_min(this, Ordering::Relaxed).min(this))
    }

    /// TLS, where the API wants it.
    async fn secure(&self, tcp: TcpStream) -> Result<Stream, WireError> {
        let Some((connector, name)) = &self.tls else {
            return Ok(Stream::Plain(tcp));
        };
        let tls = connector
            .connect(name.clone(), tcp)
            .await
            .map_err(|error| self.refused(error))?;
        Ok(Stream::Tls(Box::new(tls)))
    }

    /// A handshake that failed: of TLS 1.2 only what came before tells that a client certificate was wanted.
    fn refused(&self, error: io::Error) -> WireError {
        use rustls::{AlertDescription as Alert, Error as TlsError};
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<TlsError>());
        let vague = matches!(
            inner,
            Some(TlsError::AlertReceived(
                Alert::HandshakeFailure | Alert::BadCertificate | Alert::AccessDenied
            ))
        );
        if vague && self.wants_client.load(Ordering::Relaxed) {
            let named = TlsError::AlertReceived(Alert::CertificateRequired);
            return WireError::Connect(io::Error::new(error.kind(), named));
        }
        WireError::Connect(error)
    }
}

/// A TCP connection, and how long opening it took on the network.
async fn connect(host: &str, port: u16) -> Result<(TcpStream, Duration), WireError> {
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(WireError::Unknown)?;
    let mut last = WireError::Unknown(io::Error::from(io::ErrorKind::NotFound));
    for address in addresses {
        let began = Instant::now();
        // One address that does not answer leaves time for the next.
        match tokio::time::timeout(CONNECT_TIMEOUT / 3, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // Fails only on a socket that is gone, which the first write will say.
                let _ = tcp.set_nodelay(true);
                return Ok((tcp, began.elapsed()));
            }
            Ok(Err(error)) => {
                let local = Lack::of(&error).is_some();
                last = WireError::Connect(error);
                if local {
                    break;
                }
            }
            Err(_) => last = WireError::Connect(io::ErrorKind::TimedOut.into()),
        }
    }
    Err(last)
}

/// Asks an HTTP proxy for a way to the API.
async fn tunnel(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Result<(), WireError> {
    // An address of IPv6 stands in brackets.
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let mut ask = format!("CONNECT {host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\n");
    if let Some(authorization) = &proxy.authorization {
        ask.push_str(&format!(
            "proxy-authorization: {}\r\n",
            authorization.expose_secret()
        ));
    }
    ask.push_str("\r\n");
    let broke = |error| WireError::Connect(error).of_proxy();
    stream.write_all(ask.as_bytes()).await.map_err(broke)?;
    let mut head = Vec::new();
    // A byte at a time: what follows the head belongs to TLS.
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.map_err(broke)?);
        if head.len() > MOST_HEAD {
            return Err(WireError::Proxy(ProxyError::Odd(
                "its answer has no end".to_owned(),
            )));
        }
    }
    let odd = |error: WireError| WireError::Proxy(ProxyError::Odd(error.to_string()));
    let (answer, _) = read_head(&head).map_err(odd)?.unwrap_or_default();
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let line = String::from_utf8_lossy(&head)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    let reason = line
        .splitn(3, ' ')
        .nth(2)
        .unwrap_or_default()
        .trim()
        .to_owned();
    Err(WireError::Proxy(ProxyError::Refused {
        status: answer.status,
        reason,
    }))
}

/// Asks a SOCKS proxy for a way to the API.
async fn socks(
    tcp: TcpStream,
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Result<TcpStream, WireError> {
    use tower_service::Service as _;
    let odd = |why: String| WireError::Proxy(ProxyError::Socks(why));
    let uri = |host: &str, port: u16| -> Result<http::Uri, WireError> {
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        format!("http://{host}:{port}")
            .parse()
            .map_err(|error: http::uri::InvalidUri| odd(error.to_string()))
    };
    let address = if proxy.local_names {
        let mut found = tokio::net::lookup_host((host, port))
            .await
            .map_err(WireError::Unknown)?;
        // SOCKS4 has no addresses of IPv6.
        let fits =
            |address: &std::net::SocketAddr| proxy.kind == ProxyKind::Socks5 || address.is_ipv4();
        let found = found
            .find(fits)
            .ok_or(WireError::Unknown(io::ErrorKind::NotFound.into()))?;
        found.ip().to_string()
    } else {
        host.to_owned()
    };
    let (at, opened) = (
        uri(&proxy.host, proxy.port)?,
        Opened(Some(TokioIo::new(tcp))),
    );
    let target = uri(&address, port)?;
    let through = if proxy.kind == ProxyKind::Socks4 {
        SocksV4::new(at, opened)
            .local_dns(false)
            .call(target)
            .await
            .map_err(|error| odd(error.to_string()))
    } else {
        let mut socks = SocksV5::new(at, opened).local_dns(false);
        if let Some((user, password)) = &proxy.login {
            socks = socks.with_auth(user.clone(), password.expose_secret().to_owned());
        }
        socks
            .call(target)
            .await
            .map_err(|error| odd(error.to_string()))
    };
    through.map(TokioIo::into_inner)
}

/// A connector that has connected already.
struct Opened(Option<TokioIo<TcpStream>>);

impl tower_service::Service<http::Uri> for Opened {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Ready<io::Result<TokioIo<TcpStream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        ready(
            self.0
                .take()
                .ok_or_else(|| io::ErrorKind::NotConnected.into()),
        )
    }
}
