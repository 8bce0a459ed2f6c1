//! Comparisons as a whole, and the statistics against scipy's.

use proptest::prelude::*;
use serde::Deserialize;

use super::bootstrap::{Gaps, Values, change, draws};
use super::*;
use crate::domain::figures;
use crate::domain::plan::{Lengths, LevelLoad, Load, Objectives, Plan, Prompts, Target};
use crate::domain::plan_fields::{Compare, FIELDS, samples};
use crate::domain::random::Random;
use crate::domain::run::{
    BenchReport, Concurrency, Goodput, LevelEnd, LevelReport, Limits, Machine, Rate, Requests,
    SessionEnd, Stats, Throughput, Watch,
};
use crate::domain::stats::{P50, Percentiles};
use crate::metrics::stats::{Histogram, Scale};

// ---- against scipy --------------------------------------------------------------------------------------

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
    let text = include_str!("../../../tests/fixtures/compare/scipy.json");
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
        let (said, _) = change(&drawn(&a, 0), &drawn(&b, 1)).expect("an interval");
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
            let independent = gaps.independent(requests, p);
            draws(
                &gaps.pooled,
                p,
                independent,
                shown,
                &mut Random::at(&[at as u64, side]),
            )
            .expect("enough")
        };
        let (said, _) = change(&drawn(&a, 0), &drawn(&b, 1)).expect("an interval");
        check_interval(said, interval, 0.12, &format!("case {at}, p{p}"));
    }
}

// ---- sessions -------------------------------------------------------------------------------------------

/// A level of `n` requests whose times are scaled by `slower`, drawn anew for each seed.
fn level(
    model: &str,
    clients: u32,
    n: usize,
    slower: f64,
    seed: u64,
) -> (LevelReport, LevelValues) {
    let mut random = Random::at(&[seed, u64::from(clients)]);
    let mut values = LevelValues::default();
    let [mut ttft, mut itl, mut tpot, mut latency] = [Scale::Time; 4].map(Histogram::new);
    let mut user = Histogram::new(Scale::Rate);
    for _ in 0..n {
        let first = slower * 90.0 * (0.15 * random.normal()).exp();
        let pace = slower * 10.0 * (0.03 * random.normal()).exp();
        let gaps: Vec<u32> = (0..15)
            .map(|_| (1e3 * pace * (0.1 * random.normal()).exp()).round() as u32)
            .collect();
        let total: f64 = gaps.iter().map(|gap| f64::from(*gap) / 1e3).sum();
        values.ttft_ms.push(first);
        values.latency_ms.push(first + total);
        values.tpot_ms.push(total / 15.0);
        values.user_tokens_per_s.push(15e3 / total);
        itl.record_micros(&gaps);
        values.gaps_us.push(gaps);
        for (into, ms) in [
            (&mut ttft, first),
            (&mut tpot, total / 15.0),
            (&mut latency, first + total),
        ] {
            into.record(std::time::Duration::from_secs_f64(ms / 1e3));
        }
        user.record_rate(15e3 / total);
    }
    let rate = |mean: f64| {
        let mean = mean * f64::from(clients) / slower;
        Some(Rate {
            mean,
            ci: Some([mean * 0.99, mean * 1.01]),
        })
    };
    let load = LevelLoad::Concurrency(clients);
    let counted = |mean: f64| Stats {
        count: n as u64,
        mean: Some(mean),
        ..Stats::default()
    };
    let report = LevelReport {
        index: 0,
        label: load.label(),
        model: model.to_owned(),
        deployment: None,
        load,
        ended: LevelEnd::Requests,
        began_s: 0.0,
        took_s: 10.0,
        steady_s: Some([0.0, 10.0]),
        requests: Requests {
            ended: n as u64,
            ok: n as u64,
            ..Requests::default()
        },
        at_once: 0,
        tokens_per_chunk: None,
        answered_by: Vec::new(),
        tokens_from: "usage".to_owned(),
        ttft_ms: ttft.stats(),
        first_answer_ms: Stats::default(),
        itl_ms: itl.stats(),
        tpot_ms: tpot.stats(),
        latency_ms: latency.stats(),
        connect_ms: Stats::default(),
        late_ms: Stats::default(),
        user_tokens_per_s: user.stats(),
        prompt_tokens: counted(256.0),
        cached_tokens: Stats::default(),
        output_tokens: counted(16.0),
        reasoning_tokens: Stats::default(),
        throughput: Throughput {
            output_tokens_per_s: rate(60.0),
            total_tokens_per_s: rate(100.0),
            requests_per_s: rate(4.0),
        },
        concurrency: Concurrency {
            asked: Some(clients),
            reached: Some(f64::from(clients)),
            most: clients,
        },
        goodput: None,
        server: None,
        limits: Limits::default(),
        watch: Watch::default(),
        notes: Vec::new(),
    };
    (report, values)
}

