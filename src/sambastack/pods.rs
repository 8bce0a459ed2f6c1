//! Pods: how SambaStack names them, whose they are, whether they are ready, and why not.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use jiff::Timestamp;

use crate::domain::deployment::{DeploymentState, Hold, PodBrief};

use super::resources::{Group, Meta, Pod};
use super::status::{Columns, columns, details, trouble};

/// How long the name of a cache may be, and that of any object labelled with it.
const NAME_LIMIT: usize = 63;
/// How long the name of a group may be: Kubernetes appends to it.
const GROUP_LIMIT: usize = 52;
/// The group that a deployment has unless it says otherwise.
pub const DEFAULT_GROUP: &str = "default";
/// What stands between a deployment and its group.
const MARK: &str = "-q-";
/// What stands for the group in a cache pod's [`PodBrief`].
pub const CACHE: &str = "cache";

/// `text`, or its beginning with a hash of the whole when it is longer than `limit`.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let digest = Sha256::digest(text.as_bytes());
    let hash: String = digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let Some(keep) = limit.checked_sub(hash.len() + 1) else {
        return hash[..limit.min(hash.len())].to_owned();
    };
    format!("{}-{hash}", &text[..text.floor_char_boundary(keep)])
}

/// `prefix`, as much of `base` as fits, `suffix`.
pub fn name(base: &str, prefix: &str, suffix: &str, limit: usize) -> String {
    let room = limit.saturating_sub(prefix.len() + suffix.len());
    format!("{prefix}{}{suffix}", shorten(base, room))
}

/// The name that everything of a deployment begins with.
pub fn inference(deployment: &str) -> String {
    name(deployment, "inf-", "", NAME_LIMIT)
}

/// A deployment's cache pod of `tail`, usually `0`.
pub fn cache_pod(deployment: &str, tail: &str) -> String {
    format!(
        "{}-{tail}",
        name(&inference(deployment), "", "-cache", NAME_LIMIT)
    )
}

/// A deployment's pod of a group: `group` and `mode` are usually `default` and `n`, `tail` is `0`.
pub fn group_pod(deployment: &str, group: &str, mode: &str, tail: &str) -> String {
    let suffix = format!("-q-{group}-{mode}");
    format!(
        "{}-{tail}",
        name(&inference(deployment), "", &suffix, GROUP_LIMIT)
    )
}

/// Whose a pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The deployment's place in the list that the [`Matcher`] was given.
    pub deployment: usize,
    /// `None` for a cache pod.
    pub group: Option<&'a str>,
    /// What tells it from its siblings: an ordinal, or a hash.
    pub tail: &'a str,
}

/// Finds the deployment of a pod by the pod's name alone.
///
/// Names are compared whole, never by how they begin: `bd-a` has nothing of `bd-a-2`.
#[derive(Debug)]
pub struct Matcher<'d> {
    groups: Vec<&'d [Group]>,
    names: Vec<String>,
    /// For each room left to a deployment's name, the names shortened to it.
    by_room: HashMap<usize, HashMap<String, Vec<usize>>>,
}

impl<'d> Matcher<'d> {
    /// For deployments of these names, with the groups that each asks for.
    pub fn new(deployments: impl IntoIterator<Item = (&'d str, &'d [Group])>) -> Self {
        let (names, groups) = deployments
            .into_iter()
            .map(|(deployment, groups)| (inference(deployment), groups))
            .unzip();
        Self {
            groups,
            names,
            by_room: HashMap::new(),
        }
    }

    /// The pod's owner; several only where an old and a new deployment have the same name.
    pub fn owners<'p>(&mut self, pod: &'p str) -> Vec<Owner<'p>> {
        let mut best: Option<(Fit, Reading<'p>)> = None;
        for reading in readings(pod) {
            let Some(fit) = self.fit(&reading) else {
                continue;
            };
            if best.as_ref().is_none_or(|(other, _)| fit > *other) {
                best = Some((fit, reading));
            }
        }
        let Some((
            _,
            Reading {
                base,
                group,
                tail,
                room,
            },
        )) = best
        else {
            return Vec::new();
        };
        let found = self.having(room, base);
        found
            .iter()
            .map(|&deployment| Owner {
                deployment,
                group,
                tail,
            })
            .collect()
    }

    fn fit(&mut self, reading: &Reading<'_>) -> Option<Fit> {
        let &first = self.having(reading.room, reading.base).first()?;
        let declared = match reading.group {
            None => {
                return Some(Fit {
                    declared: 1,
                    base: reading.base.len(),
                    plain: true,
                });
            }
            Some(group) if self.groups[first].is_empty() => group == DEFAULT_GROUP,
            Some(group) => self.groups[first]
                .iter()
                .any(|declared| declared.name == group),
        };
        let declared = if declared { 2 } else { 0 };
        Some(Fit {
            declared,
            base: reading.base.len(),
            plain: !reading.tail.contains('-'),
        })
    }

    fn having(&mut self, room: usize, base: &str) -> &[usize] {
        let names = &self.names;
        let shortened = self.by_room.entry(room).or_insert_with(|| {
            let mut shortened: HashMap<String, Vec<usize>> = HashMap::with_capacity(names.len());
            for (i, name) in names.iter().enumerate() {
                shortened.entry(shorten(name, room)).or_default().push(i);
            }
            shortened
        });
        shortened.get(base).map_or(&[], Vec::as_slice)
    }
}

