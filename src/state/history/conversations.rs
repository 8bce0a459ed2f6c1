//! The conversations that are kept, as the Playground lists them: searched, named, opened, deleted.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::reopen::Reopening;
use super::rows::Rows;
use super::{CHANGED, TYPED, wait_until};
use crate::domain::failure::Failure;
use crate::domain::history::{
    Deletion, ExportFormat, HistoryPage, HistoryQuery, SessionBody, SessionId, SessionKind, SortBy,
    StoredSession,
};
use crate::protocol::{Command, HistoryQuestion, JobId, Question};
use crate::state::State;
use crate::state::jobs::Outbox;
use crate::state::panes::{Panes, Playgrounds, comparison};

/// So long a deletion can be undone.
pub const SECOND_THOUGHTS: Duration = Duration::from_secs(8);

/// What the list knows.
#[derive(Debug, Default)]
pub struct Conversations {
    /// Words that are searched for. The list edits it.
    pub text: String,
    /// The rows that match, as far as they are here.
    pub rows: Rows,
    /// What the rows were asked with.
    asked: Option<String>,
    /// When the words were changed last, and not yet asked.
    typed: Option<(String, Duration)>,
    /// When something in the store changed, and the rows were not regenerated.
    changed: Option<Duration>,
    /// The one that is being read, to be opened in the active pane.
    opening: Option<JobId>,
    /// It came.
    came: Option<Result<Arc<StoredSession>, Failure>>,
    /// Those that are deleted unless somebody thinks better of it, and since when.
    removed: Vec<(SessionId, Duration)>,
    /// Those that were deleted since the rows came.
    gone: Vec<SessionId>,
    /// Those that are being read since panes showed them before the restart.
    pub(super) reopening: Vec<Reopening>,
}

impl Conversations {
    /// Whether it is to be deleted, and that can be undone.
    pub fn is_removed(&self, id: &SessionId) -> bool {
        self.removed.iter().any(|(removed, _)| removed == id)
    }

    /// Whether it was deleted, and the rows do not know yet.
    pub fn is_gone(&self, id: &SessionId) -> bool {
        self.gone.contains(id)
    }

    /// Whether one is being read to be opened.
    pub fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    /// Newest first, by when something was last said.
    fn query(words: &str) -> HistoryQuery {
        HistoryQuery {
            text: words.trim().to_owned(),
            kind: Some(SessionKind::Chat),
            sort: SortBy::Ended,
            ..HistoryQuery::default()
        }
    }

    pub(in crate::state) fn loaded(&mut self, job: JobId, outcome: &Result<HistoryPage, Failure>) {
        if self.rows.loaded(job, outcome.clone()) {
            self.gone.clear();
        }
    }

    pub(in crate::state) fn opened(
        &mut self,
        job: JobId,
        outcome: &Result<Arc<StoredSession>, Failure>,
    ) {
        if self.opening == Some(job) {
            self.opening = None;
            self.came = Some(outcome.clone());
        }
    }

    pub(in crate::state) fn changed(&mut self, now: Duration) {
        self.changed.get_or_insert(now);
    }

    /// Takes those whose deletion can no longer be undone. Gives when the next one can no longer be, too.
    fn over(&mut self, now: Duration) -> (Vec<SessionId>, Option<Duration>) {
        let is_over = |(_, since): &mut (SessionId, Duration)| {
            wait_until(*since, SECOND_THOUGHTS, now).is_none()
        };
        let over = self.removed.extract_if(.., is_over).map(|(id, _)| id);
        let over = over.collect();
        let waits = self.removed.iter();
        let wait = waits.filter_map(|(_, since)| wait_until(*since, SECOND_THOUGHTS, now));
        (over, wait.min())
    }

