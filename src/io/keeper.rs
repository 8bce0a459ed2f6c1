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
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpgid, kill_process_group};

/// The argument that makes Batida's executable the keeper.
pub const ARGUMENT: &str = "kubectl-keeper";

static KEEPER: OnceLock<Keeper> = OnceLock::new();

/// The variable by which the keeper finds a program that began in the very moment in which Batida was killed.
pub(super) const VARIABLE: &str = "BATIDA_RUN";
/// How long such a program is looked for: it may not have begun to run.
const SEARCH: Duration = Duration::from_millis(600);

#[derive(Debug)]
struct Keeper {
    program: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    child: Option<Child>,
    /// The lines that tell what the keeper watches over.
    kept: BTreeSet<String>,
    count: u64,
}

/// A program that is about to be started, to be given [`VARIABLE`] with this value.
#[derive(Debug)]
pub(super) struct Expected(Kept);

/// A process group that the keeper watches over until this is dropped.
#[derive(Debug)]
pub(super) struct Kept(String);

/// Has process groups watched over from now on, by this program, which is Batida's own. Without it, as in tests, none are.
pub fn enable(program: PathBuf) {
    // Enabled already: nothing changes.
    let _ = KEEPER.set(Keeper {
        program,
        state: Mutex::default(),
    });
}

/// To be called before a program is started.
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

    /// It was started, and leads this group.
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, state: &mut State, what: String) -> Kept {
        self.say(state, &format!("+{what}\n"));
        state.kept.insert(what.clone());
        Kept(what)
    }

    /// Where the keeper cannot be started or told, all goes on without it.
    fn say(&self, state: &mut State, line: &str) {
        if state.say(line).is_err() {
            // It has not begun, or somebody has killed it.
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
            // Ctrl-C is for Batida.
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

/// The keeper itself: reads until its input ends, then kills what is left.
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
    while !markers.is_empty() && began.elapsed() < SEARCH {
        markers.retain(|marker| find(marker).map(kill).is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill(group: i32) {
    if let Some(group) = Pid::from_raw(group).filter(|_| group > 1) {
        // Fails only when nobody is left to kill.
        kill_process_group(group, Signal::KILL).ok();
    }
}

/// The process that was started with this marker: it leads its group.
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
    fn what_is_left_is_killed_and_what_has_ended_is_let_be() {
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
    fn what_was_about_to_begin_is_found_by_its_marker() {
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
