//! Asks a server how many tokens generated words are, and retries what may pass.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::World;
use crate::domain::conversation::{ChatRequest, Message, Params, Role};
use crate::domain::failure::{Advice, Failure, FaultClass};
use crate::domain::units;
use crate::engine::chat::{self, Limits};
use crate::io::worker_process::WorkerProcess;
use crate::metrics::timeline::Figures;
use crate::prompts::fit::Fit;
use crate::protocol::ChatEnding;
use crate::wire::fault::is_too_long;
use crate::wire::worker::WorkerOrder;

/// How often a request is asked again: this is no measurement yet, so a full queue, a limit, a dropped connection or a failing
/// server is waited out.
const PATIENCE: usize = 4;
/// Between two tries, where the server asks for no other wait.
const WAIT: Duration = Duration::from_millis(500);
/// Longer than this nothing is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Begins the note on prompts that were not fitted since the server failed.
pub(super) const UNFITTED_FOR: &str = "prompts were not fitted to the model's tokenizer and are taken to have one token per \
     word and 8 around them, since asking for their length came to nothing";

/// What fitting came to.
pub(super) struct Fitted {
    pub(super) fit: Option<Fit>,
    /// Why there is none.
    pub(super) note: Option<String>,
}

impl Fitted {
    pub(super) fn not(why: &str) -> Self {
        Self {
            fit: None,
            note: Some(why.to_owned()),
        }
    }
}

/// What a probe that failed for good means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The prompt does not fit the model's context.
    TooLong,
    /// It may be over by the time that requests are measured.
    Passing,
    /// Something in the probe itself.
    Own,
    /// All other requests would meet it too.
    OfAll,
}

