//! What is remembered over a restart: the page, the Playground's panes, whom they ask and with what, the draft, and which
//! conversation each shows. Nothing that was said: that is the history's.

use super::State;
use super::cluster::Choice;
use super::jobs::Outbox;
use super::panes::{MAX_PANES, Playground};
use super::per_environment::OfEnvironment as _;
use crate::domain::environment::EnvId;
use crate::domain::library::LibraryChange;
use crate::domain::settings::Settings;
use crate::domain::workspace::{Page, PaneForm, PlaygroundForm, WindowLayout, WorkspaceChange};
use crate::protocol::Command;

impl Playground {
    fn form(&self) -> PlaygroundForm {
        let first = self.panes.all().first();
        let panes = self.panes.all().iter().map(|pane| {
            let is_first = first.is_some_and(|first| first.id == pane.id);
            let choice = Some(&pane.choice).filter(|_| pane.settled);
            let shown = pane.chat.shown().or_else(|| pane.reopen.clone());
            let (conversation, conversation_pane) = shown.unzip();
            PaneForm {
                env: (!is_first).then(|| pane.env.clone()),
                deployment: choice.and_then(|choice| choice.deployment.clone()),
                model: choice.and_then(|choice| choice.model.clone()),
                linked: pane.linked,
                ticked: pane.ticked,
                conversation,
                conversation_pane: conversation_pane.flatten(),
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
        let mut playground = Self::new(env.clone());
        let panes = &mut playground.panes;
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
            let conversation = form.conversation.clone();
            pane.reopen = conversation.map(|id| (id, form.conversation_pane));
            pane.chat.system.clone_from(&form.system);
            pane.chat.params = form.params.clone();
        }
        panes.activate(0);
        playground
    }
}

fn choice_of(form: &PaneForm) -> Choice {
    Choice {
        deployment: form.deployment.clone(),
        model: form.model.clone(),
    }
}

/// What is kept is the workspace, which has something of most features.
impl State {
    /// Keeps what has changed of the panes and the drafts.
    pub fn remember_panes(&mut self, out: &mut Vec<Command>) {
        if std::mem::take(&mut self.workspace_lost) {
            self.keep_again(out);
        }
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        self.attach.remember(&self.playgrounds, outbox);
        let nothing = Playground::new(EnvId::demo()).form();
        let kept = &mut self.workspace.playgrounds;
        for playground in self.playgrounds.iter() {
            let id = &playground.env;
            let form = Some(playground.form()).filter(|form| *form != nothing);
            if kept.get(id) == form.as_ref() {
                continue;
            }
            match &form {
                Some(form) => drop(kept.insert(id.clone(), form.clone())),
                None => drop(kept.remove(id)),
            }
            let env = id.clone();
            outbox.keep(WorkspaceChange::Playground { env, form });
        }
    }

    /// The welcome page has done its work: the user chose the demo.
    pub fn end_welcome(&mut self) {
        self.welcomed = true;
        if self.page == Page::Welcome {
            self.page = self.workspace.layout.page;
        }
    }

    /// Keeps which page is shown, and whether the welcome page has done its work.
    pub fn remember_window(&mut self, out: &mut Vec<Command>) {
        let kept = self.workspace.layout;
        let has_own = self
            .environments
            .settings
            .environments
            .iter()
            .any(|env| !env.demo);
        let layout = WindowLayout {
            page: if self.page == Page::Welcome {
                kept.page
            } else {
                self.page
            },
            welcomed: self.welcomed || has_own,
            ..kept
        };
        if layout != kept {
            self.workspace.layout = layout;
            let change = WorkspaceChange::Layout(layout);
            out.push(Command::Keep { change });
        }
    }

    /// Keeps all that this window has and the database has lost.
    fn keep_again(&mut self, out: &mut Vec<Command>) {
        let change = WorkspaceChange::Restore(Box::new(self.workspace.clone()));
        out.push(Command::Keep { change });
        if let Some(library) = self.prompts.library.clone() {
            let change = LibraryChange::Add(library.prompts);
            out.push(Command::ChangePrompts { change });
        }
        self.attach.keep_again();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::conversation::Params;
    use crate::domain::environment::Environment;
    use crate::domain::library::Prompt;
    use crate::domain::workspace::Workspace;
    use crate::protocol::Event;
    use crate::state::panes::PaneAction;

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
    fn what_a_damaged_database_has_lost_is_kept_again() {
        let mut state = State::new(Settings::default());
        state.panes_mut().chat_mut(0).draft = "half".to_owned();
        let workspace = saved(&mut state).expect("it is kept");
        let prompts = vec![Prompt::new("a", "b")];
        state
            .prompts
            .library
            .get_or_insert_default()
            .change(LibraryChange::Add(prompts.clone()));
        state.apply(Event::WorkspaceLost, Default::default());
        let mut out = Vec::new();
        state.remember_panes(&mut out);
        let [
            Command::Keep {
                change: WorkspaceChange::Restore(restored),
            },
            Command::ChangePrompts {
                change: LibraryChange::Add(added),
            },
        ] = out.as_slice()
        else {
            panic!("{out:?}")
        };
        assert_eq!((&**restored, added), (&workspace, &prompts));
        assert_eq!(saved(&mut state), None, "once");
    }

    #[test]
    fn panes_and_drafts_come_back_and_are_kept_once() {
        let mut state = State::new(Settings::default());
        assert_eq!(saved(&mut state), None, "there is nothing to keep");
        state.panes_mut().get_mut(0).pick_model("a");
        state.add_pane(false);
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
        let workspace = saved(&mut state).expect("it is kept");
        assert_eq!(saved(&mut state), None, "nothing has changed since");
        let mut again = State::restored(Settings::default(), workspace);
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
        again.add_pane(false);
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
        let edit = PaneAction::Do(0, crate::state::chat::Act::Edit(0));
        state.act_on_panes(edit, Default::default(), &mut out);
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
        state.add_pane(false);
        let pick = PaneAction::PickEnv(1, other.id.clone());
        state.act_on_panes(pick, Default::default(), &mut Vec::new());
        let workspace = saved(&mut state).expect("it is kept");
        let mut settings = state.environments.settings.clone();
        let panes = |settings: &Settings| {
            let state = State::restored(settings.clone(), workspace.clone());
            state.panes().count()
        };
        assert_eq!(panes(&settings), 2);
        settings.environments.retain(|env| env.demo);
        assert_eq!(panes(&settings), 1);
    }
}
