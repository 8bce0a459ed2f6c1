//! Opens connections to an API (DNS, TCP, proxies, TLS) and builds the heads of requests.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_rustls::TlsConnector;
use url::{Position, Url};

use super::error::{ProxyError, WireError};
use super::socket::Socket;
use super::stale::Doubt;
use super::tcp::{CONNECT_TIMEOUT, connect};
use super::through::{socks, tunnel};
use super::{HttpConnection, Stream};
use crate::domain::failure::{Advice, Failure};
use crate::io::arrival;
use crate::io::proxy::{Proxy, ProxyKind};
use crate::io::tls::Tls;

/// What opening a connection waits for: the first host to accept it, an answer of the proxy, or the TLS handshake.
const CONNECTING: u8 = 0;
const PROXY: u8 = 1;
const HANDSHAKE: u8 = 2;

/// Opens connections to one API and builds its requests.
#[derive(Clone)]
pub struct Dialer {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// The shortest TCP handshake so far, in ns; a busy machine measures longer ones.
    round_trip: Arc<AtomicU64>,
    doubt: Arc<Doubt>,
    /// See [`Tls`].
    wants_client: Arc<AtomicBool>,
    proxy: Option<Arc<Through>>,
    /// The headers of every request.
    common: Arc<SecretString>,
    /// The constant part of the head of [`Self::write_request`].
    head: Arc<SecretString>,
}

/// A proxy with its TLS settings.
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

/// The parts of a request.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The whole URL.
    pub url: &'a str,
    /// `Accept`
    pub accept: &'static str,
    /// The JSON body, if there is one.
    pub body: Option<&'a str>,
}

/// The content types of a chat's response.
pub const ACCEPT_CHAT: &str = "text/event-stream, application/json";

