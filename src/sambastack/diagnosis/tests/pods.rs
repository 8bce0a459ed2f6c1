//! Causes that a pod's own state shows.

use super::*;

/// Reasons and messages of failed pods, and what is said of them.
const FAILED_PODS: [(&str, &str, &str, &str); 9] = [
    (
        "UnexpectedAdmissionError",
        "Pod was rejected: Allocate failed due to no healthy devices present; cannot allocate unhealthy devices sambanova.ai/rdu, which is unexpected",
        "The node rejected the default pod (UnexpectedAdmissionError): Pod was rejected: Allocate failed due to no healthy devices present; cannot allocate unhealthy devices sambanova.ai/rdu, which is unexpected",
        "describe pod inf-d-q-default-n-0",
    ),
    (
        "NodeAffinity",
        "Pod was rejected: Predicate NodeAffinity failed",
        "The node rejected the default pod (NodeAffinity): the node's labels do not match, or no longer match, what the pod asks for",
        "get pod inf-d-q-default-n-0 -o jsonpath={.spec.nodeName} {.spec.nodeSelector} {.spec.affinity}",
    ),
    (
        "OutOfsambanova.ai/rdu",
        "Pod was rejected: Node didn't have enough resource: sambanova.ai/rdu, requested: 16, used: 0, capacity: 0",
        "The node had too little free sambanova.ai/rdu for the default pod (OutOfsambanova.ai/rdu): Pod was rejected: Node didn't have enough resource: sambanova.ai/rdu, requested: 16, used: 0, capacity: 0",
        "describe pod inf-d-q-default-n-0",
    ),
    (
        "DeadlineExceeded",
        "Pod was active on the node longer than the specified deadline",
        "The default pod was stopped because it ran longer than allowed (DeadlineExceeded, activeDeadlineSeconds)",
        "get pod inf-d-q-default-n-0 -o jsonpath={.spec.activeDeadlineSeconds}",
    ),
    (
        "Terminated",
        "Pod was terminated in response to imminent node shutdown.",
        "The default pod was stopped by its node, which is shutting down: Pod was terminated in response to imminent node shutdown",
        "get nodes",
    ),
    (
        "NodeShutdown",
        "Pod was rejected as the node is shutting down.",
        "The default pod was rejected by its node, which is shutting down: Pod was rejected as the node is shutting down",
        "get nodes",
    ),
    (
        "Evicted",
        "The node was low on resource: ephemeral-storage. ",
        "The node evicted the default pod: The node was low on resource: ephemeral-storage",
        "describe pod inf-d-q-default-n-0",
    ),
    (
        "Preempting",
        "Preempted in order to admit critical pod",
        "The default pod was removed to make room for a higher-priority pod (Preempting): Preempted in order to admit critical pod",
        "describe pod inf-d-q-default-n-0",
    ),
    (
        "TopologyAffinityError",
        "Pod was rejected: Resources cannot be allocated with Topology locality",
        "The node rejected or stopped the default pod (TopologyAffinityError): Pod was rejected: Resources cannot be allocated with Topology locality",
        "describe pod inf-d-q-default-n-0",
    ),
];

#[test]
fn what_the_node_refused_or_ended_is_not_starting() {
    let failed = |reason: &str, message: &str| {
        with_status(
            json!({"phase": "Failed", "reason": reason, "message": message, "startTime": STARTED}),
        )
    };
    for (reason, message, sentence, command) in FAILED_PODS {
        check_said(
            vec![cache(ready()), failed(reason, message)],
            json!([]),
            sentence,
            command,
        );
    }
    let ended = json!({"name": "inf", "ready": false, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}});
    check_said(
        vec![
            cache(ready()),
            with_status(json!({"phase": "Succeeded", "containerStatuses": [ended]})),
        ],
        json!([]),
        "The default pod exited by itself (Completed) and was not restarted. It should keep running",
        "logs inf-d-q-default-n-0 -c inf --tail=50",
    );
}

