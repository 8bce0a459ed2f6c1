//! SambaStack's resources and pods as the API server lists them: only what Batida looks at.
//!
//! Any field may be missing, null or unknown: clusters differ, and none was at hand to compare with.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error, MapAccess, Visitor};

/// Whether an answer is HTML: no JSON begins with `<`.
pub fn looks_like_a_page(answer: &[u8]) -> bool {
    answer.trim_ascii_start().first() == Some(&b'<')
}

/// `null` is as good as missing.
fn lax<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A map, or nothing. A struct's own reader would take a list for its fields in their order.
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

/// What has another form is as good as missing: only what is looked at must have its form.
fn any<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// What all objects have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// The object's name.
    #[serde(deserialize_with = "lax")]
    pub name: String,
    /// Set once it is being deleted.
    pub deletion_timestamp: Option<String>,
    /// When it was made.
    pub creation_timestamp: Option<String>,
    /// Of the object's last change; opaque.
    #[serde(deserialize_with = "lax")]
    pub resource_version: String,
    /// What of the object could not be read and was left out, a remark each.
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
pub struct Condition {
    /// e.g. `Valid`, `PodScheduled`.
    #[serde(rename = "type", deserialize_with = "lax")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    #[serde(deserialize_with = "lax")]
    pub status: String,
    /// One word.
    #[serde(deserialize_with = "lax")]
    pub reason: String,
    /// Words.
    #[serde(deserialize_with = "lax")]
    pub message: String,
    /// Since when it has this status.
    #[serde(rename = "lastTransitionTime")]
    pub since: Option<String>,
}

/// A group of pods that answer, as a deployment asks for it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Group {
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
    /// What is wanted.
    #[serde(deserialize_with = "map")]
    pub spec: BundleDeploymentSpec,
}

/// What a [`BundleDeployment`] wants.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct BundleDeploymentSpec {
    /// The [`Bundle`]'s name.
    pub bundle: Option<String>,
    /// The pods that answer.
    #[serde(deserialize_with = "lax")]
    pub groups: Vec<Group>,
}

/// The old generation's bundle.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Bundle {
    /// Name and deletion.
    #[serde(deserialize_with = "map")]
    pub metadata: Meta,
    /// What is in it.
    #[serde(deserialize_with = "map")]
    pub spec: BundleSpec,
    /// Whether it is valid.
    #[serde(deserialize_with = "map")]
    pub status: BundleStatus,
}

/// What is in a [`Bundle`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct BundleSpec {
    /// The `BundleTemplate`'s name.
    #[serde(deserialize_with = "any")]
    pub template: String,
    /// By the name that the API wants.
    #[serde(deserialize_with = "lax")]
    pub models: BTreeMap<String, BundleModel>,
}

/// A model of a [`Bundle`].
#[derive(Debug, Clone, Default)]
pub struct BundleModel {
    /// What the bundle's template calls it; empty when it does not say.
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

/// What the operator says of a bundle, of either generation.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BundleStatus {
    /// The legalizer's report: messages, memory use. Its form is SambaStack's own.
    pub legalizer_info: Option<serde_json::Value>,
    /// `Valid` is among them.
    #[serde(deserialize_with = "lax")]
    pub conditions: Vec<Condition>,
}

/// The new generation's deployment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ModelDeployment {
    /// Name and deletion.
    #[serde(deserialize_with = "map")]
    pub metadata: Meta,
    /// What is wanted.
    #[serde(deserialize_with = "map")]
    pub spec: ModelDeploymentSpec,
}

/// What a [`ModelDeployment`] wants: a bundle, or models of its own.
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
    pub groups: Vec<Group>,
}

/// The new generation's bundle.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ModelBundle {
    /// Name and deletion.
    #[serde(deserialize_with = "map")]
    pub metadata: Meta,
    /// What is in it.
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
    /// What it is.
    #[serde(deserialize_with = "map")]
    pub spec: ModelSpec,
}

/// What a [`Model`] is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ModelSpec {
    /// The serving name, which the API wants.
    #[serde(deserialize_with = "lax")]
    pub name: String,
    /// Other names.
    #[serde(deserialize_with = "lax")]
    pub aliases: Vec<String>,
    /// What it can do.
    #[serde(deserialize_with = "map")]
    pub metadata: ModelTraits,
}

/// What a [`Model`] can do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ModelTraits {
    /// `text`, `vision`, `embeddings`.
    #[serde(deserialize_with = "lax")]
    pub capabilities: Vec<String>,
}

/// A pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// Name and deletion.
    #[serde(deserialize_with = "map")]
    pub metadata: Meta,
    /// Which containers it should have.
    #[serde(deserialize_with = "map")]
    pub spec: PodSpec,
    /// How it is.
    #[serde(deserialize_with = "map")]
    pub status: PodStatus,
}

/// Which containers a pod should have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// Those that work.
    #[serde(deserialize_with = "lax")]
    pub containers: Vec<Container>,
    /// Those that prepare, and sidecars.
    #[serde(deserialize_with = "lax")]
    pub init_containers: Vec<Container>,
    /// Until all of these are gone the scheduler leaves the pod alone.
    #[serde(deserialize_with = "lax")]
    pub scheduling_gates: Vec<SchedulingGate>,
    /// Conditions that have to be `True` before the pod is ready.
    #[serde(deserialize_with = "lax")]
    pub readiness_gates: Vec<ReadinessGate>,
}

/// Holds a pod back from the scheduler.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SchedulingGate {
    /// Its name.
    #[serde(deserialize_with = "lax")]
    pub name: String,
}

/// A condition that has to be `True` before the pod is ready.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadinessGate {
    /// The condition's type.
    #[serde(deserialize_with = "lax")]
    pub condition_type: String,
}

