//! Failures before or below HTTP, and error responses that are about the connection.

mod redirect;

use self::redirect::redirect;
use std::time::Duration;

use super::words::list_some;
use super::{Fault, FaultClass, HttpResponse, RequestInfo, advice, clip};
use crate::domain::failure::{Advice, Failure};
use crate::domain::system::System;
use crate::domain::units;

/// A failure before or below HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// The host name does not resolve.
    HostUnknown,
    /// The port is closed.
    Refused,
    /// No route, network down.
    Unreachable,
    /// No connection in time.
    ConnectTimeout,
    /// Connected, but the TLS handshake got no answer in time.
    HandshakeTimeout,
    /// Connected, and then no whole head of a response for this long.
    NoHead(Duration),
    /// Nothing more of a response for this long.
    ReadTimeout(Duration),
    /// The certificate's issuer is not trusted.
    UnknownIssuer,
    /// The certificate is for other names: these.
    WrongName(Vec<String>),
    /// The certificate has expired; holds the day.
    Expired(Option<String>),
    /// The certificate is not valid yet; holds the first day.
    NotValidYet(Option<String>),
    /// The certificate has a key, or a signature, that cannot be verified; holds what it is.
    UnsupportedKey(String),
    /// No cipher, curve or kind of signature that both sides know.
    NothingInCommon,
    /// The server does not speak TLS on this port.
    NotTls,
    /// The server supports only TLS 1.1 or older.
    OldTls,
    /// The server requires a client certificate, and none was sent.
    ClientCertificate,
    /// The server rejected the client certificate.
    ClientCertificateRefused,
    /// Another TLS error.
    OtherTls,
    /// Plain HTTP was sent to a TLS port.
    WantsTls,
    /// The server speaks HTTP/2 and not HTTP/1.1.
    Http2Only,
    /// The response is not HTTP.
    NotHttp,
    /// The response is HTTP, and its head cannot be read; holds the reason.
    BadHead(String),
    /// This machine reached one of its own limits.
    LocalLimit(LocalLimit),
    /// The proxy cannot be reached; holds the reason.
    ProxyUnreachable(String),
    /// The proxy requires a user name and a password, or rejected those it was sent.
    ProxyLogin,
    /// A SOCKS4 proxy is to connect to an IPv6 address.
    Socks4Ipv6,
    /// The proxy could not connect to the server; holds the reason.
    ProxyRefused(String),
    /// The connection ended before any byte of a response.
    NoResponse,
    /// The connection broke.
    Broken,
    /// The rest of the response is not valid HTTP.
    Damaged,
}

/// A limit of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalLimit {
    /// Files and sockets that may be open at once.
    Files,
    /// Ports for outgoing connections.
    Ports,
    /// Memory for sockets.
    Memory,
}

