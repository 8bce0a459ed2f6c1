use proptest::prelude::*;

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
    assert_eq!((level.concurrency.asked, level.concurrency.most), (None, 4));
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
            .any(|remark| remark.contains("TPOT here"))
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
            .any(|remark| remark.contains("TTFT inside"))
    );
    assert_eq!(
        most.levels[0].concurrency.asked,
        Some(4),
        "its max_concurrency"
    );
    let late = imported
        .remarks
        .iter()
        .find(|remark| remark.contains("guidellm itself"))
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
        (b"not json", "is no JSON"),
        (b"{\"a\": 1}", "it holds a"),
        (b"[]", "is an empty list"),
        (b"42", "no result file"),
        (b"\xff\xfe\x00", "UTF-16"),
        (b"model,ttft,itl,tpot\na,1,2,3", "is CSV"),
        (b"metadata:\n  guidellm_version: 0.5.0\n", "guidellm's YAML"),
        (
            b"{\"experiments\": [], \"service_kind\": \"openai\"}",
            "perf_analyzer's raw record",
        ),
        (deep.as_bytes(), "is no JSON"),
        (half, "cut off"),
        (b"{\"schema\": \"batida.bench/9\"}", "batida.bench/9"),
        (b"{\"schema\": \"batida.bench/1\"}", "a damaged one"),
        (
            b"{\"benchmarks\": [], \"metadata\": {\"guidellm_version\": \"1\"}}",
            "no benchmark in it",
        ),
        (
            b"{\"model_id\": \"m\", \"request_throughput\": 1, \"completed\": 0}",
            "no benchmark in it",
        ),
        (&chat, "holds a conversation"),
    ] {
        let why = read("x.json", bytes).map(|_| ()).expect_err("it is none");
        assert!(
            why.summary.starts_with("x.json") && why.summary.contains(words),
            "{words:?}: {why:?}"
        );
        assert!(!why.advice.is_empty());
    }
}

// ---- values that cannot be right ----------------------------------------------------------------------

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[track_caller]
fn check_odd(imported: &Imported, names: &[&str]) {
    let told = remarks(imported);
    let odd = told
        .lines()
        .find(|remark| remark.contains("more than Batida holds, are left out: "));
    let odd = odd.unwrap_or_else(|| panic!("nothing is told: {told}"));
    assert!(names.iter().all(|name| odd.contains(name)), "{odd}");
}

#[test]
fn what_cannot_be_a_figure_of_vllms_is_unknown_and_told() {
    let mut value = json_of(VLLM_2025);
    for name in [
        "failed",
        "duration",
        "request_rate",
        "output_throughput",
        "num_prompts",
        "median_ttft_ms",
    ] {
        value[name] = Value::from(1e300);
    }
    value["date"] = Value::from("19700101-000005");
    let imported = read_json(value.clone());
    let (report, _) = &imported.sessions[0];
    let level = &report.levels[0];
    assert_eq!(
        (
            level.requests.ok,
            level.requests.failed,
            level.requests.ended
        ),
        (300, 0, 300)
    );
    assert!(
        level
            .notes
            .iter()
            .any(|note| note.contains("how many requests failed is not in the file"))
    );
    assert_eq!(
        (level.label.as_str(), level.ttft_ms.at(P50)),
        ("unknown", None)
    );
    assert_eq!(
        level.throughput.output_tokens_per_s.map(|rate| rate.mean),
        None
    );
    use crate::domain::run::known::Unknown;
    assert!(
        !report.knows(Unknown::TookS)
            && !report.knows(Unknown::StartedAt)
            && !report.knows(Unknown::LevelEnds)
    );
    check_odd(
        &imported,
        &[
            "date (19700101-000005)",
            "duration (1e300)",
            "failed (1e300)",
            "and others",
        ],
    );
    // A run of which nobody knows whether a request ended is no level, and the other one is.
    value["completed"] = Value::from(1e300);
    let lines = format!("{}\n{value}", json_of(VLLM_2025));
    let imported = read_well(lines.as_bytes());
    assert_eq!(labels(&imported.sessions[0].0), ["10/s"]);
    assert!(remarks(&imported).contains("1 of the file's 2 levels have no request that ended"));
    assert!(
        !imported.sessions[0].0.knows(Unknown::TookS),
        "the sum of both is not known"
    );
    let why = read("x.json", value.to_string().as_bytes())
        .map(|_| ())
        .expect_err("nothing is left");
    assert!(why.summary.contains("no benchmark in it"), "{why:?}");
    assert!(why.details.contains("completed (1e300)"), "why is told too");
    // Clients that cannot be are no load without clients.
    let mut value = json_of(VLLM_2025);
    value["max_concurrency"] = Value::from(1e300);
    value["request_rate"] = Value::from("inf");
    assert_eq!(labels(&read_json(value).sessions[0].0), ["unknown"]);
}

