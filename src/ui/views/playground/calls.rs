//! The rows of a turn that are about functions and about the answer's form: the calls with a field for each result,
//! the results that were sent, and whether the JSON is what was asked for.

use egui::{
    Button, CornerRadius, Frame, Key, Label, Modifiers, RichText, Role, ScrollArea, TextEdit,
    TextStyle, Ui, WidgetInfo,
};

use crate::domain::conversation::{ToolCall, ToolResult};
use crate::domain::json::Checked;
use crate::domain::units;
use crate::state::chat::{Answer, NOT_ANSWERED, Turn};
use crate::ui::theme::{self, GAP, GRID};
use crate::ui::widgets::{MARGIN, caption, dot, from_right, shortened, small_button, tokens};

/// Higher arguments and results are scrolled.
const HIGHEST: f32 = 200.0;

/// The actions on the calls in a frame.
#[derive(Default)]
pub(super) struct CallsOutcome {
    /// The result of a call was typed.
    pub(super) typed: Option<(usize, String)>,
    /// The results are to be sent.
    pub(super) send: bool,
    /// These arguments are to be copied.
    pub(super) copy: Option<String>,
}

/// The calls of an answer. `answers`: their results can be typed here.
pub(super) fn calls_ui(ui: &mut Ui, turn: &Turn, answers: bool, typed: &[String]) -> CallsOutcome {
    let answer = &turn.answer;
    let mut done = CallsOutcome::default();
    let fields = if answers {
        answer.answerable().len()
    } else {
        0
    };
    let mut entered = false;
    for at in 0..answer.reply.calls.len() {
        if at > 0 {
            ui.add_space(GAP);
        }
        let name = name_of(&answer.reply.calls, at);
        frame(ui).show(ui, |ui| {
            ui.set_width(ui.available_width());
            call_ui(ui, answer, at, &name, &mut done);
            if at < fields {
                let mut text = typed.get(at).cloned().unwrap_or_default();
                let label = caption(ui, format!("Result of {name}"));
                let scroll = ScrollArea::vertical()
                    .id_salt(("result", at))
                    .max_height(HIGHEST);
                scroll.show(ui, |ui| {
                    let id = ui.make_persistent_id(("result field", at));
                    let edit = TextEdit::multiline(&mut text)
                        .id(id)
                        .font(TextStyle::Monospace)
                        .desired_rows(2)
                        .desired_width(f32::INFINITY)
                        .margin(MARGIN)
                        .hint_text("Function result: JSON or text");
                    entered |= ui.memory(|memory| memory.has_focus(id))
                        && ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter));
                    let field = ui.add(edit).labelled_by(label.id);
                    if field.changed() {
                        done.typed = Some((at, text.clone()));
                    }
                });
            }
        });
    }
    if fields > 0 {
        ui.add_space(GAP);
        let empty = (0..fields)
            .filter(|at| typed.get(*at).is_none_or(|text| text.trim().is_empty()))
            .count();
        send_ui(ui, turn.id, (fields, empty), entered, &mut done);
    } else if answer.status_is_final() && answer.answerable().is_empty() {
        let warning = tokens(ui).warning;
        let text = "The answer ended inside a function call's arguments, so it cannot take a result. Regenerate the answer";
        ui.add(Label::new(RichText::new(text).small().color(warning)).wrap());
    }
    done
}

/// The name of a call, numbered where several have the same.
fn name_of(calls: &[ToolCall], at: usize) -> String {
    let name = if calls[at].name.is_empty() {
        "(no name)"
    } else {
        &calls[at].name
    };
    let before = calls[..at]
        .iter()
        .filter(|call| call.name == calls[at].name)
        .count();
    if before == 0 {
        name.to_owned()
    } else {
        format!("{name} · {}", before + 1)
    }
}

fn frame(ui: &Ui) -> Frame {
    Frame::new()
        .fill(tokens(ui).sunken)
        .corner_radius(CornerRadius::same(4))
        .inner_margin(theme::margin(2, 1))
}

fn call_ui(ui: &mut Ui, answer: &Answer, at: usize, name: &str, done: &mut CallsOutcome) {
    let tokens = tokens(ui);
    let call = &answer.reply.calls[at];
    let form = answer.form.calls.get(at);
    let shown = form.map_or(call.arguments.as_str(), |form| &form.shown);
    ui.spacing_mut().item_spacing.y = GRID;
    ui.horizontal(|ui| {
        caption(ui, "Function call");
        let room = ui.available_width() - 60.0;
        shortened(ui, name, TextStyle::Monospace, tokens.text, room);
        from_right(ui, |ui| {
            let copy = small_button(ui, "Copy");
            copy.widget_info(|| {
                WidgetInfo::labeled(Role::Button, true, format!("Copy arguments of {name}"))
            });
            if copy.clicked() {
                done.copy = Some(shown.to_owned());
            }
        });
    });
    mono(
        ui,
        ("arguments", at),
        if shown.trim().is_empty() {
            "(no arguments)"
        } else {
            shown
        },
        tokens.dim,
    );
    if let Some(told) = form.and_then(|form| form.check.told()) {
        ui.add(Label::new(RichText::new(told).small().color(tokens.warning)).wrap());
    }
}

