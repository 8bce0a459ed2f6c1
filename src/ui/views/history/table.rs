//! The table of sessions. Only what is seen is drawn, and only what is near that is asked for.

use egui::{
    Align, Align2, Color32, Key, Layout, Modifiers, Pos2, Rangef, Rect, Role, Sense, Stroke,
    StrokeKind, TextStyle, Ui, WidgetInfo, pos2, vec2,
};
use egui_extras::{Column, TableBuilder, TableRow};

use super::PageOutcome;
use super::columns::{HEADS, Head, Lines, MARK, places};
use super::parts::Question;
use crate::chart::Look;
use crate::domain::history::SortBy;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::history::{HistoryAction, MOST_COMPARED};
use crate::ui::chart::marker_ui;
use crate::ui::theme::{self, GAP, GRID, HALF};
use crate::ui::widgets::{card, empty_state, status_sign, tokens};

const ROW: f32 = 28.0;

/// Where the table stands.
#[derive(Default)]
pub(super) struct TableUi {
    /// The selected row is to be seen in the next frame.
    reveals: bool,
    /// Rows that were seen.
    seen: u64,
    lines: Lines,
}

/// What rows and heads ask for while the table is drawn.
#[derive(Default)]
struct Clicked {
    sort: Option<SortBy>,
    row: Option<u64>,
    open: bool,
    choose: Option<u64>,
}

impl TableUi {
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        state: &State,
        outcome: &mut PageOutcome,
        out: &mut Actions,
    ) {
        let mut clicked = Clicked::default();
        let mut seen: Option<(u64, u64)> = None;
        card(ui).inner_margin(theme::margin(3, 1)).show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            let Some(total) = state.history.rows.total() else {
                if state.history.rows.failure().is_none() {
                    empty_state(
                        ui,
                        "Reading the history…",
                        "",
                        (ui.available_height() / 3.0).max(20.0),
                    );
                }
                return;
            };
            self.rows_ui(ui, state, total, &mut clicked, &mut seen);
        });
        let (first, last) = seen.unwrap_or((0, 20));
        self.seen = last - first;
        out.push(HistoryAction::WantRows(first..last + 1));
        let history = &state.history;
        out.extend(clicked.sort.map(HistoryAction::SortBy));
        if let Some(index) = clicked.row {
            out.push(HistoryAction::SelectAt(index));
            if clicked.open {
                outcome.open = history.rows.at(index).map(|row| row.id.clone());
            }
        }
        let chosen = clicked.choose.and_then(|index| history.rows.at(index));
        out.extend(chosen.map(|row| HistoryAction::Toggle(row.id.clone())));
    }

    fn rows_ui(
        &mut self,
        ui: &mut Ui,
        state: &State,
        total: u64,
        clicked: &mut Clicked,
        seen: &mut Option<(u64, u64)>,
    ) {
        let tokens = tokens(ui);
        let wide = ui.available_width() > 860.0;
        let heads: Vec<&Head> = HEADS.iter().filter(|head| wide || !head.rare).collect();
        ui.spacing_mut().item_spacing = vec2(GAP, HALF);
        ui.visuals_mut().selection.bg_fill = tokens.raised;
        // Not to be taken for the selection.
        ui.visuals_mut().widgets.hovered.bg_fill = tokens.panel.lerp_to_gamma(tokens.raised, 0.45);
        let mut table = TableBuilder::new(ui)
            .id_salt("sessions")
            .striped(false)
            .min_scrolled_height(0.0)
            .auto_shrink(false)
            .animate_scrolling(false)
            .cell_layout(Layout::left_to_right(Align::Center))
            .sense(Sense::CLICK)
            // One for all: a cell of its own for each figure would cost ten times as much in every frame.
            .column(Column::remainder());
        if std::mem::take(&mut self.reveals)
            && let Some(row) = state.history.selected_at()
        {
            table = table.scroll_to_row(row as usize, None);
        }
        let lines = &mut self.lines;
        table
            .header(24.0, |mut header| {
                header.col(|ui| {
                    let places = places(&heads, ui.max_rect().width());
                    let of = (
                        state.history.rows.stamp(),
                        places.iter().map(|place| place.span()).collect(),
                    );
                    lines.renew_for(of);
                    for (head, place) in heads.iter().zip(&places) {
                        if head_ui(ui, head, *place, state) {
                            clicked.sort = Some(head.sort);
                        }
                    }
                });
            })
            .body(|body| {
                let width = body.widths().first().copied().unwrap_or(0.0);
                let places = places(&heads, width);
                body.rows(
                    ROW,
                    usize::try_from(total).unwrap_or(usize::MAX),
                    |mut row| {
                        let index = row.index() as u64;
                        *seen = Some(seen.map_or((index, index), |(first, last)| {
                            (first.min(index), last.max(index))
                        }));
                        row_ui(&mut row, (&heads, &places), lines, state, index, clicked);
                    },
                );
            });
    }

    /// The keys that move, choose, open and delete.
    pub(super) fn keys(
        &mut self,
        ui: &Ui,
        state: &State,
        outcome: &mut PageOutcome,
        out: &mut Actions,
    ) {
        let history = &state.history;
        let page = self.seen.saturating_sub(1).max(1) as i64;
        let moves = [
            (Key::ArrowUp, -1),
            (Key::ArrowDown, 1),
            (Key::PageUp, -page),
            (Key::PageDown, page),
            (Key::Home, i64::MIN / 2),
            (Key::End, i64::MAX / 2),
        ];
        for (key, by) in moves {
            let count = ui.input_mut(|input| input.count_and_consume_key(Modifiers::NONE, key));
            if count > 0 {
                out.push(HistoryAction::MoveSelection(
                    by.saturating_mul(count as i64),
                ));
                self.reveals = true;
            }
        }
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        if history.selected().is_none() {
            return;
        }
        // In a slow frame the selection may just have been moved.
        if pressed(Key::Space) {
            out.push(HistoryAction::ToggleSelected);
        }
        if pressed(Key::Enter) {
            out.push(HistoryAction::OpenSelected);
        }
        if pressed(Key::Delete) {
            outcome.question = Some(Question::Delete(history.meant()));
        }
    }
}

