//! The row above the chat: deployment, model, and how fresh what they offer is.

use std::time::Duration;

use egui::{Button, Label, Ui, vec2};

use super::PlaygroundOutcome;
use super::status::{freshness_ui, troubles_ui};
use crate::domain::deployment::{Deployment, DeploymentState};
use crate::domain::printable;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::cluster::{ClusterState, ModelOffer};
use crate::state::panes::{MAX_PANES, PaneAction};
use crate::ui::theme::Tokens;
use crate::ui::views::waiting::waiting_ui;
use crate::ui::widgets::{Choice, Section, caption, from_right, picker, picker_id, tokens};

/// Whether the buttons have room beside the pickers; there are more of them with several panes.
pub(super) fn is_wide(width: f32, several: bool) -> bool {
    width > if several { 790.0 } else { 620.0 }
}

/// `beside`: the figures are beside the panes.
pub(super) fn show(
    ui: &mut Ui,
    state: &State,
    beside: bool,
    now: Duration,
    out: &mut Actions,
) -> PlaygroundOutcome {
    let mut asked = PlaygroundOutcome::default();
    let several = state.panes().count() > 1;
    let wide = is_wide(ui.available_width(), several);
    let hidden = state.panes().names_hidden();
    // Room for the wider of the two labels, so that nothing moves when it changes.
    let buttons = if wide {
        310.0 + if several { 172.0 } else { 0.0 }
    } else {
        0.0
    };
    let index = state.panes().active();
    let env = &state.panes().get(index).env;
    let has_cluster = state
        .settings
        .get(env)
        .is_some_and(|env| env.cluster.is_some());
    let has_env = index > 0 && state.settings.environments.len() > 1;
    ui.horizontal_top(|ui| {
        let width = ui.available_width() - buttons - if wide { 8.0 } else { 0.0 };
        if hidden {
            ui.vertical(|ui| {
                ui.set_width(width);
                caption(ui, "Blind vote");
                ui.horizontal(|ui| {
                    ui.set_height(30.0);
                    ui.add(Label::new("Models are revealed after you vote").truncate());
                });
            });
        } else {
            pick_ui(
                ui,
                state,
                index,
                width,
                (has_env, has_cluster),
                (&mut asked, out),
            );
        }
        if wide {
            ui.vertical(|ui| {
                caption(ui, "");
                ui.horizontal(|ui| {
                    compare_ui(ui, state, beside, &mut asked, out);
                    buttons_ui(ui, state, &mut asked, out);
                });
            });
        }
    });
    ui.horizontal(|ui| {
        let others = match (wide, state.panes().can_undo_clear() && !hidden) {
            (true, _) => 0.0,
            (false, true) => 190.0,
            (false, false) => 154.0,
        };
        freshness_ui(ui, state, (env, others), now, out);
        if !wide {
            from_right(ui, |ui| buttons_ui(ui, state, &mut asked, out));
        }
    });
    if !hidden {
        waiting_ui(ui, state, env, out);
        troubles_ui(ui, state, env, now, out);
    }
    asked
}

/// The pickers of a pane.
fn pick_ui(
    ui: &mut Ui,
    state: &State,
    index: usize,
    width: f32,
    (has_env, has_cluster): (bool, bool),
    (asked, out): (&mut PlaygroundOutcome, &mut Actions),
) {
    let env_width = if has_env { (width * 0.28).floor() } else { 0.0 };
    let width = width - if has_env { env_width + 8.0 } else { 0.0 };
    let (first, second) = if has_cluster {
        (width * 0.54, width * 0.46 - 8.0)
    } else {
        (0.0, width)
    };
    if has_env {
        asked.refocus |= ui
            .vertical(|ui| env_ui(ui, state, index, env_width, out))
            .inner;
    }
    if has_cluster {
        asked.refocus |= ui
            .vertical(|ui| deployment_ui(ui, state, index, first, out))
            .inner;
    }
    asked.refocus |= ui
        .vertical(|ui| model_ui(ui, state, index, second, out))
        .inner;
}

/// Another pane; and with several, whether the figures are beside them.
pub(super) fn compare_ui(
    ui: &mut Ui,
    state: &State,
    beside: bool,
    asked: &mut PlaygroundOutcome,
    out: &mut Actions,
) {
    let size = vec2(0.0, 30.0);
    let panes = state.panes().count();
    let blind = state.panes().blind().is_some();
    let more = ui.add_enabled(
        panes < MAX_PANES && !blind,
        Button::new("+ Compare").min_size(size),
    );
    let help = "Add a pane with its own model";
    let most = if blind {
        "End the blind vote first"
    } else {
        "Four panes are the most; close one first"
    };
    asked.compare |= more
        .on_hover_text(help)
        .on_disabled_hover_text(most)
        .clicked();
    if panes > 1 {
        let figures = ui.add(Button::new("Figures").min_size(size).selected(beside));
        asked.figures |= figures
            .on_hover_text("Show the figures beside the panes")
            .clicked();
        let idle = state.panes().answering().is_empty();
        let button = ui.add_enabled(
            idle,
            Button::new("Blind vote").min_size(size).selected(blind),
        );
        let help = "Start new conversations in random order, with the models hidden until you vote for the best answer";
        if button.on_hover_text(help).clicked() {
            asked.refocus = true;
            out.push(if blind {
                PaneAction::EndBlind
            } else {
                PaneAction::BeginBlind
            });
        }
    }
}

