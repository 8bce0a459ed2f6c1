//! Files that other programs wrote, given to the real program: prompts, traces, results, and what is no file at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bench_cli::{Bench, MODEL, Said};
use crate::support::batida::{finish, program, start};

const AZURE: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n\
                     2023-11-16 18:15:47.1951690,396,10\n2023-11-16 18:15:48.2224670,120,15\n";
const SECONDS: &str = "{\"timestamp\": 0.0, \"input_length\": 40, \"output_length\": 8}\n\
                       {\"timestamp\": 0.4, \"input_length\": 60, \"output_length\": 8}\n\
                       {\"timestamp\": 0.8, \"input_length\": 50, \"output_length\": 8}\n";

fn bench(bench: &Bench, file: &str, text: &str, args: &[&str]) -> Said {
    fs::write(bench.file(file), text).expect("it is written");
    bench.run(&[&["--model", MODEL, "--warmup", "0"], args].concat())
}

#[test]
fn a_trace_is_told_with_its_span_and_unit_before_it_starts_and_in_the_report() {
    let home = Bench::new();
    let said = bench(
        &home,
        "t.jsonl",
        SECONDS,
        &["--trace", "t.jsonl", "--out", "r.json"],
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    let told = "3 requests over 0.8 s (3.8/s), times in seconds".replace("0.8 s", "800 ms");
    let before = said.err.lines().next().unwrap_or_default();
    assert_eq!(before, format!("trace t.jsonl: {told}"), "{said:?}");
    assert!(
        said.out.contains(&format!("trace      t.jsonl: {told}")),
        "{said:?}"
    );
    assert!(said.out.contains(
        "prompts    synthetic, 40-60 tokens as t.jsonl says · answers as long as the trace says"
    ));
    assert!(!said.out.contains("256 tokens"), "{said:?}");
    let report: Value =
        serde_json::from_slice(&fs::read(home.file("r.json")).expect("it is kept")).expect("JSON");
    assert_eq!(
        (
            report["trace"]["unit"].as_str(),
            report["trace"]["unit_given"].as_bool()
        ),
        (Some("s"), Some(false))
    );
    assert!(
        report["levels"][0]["took_s"]
            .as_f64()
            .is_some_and(|took| took > 0.8),
        "it took its time"
    );
    let said = bench(
        &home,
        "t.jsonl",
        SECONDS,
        &["--trace", "t.jsonl", "--trace-unit", "ms"],
    );
    assert!(
        said.err
            .starts_with("trace t.jsonl: 3 requests over 0.8 ms"),
        "{said:?}"
    );
    assert!(
        said.out.contains("times in milliseconds, as asked for"),
        "{said:?}"
    );
    let said = home.run(&["--model", MODEL, "--trace", "t.jsonl", "--trace-unit", "h"]);
    assert!(
        said.code == Some(2) && said.err.contains("write s, ms, us or ns"),
        "{said:?}"
    );
}

#[test]
fn a_csv_is_a_trace_and_never_a_list_of_prompts() {
    let home = Bench::new();
    let said = bench(&home, "azure.csv", AZURE, &["--trace", "azure.csv"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.err
            .contains("trace azure.csv: 3 requests over 1.54 s (1.9/s), times as dates"),
        "{said:?}"
    );
    let said = home.run(&[
        "--model",
        MODEL,
        "--prompts",
        "azure.csv",
        "--requests",
        "2",
    ]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.err
            .contains("azure.csv is CSV without a column of prompts")
            && said.err.contains("--trace"),
        "{said:?}"
    );
}

#[test]
fn a_prompts_file_that_wraps_and_what_it_leaves_out_are_told_before_and_after() {
    let home = Bench::new();
    let text = "{\"prompt\": \"Name a lake.\"}\n{\"prompt\": \"Name a hill.\"}\n{\"nothing\": 1}\n";
    let args = [
        "--prompts",
        "p.jsonl",
        "--requests",
        "5",
        "--output-tokens",
        "8",
        "--out",
        "r.json",
    ];
    let said = bench(&home, "p.jsonl", text, &args);
    assert_eq!(said.code, Some(0), "{said:?}");
    let before: Vec<&str> = said.err.lines().take(2).collect();
    let [first, second] = before[..] else {
        panic!("{said:?}")
    };
    let wraps = "prompts p.jsonl: 2 prompts for 5 requests: they are used again, and later \
requests may be answered \
                 from the server's cache";
    assert_eq!(first, wraps);
    assert!(
        second.starts_with("1 of the file's 3 entries cannot be sent and were skipped: line 3: "),
        "{second}"
    );
    assert!(
        said.out
            .contains("from p.jsonl, 2 prompts, 1 entry left out, 3 requests repeated one"),
        "{said:?}"
    );
    assert!(
        said.out
            .contains("the 2 prompts of the file were used up, and used again"),
        "{said:?}"
    );
    let report: Value =
        serde_json::from_slice(&fs::read(home.file("r.json")).expect("it is kept")).expect("JSON");
    assert_eq!(report["prompts_file"]["repeated"].as_u64(), Some(3));
    let enough = bench(
        &home,
        "p.jsonl",
        text,
        &[
            "--prompts",
            "p.jsonl",
            "--requests",
            "2",
            "--output-tokens",
            "8",
        ],
    );
    assert!(
        !enough.err.contains("used again") && !enough.out.contains("repeated"),
        "{enough:?}"
    );
}

#[test]
fn an_import_is_shown_and_taken_along_without_what_its_file_did_not_say() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str]| {
        let mut command = program(dir.path());
        let said = finish(start(
            command
                .env("TZ", "UTC")
                .arg("history")
                .args(args)
                .args(["--config", "config"]),
        ));
        assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
        said
    };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import");
    for name in [
        "sglang.jsonl",
        "guidellm-0.5-not-streamed.json",
        "guidellm-0.6.json",
        "vllm-2025-metadata.json",
    ] {
        run(&["import", fixtures.join(name).to_str().expect("a path")]);
    }
    let list: Value = serde_json::from_str(&run(&["list", "--json"]).out).expect("JSON");
    let sessions = list["sessions"].as_array().expect("a list");
    assert_eq!(sessions.len(), 4);
    let sglang = sessions
        .iter()
        .find(|row| row["source"] == "SGLang bench_serving")
        .expect("it is kept");
    assert_eq!(
        (&sglang["began"], &sglang["ended"]),
        (&Value::Null, &Value::Null),
        "the file has no date"
    );
    for row in sessions {
        let id = row["id"].as_str().expect("an id");
        let shown = run(&["show", id]).out;
        let mut texts = vec![shown];
        for format in ["json", "html", "md"] {
            texts.push(run(&["export", id, "--format", format]).out);
        }
        for text in &texts {
            for invented in [
                "600s",
                "10m",
                "0 cores",
                "machine    ,",
                "256 tokens",
                "1 client",
                "1970-01",
                "sk-should",
            ] {
                assert!(!text.contains(invented), "{invented}: {text}");
            }
        }
        assert!(texts[0].contains("measured by"), "{}", texts[0]);
        assert!(!texts[0].contains("measured by Batida"), "{}", texts[0]);
        let unknown = texts[3]
            .lines()
            .find(|line| line.starts_with("- Unknown: "))
            .expect(&texts[3]);
        assert!(
            unknown.contains("timeout") && unknown.contains("warmup"),
            "{unknown}"
        );
    }
    assert!(run(&["list"]).out.contains("unknown"));
}

