//! Checks of kubectl, the cluster, permissions and deployments.

use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};

use super::{InOrder, Slot, bad, good, skipped};
use crate::domain::deployment::{
    ClusterEvent, ClusterView, Deployment, DeploymentState, Diagnosis, Generation, Progress,
};
use crate::domain::units;
use crate::engine::cluster;
use crate::engine::cluster::release::{helm_chart, version_of_chart};
use crate::engine::connection::Connection;
use crate::io::kubectl::{Kubectl, KubectlError};
use crate::protocol::{Check, Verdict};
use crate::sambastack::diagnosis::{KnownFacts, diagnose};
use crate::sambastack::events::of_deployment;

const AFTER_KUBECTL: [(Slot, &str); 5] = [
    (Slot::Cluster, "Cluster"),
    (Slot::Namespace, "Namespace"),
    (Slot::Rights, "Rights"),
    (Slot::Resources, "Resources"),
    (Slot::Release, "SambaStack"),
];

/// `routed`: the names that the API routes, once it was asked; closed if it does not tell them.
pub(super) async fn run(
    connection: &Connection,
    report: &InOrder<'_, impl Fn(Check)>,
    routed: oneshot::Receiver<Vec<String>>,
) {
    let Some(kubectl) = &connection.kubectl else {
        let why = "This environment has no cluster. Its models come from the API";
        report.put(Slot::Kubectl, vec![skipped("Cluster", why)]);
        AFTER_KUBECTL
            .iter()
            .for_each(|(slot, _)| report.put(*slot, Vec::new()));
        return report.put(Slot::Deployments, Vec::new());
    };
    let began = Instant::now();
    let version = cluster::client_version(kubectl).await;
    match version {
        Ok(version) => {
            let title = format!("kubectl {}", version.trim_start_matches('v'));
            let program = kubectl.program.display().to_string();
            report.put(Slot::Kubectl, vec![good(&title, program, Some(began))]);
        }
        Err(failure) => {
            report.put(Slot::Kubectl, vec![bad("kubectl", &failure, began)]);
            return skip(report, &AFTER_KUBECTL, "kubectl does not work");
        }
    }
    let began = Instant::now();
    let reaching = cluster::server_version(kubectl);
    let rest = rest(kubectl, report, routed);
    tokio::pin!(reaching, rest);
    let mut rest_ended = false;
    let reached = loop {
        tokio::select! {
            reached = &mut reaching => break reached,
            () = &mut rest, if !rest_ended => rest_ended = true,
        }
    };
    match reached {
        Ok(version) => {
            let finding = format!("Kubernetes {}", version.trim_start_matches('v'));
            report.put(
                Slot::Cluster,
                vec![good("Cluster reachable", finding, Some(began))],
            );
            if !rest_ended {
                rest.await;
            }
        }
        Err(failure) => {
            // The other checks would fail for the same reason.
            skip(report, &AFTER_KUBECTL[1..], "The cluster is unreachable");
            report.put(
                Slot::Cluster,
                vec![bad("Cluster unreachable", &failure, began)],
            );
        }
    }
}

fn skip(report: &InOrder<'_, impl Fn(Check)>, slots: &[(Slot, &str)], why: &str) {
    for (slot, title) in slots {
        report.put(*slot, vec![skipped(title, why)]);
    }
    report.put(Slot::Deployments, Vec::new());
}

/// The checks that need the cluster, in parallel.
async fn rest(
    kubectl: &Kubectl,
    report: &InOrder<'_, impl Fn(Check)>,
    routed: oneshot::Receiver<Vec<String>>,
) {
    tokio::join!(
        async { report.put(Slot::Namespace, vec![namespace(kubectl).await]) },
        async { report.put(Slot::Rights, rights(kubectl).await) },
        async {
            let began = Instant::now();
            // Events refine the diagnosis. Without them, the other information is used.
            let (loaded, events) = tokio::join!(cluster::load(kubectl), cluster::events(kubectl));
            let view = match loaded {
                Ok(view) => view,
                Err(failure) => {
                    report.put(Slot::Resources, vec![bad("Resources", &failure, began)]);
                    return report.put(Slot::Deployments, Vec::new());
                }
            };
            report.put(Slot::Resources, resources(&view, began));
            let routed = routed.await.ok();
            let (events, missing) = match events {
                Ok(events) => (events, None),
                Err(failure) => (Vec::new(), Some(failure)),
            };
            let mut checks = deployments(kubectl, &view, &events, routed.as_deref());
            checks.extend(missing.map(|failure| Check {
                verdict: Verdict::Warning,
                ..bad(
                    "Events could not be read, so causes that only events tell are missing",
                    &failure,
                    began,
                )
            }));
            report.put(Slot::Deployments, checks);
        },
        async { report.put(Slot::Release, vec![release(kubectl).await]) },
    );
}

