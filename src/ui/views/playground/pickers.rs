//! Whom the panes ask: the row above them, and the pickers in each pane's header.

use std::time::Duration;

use egui::{Button, Popup, TextStyle, Ui, vec2};

use super::PlaygroundOutcome;
use super::rows::PaneOutcome;
use super::status::{freshness_ui, troubles_ui};
use crate::state::State;
use crate::state::action::Actions;
use crate::state::cluster::ClusterState;
use crate::state::panes::{MAX_PANES, PaneAction};
use crate::ui::theme::GAP;
use crate::ui::views::deployments::{NO_DEPLOYMENT, deployment_sections};
use crate::ui::views::waiting::waiting_ui;
use crate::ui::widgets::{
    Choice, Section, Sign, danger_button, from_right, picker, picker_may_open, shortened, tokens,
};

/// Picks no deployment.
/// In a narrower picker fewer than 18 characters of a name are left.
const MIN_PICKER: f32 = 204.0;
/// No name needs a wider one.
const MAX_PICKER: f32 = 420.0;

/// Whether all buttons have room in the row above the panes; there are more of them with several panes.
pub(super) fn is_wide(width: f32, several: bool) -> bool {
    width > if several { 800.0 } else { 620.0 }
}

/// How fresh what the active pane asks is, with the buttons for all panes. `beside`: the figures are beside the panes.
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
    let env = &state.panes().active_pane().env;
    // Room for the wider of the two labels, so that nothing moves when it changes.
    let buttons = match (wide, several) {
        (true, true) => 482.0,
        (true, false) => 310.0,
        (false, _) => 190.0,
    };
    ui.horizontal(|ui| {
        ui.set_height(30.0);
        if hidden {
            let told = "Models are revealed after you vote";
            let (width, text) = (ui.available_width() - buttons, tokens(ui).text);
            shortened(ui, told, TextStyle::Body, text, width);
        } else {
            freshness_ui(ui, state, (env, buttons, !wide), now, out);
        }
        from_right(ui, |ui| {
            if wide {
                compare_ui(ui, state, beside, &mut asked, out);
            }
            buttons_ui(ui, state, &mut asked, out);
        });
    });
    if !hidden {
        waiting_ui(ui, state, env, out);
        troubles_ui(ui, state, env, now, out);
    }
    asked
}

/// What a pane picks.
#[derive(Clone, Copy)]
enum Picks {
    Environment,
    Deployment,
    Model,
}

/// What is drawn at the right of the last picker.
type Last<'a> = &'a mut dyn FnMut(&mut Ui, &mut PaneOutcome);

/// A pane's pickers, beside each other where each has the room that a name needs. `last`: with its width.
pub(super) fn pane_ui(
    ui: &mut Ui,
    state: &State,
    index: usize,
    todo: &mut PaneOutcome,
    mut last: Option<(f32, Last<'_>)>,
) {
    let several = state.panes().count() > 1;
    let env = state
        .environments
        .settings
        .get(&state.panes().get(index).env);
    let mut picks = Vec::new();
    if several && state.environments.settings.environments.len() > 1 {
        picks.push(Picks::Environment);
    }
    if env.is_some_and(|env| env.cluster.is_some()) {
        picks.push(Picks::Deployment);
    }
    picks.push(Picks::Model);
    let gap = GAP;
    let beside = last.as_ref().map_or(0.0, |(width, _)| width + gap);
    let room = ui.available_width() - beside;
    let columns = ((room + gap) / (MIN_PICKER + gap)).floor();
    let columns = (columns as usize).clamp(1, picks.len());
    let rows = picks.chunks(columns);
    let end = rows.len() - 1;
    for (row, picks) in rows.enumerate() {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = gap;
            let room = ui.available_width() - if row == end { beside } else { 0.0 };
            let gaps = gap * (picks.len() - 1) as f32;
            let width = ((room - gaps) / picks.len() as f32).floor().min(MAX_PICKER);
            for pick in picks {
                let asks = match pick {
                    Picks::Environment => env_ui(ui, state, index, width),
                    Picks::Deployment => deployment_ui(ui, state, index, width),
                    Picks::Model => model_ui(ui, state, index, width),
                };
                todo.refocus |= asks.is_some();
                todo.asks.extend(asks);
            }
            if let Some((_, last)) = last.take_if(|_| row == end) {
                from_right(ui, |ui| last(ui, todo));
            }
        });
    }
}

