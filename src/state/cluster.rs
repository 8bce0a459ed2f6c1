//! What is deployed and what the API routes.

mod action;
pub mod changes;
pub mod probes;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

pub use self::action::{ClusterAction, EVENTS_EVERY};
use self::changes::Changes;
use self::probes::Probes;
use super::Loadable;
use super::jobs::Outbox;
use crate::domain::deployment::{
    ClusterEvent, ClusterView, Deployment, Diagnosis, Health, ServedModel, embeds_by_name,
    makes_embeddings_by_name,
};
use crate::domain::environment::Environment;
use crate::domain::failure::{Failure, FaultClass};
use crate::protocol::{ClusterAnswer, ClusterLink, ClusterQuestion, Contexts, JobId, Question};
use crate::sambastack::diagnosis::{KnownFacts, diagnose};
use crate::sambastack::events::of_deployment;
use crate::sambastack::sizes::Sizes;

/// The deployment and the model in use. Names, so that they outlive a refresh.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// The deployment; `None` where there is no cluster, or for a model of the API alone.
    pub deployment: Option<String>,
    /// The model's serving name.
    pub model: Option<String>,
}

/// The cluster and the API's models of one environment.
#[derive(Debug, Default)]
pub struct ClusterState {
    /// What kubectl said.
    pub view: Loadable<ClusterView>,
    /// What `/v1/models` said.
    pub api_models: Loadable<Vec<String>>,
    /// The job that follows the cluster.
    pub(super) following: Option<JobId>,
    /// How the cluster is followed; `None` before anything was heard.
    pub link: Option<ClusterLink>,
    /// What has happened in the namespace.
    pub events: Loadable<Vec<ClusterEvent>>,
    /// The cluster has come back: what is not watched is read again at the next look.
    pub reread: bool,
    /// What is written down of context lengths and batch sizes; asked for once a deployment's page is open.
    pub sizes: Loadable<Arc<Sizes>>,
    /// SambaStack's version; `None` where nobody says it.
    pub release: Loadable<Option<String>>,
    /// The kubeconfig's contexts, for the picker.
    pub contexts: Loadable<Contexts>,
    /// How long the API took to list its models, the last time.
    pub api_took: Option<Duration>,
    /// What was ready when it was looked at last.
    pub(super) changes: Changes,
    /// What probes of its models have found.
    pub probes: Probes,
    /// The deployment that the Deployments page shows; `None` for the first one.
    pub chosen: Option<String>,
}

/// A model as the picker offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelOffer {
    /// The serving name.
    pub name: String,
    /// Why it may not answer, in words.
    pub remark: Option<String>,
    /// Whether something can be asked of it.
    pub selectable: bool,
    /// Whether one can chat with it.
    pub chats: bool,
}

impl ClusterState {
    /// Takes the answer to a question about the cluster.
    pub(super) fn answered(&mut self, job: JobId, answer: ClusterAnswer, now: Duration) {
        match answer {
            ClusterAnswer::View(outcome) => self.view.resolve(job, outcome, now),
            ClusterAnswer::Events(outcome) => self.events.resolve(job, outcome, now),
            ClusterAnswer::Sizes(outcome) => self.sizes.resolve(job, outcome, now),
            ClusterAnswer::Release(outcome) => self.release.resolve(job, outcome, now),
            ClusterAnswer::Contexts(outcome) => self.contexts.resolve(job, outcome, now),
        }
    }

    /// The cluster is asked and then followed.
    pub(super) fn follow(&mut self, job: JobId) {
        self.view.begin(job);
        (self.following, self.link) = (Some(job), None);
    }

    /// Nobody looks any more. Gives the job to cancel.
    pub(super) fn leave(&mut self) -> Option<JobId> {
        let job = self.following.take()?;
        self.link = None;
        self.changes.forget();
        self.view.resolve(
            job,
            Err(Failure::default().of_class(FaultClass::Cancelled)),
            Duration::ZERO,
        );
        Some(job)
    }

    pub(super) fn followed(
        &mut self,
        job: JobId,
        view: Option<ClusterView>,
        link: ClusterLink,
        now: Duration,
    ) {
        if self.following != Some(job) {
            return;
        }
        let told = view.is_some();
        if let Some(view) = view {
            self.view = Loadable::Ready(view, now);
        }
        match &link {
            ClusterLink::Live | ClusterLink::Polling { .. } if told => {}
            ClusterLink::Live | ClusterLink::Polling { .. } => self.view.renew(now),
            ClusterLink::Stopped(why) if why.class == Some(FaultClass::Cancelled) => {
                self.view.resolve(job, Err(why.clone()), now);
            }
            ClusterLink::Reconnecting(why)
            | ClusterLink::Forbidden(why)
            | ClusterLink::Stopped(why) => {
                self.view.fail(why.clone());
            }
        }
        // What is not watched was last read before the cluster went away.
        let works =
            |link: &ClusterLink| matches!(link, ClusterLink::Live | ClusterLink::Polling { .. });
        if works(&link) && self.link.as_ref().is_some_and(|before| !works(before)) {
            self.reread = true;
        }
        if matches!(link, ClusterLink::Stopped(_)) {
            self.following = None;
        }
        self.link = Some(link);
    }

