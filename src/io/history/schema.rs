//! The tables, version by version. A step is never changed once it is out: what it made is on people's disks.

use rusqlite::{Connection, TransactionBehavior};

use super::Cannot;

/// What this version writes and reads (`PRAGMA user_version`).
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// From each version to the next one.
const STEPS: [&str; 6] = [V1, V2, V3, V4, V5, V6];

/// The oldest version whose history can be read without bringing the file up to date.
pub(super) const OLDEST_READABLE: i64 = 4;

/// The version from which on a session's row says itself what [`panes`] and [`warnings`] count.
pub(super) const COUNTS_IN_ROW: i64 = 6;

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

/// Words of conversations, to be searched for: messages, names of what was attached, calls of functions and their
/// results, by any three characters that follow each other. The index keeps no texts of its own: its row of an exchange
/// is named as a request is, by the session's key shifted by 32 bits plus the exchange's id. What is no JSON has no
/// words.
const V3: &str = "
CREATE VIRTUAL TABLE said USING fts5(words, content='', contentless_delete=1, tokenize='trigram remove_diacritics 1');
CREATE TRIGGER said_new AFTER INSERT ON exchanges BEGIN
    INSERT OR REPLACE INTO said (rowid, words) SELECT (new.session << 32) | (new.id & 0xffffffff),
        ifnull(new.body ->> '$.prompt', '') || char(10) || ifnull(new.body ->> '$.answer', '') || char(10) ||
        ifnull((SELECT group_concat(value ->> '$.name', char(10)) FROM json_each(new.body, '$.attachments')), '') || char(10) ||
        ifnull((SELECT group_concat(concat_ws(' ', value ->> '$.name', value ->> '$.arguments'), char(10))
            FROM json_each(new.body, '$.calls')), '') || char(10) ||
        ifnull((SELECT group_concat(concat_ws(' ', value ->> '$.name', value ->> '$.content'), char(10))
            FROM json_each(new.body, '$.results')), '')
    WHERE json_valid(new.body);
END;
CREATE TRIGGER said_anew AFTER UPDATE ON exchanges BEGIN
    DELETE FROM said WHERE rowid = (old.session << 32) | (old.id & 0xffffffff);
    INSERT OR REPLACE INTO said (rowid, words) SELECT (new.session << 32) | (new.id & 0xffffffff),
        ifnull(new.body ->> '$.prompt', '') || char(10) || ifnull(new.body ->> '$.answer', '') || char(10) ||
        ifnull((SELECT group_concat(value ->> '$.name', char(10)) FROM json_each(new.body, '$.attachments')), '') || char(10) ||
        ifnull((SELECT group_concat(concat_ws(' ', value ->> '$.name', value ->> '$.arguments'), char(10))
            FROM json_each(new.body, '$.calls')), '') || char(10) ||
        ifnull((SELECT group_concat(concat_ws(' ', value ->> '$.name', value ->> '$.content'), char(10))
            FROM json_each(new.body, '$.results')), '')
    WHERE json_valid(new.body);
END;
CREATE TRIGGER said_no_more AFTER DELETE ON exchanges BEGIN
    DELETE FROM said WHERE rowid = (old.session << 32) | (old.id & 0xffffffff);
END;
INSERT OR REPLACE INTO said (rowid, words) SELECT (session << 32) | (id & 0xffffffff),
        ifnull(body ->> '$.prompt', '') || char(10) || ifnull(body ->> '$.answer', '') || char(10) ||
        ifnull((SELECT group_concat(value ->> '$.name', char(10)) FROM json_each(body, '$.attachments')), '') || char(10) ||
        ifnull((SELECT group_concat(concat_ws(' ', value ->> '$.name', value ->> '$.arguments'), char(10))
            FROM json_each(body, '$.calls')), '') || char(10) ||
        ifnull((SELECT group_concat(concat_ws(' ', value ->> '$.name', value ->> '$.content'), char(10))
            FROM json_each(body, '$.results')), '')
    FROM exchanges WHERE json_valid(body);
CREATE INDEX sessions_ended ON sessions (kind, ended_ns);
";

/// Whether an answer arrived all at once, which model gave it where another one was asked, and whether its request was
/// sent once more since the server had closed the connection that was open.
const V4: &str = "
ALTER TABLE requests ADD COLUMN at_once INTEGER;
ALTER TABLE requests ADD COLUMN answered_by TEXT;
ALTER TABLE requests ADD COLUMN reconnected INTEGER;
";

/// Prompts, drafts, panes, forms, presets and votes. Without an environment `env` is empty, without a name `name`. The
/// order in which values of a kind were first kept is that of their row ids.
const V5: &str = "
CREATE TABLE workspace (
    kind TEXT NOT NULL,
    env TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (kind, env, name)
) STRICT;
";

/// In how many panes a session's exchanges were held; 1 where none says so.
macro_rules! panes {
    () => {
        "max(1, (SELECT count(DISTINCT ifnull(CASE WHEN json_valid(body) THEN body ->> '$.pane' END, -1)) FROM exchanges \
         WHERE session = sessions.key))"
    };
}
pub(super) use panes;

/// A session's measurement warnings.
macro_rules! warnings {
    () => {
        "ifnull((SELECT sum(CASE WHEN json_valid(report) THEN json_array_length(report, '$.watch.doubts') END) \
         FROM levels WHERE session = sessions.key), 0)"
    };
}
pub(super) use warnings;

