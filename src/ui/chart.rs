//! The window's painter of charts: a [`Chart`] on an [`egui_plot::Plot`], in a card with its title and its menu.
//!
//! `egui_plot` has axes, grid, lines, markers, bars and zoom. This module adds three things: the hover text is the
//! chart's own (egui_plot's formatter gets only a point's series name and position, and would search some thousand dots
//! a second time), labels beside marks do not overlap, and a corner says how much lies beyond the axes.

mod card;
mod labels;
mod samples;

use egui::{
    Align2, Color32, FontId, Pos2, Rangef, Response, RichText, Role, Sense, TextStyle, Ui, Vec2,
    WidgetInfo, pos2, vec2,
};
use egui_plot::{
    AxisHints, Bar, BarChart, FilledArea, GridInput, GridMark, Line, LineStyle, MarkerShape, Plot,
    PlotBounds, PlotMemory, PlotPoint, PlotPoints, PlotTransform, PlotUi, Points, VLine,
};

use super::theme::{self, Tokens};
use super::widgets::{fit_middle, tokens};
use crate::chart::answers::View;
use crate::chart::{
    Axis, Chart, Color, Dash, Kind, Look, Mark, Marker, Point, Series, Tick, Weight,
};

pub(super) use self::card::{Part, card_ui, pair, timing_ui};
pub(super) use self::samples::{line_ui, marker_ui, sample_ui};

/// The height of most charts, in points.
pub(super) const CHART: f32 = 172.0;
/// What lies above a plot, in points.
const TOP: f32 = 6.0;
/// A point is found from so far off.
const REACH: f32 = 14.0;

/// The point under the pointer, and whether it was clicked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) point: Point,
    pub(super) clicked: bool,
}

/// Whether a chart can be moved and zoomed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zoom {
    Fixed,
    Free,
    /// As free, and the view is reset to show everything.
    Reset,
}

pub(super) fn no_tools(_: &mut Ui) {}

fn id(ui: &Ui, title: &str) -> egui::Id {
    ui.make_persistent_id(("chart", title))
}

/// The visible range of the chart of that title that this `ui` drew with [`plot_ui`].
pub(super) fn view(ui: &Ui, title: &str, zoom: Zoom) -> View {
    let bounds = zoomed_to(ui, title, zoom);
    View {
        range: bounds.map(|bounds| bounds.range_x()),
        columns: ui.available_width().max(16.0) as usize,
    }
}

/// What of that chart the user moved or zoomed to; `None` while it shows everything.
pub(super) fn zoomed_to(ui: &Ui, title: &str, zoom: Zoom) -> Option<PlotBounds> {
    let memory = PlotMemory::load(ui.ctx(), id(ui, title))?;
    // Until it is zoomed its range is that of the points.
    let zoomed = zoom != Zoom::Reset && !(memory.auto_bounds.x && memory.auto_bounds.y);
    zoomed.then(|| *memory.transform().bounds())
}

/// Draws the chart alone.
pub(super) fn plot_ui(ui: &mut Ui, chart: &Chart<'_>, height: f32, zoom: Zoom) -> Option<Hit> {
    let tokens = tokens(ui);
    let font = FontId {
        size: 10.0,
        ..theme::small_figure_text().resolve(ui.style())
    };
    let width = ui.available_width();
    let (x, y) = (&chart.x, &chart.y);
    let ([left, right], [bottom, top]) = (x.ends(), y.ends());
    let plot = plot_of(ui, chart, vec2(width, height), zoom, &font);
    let (rect, whole) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    // The uppermost figure stands half above the plot.
    let mut inside =
        ui.new_child(egui::UiBuilder::new().max_rect(rect.with_min_y(rect.top() + TOP)));
    let response = plot.show(&mut inside, |plot| {
        if zoom == Zoom::Fixed {
            plot.set_plot_bounds(PlotBounds::from_min_max([left, bottom], [right, top]));
        }
        for series in &chart.series {
            series_ui(plot, chart, series, tokens);
        }
        for mark in chart.marks.iter().filter(|mark| !mark.bare) {
            let dashes = LineStyle::Dashed { length: 3.0 };
            let line = VLine::new("", x.place(mark.x).unwrap_or(f64::NAN));
            plot.vline(line.color(tokens.line_strong).width(1.0).style(dashes));
        }
    });
    let (response, transform) = (response.response, response.transform);
    let frame = transform.frame();
    ui.painter().hline(
        frame.x_range(),
        frame.bottom(),
        egui::Stroke::new(1.0, tokens.line_strong),
    );
    marks_ui(ui, chart, &transform, &font, tokens);
    labels::labels_ui(ui, chart, &transform, &font);
    if let Some(beyond) = &chart.beyond {
        let at = frame.right_top() + vec2(-4.0, 10.0);
        let font = TextStyle::Small.resolve(ui.style());
        ui.painter()
            .text(at, Align2::RIGHT_TOP, beyond, font, tokens.warning);
    }
    hit_ui(ui, chart, zoom, (&whole, response), &transform)
}

