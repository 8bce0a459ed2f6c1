//! Objects that cannot be read in full.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn list(items: Value) -> Vec<u8> {
    json!({"kind": "XList", "metadata": {"resourceVersion": "7"}, "items": items})
        .to_string()
        .into_bytes()
}

fn told<T: Object>(items: Value) -> Vec<String> {
    let items: Vec<T> = parse_list(&list(items)).unwrap();
    items
        .iter()
        .map(|it| format!("{}: {}", it.meta().name, it.meta().unreadable.join("; ")))
        .collect()
}

#[test]
fn one_unreadable_object_never_hides_the_others() {
    let deployments = json!([
        {"metadata": {"name": "a"}, "spec": {"bundle": "b"}},
        {"metadata": {"name": "odd"}, "spec": {"bundle": "b", "groups": [{"name": "default", "minReplicas": -1}]}},
        {"metadata": {"name": "text"}, "spec": {"groups": [{"minReplicas": "two"}, {"minReplicas": 1.5}]}},
        {"metadata": {"name": "list"}, "spec": []},
        {"metadata": {"name": "map"}, "spec": {"groups": {"name": "default"}}},
        {"metadata": {"name": "entries"}, "spec": {"groups": [{}, 5]}},
        {"metadata": null, "spec": {"bundle": "b"}},
        {"metadata": {"name": 5}},
        [], "text", null,
        {"metadata": {"name": "bare"}},
        {"metadata": {"name": "z"}, "spec": {"bundle": "b"}},
    ]);
    assert_eq!(
        told::<BundleDeployment>(deployments),
        [
            "a: ",
            "odd: spec.groups[0].minReplicas is -1, not a whole number from 0",
            "text: spec.groups[0].minReplicas is the text \"two\", not a whole number from 0; \
             spec.groups[1].minReplicas is 1.5, not a whole number from 0",
            "list: spec is a list, not a map",
            "map: spec.groups is a map, not a list",
            "entries: spec.groups[1] is 5, not a map",
            ": ",
            ": metadata.name is 5, not a text",
            ": it is a list, not an object",
            ": it is a text, not an object",
            ": it is null, not an object",
            "bare: ",
            "z: ",
        ]
    );
}

#[test]
fn the_readable_rest_of_an_odd_object_is_kept() {
    let pods = json!([{"metadata": {"name": "p", "creationTimestamp": 5}, "spec": {"containers": [{"name": "inf"}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "inf", "ready": true, "restartCount": "7", "state": {"running": {"startedAt": []}}}]}}]);
    let pods: Vec<Pod> = parse_list(&list(pods)).unwrap();
    assert_eq!(pods[0].status.phase, "Running");
    assert!(pods[0].status.container_statuses[0].ready);
    assert!(pods[0].status.container_statuses[0].state.running.is_some());
    assert_eq!(
        pods[0].metadata.unreadable.len(),
        3,
        "{:?}",
        pods[0].metadata.unreadable
    );
    let bundles = json!([{"metadata": {"name": "b"}, "spec": {"models": ["M"], "template": 5}}]);
    assert_eq!(
        told::<Bundle>(bundles),
        ["b: spec.models is a list, not a map"]
    );
    let models =
        json!([{"metadata": {"name": "m"}, "spec": {"name": {"of": "M"}, "aliases": ["n", 3]}}]);
    assert_eq!(
        told::<Model>(models),
        ["m: spec.name is a map, not a text; spec.aliases[1] is 3, not a text"]
    );
    let profiles = json!([{"metadata": "p", "spec": 5}, {"metadata": {"name": "q"}, "spec": {}}]);
    assert_eq!(
        told::<SizeSource>(profiles),
        [": metadata is the text \"p\", not a map", "q: "]
    );
}

#[test]
fn of_an_object_with_very_many_unreadable_fields_the_rest_is_kept() {
    let many: Vec<Value> = (0..500)
        .map(|_| json!({"name": 5, "minReplicas": 1}))
        .collect();
    let object = json!({"metadata": {"name": "d", "deletionTimestamp": "2026-11-30T10:00:00Z"},
        "spec": {"bundle": "b", "groups": many}});
    let found: BundleDeployment = read(&object.to_string());
    assert_eq!(found.metadata.name, "d");
    assert!(found.metadata.is_terminating());
    assert_eq!(found.spec.bundle.as_deref(), Some("b"));
    let remarks = &found.metadata.unreadable;
    assert_eq!(remarks.len(), MAX_REMOVED_FIELDS + 1, "{remarks:?}");
    assert_eq!(
        remarks.last().map(String::as_str),
        Some("spec.groups is left out: the object has more than 128 fields that cannot be read")
    );
    // More lists than are removed one by one cost the specification, and still not the name.
    let models: Vec<Value> = (0..300).map(|_| json!({"name": [5]})).collect();
    let statuses: Vec<Value> = (0..300).map(|_| json!({"ready": [5]})).collect();
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": models},
        "status": {"phase": "Running", "containerStatuses": statuses}});
    let found: Pod = read(&pod.to_string());
    assert_eq!(
        (&*found.metadata.name, &*found.status.phase),
        ("p", "Running")
    );
}

#[test]
fn what_is_nested_too_deeply_is_left_out_with_its_reason() {
    let deep = format!("{}{}", "{\"x\":".repeat(300), "null") + &"}".repeat(300);
    let object = format!(
        "{{\"metadata\":{{\"name\":\"d\"}},\"spec\":{{\"bundle\":\"b\",\"groups\":[{{\"minReplicas\":-5}}],\"y\":{deep}}}}}"
    );
    let found: BundleDeployment = read(&object);
    assert_eq!(found.metadata.name, "d");
    assert_eq!(found.spec.bundle.as_deref(), Some("b"));
    assert_eq!(
        found.metadata.unreadable,
        [
            "spec.y.x.x is nested too deeply",
            "spec.groups[0].minReplicas is -5, not a whole number from 0"
        ]
    );
}

#[test]
fn of_one_name_there_is_one_object() {
    let pods = json!([{"metadata": {"name": "p"}}, {"metadata": {"name": "p"}, "status": {"phase": "Running"}}]);
    let pods: Vec<Pod> = parse_list(&list(pods)).unwrap();
    assert_eq!((pods.len(), pods[0].status.phase.as_str()), (1, "Running"));
    assert_eq!(
        pods[0].metadata.unreadable,
        ["its name is listed more than once; the last is shown"]
    );
}

#[test]
fn an_endless_value_is_cut() {
    let name = "x".repeat(100_000);
    let told =
        told::<BundleDeployment>(json!([{"metadata": {"name": "d"}, "spec": {"groups": name}}]));
    assert!(told[0].len() < 400, "{} bytes", told[0].len());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z0-9]{0,6}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "metadata",
        "name",
        "spec",
        "status",
        "groups",
        "minReplicas",
        "models",
        "containers",
        "conditions",
        "containerStatuses",
        "state",
        "waiting",
        "reason",
        "type",
        "modelConfigs",
        "aliases",
    ]);
    leaf.prop_recursive(5, 60, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..6).prop_map(|map| map
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_object_can_be_read(value in any_json()) {
        let text = value.to_string();
        let name = value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        prop_assert_eq!(read::<Pod>(&text).metadata.name, name.clone());
        prop_assert_eq!(read::<ModelDeployment>(&text).metadata.name, name.clone());
        prop_assert_eq!(read::<Bundle>(&text).metadata.name, name.clone());
        prop_assert_eq!(read::<Model>(&text).metadata.name, name);
    }
}
