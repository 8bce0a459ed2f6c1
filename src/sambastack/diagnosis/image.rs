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

/// The cause that the message of the registry or the container runtime points to; `None` for one that is not known.
fn why(said: &str) -> Option<&'static str> {
    let words = without_quotes(said).to_lowercase();
    let has = |any: &[&str]| any.iter().any(|part| words.contains(part));
    Some(
        if has(&["no space left on device", "disk quota exceeded"]) {
            "the node has no space left for it"
        } else if has(&[
            "toomanyrequests",
            "too many requests",
            "rate limit",
            "status 429",
            "status code 429",
            "429:",
        ]) {
            "the registry's rate limit was reached (429, too many requests); the node will try again later"
        } else if has(&["x509:", "certificate", "tls: "]) {
            "the node does not trust the registry's certificate"
        } else if has(&[
            "unexpected commit digest",
            "digest mismatch",
            "size validation",
        ]) {
            "what arrived is not this image (its digest or size is another one): the registry, or a proxy before it, delivers \
         damaged data"
        } else if has(&[
            "500 internal server error",
            "502 bad gateway",
            "503 service unavailable",
            "504 gateway time",
        ]) {
            "the registry, or a proxy before it, failed (an HTTP status of 500 or more); the node will try again later"
        } else if has(&["proxyconnect"]) {
            "the node cannot reach the proxy that it uses for the registry"
        } else if has(&["http response to https client"]) {
            "the registry speaks http, but the node connects over https"
        } else if has(&["no route to host", "network is unreachable"]) {
            "the node has no route to the registry"
        } else if has(&[
            "no such host",
            "server misbehaving",
            "temporary failure in name resolution",
        ]) {
            "the node cannot resolve the registry's host name"
        } else if has(&[
            "connection refused",
            "connection reset",
            "i/o timeout",
            "deadline exceeded",
            "timeout",
            "dial tcp",
        ]) {
            "the node cannot reach the registry"
        } else if words.lines().any(|line| line.trim_end().ends_with("eof")) {
            "the registry, or a proxy before it, closed the connection; the node will try again later"
        } else if has(&[
            "no match for platform",
            "no matching manifest",
            "exec format",
        ]) {
            "the registry has it only for another processor architecture"
        } else if has(&[
            "unauthorized",
            "access denied",
            "denied:",
            "authentication required",
            "authorization failed",
            "401",
            "403 forbidden",
            "no basic auth credentials",
        ]) {
            "the registry rejects the credentials (imagePullSecrets)"
        } else if has(&[
            "not found",
            "manifest unknown",
            "name unknown",
            "does not exist",
            "manifest invalid",
        ]) {
            "the registry has no such image"
        } else {
            return None;
        },
    )
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
mod tests {
    use super::*;

    /// As container runtimes write it; `registry` and the image are made up.
    #[test]
    fn each_way_to_miss_an_image_is_told_apart() {
        let pull = |why: &str| {
            format!(
                "Failed to pull image \"r.example/401-unauthorized/x509:not-found\": rpc error: code = Unknown desc = {why}"
            )
        };
        for (said, told) in [
            (
                "failed to pull and unpack image \"r.example/m:1\": failed to extract layer sha256:12: write /var/lib/containerd/x: no space left on device: unknown",
                "no space",
            ),
            (
                "failed to resolve reference \"docker.io/m:1\": unexpected status from HEAD request to https://registry-1.docker.io/v2/m/manifests/1: 429 Too Many Requests",
                "429",
            ),
            (
                "Error response from daemon: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating",
                "429",
            ),
            (
                "failed to do request: Head \"https://r.example/v2/m/manifests/1\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
                "trust",
            ),
            (
                "failed to do request: Head \"https://r.example/v2/\": http: server gave HTTP response to HTTPS client",
                "over https",
            ),
            (
                "failed to do request: Head \"https://r.example/v2/\": dial tcp 10.0.0.9:443: connect: no route to host",
                "no route",
            ),
            (
                "failed to do request: Head \"https://r.example/v2/\": dial tcp: lookup r.example on 10.96.0.10:53: no such host",
                "host name",
            ),
            (
                "failed to do request: Head \"https://r.example/v2/\": dial tcp 10.0.0.9:443: i/o timeout",
                "cannot reach",
            ),
            (
                "dial tcp 10.0.0.9:443: connect: connection refused",
                "cannot reach",
            ),
            (
                "failed to pull and unpack image \"r.example/m:1\": no match for platform in manifest: not found",
                "processor",
            ),
            (
                "failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://r.example/token: 401 Unauthorized",
                "credentials",
            ),
            (
                "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
                "credentials",
            ),
            (
                "failed to resolve reference \"r.example/m:1\": r.example/m:1: not found",
                "no such image",
            ),
            (
                "manifest unknown: manifest tagged by \"1\" is not found",
                "no such image",
            ),
            ("EOF", "closed the connection"),
            (
                "failed to copy: short read: expected 10 bytes but got 5: unexpected EOF",
                "closed the connection",
            ),
            (
                "failed to pull and unpack image: unexpected status code 500 Internal Server Error",
                "an HTTP status of 500",
            ),
            (
                "unexpected status from HEAD request: 503 Service Unavailable",
                "an HTTP status of 500",
            ),
            (
                "failed commit on ref: unexpected commit digest sha256:aa, expected sha256:bb",
                "not this image",
            ),
            (
                "proxyconnect tcp: dial tcp 10.0.0.9:3128: connect: connection refused",
                "the proxy",
            ),
        ] {
            let why = why(&pull(said));
            assert!(why.is_some_and(|why| why.contains(told)), "{said}: {why:?}");
        }
        assert_eq!(why(&pull("port 4290 refused")), None);
    }
}
