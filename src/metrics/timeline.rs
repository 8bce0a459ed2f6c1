//! One request's moments, and the figures that follow from them.
//!
//! All moments are counted from when the request was sent, on the monotonic clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a piece of streamed text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextKind {
    /// Thinking, folded away on screen.
    Reasoning,
    /// What the user asked for.
    #[default]
    Answer,
    /// A part of a tag, or the white space behind one: a token, and nothing to read.
    Markup,
}

/// When the parts of one answer arrived.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    connect: Option<Duration>,
    first_byte: Option<Duration>,
    first_text: Option<Duration>,
    first_answer: Option<Duration>,
    last_text: Option<Duration>,
    last_reasoning: Option<Duration>,
    end: Option<Duration>,
    reasoning_chunks: u64,
    answer_chunks: u64,
    longest_gap: Option<Duration>,
    /// Chunks with text that came in one read with the one before.
    together: u64,
    /// Bytes of the text.
    text_bytes: u64,
    /// It came as one document, not as a stream.
    is_document: bool,
}

/// More bytes of text than one token has.
const LONGEST_TOKEN: u64 = 48;
/// Tokens that are counted and have no text: the end of the answer, and the tags around thinking and calls.
const TEXTLESS_TOKENS: u64 = 16;
/// More bytes than the tokens of a whole answer have on average: English has 4 to 5, indented code about 8.
const LONGEST_MEAN_TOKEN: u64 = 16;
/// Tokens per second of thinking that is counted and not sent: more than any server generates for one user.
const MAX_UNSENT_PER_SEC: f64 = 4_000.0;
/// So many tokens more than bytes of text are no contradiction, however quick the answer was.
const UNSENT_TOKENS: u64 = 1_000;
/// So many tokens in so short a time come out of a buffer, not out of a model.
const BURST: u64 = 16;
const BURST_PER_SEC: f64 = 20_000.0;
/// A slower burst comes out of a buffer, too, when it is this short beside the time to its first token: what a proxy
/// held back for seconds passes a network in several reads.
const BUFFERED_PER_SEC: f64 = 4_000.0;
const BUFFERED_SHARE_OF_TTFT: f64 = 0.03;
/// From this share of chunks that came in one read with the one before it is said.
pub const TOGETHER_SHARE: f64 = 0.3;
/// Tokens per second that no model gives one user.
const MAX_SPEED: f64 = 1e7;

impl Timeline {
    /// Opening this request's connection took `time`, which is part of TTFT unless it was done ahead.
    pub fn connected(&mut self, time: Duration) {
        self.connect = Some(time);
    }

    /// The response's first byte, headers included, came.
    pub fn first_byte(&mut self, at: Duration) {
        self.first_byte.get_or_insert(at);
    }

    /// A chunk that carries text came. A chunk without text (the role, the finish reason, the usage)
    /// is no token: leave it out.
    pub fn text(&mut self, kind: TextKind, at: Duration) {
        self.texts(kind, at, 1);
    }

    /// [`Self::text`] for `n` chunks that came at once, at least one.
    pub fn texts(&mut self, kind: TextKind, at: Duration, n: u64) {
        if self.last_text != Some(at) {
            self.first_byte(at);
            self.first_text.get_or_insert(at);
        }
        self.together += n - u64::from(self.last_text != Some(at));
        if let Some(last) = self.last_text {
            let gap = at.saturating_sub(last);
            self.longest_gap = self.longest_gap.max(Some(gap));
        } else if n > 1 {
            self.longest_gap = Some(Duration::ZERO);
        }
        self.last_text = Some(at);
        match kind {
            TextKind::Reasoning => {
                self.reasoning_chunks += n;
                self.last_reasoning = Some(at);
            }
            TextKind::Markup => self.answer_chunks += n,
            TextKind::Answer => {
                self.answer_chunks += n;
                self.first_answer.get_or_insert(at);
            }
        }
    }

    /// So many bytes of text came with them.
    pub fn heard(&mut self, bytes: u64) {
        self.text_bytes += bytes;
    }

    /// The answer came as one document, not as a stream.
    pub fn document(&mut self) {
        self.is_document = true;
    }

