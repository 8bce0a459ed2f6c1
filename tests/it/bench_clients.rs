//! Clients that hang up and that think, prices, fields of the user's own, and plans from files.

use std::fs;
use std::time::Duration;

use batida::demo::api::{DemoModel, Quirk};
use batida::domain::plan::{HangUps, Load, Target, ThinkTime};
use batida::domain::run::{LevelEnd, LevelReport, SessionEnd};
use batida::domain::stats::P50;
use batida::metrics::request::Phase;
use serde_json::{Value, json};

use crate::bench::{demo, plan, run};
use crate::bench_cli::{Bench, MODEL};

/// Answers take 400 ms.
fn slow() -> DemoModel {
    DemoModel {
        ttft: Duration::from_millis(400),
        ..DemoModel::quick("m", Quirk::None)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_hang_up_are_neither_answers_nor_failures() {
    let (server, api) = demo(vec![slow()]).await;
    let mut plan = plan("m");
    plan.seed = Some(5);
    plan.session_ends.error_share = Some(0.05);
    plan.hang_ups = Some(HangUps::parse("50%@100ms").expect("reads"));
    let run = run(&plan, &api).await;
    let report = run.report();
    let level = &report.levels[0];
    let requests = &level.requests;
    assert_eq!(
        (&report.ended, level.ended),
        (&SessionEnd::Complete, LevelEnd::Requests)
    );
    let chosen = |phase| {
        run.heard
            .records
            .iter()
            .filter(|record| record.phase == phase)
            .count() as u64
    };
    assert!((4..=16).contains(&requests.hung_up), "{requests:?}");
    assert_eq!(
        (
            requests.hung_up,
            requests.ok,
            requests.failed,
            requests.aborted
        ),
        (chosen(Phase::HangUp), chosen(Phase::Measured), 0, 0)
    );
    assert_eq!(requests.hung_up + requests.ok, 20);
    assert_eq!(level.ttft_ms.count, requests.ok);
    assert!(
        level
            .notes
            .iter()
            .any(|note| note.contains("hang up, as planned")),
        "{:?}",
        level.notes
    );
    for record in &run.heard.records {
        let took = record.ended - record.sent;
        if record.phase == Phase::HangUp {
            assert!(
                record.was_given_up() && took >= Duration::from_millis(100),
                "{record:?}"
            );
        }
    }
    // The server was asked by all of them, warm-ups and calibration besides.
    assert!(server.received().len() >= 22);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_came_before_its_client_hung_up_is_in_no_figure_either() {
    let (_server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let mut plan = plan("m");
    plan.hang_ups = Some(HangUps::parse("50%@30s").expect("reads"));
    let run = run(&plan, &api).await;
    let requests = &run.report().levels[0].requests;
    assert!(requests.hung_up > 0 && requests.ok > 0, "{requests:?}");
    assert_eq!(requests.hung_up + requests.ok, 20);
    assert_eq!(run.report().levels[0].latency_ms.count, requests.ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_thinks_before_each_later_turn() {
    let (_server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let mut plan = plan("m");
    (plan.turns, plan.warmup) = (3, 0);
    plan.load = Load::Concurrency(vec![1]);
    plan.level_ends.requests = Some(6);
    plan.think = Some(ThinkTime::Fixed(Duration::from_millis(150)));
    let run = run(&plan, &api).await;
    let level = &run.report().levels[0];
    assert_eq!(level.requests.ok, 6);
    let pauses: Vec<Duration> = run
        .heard
        .records
        .windows(2)
        .map(|two| two[1].sent.saturating_sub(two[0].ended))
        .collect();
    for (place, pause) in pauses.iter().enumerate() {
        // The fourth request begins the second conversation.
        let later_turn = place != 2;
        assert_eq!(
            *pause >= Duration::from_millis(140),
            later_turn,
            "{place}: {pauses:?}"
        );
    }
    assert!(
        !level.notes.iter().any(|note| note.contains("in flight")),
        "{:?}",
        level.notes
    );
}

#[test]
fn prices_give_the_cost_of_a_million_output_tokens_at_each_level() {
    let level = |price: &str| {
        let report =
            Bench::new().json(&["--requests", "6", "--input-tokens", "64", "--price", price]);
        report["levels"][0].clone()
    };
    let plain = level("out=1.5");
    assert_eq!(plain["cost_per_million"], 1.5);
    let with_prompts = level("in=0.5,out=1.5");
    let mean = |of: &Value, key: &str| of[key]["mean"].as_f64().expect("a mean");
    let cost =
        1.5 + 0.5 * mean(&with_prompts, "prompt_tokens") / mean(&with_prompts, "output_tokens");
    let told = with_prompts["cost_per_million"].as_f64().expect("a cost");
    assert!((told - cost).abs() < 1e-6, "{told} {cost}");
    let said = Bench::new().run(&["--model", MODEL, "--requests", "6", "--price", "out=1.5"]);
    assert!(said.out.contains("cost/M tok"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_run_several_times_in_turn_and_told_as_means() {
    let (server, api) = demo(vec![
        DemoModel::quick("m", Quirk::None),
        DemoModel::quick("n", Quirk::None),
    ])
    .await;
    let mut plan = plan("m");
    plan.targets.push(Target {
        deployment: None,
        model: "n".to_owned(),
    });
    plan.level_ends.requests = Some(8);
    plan.repeat = 3;
    plan.cool_down = Duration::from_millis(200);
    let run = run(&plan, &api).await;
    let report = run.report();
    let order: Vec<(&str, Option<u32>)> = report
        .levels
        .iter()
        .map(|level| (&*level.model, level.run))
        .collect();
    let in_turn = [
        ("m", Some(1)),
        ("n", Some(1)),
        ("m", Some(2)),
        ("n", Some(2)),
        ("m", Some(3)),
        ("n", Some(3)),
    ];
    assert_eq!(order, in_turn);
    assert_eq!(report.calibrations.len(), 2, "once for each model");
    let [m, n] = &report.over_runs[..] else {
        panic!("{:?}", report.over_runs)
    };
    assert_eq!((&*m.model, &*n.model, m.runs, n.runs), ("m", "n", 3, 3));
    let ttft = m.figure("ttft_p50").expect("it is there");
    let runs: Vec<f64> = report
        .levels
        .iter()
        .filter(|level| level.model == "m")
        .filter_map(|level| level.ttft_ms.at(P50))
        .collect();
    assert!(
        (ttft.mean - runs.iter().sum::<f64>() / 3.0).abs() < 1e-9,
        "{ttft:?} {runs:?}"
    );
    assert!(
        ttft.ci
            .is_some_and(|[low, high]| low <= ttft.mean && ttft.mean <= high)
    );
    // Nothing is sent between two rounds.
    let ends = |level: &LevelReport| {
        level
            .began_s
            .zip(level.took_s)
            .map(|(from, took)| from + took)
    };
    let pause = report.levels[2]
        .began_s
        .zip(ends(&report.levels[1]))
        .map(|(next, end)| next - end);
    assert!(pause.is_some_and(|pause| pause >= 0.2), "{pause:?}");
    // No prompt of one run is in another. What is asked for one token alone fits prompts, or switches the model.
    let mut prompts: Vec<String> = server
        .received()
        .iter()
        .filter(|it| it.body["max_tokens"] == 8)
        .map(|it| it.body["messages"].to_string())
        .collect();
    let all = prompts.len();
    prompts.sort();
    prompts.dedup();
    assert_eq!(prompts.len(), all);
}

#[test]
fn runs_are_told_as_means_in_the_report() {
    let bench = Bench::new();
    let said = bench.run(&[
        "--model",
        MODEL,
        "--requests",
        "6",
        "--output-tokens",
        "8",
        "--repeat",
        "2",
        "--out",
        "r.json",
    ]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("c=1 of gpt-oss-120b, mean of 2 runs"),
        "{said:?}"
    );
    assert!(said.out.contains("c=1 #2"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_the_users_own_are_sent_with_every_request() {
    let (server, api) = demo(vec![DemoModel::quick("m", Quirk::None)]).await;
    let mut plan = plan("m");
    plan.params.extra_body = r#"{"min_p": 0.1, "max_tokens": 3}"#.to_owned();
    let run = run(&plan, &api).await;
    assert_eq!(run.report().levels[0].requests.ok, 20);
    let received = server.received();
    assert!(
        received.iter().all(|it| it.body["min_p"] == 0.1),
        "{received:?}"
    );
    assert!(received.iter().all(|it| it.body["max_tokens"] == 3));
}

#[test]
fn a_plan_is_saved_and_run_from_its_file() {
    let bench = Bench::new();
    let first = bench.json(&[
        "--requests",
        "5",
        "--rate",
        "50",
        "--arrivals",
        "gamma:0.5",
        "--tag",
        "a b",
        "--save-plan",
        "plan.toml",
    ]);
    assert_eq!(first["plan"]["load"]["rate"]["arrivals"], "gamma:0.5");
    let text = fs::read_to_string(bench.file("plan.toml")).expect("it was written");
    assert!(
        text.contains("arrivals = \"gamma:0.5\"") && text.contains("requests = 5"),
        "{text}"
    );
    let said = bench.run(&[
        "--plan",
        "plan.toml",
        "--json",
        "--requests",
        "3",
        "--quiet",
    ]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let again: Value = serde_json::from_str(&said.out).expect("JSON");
    let mut expected = first["plan"].clone();
    expected["level_ends"]["requests"] = json!(3);
    assert_eq!(again["plan"], expected);
    let said = bench.run(&["--plan", "none.toml"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("--plan none.toml"), "{said:?}");
}
