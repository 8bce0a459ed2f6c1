//! Programs that tests run for real. A missing one fails the test with what to install.

use std::path::PathBuf;
use std::process::{Command, Output};

/// A command that has nothing to read, no proxy and no surprising environment.
pub(crate) fn quiet(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(std::process::Stdio::null());
    for proxy in [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ] {
        command.env_remove(proxy);
    }
    command
}

/// Where `program` is in `PATH`.
#[track_caller]
pub(crate) fn find(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{program} is missing: apt-get install {package}"))
}

/// Its standard output, if it succeeded.
#[track_caller]
pub(crate) fn output_of(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(
        status.success(),
        "{command:?} ended with {status}\n{stdout}\n{stderr}"
    );
    stdout.into_owned()
}

/// What an inner test says once it has done its work. Run by itself it returns at once and does not say it.
pub(crate) const RAN: &str = "the inner test ran to its end";

/// Says [`RAN`].
pub(crate) fn say_ran() {
    use std::io::Write as _;
    // Past the test harness, which would keep it for itself. Fails only when nobody listens.
    let _ = writeln!(std::io::stdout(), "{RAN}");
}

/// This binary, to run one of its inner tests in another environment.
pub(crate) fn this_test(name: &str) -> Command {
    let mut command = quiet(std::env::current_exe().expect("a path"));
    command.args(["--exact", name, "--nocapture"]);
    command
}

/// Runs a command that ends in [`this_test`], which must have run exactly that one to its end.
#[track_caller]
pub(crate) fn check_test(command: &mut Command) {
    let said = output_of(command);
    assert!(
        said.contains("1 passed") && said.contains(RAN),
        "{command:?} ran no test\n{said}"
    );
}

/// Whether a process runs. One that has ended and was not collected by its parent yet does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the name, which stands in parentheses.
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.trim_start().chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}
