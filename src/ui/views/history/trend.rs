//! A model's figures over weeks, with the releases marked.

use egui::Ui;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::filters::any_of;
use super::when;
use crate::chart;
use crate::chart::answers::Figure;
use crate::domain::history::{SessionId, Trend};
use crate::state::State;
use crate::state::action::Actions;
use crate::state::history::{Clock, HistoryAction, TrendOf, days_before};
use crate::ui::chart::{card_ui, no_tools, pair};
use crate::ui::picture::Photographer;
use crate::ui::widgets::{Choice, Section, caption, card, empty_state, failure_box, picker};

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
        state: &State,
        clock: Clock,
        out: &mut Actions,
    ) {
        let facets = state.history.rows.facets();
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
            caption(ui, "No models in the history yet");
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
        out.push(HistoryAction::WantTrend(TrendOf {
            model: model.clone(),
            deployment: self.deployment.clone(),
            since,
        }));
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
                    "No sessions of this model in this period",
                    "Choose a longer period or another deployment",
                    24.0,
                );
                ui.add_space(24.0);
            });
            return;
        }
        let selected = state.history.selected().cloned();
        let (mut first, mut second) = (None, None);
        let with = (index, selected.as_ref(), height);
        pair(
            ui,
            photographer,
            [
                &mut |ui, p| first = chart_ui(ui, p, trend, Figure::Ttft, with),
                &mut |ui, p| second = chart_ui(ui, p, trend, Figure::Speed, with),
            ],
        );
        caption(
            ui,
            "Circles are benchmarks, squares are chats. Dashed lines: another release. A click selects the session",
        );
        if let Some(id) = first.or(second) {
            out.push(HistoryAction::Select(id));
        }
    }
}

/// Draws one figure; gives the session that was clicked.
fn chart_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    trend: &Trend,
    figure: Figure,
    (color, selected, height): (usize, Option<&SessionId>, f32),
) -> Option<SessionId> {
    let chart = chart::trend::trend(trend, figure, color, selected, (&TimeZone::system(), when));
    let hit = card_ui(ui, photographer, &chart, height, no_tools)?;
    trend
        .points
        .get(hit.point.of)
        .filter(|_| hit.clicked)
        .map(|point| point.session.clone())
}
