//! Resources with missing, null and unknown fields.

use super::super::read::{ListError, parse_list};
use super::*;

#[test]
fn fields_may_be_missing_null_or_unknown() {
    let text = br#"{"kind":"PodList","metadata":null,"items":[
        {},
        {"metadata":null,"spec":null,"status":null},
        {"metadata":{"name":null,"labels":null,"managedFields":[{"f":{}}]},"spec":{"containers":null},
         "status":{"phase":null,"containerStatuses":[{"name":null,"ready":null,"restartCount":null,"state":null}]}},
        {"metadata":{"name":"p"},"status":{"containerStatuses":[{"state":{"running":{"startedAt":null}},"lastState":{}}]}}
    ]}"#;
    let pods = parse_list::<Pod>(text).unwrap();
    assert_eq!(pods.len(), 4);
    assert!(pods[3].status.container_statuses[0].state.running.is_some());
    assert!(
        parse_list::<Model>(br#"{"kind":"ModelList","items":null}"#)
            .unwrap()
            .is_empty()
    );
    let deployment = r#"{"kind":"ModelDeploymentList","items":[{"spec":{"bundle":null,"models":null,"groups":[{}]}}]}"#;
    assert!(
        parse_list::<ModelDeployment>(deployment.as_bytes()).unwrap()[0]
            .spec
            .bundle
            .is_none()
    );
    let bundle = r#"{"kind":"BundleList","items":[{"spec":{"models":{"A":null,"B":{"x":[1]}}}}]}"#;
    assert_eq!(
        parse_list::<Bundle>(bundle.as_bytes()).unwrap()[0]
            .spec
            .models
            .len(),
        2
    );
}

#[test]
fn what_is_no_list_is_told_apart() {
    assert!(matches!(
        parse_list::<Pod>(b"\n <!doctype html><html>"),
        Err(ListError::WebPage)
    ));
    assert!(
        matches!(parse_list::<Pod>(br#"{"kind":"Status"}"#), Err(ListError::NoList(kind)) if kind == "Status")
    );
    assert!(matches!(
        parse_list::<Pod>(b"hello"),
        Err(ListError::Json(_))
    ));
}
