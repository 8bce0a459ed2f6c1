//! Small samples of a chart's series, as legends and tables show them.

use egui::{Pos2, Rect, Sense, Ui, vec2};
use egui_plot::{BarChart, PlotBounds, PlotItem, PlotPoint, PlotTransform};

use super::{color, line, markers, span};
use crate::chart::{Kind, Look, Weight};
use crate::ui::widgets::tokens;

/// A short sample of a series, as in a legend.
pub(in crate::ui) fn sample_ui(ui: &mut Ui, look: Look, kind: Kind, faded: bool) {
    let (rect, _) = ui.allocate_exact_size(vec2(18.0, 12.0), Sense::hover());
    paint_sample(ui, rect, look, kind, faded);
}

/// A line's pattern alone.
pub(in crate::ui) fn line_ui(ui: &mut Ui, look: Look) {
    let (rect, _) = ui.allocate_exact_size(vec2(22.0, 12.0), Sense::hover());
    paint(
        ui,
        rect,
        &line(
            look,
            vec![PlotPoint::new(-1.0, 0.0), PlotPoint::new(1.0, 0.0)],
            2.0,
            color(look.color, tokens(ui)),
        ),
    );
}

/// The marker alone.
pub(in crate::ui) fn marker_ui(ui: &Ui, at: Pos2, radius: f32, look: Look) {
    let rect = Rect::from_center_size(at, egui::Vec2::splat(radius * 2.0));
    paint(
        ui,
        rect,
        &markers(
            look,
            vec![PlotPoint::new(0.0, 0.0)],
            radius,
            color(look.color, tokens(ui)),
        ),
    );
}

fn paint_sample(ui: &Ui, rect: Rect, look: Look, kind: Kind, faded: bool) {
    let color = color(look.color, tokens(ui));
    let color = if faded {
        color.gamma_multiply(0.35)
    } else {
        color
    };
    match kind {
        Kind::Bars | Kind::Spans => {
            let bar = span(look, 0.0, -1.0, 2.0, color);
            paint(ui, rect, &BarChart::new("", vec![bar]).color(color));
        }
        Kind::Dots => paint(
            ui,
            rect,
            &markers(look, vec![PlotPoint::new(0.0, 0.0)], 3.0, color),
        ),
        Kind::Line | Kind::Curve | Kind::Area => {
            let width = if look.weight == Weight::Thin {
                1.0
            } else {
                2.0
            };
            paint(
                ui,
                rect,
                &line(
                    look,
                    vec![PlotPoint::new(-1.0, 0.0), PlotPoint::new(1.0, 0.0)],
                    width,
                    color,
                ),
            );
            paint(
                ui,
                rect,
                &markers(
                    look,
                    vec![PlotPoint::new(0.0, 0.0)],
                    look.radius() as f32,
                    color,
                ),
            );
        }
    }
}

/// Paints an item of a plot where there is no plot: between -1 and 1 of `rect`.
fn paint(ui: &Ui, rect: Rect, item: &impl PlotItem) {
    let bounds = PlotBounds::from_min_max([-1.0, -1.0], [1.0, 1.0]);
    let mut shapes = Vec::new();
    item.shapes(ui, &PlotTransform::new(rect, bounds, false), &mut shapes);
    ui.painter().extend(shapes);
}
