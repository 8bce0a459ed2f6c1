//! Why a deployment does not serve: one sentence on the likely cause, and the command that would confirm it.
//!
//! Causes are looked for from the particular to the general; what somebody has to mend comes before what
//! only takes time.

mod events;
mod image;
mod pods;

use crate::domain::deployment::{
    ClusterEvent, ContainerBrief, Deployment, DeploymentState, Diagnosis, Generation, PodBrief,
    Progress,
};
use crate::domain::units;

use super::pods::CACHE;

/// What is known of a deployment besides what the cluster says of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The names that the API routes; `None` while nobody knows.
    pub routed: Option<&'a [String]>,
    /// A model of it that was asked for a word and did not answer, and why.
    pub silent: Option<(&'a str, &'a str)>,
    /// The deployment's events, newest first.
    pub events: &'a [&'a ClusterEvent],
}

/// The likely cause; `None` where all is well as far as anybody knows.
pub fn diagnose(deployment: &Deployment, known: Known<'_>) -> Option<Diagnosis> {
    match deployment.state {
        DeploymentState::Terminating => return Some(terminating(deployment)),
        DeploymentState::Unknown => return Some(unknown()),
        DeploymentState::Deployed | DeploymentState::Deploying | DeploymentState::NotDeployed => {}
    }
    bundle(deployment)
        .or_else(|| scaled_to_zero(deployment))
        .or_else(|| events::not_created(deployment, known.events))
        .or_else(|| no_pods(deployment))
        .or_else(|| pods::cause(deployment, known.events))
        .or_else(|| cache_first(deployment))
        .or_else(|| starting(deployment))
        .or_else(|| not_routed(deployment, known.routed))
        .or_else(|| not_answering(deployment, known.silent))
        .or_else(|| no_models(deployment))
        .or_else(|| too_few(deployment))
        .or_else(|| pods::restarted(deployment))
}

fn told(sentence: impl Into<String>, confirm: &[&str]) -> Diagnosis {
    let confirm = confirm.iter().map(|word| (*word).to_owned()).collect();
    Diagnosis {
        sentence: sentence.into(),
        confirm,
        progress: Progress::NeedsSomebody,
    }
}

fn of(progress: Progress, diagnosis: Diagnosis) -> Diagnosis {
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
            "The node of the {} pod does not report, so the pod cannot be deleted",
            pod.group
        );
        return told(sentence, &["get", "pod", &pod.name, "-o", "wide"]);
    }
    let sentence =
        "It is being deleted; if that takes long, a finalizer or a pod that does not end holds it";
    let path = "jsonpath={.metadata.deletionTimestamp} {.metadata.finalizers}";
    of(
        Progress::Ending,
        told(
            sentence,
            &["get", &resource(deployment), &deployment.name, "-o", path],
        ),
    )
}

fn unknown() -> Diagnosis {
    let sentence = "Its pods could not be listed, so it is not known whether it is ready; a request to it may work";
    of(
        Progress::Remark,
        told(sentence, &["auth", "can-i", "list", "pods"]),
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
                    "Its pods are ready, but its bundle {name} does not exist: its models are not known"
                )
            }
            false => format!("Its bundle {name} does not exist, so there is nothing to deploy"),
        };
        return Some(told(sentence, &["get", kind]));
    }
    if let Some(why) = trouble.strip_prefix(&format!("bundle {name} cannot be read in full: ")) {
        let sentence = format!("Its bundle {name} cannot be read in full: {why}");
        return Some(told(sentence, &["get", kind, name, "-o", "yaml"]));
    }
    let why = trouble.strip_prefix(&format!("bundle {name} is not valid"))?;
    let why = why.trim_start_matches(':').trim();
    let because = if why.is_empty() {
        String::new()
    } else {
        format!(": {why}")
    };
    let sentence = format!("SambaStack refused its bundle {name}{because}");
    Some(told(
        sentence,
        &["get", kind, name, "-o", "jsonpath={.status}"],
    ))
}

fn scaled_to_zero(deployment: &Deployment) -> Option<Diagnosis> {
    let is_zero = deployment.replicas == 0 && deployment.pods.iter().all(|pod| pod.group == CACHE);
    let sentence = "It is scaled to zero: its groups ask for 0 replicas (minReplicas), so it has no pod that answers";
    let path = "jsonpath={.spec.groups}";
    let confirm = ["get", &resource(deployment), &deployment.name, "-o", path];
    is_zero.then(|| of(Progress::Remark, told(sentence, &confirm)))
}

