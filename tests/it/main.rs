//! The tests that need nothing but the toolchain: the demo's server, the simulated kubectl, the built program, and the window
//! without a display. `cargo test` runs them. What needs other programs is in `tests/programs`.

mod answers;
mod bench;
mod bench_cli;
mod bench_clients;
mod bench_schema;
mod beside;
mod chat;
mod cli;
mod compare;
mod connections;
mod coverage;
mod endpoints;
#[cfg(feature = "gui")]
mod engine;
mod environment;
mod exact;
mod faults;
mod figures;
mod files;
mod floors;
mod give_away;
mod goals;
mod headless;
mod history;
#[cfg(feature = "gui")]
mod icons;
#[cfg(feature = "gui")]
mod imports;
mod lengths;
mod once;
mod other_files;
mod printed;
mod probes;
mod prompts;
mod proxies;
mod search;
mod secrets;
mod settings;
mod support;
mod take_along;
mod tls;
#[cfg(feature = "gui")]
mod transcript;
#[cfg(feature = "gui")]
mod ui;
#[cfg(feature = "gui")]
mod ui_attach;
#[cfg(feature = "gui")]
mod ui_bench;
#[cfg(feature = "gui")]
mod ui_bench_page;
#[cfg(feature = "gui")]
mod ui_branches;
#[cfg(feature = "gui")]
mod ui_conversations;
#[cfg(feature = "gui")]
mod ui_dialogs;
#[cfg(feature = "gui")]
mod ui_embed;
#[cfg(feature = "gui")]
mod ui_history;
#[cfg(feature = "gui")]
mod ui_layout;
#[cfg(feature = "gui")]
mod ui_library;
#[cfg(feature = "gui")]
mod ui_panes;
#[cfg(feature = "gui")]
mod ui_parameters;
#[cfg(feature = "gui")]
mod ui_start;
#[cfg(feature = "gui")]
mod ui_tools;
mod workers;
mod workspace;
#[cfg(feature = "gui")]
mod workspace_windows;
