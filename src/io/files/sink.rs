//! What takes the bytes of an [`OutFile`](super::OutFile).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// What takes the bytes of a file.
#[derive(Debug)]
pub enum Sink {
    /// A file or a device.
    File(File),
    /// A named pipe, opened so that nobody waits for its reader without end.
    Pipe {
        /// The end to write to.
        file: File,
        /// How long its reader may take nothing.
        patience: Duration,
    },
}

/// A reader that takes nothing for so long has stopped.
const PATIENCE: Duration = Duration::from_secs(30);

impl Sink {
    /// Fails at once for a pipe that nobody reads.
    pub(super) fn open_straight(path: &Path, is_pipe: bool) -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true);
        if !is_pipe {
            return options.open(path).map(Self::File);
        }
        let file = options
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(path);
        let nobody = |error: std::io::Error| match Errno::from_io_error(&error) {
            Some(Errno::NXIO) => {
                std::io::Error::new(ErrorKind::NotConnected, "nobody reads this named pipe")
            }
            _ => error,
        };
        Ok(Self::Pipe {
            file: file.map_err(nobody)?,
            patience: PATIENCE,
        })
    }

    /// Has the disk keep what was written. Pipes and devices have nothing to keep.
    ///
    /// # Errors
    /// As the file system's; some disks say only now that they are full.
    pub fn sync(&self) -> std::io::Result<()> {
        match self {
            Self::Pipe { .. } => Ok(()),
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
            Self::Pipe { file, patience } => Self::Pipe {
                file: file.try_clone()?,
                patience: *patience,
            },
        })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let (file, patience) = match self {
            Self::File(file) => return file.write(bytes),
            Self::Pipe { file, patience } => (file, *patience),
        };
        let deadline = Instant::now() + patience;
        loop {
            match file.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait_for_room(file, deadline)?
                }
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    let why = "its reader went away before everything was written";
                    return Err(std::io::Error::new(ErrorKind::BrokenPipe, why));
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::File(file) | Self::Pipe { file, .. } => file.flush(),
        }
    }
}

/// Waits until a pipe has room, or its reader is gone, which the next write tells.
fn wait_for_room(file: &File, deadline: Instant) -> std::io::Result<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(std::io::Error::other)?;
        match poll(&mut [PollFd::new(file, PollFlags::OUT)], Some(&timeout)) {
            Ok(0) => {
                let why = "its reader has stopped reading";
                return Err(std::io::Error::new(ErrorKind::TimedOut, why));
            }
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
