//! Sending to the panes, and adding, closing and settling them.

use std::time::Duration;

use super::{MAX_PANES, PaneTargets, Panes};
use crate::domain::conversation::ChatRequest;
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::history::SessionId;
use crate::protocol::{ChatAsk, ChatOrder, Command, JobId};
use crate::state::chat::{Act, Asking, ChatState, UserInput};
use crate::state::cluster::{Choice, ClusterState};
use crate::state::environments::Environments;
use crate::state::jobs::{Outbox, Work};

impl Panes {
    /// Whom these panes ask.
    pub(super) fn targets<'a>(&'a self, environments: &'a Environments) -> PaneTargets<'a> {
        PaneTargets {
            panes: self,
            environments,
        }
    }

    /// Adds a pane, on another model where there is one. It becomes the active one, with a copy of the conversation
    /// of the one before it if that is wanted.
    pub(in crate::state) fn add_on_free_model(&mut self, copy: bool, environments: &Environments) {
        let of = self.active();
        if self.count() >= MAX_PANES {
            return;
        }
        let active = self.get(of);
        let (env, mut choice) = (active.env.clone(), active.choice.clone());
        if let Some(cluster) = self.targets(environments).of(of).cluster {
            self.choose_free_model(&mut choice, cluster);
        }
        self.get_mut(0).settled = true;
        self.add(env, choice);
        if copy {
            self.copy_conversation(of, self.count() - 1);
        }
    }

    /// Puts a model into a choice that no pane asks, if the cluster offers one.
    fn choose_free_model(&self, choice: &mut Choice, cluster: &ClusterState) {
        let is_taken = |model: &String| {
            let mut taken = self.all().iter().map(|pane| pane.choice.model.as_ref());
            taken.any(|taken| taken == Some(model))
        };
        let free_of = |choice: &Choice| {
            let mut offers = cluster.offers_of(choice).into_iter();
            let free = offers
                .find(|offer| offer.selectable && offer.remark.is_none() && !is_taken(&offer.name));
            free.map(|offer| offer.name)
        };
        if let Some(model) = free_of(choice) {
            choice.model = Some(model);
        } else if let Some(model) = free_of(&Choice::default()) {
            choice.deployment = cluster.serving(&model).map(|it| it.name.clone());
            choice.model = Some(model);
        }
    }

    /// Closes a pane; an answer under way ends.
    pub(in crate::state) fn close_and_cancel(&mut self, index: usize, outbox: &mut Outbox<'_>) {
        if let Some(closed) = self.close(index) {
            let embedding = closed.chat.embed.running.map(|(job, _)| job);
            outbox.cancel(closed.chat.running().into_iter().chain(embedding));
        }
    }

    /// Picks a pane's deployment, or none. Its best model is taken unless the one in use is among its models.
    pub(in crate::state) fn pick_deployment(
        &mut self,
        index: usize,
        name: Option<&str>,
        environments: &Environments,
    ) {
        let mut choice = self.get(index).choice.clone();
        match (name, self.targets(environments).of(index).cluster) {
            (Some(name), Some(cluster)) => cluster.choose_deployment(&mut choice, name),
            (Some(_), None) => {}
            (None, _) => choice.deployment = None,
        }
        let pane = self.get_mut(index);
        (pane.choice, pane.settled) = (choice, true);
    }

    /// Picks the environment that a pane beside the first asks. It is opened if it never was.
    pub(in crate::state) fn pick_env(
        &mut self,
        index: usize,
        env: &EnvId,
        environments: &mut Environments,
        outbox: &mut Outbox<'_>,
    ) {
        let pane = self.get_mut(index);
        if index == 0 || pane.env == *env {
            return;
        }
        (pane.env, pane.choice) = (env.clone(), Choice::default());
        environments.open_if_new(env, outbox);
        if let Some(connection) = environments.connection_of(env) {
            self.settle(env, &connection.cluster);
        }
    }

    /// Panes that ask this environment and have no model yet are given one as soon as its cluster is known.
    pub(super) fn settle(&mut self, env: &EnvId, cluster: &ClusterState) {
        for pane in self.iter_mut().filter(|pane| pane.env == *env) {
            pane.choice = pane.completed_choice(cluster);
        }
    }

    /// Sends these words to those that a message is for, and leaves the draft, or the message that is being edited,
    /// as it is.
    ///
    /// # Errors
    /// Why not, where that is not seen on the page.
    pub(in crate::state) fn send_words(
        &mut self,
        words: &str,
        environments: &Environments,
        now: Duration,
        outbox: &mut Outbox<'_>,
    ) -> Result<(), Option<Failure>> {
        let targets = self.targets(environments);
        targets.can_send_words(words)?;
        let (to, said) = (targets.addressed(), UserInput::text(words.trim()));
        self.send_to(to, &said, environments, now, outbox);
        Ok(())
    }

