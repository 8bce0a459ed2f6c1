//! What the History page knows: the rows it scrolls through, what is selected, opened and compared.

mod action;
mod ask;
pub mod conversations;
mod filter;
mod reopen;
pub mod rows;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use self::action::{HistoryAction, TrendOf};
pub use self::conversations::{Conversations, ConversationsAction};
pub use self::filter::{Filter, TimeRange, days_before};
use self::rows::Rows;
use super::Loadable;
use super::bench::Session;
use super::chat::ChatState;
use super::colors::ModelColors;
use super::notices::Notice;
use crate::domain::failure::Failure;
use crate::domain::history::{
    HistoryPage, SessionBody, SessionId, SessionKind, SessionRow, StoredSession, Trend,
};
use crate::metrics::compare::Comparison;
use crate::protocol::JobId;

/// More sessions are not compared at once.
pub const MOST_COMPARED: usize = 6;
/// More sessions are not kept in memory.
const MOST_KEPT: usize = 12;
/// From the last letter to the question.
pub const TYPED: Duration = Duration::from_millis(200);
/// Several changes are one.
pub const CHANGED: Duration = Duration::from_millis(300);
/// Who runs through the rows does not want to see each.
pub const RESTED: Duration = Duration::from_millis(120);

/// The two clocks: since the program's start, and the calendar's.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Since the program's start.
    pub now: Duration,
    /// The moment, for what is relative to today.
    pub today: Timestamp,
}

/// How long to wait until `length` after `since`; `None` when that has passed.
fn wait_until(since: Duration, length: Duration, now: Duration) -> Option<Duration> {
    let left = length.checked_sub(now.saturating_sub(since));
    left.filter(|left| !left.is_zero())
}

/// What the History page knows.
#[derive(Debug, Default)]
pub struct HistoryState {
    /// Which sessions are shown, and in which order. The page edits it.
    pub filter: Filter,
    /// The rows that match, as far as they are here.
    pub rows: Rows,
    /// Why nothing can be kept now; it stays until it works again.
    pub trouble: Option<Failure>,
    /// The sessions to be compared, the baseline first. Each has the colour of its place.
    pub chosen: Vec<SessionId>,
    /// How they compare.
    pub comparison: Loadable<Arc<Comparison>>,
    /// The session that fills the page.
    pub open: Option<Open>,
    /// A model's figures over time.
    pub trend: Loadable<Trend>,
    /// What is to be deleted by its age, while the user is asked.
    pub aged: Option<Aged>,
    selected: Option<SessionId>,
    /// Where it is, or was.
    selected_at: Option<u64>,
    /// Since when it is selected.
    selected_since: Duration,
    /// What the rows were asked with.
    asked: Option<Filter>,
    /// Other sessions were asked for, and not only in another order.
    narrowed: bool,
    /// When the filter was changed last, and not yet asked.
    typed: Option<(Filter, Duration)>,
    /// When something in the store changed, and the rows were not regenerated.
    changed: Option<Duration>,
    /// Newest last.
    kept: Vec<(SessionId, Loadable<Arc<StoredSession>>)>,
    /// New rows came: what is in `kept` may be out of date.
    compare_kept: bool,
    /// What `comparison` is of.
    compared: Option<(Vec<SessionId>, f64)>,
    /// What `trend` is of.
    trend_of: Option<TrendOf>,
}

/// Sessions that began before a moment, while the user is asked whether they may go.
#[derive(Debug)]
pub struct Aged {
    /// The moment.
    pub until: Timestamp,
    /// How many they are, baselines among them.
    pub count: Loadable<u64>,
}

/// A session that fills the page.
#[derive(Debug)]
pub struct Open {
    /// Its name.
    pub id: SessionId,
    /// The job that asks for it.
    job: Option<JobId>,
    /// What is in it, once it is here.
    pub content: Option<Result<Content, Failure>>,
}

/// What is in an opened session.
#[derive(Debug)]
pub struct Content {
    /// As it is kept.
    pub stored: Arc<StoredSession>,
    /// As it is drawn.
    pub view: ContentView,
}

