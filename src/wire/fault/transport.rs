//! What goes wrong before or below HTTP, and refusals that are about the connection.

use std::time::Duration;

use super::{Asked, Fault, FaultClass, Reply, advice, clip};
use crate::domain::failure::{Advice, Failure};
use crate::domain::units;

/// What went wrong before or below HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// No address for the name.
    HostUnknown,
    /// The port is closed.
    Refused,
    /// No route, network down.
    Unreachable,
    /// No connection in time.
    ConnectTimeout,
    /// Connected, and then nothing for this long.
    ReadTimeout(Duration),
    /// The certificate's issuer is not trusted.
    UnknownIssuer,
    /// The certificate is for other names.
    WrongName,
    /// The certificate is out of date, or not yet valid.
    Expired,
    /// The other side speaks no TLS.
    NotTls,
    /// The other side speaks only versions of TLS that are given up: 1.1 and older.
    OldTls,
    /// The other side wants a client certificate, and none was shown.
    ClientCertificate,
    /// The client certificate that was shown was refused.
    ClientCertificateRefused,
    /// Another trouble with TLS.
    OtherTls,
    /// Plain HTTP to a port that wants TLS.
    WantsTls,
    /// The other side speaks HTTP/2 and no HTTP/1.1.
    Http2Only,
    /// What came is no HTTP.
    NotHttp,
    /// This machine has no more of something.
    Local(Local),
    /// There is no connection to the proxy, and why.
    ProxyUnreachable(String),
    /// The proxy wants a user name and a password, or others than it got.
    ProxyLogin,
    /// The proxy made no connection, and why.
    ProxyRefused(String),
    /// The connection ended before any byte of a response.
    NoResponse,
    /// The connection broke.
    Broken,
    /// The response cannot be read on as HTTP.
    Damaged,
}

/// What this machine has no more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// Files and sockets that may be open at once.
    Files,
    /// Ports for outgoing connections.
    Ports,
    /// Memory for sockets.
    Memory,
}

impl Transport {
    /// Puts it in words. `details` are the library's own.
    pub fn into_fault(self, asked: &Asked<'_>, details: String) -> Fault {
        let host = asked.host;
        let bare = host.split('/').next().unwrap_or(host);
        let proxy = asked.proxy.unwrap_or("on the way");
        // Without TLS an HTTP proxy reads the request and answers itself; through a tunnel the host does.
        let by_proxy = asked.plain && asked.proxy.is_some_and(|proxy| proxy.starts_with("http"));
        let (class, summary, advice): (FaultClass, String, Advice) = match self {
            Self::HostUnknown => (
                FaultClass::HostUnknown,
                format!("{bare} is not known to the name server"),
                Advice::by_face(
                    "Check the API domain on Home for typing errors, and whether a VPN must be on",
                    "Check the address of --api, or of the environment, for typing errors, and whether a VPN must be on",
                ),
            ),
            Self::Refused => (
                FaultClass::Unreachable,
                format!("{bare} refused the connection: nothing listens there"),
                if asked.cluster {
                    "Check the port of the API domain, and whether SambaStack's ingress is running".into()
                } else {
                    "Check the address and its port, and whether the server is running".into()
                },
            ),
            Self::Unreachable => (
                FaultClass::Unreachable,
                format!("There is no way to {bare} from this machine"),
                "Check the network, the VPN and the proxy".into(),
            ),
            Self::ConnectTimeout => (
                FaultClass::Timeout,
                format!("{bare} did not accept a connection in time"),
                "A firewall may swallow the packets, or a VPN must be on".into(),
            ),
            Self::ReadTimeout(after) => (
                FaultClass::Timeout,
                format!("{bare} sent nothing for {}", units::duration(after)),
                advice::server(asked),
            ),
            Self::Http2Only | Self::NotHttp | Self::WantsTls if by_proxy => (
                FaultClass::Proxy,
                format!("What the proxy {proxy} answers is not HTTP/1.1"),
                format!("{PROXY_ADVICE}. The details show how the answer begins").into(),
            ),
            Self::Http2Only => (
                FaultClass::NotAnApi,
                format!("{bare} speaks HTTP/2 only, and Batida speaks HTTP/1.1"),
                "Let the server, or a proxy before it, accept HTTP/1.1 too".into(),
            ),
            Self::NotHttp => (
                FaultClass::NotAnApi,
                format!("What {bare} answers is not HTTP"),
                "Check the port of the API domain; the details show how the answer begins".into(),
            ),
            Self::Broken => (
                FaultClass::Dropped,
                format!("The connection to {bare} broke"),
                advice::server(asked),
            ),
            Self::Damaged => (
                FaultClass::Dropped,
                format!("The response of {bare} is damaged: {details}"),
                "Try again; if it stays so, look for a proxy on the way that changes responses".into(),
            ),
            Self::NoResponse => (
                FaultClass::Dropped,
                format!("{bare} closed the connection without a response"),
                if asked.plain {
                    format!("Try again and look at the server's log. A port that speaks TLS may do so too: then type https://{host} as the API domain").into()
                } else {
                    "Try again and look at the server's log".into()
                },
            ),
            Self::Local(lack) => lack.words(bare),
            Self::ProxyUnreachable(why) => (
                FaultClass::Proxy,
                format!("The proxy {proxy} was not reached: {why}"),
                PROXY_ADVICE.into(),
            ),
            Self::ProxyLogin => (
                FaultClass::Proxy,
                format!("The proxy {proxy} wants a user name and a password (HTTP 407)"),
                LOGIN_ADVICE.into(),
            ),
            Self::ProxyRefused(why) => (
                FaultClass::Proxy,
                format!("The proxy {proxy} made no connection to {bare}: {why}"),
                "Check whether the proxy may connect to this host and port; $NO_PROXY names hosts that need no proxy"
                    .into(),
            ),
            tls => tls.tls_words(host, bare, &details),
        };
        Fault::new(
            class,
            None,
            Failure::new(summary, advice).with_details(details),
        )
    }