    /// What could not be read is read again when it is looked at next.
    pub(super) fn forget_failures(&mut self) {
        let no_release = self.release.value().is_none_or(Option::is_none);
        if no_release && !self.release.is_loading() {
            self.release = Loadable::Absent;
        }
        if self.events.failure().is_some() {
            self.events = Loadable::Absent;
        }
        if self.sizes.failure().is_some() {
            self.sizes = Loadable::Absent;
        }
    }

    /// A choice's deployment, as last seen.
    pub fn deployment_of(&self, choice: &Choice) -> Option<&Deployment> {
        let name = choice.deployment.as_deref()?;
        self.view
            .value()?
            .deployments
            .iter()
            .find(|deployment| deployment.name == name)
    }

    /// The longest context that a choice's model is served with, in tokens; `None` where nobody says.
    pub fn longest_context(&self, choice: &Choice) -> Option<u64> {
        let name = choice.model.as_deref()?;
        let mut models = self.deployment_of(choice)?.models.iter();
        let model = models.find(|model| model.serving_name == name)?;
        let tiers = self.sizes.value()?.tiers(&model.sizes).ok()?;
        tiers.iter().filter_map(|tier| tier.tokens()).max()
    }

    /// The first deployment that may answer for this model.
    pub fn serving(&self, model: &str) -> Option<&Deployment> {
        let all = self.view.value()?.deployments.iter();
        let mut able = all.filter(|deployment| deployment.may_answer());
        able.find(|deployment| deployment.models.iter().any(|it| it.serving_name == model))
    }

    /// Puts a deployment into a choice, and its first model when the one there is not among its models.
    pub fn choose_deployment(&self, choice: &mut Choice, name: &str) {
        choice.deployment = Some(name.to_owned());
        if self.deployment_asked(choice).is_none() {
            choice.model = self.best_model(choice);
        }
    }

    /// A choice's deployment if its model is one of the deployment's own.
    pub fn deployment_asked(&self, choice: &Choice) -> Option<String> {
        let has = |model: &ServedModel| Some(&model.serving_name) == choice.model.as_ref();
        let deployment = self.deployment_of(choice)?;
        deployment
            .models
            .iter()
            .any(has)
            .then(|| deployment.name.clone())
    }

    /// Whether the API lists the model; `None` while nobody knows.
    pub fn is_routed(&self, model: &ServedModel) -> Option<bool> {
        let routed = self.api_models.value()?;
        Some(
            routed
                .iter()
                .any(|id| *id == model.serving_name || model.aliases.contains(id)),
        )
    }

    /// Whether a choice's model can see pictures; `None` where neither the cluster nor its `Model` says.
    pub fn sees(&self, choice: &Choice) -> Option<bool> {
        let name = choice.model.as_deref()?;
        let own = self.deployment_of(choice).into_iter();
        let all = own.chain(
            self.view
                .value()
                .into_iter()
                .flat_map(|view| &view.deployments),
        );
        let models = all.flat_map(|deployment| &deployment.models);
        models
            .filter(|model| model.is_called(name))
            .find_map(ServedModel::sees)
    }

    /// The likely cause of a deployment's trouble.
    pub fn diagnosis(&self, deployment: &Deployment) -> Option<Diagnosis> {
        let routed = self.api_models.value().map(Vec::as_slice);
        let all = self.events.value().map(Vec::as_slice).unwrap_or_default();
        let events = of_deployment(all, deployment);
        let silent = self.silent_model(deployment);
        diagnose(
            deployment,
            KnownFacts {
                routed,
                events: &events,
                silent,
            },
        )
    }

    /// How well a deployment does.
    pub fn health(&self, deployment: &Deployment) -> Health {
        self.diagnosed(deployment).0
    }

    /// The same, with the likely cause of its trouble, which says how well it does.
    pub fn diagnosed(&self, deployment: &Deployment) -> (Health, Option<Diagnosis>) {
        let diagnosis = self.diagnosis(deployment);
        let progress = diagnosis.as_ref().map(|found| found.progress);
        let is_silent = self.silent_model(deployment).is_some();
        (deployment.health(progress, is_silent), diagnosis)
    }

