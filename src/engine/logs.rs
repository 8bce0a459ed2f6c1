//! A container's log, followed line by line.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::domain::failure::Failure;
use crate::io::kubectl::Kubectl;
use crate::protocol::LogSource;

/// How often lines are told.
const PACE: Duration = Duration::from_millis(100);
/// What is not told yet is bounded: of a chatterbox only the last lines can be read anyway.
const MOST_WAITING: usize = 2_000;
/// How many lines there are at first.
const TAIL: &str = "--tail=500";

/// Tells the last lines and then each further one, several at a time, until the container ends. Dropping
/// the future ends kubectl.
///
/// # Errors
/// What kubectl says, e.g. that there is no such pod any more.
pub async fn follow(
    kubectl: &Kubectl,
    source: &LogSource,
    tell: impl Fn(Vec<String>),
) -> Result<(), Failure> {
    let LogSource {
        pod,
        container,
        previous,
    } = source;
    let last = if *previous { "--previous" } else { "--follow" };
    let args = [
        "logs",
        pod,
        "-c",
        container,
        "-n",
        &kubectl.namespace,
        TAIL,
        last,
    ];
    let mut lines = kubectl.follow(&args).await?;
    let mut waiting: Vec<String> = Vec::new();
    let mut ticks = tokio::time::interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ended = loop {
        tokio::select! {
            line = lines.next() => match line {
                Ok(Some(line)) => {
                    waiting.push(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned());
                    if waiting.len() > 2 * MOST_WAITING {
                        waiting.drain(..MOST_WAITING);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.failure),
            },
            _ = ticks.tick(), if !waiting.is_empty() => tell(std::mem::take(&mut waiting)),
        }
    };
    if !waiting.is_empty() {
        tell(waiting);
    }
    ended
}
