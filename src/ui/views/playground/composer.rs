//! Where the message is typed. Enter sends, Shift and Enter break the line.

use std::borrow::Cow;

use egui::{
    Align, CornerRadius, Frame, Id, Key, KeyboardShortcut, Label, Layout, Modifiers, RichText,
    Role, ScrollArea, Stroke, TextEdit, Ui, WidgetInfo,
};

use super::{attachments, stop};
use crate::domain::environment::Environment;
use crate::domain::units;
use crate::protocol::JobId;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::chat::ChatState;
use crate::state::panes::PaneAction;
use crate::ui::theme;
use crate::ui::widgets::{from_right, primary_button, small_button, text_info, tokens};

/// Lines that are shown at most before it scrolls.
const MAX_LINES: f32 = 7.0;

fn edit_id() -> Id {
    Id::unique("message")
}

/// Gives it the keyboard.
pub(super) fn focus(ui: &Ui) {
    ui.memory_mut(|memory| memory.request_focus(edit_id()));
}

/// Whether Enter was pressed without Shift. The key's own modifiers tell: by the end of a slow frame Shift
/// may be up again.
fn take_enter(input: &mut egui::InputState) -> bool {
    let before = input.events.len();
    input.events.retain(|event| {
        let enter = matches!(event, egui::Event::Key { key: Key::Enter, pressed: true, modifiers, .. } if !modifiers.shift);
        !enter
    });
    input.events.len() < before
}

/// How high it will be, so that the conversation gets the rest.
pub(super) fn height(ui: &Ui) -> f32 {
    let line = ui.text_style_height(&egui::TextStyle::Body);
    let content = ui
        .data(|data| data.get_temp::<f32>(edit_id()))
        .unwrap_or(line * 2.0);
    content.clamp(line * 2.0, line * MAX_LINES) + 30.0 + 34.0
}

/// Puts text into the draft, where the cursor was.
pub(super) fn insert(ui: &Ui, state: &State, text: &str, out: &mut Actions) {
    let panes = state.panes();
    let mut draft = panes.chat(panes.drafting()).draft.clone();
    let mut edit = egui::text_edit::TextEditState::load(ui.ctx(), edit_id()).unwrap_or_default();
    let length = draft.chars().count();
    let chosen = edit
        .cursor
        .char_range()
        .map(|range| range.as_sorted_char_range());
    let chosen = chosen.map_or(length..length, |range| range.start.into()..range.end.into());
    let (start, end) = (chosen.start.min(length), chosen.end.min(length));
    let byte = |at: usize| {
        draft
            .char_indices()
            .nth(at)
            .map_or(draft.len(), |(byte, _)| byte)
    };
    let (from, to) = (byte(start), byte(end));
    draft.replace_range(from..to, text);
    out.push(PaneAction::Draft(draft));
    let after = egui::text::CCursor::new(start + text.chars().count());
    edit.cursor
        .set_char_range(Some(egui::text::CCursorRange::one(after)));
    edit.store(ui.ctx(), edit_id());
}

/// The actions that the composer asks for in a frame.
#[derive(Default)]
pub(super) struct Composed {
    /// The prompt library is to be opened.
    pub(super) prompts: bool,
    /// Escape was pressed, and nothing here or above the page ends by it.
    pub(super) escape: bool,
}

/// To which panes the draft goes, and what keeps it from being sent.
struct Target {
    panes: Vec<usize>,
    /// There are several panes on the page.
    several: bool,
    /// How many of them have a model.
    models: usize,
    all_ready: bool,
    embeds: bool,
    has_api: bool,
    /// The first pane's model, unless names are hidden.
    first: Option<String>,
    /// The answers under way.
    running: Vec<JobId>,
}

impl Target {
    fn of(state: &State) -> Self {
        let panes = state.pane_targets().addressed();
        let targets = state.pane_targets();
        let has_api = |index: &usize| targets.of(*index).env.is_some_and(Environment::has_api);
        let named = !state.panes().names_hidden();
        Self {
            several: state.panes().count() > 1,
            models: panes
                .iter()
                .filter(|index| state.panes().get(**index).choice.model.is_some())
                .count(),
            all_ready: panes.iter().all(|index| targets.of(*index).can_chat()),
            embeds: (0..state.panes().count()).any(|index| targets.of(index).embeds()),
            has_api: panes.iter().all(has_api),
            first: panes
                .first()
                .filter(|_| named)
                .and_then(|index| state.panes().get(*index).choice.model.clone()),
            running: state.panes().answering(),
            panes,
        }
    }

    /// The hint in the empty field.
    fn hint(&self) -> String {
        match (&self.first, self.panes.len()) {
            (Some(model), 1) => format!("Message {}…", units::shorten_middle(model, 40)),
            (_, 2) => "Message both models…".to_owned(),
            (_, 3..) => format!("Message {} models…", self.panes.len()),
            _ => "Message…".to_owned(),
        }
    }

    /// Says what is missing before sending, or how to send.
    fn advice(&self, chat: &ChatState) -> &'static str {
        match (self.models == self.panes.len(), self.has_api) {
            _ if self.embeds && (self.panes.is_empty() || !self.several) => {
                "Embedding models cannot chat"
            }
            _ if self.panes.is_empty() => "Select a pane to send to",
            (_, false) => "No API domain: enter one in Environments",
            (false, true) => "Pick a model first",
            (true, true) if chat.is_editing() => {
                "Editing an earlier message: sending creates a branch"
            }
            (true, true) if chat.awaits_results() && chat.has_draft() => {
                "Sends this message without function results"
            }
            (true, true) => "Enter: send · Shift+Enter: new line",
        }
    }

    fn stop(&self, out: &mut Actions) {
        self.running.iter().for_each(|job| stop(*job, out));
    }
}

