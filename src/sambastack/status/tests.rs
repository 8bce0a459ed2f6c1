//! Pods' statuses, and the columns and sentences that they give.

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
    let table: Value = serde_json::from_slice(include_bytes!(
        "../../../tests/fixtures/k8s/pods-table.json"
    ))
    .unwrap();
    let pods: Vec<Pod> =
        parse_list(include_bytes!("../../../tests/fixtures/k8s/pods.json")).unwrap();
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

/// A pod of two containers, `main0` and `main1`, with these statuses.
#[derive(Default)]
struct PodCase {
    status: Value,
    inits: Vec<Value>,
    /// Indices of the init containers that are sidecars.
    sidecars: &'static [usize],
    mains: Vec<Value>,
    deleted: bool,
}

fn phase(phase: &str) -> Value {
    json!({"phase": phase})
}

fn run(ready: bool, restarts: u32) -> Value {
    json!({"ready": ready, "restartCount": restarts, "state": {"running": {}}})
}

fn wait(reason: &str) -> Value {
    json!({"restartCount": 3, "state": {"waiting": {"reason": reason}}})
}

fn end(code: i64, reason: &str, signal: i64) -> Value {
    json!({"restartCount": 3, "state": {"terminated": {"exitCode": code, "reason": reason, "signal": signal}}})
}

fn up() -> Value {
    run(true, 2)
}

fn done() -> Value {
    end(0, "Completed", 0)
}

/// READY, STATUS and RESTARTS of the pod.
#[track_caller]
fn check_columns(case: PodCase, expected: (&str, &str, u32)) {
    let named = |statuses: Vec<Value>, stem: &str| -> Vec<Value> {
        let name = |(i, mut status): (usize, Value)| {
            status["name"] = format!("{stem}{i}").into();
            status
        };
        statuses.into_iter().enumerate().map(name).collect()
    };
    let init = |i: usize| match case.sidecars.contains(&i) {
        true => json!({"name": format!("init{i}"), "restartPolicy": "Always"}),
        false => json!({"name": format!("init{i}")}),
    };
    let mut object = json!({"metadata": {}, "status": case.status, "spec": {
        "initContainers": (0..case.inits.len()).map(init).collect::<Vec<_>>(),
        "containers": (0..2).map(|i| json!({"name": format!("main{i}")})).collect::<Vec<_>>()}});
    object["status"]["initContainerStatuses"] = named(case.inits, "init").into();
    object["status"]["containerStatuses"] = named(case.mains, "main").into();
    if case.deleted {
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
}

// The cases of the next three tests are those of Kubernetes' own tests of `printPod`.

#[test]
fn the_columns_follow_kubectl_for_working_containers() {
    let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    check_columns(
        PodCase {
            status: phase("Running"),
            mains: vec![up(), up()],
            ..PodCase::default()
        },
        ("2/2", "Running", 4),
    );
    check_columns(
        PodCase {
            status: phase("Running"),
            mains: vec![up(), wait("CrashLoopBackOff")],
            ..PodCase::default()
        },
        ("1/2", "CrashLoopBackOff", 5),
    );
    check_columns(
        PodCase {
            status: phase("Running"),
            mains: vec![up(), run(false, 0)],
            ..PodCase::default()
        },
        ("1/2", "Running", 2),
    );
    check_columns(
        PodCase {
            status: phase("Running"),
            mains: vec![up(), end(137, "OOMKilled", 0)],
            ..PodCase::default()
        },
        ("1/2", "OOMKilled", 5),
    );
    check_columns(
        PodCase {
            status: phase("Running"),
            mains: vec![end(1, "", 0), run(false, 0)],
            ..PodCase::default()
        },
        ("0/2", "ExitCode:1", 3),
    );
    check_columns(
        PodCase {
            status: phase("Running"),
            mains: vec![end(137, "", 9), up()],
            ..PodCase::default()
        },
        ("1/2", "Signal:9", 5),
    );
    check_columns(
        PodCase {
            status: json!({"phase": "Succeeded"}),
            mains: vec![done(), done()],
            ..PodCase::default()
        },
        ("0/2", "Completed", 6),
    );
    check_columns(
        PodCase {
            status: ready,
            mains: vec![done(), up()],
            ..PodCase::default()
        },
        ("1/2", "Running", 5),
    );
    check_columns(
        PodCase {
            status: phase("Running"),
            mains: vec![done(), up()],
            ..PodCase::default()
        },
        ("1/2", "NotReady", 5),
    );
}

#[test]
fn the_columns_follow_kubectl_for_init_containers() {
    let sidecar =
        json!({"ready": true, "started": true, "restartCount": 1, "state": {"running": {}}});
    check_columns(
        PodCase {
            status: phase("Pending"),
            inits: vec![wait("PodInitializing"), wait("PodInitializing")],
            ..PodCase::default()
        },
        ("0/2", "Init:0/2", 3),
    );
    check_columns(
        PodCase {
            status: phase("Pending"),
            inits: vec![done(), run(false, 0)],
            mains: vec![wait("PodInitializing")],
            ..PodCase::default()
        },
        ("0/2", "Init:1/2", 3),
    );
    check_columns(
        PodCase {
            status: phase("Pending"),
            inits: vec![wait("ErrImagePull"), wait("PodInitializing")],
            ..PodCase::default()
        },
        ("0/2", "Init:ErrImagePull", 3),
    );
    check_columns(
        PodCase {
            status: phase("Pending"),
            inits: vec![end(2, "Error", 0)],
            ..PodCase::default()
        },
        ("0/2", "Init:Error", 3),
    );
    check_columns(
        PodCase {
            status: phase("Pending"),
            inits: vec![end(2, "", 0)],
            ..PodCase::default()
        },
        ("0/2", "Init:ExitCode:2", 3),
    );
    check_columns(
        PodCase {
            status: phase("Pending"),
            inits: vec![end(2, "", 9)],
            ..PodCase::default()
        },
        ("0/2", "Init:Signal:9", 3),
    );
    check_columns(
        PodCase {
            status: phase("Running"),
            inits: vec![sidecar],
            sidecars: &[0],
            mains: vec![up(), up()],
            ..PodCase::default()
        },
        ("3/3", "Running", 5),
    );
}

#[test]
fn the_columns_follow_kubectl_for_pods_that_were_deleted_gated_or_lost() {
    let gated = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]});
    check_columns(
        PodCase {
            status: json!({"phase": "Failed", "reason": "Evicted"}),
            ..PodCase::default()
        },
        ("0/2", "Evicted", 0),
    );
    check_columns(
        PodCase {
            status: gated,
            ..PodCase::default()
        },
        ("0/2", "SchedulingGated", 0),
    );
    check_columns(
        PodCase {
            status: phase("Running"),
            mains: vec![up(), up()],
            deleted: true,
            ..PodCase::default()
        },
        ("2/2", "Terminating", 4),
    );
    check_columns(
        PodCase {
            status: json!({"phase": "Failed"}),
            deleted: true,
            ..PodCase::default()
        },
        ("0/2", "Failed", 0),
    );
    check_columns(
        PodCase {
            status: json!({"phase": "Running", "reason": "NodeLost"}),
            mains: vec![up(), up()],
            deleted: true,
            ..PodCase::default()
        },
        ("2/2", "Unknown", 4),
    );
    check_columns(
        PodCase {
            status: json!({"phase": "Running", "reason": "NodeLost"}),
            mains: vec![up(), up()],
            ..PodCase::default()
        },
        ("2/2", "NodeLost", 4),
    );
    check_columns(
        PodCase {
            status: json!({"phase": "Running", "reason": "Terminated"}),
            mains: vec![done()],
            ..PodCase::default()
        },
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
    check_trouble(json!({"phase": "Unknown"}), "its node is not reporting");
}

