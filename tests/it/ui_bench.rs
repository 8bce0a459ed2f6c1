//! The Benchmark page, found and used by label. Sessions are told as the engine would tell them.

use std::sync::Arc;

use batida::demo::api::{DemoModel, Quirk};
use batida::domain::environment::EnvId;
use batida::domain::plan::Load;
use batida::domain::run::{BenchReport, Bracket, LevelEnd, SessionEnd, Stage, Verdict};
use batida::metrics::search::Search;
use batida::protocol::Failure;
use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::support::api::Api;
use crate::support::bench::{Script, end, run, tell};
use crate::support::window::{PATIENCE, Window, on_benchmark};

// Claims

#[test]
fn what_is_wrong_is_said_as_it_is_typed() {
    let mut window = on_benchmark();
    assert!(
        !window
            .button("Run benchmark")
            .accesskit_node()
            .is_disabled()
    );
    window.type_into("Concurrent clients per level", "1, two");
    window.see("\"two\" is not a valid number");
    assert!(
        window
            .button("Run benchmark")
            .accesskit_node()
            .is_disabled()
    );
    assert_eq!(
        window
            .field("Concurrent clients per level")
            .value()
            .as_deref(),
        Some("1, two"),
        "it stays as typed"
    );
    window.type_into("Concurrent clients per level", "1, 2");
    window.until("it is sound again", |window| {
        !window.shows("is not a valid number")
    });
    window.type_into("Goodput objectives", "ttft=500ms, itl=15ms");
    window.see("TTFT ≤ 500 ms · ITL ≤ 15 ms");
    window.type_into("Requests per level", "0");
    window.see("At least one request");
}

#[test]
fn the_form_runs_what_it_says_and_is_remembered() {
    let mut window = on_benchmark();
    window.type_into("Concurrent clients per level", "3, 6");
    window.type_into("Requests per level", "20");
    window.open_picker("Models");
    window.until("the list is open", |window| {
        window.has_button("gpt-oss-120b")
    });
    window.click("gpt-oss-120b");
    window.key_press(Key::Escape);
    window.step();
    window.click("Run benchmark");
    let session = window
        .state_mut()
        .state()
        .bench
        .session
        .as_ref()
        .expect("it runs");
    let plan = session.plan.clone();
    assert_eq!(plan.load, Load::Concurrency(vec![3, 6]));
    assert_eq!(plan.level_ends.requests, Some(20));
    let models: Vec<&str> = plan
        .targets
        .iter()
        .map(|target| target.model.as_str())
        .collect();
    assert_eq!(models, ["Meta-Llama-3.3-70B-Instruct", "gpt-oss-120b"]);
    assert!(
        plan.targets
            .iter()
            .all(|target| target.deployment.is_some())
    );
    window.until("it is kept", |window| {
        let kept = window.kept();
        kept.benches
            .get(&EnvId::demo())
            .is_some_and(|forms| forms.last.as_ref() == Some(&plan))
    });
}

