use proptest::prelude::*;

use super::*;
use crate::domain::stats::{P1, P50, P99_9};

fn of_counts(values: &[u64]) -> Histogram {
    let mut out = Histogram::new(Scale::Count);
    values.iter().for_each(|value| out.record_count(*value));
    out
}

#[test]
fn nothing_recorded_is_nothing_said() {
    assert_eq!(Histogram::new(Scale::Time).stats(), Stats::default());
    let mut times = Histogram::new(Scale::Time);
    times.record_micros(&[]);
    times.merge(&Histogram::new(Scale::Time));
    assert_eq!(times.stats(), Stats::default());
}

#[test]
fn times_are_read_in_ms() {
    let mut times = Histogram::new(Scale::Time);
    times.record_micros(&[0, 1_500, 3_000]);
    times.record(Duration::from_nanos(4_499_600));
    let stats = times.stats();
    assert_eq!(
        (stats.min, stats.max, stats.mean),
        (Some(0.0), Some(4.5), Some(2.25))
    );
    assert_eq!(stats.at(P50), Some(1.5), "the second of four");
    assert_eq!(stats.buckets.len(), 4);
    let sd = stats.sd.expect("four values");
    assert!((sd - 1.936_491_673).abs() < 1e-6, "{sd}");
}

#[test]
fn rates_keep_thousandths_and_leave_out_what_is_no_number() {
    let mut rates = Histogram::new(Scale::Rate);
    for rate in [99.5, f64::NAN, f64::INFINITY, -1.0, 100.5] {
        rates.record_rate(rate);
    }
    let stats = rates.stats();
    assert_eq!(
        (stats.count, stats.mean, stats.min),
        (2, Some(100.0), Some(99.5))
    );
}

#[test]
fn a_single_value_has_no_deviation_and_no_interval() {
    let stats = of_counts(&[7]).stats();
    assert_eq!(
        (stats.count, stats.at(P1), stats.at(P99_9)),
        (1, Some(7.0), Some(7.0))
    );
    assert_eq!((stats.sd, stats.estimate(P50).ci), (None, None));
}

#[test]
fn ranks_are_the_nearest() {
    for (n, per_mille, rank) in [
        (1, 1, 1),
        (100, 500, 50),
        (100, 990, 99),
        (101, 990, 100),
        (10, 999, 10),
    ] {
        assert_eq!(nearest_rank(n, per_mille), rank, "{per_mille} of {n}");
    }
}

/// As in tables of distribution-free intervals (equal tails), e.g. Conover's.
#[test]
fn intervals_of_the_median_are_those_of_the_tables() {
    for (n, ranks) in [
        (5, None),
        (6, Some([1, 6])),
        (8, Some([1, 8])),
        (9, Some([2, 8])),
        (10, Some([2, 9])),
        (20, Some([6, 15])),
        (25, Some([8, 18])),
        (50, Some([18, 33])),
        (100, Some([40, 61])),
    ] {
        assert_eq!(interval_ranks(n, 0.5), ranks, "{n} values");
    }
}

#[test]
fn high_percentiles_need_many_values() {
    for (p, least) in [(0.5, 6), (0.95, 72), (0.99, 368), (0.01, 368)] {
        assert_eq!(least_for_interval(p), least);
        assert_eq!(interval_ranks(least - 1, p), None, "one fewer for {p}");
        assert!(interval_ranks(least, p).is_some(), "just enough for {p}");
    }
}

/// Each rank found is the tightest that keeps the promise, by the distribution written down plainly.
#[test]
fn intervals_cover_at_least_95_percent_and_are_the_tightest() {
    for n in 6..400u64 {
        for p in [0.5, 0.95, 0.99] {
            let Some([low, high]) = interval_ranks(n, p) else {
                continue;
            };
            let below = |k: u64| (0..k).map(|k| binomial(n, p, k)).sum::<f64>();
            let at_least = |k: u64| (k..=n).map(|k| binomial(n, p, k)).sum::<f64>();
            let covered = below(high) - below(low);
            assert!(covered >= 0.95 - 1e-9, "{covered} of {p} at {n}");
            assert!(
                below(low) <= TAIL + 1e-9 && below(low + 1) > TAIL,
                "lower of {p} at {n}"
            );
            assert!(
                at_least(high) <= TAIL + 1e-9 && at_least(high - 1) > TAIL,
                "upper of {p} at {n}"
            );
        }
    }
}

