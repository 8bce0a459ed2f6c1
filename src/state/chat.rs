//! A conversation as it grows, and the session's figures.
//!
//! It is a tree: what is shown is one way through it, the rest is kept aside ([`tree`]).

mod answer;
mod context;
mod form;
mod messages;
mod tree;
mod undo;

pub use self::answer::{Answer, AnswerStatus};
pub use self::context::ContextUse;
pub use self::form::{CallCheck, CallForm, Form};
pub use self::tree::Act;

use std::time::Duration;

use super::cluster::Choice;
use super::embed::EmbedState;
use crate::domain::conversation::{Attachment, ChatRequest, DEFAULT_SYSTEM_PROMPT, Params};
use crate::domain::environment::EnvId;
use crate::domain::exchange::{Advance, Reply};
pub use crate::domain::exchange::{NOT_ANSWERED, UserInput};
use crate::domain::history::{Filing, SessionId};
use crate::metrics::history::SessionHistory;
use crate::metrics::timeline::Figures;
use crate::protocol::{ChatEnding, JobId};

/// One environment's conversation. It outlives a change of model and of deployment.
#[derive(Debug)]
pub struct ChatState {
    /// Sent first, unless empty.
    pub system: String,
    /// What is being typed.
    pub draft: String,
    /// What is to be sent along with it.
    pub attached: Vec<Attachment>,
    /// The knobs.
    pub params: Params,
    /// Where the model makes embeddings instead.
    pub embed: EmbedState,
    conversation: Conversation,
    /// What was here before, until something is said: clearing and opening can be undone.
    before: Option<Before>,
    /// The message that is being changed.
    editing: Option<Editing>,
    next_turn: u64,
    /// Higher than that of any exchange, so that none is filed over another.
    next_exchange: u64,
    /// The last figures, and whose they are.
    last: Option<(String, Figures)>,
}

impl Default for ChatState {
    fn default() -> Self {
        Self {
            system: DEFAULT_SYSTEM_PROMPT.to_owned(),
            draft: String::new(),
            attached: Vec::new(),
            params: Params::default(),
            embed: EmbedState::default(),
            conversation: Conversation::default(),
            before: None,
            editing: None,
            next_turn: 1,
            next_exchange: 1,
            last: None,
        }
    }
}

/// What was said.
#[derive(Debug, Default)]
struct Conversation {
    /// The way that is shown, from the beginning.
    turns: Vec<Turn>,
    /// All other branches.
    aside: Vec<Turn>,
    /// Names it in the history; made up when its first message is sent. Panes side by side share it.
    id: Option<SessionId>,
    /// [`Exchange::pane`] of what is said here.
    ///
    /// [`Exchange::pane`]: crate::domain::history::Exchange::pane
    pane: Option<u64>,
    /// What is said next is the first that is said in this pane.
    begins: bool,
}

/// What was said before the conversation was cleared, or another one was opened in its place.
#[derive(Debug)]
struct Before {
    conversation: Conversation,
    opened: Option<Opened>,
}

/// A conversation out of the history has taken another one's place.
#[derive(Debug)]
struct Opened {
    /// What it is called.
    title: String,
    /// The other one's system prompt and parameters.
    system: String,
    params: Params,
    /// Whom the other one asked.
    asked: Whereabouts,
}

/// Whom a pane asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// The environment.
    pub env: EnvId,
    /// The deployment and the model.
    pub choice: Choice,
    /// It takes the first pane's system prompt and parameters.
    pub linked: bool,
}

/// An earlier message that is being changed.
#[derive(Debug)]
struct Editing {
    /// [`Turn::id`].
    turn: u64,
    /// The draft that was there before.
    draft: String,
    /// What was to be sent along with that.
    attached: Vec<Attachment>,
}

/// What is said to go on with an answer that was cut.
pub const CONTINUE: &str = "Continue exactly where you stopped, without repeating anything";

/// A question and its answer.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Unique in the session; never used again.
    pub id: u64,
    /// Its [`Exchange::id`] in the history.
    pub exchange: u64,
    /// The exchange it follows.
    pub parent: Option<u64>,
    /// What the user said.
    pub said: UserInput,
    /// What came back.
    pub answer: Answer,
    /// The same in all panes that were asked at once; 0 where nobody else could have been.
    pub round: u64,
    /// What is being typed as the results of its calls.
    pub(super) typed: Vec<String>,
}

/// What is asked, of whom, and when.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The job that asks.
    pub job: JobId,
    /// The model's serving name.
    pub model: &'a str,
    /// The deployment, if the model is one of its own.
    pub deployment: Option<&'a str>,
    /// Since the program's start.
    pub now: Duration,
}

impl ChatState {
    /// Oldest first.
    pub fn turns(&self) -> &[Turn] {
        &self.conversation.turns
    }

