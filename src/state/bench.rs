//! The Benchmark page's forms, one per environment, and the session under way or over, folded from events.

mod form;
mod session;
mod speed;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::State;
use super::jobs::{Outbox, Work};
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::history::Trend;
use crate::domain::plan::{Arrivals, Ends, Field, Load, Plan, Target};
use crate::domain::run::{BenchProgress, BenchReport, Steer};
use crate::domain::workspace::{BenchForms, WorkspaceChange};
use crate::metrics::compare::Comparison;
use crate::protocol::{Command, JobId};

pub use self::form::{Form, LoadKind, Read};
pub use self::session::{Session, Standing};

/// What the Benchmark page knows.
#[derive(Debug, Default)]
pub struct BenchState {
    forms: HashMap<EnvId, Held>,
    speeds: speed::Speeds,
    /// The session under way, or the last one.
    pub session: Option<Session>,
}

/// An environment's form, and how often something else than its page changed it.
#[derive(Debug, Clone)]
struct Held {
    form: Form,
    revision: u64,
}

/// One thing that the Benchmark page asks for.
#[derive(Debug)]
pub enum BenchAction {
    /// Run what the form says.
    Run,
    /// This is what the page's form says now.
    Edit(Box<Form>),
    /// Find out how fast this target answered last.
    WantSpeed(Target),
    /// Keep the form, as far as it is sound and has changed.
    RememberForm,
    /// Keep the form as a preset of this name.
    SavePreset(String),
    /// Delete the user's preset of this name.
    DeletePreset(String),
    /// Pause the session under way, or resume it.
    Steer(Steer),
    /// Stop the session under way.
    Stop,
}

/// A plan that the form can take over.
#[derive(Debug, Clone, Copy)]
pub struct Preset<'a> {
    /// As it is offered.
    pub name: &'a str,
    /// It says nothing of models.
    pub plan: &'a Plan,
    /// The user saved it; else it is built in.
    pub is_own: bool,
}

/// What was kept of each environment's form, and its presets.
type Kept = BTreeMap<EnvId, BenchForms>;

/// The forms. What is `kept` stands in for one that was not edited yet.
impl BenchState {
    /// The form of an environment; until it is edited it is as it was left.
    fn form(&self, env: &EnvId, kept: &Kept) -> Cow<'_, Form> {
        if let Some(held) = self.forms.get(env) {
            return Cow::Borrowed(&held.form);
        }
        let last = kept.get(env).and_then(|forms| forms.last.as_ref());
        Cow::Owned(last.map_or_else(|| Form::of(&Plan::default()), Form::of))
    }

    fn held_form(&mut self, env: &EnvId, kept: &Kept) -> &mut Held {
        let held = match self.forms.remove(env) {
            Some(held) => held,
            None => Held {
                form: self.form(env, kept).into_owned(),
                revision: 0,
            },
        };
        self.forms.entry(env.clone()).insert_entry(held).into_mut()
    }

    /// Keeps the form, as far as it is sound and has changed.
    fn remember_form(&self, env: &EnvId, kept: &mut Kept, outbox: &mut Outbox<'_>) {
        let read = self.form(env, kept).read();
        // A plan without a model is worth remembering, too.
        let mut problems = read.problems.iter();
        if problems.any(|(field, _)| *field != Field::Model) {
            return;
        }
        let forms = kept.entry(env.clone()).or_default();
        if forms.last.as_ref() != Some(&read.plan) {
            forms.last = Some(read.plan.clone());
            let (env, plan) = (env.clone(), Box::new(read.plan));
            outbox.keep(WorkspaceChange::Plan { env, plan });
        }
    }

    /// Keeps the form as a preset; one of the same name is replaced.
    fn save_preset(&self, env: &EnvId, name: String, kept: &mut Kept, outbox: &mut Outbox<'_>) {
        let plan = self.form(env, kept).read().plan;
        let forms = kept.entry(env.clone()).or_default();
        match forms.presets.iter_mut().find(|(old, _)| *old == name) {
            Some((_, old)) => *old = plan.clone(),
            None => forms.presets.push((name.clone(), plan.clone())),
        }
        let (env, plan) = (env.clone(), Some(Box::new(plan)));
        outbox.keep(WorkspaceChange::Preset { env, name, plan });
    }
}

