//! The settings file, in TOML. A file that cannot be parsed is moved aside, and writing is atomic.

mod earlier;
mod environment;
mod read;
mod stored;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use confy::ConfyError;
use parking_lot::{Mutex, MutexGuard};
use secrecy::SecretString;

use self::environment::StoredEnvironment;
use self::read::LoadError;
use self::stored::StoredFile;
pub(in crate::io) use self::stored::{Earlier, EarlierForms};
use super::files::{self, Beside};
use super::private;
use crate::domain::environment::{EnvId, Environment, Extra};
use crate::domain::failure::Failure;
use crate::domain::settings::Settings;
use crate::domain::system::System;

/// The version of the file format.
const VERSION: i64 = 1;

/// The settings file, with the keys that users chose to store in it. Clones share one file.
#[derive(Clone)]
pub struct SettingsStore {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

/// The result of loading the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The settings, or the defaults.
    pub settings: Settings,
    /// Why the settings are the defaults, and where the file was moved.
    pub notice: Option<Failure>,
}

#[derive(Default)]
struct State {
    /// The file exists but could not be read, so it must not be overwritten.
    unread: bool,
    /// Secrets of environments that are not in the file yet; the next save writes them.
    held: BTreeMap<SecretId, SecretString>,
    /// The settings that this window last read or wrote. Differences in the file come from another window. `None`
    /// before the first read or write.
    known: Option<Settings>,
}

/// Identifies a secret: an environment's key, or the value of an extra header or query parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretId {
    /// The environment that the secret belongs to.
    pub env: EnvId,
    /// [`Extra::slot`]; `None` for the key.
    pub slot: Option<String>,
}

impl SecretId {
    /// The id of an extra value.
    pub fn of_extra(env: &EnvId, extra: &Extra) -> Self {
        Self {
            env: env.clone(),
            slot: Some(extra.slot()),
        }
    }
}

impl From<&EnvId> for SecretId {
    fn from(env: &EnvId) -> Self {
        Self {
            env: env.clone(),
            slot: None,
        }
    }
}

impl std::fmt::Debug for SettingsStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SettingsStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl SettingsStore {
    /// The user's settings, e.g. `~/.config/batida/settings.toml`.
    ///
    /// # Errors
    /// When there is no home directory.
    pub fn open_default() -> Result<Self, Failure> {
        confy::get_configuration_file_path("batida", "settings")
            .map(Self::at)
            .map_err(|why| {
                Failure::new(
                    "Could not determine the settings folder",
                    format!("{}, or use --config DIR", System::HERE.home_advice()),
                )
                .with_details(why.to_string())
            })
    }

    /// `settings.toml` in `dir`, for `--config DIR`.
    pub fn in_dir(dir: &Path) -> Self {
        Self::at(dir.join("settings.toml"))
    }

