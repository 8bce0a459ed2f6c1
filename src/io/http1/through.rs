//! Connections through a proxy: a tunnel of an HTTP proxy, or SOCKS.

use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::proxy::{SocksV4, SocksV5};
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::error::{ProxyError, WireError};
use super::head::{MAX_HEAD_BYTES, read_head};
use crate::io::proxy::{Proxy, ProxyKind};

/// Opens a tunnel to the API through an HTTP proxy.
pub(super) async fn tunnel(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Result<(), WireError> {
    // IPv6 addresses need brackets.
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
    // Byte by byte, since the bytes after the head belong to TLS.
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.map_err(broke)?);
        if head.len() > MAX_HEAD_BYTES {
            return Err(WireError::Proxy(ProxyError::NotAProxy(
                "its response head is too long".to_owned(),
            )));
        }
    }
    let odd = |error: WireError| WireError::Proxy(ProxyError::NotAProxy(error.to_string()));
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

/// Connects to the API through a SOCKS proxy.
pub(super) async fn socks(
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
        // SOCKS4 does not support IPv6.
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
        AlreadyConnected(Some(TokioIo::new(tcp))),
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

/// A connector that returns an open connection.
struct AlreadyConnected(Option<TokioIo<TcpStream>>);

impl tower_service::Service<http::Uri> for AlreadyConnected {
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
