//! Named pipes, which Windows does not have among its files.

pub use self::system::Pipe;

#[cfg(unix)]
mod system {
    use std::fs::{File, OpenOptions};
    use std::io::{ErrorKind, Write};
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::OFlags;
    use rustix::io::Errno;

    /// A reader that takes nothing for so long has stopped.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A named pipe, opened so that nobody waits for its reader without end.
    #[derive(Debug)]
    pub struct Pipe {
        /// The end to write to.
        file: File,
        /// How long its reader may take nothing.
        pub(in crate::io::files) patience: Duration,
    }

    impl Pipe {
        /// Fails at once for a pipe that nobody reads.
        pub(in crate::io::files) fn open(path: &Path) -> std::io::Result<Self> {
            let file = OpenOptions::new()
                .write(true)
                .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
                .open(path);
            let nobody = |error: std::io::Error| match Errno::from_io_error(&error) {
                Some(Errno::NXIO) => {
                    std::io::Error::new(ErrorKind::NotConnected, "nobody reads this named pipe")
                }
                _ => error,
            };
            Ok(Self {
                file: file.map_err(nobody)?,
                patience: PATIENCE,
            })
        }

        pub(in crate::io::files) fn try_clone(&self) -> std::io::Result<Self> {
            Ok(Self {
                file: self.file.try_clone()?,
                patience: self.patience,
            })
        }
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let deadline = Instant::now() + self.patience;
            loop {
                match self.file.write(bytes) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        wait_for_room(&self.file, deadline)?
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
            self.file.flush()
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
}

#[cfg(not(unix))]
mod system {
    use std::io::{ErrorKind, Write};
    use std::path::Path;

    /// There is none.
    #[derive(Debug)]
    pub enum Pipe {}

    impl Pipe {
        pub(in crate::io::files) fn open(_: &Path) -> std::io::Result<Self> {
            Err(ErrorKind::Unsupported.into())
        }

        pub(in crate::io::files) fn try_clone(&self) -> std::io::Result<Self> {
            match *self {}
        }
    }

    impl Write for Pipe {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            match *self {}
        }

        fn flush(&mut self) -> std::io::Result<()> {
            match *self {}
        }
    }
}