/// Takes one of the user's presets away.
fn delete_preset(env: &EnvId, name: String, kept: &mut Kept, outbox: &mut Outbox<'_>) {
    let forms = kept.entry(env.clone()).or_default();
    forms.presets.retain(|(old, _)| *old != name);
    let (env, plan) = (env.clone(), None);
    outbox.keep(WorkspaceChange::Preset { env, name, plan });
}

/// The page's form is that of the environment in use, is kept with the workspace, and measures what the Playground asks.
impl State {
    /// Does what the Benchmark page asks for.
    pub(super) fn act_on_bench(&mut self, action: BenchAction, out: &mut Vec<Command>) {
        let env = &self.environments.current().id;
        let kept = &mut self.workspace.benches;
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        match action {
            BenchAction::Run => self.run_bench(out),
            // The page has it already: it is no newer for it.
            BenchAction::Edit(form) => self.bench.held_form(env, kept).form = *form,
            BenchAction::WantSpeed(target) => self.bench.ask_speed(target, outbox),
            BenchAction::RememberForm => self.bench.remember_form(env, kept, outbox),
            BenchAction::SavePreset(name) => self.bench.save_preset(env, name, kept, outbox),
            BenchAction::DeletePreset(name) => delete_preset(env, name, kept, outbox),
            BenchAction::Steer(steer) => self.bench.steer(steer, out),
            BenchAction::Stop => self.bench.stop(out),
        }
    }

    /// The form for a page that edits a copy of it: given when it is newer than the one of the revision `seen`.
    pub fn newer_bench_form(&self, seen: Option<u64>) -> Option<(Form, u64)> {
        let env = &self.environments.current().id;
        let held = self.bench.forms.get(env);
        let revision = held.map_or(0, |held| held.revision);
        let form = || self.bench.form(env, &self.workspace.benches).into_owned();
        (seen != Some(revision)).then(|| (form(), revision))
    }

    /// The form of the environment in use, to be changed by something else than its page.
    pub fn bench_form(&mut self) -> &mut Form {
        let env = &self.environments.current().id;
        let held = self.bench.held_form(env, &self.workspace.benches);
        held.revision += 1;
        &mut held.form
    }

    /// What that form says.
    pub fn read_bench_form(&self) -> Read {
        let env = &self.environments.current().id;
        self.bench.form(env, &self.workspace.benches).read()
    }

    /// What a form without models measures: the model that is picked on the Playground.
    pub fn bench_target(&self) -> Option<Target> {
        let choice = &self.panes().get(0).choice;
        Some(Target {
            deployment: self.connection().cluster.deployment_asked(choice),
            model: choice.model.clone()?,
        })
    }

    /// Runs what the form says, unless it has problems, cannot measure what it says, or a session runs. The form is
    /// remembered.
    pub fn run_bench(&mut self, out: &mut Vec<Command>) {
        if self.read_bench_form().plan.targets.is_empty()
            && let Some(target) = self.bench_target()
        {
            self.bench_form().targets.push(target);
        }
        let read = self.read_bench_form();
        let refused = !read.problems.is_empty() || read.plan.refusal().is_some();
        if refused || self.bench.running().is_some() {
            return;
        }
        let place = self.env().clone();
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        let job = outbox.begin(&place.id, Work::Bench);
        for target in &read.plan.targets {
            self.colors.note(&target.model);
        }
        let kept = &mut self.workspace.benches;
        self.bench.remember_form(&place.id, kept, outbox);
        self.bench.session = Some(Session::new(job, &place, read.plan.clone()));
        outbox.send(Command::RunBench {
            job,
            place,
            plan: Box::new(read.plan),
        });
    }

    /// Keeps the form, as far as it is sound and has changed.
    pub fn remember_form(&mut self, out: &mut Vec<Command>) {
        self.act_on_bench(BenchAction::RememberForm, out);
    }

