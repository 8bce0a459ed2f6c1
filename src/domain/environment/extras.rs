//! Headers and query parameters that the requests of an environment carry besides the usual ones.

use serde::{Deserialize, Serialize};

/// A header or query parameter that every request carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extra {
    /// Where it stands in the request.
    pub kind: ExtraKind,
    /// Its name: a header's in any case, a query parameter's as it is sent.
    pub name: String,
    /// Its value, or where that is.
    pub value: ExtraValue,
}

/// Where an extra value stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtraKind {
    /// In its head.
    Header,
    /// Behind the `?` of its address.
    Query,
}

/// An extra value, or where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtraValue {
    /// No secret: shown and stored as it is.
    Plain(String),
    /// A secret in the environment variable of this name.
    Variable(String),
    /// A secret that is kept where the key is kept: in the settings file if that is the key's place, else in the
    /// system's keychain.
    Kept,
}

/// Headers that Batida or HTTP itself sets.
const RESERVED: [&str; 10] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "x-request-id",
];

impl Extra {
    /// Reads `Name: value`, as curl's `-H` takes it.
    ///
    /// # Errors
    /// When it cannot be a header.
    pub fn header(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
        Self::plain(ExtraKind::Header, name, value)
    }

    /// Reads `name=value`.
    ///
    /// # Errors
    /// When it cannot be a query parameter.
    pub fn query(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write it as name=value")?;
        Self::plain(ExtraKind::Query, name, value)
    }

    /// Reads `NAME=VAR`: a secret in an environment variable.
    ///
    /// # Errors
    /// When the name or the variable's is none.
    pub fn from_variable(kind: ExtraKind, text: &str) -> Result<Self, String> {
        let (name, variable) = text.split_once('=').ok_or("write it as NAME=VAR")?;
        let extra = Self {
            kind,
            name: name.trim().to_owned(),
            value: ExtraValue::Variable(variable.trim().to_owned()),
        };
        extra.check().map(|()| extra)
    }

    /// One that can be shown; a name that speaks of a secret is refused.
    fn plain(kind: ExtraKind, name: &str, value: &str) -> Result<Self, String> {
        let (name, value) = (
            name.trim().to_owned(),
            ExtraValue::Plain(value.trim().to_owned()),
        );
        let extra = Self { kind, name, value };
        extra.check()?;
        if looks_secret(&extra.name) {
            return Err(format!(
                "{} looks like a secret, which other programs can read on a command line: put it in an environment \
                 variable and say {} {}=VARIABLE",
                extra.name,
                match kind {
                    ExtraKind::Header => "--header-env",
                    ExtraKind::Query => "--query-env",
                },
                extra.name
            ));
        }
        Ok(extra)
    }

    /// Whether it can be sent.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check(&self) -> Result<(), String> {
        let Self { kind, name, value } = self;
        match kind {
            ExtraKind::Header => drop(HeaderName::parse(name)?),
            ExtraKind::Query if name.is_empty() => {
                return Err("a query parameter has a name".to_owned());
            }
            ExtraKind::Query => {}
        }
        match value {
            ExtraValue::Plain(text) => check_value(*kind, text).map_err(str::to_owned),
            ExtraValue::Variable(name) if !is_variable(name) => Err(format!(
                "{name:?} is not a variable's name: letters, digits and _, no digit first"
            )),
            ExtraValue::Variable(_) | ExtraValue::Kept => Ok(()),
        }
    }

    /// Whether its value must not be shown.
    pub fn is_secret(&self) -> bool {
        !matches!(self.value, ExtraValue::Plain(_))
    }

    /// What its secret is kept under, beside the environment's key.
    pub fn slot(&self) -> String {
        match self.kind {
            ExtraKind::Header => format!("header {}", self.name.to_ascii_lowercase()),
            ExtraKind::Query => format!("query {}", self.name),
        }
    }

    /// The variable that stands for its value in commands and programs that are shown.
    pub fn variable(&self) -> String {
        match &self.value {
            ExtraValue::Variable(name) => name.clone(),
            ExtraValue::Plain(_) | ExtraValue::Kept => variable_of(&self.name),
        }
    }
}

/// Whether a value can stand in a header or a query.
///
/// # Errors
/// Why it cannot. The value is not repeated.
pub fn check_value(kind: ExtraKind, value: &str) -> Result<(), &'static str> {
    match kind {
        ExtraKind::Header if value.bytes().any(|b| !(b' '..=b'~').contains(&b)) => {
            Err("a header's value has no line breaks and only ASCII characters")
        }
        _ if value.chars().any(char::is_control) => Err("the value has control characters in it"),
        _ => Ok(()),
    }
}

/// A header's name, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HeaderName(String);

