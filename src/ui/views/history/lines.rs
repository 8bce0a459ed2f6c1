//! Charts that lay several sessions over each other, or show one in small.

use egui::{Align2, Painter, Pos2, TextStyle, Ui, vec2};

use crate::domain::history::Exchange;
use crate::domain::plan::LevelLoad;
use crate::domain::run::{BenchReport, LevelReport, Stats};
use crate::domain::stats::{P50, P99};
use crate::domain::units;
use crate::state::ModelColors;
use crate::ui::chart::{Area, Axis, Chart, Nearest, amount, sign, styled_line, up_to};
use crate::ui::picture::Photographer;
use crate::ui::plots::line_sample;
use crate::ui::widgets::{shortened, tokens};

pub(super) const TTFT: &str = "TTFT p50 and p99 by level, ms";
pub(super) const SPEED: &str = "Output tokens/s by level";
pub(super) const KNEE: &str = "Throughput against per-user speed (the knee)";
pub(super) const SHARE: &str = "Share of requests that took at most so long, ms";
const CHAT_TTFT: &str = "TTFT by answer, ms";
const CHAT_SPEED: &str = "Tokens/s by answer";

/// A session as it is laid over others.
pub(super) struct Sheet<'a> {
    /// What it is called.
    pub(super) label: String,
    /// The place of its colour and its sign.
    pub(super) color: usize,
    /// One session alone has the colours of its models.
    pub(super) models: Option<&'a ModelColors>,
    /// Its report.
    pub(super) report: &'a BenchReport,
}

/// A line of a chart.
struct Line {
    name: String,
    /// The place of its colour and its sign.
    color: usize,
    /// The place of its pattern.
    style: usize,
    /// Drawn thinner: a percentile far out.
    thin: bool,
    points: Vec<(f64, f64)>,
}

/// How a chart of lines is drawn.
struct Drawn<'a> {
    title: &'static str,
    height: f32,
    x: Axis<'a>,
    y: Axis<'a>,
    /// Points are marked.
    marked: bool,
    /// The point's words, from x and y.
    told: &'a dyn Fn(f64, f64) -> String,
    /// What the thick lines are, and what the thin ones.
    thick_and_thin: Option<[&'static str; 2]>,
    /// The models of several lines, and whose pattern is whose.
    legend: &'a [(usize, String)],
}

