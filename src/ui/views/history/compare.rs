//! The comparison of sessions with a baseline: its verdict, the table, differences, and charts.

mod rows;
mod verdicts;

use egui::{Label, RichText, Role, ScrollArea, Ui, WidgetInfo};

use self::rows::{has_both, rows_ui};
use self::verdicts::Shown;

use super::legend::legend_ui;
use super::lines::{self, Sheet, level_names};
use super::names;
use super::parts::{chosen, dim, failures_ui, sheets};
use super::toolbar::least_change_ui;
use crate::chart::levels::{self, Timing};
use crate::domain::units;
use crate::metrics::compare::{Comparison, Difference, Row};
use crate::protocol::Command;
use crate::state::State;
use crate::state::action::{Action, Actions};
use crate::state::history::{HistoryAction, headline};
use crate::ui::chart::{pair, timing_ui};
use crate::ui::picture::Photographer;
use crate::ui::theme::{self, GRID};
use crate::ui::widgets::{
    Choice, Section, caption, card, failure_box, from_right, page_head, picker, shortened,
    small_button, strong, tokens, warning_box,
};

/// What is chosen in the comparison.
#[derive(Default)]
pub(super) struct CompareUi {
    /// Which of the others is compared with the baseline, from 0.
    other: usize,
    /// The level whose distribution is shown; `None` for the first.
    level: Option<String>,
    timing: Timing,
    /// The table has only this level.
    only: Option<String>,
    /// The table has only these verdicts.
    shown: Shown,
}

/// Draws the comparison over the whole page; gives whether to go back.
pub(super) fn show(
    ui: &mut Ui,
    page: &mut CompareUi,
    photographer: &mut Photographer,
    state: &State,
    out: &mut Actions,
) -> bool {
    page_head(ui, "History", "Compare runs");
    let mut back = false;
    ui.horizontal(|ui| {
        back = ui.button("Back").on_hover_text("Escape").clicked();
        let title = format!(
            "{} compared",
            units::counted(state.history.chosen.len(), "session")
        );
        strong(ui, title);
        from_right(ui, |ui| {
            if small_button(ui, "Copy table").clicked()
                && let Some(comparison) = state.history.comparison.value()
            {
                out.push(Command::Copy {
                    what: "Comparison".to_owned(),
                    text: written(comparison),
                });
            }
            let mut settings = state.environments.settings.history;
            if least_change_ui(ui, &mut settings.least_change) {
                out.push(Action::SetHistorySettings(settings));
            }
        });
    });
    want_comparison(state, out);
    let sessions = chosen(state, out);
    photographer.of_kept(sessions.iter().map(|(_, it)| &it.row));
    ScrollArea::vertical()
        .id_salt("comparison")
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            let sheets = sheets(&sessions, state);
            if let Some(id) = legend_ui(ui, state, &sheets) {
                out.push(HistoryAction::PutFirst(id));
                page.other = 0;
            }
            failures_ui(ui, state);
            card(ui).show(ui, |ui| {
                ui.set_width(ui.available_width());
                whole_ui(ui, page, state, out);
            });
            if let Some(comparison) = state.history.comparison.value() {
                differences_ui(ui, comparison);
            }
            let height = 158.0;
            pair(
                ui,
                photographer,
                [
                    &mut |ui, p| lines::chart_ui(ui, p, &sheets, levels::ttft, height),
                    &mut |ui, p| lines::chart_ui(ui, p, &sheets, levels::tokens, height),
                ],
            );
            let names = level_names(&sheets);
            let level = page.level.clone().filter(|level| names.contains(level));
            let level = level
                .or_else(|| common(&names, &sheets))
                .unwrap_or_default();
            let timing = page.timing;
            distribution_head_ui(ui, page, &names, &level);
            pair(
                ui,
                photographer,
                [
                    &mut |ui, p| lines::share_ui(ui, p, &sheets, (&level, timing), height),
                    &mut |ui, p| lines::chart_ui(ui, p, &sheets, levels::knee, height),
                ],
            );
        });
    back
}

