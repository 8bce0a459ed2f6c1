//! A worker's process: any command that speaks lines over its standard input and output, such as
//! `ssh -T host batida worker`.

use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::group::Group;

/// A line that is longer is none of a worker's.
const MAX_LINE_BYTES: u64 = 1 << 20;
/// Only the end of standard error is kept.
const MAX_STDERR_BYTES: usize = 4 << 10;
/// An empty line is written when nothing was for so long.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long a command that has closed its output has to exit.
const GRACE: Duration = Duration::from_secs(2);

/// What a worker's process does.
#[derive(Debug)]
pub enum ProcessEvent {
    /// It wrote a line, which arrived at this moment.
    Line(Instant, Vec<u8>),
    /// It has ended, in words.
    Ended(String),
}

/// A running worker. Dropping it kills its process, and what that has started here.
#[derive(Debug)]
pub struct WorkerProcess {
    lines: mpsc::UnboundedSender<String>,
    _tasks: [AbortOnDropHandle<()>; 2],
    _group: Group,
}

impl WorkerProcess {
    /// Starts a command, without the environment variables `hidden`, which hold secrets. `heard` is called with each event, on the
    /// runtime's threads; it must not wait.
    ///
    /// # Errors
    /// When the program cannot be started. Must be called within a tokio runtime.
    pub fn start(
        words: &[String],
        hidden: &[String],
        heard: impl Fn(ProcessEvent) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in hidden {
            command.env_remove(name);
        }
        let (mut child, group) = Group::start(&mut command)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let (lines, waiting) = mpsc::unbounded_channel();
        let tasks = [
            AbortOnDropHandle::new(tokio::spawn(write(input, waiting))),
            AbortOnDropHandle::new(tokio::spawn(read(child, output, errors, heard))),
        ];
        Ok(Self {
            lines,
            _tasks: tasks,
            _group: group,
        })
    }

    /// Writes a line, without its end, as soon as the worker reads.
    pub fn send(&self, line: String) {
        // Fails only when it has ended, which is told otherwise.
        let _ = self.lines.send(line);
    }
}

async fn write(mut input: ChildStdin, mut lines: mpsc::UnboundedReceiver<String>) {
    loop {
        // A connection on the way that is idle is cut by what keeps it, and a worker that hears nothing ends.
        let mut line = match tokio::time::timeout(KEEP_ALIVE, lines.recv()).await {
            Ok(Some(line)) => line,
            Ok(None) => return,
            Err(_) => String::new(),
        };
        line.push('\n');
        if input.write_all(line.as_bytes()).await.is_err() || input.flush().await.is_err() {
            return;
        }
    }
}

async fn read(
    mut child: Child,
    output: ChildStdout,
    errors: ChildStderr,
    heard: impl Fn(ProcessEvent) + Send + Sync + 'static,
) {
    let errors = tokio::spawn(keep_end(errors));
    let mut output = BufReader::with_capacity(64 << 10, output);
    let why = loop {
        let mut line = Vec::new();
        match (&mut output)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)
            .await
        {
            Ok(0) => break None,
            Ok(_) if line.last() == Some(&b'\n') => {
                line.pop();
                heard(ProcessEvent::Line(Instant::now(), line));
            }
            // Its last words, cut.
            Ok(n) if (n as u64) < MAX_LINE_BYTES => break None,
            Ok(_) => break Some("it wrote a line without an end".to_owned()),
            Err(error) => break Some(error.to_string()),
        }
    };
    let status = tokio::time::timeout(GRACE, child.wait()).await;
    let words = match tokio::time::timeout(Duration::from_millis(200), errors).await {
        Ok(Ok(words)) => words,
        _ => String::new(),
    };
    let status = match status {
        Ok(Ok(status)) => status.to_string(),
        _ => "it closed its output".to_owned(),
    };
    let parts = [why, Some(status), Some(words).filter(|it| !it.is_empty())];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    heard(ProcessEvent::Ended(parts.join(": ")));
}

/// The last bytes of what is read, as text on one line.
async fn keep_end(mut from: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 4 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..n]);
        let over = kept.len().saturating_sub(MAX_STDERR_BYTES);
        kept.drain(..over);
    }
    let text = String::from_utf8_lossy(&kept);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .collect();
    lines.join("; ")
}