/// What a session's row says of panes and of measurement warnings.
const V6: &str = concat!(
    "
ALTER TABLE sessions ADD COLUMN panes INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN warnings INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET panes = ",
    panes!(),
    ", warnings = ",
    warnings!(),
    ";
"
);

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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::domain::history::{HistoryQuery, SortBy};
    use crate::io::history::Store;

    /// A file as the version before wrote it, with a conversation and a benchmark in it.
    fn as_of(version: usize) -> Connection {
        let conn = Connection::open_in_memory().expect("memory");
        conn.pragma_update(None, "foreign_keys", true)
            .expect("they are checked");
        for step in &STEPS[..version] {
            conn.execute_batch(step).expect("it was so");
        }
        conn.pragma_update(None, "user_version", version as i64)
            .expect("it says so");
        conn.execute_batch(
            "INSERT INTO sessions (id, kind, state, began_ns, heartbeat_ns, title, environment, deployments, models, \
             tags, words, requests, errors) VALUES ('c1', 'chat', 'complete', 1, 1, 'A talk', 'Demo', '[]', '[]', \
             '[]', 'a talk', 2, 0), ('b1', 'bench', 'complete', 1, 1, 'Sweep', 'Demo', '[]', '[]', '[]', 'sweep', 9, 0);
             INSERT INTO exchanges (session, id, body) VALUES \
             (1, 1, '{\"prompt\": \"Where do bateaux go?\", \"answer\": \"To the Café\"}'), \
             (1, 2, 'no JSON'), (1, 3, '{\"prompt\": \"\", \"answer\": null, \"pane\": 3}');
             INSERT INTO levels (session, number, report) VALUES (2, 0, 'no JSON'),
             (2, 1, '{\"watch\": {\"doubts\": [\"a\", \"b\"]}}'), (2, 2, '{\"watch\": {\"doubts\": [\"a\"]}}'),
             (2, 3, '{\"watch\": {}}');",
        )
        .expect("it could be written");
        conn
    }

    fn found(conn: &Connection, words: &str) -> Vec<i64> {
        let sql = "SELECT rowid >> 32 FROM said WHERE said MATCH ?1";
        let mut asked = conn.prepare(sql).expect("it can be asked");
        asked
            .query_map([words], |row| row.get(0))
            .expect("it answers")
            .map(|n| n.expect("a key"))
            .collect()
    }

    #[test]
    fn a_file_of_every_earlier_version_is_brought_up_with_what_is_in_it() {
        for version in 1..STEPS.len() {
            let mut conn = as_of(version);
            assert!(migrate(&mut conn).is_ok(), "from {version}");
            assert_eq!(super::version(&conn), Ok(VERSION), "from {version}");
            let titles: String = conn
                .query_row(
                    "SELECT group_concat(title ORDER BY key) FROM sessions",
                    [],
                    |row| row.get(0),
                )
                .expect("they are there");
            assert_eq!(titles, "A talk,Sweep");
            let counts: (i64, i64, i64, i64) = conn
                .query_row(
                    "SELECT c.panes, c.warnings, b.panes, b.warnings FROM sessions c, sessions b WHERE c.key = 1 AND \
                     b.key = 2",
                    [],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
                )
                .expect("they are counted");
            assert_eq!(counts, (2, 0, 1, 3), "from {version}");
            assert_eq!(
                found(&conn, "cafe"),
                [1],
                "what was said before is found, from {version}"
            );
            assert_eq!(found(&conn, "\"eaux\""), [1]);
            assert!(migrate(&mut conn).is_ok(), "once is enough");
        }
    }

    #[test]
    fn the_oldest_readable_version_is_read_as_it_is() {
        let store = Store {
            conn: as_of(OLDEST_READABLE as usize),
            path: "memory".into(),
            file: None,
            broken: Cell::default(),
        };
        let query = HistoryQuery {
            limit: 10,
            sort: SortBy::Status,
            ..HistoryQuery::default()
        };
        let rows = store.list(&query).expect("listed").rows;
        let told: Vec<_> = rows
            .iter()
            .map(|r| (&*r.id.0, r.panes, r.warnings))
            .collect();
        assert_eq!(told, [("b1", 1, 3), ("c1", 2, 0)]);
        let key = store.row(&rows[0].id).expect("there");
        assert_eq!(key, rows[0]);
        assert_eq!(super::version(&store.conn), Ok(OLDEST_READABLE));
    }

    #[test]
    fn words_come_and_go_with_their_exchange() {
        let conn = as_of(STEPS.len());
        assert_eq!(found(&conn, "bateaux"), [1]);
        conn.execute(
            "UPDATE exchanges SET body = '{\"prompt\": \"ships\"}' WHERE id = 1",
            [],
        )
        .expect("changed");
        assert_eq!(
            (found(&conn, "bateaux"), found(&conn, "ships")),
            (vec![], vec![1])
        );
        let body = r#"{"prompt": "", "answer": "", "attachments": [{"name": "chart.png", "content": {}}],
            "calls": [{"id": "1", "name": "weather", "arguments": "{\"city\": \"Porto\"}"}],
            "results": [{"id": "0", "name": "clock", "content": "noon"}]}"#;
        conn.execute("UPDATE exchanges SET body = ?1 WHERE id = 3", [body])
            .expect("changed");
        for words in ["chart", "weather", "porto", "clock", "noon"] {
            assert_eq!(found(&conn, words), [1], "{words}");
        }
        conn.execute("DELETE FROM sessions WHERE key = 1", [])
            .expect("deleted with all that is its");
        assert_eq!(found(&conn, "ships"), [0i64; 0]);
    }
}
