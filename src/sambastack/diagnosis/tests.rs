//! Each state as Kubernetes writes it, and what is said of it.

use serde_json::{Value, json};

use super::*;
use crate::sambastack::events::{of_deployment, read as read_events};
use crate::sambastack::models::{Listed, Lists, view};
use crate::sambastack::pods::{cache_pod, group_pod};
use crate::sambastack::read::Object;

const STARTED: &str = "2026-11-23T14:00:00Z";

/// A pod whose working containers are these.
fn pod(name: &str, containers: &[(&str, Value)]) -> Value {
    let wanted: Vec<Value> = containers
        .iter()
        .map(
            |(name, _)| json!({"name": name, "startupProbe": {"periodSeconds": 10, "failureThreshold": 720}}),
        )
        .collect();
    let statuses: Vec<Value> = containers
        .iter()
        .map(|(name, status)| {
            let mut status = status.clone();
            status["name"] = (*name).into();
            status
        })
        .collect();
    json!({"metadata": {"name": name}, "spec": {"containers": wanted},
        "status": {"phase": "Running", "containerStatuses": statuses}})
}

fn ready() -> Value {
    json!({"ready": true, "state": {"running": {"startedAt": STARTED}}})
}

fn starting() -> Value {
    json!({"ready": false, "state": {"running": {"startedAt": STARTED}}})
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"ready": false, "state": {"waiting": {"reason": reason, "message": message}}})
}

fn crashing(last: Value) -> Value {
    json!({"ready": false, "restartCount": 7, "lastState": {"terminated": last},
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}})
}

fn cache(status: Value) -> Value {
    pod(&cache_pod("d", "0"), &[("cache", status)])
}

fn main(status: Value) -> Value {
    pod(&group_pod("d", "default", "n", "0"), &[("inf", status)])
}

