//! kubectl's output line by line, as long as it goes on.

use std::ffi::{OsStr, OsString};

use rustix::process::Pid;
use tokio::process::{Child, ChildStderr, ChildStdout};

use super::{Group, Kubectl, KubectlError, MOST_WORDS, Pipe};
use crate::domain::failure::{Advice, Failure};
use crate::io::activity::Recording;
use crate::protocol::ActivityKind;
use crate::wire::kubectl::{KubectlFault, explain};

/// No object comes near; without a bound a server that never breaks the line could fill the memory.
const LONGEST_LINE: usize = 16 << 20;

/// kubectl under way. Dropping it kills kubectl and all that it has started.
#[derive(Debug)]
pub struct Lines {
    child: Child,
    group: Group,
    out: Pipe<ChildStdout>,
    err: Pipe<ChildStderr>,
    /// How much of what came has no line's end in it.
    searched: usize,
    recording: Option<Recording>,
    count: usize,
}

impl Kubectl {
    /// Starts kubectl with the kubeconfig and the context, to be read line by line until it ends or is
    /// dropped. It has no deadline of its own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn follow<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<Lines, KubectlError> {
        self.find_program()?;
        self.find_kubeconfig()?;
        let mut all = self.reach();
        all.extend(args.iter().map(|arg| OsString::from(arg.as_ref())));
        let recording = self.recorder.begin(ActivityKind::Follow, self.line(&all));
        let mut child = match self.spawn(&all) {
            Ok(child) => child,
            Err(error) => {
                recording.end(false, format!("not started: {error}"));
                return Err(self.not_started(&error));
            }
        };
        let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
        let (out, err) = (Pipe::new(child.stdout.take()), Pipe::new(child.stderr.take()));
        Ok(Lines { child, group, out, err, searched: 0, recording: Some(recording), count: 0 })
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
                return Ok(Some(line));
            }
            if self.out.is_done() {
                return self.end().await.map(|()| None);
            }
            let read = tokio::select! {
                read = self.out.read() => read,
                read = self.err.read(), if !self.err.is_done() => {
                    self.err.keep_last(MOST_WORDS);
                    read
                }
            };
            read.map_err(|error| lost(&error))?;
        }
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
                format!("kubectl printed a line of more than {} MB", LONGEST_LINE >> 20),
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
        while let Ok(Ok(())) = tokio::time::timeout(super::GRACE, self.err.read()).await {
            if self.err.is_done() {
                break;
            }
            self.err.keep_last(MOST_WORDS);
        }
        let status = self.child.wait().await.map_err(|error| lost(&error))?;
        self.group.0 = None;
        let told = status.code().map_or_else(|| status.to_string(), |code| format!("exit {code}"));
        if let Some(recording) = self.recording.take() {
            recording.end(status.success(), format!("{told}, {} lines", self.count));
        }
        if status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&self.err.data);
        let (fault, failure) = explain(if words.trim().is_empty() { &told } else { words.trim() });
        Err(KubectlError::new(fault, failure))
    }
}

fn lost(error: &std::io::Error) -> KubectlError {
    let failure = Failure::new("kubectl could not be read", "Try again").with_details(error.to_string());
    KubectlError::new(KubectlFault::Other, failure)
}
