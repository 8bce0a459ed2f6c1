//! Pages of the window as pictures, to be looked at in each size and theme:
//! `cargo bench --bench look -- DIR [PAGES…]`
//!
//! Needs no display, but something that draws: `apt-get install mesa-vulkan-drivers`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it says what it draws"
)]

#[path = "../it/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use egui::{Key, Modifiers, Theme};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use support::bench::{run, tell};
use support::dropped::{drop_on, folder, note, on_vision, sambawiz};
use support::history::Stage;
use support::page::Page;
use support::pictures;
use support::tools::{
    offer_clock, offer_weather, pick_format, press, with_conversations, with_embeddings,
    with_prompts,
};
use support::window::{LARGE, SMALL, Window, on_benchmark};

/// A page's name and what draws it into a folder.
type Pages = (&'static str, fn(&Path));

const PAGES: [Pages; 7] = [
    ("overlays", overlays),
    ("panes", panes),
    ("functions", functions),
    ("attachments", attachments),
    ("benchmark", benchmark),
    ("history", history),
    ("home", home),
];

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let names = PAGES.map(|(name, _)| name).join(", ");
    let Some(dir) = args.next().map(PathBuf::from) else {
        eprintln!("usage: cargo bench --bench look -- DIR [PAGES…]; the pages are {names}");
        return ExitCode::from(2);
    };
    let wanted: Vec<String> = args.collect();
    if let Some(unknown) = wanted
        .iter()
        .find(|name| !PAGES.iter().any(|(page, _)| page == name))
    {
        eprintln!("there is no page {unknown:?}; the pages are {names}");
        return ExitCode::from(2);
    }
    std::fs::create_dir_all(&dir).expect("the folder can be made");
    for (name, draw) in PAGES {
        if wanted.is_empty() || wanted.iter().any(|page| page == name) {
            println!("{name}");
            draw(&dir);
        }
    }
    ExitCode::SUCCESS
}

fn overlays(dir: &Path) {
    let mut window = with_conversations();
    draw(&mut window, dir, "conversations");
    window.key_press_modifiers(Modifiers::SHIFT, Key::Delete);
    window.see("Deleted: ");
    window.key_press(Key::ArrowUp);
    window.step();
    window.key_press(Key::F2);
    window.step();
    draw(&mut window, dir, "conversations-edited");
    window.key_press(Key::Escape);
    window.step();
    for _ in 0..2 {
        window.key_press(Key::ArrowDown);
        window.step();
    }
    window.key_press(Key::Enter);
    window.see("Opened: ");
    draw(&mut window, dir, "conversation-opened");
    let mut window = with_prompts();
    draw(&mut window, dir, "prompts-none");
    window.click("Add starter prompts");
    window.see("Prompt Translate");
    draw(&mut window, dir, "prompts");
    window.click("Prompt Summarise");
    window.see("Preview");
    draw(&mut window, dir, "prompts-values");
    window.click("Back");
    window.key_press(Key::F2);
    window.see("Edit prompt");
    draw(&mut window, dir, "prompts-edit");
    let mut window = with_embeddings();
    draw(&mut window, dir, "embeddings");
    window.set_size(LARGE);
    window.run_steps(2);
    window.compare();
    window.see("Pane 2: ");
    draw(&mut window, dir, "embeddings-beside");
}

fn panes(dir: &Path) {
    let mut window = Window::on_demo();
    window.ask("Compare them in a table, with code, and list the steps");
    draw(&mut window, dir, "playground-one");
    window.set_size(LARGE);
    window.compare();
    window.ask("Explain TTFT in two sentences.");
    draw(&mut window, dir, "playground-two");
    window.set_size(LARGE);
    window.compare();
    window.compare();
    window.ask("Compare them in a table");
    draw(&mut window, dir, "playground-four");
    window.set_size(LARGE);
    window.run_steps(2);
    window.click("Blind");
    window.ask("Compare them in a table");
    draw(&mut window, dir, "playground-blind");
    window.set_size(LARGE);
    window.run_steps(2);
    window.click("Model A");
    draw(&mut window, dir, "playground-voted");
}

fn functions(dir: &Path) {
    let mut window = Window::on_demo();
    offer_weather(&mut window);
    offer_clock(&mut window, "Parameters (1 set)");
    window.ask("What is the weather in Paris, and the time?");
    window.type_into(
        "Result of get_weather",
        "{\n  \"sky\": \"clear\",\n  \"celsius\": 18\n}",
    );
    draw(&mut window, dir, "tools-called");
    window.set_size(LARGE);
    window.run_steps(2);
    window.type_into("Result of clock", "noon");
    window.click("Send results");
    window.until("it is complete", |window| {
        window.has_button("Send") && window.shows("returned noon")
    });
    draw(&mut window, dir, "tools-answered");
    window.set_size(LARGE);
    window.run_steps(2);
    window.click("Parameters (1 set)");
    pick_format(&mut window, "JSON schema");
    press(&mut window, "Edit get_weather");
    draw(&mut window, dir, "tools-parameters");
    window.set_size(LARGE);
    window.run_steps(2);
    window.click("Parameters (2 set)");
    window.ask("Who is Ada?");
    window.see("Valid against the schema");
    draw(&mut window, dir, "tools-json");
    window.set_size(LARGE);
    window.run_steps(2);
    window.compare();
    window.ask("The weather in Rome?");
    draw(&mut window, dir, "tools-panes");
}

