//! What is deployed, live: each deployment's pods, containers and models, and why it does not serve.

use std::time::Duration;

use egui::{
    Align, Button, CornerRadius, Label, Layout, RichText, Role, ScrollArea, Sense, TextEdit,
    TextStyle, Ui, WidgetInfo, vec2,
};

use super::logs::log_ui;
use super::models::{Wish, models_ui, probes_ui};
use super::text::wrapped;
use crate::domain::deployment::{
    ClusterEvent, ClusterView, ContainerBrief, Deployment, DeploymentState, PodBrief, Progress,
};
use crate::domain::environment::Environment;
use crate::domain::{printable, units};
use crate::protocol::{ClusterLink, Command, Failure, LogSource};
use crate::sambastack::events::of_deployment;
use crate::state::cluster::ClusterState;
use crate::state::{Loadable, State};
use crate::ui::theme::{self, Tokens};
use crate::ui::views::waiting::waiting_ui;
use crate::ui::widgets::{
    MARGIN, caption, column, dot, empty_state, failure_box, filling_card, from_right, page_head,
    shortened, small_button, strong, tokens,
};

const ROW: f32 = 40.0;

pub(super) fn show(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    let now = Duration::try_from_secs_f64(ui.input(|input| input.time)).unwrap_or_default();
    let name = state.env().name.clone();
    page_head(
        ui,
        "Deployments",
        &format!("What is deployed on {name}, and why it does not serve"),
    );
    ui.horizontal(|ui| {
        if ui
            .add(Button::new("Back to environments").min_size(vec2(0.0, 28.0)))
            .clicked()
        {
            state.place().cluster.page = None;
            state.close_log(out);
        }
        link_ui(ui, state);
        probes_ui(ui, state, now, out);
    });
    keep_reading(state, now, out);
    waiting_ui(ui, state, &state.env().id.clone(), out);
    ui.ctx().request_repaint_after(EVENTS_EVERY);
    let env = state.env().clone();
    let has_log = state.place().log.is_some();
    let may_probe = state.has_api() && !state.is_benching_here();
    let cluster = &state.place().cluster;
    if let Some(why) = cluster.view.failure().cloned() {
        failure_box(ui, "cluster", &why, None);
    }
    if let Some(view) = cluster.view.value() {
        faults_ui(ui, view);
    }
    let Some(chosen) = cluster.page.clone() else {
        return;
    };
    let Some(view) = cluster.view.value() else {
        if cluster.view.is_loading() {
            ui.spinner();
        } else {
            empty_state(
                ui,
                "Nothing was seen of this cluster yet",
                "Refresh with F5",
                60.0,
            );
        }
        return;
    };
    if view.deployments.is_empty()
        && (cluster.view.failure().is_some() || !view.warnings.is_empty())
    {
        for warning in &view.warnings {
            wrapped(ui, &warning.to_string(), tokens(ui).warning);
        }
        return empty_state(
            ui,
            "No deployments can be seen",
            "What is deployed appears here by itself",
            60.0,
        );
    }
    if view.deployments.is_empty() {
        return empty_state(
            ui,
            view.nothing(),
            "What is deployed appears here by itself",
            60.0,
        );
    }
    let chosen = if chosen.is_empty() {
        view.deployments[0].name.clone()
    } else {
        chosen
    };
    let mut size = ui.available_size();
    let log_height = if has_log {
        (size.y * 0.45).max(150.0)
    } else {
        0.0
    };
    size.y -= if has_log { log_height + 14.0 } else { 0.0 };
    let list = (size.x * 0.32).clamp(220.0, 360.0);
    let (mut picked, mut wanted, mut wish) = (None, None, Wish::default());
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 14.0;
        column(ui, vec2(list, size.y), |ui| {
            filling_card(ui, |ui| picked = list_ui(ui, view, &chosen));
        });
        column(ui, vec2(ui.available_width(), size.y), |ui| {
            filling_card(ui, |ui| {
                match view
                    .deployments
                    .iter()
                    .find(|it| view.name_of(it) == chosen)
                {
                    Some(deployment) => {
                        (wanted, wish) =
                            deployment_ui(ui, &env, cluster, deployment, may_probe, out);
                    }
                    None => empty_state(
                        ui,
                        &format!("{chosen} is gone"),
                        "It was deleted from the cluster",
                        60.0,
                    ),
                }
            });
        });
    });
    if picked.is_some() {
        state.place().cluster.page = picked;
    }
    if has_log {
        ui.add_space(14.0);
        column(ui, vec2(ui.available_width(), log_height), |ui| {
            filling_card(ui, |ui| log_ui(ui, state, out));
        });
    }
    if let Some(source) = wanted {
        state.open_log(source, out);
    }
    if wish.cancel {
        state.cancel_probes(out);
    }
    state.probe(wish.probe, out);
}

const EVENTS_EVERY: Duration = Duration::from_secs(15);
const SIZES_EVERY: Duration = Duration::from_secs(300);

