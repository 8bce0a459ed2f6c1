//! A container's log: followed, searched, copied, saved.

use std::borrow::Cow;

use egui::{Label, RichText, ScrollArea, TextEdit, Ui};

use crate::domain::units;
use crate::protocol::Command;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::cluster::ClusterAction;
use crate::ui::theme;
use crate::ui::widgets::{
    MARGIN, caption, failure_box, from_right, small_button, small_button_if, strong, tokens,
};

const ROW: f32 = 16.0;

pub(super) fn log_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    let tokens = tokens(ui);
    let (mut closed, mut again) = (false, None);
    let Some(log) = &state.connection().log else {
        return;
    };
    let found = log.found();
    let name = format!("{} in {}", log.source.container, log.source.pod);
    ui.horizontal(|ui| {
        strong(ui, format!("Log of {name}"));
        caption(
            ui,
            if log.job.is_some() {
                "following"
            } else {
                "ended"
            },
        );
        from_right(ui, |ui| {
            closed = small_button(ui, "Close log").clicked();
            let some = !found.is_empty();
            if small_button_if(ui, some, "Save log…").clicked() {
                let content = (found.join("\n") + "\n").into_bytes().into();
                let name = format!("{}-{}.log", log.source.pod, log.source.container);
                out.push(Command::SaveFile {
                    what: "Log".to_owned(),
                    name,
                    content,
                });
            }
            if small_button_if(ui, some, "Copy log").clicked() {
                out.push(Command::Copy {
                    what: "Log".to_owned(),
                    text: found.join("\n"),
                });
            }
            if log.job.is_none() && small_button(ui, "Reload log").clicked() {
                again = Some(log.source.clone());
            }
        });
    });
    ui.horizontal(|ui| {
        let label = caption(ui, "Search the log");
        let mut search = Cow::Borrowed(log.search.as_str());
        let edit = TextEdit::singleline(&mut search)
            .margin(MARGIN)
            .desired_width(260.0);
        ui.add(edit).labelled_by(label.id);
        if let Cow::Owned(search) = search {
            out.push(ClusterAction::SearchLog(search));
        }
        caption(ui, units::counted(found.len(), "line"));
    });
    if let Some(why) = &log.failure {
        failure_box(ui, "log", why, None);
    }
    ScrollArea::both()
        .id_salt("log")
        .auto_shrink([false, false])
        .stick_to_bottom(true)
        .show_rows(ui, ROW, found.len(), |ui, rows| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for line in &found[rows] {
                let text = RichText::new(*line)
                    .text_style(theme::small_figure_text())
                    .color(tokens.text);
                ui.add(Label::new(text).extend());
            }
        });
    if closed {
        out.push(ClusterAction::CloseLog);
    }
    out.extend(again.map(ClusterAction::OpenLog));
}
