//! Looks for a source of metrics, once.

use super::source::{NOT_KNOWN, POD_TIMEOUT, Pods};
use crate::domain::plan::Plan;
use crate::engine::cluster;
use crate::io::api::{Api, MetricsPage};
use crate::io::kubectl::Kubectl;
use crate::metrics::scrape;
use crate::sambastack::metrics_pods;

/// More pods are not tried: each try is a kubectl.
const MAX_TRIES: usize = 8;
/// More pods are not read.
const MAX_PODS: usize = 4;

/// The deployments of a plan.
pub(super) fn deployments(plan: &Plan) -> Vec<String> {
    let mut names: Vec<String> = plan
        .targets
        .iter()
        .filter_map(|target| target.deployment.clone())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// A page that was asked for. It is not tried: it may be there later.
pub(super) async fn page(api: &Api, url: &str) -> Result<MetricsPage, String> {
    let (api, url) = (api.clone(), url.to_owned());
    // Reads certificates.
    let opening = tokio::task::spawn_blocking(move || api.metrics_page(&url));
    let opened = opening.await.map_err(|error| error.to_string())?;
    opened.map_err(|failure| failure.summary)
}

/// The API's own page: one try at each address where it may be.
pub(super) async fn own_page(api: &Api) -> Result<MetricsPage, String> {
    let mut whys = Vec::new();
    for address in api.metrics_addresses() {
        let mut page = page(api, &address).await?;
        match page.read().await {
            Ok(text) if scrape::read(&text, "").is_some() => return Ok(page),
            Ok(_) => whys.push(format!("{address} has {NOT_KNOWN}")),
            Err(why) => whys.push(format!("{address}: {why}")),
        }
    }
    Err(whys.join("; "))
}

/// The pods of these deployments and the router's whose pages are known.
pub(super) async fn pods(
    kubectl: Option<&Kubectl>,
    deployments: &[String],
) -> Result<Pods, String> {
    let Some(kubectl) = kubectl else {
        return Err("this environment has no cluster".to_owned());
    };
    let told = |error: crate::io::kubectl::KubectlError| format!("pods: {}", error.failure.summary);
    let prefix = cluster::server_path(kubectl)
        .await
        .map_err(told)?
        .unwrap_or_default();
    let path = format!("{prefix}/api/v1/namespaces/{}/pods", kubectl.namespace);
    let list = kubectl
        .run(&["get", "--raw", &path], kubectl.patience)
        .await
        .map_err(told)?;
    let Some(found) = metrics_pods::find(&list, deployments) else {
        return Err("the list of pods could not be read".to_owned());
    };
    if found.is_empty() {
        let of = if deployments.is_empty() {
            "deployments"
        } else {
            "deployment"
        };
        return Err(format!(
            "no pod of the {of} or of the router in namespace {} has a port for metrics (an annotation \
             prometheus.io/port, or a port named metrics)",
            kubectl.namespace
        ));
    }
    let quiet = Kubectl {
        recorder: kubectl.recorder.silenced(),
        patience: POD_TIMEOUT,
        ..kubectl.clone()
    };
    let mut source = Pods {
        kubectl: quiet,
        prefix,
        pods: Vec::new(),
    };
    let mut whys = Vec::new();
    for pod in found.into_iter().take(MAX_TRIES) {
        match source.read(&pod, "").await {
            Ok(_) => source.pods.push(pod),
            Err(why) => whys.push(why),
        }
        if source.pods.len() == MAX_PODS {
            break;
        }
    }
    if source.pods.is_empty() {
        // The others say the like.
        return Err(whys.swap_remove(0));
    }
    let names: Vec<String> = source
        .pods
        .iter()
        .map(metrics_pods::MetricsPod::told)
        .collect();
    kubectl.recorder.note(format!(
        "Server metrics are read once a second from {}",
        names.join(", ")
    ));
    Ok(source)
}
