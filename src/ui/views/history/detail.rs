//! The panel below the table: the selected session in small, the sessions to compare overlaid, or the trend.

use std::sync::Arc;

use egui::{Key, Role, ScrollArea, TextEdit, Ui, WidgetInfo, vec2};

use super::lines::{self, Sheet};
use super::parts::{chosen, failures_ui, one_answer_ui, only_figures, sheets, told};
use super::trend::TrendUi;
use super::{PageOutcome, color_of, compare, left_by, legend, short_name};
use crate::chart::answers::Figure;
use crate::chart::levels;
use crate::domain::history::{SessionBody, SessionId, SessionRow, StoredSession};
use crate::domain::units;
use crate::state::action::Actions;
use crate::state::history::{Clock, HistoryAction};
use crate::state::{Loadable, State};
use crate::ui::chart::pair;
use crate::ui::picture::Photographer;
use crate::ui::theme::{self, GRID};
use crate::ui::widgets::{
    MARGIN, caption, card, empty_state, failure_box, from_right, shortened, small_button,
    small_button_if, tokens,
};

/// What is open below the table.
#[derive(Default)]
pub(super) struct DetailUi {
    trend: bool,
    /// Tags as they are typed, and whose.
    tags: Option<(SessionId, String)>,
}

impl DetailUi {
    #[expect(clippy::too_many_arguments, reason = "each is another's to change")]
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        trend: &mut TrendUi,
        photographer: &mut Photographer,
        state: &State,
        clock: Clock,
        outcome: &mut PageOutcome,
        out: &mut Actions,
    ) {
        self.head_ui(ui, state, outcome, out);
        let several = state.history.chosen.len() > 1;
        ScrollArea::vertical()
            .id_salt("history detail")
            .auto_shrink([false, false])
            .show(ui, |ui| {
                ui.set_width(ui.available_width());
                if self.trend {
                    trend.show(ui, photographer, state, clock, out);
                } else if several {
                    several_ui(ui, photographer, state, out);
                } else {
                    one_ui(ui, photographer, state, clock, out);
                }
            });
    }

    fn head_ui(
        &mut self,
        ui: &mut Ui,
        state: &State,
        outcome: &mut PageOutcome,
        out: &mut Actions,
    ) {
        let tokens = tokens(ui);
        let several = state.history.chosen.len() > 1;
        let id = state.history.selected();
        let row = id.and_then(|id| state.history.row_of(id));
        ui.horizontal(|ui| {
            ui.set_min_height(24.0);
            let buttons = 216.0;
            match row {
                _ if several => {
                    let text = format!(
                        "{} overlaid",
                        units::counted(state.history.chosen.len(), "session")
                    );
                    shortened(
                        ui,
                        &text,
                        theme::strong_text(),
                        tokens.text,
                        ui.available_width() - buttons,
                    );
                }
                Some(row) if self.tags.as_ref().is_some_and(|(of, _)| *of == row.id) => {
                    self.tags_ui(ui, row, out);
                }
                Some(row) => {
                    let room = ui.available_width() - buttons - 50.0;
                    shortened(ui, &told(row), theme::strong_text(), tokens.text, room);
                    let button = small_button(ui, "Tags…");
                    if button
                        .on_hover_text("Tags that find this session, separated by commas")
                        .clicked()
                    {
                        self.tags = Some((row.id.clone(), row.tags.join(", ")));
                    }
                }
                None => {}
            }
            from_right(ui, |ui| {
                ui.spacing_mut().item_spacing.x = GRID;
                let open = small_button_if(ui, row.is_some() && !several, "Open");
                if open.on_hover_text("Enter, or a double click").clicked() {
                    outcome.open = id.cloned();
                }
                ui.spacing_mut().button_padding = vec2(8.0, 2.0);
                ui.spacing_mut().interact_size.y = 22.0;
                for (trend, name) in [(true, "Trend"), (false, "Figures")] {
                    let on = self.trend == trend;
                    let button = egui::Button::selectable(on, egui::RichText::new(name).small());
                    let button = ui.add(button.min_size(vec2(0.0, 22.0)));
                    button.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, on, name));
                    if button.clicked() {
                        self.trend = trend;
                    }
                }
            });
        });
    }

    fn tags_ui(&mut self, ui: &mut Ui, row: &SessionRow, out: &mut Actions) {
        let Some((id, text)) = &mut self.tags else {
            return;
        };
        let edit = TextEdit::singleline(text)
            .hint_text("v2.3.2, nightly")
            .desired_width(180.0)
            .margin(MARGIN);
        let edit = ui.add(edit);
        edit.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Tags of the session"));
        if ui.memory(|memory| memory.focused().is_none()) && !edit.lost_focus() {
            edit.request_focus();
        }
        let enter = left_by(ui, &edit, Key::Enter);
        let escape = left_by(ui, &edit, Key::Escape);
        let save = small_button(ui, "Save tags").clicked() || enter;
        if save {
            let tags = text
                .split(',')
                .map(str::trim)
                .filter(|tag| !tag.is_empty())
                .map(str::to_owned)
                .collect();
            if tags != row.tags {
                let id = id.clone();
                out.push(HistoryAction::Tag(id, tags));
            }
        }
        if save || escape {
            self.tags = None;
        }
    }
}

