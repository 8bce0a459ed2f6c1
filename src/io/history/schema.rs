//! The tables, version by version. A step is never changed once it is out: what it made is on people's disks.

use rusqlite::{Connection, TransactionBehavior};

use super::Cannot;

/// What this version writes and reads (`PRAGMA user_version`).
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// From each version to the next one.
const STEPS: [&str; 2] = [V1, V2];

/// Moments are nanoseconds since 1970, or since the session's beginning; lists of names are JSON.
///
/// A request's key is its session's, shifted by 32 bits, plus its number: a session's requests lie side by
/// side and need no index.
const V1: &str = "
CREATE TABLE sessions (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    began_ns INTEGER NOT NULL,
    ended_ns INTEGER,
    heartbeat_ns INTEGER NOT NULL,
    title TEXT NOT NULL,
    environment TEXT NOT NULL,
    deployments TEXT NOT NULL,
    models TEXT NOT NULL,
    tags TEXT NOT NULL,
    words TEXT NOT NULL,
    source TEXT,
    release TEXT,
    requests INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    ttft_ms REAL,
    itl_ms REAL,
    peak REAL,
    kept INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE heads (
    session INTEGER PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE levels (
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    number INTEGER NOT NULL,
    report TEXT NOT NULL,
    UNIQUE (session, number)
) STRICT;

CREATE TABLE targets (
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    place INTEGER NOT NULL,
    model TEXT NOT NULL,
    deployment TEXT,
    ttft_ms REAL,
    user_speed REAL,
    peak REAL,
    PRIMARY KEY (session, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE tags (
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (session, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE exchanges (
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    id INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (session, id)
) STRICT;

CREATE TABLE requests (
    key INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    level INTEGER NOT NULL,
    phase INTEGER NOT NULL,
    target INTEGER NOT NULL,
    due_ns INTEGER NOT NULL,
    sent_ns INTEGER NOT NULL,
    ended_ns INTEGER NOT NULL,
    connect_ns INTEGER,
    first_byte_ns INTEGER,
    ttft_ns INTEGER,
    first_answer_ns INTEGER,
    latency_ns INTEGER,
    tokens INTEGER,
    tokens_by_chunks INTEGER,
    tokens_per_s REAL,
    tpot_ns INTEGER,
    itl_ns INTEGER,
    longest_gap_ns INTEGER,
    reasoning_tokens INTEGER,
    reasoning_by_chunks INTEGER,
    reasoning_ns INTEGER,
    prompt_tokens INTEGER,
    cached_tokens INTEGER,
    wanted_prompt_tokens INTEGER,
    server INTEGER,
    server_ttft_ns INTEGER,
    server_latency_ns INTEGER,
    server_after_first_per_s REAL,
    server_per_s REAL,
    server_acceptance REAL,
    chunks INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    gaps_us BLOB NOT NULL,
    error TEXT,
    error_class TEXT,
    status INTEGER,
    prompt TEXT,
    reasoning TEXT,
    answer TEXT
) STRICT;
";

/// Sorting and filtering without reading every session, and the baselines.
const V2: &str = "
CREATE TABLE baselines (
    model TEXT NOT NULL,
    deployment TEXT NOT NULL,
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    PRIMARY KEY (model, deployment)
) STRICT, WITHOUT ROWID;
CREATE INDEX baselines_session ON baselines (session);
CREATE INDEX sessions_began ON sessions (began_ns);
CREATE INDEX sessions_environment ON sessions (environment);
CREATE INDEX sessions_requests ON sessions (requests, began_ns);
CREATE INDEX sessions_errors ON sessions (errors, began_ns);
CREATE INDEX sessions_ttft ON sessions (ttft_ms, began_ns);
CREATE INDEX sessions_itl ON sessions (itl_ms, began_ns);
CREATE INDEX sessions_peak ON sessions (peak, began_ns);
CREATE INDEX targets_model ON targets (model, deployment, session);
CREATE INDEX targets_deployment ON targets (deployment, session);
CREATE INDEX tags_tag ON tags (tag, session);
";

/// Brings a file to this version, in one step or not at all.
pub(super) fn migrate(conn: &mut Connection) -> Result<(), Cannot> {
    if version(conn)? == VERSION {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another window may have done it meanwhile.
    let from = version(&tx)?;
    if from > VERSION {
        return Err(Cannot::Newer(from));
    }
    let tables: i64 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if from < 0 || (from == 0) != (tables == 0) {
        return Err(Cannot::Broken("it holds another program's data".to_owned()));
    }
    for step in STEPS.iter().skip(usize::try_from(from).unwrap_or(0)) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()?;
    Ok(())
}

pub(super) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}
