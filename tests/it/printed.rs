//! What reaches a terminal, a pipe and a full disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::batida::{Said, finish, program, start};
use crate::support::scripted::{Reply, Request, ScriptedServer, Then, delta};

/// Clears the screen, sets the title, colours, goes back, turns around, in C0 and in C1.
const HOSTILE: &str =
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{8}\u{9b}31m\u{202e}gnp.exe\u{2066}\u{200b}\u{7f}";

/// Nothing in it acts on a terminal.
#[track_caller]
fn check_harmless(text: &str) {
    let acts = |c: &char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}')
    };
    let found: Vec<char> = text.chars().filter(acts).collect();
    assert!(found.is_empty(), "{found:?} in {text:?}");
}

/// A server whose every word is hostile.
fn hostile_server() -> ScriptedServer {
    ScriptedServer::start(|request: &Request, reply: &mut Reply<'_>| {
        if request.target.contains("/models") {
            let ids = ["ok", "bad", "thinks", &format!("m{HOSTILE}")]
                .map(|id| json!({"id": id, "object": "model"}));
            reply.json(200, &json!({"object": "list", "data": ids}));
            return Then::KeepOpen;
        }
        match request.model().as_str() {
            "bad" => {
                let message = format!(
                    "no {HOSTILE}\nbatida: all is well\r{}",
                    "long ".repeat(3_000)
                );
                reply.json(
                    400,
                    &json!({"error": {"message": message, "type": HOSTILE, "code": HOSTILE}}),
                );
            }
            "thinks" => {
                reply.stream();
                reply.event(&delta(
                    &json!({"reasoning_content": format!("hm {HOSTILE}")}),
                    &Value::Null,
                ));
                reply.text("done");
                reply.done();
            }
            _ => reply.answer(&["Hi ", HOSTILE, "done"]),
        }
        Then::KeepOpen
    })
}

struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a folder"),
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Said {
        finish(start(program(self.path()).args(args)))
    }

    /// The newest session with this model.
    fn id_of(&self, model: &str) -> String {
        let said = self.run(&["history", "list", "--model", model, "--json"]);
        let list: Value = serde_json::from_str(&said.out).expect("JSON");
        list["sessions"][0]["id"]
            .as_str()
            .expect("a session")
            .to_owned()
    }

    /// The same on a terminal, as util-linux's `script` makes one. Gives what the terminal was sent.
    fn on_a_terminal(&self, args: &[&str]) -> String {
        let quoted = |arg: &&str| format!("'{}'", arg.replace('\'', "'\\''"));
        let batida = env!("CARGO_BIN_EXE_batida");
        let line: Vec<String> = std::iter::once(&batida).chain(args).map(quoted).collect();
        let mut command = Command::new("script");
        command.args(["-q", "-e", "-c", &line.join(" "), "/dev/null"]);
        command
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", "/usr/bin:/bin")
            .env("TERM", "xterm");
        command.env("SHELL", "/bin/sh").current_dir(self.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let said = finish(start(&mut command));
        assert!(!said.out.is_empty(), "{said:?}");
        // The terminal itself makes two of each line's end.
        said.out.replace("\r\n", "\n")
    }

    /// With standard output, or standard error, on a full disk.
    fn on_a_full_disk(&self, args: &[&str], errors: bool) -> Said {
        let full = || {
            File::options()
                .write(true)
                .open("/dev/full")
                .expect("Linux has it")
        };
        let mut command = program(self.path());
        command.args(args);
        if errors {
            command.stderr(full())
        } else {
            command.stdout(full())
        };
        finish(start(&mut command))
    }
}

#[test]
fn nothing_of_a_server_acts_on_a_terminal() {
    let (home, server) = (Home::new(), hostile_server());
    let url = server.url();
    for (args, words) in [
        (&["chat", "--model", "ok", "Hi"][..], "Hi ␛[2J"),
        (
            &["chat", "--model", "thinks", "--reasoning", "Hi"],
            "hm ␛[2J",
        ),
        (&["chat", "--model", "ok", "--json", "Hi"], "\\u001b[2J"),
        (&["chat", "--model", "bad", "Hi"], "␛[2J"),
        (
            &["chat", "--model", "bad", "--json", "Hi"],
            "\\u009b31m\\u202egnp",
        ),
        (&["models"], "m␛[2J"),
        (&["models", "--json"], "m\\u001b[2J"),
        (&["chat", "--model", "ok", HOSTILE], "Hi ␛[2J"),
        (&["history", "show", "ID"], "␛[2J"),
        (&["history", "show", "ID", "--json"], "\\u001b[2J"),
        (
            &["history", "export", "ID", "--format", "csv", "--out", "-"],
            "␛[2J",
        ),
        (
            &["history", "export", "ID", "--format", "json", "--out", "-"],
            "\\u001b[2J",
        ),
        (
            &["history", "export", "ID", "--format", "html", "--out", "-"],
            "␛[2J",
        ),
        (&["history", "list"], "␛[2J"),
        (&["history", "list", "--json"], "\\u001b[2J"),
        (
            &[
                "bench",
                "--model",
                "bad",
                "--requests",
                "3",
                "--warmup",
                "0",
            ],
            "␛[2J",
        ),
        (&["history", "show", "last"], "␛[2J"),
        (&["compare", "last", "last"], "compared"),
        (&["check"], "␛[2J"),
    ] {
        let id = if args.contains(&"ID") {
            home.id_of("ok")
        } else {
            String::new()
        };
        let mut args: Vec<&str> = args
            .iter()
            .map(|arg| if *arg == "ID" { id.as_str() } else { arg })
            .collect();
        if !["history", "compare"].contains(&args[0]) {
            args.extend(["--api", &url]);
        }
        let shown = home.on_a_terminal(&args);
        assert!(
            shown.contains(words),
            "{words:?} of {args:?} is not in {shown:?}"
        );
        // The progress line is drawn with these two.
        check_harmless(&shown.replace("\u{1b}[K", "").replace('\r', ""));
    }
}

