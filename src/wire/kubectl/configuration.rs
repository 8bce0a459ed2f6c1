//! Faults of the kubeconfig.

use super::{Advice, KubectlFault, Reading, after, between, reading};
use crate::domain::system::System;

pub(super) fn read(words: &str, last: &str) -> Option<Reading> {
    let context = after(words, "context was not found for specified context: ")
        .or_else(|| between(words, "context \"", "\" does not exist"))
        .or_else(|| after(words, "cannot locate context "));
    if let Some(context) = context {
        let context = context.trim_matches('"');
        return Some(reading(
            KubectlFault::ContextMissing,
            format!("The kubeconfig has no context {context}"),
            Advice::by_face(
                "Choose one of its contexts in the environment's settings",
                "Pass one of its contexts with --context (`kubectl config get-contexts` lists them)",
            ),
        ));
    }
    for (kind, mark) in [
        (
            "certificate authority",
            "unable to read certificate-authority ",
        ),
        ("client certificate", "unable to read client-cert "),
        ("client key", "unable to read client-key "),
    ] {
        let Some(rest) = after(words, mark) else {
            continue;
        };
        let path = rest.split(" for ").next().unwrap_or(rest);
        return Some(reading(
            KubectlFault::CertFileMissing,
            format!("The kubeconfig names a {kind} file that cannot be read: {path}"),
            "Put the file there, or correct its path in the kubeconfig (relative paths start at the kubeconfig's \
             folder)",
        ));
    }
    if let Some(rest) = after(words, "error loading config file \"") {
        return Some(unloadable(rest));
    }
    if let Some(path) = between(last, "stat ", ": no such file or directory") {
        return Some(reading(
            KubectlFault::KubeconfigMissing,
            format!("The kubeconfig {path} does not exist"),
            Advice::by_face(
                "Choose another file in the environment's settings",
                "Pass another file with --kubeconfig",
            ),
        ));
    }
    let broken = [
        "invalid configuration: ",
        "Missing or incomplete configuration info",
        "unable to load root certificates",
    ]
    .iter()
    .any(|mark| words.contains(mark));
    (broken || last.contains("tls: failed to find any PEM data") || last.contains("illegal base64 data")).then(|| {
        reading(
            KubectlFault::KubeconfigBroken,
            "The kubeconfig is incomplete or broken",
            "Compare it with the file that your cluster's administrator gave you. The details show what is wrong",
        )
    })
}

/// A kubeconfig that kubectl could not load; `rest` is its path and kubectl's reason.
fn unloadable(rest: &str) -> Reading {
    let (path, why) = rest
        .split_once("\": ")
        .unwrap_or((rest.trim_end_matches('"'), ""));
    let (summary, advice) = if why.contains("permission denied") {
        (
            format!("The kubeconfig {path} cannot be read: permission denied"),
            System::HERE.readable_advice(),
        )
    } else if why.contains("is a directory") {
        (
            format!("The kubeconfig {path} is a folder"),
            "Choose the file in it",
        )
    } else {
        let advice = "Compare it with the file that your cluster's administrator gave you. The \
                          details show where the error is";
        (format!("The kubeconfig {path} is not valid"), advice)
    };
    reading(KubectlFault::KubeconfigBroken, summary, advice)
}
