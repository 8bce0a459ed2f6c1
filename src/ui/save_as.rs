//! Asks for a path where there is no file dialog: for everything that the window saves.

use egui::{Context, Id, Key, Label, Modal, RichText};

use super::theme::GRID;
use super::widgets::{answers, field, focus_when_new, primary_button, strong, tokens};
use crate::state::State;
use crate::state::action::{Action, Actions};

/// The path that is being typed.
#[derive(Default)]
pub(super) struct SaveAs {
    typed: Option<String>,
}

impl SaveAs {
    /// Draws the dialog while a path is needed.
    pub(super) fn show(&mut self, ctx: &Context, state: &State, out: &mut Actions) {
        let Some(needed) = &state.path_needed else {
            self.typed = None;
            return;
        };
        let typed = self.typed.get_or_insert_with(|| needed.path.clone());
        let mut path = None;
        let modal = Modal::new(Id::unique("save as")).show(ctx, |ui| {
            ui.set_width(440.0);
            ui.spacing_mut().item_spacing.y = GRID;
            strong(ui, format!("Save {}", needed.unsaved.what()));
            let why = format!("{}. {}", needed.why.summary, needed.why.advice);
            let dim = tokens(ui).dim;
            ui.add(Label::new(RichText::new(why).color(dim)).wrap());
            let edit = field(ui, "Path", typed, "~/report.json");
            focus_when_new(&edit);
            let enter = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            ui.add_space(GRID);
            let can = !typed.trim().is_empty();
            let answer = answers(ui, "Cancel", true, |ui| primary_button(ui, "Save", can));
            if (answer.done || enter) && can {
                path = Some(Some(typed.clone()));
            }
            if answer.left {
                path = Some(None);
            }
        });
        if modal.should_close() {
            path.get_or_insert(None);
        }
        if let Some(path) = path {
            self.typed = None;
            out.push(Action::SaveAt(path));
        }
    }
}
