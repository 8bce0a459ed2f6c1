//! Whether an open loop is over its server's capacity: requests in flight and TTFT both keep rising.
//!
//! Of both, the means of ten equal parts of the window are laid along a line; the level is saturated once both slopes are
//! above zero with 99 % confidence (Student's t, one-sided), the requests in flight grow by at least a tenth of those that
//! are answered, and both hold while the window becomes a third longer. A queue that is only busy grows and shrinks: the
//! longer the window, the nearer its slope is to zero. In simulation (eight slots, Poisson, five minutes) none of 40 levels
//! each at 50, 80, 90 and 95 % of the capacity was taken for saturated; at 110 % three in four were, at 120 % and above all,
//! after about 45 s with answers of half a second.
//!
//! guidellm looks at the same two slopes (`constraints/saturation.py`), of single values, which depend on each other.

use std::time::Duration;

/// Parts of the window.
const PARTS: usize = 10;
/// Student's t with eight degrees of freedom: 1 % lies beyond.
const T8: f64 = 2.896;
/// No window is shorter.
const LEAST_WINDOW: f64 = 10.0;
/// Nor has fewer answers.
const LEAST_ANSWERS: u64 = 100;
/// Nor is shorter than so many answers take one after the other.
const LEAST_TURNS: f64 = 60.0;
/// Unless that is longer, in seconds.
const MOST_TURNS: f64 = 300.0;
/// Both still rise when the window is so many times as long as when they were first seen to.
const HOLD: f64 = 4.0 / 3.0;
/// The requests in flight grow by at least this share of those that end.
const LEAST_GROWTH: f64 = 0.1;

/// Answers whose latency says how long one takes before a queue has grown.
const FIRST: u32 = 30;
/// What happens within so many seconds is kept together.
const BIN: f64 = 0.25;

/// What was seen of a level in an open loop.
#[derive(Debug, Clone, Default)]
pub struct Rising {
    /// For each quarter of a second of the session: looks and the requests that were due and had not ended; answers and
    /// their TTFT in ms.
    bins: Vec<[Mean; 2]>,
    answers: u64,
    /// Of the first answers, in seconds.
    latencies: Mean,
    /// How long the window was when both were first seen to rise.
    seen_at: Option<f64>,
}

/// A mean in the making.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    n: f64,
    sum: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        (self.n, self.sum) = (self.n + 1.0, self.sum + value);
    }

    fn mean(self) -> Option<f64> {
        (self.n > 0.0).then(|| self.sum / self.n)
    }
}

/// A level that is over its server's capacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saturated {
    /// How long it was watched, in seconds.
    pub window_s: f64,
    /// By how much the requests in flight grow a second, and the lower end of that.
    pub in_flight_per_s: [f64; 2],
    /// The same of TTFT, in ms a second.
    pub ttft_ms_per_s: [f64; 2],
}

impl Saturated {
    /// As a level's note.
    pub fn told(&self) -> String {
        let [flight, _] = self.in_flight_per_s;
        let [ttft, _] = self.ttft_ms_per_s;
        format!(
            "saturated: requests came faster than they were answered. Over {:.0} s the requests in flight grew by {flight:.1} \
             per second and TTFT by {ttft:.0} ms per second, both above zero with 99 % confidence",
            self.window_s
        )
    }
}

impl Rising {
    /// So many requests are due and have not ended at this moment.
    pub fn tick(&mut self, now: Duration, in_flight: u32) {
        self.bin(now)[0].add(f64::from(in_flight));
    }

    /// A request ended well.
    pub fn answered(&mut self, ended: Duration, ttft: Duration, latency: Duration) {
        self.bin(ended)[1].add(ttft.as_secs_f64() * 1e3);
        self.answers += 1;
        if self.answers <= u64::from(FIRST) {
            self.latencies.add(latency.as_secs_f64());
        }
    }

    fn bin(&mut self, at: Duration) -> &mut [Mean; 2] {
        let bin = (at.as_secs_f64() / BIN) as usize;
        if self.bins.len() <= bin {
            self.bins.resize(bin + 1, Default::default());
        }
        &mut self.bins[bin]
    }

    /// What is rising, from `began` on, once it is certain.
    pub fn saturated(&mut self, began: Duration, now: Duration) -> Option<Saturated> {
        let Some(seen) = self.looks_saturated(began, now) else {
            self.seen_at = None;
            return None;
        };
        let seen_at = *self.seen_at.get_or_insert(seen.window_s);
        (seen.window_s >= HOLD * seen_at).then_some(seen)
    }

