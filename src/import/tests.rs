//! Result files of each supported program, and the figures that they become.

mod field;
mod implausible;

use super::*;
use crate::domain::history::ExportFormat;
use crate::domain::plan::{Field, Load};
use crate::domain::plan_fields;
use crate::domain::run::BenchReport;
use crate::domain::run::known::Unknown;
use crate::domain::stats::{P50, P99};
use crate::export::sample;
use crate::metrics::request::RequestRecord;

const AIPERF: &[u8] =
    include_bytes!("../../tests/fixtures/import/aiperf-profile_export_aiperf.json");
const AIPERF_LINES: &[u8] =
    include_bytes!("../../tests/fixtures/import/aiperf-profile_export.jsonl");
const GUIDELLM: &[u8] = include_bytes!("../../tests/fixtures/import/guidellm-0.8.json");
const GUIDELLM_OLD: &[u8] = include_bytes!("../../tests/fixtures/import/guidellm-0.2.json");
const VLLM: &[u8] = include_bytes!("../../tests/fixtures/import/vllm-detailed.json");
const VLLM_LINES: &[u8] = include_bytes!("../../tests/fixtures/import/vllm-appended.json");
const GUIDELLM_05: &[u8] =
    include_bytes!("../../tests/fixtures/import/guidellm-0.5-not-streamed.json");
const GUIDELLM_06: &[u8] = include_bytes!("../../tests/fixtures/import/guidellm-0.6.json");
const VLLM_2025: &[u8] = include_bytes!("../../tests/fixtures/import/vllm-2025-metadata.json");
const SGLANG: &[u8] = include_bytes!("../../tests/fixtures/import/sglang.jsonl");
const ALL: [&[u8]; 10] = [
    AIPERF,
    AIPERF_LINES,
    GUIDELLM,
    GUIDELLM_OLD,
    VLLM,
    VLLM_LINES,
    GUIDELLM_05,
    GUIDELLM_06,
    VLLM_2025,
    SGLANG,
];

#[track_caller]
fn read_well(bytes: &[u8]) -> Imported {
    let imported = read("results.json", bytes).expect("reads");
    assert!(!imported.remarks.is_empty());
    for (report, requests) in &imported.sessions {
        // A load that the file does not say cannot be run again as it is.
        let open = matches!(report.plan.load, Load::Unknown | Load::Max { in_flight: 0 });
        let problems = report.plan.problems();
        let of_load = |field| matches!(field, Field::Load | Field::Max);
        assert!(
            problems
                .iter()
                .all(|problem| open && of_load(problem.field)),
            "{problems:?}"
        );
        assert!(
            report
                .levels
                .iter()
                .enumerate()
                .all(|(i, level)| level.index == i)
        );
        let places: Vec<u64> = requests
            .iter()
            .map(|request| request.record.index)
            .collect();
        assert!(
            places
                .iter()
                .enumerate()
                .all(|(i, place)| i as u64 == *place),
            "{places:?}"
        );
        assert!(
            requests
                .iter()
                .all(|request| request.record.level < report.levels.len())
        );
    }
    imported
}

fn labels(report: &BenchReport) -> Vec<&str> {
    report
        .levels
        .iter()
        .map(|level| level.label.as_str())
        .collect()
}

#[track_caller]
fn check_near(is: Option<f64>, should_be: f64) {
    let is = is.expect("known");
    assert!(
        (is - should_be).abs() <= should_be.abs() * 0.002,
        "{is} is not {should_be}"
    );
}

/// A figure as the file itself has it.
fn figure(bytes: &[u8], path: &[&str]) -> f64 {
    let value: Value = serde_json::from_slice(bytes).expect("JSON");
    number(&value, path).expect("a number")
}

