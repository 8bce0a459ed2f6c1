//! What is deployed on a cluster, as the pickers and `batida deployments` show it.

mod health;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::failure::Failure;

pub use self::health::Health;

/// Which of SambaStack's two generations of resources a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Generation {
    /// `BundleDeployment` and `Bundle`, up to SambaStack 2.2.
    Old,
    /// `ModelDeployment`, `ModelBundle` and `Model`, from SambaStack 2.0.2.
    New,
}

impl Generation {
    /// The kind kubectl shows.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Old => "BundleDeployment",
            Self::New => "ModelDeployment",
        }
    }
}

/// How far a deployment is, read off its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    /// Cache and default pods are Running with all containers ready. Ready is not yet serving.
    Deployed,
    /// There are pods, and not all that is needed is ready.
    Deploying,
    /// No pods.
    NotDeployed,
    /// The deployment or all its pods are being deleted.
    Terminating,
    /// The pods could not be listed, so nobody knows.
    Unknown,
}

impl DeploymentState {
    /// As people say it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Deployed => "Deployed",
            Self::Deploying => "Deploying",
            Self::NotDeployed => "Not deployed",
            Self::Terminating => "Terminating",
            Self::Unknown => "Unknown",
        }
    }
}

/// A model of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServedModel {
    /// The name the API wants.
    pub serving_name: String,
    /// The `Model` resource's name, for the new generation.
    pub resource: Option<String>,
    /// Other names the API takes for it.
    pub aliases: Vec<String>,
    /// `text`, `vision`, `embeddings`; empty when the cluster does not say.
    pub capabilities: Vec<String>,
    /// `false` when the `Model` was not found, so that `serving_name` is only its resource name.
    pub confirmed: bool,
    /// Where its context lengths and batch sizes are written down; several for one in several profiles.
    #[serde(skip)]
    pub sizes: Vec<SizesAt>,
}

/// Where a model's context lengths and batch sizes are written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SizesAt {
    /// In a `BundleTemplate`, under this model.
    Template {
        /// The template's name.
        template: String,
        /// What the template calls the model.
        model: String,
    },
    /// In a `ModelProfile`, unless the bundle says otherwise.
    Profile {
        /// The profile's name.
        profile: Option<String>,
        /// Which of the profile's lists the bundle takes; `None` for the recommended one.
        chosen: Option<String>,
        /// The bundle's own; without batch sizes those that the profile has for that length.
        own: Vec<Tier>,
    },
}

/// A context length that a model is served with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// As the cluster writes it, e.g. `128k`.
    pub context: String,
    /// How many requests are worked on at once, smallest first; empty when the cluster does not say.
    pub batch_sizes: Vec<u32>,
}

impl Tier {
    /// The context length in tokens; `None` when it is written in no such way, e.g. `default`.
    pub fn tokens(&self) -> Option<u64> {
        let text = self.context.trim();
        match text.strip_suffix(['k', 'K']) {
            Some(thousands) => thousands.parse::<u64>().ok()?.checked_mul(1_024),
            None => text.parse().ok(),
        }
    }
}

impl ServedModel {
    /// Whether it makes embeddings. Old clusters do not say; the name may.
    pub fn embeds(&self) -> bool {
        if self.capabilities.is_empty() {
            return makes_embeddings_by_name(&self.serving_name);
        }
        self.capabilities
            .iter()
            .any(|capability| capability == "embeddings")
    }

    /// Whether one can chat with it: an embedding model cannot. Old clusters do not say; the name may.
    pub fn chats(&self) -> bool {
        if self.capabilities.is_empty() {
            return !embeds_by_name(&self.serving_name);
        }
        self.capabilities
            .iter()
            .any(|capability| capability != "embeddings")
    }

    /// Whether it can see pictures; `None` when the cluster does not say.
    pub fn sees(&self) -> Option<bool> {
        let sees = self
            .capabilities
            .iter()
            .any(|capability| capability.eq_ignore_ascii_case("vision"));
        (!self.capabilities.is_empty()).then_some(sees)
    }

    /// Whether the API takes this name for it.
    pub fn is_called(&self, name: &str) -> bool {
        self.serving_name == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// How to see whether it answers; `None` for what takes no text, e.g. speech.
    pub fn probe_kind(&self) -> Option<ProbeKind> {
        match self.chats() {
            true => Some(ProbeKind::Chat),
            false if self.serving_name.to_lowercase().contains("whisper") => None,
            false => Some(ProbeKind::Embedding),
        }
    }
}

/// How to see whether a model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeKind {
    /// A one-token chat.
    Chat,
    /// The embedding of one word.
    Embedding,
}