fn binomial(n: u64, p: f64, k: u64) -> f64 {
    let choose: f64 = (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum();
    (choose + k as f64 * p.ln() + (n - k) as f64 * (1.0 - p).ln()).exp()
}

#[test]
fn where_the_exact_intervals_end_the_approximate_ones_go_on() {
    for (n, p) in [(10_000, 0.5), (52_000, 0.95), (250_000, 0.99)] {
        let (exact, normal) = (exact_ranks(n, p), normal_ranks(n, p));
        for (exact, normal) in exact.iter().zip(normal) {
            assert!(exact.abs_diff(normal) <= 2, "{exact} and {normal} of {n}");
        }
        assert!(
            normal[0] <= exact[0] && normal[1] >= exact[1],
            "rounded outwards"
        );
    }
    assert!(interval_ranks(u64::from(u32::MAX) * 8, 0.99).is_some());
}

#[test]
fn values_that_depend_on_each_other_have_wider_intervals_or_none() {
    let all = of_counts(&(1..=1_000).collect::<Vec<u64>>());
    let interval = |usable| {
        let counted = |_| {
            Some(Effective {
                usable,
                ..Effective::all(100)
            })
        };
        all.stats_as(counted).estimate(P50)
    };
    let [whole, part, none] = [Some(1_000), Some(100), None].map(interval);
    assert_eq!(whole.ci, all.stats().estimate(P50).ci);
    let width = |it: Estimate| it.ci.map(|[low, high]| high - low).expect("an interval");
    let wider = width(part) / width(whole);
    assert!((2.8..3.7).contains(&wider), "{wider}: about √10");
    assert_eq!(
        (part.effective, none.effective, none.ci),
        (Some(100), Some(100), None)
    );
    assert_eq!(none.value, whole.value);
}

proptest! {
    #[test]
    fn merging_equals_recording_everything_in_one(
        a in prop::collection::vec(0u64..100_000_000_000, 0..200),
        b in prop::collection::vec(0u64..5_000, 0..200),
    ) {
        let mut merged = of_counts(&a);
        merged.merge(&of_counts(&b));
        let all: Vec<u64> = b.iter().chain(&a).copied().collect();
        prop_assert_eq!(merged.stats(), of_counts(&all).stats());
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_list(
        mut values in prop::collection::vec(0u64..10_000_000, 1..500),
    ) {
        let stats = of_counts(&values).stats();
        values.sort_unstable();
        let n = values.len() as u64;
        for percentile in PERCENTILES {
            let exact = values[nearest_rank(n, percentile.per_mille()) as usize - 1] as f64;
            let said = stats.at(*percentile).expect("there are values");
            prop_assert!((said - exact).abs() <= exact * 5e-4 + 1e-9, "{} for {}", said, exact);
        }
        let mean = values.iter().sum::<u64>() as f64 / n as f64;
        let around: f64 = values.iter().map(|value| (*value as f64 - mean).powi(2)).sum();
        prop_assert!((stats.mean.expect("a mean") - mean).abs() <= mean * 1e-12);
        if n > 1 {
            let sd = (around / (n - 1) as f64).sqrt();
            prop_assert!((stats.sd.expect("a deviation") - sd).abs() <= sd * 1e-9 + 1e-9);
        }
        prop_assert_eq!(stats.max, Some(values[values.len() - 1] as f64));
    }

    #[test]
    fn buckets_hold_every_value_once_and_are_narrow(
        values in prop::collection::vec(0u64..10_000_000_000, 1..300),
    ) {
        let buckets = of_counts(&values).stats().buckets;
        prop_assert_eq!(buckets.iter().map(|bucket| bucket[2]).sum::<f64>(), values.len() as f64);
        for [from, to, count] in &buckets {
            let inside = values.iter().filter(|value| (*from..*to).contains(&(**value as f64))).count();
            prop_assert_eq!(inside as f64, *count);
            prop_assert!(to - from <= (from * 0.02).max(1.0));
        }
        prop_assert!(buckets.windows(2).all(|pair| pair[0][1] <= pair[1][0]));
    }
}

#[test]
fn values_that_depend_on_each_other_have_their_largest_for_an_end() {
    // Of 40 independent values none is surely beyond p95; of 2,000 that count as 40 some are.
    assert_eq!(dependent_ranks(40, 40, 0.95), None);
    let [low, high] = dependent_ranks(40, 2_000, 0.95).expect("an interval");
    assert_eq!((exact_ranks(40, 0.95), high), ([35, 41], 2_000));
    assert_eq!(low, (34.5 / 40.0 * 2_000.0) as u64);
    assert_eq!(dependent_ranks(5, 2_000, 0.5), None, "p50 takes six");
    assert_eq!(dependent_ranks(80, 80, 0.95), interval_ranks(80, 0.95));
}

#[test]
fn counts_come_back_and_those_that_no_level_has_are_none() {
    let mut values = Histogram::new(Scale::Time);
    for us in [5, 5, 80, 70_000] {
        values.record(Duration::from_micros(us));
    }
    let mut again = Histogram::new(Scale::Time);
    again.add_counts(&values.counts());
    again.add_counts(&[[7, u64::MAX]]);
    assert_eq!(again.counts(), values.counts());
}
