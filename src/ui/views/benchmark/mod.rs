//! The Benchmark page: a form on the left, and on the right the session under way or the last one.

mod charts;
mod form;
mod live;
mod picture;
mod table;

use std::collections::HashMap;
use std::time::Duration;

use egui::{ScrollArea, Ui, vec2};

use self::charts::Shown;
use self::picture::Photographer;
use crate::domain::environment::EnvId;
use crate::protocol::Command;
use crate::state::State;
use crate::ui::widgets::{card, column, empty_state, page_head};

/// What is chosen and open on the page. Nothing of the session: that is the state's.
#[derive(Default)]
pub struct BenchmarkUi {
    forms: HashMap<EnvId, form::FormUi>,
    /// Which distribution is shown.
    shown: Shown,
    /// The level whose distribution is shown; `None` follows the session.
    level: Option<usize>,
    photographer: Photographer,
}

impl BenchmarkUi {
    /// Draws the page.
    pub fn show(&mut self, ui: &mut Ui, state: &mut State, now: Duration, out: &mut Vec<Command>) {
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
                let form = self.forms.entry(state.env().id.clone()).or_default();
                form::show(ui, form, state, out);
            });
            column(ui, vec2(width - left - gap, height), |ui| {
                ScrollArea::vertical().id_salt("session").auto_shrink([false, false]).show(ui, |ui| {
                    ui.set_width(ui.available_width());
                    self.session_ui(ui, state, out);
                });
            });
        });
        self.photographer.work(ui.ctx(), state, now, out);
    }

    fn session_ui(&mut self, ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
        let Some(session) = &state.bench.session else {
            card(ui).show(ui, |ui| {
                ui.set_min_size(vec2(ui.available_width(), ui.available_height() - 4.0));
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
        if self.level.is_some_and(|level| session.levels.iter().all(|report| report.index != level)) {
            self.level = None;
        }
        let elsewhere = state.env().id != session.env;
        live::show(ui, session, elsewhere, out);
        charts::show(ui, self, session, &state.colors);
        table::show(ui, session, &state.colors, &mut self.level, out);
        if !session.flights.is_empty() {
            charts::timeline_ui(ui, &mut self.photographer, session);
        }
    }
}
