//! An environment as it is typed, and what is wrong with it.

use std::path::PathBuf;

use secrecy::SecretString;

use super::extras::ExtraForm;
use crate::domain::environment::{
    ApiAddress, ClusterAccess, EnvId, Environment, HeaderName, KeyPlace, check_namespace,
    is_variable,
};
use crate::domain::settings::Settings;
use crate::protocol::KeyChange;

/// An environment as it is typed.
// No Debug: it holds a key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) id: EnvId,
    pub(super) name: String,
    pub(super) has_cluster: bool,
    pub(super) kubectl: String,
    pub(super) kubeconfig: String,
    pub(super) context: String,
    pub(super) namespace: String,
    pub(super) api: String,
    pub(super) place: PlaceKind,
    pub(super) variable: String,
    /// A new key; empty keeps the one there is.
    pub(super) key: String,
    /// The header that carries the key; empty for the usual one.
    pub(super) key_header: String,
    pub(super) extras: Vec<ExtraForm>,
    pub(super) ca_file: String,
    pub(super) accept_invalid_certs: bool,
    pub(super) client_cert: String,
    pub(super) client_key: String,
}

/// Where a key is kept, without the variable's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlaceKind {
    Keychain,
    Variable,
    SettingsFile,
    None,
}

impl PlaceKind {
    pub(super) const ALL: [Self; 4] = [
        Self::Keychain,
        Self::Variable,
        Self::SettingsFile,
        Self::None,
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Keychain => "System keychain",
            Self::Variable => "Environment variable",
            Self::SettingsFile => "Settings file (unencrypted)",
            Self::None => "No key needed",
        }
    }
}

impl Form {
    pub(super) fn of(env: &Environment) -> Self {
        let cluster = env.cluster.clone();
        let path =
            |path: Option<&PathBuf>| path.map(|p| p.display().to_string()).unwrap_or_default();
        let access = cluster.clone().unwrap_or_default();
        let (place, variable) = match &env.key {
            KeyPlace::None => (PlaceKind::None, String::new()),
            KeyPlace::Keychain => (PlaceKind::Keychain, String::new()),
            KeyPlace::Variable(name) => (PlaceKind::Variable, name.clone()),
            KeyPlace::SettingsFile => (PlaceKind::SettingsFile, String::new()),
        };
        Self {
            id: env.id.clone(),
            name: env.name.clone(),
            has_cluster: cluster.is_some(),
            kubectl: path(access.kubectl.as_ref()),
            kubeconfig: path(access.kubeconfig.as_ref()),
            context: access.context.unwrap_or_default(),
            namespace: access.namespace,
            api: env.api.as_ref().map(ApiAddress::text).unwrap_or_default(),
            place,
            variable: if variable.is_empty() {
                crate::domain::environment::KEY_VARIABLE.to_owned()
            } else {
                variable
            },
            key: String::new(),
            key_header: env
                .key_header
                .as_ref()
                .map(|name| name.as_str().to_owned())
                .unwrap_or_default(),
            extras: env.extras.iter().map(ExtraForm::of).collect(),
            ca_file: path(env.ca_file.as_ref()),
            accept_invalid_certs: env.accept_invalid_certs,
            client_cert: path(env.client_cert.as_ref()),
            client_key: path(env.client_key.as_ref()),
        }
    }

    /// The environment that is meant, if every field makes sense.
    pub(super) fn read(&self, settings: &Settings) -> Option<Environment> {
        let Problems {
            name,
            api,
            namespace,
            variable,
            key_header,
            extras,
        } = self.problems(settings);
        if [name, api, namespace, variable, key_header]
            .iter()
            .chain(&extras)
            .any(Option::is_some)
        {
            return None;
        }
        let path = |text: &str| {
            Some(text.trim())
                .filter(|text| !text.is_empty())
                .map(PathBuf::from)
        };
        Some(Environment {
            id: self.id.clone(),
            name: self.name.trim().to_owned(),
            demo: false,
            api: ApiAddress::parse(&self.api).ok(),
            key: match self.place {
                PlaceKind::None => KeyPlace::None,
                PlaceKind::Keychain => KeyPlace::Keychain,
                PlaceKind::Variable => KeyPlace::Variable(self.variable.trim().to_owned()),
                PlaceKind::SettingsFile => KeyPlace::SettingsFile,
            },
            key_header: HeaderName::parse(&self.key_header).ok(),
            extras: self.extras.iter().map(ExtraForm::read).collect(),
            ca_file: path(&self.ca_file),
            accept_invalid_certs: self.accept_invalid_certs,
            client_cert: path(&self.client_cert),
            client_key: path(&self.client_key),
            cluster: self.has_cluster.then(|| ClusterAccess {
                kubectl: path(&self.kubectl),
                kubeconfig: path(&self.kubeconfig),
                context: Some(self.context.trim().to_owned()).filter(|context| !context.is_empty()),
                namespace: self.namespace.trim().to_owned(),
            }),
        })
    }