fn side(label: &str, levels: Vec<(LevelReport, LevelValues)>) -> Side {
    let (levels, values): (Vec<LevelReport>, Vec<LevelValues>) = levels.into_iter().unzip();
    let mut models: Vec<&String> = levels.iter().map(|level| &level.model).collect();
    models.dedup();
    let target = |model: &String| Target {
        deployment: None,
        model: model.clone(),
    };
    let plan = Plan {
        targets: models.into_iter().map(target).collect(),
        ..Plan::default()
    };
    let report = BenchReport {
        schema: crate::domain::run::SCHEMA.to_owned(),
        batida: "0.1.0".to_owned(),
        id: format!("id-{label}"),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        took_s: 10.0,
        environment: "East".to_owned(),
        api: "https://api.example.com".to_owned(),
        machine: Machine::new("linux x86_64", 8, 1),
        plan,
        ended: SessionEnd::Complete,
        levels,
        switches: Vec::new(),
        seed: None,
        calibrations: Vec::new(),
        surroundings: None,
        source: None,
        unknown: Vec::new(),
        trace: None,
        prompts_file: None,
    };
    Side {
        label: label.to_owned(),
        report,
        values,
    }
}

fn one(label: &str, n: usize, slower: f64, seed: u64) -> Side {
    side(label, vec![level("m", 4, n, slower, seed)])
}

fn report_only(mut side: Side) -> Side {
    side.values.clear();
    side
}

#[track_caller]
fn cell<'a>(comparison: &'a Comparison, figure: &str) -> &'a Cell {
    let row = comparison.rows.iter().find(|row| row.figure == figure);
    &row.unwrap_or_else(|| panic!("no row {figure}: {comparison:?}"))
        .others[0]
}

fn verdicts(comparison: &Comparison) -> Vec<(&str, Verdict)> {
    comparison
        .rows
        .iter()
        .map(|row| (row.figure.as_str(), row.others[0].verdict))
        .collect()
}

#[test]
fn a_session_differs_in_nothing_from_itself() {
    let own = one("a", 2_000, 1.0, 1);
    for own in [own.clone(), report_only(own)] {
        let found = compare(&[own.clone(), own], 0.03);
        assert_eq!(found.differences, []);
        assert!(found.rows.len() >= 13, "{found:?}");
        for row in &found.rows {
            let cell = &row.others[0];
            assert_eq!(
                (cell.verdict, cell.change.unwrap_or(0.0)),
                (Verdict::NoDifference, 0.0),
                "{row:?}"
            );
            assert!(
                cell.interval
                    .is_none_or(|[low, high]| low <= 0.0 && high >= 0.0),
                "{row:?}"
            );
        }
    }
}

#[test]
fn a_tenth_slower_is_a_tenth_worse_in_every_figure_of_time() {
    let (fast, slow) = (one("fast", 3_000, 1.0, 1), one("slow", 3_000, 1.1, 2));
    for (fast, slow) in [
        (fast.clone(), slow.clone()),
        (report_only(fast), report_only(slow)),
    ] {
        let found = compare(&[fast.clone(), slow.clone()], 0.03);
        for (figure, change) in [
            ("ttft_p50", 0.1),
            ("itl_p50", 0.1),
            ("itl_p99", 0.1),
            ("tpot_p50", 0.1),
            ("latency_p50", 0.1),
            ("latency_p99", 0.1),
            ("user_tokens_per_s_p50", -1.0 / 11.0),
            ("output_tokens_per_s", -1.0 / 11.0),
            ("requests_per_s", -1.0 / 11.0),
            ("peak_output_tokens_per_s", -1.0 / 11.0),
        ] {
            let cell = cell(&found, figure);
            assert_eq!(cell.verdict, Verdict::Worse, "{figure}: {cell:?}");
            assert!(
                (cell.change.expect("a change") - change).abs() < 0.03,
                "{figure}: {cell:?}"
            );
            let [low, high] = cell.interval.expect("an interval");
            assert!(low <= change && change <= high, "{figure}: {cell:?}");
        }
        assert_eq!(cell(&found, "errors").verdict, Verdict::NoDifference);
        assert_eq!(
            cell(&found, "concurrency_reached").verdict,
            Verdict::NoDifference
        );
        let back = compare(&[slow, fast], 0.03);
        for row in &back.rows {
            let there = cell(&found, &row.figure);
            let turned = match there.verdict {
                Verdict::Worse => Verdict::Better,
                other => other,
            };
            assert_eq!(row.others[0].verdict, turned, "{row:?} {there:?}");
            let (Some(there), Some(back)) = (there.change, row.others[0].change) else {
                continue;
            };
            assert!(
                ((1.0 + there) * (1.0 + back) - 1.0).abs() < 1e-9,
                "{}",
                row.figure
            );
        }
    }
}

