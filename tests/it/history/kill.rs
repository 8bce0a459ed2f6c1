//! `kill -9` at any moment loses the last second at most, and never the file.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::process::{Command, Stdio};
use std::time::Duration;

use batida::domain::history::{HistoryQuery, SessionState, StoredRequest};
use batida::io::history::FILE;
use jiff::Timestamp;
use rusqlite::Connection;

use super::made::open;

/// What may be missing.
const MISSING: Duration = Duration::from_secs(1);

#[test]
fn twenty_kills_leave_the_file_and_all_but_the_last_second() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut kept = 0;
    for round in 0..20 {
        let wait = 300 + RandomState::new().build_hasher().finish() % 2_000;
        let mut command = Command::new(env!("CARGO_BIN_EXE_batida"));
        command
            .args(["bench", "--demo", "--config"])
            .arg(dir.path());
        command.args([
            "--model",
            "gpt-oss-120b",
            "--concurrency",
            "8",
            "--duration",
            "60s",
            "--quiet",
        ]);
        command.args([
            "--output-tokens",
            "4",
            "--warmup",
            "0",
            "--input-tokens",
            "16",
        ]);
        command
            .env_clear()
            .env("HOME", dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(wait));
        let killed = Timestamp::now();
        child.kill().expect("SIGKILL");
        child.wait().expect("it is dead");

        let store = open(dir.path());
        store
            .check()
            .unwrap_or_else(|why| panic!("round {round}, after {wait} ms: {why}"));
        let query = HistoryQuery {
            limit: 1,
            ..HistoryQuery::default()
        };
        let page = store.list(&query).expect("listed");
        let Some(row) = page.rows.first().filter(|_| page.total > kept) else {
            assert!(wait < 2_000, "round {round}: nothing was kept of {wait} ms");
            continue;
        };
        kept = page.total;
        assert_eq!(row.state, SessionState::Running);
        let mut last = row.began;
        let mut count = 0;
        let mut each = |request: StoredRequest| {
            last = last.max(row.began + request.record.ended);
            count += 1;
            Ok(())
        };
        store.requests(&row.id, &mut each).expect("they are read");
        assert_eq!(
            store.counts(&row.id).expect("there"),
            (count, 0),
            "round {round}"
        );
        let missing = killed.duration_since(last).unsigned_abs();
        assert!(
            missing < MISSING,
            "round {round}, after {wait} ms: {missing:?} are missing"
        );
    }
    assert!(kept >= 10, "only {kept} sessions were begun");
    // Later nobody takes them for running.
    let other = Connection::open(dir.path().join(FILE)).expect("it opens");
    other
        .execute(
            "UPDATE sessions SET heartbeat_ns = heartbeat_ns - 11000000000",
            [],
        )
        .expect("aged");
    let query = HistoryQuery {
        limit: 100,
        ..HistoryQuery::default()
    };
    for row in open(dir.path()).list(&query).expect("listed").rows {
        assert_eq!(row.state, SessionState::Interrupted);
        open(dir.path())
            .session(&row.id)
            .expect("it can be looked at");
    }
}
