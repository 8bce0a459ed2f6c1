//! What is told while a session runs.

use super::{Bracket, LevelReport};
use crate::domain::plan::LevelLoad;

/// The state of a session that runs, told at most every 33 ms. Lists hold what is new since the last one.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchProgress {
    /// Since the session began, in seconds.
    pub elapsed_s: f64,
    /// What is being done.
    pub stage: Stage,
    /// The level under way, from 0.
    pub level: usize,
    /// How many there are.
    pub levels: usize,
    /// How much of the level is done, 0 to 1.
    pub level_done: f64,
    /// How much of the session is done, 0 to 1.
    pub done: f64,
    /// About how long the rest takes, in seconds; `None` while nobody can know.
    pub left_s: Option<f64>,
    /// Requests of the level that ended, and how many there will be.
    pub requests: (u64, Option<u64>),
    /// In flight: waiting for the first token, and streaming; and due but not sent.
    pub in_flight: InFlight,
    /// Measured requests that ended since.
    pub points: Vec<Point>,
    /// Rates since, one for each tick of about a quarter of a second.
    pub rates: Vec<RatePoint>,
    /// The last requests in flight and just ended, for the timeline; the whole list, at most 48.
    pub flights: Vec<Flight>,
    /// Readings of the server's own metrics since.
    pub server: Vec<ServerPoint>,
    /// Where they come from, or why there are none; only when it is new.
    pub server_told: Option<String>,
    /// The level under way as far as it is known, a few times a second.
    pub partial: Option<Box<LevelReport>>,
    /// Levels that ended since.
    pub ended: Vec<LevelReport>,
    /// How far a search is; `None` for other loads.
    pub search: Option<Searching>,
}

/// How far a search for the highest load is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Searching {
    /// The plan's target that it is about.
    pub target: usize,
    /// The load of the probe under way.
    pub load: LevelLoad,
    /// What is known so far.
    pub bracket: Bracket,
}

/// What a session is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Reads files, opens connections.
    #[default]
    Starting,
    /// Fits prompts to the server's tokenizer.
    Calibrating,
    /// Waits for the first answer of another model.
    Switching,
    /// Waits before the plan is run again.
    CoolingDown,
    /// Sends warm-ups.
    WarmingUp,
    /// Measures.
    Measuring,
    /// The level sends no more and waits for what is in flight.
    Draining,
    /// The user paused it: what is in flight goes on, nothing new is sent.
    Paused,
}

/// Requests in flight, by what they wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InFlight {
    /// Due, and not yet sent.
    pub queued: u32,
    /// Sent, no token yet.
    pub waiting: u32,
    /// Tokens are coming.
    pub streaming: u32,
}

/// A measured request as a point of a chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Its level.
    pub level: u32,
    /// When it was sent, in seconds from the session's beginning.
    pub at_s: f64,
    /// TTFT in ms; `None` when it failed.
    pub ttft_ms: Option<f32>,
}

/// The rates over one tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatePoint {
    /// The tick's end, in seconds from the session's beginning.
    pub at_s: f64,
    /// Its level.
    pub level: u32,
    /// Output tokens per second, counted as chunks while the server's count is not there yet.
    pub tokens_per_s: f64,
    /// Requests in flight at its end.
    pub in_flight: u32,
}

/// What the server's own metrics said at a moment. Absent: not said.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ServerPoint {
    /// In seconds from the session's beginning.
    pub at_s: f64,
    /// Requests that wait.
    pub queue: Option<f64>,
    /// Requests being worked on.
    pub running: Option<f64>,
    /// The busy part of the workers, 0 to 1.
    pub workers_busy: Option<f64>,
    /// The used part of the KV cache, 0 to 1.
    pub cache_use: Option<f64>,
}

/// A request on the timeline. Times in seconds from the session's beginning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flight {
    /// The request's index.
    pub index: u64,
    /// When it was due.
    pub due_s: f64,
    /// When it left; `None` while it is queued.
    pub sent_s: Option<f64>,
    /// When its first token came.
    pub first_s: Option<f64>,
    /// When it ended.
    pub ended_s: Option<f64>,
    /// It failed.
    pub failed: bool,
}

/// What a user does to a session under way, besides stopping it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steer {
    /// Send nothing new.
    Pause,
    /// Go on.
    Resume,
}
