//! Every key of a real report is documented, and every figure of it can be a condition.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use batida::domain::figures::METRICS;
use batida::domain::plan::{
    Arrivals, Find, HangUps, Images, LevelLoad, Limit, Load, MetricsSource, Objectives, Plan,
    PlanEndpoint, Price, Prompts, Raise, Target, ThinkTime, TimeUnit,
};
use batida::domain::run::{
    AnsweredBy, BenchReport, ErrorCount, IngressLimit, Knee, LevelReport, MetricsOrigin, Network,
    OverRuns, OverRunsFigure, ProbeReport, ProbeTest, Rate, SCHEMA, ServerMetrics, SessionEnd,
    Verdict, WorkerBrief, WorkerPart,
};
use batida::domain::verdict::Condition;
use batida::metrics::search::Search;
use batida::prompts::files::Material;
use batida::prompts::trace::Trace;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::bench_cli::{Bench, MODEL};

#[test]
fn the_documented_keys_are_those_of_a_real_report() {
    let bench = Bench::new();
    let said = bench.run(&["--schema"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(0), ""),
        "without a model, and nothing is sent"
    );
    assert!(
        said.out.starts_with(&format!("{SCHEMA}: ")),
        "another version, another text"
    );
    let documented = documented(&said.out);
    let mut found = BTreeSet::new();
    walk("", &real(&bench), &documented, &mut found);
    for (place, value) in others() {
        walk(place, &value, &documented, &mut found);
    }
    for (place, value) in others().iter().filter(|(_, value)| value.is_string()) {
        assert!(
            documented.contains_key(*place),
            "{place} may be {value}, which holds no keys of its own"
        );
    }
    let holds = |key: &str| {
        let within = |known: &String| {
            known
                .strip_prefix(key)
                .is_some_and(|rest| rest.starts_with('.') || rest.starts_with("[]"))
        };
        // What is null or an empty list here has its keys elsewhere.
        documented.contains_key(key) || documented.keys().any(within)
    };
    let silent: Vec<&String> = found.iter().filter(|key| !holds(key)).collect();
    assert!(
        silent.is_empty(),
        "not in src/cli/bench_schema.txt, a line each with type and meaning: {silent:?}"
    );
    // Only imports have these.
    let imports = ["source", "unknown"];
    let gone = documented
        .keys()
        .filter(|key| !found.contains(*key) && !imports.contains(&key.as_str()));
    let gone = gone.collect::<Vec<_>>();
    assert!(
        gone.is_empty(),
        "in src/cli/bench_schema.txt, but in no report; {SCHEMA} has promised it: {gone:?}"
    );
}

/// The validator of `batida bench --schema=json`, which must be a JSON Schema itself.
fn validator(bench: &Bench) -> Validator {
    let said = bench.run(&["--schema=json"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(0), ""),
        "without a model, and nothing is sent"
    );
    let schema: Value = serde_json::from_str(&said.out).expect("JSON");
    assert!(
        jsonschema::meta::is_valid(&schema),
        "it is no JSON Schema: {schema:#}"
    );
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("a validator takes it")
}

#[track_caller]
fn check_valid(validator: &Validator, report: &Value, what: &str) {
    let found: Vec<String> = validator
        .iter_errors(report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(found.is_empty(), "{what}: {}", found.join("\n"));
}

#[test]
fn a_validator_takes_our_reports_imported_ones_and_the_oldest() {
    let bench = Bench::new();
    let validator = validator(&bench);
    check_valid(&validator, &real(&bench), "a real report");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import");
    let mut imported = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if name == "README.md" {
            continue;
        }
        let bytes = fs::read(&path).expect("a file");
        let found =
            batida::import::read(&name, &bytes).unwrap_or_else(|why| panic!("{name}: {why:?}"));
        for (report, _) in found.sessions {
            check_valid(&validator, &value(&report), &name);
            imported += 1;
        }
    }
    assert!(imported >= 10, "only {imported} reports were imported");
    let oldest = oldest();
    assert_eq!(oldest["levels"].as_array().map(Vec::len), Some(1));
    check_valid(&validator, &oldest, "a report of the first tables");
}

