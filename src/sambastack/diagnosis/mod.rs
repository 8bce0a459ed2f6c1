//! Why a deployment is not working: one sentence on the likely cause, and a command that confirms it.
//!
//! Specific causes are tried before general ones, and problems that somebody must fix before those that only take
//! time.

mod events;
mod image;
mod pods;

pub use self::pods::is_starting;

use crate::domain::deployment::{
    ClusterEvent, ContainerBrief, Deployment, DeploymentState, Diagnosis, Generation, PodBrief,
    Progress,
};
use crate::domain::units;

use super::pods::CACHE;

/// Facts about a deployment that are not part of its resources.
#[derive(Debug, Clone, Copy, Default)]
pub struct KnownFacts<'a> {
    /// The models that the API lists; `None` if unknown.
    pub routed: Option<&'a [String]>,
    /// A model of the deployment that did not answer a probe, and why.
    pub silent: Option<(&'a str, &'a str)>,
    /// The deployment's events, newest first.
    pub events: &'a [&'a ClusterEvent],
}

/// The likely cause; `None` if no problem is known.
pub fn diagnose(deployment: &Deployment, known: KnownFacts<'_>) -> Option<Diagnosis> {
    match deployment.state {
        DeploymentState::Terminating => return Some(terminating(deployment)),
        DeploymentState::Unknown => {
            return Some(pods::unreadable(deployment).unwrap_or_else(unknown));
        }
        DeploymentState::Deployed | DeploymentState::Deploying | DeploymentState::NotDeployed => {}
    }
    bundle(deployment)
        .or_else(|| scaled_to_zero(deployment))
        .or_else(|| events::not_created(deployment, known.events))
        .or_else(|| no_pods(deployment))
        .or_else(|| pods::cause(deployment, known.events))
        .or_else(|| all_leaving(deployment))
        .or_else(|| cache_first(deployment))
        .or_else(|| starting(deployment))
        .or_else(|| not_routed(deployment, known.routed))
        .or_else(|| not_answering(deployment, known.silent))
        .or_else(|| no_models(deployment))
        .or_else(|| too_few(deployment))
        .or_else(|| pods::restarted(deployment))
}

fn needs_action(sentence: impl Into<String>, confirm: &[&str]) -> Diagnosis {
    let confirm = confirm.iter().map(|word| (*word).to_owned()).collect();
    Diagnosis {
        sentence: sentence.into(),
        confirm,
        progress: Progress::NeedsSomebody,
    }
}

fn with_progress(progress: Progress, diagnosis: Diagnosis) -> Diagnosis {
    Diagnosis {
        progress,
        ..diagnosis
    }
}

fn resource(deployment: &Deployment) -> String {
    let plural = match deployment.generation {
        Generation::Old => "bundledeployments",
        Generation::New => "modeldeployments",
    };
    format!("{plural}.sambanova.ai")
}

fn terminating(deployment: &Deployment) -> Diagnosis {
    let silent = deployment.pods.iter().find(|pod| pods::is_silent(pod));
    if let Some(pod) = silent {
        let sentence = format!(
            "The node of the {} pod is not reporting, so the pod cannot be deleted",
            pod.group
        );
        return needs_action(sentence, &["get", "pod", &pod.name, "-o", "wide"]);
    }
    let sentence = "The deployment is being deleted. If this takes long, a finalizer or a pod that does not stop is blocking it";
    let path = "jsonpath={.metadata.deletionTimestamp} {.metadata.finalizers}";
    with_progress(
        Progress::Ending,
        needs_action(
            sentence,
            &["get", &resource(deployment), &deployment.name, "-o", path],
        ),
    )
}

/// All pods are being deleted, but not the deployment: a drain, a restart, or somebody deleted them.
fn all_leaving(deployment: &Deployment) -> Option<Diagnosis> {
    let sentence = "All pods of the deployment are being deleted, but the deployment is not: new pods replace them \
                    once they have stopped";
    let confirm = ["describe", &resource(deployment), &deployment.name];
    deployment
        .pods
        .iter()
        .all(pods::is_leaving)
        .then(|| with_progress(Progress::Starting, needs_action(sentence, &confirm)))
}

fn unknown() -> Diagnosis {
    let sentence = "The pods could not be listed, so it is unknown whether the deployment is ready. A request may still work";
    with_progress(
        Progress::Remark,
        needs_action(sentence, &["auth", "can-i", "list", "pods"]),
    )
}

