//! What the whole window costs the processor, without a display: logic, ui and tessellation, on the real engine.
//!
//! `cargo bench --bench window [-- NAME…] [--check]`: all, or those named of start, streaming, conversation, charts,
//! benchmark, sessions. With `--check` it fails when p99 of the frames of an answer at 5,000 tokens/s, or of a benchmark
//! with 2,000 streams, is longer than 8 ms. A frame's time is what passed on the clock, less what the thread waited for a
//! processor (as Linux counts it), so that a busy machine does not count.
//!
//! `memory`, only when it is named, is what an hour of use leaves: 500 answers and 20 runs. With `--check` it fails when
//! the resident memory has grown by 40 MB or more since the first of 20 rounds.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "goals.rs"]
mod goals;

#[path = "../it/support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use batida::demo::api::{DEMO_KEY, DemoModel, DemoOptions, DemoServer, Quirk};
use batida::domain::exchange::Advance;
use batida::domain::plan::{Ends, Load, Plan, Target};
use batida::domain::run::{BenchProgress, Flight, InFlight, Point, RatePoint};
use batida::domain::workspace::Page;
use batida::engine::{Engine, Options};
use batida::metrics::timeline::{Figures, TokenSource, Tokens};
use batida::protocol::{ChatEnding, Event, FinishReason, JobId};
use batida::state::State;
use batida::state::bench::BenchAction;
use batida::state::chat::Asking;
use batida::state::panes::PaneAction;
use batida::ui::app::App;
use eframe::App as _;
use egui::{Context, Id, Key, Modifiers, Pos2, RawInput, Rect, pos2, vec2};
use goals::Goals;
use support::environments::{api_env, remember, runtime};
use support::history;
use support::window::{LARGE, PATIENCE};
use tempfile::TempDir;

/// What a frame may cost, so that half a frame of 60 a second is left.
const MAX_FRAME_MS: f64 = 8.0;
const FRAME: Duration = Duration::from_nanos(16_666_667);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let names = [
        "start",
        "streaming",
        "conversation",
        "charts",
        "benchmark",
        "sessions",
        "memory",
    ];
    let any = names.iter().any(|name| args.iter().any(|arg| arg == name));
    let wanted = |name: &str| !any || args.iter().any(|arg| arg == name);
    let mut goals = Goals::asked(&args);
    if args.iter().any(|arg| arg == "memory") {
        memory(&mut goals);
    }
    if wanted("start") {
        println!(
            "{:<56} {:>9} {:>9} {:>9}",
            "ms on the clock (median of 7)", "median", "least", "most"
        );
        start();
        println!();
    }
    println!(
        "{:<56} {:>7} {:>7} {:>7} {:>7} {:>7} {:>9}",
        "CPU ms a frame", "frames", "first", "p50", "p99", "max", "p99/16.7"
    );
    if wanted("streaming") {
        streaming(&mut goals);
    }
    for (name, run) in [("conversation", conversation as fn()), ("charts", charts)] {
        if wanted(name) {
            run();
        }
    }
    if wanted("benchmark") {
        benchmark(&mut goals);
    }
    if wanted("sessions") {
        sessions();
    }
    goals.end()
}

/// From the window's making to its first frame, and to what the user waits for.
fn start() {
    let (mut first, mut filled) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let config = tempfile::tempdir().expect("a temporary folder can be made");
        let began = Instant::now();
        let mut stage = Stage::open(config);
        stage.frame(Vec::new());
        first.push(began.elapsed());
        stage.until(|state| state.connection().cluster.view.value().is_some());
        stage.frame(Vec::new());
        filled.push(began.elapsed());
    }
    for (name, mut times) in [
        ("engine, App::new and first frame", first),
        ("… and the demo's deployments in the picker", filled),
    ] {
        times.sort_unstable();
        println!(
            "{name:<56} {:>9.1} {:>9.1} {:>9.1}",
            ms(times[times.len() / 2]),
            ms(times[0]),
            ms(times[times.len() - 1])
        );
    }
}

/// The window on a server with one model, which writes 5,000 tokens a second.
struct Served {
    stage: Stage,
    /// What its first frame cost.
    first: Duration,
    _server: DemoServer,
    _runtime: tokio::runtime::Runtime,
}

const QUICK: &str = "five-thousand";

