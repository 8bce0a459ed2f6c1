//! The table of levels, as wide as there is room; copied and saved whole.

use egui::{
    Align2, CornerRadius, EventFilter, FontId, Key, Modifiers, Rect, Role, ScrollArea, Sense,
    TextStyle, Ui, WidgetInfo, pos2, vec2,
};

use super::{LevelChoice, figures, file_named};
use crate::domain::figures::{self as table_of_figures, Column, ERRORS, Metric};
use crate::domain::run::{LevelReport, OverRuns, RemarkKind, shown};
use crate::protocol::Command;
use crate::state::ModelColors;
use crate::state::action::Actions;
use crate::state::bench::Session;
use crate::ui::theme::{self, GAP, GRID, HALF, PAD};
use crate::ui::widgets::{
    caption, card, fit_middle, from_right, small_button, strong, tokens, warning_sign,
};

const ROW: f32 = 26.0;
const HEAD: f32 = 34.0;
const NARROWEST: f32 = 62.0;

pub(super) fn show(
    ui: &mut Ui,
    session: &Session,
    colors: &ModelColors,
    choice: &mut LevelChoice,
    compact: bool,
    out: &mut Actions,
) {
    let margin = if compact { GAP } else { PAD };
    card(ui).inner_margin(margin).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = HALF;
        ui.horizontal(|ui| {
            strong(ui, "Levels").on_hover_text(HINT);
            from_right(ui, |ui| {
                ui.spacing_mut().item_spacing.x = GRID;
                let can = !session.levels.is_empty();
                ui.add_enabled_ui(can, |ui| {
                    if small_button(ui, "Save as CSV").clicked() {
                        let content = figures::table(&session.levels, b',').into_bytes().into();
                        let name = format!("{}.csv", file_named(session, "levels"));
                        out.push(Command::SaveFile {
                            what: "Levels".to_owned(),
                            name,
                            content,
                        });
                    }
                });
                ui.add_enabled_ui(can, |ui| {
                    if small_button(ui, "Copy table").clicked() {
                        let text = figures::table(&session.levels, b'\t');
                        out.push(Command::Copy {
                            what: "Levels".to_owned(),
                            text,
                        });
                    }
                });
            });
        });
        if session.levels.is_empty() {
            caption(ui, "No figures yet: the first level is running");
            return;
        }
        rows_ui(ui, session, colors, choice, compact);
        if !compact {
            caption(ui, HINT);
        }
    });
}

const HINT: &str =
    "Click a level or press the arrow keys to show its figures; hover over it for its intervals";
/// So many rows are seen at once in a low window; half a row says that there are more.
const FEW_ROWS: f32 = 2.5;

/// The room of the sign beside a level's name, in points.
const MARK: f32 = 16.0;

type Columns = Vec<(&'static Metric, &'static Column)>;

/// Which columns there is room for.
fn fitting(width: f32, levels: &[LevelReport]) -> Columns {
    let room = (width / NARROWEST) as usize;
    let all = table_of_figures::columns_of(levels.iter());
    let mut ranks: Vec<u8> = all.iter().map(|(_, column)| column.rank).collect();
    ranks.sort_unstable();
    let highest = ranks
        .get(room.saturating_sub(1))
        .copied()
        .unwrap_or(u8::MAX);
    all.into_iter()
        .filter(|(_, column)| column.rank <= highest)
        .collect()
}

/// Where the columns stand, and in which fonts.
struct Grid {
    columns: Columns,
    /// Several models are measured: a level's name begins with its model.
    several: bool,
    /// The width of the levels' names, and of each figure.
    first: f32,
    each: f32,
    small: FontId,
    digits: FontId,
}

impl Grid {
    fn of(ui: &Ui, session: &Session) -> Self {
        let several = session.plan.targets.len() > 1;
        let width = ui.available_width() - 8.0;
        let name = if several {
            (width * 0.22).clamp(110.0, 240.0)
        } else {
            64.0
        };
        let first = name + MARK;
        let columns = fitting(width - first, &session.levels);
        Self {
            each: (width - first) / columns.len().max(1) as f32,
            columns,
            several,
            first,
            small: TextStyle::Small.resolve(ui.style()),
            digits: theme::small_figure_text().resolve(ui.style()),
        }
    }

    /// The right end of a column in this row.
    fn right_of(&self, row: Rect, n: usize) -> f32 {
        row.left() + self.first + (n + 1) as f32 * self.each
    }

