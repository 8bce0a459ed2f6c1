//! Which of the answers to the same message was the fastest.

use std::collections::HashMap;
use std::time::Duration;

use super::Panes;
use crate::metrics::timeline::Figures;
use crate::state::chat::AnswerStatus;

impl Panes {
    /// For each pane the turns that were the fastest of those that were asked the same at the same time.
    pub fn fastest(&self) -> Vec<HashMap<u64, Fastest>> {
        let mut out = vec![HashMap::new(); self.count()];
        if self.count() == 1 {
            return out;
        }
        for round in self.rounds().into_values() {
            let figures = round.iter().map(|(_, _, figures)| *figures);
            let Some(figures) = figures.collect::<Option<Vec<_>>>() else {
                continue;
            };
            for ((pane, turn, _), marks) in round.iter().zip(fastest_of(&figures)) {
                out[*pane].insert(*turn, marks);
            }
        }
        out
    }

    /// The answers to each message: pane, turn and figures, which are absent until the answer has ended.
    fn rounds(&self) -> HashMap<u64, Vec<(usize, u64, Option<Figures>)>> {
        let mut rounds: HashMap<u64, Vec<(usize, u64, Option<Figures>)>> = HashMap::new();
        for (index, pane) in self.all().iter().enumerate() {
            for turn in pane.chat.turns().iter().filter(|turn| turn.round > 0) {
                let figures = match turn.answer.status {
                    AnswerStatus::Streaming(_) => None,
                    AnswerStatus::Finished(_) => Some(turn.answer.reply.figures),
                    AnswerStatus::Stopped | AnswerStatus::Failed(_) => continue,
                };
                let round = rounds.entry(turn.round).or_default();
                round.push((index, turn.id, figures));
            }
        }
        rounds
    }
}

/// In which figures an answer was the fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fastest {
    /// Its first token came soonest.
    pub ttft: bool,
    /// It had the most tokens per second; only where all are counted alike.
    pub speed: bool,
}

impl Fastest {
    /// In words; `None` where it was in nothing.
    pub fn told(self) -> Option<&'static str> {
        match (self.speed, self.ttft) {
            (true, true) => Some("tok/s and TTFT"),
            (true, false) => Some("tok/s"),
            (false, true) => Some("TTFT"),
            (false, false) => None,
        }
    }
}

/// By less than this share one answer is no faster than another: the same model asked twice differs by more.
const SIGNIFICANT_SHARE: f64 = 0.05;

fn fastest_of(all: &[Figures]) -> Vec<Fastest> {
    let mut ttfts: Vec<Duration> = all.iter().filter_map(|figures| figures.ttft).collect();
    ttfts.sort_unstable();
    let ttft = match ttfts[..] {
        [first, second, ..]
            if first.as_secs_f64() <= second.as_secs_f64() * (1.0 - SIGNIFICANT_SHARE) =>
        {
            Some(first)
        }
        _ => None,
    };
    let counted = |figures: &Figures| figures.tokens.map(|tokens| tokens.source);
    let alike = all
        .iter()
        .all(|figures| counted(figures) == all.first().and_then(counted));
    let mut speeds: Vec<f64> = all
        .iter()
        .filter_map(|figures| figures.tokens_per_sec)
        .collect();
    speeds.sort_unstable_by(|a, b| b.total_cmp(a));
    let speed = match speeds[..] {
        [first, second, ..] if alike && first >= second * (1.0 + SIGNIFICANT_SHARE) => Some(first),
        _ => None,
    };
    let mark = |figures: &Figures| Fastest {
        ttft: ttft.is_some() && figures.ttft == ttft,
        speed: speed.is_some() && figures.tokens_per_sec == speed,
    };
    all.iter().map(mark).collect()
}