async fn namespace(kubectl: &Kubectl) -> Check {
    let began = Instant::now();
    // It has no name while it could not be read.
    let title = format!("Namespace {}", kubectl.namespace);
    let title = title.trim_end();
    match cluster::find_namespace_alone(kubectl).await {
        Ok(true) => good(title, "exists".to_owned(), Some(began)),
        Ok(false) => good(
            title,
            "you may not read namespaces, but you can work in one".to_owned(),
            Some(began),
        ),
        Err(failure) => bad(title, &failure, began),
    }
}

/// The permissions that Batida uses, and the consequence of each missing one.
const RIGHTS: [(&str, &str, &str); 8] = [
    ("list", "pods", "the progress of deployments is unknown"),
    (
        "list",
        "bundledeployments.sambanova.ai",
        "deployments of the old generation are not shown",
    ),
    (
        "list",
        "modeldeployments.sambanova.ai",
        "deployments of the new generation are not shown",
    ),
    ("watch", "pods", "pods are listed every 10 s instead"),
    (
        "watch",
        "bundledeployments.sambanova.ai",
        "deployments of the old generation are listed every 10 s instead",
    ),
    (
        "watch",
        "modeldeployments.sambanova.ai",
        "deployments of the new generation are listed every 10 s instead",
    ),
    ("get", "pods/log", "logs cannot be shown"),
    ("list", "events", "events cannot be shown"),
];

async fn rights(kubectl: &Kubectl) -> Vec<Check> {
    let began = Instant::now();
    // Each runs a kubectl; more in parallel would not be faster.
    let few = Semaphore::new(3);
    let asked = futures_util::future::join_all(RIGHTS.iter().map(|(verb, kind, without)| {
        let few = &few;
        async move {
            // Fails only if the semaphore is closed, which does not happen.
            let _turn = few.acquire().await;
            let args = ["auth", "can-i", verb, kind, "-n", &kubectl.namespace];
            (
                kubectl.word(&args).await,
                format!("may not {verb} {kind}: {without}"),
                args.map(str::to_owned),
            )
        }
    }))
    .await;
    let mut lacks = Vec::new();
    let mut command = String::new();
    for (answer, lack, args) in asked {
        match answer {
            Ok(word) if word.starts_with("yes") => {}
            Ok(_) => {
                if lacks.is_empty() {
                    command = kubectl.pasteable(&[&args[0], &args[1], &args[2], &args[3]]);
                }
                lacks.push(lack);
            }
            Err(KubectlError { failure, .. }) => return vec![bad("Rights", &failure, began)],
        }
    }
    if lacks.is_empty() {
        return vec![good(
            "Rights",
            "may list and watch deployments, and read logs and events".to_owned(),
            Some(began),
        )];
    }
    let check = good("Rights", lacks.join(" · "), Some(began));
    let advice =
        "Ask the cluster's administrator for a role that allows this in the namespace".to_owned();
    // If nothing can be listed, the check of resources fails. Models may work nevertheless.
    vec![Check {
        verdict: Verdict::Warning,
        advice,
        command,
        ..check
    }]
}

fn resources(view: &ClusterView, began: Instant) -> Vec<Check> {
    let count = |generation| {
        let n = view
            .deployments
            .iter()
            .filter(|deployment| deployment.generation == generation)
            .count();
        let has = view.generations.contains(&generation);
        if has {
            n.to_string()
        } else {
            "none".to_owned()
        }
    };
    let finding = format!(
        "ModelDeployments (new): {} · BundleDeployments (old): {}",
        count(Generation::New),
        count(Generation::Old)
    );
    let mut checks = vec![good("Resources", finding, Some(began))];
    for warning in view.warnings.iter().chain(&view.unreadable) {
        checks.push(Check {
            verdict: Verdict::Warning,
            ..bad("Resources", warning, began)
        });
    }
    checks
}

