//! Closes the window on a signal, as if the user had closed it, so that nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::io::signals::Signals;

/// How long the window may take to notice the signal: a hidden window may not draw frames, and one on a busy
/// machine draws one in a second or two.
const NOTICE_TIME: Duration = Duration::from_secs(4);
/// How long closing may take. A keychain may wait for the user.
const CLOSE_TIME: Duration = Duration::from_secs(8);

/// Whether a signal requested the program to end.
#[derive(Debug, Clone, Default)]
pub struct Quit(Arc<State>);

#[derive(Debug, Default)]
struct State {
    asked: AtomicBool,
    seen: AtomicBool,
}

impl Quit {
    /// Starts listening for signals; `wake` is called when one arrives. If no handler can be installed, signals end the
    /// program at once.
    pub fn on_signal(wake: impl Fn() + Send + 'static) -> Self {
        let quit = Self::default();
        let asked = quit.clone();
        let listening = thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                if let Ok(runtime) = runtime {
                    runtime.block_on(listen(asked, wake));
                }
            });
        // Without the thread, signals end the program at once.
        drop(listening);
        quit
    }

    /// Whether the window must close. The caller is expected to close it then.
    pub fn asked(&self) -> bool {
        let asked = self.0.asked.load(Ordering::Relaxed);
        if asked {
            self.0.seen.store(true, Ordering::Relaxed);
        }
        asked
    }
}

async fn listen(quit: Quit, wake: impl Fn()) {
    let Ok(mut signals) = Signals::new() else {
        return;
    };
    let number = signals.next().await;
    quit.0.asked.store(true, Ordering::Relaxed);
    wake();
    tokio::time::sleep(NOTICE_TIME).await;
    if quit.0.seen.load(Ordering::Relaxed) {
        tokio::time::sleep(CLOSE_TIME).await;
    }
    // Drafts are saved every two seconds and measurements every half second, so little is lost.
    std::process::exit(128 + number);
}
