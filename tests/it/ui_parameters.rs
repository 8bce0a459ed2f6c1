//! The sheet of parameters, presets, the context's use, and the divider beside the figures.

use batida::domain::conversation::DEFAULT_SYSTEM_PROMPT;
use egui::{Key, Modifiers, pos2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::support::api::Api;
use crate::support::window::{LARGE, SMALL, Window};

/// What is typed in a field.
fn typed(window: &Window, label: &str) -> String {
    let field = window.field(label);
    field.accesskit_node().value().unwrap_or_default()
}

#[test]
fn parameters_stand_in_one_column_at_the_right_of_the_chat() {
    let mut window = Window::on_demo();
    window.ask("Hello");
    window.click("Parameters");
    for size in [LARGE, SMALL] {
        window.set_size(size);
        window.run_steps(3);
        let message = window.field("Message").rect();
        let system = window.field("System prompt").rect();
        assert!(
            system.left() > message.right(),
            "{size}: {message} {system}"
        );
        let ticks = [
            "Max tokens",
            "Temperature",
            "Top p",
            "Top k",
            "Seed",
            "Reasoning effort",
        ];
        let ticks = ticks.map(|name| window.button(name).rect());
        for tick in ticks {
            assert_eq!(tick.left(), ticks[0].left(), "{size}: {ticks:?}");
        }
        let others = ticks
            .windows(2)
            .all(|pair| pair[0].bottom() <= pair[1].top() + 1.0);
        assert!(others, "{size}: {ticks:?}");
    }
    window.click("Close parameters");
    window.until("it is closed", |window| !window.shows("System prompt"));
}

#[test]
fn escape_closes_the_sheet_and_the_next_message_can_be_typed() {
    let mut window = Window::on_demo();
    window.click("Parameters");
    window.see("System prompt");
    window.key_press(Key::Escape);
    window.until("it is closed", |window| !window.shows("System prompt"));
    window.until("one can type on", |window| {
        window.field("Message").is_focused()
    });
}

#[test]
fn parameters_are_reset_each_or_all_and_that_can_be_undone() {
    let mut window = Window::on_demo();
    window.click("Parameters");
    window.type_into("System prompt", "Answer in rhyme");
    window.click("Max tokens");
    window.click("Thinking");
    window.see("Parameters (2 set)");
    window.click("Thinking");
    window.see("Parameters (1 set)");
    window.click("Reset all");
    window.until("none is set", |window| window.has_button("Parameters"));
    assert_eq!(typed(&window, "System prompt"), DEFAULT_SYSTEM_PROMPT);
    window.click("Undo");
    window.see("Parameters (1 set)");
    assert_eq!(typed(&window, "System prompt"), "Answer in rhyme");
    assert!(!window.has_button("Undo"));
}

#[test]
fn presets_are_kept_over_a_restart() {
    let mut window = Window::on_demo();
    window.click("Parameters");
    window.type_into("System prompt", "Answer in rhyme");
    window.click("Seed");
    window.type_into("Stop sequences, one per line; \\n for a line break", "END");
    window.click("Save as preset…");
    window.type_into("Preset's name", "Rhymes");
    window.click("Save preset");
    window.see("Preset: Rhymes");
    window.click("Reset all");
    window.see("Preset: Custom");
    window.until("it is kept", |window| {
        window
            .kept()
            .chat_presets
            .iter()
            .any(|(name, _)| name == "Rhymes")
    });
    let mut window = window.restart();
    window.click("Parameters");
    window.pick("Preset", "Rhymes");
    window.see("Parameters (2 set)");
    assert_eq!(typed(&window, "System prompt"), "Answer in rhyme");
    let stop = typed(
        &window,
        "Stop sequences, one per line; \\n for a line break",
    );
    assert_eq!(stop, "END");
    window.click("Delete preset");
    window.see("None yet");
    window.until("it is deleted", |window| {
        window.kept().chat_presets.is_empty()
    });
    assert_eq!(
        typed(&window, "System prompt"),
        "Answer in rhyme",
        "it stays"
    );
}

#[test]
fn the_conversation_is_counted_against_the_context() {
    let mut window = Window::on_demo();
    window.click("Parameters");
    // The default system prompt: 27 letters.
    window.see("about 7 of 131,072 tokens");
    window.type_into("Message", "12345678");
    window.see("about 9 of 131,072 tokens");
    window.ask("Write 100 tokens");
    let told = window.told();
    let turns = window.state_mut().state().panes().chat(0).turns();
    let figures = &turns[0].answer.reply.figures;
    let (asked, answered) = (figures.prompt_tokens, figures.tokens.map(|tokens| tokens.n));
    let used = asked.unwrap_or_default() + answered.unwrap_or_default();
    assert!(
        used > 100 && told.contains(&format!("about {used} of 131,072 tokens")),
        "{told}"
    );
    let api = Api::quick();
    let mut window = api.window();
    window.click("Parameters");
    window.see("about 7 tokens; the model's limit is unknown");
}

/// How wide the chat is.
fn chat_width(window: &Window) -> f32 {
    window.field("Message").rect().width()
}

#[test]
fn the_divider_is_dragged_and_stays_over_a_restart() {
    let mut window = Window::on_demo();
    window.run_steps(3);
    let before = chat_width(&window);
    let at = window.get_by_label("Resize figures").rect().center();
    window.drag_at(at);
    window.step();
    window.hover_at(at + vec2(-80.0, 0.0));
    window.step();
    window.drop_at(at + vec2(-80.0, 0.0));
    window.run_steps(3);
    let after = chat_width(&window);
    assert!((before - after - 80.0).abs() < 2.0, "{before} {after}");
    window.until("it is kept", |window| {
        window.kept().layout.figures.is_some()
    });
    let mut window = window.restart();
    window.until("it is drawn", |window| window.shows("Resize figures"));
    window.run_steps(3);
    assert!((chat_width(&window) - after).abs() < 1.0);
    window.get_by_label("Resize figures").focus();
    window.step();
    window.key_press_modifiers(Modifiers::NONE, Key::ArrowRight);
    window.run_steps(3);
    assert!((chat_width(&window) - after - 16.0).abs() < 1.0);
    // Far beyond the window the chat keeps its room.
    let at = window.get_by_label("Resize figures").rect().center();
    window.drag_at(at);
    window.step();
    window.drop_at(pos2(-500.0, at.y));
    window.run_steps(3);
    assert!(chat_width(&window) > 380.0, "{}", chat_width(&window));
}
