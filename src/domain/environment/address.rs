//! The base URL of an OpenAI-compatible API.

use serde::{Deserialize, Serialize};
use url::Url;

use super::looks_secret;

/// What may follow the base URL in an address that people copy. The longer ones come first.
const ENDPOINTS: [&str; 6] = [
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/responses",
    "/messages",
    "/models",
];

/// What base URLs end with that need no version: Databricks; Google's, which has one further up.
const WHOLE_ENDS: [&str; 3] = ["serving-endpoints", "openapi", "openai"];

/// The base URL of an OpenAI-compatible API.
///
/// A host alone, or a path without a version, is taken for what stands before `/v1`. A base URL that has a version of
/// its own (`/api/paas/v4`, `/v1beta/openai`), names an Azure deployment, or was cut out of a whole URL such as
/// `/api/chat/completions` is used exactly as it is written. So is a query such as `?api-version=2024-10-21`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiAddress {
    /// What `/chat/completions` follows: `https://host[:port][/path]`, no trailing slash.
    base: String,
    /// Without the `?`.
    query: Option<String>,
    /// The shortest text that [`Self::parse`] reads as this address.
    written: String,
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
    /// A query parameter that looks like a secret: the address is stored and shown in the clear.
    #[error(
        "leave out {0}=…: an address is shown in the clear. Add {0} as a secret query parameter instead"
    )]
    SecretQuery(String),
    /// `#…`.
    #[error("leave out everything from # on: it is never sent")]
    Fragment,
    /// White space inside.
    #[error("an address has no spaces in it")]
    Space,
    /// The URL parser's reason.
    #[error("this is not an address: {0}")]
    Malformed(String),
}

impl ApiAddress {
    /// Reads every way people write it: a bare host, with or without scheme, trailing slashes, `/v1`, a base URL with
    /// its own version, a query, or a whole URL that ends in `/models` or `/chat/completions`.
    ///
    /// # Errors
    /// When it cannot be an address, with the reason.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url = checked(text)?;
        let mut path = url.path().trim_end_matches('/');
        let endpoint = ENDPOINTS.iter().find_map(|end| path.strip_suffix(end));
        path = endpoint.unwrap_or(path).trim_end_matches('/');
        // People copy a part of the URL, too: "…/v1/chat".
        let last = |path: &str| path.rsplit('/').next().is_some_and(is_version);
        let cut = path.strip_suffix("/chat").filter(|before| last(before));
        path = cut.unwrap_or(path);
        let exact = endpoint.is_some() || cut.is_some() || is_whole(path);
        let query = url
            .query()
            .filter(|query| !query.is_empty())
            .map(str::to_owned);
        let origin = url.origin().ascii_serialization();
        let base = if exact {
            format!("{origin}{path}")
        } else {
            format!("{origin}{path}/v1")
        };
        Ok(Self {
            written: shortest(&origin, &base[origin.len()..]),
            base,
            query,
        })
    }

    /// How it is shown and stored: without a `/v1` at the end where that goes without saying, and with its query.
    /// [`Self::parse`] reads it back.
    pub fn text(&self) -> String {
        with_query(&self.written, self.query.as_deref())
    }

    /// [`Self::text`] without the query: `https://host[:port][/path]`, no trailing slash.
    pub fn root(&self) -> &str {
        &self.written
    }

    /// What OpenAI's clients call the base URL; they want [`Self::query`] apart.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The query, names and values decoded.
    pub fn query(&self) -> Vec<(String, String)> {
        let query = self.query.as_deref().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect()
    }

    /// `POST` here to chat.
    pub fn chat(&self) -> String {
        self.endpoint("/chat/completions")
    }

    /// `POST` here to complete a prompt.
    pub fn completions(&self) -> String {
        self.endpoint("/completions")
    }

    /// `POST` here for embeddings.
    pub fn embeddings(&self) -> String {
        self.endpoint("/embeddings")
    }

    /// `GET` here for the models that are routed now.
    pub fn models(&self) -> String {
        self.endpoint("/models")
    }

    fn endpoint(&self, path: &str) -> String {
        with_query(&format!("{}{path}", self.base), self.query.as_deref())
    }

    /// Host and port, and the path before `/v1`, as a person would name it.
    pub fn host(&self) -> &str {
        let written = self
            .written
            .split_once("://")
            .map_or(self.written.as_str(), |(_, rest)| rest);
        written.strip_suffix("/chat/completions").unwrap_or(written)
    }

    /// Whether it starts with `https://`.
    pub fn is_secure(&self) -> bool {
        self.base.starts_with("https://")
    }

    /// Whether it is on this machine, where no proxy is wanted.
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.base).is_ok_and(|url| match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        })
    }

    /// Whether it names a deployment of Azure's, which takes a key in the header `api-key`.
    pub fn is_azure_deployment(&self) -> bool {
        self.base.contains("/openai/deployments/")
    }

    /// Whether it is SambaNova's own, whose keys the world keeps in `SAMBANOVA_API_KEY`.
    pub fn is_sambanova(&self) -> bool {
        let host = Url::parse(&self.base)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned));
        host.is_some_and(|host| host == "sambanova.ai" || host.ends_with(".sambanova.ai"))
    }
}

