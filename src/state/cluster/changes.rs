//! What has changed on the cluster since it was looked at last, as far as somebody wants to be called for it.

use std::collections::BTreeMap;

use super::probes::Turn;
use crate::domain::deployment::{ClusterView, DeploymentState};
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::printable::cut;
use crate::domain::settings::Settings;
use crate::protocol::Command;
use crate::state::jobs::Outbox;

/// So many changes at once are told one by one.
const EACH: usize = 3;

/// Which deployments were ready. What is seen for the first time is no change.
#[derive(Debug, Default)]
pub struct Changes {
    ready: BTreeMap<String, bool>,
}

/// Something to call a person for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What it is about.
    pub title: String,
    /// More words.
    pub body: String,
}

/// What has become of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::state) enum Change {
    Ready(String),
    Stopped(String, String),
}

impl Changes {
    /// Nobody looked for a while: what is seen next is seen for the first time.
    pub(in crate::state) fn forget(&mut self) {
        self.ready.clear();
    }

    pub(in crate::state) fn fold(&mut self, view: &ClusterView) -> Vec<Change> {
        let mut changes = Vec::new();
        for deployment in &view.deployments {
            let is_ready = match deployment.state {
                DeploymentState::Deployed => true,
                DeploymentState::Deploying
                | DeploymentState::NotDeployed
                | DeploymentState::Terminating => false,
                // Nobody knows: that is no change.
                DeploymentState::Unknown => continue,
            };
            let name = &deployment.name;
            match (self.ready.insert(name.clone(), is_ready), is_ready) {
                (Some(false), true) => changes.push(Change::Ready(name.clone())),
                (Some(true), false) => {
                    // No desktop shows more.
                    let why = cut(&deployment.why(), 300).into_owned();
                    changes.push(Change::Stopped(name.clone(), why));
                }
                _ => {}
            }
        }
        // What could not be listed is not gone.
        if view.warnings.is_empty() {
            let is_there = |name: &String| view.deployments.iter().any(|it| it.name == *name);
            let gone = self.ready.extract_if(.., |name, _| !is_there(name));
            let deleted = |name| Change::Stopped(name, "it was deleted".to_owned());
            changes.extend(
                gone.filter(|(_, ready)| *ready)
                    .map(|(name, _)| deleted(name)),
            );
        }
        changes
    }
}

/// What is said of changes in an environment.
fn calls(env: &str, changes: &[Change]) -> Vec<Call> {
    if changes.len() <= EACH {
        return changes.iter().map(|change| call(env, change)).collect();
    }
    let names = |ready: bool| -> Vec<&str> {
        changes
            .iter()
            .filter_map(|change| match change {
                Change::Ready(name) if ready => Some(name.as_str()),
                Change::Stopped(name, _) if !ready => Some(name.as_str()),
                _ => None,
            })
            .collect()
    };
    let many = |names: Vec<&str>, what: &str| {
        let title = match names.as_slice() {
            [one] => format!(
                "{one} {}",
                if what == "stopped" {
                    "has stopped"
                } else {
                    "is ready"
                }
            ),
            _ if what == "stopped" => format!("{} deployments have stopped", names.len()),
            _ => format!("{} deployments are ready", names.len()),
        };
        (!names.is_empty()).then(|| Call {
            title,
            body: format!("{env}: {}", shortly(&names)),
        })
    };
    [many(names(false), "stopped"), many(names(true), "ready")]
        .into_iter()
        .flatten()
        .collect()
}

/// `a, b, c and 2 more`
fn shortly(names: &[&str]) -> String {
    let (shown, more) = names.split_at(names.len().min(EACH));
    let more = if more.is_empty() {
        String::new()
    } else {
        format!(" and {} more", more.len())
    };
    format!("{}{more}", shown.join(", "))
}

/// What is said of the models that have begun or ceased to answer in one round of probes.
fn calls_for_models(env: &str, turned: &[Turn]) -> Vec<Call> {
    if turned.len() <= EACH {
        let call = |Turn { model, why }: &Turn| match why {
            None => Call {
                title: format!("{model} answers again"),
                body: env.to_owned(),
            },
            Some(why) => Call {
                title: format!("{model} does not answer"),
                body: format!("{env}: {why}"),
            },
        };
        return turned.iter().map(call).collect();
    }
    let names = |silent: bool| -> Vec<&str> {
        let some = turned.iter().filter(|turn| turn.why.is_some() == silent);
        some.map(|turn| turn.model.as_str()).collect()
    };
    let many = |names: Vec<&str>, (one, more): (&str, &str)| {
        let title = match names.as_slice() {
            [] => return None,
            [name] => format!("{name} {one}"),
            _ => format!("{} models {more}", names.len()),
        };
        Some(Call {
            title,
            body: format!("{env}: {}", shortly(&names)),
        })
    };
    let silent = many(names(true), ("does not answer", "do not answer"));
    silent
        .into_iter()
        .chain(many(names(false), ("answers again", "answer again")))
        .collect()
}

