//! The Playground of each environment that was opened.

use std::time::Duration;

use super::{Pane, Panes};
use crate::domain::conversation::Attachment;
use crate::domain::embedding::Embedded;
use crate::domain::environment::EnvId;
use crate::domain::exchange::Advance;
use crate::domain::failure::Failure;
use crate::domain::history::SessionId;
use crate::metrics::history::SessionHistory;
use crate::metrics::timeline::Figures;
use crate::protocol::{ChatEnding, JobId};
use crate::state::chat::ChatState;
use crate::state::cluster::ClusterState;
use crate::state::per_environment::{OfEnvironment, PerEnvironment};

/// What is said on the Playground while an environment is in use.
#[derive(Debug)]
pub(in crate::state) struct Playground {
    pub(in crate::state) env: EnvId,
    pub(in crate::state) panes: Panes,
    /// The session's answers, for the charts, over all panes. Clearing the conversations keeps them.
    pub(in crate::state) session: SessionHistory,
}

impl OfEnvironment for Playground {
    /// One empty pane.
    fn new(env: EnvId) -> Self {
        Self {
            panes: Panes::new(env.clone()),
            env,
            session: SessionHistory::default(),
        }
    }

    fn env(&self) -> &EnvId {
        &self.env
    }
}

/// The Playgrounds of all environments that were opened; the window shows that of the one in use.
#[derive(Debug)]
pub struct Playgrounds(PerEnvironment<Playground>);

impl Playgrounds {
    pub(in crate::state) fn new(env: EnvId) -> Self {
        Self(PerEnvironment::new(env))
    }

    /// The panes of the environment in use.
    pub fn panes(&self) -> &Panes {
        &self.0.current().panes
    }

    /// The panes of the environment in use.
    pub fn panes_mut(&mut self) -> &mut Panes {
        &mut self.0.current_mut().panes
    }

    /// The answers of this session in the environment in use.
    pub fn session(&self) -> &SessionHistory {
        &self.0.current().session
    }

    /// The same, for benches of the charts.
    pub fn session_mut(&mut self) -> &mut SessionHistory {
        &mut self.0.current_mut().session
    }

    /// The panes of an environment, if it was ever opened.
    pub(in crate::state) fn panes_of(&self, env: &EnvId) -> Option<&Panes> {
        self.0.get(env).map(|playground| &playground.panes)
    }

    /// The panes of an environment; it counts as opened from now on.
    pub(in crate::state) fn entry(&mut self, env: &EnvId) -> &mut Panes {
        &mut self.0.entry(env).panes
    }

    pub(in crate::state) fn put(&mut self, playground: Playground) {
        self.0.put(playground);
    }

    pub(in crate::state) fn iter(&self) -> impl Iterator<Item = &Playground> {
        self.0.iter()
    }

    /// Shows that of another environment from now on.
    pub(in crate::state) fn select(&mut self, env: &EnvId) {
        self.0.select(env);
    }

    /// Takes out that of an environment that is not in use. Gives its answers under way: its panes may ask others.
    pub(in crate::state) fn remove(&mut self, env: &EnvId) -> Vec<JobId> {
        let removed = self.0.remove(env);
        removed.map_or_else(Vec::new, |playground| playground.panes.answering())
    }

    fn all_panes_mut(&mut self) -> impl Iterator<Item = &mut Panes> {
        self.0.iter_mut().map(|playground| &mut playground.panes)
    }

    fn chats_mut(&mut self) -> impl Iterator<Item = &mut ChatState> {
        self.all_panes_mut().flat_map(Panes::chats_mut)
    }

    /// Takes out all panes that ask this environment elsewhere. Gives their answers under way.
    pub(in crate::state) fn close_all_of(&mut self, env: &EnvId) -> Vec<JobId> {
        let panes = self.all_panes_mut();
        let closed = panes.flat_map(|panes| panes.close_all_of(env));
        closed.filter_map(|pane| pane.chat.running()).collect()
    }

    /// The names of this environment's deployments and models have lost their meaning.
    pub(in crate::state) fn forget_choices(&mut self, env: &EnvId) {
        let panes = self.all_panes_mut();
        panes.for_each(|panes| panes.forget_choices(env));
    }