/// What a pane's picker is called: with several panes each has its own.
fn label(state: &State, index: usize, what: &str) -> String {
    if state.panes().count() > 1 {
        format!("{what} of pane {}", index + 1)
    } else {
        what.to_owned()
    }
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
    let more = more.on_hover_text(help).on_disabled_hover_text(most);
    if state.panes().active_pane().chat.turns().is_empty() {
        asked.add = asked.add.or(more.clicked().then_some(false));
    } else {
        let menu = Popup::menu(&more).accessible_name("The new pane's conversation");
        menu.show(|ui| {
            let copies = "The new pane continues from the answers that are there";
            let copy = ui.button("Copy the conversation").on_hover_text(copies);
            let empty = ui.button("Start empty");
            let copy = copy.clicked().then_some(true);
            asked.add = asked.add.or(copy).or(empty.clicked().then_some(false));
        });
    }
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

fn env_ui(ui: &mut Ui, state: &State, index: usize, width: f32) -> Option<PaneAction> {
    let picked = &state.panes().get(index).env;
    let environments = &state.environments.settings.environments;
    let choices = environments
        .iter()
        .map(|env| Choice::plain(&env.name))
        .collect();
    let section = Section {
        heading: "",
        choices,
    };
    let name = state
        .environments
        .settings
        .get(picked)
        .map(|env| env.name.as_str());
    let label = label(state, index, "Environment");
    let sections = [section];
    let shown = ui.add_enabled_ui(index > 0, |ui| {
        picker(ui, &label, name, None, width, &sections)
    });
    if index == 0 {
        let why = "The first pane asks the environment that the window is on";
        shown.response.on_hover_text(why);
    }
    let chosen = shown.inner?;
    let env = environments.iter().find(|env| env.name == chosen)?;
    Some(PaneAction::PickEnv(index, env.id.clone()))
}

fn deployment_ui(ui: &mut Ui, state: &State, index: usize, width: f32) -> Option<PaneAction> {
    let choice = &state.panes().get(index).choice;
    let none = ClusterState::default();
    let cluster = state.pane_targets().of(index).cluster.unwrap_or(&none);
    let sign = cluster
        .deployment_of(choice)
        .map(|deployment| Sign::Health(cluster.health(deployment)));
    let label = label(state, index, "Deployment");
    let sections = if picker_may_open(ui, &label) {
        deployment_sections(cluster)
    } else {
        Vec::new()
    };
    // A model of the API alone has none, whether that was picked or not.
    let alone = choice.model.is_some().then_some(NO_DEPLOYMENT);
    let shown = choice.deployment.as_deref().or(alone);
    let name = picker(ui, &label, shown, sign, width, &sections)?;
    let name = Some(name).filter(|name| name != NO_DEPLOYMENT);
    Some(PaneAction::PickDeployment(index, name))
}

/// Offers the models of the deployment that is picked; those of the API where none is.
fn model_ui(ui: &mut Ui, state: &State, index: usize, width: f32) -> Option<PaneAction> {
    let tokens = tokens(ui);
    let color = state
        .panes()
        .name(index)
        .map(|name| Sign::Dot(tokens.model_color(state.colors.index(&name))));
    let choice = &state.panes().get(index).choice;
    let label = label(state, index, "Model");
    let open = picker_may_open(ui, &label);
    let cluster = state.pane_targets().of(index).cluster.filter(|_| open);
    let offers = cluster.map(|cluster| cluster.offers_of(choice));
    let choices = offers.iter().flatten().map(|offer| Choice {
        name: &offer.name,
        remark: offer.remark.clone(),
        sign: None,
        enabled: offer.selectable,
    });
    let section = Section {
        heading: if choice.deployment.is_some() {
            "In this deployment"
        } else {
            "Models on this API"
        },
        choices: choices.collect(),
    };
    let name = picker(
        ui,
        &label,
        choice.model.as_deref(),
        color,
        width,
        &[section],
    )?;
    Some(PaneAction::PickModel(index, name))
}

fn buttons_ui(ui: &mut Ui, state: &State, asked: &mut PlaygroundOutcome, out: &mut Actions) {
    let size = vec2(0.0, 30.0);
    let hidden = state.panes().names_hidden();
    let code = ui.add_enabled(!hidden, Button::new("View code").min_size(size));
    if code
        .on_hover_text("Show this request in cURL, Python, TypeScript or Rust")
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
        ui.spacing_mut().interact_size.y = size.y;
        let clear = danger_button(ui, "Clear", can);
        if clear
            .on_hover_text("Start a new conversation; charts are kept")
            .clicked()
        {
            out.push(PaneAction::Clear);
            asked.refocus = true;
        }
    }
}
