//! Up to four panes side by side. The first is the environment's own conversation; the others stand beside it and
//! may ask another deployment, another model, or another environment.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::State;
use super::blind::Blind;
use super::chat::{Act, AnswerStatus, Asking, ChatState, UserInput};
use super::cluster::{Choice, ClusterState};
use super::jobs::Work;
use crate::domain::conversation::ChatRequest;
use crate::domain::environment::{EnvId, Environment};
use crate::metrics::timeline::Figures;
use crate::protocol::{ChatAsk, ChatOrder, Command, JobId};

/// So many panes at most.
pub const MOST: usize = 4;

/// The panes of an environment's Playground, but for the first one's conversation and choice.
#[derive(Debug)]
pub struct Panes {
    /// The second pane and those after it.
    pub others: Vec<Pane>,
    /// The first pane takes part in what is sent.
    pub first_ticked: bool,
    /// The pane that the pickers are for.
    pub active: usize,
    /// They are asked one after the other, so that they do not share the machine.
    pub in_turn: bool,
    /// Models of which the user says that they make embeddings, or do not.
    pub embeds: BTreeMap<String, bool>,
    /// Whether names are hidden.
    pub(super) blind: Option<Blind>,
    next_id: u64,
    rounds: u64,
}

impl Default for Panes {
    fn default() -> Self {
        Self {
            others: Vec::new(),
            first_ticked: true,
            active: 0,
            in_turn: false,
            embeds: BTreeMap::new(),
            blind: None,
            next_id: 1,
            rounds: 0,
        }
    }
}

/// A pane beside the first.
#[derive(Debug)]
pub struct Pane {
    /// Unique among the environment's panes, and never used again; the first pane's is 0.
    pub id: u64,
    /// Where it asks.
    pub env: EnvId,
    /// Whom it asks.
    pub choice: Choice,
    /// It takes the first pane's system prompt and parameters.
    pub linked: bool,
    /// It takes part in what is sent.
    pub ticked: bool,
    /// What was said.
    pub chat: ChatState,
}

impl Panes {
    /// For a new pane.
    pub(super) fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }
}

impl Pane {
    /// With nothing said.
    pub(super) fn new(id: u64, env: EnvId, choice: Choice) -> Self {
        Self {
            id,
            env,
            choice,
            linked: true,
            ticked: true,
            chat: ChatState::default(),
        }
    }
}

/// What is to be known of a pane to draw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaneHead {
    /// [`Pane::id`].
    pub id: u64,
    /// Where it asks.
    pub env: EnvId,
    /// Whom it asks.
    pub choice: Choice,
    /// As it is called: its model, with a number where an earlier pane has the same one.
    pub name: Option<String>,
    /// See [`Pane::linked`].
    pub linked: bool,
    /// See [`Pane::ticked`].
    pub ticked: bool,
    /// The answer under way.
    pub running: Option<JobId>,
    /// Whether another pane can take its place.
    pub closable: bool,
}

impl State {
    /// How many panes there are in the environment in use: one at least.
    pub fn panes(&mut self) -> usize {
        1 + self.place().panes.others.len()
    }

    /// The pane that the pickers are for.
    pub fn active_pane(&mut self) -> usize {
        self.place().panes.active.min(self.panes() - 1)
    }

    /// The conversation of a pane.
    pub fn pane_chat(&mut self, index: usize) -> &mut ChatState {
        let place = self.place();
        match index
            .checked_sub(1)
            .and_then(|index| place.panes.others.get_mut(index))
        {
            Some(pane) => &mut pane.chat,
            None => &mut place.chat,
        }
    }

