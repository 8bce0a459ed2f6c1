//! The conversations that are kept, in the window: found, opened, named, deleted.

use batida::state::history::conversations::SECOND_THOUGHTS;
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;

use crate::support::api::Api;
use crate::support::window::Window;

fn prompts(window: &mut Window, pane: usize) -> Vec<String> {
    window
        .state_mut()
        .state()
        .panes()
        .chat(pane)
        .turns()
        .iter()
        .map(|turn| turn.said.prompt.clone())
        .collect()
}

/// Two conversations: one about whales, then one about bridges, which is shown.
fn with_two() -> (Api, Window) {
    let api = Api::quick();
    let mut window = api.window();
    window.ask("How heavy are whales?");
    window.key_press_modifiers(Modifiers::COMMAND, Key::N);
    window.see("No messages yet");
    window.ask("Which bridge is the longest?");
    window.ask("And the second longest?");
    (api, window)
}

fn open_list(window: &mut Window) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.until("the list is there", |window| {
        window.shows("How heavy are whales?, ")
    });
}

/// Whether the list has a conversation that begins so.
fn lists(window: &Window, title: &str) -> bool {
    window.line(title).is_some()
}

#[test]
fn conversations_are_found_by_title_and_by_what_was_said_and_opened() {
    let (api, mut window) = with_two();
    window.click("Conversations");
    window.until("both are there", |window| {
        lists(window, "How heavy are whales?") && lists(window, "Which bridge is the longest?")
    });
    let current = window.query_by_label_contains("Which bridge is the longest?, open ·");
    assert!(current.is_some(), "{}", window.told());
    window.see("2 conversations");
    window.type_into("Search conversations", "seco longest");
    window.until("one is left", |window| {
        !lists(window, "How heavy are whales?")
    });
    assert!(
        lists(&window, "Which bridge is the longest?"),
        "by words of its second message"
    );
    window.type_into("Search conversations", "zebra");
    window.see("No matches");
    window.type_into("Search conversations", "whal");
    window.until("the other is left", |window| {
        lists(window, "How heavy are whales?")
    });
    window.key_press(Key::Enter);
    window.see("Opened: How heavy are whales?");
    assert_eq!(prompts(&mut window, 0), ["How heavy are whales?"]);
    window.ask("And elephants?");
    assert!(
        !window.shows("Opened: "),
        "once something is said there is no way back"
    );
    let body = api.bodies().last().cloned().expect("it was asked");
    assert_eq!(
        body["messages"].as_array().map(Vec::len),
        Some(4),
        "it goes on: {body}"
    );
    open_list(&mut window);
    window.until("it is the newest now", |window| {
        let whales = window.query_by_label_contains("How heavy are whales?, open ·");
        let bridges = window.query_by_label_contains("Which bridge is the longest?, ");
        whales
            .zip(bridges)
            .is_some_and(|(whales, bridges)| whales.rect().top() < bridges.rect().top())
    });
}

#[test]
fn opening_one_can_be_undone() {
    let (_api, mut window) = with_two();
    let state = window.state_mut().state();
    state.panes_mut().chat_mut(0).system = "Be brief".to_owned();
    open_list(&mut window);
    window.key_press(Key::ArrowDown);
    window.step();
    window.key_press(Key::Enter);
    window.see("Opened: How heavy are whales?");
    assert_ne!(
        window.state_mut().state().panes().chat(0).system,
        "Be brief"
    );
    window.click("Undo opening");
    window.until("the other is back", |window| !window.shows("Opened: "));
    assert_eq!(
        prompts(&mut window, 0),
        ["Which bridge is the longest?", "And the second longest?"]
    );
    assert_eq!(
        window.state_mut().state().panes().chat(0).system,
        "Be brief"
    );
}

#[test]
fn a_title_that_was_given_stays() {
    let (_api, mut window) = with_two();
    open_list(&mut window);
    window.key_press(Key::F2);
    window.step();
    window.type_into("New title", "Spans");
    window.key_press(Key::Escape);
    window.until("it was left", |window| {
        lists(window, "Which bridge is the longest?")
    });
    window.click("More on Which bridge is the longest?");
    window.click("Rename");
    window.type_into("New title", "  ");
    window.key_press(Key::Enter);
    window.step();
    window.type_into("New title", "Great spans");
    window.key_press(Key::Enter);
    window.until("the row says it", |window| lists(window, "Great spans"));
    window.click("Close");
    window.ask("And the third?");
    let mut window = window.restart();
    window.until("the list is there", |window| {
        window.has_button("Conversations")
    });
    open_list(&mut window);
    window.until("it is still called so", |window| {
        lists(window, "Great spans")
    });
    window.type_into("Search conversations", "great third");
    window.until("it is found by both", |window| {
        lists(window, "Great spans") && !lists(window, "How heavy are whales?")
    });
}

#[test]
fn a_deletion_can_be_undone_and_is_done_after_a_while() {
    let (_api, mut window) = with_two();
    open_list(&mut window);
    window.key_press_modifiers(Modifiers::SHIFT, Key::Delete);
    window.see("Deleted: Which bridge is the longest?");
    assert_eq!(
        prompts(&mut window, 0),
        [""; 0],
        "what is shown goes with it"
    );
    window.click("Undo delete");
    window.until("it is back", |window| {
        lists(window, "Which bridge is the longest?")
    });
    assert_eq!(prompts(&mut window, 0).len(), 2);
    window.click("More on How heavy are whales?");
    window.click("Delete");
    window.see("Deleted: How heavy are whales?");
    let frames = SECOND_THOUGHTS.as_secs_f32() * 60.0;
    for _ in 0..=frames as usize {
        window.step();
    }
    window.until("it is gone", |window| {
        !window.shows("How heavy are whales?")
    });
    window.see("1 conversation");
    assert!(lists(&window, "Which bridge is the longest?"));
    // What is not undone when the window closes is deleted.
    window.key_press_modifiers(Modifiers::SHIFT, Key::Delete);
    window.see("Deleted: Which bridge is the longest?");
    let mut window = window.restart();
    window.until("it can be opened", |window| {
        window.has_button("Conversations")
    });
    window.click("Conversations");
    window.see("No conversations yet");
}

#[test]
fn one_that_is_shown_in_a_pane_is_gone_to_and_a_busy_one_stays() {
    let api = Api::slow();
    let mut window = api.window();
    window.say("Write 3000 tokens");
    window.see("Figures: ");
    window.click("Stop");
    window.see("Stopped");
    window.compare();
    window.see("Pane 2: slow · 2");
    window.click("Conversations");
    window.until("it is there", |window| lists(window, "Write 3000 tokens"));
    window.key_press(Key::Enter);
    window.until("the first pane is the active one", |_| true);
    assert_eq!(window.state_mut().state().panes().active(), 0);
    assert_eq!(prompts(&mut window, 1), [""; 0]);
    window.click("Send to slow · 2");
    window.say("Write 3000 tokens");
    window.until("it answers", |window| window.has_button("Stop slow"));
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.until("it is there", |window| lists(window, "Write 3000 tokens"));
    window.key_press_modifiers(Modifiers::SHIFT, Key::Delete);
    window.run_steps(3);
    assert!(!window.shows("Deleted: "), "{}", window.told());
}

#[test]
fn blind_closes_the_list() {
    let mut window = Window::on_demo();
    window.compare();
    window.click("Blind vote");
    window.see("Models are revealed after you vote; you");
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.run_steps(3);
    assert!(
        window.query_by_label("Search conversations").is_none(),
        "titles and models tell who is who"
    );
}
