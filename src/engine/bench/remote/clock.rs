//! How a worker's clock differs from this session's.
//!
//! Of several pings the one with the shortest round trip is taken: `offset = there − (sent + received) / 2`, which is off
//! by half of that round trip at most (Cristian's algorithm; NTP's clock filter takes the same sample, RFC 5905 §10).

use std::time::Duration;

/// What pings have shown. All moments in ns.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RemoteClock {
    /// The ping that is not answered, and when it was sent.
    asked: Option<(u64, u64)>,
    /// The shortest round trip since [`Self::forget`], and the offset that it gave: that clock minus this one.
    best: Option<(u64, i64)>,
}

impl RemoteClock {
    /// Machines' clocks drift apart: what was found for an earlier level is not kept.
    pub(super) fn forget(&mut self) {
        self.asked = None;
        // Until the first answer the earlier one is better than none.
        self.best = self.best.map(|(_, offset)| (u64::MAX, offset));
    }

    pub(super) fn ping(&mut self, n: u64, sent_ns: u64) {
        self.asked = Some((n, sent_ns));
    }

    pub(super) fn pong(&mut self, n: u64, received_ns: u64, there_ns: u64) {
        let Some((asked, sent)) = self.asked else {
            return;
        };
        if asked != n {
            return;
        }
        self.asked = None;
        let round_trip = received_ns.saturating_sub(sent);
        if self.best.is_none_or(|(best, _)| round_trip < best) {
            let here = sent + round_trip / 2;
            self.best = Some((round_trip, there_ns.wrapping_sub(here).cast_signed()));
        }
    }

    /// Whether an answer has not come.
    pub(super) fn waits(&self) -> bool {
        self.asked.is_some()
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        let (ns, _) = self.best.filter(|(ns, _)| *ns < u64::MAX)?;
        Some(Duration::from_nanos(ns))
    }

    fn offset(&self) -> i64 {
        self.best.map_or(0, |(_, offset)| offset)
    }

    /// A moment of this session by that clock.
    pub(super) fn there(&self, here_ns: u64) -> u64 {
        here_ns.saturating_add_signed(self.offset())
    }

    /// A moment by that clock in this session.
    pub(super) fn here(&self, there_ns: u64) -> u64 {
        there_ns.saturating_add_signed(self.offset().saturating_neg())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_round_trip_says_how_clocks_differ() {
        let mut clock = RemoteClock::default();
        // That clock is 3 s behind; the way there takes 1, 5 and 2 ms, the way back 1, 90 and 3.
        for (n, (go, back)) in [(1, 1), (5, 90), (2, 3)].into_iter().enumerate() {
            let (n, ms) = (n as u64, 1_000_000u64);
            let sent = 10_000 * ms + n * 500 * ms;
            clock.ping(n, sent);
            assert!(clock.waits());
            clock.pong(n, sent + (go + back) * ms, sent + go * ms - 3_000 * ms);
        }
        assert!(!clock.waits());
        assert_eq!(clock.round_trip(), Some(Duration::from_millis(2)));
        assert_eq!(clock.there(10_000_000_000), 7_000_000_000);
        assert_eq!(clock.here(7_000_000_000), 10_000_000_000);
    }

    #[test]
    fn a_clock_that_is_none_stops_nothing() {
        for there in [0, u64::MAX, 1 << 63] {
            let mut clock = RemoteClock::default();
            clock.ping(1, 5);
            clock.pong(1, 9, there);
            let _ = (clock.there(u64::MAX), clock.here(0), clock.here(u64::MAX));
        }
    }

    #[test]
    fn an_answer_to_another_ping_says_nothing() {
        let mut clock = RemoteClock::default();
        clock.ping(1, 100);
        clock.pong(0, 200, 5_000);
        assert!(clock.waits());
        assert_eq!(clock.round_trip(), None);
        assert_eq!(clock.there(7), 7);
        // What lies before the beginning of the other session is its beginning.
        clock.pong(1, 300, 0);
        assert_eq!(clock.there(50), 0);
    }
}
