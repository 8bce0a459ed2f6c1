//! What happens to the file happens to the file: told once, the program goes on, and recording resumes.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use batida::domain::failure::Failure;
use batida::domain::history::{Deletion, HistoryQuery, SessionRow, SessionState};
use batida::domain::library::{LibraryChange, Prompt};
use batida::domain::run::{BenchProgress, BenchReport};
use batida::domain::workspace::WorkspaceChange;
use batida::engine::bench::Listener;
use batida::engine::history::{History, HistoryNotice, Recording};
use batida::io::history::{ChatRecord, FILE, Store};
use batida::metrics::request::RequestRecord;
use rusqlite::Connection;

use super::made::{Made, at, id, open, record, requests_of};
use super::store::{chat, exchange};

const LIMIT: Duration = Duration::from_secs(20);

struct Nobody;

impl Listener for Nobody {
    fn advanced(&mut self, _: BenchProgress) {}
}

/// A history and what it told.
struct Kept {
    history: Option<History>,
    told: Arc<Mutex<Vec<HistoryNotice>>>,
}

impl Kept {
    fn start(dir: &Path) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&told);
        let tell = move |word| hears.lock().expect("a lock").push(word);
        let history = History::start(Ok(dir.to_owned()), tell).expect("it starts");
        Self {
            history: Some(history),
            told,
        }
    }

    /// Records a session from its beginning to its end, and does `work` between.
    fn record(&self, report: &BenchReport, work: impl FnOnce(&mut Recording<'_>)) {
        let recorder = self.history.as_ref().expect("it runs").recorder();
        let mut nobody = Nobody;
        let mut recording = Recording::new(Some(recorder), &mut nobody);
        let mut bare = report.clone();
        bare.levels.clear();
        recording.began(&bare);
        work(&mut recording);
        recording.end(&Ok(report.clone()));
    }

    fn keep(&self, made: &Made) {
        self.record(&made.report, |recording| {
            made.requests
                .iter()
                .for_each(|request| recording.ended(&Arc::new(request.record.clone())));
        });
    }

    fn troubles(&self) -> Vec<Failure> {
        let trouble = |told: &HistoryNotice| match told {
            HistoryNotice::Troubled(failure) => Some(failure.clone()),
            HistoryNotice::Changed | HistoryNotice::WorkspaceLost => None,
        };
        self.told
            .lock()
            .expect("a lock")
            .iter()
            .filter_map(trouble)
            .collect()
    }

    fn changes(&self) -> usize {
        self.told
            .lock()
            .expect("a lock")
            .iter()
            .filter(|told| matches!(told, HistoryNotice::Changed))
            .count()
    }

    #[track_caller]
    fn until_troubled(&self) -> Failure {
        wait_until("trouble", || !self.troubles().is_empty());
        self.troubles().remove(0)
    }

    fn end(&mut self) {
        self.history = None;
    }
}

#[track_caller]
fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !ready() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn rows(dir: &Path) -> Vec<SessionRow> {
    let query = HistoryQuery {
        limit: 100,
        ..HistoryQuery::default()
    };
    Store::open(dir)
        .and_then(|opened| opened.store.list(&query))
        .map(|page| page.rows)
        .unwrap_or_default()
}

#[track_caller]
fn until_complete(dir: &Path, name: &str, requests: u64) {
    wait_until(name, || {
        rows(dir)
            .iter()
            .any(|row| row.id.0 == name && row.state == SessionState::Complete)
    });
    let store = open(dir);
    assert_eq!(store.counts(&id(name)).expect("there"), (requests, 0));
    store.check().expect("the file is well");
}

#[test]
fn a_session_is_kept_while_it_runs_and_when_it_has_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut kept = Kept::start(dir.path());
    let made = Made::simple("b1", at(1, 0));
    kept.record(&made.report, |recording| {
        for request in &made.requests {
            recording.ended(&Arc::new(request.record.clone()));
        }
        wait_until("what is written while it runs", || {
            rows(dir.path())
                .iter()
                .any(|row| row.state == SessionState::Running)
                && open(dir.path())
                    .counts(&id("b1"))
                    .is_ok_and(|counts| counts == (20, 0))
        });
    });
    kept.end();
    until_complete(dir.path(), "b1", 20);
    assert_eq!(
        open(dir.path()).report(&id("b1")).expect("there"),
        made.report
    );
    assert!(kept.troubles().is_empty(), "{:?}", kept.troubles());
}

