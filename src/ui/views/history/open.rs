//! An opened session: a benchmark as its own page draws it, a conversation to be read.

use egui::{Align, Frame, Id, Label, Layout, RichText, ScrollArea, Ui, vec2};
use std::collections::HashSet;
use std::sync::Arc;

use super::parts::Question;
use super::parts::{dim, one_answer_ui, told};
use super::{Asked, PageOutcome, back_key};
use crate::domain::command_line;
use crate::domain::environment::Environment;
use crate::domain::history::{Exchange, SessionBody, SessionId, StoredSession};
use crate::domain::plan_fields;
use crate::domain::run::{BenchReport, EnvironmentInfo};
use crate::domain::units;
use crate::protocol::Command;
use crate::state::State;
use crate::state::action::{Action, Actions};
use crate::state::history::{Content, ContentView, HistoryAction};
use crate::ui::theme::HALF;
use crate::ui::transcript::Transcript;
use crate::ui::views::benchmark::SessionUi;
use crate::ui::views::playground::{ReadOutcome, read_ui};
use crate::ui::widgets::{
    caption, card, danger_button, empty_state, failure_box, from_right, page_head, primary_button,
    tokens,
};

/// What is chosen and unfolded in the opened session.
#[derive(Default)]
pub(super) struct OpenUi {
    /// Whose it is.
    id: Option<SessionId>,
    session: SessionUi,
    transcript: Transcript,
    unfolded: HashSet<u64>,
}

impl OpenUi {
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        state: &State,
        outcome: &mut PageOutcome,
        out: &mut Actions,
    ) -> Asked {
        let mut asked = Asked::default();
        let Some(open) = &state.history.open else {
            return asked;
        };
        if self.id.as_ref() != Some(&open.id) {
            *self = Self {
                id: Some(open.id.clone()),
                ..Self::default()
            };
        }
        page_head(ui, "History", "Session details");
        let mut back = back_key(ui);
        match &open.content {
            None => {
                back |= ui.button("Back").clicked();
                card(ui).show(ui, |ui| {
                    ui.set_min_size(ui.available_size());
                    empty_state(ui, "Reading the session…", "", ui.available_height() / 3.0);
                });
            }
            Some(Err(failure)) => {
                back |= ui.button("Back").clicked();
                failure_box(ui, "opened session", failure, None);
            }
            Some(Ok(content)) => {
                back |= head_ui(ui, &content.stored, state, (&mut asked, outcome), out);
                self.content_ui(ui, content, state, out);
            }
        }
        // A session that is continued elsewhere is closed here.
        if back || asked.benchmark || asked.playground {
            out.push(HistoryAction::Close);
        }
        self.session.work(out);
        asked
    }

    fn content_ui(&mut self, ui: &mut Ui, content: &Content, state: &State, out: &mut Actions) {
        match &content.view {
            ContentView::Bench(session) => {
                ScrollArea::vertical()
                    .id_salt("stored session")
                    .auto_shrink([false, false])
                    .show(ui, |ui| {
                        ui.set_width(ui.available_width());
                        about_ui(ui, &content.stored);
                        self.session.show(ui, session, false, &state.colors, out);
                    });
            }
            ContentView::Chat(chat, aside) => {
                about_ui(ui, &content.stored);
                if let SessionBody::Chat { exchanges, .. } = &content.stored.body {
                    one_answer_ui(ui, state, exchanges);
                }
                if *aside > 0 {
                    let them = units::counted(*aside, "answer");
                    caption(ui, format!("{them} on other branches"));
                }
                let read = card(ui).show(ui, |ui| {
                    ui.set_min_size(ui.available_size());
                    let id = Id::unique(("stored transcript", &content.stored.row.id));
                    let parts = (&mut self.transcript, &mut self.unfolded);
                    read_ui(ui, id, chat, &state.colors, parts)
                });
                let ReadOutcome { copy, step } = read.inner;
                out.extend(copy.map(|(what, text)| Command::Copy {
                    what: what.to_owned(),
                    text,
                }));
                out.extend(step.map(|(index, forward)| HistoryAction::Step(index, forward)));
            }
        }
    }
}

/// The title and what can be done; gives whether to go back.
fn head_ui(
    ui: &mut Ui,
    stored: &Arc<StoredSession>,
    state: &State,
    (asked, outcome): (&mut Asked, &mut PageOutcome),
    out: &mut Actions,
) -> bool {
    let mut back = false;
    ui.horizontal(|ui| {
        back = ui.button("Back").on_hover_text("Escape").clicked();
        let buttons = if matches!(stored.body, SessionBody::Bench { .. }) {
            330.0
        } else {
            180.0
        };
        let width = ui.available_width() - buttons;
        let text = tokens(ui).text;
        crate::ui::widgets::shortened(
            ui,
            &told(&stored.row),
            crate::ui::theme::strong_text(),
            text,
            width,
        );
        from_right(ui, |ui| match &stored.body {
            SessionBody::Bench { report, .. } => {
                let help = "Puts this plan into the Benchmark form";
                if primary_button(ui, "Run again", true)
                    .on_hover_text(help)
                    .clicked()
                {
                    let plan = Box::new(report.plan.clone());
                    out.push(Action::PlanAgain(plan, report.environment.clone()));
                    asked.benchmark = true;
                }
                if ui.button("Copy as command").clicked() {
                    let text = command_line::bench(&report.plan, &environment_of(state, report));
                    out.push(Command::Copy {
                        what: "Command".to_owned(),
                        text,
                    });
                }
                if danger_button(ui, "Delete…", true).clicked() {
                    outcome.question = Some(Question::Delete(vec![stored.row.id.clone()]));
                }
            }
            SessionBody::Chat { exchanges, .. } => {
                let readable = exchanges.iter().any(Exchange::has_texts);
                let button = primary_button(ui, "Continue", readable);
                let help = "Continue this conversation on the Playground";
                let button = button.on_hover_text(help);
                let button = button.on_disabled_hover_text(
                    "The texts of this conversation were not kept: only its figures",
                );
                if button.clicked() {
                    // What was said since the program's start is in the history, unless texts are not kept.
                    if state.panes().chat(0).turns().is_empty()
                        || state.environments.settings.history.chat_texts
                    {
                        asked.playground = go_on(state, stored, out);
                    } else {
                        outcome.question = Some(Question::Continue(Arc::clone(stored)));
                    }
                }
                if danger_button(ui, "Delete…", true).clicked() {
                    outcome.question = Some(Question::Delete(vec![stored.row.id.clone()]));
                }
            }
        });
    });
    back
}

