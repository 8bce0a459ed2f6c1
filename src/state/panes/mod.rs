//! Up to four panes side by side, each with a conversation of its own.

mod action;
mod blind;
pub(in crate::state) mod comparison;
mod embedding;
mod fastest;
mod opening;
mod playgrounds;
mod presets;
mod sending;
mod targets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use self::action::PaneAction;
pub use self::blind::{Blind, Vote};
pub use self::fastest::Fastest;
pub(in crate::state) use self::playgrounds::Playground;
pub use self::playgrounds::Playgrounds;
pub(in crate::state) use self::targets::and;
pub use self::targets::{PaneTarget, PaneTargets};
use super::chat::ChatState;
use super::cluster::{Choice, ClusterState};
use crate::domain::conversation::ChatRequest;
use crate::domain::environment::EnvId;
use crate::domain::history::SessionId;
use crate::protocol::JobId;

/// The largest number of panes.
pub const MAX_PANES: usize = 4;

/// The panes of an environment's Playground. There is one at least. The first asks the environment itself, holds the
/// draft, and gives its system prompt and parameters to those that are linked to it.
#[derive(Debug)]
pub struct Panes {
    list: Vec<Pane>,
    /// The pane that conversations open in, and that the keys scroll.
    active: usize,
    /// They are asked sequentially, so that they do not share the machine.
    pub in_turn: bool,
    /// Models of which the user says that they make embeddings, or do not.
    pub embeds: BTreeMap<String, bool>,
    /// Whether names are hidden.
    blind: Option<Blind>,
    next_id: u64,
    rounds: u64,
}

/// One conversation, and whom it asks.
#[derive(Debug)]
pub struct Pane {
    /// Unique among the environment's panes, and never used again.
    pub id: u64,
    /// The environment that is asked.
    pub env: EnvId,
    /// The deployment and the model that are asked.
    pub choice: Choice,
    /// The user picked the model, or has used it: it stays when the cluster changes.
    pub settled: bool,
    /// It takes the first pane's system prompt and parameters.
    pub linked: bool,
    /// It takes part in what is sent.
    pub ticked: bool,
    /// The conversation.
    pub chat: ChatState,
    /// The conversation that it showed before a restart, and which of its panes it was, until that is read.
    pub(in crate::state) reopen: Option<(SessionId, Option<u64>)>,
}

impl Pane {
    /// With an empty conversation.
    fn new(id: u64, env: EnvId, choice: Choice) -> Self {
        Self {
            id,
            env,
            choice,
            settled: true,
            linked: true,
            ticked: true,
            chat: ChatState::default(),
            reopen: None,
        }
    }

    /// The user picks a model.
    pub fn pick_model(&mut self, name: &str) {
        self.settled = true;
        self.choice.model = Some(name.to_owned());
    }

    /// Its choice, completed from what the cluster and the API offer now.
    pub(super) fn completed_choice(&self, cluster: &ClusterState) -> Choice {
        if self.settled || cluster.view.is_loading() {
            cluster.first_choice(&self.choice)
        } else {
            cluster.first_choice(&Choice::default())
        }
    }
}

impl Panes {
    /// One pane, which asks this environment.
    pub(super) fn new(env: EnvId) -> Self {
        let first = Pane {
            settled: false,
            linked: false,
            ..Pane::new(0, env, Choice::default())
        };
        Self {
            list: vec![first],
            active: 0,
            in_turn: false,
            embeds: BTreeMap::new(),
            blind: None,
            next_id: 1,
            rounds: 0,
        }
    }

    /// From the left.
    pub fn all(&self) -> &[Pane] {
        &self.list
    }

