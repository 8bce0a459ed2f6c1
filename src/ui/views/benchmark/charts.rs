//! The session's charts.

use egui::{
    Mesh, Painter, Pos2, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::SessionUi;
use super::live::clock;
use crate::domain::figures::{self, Distribution};
use crate::domain::run::{Flight, INTERVALS, LevelReport, Stats};
use crate::domain::stats::{P50, P99, Percentile};
use crate::domain::units;
use crate::state::ModelColors;
use crate::state::bench::Session;
use crate::ui::chart::{
    Area, Axis, CHART, Chart, Nearest, amount, beside, cross, no_tools, sign, styled_line, up_to,
};
use crate::ui::picture::Photographer;
use crate::ui::plots::line_sample;
use crate::ui::theme::Tokens;
use crate::ui::widgets::{shortened, tokens};

const TTFT: &str = "TTFT per request, ms";
const SPEED: &str = "Output tokens per second";
const KNEE: &str = "Throughput against per-user speed (the knee)";
const DISTRIBUTION: &str = "Distribution of the level, ms";
const TIMELINE: &str = "Last requests in flight";

/// Which distribution is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shown {
    #[default]
    Ttft,
    Itl,
    Latency,
}

impl Shown {
    const ALL: [Self; 3] = [Self::Ttft, Self::Itl, Self::Latency];

    fn figure(self) -> &'static Distribution {
        match self {
            Self::Ttft => &figures::TTFT,
            Self::Itl => &figures::ITL,
            Self::Latency => &figures::LATENCY,
        }
    }
}

pub(super) fn show(ui: &mut Ui, page: &mut SessionUi, session: &Session, colors: &ModelColors) {
    let SessionUi {
        shown,
        level,
        photographer,
    } = page;
    let two = ui.available_width() > 640.0;
    let gap = 10.0;
    let width = if two {
        (ui.available_width() - gap) / 2.0
    } else {
        ui.available_width()
    };
    let chosen = level
        .and_then(|level| session.levels.iter().find(|report| report.index == level))
        .or(session.current());
    let mut parts: Vec<Part<'_>> = vec![
        Box::new(|ui, p| ttft_ui(ui, p, session, colors)),
        Box::new(|ui, p| speed_ui(ui, p, session)),
        Box::new(|ui, p| knee_ui(ui, p, session, colors)),
        Box::new(|ui, p| distribution_ui(ui, p, shown, chosen, colors)),
    ];
    ui.spacing_mut().item_spacing = vec2(gap, gap);
    while !parts.is_empty() {
        let rest = parts.split_off(parts.len().min(if two { 2 } else { 1 }));
        ui.horizontal_top(|ui| {
            for part in parts {
                ui.allocate_ui(vec2(width, 0.0), |ui| {
                    ui.set_width(width);
                    ui.vertical(|ui| {
                        ui.set_width(width);
                        part(ui, photographer);
                    });
                });
            }
        });
        parts = rest;
    }
}

type Part<'a> = Box<dyn FnOnce(&mut Ui, &mut Photographer) + 'a>;

fn time_axis(session: &Session) -> Axis<'static> {
    let elapsed = session.now.map_or(0.0, |now| now.elapsed_s);
    let last = session.dots.kept().last().map_or(0.0, |dot| dot.at_s);
    Axis::new(0.0, elapsed.max(last).max(10.0), clock)
}

/// Dashed lines where levels begin, with their labels as far as there is room.
fn levels_ui(painter: &Painter, area: &Area<'_>, session: &Session) {
    let tokens = area.tokens;
    let mut free_from = f32::NEG_INFINITY;
    for (level, began) in &session.began {
        let at = area.x(*began);
        let line = [pos2(at, area.rect.top()), pos2(at, area.rect.bottom())];
        painter.extend(Shape::dashed_line(
            &line,
            Stroke::new(1.0, tokens.line_strong),
            3.0,
            3.0,
        ));
        let Some(label) = session.label_of(*level) else {
            continue;
        };
        beside(painter, area, at, &label, &mut free_from);
    }
}

