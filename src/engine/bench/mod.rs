//! A benchmark session from its plan to its report. The same for the window and the command line.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::failure::Failure;
use crate::domain::plan::Plan;
use crate::domain::run::{BenchProgress, BenchReport, Steer};
use crate::io::api::Api;
use crate::metrics::request::RequestRecord;

/// How a session is ended and paused from outside.
#[derive(Debug, Clone)]
pub struct Controls {
    /// Ends it: every connection is closed at once, the figures so far are kept.
    pub cancel: CancellationToken,
    /// Pauses it and lets it go on.
    pub steer: watch::Receiver<Steer>,
}

/// Hears of a session while it runs. Called on the thread that awaits [`run`], never on the measuring ones.
pub trait Listener: Send {
    /// The session begins; `id` is the report's. Called once, before anything else.
    fn began(&mut self, id: &str) {
        let _ = id;
    }
    /// At most every 33 ms.
    fn advanced(&mut self, progress: BenchProgress);
    /// Each request that ended, warm-ups included, in the order in which they ended.
    fn ended(&mut self, record: &RequestRecord) {
        let _ = record;
    }
}

/// Runs a session. A failed request is counted, not returned.
///
/// # Errors
/// When the plan is not sound, or the session cannot begin: a file that cannot be read, a prompt length that
/// cannot be reached, a first request that fails in a way that all others would.
pub async fn run(
    plan: &Plan,
    api: &Api,
    environment: &str,
    controls: Controls,
    listener: &mut dyn Listener,
) -> Result<BenchReport, Failure> {
    let _ = (plan, api, environment, controls, listener);
    Err(Failure::new("not built yet", ""))
}
