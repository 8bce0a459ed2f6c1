//! The workspace of whole windows: changes that cannot be kept are told and tried again, and nothing is overwritten unseen.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use batida::domain::conversation::{Attached, Attachment};
use batida::domain::environment::EnvId;
use batida::domain::failure::Failure;
use batida::domain::library::{LibraryChange, Prompt};
use batida::domain::workspace::{PlaygroundForm, Workspace, WorkspaceChange};
use batida::engine::{Engine, Options, Started};
use batida::io::history::{FILE, Store};
use batida::protocol::{
    Answer, Command, DraftsFound, Event, JobId, LocalAnswer, LocalQuestion, Question,
};
use crossbeam_channel::Receiver;
use rusqlite::Connection;

const LIMIT: Duration = Duration::from_secs(40);

struct Window {
    engine: Engine,
    events: Receiver<Event>,
    workspace: Workspace,
}

impl Window {
    fn open(dir: &Path) -> Self {
        let options = Options {
            config: Some(dir.to_owned()),
            simulated_kubectl: Some(env!("CARGO_BIN_EXE_batida").into()),
        };
        let Started {
            engine,
            events,
            workspace,
            ..
        } = Engine::start(options, || {}).expect("it starts");
        Self {
            engine,
            events,
            workspace,
        }
    }

    #[track_caller]
    fn until<T>(&self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let end = Instant::now() + LIMIT;
        loop {
            let Ok(event) = self.events.recv_deadline(end) else {
                panic!("{what} did not come")
            };
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    }

    /// The outcome of the next attempt that is told.
    #[track_caller]
    fn outcome(&self) -> Result<(), Failure> {
        self.until("an outcome", |event| match event {
            Event::WorkspaceKept { outcome } => Some(outcome),
            _ => None,
        })
    }

    fn type_draft(&self, text: &str) {
        let form = Some(PlaygroundForm {
            draft: text.to_owned(),
            ..PlaygroundForm::default()
        });
        let env = EnvId::demo();
        let change = WorkspaceChange::Playground { env, form };
        self.engine.send(Command::Keep { change });
    }

    /// Keeps these attachments, and waits until they are.
    #[track_caller]
    fn attach(&self, texts: &[&str]) {
        let attached = texts.iter().map(|text| note(text)).collect();
        let env = EnvId::demo();
        self.engine.send(Command::KeepDraft { env, attached });
        self.outcome().expect("kept");
    }

    /// What is attached to drafts, as a window reads it at its start.
    #[track_caller]
    fn attached(&self) -> Vec<String> {
        let known = vec![EnvId::demo()];
        self.engine.send(Command::Ask {
            job: JobId(1),
            question: Question::Local(LocalQuestion::Drafts { known }),
        });
        let found = self.until("the drafts", |event| match event {
            Event::Answered {
                answer: Answer::Local(LocalAnswer::Drafts(found)),
                ..
            } => Some(found),
            _ => None,
        });
        let DraftsFound { drafts, notice } = found.expect("read");
        assert_eq!(notice, None);
        let attached = drafts.into_iter().flat_map(|(_, attached)| attached);
        attached.map(|attachment| attachment.name).collect()
    }
}

fn note(name: &str) -> Attachment {
    Attachment {
        name: name.to_owned(),
        content: Attached::Text("x".into()),
    }
}

fn stored(dir: &Path) -> Workspace {
    let store = Store::open(dir).expect("it opens").store;
    store.workspace().expect("read")
}

fn draft_in(workspace: &Workspace) -> &str {
    let form = workspace.playgrounds.get(&EnvId::demo());
    form.map_or("", |form| form.draft.as_str())
}

/// Another program that has the database to itself.
fn lock(dir: &Path) -> Connection {
    let other = Connection::open(dir.join(FILE)).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    other
}

#[test]
fn what_was_typed_last_is_kept_as_the_window_closes() {
    let dir = tempfile::tempdir().expect("a folder");
    let window = Window::open(dir.path());
    assert_eq!(window.workspace, Workspace::default());
    window.type_draft("h");
    window.type_draft("half a question");
    drop(window);
    assert_eq!(
        draft_in(&Window::open(dir.path()).workspace),
        "half a question"
    );
}

#[test]
fn what_could_not_be_kept_is_told_once_and_tried_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let window = Window::open(dir.path());
    window.type_draft("one");
    window.outcome().expect("kept");
    let other = lock(dir.path());
    window.type_draft("two");
    let failure = window.outcome().expect_err("it is locked");
    assert!(
        failure.summary.contains("not saved") && failure.summary.contains("locked"),
        "{failure:?}"
    );
    assert!(
        failure.advice.contains("stay in this window"),
        "{failure:?}"
    );
    let prompts = vec![Prompt::new("a", "b")];
    let change = LibraryChange::Add(prompts.clone());
    window.engine.send(Command::ChangePrompts { change });
    window.type_draft("three");
    let loaded = |event| match event {
        Event::PromptsLoaded { outcome } => Some(outcome),
        Event::WorkspaceKept { outcome: Err(why) } => panic!("it was told: {why:?}"),
        _ => None,
    };
    let told = window.until("the prompts", loaded);
    assert!(told.is_err_and(|why| why.summary.contains("not saved")));
    other.execute_batch("ROLLBACK").expect("unlocked");
    window.outcome().expect("kept now, without being asked");
    let library = window.until("the prompts", loaded).expect("read");
    assert_eq!(library.prompts, prompts);
    assert_eq!(draft_in(&stored(dir.path())), "three");
    let _other = lock(dir.path());
    window.type_draft("four");
    window.outcome().expect_err("what fails anew is told anew");
}

