//! Files: read whole up to a bound, and replaced in one step. Who reads a file that is being replaced sees the old
//! one or the new one, never a half.

mod pipe;
mod sink;

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

pub use self::pipe::Pipe;
pub use self::sink::Sink;
use super::private;
pub use super::private::{FOR_ALL, FOR_OWNER};
use crate::domain::failure::Failure;

/// How long another Batida that changes files of a folder is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Makes a folder for all to read, as far as the user's umask lets them, and those that it is to stand in.
///
/// # Errors
/// As the file system's.
pub(crate) fn make_dir(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)
}

/// Takes a name by putting an empty file there that is nobody else's business.
///
/// # Errors
/// When there is a file of this name already, and as the file system's.
pub(crate) fn claim(path: &Path) -> std::io::Result<File> {
    let mut options = private::options_with(FOR_OWNER);
    options.write(true).create_new(true).open(path)
}

// ---- reading ------------------------------------------------------------------------------------------

/// Why a file's content is not there.
#[derive(Debug)]
pub enum Unread {
    /// The system says so.
    Io(std::io::Error),
    /// It is a folder.
    Folder,
    /// What it is instead. A pipe may never give anything, and a device never end.
    NoFile(&'static str),
    /// It has more bytes than that.
    TooLarge(u64),
}

impl Unread {
    /// Behind "cannot be read".
    pub fn why(&self) -> String {
        match self {
            Self::Io(error) => super::why(error),
            Self::Folder => "it is a folder".to_owned(),
            Self::NoFile(what) => format!("it is {what}, not an ordinary file"),
            Self::TooLarge(most) => format!("it is larger than {} MB", most >> 20),
        }
    }
}

/// The content of an ordinary file of at most `most` bytes. Waits for the disk.
///
/// # Errors
/// When it is none, or cannot be read.
pub fn read_now(path: &Path, most: u64) -> Result<Vec<u8>, Unread> {
    ordinary(path)?;
    let mut bytes = Vec::new();
    // One byte more, which tells that it is too large.
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    read.map_err(Unread::Io)?;
    if bytes.len() as u64 > most {
        Err(Unread::TooLarge(most))
    } else {
        Ok(bytes)
    }
}

/// Looks before anything is opened: whoever opens a pipe waits for its other end.
///
/// # Errors
/// When it is not there, or is no ordinary file.
pub(crate) fn ordinary(path: &Path) -> Result<(), Unread> {
    let kind = fs::metadata(path).map_err(Unread::Io)?.file_type();
    if kind.is_file() {
        Ok(())
    } else if kind.is_dir() {
        Err(Unread::Folder)
    } else {
        Err(Unread::NoFile(private::special(kind)))
    }
}

/// The same on a thread that may wait. `instead`: what to do about a file that is too large.
///
/// # Errors
/// As [`read_now`].
pub async fn read(path: &Path, most: u64, instead: &str) -> Result<Vec<u8>, Failure> {
    let (from, shown) = (path.to_owned(), path.display());
    let cannot =
        |why: String, advice| Failure::new(format!("{shown} cannot be read: {why}"), advice);
    let unread = match tokio::task::spawn_blocking(move || read_now(&from, most)).await {
        Ok(Ok(bytes)) => return Ok(bytes),
        Ok(Err(unread)) => unread,
        Err(panic) => return Err(cannot(panic.to_string(), "Try again")),
    };
    Err(match unread {
        Unread::TooLarge(most) => Failure::new(
            format!(
                "{shown} has more than {} MiB, which are not read",
                most >> 20
            ),
            instead,
        ),
        Unread::NoFile(_) => cannot(unread.why(), "Save what comes out of it as a file first"),
        Unread::Io(_) | Unread::Folder => cannot(unread.why(), "Check the path"),
    })
}

/// Whether something is there.
pub async fn exists(path: &Path) -> bool {
    tokio::fs::try_exists(path).await.unwrap_or(false)
}

// ---- writing ------------------------------------------------------------------------------------------

/// A lock on the folder for the moment of a change. Waited for only so long: some disks cannot be locked.
pub(super) fn alone_in(dir: &Path) -> Option<File> {
    let until = Instant::now() + LOCK_PATIENCE;
    let folder = private::lockable(dir).ok()?;
    while let Err(fs::TryLockError::WouldBlock) = folder.try_lock() {
        if Instant::now() > until {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
    Some(folder)
}

/// Replaces a file by this content. One that is there keeps its permissions, a new one gets `mode`.
///
/// # Errors
/// As the file system's. The old file is then still there.
pub(crate) fn write(path: &Path, mode: u32, content: &[u8]) -> std::io::Result<()> {
    OutFile::try_open(path, mode)?.keep(|file| file.write_all(content))
}

/// A file that is being written, and replaces an older one only when it is whole.
#[derive(Debug)]
pub struct OutFile(Out);

#[derive(Debug)]
enum Out {
    Beside(Beside),
    /// It could be written when that was tried.
    Later(PathBuf),
    /// A device or a pipe: nothing to be replaced.
    Straight(Sink),
}

impl OutFile {
    /// For others to read, as far as the user's umask lets them. Nothing is replaced until [`OutFile::keep`].
    ///
    /// # Errors
    /// When it cannot be written there.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        Self::try_open(path, FOR_ALL).map_err(|error| cannot_write(path, &error))
    }

    /// The same for a file that is written much later: until then there is nothing beside it that a kill would leave
    /// behind.
    ///
    /// # Errors
    /// As [`OutFile::open`].
    pub fn plan(path: &Path) -> Result<Self, Failure> {
        let out = Self::open(path)?;
        Ok(match out.0 {
            Out::Beside(_) => Self(Out::Later(path.to_owned())),
            Out::Straight(_) | Out::Later(_) => out,
        })
    }

    /// Whether it is a device or a pipe.
    pub fn is_straight(&self) -> bool {
        matches!(self.0, Out::Straight(_))
    }

    /// As [`OutFile::open`]. A file that is there keeps its permissions, a new one gets `mode`.
    ///
    /// # Errors
    /// As the file system's.
    pub(crate) fn try_open(path: &Path, mode: u32) -> std::io::Result<Self> {
        if let Ok(old) = fs::metadata(path)
            && !old.is_file()
        {
            return Sink::open_straight(path, private::is_pipe(old.file_type()))
                .map(|sink| Self(Out::Straight(sink)));
        }
        let real = real_path(path)?;
        let old = fs::metadata(&real).map(|old| private::mode_of(&old)).ok();
        let beside = Beside::create(&real, old.unwrap_or(mode))?;
        if let Some(old) = old {
            // The umask is for new files.
            private::set_mode(beside.file(), old)?;
        }
        Ok(Self(Out::Beside(beside)))
    }

    /// A handle to write with, before [`OutFile::put_in_place`] and after it.
    ///
    /// # Errors
    /// As the file system's.
    pub fn handle(&self) -> std::io::Result<Sink> {
        match &self.0 {
            Out::Straight(sink) => sink.try_clone(),
            Out::Beside(beside) => beside.file().try_clone().map(Sink::File),
            Out::Later(_) => Err(ErrorKind::NotFound.into()),
        }
    }

    /// Puts it in its place with what is written so far, to be gone on with: of a long run that ends badly, what was
    /// written until then is there.
    ///
    /// # Errors
    /// As the file system's. The old file is then still there.
    pub fn put_in_place(self) -> std::io::Result<()> {
        match self.0 {
            Out::Straight(_) | Out::Later(_) => Ok(()),
            Out::Beside(beside) => beside.persist(),
        }
    }

    /// Writes it and puts it in its place.
    ///
    /// # Errors
    /// As `write`, and as the file system's. The old file is then still there.
    pub fn keep<E: From<std::io::Error>>(
        self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.0 {
            Out::Straight(sink) => into(sink, write),
            Out::Later(path) => Self::try_open(&path, FOR_ALL)?.keep(write),
            Out::Beside(beside) => {
                into(beside.file(), write)?;
                Ok(beside.replace()?)
            }
        }
    }
}

/// Whether something has this path already, a broken link included.
pub async fn is_there(path: &Path) -> bool {
    tokio::fs::symlink_metadata(path).await.is_ok()
}

/// Writes a file in one step.
///
/// # Errors
/// When it cannot be written there.
pub async fn save_file(path: &Path, content: Arc<[u8]>) -> Result<(), Failure> {
    save(path, move |file| Ok(file.write_all(&content)?)).await
}

/// Writes a file in one step, piece by piece, on a thread that may wait.
///
/// # Errors
/// As `write`, or when it cannot be written there.
pub async fn save_pieces(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Failure> + Send + 'static,
) -> Result<(), Failure> {
    save(path, |file| write(file).map_err(Unsaved::Failure)).await
}

async fn save(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Unsaved> + Send + 'static,
) -> Result<(), Failure> {
    let to = path.to_owned();
    let work = move || OutFile::try_open(&to, FOR_ALL)?.keep(write);
    let why = match tokio::task::spawn_blocking(work).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(Unsaved::Failure(failure))) => return Err(failure),
        Ok(Err(Unsaved::Io(why))) => why.to_string(),
        Err(panic) => panic.to_string(),
    };
    let summary = format!("{} could not be written", path.display());
    Err(Failure::new(summary, "Choose another folder, or make room on the disk").with_details(why))
}

