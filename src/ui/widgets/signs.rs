//! Signs that say by their shape what their colour says.

use egui::{Align2, FontId, Pos2, Rect, Shape, Stroke, StrokeKind, Ui, Vec2, vec2};

use super::tokens;
use crate::domain::history::Status;
use crate::ui::theme;

/// How a session went, 11 points wide; the word stands beside it.
pub fn status_sign(ui: &Ui, at: Pos2, status: Status) {
    let (painter, tokens) = (ui.painter(), tokens(ui));
    let cross = |color| {
        for arm in [vec2(3.5, 3.5), vec2(3.5, -3.5)] {
            painter.line_segment([at - arm, at + arm], Stroke::new(2.0, color));
        }
    };
    match status {
        Status::Running => {
            let corners = vec![
                at + vec2(-3.5, -4.5),
                at + vec2(4.5, 0.0),
                at + vec2(-3.5, 4.5),
            ];
            painter.add(Shape::convex_polygon(corners, tokens.ok, Stroke::NONE));
        }
        Status::Failed => cross(tokens.error),
        Status::Errors => {
            painter.circle_stroke(at, 5.0, Stroke::new(1.5, tokens.error));
            let bar = vec2(0.0, 2.5);
            painter.line_segment([at - bar, at + bar], Stroke::new(1.5, tokens.error));
        }
        Status::Interrupted => {
            for x in [-3.5, 3.5] {
                let (from, to) = (at + vec2(x - 1.5, 0.0), at + vec2(x + 1.5, 0.0));
                painter.line_segment([from, to], Stroke::new(2.0, tokens.warning));
            }
        }
        Status::Stopped => {
            let square = Rect::from_center_size(at, Vec2::splat(8.0));
            painter.rect_stroke(
                square,
                1.0,
                Stroke::new(1.5, tokens.dim),
                StrokeKind::Inside,
            );
        }
        Status::Warnings => warning_sign(ui, at),
        Status::Complete => {
            let tick = vec![
                at + vec2(-4.0, 0.5),
                at + vec2(-1.0, 3.5),
                at + vec2(4.5, -3.5),
            ];
            painter.add(Shape::line(tick, Stroke::new(1.5, tokens.faint)));
        }
    }
}

/// A triangle with a bang, drawn: not every font has the sign.
pub fn warning_sign(ui: &Ui, at: Pos2) {
    let (painter, tokens) = (ui.painter(), tokens(ui));
    let corners = vec![
        at + vec2(0.0, -5.0),
        at + vec2(5.5, 4.5),
        at + vec2(-5.5, 4.5),
    ];
    let sign = egui::Shape::convex_polygon(corners, tokens.warning, egui::Stroke::NONE);
    painter.add(sign);
    let bang = FontId {
        size: 8.0,
        ..theme::small_figure_text().resolve(ui.style())
    };
    let at = at + vec2(0.0, 0.8);
    painter.text(at, Align2::CENTER_CENTER, "!", bang, tokens.panel);
}
