//! The clipboard. On X11 the copying program must keep the contents, so a thread owns them while Batida runs.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

#[cfg(target_os = "macos")]
use arboard::SetExtApple as _;
#[cfg(all(unix, not(target_os = "macos")))]
use arboard::SetExtLinux as _;
#[cfg(windows)]
use arboard::SetExtWindows as _;
use parking_lot::Mutex;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::oneshot;

use crate::domain::failure::Failure;
use crate::domain::system::System;
use crate::protocol::Picture;

/// The display responds at once or not at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// Copies text and pictures. On X11 they are lost when this is dropped, so it should live as long as the program. Clones
/// share one clipboard.
#[derive(Debug, Clone, Default)]
pub struct Clipboard {
    thread: Arc<Mutex<Option<mpsc::Sender<Job>>>>,
}

struct Job {
    content: Content,
    tell: oneshot::Sender<Result<(), Failure>>,
}

enum Content {
    Text(SecretString),
    /// Text that clipboard managers are asked not to record.
    Private(SecretString),
    Picture(Picture),
}

impl Clipboard {
    /// Connects to the display at the first copy.
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies a text.
    ///
    /// # Errors
    /// When there is no display, or it does not respond.
    pub async fn copy(&self, text: String) -> Result<(), Failure> {
        self.hand_over(Content::Text(text.into())).await
    }

    /// Copies a text with a secret, and asks clipboard managers not to record it.
    ///
    /// # Errors
    /// When there is no display, or it does not respond.
    pub async fn copy_secret(&self, text: SecretString) -> Result<(), Failure> {
        self.hand_over(Content::Private(text)).await
    }

    /// Copies a picture.
    ///
    /// # Errors
    /// When there is no display, or it does not respond.
    pub async fn copy_picture(&self, picture: Picture) -> Result<(), Failure> {
        self.hand_over(Content::Picture(picture)).await
    }

    async fn hand_over(&self, content: Content) -> Result<(), Failure> {
        let (tell, told) = oneshot::channel();
        let job = Job { content, tell };
        self.send(job)
            .map_err(|why| unavailable(&why.to_string()))?;
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(unavailable("the clipboard thread panicked")),
            Err(_) => Err(Failure::new(
                format!(
                    "The clipboard did not respond within {} s",
                    PATIENCE.as_secs()
                ),
                "Try again, or select the text and copy it manually",
            )),
        }
    }

    fn send(&self, mut job: Job) -> std::io::Result<()> {
        let mut thread = self.thread.lock();
        if let Some(running) = thread.as_ref() {
            match running.send(job) {
                Ok(()) => return Ok(()),
                // The thread panicked: start a new one.
                Err(mpsc::SendError(back)) => job = back,
            }
        }
        let (jobs, todo) = mpsc::channel();
        thread::Builder::new()
            .name("clipboard".to_owned())
            .spawn(move || work(&todo))?;
        // Cannot fail: the thread has the receiver until the sender is dropped.
        let _ = jobs.send(job);
        *thread = Some(jobs);
        Ok(())
    }
}

fn work(todo: &mpsc::Receiver<Job>) {
    let mut clipboard = None;
    for Job { content, tell } in todo {
        let outcome = copy(&mut clipboard, content);
        if outcome.is_err() {
            // Connect again next time: the display may come back.
            clipboard = None;
        }
        // Fails only if the caller no longer waits.
        let _ = tell.send(outcome);
    }
}

fn copy(clipboard: &mut Option<arboard::Clipboard>, content: Content) -> Result<(), Failure> {
    let failed = |why: arboard::Error| unavailable(&why.to_string());
    let clipboard = match clipboard {
        Some(clipboard) => clipboard,
        none => none.insert(arboard::Clipboard::new().map_err(failed)?),
    };
    let set = clipboard.set();
    match content {
        Content::Text(text) => set.text(text.expose_secret()),
        Content::Private(text) => set.exclude_from_history().text(text.expose_secret()),
        Content::Picture(Picture {
            width,
            height,
            rgba,
        }) => set.image(arboard::ImageData {
            width,
            height,
            bytes: rgba.to_vec().into(),
        }),
    }
    .map_err(failed)
}

fn unavailable(why: &str) -> Failure {
    Failure::new("The clipboard is not available", System::HERE.copy_advice()).with_details(why)
}
