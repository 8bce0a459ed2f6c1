//! The conversation on the screen: what is shown of it, and what stays where it is.

use std::fmt::Write as _;

use batida::ui::theme;
use batida::ui::transcript::{Body, FOLD_HEIGHT, Row, RowSource, Shown, Tone, Transcript, fold_ui};
use egui::{Id, Ui, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

/// Rows of text, each with a row of our own below it.
struct Chat {
    view: Transcript,
    rows: Texts,
    shown: Option<Shown>,
}

#[derive(Default)]
struct Texts {
    texts: Vec<(Tone, String)>,
    growing: bool,
    drawn: usize,
}

impl RowSource for Texts {
    fn len(&self) -> usize {
        self.texts.len() * 2
    }

    fn row(&self, index: usize) -> Row<'_> {
        let (tone, text) = &self.texts[index / 2];
        let body = if index.is_multiple_of(2) {
            let growing = self.growing && index + 2 == self.len();
            Body::Text {
                text,
                tone: *tone,
                growing,
            }
        } else {
            Body::Own { estimate: 10.0 }
        };
        Row {
            key: index as u64,
            gap: 8.0,
            body,
        }
    }

    fn draw(&mut self, index: usize, ui: &mut Ui) {
        self.drawn += 1;
        ui.label(format!("below {}", index / 2));
    }
}

fn chat(texts: Vec<(Tone, String)>) -> Harness<'static, Chat> {
    chat_in(texts, vec2(700.0, 500.0), false)
}

/// `tofu`: of a script that none of the installed fonts may have.
fn chat_in(texts: Vec<(Tone, String)>, size: egui::Vec2, tofu: bool) -> Harness<'static, Chat> {
    let rows = Texts {
        texts,
        ..Texts::default()
    };
    let chat = Chat {
        view: Transcript::default(),
        rows,
        shown: None,
    };
    let builder = Harness::builder().with_size(size);
    let builder = match tofu {
        true => builder.allow_missing_glyphs(),
        false => builder,
    };
    builder.with_context_setup(theme::install).build_ui_state(
        |ui, chat| chat.shown = Some(chat.view.show(ui, Id::unique("chat"), &mut chat.rows)),
        chat,
    )
}

fn answer(text: &str) -> Harness<'static, Chat> {
    chat(vec![(Tone::Answer, text.to_owned())])
}

fn messages(count: usize) -> Vec<(Tone, String)> {
    let message = |index: usize| {
        let paragraphs = (0..1 + index * 7 % 5).fold(format!("Message {index}"), |mut text, p| {
            let _ = write!(
                text,
                "\n\nParagraph {p} of {index}: {}",
                "some words ".repeat(1 + index * 13 % 40)
            );
            text
        });
        (
            if index.is_multiple_of(2) {
                Tone::Prompt
            } else {
                Tone::Answer
            },
            paragraphs,
        )
    };
    (0..count).map(message).collect()
}

fn shown(harness: &Harness<'_, Chat>) -> Shown {
    harness.state().shown.expect("it was drawn")
}

#[test]
fn code_has_its_language_and_can_be_copied() {
    let mut harness =
        answer("Look:\n\n```rust\nfn main() {}\n```\n\nAnd\n\n- item\n\n  ```sh\n  ls\n  ```\n");
    harness.run();
    harness.get_by_label("fn main() {}");
    let buttons: Vec<_> = harness.get_all_by_label("Copy code").collect();
    assert_eq!(buttons.len(), 2, "code in a list has its own");
    buttons[0].click();
    harness.step();
    let copied =
        harness
            .output()
            .platform_output
            .commands
            .iter()
            .find_map(|command| match command {
                egui::OutputCommand::CopyText(text) => Some(text.clone()),
                _ => None,
            });
    assert_eq!(copied.as_deref(), Some("fn main() {}\n"));
    harness.step();
    harness.get_by_label("Copied");
}

