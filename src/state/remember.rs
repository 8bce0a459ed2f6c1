//! What the Playground remembers over a restart: its panes, whom they ask and with what, and the draft. Nothing that
//! was said: that is the history's.

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use super::cluster::Choice;
use super::connection::ConnectionState;
use super::panes::MAX_PANES;
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::settings::{PaneForm, PlaygroundForm, Settings};
use crate::protocol::Command;

/// What is kept without being asked for, and whether that works.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// Of these environments it could not be kept: it is tried again.
    again: BTreeSet<EnvId>,
    /// That was told.
    told: bool,
}

impl Keeping {
    /// It was tried. Gives what is to be told: a failure once, until it works again.
    pub(super) fn ended(
        &mut self,
        envs: Vec<EnvId>,
        outcome: Result<(), Failure>,
    ) -> Option<Failure> {
        match outcome {
            Ok(()) => {
                self.told = false;
                None
            }
            Err(failure) => {
                self.again.extend(envs);
                (!std::mem::replace(&mut self.told, true)).then_some(failure)
            }
        }
    }

    /// Whether it is to be tried again; it is, then.
    pub(super) fn take(&mut self, env: &EnvId) -> bool {
        self.again.remove(env)
    }

    /// Nobody wants it any more.
    pub(super) fn forget(&mut self, env: &EnvId) {
        self.again.remove(env);
    }
}

impl ConnectionState {
    fn form(&self) -> PlaygroundForm {
        let first = self.panes.all().first();
        let panes = self.panes.all().iter().map(|pane| {
            let is_first = first.is_some_and(|first| first.id == pane.id);
            let choice = Some(&pane.choice).filter(|_| pane.settled);
            PaneForm {
                env: (!is_first).then(|| pane.env.clone()),
                deployment: choice.and_then(|choice| choice.deployment.clone()),
                model: choice.and_then(|choice| choice.model.clone()),
                linked: pane.linked,
                ticked: pane.ticked,
                system: pane.chat.system.clone(),
                params: pane.chat.params.clone(),
            }
        });
        PlaygroundForm {
            draft: self.panes.chat(0).kept_draft().to_owned(),
            in_turn: self.panes.in_turn,
            embeds: self.panes.embeds.clone(),
            panes: panes.collect(),
        }
    }

