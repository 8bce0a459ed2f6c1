//! After a restart each pane shows the conversation again that it showed before.

use std::sync::Arc;

use super::Conversations;
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::history::{Exchange, SessionBody, StoredSession};
use crate::protocol::{HistoryQuestion, JobId, Question};
use crate::state::jobs::Outbox;
use crate::state::panes::comparison::of_pane;
use crate::state::panes::{Panes, Playgrounds};

/// A conversation that is being read for a pane.
#[derive(Debug)]
pub(super) struct Reopening {
    job: JobId,
    env: EnvId,
    pane: u64,
    /// Which of the conversation's panes it is.
    of: Option<u64>,
}

impl Conversations {
    /// Asks for the conversations that the panes of an environment showed before the restart.
    pub(in crate::state) fn reopen(&mut self, env: &EnvId, panes: &Panes, outbox: &mut Outbox<'_>) {
        for pane in panes.all() {
            let mut asked = self.reopening.iter();
            if asked.any(|it| it.env == *env && it.pane == pane.id) {
                continue;
            }
            if let Some((id, of)) = pane.reopen.clone() {
                let question = HistoryQuestion::Session { id };
                let job = outbox.ask(Question::History(question));
                let (env, pane) = (env.clone(), pane.id);
                self.reopening.push(Reopening { job, env, pane, of });
            }
        }
    }

    /// Shows a conversation that was asked for, if it is still there and nothing was said in its pane meanwhile.
    pub(super) fn reopened(
        &mut self,
        job: JobId,
        outcome: &Result<Arc<StoredSession>, Failure>,
        playgrounds: &mut Playgrounds,
    ) {
        let Some(at) = self.reopening.iter().position(|it| it.job == job) else {
            return;
        };
        let Reopening { env, pane, of, .. } = self.reopening.swap_remove(at);
        let Some(pane) = playgrounds.pane_mut(&env, pane) else {
            return;
        };
        pane.reopen = None;
        // One that was deleted meanwhile is not missed, and a history that cannot be read says so itself.
        let Ok(stored) = outcome else { return };
        if let SessionBody::Chat { exchanges, .. } = &stored.body
            && pane.chat.turns().is_empty()
            && exchanges.iter().any(Exchange::has_texts)
        {
            let exchanges = of_pane(exchanges, of);
            pane.chat.resume(stored.row.id.clone(), &exchanges);
        }
    }
}
