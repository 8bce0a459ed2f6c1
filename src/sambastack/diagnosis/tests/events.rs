//! Causes that only the events show.

use super::*;

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
            "The node cannot set up the sandbox and the network of the default pod: Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: plugin type=\"calico\" failed (add): no IPs available",
        ),
    ] {
        let events = json!([event("Pod", MAIN, reason, message)]);
        check_said(
            vec![cache(ready()), creating()],
            events.clone(),
            sentence,
            "describe pod inf-d-q-default-n-0",
        );
        // A running container has its volume, whatever earlier events say.
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
            "The pods would exceed the namespace's quota team (requested: sambanova.ai/rdu=16, used: 64, limited: 64), so they cannot be created",
            "describe resourcequota team",
        ),
        (
            set(
                "admission webhook \"policy.example.com\" denied the request: images must be signed",
            ),
            "The admission webhook policy.example.com rejected the pods: images must be signed",
            "describe statefulset inf-d-cache",
        ),
        (
            event(
                "ReplicaSet",
                "inf-d-q-default-n-7d9f8c6b5",
                "FailedCreate",
                "Error creating: Internal error occurred: failed calling webhook \"inject.example.com\": failed to call webhook: Post \"https://inject.x.svc:443/mutate?timeout=10s\": no endpoints available for service \"inject\"",
            ),
            "The admission webhook inject.example.com does not answer, so the pods cannot be created: no endpoints available for service \"inject\"",
            "describe replicaset inf-d-q-default-n-7d9f8c6b5",
        ),
        (
            event(
                "ReplicaSet",
                "inf-d-q-default-n-7d9f8c6b5",
                "FailedCreate",
                "Error creating: pods \"inf-d-q-default-n-7d9f8c6b5-\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"inf\" must set securityContext.allowPrivilegeEscalation=false)",
            ),
            "The namespace's pod security level restricted:latest does not allow the pods: allowPrivilegeEscalation != false (container \"inf\" must set securityContext.allowPrivilegeEscalation=false)",
            "describe replicaset inf-d-q-default-n-7d9f8c6b5",
        ),
        (
            set(
                "pods \"inf-d-cache-0\" is forbidden: error looking up service account ns/samba: serviceaccount \"samba\" not found",
            ),
            "The service account samba does not exist, so the pods cannot be created",
            "describe statefulset inf-d-cache",
        ),
        (
            event(
                "BundleDeployment",
                "d",
                "FailedCreate",
                "the operator may not create statefulsets.",
            ),
            "The pods cannot be created: the operator may not create statefulsets",
            "describe bundledeployments.sambanova.ai d",
        ),
    ] {
        check_said(Vec::new(), json!([event]), sentence, command);
    }
    // The pod that could not be created exists now.
    let event = set("exceeded quota: team, requested: sambanova.ai/rdu=16");
    assert_eq!(
        said(vec![cache(starting())], json!([event])).0,
        Progress::Starting
    );
    let event = set("exceeded quota: team, requested: sambanova.ai/rdu=16");
    check_said(
        vec![main(starting())],
        json!([event]),
        "The pods would exceed the namespace's quota team (requested: sambanova.ai/rdu=16), so they cannot be created",
        "describe resourcequota team",
    );
}
