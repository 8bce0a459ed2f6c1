//! The built-in demo: an OpenAI-like server, and kubectl's twin.
//!
//! One demo, used five ways: the Demo environment, `batida demo`, the tests, the benches, the pictures. Beside
//! it a server that keeps exact times ([`exact`]), to measure clients with.

pub mod api;
pub mod cluster;
mod embed;
pub mod exact;
mod form;
mod script;
mod sight;
