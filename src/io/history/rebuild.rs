//! A damaged file made anew from its tables: whatever is wrong with an index, or with the words to search for, is gone.
//! A row or a page that cannot be read costs only itself, and what is left out is counted.

mod missing;

use self::missing::Missing;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, params};

use super::{FILE, Store};
use crate::domain::units::counted;

/// A table, how it is read, and indexes with an entry for each row, to count what it should hold.
struct Table {
    name: &'static str,
    layout: Layout,
    counted_by: &'static [&'static str],
}

/// How a table is read without its other indexes: one of them may be what is damaged.
enum Layout {
    /// By row id.
    Rows,
    /// By row id, session after session: those of a session that is lost are of no use.
    RowsOfSessions,
    /// Without row ids: by its key. SQLite takes an index that has all columns for as good as the table, so the key is
    /// asked for by name. The other names are indexes that do have all columns.
    Keyed(&'static [&'static str]),
}

/// The history's, each before those that refer to it. Indexes and words are made anew from them.
const TABLES: [Table; 8] = [
    Table {
        name: "sessions",
        layout: Layout::Rows,
        counted_by: &["sqlite_autoindex_sessions_1", "sessions_began"],
    },
    Table {
        name: "heads",
        layout: Layout::Rows,
        counted_by: &[],
    },
    Table {
        name: "levels",
        layout: Layout::Rows,
        counted_by: &["sqlite_autoindex_levels_1"],
    },
    Table {
        name: "targets",
        layout: Layout::Keyed(&["sqlite_autoindex_targets_1"]),
        counted_by: &["targets_model", "targets_deployment"],
    },
    Table {
        name: "tags",
        layout: Layout::Keyed(&["sqlite_autoindex_tags_1", "tags_tag"]),
        counted_by: &["tags_tag"],
    },
    Table {
        name: "exchanges",
        layout: Layout::Rows,
        counted_by: &["sqlite_autoindex_exchanges_1"],
    },
    Table {
        name: "requests",
        layout: Layout::RowsOfSessions,
        counted_by: &[],
    },
    Table {
        name: "baselines",
        layout: Layout::Keyed(&["sqlite_autoindex_baselines_1", "baselines_session"]),
        counted_by: &["baselines_session"],
    },
];
const WORKSPACE: Table = Table {
    name: "workspace",
    layout: Layout::Rows,
    counted_by: &["sqlite_autoindex_workspace_1"],
};

/// A file that holds what another one did. Dropped, it is gone.
#[derive(Debug)]
pub struct Rebuilt {
    dir: tempfile::TempDir,
    sessions: u64,
    left_out: LeftOut,
    has_workspace: bool,
}

/// What of the history could not be read.
#[derive(Debug, Default)]
struct LeftOut {
    sessions: Missing,
    requests: Missing,
    /// Plans, results of levels, exchanges, tags and the like.
    others: Missing,
}

impl Rebuilt {
    fn file(&self) -> PathBuf {
        self.dir.path().join(FILE)
    }

    /// Opens it, e.g. to take out what is written anew. To be closed before the file is put in place.
    pub fn open(&self) -> Option<Store> {
        Store::try_open(&self.file()).ok()
    }

    /// Whether it has all of the history.
    pub fn has_history(&self) -> bool {
        let LeftOut {
            sessions,
            requests,
            others,
        } = self.left_out;
        sessions.is_none() && requests.is_none() && others.is_none()
    }

    /// Whether it has all of the workspace.
    pub fn has_workspace(&self) -> bool {
        self.has_workspace
    }

    /// What it holds, to go behind "The damaged file was kept, and".
    pub(super) fn contents(&self) -> String {
        const WORKSPACE: &str =
            "those prompts, drafts, panes, presets and votes that could be read";
        let workspace = if self.has_workspace {
            String::new()
        } else {
            format!(", with {WORKSPACE}")
        };
        if self.has_history() {
            return match self.has_workspace {
                true => "all that it held is in a new one".to_owned(),
                false => format!("its history is in a new one{workspace}"),
            };
        }
        if self.sessions == 0 {
            return format!("a new one was begun, with {WORKSPACE}");
        }
        let LeftOut {
            sessions,
            requests,
            others,
        } = self.left_out;
        let left_out: Vec<String> = [
            sessions.told("session"),
            requests.told("request"),
            others.told("other row"),
        ]
        .into_iter()
        .flatten()
        .collect();
        format!(
            "what could be read of it is in a new one: {}{workspace}. Left out, since they could not be read: {}",
            counted(
                usize::try_from(self.sessions).unwrap_or(usize::MAX),
                "session"
            ),
            left_out.join(", ")
        )
    }

    /// Whether it is where the damaged one was.
    pub(super) fn put_in_place(&self, path: &Path) -> bool {
        fs::rename(self.file(), path).is_ok()
    }
}

