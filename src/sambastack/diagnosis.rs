//! Why a deployment does not serve: one sentence on the likely cause, and the command that would confirm it.
//!
//! Causes are looked for from the particular to the general; what somebody has to mend comes before what
//! only takes time.

use crate::domain::deployment::{
    ContainerBrief, Deployment, DeploymentState, Diagnosis, Generation, PodBrief, Progress,
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
    /// The messages of the namespace's warning events.
    pub events: &'a [String],
}

/// The likely cause; `None` where all is well as far as anybody knows.
pub fn diagnose(deployment: &Deployment, known: Known<'_>) -> Option<Diagnosis> {
    if deployment.state == DeploymentState::Terminating {
        return Some(terminating(deployment));
    }
    if deployment.state == DeploymentState::Unknown {
        return None;
    }
    bundle(deployment)
        .or_else(|| no_quota(deployment, known.events))
        .or_else(|| no_pods(deployment))
        .or_else(|| each_pod(deployment, image))
        .or_else(|| each_pod(deployment, configuration))
        .or_else(|| each_pod(deployment, unschedulable))
        .or_else(|| each_pod(deployment, crash))
        .or_else(|| each_pod(deployment, node))
        .or_else(|| cache_first(deployment))
        .or_else(|| loading(deployment))
        .or_else(|| not_routed(deployment, known.routed))
        .or_else(|| not_answering(deployment, known.silent))
}

fn told(sentence: String, confirm: &[&str]) -> Diagnosis {
    let confirm = confirm.iter().map(|word| (*word).to_owned()).collect();
    Diagnosis { sentence, confirm, progress: Progress::NeedsSomebody }
}

fn takes_time(diagnosis: Diagnosis) -> Diagnosis {
    Diagnosis { progress: Progress::TakesTime, ..diagnosis }
}

/// The pods in the order in which they matter: without a cache nothing else can start.
fn each_pod(deployment: &Deployment, look: impl Fn(&PodBrief) -> Option<Diagnosis>) -> Option<Diagnosis> {
    deployment.pods.iter().filter(|pod| pod.trouble.is_some()).find_map(look)
}

fn resource(deployment: &Deployment) -> String {
    let plural = match deployment.generation {
        Generation::Old => "bundledeployments",
        Generation::New => "modeldeployments",
    };
    format!("{plural}.sambanova.ai")
}

fn terminating(deployment: &Deployment) -> Diagnosis {
    let sentence = "It is being deleted; if that takes long, a finalizer or a pod that does not end holds it";
    let path = "jsonpath={.metadata.deletionTimestamp} {.metadata.finalizers}";
    takes_time(told(sentence.to_owned(), &["get", &resource(deployment), &deployment.name, "-o", path]))
}

fn bundle(deployment: &Deployment) -> Option<Diagnosis> {
    let trouble = deployment.models_trouble.as_deref()?;
    let name = deployment.bundle.as_deref()?;
    let kind = match deployment.generation {
        Generation::Old => "bundles.sambanova.ai",
        Generation::New => "modelbundles.sambanova.ai",
    };
    if trouble == format!("bundle {name} does not exist") {
        let sentence = format!("Its bundle {name} does not exist, so there is nothing to deploy");
        return Some(told(sentence, &["get", kind]));
    }
    let why = trouble.strip_prefix(&format!("bundle {name} is not valid"))?;
    let why = why.trim_start_matches(':').trim();
    let because = if why.is_empty() { String::new() } else { format!(": {why}") };
    let sentence = format!("SambaStack refused its bundle {name}{because}");
    Some(told(sentence, &["get", kind, name, "-o", "jsonpath={.status}"]))
}

fn no_quota(deployment: &Deployment, events: &[String]) -> Option<Diagnosis> {
    let base = super::pods::inference(&deployment.name);
    let refused = events.iter().find(|event| event.contains("exceeded quota") && event.contains(&base))?;
    let quota = refused.split("exceeded quota: ").nth(1)?;
    let name = quota.split(',').next().unwrap_or(quota).trim();
    Some(told(
        format!("The namespace's quota {name} is used up, so its pods may not be created"),
        &["describe", "resourcequota", name],
    ))
}