/// How well a reading explains a pod's name: a group that the deployment asks for before a cache before
/// any other group, then the longest deployment name, then the shortest tail.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    declared: u8,
    base: usize,
    plain: bool,
}

/// One way to take a pod's name apart. There may be several, since any part may hold `-q-` or `-cache-`.
#[derive(Debug)]
struct Reading<'p> {
    base: &'p str,
    group: Option<&'p str>,
    tail: &'p str,
    room: usize,
}

fn readings(pod: &str) -> Vec<Reading<'_>> {
    let mut readings = Vec::new();
    for (stem, tail) in tails(pod) {
        if let Some(base) = stem.strip_suffix("-cache") {
            readings.push(Reading {
                base,
                group: None,
                tail,
                room: NAME_LIMIT - "-cache".len(),
            });
        }
        let Some((rest, mode)) = stem.rsplit_once('-') else {
            continue;
        };
        if mode.is_empty() {
            continue;
        }
        // Marks may overlap: a deployment called `a-q` has pods called `inf-a-q-q-default-n-0`.
        for (at, _) in rest
            .match_indices("-q")
            .filter(|(at, _)| rest[*at..].starts_with(MARK))
        {
            let group = &rest[at + MARK.len()..];
            if group.is_empty() {
                continue;
            }
            let room = GROUP_LIMIT.saturating_sub(stem.len() - at);
            readings.push(Reading {
                base: &rest[..at],
                group: Some(group),
                tail,
                room,
            });
        }
    }
    readings
}

/// The ways to split a tail off: `-0`, `-62521c1375`, and a ReplicaSet's two hashes.
fn tails(pod: &str) -> impl Iterator<Item = (&str, &str)> {
    let one = pod
        .rsplit_once('-')
        .filter(|(_, tail)| is_ordinal(tail) || is_hash(tail, 5));
    let two = pod.rsplit_once('-').and_then(|(front, last)| {
        let (stem, first) = front.rsplit_once('-')?;
        (is_hash(first, 6) && last.len() == 5 && is_word(last))
            .then(|| (stem, &pod[stem.len() + 1..]))
    });
    one.into_iter().chain(two)
}

fn is_ordinal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_hash(text: &str, least: usize) -> bool {
    text.len() >= least && is_word(text) && text.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

/// A pod of a deployment with what the reason needs to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedPod {
    /// What people read.
    pub brief: PodBrief,
    /// What tells it from its siblings.
    pub tail: String,
    /// A cache pod.
    pub is_cache: bool,
    /// It is being deleted.
    pub is_terminating: bool,
}

impl OwnedPod {
    /// Looks at a pod whose owner is known.
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

    /// `cache pod 0/1: ImagePullBackOff`; with siblings the tail tells which one.
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
            // How many of its containers are ready tells something only of a pod that may have ready ones.
            Some(Hold::Containers | Hold::Unready | Hold::ReadinessGate(_)) | None => {
                format!("{group} pod{which} {ready}/{containers}: {trouble}")
            }
            Some(_) => format!("{group} pod{which}: {trouble}"),
        }
    }
}

/// A moment as Kubernetes writes it.
pub(super) fn moment(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

/// Since when it has been ready, or not: as Kubernetes says, else since it was made.
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

/// Since when a deployment has been in its state, as far as its pods tell.
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
        // It has been so since the last of them was ready.
        DeploymentState::Deployed => of(true).max(),
        DeploymentState::Deploying => of(false).min().or(of(true).max()),
        DeploymentState::NotDeployed => moment(metadata.creation_timestamp.as_deref()),
        DeploymentState::Terminating => moment(metadata.deletion_timestamp.as_deref())
            .or(pods.iter().filter_map(|pod| pod.brief.since).min()),
        DeploymentState::Unknown => None,
    }
}

