//! Charts as values: series, axes, marks, and what pointing at them says. Built once, here, from reports and
//! figures; painted by [`svg`] (the report, a picture's file) and by the window.

pub mod answers;
mod axis;
pub mod bench;
pub mod distribution;
pub mod labels;
pub mod levels;
pub mod server;
pub mod svg;
mod thin;
pub mod trend;

use crate::domain::units;

pub use self::axis::{Axis, Tick, Unit};
pub use self::server::ServerLine;
pub use self::thin::{Dots, Rates};

/// A chart.
pub struct Chart<'a> {
    /// With the unit of what is drawn.
    pub title: &'static str,
    /// How it is to be read; may be empty.
    pub note: String,
    /// The chart in words, for those who cannot see it.
    pub summary: String,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// From back to front.
    pub series: Vec<Series>,
    /// Lines across the chart.
    pub marks: Vec<Mark>,
    /// Words beside points, see [`labels::places`].
    pub labels: Vec<Label>,
    /// What the axes leave out.
    pub beyond: Option<String>,
    /// Which look is whose.
    pub legend: Vec<Entry>,
    /// What pointing at a point says.
    pub hover: Hover<'a>,
}

impl<'a> Chart<'a> {
    /// A chart without a note, marks and a legend.
    fn new(title: &'static str, x: Axis, y: Axis, series: Vec<Series>, hover: Hover<'a>) -> Self {
        let (summary, note) = (described(&series), String::new());
        Self {
            title,
            note,
            summary,
            x,
            y,
            series,
            marks: Vec::new(),
            labels: Vec::new(),
            beyond: None,
            legend: Vec::new(),
            hover,
        }
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.points.is_empty())
    }
}

/// Says in words what a point of a series is.
pub type Hover<'a> = Box<dyn Fn(&Series, &Point) -> String + 'a>;

/// Points that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What they are of.
    pub name: String,
    /// How they look.
    pub look: Look,
    /// How they are drawn.
    pub kind: Kind,
    /// From left to right.
    pub points: Vec<Point>,
}

impl Series {
    fn new(name: impl Into<String>, look: Look, kind: Kind, points: Vec<Point>) -> Self {
        Self {
            name: name.into(),
            look,
            kind,
            points,
        }
    }

    fn entry(&self) -> Entry {
        Entry {
            look: self.look,
            kind: self.kind,
            name: self.name.clone(),
        }
    }

    /// Each how many-th point of a line has a marker.
    pub fn few(&self) -> usize {
        if self.kind == Kind::Curve {
            self.points.len() / 6 + 1
        } else {
            1
        }
    }
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A line with a marker at each point, with its interval.
    Line,
    /// A line of too many points for markers: a few tell whose it is.
    Curve,
    /// A line, filled down to zero.
    Area,
    /// Single markers.
    Dots,
    /// A bar up to each point, as wide as its interval.
    Bars,
    /// A bar along each point's row, from end to end of its interval.
    Spans,
}

/// A point of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Its value on the horizontal axis.
    pub x: f64,
    /// Its value on the vertical axis.
    pub y: f64,
    /// The 95 % interval in y; of bars and spans their ends in x.
    pub interval: Option<[f64; 2]>,
    /// Its place among what the chart was built from.
    pub of: usize,
}

impl Point {
    /// A point without an interval.
    pub fn new(x: f64, y: f64, of: usize) -> Self {
        Self {
            x,
            y,
            interval: None,
            of,
        }
    }
}

/// A line across the chart, with a word beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Its value on the horizontal axis.
    pub x: f64,
    /// What is there. What has no room is left out.
    pub label: String,
    /// No line is drawn: only the word stands there.
    pub bare: bool,
}

/// A word beside a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The point's value on the horizontal axis.
    pub x: f64,
    /// And on the vertical one.
    pub y: f64,
    /// What stands there.
    pub text: String,
}

/// A line of the legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// As of the series.
    pub look: Look,
    /// As of the series.
    pub kind: Kind,
    /// Whose look it is.
    pub name: String,
}

/// How a series is told from others: by colour, and without it by marker and pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The colour.
    pub color: Color,
    /// The shape of its points.
    pub marker: Marker,
    /// The pattern of its line.
    pub dash: Dash,
    /// How heavy it is.
    pub weight: Weight,
}

impl Look {
    /// The `index`-th of series that differ in all.
    pub fn of(index: usize) -> Self {
        Self::mixed(index, index)
    }

    /// The colour and the marker of the `index`-th, the pattern of the `pattern`-th.
    pub fn mixed(index: usize, pattern: usize) -> Self {
        let (marker, dash) = (Marker::of(index), Dash::of(pattern));
        Self {
            color: Color::Nth(index),
            marker,
            dash,
            weight: Weight::Normal,
        }
    }