#[test]
fn a_recording_that_is_dropped_is_interrupted_with_what_it_had() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut kept = Kept::start(dir.path());
    let made = Made::simple("b1", at(1, 0));
    {
        let recorder = kept.history.as_ref().expect("it runs").recorder();
        let mut nobody = Nobody;
        let mut recording = Recording::new(Some(recorder), &mut nobody);
        recording.began(&made.report);
        recording.ended(&Arc::new(made.requests[0].record.clone()));
    }
    kept.end();
    let row = open(dir.path()).row(&id("b1")).expect("there");
    assert_eq!(row.state, SessionState::Interrupted);
    assert_eq!(open(dir.path()).counts(&id("b1")).expect("there"), (1, 0));
}

#[test]
fn a_file_that_is_none_is_kept_aside_and_told_once() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join(FILE), "this is no database, ".repeat(500)).expect("written");
    let mut kept = Kept::start(dir.path());
    kept.keep(&Made::simple("b1", at(1, 0)));
    kept.end();
    until_complete(dir.path(), "b1", 20);
    let troubles = kept.troubles();
    assert_eq!(troubles.len(), 1, "{troubles:?}");
    assert!(troubles[0].summary.contains("damaged"), "{troubles:?}");
    let aside = troubles[0]
        .advice
        .trim_start_matches("It was kept as ")
        .split(',')
        .next()
        .expect("a path");
    assert!(
        fs::read_to_string(aside).is_ok_and(|text| text.contains("no database")),
        "{aside}"
    );
}

#[test]
fn damage_that_shows_only_later_is_kept_aside_and_recording_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    Made::simple("b0", at(1, 0)).keep(&store);
    drop(store);
    let path = dir.path().join(FILE);
    let other = Connection::open(&path).expect("it opens");
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'sessions'";
    let root: u32 = other.query_row(sql, [], |row| row.get(0)).expect("there");
    drop(other);
    let mut bytes = fs::read(&path).expect("read");
    // The table of sessions is garbage, and all behind it.
    bytes[(root as usize - 1) * 4_096..].fill(0x5a);
    fs::write(&path, bytes).expect("written");
    let mut kept = Kept::start(dir.path());
    kept.keep(&Made::simple("b1", at(2, 0)));
    let trouble = kept.until_troubled();
    assert!(trouble.summary.contains("damaged"), "{trouble}");
    wait_until("the session in a new file", || {
        rows(dir.path()).iter().any(|row| row.id.0 == "b1")
    });
    kept.end();
    until_complete(dir.path(), "b1", 20);
    assert_eq!(kept.troubles().len(), 1, "{:?}", kept.troubles());
}