fn benchmark(dir: &Path) {
    let mut page = Window::on_demo();
    page.click("Deployment details");
    page.click("md-deepseek-canary, Deploying");
    page.click("View log of inf in inf-md-deepseek-canary-q-default-n-0");
    page.see("inf: waiting");
    let mut window = on_benchmark();
    let draw = |window: &mut Window, name: &str| draw(window, dir, name);
    draw(&mut page, "deployments");
    draw(&mut window, "empty");
    window.open_picker("Models");
    window.click("gpt-oss-120b");
    window.key_press(Key::Escape);
    let job = run(&mut window, "Concurrency sweep");
    tell(&mut window, job, |script| {
        (0..11).for_each(|level| script.level(level, level < 10))
    });
    draw(&mut window, "running");
}

fn history(dir: &Path) {
    draw(
        &mut Page::over(Stage::new(Vec::new()), LARGE),
        dir,
        "history-empty",
    );
    let mut page = Page::with(300);
    page.until("the charts are there", |page| {
        page.shows("Output tokens/s by level")
    });
    draw(&mut page, dir, "history");
    page.click("More filters");
    page.click("Trend");
    page.see("TTFT p50 over time, ms. ");
    page.pick("Trend over: 4 weeks", "All time");
    draw(&mut page, dir, "history-trend");
    page.click("Figures");
    page.click("More filters");
    for _ in 0..3 {
        page.key(Key::Space);
        page.key(Key::ArrowDown);
    }
    page.see("compared with the baseline");
    draw(&mut page, dir, "history-over");
    page.click("Compare 2");
    page.see("Different conditions\n");
    draw(&mut page, dir, "history-compare");
    page.click("Back");
    page.key(Key::ArrowUp);
    page.key(Key::Enter);
    page.see("Continue");
    draw(&mut page, dir, "history-chat");
    page.key(Key::Escape);
    page.key(Key::Home);
    page.key(Key::Enter);
    page.see("Run again");
    draw(&mut page, dir, "history-bench");
}

fn attachments(dir: &Path) {
    let files = folder();
    let chart = pictures::chart(files.path(), "chart.png", (1_280, 800));
    let high = pictures::chart(
        files.path(),
        "a-rather-long-name-of-a-photo-from-a-phone-2026-11-23.jpg",
        (900, 1_600),
    );
    let mut window = on_vision();
    let drawn = |window: &mut Window, name: &str| draw(window, dir, name);
    drop_on(&mut window, &[&chart, &high, &note(files.path())]);
    window.see("Attached: note.md");
    drawn(&mut window, "attach-draft");
    window.ask("What do these charts tell?");
    window.run_steps(20);
    drawn(&mut window, "attach-said");
    window.click("note.md · 36 B");
    drop_on(&mut window, &[&chart]);
    window.pick_of_api("Qwen3-32B");
    window.see("cannot see pictures");
    drawn(&mut window, "attach-refused");
    window.click("Remove chart.png");
    window.run_steps(4);
    window.click("View chart.png, 1280 × 800");
    window.until("the picture is decoded", |window| window.shows("Sent as"));
    drawn(&mut window, "attach-large");
    window.key_press(Key::Escape);
    window.step();
    window
        .input_mut()
        .hovered_files
        .push(egui::HoveredFile::default());
    drawn(&mut window, "attach-hint");
    window.input_mut().hovered_files.clear();
    window.compare();
    window.run_steps(6);
    drawn(&mut window, "attach-panes");
}

fn home(dir: &Path) {
    let mut window = Window::on_demo();
    window.click("Deployment details");
    window.click("bd-gpt-oss-llama70b, Deployed");
    window.click("Probe these models");
    window.until("all have answered", |window| {
        window.query_all_by_label_contains("answered at").count() == 2
    });
    draw(&mut window, dir, "models");
    let mut window = Window::on_demo();
    window.see("SambaStack 2.3.2");
    window.click("Environments");
    window.click("Run checks");
    window.until("all checks ended", |window| {
        window.has_button("Run checks again")
    });
    draw(&mut window, dir, "home");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = sambawiz(folder.path(), "prod.yaml", "https://api.example.com");
    window.click("Import…");
    draw(&mut window, dir, "import-empty");
    window.type_into("File to import", &file.display().to_string());
    window.click("Read");
    window.see("3 environments");
    draw(&mut window, dir, "import");
}

/// In three sizes and both themes.
fn draw<S>(window: &mut Harness<'static, S>, dir: &Path, name: &str) {
    for (size, in_words) in [
        (SMALL, "small"),
        (LARGE, "large"),
        (egui::vec2(900.0, 2_200.0), "tall"),
    ] {
        for theme in [Theme::Dark, Theme::Light] {
            window.set_size(size);
            window.ctx.set_theme(theme);
            window.run_steps(6);
            let image = window
                .render()
                .expect("a picture (apt-get install mesa-vulkan-drivers)");
            image
                .save(dir.join(format!("{name}-{in_words}-{theme:?}.png")))
                .expect("the folder is there");
        }
    }
}
