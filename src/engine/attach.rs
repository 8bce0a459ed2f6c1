//! What is attached to messages: read, decoded and made smaller off the window's thread.

use std::path::PathBuf;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::domain::conversation::{Attachment, Image};
use crate::domain::failure::Failure;
use crate::io::{attachment, dialog};
use crate::protocol::{AttachSources, Picture};

/// Limit of files attached at once.
pub const MAX_FILES: usize = 20;
/// Decoding needs a lot of memory, even for small files.
static DECODERS: Semaphore = Semaphore::const_new(2);

/// Reads files in order. `room` is the number of bytes left in the request's body.
///
/// After cancelling, the current file is still read.
pub async fn read(
    sources: AttachSources,
    mut room: usize,
    cancel: &CancellationToken,
) -> Vec<Result<Attachment, Failure>> {
    let mut out = Vec::new();
    let mut files = match sources {
        AttachSources::Files(files) => files,
        AttachSources::Dialog => {
            let picking = dialog::pick_files(
                "Attach pictures and texts",
                "Drag the files onto the window instead",
            );
            match cancel.run_until_cancelled(picking).await {
                Some(Ok(files)) => files,
                Some(Err(failure)) => return vec![Err(failure)],
                None => return out,
            }
        }
        AttachSources::Pasted(picture) => {
            let name = "Pasted picture";
            out.extend(work(cancel, move || attachment::of_picture(name, &picture, room)).await);
            return out;
        }
    };
    let left_out = files.len().saturating_sub(MAX_FILES);
    files.truncate(MAX_FILES);
    for path in files {
        let Some(read) = work(cancel, move || attachment::read_file(&path, room)).await else {
            return out;
        };
        room = room.saturating_sub(read.as_ref().map_or(0, Attachment::body_bytes));
        out.push(read);
    }
    if left_out > 0 {
        let why =
            format!("Only the first {MAX_FILES} files were attached; {left_out} were skipped");
        out.push(Err(Failure::new(
            why,
            "Attach the others to the next message",
        )));
    }
    out
}

/// Reads the files of the command line.
///
/// # Errors
/// When a file cannot be attached.
pub async fn read_files(
    files: Vec<PathBuf>,
    room: usize,
    cancel: &CancellationToken,
) -> Result<Vec<Attachment>, Failure> {
    read(AttachSources::Files(files), room, cancel)
        .await
        .into_iter()
        .collect()
}

/// The pixels of an attached picture, scaled to at most `edge` on its longer side; `None` if cancelled.
pub async fn decode(
    image: Image,
    edge: u32,
    cancel: &CancellationToken,
) -> Option<Result<Picture, Failure>> {
    work(cancel, move || attachment::pixels_of(&image, edge)).await
}

/// Runs work on a blocking thread; `None` if cancelled.
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