/// The plot with its axes and its grid, without what is drawn on it.
fn plot_of<'a>(ui: &Ui, chart: &'a Chart<'_>, size: Vec2, zoom: Zoom, font: &FontId) -> Plot<'a> {
    let tokens = tokens(ui);
    let (width, height) = (size.x, size.y);
    // As many figures as there is room for.
    let across = (f64::from(width - 50.0) / chart.x.room()).min(10.0);
    let up = f64::from(((height - 24.0) / 28.0).clamp(1.0, 6.0));
    let (x, y) = (&chart.x, &chart.y);
    let hints = |hints: AxisHints<'static>| {
        hints
            .tick_label_color(tokens.faint)
            .tick_label_font(font.clone())
            .label_spacing(Rangef::new(0.0, 1.0))
    };
    // Where there is no room for the whole the unit is left: the card's title names what is measured.
    let title = |title: &str, room: f32| {
        let style = theme::small_figure_text();
        let mut shown = fit_middle(ui, title, &style, room);
        if let Some((_, unit)) = title.rsplit_once(", ").filter(|_| shown != title) {
            shown = fit_middle(ui, unit, &style, room);
        }
        RichText::new(shown).font(font.clone()).color(tokens.faint)
    };
    let x_hints = AxisHints::new_x()
        .label(title(&x.title, width - 60.0))
        .min_thickness(16.0);
    let y_hints = AxisHints::new_y()
        .label(title(&y.title, height - 36.0))
        .min_thickness(40.0);
    let written = |axis: &Axis, mark: GridMark| {
        axis.written(Tick {
            at: mark.value,
            step: mark.step_size,
        })
    };
    let [left, right] = x.ends();
    let [bottom, top] = y.ends();
    let mut plot = Plot::new(chart.title)
        .id(id(ui, chart.title))
        // Room for a label that is centred on the right end.
        .width(width - 10.0)
        .height(height - TOP)
        .show_background(false)
        .show_axes([true, !y.is_bare()])
        .show_grid([false, true])
        .show_x(false)
        .show_y(false)
        .grid_color(tokens.line)
        .grid_spacing(Rangef::new(2.0, 3.0))
        .x_grid_spacer(move |input| grid(x, &input, across))
        .y_grid_spacer(move |input| grid(y, &input, up))
        .custom_x_axes(vec![
            hints(x_hints).formatter(move |mark, _| written(x, mark)),
        ])
        .custom_y_axes(vec![
            hints(y_hints).formatter(move |mark, _| written(y, mark)),
        ])
        .set_margin_fraction(egui::Vec2::ZERO)
        .allow_scroll(false);
    if zoom == Zoom::Fixed {
        plot = plot
            .sense(Sense::hover())
            .allow_drag(false)
            .allow_zoom(false)
            .allow_boxed_zoom(false);
        plot = plot
            .allow_axis_zoom_drag(false)
            .allow_double_click_reset(false);
    } else {
        plot = plot
            .include_x(left)
            .include_x(right)
            .include_y(bottom)
            .include_y(top);
    }
    if zoom == Zoom::Reset {
        plot = plot.reset();
    }
    plot
}

