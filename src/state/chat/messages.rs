//! What is sent of a conversation.

use super::{Act, ChatState, UserInput};
use crate::domain::conversation::{ChatRequest, Message, Role, ToolCall};

impl ChatState {
    /// What would be sent with the system prompt and the parameters of `settings`, and with this draft as the last
    /// message if there is one.
    pub fn request(&self, model: &str, said: &UserInput, settings: &Self) -> ChatRequest {
        let (before, said) = self.drafted_or_results(said);
        self.request_after(before, &said, model, settings)
    }

    /// The same; without a draft it is the last request that was sent. Its answer is no part of it, whether it has
    /// come, is coming or has failed. For View code.
    pub fn request_shown(&self, model: &str, said: &UserInput, settings: &Self) -> ChatRequest {
        let (before, said) = self.drafted_or_results(said);
        match before.checked_sub(1) {
            Some(last) if said.is_empty() => {
                let said = &self.conversation.turns[last].said;
                self.request_after(last, said, model, settings)
            }
            _ => self.request_after(before, &said, model, settings),
        }
    }

    /// How many turns come before the draft, and the draft; the results that are typed where there is none.
    fn drafted_or_results(&self, said: &UserInput) -> (usize, UserInput) {
        let before = self.way_before_draft();
        let mut said = said.clone();
        if said.is_empty() && before == self.conversation.turns.len() {
            said.results = self.drafted_results();
        }
        (before, said)
    }

    fn request_after(
        &self,
        before: usize,
        said: &UserInput,
        model: &str,
        settings: &Self,
    ) -> ChatRequest {
        let said = said.clone().answering(self.called_at_the_end_of(before));
        let mut messages = self.messages(&settings.system, before, &said);
        if !messages.iter().any(|message| message.role == Role::User) {
            messages.push(Message::new(Role::User, "Hello"));
        }
        ChatRequest {
            model: model.to_owned(),
            messages,
            params: settings.params.clone(),
        }
    }

    /// About how many bytes the request has that this asks.
    pub(in crate::state) fn bytes_asked(&self, act: Act) -> usize {
        let bytes = |messages: &[Message]| messages.iter().map(Message::body_bytes).sum::<usize>();
        let nothing = UserInput::default();
        if let Act::Again(index) = act
            && let Some(turn) = self.conversation.turns.get(index)
        {
            let said: Vec<Message> = turn.said.messages(true).collect();
            return bytes(&self.messages(&self.system, index, &nothing)) + bytes(&said);
        }
        let typed: usize = self.typed_results().iter().map(String::len).sum();
        bytes(&self.messages(&self.system, self.conversation.turns.len(), &nothing)) + typed
    }

    /// So many turns of the way are said again when this is asked.
    pub(in crate::state) fn turns_sent(&self, act: Act) -> usize {
        match act {
            Act::Again(index) => index + 1,
            _ => self.conversation.turns.len(),
        }
    }

    /// The calls that what is said after `n` turns answers.
    pub(super) fn called_at_the_end_of(&self, n: usize) -> &[ToolCall] {
        let last = n
            .checked_sub(1)
            .and_then(|last| self.conversation.turns.get(last));
        last.map_or(&[], |turn| turn.answer.answerable())
    }

    /// The system prompt, the first `n` turns, and what is said then. Reasoning is not sent back, and neither is a
    /// turn whose answer never came, nor a call that nobody answered: servers refuse that.
    pub(super) fn messages(&self, system: &str, n: usize, said: &UserInput) -> Vec<Message> {
        let mut messages = Vec::with_capacity(n * 2 + 2);
        if !system.trim().is_empty() {
            messages.push(Message::new(Role::System, system.trim()));
        }
        let turns = &self.conversation.turns[..n.min(self.conversation.turns.len())];
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
}
