//! One look at the cluster: kubectl's questions side by side, their answers put together.

pub mod release;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::domain::deployment::{ClusterEvent, ClusterView};
use crate::domain::failure::Advice;
use crate::domain::printable::cut;
use crate::io::files;
use crate::io::kubectl::{Kubectl, KubectlError};
use crate::protocol::{Contexts, Failure};
use crate::sambastack::events;
use crate::sambastack::lists::{Listed, Lists};
use crate::sambastack::models::view;
use crate::sambastack::read::{ListError, Object, parse_versioned};
use crate::sambastack::resources::looks_like_a_page;
use crate::sambastack::sizes::Sizes;
use crate::sambastack::watch::{AnyListed, ResourceKind};
use crate::wire::kubectl::{KubectlFault, no_api_at_this_address, not_kubernetes};

const SAMBANOVA: &str = "/apis/sambanova.ai/v1alpha1";
/// What reads only files takes no longer than kubectl's start.
const LOCAL: Duration = Duration::from_secs(10);
/// Answers up to this size are parsed in less time than handing them over takes.
const SMALL: usize = 64 << 10;

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
        "Connect it to a cluster on Home",
    )
}

/// What is deployed in the namespace. Dropping the future ends kubectl.
pub async fn load(kubectl: &Kubectl) -> Result<ClusterView, Failure> {
    // A thousand small values: not worth another thread.
    Ok(view(&look(kubectl).await?.lists))
}

/// One look at the cluster, and from where on its changes can be watched.
pub(super) struct Look {
    pub(super) lists: Lists,
    pub(super) versions: Versions,
    /// The path of the server's URL.
    pub(super) prefix: String,
}

/// The version of each list that was given.
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

/// Lists one kind, and says from which version on it can be watched.
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

/// What is written down of context lengths and batch sizes. What may not be read is said there.
///
/// # Errors
/// When the cluster is not reached.
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

/// What has happened in the namespace, newest first.
pub async fn events(kubectl: &Kubectl) -> Result<Vec<ClusterEvent>, Failure> {
    let namespace = &kubectl.namespace;
    // As many as a person reads; Kubernetes forgets them after an hour.
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

/// Where the API server has a kind's objects.
pub(super) fn path_of_kind(prefix: &str, namespace: &str, kind: ResourceKind) -> String {
    let group = if kind == ResourceKind::Pods {
        "/api/v1"
    } else {
        SAMBANOVA
    };
    format!("{prefix}{group}/namespaces/{namespace}/{}", kind.plural())
}

/// The contexts of the kubeconfig. Asks no cluster.
pub async fn contexts(kubectl: &Kubectl) -> Result<Contexts, Failure> {
    // With a context that does not exist kubectl would refuse to list those that do.
    let kubectl = Kubectl {
        context: None,
        ..kubectl.clone()
    };
    let config: Config = json(
        &kubectl
            .run(&["config", "view", "-o", "json"], LOCAL)
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

/// The namespace that kubectl uses where nobody names one: the context's, else that of the pod in which it runs, else
/// `default`. Asks no cluster.
///
/// # Errors
/// When the kubeconfig cannot be read.
pub async fn usual_namespace(kubectl: &Kubectl) -> Result<String, Failure> {
    const OF_POD: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
    let deadline = LOCAL.min(kubectl.patience);
    let found = kubectl
        .run(&["config", "view", "--minify", "-o", "json"], deadline)
        .await;
    let namespace = match found {
        Ok(answer) => json::<Config>(&answer)?
            .contexts
            .unwrap_or_default()
            .into_iter()
            .find_map(|it| it.context?.namespace),
        // Without a kubeconfig, kubectl finds the cluster by itself only in a pod.
        Err(_) if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() => {
            let read = files::read(Path::new(OF_POD), 1_024, "No namespace is so long")
                .await
                .ok();
            read.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
        }
        Err(error) => return Err(error.into()),
    };
    Ok(namespace
        .filter(|it| !it.is_empty())
        .unwrap_or_else(|| "default".to_owned()))
}

/// kubectl's own version. Asks no cluster.
pub async fn client_version(kubectl: &Kubectl) -> Result<String, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Versions {
        client_version: Version,
    }
    // No kubeconfig is needed to say it, and one that is missing is another check's finding.
    let versions: Versions = json(
        &kubectl
            .run_alone(&["version", "--client", "-o", "json"], LOCAL)
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

/// What Batida reads of `kubectl config view -o json`.
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
            "kubectl's answer cannot be understood",
            "Check that the program is kubectl; its path is in the environment's settings",
        )
        .with_details(format!("{error}\n{}", clip(answer)))
    })
}