    /// Of what belongs to no series.
    pub fn plain(color: Color, weight: Weight) -> Self {
        Self {
            color,
            weight,
            ..Self::of(0)
        }
    }

    /// The radius of a line's markers, in points.
    pub fn radius(self) -> f64 {
        if self.weight == Weight::Thin {
            2.0
        } else {
            3.2
        }
    }

    /// The same, lighter: a percentile far out.
    pub fn thin(self) -> Self {
        Self {
            weight: Weight::Thin,
            ..self
        }
    }
}

/// A colour by what it means: the theme, or the page, knows which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Of the `n`-th series; six differ.
    Nth(usize),
    /// Of what stands back.
    Dim,
    /// Of what the user chose.
    Accent,
    /// Of failures.
    Error,
}

/// The shape of a series' points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "shapes")]
pub enum Marker {
    Circle,
    Square,
    Up,
    Diamond,
    Cross,
    Down,
    /// Around a point that has its own shape.
    Ring,
}

impl Marker {
    /// Of the `index`-th series.
    pub fn of(index: usize) -> Self {
        const ALL: [Marker; 6] = [
            Marker::Circle,
            Marker::Square,
            Marker::Up,
            Marker::Diamond,
            Marker::Cross,
            Marker::Down,
        ];
        // The second round of colours shifts by one shape, so that twelve series all look different.
        ALL[(index + index / ALL.len()) % ALL.len()]
    }
}

/// The pattern of a series' line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "patterns")]
pub enum Dash {
    Solid,
    Long,
    Dotted,
    Short,
}

impl Dash {
    /// Of the `index`-th series.
    pub fn of(index: usize) -> Self {
        [Self::Solid, Self::Long, Self::Dotted, Self::Short][index % 4]
    }
}

/// How heavy a series is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "weights")]
pub enum Weight {
    Normal,
    Thin,
    /// Spans: an outline.
    Hollow,
}

/// What a screen reader says of lines: how many points each has, and its first and last value.
fn described(series: &[Series]) -> String {
    let words = series
        .iter()
        .filter(|series| !series.points.is_empty())
        .map(|series| {
            let value = |point: &Point| units::short(Some(point.y));
            let ends = match &series.points[..] {
                [one] => format!(", {}", value(one)),
                [first, .., last] => format!(", from {} to {}", value(first), value(last)),
                [] => String::new(),
            };
            format!(
                "{}: {}{ends}",
                series.name,
                units::counted(series.points.len(), "point")
            )
        });
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        "Nothing to show yet".to_owned()
    } else {
        words.join("; ")
    }
}

/// Every value an axis must hold, intervals included.
fn heights(series: &[Series]) -> impl Iterator<Item = f64> {
    series
        .iter()
        .flat_map(|series| &series.points)
        .flat_map(|point| {
            let [low, high] = point.interval.unwrap_or([point.y; 2]);
            [low, point.y, high]
        })
}

fn widths(series: &[Series]) -> impl Iterator<Item = f64> {
    series
        .iter()
        .flat_map(|series| &series.points)
        .map(|point| point.x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_axis_says_what_it_measures_and_in_which_unit() {
        let sample = crate::export::sample::bench(1.0);
        let report = sample.report();
        let groups = levels::by_model(&report.levels, |n, _| Look::of(n));
        let dots = Dots::default();
        let level = report.levels.first();
        let stats = level.map(|level| ("m".to_owned(), Look::of(0), &level.ttft_ms));
        let charts = [
            levels::ttft(&groups, true),
            levels::tokens(&groups, true),
            levels::knee(&groups, true),
            levels::cumulative(stats.into_iter().collect(), "TTFT", true),
            bench::ttft_over_time(&dots, &[], 30.0),
            bench::tokens_over_time(&[], &[], 30.0),
            bench::in_flight(&[], 30.0),
            distribution::distribution(level, levels::Timing::Ttft, Look::of(0)),
            distribution::distribution(level, levels::Timing::Itl, Look::of(0)),
        ];
        let has_unit = |title: &str| {
            let names = ["load level", "requests", "gaps"];
            let units = [", ms", ", tok/s", ", s", ", min:s", ", %"];
            names.contains(&title) || units.iter().any(|unit| title.contains(unit))
        };
        for chart in charts {
            assert!(has_unit(&chart.x.title), "{}: {:?}", chart.title, chart.x);
            assert!(
                has_unit(&chart.y.title) || chart.y.is_bare(),
                "{}: {:?}",
                chart.title,
                chart.y
            );
        }
    }

    #[test]
    fn twelve_series_differ_in_colour_or_in_shape() {
        let looks: std::collections::HashSet<_> = (0..12).map(|i| (i % 6, Marker::of(i))).collect();
        assert_eq!(looks.len(), 12);
    }
}