/// While the page is open, what is not watched is read now and then.
fn keep_reading(state: &mut State, now: Duration, out: &mut Vec<Command>) {
    fn due<T>(value: &Loadable<T>, now: Duration, every: Duration) -> bool {
        match value {
            Loadable::Absent => true,
            Loadable::Ready(_, at) => now.saturating_sub(*at) >= every,
            // What failed is asked again when the user wishes.
            Loadable::Loading { .. } | Loadable::Failed { .. } => false,
        }
    }
    // What is followed no longer needs a person, e.g. to log in: nothing is asked until that person refreshes.
    if state.env().cluster.is_none()
        || matches!(state.place().cluster.link, Some(ClusterLink::Stopped(_)))
    {
        return;
    }
    let back = state.place().cluster.reread && !state.place().cluster.events.is_loading();
    if back {
        let cluster = &mut state.place().cluster;
        cluster.reread = false;
        if cluster.sizes.failure().is_some() {
            cluster.sizes = Loadable::Absent;
        }
    }
    if back || due(&state.place().cluster.events, now, EVENTS_EVERY) {
        state.load_cluster_events(out);
    }
    // After the cluster itself, which the page is for.
    if state.place().cluster.view.value().is_some()
        && due(&state.place().cluster.sizes, now, SIZES_EVERY)
    {
        state.load_sizes(out);
    }
}

fn link_ui(ui: &mut Ui, state: &mut State) {
    let tokens = tokens(ui);
    let cluster = &state.place().cluster;
    let (color, told, why) = match &cluster.link {
        Some(ClusterLink::Live) => (tokens.ok, "live".to_owned(), None),
        Some(ClusterLink::Reconnecting(why)) => {
            (tokens.warning, "reconnecting".to_owned(), Some(why))
        }
        Some(ClusterLink::Forbidden(why)) => (tokens.error, "forbidden".to_owned(), Some(why)),
        Some(ClusterLink::Polling { every, why }) => (
            tokens.warning,
            format!("polling every {} s", every.as_secs()),
            Some(why),
        ),
        Some(ClusterLink::Stopped(why)) => {
            (tokens.error, "not followed any more".to_owned(), Some(why))
        }
        None => (tokens.faint, "asking the cluster".to_owned(), None),
    };
    dot(ui, color);
    let told = caption(ui, told);
    if let Some(why) = why {
        told.on_hover_text(why.to_string());
    }
}

/// What could not be listed, and what cannot be read in full: a line each, with more words on hover.
fn faults_ui(ui: &mut Ui, view: &ClusterView) {
    // More would leave no room for the deployments.
    const MAX: usize = 2;
    let tokens = tokens(ui);
    let faults: Vec<&Failure> = view.warnings.iter().chain(&view.unreadable).collect();
    let words = |fault: &Failure| {
        let parts = [fault.summary.as_str(), &fault.advice, &fault.details];
        let parts: Vec<&str> = parts.into_iter().filter(|text| !text.is_empty()).collect();
        printable::cut(&parts.join("\n"), 2_000).into_owned()
    };
    for fault in faults.iter().take(MAX) {
        let width = ui.available_width();
        let line = shortened(ui, &fault.summary, TextStyle::Small, tokens.warning, width);
        line.on_hover_text(words(fault));
    }
    if faults.len() > MAX {
        let rest: Vec<String> = faults.iter().skip(MAX).map(|fault| words(fault)).collect();
        let line = format!("{} more that could not be read", faults.len() - MAX);
        let label = Label::new(RichText::new(line).small().color(tokens.warning));
        ui.add(label).on_hover_text(rest.join("\n\n"));
    }
}

fn color_of(deployment: &Deployment, tokens: &Tokens) -> egui::Color32 {
    match deployment.state {
        DeploymentState::Deployed if deployment.warns() => tokens.warning,
        DeploymentState::Deployed => tokens.ok,
        DeploymentState::Deploying => tokens.warning,
        DeploymentState::NotDeployed | DeploymentState::Terminating | DeploymentState::Unknown => {
            tokens.faint
        }
    }
}

/// Gives the one that was clicked.
fn list_ui(ui: &mut Ui, view: &ClusterView, chosen: &str) -> Option<String> {
    let id = ui.scope_id().with("filter");
    let mut filter = ui
        .data(|data| data.get_temp::<String>(id))
        .unwrap_or_default();
    let label = caption(ui, "Filter deployments");
    let edit = TextEdit::singleline(&mut filter)
        .margin(MARGIN)
        .desired_width(f32::INFINITY);
    ui.add(edit).labelled_by(label.id);
    let wanted = filter.to_lowercase();
    ui.data_mut(|data| data.insert_temp(id, filter));
    let shown: Vec<&Deployment> = view
        .deployments
        .iter()
        .filter(|it| wanted.is_empty() || it.name.to_lowercase().contains(&wanted))
        .collect();
    let mut picked = None;
    ScrollArea::vertical()
        .id_salt("deployments")
        .auto_shrink([false, false])
        .show_rows(ui, ROW, shown.len(), |ui, rows| {
            for deployment in &shown[rows] {
                let name = view.name_of(deployment);
                if row_ui(ui, deployment, &name, name == chosen) {
                    picked = Some(name);
                }
            }
        });
    picked
}

