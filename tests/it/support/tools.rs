//! What is done in the window on the way to a page: functions and formats offered, conversations held, panels opened.

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;

use super::window::Window;

/// Opens the parameters and offers the first function, `get_weather`.
pub(crate) fn offer_weather(window: &mut Window) {
    window.click("Parameters");
    press(window, "Add function");
    window.see("Offer get_weather");
    window.click("Parameters (1 set)");
}

/// Offers a second one, `clock`, which takes no arguments.
pub(crate) fn offer_clock(window: &mut Window, parameters: &str) {
    window.click(parameters);
    press(window, "Close get_weather");
    press(window, "Add function");
    window.type_into("Name of function 2", "clock");
    window.type_into("Description of function 2", "Tells the time of day");
    press(window, "Close clock");
    window.click(parameters);
}

/// Presses what may be scrolled out of view, as a screen reader does.
pub(crate) fn press(window: &mut Window, label: &str) {
    window.button(label).click_accesskit();
    window.run_steps(4);
}

pub(crate) fn pick_format(window: &mut Window, name: &str) {
    window
        .get_by_role_and_label(egui::accesskit::Role::ComboBox, "Answer format")
        .click();
    window.run_steps(2);
    window.get_by_label(name).click();
    window.run_steps(2);
}

pub(crate) fn with_conversations() -> Window {
    let mut window = Window::on_demo();
    let long = format!(
        "Why is {} so slow?",
        "a-deployment-with-a-very-long-name-".repeat(3)
    );
    for words in [
        "How heavy are whales?",
        &long,
        "Compare them in a table, with code, and list the steps",
    ] {
        window.key_press_modifiers(Modifiers::COMMAND, Key::N);
        window.step();
        window.ask(words);
    }
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.see("How heavy are whales?, ");
    window.key_press(Key::ArrowDown);
    window.step();
    window
}

pub(crate) fn with_prompts() -> Window {
    let mut window = Window::on_demo();
    window.key_press_modifiers(Modifiers::COMMAND, Key::P);
    window.see("No prompts yet");
    window
}

pub(crate) fn with_embeddings() -> Window {
    let mut window = Window::on_demo();
    window.pick_of_api("E5-Mistral-7B-Instruct");
    window.type_into("Text to embed", "The cat sleeps on the sofa");
    window.type_into("Second text, to compare", "Cats are sleeping on a sofa");
    window.click("Embed");
    window.see("Cosine similarity ");
    window
}
