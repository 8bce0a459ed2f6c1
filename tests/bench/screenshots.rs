//! The README's pictures, of the real window on the demo: `cargo bench --bench screenshots`
//!
//! Needs no display, but something that draws: `apt-get install mesa-vulkan-drivers`. Writes
//! `assets/screenshots`.

#![expect(clippy::print_stdout, reason = "a bench prints what it did")]

#[path = "../it/support/mod.rs"]
mod support;

use std::path::Path;
use std::time::Instant;

use batida::ui::transcript::wait_for_colors;
use egui::{Key, Modifiers, Theme};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use support::window::{PATIENCE, Window};

const FAST: &str = "gpt-oss-120b";
const STEADY: &str = "Meta-Llama-3.3-70B-Instruct";
const SMALL_TALK: [&str; 5] = [
    "Explain TTFT in two sentences",
    "And what is inter-token latency?",
    "Why does a long prompt start later?",
    "What does queueing do to both?",
    "Which of them does a reader feel?",
];

fn main() {
    let mut window = Window::on_demo();
    for question in SMALL_TALK {
        for model in [FAST, STEADY] {
            window.pick("Model", model);
            window.ask(question);
        }
    }
    window.click("Clear");
    window.pick("Model", FAST);
    window.ask("Compare TTFT and latency in a table, and show the code that measures them");
    window.field("Message").focus();
    save(&mut window, "playground");
    window.ctx.set_theme(Theme::Light);
    save(&mut window, "playground-light");
    window.ctx.set_theme(Theme::Dark);

    window.key_press_modifiers(Modifiers::COMMAND, Key::J);
    window.step();
    save(&mut window, "activity");
    window.key_press_modifiers(Modifiers::COMMAND, Key::J);
    window.step();

    window.click("View code");
    window.click("Python (openai)");
    save(&mut window, "view-code");
    window.click("Close");

    window.compare();
    window.ask("Which of you is faster? Answer with a list");
    save_both(&mut window, "side-by-side");

    window.click("Benchmark");
    window.type_into("Concurrent clients per level", "1, 4, 16, 64");
    window.type_into("Requests per level", "64");
    window.type_into("Output tokens", "24");
    window.type_into("Goodput objectives", "ttft=170ms, itl=15ms");
    window.click("Run benchmark");
    let deadline = Instant::now() + PATIENCE * 4;
    while !window.has_button("Run benchmark") {
        assert!(Instant::now() < deadline, "the session ends");
        window.step();
    }
    save(&mut window, "benchmark");

    // The same again, to be held against the first.
    window.click("Run benchmark");
    let deadline = Instant::now() + PATIENCE * 4;
    while !window.has_button("Run benchmark") {
        assert!(Instant::now() < deadline, "the session ends");
        window.step();
    }
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num3);
    window.until("both are there", |window| {
        window.shows("Output tokens/s by level")
    });
    window.until("the last has ended", |window| !window.shows("running"));
    for key in [Key::Space, Key::ArrowDown, Key::Space] {
        window.key_press(key);
        window.run_steps(3);
    }
    window.until("they are compared", |window| {
        window.shows("compared with the baseline")
    });
    save(&mut window, "history");

    window.click("Environments");
    window.click("Run checks");
    window.until("all checks ended", |window| {
        window.has_button("Run checks again")
    });
    save_both(&mut window, "environments");

    window.click("Deployments");
    window.click("md-deepseek-canary, Deploying");
    window.until("why is said", |window| window.shows("Likely cause"));
    save_both(&mut window, "deployment");
}

fn save_both(window: &mut Window, name: &str) {
    save(window, name);
    window.ctx.set_theme(Theme::Light);
    save(window, &format!("{name}-light"));
    window.ctx.set_theme(Theme::Dark);
}

fn save(window: &mut Window, name: &str) {
    window.remove_cursor();
    // Colours come in parts, and what a first frame measured takes its place in the next.
    for _ in 0..8 {
        window.run_steps(2);
        assert!(
            wait_for_colors(&window.ctx, PATIENCE),
            "the code has its colours"
        );
    }
    window.run_steps(2);
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("assets/screenshots")
        .join(name)
        .with_extension("png");
    std::fs::create_dir_all(path.parent().expect("it has a folder"))
        .expect("the folder can be made");
    let picture = window
        .render()
        .expect("a picture (apt-get install mesa-vulkan-drivers)");
    let file = std::fs::File::create(&path).expect("the picture can be written");
    let small = PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::Adaptive);
    picture
        .write_with_encoder(small)
        .expect("the picture can be written");
    let size = std::fs::metadata(&path).map_or(0, |file| file.len());
    println!("{} ({} kB)", path.display(), size / 1_000);
}
