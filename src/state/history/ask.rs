//! What the History page asks for, and when.

use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;

use super::{Aged, CHANGED, Clock, Filter, MOST_KEPT, Open, RESTED, TYPED};
use crate::domain::environment::EnvId;
use crate::domain::history::{
    Deletion, ExportFormat, HistoryQuery, SessionId, SessionState, StoredSession,
};
use crate::domain::plan::Plan;
use crate::protocol::{Command, HistoryAnswer, HistoryQuestion, ImportedSessions, JobId, Question};
use crate::state::{Loadable, Notice, State};

impl State {
    /// Called in each frame in which the page is seen: asks for what is due. Gives when it wants to be called
    /// again.
    pub fn history_due(&mut self, clock: Clock, out: &mut Vec<Command>) -> Option<Duration> {
        let Clock { now, today } = clock;
        let history = &mut self.history;
        let mut wait = None;
        if history.asked.as_ref() != Some(&history.filter) {
            // Words are waited for; a click is not.
            let words = history
                .asked
                .as_ref()
                .is_some_and(|asked| asked.query.text != history.filter.query.text);
            if history
                .typed
                .as_ref()
                .is_none_or(|(filter, _)| *filter != history.filter)
            {
                history.typed = Some((history.filter.clone(), now));
            }
            let since = history.typed.as_ref().map_or(now, |(_, since)| *since);
            match TYPED
                .checked_sub(now.saturating_sub(since))
                .filter(|left| words && !left.is_zero())
            {
                Some(left) => wait = Some(left),
                None => {
                    history.typed = None;
                    let asked = history
                        .asked
                        .as_ref()
                        .map(|asked| asked.sorted_as(&history.filter));
                    history.narrowed |= asked.as_ref() != Some(&history.filter);
                    history.asked = Some(history.filter.clone());
                    history.rows.ask_for(history.filter.at(today));
                }
            }
        }
        if let Some(since) = history.changed {
            match CHANGED
                .checked_sub(now.saturating_sub(since))
                .filter(|left| !left.is_zero())
            {
                Some(left) => wait = Some(wait.map_or(left, |wait: Duration| wait.min(left))),
                None => {
                    history.changed = None;
                    self.reload_history(today);
                    self.reload_running(out);
                }
            }
        }
        if std::mem::take(&mut self.history.compare_kept) {
            self.reload_outdated(out);
        }
        wait
    }

