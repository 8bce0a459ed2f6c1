//! The engine of a benchmark against the demo's real servers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use batida::demo::api::{DEMO_KEY, DemoModel, DemoServer, Quirk};
use batida::demo::exact::{ExactOptions, ExactServer};
use batida::domain::environment::{ApiAddress, EnvId};
use batida::domain::failure::Failure;
use batida::domain::plan::{Arrivals, Ends, Lengths, Load, Objectives, Plan, Prompts, Target};
use batida::domain::run::{BenchProgress, BenchReport, LevelEnd, SessionEnd, Stage, Stats, Steer};
use batida::domain::stats::P50;
use batida::engine::bench::{self, ClusterContext, Controls, Listener, RunsOn};
use batida::io::access::Access;
use batida::io::activity::Recorder;
use batida::io::api::{Api, Trust};
use batida::metrics::request::{Phase, RequestRecord};
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::chat::Front;
use crate::support::demo::options;
use crate::support::tls::Tls;

/// No answer of ours takes longer.
const LONG: Duration = Duration::from_secs(60);

type OnProgress = Box<dyn FnMut(&BenchProgress) + Send>;

#[derive(Default)]
pub(crate) struct Heard {
    progress: Vec<BenchProgress>,
    pub(crate) records: Vec<RequestRecord>,
    on_progress: Option<OnProgress>,
}

impl Heard {
    pub(crate) fn acting(on_progress: impl FnMut(&BenchProgress) + Send + 'static) -> Self {
        Self {
            on_progress: Some(Box::new(on_progress)),
            ..Self::default()
        }
    }
}

impl Listener for Heard {
    fn advanced(&mut self, progress: BenchProgress) {
        if let Some(act) = &mut self.on_progress {
            act(&progress);
        }
        self.progress.push(progress);
    }
    fn ended(&mut self, record: &Arc<RequestRecord>) {
        self.records.push(RequestRecord::clone(record));
    }
}

fn api(address: ApiAddress) -> Api {
    let key = Some(SecretString::from(DEMO_KEY));
    let recorder = Recorder::new(EnvId::demo(), |_| {});
    Api::new(
        address,
        Access::with_key(key, "KEY"),
        Trust::default(),
        recorder,
    )
    .expect("an API")
}

pub(crate) fn plan(model: &str) -> Plan {
    Plan {
        targets: vec![Target {
            deployment: None,
            model: model.to_owned(),
        }],
        load: Load::Concurrency(vec![4]),
        level_ends: Ends {
            requests: Some(20),
            ..Ends::default()
        },
        session_ends: Ends::default(),
        warmup: 2,
        prompts: Prompts::Synthetic {
            input_tokens: Lengths::Fixed(64),
            prefix_tokens: 0,
        },
        output_tokens: Some(Lengths::Fixed(8)),
        timeout: Duration::from_secs(10),
        ..Plan::default()
    }
}

pub(crate) struct Run {
    pub(crate) report: Result<BenchReport, Failure>,
    pub(crate) heard: Heard,
}

impl Run {
    pub(crate) fn report(&self) -> &BenchReport {
        self.report.as_ref().expect("it runs")
    }
}

async fn run_with(plan: &Plan, api: &Api, controls: Controls, heard: Heard) -> Run {
    run_on(&RunsOn::ThisComputer, plan, api, controls, heard).await
}

pub(crate) async fn run_on(
    runs_on: &RunsOn,
    plan: &Plan,
    api: &Api,
    controls: Controls,
    mut heard: Heard,
) -> Run {
    let running = bench::run_on(
        runs_on,
        ClusterContext::default(),
        plan,
        api,
        "test",
        controls,
        &mut heard,
    );
    let report = tokio::time::timeout(LONG, running).await.expect("it ends");
    Run { report, heard }
}

pub(crate) fn controls() -> (Controls, watch::Sender<Steer>) {
    let (steer, steered) = watch::channel(Steer::Resume);
    (
        Controls {
            cancel: CancellationToken::new(),
            steer: steered,
        },
        steer,
    )
}

pub(crate) async fn run(plan: &Plan, api: &Api) -> Run {
    let (controls, _steer) = controls();
    run_with(plan, api, controls, Heard::default()).await
}

pub(crate) async fn demo(models: Vec<DemoModel>) -> (DemoServer, Api) {
    let server = DemoServer::start(options(models))
        .await
        .expect("it listens");
    let api = api(server.address());
    (server, api)
}

/// An API there, with the demo's key.
pub(crate) fn api_of(root: &str) -> Api {
    api(ApiAddress::parse(root).expect("an address"))
}

/// The report of a plan, for tests that are not async themselves.
pub(crate) fn run_plan(plan: &Plan, api: &Api) -> BenchReport {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(run(plan, api)).report.expect("it runs")
}

/// Looks at no figure until the end.
struct Blind;