/// Draws the composer.
pub(super) fn show(ui: &mut Ui, state: &State, out: &mut Actions) -> Composed {
    let mut composed = Composed::default();
    let tokens = tokens(ui);
    let drafting = state.panes().drafting();
    let target = Target::of(state);
    let focused = ui.memory(|memory| memory.has_focus(edit_id()));
    let free = ui.memory(|memory| memory.focused().is_none());
    attachments::take(ui, focused || free, out);
    let mut send = focused && ui.input_mut(take_enter);
    let line = if focused { tokens.accent } else { tokens.line };
    Frame::new()
        .fill(tokens.panel)
        .stroke(Stroke::new(1.0, line))
        .corner_radius(CornerRadius::same(8))
        .inner_margin(theme::margin(3, 2))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            let sendable = attachments::chips_ui(ui, state, out);
            let chat = state.panes().chat(drafting);
            let has_draft = draft_ui(ui, chat, target.hint(), out);
            let ready = !target.panes.is_empty() && target.all_ready && sendable && has_draft;
            ui.horizontal(|ui| {
                let prompts = small_button(ui, "Prompts");
                composed.prompts = prompts.on_hover_text("Prompt library (Ctrl+P)").clicked();
                attachments::attach_button(ui, out);
                from_right(ui, |ui| send |= send_ui(ui, state, &target, ready, out));
            });
            send &= ready && target.running.is_empty();
        });
    // Escape first closes what lies above.
    let above = egui::Popup::is_any_open(ui.ctx())
        || ui.memory(|memory| memory.top_modal_layer().is_some());
    let escape = !above && ui.input(|input| input.key_pressed(Key::Escape));
    if escape && !target.running.is_empty() {
        target.stop(out);
        focus(ui);
    } else if escape && state.panes().chat(drafting).is_editing() {
        out.push(PaneAction::CancelEdit);
        focus(ui);
    } else {
        composed.escape = escape;
    }
    if send {
        out.push(PaneAction::Send);
        focus(ui);
    }
    composed
}

/// Gives whether there is something to send.
fn draft_ui(ui: &mut Ui, chat: &ChatState, hint: String, out: &mut Actions) -> bool {
    let mut draft = Cow::Borrowed(chat.draft.as_str());
    let row = ui.text_style_height(&egui::TextStyle::Body);
    ScrollArea::vertical()
        .id_salt("message scroll")
        .max_height(row * MAX_LINES)
        .show(ui, |ui| {
            let edit = TextEdit::multiline(&mut draft)
                .id(edit_id())
                .hint_text(hint)
                .desired_width(f32::INFINITY)
                .desired_rows(2)
                .frame(Frame::NONE)
                .return_key(KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
            let response = ui.add(edit);
            response.widget_info(|| text_info("Message", &draft));
            let height = response.rect.height();
            ui.data_mut(|data| data.insert_temp(edit_id(), height));
        });
    let has_draft = !draft.trim().is_empty() || !chat.attached.is_empty();
    if let Cow::Owned(draft) = draft {
        out.push(PaneAction::Draft(draft));
    }
    has_draft
}

/// From the right: Send or Stop, the order of several panes, and advice. Gives whether Send was clicked.
fn send_ui(ui: &mut Ui, state: &State, target: &Target, ready: bool, out: &mut Actions) -> bool {
    let drafting = state.panes().drafting();
    let editing = state.panes().chat(drafting).is_editing();
    let mut send = false;
    if target.running.is_empty() {
        send = primary_button(ui, "Send", ready).clicked();
    } else if primary_button(ui, "Stop", true)
        .on_hover_text("Escape")
        .clicked()
    {
        target.stop(out);
    }
    if target.several && !editing {
        let mut in_turn = state.panes().in_turn;
        if sequential_ui(ui, &mut in_turn) {
            out.push(PaneAction::RunInTurn(in_turn));
        }
    }
    let chat = state.panes().chat(drafting);
    // Where there is little room, the advice is cut, not the button.
    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
        let button = if editing { 92.0 } else { 0.0 };
        ui.scope(|ui| {
            ui.set_max_width((ui.available_width() - button).max(0.0));
            let advice = RichText::new(target.advice(chat)).small();
            ui.add(Label::new(advice.color(tokens(ui).dim)).truncate());
        });
        if editing
            && small_button(ui, "Cancel edit")
                .on_hover_text("Escape")
                .clicked()
        {
            out.push(PaneAction::CancelEdit);
        }
    });
    send
}

/// Gives whether it was changed.
fn sequential_ui(ui: &mut Ui, one_by_one: &mut bool) -> bool {
    const NAME: &str = "Run sequentially";
    let label = if ui.available_width() > 150.0 {
        NAME
    } else {
        "Sequential"
    };
    let tick = ui.checkbox(one_by_one, RichText::new(label).small());
    tick.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, *one_by_one, NAME));
    let help = "Sends to each pane after the previous one has finished, so that they do not share the machine";
    tick.on_hover_text(help).changed()
}
