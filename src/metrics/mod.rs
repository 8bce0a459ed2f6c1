//! What the numbers mean. Durations in, numbers out: no clocks, no IO.

pub mod arrivals;
pub mod compare;
pub mod dependence;
pub mod findings;
pub mod goodput;
pub mod history;
pub mod knee;
mod least;
pub mod notes;
mod ordered;
pub mod over_runs;
pub mod rates;
pub mod request;
pub mod saturation;
pub mod scrape;
pub mod search;
pub mod sending;
mod server;
pub mod stats;
pub mod tally;
pub mod timeline;
pub mod traces;
pub mod watch;