/// A pod of a deployment, in brief.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PodBrief {
    /// The pod's full name.
    pub name: String,
    /// `cache`, or the group of the pods that answer: `default` unless the deployment says otherwise.
    pub group: String,
    /// Containers that are ready, as kubectl's READY column counts them.
    pub ready: u32,
    /// Containers that should be.
    pub containers: u32,
    /// kubectl's STATUS column, e.g. `Init:0/2`.
    pub status: String,
    /// kubectl's RESTARTS column.
    pub restarts: u32,
    /// Why it is not ready, in words; `None` when it is.
    pub trouble: Option<String>,
    /// The same by kind; `None` when it is ready.
    #[serde(skip)]
    pub hold: Option<Hold>,
    /// Since when it has been ready, or not.
    pub since: Option<Timestamp>,
    /// Its containers, those that prepare first.
    pub details: Vec<ContainerBrief>,
    /// What of the pod could not be read, a remark each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

impl PodBrief {
    /// Whether it has ended for good: it stays listed, and is no replica any more.
    pub fn has_ended(&self) -> bool {
        matches!(self.hold, Some(Hold::Completed | Hold::Rejected { .. }))
    }
}

/// What keeps a pod from being ready, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// It is being deleted.
    Leaving,
    /// It has ended by itself, and well.
    Completed,
    /// The node refused it or ended it: `Evicted`, `UnexpectedAdmissionError`, `NodeAffinity`, …
    Rejected {
        /// One word.
        reason: String,
        /// Kubernetes' own words; may be empty.
        message: String,
    },
    /// Scheduling gates of these names hold it back.
    Gated(Vec<String>),
    /// No node takes it, with the scheduler's words.
    Unschedulable(String),
    /// Its node does not report, with Kubernetes' words; they may be empty.
    NodeSilent(String),
    /// Its containers are ready, and these readiness gates are not met; may be empty.
    ReadinessGate(Vec<String>),
    /// Its containers are ready, and its condition says that it is not.
    Unready,
    /// Its containers are not ready.
    Containers,
    /// Whether it is ready is unknown: this field of its status cannot be read, and why.
    Unreadable(String),
    /// The scheduler itself failed, with its words.
    SchedulerFailed(String),
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ContainerBrief {
    /// Its name.
    pub name: String,
    /// It prepares, and the others start after it.
    pub init: bool,
    /// It passes its readiness probe, or has prepared what it should.
    pub ready: bool,
    /// It has ended with an error and was not started anew yet.
    pub failed: bool,
    /// How often it was started anew.
    pub restarts: u32,
    /// Since when it runs; `None` when it does not.
    pub started: Option<Timestamp>,
    /// Why it waits or ended, in one word; empty while it runs.
    pub reason: String,
    /// Kubernetes' own words to it.
    pub message: String,
    /// How its last run ended, e.g. `exit code 1`.
    pub last: Option<String>,
    /// When its last run ended.
    pub last_at: Option<Timestamp>,
    /// How long its last run took, in seconds.
    pub last_ran_seconds: Option<u64>,
    /// What its last run left as a message.
    pub last_words: String,
    /// How long its start-up probe lets it start, in seconds.
    pub startup_seconds: Option<u64>,
}

impl ContainerBrief {
    /// In words: `running`, `ImagePullBackOff`, `ended (exit code 1)`.
    pub fn state(&self) -> &str {
        match (self.started.is_some(), self.reason.as_str()) {
            (true, _) => "running",
            (false, "") => "waiting",
            (false, reason) => reason,
        }
    }

    /// Until when its start-up probe lets it start; `None` when it has started, or has no such probe.
    pub fn may_start_until(&self) -> Option<Timestamp> {
        let seconds = i64::try_from(self.startup_seconds?).ok()?;
        let started = self.started.filter(|_| !self.ready)?;
        started.checked_add(SignedDuration::from_secs(seconds)).ok()
    }
}

/// Something that happened to an object of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterEvent {
    /// When, the last time.
    pub at: Option<Timestamp>,
    /// It is no good news.
    pub warning: bool,
    /// One word, e.g. `FailedCreate`.
    pub reason: String,
    /// The object's kind.
    pub kind: String,
    /// The object's name.
    pub object: String,
    /// Words.
    pub message: String,
    /// How often.
    pub count: u32,
}

/// The likely cause of a deployment's trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// One sentence, without a full stop.
    pub sentence: String,
    /// kubectl's arguments for the command that would confirm it, without the cluster and the namespace.
    pub confirm: Vec<String>,
    /// Whether waiting helps.
    pub progress: Progress,
}

/// Whether waiting helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It is starting: it only takes time.
    Starting,
    /// It is being deleted.
    Ending,
    /// Somebody has to mend something.
    NeedsSomebody,
    /// Nothing has to be mended; it may explain what is seen.
    Remark,
}