#[test]
fn our_own_report_comes_back() {
    let sample = sample::bench(1.0);
    let imported = read_well(&sample.write(ExportFormat::Json));
    let (report, requests) = &imported.sessions[0];
    assert_eq!((&report.id, requests.len()), (&sample.report().id, 0));
    assert_eq!(
        format!("{:.6?}", report.levels),
        format!("{:.6?}", sample.report().levels)
    );
    assert_eq!(report.source, None, "it is ours");
}

#[test]
fn aiperfs_lines_give_figures_of_our_definitions() {
    let imported = read_well(AIPERF_LINES);
    let (report, requests) = &imported.sessions[0];
    assert_eq!(
        (requests.len(), labels(report)),
        (12, vec!["unknown"]),
        "nobody says how many clients there were"
    );
    let level = &report.levels[0];
    assert_eq!((level.requests.ok, level.requests.failed), (12, 0));
    assert_eq!(
        (level.concurrency.asked, level.concurrency.most),
        (None, Some(4))
    );
    assert!(
        !level.notes.iter().any(|note| note.contains("asked for")),
        "{:?}",
        level.notes
    );
    assert!(
        imported
            .remarks
            .iter()
            .any(|remark| remark.contains("inter chunk latency"))
    );
    // The first line: 115.857888 ms to the first token, 163.853565 ms in all, 24 tokens by the server.
    let first = requests
        .iter()
        .map(|request| &request.record)
        .find(|record| {
            record
                .ttft()
                .is_some_and(|ttft| ttft.as_micros() == 115_857)
        });
    let first: &RequestRecord = first.expect("is there");
    check_near(
        first.tpot().map(|tpot| tpot.as_secs_f64() * 1e3),
        (163.853_565 - 115.857_888) / 23.0,
    );
    assert_eq!(
        first.tokens().map(|tokens| tokens.n),
        Some(24),
        "the server's count, not aiperf's 37"
    );
    assert!(level.itl_ms.count > 12 * 10, "gaps are pooled");
    assert!(level.throughput.output_tokens_per_s.is_some() && level.ttft_ms.buckets.len() > 1);
}

#[test]
fn aiperfs_aggregates_are_taken_as_they_are() {
    let imported = read_well(AIPERF);
    assert_eq!(imported.source, "aiperf 0.13.0");
    let (report, requests) = &imported.sessions[0];
    assert_eq!((requests.len(), labels(report)), (0, vec!["c=4"]));
    let level = &report.levels[0];
    assert_eq!(
        (level.model.as_str(), level.requests.ended),
        ("gpt-oss-120b", 24)
    );
    check_near(
        level.ttft_ms.at(P50),
        figure(AIPERF, &["time_to_first_token", "p50"]),
    );
    check_near(
        level.itl_ms.at(P99),
        figure(AIPERF, &["inter_chunk_latency", "p99"]),
    );
    check_near(
        level.tpot_ms.mean,
        figure(AIPERF, &["inter_token_latency", "avg"]),
    );
    assert_eq!(
        (level.ttft_ms.buckets.len(), level.ttft_ms.estimate(P50).ci),
        (0, None)
    );
    assert_eq!(report.started_at.to_string(), "2026-11-23T13:48:41.32969Z");
    assert!(
        imported
            .remarks
            .iter()
            .any(|remark| remark.contains("which Batida calls TPOT"))
    );
}

