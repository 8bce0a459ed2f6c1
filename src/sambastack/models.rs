//! Combines the lists of a cluster's resources into one view: deployments with their pods, states and models.

mod catalogue;
mod notes;

use std::collections::HashMap;

use self::catalogue::{Catalogue, Served};
use super::lists::{Listed, Lists};
use super::pods::{self, Matcher, OwnedPod};
use super::read::Object;
use super::resources::{Meta, Pod, PodGroup};
use crate::domain::deployment::{ClusterView, Deployment, DeploymentState, Generation};
use crate::domain::failure::Failure;

/// Puts the lists together: each deployment with its pods, its state and its models.
pub fn view(lists: &Lists) -> ClusterView {
    let catalogue = Catalogue::new(lists);
    // A deployment without a name cannot be shown. `unreadable` reports it.
    let old = named(&lists.bundle_deployments).map(|deployment| {
        let models = catalogue.of_old(deployment);
        Wanted::new(
            Generation::Old,
            &deployment.metadata,
            &deployment.spec.groups,
            models,
        )
    });
    let new = named(&lists.model_deployments).map(|deployment| {
        let models = catalogue.of_new(deployment);
        Wanted::new(
            Generation::New,
            &deployment.metadata,
            &deployment.spec.groups,
            models,
        )
    });
    let wanted: Vec<Wanted<'_>> = old.chain(new).collect();
    let mut owned = pods_of(&wanted, lists.pods.items());
    let pods_unknown = !matches!(lists.pods, Listed::Present(_));

    let mut deployments: Vec<Deployment> = wanted
        .into_iter()
        .enumerate()
        .map(|(i, wanted)| wanted.with_pods(owned.remove(&i).unwrap_or_default(), pods_unknown))
        .collect();
    deployments.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));

    let mut generations = Vec::new();
    if lists.bundle_deployments.is_known() {
        generations.push(Generation::Old);
    }
    if lists.model_deployments.is_known() {
        generations.push(Generation::New);
    }
    let is_partial = lists
        .bundle_deployments
        .failure()
        .or(lists.model_deployments.failure())
        .is_some();
    let warnings = lists.failures().cloned().collect();
    ClusterView {
        deployments,
        generations,
        warnings,
        unreadable: unreadable(lists),
        is_partial,
    }
}

fn named<T: Object>(listed: &Listed<T>) -> impl Iterator<Item = &T> {
    listed
        .items()
        .iter()
        .filter(|it| !it.meta().name.is_empty())
}

/// A failure for each kind that has objects with unreadable fields.
fn unreadable(lists: &Lists) -> Vec<Failure> {
    [
        odd_ones("bundledeployments", &lists.bundle_deployments),
        odd_ones("bundles", &lists.bundles),
        odd_ones("modeldeployments", &lists.model_deployments),
        odd_ones("modelbundles", &lists.model_bundles),
        odd_ones("models", &lists.models),
        odd_ones("pods", &lists.pods),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn odd_ones<T: Object>(kind: &str, listed: &Listed<T>) -> Option<Failure> {
    const MAX_LINES: usize = 50;
    let remark = |meta: &Meta| match (meta.name.as_str(), meta.unreadable.as_slice()) {
        ("", []) => Some("an object without a name".to_owned()),
        (_, []) => None,
        ("", remarks) => Some(format!("an object without a name: {}", remarks.join(", "))),
        (name, remarks) => Some(format!("{name}: {}", remarks.join(", "))),
    };
    let odd: Vec<String> = listed
        .items()
        .iter()
        .filter_map(|it| remark(it.meta()))
        .collect();
    let first = odd.first()?;
    let (n, all) = (odd.len(), listed.items().len());
    let more = if n > 1 {
        format!(" (and {} more)", n - 1)
    } else {
        String::new()
    };
    let full = if kind == "pods" {
        kind.to_owned()
    } else {
        format!("{kind}.sambanova.ai")
    };
    let failure = Failure::new(
        format!("{n} of {all} {kind} cannot be read in full: {first}{more}"),
        format!("Correct the object: `kubectl get {full} NAME -o yaml` shows it"),
    );
    Some(match n {
        1 => failure,
        _ => failure.with_details(
            odd.iter()
                .take(MAX_LINES)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n"),
        ),
    })
}

fn sort_key(deployment: &Deployment) -> (bool, &str, Generation) {
    (
        deployment.state != DeploymentState::Deployed,
        &deployment.name,
        deployment.generation,
    )
}

/// A deployment before its pods are known.
struct Wanted<'a> {
    generation: Generation,
    metadata: &'a Meta,
    groups: &'a [PodGroup],
    models: Served,
}

impl<'a> Wanted<'a> {
    fn new(
        generation: Generation,
        metadata: &'a Meta,
        groups: &'a [PodGroup],
        models: Served,
    ) -> Self {
        Self {
            generation,
            metadata,
            groups,
            models,
        }
    }

    fn with_pods(self, mut pods: Vec<OwnedPod>, pods_unknown: bool) -> Deployment {
        let Self {
            generation,
            metadata,
            groups,
            models,
        } = self;
        pods.sort_by(|a, b| (!a.is_cache, &a.brief.name).cmp(&(!b.is_cache, &b.brief.name)));
        let (state, reason) = if pods_unknown && !metadata.is_terminating() {
            (
                DeploymentState::Unknown,
                "the pods could not be listed".to_owned(),
            )
        } else {
            pods::state(metadata, groups, &pods)
        };
        Deployment {
            name: metadata.name.clone(),
            generation,
            bundle: models.bundle,
            state,
            reason,
            since: pods::state_since(metadata, state, &pods),
            pods: pods.into_iter().map(|pod| pod.brief).collect(),
            models: models.models,
            bundle_notes: models.notes,
            models_trouble: models.trouble,
            replicas: pods::replicas(groups),
            unreadable: metadata.unreadable.clone(),
        }
    }
}

fn pods_of(wanted: &[Wanted<'_>], pods: &[Pod]) -> HashMap<usize, Vec<OwnedPod>> {
    let mut matcher = Matcher::new(
        wanted
            .iter()
            .map(|wanted| (wanted.metadata.name.as_str(), wanted.groups)),
    );
    let mut owned: HashMap<usize, Vec<OwnedPod>> = HashMap::new();
    for pod in pods {
        for owner in matcher.owners(&pod.metadata.name) {
            owned
                .entry(owner.deployment)
                .or_default()
                .push(OwnedPod::new(pod, &owner));
        }
    }
    owned
}

#[cfg(test)]
mod tests;
