//! The format of the settings file.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::environment::StoredEnvironment;
use super::{SecretId, VERSION};
use crate::domain::environment::{EnvId, Environment, KeyPlace};
use crate::domain::history::HistorySettings;
use crate::domain::settings::{Care, Settings, ThemeChoice};
use crate::domain::workspace::PairVotes;

/// Reads only the version of a settings file.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Probe {
    pub(super) version: Option<i64>,
}

/// The contents of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredFile {
    version: i64,
    #[serde(default)]
    theme: ThemeChoice,
    #[serde(default = "EnvId::demo")]
    selected: EnvId,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) environments: Vec<StoredEnvironment>,
    #[serde(default)]
    history: HistorySettings,
    /// See [`Earlier`], also for the next two.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    benches: BTreeMap<EnvId, EarlierForms>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    votes: Vec<PairVotes>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    playgrounds: BTreeMap<EnvId, String>,
    #[serde(default, skip_serializing_if = "is_default")]
    care: Care,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What earlier versions kept in the settings file. It stays there until it is in the database, see
/// [`crate::io::earlier_files`].
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::io) struct Earlier {
    pub(in crate::io) benches: BTreeMap<EnvId, EarlierForms>,
    pub(in crate::io) votes: Vec<PairVotes>,
    /// How the Playground was left, in JSON.
    pub(in crate::io) playgrounds: BTreeMap<EnvId, String>,
}

/// The forms of the Benchmark page. Their plans are JSON.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::io) struct EarlierForms {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::io) last: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::io) presets: Vec<EarlierPreset>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::io) struct EarlierPreset {
    pub(in crate::io) name: String,
    pub(in crate::io) plan: String,
}

impl Default for StoredFile {
    fn default() -> Self {
        Self::new(&Settings::default(), &BTreeMap::new())
    }
}

impl StoredFile {
    pub(super) fn new(settings: &Settings, keys: &BTreeMap<SecretId, SecretString>) -> Self {
        let Settings {
            theme,
            selected,
            environments,
            history,
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
            benches: BTreeMap::new(),
            votes: Vec::new(),
            playgrounds: BTreeMap::new(),
            care: care.clone(),
        }
    }

    /// Keeps what is still to be moved, except of environments that are deleted.
    pub(super) fn carry_over(&mut self, mut old: Self) {
        let known = |id: &EnvId| {
            *id == EnvId::demo() || self.environments.iter().any(|known| known.id == *id)
        };
        let mut earlier = old.take_earlier();
        earlier.benches.retain(|env, _| known(env));
        earlier.playgrounds.retain(|env, _| known(env));
        self.benches = earlier.benches;
        self.votes = earlier.votes;
        self.playgrounds = earlier.playgrounds;
    }

    pub(super) fn take_earlier(&mut self) -> Earlier {
        Earlier {
            benches: std::mem::take(&mut self.benches),
            votes: std::mem::take(&mut self.votes),
            playgrounds: std::mem::take(&mut self.playgrounds),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
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

    /// All secrets in the file.
    pub(super) fn keys(&self) -> BTreeMap<SecretId, SecretString> {
        let keeps_it = |env: &&StoredEnvironment| env.key == KeyPlace::SettingsFile;
        self.environments
            .iter()
            .filter(keeps_it)
            .flat_map(StoredEnvironment::keys)
            .collect()
    }

    pub(super) fn into_settings(self) -> Settings {
        let Self {
            version: _,
            theme,
            selected,
            environments,
            history,
            care,
            benches: _,
            votes: _,
            playgrounds: _,
        } = self;
        let stored = environments
            .into_iter()
            .map(StoredEnvironment::into_environment);
        let mut settings = Settings {
            theme,
            selected,
            environments: std::iter::once(Environment::demo()).chain(stored).collect(),
            history,
            care,
        };
        if settings.get(&settings.selected).is_none() {
            settings.selected = EnvId::demo();
        }
        settings
    }
}

/// Ids of built-in environments.
fn is_reserved(id: &EnvId) -> bool {
    [EnvId::demo(), EnvId::ad_hoc()].contains(id)
}
