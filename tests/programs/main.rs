//! The tests that need other programs: kubectl, curl, Python, Xvfb, D-Bus, a keyring, a Vulkan driver in software.
//! `cargo test --test programs` runs them. One that misses its program fails and says what to install.

mod beside;
mod checks;
#[cfg(feature = "gui")]
mod clipboard;
mod cluster;
#[cfg(feature = "gui")]
mod dialog;
#[cfg(feature = "gui")]
mod display;
mod follow;
#[cfg(feature = "gui")]
mod imports;
mod in_cluster;
mod jobs;
mod keychain;
mod kube;
mod lines;
#[cfg(feature = "gui")]
mod notify;
#[cfg(feature = "gui")]
mod odd;
#[cfg(feature = "gui")]
mod pictures;
mod signals;
mod snippets;
#[path = "../it/support/mod.rs"]
mod support;
#[cfg(feature = "gui")]
mod ui_cluster;
#[cfg(feature = "gui")]
mod ui_kube;
#[cfg(feature = "gui")]
mod window;
