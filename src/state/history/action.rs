//! What the History page asks for.

use std::ops::Range;

use jiff::Timestamp;

use super::Filter;
use crate::domain::history::{ExportFormat, SessionId, SortBy};

/// One thing that the History page asks for.
#[derive(Debug)]
pub enum HistoryAction {
    /// These rows are seen.
    WantRows(Range<u64>),
    /// This session is drawn: it is read unless it is here, or failed.
    WantSession(SessionId),
    /// The selected session is drawn.
    WantSelected,
    /// This trend is drawn.
    WantTrend(TrendOf),
    /// The comparison of the chosen sessions is drawn.
    WantComparison {
        /// A smaller change is no difference.
        least_change: f64,
    },
    /// Read everything anew, e.g. since that failed.
    Reload,
    /// Try again to compare.
    CompareAgain {
        /// A smaller change is no difference.
        least_change: f64,
    },
    /// Show other sessions.
    Filter(Box<Filter>),
    /// Sort by this, or the other way round.
    SortBy(SortBy),
    /// Select the row at this place; it may not be here yet.
    SelectAt(u64),
    /// Select a session wherever it is.
    Select(SessionId),
    /// Move the selection by so many rows.
    MoveSelection(i64),
    /// Take a session among those to be compared, or out of them.
    Toggle(SessionId),
    /// Take the selected session among those to be compared, or out of them.
    ToggleSelected,
    /// Compare these, the baseline first.
    Choose(Vec<SessionId>),
    /// Compare the others with this one.
    PutFirst(SessionId),
    /// Open a session so that it fills the page.
    Open(SessionId),
    /// Open the selected session.
    OpenSelected,
    /// Go back to the list.
    Close,
    /// In the opened conversation go to the branch after the one at this turn, or to the one before.
    Step(usize, bool),
    /// Give a session other tags.
    Tag(SessionId, Vec<String>),
    /// Make a session the baseline, or no longer.
    SetBaseline(SessionId, bool),
    /// Delete these sessions permanently.
    Delete(Vec<SessionId>),
    /// Count the sessions that began before a moment, to ask the user.
    CountOlder(Timestamp),
    /// Delete what was counted.
    DeleteOlder,
    /// Delete none of what was counted.
    KeepOlder,
    /// Write the chosen sessions, else the selected one, as a file.
    Export(ExportFormat),
    /// Let the user pick a file to import.
    Import,
}

impl HistoryAction {
    /// Whether it only asks for what is drawn; the answer wakes the window.
    pub(in crate::state) fn only_reads(&self) -> bool {
        matches!(
            self,
            Self::WantRows(_)
                | Self::WantSession(_)
                | Self::WantSelected
                | Self::WantTrend(_)
                | Self::WantComparison { .. }
        )
    }
}

/// Which figures over time are drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrendOf {
    /// The model's serving name.
    pub model: String,
    /// Only those of this deployment.
    pub deployment: Option<String>,
    /// Only those since this moment.
    pub since: Option<Timestamp>,
}