fn served() -> Served {
    let runtime = runtime();
    let model = DemoModel {
        per_token: Duration::from_micros(200),
        ..DemoModel::quick(QUICK, Quirk::None)
    };
    let options = DemoOptions {
        models: vec![model],
        ..DemoOptions::default()
    };
    let server = runtime
        .block_on(DemoServer::start(options))
        .expect("the loopback has a free port");
    let config = tempfile::tempdir().expect("a temporary folder can be made");
    remember(config.path(), api_env(&server.address()), Some(DEMO_KEY));
    let mut stage = Stage::open(config);
    let first = stage.frame(Vec::new());
    stage.until(|state| {
        state.panes().get(0).choice.model.is_some() && state.connection().key.is_some()
    });
    Served {
        stage,
        first,
        _server: server,
        _runtime: runtime,
    }
}

/// Rounds of 25 answers in a new conversation, and a benchmark run of 600 requests.
fn memory(goals: &mut Goals) {
    const ROUNDS: u32 = 20;
    const ANSWERS: u32 = 25;
    let Served {
        mut stage,
        _server,
        _runtime,
        ..
    } = served();
    println!("{:<10} {:>10} {:>12}", "round", "resident", "since first");
    let mut first = None;
    for round in 1..=ROUNDS {
        for answer in 0..ANSWERS {
            let draft = format!("{round}.{answer}: write 150 tokens");
            stage.app.act(PaneAction::Draft(draft).into());
            stage.app.act(PaneAction::Send.into());
            stage.frame(Vec::new());
            assert!(stage.app.state().panes().chat(0).running().is_some());
            stage.until(|state| state.panes().chat(0).running().is_none());
        }
        stage.app.act(PaneAction::Clear.into());
        let form = stage.app.state().bench_form();
        *form = batida::state::bench::Form::of(&plan_of_a_round());
        stage.app.act(Page::Benchmark.into());
        stage.app.act(BenchAction::Run.into());
        stage.frame(Vec::new());
        assert!(stage.app.state().bench.running().is_some(), "it runs");
        stage.until(|state| state.bench.running().is_none());
        stage.app.act(Page::History.into());
        for _ in 0..30 {
            stage.frame(Vec::new());
        }
        stage.app.act(Page::Playground.into());
        for _ in 0..30 {
            stage.frame(Vec::new());
        }
        let now = resident_mb();
        let first = *first.get_or_insert(now);
        println!("{round:<10} {now:>7.1} MB {:>9.1} MB", now - first);
        if round == ROUNDS {
            goals.at_most("growth of resident memory", now - first, 40.0, "MB");
        }
    }
}

/// What a run of the memory's rounds asks for.
fn plan_of_a_round() -> Plan {
    let plan = Plan::default();
    Plan {
        targets: vec![Target {
            deployment: None,
            model: QUICK.to_owned(),
        }],
        load: Load::Concurrency(vec![1, 4, 16]),
        level_ends: Ends {
            requests: Some(200),
            ..plan.level_ends
        },
        ..plan
    }
}

/// What of this process is in memory, in MB.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kb = line.and_then(|line| line.split_whitespace().nth(1));
    kb.and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1_024.0
}

/// 100,000 tokens at 5,000 a second, over HTTP, at 60 frames a second.
fn streaming(goals: &mut Goals) {
    let Served {
        mut stage,
        first,
        _server,
        _runtime,
    } = served();
    stage.app.state().panes_mut().chat_mut(0).draft = "Write 100000 tokens".to_owned();
    stage
        .ctx
        .memory_mut(|memory| memory.request_focus(Id::unique("message")));
    stage.frame(Vec::new());
    stage.frame(vec![egui::Event::Key {
        key: Key::Enter,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers: Modifiers::NONE,
    }]);
    assert!(
        stage.app.state().panes().chat(0).running().is_some(),
        "Enter sends"
    );
    let began = Instant::now();
    let mut frames = Vec::new();
    while stage.app.state().panes().chat(0).running().is_some() {
        let at = Instant::now();
        frames.push(stage.frame(Vec::new()));
        std::thread::sleep(FRAME.saturating_sub(at.elapsed()));
        assert!(
            began.elapsed() < 4 * PATIENCE,
            "100,000 tokens come in 20 s"
        );
    }
    let took = began.elapsed();
    let turn = stage
        .app
        .state()
        .panes()
        .chat(0)
        .turns()
        .last()
        .cloned()
        .expect("there is an answer");
    let tokens = turn.answer.reply.figures.tokens.map(|tokens| tokens.n);
    assert_eq!(tokens, Some(100_000), "{:?}", turn.answer.status);
    let name = "an answer of 100,000 tokens streams at 5,000 a second";
    let p99 = ms(print(name, first, frames));
    goals.at_most(
        format!("p99 of CPU a frame, {name}"),
        p99,
        MAX_FRAME_MS,
        "ms",
    );
    print("… and it is complete: idle", first, idle(&mut stage));
    print(
        "… scrolled up and down through it",
        first,
        scroll(&mut stage),
    );
    println!(
        "  (100,000 tokens in {:.1} s, {} kB)",
        took.as_secs_f64(),
        turn.answer.reply.text.len() / 1_000
    );
}