/// What can be read of the file, from its tables alone. `None` if that is nothing, or where the disk has no room.
pub(super) fn from(path: &Path) -> Option<Rebuilt> {
    let dir = tempfile::Builder::new()
        .prefix(".rebuilt-")
        .tempdir_in(path.parent()?)
        .ok()?;
    let mut rebuilt = Rebuilt {
        dir,
        sessions: 0,
        left_out: LeftOut::default(),
        has_workspace: false,
    };
    let mut workspace = 0;
    let mut copying = || -> rusqlite::Result<()> {
        let store = rebuilt.open().ok_or(rusqlite::Error::InvalidQuery)?;
        // Only to read; a log beside it is read too.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let old = Connection::open_with_flags(path, flags)?;
        let tx = store.conn.unchecked_transaction()?;
        let as_of = old.unchecked_transaction()?;
        // No row takes less than a byte; a broken tree may lead to the same ones again and again.
        let most = fs::metadata(path).map_or(0, |meta| meta.len());
        for table in &TABLES {
            let (copied, missing) = copy(&as_of, &tx, table, most)?;
            match table.name {
                "sessions" => {
                    rebuilt.sessions = copied;
                    rebuilt.left_out.sessions = missing;
                }
                // Each session says how many it has.
                "requests" => {
                    rebuilt.left_out.requests = Missing {
                        known: correct_counts(&tx)?,
                        or_more: false,
                    };
                }
                "heads" => {
                    rebuilt.left_out.others.add(Missing {
                        known: without_plan(&tx)?,
                        or_more: false,
                    });
                }
                _ => rebuilt.left_out.others.add(missing),
            }
        }
        let (copied, missing) = copy(&as_of, &tx, &WORKSPACE, most)?;
        (workspace, rebuilt.has_workspace) = (copied, missing.is_none());
        as_of.finish()?;
        tx.commit()?;
        let Store { conn, .. } = store;
        // Its log goes into it, so that it can be moved alone.
        conn.close().map_err(|(_, error)| error)
    };
    copying().ok()?;
    (rebuilt.has_history() || rebuilt.sessions + workspace > 0).then_some(rebuilt)
}

/// Corrects how many requests each session has and has lost. Gives how many were lost now.
fn correct_counts(to: &Connection) -> rusqlite::Result<u64> {
    const HAS: &str = "(SELECT count(*) FROM requests WHERE requests.key >= sessions.key << 32 \
                       AND requests.key < (sessions.key + 1) << 32)";
    let sql = format!("SELECT ifnull(sum(max(0, kept - {HAS})), 0) FROM sessions");
    let lost: i64 = to.query_row(&sql, [], |row| row.get(0))?;
    if lost > 0 {
        let sql = format!(
            "UPDATE sessions SET lost = lost + kept - {HAS}, kept = {HAS} WHERE kept > {HAS}"
        );
        to.execute(&sql, [])?;
    }
    Ok(lost.cast_unsigned())
}