fn bundle(deployment: &Deployment) -> Option<Diagnosis> {
    let trouble = deployment.models_trouble.as_deref()?;
    let name = deployment.bundle.as_deref()?;
    let kind = match deployment.generation {
        Generation::Old => "bundles.sambanova.ai",
        Generation::New => "modelbundles.sambanova.ai",
    };
    let is_deployed = deployment.state == DeploymentState::Deployed;
    if trouble == format!("bundle {name} does not exist") {
        let sentence = match is_deployed {
            true => {
                format!(
                    "The pods are ready, but the bundle {name} does not exist, so the models are unknown"
                )
            }
            false => format!("The bundle {name} does not exist, so there is nothing to deploy"),
        };
        return Some(needs_action(sentence, &["get", kind]));
    }
    if let Some(why) = trouble.strip_prefix(&format!("bundle {name} cannot be read in full: ")) {
        let sentence = format!("The bundle {name} cannot be read in full: {why}");
        return Some(needs_action(sentence, &["get", kind, name, "-o", "yaml"]));
    }
    let why = trouble.strip_prefix(&format!("bundle {name} is not valid"))?;
    let why = why.trim_start_matches(':').trim();
    let because = if why.is_empty() {
        String::new()
    } else {
        format!(": {why}")
    };
    let sentence = format!("SambaStack rejected the bundle {name}{because}");
    Some(needs_action(
        sentence,
        &["get", kind, name, "-o", "jsonpath={.status}"],
    ))
}

fn scaled_to_zero(deployment: &Deployment) -> Option<Diagnosis> {
    let is_zero = deployment.replicas == 0 && deployment.pods.iter().all(|pod| pod.group == CACHE);
    let sentence = "The deployment is scaled to zero: its groups ask for 0 replicas (minReplicas), so it has no pod that can answer";
    let path = "jsonpath={.spec.groups}";
    let confirm = ["get", &resource(deployment), &deployment.name, "-o", path];
    is_zero.then(|| with_progress(Progress::Remark, needs_action(sentence, &confirm)))
}

fn no_pods(deployment: &Deployment) -> Option<Diagnosis> {
    let sentence = "No pods have been created: the operator has not processed the deployment yet, or is not allowed to create pods";
    let confirm = ["describe", &resource(deployment), &deployment.name];
    deployment
        .pods
        .is_empty()
        .then(|| needs_action(sentence, &confirm))
}

/// Default pods wait for the cache, so their own problems do not matter until it is ready.
fn cache_first(deployment: &Deployment) -> Option<Diagnosis> {
    let ready = |pod: &&PodBrief| pod.trouble.is_none();
    let (caches, others): (Vec<&PodBrief>, Vec<&PodBrief>) =
        deployment.pods.iter().partition(|pod| pod.group == CACHE);
    if others.iter().any(ready) && caches.iter().any(ready) {
        return None;
    }
    let is_troubled =
        |pod: &&&PodBrief| pod.trouble.is_some() && !pods::is_replaced(deployment, pod);
    let Some(cache) = caches.iter().find(is_troubled) else {
        return caches.is_empty().then(|| {
            let sentence = "There is no cache pod yet, and the default pods are waiting for it";
            let confirm = ["describe", &resource(deployment), &deployment.name];
            with_progress(Progress::Starting, needs_action(sentence, &confirm))
        });
    };
    if !pods::is_starting(cache) {
        return None;
    }
    let left = patience(cache);
    let waits = if others.is_empty() {
        "the default pods start after it"
    } else {
        "the default pods are waiting for it"
    };
    let sentence = format!("The cache is not ready yet, and {waits}{left}");
    Some(with_progress(
        Progress::Starting,
        needs_action(sentence, &["logs", &cache.name, "--tail=50"]),
    ))
}