/// 2,000 messages: 1,000 questions and their answers.
fn conversation() {
    let mut stage = Stage::on_demo();
    for n in 0..1_000 {
        let question = format!("Question {n}: {}", "what about this? ".repeat(1 + n % 20));
        say(stage.app.state(), &question, &answer(n), figures(n));
    }
    let first = stage.frame(Vec::new());
    print("2,000 messages: idle at the end", first, idle(&mut stage));
    print(
        "2,000 messages: scrolled up and down, 100 pt a frame",
        first,
        scroll(&mut stage),
    );
}

/// 100,000 answers of each of two models.
fn charts() {
    let mut stage = Stage::on_demo();
    say(stage.app.state(), "Hello", "Hello", figures(1));
    let history = stage.app.state().playgrounds.session_mut();
    for n in 0..100_000 {
        for model in ["gpt-oss-120b", "Meta-Llama-3.3-70B-Instruct"] {
            history.record(
                model,
                None,
                "Hello",
                Duration::from_secs(n as u64),
                figures(n),
            );
        }
    }
    let first = stage.frame(Vec::new());
    print(
        "two charts of 2 x 100,000 answers: idle",
        first,
        idle(&mut stage),
    );
    let over_the_chart = pos2(1_250.0, 300.0);
    let hovered = (0..300)
        .map(|n| {
            stage.frame(vec![egui::Event::PointerMoved(
                over_the_chart + vec2(n as f32 / 4.0, 0.0),
            )])
        })
        .collect();
    print("… the pointer moves over one", first, hovered);
    let zoomed = (0..300)
        .map(|n| stage.frame(vec![egui::Event::Zoom(if n < 150 { 1.03 } else { 0.97 })]))
        .collect();
    print("… zoomed in and out", first, zoomed);
}

/// A session of 200,000 requests at 2,000 streams, told 30 times a second and drawn 60 times.
fn benchmark(goals: &mut Goals) {
    const REQUESTS: u32 = 200_000;
    const TOLD: u32 = 600;
    let mut stage = Stage::on_demo();
    let key = |key| egui::Event::Key {
        key,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers: Modifiers::COMMAND,
    };
    let first = stage.frame(vec![key(Key::Num2)]);
    stage.frame(Vec::new());
    let job = {
        let state = stage.app.state();
        state.run_bench(&mut Vec::new());
        state.bench.running().expect("it runs")
    };
    let mut frames = Vec::new();
    for n in 0..TOLD {
        let each = REQUESTS / TOLD + u32::from(n < REQUESTS % TOLD);
        let progress = Box::new(progress(n, each));
        let told = Instant::now();
        stage
            .app
            .state()
            .apply(Event::BenchAdvanced { job, progress }, Duration::ZERO);
        let told = told.elapsed();
        frames.push(told + stage.frame(Vec::new()));
        frames.push(stage.frame(Vec::new()));
    }
    let dots = stage
        .app
        .state()
        .bench
        .session
        .as_ref()
        .map(|session| session.dots.added());
    assert_eq!(dots, Some(REQUESTS.into()));
    let mut check = |name: &str, frames: Vec<Duration>| {
        let p99 = print(name, first, frames);
        goals.at_most(
            format!("p99 of CPU a frame, {name}"),
            ms(p99),
            MAX_FRAME_MS,
            "ms",
        );
    };
    check(
        "a benchmark of 200,000 requests, told 30 times a second",
        frames,
    );
    check("… and it pauses: idle", idle(&mut stage));
    let over_the_chart = pos2(600.0, 400.0);
    let hovered = (0..300)
        .map(|n| {
            stage.frame(vec![egui::Event::PointerMoved(
                over_the_chart + vec2(n as f32 / 4.0, 0.0),
            )])
        })
        .collect();
    check("… the pointer moves over a chart", hovered);
}

