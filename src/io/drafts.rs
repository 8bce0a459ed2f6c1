//! What is attached to drafts, kept over a restart: a file an environment and window, beside the history.
//!
//! They are too large for the settings. A file is written in one step, for its owner alone, and taken away when what
//! was in it is sent.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::files::{self, FOR_OWNER};
use crate::domain::conversation::Attachment;
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::protocol::DraftFiles;

/// A file is no larger than this: what fits into a request, with what stands around it.
const MOST: u64 = 64 << 20;
/// Windows that have a draft of the same environment.
const MOST_FILES: usize = 64;

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

/// What a window keeps. Another window may keep drafts of the same environment: it has files of its own, and neither
/// touches what the other wrote.
#[derive(Debug)]
pub struct Drafts {
    folder: PathBuf,
    /// By environment the files that this window read or wrote, and what it knows to be in them.
    own: Mutex<HashMap<EnvId, Vec<(PathBuf, Print)>>>,
}

/// Tells a file's content.
type Print = [u8; 32];

impl Drafts {
    /// Beside what else is kept in `dir`.
    pub fn in_dir(dir: &Path) -> Self {
        Self { folder: dir.join("drafts"), own: Mutex::default() }
    }

    /// Keeps what is attached to an environment's draft, or forgets it when it is nothing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, env: &EnvId, attached: &[Attachment]) -> Result<(), Failure> {
        self.write(env, attached).map_err(|why| {
            let advice = "What is attached is still there until the window is closed; make room on the disk";
            Failure::new("The draft's attachments cannot be kept", advice).with_details(why.to_string())
        })
    }

    fn write(&self, env: &EnvId, attached: &[Attachment]) -> std::io::Result<()> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let files = own.entry(env.clone()).or_default();
        // What another window has changed since, or sent, is that one's.
        files.retain(|(path, print)| fs::read(path).is_ok_and(|content| print_of(&content) == *print));
        let mut written = None;
        if !attached.is_empty() {
            let path = match files.first() {
                Some((path, _)) => path.clone(),
                None => self.fresh(env)?,
            };
            let content = serde_json::to_vec(&Draft { env, attached })?;
            files::write(&path, FOR_OWNER, &content)?;
            written = Some((path, print_of(&content)));
        }
        for (path, _) in files.drain(..).filter(|(path, _)| written.as_ref().is_none_or(|(it, _)| it != path))
        {
            match fs::remove_file(path) {
                Err(why) if why.kind() != ErrorKind::NotFound => return Err(why),
                _ => {}
            }
        }
        files.extend(written);
        Ok(())
    }

    /// Makes a file that no window has, for its owner alone.
    fn fresh(&self, env: &EnvId) -> std::io::Result<PathBuf> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let mut number = 1;
        loop {
            let path = path_of(&self.folder, env, number);
            match OpenOptions::new().write(true).create_new(true).mode(FOR_OWNER).open(&path) {
                Ok(_) => return Ok(path),
                Err(why) if why.kind() == ErrorKind::AlreadyExists && number < MOST_FILES => number += 1,
                Err(why) => return Err(why),
            }
        }
    }

    /// What was kept of these environments; what was of others is taken away. So is a file that cannot be read:
    /// nobody could do anything with it.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn load(&self, known: &[EnvId]) -> Result<Vec<DraftFiles>, Failure> {
        let folder = &self.folder;
        let failed = |why: std::io::Error| {
            let summary = format!("{} cannot be read", folder.display());
            Failure::new(summary, "What was attached to drafts is missing").with_details(why.to_string())
        };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(why) => return Err(failed(why)),
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
        paths.sort();
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = BTreeMap::<EnvId, Vec<Attachment>>::new();
        for path in paths {
            match read(&path) {
                Ok(Some((stored, print))) if known.contains(&stored.env) => {
                    own.entry(stored.env.clone()).or_default().push((path, print));
                    found.entry(stored.env).or_default().extend(stored.attached);
                }
                // What was never wholly written is nothing; what cannot be removed stays.
                Ok(_) => drop(fs::remove_file(&path)),
                // Another window has sent it meanwhile.
                Err(why) if why.kind() == ErrorKind::NotFound => {}
                Err(why) => return Err(failed(why)),
            }
        }
        Ok(found.into_iter().collect())
    }
}

