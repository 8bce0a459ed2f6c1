//! Blind: the panes are shuffled and have no names until the user says which answer was best. The votes are counted
//! a pair of models.

use super::State;
use super::chat::AnswerStatus;
use crate::domain::workspace::{PairVotes, WorkspaceChange};
use crate::protocol::Command;

/// Names are hidden, or were until the vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blind {
    /// Which pane is shown first, second and so on.
    order: Vec<usize>,
    /// What the user said; from then on the names are seen.
    vote: Option<Vote>,
}

/// Which answer was the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vote {
    /// That of this pane.
    For(usize),
    /// None: they are as good as each other.
    Tie,
}

impl Blind {
    /// What the user said.
    pub fn vote(&self) -> Option<Vote> {
        self.vote
    }
}

/// A number that nobody can foresee.
fn random() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    // The standard library's only source of randomness.
    RandomState::new().build_hasher().finish()
}

fn shuffled(panes: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..panes).collect();
    for at in (1..panes).rev() {
        order.swap(at, (random() % (at as u64 + 1)) as usize);
    }
    order
}

impl State {
    /// Whether names are hidden now.
    pub fn names_hidden(&mut self) -> bool {
        self.blind().is_some_and(|blind| blind.vote.is_none())
    }

    /// The blind comparison under way, or the one that was voted on.
    pub fn blind(&mut self) -> Option<&Blind> {
        let panes = self.panes();
        self.place()
            .panes
            .blind
            .as_ref()
            .filter(|blind| blind.order.len() == panes)
    }

    /// Begins a blind comparison, with new conversations: the old ones tell who is who. Nothing happens with one
    /// pane, or while an answer is under way.
    pub fn begin_blind(&mut self) {
        let panes = self.panes();
        if panes > 1 && self.answering().is_empty() {
            self.clear();
            self.place().panes.blind = Some(Blind {
                order: shuffled(panes),
                vote: None,
            });
        }
    }

    /// Names are seen again, without a vote.
    pub fn end_blind(&mut self) {
        self.place().panes.blind = None;
    }

    /// The pane that is shown at this place, from the left.
    pub fn pane_at(&mut self, place: usize) -> usize {
        self.blind()
            .and_then(|blind| blind.order.get(place))
            .copied()
            .unwrap_or(place)
    }

    /// What a pane is called while its name is hidden: `Model A` is the leftmost.
    pub fn hidden_name(&mut self, index: usize) -> Option<String> {
        if !self.names_hidden() {
            return None;
        }
        let at = self.blind()?.order.iter().position(|pane| *pane == index)?;
        Some(format!("Model {}", ["A", "B", "C", "D"].get(at)?))
    }

    /// The panes that can be voted on, in the order in which they are shown: those that answered the last
    /// message. Empty until all have, or when fewer than two did.
    pub fn to_vote_on(&mut self) -> Vec<usize> {
        if !self.names_hidden() {
            return Vec::new();
        }
        let last = |state: &mut Self, index| {
            state
                .pane_chat(index)
                .turns()
                .last()
                .map_or(0, |turn| turn.round)
        };
        let panes = self.panes();
        let round = (0..panes).map(|index| last(self, index)).max().unwrap_or(0);
        let mut answered = Vec::new();
        for place in 0..panes {
            let index = self.pane_at(place);
            let Some(turn) = self
                .pane_chat(index)
                .turns()
                .last()
                .filter(|turn| turn.round == round)
            else {
                continue;
            };
            match turn.answer.status {
                AnswerStatus::Streaming(_) => return Vec::new(),
                AnswerStatus::Finished(_) if round > 0 => answered.push(index),
                _ => {}
            }
        }
        if answered.len() < 2 {
            Vec::new()
        } else {
            answered
        }
    }