/// How many tokens the server counts of a prompt; `None` when it does not count.
pub(super) async fn ask(
    asking: &OneToken,
    model: &str,
    text: &str,
) -> Result<Option<u64>, Failure> {
    let mut tries = 0;
    loop {
        match ask_once(asking, model, text.to_owned()).await {
            Ok(figures) => return Ok(figures.prompt_tokens),
            Err(failure) if tries < PATIENCE && is_worth_another(&failure) => {
                tries += 1;
                tokio::time::sleep(failure.retry_after.unwrap_or(WAIT).min(LONGEST_WAIT)).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}

fn is_worth_another(failure: &Failure) -> bool {
    use FaultClass::{Dropped, IngressLimited, QueueFull, RateLimited, Server};
    !is_too_long(failure)
        && matches!(
            failure.class,
            Some(RateLimited | IngressLimited | QueueFull | Dropped | Server)
        )
}

pub(super) fn judge(failure: &Failure) -> Trouble {
    use FaultClass::{
        BadRequest, Dropped, IngressLimited, QueueFull, RateLimited, Server, Timeout,
    };
    if is_too_long(failure) {
        return Trouble::TooLong;
    }
    match failure.class {
        Some(RateLimited | IngressLimited | QueueFull | Dropped | Server | Timeout) => {
            Trouble::Passing
        }
        Some(BadRequest) => Trouble::Own,
        _ => Trouble::OfAll,
    }
}

/// Says that it was fitting prompts that failed.
pub(super) fn failed(failure: Failure, tokens: f64) -> Failure {
    let length = units::counted(tokens.round() as usize, "token");
    let instead = Advice::by_face(
        "Ask for shorter prompts, or take them from a file, which needs no fitting",
        "Ask for shorter prompts with --input-tokens, or take them from a file with --prompts, which needs no fitting",
    );
    let own = Advice::by_face(failure.advice.clone(), failure.advice_on_command_line());
    let summary = format!(
        "Prompts of {length} could not be fitted to the model's tokenizer: {}",
        failure.summary
    );
    Failure {
        class: failure.class,
        retry_after: failure.retry_after,
        ..Failure::new(summary, own.then(instead)).with_details(failure.details)
    }
}

/// One request with one token of answer, outside the workers.
pub(super) async fn ask_once(
    asking: &OneToken,
    model: &str,
    text: String,
) -> Result<Figures, Failure> {
    let OneToken {
        world,
        params,
        cancel,
        elsewhere,
    } = asking;
    if let Some(asker) = elsewhere {
        let asked = asker.ask(model, params, text, world.timeout + ON_THE_WAY);
        let asked = cancel.run_until_cancelled(asked).await;
        return asked.unwrap_or_else(|| Err(cancelled()));
    }
    let params = Params {
        max_tokens: Some(1),
        ..params.clone()
    };
    let request = ChatRequest {
        model: model.to_owned(),
        messages: vec![Message::new(Role::User, text)],
        params,
    };
    // An answer that is held open is over at the time limit: its counts have come.
    let limits = Limits {
        whole: Some(world.timeout),
        ..Limits::default()
    };
    let report = chat::run_within(&world.api, &request, &[], cancel, limits, |_| {}).await;
    match report.ending {
        ChatEnding::Finished { .. } => Ok(report.figures),
        ChatEnding::Stopped => Err(cancelled()),
        ChatEnding::Failed(failure) => Err(failure),
    }
}

/// How to send a request for one token.
pub(super) struct OneToken {
    pub(super) world: Arc<World>,
    pub(super) params: Params,
    pub(super) cancel: CancellationToken,
    /// Who sends it, where that is not this process.
    pub(super) elsewhere: Option<Asker>,
}

fn cancelled() -> Failure {
    Failure::new("It was cancelled", "").of_class(FaultClass::Cancelled)
}

/// A worker's answer has so long to come back beyond the request's own time.
const ON_THE_WAY: Duration = Duration::from_secs(10);

/// Sends single requests through a worker elsewhere.
#[derive(Clone)]
pub(super) struct Asker {
    worker: Arc<WorkerProcess>,
    pending: PendingAsks,
}

impl Asker {
    pub(super) fn new(worker: Arc<WorkerProcess>, pending: PendingAsks) -> Self {
        Self { worker, pending }
    }

    async fn ask(
        &self,
        model: &str,
        params: &Params,
        text: String,
        within: Duration,
    ) -> Result<Figures, Failure> {
        let (n, answer) = self.pending.add();
        let order = WorkerOrder::Ask {
            n,
            model: model.to_owned(),
            params: Box::new(params.clone()),
            text,
        };
        // Every order can be written.
        if let Ok(line) = serde_json::to_string(&order) {
            self.worker.send(line);
        }
        let lost = || Failure::new("The worker was lost", "").of_class(FaultClass::Unreachable);
        match tokio::time::timeout(within, answer).await {
            Ok(Ok(result)) => result.map(|figures| *figures).map_err(|failure| *failure),
            Ok(Err(_)) => Err(lost()),
            Err(_) => {
                Err(Failure::new("The worker did not answer in time", "")
                    .of_class(FaultClass::Timeout))
            }
        }
    }
}

/// What came of a request for one token.
type Asked = Result<Box<Figures>, Box<Failure>>;

/// Questions to a worker that are not answered.
#[derive(Clone, Default)]
pub(super) struct PendingAsks(Arc<Mutex<Pending>>);

#[derive(Default)]
struct Pending {
    /// The last question's number.
    last: u64,
    answers: HashMap<u64, oneshot::Sender<Asked>>,
}

impl PendingAsks {
    fn add(&self) -> (u64, oneshot::Receiver<Asked>) {
        let (answer, wait) = oneshot::channel();
        let mut pending = self.0.lock();
        pending.last += 1;
        let n = pending.last;
        pending.answers.insert(n, answer);
        (n, wait)
    }

    pub(super) fn answer(&self, n: u64, result: Asked) {
        if let Some(answer) = self.0.lock().answers.remove(&n) {
            // Fails only when nobody waits any more.
            let _ = answer.send(result);
        }
    }

    /// Nobody will answer any more.
    pub(super) fn drop_all(&self) {
        self.0.lock().answers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_waited_for_and_what_all_would_meet_is_not() {
        let of = |class| Failure::new("x", "").of_class(class);
        for (class, again, trouble) in [
            (FaultClass::Dropped, true, Trouble::Passing),
            (FaultClass::Server, true, Trouble::Passing),
            (FaultClass::QueueFull, true, Trouble::Passing),
            (FaultClass::Timeout, false, Trouble::Passing),
            (FaultClass::BadRequest, false, Trouble::Own),
            (FaultClass::KeyRefused, false, Trouble::OfAll),
            (FaultClass::NotAnApi, false, Trouble::OfAll),
        ] {
            assert_eq!(
                (is_worth_another(&of(class)), judge(&of(class))),
                (again, trouble),
                "{class:?}"
            );
        }
        let told = failed(of(FaultClass::BadRequest), 256.0);
        assert_eq!(
            told.summary,
            "Prompts of 256 tokens could not be fitted to the model's tokenizer: x"
        );
        assert!(told.advice_on_command_line().contains("--input-tokens"));
    }
}
