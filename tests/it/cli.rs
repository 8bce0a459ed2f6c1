//! The command line: the real program, in a folder and an environment of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use batida::demo::api::{DEMO_KEY, DemoModel, Quirk, Thinks};
use batida::domain::environment::{ApiAddress, ClusterAccess, EnvId, Environment, KeyPlace};
use batida::domain::settings::Settings;
use batida::io::secrets::Keys;
use batida::io::settings::SettingsStore;
use batida::protocol::KeyChange;
use serde_json::Value;

use crate::support::batida::{LIMIT, Said, finish, interrupt, program, start};
use crate::support::demo::Demo;
use crate::support::pictures;
use crate::support::programs::{find, is_alive};

const MODEL: &str = "gpt-oss-120b";

/// A folder for settings and other files, and the program with nothing but it.
struct Batida {
    dir: tempfile::TempDir,
}

impl Batida {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a folder"),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = program(self.dir.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
            .args(args)
            .arg("--config")
            .arg(self.dir.path().join("config"));
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        finish(start(&mut self.command(args)))
    }

    /// With the demo's API and its key.
    fn with_api(&self, demo: &Demo, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command
            .args(["--api", &demo.root(), "--key-env", "MY_KEY"])
            .env("MY_KEY", DEMO_KEY);
        command
    }

    /// A program to be taken for kubectl.
    fn fake_kubectl(&self, script: &str) -> String {
        let path = self.dir.path().join("kubectl");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made a program");
        path.display().to_string()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Keeps an environment, with its key in the file.
    fn keep(&self, env: Environment, key: Option<&str>) {
        let keys = Keys::new(SettingsStore::in_dir(&self.file("config")));
        let change = key.map(|key| KeyChange {
            env: env.id.clone(),
            key: Some(key.into()),
        });
        let mut settings = Settings {
            selected: env.id.clone(),
            ..Settings::default()
        };
        settings.environments.push(env);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime
            .block_on(keys.save(&settings, change.as_ref()))
            .expect("saved");
    }
}

#[track_caller]
fn check_code(said: &Said, code: i32) {
    assert_eq!(said.code, Some(code), "{said:?}");
}

#[track_caller]
fn check_words(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}

#[track_caller]
fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{why}: {said:?}"))
}

fn quick(name: &str, quirk: Quirk) -> DemoModel {
    DemoModel::quick(name, quirk)
}

#[test]
fn the_simulated_kubectl_answers_to_its_earlier_name_too() {
    let batida = Batida::new();
    let version = |name: &str| {
        let mut command = program(batida.dir.path());
        finish(start(command.args([name, "version", "-o", "json"])))
    };
    let said = version("simulated-kubectl");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("clientVersion"), "{said:?}");
    assert_eq!(version("kubectl-twin").out, said.out);
}