fn no_pods(deployment: &Deployment) -> Option<Diagnosis> {
    let sentence = "No pods were created for it: the operator has not taken it up, or may not create them";
    let confirm = ["describe", &resource(deployment), &deployment.name];
    deployment.pods.is_empty().then(|| told(sentence.to_owned(), &confirm))
}

fn troubled(pod: &PodBrief) -> impl Iterator<Item = &ContainerBrief> {
    pod.details.iter().filter(|container| !container.ready)
}

fn image(pod: &PodBrief) -> Option<Diagnosis> {
    const REASONS: [&str; 4] = ["ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"];
    let container = troubled(pod).find(|it| REASONS.contains(&it.reason.as_str()))?;
    let message = container.message.as_str();
    let cause = if message.contains("unauthorized") || message.contains("denied") || message.contains("401") {
        "the registry refuses the credentials (imagePullSecrets)"
    } else if message.contains("not found") || message.contains("manifest unknown") {
        "the registry has no such image"
    } else if message.contains("timeout") || message.contains("no such host") || message.contains("dial tcp")
    {
        "the node does not reach the registry"
    } else {
        "its name, the registry or the credentials are wrong"
    };
    let sentence = format!(
        "The image of container {} in the {} pod cannot be pulled: {cause}",
        container.name, pod.group
    );
    Some(told(sentence, &["describe", "pod", &pod.name]))
}

fn configuration(pod: &PodBrief) -> Option<Diagnosis> {
    const REASONS: [&str; 3] = ["CreateContainerConfigError", "CreateContainerError", "RunContainerError"];
    let container = troubled(pod).find(|it| REASONS.contains(&it.reason.as_str()))?;
    let why = if container.message.is_empty() { &container.reason } else { &container.message };
    let sentence = format!("Container {} in the {} pod cannot be made: {why}", container.name, pod.group);
    Some(told(sentence, &["describe", "pod", &pod.name]))
}

fn unschedulable(pod: &PodBrief) -> Option<Diagnosis> {
    let why = pod.trouble.as_deref()?.strip_prefix("unschedulable")?.trim_start_matches(':').trim();
    let lacks = why.split("Insufficient ").nth(1).and_then(|rest| rest.split([',', ' ']).next());
    let sentence = match lacks.map(|what| what.trim_end_matches('.')) {
        Some(what) => format!("No node has enough free {what} for the {} pod: {why}", pod.group),
        None => format!("No node can take the {} pod: {why}", pod.group),
    };
    Some(told(sentence, &["describe", "pod", &pod.name]))
}

fn crash(pod: &PodBrief) -> Option<Diagnosis> {
    let container = pod.details.iter().find(|it| {
        !it.ready && (it.reason == "CrashLoopBackOff" || (it.restarts > 0 && it.last.is_some()) || it.failed)
    })?;
    let ContainerBrief { name, restarts, .. } = container;
    let now = container.reason.trim_start_matches("ended (").trim_end_matches(')');
    let how = container.last.as_deref().unwrap_or(now);
    let cause = if how.contains("OOMKilled") {
        "it needs more memory than its limit".to_owned()
    } else if container.last_words.is_empty() {
        format!("it ends with {how}")
    } else {
        let words =
            container.last_words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        format!("it ends with {how}, its last words: {}", words.trim())
    };
    let times = match restarts {
        0 => String::new(),
        n => format!(" (restarted {})", units::counted(*n as usize, "time")),
    };
    let sentence = format!("Container {name} in the {} pod crashes{times}: {cause}", pod.group);
    let previous = if container.failed { "--tail=50" } else { "--previous" };
    Some(told(sentence, &["logs", &pod.name, "-c", name, previous]))
}

fn node(pod: &PodBrief) -> Option<Diagnosis> {
    let trouble = pod.trouble.as_deref()?;
    let gone = ["Evicted", "NodeLost", "NodeShutdown", "Preempting", "its node does not report"];
    let which = gone.iter().find(|reason| trouble.starts_with(*reason))?;
    let sentence = match *which {
        "its node does not report" => format!("The node of the {} pod does not report", pod.group),
        _ => format!("The node has thrown the {} pod out: {trouble}", pod.group),
    };
    Some(told(sentence, &["get", "pod", &pod.name, "-o", "wide"]))
}

