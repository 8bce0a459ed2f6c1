//! The limits of a process: open files and sockets.

pub(crate) use self::system::{is_out_of_buffers, is_out_of_files};
pub use self::system::{open_files, raise_open_files};

#[cfg(unix)]
mod system {
    use std::io;

    use rustix::io::Errno;
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// Raises the limit of open files and sockets to the maximum that the system allows, and returns it; `None` if
    /// there is no limit.
    pub fn raise_open_files() -> Option<u64> {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        // If the system refuses, the limit stays unchanged.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: maximum,
                maximum,
            },
        );
        getrlimit(Resource::Nofile).current
    }

    /// The number of open files and sockets of this process; `None` if unknown.
    pub fn open_files() -> Option<u64> {
        let folder = ["/proc/self/fd", "/dev/fd"]
            .into_iter()
            .find_map(|path| std::fs::read_dir(path).ok())?;
        Some(folder.count() as u64)
    }

    /// Whether this process, or the system, has as many open files and sockets as it may.
    pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
        matches!(
            Errno::from_io_error(error),
            Some(Errno::MFILE | Errno::NFILE)
        )
    }

    /// Whether the system has no memory left for sockets.
    pub(crate) fn is_out_of_buffers(error: &io::Error) -> bool {
        Errno::from_io_error(error) == Some(Errno::NOBUFS)
    }
}

#[cfg(windows)]
mod system {
    use std::io;

    /// Windows' numbers for them: ERROR_TOO_MANY_OPEN_FILES and WSAEMFILE.
    const OUT_OF_FILES: [i32; 2] = [4, 10_024];
    /// WSAENOBUFS.
    const OUT_OF_BUFFERS: i32 = 10_055;

    /// Windows limits files and sockets by memory alone.
    pub fn raise_open_files() -> Option<u64> {
        None
    }

    /// Windows does not tell.
    pub fn open_files() -> Option<u64> {
        None
    }

    /// Whether this process has as many open files and sockets as it may.
    pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
        error
            .raw_os_error()
            .is_some_and(|number| OUT_OF_FILES.contains(&number))
    }

    /// Whether the system has no memory left for sockets.
    pub(crate) fn is_out_of_buffers(error: &io::Error) -> bool {
        error.raw_os_error() == Some(OUT_OF_BUFFERS)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Error;

    use rustix::io::Errno;

    use super::*;

    #[test]
    fn what_has_run_out_is_told_by_the_system_s_number() {
        let is = |errno: Errno| {
            let error = Error::from(errno);
            (is_out_of_files(&error), is_out_of_buffers(&error))
        };
        assert_eq!(is(Errno::MFILE), (true, false));
        assert_eq!(is(Errno::NFILE), (true, false));
        assert_eq!(is(Errno::NOBUFS), (false, true));
        assert_eq!(is(Errno::CONNREFUSED), (false, false));
    }

    #[test]
    fn open_files_are_counted_up_to_the_limit() {
        let before = open_files().expect("Unix tells");
        let dir = tempfile::tempdir().expect("a folder");
        let held: Vec<_> = (0..50).map(|_| std::fs::File::open(dir.path())).collect();
        assert!(open_files().is_some_and(|now| now >= 50));
        assert!(raise_open_files().is_none_or(|limit| limit > before));
        drop(held);
    }
}
