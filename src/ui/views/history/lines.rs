//! Charts that lay several sessions over each other, or show one in small.

use egui::{Painter, Pos2, Shape, Stroke, Ui};

use crate::domain::history::Exchange;
use crate::domain::plan::LevelLoad;
use crate::domain::run::{BenchReport, LevelReport, Stats};
use crate::domain::units;
use crate::ui::chart::{Area, Axis, Chart, Nearest, amount, no_tools, up_to};
use crate::ui::picture::Photographer;

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
    /// The place of its colour.
    pub(super) color: usize,
    /// Its report.
    pub(super) report: &'a BenchReport,
}

/// A line of a chart.
struct Line {
    name: String,
    color: usize,
    /// Drawn thinner: a percentile far out.
    thin: bool,
    dashed: bool,
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
}

/// The levels' names of all sessions, in the order of their load.
pub(super) fn level_names(sheets: &[Sheet<'_>]) -> Vec<String> {
    let mut all: Vec<(&LevelReport, f64)> = sheets
        .iter()
        .flat_map(|sheet| &sheet.report.levels)
        .map(|level| (level, weight(&level.load)))
        .collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.label.cmp(&b.0.label)));
    let mut names: Vec<String> = all.into_iter().map(|(level, _)| level.label.clone()).collect();
    names.dedup();
    names
}

fn weight(load: &LevelLoad) -> f64 {
    match load {
        LevelLoad::Concurrency(n) => f64::from(*n),
        LevelLoad::Rate { per_sec, .. } => *per_sec,
        LevelLoad::Max { in_flight } => f64::from(*in_flight),
        LevelLoad::Trace { .. } => 0.0,
    }
}

/// Of each session a line for each of its models; the second model's is dashed.
fn by_model<'a>(
    sheets: &'a [Sheet<'_>],
    thin: bool,
    point: impl Fn(&LevelReport) -> Option<(f64, f64)>,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for sheet in sheets {
        let mut models: Vec<&'a str> = Vec::new();
        for level in &sheet.report.levels {
            if !models.contains(&level.model.as_str()) {
                models.push(&level.model);
            }
        }
        for (n, model) in models.iter().enumerate() {
            let levels = sheet.report.levels.iter().filter(|level| level.model == **model);
            let name =
                if models.len() > 1 { format!("{} {model}", sheet.label) } else { sheet.label.clone() };
            let points = levels.filter_map(&point).collect();
            lines.push(Line { name, color: sheet.color, thin, dashed: n % 2 == 1, points });
        }
    }
    lines
}

