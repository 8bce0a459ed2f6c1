//! The one integration-test binary: its modules are the tests.

mod bench;
mod bench_cli;
mod chat;
mod cli;
mod clipboard;
mod cluster;
mod compare;
mod dialog;
mod engine;
mod exact;
mod figures;
mod floors;
mod history;
mod prompts;
mod secrets;
mod settings;
mod snippets;
mod support;
mod take_along;
mod transcript;
mod ui;
mod ui_bench;
mod ui_branches;
mod ui_history;
mod ui_layout;
mod window;