#[test]
fn help_tells_what_there_is() {
    let batida = Batida::new();
    for (command, words) in [
        (
            None,
            &[
                "deployments",
                "models",
                "chat",
                "check",
                "demo",
                "--env",
                "--demo",
                "--api",
                "--key-env",
                "--kubeconfig",
                "--context",
                "--namespace",
                "--kubectl",
                "--ca ",
                "--insecure",
                "--config",
                "--json",
                "SAMBANOVA_API_KEY",
                "Exit codes: 0 done, 1 failed, 2 wrong usage",
                "Examples:",
            ][..],
        ),
        (
            Some("deployments"),
            &[
                "kubectl",
                "old and",
                "new",
                "state",
                "reason",
                "--json",
                "warnings",
                "{serving_name, resource, aliases, capabilities, confirmed}",
            ],
        ),
        (
            Some("models"),
            &["--deployment", "serving names", "routed", "--json"],
        ),
        (
            Some("chat"),
            &[
                "--model",
                "--system",
                "--max-tokens",
                "--temperature",
                "--top-p",
                "--top-k",
                "--stop",
                "--seed",
                "--reasoning-effort",
                "--thinking",
                "--reasoning",
                "--quiet",
                "standard input",
                "TTFT",
                "Latency",
                "standard error",
                "sent only when set",
            ],
        ),
        (
            Some("check"),
            &["one line each", "exit code 1", "warning", "--json"],
        ),
        (
            Some("demo"),
            &[
                "--port",
                "any free one",
                "--seed",
                "Ctrl-C",
                "429",
                "--exact",
                "GET /times",
                "{url, key, models}",
            ],
        ),
    ] {
        let args: Vec<&str> = command.into_iter().chain(["--help"]).collect();
        let said = batida.run(&args);
        check_code(&said, 0);
        assert_eq!(said.err, "");
        // Lines are wrapped wherever the terminal ends.
        let flat = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
        check_words(&flat, words);
    }
    let said = batida.run(&["--version"]);
    assert_eq!(
        (said.code, said.out.trim()),
        (Some(0), concat!("batida ", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn wrong_usage_is_told_with_code_2() {
    let batida = Batida::new();
    batida.keep(Environment::blank(EnvId("e".to_owned()), "East"), None);
    for (args, words) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["chat"], "PROMPT"),
        (
            &["chat", "--demo", "Hi", "--temperature", "3"],
            "use a number from 0 to 2",
        ),
        (
            &["chat", "--demo", "Hi", "--top-p", "x"],
            "is not a valid number",
        ),
        (&["chat", "--demo", "Hi", "--max-tokens", "0"], "max-tokens"),
        (&["chat", "--demo", "Hi", "--top-k", "101"], "1..=100"),
        (
            &["chat", "--demo", "Hi", "--reasoning-effort", "huge"],
            "low, medium, high",
        ),
        (
            &["check", "--api", "ftp://example.com"],
            "ftp:// is not an API address: it starts with https://",
        ),
        (&["check", "--api", "a b"], "an address has no spaces in it"),
        (&["check", "--api", ""], "type the API's address"),
        (
            &["check", "--api", "https://user:pw@example.com"],
            "leave out the user name and password",
        ),
        (
            &["check", "--env", "nowhere"],
            r#"no environment named "nowhere"; there are: Demo, East"#,
        ),
        (
            &["--env", "nowhere"],
            r#"no environment named "nowhere"; there are: Demo, East"#,
        ),
        (&["check", "--env", "East", "--demo"], "cannot be used with"),
        (
            &["check", "--demo", "--api", "example.com"],
            "the demo's addresses are its own",
        ),
        (&["--json"], "go with a command"),
        (&["--context", "x"], "go with a command"),
        (&["demo", "--port", "70000"], "70000"),
        (&["demo", "--ttft", "5ms"], "--exact"),
        (
            &["demo", "--exact", "--ttft", "5"],
            "is not a time: write 100ms",
        ),
        (&["demo", "--exact", "--seed", "5"], "cannot be used with"),
    ] {
        let said = batida.run(args);
        check_code(&said, 2);
        assert_eq!(said.out, "", "{args:?}");
        check_words(&said.err, &[words]);
    }
}

#[test]
fn deployments_of_the_demo_are_listed_in_each_state() {
    let batida = Batida::new();
    let said = batida.run(&["deployments", "--demo"]);
    check_code(&said, 0);
    check_words(
        &said.out,
        &[
            "NAME",
            "STATE",
            "KIND",
            "MODELS",
            "REASON",
            "ImagePullBackOff",
            "BundleDeployment",
        ],
    );
    let row = said
        .out
        .lines()
        .find(|line| line.starts_with("md-qwen3 "))
        .expect("a row");
    check_words(row, &["Deployed", "ModelDeployment", "Qwen3-32B"]);

    let said = batida.run(&["deployments", "--demo", "--json"]);
    check_code(&said, 0);
    let list = json(&said);
    let list = list["deployments"].as_array().expect("a list");
    for state in ["deployed", "deploying", "not_deployed", "terminating"] {
        assert!(
            list.iter().any(|it| it["state"] == state),
            "none is {state}: {}",
            said.out
        );
    }
    for it in list {
        let ready = it["state"] == "deployed";
        assert!(ready || it["reason"] != "", "{it}");
        assert!(
            it["pods"].is_array() && it["models"].is_array() && it["name"].is_string(),
            "{it}"
        );
    }
}

#[test]
fn models_are_listed_by_deployment_and_for_the_api() {
    let batida = Batida::new();
    let said = batida.run(&["models", "--demo", "--deployment", "md-qwen3"]);
    check_code(&said, 0);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 2, "{said:?}");
    check_words(lines[1], &["Qwen3-32B", "md-qwen3", "yes"]);

    let said = batida.run(&["models", "--demo", "--json"]);
    check_code(&said, 0);
    let list = json(&said);
    let list = list["models"].as_array().expect("a list");
    assert!(
        list.iter()
            .any(|it| it["routed"] == true && it["deployment"].is_string()),
        "{said:?}"
    );
    assert!(list.iter().any(|it| it["routed"] == false), "{said:?}");
    assert!(list.iter().any(|it| it["chats"] == false), "{said:?}");

    let said = batida.run(&["models", "--demo", "-d", "md-none"]);
    check_code(&said, 1);
    check_words(
        &said.err,
        &[
            "There is no deployment named md-none",
            "There are: ",
            "md-qwen3",
        ],
    );

    let demo = Demo::start(vec![quick("a", Quirk::None), quick("b", Quirk::None)]);
    let said = finish(start(&mut batida.with_api(&demo, &["models", "--json"])));
    let names: Vec<Value> = json(&said)["models"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["name"].clone())
        .collect();
    assert_eq!(names, ["a", "b"]);
    let said = finish(start(&mut batida.with_api(&demo, &["models", "-d", "x"])));
    check_code(&said, 1);
    check_words(&said.err, &["has no cluster"]);
}

#[test]
fn a_chat_says_its_answer_and_its_figures_apart() {
    let batida = Batida::new();
    let said = batida.run(&["chat", "--demo", "--model", MODEL, "What is TTFT?"]);
    check_code(&said, 0);
    assert!(
        said.out
            .starts_with("This is a **simulated answer**: `gpt-oss-120b`"),
        "{said:?}"
    );
    assert!(said.out.ends_with('\n'));
    check_words(&said.out, &["You asked: *What is TTFT?*"]);
    let lines: Vec<&str> = said.err.lines().collect();
    check_words(
        lines[0],
        &[
            "gpt-oss-120b: ",
            " tok/s · latency ",
            " s · TTFT ",
            " tokens",
        ],
    );
    check_words(&said.err, &["reasoning: ", "the server says: "]);

    let quiet = batida.run(&["chat", "--demo", "-q", "--model", MODEL, "What is TTFT?"]);
    assert_eq!(
        (quiet.code, quiet.out, quiet.err.as_str()),
        (Some(0), said.out, "")
    );
}

#[test]
fn a_chat_may_have_files() {
    let batida = Batida::new();
    let chart = pictures::write(batida.dir.path(), "chart.webp", (64, 32), [0, 0, 0]);
    let note = batida.file("note.md");
    fs::write(&note, "the word is aardvark").expect("written");
    let [chart, note] = [&chart, &note].map(|path| path.to_str().expect("a plain name"));
    let sees = [
        "chat",
        "--demo",
        "-q",
        "-m",
        "gemma-4-31B-it",
        "What?",
        "--attach",
        chart,
        "--attach",
        note,
    ];
    let said = batida.run(&sees);
    check_code(&said, 0);
    check_words(
        &said.out,
        &["I see a WebP of 64 × 32 pixels, on average black"],
    );
    let said = batida.run(&["chat", "--demo", "-m", MODEL, "What?", "--attach", chart]);
    check_code(&said, 1);
    check_words(
        &said.err,
        &["gpt-oss-120b cannot see pictures", "with vision"],
    );
    let said = batida.run(&["chat", "--demo", "-m", MODEL, "What?", "--attach", "/"]);
    check_code(&said, 1);
    check_words(&said.err, &["was not attached: it is a folder"]);

    // Where no cluster says what the model can, the server has the word.
    let demo = Demo::start(vec![DemoModel::quick("m", Quirk::None)]);
    let said = finish(start(
        &mut batida.with_api(&demo, &["chat", "Hi", "-m", "m", "--attach", chart]),
    ));
    check_code(&said, 1);
    check_words(&said.err, &["m does not support image input"]);
    let said = finish(start(
        &mut batida.with_api(&demo, &["chat", "Hi", "-m", "m", "--attach", note]),
    ));
    check_code(&said, 0);
    let received = demo.received();
    let content = &received.last().expect("it was asked").body["messages"][1]["content"];
    assert_eq!(content, "note.md:\n```\nthe word is aardvark\n```\n\nHi");
}

#[test]
fn a_chat_is_kept_with_the_deployment_that_its_model_was_taken_from() {
    let batida = Batida::new();
    let kept = |args: &[&str]| {
        check_code(
            &batida.run(&[&["chat", "--demo", "-q", "Hi", "--max-tokens", "90"], args].concat()),
            0,
        );
        let said = batida.run(&["history", "list", "--json", "--limit", "1"]);
        json(&said)["sessions"][0].clone()
    };
    // Nobody named one: it is the first of what is deployed.
    let row = kept(&[]);
    let first =
        json(&batida.run(&["deployments", "--demo", "--json"]))["deployments"][0]["name"].clone();
    assert_eq!(row["deployments"], Value::from(vec![first]), "{row}");
    assert_eq!(
        kept(&["-d", "md-qwen3"])["deployments"],
        Value::from(vec!["md-qwen3"])
    );
    // Which one serves a model that was named, nobody knows.
    assert_eq!(
        kept(&["-m", MODEL])["deployments"],
        Value::Array(Vec::new())
    );
}

#[test]
fn a_chat_in_json_is_one_object() {
    let said = Batida::new().run(&[
        "chat",
        "--demo",
        "--json",
        "--model",
        MODEL,
        "--max-tokens",
        "90",
        "Hi",
    ]);
    check_code(&said, 0);
    assert_eq!(said.err, "");
    let object = json(&said);
    assert_eq!(
        (&object["model"], &object["ending"]),
        (&MODEL.into(), &"finished".into())
    );
    assert_eq!(
        (&object["finish_reason"], &object["failure"]),
        (&"length".into(), &Value::Null)
    );
    check_words(
        object["reasoning"].as_str().expect("text"),
        &["The user wrote 2 characters"],
    );
    check_words(object["answer"].as_str().expect("text"), &["simulated"]);
    let figures = &object["figures"];
    assert_eq!(
        (&figures["tokens"], &figures["tokens_counted_by"]),
        (&90.into(), &"usage".into())
    );
    let number = |name: &str| {
        figures[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name}: {figures}"))
    };
    assert!(
        number("ttft_ms") > 50.0 && number("latency_ms") > number("first_answer_ms"),
        "{figures}"
    );
    assert!(
        number("first_answer_ms") > number("ttft_ms") && number("tokens_per_sec") > 1.0,
        "{figures}"
    );
    assert!(
        figures["server"]["ttft_ms"].as_f64().expect("said") <= number("ttft_ms"),
        "{figures}"
    );
}

#[test]
fn a_prompt_may_come_from_standard_input_and_parameters_are_sent() {
    let (batida, demo) = (Batida::new(), Demo::start(vec![quick("m", Quirk::None)]));
    let args = [
        "chat",
        "-",
        "--model",
        "m",
        "--system",
        "Be brief",
        "--max-tokens",
        "60",
        "--temperature",
        "0.5",
        "--top-p",
        "1",
        "--top-k",
        "3",
        "--stop",
        "END",
        "--stop",
        "-",
        "--seed",
        "-7",
        "--reasoning-effort",
        "low",
        "--thinking",
        "off",
    ];
    let mut child = start(batida.with_api(&demo, &args).stdin(Stdio::piped()));
    child
        .stdin
        .take()
        .expect("piped")
        .write_all("two\nlines é\n".as_bytes())
        .expect("written");
    let said = finish(child);
    check_code(&said, 0);
    // The demo minds the stop sequence, too.
    assert_eq!(
        said.out,
        "This is a **simulated answer**: `m` is played by Batida's built\n"
    );
    let received = demo.received();
    assert_eq!(
        received[0].body,
        serde_json::json!({
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be brief"},
                {"role": "user", "content": "two\nlines é"},
            ],
            "stream": true,
            "stream_options": {"include_usage": true},
            "max_tokens": 60, "temperature": 0.5, "top_p": 1.0, "top_k": 3, "stop": ["END", "-"], "seed": -7,
            "reasoning_effort": "low", "chat_template_kwargs": {"enable_thinking": false},
        })
    );

    let mut bare = batida.with_api(&demo, &["chat", "Hi", "-m", "m", "--system", ""]);
    check_code(&finish(start(&mut bare)), 0);
    let body = demo.received().pop().expect("a request").body;
    let names: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(names.len(), 4, "only what was set is sent: {names:?}");
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(1));

    let mut binary = start(
        batida
            .with_api(&demo, &["chat", "-", "-m", "m"])
            .stdin(Stdio::piped()),
    );
    binary
        .stdin
        .take()
        .expect("piped")
        .write_all(&[0xff, 0xfe])
        .expect("written");
    let said = finish(binary);
    check_code(&said, 1);
    check_words(&said.err, &["must be UTF-8"]);

    // What has no end is neither waited for nor cut: a part would be another prompt.
    let endless = || fs::File::open("/dev/zero").expect("there is one");
    let said = finish(start(
        batida
            .with_api(&demo, &["chat", "-", "-m", "m"])
            .stdin(endless()),
    ));
    check_code(&said, 1);
    check_words(
        &said.err,
        &["standard input cannot be read: it is larger than 25 MB"],
    );
    let schema = ["chat", "Hi", "-m", "m", "--json-schema", "/dev/zero"];
    let said = finish(start(&mut batida.with_api(&demo, &schema)));
    check_code(&said, 1);
    check_words(
        &said.err,
        &["/dev/zero cannot be used: it is a device, not an ordinary file"],
    );
}