impl TransportError {
    /// `details`: the error as the network library worded it.
    pub fn into_fault(self, asked: &RequestInfo<'_>, details: String) -> Fault {
        let host = asked.host;
        let bare = host.split('/').next().unwrap_or(host);
        let proxy = asked.proxy.unwrap_or("on the way");
        // Without TLS an HTTP proxy reads the request and answers itself; through a tunnel the host does.
        let by_proxy = asked.plain && asked.proxy.is_some_and(|proxy| proxy.starts_with("http"));
        let (class, summary, advice): (FaultClass, String, Advice) = match self {
            Self::HostUnknown
            | Self::Refused
            | Self::Unreachable
            | Self::ConnectTimeout
            | Self::HandshakeTimeout => self.connect_words(asked, bare),
            Self::NoHead(after) => (
                FaultClass::Timeout,
                format!("{bare} sent no response within {}", units::duration(after)),
                advice::server(asked),
            ),
            Self::ReadTimeout(after) => (
                FaultClass::Timeout,
                format!("{bare} sent nothing for {}", units::duration(after)),
                advice::server(asked),
            ),
            Self::Http2Only | Self::NotHttp | Self::WantsTls if by_proxy => (
                FaultClass::Proxy,
                format!("The proxy {proxy} does not answer in HTTP/1.1"),
                format!("{PROXY_ADVICE}. The details show how the answer begins").into(),
            ),
            Self::Http2Only => (
                FaultClass::NotAnApi,
                format!("{bare} speaks only HTTP/2, and Batida speaks HTTP/1.1"),
                "Enable HTTP/1.1 on the server or on a proxy in front of it".into(),
            ),
            Self::NotHttp => (
                FaultClass::NotAnApi,
                format!("The response from {bare} is not HTTP"),
                "Check the port of the API domain. The details show the start of the response"
                    .into(),
            ),
            Self::BadHead(why) => (
                FaultClass::NotAnApi,
                format!("The response head of {bare} cannot be read: {why}"),
                "Check the server and the proxies in front of it. The details show the start of the response"
                    .into(),
            ),
            Self::Broken => (
                FaultClass::Dropped,
                format!("The connection to {bare} was lost"),
                advice::server(asked),
            ),
            Self::Damaged => (
                FaultClass::Dropped,
                format!("The response from {bare} is damaged: {details}"),
                "Try again. If it happens again, check for a proxy that changes responses".into(),
            ),
            Self::NoResponse => (
                FaultClass::Dropped,
                format!("{bare} closed the connection without sending a response"),
                if asked.plain {
                    format!("Try again and check the server's log. If the port expects TLS, enter https://{host} as the API domain").into()
                } else {
                    "Try again and check the server's log".into()
                },
            ),
            Self::LocalLimit(lack) => lack.words(bare),
            Self::ProxyUnreachable(_)
            | Self::ProxyLogin
            | Self::ProxyRefused(_)
            | Self::Socks4Ipv6 => {
                self.proxy_words(asked, bare)
            }
            tls => tls.tls_words(host, bare, &details),
        };
        Fault::new(
            class,
            None,
            Failure::new(summary, advice).with_details(details),
        )
    }

    /// Of a connection that could not be opened.
    fn connect_words(&self, asked: &RequestInfo<'_>, bare: &str) -> (FaultClass, String, Advice) {
        match self {
            Self::HostUnknown => (
                FaultClass::HostUnknown,
                format!("Could not resolve the host name {bare}"),
                Advice::by_face(
                    "Check the API domain in Environments for typos, and whether you need a VPN",
                    "Check the address given with --api or in the environment for typos, and whether you need a VPN",
                ),
            ),
            Self::Refused => (
                FaultClass::Unreachable,
                format!("Could not reach {bare}: connection refused"),
                if asked.cluster {
                    "Check the port of the API domain, and whether SambaStack's ingress is running"
                        .into()
                } else {
                    "Check the address and its port, and whether the server is running".into()
                },
            ),
            Self::Unreachable => (
                FaultClass::Unreachable,
                format!("Could not reach {bare}: no route from this machine"),
                "Check the network, the VPN and the proxy".into(),
            ),
            Self::ConnectTimeout => (
                FaultClass::Timeout,
                format!("Could not reach {bare}: the connection timed out"),
                "A firewall may be dropping the packets, or you may need a VPN".into(),
            ),
            _ => (
                FaultClass::Timeout,
                format!("{bare} accepted the connection but did not answer the TLS handshake"),
                format!("The port may not speak TLS: try http://{}. Otherwise the server is overloaded or stopped", asked.host).into(),
            ),
        }
    }

    fn proxy_words(&self, asked: &RequestInfo<'_>, bare: &str) -> (FaultClass, String, Advice) {
        let proxy = asked.proxy.unwrap_or("on the network path");
        let (summary, advice) = match self {
            Self::ProxyUnreachable(why) => (
                format!("Could not reach the proxy {proxy}: {why}"),
                PROXY_ADVICE.to_owned(),
            ),
            Self::ProxyRefused(why) => (
                format!("The proxy {proxy} could not connect to {bare}: {why}"),
                "Check whether the proxy may connect to this host and port. List hosts that need no proxy in $NO_PROXY".to_owned(),
            ),
            Self::Socks4Ipv6 => (
                format!("{bare} has an IPv6 address, and a SOCKS4 proxy ({proxy}) connects only to IPv4 addresses"),
                "Use a socks5:// or http:// proxy, or list the host in $NO_PROXY".to_owned(),
            ),
            _ => {
                // SOCKS proxies have no status.
                let status = if proxy.starts_with("socks") {
                    ""
                } else {
                    " (HTTP 407)"
                };
                let scheme = proxy.split_once("://").map_or("http", |(scheme, _)| scheme);
                let url = format!("{scheme}://user:password@host:port");
                if asked.proxy_login {
                    (
                        format!("The proxy {proxy} rejected the user name or the password{status}"),
                        format!("Check them in the proxy's variable, {url}. Write special characters as %40 for @, %3A for : and so on"),
                    )
                } else {
                    (
                        format!("The proxy {proxy} requires a user name and a password{status}"),
                        format!("Add them to the proxy's variable: {url}"),
                    )
                }
            }
        };
        (FaultClass::Proxy, summary, advice.into())
    }