    fn tls_words(&self, host: &str, bare: &str, details: &str) -> (FaultClass, String, Advice) {
        let (summary, advice): (String, Advice) = match self {
            Self::UnknownIssuer => (
                format!(
                    "The certificate of {bare} is signed by an authority that this machine does not trust"
                ),
                Advice::by_face(
                    "Give the environment your authority's CA certificate file on Home",
                    "Give your authority's CA certificate file with --ca",
                )
                .then("For a certificate that signed itself, give that certificate"),
            ),
            Self::WrongName => (
                format!("The certificate of {bare} is for another name"),
                "Use the name that the certificate is for as the API domain".into(),
            ),
            Self::Expired => (
                format!("The certificate of {bare} has expired or is not valid yet"),
                "Check this machine's clock; then the certificate must be renewed on the server"
                    .into(),
            ),
            Self::NotTls => (
                format!("{bare} does not speak TLS on this port"),
                format!("Type http://{host} as the API domain, or the port that speaks TLS").into(),
            ),
            Self::WantsTls => (
                format!("{bare} speaks TLS on this port, and plain HTTP was sent to it"),
                format!("Type https://{host} as the API domain").into(),
            ),
            Self::OldTls => (
                format!("{bare} speaks only TLS 1.1 or older, which is not safe"),
                "The server, or the proxy before it, must speak TLS 1.2 or 1.3".into(),
            ),
            Self::ClientCertificate => (
                format!("{bare} wants a client certificate"),
                client_advice(),
            ),
            Self::ClientCertificateRefused => (
                format!("{bare} refused the client certificate"),
                client_advice(),
            ),
            _ => (
                format!("No secure connection to {bare} could be made: {details}"),
                "Check the port of the API domain and the server's TLS settings".into(),
            ),
        };
        (FaultClass::Tls, summary, advice)
    }
}

fn client_advice() -> Advice {
    Advice::by_face(
        "Give the environment a client certificate and its key on Home",
        "Give a client certificate and its key with --client-cert FILE --client-key FILE",
    )
    .then("Whoever runs the API issues them")
}

const PROXY_ADVICE: &str =
    "Check $HTTPS_PROXY, $HTTP_PROXY and $ALL_PROXY; $NO_PROXY names hosts that need no proxy";
const LOGIN_ADVICE: &str = "Write them in the proxy's variable: http://user:password@host:port";

impl Local {
    fn words(self, bare: &str) -> (FaultClass, String, Advice) {
        let (what, advice) = match self {
            Self::Files => (
                "this process has as many files and sockets open as the system allows",
                "Use fewer connections, or raise the limit first (ulimit -n 65536)",
            ),
            Self::Ports => (
                "no local port is free",
                "Use fewer connections, or wait a minute: ports of closed connections come free again",
            ),
            Self::Memory => (
                "the system gives no more memory for sockets",
                "Use fewer connections, or close other programs",
            ),
        };
        let summary = format!("This machine could open no connection to {bare}: {what}");
        (FaultClass::ThisMachine, summary, advice.into())
    }
}