    /// The job of the answer under way.
    pub fn running(&self) -> Option<JobId> {
        match self.conversation.turns.last()?.answer.status {
            AnswerStatus::Streaming(job) => Some(job),
            _ => None,
        }
    }

    /// The figures of the answer under way, or of the last one that has any; and what they are called.
    pub fn latest_figures(&self, now: Duration) -> Option<(&str, Figures)> {
        match self.conversation.turns.last() {
            Some(turn) if turn.answer.reply.figures.ttft.is_some() => {
                let figures = Figures {
                    tokens_per_sec: turn.answer.speed(now),
                    ..turn.answer.reply.figures
                };
                Some((&turn.answer.series, figures))
            }
            _ => self
                .last
                .as_ref()
                .map(|(model, figures)| (model.as_str(), *figures)),
        }
    }

    /// How long nothing has come of the answer under way, once that is worth a word.
    pub fn stalled_for(&self, now: Duration) -> Option<Duration> {
        self.conversation.turns.last()?.answer.stalled_for(now)
    }

    /// Sends the draft. `None` when there is nothing to send, or an answer is under way.
    pub fn send(&mut self, asking: &Asking<'_>) -> Option<ChatRequest> {
        if self.running().is_some() || !self.has_draft() {
            return None;
        }
        let said = self.take_draft();
        self.leave_edited();
        Some(self.ask(said, asking))
    }

    /// Whether there is something to send.
    pub fn has_draft(&self) -> bool {
        !self.draft.trim().is_empty() || !self.attached.is_empty()
    }

    /// Takes the attachment at this place from the draft.
    pub(super) fn detach(&mut self, at: usize) {
        if at < self.attached.len() {
            self.attached.remove(at);
        }
    }

    /// Whether pictures were said on the way that is shown, up to what is typed.
    pub fn has_pictures(&self) -> bool {
        self.has_pictures_in(self.way_before_draft())
    }

    /// Whether pictures were said in the first `n` turns of the way.
    pub(super) fn has_pictures_in(&self, n: usize) -> bool {
        let said = self.conversation.turns.iter().take(n);
        said.flat_map(|turn| &turn.said.attachments)
            .any(|attachment| attachment.image().is_some())
    }

    /// What is typed and attached; with a message that is being changed go the results that it brought.
    pub fn drafted(&self) -> UserInput {
        UserInput {
            prompt: self.draft.trim().to_owned(),
            attachments: self.attached.clone(),
            results: self.edited_results(),
        }
    }

    /// The same; it is typed no longer.
    pub(super) fn take_draft(&mut self) -> UserInput {
        let said = self.drafted();
        self.draft.clear();
        self.attached.clear();
        said
    }

    /// Says this, whatever the draft is. `None` while an answer is under way, or when it is nothing.
    pub(super) fn say(&mut self, said: &UserInput, asking: &Asking<'_>) -> Option<ChatRequest> {
        (self.running().is_none() && !said.is_empty()).then(|| self.ask(said.clone(), asking))
    }

    /// What was asked last is called so, and belongs to this round unless it has one.
    pub(super) fn note(&mut self, series: String, round: u64) {
        if let Some(turn) = self.conversation.turns.last_mut() {
            turn.answer.series = series;
            if turn.round == 0 {
                turn.round = round;
            }
        }
    }

    /// The next exchange's number, if nothing else is said in this conversation.
    pub(super) fn next_exchange(&self) -> u64 {
        self.next_exchange
    }

    /// Files what was asked last in this conversation, which other panes share: numbers below `free` are theirs.
    pub(super) fn file_in(&mut self, conversation: &SessionId, free: u64) {
        let Conversation {
            turns,
            id,
            pane,
            begins,
            ..
        } = &mut self.conversation;
        let Some(turn) = turns.last_mut() else {
            return;
        };
        if id.as_ref() != Some(conversation) {
            *id = Some(conversation.clone());
            *begins = true;
        }
        turn.exchange = turn.exchange.max(free);
        self.next_exchange = turn.exchange + 1;
        if std::mem::take(begins) {
            *pane = Some(turn.exchange);
        }
    }

    /// Shows what was said in another pane, as far as it is answered. What is said next goes on from there, beside it.
    pub(super) fn copy_from(&mut self, other: &Self) {
        let turns = other.conversation.turns.iter();
        let answered = turns.take_while(|turn| turn.answer.status_is_final());
        // A copy is not faster than what it is a copy of.
        let copies = answered.map(|turn| Turn {
            round: 0,
            ..turn.clone()
        });
        let turns: Vec<Turn> = copies.collect();
        if turns.is_empty() {
            return;
        }
        self.conversation = Conversation {
            turns,
            id: other.conversation.id.clone(),
            begins: true,
            ..Conversation::default()
        };
        (self.next_turn, self.next_exchange) = (other.next_turn, other.next_exchange);
    }

