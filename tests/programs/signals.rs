//! The program, ended by a signal: what it has is settled, and nothing that it started lives on.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::kube::kubectls;
use crate::support::batida::{LIMIT, Said, finish, program, start};
use crate::support::programs::is_alive;

/// How soon the end must come, on a busy machine too.
const SETTLED: Duration = Duration::from_secs(4);

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = program(self.0.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(args).args(["--config", "config"]);
        command
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made a program");
        path
    }

    /// The processes that have written their ids into a file, once there are so many.
    fn pids(&self, name: &str, least: usize) -> Vec<u32> {
        let file = self.file(name);
        let read = || -> Vec<u32> {
            let text = fs::read_to_string(&file).unwrap_or_default();
            text.lines()
                .filter_map(|line| line.trim().parse().ok())
                .collect()
        };
        until("they have started", || read().len() >= least);
        read()
    }
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[track_caller]
fn until_gone(pids: &[u32]) {
    let began = Instant::now();
    while let Some(pid) = pids.iter().find(|pid| is_alive(**pid)) {
        assert!(began.elapsed() < SETTLED, "{pid} of {pids:?} lives on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The lines of standard error as they come.
fn lines_of(child: &mut Child) -> mpsc::Receiver<String> {
    let err = BufReader::new(child.stderr.take().expect("piped"));
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        err.lines()
            .map_while(Result::ok)
            .try_for_each(|line| tell.send(line))
    });
    told
}

#[track_caller]
fn expect_line(lines: &mpsc::Receiver<String>, words: &str) -> String {
    loop {
        let line = lines
            .recv_timeout(LIMIT)
            .unwrap_or_else(|why| panic!("{words:?} was not said: {why}"));
        if line.contains(words) {
            return line;
        }
    }
}

/// A benchmark that would go on for long is sent these signals at once.
#[track_caller]
fn bench_ended_by(signals: &[Signal]) -> (Home, Said) {
    let home = Home::new();
    let args = [
        "bench",
        "--demo",
        "--model",
        "gpt-oss-120b",
        "--concurrency",
        "2",
        "--requests",
        "100000",
    ];
    let files = [
        "--output-tokens",
        "8",
        "--out",
        "r.json",
        "--csv",
        "rows.csv",
    ];
    let mut child = start(&mut home.command(&[&args[..], &files].concat()));
    let lines = lines_of(&mut child);
    expect_line(&lines, "level 1/1 begins");
    // Some requests have ended by then.
    std::thread::sleep(Duration::from_millis(700));
    let began = Instant::now();
    for signal in signals {
        kill_process(Pid::from_child(&child), *signal).expect("it runs");
    }
    let said = finish(child);
    assert!(began.elapsed() < SETTLED, "{:?}", began.elapsed());
    expect_line(&lines, "the session was stopped");
    (home, said)
}

#[track_caller]
fn check_report(home: &Home, said: &Said) {
    assert!(said.out.contains("stopped by the user"), "{said:?}");
    let text = fs::read_to_string(home.file("r.json")).expect("a report");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["ended"], "stopped");
    let ended = report["levels"][0]["requests"]["ended"]
        .as_u64()
        .expect("a count");
    let rows = fs::read_to_string(home.file("rows.csv")).expect("rows");
    assert!(
        ended > 0 && rows.lines().count() as u64 > ended,
        "{ended} ended, {} lines",
        rows.lines().count()
    );
}

#[test]
fn a_benchmark_that_is_terminated_or_hung_up_writes_what_it_has() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let (home, said) = bench_ended_by(&[signal]);
        assert_eq!(said.code, Some(code), "{said:?}");
        check_report(&home, &said);
    }
}

#[test]
fn two_interrupts_at_once_lose_nothing() {
    let (home, said) = bench_ended_by(&[Signal::INT, Signal::INT]);
    assert_eq!(said.code, Some(1), "{said:?}");
    check_report(&home, &said);
}

