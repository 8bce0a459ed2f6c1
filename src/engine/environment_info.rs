//! Collects information about the environment of a session from the cluster, in the background. What is not available is
//! omitted.

use std::time::Duration;

use serde::Deserialize;

use super::cluster;
use crate::domain::run::{DeploymentBrief, EnvironmentInfo};
use crate::io::helm;
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
        version(&kubectl),
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

/// SambaStack's version: from helm, or from the labels that its chart sets.
pub async fn version(kubectl: &Kubectl) -> Option<String> {
    if let Some(printed) = helm::releases(kubectl, TIMEOUT / 2).await
        && let Some(version) = version_of_releases(&printed)
    {
        return Some(version);
    }
    let path = format!(
        "/apis/apps/v1/namespaces/{}/deployments?labelSelector=helm.sh/chart&limit=200",
        kubectl.namespace
    );
    version_of_labels(&in_time(cluster::get_at(kubectl, &path)).await?)
}

#[derive(Deserialize)]
struct Release {
    name: String,
    chart: String,
}

#[derive(Deserialize)]
struct Labelled {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

fn version_of_releases(printed: &[u8]) -> Option<String> {
    let releases: Vec<Release> = serde_json::from_slice(printed).ok()?;
    // The release with this exact name comes before e.g. `sambastack-installer`.
    let own = releases.iter().find(|release| release.name == "sambastack");
    own.into_iter()
        .chain(&releases)
        .find_map(|release| version_of_chart(&release.chart))
}

fn version_of_labels(printed: &[u8]) -> Option<String> {
    let found: Labelled = serde_json::from_slice(printed).ok()?;
    found
        .items
        .iter()
        .find_map(|item| version_of_chart(item.metadata.labels.get("helm.sh/chart")?))
}

/// `2.1.0` of `sambastack-2.1.0`.
fn version_of_chart(chart: &str) -> Option<String> {
    let version = chart.strip_prefix("sambastack-")?;
    version
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_charts() {
        let list = br#"[{"name":"other","chart":"sambastack-operator-9.9.9"},
            {"name":"sambastack-b","chart":"sambastack-1.0.0"},
            {"name":"sambastack","namespace":"sambastack","revision":"3","chart":"sambastack-2.1.0","app_version":"x"}]"#;
        assert_eq!(version_of_releases(list).as_deref(), Some("2.1.0"));
        assert_eq!(version_of_releases(b"[]"), None);
        assert_eq!(version_of_releases(b"Error: no cluster"), None);
    }

    #[test]
    fn without_helm_the_version_comes_from_labels() {
        let list = br#"{"kind":"DeploymentList","items":[{"metadata":{"name":"a"}},
            {"metadata":{"labels":{"helm.sh/chart":"sambastack-2.0.2-rc.1"}}}]}"#;
        assert_eq!(version_of_labels(list).as_deref(), Some("2.0.2-rc.1"));
        assert_eq!(version_of_labels(br#"{"kind":"Status"}"#), None);
    }
}
