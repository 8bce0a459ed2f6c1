//! What goes wrong below the meaning of HTTP.

use std::io;

use rustix::io::Errno;

/// Bytes that are shown of what is no HTTP.
const MOST_SHOWN: usize = 48;

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
    /// The proxy on the way failed or refused.
    #[error("{0}")]
    Proxy(ProxyError),
    /// The connection broke.
    #[error("{0}")]
    Broken(io::Error),
    /// The server had closed a connection that waited for its request, and has not received that in full: it may be
    /// sent again.
    #[error("the server had closed the connection: {0}")]
    Stale(io::Error),
    /// What came is no HTTP/1.1.
    #[error("{what}{}", shown(first))]
    NotHttp {
        /// What is wrong with it.
        what: String,
        /// Its first bytes, where those may tell what it is.
        first: Vec<u8>,
    },
}

/// Why there is no way through a proxy.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// There is no connection to the proxy itself.
    #[error("{0}")]
    Unreachable(Box<WireError>),
    /// It refused to connect.
    #[error("the proxy refused to connect: HTTP {status} {reason}")]
    Refused {
        /// The status of its answer.
        status: u16,
        /// The words behind it.
        reason: String,
    },
    /// A SOCKS proxy refused, or is none.
    #[error("{0}")]
    Socks(String),
    /// What it answers is nothing that a proxy says.
    #[error("{0}")]
    Odd(String),
}

/// What this machine has no more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Files that a process, or the system, may have open.
    Files,
    /// Local ports.
    Ports,
    /// Memory for sockets.
    Memory,
}

impl Lack {
    /// What an error of the system says of this machine; `None` when it is about the other side.
    pub fn of(error: &io::Error) -> Option<Self> {
        let errno = Errno::from_io_error(error)?;
        match errno {
            Errno::MFILE | Errno::NFILE => Some(Self::Files),
            Errno::ADDRNOTAVAIL | Errno::ADDRINUSE => Some(Self::Ports),
            Errno::NOMEM | Errno::NOBUFS => Some(Self::Memory),
            _ => None,
        }
    }
}

impl WireError {
    pub(super) fn not_http(what: &str, bytes: &[u8]) -> Self {
        Self::NotHttp {
            what: what.to_owned(),
            first: bytes[..bytes.len().min(MOST_SHOWN)].to_vec(),
        }
    }

    /// A response that began well and cannot be read on.
    pub(super) fn damaged(what: &str) -> Self {
        Self::Broken(io::Error::new(io::ErrorKind::InvalidData, what))
    }

    /// The system's error, where there is one.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Unknown(error)
            | Self::Connect(error)
            | Self::Broken(error)
            | Self::Stale(error) => Some(error),
            Self::Proxy(ProxyError::Unreachable(error)) => error.io(),
            Self::Proxy(_) | Self::ConnectTimeout | Self::NotHttp { .. } => None,
        }
    }

    /// The same of a connection to a proxy; what this machine lacks is not the proxy's fault.
    pub(super) fn of_proxy(self) -> Self {
        match self.io().and_then(Lack::of) {
            Some(_) => self,
            None => Self::Proxy(ProxyError::Unreachable(Box::new(self))),
        }
    }
}

/// The first bytes as far as a person can read them.
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
        // Says also to who looks for secrets that the text is cut.
        let more = if text.len() == MOST_SHOWN { "…" } else { "" };
        return format!("; it begins with {:?}", text + more);
    }
    let bytes: Vec<String> = first
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("; it begins with the bytes {}", bytes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::redact::Redactor;

    #[test]
    fn a_key_that_is_cut_off_in_what_is_shown_can_be_found() {
        let key = "sk-0123456789abcdefghij";
        let told = WireError::not_http(
            "it is no HTTP",
            format!("you sent me: Authorization: Bearer {key}").as_bytes(),
        );
        let clean = Redactor::new([key]).clean(&told.to_string()).into_owned();
        assert!(!clean.contains("sk-0"), "{clean}");
        assert!(
            WireError::not_http("no", b"SSH-2.0")
                .to_string()
                .ends_with("\"SSH-2.0\"")
        );
    }
}
