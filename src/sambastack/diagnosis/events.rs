//! Causes that only events show: pods that cannot be created, and missing volumes or networks.

use crate::domain::deployment::{ClusterEvent, Deployment, Diagnosis, PodBrief};

use super::needs_action;

/// Why pods of the deployment cannot be created.
pub(super) fn not_created(deployment: &Deployment, events: &[&ClusterEvent]) -> Option<Diagnosis> {
    let event = events
        .iter()
        .find(|event| event.reason == "FailedCreate" && is_missing(deployment, event))?;
    let message = event.message.trim().trim_end_matches('.');
    if let Some(name) = between(message, "exceeded quota: ", &[',']) {
        // The pods may ask for more than what is left, while some is left.
        let figures = message
            .split_once(&format!("exceeded quota: {name}, "))
            .map(|(_, figures)| format!(" ({})", figures.trim()))
            .unwrap_or_default();
        let sentence = format!(
            "The pods would exceed the namespace's quota {name}{figures}, so they cannot be created"
        );
        return Some(needs_action(sentence, &["describe", "resourcequota", name]));
    }
    let sentence = if let Some(hook) = between(message, "failed calling webhook \"", &['"']) {
        format!(
            "The admission webhook {hook} does not answer, so the pods cannot be created: {}",
            tail(message)
        )
    } else if let Some(hook) = between(message, "admission webhook \"", &['"']) {
        format!(
            "The admission webhook {hook} rejected the pods: {}",
            after(message, "denied the request: ")
        )
    } else if let Some(level) = between(message, "violates PodSecurity \"", &['"']) {
        let what = after(message, &format!("violates PodSecurity \"{level}\": "));
        format!("The namespace's pod security level {level} does not allow the pods: {what}")
    } else if let Some(account) = between(message, "serviceaccount \"", &['"']) {
        format!("The service account {account} does not exist, so the pods cannot be created")
    } else {
        format!("The pods cannot be created: {message}")
    };
    let kind = event.kind.to_lowercase();
    let object = match event.object == deployment.name {
        true => super::resource(deployment),
        false => kind,
    };
    Some(needs_action(
        sentence,
        &["describe", &object, &event.object],
    ))
}

/// Whether the pod that could not be created is still missing.
fn is_missing(deployment: &Deployment, event: &ClusterEvent) -> bool {
    let mut pods = deployment.pods.iter();
    if let Some(name) = between(&event.message, "create Pod ", &[' ']) {
        return !pods.any(|pod| pod.name == name);
    }
    if event.object == deployment.name {
        return deployment.pods.is_empty();
    }
    !pods.any(|pod| {
        pod.name
            .strip_prefix(&event.object)
            .is_some_and(|tail| tail.starts_with('-'))
    })
}

/// The obstacle of a pod that has a node but no containers yet.
pub(super) fn held_up(pod: &PodBrief, events: &[&ClusterEvent]) -> Option<Diagnosis> {
    // A container that runs has its volumes and its network.
    if pod
        .details
        .iter()
        .any(|container| container.started.is_some() || container.restarts > 0)
    {
        return None;
    }
    let own = events
        .iter()
        .filter(|event| event.warning && event.object == pod.name);
    own.into_iter().find_map(|event| {
        let message = event.message.trim().trim_end_matches('.');
        let what = match event.reason.as_str() {
            "FailedMount" | "FailedMapVolume" => "A volume of the {} pod cannot be mounted",
            "FailedAttachVolume" => "A volume of the {} pod cannot be attached to its node",
            "FailedCreatePodSandBox" | "FailedCreatePodContainer" | "FailedPodSandBoxStatus" => {
                "The node cannot set up the sandbox and the network of the {} pod"
            }
            "NetworkNotReady" => "The network of the {} pod's node is not ready",
            "FailedSync" => "The node cannot start the {} pod",
            _ => return None,
        };
        let sentence = format!("{}: {message}", what.replace("{}", &pod.group));
        Some(needs_action(sentence, &["describe", "pod", &pod.name]))
    })
}

/// A volume claim of the pod that is not bound.
pub(super) fn claim(pod: &PodBrief, events: &[&ClusterEvent]) -> Option<Diagnosis> {
    let is_its = |event: &&&ClusterEvent| {
        event.kind == "PersistentVolumeClaim"
            && event.warning
            && event
                .object
                .strip_suffix(&pod.name)
                .is_some_and(|front| front.ends_with('-'))
    };
    let ClusterEvent {
        object, message, ..
    } = events.iter().find(is_its)?;
    let message = message.trim().trim_end_matches('.');
    let sentence = format!(
        "The volume claim {object} of the {} pod is not bound: {message}",
        pod.group
    );
    Some(needs_action(sentence, &["describe", "pvc", object]))
}

/// The probe because of which the kubelet stopped the container.
pub(super) fn killed_by_probe(
    pod: &PodBrief,
    container: &str,
    events: &[&ClusterEvent],
) -> Option<&'static str> {
    let is_it = |event: &&&ClusterEvent| {
        event.object == pod.name
            && event.reason == "Killing"
            && event
                .message
                .starts_with(&format!("Container {container} failed "))
    };
    let message = &events.iter().find(is_it)?.message;
    ["startup probe", "liveness probe"]
        .into_iter()
        .find(|probe| message.contains(probe))
}

fn between<'a>(text: &'a str, start: &str, ends: &[char]) -> Option<&'a str> {
    let rest = text.split_once(start)?.1;
    Some(rest.split(ends).next().unwrap_or(rest).trim()).filter(|found| !found.is_empty())
}

/// The text after `part`; the whole text if it does not contain `part`.
fn after<'a>(text: &'a str, part: &str) -> &'a str {
    text.split_once(part).map_or(text, |(_, rest)| rest).trim()
}

/// The last part of an error's chain.
fn tail(text: &str) -> &str {
    text.rsplit_once("\": ")
        .map_or(text, |(_, rest)| rest)
        .trim()
}
