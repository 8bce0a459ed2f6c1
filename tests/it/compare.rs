//! `batida compare`: the real program, on reports of its own benchmarks.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::batida::{Said, finish, program, start};

const MODEL: &str = "gpt-oss-120b";

struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a folder"),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Said {
        finish(start(
            program(self.dir.path())
                .args(args)
                .args(["--config", "config"]),
        ))
    }

    /// A benchmark of the demo, and what it wrote.
    fn bench(&self, name: &str) -> Value {
        let args = [
            "--model",
            MODEL,
            "--concurrency",
            "1,8",
            "--requests",
            "40",
            "--output-tokens",
            "8",
        ];
        let said = self.run(&[&["bench", "--demo", "--quiet", "--out", name][..], &args].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        serde_json::from_str(&fs::read_to_string(self.file(name)).expect("a report")).expect("JSON")
    }

    fn write(&self, name: &str, report: &Value) {
        fs::write(self.file(name), report.to_string()).expect("written");
    }
}

/// Every time of every level as by a server that takes `slower` times as long.
fn slow_down(report: &mut Value, slower: f64) {
    let scale = |value: &mut Value| {
        if let Some(number) = value.as_f64() {
            *value = json!(number * slower);
        }
    };
    for level in report["levels"].as_array_mut().expect("levels") {
        for figure in ["ttft_ms", "itl_ms", "tpot_ms", "latency_ms"] {
            for (name, value) in level[figure].as_object_mut().expect("a distribution") {
                match (name.as_str(), value) {
                    ("count", _) => {}
                    (name, _) if name.ends_with("effective") => {}
                    ("buckets", buckets) => {
                        for bucket in buckets.as_array_mut().expect("buckets") {
                            let edges = bucket.as_array_mut().expect("a bucket");
                            edges.iter_mut().take(2).for_each(scale);
                        }
                    }
                    (_, Value::Array(ends)) => ends.iter_mut().for_each(scale),
                    (_, value) => scale(value),
                }
            }
        }
    }
}

