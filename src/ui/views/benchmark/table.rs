//! The table of levels, as wide as there is room; copied and saved whole.

use egui::{
    Align2, CornerRadius, FontId, Pos2, Rect, Role, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2,
};

use super::figures;
use crate::domain::figures::{COLUMNS, Column, ERRORS, Metric};
use crate::domain::run::{LevelEnd, LevelReport};
use crate::protocol::Command;
use crate::state::ModelColors;
use crate::state::action::Actions;
use crate::state::bench::Session;
use crate::ui::theme;
use crate::ui::widgets::{caption, card, fit_middle, from_right, small_button, strong, tokens};

const ROW: f32 = 26.0;
const HEAD: f32 = 34.0;
const NARROWEST: f32 = 62.0;

pub(super) fn show(
    ui: &mut Ui,
    session: &Session,
    colors: &ModelColors,
    level: &mut Option<usize>,
    out: &mut Actions,
) {
    card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.horizontal(|ui| {
            strong(ui, "Levels");
            from_right(ui, |ui| {
                ui.spacing_mut().item_spacing.x = 4.0;
                let can = !session.levels.is_empty();
                ui.add_enabled_ui(can, |ui| {
                    if small_button(ui, "Save as CSV").clicked() {
                        let content = figures::table(&session.levels, b',').into_bytes().into();
                        let name = "batida-levels.csv".to_owned();
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
        rows_ui(ui, session, colors, level);
        caption(
            ui,
            "Hover over a level for its intervals, click it for its distribution",
        );
    });
}

/// The room of the sign beside a level's name, in points.
const MARK: f32 = 16.0;

type Columns = Vec<&'static (&'static Metric, &'static Column)>;

/// Which columns there is room for.
fn fitting(width: f32) -> Columns {
    let room = (width / NARROWEST) as usize;
    let mut ranks: Vec<u8> = COLUMNS.iter().map(|(_, column)| column.rank).collect();
    ranks.sort_unstable();
    let highest = ranks
        .get(room.saturating_sub(1))
        .copied()
        .unwrap_or(u8::MAX);
    COLUMNS
        .iter()
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
        let columns = fitting(width - first);
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
            format!("{} {}", report.model, report.label)
        } else {
            report.label.clone()
        }
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

/// A triangle with a bang, drawn: not every font has the sign.
fn warning_sign(ui: &Ui, at: Pos2) {
    let (painter, tokens) = (ui.painter(), tokens(ui));
    let corners = vec![
        at + vec2(0.0, -5.0),
        at + vec2(5.5, 4.5),
        at + vec2(-5.5, 4.5),
    ];
    let sign = egui::Shape::convex_polygon(corners, tokens.warning, egui::Stroke::NONE);
    painter.add(sign);
    let bang = FontId {
        size: 8.0,
        ..theme::small_figure_text().resolve(ui.style())
    };
    let at = at + vec2(0.0, 0.8);
    painter.text(at, Align2::CENTER_CENTER, "!", bang, tokens.panel);
}

fn rows_ui(ui: &mut Ui, session: &Session, colors: &ModelColors, chosen: &mut Option<usize>) {
    let grid = Grid::of(ui, session);
    grid.head_ui(ui);
    for report in &session.levels {
        row_ui(ui, &grid, report, colors, chosen);
    }
}

fn row_ui(
    ui: &mut Ui,
    grid: &Grid,
    report: &LevelReport,
    colors: &ModelColors,
    chosen: &mut Option<usize>,
) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let is_chosen = *chosen == Some(report.index);
    let under_way = report.ended == LevelEnd::Running;
    if under_way || is_chosen || response.hovered() || response.has_focus() {
        let fill = tokens(ui).raised;
        ui.painter().rect_filled(rect, CornerRadius::same(4), fill);
    }
    let remarks = report.watch.doubts.iter().chain(&report.notes);
    let remarks: Vec<&str> = remarks.map(String::as_str).collect();
    grid.name_ui(ui, rect, report, colors, !remarks.is_empty());
    let mut spoken = vec![grid.name_of(report)];
    spoken.extend(grid.figures_ui(ui, rect, report));
    spoken.extend((!remarks.is_empty()).then(|| format!("{} to look at", remarks.len())));
    let spoken = spoken.join(", ");
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_chosen, &spoken));
    if response.clicked() {
        *chosen = (!is_chosen).then_some(report.index);
    }
    response.on_hover_ui(|ui| {
        ui.set_max_width(560.0);
        let remarks = remarks.iter().map(|remark| (*remark).to_owned());
        let told = std::iter::once(figures::level(report)).chain(remarks);
        ui.label(told.collect::<Vec<_>>().join("\n"));
    });
}