    fn tls_words(&self, host: &str, bare: &str, details: &str) -> (FaultClass, String, Advice) {
        let (summary, advice): (String, Advice) = match self {
            Self::UnknownIssuer => (
                format!(
                    "The certificate of {bare} is signed by an authority that this machine does not trust"
                ),
                Advice::by_face(
                    "Add the authority's CA certificate file in Environments",
                    "Pass the authority's CA certificate file with --ca",
                )
                .then("For a self-signed certificate, use that certificate itself"),
            ),
            Self::WrongName(names) => (
                if names.is_empty() {
                    format!("The certificate of {bare} is for a different host name")
                } else {
                    let names = list_some(names);
                    format!("The certificate of {bare} is for a different host name: it covers {names}")
                },
                "Enter a name that the certificate covers as the API domain".into(),
            ),
            Self::Expired(day) => (
                format!("The certificate of {bare} has expired{}", at(" on ", day)),
                "Check this machine's clock. If it is right, renew the certificate on the server"
                    .into(),
            ),
            Self::NotValidYet(day) => (
                format!(
                    "The certificate of {bare} is not valid yet{}",
                    at(": it is from ", day)
                ),
                "Check this machine's clock. If it is right, the server has a certificate that is made for later"
                    .into(),
            ),
            Self::UnsupportedKey(what) => (
                format!("The certificate of {bare} has {what}, which Batida cannot verify"),
                Advice::by_face(
                    "Use a certificate with an RSA key of 2048 bits or more, or with P-256, P-384 or Ed25519",
                    "Use a certificate with an RSA key of 2048 bits or more, or with P-256, P-384 or Ed25519. --insecure accepts this one without verifying it",
                ),
            ),
            Self::NothingInCommon => (
                format!(
                    "{bare} refused the TLS handshake: it and Batida have no cipher, curve or kind of certificate in common"
                ),
                "Enable AES-GCM or ChaCha20 ciphers and the curve X25519, P-256 or P-384 on the server, and use a certificate with RSA, P-256, P-384 or Ed25519. Batida supports neither CBC ciphers nor the curve P-521"
                    .into(),
            ),
            Self::NotTls => (
                format!("{bare} does not speak TLS on this port"),
                format!("Enter http://{host} as the API domain, or use the port that speaks TLS")
                    .into(),
            ),
            Self::WantsTls => (
                format!("{bare} speaks TLS on this port, but plain HTTP was sent"),
                format!("Enter https://{host} as the API domain").into(),
            ),
            Self::OldTls => (
                format!("{bare} supports only TLS 1.1 or older, which is not safe"),
                "Enable TLS 1.2 or 1.3 on the server or on the proxy in front of it".into(),
            ),
            Self::ClientCertificate => (
                format!("{bare} requires a client certificate"),
                client_advice(),
            ),
            Self::ClientCertificateRefused => (
                format!("{bare} rejected the client certificate"),
                client_advice(),
            ),
            _ => (
                format!("Could not establish a secure connection to {bare}: {details}"),
                "Check the port of the API domain and the server's TLS settings".into(),
            ),
        };
        (FaultClass::Tls, summary, advice)
    }
}

fn at(words: &str, day: &Option<String>) -> String {
    day.as_ref()
        .map(|day| format!("{words}{day}"))
        .unwrap_or_default()
}

fn client_advice() -> Advice {
    Advice::by_face(
        "Add a client certificate and its key in Environments",
        "Pass a client certificate and its key with --client-cert FILE --client-key FILE",
    )
    .then("The API's operator issues them")
}

