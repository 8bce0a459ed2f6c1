//! The table of levels, as wide as there is room; copied and saved whole.

use egui::{Align2, CornerRadius, Role, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2};

use super::figures;
use crate::domain::figures::{COLUMNS, Column, ERRORS, Metric};
use crate::domain::run::LevelEnd;
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

fn rows_ui(ui: &mut Ui, session: &Session, colors: &ModelColors, chosen: &mut Option<usize>) {
    let tokens = tokens(ui);
    let several = session.plan.targets.len() > 1;
    let width = ui.available_width() - 8.0;
    let mark = 16.0;
    let first = if several {
        (width * 0.22).clamp(110.0, 240.0)
    } else {
        64.0
    } + mark;
    let columns = fitting(width - first);
    let each = (width - first) / columns.len().max(1) as f32;
    let small = TextStyle::Small.resolve(ui.style());
    let digits = theme::small_figure_text().resolve(ui.style());
    let (head, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEAD), Sense::hover());
    let left = head.left() + 8.0;
    let painter = ui.painter().clone();
    // A group's name stands above the first of its columns, and their own names below it.
    let [above, below] = [head.top() + 9.0, head.bottom() - 9.0];
    painter.text(
        pos2(left, below),
        Align2::LEFT_CENTER,
        "level",
        small.clone(),
        tokens.dim,
    );
    let right_of = |n: usize| head.left() + first + (n + 1) as f32 * each;
    let mut group = "";
    for (n, (_, column)) in columns.iter().enumerate() {
        let head = |y: f32, text: &str| {
            painter.text(
                pos2(right_of(n), y),
                Align2::RIGHT_CENTER,
                text,
                small.clone(),
                tokens.dim,
            );
        };
        if column.group != group {
            head(above, column.group);
        }
        group = column.group;
        head(below, &column.name);
    }
    for report in &session.levels {
        let (rect, response) =
            ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
        let under_way = report.ended == LevelEnd::Running;
        if under_way || *chosen == Some(report.index) || response.hovered() || response.has_focus()
        {
            ui.painter()
                .rect_filled(rect, CornerRadius::same(4), tokens.raised);
        }
        let name = if several {
            format!("{} {}", report.model, report.label)
        } else {
            report.label.clone()
        };
        let shown = fit_middle(ui, &name, &TextStyle::Small, first - mark - 10.0);
        let color = if several {
            tokens.model_color(colors.index(&report.model))
        } else {
            tokens.text
        };
        let at = pos2(left, rect.center().y);
        painter.text(at, Align2::LEFT_CENTER, shown, small.clone(), color);
        let doubts: Vec<&str> = report
            .watch
            .doubts
            .iter()
            .chain(&report.notes)
            .map(String::as_str)
            .collect();
        if !doubts.is_empty() {
            // A triangle, drawn: not every font has the sign.
            let at = pos2(rect.left() + first - 8.0, rect.center().y);
            let corners = vec![
                at + vec2(0.0, -5.0),
                at + vec2(5.5, 4.5),
                at + vec2(-5.5, 4.5),
            ];
            painter.add(egui::Shape::convex_polygon(
                corners,
                tokens.warning,
                egui::Stroke::NONE,
            ));
            let bang = egui::FontId {
                size: 8.0,
                ..digits.clone()
            };
            painter.text(
                at + vec2(0.0, 0.8),
                Align2::CENTER_CENTER,
                "!",
                bang,
                tokens.panel,
            );
        }
        let mut spoken = vec![name];
        for (n, (metric, column)) in columns.iter().enumerate() {
            let text = metric.text(report);
            let failed = metric.key == ERRORS && report.requests.failed > 0;
            let color = if failed { tokens.error } else { tokens.text };
            spoken.push(format!("{} {text}", column.title()));
            painter.text(
                pos2(right_of(n), rect.center().y),
                Align2::RIGHT_CENTER,
                text,
                digits.clone(),
                color,
            );
        }
        spoken.extend((!doubts.is_empty()).then(|| format!("{} to look at", doubts.len())));
        let spoken = spoken.join(", ");
        response.widget_info(|| {
            WidgetInfo::selected(Role::Button, true, *chosen == Some(report.index), &spoken)
        });
        if response.clicked() {
            *chosen = if *chosen == Some(report.index) {
                None
            } else {
                Some(report.index)
            };
        }
        response.on_hover_ui(|ui| {
            ui.set_max_width(560.0);
            let told = std::iter::once(figures::level(report))
                .chain(doubts.iter().map(|it| (*it).to_owned()));
            ui.label(told.collect::<Vec<_>>().join("\n"));
        });
    }
}