/// A column's head; gives whether it was clicked.
fn head_ui(ui: &Ui, head: &Head, place: Rangef, state: &State) -> bool {
    let tokens = tokens(ui);
    let row = ui.max_rect();
    let rect = Rect::from_x_y_ranges(
        Rangef::new(row.left() + place.min, row.left() + place.max),
        row.y_range(),
    );
    let response = ui.interact(rect, ui.scope_id().with(head.title), Sense::click());
    let filter = &state.history.filter.query;
    let sorted = filter.sort == head.sort;
    let color = if sorted || response.hovered() {
        tokens.text
    } else {
        tokens.dim
    };
    let font = TextStyle::Small.resolve(ui.style());
    let (at, align) = if head.figure {
        (rect.right_center(), Align2::RIGHT_CENTER)
    } else {
        (rect.left_center(), Align2::LEFT_CENTER)
    };
    let written = ui.painter().text(at, align, head.title, font, color);
    if sorted {
        let x = if head.figure {
            written.left() - 8.0
        } else {
            written.right() + 8.0
        };
        arrow(
            ui,
            pos2(x, rect.center().y),
            filter.ascending,
            tokens.accent,
        );
    }
    if response.has_focus() {
        let stroke = Stroke::new(1.0, tokens.accent);
        ui.painter()
            .rect_stroke(rect, 3.0, stroke, StrokeKind::Inside);
    }
    let spoken = match (sorted, filter.ascending) {
        (false, _) => format!("Sort by {}", head.title),
        (true, true) => format!("Sort by {}, sorted, smallest first", head.title),
        (true, false) => format!("Sort by {}, sorted, largest first", head.title),
    };
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, sorted, &spoken));
    response.clicked()
}