fn chart_height(ui: &Ui) -> f32 {
    (ui.available_height() - 60.0).clamp(110.0, 320.0)
}

fn one_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    state: &State,
    clock: Clock,
    out: &mut Actions,
) {
    let Some(id) = state.history.selected() else {
        caption(ui, "Select a session in the table");
        return;
    };
    if let Some(wait) = state.history.wait_for_selected(clock.now) {
        ui.ctx().request_repaint_after(wait);
    }
    out.push(HistoryAction::WantSelected);
    let height = chart_height(ui);
    let Some(stored) = loaded_ui(ui, state.history.session(id), height) else {
        return;
    };
    let color = color_of(state, id, &stored.row);
    photographer.of_kept(std::iter::once(&stored.row));
    match &stored.body {
        SessionBody::Bench { report, .. } if report.levels.is_empty() => {
            caption(ui, "The session ended before its first level had a figure");
        }
        SessionBody::Bench { report, .. } => {
            let models = Some(&state.colors);
            let sheets = [Sheet {
                label: short_name(&stored.row),
                color,
                models,
                report,
            }];
            pair(
                ui,
                photographer,
                [
                    &mut |ui, p| lines::chart_ui(ui, p, &sheets, levels::ttft, height),
                    &mut |ui, p| lines::chart_ui(ui, p, &sheets, levels::tokens, height),
                ],
            );
        }
        SessionBody::Chat { exchanges, .. } if only_figures(exchanges).is_some() => {
            one_answer_ui(ui, state, exchanges);
        }
        SessionBody::Chat { exchanges, .. } => pair(
            ui,
            photographer,
            [
                &mut |ui, p| lines::chat_ui(ui, p, exchanges, (color, Figure::Ttft), height),
                &mut |ui, p| lines::chat_ui(ui, p, exchanges, (color, Figure::Speed), height),
            ],
        ),
    }
}

/// A session, or what stands in its place.
fn loaded_ui(
    ui: &mut Ui,
    session: Option<&Loadable<Arc<StoredSession>>>,
    height: f32,
) -> Option<Arc<StoredSession>> {
    let session = session.unwrap_or(&Loadable::Absent);
    if let Some(failure) = session.failure() {
        failure_box(ui, "session of the history", failure, None);
    }
    if session.value().is_none() && session.failure().is_none() {
        card(ui).show(ui, |ui| {
            ui.set_min_size(vec2(ui.available_width(), height + 30.0));
            empty_state(ui, "Reading the session…", "", height / 3.0);
        });
    }
    session.value().cloned()
}

fn several_ui(ui: &mut Ui, photographer: &mut Photographer, state: &State, out: &mut Actions) {
    let height = chart_height(ui).min(126.0);
    let sessions = chosen(state, out);
    photographer.of_kept(sessions.iter().map(|(_, it)| &it.row));
    let sheets = sheets(&sessions, state);
    legend::legend_ui(ui, state, &sheets);
    let all = state.history.chosen.len();
    failures_ui(ui, state);
    if sessions.len() < all && sessions.is_empty() {
        caption(ui, "Reading the sessions…");
        return;
    }
    pair(
        ui,
        photographer,
        [
            &mut |ui, p| lines::chart_ui(ui, p, &sheets, levels::ttft, height),
            &mut |ui, p| lines::chart_ui(ui, p, &sheets, levels::tokens, height),
        ],
    );
    compare::want_comparison(state, out);
    card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        compare::brief_ui(ui, state, out);
    });
}
