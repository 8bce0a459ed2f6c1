//! Blind: the panes are shuffled and have no names until the user says which answer was best. The votes are counted
//! a pair of models.

use super::Panes;
use crate::domain::workspace::{PairVotes, WorkspaceChange};
use crate::state::chat::AnswerStatus;
use crate::state::jobs::Outbox;

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

impl Panes {
    /// Whether names are hidden now.
    pub fn names_hidden(&self) -> bool {
        self.blind().is_some_and(|blind| blind.vote.is_none())
    }

    /// The blind comparison under way, or the one that was voted on.
    pub fn blind(&self) -> Option<&Blind> {
        let blind = self.blind.as_ref();
        blind.filter(|blind| blind.order.len() == self.count())
    }

    /// Begins a blind comparison, with new conversations: the old ones tell which model is which. Nothing happens with
    /// one pane, or while an answer is under way.
    pub fn begin_blind(&mut self) {
        if self.count() > 1 && self.is_idle() {
            self.clear();
            self.blind = Some(Blind {
                order: shuffled(self.count()),
                vote: None,
            });
        }
    }

    /// Names are seen again, without a vote.
    pub fn end_blind(&mut self) {
        self.blind = None;
    }

    /// The pane that is shown at this position, from the left.
    pub fn at_position(&self, position: usize) -> usize {
        self.blind()
            .and_then(|blind| blind.order.get(position))
            .copied()
            .unwrap_or(position)
    }

    /// What a pane is called while its name is hidden: `Model A` is the leftmost.
    pub fn hidden_name(&self, index: usize) -> Option<String> {
        let blind = self.blind().filter(|blind| blind.vote.is_none())?;
        let position = blind.order.iter().position(|pane| *pane == index)?;
        Some(format!("Model {}", ["A", "B", "C", "D"].get(position)?))
    }

    /// The panes that can be voted on, in the order in which they are shown: those that answered the last
    /// message. Empty until all have, or when fewer than two did.
    pub fn to_vote_on(&self) -> Vec<usize> {
        if !self.names_hidden() {
            return Vec::new();
        }
        let last = |index| self.chat(index).turns().last();
        let rounds = (0..self.count()).filter_map(last).map(|turn| turn.round);
        let round = rounds.max().unwrap_or(0);
        let mut answered = Vec::new();
        for position in 0..self.count() {
            let index = self.at_position(position);
            let Some(turn) = last(index).filter(|turn| turn.round == round) else {
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

    /// Takes the user's vote: names are seen. Gives the models that were voted on, with their panes; none while there
    /// is nothing to vote on.
    fn take_vote(&mut self, vote: Vote) -> Vec<(usize, String)> {
        let on = self.to_vote_on();
        if matches!(vote, Vote::For(index) if !on.contains(&index)) {
            return Vec::new();
        }
        let model = |index: usize| {
            let turn = self.chat(index).turns().last()?;
            Some((index, turn.answer.model.clone()))
        };
        let models: Vec<_> = on.into_iter().filter_map(model).collect();
        if !models.is_empty()
            && let Some(blind) = &mut self.blind
        {
            blind.vote = Some(vote);
        }
        models
    }

    /// Takes the user's vote, and adds it to `counted` for each pair of models.
    pub(super) fn vote(
        &mut self,
        vote: Vote,
        counted: &mut Vec<PairVotes>,
        outbox: &mut Outbox<'_>,
    ) {
        let models = self.take_vote(vote);
        if models.is_empty() {
            return;
        }
        for (at, (one, one_model)) in models.iter().enumerate() {
            for (other, other_model) in &models[at + 1..] {
                let winner = match vote {
                    Vote::Tie => None,
                    Vote::For(index) if index == *one => Some(one_model.as_str()),
                    Vote::For(index) if index == *other => Some(other_model.as_str()),
                    // The vote does not compare two that lost.
                    Vote::For(_) => continue,
                };
                if let Some(votes) = PairVotes::vote((one_model, other_model), winner) {
                    votes.add_to(counted);
                    outbox.keep(WorkspaceChange::Votes(votes));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::settings::Settings;
    use crate::metrics::timeline::Figures;
    use crate::protocol::{ChatAsk, ChatEnding, Command, Event, FinishReason, JobId};
    use crate::state::State;
    use crate::state::panes::PaneAction;

    fn blind(models: &[&str]) -> State {
        let mut state = State::new(Settings::default());
        state.panes_mut().get_mut(0).pick_model(models[0]);
        for (index, model) in models.iter().enumerate().skip(1) {
            state.add_pane(false);
            state.panes_mut().get_mut(index).pick_model(model);
        }
        state.panes_mut().begin_blind();
        state
    }

    fn send(state: &mut State) -> Vec<ChatAsk> {
        state.panes_mut().chat_mut(0).draft = "which?".to_owned();
        let mut out = Vec::new();
        assert!(state.send_draft(Duration::ZERO, &mut out));
        match out.pop() {
            Some(Command::Chat { asks, .. }) => asks,
            other => panic!("{other:?}"),
        }
    }

    fn take(state: &mut State, vote: Vote, out: &mut Vec<Command>) {
        state.act_on_panes(PaneAction::Vote(vote), Duration::ZERO, out);
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
        let shown: Vec<usize> = (0..3)
            .map(|place| state.panes().at_position(place))
            .collect();
        let mut sorted = shown.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2]);
        assert_eq!(
            state.panes().hidden_name(shown[0]).as_deref(),
            Some("Model A")
        );
        let asks = send(&mut state);
        end(&mut state, asks[0].job);
        end(&mut state, asks[1].job);
        let mut out = Vec::new();
        take(&mut state, Vote::For(0), &mut out);
        assert!(
            state.panes().names_hidden() && out.is_empty(),
            "one still answers"
        );
        end(&mut state, asks[2].job);
        assert_eq!(state.panes().to_vote_on(), shown);
        take(&mut state, Vote::For(1), &mut out);
        assert!(!state.panes().names_hidden() && state.panes().hidden_name(0).is_none());
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
        take(&mut state, Vote::For(0), &mut out);
        assert_eq!(out.len(), 2, "once");
    }

    #[test]
    fn a_tie_is_one_and_the_next_comparison_begins_anew() {
        let mut state = blind(&["b", "a"]);
        for ties in 1..=2 {
            let asks = send(&mut state);
            asks.iter().for_each(|ask| end(&mut state, ask.job));
            take(&mut state, Vote::Tie, &mut Vec::new());
            assert_eq!(
                (
                    state.workspace.votes[0].one.as_str(),
                    state.workspace.votes[0].ties
                ),
                ("a", ties)
            );
            state.panes_mut().begin_blind();
            assert!(state.panes().names_hidden() && state.panes().chat(0).turns().is_empty());
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
        state.act_on_panes(PaneAction::Close(1), Duration::ZERO, &mut Vec::new());
        assert!(!state.panes().names_hidden());
    }
}
