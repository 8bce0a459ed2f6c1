//! The Activity drawer: kubectl commands and HTTP requests, as one can paste them in a shell.

use egui::{Align, Label, Layout, RichText, Sense, TextStyle, Ui};
use egui_extras::{Column, TableBuilder, TableRow};

use crate::domain::command_line::by_name;
use crate::domain::units;
use crate::protocol::{Activity, ActivityKind, Command};
use crate::state::action::{Action, Actions};
use crate::state::activity::ActivityLog;
use crate::state::redaction::Redaction;
use crate::ui::theme;
use crate::ui::widgets::{
    caption, fit_middle, from_right, small_button, small_danger_button, strong, tokens,
};

/// Says which commands and requests are listed.
pub(crate) const WHAT: &str = "kubectl and helm commands and HTTP requests. Not listed: a benchmark's own requests, and the \
small requests that check whether a watched cluster still responds";

/// Whether the drawer is open, and what it filters by.
#[derive(Debug, Default)]
pub struct ActivityUi {
    open: bool,
}

impl ActivityUi {
    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Opens or closes it.
    pub fn toggle(&mut self) {
        self.open = !self.open;
    }

    /// Draws it, without the names that are hidden.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        log: &ActivityLog,
        redaction: &Redaction,
        out: &mut Actions,
    ) {
        ui.horizontal(|ui| {
            strong(ui, "Activity");
            caption(ui, "newest first; keys are removed").on_hover_text(WHAT);
            from_right(ui, |ui| {
                if small_button(ui, "Close").on_hover_text("Ctrl+J").clicked() {
                    self.open = false;
                }
                if small_danger_button(ui, "Clear list", !log.entries().is_empty()).clicked() {
                    out.push(Action::ClearActivity);
                }
            });
        });
        if log.entries().is_empty() {
            caption(ui, "No commands or requests yet");
            return;
        }
        table_ui(ui, log, redaction, out);
    }
}

fn table_ui(ui: &mut Ui, log: &ActivityLog, redaction: &Redaction, out: &mut Actions) {
    let (rest, done): (Vec<_>, Vec<_>) = log.entries().iter().rev().partition(|it| goes_on(it));
    let entries: Vec<&Activity> = done.into_iter().chain(rest).collect();
    TableBuilder::new(ui)
        .striped(false)
        .min_scrolled_height(0.0)
        .auto_shrink(false)
        .cell_layout(egui::Layout::left_to_right(egui::Align::Center))
        .sense(Sense::hover())
        .cell_layout(Layout::left_to_right(Align::Center))
        .column(Column::exact(64.0))
        .column(Column::exact(52.0))
        .column(Column::remainder().at_least(120.0).clip(true))
        .column(Column::exact(72.0))
        .column(Column::exact(150.0).clip(true))
        .column(Column::exact(64.0))
        .header(18.0, |mut header| {
            for title in ["Time", "Type", "Command", "Duration", "Result", ""] {
                header.col(|ui| {
                    caption(ui, title);
                });
            }
        })
        .body(|body| {
            body.rows(24.0, entries.len(), |mut row| {
                let Some(&activity) = entries.get(row.index()) else {
                    return;
                };
                entry_ui(&mut row, activity, redaction, out);
            });
        });
}

/// One line of the list.
fn entry_ui(
    row: &mut TableRow<'_, '_>,
    activity: &Activity,
    redaction: &Redaction,
    out: &mut Actions,
) {
    row.col(|ui| {
        figure(ui, &clock(activity));
    });
    row.col(|ui| {
        caption(
            ui,
            match activity.kind {
                ActivityKind::Kubectl | ActivityKind::Follow => "kubectl",
                ActivityKind::Http => "HTTP",
                ActivityKind::Note => "note",
            },
        );
    });
    row.col(|ui| {
        let style = theme::small_figure_text();
        // A hidden name that is cut in two would not be recognised: the first cut leaves room for a whole one.
        let ends = ends_of(&activity.line, MAX_LINE_CHARS + 2 * redaction.longest());
        let ends = ends_of(&redaction.text(&ends), MAX_LINE_CHARS);
        let line = fit_middle(ui, by_name(&ends), &style, ui.available_width());
        let label = ui.add(Label::new(RichText::new(line).text_style(style)).truncate());
        label.on_hover_text(ends);
    });
    row.col(|ui| match &activity.ending {
        Some(ending) => figure(ui, &units::duration(ending.took).to_string()),
        // A spinner would keep the window drawing for as long.
        None if goes_on(activity) => {}
        None => {
            ui.spinner();
        }
    });
    row.col(|ui| {
        let tokens = tokens(ui);
        let (text, color) = match &activity.ending {
            Some(ending) if ending.ok => (ending.outcome.as_str(), tokens.dim),
            Some(ending) => (&*ending.outcome, tokens.error),
            None if goes_on(activity) => ("following", tokens.dim),
            None => ("running", tokens.dim),
        };
        let text = RichText::new(redaction.text(text))
            .text_style(TextStyle::Small)
            .color(color);
        ui.add(Label::new(text).truncate());
    });
    row.col(|ui| {
        if small_button(ui, "Copy")
            .on_hover_text("Copy the command line")
            .clicked()
        {
            let text = redaction.text(&activity.line).into_owned();
            out.push(Command::Copy {
                what: "Command".to_owned(),
                text,
            });
        }
    });
}

/// Whether a command runs until its page is left. Such commands are listed last, so that they do not hide recent ones.
fn goes_on(activity: &Activity) -> bool {
    activity.kind == ActivityKind::Follow && activity.ending.is_none()
}

const MAX_LINE_CHARS: usize = 600;

/// Both ends of a line, which may hold a whole conversation.
fn ends_of(line: &str, most: usize) -> String {
    if line.len() <= most {
        return line.to_owned();
    }
    let head: String = line.chars().take(most / 2).collect();
    let tail: Vec<char> = line.chars().rev().take(most / 2).collect();
    format!("{head}…{}", tail.into_iter().rev().collect::<String>())
}

fn figure(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).text_style(theme::small_figure_text()));
}

fn clock(activity: &Activity) -> String {
    activity
        .at
        .to_zoned(jiff::tz::TimeZone::system())
        .strftime("%H:%M:%S")
        .to_string()
}
