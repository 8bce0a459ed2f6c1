//! What a frame of the conversation costs the processor: logic, ui and tessellation, without a window.
//!
//! `cargo bench --bench frames`. A time is what passed on the clock, less what the thread waited for a processor
//! (as Linux counts it), so that a busy machine does not count.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use batida::ui::theme;
use batida::ui::transcript::{Body, Row, RowSource, Tone, Transcript, wait_for_colors};
use egui::{CentralPanel, Context, Id, Pos2, RawInput, Rect, Ui, vec2};

fn main() {
    println!(
        "{:<44} {:>7} {:>8} {:>8} {:>8} {:>8} {:>10}",
        "ms a frame", "frames", "first", "p50", "p99", "max", "p99/16.7"
    );
    conversation();
    for (name, text) in [
        ("grows: paragraphs, lists, tables, code", mixed(400_000)),
        (
            "grows: one giant paragraph",
            "some words of an answer, ".repeat(16_000),
        ),
        (
            "grows: one giant paragraph without spaces",
            "漢字".repeat(66_000),
        ),
        (
            "grows: one giant list item",
            format!("- {}", "some words of an answer, ".repeat(16_000)),
        ),
        (
            "grows: one giant table",
            format!(
                "| a | b | c |\n|--|--|--|\n{}",
                "| some | words | here |\n".repeat(17_000)
            ),
        ),
        (
            "grows: one giant code block",
            format!("```python\n{}", code(400_000)),
        ),
        (
            "grows: one giant line of code",
            format!("```json\n{}", "{\"a\":[1,2,3]},".repeat(28_000)),
        ),
    ] {
        growing(name, &text);
    }
}

/// 2,000 messages: opened, left alone at the end, scrolled through, jumped about in.
fn conversation() {
    let messages = (0..2_000)
        .map(|index| match index % 2 {
            0 => (
                Tone::Prompt,
                format!(
                    "Question {index}: {}",
                    "what about this? ".repeat(1 + index % 20)
                ),
            ),
            _ => (Tone::Answer, mixed(400 + index * 97 % 4_000)),
        })
        .collect();
    let mut stage = Stage::new(Chat {
        messages,
        growing: false,
    });
    let first = stage.frame();
    Table::of((0..300).map(|_| stage.frame())).print("2,000 messages: idle at the end", first);
    let up = Table::of((0..3_000).map(|_| {
        stage.view.scroll_by(-200.0);
        stage.frame()
    }));
    up.print("2,000 messages: scrolled up, 200 pt a frame", first);
    let down = Table::of((0..2_000).map(|_| {
        stage.view.scroll_by(200.0);
        stage.frame()
    }));
    down.print("2,000 messages: and down again", first);
    let jumps = Table::of((0..300_u64).map(|index| {
        stage.view.scroll_to(2 * (index * 7_919 % 2_000));
        stage.frame()
    }));
    jumps.print("2,000 messages: to a far one in each frame", first);
}

/// 5,000 tokens of four bytes a second, in 30 updates, at 60 frames a second, until all of it is there.
fn growing(name: &str, text: &str) {
    let mut stage = Stage::new(Chat {
        messages: vec![(Tone::Answer, String::new())],
        growing: true,
    });
    let first = stage.frame();
    let mut frames = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let to = text.ceil_char_boundary((at + 667).min(text.len()));
        stage.chat.messages[0].1.push_str(&text[at..to]);
        at = to;
        frames.push(stage.frame());
        frames.push(stage.frame());
    }
    Table::of(frames.into_iter()).print(name, first);
}

struct Stage {
    ctx: Context,
    view: Transcript,
    chat: Chat,
    time: f64,
}

impl Stage {
    fn new(chat: Chat) -> Self {
        let ctx = Context::default();
        theme::install(&ctx);
        let mut stage = Self {
            ctx,
            view: Transcript::default(),
            chat,
            time: 0.0,
        };
        // The window's first frames make the fonts; the conversation is opened later.
        let messages = std::mem::take(&mut stage.chat.messages);
        stage.frame();
        stage.chat.messages = vec![(Tone::Answer, mixed(2_000))];
        stage.frame();
        wait_for_colors(&stage.ctx, Duration::from_secs(20));
        stage.chat.messages = messages;
        stage.view = Transcript::default();
        stage
    }

    fn frame(&mut self) -> Duration {
        self.time += 1.0 / 60.0;
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(1440.0, 900.0))),
            time: Some(self.time),
            ..RawInput::default()
        };
        let (start, waited) = (Instant::now(), time_waited());
        let output = self.ctx.run_ui(input, |ui| {
            CentralPanel::default_margins().show(ui, |ui| {
                self.view.show(ui, Id::unique("chat"), &mut self.chat);
            });
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

struct Chat {
    messages: Vec<(Tone, String)>,
    growing: bool,
}

impl RowSource for Chat {
    fn len(&self) -> usize {
        self.messages.len() * 2
    }

    fn row(&self, index: usize) -> Row<'_> {
        let (tone, text) = &self.messages[index / 2];
        let body = match index % 2 {
            0 => Body::Text {
                text,
                tone: *tone,
                growing: self.growing && index + 2 == self.len(),
            },
            _ => Body::Own { estimate: 24.0 },
        };
        Row {
            key: index as u64,
            gap: 8.0,
            body,
        }
    }

    fn draw(&mut self, index: usize, ui: &mut Ui) {
        ui.label(format!("{index}: 484.1 tok/s  0.42 s  TTFT 88 ms"));
    }
}

struct Table(Vec<Duration>);

impl Table {
    fn of(frames: impl Iterator<Item = Duration>) -> Self {
        let mut frames: Vec<_> = frames.collect();
        frames.sort_unstable();
        Self(frames)
    }

    fn print(&self, name: &str, first: Duration) {
        let ms = |d: Duration| d.as_secs_f64() * 1_000.0;
        let at = |share: f64| ms(self.0[((self.0.len() - 1) as f64 * share).round() as usize]);
        println!(
            "{name:<44} {:>7} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>9.0}%",
            self.0.len(),
            ms(first),
            at(0.5),
            at(0.99),
            at(1.0),
            at(0.99) / 16.7 * 100.0
        );
    }
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

fn mixed(len: usize) -> String {
    let mut text = String::new();
    let mut index = 0;
    while text.len() < len {
        index += 1;
        let words = "Some **strong** words with `code` and a [link](https://example.com). "
            .repeat(1 + index % 5);
        let _ = match index % 6 {
            0 => write!(text, "## Heading {index}\n\n{words}\n\n"),
            1 => write!(
                text,
                "1. {words}\n2. second\n   - nested *item*\n   - another\n3. third\n\n"
            ),
            2 => write!(
                text,
                "| model | tok/s | TTFT |\n|---|--:|--:|\n| a{index} | 484.1 | 88 ms |\n| b | 311.0 | {words} |\n\n"
            ),
            3 => write!(text, "```python\n{}```\n\n", code(600)),
            _ => write!(text, "{words}\n\n"),
        };
    }
    text
}

fn code(len: usize) -> String {
    let mut text = String::new();
    let mut index = 0;
    while text.len() < len {
        index += 1;
        let _ = writeln!(
            text,
            "def f{index}(x: int) -> str:\n    # a comment\n    return f\"{{x + {index}}}\" + 'text'\n"
        );
    }
    text
}