    /// What is to be known of a pane to draw it.
    pub fn pane_head(&mut self, index: usize) -> PaneHead {
        let name = self.pane_name(index);
        let (env, choice) = (self.pane_env(index), self.pane_choice(index));
        let own = self.settings.current().id.clone();
        let closable = match index {
            0 => self.place().panes.others.iter().any(|pane| pane.env == own),
            _ => true,
        };
        let running = self.pane_chat(index).running();
        let panes = &self.place().panes;
        let pane = index
            .checked_sub(1)
            .and_then(|index| panes.others.get(index));
        let (id, linked, ticked) = pane.map_or((0, false, panes.first_ticked), |pane| {
            (pane.id, pane.linked, pane.ticked)
        });
        PaneHead {
            id,
            env,
            choice,
            name,
            linked,
            ticked,
            running,
            closable,
        }
    }

    /// The environment that a pane asks.
    pub fn pane_env(&mut self, index: usize) -> EnvId {
        let own = self.settings.current().id.clone();
        self.pane_mut(index).map_or(own, |pane| pane.env.clone())
    }

    /// The deployment and the model of a pane.
    pub fn pane_choice(&mut self, index: usize) -> Choice {
        if let Some(pane) = self.pane_mut(index) {
            return pane.choice.clone();
        }
        self.place().cluster.choice.clone()
    }

    fn pane_mut(&mut self, index: usize) -> Option<&mut Pane> {
        index
            .checked_sub(1)
            .and_then(|index| self.place().panes.others.get_mut(index))
    }

    /// As a pane is called: its model, with a number where an earlier pane has the same one.
    pub fn pane_name(&mut self, index: usize) -> Option<String> {
        let model = self.pane_choice(index).model?;
        let same = (0..index)
            .filter(|earlier| self.pane_choice(*earlier).model.as_ref() == Some(&model))
            .count();
        Some(if same == 0 {
            model
        } else {
            format!("{model} · {}", same + 1)
        })
    }

    /// What is known of the cluster that a pane asks.
    pub fn pane_cluster(&mut self, index: usize) -> Option<&ClusterState> {
        let env = self.pane_env(index);
        self.place_of(&env).map(|place| &place.cluster)
    }

    /// Whom a pane asks: its environment, the model, and the deployment if the model is one of its own.
    pub fn pane_asks(
        &mut self,
        index: usize,
    ) -> (Option<Environment>, Option<String>, Option<String>) {
        let choice = self.pane_choice(index);
        let deployment = self
            .pane_cluster(index)
            .and_then(|cluster| cluster.deployment_asked(&choice));
        let env = self.pane_env(index);
        (self.settings.get(&env).cloned(), choice.model, deployment)
    }

    /// Another pane beside those there are, on another model where there is one. It becomes the active one.
    pub fn add_pane(&mut self) {
        if self.panes() >= MOST {
            return;
        }
        let active = self.active_pane();
        let (env, mut choice) = (self.pane_env(active), self.pane_choice(active));
        let taken: Vec<Option<String>> = (0..self.panes())
            .map(|index| self.pane_choice(index).model)
            .collect();
        let offers = self
            .pane_cluster(active)
            .map(|cluster| cluster.offers_of(&choice))
            .unwrap_or_default();
        let free = offers
            .deployed
            .into_iter()
            .chain(offers.others)
            .find(|offer| {
                offer.selectable
                    && offer.remark.is_none()
                    && !taken.contains(&Some(offer.name.clone()))
            });
        if let Some(free) = free {
            choice.model = Some(free.name);
        }
        self.place().cluster.settled = true;
        let panes = &mut self.place().panes;
        // Who comes now is known.
        panes.blind = None;
        let id = panes.fresh_id();
        panes.others.push(Pane::new(id, env, choice));
        panes.active = panes.others.len();
    }