#[test]
fn reasoning_has_its_own_lines() {
    let batida = Batida::new();
    for thinks in [Thinks::Reasoning, Thinks::Inline] {
        let demo = Demo::start(vec![DemoModel {
            thinks,
            ..quick("m", Quirk::None)
        }]);
        let chat = |args: &[&str]| {
            finish(start(
                batida
                    .with_api(&demo, &["chat", "Hi", "-m", "m"])
                    .args(args),
            ))
        };
        let said = chat(&["--reasoning"]);
        check_code(&said, 0);
        assert!(said.out.trim_start().starts_with("This is a"), "{said:?}");
        assert!(!said.out.contains("The user wrote"), "{said:?}");
        check_words(
            &said.err,
            &["The user wrote 2 characters", "keep it short."],
        );
        assert!(
            said.err.contains("\nm: "),
            "the figures begin a line: {said:?}"
        );
        let quiet = chat(&["--reasoning", "-q"]);
        assert!(quiet.err.ends_with("short.\n"), "{quiet:?}");
        assert!(!chat(&[]).err.contains("The user wrote"));
    }
    let demo = Demo::start(vec![quick("m", Quirk::OnlyThinks)]);
    let said = finish(start(
        &mut batida.with_api(&demo, &["chat", "Hi", "-m", "m", "--reasoning"]),
    ));
    check_code(&said, 1);
    assert_eq!(said.out, "");
    check_words(&said.err, &["\nm: ", "all the tokens went into reasoning"]);
}

