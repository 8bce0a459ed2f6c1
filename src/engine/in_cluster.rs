//! Workers that run in the cluster: the Job that starts them, their pods until all run, and its removal.
//!
//! # How far this goes
//!
//! Each worker is heard through a `kubectl attach` of its own. What a kubectl takes was measured with 100 of them on two
//! shared cores (12.6 MiB of memory each, 0.12 s of CPU time to start); a request of 128 tokens is about 0.5 kB on the way
//! (`cargo bench --bench workers` measures what hearing costs).
//!
//! | workers | kubectls | their memory | to start, on 2 cores | rows at 8 requests/s each |
//! |---|---|---|---|---|
//! | 32 (the most that are allowed) | 32 | 0.4 GiB | 2 s | 0.13 MB/s |
//! | 100 | 100 | 1.3 GiB | 13 s | 0.4 MB/s |
//! | 1,000 | 1,000 | 13 GiB | minutes | 4 MB/s |
//!
//! Beyond 100 the processes are the limit, not the bytes: one `kubectl proxy` with streams of our own would carry 1,000
//! (measured: 50 MiB for 100 streams). Folding what 32 workers told of 50,000 tokens/s took 1.9 % of a core.

use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use crate::domain::failure::{Failure, FaultClass};
use crate::domain::units;
use crate::engine::connection::Connection;
use crate::io::kubectl::{Kubectl, KubectlError};
use crate::wire::worker::job::{self, CONTAINER, PodState, WorkerJob, WorkerPod};

/// How often pods are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// The removal of a Job may take so long: whoever stops waits for it.
const REMOVAL: Duration = Duration::from_secs(6);

/// The workers of a session, in the cluster.
#[derive(Debug)]
pub struct InCluster {
    kubectl: Kubectl,
    job: WorkerJob,
    pods: Vec<WorkerPod>,
}

impl InCluster {
    /// Creates the Job and waits until all its pods run. `tell` is told how far they are, whenever that changes. What was
    /// created is removed if this fails.
    ///
    /// # Errors
    /// When an object may not be created, a pod ends or does not run within `wait`, or `cancel` is cancelled.
    pub async fn start(
        connection: &Connection,
        job: WorkerJob,
        wait: Duration,
        cancel: &CancellationToken,
        mut tell: impl FnMut(String),
    ) -> Result<Self, Failure> {
        let key = connection.api_with_key()?.key();
        let mut workers = Self {
            // Commands that are told are for the Job's namespace.
            kubectl: Kubectl {
                namespace: job.namespace.clone(),
                ..kubectl_of(connection)?.clone()
            },
            job,
            pods: Vec::new(),
        };
        let created = cancel.run_until_cancelled(workers.create(key)).await;
        let ran = match created {
            None => Err(cancelled()),
            Some(Err(failure)) => Err(failure),
            Some(Ok(())) => {
                let running = workers.until_running(wait, &mut tell);
                cancel
                    .run_until_cancelled(running)
                    .await
                    .unwrap_or_else(|| Err(cancelled()))
            }
        };
        match ran {
            Ok(()) => Ok(workers),
            Err(failure) => {
                let left = workers.remove().await.err();
                Err(with_what_is_left(failure, left))
            }
        }
    }

    async fn create(&self, key: Option<&SecretString>) -> Result<(), Failure> {
        let job = self.job.job().to_string();
        let made = self
            .kubectl
            .create_raw(&self.job.jobs_path(), job.into_bytes())
            .await;
        let made = made.map_err(|error| not_created("the Job", &self.job, error))?;
        let Some(uid) = job::uid(&made) else {
            let what = "The cluster's answer to the new Job has no uid";
            return Err(Failure::new(what, "").with_details(String::from_utf8_lossy(&made)));
        };
        if let Some(key) = key {
            let secret = self.job.secret(&uid, key.expose_secret()).to_string();
            let path = self.job.secrets_path();
            let made = self.kubectl.create_raw(&path, secret.into_bytes());
            made.await
                .map_err(|error| not_created("the Secret with the key", &self.job, error))?;
        }
        Ok(())
    }

