//! What the History page asks for, and when.

use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;

use super::action::{HistoryAction, TrendOf};
use super::{
    Aged, CHANGED, Clock, ContentView, Filter, HistoryState, MOST_KEPT, Open, RESTED, TYPED,
};
use crate::domain::history::{
    Deletion, ExportFormat, HistoryQuery, SessionId, SessionState, StoredSession,
};
use crate::protocol::{Command, HistoryAnswer, HistoryQuestion, ImportedSessions, JobId, Question};
use crate::state::jobs::Outbox;
use crate::state::{Loadable, State};

impl HistoryState {
    /// Does what the page asks for.
    pub(in crate::state) fn act(
        &mut self,
        action: HistoryAction,
        clock: Clock,
        outbox: &mut Outbox<'_>,
    ) {
        use HistoryAction as A;
        match action {
            A::WantRows(seen) => self.want_rows(seen, outbox),
            A::WantSession(id) => self.want_session(&id, outbox),
            A::WantSelected => self.want_selected(clock.now, outbox),
            A::WantTrend(of) => self.want_trend(of, outbox),
            A::WantComparison { least_change } => self.compare_chosen(least_change, outbox),
            A::Reload => self.reload_history(clock.today),
            A::CompareAgain { least_change } => self.compare_again(least_change, outbox),
            A::Filter(filter) => self.filter = *filter,
            A::SortBy(sort) => self.filter.sort_by(sort),
            A::SelectAt(index) => self.select_at(index, clock.now),
            A::Select(id) => self.select(&id, clock.now),
            A::MoveSelection(by) => self.move_selection(by, clock.now),
            A::Toggle(id) => drop(self.toggle_chosen(&id)),
            A::ToggleSelected => {
                if let Some(id) = self.selected.clone() {
                    self.toggle_chosen(&id);
                }
            }
            A::Choose(ids) => self.chosen = ids,
            A::PutFirst(id) => self.put_first(&id),
            A::Open(id) => self.open_session(&id, outbox),
            A::OpenSelected => {
                if let Some(id) = self.selected.clone() {
                    self.open_session(&id, outbox);
                }
            }
            A::Close => self.open = None,
            A::Step(index, forward) => self.step_open(index, forward),
            A::Tag(id, tags) => self.tag_session(&id, tags, outbox),
            A::SetBaseline(id, on) => self.set_baseline(&id, on, outbox),
            A::Delete(ids) => self.delete_sessions(ids, outbox),
            A::CountOlder(until) => self.count_older(until, outbox),
            A::DeleteOlder => self.delete_older(outbox),
            A::KeepOlder => self.aged = None,
            A::Export(format) => self.export_sessions(format, outbox),
            A::Import => self.import_sessions(outbox),
        }
    }

    /// Goes to another branch of the conversation that is open.
    fn step_open(&mut self, index: usize, forward: bool) {
        if let Some(open) = &mut self.open
            && let Some(Ok(content)) = &mut open.content
            && let ContentView::Chat(chat, _) = &mut content.view
        {
            chat.step(index, forward);
        }
    }

