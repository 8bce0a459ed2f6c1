//! A pane with its conversation: its head, its parameters, and the turns as rows of a transcript.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use egui::{Button, Color32, Id, Key, Modifiers, Rect, RichText, Role, Stroke, Ui, WidgetInfo};

use super::conversations;
use super::embed;
use super::parameters::ParametersUi;
use super::pickers;
use super::rows::{PaneOutcome, Part, Rows, TurnStyle};
use crate::state::chat::{Act, ChatState};
use crate::state::panes::{Fastest, PaneAction};
use crate::state::{self, ModelColors, State};
use crate::ui::theme::{self, GRID};
use crate::ui::transcript::Transcript;
use crate::ui::widgets::{
    card, dot, empty_state, from_right, shortened, small_button, small_button_if, tokens,
};

/// A pane as it is drawn in this frame.
pub(super) struct Pane<'a> {
    /// From 0.
    pub(super) index: usize,
    /// Whom it asks, and its conversation.
    pub(super) pane: &'a state::panes::Pane,
    /// Its model; in a blind vote what stands for it.
    pub(super) name: Option<String>,
    /// There are others beside it.
    pub(super) several: bool,
    /// Conversations open in it, and the keys scroll it.
    pub(super) active: bool,
    /// A blind vote is on: colours and models are hidden.
    pub(super) hidden: bool,
    /// The turns that were the fastest of all panes.
    pub(super) fastest: &'a HashMap<u64, Fastest>,
}

/// The scroll position and the folds of a pane.
#[derive(Default)]
pub(super) struct PaneUi {
    pub(super) transcript: Transcript,
    /// Turns whose reasoning is unfolded; and with the bit `RAW` of `rows`, those whose JSON is shown as it came.
    unfolded: HashSet<u64>,
}

pub(super) fn show(
    ui: &mut Ui,
    state: &State,
    pane: &Pane<'_>,
    parameters: &mut ParametersUi,
    open: &mut PaneUi,
    now: Duration,
) -> PaneOutcome {
    let stroke = if pane.several && pane.active {
        Stroke::new(1.0, tokens(ui).accent)
    } else {
        Stroke::new(1.0, tokens(ui).line)
    };
    let shown = card(ui)
        .stroke(stroke)
        .inner_margin(theme::margin(3, 2))
        .show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            pane_ui(ui, state, pane, parameters, open, now)
        });
    let mut todo = shown.inner;
    if pane.several && !pane.active && !pane.hidden && is_pressed(ui, shown.response.rect) {
        todo.asks.push(PaneAction::Activate(pane.index));
    }
    todo
}

/// Whether a button of the mouse was pressed within, and not on what lies above.
fn is_pressed(ui: &Ui, rect: Rect) -> bool {
    let pressed = ui.input(|input| {
        input
            .pointer
            .any_pressed()
            .then(|| input.pointer.interact_pos())
    });
    pressed.flatten().is_some_and(|at| {
        ui.clip_rect().intersect(rect).contains(at)
            && ui.ctx().layer_id_at(at) == Some(ui.layer_id())
    })
}

