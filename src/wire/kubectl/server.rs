//! Errors that the API server returns.

use super::{KubectlFault, MAY_NOT, Reading, between, reading};

pub(super) fn read(last: &str) -> Option<Reading> {
    if last.contains("You must be logged in to the server") || last.contains("(Unauthorized)") {
        return Some(reading(
            KubectlFault::Unauthorized,
            "The cluster rejected your credentials",
            "The token or client certificate in the kubeconfig has probably expired or been revoked. \
             Log in again, or ask for a new kubeconfig",
        ));
    }
    if last.contains("(Expired)")
        || last.contains("(Gone)")
        || last.contains("too old resource version")
    {
        return Some(reading(
            KubectlFault::Expired,
            "The cluster no longer has the changes since the last update",
            "Refresh to list everything again",
        ));
    }
    if last.contains("(MethodNotAllowed)") {
        return Some(reading(
            KubectlFault::NotAllowed,
            "The API server does not allow this request for this resource",
            "A proxy between kubectl and the API server may block watches. Ask the cluster's administrator",
        ));
    }
    if last.contains("HTTP request to an HTTPS server") {
        return Some(reading(
            KubectlFault::HttpsOnHttp,
            "The kubeconfig says http, but the server speaks https",
            "Use https:// in the server's address in the kubeconfig",
        ));
    }
    if last.contains("(BadRequest): the server rejected our request for an unknown reason") {
        // kubectl swallows the server's words; on a plain GET nothing else was seen to cause it.
        return Some(reading(
            KubectlFault::HttpsOnHttp,
            "The server rejected the request, probably because it speaks https where the kubeconfig says http",
            "Use https:// in the server's address in the kubeconfig",
        ));
    }
    if last.contains("the server doesn't have a resource type")
        || last.contains("the server could not find the requested resource")
        || last.contains("(NotFound): Unable to list")
        || last.contains("no matches for kind")
    {
        let kind = between(last, "resource type \"", "\"")
            .or_else(|| between(last, "Resource=", "\""))
            .or_else(|| between(last, "no matches for kind \"", "\""));
        return Some(reading(
            KubectlFault::KindMissing,
            match kind {
                Some(kind) => format!("The cluster has no resource type {kind}"),
                None => "The cluster does not have this resource type".to_owned(),
            },
            "Check that this is the right context and that SambaStack is installed there",
        ));
    }
    read_status(last)
}

/// `Error from server (Reason): message`
fn read_status(last: &str) -> Option<Reading> {
    let code = between(last, "Error from server (", ")");
    let message = last.split_once("): ").map_or(last, |(_, message)| message);
    match code {
        Some("Forbidden") => Some(read_forbidden(message)),
        Some("NotFound") => {
            let object = message.strip_suffix(" not found").unwrap_or(message);
            Some(reading(
                KubectlFault::ObjectMissing,
                format!("{object} does not exist"),
                "Refresh: it may have been deleted. Check the namespace too",
            ))
        }
        Some(
            "ServiceUnavailable" | "TooManyRequests" | "Timeout" | "InternalError"
            | "ServerTimeout",
        ) => {
            let summary = match code {
                Some("TooManyRequests") => {
                    "The cluster's API server is not accepting more requests at the moment"
                }
                Some("InternalError") => "The cluster's API server had an internal error",
                _ => "The cluster's API server is unavailable",
            };
            Some(reading(
                KubectlFault::Overloaded,
                summary,
                "It is overloaded or starting. Try again in a minute",
            ))
        }
        _ => None,
    }
}

fn read_forbidden(message: &str) -> Reading {
    let user = between(message, "User \"", "\"").unwrap_or("this user");
    let verb = between(message, "\" cannot ", " ").unwrap_or("read");
    let resource = between(message, "resource \"", "\"")
        .or_else(|| message.split(" is forbidden").next())
        .unwrap_or("this resource");
    let group = between(message, "in API group \"", "\"").filter(|group| !group.is_empty());
    let place = between(message, "in the namespace \"", "\"");
    let full = group.map_or_else(
        || resource.to_owned(),
        |group| format!("{resource}.{group}"),
    );
    let summary = match place {
        Some(namespace) => format!("{user}{MAY_NOT}{verb} {full} in the namespace {namespace}"),
        None => format!("{user}{MAY_NOT}{verb} {full}"),
    };
    let advice = match place {
        Some(namespace) => format!(
            "Ask the cluster's administrator for a role that allows get and list of {full} in {namespace}, or choose \
             another context or namespace"
        ),
        None => {
            format!("Ask the cluster's administrator for a role that allows get and list of {full}")
        }
    };
    reading(KubectlFault::Forbidden, summary, advice)
}