#[test]
fn interrupting_a_chat_ends_it_at_once_with_the_figures_so_far() {
    let batida = Batida::new();
    let long = &[
        "chat",
        "--demo",
        "--model",
        "Meta-Llama-3.3-70B-Instruct",
        "Write 20000 tokens",
    ];
    let mut child = start(&mut batida.command(long));
    let mut some = [0; 40];
    // It streams: these come a minute before the end.
    child
        .stdout
        .as_mut()
        .expect("piped")
        .read_exact(&mut some)
        .expect("an answer");
    let began = Instant::now();
    interrupt(&child);
    let said = finish(child);
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    check_code(&said, 1);
    check_words(&said.err, &["chunks/s · latency – · TTFT ", " chunks\n"]);
    assert!(said.out.ends_with('\n'), "{said:?}");

    let demo = Demo::start(vec![quick("m", Quirk::HangsAfterHead)]);
    let child = start(&mut batida.with_api(&demo, &["chat", "Hi", "-m", "m", "--json"]));
    let began = Instant::now();
    while demo.received().is_empty() {
        assert!(began.elapsed() < LIMIT, "nothing was asked");
        std::thread::sleep(Duration::from_millis(5));
    }
    interrupt(&child);
    let said = finish(child);
    check_code(&said, 1);
    assert_eq!(json(&said)["ending"], "stopped", "{said:?}");
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let batida = Batida::new();
    let long = &[
        "chat",
        "--demo",
        "--model",
        "Meta-Llama-3.3-70B-Instruct",
        "Write 20000 tokens",
    ];
    let mut child = start(&mut batida.command(long));
    let mut out = child.stdout.take().expect("piped");
    out.read_exact(&mut [0; 10]).expect("an answer");
    drop(out);
    let began = Instant::now();
    let said = finish(child);
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    check_code(&said, 1);
    for word in ["Broken pipe", "os error", "batida:"] {
        assert!(!said.err.contains(word), "{said:?}");
    }
    for args in [
        &["deployments", "--demo"][..],
        &["models", "--demo", "--json"],
        &["check", "--demo"],
    ] {
        let mut child = start(&mut batida.command(args));
        drop(child.stdout.take());
        let said = finish(child);
        assert_eq!(said.err, "", "{args:?}");
    }
}

