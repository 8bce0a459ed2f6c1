//! What is attached to messages: read, decoded and made smaller off the window's thread.

use std::path::PathBuf;

use tokio::sync::Semaphore;

use crate::domain::conversation::{Attachment, Image};
use crate::domain::failure::Failure;
use crate::io::attachment;
#[cfg(feature = "gui")]
use crate::io::dialog;
#[cfg(feature = "gui")]
use crate::protocol::AttachSources;
use crate::protocol::Picture;

/// Limit of files attached at once.
pub const MAX_FILES: usize = 20;
/// Decoding needs a lot of memory, even for small files.
static DECODERS: Semaphore = Semaphore::const_new(2);

/// Reads files in order. `room` is the number of bytes left in the request's body.
///
/// Dropping the future ends it after the file under way, whose memory is bounded.
#[cfg(feature = "gui")]
pub async fn read(sources: AttachSources, room: usize) -> Vec<Result<Attachment, Failure>> {
    let files = match sources {
        AttachSources::Files(files) => files,
        AttachSources::Dialog => {
            let picking = dialog::pick_files(
                "Attach pictures and texts",
                "Drag the files onto the window instead",
            );
            match picking.await {
                Ok(files) => files,
                Err(failure) => return vec![Err(failure)],
            }
        }
        AttachSources::Pasted(picture) => {
            return vec![
                work(move || attachment::of_picture("Pasted picture", &picture, room)).await,
            ];
        }
    };
    read_each(files, room).await
}

async fn read_each(mut files: Vec<PathBuf>, mut room: usize) -> Vec<Result<Attachment, Failure>> {
    let mut out = Vec::new();
    let left_out = files.len().saturating_sub(MAX_FILES);
    files.truncate(MAX_FILES);
    for path in files {
        let read = work(move || attachment::read_file(&path, room)).await;
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
pub async fn read_files(files: Vec<PathBuf>, room: usize) -> Result<Vec<Attachment>, Failure> {
    read_each(files, room).await.into_iter().collect()
}

/// The pixels of an attached picture, scaled to at most `edge` on its longer side.
///
/// # Errors
/// When it cannot be decoded.
pub async fn decode(image: Image, edge: u32) -> Result<Picture, Failure> {
    work(move || attachment::pixels_of(&image, edge)).await
}

/// Runs work on a blocking thread. If the future is dropped, the thread ends by itself.
async fn work<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    // Fails only when the semaphore is closed, which nothing does.
    let permit = DECODERS.acquire().await.ok();
    let working = tokio::task::spawn_blocking(move || {
        // Held until the memory is free again, although nobody may wait for it any more.
        let _permit = permit;
        what()
    });
    working
        .await
        .unwrap_or_else(|panic| Err(super::own_fault(&panic)))
}
