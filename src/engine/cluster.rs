//! Reads the state of the cluster with several kubectl commands in parallel.

pub mod ingress;
mod lists;

pub mod release;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use self::lists::{
    ask, ask_all, ask_path, forbidden_at_most, named, named_one, or_failed, unreadable,
};
use crate::domain::deployment::{ClusterEvent, ClusterView};
use crate::domain::printable::cut;
use crate::io::files;
use crate::io::kubectl::{Kubectl, KubectlError};
use crate::protocol::{Contexts, Failure};
use crate::sambastack::events;
use crate::sambastack::lists::{Listed, Lists};
use crate::sambastack::models::view;
use crate::sambastack::resources::looks_like_a_page;
use crate::sambastack::sizes::Sizes;
use crate::sambastack::watch::{AnyListed, ResourceKind};
use crate::wire::kubectl::{KubectlFault, no_api_at_this_address, not_kubernetes};

const SAMBANOVA: &str = "/apis/sambanova.ai/v1alpha1";
/// The time limit for kubectl commands that only read files.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Smaller outputs are parsed in place, since moving them to another thread takes longer.
const PARSE_IN_PLACE_BYTES: usize = 64 << 10;

/// Answers a question about a cluster. Dropping the future ends kubectl.
#[cfg(feature = "gui")]
pub(super) async fn answer(
    kubectl: Option<&Kubectl>,
    question: crate::protocol::ClusterQuestion,
) -> crate::protocol::ClusterAnswer {
    use crate::protocol::{ClusterAnswer, ClusterQuestion};
    let Some(kubectl) = kubectl else {
        return question.kind().failed(no_cluster());
    };
    match question {
        ClusterQuestion::View => ClusterAnswer::View(load(kubectl).await),
        ClusterQuestion::Events => ClusterAnswer::Events(events(kubectl).await),
        ClusterQuestion::Sizes => {
            ClusterAnswer::Sizes(sizes(kubectl).await.map(std::sync::Arc::new))
        }
        ClusterQuestion::Release => ClusterAnswer::Release(Ok(release::version(kubectl).await)),
        ClusterQuestion::Contexts => ClusterAnswer::Contexts(contexts(kubectl).await),
    }
}

/// Why an environment without a cluster is asked nothing about it.
#[cfg(feature = "gui")]
pub(super) fn no_cluster() -> Failure {
    Failure::new(
        "This environment has no cluster",
        "Connect it to a cluster in Environments",
    )
}

/// The deployments in the namespace. Dropping the future ends kubectl.
pub async fn load(kubectl: &Kubectl) -> Result<ClusterView, Failure> {
    // About a thousand small values: not worth another thread.
    Ok(view(&look(kubectl).await?.lists))
}

/// A snapshot of the cluster, and the versions from which changes can be watched.
pub(super) struct Look {
    pub(super) lists: Lists,
    pub(super) versions: Versions,
    /// The path of the server's URL.
    pub(super) prefix: String,
}

/// The resource version of each list.
pub(super) type Versions = HashMap<ResourceKind, String>;

pub(super) async fn look(kubectl: &Kubectl) -> Result<Look, KubectlError> {
    let found = reach(kubectl, |prefix| async move {
        ask_all(kubectl, &prefix).await.map(|found| (found, prefix))
    });
    let ((lists, versions), prefix) = found.await?;
    let lists = named(with_any_generation(lists)?);
    if is_empty(&lists) {
        find_namespace(kubectl, &prefix).await?;
    }
    Ok(Look {
        lists,
        versions,
        prefix,
    })
}

