//! Batida's program: opens the window or runs a command.

use std::process::ExitCode;
use std::time::Instant;

#[cfg(feature = "gui")]
const WINDOW: Option<batida::cli::OpenWindow> = Some(batida::ui::run);
#[cfg(not(feature = "gui"))]
const WINDOW: Option<batida::cli::OpenWindow> = None;

fn main() -> ExitCode {
    let started = Instant::now();
    batida::cli::main(std::env::args_os().collect(), started, WINDOW)
}
