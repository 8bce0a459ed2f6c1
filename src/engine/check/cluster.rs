//! Checks of kubectl, the cluster, permissions and deployments.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{InOrder, Slot, bad, good, skipped};
use crate::domain::deployment::{
    ClusterEvent, ClusterView, Deployment, DeploymentState, Diagnosis, Generation, Progress,
};
use crate::domain::units;
use crate::engine::cluster;
use crate::engine::connection::Connection;
use crate::io::kubectl::{Kubeconfig, Kubectl, KubectlError};
use crate::protocol::{Check, Verdict};
use crate::sambastack::diagnosis::{Known, diagnose};
use crate::sambastack::events::of_deployment;

const AFTER_KUBECTL: [(Slot, &str); 5] = [
    (Slot::Cluster, "Cluster"),
    (Slot::Namespace, "Namespace"),
    (Slot::Rights, "Rights"),
    (Slot::Resources, "Resources"),
    (Slot::Release, "SambaStack"),
];

pub(super) async fn run(connection: &Connection, report: &InOrder<'_, impl Fn(Check)>) {
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
    let rest = rest(kubectl, report);
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
async fn rest(kubectl: &Kubectl, report: &InOrder<'_, impl Fn(Check)>) {
    tokio::join!(
        async { report.put(Slot::Namespace, vec![namespace(kubectl).await]) },
        async { report.put(Slot::Rights, rights(kubectl).await) },
        async {
            let began = Instant::now();
            // Events refine the diagnosis. Without them, the other information is used.
            let (loaded, events) = tokio::join!(cluster::load(kubectl), cluster::events(kubectl));
            let (resources, deployments) = match loaded {
                Ok(view) => (
                    resources(&view, began),
                    deployments(kubectl, &view, &events.unwrap_or_default()),
                ),
                Err(failure) => (vec![bad("Resources", &failure, began)], Vec::new()),
            };
            report.put(Slot::Resources, resources);
            report.put(Slot::Deployments, deployments);
        },
        async { report.put(Slot::Release, vec![release(kubectl).await]) },
    );
}

async fn namespace(kubectl: &Kubectl) -> Check {
    let began = Instant::now();
    let title = format!("Namespace {}", kubectl.namespace);
    match cluster::find_namespace_alone(kubectl).await {
        Ok(true) => good(&title, "exists".to_owned(), Some(began)),
        Ok(false) => good(
            &title,
            "you may not read namespaces, but you can work in one".to_owned(),
            Some(began),
        ),
        Err(failure) => bad(&title, &failure, began),
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

fn deployments(kubectl: &Kubectl, view: &ClusterView, events: &[ClusterEvent]) -> Vec<Check> {
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
                "{}: their pods could not be listed, so their state is unknown",
                units::counted(unknown, "deployment")
            ),
        ),
    };
    let mut checks = vec![Check {
        verdict,
        ..good("Deployments", finding, None)
    }];
    let told = |it: &&Deployment| match it.state {
        DeploymentState::Unknown => !it.unreadable.is_empty() || it.models_trouble.is_some(),
        DeploymentState::Deployed => it.warns(),
        _ => true,
    };
    checks.extend(
        view.deployments
            .iter()
            .filter(told)
            .map(|it| deployment(kubectl, it, events)),
    );
    checks
}

/// The finding about a deployment with a problem.
fn deployment(kubectl: &Kubectl, deployment: &Deployment, events: &[ClusterEvent]) -> Check {
    let events = of_deployment(events, deployment);
    let diagnosis = diagnose(
        deployment,
        Known {
            events: &events,
            ..Known::default()
        },
    );
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

/// SambaStack's version, from helm or from labels.
async fn release(kubectl: &Kubectl) -> Check {
    const TITLE: &str = "SambaStack";
    let began = Instant::now();
    if let Some(chart) = helm_chart(kubectl).await {
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
                .find(|chart| version_of(chart).is_some())
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
    format!("SambaStack {}", version_of(chart).unwrap_or_default())
}

/// `sambastack-2.3.2` → `2.3.2`
fn version_of(chart: &str) -> Option<&str> {
    chart
        .strip_prefix("sambastack-")
        .filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))
}

/// The chart from helm, if helm is installed.
async fn helm_chart(kubectl: &Kubectl) -> Option<String> {
    #[derive(Deserialize)]
    struct Release {
        chart: Option<String>,
    }
    let mut args = vec![
        "list".to_owned(),
        "-n".to_owned(),
        kubectl.namespace.clone(),
        "-o".to_owned(),
        "json".to_owned(),
    ];
    match &kubectl.kubeconfig {
        Kubeconfig::File(path) => {
            args.extend(["--kubeconfig".to_owned(), path.display().to_string()])
        }
        Kubeconfig::Default => {}
        // The demo's cluster is simulated.
        Kubeconfig::BuiltIn => return None,
    }
    if let Some(context) = &kubectl.context {
        args.extend(["--kube-context".to_owned(), context.clone()]);
    }
    // helm would ask for a login, too.
    if !kubectl.needs_no_login() {
        return None;
    }
    let helm = Kubectl {
        program: PathBuf::from("helm"),
        prefix: Vec::new(),
        ..kubectl.clone()
    };
    let answer = helm.run_alone(&args, Duration::from_secs(10)).await.ok()?;
    let releases: Vec<Release> = serde_json::from_slice(&answer).ok()?;
    releases
        .into_iter()
        .filter_map(|release| release.chart)
        .find(|chart| version_of(chart).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_chart() {
        assert_eq!(titled("sambastack-2.3.2"), "SambaStack 2.3.2");
        for other in ["sambastack-base-1.0.0", "redis-1.0.0", "<none>", ""] {
            assert_eq!(version_of(other), None, "{other}");
        }
    }
}
