//! What the History page knows: the rows it scrolls through, what is selected, opened and compared.

mod action;
mod ask;
pub mod conversations;
pub mod rows;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use self::action::{HistoryAction, TrendOf};
pub use self::conversations::ConversationsAction;
use self::rows::Rows;
use super::Loadable;
use super::bench::Session;
use super::chat::ChatState;
use super::colors::ModelColors;
use super::notices::Notice;
use crate::domain::failure::Failure;
use crate::domain::history::{
    HistoryPage, HistoryQuery, SessionBody, SessionId, SessionKind, SessionRow, SortBy,
    StoredSession, Trend,
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

/// Which sessions are shown: a query whose range of time moves with the day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// Everything but the range of time.
    pub query: HistoryQuery,
    /// When the sessions began.
    pub range: TimeRange,
}

/// When a session began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeRange {
    /// In the last so many days.
    Days(u16),
    /// Whenever.
    #[default]
    All,
    /// From the one moment until before the other, where they are given.
    Between(Option<Timestamp>, Option<Timestamp>),
}

impl Filter {
    /// The query at this moment.
    pub fn at(&self, today: Timestamp) -> HistoryQuery {
        let (since, until) = match self.range {
            TimeRange::All => (None, None),
            TimeRange::Days(days) => (Some(days_before(today, days)), None),
            TimeRange::Between(since, until) => (since, until),
        };
        HistoryQuery {
            text: self.query.text.trim().to_owned(),
            since,
            until,
            ..self.query.clone()
        }
    }

    /// Whether it leaves no session out.
    pub fn is_open(&self) -> bool {
        self.query.is_open() && self.range == TimeRange::All
    }

    /// Sorts by this; by what it is sorted already, the other way round.
    pub fn sort_by(&mut self, sort: SortBy) {
        let query = &mut self.query;
        let same = query.sort == sort;
        // Names begin at A, figures and times with the largest.
        let names = matches!(
            sort,
            SortBy::Title | SortBy::Deployment | SortBy::Model | SortBy::Tag
        );
        query.ascending = if same { !query.ascending } else { names };
        query.sort = sort;
    }

    /// The same sessions in the order of another filter.
    pub fn sorted_as(&self, other: &Self) -> Self {
        let HistoryQuery {
            sort, ascending, ..
        } = other.query;
        Self {
            query: HistoryQuery {
                sort,
                ascending,
                ..self.query.clone()
            },
            range: self.range,
        }
    }
}

/// How long to wait until `length` after `since`; `None` when that has passed.
fn wait_until(since: Duration, length: Duration, now: Duration) -> Option<Duration> {
    let left = length.checked_sub(now.saturating_sub(since));
    left.filter(|left| !left.is_zero())
}