/// How many benchmarks have lost their plan.
fn without_plan(to: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM sessions WHERE kind <> 'chat' AND key NOT IN (SELECT session FROM heads)";
    let count: i64 = to.query_row(sql, [], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

/// Copies the rows that can be read. Gives how many these are, and how many are missing. An older version's file may lack
/// the table.
///
/// # Errors
/// When the new file cannot be written.
fn copy(
    from: &Connection,
    to: &Connection,
    table: &Table,
    most: u64,
) -> rusqlite::Result<(u64, Missing)> {
    let Table {
        name,
        layout,
        counted_by,
    } = table;
    let exists = from.table_exists(None::<&str>, name);
    if matches!(exists, Ok(false)) {
        return Ok((0, Missing::default()));
    }
    let mut copying = Copying {
        from,
        to,
        table: name,
        most,
        seen: 0,
        met_damage: exists.is_err(),
    };
    match layout {
        // SQLite gives them out from 1 on.
        Layout::Rows => copying.rows(0, i64::MAX)?,
        Layout::RowsOfSessions => {
            for session in sessions(to)? {
                let (first, last) = (session << 32, (session << 32) | i64::from(u32::MAX));
                copying.rows(first, last)?;
            }
        }
        Layout::Keyed(indexes) => copying.keyed(indexes)?,
    }
    let met_damage = copying.met_damage;
    let count = |of: &Connection, by: &str| -> rusqlite::Result<u64> {
        let sql = format!("SELECT count(*) FROM {name} {by}");
        of.query_row(&sql, [], |row| row.get::<_, i64>(0))
            .map(i64::cast_unsigned)
    };
    let copied = count(to, "")?;
    let expected = counted_by
        .iter()
        .filter_map(|index| count(from, &format!("INDEXED BY {index}")).ok())
        .max();
    let known = expected.map_or(0, |expected| expected.saturating_sub(copied));
    let or_more = met_damage && (expected.is_none() || known == 0);
    Ok((copied, Missing { known, or_more }))
}

fn sessions(to: &Connection) -> rusqlite::Result<Vec<i64>> {
    let mut asked = to.prepare("SELECT key FROM sessions ORDER BY key")?;
    asked.query_map([], |row| row.get(0))?.collect()
}

/// The copying of one table.
struct Copying<'a> {
    from: &'a Connection,
    to: &'a Connection,
    table: &'static str,
    /// More rows than that are a broken tree's.
    most: u64,
    seen: u64,
    met_damage: bool,
}

impl<'a> Copying<'a> {
    /// Copies the rows whose row ids are from `first` to `last`, and steps over those that cannot be read.
    fn rows(&mut self, first: i64, last: i64) -> rusqlite::Result<()> {
        let table = self.table;
        let sql = format!(
            "SELECT rowid, * FROM {table} NOT INDEXED WHERE rowid BETWEEN ?1 AND ?2 ORDER BY rowid"
        );
        let Ok(mut asked) = self.from.prepare(&sql) else {
            self.met_damage = true;
            return Ok(());
        };
        let mut put = self.put(&asked, 1)?;
        let mut start = first;
        loop {
            let mut read = None;
            let mut rows = asked.query([start, last])?;
            let ended = loop {
                match rows.next() {
                    Ok(Some(row)) => {
                        let id: i64 = row.get(0)?;
                        read = read.max(Some(id));
                        self.put_row(&mut put, row, 1)?;
                    }
                    Ok(None) => break true,
                    Err(_) => break false,
                }
                if self.seen > self.most {
                    self.met_damage = true;
                    return Ok(());
                }
            };
            drop(rows);
            if ended {
                return Ok(());
            }
            self.met_damage = true;
            let after = read.map_or(Some(start), |id| id.checked_add(1));
            match after.and_then(|after| self.next_readable(after, last)) {
                Some(next) => start = next,
                None => return Ok(()),
            }
        }
    }

    /// Where to go on behind a row or a page that cannot be read: it is somewhere from `start` on. `None` at the end.
    fn next_readable(&self, start: i64, last: i64) -> Option<i64> {
        let sql = format!(
            "SELECT rowid FROM {} NOT INDEXED WHERE rowid BETWEEN ?1 AND ?2 ORDER BY rowid LIMIT 1",
            self.table
        );
        let mut asked = self.from.prepare(&sql).ok()?;
        // The row id of the first row from there on.
        let mut found = |at: i64| -> rusqlite::Result<Option<i64>> {
            let mut rows = asked.query([at, last])?;
            rows.next()?.map(|row| row.get(0)).transpose()
        };
        // The row's page is well, but not what it holds.
        if let Ok(row) = found(start) {
            return row?.max(start).checked_add(1).filter(|next| *next <= last);
        }
        // The damaged page holds some row ids from `start` on. How many is found by doubling, and then by halving.
        let (mut bad, mut step) = (start, 1);
        let mut good = loop {
            let at = start.checked_add(step).filter(|at| *at <= last)?;
            if found(at).is_ok() {
                break at;
            }
            bad = at;
            step = step.checked_mul(2)?;
        };
        while bad + 1 < good {
            let middle = bad + (good - bad) / 2;
            if found(middle).is_ok() {
                good = middle;
            } else {
                bad = middle;
            }
        }
        Some(good)
    }

    /// Copies a table without row ids, by the first of these indexes that can be read whole, else session after session.
    fn keyed(&mut self, indexes: &[&str]) -> rusqlite::Result<()> {
        for index in indexes {
            if self.part(index, None)? {
                return Ok(());
            }
            self.met_damage = true;
        }
        for session in sessions(self.to)? {
            self.part(indexes[0], Some(session))?;
        }
        Ok(())
    }

    /// Whether the part could be read whole.
    fn part(&mut self, index: &str, session: Option<i64>) -> rusqlite::Result<bool> {
        let sql = format!(
            "SELECT * FROM {} INDEXED BY {index} WHERE ?1 IS NULL OR session = ?1",
            self.table
        );
        let sql = match session {
            Some(_) => sql.replace("?1 IS NULL OR ", ""),
            None => sql,
        };
        let Ok(mut asked) = self.from.prepare(&sql) else {
            return Ok(false);
        };
        let mut put = self.put(&asked, 0)?;
        let mut rows = asked.query(params![session])?;
        while self.seen <= self.most {
            match rows.next() {
                Ok(Some(row)) => self.put_row(&mut put, row, 0)?,
                Ok(None) => return Ok(true),
                Err(_) => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Inserts a row of what `asked` gives, but for the first columns.
    fn put(&self, asked: &Statement<'_>, skipped: usize) -> rusqlite::Result<Statement<'a>> {
        let columns: Vec<&str> = asked.column_names().skip(skipped).collect();
        let places = vec!["?"; columns.len()].join(", ");
        // Read by another way, or again, a row may be there already.
        let sql = format!(
            "INSERT OR IGNORE INTO {} ({}) VALUES ({places})",
            self.table,
            columns.join(", ")
        );
        self.to.prepare(&sql)
    }

    /// A row that makes no sense, or of a session that is lost, is left out.
    fn put_row(
        &mut self,
        put: &mut Statement<'_>,
        row: &rusqlite::Row<'_>,
        skipped: usize,
    ) -> rusqlite::Result<()> {
        self.seen += 1;
        for at in skipped..row.as_ref().column_count() {
            let value = ToSqlOutput::Borrowed(row.get_ref(at)?);
            put.raw_bind_parameter(at + 1 - skipped, value)?;
        }
        match put.raw_execute() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                self.met_damage = true;
                Ok(())
            }
            done => done.map(|_| ()),
        }
    }
}
