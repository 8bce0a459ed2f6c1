//! The server's own figures beside ours, over the answers that have both.
//!
//! Ours count from when a request was sent: what it waited before that is no doing of the server, and in an open loop
//! it could be most of a difference. What is left is gateway, network, and what waits before the server's clock starts.

use std::time::Duration;

use super::ordered::{Each, Effects};
use super::request::RequestRecord;
use super::stats::{Histogram, Scale};
use crate::domain::run::ServerSide;
use crate::domain::stats::P50;

/// Both sides of the good answers of a level.
#[derive(Debug, Clone)]
pub(super) struct ServerTally {
    ttft: Pair,
    latency: Pair,
    speed: Pair,
}

#[derive(Debug, Clone)]
struct Pair {
    ours: Histogram,
    theirs: Histogram,
}

impl ServerTally {
    pub(super) fn new() -> Self {
        let [time, rate] = [Scale::Time, Scale::Rate].map(Pair::new);
        Self {
            ttft: time.clone(),
            latency: time,
            speed: rate,
        }
    }

    /// Adds an answer that ended well.
    pub(super) fn answered(&mut self, record: &RequestRecord) {
        let figures = &record.figures;
        let Some(server) = figures.server else { return };
        self.ttft.times(figures.ttft, server.ttft);
        self.latency.times(figures.latency, server.latency);
        self.speed
            .rates(record.user_speed(), server.after_first_per_sec);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let Self {
            ttft,
            latency,
            speed,
        } = other;
        self.ttft.merge(ttft);
        self.latency.merge(latency);
        self.speed.merge(speed);
    }

    /// `None` where the server sent no figure. Its values depend on each other as ours do.
    pub(super) fn report(&self, effects: Option<&Effects>) -> Option<ServerSide> {
        let theirs = |pair: &Pair, ours: Each| {
            pair.theirs
                .stats_as(|it| Some(effects?.each(ours, it)?.among(pair.theirs.count())))
        };
        let (ttft, latency, speed) = (&self.ttft, &self.latency, &self.speed);
        let any = [ttft, latency, speed]
            .iter()
            .any(|pair| pair.theirs.count() > 0);
        any.then(|| ServerSide {
            ttft_ms: theirs(ttft, Each::Ttft),
            latency_ms: theirs(latency, Each::Latency),
            tokens_per_s: theirs(speed, Each::UserSpeed),
            ttft_p50_difference_ms: ttft.difference(),
            latency_p50_difference_ms: latency.difference(),
            tokens_per_s_p50_difference: speed.difference(),
        })
    }
}

impl Pair {
    fn new(scale: Scale) -> Self {
        Self {
            ours: Histogram::new(scale),
            theirs: Histogram::new(scale),
        }
    }

    fn times(&mut self, ours: Option<Duration>, theirs: Option<Duration>) {
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            self.ours.record(ours);
            self.theirs.record(theirs);
        }
    }

    fn rates(&mut self, ours: Option<f64>, theirs: Option<f64>) {
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            self.ours.record_rate(ours);
            self.theirs.record_rate(theirs);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.ours.merge(&other.ours);
        self.theirs.merge(&other.theirs);
    }

    /// Our median less the server's.
    fn difference(&self) -> Option<f64> {
        Some(self.ours.stats().at(P50)? - self.theirs.stats().at(P50)?)
    }
}