#[test]
fn requests_of_vllms_that_cannot_be_read_are_counted_and_told() {
    let mut value = json_of(VLLM);
    value["ttfts"][0] = Value::from(1e300);
    value["itls"][1][0] = Value::from(-0.5);
    let imported = read_json(value);
    let level = &imported.sessions[0].0.levels[0];
    assert_eq!(
        (level.requests.ok, level.requests.failed),
        (7, 1),
        "no failure, and no answer with a gap less"
    );
    assert!(
        remarks(&imported).contains("2 of 10 requests in the file"),
        "{}",
        remarks(&imported)
    );
    check_odd(&imported, &["itls (-0.5)", "ttfts (1e300)"]);
    // Nine of ten have a beginning that is a week too late.
    let mut value = json_of(VLLM);
    value["start_times"] = (0..10)
        .map(|i| Value::from(if i == 0 { 0.0 } else { 1e6 }))
        .collect();
    assert!(remarks(&read_json(value)).contains("9 of 10 requests in the file"));
}

#[test]
fn what_cannot_be_a_figure_of_aiperfs_is_unknown_and_told() {
    let mut value = json_of(AIPERF);
    value["benchmark_duration"] = serde_json::json!({"unit": "sec", "avg": 1e9});
    value["start_time"] = Value::from("1970-01-01T00:00:00Z");
    value["time_to_first_token"]["unit"] = Value::from("fortnights");
    value["request_latency"]["avg"] = Value::from(-3.0);
    let imported = read_json(value);
    let (report, _) = &imported.sessions[0];
    let level = &report.levels[0];
    use crate::domain::run::known::Unknown;
    assert!(!report.knows(Unknown::TookS) && !report.knows(Unknown::StartedAt));
    assert_eq!((level.ttft_ms.count, level.latency_ms.count), (0, 0));
    let names = [
        "benchmark_duration (1000000000.0)",
        "start_time (1970",
        "unit of a time (fortnights)",
        "request_latency",
    ];
    check_odd(&imported, &names);
    let told = remarks(&imported);
    assert!(
        told.contains("no time to first token") && !told.contains("did not stream"),
        "{told}"
    );
    // A list of requests in which one began before there were such files.
    let text = String::from_utf8_lossy(AIPERF_LINES);
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    lines[0]["metadata"]["request_start_ns"] = Value::from(5);
    lines[1]["metrics"]["usage_completion_tokens"]["value"] = Value::from(1e300);
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    let imported = read_well(format!("{}\n{{\"cut", lines.join("\n")).as_bytes());
    assert_eq!(
        imported.sessions[0].1.len(),
        11,
        "the other eleven are not counted from it"
    );
    let told = remarks(&imported);
    assert!(
        told.contains("1 of 12 requests in the file") && told.contains("line 13: EOF"),
        "{told}"
    );
    check_odd(
        &imported,
        &["request_start_ns", "usage_completion_tokens (1e300)"],
    );
}

