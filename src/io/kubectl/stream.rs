//! kubectl's output line by line, as long as it goes on.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::time::Instant;

use super::process::{GRACE, MOST_WORDS, Pipe, Speech, words_of};
use super::turns::Turn;
use super::{Group, Kubectl, KubectlError, too_slow};
use crate::domain::failure::{Advice, Failure};
use crate::io::activity::Recording;
use crate::protocol::ActivityKind;
use crate::wire::kubectl::KubectlFault;

/// No object comes near; without a bound a server that never breaks the line could fill the memory.
const LONGEST_LINE: usize = 16 << 20;
/// A watch may have nothing to tell: after so long without a word of a plugin the next one may go.
const TURN: Duration = Duration::from_secs(3);

/// kubectl under way. Dropping it kills kubectl and all that it has started.
#[derive(Debug)]
pub struct Lines {
    kubectl: Kubectl,
    child: Child,
    group: Group,
    out: Pipe<ChildStdout>,
    err: Pipe<ChildStderr>,
    /// How much of what came has no line's end in it.
    searched: usize,
    recording: Option<Recording>,
    speech: Speech,
    began: Instant,
    /// While it goes first.
    turn: Option<Turn>,
    count: usize,
}

impl Kubectl {
    /// Starts kubectl with the kubeconfig and the context, to be read line by line until it ends or is
    /// dropped. It has no deadline of its own, unless a credential plugin waits for somebody.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn follow<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<Lines, KubectlError> {
        self.find_program()?;
        self.find_kubeconfig()?;
        let turn = if self.may_start_a_plugin() {
            self.turns.take().await?
        } else {
            None
        };
        let mut all = self.reach();
        all.extend(args.iter().map(|arg| OsString::from(arg.as_ref())));
        let recording = self.recorder.begin(ActivityKind::Follow, self.line(&all));
        let (mut child, group) = match self.spawn(&all) {
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
        Ok(Lines {
            kubectl: self.clone(),
            child,
            group,
            out,
            err,
            searched: 0,
            recording: Some(recording),
            speech: Speech::default(),
            began: Instant::now(),
            turn,
            count: 0,
        })
    }
}

impl Lines {
    /// The next line without its end; `None` once kubectl has ended well. May be dropped while it waits:
    /// nothing is lost.
    ///
    /// # Errors
    /// What kubectl said when it failed.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, KubectlError> {
        loop {
            if let Some(line) = self.take_line()? {
                self.count += 1;
                if let Some(turn) = self.turn.take() {
                    self.kubectl.turns.ended(Some(turn), &Ok(()));
                }
                return Ok(Some(line));
            }
            if self.out.is_done() {
                let ended = self.end().await;
                if self.turn.is_some() || ended.is_err() {
                    self.kubectl.turns.ended(self.turn.take(), &ended);
                }
                return ended.map(|()| None);
            }
            let quiet = !self.speech.told;
            let turn_ends = self.began + if quiet { TURN } else { self.kubectl.login };
            let read = tokio::select! {
                read = self.out.read() => read,
                read = self.err.read(), if !self.err.is_done() => {
                    self.err.keep_last(MOST_WORDS);
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
                    self.kubectl.turns.ended(self.turn.take(), &Err::<(), _>(error.clone()));
                    return Err(error);
                }
            };
            read.map_err(|error| lost(&error))?;
        }
    }

    /// What was said on standard error so far.
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
        if self.searched > LONGEST_LINE {
            let failure = Failure::new(
                format!(
                    "kubectl printed a line of more than {} MB",
                    LONGEST_LINE >> 20
                ),
                Advice::rerun_kubectl(""),
            );
            return Err(KubectlError::new(KubectlFault::TooMuch, failure));
        }
        // The end may lack a line's end.
        if self.out.is_done() && !self.out.data.is_empty() {
            self.searched = 0;
            return Ok(Some(std::mem::take(&mut self.out.data)));
        }
        Ok(None)
    }

    async fn end(&mut self) -> Result<(), KubectlError> {
        // Its last words are short; what it has left behind may keep the pipe open for ever.
        while let Ok(Ok(())) = tokio::time::timeout(GRACE, self.err.read()).await {
            if self.err.is_done() {
                break;
            }
            self.err.keep_last(MOST_WORDS);
        }
        let status = self.child.wait().await.map_err(|error| lost(&error))?;
        self.group.forgive();
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
        let waited = self.speech.told && self.began.elapsed() >= super::QUICK && self.count == 0;
        let (fault, failure) = self
            .kubectl
            .explained(if words.is_empty() { &told } else { &words }, waited);
        Err(KubectlError::new(fault, failure))
    }
}

fn lost(error: &std::io::Error) -> KubectlError {
    let failure =
        Failure::new("kubectl could not be read", "Try again").with_details(error.to_string());
    KubectlError::new(KubectlFault::Other, failure)
}
