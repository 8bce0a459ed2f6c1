use std::collections::HashSet;

use super::*;

#[test]
fn every_metric_has_a_key_of_its_own() {
    let mut seen = HashSet::new();
    for Metric { key, .. } in METRICS.iter() {
        assert!(seen.insert(key), "{key} is there twice");
    }
    assert!(find("latency_p99.9").is_some() && find("ttft_p42").is_none());
}

#[test]
fn columns_have_titles_and_ranks_tell_them_apart() {
    let names: Vec<&str> = COLUMNS
        .iter()
        .map(|(_, column)| column.name.as_str())
        .collect();
    assert_eq!(names[..3], ["requests", "errors", "p50"]);
    assert_eq!(COLUMNS[2].1.title(), "TTFT p50, ms");
    assert!(COLUMNS.iter().all(|(metric, _)| !metric.title.is_empty()));
    let ranks: HashSet<u8> = COLUMNS.iter().map(|(_, column)| column.rank).collect();
    // The median TTFT and the throughput are the last to go, together, and so is that of input where it stands for it.
    assert_eq!(ranks.len() + 2, COLUMNS.len());
}