fn starting(deployment: &Deployment) -> Option<Diagnosis> {
    let is_troubled =
        |pod: &&PodBrief| pod.trouble.is_some() && !pods::is_replaced(deployment, pod);
    let pod = deployment.pods.iter().find(is_troubled);
    let Some(pod) = pod else {
        // The existing pods are fine, but some have not been created yet.
        return (deployment.state == DeploymentState::Deploying).then(|| {
            let sentence = "Not all pods have been created yet";
            let confirm = ["describe", &resource(deployment), &deployment.name];
            with_progress(Progress::Starting, needs_action(sentence, &confirm))
        });
    };
    if pods::is_leaving(pod) {
        let sentence = format!("A {} pod is being replaced", pod.group);
        return Some(with_progress(
            Progress::Starting,
            needs_action(sentence, &["get", "pod", &pod.name]),
        ));
    }
    if !pods::is_starting(pod) {
        let trouble = pod.trouble.as_deref().unwrap_or_default();
        return Some(needs_action(
            format!("The {} pod is not ready: {trouble}", pod.group),
            &["describe", "pod", &pod.name],
        ));
    }
    let left = patience(pod);
    let container = pod.details.iter().find(|container| !container.ready);
    let Some(ContainerBrief { name, init, .. }) = container else {
        let sentence = format!(
            "The {} pod has been created but has not started yet",
            pod.group
        );
        return Some(with_progress(
            Progress::Starting,
            needs_action(sentence, &["describe", "pod", &pod.name]),
        ));
    };
    let sentence = match init {
        true => format!(
            "Init container {name} is preparing the {} pod{left}",
            pod.group
        ),
        false => format!(
            "Container {name} of the {} pod is starting{left}",
            pod.group
        ),
    };
    Some(with_progress(
        Progress::Starting,
        needs_action(sentence, &["logs", &pod.name, "-c", name, "--tail=50"]),
    ))
}

/// The time that the startup probe still allows, as the end of a sentence.
fn patience(pod: &PodBrief) -> String {
    let until = pod.details.iter().find_map(ContainerBrief::may_start_until);
    until
        .map(|until| {
            format!(
                "; its startup probe gives it until {}",
                units::moment(until)
            )
        })
        .unwrap_or_default()
}

fn not_routed(deployment: &Deployment, routed: Option<&[String]>) -> Option<Diagnosis> {
    let routed = routed?;
    if deployment.state != DeploymentState::Deployed {
        return None;
    }
    let is_routed = |name: &String| routed.contains(name);
    let missing: Vec<&str> = deployment
        .models
        .iter()
        .filter(|model| !is_routed(&model.serving_name) && !model.aliases.iter().any(is_routed))
        .map(|model| model.serving_name.as_str())
        .collect();
    let (first, more) = missing.split_first()?;
    let which = match more.len() {
        0 => (*first).to_owned(),
        n => format!("{first} and {n} more"),
    };
    let sentence = format!(
        "The pods are ready, but the API does not list {which}: the gateway has not picked it up"
    );
    Some(needs_action(
        sentence,
        &[
            "get",
            &resource(deployment),
            &deployment.name,
            "-o",
            "jsonpath={.status}",
        ],
    ))
}

fn not_answering(deployment: &Deployment, silent: Option<(&str, &str)>) -> Option<Diagnosis> {
    let (model, why) = silent?;
    let pod = deployment.pods.iter().find(|pod| pod.group != CACHE)?;
    let sentence = format!(
        "The API lists {model}, but the model does not answer: {}",
        as_a_part(why)
    );
    let container = pod
        .details
        .iter()
        .find(|it| it.name == "inf")
        .or(pod.details.first())?;
    Some(needs_action(
        sentence,
        &["logs", &pod.name, "-c", &container.name, "--tail=50"],
    ))
}

/// The pods are ready, but there is no model to send requests to.
fn no_models(deployment: &Deployment) -> Option<Diagnosis> {
    let is_idle = deployment.state == DeploymentState::Deployed && deployment.models.is_empty();
    let why = deployment
        .models_trouble
        .as_deref()
        .map(|why| format!(": {why}"))
        .unwrap_or_default();
    let confirm = [
        "get",
        &resource(deployment),
        &deployment.name,
        "-o",
        "jsonpath={.spec}",
    ];
    is_idle.then(|| {
        needs_action(
            format!(
                "The pods are ready, but the deployment has no model that can be requested{why}"
            ),
            &confirm,
        )
    })
}

fn too_few(deployment: &Deployment) -> Option<Diagnosis> {
    let there = deployment
        .pods
        .iter()
        .filter(|pod| pod.group != CACHE && !pod.has_ended())
        .count();
    let asked = deployment.replicas as usize;
    let sentence = format!(
        "The deployment is running with {there} of the {asked} pods that it asks for (minReplicas)"
    );
    let confirm = ["describe", &resource(deployment), &deployment.name];
    (deployment.state == DeploymentState::Deployed && there < asked)
        .then(|| with_progress(Progress::Remark, needs_action(sentence, &confirm)))
}

/// The sentence for use after a colon: its first word in lower case unless it is a name.
fn as_a_part(sentence: &str) -> String {
    let word = sentence.split(' ').next().unwrap_or_default();
    let is_plain = word.bytes().skip(1).all(|b| b.is_ascii_lowercase()) && word.len() > 1;
    match is_plain {
        true => sentence[..1].to_ascii_lowercase() + &sentence[1..],
        false => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests;
