//! A file that replaces an older one only when it is whole.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::domain::failure::Failure;

/// A file that is being written.
pub(super) enum OutFile {
    Beside(NamedTempFile, PathBuf),
    /// A device or a pipe: nothing to be replaced.
    Straight(File),
}

impl OutFile {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        Self::try_open(path).map_err(|error| cannot_write(path, &error))
    }

    fn try_open(path: &Path) -> std::io::Result<Self> {
        // Through a link to the file it leads to, so that the link stays.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if real.exists() && !real.is_file() {
            return Ok(Self::Straight(OpenOptions::new().write(true).open(&real)?));
        }
        let folder = real.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        let builder = {
            use std::os::unix::fs::PermissionsExt as _;
            // As any other new file; less what the user's mask takes away.
            builder.permissions(std::fs::Permissions::from_mode(0o666))
        };
        Ok(Self::Beside(builder.tempfile_in(folder.unwrap_or(Path::new(".")))?, real))
    }

    /// Writes it and puts it in its place.
    pub(super) fn keep<E: From<std::io::Error>>(
        self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Straight(file) => into(&file, write),
            Self::Beside(file, path) => {
                into(file.as_file(), write)?;
                file.as_file().sync_all()?;
                file.persist(path).map_err(std::io::Error::from)?;
                Ok(())
            }
        }
    }
}

fn into<E: From<std::io::Error>>(
    file: &File,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let mut file = BufWriter::new(file);
    write(&mut file)?;
    Ok(file.flush()?)
}

pub(super) fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        format!("{} cannot be written: {error}", path.display()),
        "Is there such a folder, may you write there, and is there room?",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_file_that_was_never_written_leaves_the_old_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("r.json");
        std::fs::write(&path, "old").expect("written");
        drop(OutFile::open(&path).expect("opens"));
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "old");
        assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 1);
        assert!(OutFile::open(&dir.path().join("no/r.json")).is_err_and(|why| why.summary.contains("no/r")));
    }
}
