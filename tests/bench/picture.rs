//! The picture of what a bench found, by the painter of reports.

use std::path::Path;

use batida::chart::{Axis, Chart, Kind, Look, Point, Series, Unit, svg};
use batida::io::raster;

/// Where every hundredth of values lies, and how they are named.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) values: Vec<f64>,
}

/// Draws which share of requests had a TTFT that is at most so many ms too long, in both themes, as `assets/screenshots/NAME.png`.
pub(crate) fn save(lines: Vec<Line>, title: &'static str, about: &str, name: &str) {
    let series: Vec<Series> = lines
        .into_iter()
        .enumerate()
        .map(|(nth, Line { name, mut values })| {
            values.sort_by(f64::total_cmp);
            let at = |percent: usize| values[(values.len() - 1) * percent / 100];
            Series {
                name: name.to_owned(),
                look: Look::of(nth),
                kind: Kind::Curve,
                points: (0..=100)
                    .map(|percent| Point::new(at(percent), percent as f64, percent))
                    .collect(),
            }
        })
        .collect();
    let all = || {
        series
            .iter()
            .flat_map(|series| &series.points)
            .map(|point| point.x)
    };
    let (least, most) = (all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max));
    let legend = series
        .iter()
        .map(|series| batida::chart::Entry {
            look: series.look,
            kind: series.kind,
            name: series.name.clone(),
        })
        .collect();
    let chart = Chart {
        title,
        note: String::new(),
        summary: about.to_owned(),
        x: Axis::between(
            "too long by at most, ms; 0 is true",
            least.min(0.0),
            most,
            Unit::Number,
        ),
        y: Axis::between("share of requests, %", 0.0, 100.0, Unit::Number),
        series,
        marks: Vec::new(),
        labels: Vec::new(),
        beyond: None,
        legend,
        hover: Box::new(|_, _| String::new()),
    };
    for (theme, dark) in [("", true), ("-light", false)] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/screenshots");
        let path = folder.join(format!("{name}{theme}.png"));
        let png = raster::png(&svg::file(&chart, about, dark)).expect("it is drawn");
        std::fs::write(&path, png).expect("the picture can be written");
    }
}