fn with_query(url: &str, query: Option<&str>) -> String {
    query.map_or_else(|| url.to_owned(), |query| format!("{url}?{query}"))
}

/// The shortest address that is read as this base URL.
fn shortest(origin: &str, path: &str) -> String {
    match path.strip_suffix("/v1") {
        Some(before)
            if !is_whole(before) && !ends_like_an_endpoint(before) && !before.ends_with('/') =>
        {
            format!("{origin}{before}")
        }
        _ if is_whole(path) && !ends_like_an_endpoint(path) => format!("{origin}{path}"),
        _ => format!("{origin}{path}/chat/completions"),
    }
}

fn ends_like_an_endpoint(path: &str) -> bool {
    ENDPOINTS.iter().any(|end| path.ends_with(end)) || path.ends_with("/chat")
}

/// Whether a base URL's path needs no `/v1` behind it: a version is its last part or the one before that. One further
/// up is another API's, as in Cloudflare's `/client/v4/accounts/ID/ai/v1`.
fn is_whole(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let last = parts.next().unwrap_or_default();
    let has_version = path.split('/').any(is_version);
    is_version(last)
        || parts.next().is_some_and(is_version)
        || last == WHOLE_ENDS[0]
        || has_version && WHOLE_ENDS.contains(&last)
        || path.contains("/openai/deployments/")
}

/// `v1`, `v4`, `v1beta`, `v1alpha2`, `v1.1`.
fn is_version(part: &str) -> bool {
    let Some(rest) = part.strip_prefix(['v', 'V']) else {
        return false;
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = part.len() - 1 - rest.len();
    let word = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    (1..=3).contains(&digits)
        && (matches!(
            word,
            "" | "alpha" | "beta" | "preview" | "-beta" | "-preview"
        ) || rest
            .strip_prefix('.')
            .is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit())))
}

fn checked(text: &str) -> Result<Url, AddressError> {
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
    if let Some((name, _)) = url.query_pairs().find(|(name, _)| looks_secret(name)) {
        return Err(AddressError::SecretQuery(name.into_owned()));
    }
    if url.fragment().is_some() {
        return Err(AddressError::Fragment);
    }
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return Err(AddressError::Malformed("the host is missing".to_owned()));
    };
    // `Url` takes "api..com" and "-" for hosts; no name server will.
    let labels_ok = host.starts_with('[')
        || host.trim_end_matches('.').split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
    if !labels_ok {
        return Err(AddressError::Malformed(format!("{host:?} is no host name")));
    }
    Ok(url)
}

/// A bare host gets `https://`, a bare loopback host `http://`: nobody has a certificate there.
fn parse_with_scheme(text: &str) -> Result<Url, AddressError> {
    let malformed = |error: url::ParseError| AddressError::Malformed(error.to_string());
    if text.contains("://") {
        return Url::parse(text).map_err(malformed);
    }
    // "mailto:x" parses as a scheme, "host:8080" as well: only what follows the colon tells.
    if let Some((scheme, rest)) = text.split_once(':') {
        let port = rest.split(['/', '?']).next().unwrap_or_default();
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
        address.text()
    }
}

#[cfg(test)]
mod tests;
