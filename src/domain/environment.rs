//! Where models run: a cluster, an API and a key.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

/// What names an environment for good; its display name may change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnvId(pub String);

impl EnvId {
    /// The built-in demo's.
    pub fn demo() -> Self {
        Self("demo".to_owned())
    }

    /// A new one, never used before: a key that is kept under an old one must not come back.
    pub fn fresh() -> Self {
        use std::hash::{BuildHasher as _, Hasher as _, RandomState};
        // The standard library's only source of randomness.
        Self(format!("env-{:016x}", RandomState::new().build_hasher().finish()))
    }

    /// The one that flags such as `--api` make up for a single run.
    pub fn ad_hoc() -> Self {
        Self("ad-hoc".to_owned())
    }
}

/// A place where models run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Its name for good.
    pub id: EnvId,
    /// The name people read.
    pub name: String,
    /// The built-in demo; its addresses are made up at each start.
    #[serde(default, skip_serializing_if = "is_false")]
    pub demo: bool,
    /// The API; an environment may have only a cluster, but then nobody can chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiAddress>,
    /// Where the API key is kept.
    #[serde(default)]
    pub key: KeyPlace,
    /// A PEM file of certificate authorities to trust besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Trust any certificate. Whoever sits between can then read the key.
    #[serde(default, skip_serializing_if = "is_false")]
    pub accept_invalid_certs: bool,
    /// The cluster; `None` for an API alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterAccess>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Environment {
    /// The built-in demo.
    pub fn demo() -> Self {
        Self {
            id: EnvId::demo(),
            name: "Demo".to_owned(),
            demo: true,
            api: None,
            key: KeyPlace::None,
            ca_file: None,
            accept_invalid_certs: false,
            cluster: Some(ClusterAccess { namespace: "sambastack".to_owned(), ..ClusterAccess::default() }),
        }
    }

    /// An empty one to fill in.
    pub fn blank(id: EnvId, name: impl Into<String>) -> Self {
        Self { id, name: name.into(), demo: false, cluster: None, ..Self::demo() }
    }
}

impl Environment {
    /// A question to its cluster for the user to ask, as one can paste it in a shell.
    pub fn kubectl_line(&self, args: &[String]) -> Option<String> {
        let ClusterAccess { kubectl, kubeconfig, context, namespace } = self.cluster.as_ref()?;
        let path = |path: &PathBuf| path.display().to_string();
        let mut words = match (self.demo, kubectl) {
            (true, _) => vec!["batida".to_owned(), "kubectl-twin".to_owned()],
            (false, Some(program)) => vec![path(program)],
            (false, None) => vec!["kubectl".to_owned()],
        };
        for (flag, value) in [("--kubeconfig", kubeconfig.as_ref().map(path)), ("--context", context.clone())]
        {
            words.extend(
                value.filter(|value| !value.is_empty()).into_iter().flat_map(|it| [flag.to_owned(), it]),
            );
        }
        if !namespace.is_empty() {
            words.extend(["-n".to_owned(), namespace.clone()]);
        }
        words.extend_from_slice(args);
        Some(shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" ")))
    }
}

/// How `kubectl` is to be run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterAccess {
    /// The program; `None` looks for `kubectl` in `PATH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubectl: Option<PathBuf>,
    /// `None` leaves it to kubectl: `KUBECONFIG`, then `~/.kube/config`. A leading `~/` is expanded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
    /// `None` for the kubeconfig's current context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The namespace that SambaStack's deployments live in; empty for the context's.
    pub namespace: String,
}

impl ClusterAccess {
    /// The namespace as it is shown.
    pub fn namespace_label(&self) -> &str {
        if self.namespace.is_empty() { "the context's namespace" } else { &self.namespace }
    }
}

/// Whether a text can be a namespace (a DNS label, RFC 1123).
///
/// # Errors
/// Why it cannot.
pub fn check_namespace(text: &str) -> Result<(), &'static str> {
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    match text {
        "" => Err("type the namespace SambaStack runs in"),
        text if text.len() > 63
            || !text.bytes().all(letters)
            || text.starts_with('-')
            || text.ends_with('-') =>
        {
            Err("a namespace has lower-case letters, digits and hyphens, at most 63")
        }
        _ => Ok(()),
    }
}

/// Where an API key is kept. The key itself is never part of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// No key: an API that asks for none.
    #[default]
    None,
    /// The system's keychain.
    Keychain,
    /// An environment variable of this name.
    Variable(String),
    /// The settings file, in the clear, readable by its owner only.
    SettingsFile,
}

/// The root of an OpenAI-compatible API, without `/v1`: `https://host[:port][/prefix]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiAddress {
    root: String,
}

/// Why a text is no API address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing was typed.
    #[error("type the API's address, e.g. https://api.example.com")]
    Empty,
    /// Not `http` or `https`.
    #[error("{0}:// is not an API address: it starts with https:// (or http://)")]
    Scheme(String),
    /// `user:password@`, which would be stored and shown in the clear.
    #[error("leave out the user name and password: the API takes a key, kept apart")]
    Credentials,
    /// `?…` or `#…`.
    #[error("leave out everything from {0:?} on: an API address has no query")]
    Query(char),
    /// White space inside.
    #[error("an address has no spaces in it")]
    Space,
    /// What the URL parser says, in words.
    #[error("this is not an address: {0}")]
    Malformed(String),
}

