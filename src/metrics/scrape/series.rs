//! Readings over time, and what they come to over a part of it.

use std::time::Duration;

use super::Reading;
use crate::domain::run::{Gauge, QueueTime, ServerMetrics};

/// Readings in the order in which they were taken. At most [`Readings::MOST`] are kept: of more, every second is left
/// out, so that a session of days needs no more memory.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    kept: Vec<(Duration, Reading)>,
}

impl Readings {
    /// More are never kept.
    pub const MOST: usize = 4_096;

    /// Adds what was read at a moment.
    pub fn add(&mut self, at: Duration, reading: Reading) {
        if self.kept.len() >= Self::MOST {
            let mut n = 0;
            self.kept.retain(|_| {
                n += 1;
                n % 2 == 1
            });
        }
        self.kept.push((at, reading));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.kept.clear();
    }

    /// What the readings from one moment to another say; `None` when there is none.
    ///
    /// Gauges are over all readings, counters the sum of their rises from the first to the last: one that falls was set
    /// to zero by a restart.
    pub fn between(&self, [from, to]: [Duration; 2]) -> Option<ServerMetrics> {
        let within = self.kept.iter().filter(|(at, _)| (from..=to).contains(at));
        let within: Vec<&Reading> = within.map(|(_, reading)| reading).collect();
        if within.is_empty() {
            return None;
        }
        let gauge = |of: fn(&Reading) -> Option<f64>| {
            Gauge::of(within.iter().filter_map(|reading| of(reading)).collect())
        };
        let rise = |of: fn(&Reading) -> Option<f64>| rise(within.iter().map(|reading| of(reading)));
        let hits = match (rise(|r| r.cache_hits), rise(|r| r.cache_queries)) {
            (Some(hits), Some(queries)) if queries > 0.0 => Some((hits / queries).min(1.0)),
            _ => gauge(|r| r.cache_hit_rate).mean,
        };
        Some(ServerMetrics {
            readings: within.len() as u64,
            queue: gauge(|r| r.queue),
            running: gauge(|r| r.running),
            cache_use: gauge(|r| r.cache_use),
            workers_busy: gauge(|r| r.workers_busy),
            longest_wait_ms: gauge(|r| r.longest_wait_s.map(|seconds| seconds * 1e3)),
            queue_time_ms: queue_time(&within),
            preemptions: rise(|r| r.preemptions),
            cache_hits: hits,
        })
    }
}

/// How much a counter rose; `None` with fewer than two values.
fn rise(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.flatten().collect();
    let rises = values.windows(2).map(|pair| {
        // After a restart it counts from zero.
        if pair[1] < pair[0] {
            pair[1]
        } else {
            pair[1] - pair[0]
        }
    });
    (values.len() > 1).then(|| rises.sum())
}

/// Percentiles of what was added to the buckets.
fn queue_time(within: &[&Reading]) -> QueueTime {
    let Some(last) = within.last() else {
        return QueueTime::default();
    };
    let bounds = last.queue_time.keys();
    let added: Option<Vec<(f64, f64)>> = bounds
        .map(|bound| {
            let counts = within
                .iter()
                .map(|reading| reading.queue_time.get(bound).copied());
            Some((f64::from_bits(*bound), rise(counts)?))
        })
        .collect();
    let added = added.unwrap_or_default();
    // The last bound is +Inf, below which all are.
    let count = added.last().map(|(_, count)| *count);
    let at = |share| quantile(&added, share).map(|seconds| seconds * 1e3);
    let sum = rise(within.iter().map(|reading| reading.queue_time_sum));
    let mean = sum.zip(count.filter(|count| *count > 0.0));
    QueueTime {
        count,
        mean: mean.map(|(sum, count)| sum / count * 1e3),
        p50: at(0.5),
        p99: at(0.99),
    }
}