#[test]
fn an_open_fence_is_shown_as_code_while_it_arrives() {
    let mut harness = answer("```python\nprint(1)");
    harness.state_mut().rows.growing = true;
    harness.run();
    harness.get_by_label("Copy code");
    harness.get_by_label("print(1)");
}

#[test]
fn tables_lists_and_emphasis_are_shown() {
    let mut harness = answer(
        "# Title\n\n| model | tok/s |\n|:--|--:|\n| **fast** | 484.1 |\n\n1. one\n1. two\n   - deep `code`\n\n\
         > quoted\n\n---\n\n- [x] done\n- [ ] open\n\n~~gone~~ *slanted*",
    );
    harness.run();
    for text in [
        "Title",
        "model",
        "tok/s",
        "fast",
        "484.1",
        "one",
        "two",
        "deep code",
        "quoted",
        "Done",
        "To do",
        "gone slanted",
    ] {
        harness.get_by_label(text);
    }
}

#[test]
fn nothing_is_fetched_and_nothing_is_hidden() {
    let mut harness = answer(
        "<div class=\"x\">raw</div>\n\n![A chart](https://example.com/c.png) and ![l](file:///etc/passwd)\n\n\
         [ref]: https://example.com/ref\n\n<b>bold</b> a<br>b",
    );
    harness.run();
    harness.get_by_label("<div class=\"x\">raw</div>");
    harness.get_by_role_and_label(egui::accesskit::Role::Link, "Image: A chart");
    harness.get_by_label("Image: A chart and Image: l (file:///etc/passwd)");
    harness.get_by_label("[ref]: https://example.com/ref");
    harness.get_by_label("<b>bold</b> a\nb");
}

#[test]
fn a_link_opens_when_it_is_clicked() {
    let mut harness = answer("See [the docs](https://example.com/docs) please");
    harness.run();
    harness
        .get_by_role_and_label(egui::accesskit::Role::Link, "the docs")
        .click();
    harness.step();
    let opened =
        harness
            .output()
            .platform_output
            .commands
            .iter()
            .find_map(|command| match command {
                egui::OutputCommand::OpenUrl(open) => Some(open.url.clone()),
                _ => None,
            });
    assert_eq!(opened.as_deref(), Some("https://example.com/docs"));
}

#[test]
fn a_long_conversation_opens_at_its_end_and_lays_out_only_what_is_seen() {
    let mut harness = chat(messages(2_000));
    harness.run();
    assert!(shown(&harness).at_end);
    assert!(shown(&harness).laid_out < 60, "{:?}", shown(&harness));
    harness.get_by_label("below 1999");
    assert!(harness.query_by_label("below 0").is_none());
    assert!(harness.query_by_label("Jump to latest").is_none());
}

#[test]
fn a_message_can_be_brought_to_the_top() {
    let mut harness = chat(messages(2_000));
    harness.run();
    harness.state_mut().view.scroll_to(2 * 777);
    harness.run();
    let first = harness.get_by_label_contains("Message 777").rect();
    assert!((0.0..60.0).contains(&first.top()), "{first:?}");
    assert!(!shown(&harness).at_end);

    harness.get_by_label("Jump to latest").click();
    harness.run();
    assert!(shown(&harness).at_end);
    harness.get_by_label("below 1999");
}

#[test]
fn what_is_read_stays_where_it_is_while_scrolling_up_through_estimates() {
    let mut harness = chat(messages(400));
    harness.run();
    harness.state_mut().view.scroll_to(2 * 300);
    harness.run();
    let mut compared = 0;
    for _ in 0..200 {
        let before: Vec<(String, f32)> = places(&harness);
        harness.state_mut().view.scroll_by(-40.0);
        harness.step();
        let after = places(&harness);
        let common: Vec<f32> = before
            .iter()
            .filter_map(|(name, y)| Some(after.iter().find(|(other, _)| other == name)?.1 - y))
            .collect();
        compared += common.len();
        for moved in common {
            assert!((moved - 40.0).abs() < 1.5, "moved by {moved} instead of 40");
        }
        harness.step();
    }
    assert!(compared > 200, "{compared}");
}

