use serde::Deserialize;

use super::*;
use crate::domain::random::Random;

#[derive(Deserialize)]
struct Reference {
    series: Vec<Series>,
    student: Vec<[f64; 2]>,
    beyond: Vec<[f64; 3]>,
}

#[derive(Deserialize)]
struct Series {
    name: String,
    values: Vec<f64>,
    autocovariances: Vec<f64>,
    reach: usize,
    /// The batch's length, the long-run variance by overlapping batches, and by statsmodels' Bartlett kernel.
    batches: Vec<(usize, f64, f64)>,
}

fn reference() -> Reference {
    let text = include_str!("../../../tests/fixtures/compare/dependence.json");
    serde_json::from_str(text).expect("the fixture reads")
}

#[track_caller]
fn close(said: f64, expected: f64, tolerance: f64, what: &str) {
    let off = (said - expected).abs();
    assert!(
        off <= tolerance * expected.abs() + 1e-12,
        "{what}: {said}, expected {expected}"
    );
}

#[test]
fn autocovariances_and_how_far_they_reach_are_those_of_statsmodels() {
    for Series {
        name,
        values,
        autocovariances,
        reach: far,
        ..
    } in reference().series
    {
        let series = centred(values);
        for (lag, expected) in autocovariances.into_iter().enumerate() {
            let off = (autocovariance(&series, lag) - expected).abs();
            assert!(off < 1e-9 * autocovariance(&series, 0), "{name} at {lag}");
        }
        assert_eq!(reach(&series), far, "{name}");
    }
}

#[test]
fn the_long_run_variance_is_that_of_numpy_and_nearly_that_of_statsmodels() {
    for Series {
        name,
        values,
        batches,
        ..
    } in reference().series
    {
        let n = values.len();
        let series = centred(values);
        for (batch, expected, bartlett) in batches {
            let said = batch_means(&series, batch);
            close(
                said,
                expected,
                1e-9,
                &format!("{name} in batches of {batch}"),
            );
            // The kernel's is lower by what the ends do not give, about a batch of n.
            let off = 4.0 * batch as f64 / n as f64;
            close(
                said,
                bartlett,
                off.max(0.01),
                &format!("{name}, Bartlett {batch}"),
            );
        }
    }
}

#[test]
fn students_t_is_that_of_scipy() {
    let Reference {
        student: quantiles,
        beyond,
        ..
    } = reference();
    for [freedom, t] in quantiles {
        close(student(freedom), t, 0.007, &format!("{freedom} degrees"));
    }
    close(
        student(f64::INFINITY),
        1.959_964,
        1e-6,
        "the normal distribution",
    );
    for [t, freedom, p] in beyond {
        close(
            beyond_student(t, freedom),
            p,
            0.08,
            &format!("{t}, {freedom} degrees"),
        );
    }
}

#[test]
fn equal_values_have_the_same_rank() {
    assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
}

/// An autoregression of order 1.
fn wandering(phi: f64, n: usize, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed);
    let mut state = random.normal();
    let next = |_| {
        state = phi * state + (1.0 - phi * phi).sqrt() * random.normal();
        state
    };
    (0..n).map(next).collect()
}

fn median_count(values: &[f64]) -> Effective {
    Dependence::of(values, None).percentile(values, 0.5)
}

#[test]
fn independent_values_count_as_what_they_are_nearly_always() {
    let whole = (0..100).filter(|seed| {
        let found = median_count(&wandering(0.0, 400, *seed));
        assert!(found.count <= 400.0, "{found:?}");
        found.usable == Some(400)
    });
    let whole = whole.count();
    assert!(whole >= 80, "{whole} of 100");
}

#[test]
fn values_that_wander_count_as_fewer() {
    // (1 − φ) / (1 + φ) of them, were it their mean.
    let mut counts: Vec<f64> = (0..40)
        .map(|seed| median_count(&wandering(0.9, 4_000, seed)).count)
        .collect();
    counts.sort_unstable_by(f64::total_cmp);
    assert!(
        (180.0..380.0).contains(&counts[20]),
        "{counts:?}: 210 for the mean, 290 for the median"
    );
}

