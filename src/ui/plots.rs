//! Charts of a session's answers: one line per model, thinned to the pixels before they are drawn.

use egui::{Color32, Role, Ui, WidgetInfo};
use egui_plot::{AxisHints, Line, Plot, PlotPoints, Points};

use super::chart::{sign, styled_line};
use super::theme;
use super::widgets::tokens;
use crate::domain::units;
use crate::metrics::history::{Series, decimate};

/// Which figure a chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Time to first token, in ms.
    Ttft,
    /// Tokens per second.
    Speed,
}

impl Shown {
    /// The chart's title, with its unit.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ttft => "Time to first token, ms",
            Self::Speed => "Tokens per second",
        }
    }

    fn points(self, series: &Series) -> &[[f64; 2]] {
        match self {
            Self::Ttft => &series.ttft,
            Self::Speed => &series.speed,
        }
    }

    fn told(self, value: f64) -> String {
        match self {
            Self::Ttft => format!("TTFT {value:.1} ms"),
            Self::Speed => units::rate(value).to_string(),
        }
    }
}

/// More points than this are drawn without markers.
const MARKED: usize = 120;

/// Draws the chart, `height` high, of lines with the places of their colours; with `reset` the zoom is undone.
pub fn session_chart(
    ui: &mut Ui,
    shown: Shown,
    visible: Vec<(usize, &Series)>,
    height: f32,
    reset: bool,
) {
    let tokens = tokens(ui);
    let summary = summary(shown, &visible);
    let hovered = visible.clone();
    // As many figures as there is room for.
    let (across, up) = (
        (ui.available_width() / 48.0).clamp(2.0, 8.0),
        ((height - 24.0) / 26.0).clamp(1.0, 5.0),
    );
    let mut plot = Plot::new(("session", shown.title()))
        .height(height)
        .show_background(false)
        .include_y(0.0)
        .grid_color(tokens.line)
        .cursor_color(tokens.line_strong)
        .x_grid_spacer(move |input| ticks(input, across, 1.0))
        .y_grid_spacer(move |input| ticks(input, up, 0.0))
        .custom_x_axes(vec![
            AxisHints::new_x()
                .label("answer")
                .formatter(|mark, _| whole(mark.value))
                .label_spacing(egui::Rangef::new(24.0, 36.0)),
        ])
        .custom_y_axes(vec![
            AxisHints::new_y()
                .formatter(|mark, _| amount(mark.value))
                .label_spacing(egui::Rangef::new(10.0, 14.0))
                .min_thickness(34.0),
        ])
        .set_margin_fraction(egui::vec2(0.03, 0.08))
        .allow_scroll(false)
        .label_formatter(move |position| match position {
            egui_plot::HoverPosition::NearDataPoint {
                plot_name,
                position,
                ..
            } => Some(describe(shown, &hovered, plot_name, position.x, position.y)),
            egui_plot::HoverPosition::Elsewhere { .. } => None,
        });
    // A few answers do not fill the width: the first point would stand alone in the middle.
    let most = visible
        .iter()
        .filter_map(|(_, series)| series.samples.last())
        .map(|sample| sample.n)
        .max();
    plot = plot
        .include_x(0.5)
        .include_x(most.unwrap_or(0).max(5) as f64 + 0.5);
    if reset {
        plot = plot.reset();
    }
    let small = theme::small_figure_text().resolve(ui.style());
    ui.style_mut()
        .text_styles
        .insert(egui::TextStyle::Body, small);
    // A point is found from some way off.
    ui.style_mut().interaction.interact_radius = 24.0;
    let response = plot.show(ui, |plot| {
        let bounds = plot.plot_bounds();
        let columns = plot.response().rect.width().max(16.0) as usize;
        let (from, to) = (bounds.min()[0], bounds.max()[0]);
        for (index, series) in &visible {
            let points = shown.points(series);
            // Before the first frame the bounds are not those of the points.
            let follows = plot.auto_bounds().x;
            let (from, to) = if follows {
                (
                    points.first().map_or(0.0, |p| p[0]),
                    points.last().map_or(0.0, |p| p[0]),
                )
            } else {
                (from, to)
            };
            let thin = decimate(points, from, to, columns);
            let color = tokens.model_color(*index);
            let marked = thin.len() <= MARKED;
            let style = if marked {
                theme::line_style(*index)
            } else {
                egui_plot::LineStyle::Solid
            };
            plot.line(
                Line::new(series.model.clone(), PlotPoints::from(thin.clone()))
                    .color(color)
                    .width(1.5)
                    .style(style),
            );
            if marked {
                plot.points(
                    Points::new(series.model.clone(), PlotPoints::from(thin))
                        .color(color)
                        .radius(2.8)
                        .shape(theme::marker(*index)),
                );
            }
        }
    });
    let label = format!("{}. {summary}", shown.title());
    response
        .response
        .widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
}

