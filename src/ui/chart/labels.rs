//! Words beside points.

use std::sync::Arc;

use egui::{FontId, Galley, Ui, pos2};
use egui_plot::{PlotPoint, PlotTransform};

use crate::chart::labels::{Beside, places};
use crate::chart::{Chart, Label};
use crate::ui::widgets::tokens;

/// Writes each beside its point, where there is a free place.
pub(super) fn labels_ui(ui: &Ui, chart: &Chart<'_>, transform: &PlotTransform, font: &FontId) {
    let (painter, color) = (ui.painter(), tokens(ui).dim);
    let frame = *transform.frame();
    let at = |label: &Label| {
        let (x, y) = chart.x.place(label.x).zip(chart.y.place(label.y))?;
        let at = transform.position_from_point(&PlotPoint::new(x, y));
        let galley = painter.layout_no_wrap(label.text.clone(), font.clone(), color);
        let beside = Beside {
            x: at.x.into(),
            y: at.y.into(),
            width: galley.size().x.into(),
        };
        frame.expand(1.0).contains(at).then_some((beside, galley))
    };
    let (points, galleys): (Vec<Beside>, Vec<Arc<Galley>>) =
        chart.labels.iter().filter_map(at).unzip();
    let height = galleys.first().map_or(0.0, |galley| galley.size().y);
    let frame = [frame.left(), frame.top(), frame.right(), frame.bottom()].map(f64::from);
    let places = places(&points, height.into(), frame);
    for (place, galley) in places.into_iter().zip(galleys) {
        if let Some([left, top]) = place {
            painter.galley(pos2(left as f32, top as f32), galley, color);
        }
    }
}
