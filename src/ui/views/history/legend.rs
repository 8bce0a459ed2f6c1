//! Which colour and sign belongs to which of the compared sessions.

use egui::{Role, Sense, TextStyle, Ui, WidgetInfo, vec2};

use super::lines::{self, Sheet};
use super::names;
use super::parts::dim;
use crate::chart::{Color, Dash, Look, Weight};
use crate::domain::history::SessionId;
use crate::state::State;
use crate::ui::chart::{line_ui, marker_ui};
use crate::ui::theme::{GAP, GRID};
use crate::ui::widgets::{caption, shortened, small_button, tokens};

/// Whose colour and sign is whose, and which model's lines have which pattern. Gives the session that is to
/// become the baseline.
pub(super) fn legend_ui(ui: &mut Ui, state: &State, sheets: &[Sheet<'_>]) -> Option<SessionId> {
    let tokens = tokens(ui);
    let mut first = None;
    let history = &state.history;
    let models_of = |id: &SessionId| history.row_of(id).map(|row| row.models.join(", "));
    let same_models = history
        .chosen
        .windows(2)
        .all(|pair| models_of(&pair[0]) == models_of(&pair[1]));
    let names = names(state);
    let told = |(name, id): (&String, &SessionId)| match models_of(id).filter(|_| !same_models) {
        Some(models) => format!("{name} · {models}"),
        None => name.clone(),
    };
    let told: Vec<String> = names.iter().zip(&history.chosen).map(told).collect();
    // A sign is never parted from its name.
    let each = 250.0f32.min(ui.available_width() - 110.0);
    let per_row = ((ui.available_width() / (each + 104.0)) as usize).max(1);
    let places: Vec<usize> = (0..told.len()).collect();
    for row in places.chunks(per_row) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GRID;
            for &place in row {
                let (rect, _) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::hover());
                marker_ui(ui, rect.center(), 5.0, Look::of(place));
                let name = &told[place];
                shortened(ui, name, TextStyle::Body, tokens.text, each);
                if place == 0 {
                    caption(ui, "baseline");
                } else {
                    let button = small_button(ui, "Use as baseline");
                    let name = format!("Compare the other runs with {name}");
                    button.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
                    if button.on_hover_text(&name).clicked() {
                        first = history.chosen.get(place).cloned();
                    }
                }
                ui.add_space(GAP);
            }
        });
    }
    let models = lines::models(sheets);
    let patterns = if models.len() > 1 { &models[..] } else { &[] };
    if !models.is_empty() {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GRID;
            let room = ui.available_width() / models.len() as f32 - 40.0;
            for (n, model) in models.iter().enumerate() {
                if !patterns.is_empty() {
                    let look = Look {
                        dash: Dash::of(n),
                        ..Look::plain(Color::Dim, Weight::Normal)
                    };
                    line_ui(ui, look);
                }
                dim(ui, model, room);
                ui.add_space(GAP);
            }
        });
    }
    first
}
