//! Why an image cannot be pulled.

use crate::domain::deployment::{ClusterEvent, Diagnosis, PodBrief};

use super::needs_action;
use crate::domain::printable;

/// How much of the node's message is quoted, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

const REASONS: [&str; 7] = [
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
];

/// The first container of the pod whose image cannot be pulled, and why.
pub(super) fn cause(pod: &PodBrief, events: &[&ClusterEvent]) -> Option<Diagnosis> {
    let container = pod
        .details
        .iter()
        .find(|it| !it.ready && REASONS.contains(&it.reason.as_str()))?;
    // After the first attempt the status only says that the kubelet backs off. The event still has the registry's
    // message.
    let tried = |event: &&&ClusterEvent| {
        event.object == pod.name
            && event.warning
            && event.message.starts_with("Failed to pull image")
    };
    let event = events
        .iter()
        .find(tried)
        .map(|event| event.message.as_str());
    let said = [container.message.as_str(), event.unwrap_or_default()].join("\n");
    let cause = match container.reason.as_str() {
        "InvalidImageName" => "its name is not a valid image name".to_owned(),
        "ErrImageNeverPull" => "the node does not have it, and its pull policy is Never".to_owned(),
        "SignatureValidationFailed" => "its signature is not accepted".to_owned(),
        "ImageInspectError" => {
            let why = if container.message.is_empty() {
                String::new()
            } else {
                format!(": {}", container.message)
            };
            format!("the node's container runtime cannot read the image that it has{why}")
        }
        _ => {
            // The reason why the kubelet backs off says less than the event.
            let message = event.unwrap_or(&container.message).trim();
            let message = printable::cut(message, MAX_MESSAGE_CHARS);
            match (why(&said), &*message) {
                (Some(why), "") => why.to_owned(),
                (Some(why), message) => format!("{why}. The node reports: {message}"),
                (None, "") => "its node does not report why".to_owned(),
                (None, message) => format!("the node reports: {message}"),
            }
        }
    };
    let sentence = format!(
        "The image of container {} in the {} pod cannot be pulled: {cause}",
        container.name, pod.group
    );
    Some(needs_action(sentence, &["describe", "pod", &pod.name]))
}

/// Words of messages and what they tell, the more certain first. What a message names in quotes counts for nothing.
const CAUSES: [(&[&str], &str); 10] = [
    (
        &["no space left on device", "disk quota exceeded"],
        "the node has no space left for it",
    ),
    (
        &[
            "toomanyrequests",
            "too many requests",
            "rate limit",
            "status 429",
            "status code 429",
            "429:",
        ],
        "the registry's rate limit was reached (429, too many requests); the node will try again later",
    ),
    (
        &["x509:", "certificate", "tls: "],
        "the node does not trust the registry's certificate",
    ),
    (
        &[
            "unexpected commit digest",
            "digest mismatch",
            "size validation",
        ],
        "what arrived is not this image (its digest or size is another one): the registry, or a proxy before it, delivers damaged data",
    ),
    (
        &[
            "500 internal server error",
            "502 bad gateway",
            "503 service unavailable",
            "504 gateway time",
        ],
        "the registry, or a proxy before it, failed (an HTTP status of 500 or more); the node will try again later",
    ),
    (
        &["proxyconnect"],
        "the node cannot reach the proxy that it uses for the registry",
    ),
    (
        &["http response to https client"],
        "the registry speaks http, but the node connects over https",
    ),
    (
        &["no route to host", "network is unreachable"],
        "the node has no route to the registry",
    ),
    (
        &[
            "no such host",
            "server misbehaving",
            "temporary failure in name resolution",
        ],
        "the node cannot resolve the registry's host name",
    ),
    (
        &[
            "connection refused",
            "connection reset",
            "i/o timeout",
            "deadline exceeded",
            "timeout",
            "dial tcp",
        ],
        "the node cannot reach the registry",
    ),
];

/// What is told where none of [`CAUSES`] is, and the connection did not just end.
const VAGUER_CAUSES: [(&[&str], &str); 3] = [
    (
        &[
            "no match for platform",
            "no matching manifest",
            "exec format",
        ],
        "the registry has it only for another processor architecture",
    ),
    (
        &[
            "unauthorized",
            "access denied",
            "denied:",
            "authentication required",
            "authorization failed",
            "401",
            "403 forbidden",
            "no basic auth credentials",
        ],
        "the registry rejects the credentials (imagePullSecrets)",
    ),
    (
        &[
            "not found",
            "manifest unknown",
            "name unknown",
            "does not exist",
            "manifest invalid",
        ],
        "the registry has no such image",
    ),
];

/// The cause that the message of the registry or the container runtime points to; `None` for one that is not known.
fn why(said: &str) -> Option<&'static str> {
    let words = without_quotes(said).to_lowercase();
    let find = |causes: &[(&[&str], &'static str)]| {
        let cause = (causes.iter()).find(|(any, _)| any.iter().any(|part| words.contains(part)));
        cause.map(|(_, told)| *told)
    };
    let has_ended = || words.lines().any(|line| line.trim_end().ends_with("eof"));
    find(&CAUSES)
        .or_else(|| {
            has_ended().then_some(
                "the registry, or a proxy before it, closed the connection; the node will try again later",
            )
        })
        .or_else(|| find(&VAGUER_CAUSES))
}

/// Removes the quoted names of images and addresses, which may contain any word.
fn without_quotes(text: &str) -> String {
    text.replace("\\\"", "\"")
        .split('"')
        .step_by(2)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests;
