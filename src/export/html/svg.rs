//! Charts as inline SVG: axes, lines, markers. Colours are classes of the page's style sheet, so that a chart
//! follows the page into dark and onto paper.

use std::fmt::Write as _;

use super::escape;
use crate::domain::units;

/// The drawing's height; the page scales it.
const HEIGHT: f64 = 300.0;
/// Its width, and that of one over the whole page.
const WIDTHS: [f64; 2] = [560.0, 1_160.0];

/// One direction of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    from: f64,
    to: f64,
    log: bool,
    /// Where something is written, and what.
    ticks: Vec<(f64, String)>,
    title: String,
}

impl Axis {
    /// From zero to above the largest of these values.
    pub(super) fn linear(title: &str, values: impl Iterator<Item = f64>) -> Self {
        let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
        let most = if most > 0.0 { most } else { 1.0 };
        let step = nice(most / 5.0);
        // At most ten; of the smallest numbers there are the step is zero.
        let steps = (most / step).ceil().clamp(1.0, 20.0);
        let ticks = (0..=steps as u32)
            .map(|i| f64::from(i) * step)
            .map(|at| (at, tick(at, step)))
            .collect();
        Self {
            from: 0.0,
            to: steps * step,
            log: false,
            ticks,
            title: title.to_owned(),
        }
    }

    /// Over the decades of these values; those that are not positive have no place on it.
    pub(super) fn log(title: &str, values: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0f64);
        for value in values.filter(|value| value.is_finite() && *value > 0.0) {
            (least, most) = (least.min(value), most.max(value));
        }
        if least > most {
            (least, most) = (1.0, 10.0);
        }
        let steps = [1.0, 2.0, 5.0];
        let marks = (-9..=12).flat_map(|power| steps.map(|step| step * 10f64.powi(power)));
        let marks: Vec<f64> = marks.collect();
        let from = marks
            .iter()
            .rev()
            .find(|mark| **mark <= least)
            .copied()
            .unwrap_or(least);
        let mut to = marks
            .iter()
            .find(|mark| **mark >= most)
            .copied()
            .unwrap_or(most);
        if to <= from {
            to = from * 10.0;
        }
        let inside: Vec<f64> = marks
            .into_iter()
            .filter(|mark| (from..=to).contains(mark))
            .collect();
        // Where they would crowd each other only the decades are written.
        let decade = |mark: f64| (mark.log10() - mark.log10().round()).abs() < 1e-9;
        let crowded = inside.len() > 9;
        let ticks = inside
            .into_iter()
            .filter(|mark| !crowded || decade(*mark))
            .map(|at| (at, tick(at, at)))
            .collect();
        Self {
            from,
            to,
            log: true,
            ticks,
            title: title.to_owned(),
        }
    }

    /// A place for each label, evenly.
    pub(super) fn labels(title: &str, labels: &[String]) -> Self {
        // So that none lies under another.
        let every = labels.len().div_ceil(10).max(1);
        let ticks = labels.iter().enumerate().step_by(every);
        let ticks = ticks
            .map(|(i, label)| (i as f64, units::shorten_middle(label, 10)))
            .collect();
        let to = labels.len().max(1) as f64 - 0.5;
        Self {
            from: -0.5,
            to,
            log: false,
            ticks,
            title: title.to_owned(),
        }
    }

    /// Whether it is logarithmic.
    pub(super) fn is_log(&self) -> bool {
        self.log
    }

    /// 0 to 1, `None` for what has no place.
    fn place(&self, value: f64) -> Option<f64> {
        if !value.is_finite() || (self.log && value <= 0.0) {
            return None;
        }
        let [from, to, value] =
            [self.from, self.to, value].map(|value| if self.log { value.log10() } else { value });
        Some((value - from) / (to - from))
    }
}

/// 1, 2 or 5 times a power of ten, at least as large.
fn nice(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|times| times * power >= step * (1.0 - 1e-9));
    times.unwrap_or(10.0) * power
}

fn tick(value: f64, step: f64) -> String {
    if step >= 1.0 || value == 0.0 {
        return units::count(value.round().max(0.0) as u64);
    }
    let digits = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.digits$}")
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    /// As in the legend.
    pub(super) name: String,
    pub(super) look: Look,
    /// From left to right.
    pub(super) points: Vec<Mark>,
    /// Drawn as single dots, too many for markers.
    pub(super) cloud: bool,
}

/// A point, with its 95 % interval in y.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Mark {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) ci: Option<[f64; 2]>,
}

