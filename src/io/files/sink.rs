//! What takes the bytes of an [`OutFile`](super::OutFile).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::pipe::Pipe;

/// What takes the bytes of a file.
#[derive(Debug)]
pub enum Sink {
    /// A file or a device.
    File(File),
    /// A named pipe, opened so that nobody waits for its reader without end.
    Pipe(Pipe),
}

impl Sink {
    /// Fails at once for a pipe that nobody reads.
    pub(super) fn open_straight(path: &Path, is_pipe: bool) -> std::io::Result<Self> {
        if is_pipe {
            Pipe::open(path).map(Self::Pipe)
        } else {
            OpenOptions::new().write(true).open(path).map(Self::File)
        }
    }

    /// Has the disk keep what was written. Pipes and devices have nothing to keep.
    ///
    /// # Errors
    /// As the file system's; some disks say only now that they are full.
    pub fn sync(&self) -> std::io::Result<()> {
        match self {
            Self::Pipe(_) => Ok(()),
            Self::File(file) => match file.sync_all() {
                Err(error)
                    if !matches!(
                        error.kind(),
                        ErrorKind::InvalidInput | ErrorKind::Unsupported
                    ) =>
                {
                    Err(error)
                }
                _ => Ok(()),
            },
        }
    }

    pub(super) fn try_clone(&self) -> std::io::Result<Self> {
        Ok(match self {
            Self::File(file) => Self::File(file.try_clone()?),
            Self::Pipe(pipe) => Self::Pipe(pipe.try_clone()?),
        })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Pipe(pipe) => pipe.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Pipe(pipe) => pipe.flush(),
        }
    }
}
