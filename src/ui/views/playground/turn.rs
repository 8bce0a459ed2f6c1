//! The rows of a turn that the transcript does not draw itself: who answers, why an answer is not whole, its
//! figures, and what can be done with it.

use std::borrow::Cow;
use std::time::Duration;

use egui::{
    Align, Button, Color32, CornerRadius, Frame, Label, Layout, RichText, Role, TextStyle, Ui,
    WidgetInfo,
};

use super::definitions::no_data;
use super::figures;
use crate::domain::units;
use crate::metrics::timeline::{AT_ONCE, Reasoning, TokenSource};
use crate::state::chat::{Act, Answer, AnswerStatus, Turn};
use crate::state::panes::Fastest;
use crate::state::redaction::Redaction;
use crate::ui::theme::{self, GRID, PAD};
use crate::ui::widgets::{
    caption, dot, failure_box, from_right, shortened, small_button, small_button_if, tokens,
};

/// Who answers; and which branch it is, with the ways to others. `can`: another branch can be gone to, and the
/// message can be changed.
pub(super) fn model_ui(
    ui: &mut Ui,
    (color, name): (Color32, &str),
    (branch, branches): (usize, usize),
    (idle, can_edit): (bool, bool),
) -> Option<Act> {
    let tokens = tokens(ui);
    let mut act = None;
    ui.horizontal(|ui| {
        dot(ui, color);
        let buttons = if can_edit { 44.0 } else { 0.0 } + if branches > 1 { 96.0 } else { 0.0 };
        let width = ui.available_width() - 8.0 - buttons;
        shortened(ui, name, TextStyle::Small, tokens.dim, width);
        from_right(ui, |ui| {
            ui.spacing_mut().item_spacing.x = GRID;
            let named = |ui: &mut Ui, enabled: bool, text: &str, name: &str| {
                let button = small_button_if(ui, enabled, text);
                button.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
                button.on_hover_text(name).clicked()
            };
            if can_edit && named(ui, idle, "Edit", "Edit message") {
                act = Some(Act::Edit(0));
            }
            if branches > 1 {
                if named(ui, idle && branch + 1 < branches, "›", "Next branch") {
                    act = Some(Act::Step(0, true));
                }
                let label = caption(ui, format!("{}/{branches}", branch + 1));
                let told = format!("Branch {} of {branches}", branch + 1);
                label.widget_info(|| WidgetInfo::labeled(Role::Label, true, &told));
                if named(ui, idle && branch > 0, "‹", "Previous branch") {
                    act = Some(Act::Step(0, false));
                }
            }
        });
    });
    act
}

pub(super) fn reasoning_title(answer: &Answer) -> String {
    match answer.reply.figures.reasoning {
        Some(Reasoning { tokens, time }) => {
            format!(
                "Reasoning · {} {} · {}",
                units::count(tokens.n),
                tokens.noun(),
                units::seconds(time)
            )
        }
        None => "Reasoning".to_owned(),
    }
}

/// In a blind vote, while one still answers: when an answer appears tells models apart.
pub(super) fn held_ui(ui: &mut Ui) {
    ui.horizontal(|ui| {
        ui.spinner();
        caption(ui, "Shown when all models have answered");
    });
}

/// A slow model and a stuck one look different: the time runs.
pub(super) fn waiting_ui(ui: &mut Ui, answer: &Answer, now: Duration) {
    ui.horizontal(|ui| {
        ui.spinner();
        let waited = units::seconds(now.saturating_sub(answer.asked_at));
        let what = match answer.reply.reasoning.is_empty() {
            _ if answer.queued => "Waiting for the previous pane",
            true => "Waiting for the first token",
            false => "Thinking",
        };
        caption(ui, format!("{what}, {waited}"));
    });
    ui.ctx().request_repaint_after(Duration::from_millis(100));
}

