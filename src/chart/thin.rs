//! Thinning of what is drawn over time: however long a session is, its chart costs the same.

use crate::domain::run::{Point, RatePoint};

/// Requests as the dots of a chart. However many are added, at most [`Dots::MOST`] are kept: of each stretch of
/// time the slowest and the fastest, and a few between them.
#[derive(Debug, Clone, Default)]
pub struct Dots {
    kept: Vec<Point>,
    added: u64,
}

impl Dots {
    /// More are never kept.
    pub const MOST: usize = 4_000;
    /// What thinning leaves of a stretch.
    const OF_EACH: usize = 4;

    /// Those to be drawn, about in the order in which they ended.
    pub fn kept(&self) -> &[Point] {
        &self.kept
    }

    /// How many were added.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// Adds those that ended since.
    pub fn add(&mut self, points: &[Point]) {
        self.added += points.len() as u64;
        for chunk in points.chunks(Self::MOST / 2) {
            if self.kept.len() + chunk.len() > Self::MOST {
                self.thin();
            }
            self.kept.extend_from_slice(chunk);
        }
    }

    /// Halves what is kept, at least.
    fn thin(&mut self) {
        let stretches = Self::MOST / 2 / Self::OF_EACH;
        self.kept.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let (Some(first), Some(last)) = (self.kept.first(), self.kept.last()) else {
            return;
        };
        let (from, width) = (
            first.at_s,
            (last.at_s - first.at_s).max(1e-9) / stretches as f64,
        );
        let stretch_of =
            |point: &Point| (((point.at_s - from) / width) as usize).min(stretches - 1);
        let mut left = Vec::with_capacity(Self::MOST);
        for stretch in self.kept.chunk_by(|a, b| stretch_of(a) == stretch_of(b)) {
            let low = (0..stretch.len()).min_by(|a, b| by_ttft(&stretch[*a], &stretch[*b]));
            let high = (0..stretch.len()).max_by(|a, b| by_ttft(&stretch[*a], &stretch[*b]));
            let some = [stretch.len() / 3, stretch.len() * 2 / 3].map(Some);
            let mut chosen: Vec<usize> = [low, high].into_iter().chain(some).flatten().collect();
            chosen.sort_unstable();
            chosen.dedup();
            left.extend(chosen.into_iter().map(|at| stretch[at]));
        }
        self.kept = left;
    }
}

/// Failures count as the slowest: they must not be lost.
fn by_ttft(a: &Point, b: &Point) -> std::cmp::Ordering {
    a.ttft_ms
        .unwrap_or(f32::INFINITY)
        .total_cmp(&b.ttft_ms.unwrap_or(f32::INFINITY))
}

/// Rates over time. Neighbours are merged into their mean once there are many.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    kept: Vec<RatePoint>,
    /// Ticks in each of those kept.
    ticks: u32,
    /// The mean so far of the ticks that do not fill one yet.
    open: Option<(RatePoint, u32)>,
}

impl Rates {
    /// More are never kept.
    pub const MOST: usize = 2_000;

    /// In the order of time.
    pub fn kept(&self) -> &[RatePoint] {
        &self.kept
    }

    /// Adds the ticks since.
    pub fn add(&mut self, rates: &[RatePoint]) {
        self.ticks = self.ticks.max(1);
        for rate in rates {
            let (mean, n) = match self.open.take() {
                // Levels differ: a mean over both would be of neither.
                Some((mean, n)) if mean.level == rate.level => (merged(mean, n, *rate, 1), n + 1),
                Some((mean, _)) => {
                    self.kept.push(mean);
                    (*rate, 1)
                }
                None => (*rate, 1),
            };
            if n < self.ticks {
                self.open = Some((mean, n));
            } else {
                self.kept.push(mean);
            }
            if self.kept.len() >= Self::MOST {
                let pairs = self.kept.chunks(2);
                self.kept = pairs
                    .map(|pair| {
                        if let [a, b] = pair {
                            merged(*a, 1, *b, 1)
                        } else {
                            pair[0]
                        }
                    })
                    .collect();
                self.ticks *= 2;
            }
        }
    }
}

fn merged(a: RatePoint, n: u32, b: RatePoint, m: u32) -> RatePoint {
    let (weight_a, weight_b) = (f64::from(n), f64::from(m));
    let tokens_per_s =
        (a.tokens_per_s * weight_a + b.tokens_per_s * weight_b) / (weight_a + weight_b);
    RatePoint { tokens_per_s, ..b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_and_the_failed_survive_the_thinning() {
        let mut dots = Dots::default();
        let point = |n: u32| Point {
            level: n / 20_000,
            at_s: f64::from(n) / 100.0,
            ttft_ms: Some(if n == 77_777 {
                9_000.0
            } else {
                100.0 + (n % 37) as f32
            }),
        };
        for n in 0..100_000 {
            dots.add(&[point(2 * n), point(2 * n + 1)]);
            if n == 1_234 {
                dots.add(&[Point {
                    ttft_ms: None,
                    ..point(2 * n)
                }]);
            }
        }
        assert_eq!(dots.added(), 200_001);
        assert!(
            dots.kept().len() <= Dots::MOST && dots.kept().len() > Dots::MOST / 4,
            "{}",
            dots.kept().len()
        );
        assert!(dots.kept().iter().any(|dot| dot.ttft_ms == Some(9_000.0)));
        assert!(dots.kept().iter().any(|dot| dot.ttft_ms.is_none()));
        for level in 0..10 {
            assert!(
                dots.kept().iter().any(|dot| dot.level == level),
                "level {level}"
            );
        }
    }

    #[test]
    fn merged_rates_keep_their_mean() {
        let mut rates = Rates::default();
        for n in 0..10_000u32 {
            let tokens_per_s = if n % 2 == 0 { 90.0 } else { 110.0 };
            rates.add(&[RatePoint {
                at_s: f64::from(n) / 4.0,
                level: 0,
                tokens_per_s,
                in_flight: 1,
            }]);
        }
        assert!(rates.kept().len() <= Rates::MOST);
        assert!(
            rates
                .kept()
                .iter()
                .all(|rate| (rate.tokens_per_s - 100.0).abs() < 1e-6)
        );
    }
}
