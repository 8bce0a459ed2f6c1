//! Everything that waits: jobs on a tokio runtime.
//!
//! The window's jobs run on a thread of their own, see [`Engine`]; the command line awaits the same functions.

pub mod attach;
pub mod bench;
pub mod chat;
pub mod check;
pub mod cluster;
pub mod connection;
pub mod environment_info;
pub mod follow;
pub mod history;
pub mod imports;
pub mod in_cluster;
#[cfg(feature = "gui")]
mod jobs;
pub mod logs;
pub mod probe;
#[cfg(feature = "gui")]
pub mod quit;

use std::path::PathBuf;

use self::connection::Connections;
use self::history::{History, HistoryNotice};
#[cfg(feature = "gui")]
pub use self::jobs::{Engine, Started};
use crate::domain::failure::Failure;
use crate::domain::settings::Settings;
use crate::io::history::Store;
use crate::io::secrets::Keys;
use crate::io::settings::SettingsStore;
use crate::protocol::Activity;

/// What the engine is told at its start.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The folder of the settings; `None` for the user's own.
    pub config: Option<PathBuf>,
    /// The executable that plays kubectl for the demo; `None` for this one.
    pub simulated_kubectl: Option<PathBuf>,
}

/// What time it is, for what is relative to today: neither the state nor the window reads a clock.
pub fn clock() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Names a session. `kind`: `b` for benchmarks, `c` for conversations.
pub fn new_id(kind: char) -> String {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    // The standard library's only source of randomness.
    format!(
        "{kind}{:012x}",
        RandomState::new().build_hasher().finish() >> 16
    )
}

/// A seed for a session whose plan names none, small enough for every reader of JSON.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    RandomState::new().build_hasher().finish() >> 32
}

fn no_thread(error: std::io::Error) -> Failure {
    Failure::new(
        "The system gives Batida no thread to work on",
        "Close other programs and try again",
    )
    .with_details(error.to_string())
}

fn store(options: &Options) -> Result<SettingsStore, Failure> {
    match &options.config {
        Some(dir) => Ok(SettingsStore::in_dir(dir)),
        None => SettingsStore::open_default(),
    }
}

/// Where the history is: with the settings when they have a folder of their own.
///
/// # Errors
/// When there is no home directory.
pub fn history_dir(options: &Options) -> Result<PathBuf, Failure> {
    match &options.config {
        Some(dir) => Ok(dir.clone()),
        None => Store::default_dir(),
    }
}

/// The history for one command of the command line; told of trouble. What it gives must be dropped before the
/// program ends.
///
/// # Errors
/// When the system gives no thread.
pub fn history(
    options: &Options,
    tell: impl Fn(HistoryNotice) + Send + 'static,
) -> Result<History, Failure> {
    History::start(history_dir(options), tell)
}

/// The settings and the connections for one command of the command line, on the caller's runtime.
///
/// # Errors
/// When there is no folder for the settings.
pub fn connections(
    options: &Options,
    tell: impl Fn(Activity) + Send + Sync + 'static,
) -> Result<(Connections, Settings, Option<Failure>), Failure> {
    let store = store(options)?;
    let loaded = store.load_untouched();
    Ok((
        Connections::new(Keys::new(store), simulated_kubectl(options), tell),
        loaded.settings,
        loaded.notice,
    ))
}

/// The program that simulates kubectl for the demo: Batida itself.
fn simulated_kubectl(options: &Options) -> PathBuf {
    // Without a path of its own the program is looked up by name.
    options
        .simulated_kubectl
        .clone()
        .or_else(|| std::env::current_exe().ok())
        .unwrap_or_else(|| PathBuf::from("batida"))
}

/// A panic in a job, told to the user.
fn own_fault(panic: &tokio::task::JoinError) -> Failure {
    let advice = "This is a defect: please report it with these details. The rest goes on";
    Failure::new("Something failed in Batida itself", advice).with_details(panic.to_string())
}