fn call(env: &str, change: &Change) -> Call {
    match change {
        Change::Ready(name) => Call {
            title: format!("{name} is ready"),
            body: format!("{env}: all that it needs runs"),
        },
        Change::Stopped(name, why) => Call {
            title: format!("{name} has stopped"),
            body: format!("{env}: {why}"),
        },
    }
}

/// What a person is to be notified of over the desktop.
#[derive(Debug, Default)]
pub(in crate::state) struct Notifications {
    calls: Vec<Call>,
    /// The user was told that the desktop shows no notifications.
    told_of_failure: bool,
}

impl Notifications {
    /// Deployments have become ready or stopped.
    pub(in crate::state) fn call_for_changes(
        &mut self,
        settings: &Settings,
        env: &EnvId,
        changes: &[Change],
    ) {
        self.call(settings, env, |name| calls(name, changes));
    }

    /// Models have begun or ceased to answer.
    pub(in crate::state) fn call_for_models(
        &mut self,
        settings: &Settings,
        env: &EnvId,
        turned: &[Turn],
    ) {
        self.call(settings, env, |name| calls_for_models(name, turned));
    }

    /// The demo's events are simulated: nobody is notified of them.
    fn call(&mut self, settings: &Settings, env: &EnvId, calls: impl FnOnce(&str) -> Vec<Call>) {
        let env = settings.get(env);
        if let Some(env) = env.filter(|env| !env.demo && settings.care.notify) {
            self.calls.extend(calls(&env.name));
        }
    }

    /// The desktop could show a notification, or not. Gives what the user is to be told: a failure once.
    pub(in crate::state) fn notified(&mut self, outcome: Result<(), Failure>) -> Option<String> {
        let why = outcome.err()?;
        let is_new = !std::mem::replace(&mut self.told_of_failure, true);
        is_new.then(|| format!("{}. {}", why.summary, why.advice))
    }

    /// The next failure is told again.
    pub(in crate::state) fn forget_failure(&mut self) {
        self.told_of_failure = false;
    }