/// Continues a conversation on the Playground, or tells why not. Gives whether it is continued.
pub(super) fn go_on(state: &State, stored: &Arc<StoredSession>, out: &mut Actions) -> bool {
    let why_not = state
        .playgrounds
        .why_not_continue(stored, &state.environments.settings);
    let can = why_not.is_none();
    out.push(match why_not {
        None => Action::Continue(Arc::clone(stored)),
        Some(failure) => Action::Tell(failure),
    });
    can
}

/// The environment a report names, or one of that name.
fn environment_of(state: &State, report: &BenchReport) -> Environment {
    let known = state
        .environments
        .settings
        .by_name(&report.environment)
        .cloned();
    known.unwrap_or_else(|| {
        Environment::blank(
            crate::domain::environment::EnvId(String::new()),
            &*report.environment,
        )
    })
}

/// The plan, what it ran on, its tags.
fn about_ui(ui: &mut Ui, stored: &StoredSession) {
    let lines = match &stored.body {
        SessionBody::Bench { report, .. } => {
            let mut lines = vec![("Plan", plan_told(report))];
            lines.push(("On", on_told(report)));
            lines.extend(
                report
                    .surroundings
                    .as_ref()
                    .map(|around| ("Cluster", around_told(around))),
            );
            let switches: Vec<String> = report
                .switches
                .iter()
                .map(|switch| match (&switch.error, switch.ttft_ms) {
                    (Some(error), _) => format!("{}: {error}", switch.model),
                    (None, Some(ms)) => format!("{} after {ms:.0} ms", switch.model),
                    (None, None) => switch.model.clone(),
                })
                .collect();
            lines.extend((!switches.is_empty()).then(|| ("Switches", switches.join(", "))));
            lines
        }
        SessionBody::Chat {
            surroundings,
            exchanges,
        } => {
            let mut lines = Vec::new();
            if let Some(last) = exchanges.last() {
                lines.push((
                    "System",
                    if last.system.is_empty() {
                        "none".to_owned()
                    } else {
                        last.system.clone()
                    },
                ));
            }
            lines.extend(
                surroundings
                    .as_ref()
                    .map(|around| ("Cluster", around_told(around))),
            );
            lines
        }
    };
    Frame::new().show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = HALF;
        let tags = stored.row.tags.join(", ");
        let lines = lines
            .into_iter()
            .chain((!tags.is_empty()).then_some(("Tags", tags)));
        for (name, text) in lines.filter(|(_, text)| !text.is_empty()) {
            ui.horizontal_top(|ui| {
                ui.allocate_ui_with_layout(
                    vec2(54.0, 14.0),
                    Layout::left_to_right(Align::Min),
                    |ui| {
                        ui.set_min_width(54.0);
                        dim(ui, name, 54.0);
                    },
                );
                ui.add(Label::new(RichText::new(&text).small()).wrap());
            });
        }
    });
}

/// A plan in a line.
fn plan_told(report: &BenchReport) -> String {
    let facts = plan_fields::facts(report)
        .into_iter()
        .map(|(name, words)| format!("{name}: {words}"));
    facts.collect::<Vec<_>>().join(" · ")
}

fn on_told(report: &BenchReport) -> String {
    let mut parts = vec![report.environment.clone(), report.api.clone()];
    parts.push(match report.machine.told() {
        Some(machine) => format!("measured on {machine}"),
        None => "machine unknown".to_owned(),
    });
    parts.push(format!("by {}", report.measured_by()));
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}

fn around_told(around: &EnvironmentInfo) -> String {
    let mut parts = Vec::new();
    parts.extend(
        around
            .sambastack
            .as_ref()
            .map(|version| format!("SambaStack {version}")),
    );
    parts.extend(
        around
            .kubernetes
            .as_ref()
            .map(|version| format!("Kubernetes {version}")),
    );
    parts.extend(
        around
            .kubectl
            .as_ref()
            .map(|version| format!("kubectl {version}")),
    );
    for deployment in &around.deployments {
        let bundle = deployment
            .bundle
            .as_ref()
            .map(|bundle| format!(" of {bundle}"))
            .unwrap_or_default();
        parts.push(format!("{} {}{bundle}", deployment.kind, deployment.name));
    }
    parts.join(" · ")
}
