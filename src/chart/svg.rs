//! The painter of SVG. Colours are classes, so that a chart follows the page into dark and onto paper; words are
//! text, titles and descriptions for screen readers.

use std::fmt::Write as _;

use super::{Axis, Chart, Color, Dash, Entry, Kind, Look, Mark, Marker, Point, Series, Weight};
use crate::domain::printable::printable;

/// The classes: of a chart in a file of its own, and of the report around it.
pub const STYLE: &str = include_str!("svg.css");

/// The drawing's height; the page scales it.
const HEIGHT: f64 = 300.0;
/// Its width, and that of one over the whole page.
const WIDTHS: [f64; 2] = [560.0, 1_160.0];
/// Of a file's title, and of each line of its legend.
const LINE: f64 = 20.0;
/// Lines with more points say nothing when pointed at: the page would be mostly words.
const MAX_TOLD: usize = 64;

/// Text that stays text in SVG and HTML, in and out of attributes. What acts or hides is shown, as on a terminal.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The chart as a figure of a page, with its legend; nothing when there is nothing to draw. `id` is unique on the
/// page; a `wide` one is as wide as the page.
pub fn figure(chart: &Chart<'_>, id: &str, wide: bool) -> String {
    if chart.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "<figure class=\"card chart{}\"><figcaption>{} <span class=\"note\">{}</span></figcaption>\
         <svg viewBox=\"0 0 {} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">",
        if wide { " wide" } else { "" },
        escape(chart.title),
        escape(&chart.note),
        WIDTHS[usize::from(wide)],
    );
    drawing(&mut out, chart, id, WIDTHS[usize::from(wide)]);
    out.push_str("</svg>");
    if !chart.legend.is_empty() {
        out.push_str("<ul class=\"legend\">");
        for entry in &chart.legend {
            out.push_str("<li><svg viewBox=\"0 0 30 12\" aria-hidden=\"true\">");
            sample(&mut out, entry);
            let _ = write!(out, "</svg>{}</li>", escape(&entry.name));
        }
        out.push_str("</ul>");
    }
    out.push_str("</figure>\n");
    out
}

/// The chart as a file of its own, with its title above and its legend below.
pub fn file(chart: &Chart<'_>) -> String {
    let width = WIDTHS[0];
    let height = HEIGHT + LINE * (chart.legend.len() as f64 + 1.0);
    // Writing to a text cannot fail, here and below.
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"c-t c-d\"><style>{STYLE}</style>\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/><text class=\"title\" x=\"12\" y=\"18\">{}</text>\
         <g transform=\"translate(0 {LINE})\">",
        escape(chart.title),
    );
    drawing(&mut out, chart, "c", width);
    for (n, entry) in chart.legend.iter().enumerate() {
        let y = HEIGHT + n as f64 * LINE;
        let _ = write!(out, "<g transform=\"translate(16 {y})\">");
        sample(&mut out, entry);
        let _ = write!(
            out,
            "<text x=\"38\" y=\"10\">{}</text></g>",
            escape(&entry.name)
        );
    }
    out.push_str("</g></svg>\n");
    out
}

fn drawing(out: &mut String, chart: &Chart<'_>, id: &str, width: f64) {
    let Chart {
        title,
        summary,
        x,
        y,
        ..
    } = chart;
    let over = [&y.title, &x.title]
        .map(|title| title.as_str())
        .join(" over ");
    let over = if x.title.is_empty() || y.title.is_empty() {
        String::new()
    } else {
        format!("{over}. ")
    };
    let _ = write!(
        out,
        "<title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
        escape(title),
        escape(&format!("{over}{summary}"))
    );
    let left = if y.is_bare() { 16.0 } else { 56.0 };
    let area = Area {
        x,
        y,
        left,
        top: 16.0,
        right: width - 16.0,
        bottom: HEIGHT - 44.0,
    };
    area.axes(out);
    for series in &chart.series {
        area.series(out, series, chart);
    }
    area.marks(out, &chart.marks);
    if let Some(beyond) = &chart.beyond {
        let (right, top) = (area.right - 4.0, area.top + 12.0);
        let beyond = escape(beyond);
        let _ = write!(
            out,
            "<text class=\"look\" x=\"{right}\" y=\"{top}\" text-anchor=\"end\">{beyond}</text>"
        );
    }
}

