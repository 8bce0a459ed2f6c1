//! The History page: the table of sessions, what is selected of it, comparisons, trends, and opened sessions.

mod columns;
mod compare;
mod detail;
mod dialogs;
mod filters;
mod legend;
mod lines;
mod open;
mod parts;
mod table;
mod toolbar;
mod trend;

use std::time::Duration;

use egui::{Key, Modifiers, Response, Ui, vec2};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::parts::Question;
use crate::domain::history::{SessionId, SessionRow};
use crate::protocol::Command;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::history::{Clock, HistoryAction};
use crate::ui::picture::Photographer;
use crate::ui::widgets::{
    card, column, empty_state, failure_box, page_head, primary_button, warning_box,
};

/// What is open and being typed on the page. Nothing of the sessions: that is the state's.
#[derive(Default)]
pub struct HistoryUi {
    filters: filters::FiltersUi,
    table: table::TableUi,
    detail: detail::DetailUi,
    trend: trend::TrendUi,
    /// The comparison fills the page.
    comparing: Option<compare::CompareUi>,
    opened: open::OpenUi,
    /// What the user is asked.
    question: Option<Question>,
    photographer: Photographer,
}

/// What the page asks of the window.
#[derive(Debug, Default, Clone, Copy)]
pub struct Asked {
    /// Go to the Benchmark page, whose form has a plan out of the history.
    pub benchmark: bool,
    /// Go to the Playground, where a conversation goes on.
    pub playground: bool,
}

/// What the parts of the page ask of it.
#[derive(Debug, Default)]
pub(super) struct PageOutcome {
    open: Option<SessionId>,
    compare: bool,
    question: Option<Question>,
}

impl HistoryUi {
    /// Shows the comparison of these sessions, the baseline first.
    pub fn compare(&mut self, ids: Vec<SessionId>, state: &mut State) {
        state.history.compare(ids);
        self.comparing = Some(compare::CompareUi::default());
    }

    /// Draws the page, and does what it asks of the state.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        state: &mut State,
        now: Duration,
        out: &mut Vec<Command>,
    ) -> Asked {
        let clock = Clock {
            now,
            today: crate::engine::clock(),
        };
        if let Some(wait) = state.history_due(clock, out) {
            ui.ctx().request_repaint_after(wait);
        }
        let mut actions = Actions::default();
        let asked = self.page_ui(ui, state, clock, &mut actions);
        self.photographer.work(&mut actions);
        crate::ui::perform(ui.ctx(), actions, state, clock, out);
        asked
    }

    fn page_ui(&mut self, ui: &mut Ui, state: &State, clock: Clock, out: &mut Actions) -> Asked {
        let mut asked = Asked::default();
        let mut outcome = PageOutcome::default();
        if state.history.open.is_some() {
            asked = self.opened.show(ui, state, &mut outcome, out);
        } else if let Some(comparing) = &mut self.comparing {
            let back = compare::show(ui, comparing, &mut self.photographer, state, out);
            if back || state.history.chosen.len() < 2 || (back_key(ui) && self.question.is_none()) {
                self.comparing = None;
            }
        } else {
            self.list_ui(ui, state, clock, &mut outcome, out);
        }
        out.extend(outcome.open.map(HistoryAction::Open));
        if outcome.compare {
            self.comparing = Some(compare::CompareUi::default());
        }
        if let Some(question) = &mut self.question {
            let done = question.show(ui.ctx(), state, clock, &mut asked, out);
            if done {
                self.question = None;
            }
        }
        // A new question is drawn in the next frame, when what it is about is known.
        if outcome.question.is_some() {
            self.question = outcome.question;
        }
        asked
    }

    fn list_ui(
        &mut self,
        ui: &mut Ui,
        state: &State,
        clock: Clock,
        outcome: &mut PageOutcome,
        out: &mut Actions,
    ) {
        page_head(
            ui,
            "History",
            "Every chat request and benchmark run on this computer",
        );
        toolbar::show(ui, &mut self.filters, state, outcome, out);
        if let Some(trouble) = &state.history.trouble {
            warning_box(
                ui,
                &format!("New measurements are not kept. {}", trouble.summary),
            );
        }
        if let Some(failure) = state.history.rows.failure() {
            failure_box(ui, "history", failure, None);
            if ui.button("Try again").clicked() {
                out.push(HistoryAction::Reload);
            }
        }
        let empty = state.history.rows.total() == Some(0);
        if empty {
            out.push(HistoryAction::WantRows(0..1));
            self.empty_ui(ui, state, out);
            return;
        }
        let foot = 26.0;
        let height = ui.available_height() - foot - ui.spacing().item_spacing.y * 2.0;
        // Figures of several need more room than those of one.
        let several = state.history.chosen.len() > 1;
        let table = (height * if several { 0.34 } else { 0.48 }).max(146.0);
        let width = ui.available_width();
        column(ui, vec2(width, table), |ui| {
            self.table.show(ui, state, outcome, out)
        });
        toolbar::foot_ui(ui, state, clock, outcome, out);
        let rest = ui.available_height();
        column(ui, vec2(width, rest), |ui| {
            self.detail.show(
                ui,
                &mut self.trend,
                &mut self.photographer,
                state,
                clock,
                outcome,
                out,
            );
        });
        // Last, since a field that is left by a key has taken it.
        if self.question.is_none() && keys_are_free(ui) {
            self.table.keys(ui, state, outcome, out);
        }
    }

    fn empty_ui(&mut self, ui: &mut Ui, state: &State, out: &mut Actions) {
        card(ui).show(ui, |ui| {
            ui.set_min_size(vec2(ui.available_width(), ui.available_height()));
            let above = (ui.available_height() / 3.0).max(20.0);
            if state.history.filter.is_open() {
                empty_state(
                    ui,
                    "No sessions yet",
                    "Every chat request and every benchmark is kept here on this computer. Result files of Batida, \
                     guidellm, aiperf and vllm bench can be imported",
                    above,
                );
                ui.vertical_centered(|ui| {
                    if primary_button(ui, "Import a file…", true).clicked() {
                        out.push(HistoryAction::Import);
                    }
                });
            } else {
                empty_state(ui, "Nothing matches", "No session matches the search and the filters", above);
                ui.vertical_centered(|ui| {
                    if primary_button(ui, "Show all sessions", true).clicked() {
                        self.filters.clear(&state.history.filter, out);
                    }
                });
            }
        });
    }
}