/// Lists one kind, and returns the version from which it can be watched.
pub(super) async fn list_kind(
    kubectl: &Kubectl,
    prefix: &str,
    kind: ResourceKind,
) -> Result<(AnyListed, Option<String>), KubectlError> {
    let path = path_of_kind(prefix, &kubectl.namespace, kind);
    let mut versions = Versions::new();
    macro_rules! list_as {
        ($kind:ident) => {
            AnyListed::$kind(named_one(
                forbidden_at_most(ask(kubectl, path, kind, &mut versions).await)?,
                kind.plural(),
            ))
        };
    }
    let listed = match kind {
        ResourceKind::Pods => list_as!(Pods),
        ResourceKind::BundleDeployments => list_as!(BundleDeployments),
        ResourceKind::Bundles => list_as!(Bundles),
        ResourceKind::ModelDeployments => list_as!(ModelDeployments),
        ResourceKind::ModelBundles => list_as!(ModelBundles),
        ResourceKind::Models => list_as!(Models),
    };
    Ok((listed, versions.remove(&kind)))
}

/// The configured context lengths and batch sizes. Lists that cannot be read contain their failure.
///
/// # Errors
/// When the cluster cannot be reached.
pub async fn sizes(kubectl: &Kubectl) -> Result<Sizes, Failure> {
    let path = |prefix: &str, kind| {
        format!(
            "{prefix}{SAMBANOVA}/namespaces/{}/{kind}",
            kubectl.namespace
        )
    };
    let found = reach(kubectl, |prefix| {
        let (templates, profiles) = (
            path(&prefix, "bundletemplates"),
            path(&prefix, "modelprofiles"),
        );
        async move {
            let templates = async { or_failed(ask_path(kubectl, templates).await) };
            let profiles = async { or_failed(ask_path(kubectl, profiles).await) };
            tokio::try_join!(templates, profiles)
        }
    });
    let ((templates, _), (profiles, _)) = found.await?;
    Ok(Sizes {
        templates: named_one(templates, "bundletemplates"),
        profiles: named_one(profiles, "modelprofiles"),
    })
}

/// The events in the namespace, newest first.
pub async fn events(kubectl: &Kubectl) -> Result<Vec<ClusterEvent>, Failure> {
    let namespace = &kubectl.namespace;
    // Kubernetes keeps events for an hour.
    let path = |prefix: &str| format!("{prefix}/api/v1/namespaces/{namespace}/events?limit=2000");
    let answer = reach(kubectl, |prefix| async move {
        get(kubectl, &path(&prefix)).await
    })
    .await?;
    if looks_like_a_page(&answer) {
        return Err(not_kubernetes(&String::from_utf8_lossy(&answer)));
    }
    events::read(&answer).map_err(|error| unreadable("events", &error, &clip(&answer)))
}

/// The API path of a kind.
pub(super) fn path_of_kind(prefix: &str, namespace: &str, kind: ResourceKind) -> String {
    let group = if kind == ResourceKind::Pods {
        "/api/v1"
    } else {
        SAMBANOVA
    };
    format!("{prefix}{group}/namespaces/{namespace}/{}", kind.plural())
}

/// The contexts of the kubeconfig. Does not contact the cluster.
pub async fn contexts(kubectl: &Kubectl) -> Result<Contexts, Failure> {
    // With a context that does not exist, kubectl would fail.
    let kubectl = Kubectl {
        context: None,
        ..kubectl.clone()
    };
    let config: Config = json(
        &kubectl
            .run(&["config", "view", "-o", "json"], LOCAL_TIMEOUT)
            .await?,
    )?;
    let names = config
        .contexts
        .unwrap_or_default()
        .into_iter()
        .map(|context| context.name)
        .collect();
    Ok(Contexts {
        names,
        current: config.current_context.filter(|name| !name.is_empty()),
    })
}

/// kubectl's default namespace: the context's, else that of the pod in which it runs, else `default`.
///
/// # Errors
/// When the kubeconfig cannot be read.
pub async fn default_namespace(kubectl: &Kubectl) -> Result<String, KubectlError> {
    const OF_POD: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
    let deadline = LOCAL_TIMEOUT.min(kubectl.patience);
    let found = kubectl
        .run(&["config", "view", "--minify", "-o", "json"], deadline)
        .await;
    let namespace = match found {
        Ok(answer) => json::<Config>(&answer)
            .map_err(other)?
            .contexts
            .unwrap_or_default()
            .into_iter()
            .find_map(|it| it.context?.namespace),
        // Without a kubeconfig, kubectl works only in a pod.
        Err(_) if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() => {
            let read = files::read(
                Path::new(OF_POD),
                1_024,
                "The name of a namespace is shorter",
            )
            .await
            .ok();
            read.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
        }
        Err(error) => return Err(error),
    };
    Ok(namespace
        .filter(|it| !it.is_empty())
        .unwrap_or_else(|| "default".to_owned()))
}

