//! The user's work that is kept without being asked for: prompts, drafts, panes, forms, presets and votes. No key is ever
//! part of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::conversation::{Attachment, Params};
use super::environment::EnvId;
use super::history::SessionId;
use super::library::LibraryChange;
use super::plan::Plan;

/// What a window starts with. Prompts and attachments are read when they are needed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Workspace {
    /// What the Benchmark page remembers, by environment.
    pub benches: BTreeMap<EnvId, BenchForms>,
    /// The results of blind comparisons.
    pub votes: Vec<PairVotes>,
    /// How the Playground was left, by environment.
    pub playgrounds: BTreeMap<EnvId, PlaygroundForm>,
    /// The Playground's presets: their names, in the order in which they were made.
    pub chat_presets: Vec<(String, ChatPreset)>,
    /// Where the window's parts stand.
    pub layout: WindowLayout,
}

/// One change to keep. A change and not the whole, so that two windows do not overwrite each other's values.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields say it by name and type")]
pub enum WorkspaceChange {
    /// How the Playground was left; `None` as on the first start.
    Playground {
        env: EnvId,
        form: Option<PlaygroundForm>,
    },
    /// The form of the Benchmark page.
    Plan { env: EnvId, plan: Box<Plan> },
    /// A preset, in the place of one of that name; `None` deletes it.
    Preset {
        env: EnvId,
        name: String,
        plan: Option<Box<Plan>>,
    },
    /// A preset of the Playground, in the place of one of that name; `None` deletes it.
    ChatPreset {
        name: String,
        preset: Option<Box<ChatPreset>>,
    },
    /// Where the window's parts stand.
    Layout(WindowLayout),
    /// Further votes on a pair.
    Votes(PairVotes),
    /// The attachments of a draft, under an id that no other has, in the place of those with the ids `replaces`. Another
    /// window that has changed its own since has given them another id.
    Draft {
        env: EnvId,
        id: String,
        replaces: Vec<String>,
        attached: Vec<Attachment>,
    },
    /// A change of the prompt library.
    Prompts(LibraryChange),
    /// An environment was deleted: nothing of it is kept, whichever window kept it.
    Forget { env: EnvId },
    /// What a window has in hand, where a damaged database has lost it.
    Restore(Box<Workspace>),
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
    /// The conversation that is shown, if it is in the history.
    pub conversation: Option<SessionId>,
    /// Which pane of that conversation it is: [`Exchange::pane`](super::history::Exchange::pane).
    pub conversation_pane: Option<u64>,
    /// The system prompt.
    pub system: String,
    /// The knobs.
    pub params: Params,
}

/// A system prompt and parameters that are used again, in any environment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatPreset {
    /// The system prompt.
    pub system: String,
    /// The parameters.
    pub params: Params,
}

/// The window's pages, in the order of the side bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Page {
    /// Chat with models.
    #[default]
    Playground,
    /// Run a benchmark.
    Benchmark,
    /// Look at earlier sessions, and compare runs.
    History,
    /// Look at the cluster's deployments.
    Deployments,
    /// Add and change environments.
    Environments,
    /// Connect a first cluster or API; not in the side bar.
    Welcome,
}

/// How the window was left. Its size and position are eframe's.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowLayout {
    /// The page that was open.
    pub page: Page,
    /// Something was connected, or the demo was chosen: the welcome page is not shown by itself again.
    pub welcomed: bool,
    /// How wide the Playground's figures are, in points; `None` where the window's width decides.
    pub figures: Option<f32>,
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
    /// One vote; without a winner it was a tie. `None` for a model against itself.
    pub fn vote((a, b): (&str, &str), winner: Option<&str>) -> Option<Self> {
        let (one, other) = if a < b { (a, b) } else { (b, a) };
        let one_if = |so: bool| u32::from(so);
        (one != other).then(|| Self {
            wins: one_if(winner == Some(one)),
            losses: one_if(winner == Some(other)),
            ties: one_if(winner.is_none()),
            one: one.to_owned(),
            other: other.to_owned(),
        })
    }

    /// Adds these votes to those on the same pair.
    pub fn add_to(&self, votes: &mut Vec<Self>) {
        let same = |pair: &&mut Self| pair.one == self.one && pair.other == self.other;
        match votes.iter_mut().find(same) {
            Some(pair) => {
                pair.wins = pair.wins.saturating_add(self.wins);
                pair.losses = pair.losses.saturating_add(self.losses);
                pair.ties = pair.ties.saturating_add(self.ties);
            }
            None => votes.push(self.clone()),
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
