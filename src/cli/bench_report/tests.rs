//! Of reports as text, and of the line that is drawn while a benchmark runs.

use super::*;
use crate::domain::figures;
use crate::domain::plan::{Lengths, LevelLoad, Load, Plan, Target};
use crate::domain::run::{
    BenchProgress, Concurrency, ErrorCount, Goodput, LevelEnd, LevelReport, Limits, Machine, Rate,
    Requests, ServerSide, Stage, Stats, Switch, Throughput,
};
use crate::domain::stats::{Estimate, P50, P95, P99, Percentile, Percentiles};
use crate::export::sample;

fn stats(p50: f64, with_intervals: bool) -> Stats {
    let estimate = |percentile| {
        let (times, known) = match percentile {
            P50 => (1.0, with_intervals),
            P95 => (2.0, with_intervals),
            P99 => (3.0, false),
            _ => return Estimate::default(),
        };
        let value = p50 * times;
        Estimate {
            value: Some(value),
            ci: known.then_some([value * 0.9, value * 1.1]),
            effective: None,
        }
    };
    Stats {
        count: 100,
        percentiles: Percentiles::from_fn(estimate),
        ..Stats::default()
    }
}

fn level(index: usize, clients: u32) -> LevelReport {
    let load = LevelLoad::Concurrency(clients);
    let rate = |mean: f64| {
        Some(Rate {
            mean,
            ci: Some([mean * 0.95, mean * 1.05]),
            batches: Some(20),
        })
    };
    LevelReport {
        index,
        label: load.label(),
        model: "gpt-oss-120b".to_owned(),
        deployment: Some("md-gpt".to_owned()),
        load,
        ended: LevelEnd::Requests,
        began_s: Some(0.5),
        took_s: Some(12.34),
        steady_s: Some([0.6, 12.0]),
        requests: Requests {
            ended: 1_000,
            ok: 1_000,
            ..Requests::default()
        },
        at_once: 0,
        tokens_per_chunk: None,
        answered_by: Vec::new(),
        tokens_from: "usage".to_owned(),
        ttft_ms: stats(88.0, true),
        first_answer_ms: stats(99.0, true),
        itl_ms: stats(2.5, true),
        tpot_ms: stats(2.1, true),
        latency_ms: stats(1_320.0, true),
        connect_ms: Stats::default(),
        late_ms: Stats::default(),
        user_tokens_per_s: stats(480.0, true),
        prompt_tokens: stats(256.0, false),
        cached_tokens: Stats::default(),
        output_tokens: stats(128.0, false),
        reasoning_tokens: Stats::default(),
        throughput: Throughput {
            output_tokens_per_s: rate(12_345.0),
            prompt_tokens_per_s: None,
            total_tokens_per_s: rate(20_000.0),
            requests_per_s: rate(72.3),
        },
        concurrency: Concurrency {
            asked: Some(clients),
            reached: Some(f64::from(clients)),
            most: Some(clients),
        },
        ..LevelReport::blank("gpt-oss-120b", load)
    }
}

fn report(levels: Vec<LevelReport>) -> BenchReport {
    let target = Target {
        deployment: Some("md-gpt".to_owned()),
        model: "gpt-oss-120b".to_owned(),
    };
    BenchReport {
        schema: crate::domain::run::SCHEMA.to_owned(),
        batida: "0.1.0".to_owned(),
        id: "abc".to_owned(),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        took_s: 25.04,
        environment: "East".to_owned(),
        api: "https://api.example.com".to_owned(),
        machine: Machine::new("linux x86_64", 8, 1),
        plan: Plan {
            targets: vec![target],
            load: Load::Concurrency(vec![1, 16]),
            output_tokens: Some(Lengths::Fixed(32)),
            tags: vec!["after the upgrade".to_owned()],
            ..Plan::default()
        },
        ended: SessionEnd::Stopped,
        levels,
        seed: Some(1),
        ..BenchReport::blank()
    }
}