#[test]
fn a_window_is_told_that_a_damaged_database_has_lost_what_it_has() {
    let dir = tempfile::tempdir().expect("a folder");
    let window = Window::open(dir.path());
    window.type_draft("one");
    window.outcome().expect("kept");
    let other = Connection::open(dir.path().join(FILE)).expect("it opens");
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'workspace'";
    let root: u32 = other
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .and_then(|()| other.query_row(sql, [], |row| row.get(0)))
        .expect("there");
    let file = fs::OpenOptions::new()
        .write(true)
        .open(dir.path().join(FILE));
    file.and_then(|file| file.write_all_at(&[0x5a; 4_096], u64::from(root - 1) * 4_096))
        .expect("damaged");
    // The window reads its pages again after another's change.
    other
        .execute_batch("CREATE TABLE change (x); DROP TABLE change")
        .expect("changed");
    drop(other);
    window.type_draft("two");
    window.until("the loss", |event| {
        matches!(event, Event::WorkspaceLost).then_some(())
    });
    window.outcome().expect("what is changed now is kept");
    assert_eq!(draft_in(&stored(dir.path())), "two");
}

#[test]
fn a_workspace_that_could_not_be_read_is_not_overwritten() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(Store::open(dir.path()).expect("made"));
    let settings = dir.path().join("settings.toml");
    let earlier = include_str!("../fixtures/earlier/settings.toml");
    let earlier = earlier.replace("'{\"panes\":7}'", "'{\"draft\":\"mine\"}'");
    fs::write(&settings, &earlier).expect("written");
    let other = lock(dir.path());
    let window = Window::open(dir.path());
    let failure = window.outcome().expect_err("it is locked");
    assert!(
        failure.summary.contains("could not be loaded") && failure.advice.contains("not saved"),
        "{failure:?}"
    );
    other.execute_batch("ROLLBACK").expect("unlocked");
    window.type_draft("typed without having seen the other");
    window.attach(&["note.md"]);
    drop(window);
    assert_eq!(draft_in(&stored(dir.path())), "");
    assert_eq!(fs::read_to_string(&settings).expect("read"), earlier);
    let window = Window::open(dir.path());
    assert_eq!(draft_in(&window.workspace), "mine");
    assert_eq!(window.workspace.votes.len(), 1);
    assert_eq!(window.attached(), ["note.md"]);
}

#[test]
fn a_database_of_a_newer_version_is_left_and_the_changes_are_told_not_to_be_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(FILE);
    Connection::open(&path)
        .and_then(|conn| conn.execute_batch("CREATE TABLE future (x); PRAGMA user_version = 99"))
        .expect("made");
    let before = fs::read(&path).expect("read");
    let prompts = dir.path().join("prompts.json");
    fs::write(&prompts, include_str!("../fixtures/earlier/prompts.json")).expect("written");
    let window = Window::open(dir.path());
    assert_eq!(window.workspace, Workspace::default());
    let failure = window.outcome().expect_err("it is newer");
    assert!(failure.summary.contains("newer Batida"), "{failure:?}");
    let attached = vec![note("note.md")];
    let env = EnvId::demo();
    window.engine.send(Command::KeepDraft { env, attached });
    let failure = window.outcome().expect_err("it is newer");
    assert!(failure.summary.contains("not saved"), "{failure:?}");
    drop(window);
    assert_eq!(fs::read(&path).expect("read"), before);
    assert!(prompts.exists());
}

#[test]
fn two_windows_neither_overwrite_nor_take_away_what_the_other_attached() {
    let dir = tempfile::tempdir().expect("a folder");
    let kept = || {
        let mut all = Window::open(dir.path()).attached();
        all.sort();
        all
    };
    let (first, second) = (Window::open(dir.path()), Window::open(dir.path()));
    first.attach(&["1"]);
    second.attach(&["2"]);
    assert_eq!(kept(), ["1", "2"]);
    first.attach(&["1", "3"]);
    second.attach(&[]);
    assert_eq!(kept(), ["1", "3"]);
    // Both read the same.
    let third = Window::open(dir.path());
    assert_eq!(third.attached(), ["1", "3"]);
    first.attach(&["4"]);
    third.attach(&[]);
    assert_eq!(kept(), ["4"], "the first has changed it since");
    // A window that reads two puts them together.
    second.attach(&["5"]);
    let last = Window::open(dir.path());
    assert_eq!(last.attached(), ["4", "5"]);
    last.attach(&["4", "5", "6"]);
    assert_eq!(kept(), ["4", "5", "6"]);
    let change = WorkspaceChange::Forget { env: EnvId::demo() };
    last.engine.send(Command::Keep { change });
    last.outcome().expect("kept");
    assert_eq!(kept(), [""; 0]);
}
