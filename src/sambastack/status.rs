//! A pod's status: kubectl's READY and STATUS columns, and why the pod is not ready.

mod containers;

pub use self::containers::details;
use crate::domain::deployment::Hold;

use jiff::Timestamp;

use super::resources::{Container, ContainerStatus, Pod, PodStatus, StatusCondition};

/// The columns of `kubectl get pods`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Containers that are ready, the left half of READY.
    pub ready: u32,
    /// Containers that should be ready, the right half of READY.
    pub containers: u32,
    /// STATUS, e.g. `Init:0/2`.
    pub status: String,
    /// RESTARTS.
    pub restarts: u32,
}

/// The node controller's reason for a pod whose node is not reporting.
const NODE_LOST: &str = "NodeLost";

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a StatusCondition> {
    status
        .conditions
        .iter()
        .find(|condition| condition.kind == kind)
}

/// Computes the columns like kubectl (`printPod` in Kubernetes).
pub fn columns(pod: &Pod) -> Columns {
    let status = &pod.status;
    let sidecar = |name: &str| {
        pod.spec
            .init_containers
            .iter()
            .any(|it| it.name == name && is_sidecar(it))
    };
    let mut columns = Columns {
        ready: 0,
        // Where the specification cannot be read, the statuses still count the containers.
        containers: count(
            pod.spec
                .containers
                .len()
                .max(status.container_statuses.len())
                + pod
                    .spec
                    .init_containers
                    .iter()
                    .filter(|it| is_sidecar(it))
                    .count(),
        ),
        status: if status.reason.is_empty() {
            status.phase.clone()
        } else {
            status.reason.clone()
        },
        restarts: 0,
    };
    let is_gated =
        |it: &StatusCondition| it.kind == "PodScheduled" && it.reason == "SchedulingGated";
    if status.conditions.iter().any(is_gated) {
        columns.status = "SchedulingGated".to_owned();
    }
    let (mut initializing, mut of_sidecars) = (false, 0);
    for (i, init) in status.init_container_statuses.iter().enumerate() {
        columns.restarts = columns.restarts.saturating_add(init.restart_count);
        let is_sidecar = sidecar(&init.name);
        if is_sidecar {
            of_sidecars = init.restart_count.saturating_add(of_sidecars);
        }
        match (&init.state.terminated, &init.state.waiting) {
            (Some(ended), _) if ended.exit_code == 0 => continue,
            _ if is_sidecar && init.started => {
                columns.ready += u32::from(init.ready);
                continue;
            }
            (Some(ended), _) => {
                columns.status = format!(
                    "Init:{}",
                    ended_word(&ended.reason, ended.signal, ended.exit_code)
                )
            }
            (None, Some(waiting)) if !matches!(waiting.reason.as_str(), "" | "PodInitializing") => {
                columns.status = format!("Init:{}", waiting.reason);
            }
            _ => columns.status = format!("Init:{i}/{}", pod.spec.init_containers.len()),
        }
        initializing = true;
        break;
    }
    if !initializing || condition(status, "Initialized").is_some_and(|it| it.status == "True") {
        columns.restarts = of_sidecars;
        working_containers(pod, &mut columns);
    }
    if pod.metadata.is_terminating() {
        if status.reason == NODE_LOST {
            columns.status = "Unknown".to_owned();
        } else if !matches!(status.phase.as_str(), "Failed" | "Succeeded") {
            columns.status = "Terminating".to_owned();
        }
    }
    columns
}

fn working_containers(pod: &Pod, columns: &mut Columns) {
    let mut runs = false;
    for container in pod.status.container_statuses.iter().rev() {
        columns.restarts = columns.restarts.saturating_add(container.restart_count);
        match (&container.state.waiting, &container.state.terminated) {
            (Some(waiting), _) if !waiting.reason.is_empty() => {
                columns.status = waiting.reason.clone()
            }
            (_, Some(ended)) => {
                columns.status = ended_word(&ended.reason, ended.signal, ended.exit_code)
            }
            _ if container.ready && container.state.running.is_some() => {
                runs = true;
                columns.ready += 1;
            }
            _ => {}
        }
    }
    if columns.status == "Completed" && runs {
        let is_ready = condition(&pod.status, "Ready").is_some_and(|it| it.status == "True");
        columns.status = if is_ready { "Running" } else { "NotReady" }.to_owned();
    }
}

