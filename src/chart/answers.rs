//! Charts of a conversation's answers, one after the other.

use std::ops::RangeInclusive;

use super::{Axis, Chart, Dash, Kind, Look, Point, Series, Unit, heights};
use crate::domain::history::Exchange;
use crate::domain::units;
use crate::metrics::history::{self, decimate};

/// Which figure of the answers is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Time to first token, in ms.
    Ttft,
    /// Tokens per second.
    Speed,
}

impl Figure {
    /// Both, with the titles of a session's charts.
    pub const ALL: [(Self, &'static str); 2] = [
        (Self::Ttft, "Time to first token, ms"),
        (Self::Speed, "Tokens per second"),
    ];

    fn written(self, value: f64) -> String {
        match self {
            Self::Ttft => format!("TTFT {value:.1} ms"),
            Self::Speed => units::rate(value).to_string(),
        }
    }

    fn points(self, series: &history::Series) -> &[[f64; 2]] {
        match self {
            Self::Ttft => &series.ttft,
            Self::Speed => &series.speed,
        }
    }
}

/// The answers of a conversation in the history.
pub fn conversation(exchanges: &[Exchange], figure: Figure, look: Look) -> Chart<'_> {
    let value = |exchange: &Exchange| match figure {
        Figure::Ttft => exchange.figures.ttft.map(units::ms),
        Figure::Speed => exchange.figures.tokens_per_sec,
    };
    let point = |(of, exchange)| Some(Point::new(of as f64 + 1.0, value(exchange)?, of));
    let points: Vec<Point> = exchanges.iter().enumerate().filter_map(point).collect();
    let series = vec![Series::new("answers", look, Kind::Line, points)];
    let hover = move |_: &Series, point: &Point| {
        let prompt = exchanges
            .get(point.of)
            .map_or("", |exchange| exchange.prompt.as_str());
        let (n, value) = (point.of + 1, figure.written(point.y));
        format!("answer {n}\n{value}\n{}", units::shorten_middle(prompt, 48))
    };
    let title = match figure {
        Figure::Ttft => "TTFT by answer, ms",
        Figure::Speed => "Tokens/s by answer",
    };
    let summary = units::counted(series[0].points.len(), "answer");
    Chart {
        summary,
        ..chart((figure, title), series, exchanges.len(), Box::new(hover))
    }
}

/// What of a chart is on the screen: a range of its horizontal axis, and how many pixels it has.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// `None` for all there is.
    pub range: Option<RangeInclusive<f64>>,
    /// The pixels.
    pub columns: usize,
}

/// More points than this are drawn without markers.
const MAX_MARKED: usize = 120;

/// The answers of the session under way, a line a model. Lines are thinned to what `view` shows.
pub fn session<'a>(
    models: Vec<(usize, &'a history::Series)>,
    figure: Figure,
    view: &View,
) -> Chart<'a> {
    let lines = models.iter();
    let series: Vec<Series> = lines
        .map(|(index, model)| line(*index, model, figure, view))
        .collect();
    let answers = models
        .iter()
        .filter_map(|(_, model)| model.samples.last())
        .map(|sample| sample.n)
        .max();
    let words = models.iter().map(|(_, model)| summary(model, figure));
    let words: Vec<String> = words.collect();
    let summary = if words.is_empty() {
        "No answers yet".to_owned()
    } else {
        words.join("; ")
    };
    let hover = move |series: &Series, point: &Point| {
        let mut lines = vec![series.name.clone(), figure.written(point.y)];
        lines.extend(sample_at(&models, point).into_iter().flat_map(details));
        lines.join("\n")
    };
    let title = Figure::ALL
        .into_iter()
        .find(|(known, _)| *known == figure)
        .map_or("", |(_, title)| title);
    // A few answers do not fill the width: the first point would stand alone in the middle.
    let most = usize::try_from(answers.unwrap_or(0))
        .unwrap_or(usize::MAX)
        .max(5);
    Chart {
        summary,
        ..chart((figure, title), series, most, Box::new(hover))
    }
}

/// How many answers after the first `known` have a point outside of this part of the chart.
pub fn outside<'a>(
    models: impl Iterator<Item = &'a history::Series>,
    figure: Figure,
    (x, y): (&RangeInclusive<f64>, &RangeInclusive<f64>),
    known: u64,
) -> usize {
    models
        .flat_map(|model| figure.points(model).iter().rev())
        .filter(|[n, _]| *n > known as f64)
        .filter(|[n, value]| !x.contains(n) || !y.contains(value))
        .count()
}

/// The answers of one model.
fn line(index: usize, model: &history::Series, figure: Figure, view: &View) -> Series {
    let all = figure.points(model);
    let (first, last) = (
        all.first().map_or(0.0, |p| p[0]),
        all.last().map_or(0.0, |p| p[0]),
    );
    let (from, to) = view
        .range
        .as_ref()
        .map_or((first, last), |range| (*range.start(), *range.end()));
    let points: Vec<Point> = decimate(all, from, to, view.columns)
        .into_iter()
        .map(|[x, y]| Point::new(x, y, index))
        .collect();
    if points.len() <= MAX_MARKED {
        return Series::new(&model.model, Look::of(index), Kind::Line, points);
    }
    let look = Look {
        dash: Dash::Solid,
        ..Look::of(index)
    };
    Series::new(&model.model, look, Kind::Curve, points)
}

fn summary(model: &history::Series, figure: Figure) -> String {
    let points = figure.points(model);
    let last = points
        .last()
        .map_or_else(|| units::ABSENT.to_owned(), |[_, y]| figure.written(*y));
    let answers = units::counted(points.len(), "answer");
    format!("{}: {answers}, last {last}", model.model)
}

/// The answer that a point stands for.
fn sample_at<'a>(
    models: &[(usize, &'a history::Series)],
    point: &Point,
) -> Option<&'a history::Sample> {
    let (_, model) = models.iter().find(|(index, _)| *index == point.of)?;
    let at = model
        .samples
        .binary_search_by(|sample| (sample.n as f64).total_cmp(&point.x))
        .ok()?;
    model.samples.get(at)
}

/// What is said of an answer below its figure.
fn details(sample: &history::Sample) -> Vec<String> {
    let history::Sample {
        n,
        figures,
        deployment,
        prompt,
        ..
    } = sample;
    let mut lines = vec![format!("answer {n}")];
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
    lines.extend(deployment.as_ref().map(|name| format!("on {name}")));
    lines.push(format!("“{}”", units::shorten_middle(prompt, 48)));
    lines
}

fn chart<'a>(
    (figure, title): (Figure, &'static str),
    series: Vec<Series>,
    answers: usize,
    hover: super::Hover<'a>,
) -> Chart<'a> {
    let x = Axis::between("answer", 0.5, answers.max(2) as f64 + 0.5, Unit::Whole);
    // Short: a low chart has little room beside it.
    let name = match figure {
        Figure::Ttft => "TTFT, ms",
        Figure::Speed => "tok/s",
    };
    let y = Axis::from_zero(name, heights(&series));
    Chart {
        note: "a point an answer".to_owned(),
        ..Chart::new(title, x, y, series, hover)
    }
}
