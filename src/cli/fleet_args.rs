//! The flags of `batida bench` that say where its requests are sent from.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::report;
use crate::domain::environment::ApiAddress;
use crate::domain::failure::Failure;
use crate::domain::plan::Plan;
use crate::domain::units;
use crate::engine;
use crate::engine::bench::{Fleet, OnLoss, RunsOn};
use crate::engine::cluster::ingress;
use crate::engine::connection::Connection;
use crate::engine::in_cluster::{self, InCluster};
use crate::wire::worker::job::WorkerJob;

const WORKERS: &str = "Workers";

/// More processes than one computer can start and hear.
const MOST_WORKERS: usize = 64;
/// Each is heard through a kubectl of its own, of about 13 MiB and 0.1 s of CPU time to start.
const MOST_IN_CLUSTER: u32 = 32;
const WAIT: Duration = Duration::from_secs(60);
/// An image may have to be pulled.
const IN_CLUSTER_WAIT: Duration = Duration::from_secs(300);
/// A Job outlives its plan by no more.
const AFTER_THE_PLAN: Duration = Duration::from_secs(900);
const DAY: Duration = Duration::from_secs(24 * 3_600);

#[derive(Debug, Args)]
pub(super) struct FleetArgs {
    /// Send from the machine on which this command starts `batida worker`, e.g. 'ssh -T host batida worker'; repeat it to share the
    /// load among several
    #[arg(long, value_name = "COMMAND", value_parser = words, help_heading = WORKERS)]
    worker_command: Vec<Words>,
    /// Send from the cluster: a Kubernetes Job whose pods run `batida worker`, removed at the end
    #[arg(long, conflicts_with = "worker_command", requires = "image", help_heading = WORKERS)]
    in_cluster: bool,
    /// With --in-cluster: so many pods share the load
    #[arg(long, requires = "in_cluster", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=MOST_IN_CLUSTER as i64), help_heading = WORKERS)]
    workers: u32,
    /// With --in-cluster: an image whose entrypoint is this Batida, see `batida image`
    #[arg(long, requires = "in_cluster", value_name = "REF", help_heading = WORKERS)]
    image: Option<String>,
    /// With --in-cluster: the API as the pods reach it: past the ingress (service), through it (ingress), or a URL [default: service
    /// where the ingress tells it]
    #[arg(long, requires = "in_cluster", value_name = "WHERE", help_heading = WORKERS)]
    address: Option<String>,
    /// With --in-cluster: create the Job in this namespace [default: the environment's]
    #[arg(long, requires = "in_cluster", value_name = "NAME", help_heading = WORKERS)]
    worker_namespace: Option<String>,
    /// With --in-cluster: a Secret with the credentials of the image's registry
    #[arg(long, requires = "in_cluster", value_name = "NAME", help_heading = WORKERS)]
    pull_secret: Option<String>,
    /// With --in-cluster: processors of each pod
    #[arg(long, requires = "in_cluster", value_name = "CPU", default_value = "2", help_heading = WORKERS)]
    worker_cpu: String,
    /// With --in-cluster: memory of each pod
    #[arg(long, requires = "in_cluster", value_name = "MEMORY", default_value = "512Mi", help_heading = WORKERS)]
    worker_memory: String,
    /// With --in-cluster: print the Job, and create nothing
    #[arg(long, requires = "in_cluster", help_heading = WORKERS)]
    pub(super) manifest: bool,
    /// Wait so long for the workers to get ready [default: 60s, of pods 5m]
    #[arg(long, value_name = "TIME", value_parser = units::read_duration, help_heading = WORKERS)]
    workers_wait: Option<Duration>,
    /// What to do when a worker is lost: go on with the others while they are half or more, or stop with what there is
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "continue",
        help_heading = WORKERS
    )]
    on_worker_loss: WorkerLoss,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum WorkerLoss {
    Continue,
    Stop,
}

/// A command's words.
#[derive(Debug, Clone)]
struct Words(Vec<String>);

fn words(command: &str) -> Result<Words, String> {
    match shlex::split(command) {
        None => Err("a quote is not closed".to_owned()),
        Some(words) if words.is_empty() => Err("name a command".to_owned()),
        Some(words) => Ok(Words(words)),
    }
}