/// The levels' names of all sessions, in the order of their load.
pub(super) fn level_names(sheets: &[Sheet<'_>]) -> Vec<String> {
    let mut all: Vec<(&LevelReport, (u8, f64))> = sheets
        .iter()
        .flat_map(|sheet| &sheet.report.levels)
        .map(|level| (level, weight(&level.load)))
        .collect();
    all.sort_by(|(a, left), (b, right)| {
        left.0
            .cmp(&right.0)
            .then(left.1.total_cmp(&right.1))
            .then_with(|| a.label.cmp(&b.label))
    });
    let mut names: Vec<String> = all
        .into_iter()
        .map(|(level, _)| level.label.clone())
        .collect();
    names.dedup();
    names
}

/// Loads of one kind stand together: no line goes from clients to requests per second and back.
fn weight(load: &LevelLoad) -> (u8, f64) {
    match load {
        LevelLoad::Concurrency(n) => (0, f64::from(*n)),
        LevelLoad::Rate { per_sec, .. } => (1, *per_sec),
        LevelLoad::Max { in_flight } => (2, f64::from(*in_flight)),
        LevelLoad::Trace { .. } => (3, 0.0),
        LevelLoad::Unknown => (4, 0.0),
    }
}

/// The models of all sessions, in the order in which they first appear.
pub(super) fn models<'a>(sheets: &'a [Sheet<'_>]) -> Vec<&'a str> {
    let mut models: Vec<&'a str> = Vec::new();
    for level in sheets.iter().flat_map(|sheet| &sheet.report.levels) {
        if !models.contains(&level.model.as_str()) {
            models.push(&level.model);
        }
    }
    models
}

/// Of one session alone: whose colour is whose, when it has several models.
fn legend(sheets: &[Sheet<'_>]) -> Vec<(usize, String)> {
    let [
        Sheet {
            models: Some(colors),
            ..
        },
    ] = sheets
    else {
        return Vec::new();
    };
    let models = models(sheets);
    let named = |model: &&str| (colors.index(model), (*model).to_owned());
    if models.len() > 1 {
        models.iter().map(named).collect()
    } else {
        Vec::new()
    }
}

/// Of each session a line for each of its models, each model's in a pattern of its own.
fn by_model(
    sheets: &[Sheet<'_>],
    thin: bool,
    point: impl Fn(&LevelReport) -> Option<(f64, f64)>,
) -> Vec<Line> {
    let mut lines = Vec::new();
    let models = models(sheets);
    for sheet in sheets {
        for (n, model) in models.iter().enumerate() {
            let levels = || {
                sheet
                    .report
                    .levels
                    .iter()
                    .filter(|level| level.model == **model)
            };
            if levels().next().is_none() {
                continue;
            }
            let name = if models.len() > 1 {
                format!("{} {model}", sheet.label)
            } else {
                sheet.label.clone()
            };
            let points = levels().filter_map(&point).collect();
            let own = sheet.models.map(|colors| colors.index(model));
            let (color, style) = own.map_or((sheet.color, n), |index| (index, index));
            lines.push(Line {
                name,
                color,
                style,
                thin,
                points,
            });
        }
    }
    lines
}

fn lines_ui(ui: &mut Ui, photographer: &mut Photographer, drawn: &Drawn<'_>, lines: &[Line]) {
    let Drawn {
        title,
        mut height,
        x,
        y,
        marked,
        told,
        thick_and_thin,
        legend,
    } = *drawn;
    let points: usize = lines.iter().map(|line| line.points.len()).sum();
    let summary = if points == 0 {
        "Nothing to show yet".to_owned()
    } else {
        let names: Vec<&str> = lines
            .iter()
            .filter(|line| !line.thin)
            .map(|line| line.name.as_str())
            .collect();
        names.join("; ")
    };
    let mut tools = |ui: &mut Ui| legend_ui(ui, legend);
    if !legend.is_empty() {
        height -= 20.0;
    }
    let chart = Chart {
        title,
        summary,
        height,
        x,
        y: Some(y),
        tools: &mut tools,
    };
    chart.show(ui, photographer, |painter, area, pointer| {
        if let Some(names) = thick_and_thin {
            names_ui(painter, area, lines, names);
        }
        let mut nearest = Nearest::default();
        for line in lines {
            let at: Vec<Pos2> = line.points.iter().map(|(x, y)| area.at(*x, *y)).collect();
            line_ui(painter, area, line, &at, marked);
            for (at, (x, y)) in at.iter().zip(&line.points) {
                nearest.offer(*at, pointer, || format!("{}\n{}", line.name, told(*x, *y)));
            }
        }
        nearest.told()
    });
}

fn line_ui(painter: &Painter, area: &Area<'_>, line: &Line, at: &[Pos2], marked: bool) {
    let color = area.tokens.model_color(line.color);
    styled_line(
        painter,
        at,
        if line.thin { 1.0 } else { 2.0 },
        line.style,
        color,
    );
    // A line of many points has its sign here and there.
    let each = if marked { 1 } else { at.len() / 6 + 1 };
    for at in at
        .iter()
        .skip(if marked { 0 } else { each / 2 })
        .step_by(each)
    {
        sign(
            painter,
            *at,
            if line.thin { 1.8 } else { 3.2 },
            line.color,
            color,
        );
    }
}

fn legend_ui(ui: &mut Ui, legend: &[(usize, String)]) {
    if legend.is_empty() {
        return;
    }
    ui.horizontal(|ui| {
        let each = ui.available_width() / legend.len() as f32 - 34.0;
        let dim = tokens(ui).dim;
        ui.set_height(16.0);
        for (index, name) in legend {
            line_sample(ui, *index, false);
            shortened(ui, name, TextStyle::Small, dim, each);
        }
    });
}

/// What thick and thin lines are: below the lowest of the ones, above the highest of the others.
fn names_ui(painter: &Painter, area: &Area<'_>, lines: &[Line], [thick, thin]: [&str; 2]) {
    let firsts = |thin: bool| {
        let lines = lines.iter().filter(move |line| line.thin == thin);
        lines
            .filter_map(|line| line.points.first())
            .map(|(x, y)| area.at(*x, *y))
    };
    let lowest = firsts(false).max_by(|a, b| a.y.total_cmp(&b.y));
    let highest = firsts(true).min_by(|a, b| a.y.total_cmp(&b.y));
    for (at, name, below) in [(lowest, thick, 10.0), (highest, thin, -9.0)] {
        let Some(at) = at else { continue };
        let at = at + vec2(6.0, below);
        painter.text(
            at,
            Align2::LEFT_CENTER,
            name,
            area.font.clone(),
            area.tokens.dim,
        );
    }
}

fn highest(lines: &[Line]) -> f64 {
    lines
        .iter()
        .flat_map(|line| &line.points)
        .map(|(_, y)| *y)
        .fold(0.0, f64::max)
}

fn place(names: &[String], level: &LevelReport) -> Option<f64> {
    names
        .iter()
        .position(|name| *name == level.label)
        .map(|at| at as f64)
}

/// TTFT's median and 99th percentile, thinner, by level.
pub(super) fn ttft_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    sheets: &[Sheet<'_>],
    height: f32,
) {
    let names = level_names(sheets);
    let mut lines = by_model(sheets, false, |level| {
        place(&names, level).zip(level.ttft_ms.at(P50))
    });
    let mut thin = by_model(sheets, true, |level| {
        place(&names, level).zip(level.ttft_ms.at(P99))
    });
    for (line, what) in lines
        .iter_mut()
        .map(|line| (line, "p50"))
        .chain(thin.iter_mut().map(|line| (line, "p99")))
    {
        line.name = format!("{} {what}", line.name);
    }
    lines.append(&mut thin);
    let told = |x: f64, y: f64| {
        format!(
            "{}\n{y:.1} ms",
            names.get(x as usize).map_or("", String::as_str)
        )
    };
    let (x, y) = (Axis::of_names(&names), up_to(highest(&lines) * 1.06));
    let (legend, thick_and_thin) = (&*legend(sheets), Some(["p50", "p99"]));
    let drawn = Drawn {
        title: TTFT,
        height,
        x,
        y,
        marked: true,
        told: &told,
        thick_and_thin,
        legend,
    };
    lines_ui(ui, photographer, &drawn, &lines);
}

/// Output tokens per second of all clients together, by level.
pub(super) fn speed_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    sheets: &[Sheet<'_>],
    height: f32,
) {
    let names = level_names(sheets);
    let throughput =
        |level: &LevelReport| level.throughput.output_tokens_per_s.map(|rate| rate.mean);
    let lines = by_model(sheets, false, |level| {
        place(&names, level).zip(throughput(level))
    });
    let told = |x: f64, y: f64| {
        format!(
            "{}\n{}",
            names.get(x as usize).map_or("", String::as_str),
            units::rate(y)
        )
    };
    let (x, y) = (Axis::of_names(&names), up_to(highest(&lines)));
    let (legend, thick_and_thin) = (&*legend(sheets), None);
    let drawn = Drawn {
        title: SPEED,
        height,
        x,
        y,
        marked: true,
        told: &told,
        thick_and_thin,
        legend,
    };
    lines_ui(ui, photographer, &drawn, &lines);
}

/// Throughput against per-user speed, more load to the right.
pub(super) fn knee_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    sheets: &[Sheet<'_>],
    height: f32,
) {
    let point = |level: &LevelReport| {
        level
            .user_tokens_per_s
            .at(P50)
            .zip(level.throughput.output_tokens_per_s.map(|rate| rate.mean))
    };
    let lines = by_model(sheets, false, point);
    let speeds = || {
        lines
            .iter()
            .flat_map(|line| &line.points)
            .map(|(speed, _)| *speed)
    };
    let (fastest, slowest) = (
        speeds().fold(0.0, f64::max),
        speeds().fold(f64::INFINITY, f64::min),
    );
    let spread = ((fastest - slowest) * 0.06).max(fastest * 0.03);
    let x = if fastest > 0.0 {
        Axis::new(fastest + spread, (slowest - spread).max(0.0), amount)
    } else {
        Axis::new(1.0, 0.0, |_| String::new())
    };
    let told = |x: f64, y: f64| {
        format!(
            "{} for each user\n{} in all",
            units::rate(x),
            units::rate(y)
        )
    };
    let y = up_to(highest(&lines));
    let (legend, thick_and_thin) = (&[], None);
    let drawn = Drawn {
        title: KNEE,
        height,
        x,
        y,
        marked: true,
        told: &told,
        thick_and_thin,
        legend,
    };
    lines_ui(ui, photographer, &drawn, &lines);
}

/// The cumulative distribution of one figure at one level.
pub(super) fn share_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    sheets: &[Sheet<'_>],
    (level, stats): (&str, fn(&LevelReport) -> &Stats),
    height: f32,
) {
    let mut lines = Vec::new();
    let mut to = 0.0f64;
    let models = models(sheets);
    for sheet in sheets {
        for report in sheet
            .report
            .levels
            .iter()
            .filter(|report| report.label == level)
        {
            let style = models
                .iter()
                .position(|model| *model == report.model)
                .unwrap_or(0);
            let stats = stats(report);
            to = to.max(stats.at(P99).or(stats.max).unwrap_or(0.0) * 1.15);
            let name = format!("{} {}", sheet.label, report.model);
            let points = cumulative(stats);
            lines.push(Line {
                name,
                color: sheet.color,
                style,
                thin: false,
                points,
            });
        }
    }
    let from = lines
        .iter()
        .filter_map(|line| line.points.first())
        .map(|(x, _)| *x)
        .fold(f64::INFINITY, f64::min);
    let from = if from.is_finite() { from * 0.95 } else { 0.0 };
    let x = Axis::new(from, to.max(from + 1.0), amount);
    let y = Axis::new(0.0, 1.0, units::percent);
    let told = |x: f64, y: f64| format!("{} took at most {x:.1} ms", units::percent(y));
    let (legend, thick_and_thin) = (&[], None);
    let drawn = Drawn {
        title: SHARE,
        height,
        x,
        y,
        marked: false,
        told: &told,
        thick_and_thin,
        legend,
    };
    lines_ui(ui, photographer, &drawn, &lines);
}

/// `(value, share)` at each bucket's upper edge, from 0.
fn cumulative(stats: &Stats) -> Vec<(f64, f64)> {
    let all: f64 = stats.buckets.iter().map(|[_, _, count]| count).sum();
    let Some(first) = stats.buckets.first().filter(|_| all > 0.0) else {
        return Vec::new();
    };
    let mut sum = 0.0;
    let steps = stats.buckets.iter().map(|[_, to, count]| {
        sum += count;
        (*to, sum / all)
    });
    std::iter::once((first[0], 0.0)).chain(steps).collect()
}

/// A conversation's answers in small: TTFT and speed.
pub(super) fn chat_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    exchanges: &[Exchange],
    color: usize,
    height: f32,
    speed: bool,
) {
    let value = |exchange: &Exchange| {
        if speed {
            exchange.figures.tokens_per_sec
        } else {
            exchange.figures.ttft.map(units::ms)
        }
    };
    let points: Vec<(f64, f64)> = exchanges
        .iter()
        .enumerate()
        .filter_map(|(n, exchange)| Some((n as f64 + 1.0, value(exchange)?)))
        .collect();
    let lines = [Line {
        name: units::counted(points.len(), "answer"),
        color,
        style: 0,
        thin: false,
        points,
    }];
    let whole = |n: f64| {
        if n.fract() == 0.0 {
            units::count(n as u64)
        } else {
            String::new()
        }
    };
    let x = Axis::new(0.5, exchanges.len().max(2) as f64 + 0.5, whole);
    let told = |n: f64, y: f64| {
        let prompt = exchanges
            .get(n as usize - 1)
            .map_or("", |exchange| exchange.prompt.as_str());
        let value = if speed {
            units::rate(y).to_string()
        } else {
            format!("{y:.1} ms")
        };
        format!(
            "answer {n:.0}\n{value}\n{}",
            units::shorten_middle(prompt, 48)
        )
    };
    let title = if speed { CHAT_SPEED } else { CHAT_TTFT };
    let y = up_to(highest(&lines));
    let (legend, thick_and_thin) = (&[], None);
    let drawn = Drawn {
        title,
        height,
        x,
        y,
        marked: true,
        told: &told,
        thick_and_thin,
        legend,
    };
    lines_ui(ui, photographer, &drawn, &lines);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::Arrivals;

    #[test]
    fn clients_and_rates_stand_apart() {
        let mut report = crate::export::sample::bench(1.0).report().clone();
        let rate = |per_sec| LevelLoad::Rate {
            per_sec,
            arrivals: Arrivals::Constant,
            most_in_flight: None,
        };
        let loads = [
            ("8/s", rate(8.0)),
            ("c=16", LevelLoad::Concurrency(16)),
            ("4/s", rate(4.0)),
            ("c=2", LevelLoad::Concurrency(2)),
        ];
        let level = report.levels[0].clone();
        report.levels = loads
            .map(|(label, load)| LevelReport {
                label: label.to_owned(),
                load,
                ..level.clone()
            })
            .to_vec();
        let sheets = [Sheet {
            label: String::new(),
            color: 0,
            models: None,
            report: &report,
        }];
        assert_eq!(level_names(&sheets), ["c=2", "c=16", "4/s", "8/s"]);
    }

    #[test]
    fn shares_rise_to_one() {
        let stats = Stats {
            buckets: vec![[1.0, 2.0, 1.0], [2.0, 4.0, 3.0]],
            ..Stats::default()
        };
        assert_eq!(cumulative(&stats), [(1.0, 0.0), (2.0, 0.25), (4.0, 1.0)]);
        assert_eq!(cumulative(&Stats::default()), []);
    }
}