    /// While the list is seen: asks for other rows when the words have rested, and for the same when something has
    /// changed. Gives when to look again.
    fn ask_when_due(&mut self, now: Duration) -> Option<Duration> {
        let mut waits = [None, None];
        if self.asked.as_ref() != Some(&self.text) {
            let is_new = |(text, _): &(String, Duration)| *text != self.text;
            if self.typed.as_ref().is_none_or(is_new) {
                self.typed = Some((self.text.clone(), now));
            }
            let since = self.typed.as_ref().map_or(now, |(_, since)| *since);
            waits[0] = wait_until(since, TYPED, now).filter(|_| self.asked.is_some());
            if waits[0].is_none() {
                self.typed = None;
                self.asked = Some(self.text.clone());
                self.rows.ask_for(Self::query(&self.text));
            }
        }
        if let Some(since) = self.changed {
            waits[1] = wait_until(since, CHANGED, now);
            if waits[1].is_none() {
                self.changed = None;
                self.reload();
            }
        }
        waits.into_iter().flatten().min()
    }

    /// Asks for the list anew, e.g. since that failed.
    fn reload(&mut self) {
        let words = self.asked.as_deref().unwrap_or_default();
        self.rows.ask_again(Self::query(words));
    }

    /// These rows of the list are seen.
    fn want(&mut self, seen: Range<u64>, outbox: &mut Outbox<'_>) {
        self.rows.want(seen, |query| {
            outbox.ask(Question::History(HistoryQuestion::Rows { query }))
        });
    }
}

/// One thing that the list of conversations asks for.
#[derive(Debug)]
pub enum ConversationsAction {
    /// Words to search for were typed.
    Search(String),
    /// Read the list again, e.g. since that failed.
    Reload,
    /// These rows are seen.
    Want(Range<u64>),
    /// Open a conversation in the active pane.
    Open(SessionId),
    /// Give one another title.
    Rename(SessionId, String),
    /// Delete one, unless that is undone soon.
    Remove(SessionId),
    /// Undo that.
    Keep(SessionId),
    /// Write one as a file.
    Export(SessionId, ExportFormat),
}

/// What the list asks for, and what becomes of its conversations in the panes that show them.
impl Conversations {
    /// Opens a conversation in the active pane. One that a pane shows already is gone to.
    fn open(&mut self, id: &SessionId, panes: &mut Panes, outbox: &mut Outbox<'_>) {
        if let Some(index) = panes.showing(id) {
            panes.activate(index);
            return;
        }
        let question = HistoryQuestion::Session { id: id.clone() };
        let job = outbox.ask(Question::History(question));
        if let Some(before) = self.opening.replace(job) {
            outbox.give_up(before);
        }
    }

    /// Gives a conversation a title; the rows of both lists show it at once.
    fn rename(&mut self, id: &SessionId, title: &str, table: &mut Rows, outbox: &mut Outbox<'_>) {
        let title = title.trim();
        if title.is_empty() {
            return;
        }
        for rows in [&mut self.rows, table] {
            rows.change(id, |row| title.clone_into(&mut row.title));
        }
        outbox.send(Command::RenameSession {
            session: id.clone(),
            title: title.to_owned(),
        });
    }

    /// Deletes a conversation, unless that is undone soon. Where it is shown the pane is emptied, which can be undone,
    /// too. One in which something is being said stays.
    fn remove(&mut self, id: &SessionId, now: Duration, playgrounds: &mut Playgrounds) {
        if playgrounds.is_busy(id) || self.is_removed(id) {
            return;
        }
        playgrounds.clear(id);
        self.removed.push((id.clone(), now));
    }

    /// It is not deleted after all.
    fn keep(&mut self, id: &SessionId, playgrounds: &mut Playgrounds) {
        self.is_back(id);
        playgrounds.bring_back(id);
    }

    /// A pane shows a conversation again: if that was to be deleted, somebody thought better of it.
    pub(in crate::state) fn is_back(&mut self, id: &SessionId) {
        self.removed.retain(|(removed, _)| removed != id);
    }

    /// What was to be deleted is, e.g. since the window closes.
    fn delete_removed(&mut self, playgrounds: &mut Playgrounds, outbox: &mut Outbox<'_>) {
        let removed = self.removed.drain(..).map(|(id, _)| id).collect();
        self.delete(removed, playgrounds, outbox);
    }

