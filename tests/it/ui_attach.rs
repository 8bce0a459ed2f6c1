//! Attachments in the window: dropped, pasted, shown, refused, sent, and kept.

use std::path::PathBuf;
use std::sync::Arc;

use batida::demo::api::{DemoModel, Quirk};
use batida::domain::conversation::Attachment;
use egui::{Event, Key};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use serde_json::Value;

use crate::support::api::Api;
use crate::support::dropped::{drop_on, folder, note, on_vision};
use crate::support::pictures;
use crate::support::programs::{check_test, say_ran, this_test};
use crate::support::window::Window;
use crate::ui_layout::check;

/// Tells an inner test that it is meant to run.
const INNER: &str = "BATIDA_TEST_ATTACH";

fn attached(window: &mut Window) -> Vec<Attachment> {
    window.state_mut().state().panes().chat(0).attached.clone()
}

#[test]
fn a_dropped_picture_is_sent_seen_by_the_model_and_shown() {
    let dir = folder();
    let mut window = on_vision();
    drop_on(
        &mut window,
        &[&pictures::write(
            dir.path(),
            "chart.png",
            (640, 480),
            [200, 20, 30],
        )],
    );
    window.see("Attached: chart.png, 640 × 480 · ");
    assert!(
        !window.button("Send").accesskit_node().is_disabled(),
        "a picture says enough"
    );
    window.ask("What is it?");
    window.see("a PNG of 640 × 480 pixels, on average red (#c8");
    assert!(attached(&mut window).is_empty() && !window.shows("Attached: "));
    window.click("View chart.png, 640 × 480");
    window.see("Sent as PNG, 640 × 480");
    window.key_press(Key::Escape);
    window.until("it is closed", |window| !window.shows("Sent as"));
    window.click("View chart.png, 640 × 480");
    window.click("Close");
    window.until("it is closed", |window| !window.shows("Sent as"));
    // What was said before goes along.
    window.ask("And now?");
    let messages = window
        .state_mut()
        .state()
        .panes()
        .request(0)
        .expect("a model is picked")
        .messages;
    assert!(
        messages[1].attachments[0].image().is_some(),
        "{:?}",
        messages[1].content
    );
    window.field("Message").focus();
    window.key_press_modifiers(egui::Modifiers::COMMAND, Key::Home);
    window.see("View chart.png, 640 × 480");
}

#[test]
fn a_model_that_sees_nothing_is_told_texts_alone() {
    let dir = folder();
    let mut window = Window::on_demo();
    let picture = pictures::write(dir.path(), "chart.png", (64, 48), [0, 0, 0]);
    drop_on(&mut window, &[&picture, &note(dir.path())]);
    window.see("chart.png was not attached: Meta-Llama-3.3-70B-Instruct cannot see pictures");
    window.see("Pick a model with vision");
    window.click("Dismiss");
    window.see("Attached: note.md, 36 B");
    window.ask("What is the word?");
    window.see("# Notes the secret word is aardvark");
    let text = "# Notes\nthe secret word";
    assert!(!window.shows(text), "it is folded");
    window.click("note.md · 36 B");
    window.see(text);
    window.click("note.md · 36 B");
    window.until("it is folded", |window| !window.shows(text));
}

#[test]
fn a_model_that_is_picked_later_is_looked_at_again() {
    let dir = folder();
    let mut window = on_vision();
    drop_on(
        &mut window,
        &[&pictures::write(
            dir.path(),
            "chart.png",
            (64, 48),
            [0, 0, 0],
        )],
    );
    window.see("Attached: chart.png");
    window.pick_of_api("Qwen3-32B");
    window.see("Qwen3-32B cannot see pictures. Pick a model with vision");
    assert!(window.button("Send").accesskit_node().is_disabled());
    window.say("What is it?");
    window.run_steps(4);
    assert!(!window.shows("You asked"), "nothing is sent");
    window.compare();
    window.see("Untick it, or pick a model with vision");
    window.click("Remove chart.png");
    window.until("it can be sent", |window| {
        !window.button("Send").accesskit_node().is_disabled()
    });
    assert!(!window.shows("cannot see"));
}

