//! Whom the panes ask, and whether these can be sent what is typed.

use super::{Pane, Panes};
use crate::domain::attachment::MOST_BODY;
use crate::domain::conversation::{Attachment, ChatRequest, Message};
use crate::domain::environment::Environment;
use crate::domain::failure::Failure;
use crate::state::chat::{Act, ContextUse};
use crate::state::cluster::ClusterState;
use crate::state::environments::Environments;

/// The panes of an environment, with the environments that they ask.
#[derive(Debug, Clone, Copy)]
pub struct PaneTargets<'a> {
    pub(in crate::state) panes: &'a Panes,
    pub(in crate::state) environments: &'a Environments,
}

/// Whom one pane asks.
#[derive(Debug, Clone, Copy)]
pub struct PaneTarget<'a> {
    /// Its environment; `None` where that is gone.
    pub env: Option<&'a Environment>,
    /// What is known of the cluster; `None` before the environment was opened.
    pub cluster: Option<&'a ClusterState>,
    pane: &'a Pane,
    /// What the user says of the model: that it makes embeddings, or does not.
    said: Option<bool>,
}

impl<'a> PaneTarget<'a> {
    /// The serving name of the model.
    pub fn model(&self) -> Option<&'a str> {
        self.pane.choice.model.as_deref()
    }

    /// The deployment if the model is one of its own.
    pub fn deployment(&self) -> Option<String> {
        self.cluster?.deployment_asked(&self.pane.choice)
    }

    /// Whether the model makes embeddings: as the user said, else as the cluster or its name says.
    pub fn embeds(&self) -> bool {
        let known = |model| self.cluster.is_some_and(|cluster| cluster.embeds(model));
        self.model()
            .is_some_and(|model| self.said.unwrap_or_else(|| known(model)))
    }

    /// Whether only the user knows what the model makes: the cluster does not say.
    pub fn embeds_is_a_guess(&self) -> bool {
        self.model().is_some_and(|model| {
            let can = self
                .cluster
                .and_then(|cluster| cluster.capabilities_of(model));
            let embeds = |can: &[String]| can.iter().any(|capability| capability == "embeddings");
            can.is_none_or(|can| can.len() > 1 && embeds(can))
        })
    }

    /// Whether there is an address and a model to ask.
    pub fn can_ask(&self) -> bool {
        self.model().is_some() && self.env.is_some_and(Environment::has_api)
    }

    /// Whether a message can be sent there.
    pub fn can_chat(&self) -> bool {
        self.can_ask() && !self.embeds()
    }

    /// Whether the model can see pictures; `None` where nobody says.
    fn sees(&self) -> Option<bool> {
        self.cluster?.sees(&self.pane.choice)
    }
}

