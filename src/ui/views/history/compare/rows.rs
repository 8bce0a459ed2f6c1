//! The table of a comparison: a row for each figure of each level, with its verdict.

use egui::{Align2, Color32, Rect, Role, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2};

use crate::metrics::compare::{Row, Verdict, change_text, interval_text, value_text};
use crate::ui::theme::{self, Tokens};
use crate::ui::widgets::{caption, fit_middle, tokens};

const HEIGHT: f32 = 21.0;

/// Draws the rows of one of the others. Their head stays in sight while they are scrolled.
pub(super) fn rows_ui(ui: &mut Ui, rows: &[&Row], other: usize, this: &str) {
    let tokens = tokens(ui);
    let Some(one) = rows.first() else {
        caption(ui, "No figure to show");
        return;
    };
    let (head, _) = ui.allocate_exact_size(vec2(ui.available_width(), 18.0), Sense::hover());
    let small = TextStyle::Small.resolve(ui.style());
    let figures = theme::small_figure_text().resolve(ui.style());
    // The interval is the longest, then the verdict.
    let first = (head.width() * 0.28).min(330.0);
    let rest = head.width() - first;
    let ends = [0.14, 0.29, 0.45, 0.75, 1.0].map(|share| head.left() + first + rest * share);
    let right_of = |n: usize| ends[n];
    let each = rest * 0.14;
    let this = fit_middle(ui, this, &TextStyle::Small, each - 10.0);
    ui.spacing_mut().item_spacing.y = 0.0;
    let several_models = rows.iter().any(|row| row.model != one.model);
    let mut group = None;
    for row in rows {
        if group.replace((&row.model, &row.level)) != Some((&row.model, &row.level)) {
            group_ui(ui, row, several_models);
        }
        let Some(cell) = row.others.get(other) else {
            continue;
        };
        let (rect, response) =
            ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
        let name = match (several_models, row.level.is_empty()) {
            (true, false) => format!("{} · {} · {}", row.title, row.level, row.model),
            (true, true) => format!("{} · {}", row.title, row.model),
            (false, false) => format!("{} · {}", row.title, row.level),
            (false, true) => row.title.clone(),
        };
        let (verdict, color) = (cell.verdict.word(), verdict_color(cell.verdict, tokens));
        let cells = [
            value_text(row, row.baseline),
            value_text(row, cell.value),
            change_text(row, cell),
            interval_text(cell),
            verdict.to_owned(),
        ];
        if ui.is_rect_visible(rect) {
            let shown = fit_middle(ui, &row.title, &TextStyle::Small, first - 20.0);
            let at = rect.left_center() + vec2(12.0, 0.0);
            ui.painter()
                .text(at, Align2::LEFT_CENTER, shown, small.clone(), tokens.text);
            for (n, text) in cells.iter().enumerate() {
                let at = pos2(right_of(n), rect.center().y);
                let (font, color) = if n == 4 {
                    (small.clone(), color)
                } else {
                    (figures.clone(), tokens.text)
                };
                ui.painter()
                    .text(at, Align2::RIGHT_CENTER, text, font, color);
            }
        }
        let spoken = format!(
            "{name}, baseline {}, {}, change {}, interval {}, {verdict}",
            cells[0], cells[1], cells[2], cells[3]
        );
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
        if let Some(p) = cell.p {
            response.on_hover_text(format!("{name}\nrank test p = {p:.4}"));
        }
    }
    // Drawn last, above the rows that have been scrolled under it.
    let bottom = ui.min_rect().bottom() - head.height();
    let stays = ui.clip_rect().top().min(bottom).max(head.top());
    let pinned = head.translate(vec2(0.0, stays - head.top()));
    if pinned != head {
        ui.painter().rect_filled(pinned, 0.0, tokens.panel);
    }
    head_ui(ui, pinned, &this, &ends);
}

/// The columns' titles.
fn head_ui(ui: &Ui, head: Rect, this: &str, ends: &[f32; 5]) {
    let (painter, dim) = (ui.painter(), tokens(ui).dim);
    let font = TextStyle::Small.resolve(ui.style());
    let left = head.left_center();
    painter.text(left, Align2::LEFT_CENTER, "metric", font.clone(), dim);
    let titles = ["baseline", this, "change", "95 % interval", "verdict"];
    for (title, right) in titles.into_iter().zip(ends) {
        let at = pos2(*right, head.center().y);
        painter.text(at, Align2::RIGHT_CENTER, title, font.clone(), dim);
    }
}

/// What the rows below are of.
fn group_ui(ui: &mut Ui, row: &Row, several_models: bool) {
    let level = if row.level.is_empty() {
        "All levels"
    } else {
        &row.level
    };
    let text = if several_models {
        format!("{level} · {}", row.model)
    } else {
        level.to_owned()
    };
    let (rect, _) =
        ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT + 4.0), Sense::hover());
    let tokens = tokens(ui);
    let font = TextStyle::Small.resolve(ui.style());
    let at = pos2(rect.left(), rect.center().y + 2.0);
    ui.painter()
        .text(at, Align2::LEFT_CENTER, text, font, tokens.dim);
    ui.painter().hline(
        rect.x_range(),
        rect.bottom() - 0.5,
        egui::Stroke::new(1.0, tokens.line),
    );
}

pub(super) fn verdict_color(verdict: Verdict, tokens: &Tokens) -> Color32 {
    match verdict {
        Verdict::Better => tokens.ok,
        Verdict::Worse => tokens.error,
        Verdict::NoDifference | Verdict::TooFew => tokens.dim,
        Verdict::Look => tokens.warning,
    }
}

/// Whether a figure was measured in the baseline and in this other one.
pub(super) fn has_both(row: &Row, other: usize) -> bool {
    row.baseline.is_some()
        && row
            .others
            .get(other)
            .is_some_and(|cell| cell.value.is_some())
}
