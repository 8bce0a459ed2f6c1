//! Which levels of the sessions are compared with each other.

use super::*;

#[test]
fn levels_are_matched_by_model_and_load() {
    let pair = |clients| level("m", clients, 60, 1.0, 5);
    let a = side("a", vec![pair(1), pair(4), pair(16)]);
    let b = side(
        "b",
        vec![pair(4), pair(16), pair(64), level("other", 4, 60, 1.0, 6)],
    );
    let found = compare(&[a, b], 0.03);
    let mut labels: Vec<&str> = found.rows.iter().map(|row| row.level.as_str()).collect();
    labels.dedup();
    assert_eq!(labels, ["", "c=4", "c=16"]);
    for words in [
        "c=1 of m in a has no counterpart",
        "c=64 of m in b has",
        "c=4 of other in b has",
    ] {
        assert!(
            found.remarks.iter().any(|remark| remark.starts_with(words)),
            "{words}: {:?}",
            found.remarks
        );
    }
    let peak = found
        .rows
        .iter()
        .find(|row| row.figure == "peak_output_tokens_per_s")
        .expect("a row");
    assert_eq!(
        (peak.baseline, peak.others[0].value),
        (Some(960.0), Some(960.0)),
        "of the levels of both"
    );
}

#[test]
fn one_model_each_is_compared_whatever_it_is_called() {
    let a = side("a", vec![level("old", 4, 60, 1.0, 5)]);
    let b = side("b", vec![level("new", 4, 60, 1.0, 6)]);
    let found = compare(&[a.clone(), b], 0.03);
    assert!(found.rows.iter().all(|row| row.model == "old") && !found.rows.is_empty());
    let first = &found.differences[0];
    assert_eq!((first.what.as_str(), first.grave), ("model", true));
    assert_eq!(first.values, ["old", "new"]);
    assert!(
        found
            .headline()
            .contains("different conditions: model differs"),
        "{}",
        found.headline()
    );
    let two = side(
        "c",
        vec![level("new", 4, 60, 1.0, 6), level("newer", 4, 60, 1.0, 6)],
    );
    let found = compare(&[a, two], 0.03);
    assert_eq!(found.rows, []);
    assert!(
        found
            .remarks
            .iter()
            .any(|remark| remark.contains("no level in common")),
        "{:?}",
        found.remarks
    );
}

#[test]
fn sessions_that_are_too_few_or_too_many_are_told() {
    let own = one("a", 20, 1.0, 1);
    for few in [&[][..], std::slice::from_ref(&own)] {
        let found = compare(few, 0.03);
        assert_eq!((found.rows.len(), found.remarks.len()), (0, 1), "{found:?}");
    }
    let found = compare(&vec![own; 8], f64::NAN);
    assert_eq!(
        (
            found.labels.len(),
            found.rows[0].others.len(),
            found.least_change
        ),
        (6, 5, 0.03)
    );
    assert!(
        found.remarks[0].contains("first 6 of 8"),
        "{:?}",
        found.remarks
    );
}
