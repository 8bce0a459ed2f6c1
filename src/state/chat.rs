//! A conversation as it grows, and the session's figures.
//!
//! It is a tree: what is shown is one way through it, the rest is kept aside ([`tree`]).

mod form;
mod tree;

pub use self::form::{CallCheck, CallForm, Form};
pub use self::tree::Act;

use std::time::Duration;

use super::cluster::Choice;
use super::embed::EmbedState;
use crate::domain::conversation::{
    Attachment, ChatRequest, DEFAULT_SYSTEM_PROMPT, Message, Params, Role, ToolCall,
};
use crate::domain::environment::EnvId;
use crate::domain::exchange::{Advance, Reply};
pub use crate::domain::exchange::{NOT_ANSWERED, UserInput};
use crate::domain::failure::Failure;
use crate::domain::history::{Filing, SessionId};
use crate::domain::printable::is_blank;
use crate::metrics::history::SessionHistory;
use crate::metrics::timeline::Figures;
use crate::protocol::{ChatEnding, FinishReason, JobId};

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
    talk: Talk,
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
            talk: Talk::default(),
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
struct Talk {
    /// The way that is shown, from the beginning.
    turns: Vec<Turn>,
    /// All other branches.
    aside: Vec<Turn>,
    /// Names it in the history; made up when its first message is sent.
    conversation: Option<SessionId>,
}

/// What was said before the conversation was cleared, or another one was opened in its place.
#[derive(Debug)]
struct Before {
    talk: Talk,
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

/// An answer is told of so often; a silence up to this is none.
const JITTER: Duration = Duration::from_millis(100);
/// A silence amid an answer is said from here on.
const SILENCE: Duration = Duration::from_secs(1);

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

/// An answer as it grows.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The model's serving name.
    pub model: String,
    /// As it is called in the charts: the model, with a number where two panes have the same one.
    pub series: String,
    /// The deployment that was picked.
    pub deployment: Option<String>,
    /// It waits until those before it have answered.
    pub queued: bool,
    /// What came.
    pub reply: Reply,
    /// What was asked for besides words, and what was found of it.
    pub form: Form,
    /// How far it is.
    pub status: AnswerStatus,
    /// When it was asked, since the program's start.
    pub asked_at: Duration,
    /// When more of it came last.
    pub heard_at: Option<Duration>,
    /// When it ended.
    pub ended_at: Option<Duration>,
}

/// How far an answer is.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerStatus {
    /// Under way.
    Streaming(JobId),
    /// Complete.
    Finished(FinishReason),
    /// The user stopped it.
    Stopped,
    /// It failed; what had arrived stays.
    Failed(Failure),
}

impl Answer {
    /// How long the server asked to wait before it is asked again; `None` when that time has come.
    pub fn wait_before_retry(&self, now: Duration) -> Option<Duration> {
        let AnswerStatus::Failed(failure) = &self.status else {
            return None;
        };
        let until = self.ended_at?.checked_add(failure.retry_after?)?;
        until.checked_sub(now).filter(|wait| !wait.is_zero())
    }

    /// How long nothing has come of an answer under way whose text has begun.
    pub fn silent_for(&self, now: Duration) -> Option<Duration> {
        let streaming = !self.status_is_final() && self.reply.figures.ttft.is_some();
        Some(now.saturating_sub(self.heard_at?)).filter(|_| streaming)
    }

    /// Tokens per second so far: that of an answer under way falls while nothing comes.
    pub fn speed(&self, now: Duration) -> Option<f64> {
        let speed = self.reply.figures.tokens_per_sec?;
        let silent = self
            .silent_for(now)
            .filter(|silent| *silent > JITTER)
            .unwrap_or_default();
        let tokens = self
            .reply
            .figures
            .tokens
            .map_or(0, |tokens| tokens.n)
            .saturating_sub(1) as f64;
        Some(tokens / (tokens / speed + silent.as_secs_f64())).filter(|speed| speed.is_finite())
    }

    /// Whether nothing more comes.
    pub fn status_is_final(&self) -> bool {
        !matches!(self.status, AnswerStatus::Streaming(_))
    }