/// Whichever page is damaged, and however: what is written then is in the file that is there afterwards.
#[test]
fn whatever_page_is_damaged_nothing_in_hand_is_lost() {
    let template = tempfile::tempdir().expect("a folder");
    let store = open(template.path());
    Made::simple("b0", at(1, 0)).keep(&store);
    for n in 0..3 {
        let words = format!("an old question {n}, {}", "of many words ".repeat(200));
        store
            .write(|tx| tx.chat(&chat(&exchange(n, None, &words))))
            .expect("kept");
    }
    drop(store);
    let sound = fs::read(template.path().join(FILE)).expect("read");
    let pages = sound.len() / 4_096;
    assert!(
        pages > 20 && !template.path().join(format!("{FILE}-wal")).exists(),
        "{pages}"
    );
    let mut moved = 0;
    for page in 0..pages {
        for how in ["zeros", "letters", "flipped bytes"] {
            let mut bytes = sound.clone();
            let part = &mut bytes[page * 4_096..(page + 1) * 4_096];
            match how {
                "zeros" => part.fill(0),
                "letters" => part.fill(0x5a),
                // The first 20 bytes make the file a database at all.
                _ => part
                    .iter_mut()
                    .skip(20)
                    .step_by(3)
                    .for_each(|byte| *byte ^= 0xa5),
            }
            let dir = tempfile::tempdir().expect("a folder");
            fs::write(dir.path().join(FILE), bytes).expect("written");
            let mut kept = Kept::start(dir.path());
            let made = Made::simple("b1", at(2, 0));
            kept.keep(&made);
            let record = ChatRecord {
                session: id("c2"),
                ..chat(&exchange(0, None, "a new question"))
            };
            kept.history
                .as_ref()
                .expect("it runs")
                .recorder()
                .chat(record);
            kept.end();
            let told = kept.troubles();
            let place = format!("page {page}, {how}: {told:?}");
            assert!(dir.path().join(FILE).exists(), "{place}");
            let store = Store::open(dir.path())
                .unwrap_or_else(|why| panic!("{place}: {why}"))
                .store;
            let report = store
                .report(&id("b1"))
                .unwrap_or_else(|why| panic!("{place}: {why}"));
            assert_eq!(report, made.report, "{place}");
            assert_eq!(store.counts(&id("b1")).ok(), Some((20, 0)), "{place}");
            assert!(store.session(&id("c2")).is_ok(), "{place}");
            let aside = fs::read_dir(dir.path()).expect("a folder").filter(|entry| {
                entry
                    .as_ref()
                    .is_ok_and(|entry| entry.file_name().to_string_lossy().contains(".broken-"))
            });
            let aside = aside.count() > 0;
            assert_eq!(
                aside,
                told.iter().any(|told| told.summary.contains("damaged")),
                "{place}"
            );
            moved += usize::from(aside);
        }
    }
    assert!(moved > pages / 2, "{moved} of {pages} pages were noticed");
}

/// The page of an index, or of a table, is garbage.
fn damage(dir: &Path, name: &str) {
    let path = dir.join(FILE);
    let other = Connection::open(&path).expect("it opens");
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let root: u32 = other
        .query_row(sql, [name], |row| row.get(0))
        .expect("there");
    let root = root as usize;
    drop(other);
    let mut bytes = fs::read(&path).expect("read");
    bytes[(root - 1) * 4_096..root * 4_096].fill(0x5a);
    fs::write(&path, bytes).expect("written");
}

fn batida(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_batida"));
    command
        .args(args)
        .args(["--config", "."])
        .env_clear()
        .env("HOME", dir)
        .current_dir(dir);
    let ended = command.output().expect("it runs");
    (
        ended.status.code(),
        String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned(),
    )
}

fn moved_aside(dir: &Path) -> usize {
    let names = fs::read_dir(dir)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name());
    names
        .filter(|name| name.to_string_lossy().contains(".broken-"))
        .filter(|name| !is_log(name))
        .count()
}

fn is_log(name: &std::ffi::OsStr) -> bool {
    ["-wal", "-shm"]
        .iter()
        .any(|end| name.to_string_lossy().ends_with(end))
}