// ---- the charts ---------------------------------------------------------------------------------------

fn ttft_ui(ui: &mut Ui, photographer: &mut Photographer, session: &Session, colors: &ModelColors) {
    let dots = session.dots.kept();
    let slowest = dots
        .iter()
        .filter_map(|dot| dot.ttft_ms)
        .fold(0.0f32, f32::max);
    let added = usize::try_from(session.dots.added()).unwrap_or(usize::MAX);
    let summary = format!(
        "{}, slowest {slowest:.0} ms",
        units::counted(added, "request")
    );
    let levels = session.plan.levels().len().max(session.levels.len());
    let index_of: Vec<usize> = (0..levels)
        .map(|level| colors.index(session.model_of(level).unwrap_or_default()))
        .collect();
    let (x, y) = (time_axis(session), Some(up_to(slowest.into())));
    let chart = Chart {
        title: TTFT,
        summary,
        height: CHART,
        x,
        y,
        tools: &mut no_tools,
    };
    chart.show(ui, photographer, |painter, area, pointer| {
        levels_ui(painter, area, session);
        let mut nearest = Nearest::default();
        for dot in dots {
            let level = dot.level as usize;
            let index = index_of.get(level).copied().unwrap_or(0);
            let at = area.at(dot.at_s, dot.ttft_ms.unwrap_or(0.0).into());
            match dot.ttft_ms {
                None => cross(painter, at, area.tokens.error),
                Some(_) if index.is_multiple_of(2) => {
                    painter.circle_filled(at, 1.7, area.tokens.model_color(index));
                }
                Some(_) => {
                    let square = Rect::from_center_size(at, vec2(3.0, 3.0));
                    painter.rect_filled(square, 0.0, area.tokens.model_color(index));
                }
            }
            nearest.offer(at, pointer, || {
                let told = dot
                    .ttft_ms
                    .map_or("failed".to_owned(), |ttft| format!("TTFT {ttft:.1} ms"));
                let label = session.label_of(level).unwrap_or_default();
                let model = session.credited_of(level).unwrap_or_default();
                format!("{model} {label}\n{told}\nsent at {}", clock(dot.at_s))
            });
        }
        nearest.told()
    });
}

fn speed_ui(ui: &mut Ui, photographer: &mut Photographer, session: &Session) {
    let rates = session.rates.kept();
    let highest = rates
        .iter()
        .map(|rate| rate.tokens_per_s)
        .fold(0.0, f64::max);
    let last = rates.last().map_or(0.0, |rate| rate.tokens_per_s);
    let summary = format!(
        "now {}, at most {}",
        units::rate(last),
        units::rate(highest)
    );
    let (x, y) = (time_axis(session), Some(up_to(highest)));
    let chart = Chart {
        title: SPEED,
        summary,
        height: CHART,
        x,
        y,
        tools: &mut no_tools,
    };
    chart.show(ui, photographer, |painter, area, pointer| {
        let color = area.tokens.model_color(0);
        let line: Vec<Pos2> = rates
            .iter()
            .map(|rate| area.at(rate.at_s, rate.tokens_per_s))
            .collect();
        let mut mesh = Mesh::default();
        let fill = color.gamma_multiply(0.22);
        for (n, at) in (0u32..).zip(&line) {
            mesh.colored_vertex(*at, fill);
            mesh.colored_vertex(pos2(at.x, area.rect.bottom()), fill);
            if n > 0 {
                mesh.add_triangle(2 * n - 2, 2 * n - 1, 2 * n);
                mesh.add_triangle(2 * n - 1, 2 * n, 2 * n + 1);
            }
        }
        painter.add(mesh);
        painter.line(line, Stroke::new(1.5, color));
        levels_ui(painter, area, session);
        let pointer = pointer?;
        let near = rates.iter().min_by(|a, b| {
            (area.x(a.at_s) - pointer.x)
                .abs()
                .total_cmp(&(area.x(b.at_s) - pointer.x).abs())
        })?;
        let flight = units::counted(near.in_flight as usize, "request");
        Some(format!(
            "{}\n{flight} in flight\nat {}",
            units::rate(near.tokens_per_s),
            clock(near.at_s)
        ))
    });
}

