//! Confirmations before sessions or a conversation are lost.

use egui::{Context, Key, Label, Modal, RichText, Ui};

use super::parts::{self, Question};
use super::{Asked, left_by, open};
use crate::domain::history::SessionId;
use crate::domain::units;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::history::{Clock, HistoryAction, days_before};
use crate::ui::theme::GAP;
use crate::ui::widgets::{
    answers, caption, danger_button, failure_box, field, field_error, focus_when_new,
    primary_button, strong, tokens,
};

/// More are told by their number.
const MOST_NAMED: usize = 6;

impl Question {
    /// Draws it; gives whether it is answered.
    pub(super) fn show(
        &mut self,
        ctx: &Context,
        state: &State,
        clock: Clock,
        asked: &mut Asked,
        out: &mut Actions,
    ) -> bool {
        let mut done = false;
        let mut next = None;
        let modal = Modal::new(egui::Id::unique("history question")).show(ctx, |ui| {
            ui.set_width(380.0);
            match self {
                Self::Delete(ids) => done = delete_ui(ui, ids, state, out),
                Self::OlderThan(days) => {
                    strong(ui, "Delete old sessions");
                    let edit = field(ui, "Older than, in days", days, "180");
                    focus_when_new(&edit);
                    let read = days.trim().parse::<u16>().ok().filter(|days| *days > 0);
                    if read.is_none() {
                        field_error(ui, "A number of days from 1 to 65,535");
                    }
                    let entered = left_by(ui, &edit, Key::Enter);
                    let answer = answers(ui, "Cancel", true, |ui| {
                        primary_button(ui, "Continue", read.is_some())
                    });
                    if let Some(days) = read.filter(|_| answer.done || entered) {
                        let until = days_before(clock.today, days);
                        out.push(HistoryAction::CountOlder(until));
                        next = Some(Self::Older);
                    }
                    done = answer.left;
                }
                Self::Older => done = older_ui(ui, state, out),
                Self::Continue(stored) => {
                    strong(ui, "Replace the conversation on the Playground?");
                    ui.label("Chat texts are not kept, so you cannot read it again afterwards");
                    let answer = answers(ui, "Cancel", false, |ui| {
                        danger_button(ui, "Replace conversation", true)
                    });
                    if answer.done {
                        asked.playground = open::go_on(state, stored, out);
                        out.push(HistoryAction::Close);
                    }
                    done = answer.done || answer.left;
                }
            }
        });
        if let Some(next) = next {
            *self = next;
            return false;
        }
        let closed = done || modal.should_close();
        if closed {
            out.push(HistoryAction::KeepOlder);
        }
        closed
    }
}

fn delete_ui(ui: &mut Ui, ids: &[SessionId], state: &State, out: &mut Actions) -> bool {
    strong(
        ui,
        format!(
            "Delete {} permanently?",
            units::counted(ids.len(), "session")
        ),
    );
    let dim = tokens(ui).dim;
    for id in ids.iter().take(MOST_NAMED) {
        let name = state
            .history
            .row_of(id)
            .map_or_else(|| id.to_string(), parts::told);
        ui.add(Label::new(RichText::new(name).small().color(dim)).wrap());
    }
    if ids.len() > MOST_NAMED {
        caption(ui, format!("and {} more", ids.len() - MOST_NAMED));
    }
    if ids
        .iter()
        .any(|id| state.history.row_of(id).is_some_and(|row| row.baseline))
    {
        ui.label("One of them is a baseline: new runs would no longer be compared with it");
    }
    ui.add_space(GAP);
    let answer = answers(ui, "Cancel", false, |ui| {
        danger_button(ui, "Delete permanently", true)
    });
    if answer.done {
        out.push(HistoryAction::Delete(ids.to_vec()));
    }
    answer.done || answer.left
}

fn older_ui(ui: &mut Ui, state: &State, out: &mut Actions) -> bool {
    let Some(aged) = &state.history.aged else {
        return true;
    };
    let day = super::when(aged.until);
    strong(ui, "Delete old sessions permanently?");
    let count = aged.count.value().copied();
    if let Some(failure) = aged.count.failure() {
        failure_box(ui, "old sessions", failure, None);
    }
    match count {
        Some(0) => ui.label(format!("No session began before {day}")),
        Some(count) => {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            ui.label(format!(
                "{} began before {day}. Baselines among them are kept",
                units::counted(count, "session")
            ))
        }
        None => caption(ui, "Counting…"),
    };
    ui.add_space(GAP);
    let answer = answers(ui, "Cancel", false, |ui| {
        let can = count.is_some_and(|count| count > 0);
        danger_button(ui, "Delete permanently", can)
    });
    if answer.done {
        out.push(HistoryAction::DeleteOlder);
    }
    answer.done || answer.left
}
