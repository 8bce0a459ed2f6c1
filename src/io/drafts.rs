//! What is attached to drafts, kept over a restart: a file an environment, beside the history.
//!
//! They are too large for the settings. A file is written in one step, for its owner alone, and taken away when what
//! was in it is sent.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::settings::write_piece_by_piece;
use crate::domain::conversation::Attachment;
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::protocol::DraftFiles;

/// A file is no larger than this: what fits into a request, with what stands around it.
const MOST: u64 = 64 << 20;

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

/// Keeps what is attached to an environment's draft in `dir`, or forgets it when it is nothing.
///
/// # Errors
/// When it cannot be written.
pub fn keep(dir: &Path, env: &EnvId, attached: &[Attachment]) -> Result<(), Failure> {
    write(dir, env, attached).map_err(|why| {
        let advice = "What is attached is still there until the window is closed; make room on the disk";
        Failure::new("The draft's attachments cannot be kept", advice).with_details(why.to_string())
    })
}

fn write(dir: &Path, env: &EnvId, attached: &[Attachment]) -> std::io::Result<()> {
    let folder = dir.join("drafts");
    let path = path_of(&folder, env);
    if attached.is_empty() {
        return match fs::remove_file(path) {
            Err(why) if why.kind() != ErrorKind::NotFound => Err(why),
            _ => Ok(()),
        };
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    if !path.exists() {
        // What is written over it is for the same eyes.
        fs::File::create(&path)?.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    write_piece_by_piece(&path, |file| {
        serde_json::to_writer(&mut *file, &Draft { env, attached })?;
        file.flush()
    })
}

/// An environment's id may hold anything.
fn path_of(folder: &Path, env: &EnvId) -> PathBuf {
    let name: String = Sha256::digest(&env.0).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    folder.join(format!("{name}.json"))
}

/// What was kept in `dir`. A file that cannot be read is taken away: nobody could do anything with it.
///
/// # Errors
/// When the folder cannot be read.
pub fn load(dir: &Path) -> Result<Vec<DraftFiles>, Failure> {
    let folder = dir.join("drafts");
    let failed = |why: std::io::Error| {
        Failure::new(format!("{} cannot be read", folder.display()), "What was attached to drafts is missing")
            .with_details(why.to_string())
    };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(failed(why)),
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        match read(&path) {
            Ok(Some(stored)) => found.push((stored.env, stored.attached)),
            // What was never wholly written is nothing; what cannot be removed stays.
            Ok(None) => drop(fs::remove_file(&path)),
            Err(why) => return Err(failed(why)),
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

fn read(path: &Path) -> std::io::Result<Option<Stored>> {
    if fs::metadata(path)?.len() > MOST {
        return Ok(None);
    }
    Ok(serde_json::from_slice(&fs::read(path)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::conversation::Attached;

    fn note(text: &str) -> Attachment {
        Attachment { name: "note.md".to_owned(), content: Attached::Text(text.into()) }
    }

    #[test]
    fn what_is_attached_is_kept_for_its_owner_until_it_is_sent() {
        let dir = tempfile::tempdir().expect("a folder");
        let [one, other] = ["../a/b", "demo"].map(|id| EnvId(id.to_owned()));
        assert_eq!(load(dir.path()), Ok(Vec::new()));
        keep(dir.path(), &one, &[note("1"), note("2")]).expect("kept");
        keep(dir.path(), &other, &[note("3")]).expect("kept");
        keep(dir.path(), &one, &[note("4")]).expect("kept");
        let found = load(dir.path()).expect("read");
        assert_eq!(found, [(one.clone(), vec![note("4")]), (other.clone(), vec![note("3")])]);
        for entry in fs::read_dir(dir.path().join("drafts")).expect("a folder").flatten() {
            let mode = entry.metadata().expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
        }
        keep(dir.path(), &one, &[]).expect("forgotten");
        keep(dir.path(), &one, &[]).expect("it was forgotten before");
        assert_eq!(load(dir.path()).expect("read").len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_taken_away_and_what_cannot_be_written_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let env = EnvId("demo".to_owned());
        keep(dir.path(), &env, &[note("1")]).expect("kept");
        fs::write(path_of(&dir.path().join("drafts"), &env), "{\"env\": ").expect("written");
        assert_eq!(load(dir.path()), Ok(Vec::new()));
        assert_eq!(fs::read_dir(dir.path().join("drafts")).expect("a folder").count(), 0);
        let file = dir.path().join("file");
        fs::write(&file, "").expect("written");
        let failure = keep(&file, &env, &[note("1")]).expect_err("a file is no folder");
        assert!(failure.summary.contains("cannot be kept"), "{failure:?}");
    }
}