    /// As it was left. Panes of environments that are gone are left out.
    pub(super) fn restored(env: &EnvId, form: &PlaygroundForm, settings: &Settings) -> Self {
        let mut connection = Self::new(env.clone());
        let panes = &mut connection.panes;
        panes.chat_mut(0).draft.clone_from(&form.draft);
        panes.in_turn = form.in_turn;
        panes.embeds.clone_from(&form.embeds);
        for (index, form) in form.panes.iter().take(MAX_PANES).enumerate() {
            let env = form.env.as_ref().filter(|env| settings.get(env).is_some());
            let pane = match (index, env) {
                (0, _) => {
                    let first = panes.get_mut(0);
                    (first.choice, first.settled) = (choice_of(form), form.model.is_some());
                    first
                }
                (_, Some(env)) => {
                    let pane = panes.add(env.clone(), choice_of(form));
                    pane.linked = form.linked;
                    pane
                }
                (_, None) => continue,
            };
            pane.ticked = form.ticked;
            pane.chat.system.clone_from(&form.system);
            pane.chat.params = form.params.clone();
        }
        panes.activate(0);
        connection
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
        let nothing = ConnectionState::new(EnvId::demo()).form();
        let kept = &mut self.settings.playgrounds;
        let mut changed = BTreeMap::new();
        for connection in self.connections.iter() {
            let id = &connection.env;
            let form = Some(connection.form()).filter(|form| *form != nothing);
            let again = self.keeping_forms.take(id);
            if again || kept.get(id) != form.as_ref() {
                match &form {
                    Some(form) => drop(kept.insert(id.clone(), form.clone())),
                    None => drop(kept.remove(id)),
                }
                changed.insert(id.clone(), form);
            }
        }
        // Nothing else of the settings goes along: another window may have changed it.
        if !changed.is_empty() {
            out.push(Command::KeepPlaygrounds { changed });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::conversation::Params;
    use crate::domain::environment::Environment;
    use crate::protocol::{Event, Playgrounds};

    fn kept(state: &mut State) -> Option<Playgrounds> {
        let mut out = Vec::new();
        state.remember_panes(&mut out);
        match out.as_slice() {
            [] => None,
            [Command::KeepPlaygrounds { changed }] => Some(changed.clone()),
            _ => panic!("{out:?}"),
        }
    }

    /// The settings that the next start reads, when there is something new to keep.
    fn saved(state: &mut State) -> Option<Settings> {
        kept(state)?;
        Some(state.settings.clone())
    }

    #[test]
    fn what_could_not_be_kept_is_told_once_and_tried_again() {
        let mut state = State::new(Settings::default());
        let failed = |state: &mut State| {
            let envs: Vec<EnvId> = kept(state).expect("it is tried").into_keys().collect();
            let outcome = Err(Failure::new("The settings could not be saved", ""));
            state.apply(Event::PlaygroundsKept { envs, outcome }, Default::default());
            state.notices.take().len()
        };
        state.panes_mut().chat_mut(0).draft = "one".to_owned();
        assert_eq!(failed(&mut state), 1);
        assert_eq!(
            failed(&mut state),
            0,
            "it was told, and is tried although nothing has changed"
        );
        state.panes_mut().chat_mut(0).draft = "two".to_owned();
        assert_eq!(failed(&mut state), 0);
        let changed = kept(&mut state).expect("it is tried");
        assert_eq!(
            changed[&EnvId::demo()]
                .as_ref()
                .map(|form| form.draft.as_str()),
            Some("two")
        );
        let envs = changed.into_keys().collect();
        state.apply(
            Event::PlaygroundsKept {
                envs,
                outcome: Ok(()),
            },
            Default::default(),
        );
        assert_eq!(kept(&mut state), None, "it is kept now");
        state.panes_mut().chat_mut(0).draft = "three".to_owned();
        assert_eq!(failed(&mut state), 1, "what fails anew is told anew");
        assert_eq!(
            state.last_save, None,
            "nobody who waits for a save of their own hears of it"
        );
    }

    #[test]
    fn panes_and_drafts_come_back_and_are_kept_once() {
        let mut state = State::new(Settings::default());
        assert_eq!(saved(&mut state), None, "there is nothing to keep");
        state.panes_mut().get_mut(0).pick_model("a");
        state.add_pane();
        state.panes_mut().get_mut(1).pick_model("b");
        state.panes_mut().link(1, false);
        state.panes_mut().chat_mut(1).system = "mine".to_owned();
        state.panes_mut().chat_mut(1).params = Params {
            seed: Some(7),
            ..Params::default()
        };
        state.panes_mut().get_mut(0).ticked = false;
        state.panes_mut().in_turn = true;
        state.panes_mut().chat_mut(0).draft = "half a question".to_owned();
        let settings = saved(&mut state).expect("it is kept");
        assert_eq!(saved(&mut state), None, "nothing has changed since");
        let mut again = State::new(settings);
        let told = |state: &State| {
            let panes = state.panes().all().iter();
            let told = panes.map(|pane| {
                let choice = pane.choice.clone();
                (pane.id, pane.env.clone(), choice, pane.linked, pane.ticked)
            });
            told.collect::<Vec<_>>()
        };
        assert_eq!(told(&again), told(&state));
        assert_eq!((again.panes().count(), again.panes().in_turn), (2, true));
        assert_eq!(again.panes().chat(0).draft, "half a question");
        let chat = again.panes().chat(1);
        assert_eq!((chat.system.as_str(), chat.params.seed), ("mine", Some(7)));
        assert_eq!(saved(&mut again), None);
        again.add_pane();
        assert_eq!(again.panes().get(2).id, 2, "no id twice");
    }

    #[test]
    fn while_a_message_is_changed_the_draft_before_it_is_kept() {
        let mut state = State::new(Settings::default());
        state.panes_mut().get_mut(0).pick_model("a");
        state.panes_mut().chat_mut(0).draft = "said".to_owned();
        let mut out = Vec::new();
        assert!(state.send_draft(Default::default(), &mut out));
        let job = state.panes().answering()[0];
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
        state.panes_mut().chat_mut(0).draft = "mine".to_owned();
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
        let mut settings = saved(&mut state).expect("it is kept");
        assert_eq!(State::new(settings.clone()).panes().count(), 2);
        settings.environments.retain(|env| env.demo);
        assert_eq!(State::new(settings).panes().count(), 1);
    }
}