fn lines_ui(ui: &mut Ui, photographer: &mut Photographer, drawn: &Drawn<'_>, lines: &[Line]) {
    let Drawn { title, height, x, y, marked, told } = *drawn;
    let points: usize = lines.iter().map(|line| line.points.len()).sum();
    let summary = if points == 0 {
        "Nothing to show yet".to_owned()
    } else {
        let names: Vec<&str> =
            lines.iter().filter(|line| !line.thin).map(|line| line.name.as_str()).collect();
        names.join("; ")
    };
    let chart = Chart { title, summary, height, x, y: Some(y), tools: &mut no_tools };
    chart.show(ui, photographer, |painter, area, pointer| {
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
    let stroke = Stroke::new(if line.thin { 1.0 } else { 2.0 }, color);
    if line.dashed {
        painter.extend(Shape::dashed_line(at, stroke, 6.0, 4.0));
    } else {
        painter.line(at.to_vec(), stroke);
    }
    if marked || at.len() == 1 {
        for at in at {
            painter.circle_filled(*at, if line.thin { 1.8 } else { 3.0 }, color);
        }
    }
}

fn highest(lines: &[Line]) -> f64 {
    lines.iter().flat_map(|line| &line.points).map(|(_, y)| *y).fold(0.0, f64::max)
}

fn place(names: &[String], level: &LevelReport) -> Option<f64> {
    names.iter().position(|name| *name == level.label).map(|at| at as f64)
}

/// TTFT's median and 99th percentile, thinner, by level.
pub(super) fn ttft_ui(ui: &mut Ui, photographer: &mut Photographer, sheets: &[Sheet<'_>], height: f32) {
    let names = level_names(sheets);
    let mut lines = by_model(sheets, false, |level| place(&names, level).zip(level.ttft_ms.p50));
    let mut thin = by_model(sheets, true, |level| place(&names, level).zip(level.ttft_ms.p99));
    for (line, what) in
        lines.iter_mut().map(|line| (line, "p50")).chain(thin.iter_mut().map(|line| (line, "p99")))
    {
        line.name = format!("{} {what}", line.name);
    }
    lines.append(&mut thin);
    let told = |x: f64, y: f64| format!("{}\n{y:.1} ms", names.get(x as usize).map_or("", String::as_str));
    let (x, y) = (Axis::of_names(&names), up_to(highest(&lines)));
    lines_ui(ui, photographer, &Drawn { title: TTFT, height, x, y, marked: true, told: &told }, &lines);
}

/// Output tokens per second of all clients together, by level.
pub(super) fn speed_ui(ui: &mut Ui, photographer: &mut Photographer, sheets: &[Sheet<'_>], height: f32) {
    let names = level_names(sheets);
    let throughput = |level: &LevelReport| level.throughput.output_tokens_per_s.map(|rate| rate.mean);
    let lines = by_model(sheets, false, |level| place(&names, level).zip(throughput(level)));
    let told =
        |x: f64, y: f64| format!("{}\n{}", names.get(x as usize).map_or("", String::as_str), units::rate(y));
    let (x, y) = (Axis::of_names(&names), up_to(highest(&lines)));
    lines_ui(ui, photographer, &Drawn { title: SPEED, height, x, y, marked: true, told: &told }, &lines);
}

/// Throughput against per-user speed, more load to the right.
pub(super) fn knee_ui(ui: &mut Ui, photographer: &mut Photographer, sheets: &[Sheet<'_>], height: f32) {
    let point = |level: &LevelReport| {
        level.user_tokens_per_s.p50.zip(level.throughput.output_tokens_per_s.map(|rate| rate.mean))
    };
    let lines = by_model(sheets, false, point);
    let speeds = || lines.iter().flat_map(|line| &line.points).map(|(speed, _)| *speed);
    let (fastest, slowest) = (speeds().fold(0.0, f64::max), speeds().fold(f64::INFINITY, f64::min));
    let spread = ((fastest - slowest) * 0.06).max(fastest * 0.03);
    let x = if fastest > 0.0 {
        Axis::new(fastest + spread, (slowest - spread).max(0.0), amount)
    } else {
        Axis::new(1.0, 0.0, |_| String::new())
    };
    let told = |x: f64, y: f64| format!("{} for each user\n{} in all", units::rate(x), units::rate(y));
    let y = up_to(highest(&lines));
    lines_ui(ui, photographer, &Drawn { title: KNEE, height, x, y, marked: true, told: &told }, &lines);
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
    for sheet in sheets {
        let of_level = sheet.report.levels.iter().filter(|report| report.label == level);
        for (n, report) in of_level.enumerate() {
            let stats = stats(report);
            to = to.max(stats.p99.or(stats.max).unwrap_or(0.0) * 1.15);
            let name = format!("{} {}", sheet.label, report.model);
            let points = cumulative(stats);
            lines.push(Line { name, color: sheet.color, thin: false, dashed: n % 2 == 1, points });
        }
    }
    let from =
        lines.iter().filter_map(|line| line.points.first()).map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let from = if from.is_finite() { from * 0.95 } else { 0.0 };
    let x = Axis::new(from, to.max(from + 1.0), amount);
    let y = Axis::new(0.0, 1.0, |share| format!("{:.0} %", share * 100.0));
    let told = |x: f64, y: f64| format!("{:.1} % took at most {x:.1} ms", y * 100.0);
    lines_ui(ui, photographer, &Drawn { title: SHARE, height, x, y, marked: false, told: &told }, &lines);
}

/// `(value, share)` at each bucket's upper edge, from 0.
fn cumulative(stats: &Stats) -> Vec<(f64, f64)> {
    let all: f64 = stats.buckets.iter().map(|[_, _, count]| count).sum();
    let Some(first) = stats.buckets.first().filter(|_| all > 0.0) else { return Vec::new() };
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
        if speed { exchange.figures.tokens_per_sec } else { exchange.figures.ttft.map(units::ms) }
    };
    let points: Vec<(f64, f64)> = exchanges
        .iter()
        .enumerate()
        .filter_map(|(n, exchange)| Some((n as f64 + 1.0, value(exchange)?)))
        .collect();
    let lines =
        [Line { name: units::counted(points.len(), "answer"), color, thin: false, dashed: false, points }];
    let whole = |n: f64| if n.fract() == 0.0 { units::count(n as u64) } else { String::new() };
    let x = Axis::new(0.5, exchanges.len().max(2) as f64 + 0.5, whole);
    let told = |n: f64, y: f64| {
        let prompt = exchanges.get(n as usize - 1).map_or("", |exchange| exchange.prompt.as_str());
        let value = if speed { units::rate(y).to_string() } else { format!("{y:.1} ms") };
        format!("answer {n:.0}\n{value}\n{}", units::shorten_middle(prompt, 48))
    };
    let title = if speed { CHAT_SPEED } else { CHAT_TTFT };
    let y = up_to(highest(&lines));
    lines_ui(ui, photographer, &Drawn { title, height, x, y, marked: true, told: &told }, &lines);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_rise_to_one() {
        let stats = Stats { buckets: vec![[1.0, 2.0, 1.0], [2.0, 4.0, 3.0]], ..Stats::default() };
        assert_eq!(cumulative(&stats), [(1.0, 0.0), (2.0, 0.25), (4.0, 1.0)]);
        assert_eq!(cumulative(&Stats::default()), []);
    }
}
