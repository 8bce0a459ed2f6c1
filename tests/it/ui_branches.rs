//! A conversation's branches in the window: changed, asked again, left and gone back to, kept and taken up.

use batida::demo::api::{DemoModel, Quirk};
use egui::Key;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::support::api::Api;
use crate::support::window::Window;

/// Clicks the control with this name that belongs to the `n`th turn.
fn click_of(window: &mut Window, n: usize, label: &str) {
    window
        .query_all_by_label(label)
        .nth(n)
        .unwrap_or_else(|| panic!("{}", window.told()))
        .click();
    window.step();
    window.run_steps(2);
}

/// What was sent last, without the system prompt.
fn last_sent(api: &Api) -> Vec<String> {
    let body = api.bodies().pop().expect("something was sent");
    let messages = body["messages"]
        .as_array()
        .expect("there are messages")
        .clone();
    messages
        .iter()
        .skip(1)
        .filter_map(|message| message["content"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn an_earlier_message_is_changed_and_both_branches_can_be_read() {
    let api = Api::quick();
    let mut window = api.window();
    window.ask("one");
    window.ask("two");
    window.type_into("Message", "half typed");
    click_of(&mut window, 0, "Edit message");
    assert_eq!(window.field("Message").value().as_deref(), Some("one"));
    window.see("Editing an earlier message: sending creates a branch");
    window.ask("uno");
    window.see("You asked: uno");
    assert_eq!(last_sent(&api), ["uno"]);
    assert!(!window.shows("You asked: two"));
    assert_eq!(
        window.field("Message").value().as_deref(),
        Some("half typed")
    );
    window.see("Branch 2 of 2");
    window.click("Previous branch");
    window.see("You asked: two");
    assert!(window.shows("Branch 1 of 2") && !window.shows("You asked: uno"));
    assert!(
        window
            .button("Previous branch")
            .accesskit_node()
            .is_disabled()
    );
    window.click("Next branch");
    window.see("You asked: uno");
}

#[test]
fn escape_leaves_a_message_as_it_was() {
    let api = Api::quick();
    let mut window = api.window();
    window.ask("one");
    window.type_into("Message", "mine");
    window.click("Edit message");
    window.field("Message").focus();
    window.step();
    window.key_press(Key::Escape);
    window.step();
    window.until("the draft is back", |window| {
        window.field("Message").value().as_deref() == Some("mine")
    });
    window.click("Edit message");
    window.click("Cancel edit");
    assert_eq!(window.field("Message").value().as_deref(), Some("mine"));
}

#[test]
fn asking_again_keeps_the_answer_and_a_branch_can_begin_at_any() {
    let api = Api::quick();
    let mut window = api.window();
    window.ask("one");
    window.ask("two");
    click_of(&mut window, 0, "Branch here");
    window.see("Your next message starts a new branch here");
    window.click("Go back");
    window.see("You asked: two");
    click_of(&mut window, 0, "Branch here");
    window.ask("other");
    window.see("Branch 2 of 2");
    assert_eq!(last_sent(&api).last().map(String::as_str), Some("other"));
    assert_eq!(last_sent(&api).len(), 3);
    click_of(&mut window, 1, "Regenerate");
    window.see("Branch 3 of 3");
    window.until("it is answered", |window| window.has_button("Send"));
    assert_eq!(last_sent(&api).last().map(String::as_str), Some("other"));
}

#[test]
fn a_stopped_answer_goes_on() {
    let per_token = std::time::Duration::from_millis(10);
    let api = Api::start(vec![DemoModel {
        per_token,
        ..DemoModel::quick("slow", Quirk::None)
    }]);
    let mut window = api.window();
    window.say("Write 3000 tokens");
    window.see("Figures: ");
    window.click("Stop");
    window.see("Stopped");
    window.click("Continue");
    window.until("the rest was asked for", |_| api.bodies().len() == 2);
    let said = last_sent(&api);
    assert_eq!((said.len(), said[0].as_str()), (3, "Write 3000 tokens"));
    assert!(
        !said[1].is_empty() && said[2].starts_with("Continue exactly where you stopped"),
        "{said:?}"
    );
}

#[test]
fn the_history_keeps_all_branches_and_takes_them_up() {
    let api = Api::quick();
    let mut window = api.window();
    window.ask("one");
    window.ask("two");
    click_of(&mut window, 1, "Edit message");
    window.ask("zwei");
    window.click("Clear");
    window.see("No messages yet");
    window.click("History");
    window.click("Open");
    window.see("1 answer on other branches");
    window.see("Branch 2 of 2");
    window.click("Previous branch");
    window.see("You asked: two");
    window.click("Continue");
    window.see("You asked: zwei");
    window.click("Previous branch");
    window.ask("three");
    assert_eq!(last_sent(&api)[0], "one");
    assert_eq!(last_sent(&api)[2], "two");
    assert_eq!(last_sent(&api)[4], "three");
}