#[test]
fn what_cannot_be_a_figure_of_guidellms_is_unknown_and_told() {
    let mut value = json_of(GUIDELLM_06);
    value["benchmarks"][0]["start_time"] = Value::from(5.0);
    value["benchmarks"][1]["end_time"] = Value::from(1e300);
    value["benchmarks"][1]["duration"] = Value::from(1e9);
    let imported = read_json(value);
    let (report, _) = &imported.sessions[0];
    assert_eq!(
        report.started_at.to_string(),
        "2025-11-30T08:06:40Z",
        "its scheduler's, not 1970"
    );
    check_odd(&imported, &["duration", "end_time", "start_time (5.0)"]);
    let mut value = json_of(GUIDELLM_OLD);
    value["benchmarks"][0]["requests"]["successful"][0]["start_time"] = Value::from(-1e308);
    let imported = read_json(value);
    assert!(
        remarks(&imported).contains("1 of 8 requests in the file"),
        "{}",
        remarks(&imported)
    );
    assert_eq!(
        imported.sessions[0].1.len(),
        0,
        "its own aggregates, which are of all"
    );
}

#[test]
fn values_of_another_program_are_counted_and_told() {
    let lines = format!(
        "{}\n{{\"note\": \"warm\"}}",
        String::from_utf8_lossy(SGLANG).trim()
    );
    let told = remarks(&read_well(lines.as_bytes()));
    assert!(
        told.contains("1 of the file's 3 values are no results of SGLang"),
        "{told}"
    );
}

/// Puts something else in the place of the `n`-th value.
fn replace(value: &mut Value, n: &mut usize, with: &Value) {
    if *n == 0 {
        *value = with.clone();
        *n = usize::MAX;
        return;
    }
    *n = n.saturating_sub(1);
    match value {
        Value::Array(list) => list.iter_mut().for_each(|inner| {
            if *n < usize::MAX - 1 {
                replace(inner, n, with)
            }
        }),
        Value::Object(object) => {
            object.values_mut().for_each(|inner| {
                if *n < usize::MAX - 1 {
                    replace(inner, n, with)
                }
            });
        }
        _ => {}
    }
}

fn hostile() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        Value::Null,
        Value::from(-1),
        Value::from(u64::MAX),
        Value::from(i64::MIN),
        Value::from(1e308),
        Value::from(-1e308),
        Value::from(1e-308),
        Value::from(0),
        Value::from(true),
        Value::from("<script>"),
        Value::from(""),
        Value::Array(Vec::new()),
        Value::Object(serde_json::Map::new()),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is changed, it is read or refused; nothing panics, and no figure is none.
    #[test]
    fn a_changed_file_is_read_or_refused(
        which in 0..ALL.len(),
        changes in prop::collection::vec((0usize..4_000, hostile()), 1..4),
    ) {
        let lines = ALL[which].split(|byte| *byte == b'\n');
        let mut values: Vec<Value> = match serde_json::from_slice(ALL[which]) {
            Ok(value) => vec![value],
            Err(_) => lines.filter_map(|line| serde_json::from_slice(line).ok()).collect(),
        };
        for (n, with) in &changes {
            for value in &mut values {
                replace(value, &mut n.clone(), with);
            }
        }
        let text: Vec<String> = values.iter().map(Value::to_string).collect();
        if let Ok(imported) = read("x.json", text.join("\n").as_bytes()) {
            for (report, requests) in imported.sessions {
                for level in &report.levels {
                    let figures = [level.ttft_ms.at(P50), level.latency_ms.at(P99), level.tpot_ms.mean];
                    prop_assert!(figures.iter().flatten().all(|figure| figure.is_finite() && *figure >= 0.0));
                }
                prop_assert!(requests.iter().all(|request| request.record.ended >= request.record.sent));
                // What is read can be written again.
                prop_assert!(serde_json::to_vec(&report).is_ok());
            }
        }
    }

    #[test]
    fn damaged_bytes_are_read_or_refused(
        which in 0..ALL.len(),
        cut in 0.0..1.0f64,
        noise in prop::collection::vec((0.0..1.0f64, any::<u8>()), 0..8),
    ) {
        let mut bytes = ALL[which].to_vec();
        for (place, byte) in noise {
            let place = (place * bytes.len() as f64) as usize;
            bytes[place] = byte;
        }
        bytes.truncate((bytes.len() as f64 * (cut + 0.5)).min(bytes.len() as f64) as usize);
        if let Err(why) = read("x.json", &bytes) {
            prop_assert!(why.summary.starts_with("x.json"));
        }
    }
}

