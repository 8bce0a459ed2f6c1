//! A model's figures over weeks, with the releases marked.

use egui::Ui;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::filters::any_of;
use super::when;
use crate::chart;
use crate::chart::answers::Figure;
use crate::domain::history::{Facets, SessionId, Trend};
use crate::state::State;
use crate::state::action::Actions;
use crate::state::history::{Clock, HistoryAction, TrendOf, days_before};
use crate::ui::chart::{card_ui, no_tools, pair};
use crate::ui::picture::Photographer;
use crate::ui::theme::APART;
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
        let Some(shown) = self.model_of(state, facets) else {
            caption(ui, "No models in the history yet");
            return;
        };
        ui.horizontal(|ui| self.pickers_ui(ui, facets, &shown));
        let model = self.model.clone().unwrap_or(shown);
        out.push(HistoryAction::WantTrend(TrendOf {
            model: model.clone(),
            deployment: self.deployment.clone(),
            since: self.since(clock),
        }));
        if let Some(failure) = state.history.trend.failure() {
            failure_box(ui, "trend", failure, None);
        }
        photographer.of([model.as_str()], None);
        let trend = state.history.trend.value();
        match trend.filter(|trend| trend.model == model) {
            Some(trend) => trend_ui(ui, photographer, state, trend, out),
            None if state.history.trend.is_loading() => drop(caption(ui, "Reading the trend…")),
            None => {}
        }
    }

    /// The picked model, else that of the selected session, else the first one.
    fn model_of(&self, state: &State, facets: &Facets) -> Option<String> {
        let history = &state.history;
        let selected = history.selected().and_then(|id| history.row_of(id));
        let of_selected = || selected.and_then(|row| row.models.first());
        let model = self.model.as_ref().or_else(of_selected);
        model.or(facets.models.first()).cloned()
    }

    fn pickers_ui(&mut self, ui: &mut Ui, facets: &Facets, shown: &str) {
        let width = ((ui.available_width() - 140.0) / 2.0 - 16.0).min(280.0);
        let models = section(facets.models.iter().map(String::as_str));
        if let Some(name) = picker(ui, "Trend of", Some(shown), None, width, &[models]) {
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
        let spans = section(SPANS.iter().map(|(_, name)| *name));
        let span = Some(SPANS[self.span].1);
        let picked = picker(ui, "Trend over", span, None, 120.0, &[spans]);
        let is_picked = |(_, name): &(u16, &str)| Some(*name) == picked.as_deref();
        if let Some(span) = SPANS.iter().position(is_picked) {
            self.span = span;
        }
    }

    /// The moment at which the shown span begins.
    fn since(&mut self, clock: Clock) -> Option<Timestamp> {
        if let Some((span, since)) = self.since
            && span == self.span
        {
            return since;
        }
        let days = SPANS[self.span].0;
        let since = (days != u16::MAX).then(|| days_before(clock.today, days));
        self.since = Some((self.span, since));
        since
    }
}

fn section<'a>(names: impl Iterator<Item = &'a str>) -> Section<'a> {
    Section {
        heading: "",
        choices: names.map(Choice::plain).collect(),
    }
}

/// The two figures of a trend.
fn trend_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    state: &State,
    trend: &Trend,
    out: &mut Actions,
) {
    if trend.points.is_empty() {
        card(ui).show(ui, |ui| {
            ui.set_width(ui.available_width());
            empty_state(
                ui,
                "No sessions of this model in this period",
                "Choose a longer period or another deployment",
                24.0,
            );
            ui.add_space(APART);
        });
        return;
    }
    let height = (ui.available_height() - 84.0).clamp(110.0, 280.0);
    let index = state.colors.index(&trend.model);
    let with = (index, state.history.selected(), height);
    let (mut first, mut second) = (None, None);
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
    out.extend(first.or(second).map(HistoryAction::Select));
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
