//! The objects of the made-up cluster: deployments in every state that a real one may be in.

use serde_json::{Value, json};

use crate::sambastack::pods::{CACHE, DEFAULT_GROUP, cache_pod, group_pod};

/// The resource version of every list: the made-up cluster never changes.
pub(super) const LIST_VERSION: &str = "1";
pub(super) const SINCE: &str = "2026-11-02T08:00:00Z";

/// The events of the made-up cluster.
pub(super) fn happened() -> Value {
    let event = |kind: &str, name: &str, reason: &str, message: &str, count: u32| {
        json!({"involvedObject": {"kind": kind, "name": name}, "type": "Warning", "reason": reason,
            "message": message, "count": count, "lastTimestamp": SINCE})
    };
    let spare = "inf-md-qwen3-spare-cache";
    let quota = format!(
        "create Pod {spare}-0 in StatefulSet {spare} failed error: pods \"{spare}-0\" is forbidden: exceeded \
         quota: team-a, requested: sambanova.ai/rdu=16, used: sambanova.ai/rdu=64, limited: sambanova.ai/rdu=64"
    );
    let items = [
        event("StatefulSet", spare, "FailedCreate", &quota, 31),
        event(
            "Pod",
            "inf-bd-qwen-nightly-cache-0",
            "Failed",
            "Failed to pull image \"cache:nightly\": not found",
            12,
        ),
        event(
            "Pod",
            "inf-md-deepseek-canary-q-default-n-0",
            "BackOff",
            "Back-off restarting failed container inf",
            58,
        ),
    ];
    json!({"kind": "EventList", "apiVersion": "v1", "metadata": {"resourceVersion": LIST_VERSION}, "items": items})
}

/// The condition of a made-up deployment's pods.
#[derive(Clone, Copy)]
pub(super) enum PodCondition {
    Fine,
    OneOfTwo,
    NoImage,
    Crashing,
    NoNode,
    Preparing,
    NotThere,
    Leaving,
}

/// Deployments of the old generation: name, bundle, condition.
pub(super) const OLD: [(&str, &str, PodCondition); 6] = [
    (
        "bd-gpt-oss-llama70b",
        "b-gpt-oss-llama70b",
        PodCondition::Fine,
    ),
    (
        "bd-llama-4-maverick-17b-128e-instruct-alcf",
        "b-llama-4-maverick",
        PodCondition::Fine,
    ),
    ("bd-minimax", "b-minimax", PodCondition::NotThere),
    ("bd-qwen-nightly", "b-qwen-nightly", PodCondition::NoImage),
    ("bd-retrieval", "b-retrieval", PodCondition::Fine),
    ("bd-whisper-old", "b-whisper", PodCondition::Leaving),
];

/// Bundles of the old generation: name, models, and why the bundle is invalid, if it is.
const BUNDLES: [(&str, &[&str], Option<&str>); 6] = [
    (
        "b-gpt-oss-llama70b",
        &["gpt-oss-120b", "Meta-Llama-3.3-70B-Instruct"],
        None,
    ),
    (
        "b-llama-4-maverick",
        &["Llama-4-Maverick-17B-128E-Instruct"],
        None,
    ),
    (
        "b-minimax",
        &["MiniMax-M2.7"],
        Some("checkpoint MINIMAX_M2_7_CKPT: no such object in gs://example-bucket"),
    ),
    ("b-qwen-nightly", &["Qwen3-32B"], None),
    ("b-retrieval", &["E5-Mistral-7B-Instruct"], None),
    ("b-whisper", &["Whisper-Large-v3"], None),
];

/// Deployments of the new generation: name, bundle or else a model of its own, condition.
const NEW: [(&str, Result<&str, &str>, PodCondition); 7] = [
    (
        "md-deepseek-canary",
        Err("deepseek-r1-0528"),
        PodCondition::Crashing,
    ),
    ("md-deepseek-r1", Ok("mb-deepseek-r1"), PodCondition::Fine),
    (
        "md-gemma-vision",
        Err("gemma-4-31b-it"),
        PodCondition::OneOfTwo,
    ),
    (
        "md-gpt-oss-long-context",
        Err("gpt-oss-120b"),
        PodCondition::Preparing,
    ),
    (
        "md-llama70b-speculative",
        Ok("mb-llama70b-speculative"),
        PodCondition::NoNode,
    ),
    ("md-qwen3", Err("qwen3-32b"), PodCondition::Fine),
    ("md-qwen3-spare", Err("qwen3-32b"), PodCondition::NotThere),
];