fn row_ui(ui: &mut Ui, deployment: &Deployment, name: &str, selected: bool) -> bool {
    let tokens = tokens(ui);
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, ROW), Sense::click());
    let fill = if selected {
        Some(tokens.raised)
    } else {
        response.hovered().then_some(tokens.hover)
    };
    if let Some(fill) = fill {
        ui.painter().rect_filled(rect, CornerRadius::same(6), fill);
    }
    if response.has_focus() {
        let stroke = egui::Stroke::new(1.0, tokens.accent);
        ui.painter().rect_stroke(
            rect,
            CornerRadius::same(6),
            stroke,
            egui::StrokeKind::Inside,
        );
    }
    let mut inside = ui.new_child(egui::UiBuilder::new().max_rect(rect.shrink2(vec2(8.0, 3.0))));
    inside.spacing_mut().item_spacing.y = 1.0;
    inside.spacing_mut().interact_size.y = 15.0;
    inside.horizontal(|ui| {
        dot(ui, color_of(deployment, tokens));
        shortened(ui, name, TextStyle::Body, tokens.text, width - 44.0);
    });
    inside.horizontal(|ui| {
        ui.add_space(18.0);
        shortened(
            ui,
            &printable::cut(&deployment.why(), 300),
            TextStyle::Small,
            tokens.dim,
            width - 44.0,
        );
    });
    let spoken = format!("{name}, {}", deployment.state.label());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &spoken));
    response.clicked()
}

/// Gives the log that is to be opened, and what is to be probed.
fn deployment_ui(
    ui: &mut Ui,
    env: &Environment,
    cluster: &ClusterState,
    deployment: &Deployment,
    may_probe: bool,
    out: &mut Vec<Command>,
) -> (Option<LogSource>, Wish) {
    let tokens = tokens(ui);
    let diagnosis = cluster.diagnosis(deployment);
    let (mut wanted, mut wish) = (None, Wish::default());
    ScrollArea::vertical()
        .id_salt("deployment")
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_width(ui.available_width() - 4.0);
            ui.horizontal(|ui| {
                dot(ui, color_of(deployment, tokens));
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
            if !deployment.reason.is_empty() {
                wrapped(ui, &deployment.reason, tokens.dim);
            }
            if let Some(diagnosis) = diagnosis {
                ui.add_space(8.0);
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
                        .on_hover_text("It would confirm this")
                        .clicked()
                    {
                        out.push(Command::Copy {
                            what: "Command".to_owned(),
                            text: line,
                        });
                    }
                }
            }
            for remark in &deployment.unreadable {
                wrapped(
                    ui,
                    &format!("Its resource cannot be read in full: {remark}"),
                    tokens.warning,
                );
            }
            heading(ui, &format!("Pods ({})", deployment.pods.len()));
            for pod in &deployment.pods {
                wanted = pod_ui(ui, pod).or(wanted.take());
            }
            events_ui(ui, cluster, deployment);
            heading(ui, &format!("Models ({})", deployment.models.len()));
            models_ui(ui, cluster, deployment, may_probe, &mut wish);
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
    (wanted, wish)
}

fn events_ui(ui: &mut Ui, cluster: &ClusterState, deployment: &Deployment) {
    const MOST: usize = 50;
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
            &format!("They could not be read: {why}"),
            tokens.warning,
        );
    }
    for event in own.iter().take(MOST) {
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
    ui.add_space(10.0);
    strong(ui, text);
}

/// Gives the log that is to be opened.
fn pod_ui(ui: &mut Ui, pod: &PodBrief) -> Option<LogSource> {
    let tokens = tokens(ui);
    ui.add_space(4.0);
    let color = if pod.trouble.is_none() {
        tokens.ok
    } else {
        tokens.warning
    };
    ui.horizontal(|ui| {
        dot(ui, color);
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
    // What kubectl's STATUS column says, where the words do not say it.
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
            &format!("It cannot be read in full: {remark}"),
            tokens.warning,
        );
    }
    let mut wanted = None;
    for container in &pod.details {
        let previous = container.restarts > 0;
        ui.horizontal_top(|ui| {
            let room = if previous { 170.0 } else { 60.0 };
            let width = (ui.available_width() - room).max(80.0);
            column(ui, vec2(width, 0.0), |ui| {
                wrapped(ui, &container_line(container), tokens.dim)
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
                button(ui, "Log", false);
                if previous {
                    button(ui, "Log of the last run", true);
                }
            });
        });
    }
    wanted
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
            .map(|at| format!("may start until {}", units::moment(at))),
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
