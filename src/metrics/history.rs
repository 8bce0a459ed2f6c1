//! The answers of a session, per model: what the charts and the table of medians are drawn from.

use std::time::Duration;

use super::timeline::{Figures, TokenSource};

/// One answer as a point of the charts.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Counts the session's answers over all models, from 1.
    pub n: u64,
    /// When it ended, since the program started.
    pub at: Duration,
    /// The beginning of the prompt, to recognise it by.
    pub prompt: String,
    /// The deployment it was asked of; `None` where there is no cluster.
    pub deployment: Option<String>,
    /// Its figures.
    pub figures: Figures,
}

/// A model's answers, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// The model's serving name.
    pub model: String,
    /// Its answers.
    pub samples: Vec<Sample>,
    /// `[answer number, TTFT in ms]`, ready to be drawn.
    pub ttft: Vec<[f64; 2]>,
    /// `[answer number, tokens per second]`, ready to be drawn.
    pub speed: Vec<[f64; 2]>,
    sorted: SortedFigures,
    medians: Medians,
}

/// A model's figures by size, so that another answer's does not need all to be sorted again.
#[derive(Debug, Clone, Default)]
struct SortedFigures {
    ttft: Vec<f64>,
    speed: Vec<f64>,
    latency: Vec<f64>,
}

/// Medians over a model's answers. Absent where no answer has the figure.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Medians {
    /// Time to first token.
    pub ttft: Option<Duration>,
    /// Tokens per second after the first token.
    pub tokens_per_sec: Option<f64>,
    /// Request sent to end of answer.
    pub latency: Option<Duration>,
}

/// All models of a session, in the order in which they first answered.
#[derive(Debug, Clone, Default)]
pub struct SessionHistory {
    series: Vec<Series>,
    answers: u64,
}

impl SessionHistory {
    /// Adds an answer that was complete.
    pub fn record(
        &mut self,
        model: &str,
        deployment: Option<String>,
        prompt: &str,
        at: Duration,
        figures: Figures,
    ) {
        self.answers += 1;
        let index = match self.series.iter().position(|series| series.model == model) {
            Some(index) => index,
            None => {
                self.series.push(Series {
                    model: model.to_owned(),
                    ..Series::default()
                });
                self.series.len() - 1
            }
        };
        let prompt = prompt
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(80)
            .collect();
        let sample = Sample {
            n: self.answers,
            at,
            prompt,
            deployment,
            figures,
        };
        self.series[index].push(sample);
    }

    /// A line each.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// How many answers there were.
    pub fn answers(&self) -> u64 {
        self.answers
    }
}

impl Series {
    fn push(&mut self, sample: Sample) {
        let n = sample.n as f64;
        if let Some(ttft) = sample.figures.ttft {
            self.ttft.push([n, ttft.as_secs_f64() * 1e3]);
        }
        if let Some(speed) = counted_speed(&sample) {
            self.speed.push([n, speed]);
        }
        let tokens_per_sec = counted_speed(&sample);
        let Figures { ttft, latency, .. } = sample.figures;
        self.samples.push(sample);
        let SortedFigures {
            ttft: ttfts,
            speed: speeds,
            latency: latencies,
        } = &mut self.sorted;
        insert(ttfts, ttft.map(|ttft| ttft.as_secs_f64()));
        insert(speeds, tokens_per_sec);
        insert(latencies, latency.map(|latency| latency.as_secs_f64()));
        self.medians = Medians {
            ttft: median(ttfts).map(Duration::from_secs_f64),
            tokens_per_sec: median(speeds),
            latency: median(latencies).map(Duration::from_secs_f64),
        };
    }

    /// Over all its answers.
    pub fn medians(&self) -> Medians {
        self.medians
    }
}

/// Tokens per second where the server counted tokens: chunks per second are another figure.
fn counted_speed(sample: &Sample) -> Option<f64> {
    let counted = sample
        .figures
        .tokens
        .is_some_and(|tokens| tokens.source == TokenSource::Usage);
    sample.figures.tokens_per_sec.filter(|_| counted)
}

