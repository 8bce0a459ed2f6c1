//! The format of an environment in the settings file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::SecretId;
use crate::domain::environment::{
    ApiAddress, ClusterAccess, EnvId, Environment, Extra, ExtraValue, HeaderName, KeyPlace,
};

/// An [`Environment`] and its key. The fields are repeated, since serde cannot both flatten and deny unknown fields.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredEnvironment {
    pub(super) id: EnvId,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api: Option<ApiAddress>,
    #[serde(default)]
    pub(super) key: KeyPlace,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key: Option<StoredKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_header: Option<HeaderName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    accept_invalid_certs: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_cert: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_key: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<ClusterAccess>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extras: Vec<Extra>,
    /// Secret values of `extras`, by their slots.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<String, StoredKey>,
}

impl StoredEnvironment {
    pub(super) fn new(env: Environment, keys: &BTreeMap<SecretId, SecretString>) -> Self {
        let Environment {
            id,
            name,
            demo: _,
            api,
            key,
            key_header,
            extras,
            ca_file,
            accept_invalid_certs,
            client_cert,
            client_key,
            cluster,
        } = env;
        let in_file = key == KeyPlace::SettingsFile;
        let stored = |id: &SecretId| keys.get(id).filter(|_| in_file).cloned().map(StoredKey);
        let api_key = stored(&SecretId::from(&id));
        let kept = extras
            .iter()
            .filter(|extra| extra.value == ExtraValue::Kept);
        let secrets = kept
            .filter_map(|extra| Some((extra.slot(), stored(&SecretId::of_extra(&id, extra))?)))
            .collect();
        Self {
            id,
            name,
            api,
            key,
            api_key,
            key_header,
            ca_file,
            accept_invalid_certs,
            client_cert,
            client_key,
            cluster,
            extras,
            secrets,
        }
    }

    pub(super) fn into_environment(self) -> Environment {
        let Self {
            id,
            name,
            api,
            key,
            api_key: _,
            key_header,
            ca_file,
            accept_invalid_certs,
            client_cert,
            client_key,
            cluster,
            extras,
            secrets: _,
        } = self;
        Environment {
            id,
            name,
            demo: false,
            api,
            key,
            key_header,
            extras,
            ca_file,
            accept_invalid_certs,
            client_cert,
            client_key,
            cluster,
        }
    }

    /// Whether a secret with this slot belongs in the file.
    pub(super) fn holds(&self, slot: Option<&str>) -> bool {
        let is_kept = |slot| {
            self.extras
                .iter()
                .any(|extra| extra.value == ExtraValue::Kept && extra.slot() == slot)
        };
        self.key == KeyPlace::SettingsFile && slot.is_none_or(is_kept)
    }

    /// Whether the file has the secret.
    pub(super) fn has(&self, slot: Option<&str>) -> bool {
        slot.map_or(self.api_key.is_some(), |slot| {
            self.secrets.contains_key(slot)
        })
    }

    pub(super) fn set(&mut self, slot: Option<String>, key: Option<SecretString>) {
        match (slot, key.map(StoredKey)) {
            (None, key) => self.api_key = key,
            (Some(slot), Some(key)) => drop(self.secrets.insert(slot, key)),
            (Some(slot), None) => drop(self.secrets.remove(&slot)),
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (SecretId, SecretString)> {
        let key = self.api_key.as_ref().map(|key| (None, key));
        let secrets = self
            .secrets
            .iter()
            .map(|(slot, key)| (Some(slot.clone()), key));
        key.into_iter().chain(secrets).map(|(slot, key)| {
            (
                SecretId {
                    env: self.id.clone(),
                    slot,
                },
                key.0.clone(),
            )
        })
    }
}

/// A key in plain text, only for the file.
struct StoredKey(SecretString);

impl Serialize for StoredKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for StoredKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|key| Self(key.into()))
    }
}