/// A reader moves nothing and names what heals the file; the command that it names then does.
#[test]
fn a_damaged_index_is_rebuilt_by_the_command_that_the_sentence_names() {
    let writers: [&[&str]; 3] = [
        &["history", "rename", "b0", "Better"],
        &["history", "delete", "b1", "--yes"],
        &["chat", "--demo", "--model", "gpt-oss-120b", "Hello"],
    ];
    for (index, writer) in ["tags_tag", "sessions_began", "sqlite_autoindex_sessions_1"]
        .into_iter()
        .zip(writers)
    {
        let dir = tempfile::tempdir().expect("a folder");
        let store = open(dir.path());
        for (name, hour) in [("b0", 0), ("b1", 1)] {
            Made::simple(name, at(1, hour)).keep(&store);
            store
                .tag(&id(name), &["nightly".to_owned()])
                .expect("tagged");
        }
        drop(store);
        damage(dir.path(), index);
        let before = fs::read(dir.path().join(FILE)).expect("read");
        for reader in [
            &["history", "show", "nightly"][..],
            &["history", "list"],
            &["compare", "b0", "nightly"],
        ] {
            let (code, said) = batida(dir.path(), reader);
            assert!(
                code == Some(0)
                    || said.contains("damaged") && said.contains("The next command that writes"),
                "{index}: {reader:?}: {said}"
            );
        }
        assert!(
            dir.path().join(format!("{FILE}.damaged")).exists(),
            "{index}: somebody met it"
        );
        assert_eq!(
            fs::read(dir.path().join(FILE)).expect("read"),
            before,
            "{index}: a reader changed it"
        );
        assert_eq!(moved_aside(dir.path()), 0, "{index}");
        let (code, said) = batida(dir.path(), writer);
        assert_eq!(code, Some(0), "{index}: {said}");
        assert!(
            said.contains("damaged") && said.contains("all that it held is in a new one"),
            "{index}: {said}"
        );
        assert_eq!(moved_aside(dir.path()), 1, "{index}: {said}");
        open(dir.path()).check().expect("the file is well");
        let (code, said) = batida(dir.path(), &["history", "show", "nightly"]);
        assert_eq!(code, Some(0), "{index}: {said}");
        assert!(!said.contains("damaged"), "{index}: {said}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_moved_aside_by_a_command_that_writes_and_by_no_other() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    Made::simple("b0", at(1, 0)).keep(&store);
    drop(store);
    damage(dir.path(), "sessions");
    for reader in [
        &["history", "list"][..],
        &["history", "show", "b0"],
        &["history", "export", "b0", "--out", "x.json"],
    ] {
        let (code, said) = batida(dir.path(), reader);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("damaged") && said.contains("The next command that writes"),
            "{said}"
        );
        assert_eq!(moved_aside(dir.path()), 0);
    }
    let (code, said) = batida(dir.path(), &["history", "delete", "b0", "--yes"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("a new one was begun") && said.contains("There is no session"),
        "{said}"
    );
    assert_eq!(moved_aside(dir.path()), 1);
    assert_eq!(batida(dir.path(), &["history", "list"]).0, Some(0));
}

#[test]
fn the_workspace_outlives_a_damaged_history_and_the_history_a_damaged_workspace() {
    let cases = [
        (
            "sessions",
            "a new one was begun, with those prompts",
            (0, 1),
        ),
        (
            "workspace",
            "its history is in a new one, with those",
            (1, 0),
        ),
        ("sessions_began", "all that it held is in a new one", (1, 1)),
    ];
    for (table, says, left) in cases {
        let dir = tempfile::tempdir().expect("a folder");
        let store = open(dir.path());
        Made::simple("b0", at(1, 0)).keep(&store);
        let prompts = LibraryChange::Add(vec![Prompt::new("a", "b")]);
        store
            .keep_workspace(&[WorkspaceChange::Prompts(prompts)])
            .expect("kept");
        drop(store);
        damage(dir.path(), table);
        let store = Store::open_to_read(dir.path()).expect("it opens");
        let query = HistoryQuery {
            limit: 10,
            ..HistoryQuery::default()
        };
        assert!(
            store.list(&query).is_err() || store.prompts().is_err(),
            "{table}: it is met"
        );
        drop(store);
        let opened = Store::open(dir.path()).expect("it is rebuilt");
        let notice = opened.notice.expect("it is told");
        assert!(notice.advice.contains(says), "{table}: {notice:?}");
        let store = opened.store;
        let rows = store.list(&query).expect("listed").rows.len();
        let prompts = store.prompts().expect("read").prompts.len();
        assert_eq!((rows, prompts), left, "{table}");
        store.check().expect("the file is well");
    }
}

/// The pages of a table that hold rows.
fn leaves(path: &Path, table: &str) -> Vec<usize> {
    let other = Connection::open(path).expect("it opens");
    let sql = "SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'leaf' ORDER BY path";
    let mut asked = other.prepare(sql).expect("it can be asked");
    let pages = asked.query_map([table], |row| row.get::<_, i64>(0));
    pages
        .expect("it answers")
        .map(|page| page.expect("a number") as usize)
        .collect()
}

/// One page that cannot be read costs what is on it, and nothing else.
#[test]
fn what_is_beside_a_damaged_page_is_kept_and_what_is_on_it_is_counted() {
    const SESSIONS: u32 = 60;
    let template = tempfile::tempdir().expect("a folder");
    let store = open(template.path());
    let made: Vec<Made> = (0..SESSIONS)
        .map(|n| Made::simple(&format!("b{n:02}"), at(1 + n / 24, n % 24)))
        .collect();
    made.iter().for_each(|made| made.keep(&store));
    drop(store);
    let path = template.path().join(FILE);
    let sound = fs::read(&path).expect("read");
    for table in ["requests", "heads", "levels", "sessions"] {
        let leaves = leaves(&path, table);
        assert!(leaves.len() > 2, "{table}: {}", leaves.len());
        for (leaf, fill) in [
            (leaves[0], 0),
            (leaves[leaves.len() / 2], 0x5a),
            (leaves[leaves.len() - 1], 0),
        ] {
            let place = format!("{table}, page {leaf}");
            let dir = tempfile::tempdir().expect("a folder");
            let mut bytes = sound.clone();
            bytes[(leaf - 1) * 4_096..leaf * 4_096].fill(fill);
            fs::write(dir.path().join(FILE), bytes).expect("written");
            fs::write(dir.path().join(format!("{FILE}.damaged")), "met").expect("written");
            let opened = Store::open(dir.path()).expect("it is rebuilt");
            let told = opened.notice.expect("it is told").advice;
            let store = opened.store;
            store.check().expect("the file is well");
            let rows = store.list(&HistoryQuery {
                limit: 100,
                ..HistoryQuery::default()
            });
            let listed = rows.expect("listed").rows.len();
            let (mut whole, mut lost) = (0, 0);
            for made in &made {
                let session = &id(&made.report.id);
                let Ok((has, less)) = store.counts(session) else {
                    continue;
                };
                assert_eq!(has + less, 20, "{place}: none is forgotten");
                assert_eq!(
                    requests_of(&store, session).len() as u64,
                    has,
                    "{place}: each can be read"
                );
                lost += less;
                whole += usize::from(store.report(session).ok().as_ref() == Some(&made.report));
            }
            let all = made.len();
            let counts = format!("{place}: {listed}, {whole}, {lost}: {told}");
            assert!(whole > all / 2, "{counts}");
            let gone = match table {
                "sessions" => {
                    assert!(listed < all && whole == listed && lost == 0, "{counts}");
                    format!("{} session", all - listed)
                }
                "requests" => {
                    assert!(listed == all && whole == all && lost > 0, "{counts}");
                    format!("{lost} request")
                }
                _ => {
                    assert!(listed == all && whole < all && lost == 0, "{counts}");
                    format!("{} other row", all - whole)
                }
            };
            assert!(
                told.contains(&format!("Left out, since they could not be read: {gone}")),
                "{counts}"
            );
            assert!(
                told.contains(&format!("in a new one: {listed} sessions")),
                "{counts}"
            );
        }
    }
}

#[test]
fn what_is_no_database_is_left_by_a_reader() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join(FILE), "this is no database, ".repeat(500)).expect("written");
    let (code, said) = batida(dir.path(), &["history", "list"]);
    assert_eq!((code, moved_aside(dir.path())), (Some(1), 0), "{said}");
    assert!(said.contains("The next command that writes"), "{said}");
}

