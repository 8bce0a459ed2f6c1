//! A worker process: it takes the orders of a coordinator elsewhere and sends its share of each level, with the same
//! threads that a session of this computer has ([`LocalCrew`]).
//!
//! What it tells is written by a thread of its own ([`AnswerWriter`]): measuring never waits for whoever reads.

mod level;
mod outgoing;
mod session;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::session::ServedSession;
use super::crew::cores;
use crate::domain::failure::Failure;
use crate::domain::units;
use crate::io::machine;
use crate::io::worker_key::WorkerKey;
use crate::io::worker_pipes::AnswerWriter;
use crate::wire::worker::{PROTOCOL, WorkerAnswer, WorkerHello, WorkerOrder, WorkerSession};

/// A coordinator that says nothing for so long is gone, although its pipe is open: it writes a line every five seconds.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// A worker that is given no session ends after so long: others of its kind may take long to start.
const UNUSED: Duration = Duration::from_secs(900);
/// How often it looks at what its threads did.
const TICK: Duration = Duration::from_millis(33);
/// A connection is kept open by a line so often, and a worker that is silent for longer is taken for lost.
const IDLE: Duration = Duration::from_secs(2);

/// What a worker says of itself as it starts.
fn hello() -> WorkerHello {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    WorkerHello {
        protocol: PROTOCOL.to_owned(),
        batida: env!("CARGO_PKG_VERSION").to_owned(),
        host: variable("BATIDA_POD").or_else(machine::name),
        node: variable("BATIDA_NODE"),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        cores: cores(),
    }
}

/// Serves a coordinator until it says so, closes the channel of `orders`, is silent for `patience`, or
/// `cancel` is cancelled; then every connection is closed and
/// what was measured is told.
///
/// # Errors
/// When a session cannot begin; the coordinator was told.
pub async fn serve(
    mut orders: mpsc::UnboundedReceiver<WorkerOrder>,
    mut out: AnswerWriter,
    key: WorkerKey,
    patience: Duration,
    cancel: CancellationToken,
) -> Result<(), Failure> {
    out.tell(&WorkerAnswer::Hello(hello()));
    let mut session: Option<ServedSession> = None;
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut idle = tokio::time::Instant::now();
    let mut heard = tokio::time::Instant::now();
    let why = loop {
        let order = tokio::select! {
            biased;
            () = cancel.cancelled() => break Some("it was told to end".to_owned()),
            order = orders.recv() => match order {
                Some(order) => order,
                // Whoever ordered is gone.
                None => break Some("its input was closed".to_owned()),
            },
            _ = tick.tick() => {
                let most = if session.is_some() {
                    patience
                } else {
                    UNUSED
                };
                if heard.elapsed() > most {
                    break Some(format!("it had heard nothing for {}", units::write_duration(most)));
                }
                if let Some(session) = &mut session {
                    session.tick(&mut out);
                }
                if session.as_ref().is_none_or(ServedSession::is_idle) && idle.elapsed() >= IDLE {
                    idle = tokio::time::Instant::now();
                    out.tell(&WorkerAnswer::Idle);
                }
                continue;
            }
        };
        heard = tokio::time::Instant::now();
        match (order, &mut session) {
            (WorkerOrder::Session(asked), _) => match begin(*asked, &key).await {
                Ok(begun) => {
                    // Whoever attached later has not heard the first one.
                    out.tell(&WorkerAnswer::Hello(hello()));
                    let lanes = begun.lanes();
                    session = Some(begun);
                    out.tell(&WorkerAnswer::Begun { lanes });
                }
                Err(failure) => {
                    out.tell(&WorkerAnswer::Fault(Box::new(failure.clone())));
                    out.finish();
                    return Err(failure);
                }
            },
            (WorkerOrder::Bye, _) => break None,
            (order, Some(session)) => session.take(order, &mut out),
            // Nothing to be done without a session.
            (_, None) => {}
        }
    };
    if let Some(session) = session {
        session.end(&mut out, why).await;
    }
    out.finish();
    Ok(())
}

async fn begin(asked: WorkerSession, key: &WorkerKey) -> Result<ServedSession, Failure> {
    if asked.protocol != PROTOCOL {
        return Err(Failure::new(
            format!(
                "The coordinator speaks {} (Batida {}), and this worker {PROTOCOL} (Batida {})",
                asked.protocol,
                asked.batida,
                env!("CARGO_PKG_VERSION")
            ),
            "Install the same version of Batida on both machines",
        ));
    }
    ServedSession::begin(asked, key).await
}