#[test]
fn taking_turns_is_not_worth_more_than_independence() {
    for seed in 0..20 {
        let found = median_count(&wandering(-0.7, 1_000, seed));
        assert!(
            found.count <= 1_000.0 && found.usable <= Some(1_000),
            "{found:?}"
        );
    }
}

#[test]
fn a_short_look_at_a_slow_thing_gives_no_interval_and_says_how_much_longer_it_takes() {
    let short = wandering(0.99, 300, 3);
    let found = median_count(&short);
    assert_eq!(found.usable, None, "{found:?}");
    assert!(found.longer > 1.5 && found.longer.is_finite(), "{found:?}");
    let long = median_count(&wandering(0.99, 60_000, 3));
    assert!(long.usable.is_some() && long.longer <= 1.0, "{long:?}");
}

#[test]
fn latency_takes_the_waits_that_ttft_shows() {
    // A slow wait, and an answer's length that hides it.
    let wait = wandering(0.97, 2_000, 8);
    let noise = wandering(0.0, 2_000, 9);
    let latency: Vec<f64> = wait.iter().zip(&noise).map(|(a, b)| a + 3.0 * b).collect();
    let ttft = Dependence::of(&wait, None);
    let known = Dependence::of(&latency, Some(&ttft)).percentile(&latency, 0.95);
    assert!(known.count < 1_200.0, "{known:?}");
    let hidden = Dependence::of(&wandering(0.995, 400, 1), None);
    assert!(!hidden.is_known(), "{hidden:?}");
    let none = Dependence::of(&latency[..400], Some(&hidden)).percentile(&latency[..400], 0.5);
    assert_eq!(none.usable, None, "{none:?}");
}

#[test]
fn what_depends_is_taken_as_more_dependent_than_it_seems() {
    let values = wandering(0.9, 20_000, 6);
    let found = median_count(&values);
    let expected = found.count * (Z / student(found.freedom)).powi(2) / DOUBT;
    assert_eq!(found.usable, Some(expected as u64), "{found:?}");
    assert!((found.count / DOUBT * 0.8..found.count / DOUBT).contains(&expected));
    // Beyond p99 are 200 values, in rows of about ten.
    let tail = Dependence::of(&values, None).percentile(&values, 0.99);
    assert!(tail.freedom < found.freedom / 4.0, "{tail:?} {found:?}");
}

#[test]
fn few_batches_say_nothing_whatever_their_variance() {
    let values = wandering(0.9, 4_000, 2);
    let dependence = Dependence::of(&values, None);
    assert!(dependence.is_known(), "{dependence:?}");
    let long = Dependence {
        batch: Some(400),
        ..dependence
    };
    assert!(!long.is_known());
    let found = long.percentile(&values, 0.5);
    assert_eq!(found.usable, None);
    assert!(found.longer >= LEAST_BATCHES / 10.0, "{found:?}");
}

#[test]
fn tails_of_requests_that_come_by_chance_take_more_of_them() {
    let told = |n, p: f64, by_chance| {
        let values = wandering(0.0, n, 7);
        let found = Dependence::of(&values, None).may_queue(by_chance);
        found.percentile(&values, p).usable.is_some()
    };
    assert!(told(400, 0.95, false) && told(400, 0.5, true));
    assert!(!told(400, 0.95, true) && told(1_200, 0.95, true));
    assert!(!told(1_200, 0.99, true) && told(4_800, 0.99, true));
}