#[test]
fn an_address_keeps_no_secret() {
    assert_eq!(
        super::address("https://me:secret@api.example.com:8080/v1?key=secret"),
        "https://api.example.com:8080/v1"
    );
    assert_eq!(
        super::address("http://localhost:8000/v1/@x"),
        "http://localhost:8000/v1/@x"
    );
    assert_eq!(super::address("me:secret@host"), "host");
    assert_eq!(super::address(""), "");
}

// ---- files from the field -----------------------------------------------------------------------------

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
fn sglangs_lines_with_infinity_are_levels() {
    let imported = read_well(SGLANG);
    let (report, _) = &imported.sessions[0];
    assert_eq!(
        (imported.source.as_str(), labels(report)),
        ("SGLang bench_serving", vec!["c=8", "c=16"])
    );
    let [first, second] = &report.levels[..] else {
        panic!("two levels")
    };
    assert_eq!((first.requests.ok, second.requests.ok), (64, 64));
    check_near(first.ttft_ms.at(P50), 198.0);
    check_near(second.ttft_ms.at(P50), 310.0);
    check_near(first.latency_ms.mean, 2_480.5);
    check_near(second.latency_ms.mean, 2_950.0);
    check_near(
        first.throughput.output_tokens_per_s.map(|rate| rate.mean),
        399.609_756,
    );
    check_near(
        second.throughput.output_tokens_per_s.map(|rate| rate.mean),
        668.734_694,
    );
    check_near(first.concurrency.reached, 7.74);
    assert_eq!(
        report.prompts_told().as_deref(),
        Some("synthetic, 512 tokens")
    );
    assert_eq!(report.answers_told().as_deref(), Some("128 tokens at most"));
    assert!(
        first
            .notes
            .iter()
            .any(|note| note.contains("how many requests failed is not in the file"))
    );
    // Its ShareGPT runs have lengths of random prompts that were not sent.
    let lines = String::from_utf8_lossy(SGLANG)
        .replace("\"random\"", "\"sharegpt\"")
        .replace('\n', "");
    let imported = read_well(lines.as_bytes());
    assert_eq!(imported.sessions[0].0.prompts_told(), None);
}

#[test]
fn sglangs_details_are_requests() {
    let imported = read_json(serde_json::json!({
        "backend": "sglang", "dataset_name": "random", "request_rate": 4.0, "max_concurrency": null, "duration": 2.0,
        "completed": 2, "request_throughput": 1.0, "total_output_tokens_retokenized": 7, "total_output_tokens": 8,
        "mean_e2e_latency_ms": 400.0, "random_input_len": 100, "random_output_len": 10, "random_range_ratio": 0.5,
        "input_lens": [64, 80, 70], "output_lens": [4, 4, 0], "ttfts": [0.1, 0.2, 0.0],
        "itls": [[0.05, 0.05, 0.05], [0.1, 0.1, 0.1], []], "generated_texts": ["a", "b", ""],
        "errors": ["", "", "Traceback\nValueError: no"], "server_info": {"model_path": "org/m", "api_key": "sk-x"},
    }));
    let (report, _) = &imported.sessions[0];
    let level = &report.levels[0];
    assert_eq!(
        (level.label.as_str(), level.model.as_str()),
        ("4/s", "org/m")
    );
    assert_eq!((level.requests.ok, level.requests.failed), (2, 1));
    check_near(level.ttft_ms.mean, 150.0);
    check_near(level.latency_ms.max, 500.0);
    assert_eq!(
        report.prompts_told().as_deref(),
        Some("synthetic, 50-100 tokens")
    );
    assert!(remarks(&imported).contains("from when a request left"));
    assert!(
        all_writings(report)
            .iter()
            .all(|text| !text.contains("sk-x"))
    );
}