/// Gives whether another environment was picked.
fn env_ui(ui: &mut Ui, state: &State, index: usize, width: f32, out: &mut Actions) -> bool {
    caption(ui, "Environment");
    let picked = &state.panes().get(index).env;
    let environments = &state.settings.environments;
    let choices = environments
        .iter()
        .map(|env| Choice::plain(&env.name))
        .collect();
    let name = environments
        .iter()
        .find(|env| env.id == *picked)
        .map(|env| env.name.as_str());
    let chosen = picker(
        ui,
        "Environment",
        name,
        None,
        width,
        &[Section {
            heading: "",
            choices,
        }],
    );
    let env = chosen.and_then(|name| environments.iter().find(|env| env.name == name));
    if let Some(env) = env {
        out.push(PaneAction::PickEnv(index, env.id.clone()));
    }
    env.is_some()
}

/// Gives whether another deployment was picked.
fn deployment_ui(ui: &mut Ui, state: &State, index: usize, width: f32, out: &mut Actions) -> bool {
    caption(ui, "Deployment");
    let tokens = tokens(ui);
    let choice = &state.panes().get(index).choice;
    let none = ClusterState::default();
    let cluster = state.pane_cluster(index).unwrap_or(&none);
    let color = cluster
        .deployment_of(choice)
        .map(|deployment| tokens.deployment(deployment));
    let all = cluster
        .view
        .value()
        .map(|view| view.deployments.as_slice())
        .unwrap_or_default();
    let (may_answer, others): (Vec<_>, Vec<_>) =
        all.iter().partition(|deployment| deployment.may_answer());
    let (deployed, unknown): (Vec<_>, Vec<_>) = may_answer
        .into_iter()
        .partition(|deployment| deployment.state == DeploymentState::Deployed);
    let sections = [
        Section {
            heading: "Deployed",
            choices: choices_of(&deployed, true, tokens),
        },
        Section {
            heading: "State unknown",
            choices: choices_of(&unknown, true, tokens),
        },
        Section {
            heading: "Not ready",
            choices: choices_of(&others, false, tokens),
        },
    ];
    let chosen = picker(
        ui,
        "Deployment",
        choice.deployment.as_deref(),
        color,
        width,
        &sections,
    );
    let is_chosen = chosen.is_some();
    out.extend(chosen.map(|name| PaneAction::PickDeployment(index, name)));
    is_chosen
}

fn choices_of<'a>(list: &[&'a Deployment], enabled: bool, tokens: &Tokens) -> Vec<Choice<'a>> {
    let choice = |deployment: &&'a Deployment| choice_of(deployment, enabled, tokens);
    list.iter().map(choice).collect()
}

fn choice_of<'a>(deployment: &'a Deployment, enabled: bool, tokens: &Tokens) -> Choice<'a> {
    let why = printable::cut(&deployment.why(), 300).into_owned();
    let label = deployment.state.label();
    let remark = match enabled {
        true if why == label => None,
        true => Some(why),
        false if why == label => Some(why),
        false => Some(format!("{label}: {why}")),
    };
    Choice {
        name: &deployment.name,
        remark,
        dot: Some(tokens.deployment(deployment)),
        enabled,
    }
}

/// Models that are cheap to list in every frame.
const MANY: usize = 2_000;

/// Gives whether another model was picked.
fn model_ui(ui: &mut Ui, state: &State, index: usize, width: f32, out: &mut Actions) -> bool {
    caption(ui, "Model");
    let tokens = tokens(ui);
    let color = state
        .panes()
        .name(index)
        .map(|name| tokens.model_color(state.colors.index(&name)));
    let choice = &state.panes().get(index).choice;
    // A list of very many is put together only while it is open, or may be about to open.
    let open = egui::Popup::is_id_open(ui.ctx(), picker_id(ui, "Model"))
        || ui.input(|input| {
            !input
                .events
                .iter()
                .all(|event| matches!(event, egui::Event::PointerMoved(_)))
        });
    let offers = state
        .pane_cluster(index)
        .filter(|cluster| {
            open || cluster
                .api_models
                .value()
                .is_none_or(|all| all.len() < MANY)
        })
        .map(|cluster| cluster.offers_of(choice))
        .unwrap_or_default();
    fn lines(list: &[ModelOffer]) -> Vec<Choice<'_>> {
        list.iter()
            .map(|offer| Choice {
                name: &offer.name,
                remark: offer.remark.clone(),
                dot: None,
                enabled: offer.selectable,
            })
            .collect()
    }
    let of_deployment = choice.deployment.is_some();
    let sections = [
        Section {
            heading: "In this deployment",
            choices: lines(&offers.deployed),
        },
        Section {
            heading: if of_deployment {
                "Other models on this API"
            } else {
                "Models on this API"
            },
            choices: lines(&offers.others),
        },
    ];
    let chosen = picker(
        ui,
        "Model",
        choice.model.as_deref(),
        color,
        width,
        &sections,
    );
    let is_chosen = chosen.is_some();
    out.extend(chosen.map(|name| PaneAction::PickModel(index, name)));
    is_chosen
}

fn buttons_ui(ui: &mut Ui, state: &State, asked: &mut PlaygroundOutcome, out: &mut Actions) {
    let size = vec2(0.0, 30.0);
    let hidden = state.panes().names_hidden();
    let code = ui.add_enabled(!hidden, Button::new("View code").min_size(size));
    if code
        .on_hover_text("Show this request in cURL, Python or Rust")
        .clicked()
    {
        asked.view_code = true;
    }
    // In a blind vote, undoing would bring back conversations that name their models.
    if state.panes().can_undo_clear() && !hidden {
        if ui.add(Button::new("Undo clear").min_size(size)).clicked() {
            out.push(PaneAction::UndoClear);
            asked.refocus = true;
        }
    } else {
        let can = state.panes().can_clear();
        let clear = ui.add_enabled(can, Button::new("Clear").min_size(size));
        if clear
            .on_hover_text("Start a new conversation; charts are kept")
            .clicked()
        {
            out.push(PaneAction::Clear);
            asked.refocus = true;
        }
    }
}
