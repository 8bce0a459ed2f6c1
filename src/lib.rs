//! Batida.
pub mod demo;
pub mod domain;
pub mod engine;
pub mod io;
pub mod metrics;
pub mod protocol;
pub mod sambastack;
pub mod snippet;
pub mod state;
pub mod ui;
pub mod wire;
