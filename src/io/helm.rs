//! Runs helm, which knows SambaStack's version. It may not be installed.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::access::quote;
use super::group::Group;
use super::kubectl::{Kubeconfig, Kubectl};
use crate::protocol::ActivityKind;

const MAX_OUTPUT_BYTES: u64 = 4 << 20;

/// The output of `helm list -o json` for kubectl's cluster and namespace; `None` without helm, or if it fails or takes
/// longer than `patience`. Dropping the future kills helm.
pub async fn releases(kubectl: &Kubectl, patience: Duration) -> Option<Vec<u8>> {
    let mut args: Vec<OsString> = ["list", "-n", &kubectl.namespace, "-o", "json"]
        .map(Into::into)
        .into();
    match &kubectl.kubeconfig {
        // The demo's cluster is simulated.
        Kubeconfig::BuiltIn => return None,
        // helm would ask for a login, too.
        _ if !kubectl.needs_no_login() => return None,
        Kubeconfig::Default => {}
        Kubeconfig::File(path) => args.extend(["--kubeconfig".into(), path.into()]),
    }
    if let Some(context) = &kubectl.context {
        args.extend(["--kube-context".into(), context.into()]);
    }
    let words = args.iter().map(|arg| quote(&arg.to_string_lossy()));
    let line = std::iter::once("helm".to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ");
    let mut command = Command::new("helm");
    command.args(&args);
    kubectl.hide_from(&mut command);
    command.envs(kubectl.env.iter().map(|(name, value)| (name, value)));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    // Where helm is not installed nothing was run, and Activity lists nothing.
    let (mut child, mut group) = Group::start(&mut command).ok()?;
    let recording = kubectl.recorder.begin(ActivityKind::Kubectl, line);
    let asking = async {
        let mut printed = Vec::new();
        child
            .stdout
            .take()?
            .take(MAX_OUTPUT_BYTES)
            .read_to_end(&mut printed)
            .await
            .ok()?;
        let status = child.wait().await.ok()?;
        group.release();
        status.success().then_some(printed)
    };
    let printed = tokio::time::timeout(patience, asking).await.ok().flatten();
    match &printed {
        Some(_) => recording.end(true, "ok"),
        None => recording.end(false, "no answer that can be read"),
    }
    printed
}