    /// Closes a pane; an answer under way ends. Another one takes the first pane's place.
    pub fn close_pane(&mut self, index: usize, out: &mut Vec<Command>) {
        let head = self.pane_head(index);
        if !head.closable {
            return;
        }
        out.extend(head.running.map(|job| Command::Cancel { job }));
        out.extend(
            self.pane_chat(index)
                .embed
                .running
                .map(|(job, _)| Command::Cancel { job }),
        );
        let own = self.settings.current().id.clone();
        let place = self.place();
        place.panes.blind = None;
        if index == 0 {
            let Some(at) = place.panes.others.iter().position(|pane| pane.env == own) else {
                return;
            };
            let mut pane = place.panes.others.remove(at);
            if pane.linked {
                pane.chat.take_settings(&place.chat);
            }
            // What is changed of the closed pane's messages is not the draft.
            place.chat.stop_editing();
            pane.chat.inherit_draft(&mut place.chat);
            place.chat = pane.chat;
            place.cluster.choice = pane.choice;
            place.panes.first_ticked = pane.ticked;
        } else {
            place.panes.others.remove(index - 1);
        }
        let active = place.panes.active;
        place.panes.active = if active >= index {
            active.saturating_sub(1)
        } else {
            active
        };
    }

    /// Whether a pane takes part in what is sent.
    pub fn tick_pane(&mut self, index: usize, on: bool) {
        match self.pane_mut(index) {
            Some(pane) => pane.ticked = on,
            None => self.place().panes.first_ticked = on,
        }
    }

    /// Whether a pane takes the first one's system prompt and parameters. What it had is kept.
    pub fn link_pane(&mut self, index: usize, on: bool) {
        let place = self.place();
        if let Some(pane) = index
            .checked_sub(1)
            .and_then(|index| place.panes.others.get_mut(index))
        {
            pane.linked = on;
            if !on {
                pane.chat.take_settings(&place.chat);
            }
        }
    }

    /// Picks a pane's deployment.
    pub fn pick_deployment(&mut self, index: usize, name: &str) {
        if index == 0 {
            return self.place().cluster.pick_deployment(name);
        }
        let mut choice = self.pane_choice(index);
        if let Some(cluster) = self.pane_cluster(index) {
            cluster.choose_deployment(&mut choice, name);
        }
        self.set_choice(index, choice);
    }

    /// Picks a pane's model.
    pub fn pick_model(&mut self, index: usize, name: &str) {
        if index == 0 {
            return self.place().cluster.pick_model(name);
        }
        let choice = Choice {
            model: Some(name.to_owned()),
            ..self.pane_choice(index)
        };
        self.set_choice(index, choice);
    }

    /// Picks the environment that a pane beside the first asks.
    pub fn pick_pane_env(&mut self, index: usize, env: &EnvId, out: &mut Vec<Command>) {
        let Some(pane) = self.pane_mut(index).filter(|pane| pane.env != *env) else {
            return;
        };
        (pane.env, pane.choice) = (env.clone(), Choice::default());
        self.open_if_new(env, out);
        self.settle_panes();
    }

    fn set_choice(&mut self, index: usize, choice: Choice) {
        if let Some(pane) = self.pane_mut(index) {
            pane.choice = choice;
        }
    }

    /// Panes that have no model yet are given one as soon as their cluster is known.
    pub(super) fn settle_panes(&mut self) {
        let mut found = Vec::new();
        for (id, place) in &self.places {
            for (at, pane) in place.panes.others.iter().enumerate() {
                if pane.choice.model.is_none()
                    && let Some(asked) = self.places.get(&pane.env)
                {
                    found.push((id.clone(), at, asked.cluster.first_choice(&pane.choice)));
                }
            }
        }
        for (id, at, choice) in found {
            if let Some(pane) = self
                .places
                .get_mut(&id)
                .and_then(|place| place.panes.others.get_mut(at))
            {
                pane.choice = choice;
            }
        }
    }

    /// The pane whose draft the composer shows: the one of which a message is being changed, else the first.
    pub fn drafting_pane(&mut self) -> usize {
        (0..self.panes())
            .find(|index| self.pane_chat(*index).is_editing())
            .unwrap_or(0)
    }

    /// The panes that a message would go to.
    pub fn addressed(&mut self) -> Vec<usize> {
        let panes = self.panes();
        let drafting = self.drafting_pane();
        if panes == 1 || self.pane_chat(drafting).is_editing() {
            return vec![drafting];
        }
        (0..panes)
            .filter(|index| self.pane_head(*index).ticked && !self.pane_embeds(*index))
            .collect()
    }

