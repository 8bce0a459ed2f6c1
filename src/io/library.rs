//! The file of the prompt library: JSON next to the settings. A file that cannot be parsed is moved aside, and writing is
//! atomic.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::files::{self, FOR_OWNER};
use crate::domain::failure::Failure;
use crate::domain::library::{Library, LibraryChange, Unreadable};

/// The name of the file.
pub const FILE: &str = "prompts.json";
/// Limit for reading.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// The file of the prompt library. Each call reads it again, since another window may have changed it.
#[derive(Debug, Clone)]
pub struct LibraryStore {
    path: PathBuf,
}

/// The contents of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The prompts.
    pub library: Library,
    /// The number of prompts that a change added.
    pub added: usize,
    /// Says that the file was not valid, and where it was moved.
    pub notice: Option<Failure>,
}

impl LibraryStore {
    /// The library next to this settings file.
    pub fn beside(settings: &Path) -> Self {
        Self {
            path: settings.with_file_name(FILE),
        }
    }

    /// Reads the prompts. An invalid file is moved aside.
    ///
    /// # Errors
    /// When the file cannot be read, or was written by a newer version of Batida; it is not changed then.
    pub fn load(&self) -> Result<Found, Failure> {
        let (library, notice) = self.read()?;
        Ok(Found {
            library,
            added: 0,
            notice,
        })
    }

    /// Reads, changes and writes the prompts, while other windows wait.
    ///
    /// # Errors
    /// As [`Self::load`], and when the file cannot be written.
    pub fn change(&self, change: LibraryChange) -> Result<Found, Failure> {
        let unwritten = |why: std::io::Error| {
            Failure::new(
                "The prompt library could not be saved",
                format!("Check that {} can be written", self.path.display()),
            )
            .with_details(why.to_string())
        };
        let dir = self.path.parent().unwrap_or(Path::new("."));
        files::make_private_dir(dir).map_err(unwritten)?;
        let _alone = files::alone_in(dir);
        let (mut library, notice) = self.read()?;
        let added = library.change(change);
        files::write(&self.path, FOR_OWNER, library.write().as_bytes()).map_err(unwritten)?;
        Ok(Found {
            library,
            added,
            notice,
        })
    }

    fn read(&self) -> Result<(Library, Option<Failure>), Failure> {
        let unread = |why: String| {
            Failure::new(
                format!("The prompt library could not be read: {why}"),
                format!(
                    "Make {} readable. Until then, prompts are not saved",
                    self.path.display()
                ),
            )
        };
        if let Err(odd @ (files::Unread::Folder | files::Unread::NoFile(_))) =
            files::ordinary(&self.path)
        {
            return Err(unread(odd.why()));
        }
        let mut bytes = Vec::new();
        match File::open(&self.path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        {
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok((Library::default(), None)),
            Err(why) => return Err(unread(super::why(&why))),
            Ok(_) if bytes.len() as u64 > MAX_FILE_BYTES => {
                return Err(unread("it is too large".to_owned()));
            }
            Ok(_) => {}
        }
        let read = match String::from_utf8(bytes) {
            Ok(text) => Library::read(&text),
            Err(_) => Err(Unreadable::Broken("it is not text".to_owned())),
        };
        match read {
            Ok(library) => Ok((library, None)),
            Err(newer @ Unreadable::Newer(_)) => Err(newer.told(&self.path.display().to_string())),
            Err(Unreadable::Broken(why)) => Ok((Library::default(), Some(self.keep_aside(&why)?))),
        }
    }

    /// Moves the file aside. `Err` if that failed.
    fn keep_aside(&self, why: &str) -> Result<Failure, Failure> {
        let summary = "The file of the prompt library is not valid";
        match files::move_aside(&self.path) {
            Ok(aside) => Ok(Failure::new(
                summary,
                format!(
                    "It was renamed to {}. The library is now empty",
                    aside.display()
                ),
            )
            .with_details(why)),
            Err(error) => Err(Failure::new(
                summary,
                format!(
                    "Repair or move {}. Until then, prompts are not saved",
                    self.path.display()
                ),
            )
            .with_details(format!("{why}. It could not be renamed: {error}"))),
        }
    }
}
