//! The window, ended by a signal: it closes as by its cross, and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::io::signals::Signals;

/// How long a window may take to see it: one that is hidden may draw no frame at all.
const TO_SEE: Duration = Duration::from_millis(1_500);
/// How long its closing may take. A keychain may wait for its user.
const TO_CLOSE: Duration = Duration::from_secs(8);

/// Whether the program was asked to end.
#[derive(Debug, Clone, Default)]
pub struct Quit(Arc<State>);

#[derive(Debug, Default)]
struct State {
    asked: AtomicBool,
    seen: AtomicBool,
}

impl Quit {
    /// Listens for signals from now on; `wake` is called when one has come. Where the system does not let Batida listen,
    /// signals do what they do to any program.
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
        // Without the thread, see above.
        drop(listening);
        quit
    }

    /// Whether the window is to close. Who asks is taken to close it.
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
    tokio::time::sleep(TO_SEE).await;
    if quit.0.seen.load(Ordering::Relaxed) {
        tokio::time::sleep(TO_CLOSE).await;
    }
    // What was typed is kept every two seconds, what is measured every half: little is lost.
    std::process::exit(128 + number);
}
