//! The presets of the sheet: one to pick, and what is there to be kept as one.

use egui::{Key, Ui};

use crate::domain::workspace::ChatPreset;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::panes::PaneAction;
use crate::ui::theme::GRID;
use crate::ui::widgets::{
    Choice, Section, caption, field, focus_when_new, picker, small_button, small_button_if,
    small_danger_button,
};

/// The name of a preset that is to be kept, while it is typed.
#[derive(Debug, Default)]
pub(super) struct PresetsUi {
    naming: Option<String>,
}

impl PresetsUi {
    /// Gives the preset that was picked. `edited`: what is there, for the pane at `index`.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        state: &State,
        (index, edited): (usize, &ChatPreset),
        out: &mut Actions,
    ) -> Option<ChatPreset> {
        let presets = &state.workspace.chat_presets;
        let same = presets.iter().find(|(_, preset)| preset == edited);
        let mut chosen = None;
        caption(ui, "Preset");
        if presets.is_empty() {
            caption(ui, "None yet: save what is set here as one");
        } else {
            let choices = presets
                .iter()
                .map(|(name, _)| Choice::plain(name))
                .collect();
            let sections = [Section {
                heading: "",
                choices,
            }];
            let shown = same.map_or("Custom", |(name, _)| name);
            let width = ui.available_width();
            if let Some(name) = picker(ui, "Preset", Some(shown), None, width, &sections) {
                chosen = presets.iter().find(|(of, _)| *of == name);
            }
        }
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GRID;
            let save = small_button(ui, "Save as preset…");
            if save
                .on_hover_text("Keep the system prompt and the parameters, for all environments")
                .clicked()
            {
                self.naming = Some(same.map(|(name, _)| name.clone()).unwrap_or_default());
            }
            if let Some((name, _)) = same
                && small_danger_button(ui, "Delete preset", true)
                    .on_hover_text(format!("Delete the preset {name}. What is set here stays"))
                    .clicked()
            {
                out.push(PaneAction::DeletePreset(name.clone()));
            }
        });
        self.naming_ui(ui, index, out);
        chosen.map(|(_, preset)| preset.clone())
    }

    fn naming_ui(&mut self, ui: &mut Ui, index: usize, out: &mut Actions) {
        let Some(name) = &mut self.naming else {
            return;
        };
        let edit = field(ui, "Preset's name", name, "e.g. Terse");
        focus_when_new(&edit);
        let enter = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let mut done = false;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GRID;
            done = small_button(ui, "Cancel").clicked();
            let can = !name.trim().is_empty();
            let save = small_button_if(ui, can, "Save preset");
            if (save.clicked() || enter) && can {
                out.push(PaneAction::SavePreset(index, name.trim().to_owned()));
                done = true;
            }
        });
        if done {
            self.naming = None;
        }
    }
}