    /// All text so far turned out to be reasoning.
    pub fn turned(&mut self) {
        self.reasoning_chunks += std::mem::take(&mut self.answer_chunks);
        self.first_answer = None;
        self.last_reasoning = self.last_text;
    }

    /// Whether a server's count of tokens can be true of what came: it is no zero against text, not so small that its
    /// tokens would be longer than any, and not so large that the answer holds more tokens than bytes although there
    /// was no time to generate tokens that were never sent.
    fn is_plausible(&self, count: u64) -> bool {
        let chunks = self.chunks();
        if count == 0 {
            return chunks == 0;
        }
        let too_few = count < chunks && self.text_bytes > count.saturating_mul(LONGEST_MEAN_TOKEN);
        let took = self
            .end
            .max(self.last_text)
            .unwrap_or(Duration::MAX)
            .as_secs_f64();
        let too_many =
            count > self.text_bytes + UNSENT_TOKENS && count as f64 > MAX_UNSENT_PER_SEC * took;
        !too_few && !too_many
    }

    /// Tokens whose text came, of so many that are counted: there are none without a byte.
    fn sent(&self, counted: u64) -> u64 {
        match self.text_bytes {
            0 => counted,
            bytes => counted.min(bytes + TEXTLESS_TOKENS),
        }
    }

    /// Whether all text of an answer that has ended was there at once, although it is of several tokens.
    fn at_once(&self, tokens: u64) -> bool {
        let n = self.sent(tokens).max(self.chunks());
        let Some(span) = self
            .first_text
            .zip(self.last_text)
            .map(|(first, last)| last.saturating_sub(first))
        else {
            return self.is_document;
        };
        let several = n > 1 || self.text_bytes > LONGEST_TOKEN;
        let ttft = self.first_text.unwrap_or_default();
        let is_short = span < ttft.mul_f64(BUFFERED_SHARE_OF_TTFT);
        let limit = if is_short {
            BUFFERED_PER_SEC
        } else {
            BURST_PER_SEC
        };
        let burst = n >= BURST && (n - 1) as f64 > limit * span.as_secs_f64();
        self.end.is_some() && several && (span.is_zero() || burst)
    }

    /// The answer is complete: `[DONE]`, or the connection's end after a finish reason.
    pub fn end(&mut self, at: Duration) {
        self.first_byte(at);
        self.end.get_or_insert(at);
    }

    /// Request sent → first chunk that carries any text, reasoning included (TTFT).
    pub fn ttft(&self) -> Option<Duration> {
        self.first_text
    }

    /// The last chunk that carried text.
    pub fn last_text(&self) -> Option<Duration> {
        self.last_text
    }

    /// Whether text of the answer proper came, or a call.
    pub fn has_answer(&self) -> bool {
        self.first_answer.is_some()
    }

    /// Chunks that carried text, reasoning included.
    pub fn chunks(&self) -> u64 {
        self.reasoning_chunks + self.answer_chunks
    }

