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
mod tests {
    use super::*;

    #[track_caller]
    fn check_root(text: &str, root: &str) {
        assert_eq!(
            ApiAddress::parse(text).as_ref().map(ApiAddress::root),
            Ok(root),
            "{text}"
        );
    }

    /// The chat and models URLs, and that the address survives being stored.
    #[track_caller]
    fn check_urls(text: &str, chat: &str, models: &str) {
        let address = ApiAddress::parse(text).expect(text);
        assert_eq!(
            (address.chat().as_str(), address.models().as_str()),
            (chat, models),
            "{text}"
        );
        assert_eq!(
            ApiAddress::parse(&address.text()),
            Ok(address.clone()),
            "stored as {}",
            address.text()
        );
        assert_eq!(
            ApiAddress::parse(&address.chat()).as_ref(),
            Ok(&address),
            "by its chat URL"
        );
        assert_eq!(
            ApiAddress::parse(&address.models()),
            Ok(address),
            "by its models URL"
        );
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
            "https://api.example.com/v1/chat",
            "api.example.com/v1/models",
            "HTTPS://API.example.com/v1/chat/completions",
            "https://api.example.com:443/v1/chat/completions/",
        ] {
            check_root(text, "https://api.example.com");
        }
        check_root("http://10.0.0.1:8080/v1", "http://10.0.0.1:8080");
        check_root("localhost:8080", "http://localhost:8080");
        check_root("[::1]:9000/v1", "http://[::1]:9000");
        check_root(
            "gw.example.com/team-a/v1/chat/completions",
            "https://gw.example.com/team-a",
        );
        check_root("api.example.com:8443", "https://api.example.com:8443");
    }

    #[test]
    fn a_base_url_with_its_own_version_is_used_as_written() {
        for base in [
            "https://h.example/api/paas/v4",
            "https://h.example/v1beta/openai",
            "https://h.example/api/v3",
            "https://h.example/v2",
            "https://h.example/compatible-mode/v1",
            "https://h.example/openai/v1",
            "https://h.example/v1/openai",
            "https://h.example/client/v4/accounts/0123abcd/ai/v1",
            "https://h.example/v1beta1/projects/p/locations/l/endpoints/openapi",
            "https://h.example/serving-endpoints",
            "https://h.example/inference/v1",
            "https://h.example/api/openai/v1",
            "https://h.example/openai/deployments/gpt-4o",
            "http://127.0.0.1:8080/v1.1",
        ] {
            for text in [
                base.to_owned(),
                format!("{base}/"),
                format!("{base}/chat/completions"),
                format!("{base}/chat/completions//"),
                format!("{base}/models"),
                format!("{base}/embeddings"),
            ] {
                check_urls(
                    &text,
                    &format!("{base}/chat/completions"),
                    &format!("{base}/models"),
                );
            }
        }
    }

    #[test]
    fn a_whole_chat_url_is_used_as_written_without_any_version() {
        for base in [
            "https://h.example/api",
            "https://h.example",
            "https://h.example/team/messages",
        ] {
            let chat = format!("{base}/chat/completions");
            check_urls(&chat, &chat, &format!("{base}/models"));
        }
        // Such an address is stored with its end: without it, it would be another.
        let address = ApiAddress::parse("h.example/api/chat/completions").expect("an address");
        assert_eq!(address.text(), "https://h.example/api/chat/completions");
        assert_eq!(address.host(), "h.example/api");
    }

    #[test]
    fn a_query_goes_with_every_request() {
        let azure = "https://x.openai.azure.com/openai/deployments/d";
        let query = "?api-version=2024-10-21&x=a%20b";
        check_urls(
            &format!("{azure}/chat/completions{query}"),
            &format!("{azure}/chat/completions{query}"),
            &format!("{azure}/models{query}"),
        );
        let address = ApiAddress::parse(&format!("{azure}/{query}")).expect("an address");
        assert_eq!((address.base(), address.root()), (azure, azure));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            address.query(),
            [pair("api-version", "2024-10-21"), pair("x", "a b")]
        );
        check_urls(
            "localhost:80?v=1",
            "http://localhost/v1/chat/completions?v=1",
            "http://localhost/v1/models?v=1",
        );
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", AddressError::Empty),
            (
                "ftp://api.example.com",
                AddressError::Scheme("ftp".to_owned()),
            ),
            ("mailto:me", AddressError::Scheme("mailto".to_owned())),
            (
                "https://user:secret@api.example.com",
                AddressError::Credentials,
            ),
            (
                "https://api.example.com/v1?api-key=x",
                AddressError::SecretQuery("api-key".to_owned()),
            ),
            (
                "https://api.example.com?key=AIza",
                AddressError::SecretQuery("key".to_owned()),
            ),
            ("https://api.example.com#top", AddressError::Fragment),
            ("https://api example.com", AddressError::Space),
        ] {
            assert_eq!(ApiAddress::parse(text), Err(reason), "{text}");
        }
        for text in [
            "https://",
            "http://:80",
            "https://api..com",
            "https://-x.com",
            "host:99999",
            "///",
        ] {
            assert!(
                matches!(ApiAddress::parse(text), Err(AddressError::Malformed(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn addresses_that_earlier_versions_stored_mean_the_same() {
        // They cut "/v1" off every address.
        for (stored, chat) in [
            (
                "https://h.example/compatible-mode",
                "/compatible-mode/v1/chat/completions",
            ),
            ("https://h.example/openai", "/openai/v1/chat/completions"),
            (
                "https://h.example/inference",
                "/inference/v1/chat/completions",
            ),
            (
                "https://h.example/client/v4/accounts/1f/ai",
                "/client/v4/accounts/1f/ai/v1/chat/completions",
            ),
        ] {
            let address = ApiAddress::parse(stored).expect("an address");
            assert_eq!(address.chat(), format!("https://h.example{chat}"));
        }
    }

    #[test]
    fn versions_are_told_from_names() {
        for part in [
            "v1",
            "V2",
            "v4",
            "v10",
            "v1beta",
            "v1alpha2",
            "v1.1",
            "v1beta1",
            "v2-preview",
        ] {
            assert!(is_version(part), "{part}");
        }
        for part in [
            "",
            "v",
            "vllm",
            "v1x",
            "version1",
            "1",
            "va1",
            "v20240601",
            "v1.",
        ] {
            assert!(!is_version(part), "{part}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_stored_is_read_back(path in "(/(v1|v4|api|chat|openai|completions|models|x)){0,5}/{0,2}") {
            let address = ApiAddress::parse(&format!("https://h.example{path}")).expect("an address");
            proptest::prop_assert_eq!(ApiAddress::parse(&address.text()), Ok(address.clone()));
            proptest::prop_assert_eq!(ApiAddress::parse(&address.chat()), Ok(address));
        }
    }
}
