//! What Batida remembers between two starts. No key is ever part of it.

mod merge;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::conversation::Params;
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
    /// What was voted on the Playground without knowing the names.
    pub votes: Vec<PairVotes>,
    /// What the Playground was left as, by environment.
    pub playgrounds: BTreeMap<EnvId, PlaygroundForm>,
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

/// What the Playground remembers of one environment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PlaygroundForm {
    /// What was typed and not sent.
    pub draft: String,
    /// The panes are asked one after the other.
    pub in_turn: bool,
    /// Models of which the user says that they make embeddings, or do not.
    pub embeds: BTreeMap<String, bool>,
    /// The panes from the left; the first is the environment's own.
    pub panes: Vec<PaneForm>,
}

/// What the Playground remembers of a pane.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PaneForm {
    /// Where it asks; `None` for the first.
    pub env: Option<EnvId>,
    /// The deployment that was picked.
    pub deployment: Option<String>,
    /// The model that was picked.
    pub model: Option<String>,
    /// It takes the first pane's system prompt and parameters.
    pub linked: bool,
    /// It takes part in what is sent.
    pub ticked: bool,
    /// The system prompt.
    pub system: String,
    /// The knobs.
    pub params: Params,
}

/// How often one model was found better than another by someone who did not know which was which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairVotes {
    /// The model whose name comes first.
    pub one: String,
    /// The other.
    pub other: String,
    /// Votes for the first.
    pub wins: u32,
    /// Votes for the other.
    pub losses: u32,
    /// Votes for neither.
    pub ties: u32,
}

impl PairVotes {
    /// Counts a vote; without a winner it was a tie. A model is not held against itself.
    pub fn count(votes: &mut Vec<Self>, (a, b): (&str, &str), winner: Option<&str>) {
        if a == b {
            return;
        }
        let (one, other) = if a < b { (a, b) } else { (b, a) };
        let index = votes
            .iter()
            .position(|pair| pair.one == one && pair.other == other)
            .unwrap_or_else(|| {
                let (one, other) = (one.to_owned(), other.to_owned());
                votes.push(Self {
                    one,
                    other,
                    wins: 0,
                    losses: 0,
                    ties: 0,
                });
                votes.len() - 1
            });
        let pair = &mut votes[index];
        match winner {
            None => pair.ties += 1,
            Some(winner) if winner == pair.one => pair.wins += 1,
            Some(_) => pair.losses += 1,
        }
    }
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
            votes: Vec::new(),
            playgrounds: BTreeMap::new(),
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
