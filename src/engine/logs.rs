//! Follows a container's log line by line.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::domain::failure::Failure;
use crate::io::kubectl::Kubectl;
use crate::protocol::LogSource;

/// How often lines are delivered.
const INTERVAL: Duration = Duration::from_millis(100);
/// Limit of lines that are not delivered yet; only the last ones are kept.
const MAX_PENDING_LINES: usize = 2_000;
/// The number of lines at the start.
const TAIL: &str = "--tail=500";

/// Delivers the last lines and then new ones in batches, until the container ends. Dropping the future ends kubectl.
///
/// # Errors
/// kubectl's failure, e.g. that the pod no longer exists.
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
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ended = loop {
        tokio::select! {
            line = lines.next() => match line {
                Ok(Some(line)) => {
                    waiting.push(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned());
                    if waiting.len() > 2 * MAX_PENDING_LINES {
                        waiting.drain(..MAX_PENDING_LINES);
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
