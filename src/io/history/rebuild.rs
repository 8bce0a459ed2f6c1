//! A damaged file made anew from its tables: whatever is wrong with an index, or with the words to search for, is gone.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OpenFlags};

use super::{FILE, Store};

/// The history's, each before those that refer to it, and how it is read without its other indexes: one of them may be what is damaged.
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
/// A file that holds what another one did. Dropped, it is gone.
#[derive(Debug)]
pub struct Rebuilt {
    dir: tempfile::TempDir,
    has_history: bool,
    has_workspace: bool,
}

impl Rebuilt {
    fn file(&self) -> PathBuf {
        self.dir.path().join(FILE)
    }

    /// Whether it has all of the history.
    pub fn has_history(&self) -> bool {
        self.has_history
    }

    /// Whether it has all of the workspace.
    pub fn has_workspace(&self) -> bool {
        self.has_workspace
    }

    /// What it holds, to go behind "The damaged file was kept, and".
    pub(super) fn contents(&self) -> &'static str {
        match (self.has_history, self.has_workspace) {
            (true, true) => "all that it held is in a new one",
            (true, false) => {
                "its history is in a new one, with those prompts, drafts, panes, presets and votes that could be read"
            }
            (false, _) => {
                "a new one was begun, with those prompts, drafts, panes, presets and votes that could be read"
            }
        }
    }

    /// Whether it is where the damaged one was.
    pub(super) fn put_in_place(&self, path: &Path) -> bool {
        fs::rename(self.file(), path).is_ok()
    }
}

/// What the file holds, from its tables alone. Where one of the history's cannot be read whole, nothing is known to be
/// right in the history. Of the workspace as much is taken as can be read. `None` without any, or where the disk has no
/// room.
pub(super) fn from(path: &Path) -> Option<Rebuilt> {
    copy(path, &TABLES).or_else(|| copy(path, &[]))
}

/// These tables and the workspace.
fn copy(path: &Path, history: &[(&str, &str)]) -> Option<Rebuilt> {
    let dir = tempfile::Builder::new()
        .prefix(".rebuilt-")
        .tempdir_in(path.parent()?)
        .ok()?;
    let mut rebuilt = Rebuilt {
        dir,
        has_history: !history.is_empty(),
        has_workspace: false,
    };
    let mut copied = 0;
    let mut copying = || -> rusqlite::Result<()> {
        let store = Store::try_open(&rebuilt.file()).map_err(|_| rusqlite::Error::InvalidQuery)?;
        // Only to read; a log beside it is read too.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let old = Connection::open_with_flags(path, flags)?;
        let tx = store.conn.unchecked_transaction()?;
        let as_of = old.unchecked_transaction()?;
        for (table, how) in history {
            copy_table(&as_of, &tx, table, how, &mut copied)?;
        }
        // What is read before the damage is taken.
        rebuilt.has_workspace =
            copy_table(&as_of, &tx, "workspace", "NOT INDEXED", &mut copied).is_ok();
        as_of.finish()?;
        tx.commit()?;
        let Store { conn, .. } = store;
        // Its log goes into it, so that it can be moved alone.
        conn.close().map_err(|(_, error)| error)
    };
    copying().ok()?;
    (rebuilt.has_history || copied > 0).then_some(rebuilt)
}

/// Counts the rows in `copied`. An older version's file may lack the table.
fn copy_table(
    from: &Connection,
    to: &Connection,
    table: &str,
    how: &str,
    copied: &mut usize,
) -> rusqlite::Result<()> {
    if !from.table_exists(None::<&str>, table)? {
        return Ok(());
    }
    let mut asked = from.prepare(&format!("SELECT * FROM {table} {how}"))?;
    let columns = asked.column_names().collect::<Vec<_>>().join(", ");
    let count = asked.column_count();
    let places = vec!["?"; count].join(", ");
    let sql = format!("INSERT INTO {table} ({columns}) VALUES ({places})");
    let mut put = to.prepare(&sql)?;
    let mut rows = asked.query([])?;
    while let Some(row) = rows.next()? {
        for at in 0..count {
            put.raw_bind_parameter(at + 1, ToSqlOutput::Borrowed(row.get_ref(at)?))?;
        }
        put.raw_execute()?;
        *copied += 1;
    }
    Ok(())
}
