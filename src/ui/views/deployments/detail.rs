//! One deployment: its state, the likely cause of a problem, pods, events, models and bundle.

use egui::{Align, Label, Layout, RichText, Role, ScrollArea, Ui, WidgetInfo, vec2};

use super::actions::actions_ui;
use super::models::{ProbeRequest, models_ui};
use crate::domain::deployment::{
    ClusterEvent, ContainerBrief, Deployment, Diagnosis, Health, Hold, PodBrief, Progress,
};
use crate::domain::environment::Environment;
use crate::domain::units;
use crate::protocol::{Command, LogSource};
use crate::sambastack::diagnosis::is_starting;
use crate::sambastack::events::of_deployment;
use crate::state::action::Actions;
use crate::state::cluster::ClusterState;
use crate::ui::theme::{self, GAP, GRID};
use crate::ui::views::paragraphs::wrapped;
use crate::ui::widgets::{
    caption, column, from_right, health_mark, shortened, small_button, strong, tokens,
};

/// Gives the log that is to be opened, and what is to be probed.
pub(super) fn deployment_ui(
    ui: &mut Ui,
    env: &Environment,
    cluster: &ClusterState,
    deployment: &Deployment,
    may_probe: bool,
    out: &mut Actions,
) -> (Option<LogSource>, ProbeRequest) {
    let tokens = tokens(ui);
    let diagnosis = cluster.diagnosis(deployment);
    let (mut wanted, mut probe_request) = (None, ProbeRequest::default());
    ScrollArea::vertical()
        .id_salt("deployment")
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_width(ui.available_width() - 4.0);
            ui.horizontal(|ui| {
                health_mark(ui, cluster.health(deployment));
                strong(ui, deployment.name.as_str());
                from_right(ui, |ui| {
                    caption(ui, deployment.generation.kind());
                });
            });
            let since = deployment
                .since
                .map(|at| format!(" since {}", units::moment(at)))
                .unwrap_or_default();
            wrapped(
                ui,
                &format!("{}{since}", deployment.state.label()),
                tokens.dim,
            );
            wanted = actions_ui(ui, env, cluster, deployment, out);
            if !deployment.reason.is_empty() {
                wrapped(ui, &deployment.reason, tokens.dim);
            }
            if let Some(diagnosis) = diagnosis {
                diagnosis_ui(ui, env, &diagnosis, out);
            }
            for remark in &deployment.unreadable {
                wrapped(
                    ui,
                    &format!("Parts of its resource could not be read: {remark}"),
                    tokens.warning,
                );
            }
            heading(ui, &format!("Pods ({})", deployment.pods.len()));
            for pod in &deployment.pods {
                wanted = pod_ui(ui, pod).or(wanted.take());
            }
            events_ui(ui, cluster, deployment);
            heading(ui, &format!("Models ({})", deployment.models.len()));
            models_ui(ui, cluster, deployment, may_probe, &mut probe_request);
            if let Some(trouble) = &deployment.models_trouble {
                wrapped(ui, trouble, tokens.warning);
            }
            if let Some(bundle) = &deployment.bundle {
                heading(ui, &format!("Bundle {bundle}"));
                for note in &deployment.bundle_notes {
                    wrapped(ui, note, tokens.dim);
                }
            }
        });
    (wanted, probe_request)
}

fn events_ui(ui: &mut Ui, cluster: &ClusterState, deployment: &Deployment) {
    const MAX_EVENTS: usize = 50;
    let tokens = tokens(ui);
    let all = cluster
        .events
        .value()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let own = of_deployment(all, deployment);
    heading(ui, &format!("Events ({})", own.len()));
    if let Some(why) = cluster.events.failure() {
        wrapped(
            ui,
            &format!("Could not load the events: {why}"),
            tokens.warning,
        );
    }
    for event in own.iter().take(MAX_EVENTS) {
        let at = event
            .at
            .map(|at| format!("{} · ", units::moment(at)))
            .unwrap_or_default();
        let times = if event.count > 1 {
            format!(" ({} times)", event.count)
        } else {
            String::new()
        };
        let ClusterEvent {
            reason,
            kind,
            object,
            message,
            ..
        } = event;
        let color = if event.warning {
            tokens.warning
        } else {
            tokens.dim
        };
        wrapped(
            ui,
            &format!("{at}{reason}{times} · {kind} {object}: {message}"),
            color,
        );
    }
}

fn heading(ui: &mut Ui, text: &str) {
    ui.add_space(GAP);
    strong(ui, text);
}

/// A pod that only needs time is starting; one with another fault is broken.
fn pod_health(pod: &PodBrief) -> Health {
    match &pod.hold {
        None => Health::Serving,
        Some(Hold::Leaving | Hold::Completed) => Health::Off,
        Some(Hold::Unreadable(_)) => Health::Unknown,
        Some(_) if is_starting(pod) => Health::Starting,
        Some(_) => Health::Broken,
    }
}