    /// Notifies the person over the desktop.
    pub(in crate::state) fn send(&mut self, outbox: &mut Outbox<'_>) {
        for Call { title, body } in self.calls.drain(..) {
            outbox.send(Command::Notify { title, body });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::deployment::{Deployment, Generation};
    use crate::domain::environment::{ApiAddress, Environment};
    use crate::domain::failure::FaultClass;
    use crate::domain::settings::{Care, Settings};
    use crate::protocol::{Event, ProbeAnswer, ProbeKind, ProbeTarget};
    use crate::state::{Environments, State};

    fn view(deployments: &[(&str, DeploymentState)]) -> ClusterView {
        let deployment = |(name, state): &(&str, DeploymentState)| Deployment {
            name: (*name).to_owned(),
            generation: Generation::New,
            bundle: None,
            state: *state,
            reason: String::new(),
            since: None,
            replicas: 1,
            pods: Vec::new(),
            models: Vec::new(),
            bundle_notes: Vec::new(),
            models_trouble: None,
            unreadable: Vec::new(),
        };
        ClusterView {
            deployments: deployments.iter().map(deployment).collect(),
            ..ClusterView::default()
        }
    }

    #[track_caller]
    fn check(changes: &mut Changes, deployments: &[(&str, DeploymentState)], told: &[&str]) {
        let calls = calls("prod", &changes.fold(&view(deployments)));
        let titles: Vec<&str> = calls.iter().map(|call| call.title.as_str()).collect();
        assert_eq!(titles, told);
    }

    #[test]
    fn only_what_becomes_ready_or_stops_is_told() {
        use DeploymentState as S;
        let mut changes = Changes::default();
        check(
            &mut changes,
            &[("a", S::Deployed), ("b", S::Deploying)],
            &[],
        );
        check(&mut changes, &[("a", S::Unknown), ("b", S::Unknown)], &[]);
        check(
            &mut changes,
            &[("a", S::Deployed), ("b", S::NotDeployed)],
            &[],
        );
        check(
            &mut changes,
            &[("a", S::Deploying), ("b", S::Deployed)],
            &["a has stopped", "b is ready"],
        );
        check(
            &mut changes,
            &[("b", S::Terminating), ("c", S::Deployed)],
            &["b has stopped"],
        );
        check(&mut changes, &[], &["c has stopped"]);
        check(&mut changes, &[("c", S::Deployed)], &[]);
        changes.forget();
        check(&mut changes, &[("c", S::Deploying)], &[]);
    }

    #[test]
    fn what_could_not_be_listed_is_not_gone() {
        let mut changes = Changes::default();
        check(&mut changes, &[("a", DeploymentState::Deployed)], &[]);
        let refused = ClusterView {
            warnings: vec![Failure::new("no", "")],
            ..ClusterView::default()
        };
        assert_eq!(changes.fold(&refused), []);
        check(&mut changes, &[("a", DeploymentState::Deployed)], &[]);
    }

    #[test]
    fn a_model_that_ceases_to_answer_is_called_for_when_that_is_wanted() {
        let job_of = |out: &mut Vec<Command>| match out.pop() {
            Some(Command::Probe { job, .. }) => job,
            other => panic!("{other:?}"),
        };
        for (notify, demo) in [(true, false), (false, false), (true, true)] {
            let care = Care {
                notify,
                ..Care::default()
            };
            let mut settings = Settings {
                care,
                ..Settings::default()
            };
            let id = EnvId("mine".to_owned());
            let api = ApiAddress::parse("a.example").ok();
            settings.environments.push(Environment {
                api,
                ..Environment::blank(id.clone(), "mine")
            });
            let env = if demo { EnvId::demo() } else { id };
            settings.selected = env.clone();
            let mut state = State::new(settings);
            let answer = ProbeAnswer {
                ttft: None,
                latency: None,
            };
            let silent = Failure::new("no answer within 60 s", "").of_class(FaultClass::Timeout);
            let mut out = Vec::new();
            for outcome in [Ok(answer), Err(silent), Ok(answer)] {
                let targets = vec![ProbeTarget {
                    model: "m".to_owned(),
                    kind: ProbeKind::Chat,
                }];
                let (place, connection) = state.environments.in_use();
                let outbox = &mut Outbox::new(&mut state.jobs, &mut out);
                connection.cluster.probe(place, targets, false, outbox);
                let (job, env) = (job_of(&mut out), env.clone());
                let (at, model) = (jiff::Timestamp::UNIX_EPOCH, "m".to_owned());
                state.apply(
                    Event::ModelProbed {
                        job,
                        env: env.clone(),
                        model,
                        at,
                        outcome,
                    },
                    Duration::ZERO,
                );
                state.apply(Event::ProbesEnded { job, env }, Duration::ZERO);
            }
            state.tick(Duration::ZERO, &mut out);
            let told: Vec<String> = out
                .into_iter()
                .map(|command| match command {
                    Command::Notify { title, body } => format!("{title} | {body}"),
                    other => panic!("{other:?}"),
                })
                .collect();
            let wanted = [
                "m does not answer | mine: no answer within 60 s",
                "m answers again | mine",
            ];
            assert_eq!(
                told,
                if notify && !demo {
                    wanted.to_vec()
                } else {
                    Vec::new()
                },
                "{notify} {demo}"
            );
        }
    }

    #[test]
    fn what_the_demo_makes_up_calls_nobody() {
        for demo in [true, false] {
            let care = Care {
                notify: true,
                ..Care::default()
            };
            let mut settings = Settings {
                care,
                ..Settings::default()
            };
            let id = EnvId("mine".to_owned());
            settings
                .environments
                .push(Environment::blank(id.clone(), "mine"));
            let env = if demo { EnvId::demo() } else { id };
            settings.selected = env.clone();
            let mut state = State::new(settings);
            let mut changes = Changes::default();
            for ready in [DeploymentState::Deployed, DeploymentState::Deploying] {
                let found = changes.fold(&view(&[("a", ready)]));
                let Environments {
                    notifications,
                    settings,
                    ..
                } = &mut state.environments;
                notifications.call_for_changes(settings, &env, &found);
            }
            assert_eq!(state.environments.notifications.calls.is_empty(), demo);
        }
    }

    #[test]
    fn many_models_of_a_round_are_told_together() {
        let turn = |n: usize, silent: bool| Turn {
            model: format!("m-{n}"),
            why: silent.then(|| "no answer".to_owned()),
        };
        let told = |turned: Vec<Turn>| {
            let calls = calls_for_models("prod", &turned);
            calls
                .into_iter()
                .map(|call| format!("{} | {}", call.title, call.body))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            told((0..9).map(|n| turn(n, n > 0)).collect()),
            [
                "8 models do not answer | prod: m-1, m-2, m-3 and 5 more",
                "m-0 answers again | prod: m-0"
            ]
        );
        assert_eq!(
            told(vec![turn(1, true), turn(2, false)]),
            [
                "m-1 does not answer | prod: no answer",
                "m-2 answers again | prod"
            ]
        );
    }

    #[test]
    fn many_at_once_are_told_together() {
        let names: Vec<String> = (0..9).map(|n| format!("d-{n}")).collect();
        let all = |state| {
            names
                .iter()
                .map(|name| (name.as_str(), state))
                .collect::<Vec<_>>()
        };
        let mut changes = Changes::default();
        check(&mut changes, &all(DeploymentState::Deployed), &[]);
        check(
            &mut changes,
            &all(DeploymentState::Deploying),
            &["9 deployments have stopped"],
        );
        let mut some = all(DeploymentState::Deployed);
        some[0].1 = DeploymentState::Deploying;
        let calls = calls("prod", &changes.fold(&view(&some)));
        assert_eq!(calls[0].title, "8 deployments are ready");
        assert_eq!(calls[0].body, "prod: d-1, d-2, d-3 and 5 more");
    }
}