#[test]
fn guidellm_06_has_its_load_and_never_its_key() {
    let imported = read_well(GUIDELLM_06);
    let (report, _) = &imported.sessions[0];
    assert_eq!(labels(report), ["c=4", "c=16"]);
    let [first, second] = &report.levels[..] else {
        panic!("two levels")
    };
    assert_eq!(
        (first.model.as_str(), report.api.as_str()),
        ("org/model-7b", "http://gpu-node:8000")
    );
    assert_eq!((first.requests.ok, first.requests.failed), (140, 0));
    assert_eq!(
        (
            second.requests.ok,
            second.requests.failed,
            second.requests.aborted
        ),
        (300, 25, 16)
    );
    check_near(first.ttft_ms.mean, 90.0);
    check_near(first.latency_ms.mean, 1_600.0);
    assert_eq!(
        report.prompts_told().as_deref(),
        Some("synthetic, 400 tokens")
    );
    assert_eq!(report.answers_told().as_deref(), Some("128 tokens at most"));
    assert_eq!(
        report.plan.level_ends.after.map(|time| time.as_secs()),
        Some(60)
    );
    let told = serde_json::to_string(report).expect("JSON") + &remarks(&imported);
    assert!(!told.contains("sk-should-never-be-kept"));
    assert!(
        all_writings(report)
            .iter()
            .all(|text| !text.contains("sk-should"))
    );
}

#[test]
fn guidellm_05_without_a_load_and_without_a_first_token_is_told_to_be_so() {
    let imported = read_well(GUIDELLM_05);
    let (report, _) = &imported.sessions[0];
    let level = &report.levels[0];
    assert_eq!(labels(report), ["unknown"], "not a silent c=1");
    assert_eq!(report.plan.load.title(), "Unknown load");
    assert_eq!((level.requests.ok, level.requests.failed), (95, 5));
    check_near(level.latency_ms.mean, 1_600.0);
    assert_eq!(
        (
            level.ttft_ms.at(P50),
            level.ttft_ms.count,
            level.itl_ms.at(P50)
        ),
        (None, 0, None),
        "no 0 ms"
    );
    check_near(level.concurrency.reached, 3.88);
    let told = remarks(&imported);
    assert!(!told.contains("stream"), "the file does not say it: {told}");
    assert!(
        told.contains("no time to first token") && told.contains("does not say under which load"),
        "{told}"
    );
}

