//! Reads the settings file, and explains why it cannot be read.

use std::fs::{self, File};
use std::io::ErrorKind;

use confy::ConfyError;

use super::stored::{Probe, StoredFile};
use super::{SettingsStore, VERSION, describe_io};
use crate::domain::failure::Failure;
use crate::io::files;

impl SettingsStore {
    /// The failure for a file that is left unchanged.
    pub(super) fn left_alone(&self, trouble: LoadError) -> Failure {
        let file = self.path.display();
        let (why, advice) = match trouble {
            LoadError::Unread(why) => return self.unread(&why),
            LoadError::Foreign(why) => (
                why,
                format!("Update Batida, or remove the unknown entries from {file}"),
            ),
            LoadError::Broken(why) => (why, format!("Correct {file}, or move it away")),
        };
        let advice = format!(
            "{advice}. Until then, the file is not changed and settings are not \
             saved"
        );
        Failure::new(format!("The settings file is not valid: {why}"), advice)
    }

    fn unread(&self, why: &str) -> Failure {
        Failure::new(
            format!("The settings file could not be read: {why}"),
            format!(
                "Make {} readable, then restart Batida. Until then, settings are not saved",
                self.path.display()
            ),
        )
    }

    /// `None` when there is no file.
    pub(super) fn read(&self) -> Result<Option<StoredFile>, LoadError> {
        match files::ordinary(&self.path) {
            Err(files::Unread::Io(why)) if why.kind() == ErrorKind::NotFound => return Ok(None),
            Err(odd @ (files::Unread::Folder | files::Unread::NoFile(_))) => {
                return Err(LoadError::Unread(odd.why()));
            }
            _ => {}
        }
        match File::open(&self.path) {
            // confy would create a world-readable file.
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(LoadError::Unread(why.to_string())),
            Ok(_) => {}
        }
        let Probe { version } = confy::load_path(&self.path).map_err(|why| self.classify(why))?;
        match version {
            Some(VERSION) => {}
            None => return Err(LoadError::Broken("it has no version".to_owned())),
            Some(n) if n > VERSION => {
                return Err(LoadError::Foreign(format!(
                    "it was written by a newer version of Batida (file version {n})"
                )));
            }
            Some(n) => return Err(LoadError::Broken(format!("file version {n} is not known"))),
        }
        let file: StoredFile = confy::load_path(&self.path).map_err(|why| self.classify(why))?;
        file.check().map_err(LoadError::Broken)?;
        Ok(Some(file))
    }

    /// Classifies an error of confy, and adds the line number.
    fn classify(&self, error: ConfyError) -> LoadError {
        let ConfyError::BadTomlData(error) = error else {
            return LoadError::from(error);
        };
        let line = || {
            let text = fs::read(&self.path).ok()?;
            let before = text.get(..error.span()?.start)?;
            Some(before.iter().filter(|byte| **byte == b'\n').count() + 1)
        };
        let line = line()
            .map(|line| format!(" in line {line}"))
            .unwrap_or_default();
        let why = format!("{}{line}", harmless(error.message()));
        if why.starts_with(UNKNOWN_FIELD) {
            LoadError::Foreign(why)
        } else {
            LoadError::Broken(why)
        }
    }

    /// Moves the file aside. `Err` if that failed.
    pub(super) fn keep_aside(&self, why: &str, then: &str) -> Result<Failure, Failure> {
        let summary = format!("The settings file is not valid: {why}");
        match files::move_aside(&self.path) {
            Ok(aside) => Ok(Failure::new(
                summary,
                format!("It was renamed to {}. {then}", aside.display()),
            )),
            Err(error) => Err(Failure::new(
                summary,
                format!(
                    "Repair or move {}. Until then, settings are not saved",
                    self.path.display()
                ),
            )
            .with_details(format!("It could not be renamed: {error}"))),
        }
    }
}

/// Why the settings could not be read.
#[derive(Debug)]
pub(super) enum LoadError {
    /// The contents are not valid.
    Broken(String),
    /// Written by a newer version, or with an unknown entry.
    Foreign(String),
    /// The file could not be read.
    Unread(String),
}

impl From<ConfyError> for LoadError {
    fn from(error: ConfyError) -> Self {
        match error {
            ConfyError::ReadConfigurationFileError(why) if why.kind() == ErrorKind::InvalidData => {
                Self::Broken("it is not text".to_owned())
            }
            other => Self::Unread(describe_io(&other)),
        }
    }
}

/// The start of serde's error for an unknown key.
const UNKNOWN_FIELD: &str = "unknown field `";

/// serde's error without quoted values, which could be secrets.
fn harmless(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    for known in [UNKNOWN_FIELD, "missing field `", "duplicate field `"] {
        if let Some(name) = first
            .strip_prefix(known)
            .and_then(|rest| rest.split('`').next())
        {
            return format!("{known}{name}`");
        }
    }
    "it is not valid TOML, or a value is not valid".to_owned()
}