/// The History page over 10,000 sessions that are asked for in pages, each answered a frame later.
fn sessions() {
    const SESSIONS: u64 = 10_000;
    let ctx = Context::default();
    let mut page = history::Stage::new(history::rows(SESSIONS));
    let began = Instant::now();
    let frame = |page: &mut history::Stage, events: Vec<egui::Event>| {
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, LARGE)),
            time: Some(began.elapsed().as_secs_f64()),
            focused: true,
            events,
            ..RawInput::default()
        };
        // What the made-up store costs is not the page's.
        page.answer(began.elapsed());
        let (start, waited) = (Instant::now(), time_waited());
        let output = ctx.run_ui(input, |ui| page.frame(ui));
        let primitives = ctx.tessellate(output.shapes.clone(), output.pixels_per_point);
        let taken = start.elapsed().saturating_sub(time_waited() - waited);
        drop(primitives);
        output.drop_without_applying_deltas();
        taken
    };
    let first = frame(&mut page, Vec::new());
    let deadline = Instant::now() + PATIENCE;
    while page.state.history.rows.total() != Some(SESSIONS) {
        assert!(Instant::now() < deadline, "the rows come");
        frame(&mut page, Vec::new());
    }
    let idle = (0..300).map(|_| frame(&mut page, Vec::new())).collect();
    print("the history of 10,000 sessions: idle", first, idle);
    frame(
        &mut page,
        vec![egui::Event::PointerMoved(pos2(700.0, 280.0))],
    );
    let wheel = |points| egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, points),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    };
    let steps = (0..600).map(|_| -480.0).chain((0..600).map(|_| 480.0));
    let scrolled = steps
        .map(|points| frame(&mut page, vec![wheel(points)]))
        .collect();
    print("… scrolled down and up through all of it", first, scrolled);
    let key = |key| egui::Event::Key {
        key,
        physical_key: None,
        pressed: true,
        repeat: true,
        modifiers: Modifiers::NONE,
    };
    let moved = (0..600)
        .map(|_| frame(&mut page, vec![key(Key::PageDown)]))
        .collect();
    print("… paged down by the keyboard", first, moved);
    assert!(
        page.state.history.selected_at() > Some(SESSIONS / 2),
        "the keys moved the selection"
    );
}

fn progress(n: u32, each: u32) -> BenchProgress {
    let elapsed_s = f64::from(n) / 30.0;
    let point = |i: u32| Point {
        level: n / 120,
        at_s: elapsed_s - f64::from(i) / 1e4,
        ttft_ms: (i != 3).then(|| 100.0 + ((n * 331 + i * 7_919) % 1_009) as f32 / 9.0),
    };
    let flight = |index: u64| Flight {
        index,
        due_s: elapsed_s - 1.0,
        sent_s: Some(elapsed_s - 1.0 + index as f64 / 99.0),
        first_s: (index < 30).then_some(elapsed_s - 0.4),
        ended_s: None,
        failed: false,
    };
    BenchProgress {
        elapsed_s,
        stage: batida::domain::run::Stage::Measuring,
        level: (n / 120) as usize,
        levels: 5,
        level_done: 0.5,
        done: f64::from(n) / 600.0,
        left_s: Some(9.0),
        requests: (u64::from(n) * 333, None),
        in_flight: InFlight {
            queued: 0,
            waiting: 200,
            streaming: 1_800,
        },
        points: (0..each).map(point).collect(),
        rates: vec![RatePoint {
            at_s: elapsed_s,
            level: n / 120,
            tokens_per_s: 9_000.0 + f64::from(n % 77),
            in_flight: 2_000,
        }],
        flights: (0..48).map(flight).collect(),
        server: Vec::new(),
        server_told: None,
        partial: None,
        ended: Vec::new(),
        search: None,
    }
}

fn idle(stage: &mut Stage) -> Vec<Duration> {
    (0..300).map(|_| stage.frame(Vec::new())).collect()
}

fn scroll(stage: &mut Stage) -> Vec<Duration> {
    stage.frame(vec![egui::Event::PointerMoved(pos2(600.0, 450.0))]);
    let wheel = |points| egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, points),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    };
    let up = (0..1_000).map(|_| 100.0);
    let down = (0..1_000).map(|_| -100.0);
    up.chain(down)
        .map(|points| stage.frame(vec![wheel(points)]))
        .collect()
}

/// As the engine would tell it.
fn say(state: &mut State, question: &str, answer: &str, figures: Figures) {
    let job = JobId(u64::MAX);
    let chat = &mut state.panes_mut().chat_mut(0);
    chat.draft = question.to_owned();
    let asking = Asking {
        job,
        model: "gpt-oss-120b",
        deployment: None,
        now: Duration::ZERO,
    };
    chat.send(&asking).expect("it sends");
    let advance = Box::new(Advance {
        answer: answer.to_owned(),
        figures,
        ..Advance::default()
    });
    state.apply(Event::ChatAdvanced { job, advance }, Duration::ZERO);
    let ending = ChatEnding::Finished {
        reason: FinishReason::Stop,
    };
    state.apply(
        Event::ChatEnded {
            job,
            ending,
            figures: Box::new(figures),
            answered_by: None,
        },
        Duration::ZERO,
    );
}

