//! Causes that a pod's own status shows.

use crate::domain::deployment::{
    ClusterEvent, ContainerBrief, Deployment, Diagnosis, Hold, PodBrief, Progress,
};
use crate::domain::units;

use super::{events, image, needs_action, with_progress};

/// A problem of one of the pods that somebody must fix.
pub(super) fn cause(deployment: &Deployment, events: &[&ClusterEvent]) -> Option<Diagnosis> {
    // Cache pods come first: no other pod can start without them.
    let each = |look: &dyn Fn(&PodBrief) -> Option<Diagnosis>| {
        deployment
            .pods
            .iter()
            .filter(|pod| pod.trouble.is_some() && !is_replaced(deployment, pod))
            .find_map(look)
    };
    each(&|pod| image::cause(pod, events))
        .or_else(|| each(&configuration))
        .or_else(|| each(&|pod| unschedulable(pod, events)))
        .or_else(|| each(&|pod| crash(pod, events)))
        .or_else(|| each(&held))
        .or_else(|| each(&|pod| events::held_up(pod, events)))
}

/// Whether the pod only needs time: its containers are being created, are initializing, or run but are not ready
/// yet.
pub fn is_starting(pod: &PodBrief) -> bool {
    let starts = |it: &ContainerBrief| {
        it.started.is_some()
            || matches!(
                it.reason.as_str(),
                "" | "ContainerCreating" | "PodInitializing"
            )
    };
    let waits = |it: &ContainerBrief| it.ready || starts(it);
    pod.hold == Some(Hold::Containers) && pod.details.iter().all(waits)
}

/// Whether it is being deleted.
pub(super) fn is_leaving(pod: &PodBrief) -> bool {
    pod.hold == Some(Hold::Leaving)
}

/// Whether it has ended and another pod of its group has replaced it.
pub(super) fn is_replaced(deployment: &Deployment, pod: &PodBrief) -> bool {
    pod.has_ended()
        && deployment
            .pods
            .iter()
            .any(|other| other.group == pod.group && !other.has_ended())
}

/// Whether its node is not reporting.
pub(super) fn is_silent(pod: &PodBrief) -> bool {
    matches!(pod.hold, Some(Hold::NodeSilent(_)))
}

/// A pod of which nobody can say whether it is ready, since its status cannot be read.
pub(super) fn unreadable(deployment: &Deployment) -> Option<Diagnosis> {
    deployment.pods.iter().find_map(|pod| {
        let Some(Hold::Unreadable(remark)) = &pod.hold else {
            return None;
        };
        let sentence = format!(
            "It is unknown whether the {} pod is ready, since its status cannot be read: {remark}. A request may still \
             work",
            pod.group
        );
        let confirm = ["get", "pod", &pod.name, "-o", "jsonpath={.status}"];
        Some(with_progress(
            Progress::Remark,
            needs_action(sentence, &confirm),
        ))
    })
}

fn configuration(pod: &PodBrief) -> Option<Diagnosis> {
    const REASONS: [&str; 5] = [
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreCreateHookError",
        "PostStartHookError",
    ];
    let container = pod
        .details
        .iter()
        .find(|it| !it.ready && REASONS.contains(&it.reason.as_str()))?;
    let why = if container.message.is_empty() {
        &container.reason
    } else {
        &container.message
    };
    let sentence = format!(
        "Container {} in the {} pod cannot be created: {why}",
        container.name, pod.group
    );
    Some(needs_action(sentence, &["describe", "pod", &pod.name]))
}

