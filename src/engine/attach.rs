//! What is attached to messages: read, decoded and made smaller off the window's thread.

use std::path::PathBuf;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::domain::conversation::{Attachment, Image};
use crate::domain::failure::Failure;
use crate::io::attachment;
#[cfg(feature = "gui")]
use crate::io::dialog;
#[cfg(feature = "gui")]
use crate::protocol::AttachSources;
use crate::protocol::Picture;

/// So many files at once.
pub const MOST_FILES: usize = 20;
/// Decoding takes memory, however small the file: so many at a time.
static DECODERS: Semaphore = Semaphore::const_new(2);

/// Reads what the user attaches, in order. `room`: how many bytes of the request's body are left for it.
///
/// Cancelled, it ends after the file under way, whose memory is bounded.
#[cfg(feature = "gui")]
pub async fn read(
    sources: AttachSources,
    room: usize,
    cancel: &CancellationToken,
) -> Vec<Result<Attachment, Failure>> {
    let files = match sources {
        AttachSources::Files(files) => files,
        AttachSources::Dialog => {
            let picking = dialog::pick_files(
                "Attach pictures and texts",
                "Drop the files on the window instead",
            );
            match cancel.run_until_cancelled(picking).await {
                Some(Ok(files)) => files,
                Some(Err(failure)) => return vec![Err(failure)],
                None => return Vec::new(),
            }
        }
        AttachSources::Pasted(picture) => {
            let name = "Pasted picture";
            let made = work(cancel, move || attachment::of_picture(name, &picture, room)).await;
            return made.into_iter().collect();
        }
    };
    read_each(files, room, cancel).await
}

/// Reads the files that the command line names; the first that cannot be attached ends it.
///
/// # Errors
/// Why a file cannot be attached.
pub async fn read_files(
    files: Vec<PathBuf>,
    room: usize,
    cancel: &CancellationToken,
) -> Result<Vec<Attachment>, Failure> {
    read_each(files, room, cancel).await.into_iter().collect()
}

async fn read_each(
    mut files: Vec<PathBuf>,
    mut room: usize,
    cancel: &CancellationToken,
) -> Vec<Result<Attachment, Failure>> {
    let mut out = Vec::new();
    let left_out = files.len().saturating_sub(MOST_FILES);
    files.truncate(MOST_FILES);
    for path in files {
        let Some(read) = work(cancel, move || attachment::read_file(&path, room)).await else {
            return out;
        };
        room = room.saturating_sub(read.as_ref().map_or(0, Attachment::body_bytes));
        out.push(read);
    }
    if left_out > 0 {
        let why = format!(
            "Only the first {MOST_FILES} files were attached, and {left_out} were left out"
        );
        out.push(Err(Failure::new(
            why,
            "Attach the others to the next message",
        )));
    }
    out
}

/// An attached picture's pixels, with `edge` of them on its longer side at most; `None` when it was cancelled.
pub async fn decode(
    image: Image,
    edge: u32,
    cancel: &CancellationToken,
) -> Option<Result<Picture, Failure>> {
    work(cancel, move || attachment::pixels_of(&image, edge)).await
}

/// Does it on a thread that may be kept busy; `None` when it was cancelled.
async fn work<T: Send + 'static>(
    cancel: &CancellationToken,
    what: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Option<Result<T, Failure>> {
    let permit = cancel.run_until_cancelled(DECODERS.acquire()).await?;
    let working = tokio::task::spawn_blocking(move || {
        // Held until the memory is free again, whoever still waits.
        let _permit = permit;
        what()
    });
    let outcome = cancel.run_until_cancelled(working).await?;
    Some(outcome.unwrap_or_else(|panic| Err(super::own_fault(&panic))))
}