/// A point of the knee: per-user speed, throughput, and the level.
type KneePoint<'a> = (f64, f64, &'a LevelReport);

/// A line for each model that answered. Its colour is that of the model that was asked, as everywhere.
fn knee_lines(levels: &[LevelReport]) -> Vec<(String, Vec<KneePoint<'_>>)> {
    let mut lines: Vec<(String, Vec<KneePoint<'_>>)> = Vec::new();
    for level in levels {
        let speed = level.user_tokens_per_s.at(P50);
        let throughput = level.throughput.output_tokens_per_s.map(|rate| rate.mean);
        let Some((speed, throughput)) = speed.zip(throughput) else {
            continue;
        };
        let (name, point) = (level.credited(), (speed, throughput, level));
        match lines.iter_mut().find(|(known, _)| *known == name) {
            Some((_, points)) => points.push(point),
            None => lines.push((name, vec![point])),
        }
    }
    lines
}

fn knee_ui(ui: &mut Ui, photographer: &mut Photographer, session: &Session, colors: &ModelColors) {
    let lines = knee_lines(&session.levels);
    let index_of = |points: &[KneePoint<'_>]| {
        points
            .first()
            .map_or(0, |(.., level)| colors.index(&level.model))
    };
    let points = || lines.iter().flat_map(|(_, points)| points);
    let fastest = points().map(|(speed, ..)| *speed).fold(0.0, f64::max);
    let slowest = points()
        .map(|(speed, ..)| *speed)
        .fold(f64::INFINITY, f64::min);
    let highest = points()
        .map(|(_, throughput, _)| *throughput)
        .fold(0.0, f64::max);
    let spread = ((fastest - slowest) * 0.06).max(fastest * 0.03);
    // Towards more load the speed falls, and more load is to the right.
    let x = if fastest > 0.0 {
        Axis::new(fastest + spread, (slowest - spread).max(0.0), amount)
    } else {
        Axis::new(1.0, 0.0, |_| String::new())
    };
    let summary = match lines.len() {
        0 => "No level has ended yet".to_owned(),
        _ => lines
            .iter()
            .map(|(model, points)| format!("{model}: {}", units::counted(points.len(), "level")))
            .collect::<Vec<_>>()
            .join("; "),
    };
    let y = Some(up_to(highest));
    let several = session.plan.targets.len() > 1 || lines.len() > 1;
    let mut legend = |ui: &mut Ui| {
        if !several {
            return;
        }
        ui.horizontal(|ui| {
            let each = ui.available_width() / lines.len().max(1) as f32 - 34.0;
            let dim = tokens(ui).dim;
            for (model, points) in &lines {
                line_sample(ui, index_of(points), false);
                shortened(ui, model, egui::TextStyle::Small, dim, each);
            }
            // As high as before the first level has ended.
            ui.set_min_height(22.0);
        });
    };
    let height = if several { CHART - 28.0 } else { CHART };
    let chart = Chart {
        title: KNEE,
        summary,
        height,
        x,
        y,
        tools: &mut legend,
    };
    chart.show(ui, photographer, |painter, area, pointer| {
        let mut nearest = Nearest::default();
        for (model, points) in &lines {
            let index = index_of(points);
            let color = area.tokens.model_color(index);
            let line: Vec<Pos2> = points
                .iter()
                .map(|(speed, throughput, _)| area.at(*speed, *throughput))
                .collect();
            styled_line(painter, &line, 1.5, index, color);
            for (at, (speed, throughput, level)) in line.into_iter().zip(points) {
                sign(painter, at, 3.5, index, color);
                nearest.offer(at, pointer, || {
                    let each = units::rate(*speed);
                    let all = units::rate(*throughput);
                    format!(
                        "{model} {}\n{each} for each user\n{all} in all",
                        level.label
                    )
                });
            }
        }
        nearest.told()
    });
}

/// Bars of the distribution, however fine its buckets are.
const BARS: usize = 40;

fn distribution_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    shown: &mut Shown,
    level: Option<&LevelReport>,
    colors: &ModelColors,
) {
    let figure = shown.figure();
    let stats = level.and_then(figure.read);
    let (bars, tail) = stats.map(bars).unwrap_or_default();
    let highest = bars.iter().map(|(_, _, count)| *count).fold(0.0, f64::max);
    let (from, to) = (
        bars.first().map_or(0.0, |bar| bar.0),
        bars.last().map_or(1.0, |bar| bar.1),
    );
    let of = level.map_or_else(
        || "No level yet".to_owned(),
        |level| format!("{} {}", level.credited(), level.label),
    );
    let count = stats.map_or(0, |stats| stats.count);
    let summary = format!(
        "{of}, {}",
        units::counted(usize::try_from(count).unwrap_or(usize::MAX), "value")
    );
    let mut tools = |ui: &mut Ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            ui.spacing_mut().button_padding = vec2(8.0, 2.0);
            ui.spacing_mut().interact_size.y = 20.0;
            for choice in Shown::ALL {
                let name = choice.figure().title;
                let on = *shown == choice;
                let button = ui.add(egui::Button::selectable(
                    on,
                    egui::RichText::new(name).small(),
                ));
                button.widget_info(|| {
                    WidgetInfo::selected(
                        Role::RadioButton,
                        true,
                        on,
                        format!("{name} distribution"),
                    )
                });
                if button.clicked() {
                    *shown = choice;
                }
            }
            let dim = tokens(ui).dim;
            let width = ui.available_width();
            shortened(ui, &of, egui::TextStyle::Small, dim, width);
        });
    };
    let x = Axis::new(from, to, amount);
    let chart = Chart {
        title: DISTRIBUTION,
        summary,
        height: CHART - 28.0,
        x,
        y: Some(up_to(highest)),
        tools: &mut tools,
    };
    chart.show(ui, photographer, |painter, area, pointer| {
        let color = area
            .tokens
            .model_color(level.map_or(0, |level| colors.index(&level.model)));
        let mut told = None;
        for (from, to, count) in bars.iter().filter(|(_, _, count)| *count > 0.0) {
            let bar = Rect::from_min_max(
                pos2(area.x(*from) + 0.5, area.y(*count)),
                pos2(
                    (area.x(*to) - 0.5).max(area.x(*from) + 1.0),
                    area.rect.bottom(),
                ),
            );
            painter.rect_filled(bar, 0.0, color);
            if pointer.is_some_and(|at| bar.x_range().contains(at.x)) {
                let count = units::count(*count as u64);
                told = Some(format!("{} to {} ms\n{count}", amount(*from), amount(*to)));
            }
        }
        if let Some((beyond, slowest)) = tail {
            // What lies beyond the edge is told at it, never left out without a word.
            let text = format!(
                "{} more, up to {} ms →",
                units::count(beyond),
                amount(slowest)
            );
            let at = area.rect.right_top() + vec2(-4.0, 4.0);
            let font = egui::TextStyle::Small.resolve(&painter.ctx().global_style());
            painter.text(at, egui::Align2::RIGHT_TOP, text, font, area.tokens.warning);
        }
        let Some(stats) = stats else { return told };
        if pointer.is_some() && stats.count > 0 {
            let bar = told.map(|bar| format!("{bar}\n")).unwrap_or_default();
            told = Some(format!("{bar}{}\n{INTERVALS}", figure.intervals(stats)));
        }
        let mut marks: Vec<(f32, String)> = Vec::new();
        for percentile in Percentile::all_with_interval() {
            let Some(value) = stats.at(percentile).filter(|value| *value <= to) else {
                continue;
            };
            let at = area.x(value);
            // Of few requests two are the same one.
            match marks.last_mut().filter(|(last, _)| at - *last < 2.0) {
                Some((_, names)) => *names = format!("{names} {percentile}"),
                None => marks.push((at, percentile.to_string())),
            }
        }
        let mut free_from = f32::NEG_INFINITY;
        for (at, name) in &marks {
            let line = [pos2(*at, area.rect.top()), pos2(*at, area.rect.bottom())];
            painter.extend(Shape::dashed_line(
                &line,
                Stroke::new(1.0, area.tokens.text),
                3.0,
                3.0,
            ));
            beside(painter, area, *at, name, &mut free_from);
        }
        told
    });
}

