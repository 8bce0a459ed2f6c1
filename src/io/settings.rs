//! The settings file: TOML through confy, kept aside when it is not understood, never half written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use confy::ConfyError;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::files::{self, Beside};
use crate::domain::environment::{
    ApiAddress, ClusterAccess, EnvId, Environment, Extra, ExtraValue, HeaderName, KeyPlace,
};
use crate::domain::failure::Failure;
use crate::domain::history::HistorySettings;
use crate::domain::plan::Plan;
use crate::domain::settings::{BenchForms, Care, PairVotes, PlaygroundForm, Settings, ThemeChoice};
use crate::protocol::Playgrounds;

/// What this version writes and reads.
const VERSION: i64 = 1;

/// The settings file and the keys that were explicitly put into it. Clones share one file.
#[derive(Clone)]
pub struct SettingsStore {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

/// What came out of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The settings, or the defaults.
    pub settings: Settings,
    /// Why they are the defaults, and where the file went; `None` when all is well.
    pub notice: Option<Failure>,
}

#[derive(Default)]
struct State {
    /// The file is there and could not be read: whoever writes now destroys what nobody has seen.
    unread: bool,
    /// Secrets of environments that the file does not hold yet; the next save takes them along.
    held: BTreeMap<SecretId, SecretString>,
    /// The settings as this window knows them: as it read or wrote them last. What is otherwise in the file is another
    /// window's. `None` before it did either.
    known: Option<Settings>,
}

/// Names a secret: an environment's key, or the value of one of its extra headers and query parameters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretId {
    /// Whose it is.
    pub env: EnvId,
    /// [`Extra::slot`]; `None` for the key.
    pub slot: Option<String>,
}

impl SecretId {
    /// An extra value's.
    pub fn of_extra(env: &EnvId, extra: &Extra) -> Self {
        Self {
            env: env.clone(),
            slot: Some(extra.slot()),
        }
    }
}

impl From<&EnvId> for SecretId {
    /// The environment's key.
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
    /// Over the user's own file, e.g. `~/.config/batida/settings.toml`.
    ///
    /// # Errors
    /// When there is no home directory.
    pub fn open_default() -> Result<Self, Failure> {
        confy::get_configuration_file_path("batida", "settings")
            .map(Self::at)
            .map_err(|why| {
                Failure::new(
                    "There is no place for the settings file",
                    "Set HOME, or say --config DIR",
                )
                .with_details(why.to_string())
            })
    }

    /// Over `settings.toml` in `dir`, as `--config DIR` asks.
    pub fn in_dir(dir: &Path) -> Self {
        Self::at(dir.join("settings.toml"))
    }

    /// Over the file at `path`, which need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self {
            path,
            state: Arc::default(),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The settings for who will not save any: whatever the file is, it stays as it is. Otherwise as
    /// [`SettingsStore::load`].
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