/// An opened session as its page draws it.
#[derive(Debug)]
pub enum ContentView {
    /// A benchmark, as the Benchmark page has it.
    Bench(Box<Session>),
    /// A conversation, as the Playground has it, and how many answers are not on its way.
    Chat(Box<ChatState>, usize),
}

impl Content {
    fn of(stored: Arc<StoredSession>) -> Self {
        let view = match &stored.body {
            SessionBody::Bench { report, traces } => {
                ContentView::Bench(Box::new(Session::stored(report, traces)))
            }
            SessionBody::Chat { exchanges, .. } => {
                let mut chat = ChatState::default();
                chat.resume(stored.row.id.clone(), exchanges);
                let aside = exchanges.len().saturating_sub(chat.turns().len());
                ContentView::Chat(Box::new(chat), aside)
            }
        };
        Self { stored, view }
    }
}

impl HistoryState {
    /// The selected session.
    pub fn selected(&self) -> Option<&SessionId> {
        self.selected.as_ref()
    }

    /// Where it is in the table.
    pub fn selected_at(&self) -> Option<u64> {
        self.selected_at
    }

    /// Selects the row at this place; it may not be here yet.
    fn select_at(&mut self, index: u64, now: Duration) {
        let last = self.rows.total().unwrap_or(0).saturating_sub(1);
        let index = index.min(last);
        let id = self.rows.at(index).map(|row| row.id.clone());
        if id != self.selected || id.is_none() {
            self.selected_since = now;
        }
        (self.selected, self.selected_at) = (id, Some(index));
    }

    /// Selects a session wherever it is.
    pub(super) fn select(&mut self, id: &SessionId, now: Duration) {
        self.selected_at = self.rows.find(id).map(|(at, _)| at).or(self.selected_at);
        self.selected = Some(id.clone());
        self.selected_since = now;
    }

    /// Moves the selection by so many rows.
    fn move_selection(&mut self, by: i64, now: Duration) {
        let at = self
            .selected_at
            .map_or(0, |at| at.saturating_add_signed(by));
        self.select_at(at, now);
    }

    /// Compares these, the baseline first.
    pub fn compare(&mut self, ids: Vec<SessionId>) {
        self.open = None;
        self.chosen = ids;
    }

    /// The place of a session among those to be compared.
    pub fn place_of(&self, id: &SessionId) -> Option<usize> {
        self.chosen.iter().position(|chosen| chosen == id)
    }

    /// Takes a session among those to be compared, or out of them. A marked baseline goes first,
    /// else the oldest. Gives false when there are too many, or it cannot be compared.
    fn toggle_chosen(&mut self, id: &SessionId) -> bool {
        if let Some(at) = self.place_of(id) {
            self.chosen.remove(at);
            return true;
        }
        let row = self.row_of(id);
        let comparable = row.is_none_or(|row| row.kind == SessionKind::Bench);
        if self.chosen.len() >= MOST_COMPARED || !comparable {
            return false;
        }
        // What a run is held against is marked, or came before it.
        let first = self.chosen.first().and_then(|first| self.row_of(first));
        let goes_first =
            row.zip(first)
                .is_some_and(|(row, first)| match (row.baseline, first.baseline) {
                    (true, false) => true,
                    (false, true) => false,
                    _ => row.began < first.began,
                });
        let at = if goes_first { 0 } else { self.chosen.len() };
        self.chosen.insert(at, id.clone());
        true
    }

    /// Holds the others against this one.
    fn put_first(&mut self, id: &SessionId) {
        if let Some(at) = self.place_of(id) {
            self.chosen[..=at].rotate_right(1);
        }
    }

    /// The sessions that a button means: those that are chosen, else the selected one.
    pub fn meant(&self) -> Vec<SessionId> {
        if self.chosen.is_empty() {
            self.selected.iter().cloned().collect()
        } else {
            self.chosen.clone()
        }
    }