#[test]
fn checks_of_the_demo_are_good() {
    let batida = Batida::new();
    let said = batida.run(&["check", "--demo"]);
    check_code(&said, 0);
    for title in [
        "kubectl",
        "Cluster reachable",
        "Namespace sambastack",
        "Rights",
        "Resources",
        "SambaStack 2.3.2",
        "API reachable",
        "Clock",
        "API key accepted",
    ] {
        let good = said
            .out
            .lines()
            .any(|line| line.starts_with(&format!("good     {title}")));
        assert!(good, "{title}: {said:?}");
    }
    check_words(&said.out, &["warning  bd-qwen-nightly is not deployed: "]);
    let said = batida.run(&["check", "--demo", "--json"]);
    check_code(&said, 0);
    let checks = json(&said);
    let checks = checks["checks"].as_array().expect("a list");
    assert!(
        checks.iter().all(|check| check["verdict"] != "bad"),
        "{said:?}"
    );
    assert!(
        checks.iter().any(|check| check["took_ms"].is_number()),
        "{said:?}"
    );
}

#[test]
fn a_failing_check_says_what_to_do() {
    let batida = Batida::new();
    let said = batida.run(&["check", "--api", "http://127.0.0.1:1"]);
    check_code(&said, 1);
    check_words(
        &said.out,
        &[
            "bad      API unreachable: Could not reach 127.0.0.1:1: connection refused",
            "Check the address and its port",
            "skipped  API key not checked",
            "skipped  Cluster",
        ],
    );
    let said = batida.run(&["check", "--api", "http://batida.invalid"]);
    check_code(&said, 1);
    check_words(
        &said.out,
        &[
            "Could not resolve the host name batida.invalid",
            "for typos",
        ],
    );

    let demo = Demo::start(vec![quick("m", Quirk::None)]);
    let said = finish(start(
        batida.with_api(&demo, &["check"]).env("MY_KEY", "sk-wrong"),
    ));
    check_code(&said, 1);
    check_words(
        &said.out,
        &[
            "good     API reachable",
            "bad      API key not accepted: The API rejected the key",
        ],
    );
    assert!(!said.out.contains("sk-wrong"));
    let said = finish(start(
        batida.with_api(&demo, &["check"]).env_remove("MY_KEY"),
    ));
    check_code(&said, 1);
    check_words(&said.out, &["bad      API key not accepted", "MY_KEY"]);
}

