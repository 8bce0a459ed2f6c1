//! Where models run: a cluster, an API and a key.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::address::{AddressError, ApiAddress};
pub use self::extras::{
    Extra, ExtraKind, ExtraValue, HeaderName, check_value, is_variable, looks_secret,
};

mod address;
mod extras;

/// The variable in which SambaNova's own tools look for its key, and `batida --api`.
pub const KEY_VARIABLE: &str = "SAMBANOVA_API_KEY";
/// The argument that makes Batida's executable simulate kubectl.
pub const SIMULATED_KUBECTL_ARGUMENT: &str = "simulated-kubectl";

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
        Self(format!(
            "env-{:016x}",
            RandomState::new().build_hasher().finish()
        ))
    }

    /// The one that flags such as `--api` make up for a single run.
    pub fn ad_hoc() -> Self {
        Self("ad-hoc".to_owned())
    }
}

/// Where models run: a cluster, an API and a key.
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
    /// The header that carries the key; `None` for the usual one, see [`Self::key_header`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_header: Option<HeaderName>,
    /// Headers and query parameters that every request of the API carries besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<Extra>,
    /// A PEM file of certificate authorities to trust besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Accept invalid certificates. Anyone on the network path can then read the key.
    #[serde(default, skip_serializing_if = "is_false")]
    pub accept_invalid_certs: bool,
    /// A PEM file with the certificate to show to a server that asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<PathBuf>,
    /// A PEM file with its key; `None` where the certificate's file holds it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<PathBuf>,
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
            key_header: None,
            extras: Vec::new(),
            ca_file: None,
            accept_invalid_certs: false,
            client_cert: None,
            client_key: None,
            cluster: Some(ClusterAccess {
                namespace: "sambastack".to_owned(),
                ..ClusterAccess::default()
            }),
        }
    }

    /// An empty one to fill in.
    pub fn blank(id: EnvId, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            demo: false,
            cluster: None,
            ..Self::demo()
        }
    }
}

impl Environment {
    /// Whether it has an API that can be asked. The demo's has no address before it is opened.
    pub fn has_api(&self) -> bool {
        self.api.is_some() || self.demo
    }

    /// Whether it has neither an API nor a cluster yet.
    pub fn is_blank(&self) -> bool {
        !self.demo && self.api.is_none() && self.cluster.is_none()
    }

    /// The header that carries the key. `None` is `Authorization: Bearer KEY`, which an Azure deployment takes for
    /// another kind of token: there it is `api-key`.
    pub fn key_header(&self) -> Option<HeaderName> {
        let azure = || {
            self.api
                .as_ref()
                .is_some_and(ApiAddress::is_azure_deployment)
        };
        match &self.key_header {
            Some(name) if name.is("authorization") => None,
            Some(name) => Some(name.clone()),
            None => azure().then(HeaderName::azure),
        }
    }

    /// The variable that stands for the key in commands and programs that are shown; `None` where no key is needed. A
    /// variable that holds the key of another service is never named: it would go to this host.
    pub fn key_variable(&self) -> Option<String> {
        match &self.key {
            KeyPlace::Variable(name) => Some(name.clone()),
            KeyPlace::None if !self.demo => None,
            _ if self.api.as_ref().is_some_and(ApiAddress::is_sambanova) => {
                Some(KEY_VARIABLE.to_owned())
            }
            _ => Some(format!("{}_API_KEY", extras::variable_of(&self.name))),
        }
    }

    /// The variables whose values are this environment's secrets: no other program is given them.
    pub fn secret_variables(&self) -> Vec<String> {
        let key = match &self.key {
            KeyPlace::Variable(name) => Some(name),
            _ => None,
        };
        let extras = self.extras.iter().filter_map(|extra| match &extra.value {
            ExtraValue::Variable(name) => Some(name),
            _ => None,
        });
        key.into_iter().chain(extras).cloned().collect()
    }

    /// A question to its cluster for the user to ask, as one can paste it in a shell.
    pub fn kubectl_line(&self, args: &[String]) -> Option<String> {
        let ClusterAccess {
            kubectl,
            kubeconfig,
            context,
            namespace,
        } = self.cluster.as_ref()?;
        let path = |path: &PathBuf| path.display().to_string();
        let mut words = match (self.demo, kubectl) {
            (true, _) => vec!["batida".to_owned(), SIMULATED_KUBECTL_ARGUMENT.to_owned()],
            (false, Some(program)) => vec![path(program)],
            (false, None) => vec!["kubectl".to_owned()],
        };
        for (flag, value) in [
            ("--kubeconfig", kubeconfig.as_ref().map(path)),
            ("--context", context.clone()),
        ] {
            words.extend(
                value
                    .filter(|value| !value.is_empty())
                    .into_iter()
                    .flat_map(|it| [flag.to_owned(), it]),
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
        if self.namespace.is_empty() {
            "the context's namespace"
        } else {
            &self.namespace
        }
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