/// An environment's id may hold anything.
fn path_of(folder: &Path, env: &EnvId, number: usize) -> PathBuf {
    let name: String = print_of(env.0.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let number = if number == 1 { String::new() } else { format!("-{number}") };
    folder.join(format!("{name}{number}.json"))
}

fn print_of(content: &[u8]) -> Print {
    Sha256::digest(content).into()
}

fn read(path: &Path) -> std::io::Result<Option<(Stored, Print)>> {
    if fs::metadata(path)?.len() > MOST {
        return Ok(None);
    }
    let content = fs::read(path)?;
    let stored = serde_json::from_slice(&content).ok();
    Ok(stored.map(|stored| (stored, print_of(&content))))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::domain::conversation::Attached;

    fn note(text: &str) -> Attachment {
        Attachment { name: "note.md".to_owned(), content: Attached::Text(text.into()) }
    }

    fn files(dir: &Path) -> Vec<PathBuf> {
        fs::read_dir(dir.join("drafts")).expect("a folder").flatten().map(|entry| entry.path()).collect()
    }

    #[test]
    fn what_is_attached_is_kept_for_its_owner_until_it_is_sent() {
        let dir = tempfile::tempdir().expect("a folder");
        let all = ["../a/b", "demo"].map(|id| EnvId(id.to_owned()));
        let [one, other] = all.clone();
        let drafts = Drafts::in_dir(dir.path());
        assert_eq!(drafts.load(&all), Ok(Vec::new()));
        drafts.keep(&one, &[note("1"), note("2")]).expect("kept");
        drafts.keep(&other, &[note("3")]).expect("kept");
        drafts.keep(&one, &[note("4")]).expect("kept");
        let again = Drafts::in_dir(dir.path());
        let found = again.load(&all).expect("read");
        assert_eq!(found, [(one.clone(), vec![note("4")]), (other.clone(), vec![note("3")])]);
        for path in files(dir.path()) {
            let mode = fs::metadata(&path).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{path:?}");
        }
        again.keep(&one, &[]).expect("forgotten");
        again.keep(&one, &[]).expect("it was forgotten before");
        assert_eq!(Drafts::in_dir(dir.path()).load(&all).expect("read").len(), 1);
        let known = [one];
        assert_eq!(Drafts::in_dir(dir.path()).load(&known), Ok(Vec::new()));
        assert!(files(dir.path()).is_empty(), "nobody could come back to an environment that is gone");
    }

    #[test]
    fn two_windows_neither_overwrite_nor_take_away_what_the_other_attached() {
        let dir = tempfile::tempdir().expect("a folder");
        let env = EnvId("demo".to_owned());
        let known = [env.clone()];
        let open = || Drafts::in_dir(dir.path());
        let kept = || {
            let mut all =
                open().load(&known).expect("read").pop().map(|(_, attached)| attached).unwrap_or_default();
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
        assert_eq!(kept(), [note("4")], "what the first has changed since is not the third's to take away");
        // Who reads two puts them together.
        second.keep(&env, &[note("5")]).expect("kept");
        let last = open();
        last.load(&known).expect("read");
        last.keep(&env, &[note("4"), note("5"), note("6")]).expect("kept");
        assert_eq!((kept().len(), files(dir.path()).len()), (3, 1));
    }

    #[test]
    fn what_cannot_be_read_is_taken_away_and_what_cannot_be_written_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let env = EnvId("demo".to_owned());
        let drafts = Drafts::in_dir(dir.path());
        drafts.keep(&env, &[note("1")]).expect("kept");
        fs::write(path_of(&dir.path().join("drafts"), &env, 1), "{\"env\": ").expect("written");
        assert_eq!(drafts.load(std::slice::from_ref(&env)), Ok(Vec::new()));
        assert_eq!(files(dir.path()).len(), 0);
        let file = dir.path().join("file");
        fs::write(&file, "").expect("written");
        let failure = Drafts::in_dir(&file).keep(&env, &[note("1")]).expect_err("a file is no folder");
        assert!(failure.summary.contains("cannot be kept"), "{failure:?}");
    }
}
