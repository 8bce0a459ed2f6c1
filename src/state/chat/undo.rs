//! Clearing a conversation, or opening another one in its place, can be undone until something is said.

use super::{Before, ChatState, Opened, Whereabouts};
use crate::domain::history::SessionId;

impl ChatState {
    /// Empties the conversation; [`Self::undo_clear`] brings it back.
    pub fn clear(&mut self) {
        if self.running().is_none() && !self.conversation.turns.is_empty() {
            self.stop_editing();
            self.before = Some(Before {
                conversation: std::mem::take(&mut self.conversation),
                opened: None,
            });
        }
    }

    /// Whether there is a cleared conversation, and none has been begun since.
    pub fn can_undo_clear(&self) -> bool {
        self.conversation.turns.is_empty()
            && self
                .before
                .as_ref()
                .is_some_and(|before| before.opened.is_none())
    }

    /// Brings back what was cleared.
    pub fn undo_clear(&mut self) {
        if self.can_undo_clear()
            && let Some(before) = self.before.take()
        {
            self.conversation = before.conversation;
        }
    }

    /// Whether this conversation was cleared, and can be brought back.
    pub fn cleared_was(&self, conversation: &SessionId) -> bool {
        let before = self.before.as_ref().filter(|_| self.can_undo_clear());
        before.is_some_and(|before| before.conversation.id.as_ref() == Some(conversation))
    }

    /// This conversation is deleted: what was here before is brought back no longer, if it was that.
    pub(in crate::state) fn forget(&mut self, conversation: &SessionId) {
        self.before
            .take_if(|before| before.conversation.id.as_ref() == Some(conversation));
    }

    /// The conversation that is shown, once something was said in it.
    pub fn conversation(&self) -> Option<&SessionId> {
        self.conversation.id.as_ref()
    }

    /// The conversation with its name in the history, and which of its panes this is.
    pub(in crate::state) fn shown(&self) -> Option<(SessionId, Option<u64>)> {
        let id = self.conversation.id.clone()?;
        Some((id, self.conversation.pane))
    }

    /// What the conversation is called that was opened here, until something is said in it.
    pub fn opened(&self) -> Option<&str> {
        Some(&self.before.as_ref()?.opened.as_ref()?.title)
    }

    /// Brings back what was here before another conversation was opened; gives whom it asked.
    pub(in crate::state) fn undo_open(&mut self) -> Option<Whereabouts> {
        self.opened()?;
        self.stop_editing();
        let Before {
            conversation,
            opened,
        } = self.before.take()?;
        let Opened {
            system,
            params,
            asked,
            ..
        } = opened?;
        (self.conversation, self.system, self.params) = (conversation, system, params);
        Some(asked)
    }
}