    /// Whether a pane has an address and a model to ask.
    pub fn can_ask(&mut self, index: usize) -> bool {
        let (env, model, _) = self.pane_asks(index);
        model.is_some() && env.is_some_and(|env| env.api.is_some() || env.demo)
    }

    /// Whether a message can be sent to a pane.
    pub fn can_chat(&mut self, index: usize) -> bool {
        self.can_ask(index) && !self.pane_embeds(index)
    }

    /// The answers under way, over all panes.
    pub fn answering(&mut self) -> Vec<JobId> {
        (0..self.panes())
            .filter_map(|index| self.pane_chat(index).running())
            .collect()
    }

    /// Whether there are panes to be sent something, and all of them can take it.
    fn can_send_to(&mut self, to: &[usize]) -> bool {
        let can = |index| self.can_chat(index) && self.pane_chat(index).running().is_none();
        !to.is_empty() && to.iter().copied().all(can)
    }

    /// Sends these words to those that a message is for, and leaves the draft, or the message that is being changed,
    /// as it is. Gives whether they were sent, as [`Self::send_draft`] does.
    pub fn send_words(&mut self, words: &str, now: Duration, out: &mut Vec<Command>) -> bool {
        let to = self.addressed();
        let said = UserInput::text(words.trim());
        if said.prompt.is_empty() || !self.can_send_to(&to) {
            return false;
        }
        // All that was said goes along, as with a request for the rest of an answer.
        if let Some(why) = to
            .iter()
            .find_map(|index| self.against_asking(*index, Act::Continue))
        {
            self.notice_failure(Err(why));
            return false;
        }
        self.send_to(to, &said, now, out);
        true
    }

    /// Sends the draft to those it is for. Gives whether it was sent; nothing is while one of them answers.
    pub fn send_draft(&mut self, now: Duration, out: &mut Vec<Command>) -> bool {
        let to = self.addressed();
        let drafting = self.drafting_pane();
        if !self.can_send_to(&to) || !self.pane_chat(drafting).has_draft() {
            return false;
        }
        if let Some(why) = self.against_sending() {
            self.notice_failure(Err(why));
            return false;
        }
        if self.panes() == 1 || self.pane_chat(drafting).is_editing() {
            let round = self.next_round();
            let asks = self
                .ask_pane(drafting, round, now, ChatState::send)
                .into_iter()
                .collect();
            chat_together(asks, out);
            return true;
        }
        let said = self.pane_chat(drafting).take_draft();
        self.send_to(to, &said, now, out);
        true
    }

    fn send_to(&mut self, to: Vec<usize>, said: &UserInput, now: Duration, out: &mut Vec<Command>) {
        let round = self.next_round();
        let mut asks = Vec::new();
        for index in to {
            asks.extend(self.ask_pane(index, round, now, |chat, asking| chat.say(said, asking)));
        }
        if !self.place().panes.in_turn {
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
            (0..self.panes()).for_each(|index| self.pane_chat(index).stop_editing());
        }
        if !act.asks() {
            self.pane_chat(index).turn_to(act);
            return false;
        }
        if let Some(why) = self.against_asking(index, act) {
            self.notice_failure(Err(why));
            return false;
        }
        let round = self.next_round();
        let ask = self.ask_pane(index, round, now, |chat, asking| chat.ask_for(act, asking));
        let asks = ask.is_some();
        chat_together(ask.into_iter().collect(), out);
        asks
    }

    fn next_round(&mut self) -> u64 {
        let panes = &mut self.place().panes;
        panes.rounds += 1;
        panes.rounds
    }