/// As the first version of the history's tables kept it.
fn oldest() -> Value {
    let tables = rusqlite::Connection::open_in_memory().expect("memory");
    tables
        .execute_batch(include_str!("../fixtures/history/v1.sql"))
        .expect("the fixture runs");
    let text = |sql: &str| {
        tables
            .query_row(sql, [], |row| row.get::<_, String>(0))
            .expect("it is there")
    };
    let read = |sql: &str| serde_json::from_str::<Value>(&text(sql)).expect("JSON");
    let mut report = read("SELECT body FROM heads ORDER BY session LIMIT 1");
    report["levels"] = json!([read(
        "SELECT report FROM levels ORDER BY session, number LIMIT 1"
    )]);
    report
}

#[test]
fn a_validator_refuses_what_is_no_report() {
    let bench = Bench::new();
    let (validator, report) = (validator(&bench), real(&bench));
    let with = |pointer: &str, value: Value| {
        let mut report = report.clone();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        report.pointer_mut(parent).expect("it is there")[key] = value;
        report
    };
    assert!(
        validator.is_valid(&with("/a_key_of_tomorrow", json!(1))),
        "new keys may be added"
    );
    for (pointer, wrong) in [
        ("/schema", json!("batida.bench/2")),
        ("/started_at", json!("yesterday")),
        ("/levels", Value::Null),
        ("/levels", json!({})),
        ("/took_s", json!("3 s")),
        ("/ended", json!({ "limit": 3 })),
        ("/plan/typo", json!(1)),
        ("/plan/level_ends/typo", json!(1)),
        ("/plan/ignore_eos", json!("yes")),
        ("/levels/0/index", json!(-1)),
        ("/levels/0/requests/ok", json!(1.5)),
        ("/levels/0/ttft_ms", Value::Null),
        ("/levels/0/ttft_ms/p50", json!("fast")),
        ("/levels/0/ttft_ms/p50_ci", json!([1])),
        ("/levels/0/throughput/requests_per_s", json!({ "ci": null })),
        ("/levels/0/load", json!({ "concurrency": "many" })),
    ] {
        assert!(
            !validator.is_valid(&with(pointer, wrong.clone())),
            "{pointer} may not be {wrong}"
        );
    }
    let mut gone = report.clone();
    gone["levels"][0]
        .as_object_mut()
        .expect("an object")
        .remove("requests");
    assert!(!validator.is_valid(&gone), "a level has requests");
}

#[test]
fn every_figure_of_a_level_can_be_a_condition() {
    let report = real(&Bench::new());
    let mut level = report["levels"][0].clone();
    level["requests"]["errors"] = json!([{ "kind": "queue_full", "count": 0, "example": "" }]);
    empty_buckets(&mut level);
    let (mut nulls, mut numbers) = (Vec::new(), Vec::new());
    leaves(&level, "", &mut |path, value| {
        if value.is_null() {
            nulls.push(path.to_owned());
        }
    });
    // What this short session could not know is put in, where it is a figure at all.
    for path in nulls {
        for value in [json!(1), json!([1, 1]), json!({ "mean": 1, "ci": [1, 1] })] {
            let mut filled = level.clone();
            *filled.pointer_mut(&path).expect("it was there") = value;
            if serde_json::from_value::<LevelReport>(filled.clone()).is_ok() {
                level = filled;
                break;
            }
        }
    }
    // How much the figures rest on is none of them.
    let rests_on = |path: &str| {
        ["effective", "/batches", "/server_metrics"]
            .iter()
            .any(|end| path.ends_with(end) || path.starts_with("/server_metrics/"))
    };
    let asked = |path: &str| path == "/index" || path.starts_with("/load/") || rests_on(path);
    leaves(&level, "", &mut |path, value| {
        if value.is_number() && !asked(path) {
            numbers.push(path.to_owned());
        }
    });
    assert!(numbers.len() > 300, "stats and all: {}", numbers.len());
    // Each gets a value of its own, by which it is known again.
    let own = |at: usize| 1_001 + at;
    for (at, path) in numbers.iter().enumerate() {
        *level.pointer_mut(path).expect("it was there") = json!(own(at));
    }
    let level: LevelReport = serde_json::from_value(level).expect("numbers for numbers");
    let known: BTreeSet<u64> = METRICS
        .iter()
        .filter_map(|metric| metric.value(&level))
        .filter(|value| value.fract() == 0.0)
        .map(|value| value as u64)
        .collect();
    for (at, path) in numbers.iter().enumerate() {
        let seconds =
            ["/began_s", "/took_s", "/steady_s/0", "/steady_s/1"].contains(&path.as_str());
        let value = own(at) as u64 * if seconds { 1_000 } else { 1 };
        assert!(
            known.contains(&value),
            "levels[]{path} has no name for --fail-if: give it one in src/domain/figures.rs"
        );
    }
}

