//! What can be done with the sessions that are selected, and what is kept of them all.

use egui::{Checkbox, DragValue, Popup, PopupCloseBehavior, Role, Ui, WidgetInfo};

use super::PageOutcome;
use super::filters::{self, FiltersUi};
use super::parts::Question;
use crate::domain::history::ExportFormat;
use crate::domain::units;
use crate::state::State;
use crate::state::action::{Action, Actions};
use crate::state::history::{Clock, HistoryAction, days_before};
use crate::ui::theme::GRID;
use crate::ui::widgets::{
    caption, danger_button, from_right, primary_button, small_button, small_danger_button, strong,
};

pub(super) fn show(
    ui: &mut Ui,
    filters: &mut FiltersUi,
    state: &State,
    outcome: &mut PageOutcome,
    out: &mut Actions,
) {
    let wide = ui.available_width() > 900.0;
    let mut filter = state.history.filter.clone();
    ui.horizontal(|ui| {
        filters::show(ui, filters, &mut filter, wide);
        if wide {
            from_right(ui, |ui| actions_ui(ui, state, outcome, out));
        }
    });
    if !wide {
        ui.horizontal(|ui| from_right(ui, |ui| actions_ui(ui, state, outcome, out)));
    }
    filters::rest_ui(ui, filters, &mut filter, state.history.rows.facets());
    if filter != state.history.filter {
        out.push(HistoryAction::Filter(Box::new(filter)));
    }
}

fn actions_ui(ui: &mut Ui, state: &State, outcome: &mut PageOutcome, out: &mut Actions) {
    let chosen = state.history.chosen.len();
    let label = if chosen > 1 {
        format!("Compare {chosen}")
    } else {
        "Compare".to_owned()
    };
    let compare = primary_button(ui, &label, chosen > 1);
    outcome.compare |= compare
        .on_hover_text("Space adds the selected benchmark to the comparison (at most six)")
        .on_disabled_hover_text("Check two to six benchmarks in the table, or press Space on them")
        .clicked();
    let meant = state.history.meant();
    let one = state.history.selected().cloned().filter(|_| chosen < 2);
    let one = one.or_else(|| {
        state
            .history
            .chosen
            .first()
            .cloned()
            .filter(|_| chosen == 1)
    });
    let row = one.as_ref().and_then(|id| state.history.row_of(id));
    let is_baseline = row.is_some_and(|row| row.baseline);
    let can = row.is_some_and(|row| row.kind == crate::domain::history::SessionKind::Bench);
    let label = if is_baseline {
        "Clear baseline"
    } else {
        "Use as baseline"
    };
    let help = "New runs of the same models on the same deployments are compared with the baseline as soon as they end";
    ui.add_enabled_ui(can, |ui| {
        if ui.button(label).on_hover_text(help).clicked()
            && let Some(id) = &one
        {
            out.push(HistoryAction::SetBaseline(id.clone(), !is_baseline));
        }
    });
    let export = ui.add_enabled(!meant.is_empty(), egui::Button::new("Export…"));
    export.widget_info(|| WidgetInfo::labeled(Role::Button, !meant.is_empty(), "Export"));
    let many = units::counted(meant.len(), "session");
    Popup::menu(&export).width(170.0).show(|ui| {
        caption(ui, format!("{many} as"));
        for format in ExportFormat::ALL {
            if ui.button(format.name()).clicked() {
                out.push(HistoryAction::Export(format));
            }
        }
    });
    if danger_button(ui, "Delete…", !meant.is_empty()).clicked() {
        outcome.question = Some(Question::Delete(meant));
    }
    if ui
        .button("Import…")
        .on_hover_text("Result files of Batida, guidellm, aiperf, genai-perf, vLLM and SGLang")
        .clicked()
    {
        out.push(HistoryAction::Import);
    }
}

/// What the store holds, and what is to become of it.
pub(super) fn foot_ui(
    ui: &mut Ui,
    state: &State,
    clock: Clock,
    outcome: &mut PageOutcome,
    out: &mut Actions,
) {
    ui.horizontal(|ui| {
        let rows = &state.history.rows;
        let total = usize::try_from(rows.total().unwrap_or(0)).unwrap_or(usize::MAX);
        let shown = if state.history.filter.is_open() {
            ""
        } else {
            " found"
        };
        caption(
            ui,
            format!(
                "{}{shown} · {} kept · {} on disk",
                units::counted(total, "session"),
                units::counted(
                    usize::try_from(rows.requests()).unwrap_or(usize::MAX),
                    "request"
                ),
                bytes(rows.bytes())
            ),
        );
        from_right(ui, |ui| {
            ui.spacing_mut().item_spacing.x = GRID;
            let older = small_danger_button(ui, "Delete older than…", true);
            Popup::menu(&older).width(190.0).show(|ui| {
                for (days, name) in [(30, "30 days"), (90, "90 days"), (365, "A year")] {
                    if ui.button(name).clicked() {
                        let until = days_before(clock.today, days);
                        out.push(HistoryAction::CountOlder(until));
                        outcome.question = Some(Question::Older);
                    }
                }
                if ui.button("Other age…").clicked() {
                    outcome.question = Some(Question::OlderThan("180".to_owned()));
                }
            });
            let kept = small_button(ui, "Data retention");
            Popup::menu(&kept)
                .width(300.0)
                .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
                .show(|ui| {
                    kept_ui(ui, state, out);
                });
            if rows_are_loading(state) {
                ui.add(egui::Spinner::new().size(12.0));
            }
        });
    });
}

fn rows_are_loading(state: &State) -> bool {
    state.history.rows.is_loading()
}

fn kept_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    let mut settings = state.environments.settings.history;
    strong(ui, "Data retention");
    caption(
        ui,
        "Figures and plans are always kept, on this computer only. Keys are never kept",
    );
    ui.add(Checkbox::new(
        &mut settings.chat_texts,
        "Prompts and answers of chats",
    ));
    ui.add(Checkbox::new(
        &mut settings.bench_texts,
        "Prompts and answers of benchmarks",
    ));
    caption(
        ui,
        "You cannot read or continue a chat whose texts are not kept",
    );
    least_change_ui(ui, &mut settings.least_change);
    if settings != state.environments.settings.history {
        out.push(Action::SetHistorySettings(settings));
    }
}

/// The smallest change that matters; gives whether it was changed.
pub(super) fn least_change_ui(ui: &mut Ui, least_change: &mut f64) -> bool {
    const NAME: &str = "Smallest meaningful change";
    let mut percent = *least_change * 100.0;
    ui.horizontal(|ui| {
        let value = DragValue::new(&mut percent)
            .range(0.0..=50.0)
            .speed(0.1)
            .max_decimals(1)
            .suffix(" %");
        // From the right the last comes first.
        let value = if ui.layout().prefer_right_to_left() {
            let value = ui.add(value);
            value.labelled_by(caption(ui, NAME).id)
        } else {
            let name = caption(ui, NAME);
            ui.add(value).labelled_by(name.id)
        };
        value.on_hover_text("A smaller change is reported as no difference");
    });
    let share = (percent * 10.0).round() / 1_000.0;
    let changed = (share - *least_change).abs() > 1e-9;
    if changed {
        *least_change = share;
    }
    changed
}

/// `840 kB`, `12.3 MB`
fn bytes(bytes: u64) -> String {
    let value = bytes as f64;
    match value {
        v if v >= 1e9 => format!("{:.2} GB", v / 1e9),
        v if v >= 1e6 => format!("{:.1} MB", v / 1e6),
        v => format!("{:.0} kB", (v / 1e3).ceil()),
    }
}
