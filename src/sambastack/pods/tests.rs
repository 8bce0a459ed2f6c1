//! States of pods, and the deployment's state that follows.

use serde_json::json;

use super::*;

fn pod(status: serde_json::Value, containers: &[&str]) -> Pod {
    let containers: Vec<_> = containers
        .iter()
        .map(|name| json!({"name": name}))
        .collect();
    serde_json::from_value(json!({"spec": {"containers": containers}, "status": status})).unwrap()
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
    let groups: Vec<PodGroup> =
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
        Deploying,
        "all of its pods are being deleted",
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
