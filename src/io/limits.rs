//! How many files and sockets this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process open as many files and sockets as the system allows it, which it seldom does by default. Gives
/// how many that are; `None` where there is no limit.
pub fn raise_open_files() -> Option<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Refused, e.g. where no limit at all is more than the system can keep: then it stays as it was.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
    getrlimit(Resource::Nofile).current
}

/// How many files and sockets this process has open; `None` where the system does not say.
pub fn open_files() -> Option<u64> {
    let folder = ["/proc/self/fd", "/dev/fd"]
        .into_iter()
        .find_map(|path| std::fs::read_dir(path).ok())?;
    Some(folder.count() as u64)
}