fn unschedulable(pod: &PodBrief, events: &[&ClusterEvent]) -> Option<Diagnosis> {
    let why = match &pod.hold {
        Some(Hold::Unschedulable(why)) => why,
        Some(Hold::SchedulerFailed(why)) => {
            let words = if why.is_empty() {
                String::new()
            } else {
                format!(": {why}")
            };
            let sentence = format!("The scheduler failed to place the {} pod{words}", pod.group);
            return Some(needs_action(sentence, &["describe", "pod", &pod.name]));
        }
        Some(Hold::Gated(gates)) => {
            let which = if gates.is_empty() {
                String::new()
            } else {
                format!(": {}", gates.join(", "))
            };
            let sentence = format!(
                "A scheduling gate holds back the {} pod{which}. The controller that set the gate \
                 must remove it",
                pod.group
            );
            return Some(needs_action(
                sentence,
                &[
                    "get",
                    "pod",
                    &pod.name,
                    "-o",
                    "jsonpath={.spec.schedulingGates}",
                ],
            ));
        }
        _ => return None,
    };
    if why.contains("PersistentVolumeClaim") || why.contains("persistentvolumeclaim") {
        return events::claim(pod, events).or_else(|| {
            let sentence = format!("The {} pod is waiting for a volume: {why}", pod.group);
            Some(needs_action(sentence, &["get", "pvc"]))
        });
    }
    let lacks = why
        .split("Insufficient ")
        .nth(1)
        .and_then(|rest| rest.split([',', ' ']).next());
    let sentence = match lacks.map(|what| what.trim_end_matches('.')) {
        Some(what) => format!(
            "No node has enough free {what} for the {} pod: {why}",
            pod.group
        ),
        None if why.is_empty() => format!("No node can run the {} pod", pod.group),
        None => format!("No node can run the {} pod: {why}", pod.group),
    };
    Some(needs_action(sentence, &["describe", "pod", &pod.name]))
}

/// A container that ran this long, in seconds, had started successfully. Kubernetes resets its restart delay after
/// the same time.
const STABLE_RUN_SECONDS: u64 = 600;

fn crash(pod: &PodBrief, events: &[&ClusterEvent]) -> Option<Diagnosis> {
    let crashes = |it: &&ContainerBrief| {
        let again = it.restarts > 0 && it.last.is_some();
        // A container that worked for long and runs again is only starting.
        let over = it.started.is_some()
            && it
                .last_ran_seconds
                .is_some_and(|ran| ran >= STABLE_RUN_SECONDS);
        !it.ready && (it.reason == "CrashLoopBackOff" || it.failed || (again && !over))
    };
    let container = pod.details.iter().find(crashes)?;
    let ContainerBrief { name, restarts, .. } = container;
    let now = container
        .reason
        .trim_start_matches("ended (")
        .trim_end_matches(')');
    let how = container.last.as_deref().unwrap_or(now);
    let cause = if how.contains("OOMKilled") {
        "it needs more memory than its limit".to_owned()
    } else if let Some(probe) = events::killed_by_probe(pod, name, events) {
        format!("its {probe} fails, so the node stops it ({how})")
    } else if container.last_words.is_empty() {
        format!("it ends with {how}")
    } else {
        let words = container
            .last_words
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        format!("it ends with {how}; last output: {}", words.trim())
    };
    let times = match restarts {
        0 => String::new(),
        n => format!(" (restarted {})", units::counted(*n as usize, "time")),
    };
    let sentence = format!(
        "Container {name} in the {} pod crashes{times}: {cause}",
        pod.group
    );
    let previous = if container.failed {
        "--tail=50"
    } else {
        "--previous"
    };
    Some(needs_action(
        sentence,
        &["logs", &pod.name, "-c", name, previous],
    ))
}

/// Pods that are not ready because of their node, a readiness gate, or because they ended.
fn held(pod: &PodBrief) -> Option<Diagnosis> {
    let PodBrief { name, group, .. } = pod;
    let describe = ["describe", "pod", name];
    Some(match pod.hold.as_ref()? {
        Hold::Rejected { reason, message } => rejected(pod, reason, message.trim_end_matches('.')),
        Hold::Completed => {
            let sentence = format!(
                "The {group} pod exited by itself (Completed) and was not restarted. It should keep running"
            );
            match pod.details.iter().find(|container| !container.init) {
                Some(container) => needs_action(
                    sentence,
                    &["logs", name, "-c", &container.name, "--tail=50"],
                ),
                None => needs_action(sentence, &describe),
            }
        }
        Hold::NodeSilent(message) => {
            let words = if message.is_empty() {
                String::new()
            } else {
                format!(": {}", message.trim_end_matches('.'))
            };
            needs_action(
                format!("The node of the {group} pod is not reporting{words}"),
                &["get", "pod", name, "-o", "wide"],
            )
        }
        Hold::ReadinessGate(gates) => {
            let which = if gates.is_empty() {
                String::new()
            } else {
                format!(" {}", gates.join(", "))
            };
            let sentence = format!(
                "The containers of the {group} pod are ready, but its readiness gate{which} is not \
                 met: its controller has not set that condition"
            );
            needs_action(
                sentence,
                &["get", "pod", name, "-o", "jsonpath={.status.conditions}"],
            )
        }
        Hold::Unready => {
            let trouble = pod.trouble.as_deref().unwrap_or_default();
            needs_action(
                format!(
                    "The containers of the {group} pod are ready, but the pod is not: {trouble}"
                ),
                &describe,
            )
        }
        Hold::Leaving
        | Hold::Gated(_)
        | Hold::Unschedulable(_)
        | Hold::SchedulerFailed(_)
        | Hold::Containers
        | Hold::Unreadable(_) => return None,
    })
}

