//! The head of a section that folds.

use egui::{Stroke, TextStyle, Ui, pos2, vec2};

use crate::ui::theme::{self, Tokens};

/// The head of a section that folds, such as an answer's reasoning: a row to be drawn by the owner.
///
/// `open` is turned over when it is clicked. It is [`FOLD_HEIGHT`] high.
pub fn fold_ui(ui: &mut Ui, open: &mut bool, title: &str) -> egui::Response {
    let tokens = Tokens::of(ui.style());
    let size = vec2(ui.available_width(), FOLD_HEIGHT);
    let (rect, mut response) = ui.allocate_exact_size(size, egui::Sense::click());
    if response.clicked() {
        *open = !*open;
        response.mark_changed();
    }
    response.widget_info(|| {
        egui::WidgetInfo::selected(egui::Role::Button, ui.is_enabled(), *open, title)
    });
    let fill = if response.hovered() {
        tokens.hover
    } else {
        tokens.raised
    };
    ui.painter().rect_filled(rect, theme::ROUNDING, fill);
    if response.has_focus() {
        let stroke = ui.visuals().widgets.active.bg_stroke;
        ui.painter()
            .rect_stroke(rect, theme::ROUNDING, stroke, egui::StrokeKind::Inside);
    }
    let center = pos2(rect.left() + 15.0, rect.center().y);
    let turn = if *open {
        egui::emath::Rot2::from_angle(std::f32::consts::FRAC_PI_2)
    } else {
        egui::emath::Rot2::IDENTITY
    };
    let corners =
        [vec2(-2.5, -4.0), vec2(3.0, 0.0), vec2(-2.5, 4.0)].map(|corner| center + turn * corner);
    ui.painter().add(egui::Shape::convex_polygon(
        corners.to_vec(),
        tokens.dim,
        Stroke::NONE,
    ));
    let font = TextStyle::Small.resolve(ui.style());
    ui.painter().text(
        pos2(rect.left() + 26.0, center.y),
        egui::Align2::LEFT_CENTER,
        title,
        font,
        tokens.dim,
    );
    response
}

/// How high [`fold_ui`] is.
pub const FOLD_HEIGHT: f32 = 28.0;