    /// What the model picker offers: the models of the deployment that is picked, else those that the API routes.
    pub fn offers_of(&self, choice: &Choice) -> Vec<ModelOffer> {
        if choice.deployment.is_some() {
            let models = self.deployment_of(choice).into_iter();
            let models = models.flat_map(|deployment| &deployment.models);
            return models.map(|model| self.offer(model)).collect();
        }
        let embeds: HashSet<&str> = self
            .view
            .value()
            .into_iter()
            .flat_map(|view| &view.deployments)
            .flat_map(|deployment| &deployment.models)
            .filter(|model| !model.chats())
            .map(|model| model.serving_name.as_str())
            .collect();
        let routed = self.api_models.value().into_iter().flatten();
        routed.map(|id| self.offer_other(id, &embeds)).collect()
    }

    fn offer(&self, model: &ServedModel) -> ModelOffer {
        let remark = if !model.chats() {
            Some(no_chat(model.embeds()).to_owned())
        } else if self.is_routed(model) == Some(false) {
            Some("deployed, but the API does not list it yet".to_owned())
        } else if !model.confirmed {
            Some("its Model resource was not found; the name may differ".to_owned())
        } else {
            None
        };
        let chats = model.chats();
        ModelOffer {
            name: model.serving_name.clone(),
            remark,
            selectable: chats || model.embeds(),
            chats,
        }
    }

    /// A model of the API alone; what the cluster knows of it still counts.
    fn offer_other(&self, id: &str, chatless: &HashSet<&str>) -> ModelOffer {
        let embeds = chatless.contains(id) || embeds_by_name(id);
        let makes = embeds && self.embeds(id);
        let remark = embeds.then(|| no_chat(makes).to_owned());
        ModelOffer {
            name: id.to_owned(),
            remark,
            selectable: !embeds || makes,
            chats: !embeds,
        }
    }

    /// What the cluster says a model can do; `None` where it does not say.
    pub fn capabilities_of(&self, model: &str) -> Option<&[String]> {
        let deployments = self
            .view
            .value()
            .into_iter()
            .flat_map(|view| &view.deployments);
        let mut models = deployments.flat_map(|deployment| &deployment.models);
        let known =
            models.find(|known| known.serving_name == model && !known.capabilities.is_empty())?;
        Some(&known.capabilities)
    }

    /// Whether a model makes embeddings: as the cluster says, else as its name does.
    pub fn embeds(&self, model: &str) -> bool {
        match self.capabilities_of(model) {
            // One that does both chats, unless the user says otherwise.
            Some(can) => can.iter().all(|capability| capability == "embeddings"),
            None => makes_embeddings_by_name(model),
        }
    }

    /// This choice, with something sensible where nothing is picked.
    pub fn first_choice(&self, choice: &Choice) -> Choice {
        let mut choice = choice.clone();
        if choice.deployment.is_none() && choice.model.is_none() {
            let first = self.view.value().and_then(ClusterView::first_that_chats);
            choice.deployment = first.map(|deployment| deployment.name.clone());
        }
        if choice.model.is_none() {
            choice.model = self.best_model(&choice);
        }
        choice
    }

    fn best_model(&self, choice: &Choice) -> Option<String> {
        // While the cluster is being asked, its deployment's models are better than any of the API's.
        if choice.deployment.is_none() && self.view.is_loading() {
            return None;
        }
        let offers = self.offers_of(choice);
        let first = |good: fn(&&ModelOffer) -> bool| offers.iter().find(good);
        let good = first(|offer| offer.chats && offer.remark.is_none())
            .or_else(|| first(|offer| offer.chats))
            .or_else(|| first(|offer| offer.selectable));
        good.map(|offer| offer.name.clone())
    }
}

/// What is asked of the cluster of an environment (`place`).
impl ClusterState {
    /// Asks what has happened in the namespace; what is being asked already is not asked twice.
    fn load_events(&mut self, place: &Environment, outbox: &mut Outbox<'_>) {
        if !self.events.is_loading() {
            let question = Question::Cluster(place.clone(), ClusterQuestion::Events);
            self.events.begin(outbox.ask(question));
        }
    }

    /// Asks once which version of SambaStack there is. After the cluster itself, which somebody waits for.
    pub(super) fn load_release(&mut self, place: &Environment, outbox: &mut Outbox<'_>) {
        if self.view.value().is_some() && matches!(self.release, Loadable::Absent) {
            let question = Question::Cluster(place.clone(), ClusterQuestion::Release);
            self.release.begin(outbox.ask(question));
        }
    }

    /// Asks for context lengths and batch sizes; what is being asked already is not asked twice.
    pub(super) fn load_sizes(&mut self, place: &Environment, outbox: &mut Outbox<'_>) {
        if !self.sizes.is_loading() {
            let question = Question::Cluster(place.clone(), ClusterQuestion::Sizes);
            self.sizes.begin(outbox.ask(question));
        }
    }
}

/// Why one cannot chat with a model. `embeds`: it makes embeddings.
fn no_chat(embeds: bool) -> &'static str {
    if embeds {
        "embedding model, cannot chat"
    } else {
        "cannot chat"
    }
}

#[cfg(test)]
mod tests;