    /// The file at `path`, which need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self {
            path,
            state: Arc::default(),
        }
    }

    /// The path of the file, which may not exist.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Like [`SettingsStore::load`], but never changes the file, for commands that do not save.
    pub fn load_untouched(&self) -> Loaded {
        let mut state = self.lock();
        let (settings, notice) = match self.read() {
            Ok(Some(file)) => (file.into_settings(), None),
            Ok(None) => (Settings::default(), None),
            Err(trouble) => (Settings::default(), Some(self.left_alone(trouble))),
        };
        state.unread = notice.is_some();
        state.known = Some(settings.clone());
        Loaded { settings, notice }
    }

    /// Reads the settings; the demo always comes first. A missing file means a first start. An invalid file is moved
    /// aside and one of a newer version is left unchanged; [`Loaded::notice`] says so.
    pub fn load(&self) -> Loaded {
        let mut state = self.lock();
        state.unread = false;
        let (settings, notice) = match self.read() {
            Ok(Some(file)) => {
                self.guard_keys(&file);
                (file.into_settings(), None)
            }
            Ok(None) => (Settings::default(), None),
            Err(LoadError::Broken(why)) => {
                let notice = self.keep_aside(&why, "Batida starts with the default settings");
                state.unread = notice.is_err();
                (Settings::default(), Some(notice.unwrap_or_else(|why| why)))
            }
            Err(trouble) => {
                state.unread = true;
                (Settings::default(), Some(self.left_alone(trouble)))
            }
        };
        state.known = Some(settings.clone());
        Loaded { settings, notice }
    }

    /// Saves what this window has changed since it last read or wrote the settings, and keeps the changes of other
    /// windows. Keys stay in the file as long as their environments have [`KeyPlace::SettingsFile`](crate::domain::environment::KeyPlace::SettingsFile). Returns the
    /// settings that are now in the file.
    ///
    /// # Errors
    /// When the file cannot be written or must not be overwritten.
    pub fn save(&self, settings: &Settings) -> Result<Settings, Failure> {
        self.save_as(&mut self.lock(), settings)
    }

    fn save_as(&self, state: &mut State, settings: &Settings) -> Result<Settings, Failure> {
        let mut keys = self.keys_before_writing(state)?;
        keys.extend(state.held.iter().map(|(id, key)| (id.clone(), key.clone())));
        let merged = self.merge(state, settings);
        let mut file = StoredFile::new(&merged, &keys);
        if let Some(old) = self.read().ok().flatten() {
            file.carry_over(old);
        }
        self.write(&file)?;
        state.known = Some(settings.clone());
        state.held.retain(|id, _| merged.get(&id.env).is_none());
        Ok(merged)
    }

    /// The settings that [`Self::save`] would write.
    pub(crate) fn merged(&self, settings: &Settings) -> Settings {
        self.merge(&self.lock(), settings)
    }

    fn merge(&self, state: &State, settings: &Settings) -> Settings {
        // Without a readable file there is nothing to merge.
        let Some(file) = self.read().ok().flatten() else {
            return settings.clone();
        };
        let theirs = file.into_settings();
        match &state.known {
            Some(known) => Settings::merged(known, settings, &theirs),
            None => {
                let mut merged = settings.clone();
                let others = theirs
                    .environments
                    .into_iter()
                    .filter(|env| settings.get(&env.id).is_none());
                merged.environments.extend(others);
                merged
            }
        }
    }

    /// Treats an environment as created by this window, so that a save writes it.
    pub(crate) fn make_own(&self, env: &EnvId) {
        if let Some(known) = &mut self.lock().known {
            known.environments.retain(|old| old.id != *env);
        }
    }

    /// A secret in the file: an environment's key, or an extra value.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn file_key(&self, id: impl Into<SecretId>) -> Result<Option<SecretString>, Failure> {
        let id = id.into();
        let state = self.lock();
        if let Some(key) = state.held.get(&id) {
            return Ok(Some(key.clone()));
        }
        Ok(self.read_file()?.and_then(|file| file.keys().remove(&id)))
    }

    /// Sets or removes a key or an extra value in the file. If the file does not have the environment yet, or not with
    /// [`KeyPlace::SettingsFile`](crate::domain::environment::KeyPlace::SettingsFile), the next [`SettingsStore::save`] writes the secret.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn set_file_key(
        &self,
        id: impl Into<SecretId>,
        key: Option<SecretString>,
    ) -> Result<(), Failure> {
        let id = id.into();
        let mut state = self.lock();
        self.keys_before_writing(&mut state)?;
        state.held.remove(&id);
        let mut file = self.read_file()?.unwrap_or_default();
        let stored = file
            .environments
            .iter_mut()
            .find(|stored| stored.id == id.env);
        match (stored, key) {
            (Some(stored), Some(key)) if stored.holds(id.slot.as_deref()) => {
                stored.set(id.slot, Some(key));
                self.write(&file)
            }
            (Some(stored), None) if stored.has(id.slot.as_deref()) => {
                stored.set(id.slot, None);
                self.write(&file)
            }
            (_, Some(key)) => {
                state.held.insert(id, key);
                Ok(())
            }
            (_, None) => Ok(()),
        }
    }

    /// The environments in another Batida's file, which is not changed.
    ///
    /// # Errors
    /// When the file cannot be read or parsed.
    pub fn environments(&self) -> Result<Vec<Environment>, Failure> {
        let _state = self.lock();
        let file = self.read_file().map_err(|why| Failure {
            summary: why
                .summary
                .replace("The settings file", &self.path.display().to_string()),
            advice: "Check that it is the settings.toml of this or an earlier version of Batida"
                .to_owned(),
            ..why
        })?;
        Ok(file
            .unwrap_or_default()
            .environments
            .into_iter()
            .map(StoredEnvironment::into_environment)
            .collect())
    }

    /// The environments in the file; empty if it is missing or invalid.
    pub(crate) fn stored(&self) -> Vec<Environment> {
        let _state = self.lock();
        let file = self.read().ok().flatten().unwrap_or_default();
        file.environments
            .into_iter()
            .map(StoredEnvironment::into_environment)
            .collect()
    }

    /// A stable identifier of this settings file.
    pub(crate) fn identity(&self) -> String {
        let absolute = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        // The folder may not exist before the first save, so only its existing part is canonicalized.
        let whole = absolute.ancestors().skip(1).find_map(|dir| {
            let rest = absolute.strip_prefix(dir).ok()?;
            Some(dir.canonicalize().ok()?.join(rest))
        });
        whole.unwrap_or(absolute).to_string_lossy().into_owned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The keys of the file that is about to be replaced. A file that became invalid is moved aside.
    fn keys_before_writing(
        &self,
        state: &mut State,
    ) -> Result<BTreeMap<SecretId, SecretString>, Failure> {
        if state.unread {
            return Err(Failure::new(
                format!(
                    "The settings were not saved: {} could not be read",
                    self.path.display()
                ),
                "Make the file readable or move it away, then restart Batida",
            ));
        }
        match self.read() {
            Ok(file) => Ok(file.map(|file| file.keys()).unwrap_or_default()),
            Err(LoadError::Broken(why)) => Err(self.keep_aside(&why, "Save again")?),
            Err(trouble) => Err(self.left_alone(trouble)),
        }
    }

    fn read_file(&self) -> Result<Option<StoredFile>, Failure> {
        self.read().map_err(|trouble| self.left_alone(trouble))
    }

    /// Makes a file with keys readable only by its owner.
    fn guard_keys(&self, file: &StoredFile) {
        if !file.keys().is_empty() {
            private::make_private(&self.path);
        }
    }

    fn write(&self, file: &StoredFile) -> Result<(), Failure> {
        self.replace(file).map_err(|why| {
            Failure::new(
                "The settings could not be saved",
                format!("Check that {} can be written", self.path.display()),
            )
            .with_details(why)
        })
    }

    /// Writes a temporary file and renames it: confy itself would truncate the file first.
    fn replace(&self, file: &StoredFile) -> Result<(), String> {
        let text = |why: std::io::Error| why.to_string();
        let real = files::real_path(&self.path).map_err(text)?;
        let dir = real.parent().ok_or("it has no folder")?;
        private::make_private_dir(dir).map_err(text)?;
        let beside = Beside::create(&real, files::FOR_OWNER).map_err(text)?;
        confy::store_path(beside.path(), file).map_err(|why| match why {
            // The error may quote a secret.
            ConfyError::SerializeTomlError(_) => "it cannot be written as TOML".to_owned(),
            other => describe_io(&other),
        })?;
        beside.replace().map_err(text)
    }
}

fn describe_io(error: &ConfyError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), ToString::to_string)
}
