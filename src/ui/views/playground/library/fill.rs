//! The values of a prompt's placeholders.

use egui::{Key, Modifiers, ScrollArea, TextEdit, TextStyle, Ui, vec2};

use super::{LibraryUi, PromptUse, View};
use crate::domain::library::Prompt;
use crate::prompts::template::Template;
use crate::ui::theme::GAP;
use crate::ui::widgets::{MARGIN, caption, fit_middle, from_right, primary_button, tokens};

impl LibraryUi {
    pub(super) fn fill_ui(&mut self, ui: &mut Ui, prompt: Prompt, taken: &mut Option<PromptUse>) {
        let template = Template::parse(&prompt.text);
        let places = template.placeholders();
        let send = ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter));
        let enter = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
        let mut back = false;
        ui.horizontal(|ui| {
            let width = ui.available_width() - 80.0;
            let name = fit_middle(ui, &prompt.name, &TextStyle::Heading, width);
            ui.heading(name);
            from_right(ui, |ui| back = ui.button("Back").clicked());
        });
        let foot = 40.0;
        let height = (ui.available_height() - foot).max(60.0);
        ui.allocate_ui(vec2(ui.available_width(), height), |ui| {
            ui.set_min_size(vec2(ui.available_width(), height));
            ScrollArea::vertical()
                .id_salt("values")
                .auto_shrink(false)
                .show(ui, |ui| {
                    ui.set_width(ui.available_width() - 8.0);
                    for place in &places {
                        let typed = self
                            .values
                            .entry((prompt.name.clone(), place.name.clone()))
                            .or_insert_with(|| place.default.clone().unwrap_or_default());
                        let name = caption(ui, &place.name);
                        let edit = TextEdit::multiline(typed)
                            .desired_rows(1)
                            .desired_width(f32::INFINITY)
                            .margin(MARGIN)
                            .hint_text(place.default.clone().unwrap_or_default())
                            .return_key(egui::KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
                        let edit = ui.add(edit).labelled_by(name.id);
                        if std::mem::take(&mut self.fresh) {
                            edit.request_focus();
                        }
                    }
                    ui.add_space(GAP);
                    caption(ui, "Preview");
                    let text = self.filled(&prompt, &template);
                    ui.add(
                        egui::Label::new(egui::RichText::new(text).color(tokens(ui).dim)).wrap(),
                    );
                });
        });
        let mut asked = (enter, send, false);
        ui.horizontal(|ui| {
            from_right(ui, |ui| {
                asked.0 |= primary_button(ui, "Insert", true)
                    .on_hover_text("Enter")
                    .clicked();
                asked.1 |= ui.button("Send").on_hover_text("Ctrl+Enter").clicked();
                asked.2 |= ui.button("Use as system prompt").clicked();
            });
        });
        // Escape leaves the values, not the whole library.
        back |= ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
        let text = self.filled(&prompt, &template);
        *taken = match asked {
            (_, true, _) => Some(PromptUse::Send(text)),
            (true, ..) => Some(PromptUse::Insert(text)),
            (.., true) => Some(PromptUse::System(text)),
            _ => None,
        };
        if back {
            self.go_to_list();
        } else {
            self.view = View::Fill(prompt);
        }
    }

    fn filled(&self, prompt: &Prompt, template: &Template) -> String {
        let key = |name: &str| (prompt.name.clone(), name.to_owned());
        template.fill(|name| self.values.get(&key(name)).map(String::as_str))
    }
}