impl<'a> PaneTargets<'a> {
    /// Whom the pane at `index` asks.
    pub fn of(self, index: usize) -> PaneTarget<'a> {
        let pane = self.panes.get(index);
        let model = pane.choice.model.as_ref();
        let connection = self.environments.connection_of(&pane.env);
        PaneTarget {
            env: self.environments.settings.get(&pane.env),
            cluster: connection.map(|connection| &connection.cluster),
            pane,
            said: model.and_then(|model| self.panes.embeds.get(model).copied()),
        }
    }

    /// The panes that a message would go to.
    pub fn addressed(self) -> Vec<usize> {
        let panes = self.panes;
        let drafting = panes.drafting();
        if panes.count() == 1 || panes.chat(drafting).is_editing() {
            return vec![drafting];
        }
        (0..panes.count())
            .filter(|index| panes.get(*index).ticked && !self.of(*index).embeds())
            .collect()
    }

    /// Whether there are panes to be sent something, and all of them can take it.
    pub(super) fn can_send_to(self, to: &[usize]) -> bool {
        let is_ready =
            |index| self.of(index).can_chat() && self.panes.chat(index).running().is_none();
        !to.is_empty() && to.iter().copied().all(is_ready)
    }

    /// Whether these words can be sent to those that a message is for.
    ///
    /// # Errors
    /// Why not, where that is not seen on the page.
    pub fn can_send_words(self, words: &str) -> Result<(), Option<Failure>> {
        let to = self.addressed();
        if words.trim().is_empty() || !self.can_send_to(&to) || !self.panes.is_idle() {
            return Err(None);
        }
        // The whole conversation goes along, as with a request for the rest of an answer.
        let mut to = to.iter();
        match to.find_map(|index| self.against_asking(*index, Act::Continue)) {
            Some(why) => Err(Some(why)),
            None => Ok(()),
        }
    }

    /// How many bytes the largest of the requests would have that are sent with the draft.
    pub(in crate::state) fn body_bytes(self) -> usize {
        let addressed = self.addressed().into_iter();
        let requests = addressed.filter_map(|index| self.panes.request(index));
        // Without a model there is at least the draft.
        let drafted = || self.drafted().iter().map(Attachment::body_bytes).sum();
        requests
            .map(|request| size(&request))
            .max()
            .unwrap_or_else(drafted)
    }

    /// What is attached to the draft.
    fn drafted(self) -> &'a [Attachment] {
        &self.panes.chat(self.panes.drafting()).attached
    }

    fn drafts_pictures(self) -> bool {
        self.drafted().iter().any(|it| it.image().is_some())
    }

    /// What to do about a model that sees nothing.
    pub(in crate::state) fn instead(self) -> &'static str {
        if self.panes.count() > 1 {
            "Untick it, or pick a model with vision"
        } else {
            "Pick a model with vision"
        }
    }

    /// The names of those of these panes whose models are known to see nothing.
    pub(in crate::state) fn blind_of(self, panes: &[usize]) -> Vec<String> {
        self.named(panes, Some(false))
    }

    /// The names of those of these panes whose models see, or not, or of whom nobody knows.
    fn named(self, panes: &[usize], sees: Option<bool>) -> Vec<String> {
        let found = panes.iter().filter(|index| self.of(**index).sees() == sees);
        let name = |index: &usize| {
            let hidden = self.panes.hidden_name(*index);
            hidden.or_else(|| self.panes.name(*index))
        };
        found.filter_map(name).collect()
    }

    /// Why the draft cannot be sent to those it is for; `None` when nothing is against it, or nobody knows of any.
    pub fn pictures_unseen(self) -> Option<Failure> {
        let drafted = self.drafts_pictures();
        let mut to = self.addressed();
        // Those that would be sent pictures: of the draft, or said before.
        to.retain(|index| drafted || self.panes.chat(*index).has_pictures());
        let blind = self.blind_of(&to);
        if blind.is_empty() {
            return None;
        }
        let what = if drafted {
            "pictures"
        } else {
            "the pictures of this conversation"
        };
        Some(Failure::new(
            format!("{} cannot see {what}", and(&blind)),
            self.instead(),
        ))
    }

    /// Of which models, to be sent pictures, nobody knows whether they see them.
    pub fn pictures_perhaps_unseen(self) -> Option<String> {
        if !self.drafts_pictures() {
            return None;
        }
        let unknown = self.named(&self.addressed(), None);
        (!unknown.is_empty())
            .then(|| format!("Whether {} can see pictures is not known", and(&unknown)))
    }

    /// Why the draft is not sent as it is; looked at when it is about to be.
    pub(super) fn against_sending(self) -> Option<Failure> {
        if let Some(failure) = self.pictures_unseen() {
            return Some(failure);
        }
        too_large(self.body_bytes())
    }

    /// Why a pane is not asked what this act asks.
    pub(super) fn against_asking(self, index: usize, act: Act) -> Option<Failure> {
        let chat = self.panes.chat(index);
        let turns = chat.turns_sent(act);
        let (pictures, bytes) = (chat.has_pictures_in(turns), chat.bytes_asked(act));
        let blind = if pictures {
            self.blind_of(&[index])
        } else {
            Vec::new()
        };
        if blind.is_empty() {
            return too_large(bytes);
        }
        let summary = format!(
            "{} cannot see the pictures of this conversation",
            and(&blind)
        );
        Some(Failure::new(summary, "Pick a model with vision"))
    }

    /// How much of its model's context a pane takes with the draft. The model's limit is known where the cluster of the
    /// environment in use tells it.
    pub fn context_of(self, index: usize) -> ContextUse {
        let (panes, target) = (self.panes, self.of(index));
        let pane = panes.get(index);
        let settings = panes.chat(panes.settings_of(index));
        let drafting = panes.chat(panes.drafting());
        let cluster = target
            .cluster
            .filter(|_| pane.env == self.environments.current().id);
        ContextUse {
            used: pane.chat.tokens_with(settings, drafting),
            most: cluster.and_then(|cluster| cluster.longest_context(&pane.choice)),
        }
    }
}

/// Why a request of so many bytes is not sent.
fn too_large(bytes: usize) -> Option<Failure> {
    (bytes > MOST_BODY).then(|| {
        Failure::new(
            "The message was not sent: with its attachments the conversation is larger than the 25 MB that the ingress takes",
            "Take an attachment away, or begin a new conversation",
        )
    })
}

fn size(request: &ChatRequest) -> usize {
    request.messages.iter().map(Message::body_bytes).sum()
}

/// `a`, `a and b`, `a, b and c`.
pub(in crate::state) fn and(names: &[String]) -> String {
    match names {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        names => names.concat(),
    }
}
