//! Turns connection errors and refusals into faults, for chats and benchmarks.

use std::io::ErrorKind;
use std::time::Duration;

use super::Api;
use super::head::Head;
use crate::io::http1::{Compressed, Lack, ProxyError, ResponseHead, WireError};
use crate::io::tls::UnsupportedKey;
use crate::wire::answer::AnswerError;
use crate::wire::fault::{self, Fault, LocalLimit, RequestInfo, TransportError};

impl Api {
    /// The fault of a connection error.
    pub fn fault_of_wire(&self, error: &WireError, model: &str) -> Fault {
        self.shown(of_wire(error, &self.asked(model, &[])))
    }

    /// The fault of a response with an unsupported compression.
    pub fn fault_of_compressed(&self, why: &Compressed, model: &str) -> Fault {
        self.shown(of_compressed(why, &self.asked(model, &[])))
    }

    /// The fault of a request that was stopped after `limit`; see [`fault::timed_out`].
    pub fn fault_of_time(&self, limit: Duration, came: Option<(u64, u64)>, model: &str) -> Fault {
        self.shown(fault::timed_out(limit, came, &self.asked(model, &[])))
    }

    /// The fault of a success without a body.
    pub fn fault_of_empty(&self, status: u16, model: &str) -> Fault {
        self.shown(fault::empty(status, &self.asked(model, &[])))
    }

    /// The fault of a server that sent nothing for `limit`.
    pub fn fault_of_silence(&self, limit: Duration, model: &str) -> Fault {
        self.shown(
            TransportError::ReadTimeout(limit).into_fault(&self.asked(model, &[]), String::new()),
        )
    }

