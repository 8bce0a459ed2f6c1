//! The key, extra headers and query parameters of requests. Commands that are shown have environment variables in place
//! of secrets.

use secrecy::{ExposeSecret as _, SecretString};
use url::form_urlencoded;

use super::secrets::ExtraSecrets;
use crate::domain::environment::{Environment, ExtraKind, ExtraValue, HeaderName, KEY_VARIABLE};
use crate::domain::redact::Redactor;

/// The key, extra headers and query parameters of requests to one API.
#[derive(Debug, Clone, Default)]
pub struct Access {
    key: Option<SecretString>,
    /// `None` for `Authorization: Bearer`.
    key_header: Option<HeaderName>,
    /// The variable that is shown in place of the key.
    key_variable: String,
    extras: Vec<Sent>,
    redactor: Redactor,
}

/// An extra header or query parameter with its value.
#[derive(Debug, Clone)]
struct Sent {
    kind: ExtraKind,
    name: String,
    value: SecretString,
    /// The variable that is shown in place of a secret value.
    variable: Option<String>,
}

impl Access {
    /// Only a key, in the default header. `variable` is shown in its place.
    pub fn with_key(key: Option<SecretString>, variable: impl Into<String>) -> Self {
        Self {
            key,
            key_variable: variable.into(),
            ..Self::default()
        }
        .with_redactor()
    }

    /// The access data of an environment; `secrets` are the values of its secret extras.
    pub fn of(env: &Environment, key: Option<SecretString>, secrets: &ExtraSecrets) -> Self {
        let sent = |extra: &crate::domain::environment::Extra| {
            let value = match &extra.value {
                ExtraValue::Plain(text) => text.clone().into(),
                ExtraValue::Variable(_) | ExtraValue::Kept => secrets.get(&extra.slot())?.clone(),
            };
            let variable = extra.is_secret().then(|| extra.variable());
            Some(Sent {
                kind: extra.kind,
                name: extra.name.clone(),
                value,
                variable,
            })
        };
        Self {
            key,
            key_header: env.key_header(),
            key_variable: env
                .key_variable()
                .unwrap_or_else(|| KEY_VARIABLE.to_owned()),
            extras: env.extras.iter().filter_map(sent).collect(),
            redactor: Redactor::default(),
        }
        .with_redactor()
    }

    fn with_redactor(mut self) -> Self {
        let extras = self
            .extras
            .iter()
            .filter(|extra| extra.variable.is_some())
            .map(|extra| &extra.value);
        let secrets = self.key.iter().chain(extras);
        self.redactor = Redactor::new(secrets.map(SecretString::expose_secret));
        self
    }

    /// The key that requests carry.
    pub(crate) fn key(&self) -> Option<&SecretString> {
        self.key.as_ref()
    }

    /// Whether requests carry a key.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Removes the secrets from texts of the server.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// A URL with the extra query parameters. It may contain secrets.
    pub fn url(&self, url: &str) -> String {
        self.url_with(
            url,
            self.queries()
                .map(|extra| (extra.name.as_str(), extra.value.expose_secret())),
        )
    }

    fn url_with<'a>(&self, url: &str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(pairs);
        match query.finish() {
            none if none.is_empty() => url.to_owned(),
            more => format!("{url}{}{more}", if url.contains('?') { '&' } else { '?' }),
        }
    }

    fn queries(&self) -> impl Iterator<Item = &Sent> {
        self.extras
            .iter()
            .filter(|extra| extra.kind == ExtraKind::Query)
    }

    /// The headers with the key and the extras, in order. An extra header with the same name replaces that of the key.
    pub fn lines(&self) -> Vec<(&str, SecretString)> {
        let key_header = self
            .key_header
            .as_ref()
            .map_or("authorization", HeaderName::as_str);
        let taken = |name: &str| {
            self.headers()
                .any(|extra| extra.name.eq_ignore_ascii_case(name))
        };
        let key = self.key.iter().filter(|_| !taken(key_header)).map(|key| {
            let value = match &self.key_header {
                None => SecretString::from(format!("Bearer {}", key.expose_secret())),
                Some(_) => key.clone(),
            };
            (key_header, value)
        });
        key.chain(
            self.headers()
                .map(|extra| (extra.name.as_str(), extra.value.clone())),
        )
        .collect()
    }

    fn headers(&self) -> impl Iterator<Item = &Sent> {
        self.extras
            .iter()
            .filter(|extra| extra.kind == ExtraKind::Header)
    }

    /// A URL quoted for a shell, with the extra parameters; secrets are variables.
    pub fn shell_url(&self, url: &str) -> String {
        let plain = self.queries().filter(|extra| extra.variable.is_none());
        let shown = self.url_with(
            url,
            plain.map(|extra| (extra.name.as_str(), extra.value.expose_secret())),
        );
        let mut word = quote(&shown);
        let mut has_query = shown.contains('?');
        for extra in self.queries() {
            let Some(variable) = &extra.variable else {
                continue;
            };
            let name: String = form_urlencoded::byte_serialize(extra.name.as_bytes()).collect();
            let sign = if std::mem::replace(&mut has_query, true) {
                '&'
            } else {
                '?'
            };
            word.push_str(&format!("\"{sign}{name}=${variable}\""));
        }
        word
    }

    /// The headers as `-H` arguments of curl, each with a leading space; secrets are variables.
    pub fn curl_headers(&self) -> String {
        let key_header = self
            .key_header
            .as_ref()
            .map_or("authorization", HeaderName::as_str);
        let taken = self
            .headers()
            .any(|extra| extra.name.eq_ignore_ascii_case(key_header));
        let mut line = String::new();
        if self.key.is_some() && !taken {
            let variable = &self.key_variable;
            line.push_str(&match &self.key_header {
                None => format!(" -H \"Authorization: Bearer ${variable}\""),
                Some(name) => format!(" -H \"{}: ${variable}\"", name.as_str()),
            });
        }
        for extra in self.headers() {
            line.push_str(&match &extra.variable {
                Some(variable) => format!(" -H \"{}: ${variable}\"", extra.name),
                None => format!(
                    " -H {}",
                    quote(&format!("{}: {}", extra.name, extra.value.expose_secret()))
                ),
            });
        }
        line
    }
}