#[test]
fn where_nobody_knows_it_is_sent_and_the_server_has_the_word() {
    let dir = folder();
    let models = vec![
        DemoModel::quick("blind", Quirk::None),
        DemoModel::quick("sees", Quirk::None).with_vision(),
    ];
    let api = Api::start(models);
    let mut window = api.window();
    window.pick("Model", "blind");
    drop_on(
        &mut window,
        &[&pictures::write(
            dir.path(),
            "wide.jpg",
            (2_600, 100),
            [30, 60, 220],
        )],
    );
    window.see("Attached: wide.jpg, 2048 × 79");
    window.see("Whether blind can see pictures is not known");
    window.ask("What is it?");
    window.see("blind does not support image input");
    window.pick("Model", "sees");
    window.click("Retry");
    window.see("a JPEG of 2048 × 79 pixels, on average blue");
    let bodies = api.bodies();
    let [text, picture] = bodies[1]["messages"][1]["content"]
        .as_array()
        .expect("parts")
        .as_slice()
    else {
        panic!("{}", bodies[1])
    };
    assert_eq!(text["text"], "What is it?");
    let url = picture["image_url"]["url"].as_str().unwrap_or_default();
    assert!(
        url.starts_with("data:image/jpeg;base64,/9j/"),
        "{}",
        &url[..60]
    );
}

#[test]
fn a_pasted_picture_is_attached_and_a_pasted_text_is_typed() {
    let mut window = on_vision();
    window.field("Message").focus();
    window.step();
    let long = "many words ".repeat(400);
    window.event(Event::Paste(long.clone()));
    let pixels = vec![egui::Color32::from_rgb(10, 120, 30); 30 * 20];
    window.event(Event::PasteImage(Arc::new(egui::ColorImage::new(
        [30, 20],
        pixels,
    ))));
    window.see("Attached: Pasted picture.png, 30 × 20");
    assert_eq!(window.field("Message").value(), Some(long));
    window.type_into("Message", "");
    window.click("Send");
    window.see("a PNG of 30 × 20 pixels, on average green (#0a781e)");
}

#[test]
fn what_cannot_be_attached_is_told_and_the_rest_is_attached() {
    let dir = folder();
    let mut window = on_vision();
    let broken = dir.path().join("broken.png");
    std::fs::write(&broken, b"\x89PNG\r\n\x1a\nnothing").expect("written");
    drop_on(
        &mut window,
        &[
            dir.path(),
            &broken,
            &note(dir.path()),
            &dir.path().join("none.txt"),
        ],
    );
    window.see("was not attached: it is a folder");
    window.see("broken.png was not attached: the picture is damaged");
    window.see("none.txt was not attached: it does not exist");
    window.see("Attached: note.md");
}

#[test]
fn without_a_file_dialog_the_way_around_is_told() {
    // Where there is a desktop, a dialog waits for a person: see `dialog`.
    check_test(
        this_test("ui_attach::inner_has_no_file_dialog")
            .env_clear()
            .env(INNER, "1"),
    );
}

#[test]
fn inner_has_no_file_dialog() {
    if std::env::var_os(INNER).is_none() {
        return;
    }
    let mut window = Window::on_demo();
    window.click("Attach files");
    window.see("No file dialog could be opened");
    window.see("Drag the files onto the window instead");
    say_ran();
}

#[test]
fn a_hint_is_seen_while_files_are_held_above_the_window() {
    let mut window = Window::on_demo();
    window
        .input_mut()
        .hovered_files
        .push(egui::HoveredFile::default());
    window.see("Drop files to attach them");
    window.input_mut().hovered_files.clear();
    window.until("they are gone", |window| {
        !window.shows("Drop files to attach them")
    });
}

#[test]
fn what_is_attached_survives_a_restart_until_it_is_sent() {
    let dir = folder();
    let mut window = on_vision();
    let picture = pictures::write(dir.path(), "chart.png", (64, 48), [0, 0, 0]);
    drop_on(&mut window, &[&picture, &note(dir.path())]);
    window.see("Attached: note.md");
    let before = attached(&mut window);
    let mut window = window.restart();
    window.see("Attached: chart.png, 64 × 48");
    assert_eq!(attached(&mut window), before);
    window.click("Remove chart.png");
    window.ask("Hello");
    let mut window = window.restart();
    window.see("You asked: note.md");
    window.see("Model: gemma-4-31B-it");
    assert!(
        attached(&mut window).is_empty() && !window.shows("Attached"),
        "{}",
        window.told()
    );
}

