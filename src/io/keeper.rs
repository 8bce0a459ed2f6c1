//! The keeper: a helper process that kills the programs Batida has started if Batida itself is killed.
//!
//! It starts with the first kubectl, and reads the start and end of each process group from its standard input. When that
//! is closed, Batida has ended for whatever reason, and the keeper kills the remaining groups. Batida itself cannot do
//! this: SIGKILL leaves no time, and a parent-death signal reaches kubectl but not its credential plugin.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rustix::process::{Pid, Signal, getpgid, kill_process_group};

/// The argument that makes Batida's executable run as the keeper.
pub const ARGUMENT: &str = "kubectl-keeper";

static KEEPER: OnceLock<Keeper> = OnceLock::new();

/// The variable by which the keeper finds a program that was starting when Batida was killed.
pub(super) const VARIABLE: &str = "BATIDA_RUN";
/// How long to search for such a program, which may not be running yet.
const SEARCH_TIME: Duration = Duration::from_millis(600);

#[derive(Debug)]
struct Keeper {
    program: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    child: Option<Child>,
    /// The groups and markers that the keeper knows.
    kept: BTreeSet<String>,
    count: u64,
}

/// A program that is about to start with [`VARIABLE`] in its environment.
#[derive(Debug)]
pub(super) struct Expected(Kept);

/// A process group that the keeper kills unless this is dropped before.
#[derive(Debug)]
pub(super) struct Kept(String);

/// Enables the keeper; `program` is Batida's own executable. In tests it is not enabled.
pub fn enable(program: PathBuf) {
    // Already enabled.
    let _ = KEEPER.set(Keeper {
        program,
        state: Mutex::default(),
    });
}

/// Call this before starting a program.
pub(super) fn expect() -> Option<Expected> {
    let keeper = KEEPER.get()?;
    let mut state = keeper.state();
    state.count += 1;
    let marker = format!("{}-{}", std::process::id(), state.count);
    Some(Expected(keeper.keep(&mut state, marker)))
}

impl Expected {
    pub(super) fn marker(&self) -> &str {
        &self.0.0
    }

    /// The program has started as the leader of this group.
    pub(super) fn begun(self, group: Pid) -> Option<Kept> {
        let keeper = KEEPER.get()?;
        let mut state = keeper.state();
        Some(keeper.keep(&mut state, group.as_raw_nonzero().to_string()))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(keeper) = KEEPER.get() {
            let mut state = keeper.state();
            state.kept.remove(&self.0);
            keeper.say(&mut state, &format!("-{}\n", self.0));
        }
    }
}

impl Keeper {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn keep(&self, state: &mut State, what: String) -> Kept {
        self.say(state, &format!("+{what}\n"));
        state.kept.insert(what.clone());
        Kept(what)
    }

    /// Sends a line to the keeper. If that fails, Batida continues without it.
    fn say(&self, state: &mut State, line: &str) {
        if state.say(line).is_err() {
            // It has not started yet, or was killed.
            state.child = self.start().ok();
            let all: String = state.kept.iter().map(|kept| format!("+{kept}\n")).collect();
            state.say(&(all + line)).ok();
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
            // Ctrl-C must reach only Batida.
            .process_group(0)
            .spawn()
    }
}

impl State {
    fn say(&mut self, text: &str) -> io::Result<()> {
        let pipe = self.child.as_mut().and_then(|child| child.stdin.as_mut());
        pipe.ok_or(io::ErrorKind::NotConnected)?
            .write_all(text.as_bytes())
    }
}

/// Runs the keeper: reads until the input ends, then kills the remaining groups.
pub fn run(input: impl BufRead) {
    let mut kept = BTreeSet::new();
    for line in input.lines() {
        let Ok(line) = line else { break };
        match line.split_at_checked(1) {
            Some(("+", what)) => {
                kept.insert(what.to_owned());
            }
            Some(("-", what)) => {
                kept.remove(what);
            }
            _ => {}
        }
    }
    let mut markers = Vec::new();
    for what in kept {
        match what.parse::<i32>() {
            Ok(group) => kill(group),
            Err(_) => markers.push(what),
        }
    }
    let began = Instant::now();
    while !markers.is_empty() && began.elapsed() < SEARCH_TIME {
        markers.retain(|marker| find(marker).map(kill).is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill(group: i32) {
    if let Some(group) = Pid::from_raw(group).filter(|_| group > 1) {
        // Fails only if no process is left.
        kill_process_group(group, Signal::KILL).ok();
    }
}

/// Finds the process with this marker, which leads its group.
fn find(marker: &str) -> Option<i32> {
    let wanted = format!("{VARIABLE}={marker}");
    std::fs::read_dir("/proc")
        .ok()?
        .flatten()
        .find_map(|entry| {
            let id: i32 = entry.file_name().to_str()?.parse().ok()?;
            let environment = std::fs::read(entry.path().join("environ")).ok()?;
            let leads = || Some(getpgid(Pid::from_raw(id)).ok()?.as_raw_nonzero().get());
            environment
                .split(|byte| *byte == 0)
                .any(|it| it == wanted.as_bytes())
                .then(leads)?
        })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn only_remaining_groups_are_killed() {
        let sleeper = || {
            Command::new("sleep")
                .arg("100")
                .process_group(0)
                .spawn()
                .unwrap()
        };
        let (mut left, mut ended) = (sleeper(), sleeper());
        let told = format!(
            "+{}\n+{}\nrubbish\n\n-{}\n",
            left.id(),
            ended.id(),
            ended.id()
        );
        run(told.as_bytes());
        assert_eq!(left.wait().unwrap().signal(), Some(9));
        assert!(ended.try_wait().unwrap().is_none());
        ended.kill().unwrap();
        ended.wait().unwrap();
    }

    #[test]
    fn a_starting_program_is_found_by_its_marker() {
        let marker = format!("test-{}", std::process::id());
        let started = || {
            Command::new("sleep")
                .arg("100")
                .process_group(0)
                .env(VARIABLE, &marker)
                .spawn()
                .unwrap()
        };
        let mut child = started();
        run(format!("+{marker}\n").as_bytes());
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        let mut child = started();
        run(format!("+{marker}\n-{marker}\n").as_bytes());
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