fn insert(sorted: &mut Vec<f64>, value: Option<f64>) {
    let Some(value) = value else { return };
    let at = sorted.partition_point(|other| other.total_cmp(&value).is_lt());
    sorted.insert(at, value);
}

/// The middle value, or the mean of the two middle ones.
pub fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[middle - 1], upper))
}

/// Thins points that are sorted by x to the lowest and the highest of each of `columns` pixel columns
/// between `from` and `to`, with one point beyond each side so that lines run on to the edge.
/// What is drawn looks the same as all points drawn.
pub fn decimate(points: &[[f64; 2]], from: f64, to: f64, columns: usize) -> Vec<[f64; 2]> {
    let start = points
        .partition_point(|point| point[0] < from)
        .saturating_sub(1);
    let end = (points.partition_point(|point| point[0] <= to) + 1).min(points.len());
    let visible = points.get(start..end).unwrap_or_default();
    if visible.len() <= columns.max(1) * 2 || to <= from {
        return visible.to_vec();
    }
    let width = (to - from) / columns as f64;
    let column_of = |x: f64| ((x - from) / width).floor();
    let mut out: Vec<[f64; 2]> = Vec::with_capacity(columns * 2 + 4);
    for column in visible.chunk_by(|a, b| column_of(a[0]) == column_of(b[0])) {
        let low = column.iter().copied().min_by(|a, b| a[1].total_cmp(&b[1]));
        let high = column.iter().copied().max_by(|a, b| a[1].total_cmp(&b[1]));
        match (low, high) {
            (Some(low), Some(high)) if low == high => out.push(low),
            (Some(low), Some(high)) if low[0] <= high[0] => out.extend([low, high]),
            (Some(low), Some(high)) => out.extend([high, low]),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle() {
        for (values, expected) in [
            (vec![], None),
            (vec![3.0], Some(3.0)),
            (vec![4.0, 1.0], Some(2.5)),
            (vec![9.0, 1.0, 2.0], Some(2.0)),
            (vec![9.0, 1.0, 2.0, 4.0], Some(3.0)),
        ] {
            let mut sorted = Vec::new();
            for value in values {
                insert(&mut sorted, Some(value));
            }
            assert_eq!(median(&sorted), expected);
        }
    }

    #[test]
    fn an_answer_without_a_figure_leaves_no_point() {
        let mut history = SessionHistory::default();
        let ttft = Some(Duration::from_millis(80));
        history.record(
            "m",
            None,
            "one token",
            Duration::ZERO,
            Figures {
                ttft,
                ..Figures::default()
            },
        );
        history.record("k", None, "x", Duration::ZERO, Figures::default());
        let series = history.series();
        assert_eq!(
            (series[0].ttft.as_slice(), series[0].speed.as_slice()),
            (&[[1.0, 80.0]][..], &[][..])
        );
        assert_eq!((series[1].ttft.len(), series[1].samples.len()), (0, 1));
        assert_eq!(series[0].medians().tokens_per_sec, None);
        assert_eq!((history.answers(), series[1].model.as_str()), (2, "k"));
    }

    proptest! {
        #[test]
        fn thinning_keeps_every_columns_extremes(
            ys in prop::collection::vec(0.0f64..1e3, 0..2_000),
            columns in 1usize..100,
        ) {
            let points: Vec<[f64; 2]> = ys.iter().enumerate().map(|(i, y)| [i as f64, *y]).collect();
            let to = points.len() as f64;
            let thin = decimate(&points, 0.0, to, columns);
            prop_assert!(thin.len() <= columns * 2 + 4);
            prop_assert!(thin.windows(2).all(|w| w[0][0] <= w[1][0]));
            let highest = |points: &[[f64; 2]]| points.iter().map(|p| p[1]).fold(f64::MIN, f64::max);
            prop_assert_eq!(highest(&thin), highest(&points));
        }
    }
}