/// How far a deployment is, and why it is not further; `pods` are its own.
pub fn state(metadata: &Meta, groups: &[Group], pods: &[OwnedPod]) -> (DeploymentState, String) {
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
            DeploymentState::Terminating,
            "its pods are being deleted".to_owned(),
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

    let has_any = answering.iter().any(|(_, _, pods)| !pods.is_empty());
    let all_answer = answering
        .iter()
        .filter(|(_, _, pods)| !pods.is_empty())
        .all(|(_, _, pods)| pods.iter().any(|pod| pod.is_ready()));
    for (group, wanted, pods) in &answering {
        troubles.extend(group_trouble(group, *wanted, pods));
    }
    let deployed = cached && has_any && all_answer;
    let state = if deployed {
        DeploymentState::Deployed
    } else {
        DeploymentState::Deploying
    };
    (state, at_most(troubles, 3))
}

/// Pods that the node has ended or refused stay listed until they are cleared away. They count for nothing once others
/// have taken their places.
fn leave_out_ended(pods: &mut Vec<&OwnedPod>, wanted: usize) {
    let others = pods.iter().filter(|pod| !pod.brief.has_ended()).count();
    if others >= wanted.max(1) {
        pods.retain(|pod| !pod.brief.has_ended());
    }
}

/// How many pods the groups ask for; 1 where there is no group, or a group does not say.
pub fn replicas(groups: &[Group]) -> u32 {
    if groups.is_empty() {
        return 1;
    }
    groups.iter().fold(0, |sum, group| {
        sum.saturating_add(group.min_replicas.unwrap_or(1))
    })
}

/// Whether no group asks for a pod.
fn is_scaled_to_zero(groups: &[Group]) -> bool {
    replicas(groups) == 0
}

type GroupPods<'a> = (&'a str, usize, Vec<&'a OwnedPod>);