#[test]
fn what_was_evicted_and_replaced_is_no_cause() {
    let evicted = json!({"metadata": {"name": "inf-d-q-default-n-7d9f8c6b5-aaaaa"}, "spec": {"containers": [{"name": "inf"}]},
        "status": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. "}});
    let found = deployment(None, vec![cache(ready()), main(ready()), evicted.clone()]);
    assert_eq!(
        (found.state, found.reason.as_str()),
        (DeploymentState::Deployed, "")
    );
    assert_eq!(diagnose(&found, KnownFacts::default()), None);
    assert_eq!(
        said(vec![cache(ready()), main(starting()), evicted], json!([])).0,
        Progress::Starting
    );
}

#[test]
fn a_pod_follows_its_ready_condition() {
    let status = |conditions: Value, reason: &str| {
        json!({"phase": "Running", "reason": reason, "conditions": conditions, "containerStatuses":
            [{"name": "inf", "ready": true, "started": true, "restartCount": 0, "state": {"running": {"startedAt": STARTED}}}]})
    };
    let containers_ready = json!({"type": "ContainersReady", "status": "True"});
    let silent = json!([{"type": "Ready", "status": "False", "lastTransitionTime": STARTED}, containers_ready]);
    for (pod, state, sentence, command) in [
        (
            with_status(status(silent.clone(), "")),
            "default pod: its node is not reporting (NodeNotReady)",
            "The node of the default pod is not reporting",
            "get pod inf-d-q-default-n-0 -o wide",
        ),
        (
            with_status(status(silent.clone(), "NodeLost")),
            "default pod: its node is not reporting (NodeLost)",
            "The node of the default pod is not reporting",
            "get pod inf-d-q-default-n-0 -o wide",
        ),
        (
            with_status(status(
                json!([{"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady",
                    "message": "corresponding condition of pod readiness gate \"example.com/warm\" does not exist."}]),
                "",
            )),
            "default pod 1/1: not ready: corresponding condition of pod readiness gate \"example.com/warm\" does not exist",
            "The containers of the default pod are ready, but its readiness gate is not met: its controller has not set that condition",
            "get pod inf-d-q-default-n-0 -o jsonpath={.status.conditions}",
        ),
    ] {
        let found = deployment(None, vec![cache(ready()), pod.clone()]);
        assert_eq!(
            (found.state, found.reason.as_str()),
            (DeploymentState::Deploying, state)
        );
        check_said(vec![cache(ready()), pod], json!([]), sentence, command);
    }
    let fine = with_status(status(json!([{"type": "Ready", "status": "True"}]), ""));
    assert_eq!(
        deployment(None, vec![cache(ready()), fine]).state,
        DeploymentState::Deployed
    );
    let mut leaving = with_status(status(silent, "NodeLost"));
    leaving["metadata"]["deletionTimestamp"] = STARTED.into();
    leaving["status"]["message"] =
        "Node n1 which was running pod inf-d-q-default-n-0 is unresponsive".into();
    check_said(
        vec![cache(ready()), leaving],
        json!([]),
        "The node of the default pod is not reporting: Node n1 which was running pod inf-d-q-default-n-0 is unresponsive",
        "get pod inf-d-q-default-n-0 -o wide",
    );
}

#[test]
fn what_waits_for_somebody_is_not_starting() {
    let mut gated = with_status(
        json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates"}]}),
    );
    gated["spec"]["schedulingGates"] = json!([{"name": "kueue.x-k8s.io/admission"}]);
    check_said(
        vec![cache(ready()), gated],
        json!([]),
        "A scheduling gate holds back the default pod: kueue.x-k8s.io/admission. The controller that set the gate must remove it",
        "get pod inf-d-q-default-n-0 -o jsonpath={.spec.schedulingGates}",
    );
    let unbound = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3";
    check_said(
        vec![cache(ready()), unscheduled(unbound)],
        json!([]),
        "The default pod is waiting for a volume: 0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims",
        "get pvc",
    );
    let claim = event(
        "PersistentVolumeClaim",
        "data-inf-d-q-default-n-0",
        "ProvisioningFailed",
        "storageclass.storage.k8s.io \"fast\" not found",
    );
    check_said(
        vec![cache(ready()), unscheduled(unbound)],
        json!([claim]),
        "The volume claim data-inf-d-q-default-n-0 of the default pod is not bound: storageclass.storage.k8s.io \"fast\" not found",
        "describe pvc data-inf-d-q-default-n-0",
    );
    let inspect =
        "Failed to inspect image \"m:1\": rpc error: code = Unknown desc = layer not known";
    check_said(
        vec![cache(ready()), main(waiting("ImageInspectError", inspect))],
        json!([]),
        "The image of container inf in the default pod cannot be pulled: the node's container runtime cannot read the image that it has: Failed to inspect image \"m:1\": rpc error: code = Unknown desc = layer not known",
        "describe pod inf-d-q-default-n-0",
    );
    let back_off = waiting(
        "ImagePullBackOff",
        "Back-off pulling image \"r.example/m:1\"",
    );
    let pull = "Failed to pull image \"r.example/m:1\": failed to extract layer: write /var/lib/containerd/x: no space left on device: unknown";
    check_said(
        vec![cache(ready()), main(back_off)],
        json!([event("Pod", MAIN, "Failed", pull)]),
        "The image of container inf in the default pod cannot be pulled: the node has no space left for it. The node reports: Failed to pull image \"r.example/m:1\": failed to extract layer: write /var/lib/containerd/x: no space left on device: unknown",
        "describe pod inf-d-q-default-n-0",
    );
    let odd = main(waiting("SomethingNew", ""));
    check_said(
        vec![cache(ready()), odd],
        json!([]),
        "The default pod is not ready: SomethingNew",
        "describe pod inf-d-q-default-n-0",
    );
}

#[test]
fn restarts_that_are_over_are_a_remark() {
    let ran = |ready: bool, from: &str, to: &str| {
        json!({"ready": ready, "started": ready, "restartCount": 14, "state": {"running": {"startedAt": STARTED}},
            "lastState": {"terminated": {"reason": "Error", "exitCode": 1, "startedAt": from, "finishedAt": to}}})
    };
    let over = ran(true, "2026-11-22T14:00:00Z", "2026-11-23T13:59:00Z");
    let found = deployment(None, vec![cache(ready()), main(over)]);
    assert_eq!(
        (found.state, found.pods[1].restarts),
        (DeploymentState::Deployed, 14)
    );
    assert!(!found.warns());
    let (progress, sentence, command) = said_of(&found, json!([]));
    assert_eq!(progress, Progress::Remark);
    assert_eq!(
        sentence,
        "Container inf of the default pod was restarted 14 times and is ready now; its last run ended with exit code 1 at 2026-11-23 13:59 UTC"
    );
    assert_eq!(command, "logs inf-d-q-default-n-0 -c inf --previous");
    let again = ran(false, "2026-11-22T14:00:00Z", "2026-11-23T13:59:00Z");
    assert_eq!(
        said(vec![cache(ready()), main(again)], json!([])).0,
        Progress::Starting
    );
    let loops = ran(false, "2026-11-23T13:58:30Z", "2026-11-23T13:59:00Z");
    check_said(
        vec![cache(ready()), main(loops.clone())],
        json!([]),
        "Container inf in the default pod crashes (restarted 14 times): it ends with exit code 1",
        "logs inf-d-q-default-n-0 -c inf --previous",
    );
    check_said(
        vec![cache(ready()), main(loops)],
        json!([{"involvedObject": {"kind": "Pod", "name": MAIN}, "type": "Normal", "reason": "Killing",
            "message": "Container inf failed startup probe, will be restarted"}]),
        "Container inf in the default pod crashes (restarted 14 times): its startup probe fails, so the node stops it (exit code 1)",
        "logs inf-d-q-default-n-0 -c inf --previous",
    );
}
