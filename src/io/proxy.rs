//! Finds the proxy for an address in environment variables.

use hyper_util::client::proxy::matcher::Matcher;
use secrecy::SecretString;

use crate::domain::failure::{Failure, FaultClass};

/// A proxy. Its credentials are never shown.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// The protocol of the proxy.
    pub kind: ProxyKind,
    /// A name, or an address without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// `Proxy-Authorization` for an HTTP proxy.
    pub authorization: Option<SecretString>,
    /// User and password for a SOCKS proxy.
    pub login: Option<(String, SecretString)>,
    /// Batida resolves host names: `socks5://` and `socks4://`, but not `socks5h://` and `socks4a://`.
    pub local_names: bool,
    /// The URL without credentials.
    pub shown: String,
}

impl Proxy {
    /// Whether it is sent a user name and a password.
    pub fn has_login(&self) -> bool {
        self.authorization.is_some() || self.login.is_some()
    }
}

/// The protocol of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// An HTTP proxy.
    Http,
    /// An HTTP proxy over TLS.
    Https,
    /// SOCKS4 or SOCKS4a.
    Socks4,
    /// A SOCKS5 proxy.
    Socks5,
}

impl ProxyKind {
    /// Whether the proxy forwards bytes without reading requests, also for plain HTTP.
    pub fn is_socks(self) -> bool {
        matches!(self, Self::Socks4 | Self::Socks5)
    }
}

/// The proxy for an address, from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
///
/// # Errors
/// When one of them is not valid. Connecting without the proxy would ignore the user's setting.
pub fn proxy_for(url: &str) -> Result<Option<Proxy>, Failure> {
    let first = |names: [&'static str; 2]| {
        names
            .into_iter()
            .find_map(|name| Some((name, std::env::var(name).ok()?)))
    };
    let exceptions = first(["NO_PROXY", "no_proxy"])
        .map(|(_, value)| value)
        .unwrap_or_default();
    // The library applies it to names only.
    if exceptions.split(',').any(|part| part.trim() == "*") {
        return Ok(None);
    }
    let found = of(&Matcher::from_env(), url);
    if found.is_some() || std::env::var_os("REQUEST_METHOD").is_some() {
        return Ok(found);
    }
    let own = if url.starts_with("https") {
        ["HTTPS_PROXY", "https_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy"]
    };
    let set = [first(own), first(["ALL_PROXY", "all_proxy"])]
        .into_iter()
        .flatten();
    let Some((name, _)) = set.into_iter().find(|(_, value)| !value.trim().is_empty()) else {
        return Ok(None);
    };
    if of(
        &Matcher::builder()
            .all("http://proxy")
            .no(exceptions)
            .build(),
        url,
    )
    .is_none()
    {
        return Ok(None);
    }
    // The value is not shown, since it may contain a password.
    let advice = format!(
        "Write ${name} as http://host:port, https://host:port or socks5h://host:port, or unset it"
    );
    Err(
        Failure::new(format!("${name} does not contain a valid proxy"), advice)
            .of_class(FaultClass::Proxy),
    )
}

/// `None` also for a proxy whose port is none.
fn of(matcher: &Matcher, url: &str) -> Option<Proxy> {
    let found = matcher.intercept(&url.parse().ok()?)?;
    let uri = found.uri();
    let scheme = uri.scheme_str().unwrap_or("http").to_ascii_lowercase();
    let (kind, usual) = match scheme.as_str() {
        "http" => (ProxyKind::Http, 80),
        "https" => (ProxyKind::Https, 443),
        "socks4" | "socks4a" => (ProxyKind::Socks4, 1_080),
        _ => (ProxyKind::Socks5, 1_080),
    };
    let shown_host = uri.host().unwrap_or_default().to_owned();
    let authority = uri.authority()?.as_str();
    let behind = authority.rsplit('@').next()?.strip_prefix(&*shown_host)?;
    let port = match behind {
        "" | ":" => usual,
        // `http` takes a port over 65535 for none.
        _ => uri.port_u16()?,
    };
    let authorization = found.basic_auth().and_then(|value| value.to_str().ok());
    Some(Proxy {
        kind,
        port,
        authorization: authorization.map(SecretString::from),
        login: found
            .raw_auth()
            .map(|(user, password)| (user.to_owned(), SecretString::from(password))),
        local_names: matches!(scheme.as_str(), "socks4" | "socks5"),
        shown: format!("{scheme}://{shown_host}:{port}"),
        host: shown_host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_shown_without_its_credentials() {
        let named = |text: &str| {
            of(
                &Matcher::builder().all(text).build(),
                "https://api.example.com/v1",
            )
            .unwrap()
        };
        let http = named("http://user:geheim@proxy.corp:3128");
        assert_eq!(
            (http.kind, http.shown.as_str(), http.port),
            (ProxyKind::Http, "http://proxy.corp:3128", 3128)
        );
        assert!(http.authorization.is_some() && !format!("{http:?}").contains("geheim"));
        assert_eq!(named("proxy.corp:8080").shown, "http://proxy.corp:8080");
        let socks = named("socks5h://user:geheim@127.0.0.1");
        assert_eq!(
            (socks.kind, socks.shown.as_str()),
            (ProxyKind::Socks5, "socks5h://127.0.0.1:1080")
        );
        assert!(
            socks.login.is_some() && !socks.local_names && !format!("{socks:?}").contains("geheim")
        );
        assert_eq!(named("http://[::1]:8080").port, 8080);
        assert_eq!(named("http://me@proxy.corp:").port, 80);
        let odd = Matcher::builder().all("http://proxy.corp:99999").build();
        assert!(of(&odd, "https://api.example.com/v1").is_none());
        assert_eq!(named("socks4://127.0.0.1:9").kind, ProxyKind::Socks4);
        let none = Matcher::builder()
            .all("http://p:1")
            .no("example.com")
            .build();
        assert!(of(&none, "https://api.example.com/v1").is_none());
    }
}