fn arrow(ui: &Ui, at: Pos2, up: bool, color: Color32) {
    let down = if up { -3.0 } else { 3.0 };
    let corners = vec![
        at + vec2(0.0, down),
        at + vec2(3.5, -down),
        at + vec2(-3.5, -down),
    ];
    ui.painter()
        .add(egui::Shape::convex_polygon(corners, color, Stroke::NONE));
}

fn row_ui(
    row: &mut TableRow<'_, '_>,
    (heads, places): (&[&Head], &[Rangef]),
    lines: &mut Lines,
    state: &State,
    index: u64,
    clicked: &mut Clicked,
) {
    let history = &state.history;
    let selected = history.selected_at() == Some(index);
    row.set_selected(selected);
    let session = history.rows.at(index);
    let mut line = None;
    let (rect, response) = row.col(|ui| {
        let tokens = tokens(ui);
        let rect = ui.max_rect();
        if selected {
            let bar =
                Rect::from_min_size(rect.min - vec2(GAP / 2.0, 0.0), vec2(3.0, rect.height()));
            ui.painter().rect_filled(bar, 0.0, tokens.accent);
        }
        let Some(session) = session else { return };
        let made = lines.get(ui, index, session, heads, places);
        for ((head, text), place) in heads.iter().zip(&made.shown).zip(places) {
            let failed = made.failed && head.sort == SortBy::Errors;
            let color = if failed { tokens.error } else { tokens.text };
            let (x, align, style) = match head.figure {
                true => (place.max, Align2::RIGHT_CENTER, theme::small_figure_text()),
                false if head.sort == SortBy::Status => {
                    (place.min, Align2::LEFT_CENTER, TextStyle::Small)
                }
                false => (place.min, Align2::LEFT_CENTER, TextStyle::Body),
            };
            let mut at = pos2(rect.left() + x, rect.center().y);
            if head.sort == SortBy::Status {
                status_sign(ui, at + vec2(6.0, 0.0), made.status);
                at.x += 4.0 * GRID;
            }
            ui.painter()
                .text(at, align, text, style.resolve(ui.style()), color);
        }
        let chosen = history.place_of(&session.id);
        let can = chosen.is_some() || history.chosen.len() < MOST_COMPARED;
        if let Some(name) = made.mark.as_ref().filter(|_| can) {
            let rect = Rect::from_min_size(rect.min, vec2(MARK + GAP, rect.height()));
            let mark = ui.interact(rect, ui.scope_id().with("mark"), Sense::click());
            mark.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, chosen.is_some(), name));
            mark_ui(ui, rect.center(), chosen);
            if mark.clicked() {
                clicked.choose = Some(index);
            }
        }
        line = Some(made);
    });
    if response.clicked() {
        clicked.row = Some(index);
        clicked.open = response.double_clicked();
    }
    let Some(line) = line else { return };
    response
        .widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, selected, &line.spoken));
    let Some(at) = response.hover_pos() else {
        return;
    };
    let under = places
        .iter()
        .position(|place| place.contains(at.x - rect.left()));
    if let Some(n) = under.filter(|n| line.full[*n] != line.shown[*n]) {
        response.on_hover_text(&line.full[n]);
    }
}

/// An empty square, or the sign of the session's lines when it is to be compared.
fn mark_ui(ui: &Ui, at: Pos2, chosen: Option<usize>) {
    let tokens = tokens(ui);
    match chosen {
        Some(place) => marker_ui(ui, at, 5.5, Look::of(place)),
        None => {
            let rect = Rect::from_center_size(at, vec2(13.0, 13.0));
            let stroke = Stroke::new(1.2, tokens.line_strong);
            ui.painter()
                .rect_stroke(rect, 3.0, stroke, StrokeKind::Inside);
        }
    }
}
