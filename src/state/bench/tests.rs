//! The benchmark forms, presets and sessions of the state.

use super::*;
use crate::domain::environment::Environment;
use crate::domain::plan::{PlanEndpoint, Prompts, Target};
use crate::domain::run::{InFlight, Point, Stage};
use crate::domain::settings::Settings;

fn sound() -> Plan {
    Plan {
        targets: vec![Target {
            deployment: None,
            model: "m".to_owned(),
        }],
        ..Plan::default()
    }
}

fn running() -> (State, JobId) {
    let mut state = State::new(Settings::default());
    *state.bench_form() = Form::of(&sound());
    let mut out = Vec::new();
    state.run_bench(&mut out);
    let job = state.bench.running().expect("it runs");
    assert!(
        out.iter()
            .any(|command| matches!(command, Command::RunBench { .. }))
    );
    (state, job)
}

fn progress(points: Vec<Point>) -> BenchProgress {
    BenchProgress {
        elapsed_s: 1.0,
        stage: Stage::Measuring,
        level: 0,
        levels: 5,
        level_done: 0.1,
        done: 0.02,
        left_s: None,
        requests: (3, Some(100)),
        in_flight: InFlight::default(),
        points,
        rates: Vec::new(),
        flights: Vec::new(),
        server: Vec::new(),
        server_told: None,
        partial: None,
        ended: Vec::new(),
        search: None,
    }
}

#[test]
fn a_form_says_what_its_plan_says() {
    let plans = [
        Plan {
            load: Load::Max { in_flight: 9 },
            seed: Some(7),
            ..sound()
        },
        Plan {
            load: Load::Concurrency(vec![7]),
            ramp_up: Duration::from_millis(1_500),
            ..sound()
        },
        Plan {
            load: Load::Trace {
                file: "/t.jsonl".into(),
                most_in_flight: Some(4),
                unit: None,
            },
            prompts: Prompts::File("/p.jsonl".into()),
            tags: vec!["a=b".to_owned(), "c".to_owned()],
            ..sound()
        },
    ];
    for plan in plans
        .into_iter()
        .chain(built_in_presets().map(|(_, plan)| plan))
    {
        let plan = Plan {
            targets: sound().targets,
            ..plan
        };
        assert_eq!(
            Form::of(&plan).read(),
            Read {
                plan,
                problems: Vec::new()
            }
        );
    }
}

proptest::proptest! {
    #[test]
    fn the_form_of_any_plan_reads_as_that_plan(plan in crate::domain::plan_fields::samples::plans()) {
        proptest::prop_assert_eq!(Form::of(&plan).read().plan, plan);
    }
}

#[test]
fn a_bare_number_has_the_unit_of_its_field() {
    let mut form = Form::of(&sound());
    *form.text_mut(Field::SessionTime) = " 90 ".to_owned();
    *form.text_mut(Field::SessionErrors) = "1".to_owned();
    let ends = form.read().plan.session_ends;
    assert_eq!(
        (ends.after, ends.error_share),
        (Some(Duration::from_secs(90)), Some(0.01))
    );
}

#[test]
fn what_is_wrong_stands_at_its_field() {
    #[track_caller]
    fn check(change: impl Fn(&mut Form), field: Field, word: &str) {
        let mut form = Form::of(&sound());
        change(&mut form);
        let read = form.read();
        let told = read
            .problem(field)
            .unwrap_or_else(|| panic!("{field:?}: {:?}", read.problems));
        assert!(told.contains(word), "{told}");
        assert_eq!(read.problems.len(), 1, "{:?}", read.problems);
    }
    check(
        |form| form.targets.clear(),
        Field::Model,
        "at least one model",
    );
    for (field, text, word) in [
        (Field::Sweep, "1, x", "\"x\""),
        (Field::Sweep, "0", "20,000"),
        (Field::InputTokens, "1-", "500-1500"),
        (Field::PrefixTokens, "300", "shorter"),
        (Field::LevelRequests, "0", "At least one"),
        (Field::SessionErrors, "200 %", "100 %"),
        (Field::SessionErrors, "200", "100 %"),
        (Field::Goodput, "ttft", "ttft=500ms"),
        (Field::Timeout, "", "time"),
    ] {
        let change = |form: &mut Form| *form.text_mut(field) = text.to_owned();
        check(change, field, word);
    }
    let rate = |text: &'static str, field| {
        move |form: &mut Form| {
            form.kind = LoadKind::Rate;
            *form.text_mut(field) = text.to_owned();
        }
    };
    check(
        rate("0", Field::MaxInFlight),
        Field::MaxInFlight,
        "nothing is sent",
    );
    check(rate("fast", Field::Rate), Field::Rate, "\"fast\"");
}

#[test]
fn a_search_ends_its_probes_itself() {
    let mut form = Form::of(&sound());
    form.choose(LoadKind::Find);
    let plan = form.read().plan;
    let find = plan.load.find().expect("a search");
    assert_eq!(find.words(), "TTFT p95 < 800 ms");
    assert_eq!(
        (plan.level_ends.requests, plan.session_ends.error_share),
        (None, None)
    );
    form.choose(LoadKind::Max);
    let plan = form.read().plan;
    let usual = Plan::default();
    assert_eq!(
        (plan.level_ends.requests, plan.session_ends.error_share),
        (usual.level_ends.requests, usual.session_ends.error_share)
    );
}