#[test]
fn guidellms_requests_give_figures_of_our_definitions_and_a_sweep_is_split_by_load() {
    let imported = read_well(GUIDELLM);
    assert_eq!(imported.source, "guidellm 0.8.1");
    let all: Vec<_> = imported
        .sessions
        .iter()
        .map(|(report, _)| labels(report))
        .collect();
    assert_eq!(all, [vec!["c=1", "c=2"], vec!["5/s"], vec!["max"]]);
    let (closed, requests) = &imported.sessions[0];
    assert_eq!(
        (
            closed.levels[1].requests.ok,
            closed.levels[1].requests.failed
        ),
        (12, 1)
    );
    assert_eq!(requests.len(), 6 + 1 + 12 + 1);
    // 91 ms after the first token the answer ended, with nine tokens after the first.
    check_near(closed.levels[1].tpot_ms.at(P50), 91.0 / 9.0);
    let its = figure(GUIDELLM, &["metadata", "version"]);
    assert!((its - 2.0).abs() < f64::EPSILON);
    let (rate, requests) = &imported.sessions[1];
    // Each left 10 ms after it was due, which counts here and not there.
    assert!(
        requests
            .iter()
            .any(|request| request.record.late().as_millis() >= 9)
    );
    assert!(
        rate.levels[0].ttft_ms.min.is_some_and(|ms| ms > 88.0),
        "{:?}",
        rate.levels[0].ttft_ms.min
    );
    let (most, requests) = &imported.sessions[2];
    assert_eq!(
        (requests.len(), most.levels[0].requests.ended),
        (0, 401),
        "only a sample is in the file"
    );
    assert!(most.levels[0].ttft_ms.buckets.is_empty() && most.levels[0].ttft_ms.at(P99).is_some());
    assert!(
        imported
            .remarks
            .iter()
            .any(|remark| remark.contains("TPOT includes TTFT"))
    );
    assert_eq!(
        most.levels[0].concurrency.asked,
        Some(4),
        "its max_concurrency"
    );
    let late = imported
        .remarks
        .iter()
        .find(|remark| remark.contains("guidellm sent requests"))
        .expect("is told");
    assert!(late.contains("up to 100 ms after they were due"), "{late}");
}

#[test]
fn guidellms_older_files_are_read_too() {
    let imported = read_well(GUIDELLM_OLD);
    let (report, requests) = &imported.sessions[0];
    assert_eq!((labels(report), requests.len()), (vec!["c=2"], 8));
    let level = &report.levels[0];
    assert_eq!(level.model, "gpt-oss-120b");
    check_near(level.tpot_ms.at(P50), 91.0 / 9.0);
    assert_eq!(
        (imported.source.as_str(), report.api.as_str()),
        ("guidellm", "")
    );
}

#[test]
fn vllms_details_give_intervals_and_its_aggregates_do_not() {
    let imported = read_well(VLLM);
    let (report, requests) = &imported.sessions[0];
    let level = &report.levels[0];
    assert_eq!((labels(report), requests.len()), (vec!["c=4"], 0));
    assert_eq!((level.requests.ok, level.requests.failed), (9, 1));
    assert_eq!(level.requests.errors[0].example, "TimeoutError: no answer");
    check_near(level.ttft_ms.mean, figure(VLLM, &["mean_ttft_ms"]));
    check_near(level.tpot_ms.mean, figure(VLLM, &["mean_tpot_ms"]));
    assert_eq!(level.itl_ms.count, 81);
    check_near(
        level.throughput.output_tokens_per_s.map(|rate| rate.mean),
        figure(VLLM, &["output_throughput"]),
    );
    assert!(level.ttft_ms.estimate(P50).ci.is_some() && !level.ttft_ms.buckets.is_empty());
    assert_eq!(report.started_at.to_string(), "2026-11-23T14:05:09Z");

    let imported = read_well(VLLM_LINES);
    let (report, _) = &imported.sessions[0];
    assert_eq!(labels(report), ["c=4", "c=8"]);
    let began: Vec<Option<f64>> = report.levels.iter().map(|level| level.began_s).collect();
    assert_eq!(
        began,
        [None, None],
        "the file does not say when a level began"
    );
    assert!(
        report.levels[0].ttft_ms.estimate(P50).ci.is_none()
            && report.levels[0].ttft_ms.at(P99).is_some()
    );
}

#[test]
fn the_same_file_is_the_same_session() {
    for bytes in ALL {
        let ids = |imported: &Imported| -> Vec<String> {
            imported
                .sessions
                .iter()
                .map(|(report, _)| report.id.clone())
                .collect()
        };
        assert_eq!(ids(&read_well(bytes)), ids(&read_well(bytes)));
    }
}