#[test]
fn guidellms_loads_are_read_wherever_they_stand() {
    let label = |args: Value, strategy: Value| {
        let mut value: Value = serde_json::from_slice(GUIDELLM_05).expect("JSON");
        value["args"] = args;
        value["benchmarks"][0]["config"]["strategy"] = strategy;
        let (report, _) = &read_json(value).sessions[0];
        (
            report.levels[0].label.clone(),
            report.levels[0].concurrency.asked,
        )
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    for (args, strategy, should) in [
        ("{}", r#"{"type_": "synchronous"}"#, ("c=1", Some(1))),
        (
            "{}",
            r#"{"type_": "concurrent", "streams": 7}"#,
            ("c=7", Some(7)),
        ),
        (
            "{}",
            r#"{"type_": "throughput", "max_concurrency": null}"#,
            ("max", None),
        ),
        (
            "{}",
            r#"{"type_": "throughput", "max_concurrency": 64}"#,
            ("max", Some(64)),
        ),
        (
            "{}",
            r#"{"type_": "constant", "rate": 2.5}"#,
            ("2.5/s", None),
        ),
        (
            "{}",
            r#"{"type_": "poisson", "rate": 3, "max_concurrency": 9}"#,
            ("3/s", Some(9)),
        ),
        ("{}", r#"{"type_": "constant"}"#, ("unknown", None)),
        ("{}", r#"{"type_": "new one"}"#, ("unknown", None)),
        (
            r#"{"profile": "concurrent", "rate": [5]}"#,
            "null",
            ("c=5", Some(5)),
        ),
        (
            r#"{"profile": "poisson", "rate": [5.5]}"#,
            "null",
            ("5.5/s", None),
        ),
        (
            r#"{"profile": "sweep", "rate": [10]}"#,
            "null",
            ("unknown", None),
        ),
        (r#"{"profile": "synchronous"}"#, "null", ("c=1", Some(1))),
    ] {
        let (label, asked) = label(json(args), json(strategy));
        assert_eq!((label.as_str(), asked), should, "{args} {strategy}");
    }
}

#[test]
fn vllms_old_file_keeps_its_metadata_and_its_date() {
    let imported = read_well(VLLM_2025);
    let (report, _) = &imported.sessions[0];
    let level = &report.levels[0];
    assert_eq!(
        (level.label.as_str(), level.model.as_str()),
        ("10/s", "org/llama-3b")
    );
    assert_eq!((level.requests.ok, level.requests.failed), (300, 0));
    check_near(level.ttft_ms.at(P50), 53.0);
    check_near(level.ttft_ms.at(P99), 89.8);
    check_near(
        level.throughput.output_tokens_per_s.map(|rate| rate.mean),
        2_249.2,
    );
    let tags = [
        "deployment=base",
        "gpu=4xL40S",
        "gateway=kgateway",
        "decode_replicas=4",
        "input_len=1000",
        "output_len=500",
    ];
    assert_eq!(report.plan.tags, tags);
    assert_eq!(report.started_at.to_string(), "2025-05-30T20:38:06Z");
    assert_eq!(report.plan.level_ends.requests, Some(300));
    let told = remarks(&imported);
    assert!(
        told.contains("taken as UTC") && told.contains("from when a request left"),
        "{told}"
    );
    assert!(
        !told.contains("reasoning_content"),
        "completions have none: {told}"
    );
}

#[test]
fn vllms_dates_are_read_in_both_forms() {
    let at = |date: &str| {
        let mut value: Value = serde_json::from_slice(VLLM_2025).expect("JSON");
        value["date"] = Value::from(date);
        let imported = read_json(value);
        let report = &imported.sessions[0].0;
        let known = report.knows(crate::domain::run::known::Unknown::StartedAt);
        (
            known.then(|| report.started_at.to_string()),
            remarks(&imported).contains("time zone"),
        )
    };
    let moment = Some("2026-11-30T11:04:57Z".to_owned());
    assert_eq!(at("2026-11-30T11:04:57Z"), (moment.clone(), false));
    assert_eq!(at("2026-11-30T12:04:57+01:00"), (moment.clone(), false));
    assert_eq!(at("20261130-110457"), (moment.clone(), true));
    assert_eq!(at("2026-11-30T11:04:57"), (moment.clone(), true));
    assert_eq!(at("2026-11-30 11:04:57"), (moment, true));
    assert_eq!(at("yesterday"), (None, false), "not 1970");
}

#[test]
fn vllm_rs_is_known_by_its_keys_and_its_remarks_are_its_own() {
    let mut value: Value = serde_json::from_slice(VLLM_2025).expect("JSON");
    value["steady_state"] = Value::Null;
    value["backend"] = Value::from("openai-chat");
    value["date"] = Value::from("2026-11-30T11:04:57Z");
    let imported = read_json(value);
    assert_eq!(imported.source, "vllm-rs bench serve");
    let told = remarks(&imported);
    assert!(
        told.contains("only the role") && told.contains("two gaps of about zero"),
        "{told}"
    );
    assert!(
        !told.contains("time zone") && !told.contains("reasoning_content"),
        "{told}"
    );
}

#[test]
fn vllms_nan_and_missing_failures_are_read() {
    let text =
        String::from_utf8_lossy(VLLM_2025).replace("\"std_itl_ms\": 3.8", "\"std_itl_ms\": NaN");
    let text = text
        .replace("\"completed\": 300", "\"completed\": 290")
        .replace("10.0,", "Infinity,");
    let imported = read_well(text.as_bytes());
    let level = &imported.sessions[0].0.levels[0];
    assert_eq!(
        (level.label.as_str(), level.concurrency.asked),
        ("max", None)
    );
    assert_eq!(
        (level.itl_ms.sd, level.requests.ok, level.requests.failed),
        (None, 290, 10)
    );
}

#[test]
fn genai_perf_is_called_by_its_name_and_its_load_is_read() {
    let metric = |unit: &str, avg: f64| serde_json::json!({"unit": unit, "avg": avg, "p50": avg, "p99": avg * 2.0});
    let file = |config: Value| {
        serde_json::json!({
            "request_throughput": metric("requests/sec", 4.0), "request_latency": metric("ms", 1_000.0),
            "request_count": {"unit": "count", "avg": 20.0}, "time_to_first_token": metric("ms", 80.0),
            "inter_token_latency": metric("ms", 9.0), "output_sequence_length": metric("tokens", 100.0),
            "input_config": config,
        })
    };
    let old = serde_json::json!({"model": ["org/m"], "u": "localhost:8000", "concurrency": 6, "request_rate": null,
        "synthetic_input_tokens_mean": 550, "synthetic_input_tokens_stddev": 0, "output_tokens_mean": 120});
    let imported = read_json(file(old));
    let (report, _) = &imported.sessions[0];
    assert_eq!(
        (imported.source.as_str(), labels(report)),
        ("genai-perf", vec!["c=6"])
    );
    let level = &report.levels[0];
    assert_eq!(
        (level.model.as_str(), level.requests.ok, report.api.as_str()),
        ("org/m", 20, "localhost:8000")
    );
    check_near(level.tpot_ms.at(P50), 9.0);
    assert_eq!(
        (level.itl_ms.count, report.prompts_told().as_deref()),
        (0, Some("synthetic, 550 tokens"))
    );
    assert!(remarks(&imported).contains("What genai-perf calls inter token latency"));
    assert!(
        remarks(&imported).contains("does not say when"),
        "{}",
        remarks(&imported)
    );
    let new = serde_json::json!({"model_names": ["org/m"], "endpoint": {"url": "http://h:1", "api_key": "sk-x"},
        "perf_analyzer": {"stimulus": {"request_rate": 2.0}}});
    assert_eq!(labels(&read_json(file(new)).sessions[0].0), ["2/s"]);
    assert_eq!(
        labels(&read_json(file(serde_json::json!({}))).sessions[0].0),
        ["unknown"],
        "not c=1"
    );
}

#[test]
fn files_in_other_encodings_and_glued_objects_are_read() {
    let text = std::str::from_utf8(VLLM_2025).expect("text");
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xfeff)
            .chain(text.encode_utf16())
            .flat_map(bytes)
            .collect()
    };
    for bytes in [
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
        [b"\xef\xbb\xbf", VLLM_2025].concat(),
    ] {
        assert_eq!(labels(&read_well(&bytes).sessions[0].0), ["10/s"]);
    }
    let glued = format!("{}{}", text.trim(), text.trim().replace("10.0", "20.0"));
    let imported = read_well(glued.as_bytes());
    assert_eq!(labels(&imported.sessions[0].0), ["10/s", "20/s"]);
}

#[test]
fn no_writing_states_what_the_file_did_not() {
    for bytes in ALL {
        let imported = read_well(bytes);
        for (report, _) in &imported.sessions {
            let value: Value = serde_json::to_value(report).expect("JSON");
            for key in ["timeout", "session_ends", "ramp_up"] {
                assert_eq!(value["plan"][key], Value::Null, "{key}: {}", report.id);
            }
            assert_eq!(
                (&value["machine"]["cores"], &value["machine"]["lanes"]),
                (&Value::Null, &Value::Null)
            );
            let again: BenchReport = serde_json::from_value(value).expect("our own report");
            assert_eq!(again.unknown, report.unknown);
            assert_eq!(plan_fields::facts(&again), plan_fields::facts(report));
            for text in all_writings(report) {
                for invented in [
                    "600s",
                    "0 cores",
                    "256 tokens",
                    "up to the server",
                    "1970-",
                    "10m",
                ] {
                    assert!(!text.contains(invented), "{invented}: {text}");
                }
            }
        }
    }
}

#[test]
fn an_import_of_an_earlier_batida_claims_nothing_that_it_invented() {
    let (mut report, _) = read_well(VLLM_2025).sessions.remove(0);
    report.unknown.clear();
    let mut value = serde_json::to_value(&report).expect("JSON");
    value["machine"] = serde_json::json!({"system": "", "cores": 0, "lanes": 0});
    assert_ne!(value["plan"]["timeout"], Value::Null, "as it was written");
    let report: BenchReport = serde_json::from_value(value).expect("it opens");
    assert_eq!(
        (
            report.knows(Unknown::Timeout),
            report.warmups(),
            report.prompts_told(),
            report.machine.told()
        ),
        (false, None, None, None)
    );
    assert!(report.knows(Unknown::StartedAt));
}