/// Quotes a text for a shell.
pub(super) fn quote(text: &str) -> String {
    // Fails only on NUL, which JSON escapes and which URLs and headers cannot contain.
    shlex::try_quote(text)
        .map(std::borrow::Cow::into_owned)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::{ApiAddress, EnvId, Extra, KeyPlace};

    const GATEWAY: &str = "gateway-secret-1";

    fn access(api: &str, extras: &[(ExtraKind, &str, ExtraValue)]) -> (Environment, Access) {
        let extra = |(kind, name, value): &(ExtraKind, &str, ExtraValue)| Extra {
            kind: *kind,
            name: (*name).to_owned(),
            value: value.clone(),
        };
        let env = Environment {
            api: ApiAddress::parse(api).ok(),
            key: KeyPlace::Variable("MY_KEY".to_owned()),
            extras: extras.iter().map(extra).collect(),
            ..Environment::blank(EnvId("e".to_owned()), "prod")
        };
        let secrets = env
            .extras
            .iter()
            .map(|extra| (extra.slot(), SecretString::from(GATEWAY)))
            .collect();
        let access = Access::of(&env, Some("sk-12345678".into()), &secrets);
        (env, access)
    }

    fn lines(access: &Access) -> Vec<String> {
        access
            .lines()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.expose_secret()))
            .collect()
    }

    #[test]
    fn extras_are_sent_with_the_key_and_shown_as_variables() {
        let plain = |text: &str| ExtraValue::Plain(text.to_owned());
        let (env, access) = access(
            "h.example/v1?a=1",
            &[
                (ExtraKind::Header, "X-Team", plain("it's blue")),
                (ExtraKind::Header, "X-Gateway-Token", ExtraValue::Kept),
                (ExtraKind::Query, "region", plain("eu 1")),
                (
                    ExtraKind::Query,
                    "sig",
                    ExtraValue::Variable("SIG".to_owned()),
                ),
            ],
        );
        let url = env.api.expect("an address").models();
        assert_eq!(
            access.url(&url),
            format!("https://h.example/v1/models?a=1&region=eu+1&sig={GATEWAY}")
        );
        assert_eq!(
            lines(&access),
            [
                "authorization: Bearer sk-12345678",
                "X-Team: it's blue",
                "X-Gateway-Token: gateway-secret-1"
            ]
        );
        let shown = format!("curl {}{}", access.shell_url(&url), access.curl_headers());
        assert!(
            !shown.contains(GATEWAY) && !shown.contains("sk-12345678"),
            "{shown}"
        );
        let expanded = shown
            .replace("$MY_KEY", "K")
            .replace("$X_GATEWAY_TOKEN", "G")
            .replace("$SIG", "S");
        let words = shlex::split(&expanded).expect("words");
        assert_eq!(
            words[1],
            "https://h.example/v1/models?a=1&region=eu+1&sig=S"
        );
        assert_eq!(
            words[3..],
            [
                "Authorization: Bearer K",
                "-H",
                "X-Team: it's blue",
                "-H",
                "X-Gateway-Token: G"
            ]
        );
        assert_eq!(
            access.redactor().clean("no sk-12345678, gateway-secret-1"),
            "no ••••, ••••"
        );
    }

    #[test]
    fn the_key_is_sent_in_the_configured_header() {
        let azure = "h.example/openai/deployments/d/chat/completions?api-version=1";
        let (mut env, access_) = access(azure, &[]);
        assert_eq!(lines(&access_), ["api-key: sk-12345678"]);
        assert_eq!(access_.curl_headers(), " -H \"api-key: $MY_KEY\"");
        env.key_header = HeaderName::parse("Authorization").ok();
        let with =
            |env: &Environment| Access::of(env, Some("sk-12345678".into()), &ExtraSecrets::new());
        assert_eq!(lines(&with(&env)), ["authorization: Bearer sk-12345678"]);
        env.key_header = HeaderName::parse("x-api-key").ok();
        assert_eq!(lines(&with(&env)), ["x-api-key: sk-12345678"]);
        let (_, own) = access(
            "h.example",
            &[(ExtraKind::Header, "Authorization", ExtraValue::Kept)],
        );
        assert_eq!(
            lines(&own),
            ["Authorization: gateway-secret-1"],
            "it replaces that of the key"
        );
    }
}
