//! Statuses as Kubernetes writes them, and the sentences that explain them.

mod events;
mod pods;

use serde_json::{Value, json};

use super::*;
use crate::sambastack::events::{of_deployment, read as read_events};
use crate::sambastack::lists::{Listed, Lists};
use crate::sambastack::models::view;
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

/// Like [`deployment`], with these groups and models.
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
fn check(deployment: &Deployment, known: KnownFacts<'_>, expected: Option<(&str, &str)>) {
    let found = diagnose(deployment, known);
    let told = found
        .as_ref()
        .map(|it| (it.sentence.as_str(), it.confirm.join(" ")));
    assert_eq!(
        told,
        expected.map(|(sentence, confirm)| (sentence, confirm.to_owned()))
    );
}

/// The pods of a deployment, and the sentence and the command that explain it; `None` where all is well.
type Case = (Vec<Value>, Option<(&'static str, &'static str)>);

#[track_caller]
fn check_all(cases: impl IntoIterator<Item = Case>) {
    for (pods, expected) in cases {
        check(&deployment(None, pods), KnownFacts::default(), expected);
    }
}

#[test]
fn pods_that_cannot_be_created_or_placed_are_explained() {
    check_all([
        (vec![cache(ready()), main(ready())], None),
        (
            vec![],
            Some((
                "No pods have been created: the operator has not processed the deployment yet, or is not allowed to create pods",
                "describe bundledeployments.sambanova.ai d",
            )),
        ),
        (
            vec![cache(waiting("ImagePullBackOff", "")), main(starting())],
            Some((
                "The image of container cache in the cache pod cannot be pulled: its node does not report why",
                "describe pod inf-d-cache-0",
            )),
        ),
        (
            vec![
                cache(ready()),
                main(waiting("ErrImagePull", "401 unauthorized")),
            ],
            Some((
                "The image of container inf in the default pod cannot be pulled: the registry rejects the credentials (imagePullSecrets). The node reports: 401 unauthorized",
                "describe pod inf-d-q-default-n-0",
            )),
        ),
        (
            vec![
                cache(ready()),
                main(waiting("ErrImagePull", "manifest unknown")),
            ],
            Some((
                "The image of container inf in the default pod cannot be pulled: the registry has no such image. The node reports: manifest unknown",
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
                "Container inf in the default pod cannot be created: secret \"s\" not found",
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
                "No node can run the default pod: 0/4 nodes are available: 4 node(s) had untolerated taint",
                "describe pod inf-d-q-default-n-0",
            )),
        ),
    ]);
}

#[test]
fn crashes_are_explained() {
    let oom = json!({"reason": "OOMKilled", "exitCode": 137});
    let words =
        json!({"reason": "Error", "exitCode": 1, "message": "loading\nno such checkpoint\n"});
    let plain = json!({"reason": "Error", "exitCode": 2});
    let failed = json!({"ready": false, "state": {"terminated": {"exitCode": 3}}});
    check_all([
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
                "Container inf in the default pod crashes (restarted 7 times): it ends with exit code 1; last output: no such checkpoint",
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
    ]);
}

#[test]
fn pods_that_are_starting_are_explained() {
    check_all([
        (
            vec![cache(starting()), main(starting())],
            Some((
                "The cache is not ready yet, and the default pods are waiting for it; its startup probe gives it until 2026-11-23 16:00 UTC",
                "logs inf-d-cache-0 --tail=50",
            )),
        ),
        (
            vec![main(starting())],
            Some((
                "There is no cache pod yet, and the default pods are waiting for it",
                "describe bundledeployments.sambanova.ai d",
            )),
        ),
        (
            vec![cache(ready()), main(starting())],
            Some((
                "Container inf of the default pod is starting; its startup probe gives it until 2026-11-23 16:00 UTC",
                "logs inf-d-q-default-n-0 -c inf --tail=50",
            )),
        ),
    ]);
}

#[test]
fn a_refused_bundle_comes_before_what_its_pods_say() {
    let pods = vec![cache(waiting("ImagePullBackOff", "")), main(starting())];
    let expected = (
        "SambaStack rejected the bundle b: no such checkpoint",
        "get bundles.sambanova.ai b -o jsonpath={.status}",
    );
    check(
        &deployment(Some("no such checkpoint"), pods),
        KnownFacts::default(),
        Some(expected),
    );
}

#[test]
fn what_is_ready_may_still_not_serve() {
    let deployed = deployment(None, vec![cache(ready()), main(ready())]);
    fn known(routed: &[String]) -> KnownFacts<'_> {
        KnownFacts {
            routed: Some(routed),
            ..KnownFacts::default()
        }
    }
    let routed = ["M".to_owned()];
    check(&deployed, known(&routed), None);
    let expected = (
        "The pods are ready, but the API does not list M: the gateway has not picked it up",
        "get bundledeployments.sambanova.ai d -o jsonpath={.status}",
    );
    check(&deployed, known(&[]), Some(expected));
    let silent = KnownFacts {
        silent: Some(("M", "no answer in 60 s")),
        ..known(&routed)
    };
    let expected = (
        "The API lists M, but the model does not answer: no answer in 60 s",
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

/// The diagnosis for these pods and events: progress, sentence, command.
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
        KnownFacts {
            events: &own,
            ..KnownFacts::default()
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
        assert!(
            sentence.starts_with("The deployment is scaled to zero"),
            "{sentence}"
        );
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
        "The deployment is running with 1 of the 3 pods that it asks for (minReplicas)"
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
        "The pods are ready, but the deployment has no model that can be requested: bundle b lists no models"
    );
}

#[test]
fn of_a_deployment_whose_pods_are_deleted_alone_nobody_says_that_it_is_deleted() {
    let leaving = |mut pod: Value| {
        pod["metadata"]["deletionTimestamp"] = "2026-11-30T10:00:00Z".into();
        pod
    };
    let drained = deployment(None, vec![leaving(cache(ready())), leaving(main(ready()))]);
    assert_eq!(drained.state, DeploymentState::Deploying);
    check(
        &drained,
        KnownFacts::default(),
        Some((
            "All pods of the deployment are being deleted, but the deployment is not: new pods replace them once they \
             have stopped",
            "describe bundledeployments.sambanova.ai d",
        )),
    );
}

#[test]
fn a_pod_whose_status_cannot_be_read_makes_the_deployment_unknown_with_the_field() {
    let mut odd = main(ready());
    odd["status"]["containerStatuses"] = json!({"inf": {"ready": true}});
    let unknown = deployment(None, vec![cache(ready()), odd]);
    assert_eq!(unknown.state, DeploymentState::Unknown);
    check(
        &unknown,
        KnownFacts::default(),
        Some((
            "It is unknown whether the default pod is ready, since its status cannot be read: \
             status.containerStatuses is a map, not a list. A request may still work",
            "get pod inf-d-q-default-n-0 -o jsonpath={.status}",
        )),
    );
}

#[test]
fn a_scheduler_that_fails_is_not_a_cluster_that_is_full() {
    let mut pod = unscheduled("plugin crashed");
    pod["status"]["conditions"][0]["reason"] = "SchedulerError".into();
    check(
        &deployment(None, vec![cache(ready()), pod]),
        KnownFacts::default(),
        Some((
            "The scheduler failed to place the default pod: plugin crashed",
            "describe pod inf-d-q-default-n-0",
        )),
    );
}
