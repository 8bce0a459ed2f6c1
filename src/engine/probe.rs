//! Checks whether models respond, with one token or one embedding each.
//!
//! A probe is not a measurement: it is not stored, and causes as little load as possible.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::chat;
use super::connection::Connection;
use crate::domain::conversation::{ChatRequest, Message, Params, Role};
use crate::domain::embedding::EmbedRequest;
use crate::domain::failure::{Failure, FaultClass};
use crate::protocol::{ChatEnding, ProbeAnswer, ProbeKind, ProbeTarget};

/// The time limit of a probe.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// Few, so that probes cause little load.
const MAX_CONCURRENT_PROBES: usize = 2;

/// Probes each model once and reports the outcomes as they arrive. Cancelling ends all probes without an outcome.
pub async fn run(
    connection: &Connection,
    targets: Vec<ProbeTarget>,
    timeout: Duration,
    cancel: &CancellationToken,
    tell: impl Fn(String, Timestamp, Result<ProbeAnswer, Failure>),
) {
    let known = connection.known();
    let known = known.as_slice();
    let asking = targets.into_iter().map(|target| async move {
        let outcome = tokio::time::timeout(timeout, ask(connection, &target, known, cancel)).await;
        (
            target.model,
            outcome.unwrap_or_else(|_| {
                Err(silent(target.kind, timeout, connection.kubectl.is_some()))
            }),
        )
    });
    let mut answers = stream::iter(asking).buffer_unordered(MAX_CONCURRENT_PROBES);
    while let Some(Some((model, outcome))) = cancel.run_until_cancelled(answers.next()).await {
        let cancelled = |failure: &Failure| failure.class == Some(FaultClass::Cancelled);
        if !outcome.as_ref().is_err_and(cancelled) {
            tell(model, Timestamp::now(), outcome);
        }
    }
}

fn silent(kind: ProbeKind, timeout: Duration, on_cluster: bool) -> Failure {
    let asked = match kind {
        ProbeKind::Chat => "a one-token chat",
        ProbeKind::Embedding => "a one-word embedding",
    };
    Failure::new(
        format!("No response to {asked} within {} s", timeout.as_secs()),
        if on_cluster {
            "The model may be loading. Try again, and check its pods and their logs"
        } else {
            "The model may be loading. Try again later"
        },
    )
    .of_class(FaultClass::Timeout)
}

async fn ask(
    connection: &Connection,
    target: &ProbeTarget,
    known: &[String],
    cancel: &CancellationToken,
) -> Result<ProbeAnswer, Failure> {
    let api = connection.api_with_key()?;
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
