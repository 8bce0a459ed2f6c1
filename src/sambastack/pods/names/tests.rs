//! Names of pods, and the deployments that they belong to.

use proptest::prelude::*;

use super::*;

const LONG: &str = "bd-llama-4-maverick-17b-128e-instruct-alcf";

#[test]
fn names_are_those_of_the_facts() {
    assert_eq!(cache_pod("llama", "0"), "inf-llama-cache-0");
    assert_eq!(
        group_pod("llama", "default", "n", "0"),
        "inf-llama-q-default-n-0"
    );
    assert_eq!(
        cache_pod(LONG, "0"),
        "inf-bd-llama-4-maverick-17b-128e-instruct-alcf-cache-0"
    );
    assert_eq!(
        group_pod(LONG, "default", "n", "0"),
        "inf-bd-llama-4-maverick-17b-128-f0968391-q-default-n-0"
    );
}

/// Which deployment and which group (`-` for the cache) a pod is matched to.
#[track_caller]
fn check_owner(deployments: &[&str], pod: &str, expected: Option<(&str, &str)>) {
    let mut matcher = Matcher::new(deployments.iter().map(|name| (*name, [].as_slice())));
    let owners = matcher.owners(pod);
    let found = owners
        .first()
        .map(|owner| (deployments[owner.deployment], owner.group.unwrap_or("-")));
    assert_eq!(found, expected, "{pod} among {deployments:?}");
}

#[test]
fn pods_are_matched_exactly() {
    check_owner(
        &["bd-a", "bd-a-2"],
        "inf-bd-a-q-default-n-0",
        Some(("bd-a", "default")),
    );
    check_owner(
        &["bd-a", "bd-a-2"],
        "inf-bd-a-2-q-default-n-0",
        Some(("bd-a-2", "default")),
    );
    check_owner(
        &["bd-a", "bd-a-2"],
        "inf-bd-a-2-cache-0",
        Some(("bd-a-2", "-")),
    );
    check_owner(&["bd-a"], "inf-bd-a-2-cache-0", None);
    check_owner(&["bd-a"], "xinf-bd-a-cache-0", None);
    check_owner(
        &["bd-a"],
        "inf-bd-a-q-default-n-62521c1375",
        Some(("bd-a", "default")),
    );
    check_owner(
        &["bd-a"],
        "inf-bd-a-q-default-n-7d9f8c6b5-x2x4z",
        Some(("bd-a", "default")),
    );
    check_owner(
        &["bd-a"],
        "inf-bd-a-q-high-priority-p-12",
        Some(("bd-a", "high-priority")),
    );
    check_owner(&["bd-a"], "inf-bd-a-cache-warmer", None);
    check_owner(
        &[LONG],
        "inf-bd-llama-4-maverick-17b-128-f0968391-q-default-n-3",
        Some((LONG, "default")),
    );
    check_owner(
        &[LONG],
        "inf-bd-llama-4-maverick-17b-128e-instruct-alcf-cache-0",
        Some((LONG, "-")),
    );
    check_owner(
        &[LONG],
        &group_pod(LONG, "long-context", "d", "0"),
        Some((LONG, "long-context")),
    );
}

#[test]
fn deployments_may_have_the_marks_in_their_own_names() {
    let all = ["a", "a-q-b", "a-cache", "a-q-default-n", "cache"];
    for name in all {
        check_owner(&all, &cache_pod(name, "0"), Some((name, "-")));
        check_owner(
            &all,
            &group_pod(name, "default", "n", "0"),
            Some((name, "default")),
        );
    }
    check_owner(&["a-cache"], "inf-a-cache-0", None);
    check_owner(&["a-q-b"], "inf-a-q-b-n-0", None);
}

#[test]
fn an_old_and_a_new_deployment_of_one_name_share_their_pods() {
    let mut matcher = Matcher::new([("a", [].as_slice()), ("a", [].as_slice())]);
    assert_eq!(matcher.owners("inf-a-cache-0").len(), 2);
}

proptest! {
    #[test]
    fn shortened_texts_fit(text in ".{0,200}", limit in 0usize..90) {
        prop_assert!(shorten(&text, limit).len() <= limit);
    }

    #[test]
    fn deployments_are_found_again(
        names in prop::collection::hash_set("[a-z]([a-z-]{0,70}|(-q-|-cache|-default|-n|-0|a|b){0,6})[a-z0-9]", 1..12),
        tail in prop::sample::select(vec!["0", "17", "62521c1375"]),
    ) {
        let names: Vec<String> = names.into_iter().collect();
        let mut matcher = Matcher::new(names.iter().map(|name| (name.as_str(), [].as_slice())));
        for (i, name) in names.iter().enumerate() {
            let pod = cache_pod(name, tail);
            let owners = matcher.owners(&pod);
            prop_assert_eq!(owners, vec![Owner { deployment: i, group: None, tail }]);
            let pod = group_pod(name, "default", "n", tail);
            let owners = matcher.owners(&pod);
            prop_assert_eq!(owners, vec![Owner { deployment: i, group: Some("default"), tail }]);
        }
    }

    #[test]
    fn any_pod_name_can_be_read(pod in "\\PC{0,40}(-q-|-cache-|-0|é){0,4}") {
        Matcher::new([("a", [].as_slice())]).owners(&pod);
    }
}
