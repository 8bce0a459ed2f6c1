//! SambaStack's version on a cluster.

use std::time::Duration;

use serde::Deserialize;

use super::get_at;
use crate::io::helm;
use crate::io::kubectl::Kubectl;

/// How long helm may take, and the question for labels where there is no helm.
const HELM_PATIENCE: Duration = Duration::from_millis(2_500);
const LABELS_PATIENCE: Duration = Duration::from_secs(5);

/// SambaStack's version: from helm, or from the label that its chart puts on what it installs.
pub async fn version(kubectl: &Kubectl) -> Option<String> {
    if let Some(chart) = helm_chart(kubectl, HELM_PATIENCE).await {
        return version_of_chart(&chart).map(str::to_owned);
    }
    let path = format!(
        "/apis/apps/v1/namespaces/{}/deployments?labelSelector=helm.sh/chart&limit=200",
        kubectl.namespace
    );
    let answer = tokio::time::timeout(LABELS_PATIENCE, get_at(kubectl, &path));
    version_of_labels(&answer.await.ok()?.ok()?)
}

/// SambaStack's chart, e.g. `sambastack-2.1.0`, as helm says it. helm may not be installed, and need not be.
pub(in crate::engine) async fn helm_chart(kubectl: &Kubectl, patience: Duration) -> Option<String> {
    chart_of_releases(&helm::releases(kubectl, patience).await?)
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

fn chart_of_releases(printed: &[u8]) -> Option<String> {
    let mut releases: Vec<Release> = serde_json::from_slice(printed).ok()?;
    // The one that is named so comes before its namesakes, e.g. `sambastack-installer`.
    releases.sort_by_key(|release| release.name != "sambastack");
    let mut charts = releases.into_iter().map(|release| release.chart);
    charts.find(|chart| version_of_chart(chart).is_some())
}

fn version_of_labels(printed: &[u8]) -> Option<String> {
    let found: Labelled = serde_json::from_slice(printed).ok()?;
    found.items.iter().find_map(|item| {
        version_of_chart(item.metadata.labels.get("helm.sh/chart")?).map(str::to_owned)
    })
}

/// `2.1.0` of `sambastack-2.1.0`.
pub(in crate::engine) fn version_of_chart(chart: &str) -> Option<&str> {
    chart
        .strip_prefix("sambastack-")
        .filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_charts() {
        let list = br#"[{"name":"other","chart":"sambastack-operator-9.9.9"},
            {"name":"sambastack-b","chart":"sambastack-1.0.0"},
            {"name":"sambastack","namespace":"sambastack","revision":"3","chart":"sambastack-2.1.0","app_version":"x"}]"#;
        assert_eq!(chart_of_releases(list).as_deref(), Some("sambastack-2.1.0"));
        assert_eq!(chart_of_releases(b"[]"), None);
        assert_eq!(chart_of_releases(b"Error: no cluster"), None);
        assert_eq!(version_of_chart("sambastack-2.1.0"), Some("2.1.0"));
        for other in ["sambastack-base-1.0.0", "redis-1.0.0", "<none>", ""] {
            assert_eq!(version_of_chart(other), None, "{other}");
        }
    }

    #[test]
    fn without_helm_the_labels_tell() {
        let list = br#"{"kind":"DeploymentList","items":[{"metadata":{"name":"a"}},
            {"metadata":{"labels":{"helm.sh/chart":"sambastack-2.0.2-rc.1"}}}]}"#;
        assert_eq!(version_of_labels(list).as_deref(), Some("2.0.2-rc.1"));
        assert_eq!(version_of_labels(br#"{"kind":"Status"}"#), None);
    }
}