#[test]
fn pipes_devices_and_folders_in_place_of_files_are_refused_at_once() {
    let home = tempfile::tempdir().expect("a folder");
    let at = |name: &str| home.path().join(name);
    let pipe = |path: &Path| {
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        assert!(
            Command::new("mkfifo")
                .arg(path)
                .status()
                .is_ok_and(|made| made.success())
        );
    };
    pipe(&at("pipe.jsonl"));
    fs::create_dir(at("folder")).expect("made");
    let run = |args: &[&str], config: &str| {
        let began = Instant::now();
        let mut command = program(home.path());
        let said = finish(start(command.args(args).args(["--config", config])));
        assert!(began.elapsed() < Duration::from_secs(20), "{args:?} waited");
        said
    };
    for (file, why) in [
        ("pipe.jsonl", "a named pipe"),
        ("/dev/zero", "a device"),
        ("folder", "a folder"),
    ] {
        let place = if file.starts_with('/') {
            PathBuf::from(file)
        } else {
            at(file)
        };
        let place = place.to_str().expect("a path");
        for args in [
            &["bench", "--demo", "--model", MODEL, "--prompts", place][..],
            &["bench", "--demo", "--model", MODEL, "--trace", place],
            &["history", "import", place],
            &["chat", "Hi", "--demo", "-m", MODEL, "--json-schema", place],
            &["deployments", "--kubeconfig", place],
            &["check", "--kubeconfig", place],
        ] {
            // The words for a kubeconfig that is a folder are older.
            if args.contains(&"--kubeconfig") && file == "folder" {
                continue;
            }
            let said = run(args, "config");
            assert_eq!(said.code, Some(1), "{args:?}: {said:?}");
            assert!(
                [&said.out, &said.err].iter().any(|said| {
                    said.contains(&format!("cannot be read: it is {why}"))
                        || said.contains(&format!("cannot be used: it is {why}"))
                }),
                "{args:?}: {said:?}"
            );
        }
    }
    // The settings file.
    pipe(&at("piped/settings.toml"));
    fs::create_dir_all(at("foldered/settings.toml")).expect("made");
    for (config, why) in [("piped", "a named pipe"), ("foldered", "a folder")] {
        let said = run(&["models", "--demo"], at(config).to_str().expect("a path"));
        assert!(
            said.err
                .contains(&format!("settings file could not be read: it is {why}")),
            "{said:?}"
        );
    }
    // The history's file.
    pipe(&at("history/history.sqlite"));
    let said = run(&["history", "list"], "history");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.err.contains("history.sqlite: it is a named pipe"),
        "{said:?}"
    );
}
