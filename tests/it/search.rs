//! The search for the highest load: in simulated time, against the demo's server, and as the program says it.

#[path = "../bench/simulated.rs"]
mod simulated;

use std::time::Duration;

use batida::demo::api::{DemoModel, Quirk};
use batida::domain::plan::{
    Arrivals, Ends, Find, Lengths, Limit, Load, Plan, Prompts, Raise, Target,
};
use batida::domain::run::{BenchReport, FoundEnd, LevelEnd, SessionEnd, Verdict};
use serde_json::Value;

use self::simulated::{Server, Truth, search};
use crate::bench::{api_of, run_plan};
use crate::bench_cli::{Bench, MODEL};
use crate::support::demo::Demo;

fn find(limits: &[&str]) -> Find {
    Find::of(
        limits
            .iter()
            .map(|text| Limit::parse(text).expect(text))
            .collect(),
    )
}

/// `cargo bench --bench search` does the same more often, against more servers.
#[test]
fn the_sentence_is_right_against_servers_whose_limit_is_known() {
    let slots = Server {
        slots: 8,
        ..Server::default()
    };
    let crowded = Server {
        crowding: 0.05,
        ..Server::default()
    };
    let by_rate = Find {
        by: Raise::Rate,
        arrivals: Arrivals::Poisson,
        ..find(&["ttft_p90<800ms"])
    };
    for (server, find) in [
        (&slots, find(&["ttft_p90<500ms"])),
        (&crowded, find(&["ttft_p90<700ms"])),
        (&slots, by_rate),
    ] {
        let mut truth = Truth::new(server, &find, 40_000);
        for seed in 0..4 {
            let outcome = search(server, &find, seed);
            let told = outcome.found.sentence();
            assert!(truth.is_right(&outcome.found), "{seed}: {told}");
            assert!(
                outcome.found.meets.is_some() && outcome.found.fails.is_some(),
                "{seed}: {told}"
            );
            assert!(
                outcome.probes <= 24 && outcome.requests > 0 && outcome.took_s > 0.0,
                "{seed}"
            );
        }
    }
}

/// Four slots, 20 ms to the first token and 100 ms an answer. A fifth client makes each wait for 25 ms, or one in five
/// for 100 ms: more than a tenth of the requests has a TTFT above 40 ms, whichever it is.
fn four_slots() -> Demo {
    Demo::start(vec![DemoModel {
        ttft: Duration::from_millis(20),
        per_token: Duration::from_millis(20),
        ..DemoModel::quick("m", Quirk::Slots(4))
    }])
}

fn plan(find: Find) -> Plan {
    Plan {
        targets: vec![Target {
            deployment: None,
            model: "m".to_owned(),
        }],
        load: Load::Find(find),
        level_ends: Ends::default(),
        session_ends: Ends::default(),
        warmup: 2,
        prompts: Prompts::Synthetic {
            input_tokens: Lengths::Fixed(64),
            prefix_tokens: 0,
        },
        output_tokens: Some(Lengths::Fixed(5)),
        timeout: Duration::from_secs(10),
        ..Plan::default()
    }
}

fn searched(demo: &Demo, plan: &Plan) -> BenchReport {
    run_plan(plan, &api_of(&demo.root()))
}

#[test]
fn the_demos_four_slots_are_found() {
    let demo = four_slots();
    let report = searched(
        &demo,
        &plan(Find {
            up_to: Some(32.0),
            ..find(&["ttft_p90<40ms"])
        }),
    );
    assert_eq!(report.ended, SessionEnd::Complete, "{report:?}");
    let [found] = &report.found[..] else {
        panic!("{:?}", report.found)
    };
    assert_eq!(
        found.sentence(),
        "4 clients meet TTFT p90 < 40 ms; 5 do not",
        "{:?}",
        found.details(&report.levels)
    );
    assert!(
        found.proven && found.meets_level.is_some() && found.fails_level.is_some(),
        "{found:?}"
    );
    let labels: Vec<&str> = report
        .levels_shown()
        .iter()
        .map(|level| level.label.as_str())
        .collect();
    assert!(
        labels.windows(2).all(|pair| load(pair[0]) <= load(pair[1])),
        "{labels:?}"
    );
    for level in &report.levels {
        let probe = level.probe.as_ref().expect("each level is a probe");
        assert!(probe.verdict.is_some(), "{level:?}");
        let decided = probe.verdict != Some(Verdict::Undecided);
        assert_eq!(
            level.ended == LevelEnd::Decided,
            decided,
            "{}: {:?}",
            level.label,
            probe.verdict
        );
    }
    let json = serde_json::to_value(&report).expect("JSON");
    let again: BenchReport = serde_json::from_value(json).expect("its own JSON");
    assert_eq!(again, report);
}