impl HeaderName {
    /// Azure's for the key.
    pub fn azure() -> Self {
        Self("api-key".to_owned())
    }

    /// Reads a name that a header can have and that Batida does not set itself.
    ///
    /// # Errors
    /// Why it cannot be one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        // The standard allows more signs; nobody uses them, and a shell would read some as its own.
        let token = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if text.is_empty() || !text.bytes().all(token) {
            return Err(format!("{text:?} is not a header's name"));
        }
        let name = Self(text.to_owned());
        if RESERVED.iter().any(|reserved| name.is(reserved)) {
            return Err(format!("Batida sets the header {text} itself"));
        }
        Ok(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this one, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.0.eq_ignore_ascii_case(name)
    }
}

impl TryFrom<String> for HeaderName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<HeaderName> for String {
    fn from(name: HeaderName) -> Self {
        name.0
    }
}

/// Whether the name of a header or query parameter is one that secrets have. Wrong at times: a name that only looks so
/// costs a variable more.
pub fn looks_secret(name: &str) -> bool {
    const WORDS: [&str; 18] = [
        "apikey",
        "auth",
        "authorization",
        "bearer",
        "code",
        "cookie",
        "credential",
        "credentials",
        "jwt",
        "key",
        "pass",
        "password",
        "pwd",
        "secret",
        "sig",
        "signature",
        "token",
        "passwd",
    ];
    const PARTS: [&str; 6] = [
        "token",
        "secret",
        "passw",
        "apikey",
        "authoriz",
        "credential",
    ];
    let lower = name.to_ascii_lowercase();
    let has_word = lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| WORDS.contains(&word));
    // Tracing headers speak of no secret: "max-tokens" and "idempotency-key" are counted as such all the same.
    has_word || PARTS.iter().any(|part| lower.contains(part))
}

/// Whether a text can be a variable's name.
pub fn is_variable(name: &str) -> bool {
    let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !name.is_empty() && name.bytes().all(letters) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// A variable's name made of another name: `X-Team id` gives `X_TEAM_ID`.
pub(super) fn variable_of(name: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(letter).collect();
    let name = name.trim_matches('_');
    match name.chars().next() {
        None => "BATIDA".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("_{name}"),
        Some(_) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_are_read_as_curl_takes_them() {
        let extra = Extra::header("X-Team:  blue ").expect("a header");
        assert_eq!(
            (extra.name.as_str(), &extra.value),
            ("X-Team", &ExtraValue::Plain("blue".to_owned()))
        );
        let extra = Extra::query("region=eu=1").expect("a parameter");
        assert_eq!(
            (extra.name.as_str(), &extra.value),
            ("region", &ExtraValue::Plain("eu=1".to_owned()))
        );
        let extra =
            Extra::from_variable(ExtraKind::Header, "X-Gateway-Token=GW").expect("a header");
        assert_eq!(extra.value, ExtraValue::Variable("GW".to_owned()));
        for text in [
            "X-Team",
            ": x",
            "X Team: x",
            "Host: x",
            "Content-Length: 1",
            "X: a\nb",
            "X: ü",
        ] {
            assert!(Extra::header(text).is_err(), "{text:?}");
        }
        for text in ["x", "=1"] {
            assert!(Extra::query(text).is_err(), "{text:?}");
        }
        for text in ["X-Token", "X-Token=", "X-Token=1A", "X-Token=$GW"] {
            assert!(
                Extra::from_variable(ExtraKind::Header, text).is_err(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn secrets_are_refused_by_their_names() {
        for name in [
            "Authorization",
            "api-key",
            "X-API-Key",
            "apikey",
            "Cookie",
            "X-Auth",
            "X-Gateway-Token",
            "Ocp-Apim-Subscription-Key",
            "cf-aig-authorization",
            "CF-Access-Client-Secret",
            "X-Amz-Security-Token",
            "key",
            "sig",
            "access_token",
            "code",
        ] {
            assert!(looks_secret(name), "{name}");
            let refused = Extra::header(&format!("{name}: sk-12345678")).expect_err(name);
            assert!(
                refused.contains("--header-env") && !refused.contains("sk-12345678"),
                "{refused}"
            );
        }
        for name in [
            "api-version",
            "X-Team",
            "HTTP-Referer",
            "User-Agent",
            "X-Title",
            "region",
            "OpenAI-Project",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
    }

    #[test]
    fn variables_are_made_of_names() {
        for (name, variable) in [
            ("X-Gateway-Token", "X_GATEWAY_TOKEN"),
            ("prod (eu)", "PROD__EU"),
            ("1st", "_1ST"),
            ("ü", "BATIDA"),
        ] {
            assert_eq!(variable_of(name), variable);
            assert!(is_variable(variable));
        }
    }
}
