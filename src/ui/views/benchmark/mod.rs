//! The Benchmark page: a form on the left, and on the right the session under way or the last one.

mod charts;
mod draft;
mod fields;
mod figures;
mod foot;
mod form;
mod live;
mod remarks;
mod table;
mod tiles;

use std::collections::HashMap;
use std::time::Duration;

use egui::{ScrollArea, Ui, vec2};
use jiff::Timestamp;

use crate::chart::levels::Timing;
use crate::domain::environment::EnvId;
use crate::domain::history::SessionId;
use crate::domain::run::{self, LevelReport, known};
use crate::export;
use crate::protocol::Command;
use crate::state::action::Actions;
use crate::state::bench::Session;
use crate::state::history::{Clock, headline};
use crate::state::{ModelColors, State};
use crate::ui::picture::Photographer;
use crate::ui::theme::PAD;
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
    level: LevelChoice,
    photographer: Photographer,
}

/// The level whose figures and distribution are shown; `None` follows the session.
#[derive(Default)]
struct LevelChoice(Option<usize>);

impl LevelChoice {
    /// Its index; `None` while there is no level.
    fn shown(&self, session: &Session) -> Option<usize> {
        self.of(session).map(|level| level.index)
    }

    /// The level itself.
    fn of<'a>(&self, session: &'a Session) -> Option<&'a LevelReport> {
        let chosen = self
            .0
            .and_then(|level| session.levels.iter().find(|report| report.index == level));
        chosen.or(session.current())
    }

    /// Shows this level. Who chooses the one under way follows the session.
    fn choose(&mut self, level: usize, session: &Session) {
        let current = session.current().map(|level| level.index);
        self.0 = Some(level).filter(|level| Some(*level) != current);
    }

    /// Shows the level so many rows below, and gives its index.
    fn step(&mut self, by: isize, session: &Session) -> Option<usize> {
        let levels = run::shown(&session.plan, &session.levels);
        let shown = self.shown(session)?;
        let at = levels.iter().position(|level| level.index == shown)?;
        let next = levels.get(at.checked_add_signed(by)?)?.index;
        self.choose(next, session);
        Some(next)
    }
}

/// Lower than this, the page leaves out what is on hover as well, so that a chart is seen without scrolling.
const LOW: f32 = 640.0;

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
        let models = session.plan.targets.iter().map(|it| it.model.as_str());
        self.photographer.of(models, began(session));
        let compact = ui.clip_rect().height() < LOW;
        live::show(ui, session, elsewhere, compact, out);
        let level = self.level.of(session);
        if let Some(level) = level {
            remarks::show(ui, session, level);
        }
        tiles::show(ui, session, level, compact);
        if let Some(level) = level {
            remarks::below_ui(ui, level, compact);
        }
        table::show(ui, session, colors, &mut self.level, compact, out);
        charts::show(ui, self, session, colors, compact);
        if !session.flights.is_empty() {
            charts::timeline_ui(ui, &mut self.photographer, session);
        }
    }

    /// Takes the pictures that were asked for; called once a frame, after all is drawn.
    pub(super) fn work(&mut self, out: &mut Actions) {
        self.photographer.work(out);
    }
}

/// When a session that has ended began.
fn began(session: &Session) -> Option<Timestamp> {
    let report = session.outcome.as_ref()?.as_ref().ok()?;
    known::moment(report.started_at)
}

/// The name of a file with something of a session, without its ending.
fn file_named(session: &Session, what: &str) -> String {
    let models = session.plan.targets.iter().map(|it| it.model.clone());
    let began = began(session).unwrap_or_else(crate::engine::clock);
    export::file_named(&models.collect::<Vec<_>>(), what, began)
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
        self.session.work(&mut actions);
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
        let gap = PAD;
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