const PROXY_ADVICE: &str =
    "Check $HTTPS_PROXY, $HTTP_PROXY and $ALL_PROXY. List hosts that need no proxy in $NO_PROXY";
impl LocalLimit {
    fn words(self, bare: &str) -> (FaultClass, String, Advice) {
        let (what, advice) = match self {
            Self::Files => (
                "the process has reached its limit of open files and sockets",
                System::HERE.files_advice(),
            ),
            Self::Ports => (
                "no local port is free",
                "Use fewer connections, or wait a minute for the ports of closed connections to be released",
            ),
            Self::Memory => (
                "the system has no memory left for sockets",
                "Use fewer connections, or close other programs",
            ),
        };
        let summary = format!("This machine could not open a connection to {bare}: {what}");
        (FaultClass::ThisMachine, summary, advice.into())
    }
}

/// A response that is compressed although no compression was requested. `damaged`: why it could not be decompressed,
/// where that was tried.
pub fn compressed(asked: &RequestInfo<'_>, coding: &str, damaged: Option<&str>) -> Fault {
    let host = asked.host;
    let summary = match damaged {
        None => format!(
            "The response from {host} is compressed ({coding}), although no compression was requested"
        ),
        Some(_) => {
            format!(
                "The response from {host} is compressed ({coding}), and it cannot be decompressed to its end"
            )
        }
    };
    let advice = "Turn off compression for the API on the server or on the proxy in front of it";
    let failure = Failure::new(summary, advice).with_details(damaged.unwrap_or_default());
    Fault::new(FaultClass::NotAnApi, None, failure)
}

/// The fault of an error response that is about the connection and not about the request.
pub(super) fn of_reply(reply: &HttpResponse<'_>, asked: &RequestInfo<'_>) -> Option<Fault> {
    let RequestInfo { host, .. } = *asked;
    let bare = host.split('/').next().unwrap_or(host);
    let says = |words: &str| {
        reply
            .body
            .get(..4_096)
            .unwrap_or(reply.body)
            .to_ascii_lowercase()
            .contains(words)
    };
    let kind = match reply.status {
        304 => {
            let summary = format!("{bare} answered that nothing has changed (HTTP 304)");
            let advice = "Batida keeps no earlier response. Turn off caching for the API on the proxy or the server";
            let failure = Failure::new(summary, advice).with_details(details(reply));
            return Some(Fault::new(FaultClass::NotAnApi, Some(304), failure));
        }
        300..=399 => return Some(redirect(reply, asked)),
        407 => TransportError::ProxyLogin,
        502..=504 if reply.proxy_error.is_some() && asked.plain && asked.proxy.is_some() => {
            let why = clip(reply.proxy_error.unwrap_or_default(), 200);
            TransportError::ProxyRefused(format!("HTTP {}, {why}", reply.status))
        }
        // The words of nginx, Apache and Go, in this order.
        400 | 497
            if says("plain http request was sent to https port")
                || says("speaking plain http to an ssl-enabled server port")
                || says("client sent an http request to an https server") =>
        {
            TransportError::WantsTls
        }
        400 | 496 if says("no required ssl certificate was sent") => {
            TransportError::ClientCertificate
        }
        400 | 495 if says("the ssl certificate error") => TransportError::ClientCertificateRefused,
        // 505: HTTP version not supported.
        426 | 505 => {
            let summary = format!(
                "{bare} requires a protocol other than HTTP/1.1 (HTTP {})",
                reply.status
            );
            let advice = "Enable HTTP/1.1 on the server or on a proxy in front of it";
            let failure = Failure::new(summary, advice).with_details(details(reply));
            return Some(Fault::new(
                FaultClass::NotAnApi,
                Some(reply.status),
                failure,
            ));
        }
        _ => return None,
    };
    let fault = kind.into_fault(asked, details(reply));
    Some(Fault {
        status: Some(reply.status),
        ..fault
    })
}

fn details(reply: &HttpResponse<'_>) -> String {
    let mut lines = vec![format!("HTTP {}", reply.status)];
    lines.extend(
        reply
            .location
            .map(|to| format!("Location: {}", clip(to, 500))),
    );
    if !reply.body.trim().is_empty() {
        lines.push(clip(reply.body.trim(), 2_000));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