/// Models of the new generation: resource, serving name, capabilities.
const MODELS: [(&str, &str, &[&str]); 7] = [
    ("deepseek-r1-0528", "DeepSeek-R1-0528", &["text"]),
    (
        "e5-mistral-7b-instruct",
        "E5-Mistral-7B-Instruct",
        &["embeddings"],
    ),
    ("gemma-4-31b-it", "gemma-4-31B-it", &["text", "vision"]),
    ("gpt-oss-120b", "gpt-oss-120b", &["text"]),
    (
        "meta-llama-3-2-1b-instruct",
        "Meta-Llama-3.2-1B-Instruct",
        &["text"],
    ),
    (
        "meta-llama-3-3-70b-instruct",
        "Meta-Llama-3.3-70B-Instruct",
        &["text"],
    ),
    ("qwen3-32b", "Qwen3-32B", &["text"]),
];

/// The port at which the pods of a deployment publish metrics.
pub(super) const METRICS_PORT: &str = "8000";

/// The serving names of the models of the deployment whose default pod this is.
pub(super) fn served_by(pod: &str) -> Vec<&'static str> {
    let is_of = |deployment: &str| group_pod(deployment, DEFAULT_GROUP, "n", "0") == pod;
    let old = OLD.iter().filter(|(deployment, ..)| is_of(deployment));
    let bundles =
        old.flat_map(|(_, bundle, _)| BUNDLES.iter().filter(move |(name, ..)| name == bundle));
    let of_bundles = bundles.flat_map(|(_, models, _)| models.iter().copied());
    let new = NEW.iter().filter(|(deployment, ..)| is_of(deployment));
    let of_new = new.filter_map(|(_, serves, _)| {
        let resource = match serves {
            Err(model) => *model,
            // A bundle of one model is named after it.
            Ok(bundle) => bundle.strip_prefix("mb-")?,
        };
        let mut named = MODELS
            .iter()
            .filter(|(name, ..)| name.starts_with(resource));
        named.next().map(|(_, serving, _)| *serving)
    });
    of_bundles.chain(of_new).collect()
}

pub(super) fn bundle_deployments() -> Vec<Value> {
    OLD.iter()
        .map(|(name, bundle, condition)| {
            let spec = json!({"bundle": bundle, "groups": groups(*condition), "engineConfig": {"startupTimeout": 7200}});
            json!({"metadata": deployment_metadata(name, *condition), "spec": spec})
        })
        .collect()
}

pub(super) fn bundles() -> Vec<Value> {
    BUNDLES
        .iter()
        .map(|(name, models, refused)| {
            let models: serde_json::Map<String, Value> =
                models.iter().map(|model| ((*model).to_owned(), json!({"template": model}))).collect();
            let spec = json!({"template": template_of(name), "models": models});
            json!({"metadata": {"name": name}, "spec": spec, "status": {"conditions": [valid(*refused)], "legalizerInfo": legalizer(*refused)}})
        })
        .collect()
}

/// Bundle `b-x` uses the template `bt-x`.
fn template_of(bundle: &str) -> String {
    bundle.replacen("b-", "bt-", 1)
}

/// The report of the legalizer, which fits models into a node's memory.
fn legalizer(refused: Option<&str>) -> Value {
    let (status, errors) = match refused {
        Some(why) => ("failed", vec![why]),
        None => ("ok", Vec::new()),
    };
    let utilization = json!({"ddr": 0.62, "hbm_resident": 0.81, "host": 0.17});
    json!({"status": status, "errors": errors, "warnings": [], "utilization": utilization})
}

