//! The built-in demo: an OpenAI-like server, and kubectl's twin.

pub mod cluster;