/// How many values lie beyond the last bar, and the largest of them.
type Tail = Option<(u64, f64)>;

/// `[from, to, count]` of equally wide bars, and what lies far beyond p99 and beyond the last of them: a single straggler
/// would press all others together. Counts are whole: a bucket that lies across an edge is not cut into fractions.
fn bars(stats: &Stats) -> (Vec<(f64, f64, f64)>, Tail) {
    let (Some(first), Some(last)) = (stats.buckets.first(), stats.buckets.last()) else {
        return (Vec::new(), None);
    };
    let (low, p99) = (first[0], stats.at(P99).unwrap_or(last[1]));
    let high = last[1].min(low + (p99 - low) * 1.4).max(low + 1e-6);
    let width = (high - low) / BARS as f64;
    // How many lie below an edge, to the nearest whole one: bars of differences of these lose and invent none.
    let below = |edge: f64| {
        let part = |[from, to, count]: &[f64; 3]| {
            count * ((edge - from) / (to - from).max(1e-9)).clamp(0.0, 1.0)
        };
        stats.buckets.iter().map(part).sum::<f64>().round()
    };
    let edges: Vec<f64> = (0..=BARS).map(|n| low + n as f64 * width).collect();
    let counts: Vec<f64> = edges.iter().map(|edge| below(*edge)).collect();
    let bars = edges
        .windows(2)
        .zip(counts.windows(2))
        .map(|(edges, counts)| (edges[0], edges[1], counts[1] - counts[0]))
        .collect();
    let all: f64 = stats.buckets.iter().map(|bucket| bucket[2]).sum();
    let beyond = (all - counts.last().copied().unwrap_or_default())
        .round()
        .max(0.0) as u64;
    (
        bars,
        (beyond > 0).then(|| (beyond, stats.max.unwrap_or(last[1]))),
    )
}

