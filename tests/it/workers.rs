//! A benchmark that is sent from worker processes: the real program at both ends of the pipe.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use batida::demo::api::{DemoModel, Quirk};
use batida::demo::exact::{ExactOptions, ExactServer};
use batida::domain::plan::{Arrivals, Ends, Load, Plan, Prompts};
use batida::domain::run::{BenchReport, LevelEnd, SessionEnd};
use batida::engine::bench::{Fleet, OnLoss, RunsOn};
use batida::io::api::Api;
use batida::wire::worker::{MAX_ANSWER_BYTES, PROTOCOL, WorkerApi};
use serde_json::Value;

use crate::bench::{Heard, Run, api_of, controls, demo, plan, run, run_on};

const BATIDA: &str = env!("CARGO_BIN_EXE_batida");

fn words(command: &str) -> Vec<String> {
    shlex::split(command).expect("words")
}

/// Workers that are started by these commands.
fn fleet(api: &Api, commands: &[String]) -> Fleet {
    Fleet {
        commands: commands.iter().map(|it| words(it)).collect(),
        hidden: Vec::new(),
        wait: Duration::from_secs(30),
        on_loss: OnLoss::Continue,
        api: WorkerApi {
            address: api.address().clone(),
            wants_key: api.has_key(),
            key_header: None,
            extras: Vec::new(),
            ca_pem: None,
            accept_invalid_certs: false,
            is_demo: true,
        },
    }
}

fn workers(n: usize) -> Vec<String> {
    vec![format!("{BATIDA} worker"); n]
}

async fn sent_by(commands: &[String], plan: &Plan, api: &Api) -> Run {
    let (controls, _steer) = controls();
    let runs_on = RunsOn::Workers(Box::new(fleet(api, commands)));
    run_on(&runs_on, plan, api, controls, Heard::default()).await
}

/// A model that answers at once, so that moments of sending are all that differs.
fn quick() -> DemoModel {
    DemoModel::quick("m", Quirk::None)
}

/// What was sent, request by request, without what names the session.
fn bodies(requests: &[batida::demo::api::Received]) -> Vec<String> {
    let mut bodies: Vec<String> = requests.iter().map(|it| it.body.to_string()).collect();
    bodies.sort();
    bodies
}

