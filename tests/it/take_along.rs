//! `batida history`: the real program over a real file.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::batida::{Said, finish, finish_with_bytes, program, start};

const MODEL: &str = "gpt-oss-120b";

struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a folder"),
        }
    }

    /// With a benchmark of two levels in its history.
    fn with_a_bench() -> Self {
        let home = Self::new();
        let args = [
            "bench",
            "--demo",
            "--quiet",
            "--model",
            MODEL,
            "--concurrency",
            "1,2",
            "--requests",
            "4",
        ];
        let said = home.run(
            &[
                &args[..],
                &["--output-tokens", "16", "--warmup", "1", "--tag", "kept"],
            ]
            .concat(),
        );
        assert_eq!(said.code, Some(0), "{said:?}");
        home
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = program(self.dir.path());
        command
            .env("TZ", "UTC")
            .args(args)
            .args(["--config", "config"]);
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        finish(start(&mut self.command(args)))
    }

    fn history(&self, args: &[&str]) -> Said {
        self.run(&[&["history"], args].concat())
    }

    #[track_caller]
    fn well(&self, args: &[&str]) -> Said {
        let said = self.history(args);
        assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
        said
    }

    #[track_caller]
    fn sessions(&self) -> Vec<Value> {
        let list: Value = serde_json::from_str(&self.well(&["list", "--json"]).out).expect("JSON");
        list["sessions"].as_array().expect("a list").clone()
    }
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/import")
        .join(name);
    path.to_str().expect("a path").to_owned()
}

#[test]
fn an_empty_history_says_how_it_fills() {
    let home = Home::new();
    let said = home.well(&["list"]);
    assert!(
        said.out.is_empty() && said.err.contains("The history is empty"),
        "{said:?}"
    );
    assert_eq!(home.sessions(), [] as [Value; 0]);
    for id in ["last", "last~1", "20", "nonsense"] {
        let said = home.history(&["show", id]);
        assert!(
            said.code == Some(1) && said.err.contains(id),
            "{id}: {said:?}"
        );
    }
}

#[test]
fn wrong_usage_is_told_with_code_2() {
    let home = Home::new();
    for (args, words) in [
        (&["delete"][..], "required"),
        (
            &["delete", "last", "--older-than", "3d"],
            "cannot be used with",
        ),
        (
            &["delete", "--older-than", "soon", "--yes"],
            "is not a time: write 30d",
        ),
        (&["list", "--since", "once"], "neither a day such as"),
        (&["export", "last"], "use --format"),
        (&["export", "last", "--out", "x.docx"], "use --format"),
        (&["import"], "required"),
    ] {
        let said = home.history(args);
        assert_eq!(said.code, Some(2), "{args:?}: {said:?}");
        assert!(said.err.contains(words), "{words:?}: {said:?}");
    }
}

#[test]
fn a_benchmark_is_listed_shown_and_taken_along() {
    let home = Home::with_a_bench();
    let said = home.well(&["list"]);
    assert!(
        said.out.contains(MODEL) && said.out.contains("kept"),
        "{said:?}"
    );
    assert!(
        said.out.lines().all(|line| line.chars().count() <= 100),
        "{said:?}"
    );
    for (filter, value) in [
        ("--model", "another"),
        ("--until", "1d"),
        ("--kind", "chat"),
        ("--search", "zebra"),
    ] {
        let said = home.well(&["list", filter, value]);
        assert!(
            said.out.is_empty() && said.err.contains("No session matches"),
            "{filter}: {said:?}"
        );
    }
    let id = home.sessions()[0]["id"].as_str().expect("an id").to_owned();
    for name in ["last", "kept", &id, &id[..id.len() - 1]] {
        let said = home.well(&["show", name]);
        assert!(
            said.out.contains(&format!("session {id}")) && said.out.contains("c=2"),
            "{name}: {said:?}"
        );
    }

    let said = home.well(&["rename", "last", " Before the\nupdate "]);
    assert_eq!(said.err.trim(), format!("{id} renamed"));
    assert_eq!(home.sessions()[0]["title"], "Before the update");
    assert_eq!(
        home.history(&["rename", "last", " "]).code,
        Some(1),
        "a name is needed"
    );

    let report: Value =
        serde_json::from_str(&home.well(&["export", "last", "--format", "json"]).out)
            .expect("JSON");
    assert_eq!(
        (&report["schema"], &report["id"]),
        (&Value::from("batida.bench/1"), &Value::from(id.as_str()))
    );
    let csv = home.well(&["export", "last", "--format", "csv"]).out;
    // Two levels of four requests, a warm-up before each.
    assert_eq!(csv.lines().count(), 1 + 2 * (4 + 1), "{csv}");
    assert!(csv.contains(",c=2,gpt-oss-120b,measured,"), "{csv}");
    let export = &["history", "export", "last", "--format", "parquet"];
    let parquet = finish_with_bytes(start(&mut home.command(export))).stdout;
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    let markdown = home.well(&["export", "last", "--format", "md"]).out;
    assert!(markdown.contains("| c=1 | 4 | 0 |"), "{markdown}");

    let said = home.well(&["export", "last", "--out", "report.html"]);
    let page = fs::read_to_string(home.file("report.html")).expect("written");
    assert!(
        page.contains("<figure") && !page.contains("<script"),
        "{said:?}"
    );
}