/// Gives the log that is to be opened.
fn pod_ui(ui: &mut Ui, pod: &PodBrief) -> Option<LogSource> {
    let tokens = tokens(ui);
    ui.add_space(GRID);
    ui.horizontal(|ui| {
        health_mark(ui, pod_health(pod));
        let width = ui.available_width();
        shortened(
            ui,
            &pod.name,
            theme::small_figure_text(),
            tokens.text,
            width,
        );
    });
    let since = pod
        .since
        .map(|at| format!(" · since {}", units::moment(at)))
        .unwrap_or_default();
    let mut how: Vec<&str> = pod.trouble.as_deref().into_iter().collect();
    // The value of kubectl's STATUS column, unless the message has it already.
    if !pod.status.is_empty() && !how.iter().any(|words| words.contains(&pod.status)) {
        how.insert(0, &pod.status);
    }
    let PodBrief {
        group,
        ready,
        containers,
        ..
    } = pod;
    wrapped(
        ui,
        &format!(
            "{group} · {ready}/{containers} ready · {}{since}",
            how.join(" · ")
        ),
        tokens.dim,
    );
    for remark in &pod.unreadable {
        wrapped(
            ui,
            &format!("Parts of it could not be read: {remark}"),
            tokens.warning,
        );
    }
    let mut wanted = None;
    for container in &pod.details {
        wanted = container_ui(ui, pod, container).or(wanted);
    }
    wanted
}

/// Gives the log that is to be opened.
fn container_ui(ui: &mut Ui, pod: &PodBrief, container: &ContainerBrief) -> Option<LogSource> {
    let dim = tokens(ui).dim;
    let mut wanted = None;
    let has_previous = container.restarts > 0;
    ui.horizontal_top(|ui| {
        let room = if has_previous { 204.0 } else { 80.0 };
        let width = (ui.available_width() - room).max(80.0);
        column(ui, vec2(width, 0.0), |ui| {
            wrapped(ui, &container_line(container), dim)
        });
        // At the top: the line beside it may be several lines.
        ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
            let mut button = |ui: &mut Ui, text: &str, previous: bool| {
                let spoken = format!("{text} of {} in {}", container.name, pod.name);
                let button = small_button(ui, text);
                button.widget_info(|| WidgetInfo::labeled(Role::Button, true, &spoken));
                if button.clicked() {
                    let (pod, container) = (pod.name.clone(), container.name.clone());
                    wanted = Some(LogSource {
                        pod,
                        container,
                        previous,
                    });
                }
            };
            button(ui, "View log", false);
            if has_previous {
                button(ui, "View previous log", true);
            }
        });
    });
    wanted
}

/// The likely cause, and the command that confirms it.
fn diagnosis_ui(ui: &mut Ui, env: &Environment, diagnosis: &Diagnosis, out: &mut Actions) {
    let tokens = tokens(ui);
    ui.add_space(GAP);
    let color = match diagnosis.progress {
        Progress::Starting | Progress::Ending => tokens.warning,
        Progress::NeedsSomebody => tokens.error,
        Progress::Remark => tokens.dim,
    };
    ui.add(Label::new(
        RichText::new(diagnosis.progress.title())
            .small()
            .color(color),
    ));
    wrapped(ui, &diagnosis.sentence, tokens.text);
    if let Some(line) = env.kubectl_line(&diagnosis.confirm) {
        let text = RichText::new(&line).text_style(theme::small_figure_text());
        ui.add(Label::new(text).wrap());
        if small_button(ui, "Copy command")
            .on_hover_text("Run this command to confirm")
            .clicked()
        {
            out.push(Command::Copy {
                what: "Command".to_owned(),
                text: line,
            });
        }
    }
}

fn container_line(container: &ContainerBrief) -> String {
    let kind = if container.init {
        "init container"
    } else {
        "container"
    };
    let readiness = match (container.init, container.ready) {
        (true, true) => "done",
        (false, true) => "ready",
        (_, false) => container.state(),
    };
    let mut parts = vec![format!("{kind} {}: {readiness}", container.name)];
    if container.restarts > 0 {
        parts.push(units::counted(container.restarts as usize, "restart"));
    }
    parts.extend(
        container
            .last
            .as_ref()
            .map(|last| format!("last ended with {last}")),
    );
    parts.extend(
        container
            .may_start_until()
            .map(|at| format!("startup deadline {}", units::moment(at))),
    );
    parts.extend(
        Some(&container.message)
            .filter(|message| !message.is_empty())
            .cloned(),
    );
    parts.extend(
        Some(&container.last_words)
            .filter(|words| !words.is_empty())
            .cloned(),
    );
    parts.join(" · ")
}
