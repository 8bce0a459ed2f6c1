//! Whose turn it is: where a credential plugin may ask somebody to log in, one kubectl goes first, and the others wait for
//! what becomes of it. Side by side each would ask for a login of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::KubectlError;
use crate::wire::kubectl::KubectlFault;

/// After an answer the plugin has its credentials, and so do the others for a while.
const FRESH: Duration = Duration::from_secs(30);

/// Shared by all kubectls of one environment.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    first: Arc<tokio::sync::Mutex<()>>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    answered: Option<Instant>,
    /// How many who went first have failed.
    failures: u64,
    last: Option<KubectlError>,
}

/// The one who goes first. Dropping it lets the next one go.
#[derive(Debug)]
pub(super) struct Turn {
    _first: OwnedMutexGuard<()>,
}

impl Turns {
    /// Waits until nobody goes first any more; `None` when there is no need to go first. Whoever has waited for one who
    /// failed fails like it.
    pub(super) async fn take(&self) -> Result<Option<Turn>, KubectlError> {
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
            _ => Ok(Some(Turn { _first: first })),
        }
    }

    /// Whether a question was answered a moment ago.
    pub(super) fn is_fresh(&self) -> bool {
        self.state().is_fresh()
    }

    /// A question has ended; `turn` where it went first.
    pub(super) fn ended<T>(&self, turn: Option<Turn>, outcome: &Result<T, KubectlError>) {
        let mut state = self.state();
        match outcome {
            Err(error) if error.fault == KubectlFault::Expired || !tells_of_all(error.fault) => {
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

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_fresh(&self) -> bool {
        self.answered.is_some_and(|at| at.elapsed() < FRESH)
    }
}

/// Whether the others would meet it too: anything but an answer of the server about one kind.
fn tells_of_all(fault: KubectlFault) -> bool {
    fault.is_of_the_connection()
        || matches!(
            fault,
            KubectlFault::Timeout | KubectlFault::Deadline | KubectlFault::Disconnected
        )
}