/// An answer that is compressed in a way that is not read, or (`damaged`) is not what it says to be.
pub fn compressed(asked: &Asked<'_>, coding: &str, damaged: Option<&str>) -> Fault {
    let host = asked.host;
    let summary = match damaged {
        None => format!(
            "The answer of {host} is compressed ({coding}), though no compression was asked for"
        ),
        Some(_) => {
            format!(
                "The answer of {host} is compressed ({coding}) and damaged: it cannot be unpacked to its end"
            )
        }
    };
    let advice = "Turn compression off for the API on the server, or on the proxy before it";
    let failure = Failure::new(summary, advice).with_details(damaged.unwrap_or_default());
    Fault::new(FaultClass::NotAnApi, None, failure)
}

/// A refusal that is about the connection and not about the request.
pub(super) fn of_reply(reply: &Reply<'_>, asked: &Asked<'_>) -> Option<Fault> {
    let Asked { host, .. } = *asked;
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
        300..=399 => return Some(redirect(reply, asked)),
        407 => Transport::ProxyLogin,
        // The words of nginx, Apache and Go, in this order.
        400 | 497
            if says("plain http request was sent to https port")
                || says("speaking plain http to an ssl-enabled server port")
                || says("client sent an http request to an https server") =>
        {
            Transport::WantsTls
        }
        400 | 496 if says("no required ssl certificate was sent") => Transport::ClientCertificate,
        400 | 495 if says("the ssl certificate error") => Transport::ClientCertificateRefused,
        426 => {
            let summary = format!("{bare} wants another protocol than HTTP/1.1 (HTTP 426)");
            let advice = "Let the server, or a proxy before it, accept HTTP/1.1 too";
            let failure = Failure::new(summary, advice).with_details(details(reply));
            return Some(Fault::new(FaultClass::NotAnApi, Some(426), failure));
        }
        _ => return None,
    };
    let fault = kind.into_fault(asked, details(reply));
    Some(Fault {
        status: Some(reply.status),
        ..fault
    })
}

fn redirect(reply: &Reply<'_>, asked: &Asked<'_>) -> Fault {
    let Asked { host, .. } = *asked;
    let bare = host.split('/').next().unwrap_or(host);
    let status = reply.status;
    // What is behind `?` may be a token.
    let to = reply
        .location
        .map(|to| clip(to.split(['?', '#']).next().unwrap_or_default().trim(), 200));
    let to = to.filter(|to| !to.is_empty());
    let summary = match &to {
        Some(to) => format!("{bare} points to {to} instead of answering (HTTP {status})"),
        None => format!("{bare} points elsewhere instead of answering (HTTP {status})"),
    };
    let advice = match to.as_deref().and_then(|to| root_of(to, host)) {
        Some(root) => format!(
            "Type {root} as the API domain; Batida follows no redirect, since the key would go along"
        ),
        None => "Type the address it points to as the API domain; Batida follows no redirect, since the key would go along".to_owned(),
    };
    let failure = Failure::new(summary, advice).with_details(details(reply));
    Fault::new(FaultClass::NotAnApi, Some(status), failure)
}

/// What to type to come where a redirect leads: without the path of what was asked for. `None` where it leads to
/// something that is no API's address, e.g. a page to log in on.
fn root_of(to: &str, host: &str) -> Option<String> {
    let url = url::Url::parse(to).ok()?;
    let path = url.path().trim_end_matches('/');
    let known = ["/chat/completions", "/models", "/embeddings"]
        .iter()
        .find_map(|end| path.strip_suffix(end))?;
    let root = format!("{}{known}", url.origin().ascii_serialization());
    // `/v1` is added to an address without it, so the usual one is shown without.
    let root = root.strip_suffix("/v1").unwrap_or(&root).to_owned();
    (!root.ends_with(&format!("://{host}")) || root.starts_with("https://")).then_some(root)
}

