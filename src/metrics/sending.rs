//! How requests left and how their tokens came: what a level's notes are made of.

use std::time::Duration;

use super::request::RequestRecord;
use super::timeline::{TokenSource, Tokens};

/// How an open loop kept to its schedule, pauses left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    /// Requests, or conversations, that were sent.
    pub requests: u64,
    /// From the schedule's beginning to when the last of them was due.
    pub due_for: Duration,
    /// From there to when the last of them was sent; to the end of the level's time when others were due and
    /// never sent.
    pub took: Duration,
}

/// How tokens came in chunks and reads, over good answers that did not arrive all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ChunkTally {
    /// Tokens and chunks of those that the server counted.
    tokens: u64,
    chunks: u64,
    /// Gaps between chunks, and those of them that are 0: chunks of one read.
    gaps: u64,
    zero_gaps: u64,
}

impl ChunkTally {
    pub(super) fn add(&mut self, record: &RequestRecord) {
        if record.figures.at_once {
            return;
        }
        if let Some(Tokens {
            n,
            source: TokenSource::Usage,
        }) = record.tokens()
            && record.chunks > 0
        {
            self.tokens = self.tokens.saturating_add(n);
            self.chunks = self.chunks.saturating_add(record.chunks);
        }
        self.gaps += record.gaps_us.len() as u64;
        self.zero_gaps += record.gaps_us.iter().filter(|gap| **gap == 0).count() as u64;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let Self {
            tokens,
            chunks,
            gaps,
            zero_gaps,
        } = other;
        self.tokens = self.tokens.saturating_add(*tokens);
        self.chunks += chunks;
        self.gaps += gaps;
        self.zero_gaps += zero_gaps;
    }

    /// Tokens in a chunk on average.
    pub(super) fn tokens_per_chunk(&self) -> Option<f64> {
        (self.chunks > 0).then(|| self.tokens as f64 / self.chunks as f64)
    }

    /// The share of gaps that are 0.
    pub(super) fn together(&self) -> Option<f64> {
        (self.gaps > 0).then(|| self.zero_gaps as f64 / self.gaps as f64)
    }
}
