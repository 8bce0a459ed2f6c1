//! The painter of SVG. Colours are classes, so that a chart follows the page into dark and onto paper; words are
//! text, titles and descriptions for screen readers.
//!
//! `html!` escapes every word, within texts and attributes.

use maud::{Markup, PreEscaped, html};

use super::labels::{Beside, places};
use super::{
    Axis, Chart, Color, Dash, Entry, Kind, Label, Look, Mark, Marker, Point, Series, Weight,
};
use crate::domain::printable::printable;

/// The classes: of a chart in a file of its own, and of the report around it.
pub const STYLE: &str = include_str!("svg.css");

/// The face of its words; `Inter` in the classes.
pub const FONTS: [&[u8]; 2] = [
    include_bytes!("../../assets/fonts/Inter-Regular.otf"),
    include_bytes!("../../assets/fonts/Inter-SemiBold.otf"),
];

/// The drawing's height; the page scales it.
const HEIGHT: f64 = 300.0;
/// Its width, and that of one over the whole page.
const WIDTHS: [f64; 2] = [560.0, 1_160.0];
/// Of a file's title, and of each line of its legend.
const LINE: f64 = 20.0;
/// Lines with more points say nothing when pointed at: the page would be mostly words.
const MAX_TOLD: usize = 64;

/// The chart as a figure of a page, with its legend; nothing when there is nothing to draw. `id` is unique on the
/// page; a `wide` one is as wide as the page.
pub fn figure(chart: &Chart<'_>, id: &str, wide: bool) -> Markup {
    if chart.is_empty() {
        return Markup::default();
    }
    let width = WIDTHS[usize::from(wide)];
    html! {
        figure.card.chart.wide[wide] {
            figcaption { (chart.title) " " span.note { (chart.note) } }
            svg viewBox={ "0 0 " (width) " " (HEIGHT) } role="img" aria-labelledby={ (id) "-t " (id) "-d" } {
                (drawing(chart, id, width))
            }
            @if !chart.legend.is_empty() {
                ul.legend {
                    @for entry in &chart.legend {
                        li { svg viewBox="0 0 30 12" aria-hidden="true" { (sample(entry)) } (entry.name) }
                    }
                }
            }
        }
    }
}

/// The chart as a file of its own: its title and `about` (the model, the date) above, its legend below, in the colours
/// of one theme. Only what any reader of SVG knows is in it.
pub fn file(chart: &Chart<'_>, about: &str, dark: bool) -> String {
    let width = WIDTHS[0];
    let head = LINE * 2.0;
    let height = HEIGHT + head + LINE * chart.legend.len() as f64;
    let file = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height)
            role="img" aria-labelledby="c-t c-d" {
            style { (PreEscaped(style(dark))) }
            rect.paper width="100%" height="100%" {}
            text.title x="12" y="20" { (chart.title) }
            text x="12" y="36" { (about) }
            g transform={ "translate(0 " (head) ")" } {
                (drawing(chart, "c", width))
                @for (n, entry) in chart.legend.iter().enumerate() {
                    g transform={ "translate(16 " (HEIGHT + n as f64 * LINE) ")" } {
                        (sample(entry))
                        text x="38" y="10" { (entry.name) }
                    }
                }
            }
        }
        "\n"
    };
    printable(&file.into_string()).into_owned()
}

/// The classes with the colours of one theme in place of variables, which not every reader of SVG knows.
fn style(dark: bool) -> String {
    let (variables, classes) = STYLE.split_at(STYLE.find("svg text").unwrap_or(0));
    let (light, of_dark) = variables.split_at(variables.find("@media").unwrap_or(0));
    let colors = |block: &'static str| {
        let values = block.split(';').filter_map(|line| line.split_once(':'));
        values.filter_map(|(name, value)| Some((name.rsplit_once("--")?.1, value.trim())))
    };
    let themed = colors(of_dark).filter(|_| dark).chain(colors(light));
    let mut written = std::collections::HashMap::new();
    for (name, value) in themed {
        // The first one counts: the dark one, if it is dark.
        written.entry(format!("var(--{name})")).or_insert(value);
    }
    let classes = classes.to_owned();
    written
        .iter()
        .fold(classes, |text, (name, value)| text.replace(name, value))
}

