//! What the numbers mean. Durations in, numbers out: no clocks, no IO.

pub mod arrivals;
pub mod compare;
pub mod dependence;
pub mod goodput;
pub mod history;
pub mod notes;
mod ordered;
pub mod over_runs;
pub mod rates;
pub mod request;
pub mod scrape;
pub mod sending;
mod server;
pub mod stats;
pub mod tally;
pub mod timeline;
pub mod traces;
pub mod watch;