    /// Takes the user's vote: names are seen, and it is counted for each pair of models.
    pub fn vote(&mut self, vote: Vote, out: &mut Vec<Command>) {
        let on = self.to_vote_on();
        if on.is_empty() || matches!(vote, Vote::For(index) if !on.contains(&index)) {
            return;
        }
        let mut models = Vec::new();
        for index in on {
            let model = self
                .pane_chat(index)
                .turns()
                .last()
                .map(|turn| turn.answer.model.clone());
            models.extend(model.map(|model| (index, model)));
        }
        for (at, (one, one_model)) in models.iter().enumerate() {
            for (other, other_model) in &models[at + 1..] {
                let winner = match vote {
                    Vote::Tie => None,
                    Vote::For(index) if index == *one => Some(one_model.as_str()),
                    Vote::For(index) if index == *other => Some(other_model.as_str()),
                    // Between two that lost nothing was said.
                    Vote::For(_) => continue,
                };
                if let Some(votes) = PairVotes::vote((one_model, other_model), winner) {
                    votes.add_to(&mut self.workspace.votes);
                    let change = WorkspaceChange::Votes(votes);
                    out.push(Command::Keep { change });
                }
            }
        }
        if let Some(blind) = &mut self.place().panes.blind {
            blind.vote = Some(vote);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::settings::Settings;
    use crate::metrics::timeline::Figures;
    use crate::protocol::{ChatAsk, ChatEnding, Event, FinishReason, JobId};

    fn blind(models: &[&str]) -> State {
        let mut state = State::new(Settings::default());
        state.place().cluster.pick_model(models[0]);
        for (index, model) in models.iter().enumerate().skip(1) {
            state.add_pane();
            state.pick_model(index, model);
        }
        state.begin_blind();
        state
    }

    fn send(state: &mut State) -> Vec<ChatAsk> {
        state.place().chat.draft = "which?".to_owned();
        let mut out = Vec::new();
        assert!(state.send_draft(Duration::ZERO, &mut out));
        match out.pop() {
            Some(Command::Chat { asks, .. }) => asks,
            other => panic!("{other:?}"),
        }
    }

    fn end(state: &mut State, job: JobId) {
        let ending = ChatEnding::Finished {
            reason: FinishReason::Stop,
        };
        let figures = Box::new(Figures::default());
        state.apply(
            Event::ChatEnded {
                job,
                ending,
                figures,
                answered_by: None,
            },
            Duration::ZERO,
        );
    }

    #[test]
    fn names_come_with_the_vote_which_is_counted_a_pair() {
        let mut state = blind(&["a", "b", "c"]);
        let shown: Vec<usize> = (0..3).map(|place| state.pane_at(place)).collect();
        let mut sorted = shown.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2]);
        assert_eq!(state.hidden_name(shown[0]).as_deref(), Some("Model A"));
        let asks = send(&mut state);
        end(&mut state, asks[0].job);
        end(&mut state, asks[1].job);
        let mut out = Vec::new();
        state.vote(Vote::For(0), &mut out);
        assert!(state.names_hidden() && out.is_empty(), "one still answers");
        end(&mut state, asks[2].job);
        assert_eq!(state.to_vote_on(), shown);
        state.vote(Vote::For(1), &mut out);
        assert!(!state.names_hidden() && state.hidden_name(0).is_none());
        let votes = out.iter().map(|command| match command {
            Command::Keep {
                change: WorkspaceChange::Votes(pair),
            } => pair,
            other => panic!("{other:?}"),
        });
        let mut told: Vec<_> = votes
            .map(|p| (p.one.as_str(), p.other.as_str(), p.wins, p.losses, p.ties))
            .collect();
        // Counted in the order in which the panes happened to be shown.
        told.sort_unstable();
        assert_eq!(
            told,
            [("a", "b", 0, 1, 0), ("b", "c", 1, 0, 0)],
            "between a and c nothing was said"
        );
        assert_eq!(state.workspace.votes.len(), 2);
        state.vote(Vote::For(0), &mut out);
        assert_eq!(out.len(), 2, "once");
    }

    #[test]
    fn a_tie_is_one_and_the_next_comparison_begins_anew() {
        let mut state = blind(&["b", "a"]);
        for ties in 1..=2 {
            let asks = send(&mut state);
            asks.iter().for_each(|ask| end(&mut state, ask.job));
            state.vote(Vote::Tie, &mut Vec::new());
            assert_eq!(
                (
                    state.workspace.votes[0].one.as_str(),
                    state.workspace.votes[0].ties
                ),
                ("a", ties)
            );
            state.begin_blind();
            assert!(state.names_hidden() && state.pane_chat(0).turns().is_empty());
        }
    }

    #[test]
    fn every_order_comes_up() {
        let orders: std::collections::HashSet<_> = (0..200).map(|_| shuffled(3)).collect();
        assert_eq!(orders.len(), 6);
    }

    #[test]
    fn a_closed_pane_ends_it() {
        let mut state = blind(&["a", "b"]);
        state.close_pane(1, &mut Vec::new());
        assert!(!state.names_hidden());
    }
}