    /// Puts a plan into the form of the environment of this name, if there is one, else of the one in use.
    pub fn plan_again(&mut self, plan: &Plan, environment: &str, out: &mut Vec<Command>) {
        let named = self.environments.settings.by_name(environment);
        if let Some(env) = named.map(|env| env.id.clone())
            && self.env().id != env
        {
            self.switch(&env, out);
        }
        *self.bench_form() = Form::of(plan);
    }
}

/// The built-in presets, and the user's own among what is kept of an environment.
pub fn presets(kept: Option<&BenchForms>) -> impl Iterator<Item = Preset<'_>> {
    let own = kept.into_iter().flat_map(|forms| &forms.presets);
    let built_in = BUILT_IN_PRESETS.iter().map(|(name, plan)| Preset {
        name,
        plan,
        is_own: false,
    });
    built_in.chain(own.map(|(name, plan)| Preset {
        name,
        plan,
        is_own: true,
    }))
}

static BUILT_IN_PRESETS: LazyLock<[(&str, Plan); 3]> = LazyLock::new(built_in_presets);

/// What many begin with. They say nothing of models.
pub fn built_in_presets() -> [(&'static str, Plan); 3] {
    let plan = Plan::default();
    [
        (
            "Quick look",
            Plan {
                load: Load::Concurrency(vec![4]),
                level_ends: Ends {
                    requests: Some(20),
                    ..plan.level_ends
                },
                ..plan.clone()
            },
        ),
        (
            "Concurrency sweep",
            Plan {
                load: Load::sweep(64),
                ..plan.clone()
            },
        ),
        (
            "Steady rate",
            Plan {
                load: Load::Rate {
                    per_sec: vec![2.0],
                    arrivals: Arrivals::Poisson,
                    most_in_flight: None,
                },
                level_ends: Ends {
                    requests: None,
                    after: Some(Duration::from_secs(120)),
                    error_share: None,
                },
                ..plan
            },
        ),
    ]
}

impl BenchState {
    /// The job of the session under way.
    pub fn running(&self) -> Option<JobId> {
        self.session
            .as_ref()
            .filter(|session| session.is_running())
            .map(|session| session.job)
    }

    /// Whether an environment is measured: a probe would take part in it.
    pub fn measures(&self, env: &EnvId) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| session.is_running() && session.env == *env)
    }

    /// Asks the session under way to pause or to go on.
    pub fn steer(&mut self, steer: Steer, out: &mut Vec<Command>) {
        if let Some(session) = self.session.as_mut().filter(|session| session.is_running()) {
            session.steered = steer;
            out.push(Command::SteerBench {
                job: session.job,
                steer,
            });
        }
    }

    /// Asks the session under way to stop; it ends with [`crate::protocol::Event::BenchEnded`].
    pub fn stop(&mut self, out: &mut Vec<Command>) {
        if let Some(session) = self.session.as_mut().filter(|session| session.is_running()) {
            session.stopping = true;
            out.push(Command::Cancel { job: session.job });
        }
    }

    pub(super) fn begin(&mut self, job: JobId, told: Vec<String>) {
        if let Some(session) = self.of_job(job) {
            session.told = told;
        }
    }

    pub(super) fn advance(&mut self, job: JobId, progress: BenchProgress) {
        if let Some(session) = self.of_job(job) {
            session.advance(progress);
        }
    }

    pub(super) fn end(&mut self, job: JobId, outcome: Result<Arc<BenchReport>, Failure>) {
        if let Some(session) = self.of_job(job) {
            session.end(outcome);
            self.speeds.forget();
        }
    }

    /// The history told how fast a model answered.
    pub(super) fn speed_known(
        &mut self,
        job: JobId,
        trend: &Result<Trend, Failure>,
        now: Duration,
    ) {
        self.speeds.known(job, trend, now);
    }

    /// A session of this window was held against its baseline.
    pub(super) fn held(&mut self, job: JobId, comparison: Arc<Comparison>) {
        if let Some(session) = self.session.as_mut().filter(|session| session.job == job) {
            session.held = Some(comparison);
        }
    }

    fn of_job(&mut self, job: JobId) -> Option<&mut Session> {
        self.session
            .as_mut()
            .filter(|session| session.job == job && session.is_running())
    }
}

#[cfg(test)]
mod tests;
