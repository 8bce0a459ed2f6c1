//! Texts, types and drawing that several parts of the History page share.

use std::sync::Arc;

use egui::{TextStyle, Ui};

use super::columns::title;
use super::lines::Sheet;
use super::{names, when};
use crate::domain::history::{
    Exchange, ExchangeEnding, SessionBody, SessionId, SessionRow, Status, StoredSession,
};
use crate::domain::units;
use crate::state::action::Actions;
use crate::state::history::HistoryAction;
use crate::state::{Loadable, State};
use crate::ui::views::playground::answer_tiles_ui;
use crate::ui::widgets::{caption, failure_box, field_error, message, shortened, tokens};

/// What the user is asked.
#[derive(Debug)]
pub(super) enum Question {
    /// Whether these may go.
    Delete(Vec<SessionId>),
    /// How old is too old, in days as they are typed.
    OlderThan(String),
    /// Whether those that are too old may go; the state knows which.
    Older,
    /// Whether this conversation may take the place of one that is kept nowhere.
    Continue(Arc<StoredSession>),
}

/// A session in a line: when, what, where.
pub(super) fn told(row: &SessionRow) -> String {
    let mut parts = vec![
        when(row.began),
        title(row),
        row.models.join(", "),
        format!("on {}", row.environment),
    ];
    // Of a cluster without Helm only the bundles are known.
    parts.extend(row.release.as_ref().map(|release| {
        match release.starts_with(|c: char| c.is_ascii_digit()) {
            true => format!("SambaStack {release}"),
            false => release.clone(),
        }
    }));
    parts.extend(row.source.clone());
    parts.extend((row.status() != Status::Complete).then(|| row.status_told()));
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}

/// The chosen sessions, as far as they are here.
pub(super) fn chosen(state: &State, out: &mut Actions) -> Vec<(usize, Arc<StoredSession>)> {
    let ids = &state.history.chosen;
    let missing = ids.iter().filter(|id| state.history.session(id).is_none());
    out.extend(missing.cloned().map(HistoryAction::WantSession));
    let of = |(place, id): (usize, &SessionId)| {
        Some((place, state.history.session(id)?.value()?.clone()))
    };
    ids.iter().enumerate().filter_map(of).collect()
}

/// As the charts lay them over each other.
pub(super) fn sheets<'a>(
    sessions: &'a [(usize, Arc<StoredSession>)],
    state: &State,
) -> Vec<Sheet<'a>> {
    let names = names(state);
    let sheet = |(place, stored): &'a (usize, Arc<StoredSession>)| match &stored.body {
        SessionBody::Bench { report, .. } => {
            let label = names.get(*place).cloned().unwrap_or_default();
            Some(Sheet {
                label,
                color: *place,
                models: None,
                report,
            })
        }
        SessionBody::Chat { .. } => None,
    };
    sessions.iter().filter_map(sheet).collect()
}

/// Why some of the chosen sessions are missing.
pub(super) fn failures_ui(ui: &mut Ui, state: &State) {
    for id in &state.history.chosen {
        if let Some(failure) = state.history.session(id).and_then(Loadable::failure) {
            failure_box(ui, &id.0, failure, None);
        }
    }
}

/// Three tiles need no more, in points.
const TILES: f32 = 560.0;

/// A caption that is cut to the room there is.
pub(super) fn dim(ui: &mut Ui, text: &str, width: f32) {
    let color = tokens(ui).dim;
    shortened(ui, text, TextStyle::Small, color, width);
}

/// The exchange to show in tiles, where a chart of the answers would have one point or none: the one that has figures, or
/// the last one.
pub(super) fn only_figures(exchanges: &[Exchange]) -> Option<&Exchange> {
    let mut drawn = exchanges
        .iter()
        .filter(|it| it.figures.ttft.is_some() || it.figures.tokens_per_sec.is_some());
    let first = drawn.next();
    if drawn.next().is_some() {
        return None;
    }
    first.or(exchanges.last())
}

/// Its tiles, and how it ended where that was not well; nothing for a conversation that charts can show.
pub(super) fn one_answer_ui(ui: &mut Ui, state: &State, exchanges: &[Exchange]) {
    let Some(only) = only_figures(exchanges) else {
        return;
    };
    let model = only.answered_by.as_deref().unwrap_or(&only.model);
    let color = tokens(ui).model_color(state.colors.index(model));
    let width = ui.available_width().min(TILES);
    ui.scope(|ui| {
        ui.set_max_width(width);
        answer_tiles_ui(ui, Some(&only.figures), None, color);
    });
    if exchanges.len() > 1 {
        let all = units::counted(exchanges.len(), "answer");
        caption(ui, format!("Figures of the only one of {all} that has any"));
    }
    match &only.ending {
        ExchangeEnding::Failed(why) => field_error(ui, &message(why)),
        ExchangeEnding::Stopped => {
            caption(ui, "This answer was stopped");
        }
        ExchangeEnding::Finished(_) => {}
    }
}
