//! The settings: what a person may also edit by hand. No key is ever part of them.

mod merge;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::environment::{EnvId, Environment};
use super::history::HistorySettings;

/// Light, dark, or what the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThemeChoice {
    /// Follow the system; dark where it does not say.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

/// The settings; the demo is always the first environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Light or dark.
    pub theme: ThemeChoice,
    /// The environment in use.
    pub selected: EnvId,
    /// All of them. Never empty.
    pub environments: Vec<Environment>,
    /// What is kept of what is measured.
    pub history: HistorySettings,
    /// What is looked after while Batida is open.
    pub care: Care,
}

/// What is looked after while Batida is open, without being asked for each time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Care {
    /// The desktop is notified when a deployment becomes ready or stops.
    pub notify: bool,
    /// Every how many minutes (1 to 60) all models are probed, by environment; those that are not are not in it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub probe_minutes: BTreeMap<EnvId, u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::default(),
            selected: EnvId::demo(),
            environments: vec![Environment::demo()],
            history: HistorySettings::default(),
            care: Care::default(),
        }
    }
}

impl Settings {
    /// The environment in use; the demo when the selected one is gone.
    pub fn current(&self) -> &Environment {
        self.get(&self.selected).unwrap_or(&self.environments[0])
    }

    /// The one with this id.
    pub fn get(&self, id: &EnvId) -> Option<&Environment> {
        self.environments.iter().find(|env| env.id == *id)
    }

    /// The one with this display name, in any case.
    pub fn by_name(&self, name: &str) -> Option<&Environment> {
        self.environments
            .iter()
            .find(|env| env.name.eq_ignore_ascii_case(name))
    }
}
