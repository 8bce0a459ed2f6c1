//! The definition of each figure, shown when the pointer rests on its tile.

use std::time::Duration;

pub(super) const SPEED: &str = "Generation speed: (tokens − 1) / (last token − first token). Excludes the wait for the first token. An answer that arrived all at once has none. Tokens are counted by the server; if it reports no count, chunks are counted and the unit is chunks/s.";
pub(super) const TTFT: &str = "Time to first token: from sending the request to the first chunk that carries any text, reasoning included. The empty role chunk does not count. Opening a connection is included. Bytes count from when the kernel received them (Linux), or else from when they were read.";
pub(super) const LATENCY: &str = "Total latency: from sending the request to the end of the answer. An answer that was cut off or stopped has none.";

/// Says how long a running answer has sent nothing.
pub(super) fn no_data(silent: Duration) -> String {
    format!("no data for {} s", silent.as_secs())
}
