//! The real program: started with nothing of the user's, and waited for in bounds.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// No command may take longer, on a busy machine too.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// What a command said, and its exit code.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The program at home in this folder, which is also where it works; its environment is otherwise empty.
pub(crate) fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_batida"));
    command.env_clear().env("HOME", home).current_dir(home);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[track_caller]
pub(crate) fn start(command: &mut Command) -> Child {
    command.spawn().expect("the program starts")
}

/// Waits for the end, which must come in time.
#[track_caller]
pub(crate) fn finish(child: Child) -> Said {
    let Output {
        status,
        stdout,
        stderr,
    } = finish_with_bytes(child);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said {
        code: status.code(),
        out: text(stdout),
        err: text(stderr),
    }
}

/// The same of what is no text.
#[track_caller]
pub(crate) fn finish_with_bytes(child: Child) -> Output {
    let pid = Pid::from_child(&child);
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    let Ok(ended) = told.recv_timeout(LIMIT) else {
        // It may end in this very moment.
        let _ = kill_process(pid, Signal::KILL);
        panic!("it did not end");
    };
    let ended = ended.expect("it can be waited for");
    let err = String::from_utf8_lossy(&ended.stderr);
    assert!(!err.contains("panicked"), "{err}");
    ended
}

/// Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).expect("it runs");
}