#[test]
fn a_chat_that_is_terminated_tells_its_figures() {
    let home = Home::new();
    let args = [
        "chat",
        "--demo",
        "--model",
        "Meta-Llama-3.3-70B-Instruct",
        "Write 20000 tokens",
    ];
    let mut child = start(&mut home.command(&args));
    let mut some = [0; 40];
    child
        .stdout
        .as_mut()
        .expect("piped")
        .read_exact(&mut some)
        .expect("an answer");
    let began = Instant::now();
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it runs");
    let said = finish(child);
    assert!(began.elapsed() < SETTLED, "{:?}", began.elapsed());
    assert_eq!(said.code, Some(143), "{said:?}");
    assert!(
        said.err.contains("TTFT") && said.out.ends_with('\n'),
        "{said:?}"
    );
}

#[test]
fn under_nohup_a_terminal_that_is_closed_ends_nothing() {
    let home = Home::new();
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_batida"));
    command
        .args(["demo", "--port", "0"])
        .env("HOME", home.0.path());
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = start(&mut command);
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    lines.next().expect("an address").expect("text");
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::HUP).expect("it runs");
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        child.try_wait().expect("it can be waited for").is_none(),
        "it goes on"
    );
    kill_process(pid, Signal::TERM).expect("it runs");
    assert_eq!(
        finish(child).code,
        Some(0),
        "a server that is told to end ends well"
    );
}

/// A kubectl with a child, both of which would live for long.
fn lasting_kubectl(home: &Home) -> String {
    let pids = home.file("pids");
    let script = format!(
        "sleep 1000 &\necho $! >> {0}\necho $$ >> {0}\nwait",
        pids.display()
    );
    fs::write(home.file("kubeconfig"), "{}").expect("written");
    home.script("kubectl", &script).display().to_string()
}

#[test]
fn nothing_outlives_a_batida_that_is_killed_or_told_to_end() {
    for (signal, code) in [
        (Signal::KILL, None),
        (Signal::TERM, Some(143)),
        (Signal::HUP, Some(129)),
    ] {
        let home = Home::new();
        let kubectl = lasting_kubectl(&home);
        let args = [
            "deployments",
            "--kubectl",
            &kubectl,
            "--kubeconfig",
            "kubeconfig",
        ];
        let child = start(&mut home.command(&args));
        let pids = home.pids("pids", 2);
        assert!(pids.iter().any(|pid| is_alive(*pid)));
        kill_process(Pid::from_child(&child), signal).expect("it runs");
        assert_eq!(finish(child).code, code);
        until_gone(&home.pids("pids", 2));
    }
}

#[test]
fn a_device_code_is_shown_while_it_is_waited_for_and_the_plugin_ends_with_batida() {
    for kubectl in kubectls() {
        for signal in [Signal::TERM, Signal::KILL] {
            let home = Home::new();
            let pids = home.file("pids");
            let text = format!(
                "echo $$ >> {}\nprintf 'Enter the code \\033[1mB7K2QX9\\033[0m\\n' >&2\nsleep 120",
                pids.display()
            );
            let plugin = home.script("login-helper", &text);
            let user = serde_json::json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1",
                "command": plugin, "interactiveMode": "IfAvailable"}});
            write_kubeconfig(&home.file("kubeconfig"), &user);
            let kubectl = kubectl.display().to_string();
            let args = [
                "deployments",
                "--kubectl",
                &kubectl,
                "--kubeconfig",
                "kubeconfig",
            ];
            let mut child = start(&mut home.command(&args));
            let lines = lines_of(&mut child);
            assert_eq!(
                expect_line(&lines, "B7K2QX9"),
                "kubectl says: Enter the code B7K2QX9"
            );
            let plugins = home.pids("pids", 1);
            assert_eq!(plugins.len(), 1, "one plugin, not four");
            kill_process(Pid::from_child(&child), signal).expect("it runs");
            finish(child);
            until_gone(&plugins);
        }
    }
}

fn write_kubeconfig(path: &Path, user: &Value) {
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": true}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
    });
    fs::write(path, config.to_string()).expect("written");
}
