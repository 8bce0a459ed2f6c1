//! Where the message is typed. Enter sends, Shift and Enter break the line.

use std::time::Duration;

use egui::{
    Align, CornerRadius, Frame, Id, Key, KeyboardShortcut, Label, Layout, Margin, Modifiers,
    RichText, Role, ScrollArea, Stroke, TextEdit, Ui, WidgetInfo,
};

use super::{attachments, stop};
use crate::domain::units;
use crate::protocol::Command;
use crate::state::State;
use crate::ui::widgets::{from_right, primary_button, small_button, text_info, tokens};

/// Lines that are shown at most before it scrolls.
const MOST_LINES: f32 = 7.0;

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
    content.clamp(line * 2.0, line * MOST_LINES) + 30.0 + 34.0
}

/// Puts text into the draft, where the cursor was.
pub(super) fn insert(ui: &Ui, state: &mut State, text: &str) {
    let drafting = state.drafting_pane();
    let draft = &mut state.pane_chat(drafting).draft;
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
    let after = egui::text::CCursor::new(start + text.chars().count());
    edit.cursor
        .set_char_range(Some(egui::text::CCursorRange::one(after)));
    edit.store(ui.ctx(), edit_id());
}

/// What was asked for below the conversation.
#[derive(Default)]
pub(super) struct Composed {
    /// A message was sent.
    pub(super) sent: bool,
    /// The kept prompts are to be shown.
    pub(super) prompts: bool,
}

/// Draws it.
pub(super) fn show(
    ui: &mut Ui,
    state: &mut State,
    now: Duration,
    out: &mut Vec<Command>,
) -> Composed {
    let mut composed = Composed::default();
    let tokens = tokens(ui);
    let drafting = state.drafting_pane();
    let to = state.addressed();
    let several = state.panes() > 1;
    let models = to
        .iter()
        .filter(|index| state.pane_choice(**index).model.is_some())
        .count();
    let all_ready = to.iter().all(|index| state.can_chat(*index));
    let embeds = (0..state.panes()).any(|index| state.pane_embeds(index));
    let has_api = to.iter().all(|index| {
        let env = state.pane_env(*index);
        state
            .settings
            .get(&env)
            .is_some_and(|env| env.api.is_some() || env.demo)
    });
    let named = !state.names_hidden();
    let first = to
        .first()
        .filter(|_| named)
        .and_then(|index| state.pane_choice(*index).model);
    let running = state.answering();
    let focused = ui.memory(|memory| memory.has_focus(edit_id()));
    let free = ui.memory(|memory| memory.focused().is_none());
    attachments::take(ui, state, focused || free, out);
    let enter = focused && ui.input_mut(take_enter);
    let mut send = enter;
    let line = if focused { tokens.accent } else { tokens.line };
    Frame::new()
        .fill(tokens.panel)
        .stroke(Stroke::new(1.0, line))
        .corner_radius(CornerRadius::same(8))
        .inner_margin(Margin::symmetric(12, 8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            let row = ui.text_style_height(&egui::TextStyle::Body);
            let hint = match (&first, to.len()) {
                (Some(model), 1) => format!("Message {}…", units::shorten_middle(model, 40)),
                (_, 2) => "Message both models…".to_owned(),
                (_, 3..) => format!("Message {} models…", to.len()),
                _ => "Message…".to_owned(),
            };
            let mut one_by_one = state.place().panes.in_turn;
            let sendable = attachments::chips_ui(ui, state, out);
            let chat = state.pane_chat(drafting);
            ScrollArea::vertical().id_salt("message scroll").max_height(row * MOST_LINES).show(ui, |ui| {
                let edit = TextEdit::multiline(&mut chat.draft)
                    .id(edit_id())
                    .hint_text(hint)
                    .desired_width(f32::INFINITY)
                    .desired_rows(2)
                    .frame(Frame::NONE)
                    .return_key(KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
                let response = ui.add(edit);
                response.widget_info(|| text_info("Message", &chat.draft));
                let height = response.rect.height();
                ui.data_mut(|data| data.insert_temp(edit_id(), height));
            });
            let ready = !to.is_empty() && all_ready && sendable && chat.has_draft();
            ui.horizontal(|ui| {
                let prompts = small_button(ui, "Prompts");
                composed.prompts = prompts.on_hover_text("Kept prompts (Ctrl+P)").clicked();
                attachments::attach_button(ui, state, out);
                let chat = state.pane_chat(drafting);
                let editing = chat.is_editing();
                let awaits = chat.awaits_results() && chat.has_draft();
                let told = match (models == to.len(), has_api) {
                        _ if embeds && (to.is_empty() || !several) => {
                            "Makes embeddings, cannot chat"
                        }
                        _ if to.is_empty() => "Tick a pane to send to",
                        (_, false) => "This environment has no API domain: type it on Home",
                        (false, true) => "Pick a model first",
                        (true, true) if editing => "An earlier message: sending it makes a branch",
                        (true, true) if awaits => "Sent instead of results: the model is told that there are none",
                        (true, true) => "Enter to send · Shift+Enter new line",
                    };
                from_right(ui, |ui| {
                    if running.is_empty() {
                        send |= primary_button(ui, "Send", ready).clicked();
                    } else if primary_button(ui, "Stop", true).on_hover_text("Escape").clicked() {
                        running.iter().for_each(|job| stop(*job, out));
                    }
                    if several && !editing {
                        let label = if ui.available_width() > 150.0 { "One after the other" } else { "In turn" };
                        let tick = ui.checkbox(&mut one_by_one, RichText::new(label).small());
                        let told = "One after the other";
                        tick.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, one_by_one, told));
                        tick.on_hover_text("Each pane is asked when the one before it has answered, so that they do not share the machine");
                    }
                    // What is said gives way to what can be done.
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                        let button = if editing { 76.0 } else { 0.0 };
                        ui.scope(|ui| {
                            ui.set_max_width((ui.available_width() - button).max(0.0));
                            ui.add(Label::new(RichText::new(told).small().color(tokens.dim)).truncate());
                        });
                        if editing && small_button(ui, "Leave it").on_hover_text("Escape").clicked() {
                            chat.stop_editing();
                        }
                    });
                });
            });
            state.place().panes.in_turn = one_by_one;
            send &= ready && running.is_empty();
        });
    // Escape first closes what lies above.
    let above = egui::Popup::is_any_open(ui.ctx())
        || ui.memory(|memory| memory.top_modal_layer().is_some());
    let escape = !above && ui.input(|input| input.key_pressed(Key::Escape));
    if escape && !running.is_empty() {
        running.iter().for_each(|job| stop(*job, out));
        focus(ui);
    } else if escape && state.pane_chat(drafting).is_editing() {
        state.pane_chat(drafting).stop_editing();
        focus(ui);
    }
    if send && state.send_draft(now, out) {
        focus(ui);
        composed.sent = true;
    }
    composed
}
