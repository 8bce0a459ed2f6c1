//! The prompts' file: nothing in it is lost, whatever happens to it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use batida::domain::library::{Library, LibraryChange, Prompt};
use batida::io::library::{FILE, LibraryStore};

fn store(dir: &Path) -> LibraryStore {
    LibraryStore::beside(&dir.join("settings.toml"))
}

fn add(names: &[&str]) -> LibraryChange {
    LibraryChange::Add(
        names
            .iter()
            .map(|name| Prompt::new(*name, format!("{name} {{{{x}}}}")))
            .collect(),
    )
}

fn names(library: &Library) -> Vec<&str> {
    library
        .prompts
        .iter()
        .map(|prompt| prompt.name.as_str())
        .collect()
}

#[test]
fn two_windows_lose_nothing_of_each_other() {
    let dir = tempfile::tempdir().expect("a folder");
    let home = dir.path().join("new");
    let (one, other) = (store(&home), store(&home));
    assert_eq!(
        one.load().expect("there is none").library,
        Library::default()
    );
    assert!(!home.exists(), "a look makes no file");
    assert_eq!(one.change(add(&["a"])).expect("written").added, 1);
    other.change(add(&["b"])).expect("written");
    one.change(LibraryChange::Remove("a".to_owned()))
        .expect("written");
    assert_eq!(names(&other.load().expect("read").library), ["b"]);
    let mode = fs::metadata(home.join(FILE))
        .expect("it is there")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600);
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let store = store(&home);
            std::thread::spawn(move || store.change(add(&[&format!("t{n}")])).expect("written"))
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| drop(thread.join().expect("it ends")));
    assert_eq!(
        one.load().expect("read").library.prompts.len(),
        9,
        "none overwrites another"
    );
}

#[test]
fn a_file_that_makes_no_sense_is_kept_aside() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join(FILE);
    fs::write(&file, "{ \"schema\": ").expect("written");
    let found = store(dir.path()).change(add(&["a"])).expect("it goes on");
    assert_eq!(names(&found.library), ["a"]);
    let notice = found.notice.expect("it is told");
    assert!(
        notice.summary.contains("not valid") && notice.advice.contains("prompts.json.kept-"),
        "{notice}"
    );
    let kept = fs::read_dir(dir.path()).expect("listed").flatten();
    let kept: Vec<_> = kept
        .filter(|entry| entry.file_name().to_string_lossy().contains("kept-"))
        .collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(
        fs::read_to_string(kept[0].path()).expect("read"),
        "{ \"schema\": "
    );
}

#[test]
fn a_newer_batidas_file_and_one_that_cannot_be_read_stay_as_they_are() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join(FILE);
    let newer = "{\"schema\": \"batida.prompts/2\", \"prompts\": [], \"more\": 1}";
    fs::write(&file, newer).expect("written");
    let store = store(dir.path());
    assert!(
        store
            .load()
            .is_err_and(|why| why.summary.contains("newer Batida"))
    );
    assert!(store.change(add(&["a"])).is_err());
    assert_eq!(fs::read_to_string(&file).expect("read"), newer);
    fs::remove_file(&file).expect("removed");
    fs::create_dir(&file).expect("made");
    assert!(
        store
            .change(add(&["a"]))
            .is_err_and(|why| why.summary.contains("could not be read"))
    );
    assert!(file.is_dir());
}
