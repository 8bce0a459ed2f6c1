//! What opens has the keyboard in its first field, and its buttons stand in the same order everywhere.

use std::collections::BTreeSet;
use std::path::Path;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::floors::sources;
use crate::support::bench::{run, tell};
use crate::support::dropped::{drop_on, on_vision};
use crate::support::pictures;
use crate::support::window::{Window, on_benchmark};
use crate::ui_bench::close;

/// Every dialog of the window, as the sources name it; the tests here open each.
const DIALOGS: [&str; 10] = [
    "attached picture",
    "closing",
    "command palette",
    "conversations",
    "delete environment",
    "history question",
    "import environments",
    "prompts",
    "save as",
    "view code",
];

#[test]
fn every_dialog_is_opened_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    for file in sources(&root) {
        let text = std::fs::read_to_string(root.join(&file)).expect("a source is text");
        let calls = text.split("Modal::new(").skip(1);
        found.extend(calls.map(|call| call.split('"').nth(1).unwrap_or_default().to_owned()));
    }
    assert_eq!(
        found.iter().map(String::as_str).collect::<Vec<_>>(),
        DIALOGS
    );
}

/// The name of what has the keyboard.
fn focused(window: &Window) -> Option<String> {
    let mut nodes = window.root().children_recursive();
    nodes.find_map(|node| {
        let node = node.accesskit_node();
        let name = || {
            node.label()
                .or_else(|| node.labelled_by().find_map(|it| it.value().or(it.label())))
        };
        node.is_focused().then(name).flatten()
    })
}

#[track_caller]
fn has_keyboard(window: &mut Window, name: &str) {
    window.until(&format!("{name:?} has the keyboard"), |window| {
        focused(window).as_deref() == Some(name)
    });
}

/// `leave` stands beside `does`, left of it and on the same line.
#[track_caller]
fn stands_beside(window: &Window, leave: &str, does: &str) {
    let leave = window.button(leave).rect();
    // The page below may have a button of that name.
    let mut all = window.query_all_by_role_and_label(Role::Button, does);
    let is_beside = all.any(|node| {
        let does = node.rect();
        let gap = does.left() - leave.right();
        (leave.center().y - does.center().y).abs() < 2.0 && (0.0..=16.0).contains(&gap)
    });
    assert!(is_beside, "{does:?} is not right of {leave:?}");
}

fn keys(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    window.run_steps(3);
}

fn escape(window: &mut Window) {
    keys(window, Modifiers::NONE, Key::Escape);
}

#[test]
fn the_first_field_of_what_opens_on_the_playground_has_the_keyboard() {
    let mut window = Window::on_demo();
    keys(&mut window, Modifiers::COMMAND | Modifiers::SHIFT, Key::P);
    has_keyboard(&mut window, "Command palette search");
    escape(&mut window);
    keys(&mut window, Modifiers::COMMAND, Key::K);
    has_keyboard(&mut window, "Search conversations");
    window.click("Close");
    keys(&mut window, Modifiers::COMMAND, Key::P);
    has_keyboard(&mut window, "Filter prompts");
    window.click("New prompt…");
    has_keyboard(&mut window, "Name");
    stands_beside(&window, "Cancel", "Save");
    window.click("Cancel");
    has_keyboard(&mut window, "Filter prompts");
    window.click("Close");
    window.click("View code");
    has_keyboard(&mut window, "Close");
    window.click("Close");
    window.click("Parameters");
    has_keyboard(&mut window, "System prompt");
    window.click("Save as preset…");
    has_keyboard(&mut window, "Preset's name");
    stands_beside(&window, "Cancel", "Save preset");
}

#[test]
fn the_first_field_of_what_opens_in_environments_has_the_keyboard() {
    let mut window = Window::start();
    window.click("Environments");
    window.click("Import…");
    has_keyboard(&mut window, "File to import");
    stands_beside(&window, "Cancel", "Add");
    window.click("Cancel");
    window.until("it is closed", |window| !window.has_button("Cancel"));
    window.click("Add");
    has_keyboard(&mut window, "Name");
    window.click("Delete…");
    has_keyboard(&mut window, "Cancel");
    stands_beside(&window, "Cancel", "Delete environment");
    // An Enter too many loses nothing.
    keys(&mut window, Modifiers::NONE, Key::Enter);
    window.until("the question is gone", |window| {
        !window.has_button("Delete environment")
    });
    assert!(window.has_button("Environment New environment"));
}

#[test]
fn the_first_field_of_what_opens_over_a_benchmark_has_the_keyboard() {
    let mut window = on_benchmark();
    window.click("Save as…");
    has_keyboard(&mut window, "Preset's name");
    stands_beside(&window, "Cancel", "Save preset");
    window.click("Cancel");
    let job = run(&mut window, "Quick look");
    tell(&mut window, job, |script| script.level(0, true));
    window.click("Save as CSV");
    has_keyboard(&mut window, "Path");
    stands_beside(&window, "Cancel", "Save");
    window.click("Cancel");
    close(&mut window);
    has_keyboard(&mut window, "Keep running");
    stands_beside(&window, "Keep running", "Stop and close");
}

#[test]
fn the_first_field_of_what_opens_in_the_history_has_the_keyboard() {
    let mut window = Window::on_demo();
    window.ask("Hello");
    window.click("History");
    window.see("Chat: Hello");
    window.click("Tags…");
    has_keyboard(&mut window, "Tags of the session");
    escape(&mut window);
    window.click("Delete…");
    has_keyboard(&mut window, "Cancel");
    stands_beside(&window, "Cancel", "Delete permanently");
    escape(&mut window);
    window.click("Delete older than…");
    window.click("Other age…");
    has_keyboard(&mut window, "Older than, in days");
    stands_beside(&window, "Cancel", "Continue");
    window.type_into("Older than, in days", "7");
    keys(&mut window, Modifiers::NONE, Key::Enter);
    window.see("No session began before");
    has_keyboard(&mut window, "Cancel");
}

#[test]
fn a_picture_that_is_seen_large_is_closed_by_enter() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut window = on_vision();
    let path = pictures::write(dir.path(), "chart.png", (64, 48), [200, 20, 30]);
    drop_on(&mut window, &[&path]);
    window.click("View chart.png, 64 × 48");
    window.see("Sent as PNG");
    has_keyboard(&mut window, "Close");
    keys(&mut window, Modifiers::NONE, Key::Enter);
    window.until("it is closed", |window| !window.shows("Sent as"));
}
