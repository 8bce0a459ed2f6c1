//! Keeps the attachments of drafts across restarts: one file per environment and window, next to the history.
//!
//! Attachments are too large for the settings. A file is written atomically, is readable only by its owner, and is
//! deleted only when the draft is sent or the environment is deleted.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::files::{self, FOR_OWNER};
use crate::domain::conversation::Attachment;
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::protocol::DraftsFound;

/// More than fits into a request.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// Windows with a draft for the same environment.
const MAX_FILES: usize = 64;

#[derive(Serialize)]
struct Draft<'a> {
    env: &'a EnvId,
    attached: &'a [Attachment],
}

#[derive(Deserialize)]
struct Stored {
    env: EnvId,
    attached: Vec<Attachment>,
}

/// The drafts of one window. Other windows have their own files, even for the same environment.
#[derive(Debug)]
pub struct Drafts {
    folder: PathBuf,
    /// For each environment, the files that this window read or wrote, with hashes of their contents.
    own: Mutex<HashMap<EnvId, Vec<(PathBuf, Hash)>>>,
}

/// SHA-256 of a file.
type Hash = [u8; 32];

impl Drafts {
    /// The drafts in the data folder `dir`.
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            folder: dir.join("drafts"),
            own: Mutex::default(),
        }
    }

    /// Saves the attachments of an environment's draft, or deletes the file if there are none.
    ///
    /// # Errors
    /// When the file cannot be written or deleted.
    pub fn keep(&self, env: &EnvId, attached: &[Attachment]) -> Result<(), Failure> {
        self.write(env, attached).map_err(|why| {
            let advice =
                "Free some disk space. The attachments stay available until the window is closed";
            Failure::new("The draft's attachments could not be saved", advice)
                .with_details(why.to_string())
        })
    }

    fn write(&self, env: &EnvId, attached: &[Attachment]) -> std::io::Result<()> {
        let mut own = self.own.lock();
        let files = own.entry(env.clone()).or_default();
        // Leave files that another window has changed or sent.
        files.retain(|(path, hash)| fs::read(path).is_ok_and(|content| hash_of(&content) == *hash));
        let mut written = None;
        if !attached.is_empty() {
            let content = serde_json::to_vec(&Draft { env, attached })?;
            let path = match files.first() {
                Some((path, _)) => {
                    files::write(path, FOR_OWNER, &content)?;
                    path.clone()
                }
                None => {
                    let path = self.fresh(env)?;
                    files::write(&path, FOR_OWNER, &content).inspect_err(|_| {
                        // Repeated attempts must not use up the file names. The error is returned.
                        let _ = fs::remove_file(&path);
                    })?;
                    path
                }
            };
            written = Some((path, hash_of(&content)));
        }
        for (path, _) in files
            .drain(..)
            .filter(|(path, _)| written.as_ref().is_none_or(|(it, _)| it != path))
        {
            match fs::remove_file(path) {
                Err(why) if why.kind() != ErrorKind::NotFound => return Err(why),
                _ => {}
            }
        }
        files.extend(written);
        Ok(())
    }

    /// Creates a new file, readable only by its owner.
    fn fresh(&self, env: &EnvId) -> std::io::Result<PathBuf> {
        files::make_private_dir(&self.folder)?;
        let mut number = 1;
        loop {
            let path = path_of(&self.folder, env, number);
            match files::claim(&path) {
                Ok(_) => return Ok(path),
                Err(why) if why.kind() == ErrorKind::AlreadyExists && number < MAX_FILES => {
                    number += 1
                }
                Err(why) => return Err(why),
            }
        }
    }

    /// Deletes the drafts of all windows for a deleted environment.
    ///
    /// # Errors
    /// When a file cannot be deleted.
    pub fn forget(&self, env: &EnvId) -> Result<(), Failure> {
        let mut own = self.own.lock();
        own.remove(env);
        for number in 1..=MAX_FILES {
            let path = path_of(&self.folder, env, number);
            match fs::remove_file(&path) {
                Err(why) if why.kind() != ErrorKind::NotFound => {
                    let summary = format!("{} could not be deleted", path.display());
                    let advice = "Delete the file: it contains attachments of a draft of the \
                         deleted environment";
                    return Err(Failure::new(summary, advice).with_details(why.to_string()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Loads the drafts of these environments. Files of other environments stay, since the settings may only be
    /// unreadable at the moment. Invalid files are renamed, with a notice.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn load(&self, known: &[EnvId]) -> Result<DraftsFound, Failure> {
        let folder = &self.folder;
        let failed = |path: &Path, why: &std::io::Error| {
            let summary = format!("{} could not be read", path.display());
            Failure::new(summary, "The attachments of drafts are missing")
                .with_details(why.to_string())
        };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(DraftsFound::default()),
            Err(why) => return Err(failed(folder, &why)),
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
        paths.sort();
        let mut own = self.own.lock();
        let mut found = BTreeMap::<EnvId, Vec<Attachment>>::new();
        let mut notice = None;
        for path in paths {
            match read(&path) {
                Ok(Content::Draft(stored, hash)) if known.contains(&stored.env) => {
                    own.entry(stored.env.clone())
                        .or_default()
                        .push((path, hash));
                    found.entry(stored.env).or_default().extend(stored.attached);
                }
                Ok(Content::Draft(..)) => {}
                // Created but never written.
                Ok(Content::Nothing) => drop(fs::remove_file(&path)),
                Ok(Content::Unknown) => notice = Some(keep_aside(&path)),
                // Another window has sent the draft meanwhile.
                Err(why) if why.kind() == ErrorKind::NotFound => {}
                Err(why) => notice = Some(failed(&path, &why)),
            }
        }
        Ok(DraftsFound {
            drafts: found.into_iter().collect(),
            notice,
        })
    }
}

/// Renames an invalid file; it may come from a newer version of Batida.
fn keep_aside(path: &Path) -> Failure {
    let summary = "The attachments of a draft could not be read";
    match files::move_aside(path) {
        Ok(aside) => Failure::new(
            summary,
            format!(
                "The file was renamed to {}. Attach the files again",
                aside.display()
            ),
        ),
        Err(why) => {
            let advice = format!("They are in {}. Attach the files again", path.display());
            Failure::new(summary, advice).with_details(format!("It could not be renamed: {why}"))
        }
    }
}

/// The name is a hash, since an environment's id may contain any characters.
fn path_of(folder: &Path, env: &EnvId, number: usize) -> PathBuf {
    let name: String = hash_of(env.0.as_bytes())
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let number = if number == 1 {
        String::new()
    } else {
        format!("-{number}")
    };
    folder.join(format!("{name}{number}.json"))
}

fn hash_of(content: &[u8]) -> Hash {
    Sha256::digest(content).into()
}

enum Content {
    Draft(Stored, Hash),
    Nothing,
    Unknown,
}

fn read(path: &Path) -> std::io::Result<Content> {
    if files::ordinary(path).is_err() {
        return Ok(Content::Unknown);
    }
    match fs::metadata(path)?.len() {
        0 => return Ok(Content::Nothing),
        MAX_FILE_BYTES.. => return Ok(Content::Unknown),
        _ => {}
    }
    let content = fs::read(path)?;
    let hash = hash_of(&content);
    Ok(serde_json::from_slice(&content)
        .map_or(Content::Unknown, |stored| Content::Draft(stored, hash)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::domain::conversation::Attached;

    fn note(text: &str) -> Attachment {
        Attachment {
            name: "note.md".to_owned(),
            content: Attached::Text(text.into()),
        }
    }

    fn files(dir: &Path) -> Vec<PathBuf> {
        fs::read_dir(dir.join("drafts"))
            .expect("a folder")
            .flatten()
            .map(|entry| entry.path())
            .collect()
    }

    #[test]
    fn what_is_attached_is_kept_for_its_owner_until_it_is_sent() {
        let dir = tempfile::tempdir().expect("a folder");
        let all = ["../a/b", "demo"].map(|id| EnvId(id.to_owned()));
        let [one, other] = all.clone();
        let drafts = Drafts::in_dir(dir.path());
        assert_eq!(drafts.load(&all), Ok(DraftsFound::default()));
        drafts.keep(&one, &[note("1"), note("2")]).expect("kept");
        drafts.keep(&other, &[note("3")]).expect("kept");
        drafts.keep(&one, &[note("4")]).expect("kept");
        let again = Drafts::in_dir(dir.path());
        let found = again.load(&all).expect("read").drafts;
        assert_eq!(
            found,
            [
                (one.clone(), vec![note("4")]),
                (other.clone(), vec![note("3")])
            ]
        );
        for path in files(dir.path()) {
            let mode = fs::metadata(&path).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{path:?}");
        }
        again.keep(&one, &[]).expect("forgotten");
        again.keep(&one, &[]).expect("it was forgotten before");
        assert_eq!(
            Drafts::in_dir(dir.path())
                .load(&all)
                .expect("read")
                .drafts
                .len(),
            1
        );
        // Settings that cannot be read know no environment: what is kept waits for them.
        assert_eq!(
            Drafts::in_dir(dir.path()).load(&[one]),
            Ok(DraftsFound::default())
        );
        assert_eq!(
            Drafts::in_dir(dir.path())
                .load(&all)
                .expect("read")
                .drafts
                .len(),
            1
        );
    }

    #[test]
    fn of_an_environment_that_is_deleted_no_window_keeps_anything() {
        let dir = tempfile::tempdir().expect("a folder");
        let [gone, stays] = ["gone", "stays"].map(|id| EnvId(id.to_owned()));
        let open = || Drafts::in_dir(dir.path());
        for env in [&gone, &gone, &stays] {
            open().keep(env, &[note("1")]).expect("kept");
        }
        assert_eq!(files(dir.path()).len(), 3);
        open().forget(&gone).expect("forgotten");
        open().forget(&gone).expect("there is nothing left");
        let left = open().load(&[gone, stays.clone()]).expect("read").drafts;
        assert_eq!(left, [(stays, vec![note("1")])]);
        assert_eq!(files(dir.path()).len(), 1);
    }

    #[test]
    fn two_windows_neither_overwrite_nor_take_away_what_the_other_attached() {
        let dir = tempfile::tempdir().expect("a folder");
        let env = EnvId("demo".to_owned());
        let known = [env.clone()];
        let open = || Drafts::in_dir(dir.path());
        let kept = || {
            let mut all = open()
                .load(&known)
                .expect("read")
                .drafts
                .pop()
                .map(|(_, attached)| attached)
                .unwrap_or_default();
            all.sort_by_key(|attachment| format!("{attachment:?}"));
            all
        };
        let (first, second) = (open(), open());
        first.keep(&env, &[note("1")]).expect("kept");
        second.keep(&env, &[note("2")]).expect("kept");
        assert_eq!(kept(), [note("1"), note("2")]);
        first.keep(&env, &[note("1"), note("3")]).expect("kept");
        second.keep(&env, &[]).expect("it was sent");
        assert_eq!(kept(), [note("1"), note("3")]);
        // Both read the same.
        let third = open();
        third.load(&known).expect("read");
        first.keep(&env, &[note("4")]).expect("kept");
        third.keep(&env, &[]).expect("it was sent");
        assert_eq!(
            kept(),
            [note("4")],
            "what the first has changed since is not the third's to take away"
        );
        // Who reads two puts them together.
        second.keep(&env, &[note("5")]).expect("kept");
        let last = open();
        last.load(&known).expect("read");
        last.keep(&env, &[note("4"), note("5"), note("6")])
            .expect("kept");
        assert_eq!((kept().len(), files(dir.path()).len()), (3, 1));
    }

    #[test]
    fn what_is_not_understood_is_kept_aside_and_what_cannot_be_written_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let env = EnvId("demo".to_owned());
        let drafts = Drafts::in_dir(dir.path());
        drafts.keep(&env, &[note("1")]).expect("kept");
        let newer = "{\"env\": \"demo\", \"version\": 2, \"pieces\": []}";
        fs::write(path_of(&dir.path().join("drafts"), &env, 1), newer).expect("written");
        fs::write(path_of(&dir.path().join("drafts"), &env, 2), "")
            .expect("made and never written");
        drafts
            .keep(&EnvId("e1".to_owned()), &[note("2")])
            .expect("kept");
        let known = [env.clone(), EnvId("e1".to_owned())];
        let DraftsFound {
            drafts: found,
            notice,
        } = drafts.load(&known).expect("read");
        assert_eq!(found.len(), 1, "the others are read all the same");
        let aside = files(dir.path())
            .into_iter()
            .find(|path| fs::read_to_string(path).is_ok_and(|it| it == newer));
        let aside = aside.expect("it is still there");
        assert!(
            notice
                .expect("it is told")
                .advice
                .contains(&*aside.to_string_lossy())
        );
        assert_eq!(files(dir.path()).len(), 2);
        assert_eq!(drafts.load(&known).expect("read").notice, None, "once");
        let file = dir.path().join("file");
        fs::write(&file, "").expect("written");
        let failure = Drafts::in_dir(&file)
            .keep(&env, &[note("1")])
            .expect_err("a file is no folder");
        assert!(
            failure.summary.contains("could not be saved"),
            "{failure:?}"
        );
    }
}