/// This kubectl with a namespace: its own, else the context's.
///
/// # Errors
/// As [`default_namespace`].
pub async fn with_namespace(kubectl: &Kubectl) -> Result<Kubectl, KubectlError> {
    let mut found = kubectl.clone();
    if found.namespace.is_empty() {
        found.namespace = default_namespace(kubectl).await?;
    }
    Ok(found)
}

/// kubectl's own version. Does not contact the cluster.
pub async fn client_version(kubectl: &Kubectl) -> Result<String, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Versions {
        client_version: Version,
    }
    // This needs no kubeconfig. A missing one is reported by another check.
    let versions: Versions = json(
        &kubectl
            .run_alone(&["version", "--client", "-o", "json"], LOCAL_TIMEOUT)
            .await?,
    )?;
    Ok(versions.client_version.git_version)
}

/// The version of the cluster's API server.
pub async fn server_version(kubectl: &Kubectl) -> Result<String, Failure> {
    let answer = reach(kubectl, |prefix| async move {
        get(kubectl, &format!("{prefix}/version")).await
    });
    let answer = answer.await?;
    if looks_like_a_page(&answer) {
        return Err(not_kubernetes(&String::from_utf8_lossy(&answer)));
    }
    let version: Version = json(&answer)?;
    Ok(version.git_version)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

/// The output of `kubectl config view -o json`, as far as Batida needs it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Config {
    contexts: Option<Vec<NamedContext>>,
    clusters: Option<Vec<NamedCluster>>,
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Option<ContextEntry>,
}

#[derive(Deserialize)]
struct ContextEntry {
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct NamedCluster {
    cluster: Option<ClusterEntry>,
}

#[derive(Deserialize)]
struct ClusterEntry {
    server: Option<String>,
}

fn json<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(answer).map_err(|error| {
        Failure::new(
            "kubectl's output is not valid",
            "Check the path of kubectl in the environment's settings",
        )
        .with_details(format!("{error}\n{}", clip(answer)))
    })
}

fn clip(answer: &[u8]) -> String {
    cut(&String::from_utf8_lossy(answer), 2_000).into_owned()
}

/// Calls `ask` with the path of the server's URL, which `get --raw` omits.
///
/// Few servers have a path, so `ask` is called without one in the meantime. That result is discarded if there is a path:
/// without it, Rancher responds for another cluster.
async fn reach<T, F>(kubectl: &Kubectl, ask: impl Fn(String) -> F) -> Result<T, KubectlError>
where
    F: Future<Output = Result<T, KubectlError>>,
{
    let mut without = Box::pin(ask(String::new()));
    let prefix = server_path(kubectl);
    tokio::pin!(prefix);
    let mut early = None;
    let prefix = loop {
        tokio::select! {
            prefix = &mut prefix => break prefix,
            found = &mut without, if early.is_none() => early = Some(found),
        }
    };
    if let Ok(Some(prefix)) = prefix {
        drop(without);
        return ask(prefix).await;
    }
    let found = match early {
        Some(found) => found,
        None => without.await,
    };
    match (found, prefix) {
        // Without the path, the response may come from another cluster.
        (Ok(_), Err(why)) => Err(why),
        // The command that contacts the cluster has the better error for a broken kubeconfig.
        (found, _) => found,
    }
}

/// The path of the server's URL, e.g. `/k8s/clusters/c-1`.
pub(super) async fn server_path(kubectl: &Kubectl) -> Result<Option<String>, KubectlError> {
    if !kubectl.may_have_server_path() {
        return Ok(None);
    }
    // Not always local: Google's kubectl requests the server's version first.
    let deadline = LOCAL_TIMEOUT.min(kubectl.patience);
    let answer = kubectl
        .run(&["config", "view", "--minify", "-o", "json"], deadline)
        .await?;
    let server = serde_json::from_slice::<Config>(&answer)
        .ok()
        .and_then(|config| config.clusters?.into_iter().next()?.cluster?.server);
    Ok(server.as_deref().and_then(path_of))
}

