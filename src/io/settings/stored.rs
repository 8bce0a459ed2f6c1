//! The format of the settings file.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::environment::StoredEnvironment;
use super::{SecretId, VERSION};
use crate::domain::environment::{EnvId, Environment, KeyPlace};
use crate::domain::history::HistorySettings;
use crate::domain::plan::Plan;
use crate::domain::settings::{BenchForms, Care, PairVotes, PlaygroundForm, Settings, ThemeChoice};
use crate::protocol::Playgrounds;

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
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    benches: BTreeMap<EnvId, StoredForms>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    votes: Vec<PairVotes>,
    /// In JSON, for the same reason as plans.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) playgrounds: BTreeMap<EnvId, String>,
    #[serde(default, skip_serializing_if = "is_default")]
    care: Care,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The forms of the Benchmark page. Plans are stored as JSON, since TOML has no null. A plan that this version cannot
/// parse is skipped, so that the rest of the file stays usable.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredForms {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    presets: Vec<StoredPreset>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredPreset {
    name: String,
    plan: String,
}

fn read_plan(json: &str) -> Option<Plan> {
    // See `StoredForms`: invalid plans are skipped.
    serde_json::from_str(json).ok()
}

fn write_plan(plan: &Plan) -> String {
    // Cannot fail: a plan has no maps, and its paths are UTF-8.
    serde_json::to_string(plan).unwrap_or_default()
}

fn read_form(json: &str) -> Option<PlaygroundForm> {
    // Like plans, invalid forms are skipped.
    serde_json::from_str(json).ok()
}

/// Applies changes of the Playground state.
pub(super) fn change<T>(
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

pub(super) fn write_form(form: &PlaygroundForm) -> String {
    // Cannot fail: a form has only strings and numbers.
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
    pub(super) fn new(settings: &Settings, keys: &BTreeMap<SecretId, SecretString>) -> Self {
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

    /// Keeps plans and forms of another version that this one cannot parse, unless they were replaced.
    pub(super) fn carry_over(&mut self, old: Self) {
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

/// Ids of built-in environments.
fn is_reserved(id: &EnvId) -> bool {
    [EnvId::demo(), EnvId::ad_hoc()].contains(id)
}
