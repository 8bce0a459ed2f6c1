//! The prompts' file: JSON beside the settings, changed in one step, kept aside when it is not understood.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::files::{self, FOR_OWNER};
use crate::domain::failure::Failure;
use crate::domain::library::{Library, LibraryChange, Unreadable};

/// The file's name.
pub const FILE: &str = "prompts.json";
/// More than anybody types: a larger file is not read.
pub const MOST_BYTES: u64 = 16 << 20;

/// The prompts' file. Each call reads it anew: another window may have changed it.
#[derive(Debug, Clone)]
pub struct LibraryStore {
    path: PathBuf,
}

/// What a look at the file gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The prompts, or none.
    pub library: Library,
    /// How many a change added.
    pub added: usize,
    /// The file was not understood, and where it is now.
    pub notice: Option<Failure>,
}

impl LibraryStore {
    /// Beside this settings file.
    pub fn beside(settings: &Path) -> Self {
        Self {
            path: settings.with_file_name(FILE),
        }
    }

    /// Reads the prompts. What is not understood is moved aside.
    ///
    /// # Errors
    /// When the file cannot be read, or a newer Batida wrote it: then it stays as it is.
    pub fn load(&self) -> Result<Found, Failure> {
        let (library, notice) = self.read()?;
        Ok(Found {
            library,
            added: 0,
            notice,
        })
    }

    /// Reads the prompts, changes them and writes them in one step.
    ///
    /// # Errors
    /// As [`Self::load`], and when it cannot be written.
    pub fn change(&self, change: LibraryChange) -> Result<Found, Failure> {
        let unwritten = |why: std::io::Error| {
            Failure::new(
                "The prompts could not be saved",
                format!("Check that {} can be written", self.path.display()),
            )
            .with_details(why.to_string())
        };
        let dir = self.path.parent().unwrap_or(Path::new("."));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(unwritten)?;
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
                format!("The prompts could not be read: {why}"),
                format!(
                    "Make {} readable; until then nothing is saved there",
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
            .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        {
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok((Library::default(), None)),
            Err(why) => return Err(unread(super::why(&why))),
            Ok(_) if bytes.len() as u64 > MOST_BYTES => {
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

    /// Moves the file to a name of its own. `Err` when it had to stay where it is.
    fn keep_aside(&self, why: &str) -> Result<Failure, Failure> {
        let summary = "The file of the prompts was not understood";
        match files::move_aside(&self.path) {
            Ok(aside) => Ok(Failure::new(
                summary,
                format!(
                    "It was kept as {}, and the library is empty now",
                    aside.display()
                ),
            )
            .with_details(why)),
            Err(error) => Err(Failure::new(
                summary,
                format!(
                    "Repair or move {}; until then nothing is saved there",
                    self.path.display()
                ),
            )
            .with_details(format!("{why}. It could not be moved aside: {error}"))),
        }
    }
}
