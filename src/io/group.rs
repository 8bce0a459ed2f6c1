//! A program with all programs that it starts, to be killed together: kubectl and its credential plugins.
//!
//! On Unix they are a process group, which the [keeper](super::keeper) kills if Batida itself is killed. On Windows they
//! are a job object, which the system closes with Batida's last handle.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use tokio::process::{Child, Command};

/// A program and those that it has started. Dropping it kills them, and so does the end of Batida, whatever ends it.
#[derive(Debug)]
pub(crate) struct Group(system::Group);

impl Group {
    /// Starts a program as the first of a new group. Ctrl-C in Batida's terminal does not reach it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(command: &mut Command) -> io::Result<(Child, Self)> {
        command.kill_on_drop(true);
        system::start(command).map(|(child, group)| (child, Self(group)))
    }

    /// Lets the group live on after its first program exited: it may have opened a browser for a login.
    pub(crate) fn release(&mut self) {
        self.0.release();
    }

    /// Whether the program has started others that still run, e.g. a credential plugin; `None` if unknown.
    pub(crate) fn has_children(&self) -> Option<bool> {
        self.0.has_children()
    }
}

/// Makes groups end even if Batida is killed; `program` is its own executable. Not called in tests.
pub fn outlive_none(program: PathBuf) {
    system::outlive_none(program);
}

/// Runs what [`outlive_none`] starts, if these are its arguments. Tells whether they were.
pub fn serves(args: &[OsString]) -> bool {
    system::serves(args)
}

#[cfg(unix)]
mod system {
    use std::ffi::OsString;
    use std::io;
    use std::path::PathBuf;

    use rustix::process::{Pid, Signal, kill_process_group};
    use tokio::process::{Child, Command};

    use crate::io::keeper;

    #[derive(Debug)]
    pub(super) struct Group {
        id: Option<Pid>,
        /// Dropped after the group was killed.
        kept: Option<keeper::Kept>,
    }

    pub(super) fn start(command: &mut Command) -> io::Result<(Child, Group)> {
        let expected = keeper::expect();
        if let Some(expected) = &expected {
            command.env(keeper::VARIABLE, expected.marker());
        }
        let child = command.process_group(0).spawn()?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let kept = id
            .zip(expected)
            .and_then(|(id, expected)| expected.begun(id));
        Ok((child, Group { id, kept }))
    }

    impl Group {
        pub(super) fn release(&mut self) {
            self.id = None;
            self.kept = None;
        }

        /// Linux tells; other systems have no `/proc`.
        pub(super) fn has_children(&self) -> Option<bool> {
            let leader = self.id?.as_raw_nonzero();
            let tasks = std::fs::read_dir(format!("/proc/{leader}/task")).ok()?;
            let mut known = None;
            for task in tasks.flatten() {
                let Ok(children) = std::fs::read_to_string(task.path().join("children")) else {
                    continue;
                };
                if !children.trim().is_empty() {
                    return Some(true);
                }
                known = Some(false);
            }
            known
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            if let Some(group) = self.id {
                // Fails only if no process is left.
                kill_process_group(group, Signal::KILL).ok();
            }
        }
    }

    pub(super) fn outlive_none(program: PathBuf) {
        keeper::enable(program);
    }

    pub(super) fn serves(args: &[OsString]) -> bool {
        let asked = args.get(1).is_some_and(|arg| arg == keeper::ARGUMENT);
        if asked {
            keeper::run(io::stdin().lock());
        }
        asked
    }
}

#[cfg(windows)]
mod system {
    use std::ffi::OsString;
    use std::io;
    use std::path::PathBuf;

    use tokio::process::{Child, Command};
    use win32job::{ExtendedLimitInfo, Job};

    /// The program gets no console: it opens no window of its own, and Ctrl-C in Batida's does not reach it.
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;

    /// Closing the job kills all that is in it.
    #[derive(Debug)]
    pub(super) struct Group(Job);

    pub(super) fn start(command: &mut Command) -> io::Result<(Child, Group)> {
        let mut ends_with_us = ExtendedLimitInfo::new();
        ends_with_us.limit_kill_on_job_close();
        let job = Job::create_with_limit_info(&ends_with_us).map_err(io::Error::other)?;
        // What the program starts before it is in the job would stay outside; loading it alone takes longer than that.
        let mut child = command.creation_flags(CREATE_NO_WINDOW).spawn()?;
        if let Some(handle) = child.raw_handle()
            && let Err(error) = job.assign_process(handle as isize)
            // One that has exited already cannot be assigned, and needs not.
            && child.try_wait()?.is_none()
        {
            return Err(io::Error::other(error));
        }
        Ok((child, Group(job)))
    }

    impl Group {
        pub(super) fn release(&mut self) {
            // Without the limit, closing the job kills nothing.
            let _ = self.0.set_extended_limit_info(&ExtendedLimitInfo::new());
        }

        pub(super) fn has_children(&self) -> Option<bool> {
            Some(self.0.query_process_id_list().ok()?.len() > 1)
        }
    }

    /// The jobs do so by themselves.
    pub(super) fn outlive_none(_: PathBuf) {}

    pub(super) fn serves(_: &[OsString]) -> bool {
        false
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Stdio;
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process, test_kill_process};
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    use tokio::time::Instant;

    use super::*;

    /// A shell that has started another program, which is told.
    async fn family() -> (Child, Group, Pid) {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "sleep 100 & echo $!; wait"])
            .stdout(Stdio::piped());
        let (mut child, group) = Group::start(&mut command).expect("it starts");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        out.read_line(&mut line).await.expect("a line");
        let pid = Pid::from_raw(line.trim().parse().expect("a number")).expect("a process");
        (child, group, pid)
    }

    /// Whether it ends. One that nobody has waited for yet has ended all the same.
    async fn ends(pid: Pid) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
            test_kill_process(pid).is_ok() && !stat.is_ok_and(|stat| stat.contains(") Z "))
        };
        while lives() {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }

    #[tokio::test]
    async fn a_dropped_group_ends_with_all_that_it_has_started() {
        let (mut child, group, pid) = family().await;
        #[cfg(target_os = "linux")]
        assert_eq!(group.has_children(), Some(true));
        drop(group);
        assert!(ends(pid).await);
        assert!(!child.wait().await.expect("waited for").success());
    }

    #[tokio::test]
    async fn what_a_released_group_has_started_lives_on() {
        let (mut child, mut group, pid) = family().await;
        child.kill().await.expect("killed");
        group.release();
        drop(group);
        tokio::time::sleep(Duration::from_millis(50)).await;
        test_kill_process(pid).expect("it lives");
        // Ours to end: this test has started it.
        kill_process(pid, Signal::KILL).expect("killed");
    }
}