/// Longer texts are cut: laying them out would take too long for a frame.
const MOST_SHOWN: usize = 20_000;

/// Code in the small monospaced letters, scrolled where it is high. Of what is long, the beginning.
fn mono(ui: &mut Ui, id: impl egui::AsIdSalt, text: &str, color: egui::Color32) {
    ScrollArea::vertical()
        .id_salt(id)
        .max_height(HIGHEST)
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            let shown = &text[..text.floor_char_boundary(MOST_SHOWN)];
            let label = RichText::new(shown)
                .text_style(theme::small_figure_text())
                .color(color);
            ui.add(Label::new(label).wrap().selectable(true));
            if shown.len() < text.len() {
                let (shown, all) = (units::bytes(shown.len()), units::bytes(text.len()));
                caption(ui, format!("Showing the first {shown} of {all}"));
            }
        });
}

/// Sends all results; empty ones only when they are meant.
fn send_ui(
    ui: &mut Ui,
    turn: u64,
    (all, empty): (usize, usize),
    entered: bool,
    done: &mut CallsOutcome,
) {
    let id = ui.make_persistent_id(("send empty results", turn));
    let mut asked = empty > 0 && ui.data(|data| data.get_temp::<bool>(id)).unwrap_or(false);
    ui.horizontal_wrapped(|ui| {
        if asked {
            let warning = tokens(ui).warning;
            let text = match (empty, all) {
                (_, 1) => "The result is empty".to_owned(),
                (n, all) if n == all => "All results are empty".to_owned(),
                (n, all) => format!("{n} of {all} results are empty"),
            };
            ui.label(RichText::new(text).small().color(warning));
            let leaves = ui.button("Cancel").clicked();
            done.send = ui.button("Send empty results").clicked();
            asked = !leaves && !done.send;
        } else {
            let label = if all == 1 {
                "Send result"
            } else {
                "Send results"
            };
            let label = if empty > 0 {
                format!("{label}…")
            } else {
                label.to_owned()
            };
            let pressed = ui
                .add(Button::new(label))
                .on_hover_text("Ctrl+Enter")
                .clicked()
                || entered;
            asked = pressed && empty > 0;
            done.send = pressed && empty == 0;
            match all {
                1 => {}
                2 => {
                    caption(ui, "Both results are sent together");
                }
                all => {
                    caption(ui, format!("All {all} results are sent together"));
                }
            }
        }
    });
    ui.data_mut(|data| data.insert_temp(id, asked));
}

/// The results that were sent.
pub(super) fn results_ui(ui: &mut Ui, results: &[ToolResult]) {
    let tokens = tokens(ui);
    for (at, result) in results.iter().enumerate() {
        if at > 0 {
            ui.add_space(GAP);
        }
        frame(ui).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = GRID;
            let name = if result.name.is_empty() {
                "the function"
            } else {
                &result.name
            };
            let label = caption(ui, format!("Result of {name}"));
            label.widget_info(|| {
                WidgetInfo::labeled(Role::Label, true, format!("Result of {name} that was sent"))
            });
            match result.content.as_str() {
                NOT_ANSWERED => {
                    caption(ui, NOT_ANSWERED);
                }
                "" => {
                    caption(ui, "(empty)");
                }
                text => mono(ui, ("result", at), text, tokens.text),
            }
        });
    }
}

/// A button beside the result of a format check.
pub(super) enum FormatButton {
    /// Switch between the raw and the formatted answer.
    Turn,
    /// Copy its JSON.
    Copy,
}

/// Whether the answer has the form that was asked for. `raw`: it is shown as it came; `None` where that is the same.
pub(super) fn checked_ui(
    ui: &mut Ui,
    checked: &Checked,
    has_json: bool,
    raw: Option<bool>,
) -> Option<FormatButton> {
    let tokens = tokens(ui);
    let color = match (checked.holds(), checked.fails()) {
        (true, _) => tokens.ok,
        (_, true) => tokens.error,
        _ => tokens.warning,
    };
    let mut pressed = None;
    ui.spacing_mut().item_spacing.y = GRID;
    ui.horizontal(|ui| {
        dot(ui, color);
        let buttons = if has_json { 76.0 } else { 0.0 } + if raw.is_some() { 92.0 } else { 0.0 };
        ui.allocate_ui(
            egui::vec2((ui.available_width() - buttons).max(60.0), 16.0),
            |ui| {
                ui.add(Label::new(RichText::new(checked.told()).small().color(color)).wrap());
            },
        );
        from_right(ui, |ui| {
            if has_json && small_button(ui, "Copy JSON").clicked() {
                pressed = Some(FormatButton::Copy);
            }
            if let Some(raw) = raw
                && small_button(ui, if raw { "Formatted" } else { "Raw" }).clicked()
            {
                pressed = Some(FormatButton::Turn);
            }
        });
    });
    let (first, more) = checked.violations();
    for violation in first {
        let text = RichText::new(violation.to_string())
            .text_style(theme::small_figure_text())
            .color(tokens.dim);
        ui.add(Label::new(text).wrap());
    }
    if more > 0 {
        caption(ui, format!("and {more} more"));
    }
    pressed
}