#[test]
fn a_report_differs_in_nothing_from_itself() {
    let folder = Folder::new();
    folder.bench("a.json");
    let said = folder.run(&["compare", "a.json", "a.json", "--fail-if-worse"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    for words in [
        "Plan and environment were the same",
        MODEL,
        "c=1",
        "c=8",
        "TTFT p50, ms",
        "Peak tok/s",
    ] {
        assert!(said.out.contains(words), "{words:?}: {}", said.out);
    }
    for words in [" better\n", " worse\n"] {
        assert!(!said.out.contains(words), "{words:?}: {}", said.out);
    }
    assert!(
        said.out.lines().all(|line| line.chars().count() <= 100),
        "{}",
        said.out
    );
}

#[test]
fn what_is_slower_is_worse_with_code_3_and_told() {
    let folder = Folder::new();
    let mut report = folder.bench("a.json");
    slow_down(&mut report, 2.0);
    report["plan"]["output_tokens"] = json!("16");
    report["plan"]["tags"] = json!(["v2"]);
    report["api"] = json!("http://127.0.0.1:1");
    folder.write("b.json", &report);
    let said = folder.run(&["compare", "a.json", "b.json", "--fail-if-worse"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    let worse =
        format!("batida: --fail-if-worse: ttft_p50 at c=8 of {MODEL} is worse in v2: +100.0 % (");
    assert!(said.err.contains(&worse), "{said:?}");
    let head = said.out.lines().next().expect("a line");
    assert!(
        head.starts_with("v2 against a: ") && head.contains("worse"),
        "{head}"
    );
    let grave = said
        .out
        .lines()
        .find(|line| line.starts_with("! output tokens"))
        .expect("it is told");
    assert!(grave.contains('8') && grave.contains("16"), "{grave}");

    assert!(
        !said.out.contains("127.0.0.1"),
        "the demo's port is no difference: {}",
        said.out
    );
    let said = folder.run(&["compare", "a.json", "b.json"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(0), ""),
        "it only fails when asked to"
    );
    let said = folder.run(&["compare", "b.json", "a.json", "--fail-if-worse"]);
    assert_eq!(
        said.code,
        Some(0),
        "the other way round it is better: {said:?}"
    );
    let said = folder.run(&[
        "compare",
        "a.json",
        "b.json",
        "--least-change",
        "200%",
        "--fail-if-worse",
    ]);
    assert_eq!(said.code, Some(0), "by less than matters: {said:?}");
}

#[test]
fn json_and_markdown_hold_the_same_rows() {
    let folder = Folder::new();
    let mut report = folder.bench("a.json");
    slow_down(&mut report, 0.5);
    folder.write("b.json", &report);
    let said = folder.run(&[
        "compare",
        "a.json",
        "b.json",
        "a.json",
        "--json",
        "--least-change",
        "5%",
    ]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let found: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(found["schema"], "batida.compare/1");
    assert_eq!(
        (&found["labels"], &found["least_change"]),
        (&json!(["a.json", "b", "a.json (2)"]), &json!(0.05))
    );
    let rows = found["rows"].as_array().expect("rows");
    let row = rows
        .iter()
        .find(|row| row["figure"] == "ttft_p50" && row["level"] == "c=8")
        .expect("a row");
    let others = row["others"].as_array().expect("cells");
    assert_eq!(
        (&others[0]["verdict"], &others[1]["change"]),
        (&json!("better"), &json!(0.0)),
        "{row}"
    );

    let said = folder.run(&["compare", "a.json", "b.json", "--markdown"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let count = said
        .out
        .lines()
        .filter(|line| line.starts_with(&format!("| {MODEL} |")))
        .count();
    assert_eq!(count, rows.len(), "{}", said.out);
    assert!(
        said.out.contains("| c=8 | TTFT p50, ms |") && said.out.contains("| −50.0 % |"),
        "{}",
        said.out
    );
}

#[test]
fn what_cannot_be_read_is_told_with_code_1() {
    let folder = Folder::new();
    let report = folder.bench("a.json");
    fs::write(folder.file("text.json"), "hello").expect("written");
    folder.write("bare.json", &json!({"levels": []}));
    let mut later = report;
    later["schema"] = json!("batida.bench/9");
    folder.write("later.json", &later);
    for (name, words, advice) in [
        ("none.json", "none.json cannot be read: ", "Check the path"),
        (
            "text.json",
            "text.json is not valid JSON",
            "Batida imports its own",
        ),
        ("bare.json", "bare.json", "Batida imports its own"),
        ("later.json", "batida.bench/9", "batida"),
        (
            "last~7",
            "no benchmark last~7 in the history",
            "batida history list",
        ),
    ] {
        let said = folder.run(&["compare", "a.json", name]);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
        assert!(
            said.err.contains(words) && said.err.contains(advice),
            "{words}: {said:?}"
        );
        let said = folder.run(&["compare", "a.json", name, "--json"]);
        let failure: Value = serde_json::from_str(&said.out).expect("JSON");
        assert!(
            failure["failure"]["summary"]
                .as_str()
                .is_some_and(|it| it.contains(words)),
            "{said:?}"
        );
    }
}

#[test]
fn a_tag_with_a_point_in_it_is_a_session() {
    let folder = Folder::new();
    for tag in ["2.1.0", "2.2.0"] {
        let args = [
            "--model",
            MODEL,
            "--requests",
            "20",
            "--output-tokens",
            "8",
            "--tag",
            tag,
        ];
        let said = folder.run(&[&["bench", "--demo", "--quiet"][..], &args].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
    }
    fs::create_dir(folder.file("2.1.0")).expect("a folder is no result file");
    let said = folder.run(&["compare", "2.1.0", "2.2.0"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("2.2.0"), "{said:?}");
}

#[test]
fn wrong_usage_is_told_with_code_2() {
    let folder = Folder::new();
    for args in [
        &["compare"][..],
        &["compare", "a.json"],
        &["compare", "1", "2", "3", "4", "5", "6", "7"],
        &["compare", "a", "b", "--least-change", "much"],
        &["compare", "a", "b", "--least-change=-5%"],
        &["compare", "a", "b", "--markdown", "--json"],
    ] {
        let said = folder.run(args);
        assert_eq!(
            (said.code, said.out.as_str()),
            (Some(2), ""),
            "{args:?}: {said:?}"
        );
    }
}

#[test]
fn sessions_that_share_nothing_fail_a_gate() {
    let folder = Folder::new();
    let mut report = folder.bench("a.json");
    for level in report["levels"].as_array_mut().expect("levels") {
        level["label"] = json!("max");
    }
    folder.write("b.json", &report);
    let said = folder.run(&["compare", "a.json", "b.json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.starts_with("The sessions have nothing in common"),
        "{said:?}"
    );
    let said = folder.run(&["compare", "a.json", "b.json", "--fail-if-worse"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.err.contains("nothing could be compared"), "{said:?}");
}