fn unscheduled(message: &str) -> Value {
    json!({"metadata": {"name": group_pod("d", "default", "n", "0")}, "spec": {"containers": [{"name": "inf"}]},
        "status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}})
}

/// A deployment `d` of bundle `b`, which is valid unless `refused`, with these pods.
fn deployment(refused: Option<&str>, pods: Vec<Value>) -> Deployment {
    let valid = match refused {
        Some(why) => json!({"type": "Valid", "status": "False", "message": why}),
        None => json!({"type": "Valid", "status": "True"}),
    };
    asking(
        json!([{"name": "default", "minReplicas": 1}]),
        valid,
        json!({"M": {}}),
        pods,
    )
}

/// The same, with groups and models that are asked for.
fn asking(groups: Value, valid: Value, models: Value, pods: Vec<Value>) -> Deployment {
    fn present<T: Object>(items: Value) -> Listed<T> {
        let list = json!({"kind": "XList", "items": items}).to_string();
        Listed::Present(crate::sambastack::read::parse_list(list.as_bytes()).unwrap())
    }
    let lists = Lists {
        bundle_deployments: present(
            json!([{"metadata": {"name": "d"}, "spec": {"bundle": "b", "groups": groups}}]),
        ),
        bundles: present(
            json!([{"metadata": {"name": "b"}, "spec": {"models": models},
            "status": {"conditions": [valid]}}]),
        ),
        pods: present(Value::Array(pods)),
        ..Lists::default()
    };
    view(&lists).deployments.remove(0)
}

#[track_caller]
fn check(deployment: &Deployment, known: Known<'_>, expected: Option<(&str, &str)>) {
    let found = diagnose(deployment, known);
    let told = found
        .as_ref()
        .map(|it| (it.sentence.as_str(), it.confirm.join(" ")));
    assert_eq!(
        told,
        expected.map(|(sentence, confirm)| (sentence, confirm.to_owned()))
    );
}

#[test]
fn each_trouble_has_its_sentence_and_its_command() {
    let oom = json!({"reason": "OOMKilled", "exitCode": 137});
    let words =
        json!({"reason": "Error", "exitCode": 1, "message": "loading\nno such checkpoint\n"});
    let plain = json!({"reason": "Error", "exitCode": 2});
    let failed = json!({"ready": false, "state": {"terminated": {"exitCode": 3}}});
    type Line = (Vec<Value>, Option<(&'static str, &'static str)>);
    let table: Vec<Line> = vec![
        (vec![cache(ready()), main(ready())], None),
        (
            vec![],
            Some((
                "No pods were created for it: the operator has not taken it up, or may not create them",
                "describe bundledeployments.sambanova.ai d",
            )),
        ),
        (
            vec![cache(waiting("ImagePullBackOff", "")), main(starting())],
            Some((
                "The image of container cache in the cache pod cannot be pulled: its name, the registry or the credentials are wrong",
                "describe pod inf-d-cache-0",
            )),
        ),
        (
            vec![
                cache(ready()),
                main(waiting("ErrImagePull", "401 unauthorized")),
            ],
            Some((
                "The image of container inf in the default pod cannot be pulled: the registry refuses the credentials (imagePullSecrets)",
                "describe pod inf-d-q-default-n-0",
            )),
        ),
        (
            vec![
                cache(ready()),
                main(waiting("ErrImagePull", "manifest unknown")),
            ],
            Some((
                "The image of container inf in the default pod cannot be pulled: the registry has no such image",
                "describe pod inf-d-q-default-n-0",
            )),
        ),
        (
            vec![
                cache(ready()),
                main(waiting(
                    "CreateContainerConfigError",
                    "secret \"s\" not found",
                )),
            ],
            Some((
                "Container inf in the default pod cannot be made: secret \"s\" not found",
                "describe pod inf-d-q-default-n-0",
            )),
        ),
        (
            vec![
                cache(ready()),
                unscheduled(
                    "0/4 nodes are available: 4 Insufficient sambanova.ai/rdu. preemption: 0/4",
                ),
            ],
            Some((
                "No node has enough free sambanova.ai/rdu for the default pod: 0/4 nodes are available: 4 Insufficient sambanova.ai/rdu",
                "describe pod inf-d-q-default-n-0",
            )),
        ),
        (
            vec![
                cache(ready()),
                unscheduled("0/4 nodes are available: 4 node(s) had untolerated taint"),
            ],
            Some((
                "No node can take the default pod: 0/4 nodes are available: 4 node(s) had untolerated taint",
                "describe pod inf-d-q-default-n-0",
            )),
        ),
        (
            vec![cache(ready()), main(crashing(oom))],
            Some((
                "Container inf in the default pod crashes (restarted 7 times): it needs more memory than its limit",
                "logs inf-d-q-default-n-0 -c inf --previous",
            )),
        ),
        (
            vec![cache(ready()), main(crashing(words))],
            Some((
                "Container inf in the default pod crashes (restarted 7 times): it ends with exit code 1, its last words: no such checkpoint",
                "logs inf-d-q-default-n-0 -c inf --previous",
            )),
        ),
        (
            vec![cache(crashing(plain)), main(starting())],
            Some((
                "Container cache in the cache pod crashes (restarted 7 times): it ends with exit code 2",
                "logs inf-d-cache-0 -c cache --previous",
            )),
        ),
        (
            vec![cache(ready()), main(failed)],
            Some((
                "Container inf in the default pod crashes: it ends with exit code 3",
                "logs inf-d-q-default-n-0 -c inf --tail=50",
            )),
        ),
        (
            vec![cache(starting()), main(starting())],
            Some((
                "The cache is not ready yet, and the default pods wait for it; its start-up probe lets it until 2026-11-23 16:00 UTC",
                "logs inf-d-cache-0 --tail=50",
            )),
        ),
        (
            vec![main(starting())],
            Some((
                "There is no cache pod yet, and the default pods wait for it",
                "describe bundledeployments.sambanova.ai d",
            )),
        ),
        (
            vec![cache(ready()), main(starting())],
            Some((
                "Container inf of the default pod is starting; its start-up probe lets it until 2026-11-23 16:00 UTC",
                "logs inf-d-q-default-n-0 -c inf --tail=50",
            )),
        ),
    ];
    for (pods, expected) in table {
        check(&deployment(None, pods), Known::default(), expected);
    }
}

#[test]
fn a_refused_bundle_comes_before_what_its_pods_say() {
    let pods = vec![cache(waiting("ImagePullBackOff", "")), main(starting())];
    let expected = (
        "SambaStack refused its bundle b: no such checkpoint",
        "get bundles.sambanova.ai b -o jsonpath={.status}",
    );
    check(
        &deployment(Some("no such checkpoint"), pods),
        Known::default(),
        Some(expected),
    );
}

#[test]
fn what_is_ready_may_still_not_serve() {
    let deployed = deployment(None, vec![cache(ready()), main(ready())]);
    fn known(routed: &[String]) -> Known<'_> {
        Known {
            routed: Some(routed),
            ..Known::default()
        }
    }
    let routed = ["M".to_owned()];
    check(&deployed, known(&routed), None);
    let expected = (
        "Its pods are ready, but the API does not route M: the gateway has not taken it up",
        "get bundledeployments.sambanova.ai d -o jsonpath={.status}",
    );
    check(&deployed, known(&[]), Some(expected));
    let silent = Known {
        silent: Some(("M", "no answer in 60 s")),
        ..known(&routed)
    };
    let expected = (
        "The API routes M, but it does not answer: no answer in 60 s",
        "logs inf-d-q-default-n-0 -c inf --tail=50",
    );
    check(&deployed, silent, Some(expected));
    assert_eq!(
        as_a_part("The server failed (HTTP 500)"),
        "the server failed (HTTP 500)"
    );
    assert_eq!(as_a_part("HTTP 500"), "HTTP 500");
    assert_eq!(as_a_part("Über-model says no"), "Über-model says no");
}

/// What is said of a deployment with these pods and these events: progress, sentence, command.
#[track_caller]
fn said(pods: Vec<Value>, events: Value) -> (Progress, String, String) {
    said_of(&deployment(None, pods), events)
}

#[track_caller]
fn said_of(deployment: &Deployment, events: Value) -> (Progress, String, String) {
    let list = json!({"kind": "EventList", "items": events}).to_string();
    let events = read_events(list.as_bytes()).unwrap();
    let own = of_deployment(&events, deployment);
    let found = diagnose(
        deployment,
        Known {
            events: &own,
            ..Known::default()
        },
    )
    .expect("something is said");
    (found.progress, found.sentence, found.confirm.join(" "))
}

#[track_caller]
fn check_said(pods: Vec<Value>, events: Value, sentence: &str, command: &str) {
    let (progress, told, confirm) = said(pods, events);
    assert_eq!((told.as_str(), confirm.as_str()), (sentence, command));
    assert_eq!(progress, Progress::NeedsSomebody, "{told}");
}

const MAIN: &str = "inf-d-q-default-n-0";

/// A default pod with this status, as the kubelet or a controller has written it.
fn with_status(status: Value) -> Value {
    json!({"metadata": {"name": MAIN}, "spec": {"containers": [{"name": "inf"}], "nodeName": "n1"}, "status": status})
}

fn event(kind: &str, object: &str, reason: &str, message: &str) -> Value {
    json!({"involvedObject": {"kind": kind, "name": object}, "type": "Warning", "reason": reason, "message": message,
        "lastTimestamp": STARTED})
}

#[test]
fn what_the_node_refused_or_ended_is_not_starting() {
    let failed = |reason: &str, message: &str| {
        with_status(
            json!({"phase": "Failed", "reason": reason, "message": message, "startTime": STARTED}),
        )
    };
    for (reason, message, sentence, command) in [
        (
            "UnexpectedAdmissionError",
            "Pod was rejected: Allocate failed due to no healthy devices present; cannot allocate unhealthy devices sambanova.ai/rdu, which is unexpected",
            "The node refused the default pod (UnexpectedAdmissionError): Pod was rejected: Allocate failed due to no healthy devices present; cannot allocate unhealthy devices sambanova.ai/rdu, which is unexpected",
            "describe pod inf-d-q-default-n-0",
        ),
        (
            "NodeAffinity",
            "Pod was rejected: Predicate NodeAffinity failed",
            "The node refused the default pod (NodeAffinity): the node's labels do not match what the pod asks for, or do no longer",
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
            "The default pod was ended because it ran longer than it may (DeadlineExceeded, activeDeadlineSeconds)",
            "get pod inf-d-q-default-n-0 -o jsonpath={.spec.activeDeadlineSeconds}",
        ),
        (
            "Terminated",
            "Pod was terminated in response to imminent node shutdown.",
            "The default pod was ended by its node, which shuts down: Pod was terminated in response to imminent node shutdown",
            "get nodes",
        ),
        (
            "NodeShutdown",
            "Pod was rejected as the node is shutting down.",
            "The default pod was refused by its node, which shuts down: Pod was rejected as the node is shutting down",
            "get nodes",
        ),
        (
            "Evicted",
            "The node was low on resource: ephemeral-storage. ",
            "The node has evicted the default pod: The node was low on resource: ephemeral-storage",
            "describe pod inf-d-q-default-n-0",
        ),
        (
            "Preempting",
            "Preempted in order to admit critical pod",
            "The default pod had to make room for a more important pod (Preempting): Preempted in order to admit critical pod",
            "describe pod inf-d-q-default-n-0",
        ),
        (
            "TopologyAffinityError",
            "Pod was rejected: Resources cannot be allocated with Topology locality",
            "The node refused or ended the default pod (TopologyAffinityError): Pod was rejected: Resources cannot be allocated with Topology locality",
            "describe pod inf-d-q-default-n-0",
        ),
    ] {
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
        "The default pod has ended by itself (Completed) and was not started again; it should run on",
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
    assert_eq!(diagnose(&found, Known::default()), None);
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
            "default pod: its node does not report (NodeNotReady)",
            "The node of the default pod does not report",
            "get pod inf-d-q-default-n-0 -o wide",
        ),
        (
            with_status(status(silent.clone(), "NodeLost")),
            "default pod: its node does not report (NodeLost)",
            "The node of the default pod does not report",
            "get pod inf-d-q-default-n-0 -o wide",
        ),
        (
            with_status(status(
                json!([{"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady",
                    "message": "corresponding condition of pod readiness gate \"example.com/warm\" does not exist."}]),
                "",
            )),
            "default pod 1/1: not ready: corresponding condition of pod readiness gate \"example.com/warm\" does not exist",
            "The containers of the default pod are ready, but its readiness gate is not met: what sets that condition has not",
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
        "The node of the default pod does not report: Node n1 which was running pod inf-d-q-default-n-0 is unresponsive",
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
        "The default pod is held back from the scheduler by a scheduling gate: kueue.x-k8s.io/admission; what has set the gate has to remove it",
        "get pod inf-d-q-default-n-0 -o jsonpath={.spec.schedulingGates}",
    );
    let unbound = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3";
    check_said(
        vec![cache(ready()), unscheduled(unbound)],
        json!([]),
        "The default pod waits for a volume: 0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims",
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
        "The volume claim data-inf-d-q-default-n-0 of the default pod is not met: storageclass.storage.k8s.io \"fast\" not found",
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
        "The image of container inf in the default pod cannot be pulled: the node has no space left for it",
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
fn what_only_events_tell_is_told() {
    let creating = || main(waiting("ContainerCreating", ""));
    for (reason, message, sentence) in [
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"keys\" : secret \"regcred\" not found",
            "A volume of the default pod cannot be mounted: MountVolume.SetUp failed for volume \"keys\" : secret \"regcred\" not found",
        ),
        (
            "FailedAttachVolume",
            "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node and can't be attached to another",
            "A volume of the default pod cannot be attached to its node: Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node and can't be attached to another",
        ),
        (
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: plugin type=\"calico\" failed (add): no IPs available",
            "The node cannot make the network and the sandbox of the default pod: Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: plugin type=\"calico\" failed (add): no IPs available",
        ),
    ] {
        let events = json!([event("Pod", MAIN, reason, message)]);
        check_said(
            vec![cache(ready()), creating()],
            events.clone(),
            sentence,
            "describe pod inf-d-q-default-n-0",
        );
        // Once the container runs the volume is there, whatever was said before.
        let (progress, told, _) = said(vec![cache(ready()), main(starting())], events);
        assert_eq!(progress, Progress::Starting, "{told}");
    }
    let (progress, ..) = said(vec![cache(ready()), creating()], json!([]));
    assert_eq!(progress, Progress::Starting);
}

#[test]
fn each_way_in_which_pods_may_not_be_created_is_told() {
    let set = |why: &str| {
        event(
            "StatefulSet",
            "inf-d-cache",
            "FailedCreate",
            &format!("create Pod inf-d-cache-0 in StatefulSet inf-d-cache failed error: {why}"),
        )
    };
    for (event, sentence, command) in [
        (
            set(
                "pods \"inf-d-cache-0\" is forbidden: exceeded quota: team, requested: sambanova.ai/rdu=16, used: 64, limited: 64",
            ),
            "The namespace's quota team is used up, so its pods may not be created",
            "describe resourcequota team",
        ),
        (
            set(
                "admission webhook \"policy.example.com\" denied the request: images must be signed",
            ),
            "The admission webhook policy.example.com denies its pods: images must be signed",
            "describe statefulset inf-d-cache",
        ),
        (
            event(
                "ReplicaSet",
                "inf-d-q-default-n-7d9f8c6b5",
                "FailedCreate",
                "Error creating: Internal error occurred: failed calling webhook \"inject.example.com\": failed to call webhook: Post \"https://inject.x.svc:443/mutate?timeout=10s\": no endpoints available for service \"inject\"",
            ),
            "The admission webhook inject.example.com does not answer, so its pods may not be created: no endpoints available for service \"inject\"",
            "describe replicaset inf-d-q-default-n-7d9f8c6b5",
        ),
        (
            event(
                "ReplicaSet",
                "inf-d-q-default-n-7d9f8c6b5",
                "FailedCreate",
                "Error creating: pods \"inf-d-q-default-n-7d9f8c6b5-\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"inf\" must set securityContext.allowPrivilegeEscalation=false)",
            ),
            "The namespace's pod security level restricted:latest forbids its pods: allowPrivilegeEscalation != false (container \"inf\" must set securityContext.allowPrivilegeEscalation=false)",
            "describe replicaset inf-d-q-default-n-7d9f8c6b5",
        ),
        (
            set(
                "pods \"inf-d-cache-0\" is forbidden: error looking up service account ns/samba: serviceaccount \"samba\" not found",
            ),
            "The service account samba does not exist, so its pods may not be created",
            "describe statefulset inf-d-cache",
        ),
        (
            event(
                "BundleDeployment",
                "d",
                "FailedCreate",
                "the operator may not create statefulsets.",
            ),
            "Its pods may not be created: the operator may not create statefulsets",
            "describe bundledeployments.sambanova.ai d",
        ),
    ] {
        check_said(Vec::new(), json!([event]), sentence, command);
    }
    // What could not be created then is there now.
    let event = set("exceeded quota: team, requested: sambanova.ai/rdu=16");
    assert_eq!(
        said(vec![cache(starting())], json!([event])).0,
        Progress::Starting
    );
    let event = set("exceeded quota: team, requested: sambanova.ai/rdu=16");
    check_said(
        vec![main(starting())],
        json!([event]),
        "The namespace's quota team is used up, so its pods may not be created",
        "describe resourcequota team",
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
        "Container inf in the default pod crashes (restarted 14 times): its startup probe fails, so the node ends it (exit code 1)",
        "logs inf-d-q-default-n-0 -c inf --previous",
    );
}

#[test]
fn zero_and_too_few_replicas_are_told() {
    let valid = || json!({"type": "Valid", "status": "True"});
    let groups = |replicas: u32| json!([{"name": "default", "minReplicas": replicas}]);
    for pods in [vec![], vec![cache(ready())], vec![cache(starting())]] {
        let found = asking(groups(0), valid(), json!({"M": {}}), pods);
        assert_eq!(
            (found.state, found.reason.as_str()),
            (DeploymentState::NotDeployed, "scaled to zero")
        );
        let (progress, sentence, command) = said_of(&found, json!([]));
        assert_eq!(progress, Progress::Remark);
        assert!(sentence.starts_with("It is scaled to zero"), "{sentence}");
        assert_eq!(
            command,
            "get bundledeployments.sambanova.ai d -o jsonpath={.spec.groups}"
        );
    }
    let found = asking(
        groups(3),
        valid(),
        json!({"M": {}}),
        vec![cache(ready()), main(ready())],
    );
    assert_eq!(
        (found.state, found.reason.as_str()),
        (
            DeploymentState::Deployed,
            "1 of 3 default pods ready: 2 not created yet"
        )
    );
    assert!(found.warns());
    assert_eq!(
        said_of(&found, json!([])).1,
        "It serves with 1 of the 3 pods that it asks for (minReplicas)"
    );
    let found = asking(
        groups(1),
        valid(),
        json!({}),
        vec![cache(ready()), main(ready())],
    );
    assert!(found.warns());
    let (progress, sentence, _) = said_of(&found, json!([]));
    assert_eq!(progress, Progress::NeedsSomebody);
    assert_eq!(
        sentence,
        "Its pods are ready, but no model of it can be addressed: bundle b lists no models"
    );
}
