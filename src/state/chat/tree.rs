//! The branches of a conversation: an earlier message is changed, an answer is asked for once more, another
//! thread begins at an answer; and the way back.

use std::time::Duration;

use super::{
    Answer, AnswerStatus, Asking, Before, CONTINUE, ChatState, Conversation, Editing, Form, Opened,
    Turn, UserInput, Whereabouts,
};
use crate::domain::conversation::{Attachment, ChatRequest, ToolResult};
use crate::domain::failure::Failure;
use crate::domain::history::{Exchange, ExchangeEnding, SessionId};
use crate::protocol::FinishReason;

/// What can become of a conversation; turns by their place on the way that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Ask this turn's question again.
    Again(usize),
    /// Ask for the rest of the last answer.
    Continue,
    /// Send what is typed as results of the functions that the last answer called.
    SendResults,
    /// Change this turn's message.
    Edit(usize),
    /// Begin a branch after this turn.
    Branch(usize),
    /// Go to the branch after this one, or to the one before.
    Step(usize, bool),
    /// Take the branch that goes on from the end.
    Ahead,
}

impl Act {
    /// Whether the model is asked something.
    pub fn asks(self) -> bool {
        matches!(self, Self::Again(_) | Self::Continue | Self::SendResults)
    }

    /// The same, of the turn at `index`.
    #[must_use]
    pub fn at(self, index: usize) -> Self {
        match self {
            Self::Again(_) => Self::Again(index),
            Self::Edit(_) => Self::Edit(index),
            Self::Branch(_) => Self::Branch(index),
            Self::Step(_, forward) => Self::Step(index, forward),
            Self::Continue | Self::SendResults | Self::Ahead => self,
        }
    }
}

impl ChatState {
    /// Does what needs no answer.
    pub fn turn_to(&mut self, act: Act) {
        match act {
            Act::Edit(index) => self.edit(index),
            Act::Branch(index) => self.branch_after(index),
            Act::Step(index, forward) => self.step(index, forward),
            Act::Ahead => self.go_ahead(),
            Act::Again(_) | Act::Continue | Act::SendResults => {}
        }
    }

    /// Does what asks the model.
    pub fn ask_for(&mut self, act: Act, asking: &Asking<'_>) -> Option<ChatRequest> {
        match act {
            Act::Again(index) => self.regenerate(index, asking),
            Act::Continue => self.go_on(asking),
            Act::SendResults => self.send_results(asking),
            Act::Edit(_) | Act::Branch(_) | Act::Step(..) | Act::Ahead => None,
        }
    }

    /// At the turn of the way at `index`: which of the branches there it is, from 0, and how many there are.
    pub fn branch(&self, index: usize) -> (usize, usize) {
        let Some(turn) = self.conversation.turns.get(index) else {
            return (0, 0);
        };
        let here = self.conversation.branches(turn.parent);
        (
            here.iter()
                .position(|exchange| *exchange == turn.exchange)
                .unwrap_or(0),
            here.len(),
        )
    }

    /// Goes to the branch after, or before, the one at `index`, and on to its end. The way left is kept.
    pub fn step(&mut self, index: usize, forward: bool) {
        let Some(turn) = self
            .conversation
            .turns
            .get(index)
            .filter(|_| self.running().is_none())
        else {
            return;
        };
        let here = self.conversation.branches(turn.parent);
        let at = here
            .iter()
            .position(|exchange| *exchange == turn.exchange)
            .unwrap_or(0);
        let next = if forward {
            at.checked_add(1)
        } else {
            at.checked_sub(1)
        };
        if let Some(next) = next.and_then(|next| here.get(next).copied()) {
            self.stop_editing();
            self.conversation.lead_to(next);
        }
    }

    /// What is said next follows the turn at `index`; what followed it is kept.
    pub fn branch_after(&mut self, index: usize) {
        if self.running().is_none() {
            self.stop_editing();
            self.conversation.leave(index + 1);
        }
    }

    /// How many branches go on from where the way ends.
    pub fn ahead(&self) -> usize {
        self.conversation.turns.last().map_or(0, |turn| {
            self.conversation.branches(Some(turn.exchange)).len()
        })
    }

    /// Takes the newest of the branches that go on from where the way ends.
    pub fn go_ahead(&mut self) {
        let Some(last) = self
            .conversation
            .turns
            .last()
            .filter(|_| self.running().is_none())
        else {
            return;
        };
        if let Some(next) = self
            .conversation
            .branches(Some(last.exchange))
            .last()
            .copied()
        {
            self.stop_editing();
            self.conversation.lead_to(next);
        }
    }

