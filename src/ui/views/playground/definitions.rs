//! What each figure of an answer is, as its tile says when it is pointed at.

pub(super) const SPEED: &str = "Generation speed: (tokens − 1) / (last token − first token). The first token's wait is left out. An answer that arrived all at once has none. Tokens are the server's count; where it sends none, chunks are counted and the unit says so.";
pub(super) const TTFT: &str = "Time to first token: from sending the request to the first chunk that carries any text, reasoning included. The empty role chunk is no token. Opening a connection is part of it.";
pub(super) const LATENCY: &str = "Total latency: from sending the request to the end of the answer. An answer that was cut or stopped has none.";