    /// From the left.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pane> {
        self.list.iter_mut()
    }

    /// How many there are: one at least.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// The pane at `index`, or the last one.
    pub fn get(&self, index: usize) -> &Pane {
        &self.list[index.min(self.list.len() - 1)]
    }

    /// The pane at `index`, or the last one.
    pub fn get_mut(&mut self, index: usize) -> &mut Pane {
        let last = self.list.len() - 1;
        &mut self.list[index.min(last)]
    }

    /// The conversation of the pane at `index`.
    pub fn chat(&self, index: usize) -> &ChatState {
        &self.get(index).chat
    }

    /// The conversation of the pane at `index`.
    pub fn chat_mut(&mut self, index: usize) -> &mut ChatState {
        &mut self.get_mut(index).chat
    }

    pub(super) fn chats_mut(&mut self) -> impl Iterator<Item = &mut ChatState> {
        self.list.iter_mut().map(|pane| &mut pane.chat)
    }

    /// The index of the pane that conversations open in, and that the keys scroll.
    pub fn active(&self) -> usize {
        self.active.min(self.list.len() - 1)
    }

    /// The same pane.
    pub fn active_pane(&self) -> &Pane {
        self.get(self.active())
    }

    /// Selects this pane.
    pub fn activate(&mut self, index: usize) {
        self.active = index;
    }

    /// The name of a pane: its model, with a number where an earlier pane has the same one.
    pub fn name(&self, index: usize) -> Option<String> {
        let model = self.get(index).choice.model.as_ref()?;
        let earlier = self.list.iter().take(index);
        let same = earlier
            .filter(|pane| pane.choice.model.as_ref() == Some(model))
            .count();
        Some(if same == 0 {
            model.clone()
        } else {
            format!("{model} · {}", same + 1)
        })
    }

    /// The names of all that have a model.
    pub fn names(&self) -> impl Iterator<Item = String> {
        (0..self.count()).filter_map(|index| self.name(index))
    }

    /// Whether a pane can be closed: one that asks the environment itself stays.
    pub fn is_closable(&self, index: usize) -> bool {
        match self.list.as_slice() {
            [first, others @ ..] if index == 0 => others.iter().any(|pane| pane.env == first.env),
            _ => true,
        }
    }

    /// Adds a pane at the right. It becomes the active one.
    pub(super) fn add(&mut self, env: EnvId, choice: Choice) -> &mut Pane {
        // The user knows the model of a pane that is added now.
        self.blind = None;
        self.list.push(Pane::new(self.next_id, env, choice));
        self.next_id += 1;
        self.active = self.list.len() - 1;
        self.get_mut(self.active)
    }

    /// Takes a pane out, unless it has to stay. The next one that asks the environment itself takes the place and the
    /// draft of the first.
    pub(super) fn close(&mut self, index: usize) -> Option<Pane> {
        if index >= self.list.len() || !self.is_closable(index) {
            return None;
        }
        self.blind = None;
        let mut closed = self.list.remove(index);
        let is_next = |pane: &Pane| pane.env == closed.env;
        if index == 0
            && let Some(at) = self.list.iter().position(is_next)
        {
            let mut next = self.list.remove(at);
            if std::mem::take(&mut next.linked) {
                next.chat.take_settings(&closed.chat);
            }
            // An edit of the closed pane's messages is not the draft.
            closed.chat.stop_editing();
            next.chat.inherit_draft(&mut closed.chat);
            self.list.insert(0, next);
        }
        if self.active >= index {
            self.active = self.active.saturating_sub(1);
        }
        Some(closed)
    }

    /// Takes out all panes beside the first that ask this environment.
    pub(super) fn close_all_of(&mut self, env: &EnvId) -> Vec<Pane> {
        let closed = self.list.extract_if(1.., |pane| pane.env == *env);
        closed.collect()
    }

    /// The names of this environment's deployments and models have lost their meaning.
    pub(super) fn forget_choices(&mut self, env: &EnvId) {
        for (index, pane) in self.list.iter_mut().enumerate() {
            if pane.env == *env {
                pane.choice = Choice::default();
                pane.settled &= index > 0;
            }
        }
    }

    /// Whether a pane takes the first one's system prompt and parameters. What it had is kept.
    pub fn link(&mut self, index: usize, on: bool) {
        if let [first, others @ ..] = self.list.as_mut_slice()
            && let Some(pane) = index.checked_sub(1).and_then(|at| others.get_mut(at))
        {
            pane.linked = on;
            if !on {
                pane.chat.take_settings(&first.chat);
            }
        }
    }

    /// The index of the pane whose system prompt and parameters this one is asked with.
    pub fn settings_of(&self, index: usize) -> usize {
        if self.get(index).linked { 0 } else { index }
    }

    /// A pane's conversation, with the system prompt and the parameters that it is asked with.
    fn chat_to_ask(&mut self, index: usize) -> &mut ChatState {
        if let [first, others @ ..] = self.list.as_mut_slice()
            && let Some(pane) = index.checked_sub(1).and_then(|at| others.get_mut(at))
            && pane.linked
        {
            pane.chat.take_settings(&first.chat);
        }
        self.chat_mut(index)
    }

    /// What a pane would be sent, with the draft as the last message if there is one.
    pub fn request(&self, index: usize) -> Option<ChatRequest> {
        let model = self.get(index).choice.model.as_ref()?;
        let said = self.chat(self.drafting()).drafted();
        let settings = self.chat(self.settings_of(index));
        Some(self.chat(index).request(model, &said, settings))
    }

    /// The same for View code: without a draft it ends with the last message that was sent.
    pub fn request_shown(&self, index: usize) -> Option<ChatRequest> {
        let model = self.get(index).choice.model.as_ref()?;
        let said = self.chat(self.drafting()).drafted();
        let settings = self.chat(self.settings_of(index));
        Some(self.chat(index).request_shown(model, &said, settings))
    }

    /// The pane whose draft the composer shows: the one in which a message is being edited, else the first.
    pub fn drafting(&self) -> usize {
        let editing = self.list.iter().position(|pane| pane.chat.is_editing());
        editing.unwrap_or(0)
    }

    /// The conversation whose draft the composer shows.
    pub(super) fn drafting_chat_mut(&mut self) -> &mut ChatState {
        self.chat_mut(self.drafting())
    }

    /// The answers under way.
    pub fn answering(&self) -> Vec<JobId> {
        let chats = self.list.iter().map(|pane| &pane.chat);
        chats.filter_map(ChatState::running).collect()
    }

    /// Whether no answer is under way.
    pub fn is_idle(&self) -> bool {
        self.list.iter().all(|pane| pane.chat.running().is_none())
    }

    /// The pane that shows this conversation: of several the active one, else the first.
    pub fn showing(&self, id: &SessionId) -> Option<usize> {
        let shows = |pane: &Pane| pane.chat.conversation() == Some(id);
        if shows(self.active_pane()) {
            return Some(self.active());
        }
        self.list.iter().position(shows)
    }

    /// The conversation that a pane's next message belongs to, and its first number that no exchange has: panes side by
    /// side are one conversation. `None` where none has begun.
    fn shared_conversation(&self, index: usize) -> Option<(SessionId, u64)> {
        let others = || {
            let all = self.list.iter().enumerate();
            all.filter(move |(other, _)| *other != index)
                .map(|(_, pane)| &pane.chat)
        };
        let own = self.chat(index).conversation();
        let id = own.or_else(|| others().find_map(ChatState::conversation))?;
        let sharing = others().filter(|chat| chat.conversation() == Some(id));
        let free = sharing.map(ChatState::next_exchange).max().unwrap_or(0);
        Some((id.clone(), free))
    }

    /// Empties all conversations, unless an answer is under way; [`Self::undo_clear`] brings them back.
    pub fn clear(&mut self) {
        if self.is_idle() {
            self.chats_mut().for_each(ChatState::clear);
        }
    }

    /// Whether there is something to empty, and no answer under way.
    pub fn can_clear(&self) -> bool {
        let has_turns = |pane: &Pane| !pane.chat.turns().is_empty();
        self.is_idle() && self.list.iter().any(has_turns)
    }

    /// Whether all are empty, and one was not.
    pub fn can_undo_clear(&self) -> bool {
        let mut panes = self.list.iter();
        self.list.iter().all(|pane| pane.chat.turns().is_empty())
            && panes.any(|pane| pane.chat.can_undo_clear())
    }

    /// Shows in the pane at `to` what was said in the one at `from`.
    fn copy_conversation(&mut self, from: usize, to: usize) {
        if let Ok([from, to]) = self.list.get_disjoint_mut([from, to]) {
            to.chat.copy_from(&from.chat);
        }
    }

    /// Brings back what was cleared.
    pub(super) fn undo_clear(&mut self) {
        self.chats_mut().for_each(ChatState::undo_clear);
    }

    /// The message that is being answered; `None` when no answer is under way.
    pub fn round_under_way(&self) -> Option<u64> {
        let answering = self
            .list
            .iter()
            .filter(|pane| pane.chat.running().is_some());
        answering
            .filter_map(|pane| pane.chat.turns().last())
            .map(|turn| turn.round)
            .max()
    }

    /// Numbers a message, so that its answers in several panes can be compared.
    fn next_round(&mut self) -> u64 {
        self.rounds += 1;
        self.rounds
    }
}