#[test]
fn the_exact_demo_serves_its_one_model() {
    let batida = Batida::new();
    let args = [
        "demo",
        "--exact",
        "--ttft",
        "5ms",
        "--per-token",
        "0ms",
        "--tokens",
        "3",
        "--one-write",
    ];
    let mut child = start(&mut batida.command(&args));
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let url = lines.next().expect("a line").expect("text");
    let said = batida.run(&["chat", "Hi", "--api", &url, "--quiet"]);
    check_code(&said, 0);
    assert_eq!(said.out.trim(), "time is given", "{said:?}");
    interrupt(&child);
    check_code(&finish(child), 0);
}

#[test]
fn the_demo_serves_until_it_is_interrupted() {
    let batida = Batida::new();
    let mut child = start(&mut batida.command(&["demo", "--port", "0"]));
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let url = lines.next().expect("a line").expect("text");
    assert!(
        url.starts_with("http://127.0.0.1:") && !url.ends_with(":0"),
        "{url}"
    );

    let said = batida.run(&["models", "--api", &url]);
    check_code(&said, 0);
    check_words(&said.out, &[MODEL, "E5-Mistral-7B-Instruct"]);
    let mut chat = batida.command(&[
        "chat",
        "Hi",
        "-m",
        MODEL,
        "--api",
        &format!("{url}/v1/chat/completions"),
    ]);
    let said = finish(start(chat.env("SAMBANOVA_API_KEY", DEMO_KEY)));
    check_code(&said, 0);
    check_words(&said.out, &["simulated answer"]);

    let port = url.rsplit(':').next().expect("a port");
    let taken = batida.run(&["demo", "--port", port]);
    check_code(&taken, 1);
    check_words(
        &taken.err,
        &[
            &format!("cannot listen on port {port}"),
            "take another port, or 0",
        ],
    );

    let began = Instant::now();
    interrupt(&child);
    let said = finish(child);
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    check_code(&said, 0);
    assert_eq!(said.err, "");
}

#[test]
fn failures_of_a_chat_are_told_with_code_1() {
    let batida = Batida::new();
    let demo = Demo::start(vec![
        quick("m", Quirk::None),
        quick("dies", Quirk::FailsMidway),
        quick("empty", Quirk::Empty("content_filter")),
    ]);
    let chat = |model: &str, more: &[&str]| {
        finish(start(
            batida
                .with_api(&demo, &["chat", "Hi", "--model", model])
                .args(more),
        ))
    };
    let said = chat("dies", &[]);
    check_code(&said, 1);
    assert!(
        said.out.starts_with("This is a") && said.out.ends_with('\n'),
        "what came is kept: {said:?}"
    );
    check_words(
        &said.err,
        &[
            "batida: The server reported an error",
            "(mid-stream)",
            "latency –",
        ],
    );
    let said = chat("dies", &["--json"]);
    check_code(&said, 1);
    let object = json(&said);
    assert_eq!(object["ending"], "failed");
    check_words(
        object["failure"]["summary"].as_str().expect("text"),
        &["(mid-stream)"],
    );
    assert_eq!(object["figures"]["latency_ms"], Value::Null);

    let said = chat("emty", &[]);
    check_code(&said, 1);
    check_words(
        &said.err,
        &["does not serve a model named emty", "Did you mean empty?"],
    );
    let said = chat("empty", &[]);
    check_code(&said, 1);
    check_words(&said.err, &["No answer: a content filter held it back"]);
}