/// As Prometheus' `histogram_quantile`: values are taken as spread evenly within a bucket. `None` without values, and
/// where a bucket says too little: beyond the last finite bound, and below the first, where all may be zero (vLLM's first
/// bound is 300 ms).
fn quantile(buckets: &[(f64, f64)], share: f64) -> Option<f64> {
    let all = buckets
        .last()
        .map(|(_, count)| *count)
        .filter(|all| *all > 0.0)?;
    let rank = share * all;
    let mut lower: Option<(f64, f64)> = None;
    for (bound, count) in buckets {
        let counted = lower.map_or(0.0, |(_, counted)| counted);
        if *count >= rank && *count > counted {
            let (below, counted) = lower?;
            return bound
                .is_finite()
                .then(|| below + (bound - below) * (rank - counted).max(0.0) / (count - counted));
        }
        lower = Some((*bound, count.max(counted)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(queue: f64, preemptions: f64) -> Reading {
        Reading {
            queue: Some(queue),
            preemptions: Some(preemptions),
            ..Reading::default()
        }
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn gauges_are_over_all_readings_and_counters_are_differences() {
        let mut readings = Readings::default();
        for (at, (queue, preemptions)) in [
            (9.0, 90.0),
            (1.0, 100.0),
            (2.0, 103.0),
            (6.0, 104.0),
            (0.0, 200.0),
        ]
        .into_iter()
        .enumerate()
        {
            readings.add(s(at as u64), reading(queue, preemptions));
        }
        let found = readings.between([s(1), s(3)]).expect("three");
        assert_eq!((found.readings, found.preemptions), (3, Some(4.0)));
        assert_eq!(
            found.queue,
            Gauge {
                mean: Some(3.0),
                p50: Some(2.0),
                max: Some(6.0)
            }
        );
        // What was not said is not known.
        assert_eq!((found.running, found.cache_hits), (Gauge::default(), None));
        assert_eq!(readings.between([s(10), s(20)]), None);
        let one = readings.between([s(4), s(4)]).expect("one");
        assert_eq!(
            (one.readings, one.preemptions, one.queue.max),
            (1, None, Some(0.0))
        );
    }

    #[test]
    fn a_counter_that_falls_was_begun_anew() {
        let values = [5.0, 7.0, 1.0, 4.0].map(Some);
        assert_eq!(rise(values.into_iter()), Some(2.0 + 1.0 + 3.0));
        assert_eq!(rise([Some(5.0)].into_iter()), None);
        assert_eq!(rise([Some(5.0), None, Some(6.0)].into_iter()), Some(1.0));
    }

    #[test]
    fn a_percentile_is_interpolated_within_its_bucket() {
        let buckets = [(0.1, 0.0), (0.5, 50.0), (1.0, 90.0), (f64::INFINITY, 100.0)];
        // What Prometheus' histogram_quantile gives for these buckets.
        assert_eq!(quantile(&buckets, 0.5), Some(0.5));
        assert_eq!(quantile(&buckets, 0.25), Some(0.1 + 0.4 * 0.5));
        assert_eq!(quantile(&buckets, 0.9), Some(1.0));
        // Beyond the last bound nobody knows.
        assert_eq!(quantile(&buckets, 0.99), None);
        // All in the first bucket: they may have been zero.
        assert_eq!(
            quantile(&[(0.3, 10.0), (0.5, 10.0), (f64::INFINITY, 10.0)], 0.99),
            None
        );
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[(1.0, 0.0), (f64::INFINITY, 0.0)], 0.5), None);
    }

    #[test]
    fn a_long_session_keeps_a_bounded_number() {
        let mut readings = Readings::default();
        for at in 0..20_000 {
            readings.add(s(at), reading(1.0, at as f64));
        }
        assert!(readings.kept.len() <= Readings::MOST);
        let whole = readings.between([s(0), s(20_000)]).expect("some");
        assert_eq!(whole.preemptions, Some(19_999.0));
    }
}