/// The node rejected or stopped the pod, which stays listed until its controller replaces it.
fn rejected(pod: &PodBrief, reason: &str, message: &str) -> Diagnosis {
    let PodBrief { name, group, .. } = pod;
    let words = if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    };
    let get = |path: &'static str| ["get", "pod", name, "-o", path];
    match reason {
        "NodeAffinity" => needs_action(
            format!(
                "The node rejected the {group} pod (NodeAffinity): the node's labels do not match, or no longer \
                 match, what the pod asks for"
            ),
            &get("jsonpath={.spec.nodeName} {.spec.nodeSelector} {.spec.affinity}"),
        ),
        "DeadlineExceeded" => needs_action(
            format!(
                "The {group} pod was stopped because it ran longer than allowed (DeadlineExceeded, \
                 activeDeadlineSeconds)"
            ),
            &get("jsonpath={.spec.activeDeadlineSeconds}"),
        ),
        "NodeShutdown" => needs_action(
            format!("The {group} pod was rejected by its node, which is shutting down{words}"),
            &["get", "nodes"],
        ),
        "Terminated" | "Shutdown" => needs_action(
            format!("The {group} pod was stopped by its node, which is shutting down{words}"),
            &["get", "nodes"],
        ),
        reason => needs_action(
            rejected_words(group, reason, &words),
            &["describe", "pod", name],
        ),
    }
}

/// Rejections that `kubectl describe pod` explains further.
fn rejected_words(group: &str, reason: &str, words: &str) -> String {
    match reason {
        "Evicted" => format!("The node evicted the {group} pod{words}"),
        "UnexpectedAdmissionError" => {
            format!("The node rejected the {group} pod ({reason}){words}")
        }
        "Preempting" | "Preempted" => format!(
            "The {group} pod was removed to make room for a higher-priority pod ({reason}){words}"
        ),
        reason => match reason.strip_prefix("OutOf") {
            Some(what) => {
                format!("The node had too little free {what} for the {group} pod ({reason}){words}")
            }
            None => format!("The node rejected or stopped the {group} pod ({reason}){words}"),
        },
    }
}

/// Past restarts: a note, because there is nothing to fix.
pub(super) fn restarted(deployment: &Deployment) -> Option<Diagnosis> {
    let all = deployment
        .pods
        .iter()
        .flat_map(|pod| pod.details.iter().map(move |it| (pod, it)));
    let (pod, container) = all
        .filter(|(_, it)| it.ready && it.restarts > 0)
        .max_by_key(|(_, it)| it.restarts)?;
    let ContainerBrief {
        name,
        restarts,
        last,
        last_at,
        ..
    } = container;
    let how = last
        .as_ref()
        .map(|last| format!(" with {last}"))
        .unwrap_or_default();
    let when = last_at
        .map(|at| format!(" at {}", units::moment(at)))
        .unwrap_or_default();
    let last = if how.is_empty() && when.is_empty() {
        String::new()
    } else {
        format!("; its last run ended{how}{when}")
    };
    let times = units::counted(*restarts as usize, "time");
    let sentence = format!(
        "Container {name} of the {} pod was restarted {times} and is ready now{last}",
        pod.group
    );
    Some(with_progress(
        Progress::Remark,
        needs_action(sentence, &["logs", &pod.name, "-c", name, "--previous"]),
    ))
}
