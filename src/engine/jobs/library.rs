//! The prompts' commands: read, changed, imported.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::Shared;
use crate::domain::failure::Failure;
use crate::domain::library::{Library, LibraryChange};
use crate::engine::own_fault;
use crate::io::library::{Found, LibraryStore, MAX_FILE_BYTES};
use crate::io::{dialog, files};
use crate::protocol::{Event, ImportedPrompts};

impl Shared {
    /// Reads or changes the prompts, in the order of the requests.
    pub(super) async fn serve_prompts(
        self: Arc<Self>,
        mut changes: mpsc::UnboundedReceiver<Option<LibraryChange>>,
    ) {
        while let Some(change) = changes.recv().await {
            let outcome = self
                .change_prompts(change)
                .await
                .map(|found| self.noted(found).library);
            // Only the last one's answer says how it is now.
            if changes.is_empty() || outcome.is_err() {
                self.emitter.emit(Event::PromptsLoaded { outcome });
            }
        }
    }

    /// Lets the user choose a file, and imports its prompts; `None` if they cancel.
    pub(super) async fn import_prompts(&self) -> Result<Option<ImportedPrompts>, Failure> {
        let Some(path) = dialog::pick_file("Import prompts", "Copy prompts manually").await? else {
            return Ok(None);
        };
        let prompts = read_file(&path).await?.prompts;
        let found = self
            .change_prompts(Some(LibraryChange::Add(prompts)))
            .await?;
        let Found { library, added, .. } = self.noted(found);
        Ok(Some(ImportedPrompts { library, added }))
    }

    async fn change_prompts(&self, change: Option<LibraryChange>) -> Result<Found, Failure> {
        let store = LibraryStore::beside(self.connections.keys().settings_path());
        let work = move || match change {
            Some(change) => store.change(change),
            None => store.load(),
        };
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|panic| Err(own_fault(&panic)))
    }

    /// Reports a file that was moved aside, whatever the outcome.
    fn noted(&self, mut found: Found) -> Found {
        if let Some(failure) = found.notice.take() {
            self.emitter.emit(Event::PromptsLoaded {
                outcome: Err(failure),
            });
        }
        found
    }
}

async fn read_file(path: &Path) -> Result<Library, Failure> {
    let bytes = files::read(path, MAX_FILE_BYTES, "Split it into several files").await?;
    Library::read(&String::from_utf8_lossy(&bytes))
        .map_err(|why| why.told(&path.display().to_string()))
}