#[test]
fn what_was_exported_is_imported_again_and_deleted() {
    let home = Home::with_a_bench();
    home.well(&["export", "last", "--out", "mine.json"]);
    let other = Home::new();
    let said = other.well(&["import", home.file("mine.json").to_str().expect("a path")]);
    assert!(said.out.contains("without single requests"), "{said:?}");
    let (was, is) = (home.sessions(), other.sessions());
    assert_eq!(
        (was[0]["id"].as_str(), was[0]["requests"].as_u64()),
        (is[0]["id"].as_str(), is[0]["requests"].as_u64())
    );
    assert_eq!(is[0]["tags"][0], "kept");

    let said = other.history(&["delete", "last"]);
    assert!(
        said.code == Some(2) && said.err.contains("--yes"),
        "nobody could answer: {said:?}"
    );
    assert_eq!(other.sessions().len(), 1);
    other.well(&["delete", "--older-than", "1h", "--yes"]);
    assert_eq!(other.sessions().len(), 1, "it is younger");
    let said = other.well(&["delete", "last", "--yes", "--json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&said.out).expect("JSON")["deleted"],
        1
    );
    assert_eq!(other.sessions().len(), 0);
}

#[test]
fn other_programs_results_are_kept_and_say_where_they_are_from() {
    let home = Home::new();
    let names = [
        "aiperf-profile_export.jsonl",
        "aiperf-profile_export_aiperf.json",
        "guidellm-0.8.json",
        "vllm-detailed.json",
    ];
    let files: Vec<String> = names.iter().map(|name| fixture(name)).collect();
    let args: Vec<&str> = ["import"]
        .into_iter()
        .chain(files.iter().map(String::as_str))
        .collect();
    let said = home.well(&args);
    assert!(
        said.out.contains("guidellm 0.8.1") && said.err.contains("its TPOT includes TTFT"),
        "{said:?}"
    );
    let sessions = home.sessions();
    assert_eq!(
        sessions.len(),
        6,
        "a sweep of three kinds of load, and three others"
    );
    assert!(
        sessions.iter().all(|session| session["source"].is_string()),
        "{sessions:?}"
    );
    home.well(&args);
    assert_eq!(
        home.sessions().len(),
        6,
        "the same files are the same sessions"
    );
    let lines = home.well(&["list", "--search", "Sweep"]).out;
    let id = lines
        .lines()
        .nth(1)
        .and_then(|line| line.split(' ').next())
        .expect("an id");
    assert!(
        home.well(&["export", id, "--format", "csv"])
            .out
            .lines()
            .count()
            > 10
    );
    assert!(home.well(&["show", id]).out.contains("c=2"));
}

#[test]
fn a_wrong_file_among_good_ones_changes_nothing() {
    let home = Home::new();
    let mut wrong = fs::File::create(home.file("wrong.json")).expect("made");
    wrong.write_all(b"{\"a\": 1}").expect("written");
    let said = home.history(&["import", &fixture("vllm-detailed.json"), "wrong.json"]);
    assert!(
        said.code == Some(1) && said.err.contains("wrong.json is not a result file"),
        "{said:?}"
    );
    assert!(said.err.contains("guidellm's benchmarks.json"), "{said:?}");
    assert_eq!(home.sessions().len(), 0);
    let said = home.history(&["import", "missing.json"]);
    assert!(
        said.code == Some(1) && said.err.contains("missing.json"),
        "{said:?}"
    );
}

#[test]
fn an_export_that_cannot_be_written_leaves_the_old_file() {
    let home = Home::with_a_bench();
    let said = home.history(&["export", "last", "--out", "no/such/report.html"]);
    assert!(
        said.code == Some(1) && said.err.contains("no/such/report.html cannot be written"),
        "{said:?}"
    );
    let said = home.history(&["export", "last", "--format", "csv", "--out", "/dev/full"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    fs::write(home.file("old.csv"), "old").expect("written");
    assert_eq!(
        home.history(&["export", "nothing", "--out", "old.csv"])
            .code,
        Some(1)
    );
    assert_eq!(
        fs::read_to_string(home.file("old.csv")).expect("read"),
        "old"
    );
}

#[test]
fn a_file_that_is_too_large_is_not_read_into_memory() {
    let folder = Home::new();
    let file = std::fs::File::create(folder.file("large.json")).expect("a file");
    // It takes up no room on the disk.
    file.set_len(64 << 30).expect("a large one");
    let said = folder.run(&["history", "import", "large.json"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.err.contains("large.json has more than 256 MiB"),
        "{said:?}"
    );
}
