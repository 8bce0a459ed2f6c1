//! A prompt that is written or changed.

use egui::{Key, Modifiers, ScrollArea, TextEdit, TextStyle, Ui};

use super::{LibraryUi, View};
use crate::domain::library::{LibraryChange, MOST_NAME, Prompt};
use crate::prompts::template::Template;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::library::PromptsAction;
use crate::ui::widgets::{
    MARGIN, answers, caption, field, field_error, fit_middle, focus_when_new, primary_button,
    strong,
};

impl LibraryUi {
    pub(super) fn edit(&mut self, old: Option<String>, prompt: Prompt) {
        self.began = Some(prompt.clone());
        self.view = View::Edit(old, prompt);
    }

    pub(super) fn edit_ui(
        &mut self,
        ui: &mut Ui,
        state: &State,
        old: Option<String>,
        mut prompt: Prompt,
        out: &mut Actions,
    ) {
        strong(
            ui,
            if old.is_some() {
                "Edit prompt"
            } else {
                "New prompt"
            },
        );
        let name = field(ui, "Name", &mut prompt.name, "What the prompt is for");
        focus_when_new(&name);
        let typed = prompt.name.trim();
        let wrong = name_fault(state, old.as_deref(), typed);
        if let Some(wrong) = &wrong {
            field_error(ui, wrong);
        }
        let label = caption(ui, "Text");
        let height = (ui.available_height() - 74.0).max(60.0);
        ScrollArea::vertical()
            .id_salt("prompt text")
            .max_height(height)
            .auto_shrink([false, true])
            .show(ui, |ui| {
                let rows = (height / ui.text_style_height(&TextStyle::Body))
                    .floor()
                    .max(3.0) as usize
                    - 1;
                let edit = TextEdit::multiline(&mut prompt.text)
                    .desired_width(f32::INFINITY)
                    .desired_rows(rows)
                    .margin(MARGIN)
                    .hint_text("Explain {{topic}} in {{sentences=two}} sentences");
                ui.add(edit).labelled_by(label.id);
            });
        placeholders_ui(ui, &prompt.text);
        let ready = wrong.is_none() && !typed.is_empty() && !prompt.text.trim().is_empty();
        let answer = answers(ui, "Cancel", true, |ui| primary_button(ui, "Save", ready));
        let save = answer.done;
        // Escape leaves what is written, not the whole library.
        let back =
            answer.left | ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
        if save {
            prompt.name = prompt.name.trim().to_owned();
            out.push(PromptsAction::Change(LibraryChange::Put {
                old: old.clone(),
                prompt: prompt.clone(),
            }));
        }
        if save || back {
            self.go_to_list();
        } else {
            self.view = View::Edit(old, prompt);
        }
    }
}

/// Why a prompt cannot have this name.
fn name_fault(state: &State, old: Option<&str>, name: &str) -> Option<String> {
    let library = state.prompts.library.as_ref();
    let all = library
        .map(|library| library.prompts.as_slice())
        .unwrap_or_default();
    if Some(name) != old && all.iter().any(|known| known.name == name) {
        Some("Another prompt has this name".to_owned())
    } else if name.chars().count() > MOST_NAME {
        Some(format!("Use at most {MOST_NAME} characters"))
    } else {
        None
    }
}

/// The placeholders of a text, or how to write one.
fn placeholders_ui(ui: &mut Ui, text: &str) {
    let places = Template::parse(text).placeholders();
    let told: Vec<String> = places
        .iter()
        .map(|place| {
            match place
                .default
                .as_deref()
                .filter(|default| !default.is_empty())
            {
                Some(default) => format!("{} ({default})", place.name),
                None => place.name.clone(),
            }
        })
        .collect();
    let told = match told.is_empty() {
        true => "Use {{name}} or {{name=default}} for the parts that change".to_owned(),
        false => format!("Placeholders: {}", told.join(", ")),
    };
    let width = ui.available_width();
    let told = fit_middle(ui, &told, &TextStyle::Small, width);
    caption(ui, told);
}