#[test]
fn the_highest_load_is_searched_for_and_told() {
    let mut window = on_benchmark();
    window.pick("Load", "Find the highest load");
    assert_eq!(
        window.field("Limits to meet").value().as_deref(),
        Some("ttft_p95<800ms")
    );
    assert_eq!(
        window.field("Requests per level").value().as_deref(),
        Some(""),
        "a probe ends itself"
    );
    window.type_into("Limits to meet", "ttft_mean<1s");
    window.see("cannot be searched for");
    window.type_into("Limits to meet", "ttft_p95<800ms, itl_p99<50ms");
    window.type_into("Highest load to try", "64");
    window.see("a probe");
    // The engine is not told: its own search would speak as well.
    window.state_mut().state().run_bench(&mut Vec::new());
    window.step();
    let session = window
        .state_mut()
        .state()
        .bench
        .session
        .as_ref()
        .expect("it runs");
    let (job, plan) = (session.job, session.plan.clone());
    let find = plan.load.find().expect("a search").clone();
    assert_eq!(
        (find.limits.len(), find.up_to, plan.level_ends.requests),
        (2, Some(64.0), None)
    );
    tell(&mut window, job, |script| {
        script.search(
            find.level(32.0),
            Bracket {
                meets: Some(16.0),
                fails: Some(64.0),
            },
        );
    });
    window.see("16 meets, 64 does not");
    window.see("probe 1 of about");
    window.see("concurrency 32");
    let mut report =
        BenchReport::clone(&Script::new(window.state_mut().state()).report(SessionEnd::Complete));
    let mut search = Search::new(&find);
    for (load, verdict) in [(16.0, Verdict::Met), (17.0, Verdict::NotMet)] {
        search.record(load, verdict);
    }
    report.found = vec![search.found(&plan.targets[0], false)];
    end(&mut window, job, Ok(Arc::new(report)));
    window.see("16 clients meet TTFT p95 < 800 ms and ITL p99 < 50 ms; 17 do not");
    window.see("95 % confidence");
}

/// The tick of a model in the open list: its place, and whether it is on.
fn tick(window: &Window, model: &str) -> Option<(egui::Rect, bool)> {
    let ticks = window.query_all_by_role(Role::CheckBox);
    let mut named = ticks.filter(|node| node.accesskit_node().label().as_deref() == Some(model));
    named.next().map(|node| {
        let on = node.accesskit_node().toggled() == Some(Toggled::True);
        (node.rect(), on)
    })
}

#[test]
fn ticking_a_model_moves_no_line_of_the_list() {
    let mut window = on_benchmark();
    let (first, second) = ("Meta-Llama-3.3-70B-Instruct", "gpt-oss-120b");
    window.pick("Deployment", "md-deepseek-r1");
    window.open_picker("Models");
    let r1 = "DeepSeek-R1-0528";
    window.until("the list is open", |window| tick(window, r1).is_some());
    // That of another deployment is below, and stays there when it is no longer ticked.
    let before = tick(&window, first).expect("it is selected");
    assert!(before.1 && before.0.top() > tick(&window, r1).expect("it is there").0.top());
    window.click(first);
    window.until("it is off", |window| {
        tick(window, first).is_some_and(|it| !it.1)
    });
    assert_eq!(tick(&window, first).map(|it| it.0), Some(before.0));
    window.click(r1);
    window.until("it is on", |window| tick(window, r1).is_some_and(|it| it.1));
    assert_eq!(tick(&window, first).map(|it| it.0), Some(before.0));
    assert!(
        tick(&window, second).is_none(),
        "only the deployment's own are offered"
    );
    window.key_press(Key::Escape);
    window.see("Models: DeepSeek-R1-0528");
    window.open_picker("Models");
    window.until("what is not selected is gone", |window| {
        tick(window, r1).is_some() && tick(window, first).is_none()
    });
}

#[test]
fn the_list_of_models_is_filtered_as_every_list_is() {
    let names = (0..303).map(|n| format!("gpt-variant-{n}"));
    let names = names.chain(["Meta-Llama-3.3-70B-Instruct".to_owned()]);
    let models = names.map(|name| DemoModel::quick(&name, Quirk::None));
    let api = Api::start(models.collect());
    let mut window = api.window();
    window.see("304 models");
    window.click("Benchmark");
    window.open_picker("Models");
    window.until("it can be typed", |window| window.shows("Filter Models"));
    window.type_into("Filter Models", "llama 3");
    let llama = "Meta-Llama-3.3-70B-Instruct";
    window.until("one is left", |window| {
        tick(window, llama).is_some() && tick(window, "gpt-variant-7").is_none()
    });
    window.click(llama);
    window.until("it is ticked", |window| {
        tick(window, llama).is_some_and(|it| it.1)
    });
    window.key_press(Key::Escape);
    window.step();
    window.open_picker("Models");
    window.until("the filter is forgotten", |window| {
        tick(window, "gpt-variant-7").is_some()
    });
}

