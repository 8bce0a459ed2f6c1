//! A model's figures over weeks, with the releases marked.

use egui::{Pos2, Rect, Shape, Stroke, Ui, pos2, vec2};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::detail::pair;
use super::filters::any_of;
use super::when;
use crate::domain::history::{SessionId, SessionKind, Trend, TrendPoint};
use crate::domain::units;
use crate::protocol::Command;
use crate::state::State;
use crate::state::history::{Clock, days_before};
use crate::ui::chart::{Area, Axis, Chart, Nearest, no_tools, up_to};
use crate::ui::picture::Photographer;
use crate::ui::widgets::{Choice, Section, caption, card, empty_state, failure_box, picker};

const TTFT: &str = "TTFT p50 over time, ms";
const SPEED: &str = "Tokens/s for each user over time";
/// How far back it goes, in days, and in words.
const SPANS: [(u16, &str); 4] = [
    (28, "4 weeks"),
    (91, "3 months"),
    (365, "A year"),
    (u16::MAX, "All time"),
];

/// Whose trend is shown.
#[derive(Default)]
pub(super) struct TrendUi {
    /// `None` follows the selected session.
    model: Option<String>,
    deployment: Option<String>,
    span: usize,
    /// As it was asked: fixed, so that it is asked once.
    since: Option<(usize, Option<Timestamp>)>,
}

impl TrendUi {
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        photographer: &mut Photographer,
        state: &mut State,
        clock: Clock,
        out: &mut Vec<Command>,
    ) {
        let facets = state.history.rows.facets().clone();
        let selected = state
            .history
            .selected()
            .and_then(|id| state.history.row_of(id));
        let of_selected = selected.and_then(|row| row.models.first().cloned());
        let model = self
            .model
            .clone()
            .or(of_selected)
            .or_else(|| facets.models.first().cloned());
        let Some(model) = model else {
            caption(ui, "There is no model in the history yet");
            return;
        };
        ui.horizontal(|ui| {
            let width = ((ui.available_width() - 140.0) / 2.0 - 16.0).min(280.0);
            let choices = facets
                .models
                .iter()
                .map(|name| Choice {
                    name,
                    remark: None,
                    dot: None,
                    enabled: true,
                })
                .collect();
            let sections = [Section {
                heading: "",
                choices,
            }];
            if let Some(name) = picker(ui, "Trend of", Some(&model), None, width, &sections) {
                self.model = Some(name);
            }
            any_of(
                ui,
                "Trend on",
                "All deployments",
                &facets.deployments,
                &mut self.deployment,
                width,
            );
            let names: Vec<String> = SPANS.iter().map(|(_, name)| (*name).to_owned()).collect();
            let choices = names
                .iter()
                .map(|name| Choice {
                    name,
                    remark: None,
                    dot: None,
                    enabled: true,
                })
                .collect();
            let sections = [Section {
                heading: "",
                choices,
            }];
            let picked = picker(
                ui,
                "Trend over",
                Some(SPANS[self.span].1),
                None,
                120.0,
                &sections,
            );
            if let Some(span) = SPANS
                .iter()
                .position(|(_, name)| Some(*name) == picked.as_deref())
            {
                self.span = span;
            }
        });
        let since = match self.since {
            Some((span, since)) if span == self.span => since,
            _ => {
                let days = SPANS[self.span].0;
                let since = (days != u16::MAX).then(|| days_before(clock.today, days));
                self.since = Some((self.span, since));
                since
            }
        };
        let model = self.model.clone().unwrap_or(model);
        state.want_trend(&model, self.deployment.as_deref(), since, out);
        if let Some(failure) = state.history.trend.failure() {
            failure_box(ui, "trend", failure, None);
        }
        let index = state.colors.index(&model);
        let height = (ui.available_height() - 84.0).clamp(110.0, 280.0);
        let Some(trend) = state
            .history
            .trend
            .value()
            .filter(|trend| trend.model == model)
        else {
            if state.history.trend.is_loading() {
                caption(ui, "Reading the trend…");
            }
            return;
        };
        if trend.points.is_empty() {
            card(ui).show(ui, |ui| {
                ui.set_width(ui.available_width());
                empty_state(
                    ui,
                    "No session of this model in this time",
                    "Pick a longer time or another deployment",
                    24.0,
                );
                ui.add_space(24.0);
            });
            return;
        }
        let selected = state.history.selected().cloned();
        let mut picked: Option<SessionId> = None;
        let (mut first, mut second) = (None, None);
        pair(
            ui,
            photographer,
            [
                &mut |ui, p| {
                    first = chart_ui(
                        ui,
                        p,
                        TTFT,
                        trend,
                        |point| point.ttft_p50_ms,
                        (index, selected.as_ref(), height),
                    )
                },
                &mut |ui, p| {
                    second = chart_ui(
                        ui,
                        p,
                        SPEED,
                        trend,
                        |point| point.user_tokens_per_s,
                        (index, selected.as_ref(), height),
                    )
                },
            ],
        );
        picked = picked.or(first).or(second);
        caption(
            ui,
            "Circles are benchmarks, squares are chats. Dashed lines: another release. A click selects the session",
        );
        if let Some(id) = picked {
            state.history.select(&id, clock.now);
        }
    }
}

/// Days since 1970, in the user's time zone as it is now: what the axis counts in.
fn days(moment: Timestamp) -> f64 {
    let zoned = moment.to_zoned(TimeZone::system());
    (moment.as_millisecond() as f64 / 1e3 + f64::from(zoned.offset().seconds())) / 86_400.0
}

