//! What the views ask of the cluster of the environment in use.

use std::time::Duration;

use super::ClusterState;
use crate::domain::deployment::ServedModel;
use crate::domain::environment::Environment;
use crate::domain::plan::Target;
use crate::domain::workspace::Page;
use crate::protocol::{ClusterLink, Command, LogSource, ProbeTarget};
use crate::state::history::Clock;
use crate::state::jobs::Outbox;
use crate::state::{Loadable, State};

/// Events are not watched: they are read again this often while their page is open.
pub const EVENTS_EVERY: Duration = Duration::from_secs(15);
const SIZES_EVERY: Duration = Duration::from_secs(300);

/// One thing that the views ask of the cluster.
#[derive(Debug)]
pub enum ClusterAction {
    /// Show this deployment on the Deployments page.
    Show(String),
    /// Open the Deployments page on the deployment that is picked on the Playground.
    ShowPicked,
    /// Chat with this deployment's first model, on the Playground.
    Chat(String),
    /// Put this deployment's models into the Benchmark form.
    Benchmark(String),
    /// The Deployments page is open: what is not watched is read now and then.
    KeepReading,
    /// Context lengths are shown: they are read now and then.
    KeepSizes,
    /// Ask the cluster and the API again.
    Refresh,
    /// Probe these models.
    Probe(Vec<ProbeTarget>),
    /// Probe the models of all deployments that are ready.
    ProbeAll,
    /// End the probes under way.
    CancelProbes,
    /// Probe all models every so many minutes, or no longer.
    SetProbeMinutes(Option<u32>),
    /// Follow a container's log.
    OpenLog(LogSource),
    /// Show the log's lines that have this.
    SearchLog(String),
    /// Close the log.
    CloseLog,
    /// Read the contexts of a kubeconfig.
    ListContexts(Box<Environment>),
}

impl State {
    /// Does what the views ask of the cluster of the environment in use, some of it on other pages.
    pub(in crate::state) fn act_on_cluster(
        &mut self,
        action: ClusterAction,
        clock: Clock,
        out: &mut Vec<Command>,
    ) {
        use ClusterAction as A;
        let measured = self.bench.measures(&self.env().id);
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        let environments = &mut self.environments;
        let (place, connection) = environments.in_use();
        let cluster = &mut connection.cluster;
        match action {
            A::Show(name) => cluster.chosen = Some(name),
            A::ShowPicked => {
                let picked = &self.playgrounds.panes().get(0).choice.deployment;
                cluster.chosen.clone_from(picked);
                self.page = Page::Deployments;
            }
            A::Chat(name) => {
                let panes = self.playgrounds.panes_mut();
                panes.activate(0);
                panes.pick_deployment(0, Some(&name), environments);
                self.page = Page::Playground;
            }
            A::Benchmark(name) => {
                let targets = cluster.targets_to_measure(&name);
                if !targets.is_empty() {
                    self.bench_form().targets = targets;
                }
                self.page = Page::Benchmark;
            }
            A::KeepReading => cluster.keep_reading(place, clock.now, outbox),
            A::KeepSizes => cluster.keep_sizes(place, clock.now, outbox),
            A::Refresh => self.refresh(out),
            A::Probe(targets) => cluster.probe(place, targets, measured, outbox),
            A::ProbeAll => cluster.probe_all(place, measured, clock.now, outbox),
            A::CancelProbes => cluster.cancel_probes(outbox),
            A::SetProbeMinutes(minutes) => environments.set_probe_minutes(minutes, outbox),
            A::OpenLog(source) => environments.open_log(source, outbox),
            A::SearchLog(text) => {
                if let Some(log) = &mut connection.log {
                    log.search = text;
                }
            }
            A::CloseLog => environments.close_log(outbox),
            A::ListContexts(env) => environments.list_contexts(*env, outbox),
        }
    }
}

impl ClusterState {
    /// What a benchmark of a deployment measures: its models. Those that cannot chat are left out, unless there are no
    /// others.
    fn targets_to_measure(&self, name: &str) -> Vec<Target> {
        let view = self.view.value();
        let deployment = view.and_then(|view| view.deployments.iter().find(|it| it.name == name));
        let models = deployment
            .map(|it| it.models.as_slice())
            .unwrap_or_default();
        let any_chats = models.iter().any(ServedModel::chats);
        let wanted = models.iter().filter(|model| model.chats() || !any_chats);
        let target = |model: &ServedModel| Target {
            deployment: Some(name.to_owned()),
            model: model.serving_name.clone(),
        };
        wanted.map(target).collect()
    }

    /// Whether the cluster may be asked. A stopped watch needs the user, e.g. to log in: nothing is requested until a
    /// refresh.
    fn may_read(&self, place: &Environment) -> bool {
        place.cluster.is_some() && !matches!(self.link, Some(ClusterLink::Stopped(_)))
    }

    /// While the page of deployments is open, what is not watched is read now and then.
    fn keep_reading(&mut self, place: &Environment, now: Duration, outbox: &mut Outbox<'_>) {
        if !self.may_read(place) {
            return;
        }
        let back = self.reread && !self.events.is_loading();
        if back {
            self.reread = false;
            if self.sizes.failure().is_some() {
                self.sizes = Loadable::Absent;
            }
        }
        if back || due(&self.events, now, EVENTS_EVERY) {
            self.load_events(place, outbox);
        }
        self.keep_sizes(place, now, outbox);
    }

    fn keep_sizes(&mut self, place: &Environment, now: Duration, outbox: &mut Outbox<'_>) {
        // After the cluster itself, which is what is looked at first.
        let is_due = self.view.value().is_some() && due(&self.sizes, now, SIZES_EVERY);
        if is_due && self.may_read(place) {
            self.load_sizes(place, outbox);
        }
    }
}

fn due<T>(value: &Loadable<T>, now: Duration, every: Duration) -> bool {
    match value {
        Loadable::Absent => true,
        Loadable::Ready(_, at) => now.saturating_sub(*at) >= every,
        // A failed request is repeated only when the user refreshes.
        Loadable::Loading { .. } | Loadable::Failed { .. } => false,
    }
}
