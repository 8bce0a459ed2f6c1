//! What reading and writing share: a session's key, its row, and how moments and names are written in the file.

use jiff::Timestamp;
use rusqlite::{Connection, Row};

use super::{HEARTBEAT, schema};
use crate::domain::history::{SessionId, SessionKind, SessionRow, SessionState};
use crate::domain::plan::Target;

/// A session's number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionKey(pub(super) i64);

impl SessionKey {
    /// The keys of its requests: from, and up to but without.
    pub(super) fn requests(self) -> [i64; 2] {
        [self.0 << 32, (self.0 + 1) << 32]
    }
}

/// What [`row`] takes, in its order.
pub(super) fn columns(conn: &Connection) -> rusqlite::Result<String> {
    let counts = if schema::version(conn)? < schema::COUNTS_IN_ROW {
        concat!(
            schema::panes!(),
            " AS panes, ",
            schema::warnings!(),
            " AS warnings"
        )
    } else {
        "panes, warnings"
    };
    Ok(format!("{ROW}, {counts}"))
}

const ROW: &str = "key, id, kind, state, began_ns, ended_ns, heartbeat_ns, title, environment, deployments, models, \
tags, source, release, requests, errors, ttft_ms, itl_ms, peak, key IN (SELECT session FROM baselines)";

pub(super) fn row_of(conn: &Connection, key: SessionKey) -> rusqlite::Result<SessionRow> {
    let sql = format!("SELECT {} FROM sessions WHERE key = ?1", columns(conn)?);
    conn.prepare_cached(&sql)?.query_row([key.0], row)
}

pub(super) fn targets_of(
    conn: &Connection,
    key: SessionKey,
) -> rusqlite::Result<Vec<(i64, Target)>> {
    let sql = "SELECT place, model, deployment FROM targets WHERE session = ?1 ORDER BY place";
    let mut asked = conn.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        Ok((
            row.get(0)?,
            Target {
                model: row.get(1)?,
                deployment: row.get(2)?,
            },
        ))
    };
    asked.query_map([key.0], read)?.collect()
}

pub(super) fn kept(conn: &Connection, key: SessionKey) -> rusqlite::Result<u64> {
    conn.query_row("SELECT kept FROM sessions WHERE key = ?1", [key.0], |row| {
        row.get::<_, i64>(0)
    })
    .map(i64::cast_unsigned)
}

pub(super) fn row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    let list = |column: usize| -> rusqlite::Result<Vec<String>> {
        let text = row.get_ref(column)?.as_str()?;
        serde_json::from_str(text).map_err(|error| {
            let kind = rusqlite::types::Type::Text;
            rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
        })
    };
    let beat: i64 = row.get(6)?;
    let silent = nanos(Timestamp::now()).abs_diff(beat) > HEARTBEAT.as_nanos() as u64;
    let state = match row.get_ref(3)?.as_str()? {
        // Whoever wrote it was killed, or its computer was.
        "running" if silent => SessionState::Interrupted,
        "running" => SessionState::Running,
        "complete" => SessionState::Complete,
        "stopped" => SessionState::Stopped,
        "failed" => SessionState::Failed,
        _ => SessionState::Interrupted,
    };
    Ok(SessionRow {
        id: SessionId(row.get(1)?),
        kind: kind(row.get_ref(2)?.as_str()?),
        state,
        began: moment(row.get(4)?),
        ended: row.get::<_, Option<i64>>(5)?.map(moment),
        title: row.get(7)?,
        environment: row.get(8)?,
        deployments: list(9)?,
        models: list(10)?,
        tags: list(11)?,
        source: row.get(12)?,
        release: row.get(13)?,
        requests: row.get::<_, i64>(14)?.cast_unsigned(),
        errors: row.get::<_, i64>(15)?.cast_unsigned(),
        ttft_p50_ms: row.get(16)?,
        itl_p50_ms: row.get(17)?,
        peak_tokens_per_s: row.get(18)?,
        baseline: row.get(19)?,
        panes: row.get::<_, i64>(20)?.cast_unsigned(),
        warnings: row.get::<_, i64>(21)?.cast_unsigned(),
    })
}

pub(super) fn kind(name: &str) -> SessionKind {
    if name == kind_name(SessionKind::Chat) {
        SessionKind::Chat
    } else {
        SessionKind::Bench
    }
}

pub(super) fn moment(ns: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at < Timestamp::UNIX_EPOCH {
        i64::MIN
    } else {
        i64::MAX
    })
}

pub(super) fn kind_name(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::Chat => "chat",
        SessionKind::Bench => "bench",
    }
}
