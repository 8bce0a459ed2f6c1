//! Messages of kubectl and its credential plugins while a command waits, such as a page to open or a code to type.

use egui::{Label, RichText, Ui};

use crate::domain::environment::EnvId;
use crate::protocol::Command;
use crate::state::State;
use crate::state::action::Actions;
use crate::ui::theme;
use crate::ui::widgets::{notice_frame, small_button, tokens};

/// Nothing where nothing is said.
pub(super) fn waiting_ui(ui: &mut Ui, state: &State, env: &EnvId, out: &mut Actions) {
    let Some(words) = state.activity.words_of(env) else {
        return;
    };
    let tokens = tokens(ui);
    notice_frame(tokens.raised).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let title = RichText::new("Message from kubectl, which is waiting")
            .text_style(theme::strong_text());
        ui.add(Label::new(title.color(tokens.warning)).wrap());
        ui.add(Label::new(RichText::new(words).text_style(theme::small_figure_text())).wrap());
        if small_button(ui, "Copy message").clicked() {
            out.push(Command::Copy {
                what: "Message".to_owned(),
                text: words.to_owned(),
            });
        }
    });
}
