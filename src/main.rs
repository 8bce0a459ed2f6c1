//! Batida's program: picks a face.

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let started = Instant::now();
    batida::cli::main(std::env::args_os().collect(), started, batida::ui::run)
}
