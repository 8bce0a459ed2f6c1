//! Lists of a cluster, and the deployments and models that they become.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::sambastack::resources::{Bundle, Model};

fn present<T: DeserializeOwned>(items: Value) -> Listed<T> {
    Listed::Present(serde_json::from_value(items).unwrap())
}

fn models() -> Listed<Model> {
    present(json!([
        {"metadata": {"name": "gemma-4-31b-it"}, "spec": {"name": "gemma-4-31B-it", "aliases": ["gemma"],
            "metadata": {"capabilities": ["text", "vision"]}}},
        {"metadata": {"name": "e5"}, "spec": {"name": "E5", "metadata": {"capabilities": ["embeddings"]}}},
    ]))
}

fn old(bundle: Value, bundles: Listed<Bundle>) -> Deployment {
    let deployments = present(json!([{"metadata": {"name": "d"}, "spec": {"bundle": bundle}}]));
    let lists = Lists {
        bundle_deployments: deployments,
        bundles,
        models: models(),
        ..Lists::default()
    };
    view(&lists).deployments.remove(0)
}

fn new(spec: Value, bundles: Value, models: Listed<Model>) -> Deployment {
    let deployments = present(json!([{"metadata": {"name": "d"}, "spec": spec}]));
    let lists = Lists {
        model_deployments: deployments,
        model_bundles: present(bundles),
        models,
        ..Lists::default()
    };
    view(&lists).deployments.remove(0)
}

fn names(deployment: &Deployment) -> Vec<&str> {
    deployment
        .models
        .iter()
        .map(|model| model.serving_name.as_str())
        .collect()
}

#[test]
fn old_deployments_serve_the_keys_of_their_bundle() {
    let bundles =
        || present(json!([{"metadata": {"name": "b"}, "spec": {"models": {"Z": {}, "E5": {}}}}]));
    let deployment = old(json!("b"), bundles());
    assert_eq!(names(&deployment), ["E5", "Z"]);
    assert!(
        !deployment.models[0].chats(),
        "where there is a Model, it tells that E5 embeds"
    );
    assert_eq!(deployment.models_trouble, None);
    let trouble = |deployment: Deployment| deployment.models_trouble.unwrap();
    assert_eq!(
        trouble(old(json!("x"), bundles())),
        "bundle x does not exist"
    );
    assert_eq!(trouble(old(json!(null), bundles())), "it names no bundle");
    assert_eq!(
        trouble(old(json!("b"), Listed::Failed(Failure::default()))),
        "bundle b could not be read"
    );
}

#[test]
fn a_refused_bundle_says_why_and_still_lists_its_models() {
    let deployment = old(
        json!("b"),
        present(
            json!([{"metadata": {"name": "b"}, "spec": {"models": {"Z": {}}}, "status": {"conditions":
            [{"type": "Valid", "status": "False", "reason": "ValidationFailed", "message": "no such checkpoint."}]}}]),
        ),
    );
    assert_eq!(names(&deployment), ["Z"]);
    assert_eq!(
        deployment.models_trouble.unwrap(),
        "bundle b is not valid: no such checkpoint"
    );
}

