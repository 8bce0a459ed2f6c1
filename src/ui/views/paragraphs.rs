//! Paragraphs, of which long ones are cut until the user wants to see them whole.

use egui::{Label, RichText, Ui};

use crate::domain::printable;
use crate::ui::widgets::small_button;

/// A paragraph. A long one is cut until the user wants to see it whole.
pub(super) fn wrapped(ui: &mut Ui, text: &str, color: egui::Color32) {
    long_text(ui, text, |text| RichText::new(text).color(color));
}

/// The same in another style.
pub(super) fn long_text(ui: &mut Ui, text: &str, style: impl Fn(&str) -> RichText) {
    const MAX: usize = 600;
    let label = |text: &str| Label::new(style(text)).wrap();
    // Bytes are counted faster than characters, and there are never fewer.
    if text.len() <= MAX || text.chars().nth(MAX).is_none() {
        ui.add(label(text));
        return;
    }
    let id = ui.scope_id().with(("whole", text));
    let mut whole = ui
        .data(|data| data.get_temp::<bool>(id))
        .unwrap_or_default();
    let shown = if whole {
        text.into()
    } else {
        printable::cut(text, MAX)
    };
    ui.add(label(&shown));
    if small_button(ui, if whole { "Show less" } else { "Show all" }).clicked() {
        whole = !whole;
        ui.data_mut(|data| data.insert_temp(id, whole));
    }
}
