//! The built-in demo: an OpenAI-compatible server and a simulated kubectl.
//!
//! The Demo environment, `batida demo`, the tests, the benchmarks and the screenshots all use it. [`exact`] is a
//! separate server with exact timing for measuring clients.

pub mod api;
pub mod cluster;
mod embed;
pub mod exact;
mod form;
mod model;
mod script;
mod sight;
