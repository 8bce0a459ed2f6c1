//! The signals that end the program: Ctrl-C, `kill`, and closing the terminal. On Windows these are Ctrl-C, Ctrl-Break,
//! and closing the console, logging off or shutting down; they have the numbers of the signals they stand for.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

pub(crate) use self::system::outlive_file_limits;

/// SIGINT.
pub const INTERRUPT: i32 = 2;
/// SIGTERM; Ctrl-Break.
pub const TERMINATE: i32 = 15;
/// SIGHUP; the end of the console or of the user's session.
pub const HANG_UP: i32 = 1;

static FIRST: AtomicI32 = AtomicI32::new(0);

/// The number of the first signal that arrived.
pub fn first() -> Option<i32> {
    Some(FIRST.load(Ordering::Relaxed)).filter(|number| *number != 0)
}

/// Waits for signals. Once this exists, they no longer end the program by default.
#[derive(Debug)]
pub struct Signals(system::Listeners);

impl Signals {
    /// Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When a handler cannot be installed.
    pub fn new() -> io::Result<Self> {
        system::Listeners::new().map(Self)
    }

    /// The number of the next signal.
    pub async fn next(&mut self) -> i32 {
        let number = self.0.next().await;
        // Only the first signal is stored.
        let _ = FIRST.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
        number
    }
}

#[cfg(unix)]
mod system {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::{HANG_UP, INTERRUPT, TERMINATE};

    #[derive(Debug)]
    pub(super) struct Listeners {
        interrupt: Signal,
        terminate: Signal,
        /// `None` if ignored, as with nohup.
        hang_up: Option<Signal>,
    }

    impl Listeners {
        pub(super) fn new() -> io::Result<Self> {
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

        pub(super) async fn next(&mut self) -> i32 {
            let hang_up = async {
                match &mut self.hang_up {
                    Some(signal) => signal.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => INTERRUPT,
                _ = self.terminate.recv() => TERMINATE,
                _ = hang_up => HANG_UP,
            }
        }
    }

    /// A file that may not grow any further (`ulimit -f`) makes its write fail, which is told, instead of ending the
    /// program. Must be called within a Tokio runtime.
    pub(crate) fn outlive_file_limits() {
        // Once it is listened for, the signal ends nothing, whether anybody hears it or not. Fails only where the system
        // has no such signal.
        let _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    }

    /// Whether the parent process made this signal ignored, as nohup does.
    fn is_ignored(number: i32) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or_default();
        mask & 1 << (number - 1) != 0
    }
}

#[cfg(windows)]
mod system {
    use std::io;

    use tokio::signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close,
        ctrl_logoff, ctrl_shutdown,
    };

    use super::{HANG_UP, INTERRUPT, TERMINATE};

    #[derive(Debug)]
    pub(super) struct Listeners {
        interrupt: CtrlC,
        terminate: CtrlBreak,
        /// After these Windows ends the program within seconds, whatever it does.
        close: CtrlClose,
        log_off: CtrlLogoff,
        shut_down: CtrlShutdown,
    }

    impl Listeners {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self {
                interrupt: ctrl_c()?,
                terminate: ctrl_break()?,
                close: ctrl_close()?,
                log_off: ctrl_logoff()?,
                shut_down: ctrl_shutdown()?,
            })
        }

        pub(super) async fn next(&mut self) -> i32 {
            tokio::select! {
                _ = self.interrupt.recv() => INTERRUPT,
                _ = self.terminate.recv() => TERMINATE,
                _ = self.close.recv() => HANG_UP,
                _ = self.log_off.recv() => HANG_UP,
                _ = self.shut_down.recv() => HANG_UP,
            }
        }
    }

    /// Windows has no such limit.
    pub(crate) fn outlive_file_limits() {}
}