    /// The columns' names. A group's name stands above the first of its columns, and their own names below it.
    fn head_ui(&self, ui: &mut Ui) {
        let (head, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEAD), Sense::hover());
        let (painter, dim) = (ui.painter(), tokens(ui).dim);
        let [above, below] = [head.top() + 9.0, head.bottom() - 9.0];
        let left = pos2(head.left() + 8.0, below);
        painter.text(left, Align2::LEFT_CENTER, "level", self.small.clone(), dim);
        let mut group = "";
        for (n, (_, column)) in self.columns.iter().enumerate() {
            let write = |y: f32, text: &str| {
                let at = pos2(self.right_of(head, n), y);
                painter.text(at, Align2::RIGHT_CENTER, text, self.small.clone(), dim);
            };
            if column.group != group {
                write(above, column.group);
            }
            group = column.group;
            write(below, &column.name);
        }
    }

    /// A level's name in the colour of its model, and a sign if there is something to look at.
    fn name_ui(
        &self,
        ui: &Ui,
        row: Rect,
        report: &LevelReport,
        colors: &ModelColors,
        marked: bool,
    ) {
        let tokens = tokens(ui);
        let name = self.name_of(report);
        let shown = fit_middle(ui, &name, &TextStyle::Small, self.first - MARK - 10.0);
        let color = if self.several {
            tokens.model_color(colors.index(&report.model))
        } else {
            tokens.text
        };
        let at = pos2(row.left() + 8.0, row.center().y);
        let small = self.small.clone();
        ui.painter()
            .text(at, Align2::LEFT_CENTER, shown, small, color);
        if marked {
            warning_sign(ui, pos2(row.left() + self.first - 8.0, row.center().y));
        }
    }

    fn name_of(&self, report: &LevelReport) -> String {
        if self.several {
            format!("{} {}", report.model, report.name())
        } else {
            report.name()
        }
    }

    /// The means over the runs of a load.
    fn means_ui(&self, ui: &mut Ui, of: &OverRuns, colors: &ModelColors) {
        let (row, response) =
            ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
        let tokens = tokens(ui);
        ui.painter()
            .rect_filled(row, CornerRadius::same(4), tokens.raised);
        let model = if self.several { &*of.model } else { "" };
        let name = format!("{model} {}, mean", of.label);
        let shown = fit_middle(ui, name.trim(), &TextStyle::Small, self.first - 10.0);
        let color = if self.several {
            tokens.model_color(colors.index(&of.model))
        } else {
            tokens.text
        };
        let at = pos2(row.left() + 8.0, row.center().y);
        let small = self.small.clone();
        ui.painter()
            .text(at, Align2::LEFT_CENTER, shown, small, color);
        let mut spoken = vec![format!("{}, mean of {} runs", of.place(), of.runs)];
        for (n, (metric, column)) in self.columns.iter().enumerate() {
            let Some(figure) = of.figure(&metric.key) else {
                continue;
            };
            let at = pos2(self.right_of(row, n), row.center().y);
            let text = metric.print.value(Some(figure.mean));
            let digits = self.digits.clone();
            ui.painter()
                .text(at, Align2::RIGHT_CENTER, text, digits, tokens.text);
            let estimate = metric.print.estimate(figure.estimate());
            spoken.push(format!("{} {estimate}", column.title()));
        }
        let said = spoken.join(", ");
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &said));
        response.on_hover_text(spoken.join("\n"));
    }

    /// A level's figures. Gives them in words.
    fn figures_ui(&self, ui: &Ui, row: Rect, report: &LevelReport) -> Vec<String> {
        let tokens = tokens(ui);
        let mut spoken = Vec::new();
        for (n, (metric, column)) in self.columns.iter().enumerate() {
            let text = metric.text(report);
            let failed = metric.key == ERRORS && report.requests.failed > 0;
            let color = if failed { tokens.error } else { tokens.text };
            spoken.push(format!("{} {text}", column.title()));
            let at = pos2(self.right_of(row, n), row.center().y);
            let digits = self.digits.clone();
            ui.painter()
                .text(at, Align2::RIGHT_CENTER, text, digits, color);
        }
        spoken
    }
}

fn rows_ui(
    ui: &mut Ui,
    session: &Session,
    colors: &ModelColors,
    choice: &mut LevelChoice,
    compact: bool,
) {
    let grid = Grid::of(ui, session);
    grid.head_ui(ui);
    let mut rows = |ui: &mut Ui| {
        for report in shown(&session.plan, &session.levels) {
            row_ui(ui, &grid, report, colors, (session, choice));
        }
        for of in &session.over_runs {
            grid.means_ui(ui, of, colors);
        }
    };
    if compact {
        ScrollArea::vertical()
            .id_salt("levels")
            .max_height(FEW_ROWS * (ROW + 2.0))
            .show(ui, rows);
    } else {
        rows(ui);
    }
}

fn row_ui(
    ui: &mut Ui,
    grid: &Grid,
    report: &LevelReport,
    colors: &ModelColors,
    (session, choice): (&Session, &mut LevelChoice),
) {
    let (_, rect) = ui.allocate_space(vec2(ui.available_width(), ROW));
    let id = |level: usize| ui.make_persistent_id(("level", level));
    let response = ui.interact(rect, id(report.index), Sense::click());
    let is_shown = choice.shown(session) == Some(report.index);
    if is_shown || response.hovered() || response.has_focus() {
        let tokens = tokens(ui);
        ui.painter()
            .rect_filled(rect, CornerRadius::same(4), tokens.raised);
        if is_shown {
            let bar = rect.with_max_x(rect.left() + 3.0);
            ui.painter()
                .rect_filled(bar, CornerRadius::same(1), tokens.accent);
        }
    }
    let remarks = report.remarks();
    let marked = remarks.iter().any(|it| it.kind != RemarkKind::Interval);
    grid.name_ui(ui, rect, report, colors, marked);
    let mut spoken = vec![grid.name_of(report)];
    spoken.extend(grid.figures_ui(ui, rect, report));
    spoken.extend(marked.then(|| format!("{} to look at", remarks.len())));
    let spoken = spoken.join(", ");
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_shown, &spoken));
    if response.clicked() {
        response.request_focus();
        choice.choose(report.index, session);
    }
    if response.has_focus() {
        let keys = EventFilter {
            vertical_arrows: true,
            ..EventFilter::default()
        };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, keys));
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        let steps = [(Key::ArrowDown, 1), (Key::ArrowUp, -1)];
        for (_, by) in steps.into_iter().filter(|(key, _)| pressed(*key)) {
            if let Some(level) = choice.step(by, session) {
                ui.memory_mut(|memory| memory.request_focus(id(level)));
            }
        }
    }
    response.on_hover_ui(|ui| {
        ui.set_max_width(560.0);
        let remarks = remarks.iter().map(|remark| remark.text.clone());
        let told = std::iter::once(figures::level(report)).chain(remarks);
        ui.label(told.collect::<Vec<_>>().join("\n"));
    });
}
