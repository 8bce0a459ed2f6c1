//! `batida bench`: the real program.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use batida::demo::api::{DEMO_KEY, DemoModel, DemoServer, Quirk};
use batida::demo::exact::{ExactOptions, ExactServer};
use batida::io::arrival::VARIABLE;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::chat::Front;
use crate::support::demo::options;
use crate::support::tls::Tls;

pub(crate) const MODEL: &str = "gpt-oss-120b";
/// No command here may take longer, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Bench {
    dir: tempfile::TempDir,
}

#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a folder"),
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().expect("the program starts")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batida"));
        command
            .env_clear()
            .env("HOME", self.dir.path())
            .current_dir(self.dir.path());
        command
            .arg("bench")
            .args(args)
            .args(["--demo", "--config", "config"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        finish(self.start(args))
    }

    pub(crate) fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Said {
        let mut command = self.command(args);
        command.envs(variables.iter().copied());
        finish(command.spawn().expect("the program starts"))
    }

    /// A short session of one model, ended well.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let usual = [
            "--model",
            MODEL,
            "--json",
            "--output-tokens",
            "16",
            "--warmup",
            "1",
        ];
        let said = self.run(&[&usual[..], args].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{why}: {said:?}"))
    }
}

/// Waits for the end, which must come in time.
#[track_caller]
fn finish(child: Child) -> Said {
    let pid = Pid::from_child(&child);
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    let Ok(ended) = told.recv_timeout(LIMIT) else {
        // It may end in this very moment.
        let _ = kill_process(pid, Signal::KILL);
        panic!("it did not end");
    };
    let ended = ended.expect("it can be waited for");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let said = Said {
        code: ended.status.code(),
        out: text(ended.stdout),
        err: text(ended.stderr),
    };
    assert!(!said.err.contains("panicked"), "{said:?}");
    said
}

