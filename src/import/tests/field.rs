//! Files as found in public repositories.

use super::*;

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
            .any(|note| note.contains("the file does not have the number of failed requests"))
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
    assert!(remarks(&imported).contains("from when a request was sent"));
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
    assert!(
        !told.contains("stream"),
        "the file does not have it: {told}"
    );
    assert!(
        told.contains("no time to first token") && told.contains("does not have the load"),
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
        told.contains("UTC is assumed") && told.contains("from when a request was sent"),
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
        let known = report.knows(Unknown::StartedAt);
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
    assert!(remarks(&imported).contains("genai-perf's inter token latency"));
    assert!(
        remarks(&imported).contains("has no date"),
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
