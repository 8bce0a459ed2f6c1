//! What a user attaches to a message, read, checked, and made as small as it is sent.
//!
//! What a file is, its content says, not its name: PNG, JPEG and WebP are pictures, what is UTF-8 (or UTF-16 with its
//! mark) is text, and all else is refused in words. Nothing here waits for anything but the disk, and nothing takes
//! more than [`MOST_FILE`] of it.

mod picture;
mod text;

use std::path::Path;

use self::picture::{format_of, other_format};
use super::files::{self, Unread};
use crate::domain::conversation::{Attached, Attachment, Image};
use crate::domain::failure::Failure;
use crate::protocol::Picture;

/// Larger files are not read.
pub const MOST_FILE: u64 = 64 << 20;
/// Larger texts are not sent, in bytes: more than the longest context holds.
pub const MOST_TEXT: usize = 2 << 20;
/// A picture's base64 is made no longer than that.
pub const MOST_PICTURE: usize = 5_000_000;

/// Why something is not attached, and what to do instead.
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

    fn tell(self, name: &str) -> Failure {
        Failure::new(
            format!("{name} was not attached: {}", self.why),
            self.instead,
        )
    }
}

/// Reads a file. `room`: how many bytes of the request's body are left for it.
///
/// # Errors
/// When it cannot be read, or is nothing that can be attached.
pub fn read_file(path: &Path, room: usize) -> Result<Attachment, Failure> {
    let name = path
        .file_name()
        .map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
    let bytes = bytes_of(path).map_err(|refused| refused.tell(&name))?;
    read(&name, &bytes, room)
}

/// Reads what was in a file of this name.
///
/// # Errors
/// When it is nothing that can be attached.
pub fn read(name: &str, bytes: &[u8], room: usize) -> Result<Attachment, Failure> {
    let content = content_of(bytes, room).map_err(|refused| refused.tell(name))?;
    let attachment = Attachment {
        name: name.to_owned(),
        content,
    };
    if attachment.body_bytes() > room {
        return Err(no_room().tell(name));
    }
    Ok(attachment)
}

/// Takes a picture that is no file yet, e.g. one that was pasted.
///
/// # Errors
/// When it does not fit.
pub fn of_picture(name: &str, picture: &Picture, room: usize) -> Result<Attachment, Failure> {
    let image = picture::of_pixels(picture, room.min(MOST_PICTURE))
        .map_err(|refused| refused.tell(name))?;
    Ok(Attachment {
        name: image.file_name(name),
        content: Attached::Image(image),
    })
}

/// The pixels of an attached picture, with `edge` of them on its longer side at most.
///
/// # Errors
/// When what is kept is no picture.
pub fn pixels_of(image: &Image, edge: u32) -> Result<Picture, Failure> {
    let pixels = image
        .bytes()
        .ok_or_else(|| Refused::new("it is no base64", ""));
    pixels
        .and_then(|bytes| picture::preview(&bytes, edge))
        .map_err(|refused| {
            Failure::new(format!("The picture cannot be shown: {}", refused.why), "")
        })
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Refused> {
    files::read_now(path, MOST_FILE).map_err(|unread| {
        let instead = match unread {
            Unread::Folder => "Attach the files in it",
            Unread::TooLarge(_) => "Make it smaller, or attach a part of it",
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
        return picture::read(bytes, format, room.min(MOST_PICTURE)).map(Attached::Image);
    }
    let Some(text) = text::read(bytes) else {
        let taken = "Pictures are taken as PNG, JPEG and WebP, texts in UTF-8";
        return Err(match other_format(bytes) {
            Some(format) => Refused::new(format!("{format} is not taken"), taken),
            None => Refused::new("it is neither a picture nor a text", taken),
        });
    };
    if text.len() > MOST_TEXT {
        let why = format!("it is a text of more than {} MB", MOST_TEXT >> 20);
        return Err(Refused::new(why, "Attach the part of it that matters"));
    }
    Ok(Attached::Text(text.into()))
}

fn no_room() -> Refused {
    Refused::new(
        "the request would be larger than the 25 MB that the ingress takes",
        "Take another attachment away, or begin a new conversation",
    )
}

#[cfg(test)]
mod tests;