    /// The figures, with the server's `usage` when it sent one. May be asked while the answer
    /// is still coming: what is not known yet is `None`.
    pub fn figures(&self, usage: Option<&Usage>) -> Figures {
        let chunks = self.chunks();
        let counted = usage
            .and_then(|usage| usage.completion_tokens)
            .filter(|n| self.is_plausible(*n));
        let tokens = match counted {
            Some(n) => Some(Tokens {
                n,
                source: TokenSource::Usage,
            }),
            None if chunks > 0 => Some(Tokens {
                n: chunks,
                source: TokenSource::Chunks,
            }),
            None => None,
        };
        // Reasoning that was counted and not sent took its time before the first text.
        let unsent = usage
            .and_then(|usage| usage.reasoning_tokens)
            .filter(|_| self.reasoning_chunks == 0);
        let timed = tokens.map_or(0, |tokens| match tokens.source {
            TokenSource::Usage => tokens.n.saturating_sub(unsent.unwrap_or(0)),
            TokenSource::Chunks => tokens.n,
        });
        let at_once = self.at_once(timed);
        // Both end at the last text, not at a late `[DONE]`.
        let span = self
            .first_text
            .zip(self.last_text)
            .map(|(first, last)| last.saturating_sub(first));
        let span = span.filter(|span| !at_once && !span.is_zero());
        // More tokens than bytes: some were generated and not sent, and how many nobody says.
        let known = timed > 1 && self.sent(timed) == timed;
        let per_token = span
            .filter(|_| known)
            .map(|span| span.as_secs_f64() / (timed - 1) as f64);
        let itl = span
            .filter(|_| chunks > 1)
            .map(|span| span.div_f64((chunks - 1) as f64));
        Figures {
            connect: self.connect,
            ttft: self.first_text,
            first_answer: self.first_answer,
            latency: self.end,
            tokens,
            // A server may claim any number of tokens.
            tokens_per_sec: per_token
                .map(|seconds| 1.0 / seconds)
                .filter(|rate| *rate <= MAX_SPEED),
            tpot: per_token
                .filter(|seconds| *seconds >= 1.0 / MAX_SPEED)
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            itl,
            longest_gap: self.longest_gap.filter(|_| !at_once),
            reasoning: self.reasoning(usage),
            prompt_tokens: usage.and_then(|usage| usage.prompt_tokens),
            cached_tokens: usage.and_then(|usage| usage.cached_tokens),
            server: usage
                .map(|usage| usage.server)
                .filter(|server| *server != ServerFigures::default()),
            chunks,
            together: self.together,
            at_once,
        }
    }

    fn reasoning(&self, usage: Option<&Usage>) -> Option<Reasoning> {
        let first = self.first_text?;
        let last = self.last_reasoning?;
        let generated = usage
            .and_then(|usage| usage.completion_tokens)
            .filter(|n| *n > 0);
        let counted = usage.and_then(|usage| usage.reasoning_tokens);
        let counted = counted.filter(|n| *n > 0 && generated.is_none_or(|all| *n <= all));
        let tokens = match counted {
            Some(n) => Tokens {
                n,
                source: TokenSource::Usage,
            },
            None => Tokens {
                n: self.reasoning_chunks,
                source: TokenSource::Chunks,
            },
        };
        let until = self
            .first_answer
            .filter(|answer| *answer >= last)
            .unwrap_or(last);
        Some(Reasoning {
            tokens,
            time: until - first,
        })
    }
}

/// What the server says of an answer: token counts, and its own clock's figures.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Those of them that came from a cache.
    pub cached_tokens: Option<u64>,
    /// Tokens generated, reasoning included.
    pub completion_tokens: Option<u64>,
    /// Those of them that were reasoning.
    pub reasoning_tokens: Option<u64>,
    /// The server's own figures.
    pub server: ServerFigures,
}

impl Usage {
    /// What a later chunk adds: a figure that it leaves out stays, and so does a count against a zero.
    pub fn merge(&mut self, later: Self) {
        let Self {
            prompt_tokens,
            cached_tokens,
            completion_tokens,
            reasoning_tokens,
            server,
        } = later;
        let count = |known: &mut Option<u64>, later: Option<u64>| {
            *known = later.max(*known);
        };
        count(&mut self.prompt_tokens, prompt_tokens);
        count(&mut self.cached_tokens, cached_tokens);
        count(&mut self.completion_tokens, completion_tokens);
        count(&mut self.reasoning_tokens, reasoning_tokens);
        let ServerFigures {
            ttft,
            latency,
            after_first_per_sec,
            per_sec,
            acceptance_rate,
        } = server;
        self.server = ServerFigures {
            ttft: ttft.or(self.server.ttft),
            latency: latency.or(self.server.latency),
            after_first_per_sec: after_first_per_sec.or(self.server.after_first_per_sec),
            per_sec: per_sec.or(self.server.per_sec),
            acceptance_rate: acceptance_rate.or(self.server.acceptance_rate),
        };
    }
}