#[test]
fn a_session_runs_on_the_demo_from_the_click_to_the_report() {
    let mut window = on_benchmark();
    window.type_into("Concurrent clients per level", "2, 4");
    window.type_into("Requests per level", "6");
    window.type_into("Output tokens", "8");
    window.click("Run benchmark");
    window.until("it runs", |window| window.has_button("Stop"));
    window.until("it has ended", |window| window.has_button("Save report"));
    // The demo publishes metrics as vLLM does.
    window.see("Server: requests running and waiting");
    window.see("Server metrics: vLLM, from http://127.0.0.1:");
    window.see("Network: TCP connect p50 ");
    let session = window
        .state_mut()
        .state()
        .bench
        .session
        .as_ref()
        .expect("it ran");
    let levels: Vec<_> = session
        .levels
        .iter()
        .map(|level| (level.label.clone(), level.requests.ok))
        .collect();
    assert_eq!(levels, [("c=2".to_owned(), 6), ("c=4".to_owned(), 6)]);
}

#[test]
fn a_session_is_stopped_with_what_it_has() {
    let mut window = on_benchmark();
    window.type_into("Requests per level", "5000");
    window.type_into("Output tokens", "8");
    window.click("Run benchmark");
    let deadline = std::time::Instant::now() + PATIENCE;
    let answered = |window: &mut Window| {
        let session = window.state_mut().state().bench.session.as_ref();
        session.is_some_and(|session| session.levels.iter().any(|level| level.requests.ok > 0))
    };
    while !answered(&mut window) {
        assert!(std::time::Instant::now() < deadline, "a request ends");
        window.step();
    }
    window.click("Pause");
    window.until("it is paused", |window| window.has_button("Resume"));
    window.click("Resume");
    window.click("Stop");
    window.until("it has ended", |window| window.has_button("Run benchmark"));
    let session = window
        .state_mut()
        .state()
        .bench
        .session
        .as_ref()
        .expect("it ran");
    assert_eq!(session.levels[0].ended, LevelEnd::Stopped);
}

#[test]
fn the_form_estimates_the_run_and_refuses_what_it_cannot_measure() {
    let mut window = on_benchmark();
    window.type_into("Concurrent clients per level", "1, 64");
    window.type_into("Requests per level", "20");
    window.see("c=64 needs at least 64 requests: with 20 there are never 64 in flight");
    let disabled = |window: &mut Window| {
        let run = window.button("Run benchmark");
        run.accesskit_node().is_disabled()
    };
    assert!(disabled(&mut window));
    window.type_into("Requests per level", "100");
    window.see("c=64 has hardly any steady part with 100 requests");
    assert!(!disabled(&mut window), "it is only warned of");
    window.see("200 requests · time unknown");
    window.see("Tokens: 51,200 in, ≤ 25,600 out");
    window.type_into("Concurrent clients per level", "2, 4");
    window.type_into("Requests per level", "12");
    window.type_into("Output tokens", "8");
    window.until("nothing is warned of", |window| {
        !window.shows("steady part") && window.shows("24 requests · time unknown")
    });
    window.click("Run benchmark");
    window.until("it has ended", |window| window.has_button("Save report"));
    window.see("24 requests · about 0:0");
    window.type_into("Time limit", "1s");
    window.type_into("Requests per level", "9000");
    window.see("The time limit of 1s may end the run before all levels");
    for group in ["What to measure", "Limits"] {
        window.see(group);
    }
}

