//! kubectl, the cluster, what may be asked there, and what is deployed.

use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};

use super::{InOrder, Slot, bad, good, skipped};
use crate::domain::deployment::{
    ClusterEvent, ClusterView, Deployment, DeploymentState, Diagnosis, Generation, Progress,
};
use crate::domain::units;
use crate::engine::cluster;
use crate::engine::cluster::release::{helm_chart, version_of_chart};
use crate::engine::place::Place;
use crate::io::kubectl::{Kubectl, KubectlError};
use crate::protocol::{Check, Verdict};
use crate::sambastack::diagnosis::{KnownFacts, diagnose};
use crate::sambastack::events::of_deployment;

const AFTER_KUBECTL: [(Slot, &str); 5] = [
    (Slot::Cluster, "Cluster reachable"),
    (Slot::Namespace, "Namespace"),
    (Slot::Rights, "Rights"),
    (Slot::Resources, "Resources"),
    (Slot::Release, "SambaStack"),
];

/// `routed`: the names that the API routes, once it was asked; closed where it tells none.
pub(super) async fn run(
    place: &Place,
    told: &InOrder<'_, impl Fn(Check)>,
    routed: oneshot::Receiver<Vec<String>>,
) {
    let Some(kubectl) = &place.kubectl else {
        let why = "This environment has no cluster: its models come from the API";
        told.put(Slot::Kubectl, vec![skipped("Cluster", why)]);
        AFTER_KUBECTL
            .iter()
            .for_each(|(slot, _)| told.put(*slot, Vec::new()));
        return told.put(Slot::Deployments, Vec::new());
    };
    let began = Instant::now();
    let version = cluster::client_version(kubectl).await;
    match version {
        Ok(version) => {
            let title = format!("kubectl {}", version.trim_start_matches('v'));
            let program = kubectl.program.display().to_string();
            told.put(Slot::Kubectl, vec![good(&title, program, Some(began))]);
        }
        Err(failure) => {
            told.put(Slot::Kubectl, vec![bad("kubectl", &failure, began)]);
            return skip(told, &AFTER_KUBECTL, "kubectl does not run");
        }
    }
    let began = Instant::now();
    let reaching = cluster::server_version(kubectl);
    let rest = rest(kubectl, told, routed);
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
            told.put(
                Slot::Cluster,
                vec![good("Cluster reachable", finding, Some(began))],
            );
            if !rest_ended {
                rest.await;
            }
        }
        Err(failure) => {
            // The others meet the same, in five other ways.
            skip(told, &AFTER_KUBECTL[1..], "The cluster was not reached");
            told.put(
                Slot::Cluster,
                vec![bad("Cluster reachable", &failure, began)],
            );
        }
    }
}

fn skip(told: &InOrder<'_, impl Fn(Check)>, slots: &[(Slot, &str)], why: &str) {
    for (slot, title) in slots {
        told.put(*slot, vec![skipped(title, why)]);
    }
    told.put(Slot::Deployments, Vec::new());
}

/// What needs the cluster, side by side.
async fn rest(
    kubectl: &Kubectl,
    told: &InOrder<'_, impl Fn(Check)>,
    routed: oneshot::Receiver<Vec<String>>,
) {
    tokio::join!(
        async { told.put(Slot::Namespace, vec![namespace(kubectl).await]) },
        async { told.put(Slot::Rights, rights(kubectl).await) },
        async {
            let began = Instant::now();
            // What only events tell is told as on a deployment's page; without them the rest is.
            let (loaded, events) = tokio::join!(cluster::load(kubectl), cluster::events(kubectl));
            let view = match loaded {
                Ok(view) => view,
                Err(failure) => {
                    told.put(Slot::Resources, vec![bad("Resources", &failure, began)]);
                    return told.put(Slot::Deployments, Vec::new());
                }
            };
            told.put(Slot::Resources, resources(&view, began));
            let (events, routed) = (events.unwrap_or_default(), routed.await.ok());
            told.put(
                Slot::Deployments,
                deployments(kubectl, &view, &events, routed.as_deref()),
            );
        },
        async { told.put(Slot::Release, vec![release(kubectl).await]) },
    );
}

async fn namespace(kubectl: &Kubectl) -> Check {
    let began = Instant::now();
    let title = format!("Namespace {}", kubectl.namespace);
    match cluster::find_namespace_alone(kubectl).await {
        Ok(true) => good(&title, "exists".to_owned(), Some(began)),
        Ok(false) => good(
            &title,
            "you may not look at namespaces, but you may work in one".to_owned(),
            Some(began),
        ),
        Err(failure) => bad(&title, &failure, began),
    }
}

/// What Batida asks the cluster, and what becomes of it without the right to.
const RIGHTS: [(&str, &str, &str); 8] = [
    ("list", "pods", "nobody can say how far a deployment is"),
    (
        "list",
        "bundledeployments.sambanova.ai",
        "deployments of the old generation are not seen",
    ),
    (
        "list",
        "modeldeployments.sambanova.ai",
        "deployments of the new generation are not seen",
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
    // Each is a kubectl; more at once only wait for one another.
    let few = Semaphore::new(3);
    let asked = futures_util::future::join_all(RIGHTS.iter().map(|(verb, kind, without)| {
        let few = &few;
        async move {
            // Fails only once it is closed, which nobody does.
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
            "may list and watch what is deployed, read logs and events".to_owned(),
            Some(began),
        )];
    }
    let check = good("Rights", lacks.join(" · "), Some(began));
    let advice =
        "Ask the cluster's administrator for a role that allows it in this namespace".to_owned();
    // Whoever may not list anything fails with Resources; a model may answer whatever is not seen of it.
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
            "No deployment is ready, so no model can answer".to_owned(),
        ),
        (_, 0) => (Verdict::Good, format!("{deployed} of {all} are deployed")),
        _ => (
            Verdict::Warning,
            format!(
                "{}: their pods could not be listed, so it is not known which are ready",
                units::counted(unknown, "deployment")
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
            DeploymentState::Unknown => !it.unreadable.is_empty() || it.models_trouble.is_some(),
            DeploymentState::Deployed => it.warns() || diagnosis.is_some(),
            _ => true,
        };
        if told {
            checks.push(deployment(kubectl, it, diagnosis));
        }
    }
    checks
}

/// A deployment that is not as it should be.
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
        (DeploymentState::Deployed, _) => "is deployed, but not as it should be",
        (DeploymentState::Terminating, _) => "is being deleted",
        (DeploymentState::Unknown, _) => "cannot be read in full",
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

/// How long helm is waited for.
const HELM: Duration = Duration::from_secs(10);

/// SambaStack's version, as helm or the labels of what it has installed say it.
async fn release(kubectl: &Kubectl) -> Check {
    const TITLE: &str = "SambaStack";
    let began = Instant::now();
    if let Some(chart) = helm_chart(kubectl, HELM).await {
        return good(
            &titled(&chart),
            format!("helm's chart {chart}"),
            Some(began),
        );
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
                    format!("chart {chart}, by its labels"),
                    Some(began),
                ),
                None => {
                    let why = "Neither helm nor a label in this namespace says its version";
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
                &format!("Its version is not known: {}", error.failure.summary),
            )
        },
    }
}

fn titled(chart: &str) -> String {
    format!("SambaStack {}", version_of_chart(chart).unwrap_or_default())
}