/// So many days before a moment; the beginning of time where there are none.
pub fn days_before(moment: Timestamp, days: u16) -> Timestamp {
    moment
        .checked_sub(SignedDuration::from_hours(24 * i64::from(days)))
        .unwrap_or(Timestamp::MIN)
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
pub(super) mod tests {
    use super::*;
    use crate::domain::history::{SessionState, SortBy};

    pub(in crate::state) fn row(id: &str) -> SessionRow {
        SessionRow {
            id: SessionId(id.to_owned()),
            kind: SessionKind::Bench,
            state: SessionState::Complete,
            began: Timestamp::UNIX_EPOCH,
            ended: None,
            title: "Sweep 1–4".to_owned(),
            environment: "Demo".to_owned(),
            deployments: Vec::new(),
            models: vec!["m".to_owned()],
            tags: Vec::new(),
            source: None,
            release: None,
            requests: 8,
            errors: 0,
            ttft_p50_ms: None,
            itl_p50_ms: None,
            peak_tokens_per_s: None,
            baseline: false,
        }
    }

    fn with_rows(rows: Vec<SessionRow>) -> HistoryState {
        let mut history = HistoryState::default();
        answer(&mut history, rows);
        history
    }

    fn answer(history: &mut HistoryState, rows: Vec<SessionRow>) {
        let mut out = Vec::new();
        history.rows.ask_again(HistoryQuery::default());
        history.rows.want(0..20, |query| {
            out.push(query);
            JobId(1)
        });
        assert_eq!(out.len(), 1);
        let total = rows.len() as u64;
        history.loaded(
            JobId(1),
            Ok(HistoryPage {
                rows,
                total,
                ..HistoryPage::default()
            }),
            Duration::ZERO,
        );
    }

    fn rows(names: &[&str]) -> Vec<SessionRow> {
        names.iter().map(|name| row(name)).collect()
    }

    #[test]
    fn the_selection_follows_its_session() {
        let mut history = with_rows(rows(&["a", "b", "c"]));
        assert_eq!(
            history.selected(),
            Some(&SessionId("a".to_owned())),
            "the first is selected at first"
        );
        history.select_at(1, Duration::ZERO);
        answer(&mut history, rows(&["new", "a", "b", "c"]));
        assert_eq!(history.selected_at(), Some(2));
        history.move_selection(99, Duration::ZERO);
        assert_eq!(history.selected(), Some(&SessionId("c".to_owned())));
        answer(&mut history, Vec::new());
        assert_eq!((history.selected(), history.selected_at()), (None, None));
    }

    #[test]
    fn the_marked_baseline_goes_first_and_six_are_enough() {
        let mut all = rows(&["a", "b", "c", "d", "e", "f", "g"]);
        all[2].baseline = true;
        all[6].kind = SessionKind::Chat;
        let mut history = with_rows(all);
        let id = |name: &str| SessionId(name.to_owned());
        assert!(
            !history.toggle_chosen(&id("g")),
            "chats cannot be compared: they have no levels"
        );
        for name in ["a", "b", "c", "d", "e", "f"] {
            assert!(history.toggle_chosen(&id(name)));
        }
        assert_eq!(history.chosen[..3], [id("c"), id("a"), id("b")]);
        history.put_first(&id("b"));
        assert_eq!(history.chosen[..3], [id("b"), id("c"), id("a")]);
        assert!(
            !history.toggle_chosen(&id("h")),
            "at most six can be compared"
        );
        assert!(history.toggle_chosen(&id("a")) && history.chosen.len() == 5);
    }

    #[test]
    fn what_only_one_session_has_is_not_counted() {
        use crate::metrics::compare::{Cell, Row, Verdict};
        let row = |baseline: Option<f64>, value: Option<f64>, verdict| Row {
            model: "m".to_owned(),
            level: "c=1".to_owned(),
            figure: "ttft_p50_ms".to_owned(),
            title: "TTFT p50, ms".to_owned(),
            unit: "ms".to_owned(),
            baseline,
            others: vec![Cell {
                value,
                change: None,
                interval: None,
                p: None,
                verdict,
            }],
        };
        let rows = vec![
            row(Some(97.0), Some(88.0), Verdict::Better),
            row(Some(97.0), None, Verdict::TooFew),
            row(None, Some(88.0), Verdict::TooFew),
        ];
        let comparison = Comparison {
            schema: String::new(),
            labels: Vec::new(),
            sessions: Vec::new(),
            least_change: 0.03,
            differences: Vec::new(),
            rows,
            remarks: Vec::new(),
        };
        assert_eq!(headline(&comparison), "1 better");
    }

    #[test]
    fn a_range_is_counted_back_from_today() {
        let today: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a moment");
        let filter = Filter {
            range: TimeRange::Days(30),
            ..Filter::default()
        };
        assert_eq!(
            filter.at(today).since,
            Some("2026-10-24T12:00:00Z".parse().expect("a moment"))
        );
        assert!(!filter.is_open());
        let query = HistoryQuery {
            sort: SortBy::Ttft,
            ascending: true,
            ..HistoryQuery::default()
        };
        assert!(
            Filter {
                query,
                ..Filter::default()
            }
            .is_open()
        );
        let query = HistoryQuery {
            tag: Some("t".to_owned()),
            ..HistoryQuery::default()
        };
        assert!(
            !Filter {
                query,
                ..Filter::default()
            }
            .is_open()
        );
    }
}