/// Round values along an axis in at most so many parts, at least `least` apart.
fn ticks(input: egui_plot::GridInput, parts: f32, least: f64) -> Vec<egui_plot::GridMark> {
    let (from, to) = input.bounds;
    let step = round_up((to - from) / f64::from(parts)).max(least);
    let count = ((to - from) / step).ceil();
    if !count.is_finite() || count > 100.0 {
        return Vec::new();
    }
    let first = (from / step).ceil();
    (0..=count as u32)
        // One beyond the end would be written over what is there.
        .filter(|n| (first + f64::from(*n)) * step <= to)
        .map(|n| egui_plot::GridMark {
            value: (first + f64::from(n)) * step,
            step_size: step,
        })
        .collect()
}

/// To 1, 2 or 5 times a power of ten.
pub(super) fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let step = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|step| step * power >= value);
    step.unwrap_or(10.0) * power
}

/// What a screen reader says of a chart.
fn summary(shown: Shown, series: &[(usize, &Series)]) -> String {
    let of = |series: &Series| {
        let points = shown.points(series);
        let last = points
            .last()
            .map_or_else(|| units::ABSENT.to_owned(), |point| shown.told(point[1]));
        format!(
            "{}: {}, last {last}",
            series.model,
            units::counted(points.len(), "answer")
        )
    };
    let told: Vec<String> = series.iter().map(|(_, series)| of(series)).collect();
    if told.is_empty() {
        "No answers yet".to_owned()
    } else {
        told.join("; ")
    }
}

fn describe(shown: Shown, series: &[(usize, &Series)], model: &str, x: f64, y: f64) -> String {
    let sample = series
        .iter()
        .find(|(_, series)| series.model == model)
        .and_then(|(_, series)| {
            let at = series
                .samples
                .binary_search_by(|sample| (sample.n as f64).total_cmp(&x.round()))
                .ok()?;
            series.samples.get(at)
        });
    let mut lines = vec![model.to_owned(), shown.told(y)];
    if let Some(sample) = sample {
        let figures = &sample.figures;
        lines.push(format!("answer {}", sample.n));
        lines.extend(
            figures
                .latency
                .map(|latency| format!("latency {}", units::seconds(latency))),
        );
        lines.extend(
            figures
                .tokens
                .map(|tokens| format!("{} {}", units::count(tokens.n), tokens.noun())),
        );
        lines.extend(sample.deployment.as_ref().map(|name| format!("on {name}")));
        lines.push(format!("“{}”", units::shorten_middle(&sample.prompt, 48)));
    }
    lines.join("\n")
}

fn whole(value: f64) -> String {
    if value >= 1.0 && (value - value.round()).abs() < 1e-6 {
        units::count(value.round() as u64)
    } else {
        String::new()
    }
}

fn amount(value: f64) -> String {
    match value {
        v if v < 0.0 => String::new(),
        v if v >= 10_000.0 => format!("{:.0}k", v / 1e3),
        v if v >= 1_000.0 => format!("{:.1}k", v / 1e3),
        v if (v - v.round()).abs() < 1e-6 => format!("{v:.0}"),
        v => format!("{v:.1}"),
    }
}

/// A short sample of a model's line, as in a legend.
pub fn line_sample(ui: &mut Ui, index: usize, faded: bool) {
    let color: Color32 = tokens(ui).model_color(index);
    let color = if faded {
        color.gamma_multiply(0.35)
    } else {
        color
    };
    let (rect, _) = ui.allocate_exact_size(egui::vec2(18.0, 12.0), egui::Sense::hover());
    let y = rect.center().y;
    let points = [egui::pos2(rect.left(), y), egui::pos2(rect.right(), y)];
    styled_line(ui.painter(), &points, 2.0, index, color);
    sign(ui.painter(), rect.center(), 3.0, index, color);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_a_few_round_values() {
        let check = |bounds, least, expected: &[f64]| {
            let input = egui_plot::GridInput {
                bounds,
                base_step_size: 1e-3,
            };
            let values: Vec<f64> = ticks(input, 5.0, least)
                .iter()
                .map(|mark| mark.value)
                .collect();
            assert_eq!(values, expected);
        };
        check((-8.0, 150.0), 0.0, &[0.0, 50.0, 100.0, 150.0]);
        check((0.5, 5.5), 1.0, &[1.0, 2.0, 3.0, 4.0, 5.0]);
        check((0.0, 0.0), 1.0, &[0.0]);
    }
}
