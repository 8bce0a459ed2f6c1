//! Where the message is typed. Enter sends, Shift and Enter break the line.

use std::time::Duration;

use egui::{
    CornerRadius, Frame, Id, Key, KeyboardShortcut, Margin, Modifiers, Role, ScrollArea, Stroke, TextEdit,
    Ui, WidgetInfo,
};

use super::{asked_of, stop};
use crate::domain::units;
use crate::protocol::Command;
use crate::state::State;
use crate::state::chat::Asking;
use crate::ui::widgets::{caption, from_right, primary_button, small_button, tokens};

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
    let content = ui.data(|data| data.get_temp::<f32>(edit_id())).unwrap_or(line * 2.0);
    content.clamp(line * 2.0, line * MOST_LINES) + 30.0 + 34.0
}

/// Draws it; gives whether a message was sent.
pub(super) fn show(ui: &mut Ui, state: &mut State, now: Duration, out: &mut Vec<Command>) -> bool {
    let tokens = tokens(ui);
    let (model, deployment) = asked_of(state);
    let has_api = state.env().api.is_some() || state.env().demo;
    let running = state.place().chat.running();
    let focused = ui.memory(|memory| memory.has_focus(edit_id()));
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
            let hint = match &model {
                Some(model) => format!("Message {}…", units::shorten_middle(model, 40)),
                None => "Message…".to_owned(),
            };
            let chat = &mut state.place().chat;
            ScrollArea::vertical().id_salt("message scroll").max_height(row * MOST_LINES).show(ui, |ui| {
                let edit = TextEdit::multiline(&mut chat.draft)
                    .id(edit_id())
                    .hint_text(hint)
                    .desired_width(f32::INFINITY)
                    .desired_rows(2)
                    .frame(Frame::NONE)
                    .return_key(KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
                let response = ui.add(edit);
                response.widget_info(|| {
                    let mut info = WidgetInfo::labeled(Role::TextInput, true, "Message");
                    info.current_text_value = Some(chat.draft.clone());
                    info
                });
                let height = response.rect.height();
                ui.data_mut(|data| data.insert_temp(edit_id(), height));
            });
            let ready = model.is_some() && has_api && !chat.draft.trim().is_empty();
            ui.horizontal(|ui| {
                let editing = chat.is_editing();
                caption(
                    ui,
                    match (&model, has_api) {
                        (_, false) => "This environment has no API domain: type it on Home",
                        (None, true) => "Pick a model first",
                        (Some(_), true) if editing => "An earlier message: sending it makes a branch",
                        (Some(_), true) => "Enter to send · Shift+Enter new line",
                    },
                );
                if editing && small_button(ui, "Leave it").on_hover_text("Escape").clicked() {
                    chat.stop_editing();
                }
                from_right(ui, |ui| match running {
                    Some(job) => {
                        if primary_button(ui, "Stop", true).on_hover_text("Escape").clicked() {
                            stop(job, out);
                        }
                    }
                    None => send |= primary_button(ui, "Send", ready).clicked(),
                });
            });
            send &= ready && running.is_none();
        });
    // Escape first closes what lies above.
    let above = egui::Popup::is_any_open(ui.ctx()) || ui.memory(|memory| memory.top_modal_layer().is_some());
    if let (Some(job), false, true) = (running, above, ui.input(|input| input.key_pressed(Key::Escape))) {
        stop(job, out);
        focus(ui);
    } else if !above && state.place().chat.is_editing() && ui.input(|input| input.key_pressed(Key::Escape)) {
        state.place().chat.stop_editing();
        focus(ui);
    }
    let Some(model) = model.filter(|_| send) else { return false };
    let job = state.next_job();
    let place = state.env().clone();
    let asking = Asking { job, model: &model, deployment: deployment.as_deref(), now };
    let Some(request) = state.place().chat.send(&asking) else {
        return false;
    };
    // What was asked of stays picked.
    state.place().cluster.settled = true;
    let filing = state.place().chat.filing();
    out.push(Command::Chat { job, place, request, filing });
    focus(ui);
    true
}
