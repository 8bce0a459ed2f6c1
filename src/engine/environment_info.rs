//! Collects information about the environment of a session from the cluster, in the background. What is not available is
//! omitted.

use std::time::Duration;

use super::cluster;
use crate::domain::run::{DeploymentBrief, EnvironmentInfo};
use crate::io::kubectl::Kubectl;

/// The time limit of each request.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// Collects the versions, and information about these deployments.
pub async fn collect(kubectl: &Kubectl, deployments: &[String]) -> EnvironmentInfo {
    let kubectl = Kubectl {
        patience: TIMEOUT,
        ..kubectl.clone()
    };
    let (client, server, sambastack, deployments) = tokio::join!(
        in_time(cluster::client_version(&kubectl)),
        in_time(cluster::server_version(&kubectl)),
        cluster::release::version(&kubectl),
        briefs(&kubectl, deployments),
    );
    EnvironmentInfo {
        kubectl: client,
        kubernetes: server,
        sambastack,
        deployments,
    }
}

async fn in_time<T, E>(asking: impl Future<Output = Result<T, E>>) -> Option<T> {
    tokio::time::timeout(TIMEOUT, asking).await.ok()?.ok()
}

async fn briefs(kubectl: &Kubectl, names: &[String]) -> Vec<DeploymentBrief> {
    if names.is_empty() {
        return Vec::new();
    }
    let view = in_time(cluster::load(kubectl)).await.unwrap_or_default();
    let brief = |name: &String| {
        let found = view
            .deployments
            .iter()
            .find(|deployment| deployment.name == *name)?;
        let kind = found.generation.kind().to_owned();
        Some(DeploymentBrief {
            name: name.clone(),
            kind,
            bundle: found.bundle.clone(),
        })
    };
    names.iter().filter_map(brief).collect()
}
