//! The database: the history and the user's workspace in one SQLite file with a write-ahead log. What was committed
//! survives a kill; two windows may write at once; a file that is damaged is kept aside, and one of a newer Batida is left
//! alone.

mod codec;
mod query;
mod read;
mod rebuild;
mod rows;
mod schema;
mod trouble;
mod workspace;
mod write;

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcetera::BaseStrategy as _;
use rusqlite::{Connection, OpenFlags};

pub use self::read::ByIndex;
pub use self::rebuild::Rebuilt;
pub use self::rows::SessionKey;
pub use self::trouble::Trouble;
use self::trouble::{Cannot, damaged, is_damage, may_be_damage, no_room, replaced, told};
pub(in crate::io) use self::workspace::Kind;
pub use self::workspace::StoredDraft;
pub use self::write::{ChatRecord, Writing};
use crate::domain::failure::Failure;
use crate::domain::system::System;
use crate::io::files;
use crate::io::private::{self, FileId};

/// The file's name.
pub const FILE: &str = "history.sqlite";
/// Beside the file: somebody who may have been there only to read has met damage in it. Who opens the file to write next
/// rebuilds it.
const MARK: &str = ".damaged";
/// How long another program's lock is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// A session that runs says so at least this often, or it is taken for interrupted.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// No Batida will ever write a higher version: a file that says one is damaged.
const MAX_VERSION: i64 = 1_000;
/// What SQLite calls giving free pages back when it is asked to.
const INCREMENTAL: i64 = 2;

/// The history's file, open. For one thread; others open their own.
pub struct Store {
    conn: Connection,
    path: PathBuf,
    /// The file that was opened; another one may take its place.
    file: Option<FileId>,
    /// Something in it made no sense.
    broken: Cell<bool>,
}

/// What opening gave.
pub struct Opened {
    /// The store.
    pub store: Store,
    /// The old file was damaged, and where it is now.
    pub notice: Option<Failure>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// The user's own folder for it, e.g. `~/.local/share/batida`.
    ///
    /// # Errors
    /// When there is no home directory.
    pub fn default_dir() -> Result<PathBuf, Failure> {
        let base = etcetera::choose_base_strategy().map_err(|error| {
            Failure::new(
                "There is no place for the history",
                format!("{}, or say --config DIR", System::HERE.home_advice()),
            )
            .with_details(error.to_string())
        })?;
        Ok(base.data_dir().join("batida"))
    }

    /// Opens the file in `dir`, and makes both where they are not there. A damaged file, and one in which a reader has
    /// met damage, is moved aside and told of in [`Opened::notice`]; what can be read of it is in the new one.
    ///
    /// # Errors
    /// When the file cannot be made, read or written, another program holds it, or a newer Batida wrote it.
    pub fn open(dir: &Path) -> Result<Opened, Failure> {
        let path = usable(dir)?;
        // Two windows that start at once: the second one must not move aside what the first one just made.
        let _alone = files::alone_in(dir);
        let why = match Self::try_open(&path) {
            Ok(store) => match fs::read_to_string(beside(&path, MARK)) {
                Err(_) => {
                    return Ok(Opened {
                        store,
                        notice: None,
                    });
                }
                Ok(why) => why,
            },
            Err(Cannot::Broken(why)) => why,
            Err(cannot) => return Err(cannot.told(&path)),
        };
        let notice = set_aside(&path, &why, rebuild::from(&path))?;
        let store = Self::try_open(&path).map_err(|cannot| cannot.told(&path))?;
        Ok(Opened {
            store,
            notice: Some(notice),
        })
    }

    /// The same for who only reads: nothing is moved, and where nothing can be written, what is there can still be
    /// looked at.
    ///
    /// # Errors
    /// As [`Store::open`], and when the file is damaged.
    pub fn open_to_read(dir: &Path) -> Result<Self, Failure> {
        let opened = usable(dir).and_then(|path| {
            let _alone = files::alone_in(dir);
            Self::try_open(&path).map_err(|cannot| cannot.told(&path))
        });
        opened.or_else(|failure| {
            let path = dir.join(FILE);
            let readable =
                files::ordinary(&path).is_ok() && path.metadata().is_ok_and(|meta| meta.len() > 0);
            if !readable {
                return Err(failure);
            }
            Self::open_immutable(&path).map_err(|_| failure)
        })
    }