fn figures(n: usize) -> Figures {
    let wave = (n as f64 / 97.0).sin() + (n % 7) as f64 / 10.0;
    Figures {
        ttft: Some(Duration::from_secs_f64(0.1 + 0.02 * wave)),
        latency: Some(Duration::from_secs_f64(0.9 + 0.1 * wave)),
        tokens_per_sec: Some(480.0 + 40.0 * wave),
        tokens: Some(Tokens {
            n: 300,
            source: TokenSource::Usage,
        }),
        ..Figures::default()
    }
}

fn answer(n: usize) -> String {
    let mut text = String::new();
    for part in 0..1 + n % 9 {
        text += &match (n + part) % 5 {
            0 => format!("## Part {part}\n\nSome **strong** words with `code`.\n\n"),
            1 => "1. first\n2. second\n   - nested *item*\n3. third\n\n".to_owned(),
            2 => "| model | tok/s | TTFT |\n|---|--:|--:|\n| a | 484.1 | 88 ms |\n| b | 311.0 | 141 ms |\n\n"
                .to_owned(),
            3 => "```python\ndef f(x: int) -> str:\n    # a comment\n    return f\"{x + 1}\"\n```\n\n"
                .to_owned(),
            _ => "Some words of an answer, and a [link](https://example.com). ".repeat(8) + "\n\n",
        };
    }
    text
}

/// The window's context, its app, and a clock of its own.
struct Stage {
    ctx: Context,
    app: App,
    frame: eframe::Frame,
    began: Instant,
    _config: TempDir,
}

impl Stage {
    fn open(config: TempDir) -> Self {
        let ctx = Context::default();
        let options = Options {
            config: Some(config.path().to_owned()),
            simulated_kubectl: Some(env!("CARGO_BIN_EXE_batida").into()),
        };
        let waker = ctx.clone();
        let started =
            Engine::start(options, move || waker.request_repaint()).expect("the engine starts");
        let mut app = App::new(&ctx, started);
        // The Playground is measured, not the welcome page.
        app.state().end_welcome();
        Self {
            ctx,
            app,
            frame: eframe::Frame::_new_kittest(),
            began: Instant::now(),
            _config: config,
        }
    }

    fn on_demo() -> Self {
        let mut stage = Self::open(tempfile::tempdir().expect("a temporary folder can be made"));
        stage.frame(Vec::new());
        stage.until(|state| {
            let models = &state.connection().cluster.api_models;
            state.panes().get(0).choice.model.is_some() && models.value().is_some()
        });
        stage.frame(Vec::new());
        stage
    }

    /// Draws a frame each millisecond until it is so.
    fn until(&mut self, so: impl Fn(&mut State) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !so(self.app.state()) {
            assert!(Instant::now() < deadline, "waited in vain");
            std::thread::sleep(Duration::from_millis(1));
            self.frame(Vec::new());
        }
    }

    /// One frame, and what it cost.
    fn frame(&mut self, events: Vec<egui::Event>) -> Duration {
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, LARGE)),
            time: Some(self.began.elapsed().as_secs_f64()),
            focused: true,
            events,
            ..RawInput::default()
        };
        let (start, waited) = (Instant::now(), time_waited());
        let output = self.ctx.run_ui(input, |ui| {
            self.app.logic(ui, &mut self.frame);
            self.app.ui(ui, &mut self.frame);
        });
        let primitives = self
            .ctx
            .tessellate(output.shapes.clone(), output.pixels_per_point);
        let taken = start.elapsed().saturating_sub(time_waited() - waited);
        assert!(!primitives.is_empty());
        output.drop_without_applying_deltas();
        taken
    }
}

/// Gives the 99th percentile.
fn print(name: &str, first: Duration, mut frames: Vec<Duration>) -> Duration {
    frames.sort_unstable();
    let place = |share: f64| frames[((frames.len() - 1) as f64 * share).round() as usize];
    let at = |share: f64| ms(place(share));
    println!(
        "{name:<56} {:>7} {:>7.2} {:>7.2} {:>7.2} {:>7.2} {:>8.0}%",
        frames.len(),
        ms(first),
        at(0.5),
        at(0.99),
        at(1.0),
        at(0.99) / 16.7 * 100.0
    );
    place(0.99)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// What this thread has waited for a processor so far.
fn time_waited() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(
        stat.split(' ')
            .nth(1)
            .and_then(|ns| ns.parse().ok())
            .unwrap_or(0),
    )
}
