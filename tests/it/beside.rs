//! What a benchmark looks at beside its requests: the server's own metrics, and the network.

use std::time::Duration;

use batida::demo::api::{DEMO_KEY, DemoModel, DemoServer, Quirk};
use batida::domain::environment::{ApiAddress, EnvId};
use batida::domain::plan::{Ends, Lengths, Load, MetricsSource, Plan, Prompts, Target};
use batida::domain::run::{BenchProgress, BenchReport};
use batida::engine::bench::{self, Controls, Listener};
use batida::io::access::Access;
use batida::io::activity::Recorder;
use batida::io::api::{Api, Trust};
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::bench_cli::{Bench, MODEL};
use crate::support::demo::options;
use crate::support::scripted::{Request, ScriptedServer, Then};

/// No session here takes longer, on a busy machine too.
const LONG: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Heard {
    points: usize,
    told: Vec<String>,
}

impl Listener for Heard {
    fn advanced(&mut self, progress: BenchProgress) {
        self.points += progress.server.len();
        self.told.extend(progress.server_told);
    }
}

fn api(url: &str) -> Api {
    let key = Some(SecretString::from(DEMO_KEY));
    let recorder = Recorder::new(EnvId::demo(), |_| {});
    let address = ApiAddress::parse(url).expect("an address");
    Api::new(
        address,
        Access::with_key(key, "KEY"),
        Trust::default(),
        recorder,
    )
    .expect("an API")
}

/// Three seconds, in which a reading a second falls.
fn plan(clients: u32, source: MetricsSource) -> Plan {
    Plan {
        targets: vec![Target {
            deployment: None,
            model: "m".to_owned(),
        }],
        load: Load::Concurrency(vec![clients]),
        level_ends: Ends {
            after: Some(Duration::from_secs(3)),
            ..Ends::default()
        },
        session_ends: Ends::default(),
        warmup: 0,
        prompts: Prompts::Synthetic {
            input_tokens: Lengths::Fixed(32),
            prefix_tokens: 0,
        },
        output_tokens: Some(Lengths::Fixed(40)),
        timeout: Duration::from_secs(20),
        server_metrics: source,
        ..Plan::default()
    }
}

