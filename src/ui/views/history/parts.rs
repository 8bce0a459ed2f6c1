//! Texts, types and drawing that several parts of the History page share.

use std::sync::Arc;

use egui::{TextStyle, Ui};

use super::lines::Sheet;
use super::{names, when};
use crate::domain::history::{SessionBody, SessionId, SessionRow, SessionState, StoredSession};
use crate::state::action::Actions;
use crate::state::history::HistoryAction;
use crate::state::{Loadable, State};
use crate::ui::widgets::{failure_box, shortened, tokens};

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
        row.title.clone(),
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
    parts.extend(match row.state {
        SessionState::Complete => None,
        SessionState::Running => Some("running".to_owned()),
        SessionState::Stopped => Some("stopped".to_owned()),
        SessionState::Interrupted => {
            Some("interrupted: it failed, or Batida ended while it ran".to_owned())
        }
    });
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

/// A caption that is cut to the room there is.
pub(super) fn dim(ui: &mut Ui, text: &str, width: f32) {
    let color = tokens(ui).dim;
    shortened(ui, text, TextStyle::Small, color, width);
}