/// The last requests in flight, a bar each.
pub(super) fn timeline_ui(ui: &mut Ui, photographer: &mut Photographer, session: &Session) {
    let flights = &session.flights;
    let now = session.now.map_or(0.0, |now| now.elapsed_s);
    let from = flights
        .iter()
        .map(|flight| flight.due_s)
        .fold(now, f64::min);
    let x = Axis::new(from, now.max(from + 0.001), |seconds| {
        format!("{seconds:.1} s")
    });
    let streaming = flights
        .iter()
        .filter(|f| f.first_s.is_some() && f.ended_s.is_none())
        .count();
    let summary = format!(
        "{}, {streaming} streaming",
        units::counted(flights.len(), "request")
    );
    let height = flights.len() as f32 * 5.0 + 28.0;
    let mut legend = |ui: &mut Ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            let tokens = tokens(ui);
            for (part, name) in [
                (Phase::Queued, "queued"),
                (Phase::Waiting, "waiting for the first token"),
                (Phase::Streaming, "streaming"),
                (Phase::Failed, "failed"),
            ] {
                let (rect, _) = ui.allocate_exact_size(vec2(16.0, 10.0), Sense::hover());
                part.draw(ui.painter(), rect.shrink2(vec2(0.0, 3.0)), tokens);
                crate::ui::widgets::caption(ui, name);
            }
        });
    };
    let chart = Chart {
        title: TIMELINE,
        summary,
        height,
        x,
        y: None,
        tools: &mut legend,
    };
    chart.show(ui, photographer, |painter, area, pointer| {
        let row = area.rect.height() / flights.len().max(1) as f32;
        let mut told = None;
        for (n, flight) in flights.iter().enumerate() {
            let top = area.rect.top() + n as f32 * row;
            let part = |from: f64, to: f64| {
                let right = area.x(to).max(area.x(from) + 1.0);
                Rect::from_min_max(pos2(area.x(from), top), pos2(right, top + row - 1.0))
            };
            let end = flight.ended_s.unwrap_or(now);
            let sent = flight.sent_s.unwrap_or(end);
            let first = flight.first_s.unwrap_or(end);
            if sent > flight.due_s {
                Phase::Queued.draw(painter, part(flight.due_s, sent), area.tokens);
            }
            if flight.sent_s.is_some() {
                Phase::Waiting.draw(painter, part(sent, first), area.tokens);
            }
            if flight.first_s.is_some() {
                Phase::Streaming.draw(painter, part(first, end), area.tokens);
            }
            if flight.failed {
                Phase::Failed.draw(painter, part(end, end).expand2(vec2(2.0, 0.0)), area.tokens);
            }
            if pointer.is_some_and(|at| (top..top + row).contains(&at.y)) {
                told = Some(flight_told(flight));
            }
        }
        told
    });
}