    /// Why there is no text to read although the answer is complete.
    pub fn empty_because(&self) -> Option<&'static str> {
        let AnswerStatus::Finished(reason) = &self.status else {
            return None;
        };
        if !is_blank(&self.reply.text) || !self.reply.calls.is_empty() {
            return None;
        }
        Some(reason.why_empty(!is_blank(&self.reply.reasoning)))
    }

    /// Why an answer with text is not all the model had to say.
    pub fn cut_because(&self) -> Option<&'static str> {
        match &self.status {
            AnswerStatus::Finished(_)
                if is_blank(&self.reply.text) && self.reply.calls.is_empty() =>
            {
                None
            }
            AnswerStatus::Finished(FinishReason::Length) => {
                Some("Cut: max tokens or the context's end was reached")
            }
            AnswerStatus::Finished(FinishReason::ContentFilter) => Some("Cut by a content filter"),
            AnswerStatus::Finished(FinishReason::Other(Some(_))) => {
                Some("The server gave an unknown finish reason; the answer may be incomplete")
            }
            AnswerStatus::Stopped => Some("Stopped"),
            _ => None,
        }
    }
}

impl ChatState {
    /// Oldest first.
    pub fn turns(&self) -> &[Turn] {
        &self.talk.turns
    }

    /// The job of the answer under way.
    pub fn running(&self) -> Option<JobId> {
        match self.talk.turns.last()?.answer.status {
            AnswerStatus::Streaming(job) => Some(job),
            _ => None,
        }
    }