    /// A conversation that went on has more than was kept of it in memory.
    fn reload_outdated(&mut self, out: &mut Vec<Command>) {
        let history = &self.history;
        let differs = |(id, session): &&(SessionId, Loadable<std::sync::Arc<StoredSession>>)| {
            let row = history
                .rows
                .find(id)
                .map(|(_, row)| (row.state, row.requests));
            let kept = session
                .value()
                .map(|stored| (stored.row.state, stored.row.requests));
            !session.is_loading() && row.is_some() && kept.is_some() && row != kept
        };
        let ids: Vec<SessionId> = history
            .kept
            .iter()
            .filter(differs)
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            self.ask_session(&id, out);
        }
    }

    /// Asks everything anew, e.g. since it failed.
    pub fn reload_history(&mut self, today: Timestamp) {
        let filter = self.history.asked.clone().unwrap_or_default();
        self.history.rows.ask_again(filter.at(today));
        self.history.trend_of = None;
    }

    /// A session that goes on has more by now.
    fn reload_running(&mut self, out: &mut Vec<Command>) {
        let runs = |stored: &StoredSession| stored.row.state == SessionState::Running;
        let history = &mut self.history;
        let running: Vec<SessionId> = history
            .kept
            .iter()
            .filter(|(_, session)| {
                session.value().is_some_and(|stored| runs(stored)) && !session.is_loading()
            })
            .map(|(id, _)| id.clone())
            .collect();
        let open = history.open.as_ref().and_then(|open| match &open.content {
            Some(Ok(content)) if runs(&content.stored) && open.job.is_none() => {
                Some(open.id.clone())
            }
            _ => None,
        });
        for id in running {
            self.ask_session(&id, out);
        }
        if let Some(id) = open {
            let job = self.ask_history(HistoryQuestion::Session { id }, out);
            if let Some(open) = &mut self.history.open {
                open.job = Some(job);
            }
        }
    }

    /// These rows are seen.
    pub fn want_rows(&mut self, seen: Range<u64>, out: &mut Vec<Command>) {
        let Self { history, jobs, .. } = self;
        history.rows.want(seen, |query| {
            jobs.ask(Question::History(HistoryQuestion::Rows { query }), out)
        });
    }

    /// This session is drawn: it is asked for unless it is here, or failed.
    pub fn want_session(&mut self, id: &SessionId, out: &mut Vec<Command>) {
        if self.history.session(id).is_none() {
            self.ask_session(id, out);
        }
    }

    /// The selected session is drawn, once the user has come to rest on it. Gives how long to wait for that.
    pub fn want_selected(&mut self, now: Duration, out: &mut Vec<Command>) -> Option<Duration> {
        let id = self.history.selected.clone()?;
        if self.history.session(&id).is_some() {
            return None;
        }
        let left = RESTED.checked_sub(now.saturating_sub(self.history.selected_since));
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            return Some(left);
        }
        self.ask_session(&id, out);
        None
    }

    fn ask_session(&mut self, id: &SessionId, out: &mut Vec<Command>) {
        let job = self.ask_history(HistoryQuestion::Session { id: id.clone() }, out);
        let history = &mut self.history;
        let at = history.kept.iter().position(|(kept, _)| kept == id);
        let mut session = at.map_or(Loadable::Absent, |at| history.kept.remove(at).1);
        session.begin(job);
        history.kept.push((id.clone(), session));
        if history.kept.len() > MOST_KEPT {
            let needed = |id: &SessionId| {
                history.chosen.contains(id) || history.selected.as_ref() == Some(id)
            };
            let old = history
                .kept
                .iter()
                .position(|(kept, _)| !needed(kept))
                .unwrap_or(0);
            history.kept.remove(old);
        }
    }

    /// Opens a session so that it fills the page.
    pub fn open_session(&mut self, id: &SessionId, out: &mut Vec<Command>) {
        let job = self.ask_history(HistoryQuestion::Session { id: id.clone() }, out);
        let known = self.history.session(id).and_then(Loadable::value).cloned();
        let content = known.map(|stored| Ok(super::Content::of(stored)));
        self.history.open = Some(Open {
            id: id.clone(),
            job: Some(job),
            content,
        });
    }

    /// Holds the chosen sessions against the first of them, unless that is known.
    pub fn compare_chosen(&mut self, out: &mut Vec<Command>) {
        let least_change = self.settings.history.least_change;
        let wanted = (self.history.chosen.clone(), least_change);
        if wanted.0.len() < 2 || self.history.compared.as_ref() == Some(&wanted) {
            return;
        }
        if let Some(before) = self.history.comparison.job() {
            self.jobs.give_up(before, out);
        }
        let sessions = self.history.chosen.clone();
        let job = self.ask_history(
            HistoryQuestion::Compare {
                sessions,
                least_change,
            },
            out,
        );
        self.history.comparison.begin(job);
        self.history.compared = Some(wanted);
    }

    /// Tries again to compare.
    pub fn compare_again(&mut self, out: &mut Vec<Command>) {
        self.history.compared = None;
        self.compare_chosen(out);
    }

    /// Asks for a model's figures over time, unless they are here.
    pub fn want_trend(
        &mut self,
        model: &str,
        deployment: Option<&str>,
        since: Option<Timestamp>,
        out: &mut Vec<Command>,
    ) {
        let of = (model.to_owned(), deployment.map(str::to_owned), since);
        if self.history.trend_of.as_ref() == Some(&of) {
            return;
        }
        let (model, deployment) = (model.to_owned(), deployment.map(str::to_owned));
        let job = self.ask_history(
            HistoryQuestion::Trend {
                model,
                deployment,
                since,
            },
            out,
        );
        self.history.trend.begin(job);
        self.history.trend_of = Some(of);
    }

    /// Gives a session other tags; the row shows them at once.
    pub fn tag_session(&mut self, id: &SessionId, tags: Vec<String>, out: &mut Vec<Command>) {
        self.history
            .rows
            .change(id, |row| row.tags.clone_from(&tags));
        if let Some(open) = &mut self.history.open
            && let Some(Ok(content)) = &mut open.content
            && open.id == *id
        {
            std::sync::Arc::make_mut(&mut content.stored)
                .row
                .tags
                .clone_from(&tags);
        }
        out.push(Command::TagSession {
            session: id.clone(),
            tags,
        });
    }

    /// Makes a session the baseline, or no longer.
    pub fn set_baseline(&mut self, id: &SessionId, on: bool, out: &mut Vec<Command>) {
        self.history.rows.change(id, |row| row.baseline = on);
        out.push(Command::SetBaseline {
            session: id.clone(),
            on,
        });
    }

    /// Deletes these sessions.
    pub fn delete_sessions(&mut self, ids: Vec<SessionId>, out: &mut Vec<Command>) {
        let history = &mut self.history;
        history.chosen.retain(|id| !ids.contains(id));
        history.kept.retain(|(id, _)| !ids.contains(id));
        // Its place is taken by the next one.
        history.selected = history.selected.take().filter(|id| !ids.contains(id));
        if history
            .open
            .as_ref()
            .is_some_and(|open| ids.contains(&open.id))
        {
            history.open = None;
        }
        out.push(Command::DeleteSessions {
            what: Deletion::Sessions(ids),
        });
    }

    /// Finds out how many sessions began before a moment, to ask the user.
    pub fn count_older(&mut self, until: Timestamp, out: &mut Vec<Command>) {
        let query = HistoryQuery {
            until: Some(until),
            deletable: true,
            limit: 1,
            ..HistoryQuery::default()
        };
        let mut count = Loadable::Absent;
        count.begin(self.ask_history(HistoryQuestion::Rows { query }, out));
        self.history.aged = Some(Aged { until, count });
    }

    /// Deletes what the user was asked about.
    pub fn delete_older(&mut self, out: &mut Vec<Command>) {
        if let Some(Aged { until, .. }) = self.history.aged.take() {
            out.push(Command::DeleteSessions {
                what: Deletion::OlderThan(until),
            });
        }
    }

    /// Writes what is meant as a file.
    pub fn export_sessions(&self, format: ExportFormat, out: &mut Vec<Command>) {
        let sessions = self.history.meant();
        if !sessions.is_empty() {
            out.push(Command::ExportSessions { sessions, format });
        }
    }

    /// Lets the user pick a file to import.
    pub fn import_sessions(&mut self, out: &mut Vec<Command>) {
        self.ask_history(HistoryQuestion::Import, out);
    }

    /// Asks the history a question; gives the job that brings its answer.
    pub(super) fn ask_history(
        &mut self,
        question: HistoryQuestion,
        out: &mut Vec<Command>,
    ) -> JobId {
        self.ask(Question::History(question), out)
    }

    /// Takes the answer to a question to the history.
    pub(in crate::state) fn history_answered(
        &mut self,
        job: JobId,
        answer: HistoryAnswer,
        now: Duration,
    ) {
        match answer {
            HistoryAnswer::Rows(outcome) => {
                self.talks.loaded(job, &outcome);
                self.history.loaded(job, outcome, now);
            }
            HistoryAnswer::Session(outcome) => {
                self.talks.opened(job, &outcome);
                self.history.opened(job, outcome, &mut self.colors, now);
            }
            HistoryAnswer::Trend(outcome) => self.history.trend.resolve(job, outcome, now),
            HistoryAnswer::Compare(outcome) => self.history.comparison.resolve(job, outcome, now),
            HistoryAnswer::Import(outcome) => match outcome {
                Ok(Some(ImportedSessions { ids, remarks })) => self.imported(&ids, &remarks, now),
                // The user picked no file.
                Ok(None) => {}
                Err(failure) => self.notice_failure(Err(failure)),
            },
        }
    }

    fn imported(&mut self, ids: &[SessionId], remarks: &[String], now: Duration) {
        let told = format!(
            "{} imported",
            crate::domain::units::counted(ids.len(), "session")
        );
        let lines = std::iter::once(told.as_str()).chain(remarks.iter().map(String::as_str));
        let text = lines.collect::<Vec<_>>().join("\n");
        self.notices.push(Notice {
            failure: None,
            text,
        });
        // What was imported may be old, and none of what is filtered by.
        self.history.filter = Filter::default();
        self.history.changed(now);
        if let Some(first) = ids.first() {
            self.history.select(first, now);
        }
    }

    /// Puts a plan into the Benchmark form of the environment of this name, if there is one, else of the one in
    /// use.
    pub fn plan_again(&mut self, plan: &Plan, environment: &str, out: &mut Vec<Command>) {
        self.go_to_named(environment, out);
        *self.bench_form() = super::super::bench::Form::of(plan);
    }

    fn go_to_named(&mut self, name: &str, out: &mut Vec<Command>) -> Option<EnvId> {
        let id = self.settings.by_name(name).map(|env| env.id.clone())?;
        if self.settings.selected != id {
            self.switch(&id, out);
        }
        Some(id)
    }
}