    pub(super) fn problems(&self, settings: &Settings) -> Problems {
        let name = self.name.trim();
        let taken = settings
            .environments
            .iter()
            .any(|env| env.id != self.id && env.name.eq_ignore_ascii_case(name));
        let namespace = self.namespace.trim();
        let variable = self.variable.trim();
        let variable_ok = is_variable(variable);
        Problems {
            name: match name {
                "" => Some("enter a name".to_owned()),
                _ if taken => Some("another environment has this name".to_owned()),
                _ => None,
            },
            // A cluster alone is fine; without either there is nothing to look at.
            api: match ApiAddress::parse(&self.api) {
                Ok(_) => None,
                Err(_) if self.api.trim().is_empty() && self.has_cluster => None,
                Err(error) => Some(error.to_string()),
            },
            namespace: check_namespace(namespace)
                .err()
                // Empty: the context's.
                .filter(|_| self.has_cluster && !namespace.is_empty())
                .map(str::to_owned),
            variable: match self.place {
                PlaceKind::Variable if !variable_ok => Some(
                    "a variable name has only letters, digits and _, and does not start with a digit".to_owned(),
                ),
                _ => None,
            },
            key_header: match self.key_header.trim() {
                "" => None,
                name => HeaderName::parse(name).err(),
            },
            extras: self
                .extras
                .iter()
                .map(|extra| extra.problem(&self.extras))
                .collect(),
        }
    }
}

/// The mistakes, by field.
pub(super) struct Problems {
    pub(super) name: Option<String>,
    pub(super) api: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) variable: Option<String>,
    pub(super) key_header: Option<String>,
    /// One for each extra header and parameter.
    pub(super) extras: Vec<Option<String>>,
}

/// The key that was typed, if its place takes one. When only the place changed, the key moves or goes by itself.
pub(super) fn key_change(form: &Form, meant: &Environment) -> Option<KeyChange> {
    let typed = form.key.trim();
    let keeps = matches!(meant.key, KeyPlace::Keychain | KeyPlace::SettingsFile);
    if keeps && !typed.is_empty() {
        return Some(KeyChange {
            env: meant.id.clone(),
            key: Some(SecretString::from(typed.to_owned())),
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_form_reads_back_what_it_was_made_of() {
        let settings = Settings::default();
        let env = Environment {
            api: ApiAddress::parse("api.example.com").ok(),
            key: KeyPlace::Variable("KEY".to_owned()),
            cluster: Some(ClusterAccess {
                context: Some("east".to_owned()),
                ..ClusterAccess::default()
            }),
            ..Environment::blank(EnvId("x".to_owned()), "prod")
        };
        assert_eq!(Form::of(&env).read(&settings), Some(env));
    }

    #[test]
    fn nonsense_is_refused_field_by_field() {
        let settings = Settings::default();
        let mut form = Form::of(&Environment::blank(EnvId("x".to_owned()), "demo"));
        form.has_cluster = true;
        form.namespace = "Not_A_Namespace".to_owned();
        form.api = "ftp://x".to_owned();
        form.place = PlaceKind::Variable;
        form.variable = "1 KEY".to_owned();
        let Problems {
            name,
            api,
            namespace,
            variable,
            ..
        } = form.problems(&settings);
        assert!(
            [name, api, namespace, variable].iter().all(Option::is_some),
            "Demo's name is taken"
        );
        assert_eq!(form.read(&settings), None);
    }

    #[test]
    fn only_a_typed_key_replaces_the_key() {
        let env = Environment {
            key: KeyPlace::Keychain,
            ..Environment::blank(EnvId("x".to_owned()), "a")
        };
        let mut form = Form::of(&env);
        assert!(key_change(&form, &env).is_none());
        form.key = " new-key\n".to_owned();
        let change = key_change(&form, &env).and_then(|change| change.key);
        assert_eq!(
            change.as_ref().map(|key| key.expose_secret()),
            Some("new-key")
        );
    }
}