impl Listener for Blind {
    fn advanced(&mut self, _: BenchProgress) {}
    fn partial_interval(&self) -> Duration {
        Duration::MAX
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn how_busy_the_threads_were_is_known_although_nobody_looked() {
    let (_server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let plan = Plan {
        level_ends: Ends {
            after: Some(Duration::from_millis(1_500)),
            ..Ends::default()
        },
        ..plan("m")
    };
    let (controls, _steer) = controls();
    let mut blind = Blind;
    let running = bench::run(&plan, &api, "test", controls, &mut blind);
    let report = tokio::time::timeout(LONG, running).await.expect("it ends");
    let busy = report.expect("it runs").levels[0].watch.busiest_lane;
    assert!(busy.is_some_and(|share| share > 0.0), "{busy:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_ends_with_its_requests_and_their_figures() {
    let (server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let run = run(&plan("m"), &api).await;
    let report = run.report();
    assert_eq!(report.ended, SessionEnd::Complete);
    let [level] = &report.levels[..] else {
        panic!("one level: {report:?}")
    };
    assert_eq!(
        (level.ended, level.label.as_str()),
        (LevelEnd::Requests, "c=4")
    );
    assert_eq!(
        (
            level.requests.ok,
            level.requests.failed,
            level.requests.warmup
        ),
        (20, 0, 2)
    );
    assert_eq!(level.ttft_ms.count, 20);
    // On a busy machine an answer may arrive in one read, and then has no gaps.
    assert_eq!(level.itl_ms.count, (20 - level.at_once) * 7);
    assert_eq!(level.output_tokens.mean, Some(8.0));
    assert_eq!(level.tokens_from, "usage");
    let off = (level.prompt_tokens.mean.expect("counted") - 64.0).abs() / 64.0;
    assert!(off <= 0.02, "prompts of {:?} tokens", level.prompt_tokens);
    assert!(level.throughput.output_tokens_per_s.is_some(), "{level:?}");
    assert_eq!(
        run.heard
            .records
            .iter()
            .filter(|record| record.phase == Phase::Measured)
            .count(),
        20
    );
    assert!(
        run.heard
            .progress
            .iter()
            .any(|progress| !progress.ended.is_empty())
    );
    // Every request had a prompt of its own.
    let mut prompts: Vec<String> = server
        .received()
        .iter()
        .map(|received| received.body["messages"].to_string())
        .collect();
    let all = prompts.len();
    prompts.sort();
    prompts.dedup();
    assert_eq!(prompts.len(), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_model_runs_each_level_and_tells_its_switching_time() {
    let models = vec![
        DemoModel::quick("a", Quirk::None),
        DemoModel::quick("b", Quirk::ColdStart(Duration::from_millis(300))),
    ];
    let (_server, api) = demo(models).await;
    let mut plan = plan("a");
    plan.targets.push(Target {
        deployment: Some("d".to_owned()),
        model: "b".to_owned(),
    });
    plan.load = Load::Concurrency(vec![1, 2]);
    plan.level_ends.requests = Some(4);
    let run = run(&plan, &api).await;
    let report = run.report();
    let labels: Vec<_> = report
        .levels
        .iter()
        .map(|l| format!("{} {}", l.model, l.label))
        .collect();
    assert_eq!(labels, ["a c=1", "a c=2", "b c=1", "b c=2"]);
    let switched = report.switches[1].ttft_ms.expect("it answered");
    assert!(switched >= 300.0, "{:?}", report.switches);
    let slowest = report.levels[2].ttft_ms.max.expect("measured");
    assert!(
        slowest < 300.0,
        "the cold start is in no figure: {slowest} ms"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_apart_and_enter_no_figure() {
    for (quirk, kind) in [
        (Quirk::EndsMidway, "dropped"),
        (Quirk::FailsMidway, "server"),
        (Quirk::DropsMidway, "dropped"),
        (
            Quirk::Refuses {
                status: 503,
                content_type: "application/json",
                body: r#"{"error":{"code":"queue_full","message":"full"}}"#,
                retry_after: None,
            },
            "queue_full",
        ),
    ] {
        let (_server, api) = demo(vec![DemoModel::quick("m", quirk.clone())]).await;
        let mut plan = plan("m");
        // From a file, since a calibration would fail as all others do.
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("prompts.txt");
        std::fs::write(&file, "Hello\nGood day\n").expect("writes");
        plan.prompts = Prompts::File(file);
        plan.output_tokens = None;
        let run = run(&plan, &api).await;
        let level = &run.report().levels[0];
        assert_eq!(
            (level.requests.failed, level.requests.ok),
            (20, 0),
            "{quirk:?}"
        );
        assert_eq!(
            level.requests.errors[0].kind, kind,
            "{:?}",
            level.requests.errors
        );
        assert_eq!(
            (
                level.ttft_ms.count,
                level.latency_ms.count,
                level.itl_ms.count
            ),
            (0, 0, 0)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_session_keeps_its_figures_and_closes_every_connection() {
    let mut slow = DemoModel::quick("m", Quirk::None);
    slow.per_token = Duration::from_millis(100);
    let (server, api) = demo(vec![slow]).await;
    let mut plan = plan("m");
    plan.level_ends.requests = Some(1_000);
    plan.output_tokens = Some(Lengths::Uniform { least: 1, most: 60 });
    let (controls, _steer) = controls();
    let cancel = controls.cancel.clone();
    let heard = Heard {
        on_progress: Some(Box::new(move |progress| {
            if progress.requests.0 >= 3 {
                cancel.cancel();
            }
        })),
        ..Heard::default()
    };
    let run = run_with(&plan, &api, controls, heard).await;
    let report = run.report();
    assert_eq!(report.ended, SessionEnd::Stopped);
    let level = &report.levels[0];
    assert_eq!(level.ended, LevelEnd::Stopped);
    assert!(level.requests.ok >= 3, "{:?}", level.requests);
    assert!(level.requests.aborted > 0, "{:?}", level.requests);
    // Whoever had no answer yet sees its connection close: each aborted one, and nobody else is under way.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let closed = || {
        server
            .received()
            .iter()
            .filter(|r| r.aborted.load(Ordering::Relaxed))
            .count() as u64
    };
    while closed() < level.requests.aborted {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{} of {} closed",
            closed(),
            level.requests.aborted
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_session_sends_nothing_and_goes_on() {
    let (server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let mut plan = plan("m");
    plan.level_ends.requests = Some(200);
    plan.output_tokens = Some(Lengths::Fixed(20));
    let (controls, steer) = controls();
    let steer = Arc::new(steer);
    let pauser = Arc::clone(&steer);
    let (paused, is_paused) = tokio::sync::oneshot::channel();
    let mut paused = Some(paused);
    let heard = Heard {
        on_progress: Some(Box::new(move |progress| {
            let quiet = progress.in_flight == batida::domain::run::InFlight::default();
            match progress.requests.0 {
                n if n >= 8 && !pauser.borrow().eq(&Steer::Pause) && paused.is_some() => {
                    let _ = pauser.send(Steer::Pause);
                }
                _ if *pauser.borrow() == Steer::Pause && quiet => {
                    if let Some(paused) = paused.take() {
                        let _ = paused.send(());
                    }
                }
                _ => {}
            }
        })),
        ..Heard::default()
    };
    let running = tokio::spawn(async move { run_with(&plan, &api, controls, heard).await });
    is_paused.await.expect("it pauses");
    let before = server.received().len();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        server.received().len(),
        before,
        "nothing is sent while it is paused"
    );
    steer.send(Steer::Resume).expect("it listens");
    let run = running.await.expect("no panic");
    assert_eq!(run.report().levels[0].requests.ok, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_loop_measures_from_the_moment_a_request_was_due() {
    let mut slow = DemoModel::quick("m", Quirk::None);
    slow.ttft = Duration::from_millis(100);
    let (_server, api) = demo(vec![slow]).await;
    let mut plan = plan("m");
    // One in flight, answers take longer than the gaps: what waits for its turn waits in the figures.
    plan.load = Load::Rate {
        per_sec: vec![50.0],
        arrivals: Arrivals::Constant,
        most_in_flight: Some(1),
    };
    plan.level_ends.requests = Some(10);
    let run = run(&plan, &api).await;
    let level = &run.report().levels[0];
    assert_eq!((level.requests.ok, level.ended), (10, LevelEnd::Requests));
    let (first, last) = (
        level.ttft_ms.min.expect("measured"),
        level.ttft_ms.max.expect("measured"),
    );
    assert!(
        last > first + 9.0 * 80.0 - 100.0,
        "the last waited for nine others: {first} to {last} ms"
    );
    assert!(
        level.late_ms.max.expect("late") > 500.0,
        "{:?}",
        level.late_ms
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_ends_with_its_time_and_a_session_with_its_errors() {
    let (_server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let mut plan = plan("m");
    plan.level_ends = Ends {
        after: Some(Duration::from_millis(300)),
        ..Ends::default()
    };
    plan.load = Load::Max { in_flight: 8 };
    let timed = run(&plan, &api).await;
    assert_eq!(timed.report().levels[0].ended, LevelEnd::Time);
    assert!(timed.report().levels[0].took_s >= Some(0.3));

    let (_server, api) = demo(vec![DemoModel::quick("m", Quirk::RateLimited { every: 3 })]).await;
    plan.level_ends = Ends {
        requests: Some(10_000),
        ..Ends::default()
    };
    plan.session_ends.error_share = Some(0.1);
    plan.load = Load::Concurrency(vec![2, 4]);
    let limited = run(&plan, &api).await;
    let report = limited.report();
    assert!(
        matches!(report.ended, SessionEnd::Errors(_)),
        "{:?}",
        report.ended
    );
    assert_eq!(
        (report.levels.len(), report.levels[0].ended),
        (1, LevelEnd::Errors)
    );
    let limits = &report.levels[0].limits;
    assert!(
        limits.rate_limited > 0 && !limits.headers.is_empty(),
        "{limits:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_carries_its_answers() {
    let (server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let mut plan = plan("m");
    (plan.turns, plan.warmup) = (3, 0);
    plan.level_ends.requests = Some(6);
    plan.load = Load::Concurrency(vec![1]);
    let run = run(&plan, &api).await;
    assert_eq!(run.report().levels[0].requests.ok, 6);
    let received = server.received();
    let roles: Vec<usize> = received
        .iter()
        .rev()
        .take(3)
        .map(|r| r.body["messages"].as_array().map_or(0, Vec::len))
        .collect();
    assert_eq!(roles, [5, 3, 1], "newest first");
    let last = &received.last().expect("received").body["messages"];
    assert_eq!(last[1]["role"], "assistant");
    assert!(
        last[1]["content"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_share_no_prompt_unless_they_share_a_seed() {
    let (server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let mut said = Vec::new();
    let mut session = async |plan: &Plan| {
        let run = run(plan, &api).await;
        let all: Vec<String> = server
            .received()
            .iter()
            .map(|r| r.body["messages"][0]["content"].to_string())
            .collect();
        let mut new: Vec<String> = all[said.len()..].to_vec();
        said = all;
        new.sort();
        assert!(
            new.len() >= 22,
            "two warm-ups, twenty requests, and what fits the prompts: {}",
            new.len()
        );
        (new, run.report().clone())
    };
    let (first, report) = session(&plan("m")).await;
    let (second, other) = session(&plan("m")).await;
    assert!(
        first.iter().all(|prompt| !second.contains(prompt)),
        "the second finds nothing in a cache"
    );
    assert!(
        report.seed.is_some() && report.seed != other.seed,
        "{:?}",
        [report.seed, other.seed]
    );
    assert_eq!(
        (report.plan.seed, report.seed()),
        (None, report.seed),
        "run again, it draws another"
    );
    let (again, repeated) = session(&Plan {
        seed: report.seed,
        ..plan("m")
    })
    .await;
    assert_eq!((again, repeated.seed), (first, report.seed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_replayed_at_its_moments() {
    let (_server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("trace.jsonl");
    let lines: Vec<String> = [0, 150, 300]
        .iter()
        .map(|ms| format!(r#"{{"timestamp":{ms},"prompt":"Hello","output_length":3}}"#))
        .collect();
    std::fs::write(&file, lines.join("\n")).expect("writes");
    let mut plan = plan("m");
    plan.load = Load::Trace {
        file,
        most_in_flight: None,
        unit: None,
    };
    (plan.level_ends, plan.warmup) = (Ends::default(), 0);
    let run = run(&plan, &api).await;
    let mut due: Vec<f64> = run
        .heard
        .records
        .iter()
        .map(|record| record.due.as_secs_f64())
        .collect();
    due.sort_by(f64::total_cmp);
    assert_eq!(due.len(), 3, "{:?}", run.report());
    assert!((due[2] - due[0] - 0.3).abs() < 0.001, "{due:?}");
    assert_eq!(run.report().levels[0].ended, LevelEnd::Exhausted);
    assert_eq!(run.report().levels[0].output_tokens.mean, Some(3.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_begin_says_why() {
    let (_server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let failure = run(&plan("other"), &api)
        .await
        .report
        .expect_err("there is no such model");
    assert!(failure.summary.contains("other"), "{failure:?}");
    let mut unsound = plan("m");
    unsound.targets.clear();
    assert!(run(&unsound, &api).await.report.is_err());
    let mut lost = plan("m");
    lost.prompts = Prompts::File("/nowhere/prompts.txt".into());
    let failure = run(&lost, &api)
        .await
        .report
        .expect_err("there is no such file");
    assert!(
        failure.summary.contains("/nowhere/prompts.txt"),
        "{failure:?}"
    );
    lost.prompts = Prompts::File("/dev/zero".into());
    let failure = run(&lost, &api).await.report.expect_err("it has no end");
    assert!(
        failure
            .summary
            .contains("/dev/zero cannot be read: it is a device, not an ordinary file"),
        "{failure:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_is_an_error() {
    let (_server, api) = demo(vec![DemoModel::quick("m", Quirk::Hangs)]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("prompts.txt");
    std::fs::write(&file, "Hello\n").expect("writes");
    let mut plan = plan("m");
    (plan.prompts, plan.warmup) = (Prompts::File(file), 0);
    plan.timeout = Duration::from_millis(50);
    plan.level_ends.requests = Some(4);
    let run = run(&plan, &api).await;
    let level = &run.report().levels[0];
    assert_eq!(
        (
            level.requests.failed,
            level.requests.errors[0].kind.as_str()
        ),
        (4, "timeout")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_and_we_agree_on_the_figures() {
    let options = ExactOptions {
        ttft: Duration::from_millis(30),
        per_token: Duration::from_millis(2),
        ..ExactOptions::default()
    };
    let server = ExactServer::start(options).expect("it starts");
    let api = api(server.address());
    let mut plan = plan("exact");
    plan.objectives = Objectives::parse("ttft=10s,latency=1ms").expect("reads");
    let run = run(&plan, &api).await;
    let level = &run.report().levels[0];
    let p50 = level.ttft_ms.at(P50).expect("measured");
    assert!(p50 >= 30.0, "no earlier than it was sent: {p50}");
    let latency = level.latency_ms.at(P50).expect("measured");
    assert!(latency >= 43.9, "seven more tokens of 2 ms: {latency}");
    let goodput = level.goodput.as_ref().expect("objectives were set");
    assert_eq!((goodput.met, goodput.missed), (0, 20));
    assert!(level.server.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_is_held_and_no_answer_is_faster_than_the_server_says() {
    const CLIENTS: u32 = 16;
    const TTFT: Duration = Duration::from_millis(300);
    let options = ExactOptions {
        ttft: TTFT,
        per_token: Duration::from_millis(40),
        ..ExactOptions::default()
    };
    let server = ExactServer::start(options).expect("it starts");
    let mut plan = plan("exact");
    plan.load = Load::Concurrency(vec![CLIENTS]);
    plan.level_ends.requests = Some(4 * u64::from(CLIENTS));
    let run = run(&plan, &api(server.address())).await;
    let (report, records) = (run.report(), &run.heard.records);
    let reached = report.levels[0]
        .concurrency
        .reached
        .expect("there is a steady part");
    assert!(
        (reached - f64::from(CLIENTS)).abs() <= f64::from(CLIENTS) * 0.01,
        "{reached}"
    );

    let times: Vec<Value> = times_of(&server)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let last = |times: &Value| -> Value {
        times["written_ns"]
            .as_array()
            .and_then(|all| all.last().cloned())
            .expect("tokens")
    };
    let ns = |value: &Value| Duration::from_nanos(value.as_u64().expect("a time"));
    for record in records {
        let id = format!("{}-{}", report.id, record.index);
        let times = times
            .iter()
            .find(|times| times["id"] == id.as_str())
            .expect("it was served");
        let first = ns(&times["written_ns"][0]) - ns(&times["received_ns"]);
        let figures = &record.figures;
        let (ttft, latency) = (
            figures.ttft.expect("an answer"),
            figures.latency.expect("an answer"),
        );
        assert!(
            ttft >= TTFT,
            "nothing is written before: {record:?} {times}"
        );
        // It notes a chunk when it is written, and writes the next after that; what it claims, it claims at the end.
        let second = ttft + Duration::from_micros(u64::from(record.gaps_us[0]) + 2);
        assert!(second >= first, "{record:?} {times}");
        let claimed = figures
            .server
            .and_then(|server| server.latency)
            .expect("it says it");
        assert!(latency >= claimed, "{record:?}");
    }
    // By the server's times no more were there at once than were asked for.
    let mut moments: Vec<(Duration, i32)> = times
        .iter()
        .flat_map(|times| [(ns(&times["received_ns"]), 1), (ns(&last(times)), -1)])
        .collect();
    moments.sort_unstable();
    let most = moments.iter().scan(0, |now, (_, step)| {
        *now += step;
        Some(*now)
    });
    assert_eq!(most.max(), Some(CLIENTS as i32));
}

/// What the server kept of each request.
fn times_of(server: &ExactServer) -> String {
    use std::io::{Read as _, Write as _};
    let address = server
        .address()
        .root()
        .trim_start_matches("http://")
        .to_owned();
    let mut socket = std::net::TcpStream::connect(address).expect("it listens");
    socket
        .set_read_timeout(Some(LONG))
        .expect("a time is taken");
    socket
        .write_all(b"GET /times HTTP/1.1\r\nConnection: close\r\n\r\n")
        .expect("it takes it");
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("it answers");
    text.split_once("\r\n\r\n").expect("a head").1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_judged_on_measuring_connections_too() {
    let (server, _api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let front = Front::start(Tls::Good, &server).await;
    let open = |trust| {
        let address = ApiAddress::parse(&front.root()).expect("an address");
        let recorder = Recorder::new(EnvId::demo(), |_| {});
        let access = Access::with_key(Some(SecretString::from(DEMO_KEY)), "KEY");
        Api::new(address, access, trust, recorder).expect("an API")
    };
    for trust in [
        front.trust(),
        Trust {
            ca_file: None,
            accept_invalid_certs: true,
            client: None,
        },
    ] {
        let run = run(&plan("m"), &open(trust)).await;
        assert_eq!(
            run.report().levels[0].requests.ok,
            20,
            "{:?}",
            run.report().levels[0].requests
        );
    }
    // Without calibration, which would be refused by the other door, the measuring one must refuse as well.
    let before = server.received().len();
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("prompts.txt");
    std::fs::write(&file, "Hello\n").expect("writes");
    let plan = Plan {
        prompts: Prompts::File(file),
        warmup: 0,
        ..plan("m")
    };
    let run = run(&plan, &open(Trust::default())).await;
    let requests = &run.report().levels[0].requests;
    assert_eq!(
        (requests.failed, requests.errors[0].kind.as_str()),
        (20, "tls"),
        "{requests:?}"
    );
    assert_eq!(
        server.received().len(),
        before,
        "no key was sent to whom is not trusted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_server_echoes_is_in_no_report() {
    let (_server, api) = demo(vec![DemoModel::quick("m", Quirk::EchoesKey)]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("prompts.txt");
    std::fs::write(&file, "Hello\n").expect("writes");
    let run = run(
        &Plan {
            prompts: Prompts::File(file),
            ..plan("m")
        },
        &api,
    )
    .await;
    assert_eq!(run.report().levels[0].requests.failed, 20);
    let told = format!(
        "{} {:?}",
        serde_json::to_string(run.report()).expect("JSON"),
        run.heard.records
    );
    assert!(told.contains("cannot work with"), "{told}");
    assert!(!told.contains(DEMO_KEY), "{told}");
}

/// A plan whose prompts come from a file, so that nothing is calibrated; the folder must live as long.
fn plan_of_file(model: &str) -> (Plan, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("prompts.txt");
    std::fs::write(&file, "Hello\nGood day\n").expect("writes");
    (
        Plan {
            prompts: Prompts::File(file),
            ..plan(model)
        },
        dir,
    )
}

fn open_loop(per_sec: f64, most_in_flight: u32) -> Load {
    Load::Rate {
        per_sec: vec![per_sec],
        arrivals: Arrivals::Constant,
        most_in_flight: Some(most_in_flight),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_were_due_and_never_sent_are_told() {
    let mut slow = DemoModel::quick("m", Quirk::None);
    slow.ttft = Duration::from_millis(300);
    let (_server, api) = demo(vec![slow]).await;
    let mut plan = plan("m");
    // Three a second are served of fifty.
    plan.load = open_loop(50.0, 1);
    plan.level_ends = Ends {
        after: Some(Duration::from_secs(2)),
        ..Ends::default()
    };
    plan.objectives = Objectives::parse("ttft=10s").expect("reads");
    let run = run(&plan, &api).await;
    let level = &run.report().levels[0];
    let requests = &level.requests;
    assert_eq!(level.ended, LevelEnd::Time);
    // All that were due in two seconds, from when the first really left.
    assert!(
        (100..=101).contains(&(requests.ended + requests.unsent)),
        "{requests:?}"
    );
    assert!(
        requests.unsent >= 90 && requests.aborted == 0,
        "{requests:?}"
    );
    let goodput = level.goodput.as_ref().expect("an objective is set");
    assert_eq!(
        (goodput.met, goodput.missed),
        (requests.ok, requests.unsent)
    );
    let notes = level.notes.join("\n");
    assert!(
        notes.contains("due and not sent") && notes.contains("50/s asked, "),
        "{notes}"
    );
    // That they waited for the one place is what was asked for, and no lateness of our own.
    let most = |stats: &Stats| stats.max.expect("measured");
    let [late, own] = [&level.late_ms, &level.watch.left_late_ms].map(most);
    assert!(
        late > 300.0 && own < late / 2.0,
        "{late} ms, by our own fault {own} ms"
    );
    assert!(
        level.watch.left_late_ms.count >= requests.ended,
        "{:?}",
        level.watch.left_late_ms
    );
}

/// More than the lanes are given ahead of a place: the rest waits with the pacer.
#[tokio::test(flavor = "multi_thread")]
async fn a_load_far_above_what_is_served_is_told_whole_however_it_ends() {
    for of_session in [false, true] {
        let mut slow = DemoModel::quick("m", Quirk::None);
        slow.ttft = Duration::from_millis(300);
        let (_server, api) = demo(vec![slow]).await;
        let (mut plan, _dir) = plan_of_file("m");
        (plan.load, plan.warmup) = (open_loop(8_000.0, 1), 0);
        let second = Ends {
            after: Some(Duration::from_secs(1)),
            ..Ends::default()
        };
        let (of_level, session) = if of_session {
            (Ends::default(), second)
        } else {
            (second, Ends::default())
        };
        (plan.level_ends, plan.session_ends) = (of_level, session);
        let run = run(&plan, &api).await;
        let level = &run.report().levels[0];
        let requests = &level.requests;
        // A session's second began a little before the level's, and its end is seen a moment late.
        assert!((5_500..=9_500).contains(&requests.unsent), "{requests:?}");
        assert!(
            requests.ended <= 5,
            "none leaves behind the end: {requests:?}"
        );
        let most = |stats: &Stats| stats.max.expect("measured");
        let [late, own] = [&level.late_ms, &level.watch.left_late_ms].map(most);
        assert!(
            own < 200.0 && own < late / 2.0,
            "{late} ms late, {own} ms of it by our own fault"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_in_no_figure_of_an_open_loop() {
    const PAUSE: Duration = Duration::from_secs(2);
    let mut slow = DemoModel::quick("m", Quirk::None);
    slow.ttft = Duration::from_millis(40);
    let (_server, api) = demo(vec![slow]).await;
    let mut plan = plan("m");
    // More than one place serves, so that some are due and wait as the pause begins.
    plan.load = open_loop(40.0, 1);
    plan.level_ends.requests = Some(20);
    let (controls, steer) = controls();
    let (paused, pausing) = tokio::sync::oneshot::channel();
    let mut paused = Some(paused);
    let heard = Heard {
        on_progress: Some(Box::new(move |progress| {
            if progress.requests.0 >= 4
                && progress.in_flight.queued > 0
                && let Some(paused) = paused.take()
            {
                let _ = steer.send(Steer::Pause);
                let _ = paused.send(steer.clone());
            }
        })),
        ..Heard::default()
    };
    let running = tokio::spawn(async move { run_with(&plan, &api, controls, heard).await });
    let steer = pausing.await.expect("it pauses");
    tokio::time::sleep(PAUSE).await;
    steer.send(Steer::Resume).expect("it listens");
    let run = running.await.expect("no panic");
    let level = &run.report().levels[0];
    assert_eq!(level.requests.ok, 20);
    assert!(
        level.took_s > Some(PAUSE.as_secs_f64()),
        "it was paused: {:?} s",
        level.took_s
    );
    for (figure, stats) in [
        ("TTFT", &level.ttft_ms),
        ("latency", &level.latency_ms),
        ("late", &level.late_ms),
    ] {
        let most = stats.max.expect("measured");
        assert!(
            most < PAUSE.as_secs_f64() * 1e3,
            "{figure} holds the pause: {most} ms"
        );
    }
    let own = level.watch.left_late_ms.max.expect("measured");
    assert!(own < PAUSE.as_secs_f64() * 1e3, "{own} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn connecting_is_timed_for_every_connection_of_those_measured() {
    let (_server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    // The warm-ups use two of the four connections first, and leave what they took to who is measured.
    let run = run(&plan("m"), &api).await;
    let level = &run.report().levels[0];
    assert!(level.connect_ms.count >= 1, "{:?}", level.connect_ms);
    let told = |phase| {
        run.heard
            .records
            .iter()
            .filter(|it| it.phase == phase && it.figures.connect.is_some())
            .count() as u64
    };
    assert_eq!(
        (told(Phase::Measured), told(Phase::Warmup)),
        (level.connect_ms.count, 0)
    );
    let reused = run
        .heard
        .records
        .iter()
        .filter(|it| it.figures.connect.is_none())
        .count();
    assert!(
        level.connect_ms.count <= 4 && reused >= 18,
        "a connection is opened once"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_errors_ends_a_level_or_the_session_at_its_very_limit() {
    let no = Quirk::Refuses {
        status: 500,
        content_type: "text/plain",
        body: "no",
        retry_after: None,
    };
    for (quirk, share) in [(no, 1.0), (Quirk::RateLimited { every: 2 }, 0.5)] {
        for of_session in [false, true] {
            let (_server, api) = demo(vec![DemoModel::quick("m", quirk.clone())]).await;
            let (mut plan, _dir) = plan_of_file("m");
            (plan.load, plan.warmup) = (Load::Concurrency(vec![1, 2]), 0);
            plan.level_ends.requests = Some(10_000);
            let ends = if of_session {
                &mut plan.session_ends
            } else {
                &mut plan.level_ends
            };
            ends.error_share = Some(share);
            let run = run(&plan, &api).await;
            let report = run.report();
            let first = &report.levels[0];
            assert_eq!(first.ended, LevelEnd::Errors, "{share}");
            assert!(
                (20..10_000).contains(&first.requests.ended),
                "{:?}",
                first.requests
            );
            let said = format!(
                "{} of {} requests failed",
                first.requests.failed, first.requests.ended
            );
            if of_session {
                assert_eq!(
                    (&report.ended, report.levels.len()),
                    (&SessionEnd::Errors(said), 1)
                );
            } else {
                assert_eq!(
                    (&report.ended, report.levels.len()),
                    (&SessionEnd::Complete, 2)
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ingress_is_told_from_the_api() {
    let page = Quirk::Refuses {
        status: 429,
        content_type: "text/html",
        body: "<html><head><title>429 Too Many Requests</title></head><body>nginx</body></html>",
        retry_after: None,
    };
    let (_server, api) = demo(vec![DemoModel::quick("m", page)]).await;
    let (plan, _dir) = plan_of_file("m");
    let run = run(&plan, &api).await;
    let level = &run.report().levels[0];
    // The two warm-ups were refused as well, and are no part of it.
    assert_eq!((level.limits.rate_limited, level.limits.ingress), (20, 20));
    assert_eq!(level.requests.errors[0].kind, "ingress_limited");
    // It has no cluster, so nobody knows whose gateway it is.
    assert!(
        level.notes[0].contains("by a gateway before the API"),
        "{:?}",
        level.notes
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_requests_or_its_time() {
    let (_server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let (mut plan, _dir) = plan_of_file("m");
    plan.load = Load::Concurrency(vec![1, 2, 4]);
    plan.session_ends.requests = Some(30);
    let by_requests = run(&plan, &api).await;
    let report = by_requests.report();
    let ended: Vec<u64> = report
        .levels
        .iter()
        .map(|level| level.requests.ended)
        .collect();
    assert_eq!(ended, [20, 10]);
    assert_eq!(
        report.ended,
        SessionEnd::Limit("30 requests reached".to_owned())
    );

    plan.session_ends = Ends {
        after: Some(Duration::from_millis(400)),
        ..Ends::default()
    };
    plan.level_ends.requests = Some(1_000_000);
    let by_time = run(&plan, &api).await;
    let report = by_time.report();
    assert!(
        matches!(&report.ended, SessionEnd::Limit(why) if why.contains("400ms limit reached")),
        "{:?}",
        report.ended
    );
    assert_eq!(
        (report.levels.len(), report.levels[0].ended),
        (1, LevelEnd::Stopped)
    );
    assert!(
        report.took_s >= 0.4 && report.levels[0].requests.ok > 0,
        "{} s",
        report.took_s
    );
    assert_eq!(
        report.levels[0].requests.aborted, 0,
        "what is in flight is waited for"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_closed_loop_begin_over_the_ramp_up() {
    let (_server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let (mut plan, _dir) = plan_of_file("m");
    (plan.warmup, plan.ramp_up) = (0, Duration::from_millis(600));
    plan.level_ends = Ends {
        after: Some(Duration::from_millis(900)),
        ..Ends::default()
    };
    let run = run(&plan, &api).await;
    let level = &run.report().levels[0];
    let mut sent: Vec<f64> = run
        .heard
        .records
        .iter()
        .map(|record| record.sent.as_secs_f64())
        .collect();
    sent.sort_by(f64::total_cmp);
    let [from, _] = level.steady_s.expect("it was steady");
    assert!(
        from - sent[0] >= 0.3,
        "the last of four clients began after three quarters: {from} {}",
        sent[0]
    );
    // Before the second client begins (after 150 ms, the first may have been late) one is in flight at most.
    let second = sent[0] + 0.1;
    let early: Vec<_> = run
        .heard
        .records
        .iter()
        .filter(|it| it.sent.as_secs_f64() < second)
        .collect();
    let alone = early.iter().all(|a| {
        !early
            .iter()
            .any(|b| b.index != a.index && b.sent < a.ended && a.sent < b.ended)
    });
    assert!(
        early.len() > 1 && alone,
        "{} requests before the second client",
        early.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ignore_eos_and_the_shared_prefix_are_sent() {
    let (server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let mut plan = plan("m");
    plan.ignore_eos = true;
    plan.prompts = Prompts::Synthetic {
        input_tokens: Lengths::Fixed(64),
        prefix_tokens: 32,
    };
    let run = run(&plan, &api).await;
    assert_eq!(run.report().levels[0].requests.ok, 20);
    let received = server.received();
    let sent: Vec<_> = received
        .iter()
        .filter(|it| it.body["ignore_eos"] == true)
        .collect();
    assert_eq!(
        sent.len(),
        22,
        "measured and warm-ups, and not those that calibrate"
    );
    let texts: Vec<String> = sent
        .iter()
        .map(|it| it.body["messages"].to_string())
        .collect();
    let common = texts.iter().skip(1).fold(texts[0].len(), |common, text| {
        common.min(
            texts[0]
                .bytes()
                .zip(text.bytes())
                .take_while(|(a, b)| a == b)
                .count(),
        )
    });
    let share = common as f64 / texts[0].len() as f64;
    assert!(
        (0.3..0.75).contains(&share),
        "half of each prompt is shared: {share} in {}",
        texts[0]
    );
    let mut apart = texts.clone();
    apart.sort();
    apart.dedup();
    assert_eq!(apart.len(), texts.len(), "the rest is each one's own");
}

/// Stops a session of slow answers once `when` says so and the server has read `least` requests (a request
/// that waits here may still be on its way); gives what it found and the server.
async fn stopped_when(
    plan: Plan,
    when: impl Fn(&BenchProgress) -> bool + Send + 'static,
    least: usize,
) -> (Result<BenchReport, Failure>, Duration, Arc<DemoServer>) {
    let mut slow = DemoModel::quick("m", Quirk::None);
    slow.ttft = Duration::from_secs(30);
    let (server, api) = demo(vec![slow]).await;
    let server = Arc::new(server);
    let seen = server.clone();
    let (controls, steer) = controls();
    let cancel = controls.cancel.clone();
    let (stopped, stopping) = std::sync::mpsc::channel();
    let heard = Heard {
        on_progress: Some(Box::new(move |progress| {
            if progress.stage == Stage::Measuring {
                // Only what is told to pause does.
                let _ = steer.send(Steer::Pause);
            }
            if when(progress) && seen.received().len() >= least {
                let _ = stopped.send(std::time::Instant::now());
                cancel.cancel();
            }
        })),
        ..Heard::default()
    };
    let run = run_with(&plan, &api, controls, heard).await;
    let took = stopping.try_recv().expect("it was stopped").elapsed();
    (run.report, took, server)
}

/// Every request that the server has under way sees its connection close.
async fn all_are_closed(server: &DemoServer, least: usize) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let open = server
            .received()
            .iter()
            .filter(|it| !it.aborted.load(Ordering::Relaxed))
            .count();
        if open == 0 {
            break;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{open} connections stay open"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let received = server.received().len();
    assert!(received >= least, "{received} had come");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_closes_every_connection_at_once_whatever_is_being_done() {
    // Answers take half a minute: nothing ends by itself.
    let (file_plan, _dir) = plan_of_file("m");
    let cold = Plan {
        warmup: 0,
        ..file_plan.clone()
    };
    let waits = |n| move |progress: &BenchProgress| progress.in_flight.waiting >= n;
    type When = Box<dyn Fn(&BenchProgress) -> bool + Send>;
    let cases: [(&str, Plan, When, usize, u64); 3] = [
        ("a warm-up", file_plan, Box::new(waits(2)), 2, 0),
        (
            "a pause",
            cold,
            Box::new(move |p| p.stage == Stage::Paused && p.in_flight.waiting == 4),
            4,
            4,
        ),
        (
            "calibration",
            plan("m"),
            Box::new(|p| p.stage == Stage::Calibrating),
            0,
            0,
        ),
    ];
    for (what, plan, when, least, aborted) in cases {
        let (report, took, server) = stopped_when(plan, when, least).await;
        assert!(took < Duration::from_secs(5), "{what}: {took:?}");
        let report = report.expect("what was done is kept");
        assert_eq!(report.ended, SessionEnd::Stopped, "{what}");
        assert_eq!(
            report
                .levels
                .iter()
                .map(|it| it.requests.aborted)
                .sum::<u64>(),
            aborted,
            "{what}"
        );
        all_are_closed(&server, least).await;
    }
}