fn ended_word(reason: &str, signal: i64, exit_code: i64) -> String {
    match (reason, signal) {
        ("", 0) => format!("ExitCode:{exit_code}"),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Why a pod is not ready, as a kind and in words; `None` if it is ready.
///
/// It is ready when it is Running, all its containers are ready and its `Ready` condition, where it has one, is `True`.
pub fn trouble(pod: &Pod) -> Option<(Hold, String)> {
    let status = &pod.status;
    if pod.metadata.is_terminating() {
        return Some(match status.reason == NODE_LOST {
            true => (
                Hold::NodeSilent(status.message.clone()),
                with_words(
                    "Terminating, but its node is not reporting (NodeLost)",
                    &status.message,
                ),
            ),
            false => (Hold::Leaving, "Terminating".to_owned()),
        });
    }
    match status.phase.as_str() {
        "Succeeded" => return Some((Hold::Completed, "Completed".to_owned())),
        "Failed" if !status.reason.is_empty() => return Some(rejected(status)),
        _ => {}
    }
    let Columns {
        ready, containers, ..
    } = columns(pod);
    if status.phase == "Running" && containers > 0 && ready >= containers {
        return match unready(pod) {
            Some(unready) => Some(unready),
            None => unreadable(pod),
        };
    }
    if let Some(scheduled) = condition(status, "PodScheduled").filter(|it| it.status == "False") {
        return Some(unscheduled(pod, scheduled));
    }
    if status.reason == NODE_LOST || status.phase == "Unknown" {
        let words = "its node is not reporting";
        return Some((
            Hold::NodeSilent(status.message.clone()),
            with_words(words, &status.message),
        ));
    }
    if !status.reason.is_empty() {
        return Some(rejected(status));
    }
    if !has_failed_container(status)
        && let Some(unreadable) = unreadable(pod)
    {
        return Some(unreadable);
    }
    Some((Hold::Containers, containers_words(pod)))
}

/// Whether a container has a problem that does not go away by itself, so that more need not be known.
fn has_failed_container(status: &PodStatus) -> bool {
    let all = status
        .container_statuses
        .iter()
        .chain(&status.init_container_statuses);
    all.filter(|container| !container.ready)
        .any(|container| match &container.state.terminated {
            Some(ended) => ended.exit_code != 0,
            None => one_trouble(container).0 == 0,
        })
}

/// A field of the status that decides whether the pod is ready and that cannot be read.
fn unreadable(pod: &Pod) -> Option<(Hold, String)> {
    let ready_is_known =
        condition(&pod.status, "Ready").is_some_and(|ready| !ready.status.is_empty());
    let decides = |remark: &&String| {
        let path = remark.split([' ', ':']).next().unwrap_or_default();
        let Some(field) = path.strip_prefix("status") else {
            return false;
        };
        let field = field.trim_start_matches('.');
        let (name, rest) = field.split_once(['[', '.']).unwrap_or((field, ""));
        match name {
            "" | "phase" | "reason" => true,
            "conditions" => !ready_is_known,
            "containerStatuses" | "initContainerStatuses" => {
                let of_one = rest.split_once("].").map_or("", |(_, field)| field);
                matches!(
                    of_one,
                    "" | "ready"
                        | "started"
                        | "state"
                        | "state.waiting"
                        | "state.running"
                        | "state.terminated"
                        | "state.waiting.reason"
                )
            }
            _ => false,
        }
    };
    let remark = pod.metadata.unreadable.iter().find(decides)?;
    let words = format!("it is unknown whether it is ready: {remark}");
    Some((Hold::Unreadable(remark.clone()), words))
}

fn rejected(status: &PodStatus) -> (Hold, String) {
    let (reason, message) = (status.reason.clone(), status.message.trim().to_owned());
    let words = with_words(&reason, &message);
    (Hold::Rejected { reason, message }, words)
}

fn unscheduled(pod: &Pod, scheduled: &StatusCondition) -> (Hold, String) {
    if scheduled.reason == "SchedulingGated" {
        let gates: Vec<String> = pod
            .spec
            .scheduling_gates
            .iter()
            .map(|gate| gate.name.clone())
            .collect();
        let words = if gates.is_empty() {
            String::new()
        } else {
            format!(" by {}", gates.join(", "))
        };
        return (
            Hold::Gated(gates),
            format!("SchedulingGated: held back from the scheduler{words}"),
        );
    }
    let why = scheduler_words(&scheduled.message).to_owned();
    if scheduled.reason == "SchedulerError" {
        let words = with_words("the scheduler failed", &why);
        return (Hold::SchedulerFailed(why), words);
    }
    let words = with_words("unschedulable", &why);
    (Hold::Unschedulable(why), words)
}

/// Why a pod whose containers are all ready is not ready itself.
fn unready(pod: &Pod) -> Option<(Hold, String)> {
    let status = &pod.status;
    if status.reason == NODE_LOST {
        return Some((
            Hold::NodeSilent(status.message.clone()),
            with_words("its node is not reporting (NodeLost)", &status.message),
        ));
    }
    // The containers' own statuses are newer than this condition. One without a status could not be read.
    let ready = condition(status, "Ready").filter(|it| {
        !matches!(it.status.as_str(), "True" | "") && it.reason != "ContainersNotReady"
    })?;
    let is_true = |kind: &str| condition(status, kind).is_some_and(|it| it.status == "True");
    let unmet: Vec<String> = pod
        .spec
        .readiness_gates
        .iter()
        .filter(|gate| !is_true(&gate.condition_type))
        .map(|gate| gate.condition_type.clone())
        .collect();
    if ready.reason == "ReadinessGatesNotReady" || !unmet.is_empty() {
        let words = if ready.message.is_empty() {
            format!("readiness gate {} is not met", unmet.join(", "))
        } else {
            ready.message.trim().trim_end_matches('.').to_owned()
        };
        return Some((Hold::ReadinessGate(unmet), format!("not ready: {words}")));
    }
    // The node controller sets the condition to false without a reason.
    if ready.reason.is_empty() || ready.status == "Unknown" {
        return Some((
            Hold::NodeSilent(status.message.clone()),
            with_words("its node is not reporting (NodeNotReady)", &status.message),
        ));
    }
    Some((
        Hold::Unready,
        with_words(&format!("not ready: {}", ready.reason), &ready.message),
    ))
}

fn containers_words(pod: &Pod) -> String {
    let status = &pod.status;
    let sidecar = |name: &str| {
        pod.spec
            .init_containers
            .iter()
            .any(|it| it.name == name && is_sidecar(it))
    };
    let is_done = |init: &&ContainerStatus| match &init.state.terminated {
        Some(terminated) => terminated.exit_code == 0,
        None => init.ready || (sidecar(&init.name) && init.state.running.is_some()),
    };
    if let Some(init) = status
        .init_container_statuses
        .iter()
        .find(|init| !is_done(init))
    {
        return init_trouble(init);
    }
    container_trouble(&status.container_statuses).unwrap_or_else(|| match status.phase.as_str() {
        "" => "its state is not known yet".to_owned(),
        "Running" => "not all containers are ready".to_owned(),
        phase => phase.to_owned(),
    })
}

/// The scheduler's message without its part about preemption, which the user cannot act on.
fn scheduler_words(message: &str) -> &str {
    let end = message.find(" preemption:").unwrap_or(message.len());
    message[..end].trim().trim_end_matches('.')
}

fn with_words(reason: &str, message: &str) -> String {
    let message = message.trim().trim_end_matches('.');
    if message.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason}: {message}")
    }
}