    /// The figures of the answer under way, or of the last one that has any; and what they are called.
    pub fn latest_figures(&self, now: Duration) -> Option<(&str, Figures)> {
        match self.talk.turns.last() {
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
    pub fn silent_for(&self, now: Duration) -> Option<Duration> {
        let silent = self.talk.turns.last()?.answer.silent_for(now)?;
        (silent >= SILENCE).then_some(silent)
    }

    /// What would be sent, with this draft as the last message if there is one. For View code.
    pub fn request(&self, model: &str, said: &UserInput) -> ChatRequest {
        let before = self.way_before_draft();
        let mut said = said.clone();
        if said.is_empty() && before == self.talk.turns.len() {
            said.results = self.drafted_results();
        }
        let said = said.answering(self.called_at_the_end_of(before));
        let mut messages = self.messages(before, &said);
        if !messages.iter().any(|message| message.role == Role::User) {
            messages.push(Message::new(Role::User, "Hello"));
        }
        ChatRequest {
            model: model.to_owned(),
            messages,
            params: self.params.clone(),
        }
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

    /// Whether pictures were said on the way that is shown, up to what is typed.
    pub fn has_pictures(&self) -> bool {
        self.has_pictures_in(self.way_before_draft())
    }

    /// Whether pictures were said in the first `n` turns of the way.
    pub(super) fn has_pictures_in(&self, n: usize) -> bool {
        let said = self.talk.turns.iter().take(n);
        said.flat_map(|turn| &turn.said.attachments)
            .any(|attachment| attachment.image().is_some())
    }

    /// About how many bytes the request has that this asks.
    pub(super) fn bytes_asked(&self, act: Act) -> usize {
        let bytes = |messages: &[Message]| messages.iter().map(Message::body_bytes).sum::<usize>();
        let nothing = UserInput::default();
        if let Act::Again(index) = act
            && let Some(turn) = self.talk.turns.get(index)
        {
            let said: Vec<Message> = turn.said.messages(true).collect();
            return bytes(&self.messages(index, &nothing)) + bytes(&said);
        }
        let typed: usize = self.typed_results().iter().map(String::len).sum();
        bytes(&self.messages(self.talk.turns.len(), &nothing)) + typed
    }

    /// So many turns of the way are said again when this is asked.
    pub(super) fn turns_sent(&self, act: Act) -> usize {
        match act {
            Act::Again(index) => index + 1,
            _ => self.talk.turns.len(),
        }
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
        if let Some(turn) = self.talk.turns.last_mut() {
            turn.answer.series = series;
            if turn.round == 0 {
                turn.round = round;
            }
        }
    }

    /// What was asked last waits for others.
    pub(super) fn queue(&mut self) {
        if let Some(turn) = self.talk.turns.last_mut() {
            turn.answer.queued = true;
        }
    }

    /// What was queued is sent now.
    pub(super) fn began(&mut self, now: Duration) {
        if let Some(turn) = self.talk.turns.last_mut().filter(|turn| turn.answer.queued) {
            turn.answer.queued = false;
            turn.answer.asked_at = now;
        }
    }

    /// Takes over another's system prompt and parameters.
    pub(super) fn take_settings(&mut self, other: &Self) {
        self.system.clone_from(&other.system);
        self.params.clone_from(&other.params);
    }

    fn ask(&mut self, said: UserInput, asking: &Asking<'_>) -> ChatRequest {
        let Asking {
            job,
            model,
            deployment,
            now,
        } = *asking;
        let before = self.talk.turns.len();
        let said = said.answering(self.called_at_the_end_of(before));
        let messages = self.messages(before, &said);
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
        self.talk
            .conversation
            .get_or_insert_with(SessionId::fresh_conversation);
        let parent = self.talk.turns.last().map(|turn| turn.exchange);
        let turn = self.turn(self.next_exchange, parent, said, answer);
        self.talk.turns.push(turn);
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
        let turn = self.talk.turns.last()?;
        Some(Filing {
            conversation: self.talk.conversation.clone()?,
            exchange: turn.exchange,
            parent: turn.parent,
            deployment: turn.answer.deployment.clone(),
            said: turn.said.clone(),
        })
    }

    /// The calls that what is said after `n` turns answers.
    fn called_at_the_end_of(&self, n: usize) -> &[ToolCall] {
        let last = n.checked_sub(1).and_then(|last| self.talk.turns.get(last));
        last.map_or(&[], |turn| turn.answer.answerable())
    }

    /// The system prompt, the first `n` turns, and what is said then. Reasoning is not sent back, and neither is a
    /// turn whose answer never came, nor a call that nobody answered: servers refuse that.
    fn messages(&self, n: usize, said: &UserInput) -> Vec<Message> {
        let mut messages = Vec::with_capacity(n * 2 + 2);
        if !self.system.trim().is_empty() {
            messages.push(Message::new(Role::System, self.system.trim()));
        }
        let turns = &self.talk.turns[..n.min(self.talk.turns.len())];
        let mut called = false;
        for (at, turn) in turns.iter().enumerate() {
            let answer = &turn.answer;
            let then = turns.get(at + 1).map_or(said, |next| &next.said);
            let calls = if then.answers(&answer.reply.calls) {
                &answer.reply.calls[..]
            } else {
                &[]
            };
            if answer.reply.text.trim().is_empty() && calls.is_empty() {
                // The results that it brought are still those of the answer before.
                let results = turn.said.results.iter().filter(|_| called);
                messages.extend(results.map(Message::result));
                called = false;
                continue;
            }
            messages.extend(turn.said.messages(called));
            called = !calls.is_empty();
            messages.push(Message {
                calls: calls.to_vec(),
                ..Message::new(Role::Assistant, answer.reply.text.clone())
            });
        }
        messages.extend(said.messages(called));
        messages
    }

    /// Empties the conversation; [`Self::undo_clear`] brings it back.
    pub fn clear(&mut self) {
        if self.running().is_none() && !self.talk.turns.is_empty() {
            self.stop_editing();
            self.before = Some(Before {
                talk: std::mem::take(&mut self.talk),
                opened: None,
            });
        }
    }

    /// Whether there is a cleared conversation, and none has been begun since.
    pub fn can_undo_clear(&self) -> bool {
        self.talk.turns.is_empty()
            && self
                .before
                .as_ref()
                .is_some_and(|before| before.opened.is_none())
    }

    /// Brings back what was cleared.
    pub fn undo_clear(&mut self) {
        if self.can_undo_clear()
            && let Some(before) = self.before.take()
        {
            self.talk = before.talk;
        }
    }

    /// Whether this conversation was cleared, and can be brought back.
    pub fn cleared_was(&self, conversation: &SessionId) -> bool {
        let before = self.before.as_ref().filter(|_| self.can_undo_clear());
        before.is_some_and(|before| before.talk.conversation.as_ref() == Some(conversation))
    }

    /// This conversation is deleted: what was here before is brought back no longer, if it was that.
    pub(super) fn forget(&mut self, conversation: &SessionId) {
        self.before
            .take_if(|before| before.talk.conversation.as_ref() == Some(conversation));
    }

    /// The conversation that is shown, once something was said in it.
    pub fn conversation(&self) -> Option<&SessionId> {
        self.talk.conversation.as_ref()
    }

    /// What the conversation is called that was opened here, until something is said in it.
    pub fn opened(&self) -> Option<&str> {
        Some(&self.before.as_ref()?.opened.as_ref()?.title)
    }

    /// Brings back what was here before another conversation was opened; gives whom it asked.
    pub(super) fn undo_open(&mut self) -> Option<Whereabouts> {
        self.opened()?;
        self.stop_editing();
        let Before { talk, opened } = self.before.take()?;
        let Opened {
            system,
            params,
            asked,
            ..
        } = opened?;
        (self.talk, self.system, self.params) = (talk, system, params);
        Some(asked)
    }

    /// More of the answer has come; `calls` are all so far, or none where that has not changed.
    pub(super) fn advance(&mut self, job: JobId, advance: &Advance, now: Duration) {
        if self.running() != Some(job) {
            return;
        }
        let Some(turn) = self.talk.turns.last_mut() else {
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
        let Some(turn) = self.talk.turns.last_mut() else {
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
mod tests {
    use super::*;

    fn asking(job: u64, model: &str) -> Asking<'_> {
        Asking {
            job: JobId(job),
            model,
            deployment: None,
            now: Duration::ZERO,
        }
    }

    /// Gives how many answers that makes in the session.
    fn finish(chat: &mut ChatState, job: u64, ending: ChatEnding) -> u64 {
        let mut session = SessionHistory::default();
        chat.end(
            JobId(job),
            ending,
            (Figures::default(), None),
            Duration::ZERO,
            &mut session,
        );
        session.answers()
    }

    fn talk(chat: &mut ChatState, job: u64, prompt: &str, answer: &str) -> ChatRequest {
        chat.draft = prompt.to_owned();
        let request = chat.send(&asking(job, "m")).expect("sends");
        chat.advance(JobId(job), &Advance::of("thinking", answer), Duration::ZERO);
        finish(
            chat,
            job,
            ChatEnding::Finished {
                reason: FinishReason::Stop,
            },
        );
        request
    }

    #[test]
    fn the_whole_conversation_is_sent_without_its_reasoning() {
        let mut chat = ChatState::default();
        talk(&mut chat, 1, "one", "first");
        let request = talk(&mut chat, 2, "  two\n", "second");
        let said: Vec<&str> = request
            .messages
            .iter()
            .map(|message| message.content.as_str())
            .collect();
        assert_eq!(said, [DEFAULT_SYSTEM_PROMPT, "one", "first", "two"]);
        assert_eq!(chat.draft, "");
    }

    #[test]
    fn a_retry_keeps_the_prompt_and_takes_the_place_of_the_failure() {
        let mut chat = ChatState {
            draft: "question".to_owned(),
            ..ChatState::default()
        };
        chat.send(&asking(1, "m")).expect("sends");
        assert!(chat.retry(&asking(2, "m")).is_none(), "one at a time");
        let failure = Failure::new("down", "");
        chat.advance(JobId(1), &Advance::of("", "half"), Duration::ZERO);
        assert_eq!(
            finish(&mut chat, 1, ChatEnding::Failed(failure)),
            0,
            "a failure is no figure"
        );
        assert_eq!(
            chat.turns()[0].answer.reply.text,
            "half",
            "what had arrived stays"
        );
        let request = chat.retry(&asking(2, "k")).expect("retries");
        assert_eq!(
            request.messages.last().map(|m| m.content.as_str()),
            Some("question")
        );
        assert_eq!((chat.turns().len(), request.messages.len()), (1, 2));
    }

    #[test]
    fn a_question_that_is_asked_again_is_filed_beside_the_first() {
        let mut chat = ChatState::default();
        talk(&mut chat, 1, "one", "first");
        talk(&mut chat, 2, "two", "second");
        let second = chat.filing().expect("it is kept");
        assert_eq!((second.exchange, second.parent), (2, Some(1)));
        assert!(second.conversation.0.starts_with('c') && second.conversation.0.len() == 13);
        chat.retry(&asking(3, "m")).expect("retries");
        let again = chat.filing().expect("it is kept");
        assert_eq!((again.exchange, again.parent), (3, Some(1)));
        assert_eq!(again.conversation, second.conversation);
        finish(&mut chat, 3, ChatEnding::Stopped);
        chat.clear();
        talk(&mut chat, 4, "new", "words");
        let other = chat.filing().expect("it is kept");
        assert_ne!(
            other.conversation, second.conversation,
            "what is begun anew is another conversation"
        );
        assert_eq!(other.parent, None);
    }

    #[test]
    fn clearing_can_be_undone_until_something_is_said() {
        let mut chat = ChatState::default();
        talk(&mut chat, 1, "one", "first");
        chat.clear();
        assert!(chat.turns().is_empty() && chat.can_undo_clear());
        chat.undo_clear();
        assert_eq!(chat.turns().len(), 1);
        chat.clear();
        talk(&mut chat, 2, "two", "second");
        assert!(!chat.can_undo_clear());
    }

    #[test]
    fn the_rate_of_an_answer_falls_while_nothing_comes() {
        let mut chat = ChatState {
            draft: "x".to_owned(),
            ..ChatState::default()
        };
        chat.send(&asking(1, "m")).expect("sends");
        let s = Duration::from_secs_f64;
        let tokens = crate::metrics::timeline::Tokens {
            n: 11,
            source: crate::metrics::timeline::TokenSource::Chunks,
        };
        // Ten gaps in a second.
        let figures = Figures {
            ttft: Some(s(0.5)),
            tokens: Some(tokens),
            tokens_per_sec: Some(10.0),
            ..Figures::default()
        };
        chat.advance(
            JobId(1),
            &Advance {
                figures,
                ..Advance::of("", "words")
            },
            s(2.0),
        );
        let answer = |chat: &ChatState| chat.turns()[0].answer.clone();
        assert_eq!(answer(&chat).speed(s(2.0)), Some(10.0));
        assert_eq!(answer(&chat).speed(s(2.05)), Some(10.0), "no silence yet");
        assert_eq!(
            answer(&chat).speed(s(5.0)),
            Some(2.5),
            "ten in four seconds"
        );
        assert_eq!(answer(&chat).silent_for(s(5.0)), Some(s(3.0)));
        assert_eq!(
            (chat.silent_for(s(2.5)), chat.silent_for(s(5.0))),
            (None, Some(s(3.0)))
        );
        assert_eq!(
            chat.latest_figures(s(5.0))
                .and_then(|(_, figures)| figures.tokens_per_sec),
            Some(2.5)
        );
        let mut session = SessionHistory::default();
        let ending = ChatEnding::Finished {
            reason: FinishReason::Stop,
        };
        chat.end(JobId(1), ending, (figures, None), s(5.0), &mut session);
        assert_eq!(answer(&chat).speed(s(9.0)), Some(10.0), "it has ended");
        assert_eq!(answer(&chat).silent_for(s(9.0)), None);
    }

    #[test]
    fn the_model_that_answered_is_credited_in_the_session() {
        let mut chat = ChatState {
            draft: "x".to_owned(),
            ..ChatState::default()
        };
        chat.send(&asking(1, "asked")).expect("sends");
        chat.advance(JobId(1), &Advance::of("", "words"), Duration::ZERO);
        let mut session = SessionHistory::default();
        let ending = ChatEnding::Finished {
            reason: FinishReason::Stop,
        };
        let figures = (Figures::default(), Some("other".to_owned()));
        chat.end(JobId(1), ending, figures, Duration::ZERO, &mut session);
        let answer = &chat.turns()[0].answer;
        assert_eq!(
            (&*answer.model, answer.reply.answered_by.as_deref()),
            ("asked", Some("other"))
        );
        assert_eq!(session.series()[0].model, "other");
    }

    #[test]
    fn text_that_turns_out_to_be_reasoning_is_reasoning() {
        let mut chat = ChatState {
            draft: "x".to_owned(),
            ..ChatState::default()
        };
        chat.send(&asking(1, "m")).expect("sends");
        chat.advance(JobId(1), &Advance::of("", "hm"), Duration::ZERO);
        chat.advance(
            JobId(1),
            &Advance {
                turned: true,
                ..Advance::of(".", "Porto")
            },
            Duration::ZERO,
        );
        let answer = &chat.turns()[0].answer;
        assert_eq!(
            (&*answer.reply.reasoning, &*answer.reply.text),
            ("hm.", "Porto")
        );
    }

    #[test]
    fn an_answer_without_text_is_in_no_figure_of_the_session() {
        let mut chat = ChatState {
            draft: "x".to_owned(),
            ..ChatState::default()
        };
        chat.send(&asking(1, "m")).expect("sends");
        assert_eq!(
            finish(
                &mut chat,
                1,
                ChatEnding::Finished {
                    reason: FinishReason::Stop
                }
            ),
            0
        );
    }

    #[test]
    fn an_empty_answer_says_why() {
        let mut chat = ChatState::default();
        for (reason, thought, words) in [
            (FinishReason::Length, "hm", "went into reasoning"),
            (FinishReason::Stop, "hm", "only reasoned"),
            (FinishReason::Length, "", "max tokens"),
            (FinishReason::ContentFilter, "", "filter"),
            (FinishReason::Stop, "", "no text and no call"),
        ] {
            chat.draft = "x".to_owned();
            chat.send(&asking(1, "m")).expect("sends");
            chat.advance(JobId(1), &Advance::of(thought, ""), Duration::ZERO);
            finish(&mut chat, 1, ChatEnding::Finished { reason });
            let why = chat
                .turns()
                .last()
                .and_then(|turn| turn.answer.empty_because());
            assert!(why.is_some_and(|why| why.contains(words)), "{why:?}");
        }
    }
}
