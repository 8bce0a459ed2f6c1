//! The Benchmark page alone: what it shows on hover, and what it asks to be copied and saved.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use batida::domain::command_line;
use batida::domain::environment::Environment;
use batida::domain::figures::columns_of;
use batida::domain::plan::{Field, Plan, Target};
use batida::domain::run::{LevelReport, Stats};
use batida::domain::settings::Settings;
use batida::domain::stats::{P50, P95, P99, Percentiles};
use batida::domain::units::short;
use batida::protocol::{Command, JobId, PictureUse};
use batida::state::State;
use batida::ui::theme;
use batida::ui::views::benchmark::BenchmarkUi;
use egui::accesskit::Role;
use egui::{CentralPanel, Key, Rect, Theme, Ui, Vec2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::support::bench::Script;
use crate::support::window::PATIENCE;

const SIZE: Vec2 = vec2(1_240.0, 900.0);
/// Readers of tables must live with it.
const MODEL: &str = "odd, \"very\"";

/// The name of a file of the session on the page, of today.
fn dated(what: &str, ending: &str) -> String {
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d");
    format!("odd-very-{what}-{day}.{ending}")
}

// Claims

#[test]
fn the_table_is_copied_and_saved_whole_with_its_intervals() {
    let mut page = Page::of_two_levels();
    page.click("Copy table");
    let Some(Command::Copy { what, text }) = page.asked() else {
        panic!("it is copied")
    };
    assert_eq!(what, "Levels");
    page.check_table(
        &text
            .lines()
            .map(|line| line.split('\t').map(unquoted).collect())
            .collect::<Vec<_>>(),
    );
    page.click("Save as CSV");
    let Some(Command::SaveFile {
        what,
        name,
        content,
    }) = page.asked()
    else {
        panic!("it is saved")
    };
    assert_eq!((what.as_str(), name), ("Levels", dated("levels", "csv")));
    let text = String::from_utf8(content.to_vec()).expect("text");
    page.check_table(&text.lines().map(cells).collect::<Vec<_>>());
}

#[test]
fn each_figure_tells_its_interval_and_how_it_was_come_by() {
    let mut page = Page::of_two_levels();
    let method = batida::domain::run::INTERVALS;
    let level = page.levels()[1].clone();
    let [p50, low, high] = [
        level.ttft_ms.at(P50),
        level.ttft_ms.estimate(P50).ci.map(|ci| ci[0]),
        level.ttft_ms.estimate(P50).ci.map(|ci| ci[1]),
    ]
    .map(|value| value.expect("the script has it").round());
    let ttft = format!("p50 {p50} [{low}, {high}] · p95 ");
    assert!(!page.shows(&ttft) && !page.shows(method));
    page.hover("TTFT p50 ");
    page.see(&ttft);
    page.see(method);
    page.hover("Output throughput ");
    let rate = level
        .throughput
        .output_tokens_per_s
        .expect("the script has it");
    let [low, high] = rate.ci.expect("the script has it");
    let rate = format!(
        "{} [{}, {}]",
        short(Some(rate.mean)),
        short(Some(low)),
        short(Some(high))
    );
    page.see(&format!("{rate} tok/s"));
    page.hover("c=2, requests 142");
    page.see(&format!("TTFT, ms: {ttft}"));
    page.see(&format!("Output tok/s {rate}"));
    page.see(method);
    // What the server says of itself stands there without being asked.
    assert!(page.shows("Client − server, p50: TTFT +12.5 ms, latency +20.0 ms, tok/s −1.20"));
}

#[test]
fn a_wide_window_shows_every_column_of_the_table_of_figures() {
    let mut page = Page::of_two_levels();
    page.set_size(vec2(2_400.0, 900.0));
    page.run_steps(4);
    let level = page.levels()[0].clone();
    let cells = columns_of([&level].into_iter())
        .into_iter()
        .map(|(metric, column)| format!("{} {}", column.title(), metric.text(&level)));
    page.see(&format!(
        "{}, {}",
        level.label,
        cells.collect::<Vec<_>>().join(", ")
    ));
}

#[test]
fn a_chart_becomes_a_picture_in_either_theme_with_its_model_and_date() {
    let mut page = Page::of_two_levels();
    let mut draw = |theme: Option<&str>, name: &str| {
        page.click("Export TTFT per request, ms");
        if let Some(theme) = theme {
            page.click(theme);
        }
        page.click(name);
        page.until("it is asked for", |page| !page.state().sent.is_empty());
        let Some(Command::Draw {
            what,
            name,
            svg,
            then,
        }) = page.asked()
        else {
            panic!("it is drawn")
        };
        let named = dated("ttft-per-request-ms", "png");
        assert_eq!((what.as_str(), name), ("TTFT per request, ms", named));
        (svg, then)
    };
    let (dark, then) = draw(None, "Save as PNG");
    assert_eq!(then, PictureUse::Save);
    assert!(dark.contains(".paper { fill: #161920; }"), "as the window");
    let (light, then) = draw(Some("Light"), "Copy picture");
    assert_eq!(then, PictureUse::Copy);
    assert!(light.contains(".paper { fill: #ffffff; }"));
    let words = [
        ">TTFT per request, ms</text>",
        ">TTFT, ms</text>",
        ">time since the session began, min:s</text>",
    ];
    for word in words {
        assert!(light.contains(word), "{word}: {light}");
    }
    let day = jiff::Timestamp::now().strftime("%Y-").to_string();
    let about = format!(">odd, &quot;very&quot; · {day}");
    assert!(light.contains(&about), "{about}: {light}");
}

#[test]
fn a_chart_is_saved_as_the_svg_of_the_report() {
    let mut page = Page::of_two_levels();
    page.click("Export TTFT per request, ms");
    page.click("Save as SVG");
    page.until("it is drawn", |page| !page.state().sent.is_empty());
    let Some(Command::SaveFile {
        what,
        name,
        content,
    }) = page.asked()
    else {
        panic!("it is saved")
    };
    let named = dated("ttft-per-request-ms", "svg");
    assert_eq!((what.as_str(), name), ("TTFT per request, ms", named));
    let svg = String::from_utf8(content.to_vec()).expect("it is text");
    let session = page
        .state()
        .state
        .bench
        .session
        .as_ref()
        .expect("it is shown");
    let dots = session.dots.kept().len();
    assert!(
        dots > 0 && svg.matches("<circle").count() >= dots,
        "{dots} requests: {svg}"
    );
    assert!(
        svg.contains(&format!("{dots} requests, slowest")),
        "the words are those of the window: {svg}"
    );
}

#[test]
fn the_form_is_copied_as_the_command_that_does_the_same() {
    let mut page = Page::new();
    *page.state_mut().state.bench_form().text_mut(Field::Sweep) = "1, 4".to_owned();
    page.click("Copy as command");
    let Some(Command::Copy { what, text }) = page.asked() else {
        panic!("it is copied")
    };
    let plan = page.state_mut().state.bench_form().read().plan;
    assert_eq!(
        (what.as_str(), &text),
        ("Command", &command_line::bench(&plan, &Environment::demo()))
    );
    assert!(
        text.starts_with("batida bench --demo --model 'odd, \"very\"' --concurrency '1,4' "),
        "{text}"
    );
    assert!(!text.contains("--seed"), "each run draws its own: {text}");
    *page.state_mut().state.bench_form().text_mut(Field::Seed) = "7".to_owned();
    page.click("Copy as command");
    let Some(Command::Copy { text, .. }) = page.asked() else {
        panic!("it is copied")
    };
    assert!(text.contains("--seed 7"), "{text}");
}

#[test]
fn results_begin_with_warnings_in_a_line_tiles_and_levels() {
    let mut page = Page::of_two_levels();
    let line = "1 kind of error, 1 measurement warning at c=2";
    let order = [
        line,
        "Output throughput ",
        "c=1, requests 200",
        "TTFT per request, ms. ",
        "Output tokens per second. ",
        "Throughput against per-user speed (the knee). ",
    ];
    let tops: Vec<f32> = order
        .iter()
        .map(|begins| page.place(begins).top())
        .collect();
    assert!(tops.is_sorted_by(|a, b| a < b), "{tops:?}");
    assert!(!page.shows("timers fired"), "it is folded");
    page.press(line);
    let [error, warning] = ["errors: 1 × queue_full", "level: timers fired"];
    page.see(warning);
    assert!(
        page.place(error).top() < page.place(warning).top(),
        "the gravest comes first"
    );
    page.press("c=1, requests 200");
    page.until("the other level has none", |page| {
        !page.shows("timers fired")
    });
    // Charts by level stand beside those over time.
    for [time, level] in [
        ["TTFT per request, ms. ", "TTFT p50 and p99 by level, ms. "],
        ["Output tokens per second. ", "Output tokens/s by level. "],
    ] {
        let [time, level] = [page.place(time), page.place(level)];
        assert!((time.bottom() - level.bottom()).abs() < 1.0 && time.right() < level.left());
    }
}

#[test]
fn the_level_shown_is_chosen_by_click_and_arrow_keys_and_named() {
    let mut page = Page::of_two_levels();
    page.see("c=2 · p99 ");
    page.press("c=1, requests 200");
    page.see("c=1 · p99 ");
    assert!(!page.shows("c=2 · p99 "));
    page.see("Distribution of the level. odd, \"very\" c=1, ");
    page.key_press(Key::ArrowDown);
    page.see("c=2 · p99 ");
    page.key_press(Key::ArrowDown);
    page.run_steps(2);
    page.see("c=2 · p99 ");
    page.key_press(Key::ArrowUp);
    page.see("c=1 · p99 ");
    page.see("Distribution of the level. odd, \"very\" c=1, ");
}

#[test]
fn a_chart_is_seen_without_scrolling_in_the_smallest_window() {
    let mut page = Page::of_two_levels();
    // The side bar takes the rest of 900 points.
    let size = vec2(752.0, 600.0);
    page.set_size(size);
    page.run_steps(4);
    let screen = Rect::from_min_size(egui::Pos2::ZERO, size);
    let chart = page.place("TTFT per request, ms. ").intersect(screen);
    assert!(chart.height() > 80.0, "{chart:?}");
    assert!(page.place("c=1, requests 200").bottom() < chart.top());
}

#[test]
fn tokens_that_arrive_in_groups_have_the_gap_between_groups() {
    let mut page = Page::of_two_levels();
    page.see("ITL p50 ");
    let session = page.state_mut().state.bench.session.as_mut();
    let level = session
        .expect("it runs")
        .levels
        .last_mut()
        .expect("it runs");
    level.itl_ms = Stats {
        percentiles: Percentiles::of([(P50, 0.0), (P99, 15.1)]),
        buckets: vec![[0.0, 0.001, 700.0], [15.0, 15.2, 100.0]],
        count: 800,
        max: Some(15.2),
        ..Stats::default()
    };
    page.run_steps(3);
    page.see("Chunk gap p50 15 ms");
    page.see("Tokens arrive in groups of 8.0: the gap between groups is shown");
    assert!(!page.shows("ITL p50 "));
    page.get_by_role_and_label(Role::RadioButton, "ITL distribution")
        .click_accesskit();
    page.run_steps(3);
    page.see("c=2, 100 gaps (max 15 ms)");
}

#[test]
fn what_has_no_interval_is_said_where_the_intervals_are() {
    let mut page = Page::of_two_levels();
    let note = "p99 of TTFT rests on 142 requests: it needs 368 for a 95 % interval";
    let session = page.state_mut().state.bench.session.as_mut();
    let level = session
        .expect("it runs")
        .levels
        .last_mut()
        .expect("it runs");
    level.notes = vec![note.to_owned()];
    page.run_steps(3);
    let line = "1 kind of error, 1 measurement warning at c=2";
    page.press(line);
    assert!(!page.shows(note));
    page.hover("TTFT p50 ");
    page.see(note);
    page.hover("ITL p50 ");
    assert!(!page.shows(note), "it is another figure's");
}

#[test]
fn what_is_typed_reaches_the_state_and_another_plan_replaces_it() {
    let mut page = Page::new();
    let field = |page: &Page| {
        let field = page.get_by_role_and_label(Role::TextInput, "Warm-up requests");
        field.value().unwrap_or_default()
    };
    page.get_by_role_and_label(Role::TextInput, "Warm-up requests")
        .focus();
    page.run_steps(2);
    page.get_by_role_and_label(Role::TextInput, "Warm-up requests")
        .type_text("1");
    page.run_steps(2);
    let plan = page.state().state.read_bench_form().plan;
    assert_eq!(field(&page), plan.warmup.to_string());
    assert_ne!(plan.warmup, Plan::default().warmup);
    let other = Plan { warmup: 9, ..plan };
    let state = &mut page.state_mut().state;
    state.plan_again(&other, "elsewhere", &mut Vec::new());
    page.run_steps(2);
    assert_eq!(field(&page), "9");
}

// How the page is looked at

/// The page, what the window knows, and what it was asked for.
struct Stage {
    page: BenchmarkUi,
    state: State,
    sent: Vec<Command>,
    installed: bool,
}

struct Page(Harness<'static, Stage>);

impl Deref for Page {
    type Target = Harness<'static, Stage>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Page {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Stage {
    fn frame(&mut self, ui: &mut Ui) {
        if !self.installed {
            self.installed = true;
            // The next frame has it.
            return theme::install(ui.ctx());
        }
        let now = Duration::try_from_secs_f64(ui.input(|input| input.time)).expect("time goes on");
        let mut out = Vec::new();
        CentralPanel::no_frame().show(ui, |ui| {
            let _ = self.page.show(ui, &mut self.state, now, &mut out);
        });
        // What the settings keep, and what the history is asked for, is another test's.
        let others =
            |it: &Command| !matches!(it, Command::SaveSettings { .. } | Command::Ask { .. });
        self.sent.extend(out.into_iter().filter(others));
    }
}

impl Page {
    fn new() -> Self {
        let mut state = State::new(Settings::default());
        state.bench_form().targets = vec![Target {
            deployment: None,
            model: MODEL.to_owned(),
        }];
        let stage = Stage {
            page: BenchmarkUi::default(),
            state,
            sent: Vec::new(),
            installed: false,
        };
        let harness = Harness::builder()
            .with_size(SIZE)
            .with_theme(Theme::Dark)
            .with_step_dt(1.0 / 30.0)
            .with_max_steps(8)
            .with_render_cursor(false)
            .build_ui_state(|ui, stage: &mut Stage| stage.frame(ui), stage);
        let mut page = Self(harness);
        page.run_steps(4);
        page
    }

    /// In which a level has ended, and another is under way.
    fn of_two_levels() -> Self {
        let mut page = Self::new();
        let state = &mut page.state_mut().state;
        let mut out = Vec::new();
        state.run_bench(&mut out);
        let job: JobId = state.bench.running().expect("it runs");
        let mut script = Script::new(state);
        script.level(0, true);
        script.level(1, false);
        script.tell(state, job);
        page.run_steps(4);
        page
    }

    fn levels(&self) -> &[LevelReport] {
        &self
            .state()
            .state
            .bench
            .session
            .as_ref()
            .expect("it runs")
            .levels
    }

    /// What the page asked for last, and forgets.
    fn asked(&mut self) -> Option<Command> {
        self.state_mut().sent.drain(..).next_back()
    }

    #[track_caller]
    fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !so(self) {
            assert!(Instant::now() < deadline, "waited in vain until {what}");
            self.step();
        }
        self.run_steps(2);
    }

    fn shows(&self, text: &str) -> bool {
        self.query_all_by_label_contains(text).next().is_some()
    }

    #[track_caller]
    fn see(&mut self, text: &str) {
        self.until(&format!("{text:?} is seen"), |page| page.shows(text));
    }

    #[track_caller]
    fn click(&mut self, label: &str) {
        self.get_by_role_and_label(Role::Button, label).click();
        self.run_steps(3);
    }

    /// Clicks what begins so.
    #[track_caller]
    fn press(&mut self, begins: &str) {
        let told = |node: &egui_kittest::Node<'_>| {
            let label = node.accesskit_node().label();
            label.is_some_and(|text| text.starts_with(begins))
        };
        let found = self.root().children_recursive().find(told);
        found
            .unwrap_or_else(|| panic!("nothing begins with {begins:?}"))
            .click();
        self.run_steps(3);
    }

    /// The pointer comes to rest on what begins so, once the last tooltip is gone.
    #[track_caller]
    fn hover(&mut self, begins: &str) {
        let at = self.place(begins).center();
        self.hover_at(SIZE.to_pos2() - vec2(2.0, 2.0));
        self.run_steps(3);
        self.hover_at(at);
        self.run_steps(3);
    }

    #[track_caller]
    fn place(&self, begins: &str) -> Rect {
        // A label's text is its value.
        let told = |node: &egui_kittest::Node<'_>| {
            let node = node.accesskit_node();
            node.label().or_else(|| node.value())
        };
        let mut all = self.root().children_recursive();
        let found = all.find(|node| told(node).is_some_and(|text| text.starts_with(begins)));
        found
            .unwrap_or_else(|| panic!("nothing begins with {begins:?}"))
            .rect()
    }

    /// Every figure in its column, in plain numbers; what is absent is empty.
    #[track_caller]
    fn check_table(&self, table: &[Vec<String>]) {
        let (head, rows) = table.split_first().expect("a head");
        assert!(rows.iter().all(|row| row.len() == head.len()), "{table:?}");
        let cell = |row: usize, name: &str| {
            let at = head.iter().position(|found| found == name);
            rows[row][at.unwrap_or_else(|| panic!("no column {name}: {head:?}"))].as_str()
        };
        assert_eq!(rows.len(), 2);
        for (row, level) in self.levels().iter().enumerate() {
            let is = |name: &str, value: Option<f64>| {
                let read = Some(cell(row, name))
                    .filter(|text| !text.is_empty())
                    .map(|text| {
                        text.parse::<f64>()
                            .unwrap_or_else(|why| panic!("{name}: {text:?}: {why}"))
                    });
                assert_eq!(read, value, "{name}");
            };
            assert_eq!(
                (cell(row, "model"), cell(row, "level")),
                (MODEL, level.label.as_str())
            );
            is("requests", Some(level.requests.ended as f64));
            is("errors", Some(level.requests.failed as f64));
            is("ttft_p50_ms", level.ttft_ms.at(P50));
            is(
                "ttft_p50_ms_low",
                level.ttft_ms.estimate(P50).ci.map(|ci| ci[0]),
            );
            is(
                "ttft_p50_ms_high",
                level.ttft_ms.estimate(P50).ci.map(|ci| ci[1]),
            );
            is("ttft_p99_ms", level.ttft_ms.at(P99));
            is("ttft_p99_ms_low", None);
            is("tpot_p50_ms", None);
            is("itl_p95_ms", level.itl_ms.at(P95));
            is("latency_p50_s", level.latency_ms.at(P50).map(|ms| ms / 1e3));
            is(
                "latency_p50_s_high",
                level.latency_ms.estimate(P50).ci.map(|ci| ci[1] / 1e3),
            );
            is("user_tokens_per_s_p50", level.user_tokens_per_s.at(P50));
            let rate = level
                .throughput
                .output_tokens_per_s
                .expect("the script has it");
            is("output_tokens_per_s", Some(rate.mean));
            is("output_tokens_per_s_low", rate.ci.map(|ci| ci[0]));
            is("output_tokens_per_s_high", rate.ci.map(|ci| ci[1]));
            is("requests_per_s", None);
            is(
                "goodput_share",
                level.goodput.as_ref().and_then(|goodput| goodput.share),
            );
            let server = level.server.as_ref().expect("the script has it");
            is("ttft_p50_less_server_ms", server.ttft_p50_difference_ms);
            is(
                "user_tokens_per_s_p50_less_server",
                server.tokens_per_s_p50_difference,
            );
            assert!(
                cell(row, "intervals")
                    .starts_with("95 % intervals: percentiles from order statistics")
            );
        }
        assert_eq!(
            [cell(0, "ended"), cell(1, "ended")],
            ["requests", "running"]
        );
    }
}

fn unquoted(cell: &str) -> String {
    match cell
        .strip_prefix('"')
        .and_then(|cell| cell.strip_suffix('"'))
    {
        Some(inner) => inner.replace("\"\"", "\""),
        None => cell.to_owned(),
    }
}

/// A line of CSV.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            ',' if !quoted => cells.push(String::new()),
            c => {
                quoted ^= c == '"';
                cells.last_mut().expect("there is one").push(c);
            }
        }
    }
    cells.iter().map(|cell| unquoted(cell)).collect()
}