#[test]
fn an_answer_that_is_not_the_json_that_was_asked_for_ends_with_code_3() {
    let batida = Batida::new();
    let demo = Demo::start(vec![
        quick("m", Quirk::None),
        quick("disobeys", Quirk::Disobeys),
        quick("fences", Quirk::Fences),
    ]);
    let file = batida.file("it's a.schema.json");
    fs::write(
        &file,
        r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#,
    )
    .expect("written");
    let schema = file.display().to_string();
    let chat = |model: &str, more: &[&str]| {
        finish(start(
            batida
                .with_api(&demo, &["chat", "Give me 12", "-q", "--model", model])
                .args(more),
        ))
    };
    let said = chat("m", &["--json-schema", &schema]);
    check_code(&said, 0);
    assert_eq!(
        (said.out.as_str(), said.err.as_str()),
        ("{\n  \"n\": 12\n}\n", "")
    );
    let sent = &demo.received()[0].body["response_format"]["json_schema"];
    assert_eq!(
        (&sent["name"], &sent["schema"]["required"][0]),
        (&"it_s_a_schema".into(), &"n".into())
    );
    let said = chat("m", &["--json-object", "--json"]);
    check_code(&said, 0);
    assert_eq!(json(&said)["form"]["holds"], true);

    let said = chat("disobeys", &["--json-schema", &schema]);
    check_code(&said, 3);
    check_words(
        &said.err,
        &[
            "batida: Does not match the schema in 1 place",
            "is not of type",
        ],
    );
    let said = chat("disobeys", &["--json-schema", &schema, "--json"]);
    check_code(&said, 3);
    let form = &json(&said)["form"];
    assert_eq!(
        (&form["holds"], form["violations"].as_array().map(Vec::len)),
        (&false.into(), Some(1))
    );
    let said = chat("fences", &["--json-object"]);
    check_code(&said, 3);
    check_words(&said.err, &["JSON inside a code fence: not what was asked"]);
    let said = chat("m", &["--json-object", "--max-tokens", "3"]);
    check_code(&said, 3);
    check_words(&said.err, &["The answer was cut: its JSON is not whole"]);

    fs::write(&file, "{\"type\":\n object}").expect("written");
    let before = demo.received().len();
    let said = chat("m", &["--json-schema", &schema]);
    check_code(&said, 1);
    check_words(&said.err, &["cannot be used", "Line 2, column 2"]);
    assert_eq!(demo.received().len(), before, "no model was asked");
    // Neither is standard input, whose end would never come, and with --json it is told in the chat's object.
    let mut chat = batida.with_api(&demo, &["chat", "-", "--json", "--json-schema", &schema]);
    let mut child = start(chat.stdin(Stdio::piped()));
    let open = child.stdin.take().expect("piped");
    let said = finish(child);
    drop(open);
    check_code(&said, 1);
    let object = json(&said);
    assert_eq!(
        (&object["ending"], &object["answer"]),
        (&"failed".into(), &"".into())
    );
    check_words(
        object["failure"]["summary"].as_str().expect("text"),
        &["cannot be used", "Line 2, column 2"],
    );
}

#[test]
fn an_environment_is_found_by_its_name() {
    let (batida, demo) = (Batida::new(), Demo::start(vec![quick("m", Quirk::None)]));
    let env = |id: &str, name: &str| Environment {
        api: Some(ApiAddress::parse(&demo.root()).expect("an address")),
        key: KeyPlace::SettingsFile,
        ..Environment::blank(EnvId(id.to_owned()), name)
    };
    batida.keep(env("e", "East coast"), Some(DEMO_KEY));
    for args in [&["chat", "Hi", "--env", "east COAST"][..], &["chat", "Hi"]] {
        let said = batida.run(args);
        check_code(&said, 0);
        check_words(&said.out, &["`m` is played"]);
        assert!(!format!("{said:?}").contains(DEMO_KEY));
    }
    // To another address the key does not follow.
    let other = Demo::start(vec![quick("m", Quirk::None)]);
    let said = batida.run(&["chat", "Hi", "--env", "East coast", "--api", &other.root()]);
    check_code(&said, 1);
    assert_eq!(other.received()[0].authorization, None);
}

#[test]
fn a_broken_settings_file_is_told_with_its_line_and_left_alone() {
    let batida = Batida::new();
    let dir = batida.file("config");
    fs::create_dir_all(&dir).expect("a folder");
    fs::write(
        dir.join("settings.toml"),
        "version = 1\nenvironments = \"sk-secret\"\n",
    )
    .expect("written");
    let said = batida.run(&["models", "--demo"]);
    check_code(&said, 0);
    check_words(
        &said.err,
        &["The settings file is not valid", "line 2", "is not changed"],
    );
    assert!(!said.err.contains("sk-secret"));
    let said = batida.run(&["models"]);
    check_code(&said, 1);
    check_words(&said.err, &["The settings file is not valid"]);
    let names = fs::read_dir(&dir).expect("a folder").filter_map(Result::ok);
    let names: Vec<_> = names.map(|entry| entry.file_name()).collect();
    assert_eq!(
        names,
        ["settings.toml"],
        "a command that only reads moves nothing"
    );
}

/// What `script` kept of how it was called.
fn check_secret_stays(batida: &Batida, log: &Path, saids: &[Said], key: &str) {
    let calls = fs::read_to_string(log).expect("kubectl was called");
    check_words(&calls, &["--context east", "namespaces/here"]);
    for text in saids
        .iter()
        .flat_map(|said| [&said.out, &said.err])
        .chain([&calls])
    {
        assert!(!text.contains(key), "the key is in:\n{text}");
    }
    // It is nowhere but in the settings, readable by their owner alone.
    let file = batida.file("config/settings.toml");
    assert!(fs::read_to_string(&file).expect("settings").contains(key));
    assert_eq!(
        fs::metadata(&file).expect("settings").permissions().mode() & 0o077,
        0
    );
}