/// How a line is told from others: by colour, and without it by dash and marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// The model's, or the session's, number.
    pub(super) color: usize,
    /// The number of its dash and its marker.
    pub(super) dash: usize,
    /// Its markers are hollow.
    pub(super) hollow: bool,
    /// It has no markers: it is made of too many points.
    pub(super) plain: bool,
}

impl Look {
    /// The `i`-th of lines that differ in colour.
    pub(super) fn of(i: usize) -> Self {
        Self {
            color: i % 6,
            dash: i % 6,
            hollow: false,
            plain: false,
        }
    }

    fn dashes(self) -> &'static str {
        match (self.hollow, self.dash % 6) {
            (true, _) => "2 5",
            (false, 0) => "",
            (false, 1) => "8 4",
            (false, 2) => "3 3",
            (false, 3) => "10 3 2 3",
            (false, 4) => "14 5",
            (false, _) => "6 3 2 3 2 3",
        }
    }

    fn stroke(self) -> String {
        match self.dashes() {
            "" => String::new(),
            dashes => format!(" stroke-dasharray=\"{dashes}\""),
        }
    }

    fn marker(self, out: &mut String, x: f64, y: f64) {
        let (color, r) = (self.color, 3.5);
        let class = if self.hollow {
            format!("hollow c{color}")
        } else {
            format!("f{color}")
        };
        let polygon = |points: &[[f64; 2]]| {
            let points: Vec<String> = points
                .iter()
                .map(|[dx, dy]| format!("{:.1},{:.1}", x + dx, y + dy))
                .collect();
            format!(
                "<polygon class=\"{class}\" points=\"{}\"/>",
                points.join(" ")
            )
        };
        let shape = match self.dash % 6 {
            0 => format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r}\"/>"),
            1 => polygon(&[[-3.2, -3.2], [3.2, -3.2], [3.2, 3.2], [-3.2, 3.2]]),
            2 => polygon(&[[0.0, -4.6], [4.2, 3.2], [-4.2, 3.2]]),
            3 => polygon(&[[0.0, -4.8], [4.8, 0.0], [0.0, 4.8], [-4.8, 0.0]]),
            4 => polygon(&[[0.0, 4.6], [4.2, -3.2], [-4.2, -3.2]]),
            _ => polygon(&[[-1.5, -4.2], [1.5, -4.2], [1.5, 4.2], [-1.5, 4.2]]),
        };
        out.push_str(&shape);
    }
}

/// A chart with its words.
pub(super) struct Chart {
    /// Unique on the page.
    pub(super) id: String,
    pub(super) title: String,
    /// What is drawn and how it is to be read.
    pub(super) note: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    /// Over the whole page.
    pub(super) wide: bool,
}

impl Chart {
    fn width(&self) -> f64 {
        WIDTHS[usize::from(self.wide)]
    }

    /// Left, top, right, bottom of the part that is drawn in.
    fn edges(&self) -> [f64; 4] {
        [56.0, 12.0, self.width() - 16.0, HEIGHT - 44.0]
    }

    /// A figure of the page; nothing when there is nothing to draw.
    pub(super) fn html(&self) -> String {
        if self.series.iter().all(|series| series.points.is_empty()) {
            return String::new();
        }
        let Self {
            id, title, note, ..
        } = self;
        let mut out = format!(
            "<figure class=\"card chart{}\"><figcaption>{} <span class=\"note\">{}</span></figcaption>\
             <svg viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
            if self.wide { " wide" } else { "" },
            escape(title),
            escape(note),
            self.width(),
            HEIGHT,
            escape(title),
            escape(&self.described()),
        );
        self.axes(&mut out);
        for series in &self.series {
            self.series(&mut out, series);
        }
        out.push_str("</svg>");
        self.legend(&mut out);
        out.push_str("</figure>\n");
        out
    }

    /// The chart in words, for those who cannot see it.
    fn described(&self) -> String {
        let series = self
            .series
            .iter()
            .filter(|series| !series.points.is_empty())
            .map(|series| {
                let ends = match (series.points.first(), series.points.last()) {
                    (Some(first), Some(last)) if !series.cloud && series.points.len() > 1 => {
                        format!(
                            ", from {} to {}",
                            units::short(Some(first.y)),
                            units::short(Some(last.y))
                        )
                    }
                    _ => String::new(),
                };
                format!(
                    "{}: {}{ends}",
                    series.name,
                    units::counted(series.points.len(), "point")
                )
            });
        let series: Vec<String> = series.collect();
        format!(
            "{} over {}. {}",
            self.y.title,
            self.x.title,
            series.join("; ")
        )
    }

