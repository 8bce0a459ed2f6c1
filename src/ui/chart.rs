//! The frame of a chart: its card, axes, grid and picture button. Charts are painted here, and not by a plotting
//! crate: nothing is zoomed or dragged, and what is drawn is bounded before it comes here.

use egui::{
    Align2, Color32, FontId, Painter, Pos2, Rect, Role, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};

use super::picture::Photographer;
use super::plots::round_up;
use super::theme::{self, Tokens};
use super::widgets::{card, from_right, shortened, tokens};

/// The height of most charts, in points.
pub(super) const CHART: f32 = 172.0;

/// One axis: from its left or bottom end to the other. It may fall.
#[derive(Clone, Copy)]
pub(super) struct Axis<'a> {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) label: fn(f64) -> String,
    /// Names instead of numbers: of 0, 1, 2 and so on.
    pub(super) names: &'a [String],
    /// The next rounder step between two labels.
    pub(super) step: fn(f64) -> f64,
}

impl Axis<'static> {
    /// An axis of numbers.
    pub(super) fn new(from: f64, to: f64, label: fn(f64) -> String) -> Self {
        Self {
            from,
            to,
            label,
            names: &[],
            step: round_up,
        }
    }
}

impl<'a> Axis<'a> {
    /// An axis of names, evenly spaced.
    pub(super) fn of_names(names: &'a [String]) -> Self {
        // One alone stands in the middle.
        let (from, to) = if names.len() > 1 {
            (0.0, names.len() as f64 - 1.0)
        } else {
            (-0.5, 0.5)
        };
        Self {
            from,
            to,
            label: amount,
            names,
            step: round_up,
        }
    }

    fn written(&self, value: f64) -> String {
        if self.names.is_empty() {
            return (self.label)(value);
        }
        self.names
            .get(value.round() as usize)
            .cloned()
            .unwrap_or_default()
    }
}

/// Where a chart's values lie on the screen.
pub(super) struct Area<'a> {
    pub(super) rect: Rect,
    x: Axis<'a>,
    y: Axis<'a>,
    pub(super) tokens: &'static Tokens,
    /// Of labels.
    pub(super) font: FontId,
}

impl Area<'_> {
    pub(super) fn x(&self, value: f64) -> f32 {
        let share = (value - self.x.from) / (self.x.to - self.x.from);
        self.rect.left() + share as f32 * self.rect.width()
    }

    pub(super) fn y(&self, value: f64) -> f32 {
        let share = (value - self.y.from) / (self.y.to - self.y.from);
        self.rect.bottom() - share as f32 * self.rect.height()
    }

    pub(super) fn at(&self, x: f64, y: f64) -> Pos2 {
        pos2(self.x(x), self.y(y))
    }
}

pub(super) struct Chart<'a> {
    pub(super) title: &'static str,
    /// What a screen reader says.
    pub(super) summary: String,
    pub(super) height: f32,
    pub(super) x: Axis<'a>,
    pub(super) y: Option<Axis<'a>>,
    /// What stands between the title and the chart.
    pub(super) tools: &'a mut dyn FnMut(&mut Ui),
}

