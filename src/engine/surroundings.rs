//! What a session runs on, asked of the cluster beside it: it holds up nothing, and what nobody answers is missing.

use std::time::Duration;

use super::cluster;
use crate::domain::run::{DeploymentBrief, Surroundings};
use crate::io::kubectl::Kubectl;

/// How long each question may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for the versions, and for these deployments.
pub async fn ask(kubectl: &Kubectl, deployments: &[String]) -> Surroundings {
    let kubectl = Kubectl {
        patience: PATIENCE,
        ..kubectl.clone()
    };
    let (client, server, sambastack, deployments) = tokio::join!(
        soon(cluster::client_version(&kubectl)),
        soon(cluster::server_version(&kubectl)),
        cluster::release::version(&kubectl),
        briefs(&kubectl, deployments),
    );
    Surroundings {
        kubectl: client,
        kubernetes: server,
        sambastack,
        deployments,
    }
}

async fn soon<T, E>(asking: impl Future<Output = Result<T, E>>) -> Option<T> {
    tokio::time::timeout(PATIENCE, asking).await.ok()?.ok()
}

async fn briefs(kubectl: &Kubectl, names: &[String]) -> Vec<DeploymentBrief> {
    if names.is_empty() {
        return Vec::new();
    }
    let view = soon(cluster::load(kubectl)).await.unwrap_or_default();
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
