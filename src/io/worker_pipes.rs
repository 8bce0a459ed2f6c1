//! The two ends of a worker's pipe, each with a thread of its own: whoever measures waits neither for orders nor for a reader
//! of its answers.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use tokio::sync::mpsc;

use crate::wire::worker::{WorkerAnswer, WorkerOrder};

/// Reads orders, one a line, until there are no more; the channel is closed then. A line that cannot be read is
/// [`WorkerOrder::Unknown`], so is an empty one, which only keeps the connection open.
///
/// # Errors
/// When the system gives no thread.
pub fn read_orders(
    input: impl BufRead + Send + 'static,
) -> std::io::Result<mpsc::UnboundedReceiver<WorkerOrder>> {
    let (tell, orders) = mpsc::unbounded_channel();
    let read = move || {
        for line in input.lines().map_while(Result::ok) {
            let order = serde_json::from_str(&line).unwrap_or(WorkerOrder::Unknown);
            if tell.send(order).is_err() {
                return;
            }
        }
    };
    let thread = thread::Builder::new().name("worker-orders".to_owned());
    thread.spawn(read)?;
    Ok(orders)
}

/// When so many bytes wait, rows are left out: half an hour of requests of a usual load.
const MAX_WAITING: usize = 32 << 20;
/// How long a reader has to take the last lines.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Where answers are written to. Clones write to the same place.
#[derive(Debug, Clone)]
pub struct AnswerWriter {
    lines: Sender<Line>,
    waiting: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Line {
    Text(Vec<u8>),
    /// All before it is written: the sender is dropped then.
    Last {
        _done: Sender<()>,
    },
}

impl AnswerWriter {
    /// Begins to write to `out`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(out: impl Write + Send + 'static) -> std::io::Result<Self> {
        let (lines, waiting_lines) = crossbeam_channel::unbounded();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        let thread = thread::Builder::new().name("worker-answers".to_owned());
        thread.spawn(move || write(out, &waiting_lines, &left))?;
        Ok(Self { lines, waiting })
    }

    /// Writes an answer when its turn comes. Once nobody reads any more it goes nowhere.
    pub fn tell(&self, answer: &WorkerAnswer) {
        // Every answer can be written.
        let Ok(mut line) = serde_json::to_vec(answer) else {
            return;
        };
        line.push(b'\n');
        self.waiting.fetch_add(line.len(), Ordering::Relaxed);
        // Fails only when nobody reads any more.
        let _ = self.lines.send(Line::Text(line));
    }

    /// Whether so much waits that rows are to be left out.
    pub fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= MAX_WAITING
    }

    /// Waits until all is written, or nobody reads.
    pub fn finish(&self) {
        let (done, wait) = crossbeam_channel::bounded(0);
        if self.lines.send(Line::Last { _done: done }).is_ok() {
            // Either way it is over.
            let _ = wait.recv_timeout(LAST_LINES);
        }
    }
}

fn write(mut out: impl Write, lines: &Receiver<Line>, waiting: &AtomicUsize) {
    for line in lines {
        let Line::Text(line) = line else { continue };
        if out.write_all(&line).and_then(|()| out.flush()).is_err() {
            return;
        }
        waiting.fetch_sub(line.len(), Ordering::Relaxed);
    }
}
