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
use crate::domain::environment::{ApiAddress, ClusterAccess, EnvId, Environment, KeyPlace};
use crate::domain::failure::Failure;
use crate::domain::history::HistorySettings;
use crate::domain::plan::Plan;
use crate::domain::settings::{BenchForms, Care, PairVotes, PlaygroundForm, Settings, ThemeChoice};

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
    /// Keys of environments that the file does not hold yet; the next save takes them along.
    held: BTreeMap<EnvId, SecretString>,
    /// Every environment that this process has read or written. Others in the file are another window's.
    seen: BTreeSet<EnvId>,
}

impl std::fmt::Debug for SettingsStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SettingsStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SettingsStore {
    /// Over the user's own file, e.g. `~/.config/batida/settings.toml`.
    ///
    /// # Errors
    /// When there is no home directory.
    pub fn open_default() -> Result<Self, Failure> {
        confy::get_configuration_file_path("batida", "settings").map(Self::at).map_err(|why| {
            Failure::new("There is no place for the settings file", "Set HOME, or say --config DIR")
                .with_details(why.to_string())
        })
    }

    /// Over `settings.toml` in `dir`, as `--config DIR` asks.
    pub fn in_dir(dir: &Path) -> Self {
        Self::at(dir.join("settings.toml"))
    }

    /// Over the file at `path`, which need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self { path, state: Arc::default() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the settings; the demo always comes first. A missing file is a first start; one that is not
    /// understood is moved aside and told of in [`Loaded::notice`].
    pub fn load(&self) -> Loaded {
        let mut state = self.lock();
        state.unread = false;
        let (settings, notice) = match self.read() {
            Ok(Some(file)) => {
                self.guard_keys(&file);
                state.seen.extend(file.environments.iter().map(|stored| stored.id.clone()));
                (file.into_settings(), None)
            }
            Ok(None) => (Settings::default(), None),
            Err(Trouble::Broken(why)) => {
                let notice = self.keep_aside(&why, "Batida starts with its default settings");
                state.unread = notice.is_err();
                (Settings::default(), Some(notice.unwrap_or_else(|why| why)))
            }
            Err(Trouble::Unread(why)) => {
                state.unread = true;
                (Settings::default(), Some(self.unread(&why)))
            }
        };
        Loaded { settings, notice }
    }

    /// Writes the settings in one step. Keys in the file stay with their environments for as long as these
    /// say [`KeyPlace::SettingsFile`].
    ///
    /// # Errors
    /// When it cannot be written, or when what is there must not be overwritten.
    pub fn save(&self, settings: &Settings) -> Result<(), Failure> {
        let mut state = self.lock();
        let mut keys = self.keys_before_writing(&mut state)?;
        keys.extend(state.held.iter().map(|(env, key)| (env.clone(), key.clone())));
        let mut file = StoredFile::new(settings, &keys);
        file.environments.extend(self.of_others(&state, settings));
        self.write(&file)?;
        state.seen.extend(settings.environments.iter().map(|env| env.id.clone()));
        state.held.retain(|env, _| settings.get(env).is_none());
        Ok(())
    }

    /// What another window has added to the file meanwhile: it is not this one's to remove.
    fn of_others(&self, state: &State, settings: &Settings) -> Vec<StoredEnvironment> {
        let file = self.read().ok().flatten();
        let others = file.into_iter().flat_map(|file| file.environments);
        others
            .filter(|stored| !state.seen.contains(&stored.id) && settings.get(&stored.id).is_none())
            .collect()
    }

    /// Whether this process has read or written an environment.
    pub(crate) fn has_seen(&self, env: &EnvId) -> bool {
        self.lock().seen.contains(env)
    }