#[test]
fn what_the_operator_says_of_a_bundle_is_kept() {
    let bundle = json!([{"metadata": {"name": "mb"}, "spec": {"modelConfigs": [{"model": "e5"}]},
        "status": {"conditions": [{"type": "Valid", "status": "True", "reason": "ok", "message": ""}],
            "legalizerInfo": {"messages": ["fits"], "memory": {"used": 12, "limit": null}}}}]);
    let deployment = new(json!({"bundle": "mb"}), bundle, models());
    let notes = [
        "Valid True: ok",
        "legalizer.messages[0]: fits",
        "legalizer.memory.used: 12",
    ];
    assert_eq!(deployment.bundle_notes, notes);
    let known = json!({"status": "failed", "errors": ["too large", 5], "warnings": [], "utilization":
        {"ddr": 0.62, "hbm_resident": 1.1}, "more": true});
    let bundle =
        json!([{"metadata": {"name": "mb"}, "spec": {}, "status": {"legalizerInfo": known}}]);
    let notes = [
        "Legalizer: failed",
        "Legalizer error: too large",
        "Legalizer error: 5",
        "Memory use: ddr 0.62 · hbm resident 1.1",
        "legalizer.more: true",
    ];
    assert_eq!(
        new(json!({"bundle": "mb"}), bundle, models()).bundle_notes,
        notes
    );
    let unknown = json!({"status": 3, "errors": "too large", "warnings": {"tight": "hbm"}, "utilization": [0.5]});
    let bundle =
        json!([{"metadata": {"name": "mb"}, "spec": {}, "status": {"legalizerInfo": unknown}}]);
    let notes = [
        "legalizer.status: 3",
        "legalizer.errors: too large",
        "legalizer.warnings.tight: hbm",
        "legalizer.utilization[0]: 0.5",
    ];
    assert_eq!(
        new(json!({"bundle": "mb"}), bundle, models()).bundle_notes,
        notes
    );
}

#[test]
fn new_deployments_serve_what_the_models_are_called() {
    let bundle = json!([{"metadata": {"name": "mb"}, "spec": {"modelConfigs": [
        {"model": "gemma-4-31b-it:1", "profile": "p"},
        {"model": "gemma-4-31b-it:arch:2", "profile": "q"},
        {"model": "draft:1", "modelSettings": {"routable": false}},
        {"model": "e5", "modelSettings": null},
    ]}}]);
    let deployment = new(json!({"bundle": "mb"}), bundle, models());
    assert_eq!(names(&deployment), ["E5", "gemma-4-31B-it"]);
    assert_eq!(
        deployment.models[1].resource.as_deref(),
        Some("gemma-4-31b-it")
    );
    assert_eq!(deployment.models[1].aliases, ["gemma"]);
    assert_eq!(deployment.models_trouble, None);
    assert_eq!(deployment.bundle.as_deref(), Some("mb"));

    let own = json!({"models": {"modelConfigs": [{"model": "gemma-4-31b-it:1"}]}});
    let deployment = new(own, json!([]), models());
    assert_eq!(
        (names(&deployment), deployment.bundle.as_deref()),
        (vec!["gemma-4-31B-it"], None)
    );
}

#[test]
fn a_model_that_is_missing_leaves_its_name_unconfirmed() {
    let own = || json!({"models": {"modelConfigs": [{"model": "minimax-m2-7:x:1"}]}});
    let deployment = new(own(), json!([]), models());
    assert_eq!(names(&deployment), ["minimax-m2-7"]);
    assert!(!deployment.models[0].confirmed);
    assert_eq!(
        deployment.models_trouble.unwrap(),
        "model minimax-m2-7 does not exist, so its serving name is a guess"
    );
    let deployment = new(own(), json!([]), Listed::Failed(Failure::default()));
    assert_eq!(
        deployment.models_trouble.unwrap(),
        "the models could not be listed, so their serving names are guesses"
    );
    let drafts =
        json!({"models": {"modelConfigs": [{"model": "a", "modelSettings": {"routable": false}}]}});
    let deployment = new(drafts, json!([]), models());
    assert_eq!(
        deployment.models_trouble.unwrap(),
        "it lists no model that can be requested"
    );
}

