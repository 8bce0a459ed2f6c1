//! Files with values that are out of range, and damaged files.

use proptest::prelude::*;

use super::*;

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[track_caller]
fn check_odd(imported: &Imported, names: &[&str]) {
    let told = remarks(imported);
    let odd = told
        .lines()
        .find(|remark| remark.contains("Implausible values in the file were skipped: "));
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
            .any(|note| note.contains("the file does not have the number of failed requests"))
    );
    assert_eq!(
        (level.label.as_str(), level.ttft_ms.at(P50)),
        ("unknown", None)
    );
    assert_eq!(
        level.throughput.output_tokens_per_s.map(|rate| rate.mean),
        None
    );
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
    assert!(remarks(&imported).contains("1 of the file's 2 levels were skipped"));
    assert!(
        !imported.sessions[0].0.knows(Unknown::TookS),
        "the sum of both is not known"
    );
    let why = read("x.json", value.to_string().as_bytes())
        .map(|_| ())
        .expect_err("nothing is left");
    assert!(why.summary.contains("no completed benchmark"), "{why:?}");
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
        remarks(&imported).contains("2 of the file's 10 requests"),
        "{}",
        remarks(&imported)
    );
    check_odd(&imported, &["itls (-0.5)", "ttfts (1e300)"]);
    // Nine of ten have a beginning that is a week too late.
    let mut value = json_of(VLLM);
    value["start_times"] = (0..10)
        .map(|i| Value::from(if i == 0 { 0.0 } else { 1e6 }))
        .collect();
    assert!(remarks(&read_json(value)).contains("9 of the file's 10 requests"));
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
    assert!(!report.knows(Unknown::TookS) && !report.knows(Unknown::StartedAt));
    assert_eq!((level.ttft_ms.count, level.latency_ms.count), (0, 0));
    let names = [
        "benchmark_duration (1000000000.0)",
        "start_time (1970",
        "time unit (fortnights)",
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
        told.contains("1 of the file's 12 requests") && told.contains("line 13: EOF"),
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
        remarks(&imported).contains("1 of the file's 8 requests"),
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
        told.contains("1 of the file's 3 values were skipped: they are not results of SGLang"),
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
