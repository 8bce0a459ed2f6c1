//! Errors of connections and of the HTTP protocol.

use std::io;

use crate::io::limits;

/// Bytes of a response that is not HTTP that an error shows.
const MAX_SHOWN_BYTES: usize = 48;

/// Why an exchange failed without a response.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The host name has no address.
    #[error("the host name could not be resolved: {0}")]
    Unknown(io::Error),
    /// No connection within ten seconds.
    #[error("no connection within 10 s")]
    ConnectTimeout,
    /// Connected, and then no end of the TLS handshake within ten seconds.
    #[error("connected, but the TLS handshake did not end within 10 s")]
    HandshakeTimeout,
    /// Connecting or the TLS handshake failed.
    #[error("{0}")]
    Connect(io::Error),
    /// The proxy failed or refused.
    #[error("{0}")]
    Proxy(ProxyError),
    /// The connection broke.
    #[error("{0}")]
    Broken(io::Error),
    /// The server had closed an idle connection and has not received the whole request, which can be sent again.
    #[error("the server had closed the connection: {0}")]
    Stale(io::Error),
    /// The head of the response is HTTP/1.1, and cannot be read.
    #[error("{what}{}", shown(first))]
    BadHead {
        /// The problem.
        what: String,
        /// The first bytes.
        first: Vec<u8>,
    },
    /// The response is not HTTP/1.1.
    #[error("{what}{}", shown(first))]
    NotHttp {
        /// The problem.
        what: String,
        /// The first bytes, if they help to identify the protocol.
        first: Vec<u8>,
    },
}

/// Why a connection through a proxy failed.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The proxy itself could not be reached.
    #[error("{0}")]
    Unreachable(Box<WireError>),
    /// The proxy accepted the connection, and then did not connect to the server within ten seconds.
    #[error("the proxy did not respond within 10 s")]
    Silent,
    /// The proxy refused the connection.
    #[error("the proxy refused to connect: HTTP {status} {reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The HTTP reason phrase.
        reason: String,
    },
    /// A SOCKS proxy refused, or is not a SOCKS proxy.
    #[error("{0}")]
    Socks(String),
    /// A SOCKS4 proxy is to connect to an IPv6 address.
    #[error("SOCKS4 supports no IPv6 addresses")]
    Socks4Ipv6,
    /// The response is not that of a proxy.
    #[error("{0}")]
    NotAProxy(String),
}

/// A local resource that is exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Open files of the process or the system.
    Files,
    /// Local ports.
    Ports,
    /// Memory for sockets.
    Memory,
}

impl Lack {
    /// The exhausted resource behind a system error; `None` if the error concerns the remote side.
    pub fn of(error: &io::Error) -> Option<Self> {
        match error.kind() {
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => Some(Self::Ports),
            io::ErrorKind::OutOfMemory => Some(Self::Memory),
            _ if limits::is_out_of_files(error) => Some(Self::Files),
            _ if limits::is_out_of_buffers(error) => Some(Self::Memory),
            _ => None,
        }
    }
}

impl WireError {
    /// A head that cannot be read, which begins with `bytes`.
    pub(super) fn bad_head(what: &str, bytes: &[u8]) -> Self {
        let what = what.to_owned();
        let first = bytes[..bytes.len().min(MAX_SHOWN_BYTES)].to_vec();
        if bytes.starts_with(b"HTTP/1.") {
            Self::BadHead { what, first }
        } else {
            Self::NotHttp { what, first }
        }
    }

    /// A response that became unreadable after a valid start.
    pub(super) fn damaged(what: &str) -> Self {
        Self::Broken(io::Error::new(io::ErrorKind::InvalidData, what))
    }

    /// The underlying system error, if any.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Unknown(error)
            | Self::Connect(error)
            | Self::Broken(error)
            | Self::Stale(error) => Some(error),
            Self::Proxy(ProxyError::Unreachable(error)) => error.io(),
            Self::Proxy(_)
            | Self::ConnectTimeout
            | Self::HandshakeTimeout
            | Self::BadHead { .. }
            | Self::NotHttp { .. } => None,
        }
    }

    /// The error as one of the proxy, unless a local resource is exhausted.
    pub(super) fn of_proxy(self) -> Self {
        match self.io().and_then(Lack::of) {
            Some(_) => self,
            None => Self::Proxy(ProxyError::Unreachable(Box::new(self))),
        }
    }
}

/// The first bytes in readable form.
fn shown(first: &[u8]) -> String {
    if first.is_empty() {
        return String::new();
    }
    let printable = |byte: &u8| matches!(byte, b' '..=b'~');
    if first.iter().take(4).all(printable) {
        let text: String = first
            .iter()
            .copied()
            .take_while(|byte| printable(byte))
            .map(char::from)
            .collect();
        // The ellipsis also tells the redaction that the text is cut.
        let more = if text.len() == MAX_SHOWN_BYTES {
            "…"
        } else {
            ""
        };
        return format!("; it starts with {:?}", text + more);
    }
    let bytes: Vec<String> = first
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("; it starts with the bytes {}", bytes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::redact::Redactor;

    #[cfg(unix)]
    #[test]
    fn a_lack_of_this_machine_is_told_from_an_error_of_the_other_side() {
        use rustix::io::Errno;

        for (errno, lack) in [
            (Errno::MFILE, Some(Lack::Files)),
            (Errno::ADDRNOTAVAIL, Some(Lack::Ports)),
            (Errno::ADDRINUSE, Some(Lack::Ports)),
            (Errno::NOMEM, Some(Lack::Memory)),
            (Errno::NOBUFS, Some(Lack::Memory)),
            (Errno::CONNREFUSED, None),
            (Errno::CONNRESET, None),
        ] {
            assert_eq!(Lack::of(&errno.into()), lack, "{errno:?}");
        }
    }

    #[test]
    fn a_key_that_is_cut_off_in_what_is_shown_can_be_found() {
        let key = "sk-0123456789abcdefghij";
        let told = WireError::bad_head(
            "it is no HTTP",
            format!("you sent me: Authorization: Bearer {key}").as_bytes(),
        );
        let clean = Redactor::new([key]).clean(&told.to_string()).into_owned();
        assert!(!clean.contains("sk-0"), "{clean}");
        assert!(
            WireError::bad_head("no", b"SSH-2.0")
                .to_string()
                .ends_with("\"SSH-2.0\"")
        );
    }
}