fn drawing(chart: &Chart<'_>, id: &str, width: f64) -> Markup {
    let Chart { x, y, .. } = chart;
    let area = Area {
        x,
        y,
        left: if y.is_bare() { 16.0 } else { 56.0 },
        top: 16.0,
        right: width - 16.0,
        bottom: HEIGHT - 44.0,
    };
    html! {
        title id={ (id) "-t" } { (chart.title) }
        desc id={ (id) "-d" } {
            @if !x.title.is_empty() && !y.title.is_empty() { (y.title) " over " (x.title) ". " }
            (chart.summary)
        }
        (area.axes())
        @for series in &chart.series { (area.series(series, chart)) }
        (area.marks(&chart.marks))
        (area.labels(&chart.labels))
        @if let Some(beyond) = &chart.beyond {
            text.look x=(area.right - 4.0) y=(area.top + 12.0) text-anchor="end" { (beyond) }
        }
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

    fn axes(&self) -> Markup {
        let Self {
            left,
            top,
            right,
            bottom,
            ..
        } = *self;
        let (middle, half) = (f64::midpoint(left, right), f64::midpoint(top, bottom));
        let most = ((right - left) / self.x.room()).min(12.0);
        html! {
            @for tick in self.y.ticks(self.y.ends(), 6.0) {
                @let y = self.up(tick.at);
                line.grid x1=(left) x2=(right) y1=(px(y)) y2=(px(y)) {}
                text x=(px(left - 8.0)) y=(px(y + 4.0)) text-anchor="end" { (self.y.written(tick)) }
            }
            @for tick in self.x.ticks(self.x.ends(), most) {
                @let x = px(self.across(tick.at));
                line.axis x1=(x) x2=(x) y1=(bottom) y2=(px(bottom + 4.0)) {}
                text x=(x) y=(px(bottom + 17.0)) text-anchor="middle" { (self.x.written(tick)) }
            }
            line.axis x1=(left) x2=(right) y1=(bottom) y2=(bottom) {}
            text x=(middle) y=(px(HEIGHT - 8.0)) text-anchor="middle" { (self.x.title) }
            text x="12" y=(half) text-anchor="middle" transform={ "rotate(-90 12 " (half) ")" } { (self.y.title) }
        }
    }

    fn series(&self, series: &Series, chart: &Chart<'_>) -> Markup {
        let look = series.look;
        let at = |point: &Point| Some((*point, self.x(point.x)?, self.y(point.y)?));
        let points: Vec<(Point, f64, f64)> = series.points.iter().filter_map(at).collect();
        match series.kind {
            Kind::Bars => self.bars(&points, look),
            Kind::Spans => self.spans(&points, look),
            Kind::Dots => html! {
                g.dots { @for (_, x, y) in &points { (marker(look, *x, *y, 1.8)) } }
            },
            Kind::Area => html! {
                @if let (Some((_, first, _)), Some((_, last, _))) = (points.first(), points.last()) {
                    polygon class={ "area f" (class(look.color)) }
                        points={ (px(*first)) "," (self.bottom) " " (corners(&points)) " " (px(*last)) "," (self.bottom) } {}
                }
                (line(look, &corners(&points)))
            },
            Kind::Line | Kind::Curve => {
                let (told, few) = (points.len() <= MAX_TOLD, series.few());
                html! {
                    @for (point, x, _) in &points { (self.interval(*point, *x, look.color)) }
                    (line(look, &corners(&points)))
                    @for (point, x, y) in points.iter().skip(few / 2).step_by(few) {
                        @let marker = marker(look, *x, *y, look.radius());
                        @if told { g { title { ((chart.hover)(series, point)) } (marker) } } @else { (marker) }
                    }
                }
            }
        }
    }

    fn interval(&self, point: Point, x: f64, color: Color) -> Markup {
        let ends = point
            .interval
            .and_then(|[low, high]| Some([self.y(low)?, self.y(high)?]));
        let Some([low, high]) = ends else {
            return Markup::default();
        };
        let (a, b) = (x - 4.0, x + 4.0);
        let lines =
            format!("M{x:.1} {low:.1}V{high:.1}M{a:.1} {low:.1}H{b:.1}M{a:.1} {high:.1}H{b:.1}");
        html! { path class={ "bar c" (class(color)) } d=(lines) {} }
    }

    fn bars(&self, points: &[(Point, f64, f64)], look: Look) -> Markup {
        html! {
            @for (bar, _, top) in points.iter().filter(|(bar, ..)| bar.y > 0.0) {
                @if let Some((from, to)) = bar.interval.and_then(|[from, to]| Some((self.x(from)?, self.x(to)?))) {
                    (block(look, [from, *top, (to - from - 0.8).max(0.8), self.bottom - top]))
                }
            }
        }
    }

    fn spans(&self, points: &[(Point, f64, f64)], look: Look) -> Markup {
        let row = (self.up(0.0) - self.up(1.0)).abs()
            * if look.weight == Weight::Thin {
                0.2
            } else {
                0.8
            };
        html! {
            @for (span, from, middle) in points {
                @if let Some(to) = span.interval.and_then(|[_, to]| self.x(to)) {
                    (block(look, [*from, middle - row / 2.0, (to - from).max(1.0), row]))
                }
            }
        }
    }

    fn labels(&self, labels: &[Label]) -> Markup {
        const HEIGHT: f64 = 11.0;
        let mut texts = Vec::new();
        let mut points = Vec::new();
        for Label { x, y, text } in labels {
            let Some((x, y)) = self.x(*x).zip(self.y(*y)) else {
                continue;
            };
            // About as wide as these letters are.
            let width = text.chars().count() as f64 * 6.0;
            points.push(Beside { x, y, width });
            texts.push(text);
        }
        let frame = [self.left, self.top, self.right, self.bottom];
        let places = places(&points, HEIGHT, frame);
        html! {
            @for (place, text) in places.into_iter().zip(texts) {
                @if let Some([left, top]) = place {
                    text x=(px(left)) y=(px(top + HEIGHT - 2.0)) { (text) }
                }
            }
        }
    }

    fn marks(&self, marks: &[Mark]) -> Markup {
        let mut free_from = f64::NEG_INFINITY;
        let mut placed = Vec::new();
        for mark in marks {
            let Some(x) = self.x(mark.x) else { continue };
            // About as wide as these letters are.
            let width = mark.label.chars().count() as f64 * 6.0;
            let left = if x + 4.0 + width <= self.right {
                x + 4.0
            } else {
                x - 4.0 - width
            };
            let fits = left > free_from;
            if fits {
                free_from = left + width + 4.0;
            }
            placed.push((mark, x, fits.then_some(left)));
        }
        html! {
            @for (mark, x, label) in placed {
                @if !mark.bare { line.mark x1=(px(x)) x2=(px(x)) y1=(self.top) y2=(self.bottom) {} }
                @if let Some(left) = label { text x=(px(left)) y=(self.top + 8.0) { (mark.label) } }
            }
        }
    }
}

/// A place in the drawing, to a tenth of its unit.
fn px(place: f64) -> String {
    format!("{place:.1}")
}

fn corners(points: &[(Point, f64, f64)]) -> String {
    let corners: Vec<String> = points
        .iter()
        .map(|(_, x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    corners.join(" ")
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

fn line(look: Look, corners: &str) -> Markup {
    let dashes = match look.dash {
        Dash::Solid => None,
        Dash::Long => Some("8 4"),
        Dash::Dotted => Some("1 5"),
        Dash::Short => Some("4 3"),
    };
    let thin = if look.weight == Weight::Thin {
        " thin"
    } else {
        ""
    };
    html! {
        polyline class={ "line" (thin) " c" (class(look.color)) } stroke-dasharray=[dashes] points=(corners) {}
    }
}

fn block(look: Look, [x, y, width, height]: [f64; 4]) -> Markup {
    let color = class(look.color);
    let hollow = look.weight == Weight::Hollow;
    html! {
        rect class={ "f" (color) @if hollow { " outline c" (color) } }
            x=(px(x)) y=(px(y)) width=(px(width)) height=(px(height)) {}
    }
}

fn marker(look: Look, x: f64, y: f64, r: f64) -> Markup {
    let color = class(look.color);
    let polygon = |corners: &[[f64; 2]]| {
        let corners: Vec<String> = corners
            .iter()
            .map(|[dx, dy]| format!("{:.1},{:.1}", x + dx * r, y + dy * r))
            .collect();
        html! { polygon class={ "f" (color) } points=(corners.join(" ")) {} }
    };
    match look.marker {
        Marker::Square => polygon(&[[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]),
        Marker::Up => polygon(&[[0.0, -1.3], [1.2, 0.9], [-1.2, 0.9]]),
        Marker::Down => polygon(&[[0.0, 1.3], [1.2, -0.9], [-1.2, -0.9]]),
        Marker::Diamond => polygon(&[[0.0, -1.35], [1.35, 0.0], [0.0, 1.35], [-1.35, 0.0]]),
        Marker::Cross => {
            let [left, right, top, bottom] = [x - r, x + r, y - r, y + r].map(px);
            let lines = format!("M{left} {top}L{right} {bottom}M{left} {bottom}L{right} {top}");
            html! { path class={ "cross c" (color) } d=(lines) {} }
        }
        Marker::Circle => html! { circle class={ "f" (color) } cx=(px(x)) cy=(px(y)) r=(r) {} },
        Marker::Ring => {
            html! { circle class={ "ring c" (color) } cx=(px(x)) cy=(px(y)) r=(r + 3.0) {} }
        }
    }
}

/// 30 wide, 12 high.
fn sample(Entry { look, kind, .. }: &Entry) -> Markup {
    match kind {
        Kind::Spans | Kind::Bars if look.weight == Weight::Thin => {
            block(*look, [4.0, 5.0, 22.0, 2.0])
        }
        Kind::Spans | Kind::Bars => block(*look, [4.0, 2.0, 22.0, 8.0]),
        Kind::Dots => marker(*look, 15.0, 6.0, 3.0),
        Kind::Line | Kind::Curve | Kind::Area => html! {
            (line(*look, "1,6 29,6"))
            (marker(*look, 15.0, 6.0, look.radius()))
        },
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
        let file = file(&ttft(&groups, true), "<model> · 2026-11-30", true);
        assert!(
            file.starts_with("<svg xmlns=") && file.contains("&lt;model&gt; · 2026-11-30"),
            "{file}"
        );
        let paper = |color: &str| format!(".paper {{ fill: {color}; }}");
        assert!(
            file.contains(&paper("#161920")) && !file.contains("var("),
            "{file}"
        );
        let light = super::file(&ttft(&groups, true), "", false);
        assert!(light.contains(&paper("#ffffff")), "{light}");
        for title in ["TTFT p50 and p99 by level, ms", "load level", "TTFT, ms"] {
            assert!(
                file.contains(&format!(">{title}</text>")),
                "{title}: {file}"
            );
        }
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