#[test]
fn the_report_is_a_table_and_plain_sentences() {
    let mut doubtful = LevelReport {
        ttft_ms: stats(90.0, false),
        goodput: Some(Goodput {
            met: 9,
            missed: 1,
            share: Some(0.9),
            requests_per_s: Some(65.0),
            missed_by: vec![("ttft".to_owned(), 1), ("itl".to_owned(), 0)],
            ..Goodput::default()
        }),
        tokens_from: "chunks".to_owned(),
        notes: vec!["p99 rests on 40 requests".to_owned()],
        ..level(1, 16)
    };
    doubtful
        .watch
        .doubts
        .push("timers fired 9 ms late".to_owned());
    doubtful.server = Some(ServerSide {
        ttft_p50_difference_ms: Some(12.34),
        latency_p50_difference_ms: Some(13.0),
        tokens_per_s_p50_difference: Some(-120.4),
        ..ServerSide::default()
    });
    doubtful.limits = Limits {
        rate_limited: 3,
        ingress: 2,
        queue_full: 1,
        headers: Vec::new(),
    };
    doubtful.requests.failed = 4;
    doubtful.requests.unsent = 17;
    doubtful.requests.errors = vec![ErrorCount {
        kind: "rate_limited".to_owned(),
        count: 3,
        example: "Too many".to_owned(),
    }];
    let switch = Switch {
        model: "gpt-oss-120b".to_owned(),
        deployment: None,
        ttft_ms: Some(2_675.0),
        error: None,
    };
    let report = BenchReport {
        workers: Vec::new(),
        switches: vec![switch],
        ..report(vec![level(0, 1), doubtful])
    };
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../tests/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings
        .bind(|| insta::assert_snapshot!("bench_report", text(&report, &["rows.csv".to_owned()])));
}

#[test]
fn every_column_and_interval_of_the_table_of_figures_is_printed() {
    let sample = sample::bench(1.0);
    let report = sample.report();
    let text = text(report, &[]);
    let columns = figures::columns_of(report.levels.iter());
    let heads = columns.iter().map(|(_, column)| column.name.clone());
    sample::check_order(
        text.lines()
            .find(|line| line.starts_with("level "))
            .expect("a head"),
        heads,
    );
    for level in &report.levels {
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with(&level.label))
            .collect();
        let cells = columns
            .iter()
            .map(|(metric, _)| metric.text_beside_plan(level));
        sample::check_order(rows[0], cells);
        let (_, intervals) = text.split_once(rows[1]).expect("the row of intervals");
        let of_level = format!("{}{intervals}", rows[1]);
        for of in figures::tabled_distributions() {
            let line = of_level
                .lines()
                .find(|line| line.contains(&of.heading()))
                .expect("a line");
            let cell = |percentile| of.print.estimate(of.at(percentile, level));
            sample::check_order(line, Percentile::all_with_interval().map(cell));
        }
    }
}

#[test]
fn a_session_without_a_level_still_has_a_report() {
    let text = text(&report(Vec::new()), &[]);
    assert!(text.contains("ended      stopped by the user"), "{text}");
}

#[test]
fn progress_is_a_bar_with_what_is_known() {
    let mut progress = BenchProgress {
        elapsed_s: 1.0,
        stage: Stage::Starting,
        level: 0,
        levels: 3,
        level_done: 0.0,
        done: 0.0,
        left_s: None,
        requests: (0, None),
        in_flight: crate::domain::run::InFlight::default(),
        points: Vec::new(),
        rates: Vec::new(),
        flights: Vec::new(),
        server: Vec::new(),
        server_told: None,
        partial: None,
        ended: Vec::new(),
        search: None,
    };
    assert_eq!(
        progress_line(&progress, None, None),
        "░░░░░░░░░░░░ 1/3 starting 0"
    );
    progress.stage = Stage::Measuring;
    (progress.level, progress.level_done, progress.requests) = (1, 0.5, (1_000, Some(2_000)));
    progress.left_s = Some(125.4);
    let mut partial = level(1, 16);
    partial.requests.failed = 1;
    assert_eq!(
        progress_line(&progress, Some(1_234.5), Some(&partial)),
        "██████░░░░░░ 2/3 measuring 1,000/2,000 · 1,235 tok/s · TTFT p50 88.0 ms · 1 error · 2:05 left"
    );
    // What cannot be is not drawn.
    (progress.level_done, progress.left_s) = (7.0, Some(f64::INFINITY));
    assert_eq!(
        progress_line(&progress, None, None),
        "████████████ 2/3 measuring 1,000/2,000"
    );
}

#[test]
fn absent_figures_are_dashes() {
    let empty = LevelReport {
        ttft_ms: Stats::default(),
        throughput: Throughput::default(),
        concurrency: Concurrency::default(),
        ..level(0, 1)
    };
    let line = level_line(&empty);
    assert!(line.ends_with("TTFT p50 – ms, – tok/s"), "{line}");
}