    /// What was asked last waits for others.
    pub(super) fn queue(&mut self) {
        if let Some(turn) = self.conversation.turns.last_mut() {
            turn.answer.queued = true;
        }
    }

    /// What was queued is sent now.
    pub(super) fn began(&mut self, now: Duration) {
        if let Some(turn) = self
            .conversation
            .turns
            .last_mut()
            .filter(|turn| turn.answer.queued)
        {
            turn.answer.queued = false;
            turn.answer.asked_at = now;
        }
    }

    /// Takes over another's system prompt and parameters.
    pub(super) fn take_settings(&mut self, other: &Self) {
        self.system.clone_from(&other.system);
        self.params.clone_from(&other.params);
    }

    /// Whether it has the same system prompt and parameters.
    pub(super) fn has_settings_of(&self, other: &Self) -> bool {
        self.system == other.system && self.params == other.params
    }

    fn ask(&mut self, said: UserInput, asking: &Asking<'_>) -> ChatRequest {
        let Asking {
            job,
            model,
            deployment,
            now,
        } = *asking;
        let before = self.conversation.turns.len();
        let said = said.answering(self.called_at_the_end_of(before));
        let messages = self.messages(&self.system, before, &said);
        let answer = Answer {
            model: model.to_owned(),
            series: model.to_owned(),
            deployment: deployment.map(str::to_owned),
            queued: false,
            reply: Reply::default(),
            form: Form::of(&self.params),
            status: AnswerStatus::Streaming(job),
            asked_at: now,
            heard_at: None,
            ended_at: None,
        };
        self.before = None;
        self.conversation
            .id
            .get_or_insert_with(SessionId::fresh_conversation);
        let parent = self.conversation.turns.last().map(|turn| turn.exchange);
        let turn = self.turn(self.next_exchange, parent, said, answer);
        self.conversation.turns.push(turn);
        ChatRequest {
            model: model.to_owned(),
            messages,
            params: self.params.clone(),
        }
    }

    fn turn(
        &mut self,
        exchange: u64,
        parent: Option<u64>,
        said: UserInput,
        answer: Answer,
    ) -> Turn {
        let id = self.next_turn;
        self.next_turn += 1;
        self.next_exchange = self.next_exchange.max(exchange + 1);
        Turn {
            id,
            exchange,
            parent,
            said,
            answer,
            round: 0,
            typed: Vec::new(),
        }
    }

    /// Where the last answer is kept.
    pub fn filing(&self) -> Option<Filing> {
        let turn = self.conversation.turns.last()?;
        Some(Filing {
            conversation: self.conversation.id.clone()?,
            exchange: turn.exchange,
            parent: turn.parent,
            pane: self.conversation.pane,
            deployment: turn.answer.deployment.clone(),
            said: turn.said.clone(),
        })
    }

    /// More of the answer has come; `calls` are all so far, or none where that has not changed.
    pub(super) fn advance(&mut self, job: JobId, advance: &Advance, now: Duration) {
        if self.running() != Some(job) {
            return;
        }
        let Some(turn) = self.conversation.turns.last_mut() else {
            return;
        };
        let answer = &mut turn.answer;
        answer.heard_at = Some(now);
        if advance.turned {
            answer.form.renew();
        }
        let before = if advance.turned {
            ""
        } else {
            answer.reply.text.as_str()
        };
        answer.form.grow(before, &advance.answer);
        answer.reply.advance(advance);
    }

    /// The answer is complete, stopped or failed. Only a complete one with text or a call enters the figures of the
    /// session, as those of the model that gave it.
    pub(super) fn end(
        &mut self,
        job: JobId,
        ending: ChatEnding,
        (figures, answered_by): (Figures, Option<String>),
        now: Duration,
        session: &mut SessionHistory,
    ) {
        if self.running() != Some(job) {
            return;
        }
        let Some(turn) = self.conversation.turns.last_mut() else {
            return;
        };
        let answer = &mut turn.answer;
        answer.queued = false;
        answer.ended_at = Some(now);
        if let Some(other) = &answered_by {
            answer.series.clone_from(other);
        }
        answer.reply.end(figures, answered_by);
        if figures.ttft.is_some() || figures.latency.is_some() {
            self.last = Some((answer.series.clone(), figures));
        }
        answer.status = match ending {
            ChatEnding::Finished { reason } => {
                let title = turn.said.title();
                if !answer.reply.is_empty() {
                    session.record(
                        &answer.series,
                        answer.deployment.clone(),
                        &title,
                        now,
                        figures,
                    );
                }
                AnswerStatus::Finished(reason)
            }
            ChatEnding::Stopped => AnswerStatus::Stopped,
            ChatEnding::Failed(failure) => AnswerStatus::Failed(failure),
        };
        answer.look();
    }
}

#[cfg(test)]
mod tests;