fn no_pods(deployment: &Deployment) -> Option<Diagnosis> {
    let sentence =
        "No pods were created for it: the operator has not taken it up, or may not create them";
    let confirm = ["describe", &resource(deployment), &deployment.name];
    deployment.pods.is_empty().then(|| told(sentence, &confirm))
}

/// A default pod waits until its cache is there, and no trouble of its own counts before.
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
            let sentence = "There is no cache pod yet, and the default pods wait for it";
            let confirm = ["describe", &resource(deployment), &deployment.name];
            of(Progress::Starting, told(sentence, &confirm))
        });
    };
    if !pods::is_starting(cache) {
        return None;
    }
    let left = patience(cache);
    let waits = if others.is_empty() {
        "the default pods come after it"
    } else {
        "the default pods wait for it"
    };
    let sentence = format!("The cache is not ready yet, and {waits}{left}");
    Some(of(
        Progress::Starting,
        told(sentence, &["logs", &cache.name, "--tail=50"]),
    ))
}

fn starting(deployment: &Deployment) -> Option<Diagnosis> {
    let is_troubled =
        |pod: &&PodBrief| pod.trouble.is_some() && !pods::is_replaced(deployment, pod);
    let pod = deployment.pods.iter().find(is_troubled);
    let Some(pod) = pod else {
        // Nothing is wrong with the pods there are: some are not there yet.
        return (deployment.state == DeploymentState::Deploying).then(|| {
            let sentence = "Not all of its pods were created yet";
            let confirm = ["describe", &resource(deployment), &deployment.name];
            of(Progress::Starting, told(sentence, &confirm))
        });
    };
    if pods::is_leaving(pod) {
        let sentence = format!("A {} pod is being replaced", pod.group);
        return Some(of(
            Progress::Starting,
            told(sentence, &["get", "pod", &pod.name]),
        ));
    }
    if !pods::is_starting(pod) {
        let trouble = pod.trouble.as_deref().unwrap_or_default();
        return Some(told(
            format!("The {} pod is not ready: {trouble}", pod.group),
            &["describe", "pod", &pod.name],
        ));
    }
    let left = patience(pod);
    let container = pod.details.iter().find(|container| !container.ready);
    let Some(ContainerBrief { name, init, .. }) = container else {
        let sentence = format!("The {} pod was created and has not started yet", pod.group);
        return Some(of(
            Progress::Starting,
            told(sentence, &["describe", "pod", &pod.name]),
        ));
    };
    let sentence = match init {
        true => format!("The {} pod is being prepared by {name}{left}", pod.group),
        false => format!(
            "Container {name} of the {} pod is starting{left}",
            pod.group
        ),
    };
    Some(of(
        Progress::Starting,
        told(sentence, &["logs", &pod.name, "-c", name, "--tail=50"]),
    ))
}

/// What the start-up probe still allows.
fn patience(pod: &PodBrief) -> String {
    let until = pod.details.iter().find_map(ContainerBrief::may_start_until);
    until
        .map(|until| {
            format!(
                "; its start-up probe lets it until {}",
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
        "Its pods are ready, but the API does not route {which}: the gateway has not taken it up"
    );
    Some(told(
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
        "The API routes {model}, but it does not answer: {}",
        as_a_part(why)
    );
    let container = pod
        .details
        .iter()
        .find(|it| it.name == "inf")
        .or(pod.details.first())?;
    Some(told(
        sentence,
        &["logs", &pod.name, "-c", &container.name, "--tail=50"],
    ))
}

/// Ready, and nothing of it can be asked.
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
        told(
            format!("Its pods are ready, but no model of it can be addressed{why}"),
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
    let sentence =
        format!("It serves with {there} of the {asked} pods that it asks for (minReplicas)");
    let confirm = ["describe", &resource(deployment), &deployment.name];
    (deployment.state == DeploymentState::Deployed && there < asked)
        .then(|| of(Progress::Remark, told(sentence, &confirm)))
}

/// A sentence after a colon: its first word is written small unless it is a name.
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