/// Names the plot for screen readers, and gives the point under the pointer.
fn hit_ui(
    ui: &Ui,
    chart: &Chart<'_>,
    zoom: Zoom,
    (whole, response): (&Response, Response),
    transform: &PlotTransform,
) -> Option<Hit> {
    // What can be focused has the name; else the whole of it has, axes included.
    let named = if zoom == Zoom::Fixed {
        whole
    } else {
        &response
    };
    named.widget_info(|| {
        WidgetInfo::labeled(
            Role::Image,
            true,
            format!("{}. {}", chart.title, chart.summary),
        )
    });
    let pointer = response.hover_pos()?;
    let (series, point) = nearest(chart, pointer, transform)?;
    let clicked = ui.input(|input| input.pointer.primary_clicked());
    response.on_hover_text_at_pointer((chart.hover)(series, &point));
    Some(Hit { point, clicked })
}

fn grid(axis: &Axis, input: &GridInput, parts: f64) -> Vec<GridMark> {
    let (from, to) = input.bounds;
    let ticks = axis.ticks([from, to], parts);
    ticks
        .into_iter()
        .map(|tick| GridMark {
            value: tick.at,
            step_size: tick.step,
        })
        .collect()
}

fn series_ui<'a>(plot: &mut PlotUi<'a>, chart: &Chart<'_>, series: &Series, tokens: &Tokens) {
    let Series {
        look, kind, points, ..
    } = series;
    let color = color(look.color, tokens);
    let at = |point: &Point| {
        Some(PlotPoint::new(
            chart.x.place(point.x)?,
            chart.y.place(point.y)?,
        ))
    };
    let places: Vec<PlotPoint> = points.iter().filter_map(at).collect();
    match kind {
        Kind::Dots => plot.points(markers(
            *look,
            places,
            if look.marker == Marker::Ring {
                6.0
            } else {
                1.8
            },
            color,
        )),
        Kind::Bars => {
            let bar = |point: &Point| {
                let [from, to] = point.interval?;
                let (from, to) = chart.x.place(from).zip(chart.x.place(to))?;
                // A hair apart, so that equal neighbours are told apart.
                Some(
                    Bar::new(f64::midpoint(from, to), point.y)
                        .width((to - from) * 0.92)
                        .fill(color),
                )
            };
            plot.bar_chart(BarChart::new("", points.iter().filter_map(bar).collect()).color(color));
        }
        Kind::Spans => {
            let pixel = plot.transform().dvalue_dpos()[0].abs();
            let bar = |point: &Point| {
                let [from, to] = point.interval?;
                Some(span(*look, point.y, from, (to - from).max(pixel), color))
            };
            plot.bar_chart(BarChart::new("", points.iter().filter_map(bar).collect()).color(color));
        }
        Kind::Area => {
            let x: Vec<f64> = places.iter().map(|place| place.x).collect();
            let y: Vec<f64> = places.iter().map(|place| place.y).collect();
            let fill = color.gamma_multiply(0.22);
            plot.add(FilledArea::new("", &x, &vec![0.0; x.len()], &y).fill_color(fill));
            plot.line(line(*look, places, 1.5, color));
        }
        Kind::Line | Kind::Curve => {
            intervals_ui(plot, chart, points, color);
            let few = series.few();
            let some = places.iter().skip(few / 2).step_by(few).copied().collect();
            plot.line(line(
                *look,
                places,
                if look.weight == Weight::Thin {
                    1.0
                } else {
                    1.75
                },
                color,
            ));
            plot.points(markers(*look, some, look.radius() as f32, color));
        }
    }
}

/// A bar along a row.
fn span(look: Look, row: f64, from: f64, length: f64, color: Color32) -> Bar {
    let hollow = look.weight == Weight::Hollow;
    let stroke = egui::Stroke::new(if hollow { 1.0 } else { 0.0 }, color);
    let fill = if hollow {
        color.gamma_multiply(0.25)
    } else {
        color
    };
    let width = if look.weight == Weight::Thin {
        0.2
    } else {
        0.8
    };
    Bar::new(row, length)
        .base_offset(from)
        .width(width)
        .fill(fill)
        .stroke(stroke)
        .horizontal()
}

/// The 95 % intervals: a line up and down with an end across.
fn intervals_ui(plot: &mut PlotUi<'_>, chart: &Chart<'_>, points: &[Point], color: Color32) {
    let half = plot.transform().dvalue_dpos()[0].abs() * 3.5;
    for point in points {
        let ends = point
            .interval
            .and_then(|[low, high]| Some([chart.y.place(low)?, chart.y.place(high)?]));
        let Some((x, [low, high])) = chart.x.place(point.x).zip(ends) else {
            continue;
        };
        let (left, right) = (x - half, x + half);
        let ends = vec![
            [left, low],
            [right, low],
            [x, low],
            [x, high],
            [left, high],
            [right, high],
        ];
        plot.line(
            Line::new("", PlotPoints::from(ends))
                .color(color.gamma_multiply(0.65))
                .width(1.0),
        );
    }
}

