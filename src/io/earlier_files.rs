//! Moves what earlier versions kept in files of their own into the database: prompts, attachments of drafts, and a part of
//! the settings file. A file is removed when the database has it on disk. One that cannot be read stays where it is.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::files::{self, Unread};
use super::history::{Kind, Store, Trouble, Writing};
use super::settings::{Earlier, EarlierForms, SettingsStore};
use crate::domain::conversation::Attachment;
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::library::{Library, LibraryChange};

/// A larger file was never read.
const MAX_PROMPT_BYTES: u64 = 16 << 20;
/// See [`MAX_PROMPT_BYTES`].
const MAX_DRAFT_BYTES: u64 = 64 << 20;

/// The part of a file that is moved; `None` if there is none, `Err` if it cannot be read.
type Part = Result<Option<Vec<u8>>, String>;
/// Whether it was put into the database, or why it cannot be read.
type Put = Result<(), String>;

/// Moves everything there is. Gives which files could not be read, and why.
///
/// # Errors
/// When the database cannot be written; what is not moved yet stays where it is.
pub fn move_in(
    store: &Store,
    settings: &SettingsStore,
    dir: &Path,
) -> Result<Vec<Failure>, Failure> {
    let prompts = settings.path().with_file_name("prompts.json");
    let mut unread = vec![
        move_settings(store, settings)?,
        move_file(store, &prompts, MAX_PROMPT_BYTES, put_prompts)?,
    ];
    for path in draft_files(&dir.join("drafts")) {
        unread.push(move_file(store, &path, MAX_DRAFT_BYTES, put_draft)?);
    }
    // Succeeds only when it is empty.
    let _ = fs::remove_dir(dir.join("drafts"));
    Ok(unread.into_iter().flatten().collect())
}

fn draft_files(folder: &Path) -> Vec<PathBuf> {
    // Without the folder there are no drafts.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    paths
}

fn move_settings(store: &Store, settings: &SettingsStore) -> Result<Option<Failure>, Failure> {
    if settings.earlier().is_none() {
        return Ok(None);
    }
    let part = || -> Part {
        let earlier = settings.earlier();
        let text = earlier.map(|earlier| serde_json::to_vec(&earlier));
        text.transpose().map_err(|why| why.to_string())
    };
    let remove = |part: &[u8]| {
        let moved = serde_json::from_slice(part);
        // If that fails, the next start tries it again.
        moved.is_ok_and(|moved| settings.remove_earlier(&moved).is_ok())
    };
    move_part(store, settings.path(), part, put_earlier, remove)
}

fn move_file(
    store: &Store,
    path: &Path,
    max_bytes: u64,
    put: impl FnOnce(&Writing<'_>, &[u8]) -> Result<Put, Trouble>,
) -> Result<Option<Failure>, Failure> {
    let part = || match files::read_now(path, max_bytes) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Unread::Io(why)) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(unread) => Err(unread.why()),
    };
    if matches!(files::ordinary(path), Err(Unread::Io(why)) if why.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    // If that fails, the next start tries it again.
    let remove = |_: &[u8]| fs::remove_file(path).is_ok();
    move_part(store, path, part, put, remove)
}

/// Reads the part, puts it into the database and then removes it. Until it is removed, the database has a hash of it, so
/// that it is not put there twice.
fn move_part(
    store: &Store,
    path: &Path,
    part: impl Fn() -> Part,
    put: impl FnOnce(&Writing<'_>, &[u8]) -> Result<Put, Trouble>,
    remove: impl FnOnce(&[u8]) -> bool,
) -> Result<Option<Failure>, Failure> {
    let (none, name) = (EnvId(String::new()), path.to_string_lossy());
    let outcome = store.write_synced(|tx| {
        // Read here, while no other window can move it.
        let bytes = match part() {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Ok(None)),
            Err(why) => return Ok(Err(why)),
        };
        let hash = hash_of(&bytes);
        if tx.value(Kind::MovedFile, &none, &name)?.as_ref() != Some(&hash) {
            if let Err(why) = put(tx, &bytes)? {
                return Ok(Err(why));
            }
            tx.put(Kind::MovedFile, &none, &name, &hash)?;
        }
        Ok(Ok(Some(bytes)))
    });
    match outcome? {
        Ok(Some(bytes)) if remove(&bytes) => {
            store.write_synced(|tx| tx.remove(Kind::MovedFile, &none, &name))?;
            Ok(None)
        }
        Ok(_) => Ok(None),
        Err(why) => Ok(Some(Failure::new(
            format!("{} could not be read: {why}", path.display()),
            "Correct the file, or move it away. Batida leaves it as it is and starts without what is in it",
        ))),
    }
}

fn hash_of(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn put_earlier(tx: &Writing<'_>, part: &[u8]) -> Result<Put, Trouble> {
    let Earlier {
        benches,
        votes,
        playgrounds,
    } = serde_json::from_slice(part)?;
    for (env, EarlierForms { last, presets }) in benches {
        if let Some(plan) = last {
            tx.put(Kind::Plan, &env, "", &plan)?;
        }
        for preset in presets {
            tx.put(Kind::Preset, &env, &preset.name, &preset.plan)?;
        }
    }
    for pair in votes {
        tx.add_votes(&pair)?;
    }
    for (env, form) in playgrounds {
        tx.put(Kind::Playground, &env, "", &form)?;
    }
    Ok(Ok(()))
}

fn put_prompts(tx: &Writing<'_>, file: &[u8]) -> Result<Put, Trouble> {
    let library = match std::str::from_utf8(file).map(Library::read) {
        Ok(Ok(library)) => library,
        Ok(Err(why)) => return Ok(Err(why.why())),
        Err(_) => return Ok(Err("it is not text".to_owned())),
    };
    tx.change_prompts(LibraryChange::Add(library.prompts))?;
    Ok(Ok(()))
}

fn put_draft(tx: &Writing<'_>, file: &[u8]) -> Result<Put, Trouble> {
    #[derive(Deserialize)]
    struct Draft {
        env: EnvId,
        attached: Vec<Attachment>,
    }
    // It was created and never written.
    if file.is_empty() {
        return Ok(Ok(()));
    }
    let Draft { env, attached } = match serde_json::from_slice(file) {
        Ok(draft) => draft,
        Err(why) => return Ok(Err(why.to_string())),
    };
    let text = serde_json::to_string(&attached)?;
    tx.put(Kind::Draft, &env, &hash_of(file), &text)?;
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::workspace::PairVotes;

    #[test]
    fn what_could_not_be_removed_is_not_put_into_the_database_twice() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path()).expect("it opens").store;
        let path = dir.path().join("a file");
        let counted = || store.workspace().expect("read").votes[0].wins;
        let move_it = |part: &[u8], removable: bool| {
            let put = |tx: &Writing<'_>, _: &[u8]| {
                let vote = PairVotes::vote(("a", "b"), Some("a")).expect("two models");
                tx.add_votes(&vote)?;
                Ok(Ok(()))
            };
            let part = || Ok(Some(part.to_vec()));
            let unread = move_part(&store, &path, part, put, |_| removable);
            assert_eq!(unread, Ok(None));
            counted()
        };
        assert_eq!(move_it(b"one vote", false), 1);
        assert_eq!(move_it(b"one vote", false), 1, "the next start");
        assert_eq!(move_it(b"one vote", true), 1, "it is removed now");
        assert_eq!(move_it(b"one vote", true), 2, "another file with the same");
        assert_eq!(move_it(b"a vote of an earlier version since", false), 3);
    }
}