/// Why a file was not written.
enum Unsaved {
    Failure(Failure),
    Io(std::io::Error),
}

impl From<std::io::Error> for Unsaved {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

fn into<E: From<std::io::Error>>(
    file: impl Write,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let mut file = BufWriter::with_capacity(1 << 16, file);
    let written = write(&mut file).and_then(|()| Ok(file.flush()?));
    // What could not be written is not tried again when the buffer is dropped.
    let _ = file.into_parts();
    written
}

/// The reason in words; those of [`super::why`] are about reading.
fn why_unwritten(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            super::why(error)
        }
        _ => error.to_string(),
    }
}

/// Adds to the end of a file, which is made where it is missing.
///
/// # Errors
/// As the file system's.
pub fn append(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)?
        .write_all(bytes)
}

/// Why a file cannot be written, and what to look at.
pub fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    let advice = match error.kind() {
        ErrorKind::NotConnected => "Start its reader first",
        ErrorKind::BrokenPipe | ErrorKind::TimedOut => {
            "Let its reader run until everything is written"
        }
        _ => "Is there such a folder, may you write there, and is there room?",
    };
    Failure::new(
        format!(
            "{} cannot be written: {}",
            path.display(),
            why_unwritten(error)
        ),
        advice,
    )
}

/// A new file next to another, gone again unless it takes its place.
#[derive(Debug)]
pub(super) struct Beside {
    file: NamedTempFile,
    place: PathBuf,
}

