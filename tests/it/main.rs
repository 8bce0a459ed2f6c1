//! The one integration-test binary: its modules are the tests.

mod clipboard;
mod dialog;
mod secrets;
mod settings;
mod snippets;
mod cluster;
mod support;
mod transcript;