/// What is inside a pane's card.
fn pane_ui(
    ui: &mut Ui,
    state: &State,
    pane: &Pane<'_>,
    parameters: &mut ParametersUi,
    open: &mut PaneUi,
    now: Duration,
) -> PaneOutcome {
    let mut todo = PaneOutcome::default();
    let colors = &state.colors;
    let color = pane.name.as_deref().map(|name| match pane.hidden {
        true => tokens(ui).dim,
        false => tokens(ui).model_color(colors.index(name)),
    });
    head_ui(ui, state, pane, color, parameters, &mut todo);
    ui.separator();
    let redaction = state.pane_targets().redaction();
    if state.pane_targets().of(pane.index).embeds() {
        let model = pane.pane.choice.model.as_deref();
        let model = pane.name.as_deref().filter(|_| pane.hidden).or(model);
        let model = model.unwrap_or_default();
        let (ready, guess) = (
            state.pane_targets().of(pane.index).can_ask(),
            state.pane_targets().of(pane.index).embeds_is_a_guess(),
        );
        let color = color.unwrap_or(tokens(ui).text);
        let view = &pane.pane.chat.embed;
        todo.embed = embed::show(ui, view, (model, color), &redaction, (ready, guess), now);
        return todo;
    }
    let (env, has_cluster) = (&state.env().id, has_cluster(state, pane));
    let chat = &pane.pane.chat;
    if let Some(title) = chat.opened() {
        todo.undo_open = conversations::opened_ui(ui, title);
    }
    if chat.turns().is_empty() {
        let advice = match &pane.pane.choice.model {
            Some(_) => "Type a message below. The answer streams in, and its speed is measured",
            None if has_cluster => "Pick a deployment and a model above",
            None => "Pick a model above",
        };
        let above = (ui.available_height() * 0.3).min(160.0);
        empty_state(ui, "No messages yet", advice, above);
        return todo;
    }
    let id = Id::unique(("transcript", env, pane.pane.id));
    let looks = TurnStyle {
        colors,
        now,
        reading: false,
        keys: pane.active,
        fastest: Some(pane.fastest),
        hidden: pane.name.as_deref().filter(|_| pane.hidden),
        held: state.panes().round_under_way().filter(|_| pane.hidden),
        redaction: Some(&redaction),
    };
    let open = (&mut open.transcript, &mut open.unfolded);
    let PaneOutcome {
        act, copy, typed, ..
    } = turns_ui(ui, id, chat, looks, open);
    PaneOutcome {
        act,
        copy,
        typed,
        ..todo
    }
}

fn has_cluster(state: &State, pane: &Pane<'_>) -> bool {
    let settings = &state.environments.settings;
    let env = settings.get(&pane.pane.env);
    env.is_some_and(|env| env.cluster.is_some())
}

fn turns_ui(
    ui: &mut Ui,
    id: Id,
    chat: &ChatState,
    looks: TurnStyle<'_>,
    (transcript, unfolded): (&mut Transcript, &mut HashSet<u64>),
) -> PaneOutcome {
    if looks.keys {
        keys_ui(ui, chat, transcript);
    }
    let mut rows = Rows::new(chat, looks, unfolded);
    transcript.show(ui, id, &mut rows);
    let Rows { todo, toggled, .. } = rows;
    if let Some(turn) = toggled
        && !unfolded.remove(&turn)
    {
        unfolded.insert(turn);
    }
    todo
}