async fn run(plan: &Plan, api: &Api) -> (BenchReport, Heard) {
    let (_steer, steer) = watch::channel(batida::domain::run::Steer::Resume);
    let controls = Controls {
        cancel: CancellationToken::new(),
        steer,
    };
    let mut heard = Heard::default();
    let running = bench::run(plan, api, "test", controls, &mut heard);
    let report = tokio::time::timeout(LONG, running)
        .await
        .expect("it ends")
        .expect("it runs");
    (report, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_told_by_its_own_metrics() {
    let models = vec![DemoModel::quick("m", Quirk::Slots(2))];
    let server = DemoServer::start(options(models))
        .await
        .expect("it listens");
    let (report, heard) = run(&plan(8, MetricsSource::Auto), &api(server.address().root())).await;
    let origin = report.server_metrics.as_ref().expect("it was looked for");
    assert_eq!(origin.engines, ["vLLM"]);
    assert_eq!(
        origin.from,
        [format!("{}/metrics", server.address().root())]
    );
    let level = &report.levels[0];
    let metrics = level.server_metrics.as_ref().expect("they were read");
    assert!(metrics.readings >= 1, "{metrics:?}");
    // Eight clients, two places.
    assert_eq!(metrics.running.max, Some(2.0), "{metrics:?}");
    let waiting = metrics.queue.mean.expect("known");
    assert!((4.0..=6.0).contains(&waiting), "{metrics:?}");
    let told = level.both_sides().expect("told");
    assert!(told.contains("the server is full"), "{told}");
    let network = level.network.as_ref().expect("a connection a second");
    assert!(
        network.connect_ms.count >= 2 && !network.to_proxy,
        "{network:?}"
    );
    assert!(
        heard.points >= 2 && heard.told[0].starts_with("vLLM, from http"),
        "{:?}",
        heard.told
    );
}

/// Answers chats, and `/metrics` as told.
fn scripted(metrics: fn(&Request) -> (u16, String)) -> ScriptedServer {
    ScriptedServer::start(move |request, reply| {
        if request.method == "GET" {
            let (status, body) = metrics(request);
            reply.full(status, &[], body);
            return Then::KeepOpen;
        }
        reply.pause(Duration::from_millis(20));
        reply.answer(&["one", " two"]);
        Then::KeepOpen
    })
}

fn pages(server: &ScriptedServer) -> Vec<Request> {
    server
        .requests()
        .into_iter()
        .filter(|request| request.method == "GET")
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_without_metrics_is_asked_once_and_that_is_said() {
    let server = scripted(|_| (404, "no".to_owned()));
    let (report, heard) = run(&plan(1, MetricsSource::Auto), &api(&server.url())).await;
    let targets: Vec<String> = pages(&server)
        .into_iter()
        .map(|request| request.target)
        .collect();
    assert_eq!(targets, ["/metrics"]);
    let note = report
        .server_metrics
        .and_then(|origin| origin.note)
        .expect("why");
    assert_eq!(note, format!("none: {}/metrics: HTTP 404", server.url()));
    assert_eq!(heard.told, [note]);
    assert_eq!(report.levels[0].server_metrics, None);
    assert!(report.levels[0].network.is_some());
    assert_eq!(report.levels[0].requests.failed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_goes_to_the_api_alone() {
    let page = |_: &Request| {
        (
            200,
            "llamacpp:requests_deferred 3\nllamacpp:requests_processing 1\n".to_owned(),
        )
    };
    let (server, elsewhere) = (scripted(page), scripted(page));
    let own = api(&server.url());
    let (report, _) = run(&plan(1, MetricsSource::Auto), &own).await;
    assert_eq!(
        report.levels[0]
            .server_metrics
            .as_ref()
            .and_then(|it| it.queue.max),
        Some(3.0)
    );
    let asked = pages(&server);
    assert!(
        asked.len() >= 3,
        "a try and a reading a second: {}",
        asked.len()
    );
    assert!(
        asked
            .iter()
            .all(|request| request.header("authorization").is_some())
    );
    let url = format!("{}/stats/metrics", elsewhere.url());
    let (report, _) = run(&plan(1, MetricsSource::Url(url.clone())), &own).await;
    assert_eq!(report.server_metrics.expect("read").from, [url]);
    let asked = pages(&elsewhere);
    assert!(!asked.is_empty());
    for request in asked {
        assert!(
            request
                .headers
                .iter()
                .all(|(_, value)| !value.contains(DEMO_KEY)),
            "{request:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn off_sends_requests_only() {
    let server = scripted(|_| (404, String::new()));
    let (report, heard) = run(&plan(1, MetricsSource::Off), &api(&server.url())).await;
    assert!(pages(&server).is_empty() && heard.told.is_empty());
    assert_eq!(
        (&report.server_metrics, &report.levels[0].network),
        (&None, &None)
    );
    let connections = server
        .requests()
        .iter()
        .map(|request| request.connection)
        .max();
    // The client has one, and the requests that fitted the prompts, sent together, had four before it.
    assert!(connections <= Some(4), "{connections:?}");
}

/// A page that never ends must not hold the memory, nor the run.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_too_long_is_refused() {
    let server = scripted(|_| (200, "vllm:num_requests_waiting 1\n".repeat(300_000)));
    let (report, _) = run(&plan(1, MetricsSource::Auto), &api(&server.url())).await;
    let note = report
        .server_metrics
        .and_then(|origin| origin.note)
        .expect("why");
    assert!(note.ends_with("the page is longer than 5 MiB"), "{note}");
}

#[test]
fn the_demos_pods_say_the_same_through_its_kubectl() {
    let bench = Bench::new();
    let args = [
        "--model",
        MODEL,
        "--deployment",
        "bd-gpt-oss-llama70b",
        "--concurrency",
        "4",
    ];
    let more = [
        "--duration",
        "5s",
        "--warmup",
        "0",
        "--server-metrics",
        "pods",
        "--json",
        "--quiet",
    ];
    let said = bench.run(&[&args[..], &more].concat());
    let report: serde_json::Value =
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    let from = &report["server_metrics"]["from"];
    assert_eq!(
        *from,
        json!(["pod inf-bd-gpt-oss-llama70b-q-default-n-0, port 8000"]),
        "{report}"
    );
    let metrics = &report["levels"][0]["server_metrics"];
    assert_eq!(
        (&metrics["running"]["max"], &metrics["queue"]["max"]),
        (&json!(4.0), &json!(0.0))
    );
}

#[test]
fn a_pipeline_gets_junit_a_summary_annotations_and_its_report() {
    let bench = Bench::new();
    let summary = bench.file("summary.md");
    std::fs::write(&summary, "before\n").expect("written");
    let args = [
        "--model",
        MODEL,
        "--requests",
        "4",
        "--output-tokens",
        "4",
        "--warmup",
        "0",
        "--quiet",
    ];
    let more = [
        "--fail-if",
        "ttft_p50>1ms",
        "--junit",
        "junit.xml",
        "--github-summary",
        "--out",
        "-",
    ];
    let name = summary.display().to_string();
    let said = bench.run_with(
        &[&args[..], &more].concat(),
        &[("GITHUB_STEP_SUMMARY", &name)],
    );
    assert_eq!(said.code, Some(3), "{said:?}");
    // Standard output holds the report and nothing else.
    let report: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(report["levels"][0]["requests"]["ok"], json!(4));
    assert!(
        said.err
            .contains("\n::error title=Batida%3A --fail-if::ttft_p50>1ms: it is ")
            || said.err.starts_with("::error"),
        "{}",
        said.err
    );
    let text = std::fs::read_to_string(&summary).expect("a summary");
    assert!(
        text.starts_with("before\n## Benchmark of gpt-oss-120b\n"),
        "{text}"
    );
    let xml = std::fs::read_to_string(bench.file("junit.xml")).expect("a file");
    let junit = quick_junit::Report::deserialize_from_str(&xml).expect("JUnit's XML");
    assert_eq!((junit.failures, junit.errors), (1, 0), "{xml}");
    assert_eq!(junit.test_suites[0].name.as_str(), MODEL);

    let said = bench.run(&["--model", MODEL, "--github-summary"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.err.contains("$GITHUB_STEP_SUMMARY is not set"),
        "{}",
        said.err
    );
    let said = bench.run(&["--model", MODEL, "--out", "-", "--junit", "-"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    // A session that cannot begin leaves a report of that.
    let said = bench.run(&["--model", "none-such", "--requests", "1", "--junit", "-"]);
    assert_eq!(said.code, Some(1));
    let junit = quick_junit::Report::deserialize_from_str(&said.out).expect("JUnit's XML");
    assert_eq!(junit.errors, 1, "{}", said.out);
}