/// The templates of the bundles, with the sizes that each model supports.
pub(super) fn bundle_templates() -> Vec<Value> {
    let expert = |model: &str, context: &str, sizes: &[u32]| {
        let pef = format!("{}-{context}:1", model.to_lowercase());
        json!({"configs": [{"pef": pef, "dynamic_dims": {"batch_size": {"values": sizes}}}]})
    };
    BUNDLES
        .iter()
        .map(|(bundle, models, _)| {
            let experts = |model: &str| {
                json!({"experts": {"4k": expert(model, "4k", &[1, 2, 4, 8]), "16k": expert(model, "16k", &[1, 2, 4]), "128k": expert(model, "128k", &[1])}})
            };
            let models: serde_json::Map<String, Value> =
                models.iter().map(|model| ((*model).to_owned(), experts(model))).collect();
            json!({"metadata": {"name": template_of(bundle)}, "spec": {"models": models}})
        })
        .collect()
}

/// The profiles of the models of the new generation.
pub(super) fn model_profiles() -> Vec<Value> {
    MODELS
        .iter()
        .map(|(model, _, capabilities)| {
            let sizes = |sizes: &[u32]| json!({"batch_sizes": sizes});
            let batching = match capabilities.first() {
                Some(&"embeddings") => json!({"4k": sizes(&[1, 4, 8, 16, 32])}),
                _ => json!({"8k": sizes(&[2, 4, 6, 8]), "32k": sizes(&[2, 4, 6, 8]), "128k": sizes(&[2])}),
            };
            let spec = json!({"features": ["continuous_batching"], "batchingConfigs": {"all": batching}});
            json!({"metadata": {"name": format!("{model}-p1")}, "spec": spec})
        })
        .collect()
}

fn valid(refused: Option<&str>) -> Value {
    match refused {
        Some(why) => {
            json!({"type": "Valid", "status": "False", "reason": "ValidationFailed", "message": why})
        }
        None => {
            json!({"type": "Valid", "status": "True", "reason": "ValidationSucceeded", "message": "ok"})
        }
    }
}

pub(super) fn model_deployments() -> Vec<Value> {
    NEW.iter()
        .map(|(name, serves, condition)| {
            let mut spec =
                json!({"groups": groups(*condition), "engineConfig": {"startupTimeout": 7200}});
            match serves {
                Ok(bundle) => spec["bundle"] = (*bundle).into(),
                Err(model) => spec["models"] = json!({"modelConfigs": [model_config(model)]}),
            }
            json!({"metadata": deployment_metadata(name, *condition), "spec": spec})
        })
        .collect()
}

fn model_config(model: &str) -> Value {
    json!({"model": format!("{model}:1"), "profile": format!("{model}-p1")})
}

pub(super) fn model_bundles() -> Vec<Value> {
    // A small draft model for speculative decoding, which users cannot send requests to.
    let draft = json!({"model": "meta-llama-3-2-1b-instruct:1", "profile": "draft", "modelSettings": {"routable": false}});
    ["deepseek-r1-0528", "meta-llama-3-3-70b-instruct"]
        .into_iter()
        .zip(["mb-deepseek-r1", "mb-llama70b-speculative"])
        .map(|(model, name)| {
            let pairs = json!([{"draft": "meta-llama-3-2-1b-instruct", "target": model}]);
            let spec = json!({"modelConfigs": [draft, model_config(model)], "specDecodingPairs": pairs});
            json!({"metadata": {"name": name}, "spec": spec, "status": {"conditions": [valid(None)]}})
        })
        .collect()
}

pub(super) fn models() -> Vec<Value> {
    MODELS
        .iter()
        .map(|(name, serving_name, capabilities)| {
            let traits = json!({"capabilities": capabilities});
            json!({"metadata": {"name": name}, "spec": {"name": serving_name, "metadata": traits}})
        })
        .collect()
}

fn groups(condition: PodCondition) -> Value {
    let replicas = if matches!(condition, PodCondition::OneOfTwo) {
        2
    } else {
        1
    };
    json!([{"name": DEFAULT_GROUP, "minReplicas": replicas, "qosList": ["free"]}])
}