    fn ask_pane(
        &mut self,
        index: usize,
        round: u64,
        now: Duration,
        what: impl FnOnce(&mut ChatState, &Asking<'_>) -> Option<ChatRequest>,
    ) -> Option<ChatAsk> {
        let (env, model, deployment) = self.pane_asks(index);
        let (place, model) = (env?, model?);
        if self.pane_embeds(index) {
            return None;
        }
        let name = self.pane_name(index)?;
        let job = self.jobs.begin(&place.id, Work::Chat);
        if index == 0 {
            // What was asked of stays picked.
            self.place().cluster.settled = true;
        }
        let chat = self.pane_to_ask(index);
        let deployment = deployment.as_deref();
        let Some(request) = what(
            chat,
            &Asking {
                job,
                model: &model,
                deployment,
                now,
            },
        ) else {
            self.jobs.end(job);
            return None;
        };
        chat.note(name, round);
        let filing = chat.filing();
        Some(ChatAsk {
            job,
            place,
            request: Box::new(request),
            filing,
        })
    }

    /// What a pane would be sent, with the draft as the last message if there is one.
    pub fn pane_request(&mut self, index: usize) -> Option<ChatRequest> {
        let model = self.pane_choice(index).model?;
        let drafting = self.drafting_pane();
        let said = self.pane_chat(drafting).drafted();
        Some(self.pane_to_ask(index).request(&model, &said))
    }

    /// A pane's conversation, with the first one's settings if it is linked.
    fn pane_to_ask(&mut self, index: usize) -> &mut ChatState {
        let place = self.place();
        let Some(pane) = index
            .checked_sub(1)
            .and_then(|index| place.panes.others.get_mut(index))
        else {
            return &mut place.chat;
        };
        if pane.linked {
            pane.chat.take_settings(&place.chat);
        }
        &mut pane.chat
    }

    /// Empties all panes' conversations; [`Self::undo_clear`] brings them back.
    pub fn clear(&mut self) {
        if self.answering().is_empty() {
            (0..self.panes()).for_each(|index| self.pane_chat(index).clear());
        }
    }

    /// Whether there is something to empty, and no answer under way.
    pub fn can_clear(&mut self) -> bool {
        self.answering().is_empty()
            && (0..self.panes()).any(|index| !self.pane_chat(index).turns().is_empty())
    }

    /// Whether all are empty, and one was not.
    pub fn can_undo_clear(&mut self) -> bool {
        let panes = self.panes();
        (0..panes).all(|index| self.pane_chat(index).turns().is_empty())
            && (0..panes).any(|index| self.pane_chat(index).can_undo_clear())
    }

    /// Brings back what was cleared; what was to be deleted of that is not.
    pub fn undo_clear(&mut self) {
        for index in 0..self.panes() {
            self.pane_chat(index).undo_clear();
            self.talk_is_back(index);
        }
    }

    /// For each pane the turns that were the fastest of those that were asked the same at the same time.
    pub fn fastest(&mut self) -> Vec<HashMap<u64, Fastest>> {
        let panes = self.panes();
        let mut out = vec![HashMap::new(); panes];
        if panes == 1 {
            return out;
        }
        let mut rounds: HashMap<u64, Vec<(usize, u64, Option<Figures>)>> = HashMap::new();
        for index in 0..panes {
            for turn in self
                .pane_chat(index)
                .turns()
                .iter()
                .filter(|turn| turn.round > 0)
            {
                let status = &turn.answer.status;
                if matches!(status, AnswerStatus::Streaming(_)) {
                    // Nobody is the fastest before all have ended.
                    rounds
                        .entry(turn.round)
                        .or_default()
                        .push((index, turn.id, None));
                } else if matches!(status, AnswerStatus::Finished(_)) {
                    let entry = (index, turn.id, Some(turn.answer.reply.figures));
                    rounds.entry(turn.round).or_default().push(entry);
                }
            }
        }
        for round in rounds.into_values() {
            let Some(figures) = round
                .iter()
                .map(|(_, _, figures)| *figures)
                .collect::<Option<Vec<_>>>()
            else {
                continue;
            };
            for ((pane, turn, _), marks) in round.iter().zip(fastest_of(&figures)) {
                out[*pane].insert(*turn, marks);
            }
        }
        out
    }
}

/// In which figures an answer was the fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fastest {
    /// Its first token came soonest.
    pub ttft: bool,
    /// It had the most tokens per second; only where all are counted alike.
    pub speed: bool,
}