pub(super) fn want_comparison(state: &State, out: &mut Actions) {
    let least_change = state.environments.settings.history.least_change;
    out.push(HistoryAction::WantComparison { least_change });
}

/// The first of the levels that most sessions have.
fn common(names: &[String], sheets: &[Sheet<'_>]) -> Option<String> {
    let having = |name: &String| {
        let has = |sheet: &&Sheet<'_>| sheet.report.levels.iter().any(|level| level.label == *name);
        sheets.iter().filter(has).count()
    };
    // The last of equals, counted from the end, is the first.
    names.iter().rev().max_by_key(|name| having(name)).cloned()
}

fn distribution_head_ui(ui: &mut Ui, page: &mut CompareUi, names: &[String], level: &str) {
    ui.horizontal(|ui| {
        caption(ui, "Distribution of");
        timing_ui(ui, &mut page.timing);
        caption(ui, "at");
        if let Some(name) = picker(ui, "Level", Some(level), None, 110.0, &plain(names)) {
            page.level = Some(name);
        }
    });
}

fn plain(names: &[String]) -> [Section<'_>; 1] {
    let choices = names.iter().map(|name| Choice::plain(name)).collect();
    [Section {
        heading: "",
        choices,
    }]
}

fn differences_ui(ui: &mut Ui, comparison: &Comparison) {
    let told = |difference: &Difference| {
        format!(
            "{}: {}",
            difference.what,
            difference.values.join(" against ")
        )
    };
    let (grave, light): (Vec<_>, Vec<_>) = comparison
        .differences
        .iter()
        .partition(|difference| difference.grave);
    if !grave.is_empty() {
        let mut lines = vec!["Different conditions".to_owned()];
        lines.extend(grave.into_iter().map(told));
        warning_box(ui, &lines.join("\n"));
    }
    if !light.is_empty() {
        let lines: Vec<String> = light.into_iter().map(told).collect();
        card(ui).show(ui, |ui| {
            ui.set_width(ui.available_width());
            caption(ui, "Other differences");
            ui.add(Label::new(lines.join("\n")).wrap());
        });
    }
}

/// The rows of the whole session and of its first level.
pub(super) fn brief_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    let Some(comparison) = comparison_ui(ui, state, out) else {
        return;
    };
    title_ui(ui, &names(state), 0);
    dim(ui, &headline(&comparison), ui.available_width());
    let grave: Vec<&str> = comparison
        .differences
        .iter()
        .filter(|difference| difference.grave)
        .map(|difference| difference.what.as_str())
        .collect();
    if !grave.is_empty() {
        let warning = tokens(ui).warning;
        let text = format!("Different conditions: {}", grave.join(", "));
        ui.add(Label::new(RichText::new(text).small().color(warning)).wrap());
    }
    let both = |row: &&Row| has_both(row, 0);
    let first = comparison
        .rows
        .iter()
        .filter(both)
        .find(|row| !row.level.is_empty());
    let first = first.map(|row| row.level.as_str());
    let rows = |row: &&Row| row.level.is_empty() || Some(row.level.as_str()) == first;
    let rows: Vec<&Row> = comparison.rows.iter().filter(both).filter(rows).collect();
    rows_ui(ui, &rows, 0, "this run");
}

