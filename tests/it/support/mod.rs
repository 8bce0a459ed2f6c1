//! What the tests stand on. Two test targets and the benches share it, and each of them leaves some of it unused.
//! What needs kubectl, a display or Python is in `tests/programs`, where `tests/it` cannot name it.
#![allow(dead_code, reason = "no target uses all of it")]

#[cfg(feature = "gui")]
pub(crate) mod api;
pub(crate) mod batida;
#[cfg(feature = "gui")]
pub(crate) mod bench;
pub(crate) mod client;
pub(crate) mod demo;
#[cfg(feature = "gui")]
pub(crate) mod dropped;
pub(crate) mod environments;
#[cfg(feature = "gui")]
pub(crate) mod history;
#[cfg(feature = "gui")]
pub(crate) mod page;
pub(crate) mod pictures;
pub(crate) mod programs;
pub(crate) mod scripted;
pub(crate) mod secrets;
pub(crate) mod shell;
pub(crate) mod tls;
#[cfg(feature = "gui")]
pub(crate) mod tools;
#[cfg(feature = "gui")]
pub(crate) mod window;
