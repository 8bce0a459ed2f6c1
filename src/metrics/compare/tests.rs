//! Comparisons as a whole.

mod levels;
mod plans;
mod statistics;

use proptest::prelude::*;

use super::*;
use crate::domain::figures;
use crate::domain::plan::{LevelLoad, Objectives, Plan, Target};
use crate::domain::random::Random;
use crate::domain::run::{
    BenchReport, Concurrency, Goodput, LevelReport, Machine, Rate, Requests, Stats, Throughput,
};
use crate::domain::stats::{P50, Percentiles};
use crate::metrics::stats::{Histogram, Scale};

// ---- sessions -------------------------------------------------------------------------------------------

/// The values of `n` requests whose times are scaled by `slower`, drawn anew for each seed.
fn values(n: usize, slower: f64, random: &mut Random) -> LevelValues {
    let mut values = LevelValues::default();
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
        values.gaps_us.push(gaps);
    }
    values
}

fn stats_of_times(values: &[f64]) -> Stats {
    let mut times = Histogram::new(Scale::Time);
    for ms in values {
        times.record(std::time::Duration::from_secs_f64(ms / 1e3));
    }
    times.stats()
}

/// A level of `n` requests with [`values`] and the report that they give.
fn level(
    model: &str,
    clients: u32,
    n: usize,
    slower: f64,
    seed: u64,
) -> (LevelReport, LevelValues) {
    let values = values(n, slower, &mut Random::at(&[seed, u64::from(clients)]));
    let mut itl = Histogram::new(Scale::Time);
    values
        .gaps_us
        .iter()
        .for_each(|gaps| itl.record_micros(gaps));
    let mut user = Histogram::new(Scale::Rate);
    let speeds = values.user_tokens_per_s.iter();
    speeds.for_each(|speed| user.record_rate(*speed));
    let rate = |mean: f64| {
        let mean = mean * f64::from(clients) / slower;
        Some(Rate {
            mean,
            ci: Some([mean * 0.99, mean * 1.01]),
            batches: Some(20),
        })
    };
    let counted = |mean: f64| Stats {
        count: n as u64,
        mean: Some(mean),
        ..Stats::default()
    };
    let report = LevelReport {
        requests: Requests {
            ended: n as u64,
            ok: n as u64,
            ..Requests::default()
        },
        ttft_ms: stats_of_times(&values.ttft_ms),
        itl_ms: itl.stats(),
        tpot_ms: stats_of_times(&values.tpot_ms),
        latency_ms: stats_of_times(&values.latency_ms),
        user_tokens_per_s: user.stats(),
        prompt_tokens: counted(256.0),
        output_tokens: counted(16.0),
        throughput: Throughput {
            output_tokens_per_s: rate(60.0),
            prompt_tokens_per_s: None,
            total_tokens_per_s: rate(100.0),
            requests_per_s: rate(4.0),
        },
        concurrency: Concurrency {
            asked: Some(clients),
            reached: Some(f64::from(clients)),
            most: Some(clients),
        },
        ..LevelReport::blank(model, LevelLoad::Concurrency(clients))
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
        levels,
        ..BenchReport::blank()
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