fn init_trouble(init: &ContainerStatus) -> String {
    let name = &init.name;
    if let Some(terminated) = &init.state.terminated {
        return format!(
            "init container {name} failed ({})",
            how_it_ended(&terminated.reason, terminated.exit_code)
        );
    }
    match waiting_reason(init) {
        Some("PodInitializing") | None if init.state.running.is_some() => {
            format!("PodInitializing: init container {name} is running")
        }
        Some("PodInitializing") | None => "PodInitializing".to_owned(),
        Some(reason) => format!("init container {name}: {}", with_restarts(reason, init)),
    }
}

fn waiting_reason(container: &ContainerStatus) -> Option<&str> {
    let waiting = container.state.waiting.as_ref()?;
    (!waiting.reason.is_empty()).then_some(waiting.reason.as_str())
}

/// The most serious problem of the containers: problems that do not go away by themselves come first.
fn container_trouble(containers: &[ContainerStatus]) -> Option<String> {
    let mut troubles: Vec<(u8, String, &ContainerStatus)> = containers
        .iter()
        .filter(|container| !container.ready)
        .map(|container| {
            let (rank, words) = one_trouble(container);
            (rank, words, container)
        })
        .collect();
    troubles.sort_by_key(|(rank, ..)| *rank);
    let same = troubles.len() == containers.len()
        && troubles
            .windows(2)
            .all(|pair| matches!(pair, [(_, a, _), (_, b, _)] if a == b));
    let (rank, words, container) = troubles.first()?;
    Some(match rank {
        // This sentence already contains the name.
        3 => format!("container {} is not ready yet", container.name),
        _ if same => words.clone(),
        _ => format!("container {}: {words}", container.name),
    })
}

fn one_trouble(container: &ContainerStatus) -> (u8, String) {
    if let Some(terminated) = &container.state.terminated {
        return (
            1,
            format!(
                "ended ({})",
                how_it_ended(&terminated.reason, terminated.exit_code)
            ),
        );
    }
    match waiting_reason(container) {
        Some(reason @ ("ContainerCreating" | "PodInitializing")) => (2, reason.to_owned()),
        Some(reason) => (0, with_restarts(reason, container)),
        None if container.state.running.is_some() => (3, "not ready yet".to_owned()),
        None => (2, "waiting".to_owned()),
    }
}

fn with_restarts(reason: &str, container: &ContainerStatus) -> String {
    let mut notes = Vec::new();
    match container.restart_count {
        0 => {}
        1 => notes.push("1 restart".to_owned()),
        n => notes.push(format!("{n} restarts")),
    }
    if let Some(last) = &container.last_state.terminated {
        notes.push(format!(
            "last {}",
            how_it_ended(&last.reason, last.exit_code)
        ));
    }
    if notes.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason} ({})", notes.join(", "))
    }
}

fn how_it_ended(reason: &str, exit_code: i64) -> String {
    match reason {
        "" | "Error" | "Completed" => format!("exit code {exit_code}"),
        reason => reason.to_owned(),
    }
}

/// Parses a timestamp as Kubernetes writes it.
pub(super) fn moment(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

#[cfg(test)]
mod tests;