impl Chart<'_> {
    /// Draws the card, the grid and, through `draw`, what is in it. `draw` gets where the pointer is and
    /// tells what is there. Gives whether it was clicked.
    pub(super) fn show(
        self,
        ui: &mut Ui,
        photographer: &mut Photographer,
        draw: impl FnOnce(&Painter, &Area<'_>, Option<Pos2>) -> Option<String>,
    ) -> bool {
        let Self {
            title,
            summary,
            height,
            x,
            y,
            tools,
        } = self;
        let tokens = tokens(ui);
        let frame = card(ui).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().interact_size.y = 22.0;
            ui.spacing_mut().item_spacing.y = 4.0;
            ui.horizontal(|ui| {
                let width = ui.available_width() - 64.0;
                let style = theme::strong_text();
                shortened(ui, title, style, tokens.text, width);
                from_right(ui, |ui| photographer.button(ui, title));
            });
            tools(ui);
            let (rect, response) =
                ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
            response.widget_info(|| {
                WidgetInfo::labeled(Role::Image, true, format!("{title}. {summary}"))
            });
            let left = if y.is_some() { 40.0 } else { 6.0 };
            let inner = Rect::from_min_max(rect.min + vec2(left, 8.0), rect.max - vec2(8.0, 20.0));
            let font = FontId {
                size: 10.0,
                ..theme::small_figure_text().resolve(ui.style())
            };
            let none = Axis::new(0.0, 1.0, |_| String::new());
            let area = Area {
                rect: inner,
                x,
                y: y.unwrap_or(none),
                tokens,
                font,
            };
            let painter = ui.painter().clone();
            grid_ui(&painter, &area, y.is_some());
            let clicked =
                response.contains_pointer() && ui.input(|input| input.pointer.primary_clicked());
            let pointer = response
                .hover_pos()
                .filter(|at| inner.expand(4.0).contains(*at));
            // What lies beyond the axes is not drawn over the titles.
            let inside = painter.with_clip_rect(inner.expand(4.0).intersect(painter.clip_rect()));
            if let Some(told) = draw(&inside, &area, pointer) {
                response.on_hover_text_at_pointer(told);
            }
            clicked
        });
        photographer.drawn(ui, title, frame.response.rect);
        frame.inner
    }
}

fn grid_ui(painter: &Painter, area: &Area<'_>, with_y: bool) {
    let Area {
        rect,
        x,
        y,
        tokens,
        font,
    } = area;
    if with_y {
        for value in steps(*y, (rect.height() / 34.0).clamp(1.0, 5.0)) {
            let at = area.y(value);
            painter.hline(rect.x_range(), at, Stroke::new(1.0, tokens.line));
            painter.text(
                pos2(rect.left() - 6.0, at),
                Align2::RIGHT_CENTER,
                y.written(value),
                font.clone(),
                tokens.faint,
            );
        }
    } else {
        painter.hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, tokens.line));
    }
    let mut free_from = f32::NEG_INFINITY;
    let mut values = steps(*x, (rect.width() / 80.0).clamp(1.0, 8.0));
    values.sort_by(|a, b| area.x(*a).total_cmp(&area.x(*b)));
    for value in values {
        let galley = painter.layout_no_wrap(x.written(value), font.clone(), tokens.faint);
        let half = galley.size().x / 2.0;
        let at = area
            .x(value)
            .clamp(rect.left() - 4.0 + half, rect.right() + 6.0 - half);
        // Two labels that touch read as one number.
        if at - half > free_from {
            free_from = at + half + 8.0;
            painter.galley(pos2(at - half, rect.bottom() + 5.0), galley, tokens.faint);
        }
    }
}

/// Round values on an axis, in at most about so many parts.
fn steps(axis: Axis<'_>, parts: f32) -> Vec<f64> {
    if !axis.names.is_empty() {
        return (0..axis.names.len()).map(|n| n as f64).collect();
    }
    let (low, high) = (axis.from.min(axis.to), axis.from.max(axis.to));
    let step = (axis.step)((high - low) / f64::from(parts));
    if !step.is_finite() || step <= 0.0 {
        return Vec::new();
    }
    let first = (low / step).ceil();
    (0..=20)
        .map(|n| (first + f64::from(n)) * step)
        .take_while(|value| *value <= high * (1.0 + 1e-9))
        .collect()
}

/// `0.5`, `40`, `1.2k`, `4k`
pub(super) fn amount(value: f64) -> String {
    let short = |value: f64| {
        let text = format!("{value:.1}");
        text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
    };
    match value.abs() {
        v if v >= 1e6 => format!("{}M", short(value / 1e6)),
        v if v >= 1e3 => format!("{}k", short(value / 1e3)),
        v if v > 0.0 && v < 1.0 => format!("{}", (value * 1e3).round() / 1e3),
        _ => short(value),
    }
}

/// From zero to a little above the highest.
pub(super) fn up_to(highest: f64) -> Axis<'static> {
    let to = if highest > 0.0 { highest * 1.08 } else { 1.0 };
    Axis::new(0.0, to, amount)
}

pub(super) fn no_tools(_: &mut Ui) {}

/// What the pointer is nearest to, so far, and how near.
#[derive(Default)]
pub(super) struct Nearest(Option<(f32, String)>);