    fn looks_saturated(&self, began: Duration, now: Duration) -> Option<Saturated> {
        let answer = self.latencies.mean()?;
        // As many come as go once the first have had the time of an answer.
        let from = began.as_secs_f64() + answer;
        let window_s = now.as_secs_f64() - from;
        let is_long = window_s >= (LEAST_TURNS * answer).clamp(LEAST_WINDOW, MOST_TURNS);
        if !is_long || self.answers < LEAST_ANSWERS {
            return None;
        }
        let first = ((from / BIN).ceil() as usize).min(self.bins.len());
        let bins = &self.bins[first..];
        let each = window_s / PARTS as f64;
        let slope_of = |which| Some(slope(&means(bins, which)?)?.map(|slope| slope / each));
        let in_flight_per_s = slope_of(0)?;
        let ttft_ms_per_s = slope_of(1)?;
        let ended: f64 = bins.iter().map(|bin| bin[1].n).sum();
        let is_large = in_flight_per_s[0] * window_s >= LEAST_GROWTH * ended;
        let both = in_flight_per_s[1] > 0.0 && ttft_ms_per_s[1] > 0.0;
        (both && is_large).then_some(Saturated {
            window_s,
            in_flight_per_s,
            ttft_ms_per_s,
        })
    }
}

/// The mean of each part of the window; `None` where one has no value.
fn means(bins: &[[Mean; 2]], which: usize) -> Option<Vec<f64>> {
    let mut parts = [Mean::default(); PARTS];
    for (at, bin) in bins.iter().enumerate() {
        let part = &mut parts[at * PARTS / bins.len()];
        (part.n, part.sum) = (part.n + bin[which].n, part.sum + bin[which].sum);
    }
    parts.into_iter().map(Mean::mean).collect()
}

/// The slope of ten means a part, and the lower end of its interval.
fn slope(means: &[f64]) -> Option<[f64; 2]> {
    let n = means.len() as f64;
    if means.len() < PARTS {
        return None;
    }
    let middle = (n - 1.0) / 2.0;
    let mean = means.iter().sum::<f64>() / n;
    let along: f64 = (0..means.len()).map(|i| (i as f64 - middle).powi(2)).sum();
    let both = means.iter().enumerate();
    let slope = both
        .map(|(i, y)| (i as f64 - middle) * (y - mean))
        .sum::<f64>()
        / along;
    let rest = means.iter().enumerate();
    let rest: f64 = rest
        .map(|(i, y)| (y - mean - slope * (i as f64 - middle)).powi(2))
        .sum();
    let deviation = (rest / (n - 2.0) / along).sqrt();
    Some([slope, slope - T8 * deviation])
}

/// Whether the means of ten parts rise, with 99 % confidence.
pub fn is_rising(means: &[f64]) -> bool {
    let ten = means
        .get(means.len().saturating_sub(PARTS)..)
        .unwrap_or(means);
    slope(ten).is_some_and(|[_, low]| low > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::Random;

    /// Poisson arrivals at `load` times the capacity of eight slots with exponential service of 0.5 s. Gives when it was
    /// found saturated, in seconds, looked at each second for `most`.
    fn found_after(load: f64, seed: u64, most: u64) -> Option<u64> {
        let mut random = Random::new(seed);
        let mut free = [0.0f64; 8];
        let mut due = 0.0;
        let (mut rising, mut all) = (Rising::default(), Vec::new());
        while due < most as f64 {
            due += random.exponential() / (load * 16.0);
            let slot = free
                .iter_mut()
                .min_by(|a, b| a.total_cmp(b))
                .expect("slots");
            let begins = slot.max(due);
            *slot = begins + 0.5 * random.exponential();
            all.push((due, begins + 0.05, *slot + 0.05));
        }
        let seconds = |s: f64| Duration::from_secs_f64(s);
        let mut by_end = all.clone();
        by_end.sort_by(|a, b| a.2.total_cmp(&b.2));
        let mut ended = by_end.into_iter().peekable();
        for now in 1..most {
            let at = now as f64;
            while let Some((due, first, end)) = ended.next_if(|(.., end)| *end <= at) {
                rising.answered(seconds(end), seconds(first - due), seconds(end - due));
            }
            let in_flight = all
                .iter()
                .filter(|(due, _, end)| *due <= at && *end > at)
                .count();
            rising.tick(seconds(at), in_flight as u32);
            if rising.saturated(Duration::ZERO, seconds(at)).is_some() {
                return Some(now);
            }
        }
        None
    }

    #[test]
    fn an_overload_is_found_and_a_busy_queue_is_none() {
        for seed in 0..10 {
            let after = found_after(1.3, seed, 120);
            assert!(after.is_some_and(|s| s <= 80), "1.3, {seed}: {after:?}");
        }
        for load in [0.5, 0.9] {
            let wrong = (0..20)
                .filter(|seed| found_after(load, *seed, 300).is_some())
                .count();
            assert_eq!(wrong, 0, "{load}");
        }
    }

    #[test]
    fn a_level_is_not_judged_by_its_beginning() {
        let mut rising = Rising::default();
        for s in 0..9u32 {
            rising.tick(Duration::from_secs(s.into()), s * 10);
            for _ in 0..20 {
                let time = Duration::from_secs(s.into());
                rising.answered(
                    time,
                    Duration::from_millis(u64::from(s) * 100),
                    Duration::from_secs(1),
                );
            }
        }
        assert_eq!(
            rising.saturated(Duration::ZERO, Duration::from_secs(9)),
            None
        );
    }
}