#[test]
fn a_sure_change_that_does_not_matter_is_none() {
    let found = compare(&[one("a", 4_000, 1.0, 1), one("b", 4_000, 1.1, 2)], 0.25);
    assert!(
        found
            .rows
            .iter()
            .all(|row| row.others[0].verdict == Verdict::NoDifference),
        "{:?}",
        verdicts(&found)
    );
}

#[test]
fn few_requests_are_too_few_to_say() {
    let found = compare(&[one("a", 9, 1.0, 1), one("b", 9, 1.04, 2)], 0.03);
    assert_eq!(
        cell(&found, "ttft_p50").verdict,
        Verdict::TooFew,
        "{:?}",
        cell(&found, "ttft_p50")
    );
    let tail = cell(&found, "latency_p99");
    assert_eq!(
        (tail.verdict, tail.interval),
        (Verdict::TooFew, None),
        "nine values have no p99"
    );
    assert!(tail.change.is_some(), "what it is can be said all the same");
}

#[test]
fn two_runs_of_the_same_are_hardly_ever_told_apart() {
    let runs = 30;
    let told = (0..runs).filter(|run| {
        let found = compare(
            &[one("a", 150, 1.0, 2 * run), one("b", 150, 1.0, 2 * run + 1)],
            0.0,
        );
        verdicts(&found)
            .iter()
            .any(|(_, verdict)| matches!(verdict, Verdict::Better | Verdict::Worse))
    });
    // One in twenty is promised; more than four of thirty would be a surprise of 1 in 60.
    let told = told.count();
    assert!(told <= 4, "{told} of {runs}");
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
        let ([low, high], _) = change(&drawn(0, 100.0), &drawn(1, 112.0)).expect("an interval");
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

#[test]
fn errors_are_judged_by_their_share() {
    let with = |label: &str, failed: u64, ended: u64| {
        let mut side = one(label, 40, 1.0, 3);
        side.report.levels[0].requests = Requests {
            ended,
            ok: ended - failed,
            failed,
            ..Requests::default()
        };
        side
    };
    for (before, after, verdict) in [
        ((0, 1_400), (3, 1_400), Verdict::Look),
        ((0, 1_400), (0, 900), Verdict::NoDifference),
        ((10, 1_000), (12, 1_000), Verdict::NoDifference),
        ((10, 1_000), (90, 1_000), Verdict::Worse),
        ((90, 1_000), (10, 1_000), Verdict::Better),
        ((0, 1_000), (90, 1_000), Verdict::Worse),
        ((100, 1_000), (300, 3_000), Verdict::NoDifference),
    ] {
        let found = compare(
            &[with("a", before.0, before.1), with("b", after.0, after.1)],
            0.03,
        );
        let cell = cell(&found, "errors");
        assert_eq!(cell.verdict, verdict, "{before:?} {after:?}: {cell:?}");
    }
    let found = compare(&[with("a", 0, 1_400), with("b", 3, 1_400)], 0.03);
    let row = found
        .rows
        .iter()
        .find(|row| row.figure == "errors")
        .expect("a row");
    assert_eq!(change_text(row, &row.others[0]), "+3");
}

#[test]
fn goodput_is_compared_while_objectives_are_the_same() {
    let with = |label: &str, met: u64, objectives: &str| {
        let mut side = one(label, 40, 1.0, 3);
        side.report.plan.objectives = Objectives::parse(objectives).expect("reads");
        let share = Some(met as f64 / 1_000.0);
        side.report.levels[0].goodput = Some(Goodput {
            met,
            missed: 1_000 - met,
            share,
            ..Goodput::default()
        });
        side
    };
    let verdict =
        |a: &Side, b: &Side| cell(&compare(&[a.clone(), b.clone()], 0.03), "goodput").verdict;
    let (all, most, few) = (
        with("a", 1_000, "ttft=1s"),
        with("b", 994, "ttft=1s"),
        with("c", 700, "ttft=1s"),
    );
    assert_eq!(verdict(&all, &all), Verdict::NoDifference);
    assert_eq!(
        verdict(&all, &most),
        Verdict::NoDifference,
        "by less than matters"
    );
    assert_eq!(verdict(&all, &few), Verdict::Worse);
    assert_eq!(verdict(&few, &all), Verdict::Better);
    assert_eq!(verdict(&all, &with("d", 700, "ttft=1ms")), Verdict::Look);
}

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

#[test]
fn other_tokens_are_not_compared_as_tokens() {
    let mut slow = one("b", 1_000, 1.3, 2);
    slow.report.levels[0].tokens_from = "chunks".to_owned();
    let found = compare(&[one("a", 1_000, 1.0, 1), slow], 0.03);
    assert_eq!(cell(&found, "output_tokens_per_s").verdict, Verdict::Look);
    assert_eq!(cell(&found, "tpot_p50").verdict, Verdict::Look);
    assert_eq!(cell(&found, "ttft_p50").verdict, Verdict::Worse);
}

#[test]
fn a_figure_without_what_it_is_made_of_is_to_be_looked_at() {
    let bare = |label: &str, p50: f64| {
        let mut side = report_only(one(label, 100, 1.0, 1));
        side.report.levels[0].ttft_ms = Stats {
            count: 100,
            percentiles: Percentiles::of([(P50, p50)]),
            ..Stats::default()
        };
        side
    };
    let verdict = |b: f64| {
        cell(
            &compare(&[bare("a", 100.0), bare("b", b)], 0.03),
            "ttft_p50",
        )
        .verdict
    };
    assert_eq!(verdict(110.0), Verdict::Look);
    assert_eq!(verdict(101.0), Verdict::NoDifference);
}

#[test]
fn every_figure_with_a_better_side_is_compared() {
    let (a, b) = (one("a", 1_000, 1.0, 1), one("b", 1_000, 1.1, 2));
    let level = &a.report.levels[0];
    let known = figures::compared().filter(|metric| metric.value(level).is_some());
    let expected: Vec<(&str, &str)> = known
        .map(|metric| (metric.key.as_str(), metric.title.as_str()))
        .collect();
    assert!(expected.len() > 10, "{expected:?}");
    let found = compare(&[a.clone(), b], 0.03);
    let rows = found.rows.iter().filter(|row| !row.level.is_empty());
    assert_eq!(
        rows.map(|row| (row.figure.as_str(), row.title.as_str()))
            .collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn the_headline_is_a_sentence() {
    let found = compare(&[one("v1", 3_000, 1.0, 1), one("v2", 3_000, 1.1, 2)], 0.03);
    let headline = found.headline();
    assert!(headline.starts_with("v2 against v1: 1"), "{headline}");
    assert!(
        headline.contains("figures worse, none better, "),
        "{headline}"
    );
    let json = serde_json::to_string(&found).expect("writes");
    assert_eq!(
        serde_json::from_str::<Comparison>(&json)
            .expect("reads")
            .labels,
        found.labels
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_sides_are_a_comparison_is_made(
        a in prop::collection::vec(prop_oneof![Just(0.0), Just(f64::NAN), 0.0..1e9f64], 0..30),
        b in prop::collection::vec(0.0..10.0f64, 0..400),
        gaps in prop::collection::vec(prop::collection::vec(0u32..3, 0..5), 0..12),
        least in prop_oneof![Just(f64::INFINITY), -1.0..1.0f64],
    ) {
        let mut sides = [one("a", 3, 1.0, 1), one("b", 3, 1.0, 2)];
        for (side, values) in sides.iter_mut().zip([a, b]) {
            side.values[0] = LevelValues {
                ttft_ms: values.clone(),
                latency_ms: values,
                gaps_us: gaps.clone(),
                ..LevelValues::default()
            };
            side.report.levels[0].ttft_ms = Stats::default();
        }
        let found = compare(&sides, least);
        for row in &found.rows {
            let cell = &row.others[0];
            prop_assert!(cell.interval.is_none_or(|[low, high]| low <= high), "{:?}", row);
            prop_assert!(cell.p.is_none_or(|p| (0.0..=1.0).contains(&p)), "{:?}", row);
        }
    }
}