fn details(reply: &Reply<'_>) -> String {
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
mod tests {
    use super::*;
    use crate::wire::fault::from_reply;

    #[track_caller]
    fn check(reply: &Reply<'_>, class: FaultClass, words: [&str; 2]) {
        let asked = Asked {
            host: "api.example.com",
            proxy: Some("http://proxy.corp:3128"),
            ..Asked::default()
        };
        let fault = from_reply(reply, &asked);
        let told = fault.failure.to_string();
        assert_eq!(
            (fault.class, fault.status),
            (class, Some(reply.status)),
            "{told}"
        );
        for words in words {
            assert!(told.contains(words), "{words:?} is not in {told:?}");
        }
    }

    #[test]
    fn a_redirect_says_where_to_and_what_to_type() {
        let to = |location| Reply {
            status: 301,
            location: Some(location),
            ..Reply::default()
        };
        check(
            &to("https://api.example.com/v1/models"),
            FaultClass::NotAnApi,
            [
                "points to https://api.example.com/v1/models",
                "Type https://api.example.com as",
            ],
        );
        check(
            &to("https://login.example.com/realms/a?token=geheim"),
            FaultClass::NotAnApi,
            [
                "points to https://login.example.com/realms/a instead",
                "Type the address it points to",
            ],
        );
        check(
            &to("/v1/models/"),
            FaultClass::NotAnApi,
            ["points to /v1/models/ instead", "follows no redirect"],
        );
        check(
            &Reply {
                status: 302,
                ..Reply::default()
            },
            FaultClass::NotAnApi,
            ["points elsewhere", "(HTTP 302)"],
        );
    }

    #[test]
    fn refusals_about_the_connection_are_no_refusals_of_the_request() {
        let html = |status, body| Reply {
            status,
            content_type: "text/html",
            body,
            ..Reply::default()
        };
        for body in [
            "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>",
            "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
            "Client sent an HTTP request to an HTTPS server.\n",
        ] {
            check(
                &html(400, body),
                FaultClass::Tls,
                ["speaks TLS on this port", "Type https://api.example.com as"],
            );
        }
        check(
            &html(400, "<center>No required SSL certificate was sent</center>"),
            FaultClass::Tls,
            ["wants a client certificate", "issues them"],
        );
        check(
            &html(407, "<h1>Proxy Authentication Required</h1>"),
            FaultClass::Proxy,
            [
                "The proxy http://proxy.corp:3128 wants a user name and a password",
                "user:password@",
            ],
        );
        check(
            &html(504, "<title>504 Gateway Time-out</title>"),
            FaultClass::Timeout,
            ["waited for the server behind it and gave up", "504"],
        );
    }

    #[test]
    fn a_proxy_that_speaks_no_http_is_what_is_told() {
        let asked = Asked {
            host: "api.example.com",
            proxy: Some("http://proxy.corp:3128"),
            plain: true,
            ..Asked::default()
        };
        for kind in [
            Transport::NotHttp,
            Transport::Http2Only,
            Transport::WantsTls,
        ] {
            let fault = kind.clone().into_fault(&asked, String::new());
            let told = fault.failure.to_string();
            assert_eq!(fault.class, FaultClass::Proxy, "{told}");
            assert!(
                told.starts_with("What the proxy http://proxy.corp:3128 answers is not HTTP"),
                "{told}"
            );
            // Through a tunnel, and through SOCKS, it is the host that answers.
            for asked in [
                Asked {
                    plain: false,
                    ..asked
                },
                Asked {
                    proxy: Some("socks5://proxy.corp:1080"),
                    ..asked
                },
                Asked {
                    proxy: None,
                    ..asked
                },
            ] {
                let fault = kind.clone().into_fault(&asked, String::new());
                assert_ne!(fault.class, FaultClass::Proxy, "{}", fault.failure);
            }
        }
    }

    #[test]
    fn a_connection_that_broke_does_not_promise_what_may_not_be_there() {
        let told = Transport::Broken
            .into_fault(&Asked::default(), String::new())
            .failure
            .to_string();
        assert!(
            told.contains("Try again") && !told.contains("kept"),
            "{told}"
        );
    }

    #[test]
    fn what_this_machine_lacks_is_not_the_servers_fault() {
        let asked = Asked {
            host: "api.example.com/v1",
            ..Asked::default()
        };
        for (lack, words) in [
            (Local::Files, "ulimit -n"),
            (Local::Ports, "no local port"),
            (Local::Memory, "memory"),
        ] {
            let fault = Transport::Local(lack).into_fault(&asked, String::new());
            let told = fault.failure.to_string();
            assert_eq!(fault.class, FaultClass::ThisMachine, "{told}");
            assert!(
                told.starts_with("This machine could open no connection to api.example.com:"),
                "{told}"
            );
            assert!(told.contains(words), "{told}");
        }
    }
}
