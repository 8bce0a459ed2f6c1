//! The signals by which others end the program: Ctrl-C, `kill`, a terminal that is closed.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP by their numbers.
pub const INTERRUPT: i32 = 2;
/// See [`INTERRUPT`].
pub const TERMINATE: i32 = 15;
/// See [`INTERRUPT`].
pub const HANG_UP: i32 = 1;

static FIRST: AtomicI32 = AtomicI32::new(0);

/// The number of the signal that came first; `None` before any has.
pub fn first() -> Option<i32> {
    Some(FIRST.load(Ordering::Relaxed)).filter(|number| *number != 0)
}

/// Waits for signals. From the first of these on none of them ends the program by itself.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` under nohup.
    hang_up: Option<Signal>,
}

impl Signals {
    /// To be called within a runtime.
    ///
    /// # Errors
    /// When the system does not let Batida listen.
    pub fn new() -> io::Result<Self> {
        let hang_up = if is_ignored(HANG_UP) {
            None
        } else {
            Some(signal(SignalKind::hangup())?)
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up,
        })
    }

    /// The number of the next one.
    pub async fn next(&mut self) -> i32 {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        let number = tokio::select! {
            _ = self.interrupt.recv() => INTERRUPT,
            _ = self.terminate.recv() => TERMINATE,
            _ = hang_up => HANG_UP,
        };
        // A later one changes nothing.
        let _ = FIRST.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
        number
    }
}

/// Whether whoever started the program wants a signal ignored, as nohup does.
fn is_ignored(number: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default();
    mask & 1 << (number - 1) != 0
}
