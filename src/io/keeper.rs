//! The keeper: a process of Batida's own that kills what Batida has started, should Batida be killed itself.
//!
//! It is started with the first kubectl and told of each process group's beginning and end over its standard input. When
//! that ends, Batida is gone, whatever ended it; the groups that are left are killed. In Batida's own process this cannot
//! be done: SIGKILL leaves it no time, and a parent-death signal reaches kubectl but not its credential plugin.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// The argument that makes Batida's executable the keeper.
pub const ARGUMENT: &str = "kubectl-keeper";

static KEEPER: OnceLock<Keeper> = OnceLock::new();

#[derive(Debug)]
struct Keeper {
    program: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    child: Option<Child>,
    groups: BTreeSet<i32>,
}

/// A process group that the keeper watches over until this is dropped.
#[derive(Debug)]
pub(super) struct Kept(i32);

/// Has process groups watched over from now on, by this program, which is Batida's own. Without it, as in tests, none are.
pub fn enable(program: PathBuf) {
    // Enabled already: nothing changes.
    let _ = KEEPER.set(Keeper { program, state: Mutex::default() });
}

pub(super) fn keep(group: Pid) -> Kept {
    let group = group.as_raw_nonzero().get();
    if let Some(keeper) = KEEPER.get() {
        keeper.change(group, true);
    }
    Kept(group)
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(keeper) = KEEPER.get() {
            keeper.change(self.0, false);
        }
    }
}

impl Keeper {
    /// Where the keeper cannot be started or told, all goes on without it.
    fn change(&self, group: i32, begins: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let line = if begins {
            state.groups.insert(group);
            format!("+{group}\n")
        } else {
            state.groups.remove(&group);
            format!("-{group}\n")
        };
        if state.say(&line).is_err() {
            // It has not begun, or somebody has killed it.
            state.child = self.start().ok();
            let all: String = state.groups.iter().map(|group| format!("+{group}\n")).collect();
            state.say(&all).ok();
        }
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.program)
            .arg0(ARGUMENT)
            .arg(ARGUMENT)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for Batida.
            .process_group(0)
            .spawn()
    }
}

impl State {
    fn say(&mut self, text: &str) -> io::Result<()> {
        let pipe = self.child.as_mut().and_then(|child| child.stdin.as_mut());
        pipe.ok_or(io::ErrorKind::NotConnected)?.write_all(text.as_bytes())
    }
}

/// The keeper itself: reads until its input ends, then kills the groups that are left.
pub fn run(input: impl BufRead) {
    let mut groups = BTreeSet::new();
    for line in input.lines() {
        let Ok(line) = line else { break };
        let Some((sign, Ok(group))) = line.split_at_checked(1).map(|(sign, id)| (sign, id.parse::<i32>()))
        else {
            continue;
        };
        if sign == "+" {
            groups.insert(group);
        } else {
            groups.remove(&group);
        }
    }
    for group in groups.into_iter().filter(|group| *group > 1).filter_map(Pid::from_raw) {
        // Fails only when nobody is left to kill.
        kill_process_group(group, Signal::KILL).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn what_is_left_is_killed_and_what_has_ended_is_let_be() {
        let sleeper = || Command::new("sleep").arg("100").process_group(0).spawn().unwrap();
        let (mut left, mut ended) = (sleeper(), sleeper());
        let told = format!("+{}\n+{}\nrubbish\n\n-{}\n", left.id(), ended.id(), ended.id());
        run(told.as_bytes());
        assert_eq!(left.wait().unwrap().signal(), Some(9));
        assert!(ended.try_wait().unwrap().is_none());
        ended.kill().unwrap();
        ended.wait().unwrap();
    }
}