impl Progress {
    /// What stands above the sentence.
    pub fn title(self) -> &'static str {
        match self {
            Self::Starting => "Still starting",
            Self::Ending => "Being deleted",
            Self::NeedsSomebody => "Likely cause",
            Self::Remark => "Note",
        }
    }
}

/// A deployment with its pods and its models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployment {
    /// `metadata.name`.
    pub name: String,
    /// Which resources it is made of.
    pub generation: Generation,
    /// The bundle it refers to; `None` for a deployment that lists its models itself.
    pub bundle: Option<String>,
    /// How far it is.
    pub state: DeploymentState,
    /// Why it is not (fully) deployed, in words, e.g. `cache pod 0/1: ImagePullBackOff`. Empty when all is well.
    pub reason: String,
    /// Since when it has been in its state, as far as its pods tell.
    pub since: Option<Timestamp>,
    /// Pods that answer which it asks for, over all its groups.
    pub replicas: u32,
    /// Its pods, cache first, by name.
    pub pods: Vec<PodBrief>,
    /// The models that can be addressed, by serving name.
    pub models: Vec<ServedModel>,
    /// What the operator says of its bundle: conditions, and the legalizer's report.
    pub bundle_notes: Vec<String>,
    /// What is wrong with its models, e.g. the bundle does not exist or was refused.
    pub models_trouble: Option<String>,
    /// What of its resource could not be read, a remark each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

impl Deployment {
    /// Why it is not as it should be, in words: its pods, then its models. Its state where nothing is wrong.
    pub fn why(&self) -> String {
        let reasons = self.reasons();
        if reasons.is_empty() {
            self.state.label().to_owned()
        } else {
            reasons
        }
    }

    /// The same; empty where nothing is wrong.
    pub fn reasons(&self) -> String {
        let unreadable = match self.unreadable.as_slice() {
            [] => String::new(),
            remarks => format!(
                "its resource cannot be read in full: {}",
                remarks.join(", ")
            ),
        };
        let trouble = self.models_trouble.as_deref().unwrap_or_default();
        let mut reasons = vec![self.reason.as_str(), trouble, &unreadable];
        reasons.retain(|text| !text.is_empty());
        reasons.join("; ")
    }

    /// Whether it is deployed and yet not as it should be.
    pub fn warns(&self) -> bool {
        self.state == DeploymentState::Deployed && !self.reasons().is_empty()
    }

    /// Whether a request may be sent to it: it is ready, or nobody can say.
    pub fn may_answer(&self) -> bool {
        matches!(
            self.state,
            DeploymentState::Deployed | DeploymentState::Unknown
        )
    }
}

/// What one look at the cluster gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterView {
    /// Deployed first, then the others, each by name.
    pub deployments: Vec<Deployment>,
    /// The generations whose resources the cluster has.
    pub generations: Vec<Generation>,
    /// What could not be read although the rest could, e.g. Forbidden pods.
    pub warnings: Vec<Failure>,
    /// Objects that were listed and cannot be read in full, a failure for each kind.
    pub unreadable: Vec<Failure>,
    /// Deployments of a generation that the cluster has could not be listed.
    pub is_partial: bool,
}

impl ClusterView {
    /// The first deployment with a model to chat with: one that is ready, else one of which nobody can say.
    pub fn first_that_chats(&self) -> Option<&Deployment> {
        let first = |state| {
            let mut deployments = self.deployments.iter();
            deployments.find(|it| it.state == state && it.models.iter().any(ServedModel::chats))
        };
        first(DeploymentState::Deployed).or_else(|| first(DeploymentState::Unknown))
    }

    /// A deployment's name, with its kind where another one before it has the same name.
    pub fn name_of(&self, deployment: &Deployment) -> String {
        let name = &deployment.name;
        let first = self.deployments.iter().find(|it| it.name == *name);
        match first.is_none_or(|first| first.generation == deployment.generation) {
            true => name.clone(),
            false => format!("{name} ({})", deployment.generation.kind()),
        }
    }

    /// What to say where there is no deployment.
    pub fn nothing(&self) -> &'static str {
        match (self.is_partial, self.unreadable.is_empty()) {
            (true, _) => "The deployments could not be listed",
            (false, false) => "No deployment in this namespace can be read",
            (false, true) => "Nothing is deployed in this namespace",
        }
    }
}

/// Whether a model's name says that it makes embeddings or transcripts and cannot chat. For APIs without a
/// cluster, since `/v1/models` does not tell.
pub fn embeds_by_name(name: &str) -> bool {
    let name = name.to_lowercase();
    ["e5-", "embed", "whisper", "bge-"]
        .iter()
        .any(|part| name.contains(part))
}

/// Whether a model's name says that it makes embeddings, for APIs without a cluster.
pub fn makes_embeddings_by_name(name: &str) -> bool {
    embeds_by_name(name) && !name.to_lowercase().contains("whisper")
}
