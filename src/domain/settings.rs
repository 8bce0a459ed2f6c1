//! What Batida remembers between two starts. No key is ever part of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::environment::{EnvId, Environment};
use super::history::HistorySettings;
use super::plan::Plan;

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
    /// What the Benchmark page remembers, by environment.
    pub benches: BTreeMap<EnvId, BenchForms>,
    /// What is kept of what is measured.
    pub history: HistorySettings,
}

/// What the Benchmark page remembers of one environment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BenchForms {
    /// The form as it was last sound; `None` before it ever was.
    pub last: Option<Plan>,
    /// The user's own presets: their names, in the order in which they were made.
    pub presets: Vec<(String, Plan)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::default(),
            selected: EnvId::demo(),
            environments: vec![Environment::demo()],
            benches: BTreeMap::new(),
            history: HistorySettings::default(),
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
        self.environments.iter().find(|env| env.name.eq_ignore_ascii_case(name))
    }
}
