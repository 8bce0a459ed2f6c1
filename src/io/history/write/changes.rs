//! What the user changes of sessions that are kept: deletions, names, tags, baselines.

use rusqlite::params;

use crate::domain::failure::Failure;
use crate::domain::history::{Deletion, SessionId, SessionRow};
use crate::io::history::query::{DELETABLE, stale};
use crate::io::history::rows::{self, SessionKey, nanos};
use crate::io::history::write::words_of;
use crate::io::history::{Store, Trouble};

/// Pages of the index that are written in one step of its tidying: some milliseconds.
const TIDIED: i64 = 128;
/// Characters of a title that somebody gives.
const MOST_TITLE: usize = 200;

impl Store {
    /// Takes sessions out for good. Gives how many there were.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn delete(&self, what: &Deletion) -> Result<usize, Failure> {
        let deleted = self.write(|tx| {
            let keys: Vec<SessionKey> = match what {
                Deletion::Sessions(ids) => {
                    let found: Result<Vec<_>, Trouble> = ids.iter().map(|id| tx.find(id)).collect();
                    found?.into_iter().flatten().map(|(key, _)| key).collect()
                }
                Deletion::OlderThan(moment) => {
                    let sql =
                        format!("SELECT key FROM sessions WHERE began_ns < ? AND {DELETABLE}");
                    let mut asked = tx.0.prepare(&sql)?;
                    let moments = [nanos(*moment), stale()];
                    let keys = asked.query_map(moments, |row| row.get(0).map(SessionKey))?;
                    keys.collect::<rusqlite::Result<_>>()?
                }
            };
            for key in &keys {
                tx.delete(*key)?;
            }
            Ok(keys.len())
        })?;
        if deleted > 0 {
            // What is deleted is deleted; on a full disk the room is given back later, and used again meanwhile.
            let _ = self.shrink();
        }
        Ok(deleted)
    }

    /// Takes words of what was deleted out of the index, where they would linger else: a bounded part of that each
    /// time, since it is as much work as the index is large. `first` begins it. Gives whether it is to be called again.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn tidy(&self, first: bool) -> Result<bool, Failure> {
        let most = if first { -TIDIED } else { TIDIED };
        let more = self.write(|tx| {
            let before = tx.0.total_changes();
            tx.0.execute("INSERT INTO said (said, rank) VALUES ('merge', ?1)", [most])?;
            // It counts itself as one.
            Ok(tx.0.total_changes() - before > 1)
        })?;
        if !more {
            // As after a deletion.
            let _ = self.shrink();
        }
        Ok(more)
    }

    /// Gives room that is free back to the disk, now.
    pub(super) fn shrink(&self) -> Result<(), Failure> {
        self.vacuum()?;
        // A reader may be at it; the next checkpoint does the rest.
        let _ = self
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        Ok(())
    }

    /// Gives room that is free back to the disk, at a later checkpoint.
    pub(in crate::io::history) fn vacuum(&self) -> Result<(), Failure> {
        let all = || -> rusqlite::Result<()> {
            let mut steps = self.conn.prepare("PRAGMA incremental_vacuum")?;
            let mut rows = steps.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        };
        self.asked(all())
    }

    /// Makes a session the baseline of its models on their deployments, in the place of others, or no longer.
    ///
    /// # Errors
    /// When there is no such session, or as [`Store::write`].
    pub fn set_baseline(&self, session: &SessionId, on: bool) -> Result<(), Failure> {
        let key = self.key_of(session)?;
        self.write(|tx| {
            tx.0.execute("DELETE FROM baselines WHERE session = ?1", [key.0])?;
            if on { tx.baseline(key) } else { Ok(()) }
        })
    }

    /// Gives a session another title; what is said in it later leaves it so. Lines become one, and it is cut at
    /// 200 characters.
    ///
    /// # Errors
    /// When there is no such session, the title is empty, or as [`Store::write`].
    pub fn rename(&self, session: &SessionId, title: &str) -> Result<(), Failure> {
        let words: Vec<&str> = title
            .split(|c: char| c.is_whitespace() || c.is_control())
            .collect();
        let title: String = words
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        let title: String = title.chars().take(MOST_TITLE).collect();
        if title.is_empty() {
            return Err(Failure::new("A session needs a name", "Type one"));
        }
        let key = self.key_of(session)?;
        self.write(|tx| {
            let row = SessionRow {
                title,
                ..rows::row_of(tx.0, key)?
            };
            let sql = "UPDATE sessions SET title = ?2, words = ?3 WHERE key = ?1";
            tx.0.execute(sql, params![key.0, row.title, words_of(&row)])?;
            Ok(())
        })
    }

    /// Gives a session these tags in place of those it has.
    ///
    /// # Errors
    /// When there is no such session, or as [`Store::write`].
    pub fn tag(&self, session: &SessionId, tags: &[String]) -> Result<(), Failure> {
        let mut row = self.row(session)?;
        let key = self.key_of(session)?;
        row.tags.clear();
        for tag in tags
            .iter()
            .map(|tag| tag.trim())
            .filter(|tag| !tag.is_empty())
        {
            if !row.tags.iter().any(|known| known == tag) {
                row.tags.push(tag.to_owned());
            }
        }
        self.write(|tx| tx.retag(key, &row))
    }
}