impl Dialer {
    /// `url` is the address of chat requests and may contain secrets. `headers` are sent with each request, including
    /// the key.
    ///
    /// # Errors
    /// When the URL or the host name of the proxy is not valid.
    pub(in crate::io) fn new(
        url: &str,
        headers: &[(&str, SecretString)],
        tls: &Tls,
        proxy: Option<Proxy>,
    ) -> Result<Self, Failure> {
        let odd = || {
            let advice = Advice::by_face(
                "Check the API domain in Environments",
                "Check the address in --api",
            );
            let shown = url.split('?').next().unwrap_or_default();
            Failure::new(format!("{shown} is not a valid address"), advice)
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
        let plain_proxy = through.as_ref().filter(|_| own.is_none());
        let authorization = plain_proxy.and_then(|through| through.proxy.authorization.as_ref());
        let common = common_headers(&parsed, &host, headers, authorization);
        let mut dialer = Self {
            host: bare,
            port,
            tls: own,
            round_trip: Arc::new(AtomicU64::new(u64::MAX)),
            doubt: Arc::default(),
            wants_client: Arc::clone(&tls.wants_client),
            proxy: through,
            common: Arc::new(SecretString::from(common)),
            head: Arc::default(),
        };
        dialer = dialer.posting_to(url);
        arrival::prepare();
        Ok(dialer)
    }

    /// The same connections, for requests to another path of the API. `url` may contain secrets.
    #[must_use]
    pub(in crate::io) fn posting_to(mut self, url: &str) -> Self {
        let ask = Ask {
            method: "POST",
            url,
            accept: ACCEPT_CHAT,
            body: Some(""),
        };
        self.head = Arc::new(SecretString::from(self.head_of(&ask)));
        self
    }

    /// The start of a request's head.
    fn head_of(&self, ask: &Ask<'_>) -> String {
        let Ask {
            method,
            url,
            accept,
            body,
        } = *ask;
        // A proxy for plain HTTP needs the whole URL. Through a tunnel, as without a proxy, the path is enough.
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

    /// The bytes of a request.
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

    /// Appends the bytes of a request to `out`: `POST`, with a chat's head or that of [`Self::posting_to`]. `id` becomes `x-request-id`; `body` is a list of parts.
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

    /// The approximate bytes of a request with a body of `body` bytes.
    pub fn request_bytes(&self, body: usize) -> usize {
        self.head.expose_secret().len() + body + 128
    }

    /// Opens a connection, including proxy and TLS.
    ///
    /// # Errors
    /// When that fails or takes more than ten seconds, or the certificate is not trusted.
    pub async fn dial(&self) -> Result<HttpConnection, WireError> {
        let stage = AtomicU8::new(CONNECTING);
        tokio::time::timeout(CONNECT_TIMEOUT, self.dial_on(&stage))
            .await
            .unwrap_or_else(|_| {
                Err(match (stage.into_inner(), &self.proxy) {
                    (HANDSHAKE, _) => WireError::HandshakeTimeout,
                    (CONNECTING, Some(_)) => WireError::ConnectTimeout.of_proxy(),
                    (_, Some(_)) => WireError::Proxy(ProxyError::Silent),
                    _ => WireError::ConnectTimeout,
                })
            })
    }

    /// Opens a TCP connection to the API, or to its proxy, and closes it again. Returns how long the handshake took.
    ///
    /// # Errors
    /// When it is refused, or takes more than ten seconds.
    pub async fn measure_connect(&self) -> Result<Duration, WireError> {
        let (host, port) = match &self.proxy {
            Some(through) => (through.proxy.host.as_str(), through.proxy.port),
            None => (self.host.as_str(), self.port),
        };
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, connect(host, port)).await;
        let (_, took) = opened.unwrap_or(Err(WireError::ConnectTimeout))?;
        Ok(took)
    }

    /// `stage` tells what was waited for last.
    async fn dial_on(&self, stage: &AtomicU8) -> Result<HttpConnection, WireError> {
        let reached = |next| stage.store(next, Ordering::Relaxed);
        let Some(through) = &self.proxy else {
            let (tcp, round_trip) = connect(&self.host, self.port).await?;
            reached(HANDSHAKE);
            return Ok(self.opened(self.secure(tcp).await?, round_trip));
        };
        let Through { proxy, tls } = &**through;
        let (mut tcp, round_trip) = connect(&proxy.host, proxy.port)
            .await
            .map_err(WireError::of_proxy)?;
        reached(PROXY);
        let stream = match (proxy.kind, tls) {
            (kind, _) if kind.is_socks() => {
                let tcp = socks(tcp, proxy, &self.host, self.port).await?;
                reached(HANDSHAKE);
                self.secure(tcp).await?
            }
            (_, Some((connector, name))) => {
                tcp.begin_tls();
                let tls = connector
                    .connect(name.clone(), tcp)
                    .await
                    .map_err(WireError::Connect);
                let mut outer = tls.map_err(WireError::of_proxy)?;
                match &self.tls {
                    None => Stream::Tls(Box::new(outer)),
                    Some((connector, name)) => {
                        tunnel(&mut outer, proxy, &self.host, self.port).await?;
                        reached(HANDSHAKE);
                        let tls = connector.connect(name.clone(), outer).await;
                        Stream::Nested(Box::new(tls.map_err(|error| self.refused(error))?))
                    }
                }
            }
            (_, None) => {
                if self.tls.is_some() {
                    tunnel(&mut tcp, proxy, &self.host, self.port).await?;
                }
                reached(HANDSHAKE);
                self.secure(tcp).await?
            }
        };
        Ok(self.opened(stream, round_trip))
    }

    fn opened(&self, stream: Stream, round_trip: Duration) -> HttpConnection {
        let doubt = Arc::clone(&self.doubt);
        HttpConnection::new(stream, self.shortest(round_trip), doubt)
    }

    /// Updates and returns the shortest round trip.
    fn shortest(&self, round_trip: Duration) -> Duration {
        let this = u64::try_from(round_trip.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.round_trip.fetch_min(this, Ordering::Relaxed).min(this))
    }

    /// Starts TLS if the API uses it.
    async fn secure(&self, mut tcp: Socket) -> Result<Stream, WireError> {
        let Some((connector, name)) = &self.tls else {
            return Ok(Stream::Plain(tcp));
        };
        tcp.begin_tls();
        let tls = connector
            .connect(name.clone(), tcp)
            .await
            .map_err(|error| self.refused(error))?;
        Ok(Stream::Tls(Box::new(tls)))
    }

    /// The error of a failed handshake. With TLS 1.2, only an earlier message shows that the server required a client
    /// certificate.
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

/// The headers of every request. `proxy_authorization` is for a proxy that sees the requests.
fn common_headers(
    url: &Url,
    host: &str,
    headers: &[(&str, SecretString)],
    proxy_authorization: Option<&SecretString>,
) -> String {
    let shown_port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    // Compression would delay events, and a server may compress unless told not to.
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
    if let Some(text) = proxy_authorization {
        common.push_str(&format!(
            "proxy-authorization: {}\r\n",
            text.expose_secret()
        ));
    }
    common
}