    /// Of a file that nobody can write, e.g. on a medium that is read only.
    fn open_immutable(path: &Path) -> Result<Self, Cannot> {
        fs::metadata(path).map_err(|error| Cannot::Broken(crate::io::why(&error)))?;
        // Where it could be written, somebody may be writing: then this would read nonsense.
        if OpenOptions::new().append(true).open(path).is_ok() {
            return Err(Cannot::Broken("it is in use".to_owned()));
        }
        let name = path
            .to_string_lossy()
            .replace('%', "%25")
            .replace('?', "%3f")
            .replace('#', "%23");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)?;
        match schema::version(&conn)? {
            schema::OLDEST_READABLE..=schema::VERSION => {}
            newer if newer > schema::VERSION => return Err(Cannot::Newer(newer)),
            _ => return Err(Cannot::Broken("an older Batida wrote it".to_owned())),
        }
        Ok(Self {
            conn,
            path: path.to_owned(),
            file: FileId::of(path),
            broken: Cell::new(false),
        })
    }

    fn try_open(path: &Path) -> Result<Self, Cannot> {
        // SQLite would touch a file before it says its version.
        match header(path) {
            Some(Header { version, .. }) if version > MAX_VERSION => {
                return Err(Cannot::Broken(format!("it says version {version}")));
            }
            Some(Header { version, .. }) if version > schema::VERSION => {
                return Err(Cannot::Newer(version));
            }
            // To SQLite such a file may only be read.
            Some(Header { formats, .. })
                if formats.iter().any(|format| !matches!(format, 1 | 2)) =>
            {
                return Err(Cannot::Broken("its header makes no sense".to_owned()));
            }
            _ => {}
        }
        // SQLite gives a log the rights of its file. A file that cannot be made is what SQLite tells next.
        let _ = private::options_with(private::FOR_OWNER)
            .append(true)
            .create(true)
            .open(path);
        private::make_private(path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(path, flags)?;
        conn.busy_timeout(PATIENCE)?;
        // Before the first table is made. UserInput it again would write, and every window would take that for news,
        // read anew, say it again, and so on.
        let vacuums: i64 = conn.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
        if vacuums != INCREMENTAL {
            conn.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
        }
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        // A kill loses nothing that was committed; a loss of power may, but never the file.
        conn.pragma_update(None, "synchronous", "NORMAL")?;
        conn.pragma_update(None, "foreign_keys", true)?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        conn.pragma_update(None, "cache_size", -16_000)?;
        conn.pragma_update(None, "journal_size_limit", 16 << 20)?;
        conn.set_prepared_statement_cache_capacity(64);
        schema::migrate(&mut conn)?;
        Ok(Self {
            conn,
            path: path.to_owned(),
            file: FileId::of(path),
            broken: Cell::new(false),
        })
    }

    /// What is read ends with a failure once it is `so`, e.g. when nobody waits for it any more.
    ///
    /// # Errors
    /// When SQLite takes no such wish.
    pub fn stop_when(&mut self, so: impl FnMut() -> bool + Send + 'static) -> Result<(), Failure> {
        // In SQLite's own steps: some microseconds.
        const EVERY: i32 = 200;
        let wished = self.conn.progress_handler(EVERY, Some(so));
        self.asked(wished)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is still where it was opened: somebody may have deleted it, or another window moved it aside.
    pub fn is_in_place(&self) -> bool {
        FileId::of(&self.path).is_some_and(|now| Some(now) == self.file)
    }

    /// Whether something that was read made no sense.
    pub fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// Whether that was so for somebody who has the file open to read.
    pub fn is_marked(&self) -> bool {
        beside(&self.path, MARK).exists()
    }

    /// What can be read of the file, in a file of its own.
    pub fn rebuilt(&self) -> Option<Rebuilt> {
        rebuild::from(&self.path)
    }

    /// Closes the file and moves it aside, for the rebuilt one or for none. Gives what to tell.
    ///
    /// # Errors
    /// When it had to stay where it is.
    pub fn set_aside(self, rebuilt: Option<Rebuilt>) -> Result<Failure, Failure> {
        let Self { conn, path, .. } = self;
        let _alone = path.parent().map(files::alone_in);
        // What cannot be closed well is closed when it is dropped.
        let _ = conn.close();
        set_aside(&path, "it holds what makes no sense", rebuilt)
    }

    /// Something in it made no sense. Of a file that is not there any more nobody needs to know.
    fn met_damage(&self, why: &str) -> Failure {
        self.broken.set(true);
        if self.is_in_place() {
            damaged(&self.path, why)
        } else {
            replaced(why)
        }
    }

    /// Counts up when another connection, e.g. another window's, has changed something.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn foreign_changes(&self) -> Result<i64, Failure> {
        self.asked(
            self.conn
                .pragma_query_value(None, "data_version", |row| row.get(0)),
        )
    }

    /// What the file and its log take up on disk, in bytes.
    pub fn bytes(&self) -> u64 {
        let size =
            |ending: &str| fs::metadata(beside(&self.path, ending)).map_or(0, |meta| meta.len());
        size("") + size("-wal")
    }

    /// What a reading gave, as it is told.
    fn asked<T>(&self, outcome: Result<T, impl Into<Trouble>>) -> Result<T, Failure> {
        outcome.map_err(|error| {
            let Trouble(error) = error.into();
            match is_damage(&error) {
                true => self.met_damage(&error.to_string()),
                false => told(&self.path, &error),
            }
        })
    }
}