    /// The row of a session: from the table, or as it was when it was opened.
    pub fn row_of(&self, id: &SessionId) -> Option<&SessionRow> {
        let of_table = self.rows.find(id).map(|(_, row)| row);
        of_table.or_else(|| self.session(id)?.value().map(|stored| &stored.row))
    }

    /// A session with all that is drawn of it, as far as it was asked for.
    pub fn session(&self, id: &SessionId) -> Option<&Loadable<Arc<StoredSession>>> {
        self.kept
            .iter()
            .find(|(kept, _)| kept == id)
            .map(|(_, session)| session)
    }

    // ---- events ---------------------------------------------------------------------------------------

    pub(super) fn loaded(
        &mut self,
        job: JobId,
        outcome: Result<HistoryPage, Failure>,
        now: Duration,
    ) {
        if let Some(aged) = &mut self.aged
            && aged.count.job() == Some(job)
        {
            aged.count.resolve(job, outcome.map(|page| page.total), now);
            return;
        }
        let before = self.rows.shown();
        if !self.rows.loaded(job, outcome) {
            return;
        }
        self.compare_kept = true;
        // The selection stays with its session, wherever that went; of one that is gone the place stays.
        let found = self
            .selected
            .as_ref()
            .and_then(|id| self.rows.find(id))
            .map(|(at, _)| at);
        let narrowed = before != self.rows.shown() && std::mem::take(&mut self.narrowed);
        match (found, self.selected_at) {
            (Some(at), _) => self.selected_at = Some(at),
            // Who searches wants what was found.
            (None, _) if narrowed => self.select_at(0, now),
            (None, at) if self.selected.is_none() => self.select_at(at.unwrap_or(0), now),
            _ => {}
        }
        if self.rows.total() == Some(0) {
            (self.selected, self.selected_at) = (None, None);
        }
    }

    pub(super) fn opened(
        &mut self,
        job: JobId,
        outcome: Result<Arc<StoredSession>, Failure>,
        colors: &mut ModelColors,
        now: Duration,
    ) {
        if let Ok(stored) = &outcome {
            stored
                .row
                .models
                .iter()
                .for_each(|model| colors.note(model));
        }
        if let Some(open) = self.open.as_mut().filter(|open| open.job == Some(job)) {
            open.job = None;
            // A running session is asked for again and again: what was drawn stays when that fails.
            if outcome.is_ok() || open.content.is_none() {
                open.content = Some(outcome.clone().map(Content::of));
            }
        }
        for (_, session) in &mut self.kept {
            session.resolve(job, outcome.clone(), now);
        }
    }

    /// Something in the store changed, perhaps from another window.
    pub(super) fn changed(&mut self, now: Duration) {
        self.trouble = None;
        self.changed.get_or_insert(now);
    }

    pub(super) fn troubled(&mut self, failure: Failure) -> Notice {
        self.trouble = Some(failure.clone());
        Notice {
            text: failure.summary.clone(),
            failure: Some(failure),
        }
    }
}

/// What a comparison comes to, in a line: `3 better, 1 worse, 12 no difference`.
pub fn headline(comparison: &Comparison) -> String {
    use crate::metrics::compare::Verdict;
    // What only one of the sessions has says nothing.
    let compared = comparison.rows.iter().filter(|row| row.baseline.is_some());
    let cells: Vec<_> = compared
        .flat_map(|row| &row.others)
        .filter(|cell| cell.value.is_some())
        .collect();
    let count = |verdict: Verdict| cells.iter().filter(|cell| cell.verdict == verdict).count();
    let told: Vec<String> = [
        (Verdict::Worse, "worse"),
        (Verdict::Better, "better"),
        (Verdict::Look, "to look at"),
        (Verdict::NoDifference, "no difference"),
        (Verdict::TooFew, "not enough data"),
    ]
    .into_iter()
    .filter_map(|(verdict, words)| {
        Some(count(verdict))
            .filter(|n| *n > 0)
            .map(|n| format!("{n} {words}"))
    })
    .collect();
    if told.is_empty() {
        "no figure could be compared".to_owned()
    } else {
        told.join(", ")
    }
}

#[cfg(test)]
pub(super) mod tests;