/// The server's own figures: SambaStack's in `usage`, Groq's and Cerebras's times, llama.cpp's `timings`. SambaStack's
/// leave out the time queued at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ServerFigures {
    /// `time_to_first_token`
    pub ttft: Option<Duration>,
    /// `total_latency`
    pub latency: Option<Duration>,
    /// `completion_tokens_after_first_per_sec`, the same definition as ours.
    pub after_first_per_sec: Option<f64>,
    /// `completion_tokens_per_sec`, TTFT included.
    pub per_sec: Option<f64>,
    /// `acceptance_rate`: tokens accepted per step of speculative decoding; not a ratio.
    pub acceptance_rate: Option<f64>,
}

/// Who counted the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenSource {
    /// The server, in `usage`.
    Usage,
    /// Nobody: these are chunks, and a chunk may hold several tokens.
    Chunks,
}

/// A number of tokens, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// How many.
    pub n: u64,
    /// Who counted.
    pub source: TokenSource,
}

impl Tokens {
    /// `tokens`, or `chunks` where nobody counted tokens.
    pub fn noun(self) -> &'static str {
        match self.source {
            TokenSource::Usage => "tokens",
            TokenSource::Chunks => "chunks",
        }
    }
}

/// How much of an answer was thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoning {
    /// How many tokens.
    pub tokens: Tokens,
    /// From the first of them to the first of the answer, or to the last of them.
    pub time: Duration,
}

/// One answer's figures, measured here. Absent is `None`, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Time spent opening a connection for this request, inside TTFT unless it was done ahead of it; `None` on one
    /// that was used before.
    pub connect: Option<Duration>,
    /// Request sent → first chunk with any text, reasoning included.
    pub ttft: Option<Duration>,
    /// Request sent → first chunk with answer text.
    pub first_answer: Option<Duration>,
    /// Request sent → end of the answer. `None` while it comes and when it was cut.
    pub latency: Option<Duration>,
    /// Tokens generated, reasoning included.
    pub tokens: Option<Tokens>,
    /// Generation speed: (tokens − 1) / (last text − first text), in tokens per second. `None` for an answer that
    /// arrived all at once.
    pub tokens_per_sec: Option<f64>,
    /// Time per output token: (last text − first text) / (tokens − 1); likewise.
    pub tpot: Option<Duration>,
    /// Inter-token latency: the mean gap between chunks with text.
    pub itl: Option<Duration>,
    /// The longest of those gaps.
    pub longest_gap: Option<Duration>,
    /// The thinking, when there was any.
    pub reasoning: Option<Reasoning>,
    /// Tokens of the prompt, by the server.
    pub prompt_tokens: Option<u64>,
    /// Of them from a cache, by the server.
    pub cached_tokens: Option<u64>,
    /// What the server measured itself.
    pub server: Option<ServerFigures>,
    /// Chunks that carried text; 0 for a document, and where that was not kept.
    #[serde(default)]
    pub chunks: u64,
    /// Those that came in one read with the one before; their gaps are 0.
    #[serde(default)]
    pub together: u64,
    /// All of an answer's several tokens arrived at once, so that it has no speed.
    #[serde(default)]
    pub at_once: bool,
}

/// What is said of an answer that arrived all at once.
pub const AT_ONCE: &str = "arrived all at once; a proxy may be buffering";

impl Figures {
    /// Tokens in a chunk on average, where that is worth a word: the gaps are between chunks then, not between tokens.
    pub fn tokens_per_chunk(&self) -> Option<f64> {
        let tokens = self
            .tokens
            .filter(|tokens| tokens.source == TokenSource::Usage)?;
        let several = self.chunks > 0 && !self.at_once;
        several
            .then(|| tokens.n as f64 / self.chunks as f64)
            .filter(|each| *each >= COALESCED)
    }
}

impl Figures {
    /// The share of the gaps that are 0 because chunks came in one read, where that is worth a word.
    pub fn share_together(&self) -> Option<f64> {
        let gaps = self
            .chunks
            .checked_sub(1)
            .filter(|gaps| *gaps > 0 && !self.at_once)?;
        Some(self.together as f64 / gaps as f64).filter(|share| *share >= TOGETHER_SHARE)
    }
}

/// So many tokens in a chunk on average are said: fewer come of the first and the last chunk.
pub const COALESCED: f64 = 1.5;

#[cfg(test)]
mod tests;