    /// Sends the draft to those it is for. Gives whether it was sent; nothing is while one of them answers.
    ///
    /// # Errors
    /// Why not, where that is not seen on the page.
    pub(in crate::state) fn send_draft(
        &mut self,
        environments: &Environments,
        now: Duration,
        outbox: &mut Outbox<'_>,
    ) -> Result<bool, Failure> {
        let (targets, drafting) = (self.targets(environments), self.drafting());
        let to = targets.addressed();
        if !targets.can_send_to(&to) || !self.chat(drafting).has_draft() {
            return Ok(false);
        }
        if let Some(why) = targets.against_sending() {
            return Err(why);
        }
        if self.count() == 1 || self.chat(drafting).is_editing() {
            let round = self.next_round();
            let ask = self.ask(
                drafting,
                round,
                (environments, now, &mut *outbox),
                ChatState::send,
            );
            chat_together(ask.into_iter().collect(), outbox);
        } else {
            let said = self.chat_mut(drafting).take_draft();
            self.send_to(to, &said, environments, now, outbox);
        }
        Ok(true)
    }

    fn send_to(
        &mut self,
        to: Vec<usize>,
        said: &UserInput,
        environments: &Environments,
        now: Duration,
        outbox: &mut Outbox<'_>,
    ) {
        let round = self.next_round();
        let mut asks = Vec::new();
        for index in to {
            let what = |chat: &mut ChatState, asking: &Asking<'_>| chat.say(said, asking);
            asks.extend(self.ask(index, round, (environments, now, &mut *outbox), what));
        }
        if !self.in_turn {
            return chat_together(asks, outbox);
        }
        for ask in asks.iter().skip(1) {
            let mut chats = self.chats_mut();
            let chat = chats.find(|chat| chat.running() == Some(ask.job));
            chat.into_iter().for_each(ChatState::queue);
        }
        outbox.send(Command::Chat {
            asks,
            order: ChatOrder::InTurn,
        });
    }

    /// Does what the buttons of a pane's conversation say. Gives whether something was asked.
    ///
    /// # Errors
    /// Why it was not asked.
    pub(in crate::state) fn act_in(
        &mut self,
        index: usize,
        act: Act,
        environments: &Environments,
        now: Duration,
        outbox: &mut Outbox<'_>,
    ) -> Result<bool, Failure> {
        if let Act::Edit(_) = act {
            self.chats_mut().for_each(ChatState::stop_editing);
        }
        if !act.asks() {
            self.chat_mut(index).turn_to(act);
            return Ok(false);
        }
        if let Some(why) = self.targets(environments).against_asking(index, act) {
            return Err(why);
        }
        let round = self.next_round();
        let what = |chat: &mut ChatState, asking: &Asking<'_>| chat.ask_for(act, asking);
        let ask = self.ask(index, round, (environments, now, &mut *outbox), what);
        let asks = ask.is_some();
        chat_together(ask.into_iter().collect(), outbox);
        Ok(asks)
    }

    fn ask(
        &mut self,
        index: usize,
        round: u64,
        (environments, now, outbox): (&Environments, Duration, &mut Outbox<'_>),
        what: impl FnOnce(&mut ChatState, &Asking<'_>) -> Option<ChatRequest>,
    ) -> Option<ChatAsk> {
        let target = self.targets(environments).of(index);
        let (place, model) = (target.env?.clone(), target.model()?.to_owned());
        if target.embeds() {
            return None;
        }
        let deployment = target.deployment();
        let name = self.name(index)?;
        let job: JobId = outbox.begin(&place.id, Work::Chat);
        let shared = self.shared_conversation(index);
        // A model that was asked stays picked.
        self.get_mut(index).settled = true;
        let chat = self.chat_to_ask(index);
        let asking = Asking {
            job,
            model: &model,
            deployment: deployment.as_deref(),
            now,
        };
        let Some(request) = what(chat, &asking) else {
            outbox.unbegin(job);
            return None;
        };
        chat.note(name, round);
        if let Some((conversation, free)) = shared {
            chat.file_in(&conversation, free);
        }
        let filing = chat.filing();
        Some(ChatAsk {
            job,
            place,
            request: Box::new(request),
            filing,
        })
    }

    /// Makes this the system prompt of the active pane, or of the one that it takes it from.
    pub(in crate::state) fn use_as_system_prompt(&mut self, text: String) {
        let index = self.settings_of(self.active());
        self.chat_mut(index).system = text;
    }

    /// The conversations that are shown.
    pub(super) fn conversations(&self) -> impl Iterator<Item = &SessionId> {
        let panes = self.all().iter();
        panes.filter_map(|pane| pane.chat.conversation())
    }
}

fn chat_together(asks: Vec<ChatAsk>, outbox: &mut Outbox<'_>) {
    if !asks.is_empty() {
        outbox.send(Command::Chat {
            asks,
            order: ChatOrder::Together,
        });
    }
}