#[test]
fn an_answer_passes_a_pipe_as_it_is_and_messages_and_tables_do_not() {
    let (home, server) = (Home::new(), hostile_server());
    let url = server.url();
    let run = |args: &[&str]| home.run(&[args, &["--api", &url]].concat());
    assert_eq!(
        run(&["chat", "--model", "ok", "Hi"]).out,
        format!("Hi {HOSTILE}done\n")
    );
    for args in [
        &["models"][..],
        &["models", "--json"],
        &["chat", "--model", "bad", "Hi"],
        &["check"],
    ] {
        let Said { out, err, .. } = run(args);
        check_harmless(&out);
        check_harmless(&err);
    }
    // To a program the JSON is what the server said.
    let models: Value = serde_json::from_str(&run(&["models", "--json"]).out).expect("JSON");
    let names = models["models"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|model| model["name"].clone());
    assert!(
        names.into_iter().any(|name| name == format!("m{HOSTILE}")),
        "{models}"
    );
}

#[test]
fn a_message_is_one_line_and_a_long_one_is_cut() {
    let (home, server) = (Home::new(), hostile_server());
    let said = home.run(&["chat", "--model", "bad", "Hi", "--api", &server.url()]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        !said
            .err
            .lines()
            .any(|line| line.starts_with("batida: all is well")),
        "{said:?}"
    );
    assert!(
        said.err.lines().all(|line| line.chars().count() < 1_100),
        "{said:?}"
    );
    assert!(
        said.err.contains("more characters)") || said.err.contains('…'),
        "{said:?}"
    );
}

#[test]
fn hostile_file_names_and_arguments_are_shown_harmless() {
    let home = Home::new();
    let name = format!("a{HOSTILE}.json");
    fs::write(home.file(&name), "no JSON").expect("written");
    for args in [
        &["history", "import", &name][..],
        &["compare", &name, &name],
        &["chat", "--demo", "--attach", &format!("b{HOSTILE}"), "Hi"],
        &[
            "bench",
            "--demo",
            "--prompts",
            &format!("b{HOSTILE}"),
            "--model",
            "x",
        ],
        &["history", "show", HOSTILE],
        &[HOSTILE],
        &["chat", "--demo", "Hi", HOSTILE],
        &["check", "--env", HOSTILE],
    ] {
        let said = home.run(args);
        assert_ne!(said.code, Some(0), "{args:?}: {said:?}");
        check_harmless(&said.err);
        check_harmless(&home.on_a_terminal(args));
    }
}

