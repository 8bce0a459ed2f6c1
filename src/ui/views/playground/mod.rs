//! The Playground: pick a deployment and a model, chat, and read how fast it answers.

mod composer;
mod conversation;
mod figures;
mod parameters;
mod pickers;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use egui::{Align, Layout, Ui, vec2};

pub(super) use self::conversation::read_ui;
use self::parameters::ParametersUi;
use crate::domain::environment::EnvId;
use crate::protocol::{Command, JobId};
use crate::state::State;
use crate::state::chat::Asking;
use crate::ui::transcript::Transcript;
use crate::ui::widgets::{column, page_head};

/// What is open, folded and hidden on the page.
#[derive(Default)]
pub struct PlaygroundUi {
    /// By environment, so that each keeps its place.
    transcripts: HashMap<EnvId, Transcript>,
    /// Turns whose reasoning is unfolded, by environment.
    unfolded: HashMap<EnvId, HashSet<u64>>,
    parameters: ParametersUi,
    /// Models that the legend switched off.
    hidden: Vec<String>,
    /// The page was drawn before since it was gone to.
    arrived: bool,
}

/// What the page asks of the window.
#[derive(Debug, Default, Clone, Copy)]
pub struct Asked {
    /// Open View code.
    pub view_code: bool,
    /// Go to Home.
    pub go_home: bool,
    /// Something was picked or cleared: one can type on.
    pub refocus: bool,
}

impl PlaygroundUi {
    /// The page is gone to: one can type at once.
    pub fn arrive(&mut self) {
        self.arrived = false;
    }

    /// Draws the page.
    pub fn show(&mut self, ui: &mut Ui, state: &mut State, now: Duration, out: &mut Vec<Command>) -> Asked {
        let mut asked = Asked::default();
        if let Some(model) = state.place().cluster.choice.model.clone() {
            state.colors.note(&model);
        }
        page_head(ui, "Playground", "Chat with a deployed model and see how fast it answers");
        let (width, height) = (ui.available_width(), ui.available_height());
        let gap = 14.0;
        let right = (width * 0.3).clamp(282.0, 360.0);
        let left = width - right - gap;
        ui.spacing_mut().item_spacing.x = gap;
        ui.horizontal_top(|ui| {
            column(ui, vec2(left, height), |ui| self.chat_ui(ui, state, now, out, &mut asked));
            column(ui, vec2(right, height), |ui| {
                figures::show(ui, state, &mut self.hidden, out);
            });
        });
        asked
    }

    fn chat_ui(
        &mut self,
        ui: &mut Ui,
        state: &mut State,
        now: Duration,
        out: &mut Vec<Command>,
        asked: &mut Asked,
    ) {
        let from_pickers = pickers::show(ui, state, now, out);
        asked.view_code = from_pickers.view_code;
        asked.go_home = from_pickers.go_home;
        asked.refocus = from_pickers.refocus;
        let env = state.env().id.clone();
        let composer = composer::height(ui);
        let size = vec2(ui.available_width(), (ui.available_height() - composer - 10.0).max(80.0));
        let mut todo = conversation::Todo::default();
        ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| {
            let transcript = self.transcripts.entry(env.clone()).or_default();
            let unfolded = self.unfolded.entry(env.clone()).or_default();
            todo = conversation::show(ui, state, &mut self.parameters, transcript, unfolded, now);
        });
        let sent = composer::show(ui, state, now, out);
        if !self.arrived {
            self.arrived = true;
            composer::focus(ui);
        }
        if let Some(text) = todo.copy {
            out.push(Command::Copy { what: "Answer".to_owned(), text });
        }
        if todo.retry {
            asked.refocus = true;
            let (model, deployment) = asked_of(state);
            let job = state.next_job();
            let place = state.env().clone();
            if let Some(model) = model {
                let asking = Asking { job, model: &model, deployment: deployment.as_deref(), now };
                let request = state.place().chat.retry(&asking);
                let filing = state.place().chat.filing();
                out.extend(request.map(|request| Command::Chat {
                    job,
                    place,
                    request: Box::new(request),
                    filing,
                }));
            }
        }
        if sent || todo.retry {
            self.transcripts.entry(env).or_default().jump_to_latest();
        }
    }
}

/// The model in use from now on, and the deployment if the model is one of its own.
fn asked_of(state: &mut State) -> (Option<String>, Option<String>) {
    let cluster = &state.place().cluster;
    let model = cluster.choice.model.clone();
    let deployment = cluster
        .deployment()
        .filter(|deployment| deployment.models.iter().any(|m| Some(&m.serving_name) == model.as_ref()))
        .map(|deployment| deployment.name.clone());
    (model, deployment)
}

/// Ends an answer at once.
fn stop(job: JobId, out: &mut Vec<Command>) {
    out.push(Command::Cancel { job });
}