#[test]
fn the_key_is_in_no_output_and_no_argument() {
    let batida = Batida::new();
    // The server repeats the key in its refusals.
    let body = r#"{"error":{"message":"demo-key is no good","code":"invalid_value"}}"#;
    let refuses = Quirk::Refuses {
        status: 400,
        content_type: "application/json",
        body,
        retry_after: None,
    };
    let demo = Demo::start(vec![quick("m", Quirk::EchoesKey), quick("n", refuses)]);
    let log = batida.file("log");
    let kubectl = batida.fake_kubectl(&format!(
        "{{ tr '\\0' ' ' < /proc/$$/cmdline; echo; tr '\\0' '\\n' < /proc/$$/environ; }} >> '{}'\necho no >&2; exit 1",
        log.display()
    ));
    let env = Environment {
        api: Some(ApiAddress::parse(&demo.root()).expect("an address")),
        key: KeyPlace::SettingsFile,
        cluster: Some(ClusterAccess {
            kubectl: Some(kubectl.into()),
            context: Some("east".to_owned()),
            namespace: "here".to_owned(),
            ..ClusterAccess::default()
        }),
        ..Environment::blank(EnvId("e".to_owned()), "East")
    };
    batida.keep(env, Some(DEMO_KEY));
    // kubectl wants a kubeconfig to be there.
    fs::create_dir_all(batida.file(".kube")).expect("a folder");
    fs::write(batida.file(".kube/config"), "{}").expect("written");
    let saids: Vec<Said> = [
        &["deployments"][..],
        &["models"],
        &["chat", "Hi", "-m", "m"],
        &["chat", "Hi", "-m", "n"],
        &["chat", "Hi", "-m", "n", "--json"],
        &["check"],
        &["check", "--json"],
    ]
    .iter()
    .map(|args| batida.run(args))
    .collect();
    assert!(
        demo.received()
            .iter()
            .any(|it| it.authorization.as_deref() == Some(&format!("Bearer {DEMO_KEY}")))
    );
    let echoes = saids
        .iter()
        .filter(|said| format!("{said:?}").contains("••••"))
        .count();
    assert!(echoes >= 4, "the server's words were not shown: {saids:#?}");
    check_secret_stays(&batida, &log, &saids, DEMO_KEY);
}

#[test]
fn interrupting_leaves_no_kubectl_behind() {
    let batida = Batida::new();
    find("sleep", "coreutils");
    let file = batida.file("pid");
    let kubectl = batida.fake_kubectl(&format!("echo $$ >> '{}'\nexec sleep 1000", file.display()));
    let kubeconfig = batida.file("kubeconfig");
    fs::write(&kubeconfig, "{}").expect("written");
    for command in ["deployments", "models", "check"] {
        // Leftovers of the command before.
        let _ = fs::remove_file(&file);
        let mut call = batida.command(&[
            command,
            "--kubectl",
            &kubectl,
            "--api",
            "http://127.0.0.1:1",
        ]);
        let child = start(call.arg("--kubeconfig").arg(&kubeconfig));
        let began = Instant::now();
        while !fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n')) {
            assert!(began.elapsed() < LIMIT, "kubectl was not started");
            std::thread::sleep(Duration::from_millis(5));
        }
        let began = Instant::now();
        interrupt(&child);
        let said = finish(child);
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
        check_code(&said, 1);
        for line in fs::read_to_string(&file).expect("pids").lines() {
            let pid = line.trim().parse().expect("a pid");
            let began = Instant::now();
            while is_alive(pid) {
                assert!(
                    began.elapsed() < Duration::from_secs(2),
                    "kubectl {line} lives on after {command}"
                );
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

#[test]
fn a_key_that_is_only_bearer_and_a_file_for_a_folder_are_named() {
    let batida = Batida::new();
    for word in ["Bearer", "Bearer ", "Authorization: Bearer"] {
        let mut command =
            batida.command(&["chat", "Hi", "--model", "m", "--api", "http://127.0.0.1:9"]);
        let said = finish(start(
            command.args(["--key-env", "MY_KEY"]).env("MY_KEY", word),
        ));
        check_code(&said, 1);
        check_words(
            &said.err,
            &[
                "The API key is only the word Bearer",
                "the key that belongs behind it",
            ],
        );
    }
    let file = batida.file("a file");
    fs::write(&file, "").expect("written");
    for args in [
        &["history", "list"][..],
        &["chat", "Hi", "--demo"],
        &["check", "--demo"],
    ] {
        let mut command = crate::support::batida::program(file.parent().expect("a folder"));
        let said = finish(start(command.args(args).arg("--config").arg(&file)));
        check_code(&said, 2);
        check_words(
            &said.err,
            &[
                "--config must be a folder",
                "is a file: name the folder that contains it",
            ],
        );
    }
    let folder = file.parent().expect("a folder").display().to_string();
    let said = batida.run(&["chat", "Hi", "--demo", "--json-schema", &folder]);
    check_code(&said, 1);
    check_words(&said.err, &["it is a folder"]);
}
