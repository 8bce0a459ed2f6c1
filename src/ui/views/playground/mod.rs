//! The Playground: pick a deployment and a model, chat, and read how fast it answers; with up to four side by side.

mod attachments;
mod calls;
mod columns;
mod composer;
mod conversation;
mod conversations;
mod definitions;
mod embed;
mod figures;
mod format;
mod library;
mod list;
mod panes;
mod parameters;
mod pickers;
mod rows;
mod status;
mod tools;
mod turn;
mod vote;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use egui::{Align, Button, Key, Layout, Modifiers, Rect, ScrollArea, Ui, UiBuilder, pos2, vec2};

use self::columns::{Columns, SHEET};
use self::conversation::{Pane, PaneUi};
pub(super) use self::conversation::{ReadOutcome, read_ui};
use self::conversations::ConversationsUi;
pub(super) use self::figures::tiles_ui as answer_tiles_ui;
use self::library::{LibraryUi, PromptUse};
use self::parameters::ParametersUi;
use self::rows::PaneOutcome;
use crate::domain::environment::EnvId;
use crate::protocol::{Command, JobId};
use crate::state::State;
use crate::state::action::{Action, Actions};
use crate::state::history::Clock;
use crate::state::panes::PaneAction;
use crate::ui::theme::{GAP, GRID, PAD};
use crate::ui::widgets::{column, page_head};

/// The page's own state: folds, dialogs and hidden lines.
#[derive(Default)]
pub struct PlaygroundUi {
    /// By environment and pane, so that each keeps its place.
    panes: HashMap<(EnvId, u64), PaneUi>,
    parameters: ParametersUi,
    conversations: ConversationsUi,
    library: LibraryUi,
    /// Models that the legend switched off.
    hidden: Vec<String>,
    /// Whether the figures are beside the panes; `None` while the window's width decides.
    figures: Option<bool>,
    /// How wide they are while their divider is dragged.
    dragged: Option<f32>,
    /// Whether the page was drawn since it was opened.
    arrived: bool,
    /// The first pane that is seen, where not all fit.
    first: usize,
    /// The new pane is to be seen.
    reveal: bool,
}

/// The actions that the page asks for in a frame.
#[derive(Debug, Default, Clone, Copy)]
pub struct PlaygroundOutcome {
    /// Open View code.
    pub view_code: bool,
    /// Something was picked or cleared: one can type on.
    pub refocus: bool,
    /// Another pane, and whether with a copy of the active one's conversation.
    pub(super) add: Option<bool>,
    /// Show or hide the figures beside the panes.
    pub(super) figures: bool,
}

/// Narrower panes are scrolled to sideways.
const MIN_PANE_WIDTH: f32 = 262.0;

impl PlaygroundUi {
    /// The page was opened: the composer takes the keyboard.
    pub fn arrive(&mut self) {
        self.arrived = false;
    }