/// A container as it is wanted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// Its name.
    #[serde(deserialize_with = "lax")]
    pub name: String,
    /// How long it may take to start.
    pub startup_probe: Option<StartupProbe>,
    /// `Always` makes an init container a sidecar, which kubectl counts in its READY column.
    pub restart_policy: Option<String>,
}

/// How long a container may take to start.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StartupProbe {
    /// Seconds before the first look.
    pub initial_delay_seconds: Option<u64>,
    /// Seconds between two; 10 unless told otherwise.
    pub period_seconds: Option<u64>,
    /// After so many failures it is started anew; 3 unless told otherwise.
    pub failure_threshold: Option<u64>,
}

impl StartupProbe {
    /// In seconds.
    pub fn allows(self) -> u64 {
        let looks = self
            .period_seconds
            .unwrap_or(10)
            .saturating_mul(self.failure_threshold.unwrap_or(3));
        looks.saturating_add(self.initial_delay_seconds.unwrap_or(0))
    }
}

/// How a pod is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    #[serde(deserialize_with = "lax")]
    pub phase: String,
    /// e.g. `Evicted`.
    #[serde(deserialize_with = "lax")]
    pub reason: String,
    /// Words to it.
    #[serde(deserialize_with = "lax")]
    pub message: String,
    /// `PodScheduled` is among them.
    #[serde(deserialize_with = "lax")]
    pub conditions: Vec<Condition>,
    /// The containers that work.
    #[serde(deserialize_with = "lax")]
    pub container_statuses: Vec<ContainerStatus>,
    /// The containers that prepare.
    #[serde(deserialize_with = "lax")]
    pub init_container_statuses: Vec<ContainerStatus>,
}

/// How a container is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    /// Its name.
    #[serde(deserialize_with = "lax")]
    pub name: String,
    /// Whether it passes its readiness probe.
    #[serde(deserialize_with = "lax")]
    pub ready: bool,
    /// Whether it passes its start-up probe.
    #[serde(deserialize_with = "lax")]
    pub started: bool,
    /// How often it was started anew.
    #[serde(deserialize_with = "lax")]
    pub restart_count: u32,
    /// How it is now.
    #[serde(deserialize_with = "map")]
    pub state: ContainerState,
    /// How its last run ended.
    #[serde(deserialize_with = "map")]
    pub last_state: ContainerState,
}

/// One of three, or none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    /// It waits to be started.
    pub waiting: Option<Waiting>,
    /// It runs.
    pub running: Option<Running>,
    /// It ended.
    pub terminated: Option<Terminated>,
}

/// Why a container waits.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// One word, e.g. `ImagePullBackOff`.
    #[serde(deserialize_with = "lax")]
    pub reason: String,
    /// Words to it.
    #[serde(deserialize_with = "lax")]
    pub message: String,
}

/// A container runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Running {
    /// Since when.
    pub started_at: Option<String>,
}

/// How a container ended.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    /// One word, e.g. `OOMKilled`.
    #[serde(deserialize_with = "lax")]
    pub reason: String,
    /// Its exit code.
    #[serde(deserialize_with = "lax")]
    pub exit_code: i64,
    /// The signal that ended it; 0 for none.
    #[serde(deserialize_with = "lax")]
    pub signal: i64,
    /// When the run began.
    pub started_at: Option<String>,
    /// When the run ended.
    pub finished_at: Option<String>,
    /// What it left behind in its termination log.
    #[serde(deserialize_with = "lax")]
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::super::read::{ListError, parse_list};
    use super::*;

    #[test]
    fn fields_may_be_missing_null_or_unknown() {
        let text = br#"{"kind":"PodList","metadata":null,"items":[
            {},
            {"metadata":null,"spec":null,"status":null},
            {"metadata":{"name":null,"labels":null,"managedFields":[{"f":{}}]},"spec":{"containers":null},
             "status":{"phase":null,"containerStatuses":[{"name":null,"ready":null,"restartCount":null,"state":null}]}},
            {"metadata":{"name":"p"},"status":{"containerStatuses":[{"state":{"running":{"startedAt":null}},"lastState":{}}]}}
        ]}"#;
        let pods = parse_list::<Pod>(text).unwrap();
        assert_eq!(pods.len(), 4);
        assert!(pods[3].status.container_statuses[0].state.running.is_some());
        assert!(
            parse_list::<Model>(br#"{"kind":"ModelList","items":null}"#)
                .unwrap()
                .is_empty()
        );
        let deployment = r#"{"kind":"ModelDeploymentList","items":[{"spec":{"bundle":null,"models":null,"groups":[{}]}}]}"#;
        assert!(
            parse_list::<ModelDeployment>(deployment.as_bytes()).unwrap()[0]
                .spec
                .bundle
                .is_none()
        );
        let bundle =
            r#"{"kind":"BundleList","items":[{"spec":{"models":{"A":null,"B":{"x":[1]}}}}]}"#;
        assert_eq!(
            parse_list::<Bundle>(bundle.as_bytes()).unwrap()[0]
                .spec
                .models
                .len(),
            2
        );
    }

    #[test]
    fn what_is_no_list_is_told_apart() {
        assert!(matches!(
            parse_list::<Pod>(b"\n <!doctype html><html>"),
            Err(ListError::WebPage)
        ));
        assert!(
            matches!(parse_list::<Pod>(br#"{"kind":"Status"}"#), Err(ListError::NoList(kind)) if kind == "Status")
        );
        assert!(matches!(
            parse_list::<Pod>(b"hello"),
            Err(ListError::Json(_))
        ));
    }
}