/// No field has the keyboard, and nothing lies above the page.
fn keys_are_free(ui: &Ui) -> bool {
    let typing =
        ui.memory(|memory| memory.focused().is_some() || memory.top_modal_layer().is_some());
    !typing && !egui::Popup::is_any_open(ui.ctx())
}

/// Whether a field was left by this key, which then means nothing else.
fn left_by(ui: &Ui, field: &Response, key: Key) -> bool {
    field.lost_focus() && ui.input_mut(|input| input.consume_key(Modifiers::NONE, key))
}

/// Escape goes back, unless it closes what lies above.
fn back_key(ui: &Ui) -> bool {
    keys_are_free(ui) && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape))
}

/// `2026-11-23 10:42`, in the user's time zone.
fn when(moment: Timestamp) -> String {
    let known = crate::domain::run::known::moment(moment);
    let told = known.map(|at| {
        at.to_zoned(TimeZone::system())
            .strftime("%Y-%m-%d %H:%M")
            .to_string()
    });
    told.unwrap_or_else(|| "date unknown".to_owned())
}

/// What a session is called where there is room for a word: its tags, or when it began.
fn short_name(row: &SessionRow) -> String {
    if row.tags.is_empty() {
        when(row.began)
    } else {
        row.tags.join(", ")
    }
}

/// What the chosen sessions are called where they stand side by side.
fn names(state: &State) -> Vec<String> {
    let rows: Vec<_> = state
        .history
        .chosen
        .iter()
        .map(|id| (id, state.history.row_of(id)))
        .collect();
    told_apart(&rows)
}

/// As short as it goes with no two alike: by their tags, else with their minute, else with their second.
fn told_apart(rows: &[(&SessionId, Option<&SessionRow>)]) -> Vec<String> {
    let tagged = |row: &SessionRow, moment: String| match row.tags.is_empty() {
        true => moment,
        false => format!("{}, {moment}", row.tags.join(", ")),
    };
    let to_the_second = |row: &SessionRow| match crate::domain::run::known::moment(row.began) {
        Some(at) => at
            .to_zoned(TimeZone::system())
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string(),
        None => row.id.to_string(),
    };
    let named = |told: &dyn Fn(&SessionRow) -> String| -> Vec<String> {
        rows.iter()
            .map(|(id, row)| row.map_or_else(|| id.to_string(), told))
            .collect()
    };
    let short = named(&short_name);
    let dated = named(&|row| tagged(row, when(row.began)));
    let exact = named(&|row| tagged(row, to_the_second(row)));
    let alone =
        |n: usize, names: &[String]| names.iter().filter(|name| **name == names[n]).count() == 1;
    (0..rows.len())
        .map(|n| match (alone(n, &short), alone(n, &dated)) {
            (true, _) => short[n].clone(),
            (false, true) => dated[n].clone(),
            (false, false) => exact[n].clone(),
        })
        .collect()
}

/// The place of a session's colour: of its model, or of its place among those that are compared.
fn color_of(state: &State, id: &SessionId, row: &SessionRow) -> usize {
    let model = || {
        row.models
            .first()
            .map_or(0, |model| state.colors.index(model))
    };
    state
        .history
        .place_of(id)
        .filter(|_| state.history.chosen.len() > 1)
        .unwrap_or_else(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_side_by_side_have_names_of_their_own() {
        let row = |began: &str, tag: &str| SessionRow {
            began: format!("2026-11-23T{began}Z").parse().expect("a moment"),
            tags: Some(tag.to_owned())
                .filter(|tag| !tag.is_empty())
                .into_iter()
                .collect(),
            ..crate::export::sample::bench(1.0).row
        };
        let rows = [
            row("14:05:00", "v1"),
            row("14:05:00", "v2"),
            row("14:06:10", "v2"),
            row("14:06:40", "v2"),
        ];
        let rows: Vec<_> = rows.iter().map(|row| (&row.id, Some(row))).collect();
        let names = told_apart(&rows);
        assert_eq!(names[0], "v1");
        assert!(
            names[1].starts_with("v2, 2026-11-2") && names[1].ends_with(":05"),
            "{names:?}"
        );
        assert!(
            names[2].ends_with(":06:10") && names[3].ends_with(":06:40"),
            "{names:?}"
        );
    }
}
