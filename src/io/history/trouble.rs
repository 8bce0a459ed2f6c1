//! Why the history cannot be read or written, told to a person.

use std::fs;
use std::path::Path;

use rusqlite::ErrorCode;

use super::{MARK, beside, schema};
use crate::domain::failure::{Advice, Failure};

/// What went wrong inside a transaction. [`Store::write`] makes a [`Failure`] of it.
pub struct Trouble(pub(super) rusqlite::Error);

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self(error)
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(error: serde_json::Error) -> Self {
        Self(rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    }
}

/// Why a file cannot be used.
pub(super) enum Cannot {
    /// A newer Batida wrote it, with this version of the tables.
    Newer(i64),
    /// It was read and makes no sense.
    Broken(String),
    /// Anything else: it may work later.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Cannot {
    fn from(error: rusqlite::Error) -> Self {
        // On opening nothing else asks SQLite for what cannot be there.
        if may_be_damage(&error) {
            Self::Broken(error.to_string())
        } else {
            Self::Sql(error)
        }
    }
}

impl Cannot {
    pub(super) fn told(self, path: &Path) -> Failure {
        match self {
            Self::Newer(version) => Failure::new(
                format!(
                    "The history was written by a newer Batida (version {version}, this one knows {})",
                    schema::VERSION
                ),
                format!(
                    "Update Batida. {} is left as it is; until then nothing is kept",
                    path.display()
                ),
            ),
            Self::Broken(why) => damaged(path, &why),
            Self::Sql(error) => told(path, &error),
        }
    }
}

/// Leaves a mark for who writes next, and says so. Nothing is moved: whoever met the damage may be there only to read.
pub(super) fn damaged(path: &Path, why: &str) -> Failure {
    let file = path.display();
    let advice = match fs::write(beside(path, MARK), why) {
        Ok(()) => Advice::by_face(
            format!(
                "Batida now makes a new file of what can be read. The damaged one is kept beside {file}"
            ),
            format!(
                "{file} is as it was. The next command that writes to the history makes a new file of what can be \
                 read and keeps the damaged one beside it: `batida bench`, `batida chat`, or `batida history import`, \
                 `rename` or `delete`"
            ),
        ),
        Err(_) => format!("Move {file} to another place: Batida then begins a new one").into(),
    };
    Failure::new("The history's file is damaged", advice).with_details(why)
}

pub(super) fn replaced(why: &str) -> Failure {
    Failure::new(
        "The history's file was damaged, and has been replaced meanwhile",
        "Try again",
    )
    .with_details(why)
}

/// The window tries again by itself; a command has ended by then.
pub(super) fn retried(advice: String) -> Advice {
    let window = format!("{advice}. Batida tries again by itself");
    Advice::by_face(window, format!("{advice}, then run the command again"))
}

/// SQLite's words, told to a person.
pub(super) fn told(path: &Path, error: &rusqlite::Error) -> Failure {
    let file = path.display();
    let (summary, advice): (_, Advice) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            "The history is locked by another program".to_owned(),
            retried(format!("Close what has {file} open")),
        ),
        Some(ErrorCode::DiskFull) => (
            "The disk is full: the history cannot be written".to_owned(),
            retried(format!("Make room for {file}")),
        ),
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::AuthorizationForStatementDenied,
        ) => (
            "The history may not be written".to_owned(),
            retried(format!(
                "Give yourself the right to write {file} and its folder"
            )),
        ),
        Some(ErrorCode::CannotOpen) => (
            "The history cannot be opened".to_owned(),
            retried(format!(
                "Check that you may read and write {file} and its folder"
            )),
        ),
        Some(ErrorCode::SystemIoFailure) => (
            "The history's disk fails".to_owned(),
            retried(format!(
                "Check that there is room, and that the disk of {file} works"
            )),
        ),
        _ => (
            "The history cannot be used".to_owned(),
            format!("Look into {file}").into(),
        ),
    };
    Failure::new(summary, advice).with_details(error.to_string())
}

pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Whether it may be the file's content that SQLite, or this module, stumbles over; everything else comes from outside
/// of the file and may be over later.
pub(super) fn may_be_damage(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::AuthorizationForStatementDenied
                | ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
        )
    )
}

pub(super) fn no_room(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        format!("The history has no place: {}", crate::io::why(error)),
        retried(format!(
            "Make the folder of {} one that you may write to",
            path.display()
        )),
    )
}
