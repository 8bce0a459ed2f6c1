//! The pods of deployments: whether they are ready, and what that means for the deployment.

mod names;

use jiff::Timestamp;

pub use self::names::{
    DEFAULT_GROUP, Matcher, Owner, cache_pod, group_pod, inference, name, shorten,
};
use super::resources::{Meta, Pod, PodGroup};
use super::status::{Columns, columns, details, moment, trouble};
use crate::domain::deployment::{DeploymentState, Hold, PodBrief};

/// The group name that a cache pod's [`PodBrief`] shows.
pub const CACHE: &str = "cache";

/// A pod of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedPod {
    /// The part that is shown.
    pub brief: PodBrief,
    /// The end of its name, which distinguishes it from the other pods of its group.
    pub tail: String,
    /// Whether it is a cache pod.
    pub is_cache: bool,
    /// It is being deleted.
    pub is_terminating: bool,
}

impl OwnedPod {
    /// Reads a pod whose owner is known.
    pub fn new(pod: &Pod, owner: &Owner<'_>) -> Self {
        let Columns {
            ready,
            containers,
            status,
            restarts,
        } = columns(pod);
        let (hold, trouble) = trouble(pod).unzip();
        let brief = PodBrief {
            name: pod.metadata.name.clone(),
            group: owner.group.unwrap_or(CACHE).to_owned(),
            ready,
            containers,
            status,
            restarts,
            trouble,
            hold,
            since: since(pod),
            details: details(pod),
            unreadable: pod.metadata.unreadable.clone(),
        };
        Self {
            brief,
            tail: owner.tail.to_owned(),
            is_cache: owner.group.is_none(),
            is_terminating: pod.metadata.is_terminating(),
        }
    }

    fn is_ready(&self) -> bool {
        self.brief.trouble.is_none()
    }

    /// Whether its status does not say if it is ready.
    fn is_unknown(&self) -> bool {
        matches!(self.brief.hold, Some(Hold::Unreadable(_)))
    }

    /// `cache pod 0/1: ImagePullBackOff`, with the tail of its name if the group has several pods.
    fn told(&self, has_siblings: bool) -> String {
        let PodBrief {
            group,
            ready,
            containers,
            trouble,
            ..
        } = &self.brief;
        let trouble = trouble.as_deref().unwrap_or("ready");
        let which = if has_siblings {
            format!(" …-{}", self.tail)
        } else {
            String::new()
        };
        match &self.brief.hold {
            // The number of ready containers only matters for a pod that can have ready ones.
            Some(Hold::Containers | Hold::Unready | Hold::ReadinessGate(_)) | None => {
                format!("{group} pod{which} {ready}/{containers}: {trouble}")
            }
            Some(_) => format!("{group} pod{which}: {trouble}"),
        }
    }
}

/// When the pod became ready or unready, else when it was created.
fn since(pod: &Pod) -> Option<Timestamp> {
    let meta = &pod.metadata;
    if meta.is_terminating() {
        return moment(meta.deletion_timestamp.as_deref());
    }
    let ready = pod
        .status
        .conditions
        .iter()
        .find(|condition| condition.kind == "Ready");
    moment(ready.and_then(|ready| ready.since.as_deref()))
        .or(moment(meta.creation_timestamp.as_deref()))
}

/// When the deployment entered its state, as far as its pods show.
pub fn state_since(
    metadata: &Meta,
    state: DeploymentState,
    pods: &[OwnedPod],
) -> Option<Timestamp> {
    let of = |ready: bool| {
        pods.iter()
            .filter(move |pod| pod.is_ready() == ready)
            .filter_map(|pod| pod.brief.since)
    };
    match state {
        // It is deployed since its last pod became ready.
        DeploymentState::Deployed => of(true).max(),
        DeploymentState::Deploying => of(false).min().or(of(true).max()),
        DeploymentState::NotDeployed => moment(metadata.creation_timestamp.as_deref()),
        DeploymentState::Terminating => moment(metadata.deletion_timestamp.as_deref())
            .or(pods.iter().filter_map(|pod| pod.brief.since).min()),
        DeploymentState::Unknown => None,
    }
}