fn places(harness: &Harness<'_, Chat>) -> Vec<(String, f32)> {
    harness
        .query_all_by_label_contains(" of ")
        .filter_map(|node| {
            let rect = node.rect();
            // What is cut by the window's edge may report the part that is seen.
            (rect.top() > 5.0 && rect.bottom() < 495.0).then(|| {
                (
                    format!("{:?}", node.accesskit_node().label().or(node.value())),
                    rect.top(),
                )
            })
        })
        .collect()
}

#[test]
fn the_end_is_followed_until_the_user_scrolls_up() {
    let mut harness = answer("start");
    harness.state_mut().rows.growing = true;
    let grow = |harness: &mut Harness<'_, Chat>, from: usize| {
        for index in from..from + 40 {
            let (_, text) = &mut harness.state_mut().rows.texts[0];
            let _ = write!(text, "\n\nLine {index} {}", "word ".repeat(30));
            harness.step();
        }
    };
    grow(&mut harness, 0);
    harness.get_by_label("below 0");
    assert!(shown(&harness).at_end);

    harness.hover_at(egui::pos2(300.0, 250.0));
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, 300.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: egui::Modifiers::NONE,
    });
    harness.run_steps(30);
    assert!(!shown(&harness).at_end);
    let seen = harness.get_by_label_contains("Line 28").rect();
    grow(&mut harness, 40);
    let still = harness.get_by_label_contains("Line 28").rect();
    assert!((seen.top() - still.top()).abs() < 0.6, "{seen:?} {still:?}");
    harness.get_by_label("Jump to latest").click();
    harness.run_steps(3);
    harness.get_by_label("below 0");
}

#[test]
fn one_message_of_400_kb_is_laid_out_in_parts() {
    for text in [
        "word ".repeat(80_000),
        format!("```\n{}", "let x = 1;\n".repeat(40_000)),
        "a\n\n".repeat(130_000),
    ] {
        let mut harness = answer(&text);
        harness.run();
        assert!(shown(&harness).laid_out < 80, "{:?}", shown(&harness));
        harness.get_by_label("below 0");
    }
}

#[test]
fn reasoning_folds() {
    let mut harness = Harness::builder()
        .with_context_setup(theme::install)
        .build_ui_state(
            |ui, open: &mut bool| {
                assert_eq!(
                    fold_ui(ui, open, "Reasoning · 214 tokens · 0.31 s")
                        .rect
                        .height(),
                    FOLD_HEIGHT
                );
            },
            false,
        );
    harness.run();
    harness
        .get_by_label("Reasoning · 214 tokens · 0.31 s")
        .click();
    harness.run();
    assert!(*harness.state());
}

/// The words of a text that was drawn, which are also what is selected and copied.
fn words(harness: &Harness<'_, Chat>) -> Vec<String> {
    let nodes = harness.get_all(
        egui_kittest::kittest::By::new()
            .predicate(|node| node.role() == egui::accesskit::Role::Label),
    );
    let text = |node: egui_kittest::Node<'_>| node.accesskit_node().value();
    nodes.filter_map(text).collect()
}

#[test]
fn formulas_are_shown_in_signs_or_as_they_are_written() {
    let text = "Mass: \\(E = mc^2\\), and\n\n\\[ \\frac{a}{b}\n- \\sum_{i=1}^n i \\]\n\n\
                but $$\\hat{x}_1 * y_*$$ and \\(open_a_";
    let mut harness = answer(text);
    harness.run();
    let words = words(&harness);
    assert_eq!(words[0], "Mass: E = mc², and");
    assert_eq!(words[1], "a/b − ∑ᵢ₌₁ⁿ i");
    assert_eq!(words[2], "but \n$$\\hat{x}_1 * y_*$$\nand \\(open_a_");
}