    fn axes(&self, out: &mut String) {
        let [left, top, right, bottom] = self.edges();
        // Writing to a text cannot fail, here and below.
        for (at, text) in &self.y.ticks {
            let Some(y) = self.y.place(*at).map(|part| bottom - part * (bottom - top)) else {
                continue;
            };
            let _ = write!(
                out,
                "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 8.0,
                y + 4.0,
                escape(text),
            );
        }
        for (at, text) in &self.x.ticks {
            let Some(x) = self.x.place(*at).map(|part| left + part * (right - left)) else {
                continue;
            };
            let _ = write!(
                out,
                "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom}\" y2=\"{:.1}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 4.0,
                bottom + 17.0,
                escape(text),
            );
        }
        let middle = f64::midpoint(left, right);
        let half = f64::midpoint(top, bottom);
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

    fn at(&self, x: f64, y: f64) -> Option<[f64; 2]> {
        let [left, top, right, bottom] = self.edges();
        let x = left + self.x.place(x)?.clamp(0.0, 1.0) * (right - left);
        Some([
            x,
            bottom - self.y.place(y)?.clamp(0.0, 1.0) * (bottom - top),
        ])
    }

    fn series(&self, out: &mut String, series: &Series) {
        let look = series.look;
        let places: Vec<(Mark, [f64; 2])> = series
            .points
            .iter()
            .filter_map(|mark| Some((*mark, self.at(mark.x, mark.y)?)))
            .collect();
        if series.cloud {
            let _ = write!(out, "<g class=\"dots f{}\">", look.color);
            for (_, [x, y]) in &places {
                let _ = write!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.8\"/>");
            }
            out.push_str("</g>");
            return;
        }
        for (mark, [x, _]) in &places {
            let ends = mark.ci.and_then(|[low, high]| {
                Some([self.at(mark.x, low)?[1], self.at(mark.x, high)?[1]])
            });
            if let Some([low, high]) = ends {
                let _ = write!(
                    out,
                    "<path class=\"bar c{}\" d=\"M{x:.1} {low:.1}V{high:.1}M{a:.1} {low:.1}H{b:.1}M{a:.1} {high:.1}H{b:.1}\"/>",
                    look.color,
                    a = x - 4.0,
                    b = x + 4.0,
                );
            }
        }
        if places.len() > 1 {
            let points: Vec<String> = places
                .iter()
                .map(|(_, [x, y])| format!("{x:.1},{y:.1}"))
                .collect();
            let (stroke, points) = (look.stroke(), points.join(" "));
            let _ = write!(
                out,
                "<polyline class=\"line c{}\"{stroke} points=\"{points}\"/>",
                look.color
            );
        }
        if !look.plain || places.len() == 1 {
            for (_, [x, y]) in &places {
                look.marker(out, *x, *y);
            }
        }
    }

    fn legend(&self, out: &mut String) {
        let shown: Vec<&Series> = self
            .series
            .iter()
            .filter(|series| !series.points.is_empty())
            .collect();
        if shown.len() < 2 {
            return;
        }
        out.push_str("<ul class=\"legend\">");
        for series in shown {
            out.push_str("<li><svg viewBox=\"0 0 30 12\" aria-hidden=\"true\">");
            let look = series.look;
            if !series.cloud {
                let stroke = look.stroke();
                let _ = write!(
                    out,
                    "<polyline class=\"line c{}\"{stroke} points=\"1,6 29,6\"/>",
                    look.color
                );
            }
            if !look.plain || series.cloud {
                look.marker(out, 15.0, 6.0);
            }
            let _ = write!(out, "</svg>{}</li>", escape(&series.name));
        }
        out.push_str("</ul>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_on_round_numbers_and_hold_every_value() {
        for most in [0.003, 0.7, 1.0, 9.0, 88.0, 1_234.0, 5e6] {
            let axis = Axis::linear("", [most].into_iter());
            assert!(axis.to >= most && axis.ticks.len() <= 12, "{axis:?}");
            let axis = Axis::log("", [most / 30.0, most].into_iter());
            assert!(axis.from <= most / 30.0 && axis.to >= most, "{axis:?}");
            assert!((2..=9).contains(&axis.ticks.len()), "{axis:?}");
        }
        assert_eq!(tick(0.25, 0.05), "0.25");
        assert_eq!(tick(1_500.0, 500.0), "1,500");
    }

    #[test]
    fn nonsense_has_no_place() {
        let axis = Axis::log("", [f64::NAN, -1.0, 0.0].into_iter());
        assert_eq!((axis.place(f64::NAN), axis.place(0.0)), (None, None));
        assert!(Axis::linear("", std::iter::empty()).place(0.5).is_some());
    }
}