    /// Draws the page, and does what it asks of the state.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        state: &mut State,
        now: Duration,
        out: &mut Vec<Command>,
    ) -> PlaygroundOutcome {
        for name in state.playgrounds.panes().names() {
            state.colors.note(&name);
        }
        let clock = Clock {
            now,
            today: crate::engine::clock(),
        };
        let (was_hidden, before) = (state.panes().names_hidden(), running(state));
        let mut actions = Actions::default();
        let asked = self.page_ui(ui, state, clock, &mut actions);
        crate::ui::perform(ui.ctx(), actions, state, clock, out);
        if state.panes().names_hidden() && !was_hidden {
            // Model A is the leftmost.
            self.first = 0;
        }
        self.jump_to_new_answers(state, &before);
        if let Some(wait) = state.conversations_due(self.conversations.is_open(), now, out) {
            ui.ctx().request_repaint_after(wait);
        }
        asked
    }

    fn page_ui(
        &mut self,
        ui: &mut Ui,
        state: &State,
        clock: Clock,
        out: &mut Actions,
    ) -> PlaygroundOutcome {
        let mut asked = PlaygroundOutcome::default();
        self.shortcuts(ui, state, &mut asked, out);
        let top = ui.max_rect();
        page_head(
            ui,
            "Playground",
            "Chat with a deployed model and see how fast it answers",
        );
        let height = ui.available_height();
        let sheet = self.parameters.shown(state);
        let width = ui.available_width();
        let panes = state.panes().count();
        let placed = self.dragged.or(state.workspace.layout.figures);
        let shown = panes == 1
            || self
                .figures
                .unwrap_or_else(|| columns::all_fit(panes, (width, sheet.is_some()), placed));
        let wanted = shown.then_some(placed);
        let Columns { left, figures } = Columns::of(width, wanted, sheet.is_some());
        let beside = figures.is_some();
        self.head_ui(ui, state, (top, left, beside), &mut asked, out);
        ui.spacing_mut().item_spacing.x = PAD;
        ui.horizontal_top(|ui| {
            column(ui, vec2(left, height), |ui| {
                self.chat_ui(ui, state, clock.now, out, (&mut asked, beside))
            });
            let opened = self.parameters.shown(state).filter(|_| sheet.is_none());
            if let Some(index) = opened {
                // Its pane is seen beside the sheet, which takes room from the panes.
                let panes = state.panes();
                let place = (0..panes.count()).find(|place| panes.at_position(*place) == index);
                self.first = place.unwrap_or(self.first);
            }
            if let Some(index) = sheet {
                // It ends where the composer does.
                column(ui, vec2(SHEET, height - 3.0 * GRID), |ui| {
                    self.parameters.show(ui, state, index, out);
                });
            }
            if let Some(width) = figures {
                columns::divider_ui(ui, width, &mut self.dragged, out);
                column(ui, vec2(width, height), |ui| {
                    figures::show(ui, state, &mut self.hidden, clock.now, out)
                });
            }
        });
        if asked.figures {
            self.figures = Some(!beside);
            if !beside {
                // There may be room for one of them only.
                self.parameters.close();
            }
        }
        asked.refocus |= self.conversations.show(ui.ctx(), state, clock.today, out);
        if let ControlFlow::Break(taken) = self.library.show(ui.ctx(), state, out) {
            asked.refocus = true;
            self.take(ui, taken, state, out);
        }
        if let Some(copy) = asked.add {
            out.push(PaneAction::Add { copy });
            self.reveal = true;
            asked.refocus = true;
        }
        asked
    }

    /// The buttons at the right of the page's title. `left`: the width of the panes, `beside`: figures are beside them.
    fn head_ui(
        &mut self,
        ui: &mut Ui,
        state: &State,
        (top, left, beside): (Rect, f32, bool),
        asked: &mut PlaygroundOutcome,
        out: &mut Actions,
    ) {
        let rect = Rect::from_min_size(pos2(top.left(), top.top()), vec2(top.width(), 30.0));
        let layout = Layout::right_to_left(Align::Center);
        let mut head = ui.new_child(UiBuilder::new().max_rect(rect).layout(layout));
        if !pickers::is_wide(left, state.panes().count() > 1) {
            // There is no room for them beside the pickers.
            pickers::compare_ui(&mut head, state, beside, asked, out);
        }
        let size = vec2(0.0, 30.0);
        let can = !state.panes().names_hidden();
        let button = head.add_enabled(can, Button::new("Conversations").min_size(size));
        if button
            .on_hover_text("Search and open earlier conversations (Ctrl+K)")
            .on_disabled_hover_text("End the blind vote first")
            .clicked()
        {
            self.conversations.toggle();
        }
    }

    /// Before anything that is typed in takes them.
    fn shortcuts(
        &mut self,
        ui: &Ui,
        state: &State,
        asked: &mut PlaygroundOutcome,
        out: &mut Actions,
    ) {
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, key));
        let above = ui.memory(|memory| memory.top_modal_layer().is_some());
        if (!above || self.library.is_open()) && pressed(Key::P) {
            self.library.toggle(out);
            asked.refocus = !self.library.is_open();
        }
        if above && !self.conversations.is_open() {
            return;
        }
        if pressed(Key::K) && !state.panes().names_hidden() {
            self.conversations.toggle();
            asked.refocus = !self.conversations.is_open();
        }
        if pressed(Key::N) && state.panes().can_clear() {
            out.push(PaneAction::Clear);
            asked.refocus = true;
        }
    }

    fn chat_ui(
        &mut self,
        ui: &mut Ui,
        state: &State,
        now: Duration,
        out: &mut Actions,
        (asked, beside): (&mut PlaygroundOutcome, bool),
    ) {
        let from_pickers = pickers::show(ui, state, beside, now, out);
        let (add, figures, refocus) = (asked.add, asked.figures, asked.refocus);
        *asked = from_pickers;
        asked.refocus |= refocus;
        asked.add = asked.add.or(add);
        asked.figures |= figures;
        let composer = composer::height(ui) + attachments::height(state);
        let bar = vote::height(state);
        let size = vec2(
            ui.available_width(),
            (ui.available_height() - composer - bar - 10.0).max(80.0),
        );
        let mut todos = Vec::new();
        ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| {
            todos = self.panes_ui(ui, state, now);
        });
        vote::bar_ui(ui, state, out);
        let composed = composer::show(ui, state, out);
        if composed.prompts {
            self.library.toggle(out);
        }
        if composed.escape && self.parameters.is_shown() {
            self.parameters.close();
            asked.refocus = true;
        }
        if !self.arrived {
            self.arrived = true;
            composer::focus(ui);
        }
        // From the right: closing one moves those after it.
        for (index, todo) in todos.into_iter().rev() {
            do_in_pane(index, todo, (out, asked));
        }
    }

    /// A prompt out of the library.
    fn take(&self, ui: &Ui, taken: Option<PromptUse>, state: &State, out: &mut Actions) {
        match taken {
            Some(PromptUse::Insert(text)) => composer::insert(ui, state, &text, out),
            Some(PromptUse::Send(text)) => match state.pane_targets().can_send_words(&text) {
                Ok(()) => out.push(PaneAction::SendWords(text)),
                // A text that cannot be sent now is not lost.
                Err(why) => {
                    out.extend(why.map(Action::Tell));
                    composer::insert(ui, state, &text, out);
                }
            },
            Some(PromptUse::System(text)) => out.push(PaneAction::UseAsSystemPrompt(text)),
            None => {}
        }
    }

    /// Panes that were asked something show the answer as it grows.
    fn jump_to_new_answers(&mut self, state: &State, before: &[(u64, Option<JobId>)]) {
        let env = &state.env().id;
        for (pane, job) in running(state) {
            if job.is_some() && !before.contains(&(pane, job)) {
                let open = self.panes.entry((env.clone(), pane)).or_default();
                open.transcript.jump_to_latest();
            }
        }
    }

    fn panes_ui(&mut self, ui: &mut Ui, state: &State, now: Duration) -> Vec<(usize, PaneOutcome)> {
        let env = state.env().id.clone();
        let panes = state.panes().count();
        let active = state.panes().active();
        let fastest = state.panes().fastest();
        let mut todos = Vec::new();
        let Self {
            panes: open,
            parameters,
            first,
            reveal,
            ..
        } = self;
        let mut one = |ui: &mut Ui, place: usize| {
            let index = state.panes().at_position(place);
            let pane = state.panes().get(index);
            let hidden = state.panes().hidden_name(index);
            let is_hidden = hidden.is_some();
            let id = pane.id;
            let none = HashMap::new();
            let fastest = fastest.get(index).unwrap_or(&none);
            // Marking the active pane would give its model away.
            let active = index == active && !is_hidden;
            let pane = Pane {
                index,
                pane,
                name: hidden.or_else(|| state.panes().name(index)),
                several: panes > 1,
                active,
                hidden: is_hidden,
                fastest,
            };
            let open = open.entry((env.clone(), id)).or_default();
            let todo = ui.push_id(("pane", id), |ui| {
                conversation::show(ui, state, &pane, parameters, open, now)
            });
            todos.push((index, todo.inner));
        };
        if panes == 1 {
            one(ui, 0);
            return todos;
        }
        strip_ui(ui, &env, panes, (first, reveal), one);
        todos
    }
}