#[test]
fn wrong_usage_is_told_with_code_2_and_the_flag() {
    let bench = Bench::new();
    for (args, words) in [
        (
            &["--concurrency", "0"][..],
            "--concurrency: a level has 1 to 20,000 clients",
        ),
        (&["--rate", "2", "--max"], "cannot be used with"),
        (&["--poisson"], "--rate"),
        (&["--turns", "0"], "--turns:"),
        (&["--duration", "soon"], "is not a time: write 100ms"),
        (
            &["--goodput", "speed=3s"],
            "there are ttft, itl, tpot and latency",
        ),
        (&["--fail-if", "speed>3"], "concurrency_reached"),
        (&["--fail-if", "ttft_p99"], "is not a condition"),
        (
            &["--input-tokens", "9-5"],
            "the shortest length comes first",
        ),
    ] {
        let said = bench.run(&[&["--model", MODEL], args].concat());
        assert_eq!(said.code, Some(2), "{args:?}: {said:?}");
        assert!(said.err.contains(words), "{words:?}: {said:?}");
        assert_eq!(said.out, "");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_is_sent() {
    let bench = Bench::new();
    for flag in ["--out", "--csv"] {
        let said = bench.run(&["--model", MODEL, flag, "no/such/file"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(
            said.err.contains("no/such/file cannot be written"),
            "{said:?}"
        );
        assert_eq!(said.out, "");
    }
    let said = bench.run(&["--model", MODEL, "--csv", "/dev/full"]);
    assert!(
        said.code == Some(1) && said.err.contains("/dev/full cannot be written"),
        "{said:?}"
    );
}

#[test]
fn of_a_session_that_is_killed_the_rows_are_there_and_nothing_else_is_left() {
    let bench = Bench::new();
    for name in ["rows.csv", "r.json"] {
        fs::write(bench.file(name), "old").expect("written");
    }
    // Far fewer rows than a buffer holds.
    let args = [
        "--model",
        MODEL,
        "--rate",
        "8",
        "--duration",
        "10m",
        "--csv",
        "rows.csv",
        "--out",
        "r.json",
    ];
    let mut child = bench.start(&args);
    let read = || fs::read_to_string(bench.file("rows.csv")).expect("it is there");
    let until = Instant::now() + Duration::from_secs(30);
    while read().lines().count() < 12 {
        assert!(Instant::now() < until, "{:?}", read());
        assert!(
            read() == "old" || read().lines().count() > 1,
            "it is replaced by rows, not by a header"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&child), Signal::KILL).expect("it runs");
    child.wait().expect("it ends");
    assert_eq!(
        fs::read_to_string(bench.file("r.json")).expect("it is there"),
        "old"
    );
    let names = fs::read_dir(bench.file("")).expect("a folder");
    let left: Vec<_> = names
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| name.to_string_lossy().starts_with(".batida-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_pipe_without_a_reader_and_one_whose_reader_goes_away_end_in_a_sentence() {
    let bench = Bench::new();
    let pipe = bench.file("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .is_ok_and(|made| made.success())
    );
    for flag in ["--out", "--csv", "--gaps"] {
        let said = bench.run(&["--model", MODEL, flag, "pipe"]);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
        assert!(
            said.err
                .contains("pipe cannot be written: nobody reads this named pipe"),
            "{said:?}"
        );
        assert!(said.err.contains("Start its reader first"), "{said:?}");
    }
    // Readers of both go away when the program has opened both.
    let rows = bench.file("rows");
    assert!(
        Command::new("mkfifo")
            .arg(&rows)
            .status()
            .is_ok_and(|made| made.success())
    );
    // With both ends open a pipe's reader does not wait for the writer.
    let open = |path| {
        fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .expect("opens")
    };
    let (report_reader, mut rows_reader) = (open(&pipe), open(&rows));
    let child = bench.start(&[
        "--model",
        MODEL,
        "--requests",
        "4",
        "--out",
        "pipe",
        "--csv",
        "rows",
    ]);
    let timeout = Timespec::try_from(LIMIT).expect("a minute");
    let ready = poll(
        &mut [PollFd::new(&rows_reader, PollFlags::IN)],
        Some(&timeout),
    );
    assert_eq!(ready, Ok(1), "the first line comes at once");
    assert!(rows_reader.read(&mut [0; 100]).is_ok_and(|n| n > 0));
    drop((report_reader, rows_reader));
    let said = finish(child);
    assert_eq!(said.code, Some(1), "{said:?}");
    for name in ["pipe", "rows"] {
        let words =
            format!("{name} cannot be written: its reader went away before everything was written");
        assert!(said.err.contains(&words), "{said:?}");
    }
}

mod end_to_end {
    use super::*;

    #[test]
    fn levels_and_their_figures_are_in_the_json() {
        let report = Bench::new().json(&["--concurrency", "1,2", "--requests", "4"]);
        assert_eq!(report["schema"], "batida.bench/1");
        assert!(
            report["seed"].is_u64() && report["plan"]["seed"].is_null(),
            "drawn, and told: {report}"
        );
        let levels = report["levels"].as_array().expect("levels");
        let labels: Vec<&str> = levels
            .iter()
            .filter_map(|level| level["label"].as_str())
            .collect();
        assert_eq!(labels, ["c=1", "c=2"]);
        for level in levels {
            assert_eq!(
                (&level["requests"]["ok"], &level["model"]),
                (&4.into(), &MODEL.into()),
                "{level}"
            );
            assert!(
                level["ttft_ms"]["p50"].as_f64().is_some_and(|ms| ms > 1.0),
                "{level}"
            );
            assert!(level["watch"]["doubts"].is_array(), "{level}");
        }
        assert_eq!(report["ended"], "complete");
    }

    #[test]
    fn every_request_has_a_row_and_the_report_a_file() {
        let bench = Bench::new();
        fs::write(bench.file("r.json"), "old").expect("written");
        let args = [
            "--model",
            MODEL,
            "--requests",
            "3",
            "--warmup",
            "2",
            "--output-tokens",
            "16",
        ];
        let said = bench.run(&[&args[..], &["--csv", "rows.csv", "--out", "r.json"]].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        for words in [
            "TTFT, ms",
            "c=1",
            MODEL,
            "95 % intervals",
            "written    r.json",
            "written    rows.csv",
        ] {
            assert!(said.out.contains(words), "{words:?}: {said:?}");
        }
        let text = fs::read_to_string(bench.file("r.json")).expect("a report");
        let report: Value = serde_json::from_str(&text).expect("JSON");
        let rows = fs::read_to_string(bench.file("rows.csv")).expect("rows");
        let rows: Vec<&str> = rows.lines().collect();
        let columns: Vec<&str> = rows[0].split(',').collect();
        let at = |name: &str| {
            columns
                .iter()
                .position(|column| *column == name)
                .expect("a column")
        };
        let phases: Vec<&str> = rows[1..]
            .iter()
            .map(|row| row.split(',').nth(at("phase")).expect("a cell"))
            .collect();
        assert_eq!(
            phases.iter().filter(|phase| **phase == "measured").count(),
            3,
            "{rows:?}"
        );
        assert!(phases.contains(&"warmup"), "{rows:?}");
        let id = report["id"].as_str().expect("an id");
        assert!(
            rows[1..]
                .iter()
                .all(|row| row.starts_with(&format!("{id}-"))),
            "{id}: {rows:?}"
        );
        assert!(
            !rows[1]
                .split(',')
                .nth(at("model"))
                .expect("a cell")
                .is_empty(),
            "{rows:?}"
        );
    }

    #[test]
    fn a_condition_that_comes_true_is_code_3() {
        let bench = Bench::new();
        let args = [
            "--model",
            MODEL,
            "--requests",
            "2",
            "--output-tokens",
            "8",
            "--quiet",
        ];
        let said = bench.run(
            &[
                &args[..],
                &["--fail-if", "ttft_p50>0.001ms", "--fail-if", "errors>0"],
            ]
            .concat(),
        );
        assert_eq!(said.code, Some(3), "{said:?}");
        assert!(
            said.err.contains("--fail-if ttft_p50>0.001ms: it is "),
            "{said:?}"
        );
        assert!(!said.err.contains("errors>0"), "{said:?}");
        let said = bench.run(&[&args[..], &["--fail-if", "goodput<50%"]].concat());
        assert_eq!(
            said.code,
            Some(3),
            "without objectives it is not known: {said:?}"
        );
        assert!(said.err.contains("it is not known"), "{said:?}");
        let said = bench.run(&[&args[..], &["--fail-if", "ttft_p50>1h"]].concat());
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    }

    #[test]
    fn without_a_terminal_a_level_is_two_lines() {
        let said = Bench::new().run(&["--model", MODEL, "--requests", "2", "--output-tokens", "8"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let lines: Vec<&str> = said.err.lines().collect();
        assert!(!said.err.contains(['\r', '\x1b']), "{said:?}");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("level 1/1 begins"), "{lines:?}");
        assert!(
            lines[1].starts_with(&format!("level 1/1: c=1 of {MODEL}: 2 requests")),
            "{lines:?}"
        );
    }

    #[test]
    fn fewer_requests_than_clients_are_warned_of_before_the_run() {
        let run = |requests| {
            let args = ["--concurrency", "3", "--requests", requests];
            Bench::new().run(&[&["--model", MODEL, "--output-tokens", "8"], &args[..]].concat())
        };
        let said = run("2");
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(
            said.err.lines().next(),
            Some(
                "batida: warning: c=3 needs at least 3 requests: with 2 there are never 3 in flight"
            )
        );
        assert!(!run("3").err.contains("warning"), "there are as many");
    }

    #[test]
    fn an_interrupt_ends_with_a_report_of_what_was_done() {
        use std::io::{BufRead as _, BufReader, Read as _};
        let bench = Bench::new();
        let args = [
            "--model",
            MODEL,
            "--concurrency",
            "2",
            "--requests",
            "100000",
            "--out",
            "r.json",
        ];
        let mut child =
            bench.start(&[&args[..], &["--output-tokens", "8", "--csv", "rows.csv"]].concat());
        let mut err = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        err.read_line(&mut line).expect("a line");
        assert!(line.contains("level 1/1 begins"), "{line}");
        kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
        let reader = std::thread::spawn(move || {
            let mut rest = String::new();
            err.read_to_string(&mut rest).map(|_| rest)
        });
        let said = finish(child);
        let rest = reader.join().expect("it reads").expect("text");
        assert_eq!(said.code, Some(1), "{said:?} {rest}");
        assert!(said.out.contains("stopped by the user"), "{said:?}");
        assert!(rest.contains("the session was stopped"), "{rest}");
        let text = fs::read_to_string(bench.file("r.json")).expect("a report");
        assert_eq!(
            serde_json::from_str::<Value>(&text).expect("JSON")["ended"],
            "stopped"
        );
    }

    #[test]
    fn every_kind_of_load_runs() {
        let bench = Bench::new();
        let labels = |report: &Value| -> Vec<String> {
            let levels = report["levels"].as_array().expect("levels");
            levels
                .iter()
                .filter_map(|level| level["label"].as_str().map(str::to_owned))
                .collect()
        };
        assert_eq!(
            labels(&bench.json(&["--sweep=2", "--requests", "2"])),
            ["c=1", "c=2"]
        );
        assert_eq!(
            labels(&bench.json(&["--max=4", "--requests", "6"])),
            ["max"]
        );
        let rate = bench.json(&["--rate", "20", "--poisson", "--duration", "1s"]);
        assert_eq!(labels(&rate), ["20/s"]);
        assert!(
            rate["levels"][0]["late_ms"]["count"]
                .as_u64()
                .is_some_and(|n| n > 3),
            "{rate}"
        );
    }

    #[test]
    fn a_trace_is_sent_to_its_end() {
        let bench = Bench::new();
        let trace =
            "{\"time_ms\": 0, \"prompt\": \"One\"}\n{\"time_ms\": 50, \"prompt\": \"Two\"}\n";
        fs::write(bench.file("t.jsonl"), trace).expect("written");
        let report = bench.json(&["--trace", "t.jsonl"]);
        let level = &report["levels"][0];
        assert_eq!(
            (&level["label"], &level["requests"]["ended"]),
            (&"trace".into(), &2.into()),
            "{level}"
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn on_a_terminal_one_line_is_drawn_over_and_over_and_cut_to_its_width() {
        let bench = Bench::new();
        let args = [
            "--model",
            MODEL,
            "--concurrency",
            "2",
            "--requests",
            "16",
            "--output-tokens",
            "16",
        ];
        let line = format!(
            "stty rows 20 cols 44 && exec {} bench --demo --config config {}",
            env!("CARGO_BIN_EXE_batida"),
            args.join(" ")
        );
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        command
            .env("TERM", "xterm")
            .env("HOME", bench.dir.path())
            .current_dir(&bench.dir);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let said = finish(command.spawn().expect("util-linux has it"));
        assert_eq!(said.code, Some(0), "{said:?}");
        // Each begins at the line's beginning and wipes what was there.
        let (before, after) = said
            .out
            .split_once("level 1/1: c=2 of ")
            .expect("the level's end is told");
        let drawn: Vec<&str> = before
            .split("\x1b[K")
            .map(|line| line.trim_start_matches('\r'))
            .collect();
        let (last, drawn) = drawn.split_last().expect("there is one");
        assert_eq!(*last, "", "the line is wiped before the next: {before:?}");
        assert!(
            drawn
                .iter()
                .all(|line| line.chars().count() < 44 && !line.contains('\n')),
            "{drawn:?}"
        );
        let measuring = |line: &&&str| line.contains("░ 1/1 measuring ") && line.contains("/16 · ");
        assert!(drawn.iter().filter(measuring).count() > 1, "{drawn:?}");
        assert!(
            !after.contains('░') && after.contains("95 % intervals"),
            "{after:?}"
        );
    }

    #[test]
    fn objectives_and_turns_are_minded() {
        let bench = Bench::new();
        let good = bench.json(&[
            "--requests",
            "4",
            "--turns",
            "2",
            "--goodput",
            "ttft=1h,latency=1h",
        ]);
        assert_eq!(good["levels"][0]["goodput"]["share"], 1.0, "{good}");
        let bad = bench.json(&["--requests", "2", "--goodput", "ttft=1ms"]);
        assert_eq!(bad["levels"][0]["goodput"]["share"], 0.0, "{bad}");
    }

    #[test]
    fn another_model_is_a_switch() {
        let report = Bench::new().json(&["--model", "Qwen3-32B", "--requests", "2"]);
        let models: Vec<&Value> = report["levels"]
            .as_array()
            .expect("levels")
            .iter()
            .map(|level| &level["model"])
            .collect();
        assert_eq!(models, [MODEL, "Qwen3-32B"]);
        let switches = report["switches"].as_array().expect("switches");
        assert!(
            switches.iter().any(|switch| switch["model"] == "Qwen3-32B"),
            "{report}"
        );
        assert!(
            switches.iter().all(|switch| switch["ttft_ms"].is_number()),
            "{report}"
        );
    }
}

/// Lets requests through to where they are to go, whatever name they use for it, and keeps the heads it was given.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&heads);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || Self::serve(client, target, &kept));
            }
        });
        Self { address, heads }
    }

    fn serve(
        mut client: TcpStream,
        target: SocketAddr,
        kept: &Mutex<Vec<String>>,
    ) -> std::io::Result<()> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            client.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let mut server = TcpStream::connect(target)?;
        if head.starts_with(b"CONNECT ") {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        } else {
            server.write_all(&head)?;
        }
        kept.lock()
            .expect("a lock")
            .push(String::from_utf8_lossy(&head).into_owned());
        let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
        let back = std::thread::spawn(move || std::io::copy(&mut from_server, &mut to_client));
        std::io::copy(&mut client, &mut server)?;
        // The server's end closes with it.
        let _ = server.shutdown(std::net::Shutdown::Both);
        let _ = back.join();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn measuring_connections_go_through_the_proxy_that_the_environment_names() {
    let options = options(vec![DemoModel::quick("m", Quirk::None)]);
    let server = DemoServer::start(options).await.expect("it listens");
    let front = Front::start(Tls::Good, &server).await;
    for (scheme, target, head) in [
        (
            "http",
            server.address().root().to_owned(),
            "POST http://model.invalid/v1/chat/completions HTTP/1.1",
        ),
        ("https", front.root(), "CONNECT model.invalid:443 HTTP/1.1"),
    ] {
        let target = target
            .split("://")
            .last()
            .and_then(|it| it.parse().ok())
            .expect("an address");
        let proxy = Proxy::start(target);
        let bench = Bench::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_batida"));
        command
            .env_clear()
            .env("HOME", bench.dir.path())
            .current_dir(bench.dir.path())
            .env("KEY", DEMO_KEY);
        command.env(
            format!("{scheme}_proxy"),
            format!("http://ann:word@{}", proxy.address),
        );
        // Nobody else knows the name.
        command.args([
            "bench",
            "--api",
            &format!("{scheme}://model.invalid"),
            "--key-env",
            "KEY",
            "--insecure",
        ]);
        command.args([
            "--model",
            "m",
            "--requests",
            "4",
            "--output-tokens",
            "4",
            "--quiet",
            "--json",
            "--config",
            "c",
        ]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().expect("the program starts");
        let said = tokio::task::spawn_blocking(move || finish(child))
            .await
            .expect("it ends");
        assert_eq!(said.code, Some(0), "{said:?}");
        let report: Value = serde_json::from_str(&said.out).expect("JSON");
        let level = &report["levels"][0];
        assert_eq!(level["requests"]["ok"], 4, "{report}");
        if cfg!(target_os = "linux") {
            assert_eq!(level["watch"]["clock"], "kernel", "{report}");
        }
        let heads = proxy.heads.lock().expect("a lock");
        assert!(heads.iter().any(|it| it.starts_with(head)), "{heads:?}");
        let known = "proxy-authorization: basic yw5uondvcmq=";
        assert!(
            heads.iter().all(|it| it.to_lowercase().contains(known)),
            "the proxy knows its user: {heads:?}"
        );
        assert_eq!(
            heads.iter().any(|it| it.contains(DEMO_KEY)),
            scheme == "http",
            "a tunnel tells no key"
        );
    }
}

/// As on a machine that has no time for it: the process stands still again and again until it ends.
fn disturb(child: Child) -> Said {
    let pid = Pid::from_child(&child);
    let (ended, ending) = mpsc::channel::<()>();
    let disturbing = std::thread::spawn(move || {
        while ending.recv_timeout(Duration::from_millis(150))
            == Err(mpsc::RecvTimeoutError::Timeout)
        {
            let _ = kill_process(pid, Signal::STOP);
            std::thread::sleep(Duration::from_millis(60));
            let _ = kill_process(pid, Signal::CONT);
        }
    });
    let said = finish(child);
    drop(ended);
    disturbing.join().expect("it ends");
    said
}

/// A session that is disturbed, by the program's own clock, and its warnings.
fn disturbed(load: &[&str]) -> (Said, Vec<String>) {
    let bench = Bench::new();
    let args = [
        "--model",
        MODEL,
        "--duration",
        "3s",
        "--output-tokens",
        "4",
        "--strict",
        "--json",
    ];
    let mut command = bench.command(&[&args[..], load].concat());
    let said = disturb(
        command
            .env(VARIABLE, "process")
            .spawn()
            .expect("the program starts"),
    );
    let report: Value =
        serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{why}: {said:?}"));
    assert_eq!(report["levels"][0]["watch"]["clock"], "process");
    let doubts = report["levels"][0]["watch"]["doubts"]
        .as_array()
        .expect("a list")
        .iter();
    let doubts = doubts
        .map(|doubt| doubt.as_str().expect("a sentence").to_owned())
        .collect();
    (said, doubts)
}

#[test]
fn a_level_in_doubt_is_code_4_when_strict() {
    // What is due while it stands still leaves late.
    let (said, doubts) = disturbed(&["--rate", "50"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(
        doubts.iter().any(|doubt| doubt.contains("late")),
        "{doubts:?}"
    );
}

#[test]
fn a_process_that_stands_still_says_so_in_a_closed_loop_too() {
    let (said, doubts) = disturbed(&["--concurrency", "2"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    for words in ["client read delay up to", "stalled for up to"] {
        assert!(
            doubts.iter().any(|doubt| doubt.contains(words)),
            "{words:?}: {doubts:?}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_stands_still_knows_by_the_kernel_when_bytes_came() {
    let server = ExactServer::start(ExactOptions {
        ttft: Duration::from_millis(100),
        // Longer than it stands still, so that no two tokens wait together.
        per_token: Duration::from_millis(80),
        tokens: 2,
        ..ExactOptions::default()
    });
    let server = server.expect("it starts");
    let bench = Bench::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_batida"));
    command.env_clear().current_dir(bench.file(""));
    command.args([
        "bench",
        "--api",
        server.address().root(),
        "--model",
        "exact",
    ]);
    command.args(["--concurrency", "4", "--requests", "60", "--warmup", "4"]);
    command.args(["--output-tokens", "2", "--json", "--config", "config"]);
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let said = disturb(command.spawn().expect("the program starts"));
    let report: Value = serde_json::from_str(&said.out).expect("JSON");
    let level = &report["levels"][0];
    let ms = |figure: &str, of: &str| level[figure][of].as_f64().expect("a figure");
    let watch = &level["watch"];
    assert_eq!(watch["clock"], "kernel", "{said:?}");
    let late = watch["read_late_ms"]["max"].as_f64().expect("a figure");
    assert!(late > 30.0, "it stood still: {watch}");
    // The server is on time, and so are all but the few first ones that an interrupted write made late.
    let (low, high) = (ms("ttft_ms", "min"), ms("ttft_ms", "p90"));
    assert!(low > 99.0 && high < 120.0, "{}", level["ttft_ms"]);
    let (low, high) = (ms("itl_ms", "p5"), ms("itl_ms", "p90"));
    // A busy machine moves the server too; a stall of 60 ms would be far outside.
    assert!(low > 65.0 && high < 95.0, "{}", level["itl_ms"]);
    let doubts = watch["doubts"].to_string();
    assert!(doubts.contains("read the ends of answers"), "{doubts}");
    assert!(
        !doubts.contains("TTFT") && !doubts.contains("ITL"),
        "{doubts}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_errors_are_code_1_and_a_limit_that_was_asked_for_is_none() {
    // Every second request is refused.
    let options = options(vec![DemoModel::quick("m", Quirk::RateLimited { every: 2 })]);
    let server = DemoServer::start(options).await.expect("it listens");
    let root = server.address().root().to_owned();
    for (args, code, words) in [
        (
            &[
                "--max-level-error-share",
                "50%",
                "--max-error-share",
                "none",
            ][..],
            1,
            "ended for too many errors: ",
        ),
        (
            &["--max-error-share", "50%"],
            1,
            "the session ended for too many errors: ",
        ),
        // As many failed, and yet it ended for what was asked.
        (
            &["--max-error-share", "none", "--session-requests", "30"],
            0,
            "",
        ),
        (
            &["--max-error-share", "100%", "--session-duration", "300ms"],
            0,
            "",
        ),
    ] {
        let bench = Bench::new();
        fs::write(bench.file("p.txt"), "Hello\n").expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_batida"));
        command
            .env_clear()
            .env("HOME", bench.dir.path())
            .current_dir(bench.dir.path())
            .env("KEY", DEMO_KEY);
        command.args([
            "bench",
            "--api",
            &root,
            "--key-env",
            "KEY",
            "--config",
            "c",
            "--model",
            "m",
        ]);
        command.args([
            "--prompts",
            "p.txt",
            "--concurrency",
            "1,2",
            "--requests",
            "100000",
            "--warmup",
            "0",
        ]);
        command.args(["--quiet"]).args(args);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().expect("the program starts");
        let said = tokio::task::spawn_blocking(move || finish(child))
            .await
            .expect("it ends");
        assert_eq!(said.code, Some(code), "{args:?}: {said:?}");
        assert!(
            said.err.contains(words) && said.err.is_empty() == words.is_empty(),
            "{args:?}: {said:?}"
        );
    }
}
