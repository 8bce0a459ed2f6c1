//! Buttons by what they do, the two that end a dialog, and what has the keyboard when something opens.

use egui::{Button, Response, RichText, Stroke, Ui, vec2};

use super::{from_right, tokens};
use crate::ui::theme;

/// The one thing to do in a view.
pub fn primary_button(ui: &mut Ui, text: &str, enabled: bool) -> Response {
    let tokens = tokens(ui);
    ui.scope(|ui| {
        let widgets = &mut ui.visuals_mut().widgets;
        for (widget, fill) in [
            (&mut widgets.inactive, tokens.accent),
            (&mut widgets.hovered, tokens.accent_hover),
            (&mut widgets.active, tokens.accent_hover),
        ] {
            widget.weak_bg_fill = fill;
            widget.bg_stroke = Stroke::new(1.0, fill);
        }
        if ui.ctx().memory(|memory| memory.focused().is_some()) {
            ui.visuals_mut().widgets.active.bg_stroke = Stroke::new(1.5, tokens.text);
        }
        let text = RichText::new(text)
            .text_style(theme::strong_text())
            .color(tokens.on_accent);
        ui.add_enabled(enabled, Button::new(text).min_size(vec2(84.0, 28.0)))
    })
    .inner
}

/// A button for what is seldom needed: small text, little room.
pub fn small_button(ui: &mut Ui, text: &str) -> Response {
    small_button_if(ui, true, text)
}

/// The same, perhaps not to be used now.
pub fn small_button_if(ui: &mut Ui, enabled: bool, text: &str) -> Response {
    ui.scope(|ui| {
        small(ui);
        ui.add_enabled(
            enabled,
            Button::new(RichText::new(text).small()).min_size(vec2(0.0, SMALL_HEIGHT)),
        )
    })
    .inner
}

/// The height of small buttons, in points.
const SMALL_HEIGHT: f32 = 22.0;

fn small(ui: &mut Ui) {
    ui.spacing_mut().button_padding = vec2(8.0, 2.0);
    ui.spacing_mut().interact_size.y = SMALL_HEIGHT;
}

/// A button after which something is lost: written and outlined in the colour of an error, wherever it stands. In a menu
/// it has no outline, as its neighbours have none.
pub fn danger_button(ui: &mut Ui, text: &str, enabled: bool) -> Response {
    danger(ui, RichText::new(text), enabled, vec2(0.0, 0.0))
}

/// The same beside small buttons.
pub fn small_danger_button(ui: &mut Ui, text: &str, enabled: bool) -> Response {
    ui.scope(|ui| {
        small(ui);
        danger(
            ui,
            RichText::new(text).small(),
            enabled,
            vec2(0.0, SMALL_HEIGHT),
        )
    })
    .inner
}

fn danger(ui: &mut Ui, text: RichText, enabled: bool, least: egui::Vec2) -> Response {
    let tokens = tokens(ui);
    ui.scope(|ui| {
        let widgets = &mut ui.visuals_mut().widgets;
        for widget in [&mut widgets.inactive, &mut widgets.hovered] {
            if widget.bg_stroke != Stroke::NONE {
                widget.bg_stroke = Stroke::new(1.0, tokens.error);
            }
        }
        widgets.hovered.weak_bg_fill = tokens.error_box;
        widgets.active.weak_bg_fill = tokens.error_box;
        widgets.active.bg_stroke = Stroke::new(1.5, tokens.text);
        let text = text.color(tokens.error);
        ui.add_enabled(enabled, Button::new(text).min_size(least))
    })
    .inner
}

/// What was clicked of the two buttons that end a dialog.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answers {
    /// What the dialog is for.
    pub done: bool,
    /// To leave things as they are.
    pub left: bool,
}

/// The two buttons that end a dialog, at its lower right: `does` is what it is for and stands outermost, `leave` leaves
/// things as they are and stands left of it. Where the dialog has no field, `leave` has the keyboard: an Enter too many
/// loses nothing.
pub fn answers(
    ui: &mut Ui,
    leave: &str,
    has_field: bool,
    does: impl FnOnce(&mut Ui) -> Response,
) -> Answers {
    ui.horizontal(|ui| {
        from_right(ui, |ui| {
            let done = does(ui).clicked();
            let leave = ui.button(leave);
            if !has_field {
                focus_when_new(&leave);
            }
            Answers {
                done,
                left: leave.clicked(),
            }
        })
    })
    .inner
}

/// Gives the keyboard to what was not there in the frame before: to the first field of what opens.
pub fn focus_when_new(response: &Response) {
    let frame = response.ctx.cumulative_frame_nr();
    let id = response.id.with("seen in frame");
    let before = response.ctx.data_mut(|data| {
        let before = data.get_temp::<u64>(id);
        data.insert_temp(id, frame);
        before
    });
    if before.is_none_or(|before| before + 1 < frame) {
        response.request_focus();
    }
}