fn whole_ui(ui: &mut Ui, page: &mut CompareUi, state: &State, out: &mut Actions) {
    let Some(comparison) = comparison_ui(ui, state, out) else {
        return;
    };
    let others = comparison.labels.len().saturating_sub(1);
    page.other = page.other.min(others.saturating_sub(1));
    let names = names(state);
    page.shown.show(ui, &comparison, page.other);
    title_ui(ui, &names, page.other);
    let mut levels: Vec<String> = Vec::new();
    for row in &comparison.rows {
        if !row.level.is_empty() && !levels.contains(&row.level) {
            levels.push(row.level.clone());
        }
    }
    ui.horizontal(|ui| {
        super::filters::any_of(ui, "Levels", "All levels", &levels, &mut page.only, 130.0);
        if others > 1 {
            for (n, label) in names.iter().skip(1).enumerate() {
                let on = page.other == n;
                let button = ui.add(egui::Button::selectable(on, RichText::new(label).small()));
                button.widget_info(|| {
                    WidgetInfo::selected(Role::RadioButton, true, on, format!("Against {label}"))
                });
                if button.clicked() {
                    page.other = n;
                }
            }
        }
    });
    let fits = |row: &&Row| {
        has_both(row, page.other) && page.only.as_ref().is_none_or(|only| row.level == *only)
    };
    let mut rows: Vec<&Row> = comparison.rows.iter().filter(fits).collect();
    let all = rows.len();
    rows.retain(|row| {
        let cell = row.others.get(page.other);
        cell.is_some_and(|cell| page.shown.has(cell.verdict))
    });
    let label = names.get(page.other + 1).map_or("", String::as_str);
    rows_ui(ui, &rows, page.other, label);
    page.shown.hidden_ui(ui, all - rows.len());
    ui.add_space(GRID);
    for remark in &comparison.remarks {
        let dim = tokens(ui).dim;
        ui.add(Label::new(RichText::new(remark).small().color(dim)).wrap());
    }
}

/// The comparison, or what stands in its place.
fn comparison_ui(
    ui: &mut Ui,
    state: &State,
    out: &mut Actions,
) -> Option<std::sync::Arc<Comparison>> {
    let comparison = &state.history.comparison;
    if let Some(failure) = comparison.failure() {
        failure_box(ui, "comparison", failure, None);
        if small_button(ui, "Try again").clicked() {
            let least_change = state.environments.settings.history.least_change;
            out.push(HistoryAction::CompareAgain { least_change });
        }
        return None;
    }
    if comparison.is_loading() {
        ui.horizontal(|ui| {
            ui.spinner();
            caption(ui, "Comparing…");
        });
    }
    let ids: Vec<&str> = state
        .history
        .chosen
        .iter()
        .map(|id| id.0.as_str())
        .collect();
    // One of other sessions would be read as of these.
    let comparison = comparison.value()?;
    let same =
        comparison.sessions.is_empty() || comparison.sessions.iter().map(String::as_str).eq(ids);
    same.then(|| comparison.clone())
}

fn title_ui(ui: &mut Ui, names: &[String], other: usize) {
    let width = ui.available_width();
    let baseline = names.first().map_or("", String::as_str);
    let this = names.get(other + 1).map_or("", String::as_str);
    let title =
        format!("{this} compared with the baseline {baseline} (Mann–Whitney, 95 % interval)");
    let text = tokens(ui).text;
    shortened(ui, &title, theme::strong_text(), text, width);
}

/// The table with tabs, for a spreadsheet.
fn written(comparison: &Comparison) -> String {
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut lines = vec![
        "model\tlevel\tfigure\tunit\tsession\tbaseline\tvalue\tchange\tlow\thigh\tp\tverdict"
            .to_owned(),
    ];
    for row in &comparison.rows {
        for (cell, label) in row.others.iter().zip(comparison.labels.iter().skip(1)) {
            let Row {
                model,
                level,
                figure,
                unit,
                baseline,
                ..
            } = row;
            let [low, high] = cell
                .interval
                .map_or([None, None], |[low, high]| [Some(low), Some(high)]);
            let verdict = cell.verdict.word();
            lines.push(format!(
                "{model}\t{level}\t{figure}\t{unit}\t{label}\t{}\t{}\t{}\t{}\t{}\t{}\t{verdict}",
                number(*baseline),
                number(cell.value),
                number(cell.change),
                number(low),
                number(high),
                number(cell.p)
            ));
        }
    }
    lines.join("\n") + "\n"
}
