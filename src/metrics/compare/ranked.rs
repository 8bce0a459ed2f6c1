//! The rank test of two sides, by their requests or by their histograms.

use super::ranks;

#[derive(Debug)]
pub(super) struct Ranked {
    /// One value a request, ascending.
    pub(super) each: Option<Vec<f64>>,
    /// Those of the report.
    pub(super) buckets: Vec<[f64; 3]>,
    /// As how many independent values one of them counts.
    pub(super) weight: f64,
}

/// The rank test: of the requests' values where both sides have them, else of both histograms. Values that are not
/// independent weigh less.
pub(super) fn rank(a: &Ranked, b: &Ranked) -> Option<f64> {
    let mut groups: Vec<[f64; 3]> = Vec::new();
    if let (Some(each_a), Some(each_b)) = (&a.each, &b.each) {
        if a.weight >= 1.0 && b.weight >= 1.0 {
            return ranks::mann_whitney(each_a, each_b);
        }
        groups.extend(each_a.iter().map(|value| [*value, a.weight, 0.0]));
        groups.extend(each_b.iter().map(|value| [*value, 0.0, b.weight]));
    } else {
        let [of_a, of_b] = [&a.buckets, &b.buckets].map(|buckets| buckets.iter());
        groups.extend(of_a.map(|[from, _, n]| [*from, n * a.weight, 0.0]));
        groups.extend(of_b.map(|[from, _, n]| [*from, 0.0, n * b.weight]));
    }
    groups.sort_by(|a, b| a[0].total_cmp(&b[0]));
    groups.dedup_by(|next, kept| {
        // The buckets of all levels have the same edges.
        let same = (next[0] - kept[0]).abs() <= kept[0].abs() * 1e-9;
        if same {
            *kept = [kept[0], kept[1] + next[1], kept[2] + next[2]];
        }
        same
    });
    ranks::mann_whitney_grouped(&groups)
}

/// Without what is no number.
pub(super) fn finite(values: &[f64]) -> Vec<f64> {
    let finite = values.iter().copied().filter(|value| value.is_finite());
    finite.collect()
}
