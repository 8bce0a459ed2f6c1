//! Which differences of plans and of their surroundings are listed, and which are grave.

use super::*;
use crate::domain::plan::{Lengths, Load, Prompts};
use crate::domain::plan_fields::{Compare, FIELDS, samples};

#[test]
fn what_breaks_like_with_like_is_grave() {
    let own = one("a", 60, 1.0, 1);
    let with = |change: &dyn Fn(&mut BenchReport)| {
        let mut other = one("b", 60, 1.0, 2);
        change(&mut other.report);
        let found = compare(&[own.clone(), other], 0.03);
        let found = found.differences.iter();
        found
            .map(|difference| (difference.what.clone(), difference.grave))
            .collect::<Vec<_>>()
    };
    let is = |what: &str, grave| vec![(what.to_owned(), grave)];
    assert_eq!(
        with(&|r| r.plan.output_tokens = Some(Lengths::Fixed(9))),
        is("output tokens", true)
    );
    let longer = Prompts::Synthetic {
        input_tokens: Lengths::Fixed(999),
        prefix_tokens: 0,
    };
    assert_eq!(
        with(&|r| r.plan.prompts = longer.clone()),
        is("input tokens", true)
    );
    assert_eq!(with(&|r| r.plan.turns = 3), is("turns", true));
    assert_eq!(
        with(&|r| r.levels[0].tokens_from = "chunks".to_owned()),
        is("tokens from", true)
    );
    assert_eq!(
        with(&|r| r.levels[0].output_tokens.mean = Some(12.0)),
        is("measured output tokens", true)
    );
    assert_eq!(
        with(&|r| r.source = Some("guidellm 0.8.1".to_owned())),
        [is("measured by", true), is("unknown", false)].concat()
    );
    assert_eq!(
        with(&|r| r.plan.params.temperature = Some(0.7)),
        is("temperature", false)
    );
    assert_eq!(
        with(&|r| r.batida = "0.2.0".to_owned()),
        is("Batida", false)
    );
    assert_eq!(
        with(&|r| r.levels[0].watch.doubts = vec!["late".to_owned()]),
        is("levels with measurement warnings", false)
    );
    assert_eq!(
        with(&|r| r.plan.load = Load::Concurrency(vec![4])),
        is("concurrent clients", false)
    );
    assert_eq!(
        with(&|r| r.api = "http://127.0.0.1:1".to_owned()),
        is("API", false)
    );
    let nothing = with(&|r| {
        (r.plan.seed, r.seed) = (Some(99), Some(99));
        r.plan.tags = vec!["other".to_owned()];
        r.started_at = jiff::Timestamp::MAX;
    });
    assert_eq!(nothing, []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_field_that_differs_is_listed(a in samples::plans(), b in samples::plans()) {
        let with = |plan: &Plan| {
            let mut side = report_only(one("a", 3, 1.0, 1));
            side.report.plan = plan.clone();
            side
        };
        let found = compare(&[with(&a), with(&b)], 0.03);
        let [a, b] = [&a, &b].map(|plan| serde_json::to_value(plan).expect("it is JSON"));
        for spec in FIELDS.iter().filter(|spec| spec.compare != Compare::Skip) {
            for (key, ..) in spec.keys.iter().filter(|(key, ..)| !["params", "load"].contains(key)) {
                let key = format!("/{}", key.replace('.', "/"));
                // Where only one side has the key, the kinds of load or of prompts differ.
                let (Some(a), Some(b)) = (a.pointer(&key), b.pointer(&key)) else { continue };
                let listed = found.differences.iter().any(|difference| difference.what == spec.title);
                prop_assert!(listed || a == b, "{} differs: {:?}", spec.title, found.differences);
            }
        }
        let grave = found.differences.iter().any(|difference| difference.what == "load" && difference.grave);
        let kinds = [&a["load"], &b["load"]].map(|load| load.as_object().and_then(|load| load.keys().next()));
        prop_assert_eq!(grave, kinds[0] != kinds[1]);
    }
}