#[test]
fn presets_are_kept_taken_and_deleted() {
    let mut window = on_benchmark();
    window.pick("Preset", "Steady rate");
    window.see("Load: Rate");
    window.type_into("Requests per second", "7");
    window.see("Preset: Custom");
    window.click("Save as…");
    window.type_into("Preset's name", "Mine");
    window.click("Save preset");
    window.see("Preset: Mine");
    window.pick("Preset", "Quick look");
    window.see("Load: Fixed concurrency");
    window.pick("Preset", "Mine");
    assert_eq!(
        window.field("Requests per second").value().as_deref(),
        Some("7")
    );
    window.click("Delete");
    window.see("Preset: Custom");
    window.until("it is gone", |window| {
        let kept = window.kept();
        kept.benches.values().all(|forms| forms.presets.is_empty())
    });
}

#[test]
fn a_session_is_seen_while_it_runs_and_after() {
    let mut window = on_benchmark();
    window.see("No session yet");
    let job = run(&mut window, "Concurrency sweep");
    window.see("· Starting");
    tell(&mut window, job, |script| script.stage(Stage::Calibrating));
    window.see("Calibrating prompts");
    tell(&mut window, job, |script| {
        script.level(0, true);
        script.level(1, false);
    });
    window.see("concurrency 2 · 142 / 200 requests");
    window.see("level 2 of 7");
    window.see("TTFT per request, ms. 360 requests");
    window.see("Output throughput ");
    window.see("c=1, requests 200, errors 0");
    window.see("c=2, requests 142, errors 1");
    window.see("Last requests in flight. 24 requests");
    window
        .get_by_label("1 kind of error, 1 measurement warning at c=2")
        .click();
    window.step();
    window.see("errors: 1 × queue_full: HTTP 503");
    window.see("level: timers fired up to 8 ms late");
    window.click("ITL distribution");
    window.click("Pause");
    window.see("Resume");
    window.see("concurrency 2 · 142 / 200 requests · Paused");
    assert!(
        !window.shows(" left"),
        "nobody knows how long it stands still"
    );
    window.click("Resume");
    window.click("Stop");
    window.see("Stopping…");
    let report = Script::new(window.state_mut().state()).report(SessionEnd::Stopped);
    end(&mut window, job, Ok(report));
    window.see("Stopped by the user; the figures so far are kept");
    window.see("ended after 1:03");
    window.see("c=2, requests 142");
    assert!(window.has_button("Save report") && window.has_button("Run benchmark"));
}

#[test]
fn a_session_that_fails_says_why_and_keeps_what_it_has() {
    let mut window = on_benchmark();
    let job = run(&mut window, "Quick look");
    tell(&mut window, job, |script| script.level(0, false));
    end(
        &mut window,
        job,
        Err(Failure::new("The key was refused", "Look in Environments")),
    );
    window.see("The key was refused");
    window.see("c=4, requests 142");
    assert!(window.has_button("Run benchmark"));
}

#[test]
fn leaving_the_page_disturbs_nothing() {
    let mut window = on_benchmark();
    let job = run(&mut window, "Quick look");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num1);
    window.step();
    window.see("Benchmark, running");
    window.ask("Hello");
    tell(&mut window, job, |script| script.level(0, false));
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num2);
    window.see("concurrency 4 · 142 / 200 requests");
    let other =
        batida::domain::environment::Environment::blank(EnvId("e1".to_owned()), "elsewhere");
    window
        .state_mut()
        .state()
        .save_environment(other, None, &mut Vec::new());
    window.see("on Demo · level 1 of 1");
    window.see("Running on Demo");
    assert!(window.has_button("Pause"));
}

#[test]
fn closing_asks_while_a_session_runs() {
    let mut window = on_benchmark();
    let job = run(&mut window, "Quick look");
    close(&mut window);
    window.see("A benchmark is running");
    window.click("Keep running");
    assert!(!window.shows("A benchmark is running"));
    assert!(
        !window
            .state_mut()
            .state()
            .bench
            .session
            .as_ref()
            .expect("it runs")
            .stopping
    );
    close(&mut window);
    window.click("Stop and close");
    assert!(
        window
            .state_mut()
            .state()
            .bench
            .session
            .as_ref()
            .expect("it is there")
            .stopping
    );
    assert!(!window.shows("A benchmark is running"));
    let report = Script::new(window.state_mut().state()).report(SessionEnd::Stopped);
    end(&mut window, job, Ok(report));
    close(&mut window);
    assert!(!window.shows("A benchmark is running"), "nothing runs");
}

