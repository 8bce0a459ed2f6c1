//! Reads and checks attachments of messages, and scales pictures down.
//!
//! The contents of a file decide its kind, not its name: PNG, JPEG and WebP are pictures, UTF-8 (or UTF-16 with a byte
//! order mark) is text, and everything else is refused. At most [`MAX_FILE_BYTES`] are read.

mod picture;
mod text;

use std::path::Path;

use self::picture::{format_of, other_format};
use super::files::{self, Unread};
use crate::domain::conversation::{Attached, Attachment, Image};
use crate::domain::failure::Failure;
use crate::protocol::Picture;

/// Limit for reading a file.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// More than the longest context of a model.
pub const MAX_TEXT_BYTES: usize = 2 << 20;
/// Limit of a picture in base64.
pub const MAX_PICTURE_CHARS: usize = 5_000_000;

/// Why something cannot be attached, and what to do instead.
#[derive(Debug)]
struct Refused {
    why: String,
    instead: &'static str,
}

impl Refused {
    fn new(why: impl Into<String>, instead: &'static str) -> Self {
        Self {
            why: why.into(),
            instead,
        }
    }

    fn into_failure(self, name: &str) -> Failure {
        Failure::new(
            format!("{name} was not attached: {}", self.why),
            self.instead,
        )
    }
}

/// Reads a file. `room` is the number of bytes left in the request's body.
///
/// # Errors
/// When it cannot be read or attached.
pub fn read_file(path: &Path, room: usize) -> Result<Attachment, Failure> {
    let name = path
        .file_name()
        .map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
    let bytes = bytes_of(path).map_err(|refused| refused.into_failure(&name))?;
    read(&name, &bytes, room)
}

/// Reads the contents of a file with this name.
///
/// # Errors
/// When it cannot be attached.
pub fn read(name: &str, bytes: &[u8], room: usize) -> Result<Attachment, Failure> {
    let content = content_of(bytes, room).map_err(|refused| refused.into_failure(name))?;
    let attachment = Attachment {
        name: name.to_owned(),
        content,
    };
    if attachment.body_bytes() > room {
        return Err(no_room().into_failure(name));
    }
    Ok(attachment)
}

/// Attaches a picture that is not a file, e.g. a pasted one.
///
/// # Errors
/// When it does not fit.
pub fn of_picture(name: &str, picture: &Picture, room: usize) -> Result<Attachment, Failure> {
    let image = picture::of_pixels(picture, room.min(MAX_PICTURE_CHARS))
        .map_err(|refused| refused.into_failure(name))?;
    Ok(Attachment {
        name: image.file_name(name),
        content: Attached::Image(image),
    })
}

/// The pixels of an attached picture, scaled to at most `edge` on its longer side.
///
/// # Errors
/// When the data is not a picture.
pub fn pixels_of(image: &Image, edge: u32) -> Result<Picture, Failure> {
    let pixels = image
        .bytes()
        .ok_or_else(|| Refused::new("it is not valid base64", ""));
    pixels
        .and_then(|bytes| picture::preview(&bytes, edge))
        .map_err(|refused| {
            Failure::new(
                format!("The picture could not be shown: {}", refused.why),
                "",
            )
        })
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Refused> {
    files::read_now(path, MAX_FILE_BYTES).map_err(|unread| {
        let instead = match unread {
            Unread::Folder => "Attach the files in the folder",
            Unread::TooLarge(_) => "Make it smaller, or attach only a part",
            Unread::Io(_) | Unread::NoFile(_) => "Choose another file",
        };
        Refused::new(unread.why(), instead)
    })
}

fn content_of(bytes: &[u8], room: usize) -> Result<Attached, Refused> {
    if bytes.is_empty() {
        return Err(Refused::new("it is empty", ""));
    }
    if let Some(format) = format_of(bytes) {
        return picture::read(bytes, format, room.min(MAX_PICTURE_CHARS)).map(Attached::Image);
    }
    let Some(text) = text::read(bytes) else {
        let taken = "Attach pictures as PNG, JPEG or WebP, and text as UTF-8";
        return Err(match other_format(bytes) {
            Some(format) => Refused::new(format!("{format} is not supported"), taken),
            None => Refused::new("it is neither a picture nor text", taken),
        });
    };
    if text.len() > MAX_TEXT_BYTES {
        let why = format!("it is text of more than {} MB", MAX_TEXT_BYTES >> 20);
        return Err(Refused::new(why, "Attach only the relevant part"));
    }
    Ok(Attached::Text(text.into()))
}

fn no_room() -> Refused {
    Refused::new(
        "the request would exceed the ingress limit of 25 MB",
        "Remove another attachment, or start a new conversation",
    )
}

#[cfg(test)]
mod tests;
