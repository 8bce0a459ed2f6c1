//! The Benchmark page, found and used by label. Sessions are told as the engine would tell them.

use std::sync::Arc;

use batida::domain::environment::EnvId;
use batida::domain::plan::{Load, Plan};
use batida::domain::run::{
    BenchProgress, BenchReport, Calibration, ErrorCount, Flight, Goodput, InFlight, LevelEnd,
    LevelReport, Limits, Machine, Point, Rate, RatePoint, Requests, SCHEMA, ServerSide, SessionEnd,
    Stage, Stats, Throughput, Watch,
};
use batida::protocol::{Event, Failure, JobId};
use batida::state::State;
use egui::{Key, Modifiers};
use egui_kittest::kittest::NodeT as _;

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
    window.type_into("Clients of each level", "1, two");
    window.see("\"two\" is no such number");
    assert!(
        window
            .button("Run benchmark")
            .accesskit_node()
            .is_disabled()
    );
    assert_eq!(
        window.field("Clients of each level").value().as_deref(),
        Some("1, two"),
        "it stays as typed"
    );
    window.type_into("Clients of each level", "1, 2");
    window.until("it is sound again", |window| {
        !window.shows("is no such number")
    });
    window.type_into("Goodput objective", "ttft=500ms, itl=15ms");
    window.see("TTFT ≤ 500 ms · ITL ≤ 15 ms");
    window.type_into("Requests/level", "0");
    window.see("At least one request");
}

#[test]
fn the_form_runs_what_it_says_and_is_remembered() {
    let mut window = on_benchmark();
    window.type_into("Clients of each level", "3, 6");
    window.type_into("Requests/level", "20");
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
    window.until("it is in the settings file", |window| {
        let saved = window.saved();
        saved
            .benches
            .get(&EnvId::demo())
            .is_some_and(|forms| forms.last.as_ref() == Some(&plan))
    });
}