/// Asks for what a pane's views ask for.
fn do_in_pane(
    index: usize,
    todo: PaneOutcome,
    (out, asked): (&mut Actions, &mut PlaygroundOutcome),
) {
    out.extend(todo.copy.map(|(what, text)| Command::Copy {
        what: what.to_owned(),
        text,
    }));
    out.extend(todo.tick.map(|on| PaneAction::Tick(index, on)));
    let typed = todo.typed;
    out.extend(typed.map(|(call, text)| PaneAction::TypeResult(index, call, text)));
    asked.refocus |= todo.act.is_some() || todo.undo_open || todo.refocus || todo.close;
    out.extend(todo.asks);
    out.extend(todo.act.map(|act| PaneAction::Do(index, act)));
    out.extend(todo.stop.map(|job| Command::Cancel { job }));
    let embed = todo.embed;
    out.extend(
        embed
            .text
            .map(|text| PaneAction::TypeEmbedText(index, text)),
    );
    out.extend(
        embed
            .other
            .map(|text| PaneAction::TypeSecondText(index, text)),
    );
    if embed.embed {
        out.push(PaneAction::Embed(index));
    }
    if embed.chat {
        out.push(PaneAction::SayEmbeds(index, false));
        asked.refocus = true;
    }
    out.extend(embed.cancel.map(|job| Command::Cancel { job }));
    out.extend(embed.copy);
    if todo.undo_open {
        out.push(PaneAction::UndoOpen(index));
    }
    if todo.close {
        out.push(PaneAction::Close(index));
    }
}