impl FleetArgs {
    /// The Job, as it would be created: JSON, which kubectl takes as well as YAML.
    ///
    /// # Errors
    /// When there is no cluster.
    pub(super) fn manifest(&self, connection: &Connection, plan: &Plan) -> Result<Value, Failure> {
        Ok(self.job(connection, plan)?.job())
    }

    fn job(&self, connection: &Connection, plan: &Plan) -> Result<WorkerJob, Failure> {
        let kubectl = in_cluster::kubectl_of(connection)?;
        let after = plan
            .session_ends
            .after
            .map_or(DAY, |after| after + AFTER_THE_PLAN);
        Ok(WorkerJob {
            run: engine::new_id('r'),
            namespace: self
                .worker_namespace
                .clone()
                .unwrap_or_else(|| kubectl.namespace.clone()),
            image: self.image.clone().unwrap_or_default(),
            workers: self.workers,
            cpu: self.worker_cpu.clone(),
            memory: self.worker_memory.clone(),
            pull_secret: self.pull_secret.clone(),
            has_key: connection.api_with_key()?.has_key(),
            deadline_s: after.as_secs(),
        })
    }

    /// Starts the workers that run in the cluster, if any do.
    ///
    /// # Errors
    /// As [`InCluster::start`].
    pub(super) async fn start(
        &self,
        connection: &Connection,
        plan: &Plan,
        quiet: bool,
        cancel: &CancellationToken,
    ) -> Result<Option<InCluster>, Failure> {
        if !self.in_cluster {
            return Ok(None);
        }
        connection.for_workers()?;
        let job = self.job(connection, plan)?;
        let wait = self.workers_wait.unwrap_or(IN_CLUSTER_WAIT);
        let tell = |line: String| {
            if !quiet {
                report::error_line(&line);
            }
        };
        InCluster::start(connection, job, wait, cancel, tell)
            .await
            .map(Some)
    }

    /// Where the requests are sent from.
    ///
    /// # Errors
    /// When the environment holds what no worker is given.
    pub(super) async fn runs_on(
        &self,
        connection: &Connection,
        in_cluster: Option<&InCluster>,
    ) -> Result<RunsOn, Failure> {
        if self.worker_command.is_empty() && in_cluster.is_none() {
            return Ok(RunsOn::ThisComputer);
        }
        if self.worker_command.len() > MOST_WORKERS {
            let n = self.worker_command.len();
            return Err(Failure::new(
                format!("{n} workers are too many for one computer"),
                format!("Start at most {MOST_WORKERS}; each has a thread per core to send from"),
            ));
        }
        let (mut api, hidden) = connection.for_workers()?;
        let commands = match in_cluster {
            Some(pods) => {
                api.address = self.address_inside(connection, &api.address).await?;
                pods.commands()
            }
            None => self.worker_command.iter().map(|it| it.0.clone()).collect(),
        };
        Ok(RunsOn::Workers(Box::new(Fleet {
            commands,
            hidden,
            wait: self.workers_wait.unwrap_or(WAIT),
            on_loss: match self.on_worker_loss {
                WorkerLoss::Continue => OnLoss::Continue,
                WorkerLoss::Stop => OnLoss::Stop,
            },
            api,
        })))
    }

    /// The API as the pods reach it.
    async fn address_inside(
        &self,
        connection: &Connection,
        address: &ApiAddress,
    ) -> Result<ApiAddress, Failure> {
        let service = async {
            let kubectl = in_cluster::kubectl_of(connection).ok()?;
            ingress::inside(kubectl, address).await
        };
        match self.address.as_deref() {
            None => Ok(service.await.unwrap_or_else(|| address.clone())),
            Some("ingress") => Ok(address.clone()),
            Some("service") => service.await.ok_or_else(|| {
                Failure::new(
                    "No ingress tells which service the API has inside the cluster",
                    "Name it by its URL, e.g. --address http://gateway.sambastack.svc:8080",
                )
            }),
            Some(url) => ApiAddress::parse(url).map_err(|error| {
                Failure::new(
                    format!("--address: {error}"),
                    "Name service, ingress or a URL",
                )
            }),
        }
    }
}
