//! How a level's tokens arrived, where it was several at a time: most gaps between chunks are 0 then, or are no gaps
//! between tokens, and say nothing of the server's pace.

use super::timeline::{COALESCED, TOGETHER_SHARE};
use crate::domain::run::{LevelReport, Stats};
use crate::domain::stats::Percentile;

/// A gap shorter than this, in ms, is none: its chunks came in one read. It is one tick of a report's buckets.
const ONE_READ_MS: f64 = 1e-3;

/// Tokens that arrived in groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// Tokens, or chunks where nobody counted tokens, in a group on average.
    pub tokens: f64,
    /// Gaps that are 0, since their chunks came in one read with the ones before.
    pub together: u64,
    /// The other gaps: `[from, to, count]`, in ms.
    pub buckets: Vec<[f64; 3]>,
}

impl Groups {
    /// `None` where tokens came one by one, as far as a report tells.
    pub fn of(level: &LevelReport) -> Option<Self> {
        let (together, buckets) = apart(&level.itl_ms);
        let gaps: f64 = level.itl_ms.buckets.iter().map(|bucket| bucket[2]).sum();
        let share = if gaps > 0.0 { together / gaps } else { 0.0 };
        let each = level.tokens_per_chunk.filter(|each| *each >= COALESCED);
        if buckets.is_empty() || each.is_none() && share < TOGETHER_SHARE {
            return None;
        }
        Some(Self {
            tokens: each.unwrap_or(1.0) / (1.0 - share),
            together: together as u64,
            buckets,
        })
    }

    /// A percentile of the gaps between groups, in ms: the middle of its bucket, of which each is 1.6 % wide.
    pub fn at(&self, percentile: Percentile) -> Option<f64> {
        let all: f64 = self.buckets.iter().map(|bucket| bucket[2]).sum();
        let rank = (all * percentile.share()).ceil().max(1.0);
        let mut seen = 0.0;
        let found = self.buckets.iter().find(|bucket| {
            seen += bucket[2];
            seen >= rank
        });
        found.map(|[from, to, _]| f64::midpoint(*from, *to))
    }

    /// `tokens arrive in groups of 8.2`
    pub fn told(&self) -> String {
        format!("tokens arrive in groups of {:.1}", self.tokens)
    }
}

/// The number of gaps that are 0, and the buckets of the others.
pub fn apart(gaps: &Stats) -> (f64, Vec<[f64; 3]>) {
    let (zero, others): (Vec<[f64; 3]>, Vec<[f64; 3]>) = gaps
        .buckets
        .iter()
        .partition(|[from, to, _]| *from <= 0.0 && *to <= ONE_READ_MS);
    (zero.iter().map(|bucket| bucket[2]).sum(), others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::LevelLoad;
    use crate::domain::stats::{P50, P99};

    fn level(tokens_per_chunk: Option<f64>, buckets: &[[f64; 3]]) -> LevelReport {
        LevelReport {
            tokens_per_chunk,
            itl_ms: Stats {
                buckets: buckets.to_vec(),
                ..Stats::default()
            },
            ..LevelReport::blank("m", LevelLoad::Concurrency(1))
        }
    }

    #[test]
    fn groups_are_told_with_the_gap_between_them() {
        // Seven of eight chunks came in one read with the one before.
        let gaps = [[0.0, 0.001, 700.0], [15.0, 15.2, 90.0], [30.0, 30.4, 10.0]];
        let groups = Groups::of(&level(None, &gaps)).expect("most gaps are 0");
        assert_eq!(groups.told(), "tokens arrive in groups of 8.0");
        assert_eq!(groups.together, 700);
        assert_eq!((groups.at(P50), groups.at(P99)), (Some(15.1), Some(30.2)));
        let groups = Groups::of(&level(Some(4.0), &gaps[1..])).expect("chunks hold several");
        assert_eq!(groups.told(), "tokens arrive in groups of 4.0");
    }

    #[test]
    fn tokens_that_come_one_by_one_are_no_groups() {
        let gaps = [[0.0, 0.001, 5.0], [15.0, 15.2, 95.0]];
        assert_eq!(Groups::of(&level(Some(1.1), &gaps)), None);
        assert_eq!(Groups::of(&level(Some(9.0), &[])), None, "no gap is known");
    }
}
