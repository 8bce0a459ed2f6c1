//! The built-in demo: an OpenAI-like server, and kubectl's twin.
//!
//! One demo, used five ways: the Demo environment, `batida demo`, the tests, the benches, the pictures.

pub mod api;
pub mod cluster;
pub mod exact;
mod script;