impl Fastest {
    /// In words; `None` where it was in nothing.
    pub fn told(self) -> Option<&'static str> {
        match (self.speed, self.ttft) {
            (true, true) => Some("tok/s and TTFT"),
            (true, false) => Some("tok/s"),
            (false, true) => Some("TTFT"),
            (false, false) => None,
        }
    }
}

/// By less than this share one answer is no faster than another: the same model asked twice differs by more.
const MATTERS: f64 = 0.05;

fn fastest_of(all: &[Figures]) -> Vec<Fastest> {
    let mut ttfts: Vec<Duration> = all.iter().filter_map(|figures| figures.ttft).collect();
    ttfts.sort_unstable();
    let ttft = match ttfts[..] {
        [first, second, ..] if first.as_secs_f64() <= second.as_secs_f64() * (1.0 - MATTERS) => {
            Some(first)
        }
        _ => None,
    };
    let counted = |figures: &Figures| figures.tokens.map(|tokens| tokens.source);
    let alike = all
        .iter()
        .all(|figures| counted(figures) == all.first().and_then(counted));
    let mut speeds: Vec<f64> = all
        .iter()
        .filter_map(|figures| figures.tokens_per_sec)
        .collect();
    speeds.sort_unstable_by(|a, b| b.total_cmp(a));
    let speed = match speeds[..] {
        [first, second, ..] if alike && first >= second * (1.0 + MATTERS) => Some(first),
        _ => None,
    };
    let mark = |figures: &Figures| Fastest {
        ttft: ttft.is_some() && figures.ttft == ttft,
        speed: speed.is_some() && figures.tokens_per_sec == speed,
    };
    all.iter().map(mark).collect()
}