fn deployments(
    kubectl: &Kubectl,
    view: &ClusterView,
    events: &[ClusterEvent],
    routed: Option<&[String]>,
) -> Vec<Check> {
    let count = |state| {
        view.deployments
            .iter()
            .filter(|it| it.state == state)
            .count()
    };
    let (deployed, unknown) = (
        count(DeploymentState::Deployed),
        count(DeploymentState::Unknown),
    );
    let all = view.deployments.len();
    let (verdict, finding) = match (deployed, unknown) {
        (0, 0) if all == 0 => (Verdict::Bad, view.nothing().to_owned()),
        (0, 0) => (
            Verdict::Bad,
            "No deployment is ready, so no model can respond".to_owned(),
        ),
        (_, 0) => (Verdict::Good, format!("{deployed} of {all} are deployed")),
        _ => (
            Verdict::Warning,
            format!(
                "{}: their pods could not be {}, so their state is unknown",
                units::counted(unknown, "deployment"),
                if view.deployments.iter().any(is_unreadable) {
                    "read"
                } else {
                    "listed"
                }
            ),
        ),
    };
    let mut checks = vec![Check {
        verdict,
        ..good("Deployments", finding, None)
    }];
    for it in &view.deployments {
        let events = of_deployment(events, it);
        let diagnosis = diagnose(
            it,
            KnownFacts {
                routed,
                events: &events,
                silent: None,
            },
        );
        let told = match it.state {
            DeploymentState::Unknown => {
                is_unreadable(it) || !it.unreadable.is_empty() || it.models_trouble.is_some()
            }
            DeploymentState::Deployed => it.warns() || diagnosis.is_some(),
            _ => true,
        };
        if told {
            checks.push(deployment(kubectl, it, diagnosis));
        }
    }
    checks
}

/// Whether its state is unknown because of what its pods say.
fn is_unreadable(deployment: &Deployment) -> bool {
    deployment.state == DeploymentState::Unknown && !deployment.pods.is_empty()
}

/// The finding about a deployment with a problem.
fn deployment(kubectl: &Kubectl, deployment: &Deployment, diagnosis: Option<Diagnosis>) -> Check {
    let progress = diagnosis.as_ref().map(|it| it.progress);
    let (advice, command) = match diagnosis {
        Some(Diagnosis {
            sentence, confirm, ..
        }) => (
            sentence,
            kubectl.pasteable(&confirm.iter().map(String::as_str).collect::<Vec<_>>()),
        ),
        None => Default::default(),
    };
    let how = match (deployment.state, progress) {
        (DeploymentState::Deployed, _) => "is deployed, but has a problem",
        (DeploymentState::Terminating, _) => "is being deleted",
        (DeploymentState::Unknown, _) if is_unreadable(deployment) => "is in an unknown state",
        (DeploymentState::Unknown, _) => "could not be read completely",
        (_, Some(Progress::Starting)) => "is still starting",
        (_, Some(Progress::Remark)) if deployment.replicas == 0 => "is scaled to zero",
        _ => "is not deployed",
    };
    let title = format!("{} {how}", deployment.name);
    let check = good(&title, deployment.why(), None);
    Check {
        verdict: Verdict::Warning,
        advice,
        command,
        ..check
    }
}

/// The time limit for helm.
const HELM_TIMEOUT: Duration = Duration::from_secs(10);

/// SambaStack's version, from helm or from labels.
async fn release(kubectl: &Kubectl) -> Check {
    const TITLE: &str = "SambaStack";
    let began = Instant::now();
    if let Some(chart) = helm_chart(kubectl, HELM_TIMEOUT).await {
        return good(&titled(&chart), format!("helm chart {chart}"), Some(began));
    }
    let args = [
        "get",
        "deployments.apps,configmaps",
        "-n",
        &kubectl.namespace,
        "-l",
        "app.kubernetes.io/managed-by=Helm",
        "--no-headers",
        "-o",
        "custom-columns=CHART:.metadata.labels.helm\\.sh/chart",
    ];
    match kubectl.run(&args, kubectl.patience).await {
        Ok(answer) => {
            let answer = String::from_utf8_lossy(&answer);
            match answer
                .lines()
                .map(str::trim)
                .find(|chart| version_of_chart(chart).is_some())
            {
                Some(chart) => good(
                    &titled(chart),
                    format!("chart {chart}, from labels"),
                    Some(began),
                ),
                None => {
                    let why = "Neither helm nor a label in this namespace has the version";
                    Check {
                        took: Some(began.elapsed()),
                        ..skipped(TITLE, why)
                    }
                }
            }
        }
        Err(error) => Check {
            took: Some(began.elapsed()),
            ..skipped(
                TITLE,
                &format!("The version is unknown: {}", error.failure.summary),
            )
        },
    }
}

fn titled(chart: &str) -> String {
    format!("SambaStack {}", version_of_chart(chart).unwrap_or_default())
}
