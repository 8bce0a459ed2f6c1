//! Causes that a pod's own state tells.

use crate::domain::deployment::{
    ClusterEvent, ContainerBrief, Deployment, Diagnosis, Hold, PodBrief, Progress,
};
use crate::domain::units;

use super::{events, image, of, told};

/// What somebody has to mend in one of the pods.
pub(super) fn cause(deployment: &Deployment, events: &[&ClusterEvent]) -> Option<Diagnosis> {
    // The pods come in the order in which they matter: without a cache nothing else can start.
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

/// Whether only time is missing: its containers are being made, prepare, or run and are not ready yet.
pub(super) fn is_starting(pod: &PodBrief) -> bool {
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

/// Whether it has ended for good and another pod of its group has not.
pub(super) fn is_replaced(deployment: &Deployment, pod: &PodBrief) -> bool {
    pod.has_ended()
        && deployment
            .pods
            .iter()
            .any(|other| other.group == pod.group && !other.has_ended())
}

/// Whether its node does not report.
pub(super) fn is_silent(pod: &PodBrief) -> bool {
    matches!(pod.hold, Some(Hold::NodeSilent(_)))
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
        "Container {} in the {} pod cannot be made: {why}",
        container.name, pod.group
    );
    Some(told(sentence, &["describe", "pod", &pod.name]))
}

fn unschedulable(pod: &PodBrief, events: &[&ClusterEvent]) -> Option<Diagnosis> {
    let why = match &pod.hold {
        Some(Hold::Unschedulable(why)) => why,
        Some(Hold::Gated(gates)) => {
            let which = if gates.is_empty() {
                String::new()
            } else {
                format!(": {}", gates.join(", "))
            };
            let sentence = format!(
                "The {} pod is held back from the scheduler by a scheduling gate{which}; what has set the gate has to \
                 remove it",
                pod.group
            );
            return Some(told(
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
            let sentence = format!("The {} pod waits for a volume: {why}", pod.group);
            Some(told(sentence, &["get", "pvc"]))
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
        None if why.is_empty() => format!("No node can take the {} pod", pod.group),
        None => format!("No node can take the {} pod: {why}", pod.group),
    };
    Some(told(sentence, &["describe", "pod", &pod.name]))
}

/// A run that took this long has worked; Kubernetes forgets earlier crashes after the same time.
const WORKED_SECONDS: u64 = 600;

fn crash(pod: &PodBrief, events: &[&ClusterEvent]) -> Option<Diagnosis> {
    let crashes = |it: &&ContainerBrief| {
        let again = it.restarts > 0 && it.last.is_some();
        // What has worked for long and runs again is only starting.
        let over =
            it.started.is_some() && it.last_ran_seconds.is_some_and(|ran| ran >= WORKED_SECONDS);
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
        format!("its {probe} fails, so the node ends it ({how})")
    } else if container.last_words.is_empty() {
        format!("it ends with {how}")
    } else {
        let words = container
            .last_words
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        format!("it ends with {how}, its last words: {}", words.trim())
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
    Some(told(sentence, &["logs", &pod.name, "-c", name, previous]))
}

/// What the node, a gate or the pod's own end keeps from being ready.
fn held(pod: &PodBrief) -> Option<Diagnosis> {
    let PodBrief { name, group, .. } = pod;
    let describe = ["describe", "pod", name];
    Some(match pod.hold.as_ref()? {
        Hold::Rejected { reason, message } => rejected(pod, reason, message.trim_end_matches('.')),
        Hold::Completed => {
            let sentence = format!(
                "The {group} pod has ended by itself (Completed) and was not started again; it should run on"
            );
            match pod.details.iter().find(|container| !container.init) {
                Some(container) => told(
                    sentence,
                    &["logs", name, "-c", &container.name, "--tail=50"],
                ),
                None => told(sentence, &describe),
            }
        }
        Hold::NodeSilent(message) => {
            let words = if message.is_empty() {
                String::new()
            } else {
                format!(": {}", message.trim_end_matches('.'))
            };
            told(
                format!("The node of the {group} pod does not report{words}"),
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
                "The containers of the {group} pod are ready, but its readiness gate{which} is not met: what sets that \
                 condition has not"
            );
            told(
                sentence,
                &["get", "pod", name, "-o", "jsonpath={.status.conditions}"],
            )
        }
        Hold::Unready => {
            let trouble = pod.trouble.as_deref().unwrap_or_default();
            told(
                format!(
                    "The containers of the {group} pod are ready, but the pod is not: {trouble}"
                ),
                &describe,
            )
        }
        Hold::Leaving | Hold::Gated(_) | Hold::Unschedulable(_) | Hold::Containers => return None,
    })
}

/// The node refused the pod or has ended it; it stays as it is until its maker replaces it.
fn rejected(pod: &PodBrief, reason: &str, message: &str) -> Diagnosis {
    let PodBrief { name, group, .. } = pod;
    let words = if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    };
    let describe = ["describe", "pod", name];
    match reason {
        "Evicted" => told(
            format!("The node has evicted the {group} pod{words}"),
            &describe,
        ),
        "UnexpectedAdmissionError" => {
            let sentence =
                format!("The node refused the {group} pod (UnexpectedAdmissionError){words}");
            told(sentence, &describe)
        }
        "NodeAffinity" => {
            let sentence = format!(
                "The node refused the {group} pod (NodeAffinity): the node's labels do not match what the pod asks for, \
                 or do no longer"
            );
            told(
                sentence,
                &[
                    "get",
                    "pod",
                    name,
                    "-o",
                    "jsonpath={.spec.nodeName} {.spec.nodeSelector} {.spec.affinity}",
                ],
            )
        }
        "DeadlineExceeded" => {
            let sentence = format!(
                "The {group} pod was ended because it ran longer than it may (DeadlineExceeded, activeDeadlineSeconds)"
            );
            told(
                sentence,
                &[
                    "get",
                    "pod",
                    name,
                    "-o",
                    "jsonpath={.spec.activeDeadlineSeconds}",
                ],
            )
        }
        "Terminated" | "NodeShutdown" | "Shutdown" => {
            let what = if reason == "NodeShutdown" {
                "was refused by"
            } else {
                "was ended by"
            };
            told(
                format!("The {group} pod {what} its node, which shuts down{words}"),
                &["get", "nodes"],
            )
        }
        "Preempting" | "Preempted" => {
            let sentence = format!(
                "The {group} pod had to make room for a more important pod ({reason}){words}"
            );
            told(sentence, &describe)
        }
        reason if reason.starts_with("OutOf") => {
            let what = reason.trim_start_matches("OutOf");
            told(
                format!(
                    "The node had too little free {what} for the {group} pod ({reason}){words}"
                ),
                &describe,
            )
        }
        reason => told(
            format!("The node refused or ended the {group} pod ({reason}){words}"),
            &describe,
        ),
    }
}

/// Restarts that are over: worth knowing, and nothing to mend.
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
    Some(of(
        Progress::Remark,
        told(sentence, &["logs", &pod.name, "-c", name, "--previous"]),
    ))
}
