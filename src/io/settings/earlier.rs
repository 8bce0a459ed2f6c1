//! What earlier versions kept in the settings file, and what is now in the database.

use super::{Earlier, SettingsStore};
use crate::domain::failure::Failure;

impl SettingsStore {
    /// What is still to be moved; `None` if there is nothing, or the file cannot be read.
    pub(in crate::io) fn earlier(&self) -> Option<Earlier> {
        let _state = self.lock();
        let earlier = self.read().ok().flatten()?.take_earlier();
        (earlier != Earlier::default()).then_some(earlier)
    }

    /// Removes what was moved, unless it has changed since.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(in crate::io) fn remove_earlier(&self, moved: &Earlier) -> Result<(), Failure> {
        let _state = self.lock();
        let Some(mut file) = self.read_file()? else {
            return Ok(());
        };
        if file.take_earlier() == *moved {
            self.write(&file)?;
        }
        Ok(())
    }
}