#[test]
fn what_is_odd_is_told_and_hides_nothing_else() {
    use crate::sambastack::read::parse_list;
    fn listed<T: Object>(items: Value) -> Listed<T> {
        let list = json!({"kind": "XList", "items": items}).to_string();
        Listed::Present(parse_list(list.as_bytes()).unwrap())
    }
    let lists = Lists {
        bundle_deployments: listed(json!([
            {"metadata": {"name": "good"}, "spec": {"bundle": "b"}},
            {"metadata": {"name": "minus"}, "spec": {"bundle": "b", "groups": [{"name": "default", "minReplicas": -1}]}},
            {"metadata": {"name": "of-odd"}, "spec": {"bundle": "b-odd"}},
            {"metadata": null, "spec": {"bundle": "b"}},
        ])),
        bundles: listed(json!([
            {"metadata": {"name": "b"}, "spec": {"models": {"M": {}}}},
            {"metadata": {"name": "b-odd"}, "spec": {"models": ["M"]}},
        ])),
        model_deployments: listed(json!([
            {"metadata": {"name": "md"}, "spec": {"models": {"modelConfigs": [{"model": "e5"}, {"model": "odd"}]}}},
        ])),
        models: listed(json!([
            {"metadata": {"name": "e5"}, "spec": {"name": "E5"}},
            {"metadata": {"name": "odd"}, "spec": {"name": 5}},
        ])),
        pods: listed(json!([
            {"metadata": {"name": "inf-good-cache-0"}, "status": []},
            {"metadata": {"name": "inf-minus-cache-0"}},
        ])),
        ..Lists::default()
    };
    let seen = view(&lists);
    let told: Vec<String> = seen
        .deployments
        .iter()
        .map(|it| format!("{} | {}", it.name, it.why()))
        .collect();
    let waits = "cache pod 0/0: its state is not known yet; no default pod yet";
    assert_eq!(
        told,
        [
            "good | cache pod: it is unknown whether it is ready: status is a list, not a map; no default pod yet".to_owned(),
            "md | no pods; model odd cannot be read (spec.name is 5, not a text), so its serving name is a guess".to_owned(),
            format!(
                "minus | {waits}; its resource cannot be read in full: spec.groups[0].minReplicas is -1, not a whole number from 0"
            ),
            "of-odd | no pods; bundle b-odd cannot be read in full: spec.models is a list, not a map".to_owned(),
        ]
    );
    let names: Vec<&str> = seen.deployments[1]
        .models
        .iter()
        .map(|it| it.serving_name.as_str())
        .collect();
    assert_eq!(
        names,
        ["E5", "odd"],
        "the odd model makes no other name wrong"
    );
    assert_eq!(
        seen.deployments[0].pods[0].unreadable,
        ["status is a list, not a map"]
    );
    let told: Vec<&str> = seen
        .unreadable
        .iter()
        .map(|it| it.summary.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "2 of 4 bundledeployments cannot be read in full: minus: spec.groups[0].minReplicas is -1, not a whole \
             number from 0 (and 1 more)",
            "1 of 2 bundles cannot be read in full: b-odd: spec.models is a list, not a map",
            "1 of 2 models cannot be read in full: odd: spec.name is 5, not a text",
            "1 of 2 pods cannot be read in full: inf-good-cache-0: status is a list, not a map",
        ]
    );
    assert!(seen.warnings.is_empty() && !seen.is_partial);
}

#[test]
fn a_model_with_an_empty_name_is_there_and_its_serving_name_is_a_guess() {
    let seen = view(&Lists {
        model_deployments: present(
            json!([{"metadata": {"name": "md"}, "spec": {"models": {"modelConfigs": [{"model": "empty:1"}]}}}]),
        ),
        models: present(json!([{"metadata": {"name": "empty"}, "spec": {"name": ""}}])),
        ..Lists::default()
    });
    assert_eq!(
        seen.deployments[0].models_trouble.as_deref(),
        Some(
            "model empty has no serving name (its spec.name is empty), so its serving name is a guess"
        )
    );
}

#[test]
fn without_pods_nobody_knows_the_state() {
    let mut lists = Lists {
        bundle_deployments: present(json!([{"metadata": {"name": "d"}}])),
        pods: Listed::Failed(Failure::new("Forbidden", "")),
        ..Lists::default()
    };
    let seen = view(&lists);
    assert_eq!(seen.deployments[0].state, DeploymentState::Unknown);
    assert_eq!(seen.warnings.len(), 1);
    assert_eq!(seen.generations, [Generation::Old]);
    lists.pods = Listed::Present(Vec::new());
    assert_eq!(
        view(&lists).deployments[0].state,
        DeploymentState::NotDeployed
    );
}
