//! What goes wrong below HTTP's meaning, in the API's words: for chats and for benchmarks.

use std::io::ErrorKind;
use std::time::Duration;

use super::Api;
use super::stream::Head;
use crate::io::http1::{Compressed, Lack, ProxyError, ResponseHead, WireError};
use crate::wire::answer::AnswerError;
use crate::wire::fault::{self, Fault, LocalLimit, RequestInfo, TransportError};

impl Api {
    /// What a connection's trouble means.
    pub fn fault_of_wire(&self, error: &WireError, model: &str) -> Fault {
        self.told(of_wire(error, &self.asked(model, &[])))
    }

    /// An answer that is compressed in a way that is not read.
    pub fn fault_of_compressed(&self, why: &Compressed, model: &str) -> Fault {
        self.told(of_compressed(why, &self.asked(model, &[])))
    }

    /// A request that was given up after `limit`; see [`fault::timed_out`].
    pub fn fault_of_time(&self, limit: Duration, came: Option<(u64, u64)>, model: &str) -> Fault {
        self.told(fault::timed_out(limit, came, &self.asked(model, &[])))
    }

    /// A server that has said nothing for so long.
    pub fn fault_of_silence(&self, limit: Duration, model: &str) -> Fault {
        self.told(
            TransportError::ReadTimeout(limit).into_fault(&self.asked(model, &[]), String::new()),
        )
    }

    /// What a response means that is no good answer: a status that is no success, or (`broken`) a body that
    /// is none. `body` is its beginning; `set` are the parameters that the user set.
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
        // Before anything of it is cut off.
        let redactor = self.access.redactor();
        let body = &*redactor.clean(body);
        let head = Head::of(head, redactor);
        self.told(match broken {
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

    /// The `x-ratelimit-*` headers; one that echoes the key is left out.
    pub fn rate_limit(&self, head: &ResponseHead) -> Vec<(String, String)> {
        Head::of(head, self.access.redactor()).rate_limit
    }
}

pub(super) fn of_compressed(why: &Compressed, asked: &RequestInfo<'_>) -> Fault {
    fault::compressed(asked, &why.coding, why.damaged.as_deref())
}

/// Puts a connection's trouble in words.
pub(super) fn of_wire(error: &WireError, asked: &RequestInfo<'_>) -> Fault {
    let kind = match error {
        WireError::Unknown(io) => of_lack(io).unwrap_or(TransportError::HostUnknown),
        WireError::ConnectTimeout => TransportError::ConnectTimeout,
        WireError::Connect(io) => of_io(io, true),
        WireError::Broken(io) | WireError::Stale(io) => of_io(io, false),
        WireError::Proxy(error) => of_proxy(error),
        WireError::NotHttp { first, .. } => match first.as_slice() {
            // An alert or a handshake of TLS.
            [0x15 | 0x16, 0x03, ..] => TransportError::WantsTls,
            // The SETTINGS frame with which HTTP/2 begins.
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
            WireError::Unknown(_) => "its name is not known to the name server".to_owned(),
            WireError::Connect(io) => match io.kind() {
                ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
                ErrorKind::TimedOut => "it does not accept a connection in time".to_owned(),
                ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
                ErrorKind::ConnectionReset => "it reset the connection".to_owned(),
                _ => io.to_string(),
            },
            other => other.to_string(),
        }),
        ProxyError::Refused { status: 407, .. } => TransportError::ProxyLogin,
        ProxyError::Refused { status, reason } => {
            TransportError::ProxyRefused(format!("HTTP {status} {reason}").trim_end().to_owned())
        }
        ProxyError::Socks(why) => {
            // The library's own words for the two ways in which a login fails.
            let login = why.contains("credentials not accepted")
                || why.contains("user/pass authentication");
            if login {
                TransportError::ProxyLogin
            } else {
                TransportError::ProxyRefused(why.clone())
            }
        }
        ProxyError::Odd(why) => {
            TransportError::ProxyRefused(format!("it does not answer as a proxy: {why}"))
        }
    }
}

fn of_io(error: &std::io::Error, connecting: bool) -> TransportError {
    if let Some(tls) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        return tls_trouble(tls);
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
        // The words are ours: see `Reading::take`.
        ErrorKind::UnexpectedEof if error.get_ref().is_some() => TransportError::NoResponse,
        _ => TransportError::Broken,
    }
}

fn tls_trouble(error: &rustls::Error) -> TransportError {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, PeerIncompatible as Odd};
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer | Bad::BadSignature => TransportError::UnknownIssuer,
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => TransportError::WrongName,
            Bad::Expired
            | Bad::ExpiredContext { .. }
            | Bad::NotValidYet
            | Bad::NotValidYetContext { .. } => TransportError::Expired,
            // One that signed itself, which is no authority's that this machine trusts.
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
