//! Pods and their containers, as the API server describes them.

use serde::Deserialize;

use super::{Meta, StatusCondition, lax, map};

/// A pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// Name and deletion.
    #[serde(deserialize_with = "map")]
    pub metadata: Meta,
    /// The specification.
    #[serde(deserialize_with = "map")]
    pub spec: PodSpec,
    /// The status.
    #[serde(deserialize_with = "map")]
    pub status: PodStatus,
}

/// The specification of a pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// The main containers.
    #[serde(deserialize_with = "lax")]
    pub containers: Vec<Container>,
    /// Init containers and sidecars.
    #[serde(deserialize_with = "lax")]
    pub init_containers: Vec<Container>,
    /// The scheduler ignores the pod until all of these are removed.
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

/// The specification of a container.
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
    /// Seconds before the first probe.
    pub initial_delay_seconds: Option<u64>,
    /// Seconds between two probes; 10 by default.
    pub period_seconds: Option<u64>,
    /// The number of failures after which the container is restarted; 3 by default.
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

/// The status of a pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    #[serde(deserialize_with = "lax")]
    pub phase: String,
    /// e.g. `Evicted`.
    #[serde(deserialize_with = "lax")]
    pub reason: String,
    /// A sentence on the reason.
    #[serde(deserialize_with = "lax")]
    pub message: String,
    /// Includes `PodScheduled`.
    #[serde(deserialize_with = "lax")]
    pub conditions: Vec<StatusCondition>,
    /// The main containers.
    #[serde(deserialize_with = "lax")]
    pub container_statuses: Vec<ContainerStatus>,
    /// The init containers and sidecars.
    #[serde(deserialize_with = "lax")]
    pub init_container_statuses: Vec<ContainerStatus>,
}

/// The status of a container.
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
    /// How often it was restarted.
    #[serde(deserialize_with = "lax")]
    pub restart_count: u32,
    /// The current state.
    #[serde(deserialize_with = "map")]
    pub state: ContainerState,
    /// The state before the last restart.
    #[serde(deserialize_with = "map")]
    pub last_state: ContainerState,
}

/// At most one of the three is set.
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
    /// The reason as one word, e.g. `ImagePullBackOff`.
    #[serde(deserialize_with = "lax")]
    pub reason: String,
    /// A sentence on the reason.
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
    /// The reason as one word, e.g. `OOMKilled`.
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
    /// Its termination message.
    #[serde(deserialize_with = "lax")]
    pub message: String,
}