/// Where a chart's values lie in the drawing.
struct Area<'a> {
    x: &'a Axis,
    y: &'a Axis,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Area<'_> {
    fn across(&self, place: f64) -> f64 {
        let [from, to] = self.x.ends();
        self.left + (place - from) / (to - from) * (self.right - self.left)
    }

    fn up(&self, place: f64) -> f64 {
        let [from, to] = self.y.ends();
        self.bottom - (place - from) / (to - from) * (self.bottom - self.top)
    }

    fn x(&self, value: f64) -> Option<f64> {
        Some(
            self.across(self.x.place(value)?)
                .clamp(self.left, self.right),
        )
    }

    fn y(&self, value: f64) -> Option<f64> {
        Some(self.up(self.y.place(value)?).clamp(self.top, self.bottom))
    }

    fn axes(&self, out: &mut String) {
        let Self {
            left,
            top,
            right,
            bottom,
            ..
        } = *self;
        for tick in self.y.ticks(self.y.ends(), 6.0) {
            let (y, text) = (self.up(tick.at), escape(&self.y.written(tick)));
            let _ = write!(
                out,
                "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                left - 8.0,
                y + 4.0,
            );
        }
        for tick in self
            .x
            .ticks(self.x.ends(), ((right - left) / self.x.room()).min(12.0))
        {
            let (x, text) = (self.across(tick.at), escape(&self.x.written(tick)));
            let _ = write!(
                out,
                "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom}\" y2=\"{:.1}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                bottom + 4.0,
                bottom + 17.0,
            );
        }
        let (middle, half) = (f64::midpoint(left, right), f64::midpoint(top, bottom));
        let _ = write!(
            out,
            "<line class=\"axis\" x1=\"{left}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>\
             <text x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text x=\"12\" y=\"{half}\" text-anchor=\"middle\" transform=\"rotate(-90 12 {half})\">{}</text>",
            HEIGHT - 8.0,
            escape(&self.x.title),
            escape(&self.y.title),
        );
    }

    fn series(&self, out: &mut String, series: &Series, chart: &Chart<'_>) {
        let look = series.look;
        let at = |point: &Point| Some((*point, self.x(point.x)?, self.y(point.y)?));
        let points: Vec<(Point, f64, f64)> = series.points.iter().filter_map(at).collect();
        let corners: Vec<String> = points
            .iter()
            .map(|(_, x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let corners = corners.join(" ");
        match series.kind {
            Kind::Bars => self.bars(out, &points, look),
            Kind::Spans => self.spans(out, &points, look),
            Kind::Dots => {
                let _ = write!(out, "<g class=\"dots\">");
                points
                    .iter()
                    .for_each(|(_, x, y)| marker(out, look, *x, *y, 1.8));
                out.push_str("</g>");
            }
            Kind::Area => {
                if let (Some((_, first, _)), Some((_, last, _))) = (points.first(), points.last()) {
                    let (bottom, color) = (self.bottom, class(look.color));
                    let _ = write!(
                        out,
                        "<polygon class=\"area f{color}\" points=\"{first:.1},{bottom} {corners} {last:.1},{bottom}\"/>"
                    );
                }
                line(out, look, &corners);
            }
            Kind::Line | Kind::Curve => {
                points
                    .iter()
                    .for_each(|(point, x, _)| self.interval(out, *point, *x, look.color));
                line(out, look, &corners);
                let (told, few) = (points.len() <= MAX_TOLD, series.few());
                for (point, x, y) in points.iter().skip(few / 2).step_by(few) {
                    if told {
                        let words = escape(&(chart.hover)(series, point));
                        let _ = write!(out, "<g><title>{words}</title>");
                    }
                    marker(out, look, *x, *y, look.radius());
                    out.push_str(if told { "</g>" } else { "" });
                }
            }
        }
    }

    fn interval(&self, out: &mut String, point: Point, x: f64, color: Color) {
        let ends = point
            .interval
            .and_then(|[low, high]| Some([self.y(low)?, self.y(high)?]));
        let Some([low, high]) = ends else { return };
        let (a, b, color) = (x - 4.0, x + 4.0, class(color));
        let _ = write!(
            out,
            "<path class=\"bar c{color}\" d=\"M{x:.1} {low:.1}V{high:.1}M{a:.1} {low:.1}H{b:.1}M{a:.1} {high:.1}H{b:.1}\"/>",
        );
    }

    fn bars(&self, out: &mut String, points: &[(Point, f64, f64)], look: Look) {
        for (bar, _, top) in points {
            let ends = bar
                .interval
                .and_then(|[from, to]| Some((self.x(from)?, self.x(to)?)));
            let Some((from, to)) = ends.filter(|_| bar.y > 0.0) else {
                continue;
            };
            let (width, height, color) = (
                (to - from - 0.8).max(0.8),
                self.bottom - top,
                class(look.color),
            );
            let _ = write!(
                out,
                "<rect class=\"f{color}\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
            );
        }
    }

    fn spans(&self, out: &mut String, points: &[(Point, f64, f64)], look: Look) {
        let row = (self.up(0.0) - self.up(1.0)).abs()
            * if look.weight == Weight::Thin {
                0.2
            } else {
                0.8
            };
        for (span, from, middle) in points {
            let Some(to) = span.interval.and_then(|[_, to]| self.x(to)) else {
                continue;
            };
            block(
                out,
                look,
                [*from, middle - row / 2.0, (to - from).max(1.0), row],
            );
        }
    }

    fn marks(&self, out: &mut String, marks: &[Mark]) {
        let mut free_from = f64::NEG_INFINITY;
        for mark in marks {
            let Some(x) = self.x(mark.x) else { continue };
            if !mark.bare {
                let (top, bottom) = (self.top, self.bottom);
                let _ = write!(
                    out,
                    "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>"
                );
            }
            // About as wide as these letters are.
            let width = mark.label.chars().count() as f64 * 6.0;
            let left = if x + 4.0 + width <= self.right {
                x + 4.0
            } else {
                x - 4.0 - width
            };
            if left > free_from {
                free_from = left + width + 4.0;
                let _ = write!(
                    out,
                    "<text x=\"{left:.1}\" y=\"{}\">{}</text>",
                    self.top + 8.0,
                    escape(&mark.label)
                );
            }
        }
    }
}

/// The end of a colour's classes.
fn class(color: Color) -> String {
    match color {
        Color::Nth(n) => (n % 6).to_string(),
        Color::Dim => "d".to_owned(),
        Color::Accent => "a".to_owned(),
        Color::Error => "e".to_owned(),
    }
}

fn line(out: &mut String, look: Look, corners: &str) {
    let dashes = match look.dash {
        Dash::Solid => "",
        Dash::Long => " stroke-dasharray=\"8 4\"",
        Dash::Dotted => " stroke-dasharray=\"1 5\"",
        Dash::Short => " stroke-dasharray=\"4 3\"",
    };
    let (color, thin) = (
        class(look.color),
        if look.weight == Weight::Thin {
            " thin"
        } else {
            ""
        },
    );
    let _ = write!(
        out,
        "<polyline class=\"line{thin} c{color}\"{dashes} points=\"{corners}\"/>"
    );
}

fn block(out: &mut String, look: Look, [x, y, width, height]: [f64; 4]) {
    let (color, hollow) = (class(look.color), look.weight == Weight::Hollow);
    let hollow = if hollow {
        format!(" outline c{color}")
    } else {
        String::new()
    };
    let _ = write!(
        out,
        "<rect class=\"f{color}{hollow}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
    );
}

fn marker(out: &mut String, look: Look, x: f64, y: f64, r: f64) {
    let color = class(look.color);
    let mut polygon = |corners: &[[f64; 2]]| {
        let corners: Vec<String> = corners
            .iter()
            .map(|[dx, dy]| format!("{:.1},{:.1}", x + dx * r, y + dy * r))
            .collect();
        let _ = write!(
            out,
            "<polygon class=\"f{color}\" points=\"{}\"/>",
            corners.join(" ")
        );
    };
    match look.marker {
        Marker::Square => polygon(&[[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]),
        Marker::Up => polygon(&[[0.0, -1.3], [1.2, 0.9], [-1.2, 0.9]]),
        Marker::Down => polygon(&[[0.0, 1.3], [1.2, -0.9], [-1.2, -0.9]]),
        Marker::Diamond => polygon(&[[0.0, -1.35], [1.35, 0.0], [0.0, 1.35], [-1.35, 0.0]]),
        Marker::Cross => {
            let [left, right, top, bottom] = [x - r, x + r, y - r, y + r];
            let _ = write!(
                out,
                "<path class=\"cross c{color}\" d=\"M{left:.1} {top:.1}L{right:.1} {bottom:.1}M{left:.1} {bottom:.1}L{right:.1} {top:.1}\"/>"
            );
        }
        Marker::Circle => {
            let _ = write!(
                out,
                "<circle class=\"f{color}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r}\"/>"
            );
        }
        Marker::Ring => {
            let r = r + 3.0;
            let _ = write!(
                out,
                "<circle class=\"ring c{color}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r}\"/>"
            );
        }
    }
}

/// 30 wide, 12 high.
fn sample(out: &mut String, Entry { look, kind, .. }: &Entry) {
    match kind {
        Kind::Spans | Kind::Bars if look.weight == Weight::Thin => {
            block(out, *look, [4.0, 5.0, 22.0, 2.0])
        }
        Kind::Spans | Kind::Bars => block(out, *look, [4.0, 2.0, 22.0, 8.0]),
        Kind::Dots => marker(out, *look, 15.0, 6.0, 3.0),
        Kind::Line | Kind::Curve | Kind::Area => {
            line(out, *look, "1,6 29,6");
            marker(out, *look, 15.0, 6.0, look.radius());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::levels::{Group, ttft};
    use super::*;

    #[test]
    fn a_file_stands_alone_and_keeps_words_as_text() {
        let sample = crate::export::sample::bench(1.0);
        let levels: Vec<_> = sample.report().levels.iter().collect();
        let group = |name: &str| Group {
            name: name.to_owned(),
            look: Look::of(0),
            levels: levels.clone(),
        };
        let groups = ["<a>", "b"].map(group);
        let file = file(&ttft(&groups, true));
        assert!(
            file.starts_with("<svg xmlns=") && file.contains("prefers-color-scheme: dark"),
            "{file}"
        );
        assert!(
            file.contains("&lt;a&gt;") && !file.contains("<a>"),
            "{file}"
        );
        assert!(file.contains("95 % interval"), "points say what they are");
        assert_eq!(
            file.matches("<title").count(),
            file.matches("</title>").count()
        );
    }
}