/// The answer under way of each pane.
fn running(state: &State) -> Vec<(u64, Option<JobId>)> {
    let panes = state.panes().all().iter();
    panes.map(|pane| (pane.id, pane.chat.running())).collect()
}

/// Several panes side by side. As many as fit are seen whole; the others are scrolled to. `first`: the leftmost that is
/// seen; `reveal`: the last one is to be seen.
fn strip_ui(
    ui: &mut Ui,
    env: &EnvId,
    panes: usize,
    (first, reveal): (&mut usize, &mut bool),
    mut one: impl FnMut(&mut Ui, usize),
) {
    let size = ui.available_size();
    let fit = ((size.x + GAP) / (MIN_PANE_WIDTH + GAP))
        .floor()
        .clamp(1.0, panes as f32);
    let width = ((size.x - (fit - 1.0) * GAP) / fit).floor();
    let step = width + GAP;
    let most = panes.saturating_sub(fit as usize);
    if std::mem::take(reveal) {
        *first = most;
    }
    let mut area = ScrollArea::horizontal()
        .id_salt(("panes", env))
        .auto_shrink(false)
        .content_margin(0);
    // It comes to rest where panes are seen whole.
    let moves = ui.input(|input| {
        input.smooth_scroll_delta() != egui::Vec2::ZERO
            || input.pointer.any_down()
            || input.pointer.any_released()
    });
    if !moves {
        area = area.horizontal_scroll_offset((*first).min(most) as f32 * step);
    }
    let output = area.show_viewport(ui, |ui, viewport| {
        // The bar is below the panes.
        let bar = if most > 0 { 12.0 } else { 0.0 };
        let all = vec2(panes as f32 * step - GAP, size.y - bar);
        let (place, _) = ui.allocate_exact_size(all, egui::Sense::hover());
        for index in 0..panes {
            let left = index as f32 * step;
            let rect =
                Rect::from_min_size(place.min + vec2(left, 0.0), vec2(width, place.height()));
            if left + width > viewport.left() + 1.0 && left < viewport.right() - 1.0 {
                let mut inside =
                    ui.new_child(UiBuilder::new().id_salt(("pane at", index)).max_rect(rect));
                one(&mut inside, index);
            }
        }
    });
    if moves {
        *first = (output.state.clamped_offset().x / step).round() as usize;
    }
}

/// Ends an answer at once.
fn stop(job: JobId, out: &mut Actions) {
    out.push(Command::Cancel { job });
}