/// The actions that a conversation out of the history asks for in a frame.
pub(in crate::ui::views) struct ReadOutcome {
    /// Copy this text; the name is for the message that confirms it.
    pub(in crate::ui::views) copy: Option<(&'static str, String)>,
    /// Go to the branch after the one at this turn, or to the one before.
    pub(in crate::ui::views) step: Option<(usize, bool)>,
}

/// Draws a conversation out of the history, to be read on all its branches.
pub(in crate::ui::views) fn read_ui(
    ui: &mut Ui,
    id: Id,
    chat: &ChatState,
    colors: &ModelColors,
    open: (&mut Transcript, &mut HashSet<u64>),
) -> ReadOutcome {
    let looks = TurnStyle {
        colors,
        now: Duration::ZERO,
        reading: true,
        keys: true,
        fastest: None,
        hidden: None,
        held: None,
        redaction: None,
    };
    let todo = turns_ui(ui, id, chat, looks, open);
    let step = match todo.act {
        Some(Act::Step(index, forward)) => Some((index, forward)),
        _ => None,
    };
    ReadOutcome {
        copy: todo.copy,
        step,
    }
}

/// The keys that scroll; none of them means anything in the composer.
fn keys_ui(ui: &Ui, chat: &ChatState, transcript: &mut Transcript) {
    let page = ui.available_height() * 0.9;
    ui.input_mut(|input| {
        if input.consume_key(Modifiers::NONE, Key::PageUp) {
            transcript.scroll_by(-page);
        }
        if input.consume_key(Modifiers::NONE, Key::PageDown) {
            transcript.scroll_by(page);
        }
        if input.consume_key(Modifiers::COMMAND, Key::Home)
            && let Some(first) = chat.turns().first()
        {
            let part = Part::of_said(first).next().unwrap_or(Part::Model);
            transcript.scroll_to(part.key(first.id));
        }
        if input.consume_key(Modifiers::COMMAND, Key::End) {
            transcript.jump_to_latest();
        }
    });
}

/// Whom the pane asks, and its buttons.
fn head_ui(
    ui: &mut Ui,
    state: &State,
    pane: &Pane<'_>,
    color: Option<Color32>,
    parameters: &mut ParametersUi,
    todo: &mut PaneOutcome,
) {
    ui.spacing_mut().item_spacing.y = GRID;
    let panes = state.panes();
    let set = panes.chat(panes.settings_of(pane.index)).params.count_set();
    let closable = panes.is_closable(pane.index);
    let mut buttons = |ui: &mut Ui, todo: &mut PaneOutcome| {
        head_buttons_ui(ui, pane, (set, closable), parameters, todo);
    };
    if !pane.several {
        let width = if set == 0 { 96.0 } else { 132.0 };
        let last = Some((width, &mut buttons as _));
        return pickers::pane_ui(ui, state, pane.index, todo, last);
    }
    ui.horizontal(|ui| {
        tick_ui(ui, pane, todo);
        match (&pane.name, color) {
            (Some(name), Some(color)) if pane.hidden => {
                dot(ui, color);
                let width = ui.available_width() - 40.0;
                shortened(ui, name, theme::strong_text(), tokens(ui).text, width);
            }
            _ => {
                let text = RichText::new(format!("Pane {}", pane.index + 1)).small();
                let button = ui.add(Button::new(text).selected(pane.active));
                let name = pane.name.as_deref().unwrap_or("no model");
                let told = format!("Pane {}: {name}", pane.index + 1);
                button.widget_info(|| WidgetInfo::selected(Role::Button, true, pane.active, &told));
                let help = "Conversations open in the pane that is selected";
                if button.on_hover_text(help).clicked() {
                    todo.asks.push(PaneAction::Activate(pane.index));
                    todo.refocus = true;
                }
            }
        }
        from_right(ui, |ui| buttons(ui, todo));
    });
    if !pane.hidden {
        pickers::pane_ui(ui, state, pane.index, todo, None);
    }
}

/// Whether the pane takes part in what is sent.
fn tick_ui(ui: &mut Ui, pane: &Pane<'_>, todo: &mut PaneOutcome) {
    let mut on = pane.pane.ticked;
    let tick = ui.checkbox(&mut on, "");
    let told = format!("Send to {}", pane.name.as_deref().unwrap_or("no model"));
    tick.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, &told));
    let tick = tick.on_hover_text("Include this pane when you send");
    if tick.changed() {
        todo.tick = Some(on);
    }
}

/// From the right: close, stop, and the parameters, of which `set` differ from the defaults.
fn head_buttons_ui(
    ui: &mut Ui,
    pane: &Pane<'_>,
    (set, closable): (usize, bool),
    parameters: &mut ParametersUi,
    todo: &mut PaneOutcome,
) {
    let spoken = pane.name.as_deref().unwrap_or("no model");
    let labelled = |button: egui::Response, what: &str| {
        button.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{what} {spoken}")));
        button
    };
    if pane.several {
        ui.spacing_mut().item_spacing.x = GRID;
        let close = labelled(small_button_if(ui, closable, "×"), "Close");
        let why = "Close the panes that use other environments first";
        todo.close |= close
            .on_hover_text("Close this pane")
            .on_disabled_hover_text(why)
            .clicked();
    }
    if pane.hidden {
        // Which of them still answers, and which has parameters of its own, tells them apart.
        return;
    }
    if let (Some(job), true) = (pane.pane.chat.running(), pane.several) {
        let stop = labelled(small_button(ui, "Stop"), "Stop");
        todo.stop = stop
            .on_hover_text("Stop this answer")
            .clicked()
            .then_some(job);
        return;
    }
    let label = match (pane.several, set) {
        (false, 0) => "Parameters".to_owned(),
        (false, set) => format!("Parameters ({set} set)"),
        (true, 0) => "Params".to_owned(),
        (true, set) => format!("Params ({set})"),
    };
    let is_open = parameters.is_open(pane.pane.id);
    let mut button = ui.add(Button::new(RichText::new(label).small()).selected(is_open));
    if pane.several {
        button = labelled(button, "Parameters of");
    }
    if button
        .on_hover_text("System prompt and sampling parameters")
        .clicked()
    {
        parameters.toggle(pane.pane.id);
    }
}
