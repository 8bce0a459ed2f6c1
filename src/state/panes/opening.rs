//! Conversations out of the history are shown in panes, and the way back.

use super::{Panes, Playgrounds, comparison};
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::history::{Exchange, SessionBody, SessionId, SessionRow, StoredSession};
use crate::domain::settings::Settings;
use crate::state::chat::Whereabouts;
use crate::state::cluster::Choice;
use crate::state::environments::Environments;
use crate::state::jobs::Outbox;

impl Playgrounds {
    /// Why a conversation out of the history cannot be continued now.
    pub fn why_not_continue(&self, stored: &StoredSession, settings: &Settings) -> Option<Failure> {
        let SessionBody::Chat { exchanges, .. } = &stored.body else {
            return None;
        };
        let name = &stored.row.environment;
        let Some(env) = settings.by_name(name).map(|env| &env.id) else {
            return Some(Failure::new(
                format!("The environment {name} of this conversation is gone"),
                "Add an environment of that name in Environments to continue it",
            ));
        };
        if !exchanges.iter().any(Exchange::has_texts) {
            return Some(Failure::new(
                "The texts of this conversation were not kept: it has only figures",
                "The History page shows them. Change what is kept under Data retention there",
            ));
        }
        let several = comparison::is_one(exchanges);
        let panes = if self.continues_in(several, env, &settings.selected) {
            self.panes_of(env)?
        } else {
            self.panes()
        };
        let is_busy = panes.showing(&stored.row.id).is_none()
            && if several {
                !panes.is_idle()
            } else {
                panes.active_pane().chat.running().is_some()
            };
        is_busy.then(|| {
            Failure::new(
                "An answer is under way on the Playground",
                "Stop it or wait for it, then continue this conversation",
            )
        })
    }

    /// Whether a conversation is continued in the environment where it was held, and not in a pane of the one in use:
    /// a comparison is, and what the first pane shows.
    pub(in crate::state) fn continues_in(&self, several: bool, env: &EnvId, used: &EnvId) -> bool {
        used != env && (several || self.panes().active() == 0)
    }
}

impl Panes {
    /// Shows these exchanges of a conversation in the active pane; a comparison in as many panes as it was held in.
    /// What was there is brought back by [`Self::undo_open`]. `env`: where it was held. Gives the models that are asked
    /// from now on.
    pub(in crate::state) fn show_conversation(
        &mut self,
        row: &SessionRow,
        exchanges: &[Exchange],
        env: &EnvId,
        environments: &mut Environments,
        outbox: &mut Outbox<'_>,
    ) -> Vec<String> {
        // The conversation tells which model is which.
        self.end_blind();
        if comparison::is_one(exchanges) {
            return self.show_comparison(row, exchanges, env, environments, outbox);
        }
        let index = self.active();
        let asked = self.take_up(index, row, exchanges, (env, environments), outbox);
        asked.into_iter().collect()
    }

    /// Opens a comparison in the first panes; what is missing is added. Others stay as they are, and are not sent to.
    fn show_comparison(
        &mut self,
        row: &SessionRow,
        exchanges: &[Exchange],
        env: &EnvId,
        environments: &mut Environments,
        outbox: &mut Outbox<'_>,
    ) -> Vec<String> {
        let parts = comparison::by_pane(exchanges);
        while self.count() < parts.len() {
            self.add_on_free_model(false, environments);
        }
        for (index, pane) in self.iter_mut().enumerate() {
            pane.ticked = index < parts.len();
        }
        let mut asked = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let named = part.last().and_then(|last| last.environment.as_deref());
            let there = named.and_then(|name| environments.settings.by_name(name));
            let env = there.map_or_else(|| env.clone(), |env| env.id.clone());
            asked.extend(self.take_up(index, row, part, (&env, environments), outbox));
        }
        self.activate(0);
        asked
    }

    /// Shows these exchanges of a conversation in a pane, and asks there whom the last of them asked: gives that model.
    fn take_up(
        &mut self,
        index: usize,
        row: &SessionRow,
        exchanges: &[Exchange],
        (env, environments): (&EnvId, &mut Environments),
        outbox: &mut Outbox<'_>,
    ) -> Option<String> {
        let last = exchanges.last()?;
        let pane = self.get(index);
        let before = Whereabouts {
            env: pane.env.clone(),
            choice: pane.choice.clone(),
            linked: pane.linked,
        };
        self.pick_env(index, env, environments, outbox);
        let chat = self.chat_mut(index);
        chat.take_up(&row.title, row.id.clone(), exchanges, before);
        let keeps_link = self.chat(index).has_settings_of(self.chat(0));
        let pane = self.get_mut(index);
        pane.choice = Choice {
            deployment: last.deployment.clone(),
            model: Some(last.model.clone()),
        };
        pane.settled = true;
        pane.linked &= keeps_link;
        Some(last.model.clone())
    }

    /// Brings back what was shown before another conversation was opened: in all panes that show it. Gives the
    /// conversations that are shown again.
    pub(super) fn undo_open(
        &mut self,
        index: usize,
        environments: &mut Environments,
        outbox: &mut Outbox<'_>,
    ) -> Vec<SessionId> {
        let opened = self.chat(index).conversation().cloned();
        let mut back = Vec::new();
        for index in 0..self.count() {
            let chat = self.chat(index);
            if chat.opened().is_some() && chat.conversation() == opened.as_ref() {
                back.extend(self.undo_open_in(index, environments, outbox));
            }
        }
        back
    }

    fn undo_open_in(
        &mut self,
        index: usize,
        environments: &mut Environments,
        outbox: &mut Outbox<'_>,
    ) -> Option<SessionId> {
        let before = self.chat_mut(index).undo_open()?;
        if environments.settings.get(&before.env).is_some() {
            self.pick_env(index, &before.env, environments, outbox);
        }
        let pane = self.get_mut(index);
        pane.linked = before.linked;
        if pane.env == before.env {
            pane.choice = before.choice;
        }
        pane.chat.conversation().cloned()
    }
}