/// Each group that is asked for or has pods, with how many there should be, by name.
fn by_group<'a>(groups: &'a [Group], pods: &'a [OwnedPod]) -> Vec<GroupPods<'a>> {
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
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const LONG: &str = "bd-llama-4-maverick-17b-128e-instruct-alcf";

    #[test]
    fn names_are_those_of_the_facts() {
        assert_eq!(cache_pod("llama", "0"), "inf-llama-cache-0");
        assert_eq!(
            group_pod("llama", "default", "n", "0"),
            "inf-llama-q-default-n-0"
        );
        assert_eq!(
            cache_pod(LONG, "0"),
            "inf-bd-llama-4-maverick-17b-128e-instruct-alcf-cache-0"
        );
        assert_eq!(
            group_pod(LONG, "default", "n", "0"),
            "inf-bd-llama-4-maverick-17b-128-f0968391-q-default-n-0"
        );
    }

    /// Which deployment and which group (`-` for the cache) a pod is matched to.
    #[track_caller]
    fn check_owner(deployments: &[&str], pod: &str, expected: Option<(&str, &str)>) {
        let mut matcher = Matcher::new(deployments.iter().map(|name| (*name, [].as_slice())));
        let owners = matcher.owners(pod);
        let found = owners
            .first()
            .map(|owner| (deployments[owner.deployment], owner.group.unwrap_or("-")));
        assert_eq!(found, expected, "{pod} among {deployments:?}");
    }

    #[test]
    fn pods_are_matched_exactly() {
        check_owner(
            &["bd-a", "bd-a-2"],
            "inf-bd-a-q-default-n-0",
            Some(("bd-a", "default")),
        );
        check_owner(
            &["bd-a", "bd-a-2"],
            "inf-bd-a-2-q-default-n-0",
            Some(("bd-a-2", "default")),
        );
        check_owner(
            &["bd-a", "bd-a-2"],
            "inf-bd-a-2-cache-0",
            Some(("bd-a-2", "-")),
        );
        check_owner(&["bd-a"], "inf-bd-a-2-cache-0", None);
        check_owner(&["bd-a"], "xinf-bd-a-cache-0", None);
        check_owner(
            &["bd-a"],
            "inf-bd-a-q-default-n-62521c1375",
            Some(("bd-a", "default")),
        );
        check_owner(
            &["bd-a"],
            "inf-bd-a-q-default-n-7d9f8c6b5-x2x4z",
            Some(("bd-a", "default")),
        );
        check_owner(
            &["bd-a"],
            "inf-bd-a-q-high-priority-p-12",
            Some(("bd-a", "high-priority")),
        );
        check_owner(&["bd-a"], "inf-bd-a-cache-warmer", None);
        check_owner(
            &[LONG],
            "inf-bd-llama-4-maverick-17b-128-f0968391-q-default-n-3",
            Some((LONG, "default")),
        );
        check_owner(
            &[LONG],
            "inf-bd-llama-4-maverick-17b-128e-instruct-alcf-cache-0",
            Some((LONG, "-")),
        );
        check_owner(
            &[LONG],
            &group_pod(LONG, "long-context", "d", "0"),
            Some((LONG, "long-context")),
        );
    }

    #[test]
    fn deployments_may_have_the_marks_in_their_own_names() {
        let all = ["a", "a-q-b", "a-cache", "a-q-default-n", "cache"];
        for name in all {
            check_owner(&all, &cache_pod(name, "0"), Some((name, "-")));
            check_owner(
                &all,
                &group_pod(name, "default", "n", "0"),
                Some((name, "default")),
            );
        }
        check_owner(&["a-cache"], "inf-a-cache-0", None);
        check_owner(&["a-q-b"], "inf-a-q-b-n-0", None);
    }

    #[test]
    fn an_old_and_a_new_deployment_of_one_name_share_their_pods() {
        let mut matcher = Matcher::new([("a", [].as_slice()), ("a", [].as_slice())]);
        assert_eq!(matcher.owners("inf-a-cache-0").len(), 2);
    }

    proptest! {
        #[test]
        fn shortened_texts_fit(text in ".{0,200}", limit in 0usize..90) {
            prop_assert!(shorten(&text, limit).len() <= limit);
        }

        #[test]
        fn deployments_are_found_again(
            names in prop::collection::hash_set("[a-z]([a-z-]{0,70}|(-q-|-cache|-default|-n|-0|a|b){0,6})[a-z0-9]", 1..12),
            tail in prop::sample::select(vec!["0", "17", "62521c1375"]),
        ) {
            let names: Vec<String> = names.into_iter().collect();
            let mut matcher = Matcher::new(names.iter().map(|name| (name.as_str(), [].as_slice())));
            for (i, name) in names.iter().enumerate() {
                let pod = cache_pod(name, tail);
                let owners = matcher.owners(&pod);
                prop_assert_eq!(owners, vec![Owner { deployment: i, group: None, tail }]);
                let pod = group_pod(name, "default", "n", tail);
                let owners = matcher.owners(&pod);
                prop_assert_eq!(owners, vec![Owner { deployment: i, group: Some("default"), tail }]);
            }
        }

        #[test]
        fn any_pod_name_can_be_read(pod in "\\PC{0,40}(-q-|-cache-|-0|é){0,4}") {
            Matcher::new([("a", [].as_slice())]).owners(&pod);
        }
    }

    fn pod(status: serde_json::Value, containers: &[&str]) -> Pod {
        let containers: Vec<_> = containers
            .iter()
            .map(|name| json!({"name": name}))
            .collect();
        serde_json::from_value(json!({"spec": {"containers": containers}, "status": status}))
            .unwrap()
    }

    fn ready(names: &[&str]) -> Pod {
        let statuses: Vec<_> = names
            .iter()
            .map(|name| json!({"name": name, "ready": true, "state": {"running": {}}}))
            .collect();
        pod(
            json!({"phase": "Running", "containerStatuses": statuses}),
            names,
        )
    }

    fn waiting(reason: &str, names: &[&str]) -> Pod {
        let statuses: Vec<_> = names
            .iter()
            .map(|name| json!({"name": name, "ready": false, "state": {"waiting": {"reason": reason}}}))
            .collect();
        pod(
            json!({"phase": "Pending", "containerStatuses": statuses}),
            names,
        )
    }

    fn terminating(mut pod: Pod) -> Pod {
        pod.metadata.deletion_timestamp = Some("2026-11-23T06:50:31Z".to_owned());
        pod
    }

    fn unschedulable() -> Pod {
        let message = "0/4 nodes are available: 4 Insufficient sambanova.ai/rdu. preemption: 0/4 nodes are available.";
        pod(
            json!({"phase": "Pending", "conditions":
                [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}),
            &["inf", "proxy"],
        )
    }

    #[test]
    fn pods_that_have_ended_count_for_nothing_once_others_have_their_places() {
        use DeploymentState::*;
        let evicted = || {
            pod(
                json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
                &["inf"],
            )
        };
        let cache = ("inf-d-cache-0", ready(&["cache"]));
        let main = ("inf-d-q-default-n-7d9f8c6b5-aaaaa", ready(&["inf"]));
        let old = |name| (name, evicted());
        let leftovers = [
            old("inf-d-q-default-n-7d9f8c6b5-bbbbb"),
            old("inf-d-q-default-n-7d9f8c6b5-ccccc"),
        ];
        check_state(
            &[&[cache.clone(), main][..], &leftovers].concat(),
            Deployed,
            "",
        );
        let starting = (
            "inf-d-q-default-n-7d9f8c6b5-aaaaa",
            waiting("ContainerCreating", &["inf"]),
        );
        check_state(
            &[&[cache.clone(), starting][..], &leftovers].concat(),
            Deploying,
            "default pod 0/1: ContainerCreating",
        );
        check_state(
            &[&[cache][..], &leftovers[..1]].concat(),
            Deploying,
            "default pod: Evicted: low on memory",
        );
    }

    #[track_caller]
    fn check_state(pods: &[(&str, Pod)], expected: DeploymentState, reason: &str) {
        let groups: Vec<Group> =
            serde_json::from_value(json!([{"name": "default", "minReplicas": 1}])).unwrap();
        let mut matcher = Matcher::new([("d", groups.as_slice())]);
        let owned: Vec<_> = pods
            .iter()
            .map(|(name, pod)| OwnedPod::new(pod, &matcher.owners(name)[0]))
            .collect();
        assert_eq!(
            state(&Meta::default(), &groups, &owned),
            (expected, reason.to_owned())
        );
    }

    #[test]
    fn states_are_read_off_the_pods() {
        use DeploymentState::*;
        const C: &str = "inf-d-cache-0";
        const D: &str = "inf-d-q-default-n-0";
        let cache = || ready(&["cache"]);
        let main = || ready(&["inf", "proxy"]);
        check_state(&[], NotDeployed, "no pods");
        check_state(&[(C, cache()), (D, main())], Deployed, "");
        check_state(&[(C, cache())], Deploying, "no default pod yet");
        check_state(&[(D, main())], Deploying, "no cache pod yet");
        check_state(
            &[(C, waiting("ImagePullBackOff", &["cache"])), (D, main())],
            Deploying,
            "cache pod 0/1: ImagePullBackOff",
        );
        check_state(
            &[(C, cache()), (D, unschedulable())],
            Deploying,
            "default pod: unschedulable: 0/4 nodes are available: 4 Insufficient sambanova.ai/rdu",
        );
        check_state(
            &[
                (C, cache()),
                (D, waiting("PodInitializing", &["inf", "proxy"])),
            ],
            Deploying,
            "default pod 0/2: PodInitializing",
        );
        check_state(
            &[(C, cache()), (D, terminating(main()))],
            Deploying,
            "default pod: Terminating",
        );
        check_state(
            &[(C, terminating(cache())), (D, terminating(main()))],
            Terminating,
            "its pods are being deleted",
        );
    }

    #[test]
    fn one_ready_pod_of_a_group_is_enough_and_the_others_are_told() {
        use DeploymentState::*;
        let broken = || waiting("ImagePullBackOff", &["inf", "proxy"]);
        let main = || ready(&["inf", "proxy"]);
        let cache = ("inf-d-cache-0", ready(&["cache"]));
        check_state(
            &[
                cache.clone(),
                ("inf-d-q-default-n-0", main()),
                ("inf-d-q-default-n-1", broken()),
            ],
            Deployed,
            "1 of 2 default pods ready: default pod …-1 0/2: ImagePullBackOff",
        );
        check_state(
            &[
                cache.clone(),
                ("inf-d-q-default-n-0", main()),
                ("inf-d-q-fast-n-0", broken()),
            ],
            Deploying,
            "fast pod 0/2: ImagePullBackOff",
        );
        check_state(
            &[cache, ("inf-d-q-fast-n-0", main())],
            Deployed,
            "no default pod yet",
        );
        check_state(
            &[
                ("inf-d-cache-0", ready(&["cache"])),
                ("inf-d-cache-1", waiting("ErrImagePull", &["cache"])),
                ("inf-d-q-default-n-0", main()),
            ],
            Deploying,
            "cache pod …-1 0/1: ErrImagePull",
        );
    }
}