#[test]
fn another_programs_lock_is_told_once_and_waited_out() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(open(dir.path()));
    let other = Connection::open(dir.path().join(FILE)).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let mut kept = Kept::start(dir.path());
    kept.keep(&Made::simple("b1", at(1, 0)));
    let trouble = kept.until_troubled();
    assert!(
        trouble.summary.contains("locked by another program"),
        "{trouble:?}"
    );
    other.execute_batch("ROLLBACK").expect("let go");
    wait_until("the session", || !rows(dir.path()).is_empty());
    kept.end();
    until_complete(dir.path(), "b1", 20);
    assert_eq!(kept.troubles().len(), 1, "{:?}", kept.troubles());
}

#[test]
fn without_a_folder_recording_waits_and_resumes_and_what_did_not_fit_is_counted() {
    let dir = tempfile::tempdir().expect("a folder");
    let place = dir.path().join("data");
    fs::write(&place, "a file where the folder should be").expect("written");
    let mut kept = Kept::start(&place);
    let trouble = kept.until_troubled();
    assert!(trouble.summary.contains("no place"), "{trouble}");
    let made = Made::simple("b1", at(1, 0));
    // 80 MB of gaps, of which 64 are held.
    let long = RequestRecord {
        gaps_us: vec![10_000; 10_000],
        ..record(0, 0, 100, false)
    };
    kept.record(&made.report, |recording| {
        for _ in 0..2_000 {
            recording.ended(&Arc::new(long.clone()));
        }
    });
    // Long enough for one batch more to be taken in.
    std::thread::sleep(Duration::from_millis(1_200));
    fs::remove_file(&place).expect("removed");
    wait_until("the session", || place.is_dir() && !rows(&place).is_empty());
    kept.end();
    let (here, lost) = open(&place).counts(&id("b1")).expect("there");
    assert_eq!(here + lost, 2_000);
    assert!((1_000..1_900).contains(&here), "{here}");
    let troubles = kept.troubles();
    assert_eq!(troubles.len(), 2, "{troubles:?}");
    assert!(
        troubles[1]
            .summary
            .contains(&format!("works again. {lost} requests")),
        "{troubles:?}"
    );
}

