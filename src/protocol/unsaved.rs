//! What is to be saved where the user says.

use std::sync::Arc;

use crate::domain::failure::Failure;
use crate::domain::history::{ExportFormat, SessionId};

/// What is to be saved. A clone shares the content.
#[derive(Debug, Clone)]
pub enum Unsaved {
    /// A file: what it is for people, its suggested name, and its content.
    File {
        /// For people.
        what: String,
        /// Suggested.
        name: String,
        /// Its bytes.
        content: Arc<[u8]>,
    },
    /// Sessions of the history, which may be more than fits into memory.
    Sessions {
        /// Which.
        sessions: Vec<SessionId>,
        /// As what.
        format: ExportFormat,
        /// The suggested name, without its ending.
        stem: String,
    },
}

impl Unsaved {
    /// What it is, for people.
    pub fn what(&self) -> String {
        match self {
            Self::File { what, .. } => what.clone(),
            Self::Sessions {
                sessions, format, ..
            } if sessions.len() == 1 => {
                format!("Session as {}", format.name())
            }
            Self::Sessions {
                sessions, format, ..
            } => {
                format!("{} sessions as {}", sessions.len(), format.name())
            }
        }
    }

    /// The suggested name of its file.
    pub fn name(&self) -> String {
        match self {
            Self::File { name, .. } => name.clone(),
            Self::Sessions { format, stem, .. } => format!("{stem}.{}", format.ending()),
        }
    }
}

/// What is to be saved at a path that the user types.
#[derive(Debug, Clone)]
pub struct PathNeeded {
    /// What is saved.
    pub unsaved: Unsaved,
    /// A first proposal, or what was typed last.
    pub path: String,
    /// Why it is asked for.
    pub why: Failure,
}

/// What becomes of a picture that is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureUse {
    /// It is saved as a PNG.
    Save,
    /// It is put on the clipboard.
    Copy,
}
