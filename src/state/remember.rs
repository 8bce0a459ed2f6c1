//! What the Playground remembers over a restart: its panes, whom they ask and with what, and the draft. Nothing that
//! was said: that is the history's.

use super::cluster::Choice;
use super::panes::{MOST, Pane};
use super::{PlaceState, State};
use crate::domain::settings::Settings;
use crate::domain::workspace::{PaneForm, PlaygroundForm, WorkspaceChange};
use crate::protocol::Command;

impl PlaceState {
    fn form(&self) -> PlaygroundForm {
        let choice = if self.cluster.settled {
            self.cluster.choice.clone()
        } else {
            Choice::default()
        };
        let first = PaneForm {
            env: None,
            deployment: choice.deployment,
            model: choice.model,
            linked: false,
            ticked: self.panes.first_ticked,
            system: self.chat.system.clone(),
            params: self.chat.params.clone(),
        };
        let others = self.panes.others.iter().map(|pane| PaneForm {
            env: Some(pane.env.clone()),
            deployment: pane.choice.deployment.clone(),
            model: pane.choice.model.clone(),
            linked: pane.linked,
            ticked: pane.ticked,
            system: pane.chat.system.clone(),
            params: pane.chat.params.clone(),
        });
        PlaygroundForm {
            draft: self.chat.kept_draft().to_owned(),
            in_turn: self.panes.in_turn,
            embeds: self.panes.embeds.clone(),
            panes: std::iter::once(first).chain(others).collect(),
        }
    }

    /// As it was left. Panes of environments that are gone are left out.
    pub(super) fn restored(form: &PlaygroundForm, settings: &Settings) -> Self {
        let mut place = Self::default();
        place.chat.draft.clone_from(&form.draft);
        place.panes.in_turn = form.in_turn;
        place.panes.embeds.clone_from(&form.embeds);
        let mut panes = form.panes.iter();
        if let Some(first) = panes.next() {
            place.chat.system.clone_from(&first.system);
            place.chat.params = first.params.clone();
            place.panes.first_ticked = first.ticked;
            place.cluster.choice = choice_of(first);
            place.cluster.settled = first.model.is_some();
        }
        for pane in panes.take(MOST - 1) {
            let Some(env) = pane.env.clone().filter(|env| settings.get(env).is_some()) else {
                continue;
            };
            let mut other = Pane::new(place.panes.fresh_id(), env, choice_of(pane));
            (other.linked, other.ticked) = (pane.linked, pane.ticked);
            other.chat.system.clone_from(&pane.system);
            other.chat.params = pane.params.clone();
            place.panes.others.push(other);
        }
        place
    }
}

fn choice_of(form: &PaneForm) -> Choice {
    Choice {
        deployment: form.deployment.clone(),
        model: form.model.clone(),
    }
}

impl State {
    /// Keeps what has changed of the panes and the drafts.
    pub fn remember_panes(&mut self, out: &mut Vec<Command>) {
        self.remember_attached(out);
        let nothing = PlaceState::default().form();
        let kept = &mut self.workspace.playgrounds;
        for (id, place) in &self.places {
            let form = Some(place.form()).filter(|form| *form != nothing);
            if kept.get(id) == form.as_ref() {
                continue;
            }
            match &form {
                Some(form) => drop(kept.insert(id.clone(), form.clone())),
                None => drop(kept.remove(id)),
            }
            let env = id.clone();
            let change = WorkspaceChange::Playground { env, form };
            out.push(Command::Keep { change });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::conversation::Params;
    use crate::domain::environment::{EnvId, Environment};
    use crate::domain::workspace::Workspace;

    /// The workspace that the next start reads, when there is something new to keep.
    fn saved(state: &mut State) -> Option<Workspace> {
        let mut out = Vec::new();
        state.remember_panes(&mut out);
        match out.as_slice() {
            [] => None,
            [
                Command::Keep {
                    change: WorkspaceChange::Playground { .. },
                },
            ] => Some(state.workspace.clone()),
            _ => panic!("{out:?}"),
        }
    }

    #[test]
    fn panes_and_drafts_come_back_and_are_kept_once() {
        let mut state = State::new(Settings::default());
        assert_eq!(saved(&mut state), None, "there is nothing to keep");
        state.place().cluster.pick_model("a");
        state.add_pane();
        state.pick_model(1, "b");
        state.link_pane(1, false);
        state.pane_chat(1).system = "mine".to_owned();
        state.pane_chat(1).params = Params {
            seed: Some(7),
            ..Params::default()
        };
        state.tick_pane(0, false);
        state.place().panes.in_turn = true;
        state.place().chat.draft = "half a question".to_owned();
        let workspace = saved(&mut state).expect("it is kept");
        assert_eq!(saved(&mut state), None, "nothing has changed since");
        let mut again = State::restored(Settings::default(), workspace);
        assert_eq!(again.pane_head(0), state.pane_head(0));
        assert_eq!(again.pane_head(1), state.pane_head(1));
        assert_eq!((again.panes(), again.place().panes.in_turn), (2, true));
        assert_eq!(again.place().chat.draft, "half a question");
        let chat = again.pane_chat(1);
        assert_eq!((chat.system.as_str(), chat.params.seed), ("mine", Some(7)));
        assert_eq!(saved(&mut again), None);
        again.add_pane();
        assert_eq!(again.pane_head(2).id, 2, "no id twice");
    }

    #[test]
    fn while_a_message_is_changed_the_draft_before_it_is_kept() {
        let mut state = State::new(Settings::default());
        state.place().cluster.pick_model("a");
        state.place().chat.draft = "said".to_owned();
        let mut out = Vec::new();
        assert!(state.send_draft(Default::default(), &mut out));
        let job = state.answering()[0];
        let ending = crate::protocol::ChatEnding::Stopped;
        state.apply(
            crate::protocol::Event::ChatEnded {
                job,
                ending,
                figures: Box::default(),
                answered_by: None,
            },
            Default::default(),
        );
        state.place().chat.draft = "mine".to_owned();
        state.act_in_pane(
            0,
            crate::state::chat::Act::Edit(0),
            Default::default(),
            &mut out,
        );
        assert_eq!(
            saved(&mut state).expect("it is kept").playgrounds[&EnvId::demo()].draft,
            "mine"
        );
    }

    #[test]
    fn panes_of_an_environment_that_is_gone_are_left_out() {
        let mut state = State::new(Settings::default());
        let other = Environment::blank(EnvId("e1".to_owned()), "other");
        state.save_environment(other.clone(), None, &mut Vec::new());
        state.switch(&EnvId::demo(), &mut Vec::new());
        state.add_pane();
        state.pick_pane_env(1, &other.id, &mut Vec::new());
        let workspace = saved(&mut state).expect("it is kept");
        let mut settings = state.settings.clone();
        let panes =
            |settings: &Settings| State::restored(settings.clone(), workspace.clone()).panes();
        assert_eq!(panes(&settings), 2);
        settings.environments.retain(|env| env.demo);
        assert_eq!(panes(&settings), 1);
    }
}