fn chat_together(asks: Vec<ChatAsk>, out: &mut Vec<Command>) {
    if !asks.is_empty() {
        out.push(Command::Chat {
            asks,
            order: ChatOrder::Together,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::conversation::{Attached, Attachment};
    use crate::domain::exchange::Advance;
    use crate::domain::failure::Failure;
    use crate::domain::settings::Settings;
    use crate::protocol::{ChatEnding, Event, FinishReason};

    /// On the demo with these panes.
    fn with_models(models: &[&str]) -> State {
        let mut state = State::new(Settings::default());
        state.place().cluster.pick_model(models[0]);
        for (index, model) in models.iter().enumerate().skip(1) {
            state.add_pane();
            state.pick_model(index, model);
        }
        state
    }

    fn send(state: &mut State, prompt: &str) -> (Vec<ChatAsk>, ChatOrder) {
        prompt.clone_into(&mut state.place().chat.draft);
        let mut out = Vec::new();
        assert!(state.send_draft(Duration::ZERO, &mut out));
        match out.pop() {
            Some(Command::Chat { asks, order }) => (asks, order),
            other => panic!("{other:?}"),
        }
    }

    fn end(state: &mut State, job: JobId, ttft: u64, tokens_per_sec: f64) {
        let figures = Figures {
            ttft: Some(Duration::from_millis(ttft)),
            tokens_per_sec: Some(tokens_per_sec),
            ..Figures::default()
        };
        let ending = ChatEnding::Finished {
            reason: FinishReason::Stop,
        };
        let advance = Box::new(Advance {
            figures,
            ..Advance::of("", "yes")
        });
        let event = Event::ChatAdvanced { job, advance };
        state.apply(event, Duration::ZERO);
        state.apply(
            Event::ChatEnded {
                job,
                ending,
                figures: Box::new(figures),
                answered_by: None,
            },
            Duration::ZERO,
        );
    }

    #[test]
    fn one_draft_goes_to_all_that_are_ticked_and_each_keeps_its_conversation() {
        let mut state = with_models(&["a", "b", "c"]);
        state.tick_pane(1, false);
        let (asks, order) = send(&mut state, "hello");
        let models: Vec<&str> = asks.iter().map(|ask| ask.request.model.as_str()).collect();
        assert_eq!((models, order), (vec!["a", "c"], ChatOrder::Together));
        let names: Vec<_> = asks
            .iter()
            .filter_map(|ask| ask.filing.as_ref())
            .map(|f| &f.conversation)
            .collect();
        assert!(names.len() == 2 && names[0] != names[1], "{names:?}");
        assert!(state.pane_chat(1).turns().is_empty());
        state.place().chat.draft = "more".to_owned();
        assert!(
            !state.send_draft(Duration::ZERO, &mut Vec::new()),
            "they still answer"
        );
        end(&mut state, asks[0].job, 10, 50.0);
        end(&mut state, asks[1].job, 10, 50.0);
        assert_eq!(state.pane_chat(2).turns()[0].answer.reply.text, "yes");
        assert_eq!(
            state.place().session.series().len(),
            2,
            "the charts show both"
        );
    }

    #[test]
    fn one_after_the_other_says_who_waits() {
        let mut state = with_models(&["a", "b"]);
        state.place().panes.in_turn = true;
        let (asks, order) = send(&mut state, "hello");
        assert_eq!(order, ChatOrder::InTurn);
        assert!(
            !state.pane_chat(0).turns()[0].answer.queued
                && state.pane_chat(1).turns()[0].answer.queued
        );
        state.apply(
            Event::ChatBegan { job: asks[1].job },
            Duration::from_secs(5),
        );
        let answer = &state.pane_chat(1).turns()[0].answer;
        assert_eq!(
            (answer.queued, answer.asked_at),
            (false, Duration::from_secs(5))
        );
    }

    #[test]
    fn the_fastest_is_known_when_all_have_answered() {
        let mut state = with_models(&["a", "b"]);
        let (asks, _) = send(&mut state, "hello");
        end(&mut state, asks[0].job, 20, 90.0);
        assert!(
            state.fastest().iter().all(HashMap::is_empty),
            "one still answers"
        );
        end(&mut state, asks[1].job, 10, 50.0);
        let marks: Vec<Option<&str>> = state
            .fastest()
            .iter()
            .map(|turns| turns.values().next().and_then(|marks| marks.told()))
            .collect();
        assert_eq!(marks, [Some("tok/s"), Some("TTFT")]);
        let (asks, _) = send(&mut state, "again");
        end(&mut state, asks[0].job, 20, 90.0);
        let why = Failure::new("down", "");
        let ending = ChatEnding::Failed(why);
        let event = Event::ChatEnded {
            job: asks[1].job,
            ending,
            figures: Box::default(),
            answered_by: None,
        };
        state.apply(event, Duration::ZERO);
        assert_eq!(state.fastest()[0].len(), 2);
        let last = state.pane_chat(0).turns()[1].id;
        assert_eq!(
            state.fastest()[0][&last].told(),
            None,
            "there is nobody to be faster than"
        );
    }

    #[test]
    fn a_linked_pane_has_the_firsts_system_prompt_and_another_its_own() {
        let mut state = with_models(&["a", "b", "c"]);
        state.link_pane(2, false);
        state.pane_chat(2).system = "mine".to_owned();
        state.place().chat.system = "shared".to_owned();
        let (asks, _) = send(&mut state, "hello");
        let first: Vec<&str> = asks
            .iter()
            .map(|ask| ask.request.messages[0].content.as_str())
            .collect();
        assert_eq!(first, ["shared", "shared", "mine"]);
    }

    #[test]
    fn the_same_model_twice_has_two_names_and_two_lines() {
        let mut state = with_models(&["a", "a"]);
        assert_eq!(state.pane_name(1).as_deref(), Some("a · 2"));
        let (asks, _) = send(&mut state, "hello");
        assert!(asks.iter().all(|ask| ask.request.model == "a"));
        asks.iter()
            .for_each(|ask| end(&mut state, ask.job, 10, 50.0));
        let names: Vec<_> = state
            .place()
            .session
            .series()
            .iter()
            .map(|series| series.model.clone())
            .collect();
        assert_eq!(names, ["a", "a · 2"]);
    }

    #[test]
    fn closing_the_first_pane_moves_the_next_into_its_place() {
        let mut state = with_models(&["a", "b"]);
        let (asks, _) = send(&mut state, "hello");
        state.place().chat.draft = "next".to_owned();
        let mut out = Vec::new();
        state.close_pane(0, &mut out);
        assert!(
            matches!(out.as_slice(), [Command::Cancel { job }] if *job == asks[0].job),
            "{out:?}"
        );
        assert_eq!(
            (state.panes(), state.pane_name(0).as_deref()),
            (1, Some("b"))
        );
        assert_eq!(state.place().chat.draft, "next");
        end(&mut state, asks[1].job, 10, 50.0);
        assert_eq!(state.place().chat.turns()[0].answer.reply.text, "yes");
        assert!(!state.pane_head(0).closable, "one stays");
    }

    #[test]
    fn a_draft_survives_the_first_pane_also_while_a_message_is_changed() {
        let note = || Attachment {
            name: "a.md".to_owned(),
            content: Attached::Text("a".into()),
        };
        for changed in [0, 1] {
            let mut state = with_models(&["a", "b"]);
            let (asks, _) = send(&mut state, "hello");
            asks.iter()
                .for_each(|ask| end(&mut state, ask.job, 10, 50.0));
            state.place().chat.draft = "half".to_owned();
            state.place().chat.attached = vec![note()];
            let mut out = Vec::new();
            state.act_in_pane(changed, Act::Edit(0), Duration::ZERO, &mut out);
            assert_eq!(state.pane_chat(changed).draft, "hello");
            state.close_pane(0, &mut out);
            let chat = &mut state.place().chat;
            assert_eq!(
                (chat.kept_draft(), chat.kept_attached()),
                ("half", [note()].as_slice()),
                "{changed}"
            );
            assert_eq!(
                chat.is_editing(),
                changed == 1,
                "what is changed of another pane stays"
            );
            chat.stop_editing();
            assert_eq!((chat.draft.as_str(), chat.attached.len()), ("half", 1));
        }
    }

    #[test]
    fn a_message_is_changed_in_its_own_pane_alone() {
        let mut state = with_models(&["a", "b"]);
        let (asks, _) = send(&mut state, "hello");
        asks.iter()
            .for_each(|ask| end(&mut state, ask.job, 10, 50.0));
        state.place().chat.draft = "half".to_owned();
        let mut out = Vec::new();
        assert!(!state.act_in_pane(1, Act::Edit(0), Duration::ZERO, &mut out));
        assert_eq!((state.drafting_pane(), state.addressed()), (1, vec![1]));
        state.pane_chat(1).draft = "other".to_owned();
        assert!(state.send_draft(Duration::ZERO, &mut out));
        let [Command::Chat { asks, .. }] = out.as_slice() else {
            panic!("{out:?}")
        };
        assert_eq!((asks.len(), asks[0].request.model.as_str()), (1, "b"));
        assert_eq!(
            (state.drafting_pane(), state.place().chat.draft.as_str()),
            (0, "half")
        );
    }

    #[test]
    fn no_more_than_four_and_none_of_a_deleted_environment() {
        let mut state = with_models(&["a", "b", "c", "d", "e"]);
        assert_eq!(state.panes(), MOST);
        let other = Environment::blank(EnvId("e1".to_owned()), "other");
        let mut out = Vec::new();
        state.save_environment(other.clone(), None, &mut out);
        state.switch(&EnvId::demo(), &mut out);
        state.pick_pane_env(3, &other.id, &mut out);
        assert_eq!(
            (state.pane_env(3), state.can_ask(3)),
            (other.id.clone(), false)
        );
        state.delete_environment(&other.id, &mut out);
        assert_eq!(state.panes(), 3);
    }
}