    /// Puts the message of the turn at `index` into the draft; sending it makes another branch.
    pub fn edit(&mut self, index: usize) {
        self.stop_editing();
        if self.running().is_none() && self.edit_results(index) {
            return;
        }
        if let Some(turn) = self
            .conversation
            .turns
            .get(index)
            .filter(|_| self.running().is_none())
        {
            let draft = std::mem::replace(&mut self.draft, turn.said.prompt.clone());
            let attached = std::mem::replace(&mut self.attached, turn.said.attachments.clone());
            self.editing = Some(Editing {
                turn: turn.id,
                draft,
                attached,
            });
        }
    }

    /// The draft; while a message is being changed, the one before that.
    pub(in crate::state) fn kept_draft(&self) -> &str {
        self.editing
            .as_ref()
            .map_or(self.draft.as_str(), |editing| &editing.draft)
    }

    /// What is attached to the draft; while a message is being changed, to the one before that.
    pub(in crate::state) fn kept_attached(&self) -> &[Attachment] {
        self.editing
            .as_ref()
            .map_or(&self.attached, |editing| &editing.attached)
    }

    /// This was attached to the draft before what is.
    pub(in crate::state) fn put_before_kept(&mut self, attached: &[Attachment]) {
        let kept = self
            .editing
            .as_mut()
            .map_or(&mut self.attached, |editing| &mut editing.attached);
        kept.splice(0..0, attached.iter().cloned());
    }

    /// Takes over the draft of another one, with what is attached to it, in place of its own. A message that is being
    /// changed here stays as far as it is.
    pub(in crate::state) fn inherit_draft(&mut self, other: &mut Self) {
        let draft = std::mem::take(&mut other.draft);
        let attached = std::mem::take(&mut other.attached);
        let (own, own_attached) = match &mut self.editing {
            Some(editing) => (&mut editing.draft, &mut editing.attached),
            None => (&mut self.draft, &mut self.attached),
        };
        (*own, *own_attached) = (draft, attached);
    }

    /// Whether an earlier message is being changed.
    pub fn is_editing(&self) -> bool {
        self.editing.is_some()
    }

    /// The message stays as it was, and the draft as it was before.
    pub fn stop_editing(&mut self) {
        if let Some(Editing {
            draft, attached, ..
        }) = self.editing.take()
        {
            self.draft = draft;
            self.attached = attached;
        }
    }

    /// The results of functions that were sent with the message that is being changed: they belong to the answer
    /// before, and are sent with the new one.
    pub(super) fn edited_results(&self) -> Vec<ToolResult> {
        let edited = self.editing.as_ref().map(|editing| editing.turn);
        let turn = self
            .conversation
            .turns
            .iter()
            .find(|turn| Some(turn.id) == edited);
        turn.map(|turn| turn.said.results.clone())
            .unwrap_or_default()
    }

    /// How many turns come before what is typed.
    pub(super) fn way_before_draft(&self) -> usize {
        let edited = self.editing.as_ref().map(|editing| editing.turn);
        let turns = &self.conversation.turns;
        turns
            .iter()
            .position(|turn| Some(turn.id) == edited)
            .unwrap_or(turns.len())
    }

    /// The way ends before the message that was changed.
    pub(super) fn leave_edited(&mut self) {
        self.conversation.leave(self.way_before_draft());
        self.stop_editing();
    }

    /// Asks the last question again.
    pub fn retry(&mut self, asking: &Asking<'_>) -> Option<ChatRequest> {
        self.regenerate(self.conversation.turns.len().checked_sub(1)?, asking)
    }

    /// Asks the question of the turn at `index` again. The answer that is there stays as another branch, unless
    /// there is nothing of it.
    pub fn regenerate(&mut self, index: usize, asking: &Asking<'_>) -> Option<ChatRequest> {
        if self.running().is_some() {
            return None;
        }
        let turn = self.conversation.turns.get(index)?;
        let (said, exchange, round) = (turn.said.clone(), turn.exchange, turn.round);
        let answer = &turn.answer;
        let is_bare = answer.reply.text.is_empty()
            && answer.reply.reasoning.is_empty()
            && answer.reply.calls.is_empty();
        self.stop_editing();
        self.conversation.leave(index);
        if is_bare && self.conversation.branches(Some(exchange)).is_empty() {
            self.conversation
                .aside
                .retain(|turn| turn.exchange != exchange);
        }
        let request = self.ask(said, asking);
        if let Some(turn) = self.conversation.turns.last_mut() {
            // It is still an answer to what all were asked.
            turn.round = round;
        }
        Some(request)
    }

    /// Whether the last answer was cut, so that one can ask for the rest.
    pub fn can_continue(&self) -> bool {
        let Some(Turn { answer, .. }) = self.conversation.turns.last() else {
            return false;
        };
        let cut = match &answer.status {
            AnswerStatus::Finished(reason) => *reason == FinishReason::Length,
            AnswerStatus::Stopped | AnswerStatus::Failed(_) => true,
            AnswerStatus::Streaming(_) => false,
        };
        cut && !answer.reply.text.trim().is_empty()
    }

