//! The conversations that are kept, as the Playground lists them: searched, named, opened, deleted.

mod comparison;

pub(in crate::state) use self::comparison::of_pane;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::rows::Rows;
use super::{CHANGED, TYPED, wait_until};
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::history::{
    Deletion, Exchange, ExportFormat, HistoryPage, HistoryQuery, SessionBody, SessionId,
    SessionKind, SessionRow, SortBy, StoredSession,
};
use crate::protocol::{Command, HistoryQuestion, JobId, Question};
use crate::state::State;
use crate::state::chat::Whereabouts;
use crate::state::cluster::Choice;
use crate::state::jobs::Outbox;

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

impl State {
    /// Does what the list of conversations asks for.
    pub(in crate::state) fn act_on_conversations(
        &mut self,
        action: ConversationsAction,
        now: Duration,
        out: &mut Vec<Command>,
    ) {
        use ConversationsAction as A;
        match action {
            A::Search(text) => self.conversations.text = text,
            A::Reload => self.conversations.reload(),
            A::Want(seen) => {
                let mut outbox = Outbox::new(&mut self.jobs, out);
                self.conversations.want(seen, &mut outbox);
            }
            A::Open(id) => self.open_conversation(&id, out),
            A::Rename(id, title) => self.rename_session(&id, &title, out),
            A::Remove(id) => self.remove_conversation(&id, now),
            A::Keep(id) => self.keep_conversation(&id),
            A::Export(id, format) => out.push(Command::ExportSessions {
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
        let (over, until_over) = self.conversations.over(now);
        self.delete_conversations(over, out);
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

    /// Opens a conversation in the active pane. One that a pane shows already is gone to.
    pub fn open_conversation(&mut self, id: &SessionId, out: &mut Vec<Command>) {
        if let Some(index) = self.panes().showing(id) {
            self.panes_mut().activate(index);
            return;
        }
        let job = self.ask_history(HistoryQuestion::Session { id: id.clone() }, out);
        if let Some(before) = self.conversations.opening.replace(job) {
            self.jobs.give_up(before, out);
        }
    }

    /// Whether an answer is under way in this conversation, wherever it is shown.
    pub fn conversation_is_busy(&self, id: &SessionId) -> bool {
        let connections = self.connections.iter();
        let mut panes = connections.flat_map(|connection| connection.panes.all());
        panes.any(|pane| pane.chat.conversation() == Some(id) && pane.chat.running().is_some())
    }

    /// Gives a conversation, or another session, a title; the row shows it at once.
    pub fn rename_session(&mut self, id: &SessionId, title: &str, out: &mut Vec<Command>) {
        let title = title.trim();
        if title.is_empty() {
            return;
        }
        self.conversations
            .rows
            .change(id, |row| title.clone_into(&mut row.title));
        self.history
            .rows
            .change(id, |row| title.clone_into(&mut row.title));
        out.push(Command::RenameSession {
            session: id.clone(),
            title: title.to_owned(),
        });
    }

    /// Deletes a conversation, unless that is undone soon. Where it is shown the pane is emptied, which can be undone,
    /// too. One in which something is being said stays.
    pub fn remove_conversation(&mut self, id: &SessionId, now: Duration) {
        if self.conversation_is_busy(id) || self.conversations.is_removed(id) {
            return;
        }
        for connection in self.connections.iter_mut() {
            connection
                .panes
                .chats_mut()
                .filter(|chat| chat.conversation() == Some(id))
                .for_each(|chat| chat.clear());
        }
        self.conversations.removed.push((id.clone(), now));
    }

    /// It is not deleted after all.
    pub fn keep_conversation(&mut self, id: &SessionId) {
        self.conversations
            .removed
            .retain(|(removed, _)| removed != id);
        for connection in self.connections.iter_mut() {
            connection
                .panes
                .chats_mut()
                .filter(|chat| chat.cleared_was(id))
                .for_each(|chat| chat.undo_clear());
        }
    }

    /// A pane shows its conversation again: if that was to be deleted, somebody thought better of it.
    pub(in crate::state) fn conversation_is_back(&mut self, index: usize) {
        if let Some(id) = self.panes().chat(index).conversation().cloned() {
            self.conversations
                .removed
                .retain(|(removed, _)| *removed != id);
        }
    }

    /// What was to be deleted is, e.g. since the window closes.
    pub fn delete_removed(&mut self, out: &mut Vec<Command>) {
        let removed = self
            .conversations
            .removed
            .drain(..)
            .map(|(id, _)| id)
            .collect();
        self.delete_conversations(removed, out);
    }

    /// Deletes them for good: nothing brings them back on the screen. One in which something is said again stays.
    fn delete_conversations(&mut self, mut ids: Vec<SessionId>, out: &mut Vec<Command>) {
        ids.retain(|id| !self.conversation_is_busy(id));
        if ids.is_empty() {
            return;
        }
        for connection in self.connections.iter_mut() {
            connection
                .panes
                .chats_mut()
                .for_each(|chat| ids.iter().for_each(|id| chat.forget(id)));
        }
        self.conversations.gone.extend(ids.iter().cloned());
        out.push(Command::DeleteSessions {
            what: Deletion::Sessions(ids),
        });
    }

    /// Why a conversation out of the history cannot be continued now.
    pub fn why_not_continue(&self, stored: &StoredSession) -> Option<Failure> {
        let SessionBody::Chat { exchanges, .. } = &stored.body else {
            return None;
        };
        let name = &stored.row.environment;
        let Some(env) = self.settings.by_name(name).map(|env| &env.id) else {
            return Some(Failure::new(
                format!("The environment {name} of this conversation is gone"),
                "Add an environment of that name in Environments to continue it",
            ));
        };
        if !exchanges.iter().any(Exchange::has_texts) {
            return Some(Failure::new(
                "The texts of this conversation were not kept: it has only figures",
                "The History page shows them. Change what is kept under Data retention there",
            ));
        }
        let several = comparison::is_one(exchanges);
        let panes = if self.continues_there(several, env) {
            &self.connection_of(env)?.panes
        } else {
            self.panes()
        };
        let is_busy = panes.showing(&stored.row.id).is_none()
            && if several {
                !panes.is_idle()
            } else {
                panes.active_pane().chat.running().is_some()
            };
        is_busy.then(|| {
            Failure::new(
                "An answer is under way on the Playground",
                "Stop it or wait for it, then continue this conversation",
            )
        })
    }

    /// Whether a conversation is gone on with in the environment where it was held, and not in a pane of the one in use:
    /// a comparison is, and what the first pane shows.
    fn continues_there(&self, several: bool, env: &EnvId) -> bool {
        self.settings.selected != *env && (several || self.panes().active() == 0)
    }

    /// Goes on with a conversation out of the history: in the active pane, else in the first one of the environment
    /// where it was held; with a comparison in as many panes as it was held in. What was there is brought back by
    /// [`Self::undo_open`].
    ///
    /// # Errors
    /// When that environment is gone, its texts were not kept, or an answer is under way there.
    pub fn continue_chat(
        &mut self,
        stored: &StoredSession,
        out: &mut Vec<Command>,
    ) -> Result<(), Failure> {
        if let Some(failure) = self.why_not_continue(stored) {
            return Err(failure);
        }
        let (SessionBody::Chat { exchanges, .. }, Some(env)) =
            (&stored.body, self.settings.by_name(&stored.row.environment))
        else {
            return Ok(());
        };
        let env = env.id.clone();
        let several = comparison::is_one(exchanges);
        if self.continues_there(several, &env) {
            self.switch(&env, out);
            self.panes_mut().activate(0);
        }
        if let Some(index) = self.panes().showing(&stored.row.id) {
            self.panes_mut().activate(index);
            return Ok(());
        }
        // The conversation tells which model is which.
        self.panes_mut().end_blind();
        if several {
            self.take_up_comparison(&stored.row, exchanges, &env, out);
        } else {
            let index = self.panes().active();
            self.take_up(index, &stored.row, exchanges, &env, out);
        }
        Ok(())
    }

    /// Shows these exchanges of a conversation in a pane, and asks there whom the last of them asked.
    fn take_up(
        &mut self,
        index: usize,
        row: &SessionRow,
        exchanges: &[Exchange],
        env: &EnvId,
        out: &mut Vec<Command>,
    ) {
        let Some(last) = exchanges.last() else {
            return;
        };
        let pane = self.panes().get(index);
        let before = Whereabouts {
            env: pane.env.clone(),
            choice: pane.choice.clone(),
            linked: pane.linked,
        };
        self.pick_pane_env(index, env, out);
        let panes = self.panes_mut();
        let chat = panes.chat_mut(index);
        chat.take_up(&row.title, row.id.clone(), exchanges, before);
        let keeps_link = panes.chat(index).has_settings_of(panes.chat(0));
        let pane = panes.get_mut(index);
        pane.choice = Choice {
            deployment: last.deployment.clone(),
            model: Some(last.model.clone()),
        };
        pane.settled = true;
        pane.linked &= keeps_link;
        self.conversation_is_back(index);
        self.colors.note(&last.model);
    }

    /// Brings back what was shown before another conversation was opened: in all panes that show it.
    pub fn undo_open(&mut self, index: usize, out: &mut Vec<Command>) {
        let opened = self.panes().chat(index).conversation().cloned();
        for index in 0..self.panes().count() {
            let chat = self.panes().chat(index);
            if chat.opened().is_some() && chat.conversation() == opened.as_ref() {
                self.undo_open_in(index, out);
            }
        }
    }

    fn undo_open_in(&mut self, index: usize, out: &mut Vec<Command>) {
        let Some(before) = self.panes_mut().chat_mut(index).undo_open() else {
            return;
        };
        self.conversation_is_back(index);
        if self.settings.get(&before.env).is_some() {
            self.pick_pane_env(index, &before.env, out);
        }
        let pane = self.panes_mut().get_mut(index);
        pane.linked = before.linked;
        if pane.env == before.env {
            pane.choice = before.choice;
        }
    }
}

#[cfg(test)]
mod tests;
