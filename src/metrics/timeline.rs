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
}

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

    /// Chunks that carried text, reasoning included.
    pub fn chunks(&self) -> u64 {
        self.reasoning_chunks + self.answer_chunks
    }

    /// The figures, with the server's `usage` when it sent one. May be asked while the answer
    /// is still coming: what is not known yet is `None`.
    pub fn figures(&self, usage: Option<&Usage>) -> Figures {
        let chunks = self.chunks();
        let counted = usage.and_then(|usage| usage.completion_tokens);
        let tokens = match counted {
            Some(n) => Some(Tokens { n, source: TokenSource::Usage }),
            None if chunks > 0 => Some(Tokens { n: chunks, source: TokenSource::Chunks }),
            None => None,
        };
        // While streaming, "so far" ends at the last text.
        let until = self.end.or(self.last_text);
        let per_token = match (tokens, self.first_text, until) {
            (Some(tokens), Some(first), Some(until)) if tokens.n > 1 && until > first => {
                Some((until - first).as_secs_f64() / (tokens.n - 1) as f64)
            }
            _ => None,
        };
        let itl = match (self.first_text, self.last_text) {
            (Some(first), Some(last)) if chunks > 1 => Some((last - first).div_f64((chunks - 1) as f64)),
            _ => None,
        };
        Figures {
            connect: self.connect,
            ttft: self.first_text,
            first_answer: self.first_answer,
            latency: self.end,
            tokens,
            // A server may claim any number of tokens.
            tokens_per_sec: per_token.map(|seconds| 1.0 / seconds).filter(|rate| rate.is_finite()),
            tpot: per_token.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            itl,
            longest_gap: self.longest_gap,
            reasoning: self.reasoning(usage),
            prompt_tokens: usage.and_then(|usage| usage.prompt_tokens),
            cached_tokens: usage.and_then(|usage| usage.cached_tokens),
            server: usage.map(|usage| usage.server).filter(|server| *server != ServerFigures::default()),
        }
    }

    fn reasoning(&self, usage: Option<&Usage>) -> Option<Reasoning> {
        let first = self.first_text?;
        let last = self.last_reasoning?;
        let tokens = match usage.and_then(|usage| usage.reasoning_tokens).filter(|n| *n > 0) {
            Some(n) => Tokens { n, source: TokenSource::Usage },
            None => Tokens { n: self.reasoning_chunks, source: TokenSource::Chunks },
        };
        let until = self.first_answer.filter(|answer| *answer >= last).unwrap_or(last);
        Some(Reasoning { tokens, time: until - first })
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
    /// SambaStack's own figures.
    pub server: ServerFigures,
}

impl Usage {
    /// What a later chunk adds: a figure that it leaves out stays.
    pub fn merge(&mut self, later: Self) {
        let Self { prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, server } = later;
        self.prompt_tokens = prompt_tokens.or(self.prompt_tokens);
        self.cached_tokens = cached_tokens.or(self.cached_tokens);
        self.completion_tokens = completion_tokens.or(self.completion_tokens);
        self.reasoning_tokens = reasoning_tokens.or(self.reasoning_tokens);
        let ServerFigures { ttft, latency, after_first_per_sec, per_sec, acceptance_rate } = server;
        self.server = ServerFigures {
            ttft: ttft.or(self.server.ttft),
            latency: latency.or(self.server.latency),
            after_first_per_sec: after_first_per_sec.or(self.server.after_first_per_sec),
            per_sec: per_sec.or(self.server.per_sec),
            acceptance_rate: acceptance_rate.or(self.server.acceptance_rate),
        };
    }
}

/// SambaStack's figures in `usage`. They leave out the time queued at the gateway.
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
    /// Generation speed: (tokens − 1) / (latency − TTFT), in tokens per second.
    pub tokens_per_sec: Option<f64>,
    /// Time per output token: (latency − TTFT) / (tokens − 1).
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_figures_follow_the_definitions() {
        let mut timeline = Timeline::default();
        timeline.first_byte(ms(40));
        for at in [100, 110, 120, 150] {
            timeline.text(TextKind::Answer, ms(at));
        }
        timeline.end(ms(160));
        let usage = Usage { completion_tokens: Some(13), ..Usage::default() };
        let figures = timeline.figures(Some(&usage));
        assert_eq!(figures.ttft, Some(ms(100)));
        assert_eq!(figures.latency, Some(ms(160)));
        assert_eq!(figures.tpot, Some(ms(5)), "(160 − 100) / 12");
        assert_eq!(figures.tokens_per_sec.map(f64::round), Some(200.0));
        assert_eq!(figures.itl, Some(ms(50).div_f64(3.0)), "three gaps between four chunks");
        assert_eq!(figures.longest_gap, Some(ms(30)));
        assert_eq!(figures.server, None);
    }

    #[test]
    fn without_usage_chunks_are_counted_and_said_to_be_chunks() {
        let mut timeline = Timeline::default();
        timeline.text(TextKind::Answer, ms(10));
        timeline.text(TextKind::Answer, ms(20));
        timeline.end(ms(20));
        let tokens = timeline.figures(None).tokens.expect("counted");
        assert_eq!((tokens.n, tokens.noun()), (2, "chunks"));
    }

    #[test]
    fn a_one_token_answer_has_no_rate_and_no_gap() {
        let mut timeline = Timeline::default();
        timeline.text(TextKind::Answer, ms(10));
        timeline.end(ms(12));
        let usage = Usage { completion_tokens: Some(1), ..Usage::default() };
        let figures = timeline.figures(Some(&usage));
        assert_eq!((figures.tokens_per_sec, figures.tpot, figures.itl), (None, None, None));
        assert_eq!(figures.latency, Some(ms(12)));
    }

    #[test]
    fn an_answer_in_one_write_has_no_speed_rather_than_an_infinite_one() {
        let mut timeline = Timeline::default();
        timeline.text(TextKind::Answer, ms(10));
        timeline.end(ms(10));
        let usage = Usage { completion_tokens: Some(64), ..Usage::default() };
        assert_eq!(timeline.figures(Some(&usage)).tokens_per_sec, None);
    }

    #[test]
    fn reasoning_counts_for_ttft_and_has_its_own_time() {
        let mut timeline = Timeline::default();
        timeline.text(TextKind::Reasoning, ms(50));
        timeline.text(TextKind::Reasoning, ms(80));
        timeline.text(TextKind::Answer, ms(90));
        timeline.end(ms(95));
        let figures = timeline.figures(None);
        assert_eq!(figures.ttft, Some(ms(50)));
        assert_eq!(figures.first_answer, Some(ms(90)));
        let reasoning = figures.reasoning.expect("it reasoned");
        assert_eq!((reasoning.tokens.n, reasoning.time), (2, ms(40)));
    }

    #[test]
    fn a_cut_answer_has_no_latency() {
        let mut timeline = Timeline::default();
        timeline.text(TextKind::Answer, ms(50));
        timeline.text(TextKind::Answer, ms(60));
        let figures = timeline.figures(None);
        assert_eq!(figures.latency, None);
        assert_eq!(figures.ttft, Some(ms(50)));
    }
}