    /// Called in each frame in which the page is seen: asks for what is due. Gives when it wants to be called
    /// again.
    pub(in crate::state) fn due(
        &mut self,
        clock: Clock,
        outbox: &mut Outbox<'_>,
    ) -> Option<Duration> {
        let Clock { now, today } = clock;
        let mut wait = None;
        if self.asked.as_ref() != Some(&self.filter) {
            // Words are waited for; a click is not.
            let words = self
                .asked
                .as_ref()
                .is_some_and(|asked| asked.query.text != self.filter.query.text);
            if self
                .typed
                .as_ref()
                .is_none_or(|(filter, _)| *filter != self.filter)
            {
                self.typed = Some((self.filter.clone(), now));
            }
            let since = self.typed.as_ref().map_or(now, |(_, since)| *since);
            match TYPED
                .checked_sub(now.saturating_sub(since))
                .filter(|left| words && !left.is_zero())
            {
                Some(left) => wait = Some(left),
                None => {
                    self.typed = None;
                    let asked = self
                        .asked
                        .as_ref()
                        .map(|asked| asked.sorted_as(&self.filter));
                    self.narrowed |= asked.as_ref() != Some(&self.filter);
                    self.asked = Some(self.filter.clone());
                    self.rows.ask_for(self.filter.at(today));
                }
            }
        }
        if let Some(since) = self.changed {
            match CHANGED
                .checked_sub(now.saturating_sub(since))
                .filter(|left| !left.is_zero())
            {
                Some(left) => wait = Some(wait.map_or(left, |wait: Duration| wait.min(left))),
                None => {
                    self.changed = None;
                    self.reload_history(today);
                    self.reload_running(outbox);
                }
            }
        }
        if std::mem::take(&mut self.compare_kept) {
            self.reload_outdated(outbox);
        }
        wait
    }

