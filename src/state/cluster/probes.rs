//! "Is it serving?": what the last probe of each model found, and when the next one is due.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::ClusterState;
use crate::domain::deployment::{Deployment, ServedModel};
use crate::domain::environment::Environment;
use crate::domain::failure::{Failure, FaultClass};
use crate::protocol::{Command, JobId, ProbeAnswer, ProbeTarget};
use crate::state::jobs::{Outbox, Work};

/// The probes of one environment.
#[derive(Debug, Default)]
pub struct Probes {
    running: Option<JobId>,
    /// Those that have not answered yet.
    waiting: BTreeSet<String>,
    /// By serving name.
    found: BTreeMap<String, Found>,
    /// When the last round over all models began.
    round: Option<Duration>,
    /// The time between rounds; `None` when only the user asks.
    every: Option<Duration>,
    /// Those that have begun or ceased to answer in this round, with why.
    turned: Vec<Turn>,
    /// What time it is, from the program's start.
    now: Duration,
}

/// A verdict is no news any more after this, or after two rounds.
const FRESH: Duration = Duration::from_secs(10 * 60);

/// A model that has begun or ceased to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::state) struct Turn {
    pub(in crate::state) model: String,
    /// Why it does not answer; `None` when it does again.
    pub(in crate::state) why: Option<String>,
}

/// What is known of one model.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Its last answer, and when.
    pub answered: Option<(Timestamp, ProbeAnswer)>,
    /// Why the last probe found no answer, and when; `None` when it did.
    pub trouble: Option<(Timestamp, Failure)>,
    /// Whether it answers, as far as that can be told: a refused key says nothing of a model.
    answers: Option<bool>,
    /// When that was heard, from the program's start.
    heard: Duration,
}

impl Found {
    /// Why the last probe could not tell whether the model answers, and when.
    pub fn untold(&self) -> Option<&(Timestamp, Failure)> {
        self.trouble
            .as_ref()
            .filter(|(_, why)| !is_the_models(why.class))
    }
}

impl Probes {
    /// The job that probes.
    pub fn running(&self) -> Option<JobId> {
        self.running
    }

    /// Whether this model is being asked.
    pub fn is_asking(&self, model: &str) -> bool {
        self.waiting.contains(model)
    }

    /// What was found of a model; `None` before it was ever asked.
    pub fn found(&self, model: &str) -> Option<&Found> {
        self.found.get(model)
    }

    /// Why a model that was asked for a word did not answer; `None` where it did, or nobody knows: what was found
    /// long ago, or before its deployment became what it is (`since`), says nothing.
    pub fn silent(&self, model: &str, since: Option<Timestamp>) -> Option<&str> {
        let found = self
            .found
            .get(model)
            .filter(|found| found.answers == Some(false))?;
        let (at, why) = found
            .trouble
            .as_ref()
            .filter(|_| found.untold().is_none())?;
        let fresh = self.every.map_or(FRESH, |every| (2 * every).min(FRESH));
        let is_fresh = self.now.saturating_sub(found.heard) <= fresh;
        (is_fresh && since.is_none_or(|since| since <= *at)).then_some(why.summary.as_str())
    }

    fn begin(&mut self, job: JobId, targets: &[ProbeTarget]) {
        self.running = Some(job);
        self.waiting = targets.iter().map(|target| target.model.clone()).collect();
    }

    /// Keeps what was found of a model, and whether it has begun or ceased to answer.
    pub(in crate::state) fn probed(
        &mut self,
        job: JobId,
        model: &str,
        at: Timestamp,
        outcome: Result<ProbeAnswer, Failure>,
    ) {
        if self.running != Some(job) {
            return;
        }
        self.waiting.remove(model);
        let found = self.found.entry(model.to_owned()).or_default();
        let before = found.answers;
        found.heard = self.now;
        match outcome {
            Ok(answer) => {
                (found.answered, found.trouble, found.answers) =
                    (Some((at, answer)), None, Some(true));
            }
            Err(why) => {
                if is_the_models(why.class) {
                    found.answers = Some(false);
                }
                found.trouble = Some((at, why));
            }
        }
        if before.is_some() && found.answers != before {
            let why = found.trouble.as_ref().map(|(_, why)| why.summary.clone());
            self.turned.push(Turn {
                model: model.to_owned(),
                why,
            });
        }
    }

