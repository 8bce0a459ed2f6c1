//! Blind: the bar to vote on, and what was voted so far.

use egui::{RichText, Ui};

use crate::domain::units;
use crate::domain::workspace::PairVotes;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::panes::{PaneAction, Vote};
use crate::ui::theme::{self, GAP, GRID};
use crate::ui::widgets::{caption, card, small_button, strong, tokens};

/// How high the bar is, with the space below it; nothing where names are not hidden.
pub(super) fn height(state: &State) -> f32 {
    if state.panes().blind().is_some() {
        36.0
    } else {
        0.0
    }
}

/// The bar.
pub(super) fn bar_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    let Some(vote) = state.panes().blind().map(|blind| blind.vote()) else {
        return;
    };
    ui.horizontal(|ui| {
        ui.set_height(28.0);
        ui.spacing_mut().item_spacing.x = GAP;
        if let Some(vote) = vote {
            let told = match vote {
                Vote::Tie => "Your vote: equal".to_owned(),
                Vote::For(index) => {
                    let name = state.panes().name(index).unwrap_or_default();
                    format!("Your vote: {}", units::shorten_middle(&name, 36))
                }
            };
            strong(ui, told);
            let again = small_button(ui, "Start another vote");
            if again
                .on_hover_text("Start new conversations in a new random order")
                .clicked()
            {
                out.push(PaneAction::BeginBlind);
            }
            return;
        }
        let on = state.panes().to_vote_on();
        if on.is_empty() {
            caption(
                ui,
                "Models are revealed after you vote; you can vote when all have answered",
            );
            return;
        }
        strong(ui, "Which answer is best?");
        for index in on {
            let name = state.panes().hidden_name(index).unwrap_or_default();
            if small_button(ui, &name)
                .on_hover_text("Vote for this answer and reveal the models")
                .clicked()
            {
                out.push(PaneAction::Vote(Vote::For(index)));
            }
        }
        if small_button(ui, "Equal").clicked() {
            out.push(PaneAction::Vote(Vote::Tie));
        }
    });
}

/// The votes so far, a line a pair of models.
pub(super) fn tally_ui(ui: &mut Ui, votes: &[PairVotes]) {
    let tokens = tokens(ui);
    card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        strong(ui, "Blind votes").on_hover_text("Your votes, cast without knowing the models");
        for pair in votes {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = GRID;
                ui.spacing_mut().interact_size.y = 18.0;
                let width = (ui.available_width() - 110.0) / 2.0;
                let small = egui::TextStyle::Small;
                crate::ui::widgets::shortened(ui, &pair.one, small.clone(), tokens.text, width);
                let score = format!("{} : {}", pair.wins, pair.losses);
                let score = ui.label(RichText::new(score).text_style(theme::small_figure_text()));
                let told = format!(
                    "{} {}, {} {}, equal {}",
                    pair.one, pair.wins, pair.other, pair.losses, pair.ties
                );
                score.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &told));
                crate::ui::widgets::shortened(ui, &pair.other, small, tokens.text, width);
                if pair.ties > 0 {
                    caption(ui, format!("{} equal", pair.ties));
                }
            });
        }
    });
}