fn path_of(server: &str) -> Option<String> {
    let with_scheme = if server.contains("://") {
        server.to_owned()
    } else {
        format!("https://{server}")
    };
    let url = Url::parse(&with_scheme).ok()?;
    let path = url.path().trim_end_matches('/');
    (!path.is_empty()).then(|| path.to_owned())
}

/// The API server's response for a path below its URL.
pub(super) async fn get_at(kubectl: &Kubectl, path: &str) -> Result<Vec<u8>, KubectlError> {
    reach(kubectl, |prefix| async move {
        get(kubectl, &format!("{prefix}{path}")).await
    })
    .await
}

async fn get(kubectl: &Kubectl, path: &str) -> Result<Vec<u8>, KubectlError> {
    kubectl.run(&["get", "--raw", path], kubectl.patience).await
}

/// Fails if deployments of neither generation can be listed.
fn with_any_generation(lists: Lists) -> Result<Lists, KubectlError> {
    match (&lists.bundle_deployments, &lists.model_deployments) {
        (Listed::Present(_), _) | (_, Listed::Present(_)) => Ok(lists),
        (Listed::Failed(failure), _) | (_, Listed::Failed(failure)) => Err(other(failure.clone())),
        // Every Kubernetes cluster has pods.
        (Listed::Absent, Listed::Absent) if matches!(lists.pods, Listed::Absent) => Err(
            KubectlError::new(KubectlFault::NotKubernetes, no_api_at_this_address()),
        ),
        (Listed::Absent, Listed::Absent) => Err(other(no_resources())),
    }
}

/// The failure for a cluster without SambaStack's kinds.
pub(super) fn no_resources() -> Failure {
    Failure::new(
        "This cluster has no SambaStack resources: neither BundleDeployment nor ModelDeployment \
         exists",
        "Check the context. If it is right, SambaStack is not installed in this cluster",
    )
}

fn other(failure: Failure) -> KubectlError {
    KubectlError::new(KubectlFault::Other, failure)
}

fn is_empty(lists: &Lists) -> bool {
    lists.bundle_deployments.items().is_empty()
        && lists.model_deployments.items().is_empty()
        && lists.pods.items().is_empty()
}

/// Whether the namespace is known to exist. Users without access to namespaces may still work in one.
pub(super) async fn find_namespace_alone(kubectl: &Kubectl) -> Result<bool, Failure> {
    Ok(reach(kubectl, |prefix| async move {
        find_namespace(kubectl, &prefix).await
    })
    .await?)
}

/// In a namespace that does not exist kubectl finds nothing, and nothing wrong.
async fn find_namespace(kubectl: &Kubectl, prefix: &str) -> Result<bool, KubectlError> {
    let namespace = &kubectl.namespace;
    match get(kubectl, &format!("{prefix}/api/v1/namespaces/{namespace}")).await {
        Err(error)
            if matches!(
                error.fault,
                KubectlFault::ObjectMissing | KubectlFault::KindMissing
            ) =>
        {
            Err(other(
                Failure::new(
                    format!("The namespace {namespace} does not exist"),
                    "Correct it in the environment's settings",
                )
                .with_details(error.failure.details),
            ))
        }
        Ok(_) => Ok(true),
        Err(error) if error.fault.is_of_the_connection() => Err(error),
        Err(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_server_is_kept_without_its_last_slash() {
        for (server, path) in [
            ("https://host:6443", None),
            ("https://host:6443/", None),
            ("host:6443", None),
            ("https://host/k8s/clusters/c-1", Some("/k8s/clusters/c-1")),
            ("https://host/k8s/clusters/c-1/", Some("/k8s/clusters/c-1")),
            ("", None),
        ] {
            assert_eq!(path_of(server).as_deref(), path, "{server}");
        }
    }
}
