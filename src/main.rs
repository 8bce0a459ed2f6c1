//! Batida's program: picks a face.

fn main() {
    let mut args = std::env::args_os().skip(1);
    // The demo's kubectl runs as a process of its own, as a real one does.
    if args.next().is_some_and(|arg| arg == "kubectl-twin") {
        let args: Vec<_> = args.collect();
        std::process::exit(kubectl_twin(&args));
    }
}

fn kubectl_twin(args: &[std::ffi::OsString]) -> i32 {
    use std::io::Write as _;
    let answer = batida::demo::cluster::answer(args);
    // Fails only when nobody reads any more.
    std::io::stdout().write_all(&answer.stdout).ok();
    std::io::stderr().write_all(answer.stderr.as_bytes()).ok();
    answer.code
}
