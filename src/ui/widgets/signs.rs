//! Signs that say by their shape what their colour says.

use egui::{
    Align2, Color32, FontId, Painter, Pos2, Rect, Response, Role, Sense, Shape, Stroke, StrokeKind,
    Ui, Vec2, WidgetInfo, vec2,
};

use super::tokens;
use crate::domain::deployment::Health;
use crate::domain::history::Status;
use crate::ui::theme::{self, Tokens};

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

/// The sign before a name; words beside it say the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sign {
    /// A dot of this colour.
    Dot(Color32),
    /// A shape and a colour for how well a deployment does.
    Health(Health),
}

impl Sign {
    /// Paints it, at most 9 points wide.
    pub(super) fn paint(self, painter: &Painter, at: Pos2, tokens: &Tokens) {
        match self {
            Self::Dot(color) => drop(painter.circle_filled(at, 4.0, color)),
            Self::Health(health) => paint_health(painter, at, health, tokens),
        }
    }
}

/// The sign of how well a deployment does. Its shape says it, too, for those who do not tell its colour.
pub fn health_mark(ui: &mut Ui, health: Health) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(10.0), Sense::hover());
    paint_health(ui.painter(), rect.center(), health, tokens(ui));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, health.label()));
    response.on_hover_text(health.label())
}

/// Paints that sign, 9 points wide.
fn paint_health(painter: &Painter, at: Pos2, health: Health, tokens: &Tokens) {
    let (color, r) = (tokens.health(health), 4.5);
    let stroke = Stroke::new(1.75, color);
    let ring = || Shape::circle_stroke(at, r - 1.0, stroke);
    let line = |arm: Vec2, width| Shape::line_segment([at - arm, at + arm], (width, color));
    painter.extend(match health {
        Health::Serving => vec![Shape::circle_filled(at, r - 0.5, color)],
        Health::Degraded => {
            let corners = [vec2(0.0, -r), vec2(r, r - 0.5), vec2(-r, r - 0.5)];
            let corners = corners.map(|corner| at + corner).to_vec();
            vec![Shape::convex_polygon(corners, color, Stroke::NONE)]
        }
        Health::Starting => vec![ring(), Shape::circle_filled(at, 1.5, color)],
        Health::Broken => {
            let arm = r - 1.0;
            vec![line(vec2(arm, arm), 2.25), line(vec2(arm, -arm), 2.25)]
        }
        Health::Off => vec![ring()],
        Health::Unknown => vec![line(vec2(r - 0.5, 0.0), 1.75)],
    });
}