#[test]
fn a_pod_of_a_lost_node_is_not_ready_whatever_else_its_status_says() {
    let ready = json!([{"name": "inf", "ready": true, "state": {"running": {}}}]);
    for conditions in [
        json!([]),
        json!([{"type": "Ready", "status": "True"}]),
        json!([{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]),
    ] {
        let pod = pod(
            json!({"phase": "Running", "reason": "NodeLost", "message": "Node gone", "conditions": conditions,
                "containerStatuses": ready}),
            &["inf"],
        );
        assert_eq!(
            trouble(&pod),
            Some((
                Hold::NodeSilent("Node gone".to_owned()),
                "its node is not reporting (NodeLost): Node gone".to_owned()
            ))
        );
    }
}

#[test]
fn of_a_status_that_cannot_be_read_nobody_says_that_it_is_ready_or_starting() {
    let containers = json!([{"name": "inf", "ready": true, "state": {"running": {}}}]);
    let crashing = json!([{"name": "inf", "ready": "no", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]);
    for (status, field) in [
        (json!([1, 2]), "status is a list, not a map"),
        (
            json!({"phase": "Running", "conditions": {"Ready": "False"}, "containerStatuses": containers}),
            "status.conditions is a map, not a list",
        ),
        (
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": ["False"]}],
                "containerStatuses": containers}),
            "status.conditions[0].status is a list, not a text",
        ),
        (
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": false}],
                "containerStatuses": containers}),
            "status.conditions[0].status is false, not a text",
        ),
        (
            json!({"phase": "Running", "containerStatuses": [{"name": "inf", "ready": "true", "state": {"running": {}}}]}),
            "status.containerStatuses[0].ready is the text \"true\", not true or false",
        ),
        (
            json!({"phase": "Running", "containerStatuses": {"inf": {"ready": true}}}),
            "status.containerStatuses is a map, not a list",
        ),
    ] {
        assert_eq!(
            trouble(&pod(status, &["inf"])),
            Some((
                Hold::Unreadable(field.to_owned()),
                format!("it is unknown whether it is ready: {field}")
            ))
        );
    }
    // What decides nothing may be unreadable, and a known problem is told before an unknown one.
    let odd = json!([{"name": "inf", "ready": true, "restartCount": "7", "state": {"running": {"startedAt": []}}}]);
    let conditions =
        json!([{"type": "Ready", "status": "True"}, {"type": "Other", "status": false}]);
    let running = json!({"phase": "Running", "conditions": conditions, "containerStatuses": odd});
    assert_eq!(trouble(&pod(running, &["inf"])), None);
    let crash = json!({"phase": "Running", "containerStatuses": crashing});
    assert_eq!(
        trouble(&pod(crash, &["inf"])).map(|(hold, _)| hold),
        Some(Hold::Containers)
    );
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