fn flight_told(flight: &Flight) -> String {
    let Flight {
        index,
        due_s,
        sent_s,
        first_s,
        ended_s,
        failed,
    } = flight;
    let mut lines = vec![format!("request {index}, due at {due_s:.2} s")];
    let mut line = |name: &str, to: &Option<f64>, from: f64| {
        lines.extend(to.map(|to| format!("{name} {:.0} ms", (to - from) * 1e3)));
    };
    line("sent after", sent_s, *due_s);
    line("first token after", first_s, *due_s);
    line(
        if *failed {
            "failed after"
        } else {
            "ended after"
        },
        ended_s,
        *due_s,
    );
    lines.join("\n")
}

/// The parts of a request's bar. They differ in their pattern, too.
#[derive(Clone, Copy)]
enum Phase {
    Queued,
    Waiting,
    Streaming,
    Failed,
}

impl Phase {
    fn draw(self, painter: &Painter, rect: Rect, tokens: &Tokens) {
        match self {
            Self::Queued => {
                let line = [rect.left_center(), rect.right_center()];
                painter.extend(Shape::dotted_line(&line, tokens.faint, 3.0, 0.8));
            }
            Self::Waiting => {
                let color = tokens.model_color(1);
                painter.rect(
                    rect,
                    0.0,
                    color.gamma_multiply(0.25),
                    Stroke::new(1.0, color),
                    StrokeKind::Inside,
                );
            }
            Self::Streaming => {
                painter.rect_filled(rect, 0.0, tokens.model_color(0));
            }
            Self::Failed => {
                painter.rect_filled(rect, 0.0, tokens.error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::stats::Percentiles;

    #[test]
    fn bars_hold_what_the_buckets_hold() {
        let stats = Stats {
            count: 60,
            percentiles: Percentiles::of([(P99, 30.0)]),
            buckets: vec![[10.0, 12.0, 20.0], [12.0, 20.0, 30.0], [29.0, 30.0, 10.0]],
            ..Stats::default()
        };
        let (bars, tail) = bars(&stats);
        assert_eq!((bars.len(), tail), (BARS, None));
        let sum: f64 = bars.iter().map(|(_, _, count)| count).sum();
        assert!((sum - 60.0).abs() < 1e-6, "{sum}");
        assert!((bars[0].0 - 10.0).abs() < 1e-9 && (bars[BARS - 1].1 - 30.0).abs() < 1e-9);
        assert!(
            bars.iter().all(|(_, _, count)| count.fract() == 0.0),
            "{bars:?}"
        );
    }

    #[test]
    fn what_lies_beyond_the_bars_is_counted() {
        let stats = Stats {
            count: 103,
            percentiles: Percentiles::of([(P99, 20.0)]),
            max: Some(903.0),
            buckets: vec![
                [10.0, 20.0, 100.0],
                [400.0, 404.0, 2.0],
                [900.0, 908.0, 1.0],
            ],
            ..Stats::default()
        };
        let (bars, tail) = bars(&stats);
        let sum: f64 = bars.iter().map(|(_, _, count)| count).sum();
        assert_eq!((sum, tail), (100.0, Some((3, 903.0))));
    }
}