/// The deployment's state and the reason for it. `pods`: the deployment's own.
pub fn state(metadata: &Meta, groups: &[PodGroup], pods: &[OwnedPod]) -> (DeploymentState, String) {
    if metadata.is_terminating() {
        return (DeploymentState::Terminating, "being deleted".to_owned());
    }
    let is_zero = is_scaled_to_zero(groups) && pods.iter().all(|pod| pod.is_cache);
    if is_zero || pods.is_empty() {
        let reason = if is_zero { "scaled to zero" } else { "no pods" };
        return (DeploymentState::NotDeployed, reason.to_owned());
    }
    if pods.iter().all(|pod| pod.is_terminating) {
        return (
            DeploymentState::Deploying,
            "all of its pods are being deleted".to_owned(),
        );
    }
    let mut caches: Vec<_> = pods.iter().filter(|pod| pod.is_cache).collect();
    leave_out_ended(&mut caches, 1);
    let mut answering = by_group(groups, pods);
    for (_, wanted, pods) in &mut answering {
        leave_out_ended(pods, *wanted);
    }
    let mut troubles = Vec::new();
    if caches.is_empty() {
        troubles.push("no cache pod yet".to_owned());
    }
    troubles.extend(
        caches
            .iter()
            .filter(|pod| !pod.is_ready())
            .map(|pod| pod.told(caches.len() > 1)),
    );
    let cached = troubles.is_empty();

    let may_be_ready = |pod: &&OwnedPod| pod.is_ready() || pod.is_unknown();
    let may_be_cached = !caches.is_empty() && caches.iter().all(may_be_ready);
    let has_any = answering.iter().any(|(_, _, pods)| !pods.is_empty());
    let all_answer = answering
        .iter()
        .filter(|(_, _, pods)| !pods.is_empty())
        .all(|(_, _, pods)| pods.iter().any(|pod| pod.is_ready()));
    let all_may_answer = answering
        .iter()
        .filter(|(_, _, pods)| !pods.is_empty())
        .all(|(_, _, pods)| pods.iter().any(may_be_ready));
    for (group, wanted, pods) in &answering {
        troubles.extend(group_trouble(group, *wanted, pods));
    }
    let deployed = cached && has_any && all_answer;
    let state = if deployed {
        DeploymentState::Deployed
    } else if may_be_cached && has_any && all_may_answer {
        DeploymentState::Unknown
    } else {
        DeploymentState::Deploying
    };
    (state, at_most(troubles, 3))
}

/// Removes pods that their node stopped or rejected once other pods have replaced them. Such pods stay listed until
/// the garbage collector removes them.
fn leave_out_ended(pods: &mut Vec<&OwnedPod>, wanted: usize) {
    let others = pods.iter().filter(|pod| !pod.brief.has_ended()).count();
    if others >= wanted.max(1) {
        pods.retain(|pod| !pod.brief.has_ended());
    }
}

/// The number of pods that the groups ask for. Without a group or a number it is 1.
pub fn replicas(groups: &[PodGroup]) -> u32 {
    if groups.is_empty() {
        return 1;
    }
    groups.iter().fold(0, |sum, group| {
        sum.saturating_add(group.min_replicas.unwrap_or(1))
    })
}

/// Whether the groups ask for no pod at all.
fn is_scaled_to_zero(groups: &[PodGroup]) -> bool {
    replicas(groups) == 0
}

type GroupPods<'a> = (&'a str, usize, Vec<&'a OwnedPod>);

/// The groups that are asked for or have pods, by name, with the wanted number and the pods.
fn by_group<'a>(groups: &'a [PodGroup], pods: &'a [OwnedPod]) -> Vec<GroupPods<'a>> {
    let mut all: Vec<GroupPods<'a>> = Vec::new();
    for group in groups {
        let name = if group.name.is_empty() {
            DEFAULT_GROUP
        } else {
            &group.name
        };
        all.push((name, group.min_replicas.unwrap_or(1) as usize, Vec::new()));
    }
    if all.is_empty() {
        all.push((DEFAULT_GROUP, 1, Vec::new()));
    }
    for pod in pods.iter().filter(|pod| !pod.is_cache) {
        match all.iter_mut().find(|(name, ..)| *name == pod.brief.group) {
            Some((.., pods)) => pods.push(pod),
            None => all.push((&pod.brief.group, 0, vec![pod])),
        }
    }
    all.sort_by_key(|(name, ..)| *name);
    all.dedup_by_key(|(name, ..)| *name);
    all
}

fn group_trouble(group: &str, wanted: usize, pods: &[&OwnedPod]) -> Option<String> {
    if pods.is_empty() {
        return (wanted > 0).then(|| format!("no {group} pod yet"));
    }
    let wanted = wanted.max(pods.len());
    let ready = pods.iter().filter(|pod| pod.is_ready()).count();
    if ready == wanted {
        return None;
    }
    let mut troubles: Vec<_> = pods
        .iter()
        .filter(|pod| !pod.is_ready())
        .map(|pod| pod.told(wanted > 1))
        .collect();
    if wanted == 1 {
        return troubles.pop();
    }
    if pods.len() < wanted {
        troubles.push(format!("{} not created yet", wanted - pods.len()));
    }
    Some(format!(
        "{ready} of {wanted} {group} pods ready: {}",
        at_most(troubles, 2)
    ))
}

fn at_most(mut parts: Vec<String>, most: usize) -> String {
    let more = parts.len().saturating_sub(most);
    parts.truncate(most);
    let mut told = parts.join("; ");
    if more > 0 {
        told.push_str(&format!("; and {more} more"));
    }
    told
}

#[cfg(test)]
mod tests;
