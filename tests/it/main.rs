//! The one integration-test binary: its modules are the tests.

mod bench;
mod bench_cli;
mod chat;
mod checks;
mod cli;
mod clipboard;
mod cluster;
mod dialog;
mod engine;
mod exact;
mod figures;
mod floors;
mod follow;
mod prompts;
mod secrets;
mod settings;
mod snippets;
mod support;
mod transcript;
mod ui;
mod ui_bench;
mod ui_layout;
mod window;