#[test]
fn a_chart_is_saved_twice_as_large_where_the_user_says() {
    let mut window = on_benchmark();
    let job = run(&mut window, "Quick look");
    tell(&mut window, job, |script| script.level(0, false));
    window.click("Export TTFT per request, ms");
    window.click("Save as PNG");
    window.see("No file dialog");
    window.click("Cancel");
    assert!(!window.shows("saved as"));
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("c.png");
    window.click("Export TTFT per request, ms");
    window.click("Save as PNG");
    window.see("No file dialog");
    window.type_into("Path", &path.display().to_string());
    window.click("Save");
    window.see("TTFT per request, ms saved as");
    let picture = image::open(&path).expect("it is a PNG");
    assert_eq!(picture.width(), 1_120, "twice its size");
}

#[test]
fn without_a_file_dialog_a_path_is_typed() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut window = on_benchmark();
    let job = run(&mut window, "Quick look");
    tell(&mut window, job, |script| script.level(0, true));
    window.click("Save as CSV");
    window.see("Save Levels");
    window.see("No file dialog could be opened. Type where to save it");
    let path = window.field("Path").value().unwrap_or_default();
    assert!(
        path.starts_with("~/Meta-Llama-3.3-70B-Instruct-levels-20"),
        "{path}"
    );
    window.type_into("Path", "levels.csv");
    window.click("Save");
    window.see("The path does not say in which folder");
    let path = dir.path().join("levels.csv");
    std::fs::write(&path, "mine").expect("it is written");
    let typed = path.display().to_string();
    window.type_into("Path", &typed);
    window.click("Save");
    window.see("exists already. Type another name");
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "mine");
    assert_eq!(
        window.field("Path").value().as_deref(),
        Some(typed.as_str())
    );
    let path = dir.path().join("others.csv");
    window.type_into("Path", &path.display().to_string());
    window.click("Save");
    window.until("it is saved", |window| window.shows("Levels saved as"));
    let text = std::fs::read_to_string(&path).expect("it is there");
    assert!(text.starts_with("model,"), "{text}");
    assert!(!window.shows("Save Levels"));
}

// How a session is told

pub(crate) fn close(window: &mut Window) {
    let root = window
        .input_mut()
        .viewports
        .entry(egui::ViewportId::ROOT)
        .or_default();
    root.events.push(egui::ViewportEvent::Close);
    window.step();
    let root = window
        .input_mut()
        .viewports
        .entry(egui::ViewportId::ROOT)
        .or_default();
    root.events.clear();
    window.run_steps(3);
}

#[test]
fn while_a_benchmark_runs_nothing_is_probed_and_the_page_says_so() {
    let mut window = on_benchmark();
    let job = run(&mut window, "Concurrency sweep");
    tell(&mut window, job, |script| script.level(0, false));
    window.click("Environments");
    window.click("Deployments");
    window.click("md-deepseek-r1, Deployed");
    window.click("Probe every");
    window.see("probes are paused during the benchmark");
    let disabled = |window: &Window, name: &str| {
        let all = window
            .query_all_by_label(name)
            .filter(|node| node.accesskit_node().role() == Role::Button);
        let all: Vec<bool> = all
            .map(|node| node.accesskit_node().is_disabled())
            .collect();
        !all.is_empty() && all.into_iter().all(|disabled| disabled)
    };
    assert!(disabled(&window, "Probe all models") && disabled(&window, "Probe DeepSeek-R1-0528"));
    assert!(!window.shows("answered at"));
}