    /// Asks for the rest of an answer that was cut. It is a message like any other: not every server goes on
    /// within an answer.
    pub fn go_on(&mut self, asking: &Asking<'_>) -> Option<ChatRequest> {
        if !self.can_continue() {
            return None;
        }
        self.stop_editing();
        Some(self.ask(UserInput::text(CONTINUE), asking))
    }

    /// Takes up a conversation out of the history with its last system prompt and parameters, in place of the one that
    /// is here, which asked `asked`: that can be undone until something is said.
    pub(in crate::state) fn take_up(
        &mut self,
        title: &str,
        id: SessionId,
        exchanges: &[Exchange],
        asked: Whereabouts,
    ) {
        self.stop_editing();
        let (conversation, system, params) = (
            std::mem::take(&mut self.conversation),
            self.system.clone(),
            self.params.clone(),
        );
        let opened = Some(Opened {
            title: title.to_owned(),
            system,
            params,
            asked,
        });
        self.resume(id, exchanges);
        if let Some(last) = exchanges.last() {
            self.system.clone_from(&last.system);
            self.params = last.params.clone();
        }
        self.before = Some(Before {
            conversation,
            opened,
        });
    }

    /// Shows a conversation out of the history, on the way to its last exchange.
    pub fn resume(&mut self, conversation: SessionId, exchanges: &[Exchange]) {
        self.stop_editing();
        let said = |exchange: &Exchange| {
            let said = exchange.said();
            self.turn(
                exchange.id,
                parent_in(exchanges, exchange),
                said,
                answer_of(exchange),
            )
        };
        let aside = exchanges.iter().map(said).collect();
        self.conversation = Conversation {
            aside,
            id: Some(conversation),
            pane: exchanges.last().and_then(|last| last.pane),
            ..Conversation::default()
        };
        if let Some(last) = exchanges.last() {
            self.conversation.lead_to(last.id);
        }
    }
}

/// What this one follows. Where that was never kept, it is the newest that is older: the rest of the conversation is
/// not lost with it.
fn parent_in(exchanges: &[Exchange], exchange: &Exchange) -> Option<u64> {
    let parent = exchange.parent?;
    let ids = || exchanges.iter().map(|exchange| exchange.id);
    if ids().any(|id| id == parent) {
        Some(parent)
    } else {
        ids().filter(|id| *id < parent.min(exchange.id)).max()
    }
}

impl Conversation {
    /// The exchanges that follow this one, oldest first. What follows is younger: a file that was meddled with
    /// must not send us in circles.
    fn branches(&self, parent: Option<u64>) -> Vec<u64> {
        let all = self.turns.iter().chain(&self.aside);
        let mut here: Vec<u64> = all
            .filter(|turn| {
                turn.parent == parent && parent.is_none_or(|parent| parent < turn.exchange)
            })
            .map(|turn| turn.exchange)
            .collect();
        here.sort_unstable();
        here
    }

    /// The way ends before the turn at `index`.
    pub(super) fn leave(&mut self, index: usize) {
        self.aside
            .extend(self.turns.drain(index.min(self.turns.len())..));
    }

    /// Shows the way through this exchange, and on along the newest branches.
    fn lead_to(&mut self, exchange: u64) {
        self.leave(0);
        let parent_of = |exchange: u64| {
            self.aside
                .iter()
                .find(|turn| turn.exchange == exchange)?
                .parent
        };
        let mut way = vec![exchange];
        let mut first = exchange;
        while let Some(parent) = parent_of(first).filter(|parent| *parent < first) {
            way.push(parent);
            first = parent;
        }
        way.reverse();
        let mut last = exchange;
        while let Some(next) = self.branches(Some(last)).last().copied() {
            way.push(next);
            last = next;
        }
        for exchange in way {
            if let Some(at) = self.aside.iter().position(|turn| turn.exchange == exchange) {
                self.turns.push(self.aside.swap_remove(at));
            }
        }
    }
}

fn answer_of(exchange: &Exchange) -> Answer {
    let status = match &exchange.ending {
        ExchangeEnding::Finished(reason) => AnswerStatus::Finished(
            reason
                .as_deref()
                .and_then(crate::wire::openai::finish_reason)
                .unwrap_or(FinishReason::Other(None)),
        ),
        ExchangeEnding::Stopped => AnswerStatus::Stopped,
        ExchangeEnding::Failed(why) => AnswerStatus::Failed(Failure::new(why.as_str(), "")),
    };
    let mut answer = Answer {
        model: exchange.model.clone(),
        series: exchange
            .answered_by
            .as_ref()
            .unwrap_or(&exchange.model)
            .clone(),
        queued: false,
        deployment: exchange.deployment.clone(),
        reply: exchange.reply(),
        form: Form::of(&exchange.params),
        status,
        asked_at: Duration::ZERO,
        heard_at: None,
        ended_at: None,
    };
    answer.look();
    answer
}

#[cfg(test)]
mod tests;
