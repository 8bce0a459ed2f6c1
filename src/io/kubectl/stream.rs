//! Reads kubectl's output line by line, for watches.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::time::Instant;

use super::logins::LoginTurn;
use super::outcome::too_slow;
use super::process::{GRACE, MAX_STDERR_BYTES, Pipe, StderrMessages, words_of};
use super::{Kubectl, KubectlError};
use crate::domain::failure::{Advice, Failure};
use crate::io::activity::Recording;
use crate::io::group::Group;
use crate::protocol::ActivityKind;
use crate::wire::kubectl::KubectlFault;

/// Far more than any object; a server that never ends the line must not fill the memory.
const MAX_LINE_BYTES: usize = 16 << 20;
/// A watch may have no output: after this time without a message of a plugin, the next kubectl may start.
const QUIET_LOGIN: Duration = Duration::from_secs(3);

/// A running kubectl. Dropping it kills kubectl and the programs it has started.
#[derive(Debug)]
pub struct OutputLines {
    kubectl: Kubectl,
    child: Child,
    group: Group,
    out: Pipe<ChildStdout>,
    err: Pipe<ChildStderr>,
    /// Bytes at the start of the buffer that contain no line end.
    searched: usize,
    recording: Option<Recording>,
    speech: StderrMessages,
    began: Instant,
    /// Held until the first output, so that other kubectls wait for the login.
    turn: Option<LoginTurn>,
    count: usize,
}

impl Kubectl {
    /// Starts kubectl with the kubeconfig and the context, to be read line by line until it exits or is dropped. There
    /// is no time limit, except while a credential plugin waits for the user.
    ///
    /// # Errors
    /// When kubectl cannot be started.
    pub async fn follow<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<OutputLines, KubectlError> {
        self.find_program()?;
        self.find_kubeconfig()?;
        self.expect_namespace()?;
        let turn = if self.may_start_a_plugin() {
            self.turns.take().await?
        } else {
            None
        };
        let mut all = self.cluster_args();
        all.extend(args.iter().map(|arg| OsString::from(arg.as_ref())));
        let recording = self.recorder.begin(ActivityKind::Follow, self.line(&all));
        let (mut child, group) = match self.spawn(&all, false) {
            Ok(started) => started,
            Err(error) => {
                recording.end(false, format!("not started: {error}"));
                return Err(self.not_started(&error));
            }
        };
        let (out, err) = (
            Pipe::new(child.stdout.take()),
            Pipe::new(child.stderr.take()),
        );
        Ok(OutputLines {
            kubectl: self.clone(),
            child,
            group,
            out,
            err,
            searched: 0,
            recording: Some(recording),
            speech: StderrMessages::default(),
            began: Instant::now(),
            turn,
            count: 0,
        })
    }
}

impl OutputLines {
    /// The next line without its line end; `None` after kubectl has succeeded. Cancel-safe.
    ///
    /// # Errors
    /// kubectl's failure.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, KubectlError> {
        loop {
            if let Some(line) = self.take_line()? {
                self.count += 1;
                if let Some(turn) = self.turn.take() {
                    self.kubectl.turns.ended(Some(turn), &Ok(()), false);
                }
                return Ok(Some(line));
            }
            if self.out.is_done() {
                let ended = self.end().await;
                if self.turn.is_some() || ended.is_err() {
                    self.kubectl.turns.ended(self.turn.take(), &ended, false);
                }
                return ended.map(|()| None);
            }
            let quiet = !self.speech.told;
            let turn_ends = self.began
                + if quiet {
                    QUIET_LOGIN
                } else {
                    self.kubectl.login
                };
            let read = tokio::select! {
                read = self.out.read() => read,
                read = self.err.read(), if !self.err.is_done() => {
                    self.err.keep_last(MAX_STDERR_BYTES);
                    self.speech.heard();
                    read
                }
                () = self.speech.due(), if self.speech.waits() => {
                    if let Some(recording) = &mut self.recording {
                        self.speech.tell(recording, &self.err.data);
                    }
                    continue;
                }
                () = tokio::time::sleep_until(turn_ends), if self.turn.is_some() => {
                    if quiet {
                        self.turn = None;
                        continue;
                    }
                    let error = too_slow(self.began.elapsed(), self.words(), true);
                    self.kubectl.turns.ended(self.turn.take(), &Err::<(), _>(error.clone()), false);
                    return Err(error);
                }
            };
            read.map_err(|error| lost(&error))?;
        }
    }

    /// The text on standard error so far.
    pub(super) fn words(&self) -> String {
        words_of(&self.err.data)
    }

    fn take_line(&mut self) -> Result<Option<Vec<u8>>, KubectlError> {
        if let Some(at) = memchr::memchr(b'\n', &self.out.data[self.searched..]) {
            let mut line: Vec<u8> = self.out.data.drain(..=self.searched + at).collect();
            line.pop();
            self.searched = 0;
            return Ok(Some(line));
        }
        self.searched = self.out.data.len();
        if self.searched > MAX_LINE_BYTES {
            let failure = Failure::new(
                format!(
                    "kubectl printed a line of more than {} MB",
                    MAX_LINE_BYTES >> 20
                ),
                Advice::rerun_kubectl(""),
            );
            return Err(KubectlError::new(KubectlFault::TooMuch, failure));
        }
        // The last line may have no line end.
        if self.out.is_done() && !self.out.data.is_empty() {
            self.searched = 0;
            return Ok(Some(std::mem::take(&mut self.out.data)));
        }
        Ok(None)
    }

    async fn end(&mut self) -> Result<(), KubectlError> {
        // Do not wait for the end of stderr: a process left behind may keep it open.
        while let Ok(Ok(())) = tokio::time::timeout(GRACE, self.err.read()).await {
            if self.err.is_done() {
                break;
            }
            self.err.keep_last(MAX_STDERR_BYTES);
        }
        let status = self.child.wait().await.map_err(|error| lost(&error))?;
        self.group.release();
        let told = status
            .code()
            .map_or_else(|| status.to_string(), |code| format!("exit {code}"));
        if let Some(recording) = self.recording.take() {
            recording.end(status.success(), format!("{told}, {} lines", self.count));
        }
        if status.success() {
            return Ok(());
        }
        let words = self.words();
        let waited =
            self.speech.told && self.began.elapsed() >= super::MIN_LOGIN_WAIT && self.count == 0;
        let (fault, failure) = self.kubectl.explained(&words, &told, waited);
        Err(KubectlError::new(fault, failure))
    }
}

fn lost(error: &std::io::Error) -> KubectlError {
    let failure = Failure::new("The output of kubectl could not be read", "Try again")
        .with_details(error.to_string());
    KubectlError::new(KubectlFault::Other, failure)
}