impl Beside {
    /// Next to what [`real_path`] gave. The umask cuts `mode`.
    pub(super) fn create(real: &Path, mode: u32) -> std::io::Result<Self> {
        let dir = real.parent().unwrap_or(Path::new("/"));
        Ok(Self {
            file: private::temporary(dir, ".batida-", mode)?,
            place: real.to_owned(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    fn file(&self) -> &File {
        self.file.as_file()
    }

    /// What is in it need not have reached the disk.
    fn persist(self) -> std::io::Result<()> {
        self.file.persist(&self.place)?;
        Ok(())
    }

    pub(super) fn replace(self) -> std::io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.place)?;
        // The rename itself reaches the disk with its folder; some file systems cannot be asked.
        if let Some(dir) = self.place.parent() {
            let _ = File::open(dir).and_then(|dir| dir.sync_all());
        }
        Ok(())
    }
}

/// Follows links, also one that leads to no file yet, so that a rename replaces the file and not the link.
pub(super) fn real_path(path: &Path) -> std::io::Result<PathBuf> {
    let mut path = std::path::absolute(path)?;
    for _ in 0..40 {
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_symlink() => {
                let target = fs::read_link(&path)?;
                path = path.parent().map(|dir| dir.join(&target)).unwrap_or(target);
            }
            Ok(_) => return Ok(path),
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(path),
            Err(why) => return Err(why),
        }
    }
    Err(std::io::Error::other("too many links"))
}

/// Moves a file to a name of its own beside it, and gives that.
///
/// # Errors
/// As the file system's. It is then where it was.
pub(super) fn move_aside(path: &Path) -> std::io::Result<PathBuf> {
    let real = real_path(path)?;
    let aside = free_name(&real)?;
    fs::rename(&real, &aside)?;
    Ok(aside)
}

/// Takes a name next to `path` that nobody has, by putting an empty file there.
fn free_name(path: &Path) -> std::io::Result<PathBuf> {
    let stamp = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    for number in 1..1_000 {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".kept-{stamp}"));
        if number > 1 {
            name.push(format!("-{number}"));
        }
        match claim(name.as_ref()) {
            Ok(_) => return Ok(name.into()),
            Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
            Err(why) => return Err(why),
        }
    }
    Err(std::io::Error::other("no free name"))
}

#[cfg(test)]
mod tests;
