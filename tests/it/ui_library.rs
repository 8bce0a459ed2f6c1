//! The kept prompts in the window: filled in, inserted, sent, written, deleted.

use batida::domain::library::{LibraryChange, Prompt, starters};
use batida::domain::workspace::WorkspaceChange;
use batida::io::history::Store;
use egui::accesskit::Toggled;
use egui::{Key, Modifiers};
use egui_kittest::Node;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::support::api::Api;
use crate::support::window::Window;

fn open_library(window: &mut Window) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::P);
    window.until("the library is there", |window| {
        window.query_by_label("Filter prompts").is_some()
    });
    window.until("it was read", |window| !window.shows("Loading prompts"));
}

fn with_starters() -> (Api, Window) {
    let api = Api::quick();
    let mut window = api.window();
    open_library(&mut window);
    window.see("No prompts yet");
    window.click("Add starter prompts");
    window.see(&format!("{} prompts", starters().len()));
    (api, window)
}

#[test]
fn a_click_beside_the_library_does_not_lose_what_is_being_written() {
    let (_api, mut window) = with_starters();
    window.click("New prompt…");
    window.type_into("Name", "Mine");
    window.type_into("Text", "Half a thought");
    window.click_beside();
    window.until("it is closed", |window| !window.shows("New prompt"));
    window.key_press_modifiers(Modifiers::COMMAND, Key::P);
    window.see("New prompt");
    assert_eq!(window.field("Name").value().as_deref(), Some("Mine"));
    assert_eq!(
        window.field("Text").value().as_deref(),
        Some("Half a thought")
    );
    // Whoever takes it back means that, and what was not changed is not worth keeping.
    window.click("Cancel");
    window.see("Filter prompts");
    window.click("New prompt…");
    window.see("for the parts that change");
    window.click_beside();
    window.until("it is closed", |window| !window.shows("New prompt"));
    open_library(&mut window);
}

fn draft(window: &Window) -> String {
    window.field("Message").value().unwrap_or_default()
}

fn names(window: &mut Window) -> Vec<String> {
    let library = window
        .state_mut()
        .state()
        .prompts
        .library
        .clone()
        .expect("it was read");
    library
        .prompts
        .into_iter()
        .map(|prompt| prompt.name)
        .collect()
}

#[test]
fn a_prompt_asks_for_its_values_and_is_inserted() {
    let (api, mut window) = with_starters();
    window.type_into("Filter prompts", "step explain");
    window.until("one is left", |window| {
        !window.has_button("Prompt Translate")
    });
    window.key_press(Key::Enter);
    window.see("Preview");
    assert_eq!(
        window.field("reader").value().as_deref(),
        Some("an engineer who is new to it")
    );
    window.type_into("topic", "TTFT");
    window.see("Explain TTFT to an engineer who is new to it");
    window.key_press(Key::Enter);
    window.until("it is in the draft", |window| {
        draft(window).starts_with("Explain TTFT to an engineer")
    });
    window.step();
    window.key_press(Key::Enter);
    window.until("it is sent", |_| !api.bodies().is_empty());
    let body = api.bodies().remove(0);
    let said = body["messages"][1]["content"].as_str().expect("a text");
    assert!(
        said.starts_with("Explain TTFT to an engineer") && !said.contains("{{"),
        "{said}"
    );
    // What was said last time is offered again.
    open_library(&mut window);
    window.click("Prompt Explain step by step");
    window.see("Preview");
    assert_eq!(window.field("topic").value().as_deref(), Some("TTFT"));
    window.click("Back");
    window.click("Prompt Summarise");
    window.see("Preview");
    assert_eq!(
        window.field("reader").value().as_deref(),
        Some("a colleague"),
        "each prompt has its own"
    );
}

#[test]
fn text_goes_where_the_cursor_is_and_can_be_sent_at_once() {
    let api = Api::quick();
    let mut window = api.window();
    window.type_into("Message", "Änd then?");
    for _ in 0..5 {
        window.key_press(Key::ArrowLeft);
    }
    window.step();
    window.click("Prompts");
    window.see("No prompts yet");
    window.click("Save draft…");
    assert_eq!(window.field("Name").value().as_deref(), Some("Änd then?"));
    window.type_into("Name", "Mine");
    window.type_into("Text", "<\\{{so}}>");
    window.click("Save");
    window.until("it is there", |window| window.has_button("Prompt Mine"));
    window.key_press(Key::Enter);
    window.until("it is inserted", |window| {
        draft(window) == "Änd <{{so}}>then?"
    });
    open_library(&mut window);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    window.until("it is sent", |_| !api.bodies().is_empty());
    assert_eq!(
        api.bodies()[0]["messages"][1]["content"],
        "<{{so}}>",
        "what was shown, and nothing else"
    );
    assert_eq!(draft(&window), "Änd <{{so}}>then?", "what is typed waits");
    window.until("it is answered", |window| window.has_button("Send"));
    // Nor is an earlier message changed by it that somebody was about to change.
    window.click("Edit message");
    window.until("it is edited", |window| draft(window) == "<{{so}}>");
    open_library(&mut window);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    window.until("it is sent", |_| api.bodies().len() == 2);
    let body = api.bodies().last().cloned().expect("it was asked");
    assert_eq!(
        body["messages"].as_array().map(Vec::len),
        Some(4),
        "it goes on: {body}"
    );
    assert_eq!(body["messages"][3]["content"], "<{{so}}>");
}