#[test]
fn bare_addresses_are_links_and_footnotes_are_marked() {
    let mut harness = answer(
        "See https://a.example/b_c_d, or [this](https://b.example) and `https://c.example`.[^1]\n\n\
         [^1]: It is *there*.\n\n    Twice.",
    );
    harness.run();
    harness.get_by_role_and_label(egui::accesskit::Role::Link, "https://a.example/b_c_d");
    harness.get_by_role_and_label(egui::accesskit::Role::Link, "this");
    let links = harness.get_all_by_role(egui::accesskit::Role::Link);
    assert_eq!(links.count(), 2, "code is none");
    let words = words(&harness);
    assert!(words[0].ends_with(".[1]"), "{words:?}");
    assert_eq!(words[1], "[1] It is there.");
    assert_eq!(words[2], "Twice.");
}

#[test]
fn text_from_the_right_stays_in_the_order_in_which_it_is_written() {
    let text = "שלום עולם, https://a.example/x (כן)";
    let of = |tone, text: &str| chat_in(vec![(tone, text.to_owned())], vec2(700.0, 500.0), true);
    let mut harness = of(Tone::Answer, text);
    harness.run();
    assert_eq!(words(&harness)[0], text);
    let link = harness
        .get_by_role_and_label(egui::accesskit::Role::Link, "https://a.example/x")
        .rect();
    // The paragraph is at the right; the link is to the left of the words before it.
    assert!(link.right() < 600.0 && link.left() > 350.0, "{link:?}");
    let mut harness = of(Tone::Prompt, "שלום");
    harness.run();
    let bubble = harness.get_by_label("שלום").rect();
    assert!(bubble.width() < 80.0, "{bubble:?}");
}

/// Each sign of code has a glyph of its own.
#[test]
fn code_is_shown_without_ligatures() {
    let ctx = egui::Context::default();
    theme::install(&ctx);
    let mut output = ctx.run_ui(egui::RawInput::default(), |ui| {
        let font = egui::FontId::monospace(12.0);
        let glyphs = |text: &str| {
            let galley = ui.fonts_mut(|fonts| {
                fonts.layout_no_wrap(text.to_owned(), font.clone(), egui::Color32::PLACEHOLDER)
            });
            let glyphs = galley.rows[0].glyphs.iter();
            glyphs.map(|glyph| glyph.uv_rect).collect::<Vec<_>>()
        };
        for pair in ["!=", "->", "=>", "==", "<=", "fi"] {
            let alone = pair.chars().flat_map(|sign| glyphs(&format!("{sign}")));
            let alone: Vec<_> = alone.map(|rect| rect.size).collect();
            let together: Vec<_> = glyphs(pair).iter().map(|rect| rect.size).collect();
            let same = together.iter().zip(&alone);
            // They may stand between two pixels.
            let same = same.filter(|(a, b)| (**a - **b).length() < 2.0).count();
            assert_eq!(
                (same, together.len()),
                (2, 2),
                "{pair}: {together:?} {alone:?}"
            );
        }
    });
    output.textures_delta.clear();
}

#[test]
fn lines_are_at_most_about_ninety_letters_wide() {
    let text = "some words to be read ".repeat(40);
    let both = vec![(Tone::Prompt, text.clone()), (Tone::Answer, text)];
    let mut harness = chat_in(both, vec2(2_200.0, 1_000.0), false);
    harness.run();
    let lines: Vec<_> = harness.get_all_by_label_contains("some words").collect();
    for line in lines {
        let rect = line.rect();
        assert!((400.0..610.0).contains(&rect.width()), "{rect}");
        assert!(
            rect.left() > 690.0 && rect.right() < 1_510.0,
            "in the middle: {rect}"
        );
        let letters = 22.0 * 40.0 / (rect.height() / 20.0);
        assert!((60.0..100.0).contains(&letters), "{letters} a line");
    }
}
