//! the checks as they end.

use egui::{Button, Label, Response, RichText, Role, ScrollArea, Ui, WidgetInfo, vec2};

use crate::domain::command_line::by_name;
use crate::domain::units;
use crate::protocol::{Check, Command, Verdict};
use crate::state::State;
use crate::state::action::{Actions, EnvironmentAction};
use crate::ui::theme::{self, GAP, GRID, HALF};
use crate::ui::views::paragraphs::long_text;
use crate::ui::views::waiting::waiting_ui;
use crate::ui::widgets::{
    caption, details_ui, dot, failure_box, from_right, primary_button, shortened, small_button,
    strong, tokens,
};

pub(super) fn check_button_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    let running = state.connection().checks.running;
    match running {
        Some(job) => {
            if ui
                .add(Button::new("Cancel checks").min_size(vec2(110.0, 28.0)))
                .clicked()
            {
                out.push(Command::Cancel { job });
            }
        }
        None => {
            let again = if state.connection().checks.done.is_empty() {
                "Run checks"
            } else {
                "Run checks again"
            };
            let primary = state.env().demo;
            let clicked = if primary {
                primary_button(ui, again, true).clicked()
            } else {
                ui.add(Button::new(again).min_size(vec2(110.0, 28.0)))
                    .clicked()
            };
            if clicked {
                out.push(EnvironmentAction::Check);
            }
        }
    }
}

pub(super) fn checks_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    ui.horizontal(|ui| {
        strong(ui, "Checks");
        if state.connection().checks.running.is_some() {
            ui.spinner();
        }
        if !state.env().demo {
            from_right(ui, |ui| check_button_ui(ui, state, out));
        }
    });
    ScrollArea::vertical().id_salt("checks").auto_shrink([false, false]).show(ui, |ui| {
        ui.set_width(ui.available_width() - 4.0);
        if let Some(trouble) = &state.connection().trouble {
            failure_box(ui, "place", trouble, None);
        }
        waiting_ui(ui, state, &state.env().id, out);
        let checks = &state.connection().checks;
        if checks.done.is_empty() && checks.running.is_none() {
            caption(
                ui,
                "Run checks to test kubectl, the cluster, the API and the key. Each failed check says what to do",
            );
            return;
        }
        for (n, check) in checks.done.iter().enumerate() {
            check_ui(ui, n, check, out);
        }
    });
}

/// The whole of a text whose program is shown by its name.
fn with_folders(shown: Response, whole: &str) {
    if by_name(whole) != whole {
        shown.on_hover_text(whole);
    }
}

fn check_ui(ui: &mut Ui, n: usize, check: &Check, out: &mut Actions) {
    let tokens = tokens(ui);
    let (color, word) = match check.verdict {
        Verdict::Good => (tokens.ok, "good"),
        Verdict::Warning => (tokens.warning, "warning"),
        Verdict::Bad => (tokens.error, "failed"),
        Verdict::Skipped => (tokens.faint, "skipped"),
    };
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| {
            ui.add_space(GRID);
            dot(ui, color);
        });
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = HALF;
            let width = ui.available_width();
            let title = shortened(ui, &check.title, theme::strong_text(), tokens.text, width);
            title.widget_info(|| {
                WidgetInfo::labeled(Role::Label, true, format!("{}: {word}", check.title))
            });
            let took = check
                .took
                .map(|took| format!(" · {}", units::duration(took)))
                .unwrap_or_default();
            let dim = tokens.dim;
            let finding = ui.scope(|ui| {
                long_text(ui, &format!("{}{took}", by_name(&check.finding)), |text| {
                    RichText::new(text).small().color(dim)
                });
            });
            with_folders(finding.response, &check.finding);
            if !check.advice.is_empty() {
                long_text(ui, &check.advice, |text| RichText::new(text).small());
            }
            if !check.command.is_empty() {
                let shown = by_name(&check.command);
                let command = RichText::new(shown).text_style(theme::small_figure_text());
                with_folders(ui.add(Label::new(command).wrap()), &check.command);
                if small_button(ui, "Copy command").clicked() {
                    out.push(Command::Copy {
                        what: "Command".to_owned(),
                        text: check.command.clone(),
                    });
                }
            }
            details_ui(ui, &format!("check {n}"), &check.details);
        });
    });
    ui.add_space(GAP);
}