    /// Deletes them for good: nothing brings them back on the screen. One in which something is said again stays.
    fn delete(
        &mut self,
        mut ids: Vec<SessionId>,
        playgrounds: &mut Playgrounds,
        outbox: &mut Outbox<'_>,
    ) {
        ids.retain(|id| !playgrounds.is_busy(id));
        if ids.is_empty() {
            return;
        }
        playgrounds.forget(&ids);
        self.gone.extend(ids.iter().cloned());
        outbox.send(Command::DeleteSessions {
            what: Deletion::Sessions(ids),
        });
    }
}

/// The list reaches into the panes, and its titles into the table of the History page.
impl State {
    /// Does what the list of conversations asks for.
    pub(in crate::state) fn act_on_conversations(
        &mut self,
        action: ConversationsAction,
        now: Duration,
        out: &mut Vec<Command>,
    ) {
        use ConversationsAction as A;
        let Self {
            conversations,
            playgrounds,
            history,
            jobs,
            ..
        } = self;
        let outbox = &mut Outbox::new(jobs, out);
        match action {
            A::Search(text) => conversations.text = text,
            A::Reload => conversations.reload(),
            A::Want(seen) => conversations.want(seen, outbox),
            A::Open(id) => conversations.open(&id, playgrounds.panes_mut(), outbox),
            A::Rename(id, title) => conversations.rename(&id, &title, &mut history.rows, outbox),
            A::Remove(id) => conversations.remove(&id, now, playgrounds),
            A::Keep(id) => conversations.keep(&id, playgrounds),
            A::Export(id, format) => outbox.send(Command::ExportSessions {
                sessions: vec![id],
                format,
            }),
        }
    }

    /// Called in each frame of the Playground: opens what came, deletes what nobody wants back, and asks for rows
    /// while the list is seen. Gives when it wants to be called again.
    pub fn conversations_due(
        &mut self,
        seen: bool,
        now: Duration,
        out: &mut Vec<Command>,
    ) -> Option<Duration> {
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        let (over, until_over) = self.conversations.over(now);
        self.conversations
            .delete(over, &mut self.playgrounds, outbox);
        let until_asked = if seen {
            self.conversations.ask_when_due(now)
        } else {
            None
        };
        match self.conversations.came.take() {
            Some(Ok(stored)) => {
                let outcome = self.continue_chat(&stored, out);
                self.notices.fail_if_any(outcome.err());
            }
            Some(Err(failure)) => self.notices.fail(failure),
            None => {}
        }
        [until_over, until_asked].into_iter().flatten().min()
    }

    /// What was to be deleted is, e.g. since the window closes.
    pub fn delete_removed(&mut self, out: &mut Vec<Command>) {
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        self.conversations
            .delete_removed(&mut self.playgrounds, outbox);
    }

    /// Goes on with a conversation out of the history: in the active pane, else in the first one of the environment
    /// where it was held; with a comparison in as many panes as it was held in.
    ///
    /// # Errors
    /// When that environment is gone, its texts were not kept, or an answer is under way there.
    pub fn continue_chat(
        &mut self,
        stored: &StoredSession,
        out: &mut Vec<Command>,
    ) -> Result<(), Failure> {
        let settings = &self.environments.settings;
        if let Some(failure) = self.playgrounds.why_not_continue(stored, settings) {
            return Err(failure);
        }
        let StoredSession { row, body, .. } = stored;
        let (SessionBody::Chat { exchanges, .. }, Some(env)) =
            (body, settings.by_name(&row.environment))
        else {
            return Ok(());
        };
        let env = env.id.clone();
        let several = comparison::is_one(exchanges);
        let used = &settings.selected;
        if self.playgrounds.continues_in(several, &env, used) {
            self.switch(&env, out);
            self.panes_mut().activate(0);
        }
        let panes = self.playgrounds.panes_mut();
        if let Some(index) = panes.showing(&row.id) {
            panes.activate(index);
            return Ok(());
        }
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        let environments = &mut self.environments;
        let asked = panes.show_conversation(row, exchanges, &env, environments, outbox);
        self.conversations.is_back(&row.id);
        asked.iter().for_each(|model| self.colors.note(model));
        Ok(())
    }
}

#[cfg(test)]
pub(in crate::state) mod tests;
