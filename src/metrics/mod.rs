//! What the numbers mean. Durations in, numbers out: no clocks, no IO.

pub mod history;
pub mod rates;
pub mod request;
pub mod stats;
pub mod timeline;