#[test]
fn what_a_cluster_says_is_shown_harmless() {
    let home = Home::new();
    let kubectl = home.file("kubectl");
    let script = format!("#!/bin/sh\nprintf '%s\\n' 'error: {HOSTILE}' >&2\nexit 1\n");
    fs::write(&kubectl, script).expect("written");
    fs::set_permissions(
        &kubectl,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("made a program");
    let kubectl = kubectl.display().to_string();
    fs::write(home.file("kubeconfig"), "apiVersion: v1\nkind: Config\n").expect("written");
    for command in ["deployments", "check"] {
        let shown =
            home.on_a_terminal(&[command, "--kubectl", &kubectl, "--kubeconfig", "kubeconfig"]);
        // The door of kubectl takes some of it out already.
        assert!(shown.contains("gnp.exe"), "{shown:?}");
        check_harmless(&shown);
    }
}

#[test]
fn a_full_disk_is_told_with_code_1_whatever_is_written() {
    let home = Home::new();
    home.run(&["chat", "--demo", "Hello"]);
    let report = home.file("r.json").display().to_string();
    let bench = [
        "bench",
        "--demo",
        "--model",
        "gpt-oss-120b",
        "--requests",
        "2",
        "--output-tokens",
        "2",
        "--out",
    ];
    assert_eq!(
        home.run(&[&bench[..], &[report.as_str()]].concat()).code,
        Some(0)
    );
    for args in [
        &["chat", "--demo", "Hi"][..],
        &["chat", "--demo", "--json", "Hi"],
        &["models", "--demo"],
        &["models", "--demo", "--json"],
        &["deployments", "--demo"],
        &["check", "--demo"],
        &["check", "--demo", "--json"],
        &["bench", "--schema"],
        &[
            "bench",
            "--demo",
            "--model",
            "gpt-oss-120b",
            "--requests",
            "2",
            "--output-tokens",
            "2",
            "--json",
        ],
        &[
            "bench",
            "--demo",
            "--model",
            "gpt-oss-120b",
            "--requests",
            "2",
            "--output-tokens",
            "2",
        ],
        &["history", "list"],
        &["history", "list", "--json"],
        &["history", "show", "last"],
        &["history", "export", "last", "--format", "csv", "--out", "-"],
        &[
            "history", "export", "last", "--format", "html", "--out", "-",
        ],
        &[
            "history",
            "export",
            "last",
            "--format",
            "csv",
            "--out",
            "/dev/full",
        ],
        &["history", "import", &report, "--json"],
        &["compare", &report, &report],
        &["compare", &report, &report, "--json"],
        &["demo", "--json"],
        &["--help"],
        &["chat", "--help"],
        &["--version"],
        &["check", "--env", "nowhere", "--json"],
    ] {
        let said = home.on_a_full_disk(args, false);
        // What was wrong before stays so.
        let code = if args.contains(&"nowhere") {
            [1, 2]
        } else {
            [1, 1]
        };
        assert!(
            said.code.is_some_and(|it| code.contains(&it)),
            "{args:?}: {said:?}"
        );
        if !args.contains(&"nowhere") {
            assert!(said.err.contains("the disk is full"), "{args:?}: {said:?}");
            assert_eq!(
                said.err.matches("written").count(),
                1,
                "it is said once: {args:?}: {said:?}"
            );
        }
    }
    // Nobody can be told, but a program is.
    let said = home.on_a_full_disk(&["chat", "--demo", "--reasoning", "Hi"], true);
    assert_eq!(said.code, Some(1), "{said:?}");
}

#[test]
fn a_reader_that_leaves_is_no_error_to_talk_of() {
    let home = Home::new();
    for args in [
        &["models", "--demo"][..],
        &["--help"],
        &["chat", "--demo", "-q", "Hi"],
        &["bench", "--schema"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = program(home.path());
        command.args(args).stdout(writer);
        let said = finish(start(&mut command));
        assert_eq!((said.err.as_str(), said.code), ("", Some(1)), "{args:?}");
    }
}

#[test]
fn a_file_that_may_not_grow_costs_an_error_and_not_the_program() {
    let home = Home::new();
    // No file of this process may grow beyond half a kilobyte.
    let run = "ulimit -f 1; exec \"$0\" bench --demo --model gpt-oss-120b --requests 40 --concurrency 4 \
               --output-tokens 2 --warmup 0 --no-history --csv rows.csv --out report.json";
    fs::write(home.file("report.json"), "old").expect("written");
    let mut command = Command::new("sh");
    command.args(["-c", run, env!("CARGO_BIN_EXE_batida")]);
    command
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", "/usr/bin:/bin")
        .current_dir(home.path());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let said = finish(start(&mut command));
    assert_eq!(said.code, Some(1), "{said:?}");
    for file in ["rows.csv", "report.json"] {
        assert!(
            said.err.contains(&format!("{file} cannot be written")),
            "{said:?}"
        );
    }
    assert_eq!(
        fs::read_to_string(home.file("report.json")).expect("read"),
        "old"
    );
    assert!(
        said.out.contains("gpt-oss-120b"),
        "the figures are not lost: {said:?}"
    );
}

#[test]
fn a_run_that_never_begins_replaces_no_file() {
    let home = Home::new();
    for file in ["rows.csv", "report.json"] {
        fs::write(home.file(file), "old").expect("written");
    }
    let said = home.run(&[
        "bench",
        "--api",
        "http://127.0.0.1:9",
        "--concurrency",
        "1",
        "--requests",
        "2",
        "--csv",
        "rows.csv",
        "--out",
        "report.json",
    ]);
    assert_eq!(said.code, Some(1), "{said:?}");
    for file in ["rows.csv", "report.json"] {
        assert_eq!(
            fs::read_to_string(home.file(file)).expect("read"),
            "old",
            "{file}"
        );
    }
    let names: Vec<_> = fs::read_dir(home.path())
        .expect("a folder")
        .filter_map(|it| it.ok())
        .collect();
    assert!(
        names
            .iter()
            .all(|it| !it.file_name().to_string_lossy().contains(".batida-")),
        "{names:?}"
    );
}
