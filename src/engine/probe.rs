//! "Is it serving?": each model is asked for one token, or for one embedding.
//!
//! A probe is no measurement: it is kept nowhere, and takes as little from the models as can be.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::chat;
use super::place::Place;
use crate::domain::conversation::{ChatRequest, Message, Params, Role};
use crate::domain::embedding::EmbedRequest;
use crate::domain::failure::{Failure, FaultClass};
use crate::protocol::{ChatEnding, ProbeAnswer, ProbeKind, ProbeTarget};

/// A model that has not answered by then is silent.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Probes at once: they must not be a load.
const AT_ONCE: usize = 2;

/// Asks each model once and tells how it went, in the order in which they answer. Cancelling ends it at once;
/// models that had not answered by then are not told of.
pub async fn run(
    place: &Place,
    targets: Vec<ProbeTarget>,
    patience: Duration,
    cancel: &CancellationToken,
    tell: impl Fn(String, Timestamp, Result<ProbeAnswer, Failure>),
) {
    let known = place.known();
    let known = known.as_slice();
    let asking = targets.into_iter().map(|target| async move {
        let outcome = tokio::time::timeout(patience, ask(place, &target, known, cancel)).await;
        (
            target.model,
            outcome.unwrap_or_else(|_| Err(silent(target.kind, patience, place.kubectl.is_some()))),
        )
    });
    let mut answers = stream::iter(asking).buffer_unordered(AT_ONCE);
    while let Some(Some((model, outcome))) = cancel.run_until_cancelled(answers.next()).await {
        let cancelled = |failure: &Failure| failure.class == Some(FaultClass::Cancelled);
        if !outcome.as_ref().is_err_and(cancelled) {
            tell(model, Timestamp::now(), outcome);
        }
    }
}

fn silent(kind: ProbeKind, patience: Duration, on_cluster: bool) -> Failure {
    let asked = match kind {
        ProbeKind::Chat => "a one-token chat",
        ProbeKind::Embedding => "a one-word embedding",
    };
    Failure::new(
        format!("no answer to {asked} within {} s", patience.as_secs()),
        if on_cluster {
            "It may be loading: try again, and look at its pods and their logs"
        } else {
            "It may be loading: try again in a while"
        },
    )
    .of_class(FaultClass::Timeout)
}

async fn ask(
    place: &Place,
    target: &ProbeTarget,
    known: &[String],
    cancel: &CancellationToken,
) -> Result<ProbeAnswer, Failure> {
    let api = place.api_with_key()?;
    if target.kind == ProbeKind::Embedding {
        let request = EmbedRequest {
            model: target.model.clone(),
            input: vec!["Hi".to_owned()],
        };
        let embedded = api.embed(&request, known).await?;
        return Ok(ProbeAnswer {
            ttft: None,
            latency: Some(embedded.took),
        });
    }
    let request = ChatRequest {
        model: target.model.clone(),
        messages: vec![Message::new(Role::User, "Hi")],
        params: Params {
            max_tokens: Some(1),
            ..Params::default()
        },
    };
    let report = chat::run(api, &request, known, cancel, |_| {}).await;
    match report.ending {
        ChatEnding::Finished { .. } => Ok(ProbeAnswer {
            ttft: report.figures.ttft,
            latency: report.figures.latency,
        }),
        ChatEnding::Stopped => Err(Failure::default().of_class(FaultClass::Cancelled)),
        ChatEnding::Failed(failure) => Err(failure),
    }
}
