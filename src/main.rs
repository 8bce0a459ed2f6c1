//! Batida's program: picks a face.

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
