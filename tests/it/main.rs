//! The one integration-test binary: its modules are the tests.

mod clipboard;
mod cluster;
mod dialog;
mod secrets;
mod settings;
mod snippets;
mod support;
mod transcript;
mod ui;
mod ui_layout;