    /// The key that the file holds for `env`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn file_key(&self, env: &EnvId) -> Result<Option<SecretString>, Failure> {
        let state = self.lock();
        if let Some(key) = state.held.get(env) {
            return Ok(Some(key.clone()));
        }
        Ok(self.look()?.and_then(|file| file.keys().remove(env)))
    }

    /// Puts a key into the file, or takes it out. An environment that the file does not know yet, or not as
    /// one that keeps its key there, gets it with the next [`SettingsStore::save`].
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn set_file_key(&self, env: &EnvId, key: Option<SecretString>) -> Result<(), Failure> {
        let mut state = self.lock();
        self.keys_before_writing(&mut state)?;
        state.held.remove(env);
        let mut file = self.look()?.unwrap_or_default();
        let stored = file.environments.iter_mut().find(|stored| stored.id == *env);
        match (stored, key) {
            (Some(stored), Some(key)) if stored.key == KeyPlace::SettingsFile => {
                stored.api_key = Some(StoredKey(key));
                self.write(&file)
            }
            (Some(stored), None) if stored.api_key.is_some() => {
                stored.api_key = None;
                self.write(&file)
            }
            (_, Some(key)) => {
                state.held.insert(env.clone(), key);
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
            summary: why.summary.replace("The settings file", &self.path.display().to_string()),
            advice: "Is it the settings.toml of a Batida that is no newer than this one?".to_owned(),
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
        file.environments.into_iter().map(StoredEnvironment::into_environment).collect()
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
    fn keys_before_writing(&self, state: &mut State) -> Result<BTreeMap<EnvId, SecretString>, Failure> {
        if state.unread {
            return Err(Failure::new(
                format!("The settings were not saved: {} could not be read before", self.path.display()),
                "Make the file readable (or move it away), then start Batida again",
            ));
        }
        match self.read() {
            Ok(file) => Ok(file.map(|file| file.keys()).unwrap_or_default()),
            Err(Trouble::Broken(why)) => Err(self.keep_aside(&why, "Save again")?),
            Err(Trouble::Unread(why)) => Err(self.unread(&why)),
        }
    }

    fn look(&self) -> Result<Option<StoredFile>, Failure> {
        self.read().map_err(|trouble| match trouble {
            Trouble::Broken(why) => {
                Failure::new(format!("The settings file was not understood: {why}"), self.path_advice())
            }
            Trouble::Unread(why) => self.unread(&why),
        })
    }

    fn path_advice(&self) -> String {
        format!("Look into {}", self.path.display())
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
        match File::open(&self.path) {
            // confy would write a new file here, readable by all.
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(Trouble::Unread(why.to_string())),
            Ok(_) => {}
        }
        let Probe { version } = confy::load_path(&self.path).map_err(Trouble::from)?;
        match version {
            Some(VERSION) => {}
            None => return Err(Trouble::Broken("it says no version".to_owned())),
            Some(n) if n > VERSION => {
                return Err(Trouble::Broken(format!("a newer Batida wrote it (version {n})")));
            }
            Some(n) => return Err(Trouble::Broken(format!("there is no version {n}"))),
        }
        let file: StoredFile = confy::load_path(&self.path).map_err(Trouble::from)?;
        file.check().map_err(Trouble::Broken)?;
        Ok(Some(file))
    }

    /// Moves the file to a name of its own. `Err` when it had to stay where it is.
    fn keep_aside(&self, why: &str, then: &str) -> Result<Failure, Failure> {
        let summary = format!("The settings file was not understood: {why}");
        match files::move_aside(&self.path) {
            Ok(aside) => Ok(Failure::new(summary, format!("It was kept as {}. {then}", aside.display()))),
            Err(error) => Err(Failure::new(
                summary,
                format!("Repair or move {}; until then nothing is saved", self.path.display()),
            )
            .with_details(format!("It could not be moved aside: {error}"))),
        }
    }

    /// A file with a key in it is nobody else's business, whoever wrote it.
    fn guard_keys(&self, file: &StoredFile) {
        let loose = |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
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
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(text)?;

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
    /// Nobody knows what is in it.
    Unread(String),
}

impl From<ConfyError> for Trouble {
    fn from(error: ConfyError) -> Self {
        match error {
            ConfyError::BadTomlData(error) => Self::Broken(harmless(error.message())),
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

/// What serde says without the values it quotes: one of them could be a key.
fn harmless(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    for known in ["unknown field `", "missing field `", "duplicate field `"] {
        if let Some(name) = first.strip_prefix(known).and_then(|rest| rest.split('`').next()) {
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

fn write_form(form: &PlaygroundForm) -> String {
    // cannot fail: texts, and numbers that came from a form
    serde_json::to_string(form).unwrap_or_default()
}

impl StoredForms {
    fn new(forms: &BenchForms) -> Self {
        let preset =
            |(name, plan): &(String, Plan)| StoredPreset { name: name.clone(), plan: write_plan(plan) };
        Self {
            last: forms.last.as_ref().map(write_plan),
            presets: forms.presets.iter().map(preset).collect(),
        }
    }

    fn into_forms(self) -> BenchForms {
        let presets = self.presets.into_iter().filter_map(|p| Some((p.name, read_plan(&p.plan)?)));
        BenchForms { last: self.last.as_deref().and_then(read_plan), presets: presets.collect() }
    }
}

impl Default for StoredFile {
    fn default() -> Self {
        Self::new(&Settings::default(), &BTreeMap::new())
    }
}

impl StoredFile {
    fn new(settings: &Settings, keys: &BTreeMap<EnvId, SecretString>) -> Self {
        let Settings { theme, selected, environments, benches, history, votes, playgrounds, care } = settings;
        let stored = environments.iter().filter(|env| !env.demo && !is_reserved(&env.id));
        Self {
            version: VERSION,
            theme: *theme,
            selected: selected.clone(),
            environments: stored.map(|env| StoredEnvironment::new(env.clone(), keys.get(&env.id))).collect(),
            history: *history,
            benches: benches.iter().map(|(id, forms)| (id.clone(), StoredForms::new(forms))).collect(),
            votes: votes.clone(),
            playgrounds: playgrounds.iter().map(|(id, form)| (id.clone(), write_form(form))).collect(),
            care: care.clone(),
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

    fn keys(&self) -> BTreeMap<EnvId, SecretString> {
        let keeps_it = |env: &&StoredEnvironment| env.key == KeyPlace::SettingsFile;
        let key = |env: &StoredEnvironment| Some((env.id.clone(), env.api_key.as_ref()?.0.clone()));
        self.environments.iter().filter(keeps_it).filter_map(key).collect()
    }

    fn into_settings(self) -> Settings {
        let Self { version: _, theme, selected, environments, history, benches, votes, playgrounds, care } =
            self;
        let stored = environments.into_iter().map(StoredEnvironment::into_environment);
        let mut settings = Settings {
            theme,
            selected,
            environments: std::iter::once(Environment::demo()).chain(stored).collect(),
            benches: benches.into_iter().map(|(id, forms)| (id, forms.into_forms())).collect(),
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
    ca_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    accept_invalid_certs: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<ClusterAccess>,
}

impl StoredEnvironment {
    fn new(env: Environment, key: Option<&SecretString>) -> Self {
        let Environment { id, name, demo: _, api, key: place, ca_file, accept_invalid_certs, cluster } = env;
        let api_key = key.filter(|_| place == KeyPlace::SettingsFile).cloned().map(StoredKey);
        Self { id, name, api, key: place, api_key, ca_file, accept_invalid_certs, cluster }
    }

    fn into_environment(self) -> Environment {
        let Self { id, name, api, key, api_key: _, ca_file, accept_invalid_certs, cluster } = self;
        Environment { id, name, demo: false, api, key, ca_file, accept_invalid_certs, cluster }
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
