//! Requests and parses lists of Kubernetes objects.

use std::path::Path;

use super::{PARSE_IN_PLACE_BYTES, Versions, clip, get, path_of_kind};
use crate::domain::failure::{Advice, Failure};
use crate::io::kubectl::{Kubectl, KubectlError};
use crate::sambastack::lists::{Listed, Lists};
use crate::sambastack::read::{ListError, Object, parse_versioned};
use crate::sambastack::resources::looks_like_a_page;
use crate::sambastack::watch::ResourceKind;
use crate::wire::kubectl::{KubectlFault, not_kubernetes};

/// Requests all lists in parallel. A connection fault ends them all, since it affects all.
pub(super) async fn ask_all(
    kubectl: &Kubectl,
    prefix: &str,
) -> Result<(Lists, Versions), KubectlError> {
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
        // Without them, two kubectls fewer are started, which saves time for the old generation.
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
    // The longest list first.
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

/// Turns errors into failed lists, except connection faults, which affect all lists.
pub(super) fn or_failed<T, V: Default>(
    found: Result<(Listed<T>, V), KubectlError>,
) -> Result<(Listed<T>, V), KubectlError> {
    match found {
        Err(error) if !error.fault.is_of_the_connection() => {
            Ok((Listed::Failed(error.failure), V::default()))
        }
        found => found,
    }
}

/// Turns a forbidden list into a failed one. Other errors may be temporary, so the previous list stays.
pub(super) fn forbidden_at_most<T>(
    found: Result<Listed<T>, KubectlError>,
) -> Result<Listed<T>, KubectlError> {
    match found {
        Err(error) if error.fault == KubectlFault::Forbidden => Ok(Listed::Failed(error.failure)),
        found => found,
    }
}

pub(super) async fn ask<T>(
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
pub(super) async fn ask_path<T>(
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
    let parsed = if answer.len() <= PARSE_IN_PLACE_BYTES {
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

/// Adds the kind to failures that do not mention it.
pub(super) fn named(lists: Lists) -> Lists {
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

pub(super) fn named_one<T>(listed: Listed<T>, kind: &str) -> Listed<T> {
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

pub(super) fn unreadable(path: &str, error: &ListError, answer: &str) -> Failure {
    Failure::new(
        format!("The list of {} could not be read: {error}", kind_of(path)),
        Advice::rerun_kubectl(
            "A proxy between kubectl and the API server may change the responses",
        ),
    )
    .with_details(match error {
        ListError::Json(cause) => format!("{cause}\n{answer}"),
        ListError::WebPage | ListError::NoList(_) => answer.to_owned(),
    })
}

fn lost(error: &tokio::task::JoinError) -> Failure {
    Failure::new(
        "Batida failed to read the cluster's response",
        "Please report it",
    )
    .with_details(error.to_string())
}