    /// A conversation that went on has more than was kept of it in memory.
    fn reload_outdated(&mut self, outbox: &mut Outbox<'_>) {
        let differs = |(id, session): &&(SessionId, Loadable<std::sync::Arc<StoredSession>>)| {
            let row = self.rows.find(id).map(|(_, row)| (row.state, row.requests));
            let kept = session
                .value()
                .map(|stored| (stored.row.state, stored.row.requests));
            !session.is_loading() && row.is_some() && kept.is_some() && row != kept
        };
        let ids: Vec<SessionId> = self
            .kept
            .iter()
            .filter(differs)
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            self.ask_session(&id, outbox);
        }
    }

    /// Asks everything anew, e.g. since it failed.
    fn reload_history(&mut self, today: Timestamp) {
        let filter = self.asked.clone().unwrap_or_default();
        self.rows.ask_again(filter.at(today));
        self.trend_of = None;
    }

    /// A session that goes on has more by now.
    fn reload_running(&mut self, outbox: &mut Outbox<'_>) {
        let runs = |stored: &StoredSession| stored.row.state == SessionState::Running;
        let running: Vec<SessionId> = self
            .kept
            .iter()
            .filter(|(_, session)| {
                session.value().is_some_and(|stored| runs(stored)) && !session.is_loading()
            })
            .map(|(id, _)| id.clone())
            .collect();
        let open = self.open.as_ref().and_then(|open| match &open.content {
            Some(Ok(content)) if runs(&content.stored) && open.job.is_none() => {
                Some(open.id.clone())
            }
            _ => None,
        });
        for id in running {
            self.ask_session(&id, outbox);
        }
        if let Some(id) = open {
            let job = outbox.ask(Question::History(HistoryQuestion::Session { id }));
            if let Some(open) = &mut self.open {
                open.job = Some(job);
            }
        }
    }

    fn want_rows(&mut self, seen: Range<u64>, outbox: &mut Outbox<'_>) {
        self.rows.want(seen, |query| {
            outbox.ask(Question::History(HistoryQuestion::Rows { query }))
        });
    }

    /// This session is drawn: it is asked for unless it is here, or failed.
    fn want_session(&mut self, id: &SessionId, outbox: &mut Outbox<'_>) {
        if self.session(id).is_none() {
            self.ask_session(id, outbox);
        }
    }

    /// How long to wait until the selected session is asked for: the user may only be passing it.
    pub fn wait_for_selected(&self, now: Duration) -> Option<Duration> {
        let id = self.selected.as_ref()?;
        if self.session(id).is_some() {
            return None;
        }
        let left = RESTED.checked_sub(now.saturating_sub(self.selected_since));
        left.filter(|left| !left.is_zero())
    }

    fn want_selected(&mut self, now: Duration, outbox: &mut Outbox<'_>) {
        if let Some(id) = self.selected.clone()
            && self.wait_for_selected(now).is_none()
        {
            self.want_session(&id, outbox);
        }
    }

    fn ask_session(&mut self, id: &SessionId, outbox: &mut Outbox<'_>) {
        let job = outbox.ask(Question::History(HistoryQuestion::Session {
            id: id.clone(),
        }));
        let at = self.kept.iter().position(|(kept, _)| kept == id);
        let mut session = at.map_or(Loadable::Absent, |at| self.kept.remove(at).1);
        session.begin(job);
        self.kept.push((id.clone(), session));
        if self.kept.len() > MOST_KEPT {
            let needed =
                |id: &SessionId| self.chosen.contains(id) || self.selected.as_ref() == Some(id);
            let old = self
                .kept
                .iter()
                .position(|(kept, _)| !needed(kept))
                .unwrap_or(0);
            self.kept.remove(old);
        }
    }

    /// Opens a session so that it fills the page.
    fn open_session(&mut self, id: &SessionId, outbox: &mut Outbox<'_>) {
        let job = outbox.ask(Question::History(HistoryQuestion::Session {
            id: id.clone(),
        }));
        let known = self.session(id).and_then(Loadable::value).cloned();
        let content = known.map(|stored| Ok(super::Content::of(stored)));
        self.open = Some(Open {
            id: id.clone(),
            job: Some(job),
            content,
        });
    }

    /// Holds the chosen sessions against the first of them, unless that is known.
    fn compare_chosen(&mut self, least_change: f64, outbox: &mut Outbox<'_>) {
        let wanted = (self.chosen.clone(), least_change);
        if wanted.0.len() < 2 || self.compared.as_ref() == Some(&wanted) {
            return;
        }
        if let Some(before) = self.comparison.job() {
            outbox.give_up(before);
        }
        let sessions = self.chosen.clone();
        let job = outbox.ask(Question::History(HistoryQuestion::Compare {
            sessions,
            least_change,
        }));
        self.comparison.begin(job);
        self.compared = Some(wanted);
    }

    /// Tries again to compare.
    fn compare_again(&mut self, least_change: f64, outbox: &mut Outbox<'_>) {
        self.compared = None;
        self.compare_chosen(least_change, outbox);
    }

    fn want_trend(&mut self, of: TrendOf, outbox: &mut Outbox<'_>) {
        if self.trend_of.as_ref() == Some(&of) {
            return;
        }
        let TrendOf {
            model,
            deployment,
            since,
        } = of.clone();
        let job = outbox.ask(Question::History(HistoryQuestion::Trend {
            model,
            deployment,
            since,
        }));
        self.trend.begin(job);
        self.trend_of = Some(of);
    }

    /// Gives a session other tags; the row shows them at once.
    fn tag_session(&mut self, id: &SessionId, tags: Vec<String>, outbox: &mut Outbox<'_>) {
        self.rows.change(id, |row| row.tags.clone_from(&tags));
        if let Some(open) = &mut self.open
            && let Some(Ok(content)) = &mut open.content
            && open.id == *id
        {
            std::sync::Arc::make_mut(&mut content.stored)
                .row
                .tags
                .clone_from(&tags);
        }
        outbox.send(Command::TagSession {
            session: id.clone(),
            tags,
        });
    }

    /// Makes a session the baseline, or no longer.
    fn set_baseline(&mut self, id: &SessionId, on: bool, outbox: &mut Outbox<'_>) {
        self.rows.change(id, |row| row.baseline = on);
        outbox.send(Command::SetBaseline {
            session: id.clone(),
            on,
        });
    }

    /// Deletes these sessions.
    fn delete_sessions(&mut self, ids: Vec<SessionId>, outbox: &mut Outbox<'_>) {
        self.chosen.retain(|id| !ids.contains(id));
        self.kept.retain(|(id, _)| !ids.contains(id));
        // Its place is taken by the next one.
        self.selected = self.selected.take().filter(|id| !ids.contains(id));
        if self
            .open
            .as_ref()
            .is_some_and(|open| ids.contains(&open.id))
        {
            self.open = None;
        }
        outbox.send(Command::DeleteSessions {
            what: Deletion::Sessions(ids),
        });
    }

    /// Finds out how many sessions began before a moment, to ask the user.
    fn count_older(&mut self, until: Timestamp, outbox: &mut Outbox<'_>) {
        let query = HistoryQuery {
            until: Some(until),
            deletable: true,
            limit: 1,
            ..HistoryQuery::default()
        };
        let mut count = Loadable::Absent;
        count.begin(outbox.ask(Question::History(HistoryQuestion::Rows { query })));
        self.aged = Some(Aged { until, count });
    }

    /// Deletes what the user was asked about.
    fn delete_older(&mut self, outbox: &mut Outbox<'_>) {
        if let Some(Aged { until, .. }) = self.aged.take() {
            outbox.send(Command::DeleteSessions {
                what: Deletion::OlderThan(until),
            });
        }
    }

    /// Writes what is meant as a file.
    fn export_sessions(&self, format: ExportFormat, outbox: &mut Outbox<'_>) {
        let sessions = self.meant();
        if !sessions.is_empty() {
            outbox.send(Command::ExportSessions { sessions, format });
        }
    }

    /// Lets the user pick a file to import.
    fn import_sessions(&mut self, outbox: &mut Outbox<'_>) {
        outbox.ask(Question::History(HistoryQuestion::Import));
    }
}