#[test]
fn conditions_hold_for_the_session_and_for_kinds_of_errors() {
    let report: BenchReport = serde_json::from_value(real(&Bench::new())).expect("our own report");
    let crossed = |text: &str| {
        let found = Condition::parse(text).expect(text).crossings(&report);
        found
            .into_iter()
            .map(|crossing| crossing.text)
            .collect::<Vec<_>>()
    };
    assert!(crossed("session_took>1ms")[0].contains("at the session's end"));
    assert_eq!(crossed("session_took>1h"), [""; 0]);
    assert_eq!(
        crossed("errors_queue_full>0"),
        [""; 0],
        "a kind that did not come was met 0 times"
    );
    assert_eq!(crossed("goodput_missed_latency>6"), [""; 0]);
    assert_eq!(crossed("concurrency_asked<2"), [""; 0]);
    assert_eq!(crossed("ok<6").len(), 0);
    assert!(crossed("calibration_tokens_per_word>0")[0].contains(MODEL));
}

/// As the program prints it: two models, so that there are switches, and all objectives.
fn real(bench: &Bench) -> Value {
    bench.json(&[
        "--model",
        "Meta-Llama-3.3-70B-Instruct",
        "--deployment",
        "bd-gpt-oss-llama70b",
        "--concurrency",
        "2",
        "--requests",
        "6",
        "--goodput",
        "ttft=5s,itl=5s,tpot=5s,latency=50s",
    ])
}

/// What one session cannot have all of, each in its place.
fn others() -> Vec<(&'static str, Value)> {
    let rate = Load::Rate {
        per_sec: vec![1.0],
        arrivals: Arrivals::Poisson,
        most_in_flight: Some(1),
    };
    let level_rate = LevelLoad::Rate {
        per_sec: 1.0,
        arrivals: Arrivals::Constant,
        most_in_flight: Some(1),
    };
    let over_runs = OverRuns {
        label: String::new(),
        model: String::new(),
        deployment: None,
        runs: 2,
        figures: vec![OverRunsFigure {
            figure: String::new(),
            runs: 2,
            mean: 1.0,
            ci: None,
            sd: None,
            within: None,
            varies: false,
        }],
    };
    let error = ErrorCount {
        kind: String::new(),
        count: 1,
        example: String::new(),
    };
    let find = Find {
        at_least: Some(0.9),
        by: Raise::Rate,
        up_to: Some(9.0),
        arrivals: Arrivals::Poisson,
        most_in_flight: Some(1),
        ..Find::of(vec![Limit::parse("ttft<1s").expect("a limit")])
    };
    let target = Target {
        deployment: None,
        model: String::new(),
    };
    let found = Search::new(&find).found(&target, true);
    let knee = Knee {
        model: String::new(),
        unit: String::new(),
        at: None,
        gains: None,
        improvement: None,
        up_to: 1.0,
    };
    let probe = ProbeReport {
        verdict: Some(Verdict::Met),
        tests: vec![ProbeTest {
            limit: String::new(),
            wanted: 0.9,
            share: Some(1.0),
            interval: Some([0.9, 1.0]),
            met: 9,
            of: 9,
            counts_as: 9.0,
        }],
        left_out: 0,
    };
    vec![
        (
            "plan",
            value(&Plan {
                objectives: Objectives::default(),
                keep_saturated: true,
                ..Plan::default()
            }),
        ),
        (
            "plan",
            value(&Plan {
                repeat: 2,
                cool_down: Duration::from_secs(1),
                think: ThinkTime::parse("1s").ok(),
                hang_ups: HangUps::parse("1%@1s").ok(),
                price: Price::parse("out=1").ok(),
                endpoint: PlanEndpoint::Embeddings,
                images: Images::parse("1@64x64").ok(),
                ..Plan::default()
            }),
        ),
        ("images", json!({ "made": 1, "bytes": 9.5 })),
        ("", json!({ "workers": [value(&WorkerBrief::default())] })),
        ("ingress", value(&IngressLimit::default())),
        (
            "levels[]",
            json!({ "workers": [value(&WorkerPart::default())] }),
        ),
        ("", json!({ "over_runs": [value(&over_runs)] })),
        ("levels[]", json!({ "run": 1 })),
        ("plan.load", value(&rate)),
        ("plan.load", value(&Load::Max { in_flight: 1 })),
        (
            "plan.load",
            value(&Load::Trace {
                file: "f".into(),
                most_in_flight: None,
                unit: Some(TimeUnit::Ms),
            }),
        ),
        ("plan.load", value(&Load::Find(find))),
        ("plan.load", value(&Load::Unknown)),
        ("plan.server_metrics", value(&MetricsSource::Off)),
        (
            "plan.server_metrics",
            value(&MetricsSource::Url("http://a/metrics".to_owned())),
        ),
        ("server_metrics", value(&MetricsOrigin::default())),
        ("levels[].server_metrics", value(&ServerMetrics::default())),
        ("levels[].network", value(&Network::default())),
        ("plan.prompts", value(&Prompts::File("f".into()))),
        (
            "trace",
            value(
                &Trace::parse("f", b"{\"at\":1}", None)
                    .expect("a trace")
                    .brief(),
            ),
        ),
        (
            "prompts_file",
            value(&Material::parse("f", b"a").expect("a prompt").brief()),
        ),
        ("ended", value(&SessionEnd::Limit(String::new()))),
        ("ended", value(&SessionEnd::Errors(String::new()))),
        ("ended", value(&SessionEnd::Failed(String::new()))),
        ("levels[].load", value(&level_rate)),
        ("levels[].load", value(&LevelLoad::Max { in_flight: 1 })),
        (
            "levels[].load",
            value(&LevelLoad::Trace {
                most_in_flight: None,
            }),
        ),
        ("levels[].load", value(&LevelLoad::Unknown)),
        (
            "rate",
            value(&Rate {
                mean: 1.0,
                ci: None,
                batches: None,
            }),
        ),
        ("found", value(&vec![found])),
        ("knees", value(&vec![knee])),
        ("levels[].probe", value(&probe)),
        ("levels[].requests.errors", value(&vec![error])),
        (
            "levels[].answered_by",
            value(&vec![AnsweredBy {
                model: String::new(),
                answers: 1,
            }]),
        ),
    ]
}

