//! What can be done with a deployment: chat with it, benchmark it, read its log, copy what is known of its trouble.

use std::fmt::Write as _;

use egui::Ui;

use crate::domain::deployment::{ContainerBrief, Deployment, PodBrief};
use crate::domain::environment::Environment;
use crate::domain::units;
use crate::protocol::{Command, LogSource};
use crate::sambastack::events::of_deployment;
use crate::state::action::Actions;
use crate::state::cluster::{ClusterAction, ClusterState};
use crate::ui::widgets::small_button_if;

/// Draws the buttons. Gives the log that is to be opened.
pub(super) fn actions_ui(
    ui: &mut Ui,
    env: &Environment,
    cluster: &ClusterState,
    deployment: &Deployment,
    out: &mut Actions,
) -> Option<LogSource> {
    let mut wanted = None;
    ui.horizontal_wrapped(|ui| {
        let has_models = !deployment.models.is_empty() && (env.api.is_some() || env.demo);
        // The pickers do not offer it either.
        let (can, why_not) = match deployment.may_answer() {
            true => (
                has_models,
                "It has no models, or this environment has no API",
            ),
            false => (false, "It does not serve: its requests would fail"),
        };
        let name = || deployment.name.clone();
        if small_button_if(ui, can, "Chat")
            .on_hover_text("Chat with this deployment's model on the Playground")
            .on_disabled_hover_text(why_not)
            .clicked()
        {
            out.push(ClusterAction::Chat(name()));
        }
        if small_button_if(ui, can, "Benchmark")
            .on_hover_text("Put this deployment's models into the Benchmark form")
            .on_disabled_hover_text(why_not)
            .clicked()
        {
            out.push(ClusterAction::Benchmark(name()));
        }
        let source = likely_log(deployment);
        if small_button_if(ui, source.is_some(), "View logs")
            .on_hover_text("Follow the log of the container that is most likely at fault")
            .on_disabled_hover_text("It has no pods")
            .clicked()
        {
            wanted = source;
        }
        if small_button_if(ui, true, "Copy diagnosis")
            .on_hover_text("Copy its state, the likely cause, its pods and its events as text")
            .clicked()
        {
            out.push(Command::Copy {
                what: "Diagnosis".to_owned(),
                text: diagnosis_text(env, cluster, deployment),
            });
        }
    });
    wanted
}

/// The log to read first: of the container that keeps its pod from being ready, before its restart if it has restarted;
/// else of the first container there is.
fn likely_log(deployment: &Deployment) -> Option<LogSource> {
    let of = |pod: &PodBrief, container: &ContainerBrief| LogSource {
        pod: pod.name.clone(),
        container: container.name.clone(),
        previous: !container.ready && container.restarts > 0,
    };
    let mut containers = deployment
        .pods
        .iter()
        .flat_map(|pod| pod.details.iter().map(move |it| (pod, it)));
    let failing = containers
        .clone()
        .find(|(pod, it)| pod.trouble.is_some() && !it.ready && !it.init);
    failing
        .or_else(|| containers.find(|(_, it)| !it.init))
        .map(|(pod, it)| of(pod, it))
}

/// What a colleague needs to see of a deployment's trouble.
fn diagnosis_text(env: &Environment, cluster: &ClusterState, deployment: &Deployment) -> String {
    const MAX_EVENTS: usize = 10;
    let mut text = String::new();
    let mut line = |words: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{words}");
    };
    let (health, diagnosis) = cluster.diagnosed(deployment);
    let namespace = env.cluster.as_ref().map(|it| it.namespace_label());
    line(format!(
        "{} {} ({})",
        deployment.generation.kind(),
        deployment.name,
        namespace.unwrap_or("no cluster")
    ));
    let since = deployment.since;
    let since = since.map(|at| format!(" since {}", units::moment(at)));
    line(format!(
        "State: {}{}; {}",
        deployment.state.label(),
        since.unwrap_or_default(),
        health.label()
    ));
    let reasons = deployment.reasons();
    if !reasons.is_empty() {
        line(format!("Reason: {reasons}"));
    }
    if let Some(diagnosis) = diagnosis {
        line(format!(
            "{}: {}",
            diagnosis.progress.title(),
            diagnosis.sentence
        ));
        if let Some(command) = env.kubectl_line(&diagnosis.confirm) {
            line(format!("Confirm with: {command}"));
        }
    }
    for pod in &deployment.pods {
        let trouble = pod.trouble.as_deref().unwrap_or(&pod.status);
        line(format!(
            "Pod {}: {}/{} ready, {trouble}",
            pod.name, pod.ready, pod.containers
        ));
    }
    let all = cluster.events.value().map(Vec::as_slice);
    for event in of_deployment(all.unwrap_or_default(), deployment)
        .into_iter()
        .take(MAX_EVENTS)
    {
        let at = event.at.map(|at| format!("{} ", units::moment(at)));
        line(format!(
            "Event {}{}: {}",
            at.unwrap_or_default(),
            event.reason,
            event.message
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::{DeploymentState, Generation};

    #[test]
    fn a_diagnosis_has_the_state_the_reason_and_the_pods() {
        let deployment = Deployment {
            name: "llama".to_owned(),
            generation: Generation::New,
            bundle: None,
            state: DeploymentState::Deploying,
            reason: "cache pod 0/1: ImagePullBackOff".to_owned(),
            since: None,
            replicas: 1,
            pods: vec![PodBrief {
                name: "inf-llama-cache-0".to_owned(),
                group: "cache".to_owned(),
                ready: 0,
                containers: 1,
                status: "ImagePullBackOff".to_owned(),
                restarts: 0,
                trouble: None,
                hold: None,
                since: None,
                details: Vec::new(),
                unreadable: Vec::new(),
            }],
            models: Vec::new(),
            bundle_notes: Vec::new(),
            models_trouble: None,
            unreadable: Vec::new(),
        };
        let text = diagnosis_text(&Environment::demo(), &ClusterState::default(), &deployment);
        for line in [
            "ModelDeployment llama (sambastack)",
            "State: Deploying; ",
            "Reason: cache pod 0/1: ImagePullBackOff",
            "Pod inf-llama-cache-0: 0/1 ready, ImagePullBackOff",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
    }
}