    /// Gives the models that have begun or ceased to answer.
    pub(in crate::state) fn ended(&mut self, job: JobId) -> Vec<Turn> {
        if self.running != Some(job) {
            return Vec::new();
        }
        self.running = None;
        self.waiting.clear();
        std::mem::take(&mut self.turned)
    }
}

/// Whether a failure says that the model does not answer, and not that nobody could ask it.
fn is_the_models(class: Option<FaultClass>) -> bool {
    use FaultClass as F;
    match class {
        Some(
            F::Timeout | F::Dropped | F::ModelNotFound | F::Server | F::Unreadable | F::NoText,
        ) => true,
        // Without a class it never left Batida: no key, no address, a locked keychain.
        None
        | Some(
            F::HostUnknown
            | F::Unreachable
            | F::Tls
            | F::ThisMachine
            | F::Proxy
            | F::KeyRefused
            | F::BadRequest
            | F::RateLimited
            | F::IngressLimited
            | F::QueueFull
            | F::NotAnApi
            | F::Cancelled,
        ) => false,
    }
}

impl ClusterState {
    /// How a model is to be probed; `None` where that makes no sense: the API does not route it, or it is
    /// none of the kinds that can be asked for a word.
    pub fn target(&self, model: &ServedModel) -> Option<ProbeTarget> {
        let kind = model
            .probe_kind()
            .filter(|_| self.is_routed(model) != Some(false))?;
        Some(ProbeTarget {
            model: model.serving_name.clone(),
            kind,
        })
    }

    /// The models of these deployments that can be probed, each once.
    pub fn targets<'a>(
        &self,
        deployments: impl IntoIterator<Item = &'a Deployment>,
    ) -> Vec<ProbeTarget> {
        let models = deployments
            .into_iter()
            .flat_map(|deployment| &deployment.models);
        let mut targets: Vec<ProbeTarget> = models.filter_map(|model| self.target(model)).collect();
        targets.sort_by(|a, b| a.model.cmp(&b.model));
        targets.dedup_by(|a, b| a.model == b.model);
        targets
    }

    /// The models of all deployments that are ready, or may be.
    fn all_targets(&self) -> Vec<ProbeTarget> {
        let deployments = self
            .view
            .value()
            .into_iter()
            .flat_map(|view| &view.deployments);
        self.targets(deployments.filter(|it| it.may_answer()))
    }

    /// The first model of a deployment that was asked and did not answer, and why.
    pub(in crate::state) fn silent_model<'a>(
        &'a self,
        deployment: &'a Deployment,
    ) -> Option<(&'a str, &'a str)> {
        let mut names = deployment
            .models
            .iter()
            .map(|model| model.serving_name.as_str());
        names.find_map(|name| Some((name, self.probes.silent(name, deployment.since)?)))
    }
}

impl ClusterState {
    /// Probes these models of an environment, unless others are being probed. `measured`: a benchmark runs there, and
    /// a probe would take part in it.
    pub(in crate::state) fn probe(
        &mut self,
        place: &Environment,
        targets: Vec<ProbeTarget>,
        measured: bool,
        outbox: &mut Outbox<'_>,
    ) {
        let can = place.has_api() && !measured;
        if !can || targets.is_empty() || self.probes.running.is_some() {
            return;
        }
        let place = place.clone();
        let job = outbox.begin(&place.id, Work::Probe);
        self.probes.begin(job, &targets);
        outbox.send(Command::Probe {
            job,
            place,
            targets,
        });
    }

    /// Probes the models of all deployments that are ready.
    pub(in crate::state) fn probe_all(
        &mut self,
        place: &Environment,
        measured: bool,
        now: Duration,
        outbox: &mut Outbox<'_>,
    ) {
        let targets = self.all_targets();
        self.probes.round = Some(now);
        self.probe(place, targets, measured, outbox);
    }

    /// Ends the probes under way; what they have found stays.
    pub(in crate::state) fn cancel_probes(&self, outbox: &mut Outbox<'_>) {
        outbox.cancel(self.probes.running);
    }