fn value(it: &impl serde::Serialize) -> Value {
    serde_json::to_value(it).expect("it is JSON")
}

/// Keys with their types.
fn documented(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("  "));
    let words = lines.map(|line| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    words
        .map(|words| (words[0].clone(), words[1].clone()))
        .collect()
}

/// Collects the keys of a report as the text writes them.
fn walk(
    place: &str,
    value: &Value,
    documented: &BTreeMap<String, String>,
    found: &mut BTreeSet<String>,
) {
    let kind = documented.get(place).map(String::as_str);
    if matches!(kind, Some("list" | "object" | "stats" | "rate" | "text")) {
        found.insert(place.to_owned());
    }
    match value {
        // Its keys are the API's.
        Value::Object(_) if place == "plan.params" => {}
        Value::Object(keys) => {
            let place = match kind {
                Some(shape @ ("stats" | "rate")) => shape,
                _ => place,
            };
            for (key, value) in keys {
                let place = if place.is_empty() {
                    key.clone()
                } else {
                    format!("{place}.{key}")
                };
                walk(&place, value, documented, found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let place = format!("{place}[]");
            items
                .iter()
                .for_each(|item| walk(&place, item, documented, found));
        }
        _ => drop(found.insert(place.to_owned())),
    }
}

/// Calls with each value that holds no others, and its JSON pointer.
fn leaves(value: &Value, path: &str, see: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(keys) => {
            keys.iter()
                .for_each(|(key, value)| leaves(value, &format!("{path}/{key}"), see));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(at, value)| leaves(value, &format!("{path}/{at}"), see));
        }
        leaf => see(path, leaf),
    }
}

/// A histogram's bars are no figures.
fn empty_buckets(value: &mut Value) {
    match value {
        Value::Object(keys) => {
            for (key, value) in keys {
                match key.as_str() {
                    "buckets" => *value = json!([]),
                    _ => empty_buckets(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(empty_buckets),
        _ => {}
    }
}