#[test]
fn gaps_count_as_answers_where_answers_differ_and_as_gaps_where_they_do_not() {
    let count = |answers: &[Vec<u32>], p: f64| {
        let mut pooled: Vec<u32> = answers.iter().flatten().copied().collect();
        pooled.sort_unstable();
        let at = pooled[(p * pooled.len() as f64) as usize - 1];
        let means: Vec<f64> = answers
            .iter()
            .map(|gaps| gaps.iter().map(|gap| f64::from(*gap)).sum::<f64>() / gaps.len() as f64)
            .collect();
        Dependence::of(&means, None).gaps(answers.iter().map(Vec::as_slice), p, at)
    };
    let mut random = Random::new(5);
    let mut answers = |between: f64, within: f64, n: usize| -> Vec<Vec<u32>> {
        let mut answer = || {
            let mean = 10_000.0 + between * random.normal();
            (0..20)
                .map(|_| (mean + within * random.normal()) as u32)
                .collect()
        };
        (0..n).map(|_| answer()).collect()
    };
    let free = count(&answers(0.0, 300.0, 300), 0.5);
    assert!(free.count > 5_000.0, "{free:?} of 6,000 gaps");
    let alike = count(&answers(2_000.0, 1.0, 300), 0.5);
    assert!(
        (250.0..=310.0).contains(&alike.count),
        "{alike:?} of 300 answers"
    );
    let tail = count(&answers(2_000.0, 1.0, 300), 0.99);
    assert_eq!(tail.usable, None, "three answers are the tail: {tail:?}");
    assert_eq!(
        count(&answers(0.0, 300.0, 5), 0.5).usable,
        None,
        "five answers"
    );
}

#[test]
fn shares_of_failures_in_rows_count_as_fewer() {
    let rows: Vec<f64> = (0..1_000)
        .map(|n| f64::from(u8::from(n / 50 % 4 == 0)))
        .collect();
    let found = Dependence::of_share(&rows, None);
    assert!(found.count < 60.0, "{found:?}");
    let mut random = Random::new(2);
    let free: Vec<f64> = (0..1_000)
        .map(|_| f64::from(u8::from(random.below(4) == 0)))
        .collect();
    let found = Dependence::of_share(&free, None);
    assert!(found.count > 700.0, "{found:?}");
    for none in [vec![], vec![0.0; 30], vec![1.0; 30]] {
        assert_eq!(
            Dependence::of_share(&none, None).usable,
            Some(none.len() as u64)
        );
    }
}

#[test]
fn shares_count_as_the_waits_that_they_may_come_of() {
    let waits = wandering(0.9, 4_000, 5);
    let known = Dependence::of(&waits, None);
    let few: Vec<f64> = (0..4_000)
        .map(|n| f64::from(u8::from(n % 400 == 0)))
        .collect();
    for hits in [few, vec![0.0; 4_000]] {
        assert_eq!(Dependence::of_share(&hits, None).usable, Some(4_000));
        let found = Dependence::of_share(&hits, Some(&known));
        assert_eq!(found.count, 4_000.0 / known.effect);
        assert!((30..300).contains(&found.usable.unwrap_or(0)), "{found:?}");
    }
    let short = Dependence::of(&wandering(0.99, 300, 3), None);
    let found = Dependence::of_share(&[0.0; 300], Some(&short));
    assert_eq!(found.usable, None, "{found:?}");
    let free = Dependence::of(&[1.0; 300], None);
    let found = Dependence::of_share(&[0.0; 300], Some(&free));
    assert_eq!(found.usable, Some(300));
}

#[test]
fn whatever_the_values_are_no_more_than_them_are_claimed() {
    for values in [
        vec![],
        vec![1.0],
        vec![2.0; 40],
        vec![1.0, 2.0],
        (0..50).map(f64::from).collect(),
    ] {
        let dependence = Dependence::of(&values, None);
        for p in [0.5, 0.95, 0.99] {
            let found = dependence.percentile(&values, p);
            assert!(found.count <= values.len() as f64, "{values:?}: {found:?}");
            assert!(
                found.usable <= Some(values.len() as u64),
                "{values:?}: {found:?}"
            );
        }
    }
}