#[test]
fn what_is_no_result_file_is_told_with_what_is_looked_for() {
    let deep = "[".repeat(100_000);
    let half = &GUIDELLM[..GUIDELLM.len() / 2];
    let chat = sample::chat().write(ExportFormat::Json);
    for (bytes, words) in [
        (&b""[..], "is empty"),
        (b"  \n", "is empty"),
        (b"not json", "is not valid JSON"),
        (b"{\"a\": 1}", "its keys are a"),
        (b"[]", "is an empty list"),
        (b"42", "not a result file"),
        (b"\xff\xfe\x00", "UTF-16"),
        (b"model,ttft,itl,tpot\na,1,2,3", "is CSV"),
        (b"metadata:\n  guidellm_version: 0.5.0\n", "guidellm's YAML"),
        (
            b"{\"experiments\": [], \"service_kind\": \"openai\"}",
            "raw perf_analyzer output",
        ),
        (deep.as_bytes(), "is not valid JSON"),
        (half, "truncated"),
        (b"{\"schema\": \"batida.bench/9\"}", "batida.bench/9"),
        (b"{\"schema\": \"batida.bench/1\"}", "it is damaged"),
        (
            b"{\"benchmarks\": [], \"metadata\": {\"guidellm_version\": \"1\"}}",
            "no completed benchmark",
        ),
        (
            b"{\"model_id\": \"m\", \"request_throughput\": 1, \"completed\": 0}",
            "no completed benchmark",
        ),
        (&chat, "contains a conversation"),
    ] {
        let why = read("x.json", bytes).map(|_| ()).expect_err("it is none");
        assert!(
            why.summary.starts_with("x.json") && why.summary.contains(words),
            "{words:?}: {why:?}"
        );
        assert!(!why.advice.is_empty());
    }
}

#[track_caller]
fn read_json(value: Value) -> Imported {
    read_well(value.to_string().as_bytes())
}

fn remarks(imported: &Imported) -> String {
    imported.remarks.join("\n")
}

/// All that people and programs can read of a session.
fn all_writings(report: &BenchReport) -> Vec<String> {
    use crate::domain::history::{SessionBody, SessionRow};
    use crate::export::Exported;
    let row = SessionRow::of(report);
    let body = SessionBody::Bench {
        report: Box::new(report.clone()),
        traces: Default::default(),
    };
    [
        ExportFormat::Json,
        ExportFormat::Html,
        ExportFormat::Markdown,
        ExportFormat::Csv,
    ]
    .into_iter()
    .map(|format| {
        let mut out = Vec::new();
        let mut none = std::iter::empty();
        let exported = Exported {
            row: &row,
            body: &body,
            requests: &mut none,
        };
        crate::export::write(format, &mut [exported], &mut out).expect("it is written");
        String::from_utf8(out).expect("it is text")
    })
    .collect()
}

#[test]
fn what_a_file_does_not_say_of_a_level_is_said_nowhere() {
    let lines = std::str::from_utf8(VLLM_LINES).expect("text");
    let first = lines.lines().next().expect("a line");
    let mut run: serde_json::Value = serde_json::from_str(first).expect("JSON");
    let keys = run.as_object_mut().expect("an object");
    let said = ["duration", "max_concurrent_requests"].map(|key| keys.shift_remove(key));
    assert!(said[0].is_some(), "the file says how long it took");
    let imported = read("results.json", run.to_string().as_bytes()).expect("reads");
    let (report, _) = &imported.sessions[0];
    let level = &report.levels[0];
    assert_eq!(
        (level.began_s, level.took_s, level.concurrency.most),
        (None, None, None)
    );
    for key in ["began", "took", "concurrency_most"] {
        let metric = crate::domain::figures::find(key).expect("a figure");
        assert_eq!(metric.text(level), "–", "{key}");
    }
}