fn line<'a>(look: Look, places: Vec<PlotPoint>, width: f32, color: Color32) -> Line<'a> {
    let style = match look.dash {
        Dash::Solid => LineStyle::Solid,
        Dash::Long => LineStyle::Dashed { length: 8.0 },
        Dash::Dotted => LineStyle::Dotted { spacing: 5.0 },
        Dash::Short => LineStyle::Dashed { length: 4.0 },
    };
    // The radius of its dots is the width.
    let width = if look.dash == Dash::Dotted {
        width * 0.65
    } else {
        width
    };
    Line::new("", PlotPoints::Owned(places))
        .color(color)
        .width(width)
        .style(style)
}

fn markers<'a>(look: Look, places: Vec<PlotPoint>, radius: f32, color: Color32) -> Points<'a> {
    let shape = match look.marker {
        Marker::Circle | Marker::Ring => MarkerShape::Circle,
        Marker::Square => MarkerShape::Square,
        Marker::Up => MarkerShape::Up,
        Marker::Down => MarkerShape::Down,
        Marker::Diamond => MarkerShape::Diamond,
        Marker::Cross => MarkerShape::Cross,
    };
    let points = Points::new("", PlotPoints::Owned(places))
        .color(color)
        .shape(shape)
        .radius(radius);
    points.filled(look.marker != Marker::Ring)
}

fn color(color: Color, tokens: &Tokens) -> Color32 {
    match color {
        Color::Nth(index) => tokens.model_color(index),
        Color::Dim => tokens.dim,
        Color::Accent => tokens.accent,
        Color::Error => tokens.error,
    }
}

/// Writes beside each mark: right of it, or left where there is no room. What would lie over an earlier one is left out.
fn marks_ui(ui: &Ui, chart: &Chart<'_>, transform: &PlotTransform, font: &FontId, tokens: &Tokens) {
    let frame = *transform.frame();
    let painter = ui
        .painter()
        .with_clip_rect(frame.expand2(vec2(8.0, 4.0)).intersect(ui.clip_rect()));
    let mut free_from = f32::NEG_INFINITY;
    for Mark { x, label, .. } in &chart.marks {
        let Some(at) = chart
            .x
            .place(*x)
            .map(|place| transform.position_from_point_x(place))
        else {
            continue;
        };
        let galley = painter.layout_no_wrap(label.clone(), font.clone(), tokens.dim);
        let width = galley.size().x;
        let left = if at + 4.0 + width <= frame.right() + 8.0 {
            at + 4.0
        } else {
            at - 3.0 - width
        };
        if left > free_from {
            free_from = left + width + 4.0;
            painter.galley(pos2(left, frame.top() - 2.0), galley, tokens.dim);
        }
    }
}

/// The point that pointing at `pointer` means: the nearest one, and of an area or bars the nearest sideways, of spans
/// the one in that row.
fn nearest<'a>(
    chart: &'a Chart<'_>,
    pointer: Pos2,
    transform: &PlotTransform,
) -> Option<(&'a Series, Point)> {
    let mut found: Option<(f32, &Series, Point)> = None;
    for series in &chart.series {
        for point in &series.points {
            let Some((x, y)) = chart.x.place(point.x).zip(chart.y.place(point.y)) else {
                continue;
            };
            let away = transform.position_from_point(&PlotPoint::new(x, y)) - pointer;
            let (distance, reach) = match series.kind {
                Kind::Bars | Kind::Area => (away.x.abs(), f32::INFINITY),
                Kind::Spans => (away.y.abs(), REACH),
                Kind::Line | Kind::Curve | Kind::Dots => (away.length(), REACH),
            };
            if distance < found.as_ref().map_or(reach, |(nearest, ..)| *nearest) {
                found = Some((distance, series, *point));
            }
        }
    }
    found.map(|(_, series, point)| (series, point))
}