/// The file in `dir`, with its folder.
fn usable(dir: &Path) -> Result<PathBuf, Failure> {
    let path = dir.join(FILE);
    if let Err(odd @ (files::Unread::Folder | files::Unread::NoFile(_))) = files::ordinary(&path) {
        let why = format!(
            "The history cannot be used: {}: {}",
            path.display(),
            odd.why()
        );
        return Err(Failure::new(
            why,
            "Move it away: Batida then makes a new one",
        ));
    }
    private::make_private_dir(dir).map_err(|error| no_room(&path, &error))?;
    Ok(path)
}

/// What the file's first bytes say.
struct Header {
    /// Of the tables.
    version: i64,
    /// Of the file, for writing and for reading.
    formats: [u8; 2],
}

/// `None` when it has none yet.
fn header(path: &Path) -> Option<Header> {
    let mut header = [0; 64];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    let version: [u8; 4] = header[60..64].try_into().ok()?;
    let known = header.starts_with(b"SQLite format 3\0");
    known.then(|| Header {
        version: i64::from(i32::from_be_bytes(version)),
        formats: [header[18], header[19]],
    })
}

/// `history.sqlite-wal` and the like.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Moves the file with its log to a name of its own, so that nothing is lost, and puts the rebuilt one in its place.
fn set_aside(path: &Path, why: &str, rebuilt: Option<Rebuilt>) -> Result<Failure, Failure> {
    let summary = format!("The history's file was damaged: {why}");
    let moved = || -> std::io::Result<(PathBuf, String)> {
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let names = (1..100).map(|n| match n {
            1 => format!(".broken-{stamp}"),
            n => format!(".broken-{stamp}-{n}"),
        });
        let mut free = names
            .map(|ending| beside(path, &ending))
            .filter(|name| !name.exists());
        let aside = free.next().ok_or(ErrorKind::AlreadyExists)?;
        fs::rename(path, &aside)?;
        for log in ["-wal", "-shm"] {
            match fs::rename(beside(path, log), beside(&aside, log)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let kept = rebuilt.filter(|rebuilt| rebuilt.put_in_place(path));
        let now = kept.map_or_else(|| "a new one was begun".to_owned(), |kept| kept.contents());
        match fs::remove_file(beside(path, MARK)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok((aside, now)),
        }
    };
    match moved() {
        Ok((aside, now)) => Ok(Failure::new(
            summary,
            format!("It was kept as {}, and {now}", aside.display()),
        )),
        Err(error) => Err(Failure::new(
            summary,
            format!("Move {} away; until then nothing is kept", path.display()),
        )
        .with_details(format!("It could not be moved aside: {error}"))),
    }
}
