//! Runs helm, which knows SambaStack's version. It may not be installed.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::kubectl::{Group, Kubeconfig, Kubectl};

const MAX_OUTPUT_BYTES: u64 = 4 << 20;

/// The output of `helm list -o json` for kubectl's cluster and namespace; `None` without helm, or if it fails or takes
/// longer than `patience`. Dropping the future kills helm.
pub async fn releases(kubectl: &Kubectl, patience: Duration) -> Option<Vec<u8>> {
    let mut command = Command::new("helm");
    match &kubectl.kubeconfig {
        // The demo's cluster is simulated.
        Kubeconfig::BuiltIn => return None,
        // helm would ask for a login, too.
        _ if !kubectl.needs_no_login() => return None,
        Kubeconfig::Default => {}
        Kubeconfig::File(path) => {
            command.arg("--kubeconfig").arg(path);
        }
    }
    if let Some(context) = &kubectl.context {
        command.args(["--kube-context", context]);
    }
    command.args(["list", "-n", &kubectl.namespace, "-o", "json"]);
    kubectl.hide_from(&mut command);
    command.envs(kubectl.env.iter().map(|(name, value)| (name, value)));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let asking = async {
        let (mut child, mut group) = Group::start(&mut command).ok()?;
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
    tokio::time::timeout(patience, asking).await.ok().flatten()
}