    /// Reads the settings; the demo always comes first. A missing file is a first start; one that makes no sense is moved
    /// aside, one of another version is left alone, and both are told of in [`Loaded::notice`].
    pub fn load(&self) -> Loaded {
        let mut state = self.lock();
        state.unread = false;
        let (settings, notice) = match self.read() {
            Ok(Some(file)) => {
                self.guard_keys(&file);
                (file.into_settings(), None)
            }
            Ok(None) => (Settings::default(), None),
            Err(Trouble::Broken(why)) => {
                let notice = self.keep_aside(&why, "Batida starts with its default settings");
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

    /// Writes in one step what this window has changed of its settings since it read or wrote them last; what another
    /// window has changed meanwhile stays. Keys in the file stay with their environments for as long as these say
    /// [`KeyPlace::SettingsFile`]. Gives what is in the file now.
    ///
    /// # Errors
    /// When it cannot be written, or when what is there must not be overwritten.
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

    /// What the file would hold if these settings were saved now.
    pub(crate) fn merged(&self, settings: &Settings) -> Settings {
        self.merge(&self.lock(), settings)
    }

    fn merge(&self, state: &State, settings: &Settings) -> Settings {
        // What is not there, or was moved aside, has nothing to say.
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

    /// From now on an environment counts as one that this window has made.
    pub(crate) fn make_own(&self, env: &EnvId) {
        if let Some(known) = &mut self.lock().known {
            known.environments.retain(|old| old.id != *env);
        }
    }

    /// Writes what the Playground is left as, of these environments alone; `None` forgets it.
    ///
    /// # Errors
    /// As [`SettingsStore::save`].
    pub fn keep_playgrounds(&self, changed: &Playgrounds) -> Result<(), Failure> {
        let mut state = self.lock();
        self.keys_before_writing(&mut state)?;
        let mut known = state.known.clone().unwrap_or_default();
        let Some(mut file) = self.look()? else {
            change(&mut known.playgrounds, changed, Clone::clone);
            return self.save_as(&mut state, &known).map(drop);
        };
        change(&mut file.playgrounds, changed, write_form);
        self.write(&file)?;
        change(&mut known.playgrounds, changed, Clone::clone);
        // Who has read nothing yet knows nothing of the rest either.
        state.known = state.known.is_some().then_some(known);
        Ok(())
    }

    /// The secret that the file holds: an environment's key, or one of its extra values.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn file_key(&self, id: impl Into<SecretId>) -> Result<Option<SecretString>, Failure> {
        let id = id.into();
        let state = self.lock();
        if let Some(key) = state.held.get(&id) {
            return Ok(Some(key.clone()));
        }
        Ok(self.look()?.and_then(|file| file.keys().remove(&id)))
    }

    /// Puts a key or an extra value into the file, or takes it out. An environment that the file does not know yet, or not as
    /// one that keeps its key there, gets it with the next [`SettingsStore::save`].
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
        let mut file = self.look()?.unwrap_or_default();
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

    /// The environments that the file holds, without touching it: another Batida's.
    ///
    /// # Errors
    /// When it is not understood, or cannot be read.
    pub fn environments(&self) -> Result<Vec<Environment>, Failure> {
        let _state = self.lock();
        let file = self.look().map_err(|why| Failure {
            summary: why
                .summary
                .replace("The settings file", &self.path.display().to_string()),
            advice: "Is it the settings.toml of a Batida that is no newer than this one?"
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

    /// The environments that the file holds now, without touching it. None when it is missing or broken.
    pub(crate) fn stored(&self) -> Vec<Environment> {
        let _state = self.lock();
        let file = self.read().ok().flatten().unwrap_or_default();
        file.environments
            .into_iter()
            .map(StoredEnvironment::into_environment)
            .collect()
    }

    /// Names this file among other settings files, the same each time.
    pub(crate) fn identity(&self) -> String {
        let absolute = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        // The folder may be made only by the first save: what exists of it is looked up, the rest is kept.
        let whole = absolute.ancestors().skip(1).find_map(|dir| {
            let rest = absolute.strip_prefix(dir).ok()?;
            Some(dir.canonicalize().ok()?.join(rest))
        });
        whole.unwrap_or(absolute).to_string_lossy().into_owned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys of the file that is about to be replaced. One that somebody broke meanwhile is kept aside.
    fn keys_before_writing(
        &self,
        state: &mut State,
    ) -> Result<BTreeMap<SecretId, SecretString>, Failure> {
        if state.unread {
            return Err(Failure::new(
                format!(
                    "The settings were not saved: {} could not be read before",
                    self.path.display()
                ),
                "Make the file readable (or move it away), then start Batida again",
            ));
        }
        match self.read() {
            Ok(file) => Ok(file.map(|file| file.keys()).unwrap_or_default()),
            Err(Trouble::Broken(why)) => Err(self.keep_aside(&why, "Save again")?),
            Err(trouble) => Err(self.left_alone(trouble)),
        }
    }

    fn look(&self) -> Result<Option<StoredFile>, Failure> {
        self.read().map_err(|trouble| self.left_alone(trouble))
    }

    /// Why the file stays as it is.
    fn left_alone(&self, trouble: Trouble) -> Failure {
        let file = self.path.display();
        let (why, advice) = match trouble {
            Trouble::Unread(why) => return self.unread(&why),
            Trouble::Foreign(why) => (
                why,
                format!("Update Batida, or take out of {file} what this one does not know"),
            ),
            Trouble::Broken(why) => (why, format!("Correct {file}, or move it away")),
        };
        let advice = format!("{advice}. The file is left as it is; until then nothing is saved");
        Failure::new(
            format!("The settings file was not understood: {why}"),
            advice,
        )
    }

    fn unread(&self, why: &str) -> Failure {
        Failure::new(
            format!("The settings file could not be read: {why}"),
            format!(
                "Make {} readable, then start Batida again; until then nothing is saved",
                self.path.display()
            ),
        )
    }

    /// `None` when there is no file.
    fn read(&self) -> Result<Option<StoredFile>, Trouble> {
        match files::ordinary(&self.path) {
            Err(files::Unread::Io(why)) if why.kind() == ErrorKind::NotFound => return Ok(None),
            Err(odd @ (files::Unread::Folder | files::Unread::NoFile(_))) => {
                return Err(Trouble::Unread(odd.why()));
            }
            _ => {}
        }
        match File::open(&self.path) {
            // confy would write a new file here, readable by all.
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(Trouble::Unread(why.to_string())),
            Ok(_) => {}
        }
        let Probe { version } = confy::load_path(&self.path).map_err(|why| self.trouble(why))?;
        match version {
            Some(VERSION) => {}
            None => return Err(Trouble::Broken("it says no version".to_owned())),
            Some(n) if n > VERSION => {
                return Err(Trouble::Foreign(format!(
                    "a newer Batida wrote it (version {n})"
                )));
            }
            Some(n) => return Err(Trouble::Broken(format!("there is no version {n}"))),
        }
        let file: StoredFile = confy::load_path(&self.path).map_err(|why| self.trouble(why))?;
        file.check().map_err(Trouble::Broken)?;
        Ok(Some(file))
    }

    /// What confy says of the file, with the line that it speaks of.
    fn trouble(&self, error: ConfyError) -> Trouble {
        let ConfyError::BadTomlData(error) = error else {
            return Trouble::from(error);
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
            Trouble::Foreign(why)
        } else {
            Trouble::Broken(why)
        }
    }

    /// Moves the file to a name of its own. `Err` when it had to stay where it is.
    fn keep_aside(&self, why: &str, then: &str) -> Result<Failure, Failure> {
        let summary = format!("The settings file was not understood: {why}");
        match files::move_aside(&self.path) {
            Ok(aside) => Ok(Failure::new(
                summary,
                format!("It was kept as {}. {then}", aside.display()),
            )),
            Err(error) => Err(Failure::new(
                summary,
                format!(
                    "Repair or move {}; until then nothing is saved",
                    self.path.display()
                ),
            )
            .with_details(format!("It could not be moved aside: {error}"))),
        }
    }

    /// A file with a key in it is nobody else's business, whoever wrote it.
    fn guard_keys(&self, file: &StoredFile) {
        let loose = |path: &Path| {
            fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
        };
        if !file.keys().is_empty() && loose(&self.path) {
            // Someone else's file stays as it is.
            let _ = fs::set_permissions(&self.path, Permissions::from_mode(0o600));
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

    /// confy truncates and then writes; a crash in between would lose everything. So it writes beside.
    fn replace(&self, file: &StoredFile) -> Result<(), String> {
        let text = |why: std::io::Error| why.to_string();
        let real = files::real_path(&self.path).map_err(text)?;
        let dir = real.parent().ok_or("it has no folder")?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(text)?;

        let beside = Beside::create(&real, files::FOR_OWNER).map_err(text)?;
        confy::store_path(beside.path(), file).map_err(|why| match why {
            // What TOML has to say may quote a value.
            ConfyError::SerializeTomlError(_) => "it cannot be written as TOML".to_owned(),
            other => describe_io(&other),
        })?;
        beside.replace().map_err(text)
    }
}

/// Why there are no settings.
#[derive(Debug)]
enum Trouble {
    /// It was read and makes no sense.
    Broken(String),
    /// It makes sense to another version: it is newer, or holds a key that this one does not know.
    Foreign(String),
    /// Nobody knows what is in it.
    Unread(String),
}

impl From<ConfyError> for Trouble {
    fn from(error: ConfyError) -> Self {
        match error {
            ConfyError::ReadConfigurationFileError(why) if why.kind() == ErrorKind::InvalidData => {
                Self::Broken("it is not text".to_owned())
            }
            other => Self::Unread(describe_io(&other)),
        }
    }
}

fn describe_io(error: &ConfyError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), ToString::to_string)
}

/// How serde begins to speak of a key that it does not know.
const UNKNOWN_FIELD: &str = "unknown field `";

/// What serde says without the values it quotes: one of them could be a key.
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
    "it is not valid TOML, or a value in it makes no sense".to_owned()
}

/// Any settings file, of which only the version is looked at.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Probe {
    version: Option<i64>,
}

/// The file as it stands on the disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFile {
    version: i64,
    #[serde(default)]
    theme: ThemeChoice,
    #[serde(default = "EnvId::demo")]
    selected: EnvId,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    environments: Vec<StoredEnvironment>,
    #[serde(default)]
    history: HistorySettings,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    benches: BTreeMap<EnvId, StoredForms>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    votes: Vec<PairVotes>,
    /// As JSON, for the reason that plans are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    playgrounds: BTreeMap<EnvId, String>,
    #[serde(default, skip_serializing_if = "is_default")]
    care: Care,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The Benchmark page's forms. A plan is kept as JSON: TOML has no word for what is left to the server. One
/// that this version does not understand is left out: it is no reason to put the whole file aside.
#[derive(Serialize, Deserialize)]
struct StoredForms {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    presets: Vec<StoredPreset>,
}

#[derive(Serialize, Deserialize)]
struct StoredPreset {
    name: String,
    plan: String,
}

fn read_plan(json: &str) -> Option<Plan> {
    // Said above: what is not understood is left out.
    serde_json::from_str(json).ok()
}

fn write_plan(plan: &Plan) -> String {
    // cannot fail: a plan has no map, and a path of it came from a text
    serde_json::to_string(plan).unwrap_or_default()
}

fn read_form(json: &str) -> Option<PlaygroundForm> {
    // As with plans: what is not understood is left out.
    serde_json::from_str(json).ok()
}

/// Puts these forms in place of those that were there.
fn change<T>(
    kept: &mut BTreeMap<EnvId, T>,
    changed: &Playgrounds,
    written: impl Fn(&PlaygroundForm) -> T,
) {
    for (env, form) in changed {
        match form {
            Some(form) => drop(kept.insert(env.clone(), written(form))),
            None => drop(kept.remove(env)),
        }
    }
}

fn write_form(form: &PlaygroundForm) -> String {
    // cannot fail: texts, and numbers that came from a form
    serde_json::to_string(form).unwrap_or_default()
}

impl StoredForms {
    fn new(forms: &BenchForms) -> Self {
        let preset = |(name, plan): &(String, Plan)| StoredPreset {
            name: name.clone(),
            plan: write_plan(plan),
        };
        Self {
            last: forms.last.as_ref().map(write_plan),
            presets: forms.presets.iter().map(preset).collect(),
        }
    }

    fn into_forms(self) -> BenchForms {
        let presets = self
            .presets
            .into_iter()
            .filter_map(|p| Some((p.name, read_plan(&p.plan)?)));
        BenchForms {
            last: self.last.as_deref().and_then(read_plan),
            presets: presets.collect(),
        }
    }
}

impl Default for StoredFile {
    fn default() -> Self {
        Self::new(&Settings::default(), &BTreeMap::new())
    }
}

impl StoredFile {
    fn new(settings: &Settings, keys: &BTreeMap<SecretId, SecretString>) -> Self {
        let Settings {
            theme,
            selected,
            environments,
            benches,
            history,
            votes,
            playgrounds,
            care,
        } = settings;
        let stored = environments
            .iter()
            .filter(|env| !env.demo && !is_reserved(&env.id));
        Self {
            version: VERSION,
            theme: *theme,
            selected: selected.clone(),
            environments: stored
                .map(|env| StoredEnvironment::new(env.clone(), keys))
                .collect(),
            history: *history,
            benches: benches
                .iter()
                .map(|(id, forms)| (id.clone(), StoredForms::new(forms)))
                .collect(),
            votes: votes.clone(),
            playgrounds: playgrounds
                .iter()
                .map(|(id, form)| (id.clone(), write_form(form)))
                .collect(),
            care: care.clone(),
        }
    }

    /// Takes over plans and forms that only another version understands, unless there are others in their places now.
    fn carry_over(&mut self, old: Self) {
        let known: BTreeSet<EnvId> = std::iter::once(EnvId::demo())
            .chain(self.environments.iter().map(|env| env.id.clone()))
            .collect();
        for (env, form) in old.playgrounds {
            if known.contains(&env) && read_form(&form).is_none() {
                self.playgrounds.entry(env).or_insert(form);
            }
        }
        for (env, mut forms) in old.benches {
            forms.last = forms.last.filter(|plan| read_plan(plan).is_none());
            forms
                .presets
                .retain(|preset| read_plan(&preset.plan).is_none());
            if !known.contains(&env) || (forms.last.is_none() && forms.presets.is_empty()) {
                continue;
            }
            let mine = self
                .benches
                .entry(env)
                .or_insert_with(|| StoredForms::new(&BenchForms::default()));
            mine.last = mine.last.take().or(forms.last);
            for preset in forms.presets {
                if !mine.presets.iter().any(|known| known.name == preset.name) {
                    mine.presets.push(preset);
                }
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        let mut ids = BTreeSet::new();
        for StoredEnvironment { id, .. } in &self.environments {
            if is_reserved(id) || id.0.is_empty() {
                return Err(format!("an environment cannot have the id {:?}", id.0));
            }
            if !ids.insert(id) {
                return Err(format!("two environments have the id {:?}", id.0));
            }
        }
        Ok(())
    }

    /// All secrets that stand in it.
    fn keys(&self) -> BTreeMap<SecretId, SecretString> {
        let keeps_it = |env: &&StoredEnvironment| env.key == KeyPlace::SettingsFile;
        self.environments
            .iter()
            .filter(keeps_it)
            .flat_map(StoredEnvironment::keys)
            .collect()
    }

    fn into_settings(self) -> Settings {
        let Self {
            version: _,
            theme,
            selected,
            environments,
            history,
            benches,
            votes,
            playgrounds,
            care,
        } = self;
        let stored = environments
            .into_iter()
            .map(StoredEnvironment::into_environment);
        let mut settings = Settings {
            theme,
            selected,
            environments: std::iter::once(Environment::demo()).chain(stored).collect(),
            benches: benches
                .into_iter()
                .map(|(id, forms)| (id, forms.into_forms()))
                .collect(),
            history,
            votes,
            playgrounds: playgrounds
                .into_iter()
                .filter_map(|(id, form)| Some((id, read_form(&form)?)))
                .collect(),
            care,
        };
        if settings.get(&settings.selected).is_none() {
            settings.selected = EnvId::demo();
        }
        settings
    }
}

/// Ids that Batida gives out itself.
fn is_reserved(id: &EnvId) -> bool {
    [EnvId::demo(), EnvId::ad_hoc()].contains(id)
}

/// An [`Environment`] and its key. Spelled out, since serde cannot both flatten and refuse unknown fields.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEnvironment {
    id: EnvId,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api: Option<ApiAddress>,
    #[serde(default)]
    key: KeyPlace,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key: Option<StoredKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_header: Option<HeaderName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    accept_invalid_certs: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_cert: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_key: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<ClusterAccess>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extras: Vec<Extra>,
    /// Secret values of `extras`, by their slots.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<String, StoredKey>,
}

impl StoredEnvironment {
    fn new(env: Environment, keys: &BTreeMap<SecretId, SecretString>) -> Self {
        let Environment {
            id,
            name,
            demo: _,
            api,
            key,
            key_header,
            extras,
            ca_file,
            accept_invalid_certs,
            client_cert,
            client_key,
            cluster,
        } = env;
        let in_file = key == KeyPlace::SettingsFile;
        let stored = |id: &SecretId| keys.get(id).filter(|_| in_file).cloned().map(StoredKey);
        let api_key = stored(&SecretId::from(&id));
        let kept = extras
            .iter()
            .filter(|extra| extra.value == ExtraValue::Kept);
        let secrets = kept
            .filter_map(|extra| Some((extra.slot(), stored(&SecretId::of_extra(&id, extra))?)))
            .collect();
        Self {
            id,
            name,
            api,
            key,
            api_key,
            key_header,
            ca_file,
            accept_invalid_certs,
            client_cert,
            client_key,
            cluster,
            extras,
            secrets,
        }
    }

    fn into_environment(self) -> Environment {
        let Self {
            id,
            name,
            api,
            key,
            api_key: _,
            key_header,
            ca_file,
            accept_invalid_certs,
            client_cert,
            client_key,
            cluster,
            extras,
            secrets: _,
        } = self;
        Environment {
            id,
            name,
            demo: false,
            api,
            key,
            key_header,
            extras,
            ca_file,
            accept_invalid_certs,
            client_cert,
            client_key,
            cluster,
        }
    }

    /// Whether a secret of this slot belongs into the file.
    fn holds(&self, slot: Option<&str>) -> bool {
        let is_kept = |slot| {
            self.extras
                .iter()
                .any(|extra| extra.value == ExtraValue::Kept && extra.slot() == slot)
        };
        self.key == KeyPlace::SettingsFile && slot.is_none_or(is_kept)
    }

    /// Whether one stands in it.
    fn has(&self, slot: Option<&str>) -> bool {
        slot.map_or(self.api_key.is_some(), |slot| {
            self.secrets.contains_key(slot)
        })
    }

    fn set(&mut self, slot: Option<String>, key: Option<SecretString>) {
        match (slot, key.map(StoredKey)) {
            (None, key) => self.api_key = key,
            (Some(slot), Some(key)) => drop(self.secrets.insert(slot, key)),
            (Some(slot), None) => drop(self.secrets.remove(&slot)),
        }
    }

    fn keys(&self) -> impl Iterator<Item = (SecretId, SecretString)> {
        let key = self.api_key.as_ref().map(|key| (None, key));
        let secrets = self
            .secrets
            .iter()
            .map(|(slot, key)| (Some(slot.clone()), key));
        key.into_iter().chain(secrets).map(|(slot, key)| {
            (
                SecretId {
                    env: self.id.clone(),
                    slot,
                },
                key.0.clone(),
            )
        })
    }
}

/// A key in the clear, in the file only.
struct StoredKey(SecretString);

impl Serialize for StoredKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for StoredKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|key| Self(key.into()))
    }
}