#[test]
fn what_an_endpoint_lacks_is_not_in_its_plan_and_comes_back_with_another() {
    let mut form = Form::of(&sound());
    for (field, text) in [
        (Field::Images, "1@64x64"),
        (Field::Turns, "3"),
        (Field::Think, "2s"),
        (Field::OutputTokens, "40"),
    ] {
        *form.text_mut(field) = text.to_owned();
    }
    let mut read = |endpoint: PlanEndpoint| {
        *form.text_mut(Field::Endpoint) = endpoint.name().to_owned();
        let read = form.read();
        assert_eq!(read.problems, [], "{endpoint:?}");
        read.plan
    };
    let plan = read(PlanEndpoint::Embeddings);
    assert_eq!((plan.images, plan.turns, plan.think), (None, 1, None));
    assert_eq!(plan.output_tokens, None);
    // A form that begins with embeddings has the usual length for other endpoints.
    let mut later = Form::of(&plan);
    *later.text_mut(Field::Endpoint) = "chat".to_owned();
    let usual = Plan::default().output_tokens;
    assert_eq!(later.read().plan.output_tokens, usual);
    let plan = read(PlanEndpoint::Completions);
    assert_eq!((plan.images, plan.turns), (None, 1));
    let tokens = |plan: &Plan| plan.output_tokens.map(|it| it.to_string());
    assert_eq!(tokens(&plan).as_deref(), Some("40"));
    let plan = read(PlanEndpoint::Chat);
    assert!(plan.images.is_some() && plan.think.is_some());
    assert_eq!((plan.turns, tokens(&plan).as_deref()), (3, Some("40")));
}

#[test]
fn a_preset_keeps_the_models() {
    let mut form = Form::of(&sound());
    form.take(&built_in_presets()[2].1);
    assert_eq!(form.kind, LoadKind::Rate);
    assert_eq!(form.targets, sound().targets);
}

#[test]
fn a_failed_session_keeps_what_it_had() {
    let (mut state, job) = running();
    let point = Point {
        level: 0,
        at_s: 0.5,
        ttft_ms: Some(80.0),
    };
    state.bench.advance(job, progress(vec![point]));
    state.bench.advance(JobId(99), progress(vec![point; 5]));
    state.bench.end(job, Err(Failure::new("gone", "")));
    assert_eq!(state.bench.running(), None);
    let session = state.bench.session.as_ref().expect("it stays");
    assert_eq!(session.dots.kept(), [point]);
    assert_eq!(session.now.map(|now| now.requests.0), Some(3));
}

#[test]
fn a_session_stays_where_it_was_begun() {
    let (mut state, job) = running();
    let mut out = Vec::new();
    let other = Environment::blank(EnvId("e1".to_owned()), "other");
    state.save_environment(other, None, &mut out);
    assert!(
        out.iter()
            .all(|command| !matches!(command, Command::Cancel { .. }))
    );
    assert_eq!(state.bench.running(), Some(job));
    assert_eq!(
        state
            .bench
            .session
            .as_ref()
            .map(|session| session.env.clone()),
        Some(EnvId::demo())
    );
    assert!(
        state.bench_form().targets.is_empty(),
        "the other environment has a form of its own"
    );
    state.run_bench(&mut out);
    assert!(
        out.iter()
            .all(|command| !matches!(command, Command::RunBench { .. })),
        "one at a time"
    );
}

#[test]
fn a_plan_with_fewer_requests_than_clients_does_not_run() {
    let mut state = State::new(Settings::default());
    let run = |state: &mut State, requests| {
        let plan = Plan {
            load: Load::Concurrency(vec![1, 64]),
            level_ends: Ends {
                requests: Some(requests),
                ..Plan::default().level_ends
            },
            ..sound()
        };
        *state.bench_form() = Form::of(&plan);
        let mut out = Vec::new();
        state.run_bench(&mut out);
        out.iter()
            .any(|command| matches!(command, Command::RunBench { .. }))
    };
    assert!(!run(&mut state, 63));
    assert_eq!(state.bench.running(), None);
    assert!(run(&mut state, 64));
}

#[test]
fn a_page_gets_the_form_again_only_when_something_else_changed_it() {
    let mut state = State::new(Settings::default());
    let (mut form, seen) = state.newer_bench_form(None).expect("the first time");
    assert_eq!(state.newer_bench_form(Some(seen)), None);
    *form.text_mut(Field::Warmup) = "7".to_owned();
    state.act_on_bench(BenchAction::Edit(Box::new(form)), &mut Vec::new());
    assert_eq!(state.read_bench_form().plan.warmup, 7);
    assert_eq!(state.newer_bench_form(Some(seen)), None, "it has it itself");
    state.plan_again(&sound(), "elsewhere", &mut Vec::new());
    let (form, newer) = state.newer_bench_form(Some(seen)).expect("another plan");
    assert_eq!(form.read().plan, sound());
    assert_eq!(state.newer_bench_form(Some(newer)), None);
}
