//! After a restart each pane shows the conversation again that it showed before.

use std::sync::Arc;

use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::history::{Exchange, SessionBody, SessionId, StoredSession};
use crate::protocol::{Command, HistoryQuestion, JobId};
use crate::state::State;
use crate::state::history::conversations::of_pane;

/// A conversation that is being read for a pane.
#[derive(Debug)]
pub(in crate::state) struct Reopening {
    job: JobId,
    env: EnvId,
    pane: u64,
    /// Which of the conversation's panes it is.
    of: Option<u64>,
}

impl State {
    /// Asks for the conversations that the panes of the environment in use showed before the restart.
    pub(in crate::state) fn reopen_conversations(&mut self, out: &mut Vec<Command>) {
        let env = self.env().id.clone();
        let asked = |pane| {
            self.reopening
                .iter()
                .any(|it| it.env == env && it.pane == pane)
        };
        let panes = self.panes().all().iter();
        let wanted: Vec<(u64, (SessionId, Option<u64>))> = panes
            .filter(|pane| !asked(pane.id))
            .filter_map(|pane| Some((pane.id, pane.reopen.clone()?)))
            .collect();
        for (pane, (id, of)) in wanted {
            let job = self.ask_history(HistoryQuestion::Session { id }, out);
            let env = env.clone();
            self.reopening.push(Reopening { job, env, pane, of });
        }
    }

    /// Shows a conversation that was asked for, if it is still there and nothing was said in its pane meanwhile.
    pub(in crate::state) fn reopened(
        &mut self,
        job: JobId,
        outcome: &Result<Arc<StoredSession>, Failure>,
    ) {
        let Some(at) = self.reopening.iter().position(|it| it.job == job) else {
            return;
        };
        let Reopening { env, pane, of, .. } = self.reopening.swap_remove(at);
        let panes = self.connections.get_mut(&env).map(|it| &mut it.panes);
        let pane = panes.and_then(|panes| panes.iter_mut().find(|it| it.id == pane));
        let Some(pane) = pane else { return };
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
