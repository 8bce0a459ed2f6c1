//! How a pod is: kubectl's READY and STATUS columns, and why the pod is not ready.

use crate::domain::deployment::{ContainerBrief, Hold};

use super::pods::moment;
use super::resources::{Condition, Container, ContainerStatus, Pod, PodStatus, StartupProbe};

/// What `kubectl get pods` shows of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Containers that are ready, the left half of READY.
    pub ready: u32,
    /// Containers that should be, the right half of READY.
    pub containers: u32,
    /// STATUS, e.g. `Init:0/2`.
    pub status: String,
    /// RESTARTS.
    pub restarts: u32,
}

/// What the node controller writes into a pod whose node does not report.
const NODE_LOST: &str = "NodeLost";

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a Condition> {
    status
        .conditions
        .iter()
        .find(|condition| condition.kind == kind)
}

/// As kubectl prints the columns (`printPod` in Kubernetes).
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
        // A pod whose specification cannot be read still has its statuses.
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
    let is_gated = |it: &Condition| it.kind == "PodScheduled" && it.reason == "SchedulingGated";
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

/// Why a pod is not ready, by kind and in words; `None` when it is ready.
///
/// It is ready when it is Running, all its containers are ready and its `Ready` condition, where it has one, is `True`.
pub fn trouble(pod: &Pod) -> Option<(Hold, String)> {
    let status = &pod.status;
    if pod.metadata.is_terminating() {
        return Some(match status.reason == NODE_LOST {
            true => (
                Hold::NodeSilent(status.message.clone()),
                with_words(
                    "Terminating, but its node does not report (NodeLost)",
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
        return unready(pod);
    }
    if let Some(scheduled) = condition(status, "PodScheduled").filter(|it| it.status == "False") {
        return Some(unscheduled(pod, scheduled));
    }
    if status.reason == NODE_LOST || status.phase == "Unknown" {
        let words = "its node does not report";
        return Some((
            Hold::NodeSilent(status.message.clone()),
            with_words(words, &status.message),
        ));
    }
    if !status.reason.is_empty() {
        return Some(rejected(status));
    }
    Some((Hold::Containers, containers_words(pod)))
}

fn rejected(status: &PodStatus) -> (Hold, String) {
    let (reason, message) = (status.reason.clone(), status.message.trim().to_owned());
    let words = with_words(&reason, &message);
    (Hold::Rejected { reason, message }, words)
}

fn unscheduled(pod: &Pod, scheduled: &Condition) -> (Hold, String) {
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
    let words = with_words("unschedulable", &why);
    (Hold::Unschedulable(why), words)
}

/// All containers are ready: what the pod's own condition says.
fn unready(pod: &Pod) -> Option<(Hold, String)> {
    let status = &pod.status;
    // Of containers that are not ready nothing is newer than what they say themselves.
    let ready = condition(status, "Ready")
        .filter(|it| it.status != "True" && it.reason != "ContainersNotReady")?;
    let is_true = |kind: &str| condition(status, kind).is_some_and(|it| it.status == "True");
    let unmet: Vec<String> = pod
        .spec
        .readiness_gates
        .iter()
        .filter(|gate| !is_true(&gate.condition_type))
        .map(|gate| gate.condition_type.clone())
        .collect();
    if status.reason != NODE_LOST && (ready.reason == "ReadinessGatesNotReady" || !unmet.is_empty())
    {
        let words = if ready.message.is_empty() {
            format!("readiness gate {} is not met", unmet.join(", "))
        } else {
            ready.message.trim().trim_end_matches('.').to_owned()
        };
        return Some((Hold::ReadinessGate(unmet), format!("not ready: {words}")));
    }
    // The node controller takes the condition back and says no reason.
    if status.reason == NODE_LOST || ready.reason.is_empty() || ready.status == "Unknown" {
        let words = if status.reason == NODE_LOST {
            NODE_LOST
        } else {
            "NodeNotReady"
        };
        let words = format!("its node does not report ({words})");
        return Some((
            Hold::NodeSilent(status.message.clone()),
            with_words(&words, &status.message),
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

/// The scheduler's message without the part about preemption, which no reader of Batida can act on.
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

/// The worst of the containers' troubles: what will not pass by itself first.
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
        // Says the name in its own words.
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

/// Each container as it is wanted with how it is.
pub fn details(pod: &Pod) -> Vec<ContainerBrief> {
    let detail = |wanted: &Container, statuses: &[ContainerStatus], init: bool| {
        let status = statuses.iter().find(|status| status.name == wanted.name);
        container(wanted, status, init)
    };
    let inits = pod
        .spec
        .init_containers
        .iter()
        .map(|it| detail(it, &pod.status.init_container_statuses, true));
    inits
        .chain(
            pod.spec
                .containers
                .iter()
                .map(|it| detail(it, &pod.status.container_statuses, false)),
        )
        .collect()
}

fn container(wanted: &Container, status: Option<&ContainerStatus>, init: bool) -> ContainerBrief {
    let brief = ContainerBrief {
        name: wanted.name.clone(),
        init,
        startup_seconds: wanted.startup_probe.map(StartupProbe::allows),
        ..ContainerBrief::default()
    };
    let Some(ContainerStatus {
        ready,
        restart_count,
        state,
        last_state,
        ..
    }) = status
    else {
        return brief;
    };
    let (reason, message) = match (&state.waiting, &state.terminated) {
        (Some(waiting), _) => (waiting.reason.clone(), waiting.message.clone()),
        (None, Some(ended)) => (
            format!("ended ({})", how_it_ended(&ended.reason, ended.exit_code)),
            ended.message.clone(),
        ),
        (None, None) => Default::default(),
    };
    let last = last_state.terminated.as_ref();
    let ran = last.and_then(|last| {
        let (from, to) = (
            moment(last.started_at.as_deref())?,
            moment(last.finished_at.as_deref())?,
        );
        u64::try_from(to.duration_since(from).as_secs()).ok()
    });
    let failed = state
        .terminated
        .as_ref()
        .is_some_and(|ended| ended.exit_code != 0);
    // What prepares is done with once it has ended well; a sidecar goes on beside the others.
    let prepared = init && state.terminated.is_some() && !failed;
    let beside = init
        && is_sidecar(wanted)
        && status.is_some_and(|it| it.started)
        && state.running.is_some();
    ContainerBrief {
        ready: *ready || prepared || beside,
        failed,
        restarts: *restart_count,
        started: moment(
            state
                .running
                .as_ref()
                .and_then(|running| running.started_at.as_deref()),
        ),
        reason,
        message: message.trim().to_owned(),
        last: last.map(|last| how_it_ended(&last.reason, last.exit_code)),
        last_at: last.and_then(|last| moment(last.finished_at.as_deref())),
        last_ran_seconds: ran,
        last_words: last
            .map(|last| last.message.trim().to_owned())
            .unwrap_or_default(),
        ..brief
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sambastack::read::{parse_list, read};

    fn pod(status: Value, containers: &[&str]) -> Pod {
        let containers: Vec<_> = containers
            .iter()
            .map(|name| json!({"name": name}))
            .collect();
        read(&json!({"spec": {"containers": containers}, "status": status}).to_string())
    }

    #[test]
    fn the_columns_are_those_that_a_real_server_printed() {
        let table: Value =
            serde_json::from_slice(include_bytes!("../../tests/fixtures/k8s/pods-table.json"))
                .unwrap();
        let pods: Vec<Pod> =
            parse_list(include_bytes!("../../tests/fixtures/k8s/pods.json")).unwrap();
        let cell = |row: &Value, i: usize| match &row["cells"][i] {
            Value::String(text) => text.split(' ').next().unwrap_or_default().to_owned(),
            other => other.to_string(),
        };
        let rows = table["rows"].as_array().unwrap();
        assert!(rows.len() > 10);
        for row in rows {
            let name = cell(row, 0);
            let pod = pods.iter().find(|pod| pod.metadata.name == name).unwrap();
            let Columns {
                ready,
                containers,
                status,
                restarts,
            } = columns(pod);
            let ours = [
                format!("{ready}/{containers}"),
                status,
                restarts.to_string(),
            ];
            assert_eq!(ours, [cell(row, 1), cell(row, 2), cell(row, 3)], "{name}");
        }
    }

    /// READY, STATUS and RESTARTS, by the cases of Kubernetes' own tests of `printPod`.
    #[test]
    fn the_columns_follow_kubectl_in_every_state() {
        let run = |ready: bool, restarts: u32| json!({"ready": ready, "restartCount": restarts, "state": {"running": {}}});
        let wait =
            |reason: &str| json!({"restartCount": 3, "state": {"waiting": {"reason": reason}}});
        let end = |code: i64, reason: &str, signal: i64| json!({"restartCount": 3, "state": {"terminated": {"exitCode": code, "reason": reason, "signal": signal}}});
        let named = |statuses: &[Value], stem: &str| -> Vec<Value> {
            let name = |(i, status): (usize, &Value)| {
                let mut status = status.clone();
                status["name"] = format!("{stem}{i}").into();
                status
            };
            statuses.iter().enumerate().map(name).collect()
        };
        let check = |status: Value,
                     inits: &[Value],
                     sidecars: &[usize],
                     mains: &[Value],
                     deleted: bool,
                     expected: (&str, &str, u32)| {
            let init = |i: usize| match sidecars.contains(&i) {
                true => json!({"name": format!("init{i}"), "restartPolicy": "Always"}),
                false => json!({"name": format!("init{i}")}),
            };
            let mut object = json!({"metadata": {}, "status": status, "spec": {
                "initContainers": (0..inits.len()).map(init).collect::<Vec<_>>(),
                "containers": (0..2).map(|i| json!({"name": format!("main{i}")})).collect::<Vec<_>>()}});
            object["status"]["initContainerStatuses"] = named(inits, "init").into();
            object["status"]["containerStatuses"] = named(mains, "main").into();
            if deleted {
                object["metadata"]["deletionTimestamp"] = "2026-11-23T06:50:31Z".into();
            }
            let Columns {
                ready,
                containers,
                status,
                restarts,
            } = columns(&read(&object.to_string()));
            assert_eq!(
                (
                    format!("{ready}/{containers}").as_str(),
                    status.as_str(),
                    restarts
                ),
                expected
            );
        };
        let running = || json!({"phase": "Running"});
        let pending = || json!({"phase": "Pending"});
        let (up, done) = (run(true, 2), end(0, "Completed", 0));
        check(
            running(),
            &[],
            &[],
            &[up.clone(), up.clone()],
            false,
            ("2/2", "Running", 4),
        );
        check(
            running(),
            &[],
            &[],
            &[up.clone(), wait("CrashLoopBackOff")],
            false,
            ("1/2", "CrashLoopBackOff", 5),
        );
        check(
            running(),
            &[],
            &[],
            &[up.clone(), run(false, 0)],
            false,
            ("1/2", "Running", 2),
        );
        check(
            running(),
            &[],
            &[],
            &[up.clone(), end(137, "OOMKilled", 0)],
            false,
            ("1/2", "OOMKilled", 5),
        );
        check(
            running(),
            &[],
            &[],
            &[end(1, "", 0), run(false, 0)],
            false,
            ("0/2", "ExitCode:1", 3),
        );
        check(
            running(),
            &[],
            &[],
            &[end(137, "", 9), up.clone()],
            false,
            ("1/2", "Signal:9", 5),
        );
        check(
            json!({"phase": "Failed", "reason": "Evicted"}),
            &[],
            &[],
            &[],
            false,
            ("0/2", "Evicted", 0),
        );
        check(
            json!({"phase": "Succeeded"}),
            &[],
            &[],
            &[done.clone(), done.clone()],
            false,
            ("0/2", "Completed", 6),
        );
        let ready =
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        check(
            ready,
            &[],
            &[],
            &[done.clone(), up.clone()],
            false,
            ("1/2", "Running", 5),
        );
        check(
            running(),
            &[],
            &[],
            &[done.clone(), up.clone()],
            false,
            ("1/2", "NotReady", 5),
        );
        check(
            pending(),
            &[wait("PodInitializing"), wait("PodInitializing")],
            &[],
            &[],
            false,
            ("0/2", "Init:0/2", 3),
        );
        check(
            pending(),
            &[done.clone(), run(false, 0)],
            &[],
            &[wait("PodInitializing")],
            false,
            ("0/2", "Init:1/2", 3),
        );
        check(
            pending(),
            &[wait("ErrImagePull"), wait("PodInitializing")],
            &[],
            &[],
            false,
            ("0/2", "Init:ErrImagePull", 3),
        );
        check(
            pending(),
            &[end(2, "Error", 0)],
            &[],
            &[],
            false,
            ("0/2", "Init:Error", 3),
        );
        check(
            pending(),
            &[end(2, "", 0)],
            &[],
            &[],
            false,
            ("0/2", "Init:ExitCode:2", 3),
        );
        check(
            pending(),
            &[end(2, "", 9)],
            &[],
            &[],
            false,
            ("0/2", "Init:Signal:9", 3),
        );
        let sidecar =
            json!({"ready": true, "started": true, "restartCount": 1, "state": {"running": {}}});
        check(
            running(),
            &[sidecar],
            &[0],
            &[up.clone(), up.clone()],
            false,
            ("3/3", "Running", 5),
        );
        let gated = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]});
        check(gated, &[], &[], &[], false, ("0/2", "SchedulingGated", 0));
        check(
            running(),
            &[],
            &[],
            &[up.clone(), up.clone()],
            true,
            ("2/2", "Terminating", 4),
        );
        check(
            json!({"phase": "Failed"}),
            &[],
            &[],
            &[],
            true,
            ("0/2", "Failed", 0),
        );
        check(
            json!({"phase": "Running", "reason": "NodeLost"}),
            &[],
            &[],
            &[up.clone(), up.clone()],
            true,
            ("2/2", "Unknown", 4),
        );
        check(
            json!({"phase": "Running", "reason": "NodeLost"}),
            &[],
            &[],
            &[up.clone(), up],
            false,
            ("2/2", "NodeLost", 4),
        );
        check(
            json!({"phase": "Running", "reason": "Terminated"}),
            &[],
            &[],
            &[done],
            false,
            ("0/2", "Completed", 3),
        );
    }

    #[track_caller]
    fn check_trouble(status: serde_json::Value, expected: &str) {
        let found = trouble(&pod(status, &["inf", "proxy"]));
        assert_eq!(found.map(|(_, words)| words).as_deref(), Some(expected));
    }

    #[test]
    fn troubles_are_told_in_words() {
        let proxy = json!({"name": "proxy", "ready": true, "state": {"running": {}}});
        check_trouble(
            json!({"phase": "Running", "containerStatuses": [{"name": "inf", "ready": false, "restartCount": 7,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}}}, proxy]}),
            "container inf: CrashLoopBackOff (7 restarts)",
        );
        check_trouble(
            json!({"phase": "Running", "containerStatuses": [{"name": "inf", "ready": false, "restartCount": 1,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}, proxy]}),
            "container inf: CrashLoopBackOff (1 restart, last OOMKilled)",
        );
        check_trouble(
            json!({"phase": "Running", "containerStatuses":
                [{"name": "inf", "ready": false, "state": {"running": {"startedAt": "x"}}}, proxy]}),
            "container inf is not ready yet",
        );
        check_trouble(
            json!({"phase": "Running", "containerStatuses":
                [{"name": "inf", "ready": false, "state": {"terminated": {"reason": "Error", "exitCode": 2}}}, proxy]}),
            "container inf: ended (exit code 2)",
        );
        check_trouble(json!({"phase": "Pending"}), "Pending");
        check_trouble(
            json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}),
            "Evicted: The node was low on resource: memory",
        );
        let main = json!([{"name": "inf", "ready": false, "state": {"waiting": {"reason": "PodInitializing"}}}]);
        for (init, expected) in [
            (
                json!({"running": {}}),
                "PodInitializing: init container fetch is running",
            ),
            (
                json!({"waiting": {"reason": "PodInitializing"}}),
                "PodInitializing",
            ),
            (
                json!({"waiting": {"reason": "CrashLoopBackOff"}}),
                "init container fetch: CrashLoopBackOff (3 restarts)",
            ),
            (
                json!({"terminated": {"reason": "Error", "exitCode": 1}}),
                "init container fetch failed (exit code 1)",
            ),
            (
                json!({"terminated": {"reason": "Completed", "exitCode": 0}}),
                "PodInitializing",
            ),
        ] {
            check_trouble(
                json!({"phase": "Pending", "containerStatuses": main, "initContainerStatuses":
                    [{"name": "fetch", "restartCount": 3, "state": init}]}),
                expected,
            );
        }
        check_trouble(json!(null), "its state is not known yet");
        check_trouble(json!({"phase": "Unknown"}), "its node does not report");
    }

    #[test]
    fn sidecars_count_as_kubectl_counts_them() {
        let pod: Pod = serde_json::from_value(json!({
            "spec": {"containers": [{"name": "inf"}], "initContainers": [{"name": "log", "restartPolicy": "Always"}]},
            "status": {"phase": "Running",
                "containerStatuses": [{"name": "inf", "ready": true, "state": {"running": {}}}],
                "initContainerStatuses": [{"name": "log", "ready": false, "started": true, "state": {"running": {}}}]},
        }))
        .unwrap();
        let Columns {
            ready, containers, ..
        } = columns(&pod);
        assert_eq!((ready, containers), (1, 2));
        assert_eq!(
            trouble(&pod),
            Some((Hold::Containers, "not all containers are ready".to_owned()))
        );
    }
}
