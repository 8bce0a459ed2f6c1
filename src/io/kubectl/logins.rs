//! Serializes logins: if a credential plugin may ask for a login, one kubectl goes first and the others wait for its
//! outcome. In parallel, each of them would ask for a login.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::KubectlError;
use crate::wire::kubectl::KubectlFault;

/// After a success, the plugin has credentials for a while.
const FRESH: Duration = Duration::from_secs(30);

/// Shared by all kubectls of one environment.
#[derive(Debug, Clone, Default)]
pub struct LoginQueue {
    first: Arc<tokio::sync::Mutex<()>>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    answered: Option<Instant>,
    /// How many kubectls that went first have failed.
    failures: u64,
    last: Option<KubectlError>,
}

/// The right to go first. Dropping it passes it on.
#[derive(Debug)]
pub(super) struct LoginTurn {
    _first: OwnedMutexGuard<()>,
}

impl LoginQueue {
    /// Waits until no other kubectl goes first; `None` if there is no need to go first.
    ///
    /// # Errors
    /// The failure of the kubectl that it waited for.
    pub(super) async fn take(&self) -> Result<Option<LoginTurn>, KubectlError> {
        let before = {
            let state = self.state();
            if state.is_fresh() {
                return Ok(None);
            }
            state.failures
        };
        let first = Arc::clone(&self.first).lock_owned().await;
        let state = self.state();
        if state.is_fresh() {
            return Ok(None);
        }
        match &state.last {
            Some(error) if state.failures != before => Err(error.clone()),
            _ => Ok(Some(LoginTurn { _first: first })),
        }
    }

    /// Whether a command succeeded recently.
    pub(super) fn is_fresh(&self) -> bool {
        self.state().is_fresh()
    }

    /// Reports the outcome of a command; `turn` if it went first. `local`: the command may have started no plugin, so
    /// that its success says nothing about the credentials.
    pub(super) fn ended<T>(
        &self,
        turn: Option<LoginTurn>,
        outcome: &Result<T, KubectlError>,
        local: bool,
    ) {
        let fails_all = outcome
            .as_ref()
            .is_err_and(|error| affects_all(error.fault));
        if local && !fails_all {
            return;
        }
        let mut state = self.state();
        match outcome {
            Err(error) if error.fault == KubectlFault::Expired || !affects_all(error.fault) => {
                state.answered = Some(Instant::now());
            }
            Ok(_) => state.answered = Some(Instant::now()),
            Err(error) => {
                state.answered = None;
                if turn.is_some() {
                    state.failures += 1;
                    state.last = Some(error.clone());
                }
            }
        }
        drop(state);
        drop(turn);
    }

    fn state(&self) -> parking_lot::MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn is_fresh(&self) -> bool {
        self.answered.is_some_and(|at| at.elapsed() < FRESH)
    }
}

/// Whether the failure would affect all commands, not only this one.
fn affects_all(fault: KubectlFault) -> bool {
    fault.is_of_the_connection()
        || matches!(
            fault,
            KubectlFault::Timeout | KubectlFault::Deadline | KubectlFault::Disconnected
        )
}