#[test]
fn what_is_attached_waits_for_settings_that_cannot_be_read_now() {
    let dir = folder();
    let api = Api::start(vec![DemoModel::quick("one", Quirk::None)]);
    let mut window = api.window();
    window.see("Model: one");
    drop_on(&mut window, &[&note(dir.path())]);
    window.see("Attached: note.md");
    let mut window = window.restart();
    window.see("Attached: note.md");
    let path = window.config().join("settings.toml");
    let good = std::fs::read(&path).expect("the settings");
    let mut window =
        window.restart_after(|| std::fs::write(&path, "version = 99\n").expect("written"));
    window.see("it was written by a newer version of Batida");
    // Whatever this window keeps: the draft's environment is not known to it.
    window.type_into("Message", "meanwhile");
    let mut window = window.restart_after(|| std::fs::write(&path, &good).expect("written"));
    window.see("Attached: note.md");
}

#[test]
fn a_changed_message_has_its_picture_again() {
    let dir = folder();
    let mut window = on_vision();
    drop_on(
        &mut window,
        &[&pictures::write(
            dir.path(),
            "chart.png",
            (64, 48),
            [240, 220, 40],
        )],
    );
    window.ask("What is it?");
    window.click("Edit message");
    window.see("Attached: chart.png, 64 × 48");
    window.ask("Which colour?");
    window.see("Branch 2 of 2");
    let chat = &window.state_mut().state().panes().chat(0);
    assert_eq!(chat.turns()[0].said.attachments.len(), 1);
    assert!(
        chat.turns()[0]
            .answer
            .reply
            .text
            .contains("on average yellow"),
        "{}",
        chat.turns()[0].answer.reply.text
    );
}

#[test]
fn the_history_keeps_pictures_and_goes_on_with_them() {
    let dir = folder();
    let mut window = on_vision();
    drop_on(
        &mut window,
        &[&pictures::write(
            dir.path(),
            "chart.png",
            (64, 48),
            [30, 150, 30],
        )],
    );
    window.click("Send");
    window.until("the answer is complete", |window| {
        window.shows("Figures: ") && window.has_button("Send")
    });
    window.click("History");
    window.until("it is called after its file", |window| {
        window.shows("chart.png")
    });
    window.run_steps(10);
    window.key_press(Key::Enter);
    window.see("Session details");
    window.see("View chart.png, 64 × 48");
    window.click("Continue");
    window.see("View chart.png, 64 × 48");
    let messages = window
        .state_mut()
        .state()
        .panes()
        .request(0)
        .expect("a model is picked")
        .messages;
    let pictures = messages
        .iter()
        .flat_map(|message| &message.attachments)
        .filter(|it| it.image().is_some());
    assert_eq!(pictures.count(), 1);
}

#[test]
fn view_code_reads_the_picture_from_a_file() {
    let dir = folder();
    let mut window = on_vision();
    drop_on(
        &mut window,
        &[&pictures::chart(dir.path(), "chart.png", (640, 480))],
    );
    window.click("View code");
    window.see("base64 < chart.png");
    let told = window.told();
    assert!(
        !told.contains("iVBORw0KGgo"),
        "the picture does not hide the program"
    );
    window.click("Python (openai)");
    window.see("data_url(\"image/png\", \"chart.png\")");
}

#[test]
fn two_panes_are_sent_the_same_picture() {
    let dir = folder();
    let models = ["one", "two"]
        .map(|name| DemoModel::quick(name, Quirk::None).with_vision())
        .to_vec();
    let api = Api::start(models);
    let mut window = api.window();
    window.compare();
    window.see("Pane 2: ");
    drop_on(
        &mut window,
        &[&pictures::write(dir.path(), "a.webp", (40, 30), [0, 0, 0])],
    );
    window.see("Attached: a.webp");
    window.ask("What is it?");
    let sent: Vec<Value> = api
        .bodies()
        .iter()
        .map(|body| body["messages"][1]["content"].clone())
        .collect();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
    assert_eq!(window.query_all_by_label("View a.webp, 40 × 30").count(), 2);
}

#[test]
fn what_is_attached_fits_in_the_smallest_window() {
    let dir = folder();
    let mut window = on_vision();
    let long = "a-rather-long-name-of-a-photo-from-a-phone-2026-11-23-with-more-of-it.jpg";
    let files = [
        pictures::chart(dir.path(), long, (900, 1_600)),
        pictures::chart(dir.path(), "chart.png", (1_280, 800)),
        note(dir.path()),
    ];
    drop_on(
        &mut window,
        &files.iter().map(PathBuf::as_path).collect::<Vec<_>>(),
    );
    window.see("Attached: note.md");
    check(&mut window, "a draft with attachments");
    window.ask("What is it?");
    check(&mut window, "a message with attachments");
    drop_on(&mut window, &[&files[1]]);
    window.pick_of_api("Qwen3-32B");
    window.see("cannot see pictures");
    check(&mut window, "a picture for a model that sees none");
}
