//! What the views ask of the cluster of the environment in use.

use std::time::Duration;

use crate::domain::deployment::ServedModel;
use crate::domain::environment::Environment;
use crate::domain::plan::Target;
use crate::domain::workspace::Page;
use crate::protocol::{ClusterLink, Command, LogSource, ProbeTarget};
use crate::state::history::Clock;
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
    /// Does what the views ask of the cluster.
    pub(in crate::state) fn act_on_cluster(
        &mut self,
        action: ClusterAction,
        clock: Clock,
        out: &mut Vec<Command>,
    ) {
        use ClusterAction as A;
        match action {
            A::Show(name) => self.connection_mut().cluster.chosen = Some(name),
            A::ShowPicked => {
                let picked = self.panes().get(0).choice.deployment.clone();
                self.connection_mut().cluster.chosen = picked;
                self.page = Page::Deployments;
            }
            A::Chat(name) => {
                self.panes_mut().activate(0);
                self.pick_deployment(0, Some(&name));
                self.page = Page::Playground;
            }
            A::Benchmark(name) => {
                self.benchmark_deployment(&name);
                self.page = Page::Benchmark;
            }
            A::KeepReading => self.keep_reading(clock.now, out),
            A::KeepSizes => self.keep_sizes(clock.now, out),
            A::Refresh => self.refresh(out),
            A::Probe(targets) => self.probe(targets, out),
            A::ProbeAll => self.probe_all(clock.now, out),
            A::CancelProbes => self.cancel_probes(out),
            A::SetProbeMinutes(minutes) => self.set_probe_minutes(minutes, out),
            A::OpenLog(source) => self.open_log(source, out),
            A::SearchLog(text) => {
                if let Some(log) = &mut self.connection_mut().log {
                    log.search = text;
                }
            }
            A::CloseLog => self.close_log(out),
            A::ListContexts(env) => self.list_contexts(*env, out),
        }
    }

    /// Puts a deployment's models into the Benchmark form, in place of those that are there. Models that cannot chat are
    /// left out, unless there are no others.
    fn benchmark_deployment(&mut self, name: &str) {
        let view = self.connection().cluster.view.value();
        let deployment = view.and_then(|view| view.deployments.iter().find(|it| it.name == name));
        let models = deployment
            .map(|it| it.models.as_slice())
            .unwrap_or_default();
        let any_chats = models.iter().any(ServedModel::chats);
        let targets: Vec<Target> = models
            .iter()
            .filter(|model| model.chats() || !any_chats)
            .map(|model| Target {
                deployment: Some(name.to_owned()),
                model: model.serving_name.clone(),
            })
            .collect();
        if !targets.is_empty() {
            self.bench_form().targets = targets;
        }
    }

    /// Whether the cluster may be asked. A stopped watch needs the user, e.g. to log in: nothing is requested until a
    /// refresh.
    fn may_read(&self) -> bool {
        let link = &self.connection().cluster.link;
        self.env().cluster.is_some() && !matches!(link, Some(ClusterLink::Stopped(_)))
    }

    /// While the page of deployments is open, what is not watched is read now and then.
    fn keep_reading(&mut self, now: Duration, out: &mut Vec<Command>) {
        if !self.may_read() {
            return;
        }
        let cluster = &mut self.connection_mut().cluster;
        let back = cluster.reread && !cluster.events.is_loading();
        if back {
            cluster.reread = false;
            if cluster.sizes.failure().is_some() {
                cluster.sizes = Loadable::Absent;
            }
        }
        if back || due(&cluster.events, now, EVENTS_EVERY) {
            self.load_cluster_events(out);
        }
        self.keep_sizes(now, out);
    }

    fn keep_sizes(&mut self, now: Duration, out: &mut Vec<Command>) {
        let cluster = &self.connection().cluster;
        // After the cluster itself, which is what is looked at first.
        let is_due = cluster.view.value().is_some() && due(&cluster.sizes, now, SIZES_EVERY);
        if is_due && self.may_read() {
            self.load_sizes(out);
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
