//! What ends a command early: Ctrl-C, SIGTERM and SIGHUP.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Ended;
use crate::io::signals;

/// A second Ctrl-C so soon is no second wish: `timeout -s INT` signals the program and its process group.
const AGAIN: Duration = Duration::from_secs(1);
/// Who sends SIGTERM will send SIGKILL; until then it is better to end with what there is.
const TO_SETTLE: Duration = Duration::from_secs(8);

/// Ctrl-C, SIGTERM and SIGHUP end what is under way, which settles what it has; a further one ends the program.
pub(super) fn cancel_on_signal() -> CancellationToken {
    let cancel = CancellationToken::new();
    // Where the system does not let Batida listen, signals do what they do to any program.
    let Ok(mut signals) = signals::Signals::new() else {
        return cancel;
    };
    let token = cancel.clone();
    tokio::spawn(async move {
        let number = signals.next().await;
        let began = Instant::now();
        token.cancel();
        let settled = async {
            if number == signals::INTERRUPT {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(TO_SETTLE).await;
        };
        let again = async {
            loop {
                let number = signals.next().await;
                if began.elapsed() >= AGAIN {
                    return number;
                }
            }
        };
        let number = tokio::select! {
            number = again => number,
            () = settled => number,
        };
        std::process::exit(128 + number);
    });
    cancel
}

pub(super) async fn or_interrupted(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<(), Ended>>,
) -> Result<(), Ended> {
    tokio::select! {
        () = cancel.cancelled() => Err(Ended::Told),
        ended = work => ended,
    }
}