/// When requests were due, from the first of them.
fn moments(run: &Run) -> BTreeMap<u64, Duration> {
    let first = run.heard.records.iter().map(|it| it.due).min();
    let first = first.expect("requests");
    let due = run
        .heard
        .records
        .iter()
        .map(|it| (it.index, it.due - first));
    due.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_workers_sends_what_one_computer_would_at_the_same_moments() {
    let mut plan = plan("m");
    plan.seed = Some(7);
    plan.warmup = 0;
    plan.load = Load::Rate {
        per_sec: vec![60.0],
        arrivals: Arrivals::Poisson,
        most_in_flight: None,
    };
    plan.level_ends.requests = Some(45);
    let of = async |workers_or_none: Option<usize>| {
        let (server, api) = demo(vec![quick()]).await;
        let run = match workers_or_none {
            None => run(&plan, &api).await,
            Some(n) => sent_by(&workers(n), &plan, &api).await,
        };
        assert_eq!(run.report().levels[0].requests.ok, 45, "{:?}", run.report());
        (bodies(&server.received()), moments(&run))
    };
    let (bodies, due) = of(None).await;
    assert!(bodies.len() > 45, "calibration as well");
    for n in [1, 3, 7] {
        let (theirs, at) = of(Some(n)).await;
        assert_eq!(theirs, bodies, "{n} workers");
        assert_eq!(at.len(), due.len());
        for ((index, at), (_, due)) in at.iter().zip(&due) {
            let off = at.abs_diff(*due);
            assert!(
                off < Duration::from_millis(2),
                "{n} workers, request {index}: {at:?}, {due:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_files_and_turns_are_shared_and_nothing_is_sent_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("prompts.jsonl");
    let lines = (0..30).map(|n| format!("{{\"prompt\": \"number {n}\"}}\n"));
    fs::write(&file, lines.collect::<String>()).expect("written");
    let mut plan = plan("m");
    plan.seed = Some(3);
    plan.prompts = Prompts::File(file);
    plan.load = Load::Concurrency(vec![2, 5]);
    plan.level_ends.requests = Some(12);
    plan.warmup = 3;
    let (server, api) = demo(vec![quick()]).await;
    let run = sent_by(&workers(3), &plan, &api).await;
    let report = run.report();
    assert_eq!(report.ended, SessionEnd::Complete);
    let ended: Vec<_> = report
        .levels
        .iter()
        .map(|it| (it.ended, it.requests.ok))
        .collect();
    assert_eq!(ended, [(LevelEnd::Requests, 12); 2]);
    let bodies = bodies(&server.received());
    assert_eq!(
        bodies.len(),
        30,
        "each prompt of the file once: 2 × (3 + 12)"
    );
    for n in 0..30 {
        let said = format!("\"number {n}\"");
        assert_eq!(
            bodies.iter().filter(|it| it.contains(&said)).count(),
            1,
            "{said}"
        );
    }
    // Two clients are too few for three workers.
    let parts: Vec<_> = report.levels.iter().map(|it| it.workers.len()).collect();
    assert_eq!(parts, [2, 3]);
    assert_eq!(report.workers.len(), 3);
    for (level, per_worker) in report.levels.iter().zip([6, 4]) {
        for part in &level.workers {
            assert_eq!(
                (part.requests, part.failed, part.rows_lost),
                (per_worker, 0, 0)
            );
            assert!(
                part.ttft_p50_ms.is_some() && part.in_flight.is_some(),
                "{part:?}"
            );
        }
    }

    plan.prompts = Prompts::default();
    plan.turns = 3;
    plan.load = Load::Concurrency(vec![4]);
    plan.level_ends.requests = Some(12);
    plan.warmup = 0;
    let (server, api) = demo(vec![quick()]).await;
    let run = sent_by(&workers(2), &plan, &api).await;
    assert_eq!(
        run.report().levels[0].requests.ok,
        12,
        "four conversations of three turns"
    );
    let turns = server.received().into_iter().filter(|it| {
        it.body["messages"]
            .as_array()
            .is_some_and(|said| said.len() == 5)
    });
    assert_eq!(turns.count(), 4, "the third turn of each");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_merged_ttft_is_the_server_s() {
    let options = ExactOptions {
        ttft: Duration::from_millis(40),
        per_token: Duration::from_millis(3),
        ..ExactOptions::default()
    };
    let server = ExactServer::start(options).expect("it listens");
    let api = api_of(server.address().root());
    let mut plan = plan(batida::demo::exact::MODEL);
    plan.load = Load::Concurrency(vec![6]);
    plan.level_ends.requests = Some(60);
    plan.warmup = 6;
    let local = run(&plan, &api).await;
    let shared = sent_by(&workers(3), &plan, &api).await;
    assert_eq!(shared.report().levels[0].workers.len(), 3);
    for (whose, run) in [("local", &local), ("shared", &shared)] {
        let level = &run.report().levels[0];
        assert_eq!(level.requests.ok, 60, "{whose}");
        let p50 = level
            .ttft_ms
            .at(batida::domain::stats::P50)
            .expect("a median");
        // What one machine with its server adds; the bench `workers` holds the exact error.
        assert!((40.0..60.0).contains(&p50), "{whose}: {p50}");
    }
}

fn for_a_time(model: &str) -> Plan {
    let mut plan = plan(model);
    plan.warmup = 0;
    plan.load = Load::Concurrency(vec![6]);
    plan.level_ends = Ends {
        after: Some(Duration::from_secs(4)),
        ..Ends::default()
    };
    plan
}

fn told(report: &BenchReport) -> String {
    let levels = report.levels.iter();
    levels
        .flat_map(|it| it.watch.doubts.clone())
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_lost_is_told_with_the_load_that_was_reached_and_the_others_go_on() {
    let (_server, api) = demo(vec![quick()]).await;
    let mut plan = for_a_time("m");
    plan.load = Load::Concurrency(vec![6, 3]);
    let mut commands = workers(3);
    // It starts, calibrates for nobody, and is killed in the first level.
    commands[2] = format!("timeout -s KILL 3.5 {BATIDA} worker");
    let run = sent_by(&commands, &plan, &api).await;
    let report = run.report();
    assert_eq!(
        report.ended,
        SessionEnd::Complete,
        "two of three are enough"
    );
    let ends: Vec<_> = report.levels.iter().map(|it| it.ended).collect();
    assert_eq!(ends, [LevelEnd::WorkerLost, LevelEnd::Time]);
    let lost = report.workers[2].lost.as_deref().expect("it was lost");
    assert!(lost.starts_with("Worker 3"), "{lost}");
    let told = told(report);
    assert!(
        told.contains("were in flight on average, 6 were asked"),
        "{told}"
    );
    assert_eq!(report.levels[1].workers.len(), 2);
    assert_eq!(report.levels[1].requests.failed, 0);

    // The same, where that is to be the end.
    let mut fleet = fleet(&api, &commands);
    fleet.on_loss = OnLoss::Stop;
    let (controls, _steer) = controls();
    let runs_on = RunsOn::Workers(Box::new(fleet));
    let run = run_on(&runs_on, &plan, &api, controls, Heard::default()).await;
    let report = run.report();
    let SessionEnd::Failed(why) = &report.ended else {
        panic!("{:?}", report.ended)
    };
    assert_eq!(why, "1 of 3 workers were lost");
    assert_eq!(report.levels.len(), 1);
    assert!(
        report.levels[0].requests.ok > 0,
        "what was measured is kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_end_reports_what_it_measured() {
    let slow = DemoModel {
        ttft: Duration::from_secs(20),
        ..DemoModel::quick("slow", Quirk::None)
    };
    let (_server, api) = demo(vec![quick(), slow]).await;
    let mut plan = for_a_time("slow");
    plan.prompts = Prompts::File(prompt_file());
    let began = Instant::now();
    let commands = [format!("timeout -s TERM 3 {BATIDA} worker")];
    let run = sent_by(&commands, &plan, &api).await;
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    let level = &run.report().levels[0];
    assert_eq!(
        (level.requests.ok, level.requests.aborted),
        (0, 6),
        "{level:?}"
    );
}

fn prompt_file() -> std::path::PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("worker-prompts.txt");
    fs::write(&path, "one\ntwo\n").expect("written");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_keeps_what_was_measured_and_leaves_no_process() {
    let (_server, api) = demo(vec![quick()]).await;
    let plan = Plan {
        level_ends: Ends {
            after: Some(Duration::from_secs(600)),
            ..Ends::default()
        },
        ..for_a_time("m")
    };
    let (controls, _steer) = controls();
    let cancel = controls.cancel.clone();
    let heard = Heard::acting(move |progress| {
        if progress.requests.0 > 30 {
            cancel.cancel();
        }
    });
    // A name that no other process has.
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("batida-to-stop");
    fs::copy(BATIDA, &program).expect("copied");
    let commands = vec![format!("{} worker", program.display()); 2];
    let runs_on = RunsOn::Workers(Box::new(fleet(&api, &commands)));
    let run = run_on(&runs_on, &plan, &api, controls, heard).await;
    let report = run.report();
    assert_eq!(report.ended, SessionEnd::Stopped);
    let level = &report.levels[0];
    assert!(
        level.requests.ok > 30 && level.requests.failed == 0,
        "{:?}",
        level.requests
    );
    assert_eq!(
        level.workers.iter().map(|it| it.requests).sum::<u64>(),
        level.requests.ok
    );
    let until = Instant::now() + Duration::from_secs(10);
    while is_running(&program) {
        assert!(Instant::now() < until, "a worker is left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether any process runs this executable.
fn is_running(program: &Path) -> bool {
    let all = fs::read_dir("/proc").expect("processes");
    all.flatten()
        .any(|it| fs::read_link(it.path().join("exe")).is_ok_and(|exe| exe == program))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_reaches_the_workers() {
    let (_server, api) = demo(vec![quick()]).await;
    let plan = for_a_time("m");
    let (controls, steer) = controls();
    let mut paused_at = None;
    let heard = Heard::acting(move |progress| {
        use batida::domain::run::Steer;
        let measures = progress.requests.0 > 20;
        match paused_at {
            None if measures => {
                paused_at = Some(Instant::now());
                let _ = steer.send(Steer::Pause);
            }
            Some(at) if at.elapsed() > Duration::from_millis(1_500) => {
                let _ = steer.send(Steer::Resume);
            }
            _ => {}
        }
    });
    let runs_on = RunsOn::Workers(Box::new(fleet(&api, &workers(2))));
    let run = run_on(&runs_on, &plan, &api, controls, heard).await;
    let level = &run.report().levels[0];
    assert_eq!(level.ended, LevelEnd::Time);
    let took = level.took_s.expect("known");
    assert!((5.3..9.0).contains(&took), "4 s and the pause: {took}");
    let mut sent: Vec<Duration> = run.heard.records.iter().map(|it| it.sent).collect();
    sent.sort();
    let silence = sent
        .windows(2)
        .map(|two| two[1] - two[0])
        .max()
        .expect("requests");
    assert!(silence > Duration::from_millis(1_000), "{silence:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_worker_is_told_by_its_own_words() {
    let (_server, api) = demo(vec![quick()]).await;
    let plan = plan("m");
    let other = r#"{"answer":"hello","protocol":"batida.worker/9","batida":"7.0.0"}"#;
    let failing = async |command: String, wait: u64| {
        let mut fleet = fleet(&api, &[command]);
        fleet.wait = Duration::from_secs(wait);
        let (controls, _steer) = controls();
        let runs_on = RunsOn::Workers(Box::new(fleet));
        let run = run_on(&runs_on, &plan, &api, controls, Heard::default()).await;
        run.report
            .expect_err("it cannot begin")
            .told_on_command_line()
    };
    for (command, wait, said) in [
        (
            "/no/such/program".to_owned(),
            30,
            "could not be started (/no/such/program): it does not exist",
        ),
        (
            "echo Welcome to bench1".to_owned(),
            30,
            "it wrote Welcome to bench1",
        ),
        (
            "sh -c 'echo permission denied >&2; exit 255'".to_owned(),
            30,
            "exit status: 255: permission denied",
        ),
        ("cat".to_owned(), 1, "was not ready within 1s"),
        (
            format!("sh -c 'echo {}; cat'", other.replace('"', r#"\""#)),
            30,
            "speaks batida.worker/9 (Batida 7.0.0)",
        ),
    ] {
        let told = failing(command.clone(), wait).await;
        assert!(told.contains(said), "{command}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_slow_slows_no_measurement() {
    let (_server, api) = demo(vec![quick()]).await;
    let plan = for_a_time("m");
    // What it tells waits for three seconds amid the level.
    let pass = "for n in $(seq 25); do read -r line; echo \"$line\"; done";
    let slow = format!("sh -c '{BATIDA} worker | ({pass}; sleep 3; exec cat)'");
    let run = sent_by(&[slow], &plan, &api).await;
    let level = &run.report().levels[0];
    assert_eq!(level.ended, LevelEnd::Time, "{:?}", run.report());
    assert_eq!(level.workers[0].rows_lost, 0);
    let mut sent: Vec<Duration> = run.heard.records.iter().map(|it| it.sent).collect();
    sent.sort();
    let silence = sent
        .windows(2)
        .map(|two| two[1] - two[0])
        .max()
        .expect("requests");
    assert!(
        silence < Duration::from_millis(700),
        "it went on sending: {silence:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_in_no_line_and_a_worker_without_one_says_so() {
    let (server, api) = demo(vec![quick()]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    fs::write(file("key"), format!("{}\n", batida::demo::api::DEMO_KEY)).expect("written");
    let key = batida::demo::api::DEMO_KEY;
    let (orders, answers) = (file("orders"), file("answers"));
    let command = format!(
        "sh -c 'tee {orders} | {BATIDA} worker --key-file {} | tee {answers}'",
        file("key")
    );
    let with = async |command: String| {
        let mut fleet = fleet(&api, &[command]);
        fleet.api.is_demo = false;
        let (controls, _steer) = controls();
        let runs_on = RunsOn::Workers(Box::new(fleet));
        run_on(&runs_on, &plan("m"), &api, controls, Heard::default()).await
    };
    let run = with(command).await;
    assert_eq!(run.report().levels[0].requests.ok, 20);
    let bearer = format!("Bearer {key}");
    assert!(
        server
            .received()
            .iter()
            .all(|it| it.authorization.as_deref() == Some(&bearer))
    );
    for path in [&orders, &answers] {
        let lines = fs::read_to_string(path).expect("lines");
        assert!(lines.contains(PROTOCOL), "{path}");
        assert!(!lines.contains(key), "{path} has the key");
    }
    let answers = fs::read_to_string(&answers).expect("lines");
    for line in answers.lines() {
        assert!(line.len() <= MAX_ANSWER_BYTES, "{}", line.len());
        let _: Value = serde_json::from_str(line).expect("JSON");
    }
    let run = with(format!("env -u SAMBANOVA_API_KEY {BATIDA} worker")).await;
    let told = run.report.expect_err("no key").told_on_command_line();
    assert!(
        told.contains("The worker has no API key, and is never sent one"),
        "{told}"
    );
}

/// As a pod's input, which stays open when whoever was attached is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hears_nothing_more_ends() {
    let (server, api) = demo(vec![quick()]).await;
    let plan = for_a_time("m");
    let folder = tempfile::tempdir().expect("a folder");
    let pid = folder.path().join("pid");
    // What is written to it stops after a second; its own input never ends.
    let pass = "timeout 4 cat; sleep 60";
    let worker = format!(
        "echo $$ >{}; exec {BATIDA} worker --patience 2s",
        pid.display()
    );
    let command = format!(
        "sh -c '({pass}) | sh -c \"{}\"'",
        worker.replace('$', "\\$")
    );
    let plan = Plan {
        level_ends: Ends {
            after: Some(Duration::from_secs(30)),
            ..Ends::default()
        },
        ..plan
    };
    let began = Instant::now();
    let run = sent_by(&[command], &plan, &api).await;
    assert!(
        began.elapsed() < Duration::from_secs(25),
        "{:?}",
        began.elapsed()
    );
    let report = run.report();
    assert_eq!(report.levels[0].ended, LevelEnd::WorkerLost, "{report:?}");
    assert!(
        report.levels[0].requests.ok > 0,
        "what it measured until then is there"
    );
    let sent = server.received().len();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(server.received().len(), sent, "it sends nothing more");
}