    /// Probes every so many minutes, and ends probes when a benchmark begins. Gives when to look again at the latest.
    pub(in crate::state) fn probe_when_due(
        &mut self,
        place: &Environment,
        minutes: Option<u32>,
        measured: bool,
        now: Duration,
        outbox: &mut Outbox<'_>,
    ) -> Option<Duration> {
        self.probes.now = now;
        if measured {
            self.cancel_probes(outbox);
            return None;
        }
        let minutes = minutes.filter(|_| place.has_api());
        self.probes.every = minutes.map(|minutes| Duration::from_secs(60 * u64::from(minutes)));
        let every = self.probes.every?;
        // What is not known to be routed yet would be asked in vain.
        if self.probes.running.is_some()
            || self.view.value().is_none()
            || self.api_models.is_loading()
        {
            return None;
        }
        let due = self.probes.round.map_or(now, |round| round + every);
        if now < due {
            return Some(due - now);
        }
        self.probe_all(place, measured, now, outbox);
        Some(every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn begun(probes: &mut Probes, job: u64) -> JobId {
        let kind = crate::protocol::ProbeKind::Chat;
        probes.begin(
            JobId(job),
            &[ProbeTarget {
                model: "m".to_owned(),
                kind,
            }],
        );
        JobId(job)
    }

    #[test]
    fn a_model_that_ceases_to_answer_is_silent_and_a_refused_key_says_nothing() {
        let mut probes = Probes::default();
        let job = begun(&mut probes, 1);
        assert!(probes.is_asking("m"));
        let answer = ProbeAnswer {
            ttft: Some(Duration::from_millis(9)),
            latency: None,
        };
        probes.probed(job, "m", at(1), Ok(answer));
        assert_eq!(probes.ended(job), [], "the first word is no change");
        let failed = |class| Err(Failure::new("why", "").of_class(class));
        let job = begun(&mut probes, 2);
        let silent = |probes: &Probes| probes.silent("m", None).map(str::to_owned);
        probes.probed(JobId(1), "m", at(2), failed(FaultClass::Server));
        assert!(probes.is_asking("m"), "an old answer");
        // Neither a refused key nor a locked keychain is the model's fault.
        for trouble in [
            failed(FaultClass::KeyRefused),
            Err(Failure::new("locked", "")),
        ] {
            probes.probed(job, "m", at(2), trouble);
            assert_eq!(silent(&probes), None);
            assert!(probes.found("m").unwrap().untold().is_some());
        }
        probes.probed(job, "m", at(3), failed(FaultClass::Timeout));
        let turn = |why: Option<&str>| {
            [Turn {
                model: "m".to_owned(),
                why: why.map(str::to_owned),
            }]
        };
        assert_eq!(probes.ended(job), turn(Some("why")));
        assert_eq!(silent(&probes).as_deref(), Some("why"));
        let (mut later, job) = (
            Probes {
                found: probes.found.clone(),
                ..Probes::default()
            },
            JobId(2),
        );
        begun(&mut later, 2);
        later.probed(job, "m", at(3), failed(FaultClass::Unreachable));
        assert_eq!(
            silent(&later),
            None,
            "what could not be asked may answer by now"
        );
        let found = probes.found("m").unwrap();
        assert_eq!(
            found.answered.map(|(when, _)| when),
            Some(at(1)),
            "when it answered last is kept"
        );
        assert!(found.untold().is_none());
        let job = begun(&mut probes, 3);
        probes.probed(job, "m", at(4), Ok(answer));
        assert_eq!(probes.ended(job), turn(None));
        assert_eq!((silent(&probes), probes.is_asking("m")), (None, false));
    }

    #[test]
    fn a_verdict_grows_old_and_does_not_outlive_a_redeploy() {
        let mut probes = Probes::default();
        let job = begun(&mut probes, 1);
        let why = Failure::new("why", "").of_class(FaultClass::Timeout);
        probes.now = Duration::from_secs(1_000);
        probes.probed(job, "m", at(1_000), Err(why));
        for (every, since, now, counts) in [
            (None, None, 1_600, true),
            (None, None, 1_601, false),
            (Some(60), None, 1_120, true),
            (Some(60), None, 1_121, false),
            (Some(3_600), None, 1_601, false),
            (None, Some(1_000), 1_001, true),
            (None, Some(1_001), 1_002, false),
        ] {
            probes.every = every.map(Duration::from_secs);
            probes.now = Duration::from_secs(now);
            let silent = probes.silent("m", since.map(at)).is_some();
            assert_eq!(silent, counts, "{every:?} {since:?} {now}");
        }
    }
}
