//! What only one system knows of files: permissions, whether a path still leads to the same file, locks on folders, and
//! what a path leads to that is no file.
//!
//! On Windows there are no permission bits to set: Batida's files are in the user's profile, whose access control list
//! keeps other users out.

use std::fs::OpenOptions;
use std::path::Path;

pub(crate) use self::system::{
    FileId, is_pipe, lockable, make_private, make_private_dir, mode_of, set_mode, special,
};
use self::system::{give_mode, give_temporary_mode};

/// The permissions of a new file that others may read, less what the user's umask takes away.
pub const FOR_ALL: u32 = 0o666;
/// The permissions of a new file that is nobody else's business.
pub const FOR_OWNER: u32 = 0o600;

/// Options for a file that gets these permissions if it is new; the umask cuts them.
pub(crate) fn options_with(mode: u32) -> OpenOptions {
    let mut options = OpenOptions::new();
    give_mode(&mut options, mode);
    options
}

/// A new file in a folder with a name that begins like this; the umask cuts `mode`. It is deleted when it is dropped.
///
/// # Errors
/// As the file system's.
pub(crate) fn temporary(
    dir: &Path,
    prefix: &str,
    mode: u32,
) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    give_temporary_mode(&mut builder, mode);
    builder.tempfile_in(dir)
}

#[cfg(unix)]
mod system {
    use std::fs::{self, DirBuilder, File, FileType, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::fs::{
        DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
        PermissionsExt as _,
    };
    use std::path::Path;

    use super::FOR_OWNER;

    /// Tells a file from another one that took its place.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct FileId(u64);

    impl FileId {
        /// Opens nothing: SQLite would lose its locks when a second handle of its file is closed.
        pub(crate) fn of(path: &Path) -> Option<Self> {
            Some(Self(fs::metadata(path).ok()?.ino()))
        }
    }

    /// Makes a folder that is nobody else's business, and those that it is to stand in.
    ///
    /// # Errors
    /// As the file system's.
    pub(crate) fn make_private_dir(dir: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)
    }

    /// Keeps others from reading a file. Fails without a word where it belongs to someone else.
    pub(crate) fn make_private(path: &Path) {
        let is_open = |meta: Metadata| meta.permissions().mode() & 0o077 != 0;
        if fs::metadata(path).is_ok_and(is_open) {
            let _ = fs::set_permissions(path, Permissions::from_mode(FOR_OWNER));
        }
    }

    /// A file's permissions, to give them to the one that replaces it.
    pub(crate) fn mode_of(meta: &Metadata) -> u32 {
        meta.permissions().mode() & 0o777
    }

    /// Sets them whatever the umask is.
    ///
    /// # Errors
    /// As the file system's.
    pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
        file.set_permissions(Permissions::from_mode(mode))
    }

    pub(super) fn give_mode(options: &mut OpenOptions, mode: u32) {
        options.mode(mode);
    }

    pub(super) fn give_temporary_mode(builder: &mut tempfile::Builder<'_, '_>, mode: u32) {
        builder.permissions(Permissions::from_mode(mode));
    }

    /// A handle that stands for a folder when it is locked.
    ///
    /// # Errors
    /// As the file system's.
    pub(crate) fn lockable(dir: &Path) -> io::Result<File> {
        File::open(dir)
    }

    /// Whether this is a named pipe.
    pub(crate) fn is_pipe(kind: FileType) -> bool {
        kind.is_fifo()
    }

    /// What this is, which is neither a file nor a folder.
    pub(crate) fn special(kind: FileType) -> &'static str {
        if is_pipe(kind) {
            "a named pipe"
        } else if kind.is_socket() {
            "a socket"
        } else {
            "a device"
        }
    }
}

#[cfg(windows)]
mod system {
    use std::fs::{self, File, FileType, Metadata, OpenOptions};
    use std::io;
    use std::path::Path;

    use super::FOR_ALL;

    /// A file of ours in a folder that is locked, since Windows locks no folders.
    const LOCK: &str = ".batida-lock";

    /// Tells a file from another one that took its place.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct FileId {
        volume: u64,
        index: u64,
    }

    impl FileId {
        pub(crate) fn of(path: &Path) -> Option<Self> {
            let about = winapi_util::file::information(&File::open(path).ok()?).ok()?;
            Some(Self {
                volume: about.volume_serial_number(),
                index: about.file_index(),
            })
        }
    }

    /// Makes a folder, and those that it is to stand in.
    ///
    /// # Errors
    /// As the file system's.
    pub(crate) fn make_private_dir(dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    /// Nothing to do: see the module.
    pub(crate) fn make_private(_: &Path) {}

    /// A file has none to keep.
    pub(crate) fn mode_of(_: &Metadata) -> u32 {
        FOR_ALL
    }

    /// Nothing to do: see the module.
    ///
    /// # Errors
    /// None.
    pub(crate) fn set_mode(_: &File, _: u32) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn give_mode(_: &mut OpenOptions, _: u32) {}

    pub(super) fn give_temporary_mode(_: &mut tempfile::Builder<'_, '_>, _: u32) {}

    /// A handle that stands for a folder when it is locked.
    ///
    /// # Errors
    /// As the file system's.
    pub(crate) fn lockable(dir: &Path) -> io::Result<File> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(dir.join(LOCK))
    }

    /// Windows has none among its files.
    pub(crate) fn is_pipe(_: FileType) -> bool {
        false
    }

    /// What this is, which is neither a file nor a folder.
    pub(crate) fn special(_: FileType) -> &'static str {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_took_another_s_place_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&path, "a").unwrap();
        fs::write(&other, "b").unwrap();
        let before = FileId::of(&path).unwrap();
        fs::write(&path, "longer").unwrap();
        assert_eq!(FileId::of(&path), Some(before.clone()));
        fs::rename(&other, &path).unwrap();
        assert_ne!(FileId::of(&path), Some(before));
        assert_eq!(FileId::of(&other), None);
    }

    #[test]
    fn a_folder_is_locked_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = lockable(dir.path()).unwrap();
        first.try_lock().unwrap();
        let second = lockable(dir.path()).unwrap();
        assert!(second.try_lock().is_err());
        drop(first);
        second.try_lock().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn what_is_private_is_its_owner_s_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let made = dir.path().join("a/b");
        make_private_dir(&made).unwrap();
        assert_eq!((mode(&dir.path().join("a")), mode(&made)), (0o700, 0o700));
        let path = made.join("file");
        let mut options = options_with(FOR_OWNER);
        let file = options.write(true).create_new(true).open(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        set_mode(&file, 0o644).unwrap();
        assert_eq!(mode_of(&file.metadata().unwrap()), 0o644);
        make_private(&path);
        assert_eq!(mode(&path), 0o600);
        let temporary = temporary(&made, ".new-", FOR_OWNER).unwrap();
        assert_eq!(mode(temporary.path()), 0o600);
    }
}