    async fn until_running(
        &mut self,
        wait: Duration,
        tell: &mut impl FnMut(String),
    ) -> Result<(), Failure> {
        let (began, mut told) = (Instant::now(), String::new());
        loop {
            let path = self.job.pods_path();
            let asking = ["get", "--raw", &path];
            let list = self.kubectl.run(&asking, self.kubectl.patience).await?;
            let pods = job::pods(&list).unwrap_or_default();
            if let Some((pod, why)) = pods.iter().find_map(|pod| match &pod.state {
                PodState::Ended(why) => Some((&pod.name, why)),
                _ => None,
            }) {
                let advice = self.kubectl.pasteable(&["logs", pod]);
                let what = format!("The pod {pod} ended before the session began ({why})");
                return Err(Failure::new(what, format!("Look at its log: {advice}")));
            }
            let running = pods
                .iter()
                .filter(|pod| pod.state == PodState::Running)
                .count();
            let waiting = pods.iter().find_map(|pod| match &pod.state {
                PodState::Waiting(why) => Some(format!("; {} waits ({why})", pod.name)),
                _ => None,
            });
            let all = self.job.workers as usize;
            let now = format!(
                "{running} of {} in the cluster run{}",
                units::counted(all, "worker"),
                waiting.clone().unwrap_or_default()
            );
            if told != now {
                told.clone_from(&now);
                tell(now.clone());
            }
            if running >= all {
                self.pods = pods;
                return Ok(());
            }
            if began.elapsed() >= wait {
                let within = units::write_duration(wait);
                return Err(Failure::new(
                    format!("The workers did not start within {within}: {now}"),
                    "Mend what the pod waits for (its image, the room on the nodes), or wait for longer with --workers-wait",
                )
                .of_class(FaultClass::Timeout));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What connects each worker to its coordinator.
    pub fn commands(&self) -> Vec<Vec<String>> {
        let attach = |pod: &WorkerPod| {
            let namespace = &self.job.namespace;
            self.kubectl.words(&[
                "attach", "-n", namespace, "-i", "-q", &pod.name, "-c", CONTAINER,
            ])
        };
        self.pods.iter().map(attach).collect()
    }

    /// Removes the Job, and with it its pods and the Secret.
    ///
    /// # Errors
    /// When that fails; the Job ends and goes by itself then, later.
    pub async fn remove(&self) -> Result<(), Failure> {
        let removed =
            tokio::time::timeout(REMOVAL, self.kubectl.delete_raw(&self.job.deletion_path())).await;
        let name = self.job.name();
        let hours = units::write_duration(Duration::from_secs(self.job.deadline_s));
        let command = self.kubectl.pasteable(&["delete", "job", &name]);
        let advice = format!("It ends by itself after {hours}. To remove it now: {command}");
        let left = |why: String| {
            Failure::new(
                format!("The Job {name} could not be removed: {why}"),
                advice.clone(),
            )
        };
        match removed {
            Ok(Ok(_)) => Ok(()),
            // It is gone already, or was never there.
            Ok(Err(error)) if is_not_found(&error) => Ok(()),
            Ok(Err(error)) => Err(left(error.failure.summary)),
            Err(_) => Err(left("the cluster does not answer".to_owned())),
        }
    }
}

/// kubectl for the cluster of an environment.
///
/// # Errors
/// When it has none, or it is the demo's, which runs no pods.
pub fn kubectl_of(connection: &Connection) -> Result<&Kubectl, Failure> {
    let none = |why: &str| {
        let advice =
            "Use an environment with a cluster, or --kubeconfig, --context and --namespace";
        Failure::new(why, advice)
    };
    if connection.env.demo {
        return Err(none("The demo's cluster is simulated: it runs no workers"));
    }
    connection
        .kubectl
        .as_ref()
        .ok_or_else(|| none("The environment has no cluster to run workers in"))
}

fn is_not_found(error: &KubectlError) -> bool {
    let failure = &error.failure;
    failure.details.contains("NotFound")
        || failure.summary.contains("not found")
        || failure.details.contains("not found")
}

fn cancelled() -> Failure {
    Failure::new("It was stopped before the workers ran", "").of_class(FaultClass::Cancelled)
}

fn not_created(what: &str, job: &WorkerJob, error: KubectlError) -> Failure {
    let KubectlError { failure, .. } = error;
    let summary = format!(
        "{what} of the workers could not be created in {}: {}",
        job.namespace, failure.summary
    );
    let advice = "Creating Jobs and Secrets, reading pods and attaching to them must be allowed there; \
                  --worker-namespace names another namespace";
    let mut chars = summary.chars();
    let summary: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(chars)
        .collect();
    Failure::new(summary, advice).with_details(failure.details)
}

fn with_what_is_left(failure: Failure, left: Option<Failure>) -> Failure {
    match left {
        None => failure,
        Some(left) => Failure {
            details: format!("{}\n{}", failure.details, left.told_on_command_line()),
            ..failure
        },
    }
}
