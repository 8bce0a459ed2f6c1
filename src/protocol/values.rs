//! What questions and commands carry: files, drafts, keys.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

use crate::domain::conversation::Attachment;
use crate::domain::environment::{ApiAddress, EnvId};
use crate::domain::failure::Failure;
use crate::domain::history::SessionId;
use crate::domain::library::Library;
use crate::import::environments::{Offer, Source};

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Red, green, blue and opacity of each pixel, row by row from the top.
    pub rgba: Arc<[u8]>,
}

/// Where attachments come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachSources {
    /// The user picks files.
    Dialog,
    /// These files.
    Files(Vec<PathBuf>),
    /// A picture from the clipboard.
    Pasted(Picture),
}

/// What is attached to a draft of an environment.
pub type DraftFiles = (EnvId, Vec<Attachment>);

/// What was attached to drafts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DraftsFound {
    /// By environment.
    pub drafts: Vec<DraftFiles>,
    /// What could not be read.
    pub notice: Option<Failure>,
}

/// What a picked file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilePurpose {
    /// An environment's kubeconfig.
    Kubeconfig,
    /// An environment's certificate authorities.
    CaFile,
    /// An environment's client certificate.
    ClientCert,
    /// The key of that.
    ClientKey,
    /// The kubectl program.
    Kubectl,
    /// Environments, to be added to one's own.
    Import,
}

/// A file that the user picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickedFile {
    /// For which environment's form.
    pub env: EnvId,
    /// For which field.
    pub purpose: FilePurpose,
    /// The file.
    pub path: PathBuf,
}

/// The sessions that were added from a result file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportedSessions {
    /// Their names, in the file's order.
    pub ids: Vec<SessionId>,
    /// What in the file has another meaning than here, in plain sentences.
    pub remarks: Vec<String>,
}

/// The prompt library after prompts were added from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedPrompts {
    /// All prompts there are now.
    pub library: Library,
    /// How many of the file's were new.
    pub added: usize,
}

/// What could be added of a file.
#[derive(Debug, Clone)]
pub struct EnvOffers {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub source: Source,
    /// In the file's order.
    pub offers: Vec<Offer>,
}

/// What is to become of an environment's key when the settings are saved.
#[derive(Debug, Clone)]
pub struct KeyChange {
    /// Whose key.
    pub env: EnvId,
    /// The new one, put where the environment says; `None` forgets it wherever it is.
    pub key: Option<SecretString>,
}

/// The address and the key of an environment's API.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// Where its API is; `None` where it has none, or where that cannot be used.
    pub api: Option<ApiAddress>,
    /// What is known of its key.
    pub key: KeyStatus,
    /// Why the API cannot be asked, e.g. a CA file that cannot be read.
    pub trouble: Option<Failure>,
}

/// What is known of an environment's key. Never the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyStatus {
    /// Found; its last characters, for recognition, when it is long enough to spare them.
    Present {
        /// At most four characters.
        tail: String,
    },
    /// The environment says there is none.
    NotNeeded,
    /// It should be there and is not, and why.
    Missing(Failure),
}