fn clip(answer: &[u8]) -> String {
    cut(&String::from_utf8_lossy(answer), 2_000).into_owned()
}

/// Asks with the path that the server's URL has, which `get --raw` leaves out.
///
/// Nearly no server has one, so the question without it is asked meanwhile. What it finds is thrown away
/// when there is a path after all: Rancher answers there too, for another cluster.
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
        // Without knowing the path nobody can say whose answer this is.
        (Ok(_), Err(why)) => Err(why),
        // What is wrong with the kubeconfig is best said by who asks the cluster.
        (found, _) => found,
    }
}

/// The path of the server's URL, e.g. `/k8s/clusters/c-1`.
async fn server_path(kubectl: &Kubectl) -> Result<Option<String>, KubectlError> {
    if !kubectl.may_have_server_path() {
        return Ok(None);
    }
    // Not always local: Google's kubectl asks the server for its version before anything else.
    let deadline = LOCAL.min(kubectl.patience);
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

/// What the API server has at a path, wherever its URL leads.
pub(super) async fn get_at(kubectl: &Kubectl, path: &str) -> Result<Vec<u8>, KubectlError> {
    reach(kubectl, |prefix| async move {
        get(kubectl, &format!("{prefix}{path}")).await
    })
    .await
}

async fn get(kubectl: &Kubectl, path: &str) -> Result<Vec<u8>, KubectlError> {
    kubectl.run(&["get", "--raw", path], kubectl.patience).await
}

/// All lists, side by side. A fault of the connection ends them all, since all would meet it.
async fn ask_all(kubectl: &Kubectl, prefix: &str) -> Result<(Lists, Versions), KubectlError> {
    let path = |kind| path_of_kind(prefix, &kubectl.namespace, kind);
    let (mut v1, mut v2, mut v3, mut v4) = (
        Versions::new(),
        Versions::new(),
        Versions::new(),
        Versions::new(),
    );
    let new_generation = async {
        let kind = ResourceKind::ModelDeployments;
        let deployments = list(kubectl, path(kind), kind, &mut v4).await?;
        if deployments.items().is_empty() {
            return Ok((deployments, Listed::Absent, Listed::Absent));
        }
        let (mut v5, mut v6) = (Versions::new(), Versions::new());
        // Where there are none, two kubectls less to start: that is what the old generation waits for most.
        let (bundles, models) = tokio::try_join!(
            list(
                kubectl,
                path(ResourceKind::ModelBundles),
                ResourceKind::ModelBundles,
                &mut v5
            ),
            list(
                kubectl,
                path(ResourceKind::Models),
                ResourceKind::Models,
                &mut v6
            ),
        )?;
        v4.extend(v5.into_iter().chain(v6));
        Ok((deployments, bundles, models))
    };
    // The longest first: it sets the pace.
    let (pods, bundle_deployments, bundles, (model_deployments, model_bundles, models)) = tokio::try_join!(
        list(
            kubectl,
            path(ResourceKind::Pods),
            ResourceKind::Pods,
            &mut v1
        ),
        list(
            kubectl,
            path(ResourceKind::BundleDeployments),
            ResourceKind::BundleDeployments,
            &mut v2
        ),
        list(
            kubectl,
            path(ResourceKind::Bundles),
            ResourceKind::Bundles,
            &mut v3
        ),
        new_generation,
    )?;
    v1.extend(v2.into_iter().chain(v3).chain(v4));
    Ok((
        Lists {
            bundle_deployments,
            bundles,
            model_deployments,
            model_bundles,
            models,
            pods,
        },
        v1,
    ))
}

async fn list<T>(
    kubectl: &Kubectl,
    path: String,
    kind: ResourceKind,
    versions: &mut Versions,
) -> Result<Listed<T>, KubectlError>
where
    T: Object + Send + 'static,
{
    Ok(or_failed(
        ask(kubectl, path, kind, versions)
            .await
            .map(|listed| (listed, ())),
    )?
    .0)
}

/// A fault of the connection stays one: all would meet it.
fn or_failed<T, V: Default>(
    found: Result<(Listed<T>, V), KubectlError>,
) -> Result<(Listed<T>, V), KubectlError> {
    match found {
        Err(error) if !error.fault.is_of_the_connection() => {
            Ok((Listed::Failed(error.failure), V::default()))
        }
        found => found,
    }
}

/// What is forbidden stays so; whatever else is wrong may pass, and until then what was there stays.
fn forbidden_at_most<T>(found: Result<Listed<T>, KubectlError>) -> Result<Listed<T>, KubectlError> {
    match found {
        Err(error) if error.fault == KubectlFault::Forbidden => Ok(Listed::Failed(error.failure)),
        found => found,
    }
}

async fn ask<T>(
    kubectl: &Kubectl,
    path: String,
    kind: ResourceKind,
    versions: &mut Versions,
) -> Result<Listed<T>, KubectlError>
where
    T: Object + Send + 'static,
{
    let (listed, version) = ask_path(kubectl, path).await?;
    versions.extend(version.map(|version| (kind, version)));
    Ok(listed)
}

/// A list, and its version.
async fn ask_path<T>(
    kubectl: &Kubectl,
    path: String,
) -> Result<(Listed<T>, Option<String>), KubectlError>
where
    T: Object + Send + 'static,
{
    let answer = match get(kubectl, &path).await {
        Ok(answer) => answer,
        Err(error) if error.fault == KubectlFault::KindMissing => {
            return Ok((Listed::Absent, None));
        }
        Err(error) => return Err(error),
    };
    if looks_like_a_page(&answer) {
        let page = String::from_utf8_lossy(&answer);
        return Err(KubectlError::new(
            KubectlFault::NotKubernetes,
            not_kubernetes(&page),
        ));
    }
    let parsed = if answer.len() <= SMALL {
        parse_versioned(&answer).map_err(|error| (error, clip(&answer)))
    } else {
        let work = move || parse_versioned(&answer).map_err(|error| (error, clip(&answer)));
        match tokio::task::spawn_blocking(work).await {
            Ok(parsed) => parsed,
            Err(error) => return Ok((Listed::Failed(lost(&error)), None)),
        }
    };
    Ok(match parsed {
        Ok((items, version)) => (Listed::Present(items), version),
        Err((error, answer)) => (Listed::Failed(unreadable(&path, &error, &answer)), None),
    })
}

/// Says which kind could not be listed where kubectl's words leave it out.
fn named(lists: Lists) -> Lists {
    let Lists {
        bundle_deployments,
        bundles,
        model_deployments,
        model_bundles,
        models,
        pods,
    } = lists;
    Lists {
        bundle_deployments: named_one(bundle_deployments, "bundledeployments"),
        bundles: named_one(bundles, "bundles"),
        model_deployments: named_one(model_deployments, "modeldeployments"),
        model_bundles: named_one(model_bundles, "modelbundles"),
        models: named_one(models, "models"),
        pods: named_one(pods, "pods"),
    }
}

fn named_one<T>(listed: Listed<T>, kind: &str) -> Listed<T> {
    match listed {
        Listed::Failed(mut failure) if !failure.summary.contains(kind) => {
            failure.summary = format!("The {kind} could not be listed: {}", failure.summary);
            Listed::Failed(failure)
        }
        other => other,
    }
}

fn kind_of(path: &str) -> &str {
    Path::new(path)
        .file_name()
        .and_then(|kind| kind.to_str())
        .unwrap_or(path)
}

fn unreadable(path: &str, error: &ListError, answer: &str) -> Failure {
    Failure::new(
        format!("The list of {} could not be read: {error}", kind_of(path)),
        Advice::rerun_kubectl(
            "Something between kubectl and the API server may change the answers",
        ),
    )
    .with_details(match error {
        ListError::Json(cause) => format!("{cause}\n{answer}"),
        ListError::WebPage | ListError::NoList(_) => answer.to_owned(),
    })
}

fn lost(error: &tokio::task::JoinError) -> Failure {
    Failure::new(
        "Reading the cluster's answer failed within Batida",
        "Please report it",
    )
    .with_details(error.to_string())
}

/// Refuses what has deployments of neither generation, or does not give them.
fn with_any_generation(lists: Lists) -> Result<Lists, KubectlError> {
    match (&lists.bundle_deployments, &lists.model_deployments) {
        (Listed::Present(_), _) | (_, Listed::Present(_)) => Ok(lists),
        (Listed::Failed(failure), _) | (_, Listed::Failed(failure)) => Err(other(failure.clone())),
        // Each Kubernetes has pods.
        (Listed::Absent, Listed::Absent) if matches!(lists.pods, Listed::Absent) => Err(
            KubectlError::new(KubectlFault::NotKubernetes, no_api_at_this_address()),
        ),
        (Listed::Absent, Listed::Absent) => Err(other(no_resources())),
    }
}

/// SambaStack's kinds are not there.
pub(super) fn no_resources() -> Failure {
    Failure::new(
        "This cluster has no SambaStack resources: it knows neither BundleDeployment nor ModelDeployment",
        "Check that this is the right context. If it is, SambaStack is not installed there",
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

/// Whether the namespace can be seen to exist; whoever may not look at namespaces may still work in one.
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
