//! The Benchmark page: a form on the left, and on the right the session under way or the last one.

mod charts;
mod draft;
mod fields;
mod figures;
mod form;
mod live;
mod table;

use std::collections::HashMap;
use std::time::Duration;

use egui::{ScrollArea, Ui, vec2};

use crate::chart::levels::Timing;
use crate::domain::environment::EnvId;
use crate::domain::history::SessionId;
use crate::protocol::Command;
use crate::state::action::Actions;
use crate::state::bench::Session;
use crate::state::history::{Clock, headline};
use crate::state::{ModelColors, State};
use crate::ui::picture::Photographer;
use crate::ui::widgets::{caption, card, column, empty_state, page_head, small_button, strong};

/// What is chosen and open on the page. Nothing of the session: that is the state's.
#[derive(Default)]
pub struct BenchmarkUi {
    forms: HashMap<EnvId, (form::FormUi, draft::Draft)>,
    session: SessionUi,
}

/// What is chosen in a session's charts and table, of the one under way as of one out of the history.
#[derive(Default)]
pub(super) struct SessionUi {
    /// Which distribution is shown.
    shown: Timing,
    /// The level whose distribution is shown; `None` follows the session.
    level: Option<usize>,
    photographer: Photographer,
}

impl SessionUi {
    /// Draws how far it is, its charts and its table. `elsewhere`: of another environment than the one in use.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        session: &Session,
        elsewhere: bool,
        colors: &ModelColors,
        out: &mut Actions,
    ) {
        if self
            .level
            .is_some_and(|level| session.levels.iter().all(|report| report.index != level))
        {
            self.level = None;
        }
        live::show(ui, session, self.level, elsewhere, out);
        charts::show(ui, self, session, colors);
        table::show(ui, session, colors, &mut self.level, out);
        if !session.flights.is_empty() {
            charts::timeline_ui(ui, &mut self.photographer, session);
        }
    }

    /// Takes the pictures that were asked for; called once a frame, after all is drawn.
    pub(super) fn work(&mut self, ui: &Ui, now: Duration, out: &mut Actions) {
        self.photographer.work(ui.ctx(), now, out);
    }
}

/// What the page asks of the window.
#[derive(Debug, Default, Clone)]
pub struct Asked {
    /// Show the comparison of these sessions, the baseline first.
    pub compare: Option<Vec<SessionId>>,
}

impl BenchmarkUi {
    /// Draws the page.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        state: &mut State,
        now: Duration,
        out: &mut Vec<Command>,
    ) -> Asked {
        let mut actions = Actions::default();
        let asked = self.page_ui(ui, state, &mut actions);
        self.session.work(ui, now, &mut actions);
        let clock = Clock {
            now,
            today: crate::engine::clock(),
        };
        crate::ui::perform(ui.ctx(), actions, state, clock, out);
        asked
    }

    fn page_ui(&mut self, ui: &mut Ui, state: &State, out: &mut Actions) -> Asked {
        let mut asked = Asked::default();
        page_head(
            ui,
            "Benchmark",
            "Load a deployed model and watch TTFT, inter-token latency and throughput live",
        );
        let (width, height) = (ui.available_width(), ui.available_height());
        let gap = 14.0;
        let left = if width < 900.0 { 232.0 } else { 268.0 };
        ui.spacing_mut().item_spacing.x = gap;
        ui.horizontal_top(|ui| {
            column(ui, vec2(left, height), |ui| {
                let (form_ui, draft) = self.forms.entry(state.env().id.clone()).or_default();
                form::show(ui, form_ui, draft, state, out);
            });
            column(ui, vec2(width - left - gap, height), |ui| {
                ScrollArea::vertical()
                    .id_salt("session")
                    .auto_shrink([false, false])
                    .show(ui, |ui| {
                        ui.set_width(ui.available_width());
                        self.session_ui(ui, state, &mut asked, out);
                    });
            });
        });
        asked
    }

    fn session_ui(&mut self, ui: &mut Ui, state: &State, asked: &mut Asked, out: &mut Actions) {
        let Some(session) = &state.bench.session else {
            card(ui).show(ui, |ui| {
                ui.set_min_size(vec2(ui.available_width(), ui.available_height()));
                empty_state(
                    ui,
                    "No session yet",
                    "Choose a model and a load, then Run benchmark: its figures, charts and levels come here \
                     while it runs, and stay until the next one",
                    (ui.available_height() / 3.0).max(40.0),
                );
            });
            return;
        };
        let elsewhere = state.env().id != session.env;
        if let Some(comparison) = &session.held {
            card(ui).show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.horizontal_wrapped(|ui| {
                    let baseline = comparison.labels.first().map_or("", String::as_str);
                    strong(ui, format!("Against the baseline {baseline}"));
                    caption(ui, headline(comparison));
                    if small_button(ui, "See the comparison").clicked() {
                        let ids = comparison.sessions.iter().cloned().map(SessionId).collect();
                        asked.compare = Some(ids);
                    }
                });
            });
        }
        self.session
            .show(ui, session, elsewhere, &state.colors, out);
    }
}