    /// The fault of a refusal, or of a response whose body is `broken`. `body` is the beginning of the body; `set` are
    /// the parameters that the user set.
    pub fn fault_of_reply(
        &self,
        head: &ResponseHead,
        body: &str,
        broken: Option<AnswerError>,
        (model, set): (&str, &[&'static str]),
    ) -> Fault {
        let asked = RequestInfo {
            set,
            ..self.asked(model, &[])
        };
        // Before it is shortened.
        let redactor = self.access.redactor();
        let body = &*redactor.clean(body);
        let head = Head::of(head, redactor);
        self.shown(match broken {
            None | Some(AnswerError::Refused) => fault::from_reply(&head.reply(body), &asked),
            Some(AnswerError::Sent(error)) => {
                fault::from_stream(&redactor.clean_json(error), &asked)
            }
            Some(AnswerError::NotAnAnswer) => fault::not_an_answer(&head.reply(body), &asked),
            Some(AnswerError::Cut(details)) => fault::cut(&asked, &details),
            Some(AnswerError::Unreadable(event)) => fault::unreadable(&asked, &event),
            Some(AnswerError::GaveUp(word)) => fault::stopped_early(&asked, &word),
        })
    }

    /// The `x-ratelimit-*` headers, without those that repeat the key.
    pub fn rate_limit(&self, head: &ResponseHead) -> Vec<(String, String)> {
        Head::of(head, self.access.redactor()).rate_limit
    }
}

pub(super) fn of_compressed(why: &Compressed, asked: &RequestInfo<'_>) -> Fault {
    fault::compressed(asked, &why.coding, why.damaged.as_deref())
}

/// The fault of a connection error.
pub(super) fn of_wire(error: &WireError, asked: &RequestInfo<'_>) -> Fault {
    let kind = match error {
        WireError::Unknown(io) => of_lack(io).unwrap_or(TransportError::HostUnknown),
        WireError::ConnectTimeout => TransportError::ConnectTimeout,
        WireError::HandshakeTimeout => TransportError::HandshakeTimeout,
        WireError::Connect(io) => of_io(io, true),
        WireError::Broken(io) | WireError::Stale(io) => of_io(io, false),
        WireError::Proxy(error) => of_proxy(error),
        WireError::BadHead { what, .. } => TransportError::BadHead(what.clone()),
        WireError::NotHttp { first, .. } => match first.as_slice() {
            // A TLS alert or handshake.
            [0x15 | 0x16, 0x03, ..] => TransportError::WantsTls,
            // The SETTINGS frame at the start of HTTP/2.
            [_, _, _, 4, 0 | 1, 0, 0, 0, 0, ..] => TransportError::Http2Only,
            _ => TransportError::NotHttp,
        },
    };
    kind.into_fault(asked, error.to_string())
}

fn of_lack(error: &std::io::Error) -> Option<TransportError> {
    let lack = match Lack::of(error)? {
        Lack::Files => LocalLimit::Files,
        Lack::Ports => LocalLimit::Ports,
        Lack::Memory => LocalLimit::Memory,
    };
    Some(TransportError::LocalLimit(lack))
}

fn of_proxy(error: &ProxyError) -> TransportError {
    match error {
        ProxyError::Unreachable(error) => TransportError::ProxyUnreachable(match &**error {
            WireError::Unknown(_) => "its host name could not be resolved".to_owned(),
            WireError::Connect(io) => match io.kind() {
                ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                ErrorKind::TimedOut => "connecting timed out".to_owned(),
                ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
                ErrorKind::ConnectionReset => "it reset the connection".to_owned(),
                _ => io.to_string(),
            },
            other => other.to_string(),
        }),
        ProxyError::Silent => TransportError::ProxyRefused("no answer within 10 s".to_owned()),
        ProxyError::Refused { status: 407, .. } => TransportError::ProxyLogin,
        ProxyError::Refused { status, reason } => {
            TransportError::ProxyRefused(format!("HTTP {status} {reason}").trim_end().to_owned())
        }
        ProxyError::Socks4Ipv6 => TransportError::Socks4Ipv6,
        ProxyError::Socks(why) => {
            // The library's messages for a failed login.
            let login = why.contains("credentials not accepted")
                || why.contains("user/pass authentication");
            if login {
                TransportError::ProxyLogin
            } else {
                TransportError::ProxyRefused(why.clone())
            }
        }
        ProxyError::NotAProxy(why) => {
            TransportError::ProxyRefused(format!("the response is not that of a proxy: {why}"))
        }
    }
}

fn of_io(error: &std::io::Error, connecting: bool) -> TransportError {
    if let Some(tls) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        return of_tls(tls);
    }
    if let Some(lack) = of_lack(error) {
        return lack;
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => TransportError::Refused,
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown => {
            TransportError::Unreachable
        }
        ErrorKind::TimedOut => TransportError::ConnectTimeout,
        // See `WireError::damaged`.
        ErrorKind::InvalidData if !connecting => TransportError::Damaged,
        ErrorKind::UnexpectedEof if connecting => TransportError::NotTls,
        // An error with a text comes from `ResponseState::take`.
        ErrorKind::UnexpectedEof if error.get_ref().is_some() => TransportError::NoResponse,
        _ => TransportError::Broken,
    }
}

/// `2026-11-30`
fn day(time: rustls::pki_types::UnixTime) -> Option<String> {
    let seconds = i64::try_from(time.as_secs()).ok()?;
    let moment = jiff::Timestamp::from_second(seconds).ok()?;
    Some(moment.strftime("%Y-%m-%d").to_string())
}

fn of_tls(error: &rustls::Error) -> TransportError {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, PeerIncompatible as Odd};
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer | Bad::BadSignature => TransportError::UnknownIssuer,
            Bad::NotValidForName => TransportError::WrongName(Vec::new()),
            Bad::NotValidForNameContext { presented, .. } => {
                TransportError::WrongName(presented.clone())
            }
            Bad::Expired => TransportError::Expired(None),
            Bad::ExpiredContext { not_after, .. } => TransportError::Expired(day(*not_after)),
            Bad::NotValidYet => TransportError::NotValidYet(None),
            Bad::NotValidYetContext { not_before, .. } => {
                TransportError::NotValidYet(day(*not_before))
            }
            Bad::Other(other) if other.0.is::<UnsupportedKey>() => {
                TransportError::UnsupportedKey(other.0.to_string())
            }
            Bad::UnsupportedSignatureAlgorithmContext { .. }
            | Bad::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                TransportError::UnsupportedKey("a signature of an old or rare kind".to_owned())
            }
            // A self-signed certificate.
            Bad::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                TransportError::UnknownIssuer
            }
            _ => TransportError::OtherTls,
        },
        rustls::Error::InvalidMessage(_) => TransportError::NotTls,
        rustls::Error::AlertReceived(Alert::ProtocolVersion)
        | rustls::Error::PeerIncompatible(
            Odd::ServerDoesNotSupportTls12Or13
            | Odd::Tls12NotOffered
            | Odd::Tls12NotOfferedOrEnabled
            | Odd::ServerTlsVersionIsDisabledByOurConfig,
        ) => TransportError::OldTls,
        rustls::Error::AlertReceived(Alert::HandshakeFailure | Alert::InsufficientSecurity)
        | rustls::Error::PeerIncompatible(
            Odd::NoCipherSuitesInCommon
            | Odd::NoKxGroupsInCommon
            | Odd::NoSignatureSchemesInCommon
            | Odd::NoCertificateRequestSignatureSchemesInCommon
            | Odd::NamedGroupsExtensionRequired
            | Odd::EcPointsExtensionRequired
            | Odd::UncompressedEcPointsRequired,
        ) => TransportError::NothingInCommon,
        rustls::Error::AlertReceived(Alert::NoApplicationProtocol) => TransportError::Http2Only,
        rustls::Error::AlertReceived(Alert::CertificateRequired) => {
            TransportError::ClientCertificate
        }
        rustls::Error::AlertReceived(
            Alert::BadCertificate
            | Alert::UnknownCA
            | Alert::DecryptError
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::UnsupportedCertificate
            | Alert::AccessDenied,
        ) => TransportError::ClientCertificateRefused,
        _ => TransportError::OtherTls,
    }
}
