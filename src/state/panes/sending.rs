//! Whom the panes ask, and sending to them.

use std::time::Duration;

use super::{MAX_PANES, Panes};
use crate::domain::conversation::ChatRequest;
use crate::domain::environment::{EnvId, Environment};
use crate::domain::failure::Failure;
use crate::protocol::{ChatAsk, ChatOrder, Command, JobId};
use crate::state::State;
use crate::state::chat::{Act, Asking, ChatState, UserInput};
use crate::state::cluster::{Choice, ClusterState};
use crate::state::jobs::Work;

impl State {
    /// The panes of the environment in use.
    pub fn panes(&self) -> &Panes {
        &self.connection().panes
    }

    /// The panes of the environment in use.
    pub fn panes_mut(&mut self) -> &mut Panes {
        &mut self.connection_mut().panes
    }

    /// What is known of the cluster that a pane asks.
    pub fn pane_cluster(&self, index: usize) -> Option<&ClusterState> {
        let connection = self.connection_of(&self.panes().get(index).env)?;
        Some(&connection.cluster)
    }

    /// Whom a pane asks: its environment, the model, and the deployment if the model is one of its own.
    pub fn pane_asks(&self, index: usize) -> (Option<&Environment>, Option<&str>, Option<String>) {
        let pane = self.panes().get(index);
        let deployment = self
            .pane_cluster(index)
            .and_then(|cluster| cluster.deployment_asked(&pane.choice));
        let env = self.settings.get(&pane.env);
        (env, pane.choice.model.as_deref(), deployment)
    }

    /// Adds a pane, on another model where there is one. It becomes the active one.
    pub fn add_pane(&mut self) {
        let panes = self.panes();
        if panes.count() >= MAX_PANES {
            return;
        }
        let active = panes.active_pane();
        let (env, mut choice) = (active.env.clone(), active.choice.clone());
        let is_taken = |model: &String| {
            let mut taken = panes.all().iter().map(|pane| pane.choice.model.as_ref());
            taken.any(|taken| taken == Some(model))
        };
        if let Some(cluster) = self.pane_cluster(panes.active()) {
            let free_of = |choice: &Choice| {
                let mut offers = cluster.offers_of(choice).into_iter();
                let free = offers.find(|offer| {
                    offer.selectable && offer.remark.is_none() && !is_taken(&offer.name)
                });
                free.map(|offer| offer.name)
            };
            if let Some(model) = free_of(&choice) {
                choice.model = Some(model);
            } else if let Some(model) = free_of(&Choice::default()) {
                choice.deployment = cluster.serving(&model).map(|it| it.name.clone());
                choice.model = Some(model);
            }
        }
        let panes = self.panes_mut();
        panes.get_mut(0).settled = true;
        panes.add(env, choice);
    }

    /// Adds a pane, with a copy of the active one's conversation if that is wanted.
    pub(super) fn add_pane_for(&mut self, copy: bool) {
        let (of, before) = (self.panes().active(), self.panes().count());
        self.add_pane();
        if copy && self.panes().count() > before {
            self.panes_mut().copy_conversation(of, before);
        }
    }

    /// Closes a pane; an answer under way ends.
    pub fn close_pane(&mut self, index: usize, out: &mut Vec<Command>) {
        let Some(closed) = self.panes_mut().close(index) else {
            return;
        };
        let embedding = closed.chat.embed.running.map(|(job, _)| job);
        let jobs = closed.chat.running().into_iter().chain(embedding);
        out.extend(jobs.map(|job| Command::Cancel { job }));
    }

    /// Picks a pane's deployment, or none. Its best model is taken unless the one in use is among its models.
    pub fn pick_deployment(&mut self, index: usize, name: Option<&str>) {
        let mut choice = self.panes().get(index).choice.clone();
        match (name, self.pane_cluster(index)) {
            (Some(name), Some(cluster)) => cluster.choose_deployment(&mut choice, name),
            (Some(_), None) => {}
            (None, _) => choice.deployment = None,
        }
        let pane = self.panes_mut().get_mut(index);
        (pane.choice, pane.settled) = (choice, true);
    }

    /// Picks the environment that a pane beside the first asks.
    pub fn pick_pane_env(&mut self, index: usize, env: &EnvId, out: &mut Vec<Command>) {
        let pane = self.panes_mut().get_mut(index);
        if index == 0 || pane.env == *env {
            return;
        }
        (pane.env, pane.choice) = (env.clone(), Default::default());
        self.open_if_new(env, out);
        self.settle_panes(env);
    }

    /// Panes that ask this environment and have no model yet are given one as soon as its cluster is known.
    pub(in crate::state) fn settle_panes(&mut self, env: &EnvId) {
        let Some(asked) = self.connections.get(env) else {
            return;
        };
        let mut found = Vec::new();
        for connection in self.connections.iter() {
            let panes = connection.panes.all().iter().enumerate();
            for (index, pane) in panes.filter(|(_, pane)| pane.env == *env) {
                let choice = pane.completed_choice(&asked.cluster);
                found.push((connection.env.clone(), index, choice));
            }
        }
        for (of, index, choice) in found {
            if let Some(connection) = self.connections.get_mut(&of) {
                connection.panes.get_mut(index).choice = choice;
            }
        }
    }

    /// The panes that a message would go to.
    pub fn addressed(&self) -> Vec<usize> {
        let panes = self.panes();
        let drafting = panes.drafting();
        if panes.count() == 1 || panes.chat(drafting).is_editing() {
            return vec![drafting];
        }
        (0..panes.count())
            .filter(|index| panes.get(*index).ticked && !self.pane_embeds(*index))
            .collect()
    }