impl ApiAddress {
    /// Reads every way people write it: a bare host, with or without scheme, trailing slashes,
    /// `/v1`, `/v1/models`, `/v1/chat/completions`.
    ///
    /// # Errors
    /// When it cannot be an address, with the reason.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.chars().any(char::is_whitespace) {
            return Err(AddressError::Space);
        }
        let url = parse_with_scheme(text)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressError::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credentials);
        }
        if url.query().is_some() {
            return Err(AddressError::Query('?'));
        }
        if url.fragment().is_some() {
            return Err(AddressError::Query('#'));
        }
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            return Err(AddressError::Malformed("the host is missing".to_owned()));
        };
        // `Url` takes "api..com" and "-" for hosts; no name server will.
        let labels_ok = host.starts_with('[')
            || host.trim_end_matches('.').split('.').all(|label| {
                !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
            });
        if !labels_ok {
            return Err(AddressError::Malformed(format!("{host:?} is no host name")));
        }
        let mut path = url.path().trim_end_matches('/').to_owned();
        for known in ["/chat/completions", "/completions", "/models", "/embeddings"] {
            if let Some(rest) = path.strip_suffix(known) {
                path.truncate(rest.len());
                break;
            }
        }
        let path = path.trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path).trim_end_matches('/');
        let origin = url.origin().ascii_serialization();
        Ok(Self { root: format!("{origin}{path}") })
    }

    /// `https://host[:port][/prefix]`, no trailing slash.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// What OpenAI's clients call the base URL: the root and `/v1`.
    pub fn base(&self) -> String {
        format!("{}/v1", self.root)
    }

    /// `POST` here to chat.
    pub fn chat(&self) -> String {
        format!("{}/v1/chat/completions", self.root)
    }

    /// `POST` here for embeddings.
    pub fn embeddings(&self) -> String {
        format!("{}/v1/embeddings", self.root)
    }

    /// `GET` here for the models that are routed now.
    pub fn models(&self) -> String {
        format!("{}/v1/models", self.root)
    }

    /// Host and port, as a person would name it.
    pub fn host(&self) -> &str {
        self.root.split_once("://").map_or(self.root.as_str(), |(_, rest)| rest)
    }

    /// Whether it is on this machine, where no proxy is wanted.
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.root).is_ok_and(|url| match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        })
    }
}

/// A bare host gets `https://`, a bare loopback host `http://`: nobody has a certificate there.
fn parse_with_scheme(text: &str) -> Result<Url, AddressError> {
    let malformed = |error: url::ParseError| AddressError::Malformed(error.to_string());
    if text.contains("://") {
        return Url::parse(text).map_err(malformed);
    }
    // "mailto:x" parses as a scheme, "host:8080" as well: only what follows the colon tells.
    if let Some((scheme, rest)) = text.split_once(':') {
        let port = rest.split('/').next().unwrap_or_default();
        let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let is_scheme = scheme.bytes().all(|b| b.is_ascii_alphabetic());
        if !is_port && is_scheme && !scheme.is_empty() {
            return Err(AddressError::Scheme(scheme.to_owned()));
        }
    }
    let url = Url::parse(&format!("https://{text}")).map_err(malformed)?;
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    if loopback {
        return Url::parse(&format!("http://{text}")).map_err(malformed);
    }
    Ok(url)
}

impl TryFrom<String> for ApiAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<ApiAddress> for String {
    fn from(address: ApiAddress) -> Self {
        address.root
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_root(text: &str, root: &str) {
        assert_eq!(ApiAddress::parse(text).as_ref().map(ApiAddress::root), Ok(root), "{text}");
    }

    #[test]
    fn every_way_of_writing_the_domain_gives_the_same_root() {
        for text in [
            "api.example.com",
            "https://api.example.com",
            "https://api.example.com/",
            " https://api.example.com// ",
            "https://api.example.com/v1",
            "https://api.example.com/v1/",
            "api.example.com/v1/models",
            "HTTPS://API.example.com/v1/chat/completions",
            "https://api.example.com:443/v1/chat/completions/",
        ] {
            check_root(text, "https://api.example.com");
        }
        check_root("http://10.0.0.1:8080/v1", "http://10.0.0.1:8080");
        check_root("localhost:8080", "http://localhost:8080");
        check_root("[::1]:9000/v1", "http://[::1]:9000");
        check_root("gw.example.com/team-a/v1/chat/completions", "https://gw.example.com/team-a");
        check_root("api.example.com:8443", "https://api.example.com:8443");
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", AddressError::Empty),
            ("ftp://api.example.com", AddressError::Scheme("ftp".to_owned())),
            ("mailto:me", AddressError::Scheme("mailto".to_owned())),
            ("https://user:secret@api.example.com", AddressError::Credentials),
            ("https://api.example.com/v1?x=1", AddressError::Query('?')),
            ("https://api.example.com#top", AddressError::Query('#')),
            ("https://api example.com", AddressError::Space),
        ] {
            assert_eq!(ApiAddress::parse(text), Err(reason), "{text}");
        }
        for text in ["https://", "http://:80", "https://api..com", "https://-x.com", "host:99999", "///"] {
            assert!(matches!(ApiAddress::parse(text), Err(AddressError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn parsing_what_was_parsed_changes_nothing() {
        let address = ApiAddress::parse("gw.example.com/team/v1").expect("parses");
        assert_eq!(ApiAddress::parse(address.root()), Ok(address.clone()));
        assert_eq!(ApiAddress::parse(&address.chat()), Ok(address));
    }
}