#[test]
fn prompts_are_edited_doubled_deleted_and_kept() {
    let (_api, mut window) = with_starters();
    window.click("More on Translate");
    window.click("Edit…");
    window.type_into("Name", "Summarise");
    window.see("Another prompt has this name");
    window.type_into("Name", "Into Portuguese");
    window.type_into("Text", "Say {{text}} in Portuguese");
    window.see("Placeholders: text");
    window.click("Save");
    window.until("it is named", |window| {
        window.has_button("Prompt Into Portuguese")
    });
    window.click("More on Into Portuguese");
    window.click("Duplicate");
    window.until("there are two", |window| {
        window.has_button("Prompt Into Portuguese 2")
    });
    assert_eq!(
        names(&mut window)[..3],
        ["Summarise", "Into Portuguese", "Into Portuguese 2"]
    );
    window.click("More on Summarise");
    window.click("Delete");
    window.see("Deleted: Summarise");
    window.until("it is gone", |window| {
        !window.has_button("Prompt Summarise")
    });
    window.click("Undo delete");
    window.until("it is back", |window| window.has_button("Prompt Summarise"));
    window.click("More on Into Portuguese 2");
    window.click("Delete");
    window.see("Deleted: Into Portuguese 2");
    // Closed at once: what was asked for is done before.
    let mut window = window.restart();
    window.until("it can be opened", |window| window.has_button("Prompts"));
    open_library(&mut window);
    window.until("it is there", |window| {
        window.has_button("Prompt Into Portuguese")
    });
    let names = names(&mut window);
    assert_eq!(names.len(), starters().len());
    assert_eq!(names[..2], ["Summarise", "Into Portuguese"]);
}

#[test]
fn a_prompt_becomes_the_system_prompt() {
    let (api, mut window) = with_starters();
    window.click("More on System: terse expert");
    window.click("Use as system prompt");
    window.see("Preview");
    window.type_into("field", "baking");
    window.click("Use as system prompt");
    window.see("System prompt set");
    window.ask("Hello");
    let said = api.bodies()[0]["messages"][0]["content"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(said.starts_with("You are an expert in baking."), "{said}");
}

#[test]
fn escape_goes_back_before_it_closes() {
    let (_api, mut window) = with_starters();
    window.click("Prompt Summarise");
    window.see("Preview");
    window.key_press(Key::Escape);
    window.until("the list is back", |window| {
        window.query_by_label("Filter prompts").is_some()
    });
    window.key_press(Key::F2);
    window.see("Edit prompt");
    window.key_press(Key::Escape);
    window.until("the list is back", |window| {
        window.query_by_label("Filter prompts").is_some()
    });
    window.key_press(Key::Escape);
    window.until("it is closed", |window| {
        window.query_by_label("Filter prompts").is_none()
    });
    window.step();
    window.ask("One can type on");
}

#[test]
fn many_prompts_are_gone_through_with_the_keyboard_alone() {
    let api = Api::quick();
    let mut window = api.window();
    let many = (1..=40)
        .map(|n| Prompt::new(format!("Number {n:02}"), format!("say {n}")))
        .collect();
    let store = Store::open(window.config()).expect("it opens").store;
    let change = WorkspaceChange::Prompts(LibraryChange::Add(many));
    store.keep_workspace(&[change]).expect("written");
    open_library(&mut window);
    window.until("they are there", |window| {
        window.has_button("Prompt Number 01")
    });
    assert!(!window.has_button("Prompt Number 40"), "not all have room");
    let marked = |window: &Window| {
        let all = window.query_all_by_label_contains("Prompt Number ");
        let toggled = |node: &Node<'_>| node.accesskit_node().toggled() == Some(Toggled::True);
        all.filter(toggled)
            .filter_map(|node| node.accesskit_node().label())
            .collect::<Vec<_>>()
    };
    assert_eq!(marked(&window), ["Prompt Number 01"]);
    window.key_press(Key::ArrowDown);
    window.step();
    assert_eq!(marked(&window), ["Prompt Number 02"]);
    window.key_press(Key::PageDown);
    window.run_steps(2);
    let [paged] = marked(&window).try_into().expect("it is in sight");
    assert!(
        *paged > *"Prompt Number 05",
        "a page is more than a few rows: {paged}"
    );
    for _ in 0..9 {
        window.key_press(Key::PageDown);
        window.step();
    }
    window.run_steps(2);
    assert_eq!(
        marked(&window),
        ["Prompt Number 40"],
        "the last, and it was scrolled to"
    );
    window.key_press(Key::PageUp);
    window.key_press(Key::Enter);
    window.until("it is inserted", |window| draft(window).starts_with("say "));
    assert_ne!(draft(&window), "say 40");
}
