//! The checks of `--in-cluster`: whether this user may do what workers in the cluster take, one right at a time.

use std::time::Instant;

use super::{bad, good};
use crate::io::kubectl::{Kubectl, KubectlError};
use crate::protocol::{Check, Verdict};
use crate::wire::worker::job::{RIGHTS, Right};

/// Asks for each right in `namespace`; each is reported when it is known.
pub async fn run(kubectl: &Kubectl, namespace: &str, mut tell: impl FnMut(Check)) {
    for right in &RIGHTS {
        tell(ask(kubectl, namespace, right).await);
    }
}

async fn ask(kubectl: &Kubectl, namespace: &str, right: &Right) -> Check {
    let began = Instant::now();
    let title = format!("{} {}", right.verb, right.told());
    let mut args = vec!["auth", "can-i", right.verb];
    let kind = right.kind();
    args.push(&kind);
    let subresource = format!("--subresource={}", right.subresource);
    if !right.subresource.is_empty() {
        args.push(&subresource);
    }
    args.extend(["-n", namespace]);
    let allowed = match kubectl.word(&args).await {
        Ok(word) => word.starts_with("yes"),
        Err(KubectlError { failure, .. }) => return bad(&title, &failure, began),
    };
    if allowed {
        return good(
            &title,
            format!("allowed in {namespace}: {}", right.why),
            Some(began),
        );
    }
    let verdict = if right.is_optional {
        Verdict::Warning
    } else {
        Verdict::Bad
    };
    Check {
        verdict,
        advice: "Ask the cluster's administrator for the Role that `batida check --in-cluster --rbac` prints".to_owned(),
        command: kubectl.pasteable(&args[..args.len() - 2]),
        ..good(&title, format!("not allowed in {namespace}: {}", right.why), Some(began))
    }
}
