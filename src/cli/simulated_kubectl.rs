//! The demo's kubectl: a process of its own, as a real one is.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::{out, report};
use crate::demo::cluster::{self, KubectlStream};

/// Answers one call of kubectl; `args` are kubectl's.
pub(super) fn run(args: &[OsString]) -> ExitCode {
    if let Some(watch) = cluster::watch(args) {
        return follow(&watch);
    }
    let answer = cluster::answer(args);
    // Fails only when nobody reads any more.
    let _ = out::bytes().write_all(&answer.stdout);
    report::error_text(&answer.stderr);
    ExitCode::from(u8::try_from(answer.code).unwrap_or(1))
}

/// Until the watch is over, or nobody reads it any more.
fn follow(watch: &KubectlStream) -> ExitCode {
    const BOOKMARKS: Duration = Duration::from_secs(60);
    let mut out = out::bytes();
    let mut say = |line: &str| writeln!(out, "{line}").and_then(|()| out.flush()).is_ok();
    if !watch.first.iter().all(|line| say(line)) {
        return ExitCode::SUCCESS;
    }
    let end = Instant::now() + watch.lasts;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        std::thread::sleep(left.min(BOOKMARKS));
        if left <= BOOKMARKS || !say(&watch.bookmark) {
            return ExitCode::SUCCESS;
        }
    }
}