/// Why there is no answer, or not all of it; gives whether to ask again, or for the rest.
pub(super) fn notice_ui(
    ui: &mut Ui,
    turn: &Turn,
    (can_retry, can_continue): (bool, bool),
    redaction: Option<&Redaction>,
    now: Duration,
) -> Option<Act> {
    let answer = &turn.answer;
    let mut act = None;
    let continue_ui = |ui: &mut Ui| {
        let help = "Request the rest of this answer";
        can_retry && can_continue && small_button(ui, "Continue").on_hover_text(help).clicked()
    };
    match &answer.status {
        AnswerStatus::Failed(failure) => {
            let told = redaction.map_or(Cow::Borrowed(failure), |redaction| {
                redaction.failure(failure)
            });
            failure_box(ui, &format!("turn {}", turn.id), &told, None);
            ui.horizontal(|ui| {
                if can_retry && retry_button(ui, answer.wait_before_retry(now)) {
                    act = Some(Act::Again(0));
                }
                if continue_ui(ui) {
                    act = Some(Act::Continue);
                }
            });
        }
        _ => {
            let text = answer
                .empty_because()
                .or(answer.cut_because())
                .unwrap_or_default();
            ui.horizontal_wrapped(|ui| {
                let warning = tokens(ui).warning;
                ui.add(Label::new(RichText::new(text).small().color(warning)).wrap());
                if can_retry
                    && small_button(ui, "Retry")
                        .on_hover_text("Send the same request again")
                        .clicked()
                {
                    act = Some(Act::Again(0));
                }
                if continue_ui(ui) {
                    act = Some(Act::Continue);
                }
            });
        }
    }
    act
}

/// Asks again, once the time has come that the server asked to wait.
fn retry_button(ui: &mut Ui, wait: Option<Duration>) -> bool {
    let label = match wait {
        Some(wait) => {
            ui.ctx().request_repaint_after(Duration::from_millis(200));
            format!("Retry in {} s", wait.as_secs() + 1)
        }
        None => "Retry".to_owned(),
    };
    ui.add_enabled(wait.is_none(), Button::new(label))
        .on_hover_text("Send the same request again")
        .clicked()
}

/// A button below an answer.
pub(super) enum AnswerButton {
    /// The answer is to be copied.
    Copy,
    /// An action on the conversation.
    Do(Act),
}

/// Narrower lines of figures have their buttons below.
const WIDE: f32 = 440.0;

/// The room that our figures take with the server's.
const WITH_SERVER: f32 = 540.0;

/// In narrower panes the mark of the fastest has a line of its own above the buttons.
const MIN_SHARED_LINE: f32 = 420.0;
/// The room that the mark of the fastest takes.
const MARK: f32 = 200.0;

/// The line of figures, what it is the fastest in, and what can be done with the answer. `hidden`: figures would tell
/// models apart.
pub(super) fn figures_ui(
    ui: &mut Ui,
    answer: &Answer,
    (fastest, hidden): (Fastest, bool),
    (can_ask, idle): (bool, bool),
    now: Duration,
) -> Option<AnswerButton> {
    if hidden {
        let buttons = |ui: &mut Ui| answer_buttons(ui, answer, can_ask, idle);
        return ui.horizontal(|ui| from_right(ui, buttons)).inner;
    }
    let tokens = tokens(ui);
    let frame = Frame::new()
        .fill(tokens.sunken)
        .corner_radius(CornerRadius::same(4));
    let mut pressed = None;
    frame.inner_margin(theme::margin(2, 1)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = GRID;
        let mark = fastest.told().map_or(0.0, |_| MARK);
        if ui.available_width() > WIDE + mark {
            // The figures have the room that the buttons leave.
            ui.horizontal(|ui| {
                from_right(ui, |ui| {
                    pressed = answer_buttons(ui, answer, can_ask, idle);
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                        line_of_figures(ui, answer, Some(mark), now);
                        fastest_ui(ui, fastest);
                    });
                });
            });
        } else {
            line_of_figures(ui, answer, None, now);
            if answer.status_is_final() {
                let apart = ui.available_width() < MIN_SHARED_LINE;
                if apart {
                    fastest_ui(ui, fastest);
                }
                ui.horizontal(|ui| {
                    if !apart {
                        fastest_ui(ui, fastest);
                    }
                    from_right(ui, |ui| pressed = answer_buttons(ui, answer, can_ask, idle));
                });
            }
        }
        speed_note_ui(ui, answer, now);
    });
    pressed
}

/// Why there is no speed, or why it falls.
fn speed_note_ui(ui: &mut Ui, answer: &Answer, now: Duration) {
    if answer.silent_for(now).is_some() {
        ui.ctx().request_repaint_after(Duration::from_millis(200));
    }
    let note = match answer.stalled_for(now) {
        Some(silent) => no_data(silent),
        None if answer.reply.figures.at_once => AT_ONCE.to_owned(),
        None => return,
    };
    let warning = tokens(ui).warning;
    let label = ui.add(Label::new(RichText::new(&note).small().color(warning)).wrap());
    label.widget_info(|| WidgetInfo::labeled(Role::Label, true, &note));
}