fn load(label: &str) -> u32 {
    label.trim_start_matches("c=").parse().expect(label)
}

#[test]
fn a_limit_that_nobody_meets_fails_at_the_least_load() {
    let demo = four_slots();
    let report = searched(&demo, &plan(find(&["ttft_p95<1ms"])));
    let [found] = &report.found[..] else {
        panic!("{:?}", report.found)
    };
    assert_eq!(found.ended, FoundEnd::LeastFails);
    assert!(found.has_failed() && found.meets.is_none());
    assert_eq!(
        found.sentence(),
        "Even 1 client, the least load, does not meet TTFT p95 < 1 ms"
    );
}

#[test]
fn what_was_found_is_kept_when_the_time_is_over() {
    let demo = four_slots();
    let plan = Plan {
        session_ends: Ends {
            after: Some(Duration::from_secs(2)),
            ..Ends::default()
        },
        // Each probe needs much longer.
        ..plan(find(&["ttft_p99_9<900ms"]))
    };
    let report = searched(&demo, &plan);
    assert!(
        matches!(report.ended, SessionEnd::Limit(_)),
        "{:?}",
        report.ended
    );
    let [found] = &report.found[..] else {
        panic!("{:?}", report.found)
    };
    assert_eq!(found.ended, FoundEnd::Cut);
    assert!(
        found.sentence().ends_with("the search was stopped there"),
        "{}",
        found.sentence()
    );
}

#[test]
fn the_program_says_the_sentence_and_its_exit_code() {
    let bench = Bench::new();
    let few = [
        "--model",
        MODEL,
        "--output-tokens",
        "4",
        "--warmup",
        "1",
        "--no-history",
    ];
    let told = bench.run(&[&few[..], &["--find", "ttft_p50<900ms", "--up-to", "2"]].concat());
    assert_eq!(told.code, Some(0), "{told:?}");
    let sentence = "2 clients meet TTFT p50 < 900 ms, the highest load that was tried";
    assert!(told.out.contains(sentence), "{told:?}");
    assert!(told.err.contains("probe 1: c=1 begins"), "{told:?}");
    let json = bench.run(&[&few[..], &["--find", "ttft_p50<1ms", "--json", "--quiet"]].concat());
    assert_eq!(json.code, Some(3), "{json:?}");
    assert!(json.err.contains("Even 1 client"), "{json:?}");
    let report: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(report["found"][0]["ended"], "least_fails");
    assert_eq!(report["levels"][0]["probe"]["verdict"], "not_met");
    for (line, words) in [
        (&["--and", "itl<5ms"][..], "use it with --find"),
        (&["--find", "ttft_mean<5ms"][..], "takes percentiles"),
        (
            &["--find", "ttft_p95<5ms", "--at-least", "90%"][..],
            "names a percentile",
        ),
    ] {
        let told = bench.run(&[&few[..], line].concat());
        assert_eq!(told.code, Some(2), "{told:?}");
        assert!(told.err.contains(words), "{told:?}");
    }
}

/// Two slots of 50 ms: 40 requests a second at most.
#[test]
fn a_rate_above_the_capacity_ends_as_saturated() {
    let demo = Demo::start(vec![DemoModel {
        ttft: Duration::from_millis(10),
        per_token: Duration::from_millis(10),
        ..DemoModel::quick("m", Quirk::Slots(2))
    }]);
    let load = |per_sec: f64| Load::Rate {
        per_sec: vec![per_sec],
        arrivals: Arrivals::Constant,
        most_in_flight: None,
    };
    let plan = Plan {
        load: load(60.0),
        level_ends: Ends {
            after: Some(Duration::from_secs(40)),
            ..Ends::default()
        },
        ..plan(find(&["ttft<1s"]))
    };
    let report = searched(&demo, &plan);
    let level = &report.levels[0];
    assert_eq!(level.ended, LevelEnd::Saturated, "{level:?}");
    let note = level
        .notes
        .iter()
        .find(|note| note.starts_with("saturated"))
        .expect("a sentence");
    assert!(
        note.contains("requests in flight grew") && note.contains("99 % confidence"),
        "{note}"
    );
}