/// The next step of a calendar or a clock, in days.
fn whole_times(days: f64) -> f64 {
    const HOURS: [f64; 6] = [1.0, 2.0, 3.0, 6.0, 12.0, 24.0];
    const DAYS: [f64; 6] = [2.0, 7.0, 14.0, 28.0, 91.0, 182.0];
    let hours = HOURS.iter().map(|hours| hours / 24.0);
    let found = hours.chain(DAYS).find(|step| *step >= days);
    found.unwrap_or_else(|| (days / 364.0).ceil() * 364.0)
}

fn day_told(days: f64) -> String {
    let Ok(moment) = Timestamp::from_millisecond((days * 86_400_000.0).round() as i64) else {
        return String::new();
    };
    let zoned = moment.to_zoned(TimeZone::UTC);
    if zoned.hour() == 0 && zoned.minute() == 0 {
        zoned.strftime("%b %-d").to_string()
    } else {
        zoned.strftime("%b %-d %H:%M").to_string()
    }
}

/// Draws one figure; gives the session that was clicked.
fn chart_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    title: &'static str,
    trend: &Trend,
    value: fn(&TrendPoint) -> Option<f64>,
    (index, selected, height): (usize, Option<&SessionId>, f32),
) -> Option<SessionId> {
    let points: Vec<(f64, f64, &TrendPoint)> = trend
        .points
        .iter()
        .filter_map(|point| Some((days(point.at), value(point)?, point)))
        .collect();
    let highest = points.iter().map(|(_, y, _)| *y).fold(0.0, f64::max);
    let from = points.first().map_or(0.0, |(x, ..)| *x);
    let to = points.last().map_or(1.0, |(x, ..)| *x);
    let room = ((to - from) * 0.04).max(0.5);
    let x = Axis {
        step: whole_times,
        ..Axis::new(from - room, to + room, day_told)
    };
    let releases = releases(trend);
    let summary = format!(
        "{}, {}, {}",
        trend.model,
        units::counted(points.len(), "session"),
        units::counted(releases.len(), "release")
    );
    let chart = Chart {
        title,
        summary,
        height,
        x,
        y: Some(up_to(highest * 1.14)),
        tools: &mut no_tools,
    };
    let mut under: Option<(f32, SessionId)> = None;
    let clicked = chart.show(ui, photographer, |painter, area, pointer| {
        releases_ui(painter, area, &releases);
        let mut nearest = Nearest::default();
        let color = area.tokens.model_color(index);
        for (x, y, point) in &points {
            let at = area.at(*x, *y);
            match point.kind {
                SessionKind::Bench => painter.circle_filled(at, 3.2, color),
                SessionKind::Chat => {
                    painter.rect_filled(Rect::from_center_size(at, vec2(4.5, 4.5)), 0.0, color)
                }
            };
            if selected == Some(&point.session) {
                painter.circle_stroke(at, 6.0, Stroke::new(1.5, area.tokens.accent));
            }
            nearest.offer(at, pointer, || told(point, *y));
            let distance = pointer.map_or(f32::INFINITY, |pointer| pointer.distance(at));
            if distance < under.as_ref().map_or(14.0, |(nearest, _)| *nearest) {
                under = Some((distance, point.session.clone()));
            }
        }
        nearest.told()
    });
    under.filter(|_| clicked).map(|(_, id)| id)
}

fn told(point: &TrendPoint, y: f64) -> String {
    let mut lines = vec![
        when(point.at),
        if y < 9.95 {
            format!("{y:.2}")
        } else {
            format!("{y:.1}")
        },
    ];
    lines.extend(
        point
            .deployment
            .as_ref()
            .map(|deployment| format!("on {deployment}")),
    );
    lines.extend(
        point
            .release
            .as_ref()
            .map(|release| format!("release {release}")),
    );
    lines.join("\n")
}

/// Where another release was first seen, and which.
fn releases(trend: &Trend) -> Vec<(f64, String)> {
    let mut found: Vec<(f64, String)> = Vec::new();
    for point in &trend.points {
        let Some(release) = &point.release else {
            continue;
        };
        if found.last().is_none_or(|(_, last)| last != release) {
            found.push((days(point.at), release.clone()));
        }
    }
    found
}

fn releases_ui(painter: &egui::Painter, area: &Area<'_>, releases: &[(f64, String)]) {
    let mut free_from = f32::NEG_INFINITY;
    for (n, (day, release)) in releases.iter().enumerate() {
        let at = area.x(*day);
        if n > 0 {
            let line: [Pos2; 2] = [pos2(at, area.rect.top()), pos2(at, area.rect.bottom())];
            painter.extend(Shape::dashed_line(
                &line,
                Stroke::new(1.0, area.tokens.line_strong),
                3.0,
                3.0,
            ));
        }
        let galley = painter.layout_no_wrap(release.clone(), area.font.clone(), area.tokens.dim);
        let left = at + 4.0;
        if left > free_from && left + galley.size().x < area.rect.right() {
            free_from = left + galley.size().x + 4.0;
            painter.galley(pos2(left, area.rect.top() - 2.0), galley, area.tokens.dim);
        }
    }
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
        let names: Vec<String> = releases(&Trend {
            model: "m".to_owned(),
            points,
        })
        .into_iter()
        .map(|(_, name)| name)
        .collect();
        assert_eq!(names, ["2.2", "2.3", "2.2"]);
    }
}
