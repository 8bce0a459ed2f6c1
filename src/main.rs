//! Batida's program: picks a face.

use std::process::ExitCode;

fn main() -> ExitCode {
    batida::cli::main(std::env::args_os().collect(), batida::ui::run)
}