    /// The other environments that the panes of the one in use ask.
    pub(in crate::state) fn other_envs(&self) -> Vec<EnvId> {
        let own = &self.0.current().env;
        let envs = self.panes().all().iter().map(|pane| &pane.env);
        envs.filter(|env| *env != own).cloned().collect()
    }

    /// Panes that ask this environment and have no model yet are given one as soon as its cluster is known.
    pub(in crate::state) fn settle(&mut self, env: &EnvId, cluster: &ClusterState) {
        let panes = self.all_panes_mut();
        panes.for_each(|panes| panes.settle(env, cluster));
    }

    /// The conversation in which this job answers, and its session.
    fn with_chat(&mut self, job: JobId, change: impl FnOnce(&mut ChatState, &mut SessionHistory)) {
        for Playground { panes, session, .. } in self.0.iter_mut() {
            let answers = |chat: &&mut ChatState| chat.running() == Some(job);
            if let Some(chat) = panes.chats_mut().find(answers) {
                return change(chat, session);
            }
        }
    }

    /// More of an answer came.
    pub(in crate::state) fn advanced(&mut self, job: JobId, advance: &Advance, now: Duration) {
        self.with_chat(job, |chat, _| chat.advance(job, advance, now));
    }

    /// An answer that waited for others is asked for now.
    pub(in crate::state) fn began(&mut self, job: JobId, now: Duration) {
        self.with_chat(job, |chat, _| chat.began(now));
    }

    /// An answer has ended, with its figures and the model that gave it.
    pub(in crate::state) fn ended(
        &mut self,
        job: JobId,
        ending: ChatEnding,
        told: (Figures, Option<String>),
        now: Duration,
    ) {
        self.with_chat(job, |chat, session| {
            chat.end(job, ending, told, now, session);
        });
    }

    /// The embeddings that `job` asked for came, or not.
    pub(in crate::state) fn embedded(&mut self, job: JobId, outcome: Result<Embedded, Failure>) {
        let asks = |chat: &&mut ChatState| chat.embed.running.is_some_and(|(it, _)| it == job);
        if let Some(chat) = self.chats_mut().find(asks) {
            chat.embed.end(job, outcome);
        }
    }

    /// Attaches something to the draft of an environment.
    pub(in crate::state) fn attach(&mut self, env: &EnvId, attachment: Attachment) {
        if let Some(playground) = self.0.get_mut(env) {
            let chat = playground.panes.drafting_chat_mut();
            chat.attached.push(attachment);
        }
    }

    /// A pane, wherever it is.
    pub(in crate::state) fn pane_mut(&mut self, env: &EnvId, pane: u64) -> Option<&mut Pane> {
        let playground = self.0.get_mut(env)?;
        playground.panes.iter_mut().find(|it| it.id == pane)
    }

    /// Whether an answer is under way in this conversation, wherever it is shown.
    pub fn is_busy(&self, id: &SessionId) -> bool {
        let mut panes = self.0.iter().flat_map(|playground| playground.panes.all());
        panes.any(|pane| pane.chat.conversation() == Some(id) && pane.chat.running().is_some())
    }

    /// Empties the panes that show this conversation; [`Self::bring_back`] undoes that.
    pub(in crate::state) fn clear(&mut self, id: &SessionId) {
        let chats = self.chats_mut();
        chats
            .filter(|chat| chat.conversation() == Some(id))
            .for_each(ChatState::clear);
    }

    /// Shows a conversation again where it was cleared.
    pub(in crate::state) fn bring_back(&mut self, id: &SessionId) {
        let chats = self.chats_mut();
        chats
            .filter(|chat| chat.cleared_was(id))
            .for_each(ChatState::undo_clear);
    }

    /// These conversations are deleted: nothing brings them back on the screen.
    pub(in crate::state) fn forget(&mut self, ids: &[SessionId]) {
        let chats = self.chats_mut();
        chats.for_each(|chat| ids.iter().for_each(|id| chat.forget(id)));
    }
}