impl HistoryState {
    /// Sessions were imported from a file. Gives what the user is to be told.
    fn imported(&mut self, ids: &[SessionId], remarks: &[String], now: Duration) -> String {
        let told = format!(
            "{} imported",
            crate::domain::units::counted(ids.len(), "session")
        );
        let lines = std::iter::once(told.as_str()).chain(remarks.iter().map(String::as_str));
        let text = lines.collect::<Vec<_>>().join("\n");
        // What was imported may be old, and none of what is filtered by.
        self.filter = Filter::default();
        self.changed(now);
        if let Some(first) = ids.first() {
            self.select(first, now);
        }
        text
    }
}

/// Several features ask the history: the page, the list of conversations, and the benchmark's estimate.
impl State {
    /// Called in each frame of the History page: asks for what is due. Gives when it wants to be called again.
    pub fn history_due(&mut self, clock: Clock, out: &mut Vec<Command>) -> Option<Duration> {
        let mut outbox = Outbox::new(&mut self.jobs, out);
        self.history.due(clock, &mut outbox)
    }

    /// Gives the answer to a question to the history to those who ask such questions.
    pub(in crate::state) fn history_answered(
        &mut self,
        job: JobId,
        answer: HistoryAnswer,
        now: Duration,
    ) {
        match answer {
            HistoryAnswer::Rows(outcome) => {
                self.conversations.loaded(job, &outcome);
                self.history.loaded(job, outcome, now);
            }
            HistoryAnswer::Session(outcome) => {
                self.conversations.opened(job, &outcome);
                self.conversations
                    .reopened(job, &outcome, &mut self.playgrounds);
                self.history.opened(job, outcome, &mut self.colors, now);
            }
            HistoryAnswer::Trend(outcome) => {
                self.bench.speed_known(job, &outcome, now);
                self.history.trend.resolve(job, outcome, now);
            }
            HistoryAnswer::Compare(outcome) => self.history.comparison.resolve(job, outcome, now),
            HistoryAnswer::Import(outcome) => match outcome {
                Ok(Some(ImportedSessions { ids, remarks })) => {
                    let told = self.history.imported(&ids, &remarks, now);
                    self.notices.tell(told);
                }
                // The user picked no file.
                Ok(None) => {}
                Err(failure) => self.notices.fail(failure),
            },
        }
    }
}
