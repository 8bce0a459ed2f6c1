//! SambaStack's resources and pods as the API server returns them, reduced to the fields that Batida uses.
//!
//! Any field may be missing, null or unknown: the versions of SambaStack differ.

mod pod;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error, MapAccess, Visitor};

pub use self::pod::{
    Container, ContainerState, ContainerStatus, Pod, PodSpec, PodStatus, ReadinessGate, Running,
    SchedulingGate, StartupProbe, Terminated, Waiting,
};

/// Whether a response is HTML: JSON never starts with `<`.
pub fn looks_like_a_page(answer: &[u8]) -> bool {
    answer.trim_ascii_start().first() == Some(&b'<')
}

/// Treats `null` as missing.
fn lax<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Accepts only a map or `null`. A derived `Deserialize` would also accept a list of the fields in order.
pub(super) fn map<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    struct MapOnly<T>(PhantomData<T>);
    impl<'de, T: Default + Deserialize<'de>> Visitor<'de> for MapOnly<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_unit<E: Error>(self) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_any(MapOnly(PhantomData))
}

/// Treats a value of an unexpected type as missing.
fn any<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// The metadata of an object.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// The object's name.
    #[serde(deserialize_with = "lax")]
    pub name: String,
    /// Set once it is being deleted.
    pub deletion_timestamp: Option<String>,
    /// When it was created.
    pub creation_timestamp: Option<String>,
    /// The version of its last change; opaque.
    #[serde(deserialize_with = "lax")]
    pub resource_version: String,
    /// A remark on each field that could not be read and was left out.
    #[serde(skip)]
    pub unreadable: Vec<String>,
}

impl Meta {
    /// Whether it is being deleted.
    pub fn is_terminating(&self) -> bool {
        self.deletion_timestamp.is_some()
    }
}

/// One of `status.conditions`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct StatusCondition {
    /// e.g. `Valid`, `PodScheduled`.
    #[serde(rename = "type", deserialize_with = "lax")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    #[serde(deserialize_with = "lax")]
    pub status: String,
    /// The reason as one word.
    #[serde(deserialize_with = "lax")]
    pub reason: String,
    /// A sentence.
    #[serde(deserialize_with = "lax")]
    pub message: String,
    /// Since when it has this status.
    #[serde(rename = "lastTransitionTime")]
    pub since: Option<String>,
}

/// A group of pods that answer, as a deployment asks for it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodGroup {
    /// Usually `default`.
    #[serde(deserialize_with = "lax")]
    pub name: String,
    /// How many pods there should be at least.
    pub min_replicas: Option<u32>,
}

/// The old generation's deployment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct BundleDeployment {
    /// Name and deletion.
    #[serde(deserialize_with = "map")]
    pub metadata: Meta,
    /// The specification.
    #[serde(deserialize_with = "map")]
    pub spec: BundleDeploymentSpec,
}

/// The specification of a [`BundleDeployment`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct BundleDeploymentSpec {
    /// The [`Bundle`]'s name.
    pub bundle: Option<String>,
    /// The pods that answer.
    #[serde(deserialize_with = "lax")]
    pub groups: Vec<PodGroup>,
}

/// The old generation's bundle.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Bundle {
    /// Name and deletion.
    #[serde(deserialize_with = "map")]
    pub metadata: Meta,
    /// The specification.
    #[serde(deserialize_with = "map")]
    pub spec: BundleSpec,
    /// Whether it is valid.
    #[serde(deserialize_with = "map")]
    pub status: BundleStatus,
}

/// The specification of a [`Bundle`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct BundleSpec {
    /// The `BundleTemplate`'s name.
    #[serde(deserialize_with = "any")]
    pub template: String,
    /// The models by serving name.
    #[serde(deserialize_with = "lax")]
    pub models: BTreeMap<String, BundleModel>,
}

/// A model of a [`Bundle`].
#[derive(Debug, Clone, Default)]
pub struct BundleModel {
    /// The model's name in the bundle's template; empty if it is the serving name.
    pub template: String,
}

impl<'de> Deserialize<'de> for BundleModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Known {
            #[serde(deserialize_with = "any")]
            template: String,
        }
        Ok(Self {
            template: any::<_, Known>(deserializer)?.template,
        })
    }
}

/// The status of a bundle of either generation.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BundleStatus {
    /// The legalizer's report: messages and memory use, in SambaStack's own format.
    pub legalizer_info: Option<serde_json::Value>,
    /// Includes `Valid`.
    #[serde(deserialize_with = "lax")]
    pub conditions: Vec<StatusCondition>,
}

/// The new generation's deployment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ModelDeployment {
    /// Name and deletion.
    #[serde(deserialize_with = "map")]
    pub metadata: Meta,
    /// The specification.
    #[serde(deserialize_with = "map")]
    pub spec: ModelDeploymentSpec,
}

/// The specification of a [`ModelDeployment`]: a bundle, or models of its own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ModelDeploymentSpec {
    /// The [`ModelBundle`]'s name.
    pub bundle: Option<String>,
    /// Its own models.
    #[serde(deserialize_with = "map")]
    pub models: ModelConfigs,
    /// The pods that answer.
    #[serde(deserialize_with = "lax")]
    pub groups: Vec<PodGroup>,
}

/// The new generation's bundle.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ModelBundle {
    /// Name and deletion.
    #[serde(deserialize_with = "map")]
    pub metadata: Meta,
    /// The specification.
    #[serde(deserialize_with = "map")]
    pub spec: ModelConfigs,
    /// Whether it is valid.
    #[serde(deserialize_with = "map")]
    pub status: BundleStatus,
}

/// A list of models with their settings.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelConfigs {
    /// In the file's order.
    #[serde(deserialize_with = "lax")]
    pub model_configs: Vec<ModelConfig>,
}

/// A model with its settings.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelConfig {
    /// `<resource name>[:<arch>][:<version>]`.
    #[serde(deserialize_with = "lax")]
    pub model: String,
    /// Settings.
    #[serde(deserialize_with = "map")]
    pub model_settings: ModelSettings,
    /// The `ModelProfile`'s name.
    #[serde(deserialize_with = "any")]
    pub profile: String,
    /// In place of the profile's: one of its lists by name, or a list.
    pub batching_config: serde_json::Value,
}

impl ModelConfig {
    /// The `Model` resource's name.
    pub fn resource(&self) -> &str {
        self.model.split(':').next().unwrap_or_default()
    }

    /// Whether the API offers it; a draft model is not offered.
    pub fn is_routable(&self) -> bool {
        self.model_settings.routable != Some(false)
    }
}

/// A model's settings.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ModelSettings {
    /// `false` for a draft model.
    pub routable: Option<bool>,
}

/// The new generation's model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Model {
    /// Name and deletion.
    #[serde(deserialize_with = "map")]
    pub metadata: Meta,
    /// The specification.
    #[serde(deserialize_with = "map")]
    pub spec: ModelSpec,
}

/// The specification of a [`Model`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ModelSpec {
    /// The serving name, which API requests use.
    #[serde(deserialize_with = "lax")]
    pub name: String,
    /// Other names.
    #[serde(deserialize_with = "lax")]
    pub aliases: Vec<String>,
    /// Its capabilities.
    #[serde(deserialize_with = "map")]
    pub metadata: ModelTraits,
}

/// The capabilities of a [`Model`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ModelTraits {
    /// `text`, `vision`, `embeddings`.
    #[serde(deserialize_with = "lax")]
    pub capabilities: Vec<String>,
}

#[cfg(test)]
mod tests;