impl Nearest {
    pub(super) fn offer(&mut self, at: Pos2, pointer: Option<Pos2>, told: impl FnOnce() -> String) {
        let Some(pointer) = pointer else { return };
        let distance = at.distance(pointer);
        if distance < self.0.as_ref().map_or(14.0, |(nearest, _)| *nearest) {
            self.0 = Some((distance, told()));
        }
    }

    pub(super) fn told(self) -> Option<String> {
        self.0.map(|(_, told)| told)
    }
}

/// The sign of the `index`-th session or model, so that lines are told apart without colour.
pub(super) fn sign(painter: &Painter, at: Pos2, radius: f32, index: usize, color: Color32) {
    use egui_plot::MarkerShape;
    let r = radius;
    let filled = |corners: &[Vec2]| {
        let corners = corners.iter().map(|corner| at + *corner).collect();
        painter.add(Shape::convex_polygon(corners, color, Stroke::NONE));
    };
    match theme::marker(index) {
        MarkerShape::Square => {
            painter.rect_filled(
                Rect::from_center_size(at, Vec2::splat(r * 1.85)),
                0.0,
                color,
            );
        }
        MarkerShape::Up => filled(&[vec2(0.0, -1.2 * r), vec2(1.2 * r, r), vec2(-1.2 * r, r)]),
        MarkerShape::Down => filled(&[vec2(0.0, 1.2 * r), vec2(-1.2 * r, -r), vec2(1.2 * r, -r)]),
        MarkerShape::Diamond => {
            filled(&[
                vec2(0.0, -1.35 * r),
                vec2(1.35 * r, 0.0),
                vec2(0.0, 1.35 * r),
                vec2(-1.35 * r, 0.0),
            ]);
        }
        MarkerShape::Cross => {
            let stroke = Stroke::new((r * 0.6).max(1.5), color);
            painter.line_segment([at + vec2(-r, -r), at + vec2(r, r)], stroke);
            painter.line_segment([at + vec2(-r, r), at + vec2(r, -r)], stroke);
        }
        _ => {
            painter.circle_filled(at, r, color);
        }
    }
}

/// A line of the `index`-th session or model, drawn as its legend has it.
pub(super) fn styled_line(
    painter: &Painter,
    points: &[Pos2],
    width: f32,
    index: usize,
    color: Color32,
) {
    use egui_plot::LineStyle;
    let stroke = Stroke::new(width, color);
    match theme::line_style(index) {
        LineStyle::Solid => {
            painter.line(points.to_vec(), stroke);
        }
        LineStyle::Dashed { length } => {
            painter.extend(Shape::dashed_line(
                points,
                stroke,
                length * 0.6,
                length * 0.4,
            ));
        }
        LineStyle::Dotted { .. } => {
            painter.extend(Shape::dotted_line(points, color, 4.0, width * 0.65));
        }
    }
}

/// Writes beside a vertical line: right of it, or left where there is no room. What would lie over an earlier
/// one is left out; `free_from` is where those end.
pub(super) fn beside(painter: &Painter, area: &Area<'_>, at: f32, text: &str, free_from: &mut f32) {
    let galley = painter.layout_no_wrap(text.to_owned(), area.font.clone(), area.tokens.dim);
    let width = galley.size().x;
    let right = at + 4.0;
    let left = if right + width <= area.rect.right() + 4.0 {
        right
    } else {
        at - 3.0 - width
    };
    if left > *free_from {
        *free_from = left + width + 4.0;
        painter.galley(pos2(left, area.rect.top() - 3.0), galley, area.tokens.dim);
    }
}

pub(super) fn cross(painter: &Painter, at: Pos2, color: Color32) {
    let stroke = Stroke::new(1.2, color);
    painter.line_segment([at + vec2(-2.5, -2.5), at + vec2(2.5, 2.5)], stroke);
    painter.line_segment([at + vec2(-2.5, 2.5), at + vec2(2.5, -2.5)], stroke);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_that_falls_has_the_same_round_values() {
        let axis = Axis::new(500.0, 200.0, amount);
        assert_eq!(steps(axis, 3.0), [200.0, 300.0, 400.0, 500.0]);
    }
}
