//! Which of the answers to the same message was the fastest.

use std::collections::HashMap;
use std::time::Duration;

use super::Panes;
use crate::domain::units;
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
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fastest {
    /// Its first token came soonest: by this share of the next one's time.
    pub ttft: Option<f64>,
    /// It had the most tokens per second, by this share of the next one's; only where all are counted alike.
    pub speed: Option<f64>,
}

impl Fastest {
    /// When an answer is marked as the fastest.
    pub const RULE: &str = "Marked when it is at least 10 % ahead of the next answer to the same message, for the time to \
                            first token by at least 10 ms too";

    /// In words; `None` where it was in nothing.
    pub fn told(self) -> Option<String> {
        let by = |name: &str, share: f64| format!("{name} by {}", units::whole_percent(share));
        let speed = self.speed.map(|share| by("tok/s", share));
        let ttft = self.ttft.map(|share| by("TTFT", share));
        let told: Vec<String> = speed.into_iter().chain(ttft).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// By less than this share one answer is no faster than another: the same model asked twice differs by as much.
const SIGNIFICANT_SHARE: f64 = 0.1;
/// Nobody notices less of a delay, and the network alone differs by as much.
const SIGNIFICANT_DELAY: Duration = Duration::from_millis(10);

fn fastest_of(all: &[Figures]) -> Vec<Fastest> {
    let mut ttfts: Vec<Duration> = all.iter().filter_map(|figures| figures.ttft).collect();
    ttfts.sort_unstable();
    let ttft = match ttfts[..] {
        [first, second, ..] if second - first >= SIGNIFICANT_DELAY => {
            let ahead = 1.0 - first.as_secs_f64() / second.as_secs_f64();
            (ahead >= SIGNIFICANT_SHARE).then_some((first, ahead))
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
        [first, second, ..] if alike && first >= second * (1.0 + SIGNIFICANT_SHARE) => {
            Some((first, first / second - 1.0))
        }
        _ => None,
    };
    let mark = |figures: &Figures| Fastest {
        ttft: ttft.and_then(|(first, ahead)| (figures.ttft == Some(first)).then_some(ahead)),
        speed: speed
            .and_then(|(first, ahead)| (figures.tokens_per_sec == Some(first)).then_some(ahead)),
    };
    all.iter().map(mark).collect()
}
