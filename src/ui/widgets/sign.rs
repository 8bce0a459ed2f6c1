//! The sign before a name, which says how it does.

use egui::{Color32, Painter, Pos2, Response, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, vec2};

use super::tokens;
use crate::domain::deployment::Health;
use crate::ui::theme::Tokens;

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
    use egui::Shape;
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