fn deployment_metadata(name: &str, condition: PodCondition) -> Value {
    match condition {
        PodCondition::Leaving => {
            json!({"name": name, "deletionTimestamp": SINCE, "finalizers": ["sambanova.ai/teardown"]})
        }
        _ => json!({"name": name}),
    }
}

pub(super) fn pods() -> Vec<Value> {
    let old = OLD.iter().map(|(name, _, condition)| (*name, *condition));
    let new = NEW.iter().map(|(name, _, condition)| (*name, *condition));
    old.chain(new)
        .flat_map(|(name, condition)| pods_of(name, condition))
        .collect()
}

fn pods_of(deployment: &str, condition: PodCondition) -> Vec<Value> {
    let cache = || pod(&cache_pod(deployment, "0"), &[(CACHE, RUNNING)]);
    let main = |tail: &str, inf: Status| {
        pod(
            &group_pod(deployment, DEFAULT_GROUP, "n", tail),
            &[("inf", inf), ("proxy", RUNNING)],
        )
    };
    match condition {
        PodCondition::NotThere => Vec::new(),
        PodCondition::Fine => {
            let mut main = main("0", RUNNING);
            main["metadata"]["annotations"] =
                json!({"prometheus.io/scrape": "true", "prometheus.io/port": METRICS_PORT});
            vec![cache(), main]
        }
        PodCondition::OneOfTwo => vec![
            cache(),
            main("0", RUNNING),
            main("1", || waiting("ImagePullBackOff", 0)),
        ],
        PodCondition::NoImage => {
            vec![
                pod(
                    &cache_pod(deployment, "0"),
                    &[(CACHE, || waiting("ImagePullBackOff", 0))],
                ),
                main("0", RUNNING),
            ]
        }
        PodCondition::Crashing => vec![cache(), main("0", crashing)],
        PodCondition::Preparing => {
            let name = group_pod(deployment, DEFAULT_GROUP, "n", "0");
            let preparing: Status = || waiting("PodInitializing", 0);
            let mut preparing = pod(&name, &[("inf", preparing), ("proxy", preparing)]);
            preparing["status"]["initContainerStatuses"] = json!([{"name": "fetch-checkpoint", "ready": false, "state": {"running": {"startedAt": SINCE}}}]);
            vec![cache(), preparing]
        }
        PodCondition::NoNode => {
            let mut unscheduled = main("0", RUNNING);
            unscheduled["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
                "reason": "Unschedulable", "message": "0/4 nodes are available: 4 Insufficient sambanova.ai/rdu."}]});
            vec![cache(), unscheduled]
        }
        PodCondition::Leaving => {
            let mut pods = vec![cache(), main("0", RUNNING)];
            for pod in &mut pods {
                pod["metadata"]["deletionTimestamp"] = SINCE.into();
            }
            pods
        }
    }
}

/// Creates the status of a container.
type Status = fn() -> Value;

const RUNNING: Status =
    || json!({"ready": true, "restartCount": 0, "state": {"running": {"startedAt": SINCE}}});

fn waiting(reason: &str, restarts: u32) -> Value {
    json!({"ready": false, "restartCount": restarts, "state": {"waiting": {"reason": reason}}})
}

fn crashing() -> Value {
    let mut status = waiting("CrashLoopBackOff", 7);
    status["lastState"] = json!({"terminated": {"reason": "OOMKilled", "exitCode": 137}});
    status
}

fn pod(name: &str, containers: &[(&str, Status)]) -> Value {
    let specs: Vec<Value> = containers
        .iter()
        .map(|(name, _)| json!({"name": name}))
        .collect();
    let statuses: Vec<Value> = containers
        .iter()
        .map(|(name, status)| {
            let mut status = status();
            status["name"] = (*name).into();
            status
        })
        .collect();
    let pending = statuses
        .iter()
        .all(|status| status["state"]["running"].is_null());
    let phase = if pending { "Pending" } else { "Running" };
    json!({
        "metadata": {"name": name},
        "spec": {"containers": specs},
        "status": {"phase": phase, "containerStatuses": statuses},
    })
}
