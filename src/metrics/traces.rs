//! A session's charts over time, rebuilt from its requests.

use std::collections::VecDeque;
use std::time::Duration;

use super::request::{Phase, RequestRecord};
use crate::domain::history::Traces;
use crate::domain::run::{Flight, Point, RatePoint};
use crate::domain::units::ms;

/// Points of one chart.
const MOST_POINTS: u64 = 200_000;
/// A rate's tick, as while a session runs.
const TICK: Duration = Duration::from_millis(250);
/// A session of hours has wider ticks than these many would need.
const MOST_TICKS: u32 = 40_000;
/// Requests on the timeline.
const FLIGHTS: usize = 48;

/// Takes requests in any order and ends with [`Traces`].
#[derive(Debug)]
pub struct Tracer {
    every: u64,
    measured: u64,
    tick: Duration,
    ticks: Vec<Tick>,
    points: Vec<Point>,
    flights: VecDeque<Flight>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tick {
    tokens: f64,
    /// Requests that were sent, less those that ended.
    more: i64,
    /// The highest level that was under way, from 1; 0 for none.
    level: u32,
}

impl Tracer {
    /// For so many requests in a session of this length; both may be guesses.
    pub fn new(requests: u64, length: Duration) -> Self {
        Self {
            every: requests.div_ceil(MOST_POINTS).max(1),
            measured: 0,
            tick: TICK.max(length / MOST_TICKS),
            ticks: Vec::new(),
            points: Vec::new(),
            flights: VecDeque::new(),
        }
    }

    /// Adds a request that ended.
    pub fn add(&mut self, record: &RequestRecord) {
        let level = record.level as u32;
        self.at(record.sent, level).more += 1;
        self.at(record.ended, level).more -= 1;
        self.stream(record, level);
        if record.phase != Phase::Measured {
            return;
        }
        if self.measured.is_multiple_of(self.every) {
            self.points.push(Point {
                level,
                at_s: record.sent.as_secs_f64(),
                ttft_ms: record
                    .ttft()
                    .filter(|_| record.error.is_none())
                    .map(|ttft| ms(ttft) as f32),
            });
        }
        self.measured += 1;
        if self.flights.len() == FLIGHTS {
            self.flights.pop_front();
        }
        self.flights.push_back(Flight {
            index: record.index,
            due_s: record.due.as_secs_f64(),
            sent_s: Some(record.sent.as_secs_f64()),
            first_s: record
                .figures
                .ttft
                .map(|ttft| (record.sent + ttft).as_secs_f64()),
            ended_s: Some(record.ended.as_secs_f64()),
            failed: record.error.is_some(),
        });
    }

    /// Its tokens at the moments of its chunks, to each chunk the same share.
    fn stream(&mut self, record: &RequestRecord, level: u32) {
        let Some(first) = record.figures.ttft else {
            return;
        };
        let tokens = record.tokens().map_or(0, |tokens| tokens.n);
        let worth = tokens as f64 / (record.gaps_us.len() + 1) as f64;
        let mut at = record.sent + first;
        self.at(at, level).tokens += worth;
        for gap in &record.gaps_us {
            at += Duration::from_micros(u64::from(*gap));
            self.at(at, level).tokens += worth;
        }
    }

    fn at(&mut self, moment: Duration, level: u32) -> &mut Tick {
        // A moment that is far off what was said to be the length makes no list of millions.
        let most = MOST_TICKS as usize * 4;
        let n = (moment.as_nanos() / self.tick.as_nanos()).min(most as u128) as usize;
        if n >= self.ticks.len() {
            self.ticks.resize(n + 1, Tick::default());
        }
        let tick = &mut self.ticks[n];
        tick.level = tick.level.max(level + 1);
        tick
    }

    /// What was traced.
    pub fn finish(self) -> Traces {
        let Self {
            tick,
            ticks,
            mut points,
            flights,
            ..
        } = self;
        points.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let width = tick.as_secs_f64();
        let (mut in_flight, mut level) = (0i64, 0);
        let rates = ticks.iter().enumerate().map(|(n, tick)| {
            in_flight += tick.more;
            level = tick.level.checked_sub(1).unwrap_or(level);
            RatePoint {
                at_s: (n + 1) as f64 * width,
                level,
                tokens_per_s: tick.tokens / width,
                in_flight: u32::try_from(in_flight).unwrap_or(0),
            }
        });
        let rates = rates.collect();
        let mut flights = Vec::from(flights);
        flights.sort_by_key(|flight| flight.index);
        Traces {
            points,
            rates,
            flights,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::timeline::{Figures, TokenSource, Tokens};

    fn record(index: u64, sent_ms: u64, gaps: usize) -> RequestRecord {
        let sent = Duration::from_millis(sent_ms);
        let tokens = Tokens {
            n: 2 * (gaps as u64 + 1),
            source: TokenSource::Usage,
        };
        RequestRecord {
            index,
            level: 0,
            phase: Phase::Measured,
            due: sent,
            sent,
            ended: sent + Duration::from_millis(100 + 10 * gaps as u64),
            figures: Figures {
                ttft: Some(Duration::from_millis(100)),
                tokens: Some(tokens),
                ..Figures::default()
            },
            first_byte: None,
            gaps_us: vec![10_000; gaps],
            chunks: gaps as u64 + 1,
            bytes: 0,
            wanted_prompt_tokens: None,
            answered_by: None,
            reconnected: false,
            error: None,
        }
    }

    #[test]
    fn every_token_is_in_the_tick_of_its_chunk() {
        let mut tracer = Tracer::new(2, Duration::from_secs(1));
        tracer.add(&record(0, 0, 39));
        tracer.add(&record(1, 300, 0));
        let traces = tracer.finish();
        // Chunks at 100, 110 … 490 ms and one at 400 ms, two tokens each.
        let tokens: Vec<f64> = traces
            .rates
            .iter()
            .map(|rate| rate.tokens_per_s * 0.25)
            .collect();
        assert_eq!(tokens, [30.0, 52.0], "15 and 26 chunks");
        let in_flight: Vec<u32> = traces.rates.iter().map(|rate| rate.in_flight).collect();
        assert_eq!(in_flight, [1, 0]);
        assert_eq!(traces.points.len(), 2);
        assert_eq!(traces.flights[1].first_s, Some(0.4));
    }

    #[test]
    fn a_long_session_has_wider_ticks_and_chosen_points() {
        let mut tracer = Tracer::new(600_000, Duration::from_secs(86_400));
        for index in 0..1_000 {
            tracer.add(&record(index, index * 86_000, 3));
        }
        let traces = tracer.finish();
        assert_eq!(traces.points.len(), 334, "every third");
        assert!(traces.rates.len() <= 40_001, "{}", traces.rates.len());
        assert_eq!(traces.flights.len(), 48);
    }
}