#[test]
fn a_newer_file_is_told_and_left_and_nothing_else_stops() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(FILE);
    Connection::open(&path)
        .and_then(|conn| conn.execute_batch("CREATE TABLE future (x); PRAGMA user_version = 99"))
        .expect("made");
    let before = fs::read(&path).expect("read");
    let mut kept = Kept::start(dir.path());
    kept.keep(&Made::simple("b1", at(1, 0)));
    assert!(kept.until_troubled().summary.contains("newer Batida"));
    kept.end();
    assert_eq!(kept.troubles().len(), 1);
    assert_eq!(fs::read(&path).expect("read"), before);
}

#[test]
fn a_file_that_is_deleted_under_it_is_begun_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut kept = Kept::start(dir.path());
    kept.keep(&Made::simple("b1", at(1, 0)));
    wait_until("the first session", || !rows(dir.path()).is_empty());
    for ending in ["", "-wal", "-shm"] {
        // The log may be gone with the last reader.
        let _ = fs::remove_file(dir.path().join(format!("{FILE}{ending}")));
    }
    kept.keep(&Made::simple("b2", at(2, 0)));
    kept.end();
    let names: Vec<String> = rows(dir.path()).into_iter().map(|row| row.id.0).collect();
    assert_eq!(names, ["b2"]);
}

#[test]
fn two_windows_write_at_once_and_each_hears_of_the_other() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut one, mut two) = (Kept::start(dir.path()), Kept::start(dir.path()));
    std::thread::scope(|scope| {
        for (kept, names) in [(&one, ["b1", "b3", "b5"]), (&two, ["b2", "b4", "b6"])] {
            scope.spawn(move || {
                for (n, name) in (0..).zip(names) {
                    let mut made = Made::simple(name, at(1, n));
                    let more = made.requests.clone();
                    made.requests.extend(more.into_iter().cycle().take(5_000));
                    kept.keep(&made);
                }
            });
        }
    });
    wait_until("all sessions", || rows(dir.path()).len() == 6);
    let before = one.changes();
    two.keep(&Made::simple("b7", at(2, 0)));
    wait_until("word of the other window", || one.changes() > before);
    one.end();
    two.end();
    for n in 1..=6 {
        until_complete(dir.path(), &format!("b{n}"), 5_020);
    }
    assert!(one.troubles().is_empty() && two.troubles().is_empty());
}