#[test]
fn a_session_runs_on_the_demo_from_the_click_to_the_report() {
    let mut window = on_benchmark();
    window.type_into("Clients of each level", "2, 4");
    window.type_into("Requests/level", "6");
    window.type_into("Output tokens", "8");
    window.click("Run benchmark");
    window.until("it runs", |window| window.has_button("Stop"));
    window.until("it has ended", |window| window.has_button("Save report"));
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
    window.type_into("Requests/level", "5000");
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
fn the_form_is_copied_as_a_command() {
    let mut window = on_benchmark();
    window.type_into("Clients of each level", "1, 4");
    let form = window.state_mut().state().bench_form().read();
    let line = batida::domain::command_line::bench(
        &form.plan,
        &batida::domain::environment::Environment::demo(),
    );
    assert!(
        line.starts_with("batida bench --demo")
            && line.contains("--model Meta-Llama-3.3-70B-Instruct"),
        "{line}"
    );
    window.click("Copy as command");
    // With a display it is on the clipboard, without one that is told.
    window.until("it is told", |window| {
        window.shows("Command copied") || window.shows("The clipboard is not available")
    });
}

#[test]
fn presets_are_kept_taken_and_deleted() {
    let mut window = on_benchmark();
    window.pick("Preset", "Steady rate");
    window.see("Load: Rate");
    window.type_into("Requests per second, a level each", "7");
    window.see("Preset: Custom");
    window.click("Save as…");
    window.type_into("Preset's name", "Mine");
    window.click("Save preset");
    window.see("Preset: Mine");
    window.pick("Preset", "Quick look");
    window.see("Load: Fixed concurrency");
    window.pick("Preset", "Mine");
    assert_eq!(
        window
            .field("Requests per second, a level each")
            .value()
            .as_deref(),
        Some("7")
    );
    window.click("Delete");
    window.see("Preset: Custom");
    window.until("it is gone from the settings file", |window| {
        window
            .saved()
            .benches
            .get(&EnvId::demo())
            .is_some_and(|forms| forms.presets.is_empty())
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
    window.see("Errors, warnings and notes of c=2");
    window.see("measurement warning: timers fired up to 8 ms late");
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
    window.see("Stopped: the figures so far are kept");
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
        Err(Failure::new("The key was refused", "Look at Home")),
    );
    window.see("The key was refused");
    window.see("c=4, requests 142");
    assert!(window.has_button("Run benchmark"));
}

#[test]
fn leaving_the_page_disturbs_nothing() {
    let mut window = on_benchmark();
    let job = run(&mut window, "Quick look");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num2);
    window.step();
    window.see("Benchmark, running");
    window.ask("Hello");
    tell(&mut window, job, |script| script.level(0, false));
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num3);
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
fn a_chart_without_a_picture_says_so() {
    let mut window = on_benchmark();
    let job = run(&mut window, "Quick look");
    tell(&mut window, job, |script| script.level(0, false));
    window.click("Export TTFT per request, ms");
    window.click("Save as PNG");
    // There is no dialog here, and perhaps no renderer: either is told, nothing is saved, and the button comes back.
    window.until("it is told", |window| {
        window.shows("No file dialog") || window.shows("No picture of the chart")
    });
    assert!(!window.shows("saved as"));
    window.until("the button is back", |window| {
        window.has_button("Export TTFT per request, ms")
    });
}

// How a session is told

fn close(window: &mut Window) {
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

/// Picks a preset and runs it; what the engine says to it is left aside.
pub(crate) fn run(window: &mut Window, preset: &str) -> JobId {
    window.pick("Preset", preset);
    let mut out = Vec::new();
    window.state_mut().state().run_bench(&mut out);
    window.step();
    window.state_mut().state().bench.running().expect("it runs")
}

pub(crate) fn tell(window: &mut Window, job: JobId, say: impl FnOnce(&mut Script)) {
    let state = window.state_mut().state();
    let mut script = Script::new(state);
    say(&mut script);
    script.tell(state, job);
    window.run_steps(3);
}

fn end(window: &mut Window, job: JobId, outcome: Result<Arc<BenchReport>, Failure>) {
    window
        .state_mut()
        .state()
        .apply(Event::BenchEnded { job, outcome }, Default::default());
    window.run_steps(3);
}

/// Progress as the engine would tell it, with figures made up.
pub(crate) struct Script {
    plan: Plan,
    said: Vec<BenchProgress>,
}

impl Script {
    pub(crate) fn new(state: &State) -> Self {
        let plan = state
            .bench
            .session
            .as_ref()
            .expect("a session runs")
            .plan
            .clone();
        Self {
            plan,
            said: Vec::new(),
        }
    }

    /// As if the engine had said it.
    pub(crate) fn tell(self, state: &mut State, job: JobId) {
        for progress in self.said {
            state.apply(
                Event::BenchAdvanced {
                    job,
                    progress: Box::new(progress),
                },
                Default::default(),
            );
        }
    }

    pub(crate) fn stage(&mut self, stage: Stage) {
        let levels = self.plan.levels().len();
        self.said.push(BenchProgress {
            elapsed_s: 1.0,
            stage,
            level: 0,
            levels,
            level_done: 0.0,
            done: 0.0,
            left_s: None,
            requests: (0, Some(200)),
            in_flight: InFlight::default(),
            points: Vec::new(),
            rates: Vec::new(),
            flights: Vec::new(),
            partial: None,
            ended: Vec::new(),
        });
    }

    /// 30 s of a level that has ended, or is under way at its 142nd request.
    pub(crate) fn level(&mut self, index: usize, ended: bool) {
        self.stage(Stage::Measuring);
        let levels = self.plan.levels().len();
        let begin = 2.0 + index as f64 * 30.0;
        let n = if ended { 200u32 } else { 142 };
        let wave = |i: u32| f64::from((i * 7_919 + index as u32 * 31) % 101) / 101.0;
        let point = |i: u32| Point {
            level: index as u32,
            at_s: begin + f64::from(i) * 0.145,
            ttft_ms: (i != 77 || ended)
                .then(|| (60.0 + index as f64 * 45.0 + wave(i).powi(3) * 90.0) as f32),
        };
        let rate = |i: u32| RatePoint {
            at_s: begin + f64::from(i) / 4.0,
            level: index as u32,
            tokens_per_s: 480.0 * (index + 1) as f64 * (0.97 + 0.05 * wave(i)),
            in_flight: 1 << index.min(20),
        };
        let report = self.report_of(index, ended);
        let now = begin + 30.0;
        let progress = self.said.last_mut().expect("it was just said");
        *progress = BenchProgress {
            elapsed_s: now,
            level: index,
            done: (index as f64 + 0.7) / levels as f64,
            left_s: Some(100.0),
            requests: (n.into(), Some(200)),
            in_flight: InFlight {
                queued: 0,
                waiting: 5,
                streaming: 11,
            },
            points: (0..n).map(point).collect(),
            rates: (0..120).map(rate).collect(),
            flights: (0..24).map(|i| flight(i, now)).collect(),
            partial: (!ended).then(|| Box::new(report.clone())),
            ended: if ended { vec![report] } else { Vec::new() },
            ..progress.clone()
        };
        if let Some(last) = progress.points.last_mut() {
            last.at_s = last.at_s.min(now);
        }
        // A point that was counted twice would be seen: 200 + 142 requests and 18 that came late.
        if !ended {
            let late: Vec<Point> = (0..18)
                .map(|i| Point {
                    at_s: now - 0.1,
                    ..point(i)
                })
                .collect();
            progress.points.extend(late);
        }
    }

    fn report_of(&self, index: usize, ended: bool) -> LevelReport {
        let level = self.plan.levels()[index].clone();
        let target = &self.plan.targets[level.target];
        let scale = 1.0 + (index % self.plan.load.levels().len().max(1)) as f64;
        let failed = u64::from(!ended);
        let n = if ended { 200 } else { 142 };
        let error = ErrorCount {
            kind: "queue_full".to_owned(),
            count: 1,
            example: "HTTP 503".to_owned(),
        };
        LevelReport {
            index,
            label: level.load.label(),
            model: target.model.clone(),
            deployment: target.deployment.clone(),
            load: level.load,
            ended: if ended {
                LevelEnd::Requests
            } else {
                LevelEnd::Running
            },
            began_s: 2.0 + index as f64 * 30.0,
            took_s: 30.0,
            steady_s: Some([3.0, 30.0]),
            requests: Requests {
                ended: n,
                ok: n - failed,
                failed,
                errors: if ended { Vec::new() } else { vec![error] },
                ..Requests::default()
            },
            at_once: 0,
            tokens_per_chunk: None,
            answered_by: Vec::new(),
            tokens_from: "usage".to_owned(),
            ttft_ms: stats(60.0 + 40.0 * scale),
            first_answer_ms: Stats::default(),
            itl_ms: stats(1.9 + scale * 0.2),
            tpot_ms: Stats::default(),
            latency_ms: stats(500.0 + 80.0 * scale),
            connect_ms: Stats::default(),
            late_ms: Stats::default(),
            user_tokens_per_s: stats(560.0 - 40.0 * scale),
            prompt_tokens: Stats::default(),
            cached_tokens: Stats::default(),
            output_tokens: Stats::default(),
            reasoning_tokens: Stats::default(),
            throughput: Throughput {
                output_tokens_per_s: Some(rate(6_000.0 * (1.0 - (-scale / 3.0).exp()))),
                ..Throughput::default()
            },
            concurrency: Default::default(),
            goodput: Some(Goodput {
                met: n - failed,
                missed: failed,
                share: Some(0.986),
                ..Goodput::default()
            }),
            server: Some(ServerSide {
                ttft_p50_difference_ms: Some(12.5),
                latency_p50_difference_ms: Some(20.0),
                tokens_per_s_p50_difference: Some(-1.2),
                ..ServerSide::default()
            }),
            limits: Limits::default(),
            watch: Watch {
                doubts: if ended {
                    Vec::new()
                } else {
                    vec!["timers fired up to 8 ms late".to_owned()]
                },
                ..Watch::default()
            },
            notes: Vec::new(),
        }
    }

    fn report(&self, ended: SessionEnd) -> Arc<BenchReport> {
        let levels = self.plan.levels().len().min(2);
        Arc::new(BenchReport {
            schema: SCHEMA.to_owned(),
            batida: "0".to_owned(),
            id: "abc".to_owned(),
            started_at: "2026-11-23T10:00:00Z".parse().expect("a moment"),
            took_s: 63.0,
            environment: "Demo".to_owned(),
            api: "http://127.0.0.1".to_owned(),
            machine: Machine::new("linux", 2, 1),
            plan: self.plan.clone(),
            ended,
            levels: (0..levels)
                .map(|index| self.report_of(index, index + 1 < levels))
                .collect(),
            switches: Vec::new(),
            seed: None,
            calibrations: Vec::<Calibration>::new(),
            surroundings: None,
            source: None,
            unknown: Vec::new(),
            trace: None,
            prompts_file: None,
        })
    }
}

fn rate(mean: f64) -> Rate {
    Rate {
        mean,
        ci: Some([mean * 0.9, mean * 1.1]),
    }
}

fn stats(p50: f64) -> Stats {
    let bucket = |i: u32| {
        let from = p50 * (0.6 + f64::from(i) * 0.02);
        let height =
            (-(f64::from(i) - 20.0).powi(2) / 120.0).exp() * 40.0 + f64::from(u32::from(i < 80));
        [from, from + p50 * 0.02, height.round()]
    };
    Stats {
        count: 200,
        p5: Some(p50 * 0.8),
        p50: Some(p50),
        p95: Some(p50 * 1.5),
        p99: Some(p50 * 2.1),
        p50_ci: Some([p50 * 0.95, p50 * 1.05]),
        buckets: (0..90).map(bucket).collect(),
        ..Stats::default()
    }
}

fn flight(index: u64, now: f64) -> Flight {
    let due_s = now - 2.0 + index as f64 * 0.08;
    let sent_s = (index < 23).then_some(due_s + 0.02);
    let first_s = (index < 20).then_some(due_s + 0.15);
    let ended_s = (index < 14).then_some(due_s + 0.9);
    Flight {
        index,
        due_s,
        sent_s,
        first_s,
        ended_s,
        failed: index == 6,
    }
}