/// A default pod waits until its cache is there, and no trouble of its own counts before.
fn cache_first(deployment: &Deployment) -> Option<Diagnosis> {
    let ready = |pod: &&PodBrief| pod.trouble.is_none();
    let (caches, others): (Vec<&PodBrief>, Vec<&PodBrief>) =
        deployment.pods.iter().partition(|pod| pod.group == CACHE);
    if others.iter().any(ready) && caches.iter().any(ready) {
        return None;
    }
    let Some(cache) = caches.iter().find(|pod| pod.trouble.is_some()) else {
        return caches.is_empty().then(|| {
            let sentence = "There is no cache pod yet, and the default pods wait for it".to_owned();
            takes_time(told(sentence, &["describe", &resource(deployment), &deployment.name]))
        });
    };
    let left = patience(cache);
    let waits =
        if others.is_empty() { "the default pods come after it" } else { "the default pods wait for it" };
    let sentence = format!("The cache is not ready yet, and {waits}{left}");
    Some(takes_time(told(sentence, &["logs", &cache.name, "--tail=50"])))
}

fn loading(deployment: &Deployment) -> Option<Diagnosis> {
    let pod = deployment.pods.iter().find(|pod| pod.trouble.is_some())?;
    if pod.trouble.as_deref() == Some("Terminating") {
        let sentence = format!("A {} pod is being replaced", pod.group);
        return Some(takes_time(told(sentence, &["get", "pod", &pod.name])));
    }
    let container = troubled(pod).next()?;
    let left = patience(pod);
    let (sentence, name) = match container.init {
        true => {
            (format!("The {} pod is being prepared by {}{left}", pod.group, container.name), &container.name)
        }
        false => (
            format!("Container {} of the {} pod is starting{left}", container.name, pod.group),
            &container.name,
        ),
    };
    Some(takes_time(told(sentence, &["logs", &pod.name, "-c", name, "--tail=50"])))
}

/// What the start-up probe still allows.
fn patience(pod: &PodBrief) -> String {
    let until = pod.details.iter().find_map(ContainerBrief::may_start_until);
    until
        .map(|until| format!("; its start-up probe lets it until {}", units::moment(until)))
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
    let sentence =
        format!("Its pods are ready, but the API does not route {which}: the gateway has not taken it up");
    Some(told(sentence, &["get", &resource(deployment), &deployment.name, "-o", "jsonpath={.status}"]))
}

