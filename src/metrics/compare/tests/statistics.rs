//! The statistics against scipy's, and how often intervals hold what they should.

use serde::Deserialize;

use crate::domain::random::Random;
use crate::metrics::compare::bootstrap::{Gaps, Values, change, draws};
use crate::metrics::compare::ranks;

#[derive(Deserialize)]
struct Scipy {
    mann_whitney: Vec<Pair>,
    fisher: Vec<Table>,
    quantiles: Vec<Quantiles>,
    bootstrap: Vec<Interval<f64>>,
    gaps: Vec<Interval<Vec<u32>>>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    a: Vec<f64>,
    b: Vec<f64>,
    p: f64,
}

#[derive(Deserialize)]
struct Table {
    hits: [u64; 2],
    of: [u64; 2],
    p: f64,
}

#[derive(Deserialize)]
struct Quantiles {
    values: Vec<f64>,
    at: std::collections::BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Interval<T> {
    a: Vec<T>,
    b: Vec<T>,
    p: f64,
    interval: [f64; 2],
}

fn scipy() -> Scipy {
    let text = include_str!("../../../../tests/fixtures/compare/scipy.json");
    serde_json::from_str(text).expect("the fixture reads")
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let Values::Each(values) = Values::each(values) else {
        unreachable!("each of them")
    };
    values
}

#[test]
fn the_rank_test_is_scipys() {
    for Pair { name, a, b, p } in scipy().mann_whitney {
        let said = ranks::mann_whitney(&sorted(&a), &sorted(&b)).expect("both have values");
        assert!(
            (said - p).abs() <= 1e-9 * p.max(1e-3),
            "{name}: {said}, scipy {p}"
        );
        let back = ranks::mann_whitney(&sorted(&b), &sorted(&a)).expect("both have values");
        assert!((said - back).abs() <= 1e-12, "{name}: the sides are alike");
    }
}

#[test]
fn grouped_values_are_ranked_as_ties() {
    let case = scipy()
        .mann_whitney
        .into_iter()
        .find(|case| case.name == "many ties")
        .expect("a case");
    let count = |of: &[f64], value: f64| of.iter().filter(|other| **other == value).count() as f64;
    let groups: Vec<[f64; 3]> = (0..8)
        .map(f64::from)
        .map(|value| [value, count(&case.a, value), count(&case.b, value)])
        .collect();
    let said = ranks::mann_whitney_grouped(&groups).expect("both have values");
    assert!((said - case.p).abs() < 1e-9, "{said}, scipy {}", case.p);
}

#[test]
fn the_test_of_counts_is_scipys() {
    for Table {
        hits: [a, b],
        of: [n, m],
        p,
    } in scipy().fisher
    {
        let said = ranks::fisher([a, n], [b, m]);
        assert!(
            (said - p).abs() <= 1e-6 * p,
            "{a} of {n}, {b} of {m}: {said}, scipy {p}"
        );
    }
}

#[test]
fn percentiles_are_numpys_inverted_cdf() {
    for Quantiles { values, at } in scipy().quantiles {
        let each = Values::each(&values);
        for (p, value) in at {
            let p: f64 = p.parse().expect("a share");
            assert_eq!(each.at(p), Some(value), "{p} of {}", values.len());
        }
    }
}

/// Ends of an interval may be off by this share of its width: both are drawn at random.
#[track_caller]
fn check_interval(said: [f64; 2], expected: [f64; 2], tolerance: f64, what: &str) {
    let width = expected[1] - expected[0];
    for (said_end, end) in said.iter().zip(expected) {
        assert!(
            (said_end - end).abs() <= tolerance * width,
            "{what}: {said:?}, expected {expected:?}"
        );
    }
}

#[test]
fn bootstrap_intervals_are_scipys() {
    for (at, Interval { a, b, p, interval }) in scipy().bootstrap.into_iter().enumerate() {
        let drawn = |values: &[f64], side: u64| {
            let each = Values::each(values);
            let shown = each.at(p).expect("values");
            draws(
                &each,
                p,
                values.len() as u64,
                shown,
                &mut Random::at(&[at as u64, side]),
            )
            .expect("enough")
        };
        let (said, _) = change(&drawn(&a, 0), &drawn(&b, 1), f64::INFINITY).expect("an interval");
        // Between two of the few largest values there is nothing.
        let tolerance = if p > 0.9 { 0.15 } else { 0.08 };
        check_interval(
            said,
            interval,
            tolerance,
            &format!("p{p} of {} and {}", a.len(), b.len()),
        );
    }
}

#[test]
fn gaps_are_as_sure_as_resampled_requests() {
    for (at, Interval { a, b, p, interval }) in scipy().gaps.into_iter().enumerate() {
        let drawn = |requests: &[Vec<u32>], side: u64| {
            let gaps = Gaps::of(requests);
            let shown = gaps.pooled.at(p).expect("values");
            let independent = gaps.effective(requests, p).map_or(0.0, |it| it.count) as u64;
            draws(
                &gaps.pooled,
                p,
                independent,
                shown,
                &mut Random::at(&[at as u64, side]),
            )
            .expect("enough")
        };
        let (said, _) = change(&drawn(&a, 0), &drawn(&b, 1), f64::INFINITY).expect("an interval");
        check_interval(said, interval, 0.12, &format!("case {at}, p{p}"));
    }
}

/// How often the interval of the change of a percentile holds the true one.
fn held(p: f64, n: usize) -> f64 {
    let runs = 120;
    let held = (0..runs).filter(|run| {
        let drawn = |side: u64, middle: f64| {
            let mut random = Random::at(&[*run, side, 9]);
            let values: Vec<f64> = (0..n)
                .map(|_| middle * (0.3 * random.normal()).exp())
                .collect();
            let each = Values::each(&values);
            let shown = each.at(p).expect("values");
            draws(&each, p, n as u64, shown, &mut random).expect("enough")
        };
        let ([low, high], _) =
            change(&drawn(0, 100.0), &drawn(1, 112.0), f64::INFINITY).expect("an interval");
        low <= 0.12 && high >= 0.12
    });
    held.count() as f64 / runs as f64
}

#[test]
fn intervals_hold_the_true_change_as_often_as_they_say() {
    for (p, n) in [(0.5, 20), (0.5, 200), (0.95, 150), (0.99, 600)] {
        let held = held(p, n);
        assert!(held >= 0.9, "{held} of p{p} with {n} requests");
    }
}