    /// Whether a pane has an address and a model to ask.
    pub fn can_ask(&self, index: usize) -> bool {
        let (env, model, _) = self.pane_asks(index);
        model.is_some() && env.is_some_and(|env| env.api.is_some() || env.demo)
    }

    /// Whether a message can be sent to a pane.
    pub fn can_chat(&self, index: usize) -> bool {
        self.can_ask(index) && !self.pane_embeds(index)
    }

    /// Whether there are panes to be sent something, and all of them can take it.
    fn can_send_to(&self, to: &[usize]) -> bool {
        let is_ready = |index| self.can_chat(index) && self.panes().chat(index).running().is_none();
        !to.is_empty() && to.iter().copied().all(is_ready)
    }

    /// Whether these words can be sent to those that a message is for.
    ///
    /// # Errors
    /// Why not, where that is not seen on the page.
    pub fn can_send_words(&self, words: &str) -> Result<(), Option<Failure>> {
        let to = self.addressed();
        if words.trim().is_empty() || !self.can_send_to(&to) || !self.panes().is_idle() {
            return Err(None);
        }
        // The whole conversation goes along, as with a request for the rest of an answer.
        let mut to = to.iter();
        match to.find_map(|index| self.against_asking(*index, Act::Continue)) {
            Some(why) => Err(Some(why)),
            None => Ok(()),
        }
    }

    /// Sends these words to those that a message is for, and leaves the draft, or the message that is being edited,
    /// as it is. Gives whether they were sent, as [`Self::send_draft`] does.
    pub fn send_words(&mut self, words: &str, now: Duration, out: &mut Vec<Command>) -> bool {
        if let Err(why) = self.can_send_words(words) {
            self.notices.fail_if_any(why);
            return false;
        }
        let said = UserInput::text(words.trim());
        self.send_to(self.addressed(), &said, now, out);
        true
    }

    /// Sends the draft to those it is for. Gives whether it was sent; nothing is while one of them answers.
    pub fn send_draft(&mut self, now: Duration, out: &mut Vec<Command>) -> bool {
        let to = self.addressed();
        let drafting = self.panes().drafting();
        if !self.can_send_to(&to) || !self.panes().chat(drafting).has_draft() {
            return false;
        }
        if let Some(why) = self.against_sending() {
            self.notices.fail(why);
            return false;
        }
        if self.panes().count() == 1 || self.panes().chat(drafting).is_editing() {
            let round = self.panes_mut().next_round();
            let ask = self.ask_pane(drafting, round, now, ChatState::send);
            chat_together(ask.into_iter().collect(), out);
            return true;
        }
        let said = self.panes_mut().chat_mut(drafting).take_draft();
        self.send_to(to, &said, now, out);
        true
    }

    fn send_to(&mut self, to: Vec<usize>, said: &UserInput, now: Duration, out: &mut Vec<Command>) {
        let round = self.panes_mut().next_round();
        let mut asks = Vec::new();
        for index in to {
            asks.extend(self.ask_pane(index, round, now, |chat, asking| chat.say(said, asking)));
        }
        if !self.panes().in_turn {
            return chat_together(asks, out);
        }
        for ask in asks.iter().skip(1) {
            self.with_chat(ask.job, |chat, _| chat.queue());
        }
        out.push(Command::Chat {
            asks,
            order: ChatOrder::InTurn,
        });
    }

    /// Does what the buttons of a pane's conversation say. Gives whether something was asked.
    pub fn act_in_pane(
        &mut self,
        index: usize,
        act: Act,
        now: Duration,
        out: &mut Vec<Command>,
    ) -> bool {
        if let Act::Edit(_) = act {
            self.panes_mut()
                .chats_mut()
                .for_each(ChatState::stop_editing);
        }
        if !act.asks() {
            self.panes_mut().chat_mut(index).turn_to(act);
            return false;
        }
        if let Some(why) = self.against_asking(index, act) {
            self.notices.fail(why);
            return false;
        }
        let round = self.panes_mut().next_round();
        let ask = self.ask_pane(index, round, now, |chat, asking| chat.ask_for(act, asking));
        let asks = ask.is_some();
        chat_together(ask.into_iter().collect(), out);
        asks
    }

    fn ask_pane(
        &mut self,
        index: usize,
        round: u64,
        now: Duration,
        what: impl FnOnce(&mut ChatState, &Asking<'_>) -> Option<ChatRequest>,
    ) -> Option<ChatAsk> {
        let (env, model, deployment) = self.pane_asks(index);
        let (place, model) = (env?.clone(), model?.to_owned());
        if self.pane_embeds(index) {
            return None;
        }
        let name = self.panes().name(index)?;
        let job: JobId = self.jobs.begin(&place.id, Work::Chat);
        let panes = self.panes_mut();
        let shared = panes.shared_conversation(index);
        // A model that was asked stays picked.
        panes.get_mut(index).settled = true;
        let chat = panes.chat_to_ask(index);
        let asking = Asking {
            job,
            model: &model,
            deployment: deployment.as_deref(),
            now,
        };
        let Some(request) = what(chat, &asking) else {
            self.jobs.end(job);
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

    /// Brings back all conversations that were cleared, and those of them that were to be deleted.
    pub fn undo_clear(&mut self) {
        self.panes_mut().undo_clear();
        for index in 0..self.panes().count() {
            self.conversation_is_back(index);
        }
    }
}

fn chat_together(asks: Vec<ChatAsk>, out: &mut Vec<Command>) {
    if !asks.is_empty() {
        out.push(Command::Chat {
            asks,
            order: ChatOrder::Together,
        });
    }
}
