//! Short ways for the tests of this folder.

use std::time::Duration;

use super::State;
use super::chat::Act;
use super::connection::ConnectionState;
use super::panes::PaneAction;
use crate::protocol::Command;

impl State {
    /// What is known of the environment in use.
    pub(super) fn connection_mut(&mut self) -> &mut ConnectionState {
        self.environments.connection_mut()
    }

    /// Adds a pane; nothing is sent for that.
    pub(super) fn add_pane(&mut self, copy: bool) {
        let mut out = Vec::new();
        self.act_on_panes(PaneAction::Add { copy }, Duration::ZERO, &mut out);
        assert!(out.is_empty(), "{out:?}");
    }

    /// Whether the draft was sent.
    pub(super) fn send_draft(&mut self, now: Duration, out: &mut Vec<Command>) -> bool {
        let before = out.len();
        self.act_on_panes(PaneAction::Send, now, out);
        out.len() > before
    }

    /// Whether something was asked.
    pub(super) fn act_in_pane(
        &mut self,
        index: usize,
        act: Act,
        now: Duration,
        out: &mut Vec<Command>,
    ) -> bool {
        let before = out.len();
        self.act_on_panes(PaneAction::Do(index, act), now, out);
        out.len() > before
    }
}
