//! kubectl's process: reads its output while it runs.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::time::Instant;

use super::MAX_OUTPUT_BYTES;
use crate::io::activity::Recording;
use crate::io::group::Group;
use crate::wire::kubectl::{own_words, plain};

/// Only the end of standard error is kept, since a credential plugin may write a lot.
pub(super) const MAX_STDERR_BYTES: usize = 64 << 10;
/// How long to read the pipes after kubectl has exited. A credential plugin that keeps running would keep stderr open.
pub(super) const GRACE: Duration = Duration::from_millis(200);
/// Messages are shown after this delay: a message just before the exit belongs to the failure.
const MESSAGE_DELAY: Duration = Duration::from_millis(300);

pub(super) struct Output {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) status: std::process::ExitStatus,
}

pub(super) enum Ended {
    Finished(Output),
    /// The time limit was reached. `login`: a credential plugin was waiting for the user.
    TooSlow {
        waited: Duration,
        stderr: Vec<u8>,
        login: bool,
    },
}

/// The time limits of a command.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLimits {
    pub(super) deadline: Duration,
    /// The limit while a credential plugin waits for the user; `None` without a plugin.
    pub(super) login: Option<Duration>,
}

/// Forwards messages on standard error while kubectl runs.
#[derive(Debug, Default)]
pub(super) struct StderrMessages {
    since: Option<Instant>,
    /// A message was forwarded.
    pub(super) told: bool,
}

impl StderrMessages {
    pub(super) fn heard(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Whether a message is pending.
    pub(super) fn waits(&self) -> bool {
        self.since.is_some()
    }

    /// Waits until the pending message is due.
    pub(super) async fn due(&self) {
        match self.since {
            Some(since) => tokio::time::sleep_until(since + MESSAGE_DELAY).await,
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

/// The text on standard error, ready to be shown.
pub(super) fn words_of(stderr: &[u8]) -> String {
    plain(&own_words(&String::from_utf8_lossy(stderr)))
}

/// Reads both pipes until kubectl has exited and the pipes are quiet, or a time limit is reached.
pub(super) async fn read_output(
    child: &mut Child,
    group: &Group,
    recording: &mut Recording,
    patience: TimeLimits,
) -> io::Result<Ended> {
    let mut out = Pipe::new(child.stdout.take());
    let mut err = Pipe::new(child.stderr.take());
    let mut status = None;
    let began = Instant::now();
    let (mut last_heard, mut limit) = (began, began + patience.deadline);
    let mut speech = StderrMessages::default();
    loop {
        if let Some(status) = status
            && (out.is_done() && err.is_done() || last_heard.elapsed() >= GRACE)
        {
            return Ok(Ended::Finished(Output {
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
                if out.data.len() > MAX_OUTPUT_BYTES {
                    child.start_kill()?;
                    let status = child.wait().await?;
                    return Ok(Ended::Finished(Output { stdout: out.data, stderr: err.data, status }));
                }
            }
            read = err.read(), if !err.is_done() => {
                read?;
                err.keep_last(MAX_STDERR_BYTES);
                speech.heard();
                // After the exit, a process left behind may keep writing to stderr: only stdout extends the wait.
                if status.is_none() {
                    last_heard = Instant::now();
                }
            }
            () = speech.due(), if speech.waits() && status.is_none() => speech.tell(recording, &err.data),
            () = grace, if status.is_some() => {}
            () = tokio::time::sleep_until(limit) => {
                let login = patience.login.filter(|_| speech.told && group.has_children() != Some(false));
                match login {
                    // The user may be following the plugin's instructions.
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

/// The reading end of a pipe, and the bytes read from it.
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

    pub(super) fn keep_last(&mut self, bytes: usize) {
        if self.data.len() > 2 * bytes {
            self.data.drain(..self.data.len() - bytes);
        }
    }
}
