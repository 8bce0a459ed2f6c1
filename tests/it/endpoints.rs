//! Benchmarks of completions and embeddings, and chat requests with images: the real program against the real demo, and the
//! engine against the exact server.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use batida::demo::api::{DemoModel, Quirk};
use batida::demo::exact::{ExactOptions, ExactServer};
use batida::domain::failure::FaultClass;
use batida::domain::figures;
use batida::domain::plan::{Ends, Images, Lengths, Load, Plan, PlanEndpoint, Prompts};
use batida::domain::stats::P50;
use batida::metrics::request::Phase;
use serde_json::{Value, json};

use crate::bench::{api_of, demo, plan, run};
use crate::bench_cli::{Bench, MODEL};
use crate::support::batida::{finish, program, start};

const EMBEDDER: &str = "E5-Mistral-7B-Instruct";

fn at(endpoint: PlanEndpoint) -> Plan {
    let output_tokens = endpoint.streams().then_some(Lengths::Fixed(8));
    Plan {
        endpoint,
        output_tokens,
        ..plan("m")
    }
}

/// What was received for a measured request: that of a calibration asks for one token.
fn bodies(server: &batida::demo::api::DemoServer) -> Vec<Value> {
    server.received().into_iter().map(|it| it.body).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_are_streamed_answers_to_a_prompt() {
    let (server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let plan = at(PlanEndpoint::Completions);
    let run = run(&plan, &api).await;
    let level = &run.report().levels[0];
    assert_eq!((level.requests.ok, level.requests.failed), (20, 0));
    assert_eq!(
        (level.tokens_from.as_str(), level.output_tokens.count),
        ("usage", 20)
    );
    assert_eq!(level.output_tokens.mean, Some(8.0), "max_tokens is sent");
    // The demo puts nothing around a prompt, and counts exactly what was asked for.
    let Prompts::Synthetic { input_tokens, .. } = &plan.prompts else {
        panic!("{plan:?}")
    };
    assert_eq!(level.prompt_tokens.mean, Some(input_tokens.mean()));
    assert_eq!(run.report().calibrations[0].overhead_tokens, 0.0);
    assert!(
        level.ttft_ms.at(P50).is_some_and(|ttft| ttft >= 5.0),
        "{:?}",
        level.ttft_ms
    );
    assert!(level.user_tokens_per_s.count > 0 && level.itl_ms.count > 0);
    let bodies = bodies(&server);
    assert!(bodies.len() >= 22);
    for body in &bodies {
        assert!(
            body["prompt"].as_str().is_some_and(|text| text.len() > 20),
            "{body}"
        );
        assert_eq!(body["stream"], true);
        assert!(body.get("messages").is_none(), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_have_a_latency_and_input_tokens_and_nothing_of_a_stream() {
    let (server, api) = demo(vec![DemoModel::quick("m", Quirk::Embeds)]).await;
    let run = run(&at(PlanEndpoint::Embeddings), &api).await;
    let report = run.report();
    let level = &report.levels[0];
    assert_eq!((level.requests.ok, level.requests.failed), (20, 0));
    assert_eq!(level.latency_ms.count, 20);
    assert!(level.latency_ms.min.is_some_and(|least| least >= 5.0));
    for unknown in [
        &level.ttft_ms,
        &level.first_answer_ms,
        &level.itl_ms,
        &level.tpot_ms,
        &level.user_tokens_per_s,
        &level.output_tokens,
    ] {
        assert_eq!(
            (unknown.count, unknown.mean, unknown.at(P50)),
            (0, None, None)
        );
    }
    let throughput = &level.throughput;
    assert_eq!(throughput.output_tokens_per_s, None);
    assert_eq!(throughput.total_tokens_per_s, None);
    let input = throughput
        .prompt_tokens_per_s
        .expect("the server counts prompts")
        .mean;
    let requests = throughput.requests_per_s.expect("there were answers").mean;
    let each = level.prompt_tokens.mean.expect("counted");
    assert!(
        (input / requests / each - 1.0).abs() < 0.02,
        "{input} {requests} {each}"
    );
    assert_eq!(level.at_once, 0);
    for word in ["chunk", "all at once", "reasoning", "stream"] {
        assert!(
            !level.notes.iter().any(|note| note.contains(word)),
            "{:?}",
            level.notes
        );
    }
    assert_eq!(
        report.prompts_told().as_deref(),
        Some("synthetic, 64 tokens")
    );
    assert_eq!(report.answers_told(), None);
    for body in bodies(&server) {
        assert!(
            body["input"].as_str().is_some_and(|text| text.len() > 20),
            "{body}"
        );
        assert_eq!(body["encoding_format"], "float");
        for key in [
            "stream",
            "stream_options",
            "max_tokens",
            "messages",
            "prompt",
        ] {
            assert!(body.get(key).is_none(), "{body}");
        }
    }
    // Their column is there where nothing else of tokens is.
    let names = |levels: &[_]| {
        let columns = figures::columns_of(levels.iter());
        columns
            .iter()
            .map(|(_, column)| column.name.clone())
            .collect::<Vec<_>>()
    };
    assert!(names(&report.levels).contains(&"input".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn latencies_of_embeddings_are_those_of_the_exact_server() {
    let server = ExactServer::start(ExactOptions {
        ttft: Duration::from_millis(30),
        ..ExactOptions::default()
    })
    .expect("it listens");
    let mut plan = at(PlanEndpoint::Embeddings);
    plan.load = Load::Concurrency(vec![4]);
    plan.level_ends = Ends {
        requests: Some(40),
        ..Ends::default()
    };
    let run = run(&plan, &api_of(server.address().root())).await;
    let level = &run.report().levels[0];
    assert_eq!(level.requests.ok, 40);
    let p50 = level.latency_ms.at(P50).expect("measured");
    // A busy machine is late.
    assert!((30.0..300.0).contains(&p50), "{p50}");
    let rate = level.throughput.requests_per_s.expect("known").mean;
    assert!((4.0 / 0.3..=4.0 / 0.030).contains(&rate), "{rate}");
}

/// A session begins after one response: what is asked to fit prompts is asked at once.
#[tokio::test(flavor = "multi_thread")]
async fn prompts_are_fitted_by_requests_that_are_sent_together() {
    let ttft = Duration::from_millis(300);
    let server = ExactServer::start(ExactOptions {
        ttft,
        per_token: Duration::ZERO,
        ..ExactOptions::default()
    })
    .expect("it listens");
    let mut plan = plan("m");
    plan.level_ends.requests = Some(4);
    plan.warmup = 0;
    let root = server.address().root().to_owned();
    let run = run(&plan, &api_of(&root)).await;
    let report = run.report();
    assert_eq!(report.calibrations[0].requests, 4);
    assert_eq!(report.levels[0].prompt_tokens.mean, Some(64.0));
    let mut socket = TcpStream::connect(root.trim_start_matches("http://")).expect("it listens");
    socket
        .write_all(b"GET /times HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .expect("it takes it");
    let mut times = String::new();
    socket.read_to_string(&mut times).expect("it answers");
    let (_, times) = times.split_once("\r\n\r\n").expect("a body");
    let all: Vec<Value> = times
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let received = |is_probe: bool| {
        let of = all.iter().filter(|times| times["id"].is_null() == is_probe);
        of.map(|times| times["received_ns"].as_u64().expect("a time"))
            .collect::<Vec<_>>()
    };
    let (probes, measured) = (received(true), received(false));
    assert_eq!((probes.len(), measured.len()), (4, 4));
    let between = |from: Option<&u64>, to: Option<&u64>| {
        Duration::from_nanos(to.expect("some") - from.expect("some"))
    };
    let spread = between(probes.iter().min(), probes.iter().max());
    assert!(spread < ttft / 2, "{spread:?}");
    let begun = between(probes.iter().min(), measured.iter().min());
    assert!((ttft..ttft * 2).contains(&begun), "{begun:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_embedding_has_failed() {
    for (body, class) in [
        (
            r#"{"object":"list","data":[],"usage":{"prompt_tokens":3}}"#,
            FaultClass::NoText,
        ),
        (
            r#"{"error":{"message":"the engine died"}}"#,
            FaultClass::Server,
        ),
        (r#"{"choices":[]}"#, FaultClass::NotAnApi),
    ] {
        let refuses = Quirk::Refuses {
            status: 200,
            content_type: "application/json",
            body,
            retry_after: None,
        };
        let (_server, api) = demo(vec![DemoModel::quick("m", refuses)]).await;
        let mut plan = at(PlanEndpoint::Embeddings);
        plan.session_ends.error_share = None;
        // Calibration would stop at it.
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("p.txt");
        std::fs::write(&path, "one\ntwo\n").expect("written");
        plan.prompts = Prompts::File(path);
        let run = run(&plan, &api).await;
        let level = &run.report().levels[0];
        assert_eq!(
            (level.requests.ok, level.requests.failed),
            (0, 20),
            "{body}"
        );
        let record = run
            .heard
            .records
            .iter()
            .find(|it| it.phase == Phase::Measured);
        let error = record.and_then(|it| it.error.clone()).expect("it failed");
        assert_eq!(error.class, Some(class), "{body}: {}", error.text);
    }
}

/// The images of a body, as files.
fn images(body: &Value) -> Vec<Vec<u8>> {
    let parts = body["messages"][0]["content"].as_array().expect("parts");
    assert_eq!(parts[0]["type"], "text");
    let file = |part: &Value| {
        let url = part["image_url"]["url"].as_str().expect("a URL");
        let coded = url
            .strip_prefix("data:image/jpeg;base64,")
            .expect("a data URL");
        STANDARD.decode(coded).expect("base64")
    };
    parts[1..].iter().map(file).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_carries_images_of_its_own() {
    let sees = DemoModel::quick("m", Quirk::None).with_vision();
    let (server, api) = demo(vec![sees]).await;
    let plan = Plan {
        images: Some(Images::parse("2@150x60").expect("reads")),
        seed: Some(7),
        ..at(PlanEndpoint::Chat)
    };
    let first = run(&plan, &api).await;
    let report = first.report();
    assert_eq!(report.levels[0].requests.ok, 20);
    let with_images = |bodies: Vec<Value>| {
        let shown = |body: &Value| body["messages"][0]["content"].is_array();
        bodies.into_iter().filter(shown).collect::<Vec<_>>()
    };
    let sent = with_images(bodies(&server));
    let warmups = plan.warmup as usize;
    assert_eq!(sent.len(), 20 + warmups, "calibration sends text alone");
    let mut seen = BTreeSet::new();
    let mut bytes = 0;
    for body in &sent {
        let all = images(body);
        assert_eq!(all.len(), 2);
        for file in all {
            let read = image::load_from_memory(&file).expect("an image");
            assert_eq!((read.width(), read.height()), (150, 60));
            bytes += file.len();
            assert!(seen.insert(file), "no two are alike");
        }
    }
    let brief = report.images.expect("told");
    // Some may be made ahead; all are about as large.
    let mean = bytes as f64 / (2 * sent.len()) as f64;
    assert!(brief.made >= 2 * sent.len() as u64);
    assert!(
        brief
            .bytes
            .is_some_and(|told| (told / mean - 1.0).abs() < 0.1),
        "{brief:?} {mean}"
    );
    let told = report.prompts_told().expect("told");
    assert!(told.contains("with 2 images of 150x60 each, "), "{told}");
    // The demo counts 150 x 60 / 750 + 1 tokens an image.
    assert_eq!(report.levels[0].prompt_tokens.mean, Some(64.0 + 2.0 * 13.0));
    assert!(
        !report.levels[0]
            .notes
            .iter()
            .any(|note| note.contains("prompts"))
    );
    // The same seed sends the same again.
    let again = run(&plan, &api).await;
    assert_eq!(again.report().levels[0].requests.ok, 20);
    let both: BTreeSet<Vec<u8>> = with_images(bodies(&server))
        .iter()
        .flat_map(images)
        .collect();
    assert_eq!(both, seen);
}

#[test]
fn the_command_line_says_what_was_sent_and_what_came() {
    let bench = Bench::new();
    let args = [
        "--model",
        EMBEDDER,
        "--endpoint",
        "embeddings",
        "--requests",
        "12",
    ];
    let said = bench.run(&[&args[..], &["--out", "r.json", "--save-plan", "p.toml"]].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out
            .contains("synthetic, 256 tokens · embeddings · seed"),
        "{said:?}"
    );
    assert!(
        !said.out.contains("· answers") && said.out.contains("tok/s of prompts"),
        "{said:?}"
    );
    assert!(
        said.err.contains("latency p50 ") && said.err.contains(" input tok/s"),
        "{said:?}"
    );
    let kept = std::fs::read_to_string(bench.file("r.json")).expect("written");
    let report: Value = serde_json::from_str(&kept).expect("JSON");
    assert_eq!(report["plan"]["endpoint"], "embeddings");
    assert_eq!(report["plan"]["output_tokens"], Value::Null);
    assert_eq!(report["levels"][0]["ttft_ms"]["p50"], Value::Null);
    let plan = std::fs::read_to_string(bench.file("p.toml")).expect("written");
    assert!(plan.contains("endpoint = \"embeddings\""), "{plan}");
    let again = bench.run(&["--plan", "p.toml", "--requests", "3", "--json", "--quiet"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let again: Value = serde_json::from_str(&again.out).expect("JSON");
    assert_eq!(again["plan"]["endpoint"], "embeddings");

    let report = bench.json(&[
        "--requests",
        "5",
        "--endpoint",
        "completions",
        "--out",
        "c.json",
    ]);
    assert_eq!(report["plan"]["endpoint"], "completions");
    assert_eq!(report["levels"][0]["requests"]["ok"], 5);
    let vision = [
        "--model",
        "gemma-4-31B-it",
        "--images",
        "1@64x64",
        "--requests",
        "4",
    ];
    let said = bench.run(&[&vision[..], &["--warmup", "0", "--json", "--quiet"]].concat());
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    assert_eq!(report["plan"]["images"], "1@64x64");
    assert!(report["images"]["made"].as_u64() >= Some(4), "{report}");
    // Two sessions at different endpoints are not alike.
    let usual = ["--model", MODEL, "--requests", "5", "--output-tokens", "16"];
    let said = bench.run(&[&usual[..], &["--out", "chat.json"]].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    let [one, other] = ["chat.json", "c.json"].map(|name| bench.file(name));
    let home = tempfile::tempdir().expect("a folder");
    let mut compare = program(home.path());
    compare.arg("compare").args([one, other]);
    let said = finish(start(&mut compare));
    assert!(
        said.out.contains("conditions: endpoint differs"),
        "{said:?}"
    );
    let tells = |line: &&str| {
        ["endpoint", "chat", "completions"]
            .iter()
            .all(|word| line.contains(word))
    };
    assert!(said.out.lines().any(|line| tells(&line)), "{said:?}");
}

#[test]
fn what_an_endpoint_cannot_do_is_wrong_usage() {
    let bench = Bench::new();
    std::fs::write(
        bench.file("chat.jsonl"),
        json!({"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "y"}]})
            .to_string(),
    )
    .expect("written");
    let unnamed = bench.run(&["--endpoint", "embeddings"]);
    assert_eq!(unnamed.code, Some(2), "{unnamed:?}");
    assert!(
        unnamed
            .err
            .contains("name the model that creates embeddings")
    );
    for (args, code, words) in [
        (
            &["--endpoint", "audio"][..],
            2,
            "there are chat, completions and embeddings",
        ),
        (
            &["--endpoint", "completions", "--turns", "2"],
            2,
            "--turns: completions have no turns",
        ),
        (
            &["--endpoint", "completions", "--images", "1@64x64"],
            2,
            "--images: completions take no images",
        ),
        (
            &["--endpoint", "embeddings", "--output-tokens", "8"],
            2,
            "--output-tokens: embeddings have no output",
        ),
        (
            &["--endpoint", "embeddings", "--goodput", "ttft=1s"],
            2,
            "only latency can be an objective",
        ),
        (
            &["--endpoint", "embeddings", "--temperature", "1"],
            2,
            "--temperature: embeddings are not sampled",
        ),
        (&["--images", "1"], 2, "write 2@512x512"),
        (&["--images", "99@64x64"], 2, "1 to 32 images"),
        (
            &["--endpoint", "completions", "--prompts", "chat.jsonl"],
            1,
            "completions take a single text",
        ),
    ] {
        let said = bench.run(&[&["--model", MODEL, "--requests", "3"], args].concat());
        assert_eq!(said.code, Some(code), "{args:?}: {said:?}");
        assert!(said.err.contains(words), "{args:?}: {said:?}");
    }
}
