//! kubectl's process: what it prints and says while it runs, and that nothing of it stays behind.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::MOST_OUTPUT;
use crate::io::activity::Recording;
use crate::io::keeper;
use crate::wire::kubectl::{own_words, plain};

/// The last words decide, and a credential plugin may chatter for long.
pub(super) const MOST_WORDS: usize = 64 << 10;
/// How long what kubectl left in its pipes is waited for once it has ended. A credential plugin that lives
/// on keeps stderr open for as long as it likes.
pub(super) const GRACE: Duration = Duration::from_millis(200);
/// What is said so shortly before the end is no news but the failure.
const HOLD: Duration = Duration::from_millis(300);

/// A process group that is killed when this is dropped: kubectl and the plugins it has started. If Batida is killed
/// instead, its keeper kills the group.
#[derive(Debug)]
pub(crate) struct Group {
    id: Option<Pid>,
    /// Let go after the group was killed.
    _kept: Option<keeper::Kept>,
}

impl Group {
    /// Starts a program that leads a group of its own.
    pub(crate) fn start(command: &mut Command) -> io::Result<(Child, Self)> {
        let expected = keeper::expect();
        if let Some(expected) = &expected {
            command.env(keeper::VARIABLE, expected.marker());
        }
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let kept = id
            .zip(expected)
            .and_then(|(id, expected)| expected.begun(id));
        Ok((child, Self { id, _kept: kept }))
    }

    /// It ended by itself, and what it started on purpose, such as a browser to log in with, may stay.
    pub(crate) fn forgive(&mut self) {
        self.id = None;
        self._kept = None;
    }

    /// Whether its leader has children, e.g. a credential plugin; `None` where the system does not say.
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
            // Fails only when nobody is left to kill.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

pub(super) struct Answer {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) status: std::process::ExitStatus,
}

/// How a question ended.
pub(super) enum Ended {
    Answered(Answer),
    /// It was waited for long enough. `login`: a credential plugin was waiting for somebody.
    TooSlow {
        waited: Duration,
        stderr: Vec<u8>,
        login: bool,
    },
}

/// How long a question may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) deadline: Duration,
    /// The same while a credential plugin says what somebody is to do; `None` where there is no plugin.
    pub(super) login: Option<Duration>,
}

/// What is said on standard error while kubectl runs, told as it comes.
#[derive(Debug, Default)]
pub(super) struct Speech {
    since: Option<Instant>,
    /// Something was told.
    pub(super) told: bool,
}

impl Speech {
    pub(super) fn heard(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Whether something waits to be told.
    pub(super) fn waits(&self) -> bool {
        self.since.is_some()
    }

    /// Waits until it is to be told.
    pub(super) async fn due(&self) {
        match self.since {
            Some(since) => tokio::time::sleep_until(since + HOLD).await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn tell(&mut self, recording: &mut Recording, stderr: &[u8]) {
        self.since = None;
        let words = words_of(stderr);
        if !words.is_empty() {
            self.told = true;
            recording.say(&words);
        }
    }
}

/// What is on standard error, fit to be shown.
pub(super) fn words_of(stderr: &[u8]) -> String {
    plain(&own_words(&String::from_utf8_lossy(stderr)))
}

/// Reads both pipes until kubectl has ended and nothing more comes, or the patience is at its end.
pub(super) async fn converse(
    child: &mut Child,
    group: &Group,
    recording: &mut Recording,
    patience: Patience,
) -> io::Result<Ended> {
    let mut out = Pipe::new(child.stdout.take());
    let mut err = Pipe::new(child.stderr.take());
    let mut status = None;
    let began = Instant::now();
    let (mut last_heard, mut limit) = (began, began + patience.deadline);
    let mut speech = Speech::default();
    loop {
        if let Some(status) = status
            && (out.is_done() && err.is_done() || last_heard.elapsed() >= GRACE)
        {
            return Ok(Ended::Answered(Answer {
                stdout: out.data,
                stderr: err.data,
                status,
            }));
        }
        let grace = tokio::time::sleep_until(last_heard + GRACE);
        tokio::select! {
            biased;
            ended = child.wait(), if status.is_none() => {
                status = Some(ended?);
                last_heard = Instant::now();
            }
            read = out.read(), if !out.is_done() => {
                read?;
                last_heard = Instant::now();
                if out.data.len() > MOST_OUTPUT {
                    child.start_kill()?;
                    let status = child.wait().await?;
                    return Ok(Ended::Answered(Answer { stdout: out.data, stderr: err.data, status }));
                }
            }
            read = err.read(), if !err.is_done() => {
                read?;
                err.keep_last(MOST_WORDS);
                speech.heard();
                // What has ended may leave a chatterbox behind: only stdout prolongs the wait.
                if status.is_none() {
                    last_heard = Instant::now();
                }
            }
            () = speech.due(), if speech.waits() && status.is_none() => speech.tell(recording, &err.data),
            () = grace, if status.is_some() => {}
            () = tokio::time::sleep_until(limit) => {
                let login = patience.login.filter(|_| speech.told && group.has_children() != Some(false));
                match login {
                    // Somebody reads what the plugin says and does it.
                    Some(login) if began + login > limit => limit = began + login,
                    login => {
                        let login = login.is_some();
                        return Ok(Ended::TooSlow { waited: began.elapsed(), stderr: err.data, login });
                    }
                }
            }
        }
    }
}

/// One end of a pipe with what came through it.
#[derive(Debug)]
pub(super) struct Pipe<R> {
    end: Option<R>,
    pub(super) data: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    pub(super) fn new(end: Option<R>) -> Self {
        Self {
            end,
            data: Vec::new(),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.end.is_none()
    }

    pub(super) async fn read(&mut self) -> io::Result<()> {
        let Some(end) = &mut self.end else {
            return Ok(());
        };
        if self.data.capacity() - self.data.len() < 64 << 10 {
            self.data.reserve(self.data.len().max(128 << 10));
        }
        if end.read_buf(&mut self.data).await? == 0 {
            self.end = None;
        }
        Ok(())
    }

    pub(super) fn keep_last(&mut self, most: usize) {
        if self.data.len() > 2 * most {
            self.data.drain(..self.data.len() - most);
        }
    }
}
