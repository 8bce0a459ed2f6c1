//! A damaged file made anew from its tables: whatever is wrong with an index, or with the words to search for, is gone.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OpenFlags};

use super::{FILE, Store};

/// Each before those that refer to it, and how it is read without its other indexes: one of them may be what is damaged.
/// SQLite takes an index that has all columns for as good as the table, unless a table without row ids is asked for by
/// its key. Indexes and words are made anew from them.
const TABLES: [(&str, &str); 8] = [
    ("sessions", "NOT INDEXED"),
    ("heads", "NOT INDEXED"),
    ("levels", "NOT INDEXED"),
    ("targets", "INDEXED BY sqlite_autoindex_targets_1"),
    ("tags", "INDEXED BY sqlite_autoindex_tags_1"),
    ("exchanges", "NOT INDEXED"),
    ("requests", "NOT INDEXED"),
    ("baselines", "INDEXED BY sqlite_autoindex_baselines_1"),
];

/// A file that holds all that another one did. Dropped, it is gone.
#[derive(Debug)]
pub struct Rebuilt(tempfile::TempDir);

impl Rebuilt {
    fn file(&self) -> PathBuf {
        self.0.path().join(FILE)
    }

    /// Whether it is where the damaged one was.
    pub(super) fn put_in_place(self, path: &Path) -> bool {
        fs::rename(self.file(), path).is_ok()
    }
}

/// All of the file, from its tables alone. `None` where one of them cannot be read whole, or the disk has no room: then
/// nothing is known to be right.
pub(super) fn from(path: &Path) -> Option<Rebuilt> {
    let rebuilt = Rebuilt(
        tempfile::Builder::new()
            .prefix(".rebuilt-")
            .tempdir_in(path.parent()?)
            .ok()?,
    );
    let copy = || -> rusqlite::Result<()> {
        let store = Store::try_open(&rebuilt.file()).map_err(|_| rusqlite::Error::InvalidQuery)?;
        // Only to read; a log beside it is read too.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let old = Connection::open_with_flags(path, flags)?;
        let tx = store.conn.unchecked_transaction()?;
        let as_of = old.unchecked_transaction()?;
        for (table, how) in TABLES {
            let mut asked = as_of.prepare(&format!("SELECT * FROM {table} {how}"))?;
            let columns = asked.column_count();
            let places = vec!["?"; columns].join(", ");
            let mut put = tx.prepare(&format!("INSERT INTO {table} VALUES ({places})"))?;
            let mut rows = asked.query([])?;
            while let Some(row) = rows.next()? {
                for at in 0..columns {
                    put.raw_bind_parameter(at + 1, ToSqlOutput::Borrowed(row.get_ref(at)?))?;
                }
                put.raw_execute()?;
            }
        }
        as_of.finish()?;
        tx.commit()?;
        let Store { conn, .. } = store;
        // Its log goes into it, so that it can be moved alone.
        conn.close().map_err(|(_, error)| error)
    };
    copy().ok().map(|()| rebuilt)
}