#[test]
fn a_session_that_is_deleted_while_it_runs_stays_deleted() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut kept = Kept::start(dir.path());
    let made = Made::simple("b1", at(1, 0));
    kept.record(&made.report, |recording| {
        recording.ended(&Arc::new(made.requests[0].record.clone()));
        wait_until("its row", || !rows(dir.path()).is_empty());
        let deletion = Deletion::Sessions(vec![id("b1")]);
        open(dir.path()).delete(&deletion).expect("deleted");
        recording.ended(&Arc::new(made.requests[1].record.clone()));
        // So that more than one batch meets what is gone.
        std::thread::sleep(Duration::from_millis(1_200));
        recording.ended(&Arc::new(made.requests[2].record.clone()));
    });
    kept.end();
    assert_eq!(rows(dir.path()), []);
    let other = Connection::open(dir.path().join(FILE)).expect("it opens");
    let left: i64 = other
        .query_row("SELECT count(*) FROM requests", [], |row| row.get(0))
        .expect("counted");
    assert_eq!(left, 0, "no request of it is left behind");
}

#[test]
fn a_full_disk_costs_the_history_and_not_the_benchmark() {
    let dir = tempfile::tempdir().expect("a folder");
    // No file of this process may grow beyond so many blocks: to SQLite that is a disk without room.
    let run = "trap '' XFSZ; ulimit -f 600; exec \"$0\" bench --demo --config config --model gpt-oss-120b \
               --concurrency 8 --requests 400 --output-tokens 32 --warmup 0 --json";
    let mut command = Command::new("sh");
    command.args(["-c", run, env!("CARGO_BIN_EXE_batida")]);
    command
        .env_clear()
        .env("HOME", dir.path())
        .env("PATH", "/usr/bin:/bin")
        .current_dir(dir.path());
    let ended = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    let report: BenchReport = serde_json::from_slice(&ended.stdout).expect("a report");
    assert_eq!(report.levels[0].requests.ended, 400);
    let told = said
        .lines()
        .filter(|line| line.starts_with("batida: The ") && line.contains("disk"))
        .count();
    assert_eq!(told, 1, "{said}");
    let store = open(&dir.path().join("config"));
    store.check().expect("what is there is well");
    assert_eq!(
        rows(&dir.path().join("config")).len(),
        1,
        "its beginning had room"
    );
}

#[test]
fn without_a_place_a_benchmark_says_so_once_and_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_batida"));
    let args = [
        "bench",
        "--demo",
        "--model",
        "gpt-oss-120b",
        "--requests",
        "5",
        "--output-tokens",
        "4",
        "--json",
    ];
    command
        .args(args)
        .env_clear()
        .env("HOME", dir.path())
        .env("XDG_DATA_HOME", "/proc/nowhere");
    let ended = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    assert_eq!(
        said.matches("The history has no place").count(),
        1,
        "{said}"
    );
}

#[test]
fn no_history_is_no_history() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batida"));
        command
            .args(args)
            .args(["--demo", "--model", "gpt-oss-120b"])
            .env_clear()
            .env("HOME", dir.path());
        let ended = command.output().expect("it runs");
        assert!(
            ended.status.success(),
            "{}",
            String::from_utf8_lossy(&ended.stderr)
        );
    };
    let data = dir.path().join(".local/share/batida");
    run(&[
        "bench",
        "--requests",
        "3",
        "--output-tokens",
        "4",
        "--no-history",
    ]);
    run(&["chat", "Hello", "--no-history"]);
    assert!(!data.exists());
    run(&["chat", "Hello"]);
    run(&["bench", "--requests", "3", "--output-tokens", "4"]);
    let rows = rows(&data);
    assert_eq!(
        rows.iter()
            .map(|row| row.title.as_str())
            .collect::<Vec<_>>(),
        ["1 client", "Hello"]
    );
}
