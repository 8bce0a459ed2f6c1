//! Connections through a proxy: a tunnel of an HTTP proxy, or SOCKS.

use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::proxy::{SocksV4, SocksV5};
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::error::{ProxyError, WireError};
use super::head::{MAX_HEAD_BYTES, read_head};
use super::socket::Socket;
use super::tcp::connect;
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

/// The host and the port as the SOCKS library takes them.
fn uri(host: &str, port: u16) -> Result<http::Uri, http::uri::InvalidUri> {
    if host.contains(':') {
        format!("http://[{host}]:{port}").parse()
    } else {
        format!("http://{host}:{port}").parse()
    }
}

/// Connects to the API through a SOCKS proxy.
pub(super) async fn socks(
    tcp: Socket,
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Result<Socket, WireError> {
    use tower_service::Service as _;
    let odd = |why: String| WireError::Proxy(ProxyError::Socks(in_plain_words(&why)));
    let uri = |host: &str, port| uri(host, port).map_err(|error| odd(error.to_string()));
    let old = proxy.kind == ProxyKind::Socks4;
    let address = if proxy.local_names {
        let found = tokio::net::lookup_host((host, port))
            .await
            .map_err(WireError::Unknown)?;
        let mut found: Vec<_> = found.collect();
        let any = !found.is_empty();
        found.retain(|address| !old || address.is_ipv4());
        match found.first() {
            Some(address) => address.ip().to_string(),
            None if any => return Err(WireError::Proxy(ProxyError::Socks4Ipv6)),
            None => return Err(WireError::Unknown(io::ErrorKind::NotFound.into())),
        }
    } else {
        host.to_owned()
    };
    if old && address.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err(WireError::Proxy(ProxyError::Socks4Ipv6));
    }
    let (at, target) = (uri(&proxy.host, proxy.port)?, uri(&address, port)?);
    let open = |tcp| AlreadyConnected(Some(TokioIo::new(tcp)));
    if old {
        let through = SocksV4::new(at, open(tcp)).local_dns(false).call(target);
        let through = through.await.map_err(|error| odd(error.to_string()))?;
        return Ok(through.into_inner());
    }
    let socks = |tcp| SocksV5::new(at.clone(), open(tcp)).local_dns(false);
    let Some((user, password)) = &proxy.login else {
        let through = socks(tcp).call(target).await;
        let through = through.map_err(|error| odd(error.to_string()))?;
        return Ok(through.into_inner());
    };
    let through = socks(tcp)
        .with_auth(user.clone(), password.expose_secret().to_owned())
        .call(target.clone())
        .await;
    // The library's words where the proxy took another method than the one offered, or none.
    let untaken = |why: &str| {
        why.contains("user/pass authentication") || why.contains("authentication incorrectly")
    };
    match through.map_err(|error| error.to_string()) {
        Ok(through) => Ok(through.into_inner()),
        // The library offers the login alone. A proxy that needs none may not take it.
        Err(why) if untaken(&why) => {
            let (tcp, _) = connect(&proxy.host, proxy.port)
                .await
                .map_err(WireError::of_proxy)?;
            let through = socks(tcp).call(target).await;
            through.map(TokioIo::into_inner).map_err(|error| {
                let why = error.to_string();
                let neither =
                    "it accepts neither a user name with a password nor connections without";
                odd(if untaken(&why) {
                    neither.to_owned()
                } else {
                    why
                })
            })
        }
        Err(why) => Err(odd(why)),
    }
}

/// The library's error as the end of "could not connect: …".
fn in_plain_words(why: &str) -> String {
    let why = why.trim_start_matches("SOCKS error: ");
    match why {
        "failed parsing server response" => "its answer is not that of a SOCKS proxy",
        "io error during SOCKS handshake" => "it closed the connection during the handshake",
        other => other,
    }
    .to_owned()
}

/// A connector that returns an open connection.
struct AlreadyConnected(Option<TokioIo<Socket>>);

impl tower_service::Service<http::Uri> for AlreadyConnected {
    type Response = TokioIo<Socket>;
    type Error = io::Error;
    type Future = Ready<io::Result<TokioIo<Socket>>>;

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
