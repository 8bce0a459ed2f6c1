//! Words beside points.

use egui::{FontId, Rect, Ui, pos2, vec2};
use egui_plot::{PlotPoint, PlotTransform};

use crate::chart::{Axis, Label};
use crate::ui::widgets::tokens;

/// Writes each right above its point, or left of it where there is no room. What would lie over an earlier one is left
/// out.
pub(super) fn labels_ui(
    ui: &Ui,
    x: &Axis,
    y: &Axis,
    labels: &[Label],
    (transform, font): (&PlotTransform, &FontId),
) {
    let color = tokens(ui).dim;
    let frame = *transform.frame();
    let mut taken: Vec<Rect> = Vec::new();
    for label in labels {
        let Some((x, y)) = x.place(label.x).zip(y.place(label.y)) else {
            continue;
        };
        let at = transform.position_from_point(&PlotPoint::new(x, y));
        if !frame.expand(1.0).contains(at) {
            continue;
        }
        let painter = ui.painter();
        let galley = painter.layout_no_wrap(label.text.clone(), font.clone(), color);
        let left = if at.x + 6.0 + galley.size().x <= frame.right() {
            at.x + 6.0
        } else {
            at.x - 6.0 - galley.size().x
        };
        let top = (at.y - galley.size().y - 2.0).max(frame.top());
        let place = Rect::from_min_size(pos2(left, top), galley.size());
        if taken.iter().all(|other| !other.intersects(place)) {
            taken.push(place.expand2(vec2(2.0, 0.0)));
            painter.galley(place.min, galley, color);
        }
    }
}
