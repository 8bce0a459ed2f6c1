//! A model's figures over weeks, with the releases marked.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::answers::Figure;
use super::{Axis, Chart, Color, Kind, Look, Mark, Marker, Point, Series, Unit, Weight, heights};
use crate::domain::history::{SessionId, SessionKind, Trend, TrendPoint};
use crate::domain::units;

/// Benchmarks and chats have markers of their own; the selected session has a ring. Dates are of `zone`, and `when`
/// writes a moment. A point's `of` is its place in the trend.
pub fn trend<'a>(
    trend: &'a Trend,
    figure: Figure,
    color: usize,
    selected: Option<&SessionId>,
    (zone, when): (&TimeZone, fn(Timestamp) -> String),
) -> Chart<'a> {
    let known = known(trend, figure, zone);
    let series = series(&known, color, selected);
    let (from, to) = known
        .iter()
        .map(|(point, _)| point.x)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), x| {
            (from.min(x), to.max(x))
        });
    let (from, to) = if from <= to { (from, to) } else { (0.0, 1.0) };
    let room = ((to - from) * 0.04).max(0.5);
    let releases = releases(trend, zone);
    let (sessions, marked) = (known.len(), releases.len());
    let counts = [
        units::counted(sessions, "session"),
        units::counted(marked, "release"),
    ];
    let (title, y_title) = match figure {
        Figure::Ttft => ("TTFT p50 over time, ms", "TTFT p50, ms"),
        Figure::Speed => ("Tokens/s for each user over time", "per-user speed, tok/s"),
    };
    let x = Axis::between("date", from - room, to + room, Unit::Date);
    // Above the highest point stand the names of the releases.
    let y = Axis::from_zero(y_title, heights(&series).map(|y| y * 1.1));
    let hover = move |_: &Series, point: &Point| {
        let Some(session) = trend.points.get(point.of) else {
            return String::new();
        };
        let mut lines = vec![when(session.at), units::short(Some(point.y))];
        lines.extend(
            session
                .deployment
                .as_ref()
                .map(|deployment| format!("on {deployment}")),
        );
        lines.extend(
            session
                .release
                .as_ref()
                .map(|release| format!("release {release}")),
        );
        lines.join("\n")
    };
    Chart {
        note: "circles are benchmarks, squares are chats; dashed lines: another release".to_owned(),
        summary: format!("{}, {}", trend.model, counts.join(", ")),
        marks: releases,
        ..Chart::new(title, x, y, series, Box::new(hover))
    }
}

/// The sessions that have the figure, as points.
fn known<'a>(trend: &'a Trend, figure: Figure, zone: &TimeZone) -> Vec<(Point, &'a TrendPoint)> {
    let value = |point: &TrendPoint| match figure {
        Figure::Ttft => point.ttft_p50_ms,
        Figure::Speed => point.user_tokens_per_s,
    };
    let points = trend.points.iter().enumerate();
    let known = points.filter_map(|(of, point)| {
        Some((Point::new(days(point.at, zone), value(point)?, of), point))
    });
    known.collect()
}

/// The benchmarks, the chats, and the selected one of them.
fn series(
    known: &[(Point, &TrendPoint)],
    color: usize,
    selected: Option<&SessionId>,
) -> Vec<Series> {
    let of = |name: &str, look, keep: &dyn Fn(&TrendPoint) -> bool| {
        let kept = known.iter().filter(|(_, session)| keep(session));
        let points = kept.map(|(point, _)| *point).collect();
        Series::new(name, look, Kind::Dots, points)
    };
    let look = |marker| Look {
        marker,
        ..Look::of(color)
    };
    let ring = Look {
        marker: Marker::Ring,
        ..Look::plain(Color::Accent, Weight::Normal)
    };
    vec![
        of("benchmarks", look(Marker::Circle), &|session| {
            session.kind == SessionKind::Bench
        }),
        of("chats", look(Marker::Square), &|session| {
            session.kind == SessionKind::Chat
        }),
        of("selected", ring, &|session| {
            selected == Some(&session.session)
        }),
    ]
}

/// Days since 1970, in the user's time zone: what the axis counts in.
fn days(moment: Timestamp, zone: &TimeZone) -> f64 {
    let offset = zone.to_offset(moment).seconds();
    (moment.as_millisecond() as f64 / 1e3 + f64::from(offset)) / 86_400.0
}

/// Where another release was first seen, and which. The first one is no change.
fn releases(trend: &Trend, zone: &TimeZone) -> Vec<Mark> {
    let mut found: Vec<Mark> = Vec::new();
    for point in &trend.points {
        let Some(release) = &point.release else {
            continue;
        };
        if found.last().is_none_or(|last| last.label != *release) {
            found.push(Mark {
                x: days(point.at, zone),
                label: release.clone(),
                bare: found.is_empty(),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_marked_where_it_changes() {
        let point = |release: Option<&str>| TrendPoint {
            session: SessionId("s".to_owned()),
            at: Timestamp::UNIX_EPOCH,
            kind: SessionKind::Bench,
            deployment: None,
            release: release.map(str::to_owned),
            ttft_p50_ms: None,
            user_tokens_per_s: None,
            peak_tokens_per_s: None,
        };
        let points = [Some("2.2"), None, Some("2.2"), Some("2.3"), Some("2.2")]
            .map(point)
            .to_vec();
        let found = releases(
            &Trend {
                model: "m".to_owned(),
                points,
            },
            &TimeZone::UTC,
        );
        let names: Vec<(&str, bool)> = found
            .iter()
            .map(|mark| (mark.label.as_str(), mark.bare))
            .collect();
        assert_eq!(names, [("2.2", true), ("2.3", false), ("2.2", false)]);
    }
}