fn fastest_ui(ui: &mut Ui, fastest: Fastest) {
    let Some(told) = fastest.told() else { return };
    let ok = tokens(ui).ok;
    let label = ui.label(RichText::new(format!("▲ {told}")).small().color(ok));
    label.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("Fastest: {told}")));
    label.on_hover_text(format!("Fastest in {told}\n{}", Fastest::RULE));
}

/// `mark`: the room to leave at its right, where it is one line; else it is wrapped.
fn line_of_figures(ui: &mut Ui, answer: &Answer, mark: Option<f32>, now: Duration) {
    let tokens = tokens(ui);
    let figures = &answer.reply.figures;
    let absent = || units::ABSENT.to_owned();
    let speed = answer.speed(now).map_or_else(
        || format!("{} tok/s", units::ABSENT),
        |rate| units::rate(rate).to_string(),
    );
    let chunks = figures
        .tokens
        .is_some_and(|tokens| tokens.source == TokenSource::Chunks);
    let speed = if chunks {
        speed.replace("tok/s", "chunks/s")
    } else {
        speed
    };
    let latency = figures.latency.map_or_else(
        || "…".to_owned(),
        |latency| units::seconds(latency).to_string(),
    );
    let latency = if figures.latency.is_none() && answer.status_is_final() {
        absent()
    } else {
        latency
    };
    let ttft = figures
        .ttft
        .map_or_else(absent, |ttft| units::duration(ttft).to_string());
    let mine = format!("{speed} · {latency} · TTFT {ttft}");
    let mut server = Vec::new();
    if let Some(theirs) = figures.server {
        server.extend(
            theirs
                .after_first_per_sec
                .map(|rate| units::rate(rate).to_string()),
        );
        server.extend(
            theirs
                .latency
                .map(|latency| units::seconds(latency).to_string()),
        );
        server.extend(
            theirs
                .ttft
                .map(|ttft| format!("TTFT {}", units::duration(ttft))),
        );
    }
    ui.spacing_mut().item_spacing.x = PAD;
    let width = ui.available_width();
    let style = theme::small_figure_text();
    // In a narrow pane the line breaks between figures, never before a unit.
    let drawn = mine.replace(' ', "\u{a0}").replace("\u{a0}·\u{a0}", " · ");
    let label = Label::new(
        RichText::new(drawn)
            .text_style(style.clone())
            .color(tokens.dim),
    );
    let label = ui.add(match mark {
        Some(_) => label.truncate(),
        None => label.wrap(),
    });
    label.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("Figures: {mine}")));
    label.on_hover_text(figures::told_in_full(figures));
    if !server.is_empty() && mark.is_some_and(|mark| width > WITH_SERVER + mark) {
        let text = format!("server {}", server.join(" · "));
        let label = ui
            .add(Label::new(RichText::new(text).text_style(style).color(tokens.faint)).truncate());
        label.on_hover_text(
            "Reported by the server. Excludes the network and the time queued at the gateway",
        );
    }
}

/// From the right.
fn answer_buttons(ui: &mut Ui, answer: &Answer, can_ask: bool, idle: bool) -> Option<AnswerButton> {
    ui.spacing_mut().item_spacing.x = GRID;
    let mut pressed = None;
    let mut button = |enabled: bool, text: &str, name: &str, help: &str, what: AnswerButton| {
        let button = small_button_if(ui, enabled, text);
        button.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
        if button.on_hover_text(help).clicked() {
            pressed = Some(what);
        }
    };
    button(
        !answer.reply.text.is_empty(),
        "Copy",
        "Copy answer",
        "Copy the answer to the clipboard",
        AnswerButton::Copy,
    );
    if can_ask {
        let help = "Continue from this answer on a new branch; later messages are kept";
        button(
            idle,
            "Branch",
            "Branch here",
            help,
            AnswerButton::Do(Act::Branch(0)),
        );
        let help = "Generate another answer; this one is kept as a branch";
        button(
            idle,
            "Regenerate",
            "Regenerate",
            help,
            AnswerButton::Do(Act::Again(0)),
        );
    }
    pressed
}