fn not_answering(deployment: &Deployment, silent: Option<(&str, &str)>) -> Option<Diagnosis> {
    let (model, why) = silent?;
    let pod = deployment.pods.iter().find(|pod| pod.group != CACHE)?;
    let sentence = format!("The API routes {model}, but it does not answer: {}", as_a_part(why));
    let container = pod.details.iter().find(|it| it.name == "inf").or(pod.details.first())?;
    Some(told(sentence, &["logs", &pod.name, "-c", &container.name, "--tail=50"]))
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
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sambastack::models::{Listed, Lists, view};
    use crate::sambastack::pods::{cache_pod, group_pod};

    const STARTED: &str = "2026-11-23T14:00:00Z";

    /// A pod whose working containers are these.
    fn pod(name: &str, containers: &[(&str, Value)]) -> Value {
        let wanted: Vec<Value> = containers
            .iter()
            .map(|(name, _)| {
                json!({"name": name, "startupProbe": {"periodSeconds": 10, "failureThreshold": 720}})
            })
            .collect();
        let statuses: Vec<Value> = containers
            .iter()
            .map(|(name, status)| {
                let mut status = status.clone();
                status["name"] = (*name).into();
                status
            })
            .collect();
        json!({"metadata": {"name": name}, "spec": {"containers": wanted},
            "status": {"phase": "Running", "containerStatuses": statuses}})
    }

    fn ready() -> Value {
        json!({"ready": true, "state": {"running": {"startedAt": STARTED}}})
    }

    fn starting() -> Value {
        json!({"ready": false, "state": {"running": {"startedAt": STARTED}}})
    }

    fn waiting(reason: &str, message: &str) -> Value {
        json!({"ready": false, "state": {"waiting": {"reason": reason, "message": message}}})
    }

    fn crashing(last: Value) -> Value {
        json!({"ready": false, "restartCount": 7, "lastState": {"terminated": last},
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}})
    }

    fn cache(status: Value) -> Value {
        pod(&cache_pod("d", "0"), &[("cache", status)])
    }

    fn main(status: Value) -> Value {
        pod(&group_pod("d", "default", "n", "0"), &[("inf", status)])
    }

    fn unscheduled(message: &str) -> Value {
        json!({"metadata": {"name": group_pod("d", "default", "n", "0")}, "spec": {"containers": [{"name": "inf"}]},
            "status": {"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}})
    }

    /// A deployment `d` of bundle `b`, which is valid unless `refused`, with these pods.
    fn deployment(refused: Option<&str>, pods: Vec<Value>) -> Deployment {
        let valid = match refused {
            Some(why) => json!({"type": "Valid", "status": "False", "message": why}),
            None => json!({"type": "Valid", "status": "True"}),
        };
        fn present<T: serde::de::DeserializeOwned>(items: Value) -> Listed<T> {
            Listed::Present(serde_json::from_value(items).unwrap())
        }
        let lists = Lists {
            bundle_deployments: present(json!([{"metadata": {"name": "d"}, "spec": {"bundle": "b"}}])),
            bundles: present(json!([{"metadata": {"name": "b"}, "spec": {"models": {"M": {}}},
                "status": {"conditions": [valid]}}])),
            pods: present(Value::Array(pods)),
            ..Lists::default()
        };
        view(&lists).deployments.remove(0)
    }

    #[track_caller]
    fn check(deployment: &Deployment, known: Known<'_>, expected: Option<(&str, &str)>) {
        let found = diagnose(deployment, known);
        let told = found.as_ref().map(|it| (it.sentence.as_str(), it.confirm.join(" ")));
        assert_eq!(told, expected.map(|(sentence, confirm)| (sentence, confirm.to_owned())));
    }

    #[test]
    fn each_trouble_has_its_sentence_and_its_command() {
        let oom = json!({"reason": "OOMKilled", "exitCode": 137});
        let words = json!({"reason": "Error", "exitCode": 1, "message": "loading\nno such checkpoint\n"});
        let plain = json!({"reason": "Error", "exitCode": 2});
        let failed = json!({"ready": false, "state": {"terminated": {"exitCode": 3}}});
        type Line = (Vec<Value>, Option<(&'static str, &'static str)>);
        let table: Vec<Line> = vec![
            (vec![cache(ready()), main(ready())], None),
            (
                vec![],
                Some((
                    "No pods were created for it: the operator has not taken it up, or may not create them",
                    "describe bundledeployments.sambanova.ai d",
                )),
            ),
            (
                vec![cache(waiting("ImagePullBackOff", "")), main(starting())],
                Some((
                    "The image of container cache in the cache pod cannot be pulled: its name, the registry or the credentials are wrong",
                    "describe pod inf-d-cache-0",
                )),
            ),
            (
                vec![cache(ready()), main(waiting("ErrImagePull", "401 unauthorized"))],
                Some((
                    "The image of container inf in the default pod cannot be pulled: the registry refuses the credentials (imagePullSecrets)",
                    "describe pod inf-d-q-default-n-0",
                )),
            ),
            (
                vec![cache(ready()), main(waiting("ErrImagePull", "manifest unknown"))],
                Some((
                    "The image of container inf in the default pod cannot be pulled: the registry has no such image",
                    "describe pod inf-d-q-default-n-0",
                )),
            ),
            (
                vec![cache(ready()), main(waiting("CreateContainerConfigError", "secret \"s\" not found"))],
                Some((
                    "Container inf in the default pod cannot be made: secret \"s\" not found",
                    "describe pod inf-d-q-default-n-0",
                )),
            ),
            (
                vec![
                    cache(ready()),
                    unscheduled("0/4 nodes are available: 4 Insufficient sambanova.ai/rdu. preemption: 0/4"),
                ],
                Some((
                    "No node has enough free sambanova.ai/rdu for the default pod: 0/4 nodes are available: 4 Insufficient sambanova.ai/rdu",
                    "describe pod inf-d-q-default-n-0",
                )),
            ),
            (
                vec![cache(ready()), unscheduled("0/4 nodes are available: 4 node(s) had untolerated taint")],
                Some((
                    "No node can take the default pod: 0/4 nodes are available: 4 node(s) had untolerated taint",
                    "describe pod inf-d-q-default-n-0",
                )),
            ),
            (
                vec![cache(ready()), main(crashing(oom))],
                Some((
                    "Container inf in the default pod crashes (restarted 7 times): it needs more memory than its limit",
                    "logs inf-d-q-default-n-0 -c inf --previous",
                )),
            ),
            (
                vec![cache(ready()), main(crashing(words))],
                Some((
                    "Container inf in the default pod crashes (restarted 7 times): it ends with exit code 1, its last words: no such checkpoint",
                    "logs inf-d-q-default-n-0 -c inf --previous",
                )),
            ),
            (
                vec![cache(crashing(plain)), main(starting())],
                Some((
                    "Container cache in the cache pod crashes (restarted 7 times): it ends with exit code 2",
                    "logs inf-d-cache-0 -c cache --previous",
                )),
            ),
            (
                vec![cache(ready()), main(failed)],
                Some((
                    "Container inf in the default pod crashes: it ends with exit code 3",
                    "logs inf-d-q-default-n-0 -c inf --tail=50",
                )),
            ),
            (
                vec![cache(starting()), main(starting())],
                Some((
                    "The cache is not ready yet, and the default pods wait for it; its start-up probe lets it until 2026-11-23 16:00 UTC",
                    "logs inf-d-cache-0 --tail=50",
                )),
            ),
            (
                vec![main(starting())],
                Some((
                    "There is no cache pod yet, and the default pods wait for it",
                    "describe bundledeployments.sambanova.ai d",
                )),
            ),
            (
                vec![cache(ready()), main(starting())],
                Some((
                    "Container inf of the default pod is starting; its start-up probe lets it until 2026-11-23 16:00 UTC",
                    "logs inf-d-q-default-n-0 -c inf --tail=50",
                )),
            ),
        ];
        for (pods, expected) in table {
            check(&deployment(None, pods), Known::default(), expected);
        }
    }

    #[test]
    fn a_refused_bundle_comes_before_what_its_pods_say() {
        let pods = vec![cache(waiting("ImagePullBackOff", "")), main(starting())];
        let expected = (
            "SambaStack refused its bundle b: no such checkpoint",
            "get bundles.sambanova.ai b -o jsonpath={.status}",
        );
        check(&deployment(Some("no such checkpoint"), pods), Known::default(), Some(expected));
    }

    #[test]
    fn a_quota_that_is_used_up_is_named_where_an_event_tells() {
        let event = "create Pod inf-d-cache-0 in StatefulSet inf-d-cache failed error: pods \"inf-d-cache-0\" is \
                     forbidden: exceeded quota: team, requested: sambanova.ai/rdu=16, used: 64, limited: 64";
        let expected = (
            "The namespace's quota team is used up, so its pods may not be created",
            "describe resourcequota team",
        );
        let events = [event.to_owned()];
        check(&deployment(None, Vec::new()), Known { events: &events, ..Known::default() }, Some(expected));
    }

    #[test]
    fn what_is_ready_may_still_not_serve() {
        let deployed = deployment(None, vec![cache(ready()), main(ready())]);
        fn known(routed: &[String]) -> Known<'_> {
            Known { routed: Some(routed), ..Known::default() }
        }
        let routed = ["M".to_owned()];
        check(&deployed, known(&routed), None);
        let expected = (
            "Its pods are ready, but the API does not route M: the gateway has not taken it up",
            "get bundledeployments.sambanova.ai d -o jsonpath={.status}",
        );
        check(&deployed, known(&[]), Some(expected));
        let silent = Known { silent: Some(("M", "no answer in 60 s")), ..known(&routed) };
        let expected = (
            "The API routes M, but it does not answer: no answer in 60 s",
            "logs inf-d-q-default-n-0 -c inf --tail=50",
        );
        check(&deployed, silent, Some(expected));
        assert_eq!(as_a_part("The server failed (HTTP 500)"), "the server failed (HTTP 500)");
        assert_eq!(as_a_part("HTTP 500"), "HTTP 500");
        assert_eq!(as_a_part("Über-model says no"), "Über-model says no");
    }
}
